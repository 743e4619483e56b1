/* Places every arena storage: offsets into one workspace, shared by storages that are never live at the same time.
 *
 *   requires a lowered program; keeps everything; sets first_step, last_step, offset and workspace_bytes
 * A storage is live from the first to the last step that names it, and in all of a loop when it is used in and outside it.  Storages are packed as blocks of their typical sizes (static
 * and bounded sizes are exact): largest first, each into the gap among live neighbours that fits it best; other orders are
 * tried too.  What that decides is only which of two blocks that are live together lies below the other: the packing is then
 * valued at several sizes.  The offset of a block is the highest end of those below it, a symbolic maximum that is right for
 * every size and simple where sizes are multiples of each other.  Where it does not stay simple, blocks share slots of their own. */
#include "passes/pass.h"

#include <stdlib.h>
#include <string.h>

/* Sizes at which a packing of symbolic storages is valued; every unbounded dimension has them in turn. */
static const int64_t typical_dims[] = {48, 128, 640};
enum {
	N_SAMPLES = sizeof typical_dims / sizeof *typical_dims,
	MAX_TRIES = 200,
	TRIED_PAIRS = 20000000, /* of blocks, in all tries of one order */
};
static const int64_t MAX_BOUNDED_BYTES = (int64_t)1 << 40; /* a larger bound is no bound */

typedef struct placing {
	storage *s;
	sym *bytes;       /* a multiple of the alignment */
	int64_t sample[N_SAMPLES]; /* bytes at typical dimensions */
	int64_t size, at; /* bytes at the sample that is packed */
	int index;        /* in the program: makes sorting the same everywhere */
} placing;

typedef struct pool {
	vec(placing) blocks;
	int n_samples;            /* 1 when all sizes are constants */
	int64_t bound[N_SAMPLES]; /* bytes that are live at once */
	double waste;             /* of the best packing: the worst height / bound of all samples; 0: none yet */
} pool;

/* ---- lifetimes --------------------------------------------------------------------------------------------------- */
typedef struct touch {
	storage *s;
	int at;
} touch;

typedef struct span {
	int first, last;
} span;

/* Steps are numbered in the order they are written in; a loop's own touches are at its first and last step. */
typedef struct lifetimes {
	arena *a;
	int at; /* the step being looked at */
	vec(touch) touches;
	vec(span) loops; /* inner ones first */
} lifetimes;

static void touch_storage(storage *s, void *user)
{
	lifetimes *l = user;
	if (s->kind == STORAGE_PART)
		s = s->whole;
	if (s->kind == STORAGE_CARRIED)
		return;
	vec_push(l->a, &l->touches, ((touch){s, l->at}));
	s->first_step = s->first_step < 0 || l->at < s->first_step ? l->at : s->first_step;
	s->last_step = l->at > s->last_step ? l->at : s->last_step;
}

static void touch_steps(lifetimes *l, const step_list *steps, int *next)
{
	for (int i = 0; i < steps->n; i++) {
		const step *s = &steps->v[i];
		int first = l->at = (*next)++;
		step_storages(s, touch_storage, l);
		touch_steps(l, &s->body, next);
		touch_steps(l, &s->otherwise, next);
		if (s->kind != STEP_LOOP)
			continue;
		l->at = *next - 1;
		step_storages(s, touch_storage, l);
		vec_push(l->a, &l->loops, ((span){first, *next - 1}));
	}
}

/* What lives before or behind a loop too is not free anywhere in it: another iteration may come. */
static void extend_over(const lifetimes *l, span loop)
{
	for (int i = 0; i < l->touches.n; i++) {
		const touch *t = &l->touches.v[i];
		if (t->at < loop.first || t->at > loop.last || (t->s->first_step >= loop.first && t->s->last_step <= loop.last))
			continue;
		t->s->first_step = t->s->first_step < loop.first ? t->s->first_step : loop.first;
		t->s->last_step = t->s->last_step > loop.last ? t->s->last_step : loop.last;
	}
}

static void find_lifetimes(program *p, arena *scratch)
{
	lifetimes l = {.a = scratch};
	int next = 0;
	for (int i = 0; i < p->storages.n; i++)
		p->storages.v[i]->first_step = p->storages.v[i]->last_step = -1;
	touch_steps(&l, &p->steps, &next);
	for (int i = 0; i < l.loops.n; i++)
		extend_over(&l, l.loops.v[i]);
}

static bool live_together(const storage *a, const storage *b)
{
	return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */
static int64_t round_up(int64_t x) { return (x + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN; }

/* The greatest constant that divides s for every value of its variables, as far as its form shows. */
static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t r = a % b;
		a = b;
		b = r;
	}
	return a < 0 ? -a : a;
}

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

/* As large as it can get, since the workspace is given before any size is known that depends on data.
 * A multiple of the alignment: rounded up where the size is bounded; otherwise by its coefficient, unless that would waste more than a
 * quarter, else in whole lines. */
