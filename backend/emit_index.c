/* Symbolic integers to code.
 *
 * A sum is added up from its loop-invariant terms (those of the outermost loops) to the innermost, the constant last, so
 * that loop-invariant code motion hoists the longest prefix and the constant ends up in the addressing mode.  Unrolled loop
 * variables are constants and join it.
 *
 * In lanes, a sum that is affine in the lane variable is its value in lane 0 plus multiples of 0, 1, 2 ...; anything else is computed
 * lane by lane in vectors, with 32 bits where the ranges allow (there is no 64-bit vector division worth its name). */
#include "backend/emit_internal.h"

#include "support/diag.h"

typedef struct group { /* terms that change in the same loop */
	int depth;
	LLVMValueRef v;
} group;

typedef struct sum {
	vec(group) groups; /* outermost first */
	int64_t constant;
} sum;

static int depth_of(emitter *e, const sym *s)
{
	if (s->kind == SYM_VAR) {
		switch (s->role) {
		case SYM_DIM: return 0;
		case SYM_LOOP: return emit_var_find(e, s)->depth;
		case SYM_SCALAR: return e->depth;
		}
	}
	int depth = 0;
	for (int i = 0; i < s->n; i++) {
		int d = depth_of(e, s->in[i]);
		depth = d > depth ? d : depth;
	}
	return depth;
}

static bool is_scalar(const sym *var, void *user)
{
	(void)user;
	return var->role == SYM_SCALAR;
}

/* ---- variables -------------------------------------------------------------------------------------------------------- */

static LLVMValueRef emit_dim(emitter *e, const sym *s)
{
	const program *p = e->m->program;
	for (int i = 0; i < p->dims.n; i++) {
		if (p->dims.v[i] != s)
			continue;
		if (!e->dims[i]) {
			LLVMTypeRef i64 = cg_int(&e->c, 64);
			LLVMValueRef at = cg_i64(&e->c, i);
			at = LLVMBuildGEP2(e->entry, i64, e->symbols, &at, 1, "");
			e->dims[i] = LLVMBuildLoad2(e->entry, i64, at, s->name);
		}
		return e->dims[i];
	}
	bug("%s is not a dimension of program %s", s->name, p->name);
}

static LLVMValueRef emit_scalar(emitter *e, const sym *s)
{
	val v = emit_expr(e, s->scalar);
	LLVMValueRef x = v.varying ? cg_get(&e->c, v.v[0], 0) : v.v[0];
	return emit_convert(e, I64, s->scalar->type, x);
}

static LLVMValueRef emit_sym_var(emitter *e, const sym *s)
{
	switch (s->role) {
	case SYM_DIM: return emit_dim(e, s);
	case SYM_LOOP: return emit_var_find(e, s)->value;
	case SYM_SCALAR: return emit_scalar(e, s);
	}
	return NULL;
}

/* ---- sums ------------------------------------------------------------------------------------------------------------- */

static bool fold_constant(LLVMValueRef v, int64_t *product)
{
	if (!LLVMIsAConstantInt(v))
		return false;
	*product = (int64_t)((uint64_t)*product * (uint64_t)LLVMConstIntGetSExtValue(v));
	return true;
}

/* coefficient * atoms; NULL when it is a constant, which is added to *constant. */
static LLVMValueRef emit_term(emitter *e, const sym *t, int64_t *constant)
{
	vec(group) atoms = {0};
	bool product = t->kind == SYM_MUL;
	int64_t coefficient = product ? t->value : 1;
	for (int i = 0; i < (product ? t->n : 1); i++) {
		const sym *atom = product ? t->in[i] : t;
		group g = {depth_of(e, atom), emit_sym(e, atom)};
		if (fold_constant(g.v, &coefficient))
			continue;
		vec_push(e->a, &atoms, g);
		for (int j = atoms.n - 1; j > 0 && atoms.v[j - 1].depth > atoms.v[j].depth; j--) {
			group swap = atoms.v[j];
			atoms.v[j] = atoms.v[j - 1];
			atoms.v[j - 1] = swap;
		}
	}
	if (atoms.n == 0 || coefficient == 0) {
		*constant = (int64_t)((uint64_t)*constant + (uint64_t)coefficient);
		return NULL;
	}
	LLVMValueRef v = atoms.v[0].v;
	if (coefficient != 1)
		v = LLVMBuildMul(e->c.b, v, cg_i64(&e->c, coefficient), "");
	for (int i = 1; i < atoms.n; i++)
		v = LLVMBuildMul(e->c.b, v, atoms.v[i].v, "");
	return v;
}

