/* Reading elements in place, and arithmetic on coordinates: see elem.h. */
#include "ir/elem.h"

const expr *elem_read(elem *e, const value *v, coord at) { return e->read(e, v, at); }

/* ---- elements ----------------------------------------------------------------------------------------------------- */
static const expr *element_of_constant(elem *e, const tensor *t, size_t i)
{
	dtype compute = dtype_table[t->type].compute;
	if (dtype_is_float(t->type))
		return expr_float(e->exprs, compute, tensor_float(t, i));
	return expr_int(e->exprs, compute, tensor_int(t, i));
}

static const expr *element_known(elem *e, const value *v, sym *s)
{
	dtype compute = dtype_table[v->type].compute;
	int64_t i;
	if (sym_is_const(s, &i))
		return expr_int(e->exprs, compute, i);
	return expr_cast(e->exprs, compute, expr_index(e->exprs, s));
}

const expr *elem_of_value(elem *e, const value *v, coord at)
{
	int64_t i;
	if (v->elements && sym_is_const(coord_linear(v, at), &i) && i >= 0 && i < v->n_elements)
		return element_known(e, v, v->elements[i]);
	const tensor *t = value_tensor(v);
	if (t && t->type != STRING && t->data && t->n_elements == 1)
		return element_of_constant(e, t, 0);
	if (!v->def || !op_table[v->def->op].elem)
		bug("no element rule for a value of %s", v->def ? op_table[v->def->op].text : "a graph input");
	return op_table[v->def->op].elem(e, v->def, at);
}

void elem_reduction(elem *e, const node *n, coord at, reduction *r)
{
	if (!op_table[n->op].reduction)
		bug("%s is not a reduction", op_table[n->op].text);
	*r = (reduction){0};
	op_table[n->op].reduction(e, n, at, r);
}

/* ---- coordinates -------------------------------------------------------------------------------------------------- */
coord coord_of_dims(sym_ctx *c, const value *v, const char *hint)
{
	coord at = {.rank = v->rank};
	for (int i = 0; i < v->rank; i++)
		at.i[i] = sym_loop(c, hint, v->dims[i]);
	return at;
}

coord coord_shift(coord at, int axis, sym *by)
{
	at.i[axis] = sym_add(at.i[axis], by);
	return at;
}

coord coord_with(coord at, int axis, sym *i)
{
	at.i[axis] = i;
	return at;
}

sym *coord_linear(const value *v, coord at)
{
	sym *linear = sym_const(v->graph->syms, 0);
	for (int i = 0; i < v->rank; i++)
		linear = sym_add(sym_mul(linear, v->dims[i]), at.i[i]);
	return linear;
}

/* An axis of size 1 gives 0, and so does one of size 0, which has no elements; the first axis that is left is what
 * remains, without a modulus. */
coord coord_unlinear(const value *v, sym *linear)
{
	coord at = {.rank = v->rank};
	sym *zero = sym_const(linear->ctx, 0);
	int first = 0;
	while (first < v->rank && sym_is(v->dims[first], 1))
		first++;
	for (int i = v->rank; i-- > 0;) {
		sym *d = v->dims[i];
		if (i < first || sym_is(d, 1) || sym_is(d, 0)) {
			at.i[i] = zero;
			continue;
		}
		at.i[i] = i == first ? linear : sym_mod(linear, d);
		linear = sym_floordiv(linear, d);
	}
	return at;
}

static sym *broadcast_index(sym *d, sym *i)
{
	if (sym_is(d, 1))
		return sym_const(d->ctx, 0);
	if (d->lo > 1 || sym_proves_lt(i, d))
		return i;
	return sym_min(i, sym_addi(d, -1));
}

coord coord_broadcast(const value *v, coord at)
{
	coord c = {.rank = v->rank};
	for (int i = 0; i < v->rank; i++)
		c.i[i] = broadcast_index(v->dims[i], at.i[at.rank - v->rank + i]);
	return c;
}

/* A known index that may be negative or too large cannot be told apart without a select, unless its range decides. */
static sym *dynamic_known(sym *i, sym *extent)
{
	if (i->hi < 0)
		i = sym_add(i, extent);
	else if (i->lo < 0)
		return NULL;
	sym *zero = sym_const(i->ctx, 0);
	if (!sym_proves_lt(i, extent))
		i = sym_min(i, sym_addi(extent, -1));
	return sym_proves_ge(i, zero) ? i : sym_max(i, zero);
}

sym *coord_dynamic(elem *e, const expr *index, sym *extent)
{
	expr_ctx *c = e->exprs;
	bool is_signed = dtype_table[index->type].class == CLASS_SINT;
	const expr *i = expr_cast(c, I64, index);
	sym *known = i->op == EXPR_INDEX ? i->index : i->op == EXPR_CONST ? sym_const(e->syms, i->i) : NULL;
	if (known && (known = dynamic_known(known, extent)))
		return known;
	const expr *n = expr_index(c, extent), *zero = expr_int(c, I64, 0);
	if (is_signed)
		i = expr_ternary(c, EXPR_SELECT, expr_binary(c, EXPR_LT, i, zero), expr_binary(c, EXPR_ADD, i, n), i);
	const expr *last = expr_index(c, sym_addi(extent, -1));
	i = expr_binary(c, EXPR_MAX, expr_binary(c, EXPR_MIN, i, last), zero);
	int64_t hi = extent->hi == INT64_MAX ? INT64_MAX : extent->hi > 0 ? extent->hi - 1 : 0;
	return expr_to_sym(c, i, 0, hi, extent);
}
