/* Memory by lifetime: everything that dies together is allocated from one arena and freed in one call.
 *
 * Objects are zeroed and never freed singly. Small objects are carved from chunks; an object of ARENA_BIG bytes or more
 * has a block of its own. Running out of memory is fatal, so no caller checks a result. Under DLCC_ASAN every object is
 * a block of its own, so that memory tools see an overrun of each. */
#pragma once
#include <stddef.h>

#define ARENA_BIG ((size_t)64 << 10)

typedef struct arena arena;

/* The name is kept by pointer and appears in the message of a failed allocation. */
arena *arena_new(const char *name);
void arena_free(arena *a);

/* `align` is a power of two. Zero bytes give a distinct pointer. */
void *arena_alloc(arena *a, size_t bytes, size_t align);
/* n objects of `size` bytes; a product that overflows is fatal. */
void *arena_array(arena *a, size_t n, size_t size, size_t align);
/* The object at `old` with more room: extended in place when it is the newest, else copied. New bytes are zero. */
void *arena_grow(arena *a, void *old, size_t old_bytes, size_t new_bytes, size_t align);
/* Bytes asked for so far. */
size_t arena_bytes(const arena *a);

#define new(a, T)          ((T *)arena_alloc((a), sizeof(T), _Alignof(T)))
#define new_array(a, T, n) ((T *)arena_array((a), (n), sizeof(T), _Alignof(T)))

char *arena_strdup(arena *a, const char *s);
/* At most n bytes of s, up to its NUL. */
char *arena_strndup(arena *a, const char *s, size_t n);
char *arena_printf(arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
