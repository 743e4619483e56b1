/* Modules and what becomes of them: objects, text, shared libraries.
 *
 * An object depends on the program and the options only: no path, time or address gets into it.  Files appear whole or not
 * at all, and temporary ones are removed on every way out. */
#define _POSIX_C_SOURCE 200809L
#include "backend/model.h"

#include "support/file.h"
#include "support/vec.h"

#include <llvm-c/Analysis.h>

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above this, weights may be out of reach of a 32-bit displacement. */
#define MEDIUM_MODEL_BYTES (UINT64_C(3) << 29)

extern char **environ;

/* ---- machines ----------------------------------------------------------------------------------------------------- */

static void init_llvm(void)
{
	LLVMInitializeAllTargetInfos();
	LLVMInitializeAllTargets();
	LLVMInitializeAllTargetMCs();
	LLVMInitializeAllAsmPrinters();
	LLVMInitializeAllAsmParsers();
}

static bool is_arch_of(const char *triple, const char *arch)
{
	size_t n = strlen(arch);
	return !strncmp(triple, arch, n) && triple[n] == '-';
}

static const char *choose_triple(arena *a, const emit_options *o)
{
	if (o->triple)
		return o->triple;
	char *host = LLVMGetDefaultTargetTriple();
	const char *triple = is_arch_of(host, o->target->arch) ? arena_strdup(a, host)
	                                                       : arena_printf(a, "%s-unknown-linux-gnu", o->target->arch);
	LLVMDisposeMessage(host);
	return triple;
}

bool machine_open(machine *m, arena *a, const emit_options *o, uint64_t weight_bytes, diag *d)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, init_llvm);
	*m = (machine){.triple = choose_triple(a, o)};
	LLVMTargetRef backend;
	char *why = NULL;
	if (LLVMGetTargetFromTriple(m->triple, &backend, &why)) {
		diag_error(d, DIAG_NOWHERE, "unknown target \"%s\": %s", m->triple, why);
		LLVMDisposeMessage(why);
		return false;
	}
	LLVMCodeGenOptLevel level = o->opt > 0 ? LLVMCodeGenLevelDefault : LLVMCodeGenLevelNone;
	LLVMCodeModel model = weight_bytes > MEDIUM_MODEL_BYTES && is_arch_of(m->triple, "x86_64") ? LLVMCodeModelMedium
	                                                                                   : LLVMCodeModelDefault;
	m->tm = LLVMCreateTargetMachine(backend, m->triple, o->target->llvm_cpu, o->target->features, level, LLVMRelocPIC, model);
	if (!m->tm) {
		diag_error(d, DIAG_NOWHERE, "no code can be generated for target \"%s\"", m->triple);
		return false;
	}
	m->layout = LLVMCreateTargetDataLayout(m->tm);
	return true;
}

void machine_close(machine *m)
{
	if (m->layout)
		LLVMDisposeTargetData(m->layout);
	if (m->tm)
		LLVMDisposeTargetMachine(m->tm);
}

/* LLVM's own way with an error is to print it and exit. */
static void take_message(LLVMDiagnosticInfoRef info, void *user)
{
	char *message = LLVMGetDiagInfoDescription(info);
	switch (LLVMGetDiagInfoSeverity(info)) {
	case LLVMDSError: diag_error(user, DIAG_NOWHERE, "LLVM: %s", message); break;
	case LLVMDSWarning: diag_warning(user, DIAG_NOWHERE, "LLVM: %s", message); break;
	case LLVMDSRemark:
	case LLVMDSNote: break;
	}
	LLVMDisposeMessage(message);
}

LLVMContextRef open_context(diag *d)
{
	LLVMContextRef c = LLVMContextCreate();
	LLVMContextSetDiagnosticHandler(c, take_message, d);
	return c;
}

/* ---- modules ------------------------------------------------------------------------------------------------------ */

