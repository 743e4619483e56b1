/* Attention (attention.h) without storing the scores: a block of rows meets one block of keys after the other.
 *
 * Per block of keys: scores of the block by register tiles, maps and softmax over its rows, and the product with the block's values
 * added to what there is.  The maximum of a row grows from block to block, and what was summed before is scaled by
 * exp(old - new) (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention",
 * 2022).  All that is kept between blocks lies on the stack, so N may be any size.
 *
 * The maximum starts at the lowest finite number, not at -inf: blocks that are masked with -inf give exp(-inf) = 0, and a
 * row without any finite score ends as 0/0, which is what softmax gives. */
#include "passes/attention.h"

#include <assert.h>
#include <float.h>

enum {
	KEY_PANELS = 4,            /* of a block of keys */
	ROW_TILES = 4,             /* of a block of rows, at most */
	STACK_BYTES = 32 * 1024,   /* for scores and results of a block */
};

typedef struct block_lowering {
	group_lowering *gl;
	const attention *a;
	int64_t rows, keys, width;     /* of a block, at most; columns of a result, padded */
	int64_t panel[2];              /* columns of a panel of scores, and of results */
	sym *first, *n_rows;           /* of this block of rows */
	sym *number, *start, *n_keys;  /* of this block of keys */
	coord at;                      /* of the scores: their outer axes are settled */
	buffer *scores, *results, *most, *sum, *keep;
} block_lowering;

/* ---- shapes --------------------------------------------------------------------------------------------------------- */
static const value *scores_of(const block_lowering *l) { return l->a->scores->out[0]; }

static sym *rows_of(const block_lowering *l) { return scores_of(l)->dims[scores_of(l)->rank - 2]; }

static sym *keys_of(const block_lowering *l) { return scores_of(l)->dims[scores_of(l)->rank - 1]; }

static int64_t panel_columns(const block_lowering *l, sym *columns)
{
	int64_t n, rows;
	const target *t = l->gl->b.target;
	bool known = sym_is_const(rows_of(l), &rows);
	return (int64_t)tile_vectors(t, known ? rows : -1, sym_is_const(columns, &n) ? n : typical_size(columns)) * target_lanes(t, F32);
}

static void choose_blocks(block_lowering *l)
{
	const target *t = l->gl->b.target;
	int64_t width = sym_value(letter_extent(l->a->product, &l->a->of_product, l->a->of_product.column)), rows, keys;
	l->panel[0] = panel_columns(l, keys_of(l));
	l->panel[1] = panel_columns(l, sym_const(l->gl->b.syms, width));
	l->keys = KEY_PANELS * l->panel[0];
	if (sym_is_const(keys_of(l), &keys) && keys < l->keys)
		l->keys = (keys + l->panel[0] - 1) / l->panel[0] * l->panel[0];
	l->width = (width + l->panel[1] - 1) / l->panel[1] * l->panel[1];
	int tile = tile_rows(t, -1, (int)(l->panel[0] / target_lanes(t, F32)));
	int64_t tiles = STACK_BYTES / ((l->keys + 2 * l->width) * 4 * tile);
	l->rows = tile * (tiles < 1 ? 1 : tiles > ROW_TILES ? ROW_TILES : tiles);
	if (!sym_is_const(rows_of(l), &rows))
		return;
	int64_t blocks = (rows + l->rows - 1) / l->rows;
	l->rows = blocks > 0 ? (rows + blocks - 1) / blocks : 1;
}

