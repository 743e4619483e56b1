/* Models that are right become graphs; models that are wrong in every way become messages, never a crash. */
#include "tests/unit/unit.h"

#include "tests/unit/frontend/model.h"

#include "support/str.h"

#include <stdio.h>
#include <stdlib.h>

static graph *import_with(model *m, const import_options *o, diag *d)
{
	file_data f = model_bytes(m);
	return onnx_import(m->a, "m.onnx", f.data, f.size, o, d);
}

/* The graph, which must verify. */
static graph *import_good(model *m)
{
	diag *d = diag_new(m->a, NULL);
	graph *g = import_with(m, NULL, d);
	const char *why = "";
	if (!g)
		print_error("%s", diag_text(d));
	assert_non_null(g);
	if (!graph_verify(g, m->a, &why))
		print_error("%s\n", why);
	assert_string_equal(why, "");
	return g;
}

static const char *shape_text(arena *a, const value *v)
{
	str s = str_new(a);
	str_addf(&s, "%s[", dtype_name(v->type));
	for (int i = 0; i < v->rank; i++) {
		str_add(&s, i ? "," : "");
		sym_print(&s, v->dims[i]);
	}
	str_addc(&s, ']');
	return s.data;
}

/* ---- right models ------------------------------------------------------------------------------------------------------ */
static void exporters_shape_arithmetic_vanishes(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	model *m = model_new(a, 17);
	model_input(m, "x", ONNX_FLOAT, DIMS(-1, 3, -2));
	model_ints(m, "zero", (int64_t[]){0}, 1);
	model_ints(m, "rest", (int64_t[]){-1}, 1);
	model_node(m, "Shape", "x", "s");
	model_node(m, "Gather", "s,zero", "n");
	node_attr_i(a, model_node(m, "Concat", "n,rest", "to"), "axis", 0);
	model_node(m, "Reshape", "x,to", "y");
	model_output(m, "y");
	graph *g = import_good(m);
	assert_string_equal(shape_text(a, g->outputs.v[0]), "f32[d1,d2*3]");
	assert_string_equal(g->outputs.v[0]->name, "y");
	assert_string_equal(g->outputs.v[0]->def->src.op, "Reshape");
	arena_free(a);
}

static void unnamed_dims_become_fresh_symbols(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	model *m = model_new(a, 17);
	model_input(m, "x", ONNX_FLOAT, DIMS(INT64_MIN, INT64_MIN));
	model_input(m, "z", ONNX_FLOAT, DIMS(-1, 4));
	model_node(m, "Relu", "x", "y");
	model_node(m, "Relu", "z", "w");
	model_output(m, "y");
	model_output(m, "w");
	graph *g = import_good(m);
	assert_string_equal(shape_text(a, g->outputs.v[0]), "f32[x_0,x_1]");
	assert_string_equal(shape_text(a, g->outputs.v[1]), "f32[d1,4]");
	arena_free(a);
}

static void options_fix_and_bound_dims(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	model *m = model_new(a, 17);
	model_input(m, "x", ONNX_FLOAT, DIMS(-1, -2));
	model_input(m, "k", ONNX_INT64, DIMS(2));
	model_node(m, "Relu", "x", "inner");
	model_node(m, "Reshape", "inner,k", "y");
	model_output(m, "y");
	dim_range dims[] = {{.name = "d1", .lo = 8, .hi = 8}, {.name = "d2", .lo = 1, .hi = 64}};
	int64_t shape[] = {2, -1};
	tensor *k = tensor_vector_i64(a, shape, 2);
	input_constant constants[] = {{"k", k}};
	const char *outputs[] = {"inner"};
	import_options o = {.dims = dims, .n_dims = 2, .constants = constants, .n_constants = 1, .outputs = outputs, .n_outputs = 1};
	graph *g = import_with(m, &o, d);
	assert_string_equal(diag_text(d), "");
	assert_int_equal(g->inputs.n, 1);
	assert_string_equal(shape_text(a, g->outputs.v[0]), "f32[2,d2*4]");
	assert_string_equal(shape_text(a, g->outputs.v[1]), "f32[8,d2]");
	assert_int_equal(g->inputs.v[0]->dims[1]->lo, 1);
	assert_int_equal(g->inputs.v[0]->dims[1]->hi, 64);

	dim_spec by_hand[] = {{NULL, 5}, {"W", 0}};
	input_shape inputs[] = {{"x", F32, 2, by_hand}};
	import_options shaped = {.inputs = inputs, .n_inputs = 1, .constants = constants, .n_constants = 1};
	g = import_with(m, &shaped, d);
	assert_string_equal(diag_text(d), "");
	assert_string_equal(shape_text(a, g->inputs.v[0]), "f32[5,W]");
	arena_free(a);
}

