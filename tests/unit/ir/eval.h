/* An interpreter for expressions and kernels over small tensors, for tests of the ops' rules.
 *
 * Numbers are doubles (f32 results are rounded to float).  Every load that is executed is checked against its buffer, so
 * a missing guard fails the test; a choose evaluates its chosen side only.  Model symbols have fixed values by name. */
#pragma once

#include "tests/unit/unit.h"

#include "ir/elem.h"
#include "ir/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_SLOTS = 256 };

typedef struct slot { /* a value with its data */
	const value *v;
	buffer *b;
	double *data;
	int64_t n;
} slot;

typedef struct world {
	arena *a;
	graph *g;
	elem e;
	slot slots[WORLD_SLOTS];
	int n_slots;
	const sym *vars[WORLD_SLOTS];
	int64_t var_values[WORLD_SLOTS];
	int n_vars;
	const local *locals[WORLD_SLOTS];
	double local_values[WORLD_SLOTS];
	int n_locals;
} world;

static const struct symbol {
	const char *name;
	int64_t value;
} symbols[] = {{"U", 1}, {"B", 2}, {"S", 3}, {"N", 4}, {"M", 5}, {"H", 6}, {"Z", 0}};

static double eval(world *w, const expr *e);

static bool eval_var(const sym *var, int64_t *result, void *user)
{
	world *w = user;
	if (var->role == SYM_SCALAR) {
		*result = (int64_t)eval(w, var->scalar);
		assert_true(*result >= var->lo && *result <= var->hi);
		return true;
	}
	for (int i = w->n_vars; i-- > 0;)
		if (w->vars[i] == var) {
			*result = w->var_values[i];
			return true;
		}
	for (size_t i = 0; i < N_ROWS(symbols); i++)
		if (var->role == SYM_DIM && strcmp(symbols[i].name, var->name) == 0) {
			*result = symbols[i].value;
			return true;
		}
	fail_msg("unknown variable %s", var->name);
	return false;
}

static int64_t eval_sym(world *w, const sym *s)
{
	int64_t x = 0;
	assert_true(sym_eval(s, eval_var, w, &x));
	return x;
}

static int push_var(world *w, const sym *var, int64_t x)
{
	assert_true(w->n_vars < WORLD_SLOTS);
	w->vars[w->n_vars] = var;
	w->var_values[w->n_vars] = x;
	return w->n_vars++;
}

static slot *slot_of(world *w, const buffer *b)
{
	for (int i = 0; i < w->n_slots; i++)
		if (w->slots[i].b == b)
			return &w->slots[i];
	fail_msg("unknown buffer");
	return NULL;
}

static double *element(world *w, const buffer *b, const sym *index)
{
	slot *s = slot_of(w, b);
	int64_t i = eval_sym(w, index);
	if (i < 0 || i >= s->n)
		fail_msg("%s[%lld] is outside its %lld elements", b->name, (long long)i, (long long)s->n);
	return &s->data[i];
}

static int find_local(world *w, const local *l)
{
	for (int i = 0; i < w->n_locals; i++)
		if (w->locals[i] == l)
			return i;
	assert_true(w->n_locals < WORLD_SLOTS);
	w->locals[w->n_locals] = l;
	return w->n_locals++;
}

static double convert(double x, dtype to)
{
	if (to == F32)
		return (float)x;
	if (to == BOOL)
		return x != 0;
	return dtype_is_float(to) ? x : isnan(x) ? 0 : trunc(x);
}

