/* What importers of quantised operators share. */
#pragma once

#include "frontend/import.h"

bool is_zero(const value *v); /* NULL, or a constant of zeros only */

/* round(x) + zero point, cut to the range of t; x is a float expression, zero (may be NULL) one of type t. */
const expr *quantised(importer *im, const expr *x, const expr *zero, dtype t);

/* x as u8 in steps of `scale` around `zero`, which come from its range together with 0. */
typedef struct dynamic_u8 {
	value *x, *scale, *zero; /* scalars, f32 and u8 */
} dynamic_u8;
dynamic_u8 quantise_dynamically(importer *im, const onnx_node *n, value *x);

/* sum over k of (a - za)(b - zb), in i32; za per row or one, zb per column or one; NULL: 0. */
value *integer_matmul(importer *im, const onnx_node *n, value *a, value *b, value *za, value *zb);
