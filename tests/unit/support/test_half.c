#include "tests/unit/unit.h"

#include "support/half.h"

#include <float.h>
#include <math.h>

typedef struct format {
	const char *name;
	float (*to_f32)(uint32_t code);
	uint32_t (*from_f32)(float x, bool saturate);
	uint32_t n_codes, largest;      /* codes in all; code of the largest finite number */
	int mantissa_bits, bias;
	uint32_t infinity, nan;         /* NONE where there is none */
	bool has_negative_zero;
} format;

enum { NONE = 0x10000 };

#define ADAPT(name, type, ...)                                                     \
	static float name##_read(uint32_t code) { return name##_to_f32((type)code); } \
	static uint32_t name##_write(float x, bool saturate)                       \
	{                                                                          \
		(void)saturate;                                                    \
		return name##_from_f32(__VA_ARGS__);                               \
	}
ADAPT(f16, uint16_t, x)
ADAPT(bf16, uint16_t, x)
ADAPT(f8e4m3fn, uint8_t, x, saturate)
ADAPT(f8e4m3fnuz, uint8_t, x, saturate)
ADAPT(f8e5m2, uint8_t, x, saturate)
ADAPT(f8e5m2fnuz, uint8_t, x, saturate)
ADAPT(f4e2m1, uint8_t, x)

/* clang-format off */
static const format formats[] = {
	{"f16",        f16_read,        f16_write,        65536, 0x7bff, 10,  15, 0x7c00, 0x7e00, true},
	{"bf16",       bf16_read,       bf16_write,       65536, 0x7f7f,  7, 127, 0x7f80, 0x7fc0, true},
	{"f8e4m3fn",   f8e4m3fn_read,   f8e4m3fn_write,   256,   0x7e,    3,   7, NONE,   0x7f,   true},
	{"f8e4m3fnuz", f8e4m3fnuz_read, f8e4m3fnuz_write, 256,   0x7f,    3,   8, NONE,   0x80,   false},
	{"f8e5m2",     f8e5m2_read,     f8e5m2_write,     256,   0x7b,    2,  15, 0x7c,   0x7e,   true},
	{"f8e5m2fnuz", f8e5m2fnuz_read, f8e5m2fnuz_write, 256,   0x7f,    2,  16, NONE,   0x80,   false},
	{"f4e2m1",     f4e2m1_read,     f4e2m1_write,     16,    0x7,     1,   1, NONE,   NONE,   true},
};
/* clang-format on */

/* The definition: (-1)^s * (1 + m/2^k) * 2^(e - bias), or m/2^k * 2^(1 - bias) when e is 0. */
static double value_of(const format *f, uint32_t code)
{
	uint32_t sign_bit = f->n_codes / 2, magnitude = code & (sign_bit - 1);
	int exponent = (int)(magnitude >> f->mantissa_bits);
	double fraction = ldexp(magnitude & ((1u << f->mantissa_bits) - 1), -f->mantissa_bits);
	double x = exponent ? ldexp(1 + fraction, exponent - f->bias) : ldexp(fraction, 1 - f->bias);
	return code & sign_bit ? -x : x;
}

static void every_code_has_its_value_and_comes_back(void **state)
{
	(void)state;
	for (size_t r = 0; r < N_ROWS(formats); r++) {
		const format *f = &formats[r];
		uint32_t sign_bit = f->n_codes / 2;
		for (uint32_t code = 0; code < f->n_codes; code++) {
			uint32_t magnitude = code & (sign_bit - 1);
			float x = f->to_f32(code);
			if (magnitude == f->infinity) {
				assert_true(isinf(x) && !signbit(x) == !(code & sign_bit));
			} else if (magnitude > f->largest || (code == sign_bit && !f->has_negative_zero)) {
				assert_true(isnan(x));
				assert_true(isnan(f->to_f32(f->from_f32(x, false))));
				continue;
			} else {
				assert_true(x == value_of(f, code) && !signbit(x) == !(code & sign_bit));
				assert_int_equal(f->from_f32(x, true), code);
			}
			assert_int_equal(f->from_f32(x, false), code);
		}
	}
}

