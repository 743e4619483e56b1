/* Operators that compute each element from the elements at the same place: every one becomes a single map. */
#include "frontend/onnx_attr.h"

#include <math.h>

/* ---- building maps ---------------------------------------------------------------------------------------------------- */
/* The operands of a map under construction; a constant of one element becomes a number in the formula. */
typedef struct formula {
	importer *im;
	value *in[8];
	int n;
} formula;

/* Rank and size of the result must not depend on a constant that disappears, so `like` is an operand of at least its rank. */
static const expr *term(formula *f, value *v, const value *like)
{
	const tensor *t = constant_of(v);
	dtype type = dtype_table[v->type].compute;
	if (t && t->n_elements == 1 && v->type != STRING && like && v->rank <= like->rank)
		return dtype_is_float(type) ? expr_float(f->im->exprs, type, tensor_float(t, 0))
					    : expr_int(f->im->exprs, type, tensor_int(t, 0));
	f->in[f->n] = v;
	return operand(f->im, f->n++, v);
}

static value *finish(formula *f, dtype t, const expr *e) { return map_as(f->im, t, e, f->in, f->n); }

/* The one operand of an activation, which is floating point. */
static const expr *only(importer *im, const onnx_node *n, value **x)
{
	*x = input(im, n, 0);
	attr_ignore(n, "consumed_inputs"); /* version 1 */
	expect_inputs(im, n, 1);
	expect_type(im, n, *x, TYPES_FLOAT);
	return operand(im, 0, *x);
}

static value *finish_unary(importer *im, value *x, const expr *e) { return map_as(im, x->type, e, &x, 1); }

/* ---- one operand -------------------------------------------------------------------------------------------------------- */
static type_set unary_types(const onnx_node *n)
{
	switch (n->op->arg) {
	case EXPR_ABS:
	case EXPR_NEG:
	case EXPR_SIGN: return TYPES_NUMBER;
	case EXPR_NOT: return n->op->name[0] == 'N' ? TYPES_BOOL : TYPES_INT;
	default: return TYPES_FLOAT;
	}
}

/* The scalar operation of the row on every element. */
value *import_unary(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	attr_ignore(n, "consumed_inputs");
	expect_inputs(im, n, 1);
	expect_type(im, n, x, unary_types(n));
	return build_unary(im->graph, (expr_op)n->op->arg, x);
}

value *import_identity(importer *im, const onnx_node *n)
{
	expect_inputs(im, n, 1);
	return input(im, n, 0);
}

/* a * sigmoid(alpha * a) * b.  ONNX SwiGLU-28. */
value *import_swiglu(importer *im, const onnx_node *n)
{
	value *a = input(im, n, 0), *b = input(im, n, 1);
	expect_type(im, n, a, TYPES_FLOAT);
	expect_same_type(im, n, a, b);
	expect_rank(im, n, b, a->rank, a->rank);
	const expr *e = operand(im, 0, a);
	const expr *gate = op1(im, EXPR_SIGMOID, op2n(im, EXPR_MUL, e, attr_float(im, n, "alpha", 1)));
	return map_as(im, a->type, op2(im, EXPR_MUL, op2(im, EXPR_MUL, e, gate), operand(im, 1, b)), (value *[]){a, b}, 2);
}

/* 1 / x.  ONNX Reciprocal-13. */
value *import_reciprocal(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	return finish_unary(im, x, op2(im, EXPR_DIV, number(im, e, 1), e));
}

/* max(x, 0).  ONNX Relu-14. */
value *import_relu(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	attr_ignore(n, "consumed_inputs");
	expect_inputs(im, n, 1);
	expect_type(im, n, x, TYPES_NUMBER);
	return finish_unary(im, x, op2n(im, EXPR_MAX, operand(im, 0, x), 0));
}

/* x where x >= 0, else alpha * x.  ONNX LeakyRelu-16. */
value *import_leaky_relu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 0.01f);
	return finish_unary(im, x, choose_if(im, op2n(im, EXPR_LT, e, 0), op2n(im, EXPR_MUL, e, alpha), e));
}

