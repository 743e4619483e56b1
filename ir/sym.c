/* Symbolic integers: the context, hash-consing with value ranges, and sums and products.
 *
 * A node is found by (kind, value, operands); its range follows from its operands when it is made, and a range of one
 * value makes it that constant. Division is in sym_div.c, proofs are in sym_prove.c, traversals in sym_walk.c. */
#include "ir/sym.h"

#include "ir/expr.h"
#include "ir/sym_internal.h"
#include "support/checked.h"
#include "support/diag.h"

#include <assert.h>
#include <string.h>

enum { SMALL_LOWEST = -16, N_SMALL = 64, FIRST_TABLE = 256 };

sym_ctx *sym_ctx_new(arena *a)
{
	sym_ctx *c = new(a, sym_ctx);
	c->a = a;
	c->cap_table = FIRST_TABLE;
	c->table = new_array(a, sym *, FIRST_TABLE);
	c->calls = new_array(a, sym_call, SYM_CALLS);
	c->dims = map_new_str(a);
	c->scalars = map_new(a);
	c->used = map_new_str(a);
	return c;
}

bool sym_overflowed(const sym_ctx *c) { return c->overflowed; }
void sym_clear_overflow(sym_ctx *c) { c->overflowed = false; }
void sym_restore_overflow(sym_ctx *c, bool overflowed) { c->overflowed = overflowed; }

/* Constant arithmetic: saturates, and flags the context. */

