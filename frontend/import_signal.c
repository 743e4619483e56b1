/* Spectra: discrete Fourier transforms as products with matrices of cosines and sines, which fold when the length is known. */
#include "frontend/onnx_attr.h"

#include <math.h>

#define TWO_PI 6.28318530717958647693

/* ---- the matrix ------------------------------------------------------------------------------------------------------------- */
/* What is transformed: `bins` numbers of `parts` (1 real, 2 complex) into others, by a transform of length `length`. */
typedef struct transform {
	sym *from_bins, *to_bins, *length;
	int from_parts, to_parts;
	bool inverse;
	bool from_half; /* the other bins are the conjugates of those given */
} transform;

/* The index along one of the four axes of the matrix. */
static value *matrix_index(importer *im, const transform *t, int axis)
{
	sym *one = size(im, 1), *shape[] = {one, one, one, one};
	sym *extents[] = {t->from_bins, size(im, t->from_parts), t->to_bins, size(im, t->to_parts)};
	shape[axis] = extents[axis];
	return build_iota(im->graph, shape, 4, axis);
}

/* [from bin, from part, to bin, to part]: (c, s; -s, c) with the cosine and sine of +-2 pi n k / length. */
static value *transform_matrix(importer *im, const transform *t, dtype type)
{
	value *in[4];
	const expr *i[4], *length = expr_index(im->exprs, t->length);
	for (int axis = 0; axis < 4; axis++) {
		in[axis] = matrix_index(im, t, axis);
		i[axis] = operand(im, axis, in[axis]);
	}
	const expr *turns = op2(im, EXPR_MOD, op2(im, EXPR_MUL, i[0], i[2]), length);
	const expr *n = expr_cast(im->exprs, F64, length);
	const expr *angle = op2(im, EXPR_DIV, op2n(im, EXPR_MUL, expr_cast(im->exprs, F64, turns), TWO_PI), n);
	const expr *cosine = op1(im, EXPR_COS, angle), *sine = op1(im, EXPR_SIN, angle), *minus = op1(im, EXPR_NEG, sine);
	const expr *from_imaginary = op2n(im, EXPR_EQ, i[1], 1);
	const expr *across = t->inverse ? choose_if(im, from_imaginary, minus, sine) : choose_if(im, from_imaginary, sine, minus);
	const expr *e = choose_if(im, op2(im, EXPR_EQ, i[1], i[3]), cosine, across);
	if (t->inverse)
		e = op2(im, EXPR_DIV, e, n);
	if (t->from_half) {
		const expr *middle = op2(im, EXPR_EQ, op2n(im, EXPR_MUL, i[0], 2), length);
		const expr *alone = op2(im, EXPR_OR, op2n(im, EXPR_EQ, i[0], 0), middle);
		e = choose_if(im, alone, e, op2n(im, EXPR_MUL, e, 2));
	}
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, e), in, 4);
}

/* 1 for real numbers, 2 for complex ones: the last axis. */
static int parts_of(importer *im, const onnx_node *n, const value *x)
{
	sym *d = x->dims[x->rank - 1];
	if (!sym_is(d, 1) && !sym_is(d, 2))
		refuse(im, n, "the last axis must have size 1 (real) or 2 (complex)");
	return (int)sym_value(d);
}

/* ---- DFT ---------------------------------------------------------------------------------------------------------------------- */
/* x with its axis cut to, or filled with zeros up to, `bins`. */
static value *resized(importer *im, value *x, int axis, sym *bins)
{
	sym *lo[MAX_RANK], *hi[MAX_RANK];
	for (int i = 0; i < x->rank; i++)
		lo[i] = hi[i] = size(im, 0);
	hi[axis] = sym_sub(bins, x->dims[axis]);
	return sym_is(hi[axis], 0) ? x : build_pad(im->graph, x, lo, hi, "constant", NULL);
}

/* A permutation that moves `axis` to just before the last one, or back. */
static value *axis_moved(importer *im, value *x, int axis, bool back)
{
	int perm[MAX_RANK], last = x->rank - 2;
	if (axis == last)
		return x;
	for (int i = 0; i < x->rank; i++)
		perm[i] = i;
	for (int i = axis; i < last && !back; i++)
		perm[i] = i + 1;
	for (int i = axis + 1; i <= last && back; i++)
		perm[i] = i - 1;
	perm[back ? axis : last] = back ? last : axis;
	return build_transpose(im->graph, x, perm);
}

