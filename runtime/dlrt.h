/* dlrt.h: the runtime of models compiled by dlcc, and the ABI between it and the objects that dlcc writes.
 *
 * A compiled model is a constant `dlrt_model`: a description of its inputs and outputs plus a few functions. An
 * application runs it through the typed function in the model's own header, or through the generic calls here.
 *
 * Every call checks what it is given before any generated code runs and returns a dlrt_status; nothing prints, aborts
 * or uses global state. All calls are re-entrant and may be made from any thread, also on the same model at once, as
 * long as no two runs that overlap in time share a workspace, an output or a profile.
 *
 * The structures marked "ABI" are emitted or read by generated code: their fields and order change only together with
 * DLRT_ABI. They have the natural C layout of the target (nothing packed, no bit-fields). */
#ifndef DLRT_H
#define DLRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this ABI; an object compiled for another one is refused with DLRT_VERSION. */
#define DLRT_ABI 3u

/* The largest rank of an input or output. */
#define DLRT_MAX_RANK 12

/* The alignment in bytes of a workspace, of external weights, and of what an allocator is asked for. */
#define DLRT_WORKSPACE_ALIGN 64

/* ---- Statuses ------------------------------------------------------------------------------------------------- */

/* What a call returns. ABI: `run`, `workspace` and `dims` return it as a 32-bit integer. */
typedef enum dlrt_status {
	DLRT_OK = 0,
	DLRT_NULL = 1,       /* a pointer that is needed is NULL */
	DLRT_TYPE = 2,       /* a tensor has another element type than the model wants */
	DLRT_RANK = 3,       /* a tensor has another rank */
	DLRT_DIMS = 4,       /* a dimension differs from the constant, symbol or expression that the model wants, or sizes do
	                      * not fit together */
	DLRT_COUNT = 5,      /* more inputs, outputs or dimensions than this runtime can hold in a frame */
	DLRT_WORKSPACE = 6,  /* the workspace is too small */
	DLRT_ALIGN = 7,      /* data or the workspace is not aligned */
	DLRT_CPU = 8,        /* the CPU lacks an instruction set that the model was compiled for */
	DLRT_VERSION = 9,    /* the object and the runtime have different ABI versions */
	DLRT_MEMORY = 10,    /* an allocation failed, or one is needed and there is no allocator */
	DLRT_RANGE = 11,     /* a size overflows, or a symbol is outside its bounds or undetermined */
	DLRT_DATA = 12,      /* the values of the inputs make the model fail (a computed size out of its range, say) */
	DLRT_WEIGHTS = 13,   /* external weights are missing or have another size */
	DLRT_STATUS_LAST = 13,
	DLRT_STATUS_32_BIT = 0x7fffffff
} dlrt_status;

/* A constant sentence for any status, known or not. Never NULL. */
const char *dlrt_strerror(dlrt_status status);

/* ---- Element types -------------------------------------------------------------------------------------------- */

/* Element types have the numbers of ONNX TensorProto.DataType. Types of 4 and 2 bits are packed, first element in the
 * low bits, and a tensor's last byte is padded. */
typedef enum dlrt_type {
	DLRT_UNDEFINED = 0,
	DLRT_F32 = 1,
	DLRT_U8 = 2,
	DLRT_I8 = 3,
	DLRT_U16 = 4,
	DLRT_I16 = 5,
	DLRT_I32 = 6,
	DLRT_I64 = 7,
	DLRT_STRING = 8,      /* dlrt_string */
	DLRT_BOOL = 9,        /* one byte, 0 or 1 */
	DLRT_F16 = 10,
	DLRT_F64 = 11,
	DLRT_U32 = 12,
	DLRT_U64 = 13,
	DLRT_C64 = 14,        /* two f32: real, imaginary */
	DLRT_C128 = 15,       /* two f64 */
	DLRT_BF16 = 16,
	DLRT_F8E4M3FN = 17,
	DLRT_F8E4M3FNUZ = 18,
	DLRT_F8E5M2 = 19,
	DLRT_F8E5M2FNUZ = 20,
	DLRT_U4 = 21,
	DLRT_I4 = 22,
	DLRT_F4E2M1 = 23,
	DLRT_F8E8M0 = 24,
	DLRT_U2 = 25,
	DLRT_I2 = 26,
	DLRT_TYPE_LAST = 26,
	DLRT_TYPE_32_BIT = 0x7fffffff
} dlrt_type;

