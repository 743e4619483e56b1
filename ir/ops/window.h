/* Sliding windows: what reduce_window and the convolutions share.
 *
 * Along one axis, tap k of the window at output o lies at o * stride - lo + k * dilation of the operand. */
#pragma once

#include "ir/ops/rules.h"

typedef struct window {
	sym *o, *out;    /* output index, and the size it is below */
	sym *k, *kernel; /* tap, and the number of taps */
	sym *in;         /* size of the operand's axis */
	sym *lo;
	int64_t stride, dilation;
} window;

/* The window along spatial axis s (its axis in node n's lists), by {strides, dilations, lo}. */
window window_of(const node *n, int s, sym *o, sym *out, sym *k, sym *kernel, sym *in);
sym *window_tap(const window *w);
/* Whether the tap is inside the operand; NULL when it always is. */
const expr *window_inside(elem *e, const window *w);
/* How many taps of the window lie inside [-before, in + after). */
sym *window_count(const window *w, sym *before, sym *after);

/* {strides, dilations, lo} completed and checked for `spatial` axes. */
bool rule_window(node *n, const char **why, int spatial);
/* {shape} of the result.  Its leading axes may be left out; then they are those in `lead`. */
bool rule_window_shape(node *n, const char **why, int n_lead, sym *const *lead, int spatial);