/* The bins of x along `axis` times the matrix. */
static value *transformed(importer *im, value *x, int axis, const transform *t)
{
	value *m = transform_matrix(im, t, x->type), *turned = axis_moved(im, x, axis, false);
	sym *rows = product_of(im, turned->dims, x->rank - 2);
	sym *shape[] = {rows, sym_muli(t->from_bins, t->from_parts)};
	sym *matrix_shape[] = {shape[1], sym_muli(t->to_bins, t->to_parts)};
	value *y = build_contract(im->graph, reshape(im, turned, shape, 2), reshape(im, m, matrix_shape, 2), "mk,kn->mn");
	sym *result[MAX_RANK];
	for (int i = 0; i < x->rank - 2; i++)
		result[i] = turned->dims[i];
	result[x->rank - 2] = t->to_bins;
	result[x->rank - 1] = size(im, t->to_parts);
	return axis_moved(im, reshape(im, y, result, x->rank), axis, true);
}

static sym *half_of(sym *length) { return sym_addi(sym_divi(length, 2), 1); }

/* With onesided, bins beyond the half are left out, or known to be conjugates (inverse).  ONNX DFT-20. */
value *import_dft(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *length = input_or_null(n, 1), *given = n->version < 20 ? NULL : input_or_null(n, 2);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 2, MAX_RANK);
	int64_t axis = n->version < 20 ? attr_int(im, n, "axis", 1) : given ? int_of(im, n, given, "axis") : -2;
	bool onesided = attr_flag(im, n, "onesided", false);
	transform t = {.from_parts = parts_of(im, n, x), .to_parts = 2, .inverse = attr_flag(im, n, "inverse", false)};
	int at = axis_in(im, n, axis, x->rank);
	if (at == x->rank - 1)
		refuse(im, n, "axis is the last one, which holds real and imaginary parts");
	sym *all = x->dims[at];
	if (onesided && t.inverse)
		all = sym_muli(sym_addi(all, -1), 2);
	t.length = length ? element_of(im, n, length, "dft_length") : all;
	t.from_half = onesided && t.inverse;
	t.from_bins = t.from_half ? half_of(t.length) : t.length;
	t.to_bins = onesided && !t.inverse ? half_of(t.length) : t.length;
	t.to_parts = t.from_half ? 1 : 2;
	return transformed(im, resized(im, x, at, t.from_bins), at, &t);
}

/* ---- STFT ----------------------------------------------------------------------------------------------------------------------- */
/* The length of a frame: given, or that of the window, or of the signal. */
static sym *frame_length(importer *im, const onnx_node *n, const value *x, const value *window)
{
	value *given = input_or_null(n, 3);
	sym *length = given ? element_of(im, n, given, "frame_length") : window ? window->dims[0] : x->dims[1];
	if (window && sym_is_const(length, NULL) && sym_is_const(window->dims[0], NULL) && window->dims[0] != length)
		refuse(im, n, "the window has %lld elements, a frame %lld", (long long)sym_value(window->dims[0]),
		       (long long)sym_value(length));
	return length;
}

/* Windowed transforms of frames that overlap: a convolution, whose weights are the matrix times the window and whose channels
 * are the bins.  ONNX STFT-17. */
