/* The elements of a constant in text:
 *
 *   [1.0, -2.5]      numbers in row-major order (strings in quotes), when they are few
 *   splat(0.5)       all elements the same
 *   0x0000803f...    the bytes as they lie in memory, two digits each
 *   digest(0x...)    stands for more elements than are to be printed; cannot be read back */
#pragma once

#include "ir/tensor.h"
#include "ir/text.h"

void print_tensor_data(str *out, const tensor *t, int max_elements);
/* Fills t, whose type and dims are set (tensor_init), from the next tokens. */
void parse_tensor_data(parser *p, tensor *t);
