/* Normalisations: maps and reductions over core ops, in the type of computation (f32 for narrow floats), in forms that keep
 * their precision: softmax subtracts the maximum, variances are means of centred squares.  Row fusion makes one kernel. */
#include "frontend/import_norm.h"

#include "frontend/onnx_attr.h"

#include <string.h>

static value *binary(importer *im, expr_op what, value *x, value *y)
{
	return build_binary(im->graph, what, x, y);
}

static value *square(importer *im, value *x)
{
	const expr *e = operand(im, 0, x);
	return map_as(im, x->type, op2(im, EXPR_MUL, e, e), &x, 1);
}

/* 1 / sqrt(x + epsilon) */
static value *inverse_root(importer *im, value *x, double epsilon)
{
	const expr *e = op1(im, EXPR_SQRT, op2n(im, EXPR_ADD, operand(im, 0, x), epsilon));
	return map_as(im, x->type, op2(im, EXPR_DIV, number(im, e, 1), e), &x, 1);
}

/* x * scale (+ bias), stored as t; scale and bias broadcast and may be NULL. */
static value *scaled(importer *im, value *x, value *scale, value *bias, dtype t)
{
	value *in[3] = {x};
	int n = 1;
	const expr *e = operand(im, 0, x);
	if (scale) {
		e = op2(im, EXPR_MUL, e, expr_cast(im->exprs, e->type, operand(im, n, scale)));
		in[n++] = scale;
	}
	if (bias) {
		e = op2(im, EXPR_ADD, e, expr_cast(im->exprs, e->type, operand(im, n, bias)));
		in[n++] = bias;
	}
	return n == 1 ? narrow(im, x, t) : map_as(im, t, e, in, n);
}

/* ---- softmax ---------------------------------------------------------------------------------------------------------------------- */
/* The axes that are normalised together: one since 13; before, all from `axis` (default 1) on. */
static int softmax_axes(importer *im, const onnx_node *n, const value *x, int *axes)
{
	int64_t given = attr_int(im, n, "axis", n->version < 13 ? 1 : -1);
	if (x->rank == 0 || (n->version < 13 && given == x->rank))
		return 0;
	int axis = axis_in(im, n, given, x->rank);
	if (n->version < 13)
		return axes_from(x, axis, axes);
	axes[0] = axis;
	return 1;
}

value *softmax_over(importer *im, value *x, const int *axes, int count)
{
	value *e = build_unary(im->graph, EXPR_EXP, binary(im, EXPR_SUB, x, build_reduce(im->graph, x, "max", axes, count)));
	return binary(im, EXPR_DIV, e, build_reduce(im->graph, e, "sum", axes, count));
}

/* e / sum(e), or x - m - log(sum(e)), with e = exp(x - m) and m the maximum.  ONNX Softmax-13, LogSoftmax-13. */
static value *softmax(importer *im, const onnx_node *n, bool log)
{
	int axes[MAX_RANK];
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	int count = softmax_axes(im, n, x, axes);
	value *wide = widen(im, x);
	if (!log)
		return narrow(im, softmax_over(im, wide, axes, count), x->type);
	value *below = binary(im, EXPR_SUB, wide, build_reduce(im->graph, wide, "max", axes, count));
	value *sum = build_reduce(im->graph, build_unary(im->graph, EXPR_EXP, below), "sum", axes, count);
	return narrow(im, binary(im, EXPR_SUB, below, build_unary(im->graph, EXPR_LOG, sum)), x->type);
}

value *import_softmax(importer *im, const onnx_node *n) { return softmax(im, n, false); }
value *import_log_softmax(importer *im, const onnx_node *n) { return softmax(im, n, true); }

/* 1 at the first largest element, else 0.  ONNX Hardmax-13. */
value *import_hardmax(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK];
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	int count = softmax_axes(im, n, x, axes), from = count > 0 ? axes[0] : x->rank;
	/* one axis of all that are compared together, in the place of the first */
	sym *shape[MAX_RANK];
	memcpy(shape, x->dims, (size_t)x->rank * sizeof shape[0]);
	int rank = x->rank;
	if (count != 1) {
		shape[from] = product_of(im, x->dims + from, count);
		rank = from + 1;
		if (rank > MAX_RANK)
			refuse(im, n, "rank %d is too high", x->rank);
	}
	value *rows = reshape(im, x, shape, rank), *top = build_reduce(im->graph, rows, "argmax", &from, 1);
	sym *index_shape[MAX_RANK];
	for (int i = 0; i < rank; i++)
		index_shape[i] = i == from ? shape[i] : size(im, 1);
	value *index = build_iota(im->graph, index_shape, rank, from);
	const expr *hit = op2(im, EXPR_EQ, operand(im, 0, top), operand(im, 1, index));
	const expr *e = expr_cast(im->exprs, dtype_table[x->type].compute, hit);
	return reshape(im, map_as(im, x->type, e, (value *[]){top, index}, 2), x->dims, x->rank);
}

