/* A report as one JSON object; what is not known is null, and a size that depends on symbols is its expression. */
#include "driver/report.h"

#include "driver/format.h"

#include <inttypes.h>

typedef struct field {
	const char *name;
	double value;
} field;

/* Seven digits: more than was measured. */
static void add_fields(str *s, const field *f, int n)
{
	for (int i = 0; i < n; i++)
		str_addf(s, "%s\"%s\": %.7g", i ? ", " : "", f[i].name, f[i].value);
}

#define ADD_FIELDS(s, ...) add_fields(s, (const field[]){__VA_ARGS__}, sizeof((const field[]){__VA_ARGS__}) / sizeof(field))

static void add_count(str *s, const report *r, const char *name, const sym *count, double x, bool exact)
{
	str_addf(s, ", \"%s\": ", name);
	if (exact || (r->of.m && x > 0))
		str_addf(s, "%.0f", x);
	else if (count)
		add_json_text(s, report_count(r, count));
	else
		str_add(s, "null");
}

static void add_bytes(str *s, const char *name, int64_t bytes)
{
	str_addf(s, ",\n  \"%s\": ", name);
	if (bytes >= 0)
		str_addf(s, "%" PRId64, bytes);
	else
		str_add(s, "null");
}

/* What was measured of the whole model. */
static void add_measurement(str *s, const report *r)
{
	const measurement *m = r->of.m;
	const latency *l = &m->latency;
	str_add(s, ",\n  \"machine\": ");
	add_json_text(s, cpu_model(s->a));
	str_addf(s, ",\n  \"threads\": %d, \"runs\": %d, ", m->roofline.threads, l->n);
	ADD_FIELDS(s, {"min_ms", l->min * 1e3}, {"median_ms", l->median * 1e3}, {"p90_ms", l->p90 * 1e3}, {"p99_ms", l->p99 * 1e3},
	           {"mean_ms", l->mean * 1e3}, {"p99_over_median", l->p99 / l->median});
	str_add(s, ",\n  ");
	ADD_FIELDS(s, {"mflop", r->of_run.flops * 1e-6}, {"mbyte", r->of_run.bytes * 1e-6}, {"gflops", r->of_run.flops / l->median * 1e-9},
	           {"gbytes", r->of_run.bytes / l->median * 1e-9}, {"peak_gflops", m->roofline.flops * 1e-9},
	           {"memory_gbytes", m->roofline.memory * 1e-9}, {"cache_gbytes", m->roofline.cache * 1e-9});
	str_addf(s, ", \"work_known\": %s, \"work_exact\": %s", r->of_run.known ? "true" : "false", r->of_run.exact ? "true" : "false");
}

static void add_times(str *s, const kernel_row *row)
{
	str_addf(s, ", \"runs\": %.7g, \"exact\": %s, ", row->runs, row->of_call.exact ? "true" : "false");
	ADD_FIELDS(s, {"us", row->seconds * 1e6}, {"mean_us", row->mean * 1e6}, {"share", row->share});
	if (row->seconds > 0 && row->of_call.known) {
		str_add(s, ", ");
		ADD_FIELDS(s, {"gflops", row->of_call.flops / row->seconds * 1e-9}, {"gbytes", row->of_call.bytes / row->seconds * 1e-9});
	}
	if (row->of_roof >= 0)
		str_addf(s, ", \"of_roofline\": %.4f", row->of_roof);
}

static void add_kernels(str *s, const report *r)
{
	str_add(s, ",\n  \"kernels\": [\n");
	for (int i = 0; i < r->n_rows; i++) {
		const kernel_row *row = &r->rows[i];
		str_add(s, "    {\"name\": ");
		add_json_text(s, row->k->name);
		str_add(s, ", \"nodes\": ");
		add_json_text(s, row->k->nodes);
		str_addf(s, ", \"calls\": %d", row->calls);
		add_count(s, r, "flops", row->k->flops, row->of_call.flops, row->of_call.exact);
		add_count(s, r, "bytes", row->k->bytes, row->of_call.bytes, row->of_call.exact);
		if (r->by_time)
			add_times(s, row);
		str_addf(s, "}%s\n", i + 1 < r->n_rows ? "," : "");
	}
	str_add(s, "  ]");
}

static void add_arena(str *s, const report *r)
{
	str_add(s, ",\n  \"workspace_bytes\": ");
	if (r->workspace >= 0)
		str_addf(s, "%" PRId64, r->workspace);
	else
		add_json_text(s, report_count(r, r->of.body->p->workspace_bytes));
	add_bytes(s, "workspace_lower_bound", r->most_live);
	str_add(s, ",\n  \"arena\": [");
	for (int i = 0; i < r->n_blocks; i++) {
		const arena_block *b = &r->blocks[i];
		str_add(s, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
		add_json_text(s, b->s->name);
		str_addf(s, ", \"at\": %" PRId64 ", \"bytes\": %" PRId64 ", \"first_step\": %d, \"last_step\": %d}", b->at, b->bytes,
		         b->s->first_step, b->s->last_step);
	}
	str_add(s, "]");
}

static void add_fixed(str *s, const body *b)
{
	for (int i = 0; i < b->n_fixed; i++) {
		str_add(s, i ? ", " : ",\n  \"dims\": {");
		add_json_text(s, b->fixed[i].name);
		str_addf(s, ": %" PRId64, b->fixed[i].value);
	}
	str_add(s, b->n_fixed ? "}" : "");
}

void report_json(str *s, const report *r)
{
	str_add(s, "{\n  \"model\": ");
	add_json_text(s, r->of.model);
	str_add(s, ",\n  \"graph\": ");
	add_json_text(s, r->of.body->p->name);
	str_add(s, ",\n  \"cpu\": ");
	add_json_text(s, r->of.body->target->name);
	add_fixed(s, r->of.body);
	if (r->of.m)
		add_measurement(s, r);
	add_kernels(s, r);
	add_arena(s, r);
	add_bytes(s, "weights_bytes", (int64_t)r->weights);
	add_bytes(s, "code_bytes", r->of.body->code_bytes ? (int64_t)r->of.body->code_bytes : -1);
	str_add(s, "\n}\n");
}
