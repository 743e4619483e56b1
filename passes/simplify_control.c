/* Simplify: branches that are decided, loops of one iteration, constants inside regions.
 *
 *       %r = if %true then () -> (%a) { %a = map ... } else ...      =>      %a = map ... in place of %r
 *       %r = loop %c {carried=0 ...} body (%c) -> ...                =>      the body has a constant of its own: it can be folded and packed */
#include "passes/simplify.h"

/* ---- into regions ------------------------------------------------------------------------------------------------------- */
/* The operand again inside the region, when it is known at compile time; NULL otherwise. */
static value *known_inside(graph *region, const value *operand)
{
	const tensor *t = value_tensor(operand);
	if (t && !operand->layout)
		return build_const(region, t, NULL);
	if (!operand->elements || dtype_table[operand->type].bits < 8 || operand->rank > 1)
		return NULL;
	attr attrs[2] = {attr_of_syms(region, "values", operand->elements, operand->n_elements),
	                 attr_of_syms(region, "shape", operand->dims, operand->rank)};
	return build_cast(region, operand->type, build(region, OP_SIZES, NULL, 0, attrs, 2));
}

static bool settle_input(node *n, int r, int i)
{
	graph *g = n->regions[r];
	value *v = g->inputs.v[i];
	if (region_input_is_carried(n, i))
		return false;
	if (v->n_uses > 0) {
		g->before = g->first;
		g->src = n->src;
		value *known = known_inside(g, region_operand(n, r, i));
		g->before = NULL;
		if (!known || known->rank != v->rank)
			return false;
		graph_replace_value(g, v, known);
	}
	if (v->n_uses > 0)
		return false;
	region_remove_input(n, r, i);
	return true;
}

/* ---- out of regions ------------------------------------------------------------------------------------------------------ */
static void replace_result(graph *g, value *old, value *with)
{
	if (value_is_output(g, old) && (!with->def || value_is_const(with) || value_is_output(g, with)))
		with = build_copy(g, with);
	graph_replace_value(g, old, with);
}

static value **operands_of(graph *g, const node *n, int r)
{
	int count = n->regions[r]->inputs.n;
	value **in = new_array(g->a, value *, (size_t)count + 1);
	for (int i = 0; i < count; i++)
		in[i] = region_operand(n, r, i);
	return in;
}

static value **move_out(graph *g, const node *n, int r)
{
	value **out = new_array(g->a, value *, (size_t)n->regions[r]->outputs.n + 1);
	region_inline(g, n->regions[r], operands_of(g, n, r), NULL, NULL, out);
	return out;
}

/* if true { a } else { b } = a, where all sizes are those of the result */
static bool decide_branch(graph *g, node *n)
{
	const expr *cond = known_scalar(g, n->in[0]);
	int n_sizes;
	node_syms(n, "sizes", &n_sizes);
	if (!cond || cond->op != EXPR_CONST || n_sizes > 0)
		return false;
	value **out = move_out(g, n, cond->i ? 0 : 1);
	for (int i = 0; i < n->n_out; i++)
		replace_result(g, n->out[i], out[i]);
	return true;
}

/* A loop of one iteration = its body */
static bool unroll_once(graph *g, node *n)
{
	int n_stack, carried = (int)node_int(n, "carried", 0);
	if (!node_attr(n, "trip") || !sym_is(node_syms(n, "trip", NULL)[0], 1) || node_int(n, "while", 0))
		return false;
	value **out = move_out(g, n, 0);
	const int64_t *stack = node_ints(n, "stack", &n_stack);
	for (int i = 0; i < carried; i++)
		replace_result(g, n->out[i], out[i]);
	for (int i = 0; i < n_stack; i++) {
		value *result = n->out[carried + i];
		replace_result(g, result, build_reshape(g, out[stack[i]], result->dims, result->rank));
	}
	return true;
}

static bool is_used(const node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]->n_uses > 0)
			return true;
	return false;
}

bool simplify_regions(graph *g, node *n)
{
	bool changed = false;
	if (!is_used(n))
		return false;
	g->before = n;
	g->src = n->src;
	if (n->op == OP_IF ? decide_branch(g, n) : unroll_once(g, n))
		return true;
	for (int r = 0; r < n->n_regions; r++)
		for (int i = n->regions[r]->inputs.n; i-- > 0;)
			changed |= settle_input(n, r, i);
	return changed;
}