/* exp(x) - 1 */
static const expr *exp_minus_1(importer *im, const expr *e) { return op2n(im, EXPR_SUB, op1(im, EXPR_EXP, e), 1); }

/* x where x >= 0, else alpha * (exp(x) - 1).  ONNX Elu-22. */
value *import_elu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 1);
	const expr *below = op2n(im, EXPR_MUL, exp_minus_1(im, e), alpha);
	return finish_unary(im, x, choose_if(im, op2n(im, EXPR_LT, e, 0), below, e));
}

/* gamma * (x where x > 0, else alpha * (exp(x) - 1)).  ONNX Selu-22. */
value *import_selu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", n->version < 6 ? 1.6732f : 1.67326319217681884765625f);
	double gamma = attr_float(im, n, "gamma", n->version < 6 ? 1.0507f : 1.05070102214813232421875f);
	const expr *below = op2n(im, EXPR_MUL, exp_minus_1(im, e), alpha);
	const expr *either = choose_if(im, op2n(im, EXPR_GT, e, 0), e, below);
	return finish_unary(im, x, op2n(im, EXPR_MUL, either, gamma));
}

/* max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)).  ONNX Celu-12. */
value *import_celu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 1);
	const expr *below = op2n(im, EXPR_MUL, exp_minus_1(im, op2n(im, EXPR_DIV, e, alpha)), alpha);
	return finish_unary(im, x, op2(im, EXPR_ADD, op2n(im, EXPR_MAX, e, 0), op2n(im, EXPR_MIN, below, 0)));
}

static const expr *hard_sigmoid(importer *im, const expr *e, double alpha, double beta)
{
	const expr *line = op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, e, alpha), beta);
	return op2n(im, EXPR_MAX, op2n(im, EXPR_MIN, line, 1), 0);
}

/* max(0, min(1, alpha * x + beta)).  ONNX HardSigmoid-22. */
value *import_hard_sigmoid(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 0.2f), beta = attr_float(im, n, "beta", 0.5f);
	return finish_unary(im, x, hard_sigmoid(im, e, alpha, beta));
}

/* x * max(0, min(1, x / 6 + 0.5)).  ONNX HardSwish-22. */
value *import_hard_swish(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	return finish_unary(im, x, op2(im, EXPR_MUL, e, hard_sigmoid(im, e, 1.0 / 6, 0.5)));
}

/* x * sigmoid(alpha * x).  ONNX Swish-24. */
value *import_swish(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 1);
	return finish_unary(im, x, op2(im, EXPR_MUL, e, op1(im, EXPR_SIGMOID, op2n(im, EXPR_MUL, e, alpha))));
}

/* log(1 + u) for 0 <= u <= 1, as exact for a small u as for others: what rounding 1 + u = w took away is put back by the factor
 * u / (w - 1), since log(w) / (w - 1) hardly changes around w. */
static const expr *log_of_1_plus(importer *im, const expr *u)
{
	const expr *w = op2n(im, EXPR_ADD, u, 1);
	const expr *part = op2(im, EXPR_DIV, u, op2n(im, EXPR_SUB, w, 1));
	return expr_ternary(im->exprs, EXPR_SELECT, op2n(im, EXPR_EQ, w, 1), u, op2(im, EXPR_MUL, op1(im, EXPR_LOG, w), part));
}

/* log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow. */
static const expr *softplus(importer *im, const expr *e)
{
	const expr *tail = op1(im, EXPR_EXP, op1(im, EXPR_NEG, op1(im, EXPR_ABS, e)));
	return op2(im, EXPR_ADD, op2n(im, EXPR_MAX, e, 0), log_of_1_plus(im, tail));
}

value *import_softplus(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	return finish_unary(im, x, softplus(im, e));
}

/* x * tanh(softplus(x)).  ONNX Mish-22. */
value *import_mish(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	return finish_unary(im, x, op2(im, EXPR_MUL, e, op1(im, EXPR_TANH, softplus(im, e))));
}

/* x / (1 + |x|).  ONNX Softsign-22. */
value *import_softsign(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	return finish_unary(im, x, op2(im, EXPR_DIV, e, op2n(im, EXPR_ADD, op1(im, EXPR_ABS, e), 1)));
}

