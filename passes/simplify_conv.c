/* Simplify: what a convolution can take over from its neighbours, and transposed convolutions as convolutions.
 * Weights that change do so by ordinary nodes on constants, which `fold` computes.  Requirements on rules: simplify.h. */
#include "passes/simplify.h"

#include <math.h>
#include <string.h>

enum { MAX_AFFINE_COST = 32 };

static bool is_convolution(const node *n) { return n && (n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE); }

/* ---- scale and shift (batch norm) -------------------------------------------------------------------------------- */
/* f(x) = a*x + b; NULL is 0. */
typedef struct affine {
	const expr *a, *b;
} affine;

static const expr *sum_of(expr_ctx *c, expr_op what, const expr *x, const expr *y)
{
	if (!y)
		return x;
	if (!x)
		return what == EXPR_SUB ? expr_unary(c, EXPR_NEG, y) : y;
	return expr_binary(c, what, x, y);
}

static const expr *scaled(expr_ctx *c, expr_op what, const expr *x, const expr *by)
{
	return x && by ? expr_binary(c, what, x, by) : NULL;
}

static bool affine_of(expr_ctx *c, const expr *e, int64_t x, affine *f);

static bool affine_product(expr_ctx *c, const expr *p, const expr *q, int64_t x, affine *f)
{
	affine u, v;
	if (!affine_of(c, p, x, &u) || !affine_of(c, q, x, &v) || (u.a && v.a))
		return false;
	affine with_x = u.a ? u : v, factor = u.a ? v : u;
	*f = (affine){scaled(c, EXPR_MUL, with_x.a, factor.b), scaled(c, EXPR_MUL, with_x.b, factor.b)};
	return true;
}

static bool affine_sum(expr_ctx *c, const expr *e, int64_t x, affine *f)
{
	affine u, v;
	if (!affine_of(c, e->in[0], x, &u) || !affine_of(c, e->in[1], x, &v))
		return false;
	*f = (affine){sum_of(c, e->op, u.a, v.a), sum_of(c, e->op, u.b, v.b)};
	return true;
}

static bool affine_of(expr_ctx *c, const expr *e, int64_t x, affine *f)
{
	affine u;
	*f = (affine){NULL, e};
	switch ((int)e->op) {
	case EXPR_ARG:
		if (e->i == x)
			*f = (affine){expr_number(c, e->type, 1), NULL};
		return true;
	case EXPR_CONST: return true;
	case EXPR_ADD:
	case EXPR_SUB: return affine_sum(c, e, x, f);
	case EXPR_MUL: return affine_product(c, e->in[0], e->in[1], x, f);
	case EXPR_DIV:
		if (!affine_of(c, e->in[0], x, f) || !affine_of(c, e->in[1], x, &u) || u.a)
			return false;
		*f = (affine){scaled(c, EXPR_DIV, f->a, e->in[1]), scaled(c, EXPR_DIV, f->b, e->in[1])};
		return true;
	case EXPR_NEG:
		if (!affine_of(c, e->in[0], x, &u))
			return false;
		*f = (affine){sum_of(c, EXPR_SUB, NULL, u.a), sum_of(c, EXPR_SUB, NULL, u.b)};
		return true;
	case EXPR_SQRT: /* of a variance */
		return affine_of(c, e->in[0], x, &u) && !u.a;
	default: return false;
	}
}

/* v, which broadcasts to `out` along nothing but the channel axis, as [C] or []; NULL when it is something else. */
static value *channel_vector(graph *g, value *v, const value *out)
{
	int channel = v->rank - (out->rank - 1);
	if (!is_constant(v))
		return NULL;
	if (sym_is(value_size(v), 1))
		return build_reshape(g, v, NULL, 0);
	for (int i = 0; i < v->rank; i++)
		if (i != channel && !sym_is(v->dims[i], 1))
			return NULL;
	return channel >= 0 && v->dims[channel] == out->dims[1] ? build_reshape(g, v, &out->dims[1], 1) : NULL;
}

/* e, over the channel vectors in `in`, for every channel: [C]. */
static value *per_channel(graph *g, const expr *e, value *const *in, int n_in, const value *out)
{
	return build_expand(g, build_map(g, e, in, n_in), &out->dims[1], 1);
}

/* Weights times s[o]: OIHW, or IOHW of one group. */
static value *scale_weights(graph *g, const node *conv, value *s)
{
	value *w = conv->in[1];
	sym *dims[MAX_RANK];
	int axis = conv->op == OP_CONV ? 0 : 1;
	for (int i = 0; i < w->rank; i++)
		dims[i] = i == axis ? s->dims[0] : sym_const(g->syms, 1);
	return build_binary(g, EXPR_MUL, w, build_reshape(g, s, dims, w->rank));
}

