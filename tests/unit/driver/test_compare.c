#include "tests/unit/unit.h"

#include "driver/compare.h"

#include <math.h>
#include <string.h>

enum { N = 4 };

/* y against ref by the default rule for whole networks. */
static const struct { float y[N], ref[N]; bool quantised, ok; } floats[] = {
	{{1, 2, 3, 4}, {1, 2, 3, 4}, false, true},
	{{1, 2, 3, 4.0004f}, {1, 2, 3, 4}, false, true},
	{{1, 2, 3, 4.02f}, {1, 2, 3, 4}, false, false},
	{{1e-9f, 2, 3, 4}, {0, 2, 3, 4}, false, true},       /* small against the whole */
	{{0, 0, 0, 1e-9f}, {0, 0, 0, 0}, false, false},      /* of zeros, only zeros are near */
	{{0, 0, 0, -0.0f}, {0, 0, 0, 0}, false, true},
	{{NAN, 2, 3, 4}, {NAN, 2, 3, 4}, false, true},
	{{NAN, 2, 3, 4}, {1, 2, 3, 4}, false, false},
	{{1, 2, 3, 4}, {1, NAN, 3, 4}, false, false},
	{{INFINITY, 2, 3, 4}, {INFINITY, 2, 3, 4}, false, true},
	{{-INFINITY, 2, 3, 4}, {INFINITY, 2, 3, 4}, false, false},
	{{1, 2, 3, 4.05f}, {1, 2, 3, 4}, true, true},
	{{1, 2, 4.01f, 4}, {1, 2, 3.99f, 4}, true, false},   /* another class */
	{{1, 2, 4.01f, 4}, {1, 2, 4, 4}, true, true},        /* a tie has no class */
};

static match compare(arena *a, dtype t, const void *y, const void *ref, const match_rule *rule)
{
	int64_t dims[] = {N};
	tensor *ty = tensor_new(a, t, 1, dims, y), *tref = tensor_new(a, t, 1, dims, ref);
	return tensor_match(a, ty, tref, rule);
}

static void test_floats(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_ROWS(floats); i++) {
		arena *a = arena_new("test");
		match_rule rule = match_rule_of(F32, floats[i].quantised);
		match m = compare(a, F32, floats[i].y, floats[i].ref, &rule);
		if (m.ok != floats[i].ok)
			fail_msg("row %zu: %s", i, m.ok ? "matches" : m.why);
		arena_free(a);
	}
}

static void test_integers_are_equal(void **unused)
{
	(void)unused;
	static const int64_t y[N] = {1, 2, INT64_MAX, 4}, same[N] = {1, 2, INT64_MAX, 4}, other[N] = {1, 2, INT64_MAX - 1, 4};
	arena *a = arena_new("test");
	match_rule rule = match_rule_of(I64, false);
	assert_true(compare(a, I64, y, same, &rule).ok);
	match m = compare(a, I64, y, other, &rule);
	assert_false(m.ok);
	assert_int_equal(m.n_wrong, 1);
	arena_free(a);
}

static void test_strings(void **unused)
{
	(void)unused;
	static const slice y[N] = {{"a", 1}, {"", 0}, {"bc", 2}, {"d", 1}}, other[N] = {{"a", 1}, {"x", 1}, {"bc", 2}, {"d", 1}};
	arena *a = arena_new("test");
	match_rule rule = match_rule_of(STRING, false);
	assert_true(compare(a, STRING, y, y, &rule).ok);
	match m = compare(a, STRING, y, other, &rule);
	assert_false(m.ok);
	assert_int_equal(m.worst[0], 1);
	arena_free(a);
}

static void test_element_wise(void **unused)
{
	(void)unused;
	static const float y[N] = {1, 2, 3, 4.1f}, ref[N] = {1, 2, 3, 4};
	arena *a = arena_new("test");
	match_rule loose = {.rtol = 0.05, .atol = 0}, tight = {.rtol = 0.01, .atol = 0}, absolute = {.rtol = 0, .atol = 0.11};
	assert_true(compare(a, F32, y, ref, &loose).ok);
	assert_true(compare(a, F32, y, ref, &absolute).ok);
	match m = compare(a, F32, y, ref, &tight);
	assert_false(m.ok);
	assert_int_equal(m.n_wrong, 1);
	assert_int_equal(m.worst[0], 3);
	arena_free(a);
}

static void test_types_and_shapes(void **unused)
{
	(void)unused;
	static const float data[N] = {1, 2, 3, 4};
	arena *a = arena_new("test");
	match_rule rule = match_rule_of(F32, false);
	tensor *flat = tensor_new(a, F32, 1, (int64_t[]){4}, data), *square = tensor_new(a, F32, 2, (int64_t[]){2, 2}, data);
	tensor *ints = tensor_new(a, I32, 1, (int64_t[]){4}, data);
	assert_false(tensor_match(a, flat, square, &rule).ok);
	assert_false(tensor_match(a, ints, flat, &rule).ok);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floats),       cmocka_unit_test(test_integers_are_equal), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_element_wise), cmocka_unit_test(test_types_and_shapes),
	};
	return RUN_TESTS(tests);
}
