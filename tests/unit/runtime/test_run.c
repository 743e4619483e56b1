/* Running hand-written models: results, and every wrong use with its status and its message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models.h"

#define ROWS 5
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- Counting allocations -------------------------------------------------------------------------------------- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
static volatile int n_allocations;   /* compilers know that malloc does not write a static variable */
extern void *__libc_malloc(size_t);
extern void *__libc_memalign(size_t, size_t);
void *malloc(size_t bytes)
{
	n_allocations++;
	return __libc_malloc(bytes);
}
void *aligned_alloc(size_t align, size_t bytes)
{
	n_allocations++;
	return __libc_memalign(align, bytes);
}
#endif

/* ---- A call that is right, for a test to spoil ----------------------------------------------------------------- */

typedef struct use {
	dlrt_model model;
	dlrt_tensor inputs[2];
	dlrt_tensor outputs[2];
	const dlrt_tensor *inputs_given;
	dlrt_tensor *outputs_given;
	dlrt_options options;
	dlrt_port ports[2];
	dlrt_symbol symbol;
	dlrt_profile profile;
	dlrt_profile_entry entries[3];
	char message[200];
	float a[3 * ROWS + 1], b[3 * ROWS + 1], sum[3 * ROWS + 1], twice[2 * ROWS];
	_Alignas(DLRT_WORKSPACE_ALIGN) char workspace[12 * ROWS + 64];
} use;

static void use_rows(use *u)
{
	memset(u, 0, sizeof *u);
	u->model = add_rows;
	u->inputs[0] = (dlrt_tensor){u->a, DLRT_F32, 2, {ROWS, 3}};
	u->inputs[1] = (dlrt_tensor){u->b, DLRT_F32, 2, {ROWS, 3}};
	u->outputs[0].data = u->sum;
	u->outputs[1].data = u->twice;
	u->inputs_given = u->inputs;
	u->outputs_given = u->outputs;
	u->options = (dlrt_options){
		.workspace = u->workspace,
		.workspace_bytes = 12 * ROWS,
		.message = u->message,
		.message_bytes = sizeof u->message,
	};
	memset(u->message, 'x', sizeof u->message);
	for (int i = 0; i < 3 * ROWS; i++) {
		u->a[i] = (float)i;
		u->b[i] = (float)(100 * i);
		u->sum[i] = -1;
	}
}

static dlrt_status run_use(use *u)
{
	return dlrt_run(&u->model, u->inputs_given, u->outputs_given, &u->options);
}

static void assert_sums(const use *u)
{
	for (int i = 0; i < 3 * ROWS; i++)
		assert_true(u->sum[i] == (float)(101 * i));
}

typedef struct counter {
	int live;
	size_t bytes;
} counter;

