/* Writing kernels statement by statement.
 *
 * Statements go to the end of the innermost open block, so the statement that opened block i is the last one of block
 * i-1: no other record of it is kept. */
#include "ir/kernel_build.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

void kb_init(kernel_builder *b, kernel *k)
{
	program *p = k->in;
	*b = (kernel_builder){.a = p->a, .k = k, .exprs = p->exprs, .syms = p->syms, .taken = map_new_str(p->a)};
	b->elem = (elem){.a = p->a, .exprs = p->exprs, .syms = p->syms};
	vec_push(b->a, &b->open, &k->body);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* Words that begin a statement or an expression cannot name a buffer or a local. */
static bool is_reserved(const char *name)
{
	static const char *const words[] = {
		"for", "vector", "unroll", "let", "var", "if", "else", "while", "array", "stream", "prefetch", "out", "true", "false",
		"inf", "nan",
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return expr_op_find(name, strlen(name)) != EXPR_OP_COUNT || dtype_find(name, strlen(name)) != DTYPE_NONE;
}

static const char *fresh_name(kernel_builder *b, const char *hint)
{
	str s = str_new(b->a);
	if (!isalpha((unsigned char)*hint))
		str_addc(&s, '_');
	for (const char *c = hint; *c; c++)
		str_addc(&s, isalnum((unsigned char)*c) ? *c : '_');
	if (is_reserved(s.data))
		str_addc(&s, '_');
	return unique_name(b->a, b->taken, s.data);
}

/* ---- statements and blocks --------------------------------------------------------------------------------------- */

static stmt *append(kernel_builder *b, stmt_kind kind)
{
	stmt *s = new(b->a, stmt);
	s->kind = kind;
	block *inner = b->open.v[b->open.n - 1];
	vec_push(b->a, inner, s);
	return s;
}

/* The statement that opened block i, i > 0. */
static stmt *opener(const kernel_builder *b, int i)
{
	const block *outer = b->open.v[i - 1];
	return outer->v[outer->n - 1];
}

/* The innermost open vector loop, or NULL. */
static stmt *open_vector(const kernel_builder *b)
{
	for (int i = b->open.n - 1; i > 0; i--) {
		stmt *s = opener(b, i);
		if (s->kind == STMT_FOR && s->f.loop == LOOP_VECTOR)
			return s;
	}
	return NULL;
}

static sym *open_loop(kernel_builder *b, loop_kind kind, const char *hint, sym *extent, int lanes)
{
	stmt *s = append(b, STMT_FOR);
	s->f.loop = kind;
	s->f.var = sym_loop(b->syms, hint, extent);
	s->f.extent = extent;
	s->f.lanes = lanes;
	vec_push(b->a, &b->open, &s->f.body);
	return s->f.var;
}

sym *kb_for(kernel_builder *b, const char *hint, sym *extent)
{
	return open_loop(b, LOOP_SERIAL, hint, extent, 0);
}

sym *kb_unroll(kernel_builder *b, const char *hint, int64_t extent)
{
	return open_loop(b, LOOP_UNROLL, hint, sym_const(b->syms, extent), 0);
}

sym *kb_vector(kernel_builder *b, const char *hint, sym *extent, int lanes)
{
	if (b->opt == 0)
		return kb_for(b, hint, extent);
	assert(!open_vector(b));
	return open_loop(b, LOOP_VECTOR, hint, extent, lanes);
}

void kb_reduces(kernel_builder *b, local *l, expr_op combine)
{
	stmt *s = open_vector(b);
	if (s)
		vec_push(b->a, &s->f.reductions, ((lane_reduction){l, combine}));
}

sym *kb_parallel(kernel_builder *b, const char *hint, sym *extent)
{
	assert(!b->k->tiles && b->k->body.n == 0);
	b->k->tiles = extent;
	b->k->tile_var = sym_loop(b->syms, hint, extent);
	return b->k->tile_var;
}

static void open_branch(kernel_builder *b, stmt_kind kind, const expr *cond)
{
	assert(cond->type == BOOL);
	stmt *s = append(b, kind);
	s->branch.cond = cond;
	vec_push(b->a, &b->open, &s->branch.then);
}

void kb_if(kernel_builder *b, const expr *cond) { open_branch(b, STMT_IF, cond); }
void kb_while(kernel_builder *b, const expr *cond) { open_branch(b, STMT_WHILE, cond); }

void kb_else(kernel_builder *b)
{
	assert(b->open.n > 1);
	stmt *s = opener(b, b->open.n - 1);
	assert(s->kind == STMT_IF && b->open.v[b->open.n - 1] == &s->branch.then);
	b->open.v[b->open.n - 1] = &s->branch.otherwise;
}

void kb_end(kernel_builder *b)
{
	assert(b->open.n > 1);
	b->open.n--;
}

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

static buffer *buffer_new(kernel_builder *b, const char *hint, dtype t, sym *size, int align)
{
	buffer *x = new(b->a, buffer);
	*x = (buffer){.name = fresh_name(b, hint), .type = t, .size = size, .param = -1, .align = align};
	return x;
}

buffer *kb_param(kernel_builder *b, const char *hint, dtype t, sym *size, bool written, int align)
{
	buffer *x = buffer_new(b, hint, t, size, align);
	x->written = written;
	x->param = b->k->params.n;
	vec_push(b->a, &b->k->params, x);
	return x;
}

buffer *kb_array(kernel_builder *b, const char *hint, dtype t, int64_t size)
{
	buffer *x = buffer_new(b, hint, t, sym_const(b->syms, size), BUFFER_ALIGN);
	x->written = true;
	append(b, STMT_ARRAY)->array = x;
	return x;
}

const expr *kb_load(kernel_builder *b, buffer *from, sym *index) { return expr_load(b->exprs, from, index); }

void kb_store(kernel_builder *b, buffer *to, sym *index, const expr *e)
{
	e = expr_cast(b->exprs, dtype_table[to->type].compute, e);
	stmt *s = append(b, STMT_STORE);
	s->store.b = to;
	s->store.index = index;
	s->store.e = e;
}

void kb_prefetch(kernel_builder *b, buffer *at, sym *index, int locality)
{
	stmt *s = append(b, STMT_PREFETCH);
	s->prefetch.b = at;
	s->prefetch.index = index;
	s->prefetch.locality = locality;
}

/* ---- locals ------------------------------------------------------------------------------------------------------ */

/* Can a later statement change the value of e?  (A leaf; symbols inside a scalar are visited by the search.) */
static bool is_changeable(const expr *e, void *user);

static bool is_changeable_var(const sym *v, void *user)
{
	return v->role == SYM_SCALAR && expr_any(v->scalar, is_changeable, user);
}

static bool is_changeable(const expr *e, void *user)
{
	if (e->op == EXPR_LOCAL)
		return e->local->assigned;
	if (e->op == EXPR_LOAD)
		return e->buffer->written || sym_any_var(e->index, is_changeable_var, user);
	return e->op == EXPR_INDEX && sym_any_var(e->index, is_changeable_var, user);
}

static local *local_new(kernel_builder *b, const char *hint, stmt_kind kind, dtype t, const expr *e)
{
	local *l = new(b->a, local);
	*l = (local){.name = fresh_name(b, hint), .type = t, .assigned = kind == STMT_VAR};
	stmt *s = append(b, kind);
	s->set.l = l;
	s->set.e = e;
	return l;
}

const expr *kb_let(kernel_builder *b, const char *hint, const expr *e)
{
	bool leaf = e->op == EXPR_CONST || e->op == EXPR_INDEX || e->op == EXPR_LOCAL;
	if (leaf && !is_changeable(e, NULL))
		return e;
	return expr_local(b->exprs, local_new(b, hint, STMT_LET, e->type, e));
}

local *kb_var(kernel_builder *b, const char *hint, dtype t, const expr *init)
{
	t = dtype_table[t].compute;
	return local_new(b, hint, STMT_VAR, t, expr_cast(b->exprs, t, init));
}

void kb_set(kernel_builder *b, local *l, const expr *e)
{
	assert(l->assigned);
	e = expr_cast(b->exprs, l->type, e);
	stmt *s = append(b, STMT_SET);
	s->set.l = l;
	s->set.e = e;
}

const expr *kb_get(kernel_builder *b, const local *l) { return expr_local(b->exprs, l); }

/* ---- graph values ------------------------------------------------------------------------------------------------ */

const expr *kb_read(kernel_builder *b, const value *v, coord at) { return elem_read(&b->elem, v, at); }

void kb_write(kernel_builder *b, const value *v, coord at, const expr *e)
{
	const value *base;
	sym *offset = value_offset(v, at, &base);
	kb_store(b, b->buffer_of(b, base, true), offset, e);
}

/* The logical axis at physical position p. */
static int storage_axis(const value *v, int p) { return v->layout ? v->layout->order[p] : p; }

coord kb_nest(kernel_builder *b, const value *v, bool vector)
{
	static const char *const hints[MAX_RANK] = {"i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
	coord at = {.rank = v->rank};
	int innermost = -1; /* position of the last loop */
	for (int p = 0; p < v->rank; p++)
		if (!sym_is(v->dims[storage_axis(v, p)], 1))
			innermost = p;
	for (int p = 0; p < v->rank; p++) {
		int axis = storage_axis(v, p);
		sym *extent = v->dims[axis];
		if (sym_is(extent, 1))
			at.i[axis] = sym_const(b->syms, 0);
		else if (vector && p == innermost)
			at.i[axis] = kb_vector(b, hints[axis], extent, 0);
		else
			at.i[axis] = kb_for(b, hints[axis], extent);
	}
	return at;
}

void kb_end_nest(kernel_builder *b, const value *v)
{
	for (int axis = 0; axis < v->rank; axis++)
		if (!sym_is(v->dims[axis], 1))
			kb_end(b);
}
