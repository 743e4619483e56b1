/* Floating-point formats narrower than float, as bits.
 *
 * Every format is one row: sign, e exponent bits with a bias, m mantissa bits, and which codes stand for infinity and
 * NaN. Two functions convert any row exactly to float and from float rounding to nearest, ties to even, with
 * subnormals; the row is a constant at each call, so the compiler specialises them.
 *
 * `saturate`: when set, what rounds beyond the largest finite value becomes that value; when not, it becomes infinity,
 * or NaN in a format without infinity. An infinity itself stays one where the format has it, unlike ONNX Cast-28 says
 * of saturation. f4e2m1 has neither, so it always saturates, and NaN becomes -0 there. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum narrow_special {
	NARROW_IEEE,   /* top exponent: infinity (mantissa 0), else NaN */
	NARROW_FN,     /* no infinity; all ones is NaN */
	NARROW_FNUZ,   /* no infinity, no -0; the code of -0 is NaN */
	NARROW_FINITE, /* neither infinity nor NaN */
};

struct narrow_float {
	int exponent_bits, mantissa_bits, bias;
	enum narrow_special special;
};

/* clang-format off */
/*                               exponent  mantissa  bias  special */
#define NARROW_F16      ((struct narrow_float){5, 10,  15, NARROW_IEEE})
#define NARROW_F8E4M3FN ((struct narrow_float){4,  3,   7, NARROW_FN})
#define NARROW_F8E4M3FZ ((struct narrow_float){4,  3,   8, NARROW_FNUZ})
#define NARROW_F8E5M2   ((struct narrow_float){5,  2,  15, NARROW_IEEE})
#define NARROW_F8E5M2FZ ((struct narrow_float){5,  2,  16, NARROW_FNUZ})
#define NARROW_F4E2M1   ((struct narrow_float){2,  1,   1, NARROW_FINITE})
/* clang-format on */

