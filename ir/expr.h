/* Scalar expressions: what a `map` computes per element and what a kernel statement evaluates.
 *
 * Nodes are immutable and hash-consed in an expr_ctx (equal structure <=> equal pointer).  Builders fold constants of
 * bool, integer and f32/f64 arithmetic whose result is exact and target-independent (+ - * / min max compare, cast), fold integer arithmetic on
 * INDEX into symbolic integers, and apply the identities x+0 (integers), x*1, select(true,...), not(not x), double casts that
 * lose nothing.  They never reassociate float code.
 * Operands have compute types: a storage type (f16, i4 ...) appears only in LOAD, in CAST and at a store, where it is converted.
 * A value rounded to a storage type is two CASTs: the inner one has the storage type as `type`, the outer one its compute type;
 * no other node has a storage type. */
#pragma once

#include "ir/dtype.h"
#include "ir/sym.h"

typedef enum expr_op {
#define EXPR(name, text, n_in, result) EXPR_##name,
#include "ir/expr_ops.def"
#undef EXPR
	EXPR_OP_COUNT,
} expr_op;

typedef enum expr_result { RESULT_SAME, RESULT_BOOL, RESULT_SPECIAL } expr_result;
typedef struct expr_op_info {
	const char *name; /* text form */
	int n_in;
	expr_result result;
} expr_op_info;
extern const expr_op_info expr_op_table[EXPR_OP_COUNT];
expr_op expr_op_find(const char *text, size_t n); /* EXPR_OP_COUNT when unknown */

struct buffer; /* ir/kernel.h */
struct local;

typedef struct expr expr;
struct expr {
	expr_op op;
	dtype type; /* of the result: always a compute type, except LOAD (converted at once, so also compute) */
	int n_in;
	const expr *in[3];
	union {
		int64_t i; /* CONST of an integer or bool type; ARG: operand number */
		double f;  /* CONST of a float type */
		struct {
			const struct buffer *buffer;
			sym *index; /* LOAD: element index; INDEX: the integer */
		};
		const struct local *local;
	};
	int id;
	uint64_t hash;
};

typedef struct expr_ctx expr_ctx;
expr_ctx *expr_ctx_new(arena *a, sym_ctx *syms);
sym_ctx *expr_syms(const expr_ctx *c);

const expr *expr_int(expr_ctx *c, dtype t, int64_t value); /* any integer type or BOOL; wrapped to the type */
const expr *expr_float(expr_ctx *c, dtype t, double value);
const expr *expr_number(expr_ctx *c, dtype t, double value); /* of whichever class t has */
const expr *expr_arg(expr_ctx *c, int i, dtype t);           /* t is turned into its compute type */
const expr *expr_index(expr_ctx *c, sym *s);                 /* i64 */
const expr *expr_load(expr_ctx *c, const struct buffer *b, sym *index);
const expr *expr_local(expr_ctx *c, const struct local *l);
const expr *expr_cast(expr_ctx *c, dtype to, const expr *x);
const expr *expr_round_to(expr_ctx *c, dtype storage, const expr *x); /* value after being stored as `storage` and read back */
const expr *expr_unary(expr_ctx *c, expr_op op, const expr *x);
const expr *expr_binary(expr_ctx *c, expr_op op, const expr *x, const expr *y);
const expr *expr_ternary(expr_ctx *c, expr_op op, const expr *x, const expr *y, const expr *z);
/* Any op by its operands (parsers, rewriters). */
const expr *expr_make(expr_ctx *c, expr_op op, dtype t, const expr *const *in, int n);

/* The smallest and largest value of a type as an expression (identity of max and min; -inf, +inf for floats). */
const expr *expr_lowest(expr_ctx *c, dtype t);
const expr *expr_highest(expr_ctx *c, dtype t);

/* Rebuilds e with every leaf x (CONST excluded) replaced by f(x, user); shared subtrees are visited once. */
const expr *expr_map_leaves(expr_ctx *c, const expr *e, const expr *(*f)(const expr *leaf, void *user), void *user);
bool expr_any(const expr *e, bool (*pred)(const expr *e, void *user), void *user); /* each node once; not into index syms */
int expr_cost(const expr *e); /* rough scalar operations: 1 per simple op, ~10-20 per transcendental, shared nodes once */
/* The value of an integer expression as a sym: INDEX gives its sym, CONST a constant, anything else a SYM_SCALAR in [lo,hi]. */
sym *expr_to_sym(expr_ctx *c, const expr *e, int64_t lo, int64_t hi, sym *below);

/* Text: add(x, 1.0) is written (x + 1.0); infix for + - * / % == != < <= > >= & | ^, otherwise name(args).  Constants carry
 * their type when it is not implied: 1.0 is f32, 1 is i64, true is bool, else 1.0:f64, 3:i32.  cast<i32>(x).  Leaves: %0, [i*4 + 1] for INDEX,
 * buf[i*4 + 1] for LOAD, name for LOCAL. */
void expr_print(str *out, const expr *e);
