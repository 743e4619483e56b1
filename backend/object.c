/* Files: objects, text, shared libraries.
 *
 * An object depends on the program and the options only: no path, time or address gets into it.  Files appear whole or not
 * at all, and temporary ones are removed on every way out.
 *
 * For 64-bit ELF the parts of the code and the weights are merged here, so weights go from where they are straight to the
 * file; so are variants, each in modules of its own.  Other formats get one module whose assembly includes the
 * weights from a temporary file. */
#define _POSIX_C_SOURCE 200809L
#include "backend/elf_merge.h"
#include "backend/model.h"

#include "support/file.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WEIGHTS_ALIGN = 64 };

extern char **environ;

typedef struct output {
	arena *a;
	const emit_options *o;
	emit_kind kind;
	const char *path;
	diag *d;
	build b;         /* the model, or what its variants have in common */
	variants variants;
	weights *w;
	bool merged; /* by elf_merge */
	weights_place place;
	const char *blob; /* the file that assembly includes, NULL: none */
} output;

/* ---- files -------------------------------------------------------------------------------------------------------- */

static bool is_special(const char *path)
{
	struct stat s;
	bool standard = !strcmp(path, "/dev/stdout") || !strcmp(path, "/dev/stderr"); /* may be a regular file now */
	return standard || (!stat(path, &s) && !S_ISREG(s.st_mode));
}

/* Creates an empty file beside `path`, or among temporary files when that is a device; the name is in the arena. */
static const char *temporary_beside(arena *a, const char *path, diag *d)
{
	const char *folder = getenv("TMPDIR");
	if (!folder || !*folder)
		folder = "/tmp";
	char *name = is_special(path) ? arena_printf(a, "%s/dlcc-XXXXXX", folder) : arena_printf(a, "%s-XXXXXX", path);
	int fd = mkstemp(name);
	if (fd >= 0) {
		close(fd);
		return name;
	}
	diag_error(d, DIAG_FILE(path), "cannot create a file there: %s", strerror(errno));
	return NULL;
}

