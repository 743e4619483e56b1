/* Strategies for contract: register tiles with constant B packed into panels, or with B used in place.
 *
 * Letters of the equation fall into four classes: batch (in both operands and the result), rows (of A and the result), columns
 * (of B and the result), summed (in both operands only).  The column the lanes run over is the result's innermost letter; the operand
 * that has it is B, whichever side it was written on.
 *
 *   gemm           B constant, packed as [other columns..., panel, summed..., vectors * lanes]
 *   gemm_in_place  B computed while running; copied first if the lanes would not be contiguous in it                     */
#include "passes/access.h"
#include "passes/contract.h"

#include <assert.h>
#include <string.h>

static bool split_equation(const node *n, letters *l)
{
	const char *s = node_word(n, "equation", NULL);
	int part = 0, k = 0;
	*l = (letters){.a = 0, .b = 1};
	for (; s && *s; s++) {
		if (*s == ',' || (s[0] == '-' && s[1] == '>')) {
			s += *s == '-';
			part++;
			k = 0;
		} else if (part < 3 && k < MAX_RANK) {
			l->text[part][k++] = *s;
		}
	}
	return s && part == 2;
}

bool letter_in(const letters *l, int part, char letter)
{
	return strchr(l->text[part], letter) != NULL;
}

/* The innermost letter of the result in storage order whose extent is not 1. */
static char innermost(const node *n, const letters *l)
{
	const value *out = n->out[0];
	for (int p = out->rank; p-- > 0;) {
		int axis = out->layout ? out->layout->order[p] : p;
		if (!sym_is(out->dims[axis], 1))
			return l->text[2][axis];
	}
	return 0;
}

bool contract_letters(const node *n, letters *l)
{
	if (!split_equation(n, l))
		return false;
	l->column = innermost(n, l);
	if (!l->column || letter_in(l, 0, l->column) == letter_in(l, 1, l->column))
		return false;
	l->b = letter_in(l, 1, l->column) ? 1 : 0;
	l->a = 1 - l->b;
	for (int part = 0; part < 2; part++)
		for (const char *c = l->text[part]; *c; c++)
			if (!letter_in(l, 1 - part, *c) && !letter_in(l, 2, *c))
				return false;
	return true;
}

sym *letter_extent(const node *n, const letters *l, char letter)
{
	int part = letter_in(l, 0, letter) ? 0 : 1;
	return n->in[part]->dims[strchr(l->text[part], letter) - l->text[part]];
}

static bool is_batch(const letters *l, char c)
{
	return letter_in(l, 0, c) && letter_in(l, 1, c) && letter_in(l, 2, c);
}

bool letter_is_summed(const letters *l, char c)
{
	return letter_in(l, 0, c) && letter_in(l, 1, c) && !letter_in(l, 2, c);
}

/* Rows of the whole product (-1: dynamic): decides the register tile. */
static int64_t rows_of(const node *n, const letters *l)
{
	int64_t rows = 1, extent;
	for (const char *c = l->text[l->a]; *c; c++) {
		if (is_batch(l, *c) || letter_is_summed(l, *c))
			continue;
		if (!sym_is_const(letter_extent(n, l, *c), &extent))
			return -1;
		rows *= extent;
	}
	return rows;
}

/* ---- lowering both ---------------------------------------------------------------------------------------------------------- */
coord letter_coord(const letters *l, int part, const letter_vars *v)
{
	coord at = {.rank = (int)strlen(l->text[part])};
	for (int i = 0; i < at.rank; i++)
		at.i[i] = v->of[(int)l->text[part][i]];
	return at;
}

letter_vars letter_vars_at(const letters *l, int part, coord at)
{
	letter_vars v = {{0}};
	for (int i = 0; i < at.rank; i++)
		v.of[(int)l->text[part][i]] = at.i[i];
	return v;
}

sym *letter_loop(loop_list *list, sym_ctx *syms, char letter, sym *extent)
{
	if (sym_is(extent, 1))
		return sym_const(syms, 0);
	char hint[2] = {letter, 0};
	list->var[list->n] = sym_loop(syms, hint, extent);
	list->extent[list->n] = extent;
	return list->var[list->n++];
}

void letter_sums(const node *n, const letters *l, loop_list *list, letter_vars *v)
{
	for (const char *c = l->text[l->b]; *c; c++)
		if (letter_is_summed(l, *c))
			v->of[(int)*c] = letter_loop(list, n->graph->syms, *c, letter_extent(n, l, *c));
}

