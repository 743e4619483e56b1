#include "ir/dtype.h"

#include "support/checked.h"

#include <string.h>

const dtype_info dtype_table[DTYPE_COUNT] = {
#define DTYPE(name_, keyword_, onnx_, bits_, class_, compute_) \
	[name_] = {.name = keyword_, .onnx = onnx_, .bits = bits_, .class = CLASS_##class_, .compute = compute_},
#include "ir/dtypes.def"
#undef DTYPE
};

const char *dtype_name(dtype t) { return (unsigned)t < DTYPE_COUNT ? dtype_table[t].name : "none"; }

dtype dtype_find(const char *keyword, size_t n)
{
	for (int t = 0; t < DTYPE_COUNT; t++)
		if (strlen(dtype_table[t].name) == n && memcmp(dtype_table[t].name, keyword, n) == 0)
			return (dtype)t;
	return DTYPE_NONE;
}

dtype dtype_of_onnx(int onnx)
{
	for (int t = 0; t < DTYPE_COUNT; t++)
		if (onnx != 0 && dtype_table[t].onnx == onnx)
			return (dtype)t;
	return DTYPE_NONE;
}

bool dtype_is_float(dtype t) { return (unsigned)t < DTYPE_COUNT && dtype_table[t].class == CLASS_FLOAT; }

bool dtype_is_int(dtype t)
{
	return (unsigned)t < DTYPE_COUNT && (dtype_table[t].class == CLASS_SINT || dtype_table[t].class == CLASS_UINT);
}

bool dtype_bytes(dtype t, size_t n, size_t *bytes)
{
	size_t bits = (size_t)dtype_table[t].bits;
	if (bits >= 8)
		return mul_size(n, bits / 8, bytes);
	size_t per_byte = 8 / bits;
	*bytes = n / per_byte + (n % per_byte != 0);
	return true;
}
