/* Operators that only rearrange: views, joins, cuts, borders, and the values that shapes are computed from. */
#include "frontend/container.h"
#include "frontend/import_strings.h"
#include "frontend/onnx_attr.h"

#include <math.h>
#include <string.h>

/* ---- shapes as values ------------------------------------------------------------------------------------------------- */
static int bounded_axis(int64_t axis, int rank)
{
	axis = axis < 0 ? axis + rank : axis;
	return (int)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

/* The dims start..end-1 of the input.  ONNX Shape-25. */
value *import_shape(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int from = bounded_axis(attr_int(im, n, "start", 0), x->rank);
	int to = bounded_axis(attr_int(im, n, "end", x->rank), x->rank);
	return build_sizes(im->graph, x->dims + from, to > from ? to - from : 0);
}

value *import_size(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	return build_size_scalar(im->graph, product_of(im, x->dims, x->rank));
}

static value *constant_f32(importer *im, const float *v, int count, int rank)
{
	int64_t dims[1] = {count};
	return build_const(im->graph, tensor_new(im->a, F32, rank, dims, v), NULL);
}

/* A tensor in one of the forms that attributes have.  ONNX Constant-25. */
value *import_constant(importer *im, const onnx_node *n)
{
	const tensor *t = attr_tensor(im, n, "value");
	if (!t)
		t = attr_tensor(im, n, "sparse_value");
	if (t)
		return build_const(im->graph, t, NULL);
	if (attr_given(n, "value_int"))
		return build_scalar_int(im->graph, I64, attr_int(im, n, "value_int", 0));
	if (attr_given(n, "value_float"))
		return build_scalar(im->graph, F32, attr_float(im, n, "value_float", 0));
	int_list ints = attr_ints(im, n, "value_ints");
	if (ints.given)
		return build_const(im->graph, tensor_vector_i64(im->a, ints.v, ints.n), NULL);
	float_list floats = attr_floats(im, n, "value_floats");
	if (floats.given)
		return constant_f32(im, floats.v, floats.n, 1);
	attr_check_all_known(im, n);
	refuse(im, n, "has no value");
}

/* One number everywhere.  ONNX ConstantOfShape-25. */
value *import_constant_of_shape(importer *im, const onnx_node *n)
{
	sym_list shape = elements_of(im, n, input(im, n, 0), "the shape");
	const tensor *t = attr_tensor(im, n, "value");
	if (t && t->n_elements != 1)
		refuse(im, n, "attribute value has %zu elements, must have one", t->n_elements);
	if (shape.n > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", shape.n, MAX_RANK);
	value *one = t ? build_const(im->graph, t, NULL) : build_scalar(im->graph, F32, 0);
	return build_expand(im->graph, reshape(im, one, NULL, 0), shape.v, shape.n);
}

/* The whole number that v is known to hold: an integer, a constant, or a size that was converted to a float; or NULL. */
static sym *whole_number(importer *im, const value *v)
{
	const tensor *t = constant_of(v);
	if (v->elements)
		return v->n_elements == 1 ? v->elements[0] : NULL;
	if (t && t->n_elements == 1 && dtype_is_float(t->type)) {
		double x = tensor_float(t, 0);
		return x == floor(x) && fabs(x) < INT32_MAX ? size(im, (int64_t)x) : NULL;
	}
	bool is_map = v->def && v->def->op == OP_MAP && v->def->n_in == 1;
	const expr *e = is_map ? node_expr(v->def) : NULL;
	if (!e || e->op != EXPR_CAST || e->in[0]->op != EXPR_ARG)
		return NULL;
	return whole_number(im, v->def->in[0]);
}

/* start, start + delta, ... for `count` elements. */
static value *float_steps(importer *im, dtype type, double start, double delta, sym *count)
{
	value *i = build_iota(im->graph, &count, 1, 0);
	const expr *e = expr_cast(im->exprs, dtype_table[type].compute, operand(im, 0, i));
	return map_as(im, type, op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, e, delta), start), &i, 1);
}

static value *float_range(importer *im, const onnx_node *n, dtype type)
{
	double start = float_of(im, n, input(im, n, 0), "start"), limit = float_of(im, n, input(im, n, 1), "limit");
	double delta = float_of(im, n, input(im, n, 2), "delta"), count = ceil((limit - start) / delta);
	if (!(count < 1e15))
		refuse(im, n, "from %g to %g in steps of %g has too many elements", start, limit, delta);
	return float_steps(im, type, start, delta, size(im, count > 0 ? (int64_t)count : 0));
}

