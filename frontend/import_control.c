/* If, Loop and Scan.
 *
 * An If whose condition is known is its branch.  Else both branches become regions.  What cannot be typed so (branches of different
 * ranks, as exporters write for a squeeze of a size that may be 1) is compiled for one branch, with a check while running. */
#include "frontend/container.h"
#include "frontend/onnx_attr.h"
#include "frontend/region.h"

#include <string.h>

static value *scalar(importer *im, const onnx_node *n, value *v, const char *what)
{
	int64_t elements;
	if (!sym_is_const(value_size(v), &elements) || elements != 1)
		refuse(im, n, "%s has not one element", what);
	return reshape(im, v, NULL, 0);
}

static value *flag(importer *im, const onnx_node *n, value *v)
{
	if (v->type != BOOL)
		refuse(im, n, "its condition is %s, must be bool", dtype_name(v->type));
	return scalar(im, n, v, "its condition");
}

/* A bool that is known at compile time. */
static bool is_known(const value *v, bool *is_true)
{
	const tensor *t = constant_of(v);
	int64_t i;
	if (t && t->n_elements == 1 && t->type == BOOL)
		return *is_true = tensor_int(t, 0) != 0, true;
	if (!v->elements || v->n_elements != 1 || !sym_is_const(v->elements[0], &i))
		return false;
	*is_true = i != 0;
	return true;
}

/* ---- If ------------------------------------------------------------------------------------------------------------------ */
static void check_inputs(importer *im, const onnx_node *n, const Onnx__GraphProto *g, size_t count, const char *what)
{
	if (g->n_input != count)
		refuse(im, n, "its %s has %zu inputs, must have %zu", what, g->n_input, count);
}

static void check_branch(importer *im, const onnx_node *n, const Onnx__GraphProto *g, const char *what)
{
	check_inputs(im, n, g, 0, what);
	if (g->n_output != (size_t)n->n_out)
		refuse(im, n, "its %s has %zu outputs, the node %d", what, g->n_output, n->n_out);
}

/* The branch in place of the node. */
static void inline_branch(importer *im, const onnx_node *n, const Onnx__GraphProto *g)
{
	value **out = new_array(im->a, value *, g->n_output + 1);
	region_in_place(im, n, g, NULL, out);
	for (size_t i = 0; i < g->n_output; i++)
		set_result(n, (int)i, out[i]);
}

typedef struct branch {
	scope *s;
	value **out;
	bool gives_containers;
} branch;

/* Imports a branch as a region; errors go to d. */
static bool try_branch(importer *im, const onnx_node *n, const Onnx__GraphProto *g, const char *word, diag *d, branch *b)
{
	diag *const outer = im->diag;
	int errors = diag_error_count(d);
	volatile bool ok = false;
	im->diag = d;
	if (diag_guard(d)) {
		b->out = new_array(im->a, value *, g->n_output + 1);
		b->s = region_open(im, n, word);
		ok = region_import(im, n, b->s, g, b->out);
		for (size_t i = 0; ok && i < g->n_output; i++)
			b->gives_containers = b->gives_containers || is_container(b->out[i]);
		for (size_t i = 0; ok && i < g->n_output; i++)
			region_output(im, b->s, b->out[i], text_of(g->output[i]->name));
		diag_pop_guard(d);
	}
	im->diag = outer;
	region_close(im, n);
	return ok && diag_error_count(d) == errors;
}

static bool same_ranks(const branch *a, const branch *b)
{
	for (int i = 0; i < a->s->graph->outputs.n; i++) {
		const value *x = a->s->graph->outputs.v[i], *y = b->s->graph->outputs.v[i];
		if (x->type != y->type || x->rank != y->rank)
			return false;
	}
	return true;
}

/* Compiled for one branch: a run that would take the other one ends. */
static void assume_branch(importer *im, const onnx_node *n, value *cond, bool taken, const char *why)
{
	diag_warning(im->diag, n->at, "%s; compiled for a condition that is %s, and a run in which it is not ends", why,
	             taken ? "true" : "false");
	bind_check(im, narrow(im, cond, I64), taken);
	inline_branch(im, n, attr_graph(im, n, taken ? "then_branch" : "else_branch"));
}

