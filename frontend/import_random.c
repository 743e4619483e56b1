/* Random numbers, as a function of the place: a counter is mixed to 64 bits, the same on every target and in every run.
 *
 * The counter is the index of the element, the stream the seed of the node, or its position in the model when it has none; numbers
 * of other seeds and nodes are independent.  They are not those of any other implementation: ONNX leaves the generator open. */
#include "frontend/onnx_attr.h"

#include <math.h>
#include <string.h>

/* ---- bits and floats --------------------------------------------------------------------------------------------------------- */
static const expr *u64(importer *im, uint64_t x) { return expr_int(im->exprs, U64, (int64_t)x); }

static const expr *mixed_by(importer *im, const expr *z, int shift, uint64_t factor)
{
	z = op2(im, EXPR_XOR, z, op2(im, EXPR_SHR, z, u64(im, (uint64_t)shift)));
	return factor ? op2(im, EXPR_MUL, z, u64(im, factor)) : z;
}

/* The finaliser of splitmix64. */
static const expr *mixed(importer *im, const expr *z)
{
	z = mixed_by(im, z, 30, UINT64_C(0xbf58476d1ce4e5b9));
	z = mixed_by(im, z, 27, UINT64_C(0x94d049bb133111eb));
	return mixed_by(im, z, 31, 0);
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Dropout's seed is an integer, that of the others a float. */
static uint64_t stream_of(importer *im, const onnx_node *n)
{
	if (!attr_given(n, "seed"))
		return mix((uint64_t)n->at.node + UINT64_C(0x9e3779b97f4a7c15));
	if (strcmp(n->op->name, "Dropout") == 0)
		return mix((uint64_t)attr_int(im, n, "seed", 0) + 1);
	double seed = attr_float(im, n, "seed", 0);
	uint64_t bits;
	memcpy(&bits, &seed, sizeof bits);
	return mix(bits + 1);
}

/* Uniform in [0, 1) at every place of a tensor: a map over its row-major index.  `turn` makes further numbers of one place. */
static const expr *uniform(importer *im, const expr *index, uint64_t stream, int turn)
{
	const expr *counter = op2(im, EXPR_MUL, expr_cast(im->exprs, U64, index), u64(im, UINT64_C(0x9e3779b97f4a7c15)));
	const expr *bits = mixed(im, op2(im, EXPR_ADD, counter, u64(im, stream + (uint64_t)turn * UINT64_C(0xd1342543de82ef95))));
	const expr *top = expr_cast(im->exprs, I64, op2(im, EXPR_SHR, bits, u64(im, 40)));
	return op2n(im, EXPR_MUL, expr_cast(im->exprs, F32, top), 0x1p-24);
}

static value *places(importer *im, sym *const *dims, int rank)
{
	sym *all = product_of(im, dims, rank);
	return reshape(im, build_iota(im->graph, &all, 1, 0), dims, rank);
}

/* By Box and Muller. */
static const expr *normal(importer *im, const expr *index, uint64_t stream)
{
	const expr *u = op2(im, EXPR_SUB, expr_float(im->exprs, F32, 1), uniform(im, index, stream, 0)); /* never 0 */
	const expr *radius = op1(im, EXPR_SQRT, op2n(im, EXPR_MUL, op1(im, EXPR_LOG, u), -2));
	return op2(im, EXPR_MUL, radius, op1(im, EXPR_COS, op2n(im, EXPR_MUL, uniform(im, index, stream, 1), 6.28318530717958647693)));
}

/* ---- tensors of them ------------------------------------------------------------------------------------------------------------ */
enum { UNIFORM, NORMAL };

static value *random_tensor(importer *im, const onnx_node *n, sym *const *dims, int rank, dtype type)
{
	value *at = places(im, dims, rank);
	uint64_t stream = stream_of(im, n);
	const expr *index = operand(im, 0, at), *e;
	if (!dtype_is_float(type))
		refuse(im, n, "dtype is %s, must be floating point", dtype_name(type));
	if (n->op->arg == NORMAL) {
		double mean = attr_float(im, n, "mean", 0), scale = attr_float(im, n, "scale", 1);
		e = op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, normal(im, index, stream), scale), mean);
	} else {
		double low = attr_float(im, n, "low", 0), high = attr_float(im, n, "high", 1);
		e = op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, uniform(im, index, stream, 0), high - low), low);
	}
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, e), &at, 1);
}

