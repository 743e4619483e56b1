/* `dlcc MODEL`: compiles and writes what --emit asks for. */
#define _POSIX_C_SOURCE 200809L
#include "driver/compile.h"
#include "driver/driver.h"
#include "driver/progress.h"
#include "driver/report.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct emission {
	options *o;
	compilation c;
	compile_options co;
	emit_options eo;
	diag *d;
	arena *a;
	const char *path; /* NULL: standard output */
} emission;

typedef struct emit_row {
	const char *suffix; /* of the default file; NULL: text, to standard output */
	bool lowered;       /* from kernels, otherwise from the graph */
	bool of_one;        /* shows what is made for one CPU, and for all sizes */
	bool (*write)(emission *e);
} emit_row;

/* ---- text ------------------------------------------------------------------------------------------------------------- */
static bool write_text(emission *e, const char *path, const str *text)
{
	if (path)
		return file_write_atomic(path, text->data, text->len, e->d);
	fwrite(text->data, 1, text->len, stdout);
	return true;
}

enum { PRINTED_ELEMENTS = 64 }; /* longer constants print as a digest */

static bool write_graph(emission *e)
{
	str s = str_new(e->a);
	graph_print(&s, e->c.g, (print_options){.locations = e->o->locations, .max_const = PRINTED_ELEMENTS});
	return write_text(e, e->path, &s);
}

static bool write_kernels(emission *e)
{
	str s = str_new(e->a);
	program_print(&s, e->c.p);
	return write_text(e, e->path, &s);
}

static bool write_header(emission *e)
{
	str s = str_new(e->a);
	emit_header(&s, e->c.p, &e->eo);
	return write_text(e, e->path, &s);
}

static void add_dot_value(str *s, const value *v)
{
	str text = str_new(s->a);
	if (v->name)
		str_add(&text, v->name);
	else
		str_addf(&text, "%%%d", v->id);
	str_addf(&text, ": %s[", dtype_name(v->type));
	for (int i = 0; i < v->rank; i++) {
		if (i)
			str_addc(&text, ',');
		sym_print(&text, v->dims[i]);
	}
	str_addc(&text, ']');
	str_add_escaped(s, text.data, text.len, "\"\\");
}

static void add_dot_node(str *s, const node *n)
{
	str_addf(s, "  n%d [label=\"%s", n->id, op_table[n->op].text);
	if (n->src.name && *n->src.name) {
		str_add(s, "\\n");
		str_add_escaped(s, n->src.name, strlen(n->src.name), "\"\\");
	}
	str_add(s, "\"];\n");
	for (int i = 0; i < n->n_in; i++) {
		const value *v = n->in[i];
		if (!v || value_is_const(v))
			continue;
		if (v->def)
			str_addf(s, "  n%d -> n%d [label=\"", v->def->id, n->id);
		else
			str_addf(s, "  in%d -> n%d [label=\"", v->input_index, n->id);
		add_dot_value(s, v);
		str_add(s, "\"];\n");
	}
}

/* Nodes and the values between them; constants are left out. */
static bool write_dot(emission *e)
{
	str s = str_new(e->a);
	const graph *g = e->c.g;
	str_add(&s, "digraph model {\n  node [shape=box];\n");
	for (int i = 0; i < g->inputs.n; i++) {
		str_addf(&s, "  in%d [shape=ellipse, label=\"", i);
		add_dot_value(&s, g->inputs.v[i]);
		str_add(&s, "\"];\n");
	}
	for_each_node(n, g)
		if (n->n_out != 1 || !value_is_const(n->out[0]))
			add_dot_node(&s, n);
	for (int i = 0; i < g->outputs.n; i++) {
		const value *v = g->outputs.v[i];
		str_addf(&s, "  out%d [shape=ellipse, label=\"", i);
		add_dot_value(&s, v);
		str_add(&s, "\"];\n");
		if (v->def)
			str_addf(&s, "  n%d -> out%d;\n", v->def->id, i);
		else
			str_addf(&s, "  in%d -> out%d;\n", v->input_index, i);
	}
	str_add(&s, "}\n");
	return write_text(e, e->path, &s);
}

