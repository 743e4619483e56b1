/* Every rule of simplify: what it leaves behind, and that the graph still computes the same numbers. */
#include "tests/unit/passes/network.h"

typedef struct row {
	const char *graph; /* $: numbers */
	op gone;           /* no node of this op is left ... */
	int nodes;         /* ... but so many in all (constants aside), once folded */
} row;

static void run_row(const row *r)
{
	arena *a = arena_new("test");
	const char *text = with_numbers(a, r->graph);
	world *before = world_new(a, text, NULL), *after = world_new(a, text, NULL);
	run_graph(before);
	bool had = count_op(before->g, r->gone) > 0;
	if (r->gone != OP_CONST && !had)
		fail_msg("nothing to remove in\n%s", text);
	run_pass(a, after->g, pass_simplify);
	run_pass(a, after->g, pass_fold);
	run_pass(a, after->g, pass_simplify);
	if ((r->gone != OP_CONST && count_op(after->g, r->gone) > 0) || count_nodes(after->g) != r->nodes)
		fail_msg("%s\nbecame\n%s", text, text_of(a, after->g));
	run_graph(after);
	assert_same_outputs(before, after, text);
	arena_free(a);
}

static void run_rows(const row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run_row(&rows[i]);
}

static void test_movement(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @cancel(%x: f32[2,3,4]) -> (%y: f32[2,3,4]) {\n"
		 "%1 = transpose %x {perm=[2,0,1]} : f32[4,2,3]\n%2 = transpose %1 {perm=[1,2,0]} : f32[2,3,4]\n"
		 "%y = map %2 { (%0 * %0) } : f32[2,3,4]\n}\n", OP_TRANSPOSE, 1},
		{"graph @compose(%x: f32[2,3,4]) -> (%y: f32[3,2,4]) {\n"
		 "%1 = transpose %x {perm=[2,0,1]} : f32[4,2,3]\n%y = transpose %1 {perm=[2,1,0]} : f32[3,2,4]\n}\n", OP_CONST, 1},
		{"graph @ones(%x: f32[2,1,4]) -> (%y: f32[1,2,4]) {\n%y = transpose %x {perm=[1,0,2]} : f32[1,2,4]\n}\n",
		 OP_TRANSPOSE, 1},
		{"graph @reshapes(%x: f32[N,6]) -> (%y: f32[N*2,3]) {\n"
		 "%1 = reshape %x {shape=[N*6]} : f32[N*6]\n%y = reshape %1 {shape=[N*2,3]} : f32[N*2,3]\n}\n", OP_CONST, 1},
		{"graph @expand(%x: f32[2,3], %b: f32[3]) -> (%y: f32[2,3]) {\n"
		 "%1 = expand %b {shape=[2,3]} : f32[2,3]\n%y = map %x, %1 { (%0 + %1) } : f32[2,3]\n}\n", OP_EXPAND, 1},
		{"graph @slices(%x: f32[9,5]) -> (%y: f32[2,5]) {\n"
		 "%1 = slice %x {starts=[1,0], steps=[2,1], shape=[4,5]} : f32[4,5]\n"
		 "%y = slice %1 {starts=[3,4], steps=[-2,-1], shape=[2,5]} : f32[2,5]\n}\n", OP_CONST, 1},
		{"graph @tile(%x: f32[2,1,3]) -> (%y: f32[2,4,3]) {\n"
		 "%1 = tile %x {shape=[2,4,3]} : f32[2,4,3]\n%2 = map %x, %1 { (%0 - %1) } : f32[2,4,3]\n"
		 "%y = map %2, %1 { (%0 - %1) } : f32[2,4,3]\n}\n", OP_TILE, 3},
		{"graph @concat(%x: f32[2,3], %z: f32[2,0]) -> (%y: f32[2,9]) {\n"
		 "%1 = concat %x, %z, %x {axis=1} : f32[2,6]\n%y = concat %1, %x {axis=1} : f32[2,9]\n}\n", OP_CONST, 1},
		{"graph @dense(%x: f32[2,3], %z: f32[2,3]) -> (%y: f32[2,6], %t: f32[2,9], %u: f32[2,12]) {\n"
		 "%y = concat %x, %z {axis=1} : f32[2,6]\n%t = concat %x, %z, %x {axis=1} : f32[2,9]\n"
		 "%u = concat %x, %z, %x, %z {axis=1} : f32[2,12]\n}\n", OP_CONST, 3},
		{"graph @gather(%x: f32[3,5]) -> (%y: f32[2,3]) {\nconst %i: i64[2] = [-1, -3]\n"
		 "%1 = gather %x, %i {axis=1} : f32[3,2]\n%y = transpose %1 {perm=[1,0]} : f32[2,3]\n}\n", OP_GATHER, 2},
		{"graph @pick(%x: f32[3,N,4]) -> (%y: f32[N,4]) {\nconst %i: i64[] = [1]\n"
		 "%y = gather %x, %i {axis=0} : f32[N,4]\n}\n", OP_GATHER, 2},
		{"graph @through(%x: f32[2,3,4]) -> (%y: f32[2,3,4]) {\nconst %s: f32[3] = $\n"
		 "%1 = transpose %x {perm=[0,2,1]} : f32[2,4,3]\n%2 = map %1, %s { max((%0 * %1), 0.0) } : f32[2,4,3]\n"
		 "%y = transpose %2 {perm=[0,2,1]} : f32[2,3,4]\n}\n", OP_TRANSPOSE, 1},
	};
	run_rows(rows, N_ROWS(rows));
}

