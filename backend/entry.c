/* The model around its kernels: run, workspace, dims, the typed call and the descriptor.
 *
 *   run           for each step, stores the addresses of its buffers in a frame and calls the kernel through NAME.call,
 *                 which knows of threads and profiles; branches and loops of steps are branches and loops in it
 *   NAME.call     one call of a kernel: profile hook, then its tiles on the pool if they are worth it, or all of them here
 *   NAME.task     what a thread of the pool runs: a range of tiles
 *   check         tests the assumed conditions of the caller's symbols; only when there are any
 *   workspace     the bytes that these symbols need; only when they depend on symbols
 *   dims          the dims of all ports; only when one is an expression
 *   NAME_run      the typed call; by dlrt_run_typed
 *   NAME          the descriptor; with NAME_run, the only global symbols
 *
 * With code for several CPUs or for certain sizes, run, workspace and what they need exist once per variant, as NAME.CPU.run ...
 * or NAME.CPU-DIM_VALUE.run ..., each in modules of its own; the rest is in one module for any CPU, where NAME lists the
 * descriptors of the variants, NAME.CPU ...  All of them get the symbols of the model, also those that are fixed for them.
 *
 * The structures are those of dlrt.h, field by field.  A kernel gets the caller's symbols, unless steps bind more of them:
 * then a copy in the order of p->dims.  A bound value outside the symbol's range ends the run with DLRT_DATA, so what was
 * sized by that range is never left; so does one that contradicts an assumed condition.  Symbols and addresses found inside a
 * branch or loop are forgotten behind it: a bound symbol is read again from the copy. */
#include "backend/model.h"

#include "ir/condition.h"
#include "runtime/dlrt.h"

#include <string.h>

#ifndef DLCC_VERSION
#define DLCC_VERSION "0.1.0"
#endif

typedef struct entry {
	emit_module *em;
	arena *a;
	const program *p;
	const emit_options *o;
	signature sig;
	const char *prefix; /* of local symbols: NAME or NAME.CPU */
	weights *w;
	LLVMValueRef *kernels;
	int first_kernel;   /* in the model's table */
	LLVMContextRef c;
	LLVMModuleRef m;
	LLVMBuilderRef b;
	LLVMTypeRef ptr, i1, i8, i32, i64, nothing;
	LLVMTypeRef kernel_type, task_type;
	LLVMTypeRef context_type, tensor_type, args_type, model_type;
	LLVMValueRef call; /* NAME.call */
} entry;

enum { CONTEXT_PARALLEL, CONTEXT_POOL, CONTEXT_PROFILE = 4, CONTEXT_PROFILE_USER, CONTEXT_ALLOC, CONTEXT_ALLOC_USER,
       CONTEXT_OUTPUTS, CONTEXT_WEIGHTS };
enum { TENSOR_DATA, TENSOR_DIMS = 3 };
enum { ARGS_KERNEL, ARGS_BUFFERS, ARGS_SYMBOLS };
enum { SERIAL_WORK = 1 << 18 }; /* operations plus bytes that one thread does in a few microseconds */
enum { N_MODEL_FIELDS = 26 };

/* ---- small words -------------------------------------------------------------------------------------------------- */

static LLVMValueRef int32(const entry *e, int32_t v) { return LLVMConstInt(e->i32, (uint64_t)(int64_t)v, true); }
static LLVMValueRef int64(const entry *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, true); }
static LLVMValueRef null_pointer(const entry *e) { return LLVMConstNull(e->ptr); }

static LLVMTypeRef function_type(LLVMTypeRef result, int n, LLVMTypeRef *params)
{
	return LLVMFunctionType(result, params, (unsigned)n, false);
}

static LLVMTypeRef struct_type(const entry *e, int n, LLVMTypeRef *fields)
{
	return LLVMStructTypeInContext(e->c, fields, (unsigned)n, false);
}

static LLVMValueRef local_global(const entry *e, LLVMValueRef value)
{
	LLVMValueRef g = LLVMAddGlobal(e->m, LLVMTypeOf(value), "");
	LLVMSetInitializer(g, value);
	LLVMSetGlobalConstant(g, true);
	LLVMSetLinkage(g, LLVMPrivateLinkage);
	LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
	return g;
}

static LLVMValueRef text(const entry *e, const char *s)
{
	return local_global(e, LLVMConstStringInContext2(e->c, s ? s : "", s ? strlen(s) : 0, false));
}

static LLVMValueRef table(const entry *e, LLVMTypeRef type, LLVMValueRef *rows, int n)
{
	return n ? local_global(e, LLVMConstArray2(type, rows, (uint64_t)n)) : null_pointer(e);
}

static LLVMValueRef row(const entry *e, int n, LLVMValueRef *fields)
{
	return LLVMConstStructInContext(e->c, fields, (unsigned)n, false);
}

static LLVMValueRef load_field(const entry *e, LLVMTypeRef type, LLVMValueRef base, unsigned field, const char *name)
{
	return LLVMBuildLoad2(e->b, e->ptr, LLVMBuildStructGEP2(e->b, type, base, field, ""), name);
}

static LLVMValueRef element(const entry *e, LLVMTypeRef type, LLVMValueRef base, int64_t index)
{
	LLVMValueRef i = int64(e, index);
	return index ? LLVMBuildInBoundsGEP2(e->b, type, base, &i, 1, "") : base;
}

static LLVMBasicBlockRef new_block(const entry *e, const char *name)
{
	LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b));
	return LLVMAppendBasicBlockInContext(e->c, f, name);
}

/* A local function, its parameters named, and the builder at its start. */
static LLVMValueRef begin_function(const entry *e, const char *name, LLVMTypeRef type, const char *const *params)
{
	LLVMValueRef f = LLVMAddFunction(e->m, arena_printf(e->a, "%s.%s", e->prefix, name), type);
	LLVMSetLinkage(f, LLVMInternalLinkage);
	emit_function_attributes(e->em, f);
	for (unsigned i = 0; params && i < LLVMCountParams(f); i++)
		LLVMSetValueName2(LLVMGetParam(f, i), params[i], strlen(params[i]));
	LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->c, f, "entry"));
	return f;
}

/* Leaves the function with `status` if `bad`, and goes on after it. */
static void return_if(const entry *e, LLVMValueRef bad, dlrt_status status)
{
	LLVMBasicBlockRef fail = new_block(e, "fail"), next = new_block(e, "");
	LLVMBuildCondBr(e->b, bad, fail, next);
	LLVMPositionBuilderAtEnd(e->b, fail);
	LLVMBuildRet(e->b, int32(e, (int32_t)status));
	LLVMPositionBuilderAtEnd(e->b, next);
}

