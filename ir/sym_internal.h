/* Inside sym: what the files sym*.c share.
 *
 * A sum is worked on as a poly: constant + terms {coefficient, unit}, sorted by the unit's creation order. A unit is an
 * atom, or a MUL of coefficient 1 over two or more atoms; NULL stands for the empty product. Every MUL remembers its
 * unit, so terms of equal product meet whatever their coefficients are. */
#pragma once

#include "ir/sym.h"
#include "support/map.h"

#include <stddef.h>

typedef struct sym_node {
	sym s; /* first: a sym * is a sym_node * */
	sym *unit;      /* of a term: without its coefficient; of an atom: itself */
	uint64_t vars;  /* set of the variables inside, by id modulo 64 */
	bool divides;   /* a term or a sum of terms with a DIV or MOD among their atoms */
	signed char nonneg; /* memo of sym_prove_nonneg: 1 yes, -1 no, 0 not asked */
	unsigned epoch; /* last traversal that visited it, which left ... */
	sym *memo;      /* ... this */
} sym_node;

#define NODE(p) ((sym_node *)(void *)(uintptr_t)(p))

/* One remembered builder call. Collisions forget, so the table has a fixed size. */
typedef struct sym_call {
	sym_kind kind;
	sym *a, *b, *result;
} sym_call;

enum { SYM_CALLS = 1 << 12 };

struct sym_ctx {
	arena *a;
	bool overflowed;
	int next_id;
	sym **table; /* open addressing, a power of two */
	int n_table, cap_table;
	sym_call *calls;
	sym *small[64]; /* constants -16 .. 47 */
	map *dims;      /* name -> sym */
	map *scalars;   /* expr -> sym */
	map *used;      /* names of variables -> int *, the last suffix tried */
	unsigned epoch;
	/* Of the running proof, see sym_prove.c */
	int proof_depth, budget;
	bool cut;
};

typedef struct term {
	int64_t c;
	sym *unit;
} term;

enum { POLY_ROOM = 16 };

typedef struct poly {
	sym_ctx *ctx;
	int64_t k;
	int n, cap;
	term *t; /* room, or an array in the arena */
	term room[POLY_ROOM];
} poly;

void poly_init(poly *p, sym_ctx *c);
void poly_add(poly *p, int64_t c, sym *unit);           /* p += c * unit */
void poly_add_sym(poly *p, int64_t c, const sym *s);    /* p += c * s */
void poly_add_product(poly *p, int64_t c, sym *unit, const sym *s); /* p += c * unit * s */
int64_t poly_coefficient(const poly *p, const sym *unit);
sym *poly_sym(poly *p);       /* as a sym, after poly_recombine */
void poly_recombine(poly *p); /* d * (x floordiv d) + x mod d = x and the like; see sym_recombine.c */

/* The sum that s is: its constant and its terms. */
int64_t sym_constant(const sym *s);
int sym_n_terms(const sym *s);
term sym_term(const sym *s, int i);

int unit_atoms(const sym *unit, sym *const **atoms); /* 0 for NULL */
sym *unit_of(sym_ctx *c, sym *const *sorted, int n);
sym *unit_mul(sym_ctx *c, sym *a, sym *b);
bool unit_div(sym_ctx *c, sym *a, const sym *b, sym **quotient); /* false: b does not divide a */
sym *unit_without(sym_ctx *c, sym *unit, const sym *atom);       /* one occurrence less */
sym *unit_common(sym_ctx *c, sym *a, const sym *b);
sym *sym_of_term(sym_ctx *c, int64_t coefficient, sym *unit);

sym *sym_intern(sym_ctx *c, sym_kind kind, int64_t value, sym *const *in, int n);
sym *sym_plain(sym *s); /* a variable with one value is that value */

/* For callers that try something and undo it. */
void sym_restore_overflow(sym_ctx *c, bool overflowed);

bool sym_recall(sym_ctx *c, sym_kind kind, sym *a, sym *b, sym **result);
sym *sym_remember(sym_ctx *c, sym_kind kind, sym *a, sym *b, sym *result);

/* e / d where d divides e as polynomials, else NULL. */
sym *sym_exact_quotient(sym *e, sym *d);

int64_t int_floordiv(int64_t a, int64_t b);
int64_t int_mod(int64_t a, int64_t b);
int64_t int_gcd(int64_t a, int64_t b);