/* The operand of map n that is a convolution whose only use is n, so that it can change; -1: there is none. */
static int find_convolution(const node *n)
{
	for (int i = 0; i < n->n_in; i++) {
		const value *v = n->in[i];
		const node *c = v->def;
		if (!is_convolution(c) || v->n_uses != 1 || node_attr(c, "strategy"))
			continue;
		bool all_f32 = v->type == F32 && c->in[0]->type == F32 && c->in[1]->type == F32 && n->out[0]->type == F32;
		if (all_f32 && value_dims_equal(v, n->out[0]))
			return i;
	}
	return -1;
}

/* a * (conv(x, w) + b0) + b = conv(x, a*w) + (a*b0 + b) */
static value *build_scaled_conv(graph *g, const node *conv, affine f, value **in, int n_in)
{
	const value *out = conv->out[0];
	value *operands[3] = {conv->in[0], conv->in[1], NULL};
	value *old_bias = node_operands(conv) > 2 ? conv->in[2] : NULL;
	bool plain = f.a->op == EXPR_CONST && f.a->f == 1;
	value *s = plain ? NULL : per_channel(g, f.a, in, n_in, out);
	if (f.b)
		operands[2] = per_channel(g, f.b, in, n_in, out);
	if (old_bias) {
		value *b0 = s ? build_binary(g, EXPR_MUL, old_bias, s) : old_bias;
		operands[2] = operands[2] ? build_binary(g, EXPR_ADD, b0, operands[2]) : b0;
	}
	if (s)
		operands[1] = scale_weights(g, conv, s);
	g->src = conv->src;
	return build_like(g, conv, operands, operands[2] ? 3 : 2);
}

static bool may_scale(const node *conv)
{
	if (node_operands(conv) > 2 && !is_constant(conv->in[2]))
		return false;
	return is_constant(conv->in[1]) && (conv->op == OP_CONV || node_int(conv, "group", 1) == 1);
}

/* A batch norm, scale or bias behind a convolution goes into its weights and bias. */
static value *map_into_conv(graph *g, node *n)
{
	int at = find_convolution(n);
	affine f;
	if (at < 0 || expr_cost(node_expr(n)) > MAX_AFFINE_COST || !affine_of(g->exprs, node_expr(n), at, &f) || !f.a)
		return NULL;
	const node *conv = n->in[at]->def;
	value **in = new_array(g->a, value *, (size_t)n->n_in);
	for (int i = 0; i < n->n_in; i++) {
		in[i] = i == at ? build_scalar(g, F32, 0) : channel_vector(g, n->in[i], conv->out[0]); /* f has no %at */
		if (!in[i])
			return NULL;
	}
	if (!may_scale(conv) && !(f.a->op == EXPR_CONST && f.a->f == 1))
		return NULL;
	return build_scaled_conv(g, conv, f, in, n->n_in);
}

/* ---- padding ----------------------------------------------------------------------------------------------------- */
/* n's operand 0 is a constant border of `fill` around spatial axes only: that pad, else NULL. */
static const node *border_of(graph *g, const node *n, double fill)
{
	const node *p = n->in[0]->def;
	if (!p || p->op != OP_PAD || strcmp(node_word(p, "mode", "constant"), "constant") != 0)
		return NULL;
	const expr *e = p->n_in > 1 ? known_scalar(g, p->in[1]) : NULL;
	if (p->n_in > 1 && (!e || (dtype_is_float(e->type) ? e->f != fill : (double)e->i != fill)))
		return NULL;
	if (p->n_in == 1 && fill != 0)
		return NULL;
	sym *const *lo = node_syms(p, "lo", NULL), *const *hi = node_syms(p, "hi", NULL);
	for (int i = 0; i < p->out[0]->rank; i++)
		if (i < 2 ? !sym_is(lo[i], 0) || !sym_is(hi[i], 0) : lo[i]->lo < 0 || hi[i]->lo < 0)
			return NULL;
	return p;
}

/* n with its list `name` increased by the border's, spatial axis by spatial axis. */
static attr widened(graph *g, const node *n, const char *name, const node *border)
{
	int count;
	sym *sums[MAX_RANK], *const *own = node_syms(n, name, &count), *const *more = node_syms(border, name, NULL);
	for (int i = 0; i < count; i++)
		sums[i] = sym_add(own[i], more[2 + i]);
	return attr_of_syms(g, name, sums, count);
}

