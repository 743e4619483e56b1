/* Ops that count what they find: the results are as large as they can get, and a further one says how many of their elements (along
 * the axis that grows) are there.  The others are never written; a bind and a slice cut them off.
 *
 * The kernels go through their operand in order, so what they find does not depend on threads. */
#include "ir/kernel_build.h"
#include "ir/ops/rules.h"

#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------------------ */
static const expr *i64(kernel_builder *b, int64_t x) { return expr_int(b->exprs, I64, x); }
static const expr *op2(kernel_builder *b, expr_op o, const expr *x, const expr *y) { return expr_binary(b->exprs, o, x, y); }
static const expr *not(kernel_builder *b, const expr *x) { return expr_unary(b->exprs, EXPR_NOT, x); }
static const expr *index_of(kernel_builder *b, sym *s) { return expr_index(b->exprs, s); }
static void add_to(kernel_builder *b, local *l, int64_t by) { kb_set(b, l, op2(b, EXPR_ADD, kb_get(b, l), i64(b, by))); }

/* An integer that is known to lie in [0, below). */
static sym *within(kernel_builder *b, const expr *e, sym *below)
{
	return expr_to_sym(b->exprs, e, 0, below->hi == INT64_MAX ? INT64_MAX : below->hi > 0 ? below->hi - 1 : 0, below);
}

static coord at_1(sym *i) { return (coord){.rank = 1, .i = {i}}; }
static coord at_2(sym *i, sym *j) { return (coord){.rank = 2, .i = {i, j}}; }
static coord at_3(sym *i, sym *j, sym *k) { return (coord){.rank = 3, .i = {i, j, k}}; }
static coord at_0(void) { return (coord){0}; }

static const expr *load(kernel_builder *b, const value *v, coord at)
{
	const value *base;
	sym *offset = value_offset(v, at, &base);
	return kb_load(b, b->buffer_of(b, base, true), offset);
}

static const expr *lowest(kernel_builder *b, dtype t) { return expr_lowest(b->exprs, type_compute(t)); }

/* ---- nonzero ---------------------------------------------------------------------------------------------------------- */
bool infer_nonzero(node *n, const char **why)
{
	const value *x = n->in[0];
	if (!rule_form(n, why, 2, ""))
		return false;
	if (x->type == STRING)
		return rule_refuse(n, why, "cannot compare strings with 0");
	sym *dims[] = {sym_const(n->graph->syms, x->rank), value_size(x)};
	return rule_result(n, why, 0, I64, 2, dims) && rule_result(n, why, 1, I64, 0, NULL);
}

void kernel_nonzero(kernel_builder *b, const node *n)
{
	const value *x = n->in[0], *out = n->out[0];
	coord at = {.rank = x->rank};
	local *count = kb_var(b, "count", I64, i64(b, 0));
	for (int i = 0; i < x->rank; i++)
		at.i[i] = kb_for(b, "i", x->dims[i]);
	const expr *element = kb_read(b, x, at);
	kb_if(b, op2(b, EXPR_NE, element, elem_number(&b->elem, element->type, 0)));
	sym *found = within(b, kb_get(b, count), out->dims[1]);
	for (int i = 0; i < x->rank; i++)
		kb_write(b, out, at_2(sym_const(b->syms, i), found), index_of(b, at.i[i]));
	add_to(b, count, 1);
	kb_end(b);
	for (int i = 0; i < x->rank; i++)
		kb_end(b);
	kb_write(b, n->out[1], at_0(), kb_get(b, count));
}

