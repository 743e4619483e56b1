/* Invariants of a graph.  A violation is a bug of the pass that ran before (or, behind the parser, an error in the text).
 *
 *   list      prev and next agree; first and last are its ends; every node belongs to this graph
 *   values    ids are unique and below next_value_id; results point back to their node and place among its results;
 *             inputs have no definition and know their position; results come from a type, rank and dims that are set
 *   order     operands are graph inputs or results of earlier nodes of the list
 *   uses      n_uses = operand slots + graph outputs that refer to the value
 *   names     inputs and outputs have one, and no two values share one; an output is no input and stands once
 *   types     every node's type rule, run again, gives the types and dims that its results have
 *   constants have data of the size of their type
 *   elements  of integer or bool tensors, as many as the tensor has
 *   layout    order is a permutation of the axes, halos are not negative; inputs and outputs are row-major without halo
 *   place     inputs, outputs and constants are in the arena; a local value is used by one group only
 *   alias     the base is stored (not inline), has the same type and rank, and following aliases ends; inputs, outputs and
 *             constants are stored on their own
 *   assumed   every condition that a type rule relies on and cannot prove
 *   regions   hold the same invariants, with this graph's symbols, and no node in a kernel of another graph
 *   groups    a root is its own group, stands at or behind each of its members, and belongs to this graph */
#include "ir/graph.h"

#include <string.h>

typedef struct verifier {
	const graph *g;
	arena *scratch;
	const char *why;
	graph *shadow;       /* where type rules run again */
	const value **by_id; /* values defined so far; at the end all of them */
	int *uses;
	map *names;
	map *position; /* node -> its place in the list, counted from 1, as an address */
	const node **local_root; /* by value id: the group that uses a local value */
} verifier;

