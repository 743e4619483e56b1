/* The constants of a program: one read-only blob.
 *
 * Every tensor starts at a multiple of 64 bytes, and equal bytes are stored once, also those of several variants; the
 * order is that of the storages, so the blob is reproducible.  Strings hold addresses, so each is an LLVM constant of its own, outside the blob (in this process
 * they are used in place, too). */
#include "backend/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	ALIGN = 64,
	SMALL_BLOB = 4096, /* up to here an LLVM constant is simplest */
};

typedef struct weight {
	const void *data;
	size_t bytes;
	uint64_t offset;
	int first_user; /* the first program that reads it */
	bool shared;    /* and there is another one */
} weight;

struct weights {
	arena *a;
	weights_place place;
	const char *symbol;
	vec(weight *) blob; /* in order of offset */
	map *of;            /* storage -> weight */
	map *strings;       /* storage -> LLVM global, in the module of weights_define */
	uint64_t bytes;
	LLVMValueRef base;  /* likewise */
};

/* ---- layout ------------------------------------------------------------------------------------------------------- */

static bool in_blob(const storage *s)
{
	if (s->kind == STORAGE_CONST && !s->data)
		bug("constant %s has no data", s->name);
	return s->kind == STORAGE_CONST && s->type != STRING && s->data->bytes;
}

/* Chains of weights with one hash, by the hash as a key. */
typedef struct same_hash {
	weight *w;
	struct same_hash *next;
} same_hash;

static weight *find_equal(arena *a, map *by_hash, const tensor *t, weight *candidate)
{
	uint64_t h = hash_bytes(t->data, t->bytes, t->bytes);
	const void *key = (const void *)(uintptr_t)h;
	for (same_hash *s = map_get(by_hash, key); s; s = s->next)
		if (s->w->bytes == t->bytes && !memcmp(s->w->data, t->data, t->bytes))
			return s->w;
	same_hash *s = new(a, same_hash);
	*s = (same_hash){.w = candidate, .next = map_get(by_hash, key)};
	map_put(by_hash, key, s);
	return candidate;
}

