/* Which of DLRT_CPU_FEATURES this machine has.
 *
 * x86: CPUID says what the processor can do, XCR0 which registers the operating system saves; a feature needs both.
 * aarch64 on Linux: the kernel says it (HWCAP). Elsewhere: what the runtime itself was compiled for.
 *
 * The answer is kept in one atomic word. Threads that ask for the first time at once all compute the same value. */
#include <stdatomic.h>

#include "dlrt_internal.h"

#define FEATURE(member) (UINT64_C(1) << DLRT_CPU_##member)

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* The words that CPUID returns, by leaf and register. */
enum word { LEAF1_ECX, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX, LEAF7_1_EAX, LEAF7_1_EDX, EXTENDED_ECX, N_WORDS };

/* Bits of XCR0: x87 excluded, which is always saved. */
#define XCR0_NONE 0x00u
#define XCR0_YMM 0x06u
#define XCR0_ZMM 0xe6u

#define LEAF1_OSXSAVE 27

typedef struct x86_row {
	uint8_t feature;
	uint8_t word;
	uint8_t bit;
	uint8_t state;   /* what XCR0 must contain */
} x86_row;

/* clang-format off */
static const x86_row x86_rows[] = {
	{DLRT_CPU_SSE3,            LEAF1_ECX,     0, XCR0_NONE},
	{DLRT_CPU_SSSE3,           LEAF1_ECX,     9, XCR0_NONE},
	{DLRT_CPU_FMA,             LEAF1_ECX,    12, XCR0_YMM},
	{DLRT_CPU_SSE41,           LEAF1_ECX,    19, XCR0_NONE},
	{DLRT_CPU_SSE42,           LEAF1_ECX,    20, XCR0_NONE},
	{DLRT_CPU_MOVBE,           LEAF1_ECX,    22, XCR0_NONE},
	{DLRT_CPU_POPCNT,          LEAF1_ECX,    23, XCR0_NONE},
	{DLRT_CPU_AVX,             LEAF1_ECX,    28, XCR0_YMM},
	{DLRT_CPU_F16C,            LEAF1_ECX,    29, XCR0_YMM},
	{DLRT_CPU_LZCNT,           EXTENDED_ECX,  5, XCR0_NONE},
	{DLRT_CPU_BMI,             LEAF7_EBX,     3, XCR0_NONE},
	{DLRT_CPU_AVX2,            LEAF7_EBX,     5, XCR0_YMM},
	{DLRT_CPU_BMI2,            LEAF7_EBX,     8, XCR0_NONE},
	{DLRT_CPU_AVX512F,         LEAF7_EBX,    16, XCR0_ZMM},
	{DLRT_CPU_AVX512DQ,        LEAF7_EBX,    17, XCR0_ZMM},
	{DLRT_CPU_AVX512IFMA,      LEAF7_EBX,    21, XCR0_ZMM},
	{DLRT_CPU_AVX512CD,        LEAF7_EBX,    28, XCR0_ZMM},
	{DLRT_CPU_AVX512BW,        LEAF7_EBX,    30, XCR0_ZMM},
	{DLRT_CPU_AVX512VL,        LEAF7_EBX,    31, XCR0_ZMM},
	{DLRT_CPU_AVX512VBMI,      LEAF7_ECX,     1, XCR0_ZMM},
	{DLRT_CPU_AVX512VBMI2,     LEAF7_ECX,     6, XCR0_ZMM},
	{DLRT_CPU_GFNI,            LEAF7_ECX,     8, XCR0_NONE},
	{DLRT_CPU_AVX512VNNI,      LEAF7_ECX,    11, XCR0_ZMM},
	{DLRT_CPU_AVX512BITALG,    LEAF7_ECX,    12, XCR0_ZMM},
	{DLRT_CPU_AVX512VPOPCNTDQ, LEAF7_ECX,    14, XCR0_ZMM},
	{DLRT_CPU_AVX512FP16,      LEAF7_EDX,    23, XCR0_ZMM},
	{DLRT_CPU_AVXVNNI,         LEAF7_1_EAX,   4, XCR0_YMM},
	{DLRT_CPU_AVX512BF16,      LEAF7_1_EAX,   5, XCR0_ZMM},
	{DLRT_CPU_AVXVNNIINT8,     LEAF7_1_EDX,   4, XCR0_YMM},
};
/* clang-format on */

