/* Attention and the rotation of its operands: contractions, one map for everything that is added to the scores, and a
 * softmax, which row fusion recognises.  Scores and probabilities are kept in the type of computation. */
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

#include <math.h>
#include <string.h>

/* ---- heads --------------------------------------------------------------------------------------------------------------------------- */
/* [batch, sequence, heads * size] as [batch, heads, sequence, size]; rank 4 is that already. */
static value *with_heads(importer *im, const onnx_node *n, value *x, int64_t heads)
{
	if (x->rank == 4)
		return x;
	expect_rank(im, n, x, 3, 3);
	if (heads < 1)
		refuse(im, n, "inputs of rank 3 need q_num_heads and kv_num_heads");
	if (sym_is_const(x->dims[2], NULL) && sym_value(x->dims[2]) % heads != 0)
		refuse(im, n, "%lld features do not divide into %lld heads", (long long)sym_value(x->dims[2]), (long long)heads);
	sym *shape[] = {x->dims[0], x->dims[1], size(im, heads), sym_divi(x->dims[2], heads)};
	return build_transpose(im->graph, reshape(im, x, shape, 4), (int[]){0, 2, 1, 3});
}

static value *without_heads(importer *im, value *x)
{
	value *moved = build_transpose(im->graph, x, (int[]){0, 2, 1, 3});
	sym *shape[] = {moved->dims[0], moved->dims[1], sym_mul(moved->dims[2], moved->dims[3])};
	return reshape(im, moved, shape, 3);
}

/* [batch, heads, ...] as [batch, groups, heads per group, ...]. */
static value *grouped(importer *im, value *x, sym *groups)
{
	sym *shape[] = {x->dims[0], groups, sym_floordiv(x->dims[1], groups), x->dims[2], x->dims[3]};
	return reshape(im, x, shape, 5);
}

static value *ungrouped(importer *im, value *x, sym *heads)
{
	sym *shape[] = {x->dims[0], heads, x->dims[3], x->dims[4]};
	return reshape(im, x, shape, 4);
}

/* A contraction stored in the type of computation. */
static value *contract(importer *im, value *a, value *b, const char *equation)
{
	attr attrs[] = {attr_of_word("equation", equation), attr_of_word("type", dtype_name(dtype_table[a->type].compute))};
	return build(im->graph, OP_CONTRACT, (value *[]){a, b}, 2, attrs, 2);
}

/* ---- scores ------------------------------------------------------------------------------------------------------------------------------ */
typedef struct attention {
	value *q, *k, *v;      /* [batch, heads, sequence, size] */
	value *mask, *nonpad;  /* may be NULL */
	sym *past;             /* keys before those of this call */
	bool causal;
	int64_t left, right; /* window; -1: unbounded */
	double scale, softcap;
} attention;

/* The mask, as long as the keys: what it lacks is masked. */
static value *full_mask(importer *im, const onnx_node *n, value *mask, sym *keys)
{
	sym *lo[MAX_RANK], *hi[MAX_RANK];
	expect_type(im, n, mask, TYPES_FLOAT | TYPES_BOOL);
	expect_rank(im, n, mask, 1, 4);
	for (int i = 0; i < mask->rank; i++)
		lo[i] = hi[i] = size(im, 0);
	sym *given = mask->dims[mask->rank - 1];
	if (given == keys || sym_is(given, 1))
		return mask;
	hi[mask->rank - 1] = sym_max(sym_sub(keys, given), size(im, 0));
	value *fill = build_scalar(im->graph, mask->type, mask->type == BOOL ? 0 : -(double)INFINITY);
	return build_pad(im->graph, mask, lo, hi, "constant", fill);
}

static const expr *both(importer *im, const expr *a, const expr *b) { return a ? op2(im, EXPR_AND, a, b) : b; }