static void functions_are_inlined_with_their_attributes(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	model *m = model_new(a, 17);
	model_opset(m, "local", 1);
	Onnx__FunctionProto *inner = model_function(m, "Join", "p,q", "r");
	node_attr_ref(a, function_node(m, inner, "Concat", "p,q", "r"), "axis", "at");
	Onnx__FunctionProto *outer = model_function(m, "Twice", "v,absent", "w");
	Onnx__NodeProto *call = function_node(m, outer, "Join", "v,v", "w");
	call->domain = arena_strdup(a, "local");
	node_attr_ref(a, call, "at", "axis_of_all");
	model_input(m, "x", ONNX_FLOAT, DIMS(2, 3));
	Onnx__NodeProto *n = model_node(m, "Twice", "x", "y");
	n->domain = arena_strdup(a, "local");
	n->name = arena_strdup(a, "both");
	node_attr_i(a, n, "axis_of_all", 1);
	model_output(m, "y");
	graph *g = import_good(m);
	assert_string_equal(shape_text(a, g->outputs.v[0]), "f32[2,6]");
	assert_string_equal(g->outputs.v[0]->def->src.name, "both");
	arena_free(a);
}

static void an_output_may_be_an_input_or_a_constant(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	model *m = model_new(a, 17);
	model_input(m, "x", ONNX_FLOAT, DIMS(2));
	model_floats(m, "w", DIMS(3));
	model_node(m, "Identity", "x", "y");
	model_node(m, "Identity", "w", "c");
	model_node(m, "Identity", "y", "z");
	model_output(m, "y");
	model_output(m, "c");
	model_output(m, "z");
	graph *g = import_good(m);
	assert_string_equal(g->outputs.v[1]->name, "c");
	assert_string_equal(g->outputs.v[2]->name, "z");
	assert_ptr_not_equal(g->outputs.v[0], g->outputs.v[2]);
	arena_free(a);
}

static void an_initializer_that_is_also_an_input_is_a_constant(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	model *m = model_new(a, 9);
	model_input(m, "x", ONNX_FLOAT, DIMS(2));
	model_input(m, "w", ONNX_FLOAT, DIMS(2));
	model_floats(m, "w", DIMS(2));
	model_node(m, "Add", "x,w", "y");
	model_output(m, "y");
	graph *g = import_good(m);
	assert_int_equal(g->inputs.n, 1);
	assert_true(value_is_const(g->outputs.v[0]->def->in[1]));
	arena_free(a);
}

/* ---- slices ------------------------------------------------------------------------------------------------------------- */
static void slices_are_clamped_as_in_python(void **state)
{
	(void)state;
	static const struct {
		int64_t start, end, step;
		const char *fixed, *dynamic; /* size along an axis of 10, and of d1 */
	} rows[] = {
		{0, INT64_MAX, 1, "10", "d1"},
		{2, INT64_MAX, 1, "8", NULL},
		{-3, INT64_MAX, 1, "3", NULL},
		{0, -1, 1, "9", NULL},
		{5, 2, 1, "0", NULL},
		{-1, INT64_MIN, -1, "10", "d1"},
		{8, 1, -3, "3", NULL},
		{0, INT64_MAX, 4, "3", "(d1 + 3) / 4"},
		{100, 200, 1, "0", NULL},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++)
		for (int dynamic = 0; dynamic < 2; dynamic++) {
			arena *a = arena_new("test");
			model *m = model_new(a, 17);
			model_input(m, "x", ONNX_FLOAT, DIMS(dynamic ? -1 : 10));
			model_ints(m, "from", &rows[i].start, 1);
			model_ints(m, "to", &rows[i].end, 1);
			model_ints(m, "axis", (int64_t[]){-1}, 1);
			model_ints(m, "step", &rows[i].step, 1);
			model_node(m, "Slice", "x,from,to,axis,step", "y");
			model_output(m, "y");
			graph *g = import_good(m);
			const char *wanted = dynamic ? rows[i].dynamic : rows[i].fixed;
			if (wanted)
				assert_string_equal(shape_text(a, g->outputs.v[0]), arena_printf(a, "f32[%s]", wanted));
			arena_free(a);
		}
}