/* x * P(X <= x) of the normal distribution, by erf or its approximation by tanh.  ONNX Gelu-20. */
value *import_gelu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x), *inner;
	if (attr_word(im, n, "approximate", "none tanh")[0] == 'n') {
		inner = op1(im, EXPR_ERF, op2n(im, EXPR_MUL, e, 0.70710678118654752440));
	} else {
		const expr *cube = op2(im, EXPR_MUL, op2(im, EXPR_MUL, e, e), e);
		const expr *sum = op2(im, EXPR_ADD, e, op2n(im, EXPR_MUL, cube, 0.044715));
		inner = op1(im, EXPR_TANH, op2n(im, EXPR_MUL, sum, 0.79788456080286535588));
	}
	const expr *half = op2n(im, EXPR_MUL, e, 0.5);
	return finish_unary(im, x, op2(im, EXPR_MUL, half, op2n(im, EXPR_ADD, inner, 1)));
}

/* x where x > alpha, else 0.  ONNX ThresholdedRelu-22. */
value *import_thresholded_relu(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	double alpha = attr_float(im, n, "alpha", 1);
	return finish_unary(im, x, choose_if(im, op2n(im, EXPR_GT, e, alpha), e, number(im, e, 0)));
}

/* x + bias below -lambd, x - bias above lambd, else 0.  ONNX Shrink-9. */
value *import_shrink(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	double bias = attr_float(im, n, "bias", 0), lambd = attr_float(im, n, "lambd", 0.5f);
	const expr *arg = operand(im, 0, x), *e = dtype_is_float(arg->type) ? arg : expr_cast(im->exprs, F64, arg);
	const expr *above = choose_if(im, op2n(im, EXPR_GT, e, lambd), op2n(im, EXPR_SUB, e, bias), number(im, e, 0));
	const expr *any = choose_if(im, op2n(im, EXPR_LT, e, -lambd), op2n(im, EXPR_ADD, e, bias), above);
	return finish_unary(im, x, expr_cast(im->exprs, arg->type, any));
}

/* ONNX IsInf-20. */
value *import_is_inf(importer *im, const onnx_node *n)
{
	value *x;
	const expr *e = only(im, n, &x);
	bool negative = attr_flag(im, n, "detect_negative", true), positive = attr_flag(im, n, "detect_positive", true);
	const expr *high = op2n(im, EXPR_EQ, e, (double)INFINITY), *low = op2n(im, EXPR_EQ, e, (double)-INFINITY);
	const expr *no = expr_int(im->exprs, BOOL, 0);
	const expr *found = op2(im, EXPR_OR, positive ? high : no, negative ? low : no);
	return map_as(im, BOOL, found, &x, 1);
}

/* min(max(x, lo), hi), where each bound may be absent.  ONNX Clip-13; before 11 the bounds are attributes. */
value *import_clip(importer *im, const onnx_node *n)
{
	formula f = {.im = im};
	value *x = input(im, n, 0);
	expect_inputs(im, n, n->version < 11 ? 1 : 3);
	expect_type(im, n, x, TYPES_NUMBER);
	const expr *e = term(&f, x, NULL);
	attr_ignore(n, "consumed_inputs");
	if (n->version < 11) {
		if (attr_given(n, "min"))
			e = op2n(im, EXPR_MAX, e, attr_float(im, n, "min", 0));
		if (attr_given(n, "max"))
			e = op2n(im, EXPR_MIN, e, attr_float(im, n, "max", 0));
		return finish(&f, x->type, e);
	}
	for (int i = 1; i <= 2; i++) {
		value *bound = input_or_null(n, i);
		if (!bound)
			continue;
		expect_same_type(im, n, x, bound);
		if (bound->rank > 1 || (bound->rank == 1 && !sym_is(bound->dims[0], 1)))
			refuse(im, n, "a bound has rank %d, must be a scalar", bound->rank);
		e = op2(im, i == 1 ? EXPR_MAX : EXPR_MIN, e, term(&f, bound, x->rank > 0 ? x : bound));
	}
	return finish(&f, x->type, e);
}

