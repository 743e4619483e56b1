/* Sampling at computed positions: grids of affine maps, and convolutions whose taps move. */
#include "frontend/onnx_attr.h"

#include <string.h>

/* ---- AffineGrid ------------------------------------------------------------------------------------------------------------ */
/* The coordinates along one axis of the image, from -1 to 1: centres of pixels, or with align_corners the first and last. */
static const expr *grid_coordinate(importer *im, const expr *i, sym *extent, dtype type, bool align)
{
	const expr *x = expr_cast(im->exprs, type, i);
	if (align) {
		const expr *step = op2(im, EXPR_DIV, number(im, x, 2), sym_number(im, sym_addi(extent, -1), type));
		return op2n(im, EXPR_SUB, op2(im, EXPR_MUL, x, step), 1);
	}
	const expr *odd = op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, x, 2), 1);
	return op2n(im, EXPR_SUB, op2(im, EXPR_DIV, odd, sym_number(im, extent, type)), 1);
}

/* grid[n, .., c] = theta[n, c, 0] x + theta[n, c, 1] y (+ theta[n, c, 2] z) + theta[n, c, last].  ONNX AffineGrid-20. */
value *import_affine_grid(importer *im, const onnx_node *n)
{
	value *theta = input(im, n, 0), *in[7];
	sym_list wanted = elements_of(im, n, input(im, n, 1), "size");
	bool align = attr_flag(im, n, "align_corners", false);
	int axes = wanted.n - 2; /* of the image */
	expect_type(im, n, theta, TYPES_FLOAT);
	expect_rank(im, n, theta, 3, 3);
	if (axes != 2 && axes != 3)
		refuse(im, n, "size has %d elements, must have 4 or 5", wanted.n);
	if (!sym_is(theta->dims[1], axes) || !sym_is(theta->dims[2], axes + 1))
		refuse(im, n, "theta must have the shape [N, %d, %d]", axes, axes + 1);
	dtype type = dtype_table[theta->type].compute;
	const expr *sum = NULL;
	for (int k = 0; k <= axes; k++) {
		/* column k as [N, 1 .., c] */
		sym *starts[] = {size(im, 0), size(im, 0), size(im, k)}, *cut[] = {theta->dims[0], theta->dims[1], size(im, 1)};
		value *column = build_slice(im->graph, theta, starts, (int64_t[]){1, 1, 1}, cut);
		sym *shape[MAX_RANK] = {theta->dims[0]};
		for (int i = 1; i <= axes; i++)
			shape[i] = size(im, 1);
		shape[axes + 1] = theta->dims[1];
		in[k] = reshape(im, column, shape, axes + 2);
		const expr *term = operand(im, k, in[k]);
		if (k < axes) { /* x is the last axis of the image */
			int axis = axes - k;
			for (int i = 0; i < axes + 2; i++)
				shape[i] = size(im, 1);
			shape[axis] = wanted.v[axis + 1];
			in[axes + 1 + k] = build_iota(im->graph, shape, axes + 2, axis);
			const expr *i = operand(im, axes + 1 + k, in[axes + 1 + k]);
			term = op2(im, EXPR_MUL, term, grid_coordinate(im, i, shape[axis], type, align));
		}
		sum = sum ? op2(im, EXPR_ADD, sum, term) : term;
	}
	return map_as(im, theta->type, sum, in, 2 * axes + 1);
}

/* ---- DeformConv ------------------------------------------------------------------------------------------------------------ */
typedef struct deform {
	value *x, *weights, *offsets, *mask; /* mask may be NULL */
	int64_t group, offset_group;
	const int64_t *strides, *dilations, *pads;
	sym *kernel[2], *out[2], *taps, *cells; /* taps of the kernel, elements of an output image */
} deform;

