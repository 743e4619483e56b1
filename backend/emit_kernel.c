/* Kernels to functions: the frame, statements and serial loops.
 *
 * Variables are allocas in the entry block, which the sroa pass turns into SSA values; loop variables are phis.  Loops are
 * tested at their end, behind a guard where they may have no iteration. */
#include "backend/emit_internal.h"

#include "support/diag.h"

#include <string.h>

enum {
	ARRAY_ALIGN = 64,
	TILE_ROWS = 4, /* so many assignments in an unrolled body make it a step of a register tile */
};

/* ---- values already computed ---------------------------------------------------------------------------------------- */

static unsigned bucket_of(const void *key)
{
	uintptr_t x = (uintptr_t)key;
	return (unsigned)((x >> 4 ^ x >> 11) % MEMO_BUCKETS);
}

static void memo_init(memo *m)
{
	for (int i = 0; i < MEMO_BUCKETS; i++)
		m->bucket[i] = -1;
}

bool memo_find(const memo *m, const void *key, val *v)
{
	for (int i = m->bucket[bucket_of(key)]; i >= 0; i = m->entries.v[i].next) {
		const memo_entry *entry = &m->entries.v[i];
		if (entry->key != key)
			continue;
		v->varying = entry->varying;
		int n = 1;
		for (; entry->varying && n < MAX_PARTS && entry->v[n]; n++)
			;
		memcpy(v->v, entry->v, (size_t)n * sizeof *v->v);
		return true;
	}
	return false;
}

void memo_put(emitter *e, memo *m, const void *key, const val *v)
{
	int n = v->varying ? e->lanes->parts : 1;
	LLVMValueRef *copy = new_array(e->a, LLVMValueRef, (size_t)n + 1); /* ends with NULL */
	memcpy(copy, v->v, (size_t)n * sizeof *copy);
	unsigned b = bucket_of(key);
	memo_entry entry = {.key = key, .next = m->bucket[b], .varying = v->varying, .v = copy};
	m->bucket[b] = m->entries.n;
	vec_push(e->a, &m->entries, entry);
}

static void memo_rewind(memo *m, int n)
{
	while (m->entries.n > n) {
		memo_entry entry = vec_pop(&m->entries);
		m->bucket[bucket_of(entry.key)] = entry.next;
	}
}

memo_mark emit_memo_mark(const emitter *e)
{
	return (memo_mark){e->exprs.entries.n, e->syms.entries.n};
}

void emit_memo_rewind(emitter *e, memo_mark to)
{
	memo_rewind(&e->exprs, to.exprs);
	memo_rewind(&e->syms, to.syms);
}

/* ---- frame ------------------------------------------------------------------------------------------------------------ */

LLVMTypeRef emit_type(emitter *e, dtype t)
{
	dtype compute = dtype_table[t].compute;
	switch (dtype_table[compute].class) {
	case CLASS_FLOAT: return compute == F64 ? cg_f64(&e->c) : cg_f32(&e->c);
	case CLASS_SINT:
	case CLASS_UINT: return cg_int(&e->c, dtype_table[compute].bits);
	case CLASS_BOOL: return cg_int(&e->c, 1);
	case CLASS_STRING: break;
	}
	bug("a kernel computes with %s", dtype_name(t));
}

LLVMBasicBlockRef emit_new_block(emitter *e, const char *name)
{
	return LLVMAppendBasicBlockInContext(e->m->context, e->function, name);
}

LLVMValueRef emit_alloca(emitter *e, LLVMTypeRef t, int align)
{
	LLVMValueRef at = LLVMBuildAlloca(e->entry, t, "");
	if (align)
		LLVMSetAlignment(at, (unsigned)align);
	return at;
}

/* ---- loops ------------------------------------------------------------------------------------------------------------ */

void emit_var_push(emitter *e, const sym *var, LLVMValueRef value)
{
	e->depth++;
	loop_var v = {.var = var, .value = value, .depth = e->depth};
	vec_push(e->a, &e->vars, v);
}

void emit_var_push_number(emitter *e, const sym *var, int64_t number)
{
	e->depth++;
	loop_var v = {.var = var, .value = cg_i64(&e->c, number), .depth = 0, .constant = true, .number = number};
	vec_push(e->a, &e->vars, v);
}

void emit_var_pop(emitter *e)
{
	e->depth--;
	(void)vec_pop(&e->vars);
}

loop_var *emit_var_find(emitter *e, const sym *var)
{
	for (int i = e->vars.n; i-- > 0;)
		if (e->vars.v[i].var == var)
			return &e->vars.v[i];
	bug("loop variable %s is not in scope", var->name);
}

