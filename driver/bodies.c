#include "driver/bodies.h"

#include "support/str.h"

#include <inttypes.h>

enum { MAX_SPECIAL = 16 }; /* bodies for certain sizes */

/* ---- which there are ------------------------------------------------------------------------------------------------ */
/* Saturates: nobody wants so many. */
int bodies_sizes(const dim_range *dims, int n_dims)
{
	int64_t n = 0;
	for (int i = 0; i < n_dims; i++)
		if (dims[i].n_values)
			n = (n ? n : 1) * dims[i].n_values > INT16_MAX ? INT16_MAX : (n ? n : 1) * dims[i].n_values;
	return (int)n;
}

bool bodies_check(const dim_range *dims, int n_dims, int n_cpus, diag *d)
{
	int sizes = bodies_sizes(dims, n_dims);
	if (sizes * n_cpus <= MAX_SPECIAL)
		return true;
	if (n_cpus > 1)
		diag_error(d, DIAG_NOWHERE, "the values of --dim have %d combinations, which makes %d bodies for %d CPUs; at most %d are possible",
		           sizes, sizes * n_cpus, n_cpus, MAX_SPECIAL);
	else
		diag_error(d, DIAG_NOWHERE, "the values of --dim have %d combinations; at most %d are possible", sizes, MAX_SPECIAL);
	return false;
}

/* Combination k, the last dim the fastest. */
static fixed_dim *combination(arena *a, const dim_range *dims, int n_dims, int k)
{
	fixed_dim *fixed = new_array(a, fixed_dim, (size_t)n_dims + 1);
	int at = 0;
	for (int i = 0; i < n_dims; i++)
		at += dims[i].n_values > 0;
	for (int i = n_dims - 1; i >= 0; i--) {
		if (!dims[i].n_values)
			continue;
		fixed[--at] = (fixed_dim){dims[i].name, dims[i].values[k % dims[i].n_values]};
		k /= dims[i].n_values;
	}
	return fixed;
}

static int count_listed(const dim_range *dims, int n_dims)
{
	int n = 0;
	for (int i = 0; i < n_dims; i++)
		n += dims[i].n_values > 0;
	return n;
}

body *bodies_of(arena *a, const target *const *cpus, int n_cpus, const dim_range *dims, int n_dims)
{
	int sizes = bodies_sizes(dims, n_dims), listed = count_listed(dims, n_dims);
	body *b = new_array(a, body, (size_t)n_cpus * ((size_t)sizes + 1));
	for (int i = 0; i < n_cpus; i++) {
		b[i * (sizes + 1)] = (body){.target = cpus[i]};
		for (int k = 0; k < sizes; k++)
			b[i * (sizes + 1) + 1 + k] = (body){.target = cpus[i], .fixed = combination(a, dims, n_dims, k), .n_fixed = listed};
	}
	return b;
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */
const char *body_sizes(arena *a, const body *b)
{
	str s = str_new(a);
	for (int i = 0; i < b->n_fixed; i++)
		str_addf(&s, "%s%s = %" PRId64, i ? ", " : "", b->fixed[i].name, b->fixed[i].value);
	return b->n_fixed ? s.data : NULL;
}

const char *body_title(arena *a, const body *b)
{
	const char *sizes = body_sizes(a, b);
	return sizes ? arena_printf(a, "%s, %s", b->target->name, sizes) : b->target->name;
}

const char *body_name(arena *a, const body *b)
{
	return emit_variant_name(a, &(emit_variant){.target = b->target, .fixed = b->fixed, .n_fixed = b->n_fixed});
}

/* ---- symbols -------------------------------------------------------------------------------------------------------- */
typedef struct search {
	const sym *dim;
	bool found;
} search;

static void find_binding(step *s, void *user)
{
	search *of = user;
	of->found |= (s->kind == STEP_BIND || s->kind == STEP_LOOP) && s->symbol == of->dim;
}

/* Does it get its value during a run? */
static bool is_bound(const program *p, const sym *dim)
{
	search of = {dim, false};
	steps_walk(&p->steps, find_binding, &of);
	return of.found;
}

void body_keep_symbols(program *p, const program *general)
{
	vec(sym *) inner = {0};
	for (int i = 0; i < p->dims.n; i++)
		if (is_bound(p, p->dims.v[i]))
			vec_push(p->a, &inner, p->dims.v[i]);
	p->dims.n = 0;
	for (int i = 0; i < general->dims.n; i++)
		if (!is_bound(general, general->dims.v[i]))
			vec_push(p->a, &p->dims, general->dims.v[i]);
	for (int i = 0; i < inner.n; i++)
		vec_push(p->a, &p->dims, inner.v[i]);
}
