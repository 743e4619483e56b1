#include "ir/graph.h"

#include "ir/elements.h"

#include <assert.h>
#include <string.h>

/* ---- making ------------------------------------------------------------------------------------------------------ */

static graph *graph_alloc(arena *a, const char *name, sym_ctx *syms, expr_ctx *exprs, names *set)
{
	graph *g = new(a, graph);
	g->a = a;
	g->syms = syms;
	g->exprs = exprs;
	g->names = set;
	g->name = names_intern(set, name);
	g->src = (source){.index = -1, .name = "", .op = ""};
	g->at = DIAG_NOWHERE;
	return g;
}

graph *graph_new(arena *a, const char *name)
{
	sym_ctx *syms = sym_ctx_new(a);
	return graph_alloc(a, name, syms, expr_ctx_new(a, syms), names_new(a));
}

graph *graph_new_like(arena *a, const graph *of, const char *name)
{
	return graph_alloc(a, name, of->syms, of->exprs, of->names);
}

static value *value_new(graph *g, node *def, int def_index)
{
	value *v = new(g->a, value);
	v->id = g->next_value_id++;
	v->type = DTYPE_NONE;
	v->graph = g;
	v->def = def;
	v->def_index = def_index;
	v->input_index = -1;
	return v;
}

bool graph_assume(graph *g, condition_kind kind, sym *a, sym *b)
{
	return conditions_add(g->a, &g->assumed, (condition){kind, a, b});
}

static const char *intern_or_null(graph *g, const char *name)
{
	return name ? names_intern(g->names, name) : NULL;
}

value *graph_input(graph *g, const char *name, dtype t, int rank, sym *const *dims)
{
	assert(rank >= 0 && rank <= MAX_RANK);
	value *v = value_new(g, NULL, 0);
	v->name = intern_or_null(g, name);
	v->type = t;
	v->rank = rank;
	v->dims = new_array(g->a, sym *, (size_t)rank);
	for (int i = 0; i < rank; i++) {
		v->dims[i] = dims[i];
		graph_assume(g, CONDITION_AT_LEAST, dims[i], sym_const(g->syms, 0));
	}
	v->input_index = g->inputs.n;
	vec_push(g->a, &g->inputs, v);
	return v;
}

/* A value has one name: a graph input, or a second name for an output, is copied. */
void graph_output(graph *g, value *v, const char *name)
{
	if (!v->def || value_is_output(g, v)) {
		attr shape = attr_of_syms(g, "shape", v->dims, v->rank);
		v = build(g, OP_RESHAPE, &v, 1, &shape, 1);
	}
	v->name = intern_or_null(g, name);
	v->n_uses++;
	vec_push(g->a, &g->outputs, v);
}

void graph_set_output(graph *g, int i, value *v)
{
	value *old = g->outputs.v[i];
	v->name = old->name;
	old->name = NULL;
	old->n_uses--;
	v->n_uses++;
	g->outputs.v[i] = v;
}

/* Puts n before `where`, or at the end when that is NULL. */
static void link_before(graph *g, node *n, node *where)
{
	n->next = where;
	n->prev = where ? where->prev : g->last;
	*(n->prev ? &n->prev->next : &g->first) = n;
	*(where ? &where->prev : &g->last) = n;
}

static void unlink_node(graph *g, node *n)
{
	*(n->prev ? &n->prev->next : &g->first) = n->next;
	*(n->next ? &n->next->prev : &g->last) = n->prev;
	n->prev = n->next = NULL;
}

static _Noreturn void rule_broken(graph *g, const char *why)
{
	if (g->diag)
		diag_abandon(g->diag, g->at, "%s", why);
	bug("graph %s: %s", g->name, why);
}

node *graph_add(graph *g, op kind, value *const *in, int n_in, const attr *attrs, int n_attrs, int n_out)
{
	return graph_add_regions(g, kind, in, n_in, attrs, n_attrs, NULL, 0, n_out);
}

