/* Chooses the memory layout of convolutional regions: channels last, with a zero halo where a convolution pads.
 *
 *   requires types and outputs of their own; keeps logical shapes; sets value->layout, may insert copies
 *       %1 = conv %0 {lo=[1,1]} : f32[1,8,32,32]     =>   the values between convolutions are stored N H W C; the operand of a padded
 *                                                         convolution has a border of zeros, so no tap is tested at run time
 * A value is channels last when a convolution or pooling makes it, or when a map, concat or similar op connects it to one. Inputs,
 * outputs and constants stay row-major: a copy stands between them and the region where the region needs more.        */
#include "ir/graph_build.h"
#include "passes/strategy.h"

static bool is_spatial(const value *v)
{
	return v->rank >= 3;
}

static bool makes_region(const node *n)
{
	return (n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE || n->op == OP_REDUCE_WINDOW) && is_spatial(n->out[0]);
}

/* Ops that read and write the same axes, so that one order serves both sides. */
static bool carries_region(const node *n)
{
	switch (n->op) {
	case OP_MAP:
	case OP_CONCAT:
	case OP_PAD:
	case OP_SLICE:
	case OP_RESIZE:
	case OP_TILE:
	case OP_REDUCE:
		return true;
	default:
		return false;
	}
}

static bool may_have_layout(const graph *g, const value *v)
{
	return v->def && !value_is_const(v) && !value_is_output(g, v) && is_spatial(v) && v->def->n_out == 1 && !v->def->n_regions;
}

/* ---- channels last -------------------------------------------------------------------------------------------------- */
static bool touches_region(const node *n, const map *last)
{
	if (map_get(last, n->out[0]))
		return true;
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i]->rank == n->out[0]->rank && map_get(last, n->in[i]))
			return true;
	return false;
}

static bool add_to_region(const graph *g, map *last, value *v, int rank)
{
	if (v->rank != rank || !may_have_layout(g, v) || map_get(last, v) || !(makes_region(v->def) || carries_region(v->def) || v->def->op == OP_TRANSPOSE))
		return false;
	map_put(last, v, v);
	return true;
}

static bool grow(const graph *g, map *last)
{
	bool grown = false;
	for_each_node(n, g) {
		if (makes_region(n)) {
			grown |= add_to_region(g, last, n->out[0], n->out[0]->rank);
			grown |= add_to_region(g, last, n->in[0], n->out[0]->rank);
		} else if (carries_region(n) && touches_region(n, last)) {
			grown |= add_to_region(g, last, n->out[0], n->out[0]->rank);
			for (int i = 0; i < n->n_in; i++)
				if (n->in[i]->def && n->in[i]->def->op != OP_TRANSPOSE)
					grown |= add_to_region(g, last, n->in[i], n->out[0]->rank);
		}
	}
	return grown;
}

static layout *channels_last(graph *g, int rank)
{
	layout *l = new(g->a, layout);
	for (int p = 1; p < rank - 1; p++)
		l->order[p] = p + 1;
	l->order[rank - 1] = 1;
	return l;
}

/* ---- halos ------------------------------------------------------------------------------------------------------------- */
static layout *row_major(graph *g, int rank)
{
	layout *l = new(g->a, layout);
	for (int p = 0; p < rank; p++)
		l->order[p] = p;
	return l;
}

/* Padding of a convolution that register tiles could compute; false when there is none. */
static bool wanted_halo(const node *n, int64_t *lo, int64_t *hi)
{
	int count;
	bool any = false;
	if (n->op != OP_CONV || !is_spatial(n->out[0]) || !computes_in_f32(n) || !value_is_const(n->in[1]))
		return false;
	sym *const *before = node_syms(n, "lo", &count), *const *after = node_syms(n, "hi", &count);
	for (int i = 0; i < count; i++) {
		if (!sym_is_const(before[i], &lo[2 + i]) || !sym_is_const(after[i], &hi[2 + i]))
			return false;
		lo[2 + i] = lo[2 + i] > 0 ? lo[2 + i] : 0;
		hi[2 + i] = hi[2 + i] > 0 ? hi[2 + i] : 0;
		any |= lo[2 + i] > 0 || hi[2 + i] > 0;
	}
	return any;
}

