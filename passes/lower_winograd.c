/* Strategies for 3x3 convolutions by Winograd's minimal filtering F(m x m, 3 x 3): a tile of m x m outputs costs (m + 2)^2 products per
 * pair of channels instead of 9 m^2.  (A. Lavin, S. Gray: Fast algorithms for convolutional neural networks, 2015.)
 *
 *   V = B^T d B     the inputs behind a tile, by channel
 *   M = V U         for each of the (m + 2)^2 points one product: tiles x input channels x output channels
 *   y = A^T M A     then bias, epilogue and store, by output channel;      U = G w G^T is computed with the weights
 *
 * Of a 3-D convolution the last two axes are treated so; taps of its first axis are further input channels, each of which reads another
 * plane.  `terms` counts them: input channels x taps of the first axis.
 *
 * A kernel takes a block of tiles at a time, so that V and M of the block stay in the second-level cache; each iteration of the
 * parallel loop owns a slice of both and takes a run of blocks.  Weights are packed as [panel][point][terms][vectors * lanes], the
 * order in which they are read.
 *
 * Tiles at the far edges move back to end with the image: every tap they read is data or halo, and only the pixels that no
 * earlier tile writes are stored, so each pixel has one writer.  The last block moves back to end with the tiles: those it
 * repeats come out the same.  Images smaller than a tile (sizes known while running only) read their last pixels again, which
 * cancel in the pixels that are stored.  Numbers: bench/tiles.md. */
#include "ir/graph_build.h"
#include "passes/conv.h"

enum {
	TAPS = 3,
	MAX_POINTS = 6,    /* along one axis: outputs of a tile + 2 */
	MOST_TILES = 28,   /* per block */
	FEWEST_TILES = 14, /* fewer are not worth reading the weights again */
	WORKERS = 8,       /* slices of working memory */
	UNKNOWN_TILES = 1 << 20,
	LONG_EPILOGUE = 8, /* scalar operations beyond which pixels share one copy of the epilogue */
	MIN_ITEMS = 4,     /* parallel pieces wanted: with fewer blocks, panels are shared out too */
	DEFAULT_TILE = 4,
};

/* Points of evaluation are 0, then pairs of +p and -p, then infinity: rows 2i-1 and 2i of `input` agree in even columns and
 * differ in the sign of odd ones, and output i takes p^i of each pair. */
typedef struct transform {
	int outputs, points;
	double pair[2];                         /* p */
	double input[MAX_POINTS][MAX_POINTS];   /* B^T */
	double weights[MAX_POINTS][TAPS];       /* G */
	int input_steps, output_steps;          /* vector operations of a tile with loads and stores, for costs */
} transform;

