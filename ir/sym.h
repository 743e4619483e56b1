/* Symbolic integers: one expression language for dimensions, loop bounds and index arithmetic.
 *
 * Expressions are immutable and hash-consed: equal structure <=> equal pointer.  Builders keep them canonical:
 *   - a sum is  constant + sum of terms,  terms sorted by creation order, equal terms merged;
 *   - a term is  coefficient * product of atoms; products distribute over sums;
 *   - an atom is a variable, floordiv, mod, min or max;
 *   - x floordiv d and x mod d split off the multiples of d, use ranges (0 <= r < d), merge nested divisions, and
 *     d * (x floordiv d) + x mod d is x again;
 *   - division and modulus floor, as in Python; a divisor is positive wherever it is evaluated.
 * Canonical order depends on creation order only, never on addresses, so output is reproducible.
 *
 * A variable is a model symbol (a dynamic dimension), a loop variable, or a run-time scalar (an `expr`).
 * Constant arithmetic that leaves int64 saturates the context's `overflowed` flag; importers check it and report. */
#pragma once

#include "support/arena.h"
#include "support/str.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct sym sym;
typedef struct sym_ctx sym_ctx;
struct expr;

typedef enum sym_kind { SYM_CONST, SYM_VAR, SYM_ADD, SYM_MUL, SYM_DIV, SYM_MOD, SYM_MIN, SYM_MAX } sym_kind;
typedef enum sym_role { SYM_DIM, SYM_LOOP, SYM_SCALAR } sym_role;

struct sym {
	sym_ctx *ctx;
	sym_kind kind;
	int id;           /* creation order */
	int64_t value;    /* CONST: the value; ADD: constant term; MUL: coefficient */
	int64_t lo, hi;   /* every value it can take lies in [lo, hi] (INT64_MIN/MAX: unknown) */
	int n;            /* operands: ADD terms, MUL atoms, DIV/MOD/MIN/MAX 2 */
	sym *const *in;
	/* SYM_VAR only */
	sym_role role;
	const char *name;
	sym *below;               /* value < below when not NULL (loop variables, clamped indices) */
	const struct expr *scalar; /* SYM_SCALAR: the integer expression evaluated where the sym is used */
	uint64_t hash;
};

sym_ctx *sym_ctx_new(arena *a);
bool sym_overflowed(const sym_ctx *c);
void sym_clear_overflow(sym_ctx *c);

sym *sym_const(sym_ctx *c, int64_t value);
/* The model symbol of that name; made with the range [lo, hi] when new. */
sym *sym_dim(sym_ctx *c, const char *name, int64_t lo, int64_t hi);
sym *sym_find_dim(sym_ctx *c, const char *name); /* or NULL */
/* A model symbol that takes its value while running (a loop's number of iterations done, a size that depends on data):
 * lo <= value < below, where `below` is made of other symbols.  A constant when only one value is left. */
sym *sym_inner(sym_ctx *c, const char *name, int64_t lo, sym *below); /* as sym_dim: the one of that name */
sym *sym_inner_fresh(sym_ctx *c, const char *hint, int64_t lo, sym *below); /* with a name of its own */
bool sym_is_inner(const sym *s);
/* An expression that is never less than s (upper), or never greater, without inner symbols; s has none that are negative. */
sym *sym_outer_bound(sym *s, bool upper);
/* Narrows a dim symbol's range before anything was built on it (`--dim`). */
void sym_set_range(sym *dim, int64_t lo, int64_t hi);
/* A fresh loop variable with 0 <= v < extent; `hint` names it in print (made unique: i, i1, i2 ...). */
sym *sym_loop(sym_ctx *c, const char *hint, sym *extent);
/* The integer value of a scalar expression, known to lie in [lo, hi] and below `below` (may be NULL). Same e: same sym. */
sym *sym_scalar(sym_ctx *c, const struct expr *e, int64_t lo, int64_t hi, sym *below);

sym *sym_add(sym *a, sym *b);
sym *sym_sub(sym *a, sym *b);
sym *sym_mul(sym *a, sym *b);
sym *sym_neg(sym *a);
sym *sym_floordiv(sym *a, sym *b);
sym *sym_ceildiv(sym *a, sym *b);
sym *sym_mod(sym *a, sym *b);
sym *sym_min(sym *a, sym *b);
sym *sym_max(sym *a, sym *b);
/* Without proofs that one operand covers the other: for text that was simplified before it was printed.  What a proof finds out
 * depends on what was built before, so it may find more in a later life of the same expression. */
sym *sym_min_written(sym *a, sym *b);
sym *sym_max_written(sym *a, sym *b);
sym *sym_addi(sym *a, int64_t b);
sym *sym_muli(sym *a, int64_t b);
sym *sym_divi(sym *a, int64_t b);
sym *sym_modi(sym *a, int64_t b);
sym *sym_product(sym_ctx *c, sym *const *v, int n); /* 1 when n == 0 */

bool sym_is_const(const sym *s, int64_t *value); /* value may be NULL */
bool sym_is(const sym *s, int64_t value);
int64_t sym_value(const sym *s); /* of a constant; bug otherwise */
bool sym_proves_ge(sym *a, sym *b); /* a >= b for every value of the variables; false = not known */
bool sym_proves_lt(sym *a, sym *b);
bool sym_proves_multiple(sym *a, int64_t of);
/* s = coefficient * var + rest with neither containing var; false when s is not affine in var. */
bool sym_affine(sym *s, sym *var, sym **coefficient, sym **rest);
bool sym_contains(const sym *s, const sym *var);
bool sym_any_var(const sym *s, bool (*pred)(const sym *var, void *user), void *user); /* also looks inside scalars' index syms */
sym *sym_replace(sym *s, sym *var, sym *by);
/* Rebuilds s with every variable v replaced by f(v, user) (f returns v itself to keep it). */
sym *sym_map_vars(sym *s, sym *(*f)(sym *var, void *user), void *user);
/* The same expression in another context (dims by name, loops by fresh variables in `f` as above). */
sym *sym_import(sym_ctx *to, const sym *s, sym *(*f)(const sym *var, void *user), void *user);
/* Value under an environment; false on overflow or a variable that `f` does not know. */
bool sym_eval(const sym *s, bool (*f)(const sym *var, int64_t *value, void *user), void *user, int64_t *value);

/* C-like text with minimal parentheses: N*64 + i, (i + 3) / 4, i % 8, min(a, b).  Scalars print as {expr}. */
void sym_print(str *out, const sym *s);
