/* Builders of core ops.  They never make a node that changes nothing: a movement onto the same shape is its operand, and
 * a reshape of a reshape or a transpose of a transpose is one. */
#include "ir/graph_build.h"

#include "support/half.h"

#include <string.h>

static bool dims_are(const value *x, sym *const *dims, int rank)
{
	return x->rank == rank && (rank == 0 || memcmp(x->dims, dims, (size_t)rank * sizeof dims[0]) == 0);
}

static bool all_are(sym *const *v, int n, int64_t what)
{
	for (int i = 0; i < n; i++)
		if (!sym_is(v[i], what))
			return false;
	return true;
}

/* ---- map ------------------------------------------------------------------------------------------------------------ */
/* `e` computed and stored as t. */
static value *map_as(graph *g, dtype t, const expr *e, value *const *in, int n_in)
{
	attr attrs[2] = {attr_of_expr("expr", e), attr_of_word("type", dtype_name(t))};
	return build(g, OP_MAP, in, n_in, attrs, t == e->type ? 1 : 2);
}

/* The storage type of a result that has the operands' compute type, else the expression's own. */
static dtype stored_like(const value *x, const expr *e)
{
	return dtype_table[x->type].compute == e->type ? x->type : e->type;
}

static const expr *arg(graph *g, int i, const value *x) { return expr_arg(g->exprs, i, x->type); }

value *build_map(graph *g, const expr *e, value *const *in, int n_in) { return map_as(g, e->type, e, in, n_in); }

/* Strings are picked, all in their order. */
static value *copy_strings(graph *g, value *x)
{
	sym *count = value_size(x);
	value *places = build_reshape(g, build_iota(g, &count, 1, 0), x->dims, x->rank);
	return build(g, OP_STR_PICK, (value *[]){build_reshape(g, x, &count, 1), places}, 2, NULL, 0);
}

value *build_copy(graph *g, value *x)
{
	return x->type == STRING ? copy_strings(g, x) : map_as(g, x->type, arg(g, 0, x), &x, 1);
}

value *build_unary(graph *g, expr_op what, value *x)
{
	const expr *e = expr_unary(g->exprs, what, arg(g, 0, x));
	return map_as(g, stored_like(x, e), e, &x, 1);
}

value *build_binary(graph *g, expr_op what, value *x, value *y)
{
	const expr *e = expr_binary(g->exprs, what, arg(g, 0, x), arg(g, 1, y));
	return map_as(g, stored_like(x, e), e, (value *[]){x, y}, 2);
}

value *build_select(graph *g, value *c, value *x, value *y)
{
	const expr *e = expr_ternary(g->exprs, EXPR_SELECT, arg(g, 0, c), arg(g, 1, x), arg(g, 2, y));
	return map_as(g, stored_like(x, e), e, (value *[]){c, x, y}, 3);
}

value *build_cast(graph *g, dtype to, value *x)
{
	if (x->type == to)
		return x;
	return map_as(g, to, expr_cast(g->exprs, dtype_table[to].compute, arg(g, 0, x)), &x, 1);
}

/* ---- numbers -------------------------------------------------------------------------------------------------------- */
static uint32_t narrow_code(dtype t, float x)
{
	switch ((int)t) {
	case F16: return f16_from_f32(x);
	case BF16: return bf16_from_f32(x);
	case F8E4M3FN: return f8e4m3fn_from_f32(x, true);
	case F8E4M3FNUZ: return f8e4m3fnuz_from_f32(x, true);
	case F8E5M2: return f8e5m2_from_f32(x, true);
	case F8E5M2FNUZ: return f8e5m2fnuz_from_f32(x, true);
	case F8E8M0: return f8e8m0_from_f32(x, F8E8M0_UP, true);
	case F4E2M1: return f4e2m1_from_f32(x);
	default: bug("%s is not a narrow float", dtype_name(t));
	}
}

/* A rank-0 constant whose element has the low bits of `code`. */
static value *scalar_of_code(graph *g, dtype t, uint64_t code)
{
	int bits = dtype_table[t].bits, bytes = (bits + 7) / 8;
	if (bits < 8)
		code &= (1u << bits) - 1;
	unsigned char *data = new_array(g->a, unsigned char, 8);
	for (int i = 0; i < bytes; i++)
		data[i] = (unsigned char)(code >> (8 * i));
	return build_const(g, tensor_new(g->a, t, 0, NULL, data), NULL);
}

value *build_scalar(graph *g, dtype t, double v)
{
	if (!dtype_is_float(t))
		return build_scalar_int(g, t, (int64_t)v);
	if (t == F64) {
		uint64_t code;
		memcpy(&code, &v, sizeof code);
		return scalar_of_code(g, t, code);
	}
	return scalar_of_code(g, t, t == F32 ? f32_bits((float)v) : narrow_code(t, (float)v));
}

value *build_scalar_int(graph *g, dtype t, int64_t v)
{
	if (dtype_is_float(t))
		return build_scalar(g, t, (double)v);
	return scalar_of_code(g, t, t == BOOL ? v != 0 : (uint64_t)v);
}

value *build_sizes(graph *g, sym *const *v, int n)
{
	sym *shape[1] = {sym_const(g->syms, n)};
	attr attrs[2] = {attr_of_syms(g, "values", v, n), attr_of_syms(g, "shape", shape, 1)};
	return build(g, OP_SIZES, NULL, 0, attrs, 2);
}

value *build_size_scalar(graph *g, sym *v)
{
	attr attrs[2] = {attr_of_syms(g, "values", &v, 1), attr_of_syms(g, "shape", NULL, 0)};
	return build(g, OP_SIZES, NULL, 0, attrs, 2);
}

