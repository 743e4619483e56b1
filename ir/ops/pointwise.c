/* Ops whose element depends on its own place only: constants, known integers, and the scalar expression of a map. */
#include "ir/ops/rules.h"

#include <string.h>

/* ---- const: {value=tensor} ------------------------------------------------------------------------------------------ */
static const tensor *tensor_of(const node *n)
{
	for (int i = 0; i < n->n_attrs; i++)
		if (n->attrs[i].kind == ATTR_TENSOR)
			return n->attrs[i].tensor;
	return NULL;
}

bool infer_const(node *n, const char **why)
{
	const tensor *t = tensor_of(n);
	if (n->n_in != 0 || n->n_out != 1)
		return rule_refuse(n, why, "takes no operand and gives one result");
	if (!t)
		return rule_refuse(n, why, "has no data");
	if (t->rank > MAX_RANK)
		return rule_refuse(n, why, "has rank %d, at most %d is supported", t->rank, MAX_RANK);
	sym *dims[MAX_RANK];
	for (int i = 0; i < t->rank; i++)
		dims[i] = sym_const(n->graph->syms, t->dims[i]);
	return rule_result(n, why, 0, t->type, t->rank, dims);
}

/* ---- sizes ---------------------------------------------------------------------------------------------------------- */
enum { MAX_SIZES = 4096 };

bool infer_sizes(node *n, const char **why)
{
	if (!rule_form(n, why, 1, "values shape") || !rule_syms(n, why, "values", -1, INT64_MIN) ||
	    !rule_syms(n, why, "shape", -1, 0))
		return false;
	int n_values, rank;
	node_syms(n, "values", &n_values);
	sym *const *shape = node_syms(n, "shape", &rank);
	if (n_values > MAX_SIZES)
		return rule_refuse(n, why, "holds %d values, at most %d are supported", n_values, MAX_SIZES);
	if (!rule_result(n, why, 0, I64, rank, shape))
		return false;
	if (!sym_is(sym_product(n->graph->syms, shape, rank), n_values))
		return rule_refuse(n, why, "has %d values, but its shape holds %s", n_values,
				   sym_text(n, sym_product(n->graph->syms, shape, rank)));
	return true;
}

/* At an index that is not constant: a chain of selects, shortened where neighbours are equal. */
const expr *elem_sizes(elem *e, const node *n, coord at)
{
	int count;
	int64_t i;
	sym *const *values = node_syms(n, "values", &count);
	if (count == 0)
		return expr_int(e->exprs, I64, 0);
	if (count == 1)
		return expr_index(e->exprs, values[0]);
	sym *linear = coord_linear(n->out[0], at);
	if (sym_is_const(linear, &i))
		return expr_index(e->exprs, values[i < 0 ? 0 : i < count ? i : count - 1]);
	const expr *result = expr_index(e->exprs, values[count - 1]);
	for (int k = count - 1; k-- > 0;) {
		if (values[k] == values[k + 1])
			continue;
		const expr *before = elem_lt(e, linear, sym_const(e->syms, k + 1));
		const expr *here = expr_index(e->exprs, values[k]);
		result = before ? expr_ternary(e->exprs, EXPR_SELECT, before, here, result) : here;
	}
	return result;
}

/* ---- iota ----------------------------------------------------------------------------------------------------------- */
bool infer_iota(node *n, const char **why)
{
	int rank, axis;
	if (!rule_form(n, why, 1, "shape axis") || !rule_syms(n, why, "shape", -1, 0))
		return false;
	sym *const *shape = node_syms(n, "shape", &rank);
	return rule_axis(n, why, rank, &axis) && rule_result(n, why, 0, I64, rank, shape);
}

const expr *elem_iota(elem *e, const node *n, coord at)
{
	return expr_index(e->exprs, at.i[node_int(n, "axis", 0)]);
}