static void return_ok(const entry *e)
{
	LLVMBuildRet(e->b, int32(e, DLRT_OK));
}

static void know_symbols(const entry *e, sizes *s, LLVMValueRef symbols)
{
	for (int i = 0; i < e->sig.symbols.n; i++) {
		const sym *dim = e->sig.symbols.v[i];
		map_put(s->known, dim, LLVMBuildLoad2(e->b, e->i64, element(e, e->i64, symbols, i), dim->name));
	}
}

/* ---- conditions --------------------------------------------------------------------------------------------------- */

static LLVMValueRef differ(const entry *e, LLVMValueRef x, LLVMValueRef y)
{
	return LLVMBuildICmp(e->b, LLVMIntNE, x, y, "");
}

/* Is it violated? */
static LLVMValueRef emit_condition(const entry *e, sizes *s, const condition *c)
{
	LLVMValueRef x = sizes_emit(s, c->a), y = sizes_emit(s, c->b);
	switch (c->kind) {
	case CONDITION_EQUAL: return differ(e, x, y);
	case CONDITION_AT_LEAST: return LLVMBuildICmp(e->b, LLVMIntSLT, x, y, "");
	case CONDITION_ONE_OR_EQUAL: return LLVMBuildAnd(e->b, differ(e, x, int64(e, 1)), differ(e, x, y), "");
	}
	bug("a condition of unknown kind");
}

static void return_if_overflow(const entry *e, sizes *s)
{
	if (s->overflow)
		return_if(e, s->overflow, DLRT_RANGE);
	s->overflow = NULL;
}

static bool is_bound_symbol(const sym *var, void *user) { return map_has(user, var); }

static LLVMValueRef condition_table(const entry *e)
{
	int n = e->p->assumed.n;
	LLVMValueRef *rows = new_array(e->a, LLVMValueRef, (size_t)n);
	for (int i = 0; i < n; i++) {
		str s = str_new(e->a);
		condition_print(&s, &e->p->assumed.v[i]);
		rows[i] = text(e, s.data);
	}
	return table(e, e->ptr, rows, n);
}

static LLVMValueRef emit_check(const entry *e)
{
	if (!e->p->assumed.n)
		return null_pointer(e);
	LLVMValueRef f = begin_function(e, "check", function_type(e->i32, 2, (LLVMTypeRef[]){e->ptr, e->ptr}),
	                                (const char *const[]){"symbols", "failed"});
	sizes s;
	sizes_init(&s, e->a, e->m, e->b, true);
	know_symbols(e, &s, LLVMGetParam(f, 0));
	LLVMValueRef failed = LLVMGetParam(f, 1);
	for (int i = 0; i < e->p->assumed.n; i++) {
		LLVMValueRef bad = emit_condition(e, &s, &e->p->assumed.v[i]);
		LLVMBuildStore(e->b, int32(e, -1), failed);
		return_if_overflow(e, &s);
		LLVMBuildStore(e->b, int32(e, i), failed);
		return_if(e, bad, DLRT_DIMS);
	}
	return_ok(e);
	return f;
}

/* ---- workspace and dims ------------------------------------------------------------------------------------------- */

/* Symbols that a run binds count as large as they can be. */
static void know_bounds_of_bound(const entry *e, sizes *s)
{
	for (int i = 0; i < map_count(e->sig.bound); i++) {
		const sym *dim = map_key_at(e->sig.bound, i);
		map_put(s->known, dim, int64(e, dim->hi));
	}
}

static LLVMTypeRef workspace_type(const entry *e)
{
	return function_type(e->i32, 2, (LLVMTypeRef[]){e->ptr, e->ptr});
}

static LLVMValueRef emit_workspace(const entry *e)
{
	if (e->sig.fixed_workspace)
		return null_pointer(e);
	LLVMValueRef f = begin_function(e, "workspace", workspace_type(e),
	                                (const char *const[]){"symbols", "bytes"});
	sizes s;
	sizes_init(&s, e->a, e->m, e->b, true);
	know_symbols(e, &s, LLVMGetParam(f, 0));
	know_bounds_of_bound(e, &s);
	LLVMValueRef bytes = sizes_emit(&s, e->p->workspace_bytes);
	if (s.overflow)
		return_if(e, s.overflow, DLRT_RANGE);
	LLVMBuildStore(e->b, bytes, LLVMGetParam(f, 1));
	return_ok(e);
	return f;
}

static bool has_expression(const entry *e, const port *ports, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < ports[i].rank; j++)
			if (signature_dim(&e->sig, ports[i].dims[j]) == DIM_EXPRESSION)
				return true;
	return false;
}

static LLVMValueRef emit_dim(const entry *e, sizes *s, const sym *dim)
{
	return signature_dim(&e->sig, dim) == DIM_FROM_DATA ? int64(e, -1) : sizes_emit(s, dim);
}

static LLVMValueRef emit_dims(const entry *e)
{
	const program *p = e->p;
	if (!has_expression(e, p->inputs.v, p->inputs.n) && !has_expression(e, p->outputs.v, p->outputs.n))
		return null_pointer(e);
	LLVMValueRef f = begin_function(e, "dims", function_type(e->i32, 2, (LLVMTypeRef[]){e->ptr, e->ptr}),
	                                (const char *const[]){"symbols", "dims"});
	sizes s;
	sizes_init(&s, e->a, e->m, e->b, true);
	know_symbols(e, &s, LLVMGetParam(f, 0));
	int64_t at = 0;
	for (int k = 0; k < p->inputs.n + p->outputs.n; k++) {
		const port *it = k < p->inputs.n ? &p->inputs.v[k] : &p->outputs.v[k - p->inputs.n];
		for (int i = 0; i < it->rank; i++) {
			LLVMValueRef dim = emit_dim(e, &s, it->dims[i]);
			LLVMBuildStore(e->b, dim, element(e, e->i64, LLVMGetParam(f, 1), at++));
		}
	}
	if (s.overflow)
		return_if(e, s.overflow, DLRT_RANGE);
	return_ok(e);
	return f;
}

/* ---- calling a kernel --------------------------------------------------------------------------------------------- */

static LLVMValueRef emit_task(const entry *e)
{
	LLVMValueRef f = begin_function(e, "task", e->task_type, (const char *const[]){"args", "begin", "end"});
	LLVMValueRef args = LLVMGetParam(f, 0);
	LLVMValueRef body = load_field(e, e->args_type, args, ARGS_KERNEL, "kernel");
	LLVMValueRef of_call[] = {
		load_field(e, e->args_type, args, ARGS_BUFFERS, "buffers"),
		load_field(e, e->args_type, args, ARGS_SYMBOLS, "symbols"),
		LLVMGetParam(f, 1),
		LLVMGetParam(f, 2),
	};
	LLVMBuildCall2(e->b, e->kernel_type, body, of_call, 4, "");
	LLVMBuildRetVoid(e->b);
	return f;
}

