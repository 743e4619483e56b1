/* Mathematical functions, generated for a scalar or for all lanes of a vector.
 *
 * f32 functions are polynomials after a range reduction.  Largest errors with fused multiply-add, in units in the last place
 * (tests/unit/backend/test_vecmath.c measures them):
 *   exp 1.1   log 0.9   tanh 5   erf 1.1   sigmoid 2.3   sin, cos 1.5 (|x| < 1e6; then an absolute error of 1e-16 |x|)
 *   tan 3   asin, acos, atan 3   sinh, cosh 3   asinh, acosh, atanh 4   pow 2
 * Infinities, NaN, signed zeros and over- and underflow come out as in C.  Results on targets with and without fused
 * multiply-add differ in the last places; vector length makes no difference.
 * The common ones are inline; the rest are functions of the module, one per vector length.  f64 calls libm lane by lane.
 *
 * Sources: exp by Cody-Waite and a minimax polynomial (bench/); erf, log, sin and cos kernels after N. Juffa's published single
 * precision routines; asin, atan, sinh after Cephes; tanh after the rational approximation in Eigen. */
#include "backend/vecmath.h"

#include "support/diag.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define N_OF(table) ((int)(sizeof(table) / sizeof *(table)))

/* ---- shorthand -------------------------------------------------------------------------------------------------------- */

typedef LLVMValueRef value_ref;

static value_ref k(value_ref like, double x) { return cg_number(LLVMTypeOf(like), x); }
static value_ref add(code *c, value_ref x, value_ref y) { return LLVMBuildFAdd(c->b, x, y, ""); }
static value_ref sub(code *c, value_ref x, value_ref y) { return LLVMBuildFSub(c->b, x, y, ""); }
static value_ref mul(code *c, value_ref x, value_ref y) { return LLVMBuildFMul(c->b, x, y, ""); }
static value_ref divide(code *c, value_ref x, value_ref y) { return LLVMBuildFDiv(c->b, x, y, ""); }
static value_ref negate(code *c, value_ref x) { return LLVMBuildFNeg(c->b, x, ""); }
static value_ref absolute(code *c, value_ref x) { return cg_intrinsic1(c, "llvm.fabs", x); }
static value_ref square_root(code *c, value_ref x) { return cg_intrinsic1(c, "llvm.sqrt", x); }
static value_ref copy_sign(code *c, value_ref x, value_ref s) { return cg_intrinsic2(c, "llvm.copysign", x, s); }

static value_ref pick(code *c, value_ref cond, value_ref x, value_ref y)
{
	return LLVMBuildSelect(c->b, cond, x, y, "");
}

static value_ref compare(code *c, LLVMRealPredicate p, value_ref x, double y)
{
	return LLVMBuildFCmp(c->b, p, x, k(x, y), "");
}

/* NaN stays NaN, by the order of the operands. */
static value_ref at_least(code *c, value_ref x, double lo)
{
	return pick(c, LLVMBuildFCmp(c->b, LLVMRealOGT, k(x, lo), x, ""), k(x, lo), x);
}

static value_ref at_most(code *c, value_ref x, double hi)
{
	return pick(c, LLVMBuildFCmp(c->b, LLVMRealOLT, k(x, hi), x, ""), k(x, hi), x);
}

/* Coefficients from the highest power down. */
static value_ref polynomial(code *c, value_ref x, const double *coefficients, int n)
{
	value_ref p = k(x, coefficients[0]);
	for (int i = 1; i < n; i++)
		p = cg_fma(c, p, x, k(x, coefficients[i]));
	return p;
}
#define POLYNOMIAL(c, x, ...) \
	polynomial((c), (x), (const double[]){__VA_ARGS__}, N_OF(((const double[]){__VA_ARGS__})))

static value_ref as_float(code *c, value_ref bits)
{
	return LLVMBuildBitCast(c->b, bits, cg_shaped(cg_f32(c), bits), "");
}

static value_ref ki(value_ref like, int64_t x) { return cg_integer(LLVMTypeOf(like), x); }

/* ---- exp -------------------------------------------------------------------------------------------------------------- */

#define PI 3.141592653589793
#define ROUND_F32 12582912.0         /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
#define ROUND_F64 6755399441055744.0 /* 1.5 * 2^52 */
#define LOG2E 1.4426950408889634
#define LN2 0.6931471805599453
#define LN2_HIGH 0.693145751953125
#define LN2_LOW 1.428606765330187e-6

