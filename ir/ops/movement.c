/* Ops that only move elements: the element at given indices is one operand element at computed indices.
 *
 * Index arithmetic stays as simple as the shapes allow: what is always inside is not guarded, what cannot wrap has no
 * modulus, and a reshape divides only within the axes that it really regroups. */
#include "ir/ops/rules.h"

#include "support/checked.h"

#include <string.h>

static bool same_type(const node *n, const char **why, const value *a, const value *b)
{
	if (a->type != b->type)
		return rule_refuse(n, why, "operands are %s and %s, must be of one type", dtype_name(a->type),
				   dtype_name(b->type));
	return true;
}

/* ---- reshape -------------------------------------------------------------------------------------------------------- */
bool infer_reshape(node *n, const char **why)
{
	int rank;
	if (!rule_form(n, why, 1, "shape") || !rule_syms(n, why, "shape", -1, 0))
		return false;
	sym *const *shape = node_syms(n, "shape", &rank);
	if (!rule_result(n, why, 0, n->in[0]->type, rank, shape))
		return false;
	sym *from = value_size(n->in[0]), *to = value_size(n->out[0]);
	if (!dim_agree(n, from, to))
		return rule_refuse(n, why, "operand has %s elements, the shape %s", sym_text(n, from),
				   sym_text(n, to));
	return true;
}

/* Numbers of elements before[i] and after[i] axis i, as products of the axes 0 .. i-1 and i .. rank-1. */
struct products {
	sym *before[MAX_RANK + 1], *after[MAX_RANK + 1];
};

static struct products products_of(sym_ctx *c, const value *v)
{
	struct products p;
	p.before[0] = p.after[v->rank] = sym_const(c, 1);
	for (int i = 0; i < v->rank; i++)
		p.before[i + 1] = sym_mul(p.before[i], v->dims[i]);
	for (int i = v->rank; i-- > 0;)
		p.after[i] = sym_mul(v->dims[i], p.after[i + 1]);
	return p;
}

/* Moves *i, *o to the next pair of axes before which (equivalently: after which) both shapes have equally many elements. */
static void next_boundary(const struct products *in, int in_rank, const struct products *out, int out_rank, int *i, int *o)
{
	for (int sum = *i + *o + 1; sum <= in_rank + out_rank; sum++)
		for (int k = *i; k <= in_rank && k <= sum - *o; k++) {
			int m = sum - k;
			if (m > out_rank || (in->before[k] != out->before[m] && in->after[k] != out->after[m]))
				continue;
			*i = k;
			*o = m;
			return;
		}
}

/* Coordinates of operand axes [from, to) by the row-major index among them. */
static void split(coord *c, const value *in, int from, int to, sym *linear)
{
	value group = *in;
	group.dims = in->dims + from;
	group.rank = to - from;
	coord part = coord_unlinear(&group, linear);
	memcpy(&c->i[from], part.i, (size_t)part.rank * sizeof part.i[0]);
}

static sym *join(sym_ctx *c, const value *out, int from, int to, coord at)
{
	sym *linear = sym_const(c, 0);
	for (int k = from; k < to; k++)
		if (!sym_is(out->dims[k], 1))
			linear = sym_add(sym_mul(linear, out->dims[k]), at.i[k]);
	return linear;
}

const expr *elem_reshape(elem *e, const node *n, coord at)
{
	const value *in = n->in[0], *out = n->out[0];
	struct products p = products_of(e->syms, in), q = products_of(e->syms, out);
	coord c = {.rank = in->rank};
	for (int i = 0, o = 0; i < in->rank || o < out->rank;) {
		int i0 = i, o0 = o;
		next_boundary(&p, in->rank, &q, out->rank, &i, &o);
		split(&c, in, i0, i, join(e->syms, out, o0, o, at));
	}
	return elem_read(e, in, c);
}

/* ---- transpose -------------------------------------------------------------------------------------------------------- */
bool infer_transpose(node *n, const char **why)
{
	int rank = n->n_in > 0 ? n->in[0]->rank : 0, count;
	sym *dims[MAX_RANK];
	bool seen[MAX_RANK] = {0};
	if (!rule_form(n, why, 1, "perm") || !rule_ints(n, why, "perm", rank, INT64_MIN))
		return false;
	const int64_t *perm = node_ints(n, "perm", &count);
	for (int i = 0; i < rank; i++) {
		if (perm[i] < 0 || perm[i] >= rank)
			return rule_refuse(n, why, "perm names axis %lld, but the operand has rank %d",
					   (long long)perm[i], rank);
		if (seen[perm[i]])
			return rule_refuse(n, why, "perm names axis %lld twice", (long long)perm[i]);
		seen[perm[i]] = true;
		dims[i] = n->in[0]->dims[perm[i]];
	}
	return rule_result(n, why, 0, n->in[0]->type, rank, dims);
}

