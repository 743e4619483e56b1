/* --cpu with one name and with several. */
#include "tests/unit/unit.h"

#include "backend/backend.h"
#include "driver/cpus.h"
#include "runtime/dlrt.h"

#include <string.h>

enum { MAX_WORDS = 6 };

static cpu_list parse(arena *a, const char *const *words, diag *d)
{
	char *argv[MAX_WORDS + 2] = {arena_strdup(a, "dlcc")};
	options *o = new(a, options);
	int argc = 1;
	for (; argc <= MAX_WORDS && words[argc - 1]; argc++)
		argv[argc] = arena_strdup(a, words[argc - 1]);
	assert_true(options_parse(o, a, argc, argv, d));
	return cpus_of(o, d);
}

#define X86 "--target=x86_64-linux-gnu"
#define ARM "--target=arm64-linux-gnu"

/* What is found, in order, or the error. */
static const struct { const char *words[MAX_WORDS], *cpus[4], *error; } lines[] = {
	{{"m.onnx", X86}, {"x86-64-v3"}, NULL},
	{{"m.onnx", ARM}, {"armv8-a"}, NULL},
	{{"m.onnx", X86, "--cpu=x86-64-v4"}, {"x86-64-v4"}, NULL},
	{{"m.onnx", "--cpu=x86-64-v3,x86-64-v4"}, {"x86-64-v3", "x86-64-v4"}, NULL},
	{{"m.onnx", X86, "--cpu=x86-64-v4,x86-64,x86-64-v3"}, {"x86-64", "x86-64-v3", "x86-64-v4"}, NULL},
	{{"m.onnx", ARM, "--cpu=neoverse-v2,armv8.2-a"}, {"armv8.2-a", "neoverse-v2"}, NULL},
	{{"m.onnx", "--cpu=z80"}, {NULL}, "unknown CPU 'z80'"},
	{{"m.onnx", "--cpu=x86-64,z80,x86-64-v3"}, {NULL}, "unknown CPU 'z80'"},
	{{"m.onnx", "--cpu=x86-64,"}, {NULL}, "unknown CPU ''"},
	{{"m.onnx", "--cpu=,"}, {NULL}, "unknown CPU ''"},
	{{"m.onnx", "--cpu=x86-64,x86-64-v3,x86-64"}, {NULL}, "--cpu names x86-64 twice"},
	{{"m.onnx", "--cpu=x86-64-v3,armv8-a"}, {NULL}, "--cpu: x86-64-v3 is x86_64, but armv8-a is aarch64"},
	{{"m.onnx", ARM, "--cpu=armv8-a,x86-64"}, {NULL}, "the CPU x86-64 is x86_64, but --target says arm64-linux-gnu"},
	{{"m.onnx", "--cpu=neoverse-n1,armv8.2-a"}, {NULL}, "code for armv8.2-a would never run beside that for neoverse-n1"},
	{{"m.onnx", "--cpu=x86-64-v3,x86-64-v4", "--features=+avx512vnni"}, {NULL}, "--features is for one CPU"},
	{{"run", "m.onnx", "--cpu=x86-64-v3,z80"}, {NULL}, "unknown CPU 'z80'"},
};

static void test_lines(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_ROWS(lines); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		cpu_list l = parse(a, lines[i].words, d);
		if (lines[i].error && !strstr(diag_text(d), lines[i].error))
			fail_msg("line %zu: '%s' instead of '%s'", i, diag_text(d), lines[i].error);
		assert_int_equal(diag_error_count(d) != 0, lines[i].error != NULL);
		int n = 0;
		for (; lines[i].cpus[n]; n++) {
			assert_true(n < l.n);
			assert_string_equal(l.v[n]->name, lines[i].cpus[n]);
		}
		assert_int_equal(l.n, n);
		arena_free(a);
	}
}

/* `run`, `test` and `bench` compile for what the runtime would take of an object. */
static void test_here(void **unused)
{
	(void)unused;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	bool intel = !strcmp(target_find("native")->arch, "x86_64");
	const char *list = intel ? "--cpu=x86-64,x86-64-v3,x86-64-v4" : "--cpu=armv8-a,armv8.2-a";
	cpu_list all = parse(a, (const char *const[]){"m.onnx", list, NULL}, d);
	cpu_list one = parse(a, (const char *const[]){"run", "m.onnx", list, NULL}, d);
	const target *best = NULL;
	for (int i = 0; i < all.n; i++)
		if (!(all.v[i]->required & ~dlrt_cpu_features()))
			best = all.v[i];
	assert_int_equal(one.n, 1);
	assert_ptr_equal(one.v[0], best);

	/* None does: what is missing is for the runtime to say. */
	one = parse(a, (const char *const[]){"run", "m.onnx", intel ? "--cpu=armv8.2-a,armv8-a" : "--cpu=x86-64-v4,x86-64-v3", NULL}, d);
	assert_int_equal(one.n, 1);
	assert_string_equal(one.v[0]->name, intel ? "armv8-a" : "x86-64-v3");
	assert_int_equal(diag_error_count(d), 0);
	arena_free(a);
}

#define BIT(feature) (UINT64_C(1) << DLRT_CPU_##feature)

/* What is added has to be there when the model runs. */
static void test_features(void **unused)
{
	static const struct { const char *option; uint64_t more, less; } rows[] = {
		{"--features=+avx512vnni", BIT(AVX512VNNI), 0},
		{"--features=+avx512vnni,+gfni,-f16c", BIT(AVX512VNNI) | BIT(GFNI), BIT(F16C)},
		{"--features=-fma,+fma", 0, 0},
		{"--features=+prefer-256-bit", 0, 0},
		{"--features=,+gfni,", BIT(GFNI), 0},
	};
	(void)unused;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	const target *v3 = target_find("x86-64-v3");
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		cpu_list l = parse(a, (const char *const[]){"m.onnx", X86, "--cpu=x86-64-v3", rows[i].option, NULL}, d);
		assert_int_equal(l.n, 1);
		assert_true(l.v[0]->required == ((v3->required | rows[i].more) & ~rows[i].less));
		assert_non_null(strstr(l.v[0]->features, strchr(rows[i].option, '=') + 1));
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_here), cmocka_unit_test(test_features)};
	return RUN_TESTS(tests);
}