static void emit_profile(const entry *e, LLVMValueRef context, LLVMValueRef index, int phase)
{
	LLVMBasicBlockRef tell = new_block(e, "profile"), next = new_block(e, "");
	LLVMValueRef hook = load_field(e, e->context_type, context, CONTEXT_PROFILE, "hook");
	LLVMBuildCondBr(e->b, LLVMBuildIsNull(e->b, hook, ""), next, tell);
	LLVMPositionBuilderAtEnd(e->b, tell);
	LLVMValueRef user = load_field(e, e->context_type, context, CONTEXT_PROFILE_USER, "user");
	LLVMTypeRef type = function_type(e->nothing, 3, (LLVMTypeRef[]){e->ptr, e->i32, e->i32});
	LLVMBuildCall2(e->b, type, hook, (LLVMValueRef[]){user, index, int32(e, phase)}, 3, "");
	LLVMBuildBr(e->b, next);
	LLVMPositionBuilderAtEnd(e->b, next);
}

/* context->parallel(context->pool, NAME.task, &{kernel, buffers, symbols}, n) */
static void emit_parallel(const entry *e, LLVMValueRef task, LLVMValueRef f, LLVMValueRef args)
{
	LLVMValueRef context = LLVMGetParam(f, 0);
	for (unsigned i = 0; i < 3; i++)
		LLVMBuildStore(e->b, LLVMGetParam(f, i + 1), LLVMBuildStructGEP2(e->b, e->args_type, args, i, ""));
	LLVMValueRef of_call[] = {
		load_field(e, e->context_type, context, CONTEXT_POOL, "pool"), task, args, LLVMGetParam(f, 4),
	};
	LLVMTypeRef type = function_type(e->nothing, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->i64});
	LLVMValueRef parallel = load_field(e, e->context_type, context, CONTEXT_PARALLEL, "parallel");
	LLVMBuildCall2(e->b, type, parallel, of_call, 4, "");
}

static void emit_serial(const entry *e, LLVMValueRef f)
{
	LLVMValueRef of_call[] = {LLVMGetParam(f, 2), LLVMGetParam(f, 3), int64(e, 0), LLVMGetParam(f, 4)};
	LLVMBuildCall2(e->b, e->kernel_type, LLVMGetParam(f, 1), of_call, 4, "");
}

static LLVMTypeRef call_type(const entry *e)
{
	return function_type(e->nothing, 7, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->ptr, e->i64, e->i32, e->i1});
}

static LLVMValueRef emit_call(const entry *e, LLVMValueRef task)
{
	LLVMValueRef f = begin_function(e, "call", call_type(e), (const char *const[]){"context", "kernel", "buffers", "symbols",
	                                "n", "index", "worth"});
	LLVMValueRef context = LLVMGetParam(f, 0), n = LLVMGetParam(f, 4), index = LLVMGetParam(f, 5);
	LLVMValueRef args = LLVMBuildAlloca(e->b, e->args_type, "args");
	emit_profile(e, context, index, 0);
	LLVMBasicBlockRef parallel = new_block(e, "parallel"), serial = new_block(e, "serial"), done = new_block(e, "done");
	LLVMValueRef several = LLVMBuildAnd(e->b, LLVMGetParam(f, 6), LLVMBuildICmp(e->b, LLVMIntSGT, n, int64(e, 1), ""), "");
	LLVMValueRef able = LLVMBuildIsNotNull(e->b, load_field(e, e->context_type, context, CONTEXT_PARALLEL, ""), "");
	LLVMBuildCondBr(e->b, LLVMBuildAnd(e->b, several, able, ""), parallel, serial);
	LLVMPositionBuilderAtEnd(e->b, parallel);
	emit_parallel(e, task, f, args);
	LLVMBuildBr(e->b, done);
	LLVMPositionBuilderAtEnd(e->b, serial);
	emit_serial(e, f);
	LLVMBuildBr(e->b, done);
	LLVMPositionBuilderAtEnd(e->b, done);
	emit_profile(e, context, index, 1);
	LLVMBuildRetVoid(e->b);
	return f;
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */

typedef struct run_code {
	const entry *e;
	sizes sizes;
	map *pointers; /* storage -> address of an input or output */
	map *indices;  /* kernel -> its number + 1 */
	LLVMValueRef inputs, outputs, workspace, symbols, context;
	LLVMValueRef external; /* the weights' base in a file */
	LLVMValueRef frame;    /* buffer addresses of the step */
	LLVMValueRef own_symbols; /* the copy, or `symbols` */
} run_code;

static int dim_position(const program *p, const sym *dim)
{
	for (int i = 0; i < p->dims.n; i++)
		if (p->dims.v[i] == dim)
			return i;
	bug("symbol %s is not among the program's dims", dim->name);
}

/* context->alloc(user, bytes or 1, 64), DLRT_MEMORY without it or its result */
static LLVMValueRef emit_alloc(const run_code *r, LLVMValueRef bytes)
{
	const entry *e = r->e;
	LLVMValueRef alloc = load_field(e, e->context_type, r->context, CONTEXT_ALLOC, "alloc");
	return_if(e, LLVMBuildIsNull(e->b, alloc, ""), DLRT_MEMORY);
	LLVMValueRef none = LLVMBuildICmp(e->b, LLVMIntEQ, bytes, int64(e, 0), "");
	LLVMValueRef of_call[] = {
		load_field(e, e->context_type, r->context, CONTEXT_ALLOC_USER, "user"),
		LLVMBuildSelect(e->b, none, int64(e, 1), bytes, ""),
		int64(e, DLRT_WORKSPACE_ALIGN),
	};
	LLVMTypeRef type = function_type(e->ptr, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->i64});
	LLVMValueRef memory = LLVMBuildCall2(e->b, type, alloc, of_call, 3, "memory");
	return_if(e, LLVMBuildIsNull(e->b, memory, ""), DLRT_MEMORY);
	return memory;
}

/* Checked arithmetic on the symbols that are known at this place of `run`. */
static void sizes_of_known(const run_code *r, sizes *s)
{
	const entry *e = r->e;
	sizes_init(s, e->a, e->m, e->b, true);
	for (int i = 0; i < e->p->dims.n; i++) {
		const sym *dim = e->p->dims.v[i];
		if (map_has(r->sizes.known, dim))
			map_put(s->known, dim, map_get(r->sizes.known, dim));
	}
}

