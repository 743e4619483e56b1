/* What this machine can do at most, measured in this process by kernels of the same backend: its roofline.
 *
 *   arithmetic: independent chains of f32 multiply-adds on the target's vectors
 *   memory:     a sum over more memory than the caches hold, and over what stays in the second-level cache
 * Both with all the threads of the session, the best of several runs. */
#pragma once

#include "driver/session.h"

typedef struct roofline {
	int threads;
	double flops;  /* per second; here and below 0: could not be measured */
	double memory; /* bytes per second read from memory */
	double cache;  /* ... from the second-level caches */
} roofline;

roofline roofline_measure(const session *s);
/* The least seconds that so much work takes with data in memory; 0: nothing is known. */
double roofline_seconds(const roofline *r, double flops, double bytes);
/* The model of the CPU in the words of the system; "" when it does not say. */
const char *cpu_model(arena *a);
