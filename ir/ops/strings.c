/* Ops on strings.  A kernel sees a string as two i64, the address of its bytes and how many there are; it never writes bytes, so
 * strings that a model gives are those of its inputs and constants.  Bytes are compared, not characters: in UTF-8 equal texts
 * are equal bytes. */
#include "ir/kernel_build.h"
#include "ir/ops/rules.h"

bool rule_strings(const node *n, const char **why)
{
	static const bool knows_strings[OP_COUNT] = {
		[OP_CONST] = true, [OP_RESHAPE] = true, [OP_STR_FIND] = true, [OP_STR_PICK] = true, [OP_STR_WORDS] = true,
	};
	if (knows_strings[n->op])
		return true;
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i]->type == STRING)
			return rule_refuse(n, why, "operand %d holds strings, which it cannot take", i);
	for (int i = 0; i < n->n_out; i++)
		if (n->out[i]->type == STRING)
			return rule_refuse(n, why, "result %d holds strings, which it cannot give", i);
	return true;
}

static bool expect_strings(const node *n, const char **why, int i)
{
	const value *v = n->in[i];
	return v->type == STRING || rule_refuse(n, why, "operand %d is %s, must be string", i, dtype_name(v->type));
}

static bool expect_vector(const node *n, const char **why, int i)
{
	const value *v = n->in[i];
	return expect_strings(n, why, i) && (v->rank == 1 || rule_refuse(n, why, "operand %d has rank %d, must be a vector", i, v->rank));
}

/* ---- words of kernels --------------------------------------------------------------------------------------------------- */
typedef struct text {
	const expr *bytes, *size; /* an address and a count, i64 */
} text;

static const expr *i64(kernel_builder *b, int64_t x) { return expr_int(b->exprs, I64, x); }
static const expr *op2(kernel_builder *b, expr_op o, const expr *x, const expr *y) { return expr_binary(b->exprs, o, x, y); }
static const expr *plus(kernel_builder *b, const expr *x, const expr *y) { return op2(b, EXPR_ADD, x, y); }
static void add_1(kernel_builder *b, local *l) { kb_set(b, l, plus(b, kb_get(b, l), i64(b, 1))); }

static const expr *byte_of(kernel_builder *b, const expr *bytes, const expr *at)
{
	return expr_unary(b->exprs, EXPR_BYTE, plus(b, bytes, at));
}

static sym *within(kernel_builder *b, const expr *e, sym *below)
{
	return expr_to_sym(b->exprs, e, 0, below->hi == INT64_MAX ? INT64_MAX : below->hi > 0 ? below->hi - 1 : 0, below);
}

/* Reshaped strings are never stored again: their places are those of the same order elsewhere. */
static buffer *place_of(kernel_builder *b, const value *v, coord at, bool written, sym **index)
{
	*index = sym_muli(value_offset(v, at, NULL), STRING_WORDS);
	while (v->def && v->def->op == OP_RESHAPE)
		v = v->def->in[0];
	return b->buffer_of(b, v, written);
}

static text load_text(kernel_builder *b, const value *v, coord at)
{
	sym *index;
	buffer *from = place_of(b, v, at, false, &index);
	return (text){kb_let(b, "bytes", kb_load(b, from, index)), kb_let(b, "size", kb_load(b, from, sym_addi(index, 1)))};
}

static coord nest_over(kernel_builder *b, const value *v)
{
	coord at = {.rank = v->rank};
	for (int i = 0; i < v->rank; i++)
		at.i[i] = kb_for(b, "i", v->dims[i]);
	return at;
}

static void end_nest(kernel_builder *b, const value *v)
{
	for (int i = 0; i < v->rank; i++)
		kb_end(b);
}

/* The place of the first key that equals t, or -1. */
static local *find_key(kernel_builder *b, const value *keys, text t)
{
	local *found = kb_var(b, "found", I64, i64(b, -1)), *k = kb_var(b, "k", I64, i64(b, 0));
	const expr *no = expr_int(b->exprs, BOOL, 0), *end = expr_index(b->exprs, keys->dims[0]);
	const expr *unknown = op2(b, EXPR_LT, kb_get(b, found), i64(b, 0));
	kb_while(b, op2(b, EXPR_AND, unknown, op2(b, EXPR_LT, kb_get(b, k), end)));
	text key = load_text(b, keys, (coord){.rank = 1, .i = {within(b, kb_get(b, k), keys->dims[0])}});
	kb_if(b, op2(b, EXPR_EQ, key.size, t.size));
	local *j = kb_var(b, "j", I64, i64(b, 0));
	const expr *same = op2(b, EXPR_EQ, byte_of(b, t.bytes, kb_get(b, j)), byte_of(b, key.bytes, kb_get(b, j)));
	kb_while(b, expr_ternary(b->exprs, EXPR_CHOOSE, op2(b, EXPR_LT, kb_get(b, j), t.size), same, no));
	add_1(b, j);
	kb_end(b);
	kb_if(b, op2(b, EXPR_EQ, kb_get(b, j), t.size));
	kb_set(b, found, kb_get(b, k));
	kb_end(b);
	kb_end(b);
	add_1(b, k);
	kb_end(b);
	return found;
}

/* ---- str_find ----------------------------------------------------------------------------------------------------------- */
bool infer_str_find(node *n, const char **why)
{
	const value *x = n->in[0];
	return rule_form(n, why, 1, "") && expect_strings(n, why, 0) && expect_vector(n, why, 1) &&
	       rule_result(n, why, 0, I64, x->rank, x->dims);
}

void kernel_str_find(kernel_builder *b, const node *n)
{
	coord at = nest_over(b, n->in[0]);
	local *found = find_key(b, n->in[1], load_text(b, n->in[0], at));
	kb_write(b, n->out[0], at, kb_get(b, found));
	end_nest(b, n->in[0]);
}

