/* Text of scalar expressions.
 *
 *   expr    = "(" expr infix expr ")" | number | "true" | "false" | call | cast | leaf
 *   infix   = "+" "-" "*" "/" "%" "==" "!=" "<" "<=" ">" ">=" "&" "|" "^"    always in parentheses
 *   call    = op "(" expr { "," expr } ")"          every other op by its name in expr_ops.def: neg(x), select(c, a, b)
 *   cast    = ("cast" | "bitcast") "<" type ">" "(" expr ")"     to a storage type: rounded to it and read back
 *   number  = float [":" type] | integer [":" type]              without type: f32, i64
 *   leaf    = "%" digits | "[" sum "]" | name "[" sum "]" | name     argument, symbolic integer, load, local
 *
 * Floats have a '.', an 'e', or are inf, -inf, nan; negative numbers begin with '-' (nothing else does: negation is
 * neg(x)).  u64 prints as unsigned.  Names that read as something else are quoted. */
#include "ir/expr.h"
#include "ir/kernel.h"
#include "ir/text.h"

#include <inttypes.h>
#include <string.h>

/* Ops without an entry are written as calls. */
static const char *const infix[EXPR_OP_COUNT] = {
	[EXPR_ADD] = "+", [EXPR_SUB] = "-", [EXPR_MUL] = "*",  [EXPR_DIV] = "/", [EXPR_MOD] = "%",
	[EXPR_EQ] = "==", [EXPR_NE] = "!=", [EXPR_LT] = "<",   [EXPR_LE] = "<=", [EXPR_GT] = ">",
	[EXPR_GE] = ">=", [EXPR_AND] = "&", [EXPR_OR] = "|",   [EXPR_XOR] = "^",
};

static void print_const(str *out, const expr *e)
{
	dtype implied = I64;
	if (e->type == BOOL) {
		str_add(out, e->i ? "true" : "false");
		return;
	}
	if (dtype_is_float(e->type)) {
		implied = F32;
		str_add_float(out, e->f, e->type == F32);
	} else if (e->type == U64) {
		str_addf(out, "%" PRIu64, (uint64_t)e->i);
	} else {
		str_addf(out, "%" PRId64, e->i);
	}
	if (e->type != implied)
		str_addf(out, ":%s", dtype_name(e->type));
}

static void print_leaf_name(str *out, const char *name)
{
	static const char *const words[] = {"true", "false", "inf", "nan"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(name, words[i]) == 0) {
			print_quoted(out, name);
			return;
		}
	}
	print_name(out, name);
}

static void print_index(str *out, const sym *s)
{
	str_addc(out, '[');
	sym_print(out, s);
	str_addc(out, ']');
}

static void print_call(str *out, const expr *e)
{
	str_addf(out, "%s(", expr_op_table[e->op].name);
	for (int i = 0; i < e->n_in; i++) {
		if (i)
			str_add(out, ", ");
		expr_print(out, e->in[i]);
	}
	str_addc(out, ')');
}

/* A rounding is a cast to the storage type inside one to its compute type; the inner one is written. */
static void print_cast(str *out, const expr *e)
{
	const expr *inner = e->in[0];
	if (inner->op == EXPR_CAST && dtype_table[inner->type].compute != inner->type)
		e = inner;
	str_addf(out, "%s<%s>(", expr_op_table[e->op].name, dtype_name(e->type));
	expr_print(out, e->in[0]);
	str_addc(out, ')');
}

static void print_operation(str *out, const expr *e)
{
	if (e->op == EXPR_CAST || e->op == EXPR_BITCAST) {
		print_cast(out, e);
		return;
	}
	if (!infix[e->op]) {
		print_call(out, e);
		return;
	}
	str_addc(out, '(');
	expr_print(out, e->in[0]);
	str_addf(out, " %s ", infix[e->op]);
	expr_print(out, e->in[1]);
	str_addc(out, ')');
}

void expr_print(str *out, const expr *e)
{
	switch (e->op) {
	case EXPR_CONST: print_const(out, e); break;
	case EXPR_ARG: str_addf(out, "%%%" PRId64, e->i); break;
	case EXPR_INDEX: print_index(out, e->index); break;
	case EXPR_LOAD:
		print_leaf_name(out, e->buffer->name);
		print_index(out, e->index);
		break;
	case EXPR_LOCAL: print_leaf_name(out, e->local->name); break;
	default: print_operation(out, e); break;
	}
}
