/* Storage types: how f16, bf16, f8, f4, packed integers and bool become what is computed with, and back.
 *
 * Narrow floats are converted by integer arithmetic on rows of support/half.h, so that every target gives the same bits; f16
 * uses the hardware where there is one (the same bits too).  f8 and f4 saturate, as ONNX Cast does by default. */
#include "support/half.h"

#include "backend/emit_internal.h"

#include "support/diag.h"

enum { F32_MANTISSA = 23, F32_BIAS = 127 };

static bool narrow_row(dtype t, struct narrow_float *row)
{
	switch (t) {
	case F16: *row = NARROW_F16; return true;
	case F8E4M3FN: *row = NARROW_F8E4M3FN; return true;
	case F8E4M3FNUZ: *row = NARROW_F8E4M3FZ; return true;
	case F8E5M2: *row = NARROW_F8E5M2; return true;
	case F8E5M2FNUZ: *row = NARROW_F8E5M2FZ; return true;
	case F4E2M1: *row = NARROW_F4E2M1; return true;
	default: return false;
	}
}

static bool hardware_half(code *c, dtype t)
{
	return t == F16 && c->m->options->target->f16;
}

LLVMTypeRef narrow_memory_type(code *c, dtype t)
{
	if (hardware_half(c, t))
		return LLVMHalfTypeInContext(c->m->context);
	switch (t) {
	case F32: return cg_f32(c);
	case F64: return cg_f64(c);
	case STRING: bug("a kernel accesses strings");
	default: break;
	}
	int bits = dtype_table[t].bits;
	return cg_int(c, bits < 8 ? 8 : bits);
}

/* ---- shorthand on i32 ------------------------------------------------------------------------------------------------- */

static LLVMValueRef k(LLVMValueRef like, uint32_t x)
{
	return cg_integer(LLVMTypeOf(like), x);
}

static LLVMValueRef and_(code *c, LLVMValueRef x, uint32_t y) { return LLVMBuildAnd(c->b, x, k(x, y), ""); }
static LLVMValueRef shl(code *c, LLVMValueRef x, int n) { return LLVMBuildShl(c->b, x, k(x, (uint32_t)n), ""); }
static LLVMValueRef shr(code *c, LLVMValueRef x, int n) { return LLVMBuildLShr(c->b, x, k(x, (uint32_t)n), ""); }

static LLVMValueRef above(code *c, LLVMValueRef x, uint32_t y)
{
	return LLVMBuildICmp(c->b, LLVMIntUGT, x, k(x, y), "");
}

static LLVMValueRef pick(code *c, LLVMValueRef cond, LLVMValueRef a, LLVMValueRef b)
{
	return LLVMBuildSelect(c->b, cond, a, b, "");
}

static LLVMValueRef as_f32(code *c, LLVMValueRef bits)
{
	return LLVMBuildBitCast(c->b, bits, cg_shaped(cg_f32(c), bits), "");
}

static LLVMValueRef f32_of_bits(LLVMValueRef like, uint32_t bits)
{
	return cg_number(LLVMTypeOf(like), f32_from_bits(bits));
}

/* ---- rows of half.h --------------------------------------------------------------------------------------------------- */

/* The code moved up to f32's exponent and mantissa is too small by 2^(127 - bias); a multiplication mends that, subnormals
 * included. */
static LLVMValueRef decode_row(code *c, struct narrow_float f, LLVMValueRef codes)
{
	int sign_at = f.exponent_bits + f.mantissa_bits, up = F32_MANTISSA - f.mantissa_bits;
	LLVMValueRef magnitude = and_(c, codes, (1u << sign_at) - 1);
	LLVMValueRef sign = shl(c, and_(c, shr(c, codes, sign_at), 1), 31);
	LLVMValueRef raised = shl(c, magnitude, up), x = as_f32(c, raised);
	uint32_t scale = (uint32_t)(2 * F32_BIAS - f.bias) << F32_MANTISSA;
	LLVMValueRef bits = cg_bitcast_int(c, LLVMBuildFMul(c->b, x, f32_of_bits(x, scale), ""));

	LLVMValueRef nan = k(codes, 0x7fc00000u);
	if (f.special == NARROW_IEEE) {
		LLVMValueRef special = LLVMBuildOr(c->b, raised, k(codes, 0x7f800000u), "");
		bits = pick(c, above(c, magnitude, narrow_infinity(f) - 1), special, bits);
	} else if (f.special == NARROW_FN) {
		bits = pick(c, above(c, magnitude, narrow_largest(f)), nan, bits);
	}
	bits = LLVMBuildOr(c->b, bits, sign, "");
	if (f.special == NARROW_FNUZ) {
		LLVMValueRef is_nan = LLVMBuildICmp(c->b, LLVMIntEQ, and_(c, codes, (2u << sign_at) - 1), k(codes, 1u << sign_at), "");
		bits = pick(c, is_nan, nan, bits);
	}
	return as_f32(c, bits);
}

