/* Quantised operators: integer contractions and convolutions, with maps around them.
 *
 * The product of (a - za) and (b - zb) is taken over the stored 8-bit integers; zero points become corrections of rank one,
 *   sum (a - za)(b - zb) = sum ab - za sum b - zb sum a + K za zb        (exact: 32-bit arithmetic wraps)
 * so that dot-product instructions apply and everything that depends on weights alone folds.  A zero point that is
 * constant 0 makes no correction. */
#include "frontend/import_quant.h"

#include "frontend/import_conv.h"
#include "frontend/import_matmul.h"
#include "frontend/onnx_attr.h"

#include <string.h>

/* ---- zero points and scales -------------------------------------------------------------------------------------------------------- */
bool is_zero(const value *v)
{
	const tensor *t = v ? constant_of(v) : NULL;
	if (!v)
		return true;
	for (size_t i = 0; t && i < t->n_elements; i++)
		if (tensor_float(t, i) != 0)
			return false;
	return t != NULL;
}

static value *as_i32(importer *im, value *v) { return v->type == I32 ? v : build_cast(im->graph, I32, v); }

/* Every element `block` times along the axis, cut to the size of x: the scale of each element of x. */
static value *repeat_blocks(importer *im, const onnx_node *n, value *v, const value *x, int axis, int64_t block)
{
	sym *apart[MAX_RANK], *wide[MAX_RANK], *joined[MAX_RANK], *zeros[MAX_RANK];
	int64_t steps[MAX_RANK];
	if (x->rank >= MAX_RANK)
		refuse(im, n, "rank %d is too high for blocks", x->rank);
	for (int i = 0, k = 0; i < x->rank; i++, k++) {
		apart[k] = wide[k] = joined[i] = v->dims[i];
		zeros[i] = size(im, 0);
		steps[i] = 1;
		if (i != axis)
			continue;
		joined[i] = sym_muli(v->dims[i], block);
		apart[++k] = size(im, 1);
		wide[k] = size(im, block);
	}
	v = reshape(im, v, apart, x->rank + 1);
	v = reshape(im, build_expand(im->graph, v, wide, x->rank + 1), joined, x->rank);
	return build_slice(im->graph, v, zeros, steps, x->dims);
}

/* A scale or zero point of x as something that broadcasts with it: one number, one per index of `axis`, or blocks. */
static value *aligned(importer *im, const onnx_node *n, value *v, const value *x)
{
	int64_t axis = attr_int(im, n, "axis", 1), block = attr_int(im, n, "block_size", 0);
	if (!v || v->rank == 0 || (v->rank == 1 && sym_is(v->dims[0], 1) && block == 0))
		return v ? reshape(im, v, NULL, 0) : NULL;
	int at = axis_in(im, n, axis, x->rank);
	if (v->rank == 1 && block == 0)
		return along_axis(im, v, at, x->rank);
	if (block < 1 || block > INT32_MAX || v->rank != x->rank)
		refuse(im, n, "a scale of rank %d for an input of rank %d needs block_size", v->rank, x->rank);
	return repeat_blocks(im, n, v, x, at, block);
}

/* ---- QuantizeLinear, DequantizeLinear ------------------------------------------------------------------------------------------------- */
/* The range of an integer type. */
static void integer_range(dtype t, double *lo, double *hi)
{
	int bits = dtype_table[t].bits;
	bool is_signed = dtype_table[t].class == CLASS_SINT;
	*lo = is_signed ? -(double)(INT64_C(1) << (bits - 1)) : 0;
	*hi = is_signed ? (double)((INT64_C(1) << (bits - 1)) - 1) : (double)((INT64_C(1) << bits) - 1);
}

/* Float types round as they are stored. */
const expr *quantised(importer *im, const expr *x, const expr *zero, dtype t)
{
	if (dtype_is_float(t)) {
		x = zero ? op2(im, EXPR_ADD, x, expr_cast(im->exprs, x->type, zero)) : x;
		if (t == F8E5M2) /* infinities would be stored as such */
			x = op2n(im, EXPR_MIN, op2n(im, EXPR_MAX, x, -57344), 57344);
		return expr_cast(im->exprs, dtype_table[t].compute, x);
	}
	double lo, hi;
	integer_range(t, &lo, &hi);
	const expr *e = op1(im, EXPR_ROUND, x);
	if (zero)
		e = op2(im, EXPR_ADD, e, expr_cast(im->exprs, e->type, zero));
	e = op2n(im, EXPR_MIN, op2n(im, EXPR_MAX, e, lo), hi);
	return expr_cast(im->exprs, dtype_table[t].compute, e);
}

