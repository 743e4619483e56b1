/* Expressions to code.
 *
 * The operators work alike on scalars and on vectors; this file evaluates an operand list once when all of it is uniform, else
 * part by part.  A value is computed once per statement (and per branch or mask under which it may be computed).
 * Float products and sums may contract; nothing else is relaxed. */
#include "backend/emit_internal.h"
#include "backend/vecmath.h"

#include "support/diag.h"

#include <math.h>

val val_uniform(LLVMValueRef x)
{
	return (val){.v = {x}};
}

LLVMValueRef val_part(emitter *e, const val *v, int part)
{
	return v->varying ? v->v[part] : cg_splat(&e->c, v->v[0], e->lanes->width);
}

/* ---- conversions ------------------------------------------------------------------------------------------------------ */

static bool is_signed(dtype t) { return dtype_table[t].class == CLASS_SINT; }
static bool is_bool(dtype t) { return t == BOOL; }

LLVMValueRef emit_convert(emitter *e, dtype to, dtype from, LLVMValueRef x)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef t = cg_shaped(emit_type(e, to), x);
	if (to == from)
		return x;
	bool to_float = dtype_is_float(to), from_float = dtype_is_float(from);
	if (is_bool(to)) {
		LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x));
		return from_float ? LLVMBuildFCmp(b, LLVMRealUNE, x, zero, "") : LLVMBuildICmp(b, LLVMIntNE, x, zero, "");
	}
	if (to_float && from_float)
		return LLVMBuildFPCast(b, x, t, "");
	if (to_float)
		return is_signed(from) ? LLVMBuildSIToFP(b, x, t, "") : LLVMBuildUIToFP(b, x, t, "");
	if (from_float) {
		const char *name = is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
		return cg_intrinsic(&e->c, name, (LLVMTypeRef[]){t, LLVMTypeOf(x)}, 2, &x, 1);
	}
	return LLVMBuildIntCast2(b, x, t, is_signed(from), "");
}

/* To a storage type and back: the value as it would be stored. */
static LLVMValueRef cast(emitter *e, const expr *x, LLVMValueRef v)
{
	dtype from = dtype_table[x->in[0]->type].compute, to = dtype_table[x->type].compute;
	v = emit_convert(e, to, from, v);
	if (x->type == to || is_bool(to))
		return v;
	v = narrow_encode(&e->c, x->type, v);
	return narrow_decode(&e->c, x->type, v);
}

/* ---- unary ------------------------------------------------------------------------------------------------------------ */

/* x rounded to an integer, ties to even, without an instruction for it: beyond 2^23 (2^52) every number is one. */
static LLVMValueRef round_even(code *c, LLVMValueRef x)
{
	if (c->m->options->target->rounds)
		return cg_intrinsic1(c, "llvm.roundeven", x);
	LLVMTypeRef t = LLVMTypeOf(x);
	LLVMValueRef magic = cg_number(t, cg_bits(t) == 64 ? 0x1p52 : 0x1p23);
	LLVMValueRef a = cg_intrinsic1(c, "llvm.fabs", x);
	LLVMValueRef r = LLVMBuildFSub(c->b, LLVMBuildFAdd(c->b, a, magic, ""), magic, "");
	r = LLVMBuildSelect(c->b, LLVMBuildFCmp(c->b, LLVMRealOLT, a, magic, ""), r, a, "");
	return cg_intrinsic2(c, "llvm.copysign", r, x);
}

static LLVMValueRef adjust(code *c, LLVMRealPredicate wrong, LLVMValueRef rounded, LLVMValueRef x, double by)
{
	LLVMTypeRef t = LLVMTypeOf(x);
	LLVMValueRef fixed = LLVMBuildFAdd(c->b, rounded, cg_number(t, by), "");
	LLVMValueRef r = LLVMBuildSelect(c->b, LLVMBuildFCmp(c->b, wrong, rounded, x, ""), fixed, rounded, "");
	return cg_intrinsic2(c, "llvm.copysign", r, x);
}

