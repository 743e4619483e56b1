/* The model in this process: the module that would become an object, linked into memory.
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

/* The program as an object in memory; NULL after reporting. */
static LLVMMemoryBufferRef compile(arena *a, program *p, const emit_options *o, const machine *on, diag *d)
{
	const char *symbol = c_identifier(a, o->symbol ? o->symbol : p->name);
	weights *w = weights_new(a, p, WEIGHTS_IN_PLACE, symbol);
	arena *scratch = arena_new("jit compile");
	LLVMContextRef c = open_context(d);
	int errors = diag_error_count(d);
	LLVMModuleRef m = build_model(c, scratch, p, o, on, w, NULL, true, d);
	LLVMMemoryBufferRef object = NULL;
	char *why = NULL;
	if (m && LLVMTargetMachineEmitToMemoryBuffer(on->tm, m, LLVMObjectFile, &why, &object)) {
		diag_error(d, DIAG_NOWHERE, "code generation failed: %s", why);
		LLVMDisposeMessage(why);
		object = NULL;
	}
	if (object && diag_error_count(d) != errors) {
		LLVMDisposeMemoryBuffer(object);
		object = NULL;
	}
	LLVMContextDispose(c);
	arena_free(scratch);
	return object;
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
static bool link_object(jit *j, machine *on, LLVMMemoryBufferRef object, const emit_options *o, diag *d)
{
	LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
	LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(on->tm));
	on->tm = NULL; /* consumed */
	if (!succeeded(LLVMOrcCreateLLJIT(&j->lljit, builder), "cannot set up in-process compilation", d)) {
		j->lljit = NULL;
		LLVMDisposeMemoryBuffer(object);
		return false;
	}
	LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(j->lljit), take_error, j);
	if (o->debug_info)
		LLVMConsumeError(LLVMOrcLLJITEnableDebugSupport(j->lljit)); /* a debugger may not find the code: no reason to fail */
	return succeeded(LLVMOrcLLJITAddObjectFile(j->lljit, LLVMOrcLLJITGetMainJITDylib(j->lljit), object),
	                 "cannot link the model into memory", d);
}

static bool find_model(jit *j, const char *symbol, diag *d)
{
	LLVMOrcExecutorAddress address = 0;
	if (!succeeded(LLVMOrcLLJITLookup(j->lljit, &address, symbol), "cannot link the model into memory", d))
		return false;
	j->model = (const struct dlrt_model *)(uintptr_t)address;
	return true;
}

jit *jit_compile(program *p, const emit_options *given, diag *d)
{
	emit_options o = *given;
	o.weights_path = NULL;
	arena *a = arena_new("jit");
	jit *j = new(a, jit);
	j->a = a;
	j->d = d;
	machine on = {0};
	LLVMMemoryBufferRef object = machine_open(&on, a, &o, 0, d) ? compile(a, p, &o, &on, d) : NULL;
	bool ok = object && link_object(j, &on, object, &o, d);
	machine_close(&on);
	ok = ok && find_model(j, c_identifier(a, o.symbol ? o.symbol : p->name), d);
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
