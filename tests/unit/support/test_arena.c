#include "tests/unit/unit.h"

#include "support/arena.h"
#include "support/vec.h"

#include <string.h>

static void objects_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	static const struct {
		size_t bytes, align;
	} rows[] = {
		{0, 1},    {1, 1},     {3, 1},     {8, 8},          {17, 16},       {64, 64},
		{5, 4096}, {4000, 8},  {4096, 32}, {ARENA_BIG - 1, 8}, {ARENA_BIG, 8}, {ARENA_BIG * 3, 256},
	};
	arena *a = arena_new("test");
	unsigned char *objects[N_ROWS(rows) * 40];
	size_t n = 0, total = 0;
	for (int round = 0; round < 40; round++) {
		for (size_t r = 0; r < N_ROWS(rows); r++, n++) {
			unsigned char *p = objects[n] = arena_alloc(a, rows[r].bytes, rows[r].align);
			assert_int_equal((uintptr_t)p % rows[r].align, 0);
			for (size_t i = 0; i < rows[r].bytes; i++)
				assert_int_equal(p[i], 0);
			memset(p, (int)(n % 255 + 1), rows[r].bytes);
			total += rows[r].bytes;
		}
	}
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < rows[k % N_ROWS(rows)].bytes; i++)
			assert_int_equal(objects[k][i], k % 255 + 1);
	assert_ptr_not_equal(objects[0], objects[N_ROWS(rows)]);
	assert_int_equal(arena_bytes(a), total);
	arena_free(a);
	arena_free(NULL);
}

static void growing_keeps_the_bytes_and_zeroes_the_rest(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	size_t n = 1;
	unsigned char *p = arena_alloc(a, n, 1);
	p[0] = 1;
	for (size_t step = 0; step < 18; step++) {
		if (step % 3 == 2) /* no longer the newest: has to move */
			memset(arena_alloc(a, 7, 1), 0xff, 7);
		p = arena_grow(a, p, n, 2 * n, 1);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 1);
		for (size_t i = n; i < 2 * n; i++) {
			assert_int_equal(p[i], 0);
			p[i] = 1;
		}
		n *= 2;
	}
	arena_free(a);
}

static void text_is_copied(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strdup(a, "relu"), "relu");
	assert_string_equal(arena_strndup(a, "relu", 2), "re");
	assert_string_equal(arena_strndup(a, "relu", 100), "relu");
	assert_string_equal(arena_printf(a, "%s.%d", "conv", 12), "conv.12");
	int *four = new_array(a, int, 4);
	double *one = new(a, double);
	assert_int_equal(four[3], 0);
	assert_true(*one == 0);
	arena_free(a);
}

static void vectors_grow(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	vec(int) v = {0};
	typedef struct pair {
		double x;
		char c;
	} pair;
	vec(pair) pairs = {0};
	vec_reserve(a, &v, 3);
	assert_true(v.cap >= 3 && v.n == 0);
	for (int i = 0; i < 10000; i++) {
		vec_push(a, &v, i * 7);
		vec_push(a, &pairs, ((pair){.x = i, .c = 'a'}));
	}
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(v.v[i], i * 7);
		assert_true(pairs.v[i].x == i && pairs.v[i].c == 'a');
	}
	assert_int_equal(vec_pop(&v), 9999 * 7);
	assert_int_equal(v.n, 9999);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(growing_keeps_the_bytes_and_zeroes_the_rest),
		cmocka_unit_test(text_is_copied),
		cmocka_unit_test(vectors_grow),
	};
	return RUN_TESTS(tests);
}
