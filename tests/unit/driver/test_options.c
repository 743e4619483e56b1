#include "tests/unit/unit.h"

#include "driver/options.h"

#include <string.h>

enum { MAX_WORDS = 8 };

/* Each row is a command line behind "dlcc": good when `error` is NULL. */
static const struct { const char *words[MAX_WORDS]; const char *error; } lines[] = {
	{{"m.onnx"}, NULL},
	{{"m.onnx", "-o", "x.o"}, NULL},
	{{"-ox.o", "m.onnx"}, NULL},
	{{"m.onnx", "--emit", "ir"}, NULL},
	{{"m.onnx", "--emit=ir"}, NULL},
	{{"m.onnx", "--dump-ir"}, NULL},
	{{"m.onnx", "--dump-ir=fuse"}, NULL},
	{{"run", "m.onnx", "--input", "x=iota", "--threads=0"}, NULL},
	{{"test", "m.onnx", "set_0", "set_1", "--rtol=1e-3"}, NULL},
	{{"run", "--help"}, NULL},
	{{"--no-such-option", "--help"}, "unknown option '--no-such-option'"},
	{{NULL}, "no model given"},
	{{"m.onnx", "n.onnx"}, "one model at a time"},
	{{"m.onnx", "-o"}, "-o needs an argument"},
	{{"m.onnx", "--sanitise"}, "did you mean --sanitize?"},
	{{"m.onnx", "-gg"}, "unknown option '-gg'"},
	{{"m.onnx", "-O9"}, "-O9"},
	{{"m.onnx", "-O03"}, "-O03"},
	{{"m.onnx", "--rtol=1"}, "is no option of dlcc"},
	{{"bench", "m.onnx", "--rtol=1"}, "is no option of dlcc bench"},
	{{"test", "m.onnx", "--rtol=x"}, "'x' is no non-negative number"},
	{{"run", "m.onnx", "--repeat=-1"}, "'-1' is no count"},
	{{"run", "m.onnx", "--repeat=99999999999999999999"}, "is no count"},
	{{"m.onnx", "--dim", "N=2..1"}, "LO <= HI"},
	{{"m.onnx", "--dim", "=2"}, "NAME=N"},
	{{"m.onnx", "--dim", "N="}, "NAME=N"},
	{{"m.onnx", "--dim", "N=1..512@{32,128,512}", "--dim", "M=0..4@{0}"}, NULL},
	{{"m.onnx", "--dim", "N=1..512@"}, "values are listed as NAME=LO..HI@{N,...} with LO < HI"},
	{{"m.onnx", "--dim", "N=1..512@32"}, "values are listed as"},
	{{"m.onnx", "--dim", "N=1..512@{32"}, "values are listed as"},
	{{"m.onnx", "--dim", "N=32@{32}"}, "values are listed as"},
	{{"m.onnx", "--dim", "N=1..512@{}"}, "'' is no size"},
	{{"m.onnx", "--dim", "N=1..512@{32,}"}, "'' is no size"},
	{{"m.onnx", "--dim", "N=1..512@{32,x}"}, "'x' is no size"},
	{{"m.onnx", "--dim", "N=1..512@{3}2}"}, "'3}2' is no size"},
	{{"m.onnx", "--dim", "N=1..512@{32,513}"}, "513 is outside 1..512"},
	{{"m.onnx", "--dim", "N=1..512@{0}"}, "0 is outside 1..512"},
	{{"m.onnx", "--dim", "N=1..512@{32,8,32}"}, "lists 32 twice"},
	{{"m.onnx", "--dim", "N=1..512@{32}", "--dim", "N=1..512@{64}"}, "--dim names \"N\" twice"},
	{{"m.onnx", "--input", "x=f32"}, "NAME=TYPE"},
	{{"m.onnx", "--input", "x=f32[1,,2]"}, "is no dimension"},
	{{"m.onnx", "--input", "x=f32[1,2a]"}, "is no dimension"},
	{{"bench", "m.onnx", "--winograd=f2"}, NULL},
	{{"m.onnx", "--winograd=f3"}, "is none of off, f2, f4"},
	{{"m.onnx", "--report=html"}, NULL},
	{{"bench", "m.onnx", "--report=html", "-o", "x.html"}, NULL},
	{{"bench", "m.onnx", "-o", "x.html"}, "-o of dlcc bench names the file of --report"},
	{{"run", "m.onnx", "-o", "x.html"}, "is no option of dlcc run"},
	{{"m.onnx", "--report=xml"}, "neither json nor html"},
	{{"m.onnx", "--tuning=t.txt"}, NULL},
	{{"m.onnx", "--tuning=t.txt", "--tune"}, NULL},
	{{"bench", "m.onnx", "--tune=0.5"}, NULL},
	{{"m.onnx", "--tune"}, "--tune needs --tuning=FILE"},
	{{"bench", "m.onnx", "--tune=0"}, "'0' is no positive number of seconds"},
	{{"bench", "m.onnx", "--tune=long"}, "'long' is no positive number of seconds"},
	{{"bench", "m.onnx", "--tune", "-O0"}, "there is nothing to choose at -O0"},
};

static bool parse(options *o, arena *a, const char *const *words, diag *d)
{
	char *argv[MAX_WORDS + 2] = {arena_strdup(a, "dlcc")};
	int argc = 1;
	while (argc <= MAX_WORDS && words[argc - 1]) {
		argv[argc] = arena_strdup(a, words[argc - 1]);
		argc++;
	}
	return options_parse(o, a, argc, argv, d);
}

static void test_lines(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_ROWS(lines); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		options o;
		bool ok = parse(&o, a, lines[i].words, d);
		if (ok != !lines[i].error || (lines[i].error && !strstr(diag_text(d), lines[i].error)))
			fail_msg("row %zu (%s): %s", i, lines[i].words[0] ? lines[i].words[0] : "", diag_text(d));
		arena_free(a);
	}
}

static void test_fields(void **unused)
{
	(void)unused;
	static const char *const words[MAX_WORDS] = {"run", "--dim=N=1..8", "--input", "x=f16[2,N,3]", "--input=y=f.npy", "-O1", "m.onnx", NULL};
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	options o;
	assert_true(parse(&o, a, words, d));
	assert_int_equal(o.command, COMMAND_RUN);
	assert_string_equal(o.model, "m.onnx");
	assert_int_equal(o.opt, 1);
	assert_int_equal(o.dims.n, 1);
	assert_string_equal(o.dims.v[0].name, "N");
	assert_int_equal(o.dims.v[0].lo, 1);
	assert_int_equal(o.dims.v[0].hi, 8);
	assert_int_equal(o.shapes.n, 1);
	assert_int_equal(o.shapes.v[0].type, F16);
	assert_int_equal(o.shapes.v[0].rank, 3);
	assert_int_equal(o.shapes.v[0].dims[0].value, 2);
	assert_string_equal(o.shapes.v[0].dims[1].name, "N");
	assert_int_equal(o.sources.n, 1);
	assert_string_equal(o.sources.v[0].value, "f.npy");
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_fields)};
	return RUN_TESTS(tests);
}
