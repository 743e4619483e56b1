#include "tests/unit/unit.h"

#include "support/arena.h"
#include "support/str.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void builders_grow(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	str s = str_new(a), other = str_new(a);
	assert_string_equal(s.data, "");
	str_clear(&s);
	str_addf(&s, "%s", "");
	assert_string_equal(s.data, "");
	str_add(&s, "ab");
	str_addc(&s, 'c');
	str_addn(&s, "defgh", 2);
	str_addf(&s, "%d", 42);
	assert_string_equal(s.data, "abcde42");
	assert_int_equal(s.len, 7);
	str_clear(&s);
	assert_string_equal(s.data, "");
	for (int i = 0; i < 20000; i++) {
		str_addf(&s, "%05d;", i);
		str_addc(&other, 'x');
	}
	assert_int_equal(s.len, 6 * 20000);
	assert_int_equal(strlen(s.data), s.len);
	assert_int_equal(other.len, 20000);
	assert_memory_equal(s.data + 6 * 777, "00777;", 6);
	arena_free(a);
}

static void floats_read_back(void **state)
{
	(void)state;
	static const struct {
		double value;
		int is_f32;
		const char *text;
	} rows[] = {
		{0.0, 1, "0.0"},          {-0.0, 1, "-0.0"},       {1.0, 1, "1.0"},         {-3.0, 0, "-3.0"},
		{0.5, 1, "0.5"},          {0.1f, 1, "0.1"},        {0.1, 0, "0.1"},         {0.1f, 0, "0.10000000149011612"},
		{1e6, 1, "1e+06"},        {40, 1, "40.0"},        {2050, 1, "2050.0"},     {123456, 1, "123456.0"}, {16777216, 1, "16777216.0"},
		{FLT_MAX, 1, "3.4028235e+38"}, {FLT_MIN, 1, "1.1754944e-38"}, {1.4e-45f, 1, "1e-45"},
		{DBL_MAX, 0, "1.7976931348623157e+308"}, {5e-324, 0, "5e-324"},
		{INFINITY, 1, "inf"},     {-INFINITY, 0, "-inf"},  {NAN, 1, "nan"},
	};
	arena *a = arena_new("test");
	str s = str_new(a);
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		str_clear(&s);
		str_add_float(&s, rows[r].value, rows[r].is_f32);
		assert_string_equal(s.data, rows[r].text);
	}
	uint32_t bits = 1;
	for (int i = 0; i < 50000; i++) {
		bits = bits * 1664525u + 1013904223u;
		float x;
		memcpy(&x, &bits, sizeof x);
		if (isnan(x))
			continue;
		str_clear(&s);
		str_add_float(&s, x, 1);
		float back = strtof(s.data, NULL);
		assert_memory_equal(&back, &x, sizeof x);
		assert_non_null(strpbrk(s.data, ".ein"));
	}
	arena_free(a);
}

static void text_is_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *in, *also, *out;
	} rows[] = {
		{"conv/1", "", "conv/1"},
		{"a\"b\\c", "", "a\"b\\c"},
		{"a\"b\\c", "\"\\", "a\\\"b\\\\c"},
		{"\n\t\r\x1b[2J\x7f", "", "\\n\\t\\x0d\\x1b[2J\\x7f"},
		{"caf\xc3\xa9 \xe5\xb1\x82 \xf0\x9f\x98\x80", "", "caf\xc3\xa9 \xe5\xb1\x82 \xf0\x9f\x98\x80"},
		{"\xc2\x85", "", "\\xc2\\x85"},             /* a C1 control */
		{"\xc3", "", "\\xc3"},                      /* cut off */
		{"\xe0\x80\x80", "", "\\xe0\\x80\\x80"},    /* overlong */
		{"\xed\xa0\x80", "", "\\xed\\xa0\\x80"},    /* surrogate */
		{"\xff" "a", "", "\\xffa"},
	};
	arena *a = arena_new("test");
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		str s = str_new(a);
		str_add_escaped(&s, rows[r].in, strlen(rows[r].in), rows[r].also);
		assert_string_equal(s.data, rows[r].out);
	}
	str s = str_new(a);
	str_add_escaped(&s, "a\0b", 3, "\"");
	assert_string_equal(s.data, "a\\x00b");
	arena_free(a);
}

static void names_are_equal_as_pointers(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	names *set = names_new(a);
	const char *all[3000];
	for (int i = 0; i < 3000; i++)
		all[i] = names_intern(set, arena_printf(a, "value%d", i));
	for (int i = 0; i < 3000; i++) {
		char *again = arena_printf(a, "value%d, and more", i);
		assert_string_equal(all[i], arena_printf(a, "value%d", i));
		assert_ptr_equal(names_intern_n(set, again, strcspn(again, ",")), all[i]);
		assert_ptr_not_equal(all[i], again);
	}
	assert_ptr_equal(names_intern(set, ""), names_intern_n(set, "x", 0));
	char big[400];
	memset(big, 'n', sizeof big);
	const char *name = names_intern_n(set, big, 300);
	assert_int_equal(strlen(name), 300);
	assert_ptr_equal(name, names_intern_n(set, big, 300));
	assert_ptr_not_equal(name, names_intern_n(set, big, 301));
	arena_free(a);
}

static void slices_compare_with_text(void **state)
{
	(void)state;
	const char *text = "graph @main";
	assert_true(slice_eq((slice){text, 5}, "graph"));
	assert_false(slice_eq((slice){text, 5}, "grap"));
	assert_false(slice_eq((slice){text, 5}, "graphs"));
	assert_false(slice_eq((slice){text, 5}, "grapx"));
	assert_true(slice_eq((slice){NULL, 0}, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builders_grow),
		cmocka_unit_test(floats_read_back),
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(names_are_equal_as_pointers),
		cmocka_unit_test(slices_compare_with_text),
	};
	return RUN_TESTS(tests);
}
