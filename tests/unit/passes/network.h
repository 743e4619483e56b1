/* Whole small graphs in the interpreter of tests/unit/ir/eval.h, so that a pass can be shown to keep what a graph computes. */
#pragma once

#include "tests/unit/ir/eval.h"

#include "passes/pass.h"

/* ---- constants ---------------------------------------------------------------------------------------------------- */
/* The product of the dims in the last "[a,b,...]" before `end`. */
static int elements_before(const char *text, const char *end)
{
	int n = 1;
	while (end > text && *end != '[')
		end--;
	for (char *at = (char *)(uintptr_t)end + 1; *at != ']'; at += *at == ',')
		n *= (int)strtol(at, &at, 10);
	return n;
}

/* Replaces each $ (behind "const %w: f32[2,3] = ") by a list of numbers that differ from neighbour to neighbour. */
static const char *with_numbers(arena *a, const char *text)
{
	str s = str_new(a);
	for (const char *at = text; *at; at++) {
		if (*at != '$') {
			str_addc(&s, *at);
			continue;
		}
		int n = elements_before(text, at);
		for (int i = 0; i < n; i++)
			str_addf(&s, "%s%d.%d", i ? ", " : "[", (i * 7 + (int)s.len) % 9, i % 2 ? 5 : 25);
		str_addc(&s, ']');
	}
	return s.data;
}

/* ---- running ------------------------------------------------------------------------------------------------------ */
static bool step_coord(world *w, const value *v, int64_t *at)
{
	for (int i = v->rank; i-- > 0;) {
		if (++at[i] < eval_sym(w, v->dims[i]))
			return true;
		at[i] = 0;
	}
	return false;
}

static double folded(world *w, const node *n, coord at)
{
	reduction r;
	elem_reduction(&w->e, n, at, &r);
	assert_false(r.arg);
	coord red = {.rank = r.n};
	int64_t extent[MAX_RANK], count = 1;
	for (int i = 0; i < r.n; i++) {
		red.i[i] = sym_loop(w->e.syms, "k", r.extent[i]);
		extent[i] = eval_sym(w, r.extent[i]);
		count *= extent[i];
	}
	const expr *term = r.term(&w->e, n, at, red);
	double acc = eval(w, r.init);
	int vars = w->n_vars;
	for (int64_t k = 0; k < count; k++) {
		int64_t rest = k;
		for (int i = r.n; i-- > 0; rest /= extent[i])
			push_var(w, red.i[i], rest % extent[i]);
		acc = apply(r.combine, r.type, (const double[]){acc, eval(w, term)});
		w->n_vars = vars;
	}
	return r.finish ? eval(w, r.finish(&w->e, n, at, expr_number(w->e.exprs, r.type, acc))) : acc;
}

static double element_of(world *w, const value *v, coord at)
{
	return op_table[v->def->op].form == FORM_REDUCE ? folded(w, v->def, at) : eval(w, elem_of_value(&w->e, v, at));
}

static void run_value(world *w, const value *v)
{
	slot *s = add_slot(w, v, NULL);
	const tensor *t = value_tensor(v);
	int64_t at[MAX_RANK] = {0};
	coord c = coord_of_dims(w->e.syms, v, "i");
	s->v = NULL; /* read by its own rule while it is computed */
	int vars = w->n_vars;
	for (int64_t i = 0; i < s->n; i++, step_coord(w, v, at)) {
		for (int k = 0; k < v->rank; k++)
			push_var(w, c.i[k], at[k]);
		s->data[i] = t ? (dtype_is_float(t->type) ? tensor_float(t, (size_t)i) : (double)tensor_int(t, (size_t)i))
			       : element_of(w, v, c);
		w->n_vars = vars;
	}
	s->v = v;
}

/* Computes every value; slots of inputs are there. */
static void run_graph(world *w)
{
	for_each_node(n, w->g)
		run_value(w, n->out[0]);
}

/* ---- passes ------------------------------------------------------------------------------------------------------- */
/* An evaluator for `fold`: f32 and i64 only. */
static bool evaluate_by_interpreter(void *user, const graph *g, arena *a, tensor **results, diag *d)
{
	(void)user;
	(void)d;
	world *w = new(a, world);
	w->a = a;
	w->g = (graph *)(uintptr_t)g;
	w->e = (elem){.a = a, .exprs = g->exprs, .syms = g->syms, .read = read_world, .user = w};
	assert_int_equal(g->inputs.n, 0);
	run_graph(w);
	for (int i = 0; i < g->outputs.n; i++) {
		const value *v = g->outputs.v[i];
		const slot *s = slot_of_value(w, v);
		int64_t dims[MAX_RANK], *ints = new_array(a, int64_t, (size_t)s->n + 1);
		float *floats = new_array(a, float, (size_t)s->n + 1);
		for (int k = 0; k < v->rank; k++)
			dims[k] = sym_value(v->dims[k]);
		for (int64_t k = 0; k < s->n; k++) {
			floats[k] = (float)s->data[k];
			ints[k] = v->type == I64 ? (int64_t)s->data[k] : 0;
		}
		assert_true(v->type == F32 || v->type == I64);
		results[i] = tensor_new(a, v->type, v->rank, dims, v->type == F32 ? (void *)floats : (void *)ints);
	}
	return true;
}

static void assert_verified(const graph *g)
{
	arena *scratch = arena_new("verify");
	const char *why = "";
	if (!graph_verify(g, scratch, &why))
		fail_msg("%s", why);
	arena_free(scratch);
}

static bool run_pass(arena *a, graph *g, bool (*pass)(graph *g, pass_ctx *ctx))
{
	pass_ctx ctx = {.scratch = a, .model = a, .opt = 3, .evaluate = evaluate_by_interpreter, .d = diag_new(a, stderr)};
	bool changed = pass(g, &ctx);
	assert_int_equal(diag_error_count(ctx.d), 0);
	assert_verified(g);
	return changed;
}

static int count_op(const graph *g, op o)
{
	int n = 0;
	for_each_node(x, g)
		n += x->op == o;
	return n;
}

static int count_nodes(const graph *g)
{
	int n = 0;
	for_each_node(x, g)
		n += x->op != OP_CONST;
	return n;
}

static const char *text_of(arena *a, const graph *g)
{
	str s = str_new(a);
	graph_print(&s, g, (print_options){.max_const = 8});
	return s.data;
}

/* Both worlds have computed the same outputs. */
static void assert_same_outputs(world *before, world *after, const char *text)
{
	for (int k = 0; k < before->g->outputs.n; k++) {
		const slot *x = slot_of_value(before, before->g->outputs.v[k]), *y = slot_of_value(after, after->g->outputs.v[k]);
		assert_int_equal(x->n, y->n);
		for (int64_t i = 0; i < x->n; i++)
			if (!(fabs(x->data[i] - y->data[i]) <= 1e-4 * (1 + fabs(x->data[i]))))
				fail_msg("%s\nbecame\n%s\noutput %d [%lld] was %g, is %g", text, text_of(after->a, after->g), k,
					 (long long)i, x->data[i], y->data[i]);
	}
}
