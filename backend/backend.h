/* Kernel IR to machine code: what the driver asks of the backend. */
#pragma once

#include "ir/kernel.h"
#include "ir/target.h"

/* ---- targets (target.c) ------------------------------------------------------------------------------------------- */
const target *target_find(const char *name);   /* a row of the table; "native" = the best row the host can run; NULL: unknown */
const target *target_fold(void);               /* the fixed one constants are folded with, whatever the host is */
const target *target_default(const char *arch); /* portable choice for objects */
int target_count(void);
const target *target_at(int i);

/* A symbol of the model that a variant is for one value of. */
typedef struct fixed_dim {
	const char *name;
	int64_t value;
} fixed_dim;

/* The same model for a further CPU or, with the number in place of symbols, for certain sizes only.  Its program has the dims of
 * the first one nevertheless. */
typedef struct emit_variant {
	program *p;
	const target *target;
	const fixed_dim *fixed;
	int n_fixed;
	const char *kernel_text_path;
	size_t *code_bytes;
} emit_variant;

typedef struct emit_options {
	const target *target;
	const emit_variant *also; /* further variants of the object: the best CPU last, and for each the one for all sizes first; each
	                           * needs something that those before it do not; the model has them in reverse */
	int n_also;
	const char *triple;   /* NULL: the host's with target->arch, or <arch>-unknown-linux-gnu when cross compiling */
	int opt;              /* -O0 .. -O3 */
	bool sanitize;        /* check every access against its buffer's size */
	bool debug_info;      /* DWARF lines into kernel_text_path */
	const char *kernel_text_path; /* the printed kernel IR that lines point into (a name only) */
	const char *symbol;   /* of the model descriptor: NAME; entry NAME_run */
	const char *weights_path; /* not NULL: weights go to that file and are given by the application */
	int threads;          /* worker threads for code generation */
	size_t *code_bytes;   /* not NULL: gets the bytes of machine code of an object */
} emit_options;

typedef enum emit_kind { EMIT_OBJECT, EMIT_ASSEMBLY, EMIT_LLVM } emit_kind;

/* Writes the program as one relocatable object (or text).  False after reporting to d.  Variants: 64-bit ELF objects only. */
bool emit_file(program *p, const emit_options *o, emit_kind kind, const char *path, diag *d);
/* Links an object of the program and the runtime into a shared library (uses the system's cc). */
bool emit_shared(program *p, const emit_options *o, const char *runtime_archive, const char *path, diag *d);
/* What a variant is called in names of symbols and files: "x86-64-v3", "x86-64-v3-seq_32". */
const char *emit_variant_name(arena *a, const emit_variant *v);
/* The C header that declares the model: include guard, C99 and C++. */
void emit_header(str *out, const program *p, const emit_options *o);
/* How many bytes of constants an object takes, and how many of these more than one variant reads. */
void emit_weights_bytes(const program *p, const emit_options *o, uint64_t *all, uint64_t *shared);

/* In-process code (jit.c).  `model` is valid until jit_free; constants are used in place, not copied. */
struct dlrt_model;
typedef struct jit jit;
jit *jit_compile(program *p, const emit_options *o, diag *d);
const struct dlrt_model *jit_model(const jit *j);
void jit_free(jit *j);
