/* Reductions along axes: the core folds, with arithmetic before and after. */
#include "frontend/onnx_attr.h"

#include "frontend/import_reduce.h"

#include <math.h>

/* Which axes, and whether they stay. */
typedef struct reduced {
	value *x;
	int axes[MAX_RANK];
	int n;
	bool keep;
} reduced;

/* An attribute before 18 (ReduceSum: before 13), an input since; none means all, unless noop_with_empty_axes. */
static reduced axes_of(importer *im, const onnx_node *n)
{
	reduced r = {.x = input(im, n, 0), .keep = attr_flag(im, n, "keepdims", true)};
	bool noop = attr_flag(im, n, "noop_with_empty_axes", false);
	bool by_input = n->version >= 18 || (n->op->arg == FOLD_SUM && n->version >= 13);
	value *axes = by_input ? input_or_null(n, 1) : NULL;
	int_list list = by_input ? (int_list){0} : attr_ints(im, n, "axes");
	if (axes)
		list.v = ints_of(im, n, axes, "axes", &list.n);
	unsigned seen = 0;
	for (int i = 0; i < list.n; i++) {
		int axis = axis_in(im, n, list.v[i], r.x->rank);
		if (!(seen & 1u << axis))
			r.axes[r.n++] = axis;
		seen |= 1u << axis;
	}
	if (list.n == 0 && !noop)
		r.n = axes_from(r.x, 0, r.axes);
	return r;
}

static value *fold(importer *im, const reduced *r, value *x, const char *what)
{
	return reduce_axes(im, x, what, r->axes, r->n, true);
}

static value *finish(importer *im, const reduced *r, value *y)
{
	y = narrow(im, y, r->x->type);
	return r->keep || r->n == 0 ? y : build_squeeze(im->graph, y, r->axes, r->n);
}

static value *unary(importer *im, expr_op what, value *x) { return build_unary(im->graph, what, x); }

static value *square(importer *im, value *x)
{
	const expr *e = operand(im, 0, x);
	return map_as(im, x->type, op2(im, EXPR_MUL, e, e), &x, 1);
}

/* Computed in floating point even for integers. */
static value *floating(importer *im, value *x)
{
	x = widen(im, x);
	return dtype_is_float(x->type) ? x : build_cast(im->graph, F64, x);
}

/* m + log(sum(exp(x - m))) with m the maximum, or 0 where that is infinite. */
static value *log_sum_exp(importer *im, const reduced *r, value *x)
{
	value *top = fold(im, r, x, "max");
	const expr *e = operand(im, 0, top);
	const expr *infinite = op2n(im, EXPR_EQ, op1(im, EXPR_ABS, e), (double)INFINITY);
	value *m = map_as(im, top->type, choose_if(im, infinite, number(im, e, 0), e), &top, 1);
	value *sum = fold(im, r, unary(im, EXPR_EXP, build_binary(im->graph, EXPR_SUB, x, m)), "sum");
	return build_binary(im->graph, EXPR_ADD, unary(im, EXPR_LOG, sum), m);
}

/* ONNX ReduceMax-20, ReduceMin-20: of bool they are or, and. */
static value *extremum(importer *im, const reduced *r, bool max)
{
	if (r->x->type == BOOL)
		return finish(im, r, fold(im, r, r->x, max ? "or" : "and"));
	return finish(im, r, fold(im, r, r->x, max ? "max" : "min"));
}

static value *mean(importer *im, const reduced *r) { return mean_over(im, widen(im, r->x), r->axes, r->n); }

/* ReduceSum, ReduceMean and their kin: the row says which. */
value *import_reduce(importer *im, const onnx_node *n)
{
	reduced r = axes_of(im, n);
	fold_kind kind = (fold_kind)n->op->arg;
	bool takes_bool = (kind == FOLD_MAX || kind == FOLD_MIN) && n->version >= 20;
	expect_type(im, n, r.x, takes_bool ? TYPES_ANY : TYPES_NUMBER);
	switch (kind) {
	case FOLD_SUM: return finish(im, &r, fold(im, &r, r.x, "sum"));
	case FOLD_PROD: return finish(im, &r, fold(im, &r, r.x, "prod"));
	case FOLD_MAX:
	case FOLD_MIN: return extremum(im, &r, kind == FOLD_MAX);
	case FOLD_MEAN: return finish(im, &r, mean(im, &r));
	case FOLD_L1: return finish(im, &r, fold(im, &r, unary(im, EXPR_ABS, widen(im, r.x)), "sum"));
	case FOLD_L2: return finish(im, &r, unary(im, EXPR_SQRT, fold(im, &r, square(im, floating(im, r.x)), "sum")));
	case FOLD_SUM_SQUARE: return finish(im, &r, fold(im, &r, square(im, widen(im, r.x)), "sum"));
	case FOLD_LOG_SUM: return finish(im, &r, unary(im, EXPR_LOG, fold(im, &r, floating(im, r.x), "sum")));
	case FOLD_LOG_SUM_EXP: return finish(im, &r, log_sum_exp(im, &r, floating(im, r.x)));
	}
	bug("unknown fold %d", (int)kind);
}

/* The index of the largest or smallest element.  ONNX ArgMax-13, ArgMin-13. */
value *import_arg_extremum(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	int axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank);
	bool keep = attr_flag(im, n, "keepdims", true);
	attr attrs[] = {
		attr_of_ints(im->graph, "axes", (int64_t[]){axis}, 1),
		attr_of_word("op", n->op->arg == FOLD_MAX ? "argmax" : "argmin"),
		attr_of_int("last", attr_flag(im, n, "select_last_index", false)),
	};
	value *index = build(im->graph, OP_REDUCE, &x, 1, attrs, 3);
	return keep ? index : build_squeeze(im->graph, index, &axis, 1);
}
