/* Support vector machines.  Every support vector gives a kernel value, a number that says how near the input is:
 *
 *   LINEAR x.s    POLY (gamma x.s + c)^degree    RBF exp(-gamma |x - s|^2)    SIGMOID tanh(gamma x.s + c)
 *
 * A regressor is a weighted sum of them.  A classifier has one such sum for every pair of classes, which votes for one of the two.
 * Without support vectors the coefficients are those of linear scores.
 *
 * Probabilities of classes come from those of pairs by the second method of Wu, Lin and Weng, "Probability Estimates for
 * Multi-class Classification by Pairwise Coupling" (2004), an iteration that ends for each row when it is near enough: its rule is
 * part of the result. */
#include "frontend/import_ml.h"
#include "frontend/import_strings.h"
#include "frontend/region.h"

#include <string.h>

enum { MAX_CLASSES = 64, MAX_ROUNDS = 100 };

typedef struct svm {
	importer *im;
	const onnx_node *n;
	value *x;              /* f32 [batch, features] */
	const char *kernel;
	double gamma, offset, degree;
	float_list vectors, coefficients, rho;
} svm;

static value *constant_rows(importer *im, const float *v, int64_t rows, int64_t columns)
{
	int64_t dims[] = {rows, columns};
	return build_const(im->graph, tensor_new(im->a, F32, 2, dims, v), NULL);
}

static svm read_svm(importer *im, const onnx_node *n)
{
	svm s = {.im = im, .n = n, .x = narrow(im, ml_batch(im, n), F32)};
	float_list params = attr_floats(im, n, "kernel_params");
	s.kernel = attr_word(im, n, "kernel_type", "LINEAR POLY RBF SIGMOID");
	s.vectors = attr_floats(im, n, "support_vectors");
	s.coefficients = attr_floats(im, n, "coefficients");
	s.rho = attr_floats(im, n, "rho");
	if (s.coefficients.n < 1 || s.rho.n < 1)
		refuse(im, n, "coefficients and rho must not be empty");
	if (params.n != 0 && params.n != 3)
		refuse(im, n, "kernel_params has %d entries, must have 3", params.n);
	if (params.n) {
		s.gamma = params.v[0];
		s.offset = params.v[1];
		s.degree = params.v[2];
	}
	return s;
}

static void expect_features(const svm *s, int64_t rows, int count)
{
	int64_t features = rows > 0 ? count / rows : 0, given;
	if (rows < 1 || count < 1 || count % rows != 0)
		refuse(s->im, s->n, "%d numbers do not make %lld rows", count, (long long)rows);
	if (sym_is_const(s->x->dims[1], &given) && given != features)
		refuse(s->im, s->n, "is for %lld features, the input has %lld", (long long)features, (long long)given);
}

/* x.row for each of the rows. */
static value *products(const svm *s, const float *v, int count, int64_t rows)
{
	expect_features(s, rows, count);
	return build_contract(s->im->graph, s->x, constant_rows(s->im, v, rows, count / rows), "nf,vf->nv");
}

/* |x - row|^2 for each of the vectors. */
static value *distances(const svm *s, int64_t rows)
{
	importer *im = s->im;
	int middle = 1, last = 2;
	expect_features(s, rows, s->vectors.n);
	value *vectors = constant_rows(im, s->vectors.v, rows, s->vectors.n / rows);
	value *in[] = {build_unsqueeze(im->graph, s->x, &middle, 1), vectors};
	const expr *difference = op2(im, EXPR_SUB, operand(im, 0, in[0]), operand(im, 1, in[1]));
	return reduce_axes(im, map_as(im, F32, op2(im, EXPR_MUL, difference, difference), in, 2), "sum", &last, 1, false);
}

static const expr *power_of(importer *im, const expr *e, double degree)
{
	if (degree == 2)
		return op2(im, EXPR_MUL, e, e);
	if (degree == 3)
		return op2(im, EXPR_MUL, op2(im, EXPR_MUL, e, e), e);
	return op2n(im, EXPR_POW, e, degree);
}

