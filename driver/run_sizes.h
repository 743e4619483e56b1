/* The sizes of one run, and with them what its kernels do: their counts of operations and bytes are symbolic. */
#pragma once

#include "ir/kernel.h"
#include "runtime/dlrt.h"

typedef struct run_sizes run_sizes;

/* Of a call, or of all calls of a run. */
typedef struct work {
	double flops, bytes;
	bool known; /* else both are 0 */
	bool exact; /* no size was estimated */
} work;

/* Before any run: bounded sizes are estimated as the largest they can be. */
run_sizes *run_sizes_static(arena *a, const program *p);
/* What the inputs of a run and the outputs that came of them say, and the most that a size can be that only data decides.
 * A loop counts as half way through, which is its average where work grows with it. */
run_sizes *run_sizes_of(arena *a, const program *p, const dlrt_tensor *inputs, const dlrt_tensor *outputs);

/* False when it is not known. */
bool run_size(const run_sizes *r, const sym *s, int64_t *value);
work run_work(const run_sizes *r, const kernel *k);