/* Whether query i may see key j by causality, window and padding; NULL: always.  Extends the operands. */
static const expr *visible(importer *im, const attention *t, value **in, int *n_in)
{
	sym *queries = t->q->dims[2], *keys = t->k->dims[2], *one = size(im, 1);
	if (!t->causal && t->left < 0 && t->right < 0 && !t->nonpad)
		return NULL;
	sym *row_shape[] = {queries, one}, *column_shape[] = {one, keys};
	int row = (*n_in)++, column = (*n_in)++;
	in[row] = build_iota(im->graph, row_shape, 2, 0);
	in[column] = build_iota(im->graph, column_shape, 2, 1);
	const expr *i = operand(im, row, in[row]), *j = operand(im, column, in[column]), *result = NULL, *valid = NULL;
	const expr *offset = expr_index(im->exprs, t->past);
	if (t->nonpad) {
		sym *shape[] = {t->nonpad->dims[0], one, one, one};
		in[*n_in] = reshape(im, t->nonpad, shape, 4);
		valid = expr_cast(im->exprs, I64, operand(im, *n_in, in[*n_in]));
		(*n_in)++;
		offset = op2(im, EXPR_SUB, valid, expr_index(im->exprs, queries));
		result = op2(im, EXPR_LT, j, valid);
	}
	const expr *position = op2(im, EXPR_ADD, i, offset);
	if (t->causal)
		result = both(im, result, op2(im, EXPR_LE, j, position));
	if (t->left >= 0)
		result = both(im, result, op2(im, EXPR_GE, j, op2(im, EXPR_SUB, position, expr_int(im->exprs, I64, t->left))));
	if (t->right >= 0)
		result = both(im, result, op2(im, EXPR_LE, j, op2(im, EXPR_ADD, position, expr_int(im->exprs, I64, t->right))));
	return result;
}

static const expr *softcapped(importer *im, const attention *t, const expr *e)
{
	if (!(t->softcap > 0))
		return e;
	return op2n(im, EXPR_MUL, op1(im, EXPR_TANH, op2n(im, EXPR_DIV, e, t->softcap)), t->softcap);
}

/* Scores with softcap, mask and visibility, in one map; -inf where a key is not seen. */
static value *biased(importer *im, const onnx_node *n, const attention *t, value *scores)
{
	value *in[6] = {scores};
	int n_in = 1;
	const expr *e = softcapped(im, t, operand(im, 0, scores)), *hidden = number(im, e, -(double)INFINITY);
	if (t->mask) {
		in[1] = full_mask(im, n, t->mask, t->k->dims[2]);
		const expr *m = operand(im, n_in++, in[1]);
		if (in[1]->type == BOOL)
			e = choose_if(im, m, e, hidden);
		else
			e = op2(im, EXPR_ADD, e, expr_cast(im->exprs, e->type, m));
	}
	const expr *seen = visible(im, t, in, &n_in);
	if (seen)
		e = choose_if(im, seen, e, hidden);
	return map_as(im, scores->type, e, in, n_in);
}

/* Softmax over the last axis; where nothing can be seen, all zeros. */
static value *probabilities(importer *im, value *scores, bool may_hide)
{
	int axis = scores->rank - 1;
	value *top = build_reduce(im->graph, scores, "max", &axis, 1);
	const expr *m = operand(im, 1, top);
	if (may_hide)
		m = choose_if(im, op2n(im, EXPR_EQ, m, -(double)INFINITY), number(im, m, 0), m);
	const expr *below = op1(im, EXPR_EXP, op2(im, EXPR_SUB, operand(im, 0, scores), m));
	value *e = map_as(im, scores->type, below, (value *[]){scores, top}, 2);
	value *sum = build_reduce(im->graph, e, "sum", &axis, 1);
	const expr *s = operand(im, 1, sum);
	if (may_hide)
		s = choose_if(im, op2n(im, EXPR_EQ, s, 0), number(im, s, 1), s);
	return map_as(im, scores->type, op2(im, EXPR_DIV, operand(im, 0, e), s), (value *[]){e, sum}, 2);
}

/* Keys and values with those of the cache before them, which are also results 1 and 2. */
static void extend_cache(importer *im, const onnx_node *n, attention *t)
{
	value *past_key = input_or_null(n, 4), *past_value = input_or_null(n, 5);
	t->past = size(im, 0);
	if (!past_key != !past_value)
		refuse(im, n, "past_key and past_value must be given together");
	if (past_key && t->nonpad)
		refuse(im, n, "nonpad_kv_seqlen and past_key must not be given together");
	if (past_key) {
		expect_rank(im, n, past_key, 4, 4);
		expect_rank(im, n, past_value, 4, 4);
		t->past = past_key->dims[2];
		t->k = build_concat(im->graph, (value *[]){past_key, t->k}, 2, 2);
		t->v = build_concat(im->graph, (value *[]){past_value, t->v}, 2, 2);
	}
	set_result(n, 1, t->k);
	set_result(n, 2, t->v);
}

