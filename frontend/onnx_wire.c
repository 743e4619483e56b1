/* Unpacking untrusted protocol buffers without copying weights.
 *
 * protobuf-c copies every `bytes` field and recurses as deep as the input says.  So the message is first rewritten, guided
 * by protobuf-c's own descriptors: fields that we do not declare are dropped, nesting is limited, every length is checked,
 * and a large TensorProto.raw_data is replaced by its place in the file (mapped_offset, mapped_size).  The rewritten message
 * is small and is then unpacked into the arena.
 *
 * A nested message's new length is not known before its end, so it is written as a varint of always five bytes. */
#include "frontend/onnx_wire.h"

#include "frontend/onnx.pb-c.h"
#include "support/checked.h"
#include "support/str.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5, RAW_DATA = 9, MAPPED_OFFSET = 536870910, MAPPED_SIZE = 536870911 };
enum { LONG_VARINT_BYTES = 5 };

typedef struct wire {
	arena *a;
	const unsigned char *data; /* the whole file */
	str out;
	const char *why;
} wire;

typedef struct span {
	const unsigned char *at, *end;
} span;

static bool fail(wire *w, const char *why)
{
	w->why = why;
	return false;
}

static bool read_varint(wire *w, span *s, uint64_t *value)
{
	*value = 0;
	for (int shift = 0; shift < 70; shift += 7) {
		if (s->at == s->end)
			return fail(w, "the file ends inside a number");
		unsigned char byte = *s->at++;
		*value |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
		if (byte < 128)
			return true;
	}
	return fail(w, "a number is longer than 64 bits");
}

/* The payload of a field; a LENGTH field's without its length. */
static bool read_payload(wire *w, span *s, int wire_type, span *payload)
{
	uint64_t n = 0;
	payload->at = s->at;
	switch (wire_type) {
	case VARINT:
		if (!read_varint(w, s, &n))
			return false;
		payload->end = s->at;
		return true;
	case FIXED64: n = 8; break;
	case FIXED32: n = 4; break;
	case LENGTH:
		if (!read_varint(w, s, &n))
			return false;
		payload->at = s->at;
		break;
	default: return fail(w, "a field has an unknown wire type");
	}
	if (n > (uint64_t)(s->end - s->at))
		return fail(w, "a field is longer than what is left of the file");
	s->at += n;
	payload->end = s->at;
	return true;
}

static void write_varint(str *out, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		str_addc(out, (char)((value & 127) | 128));
	str_addc(out, (char)value);
}

static void write_tag(str *out, uint64_t field, int wire_type) { write_varint(out, field << 3 | (unsigned)wire_type); }

static void write_fixed64(str *out, uint64_t field, uint64_t value)
{
	write_tag(out, field, FIXED64);
	for (int i = 0; i < 8; i++)
		str_addc(out, (char)(value >> 8 * i));
}

static void write_mapped(wire *w, span payload)
{
	write_fixed64(&w->out, MAPPED_OFFSET, (uint64_t)(payload.at - w->data));
	write_fixed64(&w->out, MAPPED_SIZE, (uint64_t)(payload.end - payload.at));
}

static bool rewrite(wire *w, const ProtobufCMessageDescriptor *type, span s, int depth);

static bool rewrite_message(wire *w, const ProtobufCFieldDescriptor *field, span payload, int depth)
{
	write_tag(&w->out, field->id, LENGTH);
	size_t length_at = w->out.len;
	str_addn(&w->out, "\0\0\0\0\0", LONG_VARINT_BYTES);
	size_t start = w->out.len;
	if (!rewrite(w, field->descriptor, payload, depth + 1))
		return false;
	size_t length = w->out.len - start;
	if (length >> 31)
		return fail(w, "a message is longer than 2 GiB");
	for (int i = 0; i < LONG_VARINT_BYTES; i++)
		w->out.data[length_at + (size_t)i] = (char)((length >> 7 * i & 127) | (i < LONG_VARINT_BYTES - 1 ? 128 : 0));
	return true;
}

static bool is_private(uint64_t id) { return id == MAPPED_OFFSET || id == MAPPED_SIZE; }

static bool rewrite(wire *w, const ProtobufCMessageDescriptor *type, span s, int depth)
{
	if (depth > WIRE_MAX_DEPTH)
		return fail(w, arena_printf(w->a, "messages are nested deeper than %d", WIRE_MAX_DEPTH));
	while (s.at < s.end) {
		const unsigned char *start = s.at;
		uint64_t tag;
		span payload;
		if (!read_varint(w, &s, &tag) || !read_payload(w, &s, (int)(tag & 7), &payload))
			return false;
		uint64_t id = tag >> 3;
		if (id == 0 || id > MAPPED_SIZE)
			return fail(w, "a field has an impossible number");
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)id);
		if (!field || is_private(id))
			continue;
		bool has_length = (tag & 7) == LENGTH;
		if (field->type == PROTOBUF_C_TYPE_MESSAGE && has_length) {
			if (!rewrite_message(w, field, payload, depth))
				return false;
		} else if (type == &onnx__tensor_proto__descriptor && id == RAW_DATA && has_length &&
		           payload.end - payload.at >= WIRE_MAPPED) {
			write_mapped(w, payload);
		} else {
			str_addn(&w->out, (const char *)start, (size_t)(s.at - start));
		}
	}
	return true;
}

static void *arena_of_protobuf(void *a, size_t n) { return arena_alloc(a, n, _Alignof(max_align_t)); }

static void keep(void *a, void *p)
{
	(void)a;
	(void)p;
}

void *wire_unpack(arena *a, const ProtobufCMessageDescriptor *type, const unsigned char *data, size_t n, const char **why)
{
	wire w = {.a = a, .data = data, .out = str_new(a)};
	ProtobufCAllocator allocator = {.alloc = arena_of_protobuf, .free = keep, .allocator_data = a};
	void *message = NULL;
	if (rewrite(&w, type, (span){data, data + n}, 1))
		message = protobuf_c_message_unpack(type, &allocator, w.out.len, (const uint8_t *)w.out.data);
	if (!message)
		*why = w.why ? w.why : "a field has another type than the format says";
	return message;
}