static LLVMValueRef round_float(code *c, expr_op op, LLVMValueRef x)
{
	bool native = c->m->options->target->rounds;
	switch (op) {
	case EXPR_ROUND: return round_even(c, x);
	case EXPR_FLOOR: return native ? cg_intrinsic1(c, "llvm.floor", x) : adjust(c, LLVMRealOGT, round_even(c, x), x, -1);
	case EXPR_CEIL: return native ? cg_intrinsic1(c, "llvm.ceil", x) : adjust(c, LLVMRealOLT, round_even(c, x), x, 1);
	default: break;
	}
	if (native)
		return cg_intrinsic1(c, "llvm.trunc", x);
	LLVMValueRef a = cg_intrinsic1(c, "llvm.fabs", x);
	return cg_intrinsic2(c, "llvm.copysign", adjust(c, LLVMRealOGT, round_even(c, a), a, -1), x);
}

static LLVMValueRef sign(emitter *e, dtype t, LLVMValueRef x)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef type = LLVMTypeOf(x);
	LLVMValueRef zero = LLVMConstNull(type);
	if (dtype_is_float(t)) { /* zeros and NaN are themselves */
		LLVMValueRef r = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOLT, x, zero, ""), cg_number(type, -1), x, "");
		return LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealOGT, x, zero, ""), cg_number(type, 1), r, "");
	}
	LLVMValueRef above = LLVMBuildZExt(b, LLVMBuildICmp(b, LLVMIntNE, x, zero, ""), type, "");
	if (!is_signed(t))
		return above;
	LLVMValueRef below = LLVMBuildICmp(b, LLVMIntSLT, x, zero, "");
	return LLVMBuildSelect(b, below, cg_integer(type, -1), above, "");
}

static LLVMValueRef absolute(emitter *e, dtype t, LLVMValueRef x)
{
	if (dtype_is_float(t))
		return cg_intrinsic1(&e->c, "llvm.fabs", x);
	if (!is_signed(t))
		return x;
	LLVMValueRef args[] = {x, LLVMConstNull(cg_int(&e->c, 1))}; /* of the smallest: itself */
	return cg_intrinsic(&e->c, "llvm.abs", (LLVMTypeRef[]){LLVMTypeOf(x)}, 1, args, 2);
}

static LLVMValueRef byte_at(emitter *e, LLVMValueRef address)
{
	LLVMTypeRef i8 = cg_int(&e->c, 8), pointer = LLVMPointerTypeInContext(e->m->context, 0);
	LLVMValueRef byte = LLVMBuildLoad2(e->c.b, i8, LLVMBuildIntToPtr(e->c.b, address, pointer, ""), "");
	return LLVMBuildZExt(e->c.b, byte, LLVMTypeOf(address), "");
}

static LLVMValueRef unary(emitter *e, const expr *x, LLVMValueRef a)
{
	LLVMBuilderRef b = e->c.b;
	dtype t = x->in[0]->type;
	bool is_float = dtype_is_float(t);
	switch (x->op) {
	case EXPR_CAST: return cast(e, x, a);
	case EXPR_BITCAST: return LLVMBuildBitCast(b, a, cg_shaped(emit_type(e, x->type), a), "");
	case EXPR_NEG: return is_float ? LLVMBuildFNeg(b, a, "") : LLVMBuildNeg(b, a, "");
	case EXPR_ABS: return absolute(e, t, a);
	case EXPR_SIGN: return sign(e, t, a);
	case EXPR_NOT: return LLVMBuildNot(b, a, "");
	case EXPR_FLOOR:
	case EXPR_CEIL:
	case EXPR_ROUND:
	case EXPR_TRUNC: return is_float ? round_float(&e->c, x->op, a) : a;
	case EXPR_SQRT: return cg_intrinsic1(&e->c, "llvm.sqrt", a);
	case EXPR_ISNAN: return LLVMBuildFCmp(b, LLVMRealUNO, a, a, "");
	case EXPR_BYTE: return byte_at(e, a);
	default: return vecmath_unary(&e->c, x->op, a);
	}
}

/* ---- integer division and shifts: total -------------------------------------------------------------------------------- */

