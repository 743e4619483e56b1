/* The code of kernels: every form of access, remainders of every length, reductions, storage types and operators, compared
 * with C on each target that the host can run, in memory that ends at a guard page. */
#include "tests/unit/backend/compiled.h"

#include "support/half.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

static void for_each_target(const char *text, void (*check)(compiled *c))
{
	for (int i = 0; i < target_count(); i++)
		for (int opt = 0; opt <= 2 && host_runs(target_at(i)); opt += 2) {
			compiled c = compile_text(text, (compile_options){.target = target_at(i), .opt = opt});
			check(&c);
			compiled_free(&c);
		}
}

enum { MAX_N = 150 };

/* ---- forms of access ------------------------------------------------------------------------------------------------- */

static const char accesses[] =
	"program @p\n"
	"dim N = 1..\n"
	"kernel @plain(x: f32[N] align 4, out y: f32[N] align 4) {\n"
	"  vector i < N {\n"
	"    y[i] = x[i] + x[N - 1 - i] * x[0]\n"
	"  }\n"
	"}\n"
	"kernel @lanes12(x: f32[N] align 4, out y: f32[N] align 4) {\n"
	"  vector i < N lanes 12 {\n"
	"    y[N - 1 - i] = x[i]\n"
	"  }\n"
	"}\n"
	"kernel @strided(x: f32[N*3] align 4, out y: f32[N*2] align 4) {\n"
	"  vector i < N {\n"
	"    y[i*2] = x[i*3]\n"
	"    y[i*2 + 1] = x[i*2] - x[i*2 + 1]\n"
	"  }\n"
	"}\n"
	"kernel @columns(x: f32[N*N] align 4, out y: f32[N] align 4) {\n"
	"  for j < N {\n"
	"    vector i < N {\n"
	"      y[i] = x[i*N + j] + x[j*N + i]\n"
	"    }\n"
	"  }\n"
	"}\n"
	"kernel @gather(x: f32[N] align 4, i: i64[N] align 8, out y: f32[N] align 4) {\n"
	"  vector k < N {\n"
	"    y[k] = x[k / 3] + x[min(k + k % 7, N - 1)]\n"
	"  }\n"
	"}\n"
	"kernel @bytes(x: i8[N] align 1, h: i16[N*2] align 2, out y: u8[N] align 1, out z: i64[N] align 8) {\n"
	"  vector k < N {\n"
	"    y[k] = cast<u8>(x[k / 3] + x[N - 1 - k])\n"
	"    z[k] = cast<i64>(h[k*2]) + [k*5]\n"
	"  }\n"
	"}\n";

static float *floats(guarded *g, int n)
{
	float *x = (float *)(void *)g->data;
	for (int i = 0; i < n; i++)
		x[i] = (float)((i * 7919 + 13) % 1000) / 16 - 20;
	return x;
}

static void check_accesses(compiled *c)
{
	for (int n = 1; n <= MAX_N; n += n < 70 ? 1 : 13) {
		int64_t dims[] = {n};
		size_t un = (size_t)n;
		guarded gx = guarded_new(3 * un * 4), gy = guarded_new(2 * un * 4), gs = guarded_new(un * un * 4);
		float *x = floats(&gx, 3 * n), *y = (float *)(void *)gy.data, *square = floats(&gs, n * n);

		float *tail = x + 2 * n; /* n elements at the page */
		float *out = y + n;
		function_of(c, "plain")((void *[]){tail, out}, dims, 0, 0);
		for (int i = 0; i < n; i++)
			assert_true(fabsf(out[i] - (tail[i] + tail[n - 1 - i] * tail[0])) < 1e-3f);

		function_of(c, "lanes12")((void *[]){tail, out}, dims, 0, 0);
		for (int i = 0; i < n; i++)
			assert_true(out[n - 1 - i] == tail[i]);

		function_of(c, "strided")((void *[]){x, y}, dims, 0, 0);
		for (int i = 0; i < n; i++) {
			assert_true(y[2 * i] == x[3 * i]);
			assert_true(y[2 * i + 1] == x[2 * i] - x[2 * i + 1]);
		}

		function_of(c, "columns")((void *[]){square, out}, dims, 0, 0);
		for (int i = 0; i < n; i++)
			assert_true(out[i] == square[i * n + n - 1] + square[(n - 1) * n + i]);

		function_of(c, "gather")((void *[]){tail, NULL, out}, dims, 0, 0);
		for (int k = 0; k < n; k++) {
			int at = k + k % 7 < n - 1 ? k + k % 7 : n - 1;
			assert_true(out[k] == tail[k / 3] + tail[at]);
		}

		guarded gb = guarded_new(un), gh = guarded_new(2 * un * 2), gu = guarded_new(un), gz = guarded_new(un * 8);
		int8_t *bytes = (int8_t *)gb.data;
		int16_t *halves = (int16_t *)(void *)gh.data;
		uint8_t *u = gu.data;
		int64_t *z = (int64_t *)(void *)gz.data;
		for (int i = 0; i < n; i++)
			bytes[i] = (int8_t)(i * 37 + 5);
		for (int i = 0; i < 2 * n; i++)
			halves[i] = (int16_t)(i * 3001 - 7);
		function_of(c, "bytes")((void *[]){bytes, halves, u, z}, dims, 0, 0);
		for (int k = 0; k < n; k++) {
			assert_int_equal(u[k], (uint8_t)(bytes[k / 3] + bytes[n - 1 - k]));
			assert_int_equal(z[k], halves[2 * k] + 5 * k);
		}
		guarded *all[] = {&gx, &gy, &gs, &gb, &gh, &gu, &gz};
		for (size_t i = 0; i < N_ROWS(all); i++)
			guarded_free(all[i]);
	}
}

