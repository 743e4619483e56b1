/* Ops that read an image at computed places: grid_sample, roi_align.
 *
 * Lanes run over the innermost axis of the result: places and weights are computed once for all channels. */
#include "ir/kernel_build.h"
#include "ir/ops/rules.h"

#include <string.h>

enum { MAX_SPATIAL = 3, CUBIC_TAPS = 4 };

static const expr *op1(kernel_builder *b, expr_op o, const expr *x) { return expr_unary(b->exprs, o, x); }
static const expr *op2(kernel_builder *b, expr_op o, const expr *x, const expr *y) { return expr_binary(b->exprs, o, x, y); }
static const expr *number(kernel_builder *b, double x) { return expr_float(b->exprs, F32, x); }
static const expr *op2n(kernel_builder *b, expr_op o, const expr *x, double y)
{
	return op2(b, o, x, expr_number(b->exprs, x->type, y));
}
static const expr *as_float(kernel_builder *b, const expr *x) { return expr_cast(b->exprs, F32, x); }
static const expr *size_of(kernel_builder *b, sym *s) { return as_float(b, expr_index(b->exprs, s)); }

/* ---- grid_sample ------------------------------------------------------------------------------------------------------- */
bool infer_grid_sample(node *n, const char **why)
{
	const value *x = n->in[0], *grid = n->in[1];
	int spatial = x->rank - 2;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "mode padding align_corners") || !rule_word(n, why, "mode", "linear nearest cubic") ||
	    !rule_word(n, why, "padding", "zeros border reflection") || !rule_int(n, why, "align_corners", 0, 1))
		return false;
	if (spatial < 1 || spatial > MAX_SPATIAL || grid->rank != x->rank)
		return rule_refuse(n, why, "the image has rank %d, the grid %d; both must have 3 to 5", x->rank, grid->rank);
	if (type_compute(x->type) != F32 || type_compute(grid->type) != F32)
		return rule_refuse(n, why, "image and grid are %s and %s, must be computed in f32", dtype_name(x->type), dtype_name(grid->type));
	if (!dim_agree(n, grid->dims[grid->rank - 1], sym_const(n->graph->syms, spatial)) || !dim_agree(n, x->dims[0], grid->dims[0]))
		return rule_refuse(n, why, "sizes of image and grid do not fit together");
	dims[0] = x->dims[0];
	dims[1] = x->dims[1];
	for (int i = 0; i < spatial; i++) {
		dims[2 + i] = grid->dims[1 + i];
		if (!rule_nonempty_for(n, x->dims[2 + i], value_size(grid)))
			return rule_refuse(n, why, "the image has no pixels");
	}
	return rule_result(n, why, 0, x->type, x->rank, dims);
}

/* Along one axis of the image. */
typedef struct axis_taps {
	sym *extent;
	int n;
	sym *at[CUBIC_TAPS];
	const expr *inside[CUBIC_TAPS]; /* NULL: always */
	const expr *weight[CUBIC_TAPS]; /* NULL: 1 */
} axis_taps;

/* The interval that coordinates are mirrored into: between pixel centres or pixel edges. */
typedef struct mirror {
	const expr *lo, *hi;
} mirror;

static mirror mirror_of(kernel_builder *b, const node *n, sym *extent)
{
	bool corners = node_int(n, "align_corners", 0) != 0;
	return (mirror){number(b, corners ? 0 : -0.5), op2n(b, EXPR_SUB, size_of(b, extent), corners ? 1 : 0.5)};
}

/* x mirrored at both ends, again and again. */
static const expr *reflect(kernel_builder *b, mirror m, const expr *x)
{
	const expr *range = op2(b, EXPR_SUB, m.hi, m.lo), *twice = op2n(b, EXPR_MUL, range, 2);
	const expr *far = op1(b, EXPR_ABS, op2(b, EXPR_SUB, x, m.lo));
	const expr *turns = op1(b, EXPR_FLOOR, op2(b, EXPR_DIV, far, twice));
	const expr *rest = kb_let(b, "rest", op2(b, EXPR_SUB, far, op2(b, EXPR_MUL, turns, twice)));
	const expr *back = op2(b, EXPR_MIN, rest, op2(b, EXPR_SUB, twice, rest));
	const expr *one_point = op2n(b, EXPR_LE, range, 0);
	return expr_ternary(b->exprs, EXPR_SELECT, one_point, m.lo, op2(b, EXPR_ADD, m.lo, back));
}