/* Sample positions along image axis s as [N, offset groups, taps, cells], in floating point. */
static value *positions(importer *im, const deform *d, int s)
{
	/* offsets [N, groups * taps * 2, oh, ow]: the pair is the axis after the taps */
	sym *apart[] = {d->x->dims[0], size(im, d->offset_group), d->taps, size(im, 2), d->cells}, *zero = size(im, 0);
	sym *starts[] = {zero, zero, zero, size(im, s), zero};
	sym *cut[] = {apart[0], apart[1], apart[2], size(im, 1), apart[4]};
	int pair = 3;
	value *part = build_slice(im->graph, reshape(im, d->offsets, apart, 5), starts, (int64_t[]){1, 1, 1, 1, 1}, cut);
	sym *tap_shape[] = {d->taps, size(im, 1)}, *cell_shape[] = {size(im, 1), d->cells};
	value *in[] = {build_squeeze(im->graph, part, &pair, 1), build_iota(im->graph, tap_shape, 2, 0),
		       build_iota(im->graph, cell_shape, 2, 1)};
	const expr *tap = operand(im, 1, in[1]), *cell = operand(im, 2, in[2]);
	const expr *columns = expr_index(im->exprs, d->kernel[1]), *width = expr_index(im->exprs, d->out[1]);
	tap = op2(im, s == 0 ? EXPR_DIV : EXPR_MOD, tap, columns);
	cell = op2(im, s == 0 ? EXPR_DIV : EXPR_MOD, cell, width);
	const expr *start = op2(im, EXPR_SUB, op2n(im, EXPR_MUL, cell, (double)d->strides[s]), expr_int(im->exprs, I64, d->pads[s]));
	const expr *whole = op2(im, EXPR_ADD, start, op2n(im, EXPR_MUL, tap, (double)d->dilations[s]));
	const expr *moved = operand(im, 0, in[0]);
	return map_as(im, moved->type, op2(im, EXPR_ADD, moved, expr_cast(im->exprs, moved->type, whole)), in, 3);
}

/* The weight of a corner at distance 1 - |x - corner| on one axis, 0 when the corner lies outside. */
static const expr *corner_weight(importer *im, const expr *x, const expr *corner, sym *extent)
{
	const expr *last = sym_number(im, sym_addi(extent, -1), x->type);
	const expr *weight = op2(im, EXPR_SUB, number(im, x, 1), op1(im, EXPR_ABS, op2(im, EXPR_SUB, x, corner)));
	const expr *inside = op2(im, EXPR_AND, op2n(im, EXPR_GE, corner, 0), op2(im, EXPR_LE, corner, last));
	return choose_if(im, inside, weight, number(im, x, 0));
}

/* The elements of x at one corner around the positions, as [N, offset groups, channels, taps * cells], times their weight. */
static value *corner(importer *im, const deform *d, value *const *at, int down, int right)
{
	const value *x = d->x;
	const expr *y0 = op2n(im, EXPR_ADD, op1(im, EXPR_FLOOR, operand(im, 0, at[0])), down);
	const expr *x0 = op2n(im, EXPR_ADD, op1(im, EXPR_FLOOR, operand(im, 1, at[1])), right);
	const expr *weight = op2(im, EXPR_MUL, corner_weight(im, operand(im, 0, at[0]), y0, x->dims[2]),
				 corner_weight(im, operand(im, 1, at[1]), x0, x->dims[3]));
	/* where the weight is 0, any element will do */
	const expr *width = sym_number(im, x->dims[3], y0->type);
	const expr *linear = op2(im, EXPR_ADD, op2(im, EXPR_MUL, y0, width), x0);
	linear = choose_if(im, op2n(im, EXPR_EQ, weight, 0), number(im, linear, 0), linear);
	value *index = map_as(im, I64, expr_cast(im->exprs, I64, linear), at, 2);
	value *weights = map_as(im, y0->type, weight, at, 2);
	sym *channels = sym_divi(x->dims[1], d->offset_group), *samples = sym_mul(d->taps, d->cells);
	sym *image[] = {x->dims[0], size(im, d->offset_group), channels, sym_mul(x->dims[2], x->dims[3])};
	sym *once[] = {x->dims[0], size(im, d->offset_group), size(im, 1), samples};
	sym *full[] = {once[0], once[1], channels, samples};
	value *spread = copy_dims(im, reshape(im, index, once, 4), full, 4);
	attr axis = attr_of_int("axis", 3);
	value *picked = build(im->graph, OP_GATHER_ELEMENTS, (value *[]){reshape(im, d->x, image, 4), spread}, 2, &axis, 1);
	value *in[] = {picked, reshape(im, weights, once, 4)};
	const expr *e = op2(im, EXPR_MUL, operand(im, 0, in[0]), expr_cast(im->exprs, operand(im, 0, in[0])->type, operand(im, 1, in[1])));
	return map_as(im, x->type, e, in, 2);
}

