/* Folds without a better strategy: reductions, pooling, and contractions or convolutions at -O0 or of unusual form.
 *
 * One output element per iteration of the outer nest, serial loops over the reduction indices.  One axis is chosen for the
 * lanes: an output axis (each lane its own accumulator) or a reduction axis (lane copies combined at the end), whichever gives
 * the most loads of stride 1.  The epilogue, if the root is not the anchor itself, is computed from the accumulator. */
#include "passes/lower.h"

#include <assert.h>

enum { LANE_CHUNK = 256 }; /* output lanes of one tile when the lane axis is all the parallelism there is */

typedef struct fold {
	node *anchor;
	coord at;           /* output coordinates of the anchor */
	loop_list out;      /* loops over them, in storage order of the root */
	reduction r;
	coord red;
	loop_list in;       /* loops over the reduction indices */
	const expr *term;
	sym *lane;          /* the variable that runs over lanes, NULL: none */
} fold;

static void open_reduction_indices(group_lowering *gl, fold *f)
{
	f->red = (coord){.rank = f->r.n};
	for (int i = 0; i < f->r.n; i++) {
		if (sym_is(f->r.extent[i], 1)) {
			f->red.i[i] = sym_const(gl->b.syms, 0);
			continue;
		}
		f->red.i[i] = sym_loop(gl->b.syms, f->r.hint[i] ? f->r.hint[i] : "k", f->r.extent[i]);
		f->in.var[f->in.n] = f->red.i[i];
		f->in.extent[f->in.n++] = f->r.extent[i];
	}
}

/* ---- choice of the lane axis ---------------------------------------------------------------------------------------- */
static int lane_score(const fold *f, sym *var, const sym *extent, sym *store_index)
{
	int unit, uniform, other;
	count_strides(f->term, var, &unit, &uniform, &other);
	int score = 4 * unit + uniform - 6 * other;
	sym *coefficient, *rest;
	if (store_index)
		score += sym_affine(store_index, var, &coefficient, &rest) && sym_is(coefficient, 1) ? 2 : -3;
	if (extent->hi < 4)
		score -= 8;
	return score;
}

static void choose_lane(group_lowering *gl, fold *f, sym *store_index)
{
	if (gl->b.opt == 0)
		return;
	int best = -1000;
	for (int i = 0; i < f->out.n; i++) {
		int score = lane_score(f, f->out.var[i], f->out.extent[i], store_index);
		if (score >= best)
			best = score, f->lane = f->out.var[i];
	}
	for (int i = 0; i < f->in.n && !f->r.arg; i++) {
		int score = lane_score(f, f->in.var[i], f->in.extent[i], NULL);
		if (score > best)
			best = score, f->lane = f->in.var[i];
	}
}

/* Moves `var` to the end of the list; false when it is not in it. */
static bool move_last(loop_list *l, const sym *var)
{
	for (int i = 0; i < l->n; i++) {
		if (l->var[i] != var)
			continue;
		sym *v = l->var[i], *extent = l->extent[i];
		for (; i + 1 < l->n; i++) {
			l->var[i] = l->var[i + 1];
			l->extent[i] = l->extent[i + 1];
		}
		l->var[i] = v;
		l->extent[i] = extent;
		return true;
	}
	return false;
}

/* ---- the fold ------------------------------------------------------------------------------------------------------------ */
const expr *fold_step(kernel_builder *b, const reduction *r, const expr *acc, const expr *term)
{
	if (r->combine == EXPR_ADD && term->op == EXPR_MUL && dtype_is_float(r->type))
		return expr_ternary(b->exprs, EXPR_FMA, term->in[0], term->in[1], acc);
	return expr_binary(b->exprs, r->combine, acc, term);
}

/* argmin / argmax: the best value so far and its index; a later equal value wins when `last`.  NaN is never better. */
static const expr *fold_arg(group_lowering *gl, fold *f, const substitution *s)
{
	kernel_builder *b = &gl->b;
	local *best = kb_var(b, "best", f->r.type, f->r.init);
	local *where = kb_var(b, "where", I64, expr_int(b->exprs, I64, 0));
	substitution inner = *s;
	sym *k = sym_const(b->syms, 0);
	if (f->in.n) {
		k = kb_for(b, "k", sym_substitute(s, f->in.extent[0]));
		substitute(&inner, f->in.var[0], k);
	}
	const expr *x = kb_let(b, "x", expr_substitute(b, &inner, f->term));
	const expr *here = expr_index(b->exprs, k);
	expr_op order = f->r.combine == EXPR_MAX ? (f->r.last ? EXPR_GE : EXPR_GT) : (f->r.last ? EXPR_LE : EXPR_LT);
	const expr *better = kb_let(b, "better", expr_binary(b->exprs, order, x, kb_get(b, best)));
	kb_set(b, where, expr_ternary(b->exprs, EXPR_SELECT, better, here, kb_get(b, where)));
	kb_set(b, best, expr_ternary(b->exprs, EXPR_SELECT, better, x, kb_get(b, best)));
	if (f->in.n)
		kb_end(b);
	return kb_get(b, where);
}

