/* Inside the backend: the parts that make a whole model around its kernels.
 *
 *   signature.c   what the caller sees: symbols, names, which calls exist
 *   sizes.c       symbolic integers as code outside kernels
 *   weights.c     where constants live and how code addresses them
 *   entry.c       run, workspace, dims, the typed call and the descriptor
 *   debug_info.c  DWARF lines of kernels
 *   build.c       a program as LLVM modules, and their code
 *   variants.c    several programs as one model
 *   elf_merge.c   the objects of several modules as one
 *   object.c      files: objects, text, shared libraries
 *   jit.c         the same code in memory                                                                           */
#pragma once

#include "backend/emit.h"
#include "support/map.h"
#include "support/str.h"

#include <stdio.h>

/* ---- signature ---------------------------------------------------------------------------------------------------- */

/* What a dimension is to a caller: a number, a model symbol, an expression over symbols, or known only after a run. */
typedef enum dim_class { DIM_FIXED, DIM_SYMBOL, DIM_EXPRESSION, DIM_FROM_DATA } dim_class;

typedef struct signature {
	const char *symbol; /* NAME: a C identifier */
	vec(sym *) symbols; /* the caller's: those of p->dims that no step binds, in order */
	map *bound;         /* sym -> step that binds it */
	bool *from_data;    /* by output: its size is data-dependent */
	bool data_outputs;  /* some output has a data-dependent size */
	bool typed;         /* there is a NAME_run */
	int64_t workspace;  /* bytes enough for all shapes within the bounds, -1: unbounded */
	bool fixed_workspace; /* `workspace` is exact */
} signature;

void signature_init(signature *s, arena *a, const program *p, const emit_options *o);
/* Of a variant: what callers take for data-dependent may be known for its sizes. */
void signature_init_variant(signature *s, arena *a, const program *p, const emit_options *o, const program *general);
dim_class signature_dim(const signature *s, const sym *dim);
int signature_symbol_index(const signature *s, const sym *dim); /* -1: not a caller's symbol */
/* The larger of two signature.workspace. */
int64_t signature_larger_workspace(int64_t a, int64_t b);

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
	WEIGHTS_SECTION,  /* a section that elf_merge writes */
	WEIGHTS_INCBIN,   /* a section that the assembler fills from a file */
	WEIGHTS_EXTERNAL, /* a file that the application maps: context->weights */
} weights_place;

typedef struct weights weights;

/* Lays the constants of p[0] .. p[n - 1] out: 64-byte aligned, equal bytes once.  IN_PLACE data that is not aligned as the
 * kernels want is copied into a. */
weights *weights_new(arena *a, const program *const *p, int n, weights_place place, const char *symbol);
/* Are they so few bytes that an LLVM constant is the simplest? */
bool weights_are_few(const program *p);
uint64_t weights_bytes(const weights *w);
uint64_t weights_shared_bytes(const weights *w); /* what several programs read */
/* So many that code cannot reach all of them by a short displacement. */
bool weights_are_far(const weights *w, const char *triple);
/* Writes the blob; false after reporting. */
bool weights_write(const weights *w, const char *path, diag *d);
bool weights_stream(void *w, FILE *f);
/* Defines the blob in m, or declares it: for SECTION, and for INCBIN without the file `incbin` (assembly to which
 * weights_section is appended).  What is emitted until the next call is for m. */
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

/* One of several bodies of code in a model.  Between modules it is known by the hidden symbols PREFIX.run and
 * PREFIX.workspace. */
typedef struct variant {
	const char *prefix; /* NAME.CPU, NAME.CPU-DIM_VALUE */
	const program *p;
	const program *general; /* whose signature callers see */
	const target *target;
	const fixed_dim *fixed; /* the sizes it is for; none: all */
	int n_fixed;
	int first_kernel;   /* of its own among those of all variants, in the order of the object */
} variant;

/* Adds run and workspace of one. */
void emit_variant_entry(emit_module *em, weights *w, LLVMValueRef *kernels, const variant *v);
/* Adds the descriptors of the model and of its variants, what these share, and, unless it is for this process, the typed call:
 * for any CPU. */
void emit_front(emit_module *em, weights *w, const variant *v, int n, bool in_process);

/* ---- debug information -------------------------------------------------------------------------------------------- */

/* Lines of the printed kernel IR.  Begun before kernels are emitted; each kernel's function is announced before its code. */
void debug_info_begin(emit_module *em);
void debug_info_function(emit_module *em, LLVMValueRef f, const char *name, int line);
void debug_info_end(emit_module *em);

/* ---- build -------------------------------------------------------------------------------------------------------- */

/* One of the modules a model is compiled in: its own LLVM context, so that parts are compiled at the same time. */
typedef struct build_part {
	LLVMContextRef context;
	LLVMTargetMachineRef machine;
	LLVMTargetDataRef layout;
	emit_module em;
	LLVMMemoryBufferRef object;
	char *error; /* malloc'd: what LLVM said first */
} build_part;

typedef struct build {
	arena *a;
	program *p;
	const emit_options *o;
	weights *w;
	diag *d;
	const char *symbol, *triple;
	const variant *of;  /* NULL: the whole model */
	const char *incbin; /* the weights' file or NULL */
	bool in_process;    /* for the jit */
	int n;
	build_part *parts;  /* the first has run and, of a whole model, the descriptor */
} build;

/* Sets up LLVM; NULL after reporting when o's target is unknown to it. */
const char *build_triple(arena *a, const emit_options *o, diag *d);
/* Can objects for it be merged by elf_merge? */
bool build_is_elf64(const char *triple);
/* Emits the program as LLVM modules: into one, or into as many as are worth it, which depends on the program only.  The
 * caller has set the members a to d, of, incbin and in_process. */
bool build_modules(build *b, bool one);
/* Emits what the variants have in common as one module. */
bool build_front(build *b, const variant *v, int n);
/* Optimises all modules and, if wanted, makes their objects, on o->threads threads. */
bool build_code(build *b, bool objects);
void build_end(build *b);

/* ---- variants ----------------------------------------------------------------------------------------------------- */

typedef struct variants {
	int n;       /* 0: the model has a body itself */
	variant *v;
	build *of;   /* each */
} variants;

/* Those of front->o, whose place is taken by options for what they share, and of front->p, the first of them. */
void variants_init(variants *l, build *front, const char *symbol);
bool variants_build_modules(variants *l, build *front);
bool variants_build_code(variants *l, build *front);
void variants_end(variants *l);
/* Of the model and its variants. */
const program **variants_programs(arena *a, const program *p, const emit_options *o);
