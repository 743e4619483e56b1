/* Vector loops: which values vary between lanes, how many lanes, the main loop and what is left over, reductions.
 *
 * A loop over n elements becomes a main loop of `parts` vectors per iteration and a remainder: masked vectors where every varying
 * access of the body can be masked, else single vectors and then the body as a serial loop.  What the extent's range and
 * divisibility prove away is not emitted; a constant extent is cut up exactly.
 *
 * A reduction has one copy per lane, started with the identity, which all vector passes share.  After them the copies are combined in a
 * fixed tree (parts first, then halves of the vector) into the outer local; so results do not depend on the remainder's form alone but
 * only on extent and target. */
#include "backend/emit_internal.h"

#include "support/diag.h"

#include <math.h>

enum {
	MAX_CHOSEN_PARTS = 4, /* where lanes are our choice */
	LIGHT_COST = 8,       /* a body of at most so many operations gets 4 parts, */
	MEDIUM_COST = 40,     /* so many 2; measured with elementwise loops: more gains nothing */
	HEAVY_COST = 100,     /* too much code to have once more for single vectors of a remainder */
	MAX_COST = 100000,
};

/* ---- lane analysis ---------------------------------------------------------------------------------------------------- */

static char yes, no;

static bool var_varies(const sym *var, void *user)
{
	emitter *e = user;
	if (var->role == SYM_SCALAR)
		return expr_varies(e, var->scalar);
	return var == e->lanes->var;
}

bool sym_varies(emitter *e, const sym *s)
{
	return e->lanes && sym_any_var(s, var_varies, e);
}

static bool find_varying(emitter *e, const expr *x)
{
	switch (x->op) {
	case EXPR_CONST: return false;
	case EXPR_INDEX:
	case EXPR_LOAD: return sym_varies(e, x->index);
	case EXPR_LOCAL: return map_has(e->lanes->varying_locals, x->local);
	default: break;
	}
	for (int i = 0; i < x->n_in; i++)
		if (expr_varies(e, x->in[i]))
			return true;
	return false;
}

bool expr_varies(emitter *e, const expr *x)
{
	if (!e->lanes)
		return false;
	const char *known = map_get(e->lanes->varying_exprs, x);
	if (!known) {
		known = find_varying(e, x) ? &yes : &no;
		map_put(e->lanes->varying_exprs, x, (void *)(uintptr_t)known);
	}
	return known == &yes;
}

/* Marks the locals that are given varying values; true when there was a new one. */
static bool mark_varying(emitter *e, const block *b)
{
	bool changed = false;
	for (int i = 0; i < b->n; i++) {
		const stmt *s = b->v[i];
		switch (s->kind) {
		case STMT_LET:
		case STMT_VAR:
		case STMT_SET:
			if (!map_has(e->lanes->varying_locals, s->set.l) && expr_varies(e, s->set.e)) {
				map_put(e->lanes->varying_locals, s->set.l, &yes);
				changed = true;
			}
			break;
		case STMT_FOR: changed |= mark_varying(e, &s->f.body); break;
		case STMT_IF:
		case STMT_WHILE:
			changed |= mark_varying(e, &s->branch.then);
			changed |= mark_varying(e, &s->branch.otherwise);
			break;
		case STMT_STORE:
		case STMT_ARRAY:
		case STMT_PREFETCH: break;
		}
	}
	return changed;
}

static void analyse(emitter *e, const stmt *s)
{
	e->lanes->varying_locals = map_new(e->a);
	for (int i = 0; i < s->f.reductions.n; i++)
		map_put(e->lanes->varying_locals, s->f.reductions.v[i].l, &yes);
	do
		e->lanes->varying_exprs = map_new(e->a);
	while (mark_varying(e, &s->f.body));
}

/* ---- what the body is like -------------------------------------------------------------------------------------------- */

typedef struct nature {
	emitter *e;
	int cost;
	bool maskable;      /* every varying access can be masked */
	bool packed_stores; /* share bytes between lanes */
} nature;

static void look_at_access(nature *n, const buffer *b, const sym *index)
{
	int bits = dtype_table[b->type].bits;
	if (sym_varies(n->e, index) && !emit_masks(n->e, bits < 8 ? 8 : bits))
		n->maskable = false;
}

static bool look_at_load(const expr *x, void *user)
{
	if (x->op == EXPR_LOAD)
		look_at_access(user, x->buffer, x->index);
	return false;
}

