/* Simplify: known elements and the algebra of maps.  Constants of one element become part of the expression, whose builders
 * then fold it.  Requirements on rules: simplify.h. */
#include "passes/simplify.h"

enum { MAX_POWER = 4 };

/* ---- known elements ---------------------------------------------------------------------------------------------- */
static bool all_constant(const value *v)
{
	for (int i = 0; i < v->n_elements; i++)
		if (!sym_is_const(v->elements[i], NULL))
			return false;
	return true;
}

/* The bytes of integers in a type of whole bytes. */
static const void *bytes_of_elements(graph *g, const value *v)
{
	int size = dtype_table[v->type].bits / 8;
	unsigned char *data = new_array(g->a, unsigned char, (size_t)(v->n_elements * size) + 1);
	for (int i = 0; i < v->n_elements; i++)
		for (int b = 0; b < size; b++)
			data[i * size + b] = (unsigned char)((uint64_t)sym_value(v->elements[i]) >> (8 * b));
	return data;
}

/* What is computed from shapes alone is a constant, or a list of sizes: nothing of it needs to run. */
static value *known_elements(graph *g, node *n)
{
	value *v = n->out[0];
	int64_t dims[MAX_RANK];
	if (!v->elements || dtype_table[v->type].bits < 8)
		return NULL;
	for (int i = 0; i < v->rank; i++)
		dims[i] = sym_value(v->dims[i]);
	if (all_constant(v))
		return build_const(g, tensor_new(g->a, v->type, v->rank, dims, bytes_of_elements(g, v)), NULL);
	bool is_cast_of_sizes = n->op == OP_MAP && (n->n_in == 0 || (n->in[0]->def && n->in[0]->def->op == OP_SIZES));
	if (n->op == OP_SIZES || is_cast_of_sizes || !dtype_is_int(v->type))
		return NULL;
	attr attrs[2] = {attr_of_syms(g, "values", v->elements, v->n_elements), attr_of_syms(g, "shape", v->dims, v->rank)};
	return build_cast(g, v->type, build(g, OP_SIZES, NULL, 0, attrs, 2));
}

const expr *known_scalar(graph *g, const value *v)
{
	dtype compute = dtype_table[v->type].compute;
	const tensor *t = value_tensor(v);
	if (v->type == STRING || v->layout)
		return NULL;
	if (t && t->data && t->n_elements == 1)
		return dtype_is_float(v->type) ? expr_float(g->exprs, compute, tensor_float(t, 0))
					       : expr_int(g->exprs, compute, tensor_int(t, 0));
	if (v->def && v->def->op == OP_MAP && v->def->n_in == 0 && node_expr(v->def)->type == v->type)
		return node_expr(v->def);
	if (v->n_elements != 1 || !v->elements)
		return NULL;
	int64_t i;
	if (sym_is_const(v->elements[0], &i))
		return expr_int(g->exprs, compute, i);
	return v->type == BOOL ? NULL : expr_cast(g->exprs, compute, expr_index(g->exprs, v->elements[0]));
}

/* ---- operands of maps -------------------------------------------------------------------------------------------- */
value *build_map_like(graph *g, const node *n, const expr *e, value *const *in, int n_in)
{
	attr attrs[2];
	int n_attrs = 0;
	attrs[n_attrs++] = attr_of_expr("expr", e);
	if (node_attr(n, "type"))
		attrs[n_attrs++] = *node_attr(n, "type");
	return build(g, OP_MAP, in, n_in, attrs, n_attrs);
}

/* Whether maps over these operands certainly have v's shape: for each axis, one operand has v's size there. */
static bool cover_shape(value *const *in, int n_in, const value *v)
{
	bool full_rank = v->rank == 0;
	for (int a = 0; a < v->rank; a++) {
		bool covered = sym_is(v->dims[a], 1);
		for (int k = 0; k < n_in; k++) {
			int own = a - (v->rank - in[k]->rank);
			covered |= own >= 0 && in[k]->dims[own] == v->dims[a];
		}
		if (!covered)
			return false;
	}
	for (int k = 0; k < n_in; k++)
		full_rank |= in[k]->rank == v->rank;
	return full_rank;
}

typedef struct new_operands {
	graph *g;
	const expr **as; /* what each old operand is in the new expression */
} new_operands;

static const expr *new_leaf(const expr *leaf, void *user)
{
	const new_operands *o = user;
	return leaf->op == EXPR_ARG ? o->as[leaf->i] : leaf;
}