/* ---- code ------------------------------------------------------------------------------------------------------------- */
static const char *with_suffix(arena *a, const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	if (!dot || (slash && dot < slash) || dot == path || (slash && dot == slash + 1))
		return arena_printf(a, "%s%s", path, suffix);
	return arena_printf(a, "%.*s%s", (int)(dot - path), path, suffix);
}

/* A directory of our own for files that go elsewhere in the end; NULL, reported. */
static char *scratch_dir(emission *e)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = arena_printf(e->a, "%s/dlcc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(dir))
		return dir;
	diag_error(e->d, DIAG_FILE(dir), "cannot create a directory: %s", strerror(errno));
	return NULL;
}

static bool copy_to_stdout(const char *path, diag *d)
{
	file_data file;
	if (!file_map(path, &file, d))
		return false;
	fwrite(file.data, 1, file.size, stdout); /* main looks for errors */
	file_unmap(&file);
	return true;
}

/* By way of a file: an object is not written from front to back.  The weights that a text refers to by name (large ones)
 * are kept beside a named file only. */
static bool write_code_to_stdout(emission *e, emit_kind kind)
{
	char *dir = scratch_dir(e);
	if (!dir)
		return false;
	const char *code = arena_printf(e->a, "%s/%s", dir, e->eo.symbol), *weights = arena_printf(e->a, "%s.weights", code);
	bool ok = emit_file(e->c.p, &e->eo, kind, code, e->d) && copy_to_stdout(code, e->d);
	unlink(code);
	unlink(weights);
	rmdir(dir);
	return ok;
}

static bool write_code(emission *e, emit_kind kind)
{
	return e->path ? emit_file(e->c.p, &e->eo, kind, e->path, e->d) : write_code_to_stdout(e, kind);
}

static bool write_assembly(emission *e) { return write_code(e, EMIT_ASSEMBLY); }
static bool write_llvm(emission *e) { return write_code(e, EMIT_LLVM); }

/* A file for each body. */
static const char *file_of_body(const emission *e, const char *path, int i, const char *suffix)
{
	if (e->c.n_bodies > 1)
		suffix = arena_printf(e->a, ".%s%s", body_name(e->a, &e->c.bodies[i]), suffix);
	return with_suffix(e->a, path, suffix);
}

static const char *kernels_file(const emission *e, int i) { return file_of_body(e, e->path, i, ".kernels"); }

static bool write_kernel_texts(emission *e)
{
	bool ok = true;
	for (int i = 0; ok && i < e->c.n_bodies; i++) {
		str kernels = str_new(e->a);
		program_print(&kernels, e->c.bodies[i].p);
		ok = write_text(e, kernels_file(e, i), &kernels);
	}
	return ok;
}

/* The header, and with -g the kernels that the lines of the debug information point into. */
static bool write_companions(emission *e)
{
	const options *o = e->o;
	bool ok = !e->eo.debug_info || !e->path || write_kernel_texts(e);
	if (ok && !o->no_header && (o->header || e->path)) {
		str header = str_new(e->a);
		emit_header(&header, e->c.p, &e->eo);
		ok = write_text(e, o->header ? o->header : with_suffix(e->a, e->path, ".h"), &header);
	}
	return ok;
}

static bool write_object(emission *e)
{
	return write_code(e, EMIT_OBJECT) && write_companions(e);
}

/* libdlrt.a: named by the environment, beside this program, or where it was installed. */
static const char *runtime_archive(emission *e)
{
	static const char *const places[] = {"libdlrt.a", "../lib/libdlrt.a", "../" DLCC_LIBDIR "/libdlrt.a"};
	const char *given = getenv("DLCC_RUNTIME");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (given && *given)
		return given;
	if (n > 0) {
		self[n] = '\0';
		for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
			const char *path = arena_printf(e->a, "%s/%s", path_dir(e->a, self), places[i]);
			if (path_exists(path))
				return path;
		}
	}
	diag_error(e->d, DIAG_NOWHERE, "cannot find the runtime, libdlrt.a");
	diag_hint(e->d, "set DLCC_RUNTIME to its path");
	return NULL;
}

