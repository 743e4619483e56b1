/* ONNX models made in memory, a line per piece, for tests of the frontend. */
#pragma once

#include "frontend/onnx.h"
#include "frontend/onnx.pb-c.h"
#include "support/arena.h"
#include "support/diag.h"

#include <string.h>

typedef struct model {
	arena *a;
	Onnx__ModelProto proto;
	Onnx__GraphProto graph;
	vec(Onnx__NodeProto *) nodes;
	vec(Onnx__TensorProto *) initializers;
	vec(Onnx__ValueInfoProto *) inputs;
	vec(Onnx__ValueInfoProto *) outputs;
	vec(Onnx__OperatorSetIdProto *) opsets;
	vec(Onnx__FunctionProto *) functions;
} model;

enum { ONNX_FLOAT = 1, ONNX_INT32 = 6, ONNX_INT64 = 7, ONNX_BOOL = 9 };

static inline void model_opset(model *m, const char *domain, int64_t version)
{
	Onnx__OperatorSetIdProto *p = new(m->a, Onnx__OperatorSetIdProto);
	onnx__operator_set_id_proto__init(p);
	p->domain = arena_strdup(m->a, domain);
	p->has_version = true;
	p->version = version;
	vec_push(m->a, &m->opsets, p);
}

static inline model *model_new(arena *a, int64_t opset)
{
	model *m = new(a, model);
	m->a = a;
	onnx__model_proto__init(&m->proto);
	onnx__graph_proto__init(&m->graph);
	m->proto.graph = &m->graph;
	m->graph.name = arena_strdup(a, "test");
	if (opset > 0)
		model_opset(m, "", opset);
	return m;
}

/* "a,,b" as three names, the second empty. */
static inline char **names_of(arena *a, const char *list, size_t *n)
{
	char **v = new_array(a, char *, 32);
	*n = 0;
	while (*list) {
		size_t len = strcspn(list, ",");
		v[(*n)++] = arena_strndup(a, list, len);
		list += len + (list[len] == ',');
	}
	return v;
}

static inline Onnx__NodeProto *node_new(arena *a, const char *type, const char *in, const char *out)
{
	Onnx__NodeProto *p = new(a, Onnx__NodeProto);
	onnx__node_proto__init(p);
	p->op_type = arena_strdup(a, type);
	p->input = names_of(a, in, &p->n_input);
	p->output = names_of(a, out, &p->n_output);
	return p;
}

static inline Onnx__NodeProto *model_node(model *m, const char *type, const char *in, const char *out)
{
	Onnx__NodeProto *p = node_new(m->a, type, in, out);
	vec_push(m->a, &m->nodes, p);
	return p;
}

static inline Onnx__AttributeProto *node_attribute(arena *a, Onnx__NodeProto *n, const char *name, int type)
{
	Onnx__AttributeProto *p = new(a, Onnx__AttributeProto), **v = new_array(a, Onnx__AttributeProto *, n->n_attribute + 1);
	onnx__attribute_proto__init(p);
	p->name = arena_strdup(a, name);
	p->has_type = true;
	p->type = type;
	for (size_t i = 0; i < n->n_attribute; i++)
		v[i] = n->attribute[i];
	v[n->n_attribute++] = p;
	n->attribute = v;
	return p;
}

static inline void node_attr_i(arena *a, Onnx__NodeProto *n, const char *name, int64_t i)
{
	Onnx__AttributeProto *p = node_attribute(a, n, name, 2);
	p->has_i = true;
	p->i = i;
}

static inline void node_attr_ints(arena *a, Onnx__NodeProto *n, const char *name, const int64_t *v, size_t count)
{
	Onnx__AttributeProto *p = node_attribute(a, n, name, 7);
	p->ints = new_array(a, int64_t, count);
	memcpy(p->ints, v, count * sizeof *v);
	p->n_ints = count;
}

static inline void node_attr_ref(arena *a, Onnx__NodeProto *n, const char *name, const char *of)
{
	node_attribute(a, n, name, 2)->ref_attr_name = arena_strdup(a, of);
}

/* A dim >= 0, or a negative number -k for the symbol "dk", or INT64_MIN for none at all. */
static inline Onnx__ValueInfoProto *info_new(arena *a, const char *name, int type, const int64_t *dims, size_t rank)
{
	Onnx__ValueInfoProto *p = new(a, Onnx__ValueInfoProto);
	onnx__value_info_proto__init(p);
	p->name = arena_strdup(a, name);
	p->type = new(a, Onnx__TypeProto);
	onnx__type_proto__init(p->type);
	Onnx__TypeProto__Tensor *t = new(a, Onnx__TypeProto__Tensor);
	onnx__type_proto__tensor__init(t);
	p->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	p->type->tensor_type = t;
	t->has_elem_type = true;
	t->elem_type = type;
	t->shape = new(a, Onnx__TensorShapeProto);
	onnx__tensor_shape_proto__init(t->shape);
	t->shape->n_dim = rank;
	t->shape->dim = new_array(a, Onnx__TensorShapeProto__Dimension *, rank);
	for (size_t i = 0; i < rank; i++) {
		Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i] = new(a, Onnx__TensorShapeProto__Dimension);
		onnx__tensor_shape_proto__dimension__init(d);
		if (dims[i] >= 0) {
			d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			d->dim_value = dims[i];
		} else if (dims[i] != INT64_MIN) {
			d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
			d->dim_param = arena_printf(a, "d%d", (int)-dims[i]);
		}
	}
	return p;
}

