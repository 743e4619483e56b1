/* TensorProto to tensor, in every form in which ONNX stores data. */
#pragma once

#include "frontend/onnx.h"
#include "frontend/onnx.pb-c.h"

/* What the bytes of tensors may be borrowed from. */
typedef struct tensor_store {
	arena *a;
	const unsigned char *data; /* the file, for mapped raw_data */
	size_t n;
	const char *dir;   /* for external data */
	onnx_files *files; /* NULL: no external data */
	diag *diag;        /* errors of opening files */
} tensor_store;

/* False with the reason in *why (arena text; "" when the diag has it already). */
bool tensor_of_proto(tensor_store *s, const Onnx__TensorProto *p, tensor *out, const char **why);
bool tensor_of_sparse(tensor_store *s, const Onnx__SparseTensorProto *p, tensor *out, const char **why);

/* external_data.c: the `bytes` bytes that p's external_data entries name. */
bool external_bytes(tensor_store *s, const Onnx__TensorProto *p, size_t bytes, const unsigned char **out, const char **why);