/* ---- by mean and variance ------------------------------------------------------------------------------------------------------------ */
typedef struct moments {
	value *mean, *centred, *inverse; /* mean; x - mean; 1 / sqrt(variance + epsilon) */
} moments;

static moments moments_of(importer *im, value *x, const int *axes, int n, double epsilon)
{
	moments m = {.mean = mean_over(im, x, axes, n)};
	m.centred = binary(im, EXPR_SUB, x, m.mean);
	m.inverse = inverse_root(im, mean_over(im, square(im, m.centred), axes, n), epsilon);
	return m;
}

static value *normalised(importer *im, const moments *m) { return binary(im, EXPR_MUL, m->centred, m->inverse); }

static void expect_float_stash(importer *im, const onnx_node *n)
{
	int64_t stash = attr_int(im, n, "stash_type", 1);
	if (stash != 1)
		refuse(im, n, "stash_type=%lld is not supported, only 1 (float)", (long long)stash);
}

/* ONNX LayerNormalization-17. */
value *import_layer_normalization(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK];
	value *x = input(im, n, 0), *scale = input(im, n, 1), *bias = input_or_null(n, 2);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_float_stash(im, n);
	int count = axes_from(x, axis_in(im, n, attr_int(im, n, "axis", -1), x->rank), axes);
	moments m = moments_of(im, widen(im, x), axes, count, attr_float(im, n, "epsilon", 1e-5f));
	set_result(n, 1, m.mean);
	set_result(n, 2, m.inverse);
	if (scale->rank > x->rank || (bias && bias->rank > x->rank))
		refuse(im, n, "scale and bias have higher rank than the input");
	return scaled(im, normalised(im, &m), scale, bias, x->type);
}

/* x / sqrt(mean(x^2) + epsilon) * scale.  ONNX RMSNormalization-23. */
value *import_rms_normalization(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK];
	value *x = input(im, n, 0), *scale = input(im, n, 1), *wide = widen(im, x);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_float_stash(im, n);
	int count = axes_from(x, axis_in(im, n, attr_int(im, n, "axis", -1), x->rank), axes);
	value *mean = mean_over(im, square(im, wide), axes, count);
	value *inverse = inverse_root(im, mean, attr_float(im, n, "epsilon", 1e-5f));
	return scaled(im, binary(im, EXPR_MUL, wide, inverse), scale, NULL, x->type);
}

/* Over the spatial axes of each image and channel.  ONNX InstanceNormalization-22. */
value *import_instance_normalization(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK];
	value *x = input(im, n, 0), *scale = input(im, n, 1), *bias = input(im, n, 2);
	attr_ignore(n, "consumed_inputs");
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 3, MAX_RANK);
	expect_rank(im, n, scale, 1, 1);
	expect_rank(im, n, bias, 1, 1);
	int count = axes_from(x, 2, axes);
	moments m = moments_of(im, widen(im, x), axes, count, attr_float(im, n, "epsilon", 1e-5f));
	value *channel_scale = along_axis(im, scale, 1, x->rank), *channel_bias = along_axis(im, bias, 1, x->rank);
	return scaled(im, normalised(im, &m), channel_scale, channel_bias, x->type);
}

/* Over the channels of a group and all spatial axes; scale and bias per channel, in version 18 per group.
 * ONNX GroupNormalization-21. */