/* An output of data-dependent size: its symbols are bound by now. */
static LLVMValueRef allocate_output(const run_code *r, const storage *s)
{
	const entry *e = r->e;
	sizes of_output;
	sizes_of_known(r, &of_output);
	LLVMValueRef all = load_field(e, e->context_type, r->context, CONTEXT_OUTPUTS, "tensors");
	return_if(e, LLVMBuildIsNull(e->b, all, ""), DLRT_MEMORY);
	LLVMValueRef bytes = sizes_emit_bytes(&of_output, s->size, s->type);
	if (of_output.overflow)
		return_if(e, of_output.overflow, DLRT_RANGE);
	LLVMValueRef memory = emit_alloc(r, bytes);
	LLVMValueRef view = element(e, e->tensor_type, all, s->index);
	LLVMBuildStore(e->b, memory, LLVMBuildStructGEP2(e->b, e->tensor_type, view, TENSOR_DATA, ""));
	LLVMValueRef dims = LLVMBuildStructGEP2(e->b, e->tensor_type, view, TENSOR_DIMS, "");
	const port *it = &e->p->outputs.v[s->index];
	for (int i = 0; i < it->rank; i++) {
		LLVMValueRef dim = sizes_emit(&of_output, it->dims[i]);
		LLVMBuildStore(e->b, dim, element(e, e->i64, dims, i));
	}
	return memory;
}

static LLVMValueRef callers_pointer(const run_code *r, const storage *s)
{
	LLVMValueRef p = map_get(r->pointers, s);
	if (p)
		return p;
	const entry *e = r->e;
	if (s->kind == STORAGE_INPUT)
		p = LLVMBuildLoad2(e->b, e->ptr, element(e, e->ptr, r->inputs, s->index), s->name);
	else if (e->sig.from_data[s->index])
		p = allocate_output(r, s);
	else
		p = LLVMBuildLoad2(e->b, e->ptr, element(e, e->ptr, r->outputs, s->index), s->name);
	map_put(r->pointers, s, p);
	return p;
}

static LLVMValueRef pointer_of(run_code *r, const storage *s)
{
	const entry *e = r->e;
	LLVMValueRef offset;
	switch (s->kind) {
	case STORAGE_INPUT:
	case STORAGE_OUTPUT: return callers_pointer(r, s);
	case STORAGE_CONST: return weights_address(e->w, e->m, e->b, s, r->external);
	case STORAGE_CARRIED: return map_get(r->pointers, s);
	case STORAGE_PART:
		offset = sizes_emit_bytes(&r->sizes, s->start, s->type);
		return LLVMBuildGEP2(e->b, e->i8, pointer_of(r, s->whole), &offset, 1, "");
	case STORAGE_ARENA: break;
	}
	if (!s->offset)
		bug("storage %s has no place in the workspace", s->name);
	offset = sizes_emit(&r->sizes, s->offset);
	return LLVMBuildGEP2(e->b, e->i8, r->workspace, &offset, 1, "");
}

static bool has_no_value(const sym *var, void *user) { return !map_has(user, var); }

/* Is the work of a call worth waking threads for?  A microsecond or two is not: a step of a recurrent layer, say. */
static LLVMValueRef emit_worth(run_code *r, const kernel *k)
{
	const entry *e = r->e;
	if (!k->tiles || !k->flops || !k->bytes)
		return LLVMConstInt(e->i1, k->tiles != NULL, false);
	sym *work = sym_add(k->flops, k->bytes);
	if (sym_any_var(work, has_no_value, r->sizes.known))
		return LLVMConstInt(e->i1, 1, false);
	return LLVMBuildICmp(e->b, LLVMIntSGE, sizes_emit(&r->sizes, work), int64(e, SERIAL_WORK), "worth");
}

static void emit_kernel_step(run_code *r, const step *s)
{
	const entry *e = r->e;
	for (int i = 0; i < s->args.n; i++) {
		LLVMValueRef address = pointer_of(r, s->args.v[i]);
		LLVMBuildStore(e->b, address, element(e, e->ptr, r->frame, i));
	}
	int index = (int)(intptr_t)map_get(r->indices, s->k) - 1;
	LLVMValueRef of_call[] = {
		r->context,
		e->kernels[index],
		r->frame,
		r->own_symbols,
		s->k->tiles ? sizes_emit(&r->sizes, s->k->tiles) : int64(e, 1),
		int32(e, e->first_kernel + index),
		emit_worth(r, s->k),
	};
	LLVMBuildCall2(e->b, call_type(e), e->call, of_call, 7, "");
}

static void emit_assume_step(const run_code *r, const step *step_of)
{
	const entry *e = r->e;
	sizes s;
	sizes_of_known(r, &s);
	LLVMValueRef bad = emit_condition(e, &s, &step_of->assumed);
	return_if_overflow(e, &s);
	return_if(e, bad, condition_any_var(&step_of->assumed, is_bound_symbol, e->sig.bound) ? DLRT_DATA : DLRT_DIMS);
}

static void set_symbol(run_code *r, const sym *symbol, LLVMValueRef value)
{
	const entry *e = r->e;
	if (symbol->kind != SYM_VAR)
		return;
	LLVMBuildStore(e->b, value, element(e, e->i64, r->own_symbols, dim_position(e->p, symbol)));
	map_put(r->sizes.known, symbol, value);
}

/* The greatest value of a symbol: by its range, or by the size that it is below. */
static LLVMValueRef emit_limit(run_code *r, const sym *symbol)
{
	return symbol->kind == SYM_VAR && symbol->below ? sizes_emit(&r->sizes, sym_addi(symbol->below, -1)) : int64(r->e, symbol->hi);
}

static void emit_bind_step(run_code *r, const step *s)
{
	const entry *e = r->e;
	LLVMValueRef value;
	if (!s->from) {
		set_symbol(r, s->symbol, sizes_emit(&r->sizes, s->value));
		return;
	}
	value = LLVMBuildLoad2(e->b, e->i64, pointer_of(r, s->from), "bound");
	LLVMValueRef small = LLVMBuildICmp(e->b, LLVMIntSLT, value, int64(e, s->symbol->lo), "");
	LLVMValueRef large = LLVMBuildICmp(e->b, LLVMIntSGT, value, emit_limit(r, s->symbol), "");
	return_if(e, LLVMBuildOr(e->b, small, large, ""), DLRT_DATA);
	set_symbol(r, s->symbol, value);
}

