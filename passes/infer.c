/* Runs every type rule again, in order.
 *
 *   requires a graph in order; establishes types, shapes and known elements of all values
 * Builders infer as they go; but a rule may know more once an operand was replaced by one whose shape is better known. */
#include "ir/elements.h"
#include "passes/pass.h"

typedef struct shape {
	dtype type;
	int rank;
	sym **dims;
} shape;

static shape shape_of(const value *v) { return (shape){v->type, v->rank, v->dims}; }

static bool same_shape(shape s, const value *v)
{
	if (s.type != v->type || s.rank != v->rank)
		return false;
	for (int i = 0; i < s.rank; i++)
		if (s.dims[i] != v->dims[i])
			return false;
	return true;
}

bool infer_again(const graph *g, node *n, pass_ctx *ctx)
{
	const char *why = "the type rule gives no reason";
	if (op_table[n->op].infer(n, &why))
		return true;
	diag_error(ctx->d, (diag_at){.file = g->at.file, .node = n->src.index, .node_name = n->src.name, .op = n->src.op}, "%s", why);
	return false;
}

/* Inputs of regions have the sizes of their operands. */
static bool infer_regions(node *n, pass_ctx *ctx)
{
	bool changed = false;
	for (int r = 0; r < n->n_regions; r++) {
		graph *g = n->regions[r];
		for (int i = 0; i < g->inputs.n; i++) {
			value *v = g->inputs.v[i], *operand = region_operand(n, r, i);
			for (int k = 0; k < v->rank && v->rank == operand->rank; k++)
				if (!sym_is_const(v->dims[k], NULL) && sym_is_const(operand->dims[k], NULL))
					v->dims[k] = operand->dims[k];
		}
		changed |= pass_infer(g, ctx);
	}
	return changed;
}

/* True when a result changed. */
static bool infer_node(graph *g, node *n, pass_ctx *ctx)
{
	bool changed = infer_regions(n, ctx);
	shape *before = new_array(ctx->scratch, shape, (size_t)n->n_out);
	for (int i = 0; i < n->n_out; i++)
		before[i] = shape_of(n->out[i]);
	if (!infer_again(g, n, ctx))
		return false;
	for (int i = 0; i < n->n_out; i++)
		changed |= !same_shape(before[i], n->out[i]);
	if (n->n_out && !n->out[0]->elements)
		node_derive_elements(n);
	return changed;
}

bool pass_infer(graph *g, pass_ctx *ctx)
{
	bool changed = false;
	for_each_node(n, g)
		changed |= infer_node(g, n, ctx);
	return changed;
}
