/* The kernels of irregular ops, run by an interpreter, against direct computation. */
#include "tests/unit/ir/eval.h"

#include "ir/kernel_build.h"

/* ---- running kernels ------------------------------------------------------------------------------------------------ */
enum { MOST_ITERATIONS = 10000 };

static void run_block(world *w, const block *b);

static void run_loop(world *w, const stmt *s)
{
	int64_t extent = eval_sym(w, s->f.extent);
	for (int64_t i = 0; i < extent; i++) {
		int vars = push_var(w, s->f.var, i);
		run_block(w, &s->f.body);
		w->n_vars = vars;
	}
}

static void run_stmt(world *w, const stmt *s)
{
	int turns = 0;
	switch (s->kind) {
	case STMT_FOR: run_loop(w, s); break;
	case STMT_LET:
	case STMT_VAR:
	case STMT_SET: {
		double x = eval(w, s->set.e);
		w->local_values[find_local(w, s->set.l)] = x;
		break;
	}
	case STMT_STORE: *element(w, s->store.b, s->store.index) = eval(w, s->store.e); break;
	case STMT_IF: run_block(w, eval(w, s->branch.cond) != 0 ? &s->branch.then : &s->branch.otherwise); break;
	case STMT_WHILE:
		while (eval(w, s->branch.cond) != 0) {
			assert_true(turns++ < MOST_ITERATIONS);
			run_block(w, &s->branch.then);
		}
		break;
	case STMT_ARRAY:
	case STMT_PREFETCH: fail_msg("not used by these kernels"); break;
	}
}

static void run_block(world *w, const block *b)
{
	for (int i = 0; i < b->n; i++)
		run_stmt(w, b->v[i]);
}

static buffer *buffer_of_value(kernel_builder *b, const value *v, bool written)
{
	world *w = b->user;
	slot *s = slot_of_value(w, v);
	if (!s)
		s = add_slot(w, v, kb_param(b, "t", v->type, value_size(v), written, 64));
	return s->b;
}

/* Builds the kernel of the graph's first result, checks that it is well-formed, and runs it. */
static world *run_graph(arena *a, const char *text, const double *ints)
{
	world *w = world_new(a, text, ints);
	program *p = program_new(a, w->g->syms, w->g->exprs, "test");
	const node *n = w->g->outputs.v[0]->def;
	kernel_builder b;
	kb_init(&b, kernel_new(p, "test"));
	b.opt = 3;
	b.elem = w->e;
	b.user = w;
	b.buffer_of = buffer_of_value;
	for (int k = 0; k < w->g->inputs.n; k++) {
		slot *s = &w->slots[k];
		s->b = kb_param(&b, s->v->name, s->v->type, value_size(s->v), false, 64);
	}
	op_table[n->op].build(&b, n);
	const char *why = "";
	if (!kernel_verify(b.k, a, &why))
		fail_msg("%s: %s", text, why);
	run_block(w, &b.k->body);
	return w;
}

typedef struct row {
	const char *graph;
	double numbers[16]; /* of all inputs in turn */
	double expected[2][12]; /* of the outputs */
} row;

static void run_row(const row *r)
{
	arena *a = arena_new("test");
	world *w = run_graph(a, r->graph, r->numbers);
	for (int k = 0; k < w->g->outputs.n; k++) {
		const slot *s = slot_of_value(w, w->g->outputs.v[k]);
		assert_non_null(s);
		for (int64_t i = 0; i < s->n; i++)
			if (s->data[i] != r->expected[k][i])
				fail_msg("%s\nelement %lld of result %d is %g, expected %g", r->graph, (long long)i, k,
					 s->data[i], r->expected[k][i]);
	}
	arena_free(a);
}

#define RUN_ROWS(rows)                            \
	for (size_t i = 0; i < N_ROWS(rows); i++) \
		run_row(&(rows)[i]);

/* ---- tests ------------------------------------------------------------------------------------------------------------ */
#define SCAN(attrs) "graph @g(%x: i32[2,3]) -> (%y: i32[2,3]) {\n%y = scan_axis %x {" attrs "} : i32[2,3]\n}"

static void test_scan(void **state)
{
	(void)state;
	static const row rows[] = {
		{SCAN("axis=1"), {1, 2, 3, 4, 5, 6}, {{1, 3, 6, 4, 9, 15}}},
		{SCAN("axis=0"), {1, 2, 3, 4, 5, 6}, {{1, 2, 3, 5, 7, 9}}},
		{SCAN("axis=1, op=prod"), {1, 2, 3, 4, 5, 6}, {{1, 2, 6, 4, 20, 120}}},
		{SCAN("axis=1, exclusive=1"), {1, 2, 3, 4, 5, 6}, {{0, 1, 3, 0, 4, 9}}},
		{SCAN("axis=1, reverse=1"), {1, 2, 3, 4, 5, 6}, {{6, 5, 3, 15, 11, 6}}},
		{SCAN("axis=1, reverse=1, exclusive=1"), {1, 2, 3, 4, 5, 6}, {{5, 3, 0, 11, 6, 0}}},
		{"graph @g(%x: i32[N]) -> (%y: i32[N]) {\n%y = scan_axis %x {axis=0} : i32[N]\n}", {1, 2, 3, 4}, {{1, 3, 6, 10}}},
	};
	RUN_ROWS(rows);
}