/* An element of a DLRT_STRING tensor: `size` bytes, not terminated. Strings of inputs belong to the caller; strings of
 * outputs point into inputs, the model's constants, or memory from the allocator. ABI. */
typedef struct dlrt_string {
	const char *bytes;
	size_t size;
} dlrt_string;

/* The size of an element in bits; 0 for a number that is no type. */
int dlrt_type_bits(dlrt_type type);

/* The short name, as in dlcc's text form ("f32"); "undefined" for a number that is no type. Never NULL. */
const char *dlrt_type_name(dlrt_type type);

/* ---- Tensors -------------------------------------------------------------------------------------------------- */

/* A view of the caller's contiguous, row-major data. `data` is aligned for its element type and may be NULL only when
 * a dimension is 0. `dims` has `rank` valid entries, in elements. ABI: generated code writes `data` and `dims` of
 * outputs with data-dependent sizes. */
typedef struct dlrt_tensor {
	void *data;
	dlrt_type type;
	int32_t rank;
	int64_t dims[DLRT_MAX_RANK];
} dlrt_tensor;

/* The number of bytes of `tensor`'s elements. DLRT_TYPE, DLRT_RANK, DLRT_DIMS (a negative dim), DLRT_RANGE (overflow). */
dlrt_status dlrt_tensor_bytes(const dlrt_tensor *tensor, size_t *bytes);

/* ---- CPU features --------------------------------------------------------------------------------------------- */

/* X(member, bit, name): what a model may require of its CPU. `name` is LLVM's name of the feature. A bit counts as
 * present only if the operating system also saves the registers that it needs. Bits are never renumbered. */
#define DLRT_CPU_FEATURES(X)               \
	X(SSE3,        0, "sse3")              \
	X(SSSE3,       1, "ssse3")             \
	X(SSE41,       2, "sse4.1")            \
	X(SSE42,       3, "sse4.2")            \
	X(POPCNT,      4, "popcnt")            \
	X(MOVBE,       5, "movbe")             \
	X(LZCNT,       6, "lzcnt")             \
	X(BMI,         7, "bmi")               \
	X(BMI2,        8, "bmi2")              \
	X(AVX,         9, "avx")               \
	X(AVX2,       10, "avx2")              \
	X(FMA,        11, "fma")               \
	X(F16C,       12, "f16c")              \
	X(AVX512F,    13, "avx512f")           \
	X(AVX512CD,   14, "avx512cd")          \
	X(AVX512BW,   15, "avx512bw")          \
	X(AVX512DQ,   16, "avx512dq")          \
	X(AVX512VL,   17, "avx512vl")          \
	X(AVX512VNNI, 18, "avx512vnni")        \
	X(AVX512BF16, 19, "avx512bf16")        \
	X(AVX512FP16, 20, "avx512fp16")        \
	X(AVX512VBMI, 21, "avx512vbmi")        \
	X(AVX512VBMI2, 22, "avx512vbmi2")      \
	X(AVX512IFMA, 23, "avx512ifma")        \
	X(AVX512BITALG, 24, "avx512bitalg")    \
	X(AVX512VPOPCNTDQ, 25, "avx512vpopcntdq") \
	X(GFNI,       26, "gfni")              \
	X(AVXVNNI,    27, "avxvnni")           \
	X(AVXVNNIINT8, 28, "avxvnniint8")      \
	X(NEON,       32, "neon")              \
	X(DOTPROD,    33, "dotprod")           \
	X(FULLFP16,   34, "fullfp16")          \
	X(FP16FML,    35, "fp16fml")           \
	X(I8MM,       36, "i8mm")              \
	X(ARM_BF16,   37, "bf16")              \
	X(LSE,        38, "lse")               \
	X(RDM,        39, "rdm")               \
	X(SVE,        40, "sve")               \
	X(SVE2,       41, "sve2")              \
	X(SME,        42, "sme")