/* ---- str_pick ----------------------------------------------------------------------------------------------------------- */
bool infer_str_pick(node *n, const char **why)
{
	const value *index = n->in[1];
	if (!rule_form(n, why, 1, "") || !expect_vector(n, why, 0))
		return false;
	if (index->type != I64)
		return rule_refuse(n, why, "the index is %s, must be i64", dtype_name(index->type));
	if (!rule_nonempty_for(n, n->in[0]->dims[0], value_size(index)))
		return rule_refuse(n, why, "there is no string to pick");
	return rule_result(n, why, 0, STRING, index->rank, index->dims);
}

void kernel_str_pick(kernel_builder *b, const node *n)
{
	const value *from = n->in[0];
	coord at = nest_over(b, n->in[1]);
	const expr *last = expr_index(b->exprs, sym_addi(from->dims[0], -1));
	const expr *i = op2(b, EXPR_MAX, op2(b, EXPR_MIN, kb_read(b, n->in[1], at), last), i64(b, 0));
	text t = load_text(b, from, (coord){.rank = 1, .i = {within(b, kb_let(b, "at", i), from->dims[0])}});
	sym *index;
	buffer *to = place_of(b, n->out[0], at, true, &index);
	kb_store(b, to, index, t.bytes);
	kb_store(b, to, sym_addi(index, 1), t.size);
	end_nest(b, n->in[1]);
}

/* ---- str_words: {ranges, least} ----------------------------------------------------------------------------------------- */
enum { MAX_BYTE = 255 };

bool infer_str_words(node *n, const char **why)
{
	const value *x = n->in[0];
	sym *dims[MAX_RANK];
	int count;
	if (!rule_form(n, why, 1, "ranges least") || !expect_strings(n, why, 0) || !expect_vector(n, why, 1))
		return false;
	if (!rule_ints(n, why, "ranges", -1, 0) || !rule_int(n, why, "least", 1, INT32_MAX))
		return false;
	const int64_t *ranges = node_ints(n, "ranges", &count);
	for (int i = 0; i < count; i++)
		if (ranges[i] > MAX_BYTE || count % 2)
			return rule_refuse(n, why, "ranges must be pairs of bytes, the first and the last");
	if (x->rank == MAX_RANK)
		return rule_refuse(n, why, "rank %d leaves no room for an axis", x->rank);
	for (int i = 0; i < x->rank; i++)
		dims[i] = x->dims[i];
	dims[x->rank] = n->in[1]->dims[0];
	return rule_result(n, why, 0, I64, x->rank + 1, dims);
}

/* Is c, a byte or -1, in one of the ranges? */
static const expr *is_member(kernel_builder *b, const node *n, const expr *c)
{
	int count;
	const int64_t *ranges = node_ints(n, "ranges", &count);
	const expr *any = expr_int(b->exprs, BOOL, 0);
	for (int i = 0; i < count; i += 2) {
		const expr *from = op2(b, EXPR_GE, c, i64(b, ranges[i])), *to = op2(b, EXPR_LE, c, i64(b, ranges[i + 1]));
		any = op2(b, EXPR_OR, any, op2(b, EXPR_AND, from, to));
	}
	return any;
}

static void count_word(kernel_builder *b, const node *n, coord at, text word)
{
	const value *out = n->out[0], *base;
	local *found = find_key(b, n->in[1], word);
	kb_if(b, op2(b, EXPR_GE, kb_get(b, found), i64(b, 0)));
	at.i[at.rank++] = within(b, kb_get(b, found), n->in[1]->dims[0]);
	sym *index = value_offset(out, at, &base);
	const expr *old = kb_load(b, b->buffer_of(b, base, true), index);
	kb_write(b, out, at, plus(b, old, i64(b, 1)));
	kb_end(b);
}

/* `start` is where the word begins that j is in, -1 between words; behind the last byte comes one that is in no range. */
void kernel_str_words(kernel_builder *b, const node *n)
{
	const value *x = n->in[0], *keys = n->in[1];
	coord at = nest_over(b, x), cell = at;
	text t = load_text(b, x, at);
	cell.i[cell.rank++] = kb_for(b, "k", keys->dims[0]);
	kb_write(b, n->out[0], cell, i64(b, 0));
	kb_end(b);
	local *j = kb_var(b, "j", I64, i64(b, 0)), *start = kb_var(b, "start", I64, i64(b, -1));
	kb_while(b, op2(b, EXPR_LE, kb_get(b, j), t.size));
	const expr *here = kb_get(b, j), *byte = byte_of(b, t.bytes, here);
	const expr *c = kb_let(b, "c", expr_ternary(b->exprs, EXPR_CHOOSE, op2(b, EXPR_LT, here, t.size), byte, i64(b, -1)));
	const expr *inside = kb_let(b, "inside", is_member(b, n, c));
	const expr *between = op2(b, EXPR_LT, kb_get(b, start), i64(b, 0));
	kb_if(b, op2(b, EXPR_AND, inside, between));
	kb_set(b, start, here);
	kb_end(b);
	kb_if(b, op2(b, EXPR_AND, expr_unary(b->exprs, EXPR_NOT, inside), expr_unary(b->exprs, EXPR_NOT, between)));
	const expr *first = kb_get(b, start);
	text word = {kb_let(b, "word", plus(b, t.bytes, first)), kb_let(b, "length", op2(b, EXPR_SUB, here, first))};
	kb_if(b, op2(b, EXPR_GE, word.size, i64(b, node_int(n, "least", 1))));
	count_word(b, n, at, word);
	kb_end(b);
	kb_set(b, start, i64(b, -1));
	kb_end(b);
	add_1(b, j);
	kb_end(b);
	end_nest(b, x);
}
