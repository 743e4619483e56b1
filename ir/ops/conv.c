/* Convolutions, N-d, with logical axes NCHW and OIHW (transposed: IOHW) whatever the layout.
 *
 * Both gather: each output element sums, over the channels of its group and over the taps, operand times weight.  Operands
 * narrower than the accumulator (f16, i8) are widened before they are multiplied. */
#include "ir/ops/window.h"

static bool channels(const node *n, const char **why, sym *found, sym *per_group, int64_t group)
{
	sym *wanted = sym_muli(per_group, group);
	if (!dim_agree(n, found, wanted))
		return rule_refuse(n, why, "operand has %s channels, the weights take %s in %lld groups",
				   sym_text(n, found), sym_text(n, per_group), (long long)group);
	return true;
}

static bool whole_groups(const node *n, sym *channels_in_all, int64_t group)
{
	return rule_equal(n, sym_modi(channels_in_all, group), sym_const(n->graph->syms, 0));
}

/* What both convolutions ask of operands; out_channels is the result's axis 1. */
static bool rule_convolution(node *n, const char **why, sym *out_channels)
{
	const value *x = n->in[0], *w = n->in[1];
	int spatial = x->rank - 2;
	if (node_operands(n) == 3) {
		const value *bias = n->in[2];
		if (bias->rank != 1 || !dim_agree(n, bias->dims[0], out_channels))
			return rule_refuse(n, why, "bias has rank %d and %s elements, needs one for each of %s channels",
					   bias->rank, sym_text(n, value_size(bias)), sym_text(n, out_channels));
		if (type_compute(bias->type) != type_accumulator(x->type))
			return rule_refuse(n, why, "bias is %s, the sums are %s", dtype_name(bias->type),
					   dtype_name(type_accumulator(x->type)));
	}
	for (int s = 0; s < spatial; s++)
		if (sym_is(w->dims[2 + s], 0))
			return rule_refuse(n, why, "its kernel has size 0 on axis %d", s);
	return true;
}

static bool ranks(const node *n, const char **why)
{
	const value *x = n->in[0], *w = n->in[1];
	if (x->rank < 2 || w->rank != x->rank)
		return rule_refuse(n, why, "operand has rank %d and weights %d, must be equal and at least 2", x->rank,
				   w->rank);
	return true;
}

/* Channels of one group on the result's side: O / group. */
static sym *group_outputs(const node *n)
{
	return sym_divi(n->out[0]->dims[1], node_int(n, "group", 1));
}

/* The operand channel that is the c-th of the group which output channel o belongs to. */
static sym *group_input(const node *n, sym *o, sym *c, sym *per_group)
{
	if (node_int(n, "group", 1) == 1)
		return c;
	return sym_add(sym_mul(sym_floordiv(o, group_outputs(n)), per_group), c);
}

static const expr *finish_bias(elem *e, const node *n, coord at, const expr *acc)
{
	coord o = {.rank = 1, .i = {at.i[1]}};
	return expr_binary(e->exprs, EXPR_ADD, acc, expr_cast(e->exprs, acc->type, elem_read(e, n->in[2], o)));
}

static void convolution(elem *e, const node *n, reduction *r, sym *channels_in)
{
	static const char *const hints[] = {"c", "k", "k", "k", "k", "k", "k", "k", "k", "k", "k", "k"};
	_Static_assert(sizeof hints / sizeof hints[0] == MAX_RANK, "a hint for every index");
	r->n = n->in[0]->rank - 1;
	for (int i = 0; i < r->n; i++) {
		r->extent[i] = i == 0 ? channels_in : n->in[1]->dims[i + 1];
		r->hint[i] = hints[i];
	}
	r->type = type_accumulator(n->in[0]->type);
	r->combine = EXPR_ADD;
	r->init = expr_number(e->exprs, r->type, 0);
	r->finish = node_operands(n) == 3 ? finish_bias : NULL;
}

/* An index over an axis of size 1 is 0, which frees index arithmetic of it. */
static sym *index_in(sym *i, sym *size) { return sym_is(size, 1) ? sym_const(i->ctx, 0) : i; }

/* ---- conv ----------------------------------------------------------------------------------------------------------- */
static bool conv_size(const node *n, const char **why, int s, sym **out)
{
	int count;
	int64_t stride = node_ints(n, "strides", &count)[s], dilation = node_ints(n, "dilations", &count)[s];
	sym *lo = node_syms(n, "lo", &count)[s], *hi = node_syms(n, "hi", &count)[s];
	sym *padded = sym_add(sym_add(lo, n->in[0]->dims[2 + s]), hi);
	sym *span = sym_addi(sym_muli(sym_addi(n->in[1]->dims[2 + s], -1), dilation), 1);
	if (sym_proves_lt(padded, span))
		return rule_refuse(n, why, "its kernel spans %s on axis %d, the padded operand has %s", sym_text(n, span),
				   s, sym_text(n, padded));
	*out = sym_addi(sym_divi(sym_sub(padded, span), stride), 1);
	return true;
}