/* ---- nms -------------------------------------------------------------------------------------------------------------- */
bool infer_nms(node *n, const char **why)
{
	const value *boxes = n->in[0], *scores = n->in[1];
	if (!rule_form(n, why, 3, "center most") || !rule_int(n, why, "center", 0, 1) || !rule_syms(n, why, "most", 1, 0))
		return false;
	if (boxes->rank != 3 || scores->rank != 3 || boxes->type != F32 || scores->type != F32)
		return rule_refuse(n, why, "boxes and scores must be f32 of rank 3");
	if (!dim_agree(n, boxes->dims[2], sym_const(n->graph->syms, 4)) || !dim_agree(n, boxes->dims[0], scores->dims[0]) ||
	    !dim_agree(n, boxes->dims[1], scores->dims[2]))
		return rule_refuse(n, why, "sizes of boxes and scores do not fit together");
	for (int i = 2; i < 5; i++)
		if (n->in[i]->rank != 0 || n->in[i]->type != (i < 4 ? F32 : I64))
			return rule_refuse(n, why, "operand %d must be one %s", i, i < 4 ? "f32" : "i64");
	sym *most = node_syms(n, "most", NULL)[0];
	sym *rows = sym_mul(sym_mul(scores->dims[0], scores->dims[1]), most);
	sym *dims[] = {rows, sym_const(n->graph->syms, 3)};
	return rule_result(n, why, 0, I64, 2, dims) && rule_result(n, why, 1, I64, 0, NULL) &&
	       rule_result(n, why, 2, F32, 1, &scores->dims[2]);
}

typedef struct box {
	const expr *lo[2], *hi[2], *area;
} box;

static box read_box(kernel_builder *b, const node *n, sym *batch, sym *j)
{
	box r;
	const expr *c[4], *half = expr_float(b->exprs, F32, 0.5);
	for (int i = 0; i < 4; i++)
		c[i] = kb_let(b, "c", kb_read(b, n->in[0], at_3(batch, j, sym_const(b->syms, i))));
	for (int i = 0; i < 2; i++) {
		const expr *p = c[i], *q = c[2 + i];
		if (node_int(n, "center", 0)) {
			const expr *extent = op2(b, EXPR_MUL, c[2 + i], half);
			p = op2(b, EXPR_SUB, c[i], extent);
			q = op2(b, EXPR_ADD, c[i], extent);
		}
		r.lo[i] = kb_let(b, "lo", op2(b, EXPR_MIN, p, q));
		r.hi[i] = kb_let(b, "hi", op2(b, EXPR_MAX, p, q));
	}
	r.area = kb_let(b, "area", op2(b, EXPR_MUL, op2(b, EXPR_SUB, r.hi[0], r.lo[0]), op2(b, EXPR_SUB, r.hi[1], r.lo[1])));
	return r;
}

/* Do the boxes share more than `share` of what they cover together? */
static const expr *overlaps(kernel_builder *b, const box *p, const box *q, const expr *share)
{
	const expr *zero = expr_float(b->exprs, F32, 0), *side[2];
	for (int i = 0; i < 2; i++)
		side[i] = op2(b, EXPR_MAX, op2(b, EXPR_SUB, op2(b, EXPR_MIN, p->hi[i], q->hi[i]), op2(b, EXPR_MAX, p->lo[i], q->lo[i])), zero);
	const expr *common = kb_let(b, "common", op2(b, EXPR_MUL, side[0], side[1]));
	const expr *both = op2(b, EXPR_SUB, op2(b, EXPR_ADD, p->area, q->area), common);
	const expr *exceeds = op2(b, EXPR_GT, op2(b, EXPR_DIV, common, both), share);
	return op2(b, EXPR_AND, op2(b, EXPR_GT, common, zero), exceeds);
}

/* The scores that count; `best` becomes the greatest. */
static void take_scores(kernel_builder *b, const node *n, sym *batch, sym *class, const expr *threshold, local *best)
{
	const value *scores = n->in[1];
	sym *j = kb_vector(b, "j", scores->dims[2], 0);
	kb_reduces(b, best, EXPR_MAX);
	const expr *s = kb_let(b, "s", kb_read(b, scores, at_3(batch, class, j)));
	const expr *left = expr_ternary(b->exprs, EXPR_SELECT, op2(b, EXPR_GT, s, threshold), s, lowest(b, F32));
	left = kb_let(b, "left", left);
	kb_write(b, n->out[2], at_1(j), left);
	kb_set(b, best, op2(b, EXPR_MAX, kb_get(b, best), left));
	kb_end(b);
}