/* ---- wrong models --------------------------------------------------------------------------------------------------------- */
typedef struct wrong {
	const char *what;
	void (*make)(model *m);
	int64_t opset;
	const char *message;
} wrong;

static void base(model *m)
{
	model_input(m, "x", ONNX_FLOAT, DIMS(-1, 4));
	model_output(m, "y");
}

static void unknown_operator(model *m) { base(m); model_node(m, "Frobnicate", "x", "y"); }
static void unknown_domain(model *m) { base(m); model_node(m, "Relu", "x", "y")->domain = arena_strdup(m->a, "acme"); }
static void relu(model *m) { base(m); model_node(m, "Relu", "x", "y"); }
static void unknown_attribute(model *m) { base(m); node_attr_i(m->a, model_node(m, "Relu", "x", "y"), "speed", 3); }
static void gelu(model *m) { base(m); model_node(m, "Gelu", "x", "y"); }
static void undefined_name(model *m) { base(m); model_node(m, "Relu", "nothing", "y"); }
static void cycle(model *m) { base(m); model_node(m, "Add", "x,b", "y"); model_node(m, "Relu", "y", "b"); }
static void self(model *m) { base(m); model_node(m, "Add", "x,y", "y"); }
static void defined_twice(model *m) { base(m); model_node(m, "Relu", "x", "y"); model_node(m, "Exp", "x", "y"); }
static void shadows_input(model *m) { base(m); model_node(m, "Relu", "x", "x"); }
static void input_missing(model *m) { base(m); model_node(m, "Add", "x", "y"); }
static void no_output_defined(model *m) { base(m); model_node(m, "Relu", "x", "z"); }
static void axis_out(model *m) { base(m); node_attr_i(m->a, model_node(m, "Concat", "x,x", "y"), "axis", 5); }
static void axis_missing(model *m) { base(m); model_node(m, "Concat", "x,x", "y"); }
static void attribute_type(model *m) { base(m); node_attr_ints(m->a, model_node(m, "Concat", "x,x", "y"), "axis", (int64_t[]){0}, 1); }
static void wrong_type(model *m)
{
	base(m);
	model_input(m, "i", ONNX_INT64, DIMS(4));
	model_node(m, "Add", "x,i", "y");
}
static void not_float(model *m)
{
	model_input(m, "i", ONNX_INT64, DIMS(4));
	model_output(m, "y");
	model_node(m, "Exp", "i", "y");
}
static void no_broadcast(model *m)
{
	base(m);
	model_floats(m, "w", DIMS(3));
	model_node(m, "Add", "x,w", "y");
}
static void shape_from_data(model *m)
{
	base(m);
	model_input(m, "to", ONNX_INT64, DIMS(2));
	model_node(m, "Reshape", "x,to", "y");
}
static void two_inferred(model *m)
{
	base(m);
	model_ints(m, "to", (int64_t[]){-1, -1}, 2);
	model_node(m, "Reshape", "x,to", "y");
}
static void huge_input(model *m)
{
	model_input(m, "x", ONNX_FLOAT, DIMS(INT64_C(1) << 62, 4));
	model_output(m, "y");
	model_node(m, "Relu", "x", "y");
}
static void huge_initializer(model *m)
{
	base(m);
	model_tensor(m, "w", ONNX_FLOAT, DIMS(INT64_C(1) << 62, INT64_C(1) << 62));
	model_node(m, "Add", "x,w", "y");
}
static void large_but_empty_initializer(model *m)
{
	base(m);
	model_tensor(m, "w", ONNX_FLOAT, DIMS(1 << 30, 4));
	model_node(m, "Add", "x,w", "y");
}
static void short_raw(model *m)
{
	base(m);
	tensor_raw(m->a, model_tensor(m, "w", ONNX_FLOAT, DIMS(4)), "abc", 3);
	model_node(m, "Add", "x,w", "y");
}
static void complex_initializer(model *m)
{
	base(m);
	model_tensor(m, "w", 14, DIMS(4));
	model_node(m, "Add", "x,w", "y");
}
static void external(model *m)
{
	base(m);
	Onnx__TensorProto *t = model_tensor(m, "w", ONNX_FLOAT, DIMS(4));
	Onnx__StringStringEntryProto *e = new(m->a, Onnx__StringStringEntryProto);
	onnx__string_string_entry_proto__init(e);
	e->key = arena_strdup(m->a, "location");
	e->value = arena_strdup(m->a, "w.bin");
	t->external_data = new(m->a, Onnx__StringStringEntryProto *);
	t->external_data[0] = e;
	t->n_external_data = 1;
	t->has_data_location = true;
	t->data_location = 1;
	model_node(m, "Add", "x,w", "y");
}
static void recursive_function(model *m)
{
	base(m);
	model_opset(m, "local", 1);
	Onnx__FunctionProto *f = model_function(m, "F", "a", "b");
	function_node(m, f, "F", "a", "b")->domain = arena_strdup(m->a, "local");
	model_node(m, "F", "x", "y")->domain = arena_strdup(m->a, "local");
}
/* Thirty functions that each call the next twice: 2^30 nodes. */
static void exploding_functions(model *m)
{
	base(m);
	model_opset(m, "local", 1);
	for (int i = 0; i < 30; i++) {
		Onnx__FunctionProto *f = model_function(m, arena_printf(m->a, "F%d", i), "a", "c");
		for (int k = 0; k < 2; k++) {
			Onnx__NodeProto *n = function_node(m, f, i < 29 ? arena_printf(m->a, "F%d", i + 1) : "Relu",
							   k ? "b" : "a", k ? "c" : "b");
			n->domain = arena_strdup(m->a, i < 29 ? "local" : "");
		}
	}
	model_node(m, "F0", "x", "y")->domain = arena_strdup(m->a, "local");
}
static void zero_stride(model *m)
{
	model_input(m, "x", ONNX_FLOAT, DIMS(1, 3, 8, 8));
	model_output(m, "y");
	model_floats(m, "w", DIMS(4, 3, 3, 3));
	node_attr_ints(m->a, model_node(m, "Conv", "x,w", "y"), "strides", (int64_t[]){0, 1}, 2);
}
static void kernel_too_large(model *m)
{
	model_input(m, "x", ONNX_FLOAT, DIMS(1, 3, 2, 2));
	model_output(m, "y");
	model_floats(m, "w", DIMS(4, 3, 3, 3));
	model_node(m, "Conv", "x,w", "y");
}
static void overflowing_expand(model *m)
{
	base(m);
	model_ints(m, "to", (int64_t[]){INT64_MAX, INT64_MAX, 1, 4}, 4);
	model_node(m, "Expand", "x,to", "y");
}
static void many_outputs(model *m)
{
	base(m);
	model_node(m, "Relu", "x", "y,z");
}

