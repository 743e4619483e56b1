/* Reads the text form of a graph (docs/graph_ir.md).  The text is untrusted: what it says about types, shapes and storage is
 * checked, by the type rules as nodes are made and by the verifier at the end. */
#include "ir/graph.h"
#include "ir/tensor_text.h"
#include "ir/text.h"

#include <string.h>

enum { MAX_VALUE_ID = 10 * 1000 * 1000, MAX_RESULTS = 256, MAX_REGIONS = 2 };

/* A name or id whose value may come later in the text. */
typedef struct reference {
	token where;
	const char *name; /* NULL: by id */
	int id;
} reference;

typedef struct late_alias {
	value *v;
	reference in;
} late_alias;

typedef struct late_group {
	node *n;
	reference root;
} late_group;

typedef struct reader {
	parser p;
	graph *g;
	map *by_name; /* interned name -> value */
	map *by_id;   /* address id of &ids[0] -> value */
	vec(value *) values;
	vec(late_alias) aliases;
	vec(late_group) groups;
	value *const *args; /* operands that %0, %1 ... of an expression stand for */
	int n_args;
	diag *quiet; /* takes errors in comments, which are nobody's business */
} reader;

static reader *reader_of(parser *p) { return p->user; }

/* ---- names of values --------------------------------------------------------------------------------------------- */

static const void *id_key(int id) { return (const void *)((uintptr_t)id + 1); }

static reference parse_reference(reader *r)
{
	parser *p = &r->p;
	reference ref = {.where = p->tok, .id = -1};
	if (p->tok.kind != TOKEN_VALUE)
		parse_error(p, "expected a value (%%name or %%number), found %s", parse_found(p));
	if (!parse_value_id(p, &ref.id)) {
		if (memchr(p->tok.text.data, '\0', p->tok.text.len))
			parse_error(p, "a name cannot contain \\x00");
		ref.name = names_intern_n(p->names, p->tok.text.data, p->tok.text.len);
	} else if (ref.id > MAX_VALUE_ID) {
		parse_error(p, "the number %%%d is too large, at most %d", ref.id, MAX_VALUE_ID);
	}
	parse_next(p);
	return ref;
}

static value *find_value(reader *r, reference ref)
{
	return ref.name ? map_get(r->by_name, ref.name) : map_get(r->by_id, id_key(ref.id));
}

static value *value_at(reader *r, reference ref)
{
	value *v = find_value(r, ref);
	if (!v)
		parse_error_at(&r->p, ref.where, "value %%%.*s is not defined before this line", (int)ref.where.text.len,
		               ref.where.text.data);
	return v;
}

/* A new name; `ref` is checked before the value is made, so that errors come in order. */
static reference parse_definition(reader *r)
{
	reference ref = parse_reference(r);
	if (find_value(r, ref))
		parse_error_at(&r->p, ref.where, "value %%%.*s is defined twice", (int)ref.where.text.len, ref.where.text.data);
	return ref;
}

static void define(reader *r, reference ref, value *v)
{
	if (find_value(r, ref))
		parse_error_at(&r->p, ref.where, "value %%%.*s is defined twice", (int)ref.where.text.len, ref.where.text.data);
	v->name = ref.name;
	if (ref.name) {
		map_put(r->by_name, ref.name, v);
	} else {
		v->id = ref.id;
		map_put(r->by_id, id_key(ref.id), v);
	}
	vec_push(r->p.a, &r->values, v);
}