/* start, start + delta, ... below limit.  ONNX Range-27. */
value *import_range(importer *im, const onnx_node *n)
{
	dtype type = input(im, n, 0)->type;
	attr_ignore(n, "stash_type"); /* narrow floats are always computed in f32 */
	sym *bound[3];
	for (int i = 0; i < 3; i++)
		bound[i] = whole_number(im, input(im, n, i));
	int64_t delta;
	bool whole = bound[0] && bound[1] && bound[2] && sym_is_const(bound[2], &delta);
	if (dtype_is_float(type) && !whole)
		return float_range(im, n, type);
	sym *start = whole ? bound[0] : element_of(im, n, input(im, n, 0), "start");
	sym *limit = whole ? bound[1] : element_of(im, n, input(im, n, 1), "limit");
	if (!whole)
		delta = int_of(im, n, input(im, n, 2), "delta");
	if (delta == 0 || delta == INT64_MIN)
		refuse(im, n, "delta is %lld", (long long)delta);
	sym *span = delta > 0 ? sym_sub(limit, start) : sym_sub(start, limit);
	sym *count = sym_max(sym_ceildiv(span, size(im, delta > 0 ? delta : -delta)), size(im, 0));
	value *i = build_iota(im->graph, &count, 1, 0);
	const expr *e = op2(im, EXPR_MUL, operand(im, 0, i), expr_int(im->exprs, I64, delta));
	e = op2(im, EXPR_ADD, e, expr_index(im->exprs, start));
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, e), &i, 1);
}

/* size, data type and period of a window function: x = 2 pi i / N (N - 1 when symmetric) for i < N, in f32 or f64. */
static value *window_angles(importer *im, const onnx_node *n, dtype *type)
{
	sym *count = element_of(im, n, input(im, n, 0), "size");
	bool periodic = attr_flag(im, n, "periodic", true);
	*type = attr_dtype(im, n, "output_datatype", F32);
	if (!dtype_is_float(*type))
		refuse(im, n, "output_datatype is %s, must be floating point", dtype_name(*type));
	value *i = build_iota(im->graph, &count, 1, 0);
	const expr *e = op2n(im, EXPR_MUL, expr_cast(im->exprs, F64, operand(im, 0, i)), 6.28318530717958647693);
	e = op2(im, EXPR_DIV, e, sym_number(im, periodic ? count : sym_addi(count, -1), F64));
	return map_as(im, F64, e, &i, 1);
}

/* a - b cos(x) + c cos(2x).  ONNX HannWindow-17, HammingWindow-17, BlackmanWindow-17. */
value *import_window(importer *im, const onnx_node *n)
{
	static const double rows[][3] = {{0.5, 0.5, 0}, {25.0 / 46, 21.0 / 46, 0}, {0.42, 0.5, 0.08}};
	const double *c = rows[n->op->arg];
	dtype type;
	value *angle = window_angles(im, n, &type);
	const expr *x = operand(im, 0, angle);
	const expr *first = op2n(im, EXPR_MUL, op1(im, EXPR_COS, x), -c[1]);
	const expr *second = op2n(im, EXPR_MUL, op1(im, EXPR_COS, op2n(im, EXPR_MUL, x, 2)), c[2]);
	const expr *e = op2n(im, EXPR_ADD, op2(im, EXPR_ADD, first, second), c[0]);
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, e), &angle, 1);
}

/* ---- views --------------------------------------------------------------------------------------------------------------- */
/* What -1 stands for: all elements divided by the other sizes, common factors removed first. */
static sym *inferred_dim(importer *im, const onnx_node *n, const value *x, sym *const *shape, int rank, int inferred)
{
	sym *above = size(im, 1), *below = size(im, 1);
	bool cancelled[MAX_RANK] = {0};
	int64_t all, rest;
	for (int i = 0; i < rank; i++) {
		int match = i == inferred ? x->rank : 0;
		while (match < x->rank && (cancelled[match] || x->dims[match] != shape[i] || sym_is(shape[i], 0)))
			match++;
		if (match < x->rank)
			cancelled[match] = true;
		else if (i != inferred)
			below = sym_mul(below, shape[i]);
	}
	for (int i = 0; i < x->rank; i++)
		above = cancelled[i] ? above : sym_mul(above, x->dims[i]);
	if (sym_is(below, 0))
		refuse(im, n, "the shape has -1 beside a 0");
	if (sym_is_const(above, &all) && sym_is_const(below, &rest) && all % rest != 0)
		refuse(im, n, "%lld elements do not divide by %lld", (long long)all, (long long)rest);
	return sym_floordiv(above, below);
}

