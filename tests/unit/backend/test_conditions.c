/* Sizes that do not fit together: refused with a message that names the condition, before anything is read.
 *
 * Each network is also run with all small sizes, on memory that ends at guard pages and with every access checked: what is not
 * refused stays inside its buffers. */
#include "tests/unit/backend/compiled.h"

#include "backend/backend.h"
#include "passes/pass.h"
#include "runtime/dlrt.h"

enum { MAX_SYMBOLS = 8, MAX_PORTS = 4, RANDOM_RUNS = 80 };

typedef struct sizes_row {
	const char *text;
	const char *good; /* values of the symbols, in the model's order */
	const char *bad, *wanted;
} sizes_row;

static const sizes_row rows[] = {
	{"graph @concat(%x: f32[N,4], %y: f32[M,4]) -> (%z: f32[N,8]) {\n"
	 "  %z = concat %x, %y {axis=1} : f32[N,8]\n}\n",
	 "2 2", "3 2", "N == M"},
	{"graph @contract(%x: f32[M,K], %y: f32[J,N]) -> (%z: f32[M,N]) {\n"
	 "  %z = contract %x, %y {equation=\"mk,kn->mn\"} : f32[M,N]\n}\n",
	 "2 7 7 3", "2 7 6 3", "K == J"},
	{"graph @conv(%x: f32[N,C,H,W], %w: f32[8,D,3,3], %b: f32[B]) -> (%z: f32[N,8,H - 2,W - 2]) {\n"
	 "  %z = conv %x, %w, %b {strides=[1,1], dilations=[1,1], lo=[0,0], hi=[0,0], group=1} : f32[N,8,H - 2,W - 2]\n}\n",
	 "1 3 5 6 3 8", "1 3 5 6 4 8", "C == D"},
	{"graph @window(%x: f32[N,3,H,W], %w: f32[8,3,3,3]) -> (%z: f32[N,8,(H - 3) / 2 + 1,(W - 3) / 2 + 1]) {\n"
	 "  %z = conv %x, %w {strides=[2,2], dilations=[1,1], lo=[0,0], hi=[0,0], group=1}"
	 " : f32[N,8,(H - 3) / 2 + 1,(W - 3) / 2 + 1]\n}\n",
	 "1 3 6", "1 0 6", "H >= 1"},
	{"graph @groups(%x: f32[1,4,5], %w: f32[O,2,3]) -> (%z: f32[1,O,3]) {\n"
	 "  %z = conv %x, %w {strides=[1], dilations=[1], lo=[0], hi=[0], group=2} : f32[1,O,3]\n}\n",
	 "6", "5", "O % 2 == 0"},
	{"graph @transposed(%x: f32[N,C,4], %w: f32[D,2,3]) -> (%z: f32[N,2,6]) {\n"
	 "  %z = conv_transpose %x, %w {strides=[1], dilations=[1], lo=[0], group=1, shape=[N,2,6]} : f32[N,2,6]\n}\n",
	 "2 3 3", "2 3 4", "C == D"},
	{"graph @map(%x: f32[N], %y: f32[M], %c: f32[5]) -> (%z: f32[max(N, M)], %five: f32[5]) {\n"
	 "  %z = map %x, %y { %0 + %1 } : f32[max(N, M)]\n"
	 "  %five = map %c, %x { %0 * %1 } : f32[5]\n}\n",
	 "1 7", "5 4", "M == 1 or max(M, N)"},
	{"graph @expand(%x: f32[N,3], %y: f32[M]) -> (%z: f32[M,3]) {\n"
	 "  %z = expand %x {shape=[M,3]} : f32[M,3]\n}\n",
	 "1 4", "2 4", "N == 1 or M"},
	{"graph @reshape(%x: f32[N,4], %y: f32[M]) -> (%z: f32[M,2]) {\n"
	 "  %z = reshape %x {shape=[M,2]} : f32[M,2]\n}\n",
	 "3 6", "3 7", "N*4 == M*2"},
	{"graph @rows(%x: f32[N,M]) -> (%z: f32[N*M / 6,6]) {\n"
	 "  %z = reshape %x {shape=[N*M / 6,6]} : f32[N*M / 6,6]\n}\n",
	 "4 3", "4 4", "M*N % 6 == 0"},
	{"graph @cut(%x: f32[N]) -> (%z: f32[N - 5]) {\n"
	 "  %z = slice %x {starts=[5], steps=[1], shape=[N - 5]} : f32[N - 5]\n}\n",
	 "9", "4", "N >= 5"},
	{"graph @back(%x: f32[N], %y: f32[M]) -> (%z: f32[M]) {\n"
	 "  %z = slice %x {starts=[N - 1], steps=[-2], shape=[M]} : f32[M]\n}\n",
	 "5 3", "4 3", "N"},
	{"graph @gather(%x: f32[N,3], %i: i64[M]) -> (%z: f32[M,3]) {\n"
	 "  %z = gather %x, %i {axis=0} : f32[M,3]\n}\n",
	 "2 9", "0 2", "N >= min("},
	{"graph @gather_elements(%x: f32[N,4], %i: i64[M,K]) -> (%z: f32[M,K]) {\n"
	 "  %z = gather_elements %x, %i {axis=1} : f32[M,K]\n}\n",
	 "3 2 9", "3 4 9", "N >= M"},
	{"graph @gather_nd(%x: f32[N,4,5], %i: i64[M,3,2]) -> (%z: f32[M,3]) {\n"
	 "  %z = gather_nd %x, %i {batch_dims=1} : f32[M,3]\n}\n",
	 "2 2", "2 3", "M == N"},
	{"graph @scatter_elements(%x: f32[N,4], %i: i64[M,3], %u: f32[K,3]) -> (%z: f32[N,4]) {\n"
	 "  %z = scatter_elements %x, %i, %u {axis=0, reduction=none} : f32[N,4]\n}\n",
	 "5 2 2", "5 2 1", "M == K"},
	{"graph @scatter_empty(%x: f32[N,4], %i: i64[3,1], %u: f32[3,M]) -> (%z: f32[N,4]) {\n"
	 "  %z = scatter_nd %x, %i, %u {reduction=add} : f32[N,4]\n}\n",
	 "5 4", "0 4", "N >= min("},
	{"graph @scatter_nd(%x: f32[N,W], %i: i64[K,1], %u: f32[K,V]) -> (%z: f32[N,W]) {\n"
	 "  %z = scatter_nd %x, %i, %u {reduction=none} : f32[N,W]\n}\n",
	 "5 4 2 4", "5 4 2 3", "W == V"},
	{"graph @topk(%x: f32[2,N]) -> (%v: f32[2,3], %i: i64[2,3]) {\n"
	 "  %v, %i = topk %x {axis=1, k=[3], largest=1, sorted=1} : f32[2,3], i64[2,3]\n}\n",
	 "4", "2", "N >= 3"},
	{"graph @tile(%x: f32[N], %y: f32[M]) -> (%z: f32[M]) {\n"
	 "  %z = tile %x {shape=[M]} : f32[M]\n}\n",
	 "3 6", "3 7", "M % N == 0"},
	{"graph @edge(%x: f32[N]) -> (%z: f32[N + 4]) {\n"
	 "  %z = pad %x {lo=[2], hi=[2], mode=edge} : f32[N + 4]\n}\n",
	 "3", "0", "N >= 1"},
	{"graph @crop(%x: f32[N]) -> (%z: f32[N - 3]) {\n"
	 "  %z = pad %x {lo=[-1], hi=[-2], mode=constant} : f32[N - 3]\n}\n",
	 "7", "2", "N >= 3"},
	{"graph @resize(%x: f32[1,N]) -> (%z: f32[1,6]) {\n"
	 "  %z = resize %x {shape=[1,6], mode=nearest} : f32[1,6]\n}\n",
	 "4", "0", "N >= 1"},
	{"graph @argmax(%x: f32[N,3]) -> (%z: i64[1,3]) {\n"
	 "  %z = reduce %x {axes=[0], op=argmax} : i64[1,3]\n}\n",
	 "2", "0", "N >= 1"},
	{"graph @pool(%x: f32[N,H], %y: f32[M]) -> (%z: f32[M,H - 1]) {\n"
	 "  %z = reduce_window %x {op=max, kernel=[2], shape=[M,H - 1]} : f32[M,H - 1]\n}\n",
	 "2 5 2", "2 5 3", "N == M"},
	{"graph @fused(%x: f32[N,K], %w: f32[J,8], %b: f32[M,8]) -> (%z: f32[max(N, M),8]) {\n"
	 "  %0 = contract %x, %w {equation=\"mk,kn->mn\"} : f32[N,8]\n"
	 "  %1 = map %0, %b { %0 + %1 } : f32[max(N, M),8]\n"
	 "  %z = map %1 { max(%0, 0.0) } : f32[max(N, M),8]\n}\n",
	 "3 4 4 3", "3 4 4 2", "M == 1 or max("},
};