static void test_accesses(void **state)
{
	(void)state;
	for_each_target(accesses, check_accesses);
}

/* ---- constant extents ------------------------------------------------------------------------------------------------ */

static void test_constant_extents(void **state)
{
	(void)state;
	for (int t = 0; t < target_count(); t++) {
		if (!host_runs(target_at(t)))
			continue;
		for (int n = 1; n <= MAX_N; n += n < 70 ? 1 : 13) {
			char text[600];
			snprintf(text, sizeof text,
				"program @p\n"
				"kernel @k(x: f32[%d] align 4, out y: f32[%d] align 4, out s: f32[1]) {\n"
				"  var sum = 0.5\n"
				"  vector i < %d reduce(sum: add) {\n"
				"    y[i] = x[i] * 2.0\n"
				"    sum = sum + x[i]\n"
				"  }\n"
				"  s[0] = sum\n"
				"}\n", n, n, n);
			compiled c = compile_text(text, (compile_options){.target = target_at(t), .opt = 2});
			guarded gx = guarded_new((size_t)n * 4), gy = guarded_new((size_t)n * 4);
			float *x = floats(&gx, n), *y = (float *)(void *)gy.data, sum = 0;
			double expected = 0.5;
			function_of(&c, "k")((void *[]){x, y, &sum}, NULL, 0, 0);
			for (int i = 0; i < n; i++) {
				assert_true(y[i] == 2 * x[i]);
				expected += x[i];
			}
			assert_true(fabs(sum - expected) < 1e-2);
			guarded_free(&gx);
			guarded_free(&gy);
			compiled_free(&c);
		}
	}
}

/* ---- reductions and locals ------------------------------------------------------------------------------------------- */

static const char reductions[] =
	"program @p\n"
	"dim N = 0..\n"
	"kernel @r(x: f32[N] align 4, i: i32[N] align 4, out f: f32[4], out n: i32[4]) {\n"
	"  var sum = 1.0\n"
	"  var product = 1.0\n"
	"  var low = inf\n"
	"  var high = -inf\n"
	"  var isum: i32 = 0:i32\n"
	"  var ilow: i32 = 2147483647:i32\n"
	"  var iand: i32 = -1:i32\n"
	"  var ior: i32 = 0:i32\n"
	"  vector k < N reduce(sum: add, product: mul, low: min, high: max, isum: add, ilow: min, iand: and, ior: or) {\n"
	"    let v = x[k]\n"
	"    var twice = v\n"
	"    for j < 3 {\n"
	"      twice = twice + v\n"
	"    }\n"
	"    sum = sum + twice\n"
	"    product = product * (1.0 + v * 0.001)\n"
	"    low = min(low, v)\n"
	"    high = max(high, v)\n"
	"    isum = isum + i[k]\n"
	"    ilow = min(ilow, i[k])\n"
	"    iand = iand & i[k]\n"
	"    ior = ior | i[k]\n"
	"  }\n"
	"  f[0] = sum\n"
	"  f[1] = product\n"
	"  f[2] = low\n"
	"  f[3] = high\n"
	"  n[0] = isum\n"
	"  n[1] = ilow\n"
	"  n[2] = iand\n"
	"  n[3] = ior\n"
	"}\n";