static bool fail(verifier *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(verifier *v, const char *fmt, ...)
{
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	v->why = arena_strdup(v->scratch, text);
	return false;
}

static const char *label(verifier *v, const value *x)
{
	return x->name ? arena_printf(v->scratch, "%%%s", x->name) : arena_printf(v->scratch, "%%%d", x->id);
}

static bool node_fails(verifier *v, const node *n, const char *what)
{
	const char *name = n->n_out > 0 ? label(v, n->out[0]) : "no result";
	return fail(v, "node %d (%s of %s): %s", n->id, op_table[n->op].text, name, what);
}

static bool value_fails(verifier *v, const value *x, const char *what)
{
	return fail(v, "value %s: %s", label(v, x), what);
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

static bool verify_list(verifier *v)
{
	const graph *g = v->g;
	const node *before = NULL;
	size_t at = 1;
	for_each_node(n, g) {
		if (n->prev != before || n->graph != g || n->op >= OP_COUNT)
			return fail(v, "node %d: is not properly linked into the graph's list", n->id);
		if (map_has(v->position, n))
			return node_fails(v, n, "stands in the list twice");
		map_put(v->position, n, (void *)at++);
		before = n;
	}
	return g->last == before || fail(v, "the last node is not the end of the list");
}

static size_t place_of(const verifier *v, const node *n) { return (size_t)map_get(v->position, n); }

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool verify_layout(verifier *v, const value *x)
{
	const layout *l = x->layout;
	unsigned seen = 0;
	for (int i = 0; l && i < x->rank; i++) {
		if (l->order[i] < 0 || l->order[i] >= x->rank || (seen & 1u << l->order[i]))
			return value_fails(v, x, "its axis order is no permutation");
		if (l->halo_lo[i] < 0 || l->halo_hi[i] < 0)
			return value_fails(v, x, "has a negative halo");
		seen |= 1u << l->order[i];
	}
	return true;
}

static bool verify_elements(verifier *v, const value *x)
{
	if (!x->elements)
		return true;
	if (!dtype_is_int(x->type) && x->type != BOOL)
		return value_fails(v, x, "has known elements, but no integer type");
	return sym_is(value_size(x), x->n_elements) || value_fails(v, x, "has known elements, but not as many as its shape");
}

static bool verify_value(verifier *v, const value *x)
{
	if (x->id < 0 || x->id >= v->g->next_value_id || v->by_id[x->id])
		return value_fails(v, x, "its id is not unique, or not below the next one");
	v->by_id[x->id] = x;
	if (x->graph != v->g)
		return value_fails(v, x, "belongs to another graph");
	if (x->type >= DTYPE_COUNT || x->rank < 0 || x->rank > MAX_RANK || (x->rank > 0 && !x->dims))
		return value_fails(v, x, "has no proper type");
	for (int i = 0; i < x->rank; i++)
		if (!x->dims[i])
			return value_fails(v, x, "lacks a dimension");
	if (x->name) {
		if (map_has(v->names, x->name))
			return value_fails(v, x, "another value has the same name");
		map_put(v->names, x->name, (void *)(uintptr_t)x);
	}
	return verify_elements(v, x) && verify_layout(v, x);
}

/* Seen by callers, or read-only: stored on its own, in memory. */
static bool verify_external(verifier *v, const value *x, bool row_major)
{
	if (x->place != PLACE_ARENA || x->alias)
		return value_fails(v, x, "a graph input, output or constant is stored on its own in memory");
	if (row_major && x->layout)
		return value_fails(v, x, "a graph input or output is row-major");
	return true;
}

static bool verify_alias(verifier *v, const value *x)
{
	const value *base = x->alias;
	if (!base)
		return true;
	if (base->graph != v->g || base->id >= v->g->next_value_id || v->by_id[base->id] != base)
		return value_fails(v, x, "is stored in a value that is not in the graph");
	if (base->type != x->type || base->rank != x->rank)
		return value_fails(v, x, "is stored in a value of another type or rank");
	if (base->place != PLACE_ARENA || x->place != PLACE_ARENA)
		return value_fails(v, x, "is stored in a value, but one of both is not in memory");
	for (int i = 0; i < x->rank; i++)
		if (!x->alias_start[i])
			return value_fails(v, x, "lacks a start index in the value it is stored in");
	int steps = 0;
	for (; base; base = base->alias)
		if (++steps > v->g->next_value_id)
			return value_fails(v, x, "is stored in itself");
	return true;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static const node *root_of(const node *n) { return n->group ? n->group : n; }

static bool verify_operands(verifier *v, const node *n)
{
	for (int i = 0; i < n->n_in; i++) {
		const value *x = n->in[i];
		if (!x || x->graph != v->g || x->id < 0 || x->id >= v->g->next_value_id || v->by_id[x->id] != x)
			return node_fails(v, n, arena_printf(v->scratch, "operand %d is not defined before it", i));
		v->uses[x->id]++;
		const node *root = root_of(n);
		if (x->place == PLACE_LOCAL && v->local_root[x->id] && v->local_root[x->id] != root)
			return value_fails(v, x, "is local, but used by two kernels");
		v->local_root[x->id] = root;
	}
	return true;
}

static bool verify_results(verifier *v, const node *n)
{
	for (int i = 0; i < n->n_out; i++) {
		const value *x = n->out[i];
		if (!x || x->def != n || x->def_index != i || x->input_index >= 0)
			return node_fails(v, n, arena_printf(v->scratch, "result %d does not point back to it", i));
		if (!verify_value(v, x) || (n->op == OP_CONST && !verify_external(v, x, false)))
			return false;
	}
	return true;
}

static bool verify_constant(verifier *v, const node *n)
{
	const attr *a = node_attr(n, "value");
	if (!a || a->kind != ATTR_TENSOR || !a->tensor)
		return node_fails(v, n, "has no data");
	const tensor *t = a->tensor;
	size_t bytes;
	if (!t->data && t->n_elements > 0)
		return node_fails(v, n, "has no data");
	if (t->type != STRING && (!dtype_bytes(t->type, t->n_elements, &bytes) || bytes != t->bytes))
		return node_fails(v, n, "has data of another size than its type");
	return true;
}

/* Type rules may rewrite attributes and make values, so they run on a copy. */
static bool verify_types(verifier *v, const node *n)
{
	node *copy = new(v->scratch, node);
	*copy = *n;
	copy->graph = v->shadow;
	copy->attrs = new_array(v->scratch, attr, (size_t)n->n_attrs);
	for (int i = 0; i < n->n_attrs; i++)
		copy->attrs[i] = n->attrs[i];
	copy->out = new_array(v->scratch, value *, (size_t)n->n_out);
	for (int i = 0; i < n->n_out; i++) {
		copy->out[i] = new(v->scratch, value);
		*copy->out[i] = (value){.id = -1, .type = DTYPE_NONE, .graph = v->shadow, .def = copy, .def_index = i, .input_index = -1};
	}
	const char *why = "the type rule gives no reason";
	if (!op_table[n->op].infer(copy, &why))
		return node_fails(v, n, why);
	for (int i = 0; i < n->n_out; i++)
		if (copy->out[i]->type != n->out[i]->type || !value_dims_equal(copy->out[i], n->out[i]))
			return node_fails(v, n, arena_printf(v->scratch, "result %d has another type than the type rule gives", i));
	return true;
}

static bool verify_group(verifier *v, const node *n)
{
	const node *root = n->group;
	if (!root || root == n)
		return true;
	if (!place_of(v, root))
		return node_fails(v, n, "the root of its kernel is not in the graph");
	if (root->group != root)
		return node_fails(v, n, "the root of its kernel is itself part of another kernel");
	return place_of(v, root) > place_of(v, n) || node_fails(v, n, "stands behind the root of its kernel");
}

static bool verify_regions(verifier *v, const node *n)
{
	for (int i = 0; i < n->n_regions; i++) {
		const graph *g = n->regions[i];
		const char *why = NULL;
		if (!g || g->syms != v->g->syms || g->exprs != v->g->exprs)
			return node_fails(v, n, "a region has symbols of its own");
		if (!graph_verify(g, v->scratch, &why))
			return node_fails(v, n, arena_printf(v->scratch, "region %d: %s", i, why));
	}
	return true;
}

static bool verify_node(verifier *v, const node *n)
{
	return verify_operands(v, n) && verify_results(v, n) && (n->op != OP_CONST || verify_constant(v, n)) &&
	       verify_regions(v, n) && verify_types(v, n) && verify_group(v, n);
}

/* ---- graphs ------------------------------------------------------------------------------------------------------ */

static bool verify_inputs(verifier *v)
{
	for (int i = 0; i < v->g->inputs.n; i++) {
		const value *x = v->g->inputs.v[i];
		if (x->def || x->input_index != i)
			return value_fails(v, x, "is an input, but does not know its position");
		if (!x->name)
			return value_fails(v, x, "is an input without a name");
		if (!verify_value(v, x) || !verify_external(v, x, true))
			return false;
	}
	return true;
}

static bool verify_outputs(verifier *v)
{
	map *seen = map_new(v->scratch);
	for (int i = 0; i < v->g->outputs.n; i++) {
		const value *x = v->g->outputs.v[i];
		if (!x || x->graph != v->g || x->id < 0 || x->id >= v->g->next_value_id || v->by_id[x->id] != x)
			return fail(v, "output %d is not defined in the graph", i);
		if (!x->def || !x->name)
			return value_fails(v, x, "is an output, but an input too or without a name");
		if (map_has(seen, x))
			return value_fails(v, x, "is an output twice");
		map_put(seen, x, v);
		v->uses[x->id]++;
		if (!verify_external(v, x, true))
			return false;
	}
	return true;
}

/* What can be said once all values and uses are known. */
static bool verify_whole(verifier *v)
{
	for (int id = 0; id < v->g->next_value_id; id++) {
		const value *x = v->by_id[id];
		if (!x)
			continue;
		if (x->n_uses != v->uses[id])
			return fail(v, "value %s: counts %d uses, but has %d", label(v, x), x->n_uses, v->uses[id]);
		if (!verify_alias(v, x))
			return false;
	}
	return true;
}

static bool verify_nodes(verifier *v)
{
	for_each_node(n, v->g)
		if (!verify_node(v, n))
			return false;
	return true;
}

/* After verify_nodes, whose rules have noted all that they assume in the shadow. */
static bool verify_conditions(verifier *v)
{
	int n = v->g->assumed.n;
	str text = str_new(v->scratch);
	if (v->shadow->assumed.n == n)
		return true;
	condition_print(&text, &v->shadow->assumed.v[n]);
	return fail(v, "a type rule relies on %s, which is not assumed", text.data);
}

bool graph_verify(const graph *g, arena *scratch, const char **why)
{
	size_t n_values = (size_t)g->next_value_id;
	graph *shadow = new(scratch, graph);
	*shadow = *g;
	shadow->a = scratch;
	verifier v = {
		.g = g,
		.scratch = scratch,
		.shadow = shadow,
		.by_id = (const value **)new_array(scratch, value *, n_values),
		.uses = new_array(scratch, int, n_values),
		.names = map_new(scratch),
		.position = map_new(scratch),
		.local_root = (const node **)new_array(scratch, node *, n_values),
	};
	shadow->assumed = (conditions){0};
	for (int i = 0; i < g->assumed.n; i++)
		vec_push(scratch, &shadow->assumed, g->assumed.v[i]);
	bool ok = verify_list(&v) && verify_inputs(&v) && verify_nodes(&v) && verify_outputs(&v) && verify_whole(&v) &&
	          verify_conditions(&v);
	if (!ok && why)
		*why = v.why;
	return ok;
}
