#include "driver/roofline.h"

#include "driver/tensors.h"
#include "support/file.h"

#include <stdio.h>
#include <string.h>

enum {
	PEAK_STEPS = 1 << 16,
	PEAK_CHAINS = 12,
	RUNS = 20,
	MEMORY_RUNS = 8,
	FLOAT_BYTES = 4,
	MEMORY_BYTES = 256 << 20, /* more than last-level caches hold */
	SUM_VECTORS = 8,          /* independent sums, to hide the latency of adding */
	CACHE_READS = 64,         /* of a buffer that takes half of the second-level cache */
};

/* A kernel over x that writes y, both in equal parts for each thread. */
typedef struct experiment {
	const session *s;
	arena *a;
	int lanes, threads;
	int64_t n; /* elements of x for each thread */
	int runs;
} experiment;

/* PEAK_CHAINS independent chains of multiply-adds on vectors. */
static const char *peak_body(const experiment *x)
{
	str s = str_new(x->a);
	str_addf(&s, " vector i < %d lanes %d {\n", x->lanes, x->lanes);
	for (int k = 0; k < PEAK_CHAINS; k++)
		str_addf(&s, "  var c%d = x[t*%d + i] + %d.0\n", k, x->lanes, k);
	str_addf(&s, "  for r < %d {\n", PEAK_STEPS);
	for (int k = 0; k < PEAK_CHAINS; k++)
		str_addf(&s, "   c%d = fma(c%d, x[t*%d + i], x[t*%d + i])\n", k, k, x->lanes, x->lanes);
	str_addf(&s, "  }\n  y[t*%d + i] = c0", x->lanes);
	for (int k = 1; k < PEAK_CHAINS; k++)
		str_addf(&s, " + c%d", k);
	str_add(&s, "\n }\n");
	return s.data;
}

/* Reads its part of x `times` times. */
static const char *sum_body(const experiment *x, int times)
{
	str s = str_new(x->a);
	str_addf(&s, " var sum = 0.0\n for r < %d {\n  vector i < %lld lanes %d reduce(sum: add) {\n", times, (long long)x->n,
	         x->lanes * SUM_VECTORS);
	str_addf(&s, "   sum = sum + x[t*%lld + i]\n  }\n }\n y[t*%d] = sum\n", (long long)x->n, x->lanes);
	return s.data;
}

static jit *compile_kernel(const experiment *x, const char *text)
{
	long long in = x->threads * (long long)x->n;
	int out = x->threads * x->lanes;
	str s = str_new(x->a);
	str_addf(&s, "program @roofline\ninput 0 %%x: f32[%lld]\noutput 0 %%y: f32[%d]\n", in, out);
	str_addf(&s, "kernel @body(x: f32[%lld] align 4, out y: f32[%d] align 4) parallel t < %d {\n", in, out, x->threads);
	str_addf(&s, "%s}\nrun {\n @body(%%x, %%y)\n}\n", text);
	diag *quiet = diag_new(x->a, NULL);
	program *p = program_parse(x->a, "roofline", s.data, s.len, quiet);
	if (!p)
		return NULL;
	p->workspace_bytes = sym_const(p->syms, 0);
	emit_options eo = emit_options_of(x->s->o, &x->s->co);
	eo.symbol = "roofline";
	eo.opt = 3;
	eo.sanitize = eo.debug_info = false;
	return jit_compile(p, &eo, quiet);
}

/* Zeros would be one page of memory, read again and again.  With small pages, looking up addresses would be measured too. */
static void fill(const dlrt_tensor *t)
{
	float *x = t->data;
	memory_ask_large_pages(x, (size_t)t->dims[0] * FLOAT_BYTES);
	for (int64_t i = 0; i < t->dims[0]; i++)
		x[i] = 0.5f;
}

/* The least time of `text`; 0 when it cannot be had. */
static double least_seconds(const experiment *x, const char *text)
{
	dlrt_tensor in = {.type = DLRT_F32, .rank = 1, .dims = {x->threads * x->n}}, out = in;
	dlrt_options o = {.threads = x->s->threads};
	double least = 0;
	jit *j = compile_kernel(x, text);
	if (!j)
		return 0;
	out.dims[0] = (int64_t)x->threads * x->lanes;
	tensor_allocate(x->a, &in);
	tensor_allocate(x->a, &out);
	fill(&in);
	for (int i = 0; i < x->runs; i++) {
		double start = seconds_now();
		if (dlrt_run(jit_model(j), &in, &out, &o) != DLRT_OK)
			break;
		double seconds = seconds_now() - start;
		least = i && least < seconds ? least : seconds;
	}
	jit_free(j);
	return least;
}

static double rate(double work, double seconds) { return seconds > 0 ? work / seconds : 0; }

static double measure_flops(experiment x)
{
	x.n = x.lanes;
	x.runs = RUNS;
	return rate(2.0 * PEAK_STEPS * PEAK_CHAINS * x.lanes * x.threads, least_seconds(&x, peak_body(&x)));
}

static double measure_reads(experiment x, int64_t bytes, int times, int runs)
{
	x.n = bytes / FLOAT_BYTES;
	x.runs = runs;
	return rate((double)(x.n * FLOAT_BYTES) * times * x.threads, least_seconds(&x, sum_body(&x, times)));
}

roofline roofline_measure(const session *s)
{
	int threads = s->threads ? s->threads->n : 1;
	arena *a = arena_new("roofline");
	experiment x = {.s = s, .a = a, .lanes = target_lanes(s->co.target, F32), .threads = threads};
	roofline r = {.threads = threads};
	r.flops = measure_flops(x);
	r.cache = measure_reads(x, (int64_t)s->co.target->l2_kib * 1024 / 2, CACHE_READS, RUNS);
	r.memory = measure_reads(x, MEMORY_BYTES / threads, 1, MEMORY_RUNS);
	arena_free(a);
	return r;
}

double roofline_seconds(const roofline *r, double flops, double bytes)
{
	double computing = rate(flops, r->flops), reading = rate(bytes, r->memory);
	return computing > reading ? computing : reading;
}

const char *cpu_model(arena *a)
{
	static const char key[] = "model name";
	char line[256];
	const char *found = "";
	FILE *f = fopen("/proc/cpuinfo", "r");
	while (f && !*found && fgets(line, sizeof line, f)) {
		const char *colon = strchr(line, ':');
		if (colon && !strncmp(line, key, sizeof key - 1))
			found = arena_strndup(a, colon + 1 + strspn(colon + 1, " "), strcspn(colon + 1 + strspn(colon + 1, " "), "\n"));
	}
	if (f)
		fclose(f);
	return found;
}
