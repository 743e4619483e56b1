/* Growable arrays inside an arena, typed by macro:
 *
 *	vec(node *) list = {0};
 *	vec_push(a, &list, n);
 *	for (int i = 0; i < list.n; i++) use(list.v[i]);
 *
 * The arguments are evaluated more than once, and the pushed expression must not itself change the vector. An array
 * moves when it grows. Elements need no more than the alignment of max_align_t. */
#pragma once
#include <stddef.h>

typedef struct arena arena;

#define vec(T)        \
	struct {      \
		T *v; \
		int n, cap; \
	}

#define vec_push(a, p, x)                                              \
	((void)(((p)->n == (p)->cap ? vec_reserve(a, p, (p)->n + 1) : (void)0), \
		(p)->v[(p)->n] = (x), (p)->n++))

/* The removed last element; the vector must not be empty. */
#define vec_pop(p) ((p)->v[--(p)->n])

/* Room for at least `want` elements in all. */
#define vec_reserve(a, p, want) \
	((void)((p)->v = vec_grow((a), (p)->v, sizeof *(p)->v, &(p)->cap, (want))))

void *vec_grow(arena *a, void *v, size_t size, int *cap, int want);
