/* A program as LLVM modules, and their code.
 *
 * Emission is serial, since symbolic integers are shared; optimisation and code generation are nearly all of the time, so
 * kernels are spread over modules of their own LLVM contexts that threads take in turn.  How they are spread depends on the
 * program only: the output is the same for any number of threads.
 *
 * A kernel in another module than `run` is a hidden symbol until the parts are one object again. */
#define _POSIX_C_SOURCE 200809L
#include "backend/model.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Object.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Above this, weights may be out of reach of a 32-bit displacement. */
#define MEDIUM_MODEL_BYTES (UINT64_C(3) << 29)

enum {
	MAX_BUILD_PARTS = 16,
	PART_COST = 150, /* statements that are worth a module of their own */
	MAX_THREADS = 64,
};

/* ---- LLVM's targets ----------------------------------------------------------------------------------------------- */

static void init_llvm(void)
{
	LLVMInitializeAllTargetInfos();
	LLVMInitializeAllTargets();
	LLVMInitializeAllTargetMCs();
	LLVMInitializeAllAsmPrinters();
	LLVMInitializeAllAsmParsers();
}

static bool begins_with(const char *triple, const char *arch)
{
	size_t n = strlen(arch);
	return !strncmp(triple, arch, n) && triple[n] == '-';
}

/* Also by the architecture's other name. */
static bool is_arch_of(const char *triple, const char *arch)
{
	static const char *const aliases[][2] = {{"aarch64", "arm64"}, {"x86_64", "amd64"}};
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
		if (!strcmp(arch, aliases[i][0]) && begins_with(triple, aliases[i][1]))
			return true;
	return begins_with(triple, arch);
}

static const char *choose_triple(arena *a, const emit_options *o)
{
	if (o->triple)
		return o->triple;
	char *host = LLVMGetDefaultTargetTriple();
	const char *triple = is_arch_of(host, o->target->arch) ? arena_strdup(a, host)
	                                                       : arena_printf(a, "%s-unknown-linux-gnu", o->target->arch);
	LLVMDisposeMessage(host);
	return triple;
}

const char *build_triple(arena *a, const emit_options *o, diag *d)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, init_llvm);
	const char *triple = choose_triple(a, o);
	LLVMTargetRef found;
	char *why = NULL;
	bool unknown = LLVMGetTargetFromTriple(triple, &found, &why);
	if (!unknown && is_arch_of(triple, o->target->arch))
		return triple;
	if (unknown)
		diag_error(d, DIAG_NOWHERE, "unknown target \"%s\": %s", triple, why);
	else
		diag_error(d, DIAG_NOWHERE, "CPU \"%s\" is not one of target \"%s\"", o->target->name, triple);
	LLVMDisposeMessage(why);
	return NULL;
}

bool build_is_elf64(const char *triple)
{
	static const char *const arches[] = {"x86_64", "aarch64", "riscv64"};
	if (!strstr(triple, "-linux") && !strstr(triple, "-none") && !strstr(triple, "bsd"))
		return false;
	for (size_t i = 0; i < sizeof arches / sizeof *arches; i++)
		if (is_arch_of(triple, arches[i]))
			return !strstr(triple, "x32") && !strstr(triple, "ilp32");
	return false;
}

static LLVMTargetMachineRef new_machine(const build *b)
{
	LLVMTargetRef found;
	char *why = NULL;
	if (LLVMGetTargetFromTriple(b->triple, &found, &why))
		bug("no target %s: %s", b->triple, why);
	bool far = weights_are_far(b->w, b->triple);
	LLVMCodeGenOptLevel level = b->o->opt > 0 ? LLVMCodeGenLevelDefault : LLVMCodeGenLevelNone;
	return LLVMCreateTargetMachine(found, b->triple, b->o->target->llvm_cpu, b->o->target->features, level, LLVMRelocPIC,
	                               far ? LLVMCodeModelMedium : LLVMCodeModelDefault);
}

bool weights_are_far(const weights *w, const char *triple)
{
	return weights_bytes(w) > MEDIUM_MODEL_BYTES && is_arch_of(triple, "x86_64");
}

/* ---- one part ----------------------------------------------------------------------------------------------------- */

/* LLVM's own way with an error is to print it and exit.  Several threads: each part keeps its own. */
static void take_message(LLVMDiagnosticInfoRef info, void *user)
{
	build_part *part = user;
	if (LLVMGetDiagInfoSeverity(info) != LLVMDSError || part->error)
		return;
	char *message = LLVMGetDiagInfoDescription(info);
	part->error = strdup(message);
	LLVMDisposeMessage(message);
}

static void take_error(build_part *part, char *why)
{
	if (!part->error)
		part->error = strdup(why ? why : "unknown reason");
	LLVMDisposeMessage(why);
}