/* ---- loops ---------------------------------------------------------------------------------------------------------- */
/* The parallel loop over outer axes and blocks of rows. */
static void open_blocks(block_lowering *l)
{
	kernel_builder *b = &l->gl->b;
	const value *v = scores_of(l);
	loop_list outer = {0};
	l->at = (coord){.rank = v->rank};
	for (int i = 0; i + 2 < v->rank; i++)
		l->at.i[i] = letter_loop(&outer, b->syms, l->a->of_scores.text[2][i], v->dims[i]);
	sym *blocks = sym_ceildiv(rows_of(l), sym_const(b->syms, l->rows)), *number = sym_loop(b->syms, "block", blocks);
	outer.var[outer.n] = number;
	outer.extent[outer.n++] = blocks;
	substitution s = {0};
	loops_open_tiles(l->gl, &outer, outer.n, &s);
	for (int i = 0; i + 2 < v->rank; i++)
		l->at.i[i] = sym_substitute(&s, l->at.i[i]);
	sym *first = sym_muli(sym_substitute(&s, number), l->rows);
	int64_t rows;
	if (sym_is_const(rows_of(l), &rows)) { /* the last block moves back to end with the data */
		l->first = settle(b, "first", sym_min(first, sym_const(b->syms, rows - l->rows)), sym_const(b->syms, rows - l->rows + 1));
		l->n_rows = sym_const(b->syms, l->rows);
	} else {
		l->first = settle(b, "first", first, rows_of(l));
		l->n_rows = settle(b, "rows", sym_min(sym_const(b->syms, l->rows), sym_sub(rows_of(l), l->first)), sym_const(b->syms, l->rows + 1));
	}
}

static coord scores_at(const block_lowering *l, sym *row, sym *key)
{
	coord at = l->at;
	at.i[at.rank - 2] = row;
	at.i[at.rank - 1] = key;
	return at;
}

/* ---- both products ---------------------------------------------------------------------------------------------------- */
/* Panels of a tile problem over `columns` columns from panel `from` on. */
static void tiles_of_panels(block_lowering *l, const tile_problem *tp, int64_t panel, sym *from, sym *columns)
{
	kernel_builder *b = &l->gl->b;
	sym *count = sym_ceildiv(columns, sym_const(b->syms, panel));
	sym *p = sym_is(count, 1) ? sym_const(b->syms, 0) : kb_for(b, "p", count);
	lower_tile_panel(l->gl, tp, sym_add(from, p));
	if (!sym_is(count, 1))
		kb_end(b);
}

static tile_problem problem_of(const block_lowering *l, const node *n, int which, sym *columns)
{
	sym_ctx *syms = l->gl->b.syms;
	const target *t = l->gl->b.target;
	tile_problem tp = {.anchor = (node *)n, .vectors = (int)(l->panel[which] / target_lanes(t, F32))};
	tp.row_extent[1] = l->n_rows;
	tp.row[1] = sym_loop(syms, "m", l->n_rows);
	tp.col_extent = columns;
	tp.col = sym_loop(syms, "n", columns);
	tp.max_rows = tile_rows(t, -1, tp.vectors);
	return tp;
}

static void multiply_keys(block_lowering *l)
{
	kernel_builder *b = &l->gl->b;
	const node *n = l->a->scores;
	const letters *of = &l->a->of_scores;
	tile_problem tp = problem_of(l, n, 0, keys_of(l));
	letter_vars v = letter_vars_at(of, 2, scores_at(l, sym_add(l->first, tp.row[1]), tp.col));
	letter_sums(n, of, &tp.red, &v);
	tp.a = kb_read(b, n->in[of->a], letter_coord(of, of->a, &v));
	tp.b = kb_read(b, n->in[of->b], letter_coord(of, of->b, &v));
	tp.to = l->scores;
	tp.to_index = sym_add(sym_muli(tp.row[1], l->keys), sym_sub(tp.col, l->start));
	tiles_of_panels(l, &tp, l->panel[0], sym_divi(l->start, l->panel[0]), l->n_keys);
}

/* Where a row of results starts before block `number` of keys: two arrays take turns. */
static sym *result_of_block(const block_lowering *l, sym *number, sym *row)
{
	return sym_add(sym_muli(sym_modi(number, 2), l->rows * l->width), sym_muli(row, l->width));
}