static attention read_attention(importer *im, const onnx_node *n)
{
	int64_t q_heads = attr_int(im, n, "q_num_heads", 0), kv_heads = attr_int(im, n, "kv_num_heads", 0);
	attention t = {
		.q = with_heads(im, n, input(im, n, 0), q_heads),
		.k = with_heads(im, n, input(im, n, 1), kv_heads),
		.v = with_heads(im, n, input(im, n, 2), kv_heads),
		.mask = input_or_null(n, 3),
		.nonpad = input_or_null(n, 6),
		.causal = attr_flag(im, n, "is_causal", false),
		.left = attr_int(im, n, "left_window_size", -1),
		.right = attr_int(im, n, "right_window_size", -1),
		.softcap = attr_float(im, n, "softcap", 0),
	};
	expect_type(im, n, t.q, TYPES_FLOAT);
	expect_same_type(im, n, t.q, t.k);
	expect_type(im, n, t.v, TYPES_FLOAT);
	if (t.nonpad) {
		expect_rank(im, n, t.nonpad, 1, 1);
		expect_type(im, n, t.nonpad, TYPES_INT);
	}
	int64_t head_size = 0;
	if (!attr_given(n, "scale") && !sym_is_const(t.q->dims[3], &head_size))
		refuse(im, n, "the size of a head must be known when there is no scale");
	t.scale = attr_given(n, "scale") ? attr_float(im, n, "scale", 1) : 1 / sqrt((double)head_size);
	extend_cache(im, n, &t);
	return t;
}

/* ONNX Attention-25. */
value *import_attention(importer *im, const onnx_node *n)
{
	dtype type = input(im, n, 0)->type;
	attention t = read_attention(im, n);
	int64_t shown = attr_int(im, n, "qk_matmul_output_mode", 0);
	dtype precision = attr_dtype(im, n, "softmax_precision", F32);
	sym *groups = t.k->dims[1], *heads = t.q->dims[1];
	if (shown < 0 || shown > 3)
		refuse(im, n, "qk_matmul_output_mode is %lld, must be 0 to 3", (long long)shown);
	value *products = contract(im, grouped(im, t.q, groups), t.k, "bghsd,bgtd->bghst");
	value *raw = ungrouped(im, products, heads);
	raw = map_as(im, raw->type, op2n(im, EXPR_MUL, operand(im, 0, raw), t.scale), &raw, 1);
	value *scores = biased(im, n, &t, raw);
	bool may_hide = t.mask || t.nonpad || t.causal || t.left >= 0 || t.right >= 0;
	value *p = probabilities(im, precision == F64 ? narrow(im, scores, F64) : scores, may_hide);
	value *capped = map_as(im, raw->type, softcapped(im, &t, operand(im, 0, raw)), &raw, 1);
	value *const stages[] = {raw, capped, scores, p};
	set_result(n, 3, narrow(im, stages[shown], type));
	p = narrow(im, p, dtype_table[t.v->type].compute);
	value *y = ungrouped(im, contract(im, grouped(im, p, groups), t.v, "bghst,bgtd->bghsd"), heads);
	y = narrow(im, y, type);
	return n->in[0]->rank == 3 ? without_heads(im, y) : y;
}

/* ---- FlexAttention ------------------------------------------------------------------------------------------------------------------------ */
/* x as the graph of an attribute changes it, or x itself when there is none. */
static value *modified(importer *im, const onnx_node *n, const char *name, value *x)
{
	if (!attr_given(n, name))
		return x;
	const Onnx__GraphProto *body = attr_graph(im, n, name);
	value *y = NULL;
	if (body->n_input != 1 || body->n_output != 1)
		refuse(im, n, "%s must have one input and one output", name);
	if (!region_in_place(im, n, body, &x, &y))
		return NULL;
	if (y->type != x->type || y->rank != x->rank)
		refuse(im, n, "%s gives %s of rank %d, must be %s of rank %d", name, dtype_name(y->type), y->rank, dtype_name(x->type),
		       x->rank);
	return y;
}

/* Attention whose scores and probabilities pass through graphs of the model.  ai.onnx.preview FlexAttention-1. */
value *import_flex_attention(importer *im, const onnx_node *n)
{
	value *q = input(im, n, 0), *k = input(im, n, 1), *v = input(im, n, 2);
	int64_t head_size = 0;
	for (int i = 0; i < 3; i++) {
		expect_rank(im, n, n->in[i], 4, 4);
		expect_type(im, n, n->in[i], TYPES_FLOAT);
		expect_same_type(im, n, q, n->in[i]);
	}
	dtype precision = attr_dtype(im, n, "softmax_precision", q->type == F64 ? F64 : F32);
	if (!attr_given(n, "scale") && !sym_is_const(q->dims[3], &head_size))
		refuse(im, n, "the size of a head must be known when there is no scale");
	double scale = attr_given(n, "scale") ? attr_float(im, n, "scale", 1) : 1 / sqrt((double)head_size);
	sym *groups = k->dims[1], *heads = q->dims[1];
	value *scores = ungrouped(im, contract(im, grouped(im, q, groups), k, "bghsd,bgtd->bghst"), heads);
	const expr *e = op2n(im, EXPR_MUL, operand(im, 0, scores), scale);
	scores = map_as(im, precision, expr_cast(im->exprs, dtype_table[precision].compute, e), &scores, 1);
	scores = modified(im, n, "score_mod", scores);
	value *p = scores ? modified(im, n, "prob_mod", probabilities(im, scores, true)) : NULL;
	if (!p)
		return &unknown;
	p = narrow(im, p, dtype_table[v->type].compute);
	value *y = ungrouped(im, contract(im, grouped(im, p, groups), v, "bghst,bgtd->bghsd"), heads);
	return narrow(im, y, q->type);
}