static void test_algebra(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @scalars(%x: f32[2,3]) -> (%y: f32[2,3]) {\nconst %c: f32[1,1] = [2.0]\nconst %d: f32[] = [0.5]\n"
		 "%1 = map %c, %d { (%0 + %1) } : f32[1,1]\n%y = map %x, %1 { (%0 * %1) } : f32[2,3]\n}\n", OP_CONST, 1},
		{"graph @twice(%x: f32[2,3]) -> (%y: f32[2,3]) {\n%y = map %x, %x { (%0 * %1) } : f32[2,3]\n}\n", OP_CONST, 1},
		{"graph @one(%x: f32[2,3]) -> (%y: f32[2,3]) {\nconst %c: f32[] = [1.0]\n"
		 "%1 = map %x, %c { (%0 * %1) } : f32[2,3]\n%y = map %1 { abs(%0) } : f32[2,3]\n}\n", OP_CONST, 1},
		{"graph @sizes(%x: f32[N,3]) -> (%y: f32[N,3]) {\n%1 = sizes {values=[N,3], shape=[2]} : i64[2]\n"
		 "const %i: i64[] = [0]\n%2 = gather %1, %i {axis=0} : i64[]\n%3 = map %2 { cast<f32>(%0) } : f32[]\n"
		 "%y = map %x, %3 { (%0 / %1) } : f32[N,3]\n}\n", OP_GATHER, 1},
	};
	run_rows(rows, N_ROWS(rows));
}

static void test_powers(void **state)
{
	(void)state;
	static const struct {
		const char *power, *product;
	} rows[] = {
		{"pow(%0, 2.0)", "(%0 * %0)"}, {"pow(%0, 3.0)", "(%0 * %0 * %0)"}, {"pow(%0, 4.0)", "(%0 * %0 * (%0 * %0))"},
		{"pow(%0, -1.0)", "(1.0 / %0)"}, {"pow(%0, 1.0)", "%0"}, {"pow(%0, 2.5)", "pow(%0, 2.5)"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		static const char *const form = "graph @p(%%x: f32[2]) -> (%%y: f32[2]) {\n%%y = map %%x { (%s + 3.0) } : f32[2]\n}\n";
		world *w = world_new(a, arena_printf(a, form, rows[i].power), NULL);
		world *want = world_new(a, arena_printf(a, form, rows[i].product), NULL);
		run_pass(a, w->g, pass_simplify);
		assert_string_equal(text_of(a, w->g), text_of(a, want->g));
		arena_free(a);
	}
}

static void test_convolutions(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @norm(%x: f32[1,2,4,4]) -> (%y: f32[1,3,4,4]) {\nconst %w: f32[3,2,3,3] = $\nconst %b: f32[3] = $\n"
		 "const %m: f32[1,3,1,1] = $\nconst %s: f32[3,1,1] = $\n"
		 "%1 = conv %x, %w, %b {lo=[1,1], hi=[1,1]} : f32[1,3,4,4]\n%2 = map %1, %m { (%0 - %1) } : f32[1,3,4,4]\n"
		 "%3 = map %2, %s { (%0 / (%1 + 1.0)) } : f32[1,3,4,4]\n%4 = map %3, %s { (%0 + %1) } : f32[1,3,4,4]\n"
		 "%y = map %4 { max(%0, 0.0) } : f32[1,3,4,4]\n}\n", OP_CONST, 2},
		{"graph @bias(%x: f32[1,2,4]) -> (%y: f32[1,4,2]) {\nconst %w: f32[4,1,3] = $\nconst %b: f32[4,1] = $\n"
		 "%1 = conv %x, %w {group=2} : f32[1,4,2]\n%y = map %1, %b { (%1 + %0) } : f32[1,4,2]\n}\n", OP_MAP, 1},
		{"graph @pad(%x: f32[1,2,4,5]) -> (%y: f32[1,1,3,4]) {\nconst %w: f32[1,2,3,3] = $\nconst %z: f32[] = [0.0]\n"
		 "%1 = pad %x, %z {lo=[0,0,0,1], hi=[0,0,1,0], mode=constant} : f32[1,2,5,6]\n"
		 "%y = conv %1, %w {} : f32[1,1,3,4]\n}\n", OP_PAD, 1},
		{"graph @pool(%x: f32[1,2,4,4]) -> (%y: f32[1,2,3,3]) {\nconst %z: f32[] = [-inf]\n"
		 "%1 = pad %x, %z {lo=[0,0,1,1], hi=[0,0,1,1], mode=constant} : f32[1,2,6,6]\n"
		 "%y = reduce_window %1 {op=max, kernel=[2,2], strides=[2,2], shape=[1,2,3,3]} : f32[1,2,3,3]\n}\n", OP_PAD, 1},
	};
	run_rows(rows, N_ROWS(rows));
}

