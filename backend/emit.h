/* Kernels to LLVM functions: what the module level (entry, weights, object, jit) uses of the code generator.
 *
 * One emit_module is one LLVM module being filled.  Emission is single-threaded across modules that share a program
 * (symbolic integers are interned in the program's context); emit_optimise and LLVM's code generation are not, and may run
 * for several modules at once, each in its own LLVM context.
 *
 * Every kernel function has the type  void (ptr buffers, ptr symbols, i64 begin, i64 end):
 *   buffers   array of pointers in the order of the kernel's parameters
 *   symbols   array of i64: the values of program->dims, in that order
 *   begin,end the iterations of tile_var to run; ignored by kernels without tiles */
#pragma once

#include "backend/backend.h"
#include "support/arena.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

typedef struct emit_module emit_module;
struct emit_module {
	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMTargetMachineRef machine;
	LLVMTargetDataRef layout;
	const emit_options *options;
	program *program;
	arena *a; /* lives as long as the module */
	/* Called before code of a statement of the function being emitted; NULL: no debug information. */
	void (*set_location)(emit_module *m, LLVMBuilderRef b, int line);
	void *location; /* set_location's own */
};

LLVMTypeRef emit_kernel_type(emit_module *m);
/* Fills `function`, which the caller has declared with emit_kernel_type, and gives it its attributes; returns it. */
LLVMValueRef emit_kernel(emit_module *m, const kernel *k, LLVMValueRef function);
/* target-cpu, target-features, nounwind: on every function of the module. */
void emit_function_attributes(emit_module *m, LLVMValueRef function);
/* The value (i64) of a symbolic integer over program->dims, at b's position. */
LLVMValueRef emit_dims_value(emit_module *m, LLVMBuilderRef b, LLVMValueRef symbols, const sym *s);
/* The function passes of the optimisation level, over the whole module.  False with LLVM's message (LLVMDisposeMessage
 * it) in *why. */
bool emit_optimise(emit_module *m, char **why);