static void multiply_values(block_lowering *l)
{
	kernel_builder *b = &l->gl->b;
	const node *n = l->a->product;
	const letters *of = &l->a->of_product;
	sym *columns = letter_extent(n, of, of->column);
	tile_problem tp = problem_of(l, n, 1, columns);
	sym *key = letter_loop(&tp.red, b->syms, 'k', l->n_keys);
	letter_vars v = letter_vars_at(of, of->a, scores_at(l, sym_add(l->first, tp.row[1]), sym_add(l->start, key)));
	v.of[(int)of->column] = tp.col;
	tp.a = kb_load(b, l->scores, sym_add(sym_muli(tp.row[1], l->keys), key));
	tp.b = kb_read(b, n->in[of->b], letter_coord(of, of->b, &v));
	tp.to = l->results;
	tp.to_index = sym_add(result_of_block(l, sym_addi(l->number, 1), tp.row[1]), tp.col);
	const expr *before = kb_load(b, l->results, sym_add(result_of_block(l, l->number, tp.row[1]), tp.col));
	tp.plus = expr_binary(b->exprs, EXPR_MUL, before, kb_load(b, l->keep, tp.row[1]));
	tiles_of_panels(l, &tp, l->panel[1], sym_const(b->syms, 0), columns);
}

/* ---- softmax over the block ------------------------------------------------------------------------------------------- */
static sym *in_block(const group_lowering *gl, const value *v, coord at)
{
	const block_lowering *l = gl->attention;
	(void)v;
	sym *row = sym_sub(at.i[at.rank - 2], l->first), *key = sym_sub(at.i[at.rank - 1], l->start);
	return sym_add(sym_muli(row, l->keys), key);
}

static void bind_scores(block_lowering *l)
{
	binding *bound = new(l->gl->b.a, binding);
	bound->row = l->scores;
	bound->row_index = in_block;
	map_put(l->gl->values, l->a->scores->out[0], bound);
}

/* Scores of a row become exp(score - maximum so far). */
static void soften_rows(block_lowering *l)
{
	kernel_builder *b = &l->gl->b;
	expr_ctx *x = b->exprs;
	sym *row = kb_for(b, "row", l->n_rows), *start = sym_muli(row, l->keys);
	const expr *old = kb_let(b, "old", kb_load(b, l->most, row));

	local *most = kb_var(b, "most", F32, old);
	sym *j = kb_vector(b, "j", l->n_keys, 0);
	kb_reduces(b, most, EXPR_MAX);
	const expr *score = kb_let(b, "score", kb_read(b, l->a->masked, scores_at(l, sym_add(l->first, row), sym_add(l->start, j))));
	kb_store(b, l->scores, sym_add(start, j), score);
	kb_set(b, most, expr_binary(x, EXPR_MAX, kb_get(b, most), score));
	kb_end(b);

	const expr *now = kb_let(b, "now", kb_get(b, most));
	local *sum = kb_var(b, "sum", F32, expr_float(x, F32, 0));
	j = kb_vector(b, "j", l->n_keys, 0);
	kb_reduces(b, sum, EXPR_ADD);
	const expr *e = kb_let(b, "e", expr_unary(x, EXPR_EXP, expr_binary(x, EXPR_SUB, kb_load(b, l->scores, sym_add(start, j)), now)));
	kb_store(b, l->scores, sym_add(start, j), e);
	kb_set(b, sum, expr_binary(x, EXPR_ADD, kb_get(b, sum), e));
	kb_end(b);

	const expr *keep = kb_let(b, "keep", expr_unary(x, EXPR_EXP, expr_binary(x, EXPR_SUB, old, now)));
	kb_store(b, l->keep, row, keep);
	kb_store(b, l->most, row, now);
	kb_store(b, l->sum, row, expr_ternary(x, EXPR_FMA, kb_load(b, l->sum, row), keep, kb_get(b, sum)));
	kb_end(b);
}

/* ---- before and after ------------------------------------------------------------------------------------------------- */
static void declare_block(block_lowering *l)
{
	kernel_builder *b = &l->gl->b;
	l->scores = kb_array(b, "scores", F32, l->rows * l->keys);
	l->results = kb_array(b, "results", F32, 2 * l->rows * l->width);
	l->most = kb_array(b, "most", F32, l->rows);
	l->sum = kb_array(b, "sums", F32, l->rows);
	l->keep = kb_array(b, "kept", F32, l->rows);
	sym *row = kb_for(b, "row", l->n_rows);
	kb_store(b, l->most, row, expr_float(b->exprs, F32, -FLT_MAX));
	kb_store(b, l->sum, row, expr_float(b->exprs, F32, 0));
	sym *i = kb_vector(b, "i", sym_const(b->syms, l->width), 0);
	kb_store(b, l->results, sym_add(sym_muli(row, l->width), i), expr_float(b->exprs, F32, 0));
	kb_end(b);
	kb_end(b);
}

