/* A model becomes a graph: unpack, bind initialisers and inputs, import the nodes in order, name the outputs.
 *
 * Names are resolved in a scope; each name is defined once.  A node is imported under a guard of its own: when it is
 * refused, its results become `unknown`, and every node that uses an unknown value is skipped without a word. */
#include "frontend/onnx.h"

#include "frontend/container.h"
#include "frontend/import_reduce.h"
#include "frontend/onnx_attr.h"
#include "frontend/onnx_wire.h"
#include "frontend/scope.h"

#include <string.h>

/* ---- the table of operators ------------------------------------------------------------------------------------------- */
#define AI_ONNX       ""
#define AI_ONNX_PREVIEW  "ai.onnx.preview"
#define AI_ONNX_TRAINING "ai.onnx.preview.training"
#define AI_ONNX_ML    "ai.onnx.ml"
#define COM_MICROSOFT "com.microsoft"
#define VERSIONS(...) {__VA_ARGS__}
static const onnx_op op_rows[] = {
#define ONNX(name, domain, versions, importer)         {#name, domain, versions, importer, 0, false, false},
#define ONNX_AS(name, domain, versions, importer, arg) {#name, domain, versions, importer, arg, false, false},
#define ONNX_OF(name, domain, versions, importer)      {#name, domain, versions, importer, 0, true, false},
#define ONNX_WORDS(name, domain, versions, importer)   {#name, domain, versions, importer, 0, false, true},
#include "frontend/onnx_ops.def"
#undef ONNX_WORDS
#undef ONNX
#undef ONNX_AS
#undef ONNX_OF
};

value unknown;

const char *text_of(const char *s) { return s ? s : ""; }
bool is_ai_onnx(const char *domain) { return !*domain || strcmp(domain, "ai.onnx") == 0; }

static bool same_domain(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (is_ai_onnx(a) && is_ai_onnx(b));
}

static const onnx_op *op_row(const char *domain, const char *name)
{
	for (size_t i = 0; i < sizeof op_rows / sizeof op_rows[0]; i++)
		if (strcmp(op_rows[i].name, name) == 0 && same_domain(op_rows[i].domain, domain))
			return &op_rows[i];
	return NULL;
}

void onnx_list_operators(FILE *to)
{
	for (size_t i = 0; i < sizeof op_rows / sizeof op_rows[0]; i++) {
		const onnx_op *row = &op_rows[i];
		fprintf(to, "%s%s%s", row->domain, *row->domain ? "." : "", row->name);
		for (int k = 0; k < MAX_VERSIONS && row->versions[k]; k++)
			fprintf(to, "%s%d", k ? ", " : "  ", row->versions[k]);
		fputc('\n', to);
	}
}

/* The newest version not above `opset`, 0 when there is none. */
static int version_at(const onnx_op *row, int64_t opset)
{
	int version = 0;
	for (int i = 0; i < MAX_VERSIONS && row->versions[i] && row->versions[i] <= opset; i++)
		version = row->versions[i];
	return version;
}

/* ---- opsets ------------------------------------------------------------------------------------------------------------ */
int64_t opset_of(const scope *s, const char *domain)
{
	for (size_t i = 0; i < s->n_opsets; i++)
		if (same_domain(text_of(s->opsets[i]->domain), domain))
			return s->opsets[i]->version;
	return 0;
}

static bool opsets_check(importer *im, Onnx__OperatorSetIdProto **opsets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool ours = is_ai_onnx(text_of(opsets[i]->domain));
		long long version = opsets[i]->version;
		if (version >= 1 && (!ours || version <= AI_ONNX_NEWEST))
			continue;
		diag_error(im->diag, DIAG_FILE(im->path), "opset %lld of %s is not supported; supported: 1 to %d", version,
			   ours ? "ai.onnx" : opsets[i]->domain, AI_ONNX_NEWEST);
		return false;
	}
	return true;
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */
static bool define(importer *im, scope *s, const char *name, value *v, diag_at at)
{
	if (map_has(s->values, name)) {
		diag_error(im->diag, at, "\"%s\" is defined twice", name);
		return false;
	}
	map_put(s->values, name, v);
	return true;
}

