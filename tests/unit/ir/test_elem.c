/* The element and reduction rules against direct computation, the index expressions that they give, and refusals. */
#include "tests/unit/ir/eval.h"

/* Steps `at` through v's elements in row-major order; false after the last. */
static bool next_at(world *w, const value *v, int64_t *at)
{
	for (int i = v->rank; i-- > 0;) {
		if (++at[i] < eval_sym(w, v->dims[i]))
			return true;
		at[i] = 0;
	}
	return false;
}

/* Element of input k at the given indices; 0 outside. */
static double input_at(world *w, int k, const int64_t *at)
{
	const slot *s = &w->slots[k];
	int64_t linear = 0;
	for (int i = 0; i < s->v->rank; i++) {
		int64_t d = eval_sym(w, s->v->dims[i]);
		if (at[i] < 0 || at[i] >= d)
			return 0;
		linear = linear * d + at[i];
	}
	return s->data[linear];
}

static int64_t size_of(world *w, int k, int axis) { return eval_sym(w, w->slots[k].v->dims[axis]); }

#define IN(k, ...) input_at(w, k, (const int64_t[]){__VA_ARGS__})

typedef struct row {
	const char *graph;
	double (*want)(world *w, const int64_t *at); /* NULL: `expected` lists the elements */
	double numbers[16];   /* data of integer inputs */
	double expected[16];
} row;

/* ---- running a row -------------------------------------------------------------------------------------------------- */
static double reduce_element(world *w, const node *n, coord at)
{
	reduction r;
	elem_reduction(&w->e, n, at, &r);
	coord red = {.rank = r.n};
	int64_t extent[MAX_RANK], count = 1;
	for (int i = 0; i < r.n; i++) {
		red.i[i] = sym_loop(w->e.syms, r.hint[i], r.extent[i]);
		extent[i] = eval_sym(w, r.extent[i]);
		count *= extent[i];
	}
	const expr *term = r.term(&w->e, n, at, red);
	assert_int_equal(term->type, r.type);
	double acc = eval(w, r.init), best = 0;
	int vars = w->n_vars;
	for (int64_t k = 0; k < count; k++) {
		int64_t rest = k;
		for (int i = r.n; i-- > 0; rest /= extent[i])
			push_var(w, red.i[i], rest % extent[i]);
		double x = eval(w, term);
		bool better = r.combine == EXPR_MIN ? x < acc : x > acc;
		if (r.arg && (k == 0 || better || (r.last && x == acc))) {
			best = (double)k;
			acc = x;
		}
		acc = apply(r.combine, r.type, (const double[]){acc, x});
		w->n_vars = vars;
	}
	if (r.arg)
		return best;
	return r.finish ? eval(w, r.finish(&w->e, n, at, expr_number(w->e.exprs, r.type, acc))) : acc;
}

static double result_element(world *w, const value *v, coord at)
{
	if (v->def && op_table[v->def->op].form == FORM_REDUCE)
		return reduce_element(w, v->def, at);
	return eval(w, elem_of_value(&w->e, v, at));
}

static void compare(const row *r, double got, double want, int64_t i)
{
	if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want))))
		fail_msg("%s\nelement %lld is %g, expected %g", r->graph, (long long)i, got, want);
}

/* Every element twice: by the rule at loop variables, and by the rule at constant coordinates. */
static void run_row(const row *r)
{
	arena *a = arena_new("test");
	world *w = world_new(a, r->graph, r->numbers);
	const value *v = w->g->outputs.v[0];
	int64_t at[MAX_RANK] = {0}, i = 0, n = eval_size(w, v);
	coord loops = coord_of_dims(w->e.syms, v, "i");
	for (bool more = n > 0; more; more = next_at(w, v, at), i++) {
		double want = r->want ? r->want(w, at) : r->expected[i];
		coord constant = {.rank = v->rank};
		w->n_vars = 0;
		for (int k = 0; k < v->rank; k++) {
			push_var(w, loops.i[k], at[k]);
			constant.i[k] = sym_const(w->e.syms, at[k]);
		}
		compare(r, result_element(w, v, loops), want, i);
		compare(r, result_element(w, v, constant), want, i);
	}
	if (n == 0)
		(void)(op_table[v->def->op].form == FORM_ELEM ? elem_of_value(&w->e, v, loops) : NULL);
	arena_free(a);
}

#define RUN_ROWS(rows)                            \
	for (size_t i = 0; i < N_ROWS(rows); i++) \
		run_row(&(rows)[i]);

/* ---- map and movement ------------------------------------------------------------------------------------------------ */
static double want_add(world *w, const int64_t *at) { return IN(0, at[0], at[1]) + IN(1, at[1]); }
static double want_add_unit(world *w, const int64_t *at) { return IN(0, at[0]) + IN(1, 0); }
static double want_sum3(world *w, const int64_t *at)
{
	return IN(0, at[0], 0) * IN(1, at[1]) + IN(2, 0);
}
static double want_first_or_zero(world *w, const int64_t *at) { return IN(0, at[0]) > 0 ? IN(0, at[0]) : IN(1, 0); }

