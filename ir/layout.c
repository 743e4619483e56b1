/* Where a value's elements lie: axis order, halo, and values stored inside others. */
#include "ir/graph.h"

const value *value_base(const value *v)
{
	while (v->alias)
		v = v->alias;
	return v;
}

static sym *physical_extent(const value *v, int axis)
{
	const layout *l = v->layout;
	return l ? sym_addi(v->dims[axis], l->halo_lo[axis] + l->halo_hi[axis]) : v->dims[axis];
}

sym *value_offset(const value *v, coord at, const value **base)
{
	for (; v->alias; v = v->alias)
		for (int i = 0; i < v->rank; i++)
			at.i[i] = sym_add(at.i[i], v->alias_start[i]);
	if (base)
		*base = v;
	if (v->rank == 0)
		return sym_const(v->graph->syms, 0);
	const layout *l = v->layout;
	sym *offset = NULL;
	for (int p = 0; p < v->rank; p++) {
		int axis = l ? l->order[p] : p;
		sym *i = l ? sym_addi(at.i[axis], l->halo_lo[axis]) : at.i[axis];
		offset = offset ? sym_add(sym_mul(offset, physical_extent(v, axis)), i) : i;
	}
	return offset;
}

sym *value_storage_size(const value *v)
{
	sym *size = sym_const(v->graph->syms, 1);
	for (int i = 0; i < v->rank; i++)
		size = sym_mul(size, physical_extent(v, i));
	return size;
}
