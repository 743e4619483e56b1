/* Strategies for conv: direct register tiles over packed weights, and depthwise.
 *
 * Both read the input through its layout, so any axis order works; channels-last gives contiguous stores.  They need every tap to
 * lie in memory: the input's storage has a zero halo as wide as the padding (`layout` sees to it), nothing is tested per element.
 *
 *   direct     rows are output pixels (wide x high neighbours), columns output channels of one group,
 *              weights [G][panel][tap][C/g][vectors * lanes]
 *   depthwise  rows are output pixels, lanes channels, weights [tap][C]                                                 */
#include "passes/conv.h"

#include <assert.h>

/* False when the filter or the padding is not constant. */
static bool conv_shape_of(const node *n, conv_shape *c)
{
	const value *w = n->in[1];
	int count;
	*c = (conv_shape){.spatial = n->in[0]->rank - 2, .group = node_int(n, "group", 1), .taps = 1};
	c->strides = node_ints(n, "strides", &count);
	c->dilations = node_ints(n, "dilations", &count);
	sym *const *lo = node_syms(n, "lo", &count), *const *hi = node_syms(n, "hi", &count);
	int64_t out;
	if (!sym_is_const(w->dims[0], &out) || !sym_is_const(w->dims[1], &c->group_in))
		return false;
	c->group_out = out / c->group;
	for (int i = 0; i < c->spatial; i++) {
		if (!sym_is_const(w->dims[2 + i], &c->kernel[i]) || !sym_is_const(lo[i], &c->lo[i]) || !sym_is_const(hi[i], &c->hi[i]))
			return false;
		c->taps *= c->kernel[i];
	}
	return true;
}

/* True when the storage of the input holds every tap: no padding, or a halo at least as wide. */
static bool taps_in_memory(const node *n, const conv_shape *c)
{
	const layout *l = value_base(n->in[0])->layout;
	for (int i = 0; i < c->spatial; i++) {
		int64_t lo = l ? l->halo_lo[2 + i] : 0, hi = l ? l->halo_hi[2 + i] : 0;
		if (c->lo[i] > lo || c->hi[i] > hi)
			return false;
	}
	return true;
}

bool conv_fits_tiles(const node *n, conv_shape *c)
{
	return computes_in_f32(n) && value_is_const(n->in[1]) && !n->in[1]->layout && n->in[0]->rank >= 3 && conv_shape_of(n, c) &&
	       taps_in_memory(n, c);
}

static sym *pixels_of(const node *n)
{
	const value *out = n->out[0];
	return sym_product(out->dims[0]->ctx, out->dims + 2, out->rank - 2);
}

double conv_pixels(const node *n)
{
	const value *out = n->out[0];
	double pixels = (double)typical_batch(out->dims[0]);
	for (int i = 2; i < out->rank; i++)
		pixels *= (double)typical_size(out->dims[i]);
	return pixels;
}

static bool has_halo(const value *v)
{
	const layout *l = value_base(v)->layout;
	for (int i = 0; l && i < v->rank; i++)
		if (l->halo_lo[i] || l->halo_hi[i])
			return true;
	return false;
}

/* ---- what both share --------------------------------------------------------------------------------------------------- */
/* Input coordinates of tap `tap` for output coordinates `at`. */
static coord tap_coord(const node *n, const conv_shape *c, coord at, sym *channel, sym *const *tap)
{
	coord in = {.rank = n->in[0]->rank};
	in.i[0] = at.i[0];
	in.i[1] = channel;
	for (int i = 0; i < c->spatial; i++)
		in.i[2 + i] = sym_addi(sym_add(sym_muli(at.i[2 + i], c->strides[i]), sym_muli(tap[i], c->dilations[i])), -c->lo[i]);
	return in;
}

static sym *add_loop(loop_list *l, sym_ctx *syms, const char *hint, sym *extent)
{
	if (sym_is(extent, 1))
		return sym_const(syms, 0);
	l->var[l->n] = sym_loop(syms, hint, extent);
	l->extent[l->n] = extent;
	return l->var[l->n++];
}

/* Pointwise on whole images: pixels of all spatial axes are one row axis when input and output walk them alike. */
static bool pixels_are_one_axis(const group_lowering *gl, const node *n, const conv_shape *c)
{
	for (int i = 0; i < c->spatial; i++)
		if (c->kernel[i] != 1 || c->strides[i] != 1 || c->lo[i] || c->hi[i])
			return false;
	return !has_halo(n->in[0]) && !has_halo(gl->out);
}

/* Not depthwise: it has too few operations per load to pay for an address of every row. */
static bool may_join_lines(const conv_shape *c)
{
	return c->spatial >= 2 && c->group_in != 1;
}

/* Whether tiles should run over the ends of lines: lines of unknown length, or that waste more rows than the whole image does. */
static bool joins_lines(const node *n, const conv_shape *c, int max_rows)
{
	const value *out = n->out[0];
	int64_t width, height;
	if (!may_join_lines(c))
		return false;
	if (!sym_is_const(out->dims[out->rank - 1], &width) || !sym_is_const(out->dims[out->rank - 2], &height))
		return true;
	return lines_are_joined(width, height, max_rows);
}

