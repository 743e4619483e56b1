/* Decides where every value lives: in memory, inside its consumer's kernel, or recomputed where it is used.
 *
 *   requires types, layouts and strategies; keeps the graph; sets place, group and alias, may insert copies into concats
 *       %2 = conv %0, %1                    =>   %2 = conv %0, %1 @local @group %3
 *       %3 = map %2 { max(%0, 0.0) }             %3 = map %2 { max(%0, 0.0) }
 * In order: operands of a concat are written in place; attention (fuse_attention.c) and rows (fuse_rows.c) keep folds and maps over the same rows together; maps after a
 * fold, contraction or convolution become its epilogue; views and single-use maps are computed where they are used.   */
#include "ir/graph_build.h"
#include "passes/access.h"
#include "passes/attention.h"
#include "passes/fuse.h"
#include "passes/fuse_group.h"
#include "passes/strategy.h"

enum {
	CHEAP = 3, /* scalar operations that may be computed several times rather than stored */
	MAX_CHAIN = 100, /* nodes computed one inside the other: the lowering recurses over them */
};

/* ---- facts ------------------------------------------------------------------------------------------------------------ */
bool same_order(const value *a, const value *b)
{
	int pa = 0, pb = 0, rank = a->rank;
	while (pa < rank || pb < rank) {
		int xa = pa < rank ? (a->layout ? a->layout->order[pa] : pa) : -1;
		int xb = pb < rank ? (b->layout ? b->layout->order[pb] : pb) : -1;
		if (xa >= 0 && sym_is(a->dims[xa], 1))
			pa++;
		else if (xb >= 0 && sym_is(b->dims[xb], 1))
			pb++;
		else if (xa != xb)
			return false;
		else
			pa++, pb++;
	}
	return true;
}

bool has_halo(const value *v)
{
	for (int i = 0; v->layout && i < v->rank; i++)
		if (v->layout->halo_lo[i] || v->layout->halo_hi[i])
			return true;
	return false;
}

static bool is_fold(const node *n)
{
	return op_table[n->op].form == FORM_REDUCE;
}

bool is_alone(const node *n)
{
	return !n->group || n->group == n;
}

node *only_user(const use_map *m, const graph *g, const value *v)
{
	uses u = uses_of(m, v);
	return u.n == 1 && v->n_uses == 1 && !value_is_output(g, v) ? u.v[0].user : NULL;
}

/* ---- concat in place --------------------------------------------------------------------------------------------------------- */
static bool writes_in_place(const graph *g, const value *v, const value *whole)
{
	return v->def && !value_is_const(v) && !value_is_output(g, v) && !v->alias && !has_halo(v) && v->def->n_out == 1 &&
	       !v->def->n_regions && !op_is_view(v->def->op) && v->def->op != OP_SIZES && v->def->op != OP_IOTA && same_order(v, whole) && v->type != STRING &&
	       dtype_table[v->type].bits >= 8;
}

/* The parts run in the order of the whole; its halo is not theirs. */
static const layout *order_only(graph *g, const value *whole)
{
	if (!whole->layout)
		return NULL;
	layout *l = new(g->a, layout);
	for (int p = 0; p < whole->rank; p++)
		l->order[p] = whole->layout->order[p];
	return l;
}

static void assemble_in_place(graph *g, node *concat)
{
	value *whole = concat->out[0];
	int axis = (int)node_int(concat, "axis", 0);
	sym *start = sym_const(g->syms, 0);
	const layout *order = order_only(g, whole);
	for (int i = 0; i < concat->n_in; i++) {
		if (!writes_in_place(g, concat->in[i], whole)) {
			g->before = concat;
			g->src = concat->src;
			value *copy = build_copy(g, concat->in[i]);
			copy->layout = order;
			g->before = NULL;
			node_set_operand(concat, i, copy);
		}
		value *part = concat->in[i];
		part->alias = whole;
		part->layout = order;
		for (int a = 0; a < part->rank; a++)
			part->alias_start[a] = a == axis ? start : sym_const(g->syms, 0);
		start = sym_add(start, part->dims[axis]);
	}
}

static void assemble_concats(graph *g)
{
	for_each_node(n, g)
		if (n->op == OP_CONCAT && dtype_table[n->out[0]->type].bits >= 8 && n->out[0]->type != STRING)
			assemble_in_place(g, n);
}

/* ---- epilogues ------------------------------------------------------------------------------------------------------------------ */
/* Maps over exactly the fold's elements, in its order; a map that ends another fold's epilogue is taken. */
static bool is_epilogue(const fuse_group *r, const node *n)
{
	return n->op == OP_MAP && is_alone(n) && !n->mark && value_dims_equal(n->out[0], r->full) && same_order(n->out[0], r->full);
}

static void fuse_epilogue(const use_map *m, graph *g, node *anchor)
{
	fuse_group r = {.g = g, .uses = m, .eligible = is_epilogue, .full = anchor->out[0], .member = {anchor}, .n = 1};
	anchor->mark = anchor;
	if (has_halo(anchor->out[0]) || anchor->out[0]->alias || !grow_forward(&r))
		return;
	node *root = r.member[r.n - 1];
	for (int i = 0; i < r.n; i++) {
		r.member[i]->mark = anchor;
		r.member[i]->group = root;
		if (r.member[i] != root)
			r.member[i]->out[0]->place = i ? PLACE_INLINE : PLACE_LOCAL;
	}
}

