/* NumPy's .npy files (format 1.0 to 3.0): little endian, C order. */
#pragma once

#include "ir/tensor.h"
#include "support/diag.h"

/* The tensor may borrow from data. */
bool npy_read(arena *a, const char *path, const unsigned char *data, size_t n, tensor *out, diag *d);
/* NumPy has no name for some types: they are refused. */
bool npy_write(str *out, const char *path, const tensor *t, diag *d);