static double apply(expr_op what, dtype t, const double *x)
{
	bool is_int = !dtype_is_float(t);
	switch ((int)what) {
	case EXPR_NEG: return -x[0];
	case EXPR_ABS: return fabs(x[0]);
	case EXPR_NOT: return t == BOOL ? !x[0] : (double)~(int64_t)x[0];
	case EXPR_FLOOR: return floor(x[0]);
	case EXPR_CEIL: return ceil(x[0]);
	case EXPR_ISNAN: return isnan(x[0]);
	case EXPR_ADD: return x[0] + x[1];
	case EXPR_SUB: return x[0] - x[1];
	case EXPR_MUL: return x[0] * x[1];
	case EXPR_DIV: return is_int ? (x[1] == 0 ? 0 : trunc(x[0] / x[1])) : x[0] / x[1];
	case EXPR_MIN: return x[0] < x[1] ? x[0] : x[1];
	case EXPR_MAX: return x[0] > x[1] ? x[0] : x[1];
	case EXPR_AND: return (double)((int64_t)x[0] & (int64_t)x[1]);
	case EXPR_OR: return (double)((int64_t)x[0] | (int64_t)x[1]);
	case EXPR_EQ: return x[0] == x[1];
	case EXPR_NE: return x[0] != x[1];
	case EXPR_LT: return x[0] < x[1];
	case EXPR_LE: return x[0] <= x[1];
	case EXPR_GT: return x[0] > x[1];
	case EXPR_GE: return x[0] >= x[1];
	case EXPR_FMA: return x[0] * x[1] + x[2];
	default: fail_msg("the interpreter lacks %s", expr_op_table[what].name);
	}
	return 0;
}

static double eval(world *w, const expr *e)
{
	double x[3];
	switch ((int)e->op) {
	case EXPR_CONST: return dtype_is_float(e->type) ? e->f : (double)e->i;
	case EXPR_INDEX: return (double)eval_sym(w, e->index);
	case EXPR_LOAD: return *element(w, e->buffer, e->index);
	case EXPR_LOCAL: return w->local_values[find_local(w, e->local)];
	case EXPR_CAST: return convert(eval(w, e->in[0]), e->type);
	case EXPR_SELECT:
		for (int i = 0; i < 3; i++)
			x[i] = eval(w, e->in[i]);
		return x[0] != 0 ? x[1] : x[2];
	case EXPR_CHOOSE: return eval(w, e->in[0]) != 0 ? eval(w, e->in[1]) : eval(w, e->in[2]);
	default: break;
	}
	for (int i = 0; i < e->n_in; i++)
		x[i] = eval(w, e->in[i]);
	double y = apply(e->op, e->in[0]->type, x);
	return e->type == F32 ? (float)y : y;
}

/* ---- worlds ------------------------------------------------------------------------------------------------------- */
static int64_t eval_size(world *w, const value *v)
{
	int64_t n = 1;
	for (int i = 0; i < v->rank; i++)
		n *= eval_sym(w, v->dims[i]);
	return n;
}

static slot *add_slot(world *w, const value *v, buffer *b)
{
	assert_true(w->n_slots < WORLD_SLOTS);
	slot *s = &w->slots[w->n_slots++];
	s->v = v;
	s->n = eval_size(w, v);
	s->data = new_array(w->a, double, (size_t)s->n + 1);
	s->b = b;
	if (!b) {
		s->b = new(w->a, buffer);
		s->b->name = v->name ? v->name : "t";
		s->b->type = v->type;
		s->b->size = value_size(v);
	}
	return s;
}

static slot *slot_of_value(world *w, const value *v)
{
	for (int i = 0; i < w->n_slots; i++)
		if (w->slots[i].v == v)
			return &w->slots[i];
	return NULL;
}

/* Values with data are loaded; all others are computed in place. */
static const expr *read_world(elem *e, const value *v, coord at)
{
	slot *s = slot_of_value(e->user, v);
	return s ? expr_load(e->exprs, s->b, coord_linear(v, at)) : elem_of_value(e, v, at);
}

/* Inputs get numbers that differ from neighbour to neighbour; integer inputs are taken from `ints` in turn. */
static world *world_new(arena *a, const char *text, const double *ints)
{
	world *w = new(a, world);
	w->a = a;
	diag *d = diag_new(a, stderr);
	w->g = graph_parse(a, "test.ir", text, strlen(text), d);
	assert_non_null(w->g);
	w->e = (elem){.a = a, .exprs = w->g->exprs, .syms = w->g->syms, .read = read_world, .user = w};
	for (int k = 0; k < w->g->inputs.n; k++) {
		slot *s = add_slot(w, w->g->inputs.v[k], NULL);
		for (int64_t i = 0; i < s->n; i++)
			s->data[i] = dtype_is_float(s->v->type) || !ints ? (double)((i * 7 + k * 5) % 23) - 11 + 0.25 * (double)(i % 3)
								: *ints++;
	}
	return w;
}