static const wrong wrongs[] = {
	{"unknown operator", unknown_operator, 17, "m.onnx: node 0 (Frobnicate): error: the operator Frobnicate is not supported"},
	{"unknown domain", unknown_domain, 17, "the operator acme.Relu is not supported"},
	{"opset of the future", relu, 29, "opset 29 of ai.onnx is not supported; supported: 1 to 28"},
	{"no opset", relu, 0, "does not say which opset it uses"},
	{"operator of the future", gelu, 17, "opset 17 has no operator Gelu; it came with 20"},
	{"unknown attribute", unknown_attribute, 17, "attribute speed is not supported"},
	{"undefined name", undefined_name, 17, "uses \"nothing\", which nothing defines"},
	{"cycle", cycle, 17, "uses \"b\", which only this or a later node defines"},
	{"own result", self, 17, "uses \"y\", which only this or a later node defines"},
	{"defined twice", defined_twice, 17, "\"y\" is defined twice"},
	{"shadows an input", shadows_input, 17, "\"x\" is defined twice"},
	{"input missing", input_missing, 17, "input 1 is missing"},
	{"output not defined", no_output_defined, 17, "the output \"y\" is not defined"},
	{"axis out of range", axis_out, 17, "axis 5 is out of range for rank 2"},
	{"axis missing", axis_missing, 17, "attribute axis is missing"},
	{"attribute of wrong type", attribute_type, 17, "attribute axis is a list of integers, must be an integer"},
	{"mixed types", wrong_type, 17, "inputs are f32 and i64, must be of one type"},
	{"integers where floats belong", not_float, 17, "an input is i64, must be floating point"},
	{"shapes that do not broadcast", no_broadcast, 17, "operand 1 has size 3"},
	{"shape from data", shape_from_data, 17, "the shape (\"to\") is computed from data"},
	{"two inferred dims", two_inferred, 17, "the shape has -1 twice"},
	{"huge input", huge_input, 17, "the input \"x\" is too large"},
	{"huge initializer", huge_initializer, 17, "the initializer \"w\": has dims that are negative or too large"},
	{"initializer without data", large_but_empty_initializer, 17, "has 0 entries in float_data, its dims need 4294967296"},
	{"too little raw data", short_raw, 17, "has 3 bytes of raw data, its type and dims need 16"},
	{"complex numbers", complex_initializer, 17, "has element type 14, which is not supported"},
	{"external data", external, 17, "its data is in another file, which is not allowed here"},
	{"recursive function", recursive_function, 17, "the function \"F\" calls itself"},
	{"functions that explode", exploding_functions, 17, "more than 1048576 nodes when its functions are inlined"},
	{"stride 0", zero_stride, 17, "attribute strides has the entry 0"},
	{"kernel too large", kernel_too_large, 17, "its kernel spans 3 on axis 0"},
	{"overflowing sizes", overflowing_expand, 17, "the result has too many elements"},
	{"too many outputs", many_outputs, 17, "output 1 (\"z\") is not supported"},
};