/* ---- branches and loops ------------------------------------------------------------------------------------------------ */

static void emit_steps(run_code *r, const step_list *steps);

static map *copy_of(const entry *e, const map *m)
{
	map *copy = map_new(e->a);
	for (int i = 0; i < map_count(m); i++)
		map_put(copy, map_key_at(m, i), map_value_at(m, i));
	return copy;
}

/* What is known outside, inside steps that may not run. */
typedef struct outside {
	map *known, *pointers;
} outside;

static outside enter_steps(run_code *r)
{
	outside o = {r->sizes.known, r->pointers};
	r->sizes.known = copy_of(r->e, o.known);
	r->pointers = copy_of(r->e, o.pointers);
	return o;
}

static void leave_steps(run_code *r, outside o)
{
	r->sizes.known = o.known;
	r->pointers = o.pointers;
}

static void read_bound(step *s, void *user)
{
	run_code *r = user;
	const entry *e = r->e;
	if (s->kind != STEP_BIND || s->symbol->kind != SYM_VAR)
		return;
	LLVMValueRef at = element(e, e->i64, r->own_symbols, dim_position(e->p, s->symbol));
	map_put(r->sizes.known, s->symbol, LLVMBuildLoad2(e->b, e->i64, at, s->symbol->name));
}

static LLVMValueRef emit_flag(run_code *r, const storage *s)
{
	const entry *e = r->e;
	LLVMValueRef byte = LLVMBuildLoad2(e->b, e->i8, pointer_of(r, s), s->name);
	return LLVMBuildICmp(e->b, LLVMIntNE, byte, LLVMConstInt(e->i8, 0, false), "");
}

static void emit_branch(run_code *r, const step_list *steps, LLVMBasicBlockRef begin, LLVMBasicBlockRef next)
{
	const entry *e = r->e;
	LLVMPositionBuilderAtEnd(e->b, begin);
	outside o = enter_steps(r);
	emit_steps(r, steps);
	leave_steps(r, o);
	LLVMBuildBr(e->b, next);
}

static void emit_if(run_code *r, const step *s)
{
	const entry *e = r->e;
	LLVMValueRef cond = emit_flag(r, s->from);
	LLVMBasicBlockRef then = new_block(e, "then"), otherwise = new_block(e, "else"), next = new_block(e, "endif");
	LLVMBuildCondBr(e->b, cond, then, otherwise);
	emit_branch(r, &s->body, then, next);
	emit_branch(r, &s->otherwise, otherwise, next);
	LLVMPositionBuilderAtEnd(e->b, next);
	steps_walk(&s->body, read_bound, r);
	steps_walk(&s->otherwise, read_bound, r);
}

/* What goes round in a loop. */
typedef struct loop_code {
	LLVMValueRef index, go_on; /* phis; go_on NULL: no condition */
	LLVMValueRef *current;     /* of carried storages */
	LLVMValueRef *from;
	LLVMValueRef trip;
	LLVMBasicBlockRef before, head;
} loop_code;

static LLVMValueRef phi(const entry *e, LLVMTypeRef type, const char *name, LLVMValueRef first, LLVMBasicBlockRef before)
{
	LLVMValueRef p = LLVMBuildPhi(e->b, type, name);
	LLVMAddIncoming(p, &first, &before, 1);
	return p;
}

static void know_output(storage *s, void *user)
{
	const storage *whole = s->kind == STORAGE_PART ? s->whole : s;
	if (whole->kind == STORAGE_OUTPUT)
		callers_pointer(user, whole);
}

static void know_outputs(step *s, void *user) { step_storages(s, know_output, user); }

static void open_loop(run_code *r, const step *s, loop_code *l)
{
	const entry *e = r->e;
	steps_walk(&s->body, know_outputs, r); /* those of data-dependent size are allocated once */
	size_t n = (size_t)s->carried.n;
	l->current = new_array(e->a, LLVMValueRef, n);
	l->from = new_array(e->a, LLVMValueRef, n);
	for (size_t i = 0; i < n; i++)
		l->from[i] = pointer_of(r, s->carried.v[i].from);
	LLVMValueRef begin = s->from ? emit_flag(r, s->from) : NULL;
	l->trip = s->trip ? sizes_emit(&r->sizes, s->trip) : NULL;
	l->before = LLVMGetInsertBlock(e->b);
	l->head = new_block(e, "loop");
	LLVMBuildBr(e->b, l->head);
	LLVMPositionBuilderAtEnd(e->b, l->head);
	l->index = phi(e, e->i64, "iteration", int64(e, 0), l->before);
	l->go_on = begin ? phi(e, LLVMTypeOf(begin), "go_on", begin, l->before) : NULL;
	for (size_t i = 0; i < n; i++)
		l->current[i] = phi(e, e->ptr, s->carried.v[i].current->name, l->from[i], l->before);
}

static LLVMValueRef emit_loop_test(const entry *e, const loop_code *l)
{
	LLVMValueRef more = l->trip ? LLVMBuildICmp(e->b, LLVMIntSLT, l->index, l->trip, "more") : NULL;
	if (more && l->go_on)
		return LLVMBuildAnd(e->b, more, l->go_on, "");
	return more ? more : l->go_on;
}

/* One iteration, and what it hands on. */
static void emit_iteration(run_code *r, const step *s, loop_code *l)
{
	const entry *e = r->e;
	outside o = enter_steps(r);
	set_symbol(r, s->symbol, l->index);
	for (int i = 0; i < s->carried.n; i++)
		map_put(r->pointers, s->carried.v[i].current, l->current[i]);
	emit_steps(r, &s->body);
	LLVMValueRef next = LLVMBuildAdd(e->b, l->index, int64(e, 1), ""), flag = s->go_on ? emit_flag(r, s->go_on) : NULL;
	for (int i = 0; i < s->carried.n; i++)
		l->from[i] = pointer_of(r, s->carried.v[i].next);
	LLVMBasicBlockRef end = LLVMGetInsertBlock(e->b);
	LLVMAddIncoming(l->index, &next, &end, 1);
	if (flag)
		LLVMAddIncoming(l->go_on, &flag, &end, 1);
	for (int i = 0; i < s->carried.n; i++)
		LLVMAddIncoming(l->current[i], &l->from[i], &end, 1);
	LLVMBuildBr(e->b, l->head);
	leave_steps(r, o);
}