node *graph_add_regions(graph *g, op kind, value *const *in, int n_in, const attr *attrs, int n_attrs, graph **regions, int n_regions,
                        int n_out)
{
	node *n = new(g->a, node);
	n->id = g->next_node_id++;
	n->op = kind;
	n->graph = g;
	n->src = g->src;
	n->n_in = n_in;
	n->in = new_array(g->a, value *, (size_t)n_in);
	for (int i = 0; i < n_in; i++)
		n->in[i] = in[i];
	n->n_attrs = n_attrs;
	n->attrs = new_array(g->a, attr, (size_t)n_attrs);
	for (int i = 0; i < n_attrs; i++)
		n->attrs[i] = attrs[i];
	n->n_regions = n_regions;
	n->regions = new_array(g->a, graph *, (size_t)n_regions);
	for (int i = 0; i < n_regions; i++) {
		n->regions[i] = regions[i];
		regions[i]->owner = n;
	}
	n->n_out = n_out;
	n->out = new_array(g->a, value *, (size_t)n_out);
	for (int i = 0; i < n_out; i++)
		n->out[i] = value_new(g, n, i);

	const char *why = "the type rule gives no reason";
	if (!op_table[kind].infer(n, &why) || !rule_strings(n, &why))
		rule_broken(g, why);
	for (int i = 0; i < n_in; i++)
		n->in[i]->n_uses++;
	link_before(g, n, g->before);
	node_derive_elements(n);
	return n;
}

value *build(graph *g, op kind, value *const *in, int n_in, const attr *attrs, int n_attrs)
{
	return graph_add(g, kind, in, n_in, attrs, n_attrs, 1)->out[0];
}

value *build_const(graph *g, const tensor *t, const char *name)
{
	attr data = {.name = "value", .kind = ATTR_TENSOR, .tensor = t};
	value *v = build(g, OP_CONST, NULL, 0, &data, 1);
	v->name = intern_or_null(g, name);
	return v;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

attr attr_of_int(const char *name, int64_t i) { return (attr){.name = name, .kind = ATTR_INT, .i = i}; }
attr attr_of_float(const char *name, double f) { return (attr){.name = name, .kind = ATTR_FLOAT, .f = f}; }
attr attr_of_word(const char *name, const char *word) { return (attr){.name = name, .kind = ATTR_WORD, .word = word}; }
attr attr_of_expr(const char *name, const expr *e) { return (attr){.name = name, .kind = ATTR_EXPR, .expr = e}; }

attr attr_of_ints(graph *g, const char *name, const int64_t *v, int n)
{
	int64_t *copy = new_array(g->a, int64_t, (size_t)n);
	for (int i = 0; i < n; i++)
		copy[i] = v[i];
	return (attr){.name = name, .kind = ATTR_INTS, .n = n, .ints = copy};
}

attr attr_of_syms(graph *g, const char *name, sym *const *v, int n)
{
	sym **copy = new_array(g->a, sym *, (size_t)n);
	for (int i = 0; i < n; i++)
		copy[i] = v[i];
	return (attr){.name = name, .kind = ATTR_SYMS, .n = n, .syms = copy};
}

const attr *node_attr(const node *n, const char *name)
{
	for (int i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attrs[i].name, name) == 0)
			return &n->attrs[i];
	return NULL;
}

static const attr *attr_of_kind(const node *n, const char *name, attr_kind kind)
{
	const attr *a = node_attr(n, name);
	if (a && a->kind != kind)
		bug("%s: attribute %s is of another kind", op_table[n->op].text, name);
	return a;
}

static const attr *attr_needed(const node *n, const char *name, attr_kind kind)
{
	const attr *a = attr_of_kind(n, name, kind);
	if (!a)
		bug("%s: attribute %s is missing", op_table[n->op].text, name);
	return a;
}

int64_t node_int(const node *n, const char *name, int64_t otherwise)
{
	const attr *a = attr_of_kind(n, name, ATTR_INT);
	return a ? a->i : otherwise;
}