/* ---- compiled networks ----------------------------------------------------------------------------------------------- */

typedef struct network {
	arena *a;
	diag *d;
	program *p;
	jit *j;
	const dlrt_model *m;
} network;

static network make(const char *text, int opt, bool sanitize)
{
	network w = {.a = arena_new("test")};
	w.d = diag_new(w.a, stderr);
	graph *g = graph_parse(w.a, "test.ir", text, strlen(text), w.d);
	assert_non_null(g);
	pass_ctx ctx = {.model = w.a, .target = target_find("native"), .opt = opt, .d = w.d};
	assert_true(pipeline_run(g, &ctx, &(pipeline_options){.verify_each = true}, w.a, &w.p));
	emit_options o = {.target = ctx.target, .opt = opt, .sanitize = sanitize, .threads = 1};
	w.j = jit_compile(w.p, &o, w.d);
	assert_non_null(w.j);
	w.m = jit_model(w.j);
	return w;
}

static void drop(network *w)
{
	jit_free(w->j);
	arena_free(w->a);
}

typedef struct sizes_of {
	const dlrt_model *m;
	int64_t v[MAX_SYMBOLS];
} sizes_of;

static sizes_of sizes_read(const dlrt_model *m, const char *text)
{
	sizes_of s = {.m = m};
	char *at = (char *)(uintptr_t)text;
	assert_in_range(m->n_symbols, 1, MAX_SYMBOLS);
	for (int i = 0; i < m->n_symbols; i++)
		s.v[i] = strtol(at, &at, 10);
	assert_int_equal(*at, '\0');
	return s;
}

