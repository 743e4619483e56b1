/* The drawings of the HTML report; each adds one <svg>. */
#pragma once

#include "driver/report.h"

/* Kernels by operations per byte and operations per second, below what the machine can do.  Needs times. */
void svg_roofline(str *s, const report *r);
/* Kernels in the order they run, and the values between them. */
void svg_graph(str *s, const report *r);
/* Buffers by their place in the workspace and the steps they live in.  Needs blocks. */
void svg_arena(str *s, const report *r);
