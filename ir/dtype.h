/* Element types: what a tensor or a scalar holds.  Every fact about a type is a column of dtypes.def. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum dtype {
#define DTYPE(name, keyword, onnx, bits, class, compute) name,
#include "ir/dtypes.def"
#undef DTYPE
	DTYPE_COUNT,
	DTYPE_NONE = DTYPE_COUNT, /* "not known (yet)" */
} dtype;

typedef enum dtype_class { CLASS_FLOAT, CLASS_SINT, CLASS_UINT, CLASS_BOOL, CLASS_STRING } dtype_class;

typedef struct dtype_info {
	const char *name;
	int onnx; /* TensorProto.DataType */
	int bits;
	dtype_class class;
	dtype compute; /* the type its arithmetic is done in */
} dtype_info;

extern const dtype_info dtype_table[DTYPE_COUNT];

const char *dtype_name(dtype t); /* total: "none" for DTYPE_NONE */
dtype dtype_find(const char *keyword, size_t n);
dtype dtype_of_onnx(int onnx); /* DTYPE_NONE when there is no such type */
bool dtype_is_float(dtype t);
bool dtype_is_int(dtype t); /* signed or unsigned, not bool */
/* Bytes of n packed elements; false on overflow. */
bool dtype_bytes(dtype t, size_t n, size_t *bytes);
