#include "ir/tensor_text.h"

#include "support/half.h"
#include "support/vec.h"

#include <math.h>
#include <string.h>

enum {
	LIST_MAX = 32,             /* elements written as numbers; more are written as bytes */
	SPLAT_MAX_BYTES = 1 << 29, /* what a few characters of untrusted text may allocate */
};

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static bool has_nan(const tensor *t, size_t n)
{
	if (dtype_is_float(t->type))
		for (size_t i = 0; i < n; i++)
			if (isnan(tensor_float(t, i)))
				return true;
	return false;
}

static bool is_splat(const tensor *t)
{
	int bits = dtype_table[t->type].bits;
	if (t->type == STRING || t->n_elements <= 1 || bits < 8 || has_nan(t, 1))
		return false;
	size_t step = (size_t)bits / 8;
	return memcmp(t->data, (const char *)t->data + step, t->bytes - step) == 0;
}

static void print_element(str *out, const tensor *t, size_t i)
{
	if (t->type == STRING) {
		slice s = ((const slice *)t->data)[i];
		str_addc(out, '"');
		str_add_escaped(out, s.data, s.len, "\"\\");
		str_addc(out, '"');
	} else if (dtype_is_float(t->type)) {
		str_add_float(out, tensor_float(t, i), t->type != F64);
	} else if (t->type == U64) {
		str_addf(out, "%llu", (unsigned long long)tensor_int(t, i));
	} else {
		str_addf(out, "%lld", (long long)tensor_int(t, i));
	}
}

static void print_list(str *out, const tensor *t)
{
	str_addc(out, '[');
	for (size_t i = 0; i < t->n_elements; i++) {
		if (i)
			str_add(out, ", ");
		print_element(out, t, i);
	}
	str_addc(out, ']');
}

static void print_bytes(str *out, const tensor *t)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = t->data;
	str_add(out, "0x");
	for (size_t i = 0; i < t->bytes; i++) {
		str_addc(out, digits[bytes[i] >> 4]);
		str_addc(out, digits[bytes[i] & 15]);
	}
}

/* Bytes that are no element of the type: they would read back as something else. */
static bool odd_bytes(const tensor *t)
{
	if (has_nan(t, t->n_elements))
		return true;
	if (t->type == BOOL)
		for (size_t i = 0; i < t->n_elements; i++)
			if (((const unsigned char *)t->data)[i] > 1)
				return true;
	return false;
}