static LLVMModuleRef new_module(LLVMContextRef c, const machine *on, const char *name)
{
	LLVMModuleRef m = LLVMModuleCreateWithNameInContext(name, c);
	LLVMSetSourceFileName(m, name, strlen(name));
	LLVMSetTarget(m, on->triple);
	LLVMSetModuleDataLayout(m, on->layout);
	return m;
}

static LLVMValueRef emit_new_kernel(emit_module *em, const kernel *k, const char *symbol)
{
	const char *name = arena_printf(em->a, "%s.%s", symbol, k->name);
	LLVMValueRef f = LLVMAddFunction(em->module, name, emit_kernel_type(em));
	LLVMSetLinkage(f, LLVMInternalLinkage);
	debug_info_function(em, f, k->name, k->line);
	return emit_kernel(em, k, f);
}

/* Kernels with one hash of their code; those that are the same share a function. */
typedef struct emitted {
	const kernel *k;
	LLVMValueRef function;
	struct emitted *next;
} emitted;

static LLVMValueRef emit_kernel_once(emit_module *em, const kernel *k, map *by_hash, const char *symbol)
{
	const void *key = (const void *)(uintptr_t)kernel_code_hash(k);
	for (emitted *it = map_get(by_hash, key); it; it = it->next)
		if (kernel_same_code(it->k, k))
			return it->function;
	emitted *it = new(em->a, emitted);
	*it = (emitted){.k = k, .function = emit_new_kernel(em, k, symbol), .next = map_get(by_hash, key)};
	map_put(by_hash, key, it);
	return it->function;
}

static LLVMValueRef *emit_kernels(emit_module *em, const char *symbol)
{
	const program *p = em->program;
	LLVMValueRef *functions = new_array(em->a, LLVMValueRef, (size_t)p->kernels.n);
	map *by_hash = map_new(em->a);
	for (int i = 0; i < p->kernels.n; i++)
		functions[i] = emit_kernel_once(em, p->kernels.v[i], by_hash, symbol);
	return functions;
}

/* A module that LLVM refuses is our mistake. */
static void verify(LLVMModuleRef m)
{
	char *why = NULL;
	if (LLVMVerifyModule(m, LLVMReturnStatusAction, &why))
		bug("LLVM refuses the module: %s", why);
	LLVMDisposeMessage(why);
}