/* A node like n on the border's operand; the `lists` take the border in. */
static value *build_without_border(graph *g, const node *n, const node *border, const char *const *lists)
{
	value **in = new_array(g->a, value *, (size_t)n->n_in);
	attr *attrs = new_array(g->a, attr, (size_t)n->n_attrs);
	for (int i = 0; i < n->n_in; i++)
		in[i] = i == 0 ? border->in[0] : n->in[i];
	for (int i = 0; i < n->n_attrs; i++) {
		attrs[i] = n->attrs[i];
		for (const char *const *name = lists; *name; name++)
			if (strcmp(attrs[i].name, *name) == 0)
				attrs[i] = widened(g, n, *name, border);
	}
	value *v = build(g, n->op, in, n->n_in, attrs, n->n_attrs);
	return value_dims_equal(v, n->out[0]) ? v : NULL;
}

/* conv(pad(x)) = conv(x) with wider borders */
static value *pad_into_conv(graph *g, node *n)
{
	const node *border = node_attr(n, "strategy") ? NULL : border_of(g, n, 0);
	return border ? build_without_border(g, n, border, (const char *const[]){"lo", "hi", NULL}) : NULL;
}

/* A pooling ignores what lies outside; that is what a border of its identity does. */
static value *pad_into_window(graph *g, node *n)
{
	const char *fold = node_word(n, "op", "");
	bool is_max = strcmp(fold, "max") == 0;
	if ((!is_max && strcmp(fold, "sum") != 0) || !dtype_is_float(n->in[0]->type))
		return NULL;
	const node *border = border_of(g, n, is_max ? -INFINITY : 0);
	return border ? build_without_border(g, n, border, (const char *const[]){"lo", NULL}) : NULL;
}

/* ---- transposed convolution -------------------------------------------------------------------------------------- */
/* With o + lo = s*q + p, output o of a transposed convolution of stride s is  sum over t of  x[q - t] * w[p + s*t]:  each of
 * the s phases p is an ordinary convolution with the flipped taps w[p], w[p+s] ...  All phases of all axes are computed as
 * channels of one convolution at stride 1 and then interleaved. */
typedef struct phases {
	const node *n;
	int spatial;
	int64_t stride[MAX_RANK], dilation[MAX_RANK];
	int64_t taps[MAX_RANK];   /* of one phase */
	int64_t kernel[MAX_RANK];
	int64_t lo[MAX_RANK];     /* of the convolution */
	int64_t skip[MAX_RANK];   /* interleaved elements before the first output */
	sym *hi[MAX_RANK], *size[MAX_RANK]; /* of the convolution */
	int64_t count;            /* phases of all axes */
} phases;

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static bool phase_axis(const node *n, phases *f, int s)
{
	int64_t lo;
	f->stride[s] = node_ints(n, "strides", NULL)[s];
	f->dilation[s] = node_ints(n, "dilations", NULL)[s];
	if (!sym_is_const(n->in[1]->dims[2 + s], &f->kernel[s]) || !sym_is_const(node_syms(n, "lo", NULL)[s], &lo) ||
	    (f->dilation[s] != 1 && f->stride[s] != 1))
		return false;
	int64_t d = f->dilation[s], stride = f->stride[s], first = floor_div(lo, stride);
	f->taps[s] = (f->kernel[s] + stride - 1) / stride;
	f->skip[s] = lo - first * stride;
	f->lo[s] = (f->taps[s] - 1) * d - first;
	sym *last = sym_divi(sym_addi(n->out[0]->dims[2 + s], lo - 1), stride);
	f->size[s] = sym_addi(last, 1 - first);
	f->hi[s] = sym_sub(sym_addi(f->size[s], (f->taps[s] - 1) * d - f->lo[s]), n->in[0]->dims[2 + s]);
	f->count *= stride;
	return f->lo[s] >= 0 && sym_is_const(f->hi[s], NULL);
}

static bool phases_of(const node *n, phases *f)
{
	*f = (phases){.n = n, .spatial = n->in[0]->rank - 2, .count = 1};
	if (node_int(n, "group", 1) != 1 || 2 + 2 * f->spatial > MAX_RANK || !is_constant(n->in[1]))
		return false;
	for (int s = 0; s < f->spatial; s++)
		if (!phase_axis(n, f, s))
			return false;
	return true;
}