/* Row-major index of the result, whatever its shape. */
static double want_same_order(world *w, const int64_t *at)
{
	const value *v = w->g->outputs.v[0];
	int64_t linear = 0;
	for (int i = 0; i < v->rank; i++)
		linear = linear * eval_sym(w, v->dims[i]) + at[i];
	return w->slots[0].data[linear];
}
static double want_transposed(world *w, const int64_t *at) { return IN(0, at[1], at[2], at[0]); }
static double want_expanded(world *w, const int64_t *at) { return IN(0, at[1], 0); }
static double want_stepped(world *w, const int64_t *at) { return IN(0, 4 - 2 * at[0], 1 + at[1]); }
static double want_concat(world *w, const int64_t *at)
{
	int64_t j = at[1], a = size_of(w, 0, 1), b = size_of(w, 1, 1);
	return j < a ? IN(0, at[0], j) : j < a + b ? IN(1, at[0], j - a) : IN(2, at[0], j - a - b);
}
static double want_tiled(world *w, const int64_t *at) { return IN(0, at[0] % 2, at[1] % 3); }
static double want_padded(world *w, const int64_t *at) { return IN(0, at[0] - 1, at[1] + 1); }
static double want_filled(world *w, const int64_t *at)
{
	int64_t i = at[0] - 1, j = at[1] - 2;
	return i < 0 || i >= 2 || j < 0 || j >= 3 ? IN(1, 0) : IN(0, i, j);
}
static double want_edge(world *w, const int64_t *at)
{
	int64_t i = at[0] - 3;
	return IN(0, i < 0 ? 0 : i > 3 ? 3 : i);
}
static double want_reflect(world *w, const int64_t *at)
{
	int64_t n = size_of(w, 0, 0), i = at[0] - 3;
	while (i < 0 || i >= n)
		i = i < 0 ? -i : 2 * (n - 1) - i;
	return IN(0, i);
}
static double want_wrap(world *w, const int64_t *at) { return IN(0, (at[0] - 3 + 8) % 4); }

static void test_movement(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @g(%x: f32[2,3], %y: f32[3]) -> (%z: f32[2,3]) {\n"
		 "%z = map %x, %y { %0 + %1 } : f32[2,3]\n}", want_add, {0}, {0}},
		{"graph @g(%x: f32[N,3], %y: f32[3]) -> (%z: f32[N,3]) {\n"
		 "%z = map %x, %y { %0 + %1 } : f32[N,3]\n}", want_add, {0}, {0}},
		{"graph @g(%x: f32[N], %y: f32[U]) -> (%z: f32[max(N, U)]) {\n"
		 "%z = map %x, %y { %0 + %1 } : f32[max(N, U)]\n}", want_add_unit, {0}, {0}},
		{"graph @g(%x: f32[2,1], %y: f32[3], %c: f32[1]) -> (%z: f32[2,3]) {\n"
		 "%z = map %x, %y, %c { (%0 * %1) + %2 } : f32[2,3]\n}", want_sum3, {0}, {0}},
		{"graph @g(%x: f32[N], %y: f32[]) -> (%z: f32[N]) {\n"
		 "%z = map %x, %y { choose(%0 > 0.0, %0, %1) } : f32[N]\n}", want_first_or_zero, {0}, {0}},
		{"graph @g(%x: f32[]) -> (%z: f32[]) {\n%z = map %x { neg(%0) } : f32[]\n}", NULL, {0}, {11}},

		{"graph @g(%x: f32[2,3,4]) -> (%y: f32[4,6]) {\n%y = reshape %x {shape=[4,6]} : f32[4,6]\n}",
		 want_same_order, {0}, {0}},
		{"graph @g(%x: f32[2,12]) -> (%y: f32[2,3,4]) {\n%y = reshape %x {shape=[2,3,4]} : f32[2,3,4]\n}",
		 want_same_order, {0}, {0}},
		{"graph @g(%x: f32[6,4]) -> (%y: f32[3,1,2,4,1]) {\n"
		 "%y = reshape %x {shape=[3,1,2,4,1]} : f32[3,1,2,4,1]\n}", want_same_order, {0}, {0}},
		{"graph @g(%x: f32[B,1,S,8]) -> (%y: f32[B,S,2,4]) {\n"
		 "%y = reshape %x {shape=[B,S,2,4]} : f32[B,S,2,4]\n}", want_same_order, {0}, {0}},
		{"graph @g(%x: f32[B,S,N]) -> (%y: f32[S*B,N]) {\n%y = reshape %x {shape=[S*B,N]} : f32[S*B,N]\n}",
		 want_same_order, {0}, {0}},
		{"graph @g(%x: f32[S*B,N]) -> (%y: f32[B,S*N]) {\n%y = reshape %x {shape=[B,S*N]} : f32[B,S*N]\n}",
		 want_same_order, {0}, {0}},
		{"graph @g(%x: f32[1,1]) -> (%y: f32[]) {\n%y = reshape %x {shape=[]} : f32[]\n}", want_same_order, {0}, {0}},
		{"graph @g(%x: f32[]) -> (%y: f32[1,1]) {\n%y = reshape %x {shape=[1,1]} : f32[1,1]\n}",
		 want_same_order, {0}, {0}},
		{"graph @g(%x: f32[0,4]) -> (%y: f32[2,0]) {\n%y = reshape %x {shape=[2,0]} : f32[2,0]\n}",
		 want_same_order, {0}, {0}},

		{"graph @g(%x: f32[3,4,2]) -> (%y: f32[2,3,4]) {\n%y = transpose %x {perm=[2,0,1]} : f32[2,3,4]\n}",
		 want_transposed, {0}, {0}},
		{"graph @g(%x: f32[2,1]) -> (%y: f32[3,2,4]) {\n%y = expand %x {shape=[3,2,4]} : f32[3,2,4]\n}",
		 want_expanded, {0}, {0}},
		{"graph @g(%x: f32[B,1]) -> (%y: f32[3,B,N]) {\n%y = expand %x {shape=[3,B,N]} : f32[3,B,N]\n}",
		 want_expanded, {0}, {0}},
		{"graph @g(%x: f32[5,3]) -> (%y: f32[3,2]) {\n"
		 "%y = slice %x {starts=[4,1], steps=[-2,1], shape=[3,2]} : f32[3,2]\n}", want_stepped, {0}, {0}},
		{"graph @g(%x: f32[5,3]) -> (%y: f32[0,2]) {\n"
		 "%y = slice %x {starts=[4,1], steps=[-2,1], shape=[0,2]} : f32[0,2]\n}", want_stepped, {0}, {0}},

		{"graph @g(%x: f32[2,2], %y: f32[2,3], %z: f32[2,1]) -> (%c: f32[2,6]) {\n"
		 "%c = concat %x, %y, %z {axis=1} : f32[2,6]\n}", want_concat, {0}, {0}},
		{"graph @g(%x: f32[2,N], %y: f32[2,0], %z: f32[2,S]) -> (%c: f32[2,N+S]) {\n"
		 "%c = concat %x, %y, %z {axis=1} : f32[2,N+S]\n}", want_concat, {0}, {0}},
		{"graph @g(%x: f32[2,Z], %y: f32[2,S], %z: f32[2,1]) -> (%c: f32[2,S+Z+1]) {\n"
		 "%c = concat %x, %y, %z {axis=1} : f32[2,S+Z+1]\n}", want_concat, {0}, {0}},
		{"graph @g(%x: f32[2,3]) -> (%y: f32[4,3*B]) {\n%y = tile %x {shape=[4,3*B]} : f32[4,3*B]\n}",
		 want_tiled, {0}, {0}},

		{"graph @g(%x: f32[2,3]) -> (%y: f32[4,3]) {\n%y = pad %x {lo=[1,-1], hi=[1,1]} : f32[4,3]\n}",
		 want_padded, {0}, {0}},
		{"graph @g(%x: f32[2,3], %f: f32[]) -> (%y: f32[4,6]) {\n"
		 "%y = pad %x, %f {lo=[1,2], hi=[1,1], mode=constant} : f32[4,6]\n}", want_filled, {0}, {0}},
		{"graph @g(%x: f32[4]) -> (%y: f32[9]) {\n%y = pad %x {lo=[3], hi=[2], mode=edge} : f32[9]\n}",
		 want_edge, {0}, {0}},
		{"graph @g(%x: f32[4]) -> (%y: f32[9]) {\n%y = pad %x {lo=[3], hi=[2], mode=reflect} : f32[9]\n}",
		 want_reflect, {0}, {0}},
		{"graph @g(%x: f32[2]) -> (%y: f32[9]) {\n%y = pad %x {lo=[3], hi=[4], mode=reflect} : f32[9]\n}",
		 want_reflect, {0}, {0}},
		{"graph @g(%x: f32[N]) -> (%y: f32[N+5]) {\n%y = pad %x {lo=[3], hi=[2], mode=reflect} : f32[N+5]\n}",
		 want_reflect, {0}, {0}},
		{"graph @g(%x: f32[4]) -> (%y: f32[9]) {\n%y = pad %x {lo=[3], hi=[2], mode=wrap} : f32[9]\n}",
		 want_wrap, {0}, {0}},
		{"graph @g() -> (%y: i64[2,2]) {\n%y = sizes {values=[N, N*S, N*S, 7], shape=[2,2]} : i64[2,2]\n}", NULL,
		 {0}, {4, 12, 12, 7}},
		{"graph @g() -> (%y: i64[2,3]) {\n%y = iota {shape=[2,3], axis=1} : i64[2,3]\n}", NULL, {0}, {0, 1, 2, 0, 1, 2}},
	};
	RUN_ROWS(rows);
}