/* Normal numbers round their mantissa in integers; subnormal ones by adding the number whose unit in the last place is the
 * format's smallest. */
static LLVMValueRef encode_row(code *c, struct narrow_float f, LLVMValueRef x, bool saturate)
{
	LLVMBuilderRef b = c->b;
	int sign_at = f.exponent_bits + f.mantissa_bits, down = F32_MANTISSA - f.mantissa_bits;
	LLVMValueRef bits = cg_bitcast_int(c, x), magnitude = and_(c, bits, 0x7fffffffu);
	LLVMValueRef sign = shl(c, shr(c, bits, 31), sign_at);

	LLVMValueRef normal = LLVMBuildSub(b, magnitude, k(bits, (uint32_t)(F32_BIAS - f.bias) << F32_MANTISSA), "");
	LLVMValueRef even = and_(c, shr(c, normal, down), 1);
	normal = LLVMBuildAdd(b, LLVMBuildAdd(b, normal, k(bits, (1u << (down - 1)) - 1), ""), even, "");
	normal = shr(c, normal, down);

	uint32_t unit = (uint32_t)(F32_BIAS + 1 + F32_MANTISSA - f.bias - f.mantissa_bits) << F32_MANTISSA;
	LLVMValueRef absolute = as_f32(c, magnitude);
	LLVMValueRef small = cg_bitcast_int(c, LLVMBuildFAdd(b, absolute, f32_of_bits(absolute, unit), ""));
	small = LLVMBuildSub(b, small, k(bits, unit), "");

	uint32_t first_normal = (uint32_t)(F32_BIAS + 1 - f.bias) << F32_MANTISSA;
	LLVMValueRef codes = pick(c, above(c, magnitude, first_normal - 1), normal, small);
	uint32_t largest = narrow_largest(f), overflow = narrow_nan(f, 0);
	if (saturate || f.special == NARROW_FINITE)
		overflow = largest;
	else if (f.special == NARROW_IEEE)
		overflow = narrow_infinity(f);
	codes = pick(c, above(c, codes, largest), k(bits, overflow), codes);
	LLVMValueRef is_nan = above(c, magnitude, 0x7f800000u);
	/* Infinity's bits have wrapped or rounded to anything; it stays infinite where it can. */
	uint32_t infinity = f.special == NARROW_IEEE ? narrow_infinity(f) : overflow;
	codes = pick(c, above(c, magnitude, 0x7f7fffffu), k(bits, infinity), codes);

	LLVMValueRef with_sign = LLVMBuildOr(b, codes, sign, "");
	if (f.special == NARROW_FNUZ) {
		LLVMValueRef zero = LLVMBuildICmp(b, LLVMIntEQ, codes, k(bits, 0), "");
		with_sign = pick(c, zero, codes, with_sign);
		return pick(c, is_nan, k(bits, narrow_nan(f, 0)), with_sign);
	}
	if (f.special == NARROW_FINITE)
		return pick(c, is_nan, k(bits, narrow_nan(f, 0)), with_sign);
	return pick(c, is_nan, LLVMBuildOr(b, sign, k(bits, narrow_nan(f, 0)), ""), with_sign);
}

/* ---- the others ------------------------------------------------------------------------------------------------------- */

static LLVMValueRef encode_bf16(code *c, LLVMValueRef x)
{
	LLVMValueRef bits = cg_bitcast_int(c, x), high = shr(c, bits, 16);
	LLVMValueRef up = LLVMBuildAdd(c->b, k(bits, 0x7fff), and_(c, high, 1), "");
	LLVMValueRef rounded = shr(c, LLVMBuildAdd(c->b, bits, up, ""), 16);
	LLVMValueRef nan = LLVMBuildOr(c->b, high, k(bits, 0x40), "");
	return pick(c, above(c, and_(c, bits, 0x7fffffffu), 0x7f800000u), nan, rounded);
}

