/* Inside ir: what an expression knows beyond its public fields. */
#pragma once

#include "ir/expr.h"

typedef struct expr_node {
	expr e; /* first: an expr * is an expr_node * */
	expr_ctx *ctx;
	unsigned epoch;    /* last traversal that visited it, which left ... */
	const expr *memo;  /* ... this */
} expr_node;

#define EXPR_NODE(p) ((expr_node *)(void *)(uintptr_t)(p))

static inline expr_ctx *expr_owner(const expr *e) { return EXPR_NODE(e)->ctx; }