/* ---- gathers --------------------------------------------------------------------------------------------------------- */
static int64_t from_end(double i, int64_t n) { return (int64_t)(i < 0 ? i + (double)n : i); }

static double want_gather(world *w, const int64_t *at)
{
	return IN(0, at[0], from_end(IN(1, at[1], at[2]), 4), at[3]);
}
static double want_gather_scalar(world *w, const int64_t *at) { return IN(0, from_end(IN(1, 0), 4), at[0]); }
static double want_gather_elements(world *w, const int64_t *at)
{
	return IN(0, from_end(IN(1, at[0], at[1]), 3), at[1]);
}
static double want_gather_nd(world *w, const int64_t *at)
{
	return IN(0, from_end(IN(1, at[0], 0), 3), from_end(IN(1, at[0], 1), 4), at[1]);
}
static double want_gather_nd_batch(world *w, const int64_t *at)
{
	return IN(0, at[0], from_end(IN(1, at[0], 0), 3), at[1]);
}
static double want_clamped(world *w, const int64_t *at)
{
	double i = IN(1, at[0]);
	return IN(0, (int64_t)(i < 0 ? 0 : i > 3 ? 3 : i));
}

static void test_gathers(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @g(%x: f32[2,4,3], %i: i64[2,2]) -> (%y: f32[2,2,2,3]) {\n"
		 "%y = gather %x, %i {axis=1} : f32[2,2,2,3]\n}", want_gather, {0, -1, 3, -4}, {0}},
		{"graph @g(%x: f32[N,3], %i: i32[]) -> (%y: f32[3]) {\n%y = gather %x, %i {axis=0} : f32[3]\n}",
		 want_gather_scalar, {-2}, {0}},
		{"graph @g(%x: f32[3,2], %i: i64[2,2]) -> (%y: f32[2,2]) {\n"
		 "%y = gather_elements %x, %i {axis=0} : f32[2,2]\n}", want_gather_elements, {2, -3, 0, -1}, {0}},
		{"graph @g(%x: f32[3,4,2], %i: i64[3,2]) -> (%y: f32[3,2]) {\n%y = gather_nd %x, %i : f32[3,2]\n}",
		 want_gather_nd, {0, -1, -3, 2, 2, 0}, {0}},
		{"graph @g(%x: f32[2,3,2], %i: i64[2,1]) -> (%y: f32[2,2]) {\n"
		 "%y = gather_nd %x, %i {batch_dims=1} : f32[2,2]\n}", want_gather_nd_batch, {1, -1}, {0}},
		{"graph @g(%x: f32[4], %i: i64[4]) -> (%y: f32[4]) {\n%y = gather %x, %i {axis=0} : f32[4]\n}", want_clamped,
		 {-9, 2, 9, 100}, {0}},
		{"graph @g(%x: f32[4], %i: u8[3]) -> (%y: f32[3]) {\n%y = gather %x, %i {axis=0} : f32[3]\n}", want_clamped,
		 {1, 200, 0}, {0}},
	};
	RUN_ROWS(rows);
}

