/* `dlcc bench`: the distribution of a model's latency, where it goes, and what that is of the machine. */
#include "driver/driver.h"
#include "driver/progress.h"
#include "driver/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UPS = 3, MIN_RUNS = 10, MAX_RUNS = 100000 };
static const double ENOUGH_SECONDS = 1.0;

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

/* The first run, which counts the calls of each kernel, then warm-ups. */
static bool warm_up(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, measurement *m, diag *d)
{
	m->kernels = session_kernels(s, m->body, session_start_profile(s, a));
	m->profiled_runs = 1;
	bool ok = session_run(s, a, inputs, outputs, d);
	if (!m->timed)
		s->profile = NULL;
	for (int i = 1; ok && i < WARM_UPS && s->seconds < ENOUGH_SECONDS; i++)
		ok = session_rerun(s, a, inputs, outputs, d);
	if (s->profile)
		memset(s->profile->entries, 0, (size_t)s->profile->n_entries * sizeof *s->profile->entries);
	return ok;
}

static bool measure(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, measurement *m, diag *d)
{
	vec(double) seconds = {0};
	int64_t wanted = s->o->repeat;
	double sum = 0;
	progress("measuring");
	bool ok = warm_up(s, a, inputs, outputs, m, d);
	while (ok && (wanted > 0 ? seconds.n < wanted : seconds.n < MAX_RUNS && (seconds.n < MIN_RUNS || sum < ENOUGH_SECONDS))) {
		arena *run = arena_new("run");
		ok = session_rerun(s, run, inputs, outputs, d);
		arena_free(run);
		vec_push(a, &seconds, s->seconds);
		sum += s->seconds;
	}
	progress_end();
	if (!ok)
		return false;
	m->latency = summarise(seconds.v, seconds.n);
	m->profiled_runs = m->timed ? seconds.n : 1;
	m->sizes = run_sizes_of(a, m->body->p, inputs, outputs);
	return true;
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

static void print_machine(const roofline *roof)
{
	const char *by = roof->threads > 1 ? "these cores" : "this core";
	if (roof->flops > 0)
		printf("machine  %s: %.1f GFLOP/s of multiply-adds, %.1f GB/s from memory, %.1f GB/s from the second-level cache\n", by,
		       roof->flops * 1e-9, roof->memory * 1e-9, roof->cache * 1e-9);
}

static void print_totals(const session *s, const report *r)
{
	const latency *l = &r->of.m->latency;
	const roofline *roof = &r->of.m->roofline;
	const work *w = &r->of_run;
	print_shapes(s, r->of.m->inputs);
	printf("compiled for %s, %d thread%s, workspace %zu bytes\n", body_title(r->a, r->of.body), roof->threads, roof->threads > 1 ? "s" : "", s->workspace_bytes);
	print_machine(roof);
	printf("latency  min %.3f ms, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, p99/p50 %.3f  (%d runs)\n", l->min * 1e3, l->median * 1e3,
	       l->p90 * 1e3, l->p99 * 1e3, l->p99 / l->median, l->n);
	printf("work     %s%.6g MFLOP, %.6g MB%s\n", !w->known ? "at least " : !w->exact ? "about " : "", w->flops * 1e-6, w->bytes * 1e-6,
	       !w->known ? " (some kernels do not say)" : !w->exact ? " (some sizes depend on data)" : "");
	printf("rate     %.2f GFLOP/s, %.2f GB/s", w->flops / l->median * 1e-9, w->bytes / l->median * 1e-9);
	if (roof->flops > 0)
		printf("; %.1f %% of the multiply-adds", 100 * w->flops / l->median / roof->flops);
	putchar('\n');
}

static void print_profile(arena *a, const report *r)
{
	str s = str_new(a);
	report_profile(&s, r);
	fwrite(s.data, 1, s.len, stdout);
}

/* JSON takes the place of text on standard output; a report in a file comes beside it. */
static bool print_result(const session *s, arena *a, const report *r, diag *d)
{
	const options *o = s->o;
	const char *path = report_path(o);
	report_form form = o->json ? REPORT_JSON : o->report;
	if (form && !report_write(r, form, path, stdout, d))
		return false;
	if (form > REPORT_TEXT && !path)
		return true;
	print_totals(s, r);
	if (o->profile)
		print_profile(a, r);
	if (path)
		printf("report   %s\n", path);
	return true;
}

static bool bench(session *s, arena *a, diag *d)
{
	dlrt_tensor *inputs = new_array(a, dlrt_tensor, (size_t)s->model->n_inputs + 1);
	dlrt_tensor *outputs = new_array(a, dlrt_tensor, (size_t)s->model->n_outputs + 1);
	measurement m = {.s = s, .inputs = inputs, .timed = s->o->profile || s->o->report};
	m.roofline = roofline_measure(s);
	if (!session_inputs(s, a, inputs, d))
		return false;
	m.body = session_body(s, inputs);
	if (!measure(s, a, inputs, outputs, &m, d))
		return false;
	report r = report_of(a, (subject){s->file, m.body, &m});
	return print_result(s, a, &r, d);
}

int command_bench(options *o, diag *d)
{
	session s;
	bool ok = session_open(&s, o, o->data, d) && bench(&s, o->a, d);
	session_close(&s);
	return ok && diag_error_count(d) == 0 ? 0 : 1;
}