static void *count_alloc(void *user, size_t bytes, size_t align)
{
	counter *c = user;
	c->live++;
	c->bytes += bytes;
	return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void count_release(void *user, void *memory, size_t bytes)
{
	counter *c = user;
	c->live--;
	c->bytes -= bytes;
	free(memory);
}

/* ---- Wrong use ------------------------------------------------------------------------------------------------- */

typedef struct wrong {
	const char *name;
	void (*spoil)(use *u);
	dlrt_status status;
	const char *message;
} wrong;

static void no_inputs(use *u) { u->inputs_given = NULL; }
static void no_outputs(use *u) { u->outputs_given = NULL; }
static void no_input_data(use *u) { u->inputs[1].data = NULL; }
static void no_output_data(use *u) { u->outputs[1].data = NULL; }
static void wrong_type(use *u) { u->inputs[1].type = DLRT_F64; }
static void no_type(use *u) { u->inputs[0].type = (dlrt_type)99; }
static void wrong_output_type(use *u) { u->outputs[0] = (dlrt_tensor){u->sum, DLRT_I8, 2, {ROWS, 3}}; }
static void wrong_rank(use *u) { u->inputs[0].rank = 3; }
static void huge_rank(use *u) { u->inputs[0].rank = INT32_MAX; }
static void negative_rank(use *u) { u->inputs[0].rank = -1; }
static void wrong_output_rank(use *u) { u->outputs[0] = (dlrt_tensor){u->sum, DLRT_F32, 1, {3 * ROWS}}; }
static void wrong_constant(use *u) { u->inputs[0].dims[1] = 4; }
static void wrong_symbol(use *u) { u->inputs[1].dims[0] = ROWS + 1; }
static void negative_dim(use *u) { u->inputs[0].dims[0] = -5; }
static void wrong_output_symbol(use *u) { u->outputs[0] = (dlrt_tensor){u->sum, DLRT_F32, 2, {4, 3}}; }
static void wrong_expression(use *u) { u->outputs[1] = (dlrt_tensor){u->twice, DLRT_F32, 1, {ROWS}}; }
static void too_small_workspace(use *u) { u->options.workspace_bytes--; }
static void shifted_workspace(use *u) { u->options.workspace = u->workspace + 4; }
static void shifted_data(use *u) { u->inputs[0].data = (char *)u->a + 2; }
static void shifted_output(use *u) { u->outputs[0].data = (char *)u->sum + 1; }
static dlrt_status rows_check(const int64_t *symbols, int32_t *failed)
{
	*failed = symbols[0] % 2 ? 1 : -1;
	return symbols[0] % 2 ? DLRT_DIMS : DLRT_OK;
}

static dlrt_status overflowing_check(const int64_t *symbols, int32_t *failed)
{
	(void)symbols;
	*failed = -1;
	return DLRT_RANGE;
}

static const char *const rows_conditions[] = {"N >= 1", "N % 2 == 0"};

static void conditions_of(use *u, dlrt_status (*check)(const int64_t *symbols, int32_t *failed))
{
	u->model.n_conditions = 2;
	u->model.conditions = rows_conditions;
	u->model.check = check;
}

static void contradiction(use *u) { conditions_of(u, rows_check); }
static void check_overflow(use *u) { conditions_of(u, overflowing_check); }
static void other_abi(use *u) { u->model.abi = 7; }
static void alloc_only(use *u) { u->options.alloc = count_alloc; }

static void below_bounds(use *u) { u->inputs[0].dims[0] = u->inputs[1].dims[0] = 0; }
static void above_bounds(use *u) { u->inputs[0].dims[0] = u->inputs[1].dims[0] = 1001; }

static void below_open_bound(use *u)
{
	u->symbol = (dlrt_symbol){"N", 6, INT64_MAX};
	u->model.symbols = &u->symbol;
}

static void missing_features(use *u)
{
	u->model.cpu = "a future machine";
	u->model.cpu_features = UINT64_C(3) << 59;
}

static void missing_known_feature(use *u)
{
#if defined(__x86_64__) || defined(__i386__)
	u->model.cpu_features = UINT64_C(1) << DLRT_CPU_SVE2;
#else
	u->model.cpu_features = UINT64_C(1) << DLRT_CPU_AVX2;
#endif
}

static void unbound_symbol(use *u)
{
	static const dlrt_symbol two[] = {{"N", 1, 1000}, {"M", 1, 2}};
	u->model.n_symbols = 2;
	u->model.symbols = two;
}

static dlrt_status overflowing(const int64_t *symbols, uint64_t *bytes)
{
	(void)symbols;
	(void)bytes;
	return DLRT_RANGE;
}

static dlrt_status overflowing_dims(const int64_t *symbols, int64_t *dims)
{
	(void)symbols;
	(void)dims;
	return DLRT_RANGE;
}

static dlrt_status huge_workspace_of(const int64_t *symbols, uint64_t *bytes)
{
	(void)symbols;
	*bytes = UINT64_MAX;
	return DLRT_OK;
}

static void workspace_overflow(use *u) { u->model.workspace = overflowing; }
static void dims_overflow(use *u) { u->model.dims = overflowing_dims; }
static void workspace_beyond_memory(use *u) { u->model.workspace = huge_workspace_of; }

static void huge_input(use *u)
{
	static const dlrt_symbol open = {"N", 1, INT64_MAX};
	u->model.symbols = &open;
	u->model.dims = NULL;
	u->inputs[0].dims[0] = u->inputs[1].dims[0] = INT64_MAX / 2;
}

static void *alloc_nothing(void *user, size_t bytes, size_t align)
{
	(void)user, (void)bytes, (void)align;
	return NULL;
}

static void no_memory(use *u)
{
	u->options.workspace = NULL;
	u->options.alloc = alloc_nothing;
	u->options.release = count_release;
}

static void short_profile(use *u)
{
	dlrt_profile_init(&u->profile, u->entries, 3, NULL, NULL);
	u->options.profile = &u->profile;
}

static void too_many_ports(use *u) { u->model.n_outputs = 2000; u->model.dims = NULL; }

static void no_weights(use *u)
{
	u->model.flags = DLRT_MODEL_EXTERNAL_WEIGHTS;
	u->model.weights_bytes = 64;
}

static void shifted_weights(use *u)
{
	no_weights(u);
	u->options.weights = u->workspace + 8;
	u->options.weights_bytes = 64;
}

static dlrt_status run_failing(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                               const dlrt_context *context)
{
	(void)inputs, (void)outputs, (void)workspace, (void)symbols, (void)context;
	return DLRT_DATA;
}

static void bad_values(use *u) { u->model.run = run_failing; }

/* clang-format off */
static const wrong wrongs[] = {
	{"no inputs", no_inputs, DLRT_NULL, "the inputs are NULL"},
	{"no outputs", no_outputs, DLRT_NULL, "the outputs are NULL"},
	{"no input data", no_input_data, DLRT_NULL, "the data of input \"b\" is NULL"},
	{"no output data", no_output_data, DLRT_NULL, "the data of output \"twice\" is NULL"},
	{"half an allocator", alloc_only, DLRT_NULL, "options have an alloc without a release, or the reverse"},
	{"type", wrong_type, DLRT_TYPE, "input \"b\" is f64, but the model wants f32"},
	{"no type", no_type, DLRT_TYPE, "input \"a\" is undefined, but the model wants f32"},
	{"output type", wrong_output_type, DLRT_TYPE, "output \"sum\" is i8, but the model wants f32"},
	{"rank", wrong_rank, DLRT_RANK, "input \"a\" has rank 3, but the model wants rank 2"},
	{"huge rank", huge_rank, DLRT_RANK, "input \"a\" has rank 2147483647, but the model wants rank 2"},
	{"negative rank", negative_rank, DLRT_RANK, "input \"a\" has rank -1, but the model wants rank 2"},
	{"output rank", wrong_output_rank, DLRT_RANK, "output \"sum\" has rank 1, but the model wants rank 2"},
	{"constant dim", wrong_constant, DLRT_DIMS, "input \"a\": dim 1 is 4, but the model wants 3"},
	{"symbolic dim", wrong_symbol, DLRT_DIMS, "input \"b\": dim 0 is 6, but symbol \"N\" is 5"},
	{"negative dim", negative_dim, DLRT_DIMS, "input \"a\": dim 0 is -5, which is negative"},
	{"output symbol", wrong_output_symbol, DLRT_DIMS, "output \"sum\": dim 0 is 4, but symbol \"N\" is 5"},
	{"condition", contradiction, DLRT_DIMS, "the input sizes contradict model \"add_rows\", which wants N % 2 == 0"},
	{"output expression", wrong_expression, DLRT_DIMS, "output \"twice\": dim 0 is 5, but the model wants 10"},
	{"ports", too_many_ports, DLRT_COUNT, "model \"add_rows\" has 2002 inputs and outputs with 1 symbols and dims; at most 1024 and 4096 are possible"},
	{"profile", short_profile, DLRT_COUNT, "the profile has 3 entries, but model \"add_rows\" has 1 kernels"},
	{"small workspace", too_small_workspace, DLRT_WORKSPACE, "the workspace has 59 bytes, but these shapes need 60"},
	{"workspace align", shifted_workspace, DLRT_ALIGN, "the workspace is not aligned to 64 bytes"},
	{"input align", shifted_data, DLRT_ALIGN, "the data of input \"a\" is not aligned to 4 bytes"},
	{"output align", shifted_output, DLRT_ALIGN, "the data of output \"sum\" is not aligned to 4 bytes"},
	{"weights align", shifted_weights, DLRT_ALIGN, "the weights are not aligned to 64 bytes"},
	{"cpu", missing_features, DLRT_CPU, "model \"add_rows\" is compiled for a future machine, and this CPU lacks feature 59, feature 60"},
#if defined(__x86_64__) || defined(__i386__)
	{"cpu name", missing_known_feature, DLRT_CPU, "model \"add_rows\" is compiled for any, and this CPU lacks sve2"},
#else
	{"cpu name", missing_known_feature, DLRT_CPU, "model \"add_rows\" is compiled for any, and this CPU lacks avx2"},
#endif
	{"abi", other_abi, DLRT_VERSION, "the model has ABI version 7, the runtime 3"},
	{"memory", no_memory, DLRT_MEMORY, "no memory for a workspace of 60 bytes"},
	{"below", below_bounds, DLRT_RANGE, "symbol \"N\" is 0, which is outside 1..1000"},
	{"above", above_bounds, DLRT_RANGE, "symbol \"N\" is 1001, which is outside 1..1000"},
	{"below open", below_open_bound, DLRT_RANGE, "symbol \"N\" is 5, but at least 6 is wanted"},
	{"unbound", unbound_symbol, DLRT_RANGE, "no input determines symbol \"M\""},
	{"workspace overflow", workspace_overflow, DLRT_RANGE, "the workspace of model \"add_rows\" overflows for these shapes"},
	{"workspace beyond", workspace_beyond_memory, DLRT_RANGE, "the workspace of model \"add_rows\" is larger than memory"},
	{"check overflow", check_overflow, DLRT_RANGE, "the sizes of model \"add_rows\" overflow"},
	{"dims overflow", dims_overflow, DLRT_RANGE, "the dims of model \"add_rows\" overflow"},
	{"input overflow", huge_input, DLRT_RANGE, "the size of input \"a\" overflows"},
	{"data", bad_values, DLRT_DATA, "model \"add_rows\": the model cannot compute these input values"},
	{"weights", no_weights, DLRT_WEIGHTS, "model \"add_rows\" wants 64 bytes of external weights, but options have 0"},
};
/* clang-format on */

static void test_wrong_use(void **state)
{
	(void)state;
	bool seen[DLRT_STATUS_LAST + 1] = {false};
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		use u;
		use_rows(&u);
		wrongs[i].spoil(&u);
		dlrt_status status = run_use(&u);
		if (status != wrongs[i].status)
			fail_msg("%s: status %d, not %d", wrongs[i].name, (int)status, (int)wrongs[i].status);
		assert_string_equal(u.message, wrongs[i].message);
		for (int k = 0; k < 3 * ROWS; k++)
			assert_true(u.sum[k] == -1);
		assert_int_equal(u.outputs[1].data ? u.outputs[1].data == u.twice : 1, 1);
		seen[status] = true;
	}
	for (int i = DLRT_NULL; i <= DLRT_STATUS_LAST; i++)
		assert_true(seen[i]);
}