/* Sizes in which the branches differ get symbols. */
static attr joined_sizes(importer *im, const graph *a, const graph *b)
{
	vec(sym *) sizes = {0};
	for (int i = 0; i < a->outputs.n; i++) {
		const value *x = a->outputs.v[i], *y = b->outputs.v[i];
		for (int k = 0; k < x->rank; k++) {
			if (x->dims[k] == y->dims[k])
				continue;
			int64_t lo = x->dims[k]->lo < y->dims[k]->lo ? x->dims[k]->lo : y->dims[k]->lo;
			sym *below = sym_addi(sym_max(x->dims[k], y->dims[k]), 1);
			vec_push(im->a, &sizes, sym_inner_fresh(im->syms, "size", lo > 0 ? lo : 0, below));
		}
	}
	return attr_of_syms(im->graph, "sizes", sizes.v, sizes.n);
}

static void add_if(importer *im, const onnx_node *n, value *cond, const branch *a, const branch *b)
{
	vec(value *) in = {0};
	vec_push(im->a, &in, cond);
	for (int i = 0; i < a->s->captured.n; i++)
		vec_push(im->a, &in, a->s->captured.v[i]);
	for (int i = 0; i < b->s->captured.n; i++)
		vec_push(im->a, &in, b->s->captured.v[i]);
	attr attrs[] = {attr_of_int("then_in", a->s->captured.n), joined_sizes(im, a->s->graph, b->s->graph)};
	graph *regions[] = {a->s->graph, b->s->graph};
	node *made = graph_add_regions(im->graph, OP_IF, in.v, in.n, attrs, 2, regions, 2, n->n_out);
	for (int i = 0; i < n->n_out; i++)
		set_result(n, i, made->out[i]);
}

/* ONNX If-25. */
value *import_if(importer *im, const onnx_node *n)
{
	const Onnx__GraphProto *then = attr_graph(im, n, "then_branch"), *otherwise = attr_graph(im, n, "else_branch");
	value *cond = flag(im, n, input(im, n, 0));
	bool taken;
	branch a = {0}, b = {0};
	check_branch(im, n, then, "then_branch");
	check_branch(im, n, otherwise, "else_branch");
	if (is_known(cond, &taken)) {
		inline_branch(im, n, taken ? then : otherwise);
		return NULL;
	}
	diag *quiet = diag_new(im->a, NULL);
	bool then_ok = try_branch(im, n, then, "then", quiet, &a), else_ok = try_branch(im, n, otherwise, "else", quiet, &b);
	if (a.gives_containers || b.gives_containers) {
		note_unknown(im, cond);
		refuse(im, n, "a branch gives a sequence or an optional, so the condition must be known");
	}
	if (then_ok && else_ok && same_ranks(&a, &b)) {
		add_if(im, n, cond, &a, &b);
	} else if (then_ok || else_ok) {
		assume_branch(im, n, cond, then_ok, then_ok && else_ok ? "the branches give tensors of different ranks or types"
		                                                       : "one of the branches is not supported");
	} else {
		try_branch(im, n, then, "then", im->diag, &a);
		for (int i = 0; i < n->n_out; i++)
			set_result(n, i, &unknown);
	}
	return NULL;
}

/* ---- Loop ---------------------------------------------------------------------------------------------------------------- */
/* The number of iterations at most; NULL: no limit. */
static sym *known_trip(importer *im, const value *count)
{
	sym *s = count->elements ? sym_max(count->elements[0], size(im, 0)) : NULL;
	return s && s->lo < INT32_MAX ? s : NULL; /* more is as good as no limit */
}

/* A count that depends on data, and on whether to begin. */
static sym *bound_trip(importer *im, value *count, value *begin)
{
	value *in[] = {count, begin};
	const expr *e = op2n(im, EXPR_MAX, expr_cast(im->exprs, I64, operand(im, 0, count)), 0);
	if (begin)
		e = choose_if(im, operand(im, 1, begin), e, number(im, e, 0));
	return bind_count(im, map_as(im, I64, e, in, begin ? 2 : 1), "trip", size(im, INT64_MAX));
}

static bool is_unlimited(const sym *trip) { return !trip || (sym_is_inner(trip) && sym_is(trip->below, INT64_MAX)); }

