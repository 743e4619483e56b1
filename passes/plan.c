/* Places every arena storage: offsets into one workspace, shared by storages that are never live at the same time.
 *
 *   requires a lowered program; keeps everything; sets first_step, last_step, offset and workspace_bytes
 * A storage is live from the first to the last step that names it.  Sizes are  coefficient * unit  bytes, where the unit is a
 * symbolic product (1 for static and bounded sizes).  Storages of one unit form a pool, in which constant coefficients are
 * packed: largest first, each into the gap among live neighbours that fits it best.  Pools of different units cannot be
 * compared at compile time; those with disjoint lifetimes share a slot as large as the largest.  Whether to pool by unit or to
 * give each dynamic storage a pool of its own is decided by the size at typical dimensions. */
#include "passes/pass.h"

#include <stdlib.h>
#include <string.h>

enum {
	TYPICAL_DIM = 128,
	MAX_TRIES = 200,
	TRIED_PAIRS = 20000000, /* of blocks, in all tries of one order */
};
static const int64_t MAX_BOUNDED_BYTES = (int64_t)1 << 40; /* a larger bound is no bound */

typedef struct placing {
	storage *s;
	int64_t size, at; /* units */
	int index;        /* in the program: makes sorting the same everywhere */
} placing;

typedef struct pool {
	sym *unit; /* bytes; NULL: 1 */
	vec(placing) blocks;
	int64_t height;  /* units */
	int first, last; /* steps */
	int slot;
} pool;

typedef struct slot {
	sym *size;
	int64_t typical; /* the same at typical dimensions */
	vec(const pool *) members;
} slot;

typedef struct plan {
	program *p;
	arena *a;
	vec(pool *) pools;
	vec(slot *) slots;
	int64_t typical;
} plan;

/* ---- lifetimes --------------------------------------------------------------------------------------------------- */
static void touch(storage *s, int at)
{
	if (s->first_step < 0)
		s->first_step = at;
	s->last_step = at;
}

static void find_lifetimes(program *p)
{
	for (int i = 0; i < p->storages.n; i++)
		p->storages.v[i]->first_step = p->storages.v[i]->last_step = -1;
	for (int i = 0; i < p->steps.n; i++) {
		const step *st = &p->steps.v[i];
		for (int k = 0; k < st->args.n; k++)
			touch(st->args.v[k], i);
		if (st->from)
			touch(st->from, i);
	}
}

static bool live_together(const storage *a, const storage *b)
{
	return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */
static int64_t round_up(int64_t x) { return (x + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN; }

static sym *bytes_of(const storage *s)
{
	return sym_ceildiv(sym_muli(s->size, dtype_table[s->type].bits), sym_const(s->size->ctx, 8));
}

static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t r = a % b;
		a = b;
		b = r;
	}
	return a < 0 ? -a : a;
}

/* The greatest constant that divides s for every value of its variables, as far as its form shows. */
static int64_t coefficient_of(const sym *s)
{
	if (s->kind == SYM_MUL)
		return s->value < 0 ? -s->value : s->value;
	if (s->kind != SYM_ADD)
		return 1;
	int64_t c = s->value;
	for (int i = 0; i < s->n; i++)
		c = gcd(c, coefficient_of(s->in[i]));
	return c > 0 ? c : 1;
}

/* Bytes = coefficient * unit with the coefficient a multiple of the alignment.  Where rounding the coefficient up would waste more
 * than a quarter, lines of 64 bytes are counted instead. */
static int64_t split_size(const storage *s, sym **unit)
{
	sym *bytes = bytes_of(s);
	*unit = NULL;
	if (bytes->hi <= MAX_BOUNDED_BYTES)
		return round_up(bytes->hi > 0 ? bytes->hi : 0);
	int64_t c = coefficient_of(bytes);
	if (c > MAX_BOUNDED_BYTES || round_up(c) - c > c / 4) {
		*unit = sym_ceildiv(bytes, sym_const(bytes->ctx, BUFFER_ALIGN));
		return BUFFER_ALIGN;
	}
	*unit = sym_divi(bytes, c);
	return round_up(c);
}