/* The first box with the best score. */
static sym *find_best(kernel_builder *b, const node *n, const local *best)
{
	sym *boxes = n->in[1]->dims[2];
	local *first = kb_var(b, "first", I64, index_of(b, boxes));
	sym *j = kb_vector(b, "j", boxes, 0);
	kb_reduces(b, first, EXPR_MIN);
	const expr *hit = op2(b, EXPR_EQ, load(b, n->out[2], at_1(j)), kb_get(b, best));
	const expr *here = expr_ternary(b->exprs, EXPR_SELECT, hit, index_of(b, j), index_of(b, boxes));
	kb_set(b, first, op2(b, EXPR_MIN, kb_get(b, first), here));
	kb_end(b);
	return within(b, kb_let(b, "found", kb_get(b, first)), boxes);
}

/* What overlaps the box that was found counts no more; `best` becomes the greatest score left. */
static void drop_overlapping(kernel_builder *b, const node *n, sym *batch, sym *found, const expr *share, local *best)
{
	box kept = read_box(b, n, batch, found);
	kb_set(b, best, lowest(b, F32));
	sym *j = kb_vector(b, "j", n->in[1]->dims[2], 0);
	kb_reduces(b, best, EXPR_MAX);
	box other = read_box(b, n, batch, j);
	const expr *drop = op2(b, EXPR_OR, overlaps(b, &kept, &other, share), op2(b, EXPR_EQ, index_of(b, j), index_of(b, found)));
	const expr *left = expr_ternary(b->exprs, EXPR_SELECT, drop, lowest(b, F32), load(b, n->out[2], at_1(j)));
	left = kb_let(b, "left", left);
	kb_write(b, n->out[2], at_1(j), left);
	kb_set(b, best, op2(b, EXPR_MAX, kb_get(b, best), left));
	kb_end(b);
}

/* Greedy: the best box that is left, then everything that overlaps it goes, for each batch and class.  Result 2 holds scores. */
void kernel_nms(kernel_builder *b, const node *n)
{
	const value *scores = n->in[1], *out = n->out[0];
	const expr *share = kb_let(b, "share", kb_read(b, n->in[2], at_0()));
	const expr *threshold = kb_let(b, "threshold", kb_read(b, n->in[3], at_0()));
	const expr *most = index_of(b, node_syms(n, "most", NULL)[0]);
	const expr *limit = kb_let(b, "limit", op2(b, EXPR_MIN, kb_read(b, n->in[4], at_0()), most));
	local *count = kb_var(b, "count", I64, i64(b, 0));
	sym *batch = kb_for(b, "batch", scores->dims[0]), *class = kb_for(b, "class", scores->dims[1]);
	local *best = kb_var(b, "best", F32, lowest(b, F32));
	local *taken = kb_var(b, "taken", I64, i64(b, 0));
	take_scores(b, n, batch, class, threshold, best);
	kb_while(b, op2(b, EXPR_AND, op2(b, EXPR_GT, kb_get(b, best), lowest(b, F32)), op2(b, EXPR_LT, kb_get(b, taken), limit)));
	sym *found = find_best(b, n, best), *row = within(b, kb_get(b, count), out->dims[0]);
	sym *const what[] = {batch, class, found};
	for (int i = 0; i < 3; i++)
		kb_write(b, out, at_2(row, sym_const(b->syms, i)), index_of(b, what[i]));
	add_to(b, count, 1);
	add_to(b, taken, 1);
	drop_overlapping(b, n, batch, found, share, best);
	kb_end(b);
	kb_end(b);
	kb_end(b);
	kb_write(b, n->out[1], at_0(), kb_get(b, count));
}

/* ---- unique ----------------------------------------------------------------------------------------------------------- */
bool infer_unique(node *n, const char **why)
{
	const value *x = n->in[0];
	if (!rule_form(n, why, 5, "sorted") || !rule_int(n, why, "sorted", 0, 1))
		return false;
	if (x->rank != 2 || x->type == STRING)
		return rule_refuse(n, why, "compares rows of numbers, its operand has rank %d and type %s", x->rank, dtype_name(x->type));
	for (int i = 0; i < 4; i++)
		if (!rule_result(n, why, i, I64, 1, &x->dims[0]))
			return false;
	return rule_result(n, why, 4, I64, 0, NULL);
}