/* 1 + r + r^2/2 ..., |r| <= ln2 / 2 */
static value_ref exp_polynomial(code *c, value_ref r)
{
	return POLYNOMIAL(c, r, 0.00138436443, 0.00837416348, 0.0416680026, 0.166664312, 0.499999942, 1.00000003, 1.0);
}

/* x * 2^n for |n| < 250, in two factors so that results beyond the normal range round once. */
static value_ref scale_by_power(code *c, value_ref x, value_ref n)
{
	value_ref half = LLVMBuildAShr(c->b, n, ki(n, 1), ""), rest = LLVMBuildSub(c->b, n, half, "");
	value_ref factors[] = {half, rest};
	for (int i = 0; i < 2; i++) {
		value_ref biased = LLVMBuildAdd(c->b, factors[i], ki(n, 127), "");
		x = mul(c, x, as_float(c, LLVMBuildShl(c->b, biased, ki(n, 23), "")));
	}
	return x;
}

static value_ref scalef(code *c, value_ref x, value_ref n)
{
	int lanes = cg_lanes(LLVMTypeOf(x));
	value_ref args[] = {x, n, x, LLVMConstAllOnes(cg_int(c, lanes)), cg_i32(c, 4)}; /* 4: the current rounding */
	return cg_intrinsic(c, c->m->options->target->scalef, NULL, 0, args, 5);
}

/* x * 2^n for -127 < n <= 128: infinite where n is 128. */
static value_ref scale_by_one_power(code *c, value_ref x, value_ref n)
{
	return mul(c, x, as_float(c, LLVMBuildShl(c->b, LLVMBuildAdd(c->b, n, ki(n, 127), ""), ki(n, 23), "")));
}

/* exp(x) * 2^extra; `normal`: results below the normal range may be its least number, those above 2^127.5 infinite, which is less work
 * where no instruction scales. */
static value_ref exp_any_f32(code *c, value_ref x, int extra, bool normal)
{
	const target *t = c->m->options->target;
	normal = normal && !t->scalef;
	x = at_most(c, at_least(c, x, normal ? -87 : -104), normal ? 89 : 90);
	value_ref shifted = cg_fma(c, x, k(x, LOG2E), k(x, ROUND_F32));
	value_ref n = sub(c, shifted, k(x, ROUND_F32));
	value_ref r = cg_fma(c, n, k(x, -LN2_HIGH), x);
	r = cg_fma(c, n, k(x, -LN2_LOW), r);
	value_ref p = exp_polynomial(c, r);
	if (t->scalef && cg_lanes(LLVMTypeOf(x)) * 4 == t->vector_bytes)
		return scalef(c, p, extra ? add(c, n, k(x, extra)) : n);
	value_ref bits = cg_bitcast_int(c, shifted);
	float magic = (float)ROUND_F32;
	int32_t magic_bits;
	memcpy(&magic_bits, &magic, sizeof magic_bits);
	value_ref power = LLVMBuildSub(c->b, bits, ki(bits, magic_bits - extra), "");
	return normal ? scale_by_one_power(c, p, power) : scale_by_power(c, p, power);
}

static value_ref exp_f32(code *c, value_ref x, int extra)
{
	return exp_any_f32(c, x, extra, false);
}

static value_ref sigmoid(code *c, value_ref x, value_ref exp_of_minus_x)
{
	return divide(c, k(x, 1), add(c, exp_of_minus_x, k(x, 1)));
}

/* Below 1: x * (1 + x^2 ...); above, from t = e^|x| / 2. */
static value_ref sinh_f32(code *c, value_ref x)
{
	value_ref a = absolute(c, x), s = mul(c, x, x);
	value_ref small = POLYNOMIAL(c, s, 2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1);
	small = cg_fma(c, mul(c, small, s), x, x);
	value_ref t = exp_f32(c, a, -1);
	value_ref large = copy_sign(c, sub(c, t, divide(c, k(x, 0.25), t)), x);
	return pick(c, compare(c, LLVMRealOLT, a, 1), small, large);
}

static value_ref cosh_f32(code *c, value_ref x)
{
	value_ref t = exp_f32(c, absolute(c, x), -1);
	return add(c, t, divide(c, k(x, 0.25), t));
}