static value *constant(importer *im, const tensor *t, const char *name)
{
	tensor *kept = new(im->a, tensor);
	*kept = *t;
	return build_const(im->graph, kept, name);
}

static void define_initializer(importer *im, scope *s, const char *name, const tensor *t)
{
	if (define(im, s, name, &unknown, DIAG_FILE(im->path)))
		map_put(s->values, name, t ? constant(im, t, name) : &unknown);
}

static void bad_initializer(importer *im, const char *name, const char *why)
{
	if (*why)
		diag_error(im->diag, DIAG_FILE(im->path), "the initializer \"%s\": %s", name, why);
	else
		diag_note(im->diag, "it holds the initializer \"%s\"", name);
}

void import_initializers(importer *im, scope *s, const Onnx__GraphProto *g)
{
	for (size_t i = 0; i < g->n_initializer; i++) {
		const char *name = text_of(g->initializer[i]->name), *why = "";
		tensor t;
		bool ok = tensor_of_proto(&im->store, g->initializer[i], &t, &why);
		if (!ok)
			bad_initializer(im, name, why);
		define_initializer(im, s, name, ok ? &t : NULL);
	}
	for (size_t i = 0; i < g->n_sparse_initializer; i++) {
		const Onnx__SparseTensorProto *p = g->sparse_initializer[i];
		const char *name = p->values ? text_of(p->values->name) : "", *why = "";
		tensor t;
		bool ok = tensor_of_sparse(&im->store, p, &t, &why);
		if (!ok)
			bad_initializer(im, name, why);
		define_initializer(im, s, name, ok ? &t : NULL);
	}
}

/* ---- inputs ------------------------------------------------------------------------------------------------------------- */
static const dim_range *range_of(const importer *im, const char *name)
{
	for (int i = 0; i < im->options->n_dims; i++)
		if (strcmp(im->options->dims[i].name, name) == 0)
			return &im->options->dims[i];
	return NULL;
}

/* The symbol (or, when --dim fixes it, the number) of that name. */
static sym *dim_named(importer *im, const char *name)
{
	const dim_range *r = range_of(im, name);
	map_put(im->dim_params, name, im);
	if (r && r->lo == r->hi)
		return size(im, r->lo);
	return sym_dim(im->syms, name, r ? r->lo : 0, r ? r->hi : INT64_MAX);
}

/* A name for an unnamed axis that no dim of the model has: "x_0". */
static sym *dim_fresh(importer *im, const char *input_name, int axis)
{
	char *name = arena_printf(im->a, "%s_%d", input_name, axis);
	while (map_has(im->dim_params, name))
		name = arena_printf(im->a, "%s_", name);
	return dim_named(im, name);
}

static bool is_name(const char *dim_param)
{
	return *dim_param && strcmp(dim_param, "?") != 0 && strcmp(dim_param, "-1") != 0;
}

static sym *dim_of(importer *im, const Onnx__TensorShapeProto__Dimension *d, const char *input_name, int axis)
{
	if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0)
		return size(im, d->dim_value);
	if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && is_name(text_of(d->dim_param)))
		return dim_named(im, d->dim_param);
	return dim_fresh(im, input_name, axis);
}

static const input_shape *override_of(const importer *im, const char *name)
{
	for (int i = 0; i < im->options->n_inputs; i++)
		if (strcmp(im->options->inputs[i].name, name) == 0)
			return &im->options->inputs[i];
	return NULL;
}

static const char *kind_of(const Onnx__TypeProto *t)
{
	if (!t)
		return "has no type";
	switch (t->value_case) {
	case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE: return "is a sequence";
	case ONNX__TYPE_PROTO__VALUE_MAP_TYPE: return "is a map, which is not supported";
	case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE: return "is optional";
	case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE: return "is a sparse tensor, only dense tensors are supported";
	case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE: return "is opaque, only tensors are supported";
	case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE: return NULL;
	default: return "has no type";
	}
}

static const tensor *constant_given(const importer *im, const char *name)
{
	for (int i = 0; i < im->options->n_constants; i++)
		if (strcmp(im->options->constants[i].name, name) == 0)
			return im->options->constants[i].value;
	return NULL;
}

