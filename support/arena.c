/* A chunk is calloc'ed once and only handed out forwards, so its free part is always zero. `last` is the newest object
 * of the current chunk: the one that may still be extended in place. */
#include "support/arena.h"

#include "support/checked.h"
#include "support/diag.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 4 << 10, LARGEST_CHUNK = 1 << 20 };

typedef struct block block;

/* Its bytes follow the header, which keeps their alignment. */
struct block {
	_Alignas(max_align_t) block *next;
};

struct arena {
	const char *name;
	block *blocks;
	char *at, *end; /* free part of the current chunk */
	char *last;
	size_t next_chunk;
	size_t bytes;
};

static _Noreturn void out_of_memory(const char *name, size_t bytes)
{
	fatal("out of memory: %zu bytes for %s", bytes, name);
}

arena *arena_new(const char *name)
{
	arena *a = calloc(1, sizeof *a);
	if (!a)
		out_of_memory(name, sizeof *a);
	a->name = name;
	a->next_chunk = FIRST_CHUNK;
	return a;
}

void arena_free(arena *a)
{
	if (!a)
		return;
	for (block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static char *align_up(char *p, size_t align)
{
	return p + (-(uintptr_t)p & (align - 1));
}

/* `bytes` zero bytes of their own, at `align`. */
static char *new_block(arena *a, size_t bytes, size_t align)
{
	size_t total;
	if (!add_size(bytes, sizeof(block) + align, &total))
		out_of_memory(a->name, bytes);
	block *b = calloc(1, total - (align <= _Alignof(block) ? align : 0));
	if (!b)
		out_of_memory(a->name, bytes);
	b->next = a->blocks;
	a->blocks = b;
	return align_up((char *)(b + 1), align);
}

/* Objects of so many bytes have a block of their own. */
#ifdef DLCC_ASAN
enum { OWN_BLOCK_FROM = 1 };
#else
enum { OWN_BLOCK_FROM = ARENA_BIG };
#endif

void *arena_alloc(arena *a, size_t bytes, size_t align)
{
	assert(align && (align & (align - 1)) == 0);
	size_t room = bytes ? bytes : 1;
	a->bytes += bytes;
	if (room >= OWN_BLOCK_FROM || align > FIRST_CHUNK / 4)
		return new_block(a, room, align);

	char *p = a->at ? align_up(a->at, align) : NULL;
	if (!p || p > a->end || (size_t)(a->end - p) < room) {
		size_t chunk = a->next_chunk < room + align ? ARENA_BIG * 2 : a->next_chunk;
		a->at = new_block(a, chunk, 1);
		a->end = a->at + chunk;
		if (a->next_chunk < LARGEST_CHUNK)
			a->next_chunk *= 2;
		p = align_up(a->at, align);
	}
	a->at = p + room;
	a->last = p;
	return p;
}

void *arena_array(arena *a, size_t n, size_t size, size_t align)
{
	size_t bytes;
	if (!mul_size(n, size, &bytes))
		fatal("out of memory: %zu objects of %zu bytes for %s", n, size, a->name);
	return arena_alloc(a, bytes, align);
}

void *arena_grow(arena *a, void *old, size_t old_bytes, size_t new_bytes, size_t align)
{
	assert(new_bytes >= old_bytes);
	if (old && old == a->last && old_bytes && (size_t)(a->end - a->last) >= new_bytes) {
		a->at = a->last + new_bytes;
		a->bytes += new_bytes - old_bytes;
		return old;
	}
	void *p = arena_alloc(a, new_bytes, align);
	if (old_bytes)
		memcpy(p, old, old_bytes);
	return p;
}

size_t arena_bytes(const arena *a)
{
	return a->bytes;
}

char *arena_strndup(arena *a, const char *s, size_t n)
{
	const char *end = memchr(s, 0, n);
	size_t len = end ? (size_t)(end - s) : n;
	char *copy = arena_alloc(a, len + 1, 1);
	memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(arena *a, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		bug("cannot format \"%s\"", fmt);
	char *text = arena_alloc(a, (size_t)len + 1, 1);
	vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}
