/* The register tile: rows x vectors accumulators in registers, one broadcast of A per row and one load of B per vector and step.
 *
 * The rows of the last tile move back to end with the data (they are computed twice, to the same values), so there is one body
 * and no ragged rows; an extent that may be smaller than the tile takes narrow tiles, or single rows.  Columns beyond the end are lanes
 * that the vector loop masks.  Blocks of rows are kept small enough for their part of A to stay in the second-level cache while
 * the panels of B pass by; panels are the faster running part of the parallel loop.  Rules and numbers: bench/tiles.md. */
#include "passes/strategy.h"

#include <assert.h>

enum {
	UNROLL = 4,            /* steps of the innermost reduction loop per iteration */
	UNROLL_WHOLE = 8,      /* a constant loop of at most so many steps is unrolled altogether */
	FEW_ROWS = 4,          /* for which the target has tiles of their own */
	MANY_TILES = 16,       /* parallel iterations wanted when the problem has them */
	MAX_HEIGHTS = 9,
	PASS_COST = 3,         /* of a pass over a panel of B, in half rows of the tile */
	IN_FLIGHT = 8,         /* accumulators that hide the latency of a multiply-add */
	ONE_BLOCK = 256,       /* rows that are not worth another pass over B, whatever their size */
	DYNAMIC_BLOCK = 8,     /* row tiles per block when the extent is dynamic */
	LONG_EPILOGUE = 8,     /* scalar operations beyond which rows share one copy of the epilogue */
};

/* One concrete tile: `high` x `wide` rows. */
typedef struct tile {
	group_lowering *gl;
	const tile_problem *tp;
	int high, wide;
	int lanes;
	sym *columns;   /* of the panel being written */
	sym *offset[2]; /* row of the tile relative to its first, in both row axes */
	buffer *to;
	sym *to_index;
	local *acc[64]; /* [chain][row] */
	int chains;     /* sums of interleaved steps, where there are too few rows to keep the multiply-adds busy */
	sym *line[64], *place[64]; /* of every row, when rows count pixels */
	sym *lane;
	struct { /* arrays of a tile whose epilogue is long: one loop over rows instead of a copy for each */
		buffer *acc, *line, *place; /* acc NULL: a copy for each */
	} spill;
} tile;

/* A block of the blocked row axis: the nth of so many tiles; nth NULL: the whole axis. */
typedef struct part {
	sym *nth;
	int64_t tiles;
} part;

/* ---- shapes ------------------------------------------------------------------------------------------------------------ */
/* Share of the peak that tiles of so many vectors reach: one vector per row is bound by its broadcasts. */
static double tile_rate(int vectors)
{
	return vectors == 1 ? 0.75 : vectors == 2 ? 0.96 : 1.0;
}

static const double JOINED_COST = 1.08; /* of tiles that run over the ends of lines: an address for every row */

/* Time of n columns in panels of `vectors`, the last of which has only the vectors it needs. */
static double columns_time(int64_t n, int vectors, int lanes)
{
	int64_t all = (n + lanes - 1) / lanes, rest = all % vectors;
	double time = (double)(all - rest) / tile_rate(vectors);
	return rest ? time + (double)rest / tile_rate((int)rest) : time;
}

double tile_waste(int64_t m, int most)
{
	if (m <= 0)
		return 1;
	int64_t tiles = (m + most - 1) / most;
	return (double)((m + tiles - 1) / tiles * tiles) / (double)m;
}

/* The waste of tiles that cover parts of lines, or whole ones. */
static double waste_by_lines(int64_t width, int64_t lines, int most)
{
	int64_t high = width > 0 && width < most ? most / width : 1;
	return tile_waste(width, most) * (high > 1 ? tile_waste(lines, (int)high) : 1);
}

bool lines_are_joined(int64_t width, int64_t lines, int most)
{
	return waste_by_lines(width, lines, most) > JOINED_COST * tile_waste(width * lines, most);
}

