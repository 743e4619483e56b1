/* Reading a model and running the pipeline on it.
 *
 * Constants are evaluated by the compiler's own code: the constant subgraph goes through the last passes, is compiled in
 * memory for the fixed fold target, and runs once. */
#define _POSIX_C_SOURCE 200809L
#include "driver/compile.h"

#include "driver/cpus.h"
#include "driver/tensors.h"
#include "driver/tune.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- options ------------------------------------------------------------------------------------------------------------ */
/* The file to be written need not be there yet. */
static bool read_tuning(const options *o, compile_options *out, diag *d)
{
	out->tuning_path = o->tuning;
	out->tune_seconds = o->tune_seconds;
	out->report = o->report != REPORT_NONE;
	if (o->tuning || o->tune_text)
		out->tuning = tuning_new(o->a);
	return !o->tuning || (o->tune_text && !path_exists(o->tuning)) || tuning_read(out->tuning, o->tuning, d);
}

bool compile_options_of(const options *o, compile_options *out, diag *d)
{
	cpu_list cpus = cpus_of(o, d);
	*out = (compile_options){
	        .import = {.dims = o->dims.v, .n_dims = o->dims.n, .inputs = o->shapes.v, .n_inputs = o->shapes.n,
	                   .outputs = o->outputs.v, .n_outputs = o->outputs.n},
	        .pipeline = {.passes = o->passes, .dump = o->dump, .dump_to = stderr, .verify_each = o->verify_each,
	                     .time_passes = o->time_passes, .locations = o->locations},
	        .target = cpus.n ? cpus.v[0] : NULL,
	        .cpus = cpus.v,
	        .n_cpus = cpus.n,
	        .opt = o->opt,
	        .winograd = o->winograd,
	};
	bool ok = cpus.n > 0 && bodies_check(o->dims.v, o->dims.n, cpus.n, d) && read_tuning(o, out, d);
	for (int i = 0; i < o->shapes.n; i++)
		vec_push(o->a, &out->shapes, o->shapes.v[i]);
	for (int i = 0; i < o->fixed.n; i++)
		ok = compile_options_fix(out, o->a, o->fixed.v[i].name, o->fixed.v[i].value, d) && ok;
	return ok;
}

bool compile_options_fix(compile_options *c, arena *a, const char *input, const char *path, diag *d)
{
	dlrt_tensor data;
	if (!tensor_read(a, path, &data, d))
		return false;
	tensor *kept = new(a, tensor);
	*kept = tensor_view(a, &data);
	vec_push(a, &c->constants, ((input_constant){input, kept}));
	c->import.constants = c->constants.v;
	c->import.n_constants = c->constants.n;
	return true;
}

emit_options emit_options_of(const options *o, const compile_options *c)
{
	bool all = o->command != COMMAND_COMPILE || o->threads <= 0;
	int threads = all ? (int)sysconf(_SC_NPROCESSORS_ONLN) : (int)o->threads;
	return (emit_options){.target = c->target, .triple = o->triple, .opt = o->opt, .sanitize = o->sanitize,
	                      .debug_info = o->debug_info, .weights_path = o->weights, .threads = threads};
}

int compile_options_bodies(const compile_options *c)
{
	return c->n_cpus * (1 + bodies_sizes(c->import.dims, c->import.n_dims));
}

