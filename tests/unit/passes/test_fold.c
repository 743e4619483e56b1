/* fold: what becomes a constant, what is left to run time, and that one closed graph computes everything. */
#include "tests/unit/passes/network.h"

typedef struct row {
	const char *graph; /* $: numbers */
	int nodes;         /* left, constants aside */
} row;

static void test_folds(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @chain(%x: f32[4,2]) -> (%y: f32[4,3]) {\nconst %w: f32[3,2] = $\nconst %s: f32[3,1] = $\n"
		 "%1 = map %w, %s { (%0 * %1) } : f32[3,2]\n%2 = transpose %1 {perm=[1,0]} : f32[2,3]\n"
		 "%y = contract %x, %2 {equation=\"mk,kn->mn\"} : f32[4,3]\n}\n", 1},
		{"graph @two(%x: f32[3]) -> (%y: f32[3], %z: f32[3]) {\nconst %w: f32[3] = $\n"
		 "%1 = map %w { (%0 + 1.0) } : f32[3]\n%2 = reduce %1 {axes=[0], op=sum} : f32[1]\n"
		 "%y = map %x, %1 { (%0 * %1) } : f32[3]\n%z = map %x, %2 { (%0 + %1) } : f32[3]\n}\n", 2},
		{"graph @all(%x: f32[3]) -> (%y: f32[2,2]) {\nconst %w: f32[2,2] = $\n"
		 "%y = map %w { (%0 * %0) } : f32[2,2]\n}\n", 0},
		{"graph @reshaped(%x: f32[3,2]) -> (%y: f32[3,2]) {\nconst %w: f32[6] = $\n"
		 "%1 = reshape %w {shape=[3,2]} : f32[3,2]\n%y = map %x, %1 { (%0 * %1) } : f32[3,2]\n}\n", 1},
		{"graph @dynamic(%x: f32[N,2]) -> (%y: f32[N,2]) {\nconst %w: f32[2] = $\n"
		 "%1 = expand %w {shape=[N,2]} : f32[N,2]\n%y = map %x, %1 { (%0 * %1) } : f32[N,2]\n}\n", 2},
		/* what grows without need stays, what it grows from does not */
		{"graph @grows(%x: f32[200,200]) -> (%y: f32[200,200]) {\nconst %w: f32[1] = $\n"
		 "%1 = map %w { (%0 * 3.0) } : f32[1]\n%2 = expand %1 {shape=[200,200]} : f32[200,200]\n"
		 "%y = map %x, %2 { (%0 * %1) } : f32[200,200]\n}\n", 2},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		const char *text = with_numbers(a, rows[i].graph);
		world *before = world_new(a, text, NULL), *after = world_new(a, text, NULL);
		run_graph(before);
		run_pass(a, after->g, pass_fold);
		if (count_nodes(after->g) != rows[i].nodes)
			fail_msg("%s\nbecame\n%s", text, text_of(a, after->g));
		assert_true(count_op(after->g, OP_CONST) > 0);
		run_graph(after);
		assert_same_outputs(before, after, text);
		arena_free(a);
	}
}

/* A constant takes over its value's order of axes. */
static void test_layout(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	const char *text = with_numbers(a, "graph @l(%x: f32[2,3]) -> (%y: f32[2,3]) {\nconst %w: f32[2,3] = $\n"
					   "%1 = map %w { (%0 * 2.0) } : f32[2,3] {order=[1,0]}\n"
					   "%y = map %x, %1 { (%0 * %1) } : f32[2,3]\n}\n");
	world *w = world_new(a, text, NULL);
	const float *plain = value_tensor(w->g->first->out[0])->data;
	run_pass(a, w->g, pass_fold);
	assert_int_equal(count_nodes(w->g), 1);
	const value *c = w->g->first->out[0];
	const float *stored = value_tensor(c)->data;
	assert_non_null(c->layout);
	assert_int_equal(c->layout->order[0], 1);
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 3; k++)
			assert_true(stored[k * 2 + i] == 2 * plain[i * 3 + k]);
	arena_free(a);
}

static bool never(void *user, const graph *g, arena *a, tensor **results, diag *d)
{
	(void)user, (void)g, (void)a, (void)results, (void)d;
	fail_msg("nothing was to be evaluated");
	return false;
}

/* Nothing to fold: nothing is evaluated, and the pass says so.  The copy of a constant that is an output stays. */
static void test_nothing(void **state)
{
	(void)state;
	static const char *const graphs[] = {
		"graph @n(%x: f32[2]) -> (%y: f32[2]) {\n%y = map %x { (%0 * 2.0) } : f32[2]\n}\n",
		"graph @n(%x: f32[2]) -> (%y: f32[2]) {\nconst %w: f32[2] = $\n%y = map %w { %0 } : f32[2]\n}\n",
	};
	for (size_t i = 0; i < N_ROWS(graphs); i++) {
		arena *a = arena_new("test");
		world *w = world_new(a, with_numbers(a, graphs[i]), NULL);
		pass_ctx ctx = {.scratch = a, .model = a, .opt = 3, .evaluate = never, .d = diag_new(a, stderr)};
		assert_false(pass_fold(w->g, &ctx));
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folds),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_nothing),
	};
	return RUN_TESTS(tests);
}
