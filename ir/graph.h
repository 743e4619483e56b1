/* Graph IR: a network as SSA values and nodes.
 *
 * A value has an element type, a symbolic shape and, once the passes have run, a layout and a place.  A node has one core
 * op, operands, attributes, results and the ONNX node it came from.  Nodes stand in execution order in a doubly linked
 * list; operands are defined earlier.  Everything lives in the graph's arena and is never freed singly; removal unlinks.
 * Logical axes never change with layout: a convolution is NCHW to every pass, whatever order its bytes have. */
#pragma once

#include "ir/condition.h"
#include "ir/dtype.h"
#include "ir/expr.h"
#include "ir/sym.h"
#include "ir/tensor.h"
#include "support/diag.h"
#include "support/map.h"
#include "support/vec.h"

enum { MAX_RANK = 12 };

typedef enum op {
#define OP(name, text, min_in, max_in, form, purpose) OP_##name,
#include "ir/graph_ops.def"
#undef OP
	OP_COUNT,
} op;

typedef struct graph graph;
typedef struct node node;
typedef struct value value;

/* ---- coordinates ------------------------------------------------------------------------------------------------ */
typedef struct coord {
	int rank;
	sym *i[MAX_RANK];
} coord;

/* ---- attributes ------------------------------------------------------------------------------------------------- */
typedef enum attr_kind { ATTR_INT, ATTR_INTS, ATTR_FLOAT, ATTR_FLOATS, ATTR_WORD, ATTR_SYMS, ATTR_EXPR, ATTR_TENSOR } attr_kind;

typedef struct attr {
	const char *name; /* compare with strcmp */
	attr_kind kind;
	int n; /* elements of INTS, FLOATS, SYMS */
	union {
		int64_t i;
		const int64_t *ints;
		double f;
		const double *floats;
		const char *word; /* one identifier, e.g. mode=reflect */
		sym *const *syms;
		const expr *expr; /* over EXPR_ARG leaves */
		const tensor *tensor;
	};
} attr;

/* ---- layout and place ------------------------------------------------------------------------------------------- */
/* How a value's elements lie in memory.  NULL on a value = row-major, no halo. */
typedef struct layout {
	int order[MAX_RANK];       /* physical position p, outermost first, runs over logical axis order[p] */
	int64_t halo_lo[MAX_RANK]; /* by logical axis: zero elements before and after, written by the producer */
	int64_t halo_hi[MAX_RANK];
} layout;

/* Where a value lives; decided by the fuse pass only. */
typedef enum place {
	PLACE_ARENA,  /* memory between kernels (inputs, outputs and constants count as such) */
	PLACE_INLINE, /* recomputed where it is used */
	PLACE_LOCAL,  /* a row, a tile or registers inside the kernel of its one consuming group */
} place;

struct value {
	int id; /* %id in text, unless named */
	const char *name; /* of graph inputs, outputs, constants and inspected tensors; unique, or NULL */
	dtype type;
	int rank;
	sym **dims;
	graph *graph;
	node *def; /* NULL: graph input */
	int def_index;
	int input_index; /* for graph inputs, else -1 */
	sym **elements; /* of a small integer or bool tensor whose elements are known symbolically (row-major), else NULL */
	int n_elements;
	const layout *layout;
	place place;
	/* Not NULL: the value is stored inside another one, its element `at` at `at + alias_start` there (concat in place). */
	value *alias;
	sym *alias_start[MAX_RANK];
	int n_uses; /* operand slots and graph outputs that refer to it */
};

typedef struct source { /* the ONNX node a node came from */
	int index;         /* -1: none */
	const char *name;  /* may be "" */
	const char *op;
} source;

