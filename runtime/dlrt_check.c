/* Checks of what a caller gives against what the model's descriptor says.
 *
 * The descriptor is trusted (it is a constant of the program), the caller's tensors are not. The order: version and CPU,
 * since model->dims and model->workspace are compiled code too; then type, rank and dims of the inputs, which bind
 * the symbols; bounds of the symbols and conditions of sizes; dims that are expressions; outputs; data; workspace. A later check relies on
 * the earlier ones. */
#include "dlrt_internal.h"

/* The offsets that generated objects use. 64-bit only: elsewhere both sides follow the target's natural layout. */
#if UINTPTR_MAX > 0xffffffffu
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
AT(dlrt_tensor, data, 0);
AT(dlrt_tensor, type, 8);
AT(dlrt_tensor, rank, 12);
AT(dlrt_tensor, dims, 16);
AT(dlrt_context, parallel, 0);
AT(dlrt_context, pool, 8);
AT(dlrt_context, n_threads, 16);
AT(dlrt_context, profile, 24);
AT(dlrt_context, profile_user, 32);
AT(dlrt_context, alloc, 40);
AT(dlrt_context, alloc_user, 48);
AT(dlrt_context, outputs, 56);
AT(dlrt_context, weights, 64);
AT(dlrt_context, cpu_features, 72);
AT(dlrt_dim, value, 0);
AT(dlrt_dim, symbol, 8);
AT(dlrt_port, name, 0);
AT(dlrt_port, type, 8);
AT(dlrt_port, rank, 12);
AT(dlrt_port, dims, 16);
AT(dlrt_symbol, name, 0);
AT(dlrt_symbol, lo, 8);
AT(dlrt_symbol, hi, 16);
AT(dlrt_kernel_info, name, 0);
AT(dlrt_kernel_info, nodes, 8);
AT(dlrt_kernel_info, flops, 16);
AT(dlrt_kernel_info, bytes, 24);
AT(dlrt_model, abi, 0);
AT(dlrt_model, flags, 4);
AT(dlrt_model, name, 8);
AT(dlrt_model, compiler, 16);
AT(dlrt_model, cpu, 24);
AT(dlrt_model, cpu_features, 32);
AT(dlrt_model, n_inputs, 40);
AT(dlrt_model, n_outputs, 44);
AT(dlrt_model, n_symbols, 48);
AT(dlrt_model, n_kernels, 52);
AT(dlrt_model, inputs, 56);
AT(dlrt_model, outputs, 64);
AT(dlrt_model, symbols, 72);
AT(dlrt_model, kernels, 80);
AT(dlrt_model, workspace_bytes, 88);
AT(dlrt_model, workspace_align, 96);
AT(dlrt_model, workspace, 104);
AT(dlrt_model, dims, 112);
AT(dlrt_model, run, 120);
AT(dlrt_model, weights, 128);
AT(dlrt_model, weights_bytes, 136);
AT(dlrt_model, n_conditions, 144);
AT(dlrt_model, n_variants, 148);
AT(dlrt_model, conditions, 152);
AT(dlrt_model, check, 160);
AT(dlrt_model, variants, 168);
_Static_assert(sizeof(dlrt_tensor) == 112 && sizeof(dlrt_context) == 80 && sizeof(dlrt_dim) == 16, "sizes");
_Static_assert(sizeof(dlrt_port) == 24 && sizeof(dlrt_symbol) == 24 && sizeof(dlrt_kernel_info) == 32, "sizes");
_Static_assert(sizeof(dlrt_model) == 176, "sizes");
#endif
_Static_assert(sizeof(dlrt_type) == 4 && sizeof(dlrt_status) == 4, "enums are 32-bit in generated code");

/* A symbol that no input has bound yet. */
#define UNBOUND (-1)

/* What a dim has to be when it depends on the values of the inputs. */
#define ANY (-1)

static const char *const feature_names[64] = {
#define FEATURE_NAME(member, bit, name) [bit] = name,
	DLRT_CPU_FEATURES(FEATURE_NAME)
#undef FEATURE_NAME
};

static uint64_t missing_of(const dlrt_model *m)
{
	return m->cpu_features & ~dlrt_cpu_features();
}

static int count_bits(uint64_t bits)
{
	int n = 0;
	for (; bits; bits &= bits - 1)
		n++;
	return n;
}

