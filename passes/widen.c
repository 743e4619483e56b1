/* Values of 16 bits between operators are kept in f32: models whose exporter made everything f16 or bf16.
 *
 *   before:  %2 = conv %x, %w : f16[...]              after:  %1 = map %x { %0 } : f32[...]
 *            %y = map %2 {max(%0, 0.0)} : f16[...]            %2 = conv %1, %w {type=f32} : f32[...]
 *                                                             %3 = map %2 { max(%0, 0.0) } : f32[...]
 *                                                             %y = map %3 { %0 } : f16[...]
 * Arithmetic on them is f32 anyway; without rounding in between results are nearer to those of the f32 model, and kernels do not
 * convert every element again for each use.  Inputs, outputs and constants keep their types: weights stay small. */
#include "ir/graph_build.h"
#include "passes/pass.h"

#include <string.h>

static bool is_half(dtype t)
{
	return t == F16 || t == BF16;
}

static bool has_regions(const graph *g)
{
	for_each_node(n, g)
		if (n->n_regions)
			return true;
	return false;
}

static bool has_half_values(const graph *g)
{
	for_each_node(n, g)
		for (int i = 0; i < n->n_out; i++)
			if (is_half(n->out[i]->type) && !value_is_const(n->out[i]))
				return true;
	return false;
}

/* v as f32, computed before node `before`; nodes from there on use it instead. */
static void widen_for(graph *g, value *v, node *before)
{
	g->before = before;
	g->src = before->src;
	value *wide = build_cast(g, F32, v);
	g->before = NULL;
	for (node *n = before; n; n = n->next)
		for (int i = 0; i < n->n_in; i++)
			if (n->in[i] == v)
				node_set_operand(n, i, wide);
}

static void widen_inputs(graph *g)
{
	node *first = g->first;
	for (int i = 0; first && i < g->inputs.n; i++)
		if (is_half(g->inputs.v[i]->type) && g->inputs.v[i]->n_uses)
			widen_for(g, g->inputs.v[i], first);
}

/* Ops whose operands may have different types of one class. */
static bool takes_any(const node *n)
{
	return n->op == OP_MAP || n->op == OP_CONTRACT || n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE || n->op == OP_GATHER;
}

static bool is_constant_here(const value *v)
{
	return value_is_const(v) || (v->def && v->def->mark == v->def);
}

/* Constants beside widened operands are widened too where types must agree. */
static void agree(graph *g, node *n)
{
	bool wide = false;
	for (int i = 0; i < n->n_in; i++)
		wide |= n->in[i]->type == F32;
	if (!wide || takes_any(n))
		return;
	for (int i = 0; i < n->n_in; i++) {
		if (!is_half(n->in[i]->type))
			continue;
		g->before = n;
		g->src = n->src;
		node_set_operand(n, i, build_cast(g, F32, n->in[i]));
		g->before = NULL;
	}
}

/* What is computed from constants alone will be folded: it stays as it is. */
static bool only_constants(const node *n)
{
	if (n->n_out == 1 && value_is_const(n->out[0]))
		return true;
	for (int i = 0; i < n->n_in; i++)
		if (!is_constant_here(n->in[i]))
			return false;
	return n->n_in > 0;
}

static bool widen_node(graph *g, node *n, pass_ctx *ctx)
{
	agree(g, n);
	const attr *type = node_attr(n, "type");
	if (type && type->kind == ATTR_WORD && is_half(dtype_find(type->word, strlen(type->word))))
		node_set_attr(n, attr_of_word("type", "f32"));
	if (!infer_again(g, n, ctx))
		return false;
	for (int i = 0; i < n->n_out && n->next; i++)
		if (is_half(n->out[i]->type) && n->out[i]->n_uses)
			widen_for(g, n->out[i], n->next);
	return true;
}

bool pass_widen(graph *g, pass_ctx *ctx)
{
	if (g->owner || has_regions(g) || !has_half_values(g))
		return false;
	dtype *types = new_array(ctx->scratch, dtype, (size_t)g->outputs.n + 1);
	for (int i = 0; i < g->outputs.n; i++)
		types[i] = g->outputs.v[i]->type;
	for_each_node(n, g)
		n->mark = NULL;
	node *first = g->first;
	widen_inputs(g);
	for (node *n = first, *next; n; n = next) {
		next = n->next;
		if (only_constants(n))
			n->mark = n;
		else if (!widen_node(g, n, ctx))
			return true;
	}
	for (int i = 0; i < g->outputs.n; i++) {
		value *v = g->outputs.v[i];
		if (v->type == types[i])
			continue;
		g->src = v->def->src;
		graph_set_output(g, i, build_cast(g, types[i], v));
	}
	for_each_node(n, g)
		n->mark = NULL;
	return true;
}
