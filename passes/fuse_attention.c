/* Finds attention (attention.h) and makes it one group: nothing between the two contractions is stored. */
#include "passes/attention.h"

#include "passes/fuse.h"

#include <string.h>

enum { MAX_HEAD = 256 /* width of V that a block of results may have on the stack */ };

/* ---- the pattern --------------------------------------------------------------------------------------------------- */
static node *def_of(const value *v, op o)
{
	return v->def && v->def->op == o && v->def->n_out == 1 ? v->def : NULL;
}

static bool is_arg(const expr *e, int i)
{
	return e->op == EXPR_ARG && e->i == i;
}

/* f(%0, %1) */
static bool is_binary_map(const node *n, expr_op wanted)
{
	return n && n->n_in == 2 && node_expr(n)->op == wanted && is_arg(node_expr(n)->in[0], 0) && is_arg(node_expr(n)->in[1], 1);
}

static node *fold_of_last_axis(const value *v, const char *fold)
{
	node *n = def_of(v, OP_REDUCE);
	int count;
	if (!n || strcmp(node_word(n, "op", ""), fold) != 0)
		return NULL;
	const int64_t *axes = node_ints(n, "axes", &count);
	return count == 1 && axes[0] == n->in[0]->rank - 1 && n->out[0]->rank == n->in[0]->rank ? n : NULL;
}

static bool add_inner(attention *a, node *n)
{
	if (!n || a->n_inner == (int)(sizeof a->inner / sizeof *a->inner))
		return false;
	a->inner[a->n_inner++] = n;
	return true;
}

/* exp(x - max(x)), in one map or two; x, or NULL. */
static const value *operand_of_exp(attention *a, node *n)
{
	if (!n || node_expr(n)->op != EXPR_EXP || !add_inner(a, n))
		return NULL;
	const expr *in = node_expr(n)->in[0];
	node *difference = n;
	if (n->n_in == 1 && is_arg(in, 0)) {
		difference = def_of(n->in[0], OP_MAP);
		if (!is_binary_map(difference, EXPR_SUB) || !add_inner(a, difference))
			return NULL;
	} else if (n->n_in != 2 || in->op != EXPR_SUB || !is_arg(in->in[0], 0) || !is_arg(in->in[1], 1)) {
		return NULL;
	}
	node *max = fold_of_last_axis(difference->in[1], "max");
	return max && max->in[0] == difference->in[0] && add_inner(a, max) ? difference->in[0] : NULL;
}

/* select(isnan(x), 0, x), in one map or two; x, or NULL. */
static const value *operand_of_nan_to_zero(attention *a, node *n)
{
	const expr *e = n ? node_expr(n) : NULL;
	if (!e || e->op != EXPR_SELECT || e->in[1]->op != EXPR_CONST || e->in[1]->f != 0 || e->in[2]->op != EXPR_ARG)
		return NULL;
	const value *x = n->in[e->in[2]->i];
	const expr *test = e->in[0];
	if (test->op == EXPR_ARG) {
		node *is_nan = def_of(n->in[test->i], OP_MAP);
		if (!is_nan || is_nan->n_in != 1 || is_nan->in[0] != x || !add_inner(a, is_nan))
			return NULL;
		test = node_expr(is_nan);
		return test->op == EXPR_ISNAN && is_arg(test->in[0], 0) && add_inner(a, n) ? x : NULL;
	}
	return test->op == EXPR_ISNAN && test->in[0] == e->in[2] && add_inner(a, n) ? x : NULL;
}

static const value *operand_of_softmax(attention *a, const value *v)
{
	const value *x = operand_of_nan_to_zero(a, def_of(v, OP_MAP));
	a->nan_is_zero = x != NULL;
	v = x ? x : v;
	node *quotient = def_of(v, OP_MAP);
	if (!is_binary_map(quotient, EXPR_DIV) || !add_inner(a, quotient))
		return NULL;
	node *sum = fold_of_last_axis(quotient->in[1], "sum");
	if (!sum || sum->in[0] != quotient->in[0] || !add_inner(a, sum))
		return NULL;
	return operand_of_exp(a, def_of(quotient->in[0], OP_MAP));
}