/* Is the divisor a constant that needs no care? */
static bool is_plain_divisor(LLVMValueRef y)
{
	LLVMValueRef one = cg_lanes(LLVMTypeOf(y)) ? NULL : y;
	if (LLVMIsConstant(y) && !one)
		one = LLVMGetAggregateElement(y, 0);
	if (!one || !LLVMIsAConstantInt(one))
		return false;
	long long k = LLVMConstIntGetSExtValue(one);
	return k != 0 && k != -1 && (!cg_lanes(LLVMTypeOf(y)) || cg_integer(LLVMTypeOf(y), k) == y);
}

static LLVMValueRef divide(emitter *e, bool is_sint, LLVMValueRef x, LLVMValueRef y)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef t = LLVMTypeOf(x);
	if (is_plain_divisor(y))
		return is_sint ? LLVMBuildSDiv(b, x, y, "") : LLVMBuildUDiv(b, x, y, "");
	LLVMValueRef zero = LLVMBuildICmp(b, LLVMIntEQ, y, LLVMConstNull(t), ""), one = cg_integer(t, 1);
	LLVMValueRef special = zero, minus = NULL;
	if (is_sint) {
		minus = LLVMBuildICmp(b, LLVMIntEQ, y, cg_integer(t, -1), "");
		special = LLVMBuildOr(b, zero, minus, "");
	}
	LLVMValueRef safe = LLVMBuildSelect(b, special, one, y, "");
	LLVMValueRef q = is_sint ? LLVMBuildSDiv(b, x, safe, "") : LLVMBuildUDiv(b, x, safe, "");
	if (is_sint)
		q = LLVMBuildSelect(b, minus, LLVMBuildNeg(b, x, ""), q, "");
	return LLVMBuildSelect(b, zero, LLVMConstNull(t), q, "");
}

static LLVMValueRef remainder_of(emitter *e, bool is_sint, LLVMValueRef x, LLVMValueRef y)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef t = LLVMTypeOf(x);
	if (!is_plain_divisor(y)) { /* x mod 1 is what 0 and -1 give */
		LLVMValueRef special = LLVMBuildICmp(b, LLVMIntEQ, y, LLVMConstNull(t), "");
		if (is_sint)
			special = LLVMBuildOr(b, special, LLVMBuildICmp(b, LLVMIntEQ, y, cg_integer(t, -1), ""), "");
		y = LLVMBuildSelect(b, special, cg_integer(t, 1), y, "");
	}
	return is_sint ? LLVMBuildSRem(b, x, y, "") : LLVMBuildURem(b, x, y, "");
}

/* The remainder has the dividend's sign; give it the divisor's. */
static LLVMValueRef modulo(emitter *e, dtype t, LLVMValueRef x, LLVMValueRef y)
{
	LLVMBuilderRef b = e->c.b;
	LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(x)), r, differ, sum;
	if (dtype_is_float(t)) {
		r = vecmath_fmod(&e->c, x, y);
		differ = LLVMBuildXor(b, LLVMBuildFCmp(b, LLVMRealOLT, r, zero, ""), LLVMBuildFCmp(b, LLVMRealOLT, y, zero, ""), "");
		differ = LLVMBuildAnd(b, differ, LLVMBuildFCmp(b, LLVMRealONE, r, zero, ""), "");
		sum = LLVMBuildFAdd(b, r, y, "");
	} else {
		r = remainder_of(e, is_signed(t), x, y);
		if (!is_signed(t))
			return r;
		differ = LLVMBuildICmp(b, LLVMIntSLT, LLVMBuildXor(b, r, y, ""), zero, "");
		differ = LLVMBuildAnd(b, differ, LLVMBuildICmp(b, LLVMIntNE, r, zero, ""), "");
		sum = LLVMBuildAdd(b, r, y, "");
	}
	return LLVMBuildSelect(b, differ, sum, r, "");
}

static LLVMValueRef shift(emitter *e, const expr *x, LLVMValueRef a, LLVMValueRef n)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef t = LLVMTypeOf(a);
	LLVMValueRef inside = LLVMBuildICmp(b, LLVMIntULT, n, cg_integer(t, cg_bits(t)), "");
	n = LLVMBuildSelect(b, inside, n, LLVMConstNull(t), "");
	LLVMValueRef r;
	if (x->op == EXPR_SHL)
		r = LLVMBuildShl(b, a, n, "");
	else
		r = is_signed(x->type) ? LLVMBuildAShr(b, a, n, "") : LLVMBuildLShr(b, a, n, "");
	return LLVMBuildSelect(b, inside, r, LLVMConstNull(t), "");
}