/* One bit each, by number: (UINT64_C(1) << DLRT_CPU_AVX2). */
typedef enum dlrt_cpu {
#define DLRT_CPU_MEMBER(member, bit, name) DLRT_CPU_##member = bit,
	DLRT_CPU_FEATURES(DLRT_CPU_MEMBER)
#undef DLRT_CPU_MEMBER
	DLRT_CPU_KNOWN = 63   /* set in every mask that dlrt_cpu_features returns */
} dlrt_cpu;

/* The features of this machine: one bit (UINT64_C(1) << DLRT_CPU_x) each, and DLRT_CPU_KNOWN. Determined at the first
 * call, then a load. */
uint64_t dlrt_cpu_features(void);

/* ---- The context of a run (ABI, read by generated code) ------------------------------------------------------- */

/* The body of a parallel kernel: does the tiles [begin, end). */
typedef void dlrt_task(void *args, int64_t begin, int64_t end);

/* Runs `task` over [0, n) and returns when all of it is done: every index is covered exactly once, by contiguous,
 * non-empty, ascending ranges, on at most n_threads threads at once (possibly all on the calling thread). What was
 * written before the call is visible to the tasks, and what they wrote is visible after it. Not nested. n may be 0. */
typedef void dlrt_parallel(void *pool, dlrt_task *task, void *args, int64_t n);

/* `bytes` (> 0) of memory aligned to `align` bytes (a power of two), or NULL. */
typedef void *dlrt_alloc(void *user, size_t bytes, size_t align);
typedef void dlrt_release(void *user, void *memory, size_t bytes);

/* Called on the calling thread around each kernel: phase 0 before, 1 after. */
typedef void dlrt_profile_hook(void *user, int32_t kernel, int32_t phase);

/* What `run` gets from the runtime. 64-bit offsets on the right. */
typedef struct dlrt_context {
	dlrt_parallel *parallel;     /*  0  NULL: run serially */
	void *pool;                  /*  8  first argument of `parallel` */
	int32_t n_threads;           /* 16  >= 1; at most so many tasks at once */
	int32_t reserved;            /* 20 */
	dlrt_profile_hook *profile;  /* 24  NULL: no profile */
	void *profile_user;          /* 32 */
	dlrt_alloc *alloc;           /* 40  memory for outputs of data-dependent size; NULL: fail with DLRT_MEMORY */
	void *alloc_user;            /* 48 */
	dlrt_tensor *outputs;        /* 56  the caller's descriptors: where `run` stores `data` and `dims` of an output of
	                              *     data-dependent size (their type and rank are set); NULL in typed calls, which
	                              *     models with such outputs do not have */
	const void *weights;         /* 64  the external weights if DLRT_MODEL_EXTERNAL_WEIGHTS, else model->weights */
	uint64_t cpu_features;       /* 72  dlrt_cpu_features() */
} dlrt_context;                  /* 80 bytes */

/* ---- The model descriptor (ABI, a constant emitted by dlcc) --------------------------------------------------- */

#define DLRT_DIM_CONSTANT (-1)
#define DLRT_DIM_COMPUTED (-2)

/* A dimension of a port. symbol >= 0: it is that symbol (`value` unused, 0). DLRT_DIM_CONSTANT: it is `value`.
 * DLRT_DIM_COMPUTED: an expression over symbols, or data-dependent (outputs only); model->dims computes it. */