/* [batch, vectors] */
static value *kernel_values(const svm *s, int64_t rows)
{
	importer *im = s->im;
	bool near = strcmp(s->kernel, "RBF") == 0;
	value *v = near ? distances(s, rows) : products(s, s->vectors.v, s->vectors.n, rows);
	if (s->kernel[0] == 'L')
		return v;
	const expr *e = op2n(im, EXPR_MUL, operand(im, 0, v), near ? -s->gamma : s->gamma);
	if (near)
		return map_as(im, F32, op1(im, EXPR_EXP, e), &v, 1);
	e = op2n(im, EXPR_ADD, e, s->offset);
	return map_as(im, F32, s->kernel[0] == 'P' ? power_of(im, e, s->degree) : op1(im, EXPR_TANH, e), &v, 1);
}

static value *plus(importer *im, value *v, double number)
{
	return map_as(im, F32, op2n(im, EXPR_ADD, operand(im, 0, v), number), &v, 1);
}

/* ai.onnx.ml SVMRegressor-1. */
value *import_svm_regressor(importer *im, const onnx_node *n)
{
	svm s = read_svm(im, n);
	int64_t rows = attr_int_required(im, n, "n_supports");
	bool one_class = attr_flag(im, n, "one_class", false);
	const char *how = attr_word(im, n, "post_transform", "NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT");
	if (strcmp(how, "NONE") != 0)
		refuse(im, n, "post_transform %s is not supported, only NONE", how);
	value *v;
	if (rows > 0) {
		if (s.coefficients.n != rows)
			refuse(im, n, "%d coefficients for %lld support vectors", s.coefficients.n, (long long)rows);
		value *weights = constant_rows(im, s.coefficients.v, 1, rows);
		v = build_contract(im->graph, kernel_values(&s, rows), weights, "nv,tv->nt");
	} else {
		v = products(&s, s.coefficients.v, s.coefficients.n, 1);
	}
	v = plus(im, v, s.rho.v[0]);
	if (!one_class)
		return v;
	const expr *e = operand(im, 0, v), *inside = op2n(im, EXPR_GT, e, 0);
	return map_as(im, F32, choose_if(im, inside, number(im, e, 1), number(im, e, -1)), &v, 1);
}

/* ---- classes ------------------------------------------------------------------------------------------------------------ */
/* Pairs (i, j), i < j, in the order of i and then j. */
static int64_t pairs_of(int64_t classes) { return classes * (classes - 1) / 2; }

/* The sums of all pairs: class i's vectors count with row j - 1 of the coefficients, class j's with row i. */
static value *pair_scores(const svm *s, int_list per_class, int64_t vectors)
{
	importer *im = s->im;
	int classes = per_class.n;
	int64_t pairs = pairs_of(classes), *start = new_array(im->a, int64_t, (size_t)classes + 1), dims[] = {pairs};
	if (s->coefficients.n < (classes - 1) * vectors || s->rho.n < pairs)
		refuse(im, s->n, "%d coefficients and %d entries of rho are too few", s->coefficients.n, s->rho.n);
	for (int i = 0; i < classes; i++)
		start[i + 1] = start[i] + per_class.v[i];
	float *weights = new_array(im->a, float, (size_t)(pairs * vectors));
	int64_t p = 0;
	for (int i = 0; i < classes; i++) {
		for (int j = i + 1; j < classes; j++, p++) {
			for (int64_t v = start[i]; v < start[i + 1]; v++)
				weights[p * vectors + v] = s->coefficients.v[(j - 1) * vectors + v];
			for (int64_t v = start[j]; v < start[j + 1]; v++)
				weights[p * vectors + v] = s->coefficients.v[i * vectors + v];
		}
	}
	value *sums = build_contract(im->graph, kernel_values(s, vectors), constant_rows(im, weights, pairs, vectors), "nv,pv->np");
	return build_binary(im->graph, EXPR_ADD, sums, build_const(im->graph, tensor_new(im->a, F32, 1, dims, s->rho.v), NULL));
}