/* ONNX RandomUniform-22, RandomNormal-22. */
value *import_random(importer *im, const onnx_node *n)
{
	int_list shape = attr_ints_required(im, n, "shape");
	sym *dims[MAX_RANK];
	if (shape.n > MAX_RANK)
		refuse(im, n, "shape has %d entries, at most %d are supported", shape.n, MAX_RANK);
	for (int i = 0; i < shape.n; i++) {
		if (shape.v[i] < 0)
			refuse(im, n, "shape has an entry of %lld", (long long)shape.v[i]);
		dims[i] = size(im, shape.v[i]);
	}
	return random_tensor(im, n, dims, shape.n, attr_dtype(im, n, "dtype", F32));
}

/* ONNX RandomUniformLike-22, RandomNormalLike-22. */
value *import_random_like(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	return random_tensor(im, n, x->dims, x->rank, attr_dtype(im, n, "dtype", x->type));
}

/* 1 with the probability x, else 0.  ONNX Bernoulli-22. */
value *import_bernoulli(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	dtype type = attr_dtype(im, n, "dtype", x->type);
	value *in[] = {x, places(im, x->dims, x->rank)};
	const expr *p = operand(im, 0, x), *u = uniform(im, operand(im, 1, in[1]), stream_of(im, n), 0);
	const expr *hit = op2(im, EXPR_LT, expr_cast(im->exprs, p->type, u), p);
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, hit), in, 2);
}

/* Classes drawn by unnormalised log probabilities: where they plus Gumbel noise are largest.  ONNX Multinomial-22. */
value *import_multinomial(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int64_t samples = attr_int(im, n, "sample_size", 1);
	dtype type = attr_dtype(im, n, "dtype", I32);
	int axis = 2, before = 1;
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 2, 2);
	if (samples < 1 || (type != I32 && type != I64))
		refuse(im, n, "sample_size is %lld, dtype %s; must be positive, i32 or i64", (long long)samples, dtype_name(type));
	sym *dims[] = {x->dims[0], size(im, samples), x->dims[1]};
	value *in[] = {build_unsqueeze(im->graph, x, &before, 1), places(im, dims, 3)};
	const expr *u = op2(im, EXPR_SUB, expr_float(im->exprs, F32, 1), uniform(im, operand(im, 1, in[1]), stream_of(im, n), 0));
	const expr *noise = op1(im, EXPR_NEG, op1(im, EXPR_LOG, op1(im, EXPR_NEG, op1(im, EXPR_LOG, u))));
	const expr *e = op2(im, EXPR_ADD, expr_cast(im->exprs, F32, operand(im, 0, in[0])), noise);
	return narrow(im, reduce_axes(im, map_as(im, F32, e, in, 2), "argmax", &axis, 1, false), type);
}

/* In training: a share `ratio` of the elements dropped, the others scaled up; else x.  ONNX Dropout-22. */
value *import_dropout(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *training = input_or_null(n, 2), *given = input_or_null(n, 1);
	attr_ignore(n, "ratio");
	attr_ignore(n, "consumed_inputs");
	if (n->version < 7 && attr_int(im, n, "is_test", 0) == 0 && result_wanted(n, 1))
		refuse(im, n, "training (is_test=0) is not supported");
	bool is_training = training && int_of(im, n, training, "training_mode") != 0;
	double ratio = is_training ? given ? float_of(im, n, given, "ratio") : 0.5 : 0;
	uint64_t stream = stream_of(im, n);
	if (ratio == 0) {
		value *kept = build_scalar_int(im->graph, n->version < 10 ? x->type : BOOL, 1);
		set_result(n, 1, build_expand(im->graph, kept, x->dims, x->rank));
		return x;
	}
	value *at = places(im, x->dims, x->rank);
	value *mask = map_as(im, BOOL, op2n(im, EXPR_GE, uniform(im, operand(im, 0, at), stream, 0), ratio), &at, 1);
	const expr *e = operand(im, 0, x), *scaled = op2n(im, EXPR_MUL, e, ratio < 1 ? 1 / (1 - ratio) : 0);
	set_result(n, 1, mask);
	return map_as(im, x->type, choose_if(im, operand(im, 1, mask), scaled, number(im, e, 0)), (value *[]){x, mask}, 2);
}
