#include "tests/unit/unit.h"

#include "support/arena.h"
#include "support/diag.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void places_are_printed(void **state)
{
	(void)state;
	static const struct {
		diag_at at;
		const char *text;
	} rows[] = {
		{{.node = -1}, "dlcc: error: bad\n"},
		{{.file = "m.onnx", .node = -1}, "m.onnx: error: bad\n"},
		{{.file = "m.onnx"}, "m.onnx: error: bad\n"},
		{{.file = "m.onnx", .node = 17, .node_name = "layer3/pool", .op = "MaxPool"},
		 "m.onnx: node 17 \"layer3/pool\" (MaxPool): error: bad\n"},
		{{.file = "m.onnx", .node = 0, .node_name = "", .op = "Relu"}, "m.onnx: node 0 (Relu): error: bad\n"},
		{{.file = "m.onnx", .node = 2, .node_name = "x\"\n\x1b", .op = "A\r"},
		 "m.onnx: node 2 \"x\\\"\\n\\x1b\" (A\\x0d): error: bad\n"},
		{{.file = "g.ir", .line = 12, .column = 5, .node = -1}, "g.ir:12:5: error: bad\n"},
		{{.file = "g.ir", .line = 12, .node = 3, .op = "Relu"}, "g.ir:12: error: bad\n"},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		assert_string_equal(diag_text(d), "");
		diag_error(d, rows[r].at, "b%cd", 'a');
		assert_string_equal(diag_text(d), rows[r].text);
		assert_int_equal(diag_error_count(d), 1);
		arena_free(a);
	}
}

static void repeated_messages_are_shown_once_with_their_hints(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	FILE *out = tmpfile();
	assert_non_null(out);
	diag *d = diag_new(a, out);
	for (int i = 0; i < 3; i++) {
		diag_warning(d, DIAG_FILE("m"), "odd");
		diag_note(d, "it is %d", 7);
		diag_error(d, DIAG_LINE("m", 1 + i / 2, 1), "bad");
		diag_hint(d, "try %s", "this");
	}
	const char *expected = "m: warning: odd\n  note: it is 7\n"
			       "m:1:1: error: bad\n  hint: try this\n"
			       "m:2:1: error: bad\n  hint: try this\n";
	assert_string_equal(diag_text(d), expected);
	assert_int_equal(diag_error_count(d), 2);
	char printed[400] = {0};
	rewind(out);
	assert_int_equal(fread(printed, 1, sizeof printed - 1, out), strlen(expected));
	assert_string_equal(printed, expected);
	fclose(out);
	arena_free(a);
}

static void too_many_errors_are_only_counted(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	for (int i = 0; i < 1000; i++) {
		diag_error(d, DIAG_NOWHERE, "number %d", i);
		diag_hint(d, "of many");
	}
	assert_int_equal(diag_error_count(d), 1000);
	int lines = 0;
	for (const char *p = diag_text(d); (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 2 * DIAG_MAX_ERRORS + 1);
	assert_non_null(strstr(diag_text(d), "number 199\n"));
	assert_null(strstr(diag_text(d), "number 200\n"));
	arena_free(a);
}

static void import_node(diag *d, int node)
{
	if (node % 2)
		diag_abandon(d, (diag_at){.file = "m", .node = node, .op = "Odd"}, "node is %d", node);
}

/* Abandons the odd nodes of a body; true if none was. */
static bool import_body(diag *d, int n)
{
	volatile bool good = true;
	for (volatile int i = 0; i < n; i++) {
		if (diag_guard(d)) {
			import_node(d, i);
			diag_pop_guard(d);
		} else {
			good = false;
		}
	}
	return good;
}

static void abandoning_returns_to_the_innermost_guard(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	volatile int abandoned = 0;
	if (diag_guard(d)) {
		assert_true(import_body(d, 1));
		assert_false(import_body(d, 4));
		import_node(d, 5);
		fail();
	} else {
		abandoned++;
	}
	assert_int_equal(abandoned, 1);
	assert_string_equal(diag_text(d), "m: node 1 (Odd): error: node is 1\n"
					  "m: node 3 (Odd): error: node is 3\n"
					  "m: node 5 (Odd): error: node is 5\n");
	assert_int_equal(diag_error_count(d), 3);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_printed),
		cmocka_unit_test(repeated_messages_are_shown_once_with_their_hints),
		cmocka_unit_test(too_many_errors_are_only_counted),
		cmocka_unit_test(abandoning_returns_to_the_innermost_guard),
	};
	return RUN_TESTS(tests);
}
