/* Operators of ai.onnx.ml that are plain arithmetic on tensors. */
#include "frontend/import_ml.h"

#include "frontend/import_strings.h"

#include <math.h>
#include <string.h>

static value *floats_of(importer *im, float_list list, sym *const *dims, int rank)
{
	int64_t count = list.n;
	value *v = build_const(im->graph, tensor_new(im->a, F32, 1, &count, list.v), NULL);
	return reshape(im, v, dims, rank);
}

/* A list with one entry for all features, or one for each. */
static value *per_feature(importer *im, const onnx_node *n, const char *name, const value *x)
{
	float_list list = attr_floats(im, n, name);
	sym *last = x->dims[x->rank - 1];
	if (!list.given)
		refuse(im, n, "attribute %s is missing", name);
	if (list.n != 1 && sym_is_const(last, NULL) && !sym_is(last, list.n))
		refuse(im, n, "%s has %d entries for %lld features", name, list.n, (long long)sym_value(last));
	return floats_of(im, list, (sym *[]){size(im, list.n)}, 1);
}

static value *numbers(importer *im, const onnx_node *n, int lo, int hi)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	expect_rank(im, n, x, lo, hi);
	return narrow(im, x, F32);
}

/* (x - offset) * scale.  Scaler-1. */
value *import_scaler(importer *im, const onnx_node *n)
{
	value *x = numbers(im, n, 1, MAX_RANK);
	value *offset = per_feature(im, n, "offset", x), *scale = per_feature(im, n, "scale", x);
	return build_binary(im->graph, EXPR_MUL, build_binary(im->graph, EXPR_SUB, x, offset), scale);
}

/* 1 where x is above the threshold, else 0.  Binarizer-1. */
value *import_binarizer(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	const expr *e = operand(im, 0, x), *above = op2n(im, EXPR_GT, e, attr_float(im, n, "threshold", 0));
	return map_as(im, x->type, choose_if(im, above, number(im, e, 1), number(im, e, 0)), &x, 1);
}

/* x / norm(x) along the last axis, where the norm is not 0.  Normalizer-1. */
value *import_normalizer(importer *im, const onnx_node *n)
{
	value *x = numbers(im, n, 1, 2);
	const char *norm = attr_word(im, n, "norm", "MAX L1 L2");
	int axis = x->rank - 1;
	bool l2 = strcmp(norm, "L2") == 0, largest = strcmp(norm, "MAX") == 0;
	const expr *e = operand(im, 0, x), *size_of_x = largest ? e : l2 ? op2(im, EXPR_MUL, e, e) : op1(im, EXPR_ABS, e);
	value *sizes = largest ? x : map_as(im, F32, size_of_x, &x, 1);
	value *total = reduce_axes(im, sizes, largest ? "max" : "sum", &axis, 1, true);
	value *in[] = {x, total};
	const expr *sum = operand(im, 1, total), *divisor = l2 ? op1(im, EXPR_SQRT, sum) : sum;
	const expr *none = op2n(im, EXPR_EQ, sum, 0);
	return map_as(im, F32, choose_if(im, none, e, op2(im, EXPR_DIV, e, divisor)), in, 2);
}

/* ---- linear models ------------------------------------------------------------------------------------------------------- */
/* x times coefficients [rows, features], with intercepts: [batch, rows]. */
static value *linear(importer *im, const onnx_node *n, value *x, int64_t rows)
{
	float_list c = attr_floats(im, n, "coefficients"), b = attr_floats(im, n, "intercepts");
	int64_t features = rows > 0 ? c.n / rows : 0;
	if (rows < 1 || c.n < 1 || c.n % rows != 0 || (b.given && b.n != rows))
		refuse(im, n, "%d coefficients and %d intercepts do not make %lld targets", c.n, b.n, (long long)rows);
	if (sym_is_const(x->dims[1], NULL) && !sym_is(x->dims[1], features))
		refuse(im, n, "%lld coefficients per target for %lld features", (long long)features, (long long)sym_value(x->dims[1]));
	value *w = floats_of(im, c, (sym *[]){size(im, rows), size(im, features)}, 2);
	value *y = build_contract(im->graph, x, w, "nf,rf->nr");
	return b.given ? build_binary(im->graph, EXPR_ADD, y, floats_of(im, b, (sym *[]){size(im, rows)}, 1)) : y;
}

static value *as_batch(importer *im, value *x)
{
	return x->rank == 2 ? x : reshape(im, x, (sym *[]){size(im, 1), x->dims[0]}, 2);
}

static value *batch_of_features(importer *im, const onnx_node *n) { return as_batch(im, numbers(im, n, 1, 2)); }

value *ml_batch(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	return x->type == F64 && x->rank <= 2 && x->rank > 0 ? as_batch(im, x) : batch_of_features(im, n);
}

static value *softmax_of_rows(importer *im, value *x)
{
	static const int axis = 1;
	graph *g = im->graph;
	value *most = build_reduce(g, x, "max", &axis, 1);
	value *e = build_unary(g, EXPR_EXP, build_binary(g, EXPR_SUB, x, most));
	return build_binary(g, EXPR_DIV, e, build_reduce(g, e, "sum", &axis, 1));
}

