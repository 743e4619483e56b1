/* The runner: takes a graph through the passes of the table, or those that --passes names, and dumps, verifies and times them.
 *
 * A dump holds the input and the output of a pass, each accepted as input by dlcc; a text that stands right above is not
 * printed twice.  A violated invariant is a bug of the pass that ran last. */
#include "passes/pass.h"
#include "passes/verify_text.h"

#include <string.h>
#include <time.h>

enum { DUMPED_ELEMENTS = 64 }; /* longer constants are dumped as digests */

static double seconds_of[64]; /* by row of the table, since the process began */
static int runs_of[64];

typedef struct runner {
	graph *g;
	program *p; /* NULL before lower */
	pass_ctx *ctx;
	const pipeline_options *o;
	arena *a;
	const char *shown; /* the last text dumped, in a */
} runner;

/* ---- which passes ------------------------------------------------------------------------------------------------ */
typedef struct pass_list {
	int n;
	const pass_info *v[128];
} pass_list;

static void add_pass(pass_list *l, const pass_info *p)
{
	if (l->n < (int)(sizeof l->v / sizeof *l->v))
		l->v[l->n++] = p;
}

static bool is_listed(const pass_list *l, const pass_info *p)
{
	for (int i = 0; i < l->n; i++)
		if (l->v[i] == p)
			return true;
	return false;
}

static void list_by_level(pass_list *l, int opt)
{
	for (int i = 0; i < pass_count; i++)
		if (pass_table[i].min_opt <= opt)
			add_pass(l, &pass_table[i]);
}

/* Passes named by the user; lower and what follows it need not be named. */
static bool list_by_name(pass_list *l, const char *text, bool lowers, arena *scratch, diag *d)
{
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, ",");
		const char *name = arena_strndup(scratch, at, n);
		const pass_info *p = pass_find(name);
		if (!p && n) {
			diag_error(d, DIAG_NOWHERE, "--passes: there is no pass '%s'", name);
			diag_hint(d, "'dlcc --help-passes' lists them");
			return false;
		}
		if (p)
			add_pass(l, p);
		at += n + (at[n] == ',');
	}
	for (int i = 0; lowers && i < pass_count; i++)
		if (pass_table[i].level != PASS_GRAPH && !is_listed(l, &pass_table[i]))
			add_pass(l, &pass_table[i]);
	return true;
}

/* ---- dumps ------------------------------------------------------------------------------------------------------- */
static const char *text_of(runner *r)
{
	str s = str_new(r->a);
	if (r->p)
		program_print(&s, r->p);
	else
		graph_print(&s, r->g, (print_options){.locations = r->o->locations, .max_const = DUMPED_ELEMENTS});
	return s.data;
}

static bool is_dumped(const runner *r, const pass_info *p)
{
	const char *which = r->o->dump;
	return which && r->o->dump_to && (!*which || strcmp(which, p->name) == 0);
}

static void dump(runner *r, const char *when, const pass_info *p)
{
	const char *text = text_of(r);
	bool same = r->shown && strcmp(text, r->shown) == 0;
	if (!same)
		fprintf(r->o->dump_to, "# %s %s\n%s\n", when, p->name, text);
	else if (strcmp(when, "after") == 0)
		fprintf(r->o->dump_to, "# after %s (unchanged)\n", p->name);
	r->shown = text;
}

