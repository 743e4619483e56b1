/* RNN, GRU and LSTM as loops.
 *
 * Per direction: the products of the inputs and their weights, for all times at once, with the biases; then a loop over time whose
 * body is one product of the state and its weights (GRU: two, unless linear_before_reset) and the maps of the gates.  Backwards, the
 * loop counts time from the end, so sequences shorter than the longest begin late instead of ending early: in both directions, a time
 * beyond its length keeps a batch's state and gives zeros.
 *
 * DynamicQuantizeLSTM multiplies 8-bit integers: its weights are that, and the inputs of all times, like the state of each time,
 * are rounded to 8 bits in steps that depend on their range. */
#include "frontend/import_quant.h"
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

#include <string.h>

enum { MAX_FUNCTIONS = 3 };

/* ---- activations --------------------------------------------------------------------------------------------------------- */
typedef struct activation activation;
typedef const expr *activation_rule(importer *im, const expr *x, double alpha, double beta);

static const expr *plain_relu(importer *im, const expr *x, double alpha, double beta)
{
	(void)alpha, (void)beta;
	return op2n(im, EXPR_MAX, x, 0);
}

static const expr *plain_tanh(importer *im, const expr *x, double alpha, double beta)
{
	(void)alpha, (void)beta;
	return op1(im, EXPR_TANH, x);
}

static const expr *plain_sigmoid(importer *im, const expr *x, double alpha, double beta)
{
	(void)alpha, (void)beta;
	return op1(im, EXPR_SIGMOID, x);
}

static const expr *affine(importer *im, const expr *x, double alpha, double beta)
{
	return op2n(im, EXPR_ADD, op2n(im, EXPR_MUL, x, alpha), beta);
}

static const expr *leaky_relu(importer *im, const expr *x, double alpha, double beta)
{
	(void)beta;
	return choose_if(im, op2n(im, EXPR_LT, x, 0), op2n(im, EXPR_MUL, x, alpha), x);
}

static const expr *thresholded_relu(importer *im, const expr *x, double alpha, double beta)
{
	(void)beta;
	return choose_if(im, op2n(im, EXPR_GT, x, alpha), x, number(im, x, 0));
}

static const expr *scaled_tanh(importer *im, const expr *x, double alpha, double beta)
{
	return op2n(im, EXPR_MUL, op1(im, EXPR_TANH, op2n(im, EXPR_MUL, x, beta)), alpha);
}

static const expr *hard_sigmoid(importer *im, const expr *x, double alpha, double beta)
{
	return op2n(im, EXPR_MAX, op2n(im, EXPR_MIN, affine(im, x, alpha, beta), 1), 0);
}

static const expr *elu(importer *im, const expr *x, double alpha, double beta)
{
	(void)beta;
	const expr *below = op2n(im, EXPR_MUL, op2n(im, EXPR_SUB, op1(im, EXPR_EXP, x), 1), alpha);
	return choose_if(im, op2n(im, EXPR_LT, x, 0), below, x);
}

static const expr *softsign(importer *im, const expr *x, double alpha, double beta)
{
	(void)alpha, (void)beta;
	return op2(im, EXPR_DIV, x, op2n(im, EXPR_ADD, op1(im, EXPR_ABS, x), 1));
}

static const expr *softplus(importer *im, const expr *x, double alpha, double beta)
{
	(void)alpha, (void)beta;
	const expr *tail = op1(im, EXPR_EXP, op1(im, EXPR_NEG, op1(im, EXPR_ABS, x)));
	return op2(im, EXPR_ADD, op2n(im, EXPR_MAX, x, 0), op1(im, EXPR_LOG, op2n(im, EXPR_ADD, tail, 1)));
}

/* How many parameters each takes, and their defaults. */
static const struct activation_kind {
	const char *name;
	activation_rule *rule;
	int n_params;
	double alpha, beta;
} activation_kinds[] = {
	{"Relu", plain_relu, 0, 0, 0},
	{"Tanh", plain_tanh, 0, 0, 0},
	{"Sigmoid", plain_sigmoid, 0, 0, 0},
	{"Affine", affine, 2, 1, 0},
	{"LeakyRelu", leaky_relu, 1, 0.01f, 0},
	{"ThresholdedRelu", thresholded_relu, 1, 1, 0},
	{"ScaledTanh", scaled_tanh, 2, 1, 1},
	{"HardSigmoid", hard_sigmoid, 2, 0.2f, 0.5f},
	{"Elu", elu, 1, 1, 0},
	{"Softsign", softsign, 0, 0, 0},
	{"Softplus", softplus, 0, 0, 0},
};