/* ONNX QuantizeLinear-28. */
value *import_quantize_linear(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *scale = input(im, n, 1), *zero = input_or_null(n, 2);
	dtype to = attr_dtype(im, n, "output_dtype", zero ? zero->type : U8);
	dtype type = attr_dtype(im, n, "precision", F32);
	expect_type(im, n, x, TYPES_NUMBER);
	expect_type(im, n, scale, TYPES_FLOAT);
	if (zero && zero->type != to)
		refuse(im, n, "the zero point is %s, the output %s", dtype_name(zero->type), dtype_name(to));
	if ((dtype_is_int(to) && dtype_table[to].bits > 16) || (dtype_is_float(to) && dtype_table[to].bits > 8))
		refuse(im, n, "to %s is not supported", dtype_name(to));
	if (!attr_flag(im, n, "saturate", true) && dtype_is_float(to))
		refuse(im, n, "saturate=0 is not supported, only 1");
	value *in[] = {x, aligned(im, n, scale, x), is_zero(zero) ? NULL : aligned(im, n, zero, x)};
	type = type == F64 ? F64 : F32;
	const expr *ratio = op2(im, EXPR_DIV, expr_cast(im->exprs, type, operand(im, 0, x)),
				expr_cast(im->exprs, type, operand(im, 1, in[1])));
	const expr *offset = in[2] ? operand(im, 2, in[2]) : NULL;
	return map_as(im, to, quantised(im, ratio, offset, to), in, in[2] ? 3 : 2);
}

/* (x - zero point) * scale.  ONNX DequantizeLinear-28. */
value *import_dequantize_linear(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *scale = input(im, n, 1), *zero = input_or_null(n, 2);
	dtype to = attr_dtype(im, n, "output_dtype", scale->type);
	expect_type(im, n, x, TYPES_NUMBER);
	expect_type(im, n, scale, TYPES_FLOAT);
	if (!dtype_is_float(to))
		refuse(im, n, "output_dtype is %s, must be floating point", dtype_name(to));
	if (zero)
		expect_same_type(im, n, x, zero);
	value *in[] = {x, aligned(im, n, scale, x), is_zero(zero) ? NULL : aligned(im, n, zero, x)};
	dtype type = dtype_table[to].compute, exact = dtype_is_float(x->type) ? type : I32;
	const expr *e = expr_cast(im->exprs, exact, operand(im, 0, x));
	if (in[2])
		e = op2(im, EXPR_SUB, e, expr_cast(im->exprs, exact, operand(im, 2, in[2])));
	e = op2(im, EXPR_MUL, expr_cast(im->exprs, type, e), expr_cast(im->exprs, type, operand(im, 1, in[1])));
	return map_as(im, to, e, in, in[2] ? 3 : 2);
}

dynamic_u8 quantise_dynamically(importer *im, const onnx_node *n, value *x)
{
	int axes[MAX_RANK];
	if (x->type != F32)
		refuse(im, n, "the input is %s, must be f32", dtype_name(x->type));
	int count = axes_from(x, 0, axes);
	value *range[] = {reduce_axes(im, x, "min", axes, count, false), reduce_axes(im, x, "max", axes, count, false)};
	const expr *lo = op2n(im, EXPR_MIN, operand(im, 0, range[0]), 0), *hi = op2n(im, EXPR_MAX, operand(im, 1, range[1]), 0);
	const expr *width = op2(im, EXPR_SUB, hi, lo);
	const expr *step = choose_if(im, op2n(im, EXPR_EQ, width, 0), number(im, width, 1), op2n(im, EXPR_DIV, width, 255));
	dynamic_u8 q = {.scale = map_as(im, F32, step, range, 2)};
	value *from[] = {range[0], q.scale};
	const expr *low = op2n(im, EXPR_MIN, operand(im, 0, range[0]), 0);
	const expr *offset = op2(im, EXPR_DIV, op1(im, EXPR_NEG, low), operand(im, 1, q.scale));
	q.zero = map_as(im, U8, quantised(im, offset, NULL, U8), from, 2);
	value *in[] = {x, q.scale, q.zero};
	const expr *ratio = op2(im, EXPR_DIV, operand(im, 0, x), operand(im, 1, q.scale));
	q.x = map_as(im, U8, quantised(im, ratio, operand(im, 2, q.zero), U8), in, 3);
	return q;
}

/* ONNX DynamicQuantizeLinear-11. */
value *import_dynamic_quantize_linear(importer *im, const onnx_node *n)
{
	dynamic_u8 q = quantise_dynamically(im, n, input(im, n, 0));
	set_result(n, 1, q.scale);
	set_result(n, 2, q.zero);
	return q.x;
}

/* ---- products of 8-bit integers ----------------------------------------------------------------------------------------------------------- */
static void expect_8bit(importer *im, const onnx_node *n, const value *v)
{
	if (v->type != I8 && v->type != U8)
		refuse(im, n, "an input is %s, must be i8 or u8", dtype_name(v->type));
}

