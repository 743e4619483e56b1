/* Operators that hand a state from one call to the next: caches written in place, causal convolutions, linear attention. */
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

#include <math.h>
#include <string.h>

/* ---- TensorScatter --------------------------------------------------------------------------------------------------------- */
/* The cache with the update written from an index on, which is given per batch: each element is one of either.
 * ONNX TensorScatter-24. */
value *import_tensor_scatter(importer *im, const onnx_node *n)
{
	value *cache = input(im, n, 0), *update = input(im, n, 1), *start = input_or_null(n, 2);
	expect_same_type(im, n, cache, update);
	expect_rank(im, n, cache, 2, MAX_RANK);
	expect_rank(im, n, update, cache->rank, cache->rank);
	int axis = axis_in(im, n, attr_int(im, n, "axis", -2), cache->rank);
	bool circular = strcmp(attr_word(im, n, "mode", "linear circular"), "circular") == 0;
	if (axis == 0)
		refuse(im, n, "axis is that of the batch");
	if (start) {
		expect_rank(im, n, start, 1, 1);
		expect_type(im, n, start, TYPES_INT);
	}
	sym *shape[MAX_RANK];
	for (int i = 0; i < cache->rank; i++)
		shape[i] = i == axis ? cache->dims[i] : size(im, 1);
	value *in[] = {build_iota(im->graph, shape, cache->rank, axis), start ? along_axis(im, start, 0, cache->rank) : NULL};
	const expr *spot = operand(im, 0, in[0]), *length = expr_index(im->exprs, cache->dims[axis]);
	if (start)
		spot = op2(im, EXPR_SUB, spot, expr_cast(im->exprs, I64, operand(im, 1, in[1])));
	if (circular)
		spot = op2(im, EXPR_MOD, spot, length);
	value *index = map_as(im, I64, spot, in, start ? 2 : 1);
	const expr *i = operand(im, 0, index), *last = expr_index(im->exprs, sym_addi(update->dims[axis], -1));
	value *bounded = map_as(im, I64, op2(im, EXPR_MIN, op2n(im, EXPR_MAX, i, 0), last), &index, 1);
	attr along = attr_of_int("axis", axis);
	value *where = copy_dims(im, bounded, cache->dims, cache->rank);
	value *picked = build(im->graph, OP_GATHER_ELEMENTS, (value *[]){update, where}, 2, &along, 1);
	const expr *fresh = op2(im, EXPR_AND, op2n(im, EXPR_GE, i, 0), op2(im, EXPR_LE, i, last));
	return build_select(im->graph, map_as(im, BOOL, fresh, &index, 1), picked, cache);
}

/* ---- CausalConvWithState ----------------------------------------------------------------------------------------------------- */
/* A depthwise convolution of the state (or zeros) followed by the input; the new state is the end of both.
 * ONNX CausalConvWithState-27. */
value *import_causal_conv(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *weights = input(im, n, 1), *bias = input_or_null(n, 2), *past = input_or_null(n, 3);
	bool silu = attr_word(im, n, "activation", "none silu swish")[0] == 's';
	int64_t channels;
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 3, 3);
	expect_rank(im, n, weights, 3, 3);
	for (int i = 1; i < n->n_in; i++)
		if (n->in[i])
			expect_same_type(im, n, x, n->in[i]);
	if (!sym_is_const(weights->dims[0], &channels))
		refuse(im, n, "the number of channels must be known");
	sym *zero = size(im, 0), *before = sym_addi(weights->dims[2], -1);
	sym *lo[] = {zero, zero, before}, *hi[] = {zero, zero, zero};
	value *all = past ? build_concat(im->graph, (value *[]){past, x}, 2, 2) : build_pad(im->graph, x, lo, hi, "constant", NULL);
	attr attrs[] = {
		attr_of_syms(im->graph, "lo", &zero, 1),
		attr_of_syms(im->graph, "hi", &zero, 1),
		attr_of_int("group", channels),
	};
	value *y = build(im->graph, OP_CONV, (value *[]){all, weights, bias}, bias ? 3 : 2, attrs, 3);
	set_result(n, 1, cut(im, all, 2, x->dims[2], before));
	const expr *e = operand(im, 0, y);
	return silu ? map_as(im, y->type, op2(im, EXPR_MUL, e, op1(im, EXPR_SIGMOID, e)), &y, 1) : y;
}

/* ---- LinearAttention ----------------------------------------------------------------------------------------------------------- */
typedef struct recurrence {
	value *q, *k, *v;      /* [batch, time, kv heads, (group,) size] in f32 */
	value *decay, *beta;   /* [batch, time, kv heads, size or 1], or NULL */
	value *state;          /* [batch, kv heads, k size, v size] */
	double scale;
} recurrence;

/* [batch, time, heads * size] as [batch, time, heads, size], in the type of computation. */
static value *unpacked(importer *im, const onnx_node *n, value *x, int64_t heads)
{
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 3, 3);
	if (sym_is_const(x->dims[2], NULL) && sym_value(x->dims[2]) % heads != 0)
		refuse(im, n, "%lld features do not divide into %lld heads", (long long)sym_value(x->dims[2]), (long long)heads);
	sym *shape[] = {x->dims[0], x->dims[1], size(im, heads), sym_divi(x->dims[2], heads)};
	return reshape(im, widen(im, x), shape, 4);
}