loop emit_loop_open(emitter *e, LLVMValueRef from, LLVMValueRef end, LLVMValueRef by, bool runs)
{
	LLVMBuilderRef b = e->c.b;
	loop l = {.body = emit_new_block(e, "loop"), .exit = emit_new_block(e, "end"), .end = end, .by = by};
	LLVMBasicBlockRef before = LLVMGetInsertBlock(b);
	if (runs)
		LLVMBuildBr(b, l.body);
	else
		LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, from, end, ""), l.body, l.exit);
	LLVMPositionBuilderAtEnd(b, l.body);
	l.i = LLVMBuildPhi(b, cg_int(&e->c, 64), "");
	LLVMAddIncoming(l.i, &from, &before, 1);
	return l;
}

void emit_loop_close(emitter *e, loop *l)
{
	LLVMBuilderRef b = e->c.b;
	LLVMValueRef next = LLVMBuildNSWAdd(b, l->i, l->by, "");
	LLVMBasicBlockRef latch = LLVMGetInsertBlock(b);
	LLVMAddIncoming(l->i, &next, &latch, 1);
	LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, l->end, ""), l->body, l->exit);
	LLVMPositionBuilderAtEnd(b, l->exit);
}

void emit_serial_for(emitter *e, const stmt *s, LLVMValueRef from, LLVMValueRef end, bool runs)
{
	memo_mark mark = emit_memo_mark(e);
	loop l = emit_loop_open(e, from, end, cg_i64(&e->c, 1), runs);
	emit_var_push(e, s->f.var, l.i);
	emit_block(e, &s->f.body);
	emit_var_pop(e);
	emit_loop_close(e, &l);
	emit_memo_rewind(e, mark);
}

/* LLVM's scheduler moves loads and products over the iterations of unrolled code: one vector too many when a register tile
 * fills the registers.  It stops at a label, and this annotation is one; it has no bytes. */
static void emit_fence(emitter *e)
{
	LLVMContextRef context = e->m->context;
	LLVMMetadataRef text = LLVMMDStringInContext2(context, "step", 4);
	LLVMValueRef note = LLVMMetadataAsValue(context, LLVMMDNodeInContext2(context, &text, 1));
	cg_intrinsic(&e->c, "llvm.codeview.annotation", NULL, 0, &note, 1);
}

static bool is_tile_step(const block *b)
{
	int sets = 0;
	for (int i = 0; i < b->n; i++)
		sets += b->v[i]->kind == STMT_SET;
	return sets >= TILE_ROWS;
}

static void emit_unrolled(emitter *e, const stmt *s, int64_t n)
{
	bool fenced = e->lanes && e->m->options->opt > 0 && is_tile_step(&s->f.body);
	for (int64_t i = 0; i < n; i++) {
		memo_mark mark = emit_memo_mark(e);
		emit_var_push_number(e, s->f.var, i);
		emit_block(e, &s->f.body);
		if (fenced)
			emit_fence(e);
		emit_var_pop(e);
		emit_memo_rewind(e, mark);
	}
}

static void emit_for(emitter *e, const stmt *s)
{
	int64_t n = 0;
	bool constant = sym_is_const(s->f.extent, &n);
	if (constant && n <= 0)
		return;
	if (s->f.loop == LOOP_VECTOR && !e->lanes && e->m->options->opt > 0) {
		emit_vector_for(e, s);
		return;
	}
	if (constant && (n == 1 || s->f.loop == LOOP_UNROLL)) {
		emit_unrolled(e, s, n);
		return;
	}
	if (sym_varies(e, s->f.extent))
		bug("the extent of loop %s differs between lanes", s->f.var->name);
	LLVMValueRef end = emit_sym(e, s->f.extent);
	emit_serial_for(e, s, cg_i64(&e->c, 0), end, s->f.extent->lo >= 1);
}

/* ---- branches --------------------------------------------------------------------------------------------------------- */

/* A block of statements that other code does not come after in the same basic block. */
static void emit_arm(emitter *e, const block *body, LLVMBasicBlockRef at, LLVMBasicBlockRef then)
{
	memo_mark mark = emit_memo_mark(e);
	LLVMPositionBuilderAtEnd(e->c.b, at);
	e->depth++;
	emit_block(e, body);
	e->depth--;
	LLVMBuildBr(e->c.b, then);
	emit_memo_rewind(e, mark);
}

