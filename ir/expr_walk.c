/* Traversals of scalar expressions.  Each visits a shared node once: it stamps nodes with a number of its own.  A callback
 * may start another traversal; the first one then only repeats work. */
#include "ir/expr_internal.h"

typedef struct mapping {
	expr_ctx *ctx;
	const expr *(*f)(const expr *leaf, void *user);
	void *user;
	unsigned epoch;
} mapping;

static const expr *map_node(const expr *e, mapping *m)
{
	if (e->op == EXPR_CONST)
		return e;
	expr_node *n = EXPR_NODE(e);
	if (n->epoch == m->epoch)
		return n->memo;
	const expr *result = e;
	if (e->n_in == 0) {
		result = m->f(e, m->user);
	} else {
		const expr *in[3] = {0};
		bool changed = false;
		for (int i = 0; i < e->n_in; i++) {
			in[i] = map_node(e->in[i], m);
			changed |= in[i] != e->in[i];
		}
		if (changed)
			result = expr_make(m->ctx, e->op, e->type, in, e->n_in);
	}
	n->epoch = m->epoch;
	n->memo = result;
	return result;
}

const expr *expr_map_leaves(expr_ctx *c, const expr *e, const expr *(*f)(const expr *leaf, void *user), void *user)
{
	mapping m = {c, f, user, ++expr_owner(e)->epoch};
	return map_node(e, &m);
}

typedef struct search {
	bool (*pred)(const expr *e, void *user);
	void *user;
	unsigned epoch;
} search;

static bool find_node(const expr *e, search *s)
{
	expr_node *n = EXPR_NODE(e);
	if (n->epoch == s->epoch)
		return false;
	n->epoch = s->epoch;
	n->memo = NULL;
	if (s->pred(e, s->user))
		return true;
	for (int i = 0; i < e->n_in; i++)
		if (find_node(e->in[i], s))
			return true;
	return false;
}

bool expr_any(const expr *e, bool (*pred)(const expr *e, void *user), void *user)
{
	search s = {pred, user, ++expr_owner(e)->epoch};
	return find_node(e, &s);
}

/* In simple operations; 0 in the table means 1. */
static const unsigned char op_cost[EXPR_OP_COUNT] = {
	[EXPR_DIV] = 4,    [EXPR_SQRT] = 5,   [EXPR_MOD] = 6,    [EXPR_REM] = 6,    [EXPR_EXP] = 10,   [EXPR_LOG] = 12,
	[EXPR_SIN] = 15,   [EXPR_COS] = 15,   [EXPR_TAN] = 20,   [EXPR_ASIN] = 15,  [EXPR_ACOS] = 15,  [EXPR_ATAN] = 15,
	[EXPR_SINH] = 16,  [EXPR_COSH] = 16,  [EXPR_TANH] = 12,  [EXPR_ASINH] = 20, [EXPR_ACOSH] = 20, [EXPR_ATANH] = 18,
	[EXPR_ERF] = 16,   [EXPR_SIGMOID] = 14, [EXPR_POW] = 25,
};

static bool add_cost(const expr *e, void *user)
{
	if (e->op != EXPR_CONST && e->op != EXPR_ARG && e->op != EXPR_LOCAL)
		*(int *)user += op_cost[e->op] ? op_cost[e->op] : 1;
	return false;
}

int expr_cost(const expr *e)
{
	int cost = 0;
	expr_any(e, add_cost, &cost);
	return cost;
}
