/* Sliding windows: convolutions and pooling. */
#include "frontend/onnx_attr.h"

#include "frontend/import_conv.h"

#include <string.h>

/* ---- geometry ---------------------------------------------------------------------------------------------------------------- */
/* Cells that a window covers along one axis, holes included. */
static sym *span_of(const windows *w, int s)
{
	return sym_addi(sym_muli(sym_addi(w->kernel[s], -1), w->dilations[s]), 1);
}

/* So much padding that the output has ceil(in / stride) elements; the odd one goes to the end, or to the start (LOWER). */
static void pad_same(importer *im, windows *w, int s, sym *in, bool lower)
{
	sym *out = sym_ceildiv(in, size(im, w->strides[s]));
	sym *reach = sym_add(sym_muli(sym_addi(out, -1), w->strides[s]), span_of(w, s));
	sym *total = sym_max(sym_sub(reach, in), size(im, 0));
	sym *half = sym_divi(total, 2), *rest = sym_sub(total, half);
	w->lo[s] = lower ? rest : half;
	w->hi[s] = lower ? half : rest;
}

/* Attributes kernel_shape (read by the caller into w->kernel), strides, dilations, pads and auto_pad. */
void windows_of(importer *im, const onnx_node *n, const value *x, windows *w)
{
	w->n = x->rank - 2;
	w->strides = attr_ints_or(im, n, "strides", w->n, 1, 1);
	w->dilations = attr_ints_or(im, n, "dilations", w->n, 1, 1);
	const int64_t *pads = attr_ints_or(im, n, "pads", 2 * w->n, -INT32_MAX, 0);
	w->auto_pad = attr_word(im, n, "auto_pad", "NOTSET SAME_UPPER SAME_LOWER VALID");
	for (int s = 0; s < w->n; s++) {
		bool explicit_pads = w->auto_pad[0] == 'N';
		w->lo[s] = size(im, explicit_pads ? pads[s] : 0);
		w->hi[s] = size(im, explicit_pads ? pads[w->n + s] : 0);
		if (w->auto_pad[0] == 'S')
			pad_same(im, w, s, x->dims[2 + s], strcmp(w->auto_pad, "SAME_LOWER") == 0);
	}
}

/* The kernel from the weights' dims, which kernel_shape must agree with. */
static void kernel_of_weights(importer *im, const onnx_node *n, const value *weights, windows *w)
{
	int_list given = attr_ints(im, n, "kernel_shape");
	for (int s = 0; s < weights->rank - 2; s++)
		w->kernel[s] = weights->dims[2 + s];
	if (given.given && given.n != weights->rank - 2)
		refuse(im, n, "kernel_shape has %d entries for weights of rank %d", given.n, weights->rank);
	for (int s = 0; s < given.n; s++)
		if (sym_is_const(w->kernel[s], NULL) && !sym_is(w->kernel[s], given.v[s]))
			refuse(im, n, "kernel_shape has %lld on axis %d, the weights have %lld", (long long)given.v[s], s,
			       (long long)sym_value(w->kernel[s]));
}

static void expect_image(importer *im, const onnx_node *n, const value *x, const value *weights)
{
	expect_rank(im, n, x, 3, MAX_RANK);
	if (weights->rank != x->rank)
		refuse(im, n, "the input has rank %d, the weights %d, must be equal", x->rank, weights->rank);
}

/* ---- convolutions ------------------------------------------------------------------------------------------------------------- */
/* The convolution of x with `weights` as the node's attributes say; bias may be NULL. */
value *convolve(importer *im, const onnx_node *n, value *x, value *weights, value *bias)
{
	windows w;
	expect_image(im, n, x, weights);
	kernel_of_weights(im, n, weights, &w);
	windows_of(im, n, x, &w);
	attr attrs[] = {
		attr_of_ints(im->graph, "strides", w.strides, w.n),
		attr_of_ints(im->graph, "dilations", w.dilations, w.n),
		attr_of_syms(im->graph, "lo", w.lo, w.n),
		attr_of_syms(im->graph, "hi", w.hi, w.n),
		attr_of_int("group", attr_int(im, n, "group", 1)),
	};
	return build(im->graph, OP_CONV, (value *[]){x, weights, bias}, bias ? 3 : 2, attrs, 5);
}

