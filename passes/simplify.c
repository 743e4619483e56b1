/* Rewrites nodes by the rules of simplify_*.c until none applies.
 *
 *   requires types, no layouts yet; keeps values and shapes; leaves no dead nodes
 *       %2 = transpose %1 {perm=[0,2,1]}
 *       %3 = transpose %2 {perm=[0,2,1]}      =>      uses of %3 become uses of %1 */
#include "passes/simplify.h"

enum { MAX_ROUNDS = 32, MAX_CONSTANT_NODES = 200 };

static const simplify_rule *const rule_files[] = {algebra_rules, movement_rules, conv_rules};

static bool is_constant_within(const value *v, int *nodes_left)
{
	const node *n = v->def;
	if (value_is_const(v))
		return true;
	if (!n || n->n_in == 0 || !node_is_pure(n) || --*nodes_left < 0)
		return false;
	for (int i = 0; i < n->n_in; i++)
		if (!is_constant_within(n->in[i], nodes_left))
			return false;
	return true;
}

bool is_constant(const value *v)
{
	int nodes_left = MAX_CONSTANT_NODES;
	return is_constant_within(v, &nodes_left);
}

/* An output whose only replacement is an input, or an output too, stays. */
static bool replace_result(graph *g, node *n, value *with)
{
	value *v = n->out[0];
	int uses_before = v->n_uses;
	if (!with || with == v)
		return false;
	if (with->type != v->type || !value_dims_equal(with, v))
		bug("simplify: %s would change its type", op_table[n->op].text);
	graph_replace_value(g, v, with);
	return v->n_uses < uses_before;
}

static bool apply_rules(graph *g, node *n, const simplify_rule *rules)
{
	for (; rules->rewrite; rules++) {
		if (rules->op != n->op && rules->op != OP_COUNT)
			continue;
		g->before = n;
		g->src = n->src;
		if (replace_result(g, n, rules->rewrite(g, n)))
			return true;
	}
	return false;
}

static bool simplify_node(graph *g, node *n)
{
	if (n->n_regions)
		return simplify_regions(g, n);
	if (n->n_out != 1 || n->op == OP_CONST)
		return false;
	for (size_t i = 0; i < sizeof rule_files / sizeof *rule_files; i++)
		if (apply_rules(g, n, rule_files[i]))
			return true;
	return false;
}

bool pass_simplify(graph *g, pass_ctx *ctx)
{
	(void)ctx;
	bool changed = graph_remove_dead(g) > 0, again = true;
	for (int round = 0; again && round < MAX_ROUNDS; round++) {
		again = false;
		for_each_node_safe(n, g)
			if (n->n_regions || n->out[0]->n_uses > 0)
				again |= simplify_node(g, n);
		g->before = NULL;
		graph_remove_dead(g);
		changed |= again;
	}
	return changed;
}
