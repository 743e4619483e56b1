#include "driver/tensors.h"

#include "driver/npy.h"
#include "frontend/onnx.h"
#include "support/file.h"
#include "support/half.h"

#include <inttypes.h>
#include <string.h>

enum { ALIGN = 64, PRINTED_WHOLE = 64, PRINTED_FIRST = 8 };

_Static_assert(sizeof(slice) == sizeof(dlrt_string), "strings of tensors are the runtime's strings");

/* ---- memory ------------------------------------------------------------------------------------------------------------- */
bool tensor_allocate(arena *a, dlrt_tensor *t)
{
	size_t bytes;
	if (dlrt_tensor_bytes(t, &bytes) != DLRT_OK || bytes > SIZE_MAX / 2)
		return false;
	t->data = arena_alloc(a, bytes ? bytes : 1, ALIGN);
	return true;
}

tensor tensor_view(arena *a, const dlrt_tensor *t)
{
	tensor view;
	bool ok = tensor_init(&view, a, dtype_of_onnx((int)t->type), t->rank, t->dims);
	if (!ok)
		bug("a tensor of the runtime has impossible dims");
	view.data = t->data;
	return view;
}

/* ---- files ---------------------------------------------------------------------------------------------------------------- */
static bool has_suffix(const char *path, const char *suffix)
{
	size_t n = strlen(path), m = strlen(suffix);
	return n >= m && !strcmp(path + n - m, suffix);
}

static bool from_tensor(arena *a, const char *path, const tensor *t, dlrt_tensor *out, diag *d)
{
	*out = (dlrt_tensor){.type = (dlrt_type)dtype_table[t->type].onnx, .rank = t->rank};
	if (t->rank > DLRT_MAX_RANK) {
		diag_error(d, DIAG_FILE(path), "rank %d is above %d", t->rank, DLRT_MAX_RANK);
		return false;
	}
	for (int i = 0; i < t->rank; i++)
		out->dims[i] = t->dims[i];
	if (!tensor_allocate(a, out)) {
		diag_error(d, DIAG_FILE(path), "the tensor is too large");
		return false;
	}
	if (t->bytes)
		memcpy(out->data, t->data, t->bytes);
	return true;
}

bool tensor_read(arena *a, const char *path, dlrt_tensor *out, diag *d)
{
	file_data file;
	tensor t;
	const char *name;
	if (!file_map(path, &file, d))
		return false;
	bool ok = has_suffix(path, ".npy") ? npy_read(a, path, file.data, file.size, &t, d)
	                                   : onnx_read_tensor(a, path, file.data, file.size, &t, &name, d);
	ok = ok && from_tensor(a, path, &t, out, d);
	file_unmap(&file);
	return ok;
}

bool value_read(arena *a, const char *path, const char *kind, const char *name, held_tensors *out, diag *d)
{
	file_data file;
	named_tensors held = {0};
	if (*kind == 't') {
		held_tensor t = {.name = name};
		bool read = tensor_read(a, path, &t.tensor, d);
		vec_push(a, out, t);
		return read;
	}
	if (!file_map(path, &file, d))
		return false;
	bool ok = onnx_read_value(a, path, file.data, file.size, kind, name, &held, d);
	for (int i = 0; ok && i < held.n; i++) {
		held_tensor t = {.name = held.v[i].name, .tensor = {.rank = -1}};
		ok = held.v[i].value.rank < 0 || from_tensor(a, path, &held.v[i].value, &t.tensor, d);
		vec_push(a, out, t);
	}
	file_unmap(&file);
	return ok;
}

bool tensor_write(const char *path, const dlrt_tensor *t, const char *name, diag *d)
{
	arena *a = arena_new("tensor file");
	str text = str_new(a);
	tensor view = tensor_view(a, t);
	bool ok = true;
	if (!has_suffix(path, ".npy"))
		onnx_write_tensor(&text, &view, name);
	else
		ok = npy_write(&text, path, &view, d);
	ok = ok && file_write_atomic(path, text.data, text.len, d);
	arena_free(a);
	return ok;
}

