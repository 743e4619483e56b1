/* Kernels in text as functions of this process, for every target the host can run, and memory that ends at a guard page. */
#pragma once

#define _DEFAULT_SOURCE
#include "tests/unit/unit.h"

#include "backend/emit.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void kernel_function(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end);

typedef struct compiled {
	arena *a;
	program *p;
	LLVMOrcLLJITRef lljit;
	char *assembly; /* also, when asked */
} compiled;

typedef struct compile_options {
	const target *target;
	int opt;
	bool sanitize, assembly;
} compile_options;

static inline program *parse_program(arena *a, const char *text)
{
	diag *d = diag_new(a, stderr);
	program *p = program_parse(a, "test.kernels", text, strlen(text), d);
	assert_non_null(p);
	const char *why = "";
	if (!program_verify(p, a, &why))
		fail_msg("%s", why);
	return p;
}

static inline void no_error(LLVMErrorRef error)
{
	if (!error)
		return;
	char *text = LLVMGetErrorMessage(error);
	fail_msg("%s", text);
}

static inline compiled compile_text(const char *text, compile_options c)
{
	LLVMInitializeNativeTarget();
	LLVMInitializeNativeAsmPrinter();
	compiled r = {.a = arena_new("test")};
	r.p = parse_program(r.a, text);
	emit_options o = {.target = c.target, .opt = c.opt, .sanitize = c.sanitize};
	char *triple = LLVMGetDefaultTargetTriple(), *why = NULL;
	LLVMTargetRef found = NULL;
	assert_false(LLVMGetTargetFromTriple(triple, &found, &why));
	LLVMContextRef context = LLVMContextCreate();
	emit_module m = {.context = context, .options = &o, .program = r.p, .a = r.a};
	m.module = LLVMModuleCreateWithNameInContext("test", context);
	m.machine = LLVMCreateTargetMachine(found, triple, c.target->llvm_cpu, c.target->features, LLVMCodeGenLevelDefault,
		LLVMRelocPIC, LLVMCodeModelDefault);
	m.layout = LLVMCreateTargetDataLayout(m.machine);
	LLVMSetTarget(m.module, triple);
	LLVMSetModuleDataLayout(m.module, m.layout);
	for (int i = 0; i < r.p->kernels.n; i++) {
		const kernel *k = r.p->kernels.v[i];
		emit_kernel(&m, k, LLVMAddFunction(m.module, k->name, emit_kernel_type(&m)));
	}
	if (LLVMVerifyModule(m.module, LLVMReturnStatusAction, &why))
		fail_msg("%s", why);
	LLVMDisposeMessage(why);
	if (!emit_optimise(&m, &why))
		fail_msg("%s", why);
	if (getenv("DUMP_LLVM"))
		LLVMDumpModule(m.module);

	LLVMMemoryBufferRef object = NULL;
	if (c.assembly) {
		LLVMModuleRef copy = LLVMCloneModule(m.module);
		assert_false(LLVMTargetMachineEmitToMemoryBuffer(m.machine, copy, LLVMAssemblyFile, &why, &object));
		r.assembly = arena_strndup(r.a, LLVMGetBufferStart(object), LLVMGetBufferSize(object));
		LLVMDisposeMemoryBuffer(object);
		LLVMDisposeModule(copy);
	}
	assert_false(LLVMTargetMachineEmitToMemoryBuffer(m.machine, m.module, LLVMObjectFile, &why, &object));
	no_error(LLVMOrcCreateLLJIT(&r.lljit, NULL));
	no_error(LLVMOrcLLJITAddObjectFile(r.lljit, LLVMOrcLLJITGetMainJITDylib(r.lljit), object));
	LLVMDisposeTargetData(m.layout);
	LLVMDisposeModule(m.module);
	LLVMDisposeTargetMachine(m.machine);
	LLVMContextDispose(context);
	LLVMDisposeMessage(triple);
	return r;
}

static inline kernel_function *function_of(compiled *c, const char *name)
{
	LLVMOrcExecutorAddress at = 0;
	no_error(LLVMOrcLLJITLookup(c->lljit, &at, name));
	return (kernel_function *)(uintptr_t)at;
}

static inline void compiled_free(compiled *c)
{
	no_error(LLVMOrcDisposeLLJIT(c->lljit));
	arena_free(c->a);
}

/* Can the host run code for it? */
static inline bool host_runs(const target *t)
{
	const target *best = target_find("native");
	return best && strcmp(best->arch, t->arch) == 0 && (t->required & ~best->required) == 0;
}

/* ---- guarded memory -------------------------------------------------------------------------------------------------- */

typedef struct guarded { /* `bytes` bytes that end at a page that cannot be touched; so does the page before the first */
	unsigned char *data;
	void *map;
	size_t map_bytes;
} guarded;

static inline guarded guarded_new(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page;
	guarded g = {.map_bytes = (pages + 2) * page};
	g.map = mmap(NULL, g.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.map != MAP_FAILED);
	unsigned char *first = (unsigned char *)g.map + page;
	if (pages)
		assert_int_equal(mprotect(first, pages * page, PROT_READ | PROT_WRITE), 0);
	g.data = first + pages * page - bytes;
	return g;
}

static inline void guarded_free(guarded *g)
{
	munmap(g->map, g->map_bytes);
}