/* ---- pow -------------------------------------------------------------------------------------------------------------- */

/* 64-bit pow by squaring, wrapping; x^-n is 0 but for 1 and -1.  A function of the module. */
static LLVMValueRef integer_power_function(emitter *e, LLVMTypeRef type, bool is_sint)
{
	const char *name = is_sint ? "dlcc.pow.i64" : "dlcc.pow.u64";
	LLVMValueRef f = LLVMGetNamedFunction(e->m->module, name);
	if (f)
		return f;
	f = LLVMAddFunction(e->m->module, name, type);
	LLVMSetLinkage(f, LLVMInternalLinkage);
	emit_function_attributes(e->m, f);

	LLVMContextRef context = e->m->context;
	LLVMBuilderRef b = LLVMCreateBuilderInContext(context);
	LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(context, f, "entry");
	LLVMBasicBlockRef again = LLVMAppendBasicBlockInContext(context, f, "loop");
	LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(context, f, "done");
	LLVMTypeRef i64 = cg_int(&e->c, 64);
	LLVMValueRef x = LLVMGetParam(f, 0), n = LLVMGetParam(f, 1), zero = cg_i64(&e->c, 0), one = cg_i64(&e->c, 1);

	LLVMPositionBuilderAtEnd(b, entry);
	LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, n, zero, "");
	LLVMValueRef unit = LLVMBuildICmp(b, LLVMIntULE, LLVMBuildAdd(b, x, one, ""), cg_i64(&e->c, 2), "");
	unit = LLVMBuildAnd(b, unit, LLVMBuildICmp(b, LLVMIntNE, x, zero, ""), "");
	LLVMValueRef none = LLVMBuildAnd(b, negative, LLVMBuildNot(b, unit, ""), "");
	LLVMValueRef base = is_sint ? LLVMBuildSelect(b, none, zero, x, "") : x;
	LLVMBuildBr(b, again);

	LLVMPositionBuilderAtEnd(b, again); /* units to the power n and -n are the same: n runs down as an unsigned number */
	LLVMValueRef power = LLVMBuildPhi(b, i64, ""), square = LLVMBuildPhi(b, i64, ""), left = LLVMBuildPhi(b, i64, "");
	LLVMValueRef odd = LLVMBuildTrunc(b, left, cg_int(&e->c, 1), "");
	LLVMValueRef next_power = LLVMBuildSelect(b, odd, LLVMBuildMul(b, power, square, ""), power, "");
	LLVMValueRef next_square = LLVMBuildMul(b, square, square, ""), next_left = LLVMBuildLShr(b, left, one, "");
	LLVMValueRef phis[] = {power, square, left}, first[] = {one, base, n}, next[] = {next_power, next_square, next_left};
	for (int i = 0; i < 3; i++)
		LLVMAddIncoming(phis[i], (LLVMValueRef[]){first[i], next[i]}, (LLVMBasicBlockRef[]){entry, again}, 2);
	LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, next_left, zero, ""), again, done);

	LLVMPositionBuilderAtEnd(b, done);
	LLVMBuildRet(b, next_power);
	LLVMDisposeBuilder(b);
	return f;
}

static LLVMValueRef integer_power(emitter *e, dtype t, LLVMValueRef x, LLVMValueRef n)
{
	LLVMBuilderRef b = e->c.b;
	LLVMTypeRef i64 = cg_int(&e->c, 64), type = LLVMFunctionType(i64, (LLVMTypeRef[]){i64, i64}, 2, 0);
	LLVMValueRef f = integer_power_function(e, type, is_signed(t));
	int n_lanes = cg_lanes(LLVMTypeOf(x));
	LLVMValueRef all = LLVMGetPoison(LLVMTypeOf(x));
	for (int i = 0; i < (n_lanes ? n_lanes : 1); i++) {
		LLVMValueRef args[] = {n_lanes ? cg_get(&e->c, x, i) : x, n_lanes ? cg_get(&e->c, n, i) : n};
		for (int j = 0; j < 2; j++)
			args[j] = LLVMBuildIntCast2(b, args[j], i64, is_signed(t), "");
		LLVMValueRef r = LLVMBuildCall2(b, type, f, args, 2, "");
		r = LLVMBuildIntCast2(b, r, cg_scalar(LLVMTypeOf(x)), 0, "");
		all = n_lanes ? cg_put(&e->c, all, r, i) : r;
	}
	return all;
}

