/* Conditions: what sizes have to satisfy for a model to be what its type rules took it for.
 *
 * A type rule that meets two sizes which must be equal, but which the compiler cannot tell apart or together, goes on as if they
 * were, and leaves a condition.  The compiled model checks all of them before its first kernel, so kernels may rely on them.
 * A condition that is proved leaves nothing, and one that can never hold is an error while compiling.
 *
 *   a == b        a >= b        a == 1 or b   (a broadcasts to b)
 *
 * Conditions are kept in a normal form: what has one unknown is solved for it, so (N - 3)/2 + 1 >= 0 is N >= 1. */
#pragma once

#include "ir/sym.h"
#include "support/vec.h"

struct parser;

typedef enum condition_kind { CONDITION_EQUAL, CONDITION_AT_LEAST, CONDITION_ONE_OR_EQUAL } condition_kind;

typedef struct condition {
	condition_kind kind;
	sym *a, *b;
} condition;

typedef vec(condition) conditions;

/* Adds c unless it is proved or there already; false when it holds for no values.  Nothing is added about run-time scalars: their
 * users clamp them. */
bool conditions_add(arena *a, conditions *list, condition c);
bool condition_any_var(const condition *c, bool (*pred)(const sym *var, void *user), void *user);

void condition_print(str *out, const condition *c); /* "N == M" */
condition condition_parse(struct parser *p);        /* as written */
