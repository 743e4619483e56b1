/* Reads kernel IR; the grammar is in docs/kernel_ir.md.
 *
 * Names resolve while reading: a buffer or local is known from its declaration to the end of its block and its name is
 * given once in a kernel; a loop variable is known in its body. What is read is well formed (known names, operand types,
 * argument counts); the other invariants are kernel_verify's. */
#include "ir/graph.h"
#include "ir/kernel.h"
#include "ir/tensor_text.h"
#include "ir/text.h"

#include <string.h>

typedef struct entry { /* a buffer or a local of the kernel being read */
	buffer *b;
	local *l;
	bool visible;
} entry;

typedef struct reader {
	parser p;
	program *prog;
	map *kernels;  /* name -> kernel */
	map *storages; /* name -> storage */
	bool has_run;
	/* Of the kernel being read */
	map *entries; /* interned name -> entry; NULL between kernels */
	map *loops;   /* interned name -> sym, NULL when its loop is closed */
	vec(entry *) visible;
} reader;

/* ---- names ------------------------------------------------------------------------------------------------------- */

static sym *find_var(parser *p, const char *name)
{
	const reader *r = p->user;
	sym *loop = r->loops ? map_get(r->loops, name) : NULL;
	if (loop)
		return loop;
	return sym_find_dim(p->syms, name) ? sym_dim(p->syms, name, 0, 0) : NULL;
}

/* The entry of a name at `where`, already consumed; an error when there is none. */
static entry *visible_entry(reader *r, token where, const char *name)
{
	entry *e = r->entries ? map_get(r->entries, name) : NULL;
	if (!e)
		parse_error_at(&r->p, where, "unknown buffer or local '%s'", name);
	if (!e->visible)
		parse_error_at(&r->p, where, "'%s' is declared in a block that has ended", name);
	return e;
}

static sym *parse_index(parser *p)
{
	parse_expect(p, "[");
	sym *s = parse_sym(p);
	parse_expect(p, "]");
	return s;
}

static const expr *find_leaf(parser *p, const char *name)
{
	reader *r = p->user;
	entry *e = visible_entry(r, p->last, name);
	if (e->l)
		return expr_local(p->exprs, e->l);
	return expr_load(p->exprs, e->b, parse_index(p));
}

static const char *parse_any_name(parser *p, const char *what)
{
	return p->tok.kind == TOKEN_STRING ? parse_string(p, what) : parse_name(p, what);
}

static const char *parse_value_name(parser *p)
{
	if (p->tok.kind != TOKEN_VALUE)
		parse_error(p, "expected a storage (%%name), found %s", parse_found(p));
	if (memchr(p->tok.text.data, '\0', p->tok.text.len))
		parse_error(p, "a name cannot contain \\x00");
	const char *name = names_intern_n(p->names, p->tok.text.data, p->tok.text.len);
	parse_next(p);
	return name;
}

static storage *parse_storage_use(reader *r)
{
	token where = r->p.tok;
	const char *name = parse_value_name(&r->p);
	storage *s = map_get(r->storages, name);
	if (!s)
		parse_error_at(&r->p, where, "unknown storage %%%s", name);
	return s;
}