const expr *elem_transpose(elem *e, const node *n, coord at)
{
	int count;
	const int64_t *perm = node_ints(n, "perm", &count);
	coord c = {.rank = at.rank};
	for (int i = 0; i < at.rank; i++)
		c.i[perm[i]] = at.i[i];
	return elem_read(e, n->in[0], c);
}

/* ---- expand ----------------------------------------------------------------------------------------------------------- */
bool infer_expand(node *n, const char **why)
{
	int rank;
	if (!rule_form(n, why, 1, "shape") || !rule_syms(n, why, "shape", -1, 0))
		return false;
	const value *x = n->in[0];
	sym *const *shape = node_syms(n, "shape", &rank);
	if (rank < x->rank)
		return rule_refuse(n, why, "operand has rank %d, the shape only %d", x->rank, rank);
	for (int i = 0; i < x->rank; i++) {
		sym *d = x->dims[i], *to = shape[rank - x->rank + i];
		if (!rule_one_or_equal(n, d, to))
			return rule_refuse(n, why, "axis %d has size %s, cannot become %s", i, sym_text(n, d),
					   sym_text(n, to));
	}
	return rule_result(n, why, 0, x->type, rank, shape);
}

const expr *elem_expand(elem *e, const node *n, coord at)
{
	const value *x = n->in[0], *out = n->out[0];
	coord c = coord_broadcast(x, at);
	for (int i = 0; i < x->rank; i++) {
		int o = out->rank - x->rank + i;
		if (x->dims[i] == out->dims[o] && !sym_is(x->dims[i], 1))
			c.i[i] = at.i[o];
	}
	return elem_read(e, x, c);
}

/* ---- slice ------------------------------------------------------------------------------------------------------------ */
static bool symbolic_slice_in_range(const node *n, const char **why, int axis, sym *start, int64_t step, sym *size)
{
	sym *dim = n->in[0]->dims[axis], *zero = sym_const(n->graph->syms, 0);
	sym *end = sym_add(start, sym_muli(sym_addi(size, -1), step)); /* the last element */
	if (!rule_at_least(n, step > 0 ? start : end, zero) || !rule_at_least(n, dim, sym_addi(step > 0 ? end : start, 1)))
		return rule_refuse(n, why, "%s elements from %s in steps of %lld leave axis %d of size %s", sym_text(n, size),
				   sym_text(n, start), (long long)step, axis, sym_text(n, dim));
	return true;
}

static bool slice_in_range(const node *n, const char **why, int axis, sym *start, int64_t step, sym *size)
{
	sym *dim = n->in[0]->dims[axis];
	int64_t a, count, d, span;
	if (step == 0)
		return rule_refuse(n, why, "steps[%d] is 0", axis);
	if (sym_is(size, 0))
		return true;
	if (!sym_is_const(start, &a) || !sym_is_const(size, &count) || !sym_is_const(dim, &d))
		return symbolic_slice_in_range(n, why, axis, start, step, size);
	bool fits = a >= 0 && a < d && mul_i64(count - 1, step < 0 ? -step : step, &span) &&
		    span <= (step < 0 ? a : d - 1 - a);
	if (!fits)
		return rule_refuse(n, why, "%lld elements from %lld in steps of %lld leave axis %d of size %lld",
				   (long long)count, (long long)a, (long long)step, axis, (long long)d);
	return true;
}

bool infer_slice(node *n, const char **why)
{
	int rank = n->n_in > 0 ? n->in[0]->rank : 0, count;
	if (!rule_form(n, why, 1, "starts steps shape") || !rule_syms(n, why, "starts", rank, INT64_MIN) ||
	    !rule_ints(n, why, "steps", rank, -INT32_MAX) || !rule_syms(n, why, "shape", rank, 0))
		return false;
	sym *const *starts = node_syms(n, "starts", &count), *const *shape = node_syms(n, "shape", &count);
	const int64_t *steps = node_ints(n, "steps", &count);
	for (int i = 0; i < rank; i++)
		if (!slice_in_range(n, why, i, starts[i], steps[i], shape[i]))
			return false;
	return rule_result(n, why, 0, n->in[0]->type, rank, shape);
}

