/* Typed access to the attributes of a node.  Every accessor reports what is wrong and abandons this node only.
 * An attribute that its importer never asks for is one that we do not know: onnx.c refuses the node then. */
#pragma once

#include "frontend/import.h"

typedef struct int_list {
	const int64_t *v;
	int n;
	bool given; /* false: absent, n == 0 */
} int_list;

typedef struct float_list {
	const float *v;
	int n;
	bool given;
} float_list;

bool attr_given(const onnx_node *n, const char *name); /* does not count as asking */
int64_t attr_int(importer *im, const onnx_node *n, const char *name, int64_t otherwise);
int64_t attr_int_required(importer *im, const onnx_node *n, const char *name);
bool attr_flag(importer *im, const onnx_node *n, const char *name, bool otherwise); /* 0 or 1 */
double attr_float(importer *im, const onnx_node *n, const char *name, double otherwise);
const char *attr_string(importer *im, const onnx_node *n, const char *name, const char *otherwise);
/* One of the words between spaces in `allowed`; the first is the default. */
const char *attr_word(importer *im, const onnx_node *n, const char *name, const char *allowed);
int_list attr_ints(importer *im, const onnx_node *n, const char *name);
int_list attr_ints_required(importer *im, const onnx_node *n, const char *name);
/* `count` entries of at least lo, each `otherwise` when absent. */
const int64_t *attr_ints_or(importer *im, const onnx_node *n, const char *name, int count, int64_t lo, int64_t otherwise);
typedef struct string_list {
	const char *const *v;
	int n;
	bool given;
} string_list;

typedef struct text_list {
	const slice *v; /* any bytes, not terminated */
	int n;
	bool given;
} text_list;

text_list attr_texts(importer *im, const onnx_node *n, const char *name);
string_list attr_strings(importer *im, const onnx_node *n, const char *name);
const Onnx__GraphProto *attr_graph(importer *im, const onnx_node *n, const char *name); /* refuses when absent */
float_list attr_floats(importer *im, const onnx_node *n, const char *name);
const tensor *attr_tensor(importer *im, const onnx_node *n, const char *name); /* NULL when absent */
dtype attr_dtype(importer *im, const onnx_node *n, const char *name, dtype otherwise);
/* Asked for, but without meaning here (hints of training frameworks, fields of old versions). */
void attr_ignore(const onnx_node *n, const char *name);
/* Refuses the node when an attribute was never asked for. */
void attr_check_all_known(importer *im, const onnx_node *n);
