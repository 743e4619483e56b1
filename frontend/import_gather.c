/* Operators that pick, place or order elements by index. */
#include "frontend/onnx_attr.h"

#include <string.h>

/* ---- picking ------------------------------------------------------------------------------------------------------------ */
/* ONNX Gather-13. */
value *import_gather(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1);
	expect_type(im, n, indices, TYPES_INT);
	if (x->rank - 1 + indices->rank > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", x->rank - 1 + indices->rank, MAX_RANK);
	return build_gather(im->graph, x, indices, axis_in(im, n, attr_int(im, n, "axis", 0), x->rank));
}

/* ONNX GatherElements-13. */
value *import_gather_elements(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1);
	expect_type(im, n, indices, TYPES_INT);
	attr axis = attr_of_int("axis", axis_in(im, n, attr_int(im, n, "axis", 0), x->rank));
	return build(im->graph, OP_GATHER_ELEMENTS, (value *[]){x, indices}, 2, &axis, 1);
}

/* ONNX GatherND-13. */
value *import_gather_nd(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1);
	expect_type(im, n, indices, TYPES_INT);
	attr batch = attr_of_int("batch_dims", attr_int(im, n, "batch_dims", 0));
	return build(im->graph, OP_GATHER_ND, (value *[]){x, indices}, 2, &batch, 1);
}

/* ---- placing ------------------------------------------------------------------------------------------------------------ */
static attr reduction_attr(importer *im, const onnx_node *n)
{
	return attr_of_word("reduction", attr_word(im, n, "reduction", "none add mul max min"));
}

/* ONNX ScatterElements-18, and Scatter before it had that name. */
value *import_scatter_elements(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1), *updates = input(im, n, 2);
	expect_type(im, n, indices, TYPES_INT);
	expect_same_type(im, n, x, updates);
	attr attrs[] = {attr_of_int("axis", axis_in(im, n, attr_int(im, n, "axis", 0), x->rank)), reduction_attr(im, n)};
	return build(im->graph, OP_SCATTER_ELEMENTS, (value *[]){x, indices, updates}, 3, attrs, 2);
}

/* ONNX ScatterND-18. */
value *import_scatter_nd(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *indices = input(im, n, 1), *updates = input(im, n, 2);
	expect_type(im, n, indices, TYPES_INT);
	expect_same_type(im, n, x, updates);
	attr reduction = reduction_attr(im, n);
	return build(im->graph, OP_SCATTER_ND, (value *[]){x, indices, updates}, 3, &reduction, 1);
}

/* ---- by comparing indices -------------------------------------------------------------------------------------------------- */
/* The index along `axis`, to be broadcast in a map of that rank. */
static value *index_along(importer *im, sym *extent, int axis, int rank)
{
	sym *shape[MAX_RANK];
	for (int i = 0; i < rank; i++)
		shape[i] = i == axis ? extent : size(im, 1);
	return build_iota(im->graph, shape, rank, axis);
}

/* Element i of a tensor of rank 1. */
static value *element(importer *im, value *v, int i)
{
	sym *start = size(im, i), *one = size(im, 1);
	return reshape(im, build_slice(im->graph, v, &start, (int64_t[]){1}, &one), NULL, 0);
}

/* The depth may be a constant of any numeric type. */
static sym *depth_of(importer *im, const onnx_node *n, const value *v)
{
	if (!dtype_is_float(v->type))
		return element_of(im, n, v, "depth");
	double depth = float_of(im, n, v, "depth");
	if (!(depth >= 0 && depth <= INT32_MAX))
		refuse(im, n, "depth is %g", depth);
	return size(im, (int64_t)depth);
}

/* values[1] where the index along the new axis equals the input, else values[0].  ONNX OneHot-28. */
value *import_one_hot(importer *im, const onnx_node *n)
{
	value *indices = input(im, n, 0), *values = input(im, n, 2);
	sym *depth = depth_of(im, n, input(im, n, 1));
	expect_type(im, n, indices, TYPES_NUMBER);
	expect_type(im, n, values, TYPES_ANY);
	expect_rank(im, n, values, 1, 1);
	int rank = indices->rank + 1;
	if (rank > MAX_RANK)
		refuse(im, n, "the result would have rank %d, at most %d is supported", rank, MAX_RANK);
	int axis = axis_in(im, n, attr_int(im, n, "axis", -1), rank);
	value *in[] = {build_unsqueeze(im->graph, indices, &axis, 1), index_along(im, depth, axis, rank),
		       element(im, values, 0), element(im, values, 1)};
	const expr *i = expr_cast(im->exprs, I64, operand(im, 0, in[0]));
	const expr *from_end = op2(im, EXPR_ADD, i, expr_index(im->exprs, depth));
	const expr *wanted = choose_if(im, op2n(im, EXPR_LT, i, 0), from_end, i);
	const expr *hit = op2(im, EXPR_EQ, wanted, operand(im, 1, in[1]));
	return map_as(im, values->type, choose_if(im, hit, operand(im, 3, in[3]), operand(im, 2, in[2])), in, 4);
}