static entry *declare(reader *r, token where, const char *name)
{
	if (map_has(r->entries, name))
		parse_error_at(&r->p, where, "'%s' is declared twice in this kernel", name);
	entry *e = new(r->p.a, entry);
	e->visible = true;
	map_put(r->entries, name, e);
	vec_push(r->p.a, &r->visible, e);
	return e;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static void parse_block(reader *r, block *out);

static dtype parse_array_type(parser *p, sym **size)
{
	dtype t = parse_dtype(p);
	*size = parse_index(p);
	return t;
}

/* name < extent { ... }, the variable known in what `body` reads. */
static sym *parse_loop_head(reader *r, const char **name, sym **extent)
{
	parser *p = &r->p;
	token where = p->tok;
	*name = parse_any_name(p, "a loop variable");
	if (map_get(r->loops, *name))
		parse_error_at(p, where, "loop variable '%s' is already that of a loop around this one", *name);
	parse_expect(p, "<");
	*extent = parse_sym(p);
	return sym_loop(p->syms, *name, *extent);
}

static void parse_reductions(reader *r, stmt *s)
{
	parser *p = &r->p;
	parse_expect(p, "(");
	do {
		token where = p->tok;
		const char *name = parse_any_name(p, "a local");
		entry *e = visible_entry(r, where, name);
		if (!e->l)
			parse_error_at(p, where, "a reduction names a local, this is a buffer");
		parse_expect(p, ":");
		token op_at = p->tok;
		const char *word = parse_name(p, "a combining operation");
		expr_op combine = expr_op_find(word, strlen(word));
		if (combine == EXPR_OP_COUNT)
			parse_error_at(p, op_at, "unknown operation '%s'", word);
		vec_push(p->a, &s->f.reductions, ((lane_reduction){e->l, combine}));
	} while (parse_accept(p, ","));
	parse_expect(p, ")");
}

static void parse_loop(reader *r, stmt *s, loop_kind kind)
{
	enum { MAX_LANES = 1024 };
	const char *name;
	s->kind = STMT_FOR;
	s->f.loop = kind;
	s->f.var = parse_loop_head(r, &name, &s->f.extent);
	if (kind == LOOP_VECTOR && parse_accept(&r->p, "lanes"))
		s->f.lanes = parse_count(&r->p, 1, MAX_LANES, "the number of lanes");
	if (kind == LOOP_VECTOR && parse_accept(&r->p, "reduce"))
		parse_reductions(r, s);
	map_put(r->loops, name, s->f.var);
	parse_block(r, &s->f.body);
	map_put(r->loops, name, NULL);
}

static void parse_for(reader *r, stmt *s) { parse_loop(r, s, LOOP_SERIAL); }
static void parse_vector(reader *r, stmt *s) { parse_loop(r, s, LOOP_VECTOR); }
static void parse_unroll(reader *r, stmt *s) { parse_loop(r, s, LOOP_UNROLL); }

static void parse_declaration(reader *r, stmt *s, stmt_kind kind)
{
	parser *p = &r->p;
	token where = p->tok;
	const char *name = parse_any_name(p, "the name of a local");
	dtype t = F32;
	if (parse_accept(p, ":")) {
		token type_at = p->tok;
		t = parse_dtype(p);
		if (dtype_table[t].compute != t || t == STRING)
			parse_error_at(p, type_at, "a local has a compute type, not %s", dtype_name(t));
	}
	parse_expect(p, "=");
	s->kind = kind;
	s->set.e = parse_expr(p, t);
	s->set.l = declare(r, where, name)->l = new(p->a, local);
	*s->set.l = (local){.name = name, .type = t, .assigned = kind == STMT_VAR};
}

static void parse_let(reader *r, stmt *s) { parse_declaration(r, s, STMT_LET); }
static void parse_var(reader *r, stmt *s) { parse_declaration(r, s, STMT_VAR); }

static void parse_branch(reader *r, stmt *s, stmt_kind kind)
{
	s->kind = kind;
	parse_expect(&r->p, "(");
	s->branch.cond = parse_expr(&r->p, BOOL);
	parse_expect(&r->p, ")");
	parse_block(r, &s->branch.then);
	if (kind == STMT_IF && parse_accept(&r->p, "else"))
		parse_block(r, &s->branch.otherwise);
}

static void parse_if(reader *r, stmt *s) { parse_branch(r, s, STMT_IF); }
static void parse_while(reader *r, stmt *s) { parse_branch(r, s, STMT_WHILE); }

static void parse_array(reader *r, stmt *s)
{
	parser *p = &r->p;
	token where = p->tok;
	const char *name = parse_any_name(p, "the name of an array");
	parse_expect(p, ":");
	sym *size;
	dtype t = parse_array_type(p, &size);
	s->kind = STMT_ARRAY;
	s->array = declare(r, where, name)->b = new(p->a, buffer);
	*s->array = (buffer){.name = name, .type = t, .size = size, .written = true, .param = -1, .align = BUFFER_ALIGN};
}

/* name[index], the name already consumed at `where`. */
static buffer *parse_element(reader *r, token where, const char *name, sym **index)
{
	entry *e = visible_entry(r, where, name);
	if (!e->b)
		parse_error_at(&r->p, where, "'%s' is a local, expected a buffer", name);
	*index = parse_index(&r->p);
	return e->b;
}

static void parse_prefetch(reader *r, stmt *s)
{
	token where = r->p.tok;
	const char *name = parse_any_name(&r->p, "a buffer");
	s->kind = STMT_PREFETCH;
	s->prefetch.b = parse_element(r, where, name, &s->prefetch.index);
	s->prefetch.locality = parse_count(&r->p, 0, 3, "the locality");
}

static void parse_store(reader *r, stmt *s, token where, const char *name)
{
	s->kind = STMT_STORE;
	s->store.b = parse_element(r, where, name, &s->store.index);
	parse_expect(&r->p, "=");
	s->store.e = parse_expr(&r->p, dtype_table[s->store.b->type].compute);
}

static void parse_stream(reader *r, stmt *s)
{
	token where = r->p.tok;
	const char *name = parse_any_name(&r->p, "a buffer");
	parse_store(r, s, where, name);
	s->store.streaming = true;
}

/* name = e  or  name[index] = e */
static void parse_assignment(reader *r, stmt *s)
{
	parser *p = &r->p;
	token where = p->tok;
	const char *name = parse_any_name(p, "a statement");
	entry *e = visible_entry(r, where, name);
	if (e->b) {
		parse_store(r, s, where, name);
		return;
	}
	if (!e->l->assigned)
		parse_error_at(p, where, "'%s' is a let and cannot be assigned", name);
	parse_expect(p, "=");
	s->kind = STMT_SET;
	s->set.l = e->l;
	s->set.e = parse_expr(p, e->l->type);
}

static const struct {
	const char *word;
	void (*parse)(reader *r, stmt *s);
} statements[] = {
	{"for", parse_for},     {"vector", parse_vector}, {"unroll", parse_unroll}, {"let", parse_let},
	{"var", parse_var},     {"if", parse_if},         {"while", parse_while},   {"array", parse_array},
	{"stream", parse_stream}, {"prefetch", parse_prefetch},
};

static stmt *parse_stmt(reader *r)
{
	stmt *s = new(r->p.a, stmt);
	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
		if (parse_accept(&r->p, statements[i].word)) {
			statements[i].parse(r, s);
			return s;
		}
	}
	parse_assignment(r, s);
	return s;
}

