/* A model compiled in memory, its inputs, and runs of it: what run, test and bench share. */
#pragma once

#include "driver/compile.h"

typedef struct session {
	options *o;
	compilation c;
	compile_options co;
	jit *j;
	const dlrt_model *model;
	dlrt_threads *threads;   /* NULL: one */
	dlrt_profile *profile;   /* NULL: none */
	bool *by_data;           /* by output: its size depends on data */
	import_notes notes;
	bool described;          /* sequences and optionals are, as in the test data */
	bool fixed_to_data;      /* inputs that sizes depend on are fixed to their values in a directory of test data */
	double seconds;          /* the last run */
	void *workspace;         /* grows with the shapes that are run */
	size_t workspace_bytes;
	const char *file;        /* the model, for messages */
} session;

/* With `dir`, a directory of test data, inputs that sizes depend on are fixed to their values there. */
bool session_open(session *s, options *o, const char *dir, diag *d);
void session_close(session *s);

/* DIR/input_0.pb ... for the first inputs; NULL results in `inputs` (type DLRT_UNDEFINED) where there is no file. */
bool session_read_inputs(session *s, arena *a, const char *dir, dlrt_tensor *inputs, diag *d);
/* --input, then --data, then random numbers. */
bool session_inputs(session *s, arena *a, dlrt_tensor *inputs, diag *d);

/* Runs once.  Output data lives in the arena. */
bool session_run(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d);
/* Again, with inputs of the same shapes, into the same outputs. */
bool session_rerun(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d);

double seconds_now(void);

/* What runs for inputs of these shapes; if they do not fit the model, the body for all sizes. */
const body *session_body(const session *s, const dlrt_tensor *inputs);
/* What the profile has of its kernels. */
const dlrt_profile_entry *session_kernels(const session *s, const body *b, const dlrt_profile *p);
/* Measures the kernels of all runs from now on. */
dlrt_profile *session_start_profile(session *s, arena *a);