static double product_waste(product_size of, int most)
{
	if (of.rows < 0 || of.lines <= 1)
		return tile_waste(of.rows, most);
	return lines_are_joined(of.rows, of.lines, most) ? JOINED_COST * tile_waste(of.rows * of.lines, most) : waste_by_lines(of.rows, of.lines, most);
}

static bool has_few_rows(product_size of)
{
	return of.rows >= 0 && of.rows * of.lines <= FEW_ROWS;
}

static int best_vectors(const target *t, product_size of)
{
	if (has_few_rows(of))
		for (int i = 0; i < MAX_TILES && t->gemv[i].rows; i++)
			if (t->gemv[i].rows >= of.rows * of.lines)
				return t->gemv[i].vectors;
	int lanes = target_lanes(t, F32), best = 1;
	double best_time = 0;
	for (int i = 0; i < MAX_TILES && t->gemm[i].rows; i++) {
		double time = columns_time(of.columns, t->gemm[i].vectors, lanes) * product_waste(of, t->gemm[i].rows) * (1 + 0.005 * i);
		if (!best_time || time < best_time)
			best_time = time, best = t->gemm[i].vectors;
	}
	return best;
}

int tile_vectors(const target *t, int64_t m, int64_t n)
{
	return best_vectors(t, (product_size){m, 1, n});
}

static bool listed(const int *widths, int n, int vectors)
{
	for (int i = 0; i < n; i++)
		if (widths[i] == vectors)
			return true;
	return false;
}

/* Those of a row of the target's table, but no wider than the columns are. */
static int add_widths(const tile_shape *shapes, int64_t most, int *out, int n)
{
	for (int i = 0; i < MAX_TILES && shapes[i].rows; i++)
		if (shapes[i].vectors <= most && !listed(out, n, shapes[i].vectors))
			out[n++] = shapes[i].vectors;
	return n;
}

int tile_widths(const target *t, product_size of, int out[2 * MAX_TILES])
{
	int lanes = target_lanes(t, F32), count = 0;
	int64_t most = (of.columns + lanes - 1) / lanes;
	out[count++] = best_vectors(t, of);
	count = add_widths(t->gemm, most, out, count);
	return has_few_rows(of) ? add_widths(t->gemv, most, out, count) : count;
}

int tile_rows(const target *t, int64_t m, int vectors)
{
	int most = (t->vector_regs - vectors - 1) / vectors;
	for (int i = 0; i < MAX_TILES && t->gemm[i].rows; i++)
		if (t->gemm[i].vectors == vectors)
			most = t->gemm[i].rows;
	if (m > 0 && m < most)
		most = (int)m;
	return most > 60 ? 60 : most < 1 ? 1 : most; /* of a row as wide as the registers, a single one */
}

/* Rows of balanced tiles: as few tiles as `most` rows allow, all equally high. */
static int balanced(sym *extent, int most)
{
	int64_t n;
	if (!sym_is_const(extent, &n) || n <= 0)
		return most;
	int64_t tiles = (n + most - 1) / most;
	return (int)((n + tiles - 1) / tiles);
}

static void choose_rows(tile *t)
{
	const tile_problem *tp = t->tp;
	t->wide = balanced(tp->row_extent[1], tp->max_rows);
	t->high = 1;
	int64_t high;
	if (tp->row[0] && sym_is_const(tp->row_extent[1], NULL) && sym_is_const(tp->row_extent[0], &high) && t->wide == sym_value(tp->row_extent[1]))
		t->high = balanced(tp->row_extent[0], tp->max_rows / t->wide);
}

/* ---- the micro-kernel ------------------------------------------------------------------------------------------------------ */
static void substitute_row(const tile *t, substitution *s, int r)
{
	sym_ctx *syms = t->gl->b.syms;
	substitute(s, t->offset[0], sym_const(syms, r / t->wide));
	substitute(s, t->offset[1], sym_const(syms, r % t->wide));
	if (t->tp->line) {
		substitute(s, t->tp->line, t->line[r]);
		substitute(s, t->tp->place, t->place[r]);
	}
}