static void test_null_model(void **state)
{
	(void)state;
	char message[40];
	dlrt_options o = {.message = message, .message_bytes = sizeof message};
	size_t bytes = 1;
	assert_int_equal(dlrt_run(NULL, NULL, NULL, &o), DLRT_NULL);
	assert_string_equal(message, "the model is NULL");
	assert_int_equal(dlrt_infer_shapes(NULL, NULL, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_workspace_size(NULL, NULL, &bytes), DLRT_NULL);
	assert_int_equal(dlrt_workspace_size(&add_rows, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_run_typed(NULL, NULL, NULL, NULL, NULL, NULL), DLRT_NULL);
}

/* A message never leaves its buffer, whatever its size. */
static void test_short_message(void **state)
{
	(void)state;
	const char *whole = "input \"b\" is f64, but the model wants f32";
	for (size_t room = 0; room <= strlen(whole) + 1; room++) {
		use u;
		use_rows(&u);
		wrong_type(&u);
		u.options.message_bytes = room;
		assert_int_equal(run_use(&u), DLRT_TYPE);
		assert_int_equal(u.message[room], 'x');
		if (room) {
			assert_int_equal(strlen(u.message), room - 1);
			assert_memory_equal(u.message, whole, room - 1);
		}
	}
	use u;
	use_rows(&u);
	missing_features(&u);
	u.options.message_bytes = 10;
	assert_int_equal(run_use(&u), DLRT_CPU);
	assert_string_equal(u.message, "model \"ad");
	assert_int_equal(u.message[10], 'x');
}

/* ---- Right use ------------------------------------------------------------------------------------------------- */

static void test_run(void **state)
{
	(void)state;
	use u;
	use_rows(&u);
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_string_equal(u.message, "");
	assert_sums(&u);
	assert_int_equal(u.outputs[1].type, DLRT_F32);
	assert_int_equal(u.outputs[1].rank, 1);
	assert_int_equal(u.outputs[1].dims[0], 2 * ROWS);
	assert_true(u.twice[2 * ROWS - 1] == 2 * ROWS - 1);

	/* Now the outputs are described, and right. */
	u.sum[0] = -1;
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_sums(&u);

	u.options.workspace = NULL;
	u.options.workspace_bytes = 0;
	u.sum[0] = -1;
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_sums(&u);

	u.sum[0] = -1;
	assert_int_equal(dlrt_run(&u.model, u.inputs, u.outputs, NULL), DLRT_OK);
	assert_sums(&u);
}

static void test_static(void **state)
{
	(void)state;
	float a[4] = {1, 2, 3, 4}, b[4] = {10, 20, 30, 40}, sum[4] = {0};
	const dlrt_tensor in[2] = {{a, DLRT_F32, 1, {4}}, {b, DLRT_F32, 1, {4}}};
	dlrt_tensor out = {.data = sum};
	assert_int_equal(dlrt_run(&add_static, in, &out, NULL), DLRT_OK);
	assert_true(sum[0] == 11 && sum[3] == 44);
	size_t bytes = 1;
	assert_int_equal(dlrt_workspace_size(&add_static, in, &bytes), DLRT_OK);
	assert_int_equal(bytes, 0);
}

static void test_external_weights(void **state)
{
	(void)state;
	_Alignas(DLRT_WORKSPACE_ALIGN) float weight = 1000;
	dlrt_model m = add_static;
	m.flags = DLRT_MODEL_EXTERNAL_WEIGHTS;
	m.weights = NULL;
	float a[4] = {1, 2, 3, 4}, sum[4] = {0};
	const dlrt_tensor in[2] = {{a, DLRT_F32, 1, {4}}, {a, DLRT_F32, 1, {4}}};
	dlrt_tensor out = {.data = sum};
	dlrt_options o = {.weights = &weight, .weights_bytes = sizeof weight};
	assert_int_equal(dlrt_run(&m, in, &out, &o), DLRT_OK);
	assert_true(sum[1] == 1004);
	assert_int_equal(dlrt_run(&m, in, &out, NULL), DLRT_WEIGHTS);
	assert_int_equal(dlrt_run_typed(&m, (const void *[]){a, a}, (void *[]){sum}, NULL, NULL, NULL), DLRT_WEIGHTS);
}

static void test_shapes(void **state)
{
	(void)state;
	use u;
	use_rows(&u);
	u.inputs[0].data = u.inputs[1].data = NULL;
	assert_int_equal(dlrt_infer_shapes(&u.model, u.inputs, u.outputs, &u.options), DLRT_OK);
	assert_ptr_equal(u.outputs[0].data, u.sum);
	assert_int_equal(u.outputs[0].type, DLRT_F32);
	assert_int_equal(u.outputs[0].rank, 2);
	assert_int_equal(u.outputs[0].dims[0], ROWS);
	assert_int_equal(u.outputs[0].dims[1], 3);
	assert_int_equal(u.outputs[1].dims[0], 2 * ROWS);
	u.inputs[1].dims[0] = 6;
	assert_int_equal(dlrt_infer_shapes(&u.model, u.inputs, u.outputs, &u.options), DLRT_DIMS);
	assert_string_equal(u.message, "input \"b\": dim 0 is 6, but symbol \"N\" is 5");
	assert_int_equal(dlrt_infer_shapes(&u.model, u.inputs, NULL, NULL), DLRT_DIMS);
	u.inputs[1].dims[0] = ROWS;
	assert_int_equal(dlrt_infer_shapes(&u.model, u.inputs, NULL, NULL), DLRT_NULL);
}

static void test_workspace_size(void **state)
{
	(void)state;
	use u;
	size_t bytes = 1;
	use_rows(&u);
	assert_int_equal(dlrt_workspace_size(&u.model, u.inputs, &bytes), DLRT_OK);
	assert_int_equal(bytes, 12 * ROWS);
	assert_int_equal(dlrt_workspace_size(&u.model, NULL, &bytes), DLRT_OK);
	assert_int_equal(bytes, 12000);
	u.inputs[0].dims[0] = 0;
	assert_int_equal(dlrt_workspace_size(&u.model, u.inputs, &bytes), DLRT_DIMS);
	assert_int_equal(bytes, 0);
	assert_int_equal(dlrt_workspace_size(&positive, NULL, &bytes), DLRT_RANGE);
	const dlrt_tensor large = {NULL, DLRT_F32, 1, {(INT64_C(1) << 40) + 1}};
	assert_int_equal(dlrt_workspace_size(&positive, &large, &bytes), DLRT_RANGE);
}

/* Every size has all its bytes, aligned, on either side of what may be huge pages. */
static dlrt_status fill_workspace(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                                  const dlrt_context *context)
{
	(void)outputs, (void)symbols, (void)context;
	if ((uintptr_t)workspace % DLRT_WORKSPACE_ALIGN)
		return DLRT_ALIGN;
	memset(workspace, 1, (size_t)*(const uint64_t *)inputs[0]);
	return DLRT_OK;
}

static void test_own_workspace(void **state)
{
	(void)state;
	enum { HUGE = 2 << 20 };
	static const size_t sizes[] = {1, 64, 65, 100000, HUGE - 1, HUGE, HUGE + 1, HUGE + HUGE / 4, 2 * HUGE - 5, 5 * HUGE + 77};
	const dlrt_port port = {.name = "x", .type = DLRT_U64};
	dlrt_model m = {.abi = DLRT_ABI, .name = "fill", .n_inputs = 1, .inputs = &port, .run = fill_workspace};
	for (size_t i = 0; i < 2 * (sizeof sizes / sizeof *sizes); i++) {
		uint64_t bytes = sizes[i / 2];
		m.workspace_bytes = bytes;
		assert_int_equal(dlrt_run_typed(&m, (const void *[]){&bytes}, NULL, NULL, NULL, NULL), DLRT_OK);
	}
	m.workspace_bytes = PTRDIFF_MAX;
	assert_int_equal(dlrt_run_typed(&m, (const void *[]){&m.workspace_bytes}, NULL, NULL, NULL, NULL), DLRT_MEMORY);
}

static void test_allocator(void **state)
{
	(void)state;
	use u;
	counter c = {0};
	use_rows(&u);
	u.options.workspace = NULL;
	u.options.alloc = count_alloc;
	u.options.release = count_release;
	u.options.alloc_user = &c;
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_sums(&u);
	u.model.run = run_failing;
	assert_int_equal(run_use(&u), DLRT_DATA);
	assert_int_equal(c.live, 0);
	assert_int_equal(c.bytes, 0);
}

static void test_data_dependent(void **state)
{
	(void)state;
	float x[5] = {-1, 2, 0, 4, 5};
	dlrt_tensor in = {x, DLRT_F32, 1, {5}};
	dlrt_tensor out = {0};
	assert_int_equal(dlrt_infer_shapes(&positive, &in, &out, NULL), DLRT_OK);
	assert_int_equal(out.dims[0], -1);
	assert_int_equal(dlrt_run(&positive, &in, &out, NULL), DLRT_OK);
	assert_int_equal(out.dims[0], 3);
	assert_true(((float *)out.data)[0] == 2 && ((float *)out.data)[2] == 5);
	free(out.data);

	in.dims[0] = 0;
	in.data = NULL;
	assert_int_equal(dlrt_run(&positive, &in, &out, NULL), DLRT_OK);
	assert_int_equal(out.dims[0], 0);
	free(out.data);

	in = (dlrt_tensor){x, DLRT_F32, 1, {5}};
	out.data = x;
	x[2] = (float)(0.0 * (1e308 * 10));
	assert_int_equal(dlrt_run(&positive, &in, &out, NULL), DLRT_DATA);
	assert_null(out.data);

	x[2] = 0;
	const int64_t n = 5;
	assert_int_equal(dlrt_run_typed(&positive, (const void *[]){x}, (void *[]){x}, &n, NULL, NULL), DLRT_MEMORY);
}

/* A model with too many ports for the small frame. */
static dlrt_status run_many(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                            const dlrt_context *context)
{
	(void)workspace, (void)symbols, (void)context;
	float sum = 0;
	for (int i = 0; i < 500; i++)
		sum += *(const float *)inputs[i];
	*(float *)outputs[0] = sum;
	return DLRT_OK;
}

static void test_many_inputs(void **state)
{
	(void)state;
	static dlrt_port ports[500];
	static dlrt_tensor in[500];
	static float values[500];
	float sum = 0;
	for (int i = 0; i < 500; i++) {
		ports[i] = (dlrt_port){.name = "p", .type = DLRT_F32};
		values[i] = (float)i;
		in[i] = (dlrt_tensor){.data = &values[i], .type = DLRT_F32};
	}
	dlrt_model m = {
		.abi = DLRT_ABI, .name = "many", .n_inputs = 500, .n_outputs = 1,
		.inputs = ports, .outputs = ports, .run = run_many,
	};
	dlrt_tensor out = {.data = &sum};
	assert_int_equal(dlrt_run(&m, in, &out, NULL), DLRT_OK);
	assert_true(sum == 499 * 250);
}

static void test_typed(void **state)
{
	(void)state;
	use u;
	use_rows(&u);
	const void *in[] = {u.a, u.b};
	void *out[] = {u.sum, u.twice};
	int64_t n = ROWS;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, u.workspace, NULL), DLRT_OK);
	assert_sums(&u);
	u.sum[1] = 0;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_OK);
	assert_sums(&u);
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, u.workspace + 8, NULL), DLRT_ALIGN);
	assert_int_equal(dlrt_run_typed(&u.model, in, out, NULL, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_run_typed(&u.model, NULL, out, &n, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_run_typed(&u.model, in, NULL, &n, NULL, NULL), DLRT_NULL);
	in[1] = NULL;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_NULL);
	in[1] = (char *)u.b + 1;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_ALIGN);
	in[1] = u.b;
	out[0] = NULL;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_NULL);
	out[0] = u.sum;
	n = 0;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_RANGE);
	n = 1001;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_RANGE);
	n = ROWS;
	missing_features(&u);
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_CPU);
	u.model.abi++;
	assert_int_equal(dlrt_run_typed(&u.model, in, out, &n, NULL, NULL), DLRT_VERSION);

	const void *no_elements = NULL;
	n = 0;
	assert_int_equal(dlrt_run_typed(&positive, &no_elements, (void *[]){u.sum}, &n, NULL, NULL), DLRT_MEMORY);
}