/* ---- rotation ----------------------------------------------------------------------------------------------------------------------------- */
/* Elements start, start + step, ... of the last axis. */
static value *last_part(importer *im, value *x, sym *start, int64_t step, sym *count)
{
	sym *starts[MAX_RANK], *shape[MAX_RANK];
	int64_t steps[MAX_RANK];
	for (int i = 0; i < x->rank; i++) {
		bool last = i == x->rank - 1;
		starts[i] = last ? start : size(im, 0);
		steps[i] = last ? step : 1;
		shape[i] = last ? count : x->dims[i];
	}
	return build_slice(im->graph, x, starts, steps, shape);
}

/* The angles of every position as they broadcast with x: the axis of heads, `axis`, has size 1. */
static value *angles(importer *im, const onnx_node *n, int i, int axis)
{
	value *cache = input(im, n, i), *positions = input_or_null(n, 3);
	expect_rank(im, n, cache, positions ? 2 : 3, positions ? 2 : 3);
	if (positions) {
		expect_rank(im, n, positions, 2, 2);
		expect_type(im, n, positions, TYPES_INT);
		cache = build_gather(im->graph, cache, positions, 0);
	}
	return build_unsqueeze(im->graph, cache, &axis, 1);
}

/* cos * a - sin * b, or sin * a + cos * b */
static value *rotated(importer *im, value *a, value *b, value *cosine, value *sine, bool imaginary)
{
	value *in[] = {a, b, cosine, sine};
	const expr *x = operand(im, 0, a), *y = operand(im, 1, b), *c = operand(im, 2, cosine), *s = operand(im, 3, sine);
	const expr *e = imaginary ? op2(im, EXPR_ADD, op2(im, EXPR_MUL, s, x), op2(im, EXPR_MUL, c, y))
				  : op2(im, EXPR_SUB, op2(im, EXPR_MUL, c, x), op2(im, EXPR_MUL, s, y));
	return map_as(im, a->type, e, in, 4);
}

/* ONNX RotaryEmbedding-23. */
value *import_rotary_embedding(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int64_t heads = attr_int(im, n, "num_heads", 0), width = attr_int(im, n, "rotary_embedding_dim", 0);
	bool interleaved = attr_flag(im, n, "interleaved", false);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 3, 4);
	if (x->rank == 3 && heads < 1)
		refuse(im, n, "an input of rank 3 needs num_heads");
	sym *apart[] = {x->dims[0], x->dims[1], size(im, heads), x->rank == 3 ? sym_divi(x->dims[2], heads ? heads : 1) : NULL};
	value *y = x->rank == 3 ? reshape(im, x, apart, 4) : x;
	int head_axis = x->rank == 3 ? 2 : 1;
	sym *all = y->dims[3], *zero = size(im, 0), *turned = width > 0 ? size(im, width) : all, *half = sym_divi(turned, 2);
	value *a = last_part(im, y, zero, interleaved ? 2 : 1, half);
	value *b = last_part(im, y, interleaved ? size(im, 1) : half, interleaved ? 2 : 1, half);
	value *cosine = angles(im, n, 1, head_axis), *sine = angles(im, n, 2, head_axis);
	value *parts[] = {rotated(im, a, b, cosine, sine, false), rotated(im, a, b, cosine, sine, true), NULL};
	int last = 3, count = 2;
	if (interleaved) {
		int deepest = 4;
		for (int i = 0; i < 2; i++)
			parts[i] = build_unsqueeze(im->graph, parts[i], &deepest, 1);
		sym *shape[] = {y->dims[0], y->dims[1], y->dims[2], sym_muli(half, 2)};
		parts[0] = reshape(im, build_concat(im->graph, parts, 2, 4), shape, 4);
		count = 1;
	}
	if (turned != all)
		parts[count++] = last_part(im, y, turned, 1, sym_sub(all, turned));
	return reshape(im, build_concat(im->graph, parts, count, last), x->dims, x->rank);
}
