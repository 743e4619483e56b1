/* What passes know of a target machine: plain data.  The rows are in backend/target.c, the only place that names an ISA. */
#pragma once

#include "ir/dtype.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_TILES = 8 };

/* A register tile: rows x vectors accumulators. */
typedef struct tile_shape { int rows, vectors; } tile_shape;

typedef enum dot_unit { DOT_NONE, DOT_VNNI, DOT_SDOT } dot_unit;

typedef struct target {
	const char *name;     /* what --cpu takes */
	const char *arch;     /* LLVM architecture: x86_64, aarch64 */
	const char *llvm_cpu; /* LLVM's -mcpu */
	const char *features; /* LLVM feature string, "+a,+b" */
	int vector_bytes;     /* widest vector used */
	int vector_regs;
	bool masks;           /* masked loads and stores of every element width cost about a plain one */
	bool masks_32;        /* ... at least those of 32 and 64 bits do */
	bool f16;             /* converts f16 <-> f32 in hardware */
	bool rounds;          /* floor, ceil, trunc and round-to-even are instructions */
	const char *scalef;   /* LLVM intrinsic for x * 2^floor(n) on a whole f32 vector, or NULL */
	bool fma;
	bool fma_by_lane;     /* a multiply-add takes any one lane of a vector as a factor */
	tile_shape gemm[MAX_TILES]; /* register tiles in order of preference, ends with rows == 0 */
	tile_shape gemv[MAX_TILES]; /* for fewer rows than a gemm tile; rows ascending */
	int depthwise_pixels;
	int l1_kib, l2_kib;
	dot_unit int8_dot;
	uint64_t required;    /* DLRT_CPU_* bits checked before the first run */
} target;

/* f32 lanes of a vector (1 at -O0). */
static inline int target_lanes(const target *t, dtype type)
{
	static const int bits[] = {
#define DTYPE(name, keyword, onnx, bits, class, compute) [name] = bits,
#include "ir/dtypes.def"
#undef DTYPE
	};
	int lanes = t->vector_bytes * 8 / bits[type];
	return lanes < 1 ? 1 : lanes;
}