static value_ref tanh_f32(code *c, value_ref x)
{
	value_ref y = at_most(c, at_least(c, x, -7.90531110763549805), 7.90531110763549805), s = mul(c, y, y);
	value_ref p = POLYNOMIAL(c, s, -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
		5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03);
	value_ref q = POLYNOMIAL(c, s, 1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03);
	value_ref r = divide(c, mul(c, y, p), q);
	return pick(c, compare(c, LLVMRealOLT, absolute(c, x), 0.0004), x, r);
}

static value_ref erf_f32(code *c, value_ref x)
{
	value_ref t = absolute(c, x), s = mul(c, x, x);
	value_ref r = POLYNOMIAL(c, t, -1.72853470e-5, 3.83197126e-4);
	value_ref u = POLYNOMIAL(c, t, -3.88396438e-3, 2.42546219e-2);
	r = cg_fma(c, r, s, u);
	r = cg_fma(c, r, t, k(x, -1.06777877e-1));
	r = cg_fma(c, r, t, k(x, -6.34846687e-1));
	r = cg_fma(c, r, t, k(x, -1.28717512e-1));
	r = cg_fma(c, r, t, negate(c, t));
	value_ref large = copy_sign(c, sub(c, k(x, 1), exp_f32(c, r, 0)), x);
	value_ref small = POLYNOMIAL(c, s, -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1,
		1.28379166e-1);
	small = cg_fma(c, small, x, x);
	return pick(c, compare(c, LLVMRealOGT, t, 0.927734375), large, small);
}

/* ---- log -------------------------------------------------------------------------------------------------------------- */

/* x = m * 2^e with m in [2/3, 4/3); log x = e ln 2 + log1p(m - 1). */
static value_ref log_f32(code *c, value_ref x)
{
	value_ref tiny = compare(c, LLVMRealOLT, x, 0x1p-126);
	value_ref scaled = pick(c, tiny, mul(c, x, k(x, 0x1p23)), x);
	value_ref bits = cg_bitcast_int(c, scaled);
	value_ref e = LLVMBuildAnd(c->b, LLVMBuildSub(c->b, bits, ki(bits, 0x3f2aaaab), ""), ki(bits, 0xff800000), "");
	value_ref f = sub(c, as_float(c, LLVMBuildSub(c->b, bits, e, "")), k(x, 1));
	value_ref i = mul(c, LLVMBuildSIToFP(c->b, e, LLVMTypeOf(x), ""), k(x, 0x1p-23));
	i = pick(c, tiny, sub(c, i, k(x, 23)), i);

	value_ref s = mul(c, f, f);
	value_ref r = POLYNOMIAL(c, s, -0.130310059, -0.121483512, -0.166846126, -0.249996200);
	value_ref t = POLYNOMIAL(c, s, 0.140869141, 0.139814854, 0.200120345);
	r = cg_fma(c, t, f, r);
	r = cg_fma(c, r, f, k(x, 0.333331972));
	r = cg_fma(c, r, f, k(x, -0.5));
	r = cg_fma(c, r, s, f);
	r = cg_fma(c, i, k(x, LN2), r);

	/* inf and NaN are themselves; 0 gives -inf, and what is below 0 NaN. */
	r = pick(c, compare(c, LLVMRealULT, x, INFINITY), r, x);
	r = pick(c, compare(c, LLVMRealUEQ, x, 0), k(x, -INFINITY), r);
	r = pick(c, compare(c, LLVMRealOLT, x, 0), k(x, NAN), r);
	return pick(c, compare(c, LLVMRealUNO, x, 0), x, r);
}

/* ---- out of line ------------------------------------------------------------------------------------------------------ */

typedef value_ref make_body(code *c, const value_ref *x);

/* A call of the module's function "dlcc.<name>" for the operands' vector length, made when new. */
static value_ref call_shared(code *c, const char *name, make_body *make, value_ref *x, int n)
{
	char symbol[64];
	LLVMTypeRef t = LLVMTypeOf(x[0]);
	snprintf(symbol, sizeof symbol, "dlcc.%s.f32x%d", name, cg_lanes(t) ? cg_lanes(t) : 1);
	LLVMTypeRef type = LLVMFunctionType(t, (LLVMTypeRef[]){t, t}, (unsigned)n, 0);
	value_ref f = LLVMGetNamedFunction(c->m->module, symbol);
	if (!f) {
		f = LLVMAddFunction(c->m->module, symbol, type);
		LLVMSetLinkage(f, LLVMInternalLinkage);
		emit_function_attributes(c->m, f);
		code inside = {c->m, LLVMCreateBuilderInContext(c->m->context)};
		LLVMPositionBuilderAtEnd(inside.b, LLVMAppendBasicBlockInContext(c->m->context, f, "entry"));
		value_ref params[] = {LLVMGetParam(f, 0), n > 1 ? LLVMGetParam(f, 1) : NULL};
		LLVMBuildRet(inside.b, make(&inside, params));
		LLVMDisposeBuilder(inside.b);
	}
	return LLVMBuildCall2(c->b, type, f, x, (unsigned)n, "");
}

