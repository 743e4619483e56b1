/* Writes broken models: what dlcc must refuse with a message, and never crash on.
 *
 *	broken_models OUT_DIR MODEL...
 *
 * From each model: cut off at many places, bytes and whole words changed (with a fixed seed).  From nothing: models made
 * field by field that are legal protocol buffers but wrong ONNX.  Files named ok-* are legal and must be compiled; each
 * other one may be refused, or accepted if the change did no harm; bad-* must be refused. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUTS = 64, FLIPS = 64, MAX_MODEL = 1 << 18 };

typedef struct text {
	unsigned char *v;
	size_t n, cap;
} text;

static void add(text *t, const void *bytes, size_t n)
{
	if (t->n + n > t->cap) {
		t->cap = (t->n + n) * 2 + 64;
		t->v = realloc(t->v, t->cap);
		if (!t->v)
			exit(2);
	}
	if (n)
		memcpy(t->v + t->n, bytes, n);
	t->n += n;
}

static const char *out_dir;

static void write_file(const char *name, const unsigned char *v, size_t n)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s.onnx", out_dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(v, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(2);
	}
}

/* ---- changing a model ----------------------------------------------------------------------------------------------- */
static uint64_t state = 1;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void cut(const char *base, const unsigned char *v, size_t n)
{
	char name[256];
	for (int i = 0; i < CUTS; i++) {
		snprintf(name, sizeof name, "%s-cut-%02d", base, i);
		write_file(name, v, n * (size_t)i / CUTS);
	}
}

/* Bytes near the start, where the structure is, and anywhere. */
static void flip(const char *base, const unsigned char *v, size_t n)
{
	char name[256];
	unsigned char *copy = malloc(n + 1);
	for (int i = 0; i < FLIPS; i++) {
		memcpy(copy, v, n);
		int changes = 1 + (int)(next_random() % 8);
		size_t range = i % 2 ? n : n < 4096 ? n : 4096;
		for (int k = 0; k < changes; k++)
			copy[next_random() % range] ^= (unsigned char)(1u << next_random() % 8);
		snprintf(name, sizeof name, "%s-flip-%02d", base, i);
		write_file(name, copy, n);
	}
	for (int i = 0; i < FLIPS; i++) {
		static const unsigned char nasty[][8] = {
		        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, {0}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}};
		memcpy(copy, v, n);
		size_t at = next_random() % n, room = n - at < 8 ? n - at : 8;
		memcpy(copy + at, nasty[next_random() % 4], room);
		snprintf(name, sizeof name, "%s-word-%02d", base, i);
		write_file(name, copy, n);
	}
	free(copy);
}

static void change(const char *path)
{
	FILE *f = fopen(path, "rb");
	static unsigned char v[MAX_MODEL];
	if (!f) {
		perror(path);
		exit(2);
	}
	size_t n = fread(v, 1, sizeof v, f);
	fclose(f);
	const char *slash = strrchr(path, '/');
	char base[128];
	snprintf(base, sizeof base, "%s", slash ? slash + 1 : path);
	if (strrchr(base, '.'))
		*strrchr(base, '.') = '\0';
	if (!strcmp(base, "model") && slash) { /* named by its directory */
		const char *dir = slash;
		while (dir > path && dir[-1] != '/')
			dir--;
		snprintf(base, sizeof base, "%.*s", (int)(slash - dir), dir);
	}
	cut(base, v, n);
	flip(base, v, n);
}

/* ---- making a model --------------------------------------------------------------------------------------------------- */
static void varint(text *t, uint64_t x)
{
	do {
		unsigned char byte = (unsigned char)((x & 127) | (x > 127 ? 128 : 0));
		add(t, &byte, 1);
		x >>= 7;
	} while (x);
}

static void number(text *t, int field, uint64_t x)
{
	varint(t, (uint64_t)field << 3);
	varint(t, x);
}

static void string(text *t, int field, const char *s)
{
	varint(t, (uint64_t)field << 3 | 2);
	varint(t, strlen(s));
	add(t, s, strlen(s));
}

static void message(text *t, int field, text inner)
{
	varint(t, (uint64_t)field << 3 | 2);
	varint(t, inner.n);
	add(t, inner.v, inner.n);
	free(inner.v);
}