static bool typical_dim(const sym *var, int64_t *out, void *user)
{
	(void)user;
	*out = var->lo > TYPICAL_DIM ? var->lo : var->hi < TYPICAL_DIM ? var->hi : TYPICAL_DIM;
	return true;
}

static int64_t typical_value(const sym *s)
{
	int64_t typical;
	return sym_eval(s, typical_dim, NULL, &typical) ? typical : INT64_MAX / 4;
}

/* ---- packing a pool ---------------------------------------------------------------------------------------------- */
typedef int placing_order(const void *, const void *);

static int lifetime(const storage *s) { return s->last_step - s->first_step; }

static int by_place(const storage *a, const storage *b)
{
	if (a->first_step != b->first_step)
		return a->first_step < b->first_step ? -1 : 1;
	return a->last_step != b->last_step ? (a->last_step > b->last_step ? -1 : 1) : 0;
}

static int largest_first(const void *x, const void *y)
{
	const placing *a = x, *b = y;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	int order = by_place(a->s, b->s);
	return order ? order : a->index - b->index;
}

static int longest_first(const void *x, const void *y)
{
	const placing *a = x, *b = y;
	int la = lifetime(a->s), lb = lifetime(b->s);
	return la != lb ? (la > lb ? -1 : 1) : largest_first(x, y);
}

static int earliest_first(const void *x, const void *y)
{
	const placing *a = x, *b = y;
	int order = by_place(a->s, b->s);
	return order ? order : largest_first(x, y);
}

static placing_order *const block_orders[] = {largest_first, longest_first, earliest_first};
enum { N_ORDERS = sizeof block_orders / sizeof *block_orders };

/* The start of the smallest gap that holds `size` among the placed blocks (sorted by start) that are live with s, or behind them. */
static int64_t best_gap(const placing *const *placed, int n, const storage *s, int64_t size)
{
	int64_t end = 0, best = -1, best_room = INT64_MAX;
	for (int i = 0; i < n; i++) {
		if (!live_together(placed[i]->s, s))
			continue;
		int64_t room = placed[i]->at - end;
		if (room >= size && room < best_room) {
			best = end;
			best_room = room;
		}
		if (placed[i]->at + placed[i]->size > end)
			end = placed[i]->at + placed[i]->size;
	}
	return best >= 0 ? best : end;
}

/* Places blocks in the order given; returns the height. */
static int64_t place_blocks(placing *blocks, int n, const placing **placed)
{
	int64_t height = 0;
	for (int i = 0; i < n; i++) {
		placing *b = &blocks[i];
		b->at = best_gap(placed, i, b->s, b->size);
		int at = i;
		for (; at > 0 && placed[at - 1]->at > b->at; at--)
			placed[at] = placed[at - 1];
		placed[at] = b;
		if (b->at + b->size > height)
			height = b->at + b->size;
	}
	return height;
}

/* What no packing can undercut. */
static int64_t most_live(const pool *p)
{
	int64_t most = 0;
	for (int i = 0; i < p->blocks.n; i++) {
		int64_t live = 0;
		const storage *s = p->blocks.v[i].s;
		for (int k = 0; k < p->blocks.n; k++) {
			const storage *o = p->blocks.v[k].s;
			if (o->first_step <= s->first_step && s->first_step <= o->last_step)
				live += p->blocks.v[k].size;
		}
		most = live > most ? live : most;
	}
	return most;
}

static void try_order(pool *p, placing *best, const placing **placed)
{
	int n = p->blocks.n;
	int64_t height = place_blocks(p->blocks.v, n, placed);
	if (p->height >= 0 && height >= p->height)
		return;
	p->height = height;
	memcpy(best, p->blocks.v, (size_t)n * sizeof *best);
}