/* Result letters but the lanes' in storage order: rows of A to `rows`, the others to `outer`. */
static void result_loops(const node *n, const letters *l, sym_ctx *syms, letter_vars *v, loop_list *rows, loop_list *outer)
{
	const value *out = n->out[0];
	for (int p = 0; p < out->rank; p++) {
		int axis = out->layout ? out->layout->order[p] : p;
		char c = l->text[2][axis];
		if (c == l->column)
			continue;
		bool row = letter_in(l, l->a, c) && !letter_in(l, l->b, c);
		v->of[(int)c] = letter_loop(row ? rows : outer, syms, c, out->dims[axis]);
	}
}

static void add_rows(tile_problem *tp, const loop_list *rows, sym_ctx *syms)
{
	for (int i = 0; i + 1 < rows->n; i++) {
		tp->outer.var[tp->outer.n] = rows->var[i];
		tp->outer.extent[tp->outer.n++] = rows->extent[i];
	}
	tp->row_extent[1] = rows->n ? rows->extent[rows->n - 1] : sym_const(syms, 1);
	tp->row[1] = rows->n ? rows->var[rows->n - 1] : sym_loop(syms, "m", tp->row_extent[1]);
}

/* Rows that A, the result and the epilogue walk alike become one axis. */
static void merge_rows(group_lowering *gl, tile_problem *tp, loop_list *rows, substitution *s)
{
	static const local placeholder = {.name = "acc", .type = F32};
	sym *index;
	bind_scalar(gl, tp->anchor->out[0], expr_local(gl->b.exprs, &placeholder));
	store_place(gl, gl->out, tp->at, &index);
	const expr *es[] = {tp->a, root_element(gl, tp->at)};
	loops_collapse(gl, rows, s, es, 2, &index, 1);
	unbind(gl, tp->anchor->out[0]);
}

static void lower_gemm(group_lowering *gl, node *n, const letters *l, tile_problem *tp, const expr *(*b_element)(group_lowering *, const node *, const letters *, const letter_vars *, int64_t), int64_t columns)
{
	sym_ctx *syms = gl->b.syms;
	letter_vars v = {{0}};
	loop_list rows = {0};
	tp->anchor = n;
	result_loops(n, l, syms, &v, &rows, &tp->outer);
	tp->col_extent = letter_extent(n, l, l->column);
	v.of[(int)l->column] = tp->col = sym_loop(syms, "n", tp->col_extent);
	letter_sums(n, l, &tp->red, &v);
	tp->at = letter_coord(l, 2, &v);
	tp->a = kb_read(&gl->b, n->in[l->a], letter_coord(l, l->a, &v));
	tp->b = b_element(gl, n, l, &v, columns);
	substitution merged = {0};
	merge_rows(gl, tp, &rows, &merged);
	tp->merged = merged;
	add_rows(tp, &rows, syms);
	sym *k = sym_product(syms, tp->red.extent, tp->red.n);
	tp->a_row_bytes = sym_is_const(k, NULL) ? sym_value(k) * 4 : 0;
	tp->max_rows = tile_rows(gl->b.target, -1, tp->vectors);
	lower_tile(gl, tp);
}

/* ---- gemm: packed constant B -------------------------------------------------------------------------------------------------- */
bool gemm_applies(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	letters l;
	if (!computes_in_f32(n) || !contract_letters(n, &l) || !value_is_const(n->in[l.b]) || n->in[l.b]->layout)
		return false;
	for (const char *c = l.text[l.b]; *c; c++)
		if (!sym_is_const(letter_extent(n, &l, *c), NULL))
			return false;
	return true;
}

double gemm_cost(const node *n, const pass_ctx *ctx)
{
	(void)n;
	(void)ctx;
	return 1;
}

product_size gemm_panels(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	letters l;
	contract_letters(n, &l);
	return (product_size){rows_of(n, &l), 1, sym_value(letter_extent(n, &l, l.column))};
}

/* B with its axes in the order [batch and other columns, summed, column], padded and cut: [..., panel, summed, column]. */
void gemm_pack(node *n, pass_ctx *ctx, int vectors)
{
	graph *g = n->graph;
	letters l;
	contract_letters(n, &l);
	value *b = n->in[l.b];
	int perm[MAX_RANK], k = 0, heads;
	int64_t dims[MAX_RANK] = {0};
	for (int i = 0; i < b->rank; i++)
		dims[i] = sym_value(b->dims[i]);
	for (int i = 0; i < b->rank; i++)
		if (!letter_is_summed(&l, l.text[l.b][i]) && l.text[l.b][i] != l.column)
			perm[k++] = i;
	heads = k;
	for (int i = 0; i < b->rank; i++)
		if (letter_is_summed(&l, l.text[l.b][i]))
			perm[k++] = i;
	perm[k] = (int)(strchr(l.text[l.b], l.column) - l.text[l.b]);
	int64_t n_columns = dims[perm[k]], depth = 1, head = 1;
	for (int i = 0; i < heads; i++)
		head *= dims[perm[i]];
	for (int i = heads; i < k; i++)
		depth *= dims[perm[i]];
	int64_t columns = (int64_t)vectors * target_lanes(ctx->target, F32);
	int64_t panels = (n_columns + columns - 1) / columns;
	b = build_transpose(g, b, perm);
	sym *flat[] = {sym_const(g->syms, head), sym_const(g->syms, depth), sym_const(g->syms, n_columns)};
	b = build_reshape(g, b, flat, 3);
	sym *zero = sym_const(g->syms, 0), *none[] = {zero, zero, zero};
	sym *extra[] = {zero, zero, sym_const(g->syms, panels * columns - n_columns)};
	b = build_pad(g, b, none, extra, "constant", NULL);
	sym *cut[] = {flat[0], flat[1], sym_const(g->syms, panels), sym_const(g->syms, columns)};
	b = build_reshape(g, b, cut, 4);
	append_packed(n, build_transpose(g, b, (int[]){0, 2, 1, 3}));
}

