/* Computes what depends on constants only, by the compiler's own generated code.
 *
 *   requires types; keeps values and shapes; breaks nothing (strategies and layouts stay as they are)
 *       %2 = map %w, %s { %0 * %1 }            const %5 = 0x...
 *       %3 = transpose %2 {perm=[1,0]}    =>   %4 = contract %x, %5 {...}
 *       %4 = contract %x, %3 {...}
 * All constant subgraphs, those of regions too, are cut out into one closed graph, whose outputs are the values that the rest of the
 * network uses; the evaluator compiles and runs it once.  What is cheap to compute and much larger than its sources is left to run time. */
#include "ir/graph_build.h"
#include "passes/access.h"
#include "passes/pass.h"

#include "support/checked.h"

#include <string.h>

enum {
	CHEAP = 4,                  /* scalar operations per element */
	MAX_BLOW_UP = 16,           /* times the bytes it is computed from */
	SMALL_BYTES = 64 << 10,     /* cheap results up to this are folded whatever their sources */
	MAX_GROWN_BYTES = 64 << 20, /* others up to this */
};

typedef struct folding {
	graph *g;
	pass_ctx *ctx;
	size_t *source_bytes; /* by node id: constant bytes that a foldable node is computed from, plus 1; 0: not foldable */
	bool *is_used;        /* by value id: used by the rest of the network */
	vec(value *) results; /* folded values that are */
} folding;

/* ---- what can be folded ------------------------------------------------------------------------------------------ */
static bool is_dynamic_leaf(const expr *e, void *user)
{
	(void)user;
	return e->op == EXPR_INDEX && !sym_is_const(e->index, NULL);
}

static bool attr_is_constant(const attr *a)
{
	if (a->kind == ATTR_EXPR)
		return !expr_any(a->expr, is_dynamic_leaf, NULL);
	for (int i = 0; a->kind == ATTR_SYMS && i < a->n; i++)
		if (!sym_is_const(a->syms[i], NULL))
			return false;
	return true;
}

static bool value_bytes(const value *v, size_t *bytes)
{
	int64_t n;
	return v->type != STRING && sym_is_const(value_size(v), &n) && n >= 0 && dtype_bytes(v->type, (size_t)n, bytes);
}

static bool has_halo(const value *v)
{
	for (int i = 0; v->layout && i < v->rank; i++)
		if (v->layout->halo_lo[i] || v->layout->halo_hi[i])
			return true;
	return false;
}

/* An output that is a copy of a constant has a buffer of its own (`outputs`). */
static bool is_output_copy(const graph *g, const node *n)
{
	return n->op == OP_MAP && node_expr(n)->op == EXPR_ARG && value_is_output(g, n->out[0]);
}

static bool results_can_fold(const node *n)
{
	size_t bytes;
	for (int i = 0; i < n->n_out; i++)
		if (!value_bytes(n->out[i], &bytes) || has_halo(n->out[i]) || n->out[i]->alias)
			return false;
	return true;
}

/* Bytes of constants behind a value, or false when it depends on more than constants. */
static bool sources_of(const folding *f, const value *v, size_t *bytes)
{
	if (!v->def)
		return false;
	if (value_is_const(v))
		return value_bytes(v, bytes);
	size_t known = f->source_bytes[v->def->id];
	*bytes = known - 1;
	return known > 0;
}

static size_t foldable_sources(const folding *f, const node *n)
{
	size_t all = 1, bytes;
	if (n->op == OP_CONST || !node_is_pure(n) || n->n_regions || is_output_copy(f->g, n) || !results_can_fold(n))
		return 0;
	for (int i = 0; i < n->n_attrs; i++)
		if (!attr_is_constant(&n->attrs[i]))
			return 0;
	for (int i = 0; i < n->n_in; i++)
		if (!sources_of(f, n->in[i], &bytes) || !add_size(all, bytes, &all))
			return 0;
	return all;
}

static bool is_cheap(const node *n)
{
	if (n->op == OP_MAP)
		return expr_cost(node_expr(n)) <= CHEAP;
	return op_is_view(n->op) || n->op == OP_IOTA || n->op == OP_TILE;
}

static bool is_too_large(const folding *f, const node *n)
{
	size_t bytes = 0, one;
	for (int i = 0; i < n->n_out; i++)
		if (!value_bytes(n->out[i], &one) || !add_size(bytes, one, &bytes))
			return true;
	if (bytes <= (is_cheap(n) ? (size_t)SMALL_BYTES : (size_t)MAX_GROWN_BYTES))
		return false;
	return bytes / MAX_BLOW_UP > f->source_bytes[n->id];
}

static bool is_needed(const folding *f, const node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (f->is_used[n->out[i]->id])
			return true;
	return false;
}

/* Backwards, so that a user that is left to run time makes its operands results. */
static void choose_results(folding *f)
{
	for (int i = 0; i < f->g->outputs.n; i++)
		f->is_used[f->g->outputs.v[i]->id] = true;
	for (node *n = f->g->last; n; n = n->prev) {
		if (f->source_bytes[n->id] && is_needed(f, n) && is_too_large(f, n))
			f->source_bytes[n->id] = 0;
		if (!f->source_bytes[n->id])
			for (int i = 0; i < n->n_in; i++)
				f->is_used[n->in[i]->id] = true;
	}
	for_each_node(n, f->g)
		for (int i = 0; f->source_bytes[n->id] && i < n->n_out; i++)
			if (f->is_used[n->out[i]->id])
				vec_push(f->ctx->scratch, &f->results, n->out[i]);
}

