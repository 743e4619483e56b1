/* Measures choices: for each problem of the model, a graph of our own computes it in every way that can be chosen, compiled in
 * memory.
 *
 *   input -> copy -> the node by choice 0 -> maximum -> output 0      to warm up
 *     |----> copy -> the node by choice 0 -> maximum -> output 1
 *     |----> copy -> the node by choice 1 -> maximum -> output 2 ...
 *
 * Every choice is its own kernel, and its time is that of this kernel alone; runs of all alternate, and the least time of each counts.
 * Its operand was just written, in the layout that it has in the model; its weights were read by nothing since the last run, and
 * between runs as much other memory is read as the model has weights.  Problems with most operations come first and get most of the
 * time. */
#define _POSIX_C_SOURCE 200809L
#include "driver/tune.h"

#include "driver/progress.h"
#include "driver/roofline.h"
#include "driver/session.h"
#include "driver/tensors.h"
#include "ir/graph_build.h"
#include "support/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MIN_ROUNDS = 5,
	MAX_ROUNDS = 60,
	MAX_OTHER_BYTES = 64 << 20, /* read between runs: more than caches hold */
	MAX_WEIGHTS_BYTES = 1 << 30, /* of all choices of a problem together */
	PACKED_FACTOR = 4,           /* weights of Winograd's products, in weights of the filter */
	LINE_BYTES = 64,
};

static const double COMPILE_SECONDS = 0.5; /* for a problem, before the first is known */
static const double WORTH_IT = 0.97; /* of the time of what the costs choose; less may be noise */

typedef struct problem {
	const char *text;
	const node *n; /* one that has it */
	double flops;  /* of all that have it */
	choice choices[MAX_CHOICES];
	int n_choices, best;
	double seconds[MAX_CHOICES];
} problem;

typedef struct tuner {
	const graph *g;
	const compile_options *o;
	diag *d;
	arena *a;
	pass_ctx ctx;
	map *by_text; /* problem, in the order of the graph */
	double end;     /* when time is up */
	double running; /* seconds of runs so far; the rest is compiling */
	unsigned char *other;
	size_t other_bytes;
} tuner;

/* ---- which problems ------------------------------------------------------------------------------------------------------ */
static double count_elements(const value *v)
{
	double n = 1;
	for (int i = 0; i < v->rank; i++)
		n *= (double)problem_size(v, i);
	return n;
}

/* Multiplications: of every element of the result, or of every pair of operands' elements, divided among what is summed. */
static double operations_of(const node *n)
{
	double weights = count_elements(n->in[1]);
	if (n->op == OP_CONV)
		return count_elements(n->out[0]) * weights / (double)typical_size(n->in[1]->dims[0]);
	double a = count_elements(n->in[0]), out = count_elements(n->out[0]);
	return value_is_const(n->in[1]) ? a * out / (a < out ? a : out) : a * out / weights;
}

static bool fits_memory(const problem *p)
{
	int at = value_is_const(p->n->in[1]) ? 1 : 0;
	return count_elements(p->n->in[at]) * sizeof(float) * PACKED_FACTOR * p->n_choices < MAX_WEIGHTS_BYTES;
}

static void collect_node(tuner *t, const node *n)
{
	problem p = {.n = n};
	p.n_choices = choices_of(n, &t->ctx, p.choices);
	if (p.n_choices < 2 || !fits_memory(&p))
		return;
	p.text = problem_of(t->a, n, &t->ctx);
	problem *known = map_get(t->by_text, p.text);
	if (tuning_has(t->o->tuning, p.text))
		return;
	if (!known) {
		known = new(t->a, problem);
		*known = p;
		map_put(t->by_text, p.text, known);
	}
	known->flops += operations_of(n);
}

static void collect(tuner *t, const graph *g)
{
	for_each_node(n, g) {
		collect_node(t, n);
		for (int i = 0; i < n->n_regions; i++)
			collect(t, n->regions[i]);
	}
}

static int by_flops(const void *a, const void *b)
{
	const problem *const *x = a, *const *y = b;
	return ((*x)->flops < (*y)->flops) - ((*x)->flops > (*y)->flops);
}