/* ---- conversions ---------------------------------------------------------------------------------------------------------- */
#define F8E5M2_LARGEST 57344.0

/* With saturate=0, what rounds beyond the largest value becomes infinite, or NaN in formats without infinity: from this
 * magnitude on. */
static const struct {
	dtype type;
	double beyond;
	bool inclusive, infinite;
} overflow_table[] = {{F8E4M3FN, 464, false, false}, {F8E4M3FNUZ, 248, true, false}, {F8E5M2FNUZ, 61440, true, false},
		      {F8E5M2, 61440, true, true}};

static value *cast_without_saturation(importer *im, const onnx_node *n, value *x, dtype to)
{
	for (size_t i = 0; i < sizeof overflow_table / sizeof overflow_table[0]; i++) {
		if (overflow_table[i].type != to)
			continue;
		const expr *e = expr_cast(im->exprs, F32, operand(im, 0, x)), *magnitude = op1(im, EXPR_ABS, e);
		expr_op reaches = overflow_table[i].inclusive ? EXPR_GE : EXPR_GT;
		const expr *over = op2n(im, reaches, magnitude, overflow_table[i].beyond);
		const expr *endless = op2(im, EXPR_DIV, e, number(im, e, 0)); /* of its sign */
		const expr *beyond = overflow_table[i].infinite ? endless : number(im, e, (double)NAN);
		return map_as(im, to, choose_if(im, over, beyond, e), &x, 1);
	}
	refuse(im, n, "saturate=0 is not supported for %s", dtype_name(to));
}

/* Storing keeps infinities where the format has them; a saturating conversion does not. */
static value *cast_with_saturation(importer *im, value *x, dtype to)
{
	const expr *e = expr_cast(im->exprs, F32, operand(im, 0, x));
	e = op2n(im, EXPR_MIN, op2n(im, EXPR_MAX, e, -F8E5M2_LARGEST), F8E5M2_LARGEST);
	return map_as(im, to, e, &x, 1);
}

static value *cast(importer *im, const onnx_node *n, value *x, dtype to)
{
	bool narrow_float = dtype_is_float(to) && dtype_table[to].bits <= 8;
	bool saturate = attr_flag(im, n, "saturate", true);
	const char *rounding = attr_word(im, n, "round_mode", "up down nearest");
	if (x->type == STRING || to == STRING)
		refuse(im, n, "conversion between numbers and strings is not supported");
	if (narrow_float && !saturate && to != F4E2M1 && to != F8E8M0)
		return cast_without_saturation(im, n, x, to);
	if (to == F8E8M0 && rounding[0] != 'u')
		refuse(im, n, "round_mode=%s is not supported, only up", rounding);
	if (dtype_is_float(x->type) && dtype_table[to].bits < 8 && dtype_table[to].class == CLASS_UINT) {
		/* through a signed integer: negative numbers wrap in packed types, as in ONNX's reference */
		const expr *whole = expr_cast(im->exprs, I32, operand(im, 0, x));
		return map_as(im, to, expr_cast(im->exprs, dtype_table[to].compute, whole), &x, 1);
	}
	return to == F8E5M2 && x->type != to ? cast_with_saturation(im, x, to) : build_cast(im->graph, to, x);
}

/* Before 6, `to` is the name of a type. */
static dtype cast_type(importer *im, const onnx_node *n)
{
	static const struct {
		const char *name;
		dtype type;
	} types[] = {{"FLOAT", F32}, {"DOUBLE", F64}, {"FLOAT16", F16}, {"INT8", I8},	 {"INT16", I16}, {"INT32", I32},
		     {"INT64", I64}, {"UINT8", U8},   {"UINT16", U16},	{"UINT32", U32}, {"UINT64", U64}, {"BOOL", BOOL}};
	if (n->version >= 6) {
		if (!attr_given(n, "to"))
			refuse(im, n, "attribute to is missing");
		return attr_dtype(im, n, "to", F32);
	}
	slice to = {.data = attr_string(im, n, "to", "")};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		to.len = 0;
		while (to.data[to.len])
			to.len++;
		if (slice_eq(to, types[i].name))
			return types[i].type;
	}
	refuse(im, n, "attribute to is \"%s\", which is not an element type", to.data);
}