/* ---- without running anything ------------------------------------------------------------------------------------- */
/* A reshaped constant is the same bytes. */
static value *reshape_constant(graph *g, const node *n)
{
	const tensor *t = n->op == OP_RESHAPE ? value_tensor(n->in[0]) : NULL;
	size_t bytes;
	int64_t dims[MAX_RANK];
	const value *v = n->out[0];
	if (!t || n->in[0]->layout || v->layout || (t->type != STRING && !value_bytes(v, &bytes)))
		return NULL;
	for (int i = 0; i < v->rank; i++)
		if (!sym_is_const(v->dims[i], &dims[i]))
			return NULL;
	return build_const(g, tensor_new(g->a, t->type, v->rank, dims, t->data), NULL);
}

static bool reshape_constants(graph *g)
{
	bool changed = false;
	for_each_node_safe(n, g) {
		if (n->n_out != 1 || value_is_output(g, n->out[0]))
			continue;
		g->before = n;
		g->src = n->src;
		value *v = reshape_constant(g, n);
		if (v)
			graph_replace_value(g, n->out[0], v);
		changed |= v != NULL;
	}
	g->before = NULL;
	return changed;
}

/* ---- the closed graph ---------------------------------------------------------------------------------------------- */
/* Strategies depend on layouts that the copy does not have; it chooses its own. */
static void copy_node(graph *to, const node *n, map *copies)
{
	int n_in = node_operands(n), n_attrs = 0;
	value **in = new_array(to->a, value *, (size_t)n_in);
	attr *attrs = new_array(to->a, attr, (size_t)n->n_attrs);
	for (int i = 0; i < n_in; i++)
		in[i] = map_get(copies, n->in[i]);
	for (int i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attrs[i].name, "strategy") != 0 && strcmp(n->attrs[i].name, "packed") != 0)
			attrs[n_attrs++] = n->attrs[i];
	to->src = n->src;
	node *copy = graph_add(to, n->op, in, n_in, attrs, n_attrs, n->n_out);
	for (int i = 0; i < n->n_out; i++)
		map_put(copies, n->out[i], copy->out[i]);
	if (n->op == OP_CONST)
		copy->out[0]->layout = n->out[0]->layout;
}

/* A result in the order of its storage. */
static value *stored_order(graph *to, value *copy, const value *v)
{
	return v->layout ? build_transpose(to, copy, v->layout->order) : copy;
}

/* The graph and its regions. */
typedef struct folding_list {
	graph *g;
	pass_ctx *ctx;
	vec(folding *) parts;
	bool changed;
} folding_list;

static graph *closed_graph(const folding_list *l)
{
	arena *a = l->ctx->scratch;
	graph *to = graph_new_like(a, l->g, arena_printf(a, "%s.fold", l->g->name));
	map *copies = map_new(a);
	to->diag = l->g->diag;
	to->at = l->g->at;
	for (int k = 0; k < l->parts.n; k++)
		for_each_node(n, l->parts.v[k]->g)
			if (n->op == OP_CONST || l->parts.v[k]->source_bytes[n->id])
				copy_node(to, n, copies);
	for (int k = 0, n = 0; k < l->parts.n; k++) {
		for (int i = 0; i < l->parts.v[k]->results.n; i++) {
			const value *v = l->parts.v[k]->results.v[i];
			graph_output(to, stored_order(to, map_get(copies, v), v), arena_printf(a, "fold%d", n++));
		}
	}
	graph_remove_dead(to);
	return to;
}

static void put_constant(graph *g, value *v, const tensor *found)
{
	int64_t dims[MAX_RANK];
	for (int i = 0; i < v->rank; i++)
		dims[i] = sym_value(v->dims[i]);
	g->before = v->def;
	g->src = v->def->src;
	value *c = build_const(g, tensor_new(g->a, v->type, v->rank, dims, found->data), NULL);
	g->before = NULL;
	c->layout = v->layout;
	graph_replace_value(g, v, c);
}

static bool run_closed(folding_list *l)
{
	pass_ctx *ctx = l->ctx;
	int n = 0;
	for (int k = 0; k < l->parts.n; k++)
		n += l->parts.v[k]->results.n;
	if (n == 0 || !ctx->evaluate)
		return false;
	tensor **found = new_array(ctx->scratch, tensor *, (size_t)n);
	if (!ctx->evaluate(ctx->evaluate_user, closed_graph(l), ctx->model, found, ctx->d))
		return false;
	for (int k = 0; k < l->parts.n; k++)
		for (int i = 0; i < l->parts.v[k]->results.n; i++)
			put_constant(l->parts.v[k]->g, l->parts.v[k]->results.v[i], *found++);
	return true;
}

static void find_foldable(folding_list *l, graph *g)
{
	folding *f = new(l->ctx->scratch, folding);
	l->changed |= reshape_constants(g);
	*f = (folding){
		.g = g,
		.ctx = l->ctx,
		.source_bytes = new_array(l->ctx->scratch, size_t, (size_t)g->next_node_id),
		.is_used = new_array(l->ctx->scratch, bool, (size_t)g->next_value_id),
	};
	for_each_node(n, g)
		f->source_bytes[n->id] = foldable_sources(f, n);
	choose_results(f);
	vec_push(l->ctx->scratch, &l->parts, f);
	for_each_node(n, g)
		for (int i = 0; i < n->n_regions; i++)
			find_foldable(l, n->regions[i]);
}

bool pass_fold(graph *g, pass_ctx *ctx)
{
	folding_list l = {.g = g, .ctx = ctx};
	find_foldable(&l, g);
	l.changed |= run_closed(&l);
	for (int k = 0; k < l.parts.n; k++)
		l.changed |= graph_remove_dead(l.parts.v[k]->g) > 0;
	return l.changed;
}
