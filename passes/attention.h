/* Attention in the graph: scores = contract(Q, K), maps over them (scale, mask), softmax over the last axis, contract with V.
 *
 *       %1 = contract %q, %k         scores, [..., M, N]
 *       %2 = map %1, %mask           any maps of that shape, one after the other
 *       %3 = reduce %2 {op=max}      softmax, as the importer writes it
 *       %4 = map %2, %3 { exp(%0 - %1) }
 *       %5 = reduce %4 {op=sum}
 *       %6 = map %4, %5 { %0 / %1 }  optionally with 0 for NaN: rows whose scores are all -inf
 *       %7 = contract %6, %v         the product, [..., M, D] in any order */
#pragma once

#include "passes/contract.h"

enum { MAX_SCORE_MAPS = 16 };

typedef struct attention {
	node *scores, *product; /* the contractions */
	const value *masked;    /* the softmax's operand */
	node *inner[MAX_SCORE_MAPS + 8]; /* every node between the two, and `scores` */
	int n_inner;
	bool nan_is_zero;       /* of softmax's results */
	letters of_scores, of_product;
} attention;

/* Whether the node is the product of an attention; fills *a.  Looks at the graph's structure alone. */
bool attention_of(node *product, attention *a);
/* Makes one group of every attention whose inner values nobody else uses; marks its nodes. */
void fuse_attention(graph *g, const use_map *m);
