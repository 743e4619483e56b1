/* What the files of the runtime share. Nothing here is part of the ABI. */
#ifndef DLRT_INTERNAL_H
#define DLRT_INTERNAL_H

#include <stdbool.h>

#include "dlrt.h"

#if defined(__GNUC__)
#define DLRT_HIDDEN __attribute__((visibility("hidden")))
#define DLRT_NOINLINE __attribute__((noinline))
#else
#define DLRT_HIDDEN
#define DLRT_NOINLINE
#endif

/* A generic call in progress: what the caller gave, and a frame on the stack for what is derived from it. */
typedef struct call {
	const dlrt_model *model;      /* once the inputs are checked, what runs for them */
	const dlrt_options *options;  /* never NULL */
	const dlrt_tensor *inputs;
	dlrt_tensor *outputs;
	int64_t *symbols;             /* frame: n_symbols values */
	int64_t *dims;                /* frame: what model->dims computed; NULL if the model has no such function */
	void **pointers;              /* frame: data of the inputs, then of the outputs */
	uint64_t workspace_bytes;     /* what these shapes need */
} call;

/* dlrt_error.c */

/* Writes the caller's message and returns `status`. In `format`, %s takes a const char * and %d an int64_t. */
DLRT_HIDDEN dlrt_status dlrt_fail(const dlrt_options *options, dlrt_status status, const char *format, ...);

/* Appends to the caller's message. */
DLRT_HIDDEN void dlrt_fail_more(const dlrt_options *options, const char *format, ...);

/* The alignment in bytes of an element of a valid type. */
DLRT_HIDDEN size_t dlrt_type_align(int32_t type);

/* dlrt_check.c: each writes a message when it fails. */

/* The ABI version and the CPU. */
DLRT_HIDDEN dlrt_status dlrt_check_model(const dlrt_model *model, const dlrt_options *options);

/* What runs for these symbols: the model itself, or the first of its variants that this machine can run and that is for them.
 * Requires a checked model and checked symbols. */
DLRT_HIDDEN const dlrt_model *dlrt_choose(const dlrt_model *model, const int64_t *symbols);

/* Enough for whatever runs on this machine; UINT64_MAX: there is no such number. Requires a checked model. */
DLRT_HIDDEN uint64_t dlrt_largest_workspace(const dlrt_model *model);

/* The values of symbols against their bounds and the conditions of the model. */
DLRT_HIDDEN dlrt_status dlrt_check_symbols(const dlrt_model *model, const dlrt_options *options, const int64_t *symbols);

/* Type, rank and dims of the inputs; fills c->symbols and c->dims. */
DLRT_HIDDEN dlrt_status dlrt_check_inputs(call *c);

/* Type, rank and dims of those outputs that the caller described. Requires checked inputs. */
DLRT_HIDDEN dlrt_status dlrt_check_outputs(const call *c);

/* NULL, alignment and byte counts of all data; fills c->pointers. Requires checked inputs; changes no output. */
DLRT_HIDDEN dlrt_status dlrt_check_data(call *c);

/* Alignment of data for a port ("input" or "output"). */
DLRT_HIDDEN dlrt_status dlrt_check_align(const dlrt_options *options, const char *what, const dlrt_port *port,
                                         const void *data);

/* The workspace that symbols within their bounds need. */
DLRT_HIDDEN dlrt_status dlrt_check_workspace(const dlrt_model *model, const dlrt_options *options,
                                             const int64_t *symbols, uint64_t *bytes);

/* Sets type, rank and dims of an output; true if its size is data-dependent. Requires checked inputs. */
DLRT_HIDDEN bool dlrt_describe_output(const call *c, int output, dlrt_tensor *tensor);

/* dlrt_profile.c: the dlrt_profile_hook over a dlrt_profile. */
DLRT_HIDDEN void dlrt_profile_step(void *user, int32_t kernel, int32_t phase);

#endif
