/* A report as one HTML file: tables and inline SVG, nothing to load, no scripts; colours follow the reader's light or dark. */
#include "driver/report_html.h"

#include "driver/format.h"

#include <inttypes.h>
#include <string.h>

/* clang-format off */
static const char style[] =
	":root{color-scheme:light dark;--fg:#1a1c20;--dim:#667;--bg:#fff;--card:#f3f4f7;--line:#ccd0d8;--mark:#2563c9;--roof:#b4451f;--cache:#2e8540;"
	"--c0:#7aa6e8;--c1:#8ecfa0;--c2:#f0b86e;--c3:#d79be0;--c4:#6cc7d1;--c5:#e58d8d}\n"
	"@media(prefers-color-scheme:dark){:root{--fg:#e4e6eb;--dim:#99a;--bg:#16181d;--card:#21242b;--line:#3b404b;--mark:#6ea4ff;--roof:#ff9169;"
	"--cache:#79cf8c;--c0:#3b6cb5;--c1:#3f8553;--c2:#a8752c;--c3:#8c509a;--c4:#2d7f8a;--c5:#a04c4c}}\n"
	"body{font:14px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:1080px;margin:2rem auto;padding:0 1rem}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .5rem}p{margin:.3rem 0 .8rem}.dim,small{color:var(--dim)}\n"
	".cards{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}.cards div{background:var(--card);border-radius:8px;padding:.5rem .9rem}\n"
	".cards b{display:block;font-size:1.15rem;font-weight:600}.cards div>span{color:var(--dim)}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
	"th{font-weight:600;color:var(--dim);position:sticky;top:0;background:var(--bg)}th,td{text-align:right;padding:.2rem .5rem;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}\n"
	"th.name,td.name{text-align:left;white-space:normal;overflow-wrap:anywhere;width:45%}td.name>small{display:block}summary{cursor:pointer}details[open] summary small{display:none}\n"
	".bar{display:block;height:5px;border-radius:2px;background:var(--mark);min-width:1px;margin:3px 0}\n"
	".scroll{max-height:44rem;overflow:auto;border:1px solid var(--line);border-radius:8px}\n"
	"svg{display:block;max-width:100%;height:auto}.scroll svg{max-width:none}\n"
	"svg text{font:11px system-ui,sans-serif;fill:var(--fg)}svg .dim{fill:var(--dim)}\n"
	".grid{stroke:var(--line);fill:none}.axis{stroke:var(--dim);fill:none}.roof{stroke:var(--roof);stroke-width:2;fill:none}\n"
	".cache{stroke:var(--cache);stroke-width:1.5;stroke-dasharray:5 4;fill:none}.dot{fill:var(--mark);fill-opacity:.5;stroke:var(--mark)}\n"
	".box{fill:var(--card);stroke:var(--line)}.heat{fill:var(--mark)}.edge{stroke:var(--dim);fill:none}.tip{fill:var(--dim);stroke:none}\n"
	".port{fill:none;stroke:var(--dim);stroke-dasharray:3 3}.live{stroke:var(--fg);stroke-width:1.5;fill:none}\n"
	".c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.block{stroke:var(--bg);stroke-width:.7}\n";
/* clang-format on */

/* ---- the head ------------------------------------------------------------------------------------------------------------- */
static void open_card(str *s, const char *what) { str_addf(s, "<div><span>%s</span><b>", what); }
static void close_card(str *s) { str_add(s, "</b></div>\n"); }

static void card_quantity(str *s, const char *what, double x, const char *unit)
{
	open_card(s, what);
	add_quantity(s, x, unit);
	close_card(s);
}

static void card_seconds(str *s, const char *what, double seconds)
{
	open_card(s, what);
	add_seconds(s, seconds);
	close_card(s);
}

static void add_inputs(str *s, const measurement *m)
{
	const dlrt_model *model = m->s->model;
	for (int i = 0; i < model->n_inputs; i++) {
		str_add(s, i ? ", " : "; inputs ");
		add_html_text(s, model->inputs[i].name);
		str_addf(s, ": %s[", dlrt_type_name(m->inputs[i].type));
		for (int k = 0; k < m->inputs[i].rank; k++)
			str_addf(s, "%s%" PRId64, k ? "," : "", m->inputs[i].dims[k]);
		str_add(s, "]");
	}
}

