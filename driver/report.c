/* The report: a line per kernel, then memory.
 *
 * The lower bound of the arena is the most bytes that are alive at one step: no plan can use less. */
#include "driver/report.h"

#include <inttypes.h>
#include <string.h>

/* A symbolic integer as text; "?" when unknown. */
static const char *text_of(arena *a, const sym *s)
{
	str text = str_new(a);
	if (!s)
		return "?";
	sym_print(&text, s);
	return text.data;
}

typedef struct call_count {
	const kernel *k;
	int n;
} call_count;

static void count_call(step *s, void *user)
{
	call_count *c = user;
	c->n += s->kind == STEP_CALL && s->k == c->k;
}

/* Places from where it is called; inside a loop a call counts once. */
static int calls_of(const program *p, const kernel *k)
{
	call_count c = {.k = k};
	steps_walk(&p->steps, count_call, &c);
	return c.n;
}

static size_t weights_bytes(const program *p)
{
	size_t sum = 0;
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == STORAGE_CONST && p->storages.v[i]->data)
			sum += p->storages.v[i]->data->bytes;
	return sum;
}

/* Bytes of an arena slot; false when they depend on symbols. */
static bool slot_bytes(const storage *s, int64_t *bytes)
{
	int64_t n;
	size_t size;
	if (!sym_is_const(s->size, &n) || n < 0 || !dtype_bytes(s->type, (size_t)n, &size))
		return false;
	*bytes = ((int64_t)size + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
	return true;
}

/* The most bytes alive at one step; -1: depends on symbols. */
static int64_t arena_lower_bound(const program *p)
{
	int64_t most = 0;
	for (int at = 0; at < steps_count(&p->steps); at++) {
		int64_t alive = 0, bytes;
		for (int i = 0; i < p->storages.n; i++) {
			const storage *s = p->storages.v[i];
			if (s->kind != STORAGE_ARENA || s->first_step > at || s->last_step < at)
				continue;
			if (!slot_bytes(s, &bytes))
				return -1;
			alive += bytes;
		}
		most = alive > most ? alive : most;
	}
	return most;
}

static void print_text(FILE *to, arena *a, const program *p)
{
	int64_t bound = arena_lower_bound(p);
	fprintf(to, "%5s %14s %12s %6s  %s\n", "calls", "flops", "bytes", "f/B", "kernel");
	for (int i = 0; i < p->kernels.n; i++) {
		const kernel *k = p->kernels.v[i];
		int64_t flops, bytes;
		bool known = k->flops && k->bytes && sym_is_const(k->flops, &flops) && sym_is_const(k->bytes, &bytes) && bytes > 0;
		fprintf(to, "%5d %14s %12s ", calls_of(p, k), text_of(a, k->flops), text_of(a, k->bytes));
		if (known)
			fprintf(to, "%6.1f", (double)flops / (double)bytes);
		else
			fprintf(to, "%6s", "-");
		fprintf(to, "  %s%s%s\n", k->name, k->nodes && *k->nodes ? ": " : "", k->nodes ? k->nodes : "");
	}
	fprintf(to, "kernels:   %d, called in %d steps\n", p->kernels.n, steps_count(&p->steps));
	fprintf(to, "workspace: %s bytes", text_of(a, p->workspace_bytes));
	if (bound >= 0)
		fprintf(to, ", at least %" PRId64 " are alive at once", bound);
	fprintf(to, "\nweights:   %zu bytes\n", weights_bytes(p));
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */
static void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (const unsigned char *s = (const unsigned char *)(text ? text : ""); *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s < 0x20)
			fprintf(to, "\\u%04x", *s);
		else
			fputc(*s, to);
	}
	fputc('"', to);
}

/* A number where it is one, else its expression as a string. */
static void json_sym(FILE *to, arena *a, const sym *s)
{
	int64_t number;
	if (s && sym_is_const(s, &number))
		fprintf(to, "%" PRId64, number);
	else if (s)
		json_string(to, text_of(a, s));
	else
		fputs("null", to);
}

static void print_json(FILE *to, arena *a, const program *p)
{
	int64_t bound = arena_lower_bound(p);
	fputs("{\n  \"name\": ", to);
	json_string(to, p->name);
	fputs(",\n  \"kernels\": [\n", to);
	for (int i = 0; i < p->kernels.n; i++) {
		const kernel *k = p->kernels.v[i];
		fputs("    {\"name\": ", to);
		json_string(to, k->name);
		fputs(", \"nodes\": ", to);
		json_string(to, k->nodes);
		fprintf(to, ", \"calls\": %d, \"flops\": ", calls_of(p, k));
		json_sym(to, a, k->flops);
		fputs(", \"bytes\": ", to);
		json_sym(to, a, k->bytes);
		fprintf(to, "}%s\n", i + 1 < p->kernels.n ? "," : "");
	}
	fputs("  ],\n  \"workspace_bytes\": ", to);
	json_sym(to, a, p->workspace_bytes);
	fputs(",\n  \"workspace_lower_bound\": ", to);
	if (bound >= 0)
		fprintf(to, "%" PRId64, bound);
	else
		fputs("null", to);
	fprintf(to, ",\n  \"weights_bytes\": %zu\n}\n", weights_bytes(p));
}

void report_print(FILE *to, const program *p, report_form form)
{
	arena *a = arena_new("report");
	if (form == REPORT_JSON)
		print_json(to, a, p);
	else
		print_text(to, a, p);
	arena_free(a);
}