/* ONNX Conv-22. */
value *import_conv(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *weights = input(im, n, 1), *bias = input_or_null(n, 2);
	expect_inputs(im, n, 3);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_same_type(im, n, x, weights);
	if (bias)
		expect_same_type(im, n, x, bias);
	return convolve(im, n, x, weights, bias);
}

/* Paddings from a wanted size: what is too much is cut off at both ends, the odd one at the end for SAME_UPPER. */
static void cut_to(importer *im, windows *w, int s, sym *full, sym *out)
{
	sym *total = sym_max(sym_sub(full, out), size(im, 0)), *half = sym_divi(total, 2);
	bool upper = strcmp(w->auto_pad, "SAME_UPPER") == 0;
	w->lo[s] = upper ? half : sym_sub(total, half);
}

/* ONNX ConvTranspose-22. */
value *import_conv_transpose(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *weights = input(im, n, 1), *bias = input_or_null(n, 2);
	windows w;
	expect_type(im, n, x, TYPES_FLOAT);
	expect_same_type(im, n, x, weights);
	expect_image(im, n, x, weights);
	kernel_of_weights(im, n, weights, &w);
	windows_of(im, n, x, &w);
	const int64_t *extra = attr_ints_or(im, n, "output_padding", w.n, 0, 0);
	int_list wanted = attr_ints(im, n, "output_shape");
	int skip = wanted.n == x->rank ? 2 : 0; /* some exporters write N and C too */
	if (wanted.given && wanted.n - skip != w.n)
		refuse(im, n, "output_shape has %d entries, needs %d", wanted.n, w.n);
	sym *shape[MAX_RANK];
	for (int s = 0; s < w.n; s++) {
		sym *in = x->dims[2 + s];
		sym *full = sym_add(sym_muli(sym_addi(in, -1), w.strides[s]), sym_addi(span_of(&w, s), extra[s]));
		if (wanted.given)
			shape[s] = size(im, wanted.v[s + skip]);
		else if (w.auto_pad[0] == 'S')
			shape[s] = sym_muli(in, w.strides[s]);
		else
			shape[s] = sym_sub(full, sym_add(w.lo[s], w.hi[s]));
		if (wanted.given || w.auto_pad[0] == 'S')
			cut_to(im, &w, s, full, shape[s]);
	}
	attr attrs[] = {
		attr_of_ints(im->graph, "strides", w.strides, w.n),
		attr_of_ints(im->graph, "dilations", w.dilations, w.n),
		attr_of_syms(im->graph, "lo", w.lo, w.n),
		attr_of_int("group", attr_int(im, n, "group", 1)),
		attr_of_syms(im->graph, "shape", shape, w.n),
	};
	return build(im->graph, OP_CONV_TRANSPOSE, (value *[]){x, weights, bias}, bias ? 3 : 2, attrs, 5);
}

/* ---- pooling -------------------------------------------------------------------------------------------------------------------- */
/* Sizes of the pooled axes.  With ceil_mode the last window may hang over the end, but must begin before it. */
static void pooled_shape(importer *im, windows *w, const value *x, bool ceil_mode, sym **shape)
{
	for (int s = 0; s < w->n; s++) {
		sym *in = x->dims[2 + s], *stride = size(im, w->strides[s]);
		if (w->auto_pad[0] == 'S') {
			shape[s] = sym_ceildiv(in, stride);
			continue;
		}
		sym *begun = sym_add(in, w->lo[s]), *room = sym_sub(sym_add(begun, w->hi[s]), span_of(w, s));
		if (ceil_mode)
			shape[s] = sym_addi(sym_min(sym_ceildiv(room, stride), sym_floordiv(sym_addi(begun, -1), stride)), 1);
		else
			shape[s] = sym_addi(sym_floordiv(room, stride), 1);
	}
}