static void look_at_expr(nature *n, const expr *x)
{
	n->cost += expr_cost(x) + 1;
	(void)expr_any(x, look_at_load, n);
}

static void look_at_block(nature *n, const block *b)
{
	for (int i = 0; i < b->n; i++) {
		const stmt *s = b->v[i];
		switch (s->kind) {
		case STMT_FOR: {
			int before = n->cost;
			look_at_block(n, &s->f.body);
			int64_t times = 1;
			if (s->f.loop == LOOP_UNROLL && sym_is_const(s->f.extent, &times) && times > 1) {
				int64_t all = before + (n->cost - before) * times;
				n->cost = all > MAX_COST ? MAX_COST : (int)all;
			}
			break;
		}
		case STMT_LET:
		case STMT_VAR:
		case STMT_SET: look_at_expr(n, s->set.e); break;
		case STMT_STORE:
			look_at_expr(n, s->store.e);
			look_at_access(n, s->store.b, s->store.index);
			n->packed_stores |= dtype_table[s->store.b->type].bits < 8;
			break;
		case STMT_IF:
		case STMT_WHILE:
			look_at_block(n, &s->branch.then);
			look_at_block(n, &s->branch.otherwise);
			break;
		case STMT_ARRAY:
		case STMT_PREFETCH: break;
		}
	}
}

/* ---- passes over the body --------------------------------------------------------------------------------------------- */

/* Lanes below `left` are active. */
static LLVMValueRef mask_below(emitter *e, LLVMValueRef left, int part)
{
	int width = e->lanes->width;
	LLVMTypeRef t = cg_vector(cg_int(&e->c, 32), width);
	LLVMValueRef limit = cg_splat(&e->c, LLVMBuildTrunc(e->c.b, left, cg_int(&e->c, 32), ""), width);
	return LLVMBuildICmp(e->c.b, LLVMIntULT, cg_iota(t, (int64_t)part * width, 1), limit, "");
}

/* The body once for `parts` vectors from element `base` on, of which `left` are wanted (NULL: all). */
static void emit_pass(emitter *e, const stmt *s, LLVMValueRef base, int parts, LLVMValueRef left)
{
	memo_mark mark = emit_memo_mark(e);
	lanes *l = e->lanes;
	l->parts = parts;
	l->maybe_empty = false;
	for (int p = 0; p < parts; p++) {
		bool full = !left || (LLVMIsAConstantInt(left) && LLVMConstIntGetSExtValue(left) >= (long long)(p + 1) * l->width);
		l->mask[p] = full ? NULL : mask_below(e, left, p);
	}
	if (LLVMIsAConstantInt(base))
		emit_var_push_number(e, s->f.var, LLVMConstIntGetSExtValue(base));
	else
		emit_var_push(e, s->f.var, base);
	emit_block(e, &s->f.body);
	emit_var_pop(e);
	emit_memo_rewind(e, mark);
}

static void emit_pass_loop(emitter *e, const stmt *s, LLVMValueRef from, LLVMValueRef end, int parts, bool runs)
{
	memo_mark mark = emit_memo_mark(e);
	loop l = emit_loop_open(e, from, end, cg_i64(&e->c, (int64_t)parts * e->lanes->width), runs);
	emit_pass(e, s, l.i, parts, NULL);
	emit_loop_close(e, &l);
	emit_memo_rewind(e, mark);
}

/* The masked remainder from `base` to `end`, behind a test unless it `runs`. */
static void emit_masked_rest(emitter *e, const stmt *s, LLVMValueRef base, LLVMValueRef end, int parts, bool runs)
{
	LLVMBuilderRef b = e->c.b;
	LLVMBasicBlockRef after = NULL;
	if (!runs) {
		LLVMBasicBlockRef rest = emit_new_block(e, "rest");
		after = emit_new_block(e, "whole");
		LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, base, end, ""), rest, after);
		LLVMPositionBuilderAtEnd(b, rest);
	}
	memo_mark mark = emit_memo_mark(e);
	emit_pass(e, s, base, parts, LLVMBuildSub(b, end, base, ""));
	emit_memo_rewind(e, mark);
	if (after) {
		LLVMBuildBr(b, after);
		LLVMPositionBuilderAtEnd(b, after);
	}
}

/* ---- reductions ------------------------------------------------------------------------------------------------------- */

