/* Every operator on the values where it is easy to be wrong, against C, for all pairs, vector and scalar. */
#include "tests/unit/backend/compiled.h"

#include <math.h>

/* ---- floats ---------------------------------------------------------------------------------------------------------- */

static const float floats[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, -0.5f, 1.5f, 2.5f, -2.5f, 0.7f, -0.7f, 3.0f, 8388607.5f, 1e10f,
	-1e10f, 3e38f, INFINITY, -INFINITY, NAN, 1e-42f, 2147483648.0f, 255.0f, -129.0f};
enum { N_FLOATS = N_ROWS(floats) };

static float f_add(float a, float b) { return a + b; }
static float f_sub(float a, float b) { return a - b; }
static float f_mul(float a, float b) { return a * b; }
static float f_div(float a, float b) { return a / b; }
static float f_min(float a, float b) { return isnan(a) ? a : isnan(b) ? b : a < b ? a : b; }
static float f_max(float a, float b) { return isnan(a) ? a : isnan(b) ? b : a > b ? a : b; }
static float f_max_0(float a, float b) { (void)b; return isnan(a) ? a : a > 0 ? a : 0; }
static float f_min_6(float a, float b) { (void)b; return isnan(a) ? a : a < 6 ? a : 6; }
static float f_rem(float a, float b) { return fmodf(a, b); }
static float f_mod(float a, float b)
{
	float r = fmodf(a, b);
	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static float f_neg(float a, float b) { (void)b; return -a; }
static float f_floor(float a, float b) { (void)b; return floorf(a); }
static float f_ceil(float a, float b) { (void)b; return ceilf(a); }
static float f_round(float a, float b) { (void)b; return rintf(a); }
static float f_trunc(float a, float b) { (void)b; return truncf(a); }
static float f_sign(float a, float b) { (void)b; return a > 0 ? 1.0f : a < 0 ? -1.0f : a; }
static float f_lt(float a, float b) { return a < b; }
static float f_ge(float a, float b) { return a >= b; }
static float f_eq(float a, float b) { return a == b; }
static float f_ne(float a, float b) { return a != b; }
static float f_nan(float a, float b) { (void)b; return isnan(a) != 0; }
static float f_select(float a, float b) { return a < b ? b : 7.0f; }
static float f_pow3(float a, float b) { (void)b; return a * a * a; }
static float f_bool(float a, float b) { (void)b; return a != 0; }
static float saturate(float a, double lo, double hi) { return isnan(a) ? 0 : (float)trunc(fmin(fmax((double)a, lo), hi)); }
static float f_i8(float a, float b) { (void)b; return saturate(a, -128, 127); }
static float f_u8(float a, float b) { (void)b; return saturate(a, 0, 255); }
static float f_i32(float a, float b) { (void)b; return saturate(a, -2147483648.0, 2147483647.0); }
static float f_i64(float a, float b) { (void)b; return isnan(a) ? 0 : a >= 0x1p63f ? 0x1p63f : a < -0x1p63f ? -0x1p63f : truncf(a); }

static const struct { const char *text; float (*f)(float, float); } float_rows[] = {
	{"a + b", f_add}, {"a - b", f_sub}, {"a * b", f_mul}, {"a / b", f_div}, {"min(a, b)", f_min}, {"max(a, b)", f_max},
	{"max(a, 0.0)", f_max_0}, {"min(6.0, a)", f_min_6}, {"rem(a, b)", f_rem}, {"a % b", f_mod}, {"-a", f_neg}, {"floor(a)", f_floor},
	{"ceil(a)", f_ceil}, {"round(a)", f_round}, {"trunc(a)", f_trunc}, {"sign(a)", f_sign}, {"cast<f32>(a < b)", f_lt},
	{"cast<f32>(a >= b)", f_ge}, {"cast<f32>(a == b)", f_eq}, {"cast<f32>(a != b)", f_ne}, {"cast<f32>(isnan(a))", f_nan},
	{"select(a < b, b, 7.0)", f_select}, {"pow(a, 3.0)", f_pow3}, {"cast<f32>(cast<bool>(a))", f_bool},
	{"cast<f32>(cast<i8>(a))", f_i8}, {"cast<f32>(cast<u8>(a))", f_u8}, {"cast<f32>(cast<i32>(a))", f_i32},
	{"cast<f32>(cast<i64>(a))", f_i64}, {"bitcast<f32>(bitcast<i32>(a))", NULL},
};

/* One kernel per row: z[i] = f(x[i], y[i]). */
static char *kernels_text(arena *a, const char *type, const char *const *rows, int n, bool vector)
{
	str s = str_new(a);
	str_add(&s, "program @p\ndim N = 1..\n");
	for (int i = 0; i < n; i++) {
		str_addf(&s, "kernel @k%d(x: %s[N] align 1, y: %s[N] align 1, out z: %s[N] align 1) {\n  %s i < N {\n", i, type, type, type,
			vector ? "vector" : "for");
		str_addf(&s, "    let a: %s = x[i]\n    let b: %s = y[i]\n    z[i] = %s\n  }\n}\n", type, type, rows[i]);
	}
	return s.data;
}

static void test_floats(void **state)
{
	(void)state;
	enum { ROWS = N_ROWS(float_rows), PAIRS = N_FLOATS * N_FLOATS };
	const char *texts[ROWS];
	for (int r = 0; r < ROWS; r++)
		texts[r] = float_rows[r].text;
	static float x[PAIRS], y[PAIRS], z[PAIRS];
	for (int i = 0; i < PAIRS; i++) {
		x[i] = floats[i / N_FLOATS];
		y[i] = floats[i % N_FLOATS];
	}
	for (int t = 0; t < 2 * target_count(); t++) {
		const target *on = target_at(t / 2);
		if (!host_runs(on))
			continue;
		arena *a = arena_new("ops");
		compiled c = compile_text(kernels_text(a, "f32", texts, ROWS, t % 2), (compile_options){.target = on, .opt = 2});
		for (int r = 0; r < ROWS; r++) {
			char name[16];
			snprintf(name, sizeof name, "k%d", r);
			function_of(&c, name)((void *[]){x, y, z}, (int64_t[]){PAIRS}, 0, 0);
			for (int i = 0; i < PAIRS; i++) {
				float expected = float_rows[r].f ? float_rows[r].f(x[i], y[i]) : x[i];
				bool same = isnan(expected) ? isnan(z[i]) : z[i] == expected;
				bool zero_sign = strstr(texts[r], "m") == NULL && expected == 0; /* min, max, rem, cmp: either zero */
				if (!same || (zero_sign && !strstr(texts[r], "cast") && !signbit(z[i]) != !signbit(expected)))
					fail_msg("%s: %s of %g, %g is %g, not %g", on->name, texts[r], x[i], y[i], z[i], expected);
			}
		}
		compiled_free(&c);
		arena_free(a);
	}
}

/* ---- integers -------------------------------------------------------------------------------------------------------- */

static const int64_t integers[] = {0, 1, -1, 2, -2, 3, 7, -7, 8, 31, 32, 63, 64, 100, 127, -128, 128, 255, 32767, INT32_MAX,
	INT32_MIN, INT64_MAX, INT64_MIN, 12345678901};
enum { N_INTEGERS = N_ROWS(integers) };

typedef struct int_type { const char *name; int bits; bool is_signed; } int_type;
static const int_type int_types[] = {{"i8", 8, true}, {"i16", 16, true}, {"i32", 32, true}, {"i64", 64, true}, {"u8", 8, false},
	{"u32", 32, false}, {"u64", 64, false}};

/* x as a number of the type, in the low bits of an int64. */
static int64_t wrap(const int_type *t, uint64_t x)
{
	int up = 64 - t->bits;
	return t->is_signed ? (int64_t)(x << up) >> up : (int64_t)(x << up >> up);
}

enum { DIV, MOD, REM, SHL, SHR, MIN, MAX, LT, ABS, SIGN, NOT, POW, ADD, MUL, AND, XOR, DIV3, N_INT_ROWS };
static const char *const int_rows[N_INT_ROWS] = {
	[DIV] = "a / b", [MOD] = "a % b", [REM] = "rem(a, b)", [SHL] = "shl(a, b)", [SHR] = "shr(a, b)", [MIN] = "min(a, b)",
	[MAX] = "max(a, b)", [LT] = "cast<%s>(a < b)", [ABS] = "abs(a)", [SIGN] = "sign(a)", [NOT] = "not(a)", [POW] = "pow(a, b)",
	[ADD] = "a + b", [MUL] = "a * b", [AND] = "a & b", [XOR] = "a ^ b", [DIV3] = "a / 3:%s",
};

static uint64_t int_division(const int_type *t, int64_t a, int64_t b)
{
	if (b == 0)
		return 0;
	if (!t->is_signed)
		return (uint64_t)a / (uint64_t)b;
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}

static uint64_t int_power(const int_type *t, int64_t a, int64_t n)
{
	if (t->is_signed && n < 0)
		return a == 1 ? 1 : a == -1 ? (n % 2 ? UINT64_MAX : 1) : 0;
	uint64_t r = 1, square = (uint64_t)a;
	for (uint64_t left = (uint64_t)n; left; left >>= 1, square *= square)
		r = left & 1 ? r * square : r;
	return r;
}

static uint64_t int_reference(const int_type *t, int row, int64_t a, int64_t b)
{
	uint64_t ua = (uint64_t)a, ub = (uint64_t)b, q = int_division(t, a, b);
	bool less = t->is_signed ? a < b : ua < ub, inside = wrap(&(int_type){"", t->bits, false}, ub) < t->bits && b >= 0;
	uint64_t rem = b == 0 ? 0 : ua - q * ub;
	switch (row) {
	case DIV: return q;
	case DIV3: return int_division(t, a, 3);
	case REM: return rem;
	case MOD: return t->is_signed && rem && ((int64_t)rem < 0) != (b < 0) ? rem + ub : rem;
	case SHL: return inside ? ua << b : 0;
	case SHR: return !inside ? 0 : t->is_signed ? (uint64_t)(a >> b) : ua >> b;
	case MIN: return less ? ua : ub;
	case MAX: return less ? ub : ua;
	case LT: return less;
	case ABS: return t->is_signed && a < 0 ? -ua : ua;
	case SIGN: return a == 0 ? 0 : t->is_signed && a < 0 ? UINT64_MAX : 1;
	case NOT: return ~ua;
	case POW: return int_power(t, a, b);
	case ADD: return ua + ub;
	case MUL: return ua * ub;
	case AND: return ua & ub;
	default: return ua ^ ub;
	}
}

static void check_integers(const target *on, const int_type *t, bool vector)
{
	enum { PAIRS = N_INTEGERS * N_INTEGERS };
	arena *a = arena_new("ops");
	const char *rows[N_INT_ROWS];
	for (int r = 0; r < N_INT_ROWS; r++) {
		const char *hole = strstr(int_rows[r], "%s");
		rows[r] = hole ? arena_printf(a, "%.*s%s%s", (int)(hole - int_rows[r]), int_rows[r], t->name, hole + 2) : int_rows[r];
	}
	compiled c = compile_text(kernels_text(a, t->name, rows, N_INT_ROWS, vector), (compile_options){.target = on, .opt = 2});
	size_t bytes = (size_t)t->bits / 8;
	unsigned char *x = calloc(PAIRS, bytes), *y = calloc(PAIRS, bytes), *z = calloc(PAIRS, bytes);
	for (int i = 0; i < PAIRS; i++) { /* little endian */
		memcpy(x + (size_t)i * bytes, &integers[i / N_INTEGERS], bytes);
		memcpy(y + (size_t)i * bytes, &integers[i % N_INTEGERS], bytes);
	}
	for (int r = 0; r < N_INT_ROWS; r++) {
		char name[16];
		snprintf(name, sizeof name, "k%d", r);
		function_of(&c, name)((void *[]){x, y, z}, (int64_t[]){PAIRS}, 0, 0);
		for (int i = 0; i < PAIRS; i++) {
			uint64_t got = 0;
			memcpy(&got, z + (size_t)i * bytes, bytes);
			int64_t p = wrap(t, (uint64_t)integers[i / N_INTEGERS]), q = wrap(t, (uint64_t)integers[i % N_INTEGERS]);
			int64_t expected = wrap(t, int_reference(t, r, p, q));
			if (wrap(t, got) != expected)
				fail_msg("%s %s: %s of %lld, %lld is %lld, not %lld", on->name, t->name, rows[r], (long long)p, (long long)q,
					(long long)wrap(t, got), (long long)expected);
		}
	}
	free(x);
	free(y);
	free(z);
	compiled_free(&c);
	arena_free(a);
}

static void test_integers(void **state)
{
	(void)state;
	for (int t = 0; t < target_count(); t++)
		for (size_t i = 0; i < N_ROWS(int_types) && host_runs(target_at(t)); i++)
			for (int vector = 0; vector < 2; vector++)
				check_integers(target_at(t), &int_types[i], vector);
}

/* ---- every row, every target ------------------------------------------------------------------------------------------ */

/* All targets, also those the host cannot run, get code for every kind of type. */
static void test_foreign_targets(void **state)
{
	(void)state;
	LLVMInitializeAllTargetInfos();
	LLVMInitializeAllTargets();
	LLVMInitializeAllTargetMCs();
	LLVMInitializeAllAsmPrinters();
	static const char text[] =
		"program @p\ndim N = 1..\n"
		"kernel @k(x: f16[N], i: i8[N], q: u4[N], out y: f32[N], out z: bf16[N]) {\n"
		"  var s = 0.0\n"
		"  vector k < N reduce(s: add) {\n"
		"    let v = exp(x[k]) + cast<f32>(i[N - 1 - k]) + choose([k] > 3, cast<f32>(q[k - 3]), sin(x[k]))\n"
		"    y[k] = v\n"
		"    z[k] = pow(v, x[k / 2])\n"
		"    s = s + v\n"
		"  }\n"
		"  y[0] = s\n"
		"}\n";
	for (int i = 0; i < target_count(); i++) {
		const target *t = target_at(i);
		arena *a = arena_new("foreign");
		emit_options o = {.target = t, .opt = 2};
		LLVMContextRef context = LLVMContextCreate();
		emit_module m = {.context = context, .options = &o, .program = parse_program(a, text), .a = a};
		char triple[64], *why = NULL;
		snprintf(triple, sizeof triple, "%s-unknown-linux-gnu", t->arch);
		LLVMTargetRef found = NULL;
		assert_false(LLVMGetTargetFromTriple(triple, &found, &why));
		m.machine = LLVMCreateTargetMachine(found, triple, t->llvm_cpu, t->features, LLVMCodeGenLevelDefault, LLVMRelocPIC,
			LLVMCodeModelDefault);
		m.layout = LLVMCreateTargetDataLayout(m.machine);
		m.module = LLVMModuleCreateWithNameInContext("test", context);
		LLVMSetTarget(m.module, triple);
		LLVMSetModuleDataLayout(m.module, m.layout);
		emit_kernel(&m, m.program->kernels.v[0], LLVMAddFunction(m.module, "k", emit_kernel_type(&m)));
		if (LLVMVerifyModule(m.module, LLVMReturnStatusAction, &why))
			fail_msg("%s: %s", t->name, why);
		LLVMDisposeMessage(why);
		assert_true(emit_optimise(&m, &why));
		LLVMMemoryBufferRef object = NULL;
		assert_false(LLVMTargetMachineEmitToMemoryBuffer(m.machine, m.module, LLVMAssemblyFile, &why, &object));
		assert_non_null(strstr(LLVMGetBufferStart(object), "k:"));
		assert_null(strstr(LLVMGetBufferStart(object), "__")); /* no helpers of a compiler's own library */
		LLVMDisposeMemoryBuffer(object);
		LLVMDisposeTargetData(m.layout);
		LLVMDisposeModule(m.module);
		LLVMDisposeTargetMachine(m.machine);
		LLVMContextDispose(context);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_foreign_targets),
	};
	return RUN_TESTS(tests);
}
