/* The LLVM passes over emitted code.  The emitter already makes the code that is wanted: what is left is to promote
 * variables, merge equal address arithmetic and loads, and hoist what does not change in a loop.  Bigger pipelines take 3-6 times
 * as long and give the same loops. */
#include "backend/emit.h"

#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

static const char plain[] = "function(sroa)";
/* instcombine runs once; that it then would find more is no failure. */
static const char optimised[] = "function(sroa,early-cse<memssa>,loop-mssa(licm),instcombine<no-verify-fixpoint>,simplifycfg)";
/* Scalars that lie behind one another become lanes of one load, which multiply-adds then name: a load for four steps of a tile's row. */
static const char optimised_by_lane[] =
	"function(sroa,early-cse<memssa>,loop-mssa(licm),load-store-vectorizer,instcombine<no-verify-fixpoint>,simplifycfg)";

static const char *passes_for(const emit_options *o)
{
	return o->opt == 0 ? plain : o->target->fma_by_lane ? optimised_by_lane : optimised;
}

bool emit_optimise(emit_module *m, char **why)
{
	LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
	LLVMErrorRef error = LLVMRunPasses(m->module, passes_for(m->options), m->machine, options);
	LLVMDisposePassBuilderOptions(options);
	if (!error)
		return true;
	char *text = LLVMGetErrorMessage(error);
	*why = LLVMCreateMessage(text);
	LLVMDisposeErrorMessage(text);
	return false;
}