static void add_group(emitter *e, sum *s, group g)
{
	int at = 0;
	while (at < s->groups.n && s->groups.v[at].depth < g.depth)
		at++;
	if (at < s->groups.n && s->groups.v[at].depth == g.depth) {
		s->groups.v[at].v = LLVMBuildAdd(e->c.b, s->groups.v[at].v, g.v, "");
		return;
	}
	vec_push(e->a, &s->groups, g);
	for (int j = s->groups.n - 1; j > at; j--)
		s->groups.v[j] = s->groups.v[j - 1];
	s->groups.v[at] = g;
}

static sum emit_sum(emitter *e, const sym *s)
{
	sum result = {.constant = s->kind == SYM_ADD || s->kind == SYM_CONST ? s->value : 0};
	if (s->kind == SYM_CONST)
		return result;
	for (int i = 0; i < (s->kind == SYM_ADD ? s->n : 1); i++) {
		const sym *t = s->kind == SYM_ADD ? s->in[i] : s;
		LLVMValueRef v = emit_term(e, t, &result.constant);
		if (v)
			add_group(e, &result, (group){depth_of(e, t), v});
	}
	return result;
}

/* ---- division --------------------------------------------------------------------------------------------------------- */

bool emit_sym_narrow(const sym *s)
{
	return s->lo >= INT32_MIN && s->hi <= INT32_MAX;
}

/* Python's x // d or x mod d, for d > 0; of scalars or lanes. */
static LLVMValueRef floor_division(emitter *e, sym_kind kind, const sym *x_sym, LLVMValueRef x, LLVMValueRef d)
{
	LLVMBuilderRef b = e->c.b;
	if (x_sym->lo >= 0)
		return kind == SYM_DIV ? LLVMBuildUDiv(b, x, d, "") : LLVMBuildURem(b, x, d, "");
	LLVMValueRef rest = LLVMBuildSRem(b, x, d, "");
	LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
	LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, rest, zero, "");
	if (kind == SYM_MOD)
		return LLVMBuildAdd(b, rest, LLVMBuildSelect(b, negative, d, zero, ""), "");
	return LLVMBuildAdd(b, LLVMBuildSDiv(b, x, d, ""), LLVMBuildSExt(b, negative, LLVMTypeOf(x), ""), "");
}

/* A divisor may be 0 where the result is not used. */
static LLVMValueRef positive(emitter *e, const sym *s, LLVMValueRef d)
{
	return s->lo >= 1 ? d : cg_intrinsic2(&e->c, "llvm.smax", d, cg_integer(LLVMTypeOf(d), 1));
}

/* The same value, about which LLVM's scalar evolution knows nothing.  It would expand quotients by unknown divisors anew where
 * addresses use them, and such a division, which may trap, is not moved back out of an inner loop. */
static LLVMValueRef opaque(emitter *e, LLVMValueRef x)
{
	if (LLVMIsConstant(x))
		return x;
	LLVMTypeRef type = LLVMTypeOf(x), function = LLVMFunctionType(type, &type, 1, 0);
	LLVMValueRef nothing = LLVMGetInlineAsm(function, "", 0, "=r,0", 4, 0, 0, LLVMInlineAsmDialectATT, 0);
	return LLVMBuildCall2(e->c.b, function, nothing, &x, 1, "");
}

static LLVMValueRef binary(emitter *e, const sym *s, LLVMValueRef x, LLVMValueRef y)
{
	switch (s->kind) {
	case SYM_DIV:
	case SYM_MOD: return floor_division(e, s->kind, s->in[0], x, positive(e, s->in[1], y));
	case SYM_MIN: return cg_intrinsic2(&e->c, "llvm.smin", x, y);
	case SYM_MAX: return cg_intrinsic2(&e->c, "llvm.smax", x, y);
	default: bug("not a binary symbolic integer");
	}
}

/* ---- scalars ---------------------------------------------------------------------------------------------------------- */

LLVMValueRef emit_sym(emitter *e, const sym *s)
{
	if (s->kind == SYM_CONST)
		return cg_i64(&e->c, s->value);
	if (s->kind == SYM_VAR)
		return emit_sym_var(e, s);

	memo *m = sym_any_var(s, is_scalar, NULL) ? &e->exprs : &e->syms;
	val v = {0};
	if (memo_find(m, s, &v))
		return v.v[0];
	if (s->kind == SYM_ADD || s->kind == SYM_MUL) {
		sum total = emit_sum(e, s);
		LLVMValueRef x = NULL;
		for (int i = 0; i < total.groups.n; i++)
			x = x ? LLVMBuildAdd(e->c.b, x, total.groups.v[i].v, "") : total.groups.v[i].v;
		LLVMValueRef constant = cg_i64(&e->c, total.constant);
		v.v[0] = x ? LLVMBuildAdd(e->c.b, x, constant, "") : constant;
	} else {
		LLVMValueRef x = emit_sym(e, s->in[0]), y = emit_sym(e, s->in[1]);
		v.v[0] = binary(e, s, x, y);
		if ((s->kind == SYM_DIV || s->kind == SYM_MOD) && !sym_is_const(s->in[1], NULL))
			v.v[0] = opaque(e, v.v[0]);
	}
	memo_put(e, m, s, &v);
	return v.v[0];
}