/* A coordinate of the grid, -1 to 1, as one of pixels. */
static const expr *pixel_of(kernel_builder *b, const node *n, const expr *g, sym *extent)
{
	const expr *size = size_of(b, extent), *half = op2n(b, EXPR_MUL, op2n(b, EXPR_ADD, g, 1), 0.5);
	if (node_int(n, "align_corners", 0))
		return op2(b, EXPR_MUL, half, op2n(b, EXPR_SUB, size, 1));
	return op2n(b, EXPR_SUB, op2(b, EXPR_MUL, half, size), 0.5);
}

static const expr *clamp(kernel_builder *b, const expr *x, const expr *lo, const expr *hi)
{
	return op2(b, EXPR_MAX, op2(b, EXPR_MIN, x, hi), lo);
}

/* Huge coordinates and NaN become what integers hold; the image and all taps that touch it stay as they are. */
static const expr *near_image(kernel_builder *b, const expr *x, sym *extent)
{
	return clamp(b, x, number(b, -16), op2n(b, EXPR_ADD, size_of(b, extent), 16));
}

/* A coordinate beyond the image, for borders and mirrors. */
static const expr *padded(kernel_builder *b, const node *n, const expr *x, sym *extent)
{
	const expr *last = op2n(b, EXPR_SUB, size_of(b, extent), 1);
	if (node_word_is(n, "padding", "zeros", "border"))
		return clamp(b, x, number(b, 0), last);
	if (node_word_is(n, "padding", "zeros", "reflection"))
		return reflect(b, mirror_of(b, n, extent), x);
	return near_image(b, x, extent);
}

/* Pixel x (a whole number): where it is read, and whether it is in the image. */
static void set_tap(kernel_builder *b, const node *n, axis_taps *t, int k, const expr *x)
{
	x = kb_let(b, "x", padded(b, n, x, t->extent));
	const expr *i = kb_let(b, "i", expr_cast(b->exprs, I64, x)), *zero = expr_int(b->exprs, I64, 0);
	const expr *last = expr_index(b->exprs, sym_addi(t->extent, -1));
	if (node_word_is(n, "padding", "zeros", "zeros"))
		t->inside[k] = kb_let(b, "inside", op2(b, EXPR_AND, op2(b, EXPR_GE, i, zero), op2(b, EXPR_LE, i, last)));
	i = kb_let(b, "at", clamp(b, i, zero, last));
	int64_t hi = t->extent->hi == INT64_MAX ? INT64_MAX : t->extent->hi > 0 ? t->extent->hi - 1 : 0;
	t->at[k] = expr_to_sym(b->exprs, i, 0, hi, t->extent);
}

/* Keys' cubic with a = -0.75, at distance x below 1, and x between 1 and 2. */
static const expr *cubic_near(kernel_builder *b, const expr *x)
{
	const expr *inner = op2n(b, EXPR_SUB, op2n(b, EXPR_MUL, x, 1.25), 2.25);
	return op2n(b, EXPR_ADD, op2(b, EXPR_MUL, op2(b, EXPR_MUL, inner, x), x), 1);
}

static const expr *cubic_far(kernel_builder *b, const expr *x)
{
	const expr *inner = op2n(b, EXPR_ADD, op2n(b, EXPR_MUL, x, -0.75), 3.75);
	inner = op2n(b, EXPR_SUB, op2(b, EXPR_MUL, inner, x), 6);
	return op2n(b, EXPR_ADD, op2(b, EXPR_MUL, inner, x), 3);
}

/* Where the taps are around: with a border, cubic ones weigh pixels by how far the place is from the image, as PyTorch does. */
static const expr *middle(kernel_builder *b, const node *n, const expr *x, sym *extent)
{
	bool far = node_word_is(n, "mode", "linear", "cubic") && node_word_is(n, "padding", "zeros", "border");
	return far ? near_image(b, x, extent) : padded(b, n, x, extent);
}