/* ONNX Cast-28. */
value *import_cast(importer *im, const onnx_node *n)
{
	expect_inputs(im, n, 1);
	return cast(im, n, input(im, n, 0), cast_type(im, n));
}

/* To the type of input 1.  ONNX CastLike-25. */
value *import_cast_like(importer *im, const onnx_node *n)
{
	return cast(im, n, input(im, n, 0), input(im, n, 1)->type);
}

/* The same bits as another type of the same width.  ONNX BitCast-26. */
value *import_bit_cast(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	dtype to = attr_dtype(im, n, "to", x->type);
	if (x->type == BOOL && dtype_table[to].bits == 8)
		x = build_cast(im->graph, U8, x);
	bool plain = dtype_table[x->type].compute == x->type && dtype_table[to].compute == to && x->type != BOOL && to != BOOL;
	if (!plain || dtype_table[x->type].bits != dtype_table[to].bits)
		refuse(im, n, "from %s to %s is not supported", dtype_name(x->type), dtype_name(to));
	const expr *e = operand(im, 0, x);
	return map_as(im, to, x->type == to ? e : expr_make(im->exprs, EXPR_BITCAST, to, &e, 1), &x, 1);
}

/* ---- two operands ------------------------------------------------------------------------------------------------------------ */
/* The second operand as numpy's broadcasting wants it: before 7, broadcast=1 puts its first dim at `axis` of the first. */
static value *second(importer *im, const onnx_node *n, value *x)
{
	value *y = input(im, n, 1);
	expect_inputs(im, n, 2);
	if (n->version >= 7 || !attr_given(n, "axis")) {
		if (n->version < 7)
			attr_int(im, n, "broadcast", 0);
		attr_ignore(n, "consumed_inputs");
		return y;
	}
	attr_ignore(n, "consumed_inputs");
	int axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank + 1);
	if (!attr_flag(im, n, "broadcast", false) || axis + y->rank >= x->rank)
		return y;
	sym *shape[MAX_RANK];
	for (int i = 0; i < x->rank - axis; i++)
		shape[i] = i < y->rank ? y->dims[i] : size(im, 1);
	return reshape(im, y, shape, x->rank - axis);
}

static value *binary(importer *im, const onnx_node *n, type_set types)
{
	value *x = input(im, n, 0), *y = second(im, n, x);
	expect_type(im, n, x, types);
	expect_same_type(im, n, x, y);
	return build_binary(im->graph, (expr_op)n->op->arg, x, y);
}

value *import_arithmetic(importer *im, const onnx_node *n) { return binary(im, n, TYPES_NUMBER); }
value *import_logical(importer *im, const onnx_node *n) { return binary(im, n, TYPES_BOOL); }
value *import_bitwise(importer *im, const onnx_node *n) { return binary(im, n, TYPES_INT); }
value *import_equal(importer *im, const onnx_node *n) { return binary(im, n, TYPES_ANY); }

/* Floor or, with fmod=1, truncated remainder.  ONNX Mod-28. */
value *import_mod(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *y = input(im, n, 1);
	expect_type(im, n, x, TYPES_NUMBER);
	expect_same_type(im, n, x, y);
	return build_binary(im->graph, attr_flag(im, n, "fmod", false) ? EXPR_REM : EXPR_MOD, x, y);
}

/* Products for the exponents that models square with; the type of the result is that of the base.  ONNX Pow-15. */
value *import_pow(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *y = second(im, n, x);
	expect_type(im, n, x, TYPES_NUMBER);
	expect_type(im, n, y, TYPES_NUMBER);
	const expr *base = operand(im, 0, x), *exponent = operand(im, 1, y);
	const tensor *t = constant_of(y);
	double constant = t && t->n_elements == 1 && y->rank <= x->rank ? tensor_float(t, 0) : 0;
	if (constant == 2 || constant == 3) {
		const expr *square = op2(im, EXPR_MUL, base, base);
		return map_as(im, x->type, constant == 2 ? square : op2(im, EXPR_MUL, square, base), &x, 1);
	}
	dtype type = dtype_is_float(base->type) ? base->type : F64;
	const expr *e = op2(im, EXPR_POW, expr_cast(im->exprs, type, base), expr_cast(im->exprs, type, exponent));
	return map_as(im, x->type, expr_cast(im->exprs, base->type, e), (value *[]){x, y}, 2);
}

