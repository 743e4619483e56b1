/* Checks and conversions behind the type rules, and the guarded reads of the element rules: see rules.h. */
#include "ir/ops/rules.h"

#include "support/checked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool rule_refuse(const node *n, const char **why, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	*why = arena_printf(n->graph->a, "%s: %s", op_table[n->op].text, text);
	return false;
}

const char *sym_text(const node *n, sym *s)
{
	str text = str_new(n->graph->a);
	sym_print(&text, s);
	return text.data;
}

/* ---- attributes --------------------------------------------------------------------------------------------------- */
static bool word_in(const char *word, const char *list)
{
	size_t len = strlen(word);
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, " ");
		if (n == len && memcmp(at, word, n) == 0)
			return true;
		at += n + strspn(at + n, " ");
	}
	return false;
}

bool rule_form(const node *n, const char **why, int n_out, const char *known)
{
	const op_info *info = &op_table[n->op];
	if (n->n_in < info->min_in)
		return rule_refuse(n, why, "has %d operands, needs at least %d", n->n_in, info->min_in);
	if (n->n_in > info->max_in)
		return rule_refuse(n, why, "has %d operands, takes at most %d", n->n_in, info->max_in);
	if (n->n_out != n_out)
		return rule_refuse(n, why, "has %d results, gives %d", n->n_out, n_out);
	for (int i = 0; i < n->n_attrs; i++)
		if (!word_in(n->attrs[i].name, known))
			return rule_refuse(n, why, "attribute %s is unknown; known: %s", n->attrs[i].name,
					   *known ? known : "none");
	return true;
}

static attr *find_attr(node *n, const char *name)
{
	for (int i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attrs[i].name, name) == 0)
			return &n->attrs[i];
	return NULL;
}

bool rule_has(const node *n, const char **why, const char *name)
{
	return node_attr(n, name) || rule_refuse(n, why, "attribute %s is missing", name);
}

bool rule_int(const node *n, const char **why, const char *name, int64_t lo, int64_t hi)
{
	const attr *a = node_attr(n, name);
	if (!a)
		return true;
	if (a->kind != ATTR_INT)
		return rule_refuse(n, why, "attribute %s is not an integer", name);
	if (a->i < lo || a->i > hi)
		return rule_refuse(n, why, "attribute %s is %lld, must be %lld to %lld", name, (long long)a->i,
				   (long long)lo, (long long)hi);
	return true;
}

bool rule_float(node *n, const char **why, const char *name)
{
	attr *a = find_attr(n, name);
	if (!a || a->kind == ATTR_FLOAT)
		return true;
	if (a->kind != ATTR_INT)
		return rule_refuse(n, why, "attribute %s is not a number", name);
	*a = attr_of_float(a->name, (double)a->i);
	return true;
}

bool rule_floats(node *n, const char **why, const char *name, int count)
{
	attr *a = find_attr(n, name);
	if (!a)
		return true;
	if (a->kind == ATTR_INTS || (a->kind == ATTR_SYMS && a->n == 0)) {
		double *v = new_array(n->graph->a, double, (size_t)a->n + 1);
		for (int i = 0; i < a->n; i++)
			v[i] = (double)a->ints[i];
		a->kind = ATTR_FLOATS;
		a->floats = v;
	}
	if (a->kind != ATTR_FLOATS)
		return rule_refuse(n, why, "attribute %s is not a list of numbers", name);
	if (a->n != count)
		return rule_refuse(n, why, "%s has %d entries, needs %d", name, a->n, count);
	return true;
}

bool rule_word(const node *n, const char **why, const char *name, const char *allowed)
{
	const attr *a = node_attr(n, name);
	if (!a)
		return true;
	if (a->kind != ATTR_WORD)
		return rule_refuse(n, why, "attribute %s is not a word; one of: %s", name, allowed);
	if (!word_in(a->word, allowed))
		return rule_refuse(n, why, "%s=%s is unknown; one of: %s", name, a->word, allowed);
	return true;
}

bool rule_type_word(const node *n, const char **why, dtype *t)
{
	const attr *a = node_attr(n, "type");
	if (!a)
		return true;
	dtype found = a->kind == ATTR_WORD ? dtype_find(a->word, strlen(a->word)) : DTYPE_NONE;
	if (found == DTYPE_NONE)
		return rule_refuse(n, why, "type=%s is not an element type", a->kind == ATTR_WORD ? a->word : "?");
	*t = found;
	return true;
}

bool rule_axis(const node *n, const char **why, int rank, int *axis)
{
	const attr *a = node_attr(n, "axis");
	if (!a || a->kind != ATTR_INT)
		return rule_refuse(n, why, a ? "attribute axis is not an integer" : "attribute axis is missing");
	if (a->i < 0 || a->i >= rank)
		return rule_refuse(n, why, "axis %lld is out of range for rank %d", (long long)a->i, rank);
	*axis = (int)a->i;
	return true;
}

