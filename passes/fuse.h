/* Inside of the fuse pass. */
#pragma once

#include "passes/pass.h"

/* Same order of axes in memory, axes of size 1 aside. */
bool same_order(const value *a, const value *b);
bool has_halo(const value *v);
/* Not yet part of a group. */
bool is_alone(const node *n);
/* The one node that uses v, when there is no other use at all. */
node *only_user(const use_map *m, const graph *g, const value *v);
/* Row fusion: groups reductions and maps over the same rows; marks their nodes. */
void fuse_rows(graph *g, const use_map *m);