/* Between two neighbours lies a tie, which goes to the even code; anything nearer to one goes there. */
static void rounding_is_to_nearest_even(void **state)
{
	(void)state;
	for (size_t r = 0; r < N_ROWS(formats); r++) {
		const format *f = &formats[r];
		uint32_t sign_bit = f->n_codes / 2;
		for (uint32_t code = 0; code < f->largest; code++) {
			double exact = (value_of(f, code) + value_of(f, code + 1)) / 2;
			float tie = (float)exact;
			assert_true(tie == exact);
			uint32_t even = code + (code & 1);
			assert_int_equal(f->from_f32(tie, false), even);
			assert_int_equal(f->from_f32(nextafterf(tie, INFINITY), false), code + 1);
			assert_int_equal(f->from_f32(nextafterf(tie, 0), false), code);
			bool zero = even == 0 && !f->has_negative_zero;
			assert_int_equal(f->from_f32(-tie, false), zero ? 0 : even | sign_bit);
		}
	}
}

static void out_of_range_saturates_or_not(void **state)
{
	(void)state;
	for (size_t r = 0; r < N_ROWS(formats); r++) {
		const format *f = &formats[r];
		bool always = f->nan == NONE, can = f->n_codes == 256 || always;
		uint32_t sign_bit = f->n_codes / 2;
		double largest = value_of(f, f->largest), step = largest - value_of(f, f->largest - 1);
		/* The largest code is odd or even: a tie beyond it stays only when it is even. */
		float inside = nextafterf((float)(largest + step / 2), 0);
		float outside = nextafterf((float)(largest + step / 2), INFINITY);
		assert_int_equal(f->from_f32(inside, false), f->largest);
		const float beyond[] = {outside, FLT_MAX, INFINITY};
		for (size_t i = 0; i < N_ROWS(beyond); i++) {
			uint32_t expected = always ? f->largest : f->infinity != NONE ? f->infinity : f->nan;
			uint32_t negative = expected | sign_bit;
			assert_int_equal(f->from_f32(beyond[i], false), expected);
			assert_int_equal(f->from_f32(-beyond[i], false), negative);
			if (!can)
				continue;
			uint32_t saturated = isinf(beyond[i]) && f->infinity != NONE ? f->infinity : f->largest;
			assert_int_equal(f->from_f32(beyond[i], true), saturated);
			assert_int_equal(f->from_f32(-beyond[i], true), saturated | sign_bit);
		}
		assert_int_equal(f->from_f32(1e-45f, false), 0);
		assert_int_equal(f->from_f32(-0.0f, false), f->has_negative_zero ? sign_bit : 0);
		assert_int_equal(f->from_f32(NAN, true) & (f->nan == NONE ? ~0u : f->nan), always ? 8 : f->nan);
	}
}

static void e8m0_is_a_power_of_two(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 255; c++) {
		float x = f8e8m0_to_f32((uint8_t)c);
		assert_true(x == ldexp(1, (int)c - 127));
		for (int round = F8E8M0_UP; round <= F8E8M0_NEAREST; round++)
			assert_int_equal(f8e8m0_from_f32(x, (enum f8e8m0_round)round, false), c);
	}
	assert_true(isnan(f8e8m0_to_f32(255)));
	static const struct {
		float x;
		uint8_t up, down, nearest, up_free; /* up_free: rounding up, not saturating */
	} rows[] = {
		{1.0f, 127, 127, 127, 127},  {1.25f, 128, 127, 127, 128}, {1.5f, 128, 127, 128, 128},
		{1.75f, 128, 127, 128, 128}, {3.0f, 129, 128, 129, 129},  {0.0f, 0, 0, 0, 255},
		{1e-45f, 0, 0, 0, 255},      {0x1.8p-127f, 1, 0, 1, 1},   {0x1.8p127f, 254, 254, 254, 255},
		{INFINITY, 254, 254, 254, 255}, {NAN, 255, 255, 255, 255},
	};
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		assert_int_equal(f8e8m0_from_f32(rows[r].x, F8E8M0_UP, true), rows[r].up);
		assert_int_equal(f8e8m0_from_f32(rows[r].x, F8E8M0_DOWN, true), rows[r].down);
		assert_int_equal(f8e8m0_from_f32(rows[r].x, F8E8M0_NEAREST, true), rows[r].nearest);
		assert_int_equal(f8e8m0_from_f32(rows[r].x, F8E8M0_UP, false), rows[r].up_free);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_value_and_comes_back),
		cmocka_unit_test(rounding_is_to_nearest_even),
		cmocka_unit_test(out_of_range_saturates_or_not),
		cmocka_unit_test(e8m0_is_a_power_of_two),
	};
	return RUN_TESTS(tests);
}
