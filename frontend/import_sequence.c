/* Sequences and optionals: lists of values that exist while compiling only, so most operators here make no code. */
#include "frontend/container.h"
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

#include <string.h>

/* ---- operands ---------------------------------------------------------------------------------------------------------------- */
static container *sequence(importer *im, const onnx_node *n, int i)
{
	container *c = container_of(input(im, n, i));
	if (!c || c->is_optional)
		refuse(im, n, "input %d is %s, must be a sequence", i, container_word(n->in[i]));
	return c;
}

/* A place in a sequence of `extent`, negative from the end; it must be known. */
static int place_in(importer *im, const onnx_node *n, value *position, int extent)
{
	int64_t i = int_of(im, n, position, "position");
	if (i < -extent || i >= extent)
		refuse(im, n, "position %lld is out of range for a sequence of %d", (long long)i, extent);
	return (int)(i < 0 ? i + extent : i);
}

/* ---- making and changing ----------------------------------------------------------------------------------------------------- */
/* ONNX SequenceEmpty-11. */
value *import_sequence_empty(importer *im, const onnx_node *n)
{
	attr_dtype(im, n, "dtype", F32); /* of elements that it has not */
	return sequence_of(im, NULL, 0);
}

/* ONNX SequenceConstruct-11. */
value *import_sequence_construct(importer *im, const onnx_node *n)
{
	return sequence_of(im, inputs(im, n), n->n_in);
}

/* ONNX SequenceInsert-11: before `position`, by default at the end. */
value *import_sequence_insert(importer *im, const onnx_node *n)
{
	const container *c = sequence(im, n, 0);
	value *added = input(im, n, 1), *position = input_or_null(n, 2);
	value **items = new_array(im->a, value *, (size_t)c->n + 1);
	int at = c->n;
	if (position) {
		int64_t i = int_of(im, n, position, "position");
		at = i == c->n ? c->n : place_in(im, n, position, c->n);
	}
	memcpy(items, c->items, (size_t)at * sizeof *items);
	items[at] = added;
	memcpy(items + at + 1, c->items + at, (size_t)(c->n - at) * sizeof *items);
	return sequence_of(im, items, c->n + 1);
}