static value_ref make_log(code *c, const value_ref *x) { return log_f32(c, x[0]); }
static value_ref shared_log(code *c, value_ref x) { return call_shared(c, "log", make_log, &x, 1); }

/* log(1 + y): what 1 + y loses of y is put back. */
static value_ref log1p_f32(code *c, value_ref y)
{
	value_ref u = add(c, y, k(y, 1));
	value_ref lost = sub(c, y, sub(c, u, k(y, 1)));
	value_ref r = add(c, shared_log(c, u), divide(c, lost, u));
	r = pick(c, compare(c, LLVMRealOLT, absolute(c, u), INFINITY), r, u);
	return pick(c, compare(c, LLVMRealOEQ, u, 0), k(y, -INFINITY), r);
}

#define BIG 0x1p28 /* beyond, x^2 + 1 is x^2 */

static value_ref make_asinh(code *c, const value_ref *x)
{
	value_ref a = absolute(c, x[0]), s = mul(c, a, a);
	value_ref root = add(c, square_root(c, add(c, s, k(a, 1))), k(a, 1));
	value_ref small = log1p_f32(c, add(c, a, divide(c, s, root)));
	value_ref large = add(c, shared_log(c, a), k(a, LN2));
	return copy_sign(c, pick(c, compare(c, LLVMRealUGT, a, BIG), large, small), x[0]);
}

static value_ref make_acosh(code *c, const value_ref *x)
{
	value_ref t = sub(c, x[0], k(x[0], 1));
	value_ref root = square_root(c, cg_fma(c, t, t, add(c, t, t)));
	value_ref small = log1p_f32(c, add(c, t, root));
	value_ref large = add(c, shared_log(c, x[0]), k(t, LN2));
	value_ref r = pick(c, compare(c, LLVMRealUGT, x[0], BIG), large, small);
	return pick(c, compare(c, LLVMRealOLT, x[0], 1), k(t, NAN), r);
}

static value_ref make_atanh(code *c, const value_ref *x)
{
	value_ref a = absolute(c, x[0]);
	value_ref y = divide(c, add(c, a, a), sub(c, k(a, 1), a));
	value_ref r = mul(c, log1p_f32(c, y), k(a, 0.5));
	r = pick(c, compare(c, LLVMRealOGT, a, 1), k(a, NAN), r);
	return copy_sign(c, r, x[0]);
}

/* ---- sin, cos, tan ---------------------------------------------------------------------------------------------------- */

/* pi/2 in parts of 33 bits: products with less than 2^20 quarter turns are exact. */
#define HALF_PI_1 1.57079632673412561417e+00
#define HALF_PI_2 6.07710050630396597660e-11
#define HALF_PI_3 2.02226624879595063154e-21

typedef struct angle { value_ref quarter, rest; } angle; /* rest in [-pi/4, pi/4] */

static angle reduce_angle(code *c, value_ref x)
{
	value_ref wide = LLVMBuildFPExt(c->b, x, cg_shaped(cg_f64(c), x), "");
	value_ref shifted = add(c, mul(c, wide, k(wide, 2 / PI)), k(wide, ROUND_F64));
	value_ref n = sub(c, shifted, k(wide, ROUND_F64));
	value_ref r = cg_fma(c, n, k(wide, -HALF_PI_1), wide);
	r = cg_fma(c, n, k(wide, -HALF_PI_2), r);
	r = cg_fma(c, n, k(wide, -HALF_PI_3), r);
	angle a = {.quarter = LLVMBuildTrunc(c->b, cg_bitcast_int(c, shifted), cg_shaped(cg_int(c, 32), x), "")};
	r = LLVMBuildFPTrunc(c->b, r, LLVMTypeOf(x), "");
	a.rest = at_most(c, at_least(c, r, -0.8), 0.8); /* bounded for any x */
	return a;
}