struct activation {
	activation_rule *rule;
	double alpha, beta;
};

static const struct activation_kind *kind_named(importer *im, const onnx_node *n, const char *name)
{
	for (size_t i = 0; i < sizeof activation_kinds / sizeof *activation_kinds; i++)
		if (strcmp(activation_kinds[i].name, name) == 0)
			return &activation_kinds[i];
	refuse(im, n, "the activation %s is not supported", name);
}

/* ---- what the three have in common ---------------------------------------------------------------------------------------- */
typedef struct recurrent {
	importer *im;
	const onnx_node *n;
	int n_gates, n_functions, n_states;
	int directions;
	bool backwards, batch_first;
	bool eight_bit; /* weights [directions, from, gates] with scales and zero points, inputs 8 to 11 */
	value *x;       /* [time, batch, input] */
	sym *time, *batch, *hidden;
	value *lengths; /* i64 [batch, 1], or NULL */
	double clip;    /* 0: none */
	activation functions[2][MAX_FUNCTIONS];
} recurrent;

/* One direction. */
typedef struct pass {
	recurrent *r;
	const activation *f;
	bool reverse;
	value *projected;         /* inputs times weights, with biases: [time, batch, gates] */
	value *weights, *biases;  /* of the state: [gates, hidden], or 8-bit [hidden, gates]; [gates] or NULL */
	value *scale, *zero;      /* of 8-bit weights */
	value *peepholes;         /* [3 * hidden] or NULL */
	value *initial[2];        /* [batch, hidden] */
	value *all, *last[2];     /* results: [time, batch, hidden], [batch, hidden] */
} pass;

/* Consumed in the order of the functions that take some. */
static void read_activations(recurrent *r, const char *const *defaults)
{
	importer *im = r->im;
	string_list words = attr_strings(im, r->n, "activations");
	float_list alphas = attr_floats(im, r->n, "activation_alpha"), betas = attr_floats(im, r->n, "activation_beta");
	int n_alpha = 0, n_beta = 0;
	if (words.given && words.n != r->directions * r->n_functions)
		refuse(im, r->n, "activations has %d entries, needs %d", words.n, r->directions * r->n_functions);
	for (int d = 0; d < r->directions; d++) {
		for (int i = 0; i < r->n_functions; i++) {
			const char *name = words.given ? words.v[d * r->n_functions + i] : defaults[i];
			const struct activation_kind *k = kind_named(im, r->n, name);
			activation *f = &r->functions[d][i];
			*f = (activation){k->rule, k->alpha, k->beta};
			if (k->n_params > 0 && n_alpha < alphas.n)
				f->alpha = alphas.v[n_alpha++];
			if (k->n_params > 1 && n_beta < betas.n)
				f->beta = betas.v[n_beta++];
		}
	}
}

/* Swaps batch and time where the batch comes first. */
static value *time_first(recurrent *r, value *v, int rank)
{
	int perm[MAX_RANK];
	for (int i = 0; i < rank; i++)
		perm[i] = i;
	perm[0] = 1;
	perm[1] = 0;
	return r->batch_first ? build_transpose(r->im->graph, v, perm) : v;
}

static void check_weights(recurrent *r, int i, int rank, const char *what)
{
	const value *v = input(r->im, r->n, i);
	int64_t d;
	expect_rank(r->im, r->n, v, rank, rank);
	if (!r->eight_bit || rank < 3)
		expect_same_type(r->im, r->n, r->x, v);
	if (sym_is_const(v->dims[0], &d) && d != r->directions)
		refuse(r->im, r->n, "%s is for %lld directions, not %d", what, (long long)d, r->directions);
}

