/* Builders of operations: constants fold (expr_fold.c), symbolic integers fold (expr_index.c), and what is left goes
 * through one function of identities per arity before it becomes a node.
 *
 * An identity holds for every value of its type, NaN, infinities and signed zeros included, and never reassociates
 * floats.  A constant operand of a commutative operation stands on the right. */
#include "ir/expr_internal.h"
#include "ir/kernel.h"
#include "support/diag.h"

#include <assert.h>
#include <math.h>

static bool is_int_const(const expr *e, int64_t value)
{
	return e->op == EXPR_CONST && !dtype_is_float(e->type) && e->i == int_wrap(e->type, value);
}

static bool is_float_const(const expr *e, double value)
{
	return e->op == EXPR_CONST && dtype_is_float(e->type) && e->f == value && signbit(e->f) == signbit(value);
}

static bool is_number(const expr *e, int value) { return is_int_const(e, value) || is_float_const(e, value); }

static bool is_compute(dtype t) { return dtype_table[t].compute == t; }

static const expr *node(expr_ctx *c, expr_op op, dtype t, const expr *x, const expr *y, const expr *z)
{
	return expr_intern(c, &(expr){.op = op, .type = t, .n_in = expr_op_table[op].n_in, .in = {x, y, z}});
}

/* Casts */

/* Every value of `from` is a value of `to`. */
static bool holds(dtype to, dtype from)
{
	if (from == to || from == BOOL)
		return true;
	if (dtype_is_float(from))
		return from == F32 && to == F64;
	if (dtype_is_float(to))
		return dtype_table[from].bits <= (to == F32 ? 16 : 32);
	if (to == BOOL || from == U64)
		return false;
	return int_fits(to, int_lowest(from), int_highest(from));
}

/* to(mid(x)) is to(x). */
static bool inner_cast_is_moot(dtype to, dtype mid, const expr *x)
{
	dtype from = x->type;
	if (!is_compute(mid) || !is_compute(from))
		return false;
	bool ints = dtype_is_int(to) && dtype_is_int(mid) && dtype_is_int(from);
	if (ints && dtype_table[to].bits <= dtype_table[mid].bits)
		return true;
	if (ints && x->op == EXPR_INDEX && int_fits(mid, x->index->lo, x->index->hi))
		return true;
	if (!holds(mid, from))
		return false;
	/* From float to int saturates, from int to int wraps. */
	bool detour = dtype_is_int(to) && dtype_is_float(mid) && dtype_is_int(from);
	return !detour || holds(to, from);
}

const expr *expr_cast(expr_ctx *c, dtype to, const expr *x)
{
	if (!is_compute(to))
		return expr_round_to(c, to, x);
	if (x->type == to)
		return x;
	const expr *folded = expr_fold(c, EXPR_CAST, to, &x);
	if (folded)
		return folded;
	if (x->op == EXPR_CAST && inner_cast_is_moot(to, x->type, x->in[0]))
		return expr_cast(c, to, x->in[0]);
	return node(c, EXPR_CAST, to, x, NULL, NULL);
}

static bool is_rounded(dtype narrow, const expr *x)
{
	if (x->op == EXPR_LOAD)
		return x->buffer->type == narrow;
	return x->op == EXPR_CAST && x->in[0]->op == EXPR_CAST && x->in[0]->type == narrow;
}

const expr *expr_round_to(expr_ctx *c, dtype narrow, const expr *x)
{
	dtype compute = dtype_table[narrow].compute;
	if (compute == narrow)
		return expr_cast(c, narrow, x);
	/* To a packed integer saturates at that integer, not at the one it is computed in. */
	if (dtype_is_int(narrow) && dtype_is_float(x->type)) {
		x = expr_binary(c, EXPR_MAX, x, expr_number(c, x->type, (double)int_lowest(narrow)));
		x = expr_binary(c, EXPR_MIN, x, expr_number(c, x->type, (double)int_highest(narrow)));
		return expr_cast(c, compute, x);
	}
	x = expr_cast(c, compute, x);
	if (is_rounded(narrow, x))
		return x;
	const expr *folded = expr_fold_round(c, narrow, x);
	if (folded)
		return folded;
	return node(c, EXPR_CAST, compute, node(c, EXPR_CAST, narrow, x, NULL, NULL), NULL, NULL);
}

static const expr *bitcast(expr_ctx *c, dtype to, const expr *x)
{
	assert(dtype_table[to].bits == dtype_table[x->type].bits);
	if (x->type == to)
		return x;
	if (x->op == EXPR_BITCAST)
		return bitcast(c, to, x->in[0]);
	const expr *folded = expr_fold(c, EXPR_BITCAST, to, &x);
	return folded ? folded : node(c, EXPR_BITCAST, to, x, NULL, NULL);
}

/* Unary */