static value_ref sin_kernel(code *c, value_ref r)
{
	value_ref s = mul(c, r, r);
	value_ref p = POLYNOMIAL(c, s, 2.86567956e-6, -1.98559923e-4, 8.33338592e-3, -1.66666672e-1);
	return cg_fma(c, p, cg_fma(c, r, s, k(r, 0)), r); /* + 0 keeps sin(-0) = -0 */
}

static value_ref cos_kernel(code *c, value_ref r)
{
	return POLYNOMIAL(c, mul(c, r, r), 2.44677067e-5, -1.38877297e-3, 4.16666567e-2, -0.5, 1);
}

static value_ref bit_set(code *c, value_ref x, int bit)
{
	value_ref masked = LLVMBuildAnd(c->b, x, ki(x, bit), "");
	return LLVMBuildICmp(c->b, LLVMIntNE, masked, ki(x, 0), "");
}

static value_ref sin_from(code *c, value_ref x, int quarters)
{
	angle a = reduce_angle(c, x);
	value_ref q = LLVMBuildAdd(c->b, a.quarter, ki(a.quarter, quarters), "");
	value_ref r = pick(c, bit_set(c, q, 1), cos_kernel(c, a.rest), sin_kernel(c, a.rest));
	return pick(c, bit_set(c, q, 2), negate(c, r), r);
}

static value_ref make_sin(code *c, const value_ref *x) { return sin_from(c, x[0], 0); }
static value_ref make_cos(code *c, const value_ref *x) { return sin_from(c, x[0], 1); }

static value_ref make_tan(code *c, const value_ref *x)
{
	angle a = reduce_angle(c, x[0]);
	value_ref s = sin_kernel(c, a.rest), co = cos_kernel(c, a.rest), odd = bit_set(c, a.quarter, 1);
	return divide(c, pick(c, odd, negate(c, co), s), pick(c, odd, s, co));
}

/* ---- asin, acos, atan ------------------------------------------------------------------------------------------------- */

/* 0 <= a <= 1/2 */
static value_ref asin_kernel(code *c, value_ref a)
{
	value_ref s = mul(c, a, a);
	value_ref p = POLYNOMIAL(c, s, 4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1);
	return cg_fma(c, mul(c, p, s), a, a);
}

/* Beyond 1/2: asin a = pi/2 - 2 asin(sqrt((1 - a) / 2)). */
static value_ref asin_parts(code *c, value_ref x, value_ref *is_large)
{
	value_ref a = absolute(c, x);
	*is_large = compare(c, LLVMRealOGT, a, 0.5);
	value_ref root = square_root(c, mul(c, sub(c, k(x, 1), a), k(x, 0.5)));
	return asin_kernel(c, pick(c, *is_large, root, a));
}

static value_ref make_asin(code *c, const value_ref *x)
{
	value_ref is_large, p = asin_parts(c, x[0], &is_large);
	value_ref large = sub(c, k(p, PI / 2), add(c, p, p));
	return copy_sign(c, pick(c, is_large, large, p), x[0]);
}

static value_ref make_acos(code *c, const value_ref *x)
{
	value_ref is_large, p = asin_parts(c, x[0], &is_large);
	value_ref twice = add(c, p, p), negative = compare(c, LLVMRealOLT, x[0], 0);
	value_ref large = pick(c, negative, sub(c, k(p, PI), twice), twice);
	value_ref small = sub(c, k(p, PI / 2), copy_sign(c, p, x[0]));
	return pick(c, is_large, large, small);
}

static value_ref make_atan(code *c, const value_ref *x)
{
	value_ref a = absolute(c, x[0]);
	value_ref beyond = compare(c, LLVMRealOGT, a, 2.414213562373095), middle = compare(c, LLVMRealOGT, a, 0.4142135623730950);
	value_ref top = pick(c, beyond, k(a, -1), pick(c, middle, sub(c, a, k(a, 1)), a));
	value_ref bottom = pick(c, beyond, a, pick(c, middle, add(c, a, k(a, 1)), k(a, 1)));
	value_ref y = divide(c, top, bottom), s = mul(c, y, y);
	value_ref p = POLYNOMIAL(c, s, 8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1);
	p = cg_fma(c, mul(c, p, s), y, y);
	value_ref base = pick(c, beyond, k(a, PI / 2), pick(c, middle, k(a, PI / 4), k(a, 0)));
	return copy_sign(c, add(c, base, p), x[0]);
}