/* The block that reaches highest comes first in the next order. */
static void promote_top(pool *p)
{
	int top = 0;
	for (int i = 1; i < p->blocks.n; i++)
		if (p->blocks.v[i].at + p->blocks.v[i].size > p->blocks.v[top].at + p->blocks.v[top].size)
			top = i;
	placing b = p->blocks.v[top];
	memmove(p->blocks.v + 1, p->blocks.v, (size_t)top * sizeof b);
	p->blocks.v[0] = b;
}

/* Tries each order, then orders in which what was too high comes first; keeps the lowest packing. */
static void pack_pool(pool *p, arena *a)
{
	int n = p->blocks.n, tries = (int)(TRIED_PAIRS / ((int64_t)n * n));
	int64_t bound = most_live(p);
	const placing **placed = (const placing **)new_array(a, placing *, (size_t)n);
	placing *best = new_array(a, placing, (size_t)n);
	p->height = -1;
	for (int k = 0; k < N_ORDERS && p->height != bound; k++) {
		qsort(p->blocks.v, (size_t)n, sizeof *p->blocks.v, block_orders[k]);
		try_order(p, best, placed);
		for (int i = 0; i < tries && i < MAX_TRIES && p->height != bound; i++) {
			promote_top(p);
			try_order(p, best, placed);
		}
	}
	memcpy(p->blocks.v, best, (size_t)n * sizeof *best);
}

/* ---- pools and slots --------------------------------------------------------------------------------------------- */
static pool *pool_for(plan *pl, sym *unit, map *by_unit)
{
	pool *p = by_unit ? map_get(by_unit, unit) : NULL;
	if (p)
		return p;
	p = new(pl->a, pool);
	p->unit = unit;
	p->first = INT32_MAX;
	p->last = -1;
	vec_push(pl->a, &pl->pools, p);
	if (by_unit)
		map_put(by_unit, unit, p);
	return p;
}

static void pool_add(plan *pl, pool *p, int index, int64_t size)
{
	storage *s = pl->p->storages.v[index];
	placing b = {.s = s, .size = size, .index = index};
	vec_push(pl->a, &p->blocks, b);
	p->first = s->first_step < p->first ? s->first_step : p->first;
	p->last = s->last_step > p->last ? s->last_step : p->last;
}

/* Static storages always share one pool; dynamic ones do if `by_unit` is given. */
static void make_pools(plan *pl, map *by_unit)
{
	pool *fixed = NULL;
	for (int i = 0; i < pl->p->storages.n; i++) {
		storage *s = pl->p->storages.v[i];
		sym *unit;
		if (s->kind != STORAGE_ARENA || s->first_step < 0)
			continue;
		int64_t size = split_size(s, &unit);
		if (!unit && !fixed)
			fixed = pool_for(pl, NULL, NULL);
		pool_add(pl, unit ? pool_for(pl, unit, by_unit) : fixed, i, size);
	}
	for (int i = 0; i < pl->pools.n; i++)
		pack_pool(pl->pools.v[i], pl->a);
}

static sym *pool_bytes(const plan *pl, const pool *p)
{
	return p->unit ? sym_muli(p->unit, p->height) : sym_const(pl->p->syms, p->height);
}

static bool slot_is_free(const slot *s, const pool *p)
{
	for (int i = 0; i < s->members.n; i++) {
		const pool *m = s->members.v[i];
		if (!m->unit || !p->unit || (m->first <= p->last && p->first <= m->last))
			return false; /* static storages keep a slot of their own, so that their offsets are constants */
	}
	return true;
}

/* How badly a pool fits a slot; the slot of the same size is best. */
static int64_t misfit(const slot *s, sym *size, int64_t typical)
{
	if (s->size == size)
		return 0;
	return 1 + (typical > s->typical ? typical - s->typical : (s->typical - typical) / 8);
}