#define DIMS(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static inline void model_input(model *m, const char *name, int type, const int64_t *dims, size_t rank)
{
	vec_push(m->a, &m->inputs, info_new(m->a, name, type, dims, rank));
}

static inline void model_output(model *m, const char *name)
{
	vec_push(m->a, &m->outputs, info_new(m->a, name, ONNX_FLOAT, NULL, 0));
}

static inline Onnx__TensorProto *tensor_proto(arena *a, const char *name, int type, const int64_t *dims, size_t rank)
{
	Onnx__TensorProto *p = new(a, Onnx__TensorProto);
	onnx__tensor_proto__init(p);
	p->name = arena_strdup(a, name);
	p->has_data_type = true;
	p->data_type = type;
	p->dims = new_array(a, int64_t, rank);
	memcpy(p->dims, dims, rank * sizeof *dims);
	p->n_dims = rank;
	return p;
}

static inline Onnx__TensorProto *model_tensor(model *m, const char *name, int type, const int64_t *dims, size_t rank)
{
	Onnx__TensorProto *p = tensor_proto(m->a, name, type, dims, rank);
	vec_push(m->a, &m->initializers, p);
	return p;
}

static inline void tensor_raw(arena *a, Onnx__TensorProto *p, const void *data, size_t n)
{
	p->has_raw_data = true;
	p->raw_data.data = arena_alloc(a, n, 1);
	p->raw_data.len = n;
	memcpy(p->raw_data.data, data, n);
}

static inline void model_ints(model *m, const char *name, const int64_t *v, size_t n)
{
	tensor_raw(m->a, model_tensor(m, name, ONNX_INT64, DIMS((int64_t)n)), v, n * sizeof *v);
}

/* n ones */
static inline void model_floats(model *m, const char *name, const int64_t *dims, size_t rank)
{
	size_t n = 1;
	for (size_t i = 0; i < rank; i++)
		n *= (size_t)dims[i];
	float *v = new_array(m->a, float, n);
	for (size_t i = 0; i < n; i++)
		v[i] = 1;
	tensor_raw(m->a, model_tensor(m, name, ONNX_FLOAT, dims, rank), v, n * sizeof *v);
}

static inline Onnx__FunctionProto *model_function(model *m, const char *name, const char *in, const char *out)
{
	Onnx__FunctionProto *f = new(m->a, Onnx__FunctionProto);
	onnx__function_proto__init(f);
	f->name = arena_strdup(m->a, name);
	f->domain = arena_strdup(m->a, "local");
	f->input = names_of(m->a, in, &f->n_input);
	f->output = names_of(m->a, out, &f->n_output);
	vec_push(m->a, &m->functions, f);
	return f;
}

static inline Onnx__NodeProto *function_node(model *m, Onnx__FunctionProto *f, const char *type, const char *in, const char *out)
{
	Onnx__NodeProto *p = node_new(m->a, type, in, out), **v = new_array(m->a, Onnx__NodeProto *, f->n_node + 1);
	for (size_t i = 0; i < f->n_node; i++)
		v[i] = f->node[i];
	v[f->n_node++] = p;
	f->node = v;
	return p;
}

static inline file_data model_bytes(model *m)
{
	m->graph.node = m->nodes.v;
	m->graph.n_node = (size_t)m->nodes.n;
	m->graph.initializer = m->initializers.v;
	m->graph.n_initializer = (size_t)m->initializers.n;
	m->graph.input = m->inputs.v;
	m->graph.n_input = (size_t)m->inputs.n;
	m->graph.output = m->outputs.v;
	m->graph.n_output = (size_t)m->outputs.n;
	m->proto.opset_import = m->opsets.v;
	m->proto.n_opset_import = (size_t)m->opsets.n;
	m->proto.functions = m->functions.v;
	m->proto.n_functions = (size_t)m->functions.n;
	size_t n = onnx__model_proto__get_packed_size(&m->proto);
	unsigned char *data = arena_alloc(m->a, n, 1);
	onnx__model_proto__pack(&m->proto, data);
	return (file_data){.data = data, .size = n};
}