static value_ref make_sinh(code *c, const value_ref *x) { return sinh_f32(c, x[0]); }
static value_ref make_cosh(code *c, const value_ref *x) { return cosh_f32(c, x[0]); }

/* ---- pow -------------------------------------------------------------------------------------------------------------- */

/* log2 of a positive finite number, in f64 to about 1e-13, from atanh's series in (m-1)/(m+1), m in [sqrt(1/2), sqrt 2). */
static value_ref log2_wide(code *c, value_ref a)
{
	value_ref wide = LLVMBuildFPExt(c->b, a, cg_shaped(cg_f64(c), a), "");
	value_ref bits = cg_bitcast_int(c, wide);
	value_ref e = LLVMBuildAShr(c->b, LLVMBuildSub(c->b, bits, ki(bits, 0x3fe6a09e667f3bcd), ""), ki(bits, 52), "");
	value_ref m = LLVMBuildSub(c->b, bits, LLVMBuildShl(c->b, e, ki(bits, 52), ""), "");
	m = LLVMBuildBitCast(c->b, m, LLVMTypeOf(wide), "");
	value_ref s = divide(c, sub(c, m, k(m, 1)), add(c, m, k(m, 1))), s2 = mul(c, s, s);
	double series[9];
	for (int i = 0; i < N_OF(series); i++)
		series[i] = 2 * LOG2E / (2 * (N_OF(series) - 1 - i) + 1);
	value_ref p = polynomial(c, s2, series, N_OF(series));
	value_ref exponent = LLVMBuildTrunc(c->b, e, cg_shaped(cg_int(c, 32), a), "");
	value_ref log = cg_fma(c, s, p, LLVMBuildSIToFP(c->b, exponent, LLVMTypeOf(wide), ""));
	log = pick(c, compare(c, LLVMRealOEQ, a, 0), k(wide, -INFINITY), log);
	return pick(c, compare(c, LLVMRealOEQ, a, INFINITY), k(wide, INFINITY), log);
}

/* 2^p for an f64 exponent, as f32. */
static value_ref exp2_from_wide(code *c, value_ref p)
{
	p = at_most(c, at_least(c, p, -200), 200);
	value_ref shifted = add(c, p, k(p, ROUND_F64));
	value_ref r = mul(c, sub(c, p, sub(c, shifted, k(p, ROUND_F64))), k(p, LN2));
	r = LLVMBuildFPTrunc(c->b, r, cg_shaped(cg_f32(c), p), "");
	value_ref n = LLVMBuildTrunc(c->b, cg_bitcast_int(c, shifted), cg_shaped(cg_int(c, 32), p), "");
	return scale_by_power(c, exp_polynomial(c, r), n);
}

/* Special cases as in C's powf. */
static value_ref make_pow(code *c, const value_ref *xy)
{
	LLVMBuilderRef b = c->b;
	value_ref x = xy[0], y = xy[1], a = absolute(c, x);
	value_ref wide_y = LLVMBuildFPExt(b, y, cg_shaped(cg_f64(c), y), "");
	value_ref r = exp2_from_wide(c, mul(c, wide_y, log2_wide(c, a)));

	value_ref ay = absolute(c, y), fits = compare(c, LLVMRealOLT, ay, 0x1p24);
	value_ref whole = LLVMBuildFPToSI(b, pick(c, fits, y, k(y, 0)), cg_shaped(cg_int(c, 32), y), "");
	value_ref back = LLVMBuildSIToFP(b, whole, LLVMTypeOf(y), "");
	value_ref is_whole = LLVMBuildOr(b, LLVMBuildFCmp(b, LLVMRealOEQ, back, y, ""), compare(c, LLVMRealOGE, ay, 0x1p24), "");
	value_ref sign_bit = LLVMBuildICmp(b, LLVMIntSLT, cg_bitcast_int(c, x), ki(whole, 0), "");
	value_ref flips = LLVMBuildAnd(b, bit_set(c, whole, 1), LLVMBuildAnd(b, is_whole, sign_bit, ""), "");
	r = pick(c, flips, negate(c, r), r);

	value_ref finite_negative = LLVMBuildAnd(b, compare(c, LLVMRealOLT, x, 0), compare(c, LLVMRealOGT, x, -INFINITY), "");
	r = pick(c, LLVMBuildAnd(b, finite_negative, LLVMBuildNot(b, is_whole, ""), ""), k(x, NAN), r);
	value_ref unit = LLVMBuildAnd(b, compare(c, LLVMRealOEQ, a, 1), compare(c, LLVMRealOEQ, ay, INFINITY), "");
	r = pick(c, unit, k(x, 1), r);
	r = pick(c, LLVMBuildFCmp(b, LLVMRealUNO, x, y, ""), k(x, NAN), r);
	value_ref one = LLVMBuildOr(b, compare(c, LLVMRealOEQ, x, 1), compare(c, LLVMRealOEQ, y, 0), "");
	return pick(c, one, k(x, 1), r);
}

