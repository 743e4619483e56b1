/* When is an output right?  One rule for every tensor of a kind; see compare.c. */
#pragma once

#include "ir/tensor.h"
#include "support/diag.h"

typedef struct match_rule {
	/* Of whole tensors: ||y - ref|| <= norm * ||ref|| and max|y - ref| <= peak * max|ref|. */
	double norm, peak;
	bool same_argmax;
	/* Not negative: |y - ref| <= atol + rtol * |ref|, element by element, instead. */
	double rtol, atol;
} match_rule;

/* The rule for whole networks: looser for results of 16 bits and for quantised models. */
match_rule match_rule_of(dtype t, bool quantised);

typedef struct match {
	bool ok;
	const char *why;          /* a sentence when !ok */
	double norm, peak;        /* relative to the reference */
	size_t n_wrong;           /* elements that differ (beyond the tolerance of an element-wise rule) */
	size_t worst[8];          /* elements with the largest differences, largest first */
	int n_worst;
} match;

match tensor_match(arena *a, const tensor *y, const tensor *ref, const match_rule *rule);
