/* digits_cnn with code of its own for some values of batch: generic and typed calls for every batch within the bounds.
 *
 *	dims VALUE...
 *
 * Compiled with the model's header, `model.h`.  For each batch what runs is the code for that value, or that for all: by the
 * bounds of what dlrt_variant_for names, by the kernels that a profile counts, and by the bits of the outputs.  Those of all ways
 * to run agree, the workspace is that of what runs and fits into MODEL_WORKSPACE_BYTES.  Prints "N passed, M failed". */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64, CLASSES = 10, MAX_BATCH = MODEL_BATCH_MAX, MAX_KERNELS = 1000 };

static int passed, failed;
static float pictures[(MAX_BATCH + 1) * PIXELS];
static _Alignas(DLRT_WORKSPACE_ALIGN) char workspace[MODEL_WORKSPACE_BYTES + 1];

static void check(int ok, long long batch, const char *what)
{
	passed += ok;
	failed += !ok;
	if (!ok)
		printf("FAIL batch %lld: %s\n", batch, what);
}

typedef struct result {
	float logits[MAX_BATCH * CLASSES];
	dlrt_profile_entry entries[MAX_KERNELS];
	dlrt_status status;
} result;

static dlrt_tensor input(int64_t batch)
{
	return (dlrt_tensor){.data = pictures, .type = DLRT_F32, .rank = 4, .dims = {batch, 1, 8, 8}};
}

static void run(const dlrt_model *m, int64_t batch, result *r)
{
	dlrt_tensor x = input(batch), y = {.data = r->logits};
	dlrt_profile profile;
	dlrt_options o = {.profile = &profile};
	memset(r, 0, sizeof *r);
	dlrt_profile_init(&profile, r->entries, m->n_kernels, NULL, NULL);
	r->status = dlrt_run(m, &x, &y, &o);
}

static int same_kernels(const result *a, const result *b)
{
	for (int i = 0; i < model.n_kernels; i++)
		if (a->entries[i].count != b->entries[i].count)
			return 0;
	return 1;
}

static int disjoint_kernels(const result *a, const result *b)
{
	int n = 0;
	for (int i = 0; i < model.n_kernels; i++) {
		n += a->entries[i].count != 0;
		if (a->entries[i].count && b->entries[i].count)
			return 0;
	}
	return n > 0;
}

static int near(const float *a, const float *b, int64_t batch)
{
	double error = 0, norm = 0;
	for (int64_t i = 0; i < batch * CLASSES; i++) {
		error += (a[i] - b[i]) * (a[i] - b[i]);
		norm += b[i] * b[i];
	}
	return norm > 0 && sqrt(error) <= 1e-5 * sqrt(norm);
}

static void check_batch(int64_t batch, int listed)
{
	static result by_model, by_variant, by_general;
	static float logits[MAX_BATCH * CLASSES];
	dlrt_tensor x = input(batch), y = {.type = DLRT_UNDEFINED};
	const dlrt_model *v = dlrt_variant_for(&model, &x), *general = dlrt_variant(&model);
	size_t bytes = 0, of_variant = 0, largest = 0;
	run(&model, batch, &by_model);
	run(v, batch, &by_variant);
	run(general, batch, &by_general);
	check(!by_model.status && !by_variant.status && !by_general.status, batch, "a run failed");
	check(listed ? v->symbols[0].lo == batch && v->symbols[0].hi == batch : v == general, batch, "the wrong code runs");
	check(same_kernels(&by_model, &by_variant), batch, "other kernels than those of the variant");
	check(!listed || disjoint_kernels(&by_model, &by_general), batch, "kernels of the general code");
	check(!memcmp(by_model.logits, by_variant.logits, sizeof logits), batch, "other bits than by the variant");
	check(near(by_model.logits, by_general.logits, batch), batch, "other results than by the general code");
	check(!dlrt_infer_shapes(&model, &x, &y, NULL) && y.rank == 2 && y.dims[0] == batch && y.dims[1] == CLASSES, batch, "shapes");
	check(!dlrt_workspace_size(&model, &x, &bytes) && !dlrt_workspace_size(v, &x, &of_variant) && bytes == of_variant, batch, "workspace");
	check(!dlrt_workspace_size(&model, NULL, &largest) && bytes <= largest && largest <= MODEL_WORKSPACE_BYTES, batch, "largest workspace");
	check(!model_run(pictures, logits, batch, workspace, NULL), batch, "the typed call failed");
	check(!memcmp(by_model.logits, logits, (size_t)batch * CLASSES * sizeof *logits), batch, "other bits by the typed call");
}

/* What is outside the bounds is refused in the words of the model; a variant refuses what it is not for. */
static void check_refusals(void)
{
	char message[200], wanted[100];
	dlrt_tensor x = input(MAX_BATCH + 1), y = {.type = DLRT_UNDEFINED};
	dlrt_options o = {.message = message, .message_bytes = sizeof message};
	snprintf(wanted, sizeof wanted, "symbol \"batch\" is %d, which is outside %d..%d", MAX_BATCH + 1, MODEL_BATCH_MIN, MAX_BATCH);
	check(dlrt_infer_shapes(&model, &x, &y, &o) == DLRT_RANGE && !strcmp(message, wanted), MAX_BATCH + 1, message);
	check(!dlrt_variant_for(&model, &x), MAX_BATCH + 1, "something runs");
	check(model_run(pictures, NULL, MAX_BATCH + 1, workspace, NULL) == DLRT_RANGE, MAX_BATCH + 1, "the typed call");
	for (int i = 0; i < model.n_variants; i++) {
		const dlrt_model *v = model.variants[i];
		x.dims[0] = v->symbols[0].lo + 1;
		if (v->symbols[0].lo == v->symbols[0].hi)
			check(dlrt_infer_shapes(v, &x, &y, NULL) == DLRT_RANGE, x.dims[0], "a variant takes what it is not for");
	}
}

int main(int argc, char **argv)
{
	if (model.n_kernels > MAX_KERNELS)
		return 2;
	for (int i = 0; i < MAX_BATCH * PIXELS; i++)
		pictures[i] = (float)((i * 37 + i / PIXELS) % 17) / 16;
	for (int64_t batch = 1; batch <= MAX_BATCH; batch++) {
		int listed = 0;
		for (int i = 1; i < argc; i++)
			listed |= atoi(argv[i]) == batch;
		check_batch(batch, listed);
	}
	check(model.n_variants % argc == 0 && model.n_variants >= argc, 0, "the number of variants"); /* per CPU: one each and the general one */
	check_refusals();
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
