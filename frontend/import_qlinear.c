/* Operators of com.microsoft on quantised tensors, as onnxruntime's quantiser writes them: what they compute is what the operator of
 * that name computes of (x - zero point) * scale, rounded to steps of the output.  Scales and zero points are one number each,
 * except those of weights, which may be one per column. */
#include "frontend/import_quant.h"

#include "frontend/import_conv.h"
#include "frontend/import_norm.h"
#include "frontend/onnx_attr.h"

/* A map being written over quantised operands. */
typedef struct terms {
	importer *im;
	const onnx_node *n;
	value *in[12];
	int count;
} terms;

static const expr *take(terms *t, value *v)
{
	t->in[t->count] = v;
	return operand(t->im, t->count++, v);
}

static value *single(importer *im, const onnx_node *n, value *v, const char *what)
{
	if (!sym_is(product_of(im, v->dims, v->rank), 1))
		refuse(im, n, "%s must be one number", what);
	return reshape(im, v, NULL, 0);
}

static value *scale_of(importer *im, const onnx_node *n, int i)
{
	value *scale = single(im, n, input(im, n, i), "a scale");
	if (scale->type != F32)
		refuse(im, n, "a scale is %s, must be f32", dtype_name(scale->type));
	return scale;
}

/* Input i; NULL when it is absent or 0. */
static value *zero_of(importer *im, const onnx_node *n, int i)
{
	value *zero = input_or_null(n, i);
	return is_zero(zero) ? NULL : single(im, n, zero, "a zero point");
}

/* x - zero point in f32, for the quantised tensor at inputs i, i + 1, i + 2. */
static const expr *centred(terms *t, int i)
{
	value *x = input(t->im, t->n, i), *zero = zero_of(t->im, t->n, i + 2);
	if (x->type != I8 && x->type != U8)
		refuse(t->im, t->n, "input %d is %s, must be i8 or u8", i, dtype_name(x->type));
	const expr *e = expr_cast(t->im->exprs, F32, take(t, x));
	if (!zero)
		return e;
	expect_same_type(t->im, t->n, x, zero);
	return op2(t->im, EXPR_SUB, e, expr_cast(t->im->exprs, F32, take(t, zero)));
}

static const expr *dequantised(terms *t, int i)
{
	const expr *e = centred(t, i);
	return op2(t->im, EXPR_MUL, e, take(t, scale_of(t->im, t->n, i + 1)));
}

/* The result as the tensor whose scale and zero point are inputs i and i + 1. */
static value *requantised(terms *t, const expr *e, int i, dtype type)
{
	e = op2(t->im, EXPR_DIV, e, take(t, scale_of(t->im, t->n, i)));
	value *zero = zero_of(t->im, t->n, i + 1);
	if (zero && zero->type != type)
		refuse(t->im, t->n, "the zero point of the output is %s, the inputs %s", dtype_name(zero->type), dtype_name(type));
	e = quantised(t->im, e, zero ? take(t, zero) : NULL, type);
	return map_as(t->im, type, e, t->in, t->count);
}

static value *requantised_value(importer *im, const onnx_node *n, value *y, int i, dtype type)
{
	terms t = {.im = im, .n = n};
	const expr *e = take(&t, y);
	return requantised(&t, e, i, type);
}

static value *dequantised_value(importer *im, const onnx_node *n, int i)
{
	terms t = {.im = im, .n = n};
	const expr *e = dequantised(&t, i);
	return map_as(im, F32, e, t.in, t.count);
}

/* ---- elementwise -------------------------------------------------------------------------------------------------------- */
/* QLinearAdd, QLinearMul: A, its scale and zero point, B's, C's. */
value *import_qlinear_binary(importer *im, const onnx_node *n)
{
	terms t = {.im = im, .n = n};
	expect_same_type(im, n, input(im, n, 0), input(im, n, 3));
	const expr *a = dequantised(&t, 0);
	const expr *e = op2(im, (expr_op)n->op->arg, a, dequantised(&t, 3));
	return requantised(&t, e, 6, n->in[0]->type);
}

value *import_qlinear_sigmoid(importer *im, const onnx_node *n)
{
	terms t = {.im = im, .n = n};
	const expr *e = op1(im, EXPR_SIGMOID, dequantised(&t, 0));
	return requantised(&t, e, 3, n->in[0]->type);
}

value *import_qlinear_leaky_relu(importer *im, const onnx_node *n)
{
	terms t = {.im = im, .n = n};
	const expr *x = dequantised(&t, 0), *below = op2n(im, EXPR_MUL, x, attr_float(im, n, "alpha", 0.01f));
	return requantised(&t, choose_if(im, op2n(im, EXPR_LT, x, 0), below, x), 3, n->in[0]->type);
}

