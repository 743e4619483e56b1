/* The machines that code is made for.
 *
 * Several in one object are in the order of the target table, however they were given: the runtime takes the last one that the
 * machine can run, so each must need something that those behind it do not, or it would never run. */
#include "driver/cpus.h"

#include "backend/backend.h"
#include "runtime/dlrt.h"

#include <string.h>

/* "aarch64" of "aarch64-linux-gnu", by the names of the target table. */
static const char *arch_of_triple(arena *a, const char *triple)
{
	const char *arch = arena_strndup(a, triple, strcspn(triple, "-"));
	if (!strcmp(arch, "arm64"))
		return "aarch64";
	return !strcmp(arch, "amd64") ? "x86_64" : arch;
}

/* NULL: the default for the architecture.  Without errors the target is not NULL. */
static const target *find_cpu(const options *o, const char *cpu, diag *d)
{
	const char *arch = o->triple ? arch_of_triple(o->a, o->triple) : target_find("native")->arch;
	const target *t = cpu ? target_find(cpu) : target_default(arch);
	if (!t) {
		diag_error(d, DIAG_NOWHERE, cpu ? "unknown CPU '%s'" : "no target for the architecture '%s'", cpu ? cpu : arch);
		diag_hint(d, "dlcc --help-targets lists them");
	} else if (o->triple && strcmp(t->arch, arch)) {
		diag_error(d, DIAG_NOWHERE, "the CPU %s is %s, but --target says %s", t->name, t->arch, o->triple);
		t = NULL;
	}
	return t;
}

/* What the runtime checks of a feature; 0: it knows none of that name, as of those that only tune. */
static uint64_t bit_of(const char *name, size_t n)
{
	static const struct { const char *name; int bit; } known[] = {
#define FEATURE(member, number, text) {text, number},
		DLRT_CPU_FEATURES(FEATURE)
#undef FEATURE
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].name) == n && !memcmp(known[i].name, name, n))
			return UINT64_C(1) << known[i].bit;
	return 0;
}

/* `required` with what "+a,-b" adds and takes away. */
static uint64_t required_with(uint64_t required, const char *features)
{
	for (const char *at = features; *at;) {
		size_t n = strcspn(at, ",");
		uint64_t bit = n ? bit_of(at + 1, n - 1) : 0;
		required = *at == '-' ? required & ~bit : required | bit;
		at += n + (at[n] == ',');
	}
	return required;
}

/* A copy of the row with --features behind its own. */
static const target *with_features(const options *o, const target *t)
{
	target *changed = new(o->a, target);
	*changed = *t;
	changed->features = *t->features ? arena_printf(o->a, "%s,%s", t->features, o->features) : o->features;
	changed->required = required_with(t->required, o->features);
	return changed;
}

/* Rows of one table. */
static void insert_by_row(const options *o, cpu_list *l, const target *t)
{
	vec_push(o->a, l, t);
	for (int i = l->n - 1; i > 0 && l->v[i] < l->v[i - 1]; i--) {
		l->v[i] = l->v[i - 1];
		l->v[i - 1] = t;
	}
}

static void find_cpus(const options *o, cpu_list *l, const char *text, diag *d)
{
	for (const char *at = text, *comma; at; at = comma ? comma + 1 : NULL) {
		comma = strchr(at, ',');
		const target *t = find_cpu(o, arena_strndup(o->a, at, strcspn(at, ",")), d);
		if (t)
			insert_by_row(o, l, t);
	}
}

/* Two neighbours, `b` the richer. */
static void check_pair(const target *a, const target *b, diag *d)
{
	if (a == b)
		diag_error(d, DIAG_NOWHERE, "--cpu names %s twice", a->name);
	else if (strcmp(a->arch, b->arch))
		diag_error(d, DIAG_NOWHERE, "--cpu: %s is %s, but %s is %s", a->name, a->arch, b->name, b->arch);
	else if (!(b->required & ~a->required))
		diag_error(d, DIAG_NOWHERE, "--cpu: code for %s would never run beside that for %s, which needs no more", a->name, b->name);
}

static void check_several(const options *o, const cpu_list *l, diag *d)
{
	for (int i = 0; i < l->n; i++)
		for (int k = i + 1; k < l->n; k++)
			check_pair(l->v[i], l->v[k], d);
	if (l->n > 1 && o->features)
		diag_error(d, DIAG_NOWHERE, "--features is for one CPU, but --cpu names several");
}

/* The one that the runtime would take; none: the plainest, and the runtime says what is missing. */
static const target *choose_here(const cpu_list *l)
{
	int i = l->n - 1;
	while (i > 0 && (l->v[i]->required & ~dlrt_cpu_features()))
		i--;
	return l->v[i];
}

cpu_list cpus_of(const options *o, diag *d)
{
	cpu_list l = {0};
	int errors = diag_error_count(d);
	if (o->cpu)
		find_cpus(o, &l, o->cpu, d);
	else
		vec_push(o->a, &l, find_cpu(o, o->triple || o->command == COMMAND_COMPILE ? NULL : "native", d));
	check_several(o, &l, d);
	if (diag_error_count(d) != errors)
		return (cpu_list){0};
	if (o->command != COMMAND_COMPILE) {
		l.v[0] = choose_here(&l);
		l.n = 1;
	}
	if (o->features)
		l.v[0] = with_features(o, l.v[0]);
	return l;
}
