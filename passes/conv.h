/* What the strategies of convolutions share: the constant facts of one, and expressions of its operands. */
#pragma once

#include "passes/strategy.h"

/* Memory delivers one part in so many of a vector of weights in the time of a vector operation. */
enum { STREAM_SHARE = 10 };

typedef struct conv_shape {
	int spatial;
	const int64_t *strides, *dilations;
	int64_t lo[MAX_RANK], hi[MAX_RANK], kernel[MAX_RANK];
	int64_t taps, group;
	int64_t group_in, group_out; /* channels per group */
} conv_shape;

/* True when register tiles can compute n: in f32, with constant weights and padding, every tap in memory (see lower_conv.c). */
bool conv_fits_tiles(const node *n, conv_shape *c);
/* Output pixels of all images at typical sizes: what costs are counted for. */
double conv_pixels(const node *n);
/* The bias of an output channel, or NULL. */
const expr *conv_bias(group_lowering *gl, const node *n, sym *channel);
/* Constants as sizes, for builders. */
sym **sym_list(graph *g, const int64_t *v, int n);