/* Line and place of every row: by division for the first one, by counting for the others. */
static void locate_rows(tile *t, const substitution *s)
{
	kernel_builder *b = &t->gl->b;
	sym *width = t->tp->width;
	substitution first = *s;
	substitute(&first, t->offset[1], sym_const(b->syms, 0));
	sym *pixel = sym_substitute(&first, t->tp->row[1]);
	t->line[0] = settle(b, "line", sym_floordiv(pixel, width), t->tp->line->below);
	t->place[0] = settle(b, "place", sym_mod(pixel, width), width);
	for (int r = 1; r < t->wide; r++) {
		sym *next = sym_addi(t->place[r - 1], 1);
		const expr *ends = kb_let(b, "ends", expr_binary(b->exprs, EXPR_GE, expr_index(b->exprs, next), expr_index(b->exprs, width)));
		const expr *along = expr_ternary(b->exprs, EXPR_SELECT, ends, expr_int(b->exprs, I64, 0), expr_index(b->exprs, next));
		const expr *down = expr_binary(b->exprs, EXPR_ADD, expr_index(b->exprs, t->line[r - 1]), expr_cast(b->exprs, I64, ends));
		t->place[r] = expr_to_sym(b->exprs, kb_let(b, "place", along), 0, INT64_MAX, width);
		t->line[r] = expr_to_sym(b->exprs, kb_let(b, "line", down), 0, INT64_MAX, t->tp->line->below);
	}
}

/* acc[r] += a[r][k] * b[k] for the step given by s, in one of the chains. */
static void multiply_add(tile *t, const substitution *s, int chain)
{
	kernel_builder *b = &t->gl->b;
	const expr *column = kb_let(b, "b", expr_substitute(b, s, t->tp->b));
	local *const *acc = t->acc + chain * t->high * t->wide;
	for (int r = 0; r < t->high * t->wide; r++) {
		substitution here = *s;
		substitute_row(t, &here, r);
		const expr *a = expr_substitute(b, &here, t->tp->a);
		kb_set(b, acc[r], expr_ternary(b->exprs, EXPR_FMA, a, column, kb_get(b, acc[r])));
	}
}

static void multiply_add_at(tile *t, const substitution *s, sym *k, sym *at, int chain)
{
	substitution here = *s;
	substitute(&here, k, at);
	multiply_add(t, &here, chain);
}

static void unrolled_steps(tile *t, const substitution *s, sym *k, sym *first, int64_t n)
{
	kernel_builder *b = &t->gl->b;
	if (t->chains > 1) {
		for (int i = 0; i < n; i++)
			multiply_add_at(t, s, k, sym_addi(first, i), i % t->chains);
		return;
	}
	sym *u = kb_unroll(b, "u", n);
	multiply_add_at(t, s, k, sym_add(first, u), 0);
	kb_end(b);
}

static void innermost_steps(tile *t, const substitution *s, sym *k, sym *extent)
{
	kernel_builder *b = &t->gl->b;
	int64_t n;
	bool constant = sym_is_const(extent, &n);
	if (constant && n <= UNROLL_WHOLE) {
		unrolled_steps(t, s, k, sym_const(b->syms, 0), n);
		return;
	}
	sym *i = kb_for(b, "k", sym_divi(extent, UNROLL));
	unrolled_steps(t, s, k, sym_muli(i, UNROLL), UNROLL);
	kb_end(b);
	sym *whole = sym_muli(sym_divi(extent, UNROLL), UNROLL);
	if (constant) {
		if (n % UNROLL)
			unrolled_steps(t, s, k, whole, n % UNROLL);
	} else if (!sym_proves_multiple(extent, UNROLL)) {
		sym *rest = kb_for(b, "k", sym_sub(extent, whole));
		multiply_add_at(t, s, k, sym_add(whole, rest), 0);
		kb_end(b);
	}
}

