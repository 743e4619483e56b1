/* Shorthand for building LLVM code that works alike on scalars and on vectors.
 *
 * A function that takes a value makes code for whatever shape it has: constants are splat to the shape of their peer. */
#pragma once

#include "backend/emit.h"

typedef struct code { /* where code goes */
	emit_module *m;
	LLVMBuilderRef b;
} code;

LLVMTypeRef cg_int(code *c, int bits);
LLVMTypeRef cg_f32(code *c);
LLVMTypeRef cg_f64(code *c);
LLVMTypeRef cg_ptr(code *c);
LLVMTypeRef cg_vector(LLVMTypeRef scalar, int lanes); /* the scalar type itself when lanes == 0 */

int cg_lanes(LLVMTypeRef t); /* 0: a scalar */
LLVMTypeRef cg_scalar(LLVMTypeRef t);
int cg_bits(LLVMTypeRef t); /* of one element */
LLVMTypeRef cg_shaped(LLVMTypeRef scalar, LLVMValueRef like); /* scalar, or a vector of as many lanes as `like` */

LLVMValueRef cg_i64(code *c, int64_t x);
LLVMValueRef cg_i32(code *c, int x);
LLVMValueRef cg_integer(LLVMTypeRef t, int64_t x); /* every lane */
LLVMValueRef cg_number(LLVMTypeRef t, double x);
LLVMValueRef cg_iota(LLVMTypeRef vector, int64_t start, int64_t by);
LLVMValueRef cg_splat(code *c, LLVMValueRef x, int lanes);
LLVMValueRef cg_get(code *c, LLVMValueRef vector, int lane);
LLVMValueRef cg_put(code *c, LLVMValueRef vector, LLVMValueRef x, int lane);
/* Lanes start, start + by ... of a followed by b (NULL: only a). */
LLVMValueRef cg_shuffle(code *c, LLVMValueRef a, LLVMValueRef b, int start, int by, int lanes);

/* A call of an LLVM intrinsic overloaded on `types`. */
LLVMValueRef cg_intrinsic(code *c, const char *name, LLVMTypeRef *types, int n_types, LLVMValueRef *args, int n_args);
LLVMValueRef cg_intrinsic1(code *c, const char *name, LLVMValueRef x); /* overloaded on its operands' one type */
LLVMValueRef cg_intrinsic2(code *c, const char *name, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef cg_intrinsic3(code *c, const char *name, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
/* Allows fusing a product and a sum into one rounding. */
LLVMValueRef cg_contract(LLVMValueRef x);
LLVMValueRef cg_bitcast_int(code *c, LLVMValueRef x); /* to integers of the same width */
LLVMValueRef cg_fma(code *c, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z); /* x*y + z; two roundings without the instruction */