static value *initial_state(importer *im, const onnx_node *n, const recurrence *r)
{
	value *past = input_or_null(n, 3);
	sym *dims[] = {r->k->dims[0], r->k->dims[2], r->k->dims[3], r->v->dims[3]};
	if (!past)
		return build_expand(im->graph, build_scalar(im->graph, r->k->type, 0), dims, 4);
	expect_rank(im, n, past, 4, 4);
	return narrow(im, past, r->k->type);
}

static recurrence read_recurrence(importer *im, const onnx_node *n)
{
	const char *rule = attr_word(im, n, "update_rule", "gated_delta gated delta linear");
	int64_t q_heads = attr_int_required(im, n, "q_num_heads"), heads = attr_int_required(im, n, "kv_num_heads"), head_size;
	bool gated = rule[0] == 'g', delta = strstr(rule, "delta") != NULL;
	attr_ignore(n, "chunk_size"); /* a hint */
	if (heads < 1 || q_heads < heads || q_heads % heads != 0)
		refuse(im, n, "q_num_heads is %lld, must be a multiple of kv_num_heads %lld", (long long)q_heads, (long long)heads);
	if (gated != (input_or_null(n, 4) != NULL) || delta != (input_or_null(n, 5) != NULL))
		refuse(im, n, "update_rule=%s %s decay and %s beta", rule, gated ? "needs" : "has no", delta ? "needs" : "has no");
	recurrence r = {
		.q = unpacked(im, n, input(im, n, 0), q_heads),
		.k = unpacked(im, n, input(im, n, 1), heads),
		.v = unpacked(im, n, input(im, n, 2), heads),
		.decay = gated ? unpacked(im, n, n->in[4], heads) : NULL,
		.scale = attr_float(im, n, "scale", 0),
	};
	if (delta)
		r.beta = unpacked(im, n, n->in[5], sym_is(n->in[5]->dims[2], 1) ? 1 : heads);
	if (r.scale == 0 && !sym_is_const(r.k->dims[3], &head_size))
		refuse(im, n, "the size of a head must be known when there is no scale");
	r.scale = r.scale == 0 ? 1 / sqrt((double)head_size) : r.scale;
	sym *groups[] = {r.q->dims[0], r.q->dims[1], r.k->dims[2], size(im, q_heads / heads), r.q->dims[3]};
	r.q = reshape(im, r.q, groups, 5);
	r.state = initial_state(im, n, &r);
	return r;
}

/* What is added along the key: v, or with beta its difference from what the state has for the key. */
static value *correction(importer *im, value *state, value *k, value *v, value *beta)
{
	if (!beta)
		return v;
	value *in[] = {v, build_contract(im->graph, state, k, "bhkv,bhk->bhv"), beta};
	const expr *e = op2(im, EXPR_MUL, op2(im, EXPR_SUB, operand(im, 0, in[0]), operand(im, 1, in[1])), operand(im, 2, beta));
	return map_as(im, v->type, e, in, 3);
}

/* S' = exp(g) S + k (x) u, with g absent or per key element, and u the correction. */
static value *next_state(importer *im, loop_builder *l, const recurrence *r, value *state)
{
	static const int last = 3, before_last = 2;
	if (r->decay) {
		value *in[] = {state, build_unsqueeze(im->graph, loop_element(im, l, r->decay, 1, false), &last, 1)};
		const expr *e = op2(im, EXPR_MUL, operand(im, 0, state), op1(im, EXPR_EXP, operand(im, 1, in[1])));
		state = map_as(im, state->type, e, in, 2);
	}
	value *k = loop_element(im, l, r->k, 1, false), *v = loop_element(im, l, r->v, 1, false);
	value *u = correction(im, state, k, v, r->beta ? loop_element(im, l, r->beta, 1, false) : NULL);
	value *in[] = {state, build_unsqueeze(im->graph, k, &last, 1), build_unsqueeze(im->graph, u, &before_last, 1)};
	const expr *outer = op2(im, EXPR_MUL, operand(im, 1, in[1]), operand(im, 2, in[2]));
	return map_as(im, state->type, op2(im, EXPR_ADD, operand(im, 0, state), outer), in, 3);
}

/* A loop over time that carries a matrix per head and reads it by the queries.  ONNX LinearAttention-27. */
value *import_linear_attention(importer *im, const onnx_node *n)
{
	recurrence r = read_recurrence(im, n);
	dtype state_type = input_or_null(n, 3) ? n->in[3]->type : n->in[0]->type;
	loop_builder l;
	loop_open(im, n, &l, r.k->dims[1], "body");
	value *state = next_state(im, &l, &r, loop_carry(im, &l, "state", r.state));
	value *read = build_contract(im->graph, loop_element(im, &l, r.q, 1, false), state, "bhgk,bhkv->bhgv");
	value *scaled = map_as(im, read->type, op2n(im, EXPR_MUL, operand(im, 0, read), r.scale), &read, 1);
	vec_push(im->a, &l.carried, state);
	vec_push(im->a, &l.stacked, scaled);
	vec_push(im->a, &l.reverse, 0);
	node *made = loop_close(im, n, &l);
	set_result(n, 1, narrow(im, made->out[0], state_type));
	value *y = build_transpose(im->graph, made->out[1], (int[]){1, 0, 2, 3, 4});
	sym *shape[] = {y->dims[0], y->dims[1], sym_mul(sym_mul(y->dims[2], y->dims[3]), y->dims[4])};
	return narrow(im, reshape(im, y, shape, 3), n->in[0]->type);
}
