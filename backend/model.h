/* Inside the backend: the parts that make a whole model around its kernels.
 *
 *   signature.c   what the caller sees: symbols, names, which calls exist
 *   sizes.c       symbolic integers as code outside kernels
 *   weights.c     where constants live and how code addresses them
 *   entry.c       run, workspace, dims, the typed call and the descriptor
 *   debug_info.c  DWARF lines of kernels
 *   object.c      target machines, modules, object files and shared libraries
 *   jit.c         the same module in memory                                                                        */
#pragma once

#include "backend/emit.h"
#include "support/map.h"
#include "support/str.h"

/* ---- signature ---------------------------------------------------------------------------------------------------- */

/* What a dimension is to a caller: a number, a model symbol, an expression over symbols, or known only after a run. */
typedef enum dim_class { DIM_FIXED, DIM_SYMBOL, DIM_EXPRESSION, DIM_FROM_DATA } dim_class;

typedef struct signature {
	const char *symbol; /* NAME: a C identifier */
	vec(sym *) symbols; /* the caller's: those of p->dims that no step binds, in order */
	map *bound;         /* sym -> step that binds it */
	bool data_outputs;  /* some output has a data-dependent size */
	bool typed;         /* there is a NAME_run */
	int64_t workspace;  /* bytes enough for all shapes within the bounds, -1: unbounded */
	bool fixed_workspace; /* `workspace` is exact */
} signature;

void signature_init(signature *s, arena *a, const program *p, const emit_options *o);
dim_class signature_dim(const signature *s, const sym *dim);
bool signature_port_from_data(const signature *s, const port *p);
int signature_symbol_index(const signature *s, const sym *dim); /* -1: not a caller's symbol */

/* A C identifier that looks like `name`; never a keyword of C or C++. */
char *c_identifier(arena *a, const char *name);
/* The same, made different from all that `taken` holds, and added to it. */
const char *c_identifier_unique(arena *a, map *taken, const char *name);

/* ---- sizes -------------------------------------------------------------------------------------------------------- */

/* Emits syms at the builder's position.  Values are remembered, so every position must be dominated by the earlier ones. */
typedef struct sizes {
	LLVMModuleRef m;
	LLVMBuilderRef b;
	map *known; /* sym -> LLVMValueRef; variables are put here first */
	bool checked;
	LLVMValueRef overflow; /* checked: i1, whether any result left int64; NULL: none can */
} sizes;

void sizes_init(sizes *s, arena *a, LLVMModuleRef m, LLVMBuilderRef b, bool checked);
LLVMValueRef sizes_emit(sizes *s, const sym *e); /* i64 */
/* Bytes of n packed elements. */
LLVMValueRef sizes_emit_bytes(sizes *s, const sym *n, dtype t);

/* ---- weights ------------------------------------------------------------------------------------------------------ */

typedef enum weights_place {
	WEIGHTS_IN_PLACE, /* at their addresses in this process (JIT) */
	WEIGHTS_CONSTANT, /* an LLVM constant: little data */
	WEIGHTS_INCBIN,   /* a section that the assembler fills from a file */
	WEIGHTS_EXTERNAL, /* a file that the application maps: context->weights */
} weights_place;

typedef struct weights weights;

/* Lays the constants of p out: 64-byte aligned, equal bytes once.  IN_PLACE data that is not aligned as the kernels want is
 * copied into a. */
weights *weights_new(arena *a, const program *p, weights_place place, const char *symbol);
/* CONSTANT for few bytes, else INCBIN. */
weights_place weights_place_for_object(const program *p);
uint64_t weights_bytes(const weights *w);
/* Writes the blob; false after reporting. */
bool weights_write(const weights *w, const char *path, diag *d);
/* Defines the blob in m; for INCBIN from the file `incbin`, or NULL: by text that is appended to m's assembly later. */
void weights_define(weights *w, LLVMModuleRef m, const char *triple, const char *incbin);
/* Assembly that defines the blob from a file. */
const char *weights_section(const weights *w, const char *triple, const char *path);
/* The blob's address as a constant, NULL when there is none (no weights, or they are elsewhere). */
LLVMValueRef weights_base(const weights *w);
/* The address of a constant; `external` is the base for EXTERNAL. */
LLVMValueRef weights_address(weights *w, LLVMModuleRef m, LLVMBuilderRef b, const storage *s, LLVMValueRef external);

/* ---- entry -------------------------------------------------------------------------------------------------------- */

/* Adds run, the descriptor and, unless it is for this process, the typed call.  kernels[i] is the function of kernel i of
 * the program. */
void emit_entry(emit_module *em, weights *w, LLVMValueRef *kernels, bool in_process);

/* ---- debug information -------------------------------------------------------------------------------------------- */

/* Lines of the printed kernel IR.  Begun before kernels are emitted; each kernel's function is announced before its code. */
void debug_info_begin(emit_module *em);
void debug_info_function(emit_module *em, LLVMValueRef f, const char *name, int line);
void debug_info_end(emit_module *em);

/* ---- object ------------------------------------------------------------------------------------------------------- */

typedef struct machine {
	LLVMTargetMachineRef tm;
	LLVMTargetDataRef layout;
	const char *triple;
} machine;

bool machine_open(machine *m, arena *a, const emit_options *o, uint64_t weight_bytes, diag *d);
void machine_close(machine *m);

/* A context whose messages go to d. */
LLVMContextRef open_context(diag *d);

/* The whole model as a verified, optimised module in `c`, which owns it; NULL after reporting.  incbin: the weights' file or NULL. */
LLVMModuleRef build_model(LLVMContextRef c, arena *a, program *p, const emit_options *o, const machine *on, weights *w,
                          const char *incbin, bool in_process, diag *d);
