/* Tensors of a caller: read from and written to files, made up, printed.
 *
 * A file is a serialised ONNX TensorProto (.pb) or NumPy's .npy.  Data is aligned as the runtime wants it. */
#pragma once

#include "ir/tensor.h"
#include "runtime/dlrt.h"
#include "support/diag.h"
#include "support/vec.h"

bool tensor_read(arena *a, const char *path, dlrt_tensor *out, diag *d);
/* The tensors of a value of any kind (frontend/onnx.h); rank -1 where it holds none. */
typedef struct held_tensor {
	const char *name;
	dlrt_tensor tensor;
} held_tensor;
typedef vec(held_tensor) held_tensors;
bool value_read(arena *a, const char *path, const char *kind, const char *name, held_tensors *out, diag *d);

bool tensor_write(const char *path, const dlrt_tensor *t, const char *name, diag *d); /* by the suffix */

/* The same elements as the compiler's tensor, which borrows them. */
tensor tensor_view(arena *a, const dlrt_tensor *t);

/* Gives t, whose type and dims are set, zeroed and aligned memory; false when its size overflows. */
bool tensor_allocate(arena *a, dlrt_tensor *t);

/* "iota", "random", "ones", "zeros": fills allocated memory; false: there is no such way.  Random floats lie in [-1, 1),
 * random integers are 0 or 1: indices, masks and lengths that are always legal.  `seed` makes them differ. */
bool tensor_fill(dlrt_tensor *t, const char *how, uint64_t seed);

/* "f32[1,10] = [0.25, 1, ...]": every element of a small tensor, the first ones of a larger. */
void tensor_print(FILE *to, arena *a, const dlrt_tensor *t);
