/* Several programs as one model: for several CPUs, or for certain sizes beside all.
 *
 * Each is built in modules of its own, by its own CPU; the front, one more module, has what callers see and is for any CPU.  The
 * general program of the plainest CPU comes first: its signature is the model's. */
#include "backend/model.h"

#include <string.h>

const char *emit_variant_name(arena *a, const emit_variant *v)
{
	str name = str_new(a);
	str_add(&name, v->target->name);
	for (int i = 0; i < v->n_fixed; i++)
		str_addf(&name, "-%s_%lld", c_identifier(a, v->fixed[i].name), (long long)v->fixed[i].value);
	return name.data;
}

const program **variants_programs(arena *a, const program *p, const emit_options *o)
{
	const program **all = new_array(a, const program *, (size_t)o->n_also + 1);
	all[0] = p;
	for (int i = 0; i < o->n_also; i++)
		all[i + 1] = o->also[i].p;
	return all;
}

/* What every CPU of the architecture runs: the typed call comes before any check. */
static const target *plainest(const char *arch)
{
	for (int i = 0; i < target_count(); i++)
		if (!strcmp(target_at(i)->arch, arch))
			return target_at(i);
	bug("no target of %s", arch);
}

static void add_variant(variants *l, const build *front, const emit_variant *v, const char *symbol)
{
	arena *a = front->a;
	int k = l->n++;
	const variant *last = k ? &l->v[k - 1] : NULL;
	emit_options *o = new(a, emit_options);
	*o = *front->o;
	o->target = v->target;
	o->kernel_text_path = v->kernel_text_path;
	o->code_bytes = v->code_bytes;
	l->v[k] = (variant){
		.prefix = arena_printf(a, "%s.%s", symbol, emit_variant_name(a, v)), .p = v->p, .general = front->p, .target = v->target,
		.fixed = v->fixed, .n_fixed = v->n_fixed, .first_kernel = last ? last->first_kernel + last->p->kernels.n : 0,
	};
	l->of[k] = *front;
	l->of[k].p = v->p;
	l->of[k].o = o;
	l->of[k].of = &l->v[k];
}

void variants_init(variants *l, build *front, const char *symbol)
{
	const emit_options *o = front->o;
	*l = (variants){0};
	if (!o->n_also)
		return;
	l->v = new_array(front->a, variant, (size_t)o->n_also + 1);
	l->of = new_array(front->a, build, (size_t)o->n_also + 1);
	emit_variant first = {.p = front->p, .target = o->target, .kernel_text_path = o->kernel_text_path, .code_bytes = o->code_bytes};
	add_variant(l, front, &first, symbol);
	for (int i = 0; i < o->n_also; i++)
		add_variant(l, front, &o->also[i], symbol);
	emit_options *of_front = new(front->a, emit_options);
	*of_front = *o;
	of_front->target = plainest(o->target->arch);
	of_front->debug_info = false;
	of_front->code_bytes = NULL;
	front->o = of_front;
}

bool variants_build_modules(variants *l, build *front)
{
	bool ok = true;
	for (int k = 0; ok && k < l->n; k++)
		ok = build_modules(&l->of[k], false);
	return ok && build_front(front, l->v, l->n);
}

bool variants_build_code(variants *l, build *front)
{
	bool ok = build_code(front, true);
	for (int k = 0; ok && k < l->n; k++)
		ok = build_code(&l->of[k], true);
	return ok;
}

void variants_end(variants *l)
{
	for (int k = 0; k < l->n; k++)
		build_end(&l->of[k]);
}