/* The first class with the most votes. */
static value *voted(importer *im, value *scores, int64_t classes)
{
	int64_t pairs = pairs_of(classes), p = 0;
	int axis = 1;
	float *first = new_array(im->a, float, (size_t)(pairs * classes)); /* what a pair adds when it is for its first class, */
	float *second = new_array(im->a, float, (size_t)classes);          /* besides a vote for its second */
	for (int64_t i = 0; i < classes; i++) {
		for (int64_t j = i + 1; j < classes; j++, p++) {
			first[p * classes + i] = 1;
			first[p * classes + j] = -1;
			second[j]++;
		}
	}
	const expr *is_first = op2n(im, EXPR_GT, operand(im, 0, scores), 0);
	value *hits = map_as(im, F32, expr_cast(im->exprs, F32, is_first), &scores, 1);
	value *votes = build_contract(im->graph, hits, constant_rows(im, first, pairs, classes), "np,pc->nc");
	votes = build_binary(im->graph, EXPR_ADD, votes, constant_rows(im, second, 1, classes));
	return reduce_axes(im, votes, "argmax", &axis, 1, false);
}

/* ---- probabilities ------------------------------------------------------------------------------------------------------- */
/* Of the first class of each pair, and of the second: [batch, classes, classes], 0 on the diagonal. */
static value *pair_probabilities(importer *im, value *scores, float_list a, float_list b, int64_t classes)
{
	int64_t pairs = pairs_of(classes), *from = new_array(im->a, int64_t, (size_t)(classes * classes)), p = 0;
	value *in[] = {scores, constant_rows(im, a.v, 1, pairs), constant_rows(im, b.v, 1, pairs)};
	const expr *e = op2(im, EXPR_ADD, op2(im, EXPR_MUL, operand(im, 0, in[0]), operand(im, 1, in[1])), operand(im, 2, in[2]));
	e = op1(im, EXPR_SIGMOID, op1(im, EXPR_NEG, e));
	e = op2n(im, EXPR_MIN, op2n(im, EXPR_MAX, e, 1e-7f), 1 - 1e-7f);
	value *first = map_as(im, F32, e, in, 3);
	const expr *rest = op2(im, EXPR_SUB, number(im, e, 1), operand(im, 0, first));
	sym *column[] = {scores->dims[0], size(im, 1)}, *square[] = {scores->dims[0], size(im, classes), size(im, classes)};
	value *zero = build_expand(im->graph, build_scalar(im->graph, F32, 0), column, 2);
	value *parts[] = {first, map_as(im, F32, rest, &first, 1), zero};
	for (int64_t i = 0; i < classes; i++)
		from[i * classes + i] = 2 * pairs;
	for (int64_t i = 0; i < classes; i++) {
		for (int64_t j = i + 1; j < classes; j++, p++) {
			from[i * classes + j] = p;
			from[j * classes + i] = pairs + p;
		}
	}
	value *all = build_concat(im->graph, parts, 3, 1);
	value *index = build_const(im->graph, tensor_vector_i64(im->a, from, (int)(classes * classes)), NULL);
	return reshape(im, build_gather(im->graph, all, index, 1), square, 3);
}

/* Q of the paper: -r_ij r_ji, on the diagonal the sum of r_ji^2 over j. */
static value *coupling(importer *im, value *r)
{
	static const int turned[] = {0, 2, 1}, column = 1;
	sym *one = size(im, 1), *rows[] = {one, r->dims[1], one}, *columns[] = {one, one, r->dims[1]};
	value *squares = build_binary(im->graph, EXPR_MUL, r, r);
	value *sums = reduce_axes(im, squares, "sum", &column, 1, true);
	value *in[] = {r, build_transpose(im->graph, r, turned), sums, build_iota(im->graph, rows, 3, 1),
		       build_iota(im->graph, columns, 3, 2)};
	const expr *diagonal = op2(im, EXPR_EQ, operand(im, 3, in[3]), operand(im, 4, in[4]));
	const expr *product = op1(im, EXPR_NEG, op2(im, EXPR_MUL, operand(im, 0, in[0]), operand(im, 1, in[1])));
	return map_as(im, F32, choose_if(im, diagonal, operand(im, 2, in[2]), product), in, 5);
}