static const int64_t *kernel_required(importer *im, const onnx_node *n, const value *x, windows *w)
{
	expect_rank(im, n, x, 3, MAX_RANK);
	if (!attr_given(n, "kernel_shape"))
		refuse(im, n, "attribute kernel_shape is missing");
	const int64_t *kernel = attr_ints_or(im, n, "kernel_shape", x->rank - 2, 1, 1);
	for (int s = 0; s < x->rank - 2; s++)
		w->kernel[s] = size(im, kernel[s]);
	return kernel;
}

typedef struct pooling {
	windows w;
	const int64_t *kernel;
	sym *shape[MAX_RANK];
} pooling;

static pooling pooling_of(importer *im, const onnx_node *n, const value *x)
{
	pooling p;
	p.kernel = kernel_required(im, n, x, &p.w);
	windows_of(im, n, x, &p.w);
	pooled_shape(im, &p.w, x, attr_flag(im, n, "ceil_mode", false), p.shape);
	return p;
}

static value *pool(importer *im, const pooling *p, value *x, const char *fold, bool count_pad)
{
	attr attrs[] = {
		attr_of_word("op", fold),
		attr_of_ints(im->graph, "kernel", p->kernel, p->w.n),
		attr_of_ints(im->graph, "strides", p->w.strides, p->w.n),
		attr_of_ints(im->graph, "dilations", p->w.dilations, p->w.n),
		attr_of_syms(im->graph, "lo", p->w.lo, p->w.n),
		attr_of_syms(im->graph, "shape", p->shape, p->w.n),
		attr_of_syms(im->graph, "hi", p->w.hi, p->w.n),
		attr_of_int("count_pad", 1),
	};
	return build(im->graph, OP_REDUCE_WINDOW, &x, 1, attrs, count_pad ? 8 : 6);
}

/* Where in x the element of each window's tap number lies, counted row-major, or by `columns` with the first spatial axis
 * fastest; batch and channel outermost. */
static value *tap_positions(importer *im, const pooling *p, const value *x, value *taps, bool columns)
{
	value *in[MAX_RANK + 1] = {taps};
	const expr *index[MAX_RANK] = {NULL}, *rest = operand(im, 0, taps);
	int rank = x->rank;
	for (int i = 0; i < rank; i++) {
		sym *shape[MAX_RANK];
		for (int k = 0; k < rank; k++)
			shape[k] = k == i ? taps->dims[i] : size(im, 1);
		in[i + 1] = build_iota(im->graph, shape, rank, i);
		index[i] = operand(im, i + 1, in[i + 1]);
	}
	for (int s = p->w.n; s-- > 0;) {
		const expr *tap = op2n(im, EXPR_MUL, op2n(im, EXPR_MOD, rest, (double)p->kernel[s]), (double)p->w.dilations[s]);
		const expr *start = op2(im, EXPR_SUB, op2n(im, EXPR_MUL, index[s + 2], (double)p->w.strides[s]),
					expr_index(im->exprs, p->w.lo[s]));
		index[s + 2] = op2(im, EXPR_ADD, start, tap);
		rest = op2n(im, EXPR_DIV, rest, (double)p->kernel[s]);
	}
	const expr *e = index[0];
	for (int i = 1; i < rank; i++) {
		int axis = columns && i >= 2 ? rank + 1 - i : i;
		e = op2(im, EXPR_ADD, op2(im, EXPR_MUL, e, expr_index(im->exprs, x->dims[axis])), index[axis]);
	}
	return map_as(im, I64, e, in, rank + 1);
}

/* ONNX MaxPool-22. */
value *import_max_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	pooling p = pooling_of(im, n, x);
	bool columns = attr_flag(im, n, "storage_order", false);
	if (result_wanted(n, 1))
		set_result(n, 1, tap_positions(im, &p, x, pool(im, &p, x, "argmax", false), columns));
	return pool(im, &p, x, "max", false);
}

