/* Sliding windows, shared by float and quantised operators. */
#pragma once

#include "frontend/import.h"

typedef struct windows {
	int n; /* spatial axes */
	sym *kernel[MAX_RANK];
	const int64_t *strides, *dilations;
	sym *lo[MAX_RANK], *hi[MAX_RANK]; /* padding */
	const char *auto_pad;
} windows;

void windows_of(importer *im, const onnx_node *n, const value *x, windows *w);
value *convolve(importer *im, const onnx_node *n, value *x, value *weights, value *bias);
value *average_pool(importer *im, const onnx_node *n, value *x); /* by the attributes of n */