static void read_common(recurrent *r, importer *im, const onnx_node *n, const char *const *defaults)
{
	*r = (recurrent){.im = im, .n = n, .n_gates = r->n_gates, .n_functions = r->n_functions, .n_states = r->n_states,
			 .eight_bit = r->eight_bit};
	const char *direction = attr_word(im, n, "direction", "forward reverse bidirectional");
	r->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
	r->backwards = strcmp(direction, "reverse") == 0;
	r->batch_first = n->version >= 14 && attr_flag(im, n, "layout", false);
	r->clip = attr_float(im, n, "clip", 0);
	attr_ignore(n, "output_sequence");
	r->x = input(im, n, 0);
	expect_type(im, n, r->x, TYPES_FLOAT);
	expect_rank(im, n, r->x, 3, 3);
	r->x = time_first(r, r->x, 3);
	r->time = r->x->dims[0];
	r->batch = r->x->dims[1];
	check_weights(r, 1, 3, "W");
	check_weights(r, 2, 3, "R");
	r->hidden = r->n->in[2]->dims[r->eight_bit ? 1 : 2];
	int64_t hidden = attr_int(im, n, "hidden_size", -1);
	if (hidden >= 0 && sym_is_const(r->hidden, NULL) && !sym_is(r->hidden, hidden))
		refuse(im, n, "hidden_size is %lld, but R is for %lld", (long long)hidden, (long long)sym_value(r->hidden));
	read_activations(r, defaults);
	value *lengths = input_or_null(n, 4);
	if (!lengths)
		return;
	expect_type(im, n, lengths, TYPES_INT);
	expect_rank(im, n, lengths, 1, 1);
	r->lengths = reshape(im, narrow(im, lengths, I64), (sym *[]){r->batch, size(im, 1)}, 2);
}

/* Direction d of a value that has them along its first axis. */
static value *of_direction(recurrent *r, value *v, int d)
{
	static const int axis = 0;
	return build_squeeze(r->im->graph, cut(r->im, v, 0, size(r->im, d), size(r->im, 1)), &axis, 1);
}

static value *gates_of(const recurrent *r, value *v, int axis, int first, int count)
{
	return cut(r->im, v, axis, sym_muli(r->hidden, first), sym_muli(r->hidden, count));
}

static value *initial_state(recurrent *r, int i, int d)
{
	importer *im = r->im;
	value *v = input_or_null(r->n, i);
	sym *dims[] = {r->batch, r->hidden};
	if (!v)
		return build_expand(im->graph, build_scalar(im->graph, r->x->type, 0), dims, 2);
	expect_rank(im, r->n, v, 3, 3);
	expect_same_type(im, r->n, r->x, v);
	return of_direction(r, time_first(r, v, 3), d);
}

static value *add(importer *im, value *a, value *b) { return build_binary(im->graph, EXPR_ADD, a, b); }

/* Direction d of the scale or zero point at input i: one number, or one per gate. */
static value *step_of(recurrent *r, int i, int d)
{
	value *v = input(r->im, r->n, i);
	int64_t directions;
	expect_rank(r->im, r->n, v, 1, 2);
	if (!sym_is_const(v->dims[0], &directions) || directions != r->directions)
		refuse(r->im, r->n, "input %d must have %d numbers or rows", i, r->directions);
	return of_direction(r, v, d);
}

/* x, rounded to 8 bits, times 8-bit weights. */
static value *eight_bit_product(recurrent *r, value *x, value *weights, value *scale, value *zero)
{
	importer *im = r->im;
	dynamic_u8 q = quantise_dynamically(im, r->n, x);
	value *in[] = {integer_matmul(im, r->n, q.x, weights, q.zero, zero), q.scale, scale};
	const expr *e = expr_cast(im->exprs, F32, operand(im, 0, in[0])), *by = op2(im, EXPR_MUL, operand(im, 1, q.scale), operand(im, 2, scale));
	return map_as(im, F32, op2(im, EXPR_MUL, e, by), in, 3);
}

/* The products with the inputs; the biases of both sides go in where they are added anyhow: all but the last `apart` gates of the
 * state's, which p->biases keeps. */
static void project(pass *p, int d, int apart)
{
	recurrent *r = p->r;
	importer *im = r->im;
	graph *g = im->graph;
	value *w = of_direction(r, r->n->in[1], d), *b = input_or_null(r->n, 3);
	p->weights = of_direction(r, r->n->in[2], d);
	if (r->eight_bit) {
		p->scale = step_of(r, 10, d);
		p->zero = step_of(r, 11, d);
		p->projected = eight_bit_product(r, r->x, w, step_of(r, 8, d), step_of(r, 9, d));
	} else {
		p->projected = build_contract(g, r->x, w, "tbi,gi->tbg");
	}
	if (!b)
		return;
	check_weights(r, 3, 2, "B");
	b = of_direction(r, b, d);
	int n = r->n_gates, joined = n - apart;
	value *of_inputs = gates_of(r, b, 0, 0, n), *of_state = gates_of(r, b, 0, n, joined);
	if (!apart) {
		p->projected = add(im, p->projected, add(im, of_inputs, of_state));
		return;
	}
	p->biases = gates_of(r, b, 0, n + joined, apart);
	value *both = add(im, gates_of(r, b, 0, 0, joined), of_state);
	value *parts[] = {both, gates_of(r, b, 0, joined, apart)};
	p->projected = add(im, p->projected, build_concat(g, parts, 2, 0));
}

