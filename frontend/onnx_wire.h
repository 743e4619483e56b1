/* Protocol buffers on the wire: a message becomes a tree of structs in an arena. */
#pragma once

#include "support/arena.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>

enum { WIRE_MAX_DEPTH = 100 };

/* Unpacks data[0..n) as the described message; NULL with the reason in *why (arena text).  Strings and structs live in the
 * arena; a TensorProto's raw_data of WIRE_MAPPED bytes or more stays in data, at mapped_offset. */
enum { WIRE_MAPPED = 256 };
void *wire_unpack(arena *a, const ProtobufCMessageDescriptor *type, const unsigned char *data, size_t n, const char **why);