/* Does the body always say to go on?  Then only its beginning is in question. */
static bool always_goes_on(const Onnx__GraphProto *body)
{
	const char *name = text_of(body->output[0]->name), *in = text_of(body->input[1]->name);
	for (size_t k = body->n_node; k-- > 0;) {
		const Onnx__NodeProto *p = body->node[k];
		if (p->n_output != 1 || strcmp(text_of(p->output[0]), name) != 0)
			continue;
		if (strcmp(text_of(p->op_type), "Identity") != 0 || p->n_input != 1)
			return false;
		name = text_of(p->input[0]);
	}
	return strcmp(name, in) == 0;
}

static void define_in(scope *s, const Onnx__GraphProto *g, size_t i, value *v) { map_put(s->values, text_of(g->input[i]->name), v); }

static void define_loop_inputs(importer *im, const onnx_node *n, loop_builder *l, const Onnx__GraphProto *body)
{
	define_in(l->s, body, 0, build_size_scalar(im->graph, l->index));
	define_in(l->s, body, 1, build_scalar_int(im->graph, BOOL, 1)); /* the body runs only then */
	for (int i = 2; i < n->n_in; i++)
		define_in(l->s, body, (size_t)i, loop_carry(im, l, text_of(body->input[i]->name), n->in[i]));
}

static void unknown_results(const onnx_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		set_result(n, i, &unknown);
}

/* ---- loops that carry sequences --------------------------------------------------------------------------------------------- */
enum { MAX_UNROLLED = 4096 };

typedef vec(value *) value_list;

static bool carries_containers(const onnx_node *n)
{
	for (int i = 2; i < n->n_in; i++)
		if (n->in[i] && is_container(n->in[i]))
			return true;
	return false;
}

/* What is stacked over the iterations. */
static value *stacked(importer *im, const onnx_node *n, value *const *parts, int count)
{
	static const int first = 0;
	value **rows = new_array(im->a, value *, (size_t)count + 1);
	if (count == 0)
		refuse(im, n, "it does not run, so the sizes of its outputs are not known");
	for (int i = 0; i < count; i++) {
		if (is_container(parts[i]))
			refuse(im, n, "%s cannot be stacked", container_word(parts[i]));
		rows[i] = build_unsqueeze(im->graph, parts[i], &first, 1);
	}
	return build_concat(im->graph, rows, count, 0);
}

static bool known_flag(importer *im, const onnx_node *n, value *v)
{
	bool is_true = false;
	if (!is_known(flag(im, n, v), &is_true)) {
		note_unknown(im, v);
		refuse(im, n, "it carries a sequence, so its condition must be known");
	}
	return is_true;
}

/* Sequences are known while compiling only, so must be the iterations of a loop that carries some: the body once for each. */
static value *unroll(importer *im, const onnx_node *n, const Onnx__GraphProto *body)
{
	int n_carried = n->n_in - 2, n_stacked = n->n_out - n_carried, count = 0;
	value **in = new_array(im->a, value *, body->n_input + 1), **out = new_array(im->a, value *, body->n_output + 1);
	value_list *parts = new_array(im->a, value_list, (size_t)n_stacked + 1);
	int64_t trip = input_or_null(n, 0) ? int_of(im, n, n->in[0], "the trip count") : INT64_MAX;
	bool go_on = !input_or_null(n, 1) || known_flag(im, n, n->in[1]);
	for (int i = 0; i < n_carried; i++)
		in[i + 2] = n->in[i + 2];
	for (; go_on && count < trip; count++) {
		if (count == MAX_UNROLLED)
			refuse(im, n, "it carries a sequence and runs more than %d times", MAX_UNROLLED);
		in[0] = build_scalar_int(im->graph, I64, count);
		in[1] = build_scalar_int(im->graph, BOOL, 1);
		if (!region_in_place(im, n, body, in, out)) {
			unknown_results(n);
			return NULL;
		}
		go_on = known_flag(im, n, out[0]);
		for (int i = 0; i < n_carried; i++)
			in[i + 2] = out[i + 1];
		for (int i = 0; i < n_stacked; i++)
			vec_push(im->a, &parts[i], out[1 + n_carried + i]);
	}
	for (int i = 0; i < n_carried; i++)
		set_result(n, i, in[i + 2]);
	for (int i = 0; i < n_stacked; i++)
		set_result(n, n_carried + i, stacked(im, n, parts[i].v, count));
	return NULL;
}

