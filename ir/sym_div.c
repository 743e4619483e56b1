/* floordiv and mod of symbolic integers.
 *
 * Both begin with x = d*q + r, where q takes every multiple of d out of x (polynomial division), so that they agree on r:
 *
 *   x floordiv d = q + r floordiv d        x mod d = r mod d
 *
 * What is left is decided by range (0 <= r < d), made smaller by a common factor g > 0 of d and a part of r
 * (r = g*y + z with 0 <= z < g),
 *
 *   r floordiv (g*e) = y floordiv e        r mod (g*e) = g*(y mod e) + z
 *
 * merged with an inner division or modulus, and only then becomes a node. Each rule makes the operand smaller or less
 * deeply nested, hence the recursion ends. */
#include "ir/sym_internal.h"

static int n_parts(const poly *p) { return p->n + (p->k != 0); }

/* The term of highest degree, the newest among equals: the one that long division cancels. */
static term lead_term(const sym *d)
{
	term lead = {0};
	int degree = 0;
	for (int i = 0; i < sym_n_terms(d); i++) {
		term t = sym_term(d, i);
		sym *const *atoms = NULL;
		int n = unit_atoms(t.unit, &atoms);
		if (n >= degree) {
			lead = t;
			degree = n;
		}
	}
	return lead;
}

static void split_by_const(int64_t d, poly *q, poly *r)
{
	poly_add(q, int_floordiv(r->k, d), NULL);
	r->k = int_mod(r->k, d);
	int kept = 0;
	for (int i = 0; i < r->n; i++) {
		if (r->t[i].c % d == 0)
			poly_add(q, r->t[i].c / d, r->t[i].unit);
		else
			r->t[kept++] = r->t[i];
	}
	r->n = kept;
}

/* r -= c*unit*d when that makes r shorter. */
static bool cancel_term(poly *r, int64_t c, sym *unit, const sym *d)
{
	int before = n_parts(r);
	poly_add_product(r, -c, unit, d);
	if (n_parts(r) < before)
		return true;
	poly_add_product(r, c, unit, d);
	return false;
}

/* x = d*q + r */
static void split(sym *x, sym *d, poly *q, poly *r)
{
	sym_ctx *c = x->ctx;
	poly_init(q, c);
	poly_init(r, c);
	poly_add_sym(r, 1, x);
	if (d->kind == SYM_CONST) {
		split_by_const(d->value, q, r);
		return;
	}
	term lead = lead_term(d);
	for (int i = 0; i < r->n;) {
		term t = r->t[i];
		sym *unit;
		if (t.c % lead.c == 0 && unit_div(c, t.unit, lead.unit, &unit) && cancel_term(r, t.c / lead.c, unit, d)) {
			poly_add(q, t.c / lead.c, unit);
			i = 0;
		} else {
			i++;
		}
	}
}

sym *sym_exact_quotient(sym *e, sym *d)
{
	if (sym_is(d, 0))
		return NULL;
	poly q, r;
	split(e, d, &q, &r);
	return n_parts(&r) == 0 ? poly_sym(&q) : NULL;
}

static bool in_range(sym *r, sym *d)
{
	return r->hi >= 0 && sym_proves_lt(r, d) && sym_proves_ge(r, sym_const(r->ctx, 0));
}

/* -d <= r < 0 */
static bool in_range_below(sym *r, sym *d)
{
	return r->hi < 0 && sym_proves_ge(sym_add(r, d), sym_const(r->ctx, 0));
}

/* r floordiv d is one number by range alone. */
static bool constant_quotient(const sym *r, const sym *d, int64_t *q)
{
	if (d->kind != SYM_CONST || r->lo == INT64_MIN || r->hi == INT64_MAX)
		return false;
	*q = int_floordiv(r->lo, d->value);
	return int_floordiv(r->hi, d->value) == *q;
}

/* The largest term that divides every term of d, its possibly negative atoms left out. */
static term content(const sym *d)
{
	term g = {sym_constant(d), NULL};
	bool first = true;
	for (int i = 0; i < sym_n_terms(d); i++) {
		term t = sym_term(d, i);
		g.c = int_gcd(g.c, t.c);
		g.unit = first && g.c != 0 && sym_constant(d) == 0 ? t.unit : unit_common(d->ctx, g.unit, t.unit);
		first = false;
	}
	if (g.c < 0)
		g.c = -g.c;
	sym *const *atoms = NULL;
	int n = unit_atoms(g.unit, &atoms);
	for (int i = 0; i < n; i++)
		if (atoms[i]->lo < 0)
			g.unit = unit_without(d->ctx, g.unit, atoms[i]);
	return g;
}

/* r = g*y + z, where z has the terms that g does not divide. */
static void split_by_term(sym *r, term g, sym **y, sym **z)
{
	sym_ctx *c = r->ctx;
	poly py, pz;
	poly_init(&py, c);
	poly_init(&pz, c);
	int64_t k = sym_constant(r);
	if (!g.unit) {
		py.k = int_floordiv(k, g.c);
		k = int_mod(k, g.c);
	}
	pz.k = k;
	for (int i = 0; i < sym_n_terms(r); i++) {
		term t = sym_term(r, i);
		sym *unit;
		if (t.c % g.c == 0 && unit_div(c, t.unit, g.unit, &unit))
			poly_add(&py, t.c / g.c, unit);
		else
			poly_add(&pz, t.c, t.unit);
	}
	*y = poly_sym(&py);
	*z = poly_sym(&pz);
}

