/* See region.h.
 *
 * A body is imported as if its graph stood alone: a name of the graph around becomes an input when it is first used, and the value
 * an operand of the node, unless it is known at compile time: constants must be seen where they are used, to be folded and packed. */
#include "frontend/region.h"

#include "frontend/container.h"

#include <string.h>

/* ---- bodies -------------------------------------------------------------------------------------------------------------- */
scope *region_open(importer *im, const onnx_node *n, const char *word)
{
	scope *s = new(im->a, scope);
	*s = (scope){
		.parent = n->scope,
		.graph = graph_new_like(im->a, im->graph, word),
		.values = map_new_str(im->a),
		.found = map_new_str(im->a),
		.inside = map_new(im->a),
		.opsets = n->scope->opsets,
		.n_opsets = n->scope->n_opsets,
		.function = n->scope->function,
		.attrs = n->scope->attrs,
		.n_attrs = n->scope->n_attrs,
		.call = n->at,
		.depth = n->scope->depth,
	};
	s->graph->diag = im->diag;
	s->graph->at = n->at;
	s->graph->src = im->graph->src;
	im->graph = s->graph;
	return s;
}

void region_close(importer *im, const onnx_node *n)
{
	im->graph->diag = NULL;
	im->graph->at = DIAG_NOWHERE;
	im->graph = n->scope->graph;
	im->graph->at = n->at;
	im->graph->src = (source){n->at.node, n->at.node_name, n->at.op};
}

static bool is_taken(const graph *g, const char *name)
{
	for (int i = 0; i < g->inputs.n; i++)
		if (strcmp(g->inputs.v[i]->name, name) == 0)
			return true;
	for (int i = 0; i < g->outputs.n; i++)
		if (strcmp(g->outputs.v[i]->name, name) == 0)
			return true;
	return false;
}

static const char *free_name(importer *im, const graph *g, const char *name)
{
	while (!*name || is_taken(g, name))
		name = arena_printf(im->a, "%s_", name);
	return name;
}

value *region_input(importer *im, scope *s, const char *name, const value *like)
{
	return graph_input(s->graph, free_name(im, s->graph, name), like->type, like->rank, like->dims);
}

void region_output(importer *im, scope *s, value *v, const char *name)
{
	if (is_container(v))
		diag_abandon(im->diag, im->graph->at, "%s cannot leave a body that runs an unknown number of times or not at all",
		             container_word(v));
	graph_output(s->graph, v, free_name(im, s->graph, name));
}

static value *known_again(graph *g, const value *outer)
{
	const tensor *t = value_tensor(outer);
	if (t)
		return build_const(g, t, NULL);
	if (!outer->elements || dtype_table[outer->type].bits < 8)
		return NULL;
	attr attrs[2] = {attr_of_syms(g, "values", outer->elements, outer->n_elements), attr_of_syms(g, "shape", outer->dims, outer->rank)};
	return build_cast(g, outer->type, build(g, OP_SIZES, NULL, 0, attrs, 2));
}

typedef struct capture {
	importer *im;
	scope *s;
} capture;

static value *capture_tensor(value *outer, void *user)
{
	const capture *c = user;
	return region_capture(c->im, c->s, outer);
}

value *region_capture(importer *im, scope *s, value *outer)
{
	value *v = map_get(s->inside, outer);
	if (v || outer == &unknown)
		return v ? v : outer;
	if (is_container(outer))
		return container_map(im, outer, capture_tensor, &(capture){im, s});
	v = known_again(s->graph, outer);
	if (!v) {
		v = region_input(im, s, outer->name ? outer->name : arena_printf(im->a, "outer%d", outer->id), outer);
		vec_push(im->a, &s->captured, outer);
	}
	map_put(s->inside, outer, v);
	return v;
}

value *scope_find(importer *im, scope *s, const char *name)
{
	value *v = map_get(s->values, name);
	if (v || !s->parent)
		return v;
	if ((v = map_get(s->found, name)) != NULL)
		return v;
	v = scope_find(im, s->parent, name);
	if (!v)
		return NULL;
	if (v != &unknown && s->graph != s->parent->graph)
		v = region_capture(im, s, v);
	map_put(s->found, name, v);
	return v;
}

bool region_import(importer *im, const onnx_node *n, scope *s, const Onnx__GraphProto *g, value **out)
{
	bool known = true;
	import_initializers(im, s, g);
	import_nodes(im, s, g->node, g->n_node);
	im->graph->at = n->at;
	for (size_t i = 0; i < g->n_output; i++) {
		out[i] = scope_find(im, s, text_of(g->output[i]->name));
		if (!out[i])
			refuse(im, n, "its body does not define the output \"%s\"", text_of(g->output[i]->name));
		known = known && out[i] != &unknown;
	}
	return known;
}

bool region_in_place(importer *im, const onnx_node *n, const Onnx__GraphProto *g, value *const *in, value **out)
{
	scope s = *n->scope;
	s.parent = n->scope;
	s.graph = im->graph;
	s.values = map_new_str(im->a);
	s.found = map_new_str(im->a);
	s.call = n->at;
	for (size_t i = 0; i < g->n_input; i++)
		map_put(s.values, text_of(g->input[i]->name), in[i]);
	return region_import(im, n, &s, g, out);
}