static void add_head(str *s, const report *r)
{
	const measurement *m = r->of.m;
	str_add(s, "<h1>");
	add_html_text(s, r->of.model);
	str_add(s, "</h1>\n<p class=dim>graph ");
	add_html_text(s, r->of.body->p->name);
	str_addf(s, ": %d kernels in %d steps, compiled for ", r->n_rows, r->n_steps);
	add_html_text(s, body_title(r->a, r->of.body));
	if (m) {
		str_addf(s, "; %d runs on %d thread%s of ", m->latency.n, m->roofline.threads, m->roofline.threads > 1 ? "s" : "");
		const char *cpu = cpu_model(s->a);
		add_html_text(s, *cpu ? cpu : "this machine");
		add_inputs(s, m);
	}
	str_add(s, "</p>\n");
}

static void add_times(str *s, const report *r)
{
	const latency *l = &r->of.m->latency;
	const roofline *roof = &r->of.m->roofline;
	str_add(s, "<div class=cards>\n");
	card_seconds(s, "least", l->min);
	card_seconds(s, "p50", l->median);
	card_seconds(s, "p90", l->p90);
	card_seconds(s, "p99", l->p99);
	open_card(s, "p99 / p50");
	str_addf(s, "%.3f", l->p99 / l->median);
	close_card(s);
	str_add(s, "</div>\n<div class=cards>\n");
	card_quantity(s, r->of_run.exact ? "operations" : "operations, about", r->of_run.flops, "FLOP");
	card_quantity(s, "rate", r->of_run.flops / l->median, "FLOP/s");
	card_quantity(s, "traffic", r->of_run.bytes / l->median, "B/s");
	if (roof->flops > 0)
		card_quantity(s, "machine: multiply-adds", roof->flops, "FLOP/s");
	if (roof->memory > 0)
		card_quantity(s, "machine: reads of memory", roof->memory, "B/s");
	if (roof->cache > 0)
		card_quantity(s, "machine: reads of L2", roof->cache, "B/s");
	str_add(s, "</div>\n");
}

enum { SHOWN_EXPRESSION = 32 }; /* bytes; a workspace can be pages of maxima */

static void add_expression(str *s, const report *r, const sym *count)
{
	const char *text = report_count(r, count);
	str_add(s, "<span title=\"");
	add_html_text(s, text);
	str_add(s, "\">");
	add_html_cut(s, text, SHOWN_EXPRESSION);
	str_add(s, "</span>");
}

static void add_memory(str *s, const report *r)
{
	str_add(s, "<div class=cards>\n");
	if (r->workspace >= 0) {
		card_quantity(s, "workspace", (double)r->workspace, "B");
	} else {
		open_card(s, "workspace");
		add_expression(s, r, r->of.body->p->workspace_bytes);
		close_card(s);
	}
	if (r->most_live >= 0)
		card_quantity(s, "alive at once, at most", (double)r->most_live, "B");
	if (r->most_live > 0 && r->workspace >= 0) {
		open_card(s, "workspace / alive");
		str_addf(s, "%.3f", (double)r->workspace / (double)r->most_live);
		close_card(s);
	}
	card_quantity(s, "weights", (double)r->weights, "B");
	if (r->of.body->code_bytes)
		card_quantity(s, "code", (double)r->of.body->code_bytes, "B");
	str_add(s, "</div>\n");
}

enum { SHOWN_NODES = 100 }; /* bytes of their names */

/* ---- kernels -------------------------------------------------------------------------------------------------------------- */
static void add_cell(str *s, bool known, double x, const char *format)
{
	str_add(s, "<td>");
	if (known)
		str_addf(s, *format == '1' ? "%.1f" : "%.2f", x);
	else
		str_add(s, "–");
	str_add(s, "</td>");
}

/* Many nodes are shown when they are asked for. */
static void add_nodes(str *s, const char *nodes)
{
	bool many = strlen(nodes) > SHOWN_NODES;
	str_add(s, many ? "<details><summary><small>" : "<small>");
	add_html_cut(s, nodes, SHOWN_NODES);
	str_add(s, "</small>");
	if (!many)
		return;
	str_add(s, "</summary><small>");
	add_html_text(s, nodes);
	str_add(s, "</small></details>");
}

