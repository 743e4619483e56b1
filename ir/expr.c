/* Scalar expressions: the context, hash-consing, and leaves.  Building operations is in expr_build.c. */
#include "ir/expr.h"

#include "ir/expr_internal.h"
#include "ir/kernel.h"
#include "support/diag.h"
#include "support/map.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const expr_op_info expr_op_table[EXPR_OP_COUNT] = {
#define EXPR(name_, text_, n_in_, result_) [EXPR_##name_] = {.name = text_, .n_in = n_in_, .result = RESULT_##result_},
#include "ir/expr_ops.def"
#undef EXPR
};

expr_op expr_op_find(const char *text, size_t n)
{
	for (int op = 0; op < EXPR_OP_COUNT; op++)
		if (strlen(expr_op_table[op].name) == n && memcmp(expr_op_table[op].name, text, n) == 0)
			return (expr_op)op;
	return EXPR_OP_COUNT;
}

enum { FIRST_TABLE = 256 };

expr_ctx *expr_ctx_new(arena *a, sym_ctx *syms)
{
	expr_ctx *c = new(a, expr_ctx);
	c->a = a;
	c->syms = syms;
	c->cap_table = FIRST_TABLE;
	c->table = new_array(a, const expr *, FIRST_TABLE);
	return c;
}

sym_ctx *expr_syms(const expr_ctx *c) { return c->syms; }

/* Interning.  Hashes are made of names and creation orders, so they are the same in every run. */

static uint64_t float_bits(double f)
{
	uint64_t bits;
	memcpy(&bits, &f, sizeof bits);
	return bits;
}

static uint64_t leaf_hash(const expr *e)
{
	switch (e->op) {
	case EXPR_CONST: return dtype_is_float(e->type) ? float_bits(e->f) : (uint64_t)e->i;
	case EXPR_ARG: return (uint64_t)e->i;
	case EXPR_INDEX: return (uint64_t)e->index->id;
	case EXPR_LOAD:
		return hash_mix(hash_bytes(e->buffer->name, strlen(e->buffer->name), 0), (uint64_t)e->index->id);
	case EXPR_LOCAL: return hash_bytes(e->local->name, strlen(e->local->name), 0);
	default: return 0;
	}
}

static bool same_leaf(const expr *a, const expr *b)
{
	switch (a->op) {
	case EXPR_CONST: return dtype_is_float(a->type) ? float_bits(a->f) == float_bits(b->f) : a->i == b->i;
	case EXPR_ARG: return a->i == b->i;
	case EXPR_INDEX:
	case EXPR_LOAD: return a->buffer == b->buffer && a->index == b->index;
	case EXPR_LOCAL: return a->local == b->local;
	default: return true;
	}
}

static bool same_node(const expr *a, const expr *b)
{
	return a->hash == b->hash && a->op == b->op && a->type == b->type && a->n_in == b->n_in &&
	       a->in[0] == b->in[0] && a->in[1] == b->in[1] && a->in[2] == b->in[2] && same_leaf(a, b);
}

static void table_put(const expr **table, int cap, const expr *e)
{
	unsigned mask = (unsigned)cap - 1, i = (unsigned)e->hash & mask;
	while (table[i])
		i = (i + 1) & mask;
	table[i] = e;
}

static void table_grow(expr_ctx *c)
{
	int cap = c->cap_table * 2;
	const expr **bigger = new_array(c->a, const expr *, (size_t)cap);
	for (int i = 0; i < c->cap_table; i++)
		if (c->table[i])
			table_put(bigger, cap, c->table[i]);
	c->table = bigger;
	c->cap_table = cap;
}

static bool is_scalar(const sym *var, void *user)
{
	(void)user;
	return var->role == SYM_SCALAR;
}

static bool node_reads(const expr *e)
{
	if (e->op == EXPR_LOAD || e->op == EXPR_BYTE || e->op == EXPR_ARG)
		return true;
	if (e->op == EXPR_INDEX)
		return sym_any_var(e->index, is_scalar, NULL);
	for (int i = 0; i < e->n_in; i++)
		if (EXPR_NODE(e->in[i])->reads)
			return true;
	return false;
}

const expr *expr_intern(expr_ctx *c, const expr *key)
{
	expr e = *key;
	e.hash = hash_mix(hash_mix((uint64_t)e.op, (uint64_t)e.type), leaf_hash(&e));
	for (int i = 0; i < e.n_in; i++) {
		assert(expr_owner(e.in[i]) == c);
		e.hash = hash_mix(e.hash, (uint64_t)e.in[i]->id);
	}
	unsigned mask = (unsigned)c->cap_table - 1;
	for (unsigned i = (unsigned)e.hash & mask; c->table[i]; i = (i + 1) & mask)
		if (same_node(c->table[i], &e))
			return c->table[i];
	expr_node *n = new(c->a, expr_node);
	e.id = c->next_id++;
	n->e = e;
	n->ctx = c;
	n->reads = node_reads(&n->e);
	if (++c->n_table * 2 > c->cap_table)
		table_grow(c);
	table_put(c->table, c->cap_table, &n->e);
	return &n->e;
}