/* ---- the graph that is measured -------------------------------------------------------------------------------------------- */
static value *random_weights(graph *g, const value *like)
{
	dlrt_tensor data = {.type = DLRT_F32, .rank = like->rank};
	int64_t dims[MAX_RANK];
	for (int i = 0; i < like->rank; i++)
		data.dims[i] = dims[i] = sym_value(like->dims[i]);
	tensor_allocate(g->a, &data);
	tensor_fill(&data, "random", 1);
	value *w = build_const(g, tensor_new(g->a, F32, like->rank, dims, data.data), NULL);
	return like->type == F32 ? w : build_cast(g, like->type, w);
}

/* Known sizes as they are, others as symbols of the same bounds. */
static value *operand_like(graph *g, const value *like)
{
	sym *dims[MAX_RANK];
	for (int i = 0; i < like->rank; i++) {
		const sym *s = like->dims[i];
		dims[i] = sym_is_const(s, NULL) ? sym_const(g->syms, sym_value(s)) : sym_dim(g->syms, arena_printf(g->a, "d%d", i), s->lo, s->hi);
	}
	return graph_input(g, "x", like->type, like->rank, dims);
}

static attr *attributes_of(graph *g, const node *n)
{
	attr *attrs = new_array(g->a, attr, (size_t)n->n_attrs + 1);
	for (int i = 0; i < n->n_attrs; i++) {
		attrs[i] = n->attrs[i];
		if (attrs[i].kind != ATTR_SYMS)
			continue;
		sym **syms = new_array(g->a, sym *, (size_t)attrs[i].n + 1);
		for (int k = 0; k < attrs[i].n; k++)
			syms[k] = sym_const(g->syms, sym_value(n->attrs[i].syms[k]));
		attrs[i].syms = syms;
	}
	return attrs;
}

/* Which choice the i-th copy of the node is computed by. */
static int choice_at(int i) { return i ? i - 1 : 0; }

static const char *kernel_name(arena *a, int i) { return arena_printf(a, "node%d", i); }

/* Copies of the node, which go to `nodes`. */
static graph *graph_of_choices(arena *a, const problem *p, node **nodes)
{
	graph *g = graph_new(a, "tune");
	int at = value_is_const(p->n->in[0]) ? 1 : 0; /* the operand that is no constant */
	const value *like = p->n->in[at];
	value *x = operand_like(g, like), *w = random_weights(g, p->n->in[1 - at]), *in[2];
	for (int i = 0; i <= p->n_choices; i++) {
		g->src = (source){.name = "operand"};
		in[at] = build_copy(g, x);
		in[at]->layout = like->layout;
		in[1 - at] = w;
		g->src.name = kernel_name(a, i);
		value *y = build(g, p->n->op, in, 2, attributes_of(g, p->n), p->n->n_attrs);
		y->layout = p->n->out[0]->layout;
		nodes[i] = y->def;
		g->src.name = "maximum";
		int axes[MAX_RANK];
		for (int k = 0; k < y->rank; k++)
			axes[k] = k;
		graph_output(g, build_reduce(g, y, "max", axes, y->rank), arena_printf(a, "y%d", i));
	}
	return g;
}

static void apply_choices(graph *g, pass_ctx *ctx, const problem *p, node **nodes)
{
	ctx->scratch = arena_new("tune");
	for (int i = 0; i <= p->n_choices; i++) {
		g->before = nodes[i];
		g->src = (source){.name = "packed"};
		choice_apply(p->choices[choice_at(i)], nodes[i], ctx);
	}
	g->before = NULL;
	arena_free(ctx->scratch);
	ctx->scratch = NULL;
}

static jit *compile_choices(tuner *t, arena *a, const problem *p, diag *quiet)
{
	node *nodes[MAX_CHOICES + 1];
	pass_ctx ctx = t->ctx;
	ctx.model = a;
	ctx.d = quiet;
	graph *g = graph_of_choices(a, p, nodes);
	program *kernels = NULL;
	if (!pipeline_run(g, &ctx, &(pipeline_options){.passes = "fold"}, a, NULL))
		return NULL;
	apply_choices(g, &ctx, p, nodes);
	if (!pipeline_run(g, &ctx, &(pipeline_options){.passes = "outputs,fold-weights,fuse,lower,plan"}, a, &kernels))
		return NULL;
	emit_options eo = {.target = ctx.target, .opt = ctx.opt, .symbol = "tune", .threads = (int)sysconf(_SC_NPROCESSORS_ONLN)};
	return jit_compile(kernels, &eo, quiet);
}