static value *column_of(importer *im, value *v, int64_t i) { return cut(im, v, 1, size(im, i), size(im, 1)); }

/* (v + add * d) / (1 + d) */
static value *stepped(importer *im, value *v, value *add, value *d)
{
	value *in[] = {v, add, d};
	const expr *by = operand(im, 2, d), *top = op2(im, EXPR_ADD, operand(im, 0, v), op2(im, EXPR_MUL, by, operand(im, 1, add)));
	return map_as(im, F32, op2(im, EXPR_DIV, top, op2n(im, EXPR_ADD, by, 1)), in, 3);
}

/* One round: a step for each class in turn. */
static value *round_of(importer *im, value *q, value *p, value *qp, value *pqp, int64_t classes)
{
	static const int axis = 1;
	for (int64_t i = 0; i < classes; i++) {
		float *unit = new_array(im->a, float, (size_t)classes);
		unit[i] = 1;
		value *row = build_squeeze(im->graph, column_of(im, q, i), &axis, 1);
		value *in[] = {pqp, column_of(im, qp, i), column_of(im, row, i)};
		const expr *all = operand(im, 0, in[0]), *own = operand(im, 1, in[1]), *corner = operand(im, 2, in[2]);
		value *d = map_as(im, F32, op2(im, EXPR_DIV, op2(im, EXPR_SUB, all, own), corner), in, 3);
		value *with[] = {pqp, in[1], in[2], d};
		const expr *by = operand(im, 3, d), *more = op2n(im, EXPR_ADD, by, 1);
		const expr *change = op2(im, EXPR_ADD, op2(im, EXPR_MUL, by, corner), op2n(im, EXPR_MUL, own, 2));
		const expr *next = op2(im, EXPR_ADD, all, op2(im, EXPR_MUL, by, change));
		pqp = map_as(im, F32, op2(im, EXPR_DIV, op2(im, EXPR_DIV, next, more), more), with, 4);
		qp = stepped(im, qp, row, d);
		p = stepped(im, p, constant_rows(im, unit, 1, classes), d);
	}
	return p;
}

/* Rows whose probabilities are still too far from their fixed point: bool [batch, 1]. */
static value *unfinished(importer *im, value *qp, value *pqp, int64_t classes)
{
	static const int axis = 1;
	value *in[] = {qp, pqp};
	const expr *error = op1(im, EXPR_ABS, op2(im, EXPR_SUB, operand(im, 0, qp), operand(im, 1, pqp)));
	value *most = reduce_axes(im, map_as(im, F32, error, in, 2), "max", &axis, 1, true);
	return map_as(im, BOOL, op2n(im, EXPR_GE, operand(im, 0, most), 0.005f / (float)classes), &most, 1);
}

static value *class_probabilities(importer *im, const onnx_node *n, value *r, int64_t classes)
{
	static const int axis = 1, both[] = {0, 1};
	sym *shape[] = {r->dims[0], r->dims[1]};
	value *q = coupling(im, r);
	value *equal = build_expand(im->graph, build_scalar(im->graph, F32, 1.0f / (float)classes), shape, 2);
	value *begin = build_scalar_int(im->graph, BOOL, 1);
	loop_builder l;
	loop_open(im, n, &l, size(im, MAX_ROUNDS), "body");
	l.begin = begin;
	value *p = loop_carry(im, &l, "p", equal), *inner = region_capture(im, l.s, q);
	value *qp = build_contract(im->graph, inner, p, "nij,nj->ni");
	value *pqp = reduce_axes(im, build_binary(im->graph, EXPR_MUL, p, qp), "sum", &axis, 1, true);
	value *active = unfinished(im, qp, pqp, classes);
	vec_push(im->a, &l.carried, build_select(im->graph, active, round_of(im, inner, p, qp, pqp, classes), p));
	l.go_on = reshape(im, reduce_axes(im, active, "or", both, 2, false), NULL, 0);
	return loop_close(im, n, &l)->out[0];
}

