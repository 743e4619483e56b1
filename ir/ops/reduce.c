/* Folds: over whole axes (reduce) and over sliding windows (reduce_window). */
#include "ir/ops/window.h"

#include <string.h>

/* One row = one fold. */
typedef struct fold {
	const char *name;
	expr_op combine;
	enum { FROM_ZERO, FROM_ONE, FROM_LOWEST, FROM_HIGHEST } init;
	bool arg;  /* gives the index */
	bool bools; /* folds bool, else numbers */
} fold;

static const fold fold_table[] = {
	{"sum", EXPR_ADD, FROM_ZERO, false, false},
	{"prod", EXPR_MUL, FROM_ONE, false, false},
	{"min", EXPR_MIN, FROM_HIGHEST, false, false},
	{"max", EXPR_MAX, FROM_LOWEST, false, false},
	{"and", EXPR_AND, FROM_ONE, false, true},
	{"or", EXPR_OR, FROM_ZERO, false, true},
	{"argmin", EXPR_MIN, FROM_HIGHEST, true, false},
	{"argmax", EXPR_MAX, FROM_LOWEST, true, false},
	{"mean", EXPR_ADD, FROM_ZERO, false, false}, /* reduce_window only */
};

static const fold *fold_of(const node *n)
{
	const char *name = node_word(n, "op", "");
	for (size_t i = 0; i < sizeof fold_table / sizeof fold_table[0]; i++)
		if (strcmp(fold_table[i].name, name) == 0)
			return &fold_table[i];
	return NULL;
}

static const expr *fold_init(elem *e, const fold *f, dtype t)
{
	switch (f->init) {
	case FROM_ZERO: return expr_number(e->exprs, t, 0);
	case FROM_ONE: return expr_number(e->exprs, t, 1);
	case FROM_LOWEST: return expr_lowest(e->exprs, t);
	case FROM_HIGHEST: return expr_highest(e->exprs, t);
	}
	return NULL;
}

static bool foldable(const node *n, const char **why, const fold *f, dtype t)
{
	bool number = dtype_is_float(t) || dtype_is_int(t);
	if (f->bools ? t != BOOL : !number)
		return rule_refuse(n, why, "op=%s of %s, must be %s", f->name, dtype_name(t),
				   f->bools ? "bool" : "numbers");
	return true;
}

static void fold_start(elem *e, reduction *r, const fold *f, dtype t)
{
	r->type = type_compute(t);
	r->combine = f->combine;
	r->init = fold_init(e, f, r->type);
	r->arg = f->arg;
}

/* ---- reduce --------------------------------------------------------------------------------------------------------- */
bool infer_reduce(node *n, const char **why)
{
	int count;
	sym *dims[MAX_RANK];
	bool seen[MAX_RANK] = {0};
	if (!rule_form(n, why, 1, "axes op last") || !rule_ints(n, why, "axes", -1, INT64_MIN) ||
	    !rule_has(n, why, "op") || !rule_word(n, why, "op", "sum prod min max and or argmin argmax") ||
	    !rule_int(n, why, "last", 0, 1))
		return false;
	const fold *f = fold_of(n);
	const value *x = n->in[0];
	const int64_t *axes = node_ints(n, "axes", &count);
	if (!foldable(n, why, f, x->type))
		return false;
	if (f->arg && count != 1)
		return rule_refuse(n, why, "op=%s along %d axes, must be one", f->name, count);
	memcpy(dims, x->dims, (size_t)x->rank * sizeof dims[0]);
	for (int i = 0; i < count; i++) {
		if (axes[i] < 0 || axes[i] >= x->rank)
			return rule_refuse(n, why, "axis %lld is out of range for rank %d", (long long)axes[i], x->rank);
		if (seen[axes[i]])
			return rule_refuse(n, why, "axes names axis %lld twice", (long long)axes[i]);
		if (f->arg && !rule_at_least(n, x->dims[axes[i]], sym_const(n->graph->syms, 1)))
			return rule_refuse(n, why, "op=%s along axis %lld of size 0", f->name, (long long)axes[i]);
		seen[axes[i]] = true;
		dims[axes[i]] = sym_const(n->graph->syms, 1);
	}
	return rule_result(n, why, 0, f->arg ? I64 : x->type, x->rank, dims);
}

static const expr *term_reduce(elem *e, const node *n, coord at, coord red)
{
	int count;
	const int64_t *axes = node_ints(n, "axes", &count);
	for (int i = 0; i < count; i++)
		at.i[axes[i]] = red.i[i];
	return elem_read(e, n->in[0], at);
}