/* 3 elements in; the result is `more` longer than all that the taps reach.  Longer and shorter ones may stay as they are. */
static void run_transposed(int stride, int taps, int lo, int more)
{
	arena *a = arena_new("test");
	int size = 2 * stride + taps - lo + more;
	const char *text = with_numbers(a, arena_printf(a,
		"graph @t(%%x: f32[1,2,3]) -> (%%y: f32[1,2,%d]) {\nconst %%w: f32[2,2,%d] = $\nconst %%b: f32[2] = $\n"
		"%%y = conv_transpose %%x, %%w, %%b {strides=[%d], lo=[%d], shape=[%d]} : f32[1,2,%d]\n}\n",
		size, taps, stride, lo, size, size));
	world *before = world_new(a, text, NULL), *after = world_new(a, text, NULL);
	run_graph(before);
	run_pass(a, after->g, pass_simplify);
	run_pass(a, after->g, pass_fold);
	run_graph(after);
	assert_same_outputs(before, after, text);
	if (more == 0)
		assert_int_equal(count_op(after->g, OP_CONV_TRANSPOSE), 0);
	arena_free(a);
}

static void test_transposed(void **state)
{
	(void)state;
	for (int stride = 1; stride <= 3; stride++)
		for (int taps = 1; taps <= 5; taps++)
			for (int lo = 0; lo <= 2 && lo < taps; lo++)
				for (int more = -1; more <= 1; more++)
					run_transposed(stride, taps, lo, more);
	static const row planes[] = {
		{"graph @up(%x: f32[2,3,3,2]) -> (%y: f32[2,2,6,4]) {\nconst %w: f32[3,2,4,4] = $\nconst %b: f32[2] = $\n"
		 "%y = conv_transpose %x, %w, %b {strides=[2,2], lo=[1,1], shape=[6,4]} : f32[2,2,6,4]\n}\n", OP_CONV_TRANSPOSE, 5},
		{"graph @any(%x: f32[1,3,N,2]) -> (%y: f32[1,2,N*2,5]) {\nconst %w: f32[3,2,3,2] = $\n"
		 "%y = conv_transpose %x, %w {strides=[2,3], lo=[1,0], shape=[N*2,5]} : f32[1,2,N*2,5]\n}\n", OP_CONV_TRANSPOSE, 5},
		{"graph @dilated(%x: f32[1,1,4]) -> (%y: f32[1,1,7]) {\nconst %w: f32[1,1,3] = $\n"
		 "%y = conv_transpose %x, %w {dilations=[2], lo=[1], shape=[7]} : f32[1,1,7]\n}\n", OP_CONV_TRANSPOSE, 1},
	};
	run_rows(planes, N_ROWS(planes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_movement),
		cmocka_unit_test(test_algebra),
		cmocka_unit_test(test_powers),
		cmocka_unit_test(test_convolutions),
		cmocka_unit_test(test_transposed),
	};
	return RUN_TESTS(tests);
}
