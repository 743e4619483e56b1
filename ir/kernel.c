/* Kernel IR: making programs, and when two kernels are the same code.
 *
 * Two kernels are the same when a renaming of buffers, locals and loop variables turns one into the other. The renaming is
 * forced: parameters correspond by position, everything else by its place of declaration, which comes before its uses. So
 * one walk over both decides, and the hash numbers the same things in the same order. Terms of a sum or a product may
 * stand in another order (it depends on which kernel was made first): they are matched, and hashed by adding. */
#include "ir/kernel.h"

#include <string.h>

const char *unique_name(arena *a, map *taken, const char *name)
{
	int *last = map_get(taken, name);
	const char *found = name;
	while (last && map_has(taken, found))
		found = arena_printf(a, "%s_%d", name, ++*last);
	map_put(taken, found, new(a, int));
	return found == name ? arena_strdup(a, name) : found;
}

program *program_new(arena *a, sym_ctx *syms, expr_ctx *exprs, const char *name)
{
	program *p = new(a, program);
	*p = (program){.name = arena_strdup(a, name), .a = a, .syms = syms, .exprs = exprs, .taken = map_new_str(a)};
	return p;
}

/* Kernels and storages share the set, told apart by their sigils. */
static const char *name_in_program(program *p, char sigil, const char *name)
{
	return unique_name(p->a, p->taken, arena_printf(p->a, "%c%s", sigil, name)) + 1;
}

kernel *kernel_new(program *p, const char *name)
{
	kernel *k = new(p->a, kernel);
	k->name = name_in_program(p, '@', name);
	k->in = p;
	return k;
}