/* Written ids are kept; named values get ids above them. */
static void number_values(reader *r)
{
	int next = 0;
	for (int i = 0; i < r->values.n; i++)
		if (!r->values.v[i]->name && r->values.v[i]->id >= next)
			next = r->values.v[i]->id + 1;
	for (int i = 0; i < r->values.n; i++)
		if (r->values.v[i]->name)
			r->values.v[i]->id = next++;
	r->g->next_value_id = next;
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

typedef struct type_text {
	token where;
	dtype type;
	int rank;
	sym *dims[MAX_RANK];
} type_text;

static type_text parse_type(reader *r)
{
	type_text t = {.where = r->p.tok};
	t.type = parse_dtype(&r->p);
	t.rank = parse_sym_list(&r->p, t.dims, MAX_RANK);
	for (int i = 0; i < t.rank; i++)
		if (t.dims[i]->hi < 0)
			parse_error_at(&r->p, t.where, "dimension %d is negative", i);
	return t;
}

static const char *type_string(reader *r, dtype type, sym *const *dims, int rank)
{
	str s = str_new(r->p.a);
	str_addf(&s, "%s[", dtype_name(type));
	for (int i = 0; i < rank; i++) {
		str_add(&s, i ? "," : "");
		sym_print(&s, dims[i]);
	}
	str_addc(&s, ']');
	return s.data;
}

static void check_type(reader *r, const type_text *t, const value *v, const char *what)
{
	bool same = t->type == v->type && t->rank == v->rank;
	for (int i = 0; same && i < t->rank; i++)
		same = t->dims[i] == v->dims[i];
	if (!same)
		parse_error_at(&r->p, t->where, "%s has type %s, not %s", what, type_string(r, v->type, v->dims, v->rank),
		               type_string(r, t->type, t->dims, t->rank));
}

static void parse_ints_exactly(reader *r, int64_t *out, int n)
{
	parse_expect(&r->p, "[");
	for (int i = 0; i < n; i++) {
		if (i)
			parse_expect(&r->p, ",");
		out[i] = parse_int(&r->p);
	}
	parse_expect(&r->p, "]");
}

/* {order=[...], lo=[...], hi=[...]}; what is left out is row-major, no halo. */
static const layout *parse_layout(reader *r, int rank)
{
	enum { MAX_HALO = 1 << 20 };
	parser *p = &r->p;
	layout *l = new(p->a, layout);
	int64_t order[MAX_RANK];
	for (int i = 0; i < rank; i++)
		order[i] = i;
	parse_expect(p, "{");
	for (bool first = true; !parse_accept(p, "}"); first = false) {
		if (!first)
			parse_expect(p, ",");
		token where = p->tok;
		const char *part = parse_name(p, "order, lo or hi");
		int64_t *to = strcmp(part, "order") == 0 ? order : strcmp(part, "lo") == 0 ? l->halo_lo : l->halo_hi;
		if (to == l->halo_hi && strcmp(part, "hi") != 0)
			parse_error_at(p, where, "expected order, lo or hi, found '%s'", part);
		parse_expect(p, "=");
		token list = p->tok;
		parse_ints_exactly(r, to, rank);
		for (int i = 0; i < rank; i++)
			if (to[i] < 0 || to[i] > (to == order ? rank - 1 : MAX_HALO))
				parse_error_at(p, list, "%s[%d] is out of range", part, i);
	}
	for (int i = 0; i < rank; i++)
		l->order[i] = (int)order[i];
	return l;
}

/* @in %base[start,...] */
static void parse_alias(reader *r, value *v)
{
	late_alias late = {v, parse_reference(r)};
	token where = r->p.tok;
	int n = parse_sym_list(&r->p, v->alias_start, MAX_RANK);
	if (n != v->rank)
		parse_error_at(&r->p, where, "%d start indices, expected %d", n, v->rank);
	vec_push(r->p.a, &r->aliases, late);
}

/* Layout, place and alias behind a type. */
static void parse_storage(reader *r, value *v)
{
	parser *p = &r->p;
	if (parse_at(p, "{"))
		v->layout = parse_layout(r, v->rank);
	while (p->tok.kind == TOKEN_SYMBOL && !slice_eq(p->tok.text, "group")) {
		token where = p->tok;
		const char *word = parse_symbol(p, "@inline, @local or @in");
		if (strcmp(word, "inline") == 0)
			v->place = PLACE_INLINE;
		else if (strcmp(word, "local") == 0)
			v->place = PLACE_LOCAL;
		else if (strcmp(word, "in") == 0)
			parse_alias(r, v);
		else
			parse_error_at(p, where, "expected @inline, @local, @in or @group, found @%s", word);
	}
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static const tensor *parse_tensor(reader *r, const type_text *t)
{
	int64_t dims[MAX_RANK];
	for (int i = 0; i < t->rank; i++)
		if (!sym_is_const(t->dims[i], &dims[i]))
			parse_error_at(&r->p, t->where, "a constant has constant dimensions");
	tensor *data = new(r->p.a, tensor);
	if (!tensor_init(data, r->p.a, t->type, t->rank, dims))
		parse_error_at(&r->p, t->where, "the constant is too large");
	parse_tensor_data(&r->p, data);
	return data;
}

static const expr *find_arg(parser *p, int i)
{
	reader *r = reader_of(p);
	if (i >= r->n_args)
		return NULL;
	if (r->args[i]->type == STRING)
		parse_error(p, "operand %%%d holds strings, which expressions cannot compute on", i);
	return expr_arg(p->exprs, i, r->args[i]->type);
}

/* Integers and sizes as they come; a list of only integers is INTS, and type rules turn it into sizes where they want them. */
static attr parse_list_attr(reader *r, const char *name)
{
	parser *p = &r->p;
	vec(sym *) syms = {0};
	vec(double) floats = {0};
	bool has_float = false, has_sym = false;
	token where = p->tok;
	parse_expect(p, "[");
	for (int i = 0; !parse_accept(p, "]"); i++) {
		if (i)
			parse_expect(p, ",");
		parser ahead = *p;
		parse_accept(&ahead, "-");
		if (ahead.tok.kind == TOKEN_FLOAT || parse_at(&ahead, "inf") || parse_at(&ahead, "nan")) {
			has_float = true;
			vec_push(p->a, &floats, parse_float(p, false));
			continue;
		}
		sym *s = parse_sym(p);
		int64_t n = 0;
		has_sym |= !sym_is_const(s, &n);
		vec_push(p->a, &syms, s);
		vec_push(p->a, &floats, (double)n);
	}
	if (has_float && has_sym)
		parse_error_at(p, where, "the list mixes sizes and floating-point numbers");
	if (has_float) {
		attr a = {.name = name, .kind = ATTR_FLOATS, .n = floats.n, .floats = floats.v};
		return a;
	}
	if (has_sym)
		return attr_of_syms(r->g, name, syms.v, syms.n);
	int64_t *ints = new_array(p->a, int64_t, (size_t)syms.n);
	for (int i = 0; i < syms.n; i++)
		ints[i] = sym_value(syms.v[i]);
	return attr_of_ints(r->g, name, ints, syms.n);
}

static attr parse_number_attr(reader *r, const char *name)
{
	parser ahead = r->p;
	parse_accept(&ahead, "-");
	if (ahead.tok.kind == TOKEN_INT)
		return attr_of_int(name, parse_int(&r->p));
	return attr_of_float(name, parse_float(&r->p, false));
}

static attr parse_expr_attr(reader *r, const char *name)
{
	parse_expect(&r->p, "{");
	const expr *e = parse_expr(&r->p, DTYPE_NONE);
	parse_expect(&r->p, "}");
	return attr_of_expr(name, e);
}

/* A name; or f32[2] data, which begins like one. */
static attr parse_word_attr(reader *r, const char *name)
{
	parser *p = &r->p;
	parser ahead = *p;
	parse_next(&ahead);
	if (p->tok.kind == TOKEN_STRING || !parse_at(&ahead, "["))
		return attr_of_word(name, p->tok.kind == TOKEN_STRING ? parse_string(p, "a word") : parse_name(p, "a word"));
	type_text t = parse_type(r);
	return (attr){.name = name, .kind = ATTR_TENSOR, .tensor = parse_tensor(r, &t)};
}

static attr parse_attr(reader *r)
{
	parser *p = &r->p;
	const char *name = parse_name(p, "an attribute name");
	parse_expect(p, "=");
	if (parse_at(p, "["))
		return parse_list_attr(r, name);
	if (parse_at(p, "{"))
		return parse_expr_attr(r, name);
	if (parse_at(p, "-") || p->tok.kind == TOKEN_INT || p->tok.kind == TOKEN_FLOAT || parse_at(p, "inf") || parse_at(p, "nan"))
		return parse_number_attr(r, name);
	if (p->tok.kind != TOKEN_NAME && p->tok.kind != TOKEN_STRING)
		parse_error(p, "expected the value of attribute %s, found %s", name, parse_found(p));
	return parse_word_attr(r, name);
}

typedef vec(attr) attr_list;

static void parse_attrs(reader *r, attr_list *attrs)
{
	parser *p = &r->p;
	if (!parse_accept(p, "{"))
		return;
	for (int i = 0; !parse_accept(p, "}"); i++) {
		if (i)
			parse_expect(p, ",");
		token where = p->tok;
		attr a = parse_attr(r);
		for (int k = 0; k < attrs->n; k++)
			if (strcmp(attrs->v[k].name, a.name) == 0)
				parse_error_at(p, where, "attribute %s is given twice", a.name);
		vec_push(p->a, attrs, a);
	}
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

/* node 17 "layer3/pool" (MaxPool) */
static source read_source(parser *p)
{
	parse_expect(p, "node");
	source s = {.index = parse_count(p, -1, INT32_MAX, "the node"), .name = "", .op = ""};
	if (p->tok.kind == TOKEN_STRING)
		s.name = parse_string(p, "a name");
	if (parse_accept(p, "(")) {
		s.op = p->tok.kind == TOKEN_STRING ? parse_string(p, "an operator") : parse_name(p, "an operator");
		parse_expect(p, ")");
	}
	return s;
}

static void try_source(reader *r, slice text, source *src)
{
	if (diag_guard(r->quiet)) {
		parser *p = new(r->p.a, parser);
		parser_init(p, r->p.a, r->p.names, r->p.file, text.data, text.len, r->quiet);
		*src = read_source(p);
		diag_pop_guard(r->quiet);
	}
}

/* The comment on the line of a node's last token may say where the node came from; any other text there is just a comment. */
static void parse_source_comment(reader *r, source *src)
{
	const char *at = r->p.last_end, *end = r->p.end;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end || *at != '#')
		return;
	const char *line_end = memchr(at, '\n', (size_t)(end - at));
	at++;
	try_source(r, (slice){at, (size_t)((line_end ? line_end : end) - at)}, src);
}

static void parse_group(reader *r, node *n)
{
	if (r->p.tok.kind != TOKEN_SYMBOL || !slice_eq(r->p.tok.text, "group"))
		return;
	parse_next(&r->p);
	late_group late = {n, parse_reference(r)};
	vec_push(r->p.a, &r->groups, late);
}

static void parse_node_end(reader *r, node *n)
{
	parse_group(r, n);
	parse_source_comment(r, &n->src);
}

/* const %w: f32[2] = [1.0, 2.0] */
static void parse_const(reader *r)
{
	parse_expect(&r->p, "const");
	r->g->at = parse_place(&r->p, r->p.tok);
	reference name = parse_definition(r);
	parse_expect(&r->p, ":");
	type_text t = parse_type(r);
	/* What follows the type applies to the value, which is made from the data behind it. */
	value written = {.rank = t.rank, .type = t.type};
	int first_alias = r->aliases.n;
	parse_storage(r, &written);
	parse_expect(&r->p, "=");
	value *v = build_const(r->g, parse_tensor(r, &t), NULL);
	v->layout = written.layout;
	v->place = written.place;
	memcpy(v->alias_start, written.alias_start, sizeof v->alias_start);
	for (int i = first_alias; i < r->aliases.n; i++)
		r->aliases.v[i].v = v;
	define(r, name, v);
	parse_node_end(r, v->def);
}

static op parse_op(reader *r)
{
	parser *p = &r->p;
	op found = p->tok.kind == TOKEN_NAME ? op_find(p->tok.text.data, p->tok.text.len) : OP_COUNT;
	if (found == OP_COUNT)
		parse_error(p, "expected an operation, found %s", parse_found(p));
	if (found == OP_CONST)
		parse_error(p, "a constant is written: const %%name: type = data");
	parse_next(p);
	return found;
}

static graph *parse_region(reader *r, const char *word);

/* %r, ... = op %operand, ... {expr} {attributes} regions : type, ... */
static void parse_operation(reader *r)
{
	parser *p = &r->p;
	reference results[MAX_RESULTS];
	int n_out = 0;
	do {
		if (n_out == MAX_RESULTS)
			parse_error(p, "more than %d results", MAX_RESULTS);
		results[n_out++] = parse_definition(r);
	} while (parse_accept(p, ","));
	parse_expect(p, "=");

	diag_at where = r->g->at = parse_place(p, p->tok);
	op kind = parse_op(r);
	vec(value *) in = {0};
	if (p->tok.kind == TOKEN_VALUE) {
		do
			vec_push(p->a, &in, value_at(r, parse_reference(r)));
		while (parse_accept(p, ","));
	}
	attr_list attrs = {0};
	r->args = in.v;
	r->n_args = in.n;
	if (kind == OP_MAP)
		vec_push(p->a, &attrs, parse_expr_attr(r, "expr"));
	parse_attrs(r, &attrs);

	graph *regions[MAX_REGIONS];
	int n_regions = 0;
	for (const char *word; n_regions < MAX_REGIONS && (word = region_word(kind, n_regions)) && parse_accept(p, word);)
		regions[n_regions++] = parse_region(r, word);

	r->g->at = where;
	node *n = graph_add_regions(r->g, kind, in.v, in.n, attrs.v, attrs.n, regions, n_regions, n_out);
	parse_expect(p, ":");
	for (int i = 0; i < n_out; i++) {
		if (i)
			parse_expect(p, ",");
		type_text t = parse_type(r);
		check_type(r, &t, n->out[i], "the result");
		parse_storage(r, n->out[i]);
		define(r, results[i], n->out[i]);
	}
	parse_node_end(r, n);
}

/* ---- graphs ------------------------------------------------------------------------------------------------------ */

/* dim N = 1..8   dim M = 1..   dim k = 0.. below N*M */
static void parse_dim(reader *r)
{
	parse_expect(&r->p, "dim");
	parse_dim_range(&r->p);
}

/* assume N == M */
static void parse_assume(reader *r)
{
	parser *p = &r->p;
	parse_expect(p, "assume");
	token where = p->tok;
	condition c = condition_parse(p);
	if (!graph_assume(r->g, c.kind, c.a, c.b))
		parse_error_at(p, where, "this never holds");
}

static void parse_inputs(reader *r)
{
	parser *p = &r->p;
	parse_expect(p, "(");
	for (int i = 0; !parse_accept(p, ")"); i++) {
		if (i)
			parse_expect(p, ",");
		reference name = parse_definition(r);
		parse_expect(p, ":");
		type_text t = parse_type(r);
		value *v = graph_input(r->g, NULL, t.type, t.rank, t.dims);
		define(r, name, v);
		parse_storage(r, v);
	}
}

typedef struct output_text {
	reference name;
	type_text type;
} output_text;

typedef vec(output_text) output_list;

static void parse_outputs(reader *r, output_list *outputs)
{
	parser *p = &r->p;
	parse_expect(p, "(");
	for (int i = 0; !parse_accept(p, ")"); i++) {
		if (i)
			parse_expect(p, ",");
		output_text o = {.name = parse_reference(r)};
		if (!o.name.name)
			parse_error_at(p, o.name.where, "a graph output needs a name");
		for (int k = 0; k < outputs->n; k++)
			if (outputs->v[k].name.name == o.name.name)
				parse_error_at(p, o.name.where, "output %%%s is given twice", o.name.name);
		parse_expect(p, ":");
		o.type = parse_type(r);
		vec_push(p->a, outputs, o);
	}
}

static void add_outputs(reader *r, const output_list *outputs)
{
	for (int i = 0; i < outputs->n; i++) {
		const output_text *o = &outputs->v[i];
		value *v = find_value(r, o->name);
		if (!v)
			parse_error_at(&r->p, o->name.where, "output %%%s is not defined in the graph", o->name.name);
		if (!v->def)
			parse_error_at(&r->p, o->name.where, "output %%%s is an input; copy it under a name of its own", o->name.name);
		check_type(r, &o->type, v, "the output");
		graph_output(r->g, v, o->name.name);
	}
}

static value *late_value(reader *r, reference ref)
{
	value *v = find_value(r, ref);
	if (!v)
		parse_error_at(&r->p, ref.where, "value %%%.*s is not defined", (int)ref.where.text.len, ref.where.text.data);
	return v;
}

static void resolve_late(reader *r)
{
	for (int i = 0; i < r->aliases.n; i++)
		r->aliases.v[i].v->alias = late_value(r, r->aliases.v[i].in);
	for (int i = 0; i < r->groups.n; i++) {
		late_group *late = &r->groups.v[i];
		value *root = late_value(r, late->root);
		if (!root->def)
			parse_error_at(&r->p, late->root.where, "a graph input is no kernel");
		late->n->group = root->def;
		root->def->group = root->def;
	}
}

/* Inputs, outputs and nodes. */
static void parse_body(reader *r)
{
	parser *p = &r->p;
	output_list outputs = {0};
	r->by_name = map_new(p->a);
	r->by_id = map_new(p->a);
	parse_inputs(r);
	parse_expect(p, "->");
	parse_outputs(r, &outputs);
	parse_expect(p, "{");
	while (parse_at(p, "assume"))
		parse_assume(r);
	while (!parse_at(p, "}")) {
		if (parse_at(p, "const"))
			parse_const(r);
		else
			parse_operation(r);
	}
	parse_next(p);
	add_outputs(r, &outputs);
	resolve_late(r);
	number_values(r);
}

/* A graph of its own: nothing of the one around it is visible. */
static graph *parse_region(reader *r, const char *word)
{
	reader outer = *r;
	parse_enter(&r->p);
	*r = (reader){.p = r->p, .g = graph_new_like(r->p.a, outer.g, word), .quiet = outer.quiet};
	r->g->diag = outer.g->diag;
	parse_body(r);
	graph *g = r->g;
	parser now = r->p;
	g->diag = NULL;
	g->at = DIAG_NOWHERE;
	*r = outer;
	r->p = now;
	parse_leave(&r->p);
	return g;
}

static void parse_graph(reader *r)
{
	parser *p = &r->p;
	while (parse_at(p, "dim"))
		parse_dim(r);
	while (parse_at(p, "assume"))
		parse_assume(r);
	parse_expect(p, "graph");
	r->g->name = parse_symbol(p, "the graph's @name");
	parse_body(r);
	if (p->tok.kind != TOKEN_END)
		parse_error(p, "expected the end of the file after the graph, found %s", parse_found(p));
}

graph *graph_parse(arena *a, const char *file, const char *text, size_t n, diag *d)
{
	graph *g = graph_new(a, "");
	reader *r = new(a, reader);
	const char *why = NULL;
	bool verified;
	if (!diag_guard(d))
		return NULL;
	r->g = g;
	r->quiet = diag_new(a, NULL);
	g->diag = d;
	parser_init(&r->p, a, g->names, file, text, n, d);
	r->p.syms = g->syms;
	r->p.exprs = g->exprs;
	r->p.find_arg = find_arg;
	r->p.user = r;
	parse_graph(r);
	diag_pop_guard(d);
	g->diag = NULL;
	g->at = DIAG_NOWHERE;

	arena *scratch = arena_new("graph_parse");
	verified = graph_verify(g, scratch, &why);
	if (!verified)
		diag_error(d, DIAG_FILE(file), "%s", why);
	arena_free(scratch);
	return verified ? g : NULL;
}
