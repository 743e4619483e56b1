/* The machines code can be made for: one row each, the only place in the compiler that names an instruction set.
 *
 * Rows of one architecture go from the plainest to the richest; "native" is the last one whose features the host has.
 * Register tiles and their order come from measurements (bench/): accumulators + one vector per column + one broadcast (one vector
 * per row where multiply-adds take lanes) must fit the registers, and tiles beyond that spill. */
#include "backend/backend.h"
#include "runtime/dlrt.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <string.h>

#define CPU(feature) (UINT64_C(1) << DLRT_CPU_##feature)

#define V2_BITS (CPU(SSE3) | CPU(SSSE3) | CPU(SSE41) | CPU(SSE42) | CPU(POPCNT))
#define V3_BITS (V2_BITS | CPU(MOVBE) | CPU(LZCNT) | CPU(BMI) | CPU(BMI2) | CPU(AVX) | CPU(AVX2) | CPU(FMA) | CPU(F16C))
#define V4_BITS (V3_BITS | CPU(AVX512F) | CPU(AVX512CD) | CPU(AVX512BW) | CPU(AVX512DQ) | CPU(AVX512VL))

#define V2_FEATURES "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt"
#define V3_FEATURES V2_FEATURES ",+movbe,+lzcnt,+bmi,+bmi2,+avx,+avx2,+fma,+f16c"
#define V4_FEATURES V3_FEATURES ",+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"

#define ARM82_BITS (CPU(NEON) | CPU(LSE) | CPU(RDM) | CPU(FULLFP16) | CPU(DOTPROD))
#define NEOVERSE_V1_BITS (ARM82_BITS | CPU(FP16FML) | CPU(I8MM) | CPU(ARM_BF16) | CPU(SVE))

#define ARM82_FEATURES "+neon,+lse,+rdm,+fullfp16,+dotprod"
#define NEOVERSE_V1_FEATURES ARM82_FEATURES ",+fp16fml,+i8mm,+bf16,+sve"

/* clang-format off */
#define NEON_VECTORS .vector_bytes = 16, .vector_regs = 32, .fma = true, .fma_by_lane = true, .f16 = true, .rounds = true
#define SSE_TILES  .gemm = {{3, 3}, {4, 2}}, .gemv = {{1, 8}, {2, 4}}, .depthwise_pixels = 6
#define AVX2_TILES .gemm = {{6, 2}, {4, 3}}, .gemv = {{1, 8}, {2, 5}, {6, 2}}, .depthwise_pixels = 7
#define AVX512_TILES .gemm = {{9, 3}, {6, 4}, {14, 2}, {28, 1}}, .gemv = {{1, 8}, {4, 4}, {8, 2}}, .depthwise_pixels = 14
#define NEON_TILES .gemm = {{7, 3}, {5, 4}}, .gemv = {{1, 16}, {4, 5}, {7, 3}}, .depthwise_pixels = 14
#define SCALEF "llvm.x86.avx512.mask.scalef.ps.512"