bool compile_options_describe(compile_options *c, arena *a, const port_note *input, const char *path, diag *d)
{
	held_tensors held = {0};
	if (!value_read(a, path, input->kind, arena_strndup(a, input->name, strlen(input->name)), &held, d))
		return false;
	for (int i = 0; i < held.n; i++) {
		const dlrt_tensor *t = &held.v[i].tensor;
		dim_spec *dims = new_array(a, dim_spec, (size_t)(t->rank > 0 ? t->rank : 0) + 1);
		for (int k = 0; k < t->rank; k++)
			dims[k] = (dim_spec){NULL, t->dims[k]};
		dtype type = t->rank < 0 ? DTYPE_NONE : dtype_of_onnx((int)t->type);
		vec_push(a, &c->shapes, ((input_shape){held.v[i].name, type, t->rank, dims}));
	}
	c->import.inputs = c->shapes.v;
	c->import.n_inputs = c->shapes.n;
	return true;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */
static bool is_text(const char *path)
{
	size_t n = strlen(path);
	return n > 3 && strcmp(path + n - 3, ".ir") == 0;
}

/* Text of kernels begins with "program", behind comments. */
static bool is_program(const char *text, size_t n)
{
	static const char word[] = "program";
	const char *end = text + n;
	while (text < end && (strchr(" \t\r\n", *text) || *text == '#')) {
		if (*text == '#')
			while (text < end && *text != '\n')
				text++;
		else
			text++;
	}
	return (size_t)(end - text) >= sizeof word - 1 && !memcmp(text, word, sizeof word - 1);
}

/* What the parser leaves to the verifier; in text that somebody wrote it is an error, not a bug. */
static bool program_is_sound(const program *p, const char *path, diag *d)
{
	const char *why = NULL;
	arena *scratch = arena_new("verify");
	bool ok = program_verify(p, scratch, &why);
	if (!ok)
		diag_error(d, DIAG_FILE(path), "%s", why);
	arena_free(scratch);
	return ok;
}

static bool is_quantised(const graph *g)
{
	static const char *const signs[] = {"Quantize", "QLinear", "Integer", "NBits"};
	for_each_node(n, g)
		for (size_t i = 0; n->src.op && i < sizeof signs / sizeof *signs; i++)
			if (strstr(n->src.op, signs[i]))
				return true;
	return false;
}

/* ---- --dim for a graph in text: its symbols are there already ------------------------------------------------------------- */
typedef struct fixing {
	graph *g;
	sym *dim, *number;
} fixing;

static const expr *fix_leaf(const expr *leaf, void *user)
{
	const fixing *f = user;
	return leaf->op == EXPR_INDEX ? expr_index(f->g->exprs, sym_replace(leaf->index, f->dim, f->number)) : leaf;
}

static void fix_syms(const fixing *f, sym **v, int n)
{
	for (int i = 0; i < n; i++)
		v[i] = sym_replace(v[i], f->dim, f->number);
}

static void fix_value(const fixing *f, value *v)
{
	fix_syms(f, v->dims, v->rank);
	if (v->elements)
		fix_syms(f, v->elements, v->n_elements);
}

static void fix_attr(const fixing *f, attr *a)
{
	if (a->kind == ATTR_SYMS) {
		sym **changed = new_array(f->g->a, sym *, (size_t)a->n + 1);
		memcpy(changed, a->syms, (size_t)a->n * sizeof *changed);
		fix_syms(f, changed, a->n);
		a->syms = changed;
	} else if (a->kind == ATTR_EXPR) {
		fixing copy = *f;
		a->expr = expr_map_leaves(f->g->exprs, a->expr, fix_leaf, &copy);
	}
}

static void fix_graph(const fixing *f, graph *g)
{
	for (int i = 0; i < g->inputs.n; i++)
		fix_value(f, g->inputs.v[i]);
	for (int i = 0; i < g->assumed.n; i++) {
		fix_syms(f, &g->assumed.v[i].a, 1);
		fix_syms(f, &g->assumed.v[i].b, 1);
	}
	for_each_node(n, g) {
		for (int i = 0; i < n->n_regions; i++)
			fix_graph(f, n->regions[i]);
		for (int i = 0; i < n->n_out; i++)
			fix_value(f, n->out[i]);
		for (int i = 0; i < n->n_attrs; i++)
			fix_attr(f, &n->attrs[i]);
	}
}

/* The number in place of the dim, everywhere. */
static void fix_dim(graph *g, sym *dim, int64_t number)
{
	fix_graph(&(fixing){g, dim, sym_const(g->syms, number)}, g);
}

/* The assumed conditions, with what is known about dims now.  Those of a region matter only if it runs. */
static void settle_conditions(graph *g, const char *path, diag *d)
{
	conditions before = g->assumed;
	g->assumed = (conditions){0};
	for (int i = 0; i < before.n; i++) {
		const condition *c = &before.v[i];
		str text = str_new(g->a);
		condition_print(&text, c);
		if (graph_assume(g, c->kind, c->a, c->b))
			continue;
		if (g->owner)
			vec_push(g->a, &g->assumed, *c);
		else
			diag_error(d, DIAG_FILE(path), "--dim contradicts the model, which wants %s", text.data);
	}
	for_each_node(n, g)
		for (int i = 0; i < n->n_regions; i++)
			settle_conditions(n->regions[i], path, d);
}

static bool apply_dims(graph *g, const char *path, const import_options *o, diag *d)
{
	for (int i = 0; i < o->n_dims; i++) {
		const dim_range *r = &o->dims[i];
		sym *dim = sym_find_dim(g->syms, r->name);
		if (!dim)
			diag_error(d, DIAG_FILE(path), "--dim names \"%s\", but there is no such dim", r->name);
		else if (r->lo < dim->lo || r->lo > dim->hi)
			diag_error(d, DIAG_FILE(path), "--dim %s: %lld is outside the bounds of the text", r->name, (long long)r->lo);
		else if (r->lo == r->hi)
			fix_dim(g, dim, r->lo);
		else
			sym_set_range(dim, r->lo, r->hi < dim->hi ? r->hi : dim->hi);
	}
	if (o->n_dims)
		settle_conditions(g, path, d);
	return diag_error_count(d) == 0;
}

static bool is_dim_of_input(const graph *g, const sym *dim)
{
	for (int i = 0; i < g->inputs.n; i++)
		for (int k = 0; k < g->inputs.v[i]->rank; k++)
			if (g->inputs.v[i]->dims[k] == dim)
				return true;
	return false;
}

/* Listed values are sizes that an input can have. */
static void check_values(const graph *g, const char *path, const import_options *o, diag *d)
{
	for (int i = 0; i < o->n_dims; i++) {
		const dim_range *r = &o->dims[i];
		sym *dim = sym_find_dim(g->syms, r->name);
		if (r->n_values && (!dim || !is_dim_of_input(g, dim)))
			diag_error(d, DIAG_FILE(path), "--dim lists values of \"%s\", but no input has such a dim", r->name);
		for (int k = 0; dim && k < r->n_values; k++)
			if (r->values[k] < dim->lo || r->values[k] > dim->hi)
				diag_error(d, DIAG_FILE(path), "--dim %s: %lld is outside the bounds of the text", r->name, (long long)r->values[k]);
	}
}

bool compilation_open(compilation *c, const char *path, const compile_options *o, diag *d)
{
	*c = (compilation){.a = arena_new("model"), .path = path};
	if (!file_map(path, &c->file, d))
		return false;
	const char *text = (const char *)c->file.data;
	if (is_text(path) && (o->import.n_inputs || o->import.n_outputs)) {
		diag_error(d, DIAG_FILE(path), "shapes of --input, and --output, are for ONNX models; change the text instead");
		return false;
	}
	if (is_text(path) && is_program(text, c->file.size)) {
		c->p = program_parse(c->a, path, text, c->file.size, d);
		if (o->import.n_dims)
			diag_error(d, DIAG_FILE(path), "--dim is for graphs, but this file holds kernels");
		return c->p && diag_error_count(d) == 0 && program_is_sound(c->p, path, d);
	}
	if (is_text(path)) {
		c->g = graph_parse(c->a, path, text, c->file.size, d);
		if (c->g && !apply_dims(c->g, path, &o->import, d))
			return false;
	} else {
		import_options import = o->import;
		import.files = &c->files;
		c->g = onnx_import(c->a, path, c->file.data, c->file.size, &import, d);
	}
	c->quantised = c->g && is_quantised(c->g);
	if (c->g)
		check_values(c->g, path, &o->import, d);
	return c->g && diag_error_count(d) == 0;
}

void compilation_close(compilation *c)
{
	onnx_files_close(&c->files);
	file_unmap(&c->file);
	arena_free(c->a);
	*c = (compilation){0};
}

/* ---- constants ------------------------------------------------------------------------------------------------------------ */
static tensor *result_of(arena *a, const value *v)
{
	int64_t dims[MAX_RANK];
	for (int i = 0; i < v->rank; i++)
		dims[i] = sym_value(v->dims[i]);
	tensor *t = tensor_new(a, v->type, v->rank, dims, NULL);
	t->data = arena_alloc(a, t->bytes ? t->bytes : 1, 64);
	return t;
}

/* Memory behind what was read of the model, back to the system: most of it is weights that are packed now. */
static void drop_pages(const compilation *c)
{
	file_drop_pages(&c->file);
	for (int i = 0; i < c->files.maps.n; i++)
		file_drop_pages(&c->files.maps.v[i]);
}

/* A run that keeps only a part of the constants it reads in memory: of these, and of what is computed from them, one is large. */
typedef struct frugal_run {
	const compilation *c;
	const struct dlrt_model *model;
	int64_t pieces; /* of the kernel that runs */
} frugal_run;

enum { PIECE_BYTES = 64 << 20 };

static void around_kernel(void *user, int32_t index, int32_t phase)
{
	frugal_run *r = user;
	if (phase == 0)
		r->pieces = r->model->kernels[index].bytes / PIECE_BYTES + 1;
	else
		drop_pages(r->c);
}

static void run_in_pieces(void *user, dlrt_task *task, void *args, int64_t n)
{
	const frugal_run *r = user;
	int64_t piece = (n + r->pieces - 1) / r->pieces;
	for (int64_t at = 0; at < n; at += piece) {
		task(args, at, at + piece < n ? at + piece : n);
		drop_pages(r->c);
	}
}

static dlrt_status run_frugally(frugal_run *r, void *const *outputs, arena *scratch)
{
	size_t bytes;
	dlrt_status status = dlrt_workspace_size(r->model, NULL, &bytes); /* also checks that this CPU will do */
	if (status != DLRT_OK)
		return status;
	dlrt_context context = {.parallel = run_in_pieces, .pool = r, .n_threads = 1, .profile = around_kernel,
	                        .profile_user = r, .weights = r->model->weights, .cpu_features = dlrt_cpu_features()};
	return r->model->run(NULL, outputs, arena_alloc(scratch, bytes + 1, DLRT_WORKSPACE_ALIGN), NULL, &context);
}

static bool run_closed(const struct dlrt_model *model, tensor **results, int n, const compilation *c, arena *scratch, diag *d)
{
	void **outputs = new_array(scratch, void *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		outputs[i] = (void *)results[i]->data;
	dlrt_status status = run_frugally(&(frugal_run){.c = c, .model = model}, outputs, scratch);
	if (status != DLRT_OK)
		diag_error(d, DIAG_NOWHERE, "evaluating constants: %s", dlrt_strerror(status));
	return status == DLRT_OK;
}

/* The evaluator of pass_ctx: compiles the closed graph in memory and runs it. */
static bool evaluate_constants(void *user, const graph *g, arena *results_arena, tensor **results, diag *d)
{
	arena *a = arena_new("fold");
	pass_ctx ctx = {.model = a, .target = target_fold(), .opt = 2, .d = d};
	pipeline_options pipeline = {.passes = "outputs,fuse,lower,plan"};
	program *p = NULL;
	jit *j = NULL;
	for (int i = 0; i < g->outputs.n; i++)
		results[i] = result_of(results_arena, g->outputs.v[i]);
	if (pipeline_run((graph *)g, &ctx, &pipeline, a, &p)) {
		emit_options emit = {.target = target_fold(), .opt = 1, .symbol = "fold"};
		j = jit_compile(p, &emit, d);
	}
	bool ok = j && run_closed(jit_model(j), results, g->outputs.n, user, a, d);
	if (j)
		jit_free(j);
	arena_free(a);
	return ok;
}

/* Kernels that were given as text still need their memory planned. */
static bool finish_program(program *p, pass_ctx *ctx)
{
	ctx->scratch = arena_new("pass");
	for (int i = 0; i < pass_count; i++)
		if (pass_table[i].level == PASS_PROGRAM)
			pass_table[i].run_program(p, ctx);
	arena_free(ctx->scratch);
	return diag_error_count(ctx->d) == 0;
}

static bool run_part(compilation *c, pass_ctx *ctx, const compile_options *o, pipeline_part part, graph *g, program **p)
{
	pipeline_options pipeline = o->pipeline;
	pipeline.part = part;
	bool ok = pipeline_run(g, ctx, &pipeline, c->a, p) && diag_error_count(ctx->d) == 0;
	drop_pages(c);
	return ok;
}

/* The graphs for each of so many sizes have their part of the time. */
static bool tune_share(compilation *c, const pass_ctx *ctx, const compile_options *o, graph *g, int sizes)
{
	compile_options part = *o;
	part.tune_seconds /= sizes;
	return o->tune_seconds <= 0 || tune(c, g, &part, ctx->d);
}

/* What looks at the target runs once for each CPU, on its own graph; `first` is the body of the first. */
static bool run_for_each(compilation *c, pass_ctx *ctx, const compile_options *o, graph *g, body *first)
{
	int sizes = c->n_bodies / o->n_cpus;
	bool ok = run_part(c, ctx, o, PIPELINE_COMMON, g, NULL) && tune_share(c, ctx, o, g, sizes);
	for (int i = 0; ok && i < o->n_cpus; i++) {
		body *b = &first[i * sizes];
		ctx->target = b->target;
		if (o->pipeline.dump)
			fprintf(o->pipeline.dump_to, "# for %s\n", body_title(c->a, b));
		ok = run_part(c, ctx, o, PIPELINE_OF_TARGET, i + 1 == o->n_cpus ? g : graph_copy(g), &b->p);
		if (ok && b->n_fixed)
			body_keep_symbols(b->p, c->bodies[0].p);
	}
	return ok;
}

/* The graph with numbers for what the body fixes. */
static graph *graph_for(const compilation *c, const body *b, diag *d)
{
	graph *g = graph_copy(c->g);
	for (int i = 0; i < b->n_fixed; i++)
		fix_dim(g, sym_find_dim(g->syms, b->fixed[i].name), b->fixed[i].value);
	settle_conditions(g, c->path, d);
	return g;
}

/* Passes change the graph, so those for certain sizes begin before. */
static bool run_bodies(compilation *c, pass_ctx *ctx, const compile_options *o)
{
	int sizes = c->n_bodies / o->n_cpus;
	graph **g = new_array(c->a, graph *, (size_t)sizes);
	g[0] = c->g;
	for (int k = 1; k < sizes; k++)
		g[k] = graph_for(c, &c->bodies[k], ctx->d);
	bool ok = diag_error_count(ctx->d) == 0;
	for (int k = 0; ok && k < sizes; k++)
		ok = run_for_each(c, ctx, o, g[k], &c->bodies[k]);
	c->p = c->bodies[0].p;
	return ok;
}

/* Kernels in text are for any target. */
static bool use_program(compilation *c, pass_ctx *ctx)
{
	for (int i = 0; i < c->n_bodies; i++)
		c->bodies[i].p = c->p;
	return c->p->workspace_bytes || finish_program(c->p, ctx);
}

pass_ctx compilation_context(compilation *c, const compile_options *o, diag *d)
{
	return (pass_ctx){.model = c->a, .target = o->target, .opt = o->opt, .winograd = o->winograd, .tuning = o->tuning,
	                  .evaluate = evaluate_constants, .evaluate_user = c, .d = d};
}

/* Measures between the passes that are common to all targets and those that are not. */
static bool tune_and_run(compilation *c, pass_ctx *ctx, const compile_options *o, bool lowered)
{
	if (!run_part(c, ctx, o, PIPELINE_COMMON, c->g, NULL) || !tune(c, c->g, o, ctx->d))
		return false;
	return run_part(c, ctx, o, PIPELINE_OF_TARGET, c->g, lowered ? &c->p : NULL);
}

bool compilation_run(compilation *c, const compile_options *o, bool lowered, diag *d)
{
	pass_ctx ctx = compilation_context(c, o, d);
	c->bodies = bodies_of(c->a, o->cpus, o->n_cpus, o->import.dims, o->import.n_dims);
	c->n_bodies = compile_options_bodies(o);
	if (!c->g)
		return use_program(c, &ctx);
	if (c->n_bodies > 1)
		return run_bodies(c, &ctx, o);
	bool ok = o->tune_seconds > 0 ? tune_and_run(c, &ctx, o, lowered) : run_part(c, &ctx, o, PIPELINE_ALL, c->g, lowered ? &c->p : NULL);
	c->bodies[0].p = c->p;
	return ok;
}

void compilation_add_variants(compilation *c, emit_options *o, const char *const *kernel_texts)
{
	emit_variant *v = new_array(c->a, emit_variant, (size_t)c->n_bodies);
	for (int i = 0; i < c->n_bodies; i++) {
		body *b = &c->bodies[i];
		v[i] = (emit_variant){b->p, b->target, b->fixed, b->n_fixed, kernel_texts ? kernel_texts[i] : NULL, &b->code_bytes};
	}
	o->kernel_text_path = v[0].kernel_text_path;
	o->code_bytes = v[0].code_bytes;
	o->also = v + 1;
	o->n_also = c->n_bodies - 1;
}