static void emit_if(emitter *e, const stmt *s)
{
	LLVMValueRef cond = emit_condition(e, s->branch.cond);
	LLVMBasicBlockRef then = emit_new_block(e, "then"), after = emit_new_block(e, "endif");
	LLVMBasicBlockRef otherwise = s->branch.otherwise.n ? emit_new_block(e, "else") : after;
	LLVMBuildCondBr(e->c.b, cond, then, otherwise);
	emit_arm(e, &s->branch.then, then, after);
	if (otherwise != after)
		emit_arm(e, &s->branch.otherwise, otherwise, after);
	LLVMPositionBuilderAtEnd(e->c.b, after);
}

static void emit_while(emitter *e, const stmt *s)
{
	LLVMBasicBlockRef test = emit_new_block(e, "while"), body = emit_new_block(e, "do"), after = emit_new_block(e, "done");
	LLVMBuildBr(e->c.b, test);
	LLVMPositionBuilderAtEnd(e->c.b, test);
	memo_mark mark = emit_memo_mark(e);
	e->depth++; /* what the condition reads may change in the body */
	LLVMValueRef cond = emit_condition(e, s->branch.cond);
	e->depth--;
	emit_memo_rewind(e, mark);
	LLVMBuildCondBr(e->c.b, cond, body, after);
	emit_arm(e, &s->branch.then, body, test);
	LLVMPositionBuilderAtEnd(e->c.b, after);
}

/* ---- statements ------------------------------------------------------------------------------------------------------- */

static void set_local(emitter *e, slot *s, const val *v)
{
	LLVMBuilderRef b = e->c.b;
	if (!s->v.varying) {
		if (v->varying)
			bug("a local of all lanes is given a value per lane");
		LLVMBuildStore(b, v->v[0], s->v.v[0]);
		return;
	}
	for (int p = 0; p < e->lanes->parts; p++) {
		LLVMValueRef x = val_part(e, v, p);
		if (s->reduction && e->lanes->mask[p]) {
			LLVMValueRef old = LLVMBuildLoad2(b, s->type, s->v.v[p], "");
			x = LLVMBuildSelect(b, e->lanes->mask[p], x, old, "");
		}
		LLVMBuildStore(b, x, s->v.v[p]);
	}
}

static void emit_var(emitter *e, const stmt *s)
{
	val init = emit_expr(e, s->set.e);
	slot *here = new (e->a, slot);
	LLVMTypeRef t = emit_type(e, s->set.l->type);
	here->variable = true;
	here->v.varying = e->lanes && map_has(e->lanes->varying_locals, s->set.l);
	here->type = here->v.varying ? cg_vector(t, e->lanes->width) : t;
	for (int p = 0; p < (here->v.varying ? e->lanes->parts : 1); p++)
		here->v.v[p] = emit_alloca(e, here->type, 0);
	map_put(e->locals, s->set.l, here);
	set_local(e, here, &init);
}

static void emit_let(emitter *e, const stmt *s)
{
	slot *here = new (e->a, slot);
	here->v = emit_expr(e, s->set.e);
	map_put(e->locals, s->set.l, here);
}

static void emit_array(emitter *e, const buffer *b)
{
	size_t bytes = 0;
	if (!dtype_bytes(b->type, (size_t)sym_value(b->size), &bytes))
		bug("array %s is too large", b->name);
	LLVMTypeRef t = LLVMArrayType2(cg_int(&e->c, 8), bytes ? bytes : 1);
	val *base = new (e->a, val);
	base->v[0] = emit_alloca(e, t, ARRAY_ALIGN);
	map_put(e->buffers, b, base);
}

static void emit_stmt(emitter *e, const stmt *s)
{
	memo_rewind(&e->exprs, 0);
	if (e->m->set_location)
		e->m->set_location(e->m, e->c.b, s->line);
	switch (s->kind) {
	case STMT_FOR: emit_for(e, s); break;
	case STMT_LET: emit_let(e, s); break;
	case STMT_VAR: emit_var(e, s); break;
	case STMT_SET: {
		val v = emit_expr(e, s->set.e);
		slot *to = map_get(e->locals, s->set.l);
		if (!to)
			bug("local %s is not in scope", s->set.l->name);
		set_local(e, to, &v);
		break;
	}
	case STMT_STORE: emit_store(e, s->store.b, s->store.index, emit_expr(e, s->store.e), s->store.streaming); break;
	case STMT_IF: emit_if(e, s); break;
	case STMT_WHILE: emit_while(e, s); break;
	case STMT_ARRAY: emit_array(e, s->array); break;
	case STMT_PREFETCH: emit_prefetch(e, s->prefetch.b, s->prefetch.index, s->prefetch.locality); break;
	}
	memo_rewind(&e->exprs, 0);
}

void emit_block(emitter *e, const block *b)
{
	int mark = e->syms.entries.n;
	for (int i = 0; i < b->n; i++)
		emit_stmt(e, b->v[i]);
	memo_rewind(&e->syms, mark);
}