static LLVMValueRef power(emitter *e, const expr *x, LLVMValueRef a, LLVMValueRef n)
{
	LLVMBuilderRef b = e->c.b;
	if (!dtype_is_float(x->type))
		return integer_power(e, x->type, a, n);
	if (x->in[1]->op == EXPR_CONST) {
		double k = x->in[1]->f;
		if (k == 1)
			return a;
		if (k == 2)
			return LLVMBuildFMul(b, a, a, "");
		if (k == 3)
			return LLVMBuildFMul(b, LLVMBuildFMul(b, a, a, ""), a, "");
		if (k == -1)
			return LLVMBuildFDiv(b, cg_number(LLVMTypeOf(a), 1), a, "");
	}
	return vecmath_pow(&e->c, a, n);
}

/* ---- min, max --------------------------------------------------------------------------------------------------------- */

static bool is_number(const expr *x)
{
	return x && x->op == EXPR_CONST && dtype_is_float(x->type) && !isnan(x->f);
}

/* Of floats: NaN when either is.  Against a constant, the comparison that fails on NaN keeps the other operand: one instruction. */
static LLVMValueRef extremum(emitter *e, expr_op op, dtype t, LLVMValueRef x, LLVMValueRef y, const expr *x_expr,
	const expr *y_expr)
{
	LLVMBuilderRef b = e->c.b;
	bool max = op == EXPR_MAX;
	if (is_bool(t))
		return max ? LLVMBuildOr(b, x, y, "") : LLVMBuildAnd(b, x, y, "");
	if (!dtype_is_float(t)) {
		static const char *const name[2][2] = {{"llvm.umin", "llvm.umax"}, {"llvm.smin", "llvm.smax"}};
		return cg_intrinsic2(&e->c, name[is_signed(t)][max], x, y);
	}
	if (is_number(x_expr) || is_number(y_expr)) {
		LLVMValueRef constant = is_number(y_expr) ? y : x, other = is_number(y_expr) ? x : y;
		LLVMValueRef wins = LLVMBuildFCmp(b, max ? LLVMRealOGT : LLVMRealOLT, constant, other, "");
		return LLVMBuildSelect(b, wins, constant, other, "");
	}
	LLVMValueRef r = cg_intrinsic2(&e->c, max ? "llvm.maximum" : "llvm.minimum", x, y);
	if (LLVMIsAInstruction(r))
		LLVMSetFastMathFlags(r, LLVMFastMathNoSignedZeros);
	return r;
}

/* ---- binary ----------------------------------------------------------------------------------------------------------- */

static LLVMValueRef compare(emitter *e, expr_op op, dtype t, LLVMValueRef x, LLVMValueRef y)
{
	enum { ROWS = EXPR_GE - EXPR_EQ + 1 };
	static const struct { LLVMRealPredicate f; LLVMIntPredicate s, u; } predicates[ROWS] = {
		[EXPR_EQ - EXPR_EQ] = {LLVMRealOEQ, LLVMIntEQ, LLVMIntEQ},
		[EXPR_NE - EXPR_EQ] = {LLVMRealUNE, LLVMIntNE, LLVMIntNE},
		[EXPR_LT - EXPR_EQ] = {LLVMRealOLT, LLVMIntSLT, LLVMIntULT},
		[EXPR_LE - EXPR_EQ] = {LLVMRealOLE, LLVMIntSLE, LLVMIntULE},
		[EXPR_GT - EXPR_EQ] = {LLVMRealOGT, LLVMIntSGT, LLVMIntUGT},
		[EXPR_GE - EXPR_EQ] = {LLVMRealOGE, LLVMIntSGE, LLVMIntUGE},
	};
	int row = (int)op - (int)EXPR_EQ;
	if (dtype_is_float(t))
		return LLVMBuildFCmp(e->c.b, predicates[row].f, x, y, "");
	return LLVMBuildICmp(e->c.b, is_signed(t) ? predicates[row].s : predicates[row].u, x, y, "");
}