/* t: a tensor, s: a sequence of what follows, o: an optional. */
static const char *port_kind(importer *im, const Onnx__TypeProto *t)
{
	if (t && t->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE)
		return arena_printf(im->a, "s%s", port_kind(im, t->sequence_type->elem_type));
	if (t && t->value_case == ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE)
		return arena_printf(im->a, "o%s", port_kind(im, t->optional_type->elem_type));
	return "t";
}

static value *import_tensor_input(importer *im, const char *name, const Onnx__TypeProto *p)
{
	const char *kind = kind_of(p);
	diag_at at = DIAG_FILE(im->path);
	const tensor *fixed_value = constant_given(im, name);
	const input_shape *given = override_of(im, name);
	if (kind)
		diag_abandon(im->diag, at, "the input \"%s\" %s", name, kind);
	const Onnx__TypeProto__Tensor *t = p->tensor_type;
	dtype type = dtype_of_onnx(t->elem_type);
	if (type == DTYPE_NONE)
		diag_abandon(im->diag, at, "the input \"%s\" has element type %d, which is not supported", name, t->elem_type);
	if (fixed_value && fixed_value->type != type)
		diag_abandon(im->diag, at, "the input \"%s\" is %s, the constant for it %s", name, dtype_name(type),
			     dtype_name(fixed_value->type));
	if (fixed_value)
		return build_const(im->graph, fixed_value, name);
	if (given && given->type != DTYPE_NONE && given->type != type)
		diag_abandon(im->diag, at, "the input \"%s\" is %s, not %s", name, dtype_name(type), dtype_name(given->type));
	if (given && given->rank < 0)
		diag_abandon(im->diag, at, "the input \"%s\" is a tensor, which cannot be none", name);
	if (!t->shape && !given) {
		diag_error(im->diag, at, "the input \"%s\" has no shape", name);
		diag_hint(im->diag, "give it with --input %s=%s[...]", name, dtype_name(type));
		return &unknown;
	}
	size_t rank = given ? (size_t)given->rank : t->shape->n_dim;
	if (given && t->shape && t->shape->n_dim != rank)
		diag_abandon(im->diag, at, "the input \"%s\" has rank %zu, the shape given has %zu", name, t->shape->n_dim, rank);
	if (rank > MAX_RANK)
		diag_abandon(im->diag, at, "the input \"%s\" has rank %zu, at most %d is supported", name, rank, MAX_RANK);
	sym *dims[MAX_RANK], *fixed = size(im, 1);
	for (size_t i = 0; i < rank; i++) {
		if (!given)
			dims[i] = dim_of(im, t->shape->dim[i], name, (int)i);
		else
			dims[i] = given->dims[i].name ? dim_named(im, given->dims[i].name) : size(im, given->dims[i].value);
		if (sym_is_const(dims[i], NULL))
			fixed = sym_mul(fixed, dims[i]);
	}
	if (sym_overflowed(im->syms) || fixed->hi > INT64_MAX / 8)
		diag_abandon(im->diag, at, "the input \"%s\" is too large", name);
	return graph_input(im->graph, name, type, (int)rank, dims);
}

/* Does an option describe the input, or a part of it: "x", "x.0"? */
static bool is_described(const importer *im, const char *name)
{
	size_t n = strlen(name);
	for (int i = 0; i < im->options->n_inputs; i++) {
		const char *given = im->options->inputs[i].name;
		if (strncmp(given, name, n) == 0 && (given[n] == '\0' || given[n] == '.'))
			return true;
	}
	return false;
}

static value *ask_for_contents(importer *im, const char *name, const char *kind)
{
	bool sequence = kind[0] == 's';
	diag_error(im->diag, DIAG_FILE(im->path), "the input \"%s\" is %s, and what it holds must be known", name,
	           sequence ? "a sequence" : "optional");
	diag_hint(im->diag, sequence ? "--input %s.0=TYPE[...] --input %s.1=... describes its elements, --input %s=none none"
	                             : "--input %s=TYPE[...] describes its element, --input %s=none none", name, name, name);
	return &unknown;
}

