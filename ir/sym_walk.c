/* Traversals of symbolic integers: occurrence, affine form, substitution, evaluation.
 *
 * The graph of an expression shares nodes, so a traversal stamps what it visits with a number of its own and leaves its
 * result there. A callback may start another traversal: that only makes the first one compute some results again.
 * Symbols inside the scalar of a SYM_SCALAR (indices of its loads) count as inside. */
#include "ir/expr.h"
#include "ir/expr_internal.h"
#include "ir/sym_internal.h"
#include "support/checked.h"
#include "support/diag.h"

static bool visited(const sym *s, unsigned epoch)
{
	bool before = NODE(s)->epoch == epoch;
	NODE(s)->epoch = epoch;
	return before;
}

typedef struct search {
	bool (*pred)(const sym *var, void *user);
	void *user;
	uint64_t among; /* variables of interest */
	unsigned epoch;
} search;

static bool find_var(const sym *s, search *f);

static bool find_in_scalar(const expr *e, void *user)
{
	return (e->op == EXPR_LOAD || e->op == EXPR_INDEX) && find_var(e->index, user);
}

static bool find_var(const sym *s, search *f)
{
	if (!(NODE(s)->vars & f->among) || visited(s, f->epoch))
		return false;
	if (s->kind == SYM_VAR)
		return f->pred(s, f->user) || (s->scalar && expr_any(s->scalar, find_in_scalar, f));
	for (int i = 0; i < s->n; i++)
		if (find_var(s->in[i], f))
			return true;
	return false;
}

bool sym_any_var(const sym *s, bool (*pred)(const sym *var, void *user), void *user)
{
	search f = {pred, user, UINT64_MAX, ++s->ctx->epoch};
	return find_var(s, &f);
}

static bool is_same(const sym *var, void *user) { return var == user; }

bool sym_contains(const sym *s, const sym *var)
{
	search f = {is_same, NODE(var), NODE(var)->vars, ++s->ctx->epoch};
	return find_var(s, &f);
}

bool sym_affine(sym *s, sym *var, sym **coefficient, sym **rest)
{
	poly cf, other;
	poly_init(&cf, s->ctx);
	poly_init(&other, s->ctx);
	other.k = sym_constant(s);
	for (int i = 0; i < sym_n_terms(s); i++) {
		term t = sym_term(s, i);
		sym *unit;
		if (!sym_contains(t.unit, var))
			poly_add(&other, t.c, t.unit);
		else if (unit_div(s->ctx, t.unit, var, &unit) && !(unit && sym_contains(unit, var)))
			poly_add(&cf, t.c, unit);
		else
			return false;
	}
	*coefficient = poly_sym(&cf);
	*rest = poly_sym(&other);
	return true;
}

/* Substitution, perhaps into another context */

typedef struct rebuild {
	sym_ctx *to;
	sym *(*var)(sym *v, struct rebuild *r);
	sym *(*f)(sym *var, void *user);
	sym *(*f_import)(const sym *var, void *user);
	void *user;
	sym *old, *by; /* of sym_replace */
	uint64_t among;
	unsigned epoch;
} rebuild;

static sym *rebuild_sym(sym *s, rebuild *r);

static sym *rebuild_operation(const sym *s, rebuild *r)
{
	sym *a, *b;
	poly p;
	switch (s->kind) {
	case SYM_ADD:
		poly_init(&p, r->to);
		p.k = s->value;
		for (int i = 0; i < s->n; i++)
			poly_add_sym(&p, 1, sym_plain(rebuild_sym(s->in[i], r)));
		return poly_sym(&p);
	case SYM_MUL:
		a = sym_const(r->to, s->value);
		for (int i = 0; i < s->n; i++)
			a = sym_mul(a, rebuild_sym(s->in[i], r));
		return a;
	case SYM_DIV:
	case SYM_MOD:
	case SYM_MIN:
	case SYM_MAX: break;
	case SYM_CONST:
	case SYM_VAR: bug("not an operation");
	}
	a = rebuild_sym(s->in[0], r);
	b = rebuild_sym(s->in[1], r);
	return s->kind == SYM_DIV ? sym_floordiv(a, b) :
	       s->kind == SYM_MOD ? sym_mod(a, b) :
	       s->kind == SYM_MIN ? sym_min(a, b) :
				    sym_max(a, b);
}

static sym *rebuild_sym(sym *s, rebuild *r)
{
	if (s->kind == SYM_CONST)
		return sym_const(r->to, s->value);
	sym_node *n = NODE(s);
	if (s->ctx == r->to && !(n->vars & r->among))
		return s;
	if (n->epoch == r->epoch)
		return n->memo;
	sym *result = s->kind == SYM_VAR ? r->var(s, r) : rebuild_operation(s, r);
	n->epoch = r->epoch;
	n->memo = result;
	return result;
}

static const expr *rebuild_leaf(const expr *leaf, void *user)
{
	expr_ctx *c = expr_owner(leaf);
	if (leaf->op == EXPR_LOAD)
		return expr_load(c, leaf->buffer, rebuild_sym(leaf->index, user));
	if (leaf->op == EXPR_INDEX)
		return expr_index(c, rebuild_sym(leaf->index, user));
	return leaf;
}