static LLVMValueRef binary(emitter *e, const expr *x, LLVMValueRef a, LLVMValueRef n)
{
	LLVMBuilderRef b = e->c.b;
	dtype t = x->in[0]->type;
	bool is_float = dtype_is_float(t);
	switch (x->op) {
	case EXPR_ADD: return is_float ? cg_contract(LLVMBuildFAdd(b, a, n, "")) : LLVMBuildAdd(b, a, n, "");
	case EXPR_SUB: return is_float ? cg_contract(LLVMBuildFSub(b, a, n, "")) : LLVMBuildSub(b, a, n, "");
	case EXPR_MUL: return is_float ? cg_contract(LLVMBuildFMul(b, a, n, "")) : LLVMBuildMul(b, a, n, "");
	case EXPR_DIV: return is_float ? LLVMBuildFDiv(b, a, n, "") : divide(e, is_signed(t), a, n);
	case EXPR_MOD: return modulo(e, t, a, n);
	case EXPR_REM: return is_float ? vecmath_fmod(&e->c, a, n) : remainder_of(e, is_signed(t), a, n);
	case EXPR_POW: return power(e, x, a, n);
	case EXPR_MIN:
	case EXPR_MAX: return extremum(e, x->op, t, a, n, x->in[0], x->in[1]);
	case EXPR_AND: return LLVMBuildAnd(b, a, n, "");
	case EXPR_OR: return LLVMBuildOr(b, a, n, "");
	case EXPR_XOR: return LLVMBuildXor(b, a, n, "");
	case EXPR_SHL:
	case EXPR_SHR: return shift(e, x, a, n);
	case EXPR_EQ:
	case EXPR_NE:
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE: return compare(e, x->op, t, a, n);
	default: bug("%s is not binary", expr_op_table[x->op].name);
	}
}

LLVMValueRef emit_combine(emitter *e, expr_op op, dtype t, LLVMValueRef a, LLVMValueRef b)
{
	bool is_float = dtype_is_float(t);
	switch (op) {
	case EXPR_ADD: return is_float ? LLVMBuildFAdd(e->c.b, a, b, "") : LLVMBuildAdd(e->c.b, a, b, "");
	case EXPR_MUL: return is_float ? LLVMBuildFMul(e->c.b, a, b, "") : LLVMBuildMul(e->c.b, a, b, "");
	case EXPR_MIN:
	case EXPR_MAX: return extremum(e, op, t, a, b, NULL, NULL);
	case EXPR_AND: return LLVMBuildAnd(e->c.b, a, b, "");
	case EXPR_OR: return LLVMBuildOr(e->c.b, a, b, "");
	default: bug("lanes cannot be combined by %s", expr_op_table[op].name);
	}
}

static LLVMValueRef operation(emitter *e, const expr *x, const LLVMValueRef *in)
{
	switch (x->n_in) {
	case 1: return unary(e, x, in[0]);
	case 2: return binary(e, x, in[0], in[1]);
	default: break;
	}
	if (x->op == EXPR_SELECT || x->op == EXPR_CHOOSE)
		return LLVMBuildSelect(e->c.b, in[0], in[1], in[2], "");
	if (x->op != EXPR_FMA)
		bug("%s is not ternary", expr_op_table[x->op].name);
	LLVMValueRef product;
	if (dtype_is_float(x->type)) {
		const char *name = e->m->options->target->fma ? "llvm.fma" : "llvm.fmuladd";
		return cg_intrinsic3(&e->c, name, in[0], in[1], in[2]);
	}
	product = LLVMBuildMul(e->c.b, in[0], in[1], "");
	return LLVMBuildAdd(e->c.b, product, in[2], "");
}

