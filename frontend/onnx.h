/* ONNX files: a model becomes a graph, a TensorProto becomes a tensor.
 *
 * The model is untrusted.  Everything that is wrong with it, or that we do not support, is reported to the diag: as many
 * findings as possible in one run, each naming the node, the operator and the thing.  Large tensors are never copied: their
 * bytes stay in `data` and in the mapped external files, both of which must outlive the graph. */
#pragma once

#include "ir/graph.h"
#include "support/file.h"

/* --dim NAME=N (lo == hi), NAME=LO..HI, NAME=LO..HI@{N,...} */
typedef struct dim_range {
	const char *name;
	int64_t lo, hi;
	const int64_t *values; /* within the bounds, different: for whoever compiles the graph, as the import takes no notice of them */
	int n_values;
} dim_range;

typedef struct dim_spec {
	const char *name; /* NULL: the number */
	int64_t value;
} dim_spec;

/* --input NAME=f32[1,3,H,W]: replaces the shape that the model declares; the type must be the declared one.  A sequence x holds
 * the inputs x.0, x.1 ... that are described; of rank -1, x is an empty sequence or an optional without element. */
typedef struct input_shape {
	const char *name;
	dtype type; /* DTYPE_NONE: not given */
	int rank;
	const dim_spec *dims;
} input_shape;

/* An input whose value is fixed at compile time; it is no input of the graph then. */
typedef struct input_constant {
	const char *name;
	const tensor *value;
} input_constant;

/* An input or output of the model. */
typedef struct port_note {
	const char *name;
	const char *kind;  /* "t": a tensor; "s" before: a sequence; "o" before: an optional */
	int first, count;  /* of an output: which outputs of the graph its tensors are */
} port_note;

/* What a caller may want to know of a model, also when its import failed. */
typedef struct import_notes {
	vec(port_note) inputs, outputs; /* in order, without initializers */
	vec(const char *) sizing; /* small inputs that sizes depend on: fixed to constants, they would not hinder the import */
} import_notes;

/* The external data files of a model: mapped while importing, closed by the caller when the graph is no longer used. */
typedef struct onnx_files {
	vec(file_data) maps;
	vec(const char *) names;
} onnx_files;

typedef struct import_options {
	const dim_range *dims;
	int n_dims;
	const input_shape *inputs;
	int n_inputs;
	const input_constant *constants;
	int n_constants;
	const char *const *outputs; /* further outputs: names of inner tensors */
	int n_outputs;
	onnx_files *files; /* NULL: external data is refused */
	import_notes *notes; /* or NULL */
} import_options;

/* The graph of the model in data[0..n); `path` names it in messages, and external data lies in its directory.
 * NULL after errors. */
graph *onnx_import(arena *a, const char *path, const unsigned char *data, size_t n, const import_options *options, diag *d);
/* A line for each operator that can be imported: its domain, its name, the versions known. */
void onnx_list_operators(FILE *to);
void onnx_files_close(onnx_files *files);

/* One serialised TensorProto (backend-test data); the tensor may borrow from data.  False after an error, reported for the
 * file `path`. */
bool onnx_read_tensor(arena *a, const char *path, const unsigned char *data, size_t n, tensor *out, const char **name, diag *d);
/* One serialised value of that kind: its tensors, named as inputs of a model are (x, x.0 ...).  Where it holds none, data is NULL and
 * the rank -1. */
typedef struct named_tensor {
	const char *name;
	tensor value;
} named_tensor;
typedef vec(named_tensor) named_tensors;
bool onnx_read_value(arena *a, const char *path, const unsigned char *data, size_t n, const char *kind, const char *name,
                     named_tensors *out, diag *d);
void onnx_write_tensor(str *out, const tensor *t, const char *name);