/* Fields of onnx.proto3. */
enum { MODEL_IR = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_FUNCTION = 25, OPSET_VERSION = 2, GRAPH_NODE = 1, GRAPH_NAME = 2,
       GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4,
       NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7, ATTR_NAME = 1, ATTR_I = 3, ATTR_T = 5, ATTR_G = 6, ATTR_INTS = 8, ATTR_TYPE = 20,
       INFO_NAME = 1, INFO_TYPE = 2, TYPE_TENSOR = 1, TENSOR_TYPE_ELEM = 1, TENSOR_TYPE_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1,
       DIM_PARAM = 2, T_DIMS = 1, T_TYPE = 2, T_NAME = 8, T_RAW = 9, T_EXTERNAL = 13, T_LOCATION = 14, FUNCTION_NAME = 1,
       FUNCTION_INPUT = 4, FUNCTION_OUTPUT = 5, FUNCTION_NODE = 7, FUNCTION_DOMAIN = 10, FUNCTION_OPSET = 9 };

static text info(const char *name, int elem, int rank, const int64_t *dims)
{
	text shape = {0}, tensor = {0}, type = {0}, all = {0};
	for (int i = 0; i < rank; i++) {
		text dim = {0};
		number(&dim, DIM_VALUE, (uint64_t)dims[i]);
		message(&shape, SHAPE_DIM, dim);
	}
	number(&tensor, TENSOR_TYPE_ELEM, (uint64_t)elem);
	message(&tensor, TENSOR_TYPE_SHAPE, shape);
	message(&type, TYPE_TENSOR, tensor);
	string(&all, INFO_NAME, name);
	message(&all, INFO_TYPE, type);
	return all;
}

static text node(const char *op, const char *in0, const char *in1, const char *out)
{
	text n = {0};
	if (in0)
		string(&n, NODE_INPUT, in0);
	if (in1)
		string(&n, NODE_INPUT, in1);
	string(&n, NODE_OUTPUT, out);
	string(&n, NODE_OP, op);
	return n;
}

static text with_int(text n, const char *name, int64_t x)
{
	text a = {0};
	string(&a, ATTR_NAME, name);
	number(&a, ATTR_I, (uint64_t)x);
	number(&a, ATTR_TYPE, 2);
	message(&n, NODE_ATTRIBUTE, a);
	return n;
}

static text with_ints(text n, const char *name, int count, const int64_t *x)
{
	text a = {0};
	string(&a, ATTR_NAME, name);
	for (int i = 0; i < count; i++)
		number(&a, ATTR_INTS, (uint64_t)x[i]);
	number(&a, ATTR_TYPE, 7);
	message(&n, NODE_ATTRIBUTE, a);
	return n;
}

static text initializer(const char *name, int elem, int rank, const int64_t *dims, size_t bytes)
{
	text t = {0};
	unsigned char *zeros = calloc(bytes + 1, 1);
	for (int i = 0; i < rank; i++)
		number(&t, T_DIMS, (uint64_t)dims[i]);
	number(&t, T_TYPE, (uint64_t)elem);
	string(&t, T_NAME, name);
	varint(&t, T_RAW << 3 | 2);
	varint(&t, bytes);
	add(&t, zeros, bytes);
	free(zeros);
	return t;
}

static void finish_model(const char *name, text graph, text extra)
{
	text model = {0}, opset = {0};
	string(&graph, GRAPH_NAME, "g");
	number(&opset, OPSET_VERSION, 21);
	number(&model, MODEL_IR, 10);
	message(&model, MODEL_OPSET, opset);
	message(&model, MODEL_GRAPH, graph);
	add(&model, extra.v, extra.n);
	free(extra.v);
	write_file(name, model.v, model.n);
	free(model.v);
}

enum { F32 = 1, I64 = 7, MANY = 1000000000 };
#define DIMS(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (const int64_t[]){__VA_ARGS__}

/* x: f32[2,3] -> y: f32[2,3] through the nodes given. */
static text simple_graph(void)
{
	text g = {0};
	message(&g, GRAPH_INPUT, info("x", F32, DIMS(2, 3)));
	message(&g, GRAPH_OUTPUT, info("y", F32, DIMS(2, 3)));
	return g;
}