/* ---- measuring --------------------------------------------------------------------------------------------------------------- */
typedef struct trial {
	const dlrt_model *model;
	dlrt_tensor input, *outputs;
	dlrt_options options;
	dlrt_profile profile;
} trial;

static bool prepare(trial *r, arena *a, const value *like)
{
	const dlrt_model *m = r->model;
	r->input = (dlrt_tensor){.type = (dlrt_type)m->inputs[0].type, .rank = like->rank};
	for (int i = 0; i < like->rank; i++)
		r->input.dims[i] = problem_size(like, i);
	r->outputs = new_array(a, dlrt_tensor, (size_t)m->n_outputs + 1);
	if (!tensor_allocate(a, &r->input) || dlrt_infer_shapes(m, &r->input, r->outputs, NULL) != DLRT_OK)
		return false;
	tensor_fill(&r->input, "random", 2);
	for (int i = 0; i < m->n_outputs; i++)
		if (!tensor_allocate(a, &r->outputs[i]))
			return false;
	dlrt_profile_entry *entries = new_array(a, dlrt_profile_entry, (size_t)m->n_kernels + 1);
	dlrt_profile_init(&r->profile, entries, m->n_kernels, NULL, NULL);
	size_t bytes = 0;
	if (dlrt_workspace_size(m, &r->input, &bytes) != DLRT_OK)
		return false;
	r->options = (dlrt_options){.workspace = arena_alloc(a, bytes + 1, DLRT_WORKSPACE_ALIGN), .workspace_bytes = bytes + 1, .profile = &r->profile};
	return true;
}

/* Other layers' weights pass through the caches. */
static void read_other(const tuner *t)
{
	const volatile unsigned char *other = t->other;
	for (size_t i = 0; i < t->other_bytes; i += LINE_BYTES)
		(void)other[i];
}

static bool run_rounds(tuner *t, trial *r, double share)
{
	double start = seconds_now();
	bool ok = true;
	for (int i = 0; ok && i < MAX_ROUNDS && (i < MIN_ROUNDS || seconds_now() < start + share); i++) {
		read_other(t);
		ok = dlrt_run(r->model, &r->input, r->outputs, &r->options) == DLRT_OK;
	}
	t->running += seconds_now() - start;
	return ok;
}

/* False when some choice has no kernel of its own. */
static bool take_times(const trial *r, arena *a, problem *p)
{
	for (int i = 0; i < p->n_choices; i++) {
		const char *name = kernel_name(a, i + 1);
		p->seconds[i] = 0;
		for (int k = 0; k < r->model->n_kernels; k++)
			if (!strcmp(r->model->kernels[k].name, name))
				p->seconds[i] = (double)r->profile.entries[k].min_ns * 1e-9;
		if (p->seconds[i] <= 0)
			return false;
	}
	return true;
}

static int best_of(const problem *p)
{
	int best = 0;
	for (int i = 1; i < p->n_choices; i++)
		if (p->seconds[i] < p->seconds[best])
			best = i;
	return p->seconds[best] < WORTH_IT * p->seconds[0] ? best : 0;
}

/* A problem that cannot be measured keeps the choice of the costs. */
static bool measure(tuner *t, problem *p, double share)
{
	arena *a = arena_new("tune");
	diag *quiet = diag_new(a, NULL);
	jit *j = compile_choices(t, a, p, quiet);
	trial r = {.model = j ? jit_model(j) : NULL};
	const value *like = p->n->in[value_is_const(p->n->in[0]) ? 1 : 0];
	bool ok = j && prepare(&r, a, like) && run_rounds(t, &r, share) && take_times(&r, a, p);
	if (ok)
		p->best = best_of(p);
	if (j)
		jit_free(j);
	arena_free(a);
	return ok;
}

