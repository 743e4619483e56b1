/* The accuracy of the mathematical functions against libm in double precision, over all exponents, on every target the host can run,
 * and their special values. */
#include "tests/unit/backend/compiled.h"

#include "support/half.h"

#include <math.h>

enum { N = 1 << 18 };

static float x[N], y[N], out[N];

static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

#define MAX_ANGLE 1e5

typedef struct row {
	const char *name;
	double (*reference)(double);
	double max_ulp;
	double lo, hi;   /* where it is measured */
} row;

/* clang-format off */
static const row rows[] = {
	{"exp",     exp,     2.0, -104, 89},
	{"log",     log,     2.0, 0, 3.4e38},
	{"tanh",    tanh,    6.0, -20, 20},
	{"erf",     erf,     2.0, -10, 10},
	{"sigmoid", sigmoid, 4.0, -87, 90},
	{"sin",     sin,     2.0, -MAX_ANGLE, MAX_ANGLE},
	{"cos",     cos,     2.0, -MAX_ANGLE, MAX_ANGLE},
	{"tan",     tan,     4.0, -MAX_ANGLE, MAX_ANGLE},
	{"asin",    asin,    4.0, -1, 1},
	{"acos",    acos,    4.0, -1, 1},
	{"atan",    atan,    4.0, -1e30, 1e30},
	{"sinh",    sinh,    4.0, -89, 89},
	{"cosh",    cosh,    4.0, -89, 89},
	{"asinh",   asinh,   5.0, -1e38, 1e38},
	{"acosh",   acosh,   5.0, 1, 1e38},
	{"atanh",   atanh,   5.0, -1, 1},
	{"sqrt",    sqrt,    0.51, 0, 3.4e38},
	{"abs",     fabs,    0.51, -3e38, 3e38},
};
/* clang-format on */

static double ulp_of(double v)
{
	float f = (float)fabs(v);
	if (!isfinite(f))
		return 0x1p104;
	return fmax((double)nextafterf(f, INFINITY) - (double)f, 0x1p-149);
}

static void fill(float *to, double lo, double hi, uint32_t seed)
{
	for (int i = 0; i < N; i++) { /* half over all bit patterns, half evenly between small bounds */
		uint32_t r = (uint32_t)i * 2654435761u + seed;
		if (i % 2) {
			to[i] = f32_from_bits(r);
			if (to[i] >= (float)lo && to[i] <= (float)hi)
				continue;
		}
		double near_lo = fmax(lo, -100), near_hi = fmin(hi, 100);
		to[i] = (float)(near_lo + (near_hi - near_lo) * (r / 4294967296.0));
	}
}

static void check_row(const target *t, const row *r, bool vector)
{
	char text[400];
	snprintf(text, sizeof text,
		"program @p\ndim N = 1..\nkernel @k(x: f32[N] align 4, out y: f32[N] align 4) {\n"
		"  %s i < N {\n    y[i] = %s(x[i])\n  }\n}\n", vector ? "vector" : "for", r->name);
	compiled c = compile_text(text, (compile_options){.target = t, .opt = 2});
	int64_t dims[] = {N - 3};
	fill(x, r->lo, r->hi, 12345);
	function_of(&c, "k")((void *[]){x, out}, dims, 0, 0);
	double worst = 0, at = 0;
	for (int i = 0; i < N - 3; i++) {
		double expected = r->reference(x[i]), error = fabs((double)out[i] - expected) / ulp_of(expected);
		if (isnan(expected) || isinf((float)expected))
			error = (isnan(expected) ? isnan(out[i]) : out[i] == (float)expected) ? 0 : 1e9;
		if (error > worst || isnan(error)) {
			worst = error;
			at = x[i];
		}
	}
	if (getenv("VERBOSE"))
		printf("%-12s %-8s %s %.2f ulp at %.9g\n", t->name, r->name, vector ? "vector" : "scalar", worst, at);
	if (!(worst <= r->max_ulp))
		fail_msg("%s: %s is off by %g ulp at %.9g", t->name, r->name, worst, at);

	static const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 1e-42f, -1e-42f, 3.4e38f, -3.4e38f, 2.0f};
	int n = (int)N_ROWS(specials);
	float results[N_ROWS(specials)];
	dims[0] = n;
	function_of(&c, "k")((void *[]){(void *)(uintptr_t)specials, results}, dims, 0, 0);
	for (int i = 0; i < n; i++) {
		double expected = r->reference(specials[i]);
		if (isfinite(specials[i]) && fabs(specials[i]) > r->hi && r->hi == MAX_ANGLE)
			continue;
		bool same = isnan(expected) ? isnan(results[i])
		                            : fabs(results[i] - expected) <= r->max_ulp * ulp_of(expected) || results[i] == (float)expected;
		if (!same || (expected == 0 && !signbit(expected) != !signbit(results[i])))
			fail_msg("%s: %s(%g) is %g, not %g", t->name, r->name, specials[i], results[i], expected);
	}
	compiled_free(&c);
}