/* Element of packed B: [head, panel, depth, column]. */
static const expr *packed_element(group_lowering *gl, const node *n, const letters *l, const letter_vars *v, int64_t columns)
{
	sym *head = sym_const(gl->b.syms, 0), *depth = head;
	const value *b = n->in[l->b];
	for (int i = 0; l->text[l->b][i]; i++) {
		char c = l->text[l->b][i];
		if (c == l->column)
			continue;
		sym **index = letter_is_summed(l, c) ? &depth : &head;
		*index = sym_add(sym_mul(*index, b->dims[i]), v->of[(int)c]);
	}
	sym *col = v->of[(int)l->column];
	coord at = {.rank = 4, .i = {head, sym_divi(col, columns), depth, sym_modi(col, columns)}};
	return kb_read(&gl->b, n->in[n->n_in - 1], at);
}

void gemm_lower(group_lowering *gl, node *n)
{
	letters l;
	contract_letters(n, &l);
	int64_t columns = sym_value(n->in[n->n_in - 1]->dims[3]);
	tile_problem tp = {.vectors = (int)(columns / target_lanes(gl->b.target, F32))};
	lower_gemm(gl, n, &l, &tp, packed_element, columns);
}

/* ---- gemm in place ---------------------------------------------------------------------------------------------------------------- */
bool gemm_in_place_applies(const node *n, const pass_ctx *ctx)
{
	(void)ctx;
	letters l;
	return computes_in_f32(n) && contract_letters(n, &l);
}

double gemm_in_place_cost(const node *n, const pass_ctx *ctx)
{
	(void)n;
	(void)ctx;
	return 2;
}

/* Whether the lanes are contiguous in B as it will be read. */
static bool lanes_contiguous(const node *n, const letters *l, arena *scratch)
{
	const value *b = n->in[l->b];
	int axis = (int)(strchr(l->text[l->b], l->column) - l->text[l->b]);
	coord at = coord_of_dims(n->graph->syms, b, "i");
	access from;
	sym *coefficient, *rest;
	if (sym_is(b->dims[axis], 1))
		return true;
	return access_of(scratch, n->graph, b, at, &from) && sym_affine(from.index, at.i[axis], &coefficient, &rest) && sym_is(coefficient, 1);
}

/* A copy of B whose storage order ends with summed letters and then the lanes' one. */
void gemm_in_place_pack(node *n, pass_ctx *ctx, int vectors)
{
	(void)vectors;
	graph *g = n->graph;
	letters l;
	contract_letters(n, &l);
	if (lanes_contiguous(n, &l, ctx->scratch))
		return;
	value *b = n->in[l.b];
	layout *order = new(g->a, layout);
	int k = 0;
	for (int pass = 0; pass < 3; pass++)
		for (int i = 0; i < b->rank; i++) {
			char c = l.text[l.b][i];
			int class = c == l.column ? 2 : letter_is_summed(&l, c) ? 1 : 0;
			if (class == pass)
				order->order[k++] = i;
		}
	value *copy = build_copy(g, b);
	copy->layout = order;
	node_set_operand(n, l.b, copy);
}

static const expr *plain_element(group_lowering *gl, const node *n, const letters *l, const letter_vars *v, int64_t columns)
{
	(void)columns;
	return kb_read(&gl->b, n->in[l->b], letter_coord(l, l->b, v));
}

void gemm_in_place_lower(group_lowering *gl, node *n)
{
	letters l;
	contract_letters(n, &l);
	int64_t columns;
	if (!sym_is_const(letter_extent(n, &l, l.column), &columns))
		columns = 64;
	tile_problem tp = {.vectors = tile_vectors(gl->b.target, rows_of(n, &l), columns)};
	lower_gemm(gl, n, &l, &tp, plain_element, 0);
}
