/* The bodies of code that a model is compiled to: for each CPU of --cpu one for all sizes, and one for every combination of the
 * values that --dim lists. */
#pragma once

#include "backend/backend.h"
#include "frontend/onnx.h"

typedef struct body {
	const target *target;
	const fixed_dim *fixed; /* what it is for; none: all sizes */
	int n_fixed;
	program *p;        /* NULL until compiled */
	size_t code_bytes; /* 0: not known */
} body;

/* How many combinations of listed values there are, 0 without any. */
int bodies_sizes(const dim_range *dims, int n_dims);
/* False, reported, when there would be too many bodies. */
bool bodies_check(const dim_range *dims, int n_dims, int n_cpus, diag *d);
/* n_cpus * (1 + bodies_sizes) of them: CPU by CPU, that for all sizes first. */
body *bodies_of(arena *a, const target *const *cpus, int n_cpus, const dim_range *dims, int n_dims);

/* "N = 3, M = 5", NULL for all sizes. */
const char *body_sizes(arena *a, const body *b);
/* "x86-64-v3, N = 3, M = 5" */
const char *body_title(arena *a, const body *b);
/* "x86-64-v3-N_3-M_5" */
const char *body_name(arena *a, const body *b);
/* Gives p the symbols of callers that `general` has and that are numbers in p, in the same order: both are called alike. */
void body_keep_symbols(program *p, const program *general);