storage *storage_new(program *p, const char *name, storage_kind kind, dtype t, sym *size)
{
	storage *s = new(p->a, storage);
	*s = (storage){.name = name_in_program(p, '%', name), .kind = kind, .type = t, .size = size};
	vec_push(p->a, &p->storages, s);
	return s;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

void steps_walk(const step_list *steps, void (*f)(step *s, void *user), void *user)
{
	for (int i = 0; i < steps->n; i++) {
		step *s = &steps->v[i];
		f(s, user);
		steps_walk(&s->body, f, user);
		steps_walk(&s->otherwise, f, user);
	}
}

static void count_step(step *s, void *user)
{
	(void)s;
	++*(int *)user;
}

int steps_count(const step_list *steps)
{
	int n = 0;
	steps_walk(steps, count_step, &n);
	return n;
}

void step_storages(const step *s, void (*f)(storage *s, void *user), void *user)
{
	storage *const own[] = {s->from, s->go_on, s->count};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (own[i])
			f(own[i], user);
	for (int i = 0; i < s->args.n; i++)
		f(s->args.v[i], user);
	for (int i = 0; i < s->carried.n; i++) {
		const carry *c = &s->carried.v[i];
		storage *const of[] = {c->current, c->from, c->next, c->result};
		for (size_t k = 0; k < sizeof of / sizeof *of; k++)
			if (of[k])
				f(of[k], user);
	}
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static void walk(const block *b, void (*f)(stmt *s, void *user), void *user)
{
	for (int i = 0; i < b->n; i++) {
		stmt *s = b->v[i];
		f(s, user);
		if (s->kind == STMT_FOR) {
			walk(&s->f.body, f, user);
		} else if (s->kind == STMT_IF || s->kind == STMT_WHILE) {
			walk(&s->branch.then, f, user);
			walk(&s->branch.otherwise, f, user);
		}
	}
}

void kernel_walk(const kernel *k, void (*f)(stmt *s, void *user), void *user) { walk(&k->body, f, user); }

/* ---- same code --------------------------------------------------------------------------------------------------- */

typedef struct same {
	arena *a;
	map *twin; /* of a's buffers, locals, loop variables, and of symbols and expressions found equal: what is equal in b */
} same;

static bool same_sym(same *c, const sym *a, const sym *b);
static bool same_block(same *c, const block *a, const block *b);

static void pair(same *c, const void *a, const void *b) { map_put(c->twin, a, (void *)(uintptr_t)b); }
static bool paired(const same *c, const void *a, const void *b) { return map_get(c->twin, a) == b; }

static bool same_leaf(same *c, const expr *a, const expr *b)
{
	if (a->op == EXPR_CONST)
		return dtype_is_float(a->type) ? memcmp(&a->f, &b->f, sizeof a->f) == 0 : a->i == b->i;
	if (a->op == EXPR_ARG)
		return a->i == b->i;
	if (a->op == EXPR_LOCAL)
		return paired(c, a->local, b->local);
	if (a->op == EXPR_LOAD)
		return paired(c, a->buffer, b->buffer) && same_sym(c, a->index, b->index);
	return a->op != EXPR_INDEX || same_sym(c, a->index, b->index);
}

static bool same_expr(same *c, const expr *a, const expr *b)
{
	if (map_has(c->twin, a))
		return paired(c, a, b);
	if (a->op != b->op || a->type != b->type || a->n_in != b->n_in || !same_leaf(c, a, b))
		return false;
	for (int i = 0; i < a->n_in; i++)
		if (!same_expr(c, a->in[i], b->in[i]))
			return false;
	pair(c, a, b);
	return true;
}

static bool same_var(same *c, const sym *a, const sym *b)
{
	if (a->role != b->role || a->lo != b->lo || a->hi != b->hi)
		return false;
	switch (a->role) {
	case SYM_DIM: return strcmp(a->name, b->name) == 0;
	case SYM_LOOP: return paired(c, a, b);
	case SYM_SCALAR: return same_expr(c, a->scalar, b->scalar);
	}
	return false;
}

/* Each operand of a has an operand of b for itself. */
static bool match_operands(same *c, const sym *a, const sym *b)
{
	bool *used = new_array(c->a, bool, (size_t)b->n);
	for (int i = 0; i < a->n; i++) {
		int j = 0;
		while (j < b->n && (used[j] || !same_sym(c, a->in[i], b->in[j])))
			j++;
		if (j == b->n)
			return false;
		used[j] = true;
	}
	return true;
}

static bool is_commutative(sym_kind kind) { return kind != SYM_DIV && kind != SYM_MOD; }

static bool same_operands(same *c, const sym *a, const sym *b)
{
	if (is_commutative(a->kind))
		return match_operands(c, a, b);
	for (int i = 0; i < a->n; i++)
		if (!same_sym(c, a->in[i], b->in[i]))
			return false;
	return true;
}

static bool same_sym(same *c, const sym *a, const sym *b)
{
	if (a->kind != b->kind || a->n != b->n || a->value != b->value)
		return false;
	if (a->kind == SYM_VAR)
		return same_var(c, a, b);
	if (map_has(c->twin, a))
		return paired(c, a, b);
	if (!same_operands(c, a, b))
		return false;
	pair(c, a, b);
	return true;
}

static bool same_optional_sym(same *c, const sym *a, const sym *b)
{
	return a && b ? same_sym(c, a, b) : !a && !b;
}

static bool same_buffer(same *c, const buffer *a, const buffer *b)
{
	pair(c, a, b);
	return a->type == b->type && a->written == b->written && a->param == b->param && a->align == b->align &&
	       same_sym(c, a->size, b->size);
}

static bool same_loop(same *c, const stmt *a, const stmt *b)
{
	if (a->f.loop != b->f.loop || a->f.lanes != b->f.lanes || a->f.reductions.n != b->f.reductions.n ||
	    !same_sym(c, a->f.extent, b->f.extent))
		return false;
	for (int i = 0; i < a->f.reductions.n; i++) {
		const lane_reduction *x = &a->f.reductions.v[i], *y = &b->f.reductions.v[i];
		if (x->combine != y->combine || !paired(c, x->l, y->l))
			return false;
	}
	pair(c, a->f.var, b->f.var);
	return same_block(c, &a->f.body, &b->f.body);
}

static bool same_stmt(same *c, const stmt *a, const stmt *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case STMT_FOR: return same_loop(c, a, b);
	case STMT_LET:
	case STMT_VAR:
		if (a->set.l->type != b->set.l->type || !same_expr(c, a->set.e, b->set.e))
			return false;
		pair(c, a->set.l, b->set.l);
		return true;
	case STMT_SET: return paired(c, a->set.l, b->set.l) && same_expr(c, a->set.e, b->set.e);
	case STMT_STORE:
		return a->store.streaming == b->store.streaming && paired(c, a->store.b, b->store.b) &&
		       same_sym(c, a->store.index, b->store.index) && same_expr(c, a->store.e, b->store.e);
	case STMT_IF:
	case STMT_WHILE:
		return same_expr(c, a->branch.cond, b->branch.cond) && same_block(c, &a->branch.then, &b->branch.then) &&
		       same_block(c, &a->branch.otherwise, &b->branch.otherwise);
	case STMT_ARRAY: return same_buffer(c, a->array, b->array);
	case STMT_PREFETCH:
		return a->prefetch.locality == b->prefetch.locality && paired(c, a->prefetch.b, b->prefetch.b) &&
		       same_sym(c, a->prefetch.index, b->prefetch.index);
	}
	return false;
}

static bool same_block(same *c, const block *a, const block *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; i < a->n; i++)
		if (!same_stmt(c, a->v[i], b->v[i]))
			return false;
	return true;
}

static bool same_kernel(same *c, const kernel *a, const kernel *b)
{
	if (a->params.n != b->params.n)
		return false;
	for (int i = 0; i < a->params.n; i++)
		if (!same_buffer(c, a->params.v[i], b->params.v[i]))
			return false;
	if (!same_optional_sym(c, a->tiles, b->tiles))
		return false;
	if (a->tiles)
		pair(c, a->tile_var, b->tile_var);
	return same_block(c, &a->body, &b->body);
}

bool kernel_same_code(const kernel *a, const kernel *b)
{
	arena *scratch = arena_new("comparing kernels");
	same c = {scratch, map_new(scratch)};
	bool result = same_kernel(&c, a, b);
	arena_free(scratch);
	return result;
}

/* ---- hash -------------------------------------------------------------------------------------------------------- */