value *import_stft(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *window = input_or_null(n, 2);
	int last = 2;
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 2, 3);
	if (x->rank == 2)
		x = build_unsqueeze(im->graph, x, &last, 1);
	int64_t step = int_of(im, n, input(im, n, 1), "frame_step");
	if (window) {
		expect_rank(im, n, window, 1, 1);
		expect_same_type(im, n, x, window);
	}
	sym *length = frame_length(im, n, x, window);
	bool onesided = attr_flag(im, n, "onesided", true);
	transform t = {.from_bins = length, .length = length, .to_bins = onesided ? half_of(length) : length,
		       .from_parts = parts_of(im, n, x), .to_parts = 2};
	value *m = transform_matrix(im, &t, x->type);
	if (window)
		m = build_binary(im->graph, EXPR_MUL, m, along_axis(im, window, 0, 4));
	sym *shape[] = {sym_muli(t.to_bins, 2), size(im, t.from_parts), length};
	value *weights = reshape(im, build_transpose(im->graph, m, (int[]){2, 3, 1, 0}), shape, 3);
	sym *zero = size(im, 0);
	attr attrs[] = {
		attr_of_ints(im->graph, "strides", &step, 1),
		attr_of_syms(im->graph, "lo", &zero, 1),
		attr_of_syms(im->graph, "hi", &zero, 1),
		attr_of_int("group", 1),
	};
	value *in[] = {build_transpose(im->graph, x, (int[]){0, 2, 1}), weights};
	value *y = build_transpose(im->graph, build(im->graph, OP_CONV, in, 2, attrs, 4), (int[]){0, 2, 1});
	sym *result[] = {y->dims[0], y->dims[1], t.to_bins, size(im, 2)};
	return reshape(im, y, result, 4);
}

/* ---- MelWeightMatrix -------------------------------------------------------------------------------------------------------------- */
/* Triangles between neighbouring edges, which are equally spaced in mel.  ONNX MelWeightMatrix-17. */
value *import_mel_weight_matrix(importer *im, const onnx_node *n)
{
	int64_t bands = int_of(im, n, input(im, n, 0), "num_mel_bins"), length = int_of(im, n, input(im, n, 1), "dft_length");
	int64_t rate = int_of(im, n, input(im, n, 2), "sample_rate");
	double low = float_of(im, n, input(im, n, 3), "lower_edge_hertz"), high = float_of(im, n, input(im, n, 4), "upper_edge_hertz");
	dtype type = attr_dtype(im, n, "output_datatype", F32);
	if (bands < 1 || bands > INT32_MAX / 8 || length < 1 || length > INT32_MAX || rate < 1 || !(low >= 0 && high >= low))
		refuse(im, n, "num_mel_bins, dft_length, sample_rate and the edges must be positive and in order");
	double from = 2595 * log10(1 + low / 700), to = 2595 * log10(1 + high / 700), step = (to - from) / (double)(bands + 2);
	int64_t *edge = new_array(im->a, int64_t, (size_t)bands + 2);
	for (int64_t i = 0; i < bands + 2; i++) {
		double hertz = 700 * (pow(10, (from + (double)i * step) / 2595) - 1);
		edge[i] = (int64_t)floor((double)(length + 1) * hertz / (double)rate);
	}
	value *in[4];
	sym *shape[] = {size(im, length / 2 + 1), size(im, 1)};
	in[0] = build_iota(im->graph, shape, 2, 0);
	for (int i = 0; i < 3; i++) /* left, centre and right of each band */
		in[i + 1] = build_const(im->graph, tensor_new(im->a, I64, 1, &bands, edge + i), NULL);
	const expr *j = operand(im, 0, in[0]), *left = operand(im, 1, in[1]), *centre = operand(im, 2, in[2]),
		   *right = operand(im, 3, in[3]), *zero = expr_int(im->exprs, I64, 0);
	const expr *rise = op2(im, EXPR_SUB, centre, left), *fall = op2(im, EXPR_SUB, right, centre);
	const expr *up = op2(im, EXPR_DIV, expr_cast(im->exprs, F64, op2(im, EXPR_SUB, j, left)), expr_cast(im->exprs, F64, rise));
	const expr *down = op2(im, EXPR_DIV, expr_cast(im->exprs, F64, op2(im, EXPR_SUB, right, j)), expr_cast(im->exprs, F64, fall));
	const expr *none = number(im, up, 0), *flat = op2(im, EXPR_EQ, rise, zero);
	const expr *rising = op2(im, EXPR_AND, op2(im, EXPR_GE, j, left), op2(im, EXPR_LE, j, centre));
	const expr *falling = op2(im, EXPR_AND, op2(im, EXPR_GE, j, centre), op2(im, EXPR_LT, j, right));
	const expr *peak = op2(im, EXPR_AND, flat, op2(im, EXPR_EQ, j, centre));
	const expr *e = choose_if(im, op2(im, EXPR_AND, rising, op1(im, EXPR_NOT, flat)), up, none);
	e = choose_if(im, falling, down, choose_if(im, peak, number(im, up, 1), e));
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, e), in, 4);
}
