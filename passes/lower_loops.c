/* Loop nests for regular kernels: variables over axes in storage order, merging of neighbours, the parallel loop.
 *
 * Expressions are built once over plain loop variables; merging and tiling then rewrite the variables inside the index
 * expressions of their leaves.  That keeps every decision (is this affine? is that stride 1?) on finished expressions. */
#include "passes/lower.h"

#include <assert.h>

void substitute(substitution *s, sym *var, sym *by)
{
	assert(s->n < 4 * MAX_RANK);
	for (int i = 0; i < s->n; i++)
		s->by[i] = sym_replace(s->by[i], var, by);
	s->var[s->n] = var;
	s->by[s->n++] = by;
}

static sym *replaced_var(sym *var, void *user)
{
	const substitution *s = user;
	for (int i = 0; i < s->n; i++)
		if (s->var[i] == var)
			return s->by[i];
	return var;
}

typedef struct rewriting {
	kernel_builder *b;
	const substitution *s;
	map *scalars; /* scalar sym -> its rewritten form */
} rewriting;

static const expr *rewritten_leaf(const expr *leaf, void *user);

/* A variable that stands for a run-time scalar is rewritten inside its expression. */
static sym *rewritten_var(sym *var, void *user)
{
	rewriting *r = user;
	if (var->role != SYM_SCALAR)
		return replaced_var(var, (void *)r->s);
	sym *done = map_get(r->scalars, var);
	if (!done) {
		const expr *e = expr_map_leaves(r->b->exprs, var->scalar, rewritten_leaf, r);
		sym *below = var->below ? sym_map_vars(var->below, rewritten_var, r) : NULL;
		done = e == var->scalar ? var : expr_to_sym(r->b->exprs, e, var->lo, var->hi, below);
		map_put(r->scalars, var, done);
	}
	return done;
}

static const expr *rewritten_leaf(const expr *leaf, void *user)
{
	rewriting *r = user;
	if (leaf->op == EXPR_INDEX)
		return expr_index(r->b->exprs, sym_map_vars(leaf->index, rewritten_var, r));
	if (leaf->op == EXPR_LOAD)
		return expr_load(r->b->exprs, leaf->buffer, sym_map_vars(leaf->index, rewritten_var, r));
	return leaf;
}

sym *sym_substitute(const substitution *s, sym *x)
{
	return s->n ? sym_map_vars(x, replaced_var, (void *)s) : x;
}

const expr *expr_substitute(kernel_builder *b, const substitution *s, const expr *e)
{
	if (!s->n)
		return e;
	rewriting r = {b, s, map_new(b->a)};
	return expr_map_leaves(b->exprs, e, rewritten_leaf, &r);
}

static const char *axis_hint(int axis)
{
	static const char *const hints[MAX_RANK] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11"};
	return hints[axis];
}

coord loops_of(group_lowering *gl, const value *v, loop_list *l)
{
	coord at = {.rank = v->rank};
	for (int p = 0; p < v->rank; p++) {
		int axis = v->layout ? v->layout->order[p] : p;
		if (sym_is(v->dims[axis], 1)) {
			at.i[axis] = sym_const(gl->b.syms, 0);
			continue;
		}
		at.i[axis] = sym_loop(gl->b.syms, axis_hint(axis), v->dims[axis]);
		l->var[l->n] = at.i[axis];
		l->extent[l->n++] = v->dims[axis];
	}
	return at;
}

/* ---- merging ------------------------------------------------------------------------------------------------------ */
typedef struct index_list {
	arena *a;
	vec(sym *) v;
} index_list;

static bool is_scalar_var(const sym *var, void *user)
{
	(void)user;
	return var->role == SYM_SCALAR;
}

static bool add_index(const expr *e, void *user)
{
	index_list *list = user;
	if (e->op == EXPR_LOAD || e->op == EXPR_INDEX)
		vec_push(list->a, &list->v, e->index);
	return false;
}

/* Index inside a scalar counts too: its variables must not be merged unless they merge there as well. */
static bool add_scalar_indices(const sym *var, void *user)
{
	if (var->role == SYM_SCALAR)
		expr_any(var->scalar, add_index, user);
	return false;
}