/* The sum of a row; 1 where all is 0: a product over no keys, or a row of nothing but -inf that the model replaces by zeros. */
static const expr *divisor_of(const block_lowering *l, const expr *sum)
{
	kernel_builder *b = &l->gl->b;
	const expr *zero = expr_float(b->exprs, F32, 0), *one = expr_float(b->exprs, F32, 1), *is_zero;
	if (l->a->nan_is_zero)
		is_zero = expr_binary(b->exprs, EXPR_EQ, sum, zero);
	else if (keys_of(l)->lo < 1)
		is_zero = expr_binary(b->exprs, EXPR_EQ, expr_index(b->exprs, keys_of(l)), expr_int(b->exprs, I64, 0));
	else
		return sum;
	return expr_ternary(b->exprs, EXPR_SELECT, is_zero, one, sum);
}

/* Divides, and computes and stores the root of the group. */
static void finish_rows(block_lowering *l)
{
	group_lowering *gl = l->gl;
	kernel_builder *b = &gl->b;
	node *n = l->a->product;
	const letters *of = &l->a->of_product;
	sym *row = kb_for(b, "row", l->n_rows), *columns = letter_extent(n, of, of->column);
	const expr *sum = kb_let(b, "sum", kb_load(b, l->sum, row));
	const expr *divisor = kb_let(b, "divisor", divisor_of(l, sum));
	sym *column = kb_vector(b, "c", columns, 0);
	letter_vars v = letter_vars_at(of, of->a, scores_at(l, sym_add(l->first, row), sym_const(b->syms, 0)));
	v.of[(int)of->column] = column;
	coord at = letter_coord(of, 2, &v);
	const expr *e = expr_binary(b->exprs, EXPR_DIV, kb_load(b, l->results, sym_add(result_of_block(l, l->number, row), column)), divisor);
	if (l->a->nan_is_zero)
		e = expr_ternary(b->exprs, EXPR_SELECT, expr_unary(b->exprs, EXPR_ISNAN, sum), expr_float(b->exprs, F32, 0), e);
	bind_scalar(gl, n->out[0], kb_let(b, "product", expr_round_to(b->exprs, n->out[0]->type, e)));
	sym *index;
	buffer *to = store_place(gl, gl->out, at, &index);
	kb_store(b, to, index, root_element(gl, at));
	kb_end(b);
	kb_end(b);
}

void attention_lower(group_lowering *gl, node *product)
{
	kernel_builder *b = &gl->b;
	attention a;
	bool found = attention_of(product, &a);
	assert(found);
	(void)found;
	block_lowering l = {.gl = gl, .a = &a};
	gl->attention = &l;
	choose_blocks(&l);
	open_blocks(&l);
	declare_block(&l);
	sym *keys = sym_const(b->syms, l.keys), *blocks = sym_ceildiv(keys_of(&l), keys);
	l.number = sym_is(blocks, 1) ? sym_const(b->syms, 0) : kb_for(b, "keys", blocks);
	l.start = sym_muli(l.number, l.keys);
	l.n_keys = settle(b, "count", sym_min(keys, sym_sub(keys_of(&l), l.start)), sym_addi(keys, 1));
	bind_scores(&l);
	multiply_keys(&l);
	soften_rows(&l);
	multiply_values(&l);
	if (!sym_is(blocks, 1))
		kb_end(b);
	l.number = blocks;
	finish_rows(&l);
}

/* ---- the row of the table: never picked by cost ------------------------------------------------------------------------- */
bool attention_applies(const node *n, const pass_ctx *ctx)
{
	(void)n;
	(void)ctx;
	return false;
}

double attention_cost(const node *n, const pass_ctx *ctx)
{
	(void)n;
	(void)ctx;
	return 0;
}

void attention_pack(node *n, pass_ctx *ctx, int vectors)
{
	(void)n;
	(void)ctx, (void)vectors;
}
