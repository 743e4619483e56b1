/* Follows movement to the memory behind it, by asking each view for its element: see access.h. */
#include "passes/access.h"

bool op_is_view(op o)
{
	switch ((int)o) {
	case OP_RESHAPE:
	case OP_TRANSPOSE:
	case OP_EXPAND:
	case OP_SLICE:
		return true;
	default:
		return false;
	}
}

/* A view asks for the one element it stands for; what is no view is where the element really lies. */
static const expr *read_through(elem *e, const value *v, coord at)
{
	access *found = e->user;
	if (v->def && op_is_view(v->def->op))
		return elem_of_value(e, v, at);
	found->index = value_offset(v, at, &found->base);
	return expr_arg(e->exprs, 0, v->type);
}

bool access_of(arena *scratch, const graph *g, const value *v, coord at, access *out)
{
	*out = (access){0};
	elem e = {.a = scratch, .exprs = g->exprs, .syms = g->syms, .read = read_through, .user = out};
	read_through(&e, v, at);
	return out->base != NULL; /* an element that is known needs no memory */
}