/* ONNX Loop-25. */
value *import_loop(importer *im, const onnx_node *n)
{
	const Onnx__GraphProto *body = attr_graph(im, n, "body");
	value *begin = input_or_null(n, 1) ? flag(im, n, n->in[1]) : NULL;
	int n_carried = n->n_in > 2 ? n->n_in - 2 : 0;
	bool known = true;
	loop_builder l;
	check_inputs(im, n, body, (size_t)n_carried + 2, "body");
	if (body->n_output != (size_t)n->n_out + 1)
		refuse(im, n, "its body has %zu outputs, must have %d", body->n_output, n->n_out + 1);
	if (carries_containers(n))
		return unroll(im, n, body);
	if (begin && is_known(begin, &known) && known)
		begin = NULL;
	value *limit = input_or_null(n, 0) ? scalar(im, n, n->in[0], "the trip count") : build_scalar_int(im->graph, I64, INT64_MAX);
	expect_type(im, n, limit, TYPES_INT);
	bool by_begin = begin && always_goes_on(body);
	sym *trip = !known                          ? size(im, 0)
		  : by_begin || !limit->elements ? bound_trip(im, limit, by_begin ? begin : NULL)
						 : known_trip(im, limit);
	if (by_begin)
		begin = NULL;
	value *first = begin ? begin : build_scalar_int(im->graph, BOOL, 1);
	loop_open(im, n, &l, trip, "body");
	define_loop_inputs(im, n, &l, body);
	value **out = new_array(im->a, value *, body->n_output);
	if (!region_import(im, n, l.s, body, out)) {
		region_close(im, n);
		unknown_results(n);
		return NULL;
	}
	value *go_on = flag(im, n, out[0]);
	bool always = !begin && is_known(go_on, &known) && known;
	for (int i = 1; i <= n_carried; i++)
		vec_push(im->a, &l.carried, out[i]);
	for (size_t i = (size_t)n_carried + 1; i < body->n_output; i++) {
		vec_push(im->a, &l.stacked, out[i]);
		vec_push(im->a, &l.reverse, 0);
	}
	if (l.stacked.n && (!trip || (!always && is_unlimited(trip))))
		refuse(im, n, "nothing known at compile time limits its number of iterations, and so the size of its outputs");
	if (!always) {
		l.go_on = go_on;
		l.begin = first;
	}
	node *made = loop_close(im, n, &l);
	for (int i = 0; i < n_carried; i++)
		set_result(n, i, made->out[i]);
	sym *count = !always && l.stacked.n ? bind_count(im, made->out[made->n_out - 1], "iterations", l.trip) : NULL;
	for (int i = 0; i < l.stacked.n; i++)
		set_result(n, n_carried + i, count ? cut(im, made->out[n_carried + i], 0, size(im, 0), count) : made->out[n_carried + i]);
	return NULL;
}

/* ---- Scan ---------------------------------------------------------------------------------------------------------------- */
static int64_t entry(int_list list, int i) { return list.given && i < list.n ? list.v[i] : 0; }

static void check_list(importer *im, const onnx_node *n, int_list list, int count, const char *name)
{
	if (list.given && list.n != count)
		refuse(im, n, "%s has %d entries, needs %d", name, list.n, count);
}

typedef struct scan_spec {
	int first;  /* input that is state 0 */
	int n_states, n_elements, n_stacked;
	int_list axes, directions, out_axes, out_directions;
} scan_spec;