/* ---- guarded tensors ------------------------------------------------------------------------------------------------- */

typedef struct ports {
	dlrt_tensor t[MAX_PORTS];
	guarded memory[MAX_PORTS];
	int n;
} ports;

static void ports_allocate(ports *p, uint64_t *random)
{
	for (int i = 0; i < p->n; i++) {
		size_t bytes;
		assert_int_equal(dlrt_tensor_bytes(&p->t[i], &bytes), DLRT_OK);
		p->memory[i] = guarded_new(bytes);
		p->t[i].data = p->memory[i].data;
		size_t width = p->t[i].type == DLRT_I64 ? 8 : 4;
		for (size_t k = 0; k < bytes; k += width) {
			*random = *random * 6364136223846793005u + 1442695040888963407u;
			int64_t index = (int64_t)(*random >> 60) - 8;
			float number = (float)index;
			if (width == 8)
				memcpy(p->memory[i].data + k, &index, 8);
			else
				memcpy(p->memory[i].data + k, &number, 4);
		}
	}
}

static void ports_free(ports *p)
{
	for (int i = 0; i < p->n; i++)
		guarded_free(&p->memory[i]);
}

static ports inputs_of(const sizes_of *s)
{
	ports p = {.n = s->m->n_inputs};
	for (int i = 0; i < p.n; i++) {
		const dlrt_port *it = &s->m->inputs[i];
		p.t[i] = (dlrt_tensor){.type = (dlrt_type)it->type, .rank = it->rank};
		for (int k = 0; k < it->rank; k++) {
			assert_int_not_equal(it->dims[k].symbol, DLRT_DIM_COMPUTED);
			p.t[i].dims[k] = it->dims[k].symbol >= 0 ? s->v[it->dims[k].symbol] : it->dims[k].value;
		}
	}
	return p;
}

