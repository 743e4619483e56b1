/* TensorProto to tensor and back.
 *
 * Sizes are checked against dims before anything is allocated, and the data that is there decides: a model cannot make us
 * allocate more than it contains.  Raw and external data is borrowed; typed fields are repacked into the arena.
 * Tensors of ours are little endian and packed as ONNX's raw_data is, so raw bytes are taken as they are. */
#include "frontend/onnx_tensor.h"

#include "frontend/onnx_wire.h"
#include "support/checked.h"

#include <string.h>

enum { EXTERNAL = 1 };
enum { MAX_DENSE_BYTES = 1 << 30 }; /* of a sparse tensor made dense */

static bool refuse(const char **why, const char *text)
{
	*why = text;
	return false;
}

/* ---- typed fields --------------------------------------------------------------------------------------------------- */
typedef enum field { FIELD_FLOAT, FIELD_INT32, FIELD_INT64, FIELD_DOUBLE, FIELD_UINT64, FIELD_STRING, FIELD_COUNT } field;

typedef struct field_data {
	const char *name;
	const void *data;
	size_t n, size;
} field_data;

static field_data field_of(const Onnx__TensorProto *p, field f)
{
	switch (f) {
	case FIELD_FLOAT: return (field_data){"float_data", p->float_data, p->n_float_data, 4};
	case FIELD_INT32: return (field_data){"int32_data", p->int32_data, p->n_int32_data, 4};
	case FIELD_INT64: return (field_data){"int64_data", p->int64_data, p->n_int64_data, 8};
	case FIELD_DOUBLE: return (field_data){"double_data", p->double_data, p->n_double_data, 8};
	case FIELD_UINT64: return (field_data){"uint64_data", p->uint64_data, p->n_uint64_data, 8};
	case FIELD_STRING: return (field_data){"string_data", p->string_data, p->n_string_data, sizeof(slice)};
	case FIELD_COUNT: break;
	}
	return (field_data){0};
}

/* The field in which ONNX keeps elements of type t. */
static field field_for(dtype t)
{
	switch (t) {
	case F32: return FIELD_FLOAT;
	case F64: return FIELD_DOUBLE;
	case I64: return FIELD_INT64;
	case U32:
	case U64: return FIELD_UINT64;
	case STRING: return FIELD_STRING;
	default: return FIELD_INT32; /* everything that fits, and bit patterns of narrow types */
	}
}

/* The low `size` bytes of every entry. */
static void *narrowed(tensor_store *s, field_data f, size_t size)
{
	char *out = arena_alloc(s->a, f.n * size, 8);
	for (size_t i = 0; i < f.n; i++)
		memcpy(out + i * size, (const char *)f.data + i * f.size, size);
	return out;
}

static void *strings(tensor_store *s, const Onnx__TensorProto *p)
{
	slice *out = new_array(s->a, slice, p->n_string_data);
	for (size_t i = 0; i < p->n_string_data; i++)
		out[i] = (slice){(const char *)p->string_data[i].data, p->string_data[i].len};
	return out;
}

static bool from_field(tensor_store *s, const Onnx__TensorProto *p, tensor *t, const char **why)
{
	field kind = field_for(t->type);
	for (field other = 0; other < FIELD_COUNT; other++)
		if (other != kind && field_of(p, other).n > 0)
			return refuse(why, arena_printf(s->a, "is %s, but has %s", dtype_name(t->type),
							   field_of(p, other).name));
	field_data f = field_of(p, kind);
	int bits = dtype_table[t->type].bits;
	size_t want = bits < 8 ? t->bytes : t->n_elements; /* packed types: a byte per entry */
	if (f.n != want)
		return refuse(why, arena_printf(s->a, "has %zu entries in %s, its dims need %zu", f.n, f.name, want));
	size_t size = bits < 8 ? 1 : (size_t)bits / 8;
	if (t->type == STRING)
		t->data = strings(s, p);
	else
		t->data = size == f.size ? f.data : narrowed(s, f, size);
	return true;
}

/* ---- raw and external bytes ------------------------------------------------------------------------------------------ */
static bool raw_bytes(tensor_store *s, const Onnx__TensorProto *p, const tensor *t, const unsigned char **out, const char **why)
{
	size_t n = p->has_raw_data ? p->raw_data.len : 0;
	*out = p->raw_data.data;
	if (p->has_mapped_offset && p->has_mapped_size) {
		if (p->mapped_offset > s->n || p->mapped_size > s->n - p->mapped_offset)
			return refuse(why, "lies outside the file");
		*out = s->data + p->mapped_offset;
		n = p->mapped_size;
	}
	if (n != t->bytes)
		return refuse(why, arena_printf(s->a, "has %zu bytes of raw data, its type and dims need %zu", n, t->bytes));
	return true;
}

