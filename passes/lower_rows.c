/* Row kernels: softmax, normalisations and everything else that folds rows and uses the result on the same rows.
 *
 * The reduced axes R make a row; the other axes count rows.  Per row, in graph order: a fold runs over the row, a map of
 * reduced shape is a scalar, a full map kept local is computed once and stored, either where the root's row will be (it is in
 * the cache, and is overwritten element by element) or in a local array.  Such a map is computed in the first pass that follows
 * it, so exp and its sum share one loop.
 *
 *   lanes along R when the innermost storage axis is reduced (softmax over the last axis): folds combine lanes once a row;
 *   lanes across rows otherwise (channels-last InstanceNormalization): every lane is a row of its own.                    */
#include "passes/lower.h"

#include <assert.h>

enum { MAX_ROW_BYTES = 32 * 1024 };

struct rows {
	const value *full;     /* any value of full shape: operand of the first fold, or the root */
	bool reduced[MAX_RANK];
	int order[MAX_RANK];   /* storage order of the full shape */
	int lane_axis;         /* innermost axis with more than one element */
	coord at;              /* of the current row; reduced axes 0 */
	vec(const value *) pending; /* local full maps not yet computed */
	const value *in_root;  /* the one stored in the root's row */
};
typedef struct rows rows;

static bool is_full(const rows *r, const value *v)
{
	return value_dims_equal(v, r->full);
}

static void find_rows(group_lowering *gl, rows *r)
{
	for (int i = 0; i < gl->members.n && !r->full; i++) {
		node *n = gl->members.v[i];
		if (n->op != OP_REDUCE)
			continue;
		int count;
		const int64_t *axes = node_ints(n, "axes", &count);
		for (int k = 0; k < count; k++)
			r->reduced[axes[k]] = true;
		r->full = n->in[0];
	}
	assert(r->full);
	const layout *l = is_full(r, gl->out) ? gl->out->layout : r->full->layout;
	r->lane_axis = -1;
	for (int p = 0; p < r->full->rank; p++) {
		r->order[p] = l ? l->order[p] : p;
		if (!sym_is(r->full->dims[r->order[p]], 1))
			r->lane_axis = r->order[p];
	}
}

/* ---- loops over one row ------------------------------------------------------------------------------------------------ */
/* Opens loops over the reduced axes, in vectors along the lane axis; returns how many. */
static int open_row(group_lowering *gl, const rows *r, coord *at, local *reduces, expr_op combine)
{
	int n = 0;
	*at = r->at;
	for (int p = 0; p < r->full->rank; p++) {
		int axis = r->order[p];
		if (!r->reduced[axis] || sym_is(r->full->dims[axis], 1))
			continue;
		if (axis == r->lane_axis) {
			at->i[axis] = kb_vector(&gl->b, "j", r->full->dims[axis], 0);
			if (reduces)
				kb_reduces(&gl->b, reduces, combine);
		} else {
			at->i[axis] = kb_for(&gl->b, "j", r->full->dims[axis]);
		}
		n++;
	}
	return n;
}

static void close_row(group_lowering *gl, int n)
{
	while (n-- > 0)
		kb_end(&gl->b);
}

/* ---- local full maps ------------------------------------------------------------------------------------------------------ */
static sym *in_root_index(const group_lowering *gl, const value *v, coord at)
{
	(void)v;
	const value *base;
	return value_offset(gl->out, at, &base);
}

static sym *in_array_index(const group_lowering *gl, const value *v, coord at)
{
	const rows *r = gl->rows;
	sym *index = sym_const(gl->b.syms, 0);
	for (int axis = 0; axis < v->rank; axis++)
		if (r->reduced[axis])
			index = sym_add(sym_mul(index, v->dims[axis]), at.i[axis]);
	return index;
}

static sym *row_size(const group_lowering *gl, const rows *r)
{
	sym *n = sym_const(gl->b.syms, 1);
	for (int axis = 0; axis < r->full->rank; axis++)
		if (r->reduced[axis])
			n = sym_mul(n, r->full->dims[axis]);
	return n;
}

/* Where a pending value can be kept; NULL: it is computed again in every pass. */
static binding *new_binding(group_lowering *gl, rows *r, const value *v)
{
	binding *b = new(gl->b.a, binding);
	sym *index;
	int64_t n;
	if (!r->in_root && v->type == gl->out->type && value_dims_equal(v, gl->out)) {
		r->in_root = v;
		b->row = store_place(gl, gl->out, r->at, &index);
		b->row_index = in_root_index;
		return b;
	}
	bool lanes_along_row = r->reduced[r->lane_axis];
	if (!lanes_along_row || !sym_is_const(row_size(gl, r), &n) || n * dtype_table[v->type].bits / 8 > MAX_ROW_BYTES)
		return NULL;
	b->row = kb_array(&gl->b, "row", v->type, n);
	b->row_index = in_array_index;
	return b;
}

/* Computes the pending values at `at` inside an open row loop and stores them for later passes. */
static void compute_pending(group_lowering *gl, const rows *r, binding *const *kept, coord at)
{
	kernel_builder *b = &gl->b;
	for (int i = 0; i < r->pending.n; i++) {
		const value *v = r->pending.v[i];
		const expr *x = kb_let(b, "x", elem_of_value(&b->elem, v, at));
		if (kept[i])
			kb_store(b, kept[i]->row, kept[i]->row_index(gl, v, at), x);
		bind_scalar(gl, v, x);
	}
}