static bool is_arg(const expr *e, void *user) { return e->op == EXPR_ARG && e->i == *(const int64_t *)user; }

static bool uses_arg(const expr *e, int64_t i) { return expr_any(e, is_arg, &i); }

/* A broadcast that the map does by itself. */
static value *without_expand(value *v)
{
	while (v->def && v->def->op == OP_EXPAND)
		v = v->def->in[0];
	return v;
}

static int find_value(value *const *in, int n, const value *v)
{
	for (int i = 0; i < n; i++)
		if (in[i] == v)
			return i;
	return -1;
}

/* The operands that n needs; as[] tells what stands for each old one. */
static int needed_operands(graph *g, const node *n, bool through_expands, value **in, const expr **as)
{
	int n_in = 0;
	for (int i = 0; i < n->n_in; i++) {
		value *v = through_expands ? without_expand(n->in[i]) : n->in[i];
		as[i] = known_scalar(g, v);
		if (as[i] || !uses_arg(node_expr(n), i))
			continue;
		int at = find_value(in, n_in, v);
		if (at < 0)
			in[at = n_in++] = v;
		as[i] = expr_arg(g->exprs, at, v->type);
	}
	return n_in;
}

static value *rebuild_map(graph *g, const node *n, bool through_expands)
{
	value **in = new_array(g->a, value *, (size_t)n->n_in + 1);
	new_operands o = {g, (const expr **)new_array(g->a, expr *, (size_t)n->n_in + 1)};
	int n_in = needed_operands(g, n, through_expands, in, o.as);
	bool same = n_in == n->n_in;
	for (int i = 0; same && i < n_in; i++)
		same = in[i] == n->in[i];
	if (same || !cover_shape(in, n_in, n->out[0]))
		return NULL;
	value *v = build_map_like(g, n, expr_map_leaves(g->exprs, node_expr(n), new_leaf, &o), in, n_in);
	return value_dims_equal(v, n->out[0]) ? v : NULL;
}

/* f(x, expand(y), 2, x) = f'(x, y): constants of one element, repeated and unused operands, and expansions leave the operand list. */
static value *map_operands(graph *g, node *n)
{
	value *v = rebuild_map(g, n, true);
	return v ? v : rebuild_map(g, n, false);
}

/* id(x) = x */
static value *map_identity(graph *g, node *n)
{
	(void)g;
	return n->n_in == 1 && node_expr(n)->op == EXPR_ARG && n->in[0]->type == n->out[0]->type ? n->in[0] : NULL;
}

/* ---- powers ------------------------------------------------------------------------------------------------------ */
static bool is_power(const expr *e, void *user)
{
	(void)user;
	if (e->op != EXPR_POW || !dtype_is_float(e->type) || e->in[1]->op != EXPR_CONST)
		return false;
	double p = e->in[1]->f;
	return p == -1 || (p >= 1 && p <= MAX_POWER && p == (double)(int)p);
}

/* x^1 = x, x^2 = x*x, x^3 = x*x*x, x^4 = (x*x)*(x*x), x^-1 = 1/x */
static const expr *power(expr_ctx *c, const expr *x, int p)
{
	if (p == -1)
		return expr_binary(c, EXPR_DIV, expr_number(c, x->type, 1), x);
	if (p == 1)
		return x;
	const expr *square = expr_binary(c, EXPR_MUL, x, x);
	return p == 2 ? square : expr_binary(c, EXPR_MUL, square, p == 3 ? x : square);
}

static const expr *without_powers(graph *g, const expr *e, map *done)
{
	const expr *found = map_get(done, e), *in[3];
	if (found || e->n_in == 0)
		return found ? found : e;
	for (int i = 0; i < e->n_in; i++)
		in[i] = without_powers(g, e->in[i], done);
	found = is_power(e, NULL) ? power(g->exprs, in[0], (int)e->in[1]->f) : expr_make(g->exprs, e->op, e->type, in, e->n_in);
	map_put(done, e, (void *)(uintptr_t)found);
	return found;
}

/* Small whole powers are products. */
static value *map_powers(graph *g, node *n)
{
	if (!expr_any(node_expr(n), is_power, NULL))
		return NULL;
	return build_map_like(g, n, without_powers(g, node_expr(n), map_new(g->a)), n->in, n->n_in);
}

const simplify_rule algebra_rules[] = {
	{OP_COUNT, known_elements},
	{OP_MAP, map_operands},
	{OP_MAP, map_identity},
	{OP_MAP, map_powers},
	{0},
};