static void find_taps(kernel_builder *b, const node *n, axis_taps *t, const expr *x)
{
	const char *mode = node_word(n, "mode", "linear");
	if (strcmp(mode, "nearest") == 0)
		x = op1(b, EXPR_ROUND, x);
	x = kb_let(b, "x", middle(b, n, x, t->extent));
	if (strcmp(mode, "nearest") == 0) {
		t->n = 1;
		set_tap(b, n, t, 0, x);
		return;
	}
	bool cubic = strcmp(mode, "cubic") == 0;
	const expr *floor = kb_let(b, "floor", op1(b, EXPR_FLOOR, x)), *d = kb_let(b, "d", op2(b, EXPR_SUB, x, floor));
	const expr *rest = op2(b, EXPR_SUB, number(b, 1), d);
	t->n = cubic ? CUBIC_TAPS : 2;
	for (int k = 0; k < t->n; k++)
		set_tap(b, n, t, k, op2n(b, EXPR_ADD, floor, cubic ? k - 1 : k));
	const expr *linear[] = {rest, d};
	const expr *by_cubic[] = {cubic_far(b, op2n(b, EXPR_ADD, d, 1)), cubic_near(b, d), cubic_near(b, rest),
	                          cubic_far(b, op2n(b, EXPR_ADD, rest, 1))};
	for (int k = 0; k < t->n; k++)
		t->weight[k] = kb_let(b, "w", cubic ? by_cubic[k] : linear[k]);
}

static const expr *and_maybe(kernel_builder *b, const expr *x, const expr *y) { return !x ? y : !y ? x : op2(b, EXPR_AND, x, y); }

/* Sum over the taps of axis `axis` and all further ones. */
static const expr *sum_taps(kernel_builder *b, const node *n, const axis_taps *t, int axis, coord at, const expr *inside)
{
	const value *x = n->in[0];
	int spatial = x->rank - 2;
	if (axis == spatial)
		return as_float(b, elem_guarded(&b->elem, inside, x, at, elem_number(&b->elem, x->type, 0)));
	const expr *sum = NULL;
	for (int k = 0; k < t[axis].n; k++) {
		const expr *term = sum_taps(b, n, t, axis + 1, coord_with(at, 2 + axis, t[axis].at[k]), and_maybe(b, inside, t[axis].inside[k]));
		if (t[axis].weight[k])
			term = op2(b, EXPR_MUL, term, t[axis].weight[k]);
		sum = sum ? op2(b, EXPR_ADD, sum, term) : term;
	}
	return sum;
}

void kernel_grid_sample(kernel_builder *b, const node *n)
{
	const value *x = n->in[0], *grid = n->in[1], *out = n->out[0];
	int spatial = x->rank - 2;
	coord at = {.rank = x->rank}, of_grid = {.rank = grid->rank};
	axis_taps taps[MAX_SPATIAL] = {{0}};
	sym *rows = sym_product(b->syms, out->dims + 2, spatial - 1), *t = kb_parallel(b, "t", sym_mul(out->dims[0], rows));
	at.i[0] = of_grid.i[0] = sym_floordiv(t, rows);
	sym *row = sym_mod(t, rows);
	for (int i = spatial - 2; i >= 0; i--) {
		at.i[2 + i] = i ? sym_mod(row, out->dims[2 + i]) : row;
		row = sym_floordiv(row, out->dims[2 + i]);
	}
	at.i[1 + spatial] = kb_vector(b, "j", out->dims[1 + spatial], 0);
	for (int i = 0; i < spatial; i++)
		of_grid.i[1 + i] = at.i[2 + i];
	for (int i = 0; i < spatial; i++) { /* the grid names the innermost axis first */
		of_grid.i[1 + spatial] = sym_const(b->syms, spatial - 1 - i);
		taps[i].extent = x->dims[2 + i];
		find_taps(b, n, &taps[i], pixel_of(b, n, as_float(b, kb_read(b, grid, of_grid)), taps[i].extent));
	}
	at.i[1] = kb_for(b, "c", out->dims[1]);
	kb_write(b, out, at, sum_taps(b, n, taps, 0, at, NULL));
	kb_end(b);
	kb_end(b);
}

