/* Graph IR to kernel IR: one kernel per group of the fused graph, one storage per value that lives in memory.
 *
 *   requires places and groups (fuse; without it every node is a group of its own)
 *   before:  %2 = conv %0, %1 @local @group %3      after:  kernel @conv1+relu1(...) { ... }  and a step in `run`
 *            %3 = map %2 { max(%0, 0.0) }
 * Nothing is decided here but schedules: where a value lives was fixed by places, how its bytes lie by layouts. */
#include "passes/lower.h"

#include <assert.h>
#include <string.h>

/* ---- storages ------------------------------------------------------------------------------------------------------ */
static const char *storage_name(lowering *lw, const value *v)
{
	return v->name ? v->name : arena_printf(lw->a, "t%d", v->id);
}

storage *storage_of(lowering *lw, const value *base)
{
	base = value_outside(lw, base);
	storage *s = map_get(lw->storages, base);
	if (s)
		return s;
	storage_kind kind = value_is_const(base) ? STORAGE_CONST : STORAGE_ARENA;
	s = storage_new(lw->p, storage_name(lw, base), kind, base->type, value_storage_size(base));
	s->data = value_tensor(base);
	map_put(lw->storages, base, s);
	return s;
}

static port port_of(lowering *lw, const value *v, const char *name)
{
	port p = {.name = name, .type = v->type, .rank = v->rank, .dims = new_array(lw->a, sym *, (size_t)v->rank)};
	for (int i = 0; i < v->rank; i++)
		p.dims[i] = v->dims[i];
	return p;
}

static void add_ports(lowering *lw)
{
	graph *g = lw->g;
	for (int i = 0; i < g->inputs.n; i++) {
		value *v = g->inputs.v[i];
		storage *s = storage_new(lw->p, storage_name(lw, v), STORAGE_INPUT, v->type, value_size(v));
		s->index = i;
		map_put(lw->storages, v, s);
		vec_push(lw->a, &lw->p->inputs, port_of(lw, v, v->name));
	}
	for (int i = 0; i < g->outputs.n; i++) {
		value *v = g->outputs.v[i];
		storage *s = storage_new(lw->p, storage_name(lw, v), STORAGE_OUTPUT, v->type, value_size(v));
		s->index = i;
		assert(!map_get(lw->storages, v)); /* fuse copies inputs, constants and repeated outputs */
		map_put(lw->storages, v, s);
		vec_push(lw->a, &lw->p->outputs, port_of(lw, v, v->name));
	}
}

/* ---- reading and writing inside a kernel ------------------------------------------------------------------------------ */
/* What a kernel may assume of a storage's address.  Constants keep the alignment they have in the model file, so that code
 * compiled in memory uses them where they are. */
static int align_of(const storage *s)
{
	if (s->kind == STORAGE_ARENA)
		return BUFFER_ALIGN;
	if (s->kind != STORAGE_CONST || !s->data)
		return 1;
	if (s->type == STRING)
		return (int)sizeof(int64_t);
	int align = BUFFER_ALIGN;
	while ((uintptr_t)s->data->data % (uintptr_t)align)
		align /= 2;
	return align;
}

static buffer *param_of(group_lowering *gl, storage *s, bool written)
{
	buffer *b = map_get(gl->params, s);
	if (!b) {
		sym *size = s->type == STRING ? sym_muli(s->size, STRING_WORDS) : s->size;
		b = kb_param(&gl->b, s->name, buffer_type(s->type), size, written, align_of(s));
		map_put(gl->params, s, b);
		vec_push(gl->b.a, &gl->args, s);
	}
	b->written |= written;
	return b;
}

static buffer *buffer_of(kernel_builder *b, const value *v, bool written)
{
	group_lowering *gl = b->user;
	return param_of(gl, storage_of(gl->in, value_base(v)), written);
}

buffer *store_place(group_lowering *gl, const value *v, coord at, sym **index)
{
	const value *base;
	*index = value_offset(v, at, &base);
	return param_of(gl, storage_of(gl->in, base), true);
}