/* ---- one pass ---------------------------------------------------------------------------------------------------- */
static double now(void)
{
	struct timespec t;
	timespec_get(&t, TIME_UTC);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void count_time(const pass_info *p, double seconds)
{
	int row = (int)(p - pass_table);
	if (row < 0 || row >= (int)(sizeof runs_of / sizeof *runs_of))
		return;
	seconds_of[row] += seconds;
	runs_of[row]++;
}

static const print_options with_locations = {.locations = true, .max_const = DUMPED_ELEMENTS};

static const char *graph_again(arena *a, const char *text, diag *d)
{
	graph *g = graph_parse(a, "graph", text, strlen(text), d);
	str s = str_new(a);
	if (g)
		graph_print(&s, g, with_locations);
	return g ? s.data : NULL;
}

static const char *program_again(arena *a, const char *text, diag *d)
{
	program *p = program_parse(a, "program", text, strlen(text), d);
	str s = str_new(a);
	if (p)
		program_print(&s, p);
	return p ? s.data : NULL;
}

static bool text_is_faithful(const runner *r, arena *scratch, const char **why)
{
	str s = str_new(scratch);
	if (r->p)
		program_print(&s, r->p);
	else
		graph_print(&s, r->g, with_locations);
	return verify_text(s.data, scratch, r->p ? program_again : graph_again, why);
}

static void verify(runner *r, const char *when, const pass_info *p)
{
	const char *why = NULL;
	arena *scratch = r->ctx->scratch;
	bool ok = r->p ? program_verify(r->p, scratch, &why) : graph_verify(r->g, scratch, &why);
	ok = ok && text_is_faithful(r, scratch, &why);
	if (!ok)
		bug("%s pass %s: %s", when, p->name, why ? why : "the verifier gives no reason");
}

static void run_graph(const pass_info *p, graph *g, pass_ctx *ctx)
{
	p->run_graph(g, ctx);
	for (node *n = p->whole ? NULL : g->first; n; n = n->next)
		for (int i = 0; i < n->n_regions; i++)
			run_graph(p, n->regions[i], ctx);
}

static void run_level(runner *r, const pass_info *p)
{
	switch (p->level) {
	case PASS_GRAPH:
		run_graph(p, r->g, r->ctx);
		break;
	case PASS_LOWER:
		r->p = lower(r->g, r->ctx, r->a);
		break;
	case PASS_PROGRAM:
		p->run_program(r->p, r->ctx);
		break;
	}
}

/* False after errors. */
static bool run_pass(runner *r, const pass_info *p)
{
	arena *outer = r->ctx->scratch;
	int errors = diag_error_count(r->ctx->d);
	bool dumped = is_dumped(r, p);
	r->ctx->scratch = arena_new("pass");
	if (dumped)
		dump(r, "before", p);
	double start = now();
	run_level(r, p);
	count_time(p, now() - start);
	bool ok = diag_error_count(r->ctx->d) == errors;
	if (ok && r->o->verify_each)
		verify(r, "after", p);
	if (ok && dumped)
		dump(r, "after", p);
	arena_free(r->ctx->scratch);
	r->ctx->scratch = outer;
	return ok;
}

/* ---- the pipeline ------------------------------------------------------------------------------------------------ */
static bool fits_level(const runner *r, const pass_info *p)
{
	if ((p->level == PASS_PROGRAM) == (r->p != NULL))
		return true;
	diag_error(r->ctx->d, DIAG_NOWHERE, "--passes: %s %s", p->name,
		   r->p ? "works on graphs, but stands behind lower" : "works on programs, but stands before lower");
	return false;
}

/* How many come before the first that looks at the target. */
static int count_common(const pass_list *l)
{
	int n = 0;
	while (n < l->n && l->v[n]->level == PASS_GRAPH && !l->v[n]->of_target)
		n++;
	return n;
}

bool pipeline_run(graph *g, pass_ctx *ctx, const pipeline_options *o, arena *a, program **out)
{
	runner r = {.g = g, .ctx = ctx, .o = o, .a = a};
	pass_list list = {0};
	if (!o->passes)
		list_by_level(&list, ctx->opt);
	else if (!list_by_name(&list, o->passes, out != NULL, a, ctx->d))
		return false;
	int begin = o->part == PIPELINE_OF_TARGET ? count_common(&list) : 0;
	int end = o->part == PIPELINE_COMMON ? count_common(&list) : list.n;
	for (int i = begin; i < end; i++) {
		const pass_info *p = list.v[i];
		if (!out && p->level != PASS_GRAPH)
			break;
		if (!fits_level(&r, p) || !run_pass(&r, p))
			return false;
	}
	if (out)
		*out = r.p;
	return true;
}

void pass_print_times(FILE *to)
{
	double all = 0;
	for (int i = 0; i < pass_count; i++)
		all += seconds_of[i];
	fprintf(to, "%-16s %6s %10s %6s\n", "pass", "runs", "ms", "%");
	for (int i = 0; i < pass_count; i++)
		if (runs_of[i])
			fprintf(to, "%-16s %6d %10.2f %6.1f\n", pass_table[i].name, runs_of[i], seconds_of[i] * 1e3,
				all > 0 ? seconds_of[i] / all * 100 : 0);
	fprintf(to, "%-16s %6s %10.2f\n", "all", "", all * 1e3);
}