static void parse_block(reader *r, block *out)
{
	parser *p = &r->p;
	int outside = r->visible.n;
	parse_expect(p, "{");
	parse_enter(p);
	while (!parse_accept(p, "}")) {
		stmt *s = parse_stmt(r);
		vec_push(p->a, out, s);
	}
	parse_leave(p);
	while (r->visible.n > outside)
		vec_pop(&r->visible)->visible = false;
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

static void parse_param(reader *r, kernel *k)
{
	enum { MAX_ALIGN = 4096 };
	parser *p = &r->p;
	buffer *b = new(p->a, buffer);
	*b = (buffer){.param = k->params.n, .align = BUFFER_ALIGN};
	token where = p->tok;
	if (parse_accept(p, "out") && parse_at(p, ":")) { /* a parameter of that name */
		b->name = names_intern(p->names, "out");
	} else {
		b->written = where.kind == TOKEN_NAME && slice_eq(where.text, "out");
		where = p->tok;
		b->name = parse_any_name(p, "the name of a parameter");
	}
	parse_expect(p, ":");
	b->type = parse_array_type(p, &b->size);
	if (parse_accept(p, "align")) {
		token align_at = p->tok;
		b->align = parse_count(p, 1, MAX_ALIGN, "the alignment");
		if (b->align & (b->align - 1))
			parse_error_at(p, align_at, "the alignment %d is not a power of two", b->align);
	}
	declare(r, where, b->name)->b = b;
	vec_push(p->a, &k->params, b);
}

static void parse_params(reader *r, kernel *k)
{
	parse_expect(&r->p, "(");
	while (!parse_accept(&r->p, ")")) {
		if (k->params.n)
			parse_expect(&r->p, ",");
		parse_param(r, k);
	}
}

static void parse_kernel(reader *r)
{
	parser *p = &r->p;
	token where = p->tok;
	const char *name = parse_symbol(p, "the name of a kernel (@name)");
	if (map_has(r->kernels, name))
		parse_error_at(p, where, "kernel @%s is defined twice", name);
	kernel *k = kernel_new(r->prog, name);
	r->entries = map_new(p->a);
	r->loops = map_new(p->a);
	r->visible.n = 0;
	parse_params(r, k);
	const char *tile_name = NULL;
	if (parse_accept(p, "parallel"))
		k->tile_var = parse_loop_head(r, &tile_name, &k->tiles);
	if (parse_accept(p, "nodes"))
		k->nodes = parse_string(p, "the names of nodes in quotes");
	if (parse_accept(p, "flops"))
		k->flops = parse_sym(p);
	if (parse_accept(p, "bytes"))
		k->bytes = parse_sym(p);
	if (tile_name)
		map_put(r->loops, tile_name, k->tile_var);
	parse_block(r, &k->body);
	r->entries = r->loops = NULL;
	map_put(r->kernels, name, k);
	vec_push(p->a, &r->prog->kernels, k);
}

/* ---- dims, ports and storages ------------------------------------------------------------------------------------ */

static void parse_dim(reader *r)
{
	sym *dim = parse_dim_range(&r->p);
	vec_push(r->p.a, &r->prog->dims, dim);
}

static void parse_assume(reader *r)
{
	condition c = condition_parse(&r->p);
	vec_push(r->p.a, &r->prog->assumed, c);
}

static storage *new_storage(reader *r, token where, const char *name, storage_kind kind, dtype t, sym *size)
{
	if (map_has(r->storages, name))
		parse_error_at(&r->p, where, "storage %%%s is declared twice", name);
	storage *s = storage_new(r->prog, name, kind, t, size);
	map_put(r->storages, name, s);
	return s;
}

/* input 0 %name: f32[N,3]  [unused | in %storage] */
static port parse_port(reader *r, storage_kind kind, int index)
{
	parser *p = &r->p;
	sym *dims[MAX_RANK];
	token where = p->tok;
	if (parse_count(p, 0, INT32_MAX, "the position") != index)
		parse_error_at(p, where, "expected position %d", index);
	where = p->tok;
	port q = {.name = parse_value_name(p)};
	parse_expect(p, ":");
	q.type = parse_dtype(p);
	q.rank = parse_sym_list(p, dims, MAX_RANK);
	q.dims = new_array(p->a, sym *, (size_t)q.rank);
	for (int i = 0; i < q.rank; i++)
		q.dims[i] = dims[i];
	sym_clear_overflow(p->syms);
	sym *size = sym_product(p->syms, q.dims, q.rank);
	if (sym_overflowed(p->syms))
		parse_error_at(p, where, "%%%s has more elements than fit in 64 bits", q.name);
	if (parse_accept(p, "unused"))
		return q;
	const char *name = q.name;
	if (parse_accept(p, "in")) {
		where = p->tok;
		name = parse_value_name(p);
	}
	new_storage(r, where, name, kind, q.type, size)->index = index;
	return q;
}

static void parse_input(reader *r)
{
	port q = parse_port(r, STORAGE_INPUT, r->prog->inputs.n);
	vec_push(r->p.a, &r->prog->inputs, q);
}

static void parse_output(reader *r)
{
	port q = parse_port(r, STORAGE_OUTPUT, r->prog->outputs.n);
	vec_push(r->p.a, &r->prog->outputs, q);
}

static const tensor *parse_const_data(reader *r, token where, dtype t, const sym *size)
{
	int64_t n;
	tensor *data = new(r->p.a, tensor);
	if (!sym_is_const(size, &n) || !tensor_init(data, r->p.a, t, 1, &n))
		parse_error_at(&r->p, where, "the size of a constant is not a number of elements that fits in memory");
	parse_tensor_data(&r->p, data);
	return data;
}

static storage *parse_storage(reader *r, storage_kind kind)
{
	token where = r->p.tok;
	const char *name = parse_value_name(&r->p);
	parse_expect(&r->p, ":");
	sym *size;
	dtype t = parse_array_type(&r->p, &size);
	return new_storage(r, where, name, kind, t, size);
}

static void parse_const(reader *r)
{
	token where = r->p.tok;
	storage *s = parse_storage(r, STORAGE_CONST);
	if (parse_accept(&r->p, "="))
		s->data = parse_const_data(r, where, s->type, s->size);
}

static void parse_arena(reader *r)
{
	storage *s = parse_storage(r, STORAGE_ARENA);
	if (!parse_accept(&r->p, "at"))
		return;
	s->offset = parse_sym(&r->p);
	parse_expect(&r->p, "live");
	s->first_step = parse_count(&r->p, 0, INT32_MAX, "the first step");
	parse_expect(&r->p, "..");
	s->last_step = parse_count(&r->p, s->first_step, INT32_MAX, "the last step");
}

/* part %name: f32[64] of %whole at 64*i */
static void parse_part(reader *r)
{
	parser *p = &r->p;
	storage *s = parse_storage(r, STORAGE_PART);
	parse_expect(p, "of");
	token where = p->tok;
	s->whole = parse_storage_use(r);
	if (s->whole->kind == STORAGE_PART || s->whole->kind == STORAGE_CARRIED)
		parse_error_at(p, where, "%%%s has no memory of its own to have parts in", s->whole->name);
	parse_expect(p, "at");
	s->start = parse_sym(p);
}

static void parse_carried(reader *r) { parse_storage(r, STORAGE_CARRIED); }

static void parse_workspace(reader *r) { r->prog->workspace_bytes = parse_sym(&r->p); }

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* bind dim = %storage    bind dim = sum    bind 1 = %storage */
static step parse_bind(reader *r)
{
	parser *p = &r->p;
	token where = p->tok;
	step s = {.kind = STEP_BIND, .symbol = parse_sym(p)};
	if (s.symbol->kind != SYM_VAR && s.symbol->kind != SYM_CONST)
		parse_error_at(p, where, "expected a dim or a constant");
	parse_expect(p, "=");
	if (p->tok.kind == TOKEN_VALUE)
		s.from = parse_storage_use(r);
	else
		s.value = parse_sym(p);
	return s;
}

static void parse_steps(reader *r, step_list *out);

static step parse_if_step(reader *r)
{
	step s = {.kind = STEP_IF, .from = parse_storage_use(r)};
	parse_steps(r, &s.body);
	if (parse_accept(&r->p, "else"))
		parse_steps(r, &s.otherwise);
	return s;
}

static carry parse_carry(reader *r)
{
	carry c = {.current = parse_storage_use(r)};
	parse_expect(&r->p, "from");
	c.from = parse_storage_use(r);
	parse_expect(&r->p, "next");
	c.next = parse_storage_use(r);
	if (parse_accept(&r->p, "to"))
		c.result = parse_storage_use(r);
	return c;
}

/* loop i < trip while %a then %b count %n carry %h from %x next %y to %z { ... } */
static step parse_loop_step(reader *r)
{
	parser *p = &r->p;
	token where = p->tok;
	step s = {.kind = STEP_LOOP, .symbol = parse_sym(p)};
	if (s.symbol->kind != SYM_VAR && !sym_is(s.symbol, 0))
		parse_error_at(p, where, "expected the dim that counts, or 0");
	if (parse_accept(p, "<"))
		s.trip = parse_sym(p);
	if (parse_accept(p, "while")) {
		s.from = parse_storage_use(r);
		parse_expect(p, "then");
		s.go_on = parse_storage_use(r);
	}
	if (parse_accept(p, "count"))
		s.count = parse_storage_use(r);
	while (parse_accept(p, "carry")) {
		carry c = parse_carry(r);
		vec_push(p->a, &s.carried, c);
	}
	parse_steps(r, &s.body);
	return s;
}

static step parse_call(reader *r)
{
	parser *p = &r->p;
	token where = p->tok;
	const char *name = parse_symbol(p, "bind, if, loop, assume or a kernel (@name)");
	step s = {.kind = STEP_CALL, .k = map_get(r->kernels, name)};
	if (!s.k)
		parse_error_at(p, where, "unknown kernel @%s", name);
	parse_expect(p, "(");
	for (int i = 0; i < s.k->params.n; i++) {
		if (i)
			parse_expect(p, ",");
		token arg_at = p->tok;
		storage *arg = parse_storage_use(r);
		const buffer *b = s.k->params.v[i];
		if (buffer_type(arg->type) != b->type)
			parse_error_at(p, arg_at, "%%%s is %s, parameter '%s' of @%s is %s", arg->name, dtype_name(arg->type), b->name,
			               name, dtype_name(b->type));
		vec_push(p->a, &s.args, arg);
	}
	parse_expect(p, ")");
	return s;
}

static step parse_step(reader *r)
{
	if (parse_accept(&r->p, "bind"))
		return parse_bind(r);
	if (parse_accept(&r->p, "if"))
		return parse_if_step(r);
	if (parse_accept(&r->p, "assume"))
		return (step){.kind = STEP_ASSUME, .assumed = condition_parse(&r->p)};
	return parse_accept(&r->p, "loop") ? parse_loop_step(r) : parse_call(r);
}

static void parse_steps(reader *r, step_list *out)
{
	parse_enter(&r->p);
	parse_expect(&r->p, "{");
	while (!parse_accept(&r->p, "}")) {
		step s = parse_step(r);
		vec_push(r->p.a, out, s);
	}
	parse_leave(&r->p);
}

static void parse_run(reader *r)
{
	if (r->has_run)
		parse_error_at(&r->p, r->p.last, "a second 'run'");
	r->has_run = true;
	parse_steps(r, &r->prog->steps);
}

/* ---- program ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	void (*parse)(reader *r);
} items[] = {
	{"dim", parse_dim},     {"assume", parse_assume},       {"input", parse_input},   {"output", parse_output},
	{"const", parse_const},
	{"arena", parse_arena}, {"workspace", parse_workspace}, {"kernel", parse_kernel}, {"run", parse_run},
	{"part", parse_part},   {"carried", parse_carried},
};

static void parse_item(reader *r)
{
	for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
		if (parse_accept(&r->p, items[i].word)) {
			items[i].parse(r);
			return;
		}
	}
	parse_error(&r->p, "expected dim, input, output, const, arena, part, carried, workspace, assume, kernel or run, found %s", parse_found(&r->p));
}

static void parse_program(reader *r, arena *a, const char *file, const char *text, size_t n, diag *d)
{
	parser *p = &r->p;
	sym_ctx *syms = sym_ctx_new(a);
	expr_ctx *exprs = expr_ctx_new(a, syms);
	parser_init(p, a, names_new(a), file, text, n, d);
	p->syms = syms;
	p->exprs = exprs;
	p->find_var = find_var;
	p->find_leaf = find_leaf;
	p->user = r;
	p->as_written = true;
	parse_expect(p, "program");
	r->prog = program_new(a, syms, exprs, parse_symbol(p, "the name of the program (@name)"));
	r->kernels = map_new_str(a);
	r->storages = map_new_str(a);
	while (p->tok.kind != TOKEN_END)
		parse_item(r);
}

program *program_parse(arena *a, const char *file, const char *text, size_t n, diag *d)
{
	reader *r = new(a, reader);
	if (!diag_guard(d))
		return NULL;
	parse_program(r, a, file, text, n, d);
	diag_pop_guard(d);
	return r->prog;
}