/* ---- roi_align ----------------------------------------------------------------------------------------------------------- */
bool infer_roi_align(node *n, const char **why)
{
	const value *x = n->in[0], *rois = n->in[1], *batch = n->in[2];
	if (!rule_form(n, why, 1, "mode shape ratio scale half_pixel") || !rule_word(n, why, "mode", "avg max") ||
	    !rule_syms(n, why, "shape", 2, 0) || !rule_int(n, why, "ratio", 0, INT16_MAX) || !rule_float(n, why, "scale") ||
	    !rule_int(n, why, "half_pixel", 0, 1))
		return false;
	if (x->rank != 4 || rois->rank != 2 || batch->rank != 1 || !dtype_is_int(batch->type))
		return rule_refuse(n, why, "takes an image of rank 4, regions of rank 2 and integers of rank 1");
	if (type_compute(x->type) != F32 || type_compute(rois->type) != F32)
		return rule_refuse(n, why, "image and regions are %s and %s, must be computed in f32", dtype_name(x->type), dtype_name(rois->type));
	if (!dim_agree(n, rois->dims[1], sym_const(n->graph->syms, 4)) || !dim_agree(n, rois->dims[0], batch->dims[0]))
		return rule_refuse(n, why, "sizes of regions and batch indices do not fit together");
	for (int i = 0; i < 4; i++)
		if (i != 1 && !rule_nonempty_for(n, x->dims[i], rois->dims[0]))
			return rule_refuse(n, why, "axis %d of the image has size 0", i);
	sym *const *shape = node_syms(n, "shape", NULL);
	sym *dims[] = {rois->dims[0], x->dims[1], shape[0], shape[1]};
	return rule_result(n, why, 0, x->type, 4, dims);
}

/* One side of a region: where it begins, the size of a bin, samples per bin. */
typedef struct side {
	const expr *start, *bin, *samples;
	sym *n_samples;
	axis_taps taps;
} side;

static side side_of(kernel_builder *b, const node *n, sym *roi, int axis)
{
	const value *rois = n->in[1];
	const expr *edge[2];
	bool half = node_int(n, "half_pixel", 0) != 0;
	int64_t ratio = node_int(n, "ratio", 0);
	side s = {0};
	for (int i = 0; i < 2; i++) {
		coord at = {.rank = 2, .i = {roi, sym_const(b->syms, 2 * i + 1 - axis)}}; /* x1 y1 x2 y2 */
		edge[i] = op2n(b, EXPR_MUL, as_float(b, kb_read(b, rois, at)), node_float(n, "scale", 1));
		edge[i] = kb_let(b, "edge", op2n(b, EXPR_SUB, edge[i], half ? 0.5 : 0));
	}
	const expr *length = op2(b, EXPR_SUB, edge[1], edge[0]);
	if (!half)
		length = op2n(b, EXPR_MAX, length, 1);
	s.start = edge[0];
	s.bin = kb_let(b, "bin", op2(b, EXPR_DIV, length, size_of(b, node_syms(n, "shape", NULL)[axis])));
	s.n_samples = sym_const(b->syms, ratio);
	if (!ratio) {
		const expr *most = op2n(b, EXPR_MIN, op2n(b, EXPR_MAX, op1(b, EXPR_CEIL, s.bin), 0), 1 << 20);
		const expr *count = kb_let(b, "samples", expr_cast(b->exprs, I64, most));
		s.n_samples = expr_to_sym(b->exprs, count, 0, 1 << 20, NULL);
	}
	s.taps.extent = n->in[0]->dims[2 + axis];
	return s;
}

