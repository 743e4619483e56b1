/* Operators whose results are as many as are found: the core op gives them in a tensor that is large enough for all, and counts; the
 * count becomes a symbol, and a slice leaves what is there. */
#include "frontend/onnx_attr.h"

/* The elements that are not 0: their coordinates [rank, count]. */
static value *find_nonzero(importer *im, value *x, const char *hint)
{
	node *found = graph_add(im->graph, OP_NONZERO, &x, 1, NULL, 0, 2);
	sym *count = bind_count(im, found->out[1], hint, found->out[0]->dims[1]);
	return cut(im, found->out[0], 1, size(im, 0), count);
}

/* ONNX NonZero-13. */
value *import_nonzero(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_ANY);
	return find_nonzero(im, x, "nonzero");
}

/* The slices along `axis` (elements, without it) whose condition is true.  ONNX Compress-11. */
value *import_compress(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *wanted = input(im, n, 1);
	expect_type(im, n, wanted, TYPES_BOOL);
	expect_rank(im, n, wanted, 1, 1);
	int axis = 0;
	if (attr_given(n, "axis")) {
		axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank);
	} else {
		sym *all = product_of(im, x->dims, x->rank);
		x = reshape(im, x, &all, 1);
	}
	if (!graph_assume(im->graph, CONDITION_AT_LEAST, x->dims[axis], wanted->dims[0]))
		refuse(im, n, "there are more conditions than elements");
	value *found = find_nonzero(im, wanted, "compressed");
	return build_gather(im->graph, x, reshape(im, found, &found->dims[1], 1), axis);
}

/* ONNX Unique-11: outputs are the different slices along `axis` (elements, without it), where each is first, which each one is, and how
 * often. */
value *import_unique(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_ANY);
	bool sorted = attr_flag(im, n, "sorted", true);
	int axis = 0, perm[MAX_RANK];
	if (attr_given(n, "axis")) {
		axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank);
	} else {
		sym *all = product_of(im, x->dims, x->rank);
		x = reshape(im, x, &all, 1);
	}
	for (int i = 0, k = 1; i < x->rank; i++)
		if (i != axis)
			perm[k++] = i;
	perm[0] = axis;
	value *rows = build_transpose(im->graph, x, perm);
	rows = reshape(im, rows, (sym *[]){rows->dims[0], product_of(im, rows->dims + 1, rows->rank - 1)}, 2);
	attr order = attr_of_int("sorted", sorted);
	node *groups = graph_add(im->graph, OP_UNIQUE, &rows, 1, &order, 1, 5);
	sym *count = bind_count(im, groups->out[4], "unique", rows->dims[0]), *zero = size(im, 0);
	value *first = cut(im, groups->out[0], 0, zero, count);
	set_result(n, 1, first);
	set_result(n, 2, groups->out[1]);
	set_result(n, 3, cut(im, groups->out[2], 0, zero, count));
	return build_gather(im->graph, x, first, axis);
}

/* A scalar input, or what stands for an absent one. */
static value *scalar_or(importer *im, const onnx_node *n, int i, dtype t, value *otherwise)
{
	value *v = input_or_null(n, i);
	int64_t elements;
	if (!v)
		return otherwise;
	if (v->type != t || !sym_is_const(value_size(v), &elements) || elements != 1)
		refuse(im, n, "input %d must be one %s", i, dtype_name(t));
	return reshape(im, v, NULL, 0);
}

/* ONNX NonMaxSuppression-11. */
value *import_nms(importer *im, const onnx_node *n)
{
	value *boxes = input(im, n, 0), *scores = input(im, n, 1);
	graph *g = im->graph;
	expect_rank(im, n, boxes, 3, 3);
	expect_rank(im, n, scores, 3, 3);
	value *limit = scalar_or(im, n, 2, I64, build_scalar_int(g, I64, 0));
	value *share = scalar_or(im, n, 3, F32, build_scalar(g, F32, 0));
	value *threshold = scalar_or(im, n, 4, F32, NULL);
	if (!threshold) {
		const expr *none = expr_lowest(im->exprs, F32);
		threshold = map_as(im, F32, none, NULL, 0);
	}
	sym *most = scores->dims[2];
	if (limit->elements)
		most = sym_min(most, sym_max(limit->elements[0], size(im, 0)));
	attr attrs[] = {attr_of_int("center", attr_flag(im, n, "center_point_box", false)), attr_of_syms(g, "most", &most, 1)};
	node *kept = graph_add(g, OP_NMS, (value *[]){boxes, scores, share, threshold, limit}, 5, attrs, 2, 3);
	sym *count = bind_count(im, kept->out[1], "selected", kept->out[0]->dims[0]);
	return cut(im, kept->out[0], 0, size(im, 0), count);
}
