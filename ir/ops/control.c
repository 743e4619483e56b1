/* Control flow, and sizes that depend on data.
 *
 * A region is a graph of its own: its inputs have the types of the operands that they get, and sizes that do not contradict
 * theirs.  An `if` whose branches differ in a size gives its result a symbol of its own there, which the branch that runs
 * binds.  A loop's values have the same types in every iteration. */
#include "ir/ops/rules.h"

#include <string.h>

/* A symbol that a step gives its value; a dim line with `below` declares it. */
static bool rule_inner(const node *n, const char **why, sym *s)
{
	return sym_is_inner(s) || rule_refuse(n, why, "%s is no symbol for a size that depends on data", sym_text(n, s));
}

/* ---- bind: {symbol} --------------------------------------------------------------------------------------------------- */
bool infer_bind(node *n, const char **why)
{
	if (!rule_form(n, why, 1, "symbol") || !rule_syms(n, why, "symbol", 1, 0))
		return false;
	const sym *s = node_syms(n, "symbol", NULL)[0];
	if (n->in[0]->type != I64 || n->in[0]->rank != 0)
		return rule_refuse(n, why, "its operand is no i64 scalar");
	if (s->kind != SYM_CONST && !rule_inner(n, why, node_syms(n, "symbol", NULL)[0]))
		return false;
	return rule_result(n, why, 0, I64, 0, NULL);
}

/* ---- regions ----------------------------------------------------------------------------------------------------------- */
static bool is_bool_scalar(const value *v) { return v->type == BOOL && v->rank == 0; }