value *build_iota(graph *g, sym *const *shape, int rank, int axis)
{
	attr attrs[2] = {attr_of_syms(g, "shape", shape, rank), attr_of_int("axis", axis)};
	return build(g, OP_IOTA, NULL, 0, attrs, 2);
}

/* ---- movement ------------------------------------------------------------------------------------------------------- */
value *build_reshape(graph *g, value *x, sym *const *shape, int rank)
{
	if (dims_are(x, shape, rank))
		return x;
	if (x->def && x->def->op == OP_RESHAPE)
		return build_reshape(g, x->def->in[0], shape, rank);
	attr a = attr_of_syms(g, "shape", shape, rank);
	return build(g, OP_RESHAPE, &x, 1, &a, 1);
}

value *build_transpose(graph *g, value *x, const int *perm)
{
	int64_t p[MAX_RANK];
	bool identity = true;
	for (int i = 0; i < x->rank; i++) {
		p[i] = perm[i];
		identity = identity && perm[i] == i;
	}
	if (identity)
		return x;
	if (x->def && x->def->op == OP_TRANSPOSE) {
		const int64_t *inner = node_ints(x->def, "perm", NULL);
		int both[MAX_RANK];
		for (int i = 0; i < x->rank; i++)
			both[i] = (int)inner[perm[i]];
		return build_transpose(g, x->def->in[0], both);
	}
	attr a = attr_of_ints(g, "perm", p, x->rank);
	return build(g, OP_TRANSPOSE, &x, 1, &a, 1);
}

value *build_expand(graph *g, value *x, sym *const *shape, int rank)
{
	if (dims_are(x, shape, rank))
		return x;
	attr a = attr_of_syms(g, "shape", shape, rank);
	return build(g, OP_EXPAND, &x, 1, &a, 1);
}

value *build_slice(graph *g, value *x, sym *const *starts, const int64_t *steps, sym *const *shape)
{
	bool everything = dims_are(x, shape, x->rank) && all_are(starts, x->rank, 0);
	for (int i = 0; i < x->rank; i++)
		everything = everything && steps[i] == 1;
	if (everything)
		return x;
	attr attrs[3] = {attr_of_syms(g, "starts", starts, x->rank), attr_of_ints(g, "steps", steps, x->rank),
			 attr_of_syms(g, "shape", shape, x->rank)};
	return build(g, OP_SLICE, &x, 1, attrs, 3);
}

value *build_pad(graph *g, value *x, sym *const *lo, sym *const *hi, const char *mode, value *fill)
{
	if (all_are(lo, x->rank, 0) && all_are(hi, x->rank, 0))
		return x;
	attr attrs[3] = {attr_of_syms(g, "lo", lo, x->rank), attr_of_syms(g, "hi", hi, x->rank),
			 attr_of_word("mode", mode)};
	return build(g, OP_PAD, (value *[]){x, fill}, fill ? 2 : 1, attrs, 3);
}

value *build_concat(graph *g, value *const *in, int n, int axis)
{
	if (n == 1)
		return in[0];
	attr a = attr_of_int("axis", axis);
	return build(g, OP_CONCAT, in, n, &a, 1);
}

value *build_tile(graph *g, value *x, sym *const *shape)
{
	if (dims_are(x, shape, x->rank))
		return x;
	attr a = attr_of_syms(g, "shape", shape, x->rank);
	return build(g, OP_TILE, &x, 1, &a, 1);
}

value *build_gather(graph *g, value *x, value *indices, int axis)
{
	attr a = attr_of_int("axis", axis);
	return build(g, OP_GATHER, (value *[]){x, indices}, 2, &a, 1);
}

value *build_squeeze(graph *g, value *x, const int *axes, int n)
{
	sym *shape[MAX_RANK];
	int rank = 0;
	for (int i = 0; i < x->rank; i++) {
		bool dropped = false;
		for (int k = 0; k < n; k++)
			dropped = dropped || axes[k] == i;
		if (!dropped)
			shape[rank++] = x->dims[i];
	}
	return build_reshape(g, x, shape, rank);
}

value *build_unsqueeze(graph *g, value *x, const int *axes, int n)
{
	int rank = x->rank + n, from = 0;
	sym **shape = new_array(g->a, sym *, (size_t)rank + 1);
	for (int k = 0; k < n; k++)
		if (axes[k] < 0 || axes[k] >= rank || shape[axes[k]])
			diag_abandon(g->diag, g->at, "unsqueeze: axis %d is twice or out of range for rank %d", axes[k], rank);
		else
			shape[axes[k]] = sym_const(g->syms, 1);
	for (int i = 0; i < rank; i++)
		if (!shape[i])
			shape[i] = x->dims[from++];
	return build_reshape(g, x, shape, rank);
}

/* ---- reductions ----------------------------------------------------------------------------------------------------- */
value *build_reduce(graph *g, value *x, const char *fold, const int *axes, int n)
{
	bool arg = strncmp(fold, "arg", 3) == 0;
	if (n == 0 && !arg)
		return x;
	int64_t list[MAX_RANK];
	for (int i = 0; i < n && i < MAX_RANK; i++)
		list[i] = axes[i];
	attr attrs[2] = {attr_of_ints(g, "axes", list, n < MAX_RANK ? n : MAX_RANK), attr_of_word("op", fold)};
	return build(g, OP_REDUCE, &x, 1, attrs, 2);
}

value *build_contract(graph *g, value *a, value *b, const char *equation)
{
	attr e = attr_of_word("equation", equation);
	return build(g, OP_CONTRACT, (value *[]){a, b}, 2, &e, 1);
}

value *build_like(graph *g, const node *n, value *const *in, int n_in)
{
	return graph_add(g, n->op, in, n_in, n->attrs, n->n_attrs, n->n_out)->out[0];
}
