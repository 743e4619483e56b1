#define _POSIX_C_SOURCE 200809L
#include "driver/session.h"

#include "driver/progress.h"
#include "driver/tensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALIGN = DLRT_WORKSPACE_ALIGN, MESSAGE = 256 };

/* ---- opening -------------------------------------------------------------------------------------------------------- */
static bool is_fixed(const session *s, const char *input)
{
	for (int i = 0; i < s->co.constants.n; i++)
		if (!strcmp(s->co.constants.v[i].name, input))
			return true;
	return false;
}

/* The input of the model that a tensor belongs to: x of x.0; `otherwise` when there is no such input. */
static int port_of(const session *s, const char *held, int otherwise)
{
	for (int i = 0; i < s->notes.inputs.n; i++) {
		const char *name = s->notes.inputs.v[i].name;
		size_t n = strlen(name);
		bool holds = s->notes.inputs.v[i].kind[0] != 't' && held[n] == '.';
		if (!strncmp(name, held, n) && (!held[n] || holds))
			return i;
	}
	return otherwise;
}

static const char *input_file(arena *a, const char *dir, int i) { return arena_printf(a, "%s/input_%d.pb", dir, i); }

/* True when some input that sizes depend on is fixed now and was not before. */
static bool fix_sizing_inputs(session *s, const char *dir, diag *d)
{
	bool fixed = false;
	for (int i = 0; i < s->notes.sizing.n; i++) {
		const char *name = s->notes.sizing.v[i], *path = input_file(s->o->a, dir, port_of(s, name, 0));
		if (!is_fixed(s, name) && path_exists(path))
			fixed = compile_options_fix(&s->co, s->o->a, arena_strndup(s->o->a, name, strlen(name)), path, d) || fixed;
	}
	s->fixed_to_data = s->fixed_to_data || fixed;
	return fixed;
}

/* Describes sequences and optionals as those of the test data; true when some were not described before. */
static bool describe_containers(session *s, const char *dir, diag *d)
{
	bool described = false;
	for (int i = 0; !s->described && i < s->notes.inputs.n; i++) {
		const char *path = input_file(s->o->a, dir, i);
		if (s->notes.inputs.v[i].kind[0] != 't' && path_exists(path))
			described = compile_options_describe(&s->co, s->o->a, &s->notes.inputs.v[i], path, d) || described;
	}
	s->described = true;
	s->fixed_to_data = s->fixed_to_data || described;
	return described;
}

/* Imports the model; where it is refused because of inputs that sizes depend on, again with their values of the test data. */
static bool open_model(session *s, const char *dir, diag *d)
{
	s->co.import.notes = &s->notes;
	while (dir) {
		diag *quiet = diag_new(s->o->a, NULL);
		s->notes = (import_notes){0};
		if (compilation_open(&s->c, s->file, &s->co, quiet)) {
			fputs(diag_text(quiet), stderr);
			return true;
		}
		bool again = describe_containers(s, dir, d) || fix_sizing_inputs(s, dir, d);
		compilation_close(&s->c);
		if (!again)
			break;
	}
	s->notes = (import_notes){0};
	return compilation_open(&s->c, s->file, &s->co, d);
}

/* Runs the passes; where memory has no limit because of inputs that sizes depend on, again with their values of the test data. */
static bool optimise_model(session *s, const char *dir, diag *d)
{
	if (!dir || !s->notes.sizing.n)
		return compilation_run(&s->c, &s->co, true, d);
	diag *quiet = diag_new(s->o->a, NULL);
	bool ok = compilation_run(&s->c, &s->co, true, quiet);
	if (ok || !fix_sizing_inputs(s, dir, d)) {
		fputs(diag_text(quiet), stderr);
		return ok;
	}
	compilation_close(&s->c);
	return open_model(s, dir, d) && compilation_run(&s->c, &s->co, true, d);
}