/* The last two axes as one row axis over pixels. */
static void join_lines(tile_problem *tp, const node *n, sym_ctx *syms)
{
	const value *out = n->out[0];
	sym *height = out->dims[out->rank - 2];
	tp->width = out->dims[out->rank - 1];
	tp->row_extent[1] = sym_mul(height, tp->width);
	tp->row[1] = sym_loop(syms, "pixel", tp->row_extent[1]);
	tp->at.i[out->rank - 2] = tp->line = sym_loop(syms, "oh", height);
	tp->at.i[out->rank - 1] = tp->place = sym_loop(syms, "ow", tp->width);
}

/* Output coordinates: batch and outer spatial axes to tp->outer, the last one or two to rows. */
static void output_rows(group_lowering *gl, tile_problem *tp, const node *n, const conv_shape *c)
{
	sym_ctx *syms = gl->b.syms;
	const value *out = n->out[0];
	tp->at = (coord){.rank = out->rank};
	tp->at.i[0] = add_loop(&tp->outer, syms, "n", out->dims[0]);
	if (pixels_are_one_axis(gl, n, c)) {
		tp->row_extent[1] = pixels_of(n);
		sym *rest = tp->row[1] = sym_loop(syms, "pixel", tp->row_extent[1]);
		for (int i = c->spatial; i-- > 0;) {
			tp->at.i[2 + i] = i ? sym_mod(rest, out->dims[2 + i]) : rest;
			rest = sym_floordiv(rest, out->dims[2 + i]);
		}
		return;
	}
	for (int i = 0; i + 2 < c->spatial; i++)
		tp->at.i[2 + i] = add_loop(&tp->outer, syms, "d", out->dims[2 + i]);
	if (joins_lines(n, c, tp->max_rows)) {
		join_lines(tp, n, syms);
		return;
	}
	for (int r = c->spatial > 1 ? 0 : 1; r < 2; r++) {
		int axis = 2 + c->spatial - 2 + r;
		tp->row_extent[r] = out->dims[axis];
		tp->at.i[axis] = tp->row[r] = sym_loop(syms, r ? "ow" : "oh", out->dims[axis]);
	}
}

static int64_t bytes_behind_row(const node *n, const tile_problem *tp, const conv_shape *c, int64_t channels)
{
	int64_t width = 1, w;
	if (tp->row[0]) {
		if (!sym_is_const(n->in[0]->dims[n->in[0]->rank - 1], &w))
			return 0;
		width = w * c->strides[c->spatial - 2];
	}
	return width * channels * 4;
}

const expr *conv_bias(group_lowering *gl, const node *n, sym *channel)
{
	if (node_operands(n) < 3)
		return NULL;
	coord at = {.rank = 1, .i = {channel}};
	return kb_read(&gl->b, n->in[2], at);
}

sym **sym_list(graph *g, const int64_t *v, int n)
{
	sym **s = new_array(g->a, sym *, (size_t)n);
	for (int i = 0; i < n; i++)
		s[i] = sym_const(g->syms, v[i]);
	return s;
}

/* ---- direct --------------------------------------------------------------------------------------------------------------- */
bool direct_applies(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	conv_shape c;
	return conv_fits_tiles(n, &c);
}

double direct_cost(const node *n, const pass_ctx *ctx)
{
	conv_shape c;
	conv_shape_of(n, &c);
	int lanes = target_lanes(ctx->target, F32);
	double steps = (double)c.group * (double)((c.group_out + lanes - 1) / lanes) * (double)c.group_in * (double)c.taps;
	return (conv_pixels(n) + STREAM_SHARE) * steps;
}

/* Pixels the tile's rows run over: all of them for a pointwise convolution, else those of each of so many lines of the output. */
static int64_t rows_of(const node *n, const conv_shape *c, int64_t *lines)
{
	int64_t pixels;
	const value *out = n->out[0];
	bool pointwise = c->taps == 1 && c->strides[0] == 1;
	sym *extent = pointwise ? pixels_of(n) : out->dims[out->rank - 1];
	*lines = 1;
	if (!pointwise && may_join_lines(c) && !sym_is_const(out->dims[out->rank - 2], lines))
		return -1;
	return sym_is_const(extent, &pixels) ? pixels : -1;
}

product_size direct_panels(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	conv_shape c;
	conv_shape_of(n, &c);
	product_size of = {.columns = c.group_out};
	of.rows = rows_of(n, &c, &of.lines);
	return of;
}