typedef struct dlrt_dim {
	int64_t value;               /*  0 */
	int32_t symbol;              /*  8 */
	int32_t reserved;            /* 12  0 */
} dlrt_dim;                      /* 16 bytes */

/* An input or output. */
typedef struct dlrt_port {
	const char *name;            /*  0  the ONNX name */
	int32_t type;                /*  8  dlrt_type */
	int32_t rank;                /* 12  0 .. DLRT_MAX_RANK */
	const dlrt_dim *dims;        /* 16  `rank` entries; may be NULL when rank is 0 */
} dlrt_port;                     /* 24 bytes */

/* A symbolic dimension and its inclusive bounds; hi = INT64_MAX: unbounded. At least one input has a dimension that is
 * the symbol itself: that is where its value comes from. */
typedef struct dlrt_symbol {
	const char *name;            /*  0 */
	int64_t lo;                  /*  8 */
	int64_t hi;                  /* 16 */
} dlrt_symbol;                   /* 24 bytes */

/* A kernel, for profiles and reports. */
typedef struct dlrt_kernel_info {
	const char *name;            /*  0  as in the symbol table: "conv1+relu1" */
	const char *nodes;           /*  8  the ONNX nodes inside, as text */
	int64_t flops;               /* 16  floating point or integer operations; -1: depends on symbols */
	int64_t bytes;               /* 24  bytes read plus written if nothing were cached; -1: depends on symbols */
} dlrt_kernel_info;              /* 32 bytes */

/* dlrt_model.flags */
#define DLRT_MODEL_EXTERNAL_WEIGHTS 1u   /* the application maps the weights file: see dlrt_options.weights */

/* A compiled model. 64-bit offsets on the right.
 *
 * With several bodies of code (n_variants > 0) it has none that is run itself: each variant is a complete model of the same name,
 * inputs, outputs, symbols, conditions, kernels and weights, for one CPU and for all sizes or, with lo = hi for some symbols, for
 * those. Every call checks sizes by the model and then takes the first variant that this machine can run and whose bounds the
 * symbols are in: features are determined once, and then that is a few comparisons for each variant. The last one for a CPU takes
 * all sizes. A variant can also be passed itself; one for certain sizes refuses others with DLRT_RANGE. */
typedef struct dlrt_model {
	uint32_t abi;                      /*   0  DLRT_ABI of the compiler; always the first field */
	uint32_t flags;                    /*   4  DLRT_MODEL_x */
	const char *name;                  /*   8 */
	const char *compiler;              /*  16  its version, as text */
	const char *cpu;                   /*  24  what the model was compiled for, as text */
	uint64_t cpu_features;             /*  32  what every code path of it needs: bits (UINT64_C(1) << DLRT_CPU_x) */
	int32_t n_inputs;                  /*  40 */
	int32_t n_outputs;                 /*  44 */
	int32_t n_symbols;                 /*  48 */
	int32_t n_kernels;                 /*  52  of all variants: a run calls those of one, whose code they are */
	const dlrt_port *inputs;           /*  56 */
	const dlrt_port *outputs;          /*  64 */
	const dlrt_symbol *symbols;        /*  72 */
	const dlrt_kernel_info *kernels;   /*  80 */
	uint64_t workspace_bytes;          /*  88  enough for all shapes within the bounds, and for every variant; UINT64_MAX:
	                                    *      there is no such number, ask `workspace` */
	uint64_t workspace_align;          /*  96  a power of two <= DLRT_WORKSPACE_ALIGN */

	/* The workspace for these symbols. DLRT_RANGE: a size overflows. NULL: workspace_bytes is exact. With variants: NULL,
	 * and so is `run`. */
	dlrt_status (*workspace)(const int64_t *symbols, uint64_t *bytes);              /* 104 */

	/* All dims of all inputs, then of all outputs, flattened; -1 for a data-dependent one. DLRT_RANGE: a size
	 * overflows. NULL: no dim is an expression, and DLRT_DIM_COMPUTED means data-dependent. */
	dlrt_status (*dims)(const int64_t *symbols, int64_t *dims);                     /* 112 */

	/* Runs the model on checked arguments. outputs[i] is NULL for an output with a data-dependent size: `run` gets
	 * its memory from context->alloc and stores it in context->outputs[i]. `workspace` may be NULL when its size is
	 * 0, `symbols` when n_symbols is 0. */
	dlrt_status (*run)(const void *const *inputs, void *const *outputs, void *workspace, const int64_t *symbols,
	                   const dlrt_context *context);                                /* 120 */

	const void *weights;               /* 128  NULL with DLRT_MODEL_EXTERNAL_WEIGHTS */
	uint64_t weights_bytes;            /* 136 */

	/* What the sizes have to satisfy beyond the bounds of symbols, as text: "N == M". `check` tests all of them:
	 * DLRT_DIMS and *failed is the one that does not hold; DLRT_RANGE: a size overflows. `workspace`, `dims` and
	 * `run` are called only after it. NULL: there are none. */
	int32_t n_conditions;              /* 144 */
	int32_t n_variants;                /* 148  0: this has a body itself */
	const char *const *conditions;     /* 152 */
	dlrt_status (*check)(const int64_t *symbols, int32_t *failed);                  /* 160 */

	const struct dlrt_model *const *variants; /* 168  the best CPU first, and for it those for certain sizes; none of them has
	                                           *      variants; NULL: there are none */
} dlrt_model;                          /* 176 bytes */