static dlrt_status fail_cpu(const dlrt_model *m, const dlrt_options *o)
{
	const dlrt_model *nearest = m;
	if (!missing_of(m)) /* none of its variants has all that it needs */
		nearest = m->variants[0];
	for (int32_t i = 1; nearest != m && i < m->n_variants; i++)
		if (count_bits(missing_of(m->variants[i])) <= count_bits(missing_of(nearest)))
			nearest = m->variants[i];
	uint64_t missing = missing_of(nearest);
	dlrt_fail(o, DLRT_CPU, "model \"%s\" is compiled for %s, and this CPU lacks", m->name, m->cpu);
	if (nearest != m)
		dlrt_fail_more(o, " for %s", nearest->cpu);
	const char *separator = " ";
	for (int bit = 0; bit < 64; bit++) {
		if (!(missing >> bit & 1))
			continue;
		if (feature_names[bit])
			dlrt_fail_more(o, "%s%s", separator, feature_names[bit]);
		else
			dlrt_fail_more(o, "%sfeature %d", separator, (int64_t)bit);
		separator = ", ";
	}
	return DLRT_CPU;
}

static bool is_known(const dlrt_model *m)
{
	return m && m->abi == DLRT_ABI;
}

/* Does it take all sizes that the model takes? */
static bool is_general(const dlrt_model *m, const dlrt_model *variant)
{
	for (int32_t i = 0; i < m->n_symbols; i++)
		if (variant->symbols[i].lo > m->symbols[i].lo || variant->symbols[i].hi < m->symbols[i].hi)
			return false;
	return true;
}

const dlrt_model *dlrt_variant(const dlrt_model *m)
{
	if (!is_known(m) || missing_of(m))
		return NULL;
	for (int32_t i = 0; i < m->n_variants; i++)
		if (!missing_of(m->variants[i]) && is_general(m, m->variants[i]))
			return m->variants[i];
	return m->n_variants ? NULL : m;
}

static bool takes(const dlrt_model *m, const int64_t *symbols)
{
	for (int32_t i = 0; i < m->n_symbols; i++)
		if (symbols[i] < m->symbols[i].lo || symbols[i] > m->symbols[i].hi)
			return false;
	return true;
}

const dlrt_model *dlrt_choose(const dlrt_model *m, const int64_t *symbols)
{
	for (int32_t i = 0; i < m->n_variants; i++)
		if (!missing_of(m->variants[i]) && takes(m->variants[i], symbols))
			return m->variants[i];
	return m;
}

uint64_t dlrt_largest_workspace(const dlrt_model *m)
{
	uint64_t bytes = 0;
	for (int32_t i = 0; i < m->n_variants; i++) {
		const dlrt_model *v = m->variants[i];
		if (missing_of(v))
			continue;
		bytes = v->workspace_bytes > bytes ? v->workspace_bytes : bytes;
		if (is_general(m, v))
			return bytes; /* no call takes those behind it */
	}
	return m->workspace_bytes;
}

dlrt_status dlrt_check_model(const dlrt_model *m, const dlrt_options *o)
{
	if (!m)
		return dlrt_fail(o, DLRT_NULL, "the model is NULL");
	if (m->abi != DLRT_ABI)
		return dlrt_fail(o, DLRT_VERSION, "the model has ABI version %d, the runtime %d", (int64_t)m->abi,
		                 (int64_t)DLRT_ABI);
	return dlrt_variant(m) ? DLRT_OK : fail_cpu(m, o);
}

static dlrt_status check_conditions(const dlrt_model *m, const dlrt_options *o, const int64_t *symbols)
{
	int32_t failed = -1;
	dlrt_status status = m->check ? m->check(symbols, &failed) : DLRT_OK;
	if (!status)
		return DLRT_OK;
	if (failed < 0 || failed >= m->n_conditions)
		return dlrt_fail(o, status, "the sizes of model \"%s\" overflow", m->name);
	return dlrt_fail(o, status, "the input sizes contradict model \"%s\", which wants %s", m->name, m->conditions[failed]);
}

dlrt_status dlrt_check_symbols(const dlrt_model *m, const dlrt_options *o, const int64_t *symbols)
{
	for (int32_t i = 0; i < m->n_symbols; i++) {
		const dlrt_symbol *s = &m->symbols[i];
		int64_t value = symbols[i];
		if (value >= s->lo && value <= s->hi && value >= 0)
			continue;
		if (s->hi == INT64_MAX)
			return dlrt_fail(o, DLRT_RANGE, "symbol \"%s\" is %d, but at least %d is wanted", s->name, value, s->lo);
		return dlrt_fail(o, DLRT_RANGE, "symbol \"%s\" is %d, which is outside %d..%d", s->name, value, s->lo, s->hi);
	}
	return check_conditions(m, o, symbols);
}

static dlrt_status check_type_and_rank(const call *c, const char *what, const dlrt_port *port, const dlrt_tensor *t)
{
	if ((int32_t)t->type != port->type)
		return dlrt_fail(c->options, DLRT_TYPE, "%s \"%s\" is %s, but the model wants %s", what, port->name,
		                 dlrt_type_name(t->type), dlrt_type_name((dlrt_type)port->type));
	if (t->rank != port->rank)
		return dlrt_fail(c->options, DLRT_RANK, "%s \"%s\" has rank %d, but the model wants rank %d", what, port->name,
		                 (int64_t)t->rank, (int64_t)port->rank);
	return DLRT_OK;
}

