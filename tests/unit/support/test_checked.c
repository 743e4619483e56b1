#include "tests/unit/unit.h"

#include "support/checked.h"

static void sizes_overflow_is_found(void **state)
{
	(void)state;
	static const struct {
		size_t a, b;
		bool mul, add;
	} rows[] = {
		{0, 0, true, true},
		{0, SIZE_MAX, true, true},
		{1, SIZE_MAX, true, false},
		{2, SIZE_MAX / 2, true, true},
		{2, SIZE_MAX / 2 + 1, false, true},
		{SIZE_MAX, SIZE_MAX, false, false},
		{3, 5, true, true},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		size_t out;
		assert_int_equal(mul_size(rows[r].a, rows[r].b, &out), rows[r].mul);
		if (rows[r].mul)
			assert_true(out == rows[r].a * rows[r].b);
		assert_int_equal(add_size(rows[r].a, rows[r].b, &out), rows[r].add);
		if (rows[r].add)
			assert_true(out == rows[r].a + rows[r].b);
	}
}

static void signed_overflow_is_found(void **state)
{
	(void)state;
	static const struct {
		int64_t a, b;
		bool mul, add, sub;
	} rows[] = {
		{0, INT64_MIN, true, true, false},
		{-1, INT64_MIN, false, false, true},
		{1, INT64_MAX, true, false, true},
		{-2, INT64_MAX, false, true, false},
		{INT64_MAX, INT64_MAX, false, false, true},
		{INT64_MIN, INT64_MIN, false, false, true},
		{INT64_C(1) << 32, INT64_C(1) << 31, false, true, true},
		{INT64_C(1) << 31, INT64_C(1) << 31, true, true, true},
		{-7, 6, true, true, true},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		int64_t a = rows[r].a, b = rows[r].b, out;
		assert_int_equal(mul_i64(a, b, &out), rows[r].mul);
		if (rows[r].mul)
			assert_true(out == a * b);
		assert_int_equal(add_i64(a, b, &out), rows[r].add);
		if (rows[r].add)
			assert_true(out == a + b);
		assert_int_equal(sub_i64(a, b, &out), rows[r].sub);
		if (rows[r].sub)
			assert_true(out == a - b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_overflow_is_found),
		cmocka_unit_test(signed_overflow_is_found),
	};
	return RUN_TESTS(tests);
}