static void one_node(const char *name, text n)
{
	text g = simple_graph();
	message(&g, GRAPH_NODE, n);
	finish_model(name, g, (text){0});
}

static void deep_nesting(void)
{
	text inner = {0};
	for (int i = 0; i < 2000; i++) { /* an If in the branch of an If ... */
		text graph = {0}, attribute = {0}, n;
		n = node("If", "c", NULL, "y");
		string(&attribute, ATTR_NAME, "then_branch");
		message(&attribute, ATTR_G, inner);
		number(&attribute, ATTR_TYPE, 5);
		message(&n, NODE_ATTRIBUTE, attribute);
		message(&graph, GRAPH_NODE, n);
		inner = graph;
	}
	finish_model("bad-nesting", inner, (text){0});
}

static text function(const char *name, const char *calls)
{
	text f = {0}, n = node(calls, "a", NULL, "b"), opset = {0}, own = {0};
	string(&n, NODE_DOMAIN, "own");
	string(&f, FUNCTION_NAME, name);
	string(&f, FUNCTION_INPUT, "a");
	string(&f, FUNCTION_OUTPUT, "b");
	message(&f, FUNCTION_NODE, n);
	number(&opset, OPSET_VERSION, 21);
	string(&own, 1, "own");
	number(&own, OPSET_VERSION, 1);
	message(&f, FUNCTION_OPSET, opset);
	message(&f, FUNCTION_OPSET, own);
	string(&f, FUNCTION_DOMAIN, "own");
	return f;
}

static void recursive_functions(void)
{
	text g = simple_graph(), n = node("F", "x", NULL, "y"), extra = {0}, own = {0};
	string(&n, NODE_DOMAIN, "own");
	message(&g, GRAPH_NODE, n);
	string(&own, 1, "own");
	number(&own, OPSET_VERSION, 1);
	message(&extra, MODEL_OPSET, own);
	message(&extra, MODEL_FUNCTION, function("F", "G"));
	message(&extra, MODEL_FUNCTION, function("G", "F"));
	finish_model("bad-recursive-functions", g, extra);
}

/* A legal chain: nothing may recurse over its length. */
static void long_chain(int n)
{
	text g = simple_graph();
	char from[24] = "x", to[24];
	for (int i = 0; i < n; i++) {
		snprintf(to, sizeof to, i + 1 < n ? "v%d" : "y", i);
		message(&g, GRAPH_NODE, node(i % 2 ? "Sin" : "Neg", from, NULL, to));
		memcpy(from, to, sizeof to);
	}
	finish_model("ok-long-chain", g, (text){0});
}

static void external(const char *name, const char *location)
{
	text g = simple_graph(), t = {0}, entry = {0};
	number(&t, T_DIMS, 2);
	number(&t, T_DIMS, 3);
	number(&t, T_TYPE, F32);
	string(&t, T_NAME, "w");
	string(&entry, 1, "location");
	string(&entry, 2, location);
	message(&t, T_EXTERNAL, entry);
	number(&t, T_LOCATION, 1);
	message(&g, GRAPH_INITIALIZER, t);
	message(&g, GRAPH_NODE, node("Add", "x", "w", "y"));
	finish_model(name, g, (text){0});
}

static void with_weight(const char *name, const char *op, text weight)
{
	text g = simple_graph();
	message(&g, GRAPH_INITIALIZER, weight);
	message(&g, GRAPH_NODE, node(op, "x", "w", "y"));
	finish_model(name, g, (text){0});
}

static void big_dims(const char *name, int rank, const int64_t *dims)
{
	text g = {0};
	message(&g, GRAPH_INPUT, info("x", F32, rank, dims));
	message(&g, GRAPH_OUTPUT, info("y", F32, rank, dims));
	message(&g, GRAPH_NODE, node("Relu", "x", NULL, "y"));
	finish_model(name, g, (text){0});
}