static void check_reductions(compiled *c)
{
	for (int n = 0; n <= MAX_N; n += n < 70 ? 1 : 13) {
		int64_t dims[] = {n};
		guarded gx = guarded_new((size_t)n * 4), gi = guarded_new((size_t)n * 4);
		float *x = floats(&gx, n), f[4];
		int32_t *in = (int32_t *)(void *)gi.data, out[4];
		double sum = 1, product = 1, low = INFINITY, high = -INFINITY;
		int32_t isum = 0, ilow = INT32_MAX, iand = -1, ior = 0;
		for (int i = 0; i < n; i++) {
			in[i] = (i * 1237 + 100) % 3001 | 64;
			sum += 4 * x[i];
			product *= 1 + x[i] * 0.001;
			low = fmin(low, x[i]);
			high = fmax(high, x[i]);
			isum += in[i];
			ilow = in[i] < ilow ? in[i] : ilow;
			iand &= in[i];
			ior |= in[i];
		}
		function_of(c, "r")((void *[]){x, in, f, out}, dims, 0, 0);
		assert_true(fabs(f[0] - sum) < 0.1 && fabs(f[1] - product) < 1e-3 * product);
		assert_true(f[2] == low && f[3] == high);
		assert_true(out[0] == isum && out[1] == ilow && out[2] == iand && out[3] == ior);
		if (n) { /* NaN anywhere is the largest and the smallest */
			x[n / 2] = NAN;
			function_of(c, "r")((void *[]){x, in, f, out}, dims, 0, 0);
			assert_true(isnan(f[0]) && isnan(f[2]) && isnan(f[3]));
		}
		guarded_free(&gx);
		guarded_free(&gi);
	}
}

static void test_reductions(void **state)
{
	(void)state;
	for_each_target(reductions, check_reductions);
}

/* ---- choose ---------------------------------------------------------------------------------------------------------- */

/* x has N - 5 elements, t one per row; every other element would fault. */
static const char guards[] =
	"program @p\n"
	"dim N = 6..\n"
	"kernel @pad(x: f32[N - 5] align 4, b: i8[N - 5] align 1, i: i64[N] align 8, out y: f32[N] align 4, out z: i8[N] align 1) {\n"
	"  vector k < N {\n"
	"    y[k] = choose([k] >= 2 & [k] < [N - 3], x[k - 2] + choose([k] >= 3, x[N - 3 - k], 1.0), 0.0)\n"
	"    z[k] = choose([k] < [N - 5], b[k], 9:i8)\n"
	"  }\n"
	"}\n"
	"kernel @rows(x: f32[N - 5] align 4, out y: f32[N] align 4) {\n"
	"  for r < N {\n"
	"    vector k < 1 {\n"
	"      y[r + k] = choose([r] >= 5, x[r - 5], -1.0)\n"
	"    }\n"
	"  }\n"
	"}\n"
	"kernel @empty(x: f32[N - 6] align 4, f: f32[N] align 4, out y: f32[N] align 4) {\n"
	"  vector k < N {\n"
	"    y[k] = choose([N] > 6 & f[k] > 1000.0, x[0] + x[N - 7 - min(k, N - 7)], f[k])\n"
	"  }\n"
	"}\n";

