/* Row fusion: a fold along axes R and the maps that use its result on the same rows become one kernel (softmax, norms).
 *
 *       %1 = reduce %0 {axes=[1], op=max}        @local @group %5
 *       %2 = map %0, %1 { exp(%0 - %1) }         @local @group %5
 *       %3 = reduce %2 {axes=[1], op=sum}        @local @group %5
 *       %5 = map %2, %3 { %0 / %1 }              the root: the only value written to memory
 * The group grows forward from the fold through maps of full or reduced shape and further folds along R.  It ends at the last node whose
 * value is the only one used outside; then producers used only inside are taken in.                                     */
#include "passes/fuse.h"

#include <assert.h>
#include <string.h>

enum { MAX_GROUP = 48 };

typedef struct row_group {
	const value *full;    /* operand of the first fold: the shape of rows */
	const value *reduced; /* its result */
	const int64_t *axes;
	int n_axes;
	node *member[MAX_GROUP];
	int n;
	int complete; /* the first `complete` members form a group with one result; 0: none */
} row_group;

static bool is_member(const row_group *r, const node *n)
{
	for (int i = 0; i < r->n; i++)
		if (r->member[i] == n)
			return true;
	return false;
}

static bool same_rows(const row_group *r, const node *n)
{
	int count;
	const int64_t *axes = node_ints(n, "axes", &count);
	return count == r->n_axes && memcmp(axes, r->axes, (size_t)count * sizeof *axes) == 0 && value_dims_equal(n->in[0], r->full);
}

static bool is_arg(const node *n)
{
	return strncmp(node_word(n, "op", ""), "arg", 3) == 0;
}

static bool has_row_shape(const row_group *r, const value *v)
{
	return value_dims_equal(v, r->full) || value_dims_equal(v, r->reduced);
}

static bool eligible(const row_group *r, const node *n)
{
	if (!is_alone(n) || n->mark || n->out[0]->alias)
		return false;
	if (n->op == OP_REDUCE)
		return !is_arg(n) && same_rows(r, n);
	return n->op == OP_MAP && has_row_shape(r, n->out[0]);
}

/* Whether v is used by somebody who is not a member. */
static bool used_outside(const row_group *r, const use_map *m, const graph *g, const value *v)
{
	uses u = uses_of(m, v);
	if (value_is_output(g, v))
		return true;
	for (int i = 0; i < u.n; i++)
		if (!is_member(r, u.v[i].user))
			return true;
	return false;
}

/* One result: nobody outside uses a member but the last. */
static bool is_complete(const row_group *r, const use_map *m, const graph *g)
{
	for (int i = 0; i < r->n - 1; i++)
		if (used_outside(r, m, g, r->member[i]->out[0]) || has_halo(r->member[i]->out[0]))
			return false;
	return r->n > 1;
}

/* The earliest node in graph order that uses a member and is none itself. */
static node *next_user(const row_group *r, const use_map *m, const map *position)
{
	node *best = NULL;
	for (int i = 0; i < r->n; i++) {
		uses u = uses_of(m, r->member[i]->out[0]);
		for (int k = 0; k < u.n; k++) {
			node *n = u.v[k].user;
			if (is_member(r, n))
				continue;
			if (!best || (intptr_t)map_get(position, n) < (intptr_t)map_get(position, best))
				best = n;
		}
	}
	return best;
}

static void grow_forward(row_group *r, const use_map *m, const graph *g, const map *position)
{
	node *n;
	while (r->n < MAX_GROUP && (n = next_user(r, m, position)) && eligible(r, n)) {
		r->member[r->n++] = n;
		if (is_complete(r, m, g))
			r->complete = r->n;
	}
	r->n = r->complete;
}

/* ---- producers ---------------------------------------------------------------------------------------------------------------- */
/* A map of full shape used only by members, and not the epilogue of a fold. */
static bool joins_backward(const row_group *r, const use_map *m, const graph *g, const value *v)
{
	if (!v->def || v->def->op != OP_MAP || !eligible(r, v->def) || is_member(r, v->def) || has_halo(v) || used_outside(r, m, g, v))
		return false;
	for (int i = 0; i < v->def->n_in; i++) {
		const value *in = v->def->in[i];
		if (in->def && op_table[in->def->op].form == FORM_REDUCE && in->def->op != OP_REDUCE && only_user(m, g, in))
			return false;
		if (in->def && in->def->op == OP_MAP && only_user(m, g, in) && value_dims_equal(in, v))
			return false; /* a longer chain: let it end in memory once */
	}
	return true;
}

static void grow_backward(row_group *r, const use_map *m, const graph *g)
{
	for (int i = 0; i < r->n && r->n < MAX_GROUP; i++)
		for (int k = 0; k < r->member[i]->n_in && r->n < MAX_GROUP; k++)
			if (joins_backward(r, m, g, r->member[i]->in[k]))
				r->member[r->n++] = r->member[i]->in[k]->def;
}

/* ---- the group ------------------------------------------------------------------------------------------------------------------ */
static int inside_uses(const row_group *r, const use_map *m, const value *v)
{
	uses u = uses_of(m, v);
	int n = 0;
	for (int i = 0; i < u.n; i++)
		n += is_member(r, u.v[i].user);
	return n;
}

/* Kept for the row when it is a fold, a scalar, or worth more than computing it again. */
static place place_in_row(const row_group *r, const use_map *m, const node *n)
{
	const value *v = n->out[0];
	if (n->op == OP_REDUCE || value_dims_equal(v, r->reduced))
		return PLACE_LOCAL;
	return inside_uses(r, m, v) > 1 && expr_cost(node_expr(n)) > 2 ? PLACE_LOCAL : PLACE_INLINE;
}

static void settle_group(const row_group *r, const use_map *m, node *root)
{
	for (int i = 0; i < r->n; i++) {
		node *n = r->member[i];
		n->group = root;
		n->mark = root;
		if (n != root)
			n->out[0]->place = place_in_row(r, m, n);
	}
}

void fuse_rows(graph *g, const use_map *m, pass_ctx *ctx)
{
	map *position = map_new(ctx->scratch);
	intptr_t i = 0;
	for_each_node(n, g)
		map_put(position, n, (void *)++i);
	for_each_node(n, g) {
		if (n->op != OP_REDUCE || is_arg(n) || !is_alone(n) || n->mark || n->out[0]->alias || has_halo(n->out[0]))
			continue;
		row_group r = {.full = n->in[0], .reduced = n->out[0], .member = {n}, .n = 1};
		r.axes = node_ints(n, "axes", &r.n_axes);
		if (value_dims_equal(r.full, r.reduced))
			continue;
		grow_forward(&r, m, g, position);
		if (r.complete) {
			node *root = r.member[r.n - 1];
			grow_backward(&r, m, g);
			settle_group(&r, m, root);
		}
	}
}
