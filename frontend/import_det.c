/* Determinants, by Gaussian elimination with pivots: a loop over the columns that carries the matrices. */
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

static value *rows_of(importer *im, sym *n)
{
	sym *shape[] = {n, size(im, 1)};
	return build_iota(im->graph, shape, 2, 0);
}

/* The row below or at the diagonal with the largest element of column i: [batch, 1, 1]. */
static value *pivot_row(importer *im, value *column, sym *i)
{
	int axis = 1;
	value *in[] = {column, rows_of(im, column->dims[1])};
	const expr *x = op1(im, EXPR_ABS, operand(im, 0, column));
	const expr *done = op2(im, EXPR_LT, operand(im, 1, in[1]), expr_index(im->exprs, i));
	value *candidates = map_as(im, column->type, choose_if(im, done, number(im, x, -1), x), in, 2);
	return reduce_axes(im, candidates, "argmax", &axis, 1, true);
}

/* The matrices with row i and the pivot row swapped. */
static value *swapped(importer *im, value *m, value *pivot, sym *i)
{
	value *in[] = {pivot, rows_of(im, m->dims[1])};
	const expr *p = operand(im, 0, pivot), *row = operand(im, 1, in[1]), *here = expr_index(im->exprs, i);
	const expr *from = choose_if(im, op2(im, EXPR_EQ, row, here), p, choose_if(im, op2(im, EXPR_EQ, row, p), here, row));
	attr axis = attr_of_int("axis", 1);
	value *index = copy_dims(im, map_as(im, I64, from, in, 2), m->dims, 3);
	return build(im->graph, OP_GATHER_ELEMENTS, (value *[]){m, index}, 2, &axis, 1);
}

/* The rows below i without their element in column i. */
static value *eliminated(importer *im, value *m, value *corner, sym *i)
{
	value *in[] = {m, cut(im, m, 2, i, size(im, 1)), cut(im, m, 1, i, size(im, 1)), corner, rows_of(im, m->dims[1])};
	const expr *e = operand(im, 0, m), *left = operand(im, 1, in[1]), *top = operand(im, 2, in[2]), *p = operand(im, 3, corner);
	const expr *factor = op2(im, EXPR_DIV, left, p);
	const expr *below = op2(im, EXPR_GT, operand(im, 4, in[4]), expr_index(im->exprs, i));
	const expr *changes = op2(im, EXPR_AND, below, op2n(im, EXPR_NE, p, 0));
	const expr *changed = op2(im, EXPR_SUB, e, op2(im, EXPR_MUL, factor, top));
	return map_as(im, m->type, choose_if(im, changes, changed, e), in, 5);
}

/* ONNX Det-22. */
value *import_det(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_rank(im, n, x, 2, MAX_RANK);
	sym *order = x->dims[x->rank - 1], *one = size(im, 1);
	if (x->dims[x->rank - 2] != order)
		refuse(im, n, "the last two axes must have one size");
	sym *shape[] = {product_of(im, x->dims, x->rank - 2), order, order}, *single[] = {shape[0], one, one};
	value *matrices = reshape(im, widen(im, x), shape, 3);
	value *ones = build_expand(im->graph, build_scalar(im->graph, matrices->type, 1), single, 3);
	loop_builder l;
	loop_open(im, n, &l, order, "body");
	value *m = loop_carry(im, &l, "matrices", matrices), *product = loop_carry(im, &l, "product", ones);
	value *pivot = pivot_row(im, cut(im, m, 2, l.index, one), l.index);
	value *turned = swapped(im, m, pivot, l.index);
	value *corner = cut(im, cut(im, turned, 1, l.index, one), 2, l.index, one);
	const expr *p = op2(im, EXPR_MUL, operand(im, 0, product), operand(im, 1, corner));
	const expr *same = op2(im, EXPR_EQ, operand(im, 2, pivot), expr_index(im->exprs, l.index));
	value *in[] = {product, corner, pivot};
	vec_push(im->a, &l.carried, eliminated(im, turned, corner, l.index));
	vec_push(im->a, &l.carried, map_as(im, product->type, choose_if(im, same, p, op1(im, EXPR_NEG, p)), in, 3));
	value *y = loop_close(im, n, &l)->out[1];
	return narrow(im, reshape(im, y, x->dims, x->rank - 2), x->type);
}
