#include "ir/elements.h"

#include "ir/elem.h"

enum { MAX_FOLD_TERMS = 1024, MAX_INLINE_DEPTH = 8, MAX_EXPR_DEPTH = 32 };

/* ---- which values are small and known ---------------------------------------------------------------------------- */

/* The number of elements when it is constant and at most MAX_ELEMENTS, else -1. */
static int small_count(const value *v)
{
	int64_t count = 1, dim;
	for (int i = 0; i < v->rank; i++) {
		if (!sym_is_const(v->dims[i], &dim) || dim < 0)
			return -1;
		if (dim == 0)
			return 0;
		if (dim > MAX_ELEMENTS || (count *= dim) > MAX_ELEMENTS)
			return -1;
	}
	return (int)count;
}

static bool holds_sizes(dtype t) { return dtype_is_int(t) || t == BOOL; }

/* Can the elements of v be read here: from known elements, a constant, or a small computation over such (an exporter's
 * detour through floats)? */
static bool is_readable(const value *v, int depth)
{
	if (v->elements || value_is_const(v))
		return true;
	if (!v->def || depth == 0 || op_table[v->def->op].form != FORM_ELEM || holds_sizes(v->type) || small_count(v) < 0)
		return false;
	for (int i = 0; i < v->def->n_in; i++)
		if (!is_readable(v->def->in[i], depth - 1))
			return false;
	return true;
}

/* ---- reading operands -------------------------------------------------------------------------------------------- */

static bool linear_index(const value *v, coord at, int64_t *index)
{
	int64_t linear = 0;
	for (int i = 0; i < v->rank; i++) {
		int64_t dim, x;
		if (!sym_is_const(v->dims[i], &dim) || !sym_is_const(at.i[i], &x) || x < 0 || x >= dim)
			return false;
		linear = linear * dim + x;
	}
	*index = linear;
	return true;
}

static dtype compute_type(dtype t) { return dtype_table[t].compute; }

/* A leaf that is neither CONST nor INDEX: whatever is built on it counts as unknown. */
static const expr *unknown(elem *e, const value *v) { return expr_arg(e->exprs, 0, v->type); }

static const expr *read_constant(elem *e, const tensor *t, int64_t i)
{
	dtype type = compute_type(t->type);
	if (dtype_is_float(type))
		return expr_float(e->exprs, type, tensor_float(t, (size_t)i));
	return expr_int(e->exprs, type, tensor_int(t, (size_t)i));
}

static const expr *read_known(elem *e, const value *v, coord at)
{
	int64_t i, constant;
	if (v->type == STRING)
		return unknown(e, v);
	if (!linear_index(v, at, &i))
		return unknown(e, v);
	if (v->elements && i < v->n_elements) {
		dtype type = compute_type(v->type);
		if (sym_is_const(v->elements[i], &constant))
			return expr_int(e->exprs, type, constant);
		return expr_cast(e->exprs, type, expr_index(e->exprs, v->elements[i]));
	}
	const tensor *t = value_tensor(v);
	if (t && t->data && (size_t)i < t->n_elements)
		return read_constant(e, t, i);
	return is_readable(v, MAX_INLINE_DEPTH) ? elem_of_value(e, v, at) : unknown(e, v);
}

/* ---- from expressions to symbolic integers ----------------------------------------------------------------------- */

static sym *sym_of_expr(elem *e, const expr *x, int depth);

static sym *sym_of_binary(elem *e, const expr *x, int depth)
{
	sym *a = sym_of_expr(e, x->in[0], depth - 1), *b = a ? sym_of_expr(e, x->in[1], depth - 1) : NULL;
	if (!b)
		return NULL;
	switch ((int)x->op) {
	case EXPR_ADD: return sym_add(a, b);
	case EXPR_SUB: return sym_sub(a, b);
	case EXPR_MUL: return sym_mul(a, b);
	case EXPR_MIN: return sym_min(a, b);
	case EXPR_MAX: return sym_max(a, b);
	case EXPR_DIV: return a->lo >= 0 && b->lo > 0 ? sym_floordiv(a, b) : NULL; /* truncation is flooring then */
	case EXPR_MOD: return b->lo > 0 ? sym_mod(a, b) : NULL;
	default: return NULL;
	}
}

