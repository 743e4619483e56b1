/* Element semantics: what the element of a value at given indices is, as an expression of elements of other values.
 *
 * This is the one definition of every regular op.  Lowering, fusion, symbolic shape evaluation and the -O0 reference all
 * call it; fusing a producer means answering `read` with the producer's own element instead of a load. */
#pragma once

#include "ir/graph.h"

typedef struct elem elem;
struct elem {
	arena *a;
	expr_ctx *exprs;
	sym_ctx *syms;
	/* The element of v at `at`: a load, a register, or elem_of_value(e, v, at) to compute it in place. */
	const expr *(*read)(elem *e, const value *v, coord at);
	void *user;
};

const expr *elem_read(elem *e, const value *v, coord at);
/* By the defining node's own rule (FORM_ELEM ops; a scalar constant gives its number, known `elements` an INDEX when `at` is constant). */
const expr *elem_of_value(elem *e, const value *v, coord at);

/* A fold: start with init, then acc = acc `combine` term for every combination of the n reduction indices, then finish. */
typedef struct reduction reduction;
struct reduction {
	int n;
	sym *extent[MAX_RANK];
	const char *hint[MAX_RANK]; /* names for the loops: "k", "kh" ... */
	dtype type;           /* of accumulator and term (a compute type) */
	expr_op combine;      /* ADD, MUL, MIN, MAX, AND, OR */
	const expr *init;
	bool arg, last;       /* argmin/argmax (combine MIN/MAX): the result is the index along the one reduction index */
	/* The term at output indices `at` and reduction indices `red`; reads outside an operand are guarded by choose. */
	const expr *(*term)(elem *e, const node *n, coord at, coord red);
	/* The output element from the accumulator; NULL: the accumulator itself, cast to the output type. */
	const expr *(*finish)(elem *e, const node *n, coord at, const expr *acc);
};
void elem_reduction(elem *e, const node *n, coord at, reduction *r);

/* Coordinates */
coord coord_of_dims(sym_ctx *c, const value *v, const char *hint); /* fresh loop variables over v's dims */
coord coord_shift(coord at, int axis, sym *by);
coord coord_with(coord at, int axis, sym *i);
sym *coord_linear(const value *v, coord at); /* row-major index */
coord coord_unlinear(const value *v, sym *linear);
/* Where an operand is read when it broadcasts to an output with coordinates `at` (right-aligned; size-1 axes give 0; an axis that
 * may or may not be 1 at run time gives min(at, dim - 1)). */
coord coord_broadcast(const value *v, coord at);
/* A run-time index in [0, extent): negative counts from the end, then clamped (a kernel never reads outside a buffer). */
sym *coord_dynamic(elem *e, const expr *index, sym *extent);