void reduction_reduce(elem *e, const node *n, coord at, reduction *r)
{
	const value *x = n->in[0];
	const int64_t *axes = node_ints(n, "axes", &r->n);
	(void)at;
	fold_start(e, r, fold_of(n), x->type);
	r->last = node_int(n, "last", 0) != 0;
	r->term = term_reduce;
	for (int i = 0; i < r->n; i++) {
		r->extent[i] = x->dims[axes[i]];
		r->hint[i] = "r";
	}
}

/* ---- reduce_window: {op, kernel, strides, dilations, lo, hi, shape, count_pad} ----------------------------------------- */
/* hi matters only to a mean that counts padding: it tells padding from what lies beyond it (ONNX ceil_mode). */
bool infer_reduce_window(node *n, const char **why)
{
	int count;
	if (!rule_form(n, why, 1, "op kernel strides dilations lo hi shape count_pad") || !rule_has(n, why, "op") ||
	    !rule_word(n, why, "op", "max sum mean argmax") || !rule_ints(n, why, "kernel", -1, 1) ||
	    !rule_int(n, why, "count_pad", 0, 1))
		return false;
	const value *x = n->in[0];
	node_ints(n, "kernel", &count);
	if (count > x->rank)
		return rule_refuse(n, why, "kernel has %d axes, the operand only %d", count, x->rank);
	if (!foldable(n, why, fold_of(n), x->type) || !rule_window(n, why, count) ||
	    (node_attr(n, "hi") && !rule_syms(n, why, "hi", count, -INT32_MAX)) ||
	    !rule_window_shape(n, why, x->rank - count, x->dims, count))
		return false;
	int rank;
	sym *const *shape = node_syms(n, "shape", &rank);
	return rule_result(n, why, 0, fold_of(n)->arg ? I64 : x->type, rank, shape);
}

static window pool_window(const node *n, int s, coord at, sym *k)
{
	int count;
	const int64_t *kernel = node_ints(n, "kernel", &count);
	int axis = n->in[0]->rank - count + s;
	return window_of(n, s, at.i[axis], n->out[0]->dims[axis], k, sym_const(k->ctx, kernel[s]), n->in[0]->dims[axis]);
}

static const expr *term_window(elem *e, const node *n, coord at, coord red)
{
	const value *x = n->in[0];
	const expr *inside = NULL;
	coord c = at;
	for (int s = 0; s < red.rank; s++) {
		window w = pool_window(n, s, at, red.i[s]);
		c.i[x->rank - red.rank + s] = window_tap(&w);
		inside = elem_and(e, inside, window_inside(e, &w));
	}
	return elem_guarded(e, inside, x, c, fold_init(e, fold_of(n), type_compute(x->type)));
}

/* The taps of all axes counted through, row-major: what argmax gives. */
static const expr *term_numbered(elem *e, const node *n, coord at, coord red)
{
	int count;
	const int64_t *kernel = node_ints(n, "kernel", &count);
	sym *rest = red.i[0];
	coord taps = {.rank = count};
	for (int s = count; s-- > 0;) {
		taps.i[s] = sym_modi(rest, kernel[s]);
		rest = sym_divi(rest, kernel[s]);
	}
	return term_window(e, n, at, taps);
}

/* The number of elements under the window: those inside the operand, or inside the padded operand. */
static sym *pool_count(elem *e, const node *n, coord at)
{
	int count;
	sym *taps = sym_const(e->syms, 1), *zero = sym_const(e->syms, 0);
	bool count_pad = node_int(n, "count_pad", 0) != 0;
	const int64_t *kernel = node_ints(n, "kernel", &count);
	for (int s = 0; s < count; s++) {
		window w = pool_window(n, s, at, zero);
		sym *here = sym_const(e->syms, kernel[s]);
		if (!count_pad)
			here = window_count(&w, zero, zero);
		else if (node_attr(n, "hi"))
			here = window_count(&w, w.lo, node_syms(n, "hi", &count)[s]);
		taps = sym_mul(taps, here);
	}
	return taps;
}

static const expr *finish_mean(elem *e, const node *n, coord at, const expr *acc)
{
	const expr *count = expr_cast(e->exprs, acc->type, expr_index(e->exprs, pool_count(e, n, at)));
	return expr_binary(e->exprs, EXPR_DIV, acc, count);
}

void reduction_reduce_window(elem *e, const node *n, coord at, reduction *r)
{
	const int64_t *kernel = node_ints(n, "kernel", &r->n);
	(void)at;
	fold_start(e, r, fold_of(n), n->in[0]->type);
	r->term = term_window;
	r->finish = node_word_is(n, "op", "", "mean") ? finish_mean : NULL;
	for (int i = 0; i < r->n; i++) {
		r->extent[i] = sym_const(e->syms, kernel[i]);
		r->hint[i] = "k";
	}
	if (r->arg) {
		r->extent[0] = sym_product(e->syms, r->extent, r->n);
		r->n = 1;
		r->term = term_numbered;
	}
}
