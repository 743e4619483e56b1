#include "support/vec.h"

#include "support/arena.h"
#include "support/diag.h"

#include <limits.h>
#include <stdint.h>

enum { FIRST_CAP = 8 };

void *vec_grow(arena *a, void *v, size_t size, int *cap, int want)
{
	if (want <= *cap)
		return v;
	if (want > INT_MAX / 2 || (size_t)want > SIZE_MAX / 2 / size)
		fatal("out of memory: %d elements of %zu bytes", want, size);
	int grown = *cap ? *cap * 2 : FIRST_CAP;
	if (grown < want)
		grown = want;
	v = arena_grow(a, v, (size_t)*cap * size, (size_t)grown * size, _Alignof(max_align_t));
	*cap = grown;
	return v;
}