/* ONNX SequenceErase-11: by default the last. */
value *import_sequence_erase(importer *im, const onnx_node *n)
{
	const container *c = sequence(im, n, 0);
	value *position = input_or_null(n, 1);
	if (c->n == 0)
		refuse(im, n, "the sequence is empty");
	int at = position ? place_in(im, n, position, c->n) : c->n - 1;
	value *shorter = sequence_of(im, c->items, c->n - 1);
	for (int i = at; i < c->n - 1; i++)
		container_of(shorter)->items[i] = c->items[i + 1];
	return shorter;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */
static value *joined(importer *im, const onnx_node *n, const container *c, int axis, bool new_axis)
{
	value **parts = new_array(im->a, value *, (size_t)c->n + 1);
	if (c->n == 0)
		refuse(im, n, "the sequence is empty");
	for (int i = 0; i < c->n; i++) {
		if (is_container(c->items[i]))
			refuse(im, n, "the elements are not tensors");
		expect_same_type(im, n, c->items[0], c->items[i]);
		expect_rank(im, n, c->items[i], c->items[0]->rank, c->items[0]->rank);
		parts[i] = new_axis ? build_unsqueeze(im->graph, c->items[i], &axis, 1) : c->items[i];
	}
	return build_concat(im->graph, parts, c->n, axis);
}

static bool have_one_shape(const container *c)
{
	for (int i = 0; i < c->n; i++)
		if (is_container(c->items[i]) || c->items[i]->rank != c->items[0]->rank || !value_dims_equal(c->items[i], c->items[0]))
			return false;
	return c->n > 0;
}

/* Of a position that is computed while running, from elements of one shape.  ONNX SequenceAt-11. */
value *import_sequence_at(importer *im, const onnx_node *n)
{
	const container *c = sequence(im, n, 0);
	value *position = input(im, n, 1);
	if (position->elements || constant_of(position) || !have_one_shape(c))
		return c->items[place_in(im, n, position, c->n)];
	expect_type(im, n, position, TYPES_INT);
	return build_gather(im->graph, joined(im, n, c, 0, true), reshape(im, position, NULL, 0), 0);
}

/* ONNX SequenceLength-11. */
value *import_sequence_length(importer *im, const onnx_node *n)
{
	return build_size_scalar(im->graph, size(im, sequence(im, n, 0)->n));
}

/* ONNX ConcatFromSequence-11. */
value *import_concat_from_sequence(importer *im, const onnx_node *n)
{
	const container *c = sequence(im, n, 0);
	bool new_axis = attr_flag(im, n, "new_axis", false);
	int64_t axis = attr_int_required(im, n, "axis");
	if (c->n == 0 || is_container(c->items[0]))
		refuse(im, n, "the sequence has no tensors to join");
	return joined(im, n, c, axis_in(im, n, axis, c->items[0]->rank + new_axis), new_axis);
}

/* ---- tensors into sequences ----------------------------------------------------------------------------------------------------- */
/* Sizes of the parts: given, or chunks of one size of which the last may be smaller, or 1 each. */
static sym_list part_sizes(importer *im, const onnx_node *n, sym *extent)
{
	value *split = input_or_null(n, 1);
	int64_t all, each = 1;
	if (split && split->rank > 0)
		return elements_of(im, n, split, "split");
	if (split)
		each = int_of(im, n, split, "split");
	if (!sym_is_const(extent, &all) || each < 1 || all / each > MAX_INLINED_NODES)
		refuse(im, n, "the number of parts must be known");
	int count = (int)((all + each - 1) / each);
	sym **sizes = new_array(im->a, sym *, (size_t)count + 1);
	for (int i = 0; i < count; i++)
		sizes[i] = size(im, i < count - 1 ? each : all - (count - 1) * each);
	return (sym_list){sizes, count};
}

/* ONNX SplitToSequence-24. */
value *import_split_to_sequence(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axis = axis_in(im, n, attr_int(im, n, "axis", 0), x->rank);
	bool keep = attr_flag(im, n, "keepdims", true) || input_or_null(n, 1);
	sym_list sizes = part_sizes(im, n, x->dims[axis]);
	value **parts = new_array(im->a, value *, (size_t)sizes.n + 1);
	sym *start = size(im, 0);
	for (int i = 0; i < sizes.n; i++) {
		parts[i] = cut(im, x, axis, start, sizes.v[i]);
		parts[i] = keep ? parts[i] : build_squeeze(im->graph, parts[i], &axis, 1);
		start = sym_add(start, sizes.v[i]);
	}
	return sequence_of(im, parts, sizes.n);
}

/* The body for element i of the first input; other sequences give their element i too, tensors themselves.
 * ONNX SequenceMap-17. */
value *import_sequence_map(importer *im, const onnx_node *n)
{
	const Onnx__GraphProto *body = attr_graph(im, n, "body");
	int count = sequence(im, n, 0)->n;
	value **in = new_array(im->a, value *, (size_t)n->n_in), **out = new_array(im->a, value *, body->n_output + 1);
	value ***results = new_array(im->a, value **, body->n_output + 1);
	if (body->n_input != (size_t)n->n_in || body->n_output != (size_t)n->n_out)
		refuse(im, n, "its body has %zu inputs and %zu outputs, the node %d and %d", body->n_input, body->n_output, n->n_in, n->n_out);
	for (int k = 0; k < n->n_out; k++)
		results[k] = new_array(im->a, value *, (size_t)count + 1);
	for (int i = 0; i < count; i++) {
		for (int k = 0; k < n->n_in; k++) {
			const container *c = container_of(input(im, n, k));
			if (c && c->n != count)
				refuse(im, n, "sequences have %d and %d elements", count, c->n);
			in[k] = c ? c->items[i] : n->in[k];
		}
		bool known = region_in_place(im, n, body, in, out);
		for (int k = 0; k < n->n_out; k++)
			results[k][i] = out[k];
		for (int k = 0; !known && k < n->n_out; k++)
			set_result(n, k, &unknown);
		if (!known)
			return NULL;
	}
	for (int k = 0; k < n->n_out; k++)
		set_result(n, k, sequence_of(im, results[k], count));
	return NULL;
}

/* ---- optionals ------------------------------------------------------------------------------------------------------------------ */
/* ONNX Optional-15. */
value *import_optional(importer *im, const onnx_node *n)
{
	attr_ignore(n, "type"); /* of an element that it has not */
	return optional_of(im, input_or_null(n, 0));
}

/* ONNX OptionalHasElement-18: also a tensor or a sequence itself has one. */
value *import_optional_has_element(importer *im, const onnx_node *n)
{
	value *x = input_or_null(n, 0);
	const container *c = x ? container_of(x) : NULL;
	return build_scalar_int(im->graph, BOOL, x && !(c && c->is_optional && c->n == 0));
}

/* ONNX OptionalGetElement-18. */
value *import_optional_get_element(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	const container *c = container_of(x);
	if (!c || !c->is_optional)
		return x;
	if (c->n == 0)
		refuse(im, n, "the optional has no element");
	return c->items[0];
}