/* The condition, X and Y with their scales and zero points, those of the output. */
value *import_qlinear_where(importer *im, const onnx_node *n)
{
	terms t = {.im = im, .n = n};
	expect_type(im, n, input(im, n, 0), TYPES_BOOL);
	expect_same_type(im, n, input(im, n, 1), input(im, n, 4));
	const expr *c = take(&t, n->in[0]), *x = dequantised(&t, 1);
	x = choose_if(im, c, x, dequantised(&t, 4));
	return requantised(&t, x, 7, n->in[1]->type);
}

/* The scale and zero point of the output, then each tensor with its own. */
value *import_qlinear_concat(importer *im, const onnx_node *n)
{
	int count = (n->n_in - 2) / 3;
	if (count < 1 || n->n_in != 2 + 3 * count)
		refuse(im, n, "has %d inputs, must have 2 and 3 for each tensor", n->n_in);
	value **parts = new_array(im->a, value *, (size_t)count);
	for (int k = 0; k < count; k++) {
		terms t = {.im = im, .n = n};
		const expr *e = dequantised(&t, 2 + 3 * k);
		expect_same_type(im, n, n->in[2], n->in[2 + 3 * k]);
		parts[k] = requantised(&t, e, 0, n->in[2]->type);
	}
	return build_concat(im->graph, parts, count, axis_in(im, n, attr_int_required(im, n, "axis"), parts[0]->rank));
}

/* ---- windows and rows --------------------------------------------------------------------------------------------------- */
static void expect_channels_first(importer *im, const onnx_node *n)
{
	if (attr_flag(im, n, "channels_last", false))
		refuse(im, n, "channels_last=1 is not supported, only 0");
}

value *import_qlinear_average_pool(importer *im, const onnx_node *n)
{
	expect_channels_first(im, n);
	return requantised_value(im, n, average_pool(im, n, dequantised_value(im, n, 0)), 3, n->in[0]->type);
}

value *import_qlinear_global_average_pool(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK];
	expect_channels_first(im, n);
	value *x = dequantised_value(im, n, 0);
	expect_rank(im, n, x, 3, MAX_RANK);
	int count = axes_from(x, 2, axes);
	return requantised_value(im, n, mean_over(im, x, axes, count), 3, n->in[0]->type);
}

/* `opset`: the meaning of which Softmax. */
value *import_qlinear_softmax(importer *im, const onnx_node *n)
{
	int axes[MAX_RANK], count = 1;
	value *x = dequantised_value(im, n, 0);
	int64_t opset = attr_int_required(im, n, "opset"), axis = attr_int(im, n, "axis", opset < 13 ? 1 : -1);
	expect_rank(im, n, x, 1, MAX_RANK);
	axes[0] = axis_in(im, n, axis, x->rank);
	if (opset < 13)
		count = axes_from(x, axes[0], axes);
	return requantised_value(im, n, softmax_over(im, x, axes, count), 3, n->in[0]->type);
}

/* ---- products ------------------------------------------------------------------------------------------------------------ */
/* y, in i32, times both scales and alpha. */
static const expr *scaled(terms *t, value *y, value *sa, value *sb, double alpha)
{
	const expr *e = expr_cast(t->im->exprs, F32, take(t, y));
	const expr *scale = take(t, sa);
	scale = op2(t->im, EXPR_MUL, scale, take(t, sb));
	return op2(t->im, EXPR_MUL, e, alpha == 1 ? scale : op2n(t->im, EXPR_MUL, scale, alpha));
}

static value *transposed(importer *im, value *v)
{
	static const int turned[] = {1, 0};
	return build_transpose(im->graph, v, turned);
}

/* alpha * A * B + C with C, in i32, in units of the product.  Without a scale of the output, which is input 7, it is f32. */
value *import_qgemm(importer *im, const onnx_node *n)
{
	terms t = {.im = im, .n = n};
	value *a = input(im, n, 0), *b = input(im, n, 3), *c = input_or_null(n, 6);
	expect_rank(im, n, a, 2, 2);
	expect_rank(im, n, b, 2, 2);
	a = attr_flag(im, n, "transA", false) ? transposed(im, a) : a;
	b = attr_flag(im, n, "transB", false) ? transposed(im, b) : b;
	value *y = integer_matmul(im, n, a, b, zero_of(im, n, 2), input_or_null(n, 5));
	if (c && (c->type != I32 || c->rank > 2))
		refuse(im, n, "C is %s of rank %d, must be i32 of rank 1 or 2", dtype_name(c->type), c->rank);
	if (c)
		y = build_binary(im->graph, EXPR_ADD, y, c);
	value *sb = input(im, n, 4);
	expect_rank(im, n, sb, 0, 1);
	const expr *e = scaled(&t, y, scale_of(im, n, 1), sb, attr_float(im, n, "alpha", 1));
	return input_or_null(n, 7) ? requantised(&t, e, 7, a->type) : map_as(im, F32, e, t.in, t.count);
}

static value *float_product(importer *im, const onnx_node *n, value *y, value *sa, int scale_of_b, int bias)
{
	terms t = {.im = im, .n = n};
	const expr *e = scaled(&t, y, sa, input(im, n, scale_of_b), 1);
	value *added = input_or_null(n, bias);
	if (added)
		e = op2(im, EXPR_ADD, e, take(&t, added));
	return map_as(im, F32, e, t.in, t.count);
}