static sym *bytes_of(const storage *s)
{
	sym *bytes = sym_ceildiv(sym_muli(s->size, dtype_table[s->type].bits), sym_const(s->size->ctx, 8));
	bytes = sym_outer_bound(bytes, true);
	if (bytes->hi <= MAX_BOUNDED_BYTES)
		return sym_const(bytes->ctx, round_up(bytes->hi > 0 ? bytes->hi : 0));
	int64_t c = coefficient_of(bytes);
	if (c <= MAX_BOUNDED_BYTES && round_up(c) - c <= c / 4)
		return sym_muli(sym_divi(bytes, c), round_up(c));
	return sym_muli(sym_ceildiv(bytes, sym_const(bytes->ctx, BUFFER_ALIGN)), BUFFER_ALIGN);
}

static bool dim_at(const sym *var, int64_t *out, void *user)
{
	int64_t dim = *(const int64_t *)user;
	*out = var->lo > dim ? var->lo : var->hi < dim ? var->hi : dim;
	return true;
}

static int64_t value_at(const sym *s, int64_t dim)
{
	int64_t typical;
	return sym_eval(s, dim_at, &dim, &typical) && typical < INT64_MAX / 1024 ? typical : INT64_MAX / 1024;
}

/* ---- packing ---------------------------------------------------------------------------------------------- */
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

/* Places blocks in the order given; `placed` has them by place then. */
static void place_blocks(placing *blocks, int n, placing **placed)
{
	for (int i = 0; i < n; i++) {
		placing *b = &blocks[i];
		b->at = best_gap((const placing *const *)placed, i, b->s, b->size);
		int at = i;
		for (; at > 0 && placed[at - 1]->at > b->at; at--)
			placed[at] = placed[at - 1];
		placed[at] = b;
	}
}

/* The height at sample k of blocks that lie as placed, one above the other. */
static int64_t height_at(placing *const *placed, int n, int k, int64_t *end)
{
	int64_t height = 0;
	for (int i = 0; i < n; i++) {
		int64_t at = 0;
		for (int j = 0; j < i; j++)
			if (end[j] > at && live_together(placed[i]->s, placed[j]->s))
				at = end[j];
		end[i] = at + placed[i]->sample[k];
		height = end[i] > height ? end[i] : height;
	}
	return height;
}

/* What no packing can undercut at sample k. */
static int64_t most_live(const pool *p, int k)
{
	int64_t most = 0;
	for (int i = 0; i < p->blocks.n; i++) {
		int64_t live = 0;
		const storage *s = p->blocks.v[i].s;
		for (int j = 0; j < p->blocks.n; j++) {
			const storage *o = p->blocks.v[j].s;
			if (o->first_step <= s->first_step && s->first_step <= o->last_step)
				live += p->blocks.v[j].sample[k];
		}
		most = live > most ? live : most;
	}
	return most;
}

typedef struct attempt {
	placing *best;
	placing **placed;
	int64_t *end;
} attempt;