/* An integer expression over INDEX and CONST as a symbolic integer, or NULL. */
static sym *sym_of_expr(elem *e, const expr *x, int depth)
{
	if (depth == 0 || !holds_sizes(x->type))
		return NULL;
	if (x->op == EXPR_CONST)
		return sym_const(e->syms, x->i);
	if (x->op == EXPR_INDEX)
		return x->index;
	if (!dtype_is_int(x->type) || dtype_table[x->type].bits < 32)
		return NULL;
	if (x->op == EXPR_CAST)
		return dtype_is_int(x->in[0]->type) ? sym_of_expr(e, x->in[0], depth - 1) : NULL;
	if (x->op == EXPR_NEG) {
		sym *a = sym_of_expr(e, x->in[0], depth - 1);
		return a ? sym_neg(a) : NULL;
	}
	return x->n_in == 2 ? sym_of_binary(e, x, depth) : NULL;
}

/* ---- evaluating elements ----------------------------------------------------------------------------------------- */

/* Steps `at` through the n extents in row-major order; false after the last. */
static bool next_coord(sym_ctx *c, coord *at, const int64_t *extent, int n)
{
	for (int i = n; i-- > 0;) {
		int64_t x = sym_value(at->i[i]) + 1;
		at->i[i] = sym_const(c, x < extent[i] ? x : 0);
		if (x < extent[i])
			return true;
	}
	return false;
}

static coord first_coord(sym_ctx *c, int rank)
{
	coord at = {.rank = rank};
	for (int i = 0; i < rank; i++)
		at.i[i] = sym_const(c, 0);
	return at;
}

/* The fold of a small constant number of terms, unrolled; NULL when it is none. */
static const expr *unrolled_fold(elem *e, const node *n, coord at)
{
	reduction r = {0};
	int64_t extent[MAX_RANK], terms = 1;
	elem_reduction(e, n, at, &r);
	if (r.arg)
		return NULL;
	for (int i = 0; i < r.n; i++) {
		if (!sym_is_const(r.extent[i], &extent[i]) || extent[i] < 0 || extent[i] > MAX_FOLD_TERMS)
			return NULL;
		if ((terms *= extent[i]) > MAX_FOLD_TERMS)
			return NULL;
	}
	const expr *acc = r.init;
	if (terms > 0) {
		coord red = first_coord(e->syms, r.n);
		do {
			const expr *term = r.term(e, n, at, red);
			acc = expr_binary(e->exprs, r.combine, acc, expr_cast(e->exprs, r.type, term));
		} while (next_coord(e->syms, &red, extent, r.n));
	}
	if (r.finish)
		return r.finish(e, n, at, acc);
	return expr_cast(e->exprs, compute_type(n->out[0]->type), acc);
}

static sym *element_at(elem *e, const node *n, coord at)
{
	bool reduces = op_table[n->op].form == FORM_REDUCE;
	const expr *x = reduces ? unrolled_fold(e, n, at) : elem_of_value(e, n->out[0], at);
	return x ? sym_of_expr(e, x, MAX_EXPR_DEPTH) : NULL;
}

static void set_elements(value *v, sym *const *elements, int n)
{
	v->elements = new_array(v->graph->a, sym *, (size_t)n);
	for (int i = 0; i < n; i++)
		v->elements[i] = elements[i];
	v->n_elements = n;
}

static bool can_derive(const node *n)
{
	if (n->n_out != 1 || !holds_sizes(n->out[0]->type) || small_count(n->out[0]) < 0)
		return false;
	op_form form = op_table[n->op].form;
	if (form != FORM_ELEM && form != FORM_REDUCE && n->op != OP_CONST)
		return false;
	for (int i = 0; i < n->n_in; i++)
		if (!is_readable(n->in[i], MAX_INLINE_DEPTH))
			return false;
	return true;
}

void node_derive_elements(node *n)
{
	sym_ctx *syms = n->graph->syms;
	if (!can_derive(n) || sym_overflowed(syms))
		return;
	value *v = n->out[0];
	int count = small_count(v);
	sym *elements[MAX_ELEMENTS];
	int64_t extent[MAX_RANK];
	for (int i = 0; i < v->rank; i++)
		extent[i] = count > 0 ? sym_value(v->dims[i]) : 0; /* beside a 0 other dims may be symbols */

	const tensor *t = value_tensor(v);
	elem e = {.a = n->graph->a, .exprs = n->graph->exprs, .syms = syms, .read = read_known};
	coord at = first_coord(syms, v->rank);
	int i = 0;
	for (; i < count; i++) {
		if (t)
			elements[i] = t->data ? sym_const(syms, tensor_int(t, (size_t)i)) : NULL;
		else
			elements[i] = element_at(&e, n, at);
		if (!elements[i])
			break;
		next_coord(syms, &at, extent, v->rank);
	}
	if (i == count && !sym_overflowed(syms))
		set_elements(v, elements, count);
	sym_clear_overflow(syms); /* a size that does not fit is merely not known: the code that runs wraps */
}
