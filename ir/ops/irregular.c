/* Irregular ops: their results are not a formula per element, so each builds its kernel itself.
 *
 * The kernels are scalar where the work is (scatters may meet one place twice; a heap is sequential), with vector loops
 * for copies and for scans whose axis is not the innermost. */
#include "ir/kernel_build.h"
#include "ir/ops/rules.h"

#include <string.h>

/* Result element `at` as it stands in memory. */
static const expr *load_result(kernel_builder *b, const value *v, coord at)
{
	const value *base;
	sym *offset = value_offset(v, at, &base);
	return kb_load(b, b->buffer_of(b, base, true), offset);
}

static const expr *is_less(kernel_builder *b, const expr *x, const expr *y)
{
	return expr_binary(b->exprs, EXPR_LT, x, y);
}

/* Loops over the axes of v except `skip`, in storage order; a vector loop for the innermost axis unless that is `skip`.
 * Close them with end_loops. */
static coord loops_except(kernel_builder *b, const value *v, int skip, bool vector)
{
	coord at = {.rank = v->rank};
	for (int p = 0; p < v->rank; p++) {
		int axis = v->layout ? v->layout->order[p] : p;
		if (axis == skip)
			continue;
		bool innermost = p == v->rank - 1;
		at.i[axis] = vector && innermost ? kb_vector(b, "j", v->dims[axis], 0) : kb_for(b, "i", v->dims[axis]);
	}
	return at;
}

static void end_loops(kernel_builder *b, int n)
{
	while (n-- > 0)
		kb_end(b);
}

/* ---- scan_axis ------------------------------------------------------------------------------------------------------ */
bool infer_scan_axis(node *n, const char **why)
{
	int axis;
	if (!rule_form(n, why, 1, "axis op exclusive reverse") || !rule_axis(n, why, n->in[0]->rank, &axis) ||
	    !rule_word(n, why, "op", "sum prod") || !rule_int(n, why, "exclusive", 0, 1) ||
	    !rule_int(n, why, "reverse", 0, 1))
		return false;
	const value *x = n->in[0];
	if (!dtype_is_float(x->type) && !dtype_is_int(x->type))
		return rule_refuse(n, why, "cannot add up %s", dtype_name(x->type));
	return rule_result(n, why, 0, x->type, x->rank, x->dims);
}

/* The running value stays in a local of the compute type; it is not rounded to a storage type on the way. */
void kernel_scan_axis(kernel_builder *b, const node *n)
{
	const value *x = n->in[0], *out = n->out[0];
	int axis = (int)node_int(n, "axis", 0);
	bool product = node_word_is(n, "op", "sum", "prod");
	bool exclusive = node_int(n, "exclusive", 0) != 0;
	coord at = loops_except(b, out, axis, true);
	local *acc = kb_var(b, "acc", out->type, elem_number(&b->elem, out->type, product ? 1 : 0));
	sym *t = kb_for(b, "t", out->dims[axis]);
	at.i[axis] = node_int(n, "reverse", 0) ? sym_sub(sym_addi(out->dims[axis], -1), t) : t;
	const expr *element = kb_let(b, "x", kb_read(b, x, at));
	if (exclusive)
		kb_write(b, out, at, kb_get(b, acc));
	kb_set(b, acc, expr_binary(b->exprs, product ? EXPR_MUL : EXPR_ADD, kb_get(b, acc), element));
	if (!exclusive)
		kb_write(b, out, at, kb_get(b, acc));
	end_loops(b, out->rank);
}

/* ---- scatters ------------------------------------------------------------------------------------------------------- */
static const struct scatter_reduction {
	const char *name;
	expr_op combine;
} scatter_reductions[] = {{"add", EXPR_ADD}, {"mul", EXPR_MUL}, {"min", EXPR_MIN}, {"max", EXPR_MAX}};

static bool rule_scatter(node *n, const char **why)
{
	const value *x = n->in[0], *updates = n->in[2];
	if (!rule_word(n, why, "reduction", "none add mul min max"))
		return false;
	if (!dtype_is_int(n->in[1]->type))
		return rule_refuse(n, why, "indices are %s, must be integers", dtype_name(n->in[1]->type));
	if (updates->type != x->type)
		return rule_refuse(n, why, "updates are %s, the data %s", dtype_name(updates->type), dtype_name(x->type));
	if (!node_word_is(n, "reduction", "none", "none") && !dtype_is_float(x->type) && !dtype_is_int(x->type))
		return rule_refuse(n, why, "reduction=%s of %s", node_word(n, "reduction", "none"), dtype_name(x->type));
	return rule_result(n, why, 0, x->type, x->rank, x->dims);
}