/* The operation on the operands' values, once or part by part. */
static val apply(emitter *e, const expr *x, const val *in)
{
	val r = {0};
	for (int i = 0; i < x->n_in; i++)
		r.varying |= in[i].varying;
	/* A uniform condition selects between whole parts. */
	bool scalar_condition = (x->op == EXPR_SELECT || x->op == EXPR_CHOOSE) && !in[0].varying;
	for (int p = 0; p < (r.varying ? e->lanes->parts : 1); p++) {
		LLVMValueRef part[3];
		for (int i = 0; i < x->n_in; i++) {
			bool keep = !r.varying || (i == 0 && scalar_condition);
			part[i] = keep ? in[i].v[0] : val_part(e, &in[i], p);
		}
		r.v[p] = operation(e, x, part);
	}
	return r;
}

/* ---- choose ----------------------------------------------------------------------------------------------------------- */

static bool is_scalar_var(const sym *var, void *user)
{
	(void)user;
	return var->role == SYM_SCALAR;
}

static bool is_access(const expr *x, void *user)
{
	(void)user;
	return x->op == EXPR_LOAD || x->op == EXPR_BYTE || (x->op == EXPR_INDEX && sym_any_var(x->index, is_scalar_var, NULL));
}

/* Both sides may be evaluated, each for its own lanes. */
static val emit_side(emitter *e, const expr *x, const val *cond, bool side)
{
	lanes outer = *e->lanes, inner = outer;
	for (int p = 0; p < outer.parts; p++) {
		LLVMValueRef here = side ? cond->v[p] : LLVMBuildNot(e->c.b, cond->v[p], "");
		inner.mask[p] = outer.mask[p] ? LLVMBuildAnd(e->c.b, outer.mask[p], here, "") : here;
	}
	inner.maybe_empty = true;
	memo_mark mark = emit_memo_mark(e);
	lanes *active = e->lanes;
	*active = inner;
	val v = emit_expr(e, x);
	*active = outer;
	emit_memo_rewind(e, mark);
	return v;
}

static val emit_arm_value(emitter *e, const expr *x, LLVMBasicBlockRef at, LLVMBasicBlockRef *end)
{
	memo_mark mark = emit_memo_mark(e);
	LLVMPositionBuilderAtEnd(e->c.b, at);
	val v = emit_expr(e, x);
	*end = LLVMGetInsertBlock(e->c.b);
	emit_memo_rewind(e, mark);
	return v;
}

/* A uniform condition: a branch. */
static val emit_branch_value(emitter *e, const expr *x, LLVMValueRef cond)
{
	LLVMBuilderRef b = e->c.b;
	LLVMBasicBlockRef start[2] = {emit_new_block(e, "choose"), emit_new_block(e, "or")}, end[2];
	LLVMBasicBlockRef after = emit_new_block(e, "chosen");
	LLVMBuildCondBr(b, cond, start[0], start[1]);
	val side[2];
	for (int i = 0; i < 2; i++)
		side[i] = emit_arm_value(e, x->in[1 + i], start[i], &end[i]);

	val r = {.varying = side[0].varying || side[1].varying};
	int n = r.varying ? e->lanes->parts : 1;
	for (int i = 0; i < 2; i++) {
		LLVMPositionBuilderAtEnd(b, end[i]);
		for (int p = 0; r.varying && !side[i].varying && p < n; p++)
			side[i].v[n - 1 - p] = val_part(e, &side[i], n - 1 - p); /* v[0] last: it is what the others copy */
		LLVMBuildBr(b, after);
	}
	LLVMPositionBuilderAtEnd(b, after);
	for (int p = 0; p < n; p++) {
		r.v[p] = LLVMBuildPhi(b, LLVMTypeOf(side[0].v[p]), "");
		LLVMAddIncoming(r.v[p], (LLVMValueRef[]){side[0].v[p], side[1].v[p]}, end, 2);
	}
	return r;
}

static val emit_choose(emitter *e, const expr *x)
{
	bool accesses[2] = {expr_any(x->in[1], is_access, NULL), expr_any(x->in[2], is_access, NULL)};
	val in[3] = {emit_expr(e, x->in[0])};
	if (!in[0].varying && LLVMIsAConstantInt(in[0].v[0]))
		return emit_expr(e, x->in[LLVMConstIntGetZExtValue(in[0].v[0]) ? 1 : 2]);
	if (!in[0].varying && (accesses[0] || accesses[1]))
		return emit_branch_value(e, x, in[0].v[0]);
	for (int i = 0; i < 2; i++)
		in[1 + i] = in[0].varying && accesses[i] ? emit_side(e, x->in[1 + i], &in[0], i == 0) : emit_expr(e, x->in[1 + i]);
	return apply(e, x, in);
}