static void check_guards(compiled *c)
{
	for (int n = 6; n <= MAX_N; n += n < 70 ? 1 : 13) {
		int64_t dims[] = {n};
		size_t un = (size_t)n;
		guarded gx = guarded_new((un - 5) * 4), gb = guarded_new(un - 5), gy = guarded_new(un * 4), gz = guarded_new(un);
		guarded gf = guarded_new(un * 4), gn = guarded_new(0);
		float *x = floats(&gx, n - 5), *y = (float *)(void *)gy.data, *f = floats(&gf, n);
		int8_t *b = (int8_t *)gb.data, *z = (int8_t *)gz.data;
		for (int i = 0; i < n - 5; i++)
			b[i] = (int8_t)(i + 20);
		function_of(c, "pad")((void *[]){x, b, NULL, y, z}, dims, 0, 0);
		for (int k = 0; k < n; k++) {
			float expected = k >= 2 && k < n - 3 ? x[k - 2] + (k >= 3 ? x[n - 3 - k] : 1.0f) : 0.0f;
			assert_true(y[k] == expected);
			assert_int_equal(z[k], k < n - 5 ? b[k] : 9);
		}
		function_of(c, "rows")((void *[]){x, y}, dims, 0, 0);
		for (int k = 0; k < n; k++)
			assert_true(y[k] == (k >= 5 ? x[k - 5] : -1.0f));
		/* No lane is ever active, and x is not mapped. */
		function_of(c, "empty")((void *[]){gn.data, f, y}, dims, 0, 0);
		for (int k = 0; k < n; k++)
			assert_true(y[k] == f[k]);
		guarded *all[] = {&gx, &gb, &gy, &gz, &gf, &gn};
		for (size_t i = 0; i < N_ROWS(all); i++)
			guarded_free(all[i]);
	}
}

static void test_guards(void **state)
{
	(void)state;
	for_each_target(guards, check_guards);
}

/* ---- control flow, tiles, unrolling, arrays -------------------------------------------------------------------------- */

static const char control[] =
	"program @p\n"
	"dim N = 1..\n"
	"kernel @tiles(x: f32[N*8] align 4, out y: f32[N*8] align 4) parallel t < N {\n"
	"  array tmp: f32[8]\n"
	"  unroll u < 4 {\n"
	"    tmp[7 - u*2] = x[t*8 + u] * 2.0\n"
	"    tmp[6 - u*2] = x[t*8 + u + 4]\n"
	"  }\n"
	"  vector k < 8 {\n"
	"    y[t*8 + k] = tmp[k]\n"
	"  }\n"
	"}\n"
	"kernel @search(x: i64[N] align 8, out y: i64[1] align 8) {\n"
	"  var i: i64 = 0\n"
	"  var steps: i64 = 0\n"
	"  while (i < [N] & steps < 1000) {\n"
	"    if (i % 3 == 1) {\n"
	"      i = i + 2\n"
	"    } else {\n"
	"      i = i + 1\n"
	"    }\n"
	"    steps = steps + 1\n"
	"    prefetch x[N] 3\n"
	"  }\n"
	"  y[0] = steps\n"
	"}\n";

static void check_control(compiled *c)
{
	float x[80], y[80] = {0};
	for (int i = 0; i < 80; i++)
		x[i] = (float)i;
	int64_t dims[] = {10};
	function_of(c, "tiles")((void *[]){x, y}, dims, 3, 9);
	for (int t = 0; t < 10; t++)
		for (int k = 0; k < 8; k++) {
			float expected = k % 2 ? x[t * 8 + (7 - k) / 2] * 2 : x[t * 8 + (6 - k) / 2 + 4];
			assert_true(y[t * 8 + k] == (t >= 3 && t < 9 ? expected : 0));
		}
	int64_t steps = 0, in[10] = {0};
	function_of(c, "search")((void *[]){in, &steps}, dims, 0, 0);
	assert_int_equal(steps, 7); /* 0 1 3 4 6 7 9 */
}

static void test_control(void **state)
{
	(void)state;
	for_each_target(control, check_control);
}

/* ---- storage types --------------------------------------------------------------------------------------------------- */

static float decode(dtype t, uint32_t code)
{
	switch (t) {
	case F16: return f16_to_f32((uint16_t)code);
	case BF16: return bf16_to_f32((uint16_t)code);
	case F8E4M3FN: return f8e4m3fn_to_f32((uint8_t)code);
	case F8E4M3FNUZ: return f8e4m3fnuz_to_f32((uint8_t)code);
	case F8E5M2: return f8e5m2_to_f32((uint8_t)code);
	case F8E5M2FNUZ: return f8e5m2fnuz_to_f32((uint8_t)code);
	case F8E8M0: return f8e8m0_to_f32((uint8_t)code);
	default: return f4e2m1_to_f32((uint8_t)code);
	}
}