static void wrong_models_are_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS(wrongs); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		model *m = model_new(a, wrongs[i].opset);
		wrongs[i].make(m);
		graph *g = import_with(m, NULL, d);
		if (g || !strstr(diag_text(d), wrongs[i].message))
			print_error("%s: %s\n", wrongs[i].what, diag_text(d));
		assert_null(g);
		assert_non_null(strstr(diag_text(d), wrongs[i].message));
		arena_free(a);
	}
}

static void one_run_reports_everything(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	model *m = model_new(a, 17);
	base(m);
	model_node(m, "Alpha", "x", "a");
	model_node(m, "Relu", "a", "b"); /* uses an unknown value: silent */
	node_attr_i(a, model_node(m, "Relu", "x", "c"), "speed", 1);
	model_node(m, "Beta", "b", "e"); /* reported though its input is unknown */
	model_node(m, "Add", "b,c", "y");
	assert_null(import_with(m, NULL, d));
	assert_int_equal(diag_error_count(d), 3);
	assert_non_null(strstr(diag_text(d), "Alpha"));
	assert_non_null(strstr(diag_text(d), "speed"));
	assert_non_null(strstr(diag_text(d), "Beta"));
	arena_free(a);
}

static void options_that_name_nothing_are_errors(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	model *m = model_new(a, 17);
	relu(m);
	dim_range dims[] = {{.name = "nope", .lo = 1, .hi = 1}};
	input_shape inputs[] = {{"nobody", DTYPE_NONE, 0, NULL}};
	const char *outputs[] = {"nowhere"};
	import_options o = {.dims = dims, .n_dims = 1, .inputs = inputs, .n_inputs = 1, .outputs = outputs, .n_outputs = 1};
	assert_null(import_with(m, &o, d));
	assert_non_null(strstr(diag_text(d), "\"nope\""));
	assert_non_null(strstr(diag_text(d), "\"nobody\""));
	assert_non_null(strstr(diag_text(d), "\"nowhere\""));
	arena_free(a);
}

