/* Simplify: movement that cancels, composes or changes nothing.  Builders compose reshapes and transposes and return the operand
 * where nothing moves, so most rules only call them.  Requirements on rules: simplify.h. */
#include "passes/simplify.h"

#include <string.h>

static const node *def_of(const value *v, op o) { return v->def && v->def->op == o ? v->def : NULL; }

static bool same_size(sym *const *a, sym *const *b, int n) { return n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0; }

/* ---- reshape, transpose, expand ---------------------------------------------------------------------------------- */
/* reshape(reshape(x)) = reshape(x); reshape to x's own shape = x */
static value *reshape_compose(graph *g, node *n)
{
	if (!def_of(n->in[0], OP_RESHAPE) && !value_dims_equal(n->in[0], n->out[0]))
		return NULL;
	return build_reshape(g, n->in[0], n->out[0]->dims, n->out[0]->rank);
}

static void perm_of(const node *n, int *perm)
{
	const int64_t *p = node_ints(n, "perm", NULL);
	for (int i = 0; i < n->out[0]->rank; i++)
		perm[i] = (int)p[i];
}

/* transpose(transpose(x)) = transpose(x), or x */
static value *transpose_compose(graph *g, node *n)
{
	int perm[MAX_RANK], moved = 0;
	perm_of(n, perm);
	for (int i = 0; i < n->out[0]->rank; i++)
		moved += perm[i] != i;
	return moved == 0 || def_of(n->in[0], OP_TRANSPOSE) ? build_transpose(g, n->in[0], perm) : NULL;
}

/* Axes of size 1 may stand anywhere: a transpose that keeps the others in order is a reshape. */
static value *transpose_of_ones(graph *g, node *n)
{
	int perm[MAX_RANK], last = -1;
	perm_of(n, perm);
	for (int i = 0; i < n->out[0]->rank; i++) {
		if (sym_is(n->out[0]->dims[i], 1))
			continue;
		if (perm[i] < last)
			return NULL;
		last = perm[i];
	}
	return build_reshape(g, n->in[0], n->out[0]->dims, n->out[0]->rank);
}

/* An operand of a map as the map would see it transposed; NULL when that takes work. */
static value *transposed_operand(graph *g, value *v, const int *perm, int rank)
{
	if (sym_is(value_size(v), 1) && v->rank < rank)
		return v;
	if (!def_of(v, OP_TRANSPOSE) && !is_constant(v))
		return NULL;
	sym *dims[MAX_RANK];
	for (int i = 0; i < rank; i++)
		dims[i] = i < rank - v->rank ? sym_const(g->syms, 1) : v->dims[i - (rank - v->rank)];
	return build_transpose(g, build_reshape(g, v, dims, rank), perm);
}

/* transpose(f(transpose(x), c)) = f(x, transpose(c)) when both cancel */
static value *transpose_through_map(graph *g, node *n)
{
	int perm[MAX_RANK];
	const node *m = def_of(n->in[0], OP_MAP);
	bool cancels = false;
	if (!m || m->out[0]->n_uses > 1 || m->n_in == 0)
		return NULL;
	perm_of(n, perm);
	value **in = new_array(g->a, value *, (size_t)m->n_in);
	for (int i = 0; i < m->n_in; i++) {
		in[i] = transposed_operand(g, m->in[i], perm, m->out[0]->rank);
		if (!in[i])
			return NULL;
		const node *t = def_of(m->in[i], OP_TRANSPOSE);
		cancels |= t && in[i] == t->in[0];
	}
	if (!cancels)
		return NULL;
	value *v = build_map_like(g, m, node_expr(m), in, m->n_in);
	return value_dims_equal(v, n->out[0]) ? v : NULL;
}

/* The other way round: [B*S, C] where `whole` is [B, S, C], so that rows of a product and rows of a sequence are the same axis. */
static bool flattens_rows(const value *flat, const value *whole)
{
	return flat->rank == 2 && whole->rank == 3 && flat->dims[1] == whole->dims[2];
}

/* An operand of a map whose elements have the shape of `from` instead; NULL when it is not known to be the same elements. */
static value *reshaped_operand(graph *g, value *v, const value *from, const value *whole)
{
	if (sym_is(value_size(v), 1))
		return build_reshape(g, v, NULL, 0);
	const node *r = def_of(v, OP_RESHAPE);
	if (value_dims_equal(v, whole) && ((r && value_dims_equal(r->in[0], from)) || flattens_rows(from, whole)))
		return build_reshape(g, v, from->dims, from->rank);
	bool along_last = v->rank > 0 && v->dims[v->rank - 1] == value_size(v) && from->rank > 0 && v->dims[v->rank - 1] == from->dims[from->rank - 1];
	return along_last && whole->dims[whole->rank - 1] == v->dims[v->rank - 1] ? build_reshape(g, v, v->dims + v->rank - 1, 1) : NULL;
}