/* ---- resize: expected numbers are the ONNX reference implementation's ---------------------------------------------------- */
#define RESIZE(size, attrs) \
	"graph @g(%x: i32[4]) -> (%y: f32[" size "]) {\n%f = map %x { cast<f32>(%0) } : f32[4]\n" \
	"%y = resize %f {shape=[" size "], " attrs "} : f32[" size "]\n}", NULL, {1, 3, 2, 7}

static void test_resize(void **state)
{
	(void)state;
	static const row rows[] = {
		{RESIZE("8", "mode=linear"), {1, 1.5, 2.5, 2.75, 2.25, 3.25, 5.75, 7}},
		{RESIZE("7", "mode=linear"), {1, 1.714286, 2.857143, 2.5, 2.357143, 5.214286, 7}},
		{RESIZE("3", "mode=linear, coordinates=align_corners"), {1, 2.5, 7}},
		{RESIZE("6", "mode=linear, coordinates=asymmetric"), {1, 2.333333, 2.666667, 2, 5.333333, 7}},
		{RESIZE("2", "mode=linear"), {2, 4.5}},
		{RESIZE("1", "mode=linear, coordinates=pytorch_half_pixel"), {1}},
		{RESIZE("8", "mode=cubic"),
		 {0.7890625, 1.488281, 2.652344, 2.808594, 1.769531, 3.027344, 5.832031, 7.527344}},
		{RESIZE("7", "mode=cubic"), {0.8015675, 1.742984, 2.93176, 2.21875, 2.239887, 5.234784, 7.496081}},
		{RESIZE("7", "mode=cubic, exclude_outside=1, cubic_a=-0.5"),
		 {0.8413458, 1.642288, 2.940193, 2.3125, 2.195601, 5.451552, 7.396636}},
		{RESIZE("2", "mode=linear, coordinates=half_pixel_symmetric, scales=[0.6]"), {2.333333, 3.666667}},
		{RESIZE("2", "mode=linear, coordinates=align_corners, scales=[0.6]"), {1, 2.714285}},
		{RESIZE("5", "mode=linear, coordinates=tf_crop_and_resize, roi=[0.2, 1.3], extrapolation=10.0"),
		 {2.2, 2.575, 3.25, 10, 10}},
#define NEAREST(size, rounding, where) RESIZE(size, "nearest=" rounding ", coordinates=" where)
		{NEAREST("6", "round_prefer_floor", "half_pixel"), {1, 1, 3, 2, 2, 7}},
		{NEAREST("8", "round_prefer_floor", "half_pixel"), {1, 1, 3, 3, 2, 2, 7, 7}},
		{NEAREST("2", "round_prefer_floor", "half_pixel"), {1, 2}},
		{NEAREST("6", "round_prefer_floor", "asymmetric"), {1, 3, 3, 2, 7, 7}},
		{NEAREST("8", "round_prefer_floor", "asymmetric"), {1, 1, 3, 3, 2, 2, 7, 7}},
		{NEAREST("2", "round_prefer_floor", "asymmetric"), {1, 2}},
		{NEAREST("6", "round_prefer_floor", "align_corners"), {1, 3, 3, 2, 2, 7}},
		{NEAREST("6", "round_prefer_ceil", "half_pixel"), {1, 3, 3, 2, 7, 7}},
		{NEAREST("8", "round_prefer_ceil", "half_pixel"), {1, 1, 3, 3, 2, 2, 7, 7}},
		{NEAREST("2", "round_prefer_ceil", "half_pixel"), {3, 7}},
		{NEAREST("8", "round_prefer_ceil", "asymmetric"), {1, 3, 3, 2, 2, 7, 7, 7}},
		{NEAREST("8", "floor", "half_pixel"), {1, 1, 1, 3, 3, 2, 2, 7}},
		{NEAREST("2", "floor", "half_pixel"), {1, 2}},
		{NEAREST("6", "floor", "asymmetric"), {1, 1, 3, 2, 2, 7}},
		{NEAREST("8", "floor", "asymmetric"), {1, 1, 3, 3, 2, 2, 7, 7}},
		{NEAREST("8", "ceil", "half_pixel"), {1, 3, 3, 2, 2, 7, 7, 7}},
		{NEAREST("2", "ceil", "half_pixel"), {3, 7}},
		{NEAREST("6", "ceil", "asymmetric"), {1, 3, 2, 2, 7, 7}},
		{NEAREST("8", "ceil", "align_corners"), {1, 3, 3, 2, 2, 7, 7, 7}},
		{"graph @g(%x: i32[2,2]) -> (%y: f32[4,4]) {\n%f = map %x { cast<f32>(%0) } : f32[2,2]\n"
		 "%y = resize %f {shape=[4,4], mode=linear} : f32[4,4]\n}", NULL, {1, 2, 3, 4},
		 {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}},
		/* sizes known at run time only: N = 4, M = 5 */
		{"graph @g(%x: i32[N]) -> (%y: f32[2*N]) {\n%f = map %x { cast<f32>(%0) } : f32[N]\n"
		 "%y = resize %f {shape=[2*N], mode=linear} : f32[2*N]\n}", NULL, {1, 3, 2, 7},
		 {1, 1.5, 2.5, 2.75, 2.25, 3.25, 5.75, 7}},
		{"graph @g(%x: i32[N]) -> (%y: f32[M]) {\n%f = map %x { cast<f32>(%0) } : f32[N]\n"
		 "%y = resize %f {shape=[M], mode=linear, coordinates=align_corners} : f32[M]\n}", NULL, {1, 3, 2, 7},
		 {1, 2.5, 2.5, 3.25, 7}},
		{"graph @g(%x: i32[N], %s: i32[1]) -> (%y: f32[M+2]) {\n%f = map %x { cast<f32>(%0) } : f32[N]\n"
		 "%c = map %s { (cast<f32>(%0) / 4.0) } : f32[1]\n"
		 "%y = resize %f, %c {shape=[M+2], mode=linear} : f32[M+2]\n}", NULL, {1, 3, 2, 7, 7},
		 {1, 1.714286, 2.857143, 2.5, 2.357143, 5.214286, 7}},
	};
	RUN_ROWS(rows);
}