/* Leaves */

int64_t int_lowest(dtype t)
{
	return dtype_table[t].class == CLASS_SINT ? -(int64_t)(((uint64_t)1 << (dtype_table[t].bits - 1)) - 1) - 1 : 0;
}

int64_t int_highest(dtype t)
{
	const dtype_info *info = &dtype_table[t];
	if (info->class == CLASS_BOOL)
		return 1;
	int bits = info->class == CLASS_SINT ? info->bits - 1 : info->bits;
	return bits == 64 ? -1 : (int64_t)(((uint64_t)1 << bits) - 1);
}

bool int_fits(dtype t, int64_t lo, int64_t hi)
{
	if (t == U64)
		return lo >= 0;
	return lo >= int_lowest(t) && hi <= int_highest(t);
}

int64_t int_wrap(dtype t, int64_t value)
{
	if (t == BOOL)
		return value != 0;
	int unused = 64 - dtype_table[t].bits;
	uint64_t x = (uint64_t)value << unused;
	return dtype_table[t].class == CLASS_SINT ? (int64_t)x >> unused : (int64_t)(x >> unused);
}

const expr *expr_int(expr_ctx *c, dtype t, int64_t value)
{
	assert(dtype_is_int(t) || t == BOOL);
	return expr_intern(c, &(expr){.op = EXPR_CONST, .type = t, .i = int_wrap(t, value)});
}

/* There is one NaN: its sign and payload mean nothing. */
const expr *expr_float(expr_ctx *c, dtype t, double value)
{
	assert(dtype_is_float(t));
	if (t != F64)
		value = (double)(float)value;
	if (isnan(value))
		value = (double)NAN;
	return expr_intern(c, &(expr){.op = EXPR_CONST, .type = t, .f = value});
}

const expr *expr_number(expr_ctx *c, dtype t, double value)
{
	return dtype_is_float(t) ? expr_float(c, t, value) : expr_cast(c, t, expr_float(c, F64, value));
}

const expr *expr_arg(expr_ctx *c, int i, dtype t)
{
	return expr_intern(c, &(expr){.op = EXPR_ARG, .type = dtype_table[t].compute, .i = i});
}

const expr *expr_index(expr_ctx *c, sym *s)
{
	int64_t value;
	assert(s->ctx == c->syms);
	if (sym_is_const(s, &value))
		return expr_int(c, I64, value);
	return expr_intern(c, &(expr){.op = EXPR_INDEX, .type = I64, .index = s});
}

const expr *expr_load(expr_ctx *c, const struct buffer *b, sym *index)
{
	assert(index->ctx == c->syms);
	return expr_intern(c, &(expr){.op = EXPR_LOAD, .type = dtype_table[b->type].compute, .buffer = b, .index = index});
}

const expr *expr_local(expr_ctx *c, const struct local *l)
{
	return expr_intern(c, &(expr){.op = EXPR_LOCAL, .type = l->type, .local = l});
}

const expr *expr_lowest(expr_ctx *c, dtype t)
{
	return dtype_is_float(t) ? expr_float(c, t, -(double)INFINITY) : expr_int(c, t, int_lowest(t));
}

const expr *expr_highest(expr_ctx *c, dtype t)
{
	return dtype_is_float(t) ? expr_float(c, t, (double)INFINITY) : expr_int(c, t, int_highest(t));
}

/* The expression of which e is a cast that changes no value. */
static const expr *without_widening(const expr *e)
{
	while (e->op == EXPR_CAST && dtype_is_int(e->type) && dtype_table[e->type].compute == e->type) {
		const expr *x = e->in[0];
		bool same = x->op == EXPR_INDEX ? int_fits(e->type, x->index->lo, x->index->hi) :
			    x->type == BOOL    ? true :
			    dtype_is_int(x->type) && x->type != U64 && int_fits(e->type, int_lowest(x->type), int_highest(x->type));
		if (!same)
			break;
		e = x;
	}
	return e;
}

sym *expr_to_sym(expr_ctx *c, const expr *e, int64_t lo, int64_t hi, sym *below)
{
	e = without_widening(e);
	if (e->op == EXPR_INDEX)
		return e->index;
	if (e->op == EXPR_CONST)
		return sym_const(c->syms, e->i);
	if (e->type != U64) {
		int64_t least = int_lowest(e->type), most = int_highest(e->type);
		lo = lo > least ? lo : least;
		hi = hi < most ? hi : most;
	}
	return sym_scalar(c->syms, e, lo, hi, below);
}
