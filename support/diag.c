#include "support/diag.h"

#include "support/arena.h"
#include "support/map.h"
#include "support/str.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct guard guard;

struct guard {
	jmp_buf jump;
	guard *outer;
};

struct diag {
	arena *a;
	FILE *out;
	str text;      /* everything reported */
	map *seen;     /* rendered messages */
	guard *guards; /* innermost first */
	guard *unused; /* popped, for reuse */
	int n_errors;
	bool muted; /* the last message was not shown, so neither are its notes */
};

diag *diag_new(arena *a, FILE *out)
{
	diag *d = new(a, diag);
	d->a = a;
	d->out = out;
	d->text = str_new(a);
	d->seen = map_new_str(a);
	return d;
}

static void add_place(str *s, diag_at at)
{
	if (!at.file) {
		str_add(s, "dlcc: ");
	} else {
		str_add_escaped(s, at.file, strlen(at.file), "");
		str_addc(s, ':');
		if (at.line > 0)
			str_addf(s, "%d:", at.line);
		if (at.line > 0 && at.column > 0)
			str_addf(s, "%d:", at.column);
		str_addc(s, ' ');
	}
	if (at.line > 0 || at.node < 0 || !(at.node_name || at.op))
		return;
	str_addf(s, "node %d", at.node);
	if (at.node_name && *at.node_name) {
		str_add(s, " \"");
		str_add_escaped(s, at.node_name, strlen(at.node_name), "\"\\");
		str_addc(s, '"');
	}
	if (at.op) {
		str_add(s, " (");
		str_add_escaped(s, at.op, strlen(at.op), "");
		str_addc(s, ')');
	}
	str_add(s, ": ");
}

static void __attribute__((format(printf, 3, 0))) add_message(arena *a, str *s, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		bug("cannot format \"%s\"", fmt);
	char *text = new_array(a, char, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	str_add_escaped(s, text, (size_t)n, "");
	str_addc(s, '\n');
}

static void show(diag *d, const char *text)
{
	str_add(&d->text, text);
	if (d->out)
		fputs(text, d->out);
}

/* Shows "place: word: message" unless it was shown before; true if it is new. */
static bool __attribute__((format(printf, 4, 0)))
report(diag *d, diag_at at, const char *word, const char *fmt, va_list args)
{
	arena *scratch = arena_new("a message");
	str s = str_new(scratch);
	add_place(&s, at);
	str_add(&s, word);
	add_message(scratch, &s, fmt, args);
	bool fresh = !map_has(d->seen, s.data);
	d->muted = !fresh || d->n_errors >= DIAG_MAX_ERRORS;
	if (!d->muted) {
		map_put(d->seen, s.data, d);
		show(d, s.data);
	}
	arena_free(scratch);
	return fresh;
}

static void __attribute__((format(printf, 3, 0)))
report_error(diag *d, diag_at at, const char *fmt, va_list args)
{
	if (!report(d, at, "error: ", fmt, args))
		return;
	if (++d->n_errors == DIAG_MAX_ERRORS + 1)
		show(d, "dlcc: too many errors; further ones are only counted\n");
}

void diag_error(diag *d, diag_at at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	report_error(d, at, fmt, args);
	va_end(args);
}

void diag_warning(diag *d, diag_at at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	report(d, at, "warning: ", fmt, args);
	va_end(args);
}

static void __attribute__((format(printf, 3, 0)))
report_more(diag *d, const char *word, const char *fmt, va_list args)
{
	if (d->muted)
		return;
	arena *scratch = arena_new("a message");
	str s = str_new(scratch);
	str_add(&s, word);
	add_message(scratch, &s, fmt, args);
	show(d, s.data);
	arena_free(scratch);
}

void diag_note(diag *d, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	report_more(d, "  note: ", fmt, args);
	va_end(args);
}

void diag_hint(diag *d, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	report_more(d, "  hint: ", fmt, args);
	va_end(args);
}

int diag_error_count(const diag *d)
{
	return d->n_errors;
}

const char *diag_text(const diag *d)
{
	return d->text.data;
}

jmp_buf *diag_push_guard(diag *d)
{
	guard *g = d->unused;
	if (g)
		d->unused = g->outer;
	else
		g = new(d->a, guard);
	g->outer = d->guards;
	d->guards = g;
	return &g->jump;
}

void diag_pop_guard(diag *d)
{
	guard *g = d->guards;
	assert(g);
	d->guards = g->outer;
	g->outer = d->unused;
	d->unused = g;
}

void diag_abandon(diag *d, diag_at at, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	report_error(d, at, fmt, args);
	va_end(args);
	guard *g = d->guards;
	if (!g)
		bug("abandoned without a guard: %s", diag_text(d));
	diag_pop_guard(d); /* its jump buffer stays intact until the next push */
	longjmp(g->jump, 1);
}

void fatal(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fflush(stdout);
	fputs("dlcc: fatal: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void bug(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fflush(stdout);
	fputs("dlcc: internal error: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}
