/* Problems as text, and the table of what was measured of them. */
#include "passes/tuning.h"

#include "passes/contract.h"
#include "support/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
	const char *problem, *choice;
	const char *path; /* where it was read; NULL: measured by this process */
	int line;
	bool told; /* that it cannot be */
} entry;

struct tuning {
	arena *a;
	map *entries; /* problem -> entry */
};

/* ---- problems ------------------------------------------------------------------------------------------------------------- */
int64_t problem_size(const value *v, int axis)
{
	const sym *size = v->dims[axis];
	return axis || sym_is_const(size, NULL) ? typical_size(size) : typical_batch(size);
}

/* "1x64x56x56", and the order of axes unless it is that of the axes themselves. */
static void add_shape(str *s, const value *v)
{
	bool plain = true;
	str_addc(s, ' ');
	for (int i = 0; i < v->rank; i++) {
		str_addf(s, "%s%s%" PRId64, i ? "x" : "", sym_is_const(v->dims[i], NULL) ? "" : "~", problem_size(v, i));
	}
	for (int i = 0; v->layout && i < v->rank; i++)
		plain = plain && v->layout->order[i] == i;
	for (int i = 0; !plain && i < v->rank; i++)
		str_addf(s, "%s%x", i ? "" : "@", v->layout->order[i]);
}

/* " s2", or " s1x2" where axes differ. */
static void add_per_axis(str *s, const char *what, const int64_t *v, int n)
{
	bool same = true;
	for (int i = 1; i < n; i++)
		same = same && v[i] == v[0];
	str_addf(s, " %s", what);
	for (int i = 0; i < (same ? 1 : n); i++)
		str_addf(s, "%s%" PRId64, i ? "x" : "", v[i]);
}

static void add_padding(str *s, const node *n)
{
	int count;
	int64_t sizes[2 * MAX_RANK];
	sym *const *lo = node_syms(n, "lo", &count), *const *hi = node_syms(n, "hi", &count);
	for (int i = 0; i < count; i++) {
		sizes[i] = sym_value(lo[i]);
		sizes[count + i] = sym_value(hi[i]);
	}
	add_per_axis(s, "p", sizes, memcmp(sizes, sizes + count, (size_t)count * sizeof *sizes) ? 2 * count : count);
}

/* One word where all are the same. */
static void add_types(str *s, const node *n)
{
	dtype a = n->in[0]->type, b = n->in[1]->type, to = n->out[0]->type;
	str_addf(s, " %s", dtype_name(a));
	if (a != b || a != to)
		str_addf(s, "*%s=%s", dtype_name(b), dtype_name(to));
}

static void add_conv(str *s, const node *n)
{
	int count;
	const int64_t *strides = node_ints(n, "strides", &count), *dilations = node_ints(n, "dilations", &count);
	add_shape(s, n->in[0]);
	add_shape(s, n->in[1]);
	add_per_axis(s, "s", strides, count);
	add_per_axis(s, "d", dilations, count);
	add_padding(s, n);
	if (node_int(n, "group", 1) != 1)
		str_addf(s, " g%" PRId64, node_int(n, "group", 1));
}

/* The equation with letters in alphabetical order of their first places. */
static void add_contract(str *s, const node *n)
{
	char letter[128] = {0}, next = 'a';
	str_addc(s, ' ');
	for (const char *c = node_word(n, "equation", ""); *c; c++) {
		bool is_letter = *c != ',' && *c != '-' && *c != '>';
		if (is_letter && !letter[(int)*c])
			letter[(int)*c] = next++;
		str_addc(s, is_letter ? letter[(int)*c] : *c);
	}
	add_shape(s, n->in[0]);
	add_shape(s, n->in[1]);
}

char *problem_of(arena *a, const node *n, const pass_ctx *ctx)
{
	str s = str_new(a);
	str_addf(&s, "%s %s", op_table[n->op].text, ctx->target->name);
	add_types(&s, n);
	if (n->op == OP_CONV)
		add_conv(&s, n);
	else
		add_contract(&s, n);
	return s.data;
}

/* ---- the table ------------------------------------------------------------------------------------------------------------ */
tuning *tuning_new(arena *a)
{
	tuning *t = new(a, tuning);
	*t = (tuning){a, map_new_str(a)};
	return t;
}

bool tuning_has(const tuning *t, const char *problem)
{
	return map_has(t->entries, problem);
}

static entry *add_entry(tuning *t, const char *problem, const char *text)
{
	entry *e = new(t->a, entry);
	*e = (entry){.problem = arena_strndup(t->a, problem, strlen(problem)), .choice = text};
	map_put(t->entries, problem, e);
	return e;
}

void tuning_put(tuning *t, const char *problem, choice c)
{
	add_entry(t, problem, choice_text(t->a, c));
}