static void add_name(str *s, const report *r, const kernel_row *row)
{
	str_add(s, "<tr><td class=name>");
	add_html_text(s, row->k->name);
	if (r->by_time)
		str_addf(s, "<span class=bar style=\"width:%.2f%%\"></span>", row->share / r->rows[r->by_time[0]].share * 100);
	add_nodes(s, row->k->nodes ? row->k->nodes : "");
	str_add(s, "</td>");
}

static void add_quantity_cell(str *s, const report *r, bool known, double x, const sym *count)
{
	str_add(s, "<td>");
	if (known)
		add_quantity(s, x, "");
	else
		add_expression(s, r, count);
	str_add(s, "</td>");
}

static void add_row(str *s, const report *r, const kernel_row *row)
{
	const work *w = &row->of_call;
	bool known = r->of.m ? w->known : w->exact, timed = row->seconds > 0;
	add_name(s, r, row);
	if (r->by_time) {
		add_cell(s, true, row->runs * row->mean * 1e6, "1");
		add_cell(s, true, row->share * 100, "1");
		add_cell(s, known && timed, timed ? w->flops / row->seconds * 1e-9 : 0, "2");
		add_cell(s, known && timed, timed ? w->bytes / row->seconds * 1e-9 : 0, "2");
		add_cell(s, row->of_roof >= 0, row->of_roof * 100, "1");
	}
	add_quantity_cell(s, r, known, w->flops, row->k->flops);
	add_quantity_cell(s, r, known, w->bytes, row->k->bytes);
	str_add(s, "</tr>\n");
}

static void add_kernels(str *s, const report *r)
{
	str_add(s, "<div class=scroll>\n<table><tr><th class=name>kernel, ONNX nodes</th>");
	if (r->by_time)
		str_add(s, "<th>µs</th><th>%</th><th>GFLOP/s</th><th>GB/s</th><th>% of roof</th>");
	str_add(s, "<th>FLOP</th><th>bytes</th></tr>\n");
	for (int i = 0; i < r->n_rows; i++)
		add_row(s, r, &r->rows[r->by_time ? r->by_time[i] : i]);
	str_add(s, "</table>\n</div>\n");
}

/* ---- the page ------------------------------------------------------------------------------------------------------------- */
static void add_section(str *s, const char *title, const char *text)
{
	str_addf(s, "<h2>%s</h2>\n<p class=dim>%s</p>\n", title, text);
}

void report_html(str *s, const report *r)
{
	str_add(s, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n<title>");
	add_html_text(s, r->of.model);
	str_addf(s, "</title>\n<style>\n%s</style>\n", style);
	add_head(s, r);
	if (r->of.m)
		add_times(s, r);
	add_memory(s, r);
	if (r->by_time && r->of.m->roofline.flops > 0) {
		add_section(s, "Roofline", "Each kernel by its operations per byte and per second; its area is its share of the time. A kernel whose data "
		            "stays in caches may be above the line of memory; one without operations is not shown.");
		svg_roofline(s, r);
	}
	add_section(s, "Kernels", r->by_time ? "Times are means of a run; rates are those of the fastest call. The roof is what the machine allows "
	                                       "with data in memory." : "One call of each.");
	add_kernels(s, r);
	add_section(s, "Fused graph", r->by_time ? "Kernels in the order they run, and the values between them in memory; constants are left out. "
	                                           "The fuller the bar at the left, the larger the share of the time."
	                                         : "Kernels in the order they run, and the values between them in memory; constants are left out.");
	str_add(s, "<div class=scroll>\n");
	svg_graph(s, r);
	str_add(s, "</div>\n");
	add_section(s, "Arena", r->n_blocks < 0 ? "Where buffers lie depends on sizes that are known while running: see <code>dlcc bench --report=html</code>."
	                        : r->n_blocks ? "Buffers by their place in the workspace, over the steps of a run; the line is the bytes alive."
	                                      : "No value is in memory between kernels.");
	if (r->n_blocks > 0)
		svg_arena(s, r);
	str_add(s, "</html>\n");
}