buffer *scratch_of(group_lowering *gl, const char *hint, dtype t, sym *elements)
{
	const char *name = arena_printf(gl->in->a, "%s.%s", gl->b.k->name, hint);
	storage *s = storage_new(gl->in->p, name, STORAGE_ARENA, t, elements);
	vec_push(gl->b.a, &gl->scratch, s);
	return param_of(gl, s, true);
}

void bind_scalar(group_lowering *gl, const value *v, const expr *e)
{
	binding *bound = new(gl->b.a, binding);
	bound->scalar = e;
	map_put(gl->values, v, bound);
}

void unbind(group_lowering *gl, const value *v)
{
	map_put(gl->values, v, NULL);
}

static bool is_single_const(const value *v)
{
	const tensor *t = value_tensor(v);
	return t && t->n_elements == 1 && v->type != STRING;
}

static const expr *read_value(elem *e, const value *v, coord at)
{
	group_lowering *gl = e->user;
	binding *bound = map_get(gl->values, v);
	v = value_outside(gl->in, v);
	if (bound && bound->scalar)
		return bound->scalar;
	if (bound)
		return expr_load(e->exprs, bound->row, bound->row_index(gl, v, at));
	if (v->def && (v->place != PLACE_ARENA || is_single_const(v))) /* a local one nobody kept is computed again */
		return elem_of_value(e, v, at);
	const value *base;
	sym *index = value_offset(v, at, &base);
	return expr_load(e->exprs, param_of(gl, storage_of(gl->in, base), false), index);
}

const expr *root_element(group_lowering *gl, coord at)
{
	binding *bound = map_get(gl->values, gl->out);
	if (bound)
		return bound->scalar; /* the root is its own anchor */
	return elem_of_value(&gl->b.elem, gl->out, at);
}

/* ---- groups ------------------------------------------------------------------------------------------------------------ */
static void add_source(str *name, str *nodes, const node *n)
{
	if (n->src.index < 0)
		return;
	const char *label = n->src.name && *n->src.name ? n->src.name : n->src.op;
	if (nodes->len && strstr(nodes->data, label))
		return;
	if (name->len < 60)
		str_addf(name, "%s%s", name->len ? "+" : "", label);
	str_addf(nodes, "%s%s (%s)", nodes->len ? ", " : "", label, n->src.op);
}

static bool has_rows(const group_lowering *gl)
{
	for (int i = 0; i < gl->members.n - 1; i++)
		if (gl->members.v[i]->out[0]->place == PLACE_LOCAL)
			return true;
	return false;
}

/* The one value kept local whose coordinates are the root's own: a fold whose epilogue is the root.  Of attention, its product. */
static node *anchor_of(const group_lowering *gl)
{
	for (int i = 0; i < gl->members.n; i++)
		if (strcmp(node_word(gl->members.v[i], "strategy", ""), "attention") == 0)
			return gl->members.v[i];
	if (op_table[gl->root->op].form == FORM_REDUCE)
		return has_rows(gl) ? NULL : gl->root;
	node *anchor = NULL;
	for (int i = 0; i < gl->members.n - 1; i++) {
		node *n = gl->members.v[i];
		if (n->out[0]->place != PLACE_LOCAL)
			continue;
		if (anchor || op_table[n->op].form != FORM_REDUCE || !value_dims_equal(n->out[0], gl->out))
			return NULL;
		anchor = n;
	}
	return anchor;
}

static void count_work(group_lowering *gl, const node *anchor)
{
	sym *n = anchor ? sym_const(gl->b.syms, 0) : value_size(gl->out);
	for (int i = 0; anchor && i < gl->members.n; i++) {
		const node *m = gl->members.v[i];
		if (m != anchor && m->op != OP_CONTRACT)
			continue;
		coord at = coord_of_dims(gl->b.syms, m->out[0], "i");
		reduction r = {0};
		elem_reduction(&gl->b.elem, m, at, &r);
		n = sym_add(n, sym_muli(sym_mul(value_size(m->out[0]), sym_product(gl->b.syms, r.extent, r.n)), 2));
	}
	gl->b.k->flops = n;
}