static uint64_t bytes_in_blob(const weight *it)
{
	return (it->bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void place_in_blob(weights *w, map *by_hash, const storage *s, int user)
{
	weight *fresh = new(w->a, weight);
	*fresh = (weight){.data = s->data->data, .bytes = s->data->bytes, .offset = w->bytes, .first_user = user};
	weight *it = find_equal(w->a, by_hash, s->data, fresh);
	map_put(w->of, s, it);
	it->shared = it->shared || it->first_user != user;
	if (it != fresh)
		return;
	vec_push(w->a, &w->blob, fresh);
	w->bytes += bytes_in_blob(fresh);
}

typedef struct alignments {
	map *of; /* storage -> alignment as an integer */
} alignments;

static void note_alignments(step *s, void *user)
{
	alignments *a = user;
	for (int j = 0; s->kind == STEP_CALL && j < s->args.n; j++) {
		uintptr_t want = (uintptr_t)s->k->params.v[j]->align;
		if (want > (uintptr_t)map_get(a->of, s->args.v[j]))
			map_put(a->of, s->args.v[j], (void *)want);
	}
}

/* storage -> the largest alignment that a kernel assumes of it, as an integer */
static map *wanted_alignments(arena *a, const program *p)
{
	alignments found = {map_new(a)};
	steps_walk(&p->steps, note_alignments, &found);
	return found.of;
}

static void place_here(weights *w, const map *align, const storage *s)
{
	weight *it = new(w->a, weight);
	*it = (weight){.data = s->data->data, .bytes = s->data->bytes};
	uintptr_t want = (uintptr_t)map_get(align, s);
	if (want && (uintptr_t)it->data % want) {
		void *copy = arena_alloc(w->a, it->bytes, want);
		memcpy(copy, it->data, it->bytes);
		it->data = copy;
	}
	map_put(w->of, s, it);
}

weights *weights_new(arena *a, const program *const *p, int n, weights_place place, const char *symbol)
{
	weights *w = new(a, weights);
	*w = (weights){.a = a, .place = place, .symbol = symbol, .of = map_new(a)};
	map *by_hash = map_new(a);
	for (int k = 0; k < n; k++) {
		const map *align = place == WEIGHTS_IN_PLACE ? wanted_alignments(a, p[k]) : NULL;
		for (int i = 0; i < p[k]->storages.n; i++) {
			const storage *s = p[k]->storages.v[i];
			if (align && s->kind == STORAGE_CONST)
				place_here(w, align, s);
			else if (in_blob(s))
				place_in_blob(w, by_hash, s, k);
		}
	}
	return w;
}

bool weights_are_few(const program *p)
{
	uint64_t bytes = 0;
	for (int i = 0; i < p->storages.n; i++)
		if (in_blob(p->storages.v[i]))
			bytes += p->storages.v[i]->data->bytes;
	return bytes < SMALL_BLOB;
}

uint64_t weights_bytes(const weights *w)
{
	return w->bytes;
}

uint64_t weights_shared_bytes(const weights *w)
{
	uint64_t bytes = 0;
	for (int i = 0; i < w->blob.n; i++)
		bytes += w->blob.v[i]->shared ? bytes_in_blob(w->blob.v[i]) : 0;
	return bytes;
}

/* ---- the blob as a file ------------------------------------------------------------------------------------------- */

bool weights_stream(void *of, FILE *f)
{
	static const char zeros[ALIGN];
	const weights *w = of;
	for (int i = 0; i < w->blob.n; i++) {
		const weight *it = w->blob.v[i];
		size_t padding = (ALIGN - it->bytes % ALIGN) % ALIGN;
		if (fwrite(it->data, 1, it->bytes, f) != it->bytes || fwrite(zeros, 1, padding, f) != padding)
			return false;
	}
	return true;
}

bool weights_write(const weights *w, const char *path, diag *d)
{
	FILE *f = fopen(path, "wb");
	bool ok = f && weights_stream((void *)w, f);
	int reason = errno;
	if (f && fclose(f) && ok) {
		ok = false;
		reason = errno;
	}
	if (!ok)
		diag_error(d, DIAG_FILE(path), "cannot write the weights: %s", strerror(reason));
	return ok;
}

/* ---- the blob in a module ----------------------------------------------------------------------------------------- */

static LLVMContextRef context_of(LLVMModuleRef m)
{
	return LLVMGetModuleContext(m);
}

static LLVMValueRef add_bytes(const weights *w, LLVMModuleRef m, const char *name)
{
	LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(context_of(m)), w->bytes);
	LLVMValueRef g = LLVMAddGlobal(m, type, name);
	LLVMSetGlobalConstant(g, true);
	LLVMSetAlignment(g, ALIGN);
	return g;
}

static LLVMValueRef define_constant(const weights *w, LLVMModuleRef m, const char *name)
{
	unsigned char *bytes = arena_alloc(w->a, w->bytes, 1);
	for (int i = 0; i < w->blob.n; i++)
		memcpy(bytes + w->blob.v[i]->offset, w->blob.v[i]->data, w->blob.v[i]->bytes);
	LLVMValueRef g = add_bytes(w, m, name);
	LLVMSetInitializer(g, LLVMConstStringInContext2(context_of(m), (const char *)bytes, w->bytes, true));
	LLVMSetLinkage(g, LLVMInternalLinkage);
	return g;
}

/* How an object format writes a read-only section, and what it puts before a C symbol. */
typedef struct section_style {
	const char *in_triple, *section, *prefix;
} section_style;

static const section_style section_styles[] = {
	{"darwin", "__TEXT,__const", "_"},
	{"macos", "__TEXT,__const", "_"},
	{"ios", "__TEXT,__const", "_"},
	{"windows", ".rdata,\"dr\"", ""},
	{"", ".rodata.weights,\"a\"", ""}, /* ELF */
};

static const section_style *section_style_of(const char *triple)
{
	const section_style *s = section_styles;
	while (!strstr(triple, s->in_triple))
		s++;
	return s;
}

/* A local symbol in its own section.  The assembler reads the file; its path leaves no trace in the object. */
const char *weights_section(const weights *w, const char *triple, const char *path)
{
	const section_style *style = section_style_of(triple);
	str out = str_new(w->a);
	str_addf(&out, "\t.section %s\n\t.balign %d\n%s%s.weights:\n\t.incbin \"", style->section, ALIGN, style->prefix,
	         w->symbol);
	str_add_escaped(&out, path, strlen(path), "\"\\");
	str_addf(&out, "\"\n\t.balign %d\n\t.text\n", ALIGN);
	return out.data;
}

void weights_define(weights *w, LLVMModuleRef m, const char *triple, const char *incbin)
{
	const char *name = arena_printf(w->a, "%s.weights", w->symbol);
	w->strings = map_new(w->a);
	if (w->bytes && w->place == WEIGHTS_CONSTANT)
		w->base = define_constant(w, m, name);
	if (!w->bytes || (w->place != WEIGHTS_INCBIN && w->place != WEIGHTS_SECTION))
		return;
	w->base = add_bytes(w, m, name);
	LLVMSetVisibility(w->base, LLVMHiddenVisibility);
	if (incbin) {
		const char *text = weights_section(w, triple, incbin);
		LLVMAppendModuleInlineAsm(m, text, strlen(text));
	}
}

LLVMValueRef weights_base(const weights *w)
{
	return w->base;
}

/* ---- addresses ---------------------------------------------------------------------------------------------------- */

static LLVMValueRef private_constant(LLVMModuleRef m, LLVMValueRef value, const char *name)
{
	LLVMValueRef g = LLVMAddGlobal(m, LLVMTypeOf(value), name);
	LLVMSetInitializer(g, value);
	LLVMSetGlobalConstant(g, true);
	LLVMSetLinkage(g, LLVMPrivateLinkage);
	LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
	return g;
}

/* An array of dlrt_string. */
static LLVMValueRef define_strings(weights *w, LLVMModuleRef m, const storage *s)
{
	LLVMContextRef c = context_of(m);
	LLVMTypeRef ptr = LLVMPointerTypeInContext(c, 0), size = LLVMInt64TypeInContext(c);
	LLVMTypeRef type = LLVMStructTypeInContext(c, (LLVMTypeRef[]){ptr, size}, 2, false);
	const slice *text = s->data->data;
	size_t n = s->data->n_elements;
	LLVMValueRef *rows = new_array(w->a, LLVMValueRef, n);
	for (size_t i = 0; i < n; i++) {
		LLVMValueRef bytes = LLVMConstStringInContext2(c, text[i].data ? text[i].data : "", text[i].len, true);
		LLVMValueRef row[] = {private_constant(m, bytes, ""), LLVMConstInt(size, text[i].len, false)};
		rows[i] = LLVMConstStructInContext(c, row, 2, false);
	}
	LLVMValueRef all = private_constant(m, LLVMConstArray2(type, rows, n), "");
	LLVMSetAlignment(all, BUFFER_ALIGN);
	return all;
}

static LLVMValueRef strings_address(weights *w, LLVMModuleRef m, const storage *s)
{
	LLVMValueRef g = map_get(w->strings, s);
	if (!g) {
		g = define_strings(w, m, s);
		map_put(w->strings, s, g);
	}
	return g;
}

LLVMValueRef weights_address(weights *w, LLVMModuleRef m, LLVMBuilderRef b, const storage *s, LLVMValueRef external)
{
	LLVMContextRef c = context_of(m);
	LLVMTypeRef i64 = LLVMInt64TypeInContext(c), ptr = LLVMPointerTypeInContext(c, 0);
	const weight *it = map_get(w->of, s);
	if (w->place == WEIGHTS_IN_PLACE)
		return LLVMConstIntToPtr(LLVMConstInt(i64, (uint64_t)(uintptr_t)it->data, false), ptr);
	if (s->type == STRING)
		return strings_address(w, m, s);
	LLVMValueRef base = w->place == WEIGHTS_EXTERNAL ? external : w->base;
	if (!it)
		return LLVMConstNull(ptr); /* an empty constant */
	LLVMValueRef offset = LLVMConstInt(i64, it->offset, false);
	return LLVMBuildInBoundsGEP2(b, LLVMInt8TypeInContext(c), base, &offset, 1, "");
}
