/* The table of strategies and how one is picked. */
#include "passes/strategy.h"

#include <string.h>

enum {
	TYPICAL_DIM = 224, /* pixels along an image's edge */
	HOPELESS = 5,      /* times the least cost */
};

const strategy strategy_table[] = {
#define WHOLE(name_) NULL
#define PANELS(name_) name_##_panels
#define STRATEGY(name_, op_, packing_, purpose_) \
	{.name = #name_, .op = OP_##op_, .applies = name_##_applies, .cost = name_##_cost, .panels = packing_(name_), \
	 .pack = name_##_pack, .lower = name_##_lower},
#include "passes/strategies.def"
#undef STRATEGY
#undef WHOLE
#undef PANELS
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

int64_t typical_batch(const sym *s)
{
	if (s->hi < INT64_MAX)
		return s->hi;
	int64_t size = s->kind == SYM_VAR ? 1 : typical_size(s);
	return size < TYPICAL_DIM ? size : TYPICAL_DIM;
}

/* ---- choices ------------------------------------------------------------------------------------------------------------ */
static const strategy *cheapest(const node *n, const pass_ctx *ctx, double *least)
{
	const strategy *best = NULL;
	for (int i = 0; i < strategy_count; i++) {
		const strategy *s = &strategy_table[i];
		if (s->op != n->op || !s->applies(n, ctx))
			continue;
		double cost = s->cost(n, ctx);
		if (!best || cost < *least)
			best = s, *least = cost;
	}
	return best;
}

static int add_choices(const strategy *s, const node *n, const pass_ctx *ctx, choice *out, int count)
{
	int widths[2 * MAX_TILES] = {0}, n_widths = 1;
	if (s->panels)
		n_widths = tile_widths(ctx->target, s->panels(n, ctx), widths);
	for (int i = 0; i < n_widths && count < MAX_CHOICES; i++)
		out[count++] = (choice){s, widths[i]};
	return count;
}

int choices_of(const node *n, const pass_ctx *ctx, choice out[MAX_CHOICES])
{
	double least = 0;
	const strategy *best = cheapest(n, ctx, &least);
	int count = best ? add_choices(best, n, ctx, out, 0) : 0;
	for (int i = 0; best && i < strategy_count; i++) {
		const strategy *s = &strategy_table[i];
		if (s != best && s->op == n->op && s->applies(n, ctx) && s->cost(n, ctx) < HOPELESS * least)
			count = add_choices(s, n, ctx, out, count);
	}
	return count;
}

void choice_apply(choice c, node *n, pass_ctx *ctx)
{
	c.strategy->pack(n, ctx, c.vectors);
	node_set_attr(n, attr_of_word("strategy", c.strategy->name));
}

/* ---- what strategies share ---------------------------------------------------------------------------------------------- */
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