static void test_no_allocation(void **state)
{
	(void)state;
#ifdef COUNTS_ALLOCATIONS
	use u;
	use_rows(&u);
	dlrt_threads *threads = dlrt_threads_new(3);
	assert_non_null(threads);
	u.options.threads = threads;
	int64_t n = ROWS;
	int before = n_allocations;
	void *volatile probe = aligned_alloc(64, 64);
	free(probe);
	if (n_allocations == before) {   /* a tool like valgrind has its own */
		dlrt_threads_free(threads);
		skip();
	}
	before = n_allocations;
	for (int i = 0; i < 100; i++) {
		dlrt_status generic = run_use(&u);
		dlrt_status typed = dlrt_run_typed(&u.model, (const void *[]){u.a, u.b}, (void *[]){u.sum, u.twice}, &n,
		                                   u.workspace, threads);
		assert_int_equal(generic | typed, DLRT_OK);
	}
	assert_int_equal(n_allocations, before);

	u.options.workspace = NULL;
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_int_equal(n_allocations, before + 1);
	dlrt_threads_free(threads);
#else
	skip();
#endif
}

/* ---- Profile --------------------------------------------------------------------------------------------------- */

/* Every reading is 7, 8, 9... times 10 later than the last. */
static uint64_t slowing_clock(void *user)
{
	uint64_t *state = user;
	state[0] += 10 * (7 + state[1]++);
	return state[0];
}