/* ---- damaged files ---------------------------------------------------------------------------------------------------------- */
/* A model with something of everything. */
static file_data rich_model(arena *a)
{
	model *m = model_new(a, 17);
	model_opset(m, "local", 1);
	model_input(m, "x", ONNX_FLOAT, DIMS(-1, 3, 8, 8));
	model_floats(m, "w", DIMS(4, 3, 3, 3));
	model_ints(m, "to", (int64_t[]){0, -1}, 2);
	Onnx__NodeProto *conv = model_node(m, "Conv", "x,w", "c");
	node_attr_ints(a, conv, "pads", (int64_t[]){1, 1, 1, 1}, 4);
	node_attr_ints(a, conv, "strides", (int64_t[]){2, 2}, 2);
	Onnx__FunctionProto *f = model_function(m, "Act", "v", "w");
	function_node(m, f, "Sigmoid", "v", "s");
	function_node(m, f, "Mul", "v,s", "w");
	model_node(m, "Act", "c", "r")->domain = arena_strdup(a, "local");
	model_node(m, "Reshape", "r,to", "f");
	node_attr_i(a, model_node(m, "Softmax", "f", "y"), "axis", -1);
	model_output(m, "y");
	return model_bytes(m);
}

/* Whatever it is: a graph that verifies, or an error. */
static void import_anything(const unsigned char *data, size_t n)
{
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	unsigned char *copy = malloc(n ? n : 1); /* of exactly this size, so that overruns are seen */
	const char *why = "";
	memcpy(copy, data, n);
	graph *g = onnx_import(a, "m.onnx", copy, n, NULL, d);
	if (g && !graph_verify(g, a, &why))
		fail_msg("%s", why);
	assert_true(g || diag_error_count(d) > 0);
	free(copy);
	arena_free(a);
}

static void truncated_files_are_errors(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	file_data f = rich_model(a);
	for (size_t n = 0; n < f.size; n++)
		import_anything(f.data, n);
	arena_free(a);
}

static void flipped_bytes_do_no_harm(void **state)
{
	(void)state;
	static const unsigned char masks[] = {0x01, 0x80, 0xff, 0x18};
	arena *a = arena_new("test");
	file_data f = rich_model(a);
	unsigned char *data = arena_alloc(a, f.size, 1);
	memcpy(data, f.data, f.size);
	for (size_t i = 0; i < f.size; i++)
		for (size_t k = 0; k < N_ROWS(masks); k++) {
			data[i] ^= masks[k];
			import_anything(data, f.size);
			data[i] ^= masks[k];
		}
	arena_free(a);
}

/* graph { node { attribute { g { node { ..., each length in three bytes, written from the inside. */
static void deep_nesting_is_an_error(void **state)
{
	(void)state;
	enum { DEPTH = 3000 };
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	unsigned char *at = arena_alloc(a, 8 * DEPTH, 1), *end = at + 8 * DEPTH, *p = end;
	static const unsigned char fields[] = {1, 5, 6};
	for (int i = 0; i < DEPTH; i++) {
		size_t n = (size_t)(end - p);
		*--p = (unsigned char)(n >> 14);
		*--p = (unsigned char)((n >> 7 & 127) | 128);
		*--p = (unsigned char)((n & 127) | 128);
		*--p = (unsigned char)((i == DEPTH - 1 ? 7 : fields[(DEPTH - 2 - i) % 3]) << 3 | 2);
	}
	assert_null(onnx_import(a, "m.onnx", p, (size_t)(end - p), NULL, d));
	assert_non_null(strstr(diag_text(d), "nested deeper than 100"));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exporters_shape_arithmetic_vanishes),
		cmocka_unit_test(unnamed_dims_become_fresh_symbols),
		cmocka_unit_test(options_fix_and_bound_dims),
		cmocka_unit_test(functions_are_inlined_with_their_attributes),
		cmocka_unit_test(an_output_may_be_an_input_or_a_constant),
		cmocka_unit_test(an_initializer_that_is_also_an_input_is_a_constant),
		cmocka_unit_test(slices_are_clamped_as_in_python),
		cmocka_unit_test(wrong_models_are_explained),
		cmocka_unit_test(one_run_reports_everything),
		cmocka_unit_test(options_that_name_nothing_are_errors),
		cmocka_unit_test(truncated_files_are_errors),
		cmocka_unit_test(flipped_bytes_do_no_harm),
		cmocka_unit_test(deep_nesting_is_an_error),
	};
	return RUN_TESTS(tests);
}