static void test_unary(void **state)
{
	(void)state;
	for (int t = 0; t < target_count(); t++)
		for (size_t i = 0; i < N_ROWS(rows) && host_runs(target_at(t)); i++)
			for (int vector = 0; vector < 2; vector++)
				check_row(target_at(t), &rows[i], vector);
}

static void test_pow(void **state)
{
	(void)state;
	static const char text[] =
		"program @p\ndim N = 1..\nkernel @k(x: f32[N] align 4, y: f32[N] align 4, out z: f32[N] align 4) {\n"
		"  vector i < N {\n    z[i] = pow(x[i], y[i])\n  }\n}\n";
	static const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 2.0f, -2.0f, 3.0f, -3.0f, 0.5f, -0.5f,
		1e-42f, 3e38f, -3e38f, 16777217.0f, 1e10f, -7.0f, 2.5f};
	for (int t = 0; t < target_count(); t++) {
		if (!host_runs(target_at(t)))
			continue;
		compiled c = compile_text(text, (compile_options){.target = target_at(t), .opt = 2});
		fill(x, 0, 1e38, 1);
		fill(y, -30, 30, 777);
		int n = 0;
		for (size_t i = 0; i < N_ROWS(specials); i++)
			for (size_t j = 0; j < N_ROWS(specials); j++, n++) {
				x[n] = specials[i];
				y[n] = specials[j];
			}
		function_of(&c, "k")((void *[]){x, y, out}, (int64_t[]){N}, 0, 0);
		double worst = 0;
		for (int i = 0; i < N; i++) {
			double expected = pow(x[i], y[i]);
			float rounded = (float)expected;
			double error = fabs(out[i] - expected) / ulp_of(expected);
			if (isnan(expected) || isinf(rounded) || rounded == 0)
				error = (isnan(expected) ? isnan(out[i]) : out[i] == rounded && !signbit(out[i]) == !signbit(rounded)) ? 0 : 1e9;
			if (error > 2)
				fail_msg("%s: pow(%.9g, %.9g) is %.9g, not %.9g", target_at(t)->name, x[i], y[i], out[i], expected);
			worst = fmax(worst, error);
		}
		if (getenv("VERBOSE"))
			printf("%-12s pow %.2f ulp\n", target_at(t)->name, worst);
		compiled_free(&c);
	}
}

/* A vector computes what a scalar does, bit for bit: the remainder of a loop cannot be told from the rest. */
static void test_lengths_agree(void **state)
{
	(void)state;
	for (int t = 0; t < target_count(); t++) {
		if (!host_runs(target_at(t)))
			continue;
		compiled c = compile_text(
			"program @p\ndim N = 1..\n"
			"kernel @v(x: f32[N] align 4, out y: f32[N] align 4) {\n"
			"  vector i < N {\n    y[i] = exp(x[i]) + tanh(x[i])*sigmoid(x[i])\n  }\n}\n"
			"kernel @s(x: f32[N] align 4, out y: f32[N] align 4) {\n"
			"  for i < N {\n    y[i] = exp(x[i]) + tanh(x[i])*sigmoid(x[i])\n  }\n}\n",
			(compile_options){.target = target_at(t), .opt = 2});
		fill(x, -110, 95, 99);
		function_of(&c, "v")((void *[]){x, out}, (int64_t[]){N - 5}, 0, 0);
		function_of(&c, "s")((void *[]){x, y}, (int64_t[]){N - 5}, 0, 0);
		assert_memory_equal(out, y, (N - 5) * sizeof *y);
		compiled_free(&c);
	}
}

static void test_double(void **state)
{
	(void)state;
	compiled c = compile_text(
		"program @p\ndim N = 1..\n"
		"kernel @k(x: f64[N] align 8, out y: f64[N*4] align 8) {\n"
		"  vector i < N {\n"
		"    y[i*4] = exp(x[i])\n    y[i*4 + 1] = sigmoid(x[i])\n    y[i*4 + 2] = pow(x[i], x[i])\n    y[i*4 + 3] = erf(x[i])\n"
		"  }\n}\n", (compile_options){.target = target_find("native"), .opt = 2});
	double in[37], results[37 * 4];
	for (int i = 0; i < 37; i++)
		in[i] = i / 4.0;
	function_of(&c, "k")((void *[]){in, results}, (int64_t[]){37}, 0, 0);
	for (int i = 0; i < 37; i++) {
		assert_true(results[4 * i] == exp(in[i]));
		assert_true(fabs(results[4 * i + 1] - sigmoid(in[i])) < 1e-15);
		assert_true(results[4 * i + 2] == pow(in[i], in[i]));
		assert_true(results[4 * i + 3] == erf(in[i]));
	}
	compiled_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_pow),
		cmocka_unit_test(test_lengths_agree),
		cmocka_unit_test(test_double),
	};
	return RUN_TESTS(tests);
}