#define SCATTER(attrs)                                                        \
	"graph @g(%x: i32[3,2], %i: i64[2,2], %u: i32[2,2]) -> (%y: i32[3,2]) {\n" \
	"%y = scatter_elements %x, %i, %u {axis=0" attrs "} : i32[3,2]\n}"

static void test_scatter(void **state)
{
	(void)state;
	static const row rows[] = {
		{SCATTER(""), {1, 2, 3, 4, 5, 6, 0, -1, 2, 1, 10, 20, 30, 40}, {{10, 2, 3, 40, 30, 20}}},
		{SCATTER(", reduction=add"), {1, 2, 3, 4, 5, 6, 0, 1, 0, 1, 10, 20, 30, 40}, {{41, 2, 3, 64, 5, 6}}},
		{SCATTER(", reduction=max"), {1, 2, 3, 4, 5, 6, 0, 1, 0, 1, -9, 20, 7, -40}, {{7, 2, 3, 20, 5, 6}}},
		{"graph @g(%x: i32[3,2], %i: i64[2,1], %u: i32[2,2]) -> (%y: i32[3,2]) {\n"
		 "%y = scatter_nd %x, %i, %u : i32[3,2]\n}", {1, 2, 3, 4, 5, 6, -1, 0, 10, 20, 30, 40}, {{30, 40, 3, 4, 10, 20}}},
		{"graph @g(%x: i32[3,2], %i: i64[2,2], %u: i32[2]) -> (%y: i32[3,2]) {\n"
		 "%y = scatter_nd %x, %i, %u {reduction=mul} : i32[3,2]\n}", {1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 10, 20},
		 {{1, 2, 3, 800, 5, 6}}},
	};
	RUN_ROWS(rows);
}

#define TOPK(in, out, attrs) \
	"graph @g(%x: i32" in ") -> (%y: i32" out ", %i: i64" out ") {\n%y, %i = topk %x {" attrs "} : i32" out ", i64" out "\n}"

static void test_topk(void **state)
{
	(void)state;
	static const row rows[] = {
		{TOPK("[7]", "[3]", "axis=0, k=3"), {4, 9, 1, 9, 7, 0, 8}, {{9, 9, 8}, {1, 3, 6}}},
		{TOPK("[7]", "[7]", "axis=0, k=7"), {4, 9, 1, 9, 7, 0, 8}, {{9, 9, 8, 7, 4, 1, 0}, {1, 3, 6, 4, 0, 2, 5}}},
		{TOPK("[7]", "[3]", "axis=0, k=3, largest=0"), {4, 9, 1, 0, 7, 0, 8}, {{0, 0, 1}, {3, 5, 2}}},
		{TOPK("[7]", "[1]", "axis=0, k=1"), {4, 9, 1, 9, 7, 0, 8}, {{9}, {1}}},
		{TOPK("[7]", "[0]", "axis=0, k=0"), {4, 9, 1, 9, 7, 0, 8}, {{0}, {0}}},
		{TOPK("[3,2]", "[2,2]", "axis=0, k=2"), {1, 6, 5, 2, 3, 4}, {{5, 6, 3, 4}, {1, 0, 2, 2}}},
		{TOPK("[N]", "[B]", "axis=0, k=[B]"), {1, 6, 5, 2}, {{6, 5}, {1, 2}}},
	};
	RUN_ROWS(rows);
}

/* Many rows of pseudo-random numbers with ties, against a stable selection. */
static void test_topk_random(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	double numbers[8 * 31];
	unsigned seed = 12345;
	for (size_t i = 0; i < N_ROWS(numbers); i++)
		numbers[i] = (double)((seed = seed * 1103515245u + 12345u) >> 16 & 15);
	world *w = run_graph(a, TOPK("[8,31]", "[8,13]", "axis=1, k=13"), numbers);
	const slot *values = slot_of_value(w, w->g->outputs.v[0]), *indices = slot_of_value(w, w->g->outputs.v[1]);
	for (int r = 0; r < 8; r++) {
		bool taken[31] = {0};
		for (int k = 0; k < 13; k++) {
			int best = -1;
			for (int i = 0; i < 31; i++)
				if (!taken[i] && (best < 0 || numbers[r * 31 + i] > numbers[r * 31 + best]))
					best = i;
			taken[best] = true;
			assert_int_equal((int)indices->data[r * 13 + k], best);
			assert_true(values->data[r * 13 + k] == numbers[r * 31 + best]);
		}
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_scatter),
		cmocka_unit_test(test_topk),
		cmocka_unit_test(test_topk_random),
	};
	return RUN_TESTS(tests);
}