/* One number, or one per row: [M] becomes [M,1], to broadcast over a product [.., M, N]. */
static value *per_row(importer *im, value *v)
{
	if (v->rank != 1)
		return v;
	if (sym_is(v->dims[0], 1))
		return reshape(im, v, NULL, 0);
	sym *shape[] = {v->dims[0], size(im, 1)};
	return reshape(im, v, shape, 2);
}

static value *subtract_product(importer *im, value *y, value *a, value *b)
{
	const expr *product = op2(im, EXPR_MUL, expr_cast(im->exprs, I32, operand(im, 1, a)),
				  expr_cast(im->exprs, I32, operand(im, 2, b)));
	return map_as(im, I32, op2(im, EXPR_SUB, operand(im, 0, y), product), (value *[]){y, a, b}, 3);
}

/* Sums over one axis, which stays. */
static value *sums(importer *im, value *v, int axis) { return build_reduce(im->graph, as_i32(im, v), "sum", &axis, 1); }

value *integer_matmul(importer *im, const onnx_node *n, value *a, value *b, value *za, value *zb)
{
	expect_8bit(im, n, a);
	expect_8bit(im, n, b);
	value *y = matmul(im, n, a, b);
	bool plain = a->rank >= 2 && b->rank >= 2;
	za = is_zero(za) ? NULL : za;
	zb = is_zero(zb) ? NULL : zb;
	if ((za || zb) && !plain)
		refuse(im, n, "zero points of vectors are not supported");
	if (za)
		za = per_row(im, za);
	if (zb && zb->rank == 1 && sym_is(zb->dims[0], 1))
		zb = reshape(im, zb, NULL, 0);
	if (za)
		y = subtract_product(im, y, za, sums(im, b, b->rank - 2));
	if (zb)
		y = subtract_product(im, y, zb, sums(im, a, a->rank - 1));
	if (!za || !zb)
		return y;
	const expr *both = op2(im, EXPR_MUL, expr_cast(im->exprs, I32, operand(im, 1, za)),
			       expr_cast(im->exprs, I32, operand(im, 2, zb)));
	const expr *k = sym_number(im, a->dims[a->rank - 1], I32);
	const expr *e = op2(im, EXPR_ADD, operand(im, 0, y), op2(im, EXPR_MUL, both, k));
	return map_as(im, I32, e, (value *[]){y, za, zb}, 3);
}

/* ONNX MatMulInteger-10. */
value *import_matmul_integer(importer *im, const onnx_node *n)
{
	return integer_matmul(im, n, input(im, n, 0), input(im, n, 1), input_or_null(n, 2), input_or_null(n, 3));
}

/* Does every element equal `number`? */
static bool is_constant(const value *v, int64_t wanted)
{
	const tensor *t = constant_of(v);
	for (size_t i = 0; t && i < t->n_elements; i++)
		if (tensor_int(t, i) != wanted)
			return false;
	return t != NULL;
}

/* (v - zero) in i32; zero is one number, or one per index of axis 0 of v. */
static value *centred(importer *im, value *v, value *zero)
{
	if (!zero)
		return as_i32(im, v);
	value *in[] = {v, zero->rank == 1 && sym_is(zero->dims[0], 1) ? reshape(im, zero, NULL, 0) : along_axis(im, zero, 0, v->rank)};
	const expr *e = op2(im, EXPR_SUB, expr_cast(im->exprs, I32, operand(im, 0, v)),
			    expr_cast(im->exprs, I32, operand(im, 1, in[1])));
	return map_as(im, I32, e, in, 2);
}

/* u8 weights around 128 are i8 weights around 0. */
static value *recentred(importer *im, value *weights)
{
	const expr *e = op2n(im, EXPR_SUB, expr_cast(im->exprs, I32, operand(im, 0, weights)), 128);
	return map_as(im, I8, expr_cast(im->exprs, I8, e), &weights, 1);
}

/* x with its border of zero points, which then need no special treatment. */
static value *with_border(importer *im, value *x, value *zero, const windows *w)
{
	sym *lo[MAX_RANK], *hi[MAX_RANK];
	for (int i = 0; i < x->rank; i++) {
		lo[i] = i < 2 ? size(im, 0) : w->lo[i - 2];
		hi[i] = i < 2 ? size(im, 0) : w->hi[i - 2];
	}
	return build_pad(im->graph, x, lo, hi, "constant", reshape(im, zero, NULL, 0));
}