/* A bool is 0 or 1 to generated code. */
static const void *clean_bools(tensor_store *s, const unsigned char *data, size_t n)
{
	size_t i = 0;
	while (i < n && data[i] <= 1)
		i++;
	if (i == n)
		return data;
	unsigned char *out = arena_alloc(s->a, n, 1);
	for (i = 0; i < n; i++)
		out[i] = data[i] != 0;
	return out;
}

static bool has_raw(const Onnx__TensorProto *p) { return p->has_raw_data || p->has_mapped_offset; }

bool tensor_of_proto(tensor_store *s, const Onnx__TensorProto *p, tensor *out, const char **why)
{
	static const unsigned char nothing[8];
	dtype type = dtype_of_onnx(p->data_type);
	bool external = p->data_location == EXTERNAL;
	if (type == DTYPE_NONE)
		return refuse(why, arena_printf(s->a, "has element type %d, which is not supported", p->data_type));
	if (p->segment)
		return refuse(why, "is stored in segments, which is not supported");
	if (p->n_dims > MAX_RANK)
		return refuse(why, arena_printf(s->a, "has rank %zu, at most %d is supported", p->n_dims, MAX_RANK));
	if (!tensor_init(out, s->a, type, (int)p->n_dims, p->dims))
		return refuse(why, "has dims that are negative or too large");
	if (type == STRING && (external || has_raw(p)))
		return refuse(why, "holds strings, which cannot be raw data");
	if (!external && !has_raw(p)) {
		if (!from_field(s, p, out, why))
			return false;
	} else {
		const unsigned char *bytes;
		bool found = external ? external_bytes(s, p, out->bytes, &bytes, why) : raw_bytes(s, p, out, &bytes, why);
		if (!found)
			return false;
		out->data = bytes;
	}
	if (type == BOOL && out->bytes > 0)
		out->data = clean_bools(s, out->data, out->bytes);
	if (!out->data)
		out->data = nothing;
	return true;
}

/* ---- sparse ----------------------------------------------------------------------------------------------------------- */
/* The row-major position that entry i names: indices are [entries] (linear) or [entries, rank]. */
static bool sparse_position(const tensor *index, const tensor *dense, size_t i, size_t *position)
{
	if (index->rank == 1) {
		int64_t linear = tensor_int(index, i);
		*position = (size_t)linear;
		return linear >= 0 && (size_t)linear < dense->n_elements;
	}
	size_t linear = 0;
	for (int k = 0; k < dense->rank; k++) {
		int64_t x = tensor_int(index, i * (size_t)dense->rank + (size_t)k);
		if (x < 0 || x >= dense->dims[k])
			return false;
		linear = linear * (size_t)dense->dims[k] + (size_t)x;
	}
	*position = linear;
	return true;
}

bool tensor_of_sparse(tensor_store *s, const Onnx__SparseTensorProto *p, tensor *out, const char **why)
{
	tensor values, index;
	if (!p->values || !p->indices)
		return refuse(why, "is sparse without values or indices");
	if (!tensor_of_proto(s, p->values, &values, why) || !tensor_of_proto(s, p->indices, &index, why))
		return false;
	if (p->n_dims > MAX_RANK || !tensor_init(out, s->a, values.type, (int)p->n_dims, p->dims))
		return refuse(why, "has dims that are negative or too large");
	size_t size = (size_t)dtype_table[values.type].bits / 8;
	if (size == 0 || values.type == STRING || out->bytes > MAX_DENSE_BYTES)
		return refuse(why, "is too large or of a type that is not supported in sparse tensors");
	bool shaped = index.type == I64 && values.rank == 1 &&
		      (index.rank == 1 || (index.rank == 2 && index.dims[1] == out->rank)) &&
		      index.dims[0] == values.dims[0];
	if (!shaped)
		return refuse(why, "has sparse indices that do not match its values");
	char *data = arena_alloc(s->a, out->bytes, 16);
	for (size_t i = 0; i < values.n_elements; i++) {
		size_t at;
		if (!sparse_position(&index, out, i, &at))
			return refuse(why, "has a sparse index outside its dims");
		memcpy(data + at * size, (const char *)values.data + i * size, size);
	}
	out->data = data;
	return true;
}