static LLVMValueRef identity(emitter *e, const lane_reduction *r)
{
	dtype t = r->l->type;
	LLVMTypeRef type = emit_type(e, t);
	bool is_float = dtype_is_float(t), is_sint = dtype_table[t].class == CLASS_SINT;
	int64_t top = is_sint ? (int64_t)(UINT64_MAX >> (65 - dtype_table[t].bits)) : -1;
	switch (r->combine) {
	case EXPR_ADD:
	case EXPR_OR: return LLVMConstNull(type);
	case EXPR_MUL: return is_float ? cg_number(type, 1) : cg_integer(type, 1);
	case EXPR_AND: return cg_integer(type, -1);
	case EXPR_MIN: return is_float ? cg_number(type, INFINITY) : cg_integer(type, top);
	case EXPR_MAX: return is_float ? cg_number(type, -INFINITY) : cg_integer(type, is_sint ? -top - 1 : 0);
	default: bug("lanes cannot be combined by %s", expr_op_table[r->combine].name);
	}
}

/* Lane copies of the reduced locals; outer[i] is what they stand for. */
static void open_reductions(emitter *e, const stmt *s, int parts, slot **outer)
{
	for (int i = 0; i < s->f.reductions.n; i++) {
		const lane_reduction *r = &s->f.reductions.v[i];
		slot *copy = new (e->a, slot);
		*copy = (slot){.variable = true, .reduction = true, .v.varying = true};
		copy->type = cg_vector(emit_type(e, r->l->type), e->lanes->width);
		LLVMValueRef start = cg_splat(&e->c, identity(e, r), e->lanes->width);
		for (int p = 0; p < parts; p++) {
			copy->v.v[p] = emit_alloca(e, copy->type, 0);
			LLVMBuildStore(e->c.b, start, copy->v.v[p]);
		}
		outer[i] = map_get(e->locals, r->l);
		if (!outer[i] || !outer[i]->variable)
			bug("reduction %s is not a variable in scope", r->l->name);
		map_put(e->locals, r->l, copy);
	}
}

static LLVMValueRef combine_lanes(emitter *e, const lane_reduction *r, LLVMValueRef *parts, int n)
{
	dtype t = r->l->type;
	for (; n > 1; n = (n + 1) / 2)
		for (int p = 0; p < n / 2; p++)
			parts[p] = emit_combine(e, r->combine, t, parts[p], parts[p + (n + 1) / 2]);
	LLVMValueRef v = parts[0];
	for (int width = e->lanes->width / 2; width >= 1; width /= 2) {
		LLVMValueRef low = width > 1 ? cg_shuffle(&e->c, v, NULL, 0, 1, width) : cg_get(&e->c, v, 0);
		LLVMValueRef high = width > 1 ? cg_shuffle(&e->c, v, NULL, width, 1, width) : cg_get(&e->c, v, 1);
		v = emit_combine(e, r->combine, t, low, high);
	}
	return v;
}

static void close_reductions(emitter *e, const stmt *s, int parts, slot **outer)
{
	for (int i = 0; i < s->f.reductions.n; i++) {
		const lane_reduction *r = &s->f.reductions.v[i];
		const slot *copy = map_get(e->locals, r->l);
		LLVMValueRef v[MAX_PARTS];
		for (int p = 0; p < parts; p++)
			v[p] = LLVMBuildLoad2(e->c.b, copy->type, copy->v.v[p], "");
		LLVMValueRef old = LLVMBuildLoad2(e->c.b, outer[i]->type, outer[i]->v.v[0], "");
		LLVMValueRef all = combine_lanes(e, r, v, parts);
		LLVMBuildStore(e->c.b, emit_combine(e, r->combine, r->l->type, old, all), outer[i]->v.v[0]);
		map_put(e->locals, r->l, outer[i]);
	}
}

/* ---- shapes of loops -------------------------------------------------------------------------------------------------- */

/* A number of elements cut up: returns where the serial rest starts (n: there is none). */
static int64_t emit_constant(emitter *e, const stmt *s, int64_t n, int parts, bool masked)
{
	int64_t width = e->lanes->width, stride = parts * width, whole = n / stride * stride;
	if (whole == stride)
		emit_pass(e, s, cg_i64(&e->c, 0), parts, NULL);
	else if (whole > 0)
		emit_pass_loop(e, s, cg_i64(&e->c, 0), cg_i64(&e->c, whole), parts, true);
	int64_t rest = n - whole, vectors = rest / width;
	if (rest == 0)
		return n;
	if (masked) {
		emit_pass(e, s, cg_i64(&e->c, whole), (int)((rest + width - 1) / width), cg_i64(&e->c, rest));
		return n;
	}
	if (vectors > 0)
		emit_pass(e, s, cg_i64(&e->c, whole), (int)vectors, NULL);
	return whole + vectors * width;
}