/* ---- reductions ------------------------------------------------------------------------------------------------------ */
static double want_sum_rows(world *w, const int64_t *at)
{
	double sum = 0;
	for (int64_t i = 0; i < size_of(w, 0, 0); i++)
		for (int64_t k = 0; k < size_of(w, 0, 2); k++)
			sum += IN(0, i, at[1], k);
	return sum;
}
static double want_max_row(world *w, const int64_t *at)
{
	double max = -INFINITY;
	for (int64_t k = 0; k < size_of(w, 0, 1); k++)
		max = fmax(max, IN(0, at[0], k));
	return max;
}

/* Pooling with kernel 3, stride 2, padding 1 along the last axis; with dilation d. */
static double pool(world *w, const int64_t *at, int64_t d, bool mean, bool count_pad)
{
	double sum = 0, max = -INFINITY;
	int64_t n = size_of(w, 0, 2), taps = 0;
	for (int64_t k = 0; k < 3; k++) {
		int64_t i = at[2] * 2 - 1 + k * d;
		if (i < 0 || i >= n)
			continue;
		sum += IN(0, at[0], at[1], i);
		max = fmax(max, IN(0, at[0], at[1], i));
		taps++;
	}
	return mean ? sum / (double)(count_pad ? 3 : taps) : max;
}
static double want_max_pool(world *w, const int64_t *at) { return pool(w, at, 1, false, false); }
static double want_max_pool_dilated(world *w, const int64_t *at) { return pool(w, at, 2, false, false); }
static double want_mean_pool(world *w, const int64_t *at) { return pool(w, at, 1, true, false); }
static double want_mean_pool_dilated(world *w, const int64_t *at) { return pool(w, at, 2, true, false); }
static double want_mean_pool_padded(world *w, const int64_t *at) { return pool(w, at, 1, true, true); }

static double want_matmul(world *w, const int64_t *at)
{
	double sum = 0;
	for (int64_t k = 0; k < size_of(w, 0, 2); k++)
		sum += IN(0, at[0], at[1], k) * IN(1, k, at[2]);
	return sum;
}
static double want_total(world *w, const int64_t *at)
{
	double sum = 0;
	(void)at;
	for (int64_t i = 0; i < size_of(w, 0, 0); i++)
		for (int64_t j = 0; j < size_of(w, 1, 0); j++)
			sum += IN(0, i) * IN(1, j);
	return sum;
}

#define POOL(in, out, attrs)                                                     \
	"graph @g(%x: f32[1,2," in "]) -> (%y: f32[1,2," out "]) {\n"            \
	"%y = reduce_window %x {kernel=[3], strides=[2], lo=[1], shape=[1,2," out "], " attrs "} : f32[1,2," out "]\n}"

static void test_reductions(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @g(%x: f32[2,3,N]) -> (%y: f32[1,3,1]) {\n"
		 "%y = reduce %x {axes=[0,2], op=sum} : f32[1,3,1]\n}", want_sum_rows, {0}, {0}},
		{"graph @g(%x: f32[2,5]) -> (%y: f32[2,1]) {\n%y = reduce %x {axes=[1], op=max} : f32[2,1]\n}",
		 want_max_row, {0}, {0}},
		{"graph @g(%x: f32[2,0]) -> (%y: f32[2,1]) {\n%y = reduce %x {axes=[1], op=prod} : f32[2,1]\n}", NULL, {0},
		 {1, 1}},
		{"graph @g(%x: i32[2,3]) -> (%y: i32[2,1]) {\n%y = reduce %x {axes=[1], op=min} : i32[2,1]\n}", NULL,
		 {3, -1, 2, 0, 5, 9}, {-1, 0}},
		{"graph @g(%x: i32[5]) -> (%y: i64[1]) {\n%y = reduce %x {axes=[0], op=argmax} : i64[1]\n}", NULL,
		 {3, 9, 2, 9, 5}, {1}},
		{"graph @g(%x: i32[5]) -> (%y: i64[1]) {\n%y = reduce %x {axes=[0], op=argmax, last=1} : i64[1]\n}", NULL,
		 {3, 9, 2, 9, 5}, {3}},
		{"graph @g(%x: bool[2,2]) -> (%y: bool[2,1]) {\n%y = reduce %x {axes=[1], op=and} : bool[2,1]\n}", NULL,
		 {1, 0, 1, 1}, {0, 1}},
		{POOL("7", "4", "op=max"), want_max_pool, {0}, {0}},
		{POOL("N", "(N-1)/2+1", "op=max"), want_max_pool, {0}, {0}},
		{POOL("7", "3", "op=max, dilations=[2]"), want_max_pool_dilated, {0}, {0}},
		{POOL("7", "4", "op=mean"), want_mean_pool, {0}, {0}},
		{POOL("N", "(N-1)/2+1", "op=mean"), want_mean_pool, {0}, {0}},
		{POOL("7", "3", "op=mean, dilations=[2]"), want_mean_pool_dilated, {0}, {0}},
		{POOL("7", "4", "op=mean, count_pad=1"), want_mean_pool_padded, {0}, {0}},
		{"graph @g(%x: i8[1,1,3]) -> (%y: i8[1,1,3]) {\n"
		 "%y = reduce_window %x {kernel=[3], lo=[1], shape=[3], op=max} : i8[1,1,3]\n}", NULL, {-7, -9, -8},
		 {-7, -7, -8}},
		{"graph @g(%x: f32[2,3,N], %y: f32[N,5]) -> (%z: f32[2,3,5]) {\n"
		 "%z = contract %x, %y {equation=\"bmk,kn->bmn\"} : f32[2,3,5]\n}", want_matmul, {0}, {0}},
		{"graph @g(%x: f32[2], %y: f32[3]) -> (%z: f32[]) {\n%z = contract %x, %y {equation=\"i,j->\"} : f32[]\n}",
		 want_total, {0}, {0}},
		{"graph @g(%x: i8[2], %y: u8[2]) -> (%z: i32[]) {\n%z = contract %x, %y {equation=\"k,k->\"} : i32[]\n}", NULL,
		 {-100, 5, 200, 3}, {-19985}},
	};
	RUN_ROWS(rows);
}