/* ---- files of one tensor ------------------------------------------------------------------------------------------------ */
bool onnx_read_tensor(arena *a, const char *path, const unsigned char *data, size_t n, tensor *out, const char **name, diag *d)
{
	const char *why = "";
	tensor_store s = {.a = a, .data = data, .n = n, .diag = d};
	Onnx__TensorProto *p = wire_unpack(a, &onnx__tensor_proto__descriptor, data, n, &why);
	if (!p) {
		diag_error(d, DIAG_FILE(path), "is not an ONNX tensor: %s", why);
		return false;
	}
	*name = p->name ? p->name : "";
	if (tensor_of_proto(&s, p, out, &why))
		return true;
	diag_error(d, DIAG_FILE(path), "the tensor \"%s\" %s", *name, why);
	return false;
}

/* ---- files of one value ------------------------------------------------------------------------------------------------- */
typedef struct value_reader {
	tensor_store store;
	named_tensors *out;
	const char *why;
} value_reader;

static bool add_tensor(value_reader *r, const char *name, const Onnx__TensorProto *p)
{
	named_tensor t = {.name = name};
	bool ok = p && tensor_of_proto(&r->store, p, &t.value, &r->why);
	if (ok)
		vec_push(r->store.a, r->out, t);
	return ok;
}

static bool add_none(value_reader *r, const char *name)
{
	vec_push(r->store.a, r->out, ((named_tensor){.name = name, .value = {.rank = -1}}));
	return true;
}

static bool add_optional(value_reader *r, const char *name, const char *kind, const Onnx__OptionalProto *p);

static bool add_sequence(value_reader *r, const char *name, const char *kind, const Onnx__SequenceProto *p)
{
	bool ok = true;
	size_t n = kind[1] == 't' ? p->n_tensor_values : kind[1] == 's' ? p->n_sequence_values : p->n_optional_values;
	for (size_t i = 0; ok && i < n; i++) {
		const char *element = arena_printf(r->store.a, "%s.%zu", name, i);
		ok = kind[1] == 't'   ? add_tensor(r, element, p->tensor_values[i])
		     : kind[1] == 's' ? add_sequence(r, element, kind + 1, p->sequence_values[i])
				      : add_optional(r, element, kind + 1, p->optional_values[i]);
	}
	return n ? ok : add_none(r, name);
}

static bool add_optional(value_reader *r, const char *name, const char *kind, const Onnx__OptionalProto *p)
{
	if (kind[1] == 't')
		return p->tensor_value ? add_tensor(r, name, p->tensor_value) : add_none(r, name);
	if (kind[1] == 's')
		return p->sequence_value ? add_sequence(r, name, kind + 1, p->sequence_value) : add_none(r, name);
	return p->optional_value ? add_optional(r, name, kind + 1, p->optional_value) : add_none(r, name);
}

bool onnx_read_value(arena *a, const char *path, const unsigned char *data, size_t n, const char *kind, const char *name,
                     named_tensors *out, diag *d)
{
	const char *why = "";
	value_reader r = {.store = {.a = a, .data = data, .n = n, .diag = d}, .out = out, .why = ""};
	const ProtobufCMessageDescriptor *form = kind[0] == 't'   ? &onnx__tensor_proto__descriptor
						 : kind[0] == 's' ? &onnx__sequence_proto__descriptor
								  : &onnx__optional_proto__descriptor;
	void *p = wire_unpack(a, form, data, n, &why);
	bool ok = p && (kind[0] == 't' ? add_tensor(&r, name, p) : kind[0] == 's' ? add_sequence(&r, name, kind, p)
										   : add_optional(&r, name, kind, p));
	if (!ok)
		diag_error(d, DIAG_FILE(path), "is not the value of the input or output: %s", p ? r.why : why);
	return ok;
}

static void pack(str *out, ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = arena_alloc(out->a, n, 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	str_addn(out, bytes, n);
}

void onnx_write_tensor(str *out, const tensor *t, const char *name)
{
	Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
	p.n_dims = (size_t)t->rank;
	p.dims = t->dims;
	p.has_data_type = true;
	p.data_type = dtype_table[t->type].onnx;
	p.name = arena_strdup(out->a, name);
	if (t->type == STRING) {
		const slice *text = t->data;
		p.n_string_data = t->n_elements;
		p.string_data = new_array(out->a, ProtobufCBinaryData, t->n_elements);
		for (size_t i = 0; i < t->n_elements; i++)
			p.string_data[i] = (ProtobufCBinaryData){text[i].len, (uint8_t *)(uintptr_t)text[i].data};
	} else {
		p.has_raw_data = true;
		p.raw_data = (ProtobufCBinaryData){t->bytes, (uint8_t *)(uintptr_t)t->data};
	}
	pack(out, &p.base);
}