const expr *elem_slice(elem *e, const node *n, coord at)
{
	int count;
	sym *const *starts = node_syms(n, "starts", &count);
	const int64_t *steps = node_ints(n, "steps", &count);
	for (int i = 0; i < at.rank; i++)
		at.i[i] = sym_add(starts[i], sym_muli(at.i[i], steps[i]));
	return elem_read(e, n->in[0], at);
}

/* ---- pad -------------------------------------------------------------------------------------------------------------- */
bool infer_pad(node *n, const char **why)
{
	int rank = n->n_in > 0 ? n->in[0]->rank : 0, count;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "lo hi mode") || !rule_syms(n, why, "lo", rank, -INT32_MAX) ||
	    !rule_syms(n, why, "hi", rank, -INT32_MAX) || !rule_word(n, why, "mode", "constant edge reflect wrap"))
		return false;
	const value *x = n->in[0];
	sym *const *lo = node_syms(n, "lo", &count), *const *hi = node_syms(n, "hi", &count);
	bool constant = node_word_is(n, "mode", "constant", "constant");
	for (int i = 0; i < rank; i++) {
		dims[i] = sym_add(sym_add(lo[i], x->dims[i]), hi[i]);
		if (!constant && !rule_nonempty_for(n, x->dims[i], dims[i]))
			return rule_refuse(n, why, "axis %d has size 0, which only mode=constant can pad", i);
	}
	if (n->n_in == 2 && !sym_is(value_size(n->in[1]), 1))
		return rule_refuse(n, why, "its fill has %s elements, must be a scalar",
				   sym_text(n, value_size(n->in[1])));
	if (n->n_in == 2 && !same_type(n, why, x, n->in[1]))
		return false;
	if (n->n_in == 1 && constant && x->type == STRING)
		return rule_refuse(n, why, "of strings needs a fill operand");
	return rule_result(n, why, 0, x->type, rank, dims);
}

static sym *clamp_index(sym *i, sym *extent)
{
	sym *zero = sym_const(i->ctx, 0);
	if (!sym_proves_lt(i, extent))
		i = sym_min(i, sym_addi(extent, -1));
	return sym_proves_ge(i, zero) ? i : sym_max(i, zero);
}

/* Mirrored at both ends without repeating them.  Borders shorter than the axis are reflected once; longer ones go to
 * and fro, with period 2 * last. */
static sym *reflect_index(sym *i, sym *lo, sym *hi, sym *extent)
{
	sym *last = sym_addi(extent, -1), *period = sym_muli(last, 2), *one = sym_const(i->ctx, 1);
	if (!sym_proves_ge(last, lo) || !sym_proves_ge(last, hi))
		i = sym_mod(i, sym_proves_ge(period, one) ? period : sym_max(period, one));
	else if (!sym_proves_ge(i, sym_const(i->ctx, 0)))
		i = sym_max(i, sym_neg(i));
	return sym_proves_lt(i, extent) ? i : sym_min(i, sym_sub(period, i));
}

static sym *bordered_index(const char *mode, sym *i, sym *lo, sym *hi, sym *extent)
{
	if (sym_is(extent, 0) || sym_is(extent, 1))
		return sym_const(i->ctx, 0);
	if (strcmp(mode, "edge") == 0)
		return clamp_index(i, extent);
	if (strcmp(mode, "wrap") == 0)
		return sym_mod(i, extent);
	return reflect_index(i, lo, hi, extent);
}

static const expr *fill_of(elem *e, const node *n)
{
	if (n->n_in == 1)
		return elem_number(e, n->in[0]->type, 0);
	coord at = {.rank = n->in[1]->rank};
	for (int i = 0; i < at.rank; i++)
		at.i[i] = sym_const(e->syms, 0);
	return elem_read(e, n->in[1], at);
}