/* Values that own memory a kernel of ours writes. */
static bool can_have_halo(const graph *g, const value *v)
{
	return may_have_layout(g, v) && v->def->op != OP_SLICE && v->def->op != OP_RESHAPE && v->def->op != OP_TRANSPOSE && v->def->op != OP_EXPAND;
}

static void widen_halo(graph *g, value *v, const int64_t *lo, const int64_t *hi)
{
	layout *l = new(g->a, layout);
	*l = v->layout ? *v->layout : *row_major(g, v->rank);
	for (int a = 0; a < v->rank; a++) {
		l->halo_lo[a] = lo[a] > l->halo_lo[a] ? lo[a] : l->halo_lo[a];
		l->halo_hi[a] = hi[a] > l->halo_hi[a] ? hi[a] : l->halo_hi[a];
	}
	v->layout = l;
}

static bool is_depthwise(const node *n)
{
	return node_int(n, "group", 1) > 1 && sym_is(n->in[1]->dims[1], 1);
}

/* The copy of an operand that cannot have a halo itself; one copy serves all its users. */
static value *copy_for(graph *g, map *copies, node *user, value *v)
{
	value *copy = map_get(copies, v);
	if (copy)
		return copy;
	g->before = user;
	g->src = user->src;
	copy = build_copy(g, v);
	g->before = NULL;
	if (v->def || is_depthwise(user)) /* an input's few channels are read by broadcasts: any order will do, its own copies fastest */
		copy->layout = channels_last(g, v->rank);
	map_put(copies, v, copy);
	return copy;
}

static void add_halos(graph *g, arena *scratch)
{
	map *copies = map_new(scratch);
	for_each_node(n, g) {
		int64_t lo[MAX_RANK] = {0}, hi[MAX_RANK] = {0};
		if (!wanted_halo(n, lo, hi))
			continue;
		if (!can_have_halo(g, n->in[0]))
			node_set_operand(n, 0, copy_for(g, copies, n, n->in[0]));
		widen_halo(g, n->in[0], lo, hi);
	}
}

/* ---- region edges --------------------------------------------------------------------------------------------------------- */
/* A convolution writes channels last; an output of several channels and pixels is transposed by a copy of its own. */
static void detach_outputs(graph *g)
{
	for (int i = 0; i < g->outputs.n; i++) {
		value *v = g->outputs.v[i];
		if (!v->def || !is_spatial(v) || sym_is(v->dims[1], 1) || !makes_region(v->def))
			continue;
		g->src = v->def->src;
		graph_set_output(g, i, build_copy(g, v));
	}
}

/* What a loop begins with is handed on as it lies in memory. */
static void detach_carried(graph *g)
{
	for_each_node(n, g) {
		int is_while = n->op == OP_LOOP ? (int)node_int(n, "while", 0) : 0;
		for (int i = 0; n->op == OP_LOOP && i < is_while + (int)node_int(n, "carried", 0); i++) {
			if (!n->in[i]->layout)
				continue;
			g->before = n;
			g->src = n->src;
			node_set_operand(n, i, build_copy(g, n->in[i]));
			g->before = NULL;
		}
	}
}

bool pass_layout(graph *g, pass_ctx *ctx)
{
	map *last = map_new(ctx->scratch);
	detach_outputs(g);
	while (grow(g, last))
		;
	for (int i = 0; i < map_count(last); i++) {
		value *v = map_value_at(last, i);
		v->layout = channels_last(g, v->rank);
	}
	add_halos(g, ctx->scratch);
	detach_carried(g);
	return map_count(last) > 0;
}
