/* Constant data: element type, fixed dims and bytes (row-major, packed below 8 bits, little endian).
 * The bytes are borrowed: they live in a mapped model file, an arena or a fold result, whose owner outlives the graph. */
#pragma once

#include "ir/dtype.h"
#include "support/arena.h"
#include "support/str.h"

typedef struct tensor {
	dtype type;
	int rank;
	int64_t *dims;
	const void *data;  /* STRING: array of slice */
	size_t bytes;
	size_t n_elements;
} tensor;

/* Checks dims >= 0 and that their product and byte size fit; false otherwise.  Data is NULL until set. */
bool tensor_init(tensor *t, arena *a, dtype type, int rank, const int64_t *dims);
tensor *tensor_new(arena *a, dtype type, int rank, const int64_t *dims, const void *data); /* bug when dims overflow */
tensor *tensor_scalar_i64(arena *a, int64_t value);
tensor *tensor_scalar_f32(arena *a, float value);
tensor *tensor_vector_i64(arena *a, const int64_t *values, int n);
int64_t tensor_int(const tensor *t, size_t i);   /* element i of any integer or bool type */
double tensor_float(const tensor *t, size_t i);  /* element i of any numeric type */
bool tensor_equal(const tensor *a, const tensor *b); /* same type, dims and bytes */
uint64_t tensor_hash(const tensor *t);