/* The convolution of (x - zx) with (w - zw), in i32. */
static value *integer_convolution(importer *im, const onnx_node *n, value *x, value *weights, value *zx, value *zw)
{
	expect_8bit(im, n, x);
	expect_8bit(im, n, weights);
	expect_rank(im, n, x, 3, MAX_RANK);
	expect_rank(im, n, weights, x->rank, x->rank);
	zx = is_zero(zx) ? NULL : zx;
	zw = is_zero(zw) ? NULL : zw;
	if (zx && !sym_is(product_of(im, zx->dims, zx->rank), 1))
		refuse(im, n, "the zero point of the input must be one number");
	if (zw && weights->type == U8 && is_constant(zw, 128)) {
		weights = recentred(im, weights);
		zw = NULL;
	}
	if (zw)
		return convolve(im, n, centred(im, x, zx), centred(im, weights, zw), NULL);
	if (!zx)
		return convolve(im, n, x, weights, NULL);
	windows w;
	int axes[MAX_RANK], count = axes_from(weights, 1, axes);
	for (int s = 0; s < x->rank - 2; s++)
		w.kernel[s] = weights->dims[2 + s];
	windows_of(im, n, x, &w);
	attr_ignore(n, "kernel_shape");
	attr attrs[] = {
		attr_of_ints(im->graph, "strides", w.strides, w.n),
		attr_of_ints(im->graph, "dilations", w.dilations, w.n),
		attr_of_int("group", attr_int(im, n, "group", 1)),
	};
	value *in[] = {with_border(im, x, zx, &w), weights};
	value *y = build(im->graph, OP_CONV, in, 2, attrs, 3);
	value *per_channel = reduce_axes(im, as_i32(im, weights), "sum", axes, count, false);
	return subtract_product(im, y, reshape(im, zx, NULL, 0), along_axis(im, per_channel, 1, x->rank));
}

/* ONNX ConvInteger-10. */
value *import_conv_integer(importer *im, const onnx_node *n)
{
	return integer_convolution(im, n, input(im, n, 0), input(im, n, 1), input_or_null(n, 2), input_or_null(n, 3));
}

/* ---- requantisation --------------------------------------------------------------------------------------------------------------------------- */
/* saturate(round(y * (sa * sb / sy)) + zy); y holds i32. */
static value *requantised(importer *im, const onnx_node *n, value *y, value *sa, value *sb, value *sy, value *zy)
{
	value *in[] = {y, sa, sb, sy, zy};
	for (int i = 1; i <= 3; i++)
		expect_type(im, n, in[i], TYPES_FLOAT);
	expect_8bit(im, n, zy);
	const expr *scale = op2(im, EXPR_MUL, expr_cast(im->exprs, F32, operand(im, 1, sa)),
				expr_cast(im->exprs, F32, operand(im, 2, sb)));
	scale = op2(im, EXPR_DIV, scale, expr_cast(im->exprs, F32, operand(im, 3, sy)));
	const expr *e = op2(im, EXPR_MUL, expr_cast(im->exprs, F32, operand(im, 0, y)), scale);
	return map_as(im, zy->type, quantised(im, e, operand(im, 4, zy), zy->type), in, 5);
}

static value *one_number(importer *im, const onnx_node *n, value *v)
{
	if (!sym_is(product_of(im, v->dims, v->rank), 1))
		refuse(im, n, "scale and zero point of the output must be one number");
	return reshape(im, v, NULL, 0);
}

/* A scale per column, one, or in the full rank of the product. */
static value *per_column(importer *im, value *v)
{
	return v->rank == 1 && sym_is(v->dims[0], 1) ? reshape(im, v, NULL, 0) : v;
}

/* ONNX QLinearMatMul-21. */
value *import_qlinear_matmul(importer *im, const onnx_node *n)
{
	value *a = input(im, n, 0), *b = input(im, n, 3);
	value *y = integer_matmul(im, n, a, b, input(im, n, 2), input(im, n, 5));
	value *sy = one_number(im, n, input(im, n, 6)), *zy = one_number(im, n, input(im, n, 7));
	return requantised(im, n, y, per_row(im, input(im, n, 1)), per_column(im, input(im, n, 4)), sy, zy);
}

/* ONNX QLinearConv-10. */
value *import_qlinear_conv(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *weights = input(im, n, 3), *bias = input_or_null(n, 8), *sw = input(im, n, 4);
	value *y = integer_convolution(im, n, x, weights, input(im, n, 2), input(im, n, 5));
	if (bias && (bias->type != I32 || bias->rank != 1))
		refuse(im, n, "the bias is %s of rank %d, must be i32 of rank 1", dtype_name(bias->type), bias->rank);
	if (bias)
		y = build_binary(im->graph, EXPR_ADD, y, along_axis(im, bias, 1, y->rank));
	sw = sw->rank == 1 && sym_is(sw->dims[0], 1) ? reshape(im, sw, NULL, 0) : along_axis(im, sw, 1, y->rank);
	value *sy = one_number(im, n, input(im, n, 6)), *zy = one_number(im, n, input(im, n, 7));
	return requantised(im, n, y, one_number(im, n, input(im, n, 1)), sw, sy, zy);
}