static void try_order(pool *p, attempt *t)
{
	int n = p->blocks.n;
	double waste = 1;
	place_blocks(p->blocks.v, n, t->placed);
	for (int k = 0; k < p->n_samples; k++) {
		double ratio = (double)height_at(t->placed, n, k, t->end) / (double)(p->bound[k] + 1);
		waste = ratio > waste ? ratio : waste;
	}
	if (p->waste > 0 && waste >= p->waste)
		return;
	p->waste = waste;
	memcpy(t->best, p->blocks.v, (size_t)n * sizeof *t->best);
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

/* Tries an order, then orders in which what was too high comes first. */
static void try_orders(pool *p, attempt *t, placing_order *order, int tries)
{
	qsort(p->blocks.v, (size_t)p->blocks.n, sizeof *p->blocks.v, order);
	try_order(p, t);
	for (int i = 0; i < tries && p->waste > 1; i++) {
		promote_top(p);
		try_order(p, t);
	}
}

static void pack_pool(pool *p, arena *a)
{
	int n = p->blocks.n;
	int64_t tries = TRIED_PAIRS / ((int64_t)n * n);
	attempt t = {new_array(a, placing, (size_t)n), new_array(a, placing *, (size_t)n), new_array(a, int64_t, (size_t)n)};
	for (int k = 0; k < p->n_samples; k++)
		p->bound[k] = most_live(p, k);
	for (int k = 0; k < p->n_samples; k++) {
		for (int i = 0; i < n; i++)
			p->blocks.v[i].size = p->blocks.v[i].sample[k];
		for (int order = 0; order < N_ORDERS && (p->waste == 0 || p->waste > 1); order++)
			try_orders(p, &t, block_orders[order], tries < MAX_TRIES ? (int)tries : MAX_TRIES);
	}
	memcpy(p->blocks.v, t.best, (size_t)n * sizeof *t.best);
}

static pool make_pool(program *p, arena *a)
{
	pool all = {.n_samples = 1};
	for (int i = 0; i < p->storages.n; i++) {
		storage *s = p->storages.v[i];
		if (s->kind != STORAGE_ARENA || s->first_step < 0)
			continue;
		placing b = {.s = s, .bytes = bytes_of(s), .index = i};
		for (int k = 0; k < N_SAMPLES; k++)
			b.sample[k] = value_at(b.bytes, typical_dims[k]);
		if (!sym_is_const(b.bytes, NULL))
			all.n_samples = N_SAMPLES;
		vec_push(a, &all.blocks, b);
	}
	return all;
}

/* ---- offsets ------------------------------------------------------------------------------------------------------ */
static int lowest_first(const void *x, const void *y)
{
	const placing *a = x, *b = y;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->index - b->index;
}

/* The end of a block above which b may begin: the highest end of the blocks below b that are live with it.  One that has another
 * of them above it needs no look. */
static sym *highest_end(const pool *p, int n, const storage *s, sym *from)
{
	for (int i = 0; i < n; i++) {
		const placing *a = &p->blocks.v[i];
		bool counts = !s || live_together(a->s, s);
		for (int k = i + 1; counts && k < n; k++) {
			const storage *above = p->blocks.v[k].s;
			counts = !live_together(a->s, above) || (s && !live_together(above, s));
		}
		if (counts)
			from = sym_max(from, sym_add(a->s->offset, a->bytes));
	}
	return from;
}

/* Offsets are built from one another: written out they can grow exponentially. */
enum { MAX_OFFSET_NODES = 4096 };

static bool fits(const sym *s, int *nodes)
{
	bool ok = --*nodes > 0;
	for (int i = 0; i < s->n && ok; i++)
		ok = fits(s->in[i], nodes);
	return ok;
}

static bool is_short(const sym *s)
{
	int nodes = MAX_OFFSET_NODES;
	return fits(s, &nodes);
}

/* False when an offset got too long. */
static bool set_offsets(program *p, pool *all)
{
	sym *zero = sym_const(p->syms, 0);
	if (all->blocks.n)
		qsort(all->blocks.v, (size_t)all->blocks.n, sizeof *all->blocks.v, lowest_first);
	for (int i = 0; i < all->blocks.n; i++) {
		sym *at = all->blocks.v[i].s->offset = highest_end(all, i, all->blocks.v[i].s, zero);
		if (!is_short(at))
			return false;
	}
	p->workspace_bytes = highest_end(all, all->blocks.n, NULL, zero);
	return true;
}

/* ---- slots -------------------------------------------------------------------------------------------------------- */
/* Can block i join slot k with those placed before it? */
static bool is_free(const pool *p, const int *slot, int i, int k)
{
	for (int j = 0; j < i; j++)
		if (slot[j] == k && live_together(p->blocks.v[i].s, p->blocks.v[j].s))
			return false;
	return true;
}

/* Offsets that stay short whatever the sizes are: slots one above the other, each as large as the largest of its blocks. */
static void set_slots(program *p, pool *all, arena *a)
{
	int n = all->blocks.n, n_slots = 0, *slot = new_array(a, int, (size_t)n);
	sym **bytes = new_array(a, sym *, (size_t)n), *at = sym_const(p->syms, 0);
	qsort(all->blocks.v, (size_t)n, sizeof *all->blocks.v, largest_first);
	for (int i = 0; i < n; i++) {
		while (!is_free(all, slot, i, slot[i]))
			slot[i]++;
		sym *size = all->blocks.v[i].bytes, **room = &bytes[slot[i]];
		*room = *room ? sym_max(*room, size) : size;
		n_slots = slot[i] < n_slots ? n_slots : slot[i] + 1;
	}
	for (int k = 0; k < n_slots; at = sym_add(at, bytes[k]), k++)
		for (int i = 0; i < n; i++)
			if (slot[i] == k)
				all->blocks.v[i].s->offset = at;
	p->workspace_bytes = at;
}

/* Storages that no step names take no memory. */
static void set_unused(program *p)
{
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == STORAGE_ARENA && p->storages.v[i]->first_step < 0)
			p->storages.v[i]->offset = sym_const(p->syms, 0);
}

/* ---- the pass ----------------------------------------------------------------------------------------------------- */
bool pass_plan(program *p, pass_ctx *ctx)
{
	find_lifetimes(p, ctx->scratch);
	pool all = make_pool(p, ctx->scratch);
	if (all.blocks.n)
		pack_pool(&all, ctx->scratch);
	if (!set_offsets(p, &all))
		set_slots(p, &all, ctx->scratch);
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
	for (int at = 0, n = steps_count(&p->steps); at < n; at++) {
		int64_t live = 0, bytes;
		for (int i = 0; i < p->storages.n; i++) {
			const storage *s = p->storages.v[i];
			if (s->kind != STORAGE_ARENA || s->first_step < 0 || s->first_step > at || s->last_step < at)
				continue;
			if (!sym_is_const(bytes_of(s), &bytes))
				return -1;
			live += bytes;
		}
		bound = live > bound ? live : bound;
	}
	return bound;
}
