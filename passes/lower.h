/* Inside of the lowering: one kernel per group of the fused graph.
 *
 * A group is a root node, whose results live in memory, and the nodes computed inside its kernel.  Its shape decides the
 * schedule: an irregular op builds itself; rows (softmax, norms) keep reduced values per row; a reduction, contraction or
 * convolution (the anchor) ends in an epilogue that computes the root from the accumulator; everything else is one loop nest. */
#pragma once

#include "ir/graph_build.h"
#include "ir/kernel_build.h"
#include "passes/pass.h"

typedef struct lowering lowering;
struct lowering {
	graph *g;
	program *p;
	pass_ctx *ctx;
	arena *a;
	map *storages; /* value that owns memory -> storage */
	map *dims;     /* symbols that the program has; those of g have values where steps are being added */
	map *outer;    /* input of a region -> the value outside that it stands for */
	step_list *steps; /* where the steps of the graph being lowered go */
};

/* One kernel being written. */
typedef struct group_lowering {
	kernel_builder b;
	lowering *in;
	node *root;
	const value *out;      /* the root's first result */
	vec(node *) members;   /* in graph order, the root last */
	map *params;           /* storage -> buffer */
	map *values;           /* value computed in this kernel -> binding */
	vec(storage *) args;
	vec(storage *) scratch; /* those among args that hold nothing before or behind the kernel */
	struct rows *rows;     /* of a row kernel being written (lower_rows.c) */
	struct block_lowering *attention; /* of attention (lower_attention.c) */
} group_lowering;

/* How a value computed inside the kernel is read. */
typedef struct binding {
	const expr *scalar;    /* the same at every coordinate asked (an accumulator, a row's sum) */
	buffer *row;           /* or an array holding the current row, indexed by row_index of the coordinate */
	sym *(*row_index)(const group_lowering *gl, const value *v, coord at);
} binding;

void bind_scalar(group_lowering *gl, const value *v, const expr *e);
void unbind(group_lowering *gl, const value *v);
/* The root's element at `at` (of result 0), its producers read by their places. */
const expr *root_element(group_lowering *gl, coord at);
/* The buffer and index where `v` is stored at `at`. */
buffer *store_place(group_lowering *gl, const value *v, coord at, sym **index);
/* Working memory of this kernel alone, in the arena: for what is too large for the stack.  A slice belongs to one iteration of
 * the parallel loop. */
buffer *scratch_of(group_lowering *gl, const char *hint, dtype t, sym *elements);

/* acc `combine` term, as a fused multiply-add where that is what it is. */
const expr *fold_step(kernel_builder *b, const reduction *r, const expr *acc, const expr *term);

/* ---- control flow (lower_control.c) ------------------------------------------------------------------------------- */
storage *storage_of(lowering *lw, const value *base);
/* What an input of a region stands for, or v itself. */
const value *value_outside(const lowering *lw, const value *v);
/* A symbol that takes its value while running. */
void add_dim(lowering *lw, sym *s);
/* Kernels and steps for all nodes of g. */
void lower_nodes(lowering *lw, graph *g);
void lower_control(lowering *lw, node *n);
/* Tests of those conditions of g that are not `done` and whose symbols have values by now. */
void lower_conditions(lowering *lw, const graph *g, map *done);

void lower_map(group_lowering *gl);
void lower_rows(group_lowering *gl);
void lower_reduce(group_lowering *gl, node *anchor);
/* True when a strategy row applies and the kernel is written. */
bool lower_contraction(group_lowering *gl, node *anchor);

/* ---- loops (lower_loops.c) --------------------------------------------------------------------------------------- */
/* A list of loop variables, outermost first, and what they are replaced by when code is emitted. */
typedef struct loop_list {
	int n;
	sym *var[2 * MAX_RANK];
	sym *extent[2 * MAX_RANK];
} loop_list;

typedef struct substitution {
	int n;
	sym *var[4 * MAX_RANK];
	sym *by[4 * MAX_RANK];
} substitution;

void substitute(substitution *s, sym *var, sym *by);
sym *sym_substitute(const substitution *s, sym *x);
const expr *expr_substitute(kernel_builder *b, const substitution *s, const expr *e);

/* Fresh loop variables for v's axes in storage order into `l` (axes of extent 1 get coordinate 0). */
coord loops_of(group_lowering *gl, const value *v, loop_list *l);
/* Merges neighbouring loops (p outside q) wherever every index is affine in both with stride(p) = stride(q) * extent(q); the
 * merged variable is q's, p is substituted by 0.  Index syms come from the loads and INDEX leaves of `es` and from `extra`. */
void loops_collapse(group_lowering *gl, loop_list *l, substitution *s, const expr *const *es, int n_es, sym *const *extra, int n_extra);
/* An index >= 0 computed once, here, into a variable; `below` bounds it (may be NULL). */
sym *settle(kernel_builder *b, const char *hint, sym *s, sym *below);
/* Opens the kernel's parallel loop over the first n loops of l, linearised; substitutes their variables. */
void loops_open_tiles(group_lowering *gl, const loop_list *l, int n, substitution *s);
/* Elements times this many inner iterations are too little work for a second thread. */
enum { SERIAL_WORK = 16384 };
bool work_is_small(sym *work);
/* Stride of e's loads in var: *unit loads with stride 1, *uniform with stride 0, *other. */
void count_strides(const expr *e, sym *var, int *unit, int *uniform, int *other);