static void test_profile(void **state)
{
	(void)state;
	use u;
	use_rows(&u);
	uint64_t clock[2] = {0};
	assert_int_equal(dlrt_profile_init(&u.profile, u.entries, 1, slowing_clock, clock), DLRT_OK);
	u.options.profile = &u.profile;
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_use(&u), DLRT_OK);
	assert_int_equal(u.entries[0].count, 3);
	assert_int_equal(u.entries[0].total_ns, 80 + 100 + 120);
	assert_int_equal(u.entries[0].min_ns, 80);
	assert_int_equal(u.entries[1].count, 0);

	assert_int_equal(dlrt_profile_init(&u.profile, u.entries, 1, NULL, NULL), DLRT_OK);
	assert_int_equal(u.entries[0].count, 0);
	assert_int_equal(run_use(&u), DLRT_OK);
	assert_int_equal(u.entries[0].count, 1);
	assert_true(u.entries[0].total_ns == u.entries[0].min_ns);

	assert_int_equal(dlrt_profile_init(NULL, u.entries, 1, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_profile_init(&u.profile, NULL, 1, NULL, NULL), DLRT_NULL);
	assert_int_equal(dlrt_profile_init(&u.profile, NULL, 0, NULL, NULL), DLRT_OK);
	assert_int_equal(dlrt_profile_init(&u.profile, u.entries, -1, NULL, NULL), DLRT_COUNT);
}