static void make_all(void)
{
	const int64_t huge = INT64_C(1) << 62;
	text g;
	one_node("ok-relu", node("Relu", "x", NULL, "y"));
	one_node("bad-operator", node("Frobnicate", "x", NULL, "y"));
	one_node("bad-missing-value", node("Add", "x", "nowhere", "y"));
	one_node("bad-missing-output", node("Relu", "x", NULL, "z"));
	one_node("bad-few-inputs", node("Add", "x", NULL, "y"));
	one_node("bad-many-inputs", node("Relu", "x", "x", "y"));
	one_node("bad-no-inputs", node("Relu", NULL, NULL, "y"));
	one_node("bad-matmul", node("MatMul", "x", "x", "y"));
	one_node("bad-attribute", with_int(node("Relu", "x", NULL, "y"), "slope", 1));
	one_node("bad-axis", with_int(node("Softmax", "x", NULL, "y"), "axis", 7));
	one_node("bad-axis-far", with_int(node("Softmax", "x", NULL, "y"), "axis", INT64_MIN));
	one_node("bad-perm", with_ints(node("Transpose", "x", NULL, "y"), "perm", DIMS(0, 0)));
	one_node("bad-perm-far", with_ints(node("Transpose", "x", NULL, "y"), "perm", DIMS(0, INT64_MAX)));
	one_node("bad-attribute-type", with_ints(node("Softmax", "x", NULL, "y"), "axis", DIMS(1, 2)));
	one_node("bad-cast", with_int(node("Cast", "x", NULL, "y"), "to", 77));
	one_node("bad-pool", with_ints(node("MaxPool", "x", NULL, "y"), "kernel_shape", DIMS(0, 0)));
	one_node("bad-pool-huge", with_ints(node("MaxPool", "x", NULL, "y"), "kernel_shape", DIMS(huge, huge)));
	one_node("bad-output-type", with_int(node("Cast", "x", NULL, "y"), "to", I64));
	with_weight("ok-weight", "Add", initializer("w", F32, DIMS(2, 3), 24));
	with_weight("bad-weight-bytes", "Add", initializer("w", F32, DIMS(2, 3), 23));
	with_weight("bad-weight-empty", "Add", initializer("w", F32, DIMS(2, 3), 0));
	with_weight("bad-weight-dims", "Add", initializer("w", F32, DIMS(huge, huge), 24));
	with_weight("bad-weight-negative", "Add", initializer("w", F32, DIMS(-2, -3), 24));
	with_weight("bad-weight-type", "Add", initializer("w", I64, DIMS(2, 3), 48));
	with_weight("bad-weight-no-type", "Add", initializer("w", 99, DIMS(2, 3), 24));
	with_weight("bad-broadcast", "Add", initializer("w", F32, DIMS(2, 4), 32));
	with_weight("ok-reshape", "Reshape", initializer("w", I64, DIMS(2), 16)); /* zeros: the dims of x */
	with_weight("bad-conv-rank", "Conv", initializer("w", F32, DIMS(1, 3), 12));
	with_weight("bad-reshape", "Reshape", initializer("w", I64, DIMS(1), 8));
	external("bad-external-up", "../../../etc/passwd");
	external("bad-external-absolute", "/etc/passwd");
	external("bad-external-missing", "no-such-file.bin");
	big_dims("bad-dims-product", DIMS(huge, 16, 16));
	big_dims("dims-negative", DIMS(-5, 3));
	big_dims("bad-rank", DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
	deep_nesting();
	recursive_functions();
	long_chain(20000);

	g = simple_graph(); /* a cycle */
	message(&g, GRAPH_NODE, node("Add", "x", "b", "a"));
	message(&g, GRAPH_NODE, node("Relu", "a", NULL, "b"));
	message(&g, GRAPH_NODE, node("Relu", "b", NULL, "y"));
	finish_model("bad-cycle", g, (text){0});
	g = simple_graph(); /* a value defined twice */
	message(&g, GRAPH_NODE, node("Relu", "x", NULL, "y"));
	message(&g, GRAPH_NODE, node("Relu", "x", NULL, "y"));
	finish_model("bad-twice", g, (text){0});
	finish_model("bad-empty-graph", (text){0}, (text){0});
	write_file("bad-empty", NULL, 0);
	write_file("bad-text", (const unsigned char *)"this is no model\n", 17);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	out_dir = argv[1];
	make_all();
	for (int i = 2; i < argc; i++)
		change(argv[i]);
	return 0;
}
