/* What printing and parsing kernel IR agree on beyond ir/text.h. */
#pragma once

#include "ir/tensor.h"

#include <stdint.h>

/* Constants of more elements are printed as a digest. */
enum { MAX_CONST_SHOWN = 16 };

/* The bits of element i of a numeric tensor, and putting them there. */
static inline uint64_t tensor_code(const tensor *t, size_t i)
{
	int bits = dtype_table[t->type].bits;
	const unsigned char *bytes = t->data;
	if (bits < 8)
		return (uint64_t)bytes[i * (size_t)bits / 8] >> (i * (size_t)bits % 8) & ((1u << bits) - 1);
	uint64_t code = 0;
	size_t n = (size_t)bits / 8;
	for (size_t b = 0; b < n; b++)
		code |= (uint64_t)bytes[i * n + b] << (8 * b);
	return code;
}

/* The bits there are zero before. */
static inline void tensor_put_code(unsigned char *bytes, dtype t, size_t i, uint64_t code)
{
	int bits = dtype_table[t].bits;
	if (bits < 8) {
		code &= (1u << bits) - 1;
		bytes[i * (size_t)bits / 8] |= (unsigned char)(code << (i * (size_t)bits % 8));
		return;
	}
	size_t n = (size_t)bits / 8;
	for (size_t b = 0; b < n; b++)
		bytes[i * n + b] = (unsigned char)(code >> (8 * b));
}