/* ---- made up data --------------------------------------------------------------------------------------------------------- */
/* The bits of a small number x in type t. */
static uint64_t bits_of(dtype t, double x)
{
	float f = (float)x;
	uint64_t bits = 0;
	switch (t) {
	case F32: memcpy(&bits, &f, sizeof f); break;
	case F64: memcpy(&bits, &x, sizeof x); break;
	case F16: return f16_from_f32(f);
	case BF16: return bf16_from_f32(f);
	case F8E4M3FN: return f8e4m3fn_from_f32(f, true);
	case F8E4M3FNUZ: return f8e4m3fnuz_from_f32(f, true);
	case F8E5M2: return f8e5m2_from_f32(f, true);
	case F8E5M2FNUZ: return f8e5m2fnuz_from_f32(f, true);
	case F8E8M0: return f8e8m0_from_f32(f, F8E8M0_NEAREST, true);
	case F4E2M1: return f4e2m1_from_f32(f);
	case BOOL: return x != 0;
	case I8: case I16: case I32: case I64: case I4: case I2:
	case U8: case U16: case U32: case U64: case U4: case U2:
		return (uint64_t)(int64_t)x;
	case STRING: case DTYPE_COUNT: break;
	}
	return bits;
}

static void put(unsigned char *data, int bits, size_t i, uint64_t code)
{
	if (bits < 8) {
		size_t per_byte = 8 / (size_t)bits;
		unsigned mask = (1u << bits) - 1, shift = (unsigned)(i % per_byte) * (unsigned)bits;
		unsigned char *byte = data + i / per_byte;
		*byte = (unsigned char)((*byte & ~(mask << shift)) | ((unsigned)code & mask) << shift);
		return;
	}
	for (int b = 0; b < bits / 8; b++)
		data[i * ((size_t)bits / 8) + (size_t)b] = (unsigned char)(code >> 8 * b);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static double random_number(dtype t, uint64_t *state)
{
	uint64_t bits = next_random(state);
	return dtype_is_float(t) ? (double)(bits >> 40) * 0x1p-23 - 1 : (double)(bits >> 63);
}

bool tensor_fill(dlrt_tensor *t, const char *how, uint64_t seed)
{
	dtype type = dtype_of_onnx((int)t->type);
	bool iota = !strcmp(how, "iota"), random = !strcmp(how, "random"), ones = !strcmp(how, "ones");
	if (!iota && !random && !ones && strcmp(how, "zeros"))
		return false;
	size_t n = 1;
	for (int i = 0; i < t->rank; i++)
		n *= (size_t)t->dims[i];
	for (size_t i = 0; i < n; i++) {
		double x = iota ? (double)i : random ? random_number(type, &seed) : ones;
		if (type == BOOL && iota)
			x = (double)(i & 1);
		if (type == STRING)
			((dlrt_string *)t->data)[i] = (dlrt_string){"", 0};
		else
			put(t->data, dtype_table[type].bits, i, bits_of(type, x));
	}
	return true;
}

/* ---- printing --------------------------------------------------------------------------------------------------------------- */
static void print_element(FILE *to, arena *a, const tensor *t, size_t i)
{
	switch (dtype_table[t->type].class) {
	case CLASS_FLOAT: fprintf(to, "%.6g", tensor_float(t, i)); break;
	case CLASS_SINT: fprintf(to, "%" PRId64, tensor_int(t, i)); break;
	case CLASS_UINT: fprintf(to, "%" PRIu64, (uint64_t)tensor_int(t, i)); break;
	case CLASS_BOOL: fputs(tensor_int(t, i) ? "true" : "false", to); break;
	case CLASS_STRING: {
		const slice *s = (const slice *)t->data + i;
		str text = str_new(a);
		str_add_escaped(&text, s->data, s->len, "\"\\");
		fprintf(to, "\"%s\"", text.data);
		break;
	}
	}
}

void tensor_print(FILE *to, arena *a, const dlrt_tensor *t)
{
	tensor view = tensor_view(a, t);
	size_t shown = view.n_elements <= PRINTED_WHOLE ? view.n_elements : PRINTED_FIRST;
	fprintf(to, "%s[", dtype_name(view.type));
	for (int i = 0; i < t->rank; i++)
		fprintf(to, "%s%" PRId64, i ? "," : "", t->dims[i]);
	fputs("] = [", to);
	for (size_t i = 0; i < shown; i++) {
		fputs(i ? ", " : "", to);
		print_element(to, a, &view, i);
	}
	fputs(shown < view.n_elements ? ", ...]" : "]", to);
}