static void keep_results(run_code *r, const step *s, const loop_code *l)
{
	const entry *e = r->e;
	for (int i = 0; i < s->carried.n; i++) {
		const storage *result = s->carried.v[i].result;
		if (!result)
			continue;
		LLVMValueRef bytes = sizes_emit_bytes(&r->sizes, result->size, result->type);
		LLVMBuildMemCpy(e->b, pointer_of(r, result), 1, l->current[i], 1, bytes);
	}
	if (s->count)
		LLVMBuildStore(e->b, l->index, pointer_of(r, s->count));
}

static void emit_loop(run_code *r, const step *s)
{
	const entry *e = r->e;
	loop_code l = {0};
	open_loop(r, s, &l);
	LLVMBasicBlockRef body = new_block(e, "iteration"), next = new_block(e, "endloop");
	LLVMBuildCondBr(e->b, emit_loop_test(e, &l), body, next);
	LLVMPositionBuilderAtEnd(e->b, body);
	emit_iteration(r, s, &l);
	LLVMPositionBuilderAtEnd(e->b, next);
	steps_walk(&s->body, read_bound, r);
	keep_results(r, s, &l);
}

static void emit_steps(run_code *r, const step_list *steps)
{
	for (int i = 0; i < steps->n; i++) {
		const step *s = &steps->v[i];
		switch (s->kind) {
		case STEP_CALL: emit_kernel_step(r, s); break;
		case STEP_BIND: emit_bind_step(r, s); break;
		case STEP_IF: emit_if(r, s); break;
		case STEP_LOOP: emit_loop(r, s); break;
		case STEP_ASSUME: emit_assume_step(r, s); break;
		}
	}
}

static void take_longer(step *s, void *user)
{
	int *n = user;
	*n = s->args.n > *n ? s->args.n : *n;
}

static int longest_args(const program *p)
{
	int n = 1;
	steps_walk(&p->steps, take_longer, &n);
	return n;
}

static LLVMValueRef emit_own_symbols(const run_code *r)
{
	const entry *e = r->e;
	if (!map_count(e->sig.bound))
		return r->symbols;
	LLVMValueRef own = LLVMBuildAlloca(e->b, LLVMArrayType2(e->i64, (uint64_t)e->p->dims.n), "all_symbols");
	for (int i = 0; i < e->sig.symbols.n; i++) {
		const sym *dim = e->sig.symbols.v[i];
		LLVMBuildStore(e->b, map_get(r->sizes.known, dim), element(e, e->i64, own, dim_position(e->p, dim)));
	}
	return own;
}

static void run_open(run_code *r, const entry *e, LLVMValueRef f)
{
	*r = (run_code){
		.e = e,
		.pointers = map_new(e->a),
		.indices = map_new(e->a),
		.inputs = LLVMGetParam(f, 0),
		.outputs = LLVMGetParam(f, 1),
		.workspace = LLVMGetParam(f, 2),
		.symbols = LLVMGetParam(f, 3),
		.context = LLVMGetParam(f, 4),
	};
	for (int i = 0; i < e->p->kernels.n; i++)
		map_put(r->indices, e->p->kernels.v[i], (void *)(intptr_t)(i + 1));
	sizes_init(&r->sizes, e->a, e->m, e->b, false);
	r->frame = LLVMBuildAlloca(e->b, LLVMArrayType2(e->ptr, (uint64_t)longest_args(e->p)), "buffers");
	know_symbols(e, &r->sizes, r->symbols);
	r->own_symbols = emit_own_symbols(r);
	if (e->o->weights_path)
		r->external = load_field(e, e->context_type, r->context, CONTEXT_WEIGHTS, "weights");
}

/* Outputs of data-dependent size that no step wrote have no elements, but still dims and an address. */
static void allocate_unwritten(const run_code *r)
{
	const program *p = r->e->p;
	for (int i = 0; i < p->storages.n; i++) {
		const storage *s = p->storages.v[i];
		if (s->kind == STORAGE_OUTPUT && r->e->sig.from_data[s->index])
			callers_pointer(r, s);
	}
}

/* Those of a size that is known here, but not to callers: before anything that may not run. */
static void allocate_known(const run_code *r)
{
	const program *p = r->e->p;
	for (int i = 0; i < p->storages.n; i++) {
		const storage *s = p->storages.v[i];
		if (s->kind == STORAGE_OUTPUT && r->e->sig.from_data[s->index] && sym_is_const(s->size, NULL))
			callers_pointer(r, s);
	}
}

static LLVMTypeRef run_type(const entry *e)
{
	return function_type(e->i32, 5, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->ptr, e->ptr});
}

static LLVMValueRef emit_run(const entry *e)
{
	LLVMValueRef f = begin_function(e, "run", run_type(e), (const char *const[]){"inputs", "outputs", "workspace", "symbols",
	                                "context"});
	run_code r;
	run_open(&r, e, f);
	allocate_known(&r);
	emit_steps(&r, &e->p->steps);
	allocate_unwritten(&r);
	return_ok(e);
	return f;
}

/* ---- the typed call ----------------------------------------------------------------------------------------------- */

/* NAME_run(inputs..., outputs..., symbols..., workspace, threads) */
static void emit_typed(const entry *e, LLVMValueRef model)
{
	int n_in = e->p->inputs.n, n_out = e->p->outputs.n, n_symbols = e->sig.symbols.n, n = n_in + n_out + n_symbols;
	LLVMTypeRef *params = new_array(e->a, LLVMTypeRef, (size_t)n + 2);
	for (int i = 0; i < n + 2; i++)
		params[i] = i >= n_in + n_out && i < n ? e->i64 : e->ptr;
	LLVMValueRef f = begin_function(e, "typed", function_type(e->i32, n + 2, params), NULL);
	const char *name = arena_printf(e->a, "%s_run", e->sig.symbol);
	LLVMSetValueName2(f, name, strlen(name));
	LLVMSetLinkage(f, LLVMExternalLinkage);

	LLVMValueRef arrays[3]; /* inputs, outputs, symbols */
	int count[] = {n_in, n_out, n_symbols}, first = 0;
	for (int k = 0; k < 3; k++) {
		LLVMTypeRef type = k < 2 ? e->ptr : e->i64;
		arrays[k] = LLVMBuildAlloca(e->b, LLVMArrayType2(type, (uint64_t)count[k]), "");
		for (int i = 0; i < count[k]; i++)
			LLVMBuildStore(e->b, LLVMGetParam(f, (unsigned)(first + i)), element(e, type, arrays[k], i));
		first += count[k];
	}
	LLVMTypeRef type = function_type(e->i32, 6, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr, e->ptr, e->ptr, e->ptr});
	LLVMValueRef of_call[] = {
		model, arrays[0], arrays[1], arrays[2], LLVMGetParam(f, (unsigned)n), LLVMGetParam(f, (unsigned)n + 1),
	};
	LLVMValueRef runtime = LLVMAddFunction(e->m, "dlrt_run_typed", type);
	LLVMBuildRet(e->b, LLVMBuildCall2(e->b, type, runtime, of_call, 6, ""));
}