static void reduction_loops(tile *t, const substitution *s)
{
	kernel_builder *b = &t->gl->b;
	const loop_list *red = &t->tp->red;
	substitution inner = *s;
	for (int i = 0; i + 1 < red->n; i++)
		substitute(&inner, red->var[i], kb_for(b, "k", red->extent[i]));
	if (red->n)
		innermost_steps(t, &inner, red->var[red->n - 1], red->extent[red->n - 1]);
	else
		multiply_add(t, s, 0);
	for (int i = 0; i + 1 < red->n; i++)
		kb_end(b);
}

/* Computes the root from one accumulator, for the row that s names, and stores it. */
static void finish_row(tile *t, const substitution *s, const expr *acc)
{
	group_lowering *gl = t->gl;
	kernel_builder *b = &gl->b;
	if (t->tp->to) {
		if (t->tp->plus)
			acc = expr_binary(b->exprs, EXPR_ADD, expr_substitute(b, s, t->tp->plus), acc);
		kb_store(b, t->tp->to, sym_substitute(s, t->tp->to_index), acc);
		return;
	}
	bind_scalar(gl, t->tp->anchor->out[0], expr_round_to(b->exprs, t->tp->anchor->out[0]->type, acc));
	const expr *e = expr_substitute(b, s, root_element(gl, t->tp->at));
	kb_store(b, t->to, sym_substitute(s, t->to_index), e);
}

static sym *spilled(tile *t, buffer *array, sym *row, sym *below)
{
	kernel_builder *b = &t->gl->b;
	return expr_to_sym(b->exprs, kb_let(b, "at", kb_load(b, array, row)), 0, INT64_MAX, below);
}

/* A long epilogue: accumulators go to an array, one loop over its rows finishes them. */
static void looped_epilogue(tile *t, const substitution *s)
{
	kernel_builder *b = &t->gl->b;
	int rows = t->high * t->wide;
	for (int r = 0; r < rows; r++)
		kb_store(b, t->spill.acc, sym_addi(t->lane, (int64_t)r * t->lanes), kb_get(b, t->acc[r]));
	sym *row = kb_for(b, "r", sym_const(b->syms, rows));
	substitution here = *s;
	substitute(&here, t->offset[0], sym_divi(row, t->wide));
	substitute(&here, t->offset[1], sym_modi(row, t->wide));
	if (t->tp->line) {
		substitute(&here, t->tp->line, spilled(t, t->spill.line, row, t->tp->line->below));
		substitute(&here, t->tp->place, spilled(t, t->spill.place, row, t->tp->width));
	}
	finish_row(t, &here, kb_load(b, t->spill.acc, sym_add(sym_muli(row, t->lanes), t->lane)));
	kb_end(b);
}

static void epilogue(tile *t, const substitution *s)
{
	if (t->spill.acc) {
		looped_epilogue(t, s);
		return;
	}
	for (int r = 0; r < t->high * t->wide; r++) {
		substitution here = *s;
		substitute_row(t, &here, r);
		finish_row(t, &here, kb_get(&t->gl->b, t->acc[r]));
	}
}

/* Declares the arrays of a long epilogue; called where the root is bound to a placeholder. */
static void declare_spill(tile *t)
{
	kernel_builder *b = &t->gl->b;
	int rows = t->high * t->wide;
	t->spill.acc = NULL;
	if (rows < 3 || t->tp->to || b->opt == 0 || t->gl->root == t->tp->anchor || expr_cost(root_element(t->gl, t->tp->at)) <= LONG_EPILOGUE)
		return;
	t->spill.acc = kb_array(b, "tile", F32, (int64_t)rows * t->lanes);
	if (!t->tp->line)
		return;
	t->spill.line = kb_array(b, "lines", I64, rows);
	t->spill.place = kb_array(b, "places", I64, rows);
	for (int r = 0; r < rows; r++) {
		kb_store(b, t->spill.line, sym_const(b->syms, r), expr_index(b->exprs, t->line[r]));
		kb_store(b, t->spill.place, sym_const(b->syms, r), expr_index(b->exprs, t->place[r]));
	}
}

