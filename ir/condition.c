/* Proving, solving, printing and reading conditions: see condition.h. */
#include "ir/condition.h"

#include "ir/text.h"

typedef enum verdict { NEVER, ALWAYS, UNKNOWN } verdict;

/* sum = coefficient * term + constant; false when it has more terms than one. */
static bool one_term(const sym *sum, int64_t *coefficient, sym **term, int64_t *constant)
{
	sym *t = (sym *)(uintptr_t)sum;
	*constant = 0;
	if (sum->kind == SYM_ADD) {
		if (sum->n != 1)
			return false;
		*constant = sum->value;
		t = sum->in[0];
	}
	*coefficient = 1;
	if (t->kind == SYM_MUL && t->value != 1 && t->value != INT64_MIN) {
		*coefficient = t->value;
		t = sym_divi(t->value < 0 ? sym_neg(t) : t, t->value < 0 ? -t->value : t->value);
	}
	*term = t;
	return *constant != INT64_MIN;
}

/* coefficient * term + constant == 0, solved for the term. */
static verdict solve_equal(condition *c, const sym *difference)
{
	sym *term;
	int64_t coefficient, constant;
	if (!one_term(difference, &coefficient, &term, &constant))
		return UNKNOWN;
	if (constant % coefficient != 0)
		return NEVER;
	*c = (condition){CONDITION_EQUAL, term, sym_const(term->ctx, -constant / coefficient)};
	return UNKNOWN;
}

static verdict settle_equal(condition *c)
{
	int64_t value;
	sym *difference = sym_sub(c->a, c->b);
	if (sym_is_const(difference, &value))
		return value == 0 ? ALWAYS : NEVER;
	if (sym_proves_lt(c->a, c->b) || sym_proves_lt(c->b, c->a))
		return NEVER;
	return solve_equal(c, difference);
}

static int64_t floor_quotient(int64_t x, int64_t d) { return x / d - (x % d < 0); }

/* coefficient * term + constant >= 0, solved for the term; x floordiv d >= k is x >= k*d. */
static void solve_at_least(condition *c, const sym *difference)
{
	sym *term;
	int64_t coefficient, constant, divisor, product;
	if (!one_term(difference, &coefficient, &term, &constant))
		return;
	if (coefficient < 0) {
		*c = (condition){CONDITION_AT_LEAST, sym_const(term->ctx, floor_quotient(constant, -coefficient)), term};
		return;
	}
	int64_t least = -floor_quotient(constant, coefficient);
	*c = (condition){CONDITION_AT_LEAST, term, sym_const(term->ctx, least)};
	if (term->kind == SYM_DIV && sym_is_const(term->in[1], &divisor) && divisor > 0 &&
	    !__builtin_mul_overflow(least, divisor, &product))
		solve_at_least(c, sym_sub(term->in[0], sym_const(term->ctx, product)));
}

static verdict settle_at_least(condition *c)
{
	if (sym_proves_ge(c->a, c->b))
		return ALWAYS;
	if (sym_proves_lt(c->a, c->b))
		return NEVER;
	solve_at_least(c, sym_sub(c->a, c->b));
	return UNKNOWN;
}

static verdict settle_one_or_equal(condition *c)
{
	if (c->a == c->b || sym_is(c->a, 1))
		return ALWAYS;
	sym *one = sym_const(c->a->ctx, 1);
	bool not_one = c->a->lo > 1 || c->a->hi < 1;
	bool not_equal = sym_proves_lt(c->a, c->b) || sym_proves_lt(c->b, c->a);
	if (!not_one && !not_equal && !sym_is(c->b, 1))
		return UNKNOWN;
	*c = (condition){CONDITION_EQUAL, c->a, not_one ? c->b : one};
	return settle_equal(c);
}

static verdict settle(condition *c)
{
	switch (c->kind) {
	case CONDITION_EQUAL: return settle_equal(c);
	case CONDITION_AT_LEAST: return settle_at_least(c);
	case CONDITION_ONE_OR_EQUAL: return settle_one_or_equal(c);
	}
	return UNKNOWN;
}

static bool same(const condition *x, const condition *y)
{
	if (x->kind != y->kind)
		return false;
	return (x->a == y->a && x->b == y->b) || (x->kind == CONDITION_EQUAL && x->a == y->b && x->b == y->a);
}

/* Does x hold wherever y does?  Of bounds that differ in a number only, the tighter one says both. */
static bool is_implied(const condition *x, const condition *y)
{
	int64_t of_x, of_y;
	if (x->kind != CONDITION_AT_LEAST || y->kind != CONDITION_AT_LEAST)
		return same(x, y);
	if (x->a == y->a && sym_is_const(x->b, &of_x) && sym_is_const(y->b, &of_y))
		return of_x <= of_y;
	if (x->b == y->b && sym_is_const(x->a, &of_x) && sym_is_const(y->a, &of_y))
		return of_x >= of_y;
	return same(x, y);
}

static bool is_no_dim(const sym *var, void *user)
{
	(void)user;
	return var->role != SYM_DIM;
}

bool condition_any_var(const condition *c, bool (*pred)(const sym *var, void *user), void *user)
{
	return sym_any_var(c->a, pred, user) || sym_any_var(c->b, pred, user);
}

bool conditions_add(arena *a, conditions *list, condition c)
{
	if (condition_any_var(&c, is_no_dim, NULL))
		return true;
	verdict v = settle(&c);
	if (v != UNKNOWN)
		return v == ALWAYS;
	for (int i = 0; i < list->n; i++) {
		if (is_implied(&c, &list->v[i]))
			return true;
		if (is_implied(&list->v[i], &c)) {
			list->v[i] = c;
			return true;
		}
	}
	vec_push(a, list, c);
	return true;
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */
void condition_print(str *out, const condition *c)
{
	sym_print(out, c->a);
	switch (c->kind) {
	case CONDITION_EQUAL: str_add(out, " == "); break;
	case CONDITION_AT_LEAST: str_add(out, " >= "); break;
	case CONDITION_ONE_OR_EQUAL: str_add(out, " == 1 or "); break;
	}
	sym_print(out, c->b);
}

condition condition_parse(struct parser *p)
{
	condition c = {.a = parse_sym(p)};
	if (parse_accept(p, ">=")) {
		c.kind = CONDITION_AT_LEAST;
		c.b = parse_sym(p);
		return c;
	}
	parse_expect(p, "==");
	token where = p->tok;
	c.b = parse_sym(p);
	if (!parse_accept(p, "or"))
		return c;
	if (!sym_is(c.b, 1))
		parse_error_at(p, where, "expected 1 before 'or'");
	c.kind = CONDITION_ONE_OR_EQUAL;
	c.b = parse_sym(p);
	return c;
}