/* Clamping an index needs an axis that has elements. */
static bool hittable(const node *n, const char **why, int axis)
{
	sym *d = n->in[0]->dims[axis];
	return rule_nonempty_for(n, d, value_size(n->in[2])) ||
	       rule_refuse(n, why, "stores along axis %d, which has size %s", axis, sym_text(n, d));
}

static void copy_operand(kernel_builder *b, const node *n)
{
	coord at = kb_nest(b, n->out[0], true);
	kb_write(b, n->out[0], at, kb_read(b, n->in[0], at));
	kb_end_nest(b, n->out[0]);
}

static void scatter(kernel_builder *b, const node *n, coord at, const expr *update)
{
	for (size_t i = 0; i < sizeof scatter_reductions / sizeof scatter_reductions[0]; i++)
		if (node_word_is(n, "reduction", "none", scatter_reductions[i].name))
			update = expr_binary(b->exprs, scatter_reductions[i].combine, load_result(b, n->out[0], at), update);
	kb_write(b, n->out[0], at, update);
}

static sym *read_index(kernel_builder *b, const value *indices, coord at, sym *extent)
{
	return coord_dynamic(&b->elem, kb_let(b, "index", kb_read(b, indices, at)), extent);
}

bool infer_scatter_elements(node *n, const char **why)
{
	int axis;
	if (!rule_form(n, why, 1, "axis reduction") || !rule_axis(n, why, n->in[0]->rank, &axis))
		return false;
	const value *x = n->in[0], *index = n->in[1], *updates = n->in[2];
	if (index->rank != x->rank || updates->rank != x->rank)
		return rule_refuse(n, why, "data, indices and updates have ranks %d, %d and %d, must be equal", x->rank,
				   index->rank, updates->rank);
	for (int i = 0; i < x->rank; i++) {
		if (!dim_agree(n, index->dims[i], updates->dims[i]))
			return rule_refuse(n, why, "axis %d has %s indices but %s updates", i,
					   sym_text(n, index->dims[i]), sym_text(n, updates->dims[i]));
		if (i != axis && !rule_at_least(n, x->dims[i], index->dims[i]))
			return rule_refuse(n, why, "indices have size %s on axis %d, the data only %s",
					   sym_text(n, index->dims[i]), i, sym_text(n, x->dims[i]));
	}
	return hittable(n, why, axis) && rule_scatter(n, why);
}

void kernel_scatter_elements(kernel_builder *b, const node *n)
{
	const value *index = n->in[1];
	int axis = (int)node_int(n, "axis", 0);
	copy_operand(b, n);
	coord at = kb_nest(b, index, false);
	sym *i = read_index(b, index, at, n->out[0]->dims[axis]);
	scatter(b, n, coord_with(at, axis, i), kb_read(b, n->in[2], at));
	kb_end_nest(b, index);
}

bool infer_scatter_nd(node *n, const char **why)
{
	int64_t tuple;
	if (!rule_form(n, why, 1, "reduction"))
		return false;
	const value *x = n->in[0], *index = n->in[1], *updates = n->in[2];
	if (index->rank < 1 || !sym_is_const(index->dims[index->rank - 1], &tuple))
		return rule_refuse(n, why, "the length of its index tuples is not constant");
	if (tuple < 0 || tuple > x->rank)
		return rule_refuse(n, why, "index tuples have %lld entries, the data has rank %d", (long long)tuple, x->rank);
	int outer = index->rank - 1, wanted = outer + x->rank - (int)tuple;
	if (updates->rank != wanted)
		return rule_refuse(n, why, "updates have rank %d, must be %d", updates->rank, wanted);
	for (int i = 0; i < wanted; i++) {
		sym *d = i < outer ? index->dims[i] : x->dims[i - outer + (int)tuple];
		if (!dim_agree(n, d, updates->dims[i]))
			return rule_refuse(n, why, "updates have size %s on axis %d, must be %s",
					   sym_text(n, updates->dims[i]), i, sym_text(n, d));
	}
	for (int i = 0; i < (int)tuple; i++)
		if (!hittable(n, why, i))
			return false;
	return rule_scatter(n, why);
}

