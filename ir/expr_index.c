/* Integer arithmetic on INDEX becomes a symbolic integer.
 *
 * Operands are INDEX, integer constants, and casts of INDEX to narrower integers.  + - * commute with the wrapping of a
 * cast, so they always fold; what depends on the value folds where the ranges show that no cast wraps.  DIV truncates and
 * x / 0 is 0, so a quotient is a floordiv only of x >= 0 by d >= 1. */
#include "ir/expr_internal.h"
#include "ir/sym_internal.h"

typedef struct operand {
	sym *s;
	bool exact; /* the value is s, otherwise s wrapped to the type */
} operand;

static bool operand_of(expr_ctx *c, const expr *e, operand *o)
{
	if (e->op == EXPR_CONST) {
		*o = (operand){sym_const(c->syms, e->i), e->type != U64 || e->i >= 0};
		return true;
	}
	bool is_cast = e->op == EXPR_CAST && e->in[0]->op == EXPR_INDEX;
	if (!is_cast && e->op != EXPR_INDEX)
		return false;
	sym *s = is_cast ? e->in[0]->index : e->index;
	*o = (operand){s, int_fits(e->type, s->lo, s->hi)};
	return true;
}

static sym *ring_op(expr_op op, sym *a, sym *b)
{
	switch (op) {
	case EXPR_NEG: return sym_neg(a);
	case EXPR_ADD: return sym_add(a, b);
	case EXPR_SUB: return sym_sub(a, b);
	case EXPR_MUL: return sym_mul(a, b);
	default: return NULL;
	}
}

static bool is_natural(sym *s) { return sym_proves_ge(s, sym_const(s->ctx, 0)); }
static bool is_positive(sym *s) { return sym_proves_ge(s, sym_const(s->ctx, 1)); }

static sym *exact_op(expr_op op, sym *a, sym *b)
{
	switch (op) {
	case EXPR_MIN: return sym_min(a, b);
	case EXPR_MAX: return sym_max(a, b);
	case EXPR_MOD: return is_positive(b) ? sym_mod(a, b) : NULL;
	case EXPR_DIV: return is_positive(b) && is_natural(a) ? sym_floordiv(a, b) : NULL;
	case EXPR_REM: return is_positive(b) && is_natural(a) ? sym_mod(a, b) : NULL;
	case EXPR_ABS: return is_natural(a) ? a : NULL;
	case EXPR_SIGN: return is_positive(a) ? sym_const(a->ctx, 1) : NULL;
	default: return NULL;
	}
}

/* 1 or 0 when known, else -1. */
static int less(sym *a, sym *b) { return sym_proves_lt(a, b) ? 1 : sym_proves_ge(a, b) ? 0 : -1; }
static int inverse(int known) { return known < 0 ? known : !known; }

static int equal(sym *a, sym *b)
{
	return a == b ? 1 : sym_proves_lt(a, b) || sym_proves_lt(b, a) ? 0 : -1;
}

static int compare(expr_op op, sym *a, sym *b)
{
	switch (op) {
	case EXPR_EQ: return equal(a, b);
	case EXPR_NE: return inverse(equal(a, b));
	case EXPR_LT: return less(a, b);
	case EXPR_GE: return inverse(less(a, b));
	case EXPR_GT: return less(b, a);
	case EXPR_LE: return inverse(less(b, a));
	default: return -1;
	}
}

static sym *fold_operands(expr_op op, operand a, operand b)
{
	sym *s = ring_op(op, a.s, b.s);
	return s || !a.exact || !b.exact ? s : exact_op(op, a.s, b.s);
}

const expr *expr_fold_index(expr_ctx *c, expr_op op, dtype t, const expr *const *in)
{
	operand a, b;
	int n = expr_op_table[op].n_in;
	if (!dtype_is_int(in[0]->type) || n > 2 || !operand_of(c, in[0], &a) || !operand_of(c, in[n - 1], &b))
		return NULL;
	if (expr_op_table[op].result == RESULT_BOOL) {
		int known = a.exact && b.exact ? compare(op, a.s, b.s) : -1;
		return known < 0 ? NULL : expr_int(c, BOOL, known);
	}
	/* Integers wrap where a sym would overflow: then it stays arithmetic. */
	bool before = sym_overflowed(c->syms);
	sym_clear_overflow(c->syms);
	sym *s = fold_operands(op, a, b);
	bool overflowed = sym_overflowed(c->syms);
	sym_restore_overflow(c->syms, before);
	return s && !overflowed ? expr_cast(c, t, expr_index(c, s)) : NULL;
}
