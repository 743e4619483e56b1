/* Chooses a strategy for every contraction and convolution, and packs constant weights for it.
 *
 *   requires layouts (halos decide what applies); keeps values, shapes and everything else
 *       %2 = conv %x, %w {...}     =>     %3 = transpose (reshape (pad %w))      folded to a constant by the next fold
 *                                         %2 = conv %x, %w, %3 {..., strategy=direct, packed=1}
 * The plain operand stays for the type rule; nothing reads it, so it is not in the program. */
#include "passes/strategy.h"

void append_packed(node *n, value *packed)
{
	value **in = new_array(n->graph->a, value *, (size_t)n->n_in + 1);
	for (int i = 0; i < n->n_in; i++)
		in[i] = n->in[i];
	in[n->n_in] = packed;
	n->in = in;
	n->n_in++;
	packed->n_uses++;
	node_set_attr(n, attr_of_int("packed", 1));
}

static const strategy *cheapest(const node *n, const pass_ctx *ctx)
{
	const strategy *best = NULL;
	double best_cost = 0;
	for (int i = 0; i < strategy_count; i++) {
		const strategy *s = &strategy_table[i];
		if (s->op != n->op || !s->applies(n, ctx))
			continue;
		double cost = s->cost(n, ctx);
		if (!best || cost < best_cost)
			best = s, best_cost = cost;
	}
	return best;
}

bool pass_prepack(graph *g, pass_ctx *ctx)
{
	bool changed = false;
	for_each_node_safe(n, g) {
		if (node_attr(n, "strategy"))
			continue;
		const strategy *s = cheapest(n, ctx);
		if (!s)
			continue;
		g->before = n;
		g->src = n->src;
		s->pack(n, ctx);
		g->before = NULL;
		node_set_attr(n, attr_of_word("strategy", s->name));
		changed = true;
	}
	graph_remove_dead(g);
	return changed;
}