value *average_pool(importer *im, const onnx_node *n, value *x)
{
	expect_type(im, n, x, TYPES_FLOAT);
	pooling p = pooling_of(im, n, x);
	return pool(im, &p, x, "mean", attr_flag(im, n, "count_include_pad", false));
}

/* ONNX AveragePool-22. */
value *import_average_pool(importer *im, const onnx_node *n) { return average_pool(im, n, input(im, n, 0)); }

/* Elements put back to where MaxPool's Indices say, zeros elsewhere.  The indices count through a tensor of the size that
 * MaxPool would have pooled; a larger output_shape adds zeros at the ends.  ONNX MaxUnpool-22. */
value *import_max_unpool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1), *given = input_or_null(n, 2);
	windows w;
	sym *shape[MAX_RANK], *lo[MAX_RANK], *hi[MAX_RANK];
	expect_type(im, n, x, TYPES_FLOAT);
	expect_type(im, n, indices, TYPES_INT);
	kernel_required(im, n, x, &w);
	windows_of(im, n, x, &w);
	for (int i = 0; i < x->rank; i++) {
		lo[i] = size(im, 0);
		shape[i] = x->dims[i];
		if (i < 2)
			continue;
		sym *reach = sym_add(sym_muli(sym_addi(x->dims[i], -1), w.strides[i - 2]), span_of(&w, i - 2));
		shape[i] = sym_sub(reach, sym_add(w.lo[i - 2], w.hi[i - 2]));
	}
	sym *all = product_of(im, shape, x->rank), *flat = value_size(x);
	value *zeros = build_expand(im->graph, build_scalar(im->graph, x->type, 0), &all, 1);
	value *in[] = {zeros, reshape(im, indices, &flat, 1), reshape(im, x, &flat, 1)};
	attr attrs[] = {attr_of_int("axis", 0), attr_of_word("reduction", "none")};
	value *y = reshape(im, build(im->graph, OP_SCATTER_ELEMENTS, in, 3, attrs, 2), shape, x->rank);
	if (!given)
		return y;
	sym_list wanted = elements_of(im, n, given, "output_shape");
	if (wanted.n != x->rank)
		refuse(im, n, "output_shape has %d elements for rank %d", wanted.n, x->rank);
	for (int i = 0; i < x->rank; i++)
		hi[i] = sym_sub(wanted.v[i], shape[i]);
	return build_pad(im->graph, y, lo, hi, "constant", NULL);
}

/* Columns of blocks added up at their places: a transposed convolution of each channel whose weights pick the tap of the
 * column.  ONNX Col2Im-18. */
