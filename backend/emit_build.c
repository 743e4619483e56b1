#include "backend/emit_build.h"

#include <assert.h>
#include <string.h>

enum { MAX_LANES = 64 };

LLVMTypeRef cg_int(code *c, int bits)
{
	return LLVMIntTypeInContext(c->m->context, (unsigned)bits);
}

LLVMTypeRef cg_f32(code *c)
{
	return LLVMFloatTypeInContext(c->m->context);
}

LLVMTypeRef cg_f64(code *c)
{
	return LLVMDoubleTypeInContext(c->m->context);
}

LLVMTypeRef cg_ptr(code *c)
{
	return LLVMPointerTypeInContext(c->m->context, 0);
}

LLVMTypeRef cg_vector(LLVMTypeRef scalar, int lanes)
{
	return lanes ? LLVMVectorType(scalar, (unsigned)lanes) : scalar;
}

int cg_lanes(LLVMTypeRef t)
{
	return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 0;
}

LLVMTypeRef cg_scalar(LLVMTypeRef t)
{
	return cg_lanes(t) ? LLVMGetElementType(t) : t;
}

int cg_bits(LLVMTypeRef t)
{
	LLVMTypeRef s = cg_scalar(t);
	switch (LLVMGetTypeKind(s)) {
	case LLVMIntegerTypeKind: return (int)LLVMGetIntTypeWidth(s);
	case LLVMHalfTypeKind: return 16;
	case LLVMFloatTypeKind: return 32;
	case LLVMDoubleTypeKind: return 64;
	default: bug("cg_bits: not a number");
	}
}

LLVMTypeRef cg_shaped(LLVMTypeRef scalar, LLVMValueRef like)
{
	return cg_vector(scalar, cg_lanes(LLVMTypeOf(like)));
}

LLVMValueRef cg_i64(code *c, int64_t x)
{
	return LLVMConstInt(cg_int(c, 64), (unsigned long long)x, 1);
}

LLVMValueRef cg_i32(code *c, int x)
{
	return LLVMConstInt(cg_int(c, 32), (unsigned long long)x, 1);
}

static LLVMValueRef constant_splat(LLVMValueRef x, int lanes)
{
	if (lanes == 0)
		return x;
	LLVMValueRef all[MAX_LANES];
	assert(lanes <= MAX_LANES);
	for (int i = 0; i < lanes; i++)
		all[i] = x;
	return LLVMConstVector(all, (unsigned)lanes);
}

/* An i8 constant must be given as its low bits: LLVM checks the range since 21. */
static LLVMValueRef int_constant(LLVMTypeRef scalar, int64_t x)
{
	unsigned bits = LLVMGetIntTypeWidth(scalar);
	uint64_t value = (uint64_t)x;
	if (bits < 64)
		value &= (UINT64_C(1) << bits) - 1;
	return LLVMConstInt(scalar, value, 0);
}

LLVMValueRef cg_integer(LLVMTypeRef t, int64_t x)
{
	return constant_splat(int_constant(cg_scalar(t), x), cg_lanes(t));
}

LLVMValueRef cg_number(LLVMTypeRef t, double x)
{
	return constant_splat(LLVMConstReal(cg_scalar(t), x), cg_lanes(t));
}

LLVMValueRef cg_iota(LLVMTypeRef vector, int64_t start, int64_t by)
{
	LLVMValueRef all[MAX_LANES];
	int lanes = cg_lanes(vector);
	assert(lanes <= MAX_LANES);
	for (int i = 0; i < lanes; i++)
		all[i] = int_constant(cg_scalar(vector), (int64_t)((uint64_t)start + (uint64_t)by * (uint64_t)i));
	return LLVMConstVector(all, (unsigned)lanes);
}

LLVMValueRef cg_splat(code *c, LLVMValueRef x, int lanes)
{
	if (lanes == 0)
		return x;
	if (LLVMIsConstant(x) && !LLVMIsAGlobalValue(x))
		return constant_splat(x, lanes);
	LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(x), (unsigned)lanes);
	LLVMValueRef one = LLVMBuildInsertElement(c->b, LLVMGetPoison(t), x, cg_i64(c, 0), "");
	LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(cg_int(c, 32), (unsigned)lanes));
	return LLVMBuildShuffleVector(c->b, one, LLVMGetPoison(t), zeros, "");
}

LLVMValueRef cg_get(code *c, LLVMValueRef vector, int lane)
{
	return LLVMBuildExtractElement(c->b, vector, cg_i64(c, lane), "");
}

LLVMValueRef cg_put(code *c, LLVMValueRef vector, LLVMValueRef x, int lane)
{
	return LLVMBuildInsertElement(c->b, vector, x, cg_i64(c, lane), "");
}

LLVMValueRef cg_shuffle(code *c, LLVMValueRef a, LLVMValueRef b, int start, int by, int lanes)
{
	LLVMValueRef order = cg_iota(LLVMVectorType(cg_int(c, 32), (unsigned)lanes), start, by);
	return LLVMBuildShuffleVector(c->b, a, b ? b : LLVMGetPoison(LLVMTypeOf(a)), order, "");
}

LLVMValueRef cg_intrinsic(code *c, const char *name, LLVMTypeRef *types, int n_types, LLVMValueRef *args, int n_args)
{
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	if (id == 0)
		bug("LLVM does not know %s", name);
	LLVMTypeRef t = LLVMIntrinsicGetType(c->m->context, id, types, (size_t)n_types);
	LLVMValueRef f = LLVMGetIntrinsicDeclaration(c->m->module, id, types, (size_t)n_types);
	return LLVMBuildCall2(c->b, t, f, args, (unsigned)n_args, "");
}

LLVMValueRef cg_intrinsic1(code *c, const char *name, LLVMValueRef x)
{
	return cg_intrinsic(c, name, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, &x, 1);
}

LLVMValueRef cg_intrinsic2(code *c, const char *name, LLVMValueRef x, LLVMValueRef y)
{
	return cg_intrinsic(c, name, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, (LLVMValueRef[]){x, y}, 2);
}

LLVMValueRef cg_intrinsic3(code *c, const char *name, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
	return cg_intrinsic(c, name, (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, (LLVMValueRef[]){x, y, z}, 3);
}

LLVMValueRef cg_contract(LLVMValueRef x)
{
	if (LLVMIsAInstruction(x) && LLVMCanValueUseFastMathFlags(x))
		LLVMSetFastMathFlags(x, LLVMFastMathAllowContract);
	return x;
}

LLVMValueRef cg_bitcast_int(code *c, LLVMValueRef x)
{
	return LLVMBuildBitCast(c->b, x, cg_shaped(cg_int(c, cg_bits(LLVMTypeOf(x))), x), "");
}

LLVMValueRef cg_fma(code *c, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
	if (c->m->options->target->fma)
		return cg_intrinsic3(c, "llvm.fma", x, y, z);
	return LLVMBuildFAdd(c->b, LLVMBuildFMul(c->b, x, y, ""), z, "");
}