/* Finds g > 1 that divides d, and r = g*y + z with 0 <= z < g. */
static bool common_factor(sym *r, sym *d, sym **g, sym **y, sym **z)
{
	sym_ctx *c = r->ctx;
	term whole = content(d), last = {0};
	if (whole.c == 1 && !whole.unit)
		return false;
	for (int i = 0; i < sym_n_terms(r); i++) {
		term t = sym_term(r, i);
		term part = {int_gcd(t.c, whole.c), unit_common(c, t.unit, whole.unit)};
		if ((part.c == 1 && !part.unit) || (part.c == last.c && part.unit == last.unit))
			continue;
		last = part;
		*g = sym_of_term(c, part.c, part.unit);
		split_by_term(r, part, y, z);
		if (sym_is(*z, 0) || in_range(*z, *g))
			return true;
	}
	return false;
}

/* A divisor that is no positive number divides nothing; the node stays and has no value. */
static bool is_bad_divisor(const sym *d) { return d->kind == SYM_CONST && d->value <= 0; }

static sym *divide_rest(sym *r, sym *d)
{
	sym_ctx *c = r->ctx;
	int64_t value;
	sym *g, *y, *z, *outer;
	if (sym_is(r, 0))
		return r;
	if (constant_quotient(r, d, &value))
		return sym_const(c, value);
	if (in_range(r, d))
		return sym_const(c, 0);
	if (in_range_below(r, d))
		return sym_const(c, -1);
	if (common_factor(r, d, &g, &y, &z))
		return sym_floordiv(y, sym_exact_quotient(d, g));
	/* (y floordiv a + k) floordiv d = (y + k*a) floordiv (a*d) */
	if (sym_n_terms(r) == 1 && sym_term(r, 0).c == 1 && sym_term(r, 0).unit->kind == SYM_DIV) {
		const sym *inner = sym_term(r, 0).unit;
		sym *a = inner->in[1];
		return sym_floordiv(sym_add(inner->in[0], sym_muli(a, sym_constant(r))), sym_mul(a, d));
	}
	/* (y mod (d*e)) floordiv d = (y floordiv d) mod e */
	if (r->kind == SYM_MOD && (outer = sym_exact_quotient(r->in[1], d)) != NULL)
		return sym_mod(sym_floordiv(r->in[0], d), outer);
	return sym_intern(c, SYM_DIV, 0, (sym *[]){r, d}, 2);
}

sym *sym_floordiv(sym *a, sym *b)
{
	a = sym_plain(a);
	b = sym_plain(b);
	sym_ctx *c = a->ctx;
	sym *known;
	if (is_bad_divisor(b))
		return sym_intern(c, SYM_DIV, 0, (sym *[]){a, b}, 2);
	if (sym_is(b, 1))
		return a;
	if (a->kind == SYM_CONST && b->kind == SYM_CONST)
		return sym_const(c, int_floordiv(a->value, b->value));
	if (sym_recall(c, SYM_DIV, a, b, &known))
		return known;
	poly q, r;
	split(a, b, &q, &r);
	sym *result = sym_add(poly_sym(&q), divide_rest(poly_sym(&r), b));
	return sym_remember(c, SYM_DIV, a, b, result);
}

sym *sym_ceildiv(sym *a, sym *b) { return sym_floordiv(sym_addi(sym_add(a, b), -1), b); }

/* (y mod (d*e)) mod d = y mod d, for each term of r. */
static sym *strip_inner_mods(sym *r, sym *d)
{
	sym_ctx *c = r->ctx;
	if (!NODE(r)->divides)
		return r;
	for (int i = 0; i < sym_n_terms(r); i++) {
		term t = sym_term(r, i);
		sym *const *atoms = NULL;
		int n = unit_atoms(t.unit, &atoms);
		for (int j = 0; j < n; j++) {
			if (atoms[j]->kind != SYM_MOD || !sym_exact_quotient(atoms[j]->in[1], d))
				continue;
			poly p;
			poly_init(&p, c);
			poly_add_sym(&p, 1, r);
			poly_add(&p, -t.c, t.unit);
			poly_add_product(&p, t.c, unit_without(c, t.unit, atoms[j]), atoms[j]->in[0]);
			return poly_sym(&p);
		}
	}
	return r;
}

static sym *mod_of_rest(sym *r, sym *d)
{
	int64_t value;
	sym *g, *y, *z;
	if (sym_is(r, 0))
		return r;
	if (constant_quotient(r, d, &value))
		return sym_sub(r, sym_muli(d, value));
	if (in_range(r, d))
		return r;
	if (in_range_below(r, d))
		return sym_add(r, d);
	sym *simpler = strip_inner_mods(r, d);
	if (simpler != r)
		return sym_mod(simpler, d);
	if (common_factor(r, d, &g, &y, &z))
		return sym_add(sym_mul(g, sym_mod(y, sym_exact_quotient(d, g))), z);
	return sym_intern(r->ctx, SYM_MOD, 0, (sym *[]){r, d}, 2);
}

sym *sym_mod(sym *a, sym *b)
{
	a = sym_plain(a);
	b = sym_plain(b);
	sym_ctx *c = a->ctx;
	sym *known;
	if (is_bad_divisor(b))
		return sym_intern(c, SYM_MOD, 0, (sym *[]){a, b}, 2);
	if (sym_is(b, 1))
		return sym_const(c, 0);
	if (a->kind == SYM_CONST && b->kind == SYM_CONST)
		return sym_const(c, int_mod(a->value, b->value));
	if (sym_recall(c, SYM_MOD, a, b, &known))
		return known;
	poly q, r;
	split(a, b, &q, &r);
	return sym_remember(c, SYM_MOD, a, b, mod_of_rest(poly_sym(&r), b));
}