/* Results of unique: the first row of each group, the group of each row, how large groups are; rows in order. */
enum { FIRST, GROUP, SIZE, ORDER, COUNT };

typedef struct rows {
	kernel_builder *b;
	const node *n;
	sym *count, *length; /* of rows, of one */
} rows;

static const expr *get(const rows *r, int result, const expr *i)
{
	return kb_let(r->b, "at", load(r->b, r->n->out[result], at_1(within(r->b, i, r->count))));
}

static void put(const rows *r, int result, const expr *i, const expr *x)
{
	kb_write(r->b, r->n->out[result], at_1(within(r->b, i, r->count)), x);
}

/* x before y in order; NaN is behind all numbers. */
static const expr *is_before(kernel_builder *b, const expr *x, const expr *y)
{
	const expr *less = op2(b, EXPR_LT, x, y);
	if (!dtype_is_float(x->type))
		return less;
	const expr *numbers = op2(b, EXPR_AND, not(b, expr_unary(b->exprs, EXPR_ISNAN, x)), expr_unary(b->exprs, EXPR_ISNAN, y));
	return op2(b, EXPR_OR, less, numbers);
}

/* `otherwise` when rows i and j are equal, else whether i comes first; with `differ`, whether they differ at all. */
static const expr *compare_rows(const rows *r, const expr *i, const expr *j, const expr *otherwise, bool differ)
{
	kernel_builder *b = r->b;
	const expr *end = index_of(b, r->length), *yes = expr_int(b->exprs, BOOL, 1);
	local *result = kb_var(b, "result", BOOL, otherwise), *k = kb_var(b, "k", I64, i64(b, 0));
	kb_while(b, op2(b, EXPR_LT, kb_get(b, k), end));
	sym *at = within(b, kb_get(b, k), r->length);
	const expr *x = kb_let(b, "x", kb_read(b, r->n->in[0], at_2(within(b, i, r->count), at)));
	const expr *y = kb_let(b, "y", kb_read(b, r->n->in[0], at_2(within(b, j, r->count), at)));
	const expr *first = kb_let(b, "first", is_before(b, x, y));
	kb_if(b, op2(b, EXPR_OR, first, is_before(b, y, x)));
	kb_set(b, result, differ ? yes : first);
	kb_set(b, k, end);
	kb_else(b);
	add_to(b, k, 1);
	kb_end(b);
	kb_end(b);
	return kb_let(b, "compared", kb_get(b, result));
}

/* Equal rows come in the order of their numbers. */
static const expr *row_before(const rows *r, const expr *i, const expr *j)
{
	return compare_rows(r, i, j, op2(r->b, EXPR_LT, i, j), false);
}

static const expr *child_of(kernel_builder *b, const expr *i) { return op2(b, EXPR_ADD, op2(b, EXPR_MUL, i, i64(b, 2)), i64(b, 1)); }

/* The row goes into the hole at `start` of a heap of `size`, whose root is the last in order. */
static void sift_row(const rows *r, const expr *row, const expr *start, const expr *size)
{
	kernel_builder *b = r->b;
	local *hole = kb_var(b, "hole", I64, start), *child = kb_var(b, "child", I64, child_of(b, start));
	kb_while(b, op2(b, EXPR_LT, kb_get(b, child), size));
	const expr *right = op2(b, EXPR_ADD, kb_get(b, child), i64(b, 1));
	kb_if(b, op2(b, EXPR_LT, right, size));
	kb_if(b, row_before(r, get(r, ORDER, kb_get(b, child)), get(r, ORDER, right)));
	add_to(b, child, 1);
	kb_end(b);
	kb_end(b);
	const expr *later = get(r, ORDER, kb_get(b, child));
	kb_if(b, row_before(r, row, later));
	put(r, ORDER, kb_get(b, hole), later);
	kb_set(b, hole, kb_get(b, child));
	kb_set(b, child, child_of(b, kb_get(b, hole)));
	kb_else(b);
	kb_set(b, child, size);
	kb_end(b);
	kb_end(b);
	put(r, ORDER, kb_get(b, hole), row);
}

