#include "tests/unit/unit.h"

#include "driver/npy.h"

#include <string.h>

static void test_round_trip(void **unused)
{
	(void)unused;
	static const struct { dtype type; int rank; int64_t dims[3]; } rows[] = {
		{F32, 2, {2, 3}}, {F64, 1, {4}}, {F16, 3, {1, 2, 2}}, {I8, 1, {5}}, {I64, 0, {0}}, {BOOL, 1, {3}}, {U16, 2, {0, 7}},
	};
	unsigned char bytes[64];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i & 1);
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		tensor *t = tensor_new(a, rows[i].type, rows[i].rank, rows[i].dims, bytes), back;
		str file = str_new(a);
		assert_true(npy_write(&file, "t.npy", t, d));
		assert_int_equal((file.len - t->bytes) % 64, 0); /* NumPy maps files */
		assert_true(npy_read(a, "t.npy", (const unsigned char *)file.data, file.len, &back, d));
		assert_true(tensor_equal(t, &back));
		/* cut off anywhere, it is refused */
		for (size_t n = 0; t->bytes && n < file.len; n++)
			assert_false(npy_read(a, "t.npy", (const unsigned char *)file.data, n, &back, d));
		arena_free(a);
	}
}

static void test_refused(void **unused)
{
	(void)unused;
	static const struct { const char *header, *why; } rows[] = {
		{"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "element type"},
		{"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "Fortran"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "shape"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 16), }", "shape"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", "shape"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "cut off"},
		{"{}", "element type"},
		{"", "element type"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		str file = str_new(a);
		size_t n = strlen(rows[i].header);
		tensor t;
		str_addn(&file, "\x93NUMPY\x01\x00", 8);
		str_addc(&file, (char)n);
		str_addc(&file, 0);
		str_add(&file, rows[i].header);
		str_addn(&file, "\0\0\0\0", 4);
		assert_false(npy_read(a, "t.npy", (const unsigned char *)file.data, file.len, &t, d));
		if (!strstr(diag_text(d), rows[i].why))
			fail_msg("row %zu: %s", i, diag_text(d));
		arena_free(a);
	}
}

static void test_no_numpy_type(void **unused)
{
	(void)unused;
	static const unsigned char bytes[4];
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	str file = str_new(a);
	assert_false(npy_write(&file, "t.npy", tensor_new(a, BF16, 1, (int64_t[]){2}, bytes), d));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused), cmocka_unit_test(test_no_numpy_type)};
	return RUN_TESTS(tests);
}
