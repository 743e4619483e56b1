/* What the user is told. Three kinds of trouble have three words:
 *
 *   diag_error   the model or the command is wrong: counted, printed with its place, and the work goes on
 *   fatal        the machine is wrong (memory, disk): exit code 2
 *   bug          the compiler is wrong: abort
 *
 * Messages are lower case, have no full stop, name the thing, and give the value found and the value wanted. They read
 *
 *   model.onnx: node 17 "layer3/pool" (MaxPool): error: text
 *   graph.ir:12:5: error: text
 *   dlcc: error: text
 *     hint: text
 *
 * The same message at the same place is printed once (with its hints); after DIAG_MAX_ERRORS errors the rest are only
 * counted. Bytes of the model that would disturb a terminal are escaped.
 *
 * Importers and parsers, which own arena memory only, may give up on a node or file with diag_abandon:
 *
 *	if (diag_guard(d)) {
 *		import(...);            // may call diag_abandon(d, ...)
 *		diag_pop_guard(d);
 *	} else {
 *		...                     // abandoned: the guard is already popped
 *	}
 *
 * Locals changed between the guard and the jump must be volatile to be read after it (C11 7.13.2.1). */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

typedef struct arena arena;
typedef struct diag diag;

enum { DIAG_MAX_ERRORS = 200 };

/* A place. A line wins over a node; without either it is the file as a whole; without a file, the command. */
typedef struct diag_at {
	const char *file;
	int line;   /* 0: none */
	int column; /* 0: none */
	int node;   /* index in the model, -1: none; shown when node_name or op is given */
	const char *node_name;
	const char *op;
} diag_at;

#define DIAG_NOWHERE           ((diag_at){.node = -1})
#define DIAG_FILE(path)        ((diag_at){.file = (path), .node = -1})
#define DIAG_LINE(path, ln, c) ((diag_at){.file = (path), .line = (ln), .column = (c), .node = -1})

diag *diag_new(arena *a, FILE *out); /* out NULL: messages are collected only */
void diag_error(diag *d, diag_at at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_warning(diag *d, diag_at at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A further line about the error or warning before it. */
void diag_note(diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_hint(diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int diag_error_count(const diag *d);
const char *diag_text(const diag *d); /* all messages so far; valid until the next one */

#define diag_guard(d) (setjmp(*diag_push_guard(d)) == 0)
jmp_buf *diag_push_guard(diag *d);
void diag_pop_guard(diag *d);
/* Reports, then jumps to the innermost guard; without a guard it is a bug. */
_Noreturn void diag_abandon(diag *d, diag_at at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
