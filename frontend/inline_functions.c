/* Model-local functions: a call becomes the function's nodes, in a scope of its own.
 *
 * Functions must not call themselves, directly or through others; that is checked before anything is imported, so inlining
 * ends.  Since nested calls can still multiply, the number of inlined nodes is limited. */
#include "frontend/scope.h"

#include <string.h>

static bool same(const char *a, const char *b) { return strcmp(text_of(a), text_of(b)) == 0; }

static bool same_domain(const char *a, const char *b)
{
	return same(a, b) || (is_ai_onnx(text_of(a)) && is_ai_onnx(text_of(b)));
}

const Onnx__FunctionProto *function_find(const importer *im, const Onnx__NodeProto *call)
{
	for (size_t i = 0; i < im->model->n_functions; i++) {
		const Onnx__FunctionProto *f = im->model->functions[i];
		if (same(f->name, call->op_type) && same_domain(f->domain, call->domain) && same(f->overload, call->overload))
			return f;
	}
	return NULL;
}

/* ---- checks ---------------------------------------------------------------------------------------------------------- */
enum { UNSEEN, OPEN, DONE };

typedef struct walk {
	importer *im;
	unsigned char *state;
} walk;

static size_t index_of(const importer *im, const Onnx__FunctionProto *f)
{
	size_t i = 0;
	while (im->model->functions[i] != f)
		i++;
	return i;
}

static bool walk_function(walk *w, const Onnx__FunctionProto *f, int depth)
{
	unsigned char *state = &w->state[index_of(w->im, f)];
	if (*state == DONE)
		return true;
	if (*state == OPEN || depth > MAX_CALL_DEPTH) {
		diag_error(w->im->diag, DIAG_FILE(w->im->path), "the function \"%s\" %s", text_of(f->name),
			   *state == OPEN ? "calls itself" : "is nested too deeply");
		return false;
	}
	*state = OPEN;
	for (size_t i = 0; i < f->n_node; i++) {
		const Onnx__FunctionProto *callee = function_find(w->im, f->node[i]);
		if (callee && !walk_function(w, callee, depth + 1))
			return false;
	}
	*state = DONE;
	return true;
}

bool functions_check(importer *im)
{
	size_t n = im->model->n_functions;
	walk w = {im, new_array(im->a, unsigned char, n)};
	for (size_t i = 0; i < n; i++) {
		const Onnx__FunctionProto *f = im->model->functions[i];
		Onnx__NodeProto call = {.op_type = f->name, .domain = f->domain, .overload = f->overload};
		if (function_find(im, &call) != f) {
			diag_error(im->diag, DIAG_FILE(im->path), "the function \"%s\" is defined twice", text_of(f->name));
			return false;
		}
		if (!walk_function(&w, f, 0))
			return false;
	}
	return true;
}

/* ---- attributes ------------------------------------------------------------------------------------------------------ */
const Onnx__AttributeProto *attribute_resolve(const scope *s, const Onnx__AttributeProto *a)
{
	if (!a->ref_attr_name || !*a->ref_attr_name)
		return a;
	for (size_t i = 0; i < s->n_attrs; i++)
		if (s->attrs[i] && same(s->attrs[i]->name, a->ref_attr_name))
			return s->attrs[i];
	return NULL;
}

/* What the call gives, then the function's defaults: an earlier entry wins. */
static void bind_attributes(importer *im, scope *s, const onnx_node *call, const Onnx__FunctionProto *f)
{
	size_t given = call->proto->n_attribute;
	s->n_attrs = given + f->n_attribute_proto;
	s->attrs = new_array(im->a, const Onnx__AttributeProto *, s->n_attrs);
	for (size_t i = 0; i < given; i++) {
		/* a resolved reference keeps the name that the call gives it */
		if (!call->attrs[i])
			continue;
		Onnx__AttributeProto *named = new(im->a, Onnx__AttributeProto);
		*named = *call->attrs[i];
		named->name = call->proto->attribute[i]->name;
		s->attrs[i] = named;
		call->asked[i] = true;
	}
	for (size_t i = 0; i < f->n_attribute_proto; i++)
		s->attrs[given + i] = f->attribute_proto[i];
}

/* ---- calls ----------------------------------------------------------------------------------------------------------- */
void import_call(importer *im, const onnx_node *call, const Onnx__FunctionProto *f)
{
	scope s = {
		.caller = call->scope,
		.graph = im->graph,
		.function = f,
		.values = map_new_str(im->a),
		.opsets = f->opset_import,
		.n_opsets = f->n_opset_import,
		.call = call->at,
		.depth = call->scope->depth + 1,
	};
	if (s.n_opsets == 0) {
		s.opsets = call->scope->opsets;
		s.n_opsets = call->scope->n_opsets;
	}
	if (call->n_in > (int)f->n_input)
		refuse(im, call, "is called with %d inputs, the function takes %zu", call->n_in, f->n_input);
	for (int i = 0; i < call->n_in; i++)
		if (call->in[i])
			map_put(s.values, text_of(f->input[i]), call->in[i]);
	bind_attributes(im, &s, call, f);
	import_nodes(im, &s, f->node, f->n_node);
	for (size_t i = 0; i < f->n_output && i < (size_t)call->n_out; i++) {
		value *v = map_get(s.values, text_of(f->output[i]));
		if (!v)
			refuse(im, call, "the function does not define its output \"%s\"", text_of(f->output[i]));
		set_result(call, (int)i, v);
	}
}
