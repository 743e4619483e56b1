/* Ops that pick elements by run-time indices.  An index counts from the end when negative and is clamped into its axis
 * (coord_dynamic), so no model and no input makes a kernel read outside a buffer. */
#include "ir/ops/rules.h"

static bool index_operand(const node *n, const char **why)
{
	if (!dtype_is_int(n->in[1]->type))
		return rule_refuse(n, why, "indices are %s, must be integers", dtype_name(n->in[1]->type));
	return true;
}

/* Clamping an index needs an axis that has elements. */
static bool pickable(const node *n, const char **why, int axis)
{
	sym *d = n->in[0]->dims[axis];
	return rule_nonempty_for(n, d, value_size(n->in[1])) ||
	       rule_refuse(n, why, "picks from axis %d, which has size %s", axis, sym_text(n, d));
}

static bool rank_fits(const node *n, const char **why, int rank)
{
	if (rank > MAX_RANK)
		return rule_refuse(n, why, "the result would have rank %d, at most %d is supported", rank, MAX_RANK);
	return true;
}

static coord coord_part(coord at, int from, int n)
{
	coord c = {.rank = n};
	for (int i = 0; i < n; i++)
		c.i[i] = at.i[from + i];
	return c;
}

/* ---- gather --------------------------------------------------------------------------------------------------------- */
bool infer_gather(node *n, const char **why)
{
	int axis, rank = 0;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "axis") || !rule_axis(n, why, n->in[0]->rank, &axis) || !index_operand(n, why))
		return false;
	const value *x = n->in[0], *index = n->in[1];
	if (!rank_fits(n, why, x->rank - 1 + index->rank) || !pickable(n, why, axis))
		return false;
	for (int i = 0; i < axis; i++)
		dims[rank++] = x->dims[i];
	for (int i = 0; i < index->rank; i++)
		dims[rank++] = index->dims[i];
	for (int i = axis + 1; i < x->rank; i++)
		dims[rank++] = x->dims[i];
	return rule_result(n, why, 0, x->type, rank, dims);
}

const expr *elem_gather(elem *e, const node *n, coord at)
{
	int axis = (int)node_int(n, "axis", 0);
	const value *x = n->in[0], *index = n->in[1];
	coord c = {.rank = x->rank};
	for (int i = 0; i < x->rank; i++)
		if (i != axis)
			c.i[i] = at.i[i < axis ? i : i - 1 + index->rank];
	c.i[axis] = coord_dynamic(e, elem_read(e, index, coord_part(at, axis, index->rank)), x->dims[axis]);
	return elem_read(e, x, c);
}

/* ---- gather_elements ------------------------------------------------------------------------------------------------ */
bool infer_gather_elements(node *n, const char **why)
{
	int axis;
	if (!rule_form(n, why, 1, "axis") || !rule_axis(n, why, n->in[0]->rank, &axis) || !index_operand(n, why))
		return false;
	const value *x = n->in[0], *index = n->in[1];
	if (index->rank != x->rank)
		return rule_refuse(n, why, "indices have rank %d, the data %d", index->rank, x->rank);
	for (int i = 0; i < x->rank; i++)
		if (i != axis && !rule_at_least(n, x->dims[i], index->dims[i]))
			return rule_refuse(n, why, "indices have size %s on axis %d, the data only %s",
					   sym_text(n, index->dims[i]), i, sym_text(n, x->dims[i]));
	return pickable(n, why, axis) && rule_result(n, why, 0, x->type, index->rank, index->dims);
}

const expr *elem_gather_elements(elem *e, const node *n, coord at)
{
	int axis = (int)node_int(n, "axis", 0);
	sym *i = coord_dynamic(e, elem_read(e, n->in[1], at), n->in[0]->dims[axis]);
	return elem_read(e, n->in[0], coord_with(at, axis, i));
}

/* ---- gather_nd ------------------------------------------------------------------------------------------------------ */
bool infer_gather_nd(node *n, const char **why)
{
	int64_t tuple;
	int rank = 0;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "batch_dims") || !rule_int(n, why, "batch_dims", 0, MAX_RANK) || !index_operand(n, why))
		return false;
	const value *x = n->in[0], *index = n->in[1];
	int batch = (int)node_int(n, "batch_dims", 0);
	if (index->rank <= batch || x->rank <= batch)
		return rule_refuse(n, why, "batch_dims is %d, must be below the ranks %d and %d", batch, x->rank,
				   index->rank);
	if (!sym_is_const(index->dims[index->rank - 1], &tuple))
		return rule_refuse(n, why, "the length of its index tuples is not constant");
	if (tuple < 1 || tuple > x->rank - batch)
		return rule_refuse(n, why, "index tuples have %lld entries, must be 1 to %d", (long long)tuple,
				   x->rank - batch);
	if (!rank_fits(n, why, index->rank - 1 + x->rank - batch - (int)tuple))
		return false;
	for (int i = 0; i < index->rank - 1; i++) {
		sym *d = i < batch ? dim_agree(n, index->dims[i], x->dims[i]) : index->dims[i];
		if (!d)
			return rule_refuse(n, why, "batch axis %d has size %s in the data, %s in the indices", i,
					   sym_text(n, x->dims[i]), sym_text(n, index->dims[i]));
		dims[rank++] = d;
	}
	for (int i = batch; i < batch + (int)tuple; i++)
		if (!pickable(n, why, i))
			return false;
	for (int i = batch + (int)tuple; i < x->rank; i++)
		dims[rank++] = x->dims[i];
	return rule_result(n, why, 0, x->type, rank, dims);
}

const expr *elem_gather_nd(elem *e, const node *n, coord at)
{
	const value *x = n->in[0], *index = n->in[1];
	int batch = (int)node_int(n, "batch_dims", 0), last = index->rank - 1;
	int tuple = (int)sym_value(index->dims[last]);
	coord c = {.rank = x->rank}, where = coord_part(at, 0, last);
	where.rank = index->rank;
	for (int i = 0; i < x->rank; i++) {
		if (i < batch) {
			c.i[i] = at.i[i];
		} else if (i < batch + tuple) {
			where.i[last] = sym_const(e->syms, i - batch);
			c.i[i] = coord_dynamic(e, elem_read(e, index, where), x->dims[i]);
		} else {
			c.i[i] = at.i[last + i - batch - tuple];
		}
	}
	return elem_read(e, x, c);
}