/* ---- map: {expr, type} ------------------------------------------------------------------------------------------------ */
struct leaf_check {
	const node *n;
	const char **why;
};

static bool wrong_leaf(const expr *x, void *user)
{
	struct leaf_check *c = user;
	const node *n = c->n;
	if (x->op == EXPR_LOAD || x->op == EXPR_LOCAL || x->op == EXPR_BYTE)
		return !rule_refuse(n, c->why, "its expression may not use %s", expr_op_table[x->op].name);
	if (x->op != EXPR_ARG)
		return false;
	if (x->i < 0 || x->i >= n->n_in)
		return !rule_refuse(n, c->why, "its expression uses %%%lld, but it has %d operands", (long long)x->i,
				    n->n_in);
	dtype t = n->in[x->i]->type;
	if (x->type != type_compute(t))
		return !rule_refuse(n, c->why, "its expression takes %%%lld as %s, but the operand is %s",
				    (long long)x->i, dtype_name(x->type), dtype_name(t));
	return false;
}

static bool broadcast_operands(const node *n, const char **why, int *rank, sym **dims)
{
	*rank = 0;
	for (int k = 0; k < n->n_in; k++)
		*rank = n->in[k]->rank > *rank ? n->in[k]->rank : *rank;
	for (int i = 0; i < *rank; i++)
		dims[i] = sym_const(n->graph->syms, 1);
	for (int k = 0; k < n->n_in; k++) {
		const value *v = n->in[k];
		for (int i = 0; i < v->rank; i++) {
			sym **d = &dims[*rank - v->rank + i];
			sym *before = *d;
			if (!dim_broadcast(n, before, v->dims[i], d))
				return rule_refuse(n, why, "operand %d has size %s on axis %d, others have %s", k,
						   sym_text(n, v->dims[i]), i, sym_text(n, before));
		}
	}
	return true;
}

bool infer_map(node *n, const char **why)
{
	int rank;
	sym *dims[MAX_RANK];
	const expr *e = NULL;
	for (int i = 0; i < n->n_attrs && !e; i++)
		if (n->attrs[i].kind == ATTR_EXPR)
			e = n->attrs[i].expr;
	if (!rule_form(n, why, 1, "expr type"))
		return false;
	if (!e)
		return rule_refuse(n, why, "has no expression");
	if (expr_any(e, wrong_leaf, &(struct leaf_check){n, why}))
		return false;
	dtype t = e->type;
	if (!rule_type_word(n, why, &t))
		return false;
	if (type_compute(t) != e->type)
		return rule_refuse(n, why, "is stored as %s, but its expression is %s", dtype_name(t),
				   dtype_name(e->type));
	return broadcast_operands(n, why, &rank, dims) && rule_result(n, why, 0, t, rank, dims);
}

/* Where operand v is read.  An axis as long as the result's is read in step without asking ranges. */
static coord operand_coord(const value *v, const value *out, coord at)
{
	coord c = coord_broadcast(v, at);
	for (int i = 0; i < v->rank; i++) {
		int o = out->rank - v->rank + i;
		if (v->dims[i] == out->dims[o] && !sym_is(v->dims[i], 1))
			c.i[i] = at.i[o];
	}
	return c;
}

struct substitution {
	elem *e;
	const node *n;
	coord at;
};

static const expr *operand_element(const expr *leaf, void *user)
{
	struct substitution *s = user;
	if (leaf->op != EXPR_ARG)
		return leaf;
	const value *v = s->n->in[leaf->i];
	return elem_read(s->e, v, operand_coord(v, s->n->out[0], s->at));
}

const expr *elem_map(elem *e, const node *n, coord at)
{
	const expr *what = node_expr(n);
	struct substitution s = {e, n, at};
	const expr *x = expr_map_leaves(e->exprs, what, operand_element, &s);
	if (what->op == EXPR_ARG && n->in[what->i]->type == n->out[0]->type)
		return x;
	return elem_stored(e, n->out[0], x);
}
