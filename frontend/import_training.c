/* One step of an optimiser: new parameters and states from gradients, each a map.  The operators take the learning rate R and the
 * number of updates T, then all parameters, all gradients and all states; their results are all parameters, then all states. */
#include "frontend/onnx_attr.h"

/* ---- one tensor ------------------------------------------------------------------------------------------------------------ */
typedef struct step {
	importer *im;
	value *in[6]; /* R, T, parameter, gradient, states */
	const expr *rate, *count, *x, *g, *state[2];
	int n_states;
} step;

static int tensors_of(importer *im, const onnx_node *n, int n_states)
{
	int each = 2 + n_states, count = (n->n_in - 2) / each;
	inputs(im, n);
	if (count < 1 || (n->n_in - 2) % each != 0)
		refuse(im, n, "has %d inputs, must have R, T and %d for every tensor", n->n_in, each);
	return count;
}

/* Tensor i of `count`; norm_coefficient adds that much of the parameter to the gradient. */
static step step_of(importer *im, const onnx_node *n, int i, int count, int n_states)
{
	step s = {.im = im, .n_states = n_states, .in = {n->in[0], n->in[1]}};
	for (int k = 0; k < 2 + n_states; k++)
		s.in[2 + k] = n->in[2 + k * count + i];
	for (int k = 2; k < 4 + n_states; k++) {
		expect_type(im, n, s.in[k], TYPES_FLOAT);
		expect_same_type(im, n, s.in[2], s.in[k]);
	}
	s.x = operand(im, 2, s.in[2]);
	dtype t = s.x->type;
	s.rate = expr_cast(im->exprs, t, operand(im, 0, s.in[0]));
	s.count = expr_cast(im->exprs, t, operand(im, 1, s.in[1]));
	s.g = op2(im, EXPR_ADD, op2n(im, EXPR_MUL, s.x, attr_float(im, n, "norm_coefficient", 0)), operand(im, 3, s.in[3]));
	for (int k = 0; k < n_states; k++)
		s.state[k] = operand(im, 4 + k, s.in[4 + k]);
	return s;
}

static void set_step(const onnx_node *n, const step *s, int i, int count, int result, const expr *e)
{
	value *v = map_as(s->im, s->in[2]->type, e, (value *const *)s->in, 4 + s->n_states);
	set_result(n, result * count + i, v);
}

static const expr *times(importer *im, const expr *e, double x) { return op2n(im, EXPR_MUL, e, x); }
static const expr *plus(importer *im, const expr *a, const expr *b) { return op2(im, EXPR_ADD, a, b); }

/* ---- the optimisers ----------------------------------------------------------------------------------------------------------- */
/* h' = h + g^2; x' = x - R / (1 + T decay) g / (sqrt(h') + epsilon).  ai.onnx.preview.training Adagrad-1. */
value *import_adagrad(importer *im, const onnx_node *n)
{
	int count = tensors_of(im, n, 1);
	double decay = attr_float(im, n, "decay_factor", 0), epsilon = attr_float(im, n, "epsilon", 0);
	for (int i = 0; i < count; i++) {
		step s = step_of(im, n, i, count, 1);
		const expr *rate = op2(im, EXPR_DIV, s.rate, op2n(im, EXPR_ADD, times(im, s.count, decay), 1));
		const expr *h = plus(im, s.state[0], op2(im, EXPR_MUL, s.g, s.g));
		const expr *root = op2n(im, EXPR_ADD, op1(im, EXPR_SQRT, h), epsilon);
		const expr *change = op2(im, EXPR_DIV, op2(im, EXPR_MUL, rate, s.g), root);
		set_step(n, &s, i, count, 0, op2(im, EXPR_SUB, s.x, change));
		set_step(n, &s, i, count, 1, h);
	}
	return n->out[0];
}

/* v' = a v + (1 - a) g; h' = b h + (1 - b) g^2; x' = (1 - post) (x - R' v' / (sqrt(h') + epsilon)), with R' = R sqrt(1 - b^T) /
 * (1 - a^T) after the first update.  ai.onnx.preview.training Adam-1. */
value *import_adam(importer *im, const onnx_node *n)
{
	int count = tensors_of(im, n, 2);
	double a = attr_float(im, n, "alpha", 0.9f), b = attr_float(im, n, "beta", 0.999f), epsilon = attr_float(im, n, "epsilon", 0);
	double post = attr_float(im, n, "norm_coefficient_post", 0);
	for (int i = 0; i < count; i++) {
		step s = step_of(im, n, i, count, 2);
		const expr *one = number(im, s.x, 1);
		const expr *v = plus(im, times(im, s.state[0], a), times(im, s.g, 1 - a));
		const expr *h = plus(im, times(im, s.state[1], b), times(im, op2(im, EXPR_MUL, s.g, s.g), 1 - b));
		const expr *root = op2n(im, EXPR_ADD, op1(im, EXPR_SQRT, h), epsilon);
		const expr *of_h = op1(im, EXPR_SQRT, op2(im, EXPR_SUB, one, op2(im, EXPR_POW, number(im, s.x, b), s.count)));
		const expr *of_v = op2(im, EXPR_SUB, one, op2(im, EXPR_POW, number(im, s.x, a), s.count));
		const expr *later = op2(im, EXPR_DIV, op2(im, EXPR_MUL, s.rate, of_h), of_v);
		const expr *rate = choose_if(im, op2n(im, EXPR_GT, s.count, 0), later, s.rate);
		const expr *x = op2(im, EXPR_SUB, s.x, op2(im, EXPR_MUL, rate, op2(im, EXPR_DIV, v, root)));
		set_step(n, &s, i, count, 0, times(im, x, 1 - post));
		set_step(n, &s, i, count, 1, v);
		set_step(n, &s, i, count, 2, h);
	}
	return n->out[0];
}

/* v' = a v + b g, b being 1 at the first update; x' = x - R v', or by Nesterov x - R (g + a v').
 * ai.onnx.preview.training Momentum-1. */
value *import_momentum(importer *im, const onnx_node *n)
{
	int count = tensors_of(im, n, 1);
	double a = attr_float(im, n, "alpha", 0), b = attr_float(im, n, "beta", 0);
	bool nesterov = attr_word(im, n, "mode", "standard nesterov")[0] == 'n';
	for (int i = 0; i < count; i++) {
		step s = step_of(im, n, i, count, 1);
		const expr *weight = choose_if(im, op2n(im, EXPR_GT, s.count, 0), number(im, s.x, b), number(im, s.x, 1));
		const expr *v = plus(im, times(im, s.state[0], a), op2(im, EXPR_MUL, weight, s.g));
		const expr *direction = nesterov ? plus(im, s.g, times(im, v, a)) : v;
		set_step(n, &s, i, count, 0, op2(im, EXPR_SUB, s.x, op2(im, EXPR_MUL, s.rate, direction)));
		set_step(n, &s, i, count, 1, v);
	}
	return n->out[0];
}
