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

static value *pool(importer *im, const onnx_node *n, value *x, const char *fold, bool count_pad)
{
	windows w;
	sym *shape[MAX_RANK];
	const int64_t *kernel = kernel_required(im, n, x, &w);
	windows_of(im, n, x, &w);
	pooled_shape(im, &w, x, attr_flag(im, n, "ceil_mode", false), shape);
	attr attrs[] = {
		attr_of_word("op", fold),
		attr_of_ints(im->graph, "kernel", kernel, w.n),
		attr_of_ints(im->graph, "strides", w.strides, w.n),
		attr_of_ints(im->graph, "dilations", w.dilations, w.n),
		attr_of_syms(im->graph, "lo", w.lo, w.n),
		attr_of_syms(im->graph, "shape", shape, w.n),
		attr_of_syms(im->graph, "hi", w.hi, w.n),
		attr_of_int("count_pad", 1),
	};
	return build(im->graph, OP_REDUCE_WINDOW, &x, 1, attrs, count_pad ? 8 : 6);
}

/* ONNX MaxPool-22. */
value *import_max_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	attr_ignore(n, "storage_order"); /* the order of Indices, which is refused */
	if (result_wanted(n, 1))
		refuse(im, n, "output Indices is not supported");
	return pool(im, n, x, "max", false);
}

/* ONNX AveragePool-22. */
value *import_average_pool(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	return pool(im, n, x, "mean", attr_flag(im, n, "count_include_pad", false));
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
	double p = norm_order(im, n);
	value *sum = pool(im, n, powers(im, widen(im, x), p), "sum", false);
	return narrow(im, roots(im, sum, p), x->type);
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

/* ONNX GlobalAveragePool-22. */
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
