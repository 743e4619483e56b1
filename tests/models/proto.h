/* The little of protocol buffers that test data needs: a serialised TensorProto of plain numbers. */
#pragma once

#include "dlrt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
	const unsigned char *at, *end;
} bytes;

static uint64_t proto_varint(bytes *b)
{
	uint64_t value = 0;
	for (int shift = 0; b->at < b->end && shift < 64; shift += 7) {
		unsigned char byte = *b->at++;
		value |= (uint64_t)(byte & 127) << shift;
		if (!(byte & 128))
			break;
	}
	return value;
}

/* The next field: its number, and its number or its bytes.  False at the end. */
static bool proto_field(bytes *b, int *field, uint64_t *value, bytes *payload)
{
	if (b->at >= b->end)
		return false;
	uint64_t key = proto_varint(b);
	*field = (int)(key >> 3);
	*payload = (bytes){NULL, NULL};
	switch (key & 7) {
	case 0: *value = proto_varint(b); return true;
	case 1: *payload = (bytes){b->at, b->at + 8}; b->at += 8; return true;
	case 5: *payload = (bytes){b->at, b->at + 4}; b->at += 4; return true;
	case 2: *value = proto_varint(b); *payload = (bytes){b->at, b->at + *value}; b->at += *value; return b->at <= b->end;
	}
	return false;
}

static void append(unsigned char **data, size_t *size, const void *more, size_t n)
{
	*data = realloc(*data, *size + n + 1);
	if (n)
		memcpy(*data + *size, more, n);
	*size += n;
}

/* Reads a tensor; its data is malloced.  False: not there, or of a kind that is not read here. */
static bool proto_read_tensor(const char *path, dlrt_tensor *t)
{
	enum { DIMS = 1, TYPE = 2, FLOATS = 4, INT32S = 5, INT64S = 7, RAW = 9, DOUBLES = 10, UINT64S = 11 };
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	unsigned char *file = NULL, *data = NULL, chunk[1 << 14];
	size_t n_file = 0, n_data = 0;
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
		append(&file, &n_file, chunk, n);
	fclose(f);
	*t = (dlrt_tensor){0};
	bytes all = {file, file + n_file}, payload, again = all;
	int field;
	uint64_t value;
	while (proto_field(&again, &field, &value, &payload)) /* the type may stand behind the data */
		if (field == TYPE)
			t->type = (dlrt_type)value;
	int width = dlrt_type_bits(t->type) / 8;
	while (proto_field(&all, &field, &value, &payload)) {
		if (field == DIMS && !payload.at) {
			t->dims[t->rank++] = (int64_t)value;
		} else if (field == DIMS) {
			while (payload.at < payload.end)
				t->dims[t->rank++] = (int64_t)proto_varint(&payload);
		} else if (field == RAW || field == FLOATS || field == DOUBLES) {
			append(&data, &n_data, payload.at, (size_t)(payload.end - payload.at));
		} else if (field == INT32S || field == INT64S || field == UINT64S) {
			do {
				if (payload.at)
					value = proto_varint(&payload);
				append(&data, &n_data, &value, (size_t)width);
			} while (payload.at < payload.end);
		}
	}
	free(file);
	size_t wanted;
	t->data = data ? data : calloc(1, 1);
	return dlrt_tensor_bytes(t, &wanted) == DLRT_OK && t->type != DLRT_STRING && wanted == n_data;
}
