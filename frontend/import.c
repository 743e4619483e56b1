/* What importers are written in: see import.h. */
#include "frontend/import.h"

#include "frontend/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Noreturn void refuse(importer *im, const onnx_node *n, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	diag_abandon(im->diag, n->at, "%s", text);
}

/* ---- inputs and results --------------------------------------------------------------------------------------------- */
value *input_or_null(const onnx_node *n, int i) { return i < n->n_in ? n->in[i] : NULL; }

value *input(importer *im, const onnx_node *n, int i)
{
	value *v = input_or_null(n, i);
	if (!v)
		refuse(im, n, "input %d is missing", i);
	return v;
}

value *const *inputs(importer *im, const onnx_node *n)
{
	input(im, n, 0);
	for (int i = 0; i < n->n_in; i++)
		input(im, n, i);
	return n->in;
}

bool result_wanted(const onnx_node *n, int i) { return i < n->n_out && *text_of(n->proto->output[i]); }

void set_result(const onnx_node *n, int i, value *v)
{
	if (i < n->n_out)
		n->out[i] = v;
}

void expect_inputs(importer *im, const onnx_node *n, int most)
{
	if (n->n_in > most)
		refuse(im, n, "has %d inputs, takes at most %d", n->n_in, most);
}

void expect_type(importer *im, const onnx_node *n, const value *v, type_set allowed)
{
	bool ok = (allowed & TYPES_FLOAT && dtype_is_float(v->type)) || (allowed & TYPES_INT && dtype_is_int(v->type)) ||
		  (allowed & TYPES_BOOL && v->type == BOOL);
	static const char *const wanted[] = {
		[TYPES_FLOAT] = "floating point",
		[TYPES_INT] = "an integer type",
		[TYPES_BOOL] = "bool",
		[TYPES_NUMBER] = "a numeric type",
		[TYPES_INT | TYPES_BOOL] = "an integer type or bool",
		[TYPES_FLOAT | TYPES_BOOL] = "floating point or bool",
		[TYPES_ANY] = "a numeric type or bool",
	};
	if (!ok)
		refuse(im, n, "an input is %s, must be %s", dtype_name(v->type), wanted[allowed]);
}

void expect_same_type(importer *im, const onnx_node *n, const value *a, const value *b)
{
	if (a->type != b->type)
		refuse(im, n, "inputs are %s and %s, must be of one type", dtype_name(a->type), dtype_name(b->type));
}

void expect_rank(importer *im, const onnx_node *n, const value *v, int lo, int hi)
{
	if (v->rank >= lo && v->rank <= hi)
		return;
	if (lo == hi)
		refuse(im, n, "an input has rank %d, must have %d", v->rank, lo);
	refuse(im, n, "an input has rank %d, must have %d to %d", v->rank, lo, hi);
}

/* ---- axes, sizes and constants -------------------------------------------------------------------------------------- */
int axis_in(importer *im, const onnx_node *n, int64_t axis, int rank)
{
	if (axis < -rank || axis >= rank)
		refuse(im, n, "axis %lld is out of range for rank %d", (long long)axis, rank);
	return (int)(axis < 0 ? axis + rank : axis);
}

const tensor *constant_of(const value *v) { return value_is_const(v) ? value_tensor(v) : NULL; }

/* Few numbers that an application may well know beforehand: axes, k, a mode. */
static bool is_small_input(const value *v)
{
	enum { SMALL = 64 };
	int64_t n;
	return v->rank <= 1 && (!sym_is_const(value_size(v), &n) || n <= SMALL);
}

void note_unknown(importer *im, const value *v)
{
	map *seen = map_new(im->a);
	vec(const char *) found = {0};
	map_put(seen, v, im);
	for (int i = 0; i < map_count(seen); i++) {
		const value *at = map_key_at(seen, i);
		for (int k = 0; at->def && k < at->def->n_in; k++)
			map_put(seen, at->def->in[k], im);
		if (!at->def && !is_small_input(at))
			return;
		if (!at->def)
			vec_push(im->a, &found, at->name);
	}
	for (int i = 0; i < found.n; i++) {
		im->fixable = found.v[i];
		if (im->notes)
			vec_push(im->a, &im->notes->sizing, found.v[i]);
	}
}

static const char *name_of(importer *im, const value *v)
{
	return v->name ? v->name : arena_printf(im->a, "%d", v->id);
}

sym_list elements_of(importer *im, const onnx_node *n, const value *v, const char *what)
{
	if (!dtype_is_int(v->type) && v->type != BOOL)
		refuse(im, n, "%s is %s, must be integers", what, dtype_name(v->type));
	if (v->elements)
		return (sym_list){v->elements, v->n_elements};
	const tensor *t = constant_of(v);
	if (!t) {
		note_unknown(im, v);
		refuse(im, n, "%s (\"%s\") is computed from data while the model runs; sizes must depend on shapes only", what,
		       name_of(im, v));
	}
	if (t->n_elements > MAX_INLINED_NODES)
		refuse(im, n, "%s has %zu elements", what, t->n_elements);
	sym **list = new_array(im->a, sym *, t->n_elements);
	for (size_t i = 0; i < t->n_elements; i++)
		list[i] = size(im, tensor_int(t, i));
	return (sym_list){list, (int)t->n_elements};
}

sym *element_of(importer *im, const onnx_node *n, const value *v, const char *what)
{
	sym_list list = elements_of(im, n, v, what);
	if (list.n != 1)
		refuse(im, n, "%s has %d elements, must have one", what, list.n);
	return list.v[0];
}