/* The two pixels around a sample; outside the image by more than one pixel it counts as 0. */
static const expr *sample_taps(kernel_builder *b, side *s, sym *bin, sym *i)
{
	const expr *part = op2(b, EXPR_DIV, op2n(b, EXPR_ADD, size_of(b, i), 0.5), size_of(b, s->n_samples));
	const expr *x = op2(b, EXPR_ADD, s->start, op2(b, EXPR_MUL, s->bin, op2(b, EXPR_ADD, size_of(b, bin), part)));
	x = kb_let(b, "x", x);
	const expr *extent = size_of(b, s->taps.extent), *last = op2n(b, EXPR_SUB, extent, 1);
	const expr *inside = kb_let(b, "inside", op2(b, EXPR_AND, op2n(b, EXPR_GE, x, -1), op2(b, EXPR_LE, x, extent)));
	x = kb_let(b, "x", clamp(b, x, number(b, 0), last));
	const expr *floor = kb_let(b, "floor", op1(b, EXPR_FLOOR, x));
	const expr *d = kb_let(b, "d", op2(b, EXPR_SUB, x, floor)), *low = kb_let(b, "low", expr_cast(b->exprs, I64, floor));
	const expr *zero = expr_int(b->exprs, I64, 0), *end = expr_index(b->exprs, sym_addi(s->taps.extent, -1));
	int64_t hi = s->taps.extent->hi == INT64_MAX ? INT64_MAX : s->taps.extent->hi > 0 ? s->taps.extent->hi - 1 : 0;
	s->taps.n = 2;
	for (int k = 0; k < 2; k++) {
		const expr *at = kb_let(b, "at", clamp(b, op2n(b, EXPR_ADD, low, k), zero, end));
		s->taps.at[k] = expr_to_sym(b->exprs, at, 0, hi, s->taps.extent);
		s->taps.weight[k] = k ? d : kb_let(b, "w", op2(b, EXPR_SUB, number(b, 1), d));
	}
	return inside;
}

/* max: the greatest of the four weighted pixels, as ONNX defines it */
static const expr *max_taps(kernel_builder *b, const node *n, const axis_taps *t, coord at)
{
	const expr *most = NULL;
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++) {
			at.i[2] = t[0].at[i];
			at.i[3] = t[1].at[k];
			const expr *weight = op2(b, EXPR_MUL, t[0].weight[i], t[1].weight[k]);
			const expr *x = op2(b, EXPR_MUL, as_float(b, kb_read(b, n->in[0], at)), weight);
			most = most ? op2(b, EXPR_MAX, most, x) : x;
		}
	}
	return most;
}

void kernel_roi_align(kernel_builder *b, const node *n)
{
	const value *x = n->in[0], *out = n->out[0];
	bool average = node_word_is(n, "mode", "avg", "avg");
	sym *roi = kb_parallel(b, "roi", out->dims[0]);
	side s[2];
	coord image = {.rank = 4}, at = {.rank = 4};
	for (int axis = 0; axis < 2; axis++)
		s[axis] = side_of(b, n, roi, axis);
	image.i[0] = coord_dynamic(&b->elem, kb_let(b, "batch", kb_read(b, n->in[2], (coord){.rank = 1, .i = {roi}})), x->dims[0]);
	at.i[0] = roi;
	at.i[1] = image.i[1] = kb_for(b, "c", out->dims[1]);
	at.i[2] = kb_for(b, "y", out->dims[2]);
	at.i[3] = kb_vector(b, "x", out->dims[3], 0);
	local *acc = kb_var(b, "acc", F32, average ? number(b, 0) : expr_lowest(b->exprs, F32));
	const expr *inside_y = sample_taps(b, &s[0], at.i[2], kb_for(b, "iy", s[0].n_samples));
	const expr *inside_x = sample_taps(b, &s[1], at.i[3], kb_for(b, "ix", s[1].n_samples));
	axis_taps taps[] = {s[0].taps, s[1].taps};
	const expr *sample = average ? sum_taps(b, n, taps, 0, image, NULL) : max_taps(b, n, taps, image);
	sample = expr_ternary(b->exprs, EXPR_SELECT, op2(b, EXPR_AND, inside_y, inside_x), sample, number(b, 0));
	kb_set(b, acc, op2(b, average ? EXPR_ADD : EXPR_MAX, kb_get(b, acc), sample));
	kb_end(b);
	kb_end(b);
	const expr *result = kb_get(b, acc), *count = size_of(b, sym_mul(s[0].n_samples, s[1].n_samples));
	if (average)
		result = op2(b, EXPR_DIV, result, op2n(b, EXPR_MAX, count, 1));
	else
		result = expr_ternary(b->exprs, EXPR_SELECT, op2n(b, EXPR_GT, count, 0), result, number(b, 0));
	kb_write(b, out, at, result);
	for (int i = 0; i < 3; i++)
		kb_end(b);
}