/* What a run says, which is what the calls before it say. */
static dlrt_status run(const sizes_of *s, uint64_t *random, char *message, size_t message_bytes)
{
	const dlrt_model *m = s->m;
	dlrt_options o = {.message = message, .message_bytes = message_bytes};
	ports in = inputs_of(s), out = {.n = m->n_outputs};
	size_t bytes;
	ports_allocate(&in, random);
	dlrt_status status = dlrt_infer_shapes(m, in.t, out.t, &o);
	assert_int_equal(dlrt_workspace_size(m, in.t, &bytes), status);
	if (status) {
		dlrt_tensor none[MAX_PORTS] = {{0}};
		assert_int_equal(dlrt_run(m, in.t, none, &o), status);
	} else {
		guarded workspace = guarded_new((bytes + 63) / 64 * 64);
		o.workspace = workspace.data;
		o.workspace_bytes = bytes;
		ports_allocate(&out, random);
		status = dlrt_run(m, in.t, out.t, &o);
		assert_int_equal(status, DLRT_OK);
		ports_free(&out);
		guarded_free(&workspace);
	}
	ports_free(&in);
	return status;
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

static void check_row(const sizes_row *r, int opt)
{
	char message[300];
	uint64_t random = 1;
	network w = make(r->text, opt, true);
	sizes_of good = sizes_read(w.m, r->good), bad = sizes_read(w.m, r->bad);
	if (run(&good, &random, message, sizeof message))
		fail_msg("%s: %s", r->text, message);
	assert_int_equal(run(&bad, &random, message, sizeof message), DLRT_DIMS);
	if (!strstr(message, arena_printf(w.a, "contradict model \"%s\", which wants %s", w.m->name, r->wanted)))
		fail_msg("%s: found %s, wanted %s", r->text, message, r->wanted);
	drop(&w);
}

static void test_mismatches_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS(rows); i++)
		for (int opt = 0; opt <= 3; opt += 3)
			check_row(&rows[i], opt);
}

static void test_what_is_not_refused_stays_inside(void **state)
{
	(void)state;
	uint64_t random = 7;
	char message[300];
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		for (int checked = 0; checked < 2; checked++) {
			network w = make(rows[i].text, 3, checked);
			sizes_of s = {.m = w.m};
			for (int k = 0; k < RANDOM_RUNS; k++) {
				for (int v = 0; v < w.m->n_symbols; v++) {
					random = random * 6364136223846793005u + 1442695040888963407u;
					s.v[v] = (int64_t)((random >> 33) % 6);
				}
				dlrt_status status = run(&s, &random, message, sizeof message);
				assert_true(status == DLRT_OK || status == DLRT_DIMS);
			}
			drop(&w);
		}
	}
}

