/* Files: mapped for reading, replaced atomically, and opened safely below a directory; and the parts of a path.
 *
 * A function that takes a diag reports why it failed and returns false. A mapping is owned by who opened it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct arena arena;
typedef struct diag diag;

typedef struct file_data {
	const unsigned char *data; /* never NULL after success */
	size_t size;
	bool mapped; /* false for an empty file */
} file_data;

/* Only regular files: a directory, a pipe or a device is an error. */
bool file_map(const char *path, file_data *out, diag *d);
/* Gives the memory behind a mapped file back to the system; what is read later comes from the disk again. */
void file_drop_pages(const file_data *f);
void file_unmap(file_data *f);
/* Asks the system for large pages behind memory that was not touched yet; it may have none. */
void memory_ask_large_pages(void *at, size_t bytes);

/* Readers see the old file or the whole new one. A path that is no regular file (/dev/stdout) is written directly. */
bool file_write_atomic(const char *path, const void *data, size_t n, diag *d);

/* For paths that a model names. `relative` must be relative, without "..", and no part of it may be a symbolic link,
 * so nothing outside `dir` is ever opened. */
bool file_open_below(const char *dir, const char *relative, file_data *out, diag *d);

char *path_dir(arena *a, const char *path);  /* "a/b.c" -> "a", "b.c" -> ".", "/b" -> "/" */
char *path_base(arena *a, const char *path); /* "a/b.c" -> "b.c" */
char *path_stem(arena *a, const char *path); /* "a/b.tar.c" -> "b.tar", ".rc" -> ".rc" */

bool path_exists(const char *path);
bool path_is_dir(const char *path);
/* Makes the directory and its parents; true when it is there in the end, else errno says why. */
bool make_dirs(const char *path);