char *choice_text(arena *a, choice c)
{
	return c.vectors ? arena_printf(a, "%s vectors=%d", c.strategy->name, c.vectors) : arena_printf(a, "%s", c.strategy->name);
}

/* A strategy without a width means the first one listed with it: its own. */
static const choice *find_choice(arena *scratch, const char *text, const choice *all, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(text, all[i].strategy->name) || !strcmp(text, choice_text(scratch, all[i])))
			return &all[i];
	return NULL;
}

void tuning_choose(tuning *t, const node *n, pass_ctx *ctx, const choice *all, int count, choice *c)
{
	const char *problem = problem_of(ctx->scratch, n, ctx);
	entry *e = map_get(t->entries, problem);
	const choice *found = e ? find_choice(ctx->scratch, e->choice, all, count) : NULL;
	if (found)
		*c = *found;
	if (!e || found || e->told)
		return;
	e->told = true;
	const char *name = arena_strndup(ctx->scratch, e->choice, strcspn(e->choice, " "));
	if (strategy_find(name))
		diag_warning(ctx->d, DIAG_LINE(e->path, e->line, 0), "'%s' is no choice for this problem here", e->choice);
	else
		diag_warning(ctx->d, DIAG_LINE(e->path, e->line, 0), "there is no strategy '%s'", name);
	diag_note(ctx->d, "%s is computed by '%s'", n->src.name && *n->src.name ? n->src.name : problem, choice_text(ctx->scratch, *c));
}

/* ---- files ---------------------------------------------------------------------------------------------------------------- */
/* "STRATEGY" or "STRATEGY vectors=N"; whether it can be, prepack says. */
static bool is_choice(const char *text)
{
	static const char width[] = "vectors=";
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (!n || !text[n])
		return n > 0;
	const char *number = text + n + 1 + sizeof width - 1;
	return text[n] == ' ' && !strncmp(text + n + 1, width, sizeof width - 1) && *number >= '1' && *number <= '9' &&
	       !number[strspn(number, "0123456789")];
}

static bool is_problem(const char *text)
{
	size_t n = strcspn(text, " ");
	op o = op_find(text, n);
	return text[n] && (o == OP_CONV || o == OP_CONTRACT);
}

static void parse_line(tuning *t, const char *text, diag_at at, diag *d)
{
	const char *equal = strstr(text, " = ");
	const char *problem = equal ? arena_strndup(t->a, text, (size_t)(equal - text)) : text;
	const entry *before = map_get(t->entries, problem);
	if (!equal)
		diag_error(d, at, "expected PROBLEM = STRATEGY [vectors=N], found '%s'", text);
	else if (!is_problem(problem))
		diag_error(d, at, "expected a problem of conv or contract before '=', found '%s'", problem);
	else if (!is_choice(equal + 3))
		diag_error(d, at, "expected STRATEGY [vectors=N] behind '=', found '%s'", equal + 3);
	else if (before)
		diag_error(d, at, "the same problem as in line %d", before->line);
	else {
		entry *e = add_entry(t, problem, equal + 3);
		e->path = at.file;
		e->line = at.line;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool tuning_parse(tuning *t, const char *path, const char *text, size_t n, diag *d)
{
	int errors = diag_error_count(d), line = 1;
	const char *file = arena_strndup(t->a, path, strlen(path));
	for (const char *at = text, *end = text + n, *stop; at < end; at = stop + 1, line++) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		const char *from = at, *to = stop;
		while (from < to && is_space(*from))
			from++;
		while (to > from && is_space(to[-1]))
			to--;
		if (from < to && *from != '#')
			parse_line(t, arena_strndup(t->a, from, (size_t)(to - from)), DIAG_LINE(file, line, 0), d);
	}
	return diag_error_count(d) == errors;
}

bool tuning_read(tuning *t, const char *path, diag *d)
{
	file_data file;
	if (!file_map(path, &file, d))
		return false;
	bool ok = tuning_parse(t, path, (const char *)file.data, file.size, d);
	file_unmap(&file);
	return ok;
}

static int by_problem(const void *a, const void *b)
{
	const entry *const *x = a, *const *y = b;
	return strcmp((*x)->problem, (*y)->problem);
}

void tuning_print(str *out, const tuning *t, const char *head)
{
	int n = map_count(t->entries);
	const entry **sorted = new_array(t->a, const entry *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		sorted[i] = map_value_at(t->entries, i);
	qsort(sorted, (size_t)n, sizeof *sorted, by_problem);
	str_addf(out, "# %s\n", head);
	for (int i = 0; i < n; i++)
		str_addf(out, "%s = %s\n", sorted[i]->problem, sorted[i]->choice);
}