static bool same_type(const node *n, const value *a, const value *b)
{
	if (a->type != b->type || a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (!rule_equal(n, a->dims[i], b->dims[i]))
			return false;
	return true;
}

static bool rule_region(const node *n, const char **why, int r, int first, int count)
{
	const graph *g = n->regions[r];
	if (g->inputs.n != count)
		return rule_refuse(n, why, "region %s takes %d inputs, %d operands are given", region_word(n->op, r), g->inputs.n, count);
	for (int i = 0; i < count; i++)
		if (!same_type(n, g->inputs.v[i], n->in[first + i]))
			return rule_refuse(n, why, "input %d of region %s has another type than operand %d", i,
					   region_word(n->op, r), first + i);
	return true;
}

static bool rule_regions(const node *n, const char **why, int wanted)
{
	if (n->n_regions != wanted)
		return rule_refuse(n, why, "has %d regions, needs %d", n->n_regions, wanted);
	return true;
}

/* ---- if: {then_in, sizes} ---------------------------------------------------------------------------------------------- */
typedef struct size_list {
	sym *const *v;
	int n, used;
} size_list;

/* The size of a result: the common one, or the next of `sizes`. */
static sym *joined_dim(size_list *sizes, sym *a, sym *b)
{
	if (a == b)
		return a;
	return sizes->used < sizes->n ? sizes->v[sizes->used++] : NULL;
}

static bool join_results(node *n, const char **why, int i, size_list *sizes)
{
	const value *a = n->regions[0]->outputs.v[i], *b = n->regions[1]->outputs.v[i];
	sym *dims[MAX_RANK];
	if (a->type != b->type || a->rank != b->rank)
		return rule_refuse(n, why, "result %d is %s of rank %d in one branch and %s of rank %d in the other", i,
				   dtype_name(a->type), a->rank, dtype_name(b->type), b->rank);
	for (int k = 0; k < a->rank; k++) {
		dims[k] = joined_dim(sizes, a->dims[k], b->dims[k]);
		if (!dims[k])
			return rule_refuse(n, why, "the branches give sizes %s and %s on axis %d of result %d, and there is no symbol for it",
					   sym_text(n, a->dims[k]), sym_text(n, b->dims[k]), k, i);
	}
	return rule_result(n, why, i, a->type, a->rank, dims);
}

bool infer_if(node *n, const char **why)
{
	if (!rule_regions(n, why, 2) || !rule_int(n, why, "then_in", 0, n->n_in - 1))
		return false;
	int then_in = (int)node_int(n, "then_in", 0), n_out = n->regions[0]->outputs.n;
	if (!rule_form(n, why, n_out, "then_in sizes") || !rule_region(n, why, 0, 1, then_in) ||
	    !rule_region(n, why, 1, 1 + then_in, n->n_in - 1 - then_in))
		return false;
	if (n->regions[1]->outputs.n != n_out)
		return rule_refuse(n, why, "the branches give %d and %d results", n_out, n->regions[1]->outputs.n);
	if (!is_bool_scalar(n->in[0]))
		return rule_refuse(n, why, "its condition is no bool scalar");
	if (!node_attr(n, "sizes"))
		node_set_attr(n, attr_of_syms(n->graph, "sizes", NULL, 0));
	if (!rule_syms(n, why, "sizes", -1, 0))
		return false;
	size_list sizes = {0};
	sizes.v = node_syms(n, "sizes", &sizes.n);
	for (int i = 0; i < sizes.n; i++)
		if (!rule_inner(n, why, sizes.v[i]))
			return false;
	for (int i = 0; i < n_out; i++)
		if (!join_results(n, why, i, &sizes))
			return false;
	return true;
}

/* ---- loop: {trip, index, carried, stack, reverse, while} ----------------------------------------------------------------- */
static bool rule_loop_form(node *n, const char **why)
{
	int n_stack, n_trip = 0;
	if (!rule_regions(n, why, 1) || !rule_syms(n, why, "index", 1, 0) || !rule_int(n, why, "while", 0, 1))
		return false;
	sym *index = node_syms(n, "index", NULL)[0];
	if (!sym_is(index, 0) && !rule_inner(n, why, index))
		return false;
	if (node_attr(n, "trip") && !rule_syms(n, why, "trip", 1, 0))
		return false;
	n_trip = node_attr(n, "trip") != NULL;
	const graph *body = n->regions[0];
	int is_while = (int)node_int(n, "while", 0);
	if (!rule_int(n, why, "carried", 0, n->n_in - is_while))
		return false;
	int carried = (int)node_int(n, "carried", 0);
	if (!node_attr(n, "stack"))
		node_set_attr(n, attr_of_ints(n->graph, "stack", NULL, 0));
	if (!rule_ints(n, why, "stack", -1, 0))
		return false;
	node_ints(n, "stack", &n_stack);
	if (!rule_ints_or(n, why, "reverse", n_stack, 0, 0))
		return false;
	if (!rule_form(n, why, carried + n_stack + is_while, "index trip carried stack reverse while") ||
	    !rule_region(n, why, 0, is_while, n->n_in - is_while))
		return false;
	if (!n_trip && (!is_while || n_stack))
		return rule_refuse(n, why, "without a trip count it needs a condition and cannot stack outputs");
	if (is_while && (!is_bool_scalar(n->in[0]) || body->outputs.n < 1 || !is_bool_scalar(body->outputs.v[0])))
		return rule_refuse(n, why, "its condition is no bool scalar");
	if (body->outputs.n < is_while + carried)
		return rule_refuse(n, why, "its body has %d outputs, hands on %d", body->outputs.n, carried);
	return true;
}

static bool rule_carried(node *n, const char **why, int i, int is_while)
{
	const value *from = n->in[is_while + i], *to = n->regions[0]->outputs.v[is_while + i];
	if (from->type != to->type || from->rank != to->rank)
		return rule_refuse(n, why, "carried value %d is %s of rank %d, then %s of rank %d", i, dtype_name(from->type),
				   from->rank, dtype_name(to->type), to->rank);
	for (int k = 0; k < from->rank; k++)
		if (from->dims[k] != to->dims[k])
			return rule_refuse(n, why, "carried value %d has size %s on axis %d, then %s", i,
					   sym_text(n, from->dims[k]), k, sym_text(n, to->dims[k]));
	return rule_result(n, why, i, from->type, from->rank, from->dims);
}

/* Does the symbol have its value inside the body only? */
static bool is_of_body(const sym *var, void *user)
{
	const node *loop = user;
	if (var == node_syms(loop, "index", NULL)[0])
		return true;
	for_each_node(n, loop->regions[0])
		if (n->op == OP_BIND && node_syms(n, "symbol", NULL)[0] == var)
			return true;
	return false;
}

static bool rule_stacked(node *n, const char **why, int i, int first, int output, unsigned *seen)
{
	const graph *body = n->regions[0];
	sym *dims[MAX_RANK];
	if (output < 0 || output >= body->outputs.n || output > 31 || (*seen & 1u << output))
		return rule_refuse(n, why, "output %d cannot be stacked: there is none, or it is already", output);
	*seen |= 1u << output;
	const value *v = body->outputs.v[output];
	if (v->rank == MAX_RANK || dtype_table[v->type].bits < 8)
		return rule_refuse(n, why, "an output of rank %d and type %s cannot be stacked", v->rank, dtype_name(v->type));
	for (int k = 0; k < v->rank; k++)
		if (sym_any_var(v->dims[k], is_of_body, n))
			return rule_refuse(n, why, "output %d has a size that depends on the iteration, %s on axis %d", output,
					   sym_text(n, v->dims[k]), k);
	dims[0] = node_syms(n, "trip", NULL)[0];
	memcpy(dims + 1, v->dims, (size_t)v->rank * sizeof dims[0]);
	return rule_result(n, why, first + i, v->type, v->rank + 1, dims);
}

bool infer_loop(node *n, const char **why)
{
	int n_stack;
	unsigned seen = 0;
	if (!rule_loop_form(n, why))
		return false;
	int carried = (int)node_int(n, "carried", 0), is_while = (int)node_int(n, "while", 0);
	const int64_t *stack = node_ints(n, "stack", &n_stack);
	for (int i = 0; i < carried; i++)
		if (!rule_carried(n, why, i, is_while))
			return false;
	for (int i = 0; i < n_stack; i++)
		if (!rule_stacked(n, why, i, carried, is_while + (stack[i] < 64 ? (int)stack[i] : 64), &seen))
			return false;
	return !is_while || rule_result(n, why, carried + n_stack, I64, 0, NULL);
}
