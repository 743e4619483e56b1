/* The calls that look at a model or run it: frame, checks, workspace, context, run.
 *
 * What is derived from the descriptor's counts (symbols, dims, data pointers) lives in a frame on the stack, so that no
 * call allocates. There are two sizes of frame: nearly every model fits the small one, and a thread with a small
 * stack should not pay for the models with hundreds of inputs. */
#if !defined(DLRT_NO_MALLOC) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE   /* madvise */
#endif

#include "dlrt_internal.h"

#ifndef DLRT_NO_MALLOC
#include <stdlib.h>
#if defined(__linux__) && !defined(DLRT_NO_HUGE_PAGES)
#include <sys/mman.h>
#endif
#endif

enum {
	SMALL_POINTERS = 64,
	SMALL_NUMBERS = 256,
	LARGE_POINTERS = 1024,
	LARGE_NUMBERS = 4096,
};

static const dlrt_options default_options;

/* What to do in a frame. */
typedef dlrt_status body(call *c);

static dlrt_status enter(call *c, body *do_it, void **pointers, int64_t *numbers)
{
	c->pointers = pointers;
	c->symbols = numbers;
	c->dims = c->model->dims ? numbers + c->model->n_symbols : NULL;
	dlrt_status status = dlrt_check_inputs(c);
	if (status)
		return status;
	c->model = dlrt_choose(c->model, c->symbols);
	return do_it(c);
}

static DLRT_NOINLINE dlrt_status enter_small(call *c, body *do_it)
{
	void *pointers[SMALL_POINTERS];
	int64_t numbers[SMALL_NUMBERS];
	return enter(c, do_it, pointers, numbers);
}

static DLRT_NOINLINE dlrt_status enter_large(call *c, body *do_it)
{
	void *pointers[LARGE_POINTERS];
	int64_t numbers[LARGE_NUMBERS];
	return enter(c, do_it, pointers, numbers);
}

static int64_t count_dims(const dlrt_port *ports, int32_t n)
{
	int64_t count = 0;
	for (int32_t i = 0; i < n; i++)
		count += ports[i].rank;
	return count;
}

/* Checks the model and its inputs, then does `do_it` in a frame that is large enough. */
static dlrt_status with_frame(call *c, body *do_it)
{
	if (c->options->message && c->options->message_bytes)
		c->options->message[0] = '\0';
	dlrt_status status = dlrt_check_model(c->model, c->options);
	if (status)
		return status;
	const dlrt_model *m = c->model;
	int64_t n_pointers = (int64_t)m->n_inputs + m->n_outputs;
	int64_t n_numbers = m->n_symbols;
	if (m->dims)
		n_numbers += count_dims(m->inputs, m->n_inputs) + count_dims(m->outputs, m->n_outputs);
	if (n_pointers <= SMALL_POINTERS && n_numbers <= SMALL_NUMBERS)
		return enter_small(c, do_it);
	if (n_pointers <= LARGE_POINTERS && n_numbers <= LARGE_NUMBERS)
		return enter_large(c, do_it);
	return dlrt_fail(c->options, DLRT_COUNT, "model \"%s\" has %d inputs and outputs with %d symbols and dims; at most "
	                 "%d and %d are possible", m->name, n_pointers, n_numbers, (int64_t)LARGE_POINTERS,
	                 (int64_t)LARGE_NUMBERS);
}

/* ---- Shapes and sizes ----------------------------------------------------------------------------------------- */

static dlrt_status describe_outputs(call *c)
{
	if (c->model->n_outputs && !c->outputs)
		return dlrt_fail(c->options, DLRT_NULL, "the outputs are NULL");
	for (int32_t i = 0; i < c->model->n_outputs; i++)
		dlrt_describe_output(c, i, &c->outputs[i]);
	return DLRT_OK;
}

dlrt_status dlrt_infer_shapes(const dlrt_model *model, const dlrt_tensor *inputs, dlrt_tensor *outputs,
                              const dlrt_options *options)
{
	call c = {
		.model = model,
		.options = options ? options : &default_options,
		.inputs = inputs,
		.outputs = outputs,
	};
	return with_frame(&c, describe_outputs);
}