/* ONNX BitShift-28: shifting out leaves the sign. */
value *import_bit_shift(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *y = input(im, n, 1);
	expect_type(im, n, x, TYPES_INT);
	expect_same_type(im, n, x, y);
	bool left = attr_word(im, n, "direction", "RIGHT LEFT")[0] == 'L';
	const expr *a = operand(im, 0, x), *by = operand(im, 1, y);
	if (dtype_table[x->type].class == CLASS_SINT) {
		int bits = dtype_table[a->type].bits;
		const expr *out = op2(im, EXPR_OR, op2n(im, EXPR_LT, by, 0), op2n(im, EXPR_GE, by, bits));
		const expr *shifted = op2(im, left ? EXPR_SHL : EXPR_SHR, a, choose_if(im, out, number(im, by, left ? 0 : bits - 1), by));
		const expr *e = left ? choose_if(im, out, number(im, a, 0), shifted) : shifted;
		return map_as(im, x->type, e, (value *[]){x, y}, 2);
	}
	return build_binary(im->graph, left ? EXPR_SHL : EXPR_SHR, x, y);
}

/* slope * x below 0; before 7 a slope of rank 1 belongs to axis 1.  ONNX PRelu-16. */
value *import_prelu(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *slope = input(im, n, 1);
	attr_ignore(n, "consumed_inputs");
	expect_type(im, n, x, TYPES_NUMBER);
	expect_same_type(im, n, x, slope);
	if (n->version < 7 && slope->rank == 1 && !sym_is(slope->dims[0], 1) && x->rank > 1)
		slope = along_axis(im, slope, 1, x->rank);
	if (slope->rank > x->rank)
		refuse(im, n, "the slope has rank %d, the input only %d", slope->rank, x->rank);
	const expr *e = operand(im, 0, x);
	const expr *below = op2(im, EXPR_MUL, e, operand(im, 1, slope));
	return map_as(im, x->type, choose_if(im, op2n(im, EXPR_LT, e, 0), below, e), (value *[]){x, slope}, 2);
}

/* ---- several operands ---------------------------------------------------------------------------------------------------------- */
/* Sum, Max, Min: the row's operation over all inputs. */
value *import_variadic(importer *im, const onnx_node *n)
{
	value *const *in = inputs(im, n);
	attr_ignore(n, "consumed_inputs");
	const expr *e = operand(im, 0, in[0]);
	expect_type(im, n, in[0], TYPES_NUMBER);
	for (int i = 1; i < n->n_in; i++) {
		expect_same_type(im, n, in[0], in[i]);
		e = op2(im, (expr_op)n->op->arg, e, operand(im, i, in[i]));
	}
	return n->n_in == 1 ? in[0] : map_as(im, in[0]->type, e, in, n->n_in);
}

/* The sum of the inputs divided by their number.  ONNX Mean-13. */
value *import_mean(importer *im, const onnx_node *n)
{
	value *const *in = inputs(im, n);
	attr_ignore(n, "consumed_inputs");
	const expr *e = operand(im, 0, in[0]);
	expect_type(im, n, in[0], TYPES_FLOAT);
	for (int i = 1; i < n->n_in; i++) {
		expect_same_type(im, n, in[0], in[i]);
		e = op2(im, EXPR_ADD, e, operand(im, i, in[i]));
	}
	return map_as(im, in[0]->type, op2n(im, EXPR_DIV, e, n->n_in), in, n->n_in);
}

/* ONNX Where-16. */
value *import_where(importer *im, const onnx_node *n)
{
	value *c = input(im, n, 0), *x = input(im, n, 1), *y = input(im, n, 2);
	expect_type(im, n, c, TYPES_BOOL);
	expect_type(im, n, x, TYPES_ANY);
	expect_same_type(im, n, x, y);
	return build_select(im->graph, c, x, y);
}
