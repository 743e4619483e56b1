/* Symbolic elements of small integer tensors: the one mechanism by which exporters' shape arithmetic vanishes.
 *
 * A Shape -> Gather -> Mul -> Concat -> Reshape chain is ordinary nodes over small i64 tensors.  When a node is made, the
 * element semantics of its op (ir/elem.h) are evaluated at every constant coordinate, over the known elements of its
 * operands.  What comes out as a symbolic integer becomes value->elements, which type rules and importers read.
 *
 * Integers narrower than i64 that hold sizes (exporters cast shapes to i32) are taken not to wrap. */
#pragma once

#include "ir/graph.h"

enum { MAX_ELEMENTS = 64 };

/* Sets elements of n's result if they can be known; n has its types. */
void node_derive_elements(node *n);