static void open_part(build *b, build_part *part)
{
	part->context = LLVMContextCreate();
	LLVMContextSetDiagnosticHandler(part->context, take_message, part);
	part->machine = new_machine(b);
	part->layout = LLVMCreateTargetDataLayout(part->machine);
	LLVMModuleRef m = LLVMModuleCreateWithNameInContext(b->symbol, part->context);
	LLVMSetSourceFileName(m, b->symbol, strlen(b->symbol));
	LLVMSetTarget(m, b->triple);
	LLVMSetModuleDataLayout(m, part->layout);
	part->em = (emit_module){
		.context = part->context,
		.module = m,
		.machine = part->machine,
		.layout = part->layout,
		.options = b->o,
		.program = b->p,
		.a = b->a,
	};
	debug_info_begin(&part->em);
}

/* A module that LLVM refuses is our mistake. */
static void verify(LLVMModuleRef m)
{
	char *why = NULL;
	if (LLVMVerifyModule(m, LLVMReturnStatusAction, &why))
		bug("LLVM refuses the module: %s", why);
	LLVMDisposeMessage(why);
}

static void compile_part(build_part *part, bool object)
{
	char *why = NULL;
	verify(part->em.module);
	if (!emit_optimise(&part->em, &why))
		take_error(part, why);
	else if (object && LLVMTargetMachineEmitToMemoryBuffer(part->machine, part->em.module, LLVMObjectFile, &why,
	                                                       &part->object))
		take_error(part, why);
}

/* ---- spreading kernels -------------------------------------------------------------------------------------------- */

/* Kernels of the same code share one function. */
typedef struct unit {
	const kernel *k;
	int cost, part;
	LLVMValueRef function;
	struct unit *next; /* with the same hash */
} unit;

typedef struct plan {
	unit **of_kernel; /* by position in the program */
	vec(unit *) units;
} plan;

/* Unrolled code counts as often as it is emitted, roughly. */
static void add_cost(stmt *s, void *user)
{
	int64_t times = 1;
	if (s->kind == STMT_FOR && s->f.loop == LOOP_UNROLL)
		sym_is_const(s->f.extent, &times);
	*(int *)user += times < 1000 ? (int)times : 1000;
}

static unit *unit_of(build *b, plan *pl, map *by_hash, const kernel *k)
{
	const void *key = (const void *)(uintptr_t)kernel_code_hash(k);
	for (unit *u = map_get(by_hash, key); u; u = u->next)
		if (kernel_same_code(u->k, k))
			return u;
	unit *u = new(b->a, unit);
	*u = (unit){.k = k, .next = map_get(by_hash, key)};
	map_put(by_hash, key, u);
	kernel_walk(k, add_cost, &u->cost);
	vec_push(b->a, &pl->units, u);
	return u;
}

static int total_cost(const plan *pl)
{
	int cost = 0;
	for (int i = 0; i < pl->units.n; i++)
		cost += pl->units.v[i]->cost;
	return cost;
}

/* Consecutive kernels of about equal total cost go together. */
static void spread(build *b, plan *pl, bool one)
{
	int total = total_cost(pl), n = one ? 1 : 1 + total / PART_COST;
	if (n > MAX_BUILD_PARTS)
		n = MAX_BUILD_PARTS;
	int64_t before = 0;
	for (int i = 0; i < pl->units.n; i++) {
		unit *u = pl->units.v[i];
		u->part = total ? (int)(before * n / total) : 0;
		before += u->cost;
	}
	b->n = n;
	b->parts = new_array(b->a, build_part, (size_t)n);
}

static plan make_plan(build *b, bool one)
{
	plan pl = {.of_kernel = new_array(b->a, unit *, (size_t)b->p->kernels.n)};
	map *by_hash = map_new(b->a);
	for (int i = 0; i < b->p->kernels.n; i++)
		pl.of_kernel[i] = unit_of(b, &pl, by_hash, b->p->kernels.v[i]);
	spread(b, &pl, one);
	return pl;
}

/* ---- emission ----------------------------------------------------------------------------------------------------- */

static LLVMValueRef declare(build *b, build_part *part, const unit *u)
{
	const char *name = arena_printf(b->a, "%s.%s", b->of ? b->of->prefix : b->symbol, u->k->name);
	LLVMValueRef f = LLVMAddFunction(part->em.module, name, emit_kernel_type(&part->em));
	if (b->n > 1)
		LLVMSetVisibility(f, LLVMHiddenVisibility);
	else
		LLVMSetLinkage(f, LLVMInternalLinkage);
	return f;
}