static bool is_scratch(const group_lowering *gl, const storage *s)
{
	for (int i = 0; i < gl->scratch.n; i++)
		if (gl->scratch.v[i] == s)
			return true;
	return false;
}

static sym *bytes_of(sym *elements, dtype t)
{
	return sym_ceildiv(sym_muli(elements, dtype_table[t].bits), sym_const(elements->ctx, 8));
}

static void count_bytes(group_lowering *gl)
{
	sym *bytes = sym_const(gl->b.syms, 0);
	for (int i = 0; i < gl->args.n; i++)
		if (!is_scratch(gl, gl->args.v[i]))
			bytes = sym_add(bytes, bytes_of(gl->args.v[i]->size, gl->args.v[i]->type));
	gl->b.k->bytes = bytes;
}

static void add_call(group_lowering *gl)
{
	program *p = gl->in->p;
	step s = {.kind = STEP_CALL, .k = gl->b.k};
	for (int i = 0; i < gl->args.n; i++)
		vec_push(p->a, &s.args, gl->args.v[i]);
	vec_push(p->a, &p->kernels, gl->b.k);
	vec_push(p->a, gl->in->steps, s);
}

static void collect_members(group_lowering *gl)
{
	node *root = gl->root;
	for (node *n = root->graph->first; n != root->next; n = n->next)
		if (n == root || n->group == root)
			vec_push(gl->in->a, &gl->members, n);
}

/* A kernel for the group of `root`, named after its ONNX nodes and `suffix`. */
static group_lowering *group_open(lowering *lw, node *root, const char *suffix)
{
	group_lowering *gl = new(lw->a, group_lowering);
	gl->in = lw;
	gl->root = root;
	gl->out = root->out[0];
	collect_members(gl);
	str name = str_new(lw->a), nodes = str_new(lw->a);
	for (int i = 0; i < gl->members.n; i++)
		add_source(&name, &nodes, gl->members.v[i]);
	if (!name.len)
		str_add(&name, op_table[root->op].text);
	str_add(&name, suffix);
	gl->params = map_new(lw->a);
	gl->values = map_new(lw->a);
	kb_init(&gl->b, kernel_new(lw->p, name.data));
	gl->b.k->nodes = nodes.data;
	gl->b.target = lw->ctx->target;
	gl->b.opt = lw->ctx->opt;
	gl->b.elem.read = read_value;
	gl->b.elem.user = gl;
	gl->b.buffer_of = buffer_of;
	gl->b.user = gl;
	return gl;
}

static void write_kernel(group_lowering *gl)
{
	node *anchor = anchor_of(gl);
	if (op_table[gl->root->op].form == FORM_BUILD)
		op_table[gl->root->op].build(&gl->b, gl->root);
	else if (anchor && lower_contraction(gl, anchor))
		;
	else if (anchor)
		lower_reduce(gl, anchor);
	else if (has_rows(gl))
		lower_rows(gl);
	else
		lower_map(gl);
	count_work(gl, anchor);
}

/* ---- zero halo ------------------------------------------------------------------------------------------------------------ */
/* Zeroes the border of v along one axis: `width` rows at storage position `start` of that axis, all of the others' extents.
 * Returns how many elements that are. */
static sym *zero_border(group_lowering *gl, buffer *to, const value *v, int axis, sym *start, int64_t width)
{
	const layout *l = v->layout;
	sym *index = sym_const(gl->b.syms, 0), *elements = sym_const(gl->b.syms, 1);
	for (int p = 0; p < v->rank; p++) {
		int a = l->order[p];
		sym *full = sym_addi(v->dims[a], l->halo_lo[a] + l->halo_hi[a]);
		sym *extent = a == axis ? sym_const(gl->b.syms, width) : full;
		sym *i = p == v->rank - 1 ? kb_vector(&gl->b, "i", extent, 0) : kb_for(&gl->b, "i", extent);
		index = sym_add(sym_mul(index, full), a == axis ? sym_add(start, i) : i);
		elements = sym_mul(elements, extent);
	}
	kb_store(&gl->b, to, index, expr_number(gl->b.exprs, dtype_table[v->type].compute, 0));
	for (int p = 0; p < v->rank; p++)
		kb_end(&gl->b);
	return elements;
}

