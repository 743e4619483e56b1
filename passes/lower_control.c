/* Control flow to steps.
 *
 *       %y, %ys = loop %h, %x {trip=[N], index=[i], carried=1, stack=[0]} body (%h, %x) -> (%h1) { %h1 = ... }
 *   =>  loop i < N carry %h from %h0 next %h1 to %y { @kernel(%x, %h, %h1) }        part %h1 of %ys at 64*i
 *
 * A branch writes its results where the node's results are; a loop writes stacked outputs where they will stay.  The inputs of a
 * region are read as what they stand for.  A carried value is never copied: the body reads where the iteration before wrote, which is
 * a part of the stacked result if there is one, else one of two places in turn. */
#include "passes/lower.h"

const value *value_outside(const lowering *lw, const value *v)
{
	for (const value *outer; !v->def && (outer = map_get(lw->outer, v)); v = outer)
		;
	return v;
}

/* Steps of region r go to `to`. */
static void lower_region(lowering *lw, node *n, int r, step_list *to)
{
	step_list *around = lw->steps;
	lw->steps = to;
	lower_nodes(lw, n->regions[r]);
	lw->steps = around;
}

static void stand_for_operands(lowering *lw, const node *n, int r)
{
	const graph *g = n->regions[r];
	for (int i = 0; i < g->inputs.n; i++)
		if (!region_input_is_carried(n, i))
			map_put(lw->outer, g->inputs.v[i], region_operand(n, r, i));
}

/* ---- conditions -------------------------------------------------------------------------------------------------------- */
static bool has_no_value_yet(const sym *var, void *user) { return !map_has(user, var); }
static bool is_bound_in_run(const sym *var, void *user)
{
	(void)user;
	return sym_is_inner(var);
}

static void lower_condition(lowering *lw, const condition *c)
{
	bool before_all = lw->steps == &lw->p->steps && !condition_any_var(c, is_bound_in_run, NULL);
	if (before_all)
		vec_push(lw->a, &lw->p->assumed, *c);
	else
		vec_push(lw->a, lw->steps, ((step){.kind = STEP_ASSUME, .assumed = *c}));
}

/* One about symbols that never get a value is about nodes that are gone. */
void lower_conditions(lowering *lw, const graph *g, map *done)
{
	for (int i = 0; i < g->assumed.n; i++) {
		const condition *c = &g->assumed.v[i];
		const void *key = (const void *)((uintptr_t)i + 1);
		if (map_has(done, key) || condition_any_var(c, has_no_value_yet, lw->dims))
			continue;
		map_put(done, key, lw);
		lower_condition(lw, c);
	}
}

/* ---- bind -------------------------------------------------------------------------------------------------------------- */
static void lower_bind(lowering *lw, const node *n)
{
	step s = {.kind = STEP_BIND, .symbol = node_syms(n, "symbol", NULL)[0], .from = storage_of(lw, n->in[0])};
	add_dim(lw, s.symbol);
	vec_push(lw->a, lw->steps, s);
}

/* ---- if ---------------------------------------------------------------------------------------------------------------- */
/* Moves the steps from `from` on before the calls right ahead of them: behind the last step that may give a symbol its value. */
static void move_behind_binds(arena *a, step_list *to, int from)
{
	int at = from;
	step_list moved = {0};
	while (at > 0 && to->v[at - 1].kind == STEP_CALL)
		at--;
	for (int i = from; i < to->n; i++)
		vec_push(a, &moved, to->v[i]);
	for (int i = from; i-- > at;)
		to->v[i + moved.n] = to->v[i];
	for (int i = 0; i < moved.n; i++)
		to->v[at + i] = moved.v[i];
}

/* Binds the sizes in which the branches differ to those of this one: as soon as these are known, so that the kernels that write the
 * results find their sizes. */
static void bind_sizes(lowering *lw, const node *n, const graph *branch, step_list *to)
{
	int n_sizes, used = 0, from = to->n;
	sym *const *sizes = node_syms(n, "sizes", &n_sizes);
	for (int i = 0; i < n->n_out; i++) {
		const value *v = branch->outputs.v[i];
		for (int k = 0; k < v->rank && used < n_sizes; k++) {
			if (n->out[i]->dims[k] != sizes[used])
				continue;
			step s = {.kind = STEP_BIND, .symbol = sizes[used++], .value = v->dims[k]};
			add_dim(lw, s.symbol);
			vec_push(lw->a, to, s);
		}
	}
	move_behind_binds(lw->a, to, from);
}