static dlrt_status check_dim(const call *c, const char *what, const dlrt_port *port, int32_t axis, int64_t found,
                             int64_t wanted)
{
	if (found == wanted)
		return DLRT_OK;
	int32_t symbol = port->dims[axis].symbol;
	if (symbol >= 0)
		return dlrt_fail(c->options, DLRT_DIMS, "%s \"%s\": dim %d is %d, but symbol \"%s\" is %d", what, port->name,
		                 (int64_t)axis, found, c->model->symbols[symbol].name, wanted);
	return dlrt_fail(c->options, DLRT_DIMS, "%s \"%s\": dim %d is %d, but the model wants %d", what, port->name,
	                 (int64_t)axis, found, wanted);
}

/* Compares constant dims, and lets the first dim that is a symbol bind it. */
static dlrt_status bind_input(call *c, const dlrt_port *port, const dlrt_tensor *t)
{
	dlrt_status status = check_type_and_rank(c, "input", port, t);
	for (int32_t axis = 0; axis < port->rank && !status; axis++) {
		const dlrt_dim *dim = &port->dims[axis];
		int64_t found = t->dims[axis];
		if (found < 0)
			return dlrt_fail(c->options, DLRT_DIMS, "input \"%s\": dim %d is %d, which is negative", port->name,
			                 (int64_t)axis, found);
		if (dim->symbol == DLRT_DIM_COMPUTED)
			continue;
		if (dim->symbol >= 0 && c->symbols[dim->symbol] == UNBOUND)
			c->symbols[dim->symbol] = found;
		status = check_dim(c, "input", port, axis, found, dim->symbol >= 0 ? c->symbols[dim->symbol] : dim->value);
	}
	return status;
}

/* The value of a dim of a port whose first flattened dim is `first`. Requires bound symbols. */
static int64_t wanted_dim(const call *c, const dlrt_port *port, int64_t first, int32_t axis)
{
	const dlrt_dim *dim = &port->dims[axis];
	if (dim->symbol >= 0)
		return c->symbols[dim->symbol];
	if (dim->symbol == DLRT_DIM_CONSTANT)
		return dim->value;
	return c->dims ? c->dims[first + axis] : ANY;
}

static int64_t first_dim_of_output(const call *c, int output)
{
	int64_t first = 0;
	for (int32_t i = 0; i < c->model->n_inputs; i++)
		first += c->model->inputs[i].rank;
	for (int i = 0; i < output; i++)
		first += c->model->outputs[i].rank;
	return first;
}

static dlrt_status check_computed_dims(const call *c, const char *what, const dlrt_port *port, int64_t first,
                                       const dlrt_tensor *t)
{
	for (int32_t axis = 0; axis < port->rank; axis++) {
		int64_t wanted = wanted_dim(c, port, first, axis);
		dlrt_status status = wanted == ANY ? DLRT_OK : check_dim(c, what, port, axis, t->dims[axis], wanted);
		if (status)
			return status;
	}
	return DLRT_OK;
}

static dlrt_status compute_dims(call *c)
{
	const dlrt_model *m = c->model;
	if (!m->dims)
		return DLRT_OK;
	dlrt_status status = m->dims(c->symbols, c->dims);
	if (status)
		return dlrt_fail(c->options, status, "the dims of model \"%s\" overflow", m->name);
	int64_t first = 0;
	for (int32_t i = 0; i < m->n_inputs && !status; i++) {
		status = check_computed_dims(c, "input", &m->inputs[i], first, &c->inputs[i]);
		first += m->inputs[i].rank;
	}
	return status;
}

dlrt_status dlrt_check_inputs(call *c)
{
	const dlrt_model *m = c->model;
	if (m->n_inputs && !c->inputs)
		return dlrt_fail(c->options, DLRT_NULL, "the inputs are NULL");
	for (int32_t i = 0; i < m->n_symbols; i++)
		c->symbols[i] = UNBOUND;
	for (int32_t i = 0; i < m->n_inputs; i++) {
		dlrt_status status = bind_input(c, &m->inputs[i], &c->inputs[i]);
		if (status)
			return status;
	}
	for (int32_t i = 0; i < m->n_symbols; i++)
		if (c->symbols[i] == UNBOUND)
			return dlrt_fail(c->options, DLRT_RANGE, "no input determines symbol \"%s\"", m->symbols[i].name);
	dlrt_status status = dlrt_check_symbols(m, c->options, c->symbols);
	return status ? status : compute_dims(c);
}