static void join_slot(plan *pl, pool *p)
{
	sym *size = pool_bytes(pl, p);
	int64_t typical = typical_value(size);
	int best = -1;
	for (int i = 0; i < pl->slots.n; i++)
		if (slot_is_free(pl->slots.v[i], p) &&
		    (best < 0 || misfit(pl->slots.v[i], size, typical) < misfit(pl->slots.v[best], size, typical)))
			best = i;
	if (best < 0) {
		best = pl->slots.n;
		slot *s = new(pl->a, slot);
		s->size = size;
		vec_push(pl->a, &pl->slots, s);
	}
	slot *s = pl->slots.v[best];
	if (sym_proves_ge(size, s->size))
		s->size = size;
	else if (!sym_proves_ge(s->size, size))
		s->size = sym_max(s->size, size);
	s->typical = typical > s->typical ? typical : s->typical;
	vec_push(pl->a, &s->members, p);
	p->slot = best;
}

/* The static pool first, then the largest. */
static int pool_order(const void *x, const void *y)
{
	const pool *a = *(pool *const *)x, *b = *(pool *const *)y;
	if (!a->unit != !b->unit)
		return a->unit ? 1 : -1;
	int64_t ta = a->unit ? typical_value(a->unit) : 1, tb = b->unit ? typical_value(b->unit) : 1;
	double sa = (double)ta * (double)a->height, sb = (double)tb * (double)b->height;
	if (sa != sb)
		return sa > sb ? -1 : 1;
	return a->blocks.v[0].index - b->blocks.v[0].index;
}

static plan make_plan(program *p, arena *a, bool pooled)
{
	plan pl = {.p = p, .a = a};
	make_pools(&pl, pooled ? map_new(a) : NULL);
	if (pl.pools.n)
		qsort(pl.pools.v, (size_t)pl.pools.n, sizeof *pl.pools.v, pool_order);
	for (int i = 0; i < pl.pools.n; i++)
		join_slot(&pl, pl.pools.v[i]);
	for (int i = 0; i < pl.slots.n; i++)
		pl.typical += pl.slots.v[i]->typical / 64;
	return pl;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */
static void set_offsets(const plan *pl)
{
	sym *end = sym_const(pl->p->syms, 0);
	sym **start = new_array(pl->a, sym *, (size_t)pl->slots.n + 1);
	for (int i = 0; i < pl->slots.n; i++) {
		start[i] = end;
		end = sym_add(end, pl->slots.v[i]->size);
	}
	for (int i = 0; i < pl->pools.n; i++) {
		const pool *p = pl->pools.v[i];
		for (int k = 0; k < p->blocks.n; k++) {
			sym *at = p->unit ? sym_muli(p->unit, p->blocks.v[k].at)
					  : sym_const(pl->p->syms, p->blocks.v[k].at);
			p->blocks.v[k].s->offset = sym_add(start[p->slot], at);
		}
	}
	pl->p->workspace_bytes = end;
}

/* Storages that no step names take no memory. */
static void set_unused(program *p)
{
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == STORAGE_ARENA && p->storages.v[i]->first_step < 0)
			p->storages.v[i]->offset = sym_const(p->syms, 0);
}

bool pass_plan(program *p, pass_ctx *ctx)
{
	find_lifetimes(p);
	plan pooled = make_plan(p, ctx->scratch, true), single = make_plan(p, ctx->scratch, false);
	set_offsets(pooled.typical <= single.typical ? &pooled : &single);
	set_unused(p);
	if (sym_overflowed(p->syms)) {
		diag_error(ctx->d, DIAG_NOWHERE, "the workspace has more bytes than 64-bit integers count");
		return false;
	}
	return true;
}

int64_t plan_lower_bound(const program *p)
{
	int64_t bound = 0;
	for (int at = 0; at < p->steps.n; at++) {
		int64_t live = 0;
		for (int i = 0; i < p->storages.n; i++) {
			const storage *s = p->storages.v[i];
			sym *unit;
			if (s->kind != STORAGE_ARENA || s->first_step < 0 || s->first_step > at || s->last_step < at)
				continue;
			live += split_size(s, &unit);
			if (unit)
				return -1;
		}
		bound = live > bound ? live : bound;
	}
	return bound;
}