const int64_t *ints_of(importer *im, const onnx_node *n, const value *v, const char *what, int *count)
{
	sym_list list = elements_of(im, n, v, what);
	int64_t *ints = new_array(im->a, int64_t, (size_t)list.n);
	for (int i = 0; i < list.n; i++)
		if (!sym_is_const(list.v[i], &ints[i]))
			refuse(im, n, "%s must be constant", what);
	*count = list.n;
	return ints;
}

int64_t int_of(importer *im, const onnx_node *n, const value *v, const char *what)
{
	int64_t i;
	if (!sym_is_const(element_of(im, n, v, what), &i))
		refuse(im, n, "%s must be constant", what);
	return i;
}

double float_of(importer *im, const onnx_node *n, const value *v, const char *what)
{
	const tensor *t = constant_of(v);
	if (!t)
		note_unknown(im, v);
	if (!t || t->n_elements != 1 || t->type == STRING)
		refuse(im, n, "%s must be a constant of one element", what);
	return tensor_float(t, 0);
}

sym *size(importer *im, int64_t n) { return sym_const(im->syms, n); }
sym *product_of(importer *im, sym *const *dims, int n) { return sym_product(im->syms, dims, n); }

/* ---- values ----------------------------------------------------------------------------------------------------------- */
value *map_as(importer *im, dtype t, const expr *e, value *const *in, int n_in)
{
	attr attrs[] = {attr_of_expr("expr", e), attr_of_word("type", dtype_name(t))};
	return build(im->graph, OP_MAP, in, n_in, attrs, e->type == t ? 1 : 2);
}

value *widen(importer *im, value *x) { return narrow(im, x, dtype_table[x->type].compute); }
value *narrow(importer *im, value *x, dtype t) { return x->type == t ? x : build_cast(im->graph, t, x); }

value *reshape(importer *im, value *x, sym *const *shape, int rank)
{
	bool same = rank == x->rank;
	for (int i = 0; same && i < rank; i++)
		same = shape[i] == x->dims[i];
	return same ? x : build_reshape(im->graph, x, shape, rank);
}

value *reduce_axes(importer *im, value *x, const char *fold, const int *axes, int n, bool keep)
{
	value *r = build_reduce(im->graph, x, fold, axes, n);
	return keep || n == 0 ? r : build_squeeze(im->graph, r, axes, n);
}

int axes_from(const value *x, int from, int *axes)
{
	for (int i = from; i < x->rank; i++)
		axes[i - from] = i;
	return x->rank - from;
}

value *mean_over(importer *im, value *x, const int *axes, int n)
{
	sym *count = size(im, 1);
	for (int i = 0; i < n; i++)
		count = sym_mul(count, x->dims[axes[i]]);
	value *sum = build_reduce(im->graph, x, "sum", axes, n);
	const expr *e = op2(im, EXPR_DIV, operand(im, 0, sum), sym_number(im, count, operand(im, 0, sum)->type));
	return map_as(im, x->type, e, &sum, 1);
}

value *along_axis(importer *im, value *x, int axis, int rank)
{
	if (x->rank == 0)
		return x;
	sym *shape[MAX_RANK];
	shape[0] = x->dims[0];
	for (int i = 1; i < rank - axis; i++)
		shape[i] = size(im, 1);
	return reshape(im, x, shape, rank - axis);
}

value *copy_dims(importer *im, value *x, sym *const *dims, int rank)
{
	bool same = rank == x->rank;
	for (int i = 0; same && i < rank; i++)
		same = dims[i] == x->dims[i];
	return same ? x : build_expand(im->graph, x, dims, rank);
}

static void bind_symbol(importer *im, value *count, sym *what)
{
	attr symbol = attr_of_syms(im->graph, "symbol", &what, 1);
	graph_add(im->graph, OP_BIND, &count, 1, &symbol, 1, 1);
}

sym *bind_count(importer *im, value *count, const char *hint, sym *most)
{
	if (sym_is(most, INT64_MAX)) /* memory for it cannot be planned */
		note_unknown(im, count);
	sym *s = sym_inner_fresh(im->syms, hint, 0, sym_is(most, INT64_MAX) ? most : sym_addi(most, 1));
	bind_symbol(im, count, s);
	return s;
}

void bind_check(importer *im, value *found, int64_t wanted) { bind_symbol(im, found, size(im, wanted)); }

value *cut(importer *im, value *x, int axis, sym *start, sym *count)
{
	sym *starts[MAX_RANK], *shape[MAX_RANK];
	int64_t steps[MAX_RANK];
	for (int i = 0; i < x->rank; i++) {
		starts[i] = i == axis ? start : size(im, 0);
		shape[i] = i == axis ? count : x->dims[i];
		steps[i] = 1;
	}
	return build_slice(im->graph, x, starts, steps, shape);
}

/* ---- formulas --------------------------------------------------------------------------------------------------------- */
const expr *operand(importer *im, int i, const value *v) { return expr_arg(im->exprs, i, v->type); }
const expr *number(importer *im, const expr *like, double x) { return expr_number(im->exprs, like->type, x); }
const expr *op1(importer *im, expr_op what, const expr *x) { return expr_unary(im->exprs, what, x); }
const expr *op2(importer *im, expr_op what, const expr *x, const expr *y) { return expr_binary(im->exprs, what, x, y); }

const expr *op2n(importer *im, expr_op what, const expr *x, double y) { return op2(im, what, x, number(im, x, y)); }

const expr *choose_if(importer *im, const expr *c, const expr *x, const expr *y)
{
	return expr_ternary(im->exprs, EXPR_SELECT, c, x, y);
}

const expr *sym_number(importer *im, sym *s, dtype t) { return expr_cast(im->exprs, t, expr_index(im->exprs, s)); }
