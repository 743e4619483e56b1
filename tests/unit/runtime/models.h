/* Hand-written models, shaped as dlcc emits them, for the tests of the runtime.
 *
 * add_static   a, b: f32[4]                      -> sum: f32[4]
 * add_rows     a, b: f32[N,3], N in 1..1000      -> sum: f32[N,3], twice: f32[2*N]   (parallel over rows, workspace 12*N)
 * positive     x: f32[N], N unbounded            -> kept: f32[data-dependent]        (allocates; fails on a NaN)  */
#ifndef MODELS_H
#define MODELS_H

#include "runtime/dlrt.h"

#define CONSTANT(n) {.value = (n), .symbol = DLRT_DIM_CONSTANT}
#define SYMBOL(i) {.symbol = (i)}
#define COMPUTED {.symbol = DLRT_DIM_COMPUTED}

static dlrt_status run_static(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                              const dlrt_context *context)
{
	(void)workspace;
	(void)symbols;
	const float *a = inputs[0], *b = inputs[1], *weight = context->weights;
	float *sum = outputs[0];
	for (int i = 0; i < 4; i++)
		sum[i] = a[i] + b[i] + *weight;
	return DLRT_OK;
}

static const dlrt_dim dims_4[] = {CONSTANT(4)};
static const float zero_weight = 0;

static const dlrt_model add_static = {
	.abi = DLRT_ABI,
	.name = "add_static",
	.compiler = "by hand",
	.cpu = "any",
	.n_inputs = 2,
	.n_outputs = 1,
	.inputs = (const dlrt_port[]){{"a", DLRT_F32, 1, dims_4}, {"b", DLRT_F32, 1, dims_4}},
	.outputs = (const dlrt_port[]){{"sum", DLRT_F32, 1, dims_4}},
	.workspace_align = 64,
	.run = run_static,
	.weights = &zero_weight,
	.weights_bytes = sizeof zero_weight,
};

typedef struct rows_args {
	const float *a, *b;
	float *scratch;
} rows_args;

static void add_rows_task(void *user, int64_t begin, int64_t end)
{
	rows_args *r = user;
	for (int64_t i = begin * 3; i < end * 3; i++)
		r->scratch[i] = r->a[i] + r->b[i];
}

static dlrt_status run_rows(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
                            const dlrt_context *context)
{
	int64_t n = symbols[0];
	rows_args r = {inputs[0], inputs[1], workspace};
	if (context->profile)
		context->profile(context->profile_user, 0, 0);
	if (context->parallel)
		context->parallel(context->pool, add_rows_task, &r, n);
	else
		add_rows_task(&r, 0, n);
	if (context->profile)
		context->profile(context->profile_user, 0, 1);
	float *sum = outputs[0], *twice = outputs[1];
	for (int64_t i = 0; i < 3 * n; i++)
		sum[i] = r.scratch[i];
	for (int64_t i = 0; i < 2 * n; i++)
		twice[i] = (float)i;
	return DLRT_OK;
}

static dlrt_status rows_workspace(const int64_t *symbols, uint64_t *bytes)
{
	*bytes = (uint64_t)symbols[0] * 12;
	return DLRT_OK;
}

static dlrt_status rows_dims(const int64_t *symbols, int64_t *dims)
{
	int64_t n = symbols[0];
	const int64_t all[] = {n, 3, n, 3, n, 3, 2 * n};
	for (int i = 0; i < 7; i++)
		dims[i] = all[i];
	return DLRT_OK;
}

static const dlrt_dim dims_rows[] = {SYMBOL(0), CONSTANT(3)};

static const dlrt_model add_rows = {
	.abi = DLRT_ABI,
	.name = "add_rows",
	.compiler = "by hand",
	.cpu = "any",
	.n_inputs = 2,
	.n_outputs = 2,
	.n_symbols = 1,
	.n_kernels = 1,
	.inputs = (const dlrt_port[]){{"a", DLRT_F32, 2, dims_rows}, {"b", DLRT_F32, 2, dims_rows}},
	.outputs = (const dlrt_port[]){{"sum", DLRT_F32, 2, dims_rows},
	                               {"twice", DLRT_F32, 1, (const dlrt_dim[]){COMPUTED}}},
	.symbols = (const dlrt_symbol[]){{"N", 1, 1000}},
	.kernels = (const dlrt_kernel_info[]){{"add", "node 0", -1, -1}},
	.workspace_bytes = 12000,
	.workspace_align = 64,
	.workspace = rows_workspace,
	.dims = rows_dims,
	.run = run_rows,
};

static dlrt_status run_positive(const void *const *inputs, void *const *outputs, void *workspace,
                                const int64_t *symbols, const dlrt_context *context)
{
	(void)workspace;
	const float *x = inputs[0];
	size_t n = 0;
	for (int64_t i = 0; i < symbols[0]; i++) {
		if (x[i] != x[i])
			return DLRT_DATA;
		n += x[i] > 0;
	}
	if (outputs[0] || !context->alloc)
		return DLRT_MEMORY;
	float *kept = context->alloc(context->alloc_user, n ? n * sizeof *kept : 1, 64);
	if (!kept)
		return DLRT_MEMORY;
	context->outputs[0].data = kept;
	context->outputs[0].dims[0] = (int64_t)n;
	for (int64_t i = 0; i < symbols[0]; i++)
		if (x[i] > 0)
			*kept++ = x[i];
	return DLRT_OK;
}

static dlrt_status positive_workspace(const int64_t *symbols, uint64_t *bytes)
{
	*bytes = 0;
	return symbols[0] > INT64_C(1) << 40 ? DLRT_RANGE : DLRT_OK;
}

static const dlrt_model positive = {
	.abi = DLRT_ABI,
	.name = "positive",
	.compiler = "by hand",
	.cpu = "any",
	.n_inputs = 1,
	.n_outputs = 1,
	.n_symbols = 1,
	.inputs = (const dlrt_port[]){{"x", DLRT_F32, 1, (const dlrt_dim[]){SYMBOL(0)}}},
	.outputs = (const dlrt_port[]){{"kept", DLRT_F32, 1, (const dlrt_dim[]){COMPUTED}}},
	.symbols = (const dlrt_symbol[]){{"N", 0, INT64_MAX}},
	.workspace_bytes = UINT64_MAX,
	.workspace_align = 64,
	.workspace = positive_workspace,
	.run = run_positive,
};

#endif
