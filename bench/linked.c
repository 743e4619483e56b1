/* A model linked into a C program: how soon after main its first answer is there, and whether many threads that run one object
 * at once, each on its own workspace, always get the same bits.
 *
 * usage: linked SECONDS     0: only the first answer.  Dynamic dimensions are 1; inputs are a fixed pattern. */
#define _GNU_SOURCE
#include "dlrt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern const dlrt_model model;

enum { CALLERS = 8, MAX_PORTS = 64 };

typedef struct caller {
	dlrt_tensor inputs[MAX_PORTS], outputs[MAX_PORTS];
	void *workspace;
	size_t workspace_bytes;
	long runs, differences;
} caller;

static caller first;
static double deadline;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
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

static void *memory(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
	if (!p)
		exit(2);
	memset(p, 0, bytes);
	return p;
}

static void fill(dlrt_tensor *t)
{
	t->data = memory(bytes_of(t));
	if (t->type == DLRT_F32)
		for (size_t i = 0; i < bytes_of(t) / sizeof(float); i++)
			((float *)t->data)[i] = (float)(i * 7919 % 1000) / 1000.0f - 0.5f;
}

static void prepare(caller *c)
{
	dlrt_options options = {0};
	for (int i = 0; i < model.n_inputs; i++) {
		const dlrt_port *p = &model.inputs[i];
		c->inputs[i].type = (dlrt_type)p->type;
		c->inputs[i].rank = p->rank;
		for (int k = 0; k < p->rank; k++)
			c->inputs[i].dims[k] = p->dims[k].symbol >= 0 ? 1 : p->dims[k].value;
		fill(&c->inputs[i]);
	}
	check(dlrt_infer_shapes(&model, c->inputs, c->outputs, &options), "shapes");
	for (int i = 0; i < model.n_outputs; i++)
		c->outputs[i].data = memory(bytes_of(&c->outputs[i]));
	check(dlrt_workspace_size(&model, c->inputs, &c->workspace_bytes), "workspace");
	c->workspace = memory(c->workspace_bytes);
}

static void run(caller *c)
{
	dlrt_options options = {.workspace = c->workspace, .workspace_bytes = c->workspace_bytes};
	check(dlrt_run(&model, c->inputs, c->outputs, &options), "run");
}

static void *run_until_deadline(void *arg)
{
	caller *c = arg;
	while (now() < deadline) {
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
	deadline = now() + seconds;
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
	double start = now(), steady = 1e9;
	prepare(&first);
	run(&first);
	double answered = now() - start;
	for (int i = 0; i < 20; i++) {
		double t = now();
		run(&first);
		t = now() - t;
		steady = t < steady ? t : steady;
	}
	printf("first answer %.3f ms after main, a steady run %.3f ms, start-up %.3f ms\n", 1e3 * answered, 1e3 * steady,
	       1e3 * (answered - steady));
	double seconds = argc > 1 ? atof(argv[1]) : 0;
	return seconds > 0 ? many_callers(seconds) : 0;
}