LLVMModuleRef build_model(LLVMContextRef c, arena *a, program *p, const emit_options *o, const machine *on, weights *w,
                          const char *incbin, bool in_process, diag *d)
{
	const char *symbol = c_identifier(a, o->symbol ? o->symbol : p->name);
	emit_module em = {
		.context = c,
		.module = new_module(c, on, symbol),
		.machine = on->tm,
		.layout = on->layout,
		.options = o,
		.program = p,
		.a = a,
	};
	debug_info_begin(&em);
	weights_define(w, em.module, on->triple, incbin);
	LLVMValueRef *kernels = emit_kernels(&em, symbol);
	emit_entry(&em, w, kernels, in_process);
	debug_info_end(&em);
	verify(em.module);
	char *why = NULL;
	if (emit_optimise(&em, &why))
		return em.module;
	diag_error(d, DIAG_NOWHERE, "optimisation failed: %s", why);
	LLVMDisposeMessage(why);
	return NULL;
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static bool is_special(const char *path)
{
	struct stat s;
	return !stat(path, &s) && !S_ISREG(s.st_mode);
}

/* Creates an empty file beside `path`, or among temporary files when that is a device; the name is in the arena. */
static const char *temporary_beside(arena *a, const char *path, const char *suffix, diag *d)
{
	const char *folder = getenv("TMPDIR");
	if (!folder || !*folder)
		folder = "/tmp";
	char *name = is_special(path) ? arena_printf(a, "%s/dlcc-XXXXXX", folder) : arena_printf(a, "%s-XXXXXX", path);
	int fd = mkstemp(name);
	if (fd < 0) {
		diag_error(d, DIAG_FILE(name), "cannot create a temporary file: %s", strerror(errno));
		return NULL;
	}
	close(fd);
	if (!*suffix)
		return name;
	const char *with_suffix = arena_printf(a, "%s%s", name, suffix);
	if (!rename(name, with_suffix))
		return with_suffix;
	diag_error(d, DIAG_FILE(with_suffix), "cannot create a temporary file: %s", strerror(errno));
	unlink(name);
	return NULL;
}

static bool failed(diag *d, const char *path, char *why)
{
	diag_error(d, DIAG_FILE(path), "code generation failed: %s", why);
	LLVMDisposeMessage(why);
	return false;
}

/* Through memory: for little output and for text that something is added to. */
static bool write_code(const machine *on, LLVMModuleRef m, LLVMCodeGenFileType type, const char *also, const char *path,
                       diag *d)
{
	char *why = NULL;
	LLVMMemoryBufferRef code;
	if (LLVMTargetMachineEmitToMemoryBuffer(on->tm, m, type, &why, &code))
		return failed(d, path, why);
	const char *data = LLVMGetBufferStart(code);
	size_t n = LLVMGetBufferSize(code);
	bool ok;
	if (also) {
		arena *scratch = arena_new("assembly");
		str all = str_new(scratch);
		str_addn(&all, data, n);
		str_add(&all, also);
		ok = file_write_atomic(path, all.data, all.len, d);
		arena_free(scratch);
	} else {
		ok = file_write_atomic(path, data, n, d);
	}
	LLVMDisposeMemoryBuffer(code);
	return ok;
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* Straight to a file that then takes its name: LLVM copies large output twice on its way through memory. */
static bool stream_object(const machine *on, arena *a, LLVMModuleRef m, const char *path, diag *d)
{
	const char *temporary = temporary_beside(a, path, "", d);
	char *why = NULL;
	if (!temporary)
		return false;
	bool ok = !LLVMTargetMachineEmitToFile(on->tm, m, temporary, LLVMObjectFile, &why) || failed(d, path, why);
	if (ok && (chmod(temporary, default_mode()) || rename(temporary, path))) {
		diag_error(d, DIAG_FILE(path), "cannot write: %s", strerror(errno));
		ok = false;
	}
	if (!ok)
		unlink(temporary);
	return ok;
}

static bool write_llvm(LLVMModuleRef m, const char *path, diag *d)
{
	char *text = LLVMPrintModuleToString(m);
	bool ok = file_write_atomic(path, text, strlen(text), d);
	LLVMDisposeMessage(text);
	return ok;
}

/* ---- emit_file ---------------------------------------------------------------------------------------------------- */

typedef struct output {
	arena *a;
	program *p;
	const emit_options *o;
	emit_kind kind;
	const char *path;
	diag *d;
	weights_place place;
	weights *w;
	const char *blob; /* the file for .incbin, NULL: none */
} output;

/* Text refers to its weights by a file beside it, which stays; an object has them inside. */
static bool write_blob(output *out)
{
	const emit_options *o = out->o;
	if (out->place == WEIGHTS_EXTERNAL)
		return weights_write(out->w, o->weights_path, out->d);
	if (out->place != WEIGHTS_INCBIN)
		return true;
	out->blob = out->kind == EMIT_OBJECT ? temporary_beside(out->a, out->path, "", out->d)
	                                     : arena_printf(out->a, "%s.weights", out->path);
	return out->blob && weights_write(out->w, out->blob, out->d);
}

static bool write_module(const output *out, const machine *on, LLVMModuleRef m)
{
	const char *section = NULL;
	switch (out->kind) {
	case EMIT_LLVM: return write_llvm(m, out->path, out->d);
	case EMIT_ASSEMBLY:
		if (out->blob)
			section = weights_section(out->w, on->triple, path_base(out->a, out->blob));
		return write_code(on, m, LLVMAssemblyFile, section, out->path, out->d);
	case EMIT_OBJECT: break;
	}
	if (out->blob && !is_special(out->path))
		return stream_object(on, out->a, m, out->path, out->d);
	return write_code(on, m, LLVMObjectFile, NULL, out->path, out->d);
}

/* What the module's own assembly includes: text of LLVM IR names the file beside it, text of assembly is appended later. */
static const char *included(const output *out)
{
	if (!out->blob || out->kind == EMIT_ASSEMBLY)
		return NULL;
	return out->kind == EMIT_LLVM ? path_base(out->a, out->blob) : out->blob;
}

static bool emit_to(output *out)
{
	machine on = {0};
	LLVMContextRef c = open_context(out->d);
	int errors = diag_error_count(out->d);
	bool ok = machine_open(&on, out->a, out->o, weights_bytes(out->w), out->d);
	if (ok) {
		LLVMModuleRef m = build_model(c, out->a, out->p, out->o, &on, out->w, included(out), false, out->d);
		ok = m && write_module(out, &on, m) && diag_error_count(out->d) == errors;
	}
	LLVMContextDispose(c); /* and its modules */
	machine_close(&on);
	return ok;
}

bool emit_file(program *p, const emit_options *o, emit_kind kind, const char *path, diag *d)
{
	arena *a = arena_new("emit");
	output out = {
		.a = a,
		.p = p,
		.o = o,
		.kind = kind,
		.path = path,
		.d = d,
		.place = o->weights_path ? WEIGHTS_EXTERNAL : weights_place_for_object(p),
	};
	out.w = weights_new(a, p, out.place, c_identifier(a, o->symbol ? o->symbol : p->name));
	bool ok = write_blob(&out) && emit_to(&out);
	if (out.blob && kind == EMIT_OBJECT)
		unlink(out.blob);
	arena_free(a);
	return ok;
}

/* ---- emit_shared -------------------------------------------------------------------------------------------------- */

typedef vec(char *) words;

/* $CC may be several words. */
static void add_compiler(arena *a, words *w)
{
	const char *cc = getenv("CC");
	char *rest = NULL, *text = arena_strdup(a, cc && *cc ? cc : "cc");
	for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
		vec_push(a, w, word);
}

static bool run_command(const words *w, diag *d)
{
	pid_t child;
	int status, error = posix_spawnp(&child, w->v[0], NULL, NULL, w->v, environ);
	if (error) {
		diag_error(d, DIAG_NOWHERE, "cannot run %s: %s", w->v[0], strerror(error));
		return false;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fatal("waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	diag_error(d, DIAG_NOWHERE, "%s could not link the shared library", w->v[0]);
	return false;
}

static bool link_shared(arena *a, const char *object, const char *archive, const char *path, diag *d)
{
	static const char *const before[] = {"-shared", "-o"};
	static const char *const after[] = {"-Wl,--no-whole-archive", "-lm", "-lpthread", "-Wl,-z,now", "-Wl,-z,noexecstack",
	                                    "-Wl,--as-needed"};
	words w = {0};
	add_compiler(a, &w);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		vec_push(a, &w, (char *)before[i]);
	vec_push(a, &w, (char *)path);
	vec_push(a, &w, (char *)object);
	vec_push(a, &w, (char *)"-Wl,--whole-archive");
	vec_push(a, &w, (char *)archive);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++)
		vec_push(a, &w, (char *)after[i]);
	vec_push(a, &w, NULL);
	return run_command(&w, d);
}

bool emit_shared(program *p, const emit_options *o, const char *runtime_archive, const char *path, diag *d)
{
	arena *a = arena_new("shared");
	const char *object = temporary_beside(a, path, ".o", d);
	bool ok = object && emit_file(p, o, EMIT_OBJECT, object, d) && link_shared(a, object, runtime_archive, path, d);
	if (object)
		unlink(object);
	arena_free(a);
	return ok;
}