typedef struct hasher {
	arena *a;
	map *known; /* number of a buffer, local or loop variable; hash of a symbol or expression */
	uint64_t next_number;
	uint64_t h;
} hasher;

static uint64_t hash_sym(hasher *c, const sym *s);

static void add(hasher *c, uint64_t x) { c->h = hash_mix(c->h, x); }

static void remember(hasher *c, const void *what, uint64_t hash)
{
	uint64_t *kept = new(c->a, uint64_t);
	*kept = hash;
	map_put(c->known, what, kept);
}

static uint64_t recall(const hasher *c, const void *what)
{
	const uint64_t *kept = map_get(c->known, what);
	return kept ? *kept : 0;
}

static void number(hasher *c, const void *what) { remember(c, what, ++c->next_number); }

static uint64_t hash_leaf(hasher *c, const expr *e)
{
	uint64_t bits;
	switch (e->op) {
	case EXPR_CONST:
		memcpy(&bits, dtype_is_float(e->type) ? (const void *)&e->f : (const void *)&e->i, sizeof bits);
		return bits;
	case EXPR_ARG: return (uint64_t)e->i;
	case EXPR_LOCAL: return recall(c, e->local);
	case EXPR_LOAD: return hash_mix(recall(c, e->buffer), hash_sym(c, e->index));
	case EXPR_INDEX: return hash_sym(c, e->index);
	default: return 0;
	}
}

static uint64_t hash_expr(hasher *c, const expr *e)
{
	if (map_has(c->known, e))
		return recall(c, e);
	uint64_t h = hash_mix(hash_mix((uint64_t)e->op, (uint64_t)e->type), hash_leaf(c, e));
	for (int i = 0; i < e->n_in; i++)
		h = hash_mix(h, hash_expr(c, e->in[i]));
	remember(c, e, h);
	return h;
}

static uint64_t hash_var(hasher *c, const sym *s)
{
	switch (s->role) {
	case SYM_DIM: return hash_bytes(s->name, strlen(s->name), SYM_DIM);
	case SYM_LOOP: return recall(c, s);
	case SYM_SCALAR: return hash_expr(c, s->scalar);
	}
	return 0;
}

static uint64_t hash_sym(hasher *c, const sym *s)
{
	if (s->kind == SYM_VAR)
		return hash_var(c, s);
	if (map_has(c->known, s))
		return recall(c, s);
	uint64_t h = hash_mix((uint64_t)s->kind, (uint64_t)s->value), sum = 0;
	for (int i = 0; i < s->n; i++) {
		uint64_t x = hash_sym(c, s->in[i]);
		if (is_commutative(s->kind))
			sum += hash_mix(x, 0);
		else
			sum = hash_mix(sum, x);
	}
	h = hash_mix(h, sum);
	remember(c, s, h);
	return h;
}

static void add_buffer(hasher *c, const buffer *b)
{
	number(c, b);
	add(c, (uint64_t)b->type * 2 + b->written);
	add(c, (uint64_t)b->align);
	add(c, hash_sym(c, b->size));
}

static void add_loop(hasher *c, const stmt *s)
{
	add(c, (uint64_t)s->f.loop);
	add(c, (uint64_t)s->f.lanes);
	add(c, hash_sym(c, s->f.extent));
	for (int i = 0; i < s->f.reductions.n; i++)
		add(c, hash_mix((uint64_t)s->f.reductions.v[i].combine, recall(c, s->f.reductions.v[i].l)));
	number(c, s->f.var);
}

static void add_stmt(stmt *s, void *user)
{
	hasher *c = user;
	add(c, (uint64_t)s->kind);
	switch (s->kind) {
	case STMT_FOR: add_loop(c, s); break;
	case STMT_LET:
	case STMT_VAR:
		add(c, hash_expr(c, s->set.e));
		number(c, s->set.l);
		break;
	case STMT_SET: add(c, hash_mix(recall(c, s->set.l), hash_expr(c, s->set.e))); break;
	case STMT_STORE:
		add(c, hash_mix(recall(c, s->store.b), s->store.streaming));
		add(c, hash_mix(hash_sym(c, s->store.index), hash_expr(c, s->store.e)));
		break;
	case STMT_IF:
	case STMT_WHILE: add(c, hash_expr(c, s->branch.cond)); break;
	case STMT_ARRAY: add_buffer(c, s->array); break;
	case STMT_PREFETCH: add(c, hash_mix(recall(c, s->prefetch.b), hash_sym(c, s->prefetch.index))); break;
	}
}

uint64_t kernel_code_hash(const kernel *k)
{
	arena *scratch = arena_new("hashing kernels");
	hasher c = {.a = scratch, .known = map_new(scratch)};
	for (int i = 0; i < k->params.n; i++)
		add_buffer(&c, k->params.v[i]);
	if (k->tiles) {
		add(&c, hash_sym(&c, k->tiles));
		number(&c, k->tile_var);
	}
	kernel_walk(k, add_stmt, &c);
	uint64_t h = c.h;
	arena_free(scratch);
	return h;
}