/* ---- Types, sizes, texts --------------------------------------------------------------------------------------- */

typedef struct type_case {
	dlrt_type type;
	int bits;
	const char *name;
	size_t bytes_of_5;
} type_case;

static const type_case type_cases[] = {
	{DLRT_UNDEFINED, 0, "undefined", 0}, {DLRT_F32, 32, "f32", 20},       {DLRT_U8, 8, "u8", 5},
	{DLRT_I8, 8, "i8", 5},               {DLRT_U16, 16, "u16", 10},       {DLRT_I16, 16, "i16", 10},
	{DLRT_I32, 32, "i32", 20},           {DLRT_I64, 64, "i64", 40},       {DLRT_BOOL, 8, "bool", 5},
	{DLRT_F16, 16, "f16", 10},           {DLRT_F64, 64, "f64", 40},       {DLRT_U32, 32, "u32", 20},
	{DLRT_U64, 64, "u64", 40},           {DLRT_C64, 64, "c64", 40},       {DLRT_C128, 128, "c128", 80},
	{DLRT_BF16, 16, "bf16", 10},         {DLRT_F8E4M3FN, 8, "f8e4m3fn", 5}, {DLRT_F8E4M3FNUZ, 8, "f8e4m3fnuz", 5},
	{DLRT_F8E5M2, 8, "f8e5m2", 5},       {DLRT_F8E5M2FNUZ, 8, "f8e5m2fnuz", 5}, {DLRT_U4, 4, "u4", 3},
	{DLRT_I4, 4, "i4", 3},               {DLRT_F4E2M1, 4, "f4e2m1", 3},   {DLRT_F8E8M0, 8, "f8e8m0", 5},
	{DLRT_U2, 2, "u2", 2},               {DLRT_I2, 2, "i2", 2},           {(dlrt_type)27, 0, "undefined", 0},
	{(dlrt_type)-1, 0, "undefined", 0},  {DLRT_STRING, 8 * (int)sizeof(dlrt_string), "string", 5 * sizeof(dlrt_string)},
};

static void test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(type_cases); i++) {
		const type_case *t = &type_cases[i];
		assert_int_equal(dlrt_type_bits(t->type), t->bits);
		assert_string_equal(dlrt_type_name(t->type), t->name);
		const dlrt_tensor tensor = {NULL, t->type, 1, {5}};
		size_t bytes = 0;
		assert_int_equal(dlrt_tensor_bytes(&tensor, &bytes), t->bits ? DLRT_OK : DLRT_TYPE);
		assert_int_equal(bytes, t->bytes_of_5);
	}
}

typedef struct size_case {
	dlrt_tensor tensor;
	dlrt_status status;
	size_t bytes;
} size_case;

static const size_case size_cases[] = {
	{{NULL, DLRT_F32, 0, {0}}, DLRT_OK, 4},
	{{NULL, DLRT_F32, 3, {2, 3, 4}}, DLRT_OK, 96},
	{{NULL, DLRT_F32, 3, {2, 0, 4}}, DLRT_OK, 0},
	{{NULL, DLRT_F32, 3, {INT64_MAX, INT64_MAX, 0}}, DLRT_OK, 0},
	{{NULL, DLRT_I8, 2, {INT64_MAX, 2}}, DLRT_RANGE, 0},
	{{NULL, DLRT_I4, 2, {INT64_C(1) << 32, INT64_C(1) << 32}}, DLRT_RANGE, 0},
	{{NULL, DLRT_I8, 2, {2, -1}}, DLRT_DIMS, 0},
	{{NULL, DLRT_I8, DLRT_MAX_RANK, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9}}, DLRT_OK, 9},
	{{NULL, DLRT_I8, DLRT_MAX_RANK + 1, {1}}, DLRT_RANK, 0},
	{{NULL, DLRT_I8, -1, {1}}, DLRT_RANK, 0},
};

static void test_tensor_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(size_cases); i++) {
		size_t bytes = 0;
		assert_int_equal(dlrt_tensor_bytes(&size_cases[i].tensor, &bytes), size_cases[i].status);
		assert_int_equal(bytes, size_cases[i].bytes);
	}
	size_t bytes;
	assert_int_equal(dlrt_tensor_bytes(NULL, &bytes), DLRT_NULL);
	assert_int_equal(dlrt_tensor_bytes(&size_cases[0].tensor, NULL), DLRT_NULL);
}

static void test_strerror(void **state)
{
	(void)state;
	for (int i = 0; i <= DLRT_STATUS_LAST; i++) {
		const char *text = dlrt_strerror((dlrt_status)i);
		assert_non_null(text);
		assert_string_not_equal(text, "unknown status");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(text, dlrt_strerror((dlrt_status)k));
	}
	assert_string_equal(dlrt_strerror((dlrt_status)-1), "unknown status");
	assert_string_equal(dlrt_strerror((dlrt_status)(DLRT_STATUS_LAST + 1)), "unknown status");
}