/* ---- leaves ----------------------------------------------------------------------------------------------------------- */

static LLVMValueRef constant(emitter *e, const expr *x)
{
	LLVMTypeRef t = emit_type(e, x->type);
	return dtype_is_float(x->type) ? cg_number(t, x->f) : cg_integer(t, x->i);
}

static val emit_local(emitter *e, const local *l)
{
	const slot *s = map_get(e->locals, l);
	if (!s)
		bug("local %s is not in scope", l->name);
	if (!s->variable)
		return s->v;
	val v = {.varying = s->v.varying};
	for (int p = 0; p < (v.varying ? e->lanes->parts : 1); p++)
		v.v[p] = LLVMBuildLoad2(e->c.b, s->type, s->v.v[p], "");
	return v;
}

/* Of a small index in 32 bits, which vectors are good at. */
static bool is_narrow_index(emitter *e, const expr *x)
{
	return e->lanes && x->op == EXPR_INDEX && emit_sym_narrow(x->index) && sym_varies(e, x->index);
}

static bool is_narrow_or_constant(const expr *x)
{
	return (x->op == EXPR_INDEX && emit_sym_narrow(x->index)) ||
	       (x->op == EXPR_CONST && x->type == I64 && x->i >= INT32_MIN && x->i <= INT32_MAX);
}

static val narrow_operand(emitter *e, const expr *x)
{
	LLVMTypeRef i32 = cg_int(&e->c, 32);
	return x->op == EXPR_INDEX ? emit_index(e, x->index, i32) : val_uniform(cg_integer(i32, x->i));
}

/* cast(index) and index < index, in 32 bits when they fit. */
static bool emit_narrow(emitter *e, const expr *x, val *r)
{
	if (x->op == EXPR_CAST && x->type == dtype_table[x->type].compute && is_narrow_index(e, x->in[0])) {
		val in = narrow_operand(e, x->in[0]);
		r->varying = true;
		for (int p = 0; p < e->lanes->parts; p++)
			r->v[p] = emit_convert(e, x->type, I32, in.v[p]);
		return true;
	}
	if (x->op < EXPR_EQ || x->op > EXPR_GE || !is_narrow_or_constant(x->in[0]) || !is_narrow_or_constant(x->in[1]))
		return false;
	if (!is_narrow_index(e, x->in[0]) && !is_narrow_index(e, x->in[1]))
		return false;
	val in[2] = {narrow_operand(e, x->in[0]), narrow_operand(e, x->in[1])};
	r->varying = true;
	for (int p = 0; p < e->lanes->parts; p++)
		r->v[p] = compare(e, x->op, I32, val_part(e, &in[0], p), val_part(e, &in[1], p));
	return true;
}

static val evaluate(emitter *e, const expr *x)
{
	switch (x->op) {
	case EXPR_CONST: return val_uniform(constant(e, x));
	case EXPR_ARG: bug("operand %%%d in a kernel", (int)x->i);
	case EXPR_INDEX: return emit_index(e, x->index, cg_int(&e->c, 64));
	case EXPR_LOAD: return emit_load(e, x->buffer, x->index);
	case EXPR_LOCAL: return emit_local(e, x->local);
	case EXPR_CHOOSE: return emit_choose(e, x);
	default: break;
	}
	val in[3] = {0}, r = {0};
	if (emit_narrow(e, x, &r))
		return r;
	for (int i = 0; i < x->n_in; i++)
		in[i] = emit_expr(e, x->in[i]);
	return apply(e, x, in);
}

val emit_expr(emitter *e, const expr *x)
{
	val v = {0};
	if (x->op == EXPR_CONST)
		return val_uniform(constant(e, x));
	if (memo_find(&e->exprs, x, &v))
		return v;
	v = evaluate(e, x);
	memo_put(e, &e->exprs, x, &v);
	return v;
}

LLVMValueRef emit_condition(emitter *e, const expr *x)
{
	val v = emit_expr(e, x);
	if (v.varying)
		bug("a condition of if or while differs between lanes");
	return v.v[0];
}