/* The upper or lower triangle of the last two axes; zero elsewhere.  ONNX Trilu-14. */
value *import_trilu(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *diagonal = input_or_null(n, 1);
	expect_type(im, n, x, TYPES_ANY);
	expect_rank(im, n, x, 2, MAX_RANK);
	bool upper = attr_flag(im, n, "upper", true);
	sym *k = diagonal ? element_of(im, n, diagonal, "k") : size(im, 0);
	value *in[] = {x, index_along(im, x->dims[x->rank - 2], 0, 2), index_along(im, x->dims[x->rank - 1], 1, 2)};
	const expr *right = op2(im, EXPR_SUB, operand(im, 2, in[2]), operand(im, 1, in[1]));
	const expr *keep = op2(im, upper ? EXPR_GE : EXPR_LE, right, expr_index(im->exprs, k));
	const expr *e = operand(im, 0, x);
	return map_as(im, x->type, choose_if(im, keep, e, number(im, e, 0)), in, 3);
}

/* ONNX EyeLike-22. */
value *import_eye_like(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_rank(im, n, x, 2, 2);
	dtype type = attr_dtype(im, n, "dtype", x->type);
	int64_t k = attr_int(im, n, "k", 0);
	value *in[] = {index_along(im, x->dims[0], 0, 2), index_along(im, x->dims[1], 1, 2)};
	const expr *right = op2(im, EXPR_SUB, operand(im, 1, in[1]), operand(im, 0, in[0]));
	const expr *one = op2(im, EXPR_EQ, right, expr_int(im->exprs, I64, k));
	return map_as(im, type, expr_cast(im->exprs, dtype_table[type].compute, one), in, 2);
}

/* The first seq_len elements of the time axis backwards, for each batch.  ONNX ReverseSequence-28. */
value *import_reverse_sequence(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *lengths = input(im, n, 1);
	int64_t time = attr_int(im, n, "time_axis", 0), batch = attr_int(im, n, "batch_axis", 1);
	expect_rank(im, n, x, 2, MAX_RANK);
	expect_rank(im, n, lengths, 1, 1);
	expect_type(im, n, lengths, TYPES_INT);
	if (time < 0 || time > 1 || batch < 0 || batch > 1 || time == batch)
		refuse(im, n, "time_axis %lld and batch_axis %lld must be 0 and 1", (long long)time, (long long)batch);
	value *in[] = {index_along(im, x->dims[time], (int)time, x->rank), along_axis(im, lengths, (int)batch, x->rank)};
	const expr *i = operand(im, 0, in[0]), *length = expr_cast(im->exprs, I64, operand(im, 1, in[1]));
	const expr *mirrored = op2n(im, EXPR_SUB, op2(im, EXPR_SUB, length, i), 1);
	value *index = map_as(im, I64, choose_if(im, op2(im, EXPR_LT, i, length), mirrored, i), in, 2);
	attr axis = attr_of_int("axis", time);
	index = copy_dims(im, index, x->dims, x->rank);
	return build(im->graph, OP_GATHER_ELEMENTS, (value *[]){x, index}, 2, &axis, 1);
}

/* ---- running and ordering ----------------------------------------------------------------------------------------------------- */
/* Running sums (or, in the row CumProd, products).  ONNX CumSum-14, CumProd-26. */
value *import_cumulative(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	attr attrs[] = {
		attr_of_int("axis", axis_in(im, n, int_of(im, n, input(im, n, 1), "axis"), x->rank)),
		attr_of_word("op", n->op->arg == EXPR_MUL ? "prod" : "sum"),
		attr_of_int("exclusive", attr_flag(im, n, "exclusive", false)),
		attr_of_int("reverse", attr_flag(im, n, "reverse", false)),
	};
	return build(im->graph, OP_SCAN, &x, 1, attrs, 4);
}

/* ONNX TopK-24. */
value *import_topk(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	sym *k = n->version < 10 ? size(im, attr_int_required(im, n, "k")) : element_of(im, n, input(im, n, 1), "k");
	attr attrs[] = {
		attr_of_int("axis", axis_in(im, n, attr_int(im, n, "axis", -1), x->rank)),
		attr_of_syms(im->graph, "k", &k, 1),
		attr_of_int("largest", attr_flag(im, n, "largest", true)),
		attr_of_int("sorted", attr_flag(im, n, "sorted", true)),
	};
	node *top = graph_add(im->graph, OP_TOPK, &x, 1, attrs, 4, 2);
	set_result(n, 1, top->out[1]);
	return top->out[0];
}