static dlrt_status find_workspace(call *c)
{
	return dlrt_check_workspace(c->model, c->options, c->symbols, &c->workspace_bytes);
}

dlrt_status dlrt_workspace_size(const dlrt_model *model, const dlrt_tensor *inputs, size_t *bytes)
{
	call c = {.model = model, .options = &default_options, .inputs = inputs};
	if (!bytes)
		return DLRT_NULL;
	dlrt_status status;
	if (model && model->n_inputs && !inputs) {
		status = dlrt_check_model(model, c.options);
		c.workspace_bytes = status ? 0 : dlrt_largest_workspace(model);
	} else {
		status = with_frame(&c, find_workspace);
	}
	if (!status && c.workspace_bytes > PTRDIFF_MAX)
		status = DLRT_RANGE;
	*bytes = status ? 0 : (size_t)c.workspace_bytes;
	return status;
}

static dlrt_status do_nothing(call *c)
{
	(void)c;
	return DLRT_OK;
}

const dlrt_model *dlrt_variant_for(const dlrt_model *model, const dlrt_tensor *inputs)
{
	call c = {.model = model, .options = &default_options, .inputs = inputs};
	return with_frame(&c, do_nothing) ? NULL : c.model;
}

/* ---- Memory --------------------------------------------------------------------------------------------------- */

#ifdef DLRT_NO_MALLOC
#define DEFAULT_ALLOC NULL
enum { HAVE_MALLOC = 0 };
#else
enum { HAVE_MALLOC = 1 };

static void *libc_alloc(void *user, size_t bytes, size_t align)
{
	(void)user;
	if (bytes > SIZE_MAX - align)
		return NULL;
	return aligned_alloc(align, (bytes + align - 1) / align * align);
}

#define DEFAULT_ALLOC libc_alloc
#endif

/* The workspace of one run: the caller's, or our own until space_close. */
typedef struct space {
	void *memory;
	void *block;          /* to release, NULL: nothing */
	size_t bytes;
} space;

#ifdef DLRT_NO_MALLOC
#define space_malloc(w) ((void)(w))
#define space_free(w) ((void)(w))
#else

#ifdef MADV_HUGEPAGE
enum { HUGE_PAGE = 2 << 20, WORTH_CLEARING = HUGE_PAGE / 4 };

/* Fresh memory costs a fault for each page of 4 KiB: 1.3 ms for 4 MB, but 0.2 ms as huge pages (bench/linked). The system
 * gives these to who asks for them, each cleared whole, as long as 128 small faults take: a rest below that stays small. */
static size_t huge_bytes(size_t bytes)
{
	size_t rest = bytes % HUGE_PAGE;
	return bytes < HUGE_PAGE ? 0 : bytes - rest + (rest >= WORTH_CLEARING ? HUGE_PAGE : 0);
}

#define ask_for_huge_pages(memory, bytes) ((void)madvise(memory, bytes, MADV_HUGEPAGE)) /* a refusal only costs time */
#else
enum { HUGE_PAGE = DLRT_WORKSPACE_ALIGN };
#define huge_bytes(bytes) ((size_t)0)
#define ask_for_huge_pages(memory, bytes) ((void)(memory))
#endif

/* malloc and an alignment of our own: the GNU C library maps a large aligned block anew for each run, and so clears it. */
static void space_malloc(space *w)
{
	size_t huge = huge_bytes(w->bytes), bytes = huge > w->bytes ? huge : w->bytes;
	size_t align = huge ? HUGE_PAGE : DLRT_WORKSPACE_ALIGN;
	w->block = bytes > PTRDIFF_MAX - align ? NULL : malloc(bytes + align - 1);
	if (!w->block)
		return;
	w->memory = (char *)w->block + (0 - (uintptr_t)w->block) % align;
	if (huge)
		ask_for_huge_pages(w->memory, huge);
}