static void lower_branch(lowering *lw, node *n, int r, step_list *to)
{
	const graph *g = n->regions[r];
	stand_for_operands(lw, n, r);
	for (int i = 0; i < n->n_out; i++)
		map_put(lw->storages, g->outputs.v[i], storage_of(lw, n->out[i]));
	lower_region(lw, n, r, to);
	bind_sizes(lw, n, g, to);
}

static void lower_if(lowering *lw, node *n)
{
	step s = {.kind = STEP_IF, .from = storage_of(lw, n->in[0])};
	lower_branch(lw, n, 0, &s.body);
	lower_branch(lw, n, 1, &s.otherwise);
	vec_push(lw->a, lw->steps, s);
}

/* ---- loop -------------------------------------------------------------------------------------------------------------- */
static storage *part_of(lowering *lw, const value *v, storage *whole, sym *start)
{
	storage *s = storage_new(lw->p, v->name, STORAGE_PART, v->type, value_size(v));
	bool nested = whole->kind == STORAGE_PART;
	s->whole = nested ? whole->whole : whole;
	s->start = nested ? sym_add(whole->start, start) : start;
	map_put(lw->storages, v, s);
	return s;
}

/* The place of a stacked output in iteration i. */
static void place_stacked(lowering *lw, const node *n, const step *s, int at, int output, bool reverse)
{
	const value *v = n->regions[0]->outputs.v[output];
	sym *i = reverse ? sym_sub(sym_addi(s->trip, -1), s->symbol) : s->symbol;
	part_of(lw, v, storage_of(lw, n->out[at]), sym_mul(i, value_size(v)));
}

/* Two places in turn, each from a cache line on when the size is constant. */
static void place_in_turn(lowering *lw, const step *s, const value *v)
{
	int64_t elements;
	sym *size = value_size(v);
	if (sym_is_const(size, &elements))
		size = sym_const(lw->p->syms, (elements + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN);
	storage *pair = storage_new(lw->p, v->name, STORAGE_ARENA, v->type, sym_muli(size, 2));
	part_of(lw, v, pair, sym_mul(sym_modi(s->symbol, 2), size));
}

static storage *result_or_null(lowering *lw, const value *v) { return v->n_uses ? storage_of(lw, v) : NULL; }

static void add_carries(lowering *lw, const node *n, step *s)
{
	const graph *body = n->regions[0];
	int carried = (int)node_int(n, "carried", 0), is_while = s->from != NULL;
	for (int i = 0; i < carried; i++) {
		const value *v = body->inputs.v[i], *next = body->outputs.v[is_while + i];
		storage *current = storage_new(lw->p, v->name, STORAGE_CARRIED, v->type, value_size(v));
		map_put(lw->storages, v, current);
		if (!map_has(lw->storages, next))
			place_in_turn(lw, s, next);
		carry c = {.current = current, .from = storage_of(lw, region_operand(n, 0, i)), .next = storage_of(lw, next),
		           .result = result_or_null(lw, n->out[i])};
		vec_push(lw->a, &s->carried, c);
	}
}

static void lower_loop(lowering *lw, node *n)
{
	int n_stack, carried = (int)node_int(n, "carried", 0), is_while = (int)node_int(n, "while", 0);
	const int64_t *stack = node_ints(n, "stack", &n_stack), *reverse = node_ints(n, "reverse", NULL);
	step s = {.kind = STEP_LOOP, .symbol = node_syms(n, "index", NULL)[0]};
	s.trip = node_attr(n, "trip") ? node_syms(n, "trip", NULL)[0] : NULL;
	s.from = is_while ? storage_of(lw, n->in[0]) : NULL;
	s.count = is_while ? result_or_null(lw, n->out[n->n_out - 1]) : NULL;
	add_dim(lw, s.symbol);
	stand_for_operands(lw, n, 0);
	for (int i = 0; i < n_stack; i++)
		place_stacked(lw, n, &s, carried + i, is_while + (int)stack[i], reverse[i] != 0);
	add_carries(lw, n, &s);
	s.go_on = is_while ? storage_of(lw, n->regions[0]->outputs.v[0]) : NULL;
	lower_region(lw, n, 0, &s.body);
	vec_push(lw->a, lw->steps, s);
}

void lower_control(lowering *lw, node *n)
{
	switch ((int)n->op) {
	case OP_BIND: lower_bind(lw, n); break;
	case OP_IF: lower_if(lw, n); break;
	case OP_LOOP: lower_loop(lw, n); break;
	default: break; /* constants take no step */
	}
}
