/* Inside of the simplify pass: rewrite rules by subject.
 *
 * A rule looks at a node and the nodes that define its operands, and returns a value that equals the node's result, or NULL.
 * What a new rule must keep: type and dims of the result are the node's own; the rewritten form is no larger, and no rule turns
 * it back, so that rewriting ends; floats keep NaN, infinities and signed zeros (sums of products may be scaled). */
#pragma once

#include "ir/graph_build.h"
#include "passes/pass.h"

typedef struct simplify_rule {
	op op; /* OP_COUNT: any */
	value *(*rewrite)(graph *g, node *n);
} simplify_rule;

/* Nodes with regions: constants move in, what need not be chosen or repeated moves out (simplify_control.c). */
bool simplify_regions(graph *g, node *n);

extern const simplify_rule algebra_rules[], conv_rules[], movement_rules[]; /* each ends with a row without function */

/* Computed from constants only: will be a constant once folded. */
bool is_constant(const value *v);
/* The value as a scalar expression of its compute type, when it has one element that is known at compile time; or NULL. */
const expr *known_scalar(graph *g, const value *v);
/* The map n with another expression on other operands. */
value *build_map_like(graph *g, const node *n, const expr *e, value *const *in, int n_in);