/* The comparison that holds exactly when op does not; with NaN, only == and != have one. */
static expr_op opposite(expr_op op, dtype operands)
{
	if (op == EXPR_EQ || op == EXPR_NE)
		return op == EXPR_EQ ? EXPR_NE : EXPR_EQ;
	if (dtype_is_float(operands))
		return EXPR_OP_COUNT;
	switch (op) {
	case EXPR_LT: return EXPR_GE;
	case EXPR_GE: return EXPR_LT;
	case EXPR_GT: return EXPR_LE;
	case EXPR_LE: return EXPR_GT;
	default: return EXPR_OP_COUNT;
	}
}

static const expr *simpler_not(expr_ctx *c, const expr *x)
{
	if (x->op == EXPR_NOT)
		return x->in[0];
	expr_op inverse = x->type == BOOL && x->n_in == 2 ? opposite(x->op, x->in[0]->type) : EXPR_OP_COUNT;
	return inverse == EXPR_OP_COUNT ? NULL : expr_binary(c, inverse, x->in[0], x->in[1]);
}

static const expr *simpler_unary(expr_ctx *c, expr_op op, const expr *x)
{
	switch (op) {
	case EXPR_NEG: return x->op == EXPR_NEG ? x->in[0] : NULL;
	case EXPR_NOT: return simpler_not(c, x);
	case EXPR_ABS:
		return x->op == EXPR_ABS || dtype_table[x->type].class == CLASS_UINT ? x :
		       x->op == EXPR_NEG					     ? expr_unary(c, EXPR_ABS, x->in[0]) :
										       NULL;
	case EXPR_FLOOR:
	case EXPR_CEIL:
	case EXPR_ROUND:
	case EXPR_TRUNC:
		return x->op == EXPR_FLOOR || x->op == EXPR_CEIL || x->op == EXPR_ROUND || x->op == EXPR_TRUNC ||
				       (x->op == EXPR_CAST && !dtype_is_float(x->in[0]->type)) ?
			       x :
			       NULL;
	default: return NULL;
	}
}

const expr *expr_unary(expr_ctx *c, expr_op op, const expr *x)
{
	assert(expr_op_table[op].n_in == 1 && op != EXPR_CAST && op != EXPR_BITCAST);
	dtype t = expr_op_table[op].result == RESULT_BOOL ? BOOL : x->type;
	const expr *e;
	if ((e = expr_fold(c, op, t, &x)) || (e = expr_fold_index(c, op, t, &x)) || (e = simpler_unary(c, op, x)))
		return e;
	return node(c, op, t, x, NULL, NULL);
}

/* Binary */

static bool commutes(expr_op op)
{
	switch (op) {
	case EXPR_ADD:
	case EXPR_MUL:
	case EXPR_AND:
	case EXPR_OR:
	case EXPR_XOR:
	case EXPR_EQ:
	case EXPR_NE: return true;
	default: return false;
	}
}

/* -1 when op(x, x) differs with x; otherwise 0 or 1. */
static int reflexive(expr_op op)
{
	switch (op) {
	case EXPR_EQ:
	case EXPR_LE:
	case EXPR_GE: return 1;
	case EXPR_NE:
	case EXPR_LT:
	case EXPR_GT:
	case EXPR_SUB:
	case EXPR_XOR: return 0;
	default: return -1;
	}
}

static const expr *simpler_twice(expr_ctx *c, expr_op op, dtype t, const expr *x)
{
	if (op == EXPR_MIN || op == EXPR_MAX || op == EXPR_AND || op == EXPR_OR)
		return x;
	if (dtype_is_float(x->type) || reflexive(op) < 0)
		return NULL;
	return expr_int(c, t, reflexive(op));
}

static const expr *simpler_bool(expr_ctx *c, expr_op op, const expr *x, const expr *y)
{
	bool value = y->i != 0;
	switch (op) {
	case EXPR_AND: return value ? x : y;
	case EXPR_OR: return value ? y : x;
	case EXPR_EQ: return value ? x : expr_unary(c, EXPR_NOT, x);
	case EXPR_NE:
	case EXPR_XOR: return value ? expr_unary(c, EXPR_NOT, x) : x;
	default: return NULL;
	}
}

