/* Sums in which divisions cancel. With x and d arbitrary, c a term and D = x floordiv d:
 *
 *   c*d*D + c*(x mod d)              = c*x
 *   c*d*(D mod e) + c*(x mod d)      = c*(x mod (d*e))
 *   c*x - c*d*D                      = c*(x mod d)
 *
 * Every rule leaves fewer divisions; a term may occur in a larger multiple than the rule uses up. */
#include "ir/sym_internal.h"

static bool covers_coefficient(int64_t have, int64_t want)
{
	return want < 0 ? have <= want : have >= want;
}

static bool poly_covers(const poly *p, const poly *part)
{
	if (part->k != 0 || part->n == 0)
		return false;
	for (int i = 0; i < part->n; i++)
		if (!covers_coefficient(poly_coefficient(p, part->t[i].unit), part->t[i].c))
			return false;
	return true;
}

static void poly_subtract(poly *p, const poly *part)
{
	for (int i = 0; i < part->n; i++)
		poly_add(p, -part->t[i].c, part->t[i].unit);
}

/* c*rest*factor*d as a part of p, to be replaced together with the term t = c*rest*mod by c*rest*whole. */
static bool join(poly *p, term t, sym *rest, sym *factor, const sym *d, const sym *whole)
{
	poly part;
	poly_init(&part, p->ctx);
	poly_add_product(&part, t.c, unit_mul(p->ctx, rest, factor), d);
	if (!poly_covers(p, &part))
		return false;
	poly_subtract(p, &part);
	poly_add(p, -t.c, t.unit);
	poly_add_product(p, t.c, rest, whole);
	return true;
}

static bool join_mod(poly *p, term t, const sym *mod)
{
	sym_ctx *c = p->ctx;
	sym *x = mod->in[0], *d = mod->in[1], *rest = unit_without(c, t.unit, mod);
	sym *quotient = sym_floordiv(x, d);
	if (sym_n_terms(quotient) == 1 && sym_constant(quotient) == 0) {
		term q = sym_term(quotient, 0);
		if (q.c == 1 && join(p, t, rest, q.unit, d, x))
			return true;
	}
	for (int i = 0; i < p->n; i++) {
		sym *const *atoms = NULL;
		int n = NODE(p->t[i].unit)->divides ? unit_atoms(p->t[i].unit, &atoms) : 0;
		for (int j = 0; j < n; j++)
			if (atoms[j]->kind == SYM_MOD && atoms[j]->in[0] == quotient &&
			    join(p, t, rest, atoms[j], d, sym_mod(x, sym_mul(d, atoms[j]->in[1]))))
				return true;
	}
	return false;
}

/* c*x - c*d*D, where t is the first term of -c*d*D. */
static bool make_mod(poly *p, term t, const sym *div)
{
	sym_ctx *c = p->ctx;
	sym *x = div->in[0], *d = div->in[1], *rest = unit_without(c, t.unit, div);
	term first = d->kind == SYM_CONST ? (term){d->value, NULL} : sym_term(d, 0);
	if (first.c == 0 || t.c % first.c != 0 || !unit_div(c, rest, first.unit, &rest))
		return false;
	int64_t k = -(t.c / first.c);
	if (sym_constant(x) != 0 && rest)
		return false;
	poly divided, plain;
	poly_init(&divided, c);
	poly_add_product(&divided, -k, unit_mul(c, rest, NODE(div)->unit), d);
	for (int i = 0; i < divided.n; i++)
		if (poly_coefficient(p, divided.t[i].unit) != divided.t[i].c)
			return false;
	poly_init(&plain, c);
	poly_add_product(&plain, k, rest, x);
	plain.k = 0;
	if (!poly_covers(p, &plain))
		return false;
	poly_subtract(p, &divided);
	poly_subtract(p, &plain);
	poly_add(p, -k * sym_constant(x), NULL);
	poly_add_product(p, k, rest, sym_mod(x, d));
	return true;
}

static bool recombine_once(poly *p)
{
	for (int i = 0; i < p->n; i++) {
		term t = p->t[i];
		if (!NODE(t.unit)->divides)
			continue;
		sym *const *atoms = NULL;
		int n = unit_atoms(t.unit, &atoms);
		for (int j = 0; j < n; j++)
			if ((atoms[j]->kind == SYM_MOD && join_mod(p, t, atoms[j])) ||
			    (atoms[j]->kind == SYM_DIV && p->n > 1 && make_mod(p, t, atoms[j])))
				return true;
	}
	return false;
}

/* More joins than any sum of index arithmetic needs; a backstop only. */
enum { MAX_JOINS = 64 };

void poly_recombine(poly *p)
{
	for (int i = 0; p->n > 1 && i < MAX_JOINS && recombine_once(p); i++)
		;
}
