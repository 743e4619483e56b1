/* Collects a report, and prints it as text: a line per kernel, then memory.
 *
 * The most bytes that are alive at one step are a lower bound of the arena: no plan can use less. */
#include "driver/report.h"

#include "driver/format.h"
#include "support/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ----------------------------------------------------------------------------------------------------------- */
static size_t weights_bytes(const program *p)
{
	size_t sum = 0;
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == STORAGE_CONST && p->storages.v[i]->data)
			sum += p->storages.v[i]->data->bytes;
	return sum;
}

/* As planned: for the largest size where only data decides it. */
static bool block_of(const run_sizes *sizes, const storage *s, arena_block *b)
{
	int64_t n, bits = dtype_table[s->type].bits;
	*b = (arena_block){.s = s};
	if (!run_size(sizes, sym_outer_bound(s->size, true), &n) || !run_size(sizes, s->offset, &b->at) || n < 0 || n > INT64_MAX / 1024)
		return false;
	b->bytes = ((n * bits + 7) / 8 + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
	return true;
}

static void collect_blocks(report *r)
{
	const program *p = r->of.body->p;
	r->blocks = new_array(r->a, arena_block, (size_t)p->storages.n + 1);
	r->live = new_array(r->a, int64_t, (size_t)r->n_steps + 1);
	r->most_live = 0;
	for (int i = 0; i < p->storages.n; i++) {
		const storage *s = p->storages.v[i];
		arena_block *b = &r->blocks[r->n_blocks];
		if (s->kind != STORAGE_ARENA || s->first_step < 0)
			continue;
		if (!block_of(r->sizes, s, b)) {
			r->n_blocks = r->most_live = -1;
			return;
		}
		r->n_blocks++;
		for (int at = s->first_step; at <= s->last_step; at++)
			r->live[at] += b->bytes;
	}
	for (int at = 0; at < r->n_steps; at++)
		r->most_live = r->live[at] > r->most_live ? r->live[at] : r->most_live;
}

/* ---- kernels ------------------------------------------------------------------------------------------------------------ */
static void count_call(step *s, void *user)
{
	report *r = user;
	for (int i = 0; s->kind == STEP_CALL && i < r->n_rows; i++)
		r->rows[i].calls += r->rows[i].k == s->k;
}

static void take_times(kernel_row *row, const measurement *m, const dlrt_profile_entry *e, double all_ns)
{
	row->runs = (double)e->count / m->profiled_runs;
	if (!m->timed || !e->count)
		return;
	row->mean = (double)e->total_ns / (double)e->count * 1e-9;
	row->seconds = row->of_call.exact ? (double)e->min_ns * 1e-9 : row->mean;
	row->share = all_ns > 0 ? (double)e->total_ns / all_ns : 0;
	double least = roofline_seconds(&m->roofline, row->of_call.flops, row->of_call.bytes);
	if (least > 0 && row->seconds > 0)
		row->of_roof = least / row->seconds;
}

static void collect_rows(report *r)
{
	const measurement *m = r->of.m;
	double all_ns = 0;
	r->n_rows = r->of.body->p->kernels.n;
	r->rows = new_array(r->a, kernel_row, (size_t)r->n_rows + 1);
	r->of_run = (work){.known = true, .exact = true};
	for (int i = 0; m && i < r->n_rows; i++)
		all_ns += (double)m->kernels[i].total_ns;
	for (int i = 0; i < r->n_rows; i++) {
		kernel_row *row = &r->rows[i];
		*row = (kernel_row){.k = r->of.body->p->kernels.v[i], .of_call = run_work(r->sizes, r->of.body->p->kernels.v[i]), .of_roof = -1};
		if (m)
			take_times(row, m, &m->kernels[i], all_ns);
		double times = m ? row->runs : 1;
		r->of_run.flops += times * row->of_call.flops;
		r->of_run.bytes += times * row->of_call.bytes;
		r->of_run.known &= row->of_call.known || times == 0;
		r->of_run.exact &= row->of_call.exact || times == 0;
	}
	steps_walk(&r->of.body->p->steps, count_call, r);
}

typedef struct timed { double time; int row; } timed;

static int slowest_first(const void *x, const void *y)
{
	const timed *a = x, *b = y;
	return a->time != b->time ? (a->time > b->time ? -1 : 1) : a->row - b->row;
}

static void sort_rows(report *r)
{
	timed *order = new_array(r->a, timed, (size_t)r->n_rows + 1);
	r->by_time = new_array(r->a, int, (size_t)r->n_rows + 1);
	for (int i = 0; i < r->n_rows; i++)
		order[i] = (timed){r->rows[i].share, i};
	qsort(order, (size_t)r->n_rows, sizeof *order, slowest_first);
	for (int i = 0; i < r->n_rows; i++)
		r->by_time[i] = order[i].row;
}

report report_of(arena *a, subject of)
{
	const program *p = of.body->p;
	report r = {.a = a, .of = of, .n_steps = steps_count(&p->steps), .weights = weights_bytes(p)};
	r.sizes = of.m ? of.m->sizes : run_sizes_static(a, p);
	collect_rows(&r);
	collect_blocks(&r);
	if (!run_size(r.sizes, p->workspace_bytes, &r.workspace))
		r.workspace = -1;
	if (of.m && of.m->timed)
		sort_rows(&r);
	return r;
}

/* ---- text --------------------------------------------------------------------------------------------------------------- */
const char *report_count(const report *r, const sym *s)
{
	str text = str_new(r->a);
	if (!s)
		return "?";
	sym_print(&text, s);
	return text.data;
}

static void add_kernel_name(str *s, const kernel *k)
{
	str_addf(s, "  %s%s%s\n", k->name, k->nodes && *k->nodes ? ": " : "", k->nodes ? k->nodes : "");
}

static void add_memory(str *s, const report *r)
{
	str_addf(s, "workspace: %s bytes", r->workspace >= 0 ? arena_printf(r->a, "%" PRId64, r->workspace) : report_count(r, r->of.body->p->workspace_bytes));
	if (r->most_live >= 0)
		str_addf(s, ", at least %" PRId64 " are alive at once", r->most_live);
	if (r->most_live > 0 && r->workspace >= 0)
		str_addf(s, " (ratio %.3f)", (double)r->workspace / (double)r->most_live);
	str_addf(s, "\nweights:   %zu bytes\n", r->weights);
	if (r->of.body->code_bytes)
		str_addf(s, "code:      %zu bytes\n", r->of.body->code_bytes);
}

void report_text(str *s, const report *r)
{
	str_addf(s, "%5s %14s %12s %6s  %s\n", "calls", "flops", "bytes", "f/B", "kernel");
	for (int i = 0; i < r->n_rows; i++) {
		const kernel_row *row = &r->rows[i];
		const kernel *k = row->k;
		if (row->of_call.exact)
			str_addf(s, "%5d %14.0f %12.0f ", row->calls, row->of_call.flops, row->of_call.bytes);
		else
			str_addf(s, "%5d %14s %12s ", row->calls, report_count(r, k->flops), report_count(r, k->bytes));
		if (row->of_call.exact && row->of_call.bytes > 0)
			str_addf(s, "%6.1f", row->of_call.flops / row->of_call.bytes);
		else
			str_addf(s, "%6s", "-");
		add_kernel_name(s, k);
	}
	str_addf(s, "kernels:   %d, called in %d steps\n", r->n_rows, r->n_steps);
	add_memory(s, r);
}

void report_profile(str *s, const report *r)
{
	double all = 0;
	bool roof = r->of.m->roofline.flops > 0 || r->of.m->roofline.memory > 0;
	str_addf(s, "%8s %10s %10s %6s %9s %8s %s %s\n", "calls", "mean us", "min us", "%", "GFLOP/s", "GB/s", roof ? "% roof " : "", "kernel");
	for (int i = 0; i < r->n_rows; i++) {
		const kernel_row *row = &r->rows[r->by_time[i]];
		const dlrt_profile_entry *e = &r->of.m->kernels[r->by_time[i]];
		all += row->mean * row->runs;
		str_addf(s, "%8" PRIu64 " %10.2f %10.2f %6.1f ", e->count, row->mean * 1e6, (double)e->min_ns * 1e-3, row->share * 100);
		if (row->of_call.known && row->seconds > 0)
			str_addf(s, "%9.2f %8.2f", row->of_call.flops / row->seconds * 1e-9, row->of_call.bytes / row->seconds * 1e-9);
		else
			str_addf(s, "%9s %8s", "-", "-");
		if (roof && row->of_roof >= 0)
			str_addf(s, " %6.1f", row->of_roof * 100);
		else if (roof)
			str_addf(s, " %6s", "-");
		str_add(s, row->of_call.known && !row->of_call.exact ? " ~" : "  ");
		add_kernel_name(s, row->k);
	}
	str_addf(s, "%8s %10.2f  us a run\n", "all", all * 1e6);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */
const char *report_path(const options *o)
{
	if (o->command == COMMAND_BENCH && o->output)
		return strcmp(o->output, "-") ? o->output : NULL;
	return o->report == REPORT_HTML ? arena_printf(o->a, "%s.html", path_stem(o->a, o->model)) : NULL;
}

bool report_session(const session *s, diag *d)
{
	arena *a = arena_new("report");
	report r = report_of(a, (subject){s->file, &s->c.bodies[0], NULL});
	bool ok = !s->o->report || report_write(&r, s->o->report, report_path(s->o), stdout, d);
	arena_free(a);
	return ok;
}

bool report_write(const report *r, report_form form, const char *path, FILE *otherwise, diag *d)
{
	static void (*const forms[])(str *, const report *) = {
		[REPORT_TEXT] = report_text, [REPORT_JSON] = report_json, [REPORT_HTML] = report_html,
	};
	str s = str_new(r->a);
	forms[form](&s, r);
	if (path)
		return file_write_atomic(path, s.data, s.len, d);
	fwrite(s.data, 1, s.len, otherwise);
	return true;
}
