/* Inside ir: what an expression knows beyond its public fields, and what the files expr*.c share. */
#pragma once

#include "ir/expr.h"
#include "support/arena.h"

typedef struct expr_node {
	expr e; /* first: an expr * is an expr_node * */
	expr_ctx *ctx;
	bool reads;       /* loads (bytes too), or may once its %i are known: a choice must not execute it needlessly */
	unsigned epoch;   /* last traversal that visited it, which left ... */
	const expr *memo; /* ... this, if it rebuilds */
} expr_node;

#define EXPR_NODE(p) ((expr_node *)(void *)(uintptr_t)(p))

struct expr_ctx {
	arena *a;
	sym_ctx *syms;
	const expr **table; /* open addressing, a power of two */
	int n_table, cap_table, next_id;
	unsigned epoch;
};

static inline expr_ctx *expr_owner(const expr *e) { return EXPR_NODE(e)->ctx; }

/* The node as described, neither folded nor simplified. */
const expr *expr_intern(expr_ctx *c, const expr *key);

/* Values of integer types: sign- or zero-extended to 64 bits (u64 keeps its bits); of BOOL: 0 or 1. */
int64_t int_wrap(dtype t, int64_t value);
int64_t int_lowest(dtype t);
int64_t int_highest(dtype t);
bool int_fits(dtype t, int64_t lo, int64_t hi); /* every i64 in [lo, hi] is a value of t */

/* The constant that op gives for constant operands, or NULL: not constant, or not the same on every target. */
const expr *expr_fold(expr_ctx *c, expr_op op, dtype t, const expr *const *in);
/* A constant stored as `storage` and read back, or NULL when that depends on how it saturates. */
const expr *expr_fold_round(expr_ctx *c, dtype storage, const expr *x);

/* op on symbolic integers as an INDEX (or a cast of one, or a constant); NULL when it is none. */
const expr *expr_fold_index(expr_ctx *c, expr_op op, dtype t, const expr *const *in);