/* f(reshape(x), reshape(y), c) = reshape(f(x, y, c)): maps stay with what computed their operands. */
static value *map_of_reshapes(graph *g, node *n)
{
	const value *whole = n->out[0], *from = NULL;
	for (int i = 0; i < n->n_in && !from; i++) {
		const node *r = def_of(n->in[i], OP_RESHAPE);
		if (r && value_dims_equal(n->in[i], whole) && !is_constant(n->in[i]))
			from = r->in[0];
	}
	if (!from)
		return NULL;
	value **in = new_array(g->a, value *, (size_t)n->n_in);
	for (int i = 0; i < n->n_in; i++) {
		in[i] = reshaped_operand(g, n->in[i], from, whole);
		if (!in[i])
			return NULL;
	}
	value *v = build_map_like(g, n, node_expr(n), in, n->n_in);
	return value_dims_equal(v, from) ? build_reshape(g, v, whole->dims, whole->rank) : NULL;
}

/* expand to x's own shape = x; expand(expand(x)) = expand(x); expand that only adds axes of size 1 = reshape */
static value *expand_compose(graph *g, node *n)
{
	value *x = n->in[0], *v = n->out[0];
	int added = v->rank - x->rank;
	bool only_ones = same_size(x->dims, v->dims + added, x->rank);
	for (int i = 0; i < added; i++)
		only_ones &= sym_is(v->dims[i], 1);
	if (only_ones)
		return build_reshape(g, x, v->dims, v->rank);
	return def_of(x, OP_EXPAND) ? build_expand(g, x->def->in[0], v->dims, v->rank) : NULL;
}

/* ---- slice, pad, tile, concat ------------------------------------------------------------------------------------ */
/* A slice of everything = x */
static value *slice_all(graph *g, node *n)
{
	const int64_t *steps = node_ints(n, "steps", NULL);
	sym *const *starts = node_syms(n, "starts", NULL);
	(void)g;
	for (int i = 0; i < n->out[0]->rank; i++)
		if (steps[i] != 1 || !sym_is(starts[i], 0))
			return NULL;
	return value_dims_equal(n->in[0], n->out[0]) ? n->in[0] : NULL;
}

/* slice(slice(x)) = slice(x): element i of the outer is element start + i*by of the inner */
static value *slice_compose(graph *g, node *n)
{
	const node *in = def_of(n->in[0], OP_SLICE);
	sym *starts[MAX_RANK];
	int64_t steps[MAX_RANK];
	if (!in)
		return NULL;
	for (int i = 0; i < n->out[0]->rank; i++) {
		int64_t inner = node_ints(in, "steps", NULL)[i], outer = node_ints(n, "steps", NULL)[i];
		if (inner > INT16_MAX || inner < -INT16_MAX || outer > INT16_MAX || outer < -INT16_MAX)
			return NULL;
		steps[i] = inner * outer;
		starts[i] = sym_add(node_syms(in, "starts", NULL)[i], sym_muli(node_syms(n, "starts", NULL)[i], inner));
	}
	return build_slice(g, in->in[0], starts, steps, n->out[0]->dims);
}

/* A border of width 0 = x */
static value *pad_nothing(graph *g, node *n)
{
	sym *const *lo = node_syms(n, "lo", NULL), *const *hi = node_syms(n, "hi", NULL);
	(void)g;
	for (int i = 0; i < n->out[0]->rank; i++)
		if (!sym_is(lo[i], 0) || !sym_is(hi[i], 0))
			return NULL;
	return n->in[0];
}

/* Repeating an axis of size 1 is a broadcast, which maps do by themselves. */
static value *tile_of_ones(graph *g, node *n)
{
	const value *x = n->in[0], *v = n->out[0];
	for (int i = 0; i < v->rank; i++)
		if (x->dims[i] != v->dims[i] && !sym_is(x->dims[i], 1))
			return NULL;
	return build_expand(g, n->in[0], v->dims, v->rank);
}

static bool is_part_of_same(const value *v, int axis)
{
	return def_of(v, OP_CONCAT) && v->n_uses == 1 && node_int(v->def, "axis", -1) == axis;
}

/* concat(concat(a, b), c) = concat(a, b, c); operands of size 0 add nothing; concat(x) = x */
static value *concat_flatten(graph *g, node *n)
{
	int axis = (int)node_int(n, "axis", 0);
	vec(value *) parts = {0};
	for (int i = 0; i < n->n_in; i++) {
		value *v = n->in[i];
		if (is_part_of_same(v, axis))
			for (int k = 0; k < v->def->n_in; k++)
				vec_push(g->a, &parts, v->def->in[k]);
		else if (!sym_is(v->dims[axis], 0))
			vec_push(g->a, &parts, v);
	}
	bool same = parts.n == n->n_in && (parts.n > 1 || !value_dims_equal(parts.v[0], n->out[0]));
	for (int i = 0; same && i < parts.n; i++)
		same = parts.v[i] == n->in[i];
	if (same || parts.n == 0)
		return NULL;
	value *v = build_concat(g, parts.v, parts.n, axis);
	return value_dims_equal(v, n->out[0]) ? v : NULL;
}

