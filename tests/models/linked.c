/* A program that a model is linked into: runs it on test data as an application would, and as one should not.
 *
 *	linked [--once] [--heap] TOLERANCE WEIGHTS|- DATA_SET_DIR...
 *
 * The model's symbol is `model`.  Checked: outputs against references; no allocation during a run; the same bits on every
 * run, and from eight threads at once; no access beyond inputs, outputs and workspace, which end or begin at guard pages; wrong
 * arguments get a status and write nothing.  Prints what fails, then "N passed, M failed".
 *
 * Under an emulator or a memory checker, which take long: with --once only the first run is made and compared; with --heap the
 * memory comes from the allocator that the checker watches, exactly as many bytes as are needed, instead of from whole pages. */
#define _GNU_SOURCE
#include "proto.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

extern const dlrt_model model;

enum { MAX_PORTS = 64, THREADS = 8, MESSAGE = 200 };

static int passed, failed;
static const char *where = "";

static bool check(bool ok, const char *what)
{
	if (ok) {
		passed++;
	} else {
		failed++;
		printf("FAIL %s: %s\n", where, what);
	}
	return ok;
}

/* ---- counting allocations --------------------------------------------------------------------------------------------- */
#if defined(__GLIBC__) && !defined(NO_COUNTING)
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static atomic_int allocations;

