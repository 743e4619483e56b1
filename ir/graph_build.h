/* Builders for core ops: one function each, all over graph_add.  Axes are already normalised (0 <= axis < rank). */
#pragma once

#include "ir/graph.h"

/* map: `e` over expr_arg(i) leaves standing for operand i. */
value *build_map(graph *g, const expr *e, value *const *in, int n_in);
/* The same elements in a value of its own: another buffer, another layout. */
value *build_copy(graph *g, value *x);
value *build_unary(graph *g, expr_op op, value *x);
value *build_binary(graph *g, expr_op op, value *x, value *y); /* broadcasts; operand types equal; storage types computed and stored back */
value *build_select(graph *g, value *c, value *x, value *y);
value *build_cast(graph *g, dtype to, value *x);
value *build_scalar(graph *g, dtype t, double v); /* rank-0 constant */
value *build_scalar_int(graph *g, dtype t, int64_t v);
value *build_sizes(graph *g, sym *const *v, int n); /* i64[n] */
value *build_size_scalar(graph *g, sym *v);         /* i64[] */
value *build_iota(graph *g, sym *const *shape, int rank, int axis);
value *build_reshape(graph *g, value *x, sym *const *shape, int rank);
value *build_transpose(graph *g, value *x, const int *perm);
value *build_expand(graph *g, value *x, sym *const *shape, int rank);
value *build_slice(graph *g, value *x, sym *const *starts, const int64_t *steps, sym *const *shape);
value *build_pad(graph *g, value *x, sym *const *lo, sym *const *hi, const char *mode, value *fill);
value *build_concat(graph *g, value *const *in, int n, int axis);
value *build_tile(graph *g, value *x, sym *const *shape);
value *build_gather(graph *g, value *x, value *indices, int axis);
value *build_reduce(graph *g, value *x, const char *op, const int *axes, int n); /* reduced axes keep size 1 */
value *build_contract(graph *g, value *a, value *b, const char *equation);
value *build_squeeze(graph *g, value *x, const int *axes, int n);   /* a reshape */
value *build_unsqueeze(graph *g, value *x, const int *axes, int n); /* axes of the result */
/* A copy of node n's op and attributes on other operands (passes). */
value *build_like(graph *g, const node *n, value *const *in, int n_in);
