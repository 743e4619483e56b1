/* Inside the emitter: the state of one kernel function being emitted.
 *
 * Kernel code is written for one element.  In a vector loop an expression is *uniform* (the same in every lane: one scalar
 * value) or *varying*: an array of parts, vectors of `width` lanes each, whatever the element type, so that parts of different
 * types line up.  A mask per part says which lanes are active; inactive lanes hold arbitrary values and touch no memory.
 *
 *   emit_kernel.c  the function, statements, serial loops        emit_expr.c    arithmetic
 *   emit_vector.c  vector loops, lane analysis, reductions       emit_narrow.c  storage types
 *   emit_index.c   symbolic integers, addresses                  vecmath.c      exp, log, sin ...
 *   emit_memory.c  loads and stores */
#pragma once

#include "backend/emit_build.h"
#include "support/map.h"
#include "support/vec.h"

#include <assert.h>

enum { MAX_PARTS = 32 };

typedef struct val {
	bool varying;
	LLVMValueRef v[MAX_PARTS]; /* uniform: v[0] */
} val;

/* What a local is while its scope is emitted. */
typedef struct slot {
	bool variable;  /* v are addresses; otherwise values */
	bool reduction; /* a lane copy: inactive lanes keep their value */
	LLVMTypeRef type; /* of one part */
	val v;
} slot;

typedef struct loop_var {
	const sym *var;
	LLVMValueRef value; /* of a vector loop's variable: in lane 0 */
	int depth;
	bool constant; /* unrolled: `number` is the value */
	int64_t number;
} loop_var;

/* Values already computed.  Entries made inside a branch, or under a narrower mask, are dropped at its end. */
typedef struct memo_entry {
	const void *key;
	int next; /* in the bucket, -1: none */
	bool varying;
	const LLVMValueRef *v;
} memo_entry;

enum { MEMO_BUCKETS = 128 };
typedef struct memo {
	vec(memo_entry) entries;
	int bucket[MEMO_BUCKETS];
} memo;

/* The vector loop that is being emitted. */
typedef struct lanes {
	sym *var;
	int width, parts;
	LLVMValueRef mask[MAX_PARTS]; /* <width x i1>; NULL: all lanes are active */
	bool maybe_empty;             /* narrowed by a condition: perhaps no lane is active */
	map *varying_locals, *varying_exprs; /* emit_vector.c's findings */
} lanes;

typedef struct emitter {
	code c;                /* current position */
	LLVMBuilderRef entry;  /* end of the entry block: parameters, dims, allocas */
	emit_module *m;
	arena *a;              /* lives as long as this emitter */
	LLVMValueRef function; /* NULL: emit_dims_value */
	LLVMValueRef symbols;
	LLVMValueRef *dims;    /* loaded so far, by position in program->dims */
	vec(loop_var) vars;
	map *locals;           /* local -> slot */
	map *buffers;          /* buffer -> val with the base address */
	memo exprs;            /* of the current statement */
	memo syms;             /* without scalars: of the current block */
	lanes *lanes;          /* NULL: scalar code */
	int depth;             /* of loops */
	LLVMBasicBlockRef trap;
	LLVMValueRef scratch;  /* where inactive lanes store */
} emitter;

/* ---- emit_kernel.c ------------------------------------------------------------------------------------------------- */
void emit_block(emitter *e, const block *b);
LLVMBasicBlockRef emit_new_block(emitter *e, const char *name);
LLVMValueRef emit_alloca(emitter *e, LLVMTypeRef t, int align);
LLVMTypeRef emit_type(emitter *e, dtype t); /* in a register; BOOL is i1 */

typedef struct loop { /* for (i = from; i < end; i += by), tested at its end */
	LLVMBasicBlockRef body, exit;
	LLVMValueRef i, end, by;
} loop;
/* `runs`: known to have an iteration. */
loop emit_loop_open(emitter *e, LLVMValueRef from, LLVMValueRef end, LLVMValueRef by, bool runs);
void emit_loop_close(emitter *e, loop *l);
void emit_var_push(emitter *e, const sym *var, LLVMValueRef value);
void emit_var_push_number(emitter *e, const sym *var, int64_t number);
void emit_var_pop(emitter *e);
loop_var *emit_var_find(emitter *e, const sym *var);

typedef struct memo_mark { int exprs, syms; } memo_mark;
memo_mark emit_memo_mark(const emitter *e);
void emit_memo_rewind(emitter *e, memo_mark to);
bool memo_find(const memo *m, const void *key, val *v);
void memo_put(emitter *e, memo *m, const void *key, const val *v);

/* ---- emit_vector.c ------------------------------------------------------------------------------------------------- */
void emit_vector_for(emitter *e, const stmt *s);
/* As serial code: also the remainder of a vector loop without masks. */
void emit_serial_for(emitter *e, const stmt *s, LLVMValueRef from, LLVMValueRef end, bool runs);
bool expr_varies(emitter *e, const expr *x);
bool sym_varies(emitter *e, const sym *s);

/* ---- emit_expr.c --------------------------------------------------------------------------------------------------- */
val emit_expr(emitter *e, const expr *x);
LLVMValueRef emit_condition(emitter *e, const expr *x); /* uniform */
LLVMValueRef emit_combine(emitter *e, expr_op op, dtype t, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef emit_convert(emitter *e, dtype to, dtype from, LLVMValueRef x); /* between compute types */
LLVMValueRef val_part(emitter *e, const val *v, int part); /* a vector of the lanes' width; splat when uniform */
val val_uniform(LLVMValueRef x);

/* ---- emit_index.c -------------------------------------------------------------------------------------------------- */
LLVMValueRef emit_sym(emitter *e, const sym *s); /* i64; in a vector loop: in lane 0 */
/* The values in the lanes of a part as integers of type `t` (i64, or i32 when emit_sym_narrow). */
LLVMValueRef emit_sym_lanes(emitter *e, const sym *s, int part, LLVMTypeRef t);
bool emit_sym_narrow(const sym *s); /* fits i32 */
val emit_index(emitter *e, const sym *s, LLVMTypeRef t);
/* The address of element `index` of type t (in lane 0). */
LLVMValueRef emit_address(emitter *e, LLVMTypeRef t, LLVMValueRef base, const sym *index);

/* ---- emit_memory.c ------------------------------------------------------------------------------------------------- */
val emit_load(emitter *e, const buffer *b, sym *index);
void emit_store(emitter *e, const buffer *b, sym *index, val v, bool streaming);
void emit_prefetch(emitter *e, const buffer *b, sym *index, int locality);
bool emit_masks(emitter *e, int bits); /* are masked accesses of that width cheap? */

/* ---- emit_narrow.c ------------------------------------------------------------------------------------------------- */
/* The element of a storage type as LLVM loads it: half, or an integer (of packed types: i8 with the code in its low bits). */
LLVMTypeRef narrow_memory_type(code *c, dtype t);
LLVMValueRef narrow_decode(code *c, dtype t, LLVMValueRef raw); /* to the compute type */
LLVMValueRef narrow_encode(code *c, dtype t, LLVMValueRef x);