/* w[c][o][k] -> w'[p, o][c][t'], tap t' = taps - 1 - t of phase p being w[p + s*t], or 0 beyond the kernel. */
static value *phase_weights(graph *g, const phases *f)
{
	value *w = f->n->in[1];
	sym *zero = sym_const(g->syms, 0), *lo[MAX_RANK], *hi[MAX_RANK], *shape[MAX_RANK], *starts[MAX_RANK];
	int64_t steps[MAX_RANK];
	int perm[MAX_RANK], n = f->spatial, rank = 2 + 2 * n;
	sym *channels = w->dims[0], *outputs = w->dims[1];
	for (int i = 0; i < 2 + n; i++) {
		lo[i] = zero;
		hi[i] = i < 2 ? zero : sym_const(g->syms, f->taps[i - 2] * f->stride[i - 2] - f->kernel[i - 2]);
	}
	w = build_pad(g, w, lo, hi, "constant", NULL);
	shape[0] = channels;
	shape[1] = outputs;
	for (int s = 0; s < n; s++) {
		shape[2 + 2 * s] = sym_const(g->syms, f->taps[s]);
		shape[3 + 2 * s] = sym_const(g->syms, f->stride[s]);
	}
	w = build_reshape(g, w, shape, rank); /* c, o, t0, p0, t1, p1 ... */
	for (int i = 0; i < rank; i++) {
		bool is_tap = i >= 2 && i % 2 == 0;
		starts[i] = is_tap ? sym_addi(shape[i], -1) : zero;
		steps[i] = is_tap ? -1 : 1;
	}
	w = build_slice(g, w, starts, steps, shape);
	perm[n] = 1;
	perm[n + 1] = 0;
	for (int s = 0; s < n; s++) {
		perm[s] = 3 + 2 * s;
		perm[n + 2 + s] = 2 + 2 * s;
	}
	w = build_transpose(g, w, perm); /* p0, p1 ..., o, c, t0, t1 ... */
	shape[0] = sym_muli(outputs, f->count);
	shape[1] = channels;
	for (int s = 0; s < n; s++)
		shape[2 + s] = sym_const(g->syms, f->taps[s]);
	return build_reshape(g, w, shape, 2 + n);
}

/* bias[o] for every phase. */
static value *phase_bias(graph *g, const phases *f)
{
	sym *o = f->n->out[0]->dims[1], *both[2] = {sym_const(g->syms, f->count), o}, *flat = sym_mul(both[0], o);
	return build_reshape(g, build_expand(g, f->n->in[2], both, 2), &flat, 1);
}

static value *build_phases(graph *g, const phases *f)
{
	int64_t ones[MAX_RANK];
	sym *lo[MAX_RANK];
	for (int s = 0; s < f->spatial; s++) {
		ones[s] = 1;
		lo[s] = sym_const(g->syms, f->lo[s]);
	}
	attr attrs[5] = {attr_of_ints(g, "strides", ones, f->spatial), attr_of_ints(g, "dilations", f->dilation, f->spatial),
			 attr_of_syms(g, "lo", lo, f->spatial), attr_of_syms(g, "hi", f->hi, f->spatial),
			 attr_of_int("group", 1)};
	bool has_bias = node_operands(f->n) > 2;
	value *in[3] = {f->n->in[0], phase_weights(g, f), has_bias ? phase_bias(g, f) : NULL};
	return build(g, OP_CONV, in, has_bias ? 3 : 2, attrs, 5);
}

/* y[b][p, o][q] -> out[b][o][s*q + p - skip] */
static value *interleave(graph *g, const phases *f, value *y)
{
	const value *out = f->n->out[0];
	sym *shape[MAX_RANK], *starts[MAX_RANK];
	int64_t steps[MAX_RANK];
	int perm[MAX_RANK], n = f->spatial;
	shape[0] = y->dims[0];
	shape[1 + n] = out->dims[1];
	perm[0] = 0;
	perm[1] = 1 + n;
	for (int s = 0; s < n; s++) {
		shape[1 + s] = sym_const(g->syms, f->stride[s]);
		shape[2 + n + s] = y->dims[2 + s];
		perm[2 + 2 * s] = 2 + n + s;
		perm[3 + 2 * s] = 1 + s;
	}
	y = build_transpose(g, build_reshape(g, y, shape, 2 + 2 * n), perm);
	for (int i = 0; i < 2 + n; i++) {
		shape[i] = i < 2 ? out->dims[i] : sym_muli(f->size[i - 2], f->stride[i - 2]);
		starts[i] = sym_const(g->syms, i < 2 ? 0 : f->skip[i - 2]);
		steps[i] = 1;
	}
	return build_slice(g, build_reshape(g, y, shape, 2 + n), starts, steps, out->dims);
}

static value *transposed_conv(graph *g, node *n)
{
	phases f;
	if (!phases_of(n, &f) || n->out[0]->type != F32 || n->in[0]->type != F32)
		return NULL;
	value *y = build_phases(g, &f);
	for (int s = 0; s < f.spatial; s++)
		if (y->dims[2 + s] != f.size[s])
			return NULL;
	if (f.count > 1)
		y = interleave(g, &f, y);
	else
		y = build_reshape(g, y, n->out[0]->dims, n->out[0]->rank);
	return value_dims_equal(y, n->out[0]) ? y : NULL;
}

const simplify_rule conv_rules[] = {
	{OP_MAP, map_into_conv},
	{OP_CONV, pad_into_conv},
	{OP_REDUCE_WINDOW, pad_into_window},
	{OP_CONV_TRANSPOSE, transposed_conv},
	{0},
};
