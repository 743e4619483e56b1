/* Losses of classifiers: the score of the label at every position, weighted and reduced. */
#include "frontend/onnx_attr.h"

#include <string.h>

typedef struct loss {
	value *labels, *weights; /* of the classes, may be NULL */
	bool has_ignored;
	int64_t ignored;
} loss;

static loss loss_of(importer *im, const onnx_node *n, const value *scores)
{
	loss l = {.labels = input(im, n, 1), .weights = input_or_null(n, 2), .has_ignored = attr_given(n, "ignore_index")};
	l.ignored = attr_int(im, n, "ignore_index", 0);
	expect_rank(im, n, scores, 2, MAX_RANK);
	expect_rank(im, n, l.labels, scores->rank - 1, scores->rank - 1);
	expect_type(im, n, scores, TYPES_FLOAT);
	expect_type(im, n, l.labels, TYPES_INT);
	if (l.weights) {
		expect_rank(im, n, l.weights, 1, 1);
		expect_type(im, n, l.weights, TYPES_FLOAT);
	}
	return l;
}

/* x where the label counts, else 0. */
static const expr *counted(importer *im, const loss *l, const expr *label, const expr *x)
{
	if (!l->has_ignored)
		return x;
	const expr *ignored = expr_int(im->exprs, label->type, l->ignored);
	return choose_if(im, op2(im, EXPR_EQ, label, ignored), number(im, x, 0), x);
}

/* The weight of every position; NULL: 1 everywhere. */
static value *position_weights(importer *im, const loss *l)
{
	if (!l->weights && !l->has_ignored)
		return NULL;
	value *in[] = {l->labels, l->weights ? widen(im, build_gather(im->graph, l->weights, l->labels, 0)) : NULL};
	const expr *weight = l->weights ? operand(im, 1, in[1]) : expr_float(im->exprs, F32, 1);
	return map_as(im, weight->type, counted(im, l, operand(im, 0, in[0]), weight), in, l->weights ? 2 : 1);
}

static value *total(importer *im, value *x)
{
	int axes[MAX_RANK];
	return reduce_axes(im, x, "sum", axes, axes_from(x, 0, axes), false);
}

/* -log_probability[n, label, ...] * weight, then none, the sum, or the mean by weight. */
static value *label_loss(importer *im, const onnx_node *n, value *log_probability, const loss *l, dtype type)
{
	const char *reduction = attr_word(im, n, "reduction", "mean sum none");
	int axis = 1;
	attr along = attr_of_int("axis", axis);
	value *index = build_unsqueeze(im->graph, l->labels, &axis, 1);
	value *picked = build(im->graph, OP_GATHER_ELEMENTS, (value *[]){log_probability, index}, 2, &along, 1);
	value *weights = position_weights(im, l);
	value *in[] = {build_squeeze(im->graph, picked, &axis, 1), l->labels, weights};
	const expr *e = counted(im, l, operand(im, 1, in[1]), op1(im, EXPR_NEG, operand(im, 0, in[0])));
	if (weights)
		e = op2(im, EXPR_MUL, e, expr_cast(im->exprs, e->type, operand(im, 2, weights)));
	value *losses = map_as(im, in[0]->type, e, in, weights ? 3 : 2);
	if (reduction[0] == 'n')
		return narrow(im, losses, type);
	if (reduction[0] == 's')
		return narrow(im, total(im, losses), type);
	if (!weights) {
		int axes[MAX_RANK], count = axes_from(losses, 0, axes);
		return narrow(im, reshape(im, mean_over(im, losses, axes, count), NULL, 0), type);
	}
	value *sums[] = {total(im, losses), total(im, weights)};
	const expr *sum = operand(im, 0, sums[0]);
	return map_as(im, type, op2(im, EXPR_DIV, sum, expr_cast(im->exprs, sum->type, operand(im, 1, sums[1]))), sums, 2);
}

/* ONNX NegativeLogLikelihoodLoss-22. */
value *import_nll_loss(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	loss l = loss_of(im, n, x);
	return label_loss(im, n, widen(im, x), &l, x->type);
}

/* The loss of log(softmax(scores)), which is output 1.  ONNX SoftmaxCrossEntropyLoss-13. */
value *import_softmax_cross_entropy(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *wide = widen(im, x);
	int axis = 1;
	loss l = loss_of(im, n, x);
	value *below = build_binary(im->graph, EXPR_SUB, wide, build_reduce(im->graph, wide, "max", &axis, 1));
	value *sum = build_reduce(im->graph, build_unary(im->graph, EXPR_EXP, below), "sum", &axis, 1);
	value *log_probability = build_binary(im->graph, EXPR_SUB, below, build_unary(im->graph, EXPR_LOG, sum));
	set_result(n, 1, narrow(im, log_probability, x->type));
	return label_loss(im, n, log_probability, &l, x->type);
}