/* Within one slice no place is met twice, so its innermost axis may be a vector loop. */
void kernel_scatter_nd(kernel_builder *b, const node *n)
{
	const value *index = n->in[1], *updates = n->in[2], *out = n->out[0];
	int outer = index->rank - 1, tuple = (int)sym_value(index->dims[outer]);
	copy_operand(b, n);
	coord where = {.rank = index->rank}, from = {.rank = updates->rank}, to = {.rank = out->rank};
	for (int i = 0; i < outer; i++)
		where.i[i] = from.i[i] = kb_for(b, "i", index->dims[i]);
	for (int k = 0; k < tuple; k++) {
		where.i[outer] = sym_const(b->syms, k);
		to.i[k] = read_index(b, index, where, out->dims[k]);
	}
	for (int k = tuple; k < out->rank; k++) {
		sym *j = k == out->rank - 1 ? kb_vector(b, "j", out->dims[k], 0) : kb_for(b, "j", out->dims[k]);
		to.i[k] = from.i[outer + k - tuple] = j;
	}
	scatter(b, n, to, kb_read(b, updates, from));
	end_loops(b, updates->rank);
}

/* ---- topk ----------------------------------------------------------------------------------------------------------- */
bool infer_topk(node *n, const char **why)
{
	int axis;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 2, "axis k largest sorted") || !rule_axis(n, why, n->in[0]->rank, &axis) ||
	    !rule_syms(n, why, "k", 1, 0) || !rule_int(n, why, "largest", 0, 1) || !rule_int(n, why, "sorted", 0, 1))
		return false;
	const value *x = n->in[0];
	sym *k = node_syms(n, "k", NULL)[0];
	if (!dtype_is_float(x->type) && !dtype_is_int(x->type))
		return rule_refuse(n, why, "cannot order %s", dtype_name(x->type));
	if (!rule_at_least(n, x->dims[axis], k))
		return rule_refuse(n, why, "k is %s, but axis %d has only %s elements", sym_text(n, k), axis,
				   sym_text(n, x->dims[axis]));
	memcpy(dims, x->dims, (size_t)x->rank * sizeof dims[0]);
	dims[axis] = k;
	return rule_result(n, why, 0, x->type, x->rank, dims) && rule_result(n, why, 1, I64, x->rank, dims);
}

/* A binary heap of the k best elements so far, kept in the results themselves; its root is the worst of them.
 * O(n log k), no memory of its own. */
typedef struct heap {
	kernel_builder *b;
	const value *values, *indices;
	coord at; /* the row; at.i[axis] is replaced */
	int axis;
	bool largest;
} heap;

typedef struct item {
	const expr *value, *index;
} item;

static sym *heap_place(const heap *h, const expr *i)
{
	sym *size = h->values->dims[h->axis];
	return expr_to_sym(h->b->exprs, i, 0, size->hi == INT64_MAX ? INT64_MAX : size->hi, size);
}

static item heap_load(const heap *h, const expr *i)
{
	coord at = coord_with(h->at, h->axis, heap_place(h, i));
	return (item){kb_let(h->b, "value", load_result(h->b, h->values, at)),
		      kb_let(h->b, "index", load_result(h->b, h->indices, at))};
}

static void heap_store(const heap *h, const expr *i, item x)
{
	coord at = coord_with(h->at, h->axis, heap_place(h, i));
	kb_write(h->b, h->values, at, x.value);
	kb_write(h->b, h->indices, at, x.index);
}

/* x > y; NaN is above every number. */
static const expr *above(kernel_builder *b, const expr *x, const expr *y)
{
	const expr *gt = is_less(b, y, x);
	if (!dtype_is_float(x->type))
		return gt;
	expr_ctx *c = b->exprs;
	const expr *y_number = expr_unary(c, EXPR_NOT, expr_unary(c, EXPR_ISNAN, y));
	return expr_binary(c, EXPR_OR, gt, expr_binary(c, EXPR_AND, expr_unary(c, EXPR_ISNAN, x), y_number));
}

/* Does x come before y in the sorted result?  Equal values come in the order of their indices. */
static const expr *comes_before(const heap *h, item x, item y)
{
	expr_ctx *c = h->b->exprs;
	const expr *first = h->largest ? above(h->b, x.value, y.value) : above(h->b, y.value, x.value);
	const expr *second = h->largest ? above(h->b, y.value, x.value) : above(h->b, x.value, y.value);
	const expr *by_index = expr_binary(c, EXPR_AND, expr_unary(c, EXPR_NOT, second), is_less(h->b, x.index, y.index));
	return kb_let(h->b, "before", expr_binary(c, EXPR_OR, first, by_index));
}