static void report_problem(const tuner *t, const problem *p)
{
	if (!t->o->report)
		return;
	fprintf(stderr, "%s\n", p->text);
	for (int i = 0; i < p->n_choices; i++)
		fprintf(stderr, "    %10.1f us  %s%s%s\n", p->seconds[i] * 1e6, choice_text(t->a, p->choices[i]), i ? "" : ", by the costs",
		        i == p->best ? ", chosen" : "");
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------ */
/* By operations; compiling takes as long for a small problem as for a large one. */
static void measure_all(tuner *t)
{
	int n = map_count(t->by_text), measured = 0, done = 0;
	problem **all = new_array(t->a, problem *, (size_t)n + 1);
	double left = 0, start = seconds_now();
	t->running = 0;
	for (int i = 0; i < n; i++) {
		all[i] = map_value_at(t->by_text, i);
		left += all[i]->flops;
	}
	qsort(all, (size_t)n, sizeof *all, by_flops);
	for (; done < n && (!done || seconds_now() < t->end); left -= all[done]->flops, done++) {
		progress(arena_printf(t->a, "measuring choice %d of %d", done + 1, n));
		double now = seconds_now(), compiling = done ? (now - start - t->running) / done : COMPILE_SECONDS;
		double share = (t->end - now - compiling * (n - done)) * all[done]->flops / left;
		share = share > 0 ? share : 0;
		if (!measure(t, all[done], share))
			continue;
		progress_end();
		report_problem(t, all[done]);
		tuning_put(t->o->tuning, all[done]->text, all[done]->choices[all[done]->best]);
		measured++;
	}
	progress_end();
	if (done < n)
		diag_warning(t->d, DIAG_NOWHERE, "--tune: time for %d of %d choices; more of it, or the same command again, measures the others", measured, n);
}

static size_t constant_bytes(const graph *g)
{
	size_t bytes = 0;
	for_each_node(n, g)
		if (value_tensor(n->out[0]))
			bytes += value_tensor(n->out[0])->bytes;
	return bytes;
}

static bool tune_target(tuner *t, const target *which)
{
	t->ctx.target = which;
	t->by_text = map_new_str(t->a);
	graph *g = graph_copy(t->g);
	if (!pipeline_run(g, &t->ctx, &(pipeline_options){.passes = "layout"}, t->a, NULL))
		return false;
	collect(t, g);
	measure_all(t);
	return true;
}

static bool runs_here(const target *t, diag *d)
{
	if (!strcmp(t->arch, target_find("native")->arch) && !(t->required & ~dlrt_cpu_features()))
		return true;
	diag_error(d, DIAG_NOWHERE, "--tune measures on this machine, which cannot run code for %s", t->name);
	diag_hint(d, "tune on such a machine, and give the file to --tuning here");
	return false;
}

static bool write_tuning(const tuner *t)
{
	str s = str_new(t->a);
	if (!t->o->tuning_path)
		return true;
	tuning_print(&s, t->o->tuning, arena_printf(t->a, "choices of dlcc %s, measured on %s", DLCC_VERSION, cpu_model(t->a)));
	return file_write_atomic(t->o->tuning_path, s.data, s.len, t->d);
}

bool tune(compilation *c, const graph *g, const compile_options *o, diag *d)
{
	arena *a = arena_new("tuning");
	tuner t = {.g = g, .o = o, .d = d, .a = a, .ctx = compilation_context(c, o, d)};
	double start = seconds_now();
	bool ok = true;
	t.other_bytes = constant_bytes(g);
	t.other_bytes = t.other_bytes > MAX_OTHER_BYTES ? MAX_OTHER_BYTES : t.other_bytes;
	t.other = arena_alloc(a, t.other_bytes + 1, LINE_BYTES);
	memset(t.other, 1, t.other_bytes + 1);
	for (int i = 0; ok && i < o->n_cpus; i++)
		ok = runs_here(o->cpus[i], d);
	for (int i = 0; ok && i < o->n_cpus; i++) {
		t.end = start + o->tune_seconds * (i + 1) / o->n_cpus;
		ok = tune_target(&t, o->cpus[i]);
	}
	ok = ok && write_tuning(&t);
	arena_free(a);
	return ok;
}
