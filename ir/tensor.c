#include "ir/tensor.h"

#include "support/checked.h"
#include "support/diag.h"
#include "support/half.h"
#include "support/map.h"

#include <string.h>

static bool count_elements(int rank, const int64_t *dims, size_t *n)
{
	*n = 1;
	bool empty = false;
	for (int i = 0; i < rank; i++) {
		if (dims[i] < 0)
			return false;
		empty |= dims[i] == 0;
	}
	if (empty) {
		*n = 0;
		return true;
	}
	for (int i = 0; i < rank; i++)
		if ((uint64_t)dims[i] > SIZE_MAX || !mul_size(*n, (size_t)dims[i], n))
			return false;
	return *n <= INT64_MAX;
}

bool tensor_init(tensor *t, arena *a, dtype type, int rank, const int64_t *dims)
{
	size_t n, bytes;
	if (!count_elements(rank, dims, &n))
		return false;
	if (!(type == STRING ? mul_size(n, sizeof(slice), &bytes) : dtype_bytes(type, n, &bytes)))
		return false;
	*t = (tensor){.type = type, .rank = rank, .bytes = bytes, .n_elements = n};
	t->dims = new_array(a, int64_t, (size_t)rank);
	if (rank > 0)
		memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
	return true;
}

tensor *tensor_new(arena *a, dtype type, int rank, const int64_t *dims, const void *data)
{
	tensor *t = new(a, tensor);
	if (!tensor_init(t, a, type, rank, dims))
		bug("a %s tensor of rank %d has impossible dims", dtype_name(type), rank);
	t->data = data;
	return t;
}

static tensor *tensor_copied(arena *a, dtype type, int rank, const int64_t *dims, const void *data, size_t bytes)
{
	void *copy = arena_alloc(a, bytes, _Alignof(max_align_t));
	if (bytes > 0)
		memcpy(copy, data, bytes);
	return tensor_new(a, type, rank, dims, copy);
}

tensor *tensor_scalar_i64(arena *a, int64_t value) { return tensor_copied(a, I64, 0, NULL, &value, sizeof value); }
tensor *tensor_scalar_f32(arena *a, float value) { return tensor_copied(a, F32, 0, NULL, &value, sizeof value); }

tensor *tensor_vector_i64(arena *a, const int64_t *values, int n)
{
	return tensor_copied(a, I64, 1, (int64_t[]){n}, values, (size_t)n * sizeof *values);
}

/* Element i's bits, zero-extended.  Data need not be aligned: it lies in a mapped file. */
static uint64_t element_bits(const tensor *t, size_t i)
{
	int bits = dtype_table[t->type].bits;
	const unsigned char *p = t->data;
	if (i >= t->n_elements || t->type == STRING)
		bug("element %zu of a %s tensor of %zu elements", i, dtype_name(t->type), t->n_elements);
	if (bits < 8) {
		size_t at = i * (size_t)bits;
		return (uint64_t)(p[at / 8] >> at % 8) & ((1u << bits) - 1);
	}
	uint64_t x = 0;
	for (int k = 0; k < bits / 8; k++)
		x |= (uint64_t)p[i * (size_t)(bits / 8) + (size_t)k] << 8 * k;
	return x;
}

int64_t tensor_int(const tensor *t, size_t i)
{
	uint64_t x = element_bits(t, i);
	int unused = 64 - dtype_table[t->type].bits;
	switch (dtype_table[t->type].class) {
	case CLASS_SINT: return (int64_t)(x << unused) >> unused;
	case CLASS_UINT: return (int64_t)x;
	case CLASS_BOOL: return x != 0;
	case CLASS_FLOAT:
	case CLASS_STRING: break;
	}
	bug("a %s tensor has no integers", dtype_name(t->type));
}

static double f64_from_bits(uint64_t bits)
{
	double x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

double tensor_float(const tensor *t, size_t i)
{
	if (!dtype_is_float(t->type))
		return t->type == U64 ? (double)element_bits(t, i) : (double)tensor_int(t, i);
	uint64_t x = element_bits(t, i);
	switch (t->type) {
	case F32: return f32_from_bits((uint32_t)x);
	case F64: return f64_from_bits(x);
	case F16: return f16_to_f32((uint16_t)x);
	case BF16: return bf16_to_f32((uint16_t)x);
	case F8E4M3FN: return f8e4m3fn_to_f32((uint8_t)x);
	case F8E4M3FNUZ: return f8e4m3fnuz_to_f32((uint8_t)x);
	case F8E5M2: return f8e5m2_to_f32((uint8_t)x);
	case F8E5M2FNUZ: return f8e5m2fnuz_to_f32((uint8_t)x);
	case F8E8M0: return f8e8m0_to_f32((uint8_t)x);
	case F4E2M1: return f4e2m1_to_f32((uint8_t)x);
	default: bug("%s is no float type", dtype_name(t->type));
	}
}

bool tensor_equal(const tensor *a, const tensor *b)
{
	if (a == b)
		return true;
	if (a->type != b->type || a->rank != b->rank || a->n_elements != b->n_elements)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dims[i] != b->dims[i])
			return false;
	if (a->data == b->data || a->bytes == 0)
		return true;
	if (!a->data || !b->data)
		return false;
	if (a->type != STRING)
		return memcmp(a->data, b->data, a->bytes) == 0;
	const slice *x = a->data, *y = b->data;
	for (size_t i = 0; i < a->n_elements; i++)
		if (x[i].len != y[i].len || (x[i].len && memcmp(x[i].data, y[i].data, x[i].len) != 0))
			return false;
	return true;
}

uint64_t tensor_hash(const tensor *t)
{
	uint64_t h = hash_mix((uint64_t)t->type, (uint64_t)t->rank);
	for (int i = 0; i < t->rank; i++)
		h = hash_mix(h, (uint64_t)t->dims[i]);
	if (!t->data)
		return h;
	if (t->type != STRING)
		return hash_bytes(t->data, t->bytes, h);
	const slice *s = t->data;
	for (size_t i = 0; i < t->n_elements; i++)
		h = hash_bytes(s[i].data, s[i].len, h);
	return h;
}