static void test_cpu_features(void **state)
{
	(void)state;
	uint64_t features = dlrt_cpu_features();
	assert_true(features >> DLRT_CPU_KNOWN & 1);
	assert_true(features == dlrt_cpu_features());
#if defined(__x86_64__) && defined(__GNUC__)
	assert_int_equal(features >> DLRT_CPU_SSE42 & 1, !!__builtin_cpu_supports("sse4.2"));
	assert_int_equal(features >> DLRT_CPU_AVX2 & 1, !!__builtin_cpu_supports("avx2"));
	assert_int_equal(features >> DLRT_CPU_FMA & 1, !!__builtin_cpu_supports("fma"));
	assert_int_equal(features >> DLRT_CPU_BMI2 & 1, !!__builtin_cpu_supports("bmi2"));
	assert_int_equal(features >> DLRT_CPU_AVX512F & 1, !!__builtin_cpu_supports("avx512f"));
	assert_int_equal(features >> DLRT_CPU_AVX512VL & 1, !!__builtin_cpu_supports("avx512vl"));
	assert_int_equal(features >> DLRT_CPU_AVX512VNNI & 1, !!__builtin_cpu_supports("avx512vnni"));
	assert_int_equal(features >> DLRT_CPU_AVX512BF16 & 1, !!__builtin_cpu_supports("avx512bf16"));
	assert_int_equal(features >> DLRT_CPU_GFNI & 1, !!__builtin_cpu_supports("gfni"));
#elif defined(__aarch64__)
	assert_true(features >> DLRT_CPU_NEON & 1);
#endif
}

/* ---- Code for several CPUs --------------------------------------------------------------------------------------- */

#define FUTURE(bit) (UINT64_C(1) << (bit)) /* features that no machine has */
enum { MAX_VARIANTS = 3 };

static const void *ran; /* the weights of the variant that ran last */

static dlrt_status run_and_tell(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                                const dlrt_context *context)
{
	(void)inputs, (void)outputs, (void)workspace, (void)symbols;
	ran = context->weights;
	return DLRT_OK;
}

typedef struct several {
	dlrt_model variants[MAX_VARIANTS], model;
	const dlrt_model *list[MAX_VARIANTS];
} several;

/* Variants that need these features; each its own workspace size.  The model needs what all of them do. */
static void make_several(several *s, int n, const uint64_t *features)
{
	static const char *const names[MAX_VARIANTS] = {"first", "second", "third"};
	s->model = (dlrt_model){.abi = DLRT_ABI, .name = "net", .cpu = "all of them", .cpu_features = ~UINT64_C(0),
	                        .workspace_align = 64, .workspace_bytes = 64 * MAX_VARIANTS, .n_variants = n, .variants = s->list};
	for (int i = 0; i < n; i++) {
		s->variants[i] = s->model;
		s->variants[i].n_variants = 0;
		s->variants[i].variants = NULL;
		s->variants[i].cpu = names[i];
		s->variants[i].cpu_features = features[i];
		s->variants[i].workspace_bytes = 64 * ((uint64_t)i + 1);
		s->variants[i].run = run_and_tell;
		s->variants[i].weights = &s->variants[i];
		s->list[i] = &s->variants[i];
		s->model.cpu_features &= features[i];
	}
}