/* Without support vectors: linear scores, whose intercept is the same for all classes.  Of two classes the second wins when a score
 * is above a bound. */
static value *linear_winner(importer *im, const svm *s, value *scores, int64_t classes)
{
	static const int axis = 1;
	value *winner = reduce_axes(im, scores, "argmax", &axis, 1, false);
	if (classes != 2)
		return winner;
	bool positive = true;
	for (int i = 0; i < s->coefficients.n; i++)
		positive = positive && s->coefficients.v[i] >= 0;
	value *in[] = {winner, reduce_axes(im, scores, "max", &axis, 1, false)};
	const expr *most = operand(im, 1, in[1]);
	const expr *second = positive ? op2n(im, EXPR_GE, most, 0.5) : op2n(im, EXPR_GT, most, 0);
	const expr *first = operand(im, 0, winner);
	return map_as(im, I64, choose_if(im, second, number(im, first, 1), first), in, 2);
}

/* The score of a pair is for its first class.  Two classes without probabilities have -s and s, LOGISTIC of each, or with another
 * transform 1 - s and s. */
static value *pair_columns(importer *im, const onnx_node *n, value *scores, int64_t classes, const char *how)
{
	if (classes > 2)
		return ml_transform(im, n, scores, how);
	bool logistic = strcmp(how, "LOGISTIC") == 0, opposite = logistic || strcmp(how, "NONE") == 0;
	const expr *s = operand(im, 0, scores);
	const expr *other = opposite ? op1(im, EXPR_NEG, s) : op2(im, EXPR_SUB, number(im, s, 1), s);
	value *parts[] = {map_as(im, F32, other, &scores, 1), scores}, *both = build_concat(im->graph, parts, 2, 1);
	return logistic ? ml_transform(im, n, both, how) : both;
}

static value *labels(importer *im, const onnx_node *n, value *winners)
{
	return class_labels(im, n, winners, "classlabels_ints", "classlabels_strings");
}

/* ai.onnx.ml SVMClassifier-1. */
value *import_svm_classifier(importer *im, const onnx_node *n)
{
	svm s = read_svm(im, n);
	float_list a = attr_floats(im, n, "prob_a"), b = attr_floats(im, n, "prob_b");
	int_list per_class = attr_ints(im, n, "vectors_per_class");
	const char *how = attr_word(im, n, "post_transform", "NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT");
	int classes = class_count(im, n, "classlabels_ints", "classlabels_strings");
	int64_t vectors = 0;
	for (int i = 0; i < per_class.n; i++) {
		if (per_class.v[i] < 0 || per_class.v[i] > s.vectors.n)
			refuse(im, n, "vectors_per_class has an entry of %lld", (long long)per_class.v[i]);
		vectors += per_class.v[i];
	}
	if (vectors == 0) {
		value *scores = plus(im, products(&s, s.coefficients.v, s.coefficients.n, classes), s.rho.v[0]);
		set_result(n, 1, classes > 1 ? ml_transform(im, n, scores, how) : scores);
		return labels(im, n, linear_winner(im, &s, scores, classes));
	}
	if (per_class.n != classes || classes < 2 || classes > MAX_CLASSES)
		refuse(im, n, "vectors of %d classes and %d labels are not supported, only of 2 to %d", per_class.n, classes, MAX_CLASSES);
	value *scores = pair_scores(&s, per_class, vectors);
	if (a.given || b.given) {
		if (a.n != b.n || a.n < pairs_of(classes))
			refuse(im, n, "prob_a has %d entries and prob_b %d, need %lld", a.n, b.n, (long long)pairs_of(classes));
		value *p = class_probabilities(im, n, pair_probabilities(im, scores, a, b, classes), classes);
		set_result(n, 1, ml_transform(im, n, p, how));
	} else {
		set_result(n, 1, pair_columns(im, n, scores, classes, how));
	}
	return labels(im, n, voted(im, scores, classes));
}