static uint32_t encode(dtype t, float x)
{
	switch (t) {
	case F16: return f16_from_f32(x);
	case BF16: return bf16_from_f32(x);
	case F8E4M3FN: return f8e4m3fn_from_f32(x, true);
	case F8E4M3FNUZ: return f8e4m3fnuz_from_f32(x, true);
	case F8E5M2: return f8e5m2_from_f32(x, true);
	case F8E5M2FNUZ: return f8e5m2fnuz_from_f32(x, true);
	case F8E8M0: return f8e8m0_from_f32(x, F8E8M0_UP, true);
	default: return f4e2m1_from_f32(x);
	}
}

static uint32_t element(const uint8_t *data, int bits, int i)
{
	if (bits == 16)
		return (uint32_t)(data[2 * i] | data[2 * i + 1] << 8);
	return bits == 8 ? data[i] : (uint32_t)(data[i * bits / 8] >> (i * bits % 8)) & ((1u << bits) - 1);
}

enum { CODES = 65536, SAMPLES = 1 << 16 };

static uint8_t codes[2 * CODES];
static float decoded[CODES], samples[SAMPLES];
static uint8_t encoded[2 * SAMPLES];

static void check_narrow_float(const target *t, dtype type)
{
	char text[500];
	int bits = dtype_table[type].bits, n = bits == 16 ? CODES : 257;
	snprintf(text, sizeof text,
		"program @p\n"
		"dim N = 1..\n"
		"kernel @from(x: %s[N], out y: f32[N]) {\n"
		"  vector i < N {\n"
		"    y[i] = x[i]\n"
		"  }\n"
		"}\n"
		"kernel @to(x: f32[N], out y: %s[N]) {\n"
		"  vector i < N {\n"
		"    y[i] = x[i]\n"
		"  }\n"
		"}\n", dtype_name(type), dtype_name(type));
	compiled c = compile_text(text, (compile_options){.target = t, .opt = 2});

	for (int i = 0; i < n; i++) {
		if (bits == 16) {
			codes[2 * i] = (uint8_t)i;
			codes[2 * i + 1] = (uint8_t)(i >> 8);
		} else {
			codes[i] = (uint8_t)(bits == 8 ? i : i * 7);
		}
	}
	int64_t dims[] = {n};
	function_of(&c, "from")((void *[]){codes, decoded}, dims, 0, 0);
	for (int i = 0; i < n; i++) {
		float expected = decode(type, element(codes, bits, i));
		if (isnan(expected) ? !isnan(decoded[i]) : f32_bits(expected) != f32_bits(decoded[i]))
			fail_msg("%s %s: code %d is %g, not %g", t->name, dtype_name(type), i, decoded[i], expected);
	}

	for (int i = 0; i < SAMPLES; i++) /* every exponent and sign, ties among them */
		samples[i] = f32_from_bits((uint32_t)i << 16 | (i % 5 == 0 ? 0u : i % 5 == 1 ? 0x8000u : (uint32_t)i * 40503u % 65536u));
	dims[0] = SAMPLES;
	function_of(&c, "to")((void *[]){samples, encoded}, dims, 0, 0);
	for (int i = 0; i < SAMPLES; i++) {
		uint32_t expected = encode(type, samples[i]), got = element(encoded, bits, i);
		bool both_nan = isnan(decode(type, expected)) && isnan(decode(type, got));
		if (expected != got && !both_nan)
			fail_msg("%s %s: %a becomes %#x, not %#x", t->name, dtype_name(type), samples[i], got, expected);
	}
	compiled_free(&c);
}

static void test_narrow_floats(void **state)
{
	(void)state;
	static const dtype types[] = {F16, BF16, F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ, F8E8M0, F4E2M1};
	for (int t = 0; t < target_count(); t++)
		for (size_t i = 0; i < N_ROWS(types) && host_runs(target_at(t)); i++)
			check_narrow_float(target_at(t), types[i]);
}

static const char packed[] =
	"program @p\n"
	"dim N = 1..\n"
	"kernel @load(a: i4[N], b: u4[N], c: i2[N], d: u2[N], out y: i32[N*4] align 4, out z: i32[N] align 4) {\n"
	"  vector i < N {\n"
	"    y[i] = cast<i32>(a[i])\n"
	"    y[N + i] = cast<i32>(b[i])\n"
	"    y[2*N + i] = cast<i32>(c[i])\n"
	"    y[3*N + i] = cast<i32>(d[N - 1 - i])\n"
	"    z[i] = cast<i32>(a[i / 2]) + cast<i32>(choose([i] > 2, b[i - 1], 0:u8))\n"
	"  }\n"
	"}\n"
	"kernel @store(x: i32[N] align 4, out a: i4[N], out d: u2[N], x2: bool[N] align 1, out q: bool[N] align 1) {\n"
	"  vector i < N {\n"
	"    a[i] = cast<i8>(x[i])\n"
	"    d[N - 1 - i] = cast<u8>(x[i])\n"
	"    q[i] = not(x2[i])\n"
	"  }\n"
	"}\n";

