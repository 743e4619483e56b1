/* plan: storages that are live together never overlap, and the workspace is close to what is live at most. */
#include "tests/unit/unit.h"

#include "passes/pass.h"

#include <string.h>

typedef struct world {
	arena *a;
	program *p;
	int64_t n; /* value of the symbol N */
} world;

static world world_new(void)
{
	world w = {.a = arena_new("test"), .n = 1};
	sym_ctx *syms = sym_ctx_new(w.a);
	w.p = program_new(w.a, syms, expr_ctx_new(w.a, syms), "test");
	return w;
}

static bool value_of(const sym *var, int64_t *out, void *user)
{
	*out = strcmp(var->name, "N") == 0 ? ((world *)user)->n : 3;
	return true;
}

static int64_t number(world *w, const sym *s)
{
	int64_t x;
	assert_true(sym_eval(s, value_of, w, &x));
	return x;
}

/* A storage of `size` f32 that steps first and last name. */
static storage *live(world *w, sym *size, int first, int last)
{
	storage *s = storage_new(w->p, "s", STORAGE_ARENA, F32, size);
	while (w->p->steps.n <= last) {
		step st = {.kind = STEP_CALL};
		vec_push(w->a, &w->p->steps, st);
	}
	vec_push(w->a, &w->p->steps.v[first].args, s);
	vec_push(w->a, &w->p->steps.v[last].args, s);
	return s;
}

static void run_plan(world *w)
{
	pass_ctx ctx = {.scratch = w->a, .model = w->a, .d = diag_new(w->a, stderr)};
	assert_true(pass_plan(w->p, &ctx));
}

static void assert_disjoint(world *w)
{
	int64_t all = number(w, w->p->workspace_bytes);
	for (int i = 0; i < w->p->storages.n; i++) {
		const storage *a = w->p->storages.v[i];
		int64_t at = number(w, a->offset), end = at + 4 * number(w, a->size);
		assert_true(at >= 0 && at % BUFFER_ALIGN == 0 && end <= all);
		for (int k = 0; k < i; k++) {
			const storage *b = w->p->storages.v[k];
			int64_t from = number(w, b->offset), to = from + 4 * number(w, b->size);
			bool together = a->first_step <= b->last_step && b->first_step <= a->last_step;
			if (together && at < to && from < end)
				fail_msg("storages %d and %d overlap at N=%lld", k, i, (long long)w->n);
		}
	}
}

static sym *fixed(world *w, int64_t n) { return sym_const(w->p->syms, n); }

/* Ping-pong of a chain, a residual that stays, and a hole that a later storage fits. */
static void test_static(void **state)
{
	(void)state;
	static const struct {
		int n;
		int64_t want; /* bytes */
		struct { int64_t size; int first, last; } s[6];
	} rows[] = {
		{0, 0, {{0}}},
		{1, 64, {{1, 0, 1}}},
		{3, 512, {{64, 0, 1}, {64, 1, 2}, {64, 2, 3}}},
		{4, 768, {{64, 0, 3}, {64, 0, 1}, {64, 1, 2}, {64, 2, 3}}},
		{5, 1024, {{64, 0, 1}, {128, 0, 4}, {64, 0, 4}, {32, 2, 3}, {32, 2, 4}}},
		{2, 512, {{128, 0, 0}, {128, 1, 1}}},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		world w = world_new();
		for (int k = 0; k < rows[i].n; k++)
			live(&w, fixed(&w, rows[i].s[k].size), rows[i].s[k].first, rows[i].s[k].last);
		run_plan(&w);
		assert_disjoint(&w);
		if (number(&w, w.p->workspace_bytes) != rows[i].want)
			fail_msg("row %zu takes %lld bytes, expected %lld", i, (long long)number(&w, w.p->workspace_bytes),
				 (long long)rows[i].want);
		arena_free(w.a);
	}
}

static unsigned next_random(unsigned *seed) { return (*seed = *seed * 1664525u + 1013904223u) >> 8; }

/* Random lifetimes of a network's kind: most are short. */
static void test_random(void **state)
{
	(void)state;
	unsigned seed = 1;
	for (int round = 0; round < 20; round++) {
		world w = world_new();
		int n = 10 + round * 10;
		for (int i = 0; i < n; i++) {
			int length = next_random(&seed) % 8 ? 1 + (int)(next_random(&seed) % 3) : (int)(next_random(&seed) % 30);
			live(&w, fixed(&w, 1 + next_random(&seed) % 5000), i, i + length);
		}
		run_plan(&w);
		assert_disjoint(&w);
		int64_t bound = plan_lower_bound(w.p), got = number(&w, w.p->workspace_bytes);
		assert_true(bound > 0 && got >= bound);
		if (got > bound + bound / 8)
			fail_msg("%lld bytes for a lower bound of %lld", (long long)got, (long long)bound);
		arena_free(w.a);
	}
}

/* Sizes of one unit pack as well as constants do, whatever N is; with a bound the workspace is a constant. */
static void test_symbolic(void **state)
{
	(void)state;
	world w = world_new();
	sym *n = sym_dim(w.p->syms, "N", 0, INT64_MAX);
	live(&w, sym_muli(n, 64), 0, 1);
	live(&w, sym_muli(n, 32), 0, 3);
	live(&w, sym_muli(n, 64), 1, 2);
	live(&w, sym_muli(n, 64), 2, 3);
	live(&w, fixed(&w, 100), 0, 3);
	live(&w, sym_addi(n, 1), 1, 2);
	live(&w, sym_mul(n, n), 1, 2);
	run_plan(&w);
	assert_int_equal(plan_lower_bound(w.p), -1);
	for (w.n = 0; w.n < 300; w.n += w.n < 20 ? 1 : 37)
		assert_disjoint(&w);
	w.n = 64;
	assert_int_equal(number(&w, w.p->workspace_bytes), 448 + 64 * 640 + 320 + 64 * 64 * 4);
	arena_free(w.a);
}