const char *node_word(const node *n, const char *name, const char *otherwise)
{
	const attr *a = attr_of_kind(n, name, ATTR_WORD);
	return a ? a->word : otherwise;
}

const int64_t *node_ints(const node *n, const char *name, int *count)
{
	const attr *a = attr_needed(n, name, ATTR_INTS);
	if (count)
		*count = a->n;
	return a->ints;
}

sym *const *node_syms(const node *n, const char *name, int *count)
{
	const attr *a = attr_needed(n, name, ATTR_SYMS);
	if (count)
		*count = a->n;
	return a->syms;
}

int node_operands(const node *n)
{
	return n->n_in - (node_int(n, "packed", 0) == 1 ? 1 : 0);
}

const expr *node_expr(const node *n) { return attr_needed(n, "expr", ATTR_EXPR)->expr; }

void node_set_attr(node *n, attr a)
{
	for (int i = 0; i < n->n_attrs; i++) {
		if (strcmp(n->attrs[i].name, a.name) == 0) {
			n->attrs[i] = a;
			return;
		}
	}
	attr *attrs = new_array(n->graph->a, attr, (size_t)n->n_attrs + 1);
	for (int i = 0; i < n->n_attrs; i++)
		attrs[i] = n->attrs[i];
	attrs[n->n_attrs++] = a;
	n->attrs = attrs;
}

void node_drop_attr(node *n, const char *name)
{
	int kept = 0;
	for (int i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attrs[i].name, name) != 0)
			n->attrs[kept++] = n->attrs[i];
	n->n_attrs = kept;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

bool value_is_const(const value *v) { return v->def && v->def->op == OP_CONST; }

const tensor *value_tensor(const value *v)
{
	return value_is_const(v) ? attr_needed(v->def, "value", ATTR_TENSOR)->tensor : NULL;
}

sym *value_size(const value *v) { return sym_product(v->graph->syms, v->dims, v->rank); }

bool value_dims_equal(const value *a, const value *b)
{
	if (a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dims[i] != b->dims[i])
			return false;
	return true;
}

bool value_is_output(const graph *g, const value *v)
{
	for (int i = 0; i < g->outputs.n; i++)
		if (g->outputs.v[i] == v)
			return true;
	return false;
}

bool node_is_pure(const node *n) { return n->op != OP_BIND; }

typedef struct sym_search {
	bool (*pred)(const sym *var, void *user);
	void *user;
} sym_search;

static bool any_sym(sym *const *v, int n, const sym_search *f)
{
	for (int i = 0; i < n; i++)
		if (sym_any_var(v[i], f->pred, f->user))
			return true;
	return false;
}

static bool index_matches(const expr *e, void *user)
{
	const sym_search *f = user;
	return (e->op == EXPR_INDEX || e->op == EXPR_LOAD) && sym_any_var(e->index, f->pred, f->user);
}

static bool value_any_sym(const value *v, const sym_search *f)
{
	return any_sym(v->dims, v->rank, f) || (v->alias && any_sym(v->alias_start, v->rank, f));
}

static bool graph_any_sym(const graph *g, const sym_search *f)
{
	for (int i = 0; i < g->inputs.n; i++)
		if (value_any_sym(g->inputs.v[i], f))
			return true;
	for_each_node(n, g)
		if (node_any_sym(n, f->pred, f->user))
			return true;
	return false;
}

bool node_any_sym(const node *n, bool (*pred)(const sym *var, void *user), void *user)
{
	sym_search f = {pred, user};
	for (int i = 0; i < n->n_attrs; i++) {
		const attr *a = &n->attrs[i];
		if (a->kind == ATTR_SYMS && any_sym(a->syms, a->n, &f))
			return true;
		if (a->kind == ATTR_EXPR && expr_any(a->expr, index_matches, &f))
			return true;
	}
	for (int i = 0; i < n->n_out; i++)
		if (value_any_sym(n->out[i], &f))
			return true;
	for (int i = 0; i < n->n_regions; i++)
		if (graph_any_sym(n->regions[i], &f))
			return true;
	return false;
}