static int sign_extend(uint32_t code, int bits)
{
	return (int)(code << (32 - bits)) >> (32 - bits);
}

static void check_packed(compiled *c)
{
	for (int n = 1; n <= 70; n++) {
		int64_t dims[] = {n};
		guarded g4 = guarded_new((size_t)(n + 1) / 2), g2 = guarded_new((size_t)(n + 3) / 4);
		guarded h4 = guarded_new((size_t)(n + 1) / 2), h2 = guarded_new((size_t)(n + 3) / 4);
		int32_t y[4 * 70], z[70], x[70];
		bool flags[70], flipped[70];
		for (int i = 0; i < (n + 1) / 2; i++)
			g4.data[i] = (uint8_t)(i * 73 + 41);
		for (int i = 0; i < (n + 3) / 4; i++)
			g2.data[i] = (uint8_t)(i * 91 + 27);
		function_of(c, "load")((void *[]){g4.data, g4.data, g2.data, g2.data, y, z}, dims, 0, 0);
		for (int i = 0; i < n; i++) {
			assert_int_equal(y[i], sign_extend(element(g4.data, 4, i), 4));
			assert_int_equal(y[n + i], element(g4.data, 4, i));
			assert_int_equal(y[2 * n + i], sign_extend(element(g2.data, 2, i), 2));
			assert_int_equal(y[3 * n + i], element(g2.data, 2, n - 1 - i));
			assert_int_equal(z[i], sign_extend(element(g4.data, 4, i / 2), 4) + (i > 2 ? (int)element(g4.data, 4, i - 1) : 0));
			x[i] = i * 5 - 3;
			flags[i] = i % 3 == 0;
		}
		function_of(c, "store")((void *[]){x, h4.data, h2.data, flags, flipped}, dims, 0, 0);
		for (int i = 0; i < n; i++) {
			assert_int_equal(element(h4.data, 4, i), x[i] & 15);
			assert_int_equal(element(h2.data, 2, n - 1 - i), x[i] & 3);
			assert_int_equal(flipped[i], !flags[i]);
		}
		guarded *all[] = {&g4, &g2, &h4, &h2};
		for (size_t i = 0; i < N_ROWS(all); i++)
			guarded_free(all[i]);
	}
}

static void test_packed(void **state)
{
	(void)state;
	for_each_target(packed, check_packed);
}

/* ---- --sanitize ------------------------------------------------------------------------------------------------------ */

static bool dies(kernel_function *f, void *const *buffers, const int64_t *dims)
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		f(buffers, dims, 0, 0);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status);
}

static void test_sanitize(void **state)
{
	(void)state;
	static const char text[] =
		"program @p\n"
		"dim N = 1..\n"
		"dim M = 1..\n"
		"kernel @copy(x: f32[N] align 4, out y: f32[N] align 4) {\n"
		"  vector i < M {\n"
		"    y[i] = choose([i] < [N + 1000], x[i], 0.0)\n"
		"  }\n"
		"}\n"
		"kernel @one(x: f32[N] align 4, out y: f32[N] align 4) {\n"
		"  y[0] = x[M]\n"
		"}\n";
	compiled c = compile_text(text, (compile_options){.target = target_find("native"), .opt = 2, .sanitize = true});
	static float x[64], y[64];
	kernel_function *copy = function_of(&c, "copy"), *one = function_of(&c, "one");
	assert_false(dies(copy, (void *[]){x, y}, (int64_t[]){37, 37}));
	assert_true(dies(copy, (void *[]){x, y}, (int64_t[]){37, 38}));
	assert_false(dies(one, (void *[]){x, y}, (int64_t[]){37, 36}));
	assert_true(dies(one, (void *[]){x, y}, (int64_t[]){37, 37}));
	compiled_free(&c);
}

