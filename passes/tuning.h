/* Choices that were measured, by problem: what a tuning file holds (docs/tuning.md).
 *
 * A problem is named by a text that says what the choice depends on and nothing else, so that it is found again in any model:
 *
 *   conv x86-64-v4 f32 1x64x56x56@0231 64x64x3x3 s1 d1 p1       input and its order of axes in memory, filter
 *   contract x86-64-v3 f32 ab,bc->ac ~224x768 768x3072          operands; ~: a size known while running, typically this
 *
 * The file is text, a line per problem, sorted: `PROBLEM = STRATEGY [vectors=N]`.  Lines of other targets and other models do
 * not disturb.  `prepack` looks there before it compares costs. */
#pragma once

#include "passes/strategy.h"

typedef struct tuning tuning;

tuning *tuning_new(arena *a);
/* Adds the lines of a file; false after errors, which name the line. */
bool tuning_read(tuning *t, const char *path, diag *d);
bool tuning_parse(tuning *t, const char *path, const char *text, size_t n, diag *d);
void tuning_print(str *out, const tuning *t, const char *head);

/* The problem that n is. */
char *problem_of(arena *a, const node *n, const pass_ctx *ctx);
/* The size of an axis of its operands, a typical one where it is not known. */
int64_t problem_size(const value *v, int axis);
bool tuning_has(const tuning *t, const char *problem);
void tuning_put(tuning *t, const char *problem, choice c);
/* Changes *c to what the table says of n, if that is one of `all`; what it says and cannot be is warned of, once. */
void tuning_choose(tuning *t, const node *n, pass_ctx *ctx, const choice *all, int count, choice *c);
/* "direct vectors=3" */
char *choice_text(arena *a, choice c);
