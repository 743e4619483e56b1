#include "driver/run_sizes.h"

typedef struct size_box {
	int64_t value;
	bool exact;
} size_box;

struct run_sizes {
	arena *a;
	map *boxes; /* by symbol */
};

static bool value_of(const sym *var, int64_t *out, void *user)
{
	const size_box *box = map_get(user, var);
	if (box)
		*out = box->value;
	return box != NULL;
}

static bool is_estimate(const sym *var, void *user)
{
	const size_box *box = map_get(user, var);
	return !box || !box->exact;
}

bool run_size(const run_sizes *r, const sym *s, int64_t *value)
{
	return s && sym_eval(s, value_of, r->boxes, value);
}

static bool is_exact(const run_sizes *r, const sym *s) { return !sym_any_var(s, is_estimate, r->boxes); }

static void put(run_sizes *r, const sym *var, int64_t value, bool exact)
{
	size_box *box = new(r->a, size_box);
	*box = (size_box){value, exact};
	if (var->kind == SYM_VAR)
		map_put(r->boxes, var, box);
}

static run_sizes *new_sizes(arena *a)
{
	run_sizes *r = new(a, run_sizes);
	*r = (run_sizes){a, map_new(a)};
	return r;
}

run_sizes *run_sizes_static(arena *a, const program *p)
{
	run_sizes *r = new_sizes(a);
	for (int i = 0; i < p->dims.n; i++)
		if (p->dims.v[i]->hi < INT64_MAX)
			put(r, p->dims.v[i], p->dims.v[i]->hi, false);
	return r;
}

/* An output that was not reached, or not asked for, has no type. */
static void take_ports(run_sizes *r, const port *ports, const dlrt_tensor *tensors, int n)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; tensors[i].type != DLRT_UNDEFINED && k < ports[i].rank; k++)
			if (tensors[i].dims[k] >= 0 && !map_has(r->boxes, ports[i].dims[k]))
				put(r, ports[i].dims[k], tensors[i].dims[k], true);
}

/* Symbols that get their values while running. */
static void take_step(step *s, void *user)
{
	run_sizes *r = user;
	int64_t n;
	if (!s->symbol || s->symbol->kind != SYM_VAR || map_has(r->boxes, s->symbol))
		return;
	if (s->kind == STEP_BIND && run_size(r, s->value, &n))
		put(r, s->symbol, n, is_exact(r, s->value));
	else if (s->kind == STEP_LOOP && run_size(r, s->trip, &n))
		put(r, s->symbol, n > 0 ? (n - 1) / 2 : 0, n <= 1);
	else if (run_size(r, s->symbol->below, &n))
		put(r, s->symbol, n > 0 ? n - 1 : 0, false);
	else if (s->symbol->hi < INT64_MAX)
		put(r, s->symbol, s->symbol->hi, false);
}

run_sizes *run_sizes_of(arena *a, const program *p, const dlrt_tensor *inputs, const dlrt_tensor *outputs)
{
	run_sizes *r = new_sizes(a);
	take_ports(r, p->inputs.v, inputs, p->inputs.n);
	take_ports(r, p->outputs.v, outputs, p->outputs.n);
	steps_walk(&p->steps, take_step, r);
	return r;
}

work run_work(const run_sizes *r, const kernel *k)
{
	int64_t flops, bytes;
	if (!run_size(r, k->flops, &flops) || !run_size(r, k->bytes, &bytes))
		return (work){0};
	return (work){(double)flops, (double)bytes, true, is_exact(r, k->flops) && is_exact(r, k->bytes)};
}