static inline uint32_t f32_bits(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static inline float f32_from_bits(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Codes without the sign bit. */
static inline uint32_t narrow_infinity(struct narrow_float f)
{
	return ((1u << f.exponent_bits) - 1) << f.mantissa_bits;
}

static inline uint32_t narrow_largest(struct narrow_float f)
{
	uint32_t all_ones = (1u << (f.exponent_bits + f.mantissa_bits)) - 1;
	switch (f.special) {
	case NARROW_IEEE: return narrow_infinity(f) - 1;
	case NARROW_FN: return all_ones - 1;
	case NARROW_FNUZ:
	case NARROW_FINITE: break;
	}
	return all_ones;
}

static inline uint32_t narrow_nan(struct narrow_float f, uint32_t sign)
{
	switch (f.special) {
	case NARROW_IEEE: return sign | narrow_infinity(f) | 1u << (f.mantissa_bits - 1);
	case NARROW_FN: return sign | (narrow_largest(f) + 1);
	case NARROW_FNUZ:
	case NARROW_FINITE: break;
	}
	return 1u << (f.exponent_bits + f.mantissa_bits);
}

static inline float narrow_to_f32(struct narrow_float f, uint32_t code)
{
	int sign_at = f.exponent_bits + f.mantissa_bits;
	uint32_t sign = (code >> sign_at & 1) << 31;
	uint32_t magnitude = code & ((1u << sign_at) - 1);
	uint32_t exponent = magnitude >> f.mantissa_bits;
	uint32_t mantissa = magnitude & ((1u << f.mantissa_bits) - 1);

	if (f.special == NARROW_FNUZ && sign && magnitude == 0)
		return f32_from_bits(0x7fc00000u);
	if (f.special == NARROW_IEEE && magnitude >= narrow_infinity(f))
		return f32_from_bits(sign | 0x7f800000u | mantissa << (23 - f.mantissa_bits));
	if (f.special == NARROW_FN && magnitude > narrow_largest(f))
		return f32_from_bits(sign | 0x7fc00000u);
	if (exponent == 0) { /* subnormal here, a normal number times a power of two as float */
		float unit = f32_from_bits((uint32_t)(127 + 1 - f.bias - f.mantissa_bits) << 23);
		float x = (float)mantissa * unit;
		return sign ? -x : x;
	}
	return f32_from_bits(sign | (exponent + 127 - (uint32_t)f.bias) << 23 | mantissa << (23 - f.mantissa_bits));
}

/* m / 2^shift to the nearest integer, ties to even; 0 < shift. */
static inline uint32_t narrow_round_shift(uint32_t m, int shift)
{
	if (shift > 31)
		return 0;
	uint32_t kept = m >> shift, rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
	return kept + (rest > half || (rest == half && (kept & 1)));
}

static inline uint32_t narrow_from_f32(struct narrow_float f, float x, bool saturate)
{
	uint32_t bits = f32_bits(x);
	uint32_t sign = (bits >> 31) << (f.exponent_bits + f.mantissa_bits);
	uint32_t magnitude = bits & 0x7fffffffu;
	if (magnitude > 0x7f800000u)
		return narrow_nan(f, sign);

	/* A carry out of the rounded mantissa correctly raises the exponent. A float subnormal is far below half the
	 * smallest number of every row. */
	uint32_t code;
	int exponent = (int)(magnitude >> 23) - 127 + f.bias;
	int shift = 23 - f.mantissa_bits;
	if (exponent > 0)
		code = narrow_round_shift(magnitude - ((uint32_t)(127 - f.bias) << 23), shift);
	else
		code = narrow_round_shift((magnitude & 0x7fffffu) | 0x800000u, shift + 1 - exponent);

	if (code > narrow_largest(f)) {
		bool infinite = magnitude == 0x7f800000u && f.special == NARROW_IEEE;
		if ((saturate && !infinite) || f.special == NARROW_FINITE)
			code = narrow_largest(f);
		else if (f.special == NARROW_IEEE)
			code = narrow_infinity(f);
		else
			return narrow_nan(f, sign);
	}
	if (f.special == NARROW_FNUZ && code == 0)
		return 0;
	return sign | code;
}

static inline float f16_to_f32(uint16_t h) { return narrow_to_f32(NARROW_F16, h); }
static inline uint16_t f16_from_f32(float x) { return (uint16_t)narrow_from_f32(NARROW_F16, x, false); }

static inline float bf16_to_f32(uint16_t h) { return f32_from_bits((uint32_t)h << 16); }
/* bf16 has float's exponents, so the upper half is rounded in place. */
static inline uint16_t bf16_from_f32(float x)
{
	uint32_t bits = f32_bits(x);
	if ((bits & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float f8e4m3fn_to_f32(uint8_t c) { return narrow_to_f32(NARROW_F8E4M3FN, c); }
static inline float f8e4m3fnuz_to_f32(uint8_t c) { return narrow_to_f32(NARROW_F8E4M3FZ, c); }
static inline float f8e5m2_to_f32(uint8_t c) { return narrow_to_f32(NARROW_F8E5M2, c); }
static inline float f8e5m2fnuz_to_f32(uint8_t c) { return narrow_to_f32(NARROW_F8E5M2FZ, c); }
static inline float f4e2m1_to_f32(uint8_t c) { return narrow_to_f32(NARROW_F4E2M1, c & 15u); }

static inline uint8_t f8e4m3fn_from_f32(float x, bool saturate)
{
	return (uint8_t)narrow_from_f32(NARROW_F8E4M3FN, x, saturate);
}
static inline uint8_t f8e4m3fnuz_from_f32(float x, bool saturate)
{
	return (uint8_t)narrow_from_f32(NARROW_F8E4M3FZ, x, saturate);
}
static inline uint8_t f8e5m2_from_f32(float x, bool saturate)
{
	return (uint8_t)narrow_from_f32(NARROW_F8E5M2, x, saturate);
}
static inline uint8_t f8e5m2fnuz_from_f32(float x, bool saturate)
{
	return (uint8_t)narrow_from_f32(NARROW_F8E5M2FZ, x, saturate);
}
static inline uint8_t f4e2m1_from_f32(float x) { return (uint8_t)narrow_from_f32(NARROW_F4E2M1, x, true); }

/* f8e8m0: the code c is 2^(c-127), 255 is NaN; there is no sign and no zero. 2^-127 is a float subnormal. */
static inline float f8e8m0_to_f32(uint8_t c)
{
	if (c == 255)
		return f32_from_bits(0x7fc00000u);
	return f32_from_bits(c ? (uint32_t)c << 23 : 0x400000u);
}

enum f8e8m0_round { F8E8M0_UP, F8E8M0_DOWN, F8E8M0_NEAREST }; /* ties of NEAREST go up */

/* Negative numbers count by magnitude (ONNX leaves them open). Below 2^-127, zero included: 2^-127 when saturating,
 * else NaN; above 2^127 likewise 2^127 or NaN. */
static inline uint8_t f8e8m0_from_f32(float x, enum f8e8m0_round round, bool saturate)
{
	uint32_t magnitude = f32_bits(x) & 0x7fffffffu;
	if (magnitude > 0x7f800000u)
		return 255;
	if (magnitude < 0x400000u) /* below 2^-127 */
		return saturate ? 0 : 255;
	uint32_t exponent = magnitude >> 23, mantissa = magnitude & 0x7fffffu;
	if (exponent == 0)
		mantissa = (mantissa - 0x400000u) << 1; /* 2^-127 * (1 + mantissa/2^23) */
	bool up = (round == F8E8M0_UP && mantissa != 0) || (round == F8E8M0_NEAREST && mantissa >= 0x400000u);
	exponent += up;
	if (exponent > 254)
		return saturate ? 254 : 255;
	return (uint8_t)exponent;
}