bool infer_conv(node *n, const char **why)
{
	dtype t;
	sym *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "strides dilations lo hi group type strategy packed") || !rule_packed(n, why, 3) || !ranks(n, why) ||
	    !rule_int(n, why, "group", 1, INT32_MAX))
		return false;
	const value *x = n->in[0], *w = n->in[1];
	int64_t group = node_int(n, "group", 1);
	if (!rule_window(n, why, x->rank - 2) || !rule_syms_or(n, why, "hi", x->rank - 2, -INT32_MAX, 0) ||
	    !channels(n, why, x->dims[1], w->dims[1], group) || !rule_product(n, why, &t) ||
	    !rule_convolution(n, why, w->dims[0]))
		return false;
	if (!whole_groups(n, w->dims[0], group))
		return rule_refuse(n, why, "%s output channels do not divide into %lld groups", sym_text(n, w->dims[0]),
				   (long long)group);
	dims[0] = x->dims[0];
	dims[1] = w->dims[0];
	for (int s = 0; s < x->rank - 2; s++)
		if (!conv_size(n, why, s, &dims[2 + s]))
			return false;
	return rule_result(n, why, 0, t, x->rank, dims);
}

static const expr *term_conv(elem *e, const node *n, coord at, coord red)
{
	const value *x = n->in[0], *w = n->in[1], *out = n->out[0];
	coord xi = {.rank = x->rank}, wi = {.rank = w->rank};
	const expr *inside = NULL;
	wi.i[0] = at.i[1];
	wi.i[1] = index_in(red.i[0], w->dims[1]);
	xi.i[0] = at.i[0];
	xi.i[1] = group_input(n, at.i[1], wi.i[1], w->dims[1]);
	for (int a = 2; a < x->rank; a++) {
		window v = window_of(n, a - 2, at.i[a], out->dims[a], red.i[a - 1], w->dims[a], x->dims[a]);
		xi.i[a] = window_tap(&v);
		wi.i[a] = v.k;
		inside = elem_and(e, inside, window_inside(e, &v));
	}
	const expr *element = elem_guarded(e, inside, x, xi, elem_number(e, x->type, 0));
	return elem_product(e, type_accumulator(x->type), element, elem_read(e, w, wi));
}

void reduction_conv(elem *e, const node *n, coord at, reduction *r)
{
	(void)at;
	convolution(e, n, r, n->in[1]->dims[1]);
	r->term = term_conv;
}

/* ---- conv_transpose ------------------------------------------------------------------------------------------------- */
bool infer_conv_transpose(node *n, const char **why)
{
	dtype t;
	int rank;
	if (!rule_form(n, why, 1, "strides dilations lo group shape type") || !ranks(n, why) ||
	    !rule_int(n, why, "group", 1, INT32_MAX))
		return false;
	const value *x = n->in[0], *w = n->in[1];
	int64_t group = node_int(n, "group", 1);
	sym *lead[2] = {x->dims[0], sym_muli(w->dims[1], group)};
	if (!dim_agree(n, x->dims[1], w->dims[0]))
		return rule_refuse(n, why, "operand has %s channels, the weights take %s", sym_text(n, x->dims[1]),
				   sym_text(n, w->dims[0]));
	if (!whole_groups(n, w->dims[0], group))
		return rule_refuse(n, why, "%s input channels do not divide into %lld groups", sym_text(n, w->dims[0]),
				   (long long)group);
	if (!rule_window(n, why, x->rank - 2) || !rule_product(n, why, &t) || !rule_convolution(n, why, lead[1]) ||
	    !rule_window_shape(n, why, 2, lead, x->rank - 2))
		return false;
	sym *const *shape = node_syms(n, "shape", &rank);
	return rule_result(n, why, 0, t, rank, shape);
}

/* Tap k reaches output o from operand position (o + lo - k*dilation) / stride, if that is whole and inside. */
static sym *scattered_from(elem *e, const window *w, const expr **inside)
{
	sym *at = sym_sub(sym_add(w->o, w->lo), sym_muli(w->k, w->dilation));
	sym *position = sym_divi(at, w->stride), *zero = sym_const(e->syms, 0);
	sym *phase = sym_modi(at, w->stride);
	if (!sym_is(phase, 0))
		*inside = elem_and(e, *inside,
				   expr_binary(e->exprs, EXPR_EQ, expr_index(e->exprs, phase), expr_index(e->exprs, zero)));
	*inside = elem_and(e, *inside, elem_inside(e, position, w->in));
	return position;
}

static const expr *term_conv_transpose(elem *e, const node *n, coord at, coord red)
{
	const value *x = n->in[0], *w = n->in[1], *out = n->out[0];
	coord xi = {.rank = x->rank}, wi = {.rank = w->rank};
	const expr *inside = NULL;
	sym *per_group = sym_divi(x->dims[1], node_int(n, "group", 1));
	xi.i[0] = at.i[0];
	xi.i[1] = wi.i[0] = group_input(n, at.i[1], index_in(red.i[0], per_group), per_group);
	wi.i[1] = node_int(n, "group", 1) == 1 ? at.i[1] : sym_mod(at.i[1], group_outputs(n));
	for (int a = 2; a < x->rank; a++) {
		window v = window_of(n, a - 2, at.i[a], out->dims[a], red.i[a - 1], w->dims[a], x->dims[a]);
		xi.i[a] = scattered_from(e, &v, &inside);
		wi.i[a] = v.k;
	}
	const expr *element = elem_guarded(e, inside, x, xi, elem_number(e, x->type, 0));
	return elem_product(e, type_accumulator(x->type), element, elem_read(e, w, wi));
}

void reduction_conv_transpose(elem *e, const node *n, coord at, reduction *r)
{
	(void)at;
	convolution(e, n, r, sym_divi(n->in[0]->dims[1], node_int(n, "group", 1)));
	r->term = term_conv_transpose;
}