static const expr *i64(const heap *h, int64_t x) { return expr_int(h->b->exprs, I64, x); }
static const expr *plus(const heap *h, const expr *x, int64_t y)
{
	return expr_binary(h->b->exprs, EXPR_ADD, x, i64(h, y));
}

/* Puts x into the hole at `start` of a heap of `size` elements, moving up worse children until none is left. */
static void sift_down(const heap *h, const expr *start, const expr *size, item x)
{
	kernel_builder *b = h->b;
	expr_ctx *c = b->exprs;
	local *hole = kb_var(b, "hole", I64, start);
	local *child = kb_var(b, "child", I64, plus(h, expr_binary(c, EXPR_MUL, start, i64(h, 2)), 1));
	kb_while(b, is_less(b, kb_get(b, child), size));
	{
		kb_if(b, is_less(b, plus(h, kb_get(b, child), 1), size));
		item left = heap_load(h, kb_get(b, child)), right = heap_load(h, plus(h, kb_get(b, child), 1));
		kb_if(b, comes_before(h, left, right));
		kb_set(b, child, plus(h, kb_get(b, child), 1));
		kb_end(b);
		kb_end(b);

		item worst = heap_load(h, kb_get(b, child));
		kb_if(b, comes_before(h, x, worst));
		heap_store(h, kb_get(b, hole), worst);
		kb_set(b, hole, kb_get(b, child));
		kb_set(b, child, plus(h, expr_binary(c, EXPR_MUL, kb_get(b, child), i64(h, 2)), 1));
		kb_else(b);
		kb_set(b, child, size);
		kb_end(b);
	}
	kb_end(b);
	heap_store(h, kb_get(b, hole), x);
}

static item input_item(const heap *h, const node *n, sym *i)
{
	return (item){kb_let(h->b, "x", kb_read(h->b, n->in[0], coord_with(h->at, h->axis, i))),
		      expr_index(h->b->exprs, i)};
}

/* The first k elements, made a heap from its last inner node to its root. */
static void heap_fill(const heap *h, const node *n, sym *k)
{
	kernel_builder *b = h->b;
	sym *i = kb_for(b, "i", k);
	heap_store(h, expr_index(b->exprs, i), input_item(h, n, i));
	kb_end(b);
	sym *inner = sym_divi(k, 2), *j = kb_for(b, "i", inner);
	const expr *start = expr_index(b->exprs, sym_sub(sym_addi(inner, -1), j));
	sift_down(h, start, expr_index(b->exprs, k), heap_load(h, start));
	kb_end(b);
}

/* Every other element that comes before the worst one kept takes its place. */
static void heap_offer_rest(const heap *h, const node *n, sym *k)
{
	kernel_builder *b = h->b;
	sym *i = kb_for(b, "i", sym_sub(n->in[0]->dims[h->axis], k));
	item x = input_item(h, n, sym_add(i, k));
	kb_if(b, comes_before(h, x, heap_load(h, i64(h, 0))));
	sift_down(h, i64(h, 0), expr_index(b->exprs, k), x);
	kb_end(b);
	kb_end(b);
}

/* The worst goes last, again and again. */
static void heap_sort(const heap *h, sym *k)
{
	kernel_builder *b = h->b;
	sym *i = kb_for(b, "i", sym_addi(k, -1));
	const expr *last = expr_index(b->exprs, sym_sub(sym_addi(k, -1), i));
	item moved = heap_load(h, last);
	heap_store(h, last, heap_load(h, i64(h, 0)));
	sift_down(h, i64(h, 0), last, moved);
	kb_end(b);
}

void kernel_topk(kernel_builder *b, const node *n)
{
	heap h = {.b = b, .values = n->out[0], .indices = n->out[1], .axis = (int)node_int(n, "axis", 0)};
	h.largest = node_int(n, "largest", 1) != 0;
	sym *k = h.values->dims[h.axis];
	h.at = loops_except(b, h.values, h.axis, false);
	const expr *any = elem_lt(&b->elem, sym_const(b->syms, 0), k);
	if (any)
		kb_if(b, any);
	heap_fill(&h, n, k);
	heap_offer_rest(&h, n, k);
	if (node_int(n, "sorted", 1))
		heap_sort(&h, k);
	if (any)
		kb_end(b);
	end_loops(b, h.values->rank - 1);
}