/* Interleaved sums where rows x vectors alone would wait for one another: of a power of two of steps, at most UNROLL. */
static void declare_accumulators(tile *t, const expr *init)
{
	kernel_builder *b = &t->gl->b;
	int rows = t->high * t->wide;
	int64_t steps;
	t->chains = 1;
	if (b->opt > 0 && t->tp->red.n && !(sym_is_const(t->tp->red.extent[t->tp->red.n - 1], &steps) && steps < 2 * UNROLL))
		while (t->chains < UNROLL && t->chains * rows * t->tp->vectors < IN_FLIGHT)
			t->chains *= 2;
	for (int i = 0; i < t->chains * rows; i++)
		t->acc[i] = kb_var(b, "acc", F32, i < rows ? init : expr_float(b->exprs, F32, 0));
}

static void add_chains(tile *t)
{
	kernel_builder *b = &t->gl->b;
	int rows = t->high * t->wide;
	for (int n = t->chains / 2; n > 0; n /= 2)
		for (int i = 0; i < n * rows; i++)
			kb_set(b, t->acc[i], expr_binary(b->exprs, EXPR_ADD, kb_get(b, t->acc[i]), kb_get(b, t->acc[i + n * rows])));
}

/* One tile of rows whose first rows s names, all lanes of one panel. */
static void micro_kernel(tile *t, const substitution *s, sym *panel)
{
	kernel_builder *b = &t->gl->b;
	const tile_problem *tp = t->tp;
	sym *start = sym_muli(panel, t->lanes);
	if (tp->line)
		locate_rows(t, s);
	declare_spill(t);
	sym *lane = t->lane = kb_vector(b, "v", t->columns, t->lanes);
	substitution inner = *s;
	substitute(&inner, tp->col, sym_add(start, lane));
	const expr *zero = expr_float(b->exprs, F32, 0);
	const expr *init = tp->init ? kb_let(b, "init", expr_substitute(b, &inner, tp->init)) : zero;
	declare_accumulators(t, init);
	reduction_loops(t, &inner);
	add_chains(t);
	epilogue(t, &inner);
	kb_end(b);
}

/* ---- blocks of rows --------------------------------------------------------------------------------------------------------------- */
/* First row of tile i: the last tile moves back to end with the data. */
static sym *first_row(kernel_builder *b, sym *i, int rows, sym *extent)
{
	sym *at = sym_muli(i, rows);
	if (!sym_proves_multiple(extent, rows))
		at = sym_min(at, sym_addi(extent, -rows));
	return settle(b, "first", at, sym_addi(extent, 1 - rows));
}

/* Tiles first .. first + count - 1 of the inner row axis. */
static void tiles_of_row(tile *t, const substitution *s, sym *panel, sym *first, sym *count)
{
	kernel_builder *b = &t->gl->b;
	const tile_problem *tp = t->tp;
	sym *i = sym_add(first, kb_for(b, "m", count));
	substitution inner = *s;
	substitute(&inner, tp->row[1], sym_add(first_row(b, i, t->wide, tp->row_extent[1]), t->offset[1]));
	micro_kernel(t, &inner, panel);
	kb_end(b);
}

/* Heights of the tiles that an inner row axis of unknown extent chooses from, falling to 1.  Where lines or a second axis make many
 * rows, what the last tile wastes does not matter, and only axes shorter than a tile need others. */
static int heights_of(const tile *t, int heights[MAX_HEIGHTS])
{
	static const int many[] = {20, 14, 10, 8, 6, 4, 2, 1}, few[] = {4, 1};
	_Static_assert(sizeof many / sizeof *many < MAX_HEIGHTS, "every extent needs a height that fits, 1 in the end");
	bool alone = !t->tp->line && !t->tp->row[0];
	const int *from = alone ? many : few;
	int n = 0, n_from = (int)(alone ? sizeof many / sizeof *many : sizeof few / sizeof *few);
	heights[n++] = t->wide;
	for (int i = 0; i < n_from; i++)
		if (from[i] < t->wide)
			heights[n++] = from[i];
	return n;
}