value *import_group_normalization(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *scale = input(im, n, 1), *bias = input(im, n, 2);
	int64_t groups = attr_int_required(im, n, "num_groups");
	int axes[MAX_RANK];
	expect_type(im, n, x, TYPES_FLOAT);
	expect_float_stash(im, n);
	expect_rank(im, n, x, 2, MAX_RANK - 1);
	expect_rank(im, n, scale, 1, 1);
	expect_rank(im, n, bias, 1, 1);
	if (groups < 1 || (sym_is_const(x->dims[1], NULL) && sym_value(x->dims[1]) % groups != 0))
		refuse(im, n, "the channels do not divide into %lld groups", (long long)groups);
	sym *shape[MAX_RANK] = {x->dims[0], size(im, groups), sym_floordiv(x->dims[1], size(im, groups))};
	for (int i = 2; i < x->rank; i++)
		shape[i + 1] = x->dims[i];
	value *grouped = reshape(im, widen(im, x), shape, x->rank + 1);
	int count = axes_from(grouped, 2, axes);
	moments m = moments_of(im, grouped, axes, count, attr_float(im, n, "epsilon", 1e-5f));
	value *y = normalised(im, &m);
	if (n->version < 21) {
		y = scaled(im, y, along_axis(im, scale, 1, y->rank), along_axis(im, bias, 1, y->rank), x->type);
		return reshape(im, y, x->dims, x->rank);
	}
	y = reshape(im, y, x->dims, x->rank);
	return scaled(im, y, along_axis(im, scale, 1, y->rank), along_axis(im, bias, 1, y->rank), x->type);
}

/* (x - mean) / (deviation + 1e-9).  ONNX MeanVarianceNormalization-13. */
value *import_mean_variance_normalization(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *wide = widen(im, x);
	int_list list = attr_ints(im, n, "axes");
	static const int64_t usual[] = {0, 2, 3};
	int axes[MAX_RANK], count = list.given ? list.n : 3;
	expect_type(im, n, x, TYPES_FLOAT);
	if (count > x->rank)
		refuse(im, n, "axes has %d entries for rank %d", count, x->rank);
	for (int i = 0; i < count; i++)
		axes[i] = axis_in(im, n, list.given ? list.v[i] : usual[i], x->rank);
	value *centred = binary(im, EXPR_SUB, wide, mean_over(im, wide, axes, count));
	value *in[] = {centred, mean_over(im, square(im, centred), axes, count)};
	const expr *deviation = op2n(im, EXPR_ADD, op1(im, EXPR_SQRT, operand(im, 1, in[1])), 1e-9);
	return map_as(im, x->type, op2(im, EXPR_DIV, operand(im, 0, in[0]), deviation), in, 2);
}

/* Is the node in training? */
static bool read_mode(importer *im, const onnx_node *n)
{
	bool old = n->version < 7, training = old ? attr_int(im, n, "is_test", 0) == 0 : attr_flag(im, n, "training_mode", false);
	if (old && training && result_wanted(n, 1))
		refuse(im, n, "training is not supported before version 14");
	if (attr_int(im, n, "spatial", 1) != 1)
		refuse(im, n, "spatial=0 is not supported, only 1");
	attr_ignore(n, "momentum");
	attr_ignore(n, "consumed_inputs");
	return training && !old;
}

/* In training: mean and variance are those of x, and results 1 and 2 approach them. */
static void batch_moments(importer *im, const onnx_node *n, value *x, value **mean, value **variance)
{
	int axes[MAX_RANK], count = 0;
	double momentum = attr_float(im, n, "momentum", 0.9f);
	for (int i = 0; i < x->rank; i++)
		if (i != 1)
			axes[count++] = i;
	value *wide = widen(im, x), *m = mean_over(im, wide, axes, count);
	value *now[] = {m, mean_over(im, square(im, binary(im, EXPR_SUB, wide, m)), axes, count)}, **before[] = {mean, variance};
	for (int i = 0; i < 2; i++) {
		value *in[] = {*before[i], reshape(im, now[i], x->dims + 1, 1)};
		const expr *kept = op2n(im, EXPR_MUL, operand(im, 0, in[0]), momentum);
		const expr *added = op2n(im, EXPR_MUL, expr_cast(im->exprs, kept->type, operand(im, 1, in[1])), 1 - momentum);
		set_result(n, 1 + i, map_as(im, n->in[3 + i]->type, expr_cast(im->exprs, dtype_table[n->in[3 + i]->type].compute,
			   op2(im, EXPR_ADD, kept, added)), in, 2));
		*before[i] = in[1];
	}
}

/* x * a + b with a = scale / sqrt(variance + epsilon) and b = bias - mean * a, which fold when they are constants.
 * ONNX BatchNormalization-15. */