static const target targets[] = {
	{.name = "x86-64", .arch = "x86_64", .llvm_cpu = "x86-64", .features = "",
	 .vector_bytes = 16, .vector_regs = 16, SSE_TILES, .l1_kib = 32, .l2_kib = 256},
	{.name = "x86-64-v2", .arch = "x86_64", .llvm_cpu = "x86-64-v2", .features = V2_FEATURES,
	 .vector_bytes = 16, .vector_regs = 16, .rounds = true, SSE_TILES, .l1_kib = 32, .l2_kib = 256,
	 .required = V2_BITS},
	{.name = "x86-64-v3", .arch = "x86_64", .llvm_cpu = "x86-64-v3", .features = V3_FEATURES,
	 .vector_bytes = 32, .vector_regs = 16, .masks_32 = true, .fma = true, .f16 = true, .rounds = true, AVX2_TILES,
	 .l1_kib = 32, .l2_kib = 256, .required = V3_BITS},
	{.name = "x86-64-v4", .arch = "x86_64", .llvm_cpu = "x86-64-v4", .features = V4_FEATURES,
	 .vector_bytes = 64, .vector_regs = 32, .masks = true, .masks_32 = true, .fma = true, .f16 = true, .rounds = true,
	 .scalef = SCALEF, AVX512_TILES, .l1_kib = 32, .l2_kib = 1024, .required = V4_BITS},
	{.name = "cascadelake", .arch = "x86_64", .llvm_cpu = "cascadelake", .features = V4_FEATURES ",+avx512vnni",
	 .vector_bytes = 64, .vector_regs = 32, .masks = true, .masks_32 = true, .fma = true, .f16 = true, .rounds = true,
	 .scalef = SCALEF, AVX512_TILES, .l1_kib = 32, .l2_kib = 1024, .int8_dot = DOT_VNNI,
	 .required = V4_BITS | CPU(AVX512VNNI)},

	{.name = "armv8-a", .arch = "aarch64", .llvm_cpu = "generic", .features = "+neon", NEON_VECTORS, NEON_TILES,
	 .l1_kib = 32, .l2_kib = 512, .required = CPU(NEON)},
	{.name = "armv8.2-a", .arch = "aarch64", .llvm_cpu = "generic", .features = ARM82_FEATURES, NEON_VECTORS, NEON_TILES,
	 .l1_kib = 32, .l2_kib = 512, .int8_dot = DOT_SDOT, .required = ARM82_BITS},
	{.name = "cortex-a76", .arch = "aarch64", .llvm_cpu = "cortex-a76", .features = ARM82_FEATURES, NEON_VECTORS, NEON_TILES,
	 .l1_kib = 64, .l2_kib = 512, .int8_dot = DOT_SDOT, .required = ARM82_BITS},
	{.name = "neoverse-n1", .arch = "aarch64", .llvm_cpu = "neoverse-n1", .features = ARM82_FEATURES, NEON_VECTORS, NEON_TILES,
	 .l1_kib = 64, .l2_kib = 1024, .int8_dot = DOT_SDOT, .required = ARM82_BITS},
	{.name = "apple-m1", .arch = "aarch64", .llvm_cpu = "apple-m1", .features = ARM82_FEATURES ",+fp16fml", NEON_VECTORS, NEON_TILES,
	 .l1_kib = 128, .l2_kib = 3072, .int8_dot = DOT_SDOT, .required = ARM82_BITS | CPU(FP16FML)},
	{.name = "neoverse-v1", .arch = "aarch64", .llvm_cpu = "neoverse-v1", .features = NEOVERSE_V1_FEATURES, NEON_VECTORS, NEON_TILES,
	 .l1_kib = 64, .l2_kib = 1024, .int8_dot = DOT_SDOT, .required = NEOVERSE_V1_BITS},
	{.name = "neoverse-v2", .arch = "aarch64", .llvm_cpu = "neoverse-v2", .features = NEOVERSE_V1_FEATURES ",+sve2", NEON_VECTORS, NEON_TILES,
	 .l1_kib = 64, .l2_kib = 2048, .int8_dot = DOT_SDOT, .required = NEOVERSE_V1_BITS | CPU(SVE2)},
};

/* What an object is compiled for when nothing is asked. */
static const struct { const char *arch, *name; } defaults[] = {
	{"x86_64", "x86-64-v3"},
	{"aarch64", "armv8-a"},
};
/* clang-format on */

enum { N_TARGETS = sizeof targets / sizeof *targets, N_DEFAULTS = sizeof defaults / sizeof *defaults };

int target_count(void)
{
	return N_TARGETS;
}

const target *target_at(int i)
{
	return &targets[i];
}

/* Is every "+f" of `features` an item of the comma-separated list `host`? */
static bool has_features(const char *host, const char *features)
{
	while (*features) {
		size_t n = strcspn(features, ",");
		const char *at = host;
		while ((at = strstr(at, "+")) && (strncmp(at, features, n) != 0 || (at[n] != ',' && at[n] != '\0')))
			at++;
		if (!at)
			return false;
		features += n + (features[n] == ',');
	}
	return true;
}

static const target *native(void)
{
	char *triple = LLVMGetDefaultTargetTriple();
	char *host = LLVMGetHostCPUFeatures();
	const target *best = NULL;
	for (int i = 0; i < N_TARGETS; i++) {
		const target *t = &targets[i];
		/* A row of one core says how a core is built, which its features alone do not. */
		bool generic = t->arch[0] == 'x' || strcmp(t->llvm_cpu, "generic") == 0;
		if (generic && strncmp(triple, t->arch, strlen(t->arch)) == 0 && has_features(host, t->features))
			best = t;
	}
	LLVMDisposeMessage(host);
	LLVMDisposeMessage(triple);
	return best;
}

const target *target_find(const char *name)
{
	if (strcmp(name, "native") == 0)
		return native();
	for (int i = 0; i < N_TARGETS; i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	return NULL;
}

const target *target_fold(void)
{
	return &targets[0];
}

const target *target_default(const char *arch)
{
	for (int i = 0; i < N_DEFAULTS; i++)
		if (strcmp(defaults[i].arch, arch) == 0)
			return target_find(defaults[i].name);
	return NULL;
}