/* ---- the descriptor ----------------------------------------------------------------------------------------------- */

static LLVMValueRef dim_row(const entry *e, const sym *dim)
{
	int64_t value = 0;
	int32_t symbol = DLRT_DIM_COMPUTED;
	switch (signature_dim(&e->sig, dim)) {
	case DIM_FIXED:
		value = dim->value;
		symbol = DLRT_DIM_CONSTANT;
		break;
	case DIM_SYMBOL: symbol = signature_symbol_index(&e->sig, dim); break;
	case DIM_EXPRESSION:
	case DIM_FROM_DATA: break;
	}
	return row(e, 3, (LLVMValueRef[]){int64(e, value), int32(e, symbol), int32(e, 0)});
}

static LLVMValueRef port_row(const entry *e, const port *p)
{
	LLVMTypeRef type = struct_type(e, 3, (LLVMTypeRef[]){e->i64, e->i32, e->i32});
	LLVMValueRef *dims = new_array(e->a, LLVMValueRef, (size_t)p->rank);
	for (int i = 0; i < p->rank; i++)
		dims[i] = dim_row(e, p->dims[i]);
	return row(e, 4, (LLVMValueRef[]){
		text(e, p->name), int32(e, dtype_table[p->type].onnx), int32(e, p->rank), table(e, type, dims, p->rank),
	});
}

static LLVMValueRef port_table(const entry *e, const port *ports, int n)
{
	LLVMTypeRef type = struct_type(e, 4, (LLVMTypeRef[]){e->ptr, e->i32, e->i32, e->ptr});
	LLVMValueRef *rows = new_array(e->a, LLVMValueRef, (size_t)n);
	for (int i = 0; i < n; i++)
		rows[i] = port_row(e, &ports[i]);
	return table(e, type, rows, n);
}

static const fixed_dim *fixed_find(const variant *v, const char *name)
{
	for (int i = 0; v && i < v->n_fixed; i++)
		if (!strcmp(v->fixed[i].name, name))
			return &v->fixed[i];
	return NULL;
}

/* Of a variant, or the model for NULL. */
static LLVMValueRef symbol_table(const entry *e, const variant *v)
{
	int n = e->sig.symbols.n;
	LLVMTypeRef type = struct_type(e, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->i64});
	LLVMValueRef *rows = new_array(e->a, LLVMValueRef, (size_t)n);
	for (int i = 0; i < n; i++) {
		const sym *dim = e->sig.symbols.v[i];
		const fixed_dim *fixed = fixed_find(v, dim->name);
		int64_t lo = fixed ? fixed->value : dim->lo, hi = fixed ? fixed->value : dim->hi;
		rows[i] = row(e, 3, (LLVMValueRef[]){text(e, dim->name), int64(e, lo), int64(e, hi)});
	}
	return table(e, type, rows, n);
}

static LLVMValueRef known_or_minus_one(const entry *e, const sym *s)
{
	int64_t value;
	return int64(e, s && sym_is_const(s, &value) ? value : -1);
}

static LLVMValueRef kernel_row(const entry *e, const kernel *k)
{
	return row(e, 4, (LLVMValueRef[]){
		text(e, k->name), text(e, k->nodes), known_or_minus_one(e, k->flops), known_or_minus_one(e, k->bytes),
	});
}

static LLVMValueRef kernel_table(const entry *e, const variant *v, int n_variants)
{
	LLVMTypeRef type = struct_type(e, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64, e->i64});
	vec(LLVMValueRef) rows = {0};
	for (int k = 0; k < n_variants; k++)
		for (int i = 0; i < v[k].p->kernels.n; i++)
			vec_push(e->a, &rows, kernel_row(e, v[k].p->kernels.v[i]));
	return table(e, type, rows.v, rows.n);
}

/* What all descriptors of an object have in common. */
typedef struct tables {
	LLVMValueRef inputs, outputs, symbols, kernels, conditions, dims, check;
	int n_kernels;
} tables;

static tables emit_tables(const entry *e, const variant *v, int n)
{
	tables t = {.n_kernels = v[n - 1].first_kernel + v[n - 1].p->kernels.n};
	t.dims = emit_dims(e);
	t.check = emit_check(e);
	t.inputs = port_table(e, e->p->inputs.v, e->p->inputs.n);
	t.outputs = port_table(e, e->p->outputs.v, e->p->outputs.n);
	t.symbols = symbol_table(e, NULL);
	t.kernels = kernel_table(e, v, n);
	t.conditions = condition_table(e);
	return t;
}

/* What differs. */
typedef struct model_code {
	const char *cpu;
	uint64_t features;
	int64_t workspace_bytes;
	LLVMValueRef workspace, run, variants;
	int n_variants;
} model_code;

static void define_model(const entry *e, LLVMValueRef g, const tables *t, const model_code *c)
{
	const program *p = e->p;
	LLVMValueRef base = weights_base(e->w);
	LLVMValueRef fields[N_MODEL_FIELDS] = {
		int32(e, DLRT_ABI),
		int32(e, e->o->weights_path ? (int32_t)DLRT_MODEL_EXTERNAL_WEIGHTS : 0),
		text(e, p->name),
		text(e, "dlcc " DLCC_VERSION),
		text(e, c->cpu),
		int64(e, (int64_t)c->features),
		int32(e, p->inputs.n),
		int32(e, p->outputs.n),
		int32(e, e->sig.symbols.n),
		int32(e, t->n_kernels),
		t->inputs,
		t->outputs,
		t->symbols,
		t->kernels,
		int64(e, c->workspace_bytes),
		int64(e, DLRT_WORKSPACE_ALIGN),
		c->workspace,
		t->dims,
		c->run,
		base ? base : null_pointer(e),
		int64(e, (int64_t)weights_bytes(e->w)),
		int32(e, p->assumed.n),
		int32(e, c->n_variants),
		t->conditions,
		t->check,
		c->variants,
	};
	LLVMSetInitializer(g, LLVMConstNamedStruct(e->model_type, fields, N_MODEL_FIELDS));
}