/* A softmax of the scores that are not 0, or as good as 0; the others become 0. */
static value *softmax_of_others(importer *im, value *x)
{
	static const double nothing = 1e-7f;
	static const int axis = 1;
	value *most = build_reduce(im->graph, x, "max", &axis, 1), *in[] = {x, most};
	const expr *e = operand(im, 0, x), *power = op1(im, EXPR_EXP, op2(im, EXPR_SUB, e, operand(im, 1, most)));
	const expr *zero = op2n(im, EXPR_LE, op1(im, EXPR_ABS, e), nothing);
	value *powers = map_as(im, x->type, choose_if(im, zero, number(im, e, 0), power), in, 2);
	value *sum[] = {powers, build_reduce(im->graph, powers, "sum", &axis, 1)};
	const expr *p = operand(im, 0, powers), *all = operand(im, 1, sum[1]);
	return map_as(im, x->type, choose_if(im, op2n(im, EXPR_EQ, all, 0), number(im, p, 0), op2(im, EXPR_DIV, p, all)), sum, 2);
}

value *ml_transform(importer *im, const onnx_node *n, value *scores, const char *how)
{
	if (strcmp(how, "SOFTMAX") == 0)
		return softmax_of_rows(im, scores);
	if (strcmp(how, "SOFTMAX_ZERO") == 0)
		return softmax_of_others(im, scores);
	if (strcmp(how, "LOGISTIC") == 0)
		return build_unary(im->graph, EXPR_SIGMOID, scores);
	if (strcmp(how, "NONE") != 0)
		refuse(im, n, "post_transform %s is not supported; NONE, SOFTMAX, SOFTMAX_ZERO and LOGISTIC are", how);
	return scores;
}

static value *transform(importer *im, const onnx_node *n, value *scores)
{
	return ml_transform(im, n, scores, attr_word(im, n, "post_transform", "NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT"));
}

/* LinearRegressor-1. */
value *import_linear_regressor(importer *im, const onnx_node *n)
{
	value *x = batch_of_features(im, n);
	return transform(im, n, linear(im, n, x, attr_int(im, n, "targets", 1)));
}

/* One score for two classes: the second one's. */
static value *two_columns(importer *im, value *score)
{
	const expr *e = operand(im, 0, score), *rest = op2(im, EXPR_SUB, number(im, e, 1), e);
	value *parts[] = {map_as(im, F32, rest, &score, 1), score};
	return build_concat(im->graph, parts, 2, 1);
}

/* LinearClassifier-1. */
value *import_linear_classifier(importer *im, const onnx_node *n)
{
	static const int axis = 1;
	value *x = batch_of_features(im, n);
	int classes = class_count(im, n, "classlabels_ints", "classlabels_strings");
	float_list intercepts = attr_floats(im, n, "intercepts");
	attr_ignore(n, "multi_class");
	int64_t rows = intercepts.given ? intercepts.n : classes;
	bool binary = rows == 1 && classes == 2;
	if (!binary && rows != classes)
		refuse(im, n, "%lld scores for %d classes", (long long)rows, classes);
	value *scores = linear(im, n, x, rows), *winner;
	if (binary) {
		const expr *second = op2n(im, EXPR_GT, operand(im, 0, scores), 0);
		winner = map_as(im, I64, expr_cast(im->exprs, I64, second), &scores, 1);
	} else {
		winner = build_reduce(im->graph, scores, "argmax", &axis, 1);
	}
	scores = transform(im, n, scores);
	set_result(n, 1, binary ? two_columns(im, scores) : scores);
	return class_labels(im, n, build_squeeze(im->graph, winner, &axis, 1), "classlabels_ints", "classlabels_strings");
}

/* ---- features ------------------------------------------------------------------------------------------------------------- */
/* Elements along the last axis, by index.  ArrayFeatureExtractor-1. */
value *import_array_feature_extractor(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1);
	expect_type(im, n, indices, TYPES_INT);
	expect_rank(im, n, x, 1, MAX_RANK);
	if (x->rank == 1)
		x = reshape(im, x, (sym *[]){size(im, 1), x->dims[0]}, 2);
	sym *count = product_of(im, indices->dims, indices->rank);
	return build_gather(im->graph, x, reshape(im, indices, &count, 1), x->rank - 1);
}

/* What equals the replaced value (NaN, say) becomes the imputed one.  Imputer-1. */
value *import_imputer(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_rank(im, n, x, 1, MAX_RANK);
	if (x->type != F32)
		refuse(im, n, "is supported for f32 only, not %s", dtype_name(x->type));
	double replaced = attr_float(im, n, "replaced_value_float", 0);
	value *in[] = {x, per_feature(im, n, "imputed_value_floats", x)};
	const expr *e = operand(im, 0, x), *hit = isnan(replaced) ? op1(im, EXPR_ISNAN, e) : op2n(im, EXPR_EQ, e, replaced);
	return map_as(im, F32, choose_if(im, hit, operand(im, 1, in[1]), e), in, 2);
}