static LLVMValueRef step_pointer(emitter *e, LLVMTypeRef t, LLVMValueRef base, LLVMValueRef by)
{
	return LLVMBuildGEP2(e->c.b, t, base, &by, 1, "");
}

LLVMValueRef emit_address(emitter *e, LLVMTypeRef t, LLVMValueRef base, const sym *index)
{
	sum s = emit_sum(e, index);
	for (int i = 0; i < s.groups.n; i++)
		base = step_pointer(e, t, base, s.groups.v[i].v);
	return s.constant ? step_pointer(e, t, base, cg_i64(&e->c, s.constant)) : base;
}

/* ---- lanes ------------------------------------------------------------------------------------------------------------ */

static LLVMValueRef resize(emitter *e, LLVMValueRef x, LLVMTypeRef scalar)
{
	return LLVMBuildIntCast2(e->c.b, x, cg_shaped(scalar, x), 1, "");
}

static LLVMValueRef emit_affine_lanes(emitter *e, const sym *s, const sym *stride, int part, LLVMTypeRef t)
{
	int width = e->lanes->width;
	LLVMValueRef first = cg_splat(&e->c, resize(e, emit_sym(e, s), t), width);
	int64_t k = 0;
	if (sym_is_const(stride, &k)) {
		int64_t start = (int64_t)((uint64_t)k * (uint64_t)(part * width));
		return LLVMBuildAdd(e->c.b, first, cg_iota(LLVMTypeOf(first), start, k), "");
	}
	LLVMValueRef by = cg_splat(&e->c, resize(e, emit_sym(e, stride), t), width);
	LLVMValueRef steps = cg_iota(LLVMTypeOf(first), (int64_t)part * width, 1);
	return LLVMBuildAdd(e->c.b, first, LLVMBuildMul(e->c.b, by, steps, ""), "");
}

static LLVMValueRef emit_binary_lanes(emitter *e, const sym *s, int part, LLVMTypeRef t)
{
	bool narrow = emit_sym_narrow(s->in[0]) && emit_sym_narrow(s->in[1]);
	LLVMTypeRef work = cg_int(&e->c, narrow ? 32 : 64);
	LLVMValueRef x = emit_sym_lanes(e, s->in[0], part, work);
	LLVMValueRef y = emit_sym_lanes(e, s->in[1], part, work);
	return resize(e, binary(e, s, x, y), t);
}

LLVMValueRef emit_sym_lanes(emitter *e, const sym *s, int part, LLVMTypeRef t)
{
	LLVMBuilderRef b = e->c.b;
	int width = e->lanes->width;
	if (!sym_varies(e, s))
		return cg_splat(&e->c, resize(e, emit_sym(e, s), t), width);
	sym *stride = NULL, *rest = NULL;
	if (sym_affine((sym *)(uintptr_t)s, e->lanes->var, &stride, &rest) && !sym_varies(e, stride) && !sym_varies(e, rest))
		return emit_affine_lanes(e, s, stride, part, t);

	switch (s->kind) {
	case SYM_VAR: { /* a scalar: the lane variable itself is affine */
		val v = emit_expr(e, s->scalar);
		return resize(e, emit_convert(e, I64, s->scalar->type, val_part(e, &v, part)), t);
	}
	case SYM_ADD: {
		LLVMValueRef total = cg_integer(cg_vector(t, width), s->value);
		for (int i = 0; i < s->n; i++)
			total = LLVMBuildAdd(b, total, emit_sym_lanes(e, s->in[i], part, t), "");
		return total;
	}
	case SYM_MUL: {
		LLVMValueRef product = cg_integer(cg_vector(t, width), s->value);
		for (int i = 0; i < s->n; i++)
			product = LLVMBuildMul(b, product, emit_sym_lanes(e, s->in[i], part, t), "");
		return product;
	}
	case SYM_DIV:
	case SYM_MOD:
	case SYM_MIN:
	case SYM_MAX: return emit_binary_lanes(e, s, part, t);
	case SYM_CONST: break;
	}
	bug("a constant varies");
}

val emit_index(emitter *e, const sym *s, LLVMTypeRef t)
{
	if (!e->lanes || !sym_varies(e, s))
		return val_uniform(resize(e, emit_sym(e, s), t));
	val v = {.varying = true};
	for (int p = 0; p < e->lanes->parts; p++)
		v.v[p] = emit_sym_lanes(e, s, p, t);
	return v;
}
