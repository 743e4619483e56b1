/* The pipeline: every pass in order.  --passes, --dump-ir, --time-passes and --help-passes read this table. */
#include "passes/pass.h"

#include <string.h>

/* clang-format off */
const pass_info pass_table[] = {
	{.name = "infer",           .level = PASS_GRAPH,   .min_opt = 0, .run_graph = pass_infer, .whole = true,
	 .purpose = "run the type rules again, in order"},
	{.name = "widen",           .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_widen, .whole = true,
	 .purpose = "keep values of 16 bits between operators in f32"},
	{.name = "simplify",        .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_simplify,
	 .purpose = "algebra, batch norm into convolutions, movement that cancels, known sizes"},
	{.name = "fold",            .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_fold, .whole = true,
	 .purpose = "compute what depends on constants only"},
	{.name = "simplify-folded", .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_simplify,
	 .purpose = "simplify again, now that folded constants are known"},
	{.name = "share",           .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_share,
	 .purpose = "merge nodes that compute the same value"},
	{.name = "outputs",         .level = PASS_GRAPH,   .min_opt = 0, .run_graph = pass_outputs,
	 .purpose = "give every graph output a buffer of its own"},
	{.name = "layout",          .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_layout, .of_target = true,
	 .purpose = "choose axis orders and halos of convolutional regions"},
	{.name = "prepack",         .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_prepack, .of_target = true,
	 .purpose = "choose strategies and pack weights for them"},
	{.name = "fold-weights",    .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_fold, .whole = true,
	 .purpose = "compute packed weights"},
	{.name = "fuse",            .level = PASS_GRAPH,   .min_opt = 1, .run_graph = pass_fuse, .of_target = true,
	 .purpose = "decide where values live: memory, inside a kernel, or computed where used"},
	{.name = "lower",           .level = PASS_LOWER,   .min_opt = 0,
	 .purpose = "write one kernel per group of nodes"},
	{.name = "plan",            .level = PASS_PROGRAM, .min_opt = 0, .run_program = pass_plan,
	 .purpose = "place what lives between kernels in one arena"},
};
/* clang-format on */
const int pass_count = sizeof pass_table / sizeof *pass_table;

const pass_info *pass_find(const char *name)
{
	for (int i = 0; i < pass_count; i++)
		if (strcmp(pass_table[i].name, name) == 0)
			return &pass_table[i];
	return NULL;
}