static LLVMValueRef round_down(emitter *e, const sym *extent, LLVMValueRef n, int64_t to)
{
	LLVMBuilderRef b = e->c.b;
	LLVMValueRef d = cg_i64(&e->c, to);
	LLVMValueRef rest = extent->lo >= 0 ? LLVMBuildURem(b, n, d, "") : LLVMBuildSRem(b, n, d, "");
	return LLVMBuildSub(b, n, rest, "");
}

/* An extent known when running.  Returns where the serial rest starts; NULL: there is none. */
static LLVMValueRef emit_dynamic(emitter *e, const stmt *s, LLVMValueRef n, int parts, bool masked, bool heavy)
{
	sym *extent = s->f.extent;
	int width = e->lanes->width;
	int64_t stride = (int64_t)parts * width;
	LLVMValueRef done = cg_i64(&e->c, 0);
	if (extent->hi >= stride) {
		LLVMValueRef from = done;
		done = round_down(e, extent, n, stride);
		emit_pass_loop(e, s, from, done, parts, extent->lo >= stride);
	}
	if (sym_proves_multiple(extent, stride))
		return NULL;
	if (masked && (heavy || parts == 1)) {
		emit_masked_rest(e, s, done, n, parts, extent->hi < stride && extent->lo >= 1);
		return NULL;
	}
	if (parts > 1) {
		LLVMValueRef vectors = round_down(e, extent, n, width);
		emit_pass_loop(e, s, done, vectors, 1, false);
		done = vectors;
	}
	if (sym_proves_multiple(extent, width))
		return NULL;
	if (!masked)
		return done;
	emit_masked_rest(e, s, done, n, 1, false);
	return NULL;
}

static int round_to_power(int64_t n, bool up)
{
	int power = 1;
	while (power * 2 <= n)
		power *= 2;
	return up && power < n ? power * 2 : power;
}

static int choose_width(emitter *e, const stmt *s, bool masked)
{
	int width = target_lanes(e->m->options->target, F32);
	if (s->f.lanes > 0 && s->f.lanes < width)
		width = round_to_power(s->f.lanes, false);
	if (s->f.extent->hi > 0 && s->f.extent->hi < width)
		width = round_to_power(s->f.extent->hi, masked);
	return width;
}

static int choose_parts(const stmt *s, int width, int cost)
{
	int64_t most = MAX_PARTS;
	if (s->f.extent->hi < (int64_t)MAX_PARTS * width)
		most = (s->f.extent->hi + width - 1) / width;
	most = most < 1 ? 1 : most;
	int parts = cost <= LIGHT_COST ? MAX_CHOSEN_PARTS : cost <= MEDIUM_COST ? MAX_CHOSEN_PARTS / 2 : 1;
	if (s->f.lanes > 0)
		parts = s->f.lanes / width;
	parts = parts < 1 ? 1 : parts;
	return parts < most ? parts : (int)most;
}

void emit_vector_for(emitter *e, const stmt *s)
{
	LLVMValueRef n = emit_sym(e, s->f.extent);
	lanes here = {.var = s->f.var};
	e->lanes = &here;
	analyse(e, s);
	nature look = {.e = e, .maskable = true};
	look_at_block(&look, &s->f.body);
	here.width = choose_width(e, s, look.maskable);
	if (here.width == 1 || look.packed_stores) {
		e->lanes = NULL;
		emit_serial_for(e, s, cg_i64(&e->c, 0), n, s->f.extent->lo >= 1);
		return;
	}

	int parts = choose_parts(s, here.width, look.cost);
	slot **outer = new_array(e->a, slot *, (size_t)s->f.reductions.n + 1);
	open_reductions(e, s, parts, outer);
	int64_t constant = 0;
	LLVMValueRef rest = NULL;
	if (sym_is_const(s->f.extent, &constant)) {
		int64_t done = emit_constant(e, s, constant, parts, look.maskable);
		rest = done < constant ? cg_i64(&e->c, done) : NULL;
	} else {
		rest = emit_dynamic(e, s, n, parts, look.maskable, look.cost > HEAVY_COST);
	}
	close_reductions(e, s, parts, outer);
	e->lanes = NULL;
	if (rest)
		emit_serial_for(e, s, rest, n, constant > 0);
}
