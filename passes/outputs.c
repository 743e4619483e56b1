/* Gives every graph output a buffer of its own, and whatever a step of `run` reads by itself.
 *
 *   requires types; keeps everything else
 * An output that is an input, a constant, another output too, or used inside the graph is copied by an identity map, so that a
 * value is written to the caller's buffer by exactly one kernel and never read back.  (Strings are picked one by one, and views of
 * them copied too.)  The same holds where the size of a result is
 * known only behind the branch that makes it.  Conditions, bound sizes, and what a loop begins with are read where they lie, so they must
 * be stored as they are, not computed where they are used. */
#include "ir/graph_build.h"
#include "passes/access.h"
#include "passes/pass.h"

static bool is_inner_symbol(const sym *var, void *user)
{
	(void)user;
	return sym_is_inner(var);
}

static bool has_inner_size(const value *v)
{
	for (int i = 0; i < v->rank; i++)
		if (sym_any_var(v->dims[i], is_inner_symbol, NULL))
			return true;
	return false;
}

static bool needs_copy(const graph *g, int i)
{
	const value *v = g->outputs.v[i];
	if (!v->def || value_is_const(v) || v->def->op == OP_SIZES)
		return true;
	if (g->owner) /* memory of ours */
		return false;
	bool view_of_strings = v->type == STRING && op_is_view(v->def->op);
	return v->n_uses > 1 || view_of_strings || (v->def->op == OP_IF && has_inner_size(v));
}

/* Operands that a step reads by itself: how many, from the first. */
static int operands_in_place(const node *n)
{
	if (n->op == OP_BIND || n->op == OP_IF)
		return 1;
	return n->op == OP_LOOP ? (int)(node_int(n, "while", 0) + node_int(n, "carried", 0)) : 0;
}

static bool is_part_of_concat(const use_map *m, const value *v)
{
	uses u = uses_of(m, v);
	for (int i = 0; i < u.n; i++)
		if (u.v[i].user->op == OP_CONCAT)
			return true;
	return false;
}

/* A region's input may stand for anything outside, unless it is carried. */
static bool lies_in_memory(const use_map *m, const value *v)
{
	if (!v->def)
		return !v->graph->owner || region_input_is_carried(v->graph->owner, v->input_index);
	return !op_is_view(v->def->op) && v->def->op != OP_SIZES && v->def->op != OP_IOTA && !is_part_of_concat(m, v);
}

static bool store_operands(graph *g, const use_map *m)
{
	bool changed = false;
	for_each_node(n, g) {
		for (int i = 0; i < operands_in_place(n); i++) {
			if (lies_in_memory(m, n->in[i]))
				continue;
			g->before = n;
			g->src = n->src;
			node_set_operand(n, i, build_copy(g, n->in[i]));
			g->before = NULL;
			changed = true;
		}
	}
	return changed;
}

bool pass_outputs(graph *g, pass_ctx *ctx)
{
	bool changed = store_operands(g, use_map_new(ctx->scratch, g));
	for (int i = 0; i < g->outputs.n; i++) {
		value *v = g->outputs.v[i];
		if (!needs_copy(g, i))
			continue;
		g->src = v->def ? v->def->src : (source){-1, "", ""};
		graph_set_output(g, i, build_copy(g, v));
		changed = true;
	}
	return changed;
}