/* An input of any kind.  The elements of a sequence x are the inputs x.0, x.1 ... that the options describe. */
static value *import_input(importer *im, map *seen, const char *name, const Onnx__TypeProto *t)
{
	const char *kind = port_kind(im, t);
	const input_shape *given = override_of(im, name);
	bool none = given && given->rank < 0;
	map_put(seen, name, im);
	if (kind[0] == 't')
		return import_tensor_input(im, name, t);
	if (!is_described(im, name) && !none)
		return ask_for_contents(im, name, kind);
	vec(value *) items = {0};
	if (kind[0] == 'o') {
		value *item = none ? NULL : import_input(im, seen, name, t->optional_type->elem_type);
		return item == &unknown ? item : optional_of(im, item);
	}
	for (int k = 0; !none; k++) {
		const char *element = arena_printf(im->a, "%s.%d", name, k);
		if (!is_described(im, element))
			break;
		value *item = import_input(im, seen, element, t->sequence_type->elem_type);
		if (item == &unknown)
			return item;
		vec_push(im->a, &items, item);
	}
	return sequence_of(im, items.v, items.n);
}

static void note_dim_params(importer *im, const Onnx__GraphProto *g)
{
	for (size_t i = 0; i < g->n_input; i++) {
		const Onnx__TypeProto *t = g->input[i]->type;
		if (kind_of(t) || !t->tensor_type->shape)
			continue;
		for (size_t k = 0; k < t->tensor_type->shape->n_dim; k++) {
			const Onnx__TensorShapeProto__Dimension *d = t->tensor_type->shape->dim[k];
			if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
				map_put(im->dim_params, text_of(d->dim_param), im);
		}
	}
}