static void sort_rows(const rows *r)
{
	kernel_builder *b = r->b;
	sym *half = sym_divi(r->count, 2);
	sym *i = kb_for(b, "i", r->count);
	put(r, ORDER, index_of(b, i), index_of(b, i));
	kb_end(b);
	const expr *start = index_of(b, sym_sub(sym_addi(half, -1), kb_for(b, "i", half)));
	sift_row(r, get(r, ORDER, start), start, index_of(b, r->count));
	kb_end(b);
	const expr *last = index_of(b, sym_sub(sym_addi(r->count, -1), kb_for(b, "i", sym_max(sym_addi(r->count, -1), sym_const(b->syms, 0)))));
	const expr *row = get(r, ORDER, last);
	put(r, ORDER, last, get(r, ORDER, i64(b, 0)));
	sift_row(r, row, i64(b, 0), last);
	kb_end(b);
}

/* Equal rows stand together now. */
static void group_rows(const rows *r, local *count)
{
	kernel_builder *b = r->b;
	local *before = kb_var(b, "before", I64, i64(b, 0));
	const expr *at = index_of(b, kb_for(b, "i", r->count)), *row = get(r, ORDER, at);
	local *fresh = kb_var(b, "fresh", BOOL, op2(b, EXPR_EQ, at, i64(b, 0)));
	kb_if(b, not(b, kb_get(b, fresh)));
	kb_set(b, fresh, compare_rows(r, kb_get(b, before), row, expr_int(b->exprs, BOOL, 0), true));
	kb_end(b);
	kb_if(b, kb_get(b, fresh));
	put(r, FIRST, kb_get(b, count), row);
	put(r, SIZE, kb_get(b, count), i64(b, 0));
	add_to(b, count, 1);
	kb_end(b);
	const expr *group = kb_let(b, "group", op2(b, EXPR_SUB, kb_get(b, count), i64(b, 1)));
	put(r, GROUP, row, group);
	put(r, SIZE, group, op2(b, EXPR_ADD, get(r, SIZE, group), i64(b, 1)));
	kb_set(b, before, row);
	kb_end(b);
}

/* Groups in the order of their first rows. */
static void renumber_groups(const rows *r)
{
	kernel_builder *b = r->b;
	local *next = kb_var(b, "next", I64, i64(b, 0));
	const expr *row = index_of(b, kb_for(b, "i", r->count)), *group = get(r, GROUP, row);
	kb_if(b, op2(b, EXPR_EQ, get(r, FIRST, group), row));
	put(r, ORDER, group, kb_get(b, next));
	add_to(b, next, 1);
	kb_end(b);
	kb_end(b);
	row = index_of(b, kb_for(b, "i", r->count));
	put(r, GROUP, row, get(r, ORDER, get(r, GROUP, row)));
	put(r, SIZE, row, i64(b, 0));
	kb_end(b);
	row = index_of(b, sym_sub(sym_addi(r->count, -1), kb_for(b, "i", r->count)));
	group = get(r, GROUP, row);
	put(r, FIRST, group, row);
	put(r, SIZE, group, op2(b, EXPR_ADD, get(r, SIZE, group), i64(b, 1)));
	kb_end(b);
}

void kernel_unique(kernel_builder *b, const node *n)
{
	rows r = {b, n, n->in[0]->dims[0], n->in[0]->dims[1]};
	local *count = kb_var(b, "count", I64, i64(b, 0));
	sort_rows(&r);
	group_rows(&r, count);
	if (!node_int(n, "sorted", 1))
		renumber_groups(&r);
	kb_write(b, n->out[COUNT], at_0(), kb_get(b, count));
}