/* Sizes that are no multiples of each other, many of them: written out, offsets stay short, and right. */
static void test_many_sizes(void **state)
{
	(void)state;
	world w = world_new();
	sym *n = sym_dim(w.p->syms, "N", 0, INT64_MAX);
	sym *m = sym_dim(w.p->syms, "M", 0, INT64_MAX);
	unsigned seed = 1;
	for (int i = 0; i < 150; i++) {
		sym *scale = sym_const(w.p->syms, 1 << i / 40);
		int length = next_random(&seed) % 4 ? 1 : 1 + (int)(next_random(&seed) % 40);
		live(&w, sym_muli(sym_mul(sym_ceildiv(n, scale), sym_ceildiv(m, scale)), 1 + next_random(&seed) % 16), i, i + length);
	}
	run_plan(&w);
	for (w.n = 0; w.n < 700; w.n += 23)
		assert_disjoint(&w);
	str text = str_new(w.a);
	for (int i = 0; i < w.p->storages.n; i++)
		sym_print(&text, w.p->storages.v[i]->offset);
	assert_true(text.len < 2 << 20);
	arena_free(w.a);
}

/* Different units that are never live together share a slot. */
static void test_slots(void **state)
{
	(void)state;
	world w = world_new();
	sym *n = sym_dim(w.p->syms, "N", 0, INT64_MAX), *half = sym_divi(n, 2);
	live(&w, sym_muli(sym_mul(n, n), 16), 0, 1);
	live(&w, sym_muli(sym_mul(half, half), 16), 2, 3);
	run_plan(&w);
	for (w.n = 0; w.n < 100; w.n++)
		assert_disjoint(&w);
	w.n = 50;
	assert_int_equal(number(&w, w.p->workspace_bytes), 50 * 50 * 64);
	arena_free(w.a);
}

static void test_bounded(void **state)
{
	(void)state;
	world w = world_new();
	sym *n = sym_dim(w.p->syms, "N", 1, 100);
	storage *a = live(&w, sym_muli(n, 64), 0, 1), *b = live(&w, fixed(&w, 16), 0, 1);
	live(&w, sym_muli(n, 64), 2, 3);
	run_plan(&w);
	assert_true(sym_is_const(a->offset, NULL) && sym_is_const(b->offset, NULL));
	assert_true(sym_is(w.p->workspace_bytes, 100 * 256 + 64));
	arena_free(w.a);
}

/* A step that reads `from` and writes `to`. */
static step call(world *w, storage *from, storage *to)
{
	step s = {.kind = STEP_CALL};
	vec_push(w->a, &s.args, from);
	vec_push(w->a, &s.args, to);
	return s;
}

/* What is used in and outside a loop lives in all of it; what one iteration makes and uses may share its place. */
static void test_loop(void **state)
{
	(void)state;
	world w = world_new();
	storage *before = storage_new(w.p, "before", STORAGE_ARENA, F32, fixed(&w, 64));
	storage *first = storage_new(w.p, "first", STORAGE_ARENA, F32, fixed(&w, 64));
	storage *second = storage_new(w.p, "second", STORAGE_ARENA, F32, fixed(&w, 64));
	storage *rows = storage_new(w.p, "rows", STORAGE_ARENA, F32, fixed(&w, 256));
	storage *row = storage_new(w.p, "row", STORAGE_PART, F32, fixed(&w, 64));
	storage *behind = storage_new(w.p, "behind", STORAGE_ARENA, F32, fixed(&w, 64));
	step loop = {.kind = STEP_LOOP, .symbol = sym_inner(w.p->syms, "i", 0, fixed(&w, 4)), .trip = fixed(&w, 4)};
	row->whole = rows;
	row->start = sym_muli(loop.symbol, 64);
	vec_push(w.a, &loop.body, call(&w, before, first));
	vec_push(w.a, &loop.body, call(&w, first, second));
	vec_push(w.a, &loop.body, call(&w, second, row));
	vec_push(w.a, &w.p->steps, call(&w, before, before));
	vec_push(w.a, &w.p->steps, loop);
	vec_push(w.a, &w.p->steps, call(&w, rows, behind));
	row->offset = fixed(&w, 0); /* a part has none; assert_disjoint looks at all storages */
	run_plan(&w);
	assert_int_equal(before->first_step, 0);
	assert_int_equal(before->last_step, 4);
	assert_int_equal(rows->first_step, 1);
	assert_int_equal(rows->last_step, 5);
	assert_int_equal(first->first_step, 2);
	assert_int_equal(first->last_step, 3);
	assert_int_equal(second->last_step, 4);
	row->size = fixed(&w, 0);
	assert_disjoint(&w);
	arena_free(w.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_loop), cmocka_unit_test(test_random), cmocka_unit_test(test_symbolic),
		cmocka_unit_test(test_slots), cmocka_unit_test(test_many_sizes),  cmocka_unit_test(test_bounded),
	};
	return RUN_TESTS(tests);
}
