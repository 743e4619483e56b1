/* What importers are written in: inputs, results, checks, symbolic values, and the arithmetic of scalar formulas.
 *
 * An importer turns one ONNX node into core ops and returns its result 0; further results are set by set_result.  It reads as
 * straight lines: whatever is wrong is reported and abandons this node only, its results become unknown, and nodes that use
 * them are skipped in silence, so that one run reports everything that is not supported. */
#pragma once

#include "frontend/onnx_tensor.h"
#include "ir/graph_build.h"

typedef struct importer importer;
typedef struct onnx_node onnx_node;
typedef struct onnx_op onnx_op;
typedef struct scope scope;

enum { AI_ONNX_NEWEST = 28, MAX_VERSIONS = 16 };

/* A row of onnx_ops.def. */
struct onnx_op {
	const char *name;
	const char *domain; /* "" = ai.onnx */
	int versions[MAX_VERSIONS]; /* ascending; 0 ends */
	value *(*import)(importer *im, const onnx_node *n);
	int arg; /* for importers that serve several rows */
	bool takes_containers; /* sequences and optionals */
	bool takes_words;      /* words of texts */
};

struct onnx_node {
	const Onnx__NodeProto *proto;
	const onnx_op *op;
	int version; /* of the operator: the newest not above the opset of the model */
	scope *scope;
	value **in; /* NULL: absent */
	int n_in;
	value **out; /* set_result */
	int n_out;
	/* by position in proto->attribute: what a reference stands for (NULL: nothing), and whether it was asked for */
	const Onnx__AttributeProto **attrs;
	bool *asked;
	diag_at at;
};

struct importer {
	arena *a;
	graph *graph;
	expr_ctx *exprs; /* of graph */
	sym_ctx *syms;
	diag *diag;
	const char *path;
	const import_options *options;
	tensor_store store;
	const Onnx__ModelProto *model;
	map *dim_params; /* every name that the model gives to a dim */
	import_notes *notes;
	const char *fixable; /* an input that note_unknown found for the node being imported, or NULL */
	int n_nodes;
};

/* ---- saying no ------------------------------------------------------------------------------------------------------ */
_Noreturn void refuse(importer *im, const onnx_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- inputs and results --------------------------------------------------------------------------------------------- */
value *input(importer *im, const onnx_node *n, int i);     /* refuses when absent */
value *input_or_null(const onnx_node *n, int i);
/* All inputs from 0, at least one, none absent. */
value *const *inputs(importer *im, const onnx_node *n);
void set_result(const onnx_node *n, int i, value *v); /* ignored when the node does not name that result */
bool result_wanted(const onnx_node *n, int i);
void expect_inputs(importer *im, const onnx_node *n, int most);

typedef enum type_set { TYPES_FLOAT = 1, TYPES_INT = 2, TYPES_BOOL = 4, TYPES_NUMBER = 3, TYPES_ANY = 7 } type_set;
void expect_type(importer *im, const onnx_node *n, const value *v, type_set allowed);
void expect_same_type(importer *im, const onnx_node *n, const value *a, const value *b);
void expect_rank(importer *im, const onnx_node *n, const value *v, int lo, int hi);

/* ---- axes, sizes and constants -------------------------------------------------------------------------------------- */
int axis_in(importer *im, const onnx_node *n, int64_t axis, int rank); /* -rank <= axis < rank, normalised */

typedef struct sym_list {
	sym *const *v;
	int n;
} sym_list;
/* The elements of a small integer tensor that shapes depend on; `what` names it: "shape", "starts". */
sym_list elements_of(importer *im, const onnx_node *n, const value *v, const char *what);
sym *element_of(importer *im, const onnx_node *n, const value *v, const char *what); /* of exactly one */
/* The same when they must be constants. */
const int64_t *ints_of(importer *im, const onnx_node *n, const value *v, const char *what, int *count);
int64_t int_of(importer *im, const onnx_node *n, const value *v, const char *what);
/* Before refusing v because its elements are not known: notes the inputs that it is computed from, when they are small. */
void note_unknown(importer *im, const value *v);
/* Constant tensor or NULL. */
const tensor *constant_of(const value *v);
double float_of(importer *im, const onnx_node *n, const value *v, const char *what); /* a constant of one element */
sym *size(importer *im, int64_t n);
sym *product_of(importer *im, sym *const *dims, int n);

/* ---- values ----------------------------------------------------------------------------------------------------------- */
/* A map whose result is stored as t; the expression is over expr_arg(i) and of t's compute type. */
value *map_as(importer *im, dtype t, const expr *e, value *const *in, int n_in);
value *widen(importer *im, value *x);                  /* to its compute type */
value *narrow(importer *im, value *x, dtype t);        /* back to t */
value *reshape(importer *im, value *x, sym *const *shape, int rank);
value *reduce_axes(importer *im, value *x, const char *fold, const int *axes, int n, bool keep);
/* The axes from..rank-1; returns how many. */
int axes_from(const value *x, int from, int *axes);
value *mean_over(importer *im, value *x, const int *axes, int n); /* keeps the axes at size 1 */
/* x of rank 1 (or 0) as [.., x, 1, 1 ...]: aligned to `axis` of a tensor of `rank`. */
value *along_axis(importer *im, value *x, int axis, int rank);
value *copy_dims(importer *im, value *x, sym *const *dims, int rank); /* broadcast to, or x itself */

/* A symbol for a size that an i64 scalar gives while running, at most `most`. */
sym *bind_count(importer *im, value *count, const char *hint, sym *most);
/* The run ends where the scalar is not this number. */
void bind_check(importer *im, value *found, int64_t wanted);
/* Elements start .. start + count - 1 along an axis. */
value *cut(importer *im, value *x, int axis, sym *start, sym *count);

/* ---- formulas --------------------------------------------------------------------------------------------------------- */
/* The element of operand i in the type it is computed in, and a number of that type. */
const expr *operand(importer *im, int i, const value *v);
const expr *number(importer *im, const expr *like, double x);
const expr *op1(importer *im, expr_op what, const expr *x);
const expr *op2(importer *im, expr_op what, const expr *x, const expr *y);
const expr *op2n(importer *im, expr_op what, const expr *x, double y); /* y as a number of x's type */
const expr *choose_if(importer *im, const expr *c, const expr *x, const expr *y);
const expr *sym_number(importer *im, sym *s, dtype t); /* a symbolic integer as a number of type t */

/* ---- the importers ---------------------------------------------------------------------------------------------------- */
#define ONNX(name, domain, versions, function)         value *function(importer *im, const onnx_node *n);
#define ONNX_AS(name, domain, versions, function, arg) value *function(importer *im, const onnx_node *n);
#define ONNX_OF(name, domain, versions, function)      value *function(importer *im, const onnx_node *n);
#define ONNX_WORDS(name, domain, versions, function)   value *function(importer *im, const onnx_node *n);
#include "frontend/onnx_ops.def"
#undef ONNX_WORDS
#undef ONNX
#undef ONNX_AS
#undef ONNX_OF
