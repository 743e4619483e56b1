/* `dlcc bench`: the distribution of a model's latency, and what that is of the machine.
 *
 * The peak of arithmetic is measured in this process by a loop of independent multiply-adds on the target's vectors, compiled
 * by the same backend. */
#include "driver/driver.h"
#include "driver/progress.h"
#include "driver/session.h"
#include "driver/tensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UPS = 3, MIN_RUNS = 10, MAX_RUNS = 100000 };
static const double ENOUGH_SECONDS = 1.0;

typedef struct latency {
	int n;
	double min, median, p90, p99, mean; /* seconds */
} latency;

static int by_value(const void *p, const void *q)
{
	double a = *(const double *)p, b = *(const double *)q;
	return (a > b) - (a < b);
}

static double quantile(const double *sorted, int n, double q)
{
	int i = (int)(q * (double)(n - 1) + 0.5);
	return sorted[i];
}

static latency summarise(double *seconds, int n)
{
	latency l = {.n = n};
	qsort(seconds, (size_t)n, sizeof *seconds, by_value);
	for (int i = 0; i < n; i++)
		l.mean += seconds[i] / n;
	l.min = seconds[0];
	l.median = quantile(seconds, n, 0.5);
	l.p90 = quantile(seconds, n, 0.9);
	l.p99 = quantile(seconds, n, 0.99);
	return l;
}

static bool measure(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, latency *l, diag *d)
{
	vec(double) seconds = {0};
	int64_t wanted = s->o->repeat;
	double sum = 0;
	progress("measuring");
	bool ok = session_run(s, a, inputs, outputs, d);
	for (int i = 1; ok && i < WARM_UPS && s->seconds < ENOUGH_SECONDS; i++)
		ok = session_rerun(s, a, inputs, outputs, d);
	if (s->profile)
		memset(s->profile->entries, 0, (size_t)s->profile->n_entries * sizeof *s->profile->entries);
	while (ok && (wanted > 0 ? seconds.n < wanted : seconds.n < MAX_RUNS && (seconds.n < MIN_RUNS || sum < ENOUGH_SECONDS))) {
		arena *run = arena_new("run");
		ok = session_rerun(s, run, inputs, outputs, d);
		arena_free(run);
		vec_push(a, &seconds, s->seconds);
		sum += s->seconds;
	}
	progress_end();
	if (ok)
		*l = summarise(seconds.v, seconds.n);
	return ok;
}

/* ---- work ----------------------------------------------------------------------------------------------------------------- */
typedef struct binding_of_symbols {
	const dlrt_model *m;
	const int64_t *values;
} binding_of_symbols;

static bool value_of_symbol(const sym *var, int64_t *out, void *user)
{
	const binding_of_symbols *b = user;
	for (int i = 0; i < b->m->n_symbols; i++) {
		if (!strcmp(b->m->symbols[i].name, var->name)) {
			*out = b->values[i];
			return true;
		}
	}
	return false;
}

typedef struct work {
	double flops, bytes;
	bool known;
} work;

static void add_kernel(work *w, const kernel *k, binding_of_symbols *b, double times)
{
	int64_t flops = 0, bytes = 0;
	if (k->flops && sym_eval(k->flops, value_of_symbol, b, &flops) && k->bytes && sym_eval(k->bytes, value_of_symbol, b, &bytes)) {
		w->flops += times * (double)flops;
		w->bytes += times * (double)bytes;
	} else {
		w->known = false;
	}
}

/* Which way a branch goes, and when a loop ends early, is not known. */
static void add_steps(work *w, const step_list *steps, binding_of_symbols *b, double times)
{
	for (int i = 0; i < steps->n; i++) {
		const step *s = &steps->v[i];
		int64_t trip;
		switch (s->kind) {
		case STEP_CALL: add_kernel(w, s->k, b, times); break;
		case STEP_BIND:
		case STEP_ASSUME: break;
		case STEP_IF: w->known = false; break;
		case STEP_LOOP:
			if (!s->from && sym_eval(s->trip, value_of_symbol, b, &trip))
				add_steps(w, &s->body, b, times * (double)trip);
			else
				w->known = false;
			break;
		}
	}
}

/* Of one run on these inputs, from the kernels' own counts. */
static work work_of(const session *s, arena *a, const dlrt_tensor *inputs)
{
	int64_t *values = new_array(a, int64_t, (size_t)s->model->n_symbols + 1);
	for (int i = 0; i < s->model->n_inputs; i++)
		for (int k = 0; k < s->model->inputs[i].rank; k++)
			if (s->model->inputs[i].dims[k].symbol >= 0)
				values[s->model->inputs[i].dims[k].symbol] = inputs[i].dims[k];
	binding_of_symbols b = {s->model, values};
	work w = {.known = true};
	add_steps(&w, &s->c.p->steps, &b, 1);
	return w;
}

/* ---- the machine's peak ------------------------------------------------------------------------------------------------ */
enum { PEAK_STEPS = 1 << 16, PEAK_CHAINS = 12, PEAK_RUNS = 20 };

/* Kernel IR: PEAK_CHAINS independent chains of multiply-adds on vectors, over an array that fits the nearest cache. */
static const char *peak_text(arena *a, int lanes)
{
	str s = str_new(a);
	str_addf(&s, "program @peak\ninput 0 %%x: f32[%d]\noutput 0 %%y: f32[%d]\n", lanes, lanes);
	str_addf(&s, "kernel @peak(x: f32[%d] align 4, out y: f32[%d] align 4) {\n vector i < %d lanes %d {\n", lanes, lanes, lanes, lanes);
	for (int k = 0; k < PEAK_CHAINS; k++)
		str_addf(&s, "  var c%d = x[i] + %d.0\n", k, k);
	str_addf(&s, "  for t < %d {\n", PEAK_STEPS);
	for (int k = 0; k < PEAK_CHAINS; k++)
		str_addf(&s, "   c%d = fma(c%d, x[i], x[i])\n", k, k);
	str_add(&s, "  }\n  y[i] = c0");
	for (int k = 1; k < PEAK_CHAINS; k++)
		str_addf(&s, " + c%d", k);
	str_add(&s, "\n }\n}\nrun {\n @peak(%x, %y)\n}\n");
	return s.data;
}