/* dlrt_model */
static LLVMTypeRef model_type(const entry *e)
{
	LLVMTypeRef fields[N_MODEL_FIELDS] = {
		e->i32, e->i32, e->ptr, e->ptr, e->ptr, e->i64, e->i32, e->i32, e->i32, e->i32, e->ptr,
		e->ptr, e->ptr, e->ptr, e->i64, e->i64, e->ptr, e->ptr, e->ptr, e->ptr, e->i64, e->i32, e->i32, e->ptr,
		e->ptr, e->ptr,
	};
	return struct_type(e, N_MODEL_FIELDS, fields);
}

static void make_types(entry *e)
{
	e->ptr = LLVMPointerTypeInContext(e->c, 0);
	e->i1 = LLVMInt1TypeInContext(e->c);
	e->i8 = LLVMInt8TypeInContext(e->c);
	e->i32 = LLVMInt32TypeInContext(e->c);
	e->i64 = LLVMInt64TypeInContext(e->c);
	e->nothing = LLVMVoidTypeInContext(e->c);
	e->kernel_type = emit_kernel_type(e->em);
	e->task_type = function_type(e->nothing, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->i64});
	e->args_type = struct_type(e, 3, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr});
	e->context_type = struct_type(e, 11, (LLVMTypeRef[]){
		e->ptr, e->ptr, e->i32, e->i32, e->ptr, e->ptr, e->ptr, e->ptr, e->ptr, e->ptr, e->i64,
	});
	LLVMTypeRef dims = LLVMArrayType2(e->i64, DLRT_MAX_RANK);
	e->tensor_type = struct_type(e, 4, (LLVMTypeRef[]){e->ptr, e->i32, e->i32, dims});
	e->model_type = model_type(e);
}

static LLVMValueRef add_model(const entry *e, const char *name)
{
	LLVMValueRef g = LLVMAddGlobal(e->m, e->model_type, name);
	LLVMSetGlobalConstant(g, true);
	return g;
}

static void entry_open(entry *e, emit_module *em, weights *w, const char *prefix)
{
	*e = (entry){
		.em = em, .a = em->a, .p = em->program, .o = em->options, .w = w, .c = em->context, .m = em->module,
		.b = LLVMCreateBuilderInContext(em->context),
	};
	make_types(e);
	signature_init(&e->sig, e->a, e->p, e->o);
	e->prefix = prefix ? prefix : e->sig.symbol;
}

static void entry_close(entry *e)
{
	LLVMDisposeBuilder(e->b);
}

static LLVMValueRef emit_code(entry *e, LLVMValueRef *kernels)
{
	e->kernels = kernels;
	e->call = emit_call(e, emit_task(e));
	return emit_run(e);
}

void emit_entry(emit_module *em, weights *w, LLVMValueRef *kernels, bool in_process)
{
	entry e;
	entry_open(&e, em, w, NULL);
	LLVMValueRef model = add_model(&e, e.sig.symbol), run = emit_code(&e, kernels);
	model_code code = {
		.cpu = e.o->target->name, .features = e.o->target->required, .workspace_bytes = e.sig.workspace,
		.workspace = emit_workspace(&e), .run = run, .variants = null_pointer(&e),
	};
	tables t = emit_tables(&e, &(variant){.p = e.p}, 1);
	define_model(&e, model, &t, &code);
	if (e.sig.typed && !in_process)
		emit_typed(&e, model);
	entry_close(&e);
}

/* ---- variants ------------------------------------------------------------------------------------------------------ */

static void make_hidden(LLVMValueRef f)
{
	if (!LLVMIsAFunction(f))
		return; /* NULL: there is none */
	LLVMSetLinkage(f, LLVMExternalLinkage);
	LLVMSetVisibility(f, LLVMHiddenVisibility);
}

void emit_variant_entry(emit_module *em, weights *w, LLVMValueRef *kernels, const variant *v)
{
	entry e;
	entry_open(&e, em, w, v->prefix);
	signature_init_variant(&e.sig, e.a, e.p, e.o, v->general);
	e.first_kernel = v->first_kernel;
	make_hidden(emit_code(&e, kernels));
	make_hidden(emit_workspace(&e));
	entry_close(&e);
}

static LLVMValueRef declare_hidden(const entry *e, const variant *v, const char *name, LLVMTypeRef type)
{
	LLVMValueRef f = LLVMAddFunction(e->m, arena_printf(e->a, "%s.%s", v->prefix, name), type);
	make_hidden(f);
	return f;
}

/* Callers see one signature. */
static void check_alike(const signature *a, const signature *b)
{
	bool alike = a->symbols.n == b->symbols.n && a->typed == b->typed;
	for (int i = 0; alike && i < a->symbols.n; i++)
		alike = a->symbols.v[i] == b->symbols.v[i];
	if (!alike)
		bug("two variants have different signatures");
}

static LLVMValueRef define_variant(const entry *e, const tables *t, const variant *v, const signature *sig)
{
	LLVMValueRef g = add_model(e, v->prefix);
	model_code code = {
		.cpu = v->target->name, .features = v->target->required, .workspace_bytes = sig->workspace,
		.workspace = sig->fixed_workspace ? null_pointer(e) : declare_hidden(e, v, "workspace", workspace_type(e)),
		.run = declare_hidden(e, v, "run", run_type(e)),
		.variants = null_pointer(e),
	};
	tables own = *t;
	if (v->n_fixed)
		own.symbols = symbol_table(e, v);
	LLVMSetLinkage(g, LLVMInternalLinkage);
	define_model(e, g, &own, &code);
	return g;
}

void emit_front(emit_module *em, weights *w, const variant *v, int n, bool in_process)
{
	entry e;
	entry_open(&e, em, w, NULL);
	LLVMValueRef model = add_model(&e, e.sig.symbol), none = null_pointer(&e);
	LLVMValueRef *rows = new_array(e.a, LLVMValueRef, (size_t)n);
	tables t = emit_tables(&e, v, n);
	str cpus = str_new(e.a);
	model_code all = {.features = ~UINT64_C(0), .workspace = none, .run = none, .n_variants = n};
	for (int k = 0; k < n; k++) {
		signature sig;
		signature_init_variant(&sig, e.a, v[k].p, e.o, v[k].general);
		check_alike(&e.sig, &sig);
		rows[n - 1 - k] = define_variant(&e, &t, &v[k], &sig);
		if (!k || v[k].target != v[k - 1].target)
			str_addf(&cpus, "%s%s", k ? "," : "", v[k].target->name);
		all.features &= v[k].target->required;
		all.workspace_bytes = signature_larger_workspace(all.workspace_bytes, sig.workspace);
	}
	all.cpu = cpus.data;
	all.variants = table(&e, e.ptr, rows, n);
	define_model(&e, model, &t, &all);
	if (e.sig.typed && !in_process)
		emit_typed(&e, model);
	entry_close(&e);
}