static mode_t default_mode(void)
{
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static bool write_failed(const output *out, const char *temporary, int reason)
{
	diag_error(out->d, DIAG_FILE(out->path), "cannot write: %s", strerror(reason));
	if (temporary)
		unlink(temporary);
	return false;
}

/* ---- objects ------------------------------------------------------------------------------------------------------ */

static bool merge_to(output *out, FILE *f)
{
	vec(const void *) objects = {0};
	for (int k = -1; k < out->variants.n; k++) {
		const build *b = k < 0 ? &out->b : &out->variants.of[k];
		for (int i = 0; i < b->n; i++)
			vec_push(out->a, &objects, LLVMGetBufferStart(b->parts[i].object));
	}
	weights *w = out->w;
	elf_blob blob = {
		.symbol = arena_printf(out->a, "%s.weights", out->b.symbol),
		.bytes = weights_bytes(w),
		.align = WEIGHTS_ALIGN,
		.far = weights_are_far(w, out->b.triple),
		.write = weights_stream,
		.user = w,
	};
	return elf_merge(objects.v, objects.n, out->place == WEIGHTS_SECTION ? &blob : NULL, f) && !fflush(f);
}

static bool write_merged(output *out)
{
	bool special = is_special(out->path);
	const char *temporary = special ? NULL : temporary_beside(out->a, out->path, out->d);
	if (!special && !temporary)
		return false;
	FILE *f = fopen(special ? out->path : temporary, "wb");
	if (!f)
		return write_failed(out, temporary, errno);
	bool ok = merge_to(out, f);
	int reason = errno;
	if (fclose(f) && ok) {
		ok = false;
		reason = errno;
	}
	if (!ok)
		return write_failed(out, temporary, reason);
	if (!special && (chmod(temporary, default_mode()) || rename(temporary, out->path)))
		return write_failed(out, temporary, errno);
	return true;
}

static bool write_object(output *out)
{
	if (!variants_build_code(&out->variants, &out->b))
		return false;
	if (out->merged)
		return write_merged(out);
	LLVMMemoryBufferRef object = out->b.parts[0].object;
	return file_write_atomic(out->path, LLVMGetBufferStart(object), LLVMGetBufferSize(object), out->d);
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static bool write_llvm(output *out)
{
	if (!build_code(&out->b, false))
		return false;
	char *text = LLVMPrintModuleToString(out->b.parts[0].em.module);
	bool ok = file_write_atomic(out->path, text, strlen(text), out->d);
	LLVMDisposeMessage(text);
	return ok;
}

static bool write_assembly(output *out)
{
	build_part *part = &out->b.parts[0];
	char *why = NULL;
	if (!build_code(&out->b, false))
		return false;
	if (LLVMTargetMachineEmitToMemoryBuffer(part->machine, part->em.module, LLVMAssemblyFile, &why, &part->object)) {
		diag_error(out->d, DIAG_FILE(out->path), "code generation failed: %s", why);
		LLVMDisposeMessage(why);
		return false;
	}
	str text = str_new(out->a);
	str_addn(&text, LLVMGetBufferStart(part->object), LLVMGetBufferSize(part->object));
	if (out->blob)
		str_add(&text, weights_section(out->b.w, out->b.triple, path_base(out->a, out->blob)));
	return file_write_atomic(out->path, text.data, text.len, out->d);
}

/* ---- emit_file ---------------------------------------------------------------------------------------------------- */

static weights_place choose_place(const output *out, const program *p)
{
	if (out->o->weights_path)
		return WEIGHTS_EXTERNAL;
	if (weights_are_few(p) && !out->variants.n)
		return WEIGHTS_CONSTANT;
	return out->merged ? WEIGHTS_SECTION : WEIGHTS_INCBIN;
}

/* Text refers to its weights by a file beside it, which stays; LLVM IR and other objects include one in their assembly. */
static bool write_weights(output *out)
{
	weights *w = out->w;
	if (out->place == WEIGHTS_EXTERNAL)
		return weights_write(w, out->o->weights_path, out->d);
	if (out->place != WEIGHTS_INCBIN)
		return true;
	out->blob = out->kind == EMIT_OBJECT ? temporary_beside(out->a, out->path, out->d)
	                                     : arena_printf(out->a, "%s.weights", out->path);
	if (!out->blob || !weights_write(w, out->blob, out->d))
		return false;
	if (out->kind == EMIT_OBJECT)
		out->b.incbin = out->blob;
	if (out->kind == EMIT_LLVM)
		out->b.incbin = path_base(out->a, out->blob);
	return true;
}

static bool emit_modules(output *out)
{
	return out->variants.n ? variants_build_modules(&out->variants, &out->b) : build_modules(&out->b, !out->merged);
}

static bool emit_to(output *out)
{
	static bool (*const write[])(output *) = {
		[EMIT_OBJECT] = write_object, [EMIT_ASSEMBLY] = write_assembly, [EMIT_LLVM] = write_llvm,
	};
	bool ok = write_weights(out) && emit_modules(out) && write[out->kind](out);
	build_end(&out->b);
	variants_end(&out->variants);
	if (out->blob && out->kind == EMIT_OBJECT)
		unlink(out->blob);
	return ok;
}

static bool can_merge(const output *out, const char *triple)
{
	if (out->merged || !out->o->n_also)
		return true;
	diag_error(out->d, DIAG_NOWHERE, "code for several CPUs or sizes is for objects of 64-bit ELF targets, not for %s", triple);
	return false;
}

static void place_weights(output *out, const program *p, const char *symbol)
{
	out->place = choose_place(out, p);
	out->w = out->b.w = weights_new(out->a, variants_programs(out->a, p, out->o), out->o->n_also + 1, out->place, symbol);
	for (int k = 0; k < out->variants.n; k++)
		out->variants.of[k].w = out->w;
}

bool emit_file(program *p, const emit_options *o, emit_kind kind, const char *path, diag *d)
{
	arena *a = arena_new("emit");
	output out = {.a = a, .o = o, .kind = kind, .path = path, .d = d, .b = {.a = a, .p = p, .o = o, .d = d}};
	const char *triple = build_triple(a, o, d), *symbol = c_identifier(a, o->symbol ? o->symbol : p->name);
	out.merged = triple && kind == EMIT_OBJECT && build_is_elf64(triple);
	bool ok = triple && can_merge(&out, triple);
	if (ok) {
		variants_init(&out.variants, &out.b, symbol);
		place_weights(&out, p, symbol);
		ok = emit_to(&out);
	}
	arena_free(a);
	return ok;
}

void emit_weights_bytes(const program *p, const emit_options *o, uint64_t *all, uint64_t *shared)
{
	arena *a = arena_new("weights");
	weights *w = weights_new(a, variants_programs(a, p, o), o->n_also + 1, WEIGHTS_SECTION, "");
	*all = weights_bytes(w);
	*shared = weights_shared_bytes(w);
	arena_free(a);
}

/* ---- emit_shared -------------------------------------------------------------------------------------------------- */

typedef vec(char *) words;

static void add_words(arena *a, words *w, int n, const char *const *text)
{
	for (int i = 0; i < n; i++)
		vec_push(a, w, (char *)text[i]);
}

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
	words w = {0};
	add_compiler(a, &w);
	/* The object has a name without a suffix: a linker looks at what is in it. */
	add_words(a, &w, 4, (const char *const[]){"-shared", "-o", path, object});
	add_words(a, &w, 3, (const char *const[]){"-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"});
	add_words(a, &w, 5, (const char *const[]){"-Wl,--as-needed", "-lm", "-lpthread", "-Wl,-z,now", "-Wl,-z,noexecstack"});
	vec_push(a, &w, NULL);
	return run_command(&w, d);
}

bool emit_shared(program *p, const emit_options *o, const char *runtime_archive, const char *path, diag *d)
{
	arena *a = arena_new("shared");
	const char *object = temporary_beside(a, path, d);
	bool ok = object && emit_file(p, o, EMIT_OBJECT, object, d) && link_shared(a, object, runtime_archive, path, d);
	if (object)
		unlink(object);
	arena_free(a);
	return ok;
}