/* FLOP/s of one core; 0 when it cannot be measured. */
static double peak_flops(const session *s, arena *a)
{
	int lanes = target_lanes(s->co.target, F32);
	const char *text = peak_text(a, lanes);
	diag *quiet = diag_new(a, NULL);
	program *p = program_parse(a, "peak", text, strlen(text), quiet);
	double best = 0;
	if (!p)
		return 0;
	p->workspace_bytes = sym_const(p->syms, 0);
	emit_options eo = emit_options_of(s->o, &s->co);
	eo.symbol = "peak";
	eo.opt = 3;
	eo.sanitize = eo.debug_info = false;
	jit *j = jit_compile(p, &eo, quiet);
	if (!j)
		return 0;
	dlrt_tensor x = {.type = DLRT_F32, .rank = 1, .dims = {lanes}}, y = x;
	tensor_allocate(a, &x);
	tensor_allocate(a, &y);
	for (int i = 0; i < PEAK_RUNS; i++) {
		double start = seconds_now();
		if (dlrt_run(jit_model(j), &x, &y, NULL) != DLRT_OK)
			break;
		double flops = 2.0 * PEAK_STEPS * PEAK_CHAINS * lanes / (seconds_now() - start);
		best = flops > best ? flops : best;
	}
	jit_free(j);
	return best;
}

/* ---- the result ----------------------------------------------------------------------------------------------------------- */
static void print_shapes(const session *s, const dlrt_tensor *inputs)
{
	for (int i = 0; i < s->model->n_inputs; i++) {
		printf("%s%s: %s[", i ? ", " : "inputs   ", s->model->inputs[i].name, dlrt_type_name(inputs[i].type));
		for (int k = 0; k < inputs[i].rank; k++)
			printf("%s%" PRId64, k ? "," : "", inputs[i].dims[k]);
		putchar(']');
	}
	putchar('\n');
}

static void print_text(const session *s, const dlrt_tensor *inputs, const latency *l, const work *w, double peak)
{
	int threads = s->threads ? s->threads->n : 1;
	print_shapes(s, inputs);
	printf("compiled for %s, %d thread%s, workspace %zu bytes\n", s->co.target->name, threads, threads > 1 ? "s" : "", s->workspace_bytes);
	printf("latency  min %.3f ms, median %.3f ms, p90 %.3f ms, p99 %.3f ms  (%d runs)\n", l->min * 1e3, l->median * 1e3,
	       l->p90 * 1e3, l->p99 * 1e3, l->n);
	printf("work     %s%.6g MFLOP, %.6g MB%s\n", w->known ? "" : "at least ", w->flops / 1e6, w->bytes / 1e6,
	       w->known ? "" : " (some kernels do not say)");
	printf("rate     %.2f GFLOP/s, %.2f GB/s", w->flops / l->median / 1e9, w->bytes / l->median / 1e9);
	if (peak > 0)
		printf("; %.1f %% of the %.1f GFLOP/s that %s", 100 * w->flops / l->median / (peak * threads), peak * threads / 1e9,
		       threads > 1 ? "these cores multiply-add" : "this core multiply-adds");
	putchar('\n');
}

static void print_json(const session *s, const latency *l, const work *w, double peak)
{
	int threads = s->threads ? s->threads->n : 1;
	printf("{\"cpu\": \"%s\", \"threads\": %d, \"runs\": %d, \"min_ms\": %.6f, \"median_ms\": %.6f, \"p90_ms\": %.6f, "
	       "\"p99_ms\": %.6f, \"mean_ms\": %.6f, \"mflop\": %.6f, \"mbyte\": %.6f, \"work_known\": %s, \"gflops\": %.4f, "
	       "\"gbytes\": %.4f, \"peak_gflops\": %.4f, \"workspace_bytes\": %zu}\n",
	       s->co.target->name, threads, l->n, l->min * 1e3, l->median * 1e3, l->p90 * 1e3, l->p99 * 1e3, l->mean * 1e3,
	       w->flops / 1e6, w->bytes / 1e6, w->known ? "true" : "false", w->flops / l->median / 1e9, w->bytes / l->median / 1e9,
	       peak * threads / 1e9, s->workspace_bytes);
}

static bool bench(session *s, arena *a, diag *d)
{
	dlrt_tensor *inputs = new_array(a, dlrt_tensor, (size_t)s->model->n_inputs + 1);
	dlrt_tensor *outputs = new_array(a, dlrt_tensor, (size_t)s->model->n_outputs + 1);
	latency l = {0};
	dlrt_profile *profile = s->o->profile ? session_start_profile(s, a) : NULL;
	if (!session_inputs(s, a, inputs, d) || !measure(s, a, inputs, outputs, &l, d))
		return false;
	work w = work_of(s, a, inputs);
	double peak = peak_flops(s, a);
	if (s->o->json)
		print_json(s, &l, &w, peak);
	else
		print_text(s, inputs, &l, &w, peak);
	if (profile)
		session_print_profile(s->o->json ? stderr : stdout, s, profile);
	return true;
}

int command_bench(options *o, diag *d)
{
	session s;
	bool ok = session_open(&s, o, o->data, d) && bench(&s, o->a, d);
	session_close(&s);
	return ok && diag_error_count(d) == 0 ? 0 : 1;
}