dlrt_status dlrt_check_outputs(const call *c)
{
	const dlrt_model *m = c->model;
	int64_t first = first_dim_of_output(c, 0);
	for (int32_t i = 0; i < m->n_outputs; i++) {
		const dlrt_tensor *t = &c->outputs[i];
		if (t->type != DLRT_UNDEFINED) {
			dlrt_status status = check_type_and_rank(c, "output", &m->outputs[i], t);
			if (!status)
				status = check_computed_dims(c, "output", &m->outputs[i], first, t);
			if (status)
				return status;
		}
		first += m->outputs[i].rank;
	}
	return DLRT_OK;
}

bool dlrt_describe_output(const call *c, int output, dlrt_tensor *tensor)
{
	const dlrt_port *port = &c->model->outputs[output];
	int64_t first = first_dim_of_output(c, output);
	bool data_dependent = false;
	tensor->type = (dlrt_type)port->type;
	tensor->rank = port->rank;
	for (int32_t axis = 0; axis < port->rank; axis++) {
		tensor->dims[axis] = wanted_dim(c, port, first, axis);
		data_dependent |= tensor->dims[axis] == ANY;
	}
	return data_dependent;
}

dlrt_status dlrt_tensor_bytes(const dlrt_tensor *tensor, size_t *bytes)
{
	if (!tensor || !bytes)
		return DLRT_NULL;
	uint64_t bits = (uint64_t)dlrt_type_bits(tensor->type);
	if (!bits)
		return DLRT_TYPE;
	if (tensor->rank < 0 || tensor->rank > DLRT_MAX_RANK)
		return DLRT_RANK;
	bool empty = false;
	for (int32_t i = 0; i < tensor->rank; i++) {
		if (tensor->dims[i] < 0)
			return DLRT_DIMS;
		empty |= tensor->dims[i] == 0;
	}
	*bytes = 0;
	if (empty)
		return DLRT_OK;
	uint64_t limit = (uint64_t)PTRDIFF_MAX * 8 / bits;
	if ((uint64_t)PTRDIFF_MAX > UINT64_MAX / 8)
		limit = (uint64_t)PTRDIFF_MAX / bits;
	uint64_t count = 1;
	for (int32_t i = 0; i < tensor->rank; i++) {
		if ((uint64_t)tensor->dims[i] > limit / count)
			return DLRT_RANGE;
		count *= (uint64_t)tensor->dims[i];
	}
	*bytes = (size_t)((count * bits + 7) / 8);
	return DLRT_OK;
}

dlrt_status dlrt_check_align(const dlrt_options *o, const char *what, const dlrt_port *port, const void *data)
{
	size_t align = dlrt_type_align(port->type);
	if ((uintptr_t)data % align == 0)
		return DLRT_OK;
	return dlrt_fail(o, DLRT_ALIGN, "the data of %s \"%s\" is not aligned to %d bytes", what, port->name,
	                 (int64_t)align);
}

static dlrt_status check_data(const call *c, const char *what, const dlrt_port *port, const dlrt_tensor *t)
{
	size_t bytes = 0;
	dlrt_status status = dlrt_tensor_bytes(t, &bytes);
	if (status)
		return dlrt_fail(c->options, status, "the size of %s \"%s\" overflows", what, port->name);
	if (bytes && !t->data)
		return dlrt_fail(c->options, DLRT_NULL, "the data of %s \"%s\" is NULL", what, port->name);
	return dlrt_check_align(c->options, what, port, t->data);
}

dlrt_status dlrt_check_data(call *c)
{
	const dlrt_model *m = c->model;
	void **to = c->pointers;
	for (int32_t i = 0; i < m->n_inputs; i++) {
		dlrt_status status = check_data(c, "input", &m->inputs[i], &c->inputs[i]);
		if (status)
			return status;
		*to++ = c->inputs[i].data;
	}
	for (int32_t i = 0; i < m->n_outputs; i++) {
		dlrt_tensor t;
		t.data = c->outputs[i].data;
		if (dlrt_describe_output(c, i, &t)) {
			*to++ = NULL;
			continue;
		}
		dlrt_status status = check_data(c, "output", &m->outputs[i], &t);
		if (status)
			return status;
		*to++ = t.data;
	}
	return DLRT_OK;
}

dlrt_status dlrt_check_workspace(const dlrt_model *m, const dlrt_options *o, const int64_t *symbols, uint64_t *bytes)
{
	*bytes = m->workspace_bytes;
	if (m->workspace) {
		dlrt_status status = m->workspace(symbols, bytes);
		if (status)
			return dlrt_fail(o, status, "the workspace of model \"%s\" overflows for these shapes", m->name);
	}
	if (*bytes > PTRDIFF_MAX)
		return dlrt_fail(o, DLRT_RANGE, "the workspace of model \"%s\" is larger than memory", m->name);
	return DLRT_OK;
}