static bool runtime_fits(emission *e)
{
	if (!e->path)
		diag_error(e->d, DIAG_NOWHERE, "--emit=%s needs a file: -o FILE", emit_name(e->o->emit));
	else if (strcmp(e->co.target->arch, target_find("native")->arch) && !getenv("DLCC_RUNTIME"))
		diag_error(e->d, DIAG_NOWHERE, "--emit=%s for %s needs its runtime: set DLCC_RUNTIME to that libdlrt.a",
		           emit_name(e->o->emit), e->co.target->arch);
	else
		return true;
	return false;
}

static bool write_shared(emission *e)
{
	const char *archive = runtime_fits(e) ? runtime_archive(e) : NULL;
	return archive && emit_shared(e->c.p, &e->eo, archive, e->path, e->d) && write_companions(e);
}

static bool run_ar(emission *e, const char *archive, const char *object)
{
	const char *ar = getenv("AR");
	char *words[] = {(char *)(ar && *ar ? ar : "ar"), "rcsD", (char *)archive, (char *)object, NULL};
	pid_t child;
	int status, error = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
	if (error) {
		diag_error(e->d, DIAG_NOWHERE, "cannot run %s: %s", words[0], strerror(error));
		return false;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fatal("waitpid: %s", strerror(errno));
	if (status)
		diag_error(e->d, DIAG_FILE(e->path), "%s could not write the archive", words[0]);
	return status == 0;
}

/* A copy of the runtime's archive with the object added, made in a directory of its own and then moved. */
static bool write_library(emission *e)
{
	const char *archive = runtime_fits(e) ? runtime_archive(e) : NULL;
	char *dir = e->path ? arena_printf(e->a, "%s-XXXXXX", e->path) : NULL;
	file_data runtime;
	if (!archive || !file_map(archive, &runtime, e->d))
		return false;
	if (!mkdtemp(dir)) {
		diag_error(e->d, DIAG_FILE(e->path), "cannot create a directory there: %s", strerror(errno));
		file_unmap(&runtime);
		return false;
	}
	const char *object = arena_printf(e->a, "%s/%s.o", dir, e->eo.symbol), *copy = arena_printf(e->a, "%s/lib.a", dir);
	bool ok = file_write_atomic(copy, runtime.data, runtime.size, e->d) &&
	          emit_file(e->c.p, &e->eo, EMIT_OBJECT, object, e->d) && run_ar(e, copy, object);
	if (ok && rename(copy, e->path)) {
		diag_error(e->d, DIAG_FILE(e->path), "cannot write: %s", strerror(errno));
		ok = false;
	}
	file_unmap(&runtime);
	unlink(object);
	unlink(copy);
	rmdir(dir);
	return ok && write_companions(e);
}

/* ---- the command ------------------------------------------------------------------------------------------------------ */
/* clang-format off */
static const emit_row emit_rows[EMITS_COUNT] = {
	[EMITS_OBJ]     = {".o", true, false, write_object},
	[EMITS_LIB]     = {".a", true, false, write_library},
	[EMITS_SHARED]  = {".so", true, false, write_shared},
	[EMITS_ASM]     = {NULL, true, true, write_assembly},
	[EMITS_LLVM]    = {NULL, true, true, write_llvm},
	[EMITS_IR]      = {NULL, false, true, write_graph},
	[EMITS_KERNELS] = {NULL, true, true, write_kernels},
	[EMITS_HEADER]  = {NULL, true, false, write_header},
	[EMITS_DOT]     = {NULL, false, true, write_dot},
};
/* clang-format on */

/* Where to write; NULL: standard output. */
static const char *output_path(emission *e, const emit_row *row)
{
	const options *o = e->o;
	if (o->output)
		return strcmp(o->output, "-") ? o->output : NULL;
	return row->suffix ? arena_printf(e->a, "%s%s", path_stem(e->a, o->model), row->suffix) : NULL;
}

static report report_for(emission *e, int i)
{
	return report_of(e->a, (subject){e->o->model, &e->c.bodies[i], NULL});
}

/* HTML goes beside what is written, named after it, a file for each body; other reports are printed. */
static const char *report_beside(emission *e, int i)
{
	if (e->o->report == REPORT_HTML && (e->path || e->c.n_bodies > 1))
		return file_of_body(e, e->path ? e->path : path_stem(e->a, e->o->model), i, ".html");
	return report_path(e->o);
}

static void report_body(emission *e, int i, FILE *to)
{
	report r = report_for(e, i);
	str s = str_new(e->a);
	if (e->o->report == REPORT_JSON) {
		str_add(&s, i ? ",\n" : "{\"cpus\": [\n");
		report_json(&s, &r);
	} else if (e->o->report == REPORT_TEXT) {
		str_addf(&s, "for %s\n", body_title(e->a, r.of.body));
		report_text(&s, &r);
	} else {
		report_write(&r, REPORT_HTML, report_beside(e, i), to, e->d);
	}
	fwrite(s.data, 1, s.len, to);
}

/* A report for each body, then what the object takes. */
static bool report_several(emission *e, FILE *to)
{
	uint64_t all, shared;
	emit_weights_bytes(e->c.p, &e->eo, &all, &shared);
	for (int i = 0; i < e->c.n_bodies; i++)
		report_body(e, i, to);
	if (e->o->report == REPORT_JSON)
		fprintf(to, "],\n\"weights_bytes\": %" PRIu64 ",\n\"shared_weights_bytes\": %" PRIu64 "\n}\n", all, shared);
	else
		fprintf(to, "weights in all: %" PRIu64 " bytes, %" PRIu64 " of them the same for several %s, %" PRIu64 " packed for one\n",
		        all, shared, e->c.n_bodies > e->co.n_cpus ? "bodies" : "CPUs", all - shared);
	return diag_error_count(e->d) == 0;
}

static bool write_report(emission *e)
{
	FILE *to = e->path ? stdout : stderr;
	if (e->c.n_bodies > 1)
		return report_several(e, to);
	report r = report_for(e, 0);
	return report_write(&r, e->o->report, report_beside(e, 0), to, e->d);
}

static bool fits_bodies(const emission *e)
{
	if (compile_options_bodies(&e->co) == 1 || !emit_rows[e->o->emit].of_one)
		return true;
	diag_error(e->d, DIAG_NOWHERE, e->co.n_cpus > 1 ? "--emit=%s shows what is made for one CPU, but --cpu names several"
	           : "--emit=%s shows one body of code, but --dim lists values that have their own", emit_name(e->o->emit));
	return false;
}

static void add_variants(emission *e)
{
	const char **kernel_texts = new_array(e->a, const char *, (size_t)e->c.n_bodies);
	for (int i = 0; e->path && i < e->c.n_bodies; i++)
		kernel_texts[i] = path_base(e->a, kernels_file(e, i));
	compilation_add_variants(&e->c, &e->eo, kernel_texts);
}

static bool emit(emission *e)
{
	const emit_row *row = &emit_rows[e->o->emit];
	if (!row->lowered && !e->c.g) {
		diag_error(e->d, DIAG_FILE(e->o->model), "holds kernels, which no --emit=%s can be made of", emit_name(e->o->emit));
		return false;
	}
	progress("optimising");
	if (!compilation_run(&e->c, &e->co, row->lowered, e->d))
		return false;
	e->path = output_path(e, row);
	add_variants(e);
	progress("generating code");
	if (!row->write(e))
		return false;
	progress_end();
	return !e->o->report || !row->lowered || write_report(e);
}

int command_compile(options *o, diag *d)
{
	emission e = {.o = o, .d = d, .a = o->a};
	bool ok = compile_options_of(o, &e.co, d) && fits_bodies(&e);
	if (ok) {
		e.eo = emit_options_of(o, &e.co);
		e.eo.symbol = o->name ? o->name : path_stem(o->a, o->model);
		progress("reading the model");
		ok = compilation_open(&e.c, o->model, &e.co, d) && emit(&e);
		progress_end();
		compilation_close(&e.c);
	}
	if (o->time_passes)
		pass_print_times(stderr);
	return ok && diag_error_count(d) == 0 ? 0 : 1;
}
