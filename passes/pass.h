/* The pass table and its runner.
 *
 * A graph pass takes a graph to itself; `lower` (lower.h) takes it to a kernel program, on which program passes work.  The
 * table in pass_table.c is the pipeline; --passes, --dump-ir, --verify-each, --time-passes and --help-passes come from it. */
#pragma once

#include "ir/graph.h"
#include "ir/kernel.h"
#include "ir/target.h"

/* Runs a closed graph (no inputs) and returns its outputs as tensors in `results` (data owned by the arena or by `owner`).
 * Given by the driver: the compiler's own code generator and JIT, for the fixed fold target. */
typedef bool (*evaluator)(void *user, const graph *g, arena *results_arena, tensor **results, diag *d);

typedef struct pass_ctx {
	arena *scratch;       /* reset after every pass */
	arena *model;         /* lives as long as the graph */
	const target *target;
	int opt;              /* -O0 .. -O3 */
	int winograd;         /* largest output tile of Winograd convolutions: 4, 2 or 1 (none); 0: the default, 4 */
	struct tuning *tuning; /* choices that were measured (tuning.h), or NULL */
	evaluator evaluate;
	void *evaluate_user;
	diag *d;
} pass_ctx;

typedef enum pass_level { PASS_GRAPH, PASS_LOWER, PASS_PROGRAM } pass_level;

typedef struct pass_info {
	const char *name;
	pass_level level;
	int min_opt; /* runs at -O<min_opt> and above */
	bool whole;  /* GRAPH: looks into regions itself; others run on the graph and then on each region */
	bool of_target; /* GRAPH: looks at the target */
	bool (*run_graph)(graph *g, pass_ctx *ctx); /* true when it changed something */
	bool (*run_program)(program *p, pass_ctx *ctx);
	const char *purpose;
} pass_info;

extern const pass_info pass_table[];
extern const int pass_count;
const pass_info *pass_find(const char *name);

bool pass_infer(graph *g, pass_ctx *ctx);
/* Runs the node's type rule; false after an error, which is reported. */
bool infer_again(const graph *g, node *n, pass_ctx *ctx);
bool pass_widen(graph *g, pass_ctx *ctx);
bool pass_simplify(graph *g, pass_ctx *ctx);
bool pass_share(graph *g, pass_ctx *ctx);
bool pass_fold(graph *g, pass_ctx *ctx);
bool pass_layout(graph *g, pass_ctx *ctx);
bool pass_prepack(graph *g, pass_ctx *ctx);
bool pass_fuse(graph *g, pass_ctx *ctx);
bool pass_outputs(graph *g, pass_ctx *ctx);
bool pass_plan(program *p, pass_ctx *ctx);

/* After plan: the most bytes that are live at one step, which no placing can undercut; -1 when sizes are not bounded. */
int64_t plan_lower_bound(const program *p);

/* One kernel per group of the fused graph.  Requires places and groups (without pass_fuse: every value its own kernel). */
program *lower(graph *g, pass_ctx *ctx, arena *a);

/* Which passes to run: for several targets, the graph is copied where the first pass looks at the target. */
typedef enum pipeline_part { PIPELINE_ALL, PIPELINE_COMMON, PIPELINE_OF_TARGET } pipeline_part;

typedef struct pipeline_options {
	pipeline_part part;
	const char *passes;   /* comma list, or NULL: the table by opt level */
	const char *dump;     /* pass name, "" = all, NULL = none */
	FILE *dump_to;
	bool verify_each;
	bool time_passes;
	bool locations;       /* in dumps */
} pipeline_options;

/* Runs graph passes, lower and program passes.  Stops before `lower` when *out is not wanted (out == NULL).  False after errors. */
bool pipeline_run(graph *g, pass_ctx *ctx, const pipeline_options *o, arena *a, program **out);
void pass_print_times(FILE *to);