static void import_inputs(importer *im, scope *s, const Onnx__GraphProto *g)
{
	note_dim_params(im, g);
	map *seen = map_new_str(im->a);
	for (size_t i = 0; i < g->n_input; i++) {
		const char *name = text_of(g->input[i]->name);
		if (map_has(seen, name))
			diag_error(im->diag, DIAG_FILE(im->path), "the input \"%s\" is declared twice", name);
		map_put(seen, name, im);
		if (map_has(s->values, name)) /* an initializer: a constant with a declaration */
			continue;
		if (im->notes)
			vec_push(im->a, &im->notes->inputs, ((port_note){name, port_kind(im, g->input[i]->type), 0, 0}));
		map_put(s->values, name, &unknown);
		if (diag_guard(im->diag)) {
			value *v = import_input(im, seen, name, g->input[i]->type);
			diag_pop_guard(im->diag);
			map_put(s->values, name, v);
		}
	}
	for (int i = 0; i < im->options->n_inputs; i++)
		if (!map_has(seen, im->options->inputs[i].name))
			diag_error(im->diag, DIAG_FILE(im->path), "--input names \"%s\", but the model has no such input",
				   im->options->inputs[i].name);
	for (int i = 0; i < im->options->n_constants; i++)
		if (!map_has(seen, im->options->constants[i].name))
			diag_error(im->diag, DIAG_FILE(im->path), "a constant is given for \"%s\", but the model has no such input",
				   im->options->constants[i].name);
	for (int i = 0; i < im->options->n_dims; i++)
		if (!map_has(im->dim_params, im->options->dims[i].name))
			diag_error(im->diag, DIAG_FILE(im->path), "--dim names \"%s\", but no input has such a dim",
				   im->options->dims[i].name);
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------- */
static bool defined_later(Onnx__NodeProto **nodes, size_t from, size_t n, const char *name)
{
	for (size_t i = from; i < n; i++)
		for (size_t k = 0; k < nodes[i]->n_output; k++)
			if (strcmp(text_of(nodes[i]->output[k]), name) == 0)
				return true;
	return false;
}

static diag_at node_at(const importer *im, const scope *s, const Onnx__NodeProto *p, size_t index)
{
	diag_at at = {.file = im->path, .node = (int)index, .node_name = text_of(p->name), .op = text_of(p->op_type)};
	if (!s->caller && !s->parent)
		return at;
	at.node = s->call.node;
	if (!s->caller) {
		at.node_name = p->name && *p->name ? p->name : s->call.node_name;
		return at;
	}
	at.node_name = s->call.node_name;
	if (p->name && *p->name)
		at.node_name = arena_printf(im->a, "%s%s%s", s->call.node_name, *s->call.node_name ? "/" : "", p->name);
	return at;
}

/* Finds the inputs; false when one is unknown because of an earlier error. */
static bool bind_inputs(importer *im, onnx_node *n, Onnx__NodeProto **nodes, size_t index, size_t n_nodes)
{
	bool known = true;
	const Onnx__NodeProto *p = n->proto;
	while (n->n_in > 0 && !*text_of(p->input[n->n_in - 1]))
		n->n_in--;
	n->in = new_array(im->a, value *, (size_t)n->n_in);
	for (int i = 0; i < n->n_in; i++) {
		const char *name = text_of(p->input[i]);
		if (!*name)
			continue;
		n->in[i] = scope_find(im, n->scope, name);
		bool optional = n->scope->function && !n->in[i];
		for (size_t k = 0; optional && k < n->scope->function->n_input; k++)
			if (strcmp(text_of(n->scope->function->input[k]), name) == 0)
				name = "";
		if (!n->in[i] && *name)
			refuse(im, n, defined_later(nodes, index, n_nodes, name)
					? "uses \"%s\", which only this or a later node defines: the graph has a cycle or is not sorted"
					: "uses \"%s\", which nothing defines", name);
		known = known && n->in[i] != &unknown;
	}
	return known;
}

static void bind_attrs(importer *im, onnx_node *n)
{
	size_t count = n->proto->n_attribute;
	n->attrs = new_array(im->a, const Onnx__AttributeProto *, count);
	n->asked = new_array(im->a, bool, count);
	for (size_t i = 0; i < count; i++) {
		n->attrs[i] = attribute_resolve(n->scope, n->proto->attribute[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(text_of(n->proto->attribute[k]->name), text_of(n->proto->attribute[i]->name)) == 0)
				refuse(im, n, "attribute %s is given twice", text_of(n->proto->attribute[i]->name));
	}
}

static void find_operator(importer *im, onnx_node *n)
{
	const char *domain = text_of(n->proto->domain), *name = text_of(n->proto->op_type);
	int64_t opset = opset_of(n->scope, domain);
	n->op = op_row(domain, name);
	if (!n->op)
		refuse(im, n, "the operator %s%s%s is not supported", is_ai_onnx(domain) ? "" : domain,
		       is_ai_onnx(domain) ? "" : ".", name);
	if (opset == 0)
		refuse(im, n, "the model does not import the opset of domain \"%s\"", domain);
	n->version = version_at(n->op, opset);
	if (n->version == 0)
		refuse(im, n, "opset %lld has no operator %s; it came with %d", (long long)opset, name, n->op->versions[0]);
}

static void import_operator(importer *im, onnx_node *n)
{
	value *first = n->op->import(im, n);
	if (first)
		set_result(n, 0, first);
	attr_check_all_known(im, n);
}

static void check_results(importer *im, onnx_node *n)
{
	if (sym_overflowed(im->syms)) {
		sym_clear_overflow(im->syms);
		refuse(im, n, "a size does not fit in 64 bits");
	}
	for (int i = 0; i < n->n_out; i++)
		if (!n->out[i] && result_wanted(n, i))
			refuse(im, n, "output %d (\"%s\") is not supported", i, n->proto->output[i]);
}

static bool takes(const onnx_op *row, value *v)
{
	const container *c = container_of(v);
	return !c || (c->words ? row->takes_words : row->takes_containers);
}

static void import_node_body(importer *im, onnx_node *n, Onnx__NodeProto **nodes, size_t index, size_t n_nodes)
{
	if (++im->n_nodes > MAX_INLINED_NODES)
		refuse(im, n, "the model has more than %d nodes when its functions are inlined", MAX_INLINED_NODES);
	bind_attrs(im, n);
	const Onnx__FunctionProto *f = function_find(im, n->proto);
	if (!f)
		find_operator(im, n);
	if (!bind_inputs(im, n, nodes, index, n_nodes))
		return;
	for (int i = 0; !f && i < n->n_in; i++)
		if (n->in[i] && !takes(n->op, n->in[i]))
			refuse(im, n, "input %d is %s, must be a tensor", i, container_word(n->in[i]));
	if (f)
		import_call(im, n, f);
	else
		import_operator(im, n);
	check_results(im, n);
}

/* Every name that the node defines: its result, or unknown. */
static void define_results(importer *im, const onnx_node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (result_wanted(n, i))
			define(im, n->scope, n->proto->output[i], n->out[i] ? n->out[i] : &unknown, n->at);
}

static void import_node(importer *im, scope *s, Onnx__NodeProto **nodes, size_t index, size_t n_nodes)
{
	const Onnx__NodeProto *p = nodes[index];
	onnx_node *n = new(im->a, onnx_node);
	*n = (onnx_node){
		.proto = p,
		.scope = s,
		.n_in = (int)p->n_input,
		.n_out = (int)p->n_output,
		.out = new_array(im->a, value *, p->n_output),
		.at = node_at(im, s, p, index),
	};
	im->fixable = NULL;
	graph *const into = im->graph;
	im->graph->at = n->at;
	im->graph->src = (source){n->at.node, n->at.node_name, n->at.op};
	if (diag_guard(im->diag)) {
		import_node_body(im, n, nodes, index, n_nodes);
		diag_pop_guard(im->diag);
	} else {
		im->graph = into; /* it may have been inside a body */
		if (im->fixable)
			diag_hint(im->diag, "--const %s=FILE fixes the input while compiling", im->fixable);
		sym_clear_overflow(im->syms);
		memset(n->out, 0, p->n_output * sizeof *n->out);
	}
	define_results(im, n);
}

void import_nodes(importer *im, scope *s, Onnx__NodeProto **nodes, size_t n)
{
	for (size_t i = 0; i < n && im->n_nodes <= MAX_INLINED_NODES; i++)
		import_node(im, s, nodes, i, n);
}

/* ---- outputs ------------------------------------------------------------------------------------------------------------- */
/* An output that is an input: no two values of a graph have one name. */
static const char *free_name(importer *im, const char *name)
{
	for (int i = 0; i < im->graph->inputs.n; i++) {
		if (strcmp(im->graph->inputs.v[i]->name, name) != 0)
			continue;
		const char *other = free_name(im, arena_printf(im->a, "%s_out", name));
		diag_warning(im->diag, DIAG_FILE(im->path), "the output \"%s\" is also an input; it is called \"%s\"", name,
			     other);
		return other;
	}
	return name;
}

/* `declared`: the element type that the model gives the output, DTYPE_NONE when it gives none. */
static void import_tensor_output(importer *im, value *v, const char *name, dtype declared)
{
	diag_at at = DIAG_FILE(im->path);
	for (int i = 0; i < im->graph->outputs.n; i++)
		if (strcmp(im->graph->outputs.v[i]->name, name) == 0)
			diag_abandon(im->diag, at, "the output \"%s\" is declared twice", name);
	if (v == &unknown)
		return;
	if (declared != DTYPE_NONE && declared != v->type)
		diag_abandon(im->diag, at, "the output \"%s\" is declared as %s, but is %s", name, dtype_name(declared), dtype_name(v->type));
	bool named = !v->def || value_is_output(im->graph, v) || value_is_const(v);
	graph_output(im->graph, named ? build_copy(im->graph, v) : v, free_name(im, name));
}

/* The tensors of a sequence y are the outputs y.0, y.1 ... */
static void import_output_value(importer *im, value *v, const char *name, dtype declared)
{
	const container *c = container_of(v);
	if (c && c->words)
		diag_abandon(im->diag, DIAG_FILE(im->path), "the output \"%s\" holds words of texts, which are not supported", name);
	if (!c)
		import_tensor_output(im, v, name, declared);
	for (int k = 0; c && k < c->n; k++)
		import_output_value(im, c->items[k], c->is_optional ? name : arena_printf(im->a, "%s.%d", name, k), DTYPE_NONE);
}

static void import_output(importer *im, const scope *s, const char *name, dtype declared)
{
	value *v = map_get(s->values, name);
	if (!v)
		diag_abandon(im->diag, DIAG_FILE(im->path), "the output \"%s\" is not defined", name);
	import_output_value(im, v, name, declared);
}

static void try_output(importer *im, const scope *s, const char *name, dtype declared)
{
	im->graph->at = DIAG_FILE(im->path);
	im->graph->src = (source){.index = -1, .name = "", .op = ""};
	if (diag_guard(im->diag)) {
		import_output(im, s, name, declared);
		diag_pop_guard(im->diag);
	}
}

static dtype declared_type(const Onnx__ValueInfoProto *p)
{
	const Onnx__TypeProto__Tensor *t = p->type && !kind_of(p->type) ? p->type->tensor_type : NULL;
	return t ? dtype_of_onnx(t->elem_type) : DTYPE_NONE;
}

static void import_outputs(importer *im, const scope *s, const Onnx__GraphProto *g)
{
	if (g->n_output + (size_t)im->options->n_outputs == 0)
		diag_error(im->diag, DIAG_FILE(im->path), "the model has no output");
	for (size_t i = 0; i < g->n_output; i++) {
		port_note note = {text_of(g->output[i]->name), port_kind(im, g->output[i]->type), im->graph->outputs.n, 0};
		try_output(im, s, note.name, declared_type(g->output[i]));
		note.count = im->graph->outputs.n - note.first;
		if (im->notes)
			vec_push(im->a, &im->notes->outputs, note);
	}
	for (int i = 0; i < im->options->n_outputs; i++)
		try_output(im, s, im->options->outputs[i], DTYPE_NONE);
}

/* ---- models -------------------------------------------------------------------------------------------------------------- */
static void import_model(importer *im)
{
	const Onnx__ModelProto *m = im->model;
	scope s = {.values = map_new_str(im->a), .opsets = m->opset_import, .n_opsets = m->n_opset_import, .graph = im->graph};
	import_initializers(im, &s, m->graph);
	import_inputs(im, &s, m->graph);
	import_nodes(im, &s, m->graph->node, m->graph->n_node);
	import_outputs(im, &s, m->graph);
}

static bool model_check(importer *im)
{
	const Onnx__ModelProto *m = im->model;
	diag_at at = DIAG_FILE(im->path);
	if (!m->graph) {
		diag_error(im->diag, at, "is not an ONNX model: it has no graph");
		return false;
	}
	if (m->n_opset_import == 0) {
		diag_error(im->diag, at, "does not say which opset it uses");
		return false;
	}
	bool ok = opsets_check(im, m->opset_import, m->n_opset_import);
	for (size_t i = 0; ok && i < m->n_functions; i++)
		ok = opsets_check(im, m->functions[i]->opset_import, m->functions[i]->n_opset_import);
	return ok && functions_check(im);
}

graph *onnx_import(arena *a, const char *path, const unsigned char *data, size_t n, const import_options *options, diag *d)
{
	static const import_options none;
	const char *why = "";
	int errors = diag_error_count(d);
	const Onnx__ModelProto *model = wire_unpack(a, &onnx__model_proto__descriptor, data, n, &why);
	if (!model) {
		diag_error(d, DIAG_FILE(path), "is not an ONNX model: %s", why);
		return NULL;
	}
	options = options ? options : &none;
	importer im = {
		.a = a,
		.diag = d,
		.path = path,
		.options = options,
		.notes = options->notes,
		.model = model,
		.store = {.a = a, .data = data, .n = n, .dir = path_dir(a, path), .files = options->files, .diag = d},
		.dim_params = map_new_str(a),
	};
	if (!model_check(&im))
		return NULL;
	const char *name = text_of(model->graph->name);
	im.graph = graph_new(a, *name ? name : "model");
	im.graph->diag = d;
	im.graph->at = DIAG_FILE(path);
	im.exprs = im.graph->exprs;
	im.syms = im.graph->syms;
	import_model(&im);
	im.graph->diag = NULL;
	return diag_error_count(d) > errors ? NULL : im.graph;
}
