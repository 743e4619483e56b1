/* Gives every graph output a buffer of its own.
 *
 *   requires types; keeps everything else
 * An output that is an input, a constant, another output too, or used inside the graph is copied by an identity map, so that a
 * value is written to the caller's buffer by exactly one kernel and never read back.                                        */
#include "ir/graph_build.h"
#include "passes/pass.h"

static bool needs_copy(const graph *g, int i)
{
	const value *v = g->outputs.v[i];
	return !v->def || value_is_const(v) || v->n_uses > 1 || v->def->op == OP_SIZES;
}

bool pass_outputs(graph *g, pass_ctx *ctx)
{
	(void)ctx;
	bool changed = false;
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