/* A list of symbolic integers that are all constants, as plain integers. */
static bool syms_to_ints(node *n, attr *a)
{
	int64_t *v = new_array(n->graph->a, int64_t, (size_t)a->n + 1);
	for (int i = 0; i < a->n; i++)
		if (!sym_is_const(a->syms[i], &v[i]))
			return false;
	*a = attr_of_ints(n->graph, a->name, v, a->n);
	return true;
}

static void ints_to_syms(node *n, attr *a)
{
	sym **v = new_array(n->graph->a, sym *, (size_t)a->n + 1);
	for (int i = 0; i < a->n; i++)
		v[i] = sym_const(n->graph->syms, a->ints[i]);
	*a = attr_of_syms(n->graph, a->name, v, a->n);
}

static bool right_count(const node *n, const char **why, const attr *a, int count)
{
	if (count >= 0 && a->n != count)
		return rule_refuse(n, why, "%s has %d entries, needs %d", a->name, a->n, count);
	return true;
}

static bool at_least(const node *n, const char **why, const attr *a, int i, int64_t found, int64_t lo)
{
	if (found < lo)
		return rule_refuse(n, why, "%s[%d] is %lld, must be at least %lld", a->name, i, (long long)found,
				   (long long)lo);
	return true;
}

/* Windows and steps beyond 2^31 mean nothing, and smaller ones cannot overflow size arithmetic. */
enum { LARGEST_STEP = INT32_MAX };

bool rule_ints(node *n, const char **why, const char *name, int count, int64_t lo)
{
	attr *a = find_attr(n, name);
	if (!a)
		return rule_has(n, why, name);
	if (a->kind == ATTR_FLOATS && a->n == 0)
		*a = attr_of_ints(n->graph, a->name, (const int64_t[]){0}, 0);
	if (a->kind != ATTR_INTS && !(a->kind == ATTR_SYMS && syms_to_ints(n, a)))
		return rule_refuse(n, why, "attribute %s is not a list of integers", name);
	if (!right_count(n, why, a, count))
		return false;
	for (int i = 0; i < a->n; i++) {
		if (!at_least(n, why, a, i, a->ints[i], lo))
			return false;
		if (a->ints[i] > LARGEST_STEP)
			return rule_refuse(n, why, "%s[%d] is %lld, must be at most %d", name, i,
					   (long long)a->ints[i], LARGEST_STEP);
	}
	return true;
}

bool rule_syms(node *n, const char **why, const char *name, int count, int64_t lo)
{
	attr *a = find_attr(n, name);
	if (!a)
		return rule_has(n, why, name);
	if (a->kind == ATTR_FLOATS && a->n == 0)
		*a = attr_of_ints(n->graph, a->name, (const int64_t[]){0}, 0);
	if (a->kind == ATTR_INT)
		*a = attr_of_ints(n->graph, a->name, &(const int64_t){a->i}, 1);
	if (a->kind == ATTR_INTS)
		ints_to_syms(n, a);
	if (a->kind != ATTR_SYMS)
		return rule_refuse(n, why, "attribute %s is not a list of sizes", name);
	if (!right_count(n, why, a, count))
		return false;
	for (int i = 0; i < a->n; i++) {
		int64_t v;
		if (sym_is_const(a->syms[i], &v) && !at_least(n, why, a, i, v, lo))
			return false;
	}
	return true;
}

bool rule_ints_or(node *n, const char **why, const char *name, int count, int64_t lo, int64_t otherwise)
{
	if (!node_attr(n, name)) {
		int64_t v[MAX_RANK];
		for (int i = 0; i < count; i++)
			v[i] = otherwise;
		node_set_attr(n, attr_of_ints(n->graph, name, v, count));
	}
	return rule_ints(n, why, name, count, lo);
}

bool rule_syms_or(node *n, const char **why, const char *name, int count, int64_t lo, int64_t otherwise)
{
	if (!node_attr(n, name)) {
		sym *v[MAX_RANK];
		for (int i = 0; i < count; i++)
			v[i] = sym_const(n->graph->syms, otherwise);
		node_set_attr(n, attr_of_syms(n->graph, name, v, count));
	}
	return rule_syms(n, why, name, count, lo);
}

double node_float(const node *n, const char *name, double otherwise)
{
	const attr *a = node_attr(n, name);
	return a ? a->f : otherwise;
}

const double *node_floats(const node *n, const char *name)
{
	const attr *a = node_attr(n, name);
	return a ? a->floats : NULL;
}

bool node_word_is(const node *n, const char *name, const char *otherwise, const char *word)
{
	return strcmp(node_word(n, name, otherwise), word) == 0;
}