void *malloc(size_t n) { allocations++; return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { allocations++; return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { allocations++; return __libc_realloc(p, n); }
void *memalign(size_t align, size_t n) { allocations++; return __libc_memalign(align, n); }
void *aligned_alloc(size_t align, size_t n) { allocations++; return __libc_memalign(align, n); }
int posix_memalign(void **p, size_t align, size_t n)
{
	allocations++;
	*p = __libc_memalign(align, n);
	return *p ? 0 : 12;
}

static int allocations_so_far(void) { return allocations; }
#else
static int allocations_so_far(void) { return 0; }
#endif

/* ---- memory beside guard pages -------------------------------------------------------------------------------------------- */
static bool guard_is_before, from_heap;

static void *heap(size_t n, size_t align)
{
	void *p = NULL;
	if (posix_memalign(&p, align < sizeof p ? sizeof p : align, n)) {
		perror("posix_memalign");
		exit(2);
	}
	return p;
}

/* n bytes, aligned to `align`; what lies behind them (rounded up to the alignment) cannot be touched, or what lies before them. */
static void *guarded(size_t n, size_t align)
{
	if (from_heap)
		return heap(n, align);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (n + align - 1) / align * align;
	size_t pages = (rounded + page - 1) / page;
	unsigned char *base = mmap(NULL, (pages + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED || (pages && mprotect(base + page, pages * page, PROT_READ | PROT_WRITE))) {
		perror("mmap");
		exit(2);
	}
	return guard_is_before ? base + page : base + page + pages * page - rounded;
}

static size_t bytes_of(const dlrt_tensor *t)
{
	size_t n = 0;
	dlrt_tensor_bytes(t, &n);
	return n;
}

static size_t alignment_of(const dlrt_tensor *t)
{
	int bits = dlrt_type_bits(t->type);
	return bits < 8 ? 1 : (size_t)bits / 8;
}

/* ---- one run -------------------------------------------------------------------------------------------------------------- */
typedef struct arguments {
	dlrt_tensor in[MAX_PORTS], out[MAX_PORTS];
	dlrt_options o;
	char message[MESSAGE];
	bool by_data; /* an output's size depends on data */
} arguments;

static const void *weights;
static size_t weights_bytes;

static void prepare_outputs(arguments *a)
{
	size_t workspace = 0;
	memset(a->out, 0, sizeof a->out);
	a->o = (dlrt_options){.message = a->message, .message_bytes = sizeof a->message, .weights = weights, .weights_bytes = weights_bytes};
	check(dlrt_infer_shapes(&model, a->in, a->out, &a->o) == DLRT_OK, a->message);
	check(dlrt_workspace_size(&model, a->in, &workspace) == DLRT_OK, "dlrt_workspace_size");
	for (int i = 0; i < model.n_outputs; i++) {
		bool known = true;
		for (int k = 0; k < a->out[i].rank; k++)
			known = known && a->out[i].dims[k] >= 0;
		if (known)
			a->out[i].data = guarded(bytes_of(&a->out[i]), alignment_of(&a->out[i]));
		else
			a->out[i] = (dlrt_tensor){0}, a->by_data = true;
	}
	a->o.workspace = guarded(workspace, DLRT_WORKSPACE_ALIGN);
	a->o.workspace_bytes = workspace;
}

static bool read_inputs(arguments *a, const char *dir)
{
	memset(a, 0, sizeof *a);
	for (int i = 0; i < model.n_inputs; i++) {
		char path[4096];
		dlrt_tensor t;
		snprintf(path, sizeof path, "%s/input_%d.pb", dir, i);
		if (!check(proto_read_tensor(path, &t), "reading an input"))
			return false;
		a->in[i] = t;
		a->in[i].data = guarded(bytes_of(&t), alignment_of(&t));
		memcpy(a->in[i].data, t.data, bytes_of(&t));
		free(t.data);
	}
	return true;
}

/* ---- references ------------------------------------------------------------------------------------------------------------ */
static double half(uint16_t h)
{
	double sign = h & 0x8000 ? -1 : 1, fraction = (h & 1023) / 1024.0;
	int exponent = h >> 10 & 31;
	if (exponent == 31)
		return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
	return sign * (exponent ? ldexp(1 + fraction, exponent - 15) : ldexp(fraction, -14));
}

static double element(const dlrt_tensor *t, size_t i)
{
	switch (t->type) {
	case DLRT_F32: return ((const float *)t->data)[i];
	case DLRT_F64: return ((const double *)t->data)[i];
	case DLRT_F16: return half(((const uint16_t *)t->data)[i]);
	case DLRT_I64: return (double)((const int64_t *)t->data)[i];
	case DLRT_I32: return ((const int32_t *)t->data)[i];
	case DLRT_I8: return ((const int8_t *)t->data)[i];
	case DLRT_U8: case DLRT_BOOL: return ((const uint8_t *)t->data)[i];
	default: printf("no rule to compare %s\n", dlrt_type_name(t->type)); exit(2);
	}
}

static bool close_to(const dlrt_tensor *y, const dlrt_tensor *ref, double tolerance)
{
	bool exact = y->type != DLRT_F32 && y->type != DLRT_F64 && y->type != DLRT_F16;
	size_t n = 1;
	double error = 0, norm = 0;
	if (y->type != ref->type || y->rank != ref->rank)
		return false;
	for (int k = 0; k < y->rank; k++) {
		if (y->dims[k] != ref->dims[k])
			return false;
		n *= (size_t)y->dims[k];
	}
	for (size_t i = 0; i < n; i++) {
		double a = element(y, i), b = element(ref, i);
		if (a == b || (isnan(a) && isnan(b)))
			continue;
		error += (a - b) * (a - b);
		norm += b * b;
	}
	for (size_t i = 0; i < n && !exact; i++)
		if (element(y, i) == element(ref, i))
			norm += element(ref, i) * element(ref, i);
	return exact && tolerance < 1e-2 ? error == 0 : sqrt(error) <= tolerance * sqrt(norm);
}

static void compare(const arguments *a, const char *dir, double tolerance)
{
	for (int i = 0; i < model.n_outputs; i++) {
		char path[4096];
		dlrt_tensor ref;
		snprintf(path, sizeof path, "%s/output_%d.pb", dir, i);
		if (access(path, R_OK))
			continue;
		if (check(proto_read_tensor(path, &ref), "reading a reference")) {
			check(close_to(&a->out[i], &ref, tolerance), model.outputs[i].name);
			free(ref.data);
		}
	}
}

/* ---- the same bits -------------------------------------------------------------------------------------------------------- */
static bool same_bits(const arguments *a, const arguments *b)
{
	for (int i = 0; i < model.n_outputs; i++)
		if (bytes_of(&a->out[i]) != bytes_of(&b->out[i]) || memcmp(a->out[i].data, b->out[i].data, bytes_of(&a->out[i])))
			return false;
	return true;
}

static bool run(arguments *a)
{
	if (a->by_data)
		for (int i = 0; i < model.n_outputs; i++)
			if (!a->out[i].data || a->out[i].rank == 0)
				a->out[i] = (dlrt_tensor){.data = a->out[i].data};
	return dlrt_run(&model, a->in, a->out, &a->o) == DLRT_OK;
}

static void *run_again(void *arg)
{
	arguments *a = arg;
	for (int i = 0; i < 3; i++)
		if (!run(a))
			return NULL;
	return arg;
}

static void many_at_once(const arguments *one)
{
	static arguments all[THREADS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++) {
		memcpy(all[i].in, one->in, sizeof one->in);
		prepare_outputs(&all[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_again, &all[i]);
	for (int i = 0; i < THREADS; i++) {
		void *ok;
		pthread_join(threads[i], &ok);
		check(ok && same_bits(one, &all[i]), "eight threads at once give other bits");
	}
}

/* A pool gives the same bits every time. */
static void with_pool(const arguments *one, const char *dir, double tolerance)
{
	static arguments a, b;
	dlrt_threads *pool = dlrt_threads_new(3);
	memcpy(a.in, one->in, sizeof one->in);
	memcpy(b.in, one->in, sizeof one->in);
	prepare_outputs(&a);
	prepare_outputs(&b);
	a.o.threads = b.o.threads = pool;
	check(run(&a) && run(&b) && same_bits(&a, &b), "two runs on three threads give other bits");
	compare(&a, dir, tolerance);
	dlrt_threads_free(pool);
}

/* Everything begins at a guard page, instead of ending at one. */
static void behind_guards(const arguments *one, const char *dir)
{
	static arguments a;
	guard_is_before = true;
	if (read_inputs(&a, dir)) {
		prepare_outputs(&a);
		check(run(&a) && same_bits(one, &a), "memory elsewhere gives other bits");
	}
	guard_is_before = false;
}

/* ---- wrong use ------------------------------------------------------------------------------------------------------------- */
/* Runs on a changed copy of the arguments; the outputs must stay as they are. */
static void refuses(const arguments *good, const dlrt_model *m, const arguments *bad, dlrt_status wanted, const char *what)
{
	size_t n = good->out[0].data ? bytes_of(&good->out[0]) : 0;
	unsigned char *before = malloc(n + 1);
	arguments a = *bad;
	a.o.message = a.message;
	if (n)
		memcpy(before, good->out[0].data, n);
	dlrt_status status = dlrt_run(m, a.in, a.out, &a.o);
	if (!check(status == wanted, what))
		printf("     status %d (%s), wanted %d: %s\n", (int)status, dlrt_strerror(status), (int)wanted, a.message);
	check(a.message[0] != 0, "a refusal without a message");
	check(!n || !memcmp(before, good->out[0].data, n), "a refused run wrote to an output");
	free(before);
}

static int constant_dim(const dlrt_port *p)
{
	for (int k = 0; k < p->rank; k++)
		if (p->dims[k].symbol == DLRT_DIM_CONSTANT)
			return k;
	return -1;
}

static void wrong_use(const arguments *good)
{
	arguments bad;
#define WRONG(change, wanted) (bad = *good, (change), refuses(good, &model, &bad, wanted, #change))
	for (int i = 0; i < model.n_inputs; i++) {
		int k = constant_dim(&model.inputs[i]);
		WRONG(bad.in[i].type = bad.in[i].type == DLRT_F64 ? DLRT_F32 : DLRT_F64, DLRT_TYPE);
		WRONG(bad.in[i].rank++, DLRT_RANK);
		if (k >= 0)
			WRONG(bad.in[i].dims[k]++, DLRT_DIMS);
		if (model.inputs[i].rank)
			WRONG(bad.in[i].dims[0] = -1, DLRT_DIMS);
		if (bytes_of(&good->in[i]))
			WRONG(bad.in[i].data = NULL, DLRT_NULL);
		if (alignment_of(&good->in[i]) > 1 && bytes_of(&good->in[i]))
			WRONG(bad.in[i].data = (char *)bad.in[i].data - 1, DLRT_ALIGN);
	}
	if (!good->by_data) {
		WRONG(bad.out[0].type = bad.out[0].type == DLRT_F64 ? DLRT_F32 : DLRT_F64, DLRT_TYPE);
		if (bytes_of(&good->out[0]))
			WRONG(bad.out[0].data = NULL, DLRT_NULL);
		if (good->out[0].rank)
			WRONG(bad.out[0].dims[good->out[0].rank - 1]++, DLRT_DIMS);
	}
	if (good->o.workspace_bytes) {
		WRONG(bad.o.workspace_bytes--, DLRT_WORKSPACE);
		WRONG(bad.o.workspace = (char *)bad.o.workspace - 4, DLRT_ALIGN);
	}
	if (model.flags & DLRT_MODEL_EXTERNAL_WEIGHTS)
		WRONG(bad.o.weights = NULL, DLRT_WEIGHTS);
#undef WRONG
	dlrt_model other = model;
	other.abi++;
	refuses(good, &other, good, DLRT_VERSION, "another ABI");
	other = model;
	other.cpu_features = ~UINT64_C(0);
	refuses(good, &other, good, DLRT_CPU, "a CPU that does not exist");
	check(dlrt_run(NULL, good->in, (dlrt_tensor *)good->out, NULL) == DLRT_NULL, "no model");
}

/* ---- main ------------------------------------------------------------------------------------------------------------------- */
static bool once;

static void check_set(const char *dir, double tolerance)
{
	static arguments a;
	where = dir;
	if (!read_inputs(&a, dir))
		return;
	prepare_outputs(&a);
	int before = allocations_so_far();
	if (!check(run(&a), "the run failed")) {
		printf("     %s\n", a.message);
		return;
	}
	if (!a.by_data)
		check(allocations_so_far() == before, "a run allocated");
	compare(&a, dir, tolerance);
	if (a.by_data || once)
		return;
	behind_guards(&a, dir);
	many_at_once(&a);
	with_pool(&a, dir, tolerance);
	wrong_use(&a);
}

static void load_weights(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(2);
	}
	fseek(f, 0, SEEK_END);
	weights_bytes = (size_t)ftell(f);
	rewind(f);
	void *memory = guarded(weights_bytes, DLRT_WORKSPACE_ALIGN);
	if (fread(memory, 1, weights_bytes, f) != weights_bytes)
		exit(2);
	fclose(f);
	weights = memory;
}

int main(int argc, char **argv)
{
	for (; argc > 1 && !strncmp(argv[1], "--", 2); argc--, argv++) {
		once = once || !strcmp(argv[1], "--once");
		from_heap = from_heap || !strcmp(argv[1], "--heap");
	}
	if (argc < 4)
		return 2;
	if (strcmp(argv[2], "-"))
		load_weights(argv[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 3; i < argc; i++)
		check_set(argv[i], atof(argv[1]));
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