static bool compile_model(session *s, const char *dir, diag *d)
{
	options *o = s->o;
	progress("reading the model");
	if (!compile_options_of(o, &s->co, d) || !open_model(s, dir, d))
		return false;
	progress("optimising");
	if (!optimise_model(s, dir, d))
		return false;
	progress("generating code");
	emit_options eo = emit_options_of(o, &s->co);
	eo.symbol = path_stem(o->a, o->model);
	const char **kernel_texts = new_array(o->a, const char *, (size_t)s->c.n_bodies);
	for (int i = 0; i < s->c.n_bodies; i++)
		kernel_texts[i] = "kernels";
	compilation_add_variants(&s->c, &eo, kernel_texts);
	s->j = jit_compile(s->c.p, &eo, d);
	return s->j != NULL;
}

bool session_open(session *s, options *o, const char *dir, diag *d)
{
	*s = (session){.o = o, .file = o->model};
	bool ok = compile_model(s, dir, d);
	progress_end();
	if (!ok)
		return false;
	s->model = jit_model(s->j);
	s->by_data = new_array(o->a, bool, (size_t)s->model->n_outputs + 1);
	if (o->threads != 1 && o->threads >= 0)
		s->threads = dlrt_threads_new((int)o->threads);
	return true;
}

void session_close(session *s)
{
	dlrt_threads_free(s->threads);
	free(s->workspace);
	if (s->j)
		jit_free(s->j);
	compilation_close(&s->c);
	if (s->o->time_passes)
		pass_print_times(stderr);
}

/* ---- inputs ----------------------------------------------------------------------------------------------------------- */
static int input_find(const dlrt_model *m, const char *name)
{
	for (int i = 0; i < m->n_inputs; i++)
		if (!strcmp(m->inputs[i].name, name))
			return i;
	return -1;
}

bool session_read_inputs(session *s, arena *a, const char *dir, dlrt_tensor *inputs, diag *d)
{
	for (int i = 0; i < s->model->n_inputs; i++) {
		const char *name = s->model->inputs[i].name;
		int at = port_of(s, name, i);
		const port_note *note = at < s->notes.inputs.n ? &s->notes.inputs.v[at] : NULL;
		const char *path = input_file(a, dir, at);
		held_tensors held = {0};
		if (!path_exists(path))
			continue;
		if (!value_read(a, path, note ? note->kind : "t", note ? note->name : name, &held, d))
			return false;
		for (int k = 0; k < held.n; k++)
			if (held.v[k].tensor.rank >= 0 && !strcmp(held.v[k].name, name))
				inputs[i] = held.v[k].tensor;
	}
	return true;
}

/* The files that --input names. */
static bool read_sources(session *s, arena *a, dlrt_tensor *inputs, const char **fills, diag *d)
{
	const options *o = s->o;
	bool ok = true;
	for (int i = 0; i < o->sources.n; i++) {
		const input_source *from = &o->sources.v[i];
		static const char *const ways[] = {"iota", "random", "ones", "zeros"};
		int at = input_find(s->model, from->name);
		if (at < 0) {
			diag_error(d, DIAG_FILE(s->file), "has no input '%s'", from->name);
			for (int k = 0; k < s->model->n_inputs; k++)
				diag_hint(d, "an input is '%s'", s->model->inputs[k].name);
			ok = false;
			continue;
		}
		for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
			if (!strcmp(from->value, ways[k]))
				fills[at] = ways[k];
		if (!fills[at])
			ok = tensor_read(a, from->value, &inputs[at], d) && ok;
	}
	return ok;
}

enum { UNDETERMINED = -1 };

/* What the dims of given inputs and the bounds of symbols say of the symbols. */
static void known_symbols(const session *s, const dlrt_tensor *inputs, int64_t *symbols)
{
	const dlrt_model *m = s->model;
	for (int i = 0; i < m->n_symbols; i++)
		symbols[i] = m->symbols[i].lo == m->symbols[i].hi ? m->symbols[i].lo : UNDETERMINED;
	for (int i = 0; i < m->n_inputs; i++) {
		const dlrt_port *p = &m->inputs[i];
		for (int k = 0; inputs[i].type != DLRT_UNDEFINED && k < p->rank && k < inputs[i].rank; k++)
			if (p->dims[k].symbol >= 0)
				symbols[p->dims[k].symbol] = inputs[i].dims[k];
	}
}