static void emit_unit(build *b, unit *u)
{
	build_part *part = &b->parts[u->part];
	LLVMValueRef f = declare(b, part, u);
	debug_info_function(&part->em, f, u->k->name, u->k->line);
	emit_kernel(&part->em, u->k, f);
	u->function = u->part == 0 ? f : declare(b, &b->parts[0], u);
}

static void emit_all(build *b, const plan *pl)
{
	emit_module *first = &b->parts[0].em;
	weights_define(b->w, first->module, b->triple, b->incbin);
	for (int i = 0; i < pl->units.n; i++)
		emit_unit(b, pl->units.v[i]);
	LLVMValueRef *kernels = new_array(b->a, LLVMValueRef, (size_t)b->p->kernels.n);
	for (int i = 0; i < b->p->kernels.n; i++)
		kernels[i] = pl->of_kernel[i]->function;
	if (b->of)
		emit_variant_entry(first, b->w, kernels, b->of);
	else
		emit_entry(first, b->w, kernels, b->in_process);
}

static bool begin(build *b)
{
	b->symbol = c_identifier(b->a, b->o->symbol ? b->o->symbol : b->p->name);
	b->triple = build_triple(b->a, b->o, b->d);
	return b->triple != NULL;
}

bool build_front(build *b, const variant *v, int n)
{
	if (!begin(b))
		return false;
	b->n = 1;
	b->parts = new_array(b->a, build_part, 1);
	open_part(b, &b->parts[0]);
	emit_module *em = &b->parts[0].em;
	weights_define(b->w, em->module, b->triple, NULL);
	emit_front(em, b->w, v, n, b->in_process);
	debug_info_end(em);
	return true;
}

bool build_modules(build *b, bool one)
{
	if (!begin(b))
		return false;
	plan pl = make_plan(b, one);
	for (int i = 0; i < b->n; i++)
		open_part(b, &b->parts[i]);
	emit_all(b, &pl);
	for (int i = 0; i < b->n; i++)
		debug_info_end(&b->parts[i].em);
	return true;
}

/* ---- code --------------------------------------------------------------------------------------------------------- */

typedef struct work {
	build *b;
	bool objects;
	atomic_int next;
} work;

static void *compile_parts(void *user)
{
	work *w = user;
	for (int i; (i = atomic_fetch_add(&w->next, 1)) < w->b->n;)
		compile_part(&w->b->parts[i], w->objects);
	return NULL;
}

/* The calling thread is one of them; a thread that cannot be had is no error. */
static void compile_all(work *w)
{
	pthread_t threads[MAX_THREADS];
	int wanted = w->b->o->threads < w->b->n ? w->b->o->threads : w->b->n, n = 0;
	while (n < wanted - 1 && n < MAX_THREADS && !pthread_create(&threads[n], NULL, compile_parts, w))
		n++;
	compile_parts(w);
	while (n)
		pthread_join(threads[--n], NULL);
}

/* Bytes in sections of code, by the names that object formats give them. */
static size_t text_bytes(LLVMMemoryBufferRef object)
{
	size_t sum = 0;
	char *why = NULL;
	LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &why);
	if (!binary) {
		LLVMDisposeMessage(why);
		return 0;
	}
	LLVMSectionIteratorRef at = LLVMObjectFileCopySectionIterator(binary);
	for (; !LLVMObjectFileIsSectionIteratorAtEnd(binary, at); LLVMMoveToNextSection(at)) {
		const char *name = LLVMGetSectionName(at); /* NULL: it has none */
		if (!name)
			continue;
		if (!strncmp(name, ".text", 5) || !strncmp(name, ".ltext", 6) || !strcmp(name, "__text"))
			sum += LLVMGetSectionSize(at);
	}
	LLVMDisposeSectionIterator(at);
	LLVMDisposeBinary(binary);
	return sum;
}

bool build_code(build *b, bool objects)
{
	work w = {.b = b, .objects = objects};
	compile_all(&w);
	for (int i = 0; i < b->n; i++) {
		if (!b->parts[i].error)
			continue;
		diag_error(b->d, DIAG_NOWHERE, "code generation failed: %s", b->parts[i].error);
		return false;
	}
	for (int i = 0; objects && b->o->code_bytes && i < b->n; i++)
		*b->o->code_bytes = (i ? *b->o->code_bytes : 0) + text_bytes(b->parts[i].object);
	return true;
}

void build_end(build *b)
{
	for (int i = 0; i < b->n; i++) {
		build_part *part = &b->parts[i];
		if (part->object)
			LLVMDisposeMemoryBuffer(part->object);
		LLVMContextDispose(part->context); /* and its module */
		LLVMDisposeTargetData(part->layout);
		if (part->machine)
			LLVMDisposeTargetMachine(part->machine);
		free(part->error);
	}
	b->n = 0;
}