static void space_free(space *w)
{
	free(w->block);
}
#endif

static dlrt_status space_open(space *w, void *given, uint64_t needed, const dlrt_options *o)
{
	*w = (space){.memory = given, .bytes = (size_t)needed};
	if ((uintptr_t)given % DLRT_WORKSPACE_ALIGN)
		return dlrt_fail(o, DLRT_ALIGN, "the workspace is not aligned to %d bytes", (int64_t)DLRT_WORKSPACE_ALIGN);
	if (given || !needed)
		return DLRT_OK;
	if (o->alloc)
		w->block = w->memory = o->alloc(o->alloc_user, w->bytes, DLRT_WORKSPACE_ALIGN);
	else
		space_malloc(w);
	if (!w->memory)
		return dlrt_fail(o, DLRT_MEMORY, o->alloc || HAVE_MALLOC
		                                     ? "no memory for a workspace of %d bytes"
		                                     : "no workspace is given and there is no allocator for its %d bytes",
		                 (int64_t)needed);
	return DLRT_OK;
}

static void space_close(space *w, const dlrt_options *o)
{
	if (w->block && o->alloc)
		o->release(o->alloc_user, w->block, w->bytes);
	else if (w->block)
		space_free(w);
}

/* ---- Running -------------------------------------------------------------------------------------------------- */

static void use_threads(dlrt_context *context, const dlrt_threads *threads)
{
	context->n_threads = 1;
	if (!threads || !threads->parallel || threads->n <= 1)
		return;
	context->parallel = threads->parallel;
	context->pool = threads->pool;
	context->n_threads = threads->n;
}

/* Those of the options that have nothing to do with tensors. */
static dlrt_status check_options(const call *c)
{
	const dlrt_model *m = c->model;
	const dlrt_options *o = c->options;
	if (!o->alloc != !o->release)
		return dlrt_fail(o, DLRT_NULL, "options have an alloc without a release, or the reverse");
	if (o->profile && o->profile->n_entries != m->n_kernels)
		return dlrt_fail(o, DLRT_COUNT, "the profile has %d entries, but model \"%s\" has %d kernels",
		                 (int64_t)o->profile->n_entries, m->name, (int64_t)m->n_kernels);
	if (!(m->flags & DLRT_MODEL_EXTERNAL_WEIGHTS))
		return DLRT_OK;
	if (!o->weights || o->weights_bytes != m->weights_bytes)
		return dlrt_fail(o, DLRT_WEIGHTS, "model \"%s\" wants %d bytes of external weights, but options have %d", m->name,
		                 (int64_t)m->weights_bytes, o->weights ? (int64_t)o->weights_bytes : INT64_C(0));
	if ((uintptr_t)o->weights % DLRT_WORKSPACE_ALIGN)
		return dlrt_fail(o, DLRT_ALIGN, "the weights are not aligned to %d bytes", (int64_t)DLRT_WORKSPACE_ALIGN);
	return DLRT_OK;
}

static dlrt_status check_run(call *c)
{
	const dlrt_options *o = c->options;
	if (c->model->n_outputs && !c->outputs)
		return dlrt_fail(o, DLRT_NULL, "the outputs are NULL");
	dlrt_status status = check_options(c);
	if (!status)
		status = dlrt_check_outputs(c);
	if (!status)
		status = dlrt_check_data(c);
	if (!status)
		status = find_workspace(c);
	if (!status && o->workspace && o->workspace_bytes < c->workspace_bytes)
		status = dlrt_fail(o, DLRT_WORKSPACE, "the workspace has %d bytes, but these shapes need %d",
		                   (int64_t)o->workspace_bytes, (int64_t)c->workspace_bytes);
	return status;
}