/* ---- loops --------------------------------------------------------------------------------------------------------------- */
void loop_open(importer *im, const onnx_node *n, loop_builder *l, sym *trip, const char *word)
{
	sym *below = trip ? trip : sym_const(im->syms, INT64_MAX);
	*l = (loop_builder){.s = region_open(im, n, word), .trip = trip, .index = sym_inner_fresh(im->syms, "i", 0, below)};
}

value *loop_carry(importer *im, loop_builder *l, const char *name, value *from)
{
	vec_push(im->a, &l->from, from);
	return region_input(im, l->s, name, from);
}

value *loop_element(importer *im, loop_builder *l, value *outer, int axis, bool reverse)
{
	sym *at = reverse ? sym_sub(sym_addi(l->trip, -1), l->index) : l->index;
	return build_squeeze(im->graph, cut(im, region_capture(im, l->s, outer), axis, at, size(im, 1)), &axis, 1);
}

/* Ends the run where two sizes differ.  It stands before all nodes of the body, so nothing is written with a wrong size. */
static void check_size(importer *im, graph *g, sym *a, sym *b)
{
	sym *zero = size(im, 0);
	attr symbol = attr_of_syms(g, "symbol", &zero, 1);
	node *const before = g->before;
	g->before = g->first;
	value *difference = build_size_scalar(g, sym_sub(a, b));
	graph_add(g, OP_BIND, &difference, 1, &symbol, 1, 1);
	g->before = before;
}

/* Is the symbol bound inside the body? */
static bool is_bound_in(const sym *var, void *user)
{
	const graph *body = user;
	for_each_node(n, body)
		if (n->op == OP_BIND && node_syms(n, "symbol", NULL)[0] == var)
			return true;
	return false;
}

/* v with the sizes that a carried value has, where they may be others. */
static value *fit(importer *im, const onnx_node *n, loop_builder *l, value *v, const value *like)
{
	sym *starts[MAX_RANK];
	int64_t steps[MAX_RANK];
	bool same = true;
	if (v->type != like->type || v->rank != like->rank)
		refuse(im, n, "a carried value is %s of rank %d, then %s of rank %d", dtype_name(like->type), like->rank,
		       dtype_name(v->type), v->rank);
	for (int i = 0; i < v->rank; i++) {
		starts[i] = size(im, 0);
		steps[i] = 1;
		if (v->dims[i] == like->dims[i])
			continue;
		if (sym_proves_lt(v->dims[i], like->dims[i]) || sym_proves_lt(like->dims[i], v->dims[i]) ||
		    sym_any_var(v->dims[i], is_bound_in, l->s->graph))
			refuse(im, n, "a carried value changes its size on axis %d", i);
		same = false;
		check_size(im, l->s->graph, v->dims[i], like->dims[i]);
	}
	return same ? v : build_slice(im->graph, v, starts, steps, like->dims);
}

/* Outputs in order: the condition, carried values, the others that are stacked. */
static int add_outputs(importer *im, loop_builder *l, int64_t *stack)
{
	int n = l->carried.n;
	if (l->go_on)
		region_output(im, l->s, l->go_on, "go_on");
	for (int i = 0; i < l->carried.n; i++)
		region_output(im, l->s, l->carried.v[i], "next");
	for (int i = 0; i < l->stacked.n; i++) {
		stack[i] = -1;
		for (int k = 0; k < l->carried.n; k++)
			if (l->carried.v[k] == l->stacked.v[i])
				stack[i] = k;
		for (int k = 0; k < i; k++)
			if (stack[k] == stack[i])
				stack[i] = -1;
		if (stack[i] >= 0)
			continue;
		region_output(im, l->s, l->stacked.v[i], "out");
		stack[i] = n++;
	}
	return n;
}

node *loop_close(importer *im, const onnx_node *n, loop_builder *l)
{
	int64_t *stack = new_array(im->a, int64_t, (size_t)l->stacked.n + 1);
	vec(value *) in = {0};
	attr attrs[6];
	int n_attrs = 0;
	for (int i = 0; i < l->carried.n; i++) {
		value *v = fit(im, n, l, l->carried.v[i], l->from.v[i]);
		for (int k = 0; k < l->stacked.n; k++)
			if (l->stacked.v[k] == l->carried.v[i])
				l->stacked.v[k] = v;
		l->carried.v[i] = v;
	}
	add_outputs(im, l, stack);
	region_close(im, n);
	if (l->begin)
		vec_push(im->a, &in, l->begin);
	for (int i = 0; i < l->from.n; i++)
		vec_push(im->a, &in, l->from.v[i]);
	for (int i = 0; i < l->s->captured.n; i++)
		vec_push(im->a, &in, l->s->captured.v[i]);
	graph *g = im->graph;
	if (l->trip)
		attrs[n_attrs++] = attr_of_syms(g, "trip", &l->trip, 1);
	attrs[n_attrs++] = attr_of_syms(g, "index", &l->index, 1);
	attrs[n_attrs++] = attr_of_int("carried", l->from.n);
	attrs[n_attrs++] = attr_of_ints(g, "stack", stack, l->stacked.n);
	attrs[n_attrs++] = attr_of_ints(g, "reverse", l->reverse.v, l->stacked.n);
	attrs[n_attrs++] = attr_of_int("while", l->begin != NULL);
	int n_out = l->from.n + l->stacked.n + (l->begin != NULL);
	return graph_add_regions(g, OP_LOOP, in.v, in.n, attrs, n_attrs, &l->s->graph, 1, n_out);
}