/* The input of every tap of every output: [N, groups, channels of a group * taps, cells]. */
static value *columns(importer *im, const deform *d)
{
	value *at[] = {positions(im, d, 0), positions(im, d, 1)}, *sum = NULL;
	for (int k = 0; k < 4; k++) {
		value *c = corner(im, d, at, k / 2, k % 2);
		sum = sum ? build_binary(im->graph, EXPR_ADD, sum, c) : c;
	}
	if (d->mask) {
		sym *shape[] = {sum->dims[0], sum->dims[1], size(im, 1), sum->dims[3]};
		sum = build_binary(im->graph, EXPR_MUL, sum, reshape(im, d->mask, shape, 4));
	}
	sym *shape[] = {d->x->dims[0], size(im, d->group), sym_mul(sym_divi(d->x->dims[1], d->group), d->taps), d->cells};
	return reshape(im, sum, shape, 4);
}

static deform read_deform(importer *im, const onnx_node *n)
{
	deform d = {
		.x = input(im, n, 0),
		.weights = input(im, n, 1),
		.offsets = input(im, n, 2),
		.mask = input_or_null(n, 4),
		.group = attr_int(im, n, "group", 1),
		.offset_group = attr_int(im, n, "offset_group", 1),
		.strides = attr_ints_or(im, n, "strides", 2, 1, 1),
		.dilations = attr_ints_or(im, n, "dilations", 2, 1, 1),
		.pads = attr_ints_or(im, n, "pads", 4, -INT32_MAX, 0),
	};
	attr_ignore(n, "kernel_shape"); /* that of the weights */
	expect_type(im, n, d.x, TYPES_FLOAT);
	for (int i = 1; i < n->n_in; i++)
		if (n->in[i])
			expect_same_type(im, n, d.x, n->in[i]);
	expect_rank(im, n, d.x, 4, 4);
	expect_rank(im, n, d.weights, 4, 4);
	expect_rank(im, n, d.offsets, 4, 4);
	if (d.group < 1 || d.offset_group < 1)
		refuse(im, n, "group and offset_group must be positive");
	for (int s = 0; s < 2; s++) {
		d.kernel[s] = d.weights->dims[s + 2];
		d.out[s] = d.offsets->dims[s + 2];
	}
	d.taps = sym_mul(d.kernel[0], d.kernel[1]);
	d.cells = sym_mul(d.out[0], d.out[1]);
	return d;
}

/* A convolution whose taps are moved by offsets and interpolated between elements, zero outside.  ONNX DeformConv-22. */
value *import_deform_conv(importer *im, const onnx_node *n)
{
	deform d = read_deform(im, n);
	value *bias = input_or_null(n, 3);
	sym *group = size(im, d.group), *outputs = sym_divi(d.weights->dims[0], d.group);
	sym *shape[] = {group, outputs, sym_mul(d.weights->dims[1], d.taps)};
	value *weights = reshape(im, d.weights, shape, 3);
	value *y = build_contract(im->graph, columns(im, &d), weights, "ngkp,gok->ngop");
	sym *result[] = {d.x->dims[0], d.weights->dims[0], d.out[0], d.out[1]};
	y = reshape(im, y, result, 4);
	return bias ? build_binary(im->graph, EXPR_ADD, y, along_axis(im, bias, 1, 4)) : y;
}