static bool merges(sym *index, sym *outer, sym *inner, sym *inner_extent)
{
	sym *cp, *cq, *rest;
	if (!sym_affine(index, outer, &cp, &rest) || !sym_affine(index, inner, &cq, &rest))
		return false;
	return cp == sym_mul(cq, inner_extent);
}

static void merge_pair(group_lowering *gl, loop_list *l, substitution *s, int p)
{
	int q = p + 1;
	sym *extent = sym_mul(l->extent[p], l->extent[q]);
	sym *merged = sym_loop(gl->b.syms, "i", extent);
	substitute(s, l->var[p], sym_const(gl->b.syms, 0));
	substitute(s, l->var[q], merged);
	l->var[p] = merged;
	l->extent[p] = extent;
	for (int i = q; i + 1 < l->n; i++) {
		l->var[i] = l->var[i + 1];
		l->extent[i] = l->extent[i + 1];
	}
	l->n--;
}

void loops_collapse(group_lowering *gl, loop_list *l, substitution *s, const expr *const *es, int n_es, sym *const *extra, int n_extra)
{
	index_list list = {.a = gl->b.a};
	for (int i = 0; i < n_es; i++)
		expr_any(es[i], add_index, &list);
	for (int i = 0; i < n_extra; i++)
		vec_push(list.a, &list.v, extra[i]);
	for (int i = 0; i < list.v.n; i++) /* grows while scalars are found inside scalars */
		if (sym_any_var(list.v.v[i], is_scalar_var, NULL))
			sym_any_var(list.v.v[i], add_scalar_indices, &list);
	for (int p = l->n - 2; p >= 0; p--) {
		bool all = true;
		for (int i = 0; i < list.v.n && all; i++)
			all = merges(sym_substitute(s, list.v.v[i]), l->var[p], l->var[p + 1], l->extent[p + 1]);
		if (all)
			merge_pair(gl, l, s, p);
	}
}

/* ---- the parallel loop ------------------------------------------------------------------------------------------------ */
bool work_is_small(sym *work)
{
	return work->hi < SERIAL_WORK;
}

sym *settle(kernel_builder *b, const char *hint, sym *s, sym *below)
{
	if (s->kind == SYM_CONST || s->kind == SYM_VAR)
		return s;
	local *l = kb_var(b, hint, I64, expr_index(b->exprs, s));
	int64_t hi = below && below->hi < INT64_MAX ? below->hi - 1 : s->hi;
	return expr_to_sym(b->exprs, kb_get(b, l), s->lo > 0 ? s->lo : 0, hi, below);
}

void loops_open_tiles(group_lowering *gl, const loop_list *l, int n, substitution *s)
{
	if (n == 0)
		return;
	sym *tiles = sym_product(gl->b.syms, l->extent, n);
	sym *t = kb_parallel(&gl->b, "t", tiles);
	for (int i = n; i-- > 0;) {
		sym *here = i ? sym_mod(t, l->extent[i]) : t;
		substitute(s, l->var[i], settle(&gl->b, "at", here, l->extent[i]));
		t = sym_floordiv(t, l->extent[i]);
	}
}

/* ---- strides ------------------------------------------------------------------------------------------------------------ */
typedef struct stride_count {
	sym *var;
	int unit, uniform, other;
} stride_count;

static bool count_load(const expr *e, void *user)
{
	stride_count *c = user;
	if (e->op != EXPR_LOAD)
		return false;
	sym *coefficient, *rest;
	if (!sym_affine(e->index, c->var, &coefficient, &rest))
		c->other++;
	else if (sym_is(coefficient, 0))
		c->uniform++;
	else if (sym_is(coefficient, 1))
		c->unit++;
	else
		c->other++;
	return false;
}

void count_strides(const expr *e, sym *var, int *unit, int *uniform, int *other)
{
	stride_count c = {.var = var};
	expr_any(e, count_load, &c);
	*unit = c.unit;
	*uniform = c.uniform;
	*other = c.other;
}