static bool is_prefix(const node *m, const node *n)
{
	if (m->op != OP_CONCAT || m->n_in < 2 || m->n_in >= n->n_in || node_int(m, "axis", -1) != node_int(n, "axis", -1))
		return false;
	return memcmp(m->in, n->in, (size_t)m->n_in * sizeof *m->in) == 0;
}

/* With y = concat(a, b) at hand, concat(a, b, c) = concat(y, c), which may be stored around y (dense blocks). */
static value *concat_prefix(graph *g, node *n)
{
	const node *longest = NULL;
	for (const node *m = g->first; m != n; m = m->next)
		if (is_prefix(m, n) && m->out[0]->n_uses > 0 && (!longest || m->n_in > longest->n_in))
			longest = m;
	if (!longest)
		return NULL;
	vec(value *) parts = {0};
	vec_push(g->a, &parts, longest->out[0]);
	for (int i = longest->n_in; i < n->n_in; i++)
		vec_push(g->a, &parts, n->in[i]);
	value *v = build_concat(g, parts.v, parts.n, (int)node_int(n, "axis", 0));
	return value_dims_equal(v, n->out[0]) ? v : NULL;
}

/* ---- gather ------------------------------------------------------------------------------------------------------ */
/* Constant indices start, start + by ... that lie inside an axis of size `dim` (all negative ones count from the end). */
static bool arithmetic_indices(const value *indices, sym *dim, sym **start, int64_t *by)
{
	const tensor *t = value_tensor(indices);
	if (!t || !t->data || t->n_elements == 0)
		return false;
	int64_t first = tensor_int(t, 0), last = tensor_int(t, t->n_elements - 1);
	*by = t->n_elements > 1 ? tensor_int(t, 1) - first : 1;
	if (*by == 0 || *by > INT16_MAX || *by < -INT16_MAX || (first < 0) != (last < 0))
		return false;
	for (size_t i = 1; i < t->n_elements; i++)
		if (tensor_int(t, i) - tensor_int(t, i - 1) != *by)
			return false;
	int64_t lowest = first < last ? first : last, highest = first < last ? last : first;
	*start = first < 0 ? sym_addi(dim, first) : sym_const(dim->ctx, first);
	return first < 0 ? dim->lo >= -lowest : dim->lo > highest;
}

/* gather of a constant index, or of indices in equal steps = slice */
static value *gather_of_range(graph *g, node *n)
{
	value *x = n->in[0];
	int axis = (int)node_int(n, "axis", 0);
	sym *starts[MAX_RANK], *shape[MAX_RANK];
	int64_t steps[MAX_RANK];
	for (int i = 0; i < x->rank; i++) {
		starts[i] = sym_const(g->syms, 0);
		steps[i] = 1;
		shape[i] = x->dims[i];
	}
	if (!arithmetic_indices(n->in[1], x->dims[axis], &starts[axis], &steps[axis]))
		return NULL;
	shape[axis] = value_size(n->in[1]);
	return build_reshape(g, build_slice(g, x, starts, steps, shape), n->out[0]->dims, n->out[0]->rank);
}

/* ---- reduce ------------------------------------------------------------------------------------------------------ */
/* Folding one element gives the element. */
static value *reduce_of_ones(graph *g, node *n)
{
	int count;
	const int64_t *axes = node_ints(n, "axes", &count);
	(void)g;
	for (int i = 0; i < count; i++)
		if (!sym_is(n->in[0]->dims[axes[i]], 1))
			return NULL;
	return n->in[0]->type == n->out[0]->type && strncmp(node_word(n, "op", ""), "arg", 3) != 0 ? n->in[0] : NULL;
}

const simplify_rule movement_rules[] = {
	{OP_RESHAPE, reshape_compose},
	{OP_TRANSPOSE, transpose_compose},
	{OP_TRANSPOSE, transpose_of_ones},
	{OP_TRANSPOSE, transpose_through_map},
	{OP_MAP, map_of_reshapes},
	{OP_EXPAND, expand_compose},
	{OP_SLICE, slice_all},
	{OP_SLICE, slice_compose},
	{OP_PAD, pad_nothing},
	{OP_TILE, tile_of_ones},
	{OP_CONCAT, concat_flatten},
	{OP_CONCAT, concat_prefix},
	{OP_GATHER, gather_of_range},
	{OP_REDUCE, reduce_of_ones},
	{0},
};
