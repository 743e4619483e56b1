/* Chooses a strategy for every contraction and convolution, and packs constant weights for it.
 *
 *   requires layouts (halos decide what applies); keeps values, shapes and everything else
 *       %2 = conv %x, %w {...}     =>     %3 = transpose (reshape (pad %w))      folded to a constant by the next fold
 *                                         %2 = conv %x, %w, %3 {..., strategy=direct, packed=1}
 * The plain operand stays for the type rule; nothing reads it, so it is not in the program. */
#include "passes/tuning.h"

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

/* By the tuning file where it knows the problem, else by costs.  False: no strategy applies. */
static bool choose(const node *n, pass_ctx *ctx, choice *c)
{
	choice all[MAX_CHOICES];
	int count = choices_of(n, ctx, all);
	if (!count)
		return false;
	*c = all[0];
	if (ctx->tuning && count > 1)
		tuning_choose(ctx->tuning, n, ctx, all, count, c);
	return true;
}

bool pass_prepack(graph *g, pass_ctx *ctx)
{
	bool changed = false;
	for_each_node_safe(n, g) {
		if (node_attr(n, "strategy"))
			continue;
		choice c;
		if (!choose(n, ctx, &c))
			continue;
		g->before = n;
		g->src = n->src;
		choice_apply(c, n, ctx);
		g->before = NULL;
		changed = true;
	}
	graph_remove_dead(g);
	return changed;
}
