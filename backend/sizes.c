/* Symbolic integers as code outside kernels: dims, sizes, offsets and trip counts.
 *
 * Arithmetic wraps.  As 2^64 divides what is lost, a sum or product whose own range is finite is right whatever its partial
 * results did, so checked code tests only those whose range is unknown. */
#include "backend/model.h"

void sizes_init(sizes *s, arena *a, LLVMModuleRef m, LLVMBuilderRef b, bool checked)
{
	*s = (sizes){.m = m, .b = b, .known = map_new(a), .checked = checked};
}

static LLVMTypeRef i64_type(const sizes *s)
{
	return LLVMInt64TypeInContext(LLVMGetModuleContext(s->m));
}

static LLVMValueRef constant(const sizes *s, int64_t value)
{
	return LLVMConstInt(i64_type(s), (uint64_t)value, true);
}

static LLVMValueRef call_intrinsic(const sizes *s, const char *name, size_t n, LLVMValueRef x, LLVMValueRef y)
{
	unsigned id = LLVMLookupIntrinsicID(name, n);
	LLVMTypeRef type = i64_type(s);
	LLVMValueRef f = LLVMGetIntrinsicDeclaration(s->m, id, &type, 1);
	LLVMTypeRef ft = LLVMIntrinsicGetType(LLVMGetModuleContext(s->m), id, &type, 1);
	return LLVMBuildCall2(s->b, ft, f, (LLVMValueRef[]){x, y}, 2, "");
}
#define INTRINSIC(s, name, x, y) call_intrinsic(s, name, sizeof name - 1, x, y)

static LLVMValueRef take_checked(sizes *s, LLVMValueRef pair)
{
	LLVMValueRef bad = LLVMBuildExtractValue(s->b, pair, 1, "");
	s->overflow = s->overflow ? LLVMBuildOr(s->b, s->overflow, bad, "overflow") : bad;
	return LLVMBuildExtractValue(s->b, pair, 0, "");
}

static LLVMValueRef add(sizes *s, bool check, LLVMValueRef x, LLVMValueRef y)
{
	if (!check)
		return LLVMBuildAdd(s->b, x, y, "");
	return take_checked(s, INTRINSIC(s, "llvm.sadd.with.overflow", x, y));
}

static LLVMValueRef mul(sizes *s, bool check, LLVMValueRef x, LLVMValueRef y)
{
	if (!check)
		return LLVMBuildMul(s->b, x, y, "");
	return take_checked(s, INTRINSIC(s, "llvm.smul.with.overflow", x, y));
}

/* constant + terms, or coefficient * atoms */
static LLVMValueRef emit_chain(sizes *s, const sym *e)
{
	LLVMValueRef (*combine)(sizes *, bool, LLVMValueRef, LLVMValueRef) = e->kind == SYM_ADD ? add : mul;
	int64_t neutral = e->kind == SYM_ADD ? 0 : 1;
	bool check = s->checked && (e->lo == INT64_MIN || e->hi == INT64_MAX);
	LLVMValueRef result = NULL;
	for (int i = 0; i < e->n; i++) {
		LLVMValueRef x = sizes_emit(s, e->in[i]);
		result = result ? combine(s, check, result, x) : x;
	}
	if (e->value != neutral)
		result = combine(s, check, result, constant(s, e->value));
	return result;
}

/* The divisor, kept positive where its range alone does not say so: a size that is never used must not trap. */
static LLVMValueRef emit_divisor(sizes *s, const sym *e)
{
	LLVMValueRef d = sizes_emit(s, e);
	return e->lo >= 1 ? d : INTRINSIC(s, "llvm.smax", d, constant(s, 1));
}

/* Floors: the truncated quotient is one too much when the remainder is negative. */
static LLVMValueRef emit_division(sizes *s, const sym *e)
{
	LLVMBuilderRef b = s->b;
	bool mod = e->kind == SYM_MOD;
	LLVMValueRef x = sizes_emit(s, e->in[0]);
	LLVMValueRef d = emit_divisor(s, e->in[1]);
	if (e->in[0]->lo >= 0)
		return mod ? LLVMBuildURem(b, x, d, "") : LLVMBuildUDiv(b, x, d, "");
	LLVMValueRef rest = LLVMBuildSRem(b, x, d, "");
	LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, rest, constant(s, 0), "");
	if (mod)
		return LLVMBuildSelect(b, negative, LLVMBuildAdd(b, rest, d, ""), rest, "");
	LLVMValueRef quotient = LLVMBuildSDiv(b, x, d, "");
	return LLVMBuildAdd(b, quotient, LLVMBuildSExt(b, negative, i64_type(s), ""), "");
}

static LLVMValueRef emit_min_max(sizes *s, const sym *e)
{
	LLVMValueRef x = sizes_emit(s, e->in[0]);
	LLVMValueRef y = sizes_emit(s, e->in[1]);
	return e->kind == SYM_MIN ? INTRINSIC(s, "llvm.smin", x, y) : INTRINSIC(s, "llvm.smax", x, y);
}

static LLVMValueRef emit_new(sizes *s, const sym *e)
{
	switch (e->kind) {
	case SYM_CONST: return constant(s, e->value);
	case SYM_ADD:
	case SYM_MUL: return emit_chain(s, e);
	case SYM_DIV:
	case SYM_MOD: return emit_division(s, e);
	case SYM_MIN:
	case SYM_MAX: return emit_min_max(s, e);
	case SYM_VAR: break;
	}
	bug("a size depends on %s, which has no value outside kernels", e->name ? e->name : "a scalar");
}

LLVMValueRef sizes_emit(sizes *s, const sym *e)
{
	LLVMValueRef value = map_get(s->known, e);
	if (!value) {
		value = emit_new(s, e);
		map_put(s->known, e, value);
	}
	return value;
}

LLVMValueRef sizes_emit_bytes(sizes *s, const sym *n, dtype t)
{
	int bits = dtype_table[t].bits;
	LLVMValueRef count = sizes_emit(s, n);
	bool check = s->checked && n->hi > INT64_MAX / 64;
	if (bits % 8 == 0)
		return mul(s, check, count, constant(s, bits / 8));
	int per_byte = 8 / bits;
	LLVMValueRef up = add(s, check, count, constant(s, per_byte - 1));
	return LLVMBuildUDiv(s->b, up, constant(s, per_byte), "");
}