/* Uses of the value with id i stand at first[i] .. first[i + 1] - 1 of `all`. */
struct use_map {
	use *all;
	int *first;
	int n_values;
};

use_map *use_map_new(arena *scratch, const graph *g)
{
	use_map *m = new(scratch, use_map);
	m->n_values = g->next_value_id;
	m->first = new_array(scratch, int, (size_t)m->n_values + 1);
	for_each_node(n, g)
		for (int i = 0; i < n->n_in; i++)
			m->first[n->in[i]->id + 1]++;
	for (int i = 0; i < m->n_values; i++)
		m->first[i + 1] += m->first[i];
	m->all = new_array(scratch, use, (size_t)m->first[m->n_values]);
	int *next = new_array(scratch, int, (size_t)m->n_values);
	for_each_node(n, g) {
		for (int i = 0; i < n->n_in; i++) {
			int id = n->in[i]->id;
			m->all[m->first[id] + next[id]++] = (use){n, i};
		}
	}
	return m;
}

uses uses_of(const use_map *m, const value *v)
{
	if (v->id >= m->n_values) /* made after the map */
		return (uses){0};
	return (uses){m->all + m->first[v->id], m->first[v->id + 1] - m->first[v->id]};
}

/* ---- editing ----------------------------------------------------------------------------------------------------- */

void node_set_operand(node *n, int i, value *v)
{
	assert(i >= 0 && i < n->n_in);
	v->n_uses++;
	n->in[i]->n_uses--;
	n->in[i] = v;
}

/* An output keeps its name, so its new value must be free to take it. */
static void replace_outputs(graph *g, value *old, value *with)
{
	if (!with->def || value_is_output(g, with))
		return;
	for (int i = 0; i < g->outputs.n; i++) {
		if (g->outputs.v[i] == old) {
			g->outputs.v[i] = with;
			old->n_uses--;
			with->n_uses++;
			with->name = old->name;
			old->name = NULL;
		}
	}
}

/* Users come after the definition, so the search begins there and ends with the last use.  An output stays when `with` is
 * a graph input or itself an output. */
void graph_replace_value(graph *g, value *old, value *with)
{
	if (old == with)
		return;
	if (value_is_output(g, old))
		replace_outputs(g, old, with);
	for (node *n = old->def ? old->def->next : g->first; n && old->n_uses > 0; n = n->next)
		for (int i = 0; i < n->n_in; i++)
			if (n->in[i] == old)
				node_set_operand(n, i, with);
}

void graph_remove(graph *g, node *n)
{
	for (int i = 0; i < n->n_out; i++)
		assert(n->out[i]->n_uses == 0);
	for (int i = 0; i < n->n_in; i++)
		n->in[i]->n_uses--;
	if (g->before == n)
		g->before = n->next;
	unlink_node(g, n);
}

void graph_move_before(graph *g, node *n, node *where)
{
	if (n == where)
		return;
	unlink_node(g, n);
	link_before(g, n, where);
}

static bool is_same_sym(const sym *var, void *user) { return var == user; }

/* A bind of a constant is a check, and stays; one of a symbol is wanted as long as a later node uses the symbol. */
static bool binds_for_nobody(const node *n)
{
	sym *s = node_syms(n, "symbol", NULL)[0];
	if (s->kind != SYM_VAR)
		return false;
	for (const node *later = n->next; later; later = later->next)
		if (node_any_sym(later, is_same_sym, s))
			return false;
	return true;
}

static bool is_dead(const node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]->n_uses > 0)
			return false;
	return node_is_pure(n) || binds_for_nobody(n);
}

int graph_remove_dead(graph *g)
{
	int removed = 0;
	for (node *n = g->last, *before; n; n = before) {
		before = n->prev;
		if (is_dead(n)) {
			graph_remove(g, n);
			removed++;
		}
	}
	return removed;
}
