/* Scopes: what names mean inside the main graph and inside the body of each call of a model-local function. */
#pragma once

#include "frontend/import.h"

struct scope {
	const scope *caller; /* NULL: the main graph */
	/* Of a body of If, Loop or Scan: the scope around it, whose names are visible too. */
	scope *parent;
	graph *graph; /* that its nodes are imported into */
	map *found;   /* name -> what a name of a scope around it stands for in `graph` */
	map *inside;  /* value of the graph around -> what stands for it in `graph` */
	vec(value *) captured; /* values of the graph around that became inputs of `graph`, in the order of its last inputs */
	const Onnx__FunctionProto *function;
	map *values; /* name -> value; &unknown for results of failed nodes */
	Onnx__OperatorSetIdProto **opsets;
	size_t n_opsets;
	/* Attributes given to the call, with references resolved. */
	const Onnx__AttributeProto **attrs;
	size_t n_attrs;
	diag_at call; /* where diagnostics of the body point */
	int depth;
};

enum { MAX_CALL_DEPTH = 100, MAX_INLINED_NODES = 1 << 20 };

/* A value that stands for the result of a node that failed. */
extern value unknown;

int64_t opset_of(const scope *s, const char *domain); /* 0 when not imported */
const char *text_of(const char *s); /* NULL as "" */
bool is_ai_onnx(const char *domain);

/* What the name means in s, also by the scopes around it; NULL: nothing. */
value *scope_find(importer *im, scope *s, const char *name);
void import_initializers(importer *im, scope *s, const Onnx__GraphProto *g);
void import_nodes(importer *im, scope *s, Onnx__NodeProto **nodes, size_t n);

/* inline_functions.c */
const Onnx__FunctionProto *function_find(const importer *im, const Onnx__NodeProto *call);
/* Imports the body of f in place of the call; false (reported) when it cannot. */
void import_call(importer *im, const onnx_node *call, const Onnx__FunctionProto *f);
/* Reports functions that are defined twice or call themselves; false then. */
bool functions_check(importer *im);
/* What attribute a of a node in s stands for: itself, what the call gives for its ref_attr_name, or NULL. */
const Onnx__AttributeProto *attribute_resolve(const scope *s, const Onnx__AttributeProto *a);
