#include "tests/unit/unit.h"

#include "passes/verify_text.h"

#include <string.h>

/* What a parser and a printer may make of a text. */
static const char *same(arena *a, const char *text, diag *d)
{
	(void)d;
	return arena_printf(a, "%s", text);
}

static const char *without_last(arena *a, const char *text, diag *d)
{
	(void)d;
	size_t n = strlen(text);
	return arena_strndup(a, text, n ? n - 1 : 0);
}

static const char *fails(arena *a, const char *text, diag *d)
{
	(void)a, (void)text;
	diag_error(d, DIAG_LINE("graph", 3, 4), "no such op");
	return NULL;
}

static const char *read_text;

static const char *keeps(arena *a, const char *text, diag *d)
{
	read_text = text;
	return same(a, text, d);
}

static void accepts_what_reads_back(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	const char *why = NULL;
	assert_true(verify_text("a\nb\n", a, same, &why));
	assert_true(verify_text("", a, same, &why));
	assert_true(verify_text("no newline", a, same, &why));
	arena_free(a);
}

static void tells_the_line_that_differs(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	const char *why = NULL;
	assert_false(verify_text("one\ntwo", a, without_last, &why));
	assert_non_null(strstr(why, "line 2:\ntwo\ntw"));
	assert_false(verify_text("one\ntwo\n3", a, without_last, &why));
	assert_non_null(strstr(why, "line 3"));
	arena_free(a);
}

static void tells_what_the_parser_says(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	const char *why = NULL;
	assert_false(verify_text("x", a, fails, &why));
	assert_non_null(strstr(why, "graph:3:4: error: no such op"));
	arena_free(a);
}

/* Elements behind a digest are not compared, as they are not in the text; all else of the line is. */
static void reads_digests_as_zeros(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	const char *why = NULL;
	assert_true(verify_text("  const %\"a = b\": f32[99] = digest(0x12) @group %3\nx = digest(0x12)\n", a, keeps, &why));
	assert_string_equal(read_text, "  const %\"a = b\": f32[99] = splat(0) @group %3\nx = digest(0x12)\n");
	assert_false(verify_text("const %a: f32[99] = digest(0x12)\n12", a, without_last, &why));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_what_reads_back),
		cmocka_unit_test(tells_the_line_that_differs),
		cmocka_unit_test(tells_what_the_parser_says),
		cmocka_unit_test(reads_digests_as_zeros),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