const expr *elem_pad(elem *e, const node *n, coord at)
{
	int count;
	const value *x = n->in[0];
	sym *const *lo = node_syms(n, "lo", &count), *const *hi = node_syms(n, "hi", &count);
	const char *mode = node_word(n, "mode", "constant");
	bool constant = strcmp(mode, "constant") == 0;
	const expr *inside = NULL;
	for (int i = 0; i < x->rank; i++) {
		sym *out = at.i[i];
		at.i[i] = sym_sub(out, lo[i]);
		if (lo[i]->hi <= 0 && hi[i]->hi <= 0)
			continue;
		if (constant)
			inside = elem_and(e, inside, elem_inside(e, at.i[i], x->dims[i]));
		else
			at.i[i] = bordered_index(mode, at.i[i], lo[i], hi[i], x->dims[i]);
	}
	if (!inside)
		return elem_read(e, x, at);
	return elem_guarded(e, inside, x, at, fill_of(e, n));
}

/* ---- concat ----------------------------------------------------------------------------------------------------------- */
bool infer_concat(node *n, const char **why)
{
	int axis;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "axis") || !rule_axis(n, why, n->in[0]->rank, &axis))
		return false;
	const value *first = n->in[0];
	for (int i = 0; i < first->rank; i++)
		dims[i] = first->dims[i];
	for (int k = 1; k < n->n_in; k++) {
		const value *v = n->in[k];
		if (!same_type(n, why, first, v))
			return false;
		if (v->rank != first->rank)
			return rule_refuse(n, why, "operand %d has rank %d, operand 0 has %d", k, v->rank, first->rank);
		for (int i = 0; i < v->rank; i++) {
			sym *both = i == axis ? sym_add(dims[i], v->dims[i]) : dim_agree(n, dims[i], v->dims[i]);
			if (!both)
				return rule_refuse(n, why, "operand %d has size %s on axis %d, others have %s", k,
						   sym_text(n, v->dims[i]), i, sym_text(n, dims[i]));
			dims[i] = both;
		}
	}
	return rule_result(n, why, 0, first->type, first->rank, dims);
}

/* Element `at` lies in the operand whose span [start, end) along the axis holds at[axis].  choose evaluates only the
 * chosen side, so no operand is read outside its span; an operand that cannot hold it is not even asked. */
const expr *elem_concat(elem *e, const node *n, coord at)
{
	int axis = (int)node_int(n, "axis", 0);
	sym *i = at.i[axis], *end = n->out[0]->dims[axis];
	const expr *result = NULL;
	for (int k = n->n_in; k-- > 0;) {
		const value *v = n->in[k];
		sym *start = sym_sub(end, v->dims[axis]);
		bool elsewhere = sym_is(v->dims[axis], 0) || sym_proves_lt(i, start) || sym_proves_ge(i, end);
		if (!elsewhere || (k == 0 && !result)) {
			const expr *here = elem_read(e, v, coord_with(at, axis, sym_sub(i, start)));
			const expr *before_end = elem_lt(e, i, end);
			result = result && before_end ? expr_ternary(e->exprs, EXPR_CHOOSE, before_end, here, result) : here;
		}
		end = start;
	}
	return result;
}

/* ---- tile ------------------------------------------------------------------------------------------------------------- */
/* Is `to` a multiple of d, and 0 when d is? */
static bool repeats(const node *n, sym *d, sym *to)
{
	sym *zero = sym_const(n->graph->syms, 0);
	if (sym_is(d, 0))
		return rule_equal(n, to, zero);
	sym *rest = sym_mod(to, d);
	return sym_is(rest, 0) || (rule_equal(n, rest, zero) && rule_nonempty_for(n, d, to));
}

bool infer_tile(node *n, const char **why)
{
	int rank = n->n_in > 0 ? n->in[0]->rank : 0, count;
	if (!rule_form(n, why, 1, "shape") || !rule_syms(n, why, "shape", rank, 0))
		return false;
	sym *const *shape = node_syms(n, "shape", &count);
	for (int i = 0; i < rank; i++) {
		if (!repeats(n, n->in[0]->dims[i], shape[i]))
			return rule_refuse(n, why, "axis %d of size %s cannot be repeated to %s", i,
					   sym_text(n, n->in[0]->dims[i]), sym_text(n, shape[i]));
	}
	return rule_result(n, why, 0, n->in[0]->type, rank, shape);
}

const expr *elem_tile(elem *e, const node *n, coord at)
{
	const value *x = n->in[0];
	for (int i = 0; i < x->rank; i++) {
		sym *d = x->dims[i];
		if (sym_is(d, 0) || sym_is(d, 1))
			at.i[i] = sym_const(e->syms, 0);
		else if (d != n->out[0]->dims[i])
			at.i[i] = sym_mod(at.i[i], d);
	}
	return elem_read(e, x, at);
}
