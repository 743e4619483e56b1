/* A program that a model with code for several CPUs or sizes is linked into: runs what the machine takes, and each variant by
 * itself.
 *
 *	cpus TOLERANCE WEIGHTS|- DATA_SET_DIR...
 *
 * The model's symbol is `model`; outputs that are not f32 have to be exact.  Checked for each data set: the model and every variant that this machine
 * can run and that is for its sizes give the references, in a workspace of exactly the size that is asked for and that ends at a
 * page which cannot be touched; the model gives the bits of the variant that dlrt_variant_for names, and the others are refused.
 * Prints a line per variant, "NAME hash of the outputs" or "NAME no", "picked NAME" or the reason why none is, then "N passed, M
 * failed"; a name is CPU or CPU-SYMBOL_VALUE. */
#define _GNU_SOURCE
#include "proto.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

extern const dlrt_model model;

enum { MAX_PORTS = 256, MESSAGE = 300 };

static int passed, failed;

static bool check(bool ok, const char *where, const char *what)
{
	if (ok) {
		passed++;
	} else {
		failed++;
		printf("FAIL %s: %s\n", where, what);
	}
	return ok;
}

/* n bytes in front of a page that cannot be touched. */
static void *guarded(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (n + page - 1) / page * page;
	char *base = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED || mprotect(base + whole, page, PROT_NONE)) {
		perror("mmap");
		exit(2);
	}
	return base + whole - (n + DLRT_WORKSPACE_ALIGN - 1) / DLRT_WORKSPACE_ALIGN * DLRT_WORKSPACE_ALIGN;
}

/* ---- one data set ------------------------------------------------------------------------------------------------------- */
typedef struct data_set {
	const char *dir;
	dlrt_tensor in[MAX_PORTS], ref[MAX_PORTS];
	double tolerance;
	const void *weights;
	size_t weights_bytes;
} data_set;

static void read_tensor(dlrt_tensor *t, const char *dir, const char *what, int i)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s_%d.pb", dir, what, i);
	if (!proto_read_tensor(path, t)) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(2);
	}
}

static size_t bytes_of(const dlrt_tensor *t)
{
	size_t n = 0;
	dlrt_tensor_bytes(t, &n);
	return n;
}

static bool close_to(const dlrt_tensor *y, const dlrt_tensor *ref, double tolerance)
{
	double error = 0, norm = 0;
	const float *a = y->data, *b = ref->data;
	if (y->type != ref->type || bytes_of(y) != bytes_of(ref))
		return false;
	if (y->type != DLRT_F32)
		return !memcmp(a, b, bytes_of(y));
	for (size_t i = 0; i < bytes_of(y) / sizeof *a; i++) {
		error += (a[i] - b[i]) * (a[i] - b[i]);
		norm += b[i] * b[i];
	}
	return sqrt(error) <= tolerance * sqrt(norm); /* false for a NaN */
}

static uint64_t hash_of(const dlrt_tensor *out)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (int i = 0; i < model.n_outputs; i++)
		for (size_t k = 0; k < bytes_of(&out[i]); k++)
			h = (h ^ ((const unsigned char *)out[i].data)[k]) * UINT64_C(1099511628211);
	return h;
}

/* The status, and the hash of the outputs. */
static dlrt_status run(const dlrt_model *m, const data_set *s, char *message, uint64_t *hash)
{
	dlrt_tensor out[MAX_PORTS] = {0};
	dlrt_options o = {.message = message, .message_bytes = MESSAGE, .weights = s->weights, .weights_bytes = s->weights_bytes};
	dlrt_status status = dlrt_infer_shapes(m, s->in, out, &o);
	if (status)
		return status;
	check(dlrt_workspace_size(m, s->in, &o.workspace_bytes) == DLRT_OK, m->cpu, "dlrt_workspace_size");
	o.workspace = guarded(o.workspace_bytes);
	for (int i = 0; i < m->n_outputs; i++)
		out[i].data = malloc(bytes_of(&out[i]) + 1);
	status = dlrt_run(m, s->in, out, &o);
	for (int i = 0; i < m->n_outputs; i++)
		check(!status && close_to(&out[i], &s->ref[i], s->tolerance), m->cpu, m->outputs[i].name);
	*hash = hash_of(out);
	return status;
}

static bool is_for(const dlrt_model *v, int symbol)
{
	return v->symbols[symbol].lo == v->symbols[symbol].hi && model.symbols[symbol].lo < model.symbols[symbol].hi;
}

static const char *name_of(const dlrt_model *v)
{
	static char text[200];
	int n = snprintf(text, sizeof text, "%s", v->cpu);
	for (int i = 0; i < v->n_symbols; i++)
		if (is_for(v, i))
			n += snprintf(text + n, sizeof text - (size_t)n, "-%s_%lld", v->symbols[i].name, (long long)v->symbols[i].lo);
	return text;
}

/* Are the sizes of the data set those that the variant is for? */
static bool fits(const dlrt_model *v, const data_set *s)
{
	for (int i = 0; i < v->n_inputs; i++)
		for (int k = 0; k < v->inputs[i].rank; k++) {
			int symbol = v->inputs[i].dims[k].symbol;
			if (symbol >= 0 && is_for(v, symbol) && s->in[i].dims[k] != v->symbols[symbol].lo)
				return false;
		}
	return true;
}

static void check_set(data_set *s)
{
	char message[MESSAGE] = "";
	uint64_t of_model = 0, hash = 0;
	for (int i = 0; i < model.n_inputs; i++)
		read_tensor(&s->in[i], s->dir, "input", i);
	for (int i = 0; i < model.n_outputs; i++)
		read_tensor(&s->ref[i], s->dir, "output", i);
	const dlrt_model *picked = dlrt_variant_for(&model, s->in);
	dlrt_status status = run(&model, s, message, &of_model);
	check(status == (picked ? DLRT_OK : DLRT_CPU), s->dir, "the status of the model");
	check(!picked == (message[0] != 0), s->dir, "the message");
	printf("picked %s\n", picked ? name_of(picked) : message);
	for (int i = 0; i < model.n_variants; i++) {
		const dlrt_model *v = model.variants[i];
		dlrt_status wanted = v->cpu_features & ~dlrt_cpu_features() ? DLRT_CPU : fits(v, s) ? DLRT_OK : DLRT_RANGE;
		check(run(v, s, message, &hash) == wanted, name_of(v), "the status of a variant");
		check(v != picked || hash == of_model, name_of(v), "the model has other bits than what it should have taken");
		printf(wanted == DLRT_OK ? "%s %016llx\n" : "%s no\n", name_of(v), (unsigned long long)hash);
	}
}

static void load_weights(data_set *s, const char *path)
{
	FILE *f = fopen(path, "rb");
	void *memory = NULL;
	if (!f || fseek(f, 0, SEEK_END)) {
		perror(path);
		exit(2);
	}
	s->weights_bytes = (size_t)ftell(f);
	rewind(f);
	if (posix_memalign(&memory, DLRT_WORKSPACE_ALIGN, s->weights_bytes) || fread(memory, 1, s->weights_bytes, f) != s->weights_bytes)
		exit(2);
	fclose(f);
	s->weights = memory;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	data_set s = {.tolerance = atof(argv[1])};
	if (strcmp(argv[2], "-"))
		load_weights(&s, argv[2]);
	check(model.n_variants > 1, model.name, "no variants");
	for (int i = 3; i < argc; i++) {
		s.dir = argv[i];
		check_set(&s);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