/* What tiles of so many rows cost, in half rows; too much when there are fewer rows. */
static const expr *cost_of_height(tile *t, int height)
{
	kernel_builder *b = &t->gl->b;
	sym *extent = t->tp->row_extent[1], *rows = sym_const(b->syms, height);
	const expr *cost = expr_index(b->exprs, sym_muli(sym_ceildiv(extent, rows), 2 * height + PASS_COST));
	if (height == 1)
		return cost;
	const expr *fits = expr_binary(b->exprs, EXPR_GE, expr_index(b->exprs, extent), expr_index(b->exprs, rows));
	return expr_ternary(b->exprs, EXPR_SELECT, fits, cost, expr_int(b->exprs, I64, INT64_MAX));
}

/* The tiles of one block in tiles of another height: as many as are due to it. */
static void tiles_of_height(const tile *t, int height, const substitution *s, sym *panel, part of)
{
	kernel_builder *b = &t->gl->b;
	tile low = *t;
	low.wide = height;
	sym *tiles = sym_ceildiv(t->tp->row_extent[1], sym_const(b->syms, height)), *zero = sym_const(b->syms, 0);
	if (!of.nth) {
		tiles_of_row(&low, s, panel, zero, tiles);
		return;
	}
	sym *due = sym_const(b->syms, (of.tiles * t->wide + height - 1) / height), *first = sym_mul(of.nth, due);
	tiles_of_row(&low, s, panel, first, sym_max(zero, sym_min(due, sym_sub(tiles, first))));
}

/* The rows of one block for one panel, in tiles of the height that suits the extent. */
static void block_of_rows(tile *t, const substitution *s, sym *panel, part of)
{
	kernel_builder *b = &t->gl->b;
	int heights[MAX_HEIGHTS] = {t->wide}, n = 1;
	if (!sym_is_const(t->tp->row_extent[1], NULL) || !sym_proves_ge(t->tp->row_extent[1], sym_const(b->syms, t->wide)))
		n = heights_of(t, heights);
	const expr *cost[MAX_HEIGHTS], *least = NULL;
	for (int i = 0; n > 1 && i < n; i++) {
		cost[i] = kb_let(b, "cost", cost_of_height(t, heights[i]));
		least = least ? expr_binary(b->exprs, EXPR_MIN, least, cost[i]) : cost[i];
	}
	if (least)
		least = kb_let(b, "least", least);
	for (int i = 0; i < n; i++) {
		if (i + 1 < n)
			kb_if(b, expr_binary(b->exprs, EXPR_LE, cost[i], least));
		tiles_of_height(t, heights[i], s, panel, of);
		if (i + 1 < n)
			kb_else(b);
	}
	for (int i = 0; i + 1 < n; i++)
		kb_end(b);
}

/* All rows of a block for one panel. */
static void block_of_panel(tile *t, const substitution *s, sym *panel, part of)
{
	const tile_problem *tp = t->tp;
	if (!tp->row[0]) {
		block_of_rows(t, s, panel, of);
		return;
	}
	kernel_builder *b = &t->gl->b;
	sym *due = sym_const(b->syms, of.tiles), *first = sym_mul(of.nth, due);
	sym *tiles = sym_ceildiv(tp->row_extent[0], sym_const(b->syms, t->high));
	sym *i = sym_add(first, kb_for(b, "row", sym_min(due, sym_sub(tiles, first))));
	substitution inner = *s;
	substitute(&inner, tp->row[0], sym_add(first_row(b, i, t->high, tp->row_extent[0]), t->offset[0]));
	block_of_rows(t, &inner, panel, (part){0});
	kb_end(b);
}