/* What runs on this machine, whatever the sizes are: the model itself, or one of its variants. NULL if the CPU lacks something
 * that all of them need, or there is no such model: `dlrt_run` says why. */
const dlrt_model *dlrt_variant(const dlrt_model *model);

/* What runs on this machine for inputs of these shapes, of which there are model->n_inputs; their data is not looked at. NULL
 * also if the inputs do not fit the model: `dlrt_infer_shapes` says why. */
const dlrt_model *dlrt_variant_for(const dlrt_model *model, const dlrt_tensor *inputs);

/* ---- Threads -------------------------------------------------------------------------------------------------- */

/* Who runs parallel kernels. NULL wherever one is wanted means: the calling thread alone. The fields are read-only. */
typedef struct dlrt_threads {
	dlrt_parallel *parallel;     /* NULL: run serially */
	void *pool;
	int32_t n;                   /* threads, including the calling one */
	int32_t reserved;
} dlrt_threads;

/* A pool of `n` threads, of which one is the thread that calls run; n <= 0: one per CPU that the process may use. NULL
 * if it cannot be created or the runtime was built without threads (NULL then runs serially, everywhere). The workers
 * spin for less than a millisecond after their last work, then sleep. Several threads may run models on one pool at
 * once: while it is busy, a second caller does its own work serially. Nothing is allocated after creation. */
dlrt_threads *dlrt_threads_new(int n);

/* Ends the workers. No run may be using them. NULL is allowed. */
void dlrt_threads_free(dlrt_threads *threads);

/* Makes, in the caller's memory, a view of the host's own pool: `parallel` is called with `user` and runs at most `n`
 * tasks at once. Needs no free. DLRT_NULL, or DLRT_RANGE if n < 1. */
dlrt_status dlrt_threads_from_host(dlrt_threads *threads, dlrt_parallel *parallel, void *user, int n);

/* ---- Profile -------------------------------------------------------------------------------------------------- */

/* What was measured of one kernel. */
typedef struct dlrt_profile_entry {
	uint64_t count;              /* calls */
	uint64_t total_ns;
	uint64_t min_ns;             /* 0 when count is 0 */
	uint64_t begin_ns;           /* private: when the call in progress began */
} dlrt_profile_entry;

/* Nanoseconds from any fixed time. */
typedef uint64_t dlrt_clock(void *user);