/* A, B, their scales, their zero points, bias. */
value *import_matmul_integer_to_float(importer *im, const onnx_node *n)
{
	value *y = integer_matmul(im, n, input(im, n, 0), input(im, n, 1), input_or_null(n, 4), input_or_null(n, 5));
	return float_product(im, n, y, scale_of(im, n, 2), 3, 6);
}

/* A in f32, B with its scale and zero point, bias. */
value *import_dynamic_quantize_matmul(importer *im, const onnx_node *n)
{
	dynamic_u8 a = quantise_dynamically(im, n, input(im, n, 0));
	value *y = integer_matmul(im, n, a.x, input(im, n, 1), a.zero, input_or_null(n, 3));
	return float_product(im, n, y, a.scale, 2, 4);
}

/* ---- weights of a few bits ------------------------------------------------------------------------------------------------ */
static const tensor *packed_of(importer *im, const onnx_node *n, int i, int64_t bytes)
{
	const tensor *t = constant_of(input(im, n, i));
	if (!t || t->type != U8 || t->n_elements != (size_t)bytes)
		refuse(im, n, "input %d must be a constant of %lld u8", i, (long long)bytes);
	return t;
}

/* Rows of `used` numbers from rows that are packed in whole bytes, low bits first. */
static value *unpacked(importer *im, const onnx_node *n, int i, dtype type, int64_t rows, int64_t used)
{
	int64_t per_byte = 8 / dtype_table[type].bits, row = (used + per_byte - 1) / per_byte, dims[] = {rows, row * per_byte};
	value *all = build_const(im->graph, tensor_new(im->a, type, 2, dims, packed_of(im, n, i, rows * row)->data), NULL);
	return cut(im, all, 1, size(im, 0), size(im, used));
}

/* Zero points per block: packed, of the type of the scales, or the middle of the range. */
static value *block_zeros(importer *im, const onnx_node *n, dtype type, sym *const *dims, int64_t rows, int64_t blocks)
{
	value *given = input_or_null(n, 3);
	if (!given)
		return build_scalar(im->graph, F32, 1 << (dtype_table[type].bits - 1));
	value *zeros = given->type == U8 ? unpacked(im, n, 3, type, rows, blocks) : given;
	return reshape(im, narrow(im, zeros, F32), dims, 3);
}

/* A times the transpose of B, whose K columns are blocks with a scale each.  Inputs: A, B, scales, zero points, the order of
 * columns, bias. */
value *import_matmul_nbits(importer *im, const onnx_node *n)
{
	value *a = input(im, n, 0), *bias = input_or_null(n, 5);
	int64_t k = attr_int_required(im, n, "K"), rows = attr_int_required(im, n, "N"), bits = attr_int(im, n, "bits", 4);
	int64_t block = attr_int_required(im, n, "block_size");
	attr_ignore(n, "accuracy_level");
	if (input_or_null(n, 4))
		refuse(im, n, "g_idx is not supported");
	if (bits != 2 && bits != 4 && bits != 8)
		refuse(im, n, "bits is %lld, supported are 2, 4 and 8", (long long)bits);
	if (k < 1 || rows < 1 || block < 8 || k > INT32_MAX || rows > INT32_MAX || block > INT32_MAX)
		refuse(im, n, "K is %lld, N %lld, block_size %lld", (long long)k, (long long)rows, (long long)block);
	expect_type(im, n, a, TYPES_FLOAT);
	expect_rank(im, n, a, 1, MAX_RANK);
	dtype type = bits == 2 ? U2 : bits == 4 ? U4 : U8;
	int64_t blocks = (k + block - 1) / block;
	sym *apart[] = {size(im, rows), size(im, blocks), size(im, block)}, *of_block[] = {apart[0], apart[1], size(im, 1)};
	sym *whole[] = {apart[0], size(im, blocks * block)};
	value *b = reshape(im, unpacked(im, n, 1, type, rows, blocks * block), apart, 3);
	value *scales = input(im, n, 2), *in[] = {b, reshape(im, narrow(im, scales, F32), of_block, 3), NULL};
	in[2] = block_zeros(im, n, type, of_block, rows, blocks);
	const expr *e = op2(im, EXPR_SUB, expr_cast(im->exprs, F32, operand(im, 0, b)), operand(im, 2, in[2]));
	value *w = reshape(im, map_as(im, F32, op2(im, EXPR_MUL, e, operand(im, 1, in[1])), in, 3), whole, 2);
	w = cut(im, w, 1, size(im, 0), size(im, k));
	const char *letters = "abcdefg", *batch = letters + 7 - (a->rank - 1);
	value *y = build_contract(im->graph, widen(im, a), w, arena_printf(im->a, "%sk,nk->%sn", batch, batch));
	if (bias)
		y = build_binary(im->graph, EXPR_ADD, y, narrow(im, bias, F32));
	return narrow(im, y, a->type);
}