/* A constant y on the right, of integers and floats. */
static const expr *simpler_const(expr_ctx *c, expr_op op, const expr *x, const expr *y)
{
	bool is_float = dtype_is_float(x->type), zero = is_int_const(y, 0);
	switch (op) {
	case EXPR_ADD: return zero || is_float_const(y, -0.0) ? x : NULL;
	case EXPR_SUB: return zero || is_float_const(y, 0.0) ? x : NULL;
	case EXPR_MUL: return is_number(y, 1) ? x : zero ? y : NULL;
	case EXPR_DIV: return is_number(y, 1) ? x : zero ? y : NULL;
	case EXPR_MOD:
	case EXPR_REM: return is_int_const(y, 1) || zero ? expr_int(c, x->type, 0) : NULL;
	case EXPR_AND: return zero ? y : is_int_const(y, -1) ? x : NULL;
	case EXPR_OR: return zero ? x : is_int_const(y, -1) ? y : NULL;
	case EXPR_XOR:
	case EXPR_SHL:
	case EXPR_SHR: return zero ? x : NULL;
	case EXPR_POW: /* also of NaN: pow(x, 0) is 1 */
		return is_number(y, 1)	       ? x :
		       is_number(y, 2)	       ? expr_binary(c, EXPR_MUL, x, x) :
		       is_number(y, 3)	       ? expr_binary(c, EXPR_MUL, expr_binary(c, EXPR_MUL, x, x), x) :
		       is_number(y, 0)	       ? expr_number(c, x->type, 1) :
		       is_float && y->f == 0.0 ? expr_number(c, x->type, 1) :
						 NULL;
	default: return NULL;
	}
}

static const expr *simpler_binary(expr_ctx *c, expr_op op, dtype t, const expr *x, const expr *y)
{
	if (x == y)
		return simpler_twice(c, op, t, x);
	if (y->op != EXPR_CONST)
		return NULL;
	return x->type == BOOL ? simpler_bool(c, op, x, y) : simpler_const(c, op, x, y);
}

const expr *expr_binary(expr_ctx *c, expr_op op, const expr *x, const expr *y)
{
	assert(expr_op_table[op].n_in == 2);
	if (x->type != y->type)
		bug("%s of %s and %s", expr_op_table[op].name, dtype_name(x->type), dtype_name(y->type));
	if (commutes(op) && x->op == EXPR_CONST && y->op != EXPR_CONST) {
		const expr *left = x;
		x = y;
		y = left;
	}
	dtype t = expr_op_table[op].result == RESULT_BOOL ? BOOL : x->type;
	const expr *in[] = {x, y}, *e;
	if ((e = expr_fold(c, op, t, in)) || (e = expr_fold_index(c, op, t, in)) || (e = simpler_binary(c, op, t, x, y)))
		return e;
	return node(c, op, t, x, y, NULL);
}

/* Ternary */

static const expr *select_or_choose(expr_ctx *c, expr_op op, const expr *cond, const expr *x, const expr *y)
{
	if (cond->type != BOOL || x->type != y->type)
		bug("%s by %s of %s and %s", expr_op_table[op].name, dtype_name(cond->type), dtype_name(x->type),
		    dtype_name(y->type));
	if (cond->op == EXPR_CONST)
		return cond->i ? x : y;
	if (x == y)
		return x;
	if (cond->op == EXPR_NOT)
		return select_or_choose(c, op, cond->in[0], y, x);
	/* The same question asked again has the same answer. */
	if ((x->op == EXPR_SELECT || x->op == EXPR_CHOOSE) && x->in[0] == cond)
		return select_or_choose(c, op, cond, x->in[1], y);
	if ((y->op == EXPR_SELECT || y->op == EXPR_CHOOSE) && y->in[0] == cond)
		return select_or_choose(c, op, cond, x, y->in[2]);
	if (x->type == BOOL && x->op == EXPR_CONST && y->op == EXPR_CONST)
		return x->i ? cond : expr_unary(c, EXPR_NOT, cond);
	if (op == EXPR_CHOOSE && !EXPR_NODE(x)->reads && !EXPR_NODE(y)->reads)
		op = EXPR_SELECT;
	return node(c, op, x->type, cond, x, y);
}

const expr *expr_ternary(expr_ctx *c, expr_op op, const expr *x, const expr *y, const expr *z)
{
	assert(expr_op_table[op].n_in == 3);
	if (op != EXPR_FMA)
		return select_or_choose(c, op, x, y, z);
	if (!dtype_is_float(x->type))
		return expr_binary(c, EXPR_ADD, expr_binary(c, EXPR_MUL, x, y), z);
	if (x->type != y->type || y->type != z->type)
		bug("fma of %s, %s and %s", dtype_name(x->type), dtype_name(y->type), dtype_name(z->type));
	return node(c, op, x->type, x, y, z);
}

const expr *expr_make(expr_ctx *c, expr_op op, dtype t, const expr *const *in, int n)
{
	if (n != expr_op_table[op].n_in || n == 0)
		bug("%s with %d operands", expr_op_table[op].name, n);
	if (op == EXPR_CAST) /* of a rounding, the inner cast carries the storage type and the outer one adds nothing */
		return expr_cast(c, t, in[0]);
	if (op == EXPR_BITCAST)
		return bitcast(c, t, in[0]);
	return n == 1 ? expr_unary(c, op, in[0]) :
	       n == 2 ? expr_binary(c, op, in[0], in[1]) :
			expr_ternary(c, op, in[0], in[1], in[2]);
}
