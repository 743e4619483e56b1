/* Proofs of p >= 0.
 *
 * A symbol that occurs in p as cf * v + rest is replaced by its least or greatest value, as the sign of cf says; what is
 * left bounds p from below. Newer symbols go first, since the bound of a loop variable is made of older ones:
 *
 *   I*W - i*W - j - 1,  j <= W-1    ->    I*W - i*W - W,  i <= I-1    ->    0
 *
 * The sign of cf is proved in the same way. A minimum or maximum is proved by cases. A failed proof means "not known".
 *
 * Proofs build expressions, and builders ask for proofs: the nesting is limited, and so is the work of an outermost
 * proof. A refusal is remembered only when no limit was met (`cut`). Arithmetic that overflows proves nothing. */
#include "ir/sym_internal.h"

enum { MAX_NESTING = 3, BUDGET = 96, MAX_PROOF_ATOMS = 24 };

static bool nonneg(sym *p);

/* p = cf * atom + rest; terms with the atom give one occurrence of it to cf. */
static void take_out(sym *p, const sym *atom, sym **cf, sym **rest)
{
	poly with, without;
	poly_init(&with, p->ctx);
	poly_init(&without, p->ctx);
	without.k = sym_constant(p);
	for (int i = 0; i < sym_n_terms(p); i++) {
		term t = sym_term(p, i);
		sym *unit;
		if (unit_div(p->ctx, t.unit, atom, &unit))
			poly_add(&with, t.c, unit);
		else
			poly_add(&without, t.c, t.unit);
	}
	*cf = poly_sym(&with);
	*rest = poly_sym(&without);
}

static int sign_of(sym *s)
{
	if (s->lo >= 0)
		return 1;
	if (s->hi <= 0)
		return -1;
	if (s->kind == SYM_VAR)
		return 0;
	return nonneg(s) ? 1 : nonneg(sym_neg(s)) ? -1 : 0;
}

static bool is_dim(const sym *s) { return s->kind == SYM_VAR && s->role == SYM_DIM && !s->below; }

/* The distinct atoms of p's terms, dims last, else newest first. */
static int atoms_by_age(sym *p, sym **list)
{
	int n = 0;
	for (int i = 0; i < sym_n_terms(p); i++) {
		sym *const *atoms = NULL;
		int n_atoms = unit_atoms(sym_term(p, i).unit, &atoms);
		for (int j = 0; j < n_atoms; j++) {
			sym *s = atoms[j];
			int at = 0;
			while (at < n && list[at] != s &&
			       (is_dim(list[at]) == is_dim(s) ? list[at]->id > s->id : is_dim(s)))
				at++;
			if ((at < n && list[at] == s) || n == MAX_PROOF_ATOMS)
				continue;
			for (int k = n; k > at; k--)
				list[k] = list[k - 1];
			list[at] = s;
			n++;
		}
	}
	return n;
}

static sym *limit_of(sym *atom, bool upper);

/* y with its loop variables at the values that make it largest (or smallest); NULL when it has none. */
static sym *extreme_of(sym *y, bool upper)
{
	sym *atoms[MAX_PROOF_ATOMS];
	int n = atoms_by_age(y, atoms);
	bool changed = false;
	for (int i = 0; i < n && !is_dim(atoms[i]); i++) {
		sym *cf, *rest;
		take_out(y, atoms[i], &cf, &rest);
		if (sym_is(cf, 0))
			continue;
		int sign = sign_of(cf);
		sym *limit = sign ? limit_of(atoms[i], (sign > 0) == upper) : NULL;
		if (!limit)
			continue;
		y = sym_add(sym_mul(cf, limit), rest);
		changed = true;
	}
	return changed ? y : NULL;
}

static sym *constant_limit(const sym *atom, bool upper)
{
	int64_t bound = upper ? atom->hi : atom->lo;
	return bound == INT64_MIN || bound == INT64_MAX ? NULL : sym_const(atom->ctx, bound);
}

/* An expression of older symbols that the atom does not exceed (or undercut). */
static sym *limit_of(sym *atom, bool upper)
{
	sym *y;
	switch (atom->kind) {
	case SYM_VAR:
		if (upper && atom->below)
			return sym_addi(atom->below, -1);
		break;
	case SYM_MOD:
		if (upper)
			return sym_addi(atom->in[1], -1);
		break;
	case SYM_DIV:
		if ((y = extreme_of(atom->in[0], upper)) != NULL)
			return sym_floordiv(y, atom->in[1]);
		break;
	case SYM_MIN:
	case SYM_MAX:
	case SYM_CONST:
	case SYM_ADD:
	case SYM_MUL: break;
	}
	return constant_limit(atom, upper);
}

static bool nonneg_with(sym *cf, sym *value, sym *rest) { return nonneg(sym_add(sym_mul(cf, value), rest)); }