/* A profile over any number of runs that do not overlap, in the caller's memory. */
typedef struct dlrt_profile {
	dlrt_profile_entry *entries; /* one per kernel of the model, in its order */
	int32_t n_entries;
	int32_t reserved;
	dlrt_clock *clock;
	void *clock_user;
} dlrt_profile;

/* Prepares an empty profile over `entries`. `clock` NULL: the system's monotonic clock (all times are 0 in a runtime
 * built without one). DLRT_NULL, or DLRT_COUNT if n_entries is negative. */
dlrt_status dlrt_profile_init(dlrt_profile *profile, dlrt_profile_entry *entries, int n_entries, dlrt_clock *clock,
                              void *clock_user);

/* ---- Running -------------------------------------------------------------------------------------------------- */

/* How to run. All zero is valid: everything by default, no message. */
typedef struct dlrt_options {
	/* Memory that the run may use, aligned to DLRT_WORKSPACE_ALIGN and at least dlrt_workspace_size() bytes. NULL:
	 * the runtime allocates it for the run if the model needs any. */
	void *workspace;
	size_t workspace_bytes;

	const dlrt_threads *threads; /* NULL: the calling thread alone */
	dlrt_profile *profile;       /* NULL: none; else its n_entries must be the model's n_kernels */

	/* The allocator for outputs of data-dependent size and for a workspace that was not given. Both or neither;
	 * neither: the C library's, and such outputs are released with free(). */
	dlrt_alloc *alloc;
	dlrt_release *release;
	void *alloc_user;

	/* For a model with DLRT_MODEL_EXTERNAL_WEIGHTS: the mapped file, aligned to DLRT_WORKSPACE_ALIGN. */
	const void *weights;
	size_t weights_bytes;

	/* Where to say what is wrong: which input, which dimension, the value found and the value wanted. Always
	 * terminated, cut off if it does not fit, empty on success. NULL: no text. */
	char *message;
	size_t message_bytes;
} dlrt_options;

/* In the calls below `inputs` and `outputs` are arrays of model->n_inputs and model->n_outputs tensors, in the model's
 * order, and may be NULL when there are none. `options` may be NULL. */

/* Checks type, rank and dims of `inputs` (their data is not looked at) and sets type, rank and dims of `outputs`; a
 * data-dependent dim becomes -1. Leaves the outputs' data alone. */
dlrt_status dlrt_infer_shapes(const dlrt_model *model, const dlrt_tensor *inputs, dlrt_tensor *outputs,
                              const dlrt_options *options);

/* The bytes of workspace that a run on inputs of these shapes needs; may be 0. With `inputs` NULL: what is enough for
 * every shape, DLRT_RANGE if there is no such number. */
dlrt_status dlrt_workspace_size(const dlrt_model *model, const dlrt_tensor *inputs, size_t *bytes);

/* Runs the model. Everything is checked first; when a check fails, nothing has been written but the message. An output
 * whose `type` is DLRT_UNDEFINED gets type, rank and dims set; otherwise they must be what the model produces. Outputs
 * go to the caller's `data`, which must hold them and overlap nothing; one of data-dependent size is allocated, and
 * its `data` (NULL if it was not reached) and dims are set: the caller releases it, also after a failed run. Does not
 * allocate anything else if a workspace is given. */
dlrt_status dlrt_run(const dlrt_model *model, const dlrt_tensor *inputs, dlrt_tensor *outputs,
                     const dlrt_options *options);

/* The body of the generated NAME_run functions: like dlrt_run, with shapes fixed by the signature. `symbols` holds
 * model->n_symbols values. Checks version, CPU, NULL, alignment, the bounds of symbols and the conditions of sizes; the size of a given workspace
 * is trusted. Models with outputs of data-dependent size or external weights are refused. */
dlrt_status dlrt_run_typed(const dlrt_model *model, const void *const *inputs, void *const *outputs,
                           const int64_t *symbols, void *workspace, const dlrt_threads *threads);

#ifdef __cplusplus
}
#endif

#endif
