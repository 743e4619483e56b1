/* Weights beside the model: entries location, offset, length of a TensorProto name a part of another file.
 *
 * The names come from the model, so only regular files below the model's directory are opened (file_open_below).  A file
 * is mapped once, whatever the number of tensors in it.  The checksum entry is not verified. */
#include "frontend/onnx_tensor.h"

#include "support/checked.h"

#include <string.h>

static const char *entry_of(const Onnx__TensorProto *p, const char *key)
{
	const char *found = NULL;
	for (size_t i = 0; i < p->n_external_data; i++) {
		const Onnx__StringStringEntryProto *e = p->external_data[i];
		if (e->key && strcmp(e->key, key) == 0)
			found = e->value;
	}
	return found;
}

/* Digits only; an absent entry keeps *out. */
static bool size_entry(const Onnx__TensorProto *p, const char *key, size_t *out)
{
	const char *text = entry_of(p, key);
	if (!text)
		return true;
	size_t number = 0;
	for (const char *c = text; *c; c++)
		if (*c < '0' || *c > '9' || !mul_size(number, 10, &number) || !add_size(number, (size_t)(*c - '0'), &number))
			return false;
	*out = number;
	return *text != 0;
}

static const file_data *open_once(tensor_store *s, const char *location)
{
	onnx_files *files = s->files;
	for (int i = 0; i < files->names.n; i++)
		if (strcmp(files->names.v[i], location) == 0)
			return &files->maps.v[i];
	file_data opened;
	if (!file_open_below(s->dir, location, &opened, s->diag))
		return NULL;
	vec_push(s->a, &files->maps, opened);
	vec_push(s->a, &files->names, arena_strdup(s->a, location));
	return &files->maps.v[files->maps.n - 1];
}

bool external_bytes(tensor_store *s, const Onnx__TensorProto *p, size_t bytes, const unsigned char **out, const char **why)
{
	const char *location = entry_of(p, "location");
	size_t offset = 0, length = bytes, end;
	if (!s->files)
		*why = "its data is in another file, which is not allowed here";
	else if (!location)
		*why = "its external data has no location";
	else if (!size_entry(p, "offset", &offset) || !size_entry(p, "length", &length))
		*why = "offset and length of its external data are not numbers";
	else if (length != bytes)
		*why = arena_printf(s->a, "has %zu bytes in \"%s\", its dims need %zu", length, location, bytes);
	else {
		const file_data *file = open_once(s, location);
		*why = "";
		if (!file)
			return false;
		if (add_size(offset, bytes, &end) && end <= file->size) {
			*out = file->data + offset;
			return true;
		}
		*why = arena_printf(s->a, "lies in \"%s\" from byte %zu, %zu bytes, but the file has %zu", location, offset,
				    bytes, file->size);
	}
	return false;
}

void onnx_files_close(onnx_files *files)
{
	for (int i = 0; i < files->maps.n; i++)
		file_unmap(&files->maps.v[i]);
	files->maps.n = files->names.n = 0;
}