/* ---- libm ------------------------------------------------------------------------------------------------------------- */

static value_ref call_libm_scalar(code *c, const char *name, value_ref *x, int n)
{
	LLVMTypeRef t = LLVMTypeOf(x[0]);
	LLVMTypeRef type = LLVMFunctionType(t, (LLVMTypeRef[]){t, t}, (unsigned)n, 0);
	value_ref f = LLVMGetNamedFunction(c->m->module, name);
	if (!f)
		f = LLVMAddFunction(c->m->module, name, type);
	return LLVMBuildCall2(c->b, type, f, x, (unsigned)n, "");
}

static value_ref call_libm(code *c, const char *name, value_ref *x, int n)
{
	LLVMTypeRef t = LLVMTypeOf(x[0]);
	if (cg_lanes(t) == 0)
		return call_libm_scalar(c, name, x, n);
	value_ref all = LLVMGetPoison(t);
	for (int i = 0; i < cg_lanes(t); i++) {
		value_ref lane[2];
		for (int j = 0; j < n; j++)
			lane[j] = cg_get(c, x[j], i);
		all = cg_put(c, all, call_libm_scalar(c, name, lane, n), i);
	}
	return all;
}

/* ---- by op ------------------------------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct { expr_op op; const char *name; make_body *make; } shared[] = {
	{EXPR_LOG, "log", make_log},       {EXPR_SIN, "sin", make_sin},       {EXPR_COS, "cos", make_cos},
	{EXPR_TAN, "tan", make_tan},       {EXPR_ASIN, "asin", make_asin},    {EXPR_ACOS, "acos", make_acos},
	{EXPR_ATAN, "atan", make_atan},    {EXPR_SINH, "sinh", make_sinh},    {EXPR_COSH, "cosh", make_cosh},
	{EXPR_ASINH, "asinh", make_asinh}, {EXPR_ACOSH, "acosh", make_acosh}, {EXPR_ATANH, "atanh", make_atanh},
};
/* clang-format on */

static value_ref unary_f64(code *c, expr_op op, value_ref x)
{
	if (op != EXPR_SIGMOID)
		return call_libm(c, expr_op_table[op].name, &x, 1);
	value_ref minus = negate(c, x);
	return sigmoid(c, x, call_libm(c, "exp", &minus, 1));
}

value_ref vecmath_unary(code *c, expr_op op, value_ref x)
{
	if (cg_bits(LLVMTypeOf(x)) == 64)
		return unary_f64(c, op, x);
	switch (op) {
	case EXPR_EXP: return exp_f32(c, x, 0);
	case EXPR_TANH: return tanh_f32(c, x);
	case EXPR_ERF: return erf_f32(c, x);
	case EXPR_SIGMOID: return sigmoid(c, x, exp_any_f32(c, negate(c, x), 0, true));
	default: break;
	}
	for (int i = 0; i < N_OF(shared); i++)
		if (shared[i].op == op)
			return call_shared(c, shared[i].name, shared[i].make, &x, 1);
	bug("%s is not a mathematical function", expr_op_table[op].name);
}

value_ref vecmath_pow(code *c, value_ref x, value_ref y)
{
	value_ref xy[] = {x, y};
	return cg_bits(LLVMTypeOf(x)) == 64 ? call_libm(c, "pow", xy, 2) : call_shared(c, "pow", make_pow, xy, 2);
}

value_ref vecmath_fmod(code *c, value_ref x, value_ref y)
{
	value_ref xy[] = {x, y};
	return call_libm(c, cg_bits(LLVMTypeOf(x)) == 64 ? "fmod" : "fmodf", xy, 2);
}