/* ---- computed where used ------------------------------------------------------------------------------------------------------------ */
/* Whether a user reads each element of operand k once. */
static bool reads_once(const node *n)
{
	switch (n->op) {
	case OP_MAP:
	case OP_REDUCE:
	case OP_RESHAPE:
	case OP_TRANSPOSE:
	case OP_SLICE:
	case OP_PAD:
	case OP_CONCAT:
		return true;
	default:
		return false;
	}
}

/* Whether each element of v is read once in all, views looked through. */
static bool read_once(const use_map *m, const value *v)
{
	uses u = uses_of(m, v);
	if (u.n == 0)
		return true;
	const node *user = u.v[0].user;
	if (u.n > 1 || !reads_once(user))
		return false;
	return !op_is_view(user->op) || read_once(m, user->out[0]);
}

static bool broadcasts(const value *v, const node *user)
{
	return user->op == OP_MAP && value_size(v) != value_size(user->out[0]);
}

/* A padded convolution reads beyond the value, a register tile wants loads it can address and reads them for every panel; also through
 * views that are computed where they are used. */
static bool wants_memory(const use_map *m, const node *user, int operand)
{
	if (strategy_find(node_word(user, "strategy", NULL)) && operand < 2)
		return true;
	if (!op_is_view(user->op) || user->out[0]->place != PLACE_INLINE)
		return false;
	uses u = uses_of(m, user->out[0]);
	for (int i = 0; i < u.n; i++)
		if (wants_memory(m, u.v[i].user, u.v[i].operand))
			return true;
	return false;
}

static bool affine_view(const graph *g, arena *scratch, const value *v)
{
	access from;
	coord at = coord_of_dims(g->syms, v, "i");
	if (!access_of(scratch, g, v, at, &from))
		return false;
	for (int i = 0; i < v->rank; i++) {
		sym *coefficient, *rest;
		if (at.i[i]->kind == SYM_VAR && !sym_affine(from.index, at.i[i], &coefficient, &rest))
			return false;
	}
	return true;
}

static bool view_may_vanish(const use_map *m, const graph *g, arena *scratch, const node *n)
{
	const value *v = n->out[0];
	bool affine = affine_view(g, scratch, v);
	uses u = uses_of(m, v);
	if (!affine && u.n > 1)
		return false;
	for (int i = 0; i < u.n; i++)
		if (!affine && !reads_once(u.v[i].user))
			return false;
	return true;
}

static bool map_may_vanish(const use_map *m, const node *n)
{
	const value *v = n->out[0];
	uses u = uses_of(m, v);
	bool cheap = n->op != OP_MAP || expr_cost(node_expr(n)) <= CHEAP;
	for (int i = 0; i < u.n; i++) {
		const node *user = u.v[i].user;
		if (wants_memory(m, user, u.v[i].operand) || op_table[user->op].form == FORM_BUILD || !reads_once(user))
			return false;
		if (broadcasts(v, user) && !cheap)
			return false;
	}
	return u.n == 1 || (cheap && n->n_in <= 1 && sym_is(value_size(v), 1));
}

static bool may_vanish(const use_map *m, const graph *g, arena *scratch, const node *n)
{
	const value *v = n->out[0];
	if (n->n_out != 1 || op_table[n->op].form != FORM_ELEM || value_is_output(g, v) || v->alias || has_halo(v) || !is_alone(n) || n->mark)
		return false;
	if (n->op == OP_SIZES || n->op == OP_IOTA)
		return true;
	if (op_is_view(n->op))
		return view_may_vanish(m, g, scratch, n);
	if (n->op == OP_CONCAT || n->op == OP_RESIZE)
		return false;
	if (n->op == OP_PAD && !read_once(m, v))
		return false;
	return map_may_vanish(m, n);
}

/* How deep n would lie inside the kernel of its users. */
static int chain_of(const use_map *m, const int *chain, const node *n)
{
	uses u = uses_of(m, n->out[0]);
	int most = 0;
	for (int i = 0; i < u.n; i++)
		most = chain[u.v[i].user->id] > most ? chain[u.v[i].user->id] : most;
	return most + 1;
}

static void inline_producers(graph *g, pass_ctx *ctx)
{
	const use_map *m = use_map_new(ctx->scratch, g);
	int *chain = new_array(ctx->scratch, int, (size_t)g->next_node_id + 1);
	for (node *n = g->last; n; n = n->prev) {
		if (!may_vanish(m, g, ctx->scratch, n) || chain_of(m, chain, n) > MAX_CHAIN)
			continue;
		n->out[0]->place = PLACE_INLINE;
		chain[n->id] = chain_of(m, chain, n);
		uses u = uses_of(m, n->out[0]);
		if (u.n)
			n->group = u.v[0].user->group ? u.v[0].user->group : u.v[0].user;
	}
}

bool pass_fuse(graph *g, pass_ctx *ctx)
{
	assemble_concats(g);
	int order = 0;
	for_each_node(n, g) {
		n->mark = NULL;
		n->order = order++;
	}
	use_map *m = use_map_new(ctx->scratch, g);
	fuse_attention(g, m);
	fuse_rows(g, m);
	for_each_node(n, g)
		if (is_fold(n) && is_alone(n) && !n->mark)
			fuse_epilogue(m, g, n);
	for_each_node(n, g) /* inner nodes follow the product into the group of its epilogue */
		if (n->group && n->group != n && n->group->group)
			n->group = n->group->group;
	inline_producers(g, ctx);
	for_each_node(n, g) {
		n->mark = NULL;
		if (!n->group)
			n->group = n;
	}
	return true;
}