static void test_variants(void **state)
{
	static const struct {
		int n;
		uint64_t features[MAX_VARIANTS];
		int picked; /* -1: none */
		const char *message;
	} rows[] = {
		{1, {0}, 0, ""},
		{2, {0, 0}, 0, ""},
		{2, {FUTURE(59), 0}, 1, ""},
		{3, {FUTURE(59) | FUTURE(60), FUTURE(60), 0}, 2, ""},
		{3, {FUTURE(59), 0, FUTURE(60)}, 1, ""},
		{2, {FUTURE(59) | FUTURE(60), FUTURE(60)}, -1,
		 "model \"net\" is compiled for all of them, and this CPU lacks feature 60"},
		{3, {FUTURE(59) | FUTURE(60), FUTURE(61), FUTURE(60) | FUTURE(62)}, -1,
		 "model \"net\" is compiled for all of them, and this CPU lacks for second feature 61"},
		{2, {FUTURE(59), FUTURE(60)}, -1, "model \"net\" is compiled for all of them, and this CPU lacks for second feature 60"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		several s;
		char message[200];
		_Alignas(DLRT_WORKSPACE_ALIGN) char workspace[64 * MAX_VARIANTS];
		size_t bytes = 7;
		make_several(&s, rows[i].n, rows[i].features);
		const dlrt_model *wanted = rows[i].picked < 0 ? NULL : &s.variants[rows[i].picked];
		dlrt_status status = wanted ? DLRT_OK : DLRT_CPU;
		dlrt_options o = {.workspace = workspace, .workspace_bytes = 64 * (size_t)(rows[i].picked + 1),
		                  .message = message, .message_bytes = sizeof message};
		assert_ptr_equal(dlrt_variant(&s.model), wanted);
		ran = NULL;
		assert_int_equal(dlrt_run(&s.model, NULL, NULL, &o), status);
		assert_string_equal(message, rows[i].message);
		assert_ptr_equal(ran, wanted);
		ran = NULL;
		assert_int_equal(dlrt_run_typed(&s.model, NULL, NULL, NULL, workspace, NULL), status);
		assert_ptr_equal(ran, wanted);
		assert_int_equal(dlrt_workspace_size(&s.model, NULL, &bytes), status);
		assert_int_equal(bytes, wanted ? wanted->workspace_bytes : 0);
		o.workspace_bytes--; /* the size is that of the variant, not of the largest one */
		assert_int_equal(dlrt_run(&s.model, NULL, NULL, &o), wanted ? DLRT_WORKSPACE : DLRT_CPU);
	}
}

/* A variant is a model: a caller may pass the one that it wants. */
static void test_variant_itself(void **state)
{
	several s;
	(void)state;
	make_several(&s, 3, (const uint64_t[]){0, 0, FUTURE(59)});
	assert_ptr_equal(dlrt_variant(&s.variants[1]), &s.variants[1]);
	assert_int_equal(dlrt_run(&s.variants[1], NULL, NULL, NULL), DLRT_OK);
	assert_ptr_equal(ran, &s.variants[1]);
	assert_int_equal(dlrt_run(&s.variants[2], NULL, NULL, NULL), DLRT_CPU);
	assert_null(dlrt_variant(&s.variants[2]));
	assert_null(dlrt_variant(NULL));
	s.model.abi++;
	assert_null(dlrt_variant(&s.model));
}

/* ---- Bodies for certain sizes ------------------------------------------------------------------------------------- */

enum { FOR_4, ANY_SIZE, OLD_FOR_4, OLD, N_BODIES };

static dlrt_status run_sized(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                             const dlrt_context *context)
{
	(void)inputs, (void)outputs, (void)workspace;
	assert_in_range(symbols[0], 1, 8);
	ran = context->weights;
	return DLRT_OK;
}

/* x: f32[N] with N in 1..8; the bodies in the order of a model: for N = 4 and for all on a better and on an older CPU. */
typedef struct sized {
	dlrt_dim dim;
	dlrt_port port;
	dlrt_symbol any, four;
	dlrt_model variants[N_BODIES], model;
	const dlrt_model *list[N_BODIES];
} sized;

static void make_sized(sized *s, uint64_t better)
{
	s->dim = (dlrt_dim){.symbol = 0};
	s->port = (dlrt_port){"x", DLRT_F32, 1, &s->dim};
	s->any = (dlrt_symbol){"N", 1, 8};
	s->four = (dlrt_symbol){"N", 4, 4};
	s->model = (dlrt_model){.abi = DLRT_ABI, .name = "net", .cpu = "both", .n_inputs = 1, .n_symbols = 1, .inputs = &s->port,
	                        .symbols = &s->any, .workspace_align = 64, .workspace_bytes = 64 * N_BODIES, .n_variants = N_BODIES,
	                        .variants = s->list};
	for (int i = 0; i < N_BODIES; i++) {
		dlrt_model *v = &s->variants[i];
		*v = s->model;
		v->n_variants = 0;
		v->variants = NULL;
		v->cpu_features = i < OLD_FOR_4 ? better : 0;
		v->symbols = i % 2 ? &s->any : &s->four;
		v->workspace_bytes = 64 * ((uint64_t)N_BODIES - (uint64_t)i);
		v->run = run_sized;
		v->weights = v;
		s->list[i] = v;
	}
}

static void test_sizes(void **state)
{
	static const struct {
		bool better;
		int64_t n;
		int ran; /* -1: none */
		dlrt_status status;
		const char *message;
	} rows[] = {
		{true, 4, FOR_4, DLRT_OK, ""},
		{true, 1, ANY_SIZE, DLRT_OK, ""},
		{true, 8, ANY_SIZE, DLRT_OK, ""},
		{false, 4, OLD_FOR_4, DLRT_OK, ""},
		{false, 5, OLD, DLRT_OK, ""},
		{true, 9, -1, DLRT_RANGE, "symbol \"N\" is 9, which is outside 1..8"},
		{false, 0, -1, DLRT_RANGE, "symbol \"N\" is 0, which is outside 1..8"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		sized s;
		char message[200];
		float data[8] = {0};
		const void *inputs[] = {data};
		_Alignas(DLRT_WORKSPACE_ALIGN) char workspace[64 * N_BODIES];
		size_t bytes = 7;
		make_sized(&s, rows[i].better ? 0 : FUTURE(59));
		const dlrt_model *wanted = rows[i].ran < 0 ? NULL : &s.variants[rows[i].ran];
		dlrt_tensor x = {.data = data, .type = DLRT_F32, .rank = 1, .dims = {rows[i].n}};
		dlrt_options o = {.workspace = workspace, .workspace_bytes = wanted ? wanted->workspace_bytes : 0,
		                  .message = message, .message_bytes = sizeof message};
		assert_ptr_equal(dlrt_variant(&s.model), &s.variants[rows[i].better ? ANY_SIZE : OLD]);
		assert_ptr_equal(dlrt_variant_for(&s.model, &x), wanted);
		ran = NULL;
		assert_int_equal(dlrt_run(&s.model, &x, NULL, &o), rows[i].status);
		assert_string_equal(message, rows[i].message);
		assert_ptr_equal(ran, wanted);
		ran = NULL;
		assert_int_equal(dlrt_run_typed(&s.model, inputs, NULL, &rows[i].n, workspace, NULL), rows[i].status);
		assert_ptr_equal(ran, wanted);
		assert_int_equal(dlrt_workspace_size(&s.model, &x, &bytes), rows[i].status);
		assert_int_equal(bytes, wanted ? wanted->workspace_bytes : 0);
		assert_int_equal(dlrt_workspace_size(&s.model, NULL, &bytes), DLRT_OK); /* the largest that can run */
		assert_int_equal(bytes, rows[i].better ? 64 * N_BODIES : 64 * (N_BODIES - OLD_FOR_4));
	}
}

/* One for certain sizes can be passed itself, and takes no others. */
static void test_sizes_of_variant(void **state)
{
	sized s;
	char message[200];
	float data[8] = {0};
	dlrt_tensor x = {.data = data, .type = DLRT_F32, .rank = 1, .dims = {4}};
	dlrt_options o = {.message = message, .message_bytes = sizeof message};
	(void)state;
	make_sized(&s, 0);
	assert_int_equal(dlrt_run(&s.variants[FOR_4], &x, NULL, &o), DLRT_OK);
	assert_ptr_equal(ran, &s.variants[FOR_4]);
	assert_ptr_equal(dlrt_variant_for(&s.variants[ANY_SIZE], &x), &s.variants[ANY_SIZE]);
	x.dims[0] = 5;
	assert_int_equal(dlrt_run(&s.variants[FOR_4], &x, NULL, &o), DLRT_RANGE);
	assert_string_equal(message, "symbol \"N\" is 5, which is outside 4..4");
	assert_null(dlrt_variant_for(&s.variants[FOR_4], &x));
	assert_null(dlrt_variant_for(NULL, &x));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_external_weights),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_workspace_size),
		cmocka_unit_test(test_own_workspace),
		cmocka_unit_test(test_allocator),
		cmocka_unit_test(test_data_dependent),
		cmocka_unit_test(test_many_inputs),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_no_allocation),
		cmocka_unit_test(test_wrong_use),
		cmocka_unit_test(test_null_model),
		cmocka_unit_test(test_short_message),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_tensor_bytes),
		cmocka_unit_test(test_strerror),
		cmocka_unit_test(test_cpu_features),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_variant_itself),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_of_variant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