static void settle_pending(group_lowering *gl, rows *r, binding *const *kept)
{
	for (int i = 0; i < r->pending.n; i++)
		map_put(gl->values, r->pending.v[i], kept[i]);
	r->pending.n = 0;
}

static binding **bindings_of_pending(group_lowering *gl, rows *r)
{
	binding **kept = new_array(gl->b.a, binding *, (size_t)r->pending.n + 1);
	for (int i = 0; i < r->pending.n; i++)
		kept[i] = new_binding(gl, r, r->pending.v[i]);
	return kept;
}

/* ---- passes over the row ------------------------------------------------------------------------------------------------------ */
static void fold_row(group_lowering *gl, rows *r, node *n)
{
	kernel_builder *b = &gl->b;
	int count;
	const int64_t *axes = node_ints(n, "axes", &count);
	reduction fold = {0};
	elem_reduction(&b->elem, n, r->at, &fold);
	binding **kept = bindings_of_pending(gl, r);
	local *acc = kb_var(b, "acc", fold.type, fold.init);
	coord at, red = {.rank = count};
	int loops = open_row(gl, r, &at, acc, fold.combine);
	compute_pending(gl, r, kept, at);
	for (int i = 0; i < count; i++)
		red.i[i] = at.i[axes[i]];
	kb_set(b, acc, fold_step(b, &fold, kb_get(b, acc), fold.term(&b->elem, n, r->at, red)));
	close_row(gl, loops);
	settle_pending(gl, r, kept);
	const expr *e = kb_get(b, acc);
	if (fold.finish)
		e = fold.finish(&b->elem, n, r->at, e);
	dtype t = n->out[0]->type;
	bind_scalar(gl, n->out[0], kb_let(b, "folded", expr_round_to(b->exprs, t, expr_cast(b->exprs, dtype_table[t].compute, e))));
}

static void write_root(group_lowering *gl, rows *r)
{
	kernel_builder *b = &gl->b;
	sym *index;
	if (gl->root->op == OP_REDUCE)
		fold_row(gl, r, gl->root);
	if (!is_full(r, gl->out)) {
		buffer *to = store_place(gl, gl->out, r->at, &index);
		kb_store(b, to, index, root_element(gl, r->at));
		return;
	}
	coord at;
	int loops = open_row(gl, r, &at, NULL, EXPR_ADD);
	binding **none = new_array(b->a, binding *, (size_t)r->pending.n + 1);
	compute_pending(gl, r, none, at);
	buffer *to = store_place(gl, gl->out, at, &index);
	kb_store(b, to, index, root_element(gl, at));
	close_row(gl, loops);
}

static void write_row(group_lowering *gl, rows *r)
{
	for (int i = 0; i < gl->members.n - 1; i++) {
		node *n = gl->members.v[i];
		value *v = n->out[0];
		if (n->op == OP_REDUCE)
			fold_row(gl, r, n);
		else if (v->place == PLACE_LOCAL && is_full(r, v))
			vec_push(gl->b.a, &r->pending, v);
		else if (v->place == PLACE_LOCAL)
			bind_scalar(gl, v, kb_let(&gl->b, "s", elem_of_value(&gl->b.elem, v, r->at)));
	}
	write_root(gl, r);
}

/* ---- the kernel ------------------------------------------------------------------------------------------------------------------ */
void lower_rows(group_lowering *gl)
{
	kernel_builder *b = &gl->b;
	rows r = {0};
	gl->rows = &r;
	find_rows(gl, &r);
	bool lanes_across = r.lane_axis >= 0 && !r.reduced[r.lane_axis];
	loop_list outer = {0};
	r.at = (coord){.rank = r.full->rank};
	for (int axis = 0; axis < r.full->rank; axis++)
		r.at.i[axis] = sym_const(b->syms, 0);
	for (int p = 0; p < r.full->rank; p++) {
		int axis = r.order[p];
		if (r.reduced[axis] || axis == r.lane_axis || sym_is(r.full->dims[axis], 1))
			continue;
		r.at.i[axis] = outer.var[outer.n] = sym_loop(b->syms, "r", r.full->dims[axis]);
		outer.extent[outer.n++] = r.full->dims[axis];
	}
	substitution s = {0};
	loops_open_tiles(gl, &outer, work_is_small(value_size(r.full)) ? 0 : outer.n, &s);
	int serial = b->k->tiles ? 0 : outer.n;
	for (int i = 0; i < serial; i++)
		substitute(&s, outer.var[i], kb_for(b, "r", outer.extent[i]));
	for (int axis = 0; axis < r.full->rank; axis++)
		r.at.i[axis] = sym_substitute(&s, r.at.i[axis]);
	if (lanes_across)
		r.at.i[r.lane_axis] = kb_vector(b, "c", r.full->dims[r.lane_axis], 0);
	write_row(gl, &r);
	for (int i = 0; i < serial + (lanes_across ? 1 : 0); i++)
		kb_end(b);
}