value *import_batch_normalization(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *in[4];
	bool training = read_mode(im, n);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 1, MAX_RANK);
	for (int i = 0; i < 4; i++) {
		in[i] = widen(im, input(im, n, i + 1));
		expect_type(im, n, in[i], TYPES_FLOAT);
		expect_rank(im, n, in[i], 1, 1);
	}
	dtype wide = dtype_table[x->type].compute;
	value *scale = in[0], *bias = in[1], *mean = in[2], *variance = in[3];
	if (training)
		batch_moments(im, n, x, &mean, &variance);
	const expr *root = op1(im, EXPR_SQRT, op2n(im, EXPR_ADD, operand(im, 1, variance), attr_float(im, n, "epsilon", 1e-5f)));
	const expr *ratio = op2(im, EXPR_DIV, expr_cast(im->exprs, root->type, operand(im, 0, scale)), root);
	value *a = map_as(im, wide, expr_cast(im->exprs, wide, ratio), (value *[]){scale, variance}, 2);
	const expr *moved = op2(im, EXPR_MUL, expr_cast(im->exprs, wide, operand(im, 1, mean)), operand(im, 2, a));
	const expr *rest = op2(im, EXPR_SUB, expr_cast(im->exprs, wide, operand(im, 0, bias)), moved);
	value *b = map_as(im, wide, rest, (value *[]){bias, mean, a}, 3);
	if (x->rank == 1)
		return scaled(im, x, a, b, x->type);
	return scaled(im, x, along_axis(im, a, 1, x->rank), along_axis(im, b, 1, x->rank), x->type);
}

/* ---- by norms ------------------------------------------------------------------------------------------------------------------------- */
/* x / (bias + alpha / size * sum of the squares of `size` neighbouring channels)^beta.  ONNX LRN-13. */
value *import_lrn(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *wide = widen(im, x);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 2, MAX_RANK);
	double alpha = attr_float(im, n, "alpha", 1e-4f), beta = attr_float(im, n, "beta", 0.75f);
	double bias = attr_float(im, n, "bias", 1);
	int64_t window = attr_int_required(im, n, "size");
	if (window < 1 || window > INT32_MAX)
		refuse(im, n, "size is %lld, must be positive", (long long)window);
	/* [N, channels, rest]: a window over the axis of channels */
	sym *shape[] = {x->dims[0], x->dims[1], product_of(im, x->dims + 2, x->rank - 2)};
	sym *lo[] = {size(im, (window - 1) / 2), size(im, 0)};
	value *squares = square(im, reshape(im, wide, shape, 3));
	attr attrs[] = {
		attr_of_word("op", "sum"),
		attr_of_ints(im->graph, "kernel", (int64_t[]){window, 1}, 2),
		attr_of_syms(im->graph, "lo", lo, 2),
		attr_of_syms(im->graph, "shape", shape + 1, 2),
	};
	value *sum = build(im->graph, OP_REDUCE_WINDOW, &squares, 1, attrs, 4);
	value *in[] = {wide, reshape(im, sum, x->dims, x->rank)};
	const expr *base = op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, operand(im, 1, in[1]), alpha / (double)window), bias);
	const expr *e = op2(im, EXPR_DIV, operand(im, 0, wide), op2n(im, EXPR_POW, base, beta));
	return map_as(im, x->type, e, in, 2);
}

/* x / norm along one axis; where the norm is 0, 0.  ONNX LpNormalization-22. */
value *import_lp_normalization(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *wide = widen(im, x);
	expect_type(im, n, x, TYPES_FLOAT);
	int axis = axis_in(im, n, attr_int(im, n, "axis", -1), x->rank);
	int64_t p = attr_int(im, n, "p", 2);
	if (p != 1 && p != 2)
		refuse(im, n, "p is %lld, must be 1 or 2", (long long)p);
	value *terms = p == 1 ? build_unary(im->graph, EXPR_ABS, wide) : square(im, wide);
	value *in[] = {wide, build_reduce(im->graph, terms, "sum", &axis, 1)};
	const expr *sum = operand(im, 1, in[1]), *norm = p == 1 ? sum : op1(im, EXPR_SQRT, sum), *e = operand(im, 0, wide);
	const expr *zero = op2n(im, EXPR_EQ, sum, 0);
	return map_as(im, x->type, choose_if(im, zero, number(im, e, 0), op2(im, EXPR_DIV, e, norm)), in, 2);
}
