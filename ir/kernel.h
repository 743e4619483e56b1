/* Kernel IR: the code of a network as a C programmer would write it by hand.
 *
 * A program is storages (inputs, outputs, constants, arena slots), kernels, and the steps of `run`.  A kernel is a function of
 * buffers and of the model's dimension symbols.  Its body is written for ONE element: inside a `vector` loop every value
 * that depends on the loop variable has one copy per lane (as in an SPMD language); the backend emits vectors of the target's
 * width for `lanes` elements at a time and a masked (or scalar) tail.  There are no vector types in the text.
 *
 * Lane analysis decides how a load or store is made: stride 0 in the lane variable -> one scalar, broadcast; stride 1 -> vector; else lane
 * by lane.  A local declared inside a vector loop is per lane if its initial or assigned values are; a local declared outside and
 * updated inside must be named in the loop's reductions (lane copies are combined after the loop).
 * Conditions of `if` and `while` must be the same in all lanes; per-lane choice is select / choose. */
#pragma once

#include "ir/condition.h"
#include "ir/expr.h"
#include "ir/tensor.h"
#include "support/diag.h"
#include "support/map.h"
#include "support/vec.h"

typedef struct buffer buffer;
typedef struct local local;
typedef struct stmt stmt;
typedef struct kernel kernel;
typedef struct program program;
typedef struct storage storage;

enum { BUFFER_ALIGN = 64 }; /* bytes; of arena slots, constants and local arrays */
enum { STRING_WORDS = 2 };  /* a kernel sees a string as two i64: the address of its bytes, and how many there are */
static inline dtype buffer_type(dtype t) { return t == STRING ? I64 : t; } /* of a storage of type t */

/* A linear array a kernel reads or writes; elements, not bytes. */
struct buffer {
	const char *name;
	dtype type;
	sym *size;    /* elements; every access is < size (checked by --sanitize) */
	bool written; /* param: the kernel stores to it */
	int param;    /* position among the parameters, -1: local array (constant size, on the stack) */
	int align;    /* bytes the base is aligned to; BUFFER_ALIGN for arena and constants, the element's size for callers' tensors */
};

struct local { /* a scalar variable (per lane inside a vector loop) */
	const char *name; /* unique in the kernel */
	dtype type;       /* a compute type */
	bool assigned;    /* a `var`; otherwise a `let`, which is never assigned */
};

typedef vec(stmt *) block;

typedef enum loop_kind {
	LOOP_SERIAL,
	LOOP_VECTOR, /* iterations are independent, except for the listed reductions */
	LOOP_UNROLL, /* constant extent; the body is emitted once per iteration */
} loop_kind;

typedef struct lane_reduction { local *l; expr_op combine; /* ADD MUL MIN MAX AND OR */ } lane_reduction;

typedef enum stmt_kind { STMT_FOR, STMT_LET, STMT_VAR, STMT_SET, STMT_STORE, STMT_IF, STMT_WHILE, STMT_ARRAY, STMT_PREFETCH } stmt_kind;

struct stmt {
	stmt_kind kind;
	int line; /* in the printed program, set by the printer: DWARF lines */
	union {
		struct { /* FOR: var runs over 0 .. extent-1 */
			loop_kind loop;
			sym *var;    /* role SYM_LOOP */
			sym *extent;
			int lanes;   /* VECTOR: elements per iteration, a multiple of the type's vector or less than one; 0 = backend's choice */
			vec(lane_reduction) reductions;
			block body;
		} f;
		struct { local *l; const expr *e; } set; /* LET, VAR (e = initial value), SET */
		struct { buffer *b; sym *index; const expr *e; bool streaming; } store; /* e has b's compute type; converted to b->type */
		struct { const expr *cond; block then, otherwise; } branch; /* IF, WHILE (then = body) */
		buffer *array; /* ARRAY: a local array, uninitialised */
		struct { buffer *b; sym *index; int locality; } prefetch; /* locality 3 = L1 ... 0; never faults */
	};
};

struct kernel {
	const char *name; /* "conv1+relu1": from ONNX node names; unique in the program */
	const char *nodes; /* ONNX nodes computed here, for reports: "conv1 (Conv), relu1 (Relu)" */
	program *in;
	vec(buffer *) params;
	/* When tiles is not NULL, iterations tile_var = 0 .. tiles-1 are independent and may run on several threads. */
	sym *tile_var, *tiles;
	block body;
	sym *flops, *bytes; /* of one call, for reports; NULL: unknown */
	int line;
};

