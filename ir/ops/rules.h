/* What the rules of the core ops share: their prototypes, attribute checks, results, and guarded reads.
 *
 * A type rule returns false with the reason in *why ("op: what was found, what was wanted").  It must withstand any
 * attribute: parsers hand it what a user wrote.  It leaves attributes in canonical form, so that every later reader finds
 * them by one accessor: a list of the other kind (INTS for SYMS, integers for FLOATS) is converted, and optional lists are
 * filled in with their defaults.  Element rules run only on nodes whose type rule has passed. */
#pragma once

#include "ir/elem.h"

#define RULE_OF_ELEM(text)   const expr *elem_##text(elem *e, const node *n, coord at);
#define RULE_OF_REDUCE(text) void reduction_##text(elem *e, const node *n, coord at, reduction *r);
#define RULE_OF_BUILD(text)  void kernel_##text(struct kernel_builder *b, const node *n);
#define RULE_OF_OTHER(text)
#define OP(name, text, min_in, max_in, form, purpose)    \
	bool infer_##text(node *n, const char **why); \
	RULE_OF_##form(text)
#include "ir/graph_ops.def"
#undef OP
#undef RULE_OF_ELEM
#undef RULE_OF_REDUCE
#undef RULE_OF_BUILD
#undef RULE_OF_OTHER

/* ---- type rules --------------------------------------------------------------------------------------------------- */
bool rule_refuse(const node *n, const char **why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Operand count as in the table, n_out results, and no attribute but those in `known` (words between spaces). */
bool rule_form(const node *n, const char **why, int n_out, const char *known);

bool rule_has(const node *n, const char **why, const char *name); /* refuses when absent */
/* Absent is fine for the next five; read them with node_int, node_word ... and a default. */
bool rule_int(const node *n, const char **why, const char *name, int64_t lo, int64_t hi);
bool rule_float(node *n, const char **why, const char *name);
bool rule_floats(node *n, const char **why, const char *name, int count);
bool rule_word(const node *n, const char **why, const char *name, const char *allowed);
bool rule_type_word(const node *n, const char **why, dtype *t); /* {type}; *t stays when absent */
/* Required: an axis of a tensor of `rank`; lists of `count` entries (-1: any number) of at least `lo`. */
bool rule_axis(const node *n, const char **why, int rank, int *axis);
bool rule_ints(node *n, const char **why, const char *name, int count, int64_t lo);
bool rule_syms(node *n, const char **why, const char *name, int count, int64_t lo);
/* Lists that default to `count` times `otherwise`. */
bool rule_ints_or(node *n, const char **why, const char *name, int count, int64_t lo, int64_t otherwise);
bool rule_syms_or(node *n, const char **why, const char *name, int count, int64_t lo, int64_t otherwise);

/* {strategy, packed} of contract and conv, which have 2 to `most` operands besides a packed copy (node_operands). */
bool rule_packed(const node *n, const char **why, int most);
/* The result type of a sum of products of both operands: {type}, else the floats' own type or the accumulator's. */
bool rule_product(const node *n, const char **why, dtype *result);

bool rule_result(node *n, const char **why, int i, dtype t, int rank, sym *const *dims);
/* Conditions of sizes that the rule relies on; false when they hold for no sizes. */
bool rule_equal(const node *n, sym *a, sym *b);
bool rule_at_least(const node *n, sym *a, sym *b);
bool rule_one_or_equal(const node *n, sym *a, sym *b); /* a is 1 or b */
bool rule_nonempty_for(const node *n, sym *axis, sym *count); /* an axis that `count` elements are read from has any */
sym *dim_agree(const node *n, sym *a, sym *b); /* the better known of two dims that must be equal; NULL when they cannot be */
bool dim_broadcast(const node *n, sym *a, sym *b, sym **out); /* false when neither is 1 and they differ for certain */
bool type_is_index(dtype t);
dtype type_compute(dtype t);
dtype type_accumulator(dtype t); /* of sums of products: f32 for narrow floats, i32 for 8-bit integers */
const char *sym_text(const node *n, sym *s); /* for messages */
const double *node_floats(const node *n, const char *name); /* NULL when absent */
double node_float(const node *n, const char *name, double otherwise);
bool node_word_is(const node *n, const char *name, const char *otherwise, const char *word);

/* ---- element rules; a condition NULL is always true ------------------------------------------------------------------ */
const expr *elem_lt(elem *e, sym *a, sym *b);
const expr *elem_and(elem *e, const expr *a, const expr *b);
const expr *elem_inside(elem *e, sym *i, sym *extent); /* 0 <= i < extent */
/* The element where `inside` holds; then and only then v is read. */
const expr *elem_guarded(elem *e, const expr *inside, const value *v, coord at, const expr *otherwise);
/* An element as it comes back from memory: rounded to v's storage type. */
const expr *elem_stored(elem *e, const value *v, const expr *x);
const expr *elem_product(elem *e, dtype acc, const expr *x, const expr *y);
const expr *elem_number(elem *e, dtype t, double x); /* of t's compute type */