/* The code c is 2^(c-127); 255 is NaN. */
static LLVMValueRef decode_f8e8m0(code *c, LLVMValueRef codes)
{
	LLVMValueRef bits = shl(c, codes, F32_MANTISSA);
	bits = pick(c, above(c, codes, 0), bits, k(codes, 0x400000u));
	return as_f32(c, pick(c, above(c, codes, 254), k(codes, 0x7fc00000u), bits));
}

/* Rounds up, saturating. */
static LLVMValueRef encode_f8e8m0(code *c, LLVMValueRef x)
{
	LLVMBuilderRef b = c->b;
	LLVMValueRef bits = cg_bitcast_int(c, x), magnitude = and_(c, bits, 0x7fffffffu);
	LLVMValueRef exponent = shr(c, LLVMBuildAdd(b, magnitude, k(bits, 0x7fffffu), ""), F32_MANTISSA);
	/* Subnormal floats are 2^-127 (code 0) up to half the range, then 2^-126. */
	LLVMValueRef subnormal = LLVMBuildZExt(b, above(c, magnitude, 0x400000u), LLVMTypeOf(bits), "");
	LLVMValueRef codes = pick(c, above(c, magnitude, 0x7fffffu), exponent, subnormal);
	codes = pick(c, above(c, codes, 254), k(bits, 254), codes);
	return pick(c, above(c, magnitude, 0x7f800000u), k(bits, 255), codes);
}

/* The low bits of an i8 as a number of that many bits. */
static LLVMValueRef extend_packed(code *c, dtype t, LLVMValueRef raw)
{
	int bits = dtype_table[t].bits;
	LLVMValueRef high = cg_integer(LLVMTypeOf(raw), 8 - bits);
	raw = LLVMBuildShl(c->b, raw, high, "");
	return dtype_table[t].class == CLASS_SINT ? LLVMBuildAShr(c->b, raw, high, "") : LLVMBuildLShr(c->b, raw, high, "");
}

static LLVMValueRef to_i32(code *c, LLVMValueRef x)
{
	return LLVMBuildZExt(c->b, x, cg_shaped(cg_int(c, 32), x), "");
}

static LLVMValueRef from_i32(code *c, dtype t, LLVMValueRef x)
{
	return LLVMBuildTrunc(c->b, x, cg_shaped(narrow_memory_type(c, t), x), "");
}

LLVMValueRef narrow_decode(code *c, dtype t, LLVMValueRef raw)
{
	struct narrow_float row;
	if (hardware_half(c, t))
		return LLVMBuildFPExt(c->b, raw, cg_shaped(cg_f32(c), raw), "");
	if (narrow_row(t, &row))
		return decode_row(c, row, to_i32(c, t == F4E2M1 ? extend_packed(c, t, raw) : raw));
	switch (t) {
	case BF16: return as_f32(c, shl(c, to_i32(c, raw), 16));
	case F8E8M0: return decode_f8e8m0(c, to_i32(c, raw));
	case I4:
	case I2:
	case U4:
	case U2: return extend_packed(c, t, raw);
	case BOOL: return LLVMBuildICmp(c->b, LLVMIntNE, raw, LLVMConstNull(LLVMTypeOf(raw)), "");
	default: return raw;
	}
}

LLVMValueRef narrow_encode(code *c, dtype t, LLVMValueRef x)
{
	struct narrow_float row;
	if (hardware_half(c, t))
		return LLVMBuildFPTrunc(c->b, x, cg_shaped(LLVMHalfTypeInContext(c->m->context), x), "");
	if (narrow_row(t, &row))
		return from_i32(c, t, encode_row(c, row, x, t != F16));
	switch (t) {
	case BF16: return from_i32(c, t, encode_bf16(c, x));
	case F8E8M0: return from_i32(c, t, encode_f8e8m0(c, x));
	case BOOL: return LLVMBuildZExt(c->b, x, cg_shaped(cg_int(c, 8), x), "");
	default: return x;
	}
}