/* ---- functions -------------------------------------------------------------------------------------------------------- */

LLVMTypeRef emit_kernel_type(emit_module *m)
{
	LLVMTypeRef ptr = LLVMPointerTypeInContext(m->context, 0), i64 = LLVMInt64TypeInContext(m->context);
	return LLVMFunctionType(LLVMVoidTypeInContext(m->context), (LLVMTypeRef[]){ptr, ptr, i64, i64}, 4, 0);
}

static void add_attribute(emit_module *m, LLVMValueRef function, int at, const char *name)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
	LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)at, LLVMCreateEnumAttribute(m->context, kind, 0));
}

static void add_text_attribute(emit_module *m, LLVMValueRef function, const char *name, const char *text)
{
	LLVMAttributeRef a = LLVMCreateStringAttribute(m->context, name, (unsigned)strlen(name), text, (unsigned)strlen(text));
	LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, a);
}

void emit_function_attributes(emit_module *m, LLVMValueRef function)
{
	const target *t = m->options->target;
	add_text_attribute(m, function, "target-cpu", t->llvm_cpu);
	if (*t->features)
		add_text_attribute(m, function, "target-features", t->features);
	add_attribute(m, function, LLVMAttributeFunctionIndex, "nounwind");
}

static void emitter_init(emitter *e, emit_module *m, LLVMBuilderRef b, LLVMValueRef symbols)
{
	*e = (emitter){.c = {m, b}, .m = m, .a = arena_new("emit"), .symbols = symbols, .entry = b};
	e->dims = new_array(e->a, LLVMValueRef, (size_t)m->program->dims.n + 1);
	e->locals = map_new(e->a);
	e->buffers = map_new(e->a);
	memo_init(&e->exprs);
	memo_init(&e->syms);
}

static void load_params(emitter *e, const kernel *k)
{
	for (int i = 0; i < k->params.n; i++) {
		const buffer *b = k->params.v[i];
		LLVMValueRef index = cg_i64(&e->c, b->param), buffers = LLVMGetParam(e->function, 0);
		LLVMValueRef at = LLVMBuildGEP2(e->entry, cg_ptr(&e->c), buffers, &index, 1, "");
		val *base = new (e->a, val);
		base->v[0] = LLVMBuildLoad2(e->entry, cg_ptr(&e->c), at, b->name);
		map_put(e->buffers, b, base);
	}
}

static void emit_tiles(emitter *e, const kernel *k)
{
	if (!k->tiles) {
		emit_block(e, &k->body);
		return;
	}
	loop l = emit_loop_open(e, LLVMGetParam(e->function, 2), LLVMGetParam(e->function, 3), cg_i64(&e->c, 1), false);
	emit_var_push(e, k->tile_var, l.i);
	emit_block(e, &k->body);
	emit_var_pop(e);
	emit_loop_close(e, &l);
}

LLVMValueRef emit_kernel(emit_module *m, const kernel *k, LLVMValueRef function)
{
	static const char *const pointer_facts[] = {"noalias", "readonly"};
	LLVMBuilderRef b = LLVMCreateBuilderInContext(m->context);
	emitter e;
	emitter_init(&e, m, b, LLVMGetParam(function, 1));
	e.function = function;
	emit_function_attributes(m, function);
	for (int i = 0; i < 2; i++)
		for (int p = 1; p <= 2; p++)
			add_attribute(m, function, p, pointer_facts[i]);

	/* Allocas and loads of parameters and dims gather in front of the entry block's branch. */
	LLVMBasicBlockRef entry = emit_new_block(&e, "entry"), body = emit_new_block(&e, "body");
	LLVMPositionBuilderAtEnd(b, entry);
	if (m->set_location)
		m->set_location(m, b, k->line);
	LLVMValueRef enter = LLVMBuildBr(b, body);
	e.entry = LLVMCreateBuilderInContext(m->context);
	LLVMPositionBuilderBefore(e.entry, enter);
	LLVMPositionBuilderAtEnd(b, body);

	load_params(&e, k);
	emit_tiles(&e, k);
	LLVMBuildRetVoid(b);
	LLVMDisposeBuilder(e.entry);
	LLVMDisposeBuilder(b);
	arena_free(e.a);
	return function;
}

LLVMValueRef emit_dims_value(emit_module *m, LLVMBuilderRef b, LLVMValueRef symbols, const sym *s)
{
	emitter e;
	emitter_init(&e, m, b, symbols);
	LLVMValueRef v = emit_sym(&e, s);
	arena_free(e.a);
	return v;
}
