/* From a model file to a kernel program: the one way that compile, run, test and bench share. */
#pragma once

#include "backend/backend.h"
#include "driver/bodies.h"
#include "driver/options.h"
#include "frontend/onnx.h"
#include "passes/tuning.h"
#include "runtime/dlrt.h"

typedef struct compile_options {
	import_options import;
	vec(input_constant) constants; /* the arrays behind import.constants and import.inputs */
	vec(input_shape) shapes;
	pipeline_options pipeline;
	const target *target;      /* the first of cpus */
	const target *const *cpus; /* the best last */
	int n_cpus;
	int opt;      /* -O0 .. -O3 */
	int winograd; /* as in pass_ctx */
	tuning *tuning;      /* what is known of choices, or NULL */
	const char *tuning_path; /* where it was read and what is measured goes; NULL: nowhere */
	double tune_seconds; /* to measure what is not known; 0: not at all */
	bool report;         /* say what was measured, on stderr */
} compile_options;

typedef struct compilation {
	arena *a;       /* everything below lives here */
	const char *path;
	file_data file; /* the mapped model */
	onnx_files files;
	graph *g;       /* NULL when the file holds kernels */
	program *p;     /* NULL until compiled; the first of bodies */
	body *bodies;   /* likewise */
	int n_bodies;
	bool quantised; /* some operator of the model rounds to few bits */
} compilation;

/* What the command line asks for; `o` outlives it.  False after errors: an unknown CPU, say. */
bool compile_options_of(const options *o, compile_options *out, diag *d);
/* Fixes an input to the tensor in `path`; false, reported, when it cannot be read. */
bool compile_options_fix(compile_options *c, arena *a, const char *input, const char *path, diag *d);
/* Describes what a sequence or optional holds as the one in `path` does. */
bool compile_options_describe(compile_options *c, arena *a, const port_note *input, const char *path, diag *d);
/* The options of the backend that go with them; the symbol is left to the caller. */
emit_options emit_options_of(const options *o, const compile_options *c);
/* How many bodies will be compiled. */
int compile_options_bodies(const compile_options *c);

/* Reads a model: ONNX, or the textual graph or kernel IR when the name ends in .ir.  False after errors, reported to d. */
bool compilation_open(compilation *c, const char *path, const compile_options *o, diag *d);
/* What the passes of a compilation are given. */
pass_ctx compilation_context(compilation *c, const compile_options *o, diag *d);
/* Runs the passes; with `lowered`, up to the kernel program of each body. */
bool compilation_run(compilation *c, const compile_options *o, bool lowered, diag *d);
/* Adds the bodies behind the first to what the backend makes.  `kernel_texts[i]`, unless that is NULL, names the printed kernels of
 * body i. */
void compilation_add_variants(compilation *c, emit_options *o, const char *const *kernel_texts);
void compilation_close(compilation *c);