struct node {
	int id;
	op op;
	int n_in, n_out, n_attrs;
	value **in;
	value **out;
	attr *attrs;
	/* Graphs that run as part of the node (if: then, else; loop: body).  They see nothing of this graph but what their inputs
	 * get from the operands (region_operand); symbols are common to all. */
	graph **regions;
	int n_regions;
	source src;
	graph *graph;
	node *prev, *next;
	/* The root of the kernel this node is computed in (itself, or the consumer that took it in); set by fuse. */
	node *group;
	void *mark; /* scratch of the running pass */
	int order;  /* position in the list, when the running pass has numbered it */
};

struct graph {
	const char *name;
	arena *a;
	sym_ctx *syms;
	expr_ctx *exprs;
	names *names;
	vec(value *) inputs;
	vec(value *) outputs;
	conditions assumed; /* what type rules take for granted; checked when the model runs */
	node *first, *last;
	node *owner; /* the node whose region this is; NULL: the network */
	int next_value_id, next_node_id;
	node *before; /* builders insert before this node; NULL = at the end */
	source src;   /* given to nodes that builders make */
	/* Where type-rule errors of builders go.  With a diag they abandon to its guard; without, they are bugs. */
	diag *diag;
	diag_at at;
};

/* ---- op table ---------------------------------------------------------------------------------------------------- */
typedef enum op_form { FORM_ELEM, FORM_REDUCE, FORM_BUILD, FORM_OTHER } op_form;
struct elem;
struct reduction;
struct kernel_builder;

typedef struct op_info {
	const char *text;
	const char *purpose;
	int min_in, max_in;
	op_form form;
	/* Fills type, rank and dims of the results from operands and attributes; false with the reason in *why (arena text). */
	bool (*infer)(node *n, const char **why);
	const expr *(*elem)(struct elem *e, const node *n, coord at);                            /* FORM_ELEM */
	void (*reduction)(struct elem *e, const node *n, coord at, struct reduction *r);         /* FORM_REDUCE */
	void (*build)(struct kernel_builder *b, const node *n);                                  /* FORM_BUILD; ir/kernel_build.h */
} op_info;
extern const op_info op_table[OP_COUNT];
op op_find(const char *text, size_t n); /* OP_COUNT when unknown */

/* ---- making graphs ----------------------------------------------------------------------------------------------- */
graph *graph_new(arena *a, const char *name);
graph *graph_new_like(arena *a, const graph *of, const char *name); /* shares its syms, exprs and names */
value *graph_input(graph *g, const char *name, dtype t, int rank, sym *const *dims);
void graph_output(graph *g, value *v, const char *name);
/* Makes v the i-th output; the name moves to it. */
void graph_set_output(graph *g, int i, value *v);
/* Makes a node at the insertion point; runs the type rule; derives symbolic `elements` where all are known. */
node *graph_add(graph *g, op op, value *const *in, int n_in, const attr *attrs, int n_attrs, int n_out);
/* The same with regions, which share the syms, exprs and names of g. */
node *graph_add_regions(graph *g, op op, value *const *in, int n_in, const attr *attrs, int n_attrs, graph **regions, int n_regions,
                        int n_out);
value *build(graph *g, op op, value *const *in, int n_in, const attr *attrs, int n_attrs); /* graph_add, result 0 */
value *build_const(graph *g, const tensor *t, const char *name);
/* Notes a condition of the sizes unless it is proved; false when it can never hold. */
bool graph_assume(graph *g, condition_kind kind, sym *a, sym *b);

attr attr_of_int(const char *name, int64_t i);
attr attr_of_float(const char *name, double f);
attr attr_of_word(const char *name, const char *word);
attr attr_of_ints(graph *g, const char *name, const int64_t *v, int n);
attr attr_of_syms(graph *g, const char *name, sym *const *v, int n);
attr attr_of_expr(const char *name, const expr *e);

