/* Arithmetic on constants, exactly as the generated code does it on every target.
 *
 * Integers wrap (in uint64_t, then to the type); f32 rounds after every operation.  What targets may do differently is
 * left to them: transcendental functions, fused operations, signs of zero where the operation leaves them open. */
#include "ir/expr_internal.h"
#include "support/half.h"

#include <math.h>
#include <string.h>

static bool is_signed(dtype t) { return dtype_table[t].class == CLASS_SINT; }

static bool int_less(dtype t, int64_t a, int64_t b)
{
	return is_signed(t) ? a < b : (uint64_t)a < (uint64_t)b;
}

static int64_t divide_ints(dtype t, int64_t a, int64_t b)
{
	if (b == 0)
		return 0;
	if (!is_signed(t))
		return (int64_t)((uint64_t)a / (uint64_t)b);
	return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_of_ints(dtype t, int64_t a, int64_t b)
{
	if (b == 0 || (is_signed(t) && b == -1))
		return 0;
	return is_signed(t) ? a % b : (int64_t)((uint64_t)a % (uint64_t)b);
}

static int64_t modulus_of_ints(dtype t, int64_t a, int64_t b)
{
	int64_t r = remainder_of_ints(t, a, b);
	return is_signed(t) && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t shift_ints(expr_op op, dtype t, int64_t a, int64_t by)
{
	if ((uint64_t)by >= (uint64_t)dtype_table[t].bits)
		return 0;
	if (op == EXPR_SHL)
		return (int64_t)((uint64_t)a << by);
	return is_signed(t) ? a >> by : (int64_t)((uint64_t)a >> by);
}

/* Integers and booleans; false: no such constant. */
static bool fold_ints(expr_op op, dtype t, int64_t a, int64_t b, int64_t *r)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;
	switch (op) {
	case EXPR_NEG: *r = (int64_t)(0 - x); return true;
	case EXPR_ABS: *r = is_signed(t) && a < 0 ? (int64_t)(0 - x) : a; return true;
	case EXPR_SIGN: *r = is_signed(t) ? (a > 0) - (a < 0) : a != 0; return true;
	case EXPR_NOT: *r = t == BOOL ? !a : (int64_t)~x; return true;
	case EXPR_ADD: *r = (int64_t)(x + y); return true;
	case EXPR_SUB: *r = (int64_t)(x - y); return true;
	case EXPR_MUL: *r = (int64_t)(x * y); return true;
	case EXPR_DIV: *r = divide_ints(t, a, b); return true;
	case EXPR_REM: *r = remainder_of_ints(t, a, b); return true;
	case EXPR_MOD: *r = modulus_of_ints(t, a, b); return true;
	case EXPR_MIN: *r = int_less(t, b, a) ? b : a; return true;
	case EXPR_MAX: *r = int_less(t, a, b) ? b : a; return true;
	case EXPR_AND: *r = a & b; return true;
	case EXPR_OR: *r = a | b; return true;
	case EXPR_XOR: *r = a ^ b; return true;
	case EXPR_SHL:
	case EXPR_SHR: *r = shift_ints(op, t, a, b); return true;
	case EXPR_EQ: *r = a == b; return true;
	case EXPR_NE: *r = a != b; return true;
	case EXPR_LT: *r = int_less(t, a, b); return true;
	case EXPR_LE: *r = !int_less(t, b, a); return true;
	case EXPR_GT: *r = int_less(t, b, a); return true;
	case EXPR_GE: *r = !int_less(t, a, b); return true;
	default: return false;
	}
}

/* Comparisons of floats, and isnan. */
static bool compare_floats(expr_op op, double a, double b, int64_t *r)
{
	switch (op) {
	case EXPR_ISNAN: *r = isnan(a); return true;
	case EXPR_EQ: *r = a == b; return true;
	case EXPR_NE: *r = a != b; return true;
	case EXPR_LT: *r = a < b; return true;
	case EXPR_LE: *r = a <= b; return true;
	case EXPR_GT: *r = a > b; return true;
	case EXPR_GE: *r = a >= b; return true;
	default: return false;
	}
}

/* The operations that give an operand unrounded, or round a number to an integer: f32 and f64 alike. */
static bool select_floats(expr_op op, double a, double b, double *r)
{
	switch (op) {
	case EXPR_NEG: *r = -a; return true;
	case EXPR_ABS: *r = fabs(a); return true;
	case EXPR_SIGN: *r = a > 0 ? 1 : -1; return a > 0 || a < 0;
	case EXPR_FLOOR: *r = floor(a); return true;
	case EXPR_CEIL: *r = ceil(a); return true;
	case EXPR_ROUND: *r = rint(a); return true;
	case EXPR_TRUNC: *r = trunc(a); return true;
	case EXPR_MIN:
	case EXPR_MAX:
		*r = isnan(a) || isnan(b) ? (double)NAN : (op == EXPR_MIN) == (b < a) ? b : a;
		return a != b || signbit(a) == signbit(b);
	default: return false;
	}
}

static bool fold_f64(expr_op op, double a, double b, double *r)
{
	switch (op) {
	case EXPR_ADD: *r = a + b; return true;
	case EXPR_SUB: *r = a - b; return true;
	case EXPR_MUL: *r = a * b; return true;
	case EXPR_DIV: *r = a / b; return true;
	case EXPR_SQRT: *r = sqrt(a); return true;
	default: return select_floats(op, a, b, r);
	}
}

static bool fold_f32(expr_op op, float a, float b, double *r)
{
	switch (op) {
	case EXPR_ADD: *r = (double)(float)(a + b); return true;
	case EXPR_SUB: *r = (double)(float)(a - b); return true;
	case EXPR_MUL: *r = (double)(float)(a * b); return true;
	case EXPR_DIV: *r = (double)(float)(a / b); return true;
	case EXPR_SQRT: *r = (double)sqrtf(a); return true;
	default: return select_floats(op, (double)a, (double)b, r);
	}
}

/* Truncated and saturated; NaN is 0. */
static int64_t int_from_float(dtype t, double f)
{
	if (t == BOOL)
		return f != 0;
	if (isnan(f))
		return 0;
	int bits = dtype_table[t].bits;
	double end = ldexp(1, is_signed(t) ? bits - 1 : bits);
	if (f >= end)
		return int_highest(t);
	if (f <= (is_signed(t) ? -end : 0))
		return int_lowest(t);
	return is_signed(t) ? (int64_t)f : (int64_t)(uint64_t)f;
}

static double float_from_int(dtype to, dtype from, int64_t i)
{
	if (to == F32)
		return from == U64 ? (double)(float)(uint64_t)i : (double)(float)i;
	return from == U64 ? (double)(uint64_t)i : (double)i;
}

static const expr *fold_cast(expr_ctx *c, dtype to, const expr *x)
{
	bool from_float = dtype_is_float(x->type);
	if (dtype_is_float(to))
		return expr_float(c, to, from_float ? x->f : float_from_int(to, x->type, x->i));
	return expr_int(c, to, from_float ? int_from_float(to, x->f) : x->i);
}

/* NaNs stay: a constant does not keep their bits. */
static const expr *fold_bitcast(expr_ctx *c, dtype to, const expr *x)
{
	uint64_t bits;
	double f;
	if (dtype_is_float(x->type)) {
		if (isnan(x->f))
			return NULL;
		float narrow = (float)x->f;
		if (x->type == F32)
			bits = f32_bits(narrow);
		else
			memcpy(&bits, &x->f, sizeof bits);
	} else {
		bits = (uint64_t)x->i;
	}
	if (!dtype_is_float(to))
		return to == BOOL || x->type == BOOL ? NULL : expr_int(c, to, (int64_t)bits);
	if (to == F32)
		f = (double)f32_from_bits((uint32_t)bits);
	else
		memcpy(&f, &bits, sizeof f);
	return isnan(f) ? NULL : expr_float(c, to, f);
}

const expr *expr_fold(expr_ctx *c, expr_op op, dtype t, const expr *const *in)
{
	int n = expr_op_table[op].n_in;
	if (n == 0 || n > 2 || in[0]->op != EXPR_CONST || (n == 2 && in[1]->op != EXPR_CONST))
		return NULL;
	if (op == EXPR_CAST)
		return fold_cast(c, t, in[0]);
	if (op == EXPR_BITCAST)
		return fold_bitcast(c, t, in[0]);
	const expr *a = in[0], *b = in[n - 1];
	int64_t i;
	double f;
	if (!dtype_is_float(a->type))
		return fold_ints(op, a->type, a->i, b->i, &i) ? expr_int(c, t, i) : NULL;
	if (compare_floats(op, a->f, b->f, &i))
		return expr_int(c, BOOL, i);
	bool folded = a->type == F32 ? fold_f32(op, (float)a->f, (float)b->f, &f) : fold_f64(op, a->f, b->f, &f);
	return folded ? expr_float(c, t, f) : NULL;
}

/* x as f8e8m0 and back, where no rounding mode matters. */
static bool round_to_f8e8m0(float x, float *r)
{
	uint8_t up = f8e8m0_from_f32(x, F8E8M0_UP, false), down = f8e8m0_from_f32(x, F8E8M0_DOWN, true);
	*r = f8e8m0_to_f32(up);
	return up == down && x > 0;
}

static bool round_to_float(dtype storage, float x, float *r)
{
	float wide; /* without saturation */
	switch (storage) {
	case F16: *r = f16_to_f32(f16_from_f32(x)); return true;
	case BF16: *r = bf16_to_f32(bf16_from_f32(x)); return true;
	case F8E4M3FN:
		*r = f8e4m3fn_to_f32(f8e4m3fn_from_f32(x, true));
		wide = f8e4m3fn_to_f32(f8e4m3fn_from_f32(x, false));
		break;
	case F8E4M3FNUZ:
		*r = f8e4m3fnuz_to_f32(f8e4m3fnuz_from_f32(x, true));
		wide = f8e4m3fnuz_to_f32(f8e4m3fnuz_from_f32(x, false));
		break;
	case F8E5M2:
		*r = f8e5m2_to_f32(f8e5m2_from_f32(x, true));
		wide = f8e5m2_to_f32(f8e5m2_from_f32(x, false));
		break;
	case F8E5M2FNUZ:
		*r = f8e5m2fnuz_to_f32(f8e5m2fnuz_from_f32(x, true));
		wide = f8e5m2fnuz_to_f32(f8e5m2fnuz_from_f32(x, false));
		break;
	case F8E8M0: return round_to_f8e8m0(x, r);
	case F4E2M1: *r = f4e2m1_to_f32(f4e2m1_from_f32(x)); return true;
	default: return false;
	}
	return wide == *r;
}

const expr *expr_fold_round(expr_ctx *c, dtype storage, const expr *x)
{
	float r;
	if (x->op != EXPR_CONST)
		return NULL;
	if (!dtype_is_float(storage))
		return expr_int(c, x->type, int_wrap(storage, x->i));
	return round_to_float(storage, (float)x->f, &r) ? expr_float(c, x->type, (double)r) : NULL;
}