/* The conditions of a branch count when it runs, those of a loop in each iteration. */
static void test_regions_check_their_own(void **state)
{
	(void)state;
	static const char text[] =
		"graph @branch(%c: bool[], %x: f32[N,4], %y: f32[M,4]) -> (%z: f32[N,4]) {\n"
		"  %z = if %c, %x, %y, %x {then_in=2, sizes=[]}"
		" then (%a: f32[N,4], %b: f32[M,4]) -> (%r: f32[N,4]) {\n"
		"    %0 = concat %a, %b {axis=1} : f32[N,8]\n"
		"    %r = slice %0 {starts=[0,2], steps=[1,1], shape=[N,4]} : f32[N,4]\n  }"
		" else (%a: f32[N,4]) -> (%r: f32[N,4]) {\n"
		"    %r = map %a { abs(%0) } : f32[N,4]\n  } : f32[N,4]\n}\n";
	for (int opt = 0; opt <= 3; opt += 3) {
		network w = make(text, opt, true);
		float x[8] = {1, -2, 3}, y[4] = {0}, z[8];
		dlrt_tensor out = {0};
		assert_null(w.m->check);
		for (int taken = 0; taken < 2; taken++) {
			for (int64_t m = 1; m <= 2; m++) {
				unsigned char c = (unsigned char)taken;
				float wide[8] = {0};
				dlrt_tensor in[] = {{&c, DLRT_BOOL, 0, {0}}, {x, DLRT_F32, 2, {2, 4}},
				                    {m == 2 ? wide : y, DLRT_F32, 2, {m, 4}}};
				out = (dlrt_tensor){.data = z};
				assert_int_equal(dlrt_run(w.m, in, &out, NULL), taken && m == 1 ? DLRT_DIMS : DLRT_OK);
			}
		}
		drop(&w);
	}
}

static void test_iterations_check_their_own(void **state)
{
	(void)state;
	static const char text[] =
		"dim i = 0..2 below 3\n"
		"graph @loop(%k: f32[K], %h: f32[]) -> (%sum: f32[]) {\n"
		"  %sum = loop %h, %k {trip=[3], index=[i], carried=1}"
		" body (%s: f32[], %v: f32[K]) -> (%next: f32[]) {\n"
		"    %0 = slice %v {starts=[i + 2], steps=[1], shape=[1]} : f32[1]\n"
		"    %1 = reshape %0 {shape=[]} : f32[]\n"
		"    %next = map %s, %1 { %0 + %1 } : f32[]\n  } : f32[]\n}\n";
	for (int opt = 0; opt <= 3; opt += 3) {
		network w = make(text, opt, true);
		float k[5] = {1, 2, 4, 8, 16}, h = 0.5f, sum = 0;
		for (int64_t n = 4; n <= 5; n++) {
			dlrt_tensor in[] = {{k, DLRT_F32, 1, {n}}, {&h, DLRT_F32, 0, {0}}}, out = {.data = &sum};
			assert_int_equal(dlrt_run(w.m, in, &out, NULL), n == 5 ? DLRT_OK : DLRT_DATA);
		}
		assert_float_equal(sum, 28.5, 0);
		drop(&w);
	}
}

/* Arithmetic on sizes near the end of int64 is an error of its own. */
static void test_overflow_is_no_contradiction(void **state)
{
	(void)state;
	network w = make("graph @rows(%x: f32[N,M,0], %y: f32[K]) -> (%z: f32[K]) {\n"
	                 "  %0 = reduce %x {axes=[2], op=sum} : f32[N,M,1]\n"
	                 "  %z = reshape %0 {shape=[K]} : f32[K]\n}\n", 3, false);
	char message[300];
	float any = 0;
	const int64_t large = INT64_C(1) << 40;
	dlrt_tensor in[2] = {{&any, DLRT_F32, 3, {large, large, 0}}, {&any, DLRT_F32, 1, {1}}}, out = {0};
	dlrt_options o = {.message = message, .message_bytes = sizeof message};
	assert_int_equal(dlrt_infer_shapes(w.m, in, &out, &o), DLRT_RANGE);
	assert_string_equal(message, "the sizes of model \"rows\" overflow");
	drop(&w);
}

static void test_models_without_conditions(void **state)
{
	(void)state;
	network w = make("graph @plain(%x: f32[N]) -> (%y: f32[N]) {\n  %y = map %x { abs(%0) } : f32[N]\n}\n", 3, false);
	assert_null(w.m->check);
	assert_null(w.m->conditions);
	assert_int_equal(w.m->n_conditions, 0);
	drop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mismatches_are_refused),
		cmocka_unit_test(test_what_is_not_refused_stays_inside),
		cmocka_unit_test(test_regions_check_their_own),
		cmocka_unit_test(test_iterations_check_their_own),
		cmocka_unit_test(test_overflow_is_no_contradiction),
		cmocka_unit_test(test_models_without_conditions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