/* ---- reading graphs ---------------------------------------------------------------------------------------------- */
const attr *node_attr(const node *n, const char *name); /* or NULL */
/* False with a reason when an operand or result holds strings and the op does not know them; after the type rule. */
bool rule_strings(const node *n, const char **why);
int64_t node_int(const node *n, const char *name, int64_t otherwise);
const char *node_word(const node *n, const char *name, const char *otherwise);
const int64_t *node_ints(const node *n, const char *name, int *count); /* bug when absent or of another kind */
sym *const *node_syms(const node *n, const char *name, int *count);
const expr *node_expr(const node *n); /* of a map */
int node_operands(const node *n); /* n_in without the packed copy that prepack appends ({packed=1}) */
bool value_is_const(const value *v);
const tensor *value_tensor(const value *v); /* of a constant; NULL otherwise */
sym *value_size(const value *v); /* number of elements */
bool value_dims_equal(const value *a, const value *b);
bool value_is_output(const graph *g, const value *v);
bool node_is_pure(const node *n); /* no side effect, may be removed: all core ops except bind */
/* Does some size, attribute or expression of the node, or inside its regions, contain a symbol for which pred holds? */
bool node_any_sym(const node *n, bool (*pred)(const sym *var, void *user), void *user);

/* Users of v as (node, operand index), in order; nodes only.  Linear in the graph: build once per pass with uses_of. */
typedef struct use { node *user; int operand; } use;
typedef struct uses { const use *v; int n; } uses;
typedef struct use_map use_map;
use_map *use_map_new(arena *scratch, const graph *g);
uses uses_of(const use_map *m, const value *v);

#define for_each_node(n, g) for (node *n = (g)->first; n; n = n->next)
#define for_each_node_safe(n, g) for (node *n = (g)->first, *n##_next = n ? n->next : NULL; n; n = n##_next, n##_next = n ? n->next : NULL)

/* ---- editing ----------------------------------------------------------------------------------------------------- */
void node_set_operand(node *n, int i, value *v);
void node_set_attr(node *n, attr a); /* replaces the one of the same name or adds it */
void node_drop_attr(node *n, const char *name);
void graph_replace_value(graph *g, value *old, value *with); /* all uses, outputs too; keeps an output's name */
void graph_remove(graph *g, node *n); /* its results must be unused */
void graph_move_before(graph *g, node *n, node *where);
int graph_remove_dead(graph *g); /* nodes whose results nobody uses; returns how many */

/* ---- regions (ir/region.c) ---------------------------------------------------------------------------------------- */
const char *region_word(op op, int i); /* "then", "else", "body"; NULL when the op has no such region */
/* The operand that input i of region r gets: of a loop's carried value, the one it begins with. */
value *region_operand(const node *n, int r, int i);
bool region_input_is_carried(const node *n, int i);
/* Removes input i of region r, which is unused, and the operand behind it. */
void region_remove_input(node *n, int r, int i);
/* The nodes of `from` again at g's insertion point, its inputs replaced by `in`, and symbol `var` by `by` (var may be NULL).
 * The outputs go to `out`. */
void region_inline(graph *g, const graph *from, value *const *in, sym *var, sym *by, value **out);

/* The same graph again, which passes may change by itself; syms, exprs, names and the constants' data are common.  For graphs
 * before layouts and places are decided. */
graph *graph_copy(const graph *g);

/* ---- storage ----------------------------------------------------------------------------------------------------- */
/* Element offset of `at` in the buffer that stores v (its own, or that of the value it aliases: *base); halo included. */
sym *value_offset(const value *v, coord at, const value **base);
sym *value_storage_size(const value *v); /* elements of its own buffer, halo included */
const value *value_base(const value *v); /* follows aliases */

/* ---- text -------------------------------------------------------------------------------------------------------- */
typedef struct print_options { bool locations; /* trailing comments with ONNX names */ int max_const; /* elements of a constant printed inline; beyond: a digest */ } print_options;
void graph_print(str *out, const graph *g, print_options o);
/* Reads the text form; NULL after errors.  Constants printed as a digest cannot be read back. */
graph *graph_parse(arena *a, const char *file, const char *text, size_t n, diag *d);
/* True when every invariant listed in graph_verify.c holds; otherwise the first violation in *why (text in scratch). */
bool graph_verify(const graph *g, arena *scratch, const char **why);
