/* The table of strategies and how one is picked. */
#include "passes/strategy.h"

#include <string.h>

enum { TYPICAL_DIM = 224 }; /* pixels along an image's edge */

const strategy strategy_table[] = {
#define STRATEGY(name_, op_, purpose_) \
	{.name = #name_, .op = OP_##op_, .applies = name_##_applies, .cost = name_##_cost, .pack = name_##_pack, .lower = name_##_lower},
#include "passes/strategies.def"
#undef STRATEGY
};
const int strategy_count = sizeof strategy_table / sizeof *strategy_table;

const strategy *strategy_find(const char *name)
{
	for (int i = 0; name && i < strategy_count; i++)
		if (strcmp(strategy_table[i].name, name) == 0)
			return &strategy_table[i];
	return NULL;
}

static bool typical_dim(const sym *var, int64_t *out, void *user)
{
	(void)user;
	*out = var->lo > TYPICAL_DIM ? var->lo : var->hi < TYPICAL_DIM ? var->hi : TYPICAL_DIM;
	return true;
}

int64_t typical_size(const sym *s)
{
	int64_t size;
	return sym_eval(s, typical_dim, NULL, &size) && size > 0 ? size : 1;
}

bool computes_in_f32(const node *n)
{
	for (int i = 0; i < n->n_in; i++)
		if (dtype_table[n->in[i]->type].compute != F32)
			return false;
	return dtype_table[n->out[0]->type].compute == F32;
}

bool lower_contraction(group_lowering *gl, node *anchor)
{
	const strategy *s = strategy_find(node_word(anchor, "strategy", NULL));
	if (s)
		s->lower(gl, anchor);
	return s != NULL;
}
