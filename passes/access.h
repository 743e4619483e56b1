/* Where the elements of a value really come from once its movement producers (reshape, transpose, slice, expand ...) are read
 * through: decides what may be computed in place and which contraction strategies apply, before places are fixed. */
#pragma once

#include "ir/elem.h"

typedef struct access {
	const value *base; /* the value in memory */
	sym *index;        /* element offset in its storage for the coordinates asked */
} access;

/* True when v at `at` is one load of one value in memory, reached through movement ops only. */
bool access_of(arena *scratch, const graph *g, const value *v, coord at, access *out);
/* Movement ops that only rename indices, never choose between operands. */
bool op_is_view(op o);
