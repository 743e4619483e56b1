/* Constant data, and the table of element types. */
#include "tests/unit/unit.h"

#include "ir/tensor.h"

#include <math.h>
#include <string.h>

static void types_are_found_by_each_name(void **state)
{
	(void)state;
	for (int t = 0; t < DTYPE_COUNT; t++) {
		assert_int_equal(dtype_find(dtype_table[t].name, strlen(dtype_table[t].name)), t);
		assert_int_equal(dtype_of_onnx(dtype_table[t].onnx), t);
		dtype compute = dtype_table[t].compute;
		assert_int_equal(dtype_table[compute].compute, compute);
		assert_int_equal(dtype_is_float(compute), dtype_is_float((dtype)t));
	}
	assert_int_equal(dtype_find("f3", 2), DTYPE_NONE);
	assert_int_equal(dtype_find("f32x", 4), DTYPE_NONE);
	assert_int_equal(dtype_of_onnx(0), DTYPE_NONE);
	assert_int_equal(dtype_of_onnx(99), DTYPE_NONE);
	assert_string_equal(dtype_name(DTYPE_NONE), "none");
	assert_true(dtype_is_int(U2) && !dtype_is_int(BOOL) && !dtype_is_int(F16) && !dtype_is_int(DTYPE_NONE));
}

static void bytes_are_packed_and_checked(void **state)
{
	(void)state;
	static const struct {
		dtype t;
		size_t n, bytes;
	} rows[] = {
		{F32, 3, 12}, {I4, 3, 2}, {I4, 4, 2}, {U2, 5, 2}, {F4E2M1, 1, 1}, {BOOL, 7, 7}, {F64, 0, 0}, {I2, 0, 0},
		{I4, SIZE_MAX, SIZE_MAX / 2 + 1},
	};
	size_t bytes;
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		assert_true(dtype_bytes(rows[r].t, rows[r].n, &bytes));
		assert_int_equal(bytes, rows[r].bytes);
	}
	assert_false(dtype_bytes(F32, SIZE_MAX / 2, &bytes));
}

static void dims_are_checked(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	tensor t;
	assert_true(tensor_init(&t, a, F32, 3, (int64_t[]){2, 3, 4}));
	assert_int_equal(t.n_elements, 24);
	assert_int_equal(t.bytes, 96);
	assert_true(tensor_init(&t, a, F32, 0, NULL));
	assert_int_equal(t.n_elements, 1);
	assert_true(tensor_init(&t, a, F32, 3, (int64_t[]){INT64_MAX, INT64_MAX, 0}));
	assert_int_equal(t.n_elements, 0);
	assert_false(tensor_init(&t, a, F32, 2, (int64_t[]){3, -1}));
	assert_false(tensor_init(&t, a, F32, 2, (int64_t[]){INT64_MAX, 2}));
	assert_false(tensor_init(&t, a, F64, 2, (int64_t[]){(int64_t)1 << 31, (int64_t)1 << 31}));
	arena_free(a);
}

static void elements_of_every_type(void **state)
{
	(void)state;
	static const unsigned char bytes[8] = {0x3c, 0xbc, 0x80, 0xff, 0x01, 0x7f, 0x00, 0xc0};
	static const struct {
		dtype t;
		int n;
		size_t i;
		double value;
	} rows[] = {
		{I8, 8, 3, -1},   {U8, 8, 3, 255},    {I8, 8, 2, -128},   {I16, 4, 0, -17348}, {U16, 4, 0, 48188},
		{I4, 16, 0, -4},  {I4, 16, 1, 3},     {U4, 16, 0, 12},    {U2, 32, 1, 3},      {I2, 32, 1, -1},
		{I2, 32, 0, 0},   {BOOL, 8, 3, 1},    {BOOL, 8, 6, 0},    {I32, 2, 0, -8340420}, {U32, 2, 0, 4286626876.0},
		{F16, 4, 3, -2},  {BF16, 4, 3, -2},   {F8E4M3FN, 8, 0, 1.5}, {F8E5M2, 8, 0, 1}, {F8E8M0, 8, 5, 1},
		{F8E4M3FNUZ, 8, 0, 0.75}, {F8E5M2FNUZ, 8, 0, 0.5}, {F4E2M1, 16, 1, 1.5}, {F4E2M1, 16, 0, -2},
		{I64, 1, 0, -4611546371869066180.0}, {U64, 1, 0, 13835197701840485436.0},
	};
	arena *a = arena_new("test");
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		tensor *t = tensor_new(a, rows[r].t, 1, (int64_t[]){rows[r].n}, bytes);
		assert_int_equal(t->bytes, 8);
		assert_true(tensor_float(t, rows[r].i) == rows[r].value);
		if (!dtype_is_float(rows[r].t) && rows[r].t != U64 && rows[r].t != I64)
			assert_int_equal(tensor_int(t, rows[r].i), (int64_t)rows[r].value);
	}
	assert_int_equal(tensor_int(tensor_scalar_i64(a, INT64_MIN), 0), INT64_MIN);
	assert_true(tensor_float(tensor_scalar_f32(a, 0.1f), 0) == (double)0.1f);
	tensor *v = tensor_vector_i64(a, (int64_t[]){7, -8, 9}, 3);
	assert_int_equal(v->rank, 1);
	assert_int_equal(v->dims[0], 3);
	assert_int_equal(tensor_int(v, 1), -8);
	assert_int_equal(tensor_vector_i64(a, NULL, 0)->n_elements, 0);
	/* Bytes of a mapped file need no alignment. */
	unsigned char odd[9] = {0};
	memcpy(odd + 1, &(double){-2.5}, 8);
	assert_true(tensor_float(tensor_new(a, F64, 0, NULL, odd + 1), 0) == -2.5);
	arena_free(a);
}

static void equality_and_hash(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	int64_t values[] = {1, 2, 3, 4}, others[] = {1, 2, 3, 5};
	tensor *x = tensor_new(a, I64, 2, (int64_t[]){2, 2}, values), *y = tensor_vector_i64(a, values, 4);
	tensor *z = tensor_new(a, I64, 1, (int64_t[]){4}, values), *o = tensor_new(a, I64, 1, (int64_t[]){4}, others);
	assert_false(tensor_equal(x, y));
	assert_true(tensor_equal(y, z));
	assert_false(tensor_equal(z, o));
	assert_false(tensor_equal(z, tensor_new(a, U64, 1, (int64_t[]){4}, values)));
	assert_true(tensor_hash(y) == tensor_hash(z));
	assert_true(tensor_hash(z) != tensor_hash(o));
	assert_true(tensor_hash(x) != tensor_hash(y));
	char copy[] = "ab";
	slice s[] = {{"ab", 2}, {"", 0}}, s2[] = {{copy, 2}, {NULL, 0}}, s3[] = {{copy, 1}, {copy, 1}};
	tensor *t = tensor_new(a, STRING, 1, (int64_t[]){2}, s);
	assert_true(tensor_equal(t, tensor_new(a, STRING, 1, (int64_t[]){2}, s2)));
	assert_false(tensor_equal(t, tensor_new(a, STRING, 1, (int64_t[]){2}, s3)));
	assert_true(tensor_hash(t) == tensor_hash(tensor_new(a, STRING, 1, (int64_t[]){2}, s2)));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_found_by_each_name),
		cmocka_unit_test(bytes_are_packed_and_checked),
		cmocka_unit_test(dims_are_checked),
		cmocka_unit_test(elements_of_every_type),
		cmocka_unit_test(equality_and_hash),
	};
	return RUN_TESTS(tests);
}