/* cf * min(a, b) + rest and the like. One case is enough where the other can only be larger. */
static bool prove_by_cases(const sym *m, sym *cf, sym *rest)
{
	int sign = sign_of(cf);
	bool either = m->kind == SYM_MIN ? sign < 0 : sign > 0;
	bool first = nonneg_with(cf, m->in[0], rest);
	if (either == first)
		return first;
	return nonneg_with(cf, m->in[1], rest);
}

/* Further bounds of an atom, tried when limit_of was not good enough. */
static bool prove_otherwise(sym *atom, int sign, sym *cf, sym *rest)
{
	sym *y, *d, *limit;
	switch (atom->kind) {
	case SYM_VAR:
		limit = sign < 0 && atom->below ? constant_limit(atom, true) : NULL;
		return limit && nonneg_with(cf, limit, rest);
	case SYM_MOD: /* y mod d <= y for y >= 0 */
		return sign < 0 && nonneg(atom->in[0]) && nonneg_with(cf, atom->in[0], rest);
	case SYM_DIV: /* y - d + 1 <= d * (y floordiv d) <= y */
		y = atom->in[0];
		d = atom->in[1];
		if (sign > 0)
			y = sym_addi(sym_sub(y, d), 1);
		return nonneg_with(cf, y, sym_mul(d, rest));
	case SYM_CONST:
	case SYM_ADD:
	case SYM_MUL:
	case SYM_MIN:
	case SYM_MAX: break;
	}
	return false;
}

static bool prove(sym *p)
{
	sym *atoms[MAX_PROOF_ATOMS], *cf, *rest;
	int n = atoms_by_age(p, atoms);
	for (int i = 0; i < n; i++) {
		if (atoms[i]->kind == SYM_MIN || atoms[i]->kind == SYM_MAX) {
			take_out(p, atoms[i], &cf, &rest);
			return prove_by_cases(atoms[i], cf, rest);
		}
	}
	for (int i = 0; i < n; i++) {
		take_out(p, atoms[i], &cf, &rest);
		int sign = sign_of(cf);
		if (!sign)
			continue;
		sym *limit = limit_of(atoms[i], sign < 0);
		if (limit && nonneg_with(cf, limit, rest))
			return true;
		if (prove_otherwise(atoms[i], sign, cf, rest))
			return true;
		if (limit && atoms[i]->kind != SYM_DIV)
			return false;
	}
	return false;
}

static bool nonneg(sym *p)
{
	sym_ctx *c = p->ctx;
	sym_node *node = NODE(p);
	if (p->lo >= 0)
		return true;
	if (p->hi < 0 || p->kind == SYM_CONST)
		return false;
	if (node->nonneg)
		return node->nonneg > 0;
	if (c->budget-- <= 0) {
		c->cut = true;
		return false;
	}
	bool proved = prove(p) && !c->overflowed;
	if (proved)
		node->nonneg = 1;
	else if (!c->cut && !c->overflowed)
		node->nonneg = -1;
	return proved;
}

/* a - b - margin >= 0 */
static bool prove_difference(sym *a, sym *b, int64_t margin)
{
	sym_ctx *c = a->ctx;
	if (c->proof_depth >= MAX_NESTING) {
		c->cut = true;
		return false;
	}
	bool outermost = c->proof_depth == 0, overflowed = c->overflowed;
	if (outermost) {
		c->budget = BUDGET;
		c->cut = false;
		c->overflowed = false;
	}
	c->proof_depth++;
	bool proved = nonneg(sym_addi(sym_sub(a, b), -margin)) && !c->overflowed;
	c->proof_depth--;
	if (outermost)
		c->overflowed = overflowed;
	return proved;
}

bool sym_proves_ge(sym *a, sym *b)
{
	if (a == b || (a->lo >= b->hi && a->lo != INT64_MIN && b->hi != INT64_MAX))
		return true;
	if (a->hi < b->lo)
		return false;
	return prove_difference(a, b, 0);
}

bool sym_proves_lt(sym *a, sym *b)
{
	if (a->hi < b->lo)
		return true;
	if (a == b || (a->lo >= b->hi && a->lo != INT64_MIN && b->hi != INT64_MAX))
		return false;
	return prove_difference(b, a, 1);
}

/* A number that divides every value of s; 0 when s is 0. */
static int64_t divisor_of(const sym *s)
{
	int64_t g = s->value, product;
	switch (s->kind) {
	case SYM_CONST: return g == INT64_MIN ? 1 : g;
	case SYM_VAR:
	case SYM_DIV:
	case SYM_MOD: return 1;
	case SYM_ADD:
	case SYM_MIN:
	case SYM_MAX:
		for (int i = 0; i < s->n; i++)
			g = int_gcd(g, divisor_of(s->in[i]));
		return g;
	case SYM_MUL:
		for (int i = 0; i < s->n; i++)
			if (!__builtin_mul_overflow(g, divisor_of(s->in[i]), &product))
				g = product;
		return g;
	}
	return 1;
}

bool sym_proves_multiple(sym *a, int64_t of)
{
	return of != 0 && divisor_of(sym_plain(a)) % of == 0;
}