static dlrt_status run(call *c)
{
	const dlrt_model *m = c->model;
	const dlrt_options *o = c->options;
	dlrt_status status = check_run(c);
	if (status)
		return status;
	space w;
	status = space_open(&w, o->workspace, c->workspace_bytes, o);
	if (status)
		return status;
	for (int32_t i = 0; i < m->n_outputs; i++)
		if (dlrt_describe_output(c, i, &c->outputs[i]))
			c->outputs[i].data = NULL;
	dlrt_context context = {
		.profile = o->profile ? dlrt_profile_step : NULL,
		.profile_user = o->profile,
		.alloc = o->alloc ? o->alloc : DEFAULT_ALLOC,
		.alloc_user = o->alloc_user,
		.outputs = c->outputs,
		.weights = m->flags & DLRT_MODEL_EXTERNAL_WEIGHTS ? o->weights : m->weights,
		.cpu_features = dlrt_cpu_features(),
	};
	use_threads(&context, o->threads);
	status = m->run((const void *const *)c->pointers, c->pointers + m->n_inputs, w.memory, c->symbols, &context);
	space_close(&w, o);
	if (status)
		dlrt_fail(o, status, "model \"%s\": %s", m->name, dlrt_strerror(status));
	return status;
}

dlrt_status dlrt_run(const dlrt_model *model, const dlrt_tensor *inputs, dlrt_tensor *outputs,
                     const dlrt_options *options)
{
	call c = {
		.model = model,
		.options = options ? options : &default_options,
		.inputs = inputs,
		.outputs = outputs,
	};
	return with_frame(&c, run);
}

/* ---- Typed calls ---------------------------------------------------------------------------------------------- */

/* A NULL is accepted where a constant or symbolic dim says that there are no elements. */
static bool is_empty(const dlrt_port *port, const int64_t *symbols)
{
	for (int32_t axis = 0; axis < port->rank; axis++) {
		const dlrt_dim *dim = &port->dims[axis];
		int64_t value = dim->symbol >= 0 ? symbols[dim->symbol] : dim->value;
		if (dim->symbol != DLRT_DIM_COMPUTED && value == 0)
			return true;
	}
	return false;
}

static dlrt_status check_pointers(const dlrt_port *ports, const void *const *data, int32_t n, const int64_t *symbols)
{
	if (n && !data)
		return DLRT_NULL;
	for (int32_t i = 0; i < n; i++) {
		if (!data[i] && !is_empty(&ports[i], symbols))
			return DLRT_NULL;
		if ((uintptr_t)data[i] % dlrt_type_align(ports[i].type))
			return DLRT_ALIGN;
	}
	return DLRT_OK;
}

static dlrt_status check_typed(const dlrt_model *m, const void *const *inputs, void *const *outputs,
                               const int64_t *symbols)
{
	if (m->flags & DLRT_MODEL_EXTERNAL_WEIGHTS)
		return DLRT_WEIGHTS;
	if (m->n_symbols && !symbols)
		return DLRT_NULL;
	dlrt_status status = dlrt_check_symbols(m, NULL, symbols);
	if (!status)
		status = check_pointers(m->inputs, inputs, m->n_inputs, symbols);
	if (!status)
		status = check_pointers(m->outputs, (const void *const *)outputs, m->n_outputs, symbols);
	return status;
}

dlrt_status dlrt_run_typed(const dlrt_model *model, const void *const *inputs, void *const *outputs,
                           const int64_t *symbols, void *given, const dlrt_threads *threads)
{
	uint64_t needed = 0;
	dlrt_status status = dlrt_check_model(model, NULL);
	if (!status)
		status = check_typed(model, inputs, outputs, symbols);
	if (status)
		return status;
	model = dlrt_choose(model, symbols);
	status = dlrt_check_workspace(model, NULL, symbols, &needed);
	if (status)
		return status;
	space w;
	status = space_open(&w, given, needed, &default_options);
	if (status)
		return status;
	/* No allocator and no descriptors: a model with an output of data-dependent size fails with DLRT_MEMORY. */
	dlrt_context context = {.weights = model->weights, .cpu_features = dlrt_cpu_features()};
	use_threads(&context, threads);
	status = model->run(inputs, outputs, w.memory, symbols, &context);
	space_close(&w, &default_options);
	return status;
}