/* Leaves that the processor does not have stay 0. */
static void read_cpuid(uint32_t words[N_WORDS])
{
	unsigned a, b, c, d;
	if (__get_cpuid(1, &a, &b, &c, &d))
		words[LEAF1_ECX] = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		words[LEAF7_EBX] = b;
		words[LEAF7_ECX] = c;
		words[LEAF7_EDX] = d;
		if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
			words[LEAF7_1_EAX] = a;
			words[LEAF7_1_EDX] = d;
		}
	}
	if (__get_cpuid(0x80000001u, &a, &b, &c, &d))
		words[EXTENDED_ECX] = c;
}

static uint32_t read_xcr0(void)
{
	uint32_t low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	(void)high;
	return low;
}

static uint64_t detect(void)
{
	uint32_t words[N_WORDS] = {0};
	read_cpuid(words);
	uint32_t saved = words[LEAF1_ECX] >> LEAF1_OSXSAVE & 1 ? read_xcr0() : 0;
	uint64_t features = 0;
	for (size_t i = 0; i < sizeof x86_rows / sizeof *x86_rows; i++) {
		const x86_row *row = &x86_rows[i];
		if ((words[row->word] >> row->bit & 1) && (saved & row->state) == row->state)
			features |= UINT64_C(1) << row->feature;
	}
	return features;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

typedef struct arm_row {
	uint8_t feature;
	uint8_t word;   /* 0: AT_HWCAP, 1: AT_HWCAP2 */
	uint8_t bit;
} arm_row;

/* arch/arm64/include/uapi/asm/hwcap.h, by number: older C libraries lack the newer names. */
static const arm_row arm_rows[] = {
	{DLRT_CPU_NEON, 0, 1},     {DLRT_CPU_LSE, 0, 8},   {DLRT_CPU_FULLFP16, 0, 10}, {DLRT_CPU_RDM, 0, 12},
	{DLRT_CPU_DOTPROD, 0, 20}, {DLRT_CPU_SVE, 0, 22},  {DLRT_CPU_FP16FML, 0, 23},  {DLRT_CPU_SVE2, 1, 1},
	{DLRT_CPU_I8MM, 1, 13},    {DLRT_CPU_ARM_BF16, 1, 14}, {DLRT_CPU_SME, 1, 23},
};

static uint64_t detect(void)
{
	unsigned long words[2] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
	uint64_t features = 0;
	for (size_t i = 0; i < sizeof arm_rows / sizeof *arm_rows; i++)
		if (words[arm_rows[i].word] >> arm_rows[i].bit & 1)
			features |= UINT64_C(1) << arm_rows[i].feature;
	return features;
}

#else

static uint64_t detect(void)
{
	uint64_t features = 0;
#ifdef __ARM_NEON
	features |= FEATURE(NEON);
#endif
#ifdef __ARM_FEATURE_DOTPROD
	features |= FEATURE(DOTPROD);
#endif
#ifdef __ARM_FEATURE_FP16_VECTOR_ARITHMETIC
	features |= FEATURE(FULLFP16);
#endif
#ifdef __ARM_FEATURE_FP16_FML
	features |= FEATURE(FP16FML);
#endif
#ifdef __ARM_FEATURE_MATMUL_INT8
	features |= FEATURE(I8MM);
#endif
#ifdef __ARM_FEATURE_BF16
	features |= FEATURE(ARM_BF16);
#endif
#ifdef __ARM_FEATURE_ATOMICS
	features |= FEATURE(LSE);
#endif
#ifdef __ARM_FEATURE_QRDMX
	features |= FEATURE(RDM);
#endif
	return features;
}

#endif

#ifdef DLRT_NO_THREADS
/* A board without threads may lack 64-bit atomics too. */
static uint64_t known_features;
#define load_features() known_features
#define store_features(value) (known_features = (value))
#else
static _Atomic uint64_t known_features;
#define load_features() atomic_load_explicit(&known_features, memory_order_relaxed)
#define store_features(value) atomic_store_explicit(&known_features, (value), memory_order_relaxed)
#endif

uint64_t dlrt_cpu_features(void)
{
	uint64_t features = load_features();
	if (!features) {
		features = detect() | FEATURE(KNOWN);
		store_features(features);
	}
	return features;
}