static int64_t add_flagged(sym_ctx *c, int64_t a, int64_t b)
{
	int64_t r;
	if (add_i64(a, b, &r))
		return r;
	c->overflowed = true;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t mul_flagged(sym_ctx *c, int64_t a, int64_t b)
{
	int64_t r;
	if (mul_i64(a, b, &r))
		return r;
	c->overflowed = true;
	return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

int64_t int_floordiv(int64_t a, int64_t b)
{
	if (b == -1)
		return a == INT64_MIN ? INT64_MAX : -a;
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

int64_t int_mod(int64_t a, int64_t b)
{
	if (b == -1)
		return 0;
	int64_t r = a % b;
	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

int64_t int_gcd(int64_t a, int64_t b)
{
	uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
	while (y) {
		uint64_t r = x % y;
		x = y;
		y = r;
	}
	return x > INT64_MAX ? 1 : (int64_t)x;
}

/* Bounds: INT64_MIN and INT64_MAX are minus and plus infinity and stay so. */

static bool is_infinite(int64_t bound) { return bound == INT64_MIN || bound == INT64_MAX; }

static int64_t bound_add(int64_t a, int64_t b)
{
	if (is_infinite(a))
		return a;
	if (is_infinite(b))
		return b;
	int64_t r;
	return add_i64(a, b, &r) ? r : a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t bound_mul(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return 0;
	int64_t limit = (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX, r;
	return !is_infinite(a) && !is_infinite(b) && mul_i64(a, b, &r) ? r : limit;
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

static void range_mul(int64_t *lo, int64_t *hi, int64_t lo2, int64_t hi2)
{
	int64_t p = bound_mul(*lo, lo2), q = bound_mul(*lo, hi2), r = bound_mul(*hi, lo2), s = bound_mul(*hi, hi2);
	*lo = min_i64(min_i64(p, q), min_i64(r, s));
	*hi = max_i64(max_i64(p, q), max_i64(r, s));
}

/* A divisor is at least 1 where it is evaluated. */
static int64_t bound_div(int64_t a, int64_t d)
{
	if (is_infinite(a))
		return a;
	if (d == INT64_MAX)
		return a < 0 ? -1 : 0;
	return int_floordiv(a, max_i64(d, 1));
}

static void compute_range(sym *s)
{
	sym *const *in = s->in;
	switch (s->kind) {
	case SYM_CONST: s->lo = s->hi = s->value; break;
	case SYM_VAR: break;
	case SYM_ADD:
		s->lo = s->hi = s->value;
		for (int i = 0; i < s->n; i++) {
			s->lo = bound_add(s->lo, in[i]->lo);
			s->hi = bound_add(s->hi, in[i]->hi);
		}
		break;
	case SYM_MUL:
		s->lo = s->hi = s->value;
		for (int i = 0; i < s->n; i++)
			range_mul(&s->lo, &s->hi, in[i]->lo, in[i]->hi);
		break;
	case SYM_DIV:
	case SYM_MOD:
		if (in[1]->kind == SYM_CONST && in[1]->value <= 0) {
			s->lo = INT64_MIN; /* it has no value */
			s->hi = INT64_MAX;
			break;
		}
		if (s->kind == SYM_MOD) {
			s->hi = in[1]->hi == INT64_MAX ? INT64_MAX : max_i64(in[1]->hi - 1, 0);
			if (in[0]->lo >= 0)
				s->hi = min_i64(s->hi, in[0]->hi);
			break;
		}
		s->lo = bound_div(in[0]->lo, in[0]->lo >= 0 ? in[1]->hi : in[1]->lo);
		s->hi = bound_div(in[0]->hi, in[0]->hi >= 0 ? in[1]->lo : in[1]->hi);
		break;
	case SYM_MIN:
		s->lo = min_i64(in[0]->lo, in[1]->lo);
		s->hi = min_i64(in[0]->hi, in[1]->hi);
		break;
	case SYM_MAX:
		s->lo = max_i64(in[0]->lo, in[1]->lo);
		s->hi = max_i64(in[0]->hi, in[1]->hi);
		break;
	}
}

/* Interning */

static uint64_t key_hash(sym_kind kind, int64_t value, sym *const *in, int n)
{
	uint64_t h = hash_mix((uint64_t)kind, (uint64_t)value);
	for (int i = 0; i < n; i++)
		h = hash_mix(h, (uint64_t)in[i]->id);
	return h;
}

static void table_put(sym **table, int cap, sym *s)
{
	unsigned mask = (unsigned)cap - 1, i = (unsigned)s->hash & mask;
	while (table[i])
		i = (i + 1) & mask;
	table[i] = s;
}

static void table_grow(sym_ctx *c)
{
	int cap = c->cap_table * 2;
	sym **bigger = new_array(c->a, sym *, (size_t)cap);
	for (int i = 0; i < c->cap_table; i++)
		if (c->table[i])
			table_put(bigger, cap, c->table[i]);
	c->table = bigger;
	c->cap_table = cap;
}

static sym *node_new(sym_ctx *c, sym_kind kind)
{
	sym_node *n = new(c->a, sym_node);
	n->s.ctx = c;
	n->s.kind = kind;
	n->s.id = c->next_id++;
	n->unit = &n->s;
	return &n->s;
}

static sym *table_find(sym_ctx *c, uint64_t h, sym_kind kind, int64_t value, sym *const *in, int n)
{
	unsigned mask = (unsigned)c->cap_table - 1;
	for (unsigned i = (unsigned)h & mask; c->table[i]; i = (i + 1) & mask) {
		sym *s = c->table[i];
		if (s->hash == h && s->kind == kind && s->value == value && s->n == n &&
		    (n == 0 || memcmp(s->in, in, (size_t)n * sizeof *in) == 0))
			return s;
	}
	return NULL;
}

sym *sym_intern(sym_ctx *c, sym_kind kind, int64_t value, sym *const *in, int n)
{
	uint64_t h = key_hash(kind, value, in, n);
	sym *s = table_find(c, h, kind, value, in, n);
	if (!s) {
		sym *unit = kind == SYM_MUL && value != 1 ? unit_of(c, in, n) : NULL;
		s = node_new(c, kind);
		s->value = value;
		s->n = n;
		s->hash = h;
		sym **operands = n ? new_array(c->a, sym *, (size_t)n) : NULL;
		sym_node *node = NODE(s);
		node->divides = kind == SYM_DIV || kind == SYM_MOD;
		for (int i = 0; i < n; i++) {
			operands[i] = in[i];
			node->vars |= NODE(in[i])->vars;
			if (kind == SYM_ADD || kind == SYM_MUL)
				node->divides |= NODE(in[i])->divides;
		}
		s->in = operands;
		if (unit)
			node->unit = unit;
		compute_range(s);
		if (++c->n_table * 2 > c->cap_table)
			table_grow(c);
		table_put(c->table, c->cap_table, s);
	}
	return sym_plain(s);
}

sym *sym_const(sym_ctx *c, int64_t value)
{
	bool small = value >= SMALL_LOWEST && value < SMALL_LOWEST + N_SMALL;
	if (small && c->small[value - SMALL_LOWEST])
		return c->small[value - SMALL_LOWEST];
	sym *s = sym_intern(c, SYM_CONST, value, NULL, 0);
	if (small)
		c->small[value - SMALL_LOWEST] = s;
	return s;
}

sym *sym_plain(sym *s)
{
	return s->lo == s->hi && s->kind != SYM_CONST ? sym_const(s->ctx, s->lo) : s;
}

/* Builder calls at the top level are remembered; inside a proof, results may be less simple. */

static sym_call *call_slot(sym_ctx *c, sym_kind kind, const sym *a, const sym *b)
{
	uint64_t h = hash_mix(hash_mix((uint64_t)kind, (uint64_t)a->id), (uint64_t)b->id);
	return &c->calls[h & (SYM_CALLS - 1)];
}

bool sym_recall(sym_ctx *c, sym_kind kind, sym *a, sym *b, sym **result)
{
	sym_call *slot = call_slot(c, kind, a, b);
	if (slot->a != a || slot->b != b || slot->kind != kind)
		return false;
	*result = slot->result;
	return true;
}

sym *sym_remember(sym_ctx *c, sym_kind kind, sym *a, sym *b, sym *result)
{
	if (c->proof_depth == 0 && !c->overflowed)
		*call_slot(c, kind, a, b) = (sym_call){kind, a, b, result};
	return result;
}

/* Variables */

static sym *var_new(sym_ctx *c, sym_role role, const char *name, int64_t lo, int64_t hi, sym *below)
{
	sym *s = node_new(c, SYM_VAR);
	s->role = role;
	s->name = name;
	s->below = below;
	s->lo = lo;
	s->hi = below && below->hi != INT64_MAX ? min_i64(hi, below->hi - 1) : hi;
	s->hi = max_i64(s->lo, s->hi); /* a variable without values is never evaluated */
	s->hash = hash_mix(SYM_VAR, (uint64_t)s->id);
	NODE(s)->vars = (uint64_t)1 << (s->id & 63);
	return s;
}

/* The hint itself when it is free, else its letters with the next free number. */
static const char *fresh_name(sym_ctx *c, const char *hint)
{
	if (map_has(c->used, hint)) {
		size_t letters = strlen(hint);
		while (letters > 0 && hint[letters - 1] >= '0' && hint[letters - 1] <= '9')
			letters--;
		char *base = letters ? arena_strndup(c->a, hint, letters) : arena_strdup(c->a, "i");
		int *last = map_get(c->used, base);
		if (!last) {
			last = new(c->a, int);
			map_put(c->used, base, last);
		}
		char *name;
		do
			name = arena_printf(c->a, "%s%d", base, ++*last);
		while (map_has(c->used, name));
		hint = name;
	}
	char *name = arena_strdup(c->a, hint);
	map_put(c->used, name, new(c->a, int));
	return name;
}

sym *sym_find_dim(sym_ctx *c, const char *name) { return map_get(c->dims, name); }

sym *sym_dim(sym_ctx *c, const char *name, int64_t lo, int64_t hi)
{
	sym *s = sym_find_dim(c, name);
	if (!s) {
		char *copy = arena_strdup(c->a, name);
		s = var_new(c, SYM_DIM, copy, lo, hi, NULL);
		map_put(c->dims, copy, s);
		if (!map_has(c->used, copy))
			map_put(c->used, copy, new(c->a, int));
	}
	return sym_plain(s);
}

sym *sym_inner(sym_ctx *c, const char *name, int64_t lo, sym *below)
{
	sym *s = sym_find_dim(c, name);
	if (s)
		return s;
	if (below->hi != INT64_MAX && below->hi - 1 <= lo)
		return sym_const(c, lo);
	s = sym_dim(c, name, lo, below->hi != INT64_MAX ? below->hi - 1 : INT64_MAX);
	NODE(s)->s.below = below;
	return s;
}

sym *sym_inner_fresh(sym_ctx *c, const char *hint, int64_t lo, sym *below)
{
	return sym_inner(c, fresh_name(c, hint), lo, below);
}

bool sym_is_inner(const sym *s) { return s->kind == SYM_VAR && s->role == SYM_DIM && s->below; }

void sym_set_range(sym *dim, int64_t lo, int64_t hi)
{
	assert(dim->kind == SYM_VAR && dim->role == SYM_DIM && lo <= hi);
	dim->lo = lo;
	dim->hi = hi;
}

sym *sym_loop(sym_ctx *c, const char *hint, sym *extent)
{
	return var_new(c, SYM_LOOP, fresh_name(c, hint), 0, INT64_MAX, extent);
}

static bool add_index_vars(const expr *e, void *user)
{
	if (e->op == EXPR_LOAD || e->op == EXPR_INDEX)
		*(uint64_t *)user |= NODE(e->index)->vars;
	return false;
}

sym *sym_scalar(sym_ctx *c, const struct expr *e, int64_t lo, int64_t hi, sym *below)
{
	sym *s = map_get(c->scalars, e);
	if (!s) {
		s = var_new(c, SYM_SCALAR, NULL, lo, hi, below);
		s->scalar = e;
		expr_any(e, add_index_vars, &NODE(s)->vars);
		map_put(c->scalars, e, s);
	}
	return sym_plain(s);
}

/* Units and terms */

int unit_atoms(const sym *unit, sym *const **atoms)
{
	if (!unit)
		return 0;
	if (unit->kind == SYM_MUL) {
		*atoms = unit->in;
		return unit->n;
	}
	*atoms = &NODE(unit)->unit;
	return 1;
}

sym *unit_of(sym_ctx *c, sym *const *sorted, int n)
{
	return n == 0 ? NULL : n == 1 ? sorted[0] : sym_intern(c, SYM_MUL, 1, sorted, n);
}

/* A product longer than this does not occur in practice; its size comes from ranks. */
enum { MAX_ATOMS = 256 };

sym *unit_mul(sym_ctx *c, sym *a, sym *b)
{
	if (!a || !b)
		return a ? a : b;
	sym *const *x = NULL, *const *y = NULL, *all[MAX_ATOMS];
	int nx = unit_atoms(a, &x), ny = unit_atoms(b, &y), n = 0;
	if (nx + ny > MAX_ATOMS)
		fatal("a product of more than %d symbols", MAX_ATOMS);
	for (int i = 0, j = 0; i < nx || j < ny;)
		all[n++] = j == ny || (i < nx && x[i]->id <= y[j]->id) ? x[i++] : y[j++];
	return unit_of(c, all, n);
}

bool unit_div(sym_ctx *c, sym *a, const sym *b, sym **quotient)
{
	sym *const *x = NULL, *const *y = NULL, *left[MAX_ATOMS];
	int nx = unit_atoms(a, &x), ny = unit_atoms(b, &y), n = 0, j = 0;
	for (int i = 0; i < nx; i++) {
		if (j < ny && x[i] == y[j])
			j++;
		else
			left[n++] = x[i];
	}
	if (j < ny)
		return false;
	*quotient = unit_of(c, left, n);
	return true;
}

sym *unit_without(sym_ctx *c, sym *unit, const sym *atom)
{
	sym *rest = NULL;
	bool divides = unit_div(c, unit, atom, &rest);
	assert(divides);
	return rest;
}

sym *unit_common(sym_ctx *c, sym *a, const sym *b)
{
	sym *const *x = NULL, *const *y = NULL, *both[MAX_ATOMS];
	int nx = unit_atoms(a, &x), ny = unit_atoms(b, &y), n = 0;
	for (int i = 0, j = 0; i < nx && j < ny;) {
		if (x[i] == y[j]) {
			both[n++] = x[i++];
			j++;
		} else if (x[i]->id < y[j]->id) {
			i++;
		} else {
			j++;
		}
	}
	return unit_of(c, both, n);
}

sym *sym_of_term(sym_ctx *c, int64_t coefficient, sym *unit)
{
	if (!unit || coefficient == 0)
		return sym_const(c, coefficient);
	if (coefficient == 1)
		return unit;
	sym *const *atoms = NULL;
	int n = unit_atoms(unit, &atoms);
	return sym_intern(c, SYM_MUL, coefficient, atoms, n);
}

int64_t sym_constant(const sym *s) { return s->kind == SYM_CONST || s->kind == SYM_ADD ? s->value : 0; }

int sym_n_terms(const sym *s) { return s->kind == SYM_CONST ? 0 : s->kind == SYM_ADD ? s->n : 1; }

term sym_term(const sym *s, int i)
{
	const sym *t = s->kind == SYM_ADD ? s->in[i] : s;
	return (term){t->kind == SYM_MUL ? t->value : 1, NODE(t)->unit};
}

/* Polys */

void poly_init(poly *p, sym_ctx *c)
{
	p->ctx = c;
	p->k = 0;
	p->n = 0;
	p->cap = POLY_ROOM;
	p->t = p->room;
}

static int poly_place(const poly *p, const sym *unit)
{
	int lo = 0, hi = p->n;
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (p->t[mid].unit->id < unit->id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void poly_add(poly *p, int64_t c, sym *unit)
{
	if (c == 0)
		return;
	if (!unit) {
		p->k = add_flagged(p->ctx, p->k, c);
		return;
	}
	int at = poly_place(p, unit);
	size_t after = (size_t)(p->n - at);
	if (at < p->n && p->t[at].unit == unit) {
		p->t[at].c = add_flagged(p->ctx, p->t[at].c, c);
		if (p->t[at].c == 0) {
			memmove(&p->t[at], &p->t[at + 1], (after - 1) * sizeof *p->t);
			p->n--;
		}
		return;
	}
	if (p->n == p->cap) {
		term *bigger = new_array(p->ctx->a, term, (size_t)p->cap * 2);
		memcpy(bigger, p->t, (size_t)p->n * sizeof *p->t);
		p->t = bigger;
		p->cap *= 2;
	}
	memmove(&p->t[at + 1], &p->t[at], after * sizeof *p->t);
	p->t[at] = (term){c, unit};
	p->n++;
}

void poly_add_product(poly *p, int64_t c, sym *unit, const sym *s)
{
	poly_add(p, mul_flagged(p->ctx, c, sym_constant(s)), unit);
	for (int i = 0; i < sym_n_terms(s); i++) {
		term t = sym_term(s, i);
		poly_add(p, mul_flagged(p->ctx, c, t.c), unit_mul(p->ctx, unit, t.unit));
	}
}

void poly_add_sym(poly *p, int64_t c, const sym *s) { poly_add_product(p, c, NULL, s); }

int64_t poly_coefficient(const poly *p, const sym *unit)
{
	if (!unit)
		return p->k;
	int at = poly_place(p, unit);
	return at < p->n && p->t[at].unit == unit ? p->t[at].c : 0;
}

sym *poly_sym(poly *p)
{
	poly_recombine(p);
	if (p->n == 0)
		return sym_const(p->ctx, p->k);
	if (p->n == 1 && p->k == 0)
		return sym_of_term(p->ctx, p->t[0].c, p->t[0].unit);
	sym *room[POLY_ROOM], **terms = p->n <= POLY_ROOM ? room : new_array(p->ctx->a, sym *, (size_t)p->n);
	for (int i = 0; i < p->n; i++)
		terms[i] = sym_of_term(p->ctx, p->t[i].c, p->t[i].unit);
	return sym_intern(p->ctx, SYM_ADD, p->k, terms, p->n);
}

/* Sums and products */

static void same_ctx(const sym *a, const sym *b) { assert(a->ctx == b->ctx); }

sym *sym_add(sym *a, sym *b)
{
	same_ctx(a, b);
	a = sym_plain(a);
	b = sym_plain(b);
	sym_ctx *c = a->ctx;
	if (sym_is(a, 0))
		return b;
	if (sym_is(b, 0))
		return a;
	if (a->kind == SYM_CONST && b->kind == SYM_CONST)
		return sym_const(c, add_flagged(c, a->value, b->value));
	sym *known;
	if (sym_recall(c, SYM_ADD, a, b, &known))
		return known;
	poly p;
	poly_init(&p, c);
	poly_add_sym(&p, 1, a);
	poly_add_sym(&p, 1, b);
	return sym_remember(c, SYM_ADD, a, b, poly_sym(&p));
}

sym *sym_mul(sym *a, sym *b)
{
	same_ctx(a, b);
	a = sym_plain(a);
	b = sym_plain(b);
	sym_ctx *c = a->ctx;
	if (a->kind == SYM_CONST && b->kind == SYM_CONST)
		return sym_const(c, mul_flagged(c, a->value, b->value));
	if (sym_is(a, 1))
		return b;
	if (sym_is(b, 1))
		return a;
	sym *known;
	if (sym_recall(c, SYM_MUL, a, b, &known))
		return known;
	poly p;
	poly_init(&p, c);
	poly_add_sym(&p, sym_constant(a), b);
	for (int i = 0; i < sym_n_terms(a); i++) {
		term t = sym_term(a, i);
		poly_add_product(&p, t.c, t.unit, b);
	}
	return sym_remember(c, SYM_MUL, a, b, poly_sym(&p));
}

sym *sym_neg(sym *a) { return sym_muli(a, -1); }
sym *sym_sub(sym *a, sym *b) { return a == b ? sym_const(a->ctx, 0) : sym_add(a, sym_neg(b)); }
sym *sym_addi(sym *a, int64_t b) { return sym_add(a, sym_const(a->ctx, b)); }
sym *sym_muli(sym *a, int64_t b) { return sym_mul(a, sym_const(a->ctx, b)); }
sym *sym_divi(sym *a, int64_t b) { return sym_floordiv(a, sym_const(a->ctx, b)); }
sym *sym_modi(sym *a, int64_t b) { return sym_mod(a, sym_const(a->ctx, b)); }

sym *sym_product(sym_ctx *c, sym *const *v, int n)
{
	sym *p = sym_const(c, 1);
	for (int i = 0; i < n; i++)
		p = sym_mul(p, v[i]);
	return p;
}

/* A minimum and a maximum are lists of operands none of which is known to be covered by another, in order of creation,
 * written as MIN(MIN(a, b), c). */

enum { MAX_EXTREMES = 64 };

static void collect_extremes(sym_kind kind, sym *s, sym **list, int *n)
{
	if (s->kind == kind) {
		collect_extremes(kind, s->in[0], list, n);
		collect_extremes(kind, s->in[1], list, n);
	} else if (*n == MAX_EXTREMES) {
		list[*n - 1] = sym_intern(s->ctx, kind, 0, (sym *[]){list[*n - 1], s}, 2);
	} else {
		list[(*n)++] = s;
	}
}

typedef bool order_proof(sym *a, sym *b); /* a >= b */

static bool covers(sym_kind kind, sym *kept, sym *dropped, order_proof *ge)
{
	return kind == SYM_MIN ? ge(dropped, kept) : ge(kept, dropped);
}

static int keep_uncovered(sym_kind kind, sym **list, int n, order_proof *ge)
{
	int kept = 0;
	for (int i = 0; i < n; i++) {
		bool covered = false;
		for (int j = 0; j < kept && !covered; j++)
			covered = covers(kind, list[j], list[i], ge);
		if (covered)
			continue;
		int still = 0;
		for (int j = 0; j < kept; j++)
			if (!covers(kind, list[i], list[j], ge))
				list[still++] = list[j];
		sym *s = list[i];
		kept = still;
		list[kept++] = s;
	}
	return kept;
}

static sym *extreme_by(sym_kind kind, sym *a, sym *b, order_proof *ge)
{
	sym *list[MAX_EXTREMES];
	int n = 0;
	collect_extremes(kind, a, list, &n);
	collect_extremes(kind, b, list, &n);
	n = keep_uncovered(kind, list, n, ge);
	for (int i = 1; i < n; i++) {
		sym *s = list[i];
		int j = i;
		for (; j > 0 && list[j - 1]->id > s->id; j--)
			list[j] = list[j - 1];
		list[j] = s;
	}
	sym *result = list[0];
	for (int i = 1; i < n; i++)
		result = sym_intern(a->ctx, kind, 0, (sym *[]){result, list[i]}, 2);
	return result;
}

static sym *extreme(sym_kind kind, sym *a, sym *b)
{
	same_ctx(a, b);
	a = sym_plain(a);
	b = sym_plain(b);
	sym *known;
	if (a == b)
		return a;
	if (sym_recall(a->ctx, kind, a, b, &known))
		return known;
	return sym_remember(a->ctx, kind, a, b, extreme_by(kind, a, b, sym_proves_ge));
}

static bool range_proves_ge(sym *a, sym *b)
{
	return a == b || (a->lo >= b->hi && a->lo != INT64_MIN && b->hi != INT64_MAX);
}

sym *sym_min_written(sym *a, sym *b) { return extreme_by(SYM_MIN, sym_plain(a), sym_plain(b), range_proves_ge); }
sym *sym_max_written(sym *a, sym *b) { return extreme_by(SYM_MAX, sym_plain(a), sym_plain(b), range_proves_ge); }

sym *sym_min(sym *a, sym *b) { return extreme(SYM_MIN, a, b); }
sym *sym_max(sym *a, sym *b) { return extreme(SYM_MAX, a, b); }

bool sym_is_const(const sym *s, int64_t *value)
{
	if (s->lo != s->hi)
		return false;
	if (value)
		*value = s->lo;
	return true;
}

bool sym_is(const sym *s, int64_t value) { return s->lo == value && s->hi == value; }

int64_t sym_value(const sym *s)
{
	int64_t value;
	if (!sym_is_const(s, &value))
		bug("sym_value of an expression that is not constant");
	return value;
}
