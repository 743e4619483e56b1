/* The model in this process: the code that would become an object, linked into memory.
 *
 * Constants are used where they are, so the program's tensors must outlive the jit.  There is no typed call: its runtime
 * may not be exported by this process, and the descriptor does without. */
#include "backend/model.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <llvm-c/Orc.h>

struct jit {
	arena *a;
	LLVMOrcLLJITRef lljit;
	const struct dlrt_model *model;
	diag *d; /* while compiling */
};

static bool succeeded(LLVMErrorRef error, const char *what, diag *d)
{
	if (!error)
		return true;
	char *text = LLVMGetErrorMessage(error);
	diag_error(d, DIAG_NOWHERE, "%s: %s", what, text);
	LLVMDisposeErrorMessage(text);
	return false;
}

/* Failures to link come here, and again, without their reason, from the lookup. */
static void take_error(void *user, LLVMErrorRef error)
{
	const jit *j = user;
	if (j->d)
		succeeded(error, "in-process linking", j->d);
	else
		LLVMConsumeError(error);
}

/* The process itself offers memcpy and libm: LLJIT looks there by default. */
static bool open_lljit(jit *j, build *b)
{
	build_part *first = &b->parts[0];
	LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
	LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder,
	                                              LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(first->machine));
	first->machine = NULL; /* consumed */
	if (!succeeded(LLVMOrcCreateLLJIT(&j->lljit, builder), "cannot set up in-process compilation", j->d)) {
		j->lljit = NULL;
		return false;
	}
	LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(j->lljit), take_error, j);
	if (b->o->debug_info)
		LLVMConsumeError(LLVMOrcLLJITEnableDebugSupport(j->lljit)); /* a debugger may not find the code: no reason to fail */
	return true;
}

static bool add_objects(jit *j, const build *b)
{
	LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(j->lljit);
	for (int i = 0; i < b->n; i++) {
		LLVMMemoryBufferRef object = b->parts[i].object;
		b->parts[i].object = NULL; /* consumed */
		if (!succeeded(LLVMOrcLLJITAddObjectFile(j->lljit, library, object), "cannot link the model into memory", j->d))
			return false;
	}
	return true;
}

static bool find_model(jit *j, const char *symbol)
{
	LLVMOrcExecutorAddress address = 0;
	if (!succeeded(LLVMOrcLLJITLookup(j->lljit, &address, symbol), "cannot link the model into memory", j->d))
		return false;
	j->model = (const struct dlrt_model *)(uintptr_t)address;
	return true;
}

static bool compile(jit *j, build *b, const char *symbol)
{
	variants of;
	variants_init(&of, b, symbol);
	bool ok = of.n ? variants_build_modules(&of, b) : build_modules(b, false);
	ok = ok && variants_build_code(&of, b) && open_lljit(j, b) && add_objects(j, b);
	for (int k = 0; ok && k < of.n; k++)
		ok = add_objects(j, &of.of[k]);
	ok = ok && find_model(j, b->symbol);
	build_end(b);
	variants_end(&of);
	return ok;
}

jit *jit_compile(program *p, const emit_options *given, diag *d)
{
	emit_options o = *given;
	o.weights_path = NULL;
	arena *a = arena_new("jit compile"), *kept = arena_new("jit");
	jit *j = new(kept, jit);
	*j = (jit){.a = kept, .d = d};
	build b = {.a = a, .p = p, .o = &o, .d = d, .in_process = true,
	           .w = weights_new(kept, variants_programs(a, p, &o), o.n_also + 1, WEIGHTS_IN_PLACE, "")};
	bool ok = compile(j, &b, c_identifier(a, o.symbol ? o.symbol : p->name));
	arena_free(a);
	j->d = NULL;
	if (ok)
		return j;
	jit_free(j);
	return NULL;
}

const struct dlrt_model *jit_model(const jit *j)
{
	return j->model;
}

void jit_free(jit *j)
{
	if (!j)
		return;
	if (j->lljit)
		LLVMConsumeError(LLVMOrcDisposeLLJIT(j->lljit));
	arena_free(j->a);
}