/* ---- convolutions ------------------------------------------------------------------------------------------------------ */
/* Direct convolution by the node's own numbers, any rank. */
static double want_conv(world *w, const int64_t *at)
{
	const node *n = w->g->outputs.v[0]->def;
	int spatial = n->in[0]->rank - 2;
	int64_t group = node_int(n, "group", 1), per_group = size_of(w, 1, 1), outputs = size_of(w, 1, 0) / group;
	const int64_t *strides = node_ints(n, "strides", NULL), *dilations = node_ints(n, "dilations", NULL);
	sym *const *lo = node_syms(n, "lo", NULL);
	double sum = n->n_in == 3 ? IN(2, at[1]) : 0;
	int64_t tap[MAX_RANK] = {at[1]}, from[MAX_RANK] = {at[0]};
	do {
		from[1] = at[1] / outputs * per_group + tap[1];
		for (int s = 0; s < spatial; s++)
			from[2 + s] = at[2 + s] * strides[s] - eval_sym(w, lo[s]) + tap[2 + s] * dilations[s];
		sum += input_at(w, 0, from) * input_at(w, 1, tap);
	} while (next_at(w, n->in[1], tap) && tap[0] == at[1]);
	return sum;
}

/* Scatters every input element, as the transposed convolution is defined, and picks the one result. */
static double want_conv_transpose(world *w, const int64_t *at)
{
	const node *n = w->g->outputs.v[0]->def;
	int spatial = n->in[0]->rank - 2;
	int64_t group = node_int(n, "group", 1), outputs = size_of(w, 1, 1), inputs = size_of(w, 1, 0) / group;
	const int64_t *strides = node_ints(n, "strides", NULL), *dilations = node_ints(n, "dilations", NULL);
	sym *const *lo = node_syms(n, "lo", NULL);
	double sum = n->n_in == 3 ? IN(2, at[1]) : 0;
	int64_t from[MAX_RANK] = {0};
	do {
		int64_t tap[MAX_RANK] = {from[1], at[1] % outputs};
		bool hits = from[0] == at[0] && from[1] / inputs == at[1] / outputs;
		for (int s = 0; s < spatial; s++) {
			int64_t rest = at[2 + s] + eval_sym(w, lo[s]) - from[2 + s] * strides[s];
			hits = hits && rest >= 0 && rest % dilations[s] == 0;
			tap[2 + s] = rest / dilations[s];
		}
		if (hits)
			sum += input_at(w, 0, from) * input_at(w, 1, tap);
	} while (next_at(w, n->in[0], from));
	return sum;
}

static void test_convolutions(void **state)
{
	(void)state;
	static const row rows[] = {
		{"graph @g(%x: f32[2,3,7], %w: f32[4,3,3]) -> (%y: f32[2,4,5]) {\n%y = conv %x, %w : f32[2,4,5]\n}",
		 want_conv, {0}, {0}},
		{"graph @g(%x: f32[1,3,5,6], %w: f32[2,3,3,2], %b: f32[2]) -> (%y: f32[1,2,3,4]) {\n"
		 "%y = conv %x, %w, %b {strides=[2,2], lo=[1,0], hi=[1,2]} : f32[1,2,3,4]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: f32[1,4,5,5], %w: f32[6,2,3,3]) -> (%y: f32[1,6,5,5]) {\n"
		 "%y = conv %x, %w {group=2, lo=[1,1], hi=[1,1]} : f32[1,6,5,5]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: f32[1,3,5,5], %w: f32[3,1,3,3]) -> (%y: f32[1,3,5,5]) {\n"
		 "%y = conv %x, %w {group=3, lo=[1,1], hi=[1,1]} : f32[1,3,5,5]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: f32[1,2,9], %w: f32[2,2,3]) -> (%y: f32[1,2,5]) {\n"
		 "%y = conv %x, %w {dilations=[2]} : f32[1,2,5]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: f32[1,2,3,4,3], %w: f32[2,2,2,1,3]) -> (%y: f32[1,2,3,4,3]) {\n"
		 "%y = conv %x, %w {lo=[0,0,1], hi=[1,0,1]} : f32[1,2,3,4,3]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: f32[B,2,N], %w: f32[3,2,3]) -> (%y: f32[B,3,(N-1)/2+1]) {\n"
		 "%y = conv %x, %w {strides=[2], lo=[1], hi=[1]} : f32[B,3,(N-1)/2+1]\n}", want_conv, {0}, {0}},
		{"graph @g(%x: i8[1,1,2], %w: i8[1,1,2]) -> (%y: i32[1,1,1]) {\n%y = conv %x, %w : i32[1,1,1]\n}", NULL,
		 {100, -100, 100, 100}, {0}},

		{"graph @g(%x: f32[1,2,4], %w: f32[2,3,3]) -> (%y: f32[1,3,6]) {\n"
		 "%y = conv_transpose %x, %w {shape=[6]} : f32[1,3,6]\n}", want_conv_transpose, {0}, {0}},
		{"graph @g(%x: f32[1,2,3,3], %w: f32[2,3,3,2], %b: f32[3]) -> (%y: f32[1,3,5,6]) {\n"
		 "%y = conv_transpose %x, %w, %b {strides=[2,2], lo=[1,0], shape=[5,6]} : f32[1,3,5,6]\n}",
		 want_conv_transpose, {0}, {0}},
		{"graph @g(%x: f32[1,4,3], %w: f32[4,2,3]) -> (%y: f32[1,4,11]) {\n"
		 "%y = conv_transpose %x, %w {strides=[3], dilations=[2], group=2, shape=[1,4,11]} : f32[1,4,11]\n}",
		 want_conv_transpose, {0}, {0}},
		{"graph @g(%x: f32[1,2,3], %w: f32[2,1,2]) -> (%y: f32[1,2,7]) {\n"
		 "%y = conv_transpose %x, %w {strides=[2], group=2, shape=[7]} : f32[1,2,7]\n}", want_conv_transpose, {0},
		 {0}},
		{"graph @g(%x: f32[1,1,N], %w: f32[1,2,4]) -> (%y: f32[1,2,2*N]) {\n"
		 "%y = conv_transpose %x, %w {strides=[2], lo=[1], shape=[2*N]} : f32[1,2,2*N]\n}", want_conv_transpose, {0},
		 {0}},
	};
	RUN_ROWS(rows);
}