void print_tensor_data(str *out, const tensor *t, int max_elements)
{
	bool inline_ok = t->n_elements <= (size_t)(max_elements < 0 ? 0 : max_elements);
	if (t->n_elements == 0) {
		str_add(out, "[]");
	} else if (!t->data) {
		str_add(out, "missing");
	} else if (t->n_elements > LIST_MAX && is_splat(t)) {
		str_add(out, "splat(");
		print_element(out, t, 0);
		str_addc(out, ')');
	} else if (!inline_ok) {
		str_addf(out, "digest(0x%016llx)", (unsigned long long)tensor_hash(t));
	} else if (t->type == STRING || (t->n_elements <= LIST_MAX && !odd_bytes(t))) {
		print_list(out, t);
	} else {
		print_bytes(out, t);
	}
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static uint64_t code_of_float(dtype t, double x)
{
	float f = (float)x;
	uint64_t bits;
	switch ((int)t) {
	case F32: return f32_bits(f);
	case F16: return f16_from_f32(f);
	case BF16: return bf16_from_f32(f);
	case F8E4M3FN: return f8e4m3fn_from_f32(f, false);
	case F8E4M3FNUZ: return f8e4m3fnuz_from_f32(f, false);
	case F8E5M2: return f8e5m2_from_f32(f, false);
	case F8E5M2FNUZ: return f8e5m2fnuz_from_f32(f, false);
	case F8E8M0: return f8e8m0_from_f32(f, F8E8M0_NEAREST, false);
	case F4E2M1: return f4e2m1_from_f32(f);
	default: memcpy(&bits, &x, sizeof bits); return bits;
	}
}

/* An integer that the type can hold, as bits. */
static uint64_t parse_int_code(parser *p, dtype t)
{
	token where = p->tok;
	int bits = t == BOOL ? 1 : dtype_table[t].bits;
	bool is_signed = dtype_table[t].class == CLASS_SINT;
	if (!is_signed) {
		uint64_t n = parse_unsigned(p);
		if (bits < 64 && n >> bits)
			parse_error_at(p, where, "the element is too large for %s", dtype_name(t));
		return n;
	}
	int64_t n = parse_int(p);
	int64_t lowest = bits < 64 ? -((int64_t)1 << (bits - 1)) : INT64_MIN;
	if (n < lowest || n > -(lowest + 1))
		parse_error_at(p, where, "the element does not fit in %s", dtype_name(t));
	return (uint64_t)n;
}

static uint64_t parse_code(parser *p, dtype t)
{
	if (dtype_is_float(t))
		return code_of_float(t, parse_float(p, t != F64));
	if (t == BOOL && (parse_at(p, "true") || parse_at(p, "false"))) {
		bool yes = parse_accept(p, "true");
		return yes || !parse_accept(p, "false");
	}
	return parse_int_code(p, t);
}

/* Packed below 8 bits, low bits first; the bits there are zero before. */
static void put_code(unsigned char *bytes, dtype t, size_t i, uint64_t code)
{
	size_t bits = (size_t)dtype_table[t].bits;
	if (bits < 8) {
		bytes[i * bits / 8] |= (unsigned char)((code & ((1u << bits) - 1)) << (i * bits % 8));
		return;
	}
	for (size_t b = 0; b < bits / 8; b++)
		bytes[i * (bits / 8) + b] = (unsigned char)(code >> (8 * b));
}

static slice parse_string_element(parser *p)
{
	slice s = p->tok.text;
	if (p->tok.kind != TOKEN_STRING)
		parse_error(p, "expected a string, found %s", parse_found(p));
	parse_next(p);
	return s;
}

/* The list is read before its memory is taken, so a short text cannot ask for much. */
static void parse_list(parser *p, tensor *t)
{
	vec(uint64_t) codes = {0};
	vec(slice) strings = {0};
	size_t n = 0;
	token open = p->tok;
	parse_expect(p, "[");
	for (; !parse_accept(p, "]"); n++) {
		if (n)
			parse_expect(p, ",");
		if (n == t->n_elements)
			parse_error(p, "more than %zu elements", t->n_elements);
		if (t->type == STRING)
			vec_push(p->a, &strings, parse_string_element(p));
		else
			vec_push(p->a, &codes, parse_code(p, t->type));
	}
	if (n != t->n_elements)
		parse_error_at(p, open, "%zu elements, expected %zu", n, t->n_elements);
	if (t->type == STRING) {
		slice *data = new_array(p->a, slice, n);
		for (size_t i = 0; i < n; i++)
			data[i] = strings.v[i];
		t->data = data;
		return;
	}
	unsigned char *data = arena_alloc(p->a, t->bytes, 8);
	for (size_t i = 0; i < n; i++)
		put_code(data, t->type, i, codes.v[i]);
	t->data = data;
}

static void parse_splat(parser *p, tensor *t)
{
	token where = p->tok;
	parse_expect(p, "splat");
	parse_expect(p, "(");
	if (t->bytes > SPLAT_MAX_BYTES)
		parse_error_at(p, where, "splat is for up to %d bytes", SPLAT_MAX_BYTES);
	if (t->type == STRING) {
		slice s = parse_string_element(p), *strings = new_array(p->a, slice, t->n_elements);
		for (size_t i = 0; i < t->n_elements; i++)
			strings[i] = s;
		t->data = strings;
		parse_expect(p, ")");
		return;
	}
	uint64_t code = parse_code(p, t->type);
	unsigned char *data = arena_alloc(p->a, t->bytes, 8);
	for (size_t i = 0; i < t->n_elements; i++)
		put_code(data, t->type, i, code);
	t->data = data;
	parse_expect(p, ")");
}

static int hex_value(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

static void parse_bytes(parser *p, tensor *t)
{
	slice s = p->tok.text;
	if (t->type == STRING || s.len < 2 || s.data[1] != 'x')
		parse_error(p, "expected [elements] or 0x bytes, found %s", parse_found(p));
	size_t digits = s.len - 2;
	if (digits / 2 != t->bytes || digits % 2)
		parse_error(p, "%zu hexadecimal digits, expected %zu for %zu bytes", digits, 2 * t->bytes, t->bytes);
	unsigned char *data = arena_alloc(p->a, t->bytes, 8);
	for (size_t i = 0; i < t->bytes; i++)
		data[i] = (unsigned char)(hex_value(s.data[2 + 2 * i]) * 16 + hex_value(s.data[3 + 2 * i]));
	t->data = data;
	parse_next(p);
}

void parse_tensor_data(parser *p, tensor *t)
{
	if (parse_at(p, "["))
		parse_list(p, t);
	else if (parse_at(p, "splat"))
		parse_splat(p, t);
	else if (parse_at(p, "digest"))
		parse_error(p, "a constant printed as a digest cannot be read back; print it with its elements");
	else if (p->tok.kind == TOKEN_INT)
		parse_bytes(p, t);
	else
		parse_error(p, "expected [elements], splat(x) or 0x bytes, found %s", parse_found(p));
}