value *import_col2im(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 3, 3);
	sym_list image = elements_of(im, n, input(im, n, 1), "image_shape");
	int count;
	const int64_t *block = ints_of(im, n, input(im, n, 2), "block_shape", &count);
	if (image.n != count || count < 1 || count > MAX_RANK - 2)
		refuse(im, n, "image_shape has %d elements and block_shape %d, must be equal", image.n, count);
	const int64_t *strides = attr_ints_or(im, n, "strides", count, 1, 1);
	const int64_t *dilations = attr_ints_or(im, n, "dilations", count, 1, 1);
	const int64_t *pads = attr_ints_or(im, n, "pads", 2 * count, 0, 0);
	int64_t taps = 1;
	for (int s = 0; s < count; s++) {
		if (block[s] < 1 || block[s] > INT32_MAX / taps)
			refuse(im, n, "block_shape has an entry of %lld", (long long)block[s]);
		taps *= block[s];
	}
	int64_t channels;
	if (!sym_is_const(sym_divi(x->dims[1], taps), &channels))
		refuse(im, n, "the number of channels must be known");
	sym *shape[MAX_RANK] = {x->dims[0], x->dims[1]}, *weight_shape[MAX_RANK], *lo[MAX_RANK];
	for (int s = 0; s < count; s++) {
		sym *room = sym_addi(image.v[s], pads[s] + pads[count + s] - dilations[s] * (block[s] - 1) - 1);
		shape[s + 2] = sym_addi(sym_divi(room, strides[s]), 1);
		lo[s] = size(im, pads[s]);
		weight_shape[s + 2] = size(im, block[s]);
	}
	/* weight [channel and tap, 1, taps]: 1 where the tap is that of the row */
	sym *square[] = {size(im, channels * taps), size(im, taps)};
	value *in[] = {build_iota(im->graph, square, 2, 0), build_iota(im->graph, square, 2, 1)};
	const expr *row = op2n(im, EXPR_MOD, operand(im, 0, in[0]), (double)taps);
	const expr *one = expr_cast(im->exprs, dtype_table[x->type].compute, op2(im, EXPR_EQ, row, operand(im, 1, in[1])));
	weight_shape[0] = square[0];
	weight_shape[1] = size(im, 1);
	value *weights = reshape(im, map_as(im, x->type, one, in, 2), weight_shape, count + 2);
	attr attrs[] = {
		attr_of_ints(im->graph, "strides", strides, count),
		attr_of_ints(im->graph, "dilations", dilations, count),
		attr_of_syms(im->graph, "lo", lo, count),
		attr_of_int("group", channels),
		attr_of_syms(im->graph, "shape", image.v, count),
	};
	value *columns = reshape(im, x, shape, count + 2);
	return build(im->graph, OP_CONV_TRANSPOSE, (value *[]){columns, weights}, 2, attrs, 5);
}

/* p as an attribute: a float in version 1. */
static double norm_order(importer *im, const onnx_node *n)
{
	double p = n->version < 2 ? attr_float(im, n, "p", 2) : (double)attr_int(im, n, "p", 2);
	if (!(p > 0))
		refuse(im, n, "p is %g, must be positive", p);
	return p;
}

/* |x|^p before the sum, the p-th root after it. */
static value *powers(importer *im, value *x, double p)
{
	const expr *e = op1(im, EXPR_ABS, operand(im, 0, x));
	e = p == 1 ? e : p == 2 ? op2(im, EXPR_MUL, e, e) : op2n(im, EXPR_POW, e, p);
	return map_as(im, x->type, e, &x, 1);
}

static value *roots(importer *im, value *x, double p)
{
	const expr *e = operand(im, 0, x);
	e = p == 1 ? e : p == 2 ? op1(im, EXPR_SQRT, e) : op2n(im, EXPR_POW, e, 1 / p);
	return map_as(im, x->type, e, &x, 1);
}

/* ONNX LpPool-22. */
value *import_lp_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	double order = norm_order(im, n);
	pooling p = pooling_of(im, n, x);
	value *sum = pool(im, &p, powers(im, widen(im, x), order), "sum", false);
	return narrow(im, roots(im, sum, order), x->type);
}

/* Over all spatial axes, which stay with size 1. */
static int spatial_axes(importer *im, const onnx_node *n, const value *x, int *axes)
{
	expect_rank(im, n, x, 3, MAX_RANK);
	return axes_from(x, 2, axes);
}

/* ONNX GlobalMaxPool-22. */
value *import_global_max_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axes[MAX_RANK], count = spatial_axes(im, n, x, axes);
	expect_type(im, n, x, TYPES_FLOAT);
	return build_reduce(im->graph, x, "max", axes, count);
}

value *import_global_average_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axes[MAX_RANK], count = spatial_axes(im, n, x, axes);
	expect_type(im, n, x, TYPES_FLOAT);
	return narrow(im, mean_over(im, widen(im, x), axes, count), x->type);
}

/* ONNX GlobalLpPool-22. */
value *import_global_lp_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axes[MAX_RANK], count = spatial_axes(im, n, x, axes);
	expect_type(im, n, x, TYPES_FLOAT);
	double p = norm_order(im, n);
	value *sum = build_reduce(im->graph, powers(im, widen(im, x), p), "sum", axes, count);
	return narrow(im, roots(im, sum, p), x->type);
}