/* Follows maps of the same shape back to a contraction. */
static node *scores_behind(attention *a, const value *v, int depth)
{
	node *n = v->def;
	if (!n || n->n_out != 1 || depth > MAX_SCORE_MAPS)
		return NULL;
	if (n->op == OP_CONTRACT)
		return add_inner(a, n) ? n : NULL;
	if (n->op != OP_MAP)
		return NULL;
	for (int i = 0; i < n->n_in; i++) {
		int before = a->n_inner;
		if (!value_dims_equal(n->in[i], v) || !add_inner(a, n))
			continue;
		node *scores = scores_behind(a, n->in[i], depth + 1);
		if (scores)
			return scores;
		a->n_inner = before;
	}
	return NULL;
}

static bool is_tiled(const node *n)
{
	return strcmp(node_word(n, "strategy", ""), "gemm_in_place") == 0 || strcmp(node_word(n, "strategy", ""), "attention") == 0;
}

/* Lanes of the scores run over their last axis, which is what the product sums over, and nothing else. */
static bool letters_fit(const attention *a)
{
	const letters *s = &a->of_scores, *p = &a->of_product;
	const value *scores = a->scores->out[0];
	if (s->column != s->text[2][scores->rank - 1] || scores->rank < 2)
		return false;
	char summed = p->text[p->a][scores->rank - 1];
	for (const char *c = p->text[p->a]; *c; c++)
		if (letter_is_summed(p, *c) != (*c == summed))
			return false;
	char row = p->text[p->a][scores->rank - 2];
	return !letter_in(p, p->b, row) && !letter_in(s, s->b, s->text[2][scores->rank - 2]);
}

bool attention_of(node *product, attention *a)
{
	*a = (attention){.product = product};
	int64_t width;
	if (product->op != OP_CONTRACT || !is_tiled(product) || !contract_letters(product, &a->of_product))
		return false;
	if (!sym_is_const(letter_extent(product, &a->of_product, a->of_product.column), &width) || width > MAX_HEAD)
		return false;
	a->masked = operand_of_softmax(a, product->in[a->of_product.a]);
	a->scores = a->masked ? scores_behind(a, a->masked, 0) : NULL;
	return a->scores && is_tiled(a->scores) && contract_letters(a->scores, &a->of_scores) &&
	       value_dims_equal(a->scores->out[0], product->in[a->of_product.a]) && letters_fit(a);
}

/* ---- the group ----------------------------------------------------------------------------------------------------- */
static bool is_inside(const attention *a, const node *n)
{
	for (int i = 0; i < a->n_inner; i++)
		if (a->inner[i] == n)
			return true;
	return n == a->product;
}

static bool only_used_inside(const graph *g, const use_map *m, const attention *a)
{
	for (int i = 0; i < a->n_inner; i++) {
		const value *v = a->inner[i]->out[0];
		if (!is_alone(a->inner[i]) || a->inner[i]->mark || value_is_output(g, v) || v->alias || has_halo(v))
			return false;
		uses u = uses_of(m, v);
		for (int k = 0; k < u.n; k++)
			if (!is_inside(a, u.v[k].user))
				return false;
	}
	return true;
}

void fuse_attention(graph *g, const use_map *m)
{
	for_each_node(n, g) {
		attention a;
		if (!attention_of(n, &a) || !only_used_inside(g, m, &a))
			continue;
		node_set_attr(n, attr_of_word("strategy", "attention"));
		for (int i = 0; i < a.n_inner; i++) {
			node *inner = a.inner[i];
			inner->mark = n;
			inner->group = n;
			inner->out[0]->place = inner->op == OP_MAP ? PLACE_INLINE : PLACE_LOCAL;
		}
	}
}