/* [O, C/g, k...] -> [G, O/g, C/g, taps] -> padded columns -> [G, panel, column, C/g, taps] -> [G, panel, tap, C/g, column] */
void direct_pack(node *n, pass_ctx *ctx, int vectors)
{
	graph *g = n->graph;
	conv_shape c;
	conv_shape_of(n, &c);
	int64_t columns = (int64_t)vectors * target_lanes(ctx->target, F32);
	int64_t panels = (c.group_out + columns - 1) / columns;
	value *w = build_reshape(g, n->in[1], sym_list(g, (int64_t[]){c.group, c.group_out, c.group_in, c.taps}, 4), 4);
	int64_t none[4] = {0}, extra[4] = {0, panels * columns - c.group_out};
	w = build_pad(g, w, sym_list(g, none, 4), sym_list(g, extra, 4), "constant", NULL);
	w = build_reshape(g, w, sym_list(g, (int64_t[]){c.group, panels, columns, c.group_in, c.taps}, 5), 5);
	w = build_transpose(g, w, (int[]){0, 1, 4, 3, 2});
	append_packed(n, w);
}

void direct_lower(group_lowering *gl, node *n)
{
	sym_ctx *syms = gl->b.syms;
	conv_shape c;
	conv_shape_of(n, &c);
	const value *w = n->in[n->n_in - 1];
	int64_t columns = sym_value(w->dims[4]);
	tile_problem tp = {.anchor = n, .vectors = (int)(columns / target_lanes(gl->b.target, F32))};
	tp.max_rows = tile_rows(gl->b.target, -1, tp.vectors);
	output_rows(gl, &tp, n, &c);
	sym *g = add_loop(&tp.outer, syms, "g", sym_const(syms, c.group));
	tp.col_extent = sym_const(syms, c.group_out);
	tp.col = sym_loop(syms, "o", tp.col_extent);
	tp.at.i[1] = sym_add(sym_muli(g, c.group_out), tp.col);
	sym *tap[MAX_RANK], *tap_index = sym_const(syms, 0);
	for (int i = 0; i < c.spatial; i++) {
		tap[i] = add_loop(&tp.red, syms, "k", sym_const(syms, c.kernel[i]));
		tap_index = sym_add(sym_muli(tap_index, c.kernel[i]), tap[i]);
	}
	sym *channel = add_loop(&tp.red, syms, "c", sym_const(syms, c.group_in));
	tp.a = kb_read(&gl->b, n->in[0], tap_coord(n, &c, tp.at, sym_add(sym_muli(g, c.group_in), channel), tap));
	coord packed = {.rank = 5, .i = {g, sym_divi(tp.col, columns), tap_index, channel, sym_modi(tp.col, columns)}};
	tp.b = kb_read(&gl->b, w, packed);
	tp.init = conv_bias(gl, n, tp.at.i[1]);
	tp.a_row_bytes = bytes_behind_row(n, &tp, &c, c.group_in);
	lower_tile(gl, &tp);
}

/* ---- depthwise ------------------------------------------------------------------------------------------------------------- */
bool depthwise_applies(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	conv_shape c;
	return conv_fits_tiles(n, &c) && c.group > 1 && c.group_in == 1 && c.group_out == 1;
}

double depthwise_cost(const node *n, const pass_ctx *ctx)
{
	conv_shape c;
	conv_shape_of(n, &c);
	int lanes = target_lanes(ctx->target, F32);
	return conv_pixels(n) * (double)((c.group + lanes - 1) / lanes) * (double)c.taps;
}

/* [C, 1, k...] -> [taps, C] */
void depthwise_pack(node *n, pass_ctx *ctx, int vectors)
{
	(void)ctx, (void)vectors;
	graph *g = n->graph;
	conv_shape c;
	conv_shape_of(n, &c);
	value *w = build_reshape(g, n->in[1], sym_list(g, (int64_t[]){c.group, c.taps}, 2), 2);
	w = build_transpose(g, w, (int[]){1, 0});
	append_packed(n, w);
}

void depthwise_lower(group_lowering *gl, node *n)
{
	sym_ctx *syms = gl->b.syms;
	conv_shape c;
	conv_shape_of(n, &c);
	tile_problem tp = {.anchor = n, .vectors = 1, .max_rows = gl->b.target->depthwise_pixels};
	output_rows(gl, &tp, n, &c);
	tp.col_extent = sym_const(syms, c.group);
	tp.col = sym_loop(syms, "c", tp.col_extent);
	tp.at.i[1] = tp.col;
	sym *tap[MAX_RANK], *tap_index = sym_const(syms, 0);
	for (int i = 0; i < c.spatial; i++) {
		tap[i] = add_loop(&tp.red, syms, "k", sym_const(syms, c.kernel[i]));
		tap_index = sym_add(sym_muli(tap_index, c.kernel[i]), tap[i]);
	}
	tp.a = kb_read(&gl->b, n->in[0], tap_coord(n, &c, tp.at, tp.col, tap));
	coord packed = {.rank = 2, .i = {tap_index, tp.col}};
	tp.b = kb_read(&gl->b, n->in[n->n_in - 1], packed);
	tp.init = conv_bias(gl, n, tp.col);
	tp.a_row_bytes = bytes_behind_row(n, &tp, &c, c.group);
	lower_tile(gl, &tp);
}