static bool has_halo(const value *v)
{
	for (int a = 0; v->layout && a < v->rank; a++)
		if (v->layout->halo_lo[a] || v->layout->halo_hi[a])
			return true;
	return false;
}

static void lower_halo(lowering *lw, node *of, const value *v)
{
	group_lowering *gl = group_open(lw, of, ".halo");
	buffer *to = param_of(gl, storage_of(lw, v), true);
	sym *zero = sym_const(lw->p->syms, 0), *n = zero;
	for (int a = 0; a < v->rank; a++) {
		int64_t lo = v->layout->halo_lo[a], hi = v->layout->halo_hi[a];
		if (lo)
			n = sym_add(n, zero_border(gl, to, v, a, zero, lo));
		if (hi)
			n = sym_add(n, zero_border(gl, to, v, a, sym_addi(v->dims[a], lo), hi));
	}
	gl->b.k->flops = zero;
	gl->b.k->bytes = bytes_of(n, v->type);
	add_call(gl);
}

/* ---- the pass ---------------------------------------------------------------------------------------------------------------- */
static bool is_root(const node *n)
{
	return !n->group || n->group == n;
}

/* A value whose parts are all written in place needs no kernel of its own. */
static bool is_assembled(const node *n)
{
	if (n->op != OP_CONCAT)
		return false;
	for (int i = 0; i < n->n_in; i++)
		if (n->in[i]->alias != n->out[0])
			return false;
	return true;
}

/* Nothing is to be computed where every result has an axis of size 0. */
static bool is_empty(const node *n)
{
	for (int i = 0; i < n->n_out; i++)
		if (!sym_is(value_size(n->out[i]), 0))
			return false;
	return true;
}

/* Whoever reads reshaped strings reads them where they were before. */
static bool is_string_view(const node *n) { return n->op == OP_RESHAPE && n->out[0]->type == STRING; }

static bool needs_kernel(const node *n)
{
	return is_root(n) && op_table[n->op].form != FORM_OTHER && !is_assembled(n) && !is_empty(n) &&
	       n->out[0]->place == PLACE_ARENA && !is_string_view(n);
}

void add_dim(lowering *lw, sym *s)
{
	if (s->kind != SYM_VAR || map_has(lw->dims, s))
		return;
	map_put(lw->dims, s, s);
	vec_push(lw->a, &lw->p->dims, s);
}

static void collect_dims(lowering *lw)
{
	for (int i = 0; i < lw->p->inputs.n; i++)
		for (int d = 0; d < lw->p->inputs.v[i].rank; d++)
			add_dim(lw, lw->p->inputs.v[i].dims[d]);
}

static void lower_group(lowering *lw, node *n)
{
	group_lowering *gl = group_open(lw, n, "");
	write_kernel(gl);
	count_bytes(gl);
	add_call(gl);
}

void lower_nodes(lowering *lw, graph *g)
{
	map *done = map_new(lw->a);
	for_each_node(n, g) {
		lower_conditions(lw, g, done);
		for (int i = 0; i < n->n_out; i++)
			if (has_halo(n->out[i]) && !value_is_const(n->out[i]) && n->out[i]->place == PLACE_ARENA && !n->out[i]->alias)
				lower_halo(lw, n, n->out[i]);
		if (needs_kernel(n))
			lower_group(lw, n);
		else if (op_table[n->op].form == FORM_OTHER)
			lower_control(lw, n);
	}
	lower_conditions(lw, g, done);
}

program *lower(graph *g, pass_ctx *ctx, arena *a)
{
	lowering lw = {.g = g, .p = program_new(a, g->syms, g->exprs, g->name), .ctx = ctx, .a = a, .storages = map_new(a),
	               .outer = map_new(a), .dims = map_new(a)};
	lw.steps = &lw.p->steps;
	add_ports(&lw);
	collect_dims(&lw);
	lower_nodes(&lw, g);
	return lw.p;
}