/* A size to measure with, where nothing says one: 1 for the first axis (a batch), else 64, within the bounds. */
static int64_t assumed_size(const dlrt_symbol *s, int axis)
{
	int64_t n = axis == 0 ? 1 : 64;
	n = n < s->lo ? s->lo : n;
	return n > s->hi ? s->hi : n;
}

static bool fix_symbols(session *s, const dlrt_tensor *inputs, int64_t *symbols, diag *d)
{
	const dlrt_model *m = s->model;
	bool ok = true;
	for (int i = 0; i < m->n_inputs; i++) {
		for (int k = 0; inputs[i].type == DLRT_UNDEFINED && k < m->inputs[i].rank; k++) {
			int symbol = m->inputs[i].dims[k].symbol;
			if (symbol < 0 || symbols[symbol] != UNDETERMINED)
				continue;
			if (s->o->command == COMMAND_BENCH) {
				symbols[symbol] = assumed_size(&m->symbols[symbol], k);
				continue;
			}
			diag_error(d, DIAG_FILE(s->file), "input '%s': nothing says how large dimension '%s' is", m->inputs[i].name,
			           m->symbols[symbol].name);
			diag_hint(d, "--dim %s=N, or give the input as a file", m->symbols[symbol].name);
			ok = false;
		}
	}
	return ok;
}

/* The dims of inputs that have none yet. */
static bool shape_inputs(session *s, arena *a, dlrt_tensor *inputs, diag *d)
{
	const dlrt_model *m = s->model;
	int n_dims = 0, at = 0;
	int64_t *symbols = new_array(a, int64_t, (size_t)m->n_symbols + 1), *flat = NULL;
	known_symbols(s, inputs, symbols);
	if (!fix_symbols(s, inputs, symbols, d))
		return false;
	for (int i = 0; i < m->n_inputs + m->n_outputs; i++)
		n_dims += i < m->n_inputs ? m->inputs[i].rank : m->outputs[i - m->n_inputs].rank;
	flat = new_array(a, int64_t, (size_t)n_dims + 1);
	if (m->dims && m->dims(symbols, flat) != DLRT_OK) {
		diag_error(d, DIAG_FILE(s->file), "the size of an input overflows");
		return false;
	}
	for (int i = 0; i < m->n_inputs; at += m->inputs[i].rank, i++) {
		const dlrt_port *p = &m->inputs[i];
		if (inputs[i].type != DLRT_UNDEFINED)
			continue;
		inputs[i] = (dlrt_tensor){.type = (dlrt_type)p->type, .rank = p->rank};
		for (int k = 0; k < p->rank; k++) {
			const dlrt_dim *dim = &p->dims[k];
			inputs[i].dims[k] = dim->symbol >= 0 ? symbols[dim->symbol] : dim->symbol == DLRT_DIM_CONSTANT ? dim->value : flat[at + k];
		}
		if (!tensor_allocate(a, &inputs[i])) {
			diag_error(d, DIAG_FILE(s->file), "input '%s' is too large", p->name);
			return false;
		}
	}
	return true;
}

