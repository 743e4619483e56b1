/* Mathematical functions of f32 and f64 values and vectors. */
#pragma once

#include "backend/emit_build.h"
#include "ir/expr.h"

/* EXP ... SIGMOID of expr_ops.def. */
LLVMValueRef vecmath_unary(code *c, expr_op op, LLVMValueRef x);
LLVMValueRef vecmath_pow(code *c, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef vecmath_fmod(code *c, LLVMValueRef x, LLVMValueRef y);
