/* Typed access to attributes: see onnx_attr.h. */
#include "frontend/onnx_attr.h"

#include "frontend/scope.h"

#include <string.h>

typedef enum attr_type {
	TYPE_UNDEFINED,
	TYPE_FLOAT,
	TYPE_INT,
	TYPE_STRING,
	TYPE_TENSOR,
	TYPE_GRAPH,
	TYPE_FLOATS,
	TYPE_INTS,
	TYPE_STRINGS,
	TYPE_TENSORS,
	TYPE_GRAPHS,
	TYPE_SPARSE_TENSOR,
	TYPE_SPARSE_TENSORS,
	TYPE_TYPE_PROTO,
	TYPE_TYPE_PROTOS,
	TYPE_COUNT,
} attr_type;

static const char *const type_names[TYPE_COUNT] = {
	[TYPE_UNDEFINED] = "undefined",
	[TYPE_FLOAT] = "a float",
	[TYPE_INT] = "an integer",
	[TYPE_STRING] = "a string",
	[TYPE_TENSOR] = "a tensor",
	[TYPE_GRAPH] = "a graph",
	[TYPE_FLOATS] = "a list of floats",
	[TYPE_INTS] = "a list of integers",
	[TYPE_STRINGS] = "a list of strings",
	[TYPE_TENSORS] = "a list of tensors",
	[TYPE_GRAPHS] = "a list of graphs",
	[TYPE_SPARSE_TENSOR] = "a sparse tensor",
	[TYPE_SPARSE_TENSORS] = "a list of sparse tensors",
	[TYPE_TYPE_PROTO] = "a type",
	[TYPE_TYPE_PROTOS] = "a list of types",
};

/* Files of the first IR versions leave `type` out; then the field that is there tells. */
static attr_type type_of(const Onnx__AttributeProto *a)
{
	if (a->has_type && a->type > 0)
		return a->type < TYPE_COUNT ? (attr_type)a->type : TYPE_UNDEFINED;
	return a->has_f      ? TYPE_FLOAT
	     : a->has_i      ? TYPE_INT
	     : a->has_s      ? TYPE_STRING
	     : a->t          ? TYPE_TENSOR
	     : a->g          ? TYPE_GRAPH
	     : a->n_floats   ? TYPE_FLOATS
	     : a->n_ints     ? TYPE_INTS
	     : a->n_strings  ? TYPE_STRINGS
			     : TYPE_UNDEFINED;
}

static int find(const onnx_node *n, const char *name)
{
	for (size_t i = 0; i < n->proto->n_attribute; i++)
		if (n->attrs[i] && strcmp(text_of(n->proto->attribute[i]->name), name) == 0)
			return (int)i;
	return -1;
}

bool attr_given(const onnx_node *n, const char *name) { return find(n, name) >= 0; }

void attr_ignore(const onnx_node *n, const char *name)
{
	int i = find(n, name);
	if (i >= 0)
		n->asked[i] = true;
}

/* The attribute, which must be of that type; NULL when absent. */
static const Onnx__AttributeProto *ask(importer *im, const onnx_node *n, const char *name, attr_type type)
{
	int i = find(n, name);
	if (i < 0)
		return NULL;
	n->asked[i] = true;
	attr_type found = type_of(n->attrs[i]);
	bool empty_list = found == TYPE_UNDEFINED && (type == TYPE_INTS || type == TYPE_FLOATS || type == TYPE_STRINGS);
	if (found != type && !empty_list)
		refuse(im, n, "attribute %s is %s, must be %s", name, type_names[found], type_names[type]);
	return n->attrs[i];
}

static _Noreturn void missing(importer *im, const onnx_node *n, const char *name)
{
	refuse(im, n, "attribute %s is missing", name);
}

int64_t attr_int(importer *im, const onnx_node *n, const char *name, int64_t otherwise)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_INT);
	return a ? a->i : otherwise;
}

int64_t attr_int_required(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_INT);
	if (!a)
		missing(im, n, name);
	return a->i;
}

bool attr_flag(importer *im, const onnx_node *n, const char *name, bool otherwise)
{
	int64_t i = attr_int(im, n, name, otherwise);
	if (i != 0 && i != 1)
		refuse(im, n, "attribute %s is %lld, must be 0 or 1", name, (long long)i);
	return i == 1;
}

double attr_float(importer *im, const onnx_node *n, const char *name, double otherwise)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_FLOAT);
	return a ? (double)a->f : otherwise;
}

const char *attr_string(importer *im, const onnx_node *n, const char *name, const char *otherwise)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_STRING);
	return a ? arena_strndup(im->a, (const char *)a->s.data, a->s.len) : otherwise;
}

