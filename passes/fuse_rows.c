/* Row fusion: a fold along axes R and the maps that use its result on the same rows become one kernel (softmax, norms).
 *
 *       %1 = reduce %0 {axes=[1], op=max}        @local @group %5
 *       %2 = map %0, %1 { exp(%0 - %1) }         @local @group %5
 *       %3 = reduce %2 {axes=[1], op=sum}        @local @group %5
 *       %5 = map %2, %3 { %0 / %1 }              the root: the only value written to memory
 * The group grows forward from the fold through maps of full or reduced shape and further folds along R.  It ends at the last node whose
 * value is the only one used outside; then producers used only inside are taken in.                                     */
#include "passes/fuse.h"
#include "passes/fuse_group.h"

#include <assert.h>
#include <string.h>

static bool same_rows(const fuse_group *r, const node *n)
{
	int count;
	const int64_t *axes = node_ints(n, "axes", &count);
	return count == r->n_axes && memcmp(axes, r->axes, (size_t)count * sizeof *axes) == 0 && value_dims_equal(n->in[0], r->full);
}

static bool is_arg(const node *n)
{
	return strncmp(node_word(n, "op", ""), "arg", 3) == 0;
}

static bool has_row_shape(const fuse_group *r, const value *v)
{
	return value_dims_equal(v, r->full) || value_dims_equal(v, r->reduced);
}

static bool eligible(const fuse_group *r, const node *n)
{
	if (!is_alone(n) || n->mark || n->out[0]->alias)
		return false;
	if (n->op == OP_REDUCE)
		return !is_arg(n) && same_rows(r, n);
	return n->op == OP_MAP && has_row_shape(r, n->out[0]);
}

/* ---- producers ---------------------------------------------------------------------------------------------------------------- */
/* A map of full shape used only by members, and not the epilogue of a fold. */
static bool joins_backward(const fuse_group *r, const value *v)
{
	if (!v->def || v->def->op != OP_MAP || !eligible(r, v->def) || group_has(r, v->def) || has_halo(v) || used_outside(r, v))
		return false;
	for (int i = 0; i < v->def->n_in; i++) {
		const value *in = v->def->in[i];
		if (in->def && op_table[in->def->op].form == FORM_REDUCE && in->def->op != OP_REDUCE && only_user(r->uses, r->g, in))
			return false;
		if (in->def && in->def->op == OP_MAP && only_user(r->uses, r->g, in) && value_dims_equal(in, v))
			return false; /* a longer chain: let it end in memory once */
	}
	return true;
}

static void grow_backward(fuse_group *r)
{
	for (int i = 0; i < r->n && r->n < MAX_GROUP; i++)
		for (int k = 0; k < r->member[i]->n_in && r->n < MAX_GROUP; k++)
			if (joins_backward(r, r->member[i]->in[k]))
				r->member[r->n++] = r->member[i]->in[k]->def;
}

/* ---- the group ------------------------------------------------------------------------------------------------------------------ */
static int inside_uses(const fuse_group *r, const value *v)
{
	uses u = uses_of(r->uses, v);
	int n = 0;
	for (int i = 0; i < u.n; i++)
		n += group_has(r, u.v[i].user);
	return n;
}

/* Kept for the row when it is a fold, a scalar, or worth more than computing it again. */
static place place_in_row(const fuse_group *r, const node *n)
{
	const value *v = n->out[0];
	if (n->op == OP_REDUCE || value_dims_equal(v, r->reduced))
		return PLACE_LOCAL;
	return inside_uses(r, v) > 1 && expr_cost(node_expr(n)) > 2 ? PLACE_LOCAL : PLACE_INLINE;
}

static void settle_group(const fuse_group *r, node *root)
{
	for (int i = 0; i < r->n; i++) {
		node *n = r->member[i];
		n->group = root;
		n->mark = root;
		if (n != root)
			n->out[0]->place = place_in_row(r, n);
	}
}

void fuse_rows(graph *g, const use_map *m)
{
	for_each_node(n, g) {
		if (n->op != OP_REDUCE || is_arg(n) || !is_alone(n) || n->mark || n->out[0]->alias || has_halo(n->out[0]))
			continue;
		fuse_group r = {.g = g, .uses = m, .eligible = eligible, .full = n->in[0], .reduced = n->out[0], .member = {n}, .n = 1};
		r.axes = node_ints(n, "axes", &r.n_axes);
		if (value_dims_equal(r.full, r.reduced) || !grow_forward(&r))
			continue;
		node *root = r.member[r.n - 1];
		grow_backward(&r);
		settle_group(&r, root);
	}
}