static value *reshape_to(importer *im, const onnx_node *n, value *x, sym_list to)
{
	sym *shape[MAX_RANK];
	int inferred = -1;
	bool allow_zero = attr_flag(im, n, "allowzero", false);
	if (to.n > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", to.n, MAX_RANK);
	for (int i = 0; i < to.n; i++) {
		shape[i] = to.v[i];
		if (sym_is(to.v[i], -1)) {
			if (inferred >= 0)
				refuse(im, n, "the shape has -1 twice");
			inferred = i;
		} else if (sym_is(to.v[i], 0) && !allow_zero) {
			if (i >= x->rank)
				refuse(im, n, "the shape copies axis %d of an input of rank %d", i, x->rank);
			shape[i] = x->dims[i];
		}
	}
	if (inferred >= 0)
		shape[inferred] = inferred_dim(im, n, x, shape, to.n, inferred);
	return reshape(im, x, shape, to.n);
}

/* ONNX Reshape-25; before 5 the shape is an attribute. */
value *import_reshape(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	attr_ignore(n, "consumed_inputs");
	if (n->version >= 5)
		return reshape_to(im, n, x, elements_of(im, n, input(im, n, 1), "the shape"));
	int_list list = attr_ints_required(im, n, "shape");
	sym **shape = new_array(im->a, sym *, (size_t)list.n);
	for (int i = 0; i < list.n; i++)
		shape[i] = size(im, list.v[i]);
	return reshape_to(im, n, x, (sym_list){shape, list.n});
}

/* Two axes: those before `axis`, and the rest.  ONNX Flatten-25. */
value *import_flatten(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int64_t axis = attr_int(im, n, "axis", 1);
	if (is_container(x))
		return joined_words(im, n, x, axis);
	if (axis < -x->rank || axis > x->rank)
		refuse(im, n, "axis %lld is out of range for rank %d", (long long)axis, x->rank);
	int at = (int)(axis < 0 ? axis + x->rank : axis);
	sym *shape[2] = {product_of(im, x->dims, at), product_of(im, x->dims + at, x->rank - at)};
	return reshape(im, x, shape, 2);
}

/* The axes of an operator that takes them as an attribute before version `since` and as input 1 since; -1: absent. */
static int axes_given(importer *im, const onnx_node *n, int since, const int64_t **axes)
{
	int count = -1;
	if (n->version >= since) {
		value *v = input_or_null(n, 1);
		if (v)
			*axes = ints_of(im, n, v, "axes", &count);
		return count;
	}
	int_list list = attr_ints(im, n, "axes");
	*axes = list.v;
	return list.given ? list.n : -1;
}

/* ONNX Squeeze-25. */
value *import_squeeze(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	const int64_t *given;
	int axes[MAX_RANK], count = 0, n_given = axes_given(im, n, 13, &given);
	for (int i = 0; n_given < 0 && i < x->rank; i++) {
		if (sym_is(x->dims[i], 1))
			axes[count++] = i;
		else if (!sym_is_const(x->dims[i], NULL))
			refuse(im, n, "without axes, every size must be known, but axis %d is not", i);
	}
	for (int i = 0; i < n_given && i < MAX_RANK; i++) {
		axes[count++] = axis_in(im, n, given[i], x->rank);
		sym *d = x->dims[axes[count - 1]];
		if (sym_is_const(d, NULL) && !sym_is(d, 1))
			refuse(im, n, "axis %lld has size %lld, must be 1", (long long)given[i], (long long)sym_value(d));
	}
	return build_squeeze(im->graph, x, axes, count);
}

/* ONNX Unsqueeze-25. */
value *import_unsqueeze(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	const int64_t *given;
	int axes[MAX_RANK], count = axes_given(im, n, 13, &given);
	if (count < 0)
		refuse(im, n, "axes are missing");
	if (x->rank + count > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", x->rank + count, MAX_RANK);
	for (int i = 0; i < count; i++)
		axes[i] = axis_in(im, n, given[i], x->rank + count);
	return build_unsqueeze(im->graph, x, axes, count);
}

/* ONNX Transpose-25; without perm the axes are reversed. */
value *import_transpose(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int_list list = attr_ints(im, n, "perm");
	int perm[MAX_RANK];
	unsigned seen = 0;
	if (list.given && list.n != x->rank)
		refuse(im, n, "perm has %d entries for rank %d", list.n, x->rank);
	for (int i = 0; i < x->rank; i++) {
		perm[i] = list.given ? axis_in(im, n, list.v[i], x->rank) : x->rank - 1 - i;
		if (seen & 1u << perm[i])
			refuse(im, n, "perm names axis %d twice", perm[i]);
		seen |= 1u << perm[i];
	}
	return build_transpose(im->graph, x, perm);
}

/* ---- broadcasting and repeating -------------------------------------------------------------------------------------------- */
static sym *broadcast_dim(importer *im, const onnx_node *n, sym *a, sym *b)
{
	int64_t x, y;
	bool a_const = sym_is_const(a, &x), b_const = sym_is_const(b, &y);
	if (a == b || (b_const && y == 1))
		return a;
	if (a_const && x == 1)
		return b;
	if (a_const && b_const)
		refuse(im, n, "sizes %lld and %lld do not broadcast", (long long)x, (long long)y);
	sym *both = a_const ? a : b_const ? b : sym_max(a, b);
	if (!graph_assume(im->graph, CONDITION_ONE_OR_EQUAL, b, both))
		refuse(im, n, "a size of the shape does not broadcast with the input's");
	return both;
}

/* ONNX Expand-13: the shape broadcasts against the input, so a 1 in it keeps the input's size. */
value *import_expand(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	sym_list to = elements_of(im, n, input(im, n, 1), "the shape");
	int rank = to.n > x->rank ? to.n : x->rank;
	sym *shape[MAX_RANK], *one = size(im, 1);
	if (rank > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", rank, MAX_RANK);
	for (int i = 0; i < rank; i++) {
		int a = i - (rank - x->rank), b = i - (rank - to.n);
		shape[i] = broadcast_dim(im, n, a < 0 ? one : x->dims[a], b < 0 ? one : to.v[b]);
	}
	return build_expand(im->graph, x, shape, rank);
}

/* ONNX Tile-13; version 1 repeats one axis. */
value *import_tile(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	sym *shape[MAX_RANK];
	if (n->version < 6) {
		int axis = axis_in(im, n, int_of(im, n, input(im, n, 2), "axis"), x->rank);
		memcpy(shape, x->dims, (size_t)x->rank * sizeof shape[0]);
		shape[axis] = sym_mul(shape[axis], element_of(im, n, input(im, n, 1), "tiles"));
		return build_tile(im->graph, x, shape);
	}
	sym_list repeats = elements_of(im, n, input(im, n, 1), "repeats");
	if (repeats.n != x->rank)
		refuse(im, n, "repeats has %d entries for rank %d", repeats.n, x->rank);
	for (int i = 0; i < x->rank; i++)
		shape[i] = sym_mul(x->dims[i], repeats.v[i]);
	return build_tile(im->graph, x, shape);
}

/* ---- joining and cutting ---------------------------------------------------------------------------------------------------- */
/* Joins the inputs along `axis` (default 1 before 4, required since).  ONNX Concat-13. */
value *import_concat(importer *im, const onnx_node *n)
{
	value *const *in = inputs(im, n);
	int64_t axis = n->version < 4 ? attr_int(im, n, "axis", 1) : attr_int_required(im, n, "axis");
	for (int i = 1; i < n->n_in; i++) {
		expect_same_type(im, n, in[0], in[i]);
		expect_rank(im, n, in[i], in[0]->rank, in[0]->rank);
	}
	return build_concat(im->graph, in, n->n_in, axis_in(im, n, axis, in[0]->rank));
}

/* Elements [start, start + count) along one axis. */
static value *part(importer *im, value *x, int axis, sym *start, sym *count)
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

/* The sizes of the parts: given, or equal ones (since 18 the last may be smaller). */
static sym_list split_sizes(importer *im, const onnx_node *n, const value *x, int axis)
{
	value *given = input_or_null(n, 1);
	int_list list = n->version < 13 ? attr_ints(im, n, "split") : (int_list){0};
	int64_t parts = n->version < 18 ? n->n_out : attr_int(im, n, "num_outputs", n->n_out);
	if (given)
		return elements_of(im, n, given, "split");
	if (parts != n->n_out)
		refuse(im, n, "num_outputs is %lld, but the node has %d outputs", (long long)parts, n->n_out);
	sym **sizes = new_array(im->a, sym *, (size_t)(list.given ? list.n : n->n_out));
	if (list.given) {
		for (int i = 0; i < list.n; i++)
			sizes[i] = size(im, list.v[i]);
		return (sym_list){sizes, list.n};
	}
	sym *dim = x->dims[axis], *each = sym_ceildiv(dim, size(im, n->n_out));
	if (n->version < 18 && !graph_assume(im->graph, CONDITION_EQUAL, sym_modi(dim, n->n_out), size(im, 0)))
		refuse(im, n, "axis %d does not divide into %d parts", axis, n->n_out);
	bool even = n->version < 18 || sym_proves_multiple(dim, n->n_out);
	for (int i = 0; i < n->n_out; i++) {
		sym *left = sym_max(sym_sub(dim, sym_muli(each, i)), size(im, 0));
		sizes[i] = even ? sym_floordiv(dim, size(im, n->n_out)) : sym_min(each, left);
	}
	return (sym_list){sizes, n->n_out};
}

/* ONNX Split-18. */
value *import_split(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank);
	sym_list sizes = split_sizes(im, n, x, axis);
	sym *start = size(im, 0);
	if (sizes.n != n->n_out)
		refuse(im, n, "split has %d entries for %d outputs", sizes.n, n->n_out);
	for (int i = 0; i < sizes.n; i++) {
		if (sizes.v[i]->hi < 0)
			refuse(im, n, "split has a negative entry");
		set_result(n, i, part(im, x, axis, start, sizes.v[i]));
		start = sym_add(start, sizes.v[i]);
	}
	bool both_known = sym_is_const(start, NULL) && sym_is_const(x->dims[axis], NULL);
	if (both_known && start != x->dims[axis])
		refuse(im, n, "the parts have %lld elements, axis %d has %lld", (long long)sym_value(start), axis,
		       (long long)sym_value(x->dims[axis]));
	if (!graph_assume(im->graph, CONDITION_EQUAL, start, x->dims[axis]))
		refuse(im, n, "the parts never make up axis %d", axis);
	return n->n_out > 0 ? n->out[0] : NULL;
}

/* A bound of a slice counted from the front: negative ones count from the end. */
static sym *from_front(importer *im, sym *i, sym *dim)
{
	if (i->lo >= 0)
		return i;
	if (i->hi < 0)
		return sym_add(i, dim);
	/* i < 0 ? i + dim : i */
	sym *is_negative = sym_min(sym_max(sym_neg(i), size(im, 0)), size(im, 1));
	return sym_add(i, sym_mul(dim, is_negative));
}

/* The bound cut to [lo, hi]; constants beyond any size mean the ends. */
static sym *slice_bound(importer *im, sym *i, sym *dim, sym *lo, sym *hi)
{
	int64_t constant;
	if (sym_is_const(i, &constant) && constant >= INT32_MAX)
		return hi;
	if (sym_is_const(i, &constant) && constant <= INT32_MIN)
		return lo;
	i = from_front(im, i, dim);
	return i == hi ? hi : sym_max(sym_min(i, hi), lo);
}

typedef struct slice_spec {
	sym *starts[MAX_RANK], *shape[MAX_RANK];
	int64_t steps[MAX_RANK];
} slice_spec;

static void slice_axis(importer *im, slice_spec *s, int axis, sym *dim, sym *start, sym *end, int64_t step)
{
	sym *zero = size(im, 0), *last = sym_addi(dim, -1), *span;
	if (step > 0) {
		start = slice_bound(im, start, dim, zero, dim);
		span = sym_sub(slice_bound(im, end, dim, zero, dim), start);
	} else {
		start = slice_bound(im, start, dim, sym_min(zero, last), last);
		span = sym_sub(start, slice_bound(im, end, dim, size(im, -1), last));
	}
	s->starts[axis] = start;
	s->steps[axis] = step;
	s->shape[axis] = sym_max(sym_ceildiv(span, size(im, step > 0 ? step : -step)), zero);
	if (sym_is(s->shape[axis], 0))
		s->starts[axis] = zero;
}

/* Before 10: attributes starts, ends, axes. */
static sym_list slice_attr(importer *im, const onnx_node *n, const char *name)
{
	int_list list = attr_ints(im, n, name);
	sym **v = new_array(im->a, sym *, (size_t)list.n);
	for (int i = 0; i < list.n; i++)
		v[i] = size(im, list.v[i]);
	return (sym_list){v, list.given ? list.n : -1};
}

static sym_list slice_list(importer *im, const onnx_node *n, int i, const char *name)
{
	if (n->version < 10)
		return slice_attr(im, n, name);
	value *v = i < 3 ? input(im, n, i) : input_or_null(n, i);
	return v ? elements_of(im, n, v, name) : (sym_list){NULL, -1};
}

static int64_t constant_in(importer *im, const onnx_node *n, sym *s, const char *what)
{
	int64_t v;
	if (!sym_is_const(s, &v))
		refuse(im, n, "%s must be constant", what);
	return v;
}

/* ONNX Slice-13. */
value *import_slice(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	sym_list starts = slice_list(im, n, 1, "starts"), ends = slice_list(im, n, 2, "ends");
	sym_list axes = slice_list(im, n, 3, "axes");
	sym_list steps = n->version < 10 ? (sym_list){NULL, -1} : slice_list(im, n, 4, "steps");
	slice_spec s;
	bool done[MAX_RANK] = {0};
	if (starts.n < 0 || ends.n != starts.n || (axes.n >= 0 && axes.n != starts.n) || (steps.n >= 0 && steps.n != starts.n))
		refuse(im, n, "starts, ends, axes and steps differ in length");
	for (int i = 0; i < x->rank; i++) {
		s.starts[i] = size(im, 0);
		s.shape[i] = x->dims[i];
		s.steps[i] = 1;
	}
	for (int i = 0; i < starts.n; i++) {
		int axis = axis_in(im, n, axes.n < 0 ? i : constant_in(im, n, axes.v[i], "axes"), x->rank);
		int64_t step = steps.n < 0 ? 1 : constant_in(im, n, steps.v[i], "steps");
		if (done[axis])
			refuse(im, n, "axes names axis %d twice", axis);
		if (step == 0)
			refuse(im, n, "a step is 0");
		done[axis] = true;
		/* a step longer than any axis takes one element */
		step = step > INT32_MAX ? INT32_MAX : step < -INT32_MAX ? -INT32_MAX : step;
		slice_axis(im, &s, axis, x->dims[axis], starts.v[i], ends.v[i], step);
	}
	return build_slice(im->graph, x, s.starts, s.steps, s.shape);
}

/* ---- borders ------------------------------------------------------------------------------------------------------------------ */
static value *pad_fill(importer *im, const onnx_node *n, value *x)
{
	if (n->version < 11) {
		double fill = attr_float(im, n, "value", 0);
		return fill == 0 ? NULL : build_scalar(im->graph, x->type, fill);
	}
	value *fill = input_or_null(n, 2);
	if (!fill)
		return NULL;
	expect_same_type(im, n, x, fill);
	return fill;
}

static sym_list pads_of(importer *im, const onnx_node *n)
{
	if (n->version < 11)
		return slice_attr(im, n, n->version < 2 ? "paddings" : "pads");
	return elements_of(im, n, input(im, n, 1), "pads");
}

/* ONNX Pad-25: pads hold the lows of all axes (or of `axes`), then the highs. */
value *import_pad(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *axes = n->version < 18 ? NULL : input_or_null(n, 3);
	const char *mode = attr_word(im, n, "mode", "constant edge reflect wrap");
	sym_list pads = pads_of(im, n);
	value *fill = pad_fill(im, n, x);
	sym *lo[MAX_RANK], *hi[MAX_RANK];
	int count = x->rank;
	const int64_t *axis = axes ? ints_of(im, n, axes, "axes", &count) : NULL;
	if (pads.n != 2 * count)
		refuse(im, n, "pads has %d entries, needs %d", pads.n, 2 * count);
	for (int i = 0; i < x->rank; i++)
		lo[i] = hi[i] = size(im, 0);
	for (int i = 0; i < count; i++) {
		int at = axis ? axis_in(im, n, axis[i], x->rank) : i;
		lo[at] = pads.v[i];
		hi[at] = pads.v[count + i];
	}
	return build_pad(im->graph, x, lo, hi, mode, mode[0] == 'c' ? fill : NULL);
}

/* Half of to - from, rounded toward 0. */
static sym *half_difference(importer *im, sym *from, sym *to)
{
	sym *zero = size(im, 0);
	return sym_sub(sym_divi(sym_max(sym_sub(to, from), zero), 2), sym_divi(sym_max(sym_sub(from, to), zero), 2));
}

/* Cut or bordered with zeros to a size, keeping the centre.  ONNX CenterCropPad-18. */
value *import_center_crop_pad(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	sym_list to = elements_of(im, n, input(im, n, 1), "the shape");
	int_list axes = attr_ints(im, n, "axes");
	sym *lo[MAX_RANK], *hi[MAX_RANK];
	int count = axes.given ? axes.n : x->rank;
	if (to.n != count || count > x->rank)
		refuse(im, n, "the shape has %d entries for %d axes", to.n, count);
	for (int i = 0; i < x->rank; i++)
		lo[i] = hi[i] = size(im, 0);
	for (int i = 0; i < count; i++) {
		int at = axes.given ? axis_in(im, n, axes.v[i], x->rank) : i;
		lo[at] = half_difference(im, x->dims[at], to.v[i]);
		hi[at] = sym_sub(sym_sub(to.v[i], x->dims[at]), lo[at]);
	}
	return build_pad(im->graph, x, lo, hi, "constant", NULL);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------------- */
static int64_t block_size(importer *im, const onnx_node *n, const value *x)
{
	expect_rank(im, n, x, 4, 4);
	int64_t block = attr_int_required(im, n, "blocksize");
	if (block < 1 || block > INT16_MAX)
		refuse(im, n, "blocksize is %lld", (long long)block);
	return block;
}

/* Channels become blocks of space.  ONNX DepthToSpace-28. */
value *import_depth_to_space(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int64_t b = block_size(im, n, x);
	bool crd = attr_word(im, n, "mode", "DCR CRD")[0] == 'C';
	if (sym_is_const(x->dims[1], NULL) && sym_value(x->dims[1]) % (b * b) != 0)
		refuse(im, n, "%lld channels do not divide by %lld", (long long)sym_value(x->dims[1]), (long long)(b * b));
	sym *block = size(im, b), *depth = sym_divi(x->dims[1], b * b);
	sym *dcr_shape[] = {x->dims[0], block, block, depth, x->dims[2], x->dims[3]};
	sym *crd_shape[] = {x->dims[0], depth, block, block, x->dims[2], x->dims[3]};
	sym *shape[] = {x->dims[0], depth, sym_mul(x->dims[2], block), sym_mul(x->dims[3], block)};
	value *blocks = reshape(im, x, crd ? crd_shape : dcr_shape, 6);
	value *moved = build_transpose(im->graph, blocks, crd ? (int[]){0, 1, 4, 2, 5, 3} : (int[]){0, 3, 4, 1, 5, 2});
	return reshape(im, moved, shape, 4);
}

/* Blocks of space become channels.  ONNX SpaceToDepth-28. */
value *import_space_to_depth(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int64_t b = block_size(im, n, x);
	bool crd = n->version >= 28 && attr_word(im, n, "mode", "DCR CRD")[0] == 'C';
	for (int i = 2; i < 4; i++)
		if (sym_is_const(x->dims[i], NULL) && sym_value(x->dims[i]) % b != 0)
			refuse(im, n, "size %lld does not divide by %lld", (long long)sym_value(x->dims[i]), (long long)b);
	sym *block = size(im, b), *h = sym_divi(x->dims[2], b), *w = sym_divi(x->dims[3], b);
	sym *split[] = {x->dims[0], x->dims[1], h, block, w, block};
	sym *shape[] = {x->dims[0], sym_muli(x->dims[1], b * b), h, w};
	value *blocks = reshape(im, x, split, 6);
	value *moved = build_transpose(im->graph, blocks, crd ? (int[]){0, 1, 3, 5, 2, 4} : (int[]){0, 3, 5, 1, 2, 4});
	return reshape(im, moved, shape, 4);
}