const char *attr_word(importer *im, const onnx_node *n, const char *name, const char *allowed)
{
	const char *word = attr_string(im, n, name, NULL);
	if (!word)
		return arena_strndup(im->a, allowed, strcspn(allowed, " "));
	size_t len = strlen(word);
	for (const char *at = allowed; *at;) {
		size_t end = strcspn(at, " ");
		if (end == len && memcmp(at, word, len) == 0)
			return word;
		at += end + strspn(at + end, " ");
	}
	refuse(im, n, "attribute %s is \"%s\", which is not supported; supported: %s", name, word, allowed);
}

int_list attr_ints(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_INTS);
	if (!a)
		return (int_list){0};
	if (a->n_ints > INT32_MAX)
		refuse(im, n, "attribute %s has too many entries", name);
	return (int_list){a->ints, (int)a->n_ints, true};
}

int_list attr_ints_required(importer *im, const onnx_node *n, const char *name)
{
	int_list list = attr_ints(im, n, name);
	if (!list.given)
		missing(im, n, name);
	return list;
}

const int64_t *attr_ints_or(importer *im, const onnx_node *n, const char *name, int count, int64_t lo, int64_t otherwise)
{
	int_list list = attr_ints(im, n, name);
	if (list.given && list.n != count)
		refuse(im, n, "attribute %s has %d entries, needs %d", name, list.n, count);
	int64_t *v = new_array(im->a, int64_t, (size_t)count);
	for (int i = 0; i < count; i++) {
		v[i] = list.given ? list.v[i] : otherwise;
		if (v[i] < lo || v[i] > INT32_MAX)
			refuse(im, n, "attribute %s has the entry %lld, must be %lld to %d", name, (long long)v[i],
			       (long long)lo, INT32_MAX);
	}
	return v;
}

float_list attr_floats(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_FLOATS);
	if (!a)
		return (float_list){0};
	if (a->n_floats > INT32_MAX)
		refuse(im, n, "attribute %s has too many entries", name);
	return (float_list){a->floats, (int)a->n_floats, true};
}

const tensor *attr_tensor(importer *im, const onnx_node *n, const char *name)
{
	const char *why = "";
	int i = find(n, name);
	if (i < 0)
		return NULL;
	n->asked[i] = true;
	const Onnx__AttributeProto *a = n->attrs[i];
	tensor *t = new(im->a, tensor);
	bool sparse = type_of(a) == TYPE_SPARSE_TENSOR;
	if (!(sparse ? (const void *)a->sparse_tensor : a->t))
		refuse(im, n, "attribute %s is %s, must be a tensor", name, type_names[type_of(a)]);
	bool ok = sparse ? tensor_of_sparse(&im->store, a->sparse_tensor, t, &why)
			 : tensor_of_proto(&im->store, a->t, t, &why);
	if (!ok)
		refuse(im, n, "attribute %s: %s", name, *why ? why : "its data cannot be read");
	return t;
}

dtype attr_dtype(importer *im, const onnx_node *n, const char *name, dtype otherwise)
{
	if (!attr_given(n, name))
		return otherwise;
	int64_t code = attr_int(im, n, name, 0);
	dtype t = code > 0 && code < INT32_MAX ? dtype_of_onnx((int)code) : DTYPE_NONE;
	if (t == DTYPE_NONE)
		refuse(im, n, "attribute %s names element type %lld, which is not supported", name, (long long)code);
	return t;
}

void attr_check_all_known(importer *im, const onnx_node *n)
{
	for (size_t i = 0; i < n->proto->n_attribute; i++)
		if (n->attrs[i] && !n->asked[i])
			refuse(im, n, "attribute %s is not supported", text_of(n->proto->attribute[i]->name));
}

const Onnx__GraphProto *attr_graph(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_GRAPH);
	if (!a || !a->g)
		missing(im, n, name);
	return a->g;
}

text_list attr_texts(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_STRINGS);
	if (!a)
		return (text_list){0};
	slice *v = new_array(im->a, slice, a->n_strings + 1);
	for (size_t i = 0; i < a->n_strings; i++)
		v[i] = (slice){a->strings[i].len ? (const char *)a->strings[i].data : "", a->strings[i].len};
	return (text_list){v, (int)a->n_strings, true};
}

string_list attr_strings(importer *im, const onnx_node *n, const char *name)
{
	const Onnx__AttributeProto *a = ask(im, n, name, TYPE_STRINGS);
	if (!a)
		return (string_list){0};
	const char **v = new_array(im->a, const char *, a->n_strings + 1);
	for (size_t i = 0; i < a->n_strings; i++)
		v[i] = arena_strndup(im->a, (const char *)a->strings[i].data, a->strings[i].len);
	return (string_list){v, (int)a->n_strings, true};
}