/* ---- formulas ------------------------------------------------------------------------------------------------------------ */
/* A map being written: operands are found by value. */
typedef struct cell {
	importer *im;
	const pass *p;
	value *in[16];
	int n;
} cell;

static const expr *read(cell *c, value *v)
{
	int i = 0;
	while (i < c->n && c->in[i] != v)
		i++;
	if (i == c->n)
		c->in[c->n++] = v;
	return operand(c->im, i, v);
}

static value *write_cell(cell *c, const expr *e) { return map_as(c->im, c->p->r->x->type, e, c->in, c->n); }

/* Function i of the direction. */
static const expr *apply_unbounded(const cell *c, int i, const expr *x)
{
	const activation *f = &c->p->f[i];
	return f->rule(c->im, x, f->alpha, f->beta);
}

/* The same of a sum of products, which `clip` bounds. */
static const expr *apply(const cell *c, int i, const expr *x)
{
	double clip = c->p->r->clip;
	if (clip > 0)
		x = op2n(c->im, EXPR_MAX, op2n(c->im, EXPR_MIN, x, clip), -clip);
	return apply_unbounded(c, i, x);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------ */
/* Is this time within a batch's sequence?  As a condition on [batch, 1]. */
static value *is_within(pass *p, loop_builder *l)
{
	importer *im = p->r->im;
	value *lengths = region_capture(im, l->s, p->r->lengths);
	sym *t = p->reverse ? sym_sub(sym_addi(l->trip, -1), l->index) : l->index;
	const expr *e = op2(im, EXPR_LT, expr_index(im->exprs, t), operand(im, 0, lengths));
	return map_as(im, BOOL, e, &lengths, 1);
}

static value *zero_like(importer *im, const value *v) { return build_scalar(im->graph, v->type, 0); }

/* The new states of one step from the old ones. */
typedef void step_rule(pass *p, loop_builder *l, value *x, value *const *old, value **next);

static void run_pass(pass *p, step_rule *step)
{
	recurrent *r = p->r;
	importer *im = r->im;
	loop_builder l;
	value *old[2], *next[2];
	value *initial[] = {p->initial[0], p->initial[1]};
	loop_open(im, r->n, &l, r->time, "body");
	for (int i = 0; i < r->n_states; i++)
		old[i] = loop_carry(im, &l, i ? "c" : "h", initial[i]);
	step(p, &l, loop_element(im, &l, p->projected, 0, p->reverse), old, next);
	value *out = next[0];
	if (r->lengths) {
		value *within = is_within(p, &l);
		out = build_select(im->graph, within, next[0], zero_like(im, next[0]));
		for (int i = 0; i < r->n_states; i++)
			next[i] = build_select(im->graph, within, next[i], old[i]);
	}
	for (int i = 0; i < r->n_states; i++)
		vec_push(im->a, &l.carried, next[i]);
	vec_push(im->a, &l.stacked, out);
	vec_push(im->a, &l.reverse, p->reverse);
	node *made = loop_close(im, r->n, &l);
	for (int i = 0; i < r->n_states; i++)
		p->last[i] = made->out[i];
	p->all = made->out[r->n_states];
}

/* The state times its weights: gates first .. first + count - 1. */
static value *recur(pass *p, loop_builder *l, value *h, int first, int count)
{
	recurrent *r = p->r;
	value *w = region_capture(r->im, l->s, p->weights);
	if (r->eight_bit)
		return eight_bit_product(r, h, w, region_capture(r->im, l->s, p->scale), region_capture(r->im, l->s, p->zero));
	if (count < r->n_gates)
		w = gates_of(r, w, 0, first, count);
	return build_contract(r->im->graph, h, w, "bh,gh->bg");
}

/* ---- results ------------------------------------------------------------------------------------------------------------- */
static value *join_directions(recurrent *r, value *const *of, int axis)
{
	value *parts[2];
	for (int d = 0; d < r->directions; d++)
		parts[d] = build_unsqueeze(r->im->graph, of[d], &axis, 1);
	return r->directions > 1 ? build_concat(r->im->graph, parts, 2, axis) : parts[0];
}

static void set_results(recurrent *r, const pass *p)
{
	static const int batch_time_direction[] = {2, 0, 1, 3};
	graph *g = r->im->graph;
	value *all[] = {p[0].all, p[1].all};
	value *y = join_directions(r, all, 1);
	set_result(r->n, 0, r->batch_first ? build_transpose(g, y, batch_time_direction) : y);
	for (int i = 0; i < r->n_states; i++) {
		value *last[] = {p[0].last[i], p[1].last[i]};
		set_result(r->n, 1 + i, time_first(r, join_directions(r, last, 0), 3));
	}
}

static value *import_recurrent(recurrent *r, step_rule *step, int apart)
{
	pass p[2] = {{0}, {0}};
	for (int d = 0; d < r->directions; d++) {
		p[d] = (pass){.r = r, .f = r->functions[d], .reverse = r->backwards || d == 1};
		project(&p[d], d, apart);
		for (int i = 0; i < r->n_states; i++)
			p[d].initial[i] = initial_state(r, 5 + i, d);
		value *peepholes = r->n_states > 1 ? input_or_null(r->n, 7) : NULL;
		if (peepholes) {
			check_weights(r, 7, 2, "P");
			p[d].peepholes = of_direction(r, peepholes, d);
		}
		run_pass(&p[d], step);
	}
	set_results(r, p);
	return NULL;
}

/* ---- RNN ----------------------------------------------------------------------------------------------------------------- */
/* h' = f(x + h R^T) */
static void rnn_step(pass *p, loop_builder *l, value *x, value *const *old, value **next)
{
	cell c = {.im = p->r->im, .p = p};
	value *product = recur(p, l, old[0], 0, 1);
	next[0] = write_cell(&c, apply(&c, 0, op2(c.im, EXPR_ADD, read(&c, x), read(&c, product))));
}

/* ONNX RNN-22. */
value *import_rnn(importer *im, const onnx_node *n)
{
	static const char *const defaults[] = {"Tanh"};
	recurrent r = {.n_gates = 1, .n_functions = 1, .n_states = 1};
	expect_inputs(im, n, 6);
	read_common(&r, im, n, defaults);
	return import_recurrent(&r, rnn_step, 0);
}

/* ---- GRU: gates z (update), r (reset), h (hidden) ------------------------------------------------------------------------- */
/* h' = (1 - z) * candidate + z * h */
static value *gru_state(cell *c, const expr *candidate, value *z, value *old)
{
	const expr *ze = read(c, z), *one = number(c->im, ze, 1);
	const expr *fresh = op2(c->im, EXPR_MUL, op2(c->im, EXPR_SUB, one, ze), candidate);
	return write_cell(c, op2(c->im, EXPR_ADD, fresh, op2(c->im, EXPR_MUL, ze, read(c, old))));
}

static value *gru_gate(pass *p, value *x, value *product, int gate)
{
	cell c = {.im = p->r->im, .p = p};
	const expr *sum = op2(c.im, EXPR_ADD, read(&c, gates_of(p->r, x, 1, gate, 1)), read(&c, gates_of(p->r, product, 1, gate, 1)));
	return write_cell(&c, apply(&c, 0, sum));
}

/* candidate = g(x_h + r * (h R_h^T + b_h)) */
static void gru_linear_step(pass *p, loop_builder *l, value *x, value *const *old, value **next)
{
	importer *im = p->r->im;
	value *product = recur(p, l, old[0], 0, 3);
	cell c = {.im = im, .p = p};
	const expr *inner = read(&c, gates_of(p->r, product, 1, 2, 1));
	if (p->biases)
		inner = op2(im, EXPR_ADD, inner, read(&c, region_capture(im, l->s, p->biases)));
	inner = op2(im, EXPR_MUL, read(&c, gru_gate(p, x, product, 1)), inner);
	const expr *candidate = apply(&c, 1, op2(im, EXPR_ADD, read(&c, gates_of(p->r, x, 1, 2, 1)), inner));
	next[0] = gru_state(&c, candidate, gru_gate(p, x, product, 0), old[0]);
}

/* candidate = g(x_h + (r * h) R_h^T) */
static void gru_step(pass *p, loop_builder *l, value *x, value *const *old, value **next)
{
	importer *im = p->r->im;
	value *product = recur(p, l, old[0], 0, 2);
	value *reset = build_binary(im->graph, EXPR_MUL, gru_gate(p, x, product, 1), old[0]);
	value *hidden = recur(p, l, reset, 2, 1);
	cell c = {.im = im, .p = p};
	const expr *sum = op2(im, EXPR_ADD, read(&c, gates_of(p->r, x, 1, 2, 1)), read(&c, hidden));
	next[0] = gru_state(&c, apply(&c, 1, sum), gru_gate(p, x, product, 0), old[0]);
}

/* ONNX GRU-22. */
value *import_gru(importer *im, const onnx_node *n)
{
	static const char *const defaults[] = {"Sigmoid", "Tanh"};
	recurrent r = {.n_gates = 3, .n_functions = 2, .n_states = 1};
	expect_inputs(im, n, 6);
	bool linear = attr_flag(im, n, "linear_before_reset", false);
	read_common(&r, im, n, defaults);
	return import_recurrent(&r, linear ? gru_linear_step : gru_step, linear ? 1 : 0);
}

/* ---- LSTM: gates i (input), o (output), f (forget), c (cell) --------------------------------------------------------------- */
/* A gate's argument: its sum, and what it sees of the cell. */
static const expr *lstm_sum(cell *c, loop_builder *l, value *gates, int gate, int peephole, const expr *state)
{
	const pass *p = c->p;
	const expr *sum = read(c, gates_of(p->r, gates, 1, gate, 1));
	if (!p->peepholes || peephole < 0)
		return sum;
	value *weights = gates_of(p->r, region_capture(c->im, l->s, p->peepholes), 0, peephole, 1);
	return op2(c->im, EXPR_ADD, sum, op2(c->im, EXPR_MUL, read(c, weights), state));
}

/* c' = f * c + i * g;  h' = o * h(c') */
static void lstm_step_of(pass *p, loop_builder *l, value *x, value *const *old, value **next, bool coupled)
{
	importer *im = p->r->im;
	value *gates = add(im, x, recur(p, l, old[0], 0, 4));
	cell c = {.im = im, .p = p}, h = {.im = im, .p = p};
	const expr *state = read(&c, old[1]);
	const expr *in = apply(&c, 0, lstm_sum(&c, l, gates, 0, 0, state));
	const expr *forget = coupled ? op2(im, EXPR_SUB, number(im, in, 1), in) : apply(&c, 0, lstm_sum(&c, l, gates, 2, 2, state));
	const expr *fresh = apply(&c, 1, lstm_sum(&c, l, gates, 3, -1, state));
	next[1] = write_cell(&c, op2(im, EXPR_ADD, op2(im, EXPR_MUL, forget, state), op2(im, EXPR_MUL, in, fresh)));
	state = read(&h, next[1]);
	const expr *out = apply(&h, 0, lstm_sum(&h, l, gates, 1, 1, state));
	next[0] = write_cell(&h, op2(im, EXPR_MUL, out, apply_unbounded(&h, 2, state)));
}

static void lstm_step(pass *p, loop_builder *l, value *x, value *const *old, value **next)
{
	lstm_step_of(p, l, x, old, next, false);
}

static void lstm_coupled_step(pass *p, loop_builder *l, value *x, value *const *old, value **next)
{
	lstm_step_of(p, l, x, old, next, true);
}

static value *import_any_lstm(importer *im, const onnx_node *n, bool eight_bit)
{
	static const char *const defaults[] = {"Sigmoid", "Tanh", "Tanh"};
	recurrent r = {.n_gates = 4, .n_functions = 3, .n_states = 2, .eight_bit = eight_bit};
	bool coupled = attr_flag(im, n, "input_forget", false);
	read_common(&r, im, n, defaults);
	return import_recurrent(&r, coupled ? lstm_coupled_step : lstm_step, 0);
}

/* ONNX LSTM-22. */
value *import_lstm(importer *im, const onnx_node *n)
{
	expect_inputs(im, n, 8);
	return import_any_lstm(im, n, false);
}

/* com.microsoft DynamicQuantizeLSTM-1. */
value *import_dynamic_quantize_lstm(importer *im, const onnx_node *n)
{
	expect_inputs(im, n, 12);
	return import_any_lstm(im, n, true);
}
