/* A file is the magic, a version, the length of the header, a header that is a Python dictionary
 * {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, and the elements. */
#include "driver/npy.h"

#include "support/vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = sizeof magic - 1, NPY_ALIGN = 64, MAX_NPY_RANK = 64 };

static const struct { const char *descr; dtype type; } descrs[] = {
	{"<f4", F32}, {"<f8", F64}, {"<f2", F16}, {"|i1", I8}, {"<i2", I16}, {"<i4", I32}, {"<i8", I64},
	{"|u1", U8}, {"<u2", U16}, {"<u4", U32}, {"<u8", U64}, {"|b1", BOOL},
};
enum { N_DESCRS = sizeof descrs / sizeof *descrs };

static bool refuse(diag *d, const char *path, const char *why)
{
	diag_error(d, DIAG_FILE(path), "is no .npy file that dlcc reads: %s", why);
	return false;
}

/* The text behind "'key':" in the header, or NULL. */
static const char *find_key(const char *header, const char *key)
{
	const char *at = strstr(header, key);
	if (!at)
		return NULL;
	at += strlen(key);
	at += strspn(at, " ");
	if (*at != ':')
		return NULL;
	return at + 1 + strspn(at + 1, " ");
}

static dtype find_type(const char *text)
{
	for (int i = 0; text && *text && i < N_DESCRS; i++)
		if (!strncmp(text + 1, descrs[i].descr, 3) && (text[4] == '\'' || text[4] == '"'))
			return descrs[i].type;
	return DTYPE_NONE;
}

/* "(2, 3)", "(2,)", "()"; -1: not that. */
static int read_shape(const char *text, int64_t *dims)
{
	int rank = 0;
	if (!text || *text++ != '(')
		return -1;
	for (;;) {
		text += strspn(text, " ,");
		if (*text == ')')
			return rank;
		char *end;
		errno = 0;
		long long n = strtoll(text, &end, 10);
		if (end == text || errno || n < 0 || rank == MAX_NPY_RANK)
			return -1;
		dims[rank++] = n;
		text = end;
	}
}

bool npy_read(arena *a, const char *path, const unsigned char *data, size_t n, tensor *out, diag *d)
{
	if (n < MAGIC + 4 || memcmp(data, magic, MAGIC))
		return refuse(d, path, "it does not begin with its magic");
	bool wide = data[MAGIC] > 1; /* version 1 has 2 bytes of length, later ones 4 */
	size_t start = MAGIC + 2 + (wide ? 4 : 2), length = data[MAGIC + 2] | (size_t)data[MAGIC + 3] << 8;
	if (wide && n >= start)
		length |= (size_t)data[MAGIC + 4] << 16 | (size_t)data[MAGIC + 5] << 24;
	if (n < start || n - start < length)
		return refuse(d, path, "the header is cut off");
	const char *header = arena_strndup(a, (const char *)data + start, length);
	const char *fortran = find_key(header, "'fortran_order'");
	dtype type = find_type(find_key(header, "'descr'"));
	int64_t dims[MAX_NPY_RANK];
	int rank = read_shape(find_key(header, "'shape'"), dims);
	if (type == DTYPE_NONE)
		return refuse(d, path, "the element type is none of ONNX in little endian");
	if (!fortran || strncmp(fortran, "False", 5))
		return refuse(d, path, "the order of elements is Fortran's");
	if (rank < 0 || !tensor_init(out, a, type, rank, dims))
		return refuse(d, path, "the shape is none");
	if (n - start - length < out->bytes)
		return refuse(d, path, "the elements are cut off");
	out->data = data + start + length;
	return true;
}

bool npy_write(str *out, const char *path, const tensor *t, diag *d)
{
	const char *descr = NULL;
	for (int i = 0; i < N_DESCRS; i++)
		if (descrs[i].type == t->type)
			descr = descrs[i].descr;
	if (!descr) {
		diag_error(d, DIAG_FILE(path), "NumPy has no type %s; write a .pb file", dtype_name(t->type));
		return false;
	}
	str header = str_new(out->a);
	str_addf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
	for (int i = 0; i < t->rank; i++)
		str_addf(&header, "%" PRId64 ",%s", t->dims[i], i + 1 < t->rank ? " " : "");
	str_add(&header, "), }");
	while ((MAGIC + 4 + header.len + 1) % NPY_ALIGN)
		str_addc(&header, ' ');
	str_addc(&header, '\n');
	str_addn(out, magic, MAGIC);
	str_addn(out, "\x01\x00", 2);
	str_addc(out, (char)(header.len & 0xff));
	str_addc(out, (char)(header.len >> 8));
	str_addn(out, header.data, header.len);
	str_addn(out, t->data, t->bytes);
	return true;
}
