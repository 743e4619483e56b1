/* Arithmetic and checks of sliding windows: see window.h. */
#include "ir/ops/window.h"

window window_of(const node *n, int s, sym *o, sym *out, sym *k, sym *kernel, sym *in)
{
	int count;
	return (window){
		.o = o,
		.out = out,
		.k = sym_is(kernel, 1) ? sym_const(o->ctx, 0) : k,
		.kernel = kernel,
		.in = in,
		.lo = node_syms(n, "lo", &count)[s],
		.stride = node_ints(n, "strides", &count)[s],
		.dilation = node_ints(n, "dilations", &count)[s],
	};
}

static sym *tap_at(const window *w, sym *o, sym *k)
{
	return sym_add(sym_sub(sym_muli(o, w->stride), w->lo), sym_muli(k, w->dilation));
}

sym *window_tap(const window *w) { return tap_at(w, w->o, w->k); }

/* Each side is proved by the tap's own range, or by the first and last tap of all windows, which lie in the corners. */
const expr *window_inside(elem *e, const window *w)
{
	sym *tap = window_tap(w), *zero = sym_const(e->syms, 0);
	sym *last = tap_at(w, sym_addi(w->out, -1), sym_addi(w->kernel, -1));
	const expr *from = sym_proves_ge(zero, w->lo) ? NULL : elem_lt(e, sym_const(e->syms, -1), tap);
	const expr *to = sym_proves_lt(last, w->in) ? NULL : elem_lt(e, tap, w->in);
	return elem_and(e, from, to);
}

/* Taps k with -before <= start + k*d < in + after are those from ceil((-before - start) / d) up to, not including,
 * ceil((in + after - start) / d), cut to 0 .. kernel. */
sym *window_count(const window *w, sym *before, sym *after)
{
	sym *zero = sym_const(w->o->ctx, 0), *d = sym_const(w->o->ctx, w->dilation);
	sym *start = tap_at(w, w->o, zero), *last = tap_at(w, sym_addi(w->out, -1), sym_addi(w->kernel, -1));
	sym *first = sym_proves_ge(before, w->lo) ? zero
						  : sym_max(zero, sym_ceildiv(sym_neg(sym_add(before, start)), d));
	sym *limit = sym_add(w->in, after);
	sym *end = sym_proves_lt(last, limit) ? w->kernel
					      : sym_min(w->kernel, sym_ceildiv(sym_sub(limit, start), d));
	return sym_sub(end, first);
}

bool rule_window(node *n, const char **why, int spatial)
{
	return rule_ints_or(n, why, "strides", spatial, 1, 1) && rule_ints_or(n, why, "dilations", spatial, 1, 1) &&
	       rule_syms_or(n, why, "lo", spatial, -INT32_MAX, 0);
}

bool rule_window_shape(node *n, const char **why, int n_lead, sym *const *lead, int spatial)
{
	int count;
	sym *dims[MAX_RANK];
	if (!rule_syms(n, why, "shape", -1, 0))
		return false;
	sym *const *shape = node_syms(n, "shape", &count);
	if (count != spatial && count != n_lead + spatial)
		return rule_refuse(n, why, "shape has %d entries, needs %d or %d", count, n_lead + spatial, spatial);
	for (int i = 0; i < n_lead; i++) {
		dims[i] = count == spatial ? lead[i] : dim_agree(n, lead[i], shape[i]);
		if (!dims[i])
			return rule_refuse(n, why, "shape has %s on axis %d, must be %s", sym_text(n, shape[i]), i,
					   sym_text(n, lead[i]));
	}
	for (int i = 0; i < spatial; i++)
		dims[n_lead + i] = shape[count - spatial + i];
	if (count == spatial)
		node_set_attr(n, attr_of_syms(n->graph, "shape", dims, n_lead + spatial));
	return true;
}