/* ---- a register tile ------------------------------------------------------------------------------------------------- */

/* rows x vectors accumulators, k unrolled by 4: C[rows, n] = A[rows, K] * B[K, n]. */
static char *tile_text(arena *a, int rows, int columns)
{
	str s = str_new(a);
	str_addf(&s, "program @p\ndim K = 1..\n"
		"kernel @tile(a: f32[%d*K*4], b: f32[K*4*%d], out c: f32[%d]) {\n  vector j < %d lanes %d {\n", rows, columns,
		rows * columns, columns, columns);
	for (int r = 0; r < rows; r++)
		str_addf(&s, "    var s%d = 0.0\n", r);
	str_add(&s, "    for k < K {\n      unroll u < 4 {\n");
	str_addf(&s, "        let v = b[(k*4 + u)*%d + j]\n", columns);
	for (int r = 0; r < rows; r++)
		str_addf(&s, "        s%d = fma(a[%d*K*4 + k*4 + u], v, s%d)\n", r, r, r);
	str_add(&s, "      }\n    }\n");
	for (int r = 0; r < rows; r++)
		str_addf(&s, "    c[%d + j] = s%d\n", r * columns, r);
	str_add(&s, "  }\n}\n");
	return s.data;
}

static bool touches_stack_with_vectors(const char *assembly)
{
	for (const char *at = assembly; (at = strstr(at, "(%rsp)")); at++) {
		const char *line = at;
		while (line > assembly && line[-1] != '\n')
			line--;
		char text[200];
		snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
		if (strstr(text, "mov") && (strstr(text, "xmm") || strstr(text, "ymm") || strstr(text, "zmm")))
			return true;
	}
	return false;
}

static void test_tiles_stay_in_registers(void **state)
{
	(void)state;
	enum { K = 12 };
	for (int i = 0; i < target_count(); i++) {
		const target *t = target_at(i);
		if (!host_runs(t))
			continue;
		for (const tile_shape *tile = t->gemm; tile->rows; tile++) {
			arena *a = arena_new("tile");
			int columns = tile->vectors * target_lanes(t, F32), rows = tile->rows;
			compiled c = compile_text(tile_text(a, rows, columns), (compile_options){.target = t, .opt = 2, .assembly = true});
			if (t->arch[0] == 'x' && touches_stack_with_vectors(c.assembly))
				fail_msg("%s: tile %dx%d spills:\n%s", t->name, rows, tile->vectors, getenv("VERBOSE") ? c.assembly : "");
			float *x = calloc((size_t)(rows * K * 4), 4), *w = aligned_alloc(64, (size_t)(K * 4 * columns) * 4);
			float *y = aligned_alloc(64, (size_t)(rows * columns * 4 + 63) / 64 * 64);
			for (int j = 0; j < rows * K * 4; j++)
				x[j] = (float)(j % 17 - 8);
			for (int j = 0; j < K * 4 * columns; j++)
				w[j] = (float)(j % 23 - 11);
			function_of(&c, "tile")((void *[]){x, w, y}, (int64_t[]){K}, 0, 0);
			for (int r = 0; r < rows; r++)
				for (int j = 0; j < columns; j++) {
					float sum = 0;
					for (int k = 0; k < K * 4; k++)
						sum += x[r * K * 4 + k] * w[k * columns + j];
					assert_true(y[r * columns + j] == sum);
				}
			free(x);
			free(w);
			free(y);
			compiled_free(&c);
			arena_free(a);
		}
	}
}

/* ---- targets --------------------------------------------------------------------------------------------------------- */

static void test_targets(void **state)
{
	(void)state;
	assert_null(target_find("pdp11"));
	assert_ptr_equal(target_fold(), target_find("x86-64"));
	for (int i = 0; i < target_count(); i++) {
		const target *t = target_at(i);
		assert_ptr_equal(target_find(t->name), t);
		assert_non_null(target_default(t->arch));
		for (const tile_shape *s = t->gemm; s->rows; s++) /* one broadcast, one vector per column (NEON: lanes of A) */
			assert_true(s->rows * s->vectors + s->vectors + 1 <= t->vector_regs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_constant_extents),
		cmocka_unit_test(test_reductions),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_narrow_floats),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_sanitize),
		cmocka_unit_test(test_tiles_stay_in_registers),
	};
	return RUN_TESTS(tests);
}
