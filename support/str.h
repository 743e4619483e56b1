/* Text: a builder that grows inside its arena, slices of text that somebody else owns, and interned names.
 *
 * A builder's data is always NUL-terminated. It moves when it grows, so keep the builder, not the pointer, while adding.
 * Two interned names are equal exactly when their pointers are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct arena arena;

typedef struct str {
	arena *a;
	char *data; /* never NULL; data[len] is NUL */
	size_t len;
	size_t cap; /* bytes at data, NUL included; 0 while data is the shared empty string */
} str;

str str_new(arena *a);
void str_add(str *s, const char *text);
void str_addn(str *s, const char *text, size_t n);
void str_addc(str *s, char c);
void str_addf(str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_clear(str *s);

/* Shortest decimal text that reads back to the same bits (of a float when is_f32, else of a double). It always looks
 * like a floating-point number: it has a '.', an 'e', or is "inf", "-inf", "nan". */
void str_add_float(str *s, double value, int is_f32);
/* Adds text with control bytes and invalid UTF-8 as \n, \t or \xNN, and a '\' before each character that is in `also`
 * (for text between quotes: "\"\\"). */
void str_add_escaped(str *s, const char *text, size_t n, const char *also);

typedef struct slice {
	const char *data;
	size_t len;
} slice;

bool slice_eq(slice s, const char *text);

typedef struct names names;

names *names_new(arena *a);
const char *names_intern(names *set, const char *s);
const char *names_intern_n(names *set, const char *s, size_t n);