static const expr *fold_loops(group_lowering *gl, fold *f, const substitution *s)
{
	kernel_builder *b = &gl->b;
	if (f->r.arg)
		return fold_arg(gl, f, s);
	local *acc = kb_var(b, "acc", f->r.type, f->r.init);
	substitution inner = *s;
	for (int i = 0; i < f->in.n; i++) {
		bool lanes = f->in.var[i] == f->lane;
		sym *extent = sym_substitute(&inner, f->in.extent[i]);
		sym *k = lanes ? kb_vector(b, "k", extent, 0) : kb_for(b, "k", extent);
		if (lanes)
			kb_reduces(b, acc, f->r.combine);
		substitute(&inner, f->in.var[i], k);
	}
	kb_set(b, acc, fold_step(b, &f->r, kb_get(b, acc), expr_substitute(b, &inner, f->term)));
	for (int i = 0; i < f->in.n; i++)
		kb_end(b);
	return kb_get(b, acc);
}

/* The anchor's element from its accumulator, before substitution of loop variables. */
static const expr *finished(group_lowering *gl, const fold *f, const expr *acc)
{
	const expr *e = f->r.finish ? f->r.finish(&gl->b.elem, f->anchor, f->at, acc) : acc;
	dtype t = f->anchor->out[0]->type;
	return expr_round_to(gl->b.exprs, t, expr_cast(gl->b.exprs, dtype_table[t].compute, e));
}

void lower_reduce(group_lowering *gl, node *anchor)
{
	kernel_builder *b = &gl->b;
	fold f = {.anchor = anchor};
	f.at = loops_of(gl, gl->out, &f.out);
	elem_reduction(&b->elem, anchor, f.at, &f.r);
	open_reduction_indices(gl, &f);
	f.term = f.r.term(&b->elem, anchor, f.at, f.red);
	sym *index;
	buffer *to = store_place(gl, gl->out, f.at, &index);
	choose_lane(gl, &f, index);

	substitution s = {0};
	bool lane_is_output = move_last(&f.out, f.lane);
	move_last(&f.in, f.lane);
	bool small = gl->b.opt == 0 || work_is_small(sym_mul(value_size(gl->out), sym_product(b->syms, f.r.extent, f.r.n)));
	int outer = f.out.n - (lane_is_output ? 1 : 0);
	if (lane_is_output && !small) { /* cut the lanes into chunks: more tiles for the threads */
		sym *extent = f.out.extent[outer], *chunk = sym_const(b->syms, LANE_CHUNK);
		f.out.var[outer + 1] = f.lane;
		f.out.var[outer] = sym_loop(b->syms, "c", sym_ceildiv(extent, chunk));
		f.out.extent[outer] = sym_ceildiv(extent, chunk);
		sym *start = sym_mul(f.out.var[outer], chunk);
		f.out.extent[outer + 1] = sym_min(chunk, sym_sub(extent, start));
		sym *lane = sym_loop(b->syms, "i", f.out.extent[outer + 1]);
		substitute(&s, f.lane, sym_add(start, lane));
		f.out.var[outer + 1] = lane;
		f.out.n++;
		outer++;
	}
	int tiles = small ? 0 : outer;
	loops_open_tiles(gl, &f.out, tiles, &s);
	for (int i = tiles; i < f.out.n; i++) {
		sym *extent = sym_substitute(&s, f.out.extent[i]);
		bool lanes = lane_is_output && i == f.out.n - 1;
		substitute(&s, f.out.var[i], lanes ? kb_vector(b, "i", extent, 0) : kb_for(b, "i", extent));
	}
	const expr *acc = fold_loops(gl, &f, &s);
	bind_scalar(gl, anchor->out[0], finished(gl, &f, acc));
	kb_store(b, to, sym_substitute(&s, index), expr_substitute(b, &s, root_element(gl, f.at)));
	for (int i = tiles; i < f.out.n; i++)
		kb_end(b);
}
