/* Tuning files: what is read, and what is written again. */
#include "tests/unit/unit.h"

#include "passes/tuning.h"

#include <string.h>

/* A file that is read as so many problems, or the error. */
static const struct { const char *text; int problems; const char *error; } files[] = {
	{"", 0, NULL},
	{"\n\n# nothing\n", 0, NULL},
	{"conv t f32 1 = direct", 1, NULL},
	{"  conv t f32 1 = direct vectors=12  \r\n#\n\tcontract t f32 ab,bc->ac = gemm\r\n", 2, NULL},
	{"conv t f32 1 = a_strategy_of_tomorrow2", 1, NULL},
	{"conv t f32 1 direct", 0, "t.txt:1: error: expected PROBLEM = STRATEGY"},
	{"#\n\nconv t f32 1=direct\n", 0, "t.txt:3: error: expected PROBLEM = STRATEGY"},
	{"conv t f32 1 = ", 0, "t.txt:1: error: expected PROBLEM = STRATEGY"},
	{"conv = direct", 0, "t.txt:1: error: expected a problem of conv or contract"},
	{"convolution t = direct", 0, "t.txt:1: error: expected a problem of conv or contract"},
	{" = direct", 0, "t.txt:1: error: expected PROBLEM = STRATEGY"},
	{"conv t = Direct", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct vectors=", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct vectors=03", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct vectors=3x", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct  vectors=3", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct vec", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct v", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct = gemm", 0, "t.txt:1: error: expected STRATEGY [vectors=N]"},
	{"conv t = direct\nconv u = direct\nconv t = direct\n", 0, "t.txt:3: error: the same problem as in line 1"},
};

static int lines_of(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_files(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_ROWS(files); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		tuning *t = tuning_new(a);
		bool ok = tuning_parse(t, "t.txt", files[i].text, strlen(files[i].text), d);
		assert_int_equal(ok, files[i].error == NULL);
		if (files[i].error && !strstr(diag_text(d), files[i].error))
			fail_msg("file %zu: '%s' instead of '%s'", i, diag_text(d), files[i].error);
		str s = str_new(a);
		tuning_print(&s, t, "head");
		if (ok)
			assert_int_equal(lines_of(s.data), 1 + files[i].problems);
		arena_free(a);
	}
}

/* Sorted, and what is measured replaces what was read. */
static void test_print(void **unused)
{
	(void)unused;
	static const char text[] = "conv t 2 = direct\n# lost\ncontract t 1 = gemm vectors=2\nconv t 1 = unheard_of\n";
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	tuning *t = tuning_new(a), *again = tuning_new(a);
	assert_true(tuning_parse(t, "t.txt", text, sizeof text - 1, d));
	assert_true(tuning_has(t, "conv t 2"));
	assert_false(tuning_has(t, "conv t"));
	tuning_put(t, "conv t 2", (choice){strategy_find("winograd4"), 3});
	tuning_put(t, "conv t 0", (choice){strategy_find("depthwise"), 0});
	str s = str_new(a), s2 = str_new(a);
	tuning_print(&s, t, "head");
	assert_string_equal(s.data, "# head\ncontract t 1 = gemm vectors=2\nconv t 0 = depthwise\nconv t 1 = unheard_of\nconv t 2 = winograd4 vectors=3\n");
	assert_true(tuning_parse(again, "t.txt", s.data, s.len, d));
	tuning_print(&s2, again, "head");
	assert_string_equal(s.data, s2.data);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_print),
	};
	return RUN_TESTS(tests);
}