typedef enum storage_kind {
	STORAGE_INPUT,
	STORAGE_OUTPUT,
	STORAGE_CONST,
	STORAGE_ARENA,
	STORAGE_PART,    /* elements start .. start + size - 1 of another storage */
	STORAGE_CARRIED, /* inside a loop: what the iteration before wrote, at first what the loop began with */
} storage_kind;

struct storage {
	const char *name; /* unique */
	storage_kind kind;
	dtype type;
	sym *size; /* elements */
	int index; /* INPUT, OUTPUT: position in the signature */
	const tensor *data; /* CONST */
	sym *offset; /* ARENA: bytes from the workspace's start, a multiple of 64; NULL before plan */
	int first_step, last_step; /* ARENA: live range, set by plan; steps are counted in the order they are written in */
	storage *whole; /* PART: no part itself */
	sym *start;     /* PART: may depend on the index of the loops around its uses */
};

typedef struct port { /* one input or output of the model */
	const char *name;
	dtype type;
	int rank;
	sym **dims;
} port;

typedef enum step_kind {
	STEP_CALL, /* run a kernel on storages */
	STEP_BIND, /* a dimension symbol takes element 0 of an i64 storage (data-dependent sizes), or a value */
	STEP_IF,   /* steps `body` when element 0 of a bool storage is true, else steps `otherwise` */
	STEP_LOOP, /* steps `body` again and again, a symbol counting */
	STEP_ASSUME, /* ends the run unless a condition of dims holds */
} step_kind;

/* A value that a loop hands from one iteration to the next.  Nothing is copied but the last value, behind the loop. */
typedef struct carry {
	storage *current; /* CARRIED: stands for `from` in the first iteration, then for `next` of the one before */
	storage *from;
	storage *next;    /* written by the body; not where `next` of the iteration before is */
	storage *result;  /* gets the last value; NULL: nobody wants it */
} carry;

typedef struct step step;
typedef vec(step) step_list;

struct step {
	step_kind kind;
	kernel *k;
	vec(storage *) args; /* one per kernel parameter */
	sym *symbol;         /* BIND: what is bound, or the constant that must be found; LOOP: the index, a constant 0 in a loop of one */
	storage *from;       /* BIND, IF; LOOP: whether to begin at all (bool), NULL: yes */
	sym *value;          /* BIND, when from is NULL */
	condition assumed;   /* ASSUME */
	sym *trip;           /* LOOP: iterations at most; NULL: any number */
	storage *go_on;      /* LOOP with `from`: written by the body, whether to go on */
	storage *count;      /* LOOP: i64, gets the number of iterations; NULL: nobody wants it */
	vec(carry) carried;
	step_list body, otherwise;
};

struct program {
	const char *name;
	arena *a;
	sym_ctx *syms;
	expr_ctx *exprs;
	vec(port) inputs;
	vec(port) outputs;
	vec(sym *) dims; /* the model's symbols, in order of first appearance */
	conditions assumed; /* of dims that no step binds: checked before a run; of others, and inside branches, by steps */
	vec(storage *) storages;
	vec(kernel *) kernels;
	step_list steps;
	sym *workspace_bytes; /* set by plan */
	map *taken;           /* names in use, as "@kernel" and "%storage" */
};

program *program_new(arena *a, sym_ctx *syms, expr_ctx *exprs, const char *name);
kernel *kernel_new(program *p, const char *name); /* name made unique; not yet in p->kernels */
storage *storage_new(program *p, const char *name, storage_kind kind, dtype t, sym *size); /* likewise */
/* `name`, or with the first number behind it that makes it new to `taken`; enters it there. */
const char *unique_name(arena *a, map *taken, const char *name);

/* Calls f on every step in the order they are written in, those of branches and loops behind the step that holds them. */
void steps_walk(const step_list *steps, void (*f)(step *s, void *user), void *user);
int steps_count(const step_list *steps);
/* Calls f on every storage that s itself names. */
void step_storages(const step *s, void (*f)(storage *s, void *user), void *user);

/* Calls f on every statement, outer before inner. */
void kernel_walk(const kernel *k, void (*f)(stmt *s, void *user), void *user);
/* Same code apart from names (buffers' and locals' and loop variables'): then one of them is enough. */
bool kernel_same_code(const kernel *a, const kernel *b);
uint64_t kernel_code_hash(const kernel *k);

void kernel_print(str *out, const kernel *k);
void program_print(str *out, program *p); /* sets the lines of kernels and statements */
program *program_parse(arena *a, const char *file, const char *text, size_t n, diag *d);
/* Invariants in kernel_verify.c: names, types, scopes, reductions, no store to read-only parameters, uniform conditions ... */
bool program_verify(const program *p, arena *scratch, const char **why);
bool kernel_verify(const kernel *k, arena *scratch, const char **why);
