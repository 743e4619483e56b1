/* Which bodies of code --cpu and --dim ask for, and what they are called. */
#include "tests/unit/unit.h"

#include "driver/bodies.h"

#include <string.h>

static const int64_t ones[] = {1}, sizes[] = {32, 128, 8}, many[] = {1, 2, 3, 4, 5, 6};

#define LISTED(n, v) {.name = n, .lo = 0, .hi = 512, .values = v, .n_values = N_ROWS(v)}
#define BOUNDED(n) {.name = n, .lo = 0, .hi = 512}

/* With the CPUs x86-64-v3 and x86-64-v4, or the first of them. */
static const struct { int n_cpus; dim_range dims[3]; int n_dims; const char *names[12], *error; } rows[] = {
	{1, {{0}}, 0, {"x86-64-v3"}, NULL},
	{2, {BOUNDED("seq")}, 1, {"x86-64-v3", "x86-64-v4"}, NULL},
	{1, {LISTED("seq", sizes)}, 1, {"x86-64-v3", "x86-64-v3-seq_32", "x86-64-v3-seq_128", "x86-64-v3-seq_8"}, NULL},
	{2, {BOUNDED("m"), LISTED("batch size", ones), LISTED("seq", sizes)}, 3,
	 {"x86-64-v3", "x86-64-v3-batch_size_1-seq_32", "x86-64-v3-batch_size_1-seq_128", "x86-64-v3-batch_size_1-seq_8",
	  "x86-64-v4", "x86-64-v4-batch_size_1-seq_32", "x86-64-v4-batch_size_1-seq_128", "x86-64-v4-batch_size_1-seq_8"}, NULL},
	{1, {LISTED("a", sizes), LISTED("b", many)}, 2, {NULL}, "the values of --dim have 18 combinations; at most 16 are possible"},
	{2, {LISTED("a", sizes), LISTED("b", sizes)}, 2, {NULL},
	 "the values of --dim have 9 combinations, which makes 18 bodies for 2 CPUs; at most 16 are possible"},
};

static void test_rows(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		const target *cpus[] = {target_find("x86-64-v3"), target_find("x86-64-v4")};
		int n = rows[i].n_cpus * (1 + bodies_sizes(rows[i].dims, rows[i].n_dims)), k = 0;
		assert_int_equal(bodies_check(rows[i].dims, rows[i].n_dims, rows[i].n_cpus, d), !rows[i].error);
		if (rows[i].error && !strstr(diag_text(d), rows[i].error))
			fail_msg("row %zu: %s", i, diag_text(d));
		const body *b = bodies_of(a, cpus, rows[i].n_cpus, rows[i].dims, rows[i].n_dims);
		for (; rows[i].names[k]; k++) {
			assert_true(k < n);
			assert_string_equal(body_name(a, &b[k]), rows[i].names[k]);
		}
		assert_true(rows[i].error || k == n);
		arena_free(a);
	}
}

static void test_titles(void **unused)
{
	(void)unused;
	arena *a = arena_new("test");
	const target *cpu = target_find("x86-64-v3");
	const body *b = bodies_of(a, &cpu, 1, rows[3].dims, rows[3].n_dims);
	assert_string_equal(body_title(a, &b[0]), "x86-64-v3");
	assert_string_equal(body_title(a, &b[2]), "x86-64-v3, batch size = 1, seq = 128");
	assert_null(body_sizes(a, &b[0]));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_titles)};
	return RUN_TESTS(tests);
}