static scan_spec scan_of(importer *im, const onnx_node *n)
{
	scan_spec s = {.n_elements = (int)attr_int_required(im, n, "num_scan_inputs")};
	s.first = n->version < 9 ? 1 : 0;
	s.n_states = n->n_in - s.first - s.n_elements;
	s.n_stacked = n->n_out - s.n_states;
	if (s.n_elements < 1 || s.n_states < 0 || s.n_stacked < 0)
		refuse(im, n, "num_scan_inputs is %d, but it has %d inputs and %d outputs", s.n_elements, n->n_in, n->n_out);
	s.axes = attr_ints(im, n, "scan_input_axes");
	s.directions = attr_ints(im, n, n->version < 9 ? "directions" : "scan_input_directions");
	s.out_axes = attr_ints(im, n, "scan_output_axes");
	s.out_directions = attr_ints(im, n, "scan_output_directions");
	check_list(im, n, s.axes, s.n_elements, "scan_input_axes");
	check_list(im, n, s.directions, s.n_elements, "scan_input_directions");
	check_list(im, n, s.out_axes, s.n_stacked, "scan_output_axes");
	check_list(im, n, s.out_directions, s.n_stacked, "scan_output_directions");
	return s;
}

/* Scan-8 has a batch axis before all others, of one here. */
static value *scan_input(importer *im, const onnx_node *n, int i)
{
	static const int batch = 0;
	value *v = input(im, n, i);
	if (n->version >= 9)
		return v;
	if (input_or_null(n, 0))
		refuse(im, n, "sequence_lens are not supported");
	if (v->rank == 0 || !sym_is(v->dims[0], 1))
		refuse(im, n, "version 8 is supported for a batch of 1 only");
	return build_squeeze(im->graph, v, &batch, 1);
}

static value *scan_result(importer *im, const onnx_node *n, value *v)
{
	static const int batch = 0;
	return n->version >= 9 ? v : build_unsqueeze(im->graph, v, &batch, 1);
}

/* The stacked axis, which is the first, goes to `axis`. */
static value *move_stacked_axis(importer *im, const onnx_node *n, value *v, int64_t axis)
{
	int perm[MAX_RANK], to = axis_in(im, n, axis, v->rank);
	for (int i = 0, k = 1; i < v->rank; i++)
		perm[i] = i == to ? 0 : k++;
	return build_transpose(im->graph, v, perm);
}

/* ONNX Scan-25. */
value *import_scan(importer *im, const onnx_node *n)
{
	const Onnx__GraphProto *body = attr_graph(im, n, "body");
	scan_spec spec = scan_of(im, n);
	value **in = new_array(im->a, value *, (size_t)n->n_in);
	check_inputs(im, n, body, (size_t)(spec.n_states + spec.n_elements), "body");
	if (body->n_output != (size_t)n->n_out)
		refuse(im, n, "its body has %zu outputs, the node %d", body->n_output, n->n_out);
	for (int i = spec.first; i < n->n_in; i++)
		in[i - spec.first] = scan_input(im, n, i);
	value *const *elements = in + spec.n_states;
	int axis = axis_in(im, n, entry(spec.axes, 0), elements[0]->rank);
	loop_builder l;
	loop_open(im, n, &l, elements[0]->dims[axis], "body");
	for (int i = 0; i < spec.n_states; i++)
		define_in(l.s, body, (size_t)i, loop_carry(im, &l, text_of(body->input[i]->name), in[i]));
	for (int i = 0; i < spec.n_elements; i++) {
		axis = axis_in(im, n, entry(spec.axes, i), elements[i]->rank);
		define_in(l.s, body, (size_t)(spec.n_states + i), loop_element(im, &l, elements[i], axis, entry(spec.directions, i) == 1));
	}
	value **out = new_array(im->a, value *, body->n_output + 1);
	if (!region_import(im, n, l.s, body, out)) {
		region_close(im, n);
		unknown_results(n);
		return NULL;
	}
	for (int i = 0; i < spec.n_states; i++)
		vec_push(im->a, &l.carried, out[i]);
	for (int i = 0; i < spec.n_stacked; i++) {
		vec_push(im->a, &l.stacked, out[spec.n_states + i]);
		vec_push(im->a, &l.reverse, entry(spec.out_directions, i) == 1);
	}
	node *made = loop_close(im, n, &l);
	for (int i = 0; i < n->n_out; i++) {
		value *v = made->out[i];
		if (i >= spec.n_states)
			v = move_stacked_axis(im, n, v, entry(spec.out_axes, i - spec.n_states));
		set_result(n, i, scan_result(im, n, v));
	}
	return NULL;
}