/* ---- index expressions ------------------------------------------------------------------------------------------------- */
/* The element (or the term) as text, at loop variables a, b, c, ... and reduction variables as hinted. */
static const char *element_text(world *w, const value *v)
{
	static const char *const hints[] = {"a", "b", "c", "d", "e", "f"};
	coord at = {.rank = v->rank};
	for (int i = 0; i < v->rank; i++)
		at.i[i] = sym_loop(w->e.syms, hints[i], v->dims[i]);
	str text = str_new(w->a);
	if (op_table[v->def->op].form == FORM_REDUCE) {
		reduction r;
		elem_reduction(&w->e, v->def, at, &r);
		coord red = {.rank = r.n};
		for (int i = 0; i < r.n; i++)
			red.i[i] = sym_loop(w->e.syms, r.hint[i], r.extent[i]);
		expr_print(&text, r.term(&w->e, v->def, at, red));
	} else {
		expr_print(&text, elem_of_value(&w->e, v, at));
	}
	return text.data;
}

static void test_indices(void **state)
{
	(void)state;
	static const struct {
		const char *graph, *element;
	} rows[] = {
		/* heads of attention: split, swapped, and merged again */
		{"graph @g(%x: f32[B,S,768]) -> (%z: f32[B,12,S,64]) {\n%y = reshape %x {shape=[B,S,12,64]} : f32[B,S,12,64]\n"
		 "%z = transpose %y {perm=[0,2,1,3]} : f32[B,12,S,64]\n}", "x[S*a*768 + c*768 + b*64 + d]"},
		{"graph @g(%x: f32[B,12,S,64]) -> (%z: f32[B,S,768]) {\n%y = transpose %x {perm=[0,2,1,3]} : f32[B,S,12,64]\n"
		 "%z = reshape %y {shape=[B,S,768]} : f32[B,S,768]\n}", "x[S*a*768 + (c / 64)*S*64 + b*64 + c % 64]"},
		{"graph @g(%x: f32[2,3,4]) -> (%y: f32[6,4]) {\n%y = reshape %x {shape=[6,4]} : f32[6,4]\n}", "x[a*4 + b]"},
		{"graph @g(%x: f32[N,M]) -> (%y: f32[N,1,M]) {\n%y = reshape %x {shape=[N,1,M]} : f32[N,1,M]\n}", "x[M*a + c]"},
		{"graph @g(%x: f32[4,5]) -> (%y: f32[8,10]) {\n"
		 "%y = resize %x {shape=[8,10], coordinates=asymmetric, nearest=floor} : f32[8,10]\n}", "x[(a / 2)*5 + b / 2]"},
		{"graph @g(%x: f32[H,5]) -> (%y: f32[2*H,10]) {\n%y = resize %x {shape=[2*H,10]} : f32[2*H,10]\n}", "x[(a / 2)*5 + b / 2]"},
		{"graph @g(%x: f32[4,8]) -> (%y: f32[4,4]) {\n"
		 "%y = resize %x {shape=[4,4], mode=linear} : f32[4,4]\n}", "((x[a*8 + b*2] * 0.5) + (x[a*8 + b*2 + 1] * 0.5))"},
		{"graph @g(%x: f32[1,3,5], %w: f32[3,1,3]) -> (%y: f32[1,3,3]) {\n"
		 "%y = conv %x, %w {group=3} : f32[1,3,3]\n}", "(x[b*5 + c + k] * w[b*3 + k])"},
		{"graph @g(%x: f32[1,8,H], %w: f32[4,8,1]) -> (%y: f32[1,4,H]) {\n%y = conv %x, %w : f32[1,4,H]\n}", "(x[H*c1 + c] * w[b*8 + c1])"},
		{"graph @g(%x: f32[1,2,8]) -> (%y: f32[1,2,4]) {\n"
		 "%y = reduce_window %x {op=max, kernel=[2], strides=[2], shape=[4]} : f32[1,2,4]\n}", "x[b*8 + c*2 + k]"},
		{"graph @g(%x: f32[1,2,H]) -> (%y: f32[1,2,(H-3)/2+1]) {\n"
		 "%y = reduce_window %x {op=max, kernel=[3], strides=[2], shape=[(H-3)/2+1]} : f32[1,2,(H-3)/2+1]\n}", "x[H*b + c*2 + k]"},
		/* a guard only where the window can leave the operand */
		{"graph @g(%x: f32[1,1,4,6], %w: f32[1,1,1,3]) -> (%y: f32[1,1,4,5]) {\n"
		 "%y = conv %x, %w {lo=[0,0], hi=[0,1]} : f32[1,1,4,5]\n}",
		 "(choose(([d + k1] < 6), x[c*6 + d + k1], 0.0) * w[k1])"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		world *w = world_new(a, rows[i].graph, NULL);
		const char *text = element_text(w, w->g->outputs.v[0]);
		assert_string_equal(text, rows[i].element);
		arena_free(a);
	}
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------ */
static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *node, *reason;
	} rows[] = {
		{"%y = map %x, %v { %0 + %1 } : f32[2,3]", "map: operand 1 has size 4 on axis 0, others have 3"},
		{"%y = map %x { %1 } : f32[2,3]", "%1"},
		{"%y = reshape %x {shape=[7]} : f32[2,3]", "reshape: operand has 6 elements, the shape 7"},
		{"%y = reshape %x {shape=[-6]} : f32[2,3]", "reshape: shape[0] is -6, must be at least 0"},
		{"%y = reshape %x : f32[2,3]", "reshape: attribute shape is missing"},
		{"%y = reshape %x {shape=word} : f32[2,3]", "reshape: attribute shape is not a list of sizes"},
		{"%y = reshape %x {shape=[1,1,1,1,1,1,1,1,1,1,1,2,3]} : f32[2,3]", "rank 13, at most 12 is supported"},
		{"%y = transpose %x {perm=[2,0]} : f32[2,3]", "transpose: perm names axis 2, but the operand has rank 2"},
		{"%y = transpose %x {perm=[0,0]} : f32[2,3]", "transpose: perm names axis 0 twice"},
		{"%y = transpose %x {perm=[0]} : f32[2,3]", "transpose: perm has 1 entries, needs 2"},
		{"%y = transpose %x {perm=[1,0], prem=1} : f32[2,3]", "transpose: attribute prem is unknown; known: perm"},
		{"%y = expand %x {shape=[2,5]} : f32[2,3]", "expand: axis 1 has size 3, cannot become 5"},
		{"%y = slice %x {starts=[0,2], steps=[1,1], shape=[2,2]} : f32[2,3]",
		 "slice: 2 elements from 2 in steps of 1 leave axis 1 of size 3"},
		{"%y = slice %x {starts=[0,0], steps=[0,1], shape=[2,2]} : f32[2,3]", "slice: steps[0] is 0"},
		{"%y = pad %x {lo=[-3,0], hi=[0,0]} : f32[2,3]", "pad: axis 0 of the result would have size -1"},
		{"%y = pad %x {lo=[0,0], hi=[0,0], mode=mirror} : f32[2,3]",
		 "pad: mode=mirror is unknown; one of: constant edge reflect wrap"},
		{"%y = concat %x, %v {axis=0} : f32[2,3]", "concat: operand 1 has rank 1, operand 0 has 2"},
		{"%y = concat %x, %x {axis=5} : f32[2,3]", "concat: axis 5 is out of range for rank 2"},
		{"%y = tile %x {shape=[3,3]} : f32[2,3]", "tile: axis 0 of size 2 cannot be repeated to 3"},
		{"%y = gather %x, %v {axis=0} : f32[2,3]", "gather: indices are f32, must be integers"},
		{"%y = gather %x {axis=0} : f32[2,3]", "gather"},
		{"%y = reduce %x {axes=[0,0], op=sum} : f32[2,3]", "reduce: axes names axis 0 twice"},
		{"%y = reduce %x {axes=[0], op=median} : f32[2,3]", "reduce: op=median is unknown"},
		{"%y = reduce %x {axes=[0], op=and} : f32[2,3]", "reduce: op=and of f32, must be bool"},
		{"%y = reduce_window %x {op=max, kernel=[0], shape=[3]} : f32[2,3]",
		 "reduce_window: kernel[0] is 0, must be at least 1"},
		{"%y = contract %x, %x {equation=\"mk,kn->mn\"} : f32[2,3]",
		 "contract: index k is 3 in operand 0 but 2 in operand 1"},
		{"%y = contract %x, %x {equation=\"mm,kn->mn\"} : f32[2,3]", "names an index twice in one operand"},
		{"%y = contract %x, %x {equation=\"m...k,kn\"} : f32[2,3]", "is not of the form ab,bc->ac"},
		{"%y = contract %x, %x {equation=\"mk,nk->mz\"} : f32[2,3]", "has a result index that no operand has"},
		{"%y = conv %x, %x {group=2} : f32[2,2]", "conv: operand has 3 channels, the weights take 3 in 2 groups"},
		{"%y = conv %x, %v : f32[2,3]", "conv: operand has rank 2 and weights 1, must be equal and at least 2"},
		{"%y = resize %x {shape=[2,3], mode=area} : f32[2,3]", "resize: mode=area is unknown"},
		{"%y = contract %x, %v, %v {equation=\"ab,c->abc\"} : f32[2,3,4]", "contract: has 3 operands besides its packed copy"},
		{"%y = conv %x, %x {packed=word} : f32[2,3]", "conv: attribute packed is not an integer"},
		{"%y = scan_axis %x {axis=2} : f32[2,3]", "scan_axis: axis 2 is out of range for rank 2"},
		{"%y, %i = topk %x {axis=1, k=4} : f32[2,3], i64[2,3]", "topk: k is 4, but axis 1 has only 3 elements"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		const char *text = arena_printf(a, "graph @g(%%x: f32[2,3], %%v: f32[4]) -> (%%y: f32[2,3]) {\n%s\n}", rows[i].node);
		assert_null(graph_parse(a, "test.ir", text, strlen(text), d));
		if (!strstr(diag_text(d), rows[i].reason))
			fail_msg("%s\ngives: %sexpected: %s", rows[i].node, diag_text(d), rows[i].reason);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_movement),     cmocka_unit_test(test_gathers), cmocka_unit_test(test_resize),
		cmocka_unit_test(test_reductions),   cmocka_unit_test(test_convolutions),
		cmocka_unit_test(test_indices),      cmocka_unit_test(test_refusals),
	};
	return RUN_TESTS(tests);
}
