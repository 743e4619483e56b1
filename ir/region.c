/* Regions: graphs inside nodes, their operands, and their nodes moved out of them; copies of whole graphs. */
#include "ir/graph.h"

#include <assert.h>

const char *region_word(op kind, int i)
{
	static const char *const branches[] = {"then", "else"};
	if (kind == OP_IF && i < 2)
		return branches[i];
	return kind == OP_LOOP && i == 0 ? "body" : NULL;
}

/* The first operand of region r. */
static int first_operand(const node *n, int r)
{
	if (n->op == OP_LOOP)
		return (int)node_int(n, "while", 0);
	return 1 + (r ? (int)node_int(n, "then_in", 0) : 0);
}

value *region_operand(const node *n, int r, int i) { return n->in[first_operand(n, r) + i]; }

bool region_input_is_carried(const node *n, int i) { return n->op == OP_LOOP && i < (int)node_int(n, "carried", 0); }

static void remove_operand(node *n, int at)
{
	n->in[at]->n_uses--;
	n->n_in--;
	for (int i = at; i < n->n_in; i++)
		n->in[i] = n->in[i + 1];
}

void region_remove_input(node *n, int r, int i)
{
	graph *g = n->regions[r];
	assert(g->inputs.v[i]->n_uses == 0 && !region_input_is_carried(n, i));
	remove_operand(n, first_operand(n, r) + i);
	if (n->op == OP_IF && r == 0)
		node_set_attr(n, attr_of_int("then_in", node_int(n, "then_in", 0) - 1));
	g->inputs.n--;
	for (int k = i; k < g->inputs.n; k++) {
		g->inputs.v[k] = g->inputs.v[k + 1];
		g->inputs.v[k]->input_index = k;
	}
}

/* ---- moving out ---------------------------------------------------------------------------------------------------------- */
typedef struct inlining {
	graph *to;
	map *values; /* of the region -> of `to` */
	sym *var, *by;
	bool keeps; /* names and numbers */
} inlining;

static sym *moved_sym(const inlining *in, sym *s) { return in->var ? sym_replace(s, in->var, in->by) : s; }

static const expr *moved_leaf(const expr *leaf, void *user)
{
	const inlining *in = user;
	return leaf->op == EXPR_INDEX ? expr_index(in->to->exprs, moved_sym(in, leaf->index)) : leaf;
}

static attr moved_attr(inlining *in, const attr *a)
{
	attr moved = *a;
	if (a->kind == ATTR_SYMS) {
		moved = attr_of_syms(in->to, a->name, a->syms, a->n);
		for (int i = 0; i < a->n; i++)
			((sym **)(uintptr_t)moved.syms)[i] = moved_sym(in, a->syms[i]);
	} else if (a->kind == ATTR_EXPR && in->var) {
		moved.expr = expr_map_leaves(in->to->exprs, a->expr, moved_leaf, in);
	}
	return moved;
}

static void move_nodes(inlining *in, const graph *from);

static graph *moved_region(const inlining *outer, const graph *from)
{
	graph *to = graph_new_like(outer->to->a, outer->to, from->name);
	inlining in = {to, map_new(to->a), outer->var, outer->by, outer->keeps};
	to->diag = outer->to->diag;
	to->at = outer->to->at;
	for (int i = 0; i < from->inputs.n; i++) {
		const value *v = from->inputs.v[i];
		sym *dims[MAX_RANK];
		for (int k = 0; k < v->rank; k++)
			dims[k] = moved_sym(&in, v->dims[k]);
		value *input = graph_input(to, v->name, v->type, v->rank, dims);
		input->id = outer->keeps ? v->id : input->id;
		map_put(in.values, v, input);
	}
	move_nodes(&in, from);
	for (int i = 0; i < from->outputs.n; i++)
		graph_output(to, map_get(in.values, from->outputs.v[i]), from->outputs.v[i]->name);
	if (outer->keeps) {
		to->next_value_id = from->next_value_id;
		to->next_node_id = from->next_node_id;
	}
	return to;
}

static void keep_numbers(const node *n, node *moved)
{
	moved->id = n->id;
	for (int i = 0; i < n->n_out; i++) {
		moved->out[i]->id = n->out[i]->id;
		moved->out[i]->name = n->out[i]->name;
	}
}

static void move_node(inlining *in, const node *n)
{
	graph *to = in->to;
	value **operands = new_array(to->a, value *, (size_t)n->n_in);
	attr *attrs = new_array(to->a, attr, (size_t)n->n_attrs);
	graph **regions = new_array(to->a, graph *, (size_t)n->n_regions);
	for (int i = 0; i < n->n_in; i++)
		operands[i] = map_get(in->values, n->in[i]);
	for (int i = 0; i < n->n_attrs; i++)
		attrs[i] = moved_attr(in, &n->attrs[i]);
	for (int i = 0; i < n->n_regions; i++)
		regions[i] = moved_region(in, n->regions[i]);
	to->src = n->src;
	node *moved = graph_add_regions(to, n->op, operands, n->n_in, attrs, n->n_attrs, regions, n->n_regions, n->n_out);
	for (int i = 0; i < n->n_out; i++)
		map_put(in->values, n->out[i], moved->out[i]);
	if (in->keeps)
		keep_numbers(n, moved);
}

static void move_nodes(inlining *in, const graph *from)
{
	for (int i = 0; i < from->assumed.n; i++) {
		condition c = from->assumed.v[i];
		c.a = moved_sym(in, c.a);
		c.b = moved_sym(in, c.b);
		if (!graph_assume(in->to, c.kind, c.a, c.b)) /* then every run is refused */
			vec_push(in->to->a, &in->to->assumed, c);
	}
	for_each_node(n, from)
		move_node(in, n);
}

void region_inline(graph *g, const graph *from, value *const *operands, sym *var, sym *by, value **out)
{
	inlining in = {g, map_new(g->a), var, by, false};
	for (int i = 0; i < from->inputs.n; i++)
		map_put(in.values, from->inputs.v[i], operands[i]);
	move_nodes(&in, from);
	for (int i = 0; i < from->outputs.n; i++)
		out[i] = map_get(in.values, from->outputs.v[i]);
}

graph *graph_copy(const graph *g)
{
	return moved_region(&(inlining){.to = (graph *)(uintptr_t)g, .keeps = true}, g);
}