bool session_inputs(session *s, arena *a, dlrt_tensor *inputs, diag *d)
{
	int n = s->model->n_inputs;
	const char **fills = new_array(a, const char *, (size_t)n + 1);
	bool *given = new_array(a, bool, (size_t)n + 1);
	memset(inputs, 0, (size_t)n * sizeof *inputs);
	if (s->o->data && !session_read_inputs(s, a, s->o->data, inputs, d))
		return false;
	if (!read_sources(s, a, inputs, fills, d))
		return false;
	for (int i = 0; i < n; i++) {
		given[i] = inputs[i].type != DLRT_UNDEFINED && !fills[i];
		if (fills[i])
			inputs[i].type = DLRT_UNDEFINED;
	}
	if (!shape_inputs(s, a, inputs, d))
		return false;
	for (int i = 0; i < n; i++)
		if (!given[i])
			tensor_fill(&inputs[i], fills[i] ? fills[i] : "random", (uint64_t)i + 1);
	return true;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */
static void *allocate(void *user, size_t bytes, size_t align)
{
	return arena_alloc(user, bytes, align);
}

static void release(void *user, void *memory, size_t bytes)
{
	(void)user, (void)memory, (void)bytes; /* lives as long as the arena */
}

static bool failed(const session *s, dlrt_status status, const char *message, diag *d)
{
	if (status == DLRT_OK)
		return false;
	diag_error(d, DIAG_FILE(s->file), "%s%s%s", dlrt_strerror(status), *message ? ": " : "", message);
	return true;
}

static bool fit_workspace(session *s, const dlrt_tensor *inputs, diag *d)
{
	size_t bytes = 0;
	if (failed(s, dlrt_workspace_size(s->model, inputs, &bytes), "", d))
		return false;
	if (s->workspace && bytes <= s->workspace_bytes)
		return true;
	free(s->workspace);
	s->workspace_bytes = (bytes ? bytes + ALIGN - 1 : ALIGN) / ALIGN * ALIGN;
	s->workspace = aligned_alloc(ALIGN, s->workspace_bytes);
	if (!s->workspace)
		fatal("out of memory for a workspace of %zu bytes", s->workspace_bytes);
	return true;
}

double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Shapes of outputs for these inputs; which of them depend on data; memory for the others. */
static bool prepare_outputs(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d)
{
	const dlrt_model *m = s->model;
	char message[MESSAGE] = "";
	dlrt_options ro = {.message = message, .message_bytes = sizeof message};
	memset(outputs, 0, (size_t)m->n_outputs * sizeof *outputs);
	if (failed(s, dlrt_infer_shapes(m, inputs, outputs, &ro), message, d))
		return false;
	for (int i = 0; i < m->n_outputs; i++) {
		s->by_data[i] = false;
		for (int k = 0; k < outputs[i].rank; k++)
			s->by_data[i] = s->by_data[i] || outputs[i].dims[k] < 0;
		if (!s->by_data[i] && !tensor_allocate(a, &outputs[i])) {
			diag_error(d, DIAG_FILE(s->file), "output '%s' is too large", m->outputs[i].name);
			return false;
		}
	}
	return true;
}

bool session_run(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d)
{
	return prepare_outputs(s, a, inputs, outputs, d) && fit_workspace(s, inputs, d) && session_rerun(s, a, inputs, outputs, d);
}

bool session_rerun(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d)
{
	char message[MESSAGE] = "";
	dlrt_options ro = {.workspace = s->workspace, .workspace_bytes = s->workspace_bytes, .threads = s->threads,
	                   .profile = s->profile, .alloc = allocate, .release = release, .alloc_user = a,
	                   .message = message, .message_bytes = sizeof message};
	for (int i = 0; i < s->model->n_outputs; i++)
		if (s->by_data[i])
			outputs[i] = (dlrt_tensor){0};
	double start = seconds_now();
	dlrt_status status = dlrt_run(s->model, inputs, outputs, &ro);
	s->seconds = seconds_now() - start;
	return !failed(s, status, message, d);
}

/* ---- bodies --------------------------------------------------------------------------------------------------------------- */
const body *session_body(const session *s, const dlrt_tensor *inputs)
{
	const dlrt_model *m = s->model, *runs = dlrt_variant_for(m, inputs);
	for (int i = 0; i < m->n_variants; i++)
		if (m->variants[i] == runs)
			return &s->c.bodies[m->n_variants - 1 - i];
	return &s->c.bodies[0];
}

const dlrt_profile_entry *session_kernels(const session *s, const body *b, const dlrt_profile *p)
{
	const dlrt_profile_entry *first = p->entries;
	for (const body *other = s->c.bodies; other != b; other++)
		first += other->p->kernels.n;
	return first;
}

/* ---- profile -------------------------------------------------------------------------------------------------------------- */
dlrt_profile *session_start_profile(session *s, arena *a)
{
	dlrt_profile *p = new(a, dlrt_profile);
	dlrt_profile_entry *entries = new_array(a, dlrt_profile_entry, (size_t)s->model->n_kernels + 1);
	dlrt_profile_init(p, entries, s->model->n_kernels, NULL, NULL);
	return s->profile = p;
}
