/* A model linked into a C program: how soon its first answer is there, and whether many threads that run one object at once,
 * each on its own workspace, always get the same bits.  bench/linked compiles, links and calls it.
 *
 * usage: linked bytes               the bytes of all inputs
 *        linked start BYTES [own]   first and steady run: milliseconds by the clock, then of CPU time
 *        linked callers SECONDS     the threads
 *
 * The clock of `start` begins before anything of the model or the runtime was touched: it covers the look at the descriptor,
 * shapes, memory for outputs and workspace (the runtime's, or with `own` one of aligned_alloc, kept for all runs), the checks
 * and the run, with every page of weights, code and workspace that has to be mapped for it.  It does not cover the input, which
 * a program has from elsewhere; that is a block of BYTES, made before.  Dynamic dimensions are 1. */
#define _GNU_SOURCE
#include "dlrt.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const dlrt_model model;

enum { CALLERS = 8, MAX_PORTS = 64, STEADY_RUNS = 31, ALIGN = DLRT_WORKSPACE_ALIGN };
enum { INPUT_BYTE = 0x3c }; /* f32 0.0115, f16 1.06; an index beyond its axis means the last element */

typedef struct caller {
	dlrt_tensor inputs[MAX_PORTS], outputs[MAX_PORTS];
	void *workspace; /* NULL: the runtime's */
	size_t workspace_bytes;
	long runs, differences;
} caller;

static caller first;
static double deadline;

static double seconds_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(dlrt_status status, const char *what)
{
	if (status == DLRT_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, dlrt_strerror(status));
	exit(1);
}

static size_t bytes_of(const dlrt_tensor *t)
{
	size_t n = 0;
	check(dlrt_tensor_bytes(t, &n), "size");
	return n;
}

static size_t rounded(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

static void *memory(size_t bytes)
{
	void *p = aligned_alloc(ALIGN, rounded(bytes + 1));
	if (!p)
		exit(2);
	return p;
}

/* ---- ports ---------------------------------------------------------------------------------------------------------- */

static size_t describe_inputs(caller *c)
{
	size_t all = 0;
	if (model.n_inputs > MAX_PORTS || model.n_outputs > MAX_PORTS)
		exit(2);
	for (int i = 0; i < model.n_inputs; i++) {
		const dlrt_port *p = &model.inputs[i];
		c->inputs[i].type = (dlrt_type)p->type;
		c->inputs[i].rank = p->rank;
		for (int k = 0; k < p->rank; k++)
			c->inputs[i].dims[k] = p->dims[k].symbol >= 0 ? 1 : p->dims[k].value;
		all += rounded(bytes_of(&c->inputs[i]));
	}
	return all;
}

static void use_inputs(caller *c, char *block)
{
	for (int i = 0; i < model.n_inputs; i++) {
		c->inputs[i].data = block;
		block += rounded(bytes_of(&c->inputs[i]));
	}
}

static void prepare_outputs(caller *c, int own_workspace)
{
	check(dlrt_infer_shapes(&model, c->inputs, c->outputs, NULL), "shapes");
	for (int i = 0; i < model.n_outputs; i++)
		c->outputs[i].data = memory(bytes_of(&c->outputs[i]));
	if (!own_workspace)
		return;
	check(dlrt_workspace_size(&model, c->inputs, &c->workspace_bytes), "workspace");
	c->workspace = memory(c->workspace_bytes);
}

static void run(caller *c)
{
	dlrt_options options = {.workspace = c->workspace, .workspace_bytes = c->workspace_bytes};
	check(dlrt_run(&model, c->inputs, c->outputs, &options), "run");
}

/* ---- the first answer ----------------------------------------------------------------------------------------------- */

static int is_less(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;
	return (a > b) - (a < b);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, is_less);
	return v[n / 2];
}

static int start(size_t bytes, int own_workspace)
{
	static double wall[STEADY_RUNS], cpu[STEADY_RUNS];
	char *block = memory(bytes);
	memset(block, INPUT_BYTE, bytes);
	double cpu_began = seconds_of(CLOCK_THREAD_CPUTIME_ID), began = seconds_of(CLOCK_MONOTONIC);
	describe_inputs(&first);
	use_inputs(&first, block);
	prepare_outputs(&first, own_workspace);
	run(&first);
	double answered = seconds_of(CLOCK_MONOTONIC) - began, worked = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_began;
	for (int i = 0; i < STEADY_RUNS; i++) {
		cpu_began = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		began = seconds_of(CLOCK_MONOTONIC);
		run(&first);
		wall[i] = seconds_of(CLOCK_MONOTONIC) - began;
		cpu[i] = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_began;
	}
	printf("%.3f %.3f %.3f %.3f\n", 1e3 * answered, 1e3 * median(wall, STEADY_RUNS), 1e3 * worked,
	       1e3 * median(cpu, STEADY_RUNS));
	return 0;
}

/* ---- many callers --------------------------------------------------------------------------------------------------- */

static void fill(const dlrt_tensor *t)
{
	size_t bytes = bytes_of(t);
	memset(t->data, 0, bytes);
	for (size_t i = 0; t->type == DLRT_F32 && i < bytes / sizeof(float); i++)
		((float *)t->data)[i] = (float)(i * 7919 % 1000) / 1000.0f - 0.5f;
}

static void prepare(caller *c)
{
	use_inputs(c, memory(describe_inputs(c)));
	for (int i = 0; i < model.n_inputs; i++)
		fill(&c->inputs[i]);
	prepare_outputs(c, 1);
}

static void *run_until_deadline(void *arg)
{
	caller *c = arg;
	while (seconds_of(CLOCK_MONOTONIC) < deadline) {
		run(c);
		c->runs++;
		for (int i = 0; i < model.n_outputs; i++)
			c->differences += memcmp(c->outputs[i].data, first.outputs[i].data, bytes_of(&first.outputs[i])) != 0;
	}
	return NULL;
}

static int many_callers(double seconds)
{
	static caller callers[CALLERS];
	pthread_t threads[CALLERS];
	long runs = 0, differences = 0;
	prepare(&first);
	run(&first);
	deadline = seconds_of(CLOCK_MONOTONIC) + seconds;
	for (int i = 0; i < CALLERS; i++) {
		prepare(&callers[i]);
		if (pthread_create(&threads[i], NULL, run_until_deadline, &callers[i]))
			return 2;
	}
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(threads[i], NULL);
		runs += callers[i].runs;
		differences += callers[i].differences;
	}
	printf("%d threads, %.0f s: %ld runs, %ld differ\n", CALLERS, seconds, runs, differences);
	return differences || !runs ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "start"))
		return start(strtoull(argv[2], NULL, 10), argc > 3);
	if (argc >= 3 && !strcmp(argv[1], "callers"))
		return many_callers(atof(argv[2]));
	printf("%zu\n", describe_inputs(&first));
	return 0;
}