/* clang-format off */
static const transform transform2 = {
	.outputs = 2, .points = 4, .pair = {1},
	.input = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
	.weights = {{1, 0, 0}, {1.0 / 2, 1.0 / 2, 1.0 / 2}, {1.0 / 2, -1.0 / 2, 1.0 / 2}, {0, 0, 1}},
	.input_steps = 80, .output_steps = 60,
};
static const transform transform4 = {
	.outputs = 4, .points = 6, .pair = {1, 2},
	.input = {{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
	          {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}},
	.weights = {{1.0 / 4, 0, 0}, {-1.0 / 6, -1.0 / 6, -1.0 / 6}, {-1.0 / 6, 1.0 / 6, -1.0 / 6},
	            {1.0 / 24, 1.0 / 12, 1.0 / 6}, {1.0 / 24, -1.0 / 12, 1.0 / 6}, {0, 0, 1}},
	.input_steps = 260, .output_steps = 200,
};
/* clang-format on */

/* ---- when ------------------------------------------------------------------------------------------------------------------ */
static bool is_channels_last(const value *v)
{
	const layout *l = value_base(v)->layout;
	return l && l->order[v->rank - 1] == 1;
}

/* The two axes that tiles have, counted among the spatial ones. */
static int plane_axis(const conv_shape *c, int i) { return c->spatial - 2 + i; }

static sym *plane_extent(const node *n, int i) { return n->out[0]->dims[n->out[0]->rank - 2 + i]; }

static int64_t depth_taps(const conv_shape *c) { return c->spatial == 3 ? c->kernel[0] : 1; }

/* What one product sums over: input channels, of every plane that is tapped. */
static int64_t terms_of(const conv_shape *c) { return c->group_in * depth_taps(c); }

static bool fits(const node *n, const pass_ctx *ctx, const transform *f)
{
	conv_shape c;
	int largest = ctx->winograd ? ctx->winograd : DEFAULT_TILE, lanes = target_lanes(ctx->target, F32);
	if (f->outputs > largest || (n->in[0]->rank != 4 && n->in[0]->rank != 5) || !conv_fits_tiles(n, &c) || c.group != 1 || c.group_in < lanes / 2 ||
	    !is_channels_last(n->in[0]) || !is_channels_last(n->out[0]))
		return false;
	for (int i = 0; i < 2; i++) {
		const sym *extent = plane_extent(n, i);
		int axis = plane_axis(&c, i);
		if (c.kernel[axis] != TAPS || c.strides[axis] != 1 || c.dilations[axis] != 1 || c.lo[axis] < 0 || c.hi[axis] < 0 ||
		    (extent->lo == extent->hi && extent->hi < f->outputs))
			return false;
	}
	return true;
}

/* Planes of output pixels: images, and the first spatial axis of 3-D ones. */
static sym *images_of(const node *n)
{
	const value *out = n->out[0];
	return out->rank == 5 ? sym_mul(out->dims[0], out->dims[2]) : out->dims[0];
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Rows computed for a block of so many tiles, in balanced register tiles. */
static int64_t rows_of_block(const target *t, int64_t tiles, int64_t columns)
{
	int64_t rows = tile_rows(t, tiles, tile_vectors(t, tiles, columns)), n = ceil_div(tiles, rows);
	return n * ceil_div(tiles, n);
}

/* Tiles per block: V of a block takes about half of the second-level cache, and little is computed twice. */
static int64_t tiles_per_block(const node *n, const target *t, const conv_shape *c, const transform *f)
{
	int64_t images, high, wide, tiles = -1, best = 0, best_rows = 0;
	if (sym_is_const(images_of(n), &images) && sym_is_const(plane_extent(n, 0), &high) && sym_is_const(plane_extent(n, 1), &wide))
		tiles = images * ceil_div(high, f->outputs) * ceil_div(wide, f->outputs);
	int64_t most = (int64_t)t->l2_kib * 144 / (f->points * f->points * terms_of(c));
	most = most < FEWEST_TILES ? FEWEST_TILES : most > MOST_TILES ? MOST_TILES : most;
	if (tiles > 0 && tiles < most)
		return tiles;
	for (int64_t k = most; k > most / 2; k--) {
		int64_t all = tiles > 0 ? tiles : UNKNOWN_TILES, rows = ceil_div(all, k) * rows_of_block(t, k, c->group_out);
		if (!best || rows < best_rows)
			best = k, best_rows = rows;
	}
	return best;
}

/* Products and transforms, and the weights on their way from memory: several times those of the filter. */
static double cost(const node *n, const pass_ctx *ctx, const transform *f)
{
	conv_shape c;
	conv_fits_tiles(n, &c);
	int64_t lanes = target_lanes(ctx->target, F32), high = typical_size(plane_extent(n, 0)), wide = typical_size(plane_extent(n, 1));
	double images = conv_pixels(n) / (double)(high * wide);
	double tiles = images * (double)(ceil_div(high, f->outputs) * ceil_div(wide, f->outputs));
	double ins = (double)(ceil_div(c.group_in, lanes) * depth_taps(&c)), outs = (double)ceil_div(c.group_out, lanes);
	double products = f->points * f->points * (double)terms_of(&c) * outs;
	return tiles * (products + ins * f->input_steps + outs * f->output_steps) + products * STREAM_SHARE;
}

/* ---- weights ---------------------------------------------------------------------------------------------------------------- */
static value *weight_matrix(graph *g, const transform *f)
{
	tensor *t = tensor_new(g->a, F64, 2, (const int64_t[]){f->points, TAPS}, NULL);
	double *to = arena_alloc(g->a, t->bytes, 64);
	for (int i = 0; i < f->points; i++)
		for (int k = 0; k < TAPS; k++)
			*to++ = f->weights[i][k];
	t->data = to - f->points * TAPS;
	return build_const(g, t, NULL);
}

static product_size panels_of(const node *n, const pass_ctx *ctx, const transform *f)
{
	conv_shape c;
	conv_fits_tiles(n, &c);
	return (product_size){tiles_per_block(n, ctx->target, &c, f), 1, c.group_out};
}

/* [O, C, D, 3, 3] -> G w G^T: [O, C * D, points, points] -> [panel, column, C, D, point] -> [panel, point, D * C, column] */
static void pack(node *n, pass_ctx *ctx, const transform *f, int vectors)
{
	graph *g = n->graph;
	conv_shape c;
	conv_fits_tiles(n, &c);
	int64_t points = (int64_t)f->points * f->points, columns = (int64_t)vectors * target_lanes(ctx->target, F32);
	int64_t panels = ceil_div(c.group_out, columns), none[4] = {0}, extra[4] = {panels * columns - c.group_out};
	value *matrix = weight_matrix(g, f), *w = build_cast(g, F64, n->in[1]);
	w = build_reshape(g, w, sym_list(g, (int64_t[]){c.group_out, terms_of(&c), TAPS, TAPS}, 4), 4);
	w = build_contract(g, w, matrix, "ochw,ph->ocpw");
	w = build_contract(g, w, matrix, "ocpw,qw->ocpq");
	w = build_cast(g, F32, w);
	w = build_pad(g, w, sym_list(g, none, 4), sym_list(g, extra, 4), "constant", NULL);
	w = build_reshape(g, w, sym_list(g, (int64_t[]){panels, columns, c.group_in, depth_taps(&c), points}, 5), 5);
	w = build_transpose(g, w, (int[]){0, 4, 3, 2, 1});
	append_packed(n, build_reshape(g, w, sym_list(g, (int64_t[]){panels, points, terms_of(&c), columns}, 4), 4));
}

/* ---- one-dimensional transforms ----------------------------------------------------------------------------------------------- */
static const expr *plus(kernel_builder *b, const expr *sum, double factor, const expr *x)
{
	if (!sum)
		return factor == 1 ? x : expr_binary(b->exprs, EXPR_MUL, x, expr_float(b->exprs, F32, factor));
	if (factor == 1 || factor == -1)
		return expr_binary(b->exprs, factor == 1 ? EXPR_ADD : EXPR_SUB, sum, x);
	return expr_ternary(b->exprs, EXPR_FMA, x, expr_float(b->exprs, F32, factor), sum);
}

/* Sum over columns first, first + by ... of a row of B^T; terms with factor 1 first, so that nothing is negated. */
static const expr *dot(kernel_builder *b, const double *row, const expr *const *x, int n, int first, int by)
{
	const expr *sum = NULL;
	for (int i = first; i < n && !sum; i += by)
		if (row[i] == 1)
			sum = x[i];
	bool taken = sum == NULL;
	for (int i = first; i < n; i += by) {
		if (row[i] == 1 && !taken)
			taken = true;
		else if (row[i] != 0)
			sum = plus(b, sum, row[i], x[i]);
	}
	return kb_let(b, "p", sum);
}

static void transform_input(kernel_builder *b, const transform *f, const expr *const *x, const expr **y)
{
	int n = f->points;
	y[0] = dot(b, f->input[0], x, n, 0, 1);
	for (int i = 1; i + 1 < n; i += 2) {
		const expr *even = dot(b, f->input[i], x, n, 0, 2), *odd = dot(b, f->input[i], x, n, 1, 2);
		y[i] = kb_let(b, "p", expr_binary(b->exprs, EXPR_ADD, even, odd));
		y[i + 1] = kb_let(b, "p", expr_binary(b->exprs, EXPR_SUB, even, odd));
	}
	y[n - 1] = dot(b, f->input[n - 1], x, n, 0, 1);
}

static void transform_output(kernel_builder *b, const transform *f, const expr *const *x, const expr **y)
{
	const expr *both[2][2]; /* sums and differences of pairs */
	int pairs = f->points / 2 - 1;
	for (int i = 0; i < pairs; i++) {
		both[0][i] = kb_let(b, "s", expr_binary(b->exprs, EXPR_ADD, x[2 * i + 1], x[2 * i + 2]));
		both[1][i] = kb_let(b, "d", expr_binary(b->exprs, EXPR_SUB, x[2 * i + 1], x[2 * i + 2]));
	}
	double power[2] = {1, 1};
	for (int k = 0; k < f->outputs; k++) {
		const expr *sum = k == 0 ? x[0] : k == f->outputs - 1 ? x[f->points - 1] : NULL;
		for (int i = 0; i < pairs; i++) {
			sum = plus(b, sum, power[i], both[k % 2][i]);
			power[i] *= f->pair[i];
		}
		y[k] = kb_let(b, "y", sum);
	}
}

/* rows x columns values: f along the columns, then along the rows. */
typedef void transform_1d(kernel_builder *b, const transform *f, const expr *const *x, const expr **y);

static void transform_2d(kernel_builder *b, const transform *f, transform_1d *t, int to, const expr *(*x)[MAX_POINTS], const expr *(*y)[MAX_POINTS])
{
	const expr *half[MAX_POINTS][MAX_POINTS];
	for (int j = 0; j < f->points; j++) {
		const expr *in[MAX_POINTS], *out[MAX_POINTS];
		for (int i = 0; i < f->points; i++)
			in[i] = x[i][j];
		t(b, f, in, out);
		for (int i = 0; i < to; i++)
			half[i][j] = out[i];
	}
	for (int i = 0; i < to; i++)
		t(b, f, half[i], y[i]);
}

/* ---- the kernel ----------------------------------------------------------------------------------------------------------------- */
typedef struct winograd {
	group_lowering *gl;
	node *n;
	const transform *f;
	conv_shape c;
	int lanes;
	int64_t block;                /* tiles per block */
	int64_t columns, panels;      /* of the packed weights */
	sym *high, *wide, *tiles;     /* tiles along an image's axes, and of all images */
	buffer *v, *m;
	sym *v_slice, *m_slice;       /* starts of this iteration's slices */
	int64_t v_point, m_point;     /* elements between points */
	coord at;                     /* of the convolution's output, over variables */
	buffer *to;
	sym *to_index;
	buffer *pixels;               /* of a tile, when a loop stores them; else NULL */
} winograd;

/* A tile of the block: which image and plane of it, its first output pixel, and how many of its first rows and columns belong to earlier tiles. */
typedef struct place_of_tile {
	sym *image, *plane, *origin[2], *skip[2]; /* plane: of a 3-D output */
} place_of_tile;

static sym *no(const winograd *w) { return sym_const(w->gl->b.syms, 0); }

static void origin_along(winograd *w, place_of_tile *p, int axis, sym *tile)
{
	kernel_builder *b = &w->gl->b;
	sym *extent = plane_extent(w->n, axis), *start = sym_muli(tile, w->f->outputs), *last = sym_addi(extent, -w->f->outputs);
	p->skip[axis] = NULL;
	if (sym_proves_multiple(extent, w->f->outputs)) {
		p->origin[axis] = settle(b, "at", start, extent);
		return;
	}
	p->origin[axis] = settle(b, "at", sym_max(sym_min(start, last), no(w)), extent);
	p->skip[axis] = settle(b, "skip", sym_sub(start, p->origin[axis]), sym_const(b->syms, w->f->outputs));
}

static place_of_tile place_of(winograd *w, sym *tile)
{
	kernel_builder *b = &w->gl->b;
	place_of_tile p;
	tile = settle(b, "tile", sym_min(tile, sym_addi(w->tiles, -1)), w->tiles);
	sym *row = sym_floordiv(tile, w->wide);
	p.image = settle(b, "image", sym_floordiv(row, w->high), images_of(w->n));
	p.plane = no(w);
	if (w->c.spatial == 3) {
		const value *out = w->n->out[0];
		p.plane = settle(b, "plane", sym_mod(p.image, out->dims[2]), out->dims[2]);
		p.image = settle(b, "image", sym_floordiv(p.image, out->dims[2]), out->dims[0]);
	}
	origin_along(w, &p, 0, sym_mod(row, w->high));
	origin_along(w, &p, 1, sym_mod(tile, w->wide));
	return p;
}

/* Input coordinate of point k of a tile, at most the last pixel of the halo. */
static sym *input_pixel(const winograd *w, const place_of_tile *p, int axis, int k)
{
	sym *at = sym_addi(p->origin[axis], k), *extent = plane_extent(w->n, axis);
	if (!sym_proves_ge(extent, sym_const(w->gl->b.syms, w->f->outputs)))
		at = sym_min(at, sym_addi(extent, TAPS - 2));
	return sym_addi(at, -w->c.lo[plane_axis(&w->c, axis)]);
}

static coord pixel_at(const winograd *w, sym *image, sym *channel, sym *plane, sym *y, sym *x)
{
	if (w->c.spatial == 3)
		return (coord){.rank = 5, .i = {image, channel, plane, y, x}};
	return (coord){.rank = 4, .i = {image, channel, y, x}};
}

static void input_tile(winograd *w, sym *first)
{
	kernel_builder *b = &w->gl->b;
	int points = w->f->points;
	const expr *x[MAX_POINTS][MAX_POINTS], *y[MAX_POINTS][MAX_POINTS];
	sym *tile = kb_for(b, "tile", sym_const(b->syms, w->block));
	place_of_tile p = place_of(w, sym_add(first, tile));
	bool deep = depth_taps(&w->c) > 1;
	sym *tap = deep ? kb_for(b, "tap", sym_const(b->syms, depth_taps(&w->c))) : no(w);
	sym *plane = sym_addi(sym_add(sym_muli(p.plane, w->c.strides[0]), sym_muli(tap, w->c.dilations[0])), -w->c.lo[0]);
	sym *channel = kb_vector(b, "c", sym_const(b->syms, w->c.group_in), w->lanes);
	for (int j = 0; j < points; j++)
		for (int i = 0; i < points; i++) {
			coord at = pixel_at(w, p.image, channel, plane, input_pixel(w, &p, 0, i), input_pixel(w, &p, 1, j));
			x[i][j] = kb_let(b, "x", kb_read(b, w->n->in[0], at));
		}
	transform_2d(b, w->f, transform_input, points, x, y);
	sym *term = sym_add(sym_muli(tap, w->c.group_in), channel);
	sym *to = sym_add(w->v_slice, sym_add(sym_muli(tile, terms_of(&w->c)), term));
	for (int i = 0; i < points; i++)
		for (int j = 0; j < points; j++)
			kb_store(b, w->v, sym_addi(to, (i * points + j) * w->v_point), y[i][j]);
	kb_end(b);
	if (deep)
		kb_end(b);
	kb_end(b);
}

static void products(winograd *w, sym *panel)
{
	kernel_builder *b = &w->gl->b;
	sym_ctx *syms = b->syms;
	const value *u = w->n->in[w->n->n_in - 1];
	sym *point = kb_for(b, "point", sym_const(syms, (int64_t)w->f->points * w->f->points));
	tile_problem tp = {.anchor = w->n, .vectors = (int)(w->columns / w->lanes)};
	tp.row_extent[1] = sym_const(syms, w->block);
	tp.row[1] = sym_loop(syms, "tile", tp.row_extent[1]);
	tp.max_rows = tile_rows(b->target, w->block, tp.vectors);
	tp.col_extent = sym_const(syms, w->c.group_out);
	tp.col = sym_loop(syms, "o", tp.col_extent);
	tp.red.n = 1;
	tp.red.extent[0] = sym_const(syms, terms_of(&w->c));
	sym *term = tp.red.var[0] = sym_loop(syms, "c", tp.red.extent[0]), *column = sym_modi(tp.col, w->columns);
	sym *from = sym_add(w->v_slice, sym_muli(point, w->v_point));
	tp.a = expr_load(b->exprs, w->v, sym_add(from, sym_add(sym_muli(tp.row[1], terms_of(&w->c)), term)));
	tp.b = kb_read(b, u, (coord){.rank = 4, .i = {sym_divi(tp.col, w->columns), point, term, column}});
	tp.to = w->m;
	tp.to_index = sym_add(sym_add(w->m_slice, sym_muli(point, w->m_point)), sym_add(sym_muli(tp.row[1], w->columns), column));
	lower_tile_panel(w->gl, &tp, panel);
	kb_end(b);
}

/* Opens conditions for pixel k of an axis to be this tile's to write: not an earlier one's, and inside of the image. */
static int guard_pixel(const winograd *w, const place_of_tile *p, int axis, sym *k)
{
	kernel_builder *b = &w->gl->b;
	sym *extent = plane_extent(w->n, axis);
	int guards = 0;
	if (p->skip[axis] && !sym_is(k, w->f->outputs - 1)) {
		kb_if(b, expr_binary(b->exprs, EXPR_LE, expr_index(b->exprs, p->skip[axis]), expr_index(b->exprs, k)));
		guards++;
	}
	if (!sym_proves_ge(extent, sym_const(b->syms, w->f->outputs))) {
		sym *at = sym_add(p->origin[axis], k);
		kb_if(b, expr_binary(b->exprs, EXPR_LT, expr_index(b->exprs, at), expr_index(b->exprs, extent)));
		guards++;
	}
	return guards;
}

static void end_guards(const winograd *w, int guards)
{
	while (guards-- > 0)
		kb_end(&w->gl->b);
}

static void store_pixel(winograd *w, const place_of_tile *p, sym *channel, sym *i, sym *j, const expr *sum)
{
	group_lowering *gl = w->gl;
	const value *out = w->n->out[0];
	substitution s = {0};
	coord by = pixel_at(w, p->image, channel, p->plane, sym_add(p->origin[0], i), sym_add(p->origin[1], j));
	for (int k = 0; k < by.rank; k++)
		if (w->at.i[k]->kind == SYM_VAR)
			substitute(&s, w->at.i[k], by.i[k]);
	bind_scalar(gl, out, expr_round_to(gl->b.exprs, out->type, sum));
	const expr *e = expr_substitute(&gl->b, &s, root_element(gl, w->at));
	kb_store(&gl->b, w->to, sym_substitute(&s, w->to_index), e);
}

/* Copies of the epilogue for all pixels would be much code: it is long, or conditions of unknown sizes surround each. */
static bool loops_over_pixels(const winograd *w)
{
	if (w->gl->b.opt == 0)
		return false;
	return !sym_is_const(plane_extent(w->n, 0), NULL) || !sym_is_const(plane_extent(w->n, 1), NULL) ||
	       (w->gl->root != w->n && expr_cost(root_element(w->gl, w->at)) > LONG_EPILOGUE);
}

/* Epilogue and store of every pixel, a copy for each. */
static void store_pixels(winograd *w, const place_of_tile *p, sym *channel, const expr *(*y)[MAX_POINTS])
{
	sym_ctx *syms = w->gl->b.syms;
	for (int i = 0; i < w->f->outputs; i++) {
		sym *row = sym_const(syms, i);
		int rows = guard_pixel(w, p, 0, row);
		for (int j = 0; j < w->f->outputs; j++) {
			sym *col = sym_const(syms, j);
			int guards = guard_pixel(w, p, 1, col);
			store_pixel(w, p, channel, row, col, y[i][j]);
			end_guards(w, guards);
		}
		end_guards(w, rows);
	}
}

/* The same in one loop over the pixels. */
static void store_pixels_by_loop(winograd *w, const place_of_tile *p, sym *channel, sym *lane, const expr *(*y)[MAX_POINTS])
{
	kernel_builder *b = &w->gl->b;
	int n = w->f->outputs;
	for (int i = 0; i < n * n; i++)
		kb_store(b, w->pixels, sym_addi(lane, i * w->columns), y[i / n][i % n]);
	sym *row = kb_for(b, "row", sym_const(b->syms, n));
	int rows = guard_pixel(w, p, 0, row);
	sym *col = kb_for(b, "col", sym_const(b->syms, n));
	int guards = guard_pixel(w, p, 1, col);
	sym *at = sym_add(sym_muli(sym_add(sym_muli(row, n), col), w->columns), lane);
	store_pixel(w, p, channel, row, col, kb_load(b, w->pixels, at));
	end_guards(w, guards);
	kb_end(b);
	end_guards(w, rows);
	kb_end(b);
}

static void output_tile(winograd *w, sym *first, sym *panel)
{
	kernel_builder *b = &w->gl->b;
	const transform *f = w->f;
	const expr *x[MAX_POINTS][MAX_POINTS], *y[MAX_POINTS][MAX_POINTS];
	sym *columns = sym_const(b->syms, w->columns), *from = sym_muli(panel, w->columns);
	if (w->c.group_out % w->columns)
		columns = sym_min(columns, sym_addi(sym_neg(from), w->c.group_out));
	sym *tile = kb_for(b, "tile", sym_const(b->syms, w->block));
	place_of_tile p = place_of(w, sym_add(first, tile));
	w->pixels = loops_over_pixels(w) ? kb_array(b, "pixels", F32, f->outputs * f->outputs * w->columns) : NULL;
	sym *lane = kb_vector(b, "v", columns, w->lanes), *channel = sym_add(from, lane);
	sym *at = sym_add(w->m_slice, sym_add(sym_muli(tile, w->columns), lane));
	for (int j = 0; j < f->points; j++)
		for (int i = 0; i < f->points; i++)
			x[i][j] = kb_let(b, "x", kb_load(b, w->m, sym_addi(at, (i * f->points + j) * w->m_point)));
	transform_2d(b, f, transform_output, f->outputs, x, y);
	const expr *bias = conv_bias(w->gl, w->n, channel);
	bias = bias ? kb_let(b, "bias", bias) : NULL;
	for (int i = 0; bias && i < f->outputs * f->outputs; i++) {
		const expr **sum = &y[i / f->outputs][i % f->outputs];
		*sum = expr_binary(b->exprs, EXPR_ADD, *sum, bias);
	}
	if (w->pixels)
		store_pixels_by_loop(w, &p, channel, lane, y);
	else
		store_pixels(w, &p, channel, y);
	kb_end(b);
	kb_end(b);
}

/* One block and its share of the panels. */
static void block_of_tiles(winograd *w, sym *number, sym *panel, sym *panels)
{
	kernel_builder *b = &w->gl->b;
	sym *first = sym_muli(number, w->block);
	if (!sym_proves_multiple(w->tiles, w->block))
		first = sym_max(sym_min(first, sym_addi(w->tiles, -w->block)), no(w));
	first = settle(b, "first", first, w->tiles);
	input_tile(w, first);
	sym *here = settle(b, "panel", sym_add(panel, kb_for(b, "p", panels)), sym_const(b->syms, w->panels));
	products(w, here);
	output_tile(w, first, here);
	kb_end(b);
}

/* An odd number of lines keeps points apart in a cache's sets. */
static int64_t between_points(int64_t elements)
{
	enum { LINE = 16 };
	return (ceil_div(elements, LINE) | 1) * LINE;
}

static void find_sizes(winograd *w)
{
	sym_ctx *syms = w->gl->b.syms;
	const value *out = w->n->out[0], *u = w->n->in[w->n->n_in - 1];
	conv_fits_tiles(w->n, &w->c);
	w->lanes = target_lanes(w->gl->b.target, F32);
	w->block = tiles_per_block(w->n, w->gl->b.target, &w->c, w->f);
	w->panels = sym_value(u->dims[0]);
	w->columns = sym_value(u->dims[3]);
	sym *outputs = sym_const(syms, w->f->outputs);
	w->high = sym_ceildiv(plane_extent(w->n, 0), outputs);
	w->wide = sym_ceildiv(plane_extent(w->n, 1), outputs);
	w->tiles = sym_mul(images_of(w->n), sym_mul(w->high, w->wide));
	w->v_point = between_points(w->block * terms_of(&w->c));
	w->m_point = between_points(w->block * w->columns);
	w->at = coord_of_dims(syms, out, "i");
}

/* Parts that the panels of a block are shared out to. */
static int64_t parts_of(const winograd *w, sym *blocks)
{
	int64_t n = blocks->lo > 0 ? blocks->lo : 1, parts = ceil_div(MIN_ITEMS, n);
	return blocks->lo != blocks->hi ? 1 : parts > w->panels ? w->panels : parts;
}

static void lower_points(group_lowering *gl, node *n, const transform *f)
{
	kernel_builder *b = &gl->b;
	sym_ctx *syms = b->syms;
	winograd w = {.gl = gl, .n = n, .f = f};
	find_sizes(&w);
	sym *blocks = sym_ceildiv(w.tiles, sym_const(syms, w.block));
	int64_t points = (int64_t)f->points * f->points, parts = parts_of(&w, blocks);
	sym *items = sym_muli(blocks, parts), *workers = sym_min(items, sym_const(syms, WORKERS));
	static const local placeholder = {.name = "y", .type = F32};
	bind_scalar(gl, n->out[0], expr_local(b->exprs, &placeholder));
	w.to = store_place(gl, gl->out, w.at, &w.to_index);
	w.v = scratch_of(gl, "v", F32, sym_muli(workers, points * w.v_point));
	w.m = scratch_of(gl, "m", F32, sym_muli(workers, points * w.m_point));

	sym *worker = kb_parallel(b, "t", workers);
	w.v_slice = sym_muli(worker, points * w.v_point);
	w.m_slice = sym_muli(worker, points * w.m_point);
	sym *begin = settle(b, "begin", sym_floordiv(sym_mul(worker, items), workers), items);
	sym *end = settle(b, "end", sym_floordiv(sym_mul(sym_addi(worker, 1), items), workers), sym_addi(items, 1));
	sym *item = sym_add(begin, kb_for(b, "i", sym_sub(end, begin)));
	item = settle(b, "item", item, items);
	sym *part = sym_modi(item, parts), *share = sym_const(syms, w.panels), *panel = sym_divi(sym_mul(part, share), parts);
	panel = settle(b, "from", panel, share);
	sym *panels = sym_sub(sym_divi(sym_mul(sym_addi(part, 1), share), parts), panel);
	block_of_tiles(&w, sym_divi(item, parts), panel, panels);
	kb_end(b);
}

/* ---- rows of the table ---------------------------------------------------------------------------------------------------------- */
bool winograd4_applies(const node *n, const pass_ctx *ctx) { return fits(n, ctx, &transform4); }
double winograd4_cost(const node *n, const pass_ctx *ctx) { return cost(n, ctx, &transform4); }
product_size winograd4_panels(const node *n, const pass_ctx *ctx) { return panels_of(n, ctx, &transform4); }
void winograd4_pack(node *n, pass_ctx *ctx, int vectors) { pack(n, ctx, &transform4, vectors); }
void winograd4_lower(group_lowering *gl, node *n) { lower_points(gl, n, &transform4); }

bool winograd2_applies(const node *n, const pass_ctx *ctx) { return fits(n, ctx, &transform2); }
double winograd2_cost(const node *n, const pass_ctx *ctx) { return cost(n, ctx, &transform2); }
product_size winograd2_panels(const node *n, const pass_ctx *ctx) { return panels_of(n, ctx, &transform2); }
void winograd2_pack(node *n, pass_ctx *ctx, int vectors) { pack(n, ctx, &transform2, vectors); }
void winograd2_lower(group_lowering *gl, node *n) { lower_points(gl, n, &transform2); }