/* ---- results ------------------------------------------------------------------------------------------------------ */
bool rule_result(node *n, const char **why, int i, dtype t, int rank, sym *const *dims)
{
	if (rank > MAX_RANK)
		return rule_refuse(n, why, "the result would have rank %d, at most %d is supported", rank, MAX_RANK);
	int64_t size = 1;
	for (int k = 0; k < rank; k++) {
		int64_t d;
		if (!sym_is_const(dims[k], &d)) {
			if (!rule_at_least(n, dims[k], sym_const(n->graph->syms, 0)))
				return rule_refuse(n, why, "axis %d of the result would have size %s, which is negative", k,
						   sym_text(n, dims[k]));
			continue;
		}
		if (d < 0)
			return rule_refuse(n, why, "axis %d of the result would have size %lld", k, (long long)d);
		if (!mul_i64(size, d, &size))
			return rule_refuse(n, why, "the result has too many elements");
	}
	value *v = n->out[i];
	v->type = t;
	v->rank = rank;
	v->dims = new_array(n->graph->a, sym *, (size_t)rank + 1);
	for (int k = 0; k < rank; k++)
		v->dims[k] = dims[k];
	return true;
}

bool rule_equal(const node *n, sym *a, sym *b) { return graph_assume(n->graph, CONDITION_EQUAL, a, b); }

bool rule_at_least(const node *n, sym *a, sym *b)
{
	return a->lo >= b->hi || graph_assume(n->graph, CONDITION_AT_LEAST, a, b);
}

bool rule_one_or_equal(const node *n, sym *a, sym *b) { return graph_assume(n->graph, CONDITION_ONE_OR_EQUAL, a, b); }

bool rule_nonempty_for(const node *n, sym *axis, sym *count)
{
	if (axis->lo >= 1 || (!sym_is(axis, 0) && sym_is(sym_mod(count, axis), 0))) /* a multiple of 0 is 0 */
		return true;
	return rule_at_least(n, axis, sym_min(count, sym_const(axis->ctx, 1)));
}

sym *dim_agree(const node *n, sym *a, sym *b)
{
	if (a == b)
		return a;
	if (!rule_equal(n, a, b))
		return NULL;
	return sym_is_const(b, NULL) ? b : a;
}

bool dim_broadcast(const node *n, sym *a, sym *b, sym **out)
{
	bool a_const = sym_is_const(a, NULL), b_const = sym_is_const(b, NULL);
	*out = a;
	if (a == b || sym_is(b, 1))
		return true;
	if (!sym_is(a, 1) && ((a->lo > 1 && b->lo > 1) || (a_const && b_const)))
		return (*out = dim_agree(n, a, b)) != NULL;
	*out = sym_is(a, 1) || b_const ? b : a_const ? a : sym_max(a, b);
	return rule_one_or_equal(n, a, *out) && rule_one_or_equal(n, b, *out);
}

bool type_is_index(dtype t) { return t == I32 || t == I64; }

dtype type_compute(dtype t) { return t < DTYPE_COUNT ? dtype_table[t].compute : DTYPE_NONE; }

dtype type_accumulator(dtype t)
{
	dtype c = type_compute(t);
	return dtype_is_int(c) && dtype_table[c].bits <= 8 ? I32 : c;
}

/* ---- conditions --------------------------------------------------------------------------------------------------- */
const expr *elem_lt(elem *e, sym *a, sym *b)
{
	if (sym_proves_lt(a, b))
		return NULL;
	if (sym_proves_ge(a, b))
		return expr_int(e->exprs, BOOL, 0);
	return expr_binary(e->exprs, EXPR_LT, expr_index(e->exprs, a), expr_index(e->exprs, b));
}

static bool never(const expr *cond) { return cond && cond->op == EXPR_CONST && cond->i == 0; }

const expr *elem_and(elem *e, const expr *a, const expr *b)
{
	if (!a || never(b))
		return b;
	if (!b || never(a))
		return a;
	return expr_binary(e->exprs, EXPR_AND, a, b);
}

const expr *elem_inside(elem *e, sym *i, sym *extent)
{
	const expr *from = elem_lt(e, sym_const(e->syms, -1), i);
	return elem_and(e, from, elem_lt(e, i, extent));
}

const expr *elem_guarded(elem *e, const expr *inside, const value *v, coord at, const expr *otherwise)
{
	if (!inside)
		return elem_read(e, v, at);
	if (never(inside))
		return otherwise;
	return expr_ternary(e->exprs, EXPR_CHOOSE, inside, elem_read(e, v, at), otherwise);
}

const expr *elem_stored(elem *e, const value *v, const expr *x)
{
	return v->type == x->type ? x : expr_round_to(e->exprs, v->type, x);
}

const expr *elem_number(elem *e, dtype t, double x) { return expr_number(e->exprs, type_compute(t), x); }