/* Whole panels and the narrower last one are different code when the number of columns is constant. */
static void block_of_columns(tile *t, const substitution *s, sym *panel, part of)
{
	kernel_builder *b = &t->gl->b;
	int64_t n;
	bool constant = sym_is_const(t->tp->col_extent, &n);
	int64_t whole = constant ? n / t->lanes : 0, rest = constant ? n % t->lanes : 0;
	sym *lanes = sym_const(b->syms, t->lanes);
	t->columns = constant ? lanes : sym_min(lanes, sym_sub(t->tp->col_extent, sym_mul(panel, lanes)));
	if (constant && whole && rest)
		kb_if(b, expr_binary(b->exprs, EXPR_LT, expr_index(b->exprs, panel), expr_int(b->exprs, I64, whole)));
	if (!constant || whole)
		block_of_panel(t, s, panel, of);
	if (constant && whole && rest)
		kb_else(b);
	if (rest) {
		t->columns = sym_const(b->syms, rest);
		block_of_panel(t, s, whole ? sym_const(b->syms, whole) : panel, of);
	}
	if (constant && whole && rest)
		kb_end(b);
}

/* Tiles of the blocked row axis per block: A's part fits half of the second-level cache, blocks are alike, and enough of them remain. */
static int64_t tiles_per_block(const tile *t, sym *tiles, sym *others, int rows)
{
	int64_t n, cache = (int64_t)t->gl->b.target->l2_kib * 512;
	int64_t other = others->lo > 0 ? others->lo : 1;
	int64_t in_one = t->tp->row[0] ? 0 : ONE_BLOCK / rows;
	if (!sym_is_const(tiles, &n))
		return other >= MANY_TILES && in_one > DYNAMIC_BLOCK ? in_one : DYNAMIC_BLOCK;
	int64_t bytes = t->tp->a_row_bytes * rows;
	int64_t fit = bytes > 0 ? cache / bytes : n;
	int64_t spread = other >= MANY_TILES ? n : n * other / MANY_TILES;
	if (n <= in_one)
		fit = n;
	int64_t best = fit < spread ? fit : spread;
	int64_t blocks = (n + best - 1) / (best < 1 ? 1 : best);
	return best < 1 ? 1 : (n + blocks - 1) / blocks;
}

static tile tile_of(group_lowering *gl, const tile_problem *tp)
{
	kernel_builder *b = &gl->b;
	tile t = {.gl = gl, .tp = tp, .lanes = tp->vectors * target_lanes(b->target, F32)};
	choose_rows(&t);
	for (int i = 0; i < 2; i++)
		t.offset[i] = sym_loop(b->syms, "r", sym_const(b->syms, 64));
	return t;
}

void lower_tile_panel(group_lowering *gl, const tile_problem *tp, sym *panel)
{
	tile t = tile_of(gl, tp);
	block_of_columns(&t, &tp->merged, panel, (part){0});
}

void lower_tile(group_lowering *gl, tile_problem *tp)
{
	kernel_builder *b = &gl->b;
	tile t = tile_of(gl, tp);
	static const local placeholder = {.name = "acc", .type = F32};
	bind_scalar(gl, tp->anchor->out[0], expr_local(b->exprs, &placeholder));
	t.to = store_place(gl, gl->out, tp->at, &t.to_index);

	/* The blocked axis is row[0] when there is one (whole rows of pixels), else row[1]. */
	int axis = tp->row[0] ? 0 : 1, rows = axis ? t.wide : t.high;
	sym *tiles = sym_ceildiv(tp->row_extent[axis], sym_const(b->syms, rows));
	sym *panels = sym_ceildiv(tp->col_extent, sym_const(b->syms, t.lanes));
	sym *others = sym_mul(panels, sym_product(b->syms, tp->outer.extent, tp->outer.n));
	int64_t per_block = tiles_per_block(&t, tiles, others, rows);

	loop_list outer = tp->outer;
	sym *of_rows = outer.var[outer.n] = sym_loop(b->syms, "block", sym_ceildiv(tiles, sym_const(b->syms, per_block)));
	outer.extent[outer.n++] = of_rows->below;
	sym *panel = outer.var[outer.n] = sym_loop(b->syms, "panel", panels);
	outer.extent[outer.n++] = panels;
	substitution s = tp->merged;
	loops_open_tiles(gl, &outer, outer.n, &s);

	block_of_columns(&t, &s, sym_substitute(&s, panel), (part){sym_substitute(&s, of_rows), per_block});
}