/* The same scalar with other indices in its loads. */
static sym *rebuild_scalar(sym *v, rebuild *r)
{
	expr_ctx *c = expr_owner(v->scalar);
	const expr *e = expr_map_leaves(c, v->scalar, rebuild_leaf, r);
	if (e == v->scalar)
		return v;
	return expr_to_sym(c, e, v->lo, v->hi, v->below ? rebuild_sym(v->below, r) : NULL);
}

static sym *map_var(sym *v, rebuild *r)
{
	sym *by = r->f(v, r->user);
	return by == v && v->scalar ? rebuild_scalar(v, r) : by;
}

static sym *replace_var(sym *v, rebuild *r)
{
	return v == r->old ? r->by : v->scalar ? rebuild_scalar(v, r) : v;
}

static sym *import_var(sym *v, rebuild *r)
{
	if (v->role == SYM_DIM && v->below)
		return sym_inner(r->to, v->name, v->lo, rebuild_sym(v->below, r));
	if (v->role == SYM_DIM)
		return sym_dim(r->to, v->name, v->lo, v->hi);
	if (!r->f_import)
		bug("import of %s, which is no dimension", v->name ? v->name : "a scalar");
	return r->f_import(v, r->user);
}

sym *sym_map_vars(sym *s, sym *(*f)(sym *var, void *user), void *user)
{
	rebuild r = {.to = s->ctx, .var = map_var, .f = f, .user = user, .among = UINT64_MAX, .epoch = ++s->ctx->epoch};
	return rebuild_sym(s, &r);
}

sym *sym_replace(sym *s, sym *var, sym *by)
{
	rebuild r = {.to = s->ctx, .var = replace_var, .old = var, .by = by, .among = NODE(var)->vars,
		     .epoch = ++s->ctx->epoch};
	return rebuild_sym(s, &r);
}

sym *sym_import(sym_ctx *to, const sym *s, sym *(*f)(const sym *var, void *user), void *user)
{
	rebuild r = {.to = to, .var = import_var, .f_import = f, .user = user, .among = UINT64_MAX,
		     .epoch = ++s->ctx->epoch};
	return rebuild_sym(&NODE(s)->s, &r);
}

/* Bounds */

static bool is_inner(const sym *var, void *user)
{
	(void)user;
	return sym_is_inner(var);
}

/* coefficient * product: a negative coefficient turns the bound of the product around. */
static sym *bound_of_product(const sym *s, bool upper)
{
	sym *product = sym_const(s->ctx, 1);
	for (int i = 0; i < s->n; i++) {
		sym *factor = sym_outer_bound(s->in[i], (s->value >= 0) == upper);
		product = sym_mul(product, factor);
	}
	return sym_muli(product, s->value);
}

sym *sym_outer_bound(sym *s, bool upper)
{
	sym *a, *b;
	if (!sym_any_var(s, is_inner, NULL))
		return s;
	switch (s->kind) {
	case SYM_CONST: return s;
	case SYM_VAR: return upper ? sym_addi(sym_outer_bound(s->below, true), -1) : sym_const(s->ctx, s->lo);
	case SYM_MUL: return bound_of_product(s, upper);
	case SYM_ADD:
		a = sym_const(s->ctx, s->value);
		for (int i = 0; i < s->n; i++)
			a = sym_add(a, sym_outer_bound(s->in[i], upper));
		return a;
	case SYM_MOD: return upper ? sym_addi(sym_outer_bound(s->in[1], true), -1) : sym_const(s->ctx, 0);
	case SYM_DIV:
		b = sym_outer_bound(s->in[1], !upper);
		return sym_floordiv(sym_outer_bound(s->in[0], upper), b->lo >= 1 ? b : sym_max(b, sym_const(s->ctx, 1)));
	case SYM_MIN:
	case SYM_MAX: break;
	}
	a = sym_outer_bound(s->in[0], upper);
	b = sym_outer_bound(s->in[1], upper);
	return s->kind == SYM_MIN ? sym_min(a, b) : sym_max(a, b);
}

/* Evaluation */

bool sym_eval(const sym *s, bool (*f)(const sym *var, int64_t *value, void *user), void *user, int64_t *value)
{
	int64_t a, b;
	switch (s->kind) {
	case SYM_CONST: *value = s->value; return true;
	case SYM_VAR:
		if (s->lo == s->hi) {
			*value = s->lo;
			return true;
		}
		return f(s, value, user);
	case SYM_ADD:
		a = s->value;
		for (int i = 0; i < s->n; i++)
			if (!sym_eval(s->in[i], f, user, &b) || !add_i64(a, b, &a))
				return false;
		*value = a;
		return true;
	case SYM_MUL:
		a = s->value;
		for (int i = 0; i < s->n; i++)
			if (!sym_eval(s->in[i], f, user, &b) || !mul_i64(a, b, &a))
				return false;
		*value = a;
		return true;
	case SYM_DIV:
	case SYM_MOD:
	case SYM_MIN:
	case SYM_MAX: break;
	}
	if (!sym_eval(s->in[0], f, user, &a) || !sym_eval(s->in[1], f, user, &b))
		return false;
	bool divides = s->kind == SYM_DIV || s->kind == SYM_MOD;
	if (divides && b <= 0)
		return false;
	*value = s->kind == SYM_DIV ? int_floordiv(a, b) :
		 s->kind == SYM_MOD ? int_mod(a, b) :
		 s->kind == SYM_MIN ? (a < b ? a : b) :
				      (a > b ? a : b);
	return true;
}
