/* Writing kernels: a cursor into a kernel's body.  Blocks open with for/if/while and close with kb_end.
 *
 * A hint becomes a name: odd characters turn into _, and a number is added when the kernel has that name already. */
#pragma once

#include "ir/elem.h"
#include "ir/kernel.h"
#include "ir/target.h"

typedef struct kernel_builder kernel_builder;
struct kernel_builder {
	arena *a;
	kernel *k;
	expr_ctx *exprs;
	sym_ctx *syms;
	const target *target;
	int opt; /* 0..3; 0 = scalar, no vector loops */
	elem elem; /* how operands are read; set up by the lowering */
	/* The buffer that stores a graph value (a parameter; made on first use).  Set up by the lowering. */
	buffer *(*buffer_of)(kernel_builder *b, const value *v, bool written);
	void *user;
	vec(block *) open; /* innermost last */
	map *taken;        /* names of buffers and locals */
};

/* Clears b; target, opt, elem.read, buffer_of and user are set afterwards. */
void kb_init(kernel_builder *b, kernel *k);
buffer *kb_param(kernel_builder *b, const char *hint, dtype t, sym *size, bool written, int align);
buffer *kb_array(kernel_builder *b, const char *hint, dtype t, int64_t size); /* local array, declared here */

sym *kb_for(kernel_builder *b, const char *hint, sym *extent);
sym *kb_unroll(kernel_builder *b, const char *hint, int64_t extent);
/* lanes 0 = the backend's choice.  At opt 0 a serial loop. */
sym *kb_vector(kernel_builder *b, const char *hint, sym *extent, int lanes);
/* Names a reduction of the innermost open vector loop (nothing to do when it became a serial loop). */
void kb_reduces(kernel_builder *b, local *l, expr_op combine);
/* The parallel loop around everything: must be the first thing in the body, once; it is not closed with kb_end. */
sym *kb_parallel(kernel_builder *b, const char *hint, sym *extent);
void kb_if(kernel_builder *b, const expr *cond);
void kb_else(kernel_builder *b);
void kb_while(kernel_builder *b, const expr *cond);
void kb_end(kernel_builder *b);

/* The local as an expression; e itself when it is a constant, an index or a local that nothing changes. */
const expr *kb_let(kernel_builder *b, const char *hint, const expr *e);
local *kb_var(kernel_builder *b, const char *hint, dtype t, const expr *init);
void kb_set(kernel_builder *b, local *l, const expr *e);
const expr *kb_get(kernel_builder *b, const local *l);
void kb_store(kernel_builder *b, buffer *to, sym *index, const expr *e); /* e is cast to the buffer's compute type */
const expr *kb_load(kernel_builder *b, buffer *from, sym *index);
void kb_prefetch(kernel_builder *b, buffer *at, sym *index, int locality);

/* An element of a graph value: by b->elem.read (a load, or its producer's expression). */
const expr *kb_read(kernel_builder *b, const value *v, coord at);
/* Stores an element of a value that lives in memory, at its storage position. */
void kb_write(kernel_builder *b, const value *v, coord at, const expr *e);
/* A loop nest over v's dims in storage order, none for dims of 1; the innermost is a vector loop when asked.  Returns the
 * coordinates; closed by one kb_end_nest. */
coord kb_nest(kernel_builder *b, const value *v, bool vector);
void kb_end_nest(kernel_builder *b, const value *v);
