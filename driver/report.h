/* What a compiled program does, how much memory it takes and, where it was measured, where its time goes.
 *
 * `report_of` collects everything as numbers once; text, JSON and HTML only print them. */
#pragma once

#include "driver/roofline.h"
#include "driver/run_sizes.h"

typedef struct latency {
	int n; /* runs */
	double min, median, p90, p99, mean; /* seconds */
} latency;

/* Of all runs. */
typedef struct measurement {
	const session *s;
	const body *body; /* what ran */
	const run_sizes *sizes;
	const dlrt_tensor *inputs;
	const dlrt_profile_entry *kernels; /* measured, of the body */
	int profiled_runs;
	bool timed; /* else the profile is for counting only */
	latency latency;
	roofline roofline; /* zeros: was not measured */
} measurement;

typedef struct kernel_row {
	const kernel *k;
	int calls;      /* places it is called from; in a loop a call counts once */
	work of_call;
	double runs;    /* calls of one run, as measured */
	double seconds; /* of one call: the least, or the mean where its work is an estimate; 0: not measured */
	double mean, share; /* of one call, in seconds; of the time of all kernels */
	double of_roof; /* least time that the roofline allows / seconds; < 0: unknown */
} kernel_row;

/* A buffer in the arena. */
typedef struct arena_block {
	const storage *s;
	int64_t at, bytes;
} arena_block;

/* What a report is about. */
typedef struct subject {
	const char *model; /* its file */
	const body *body;
	const measurement *m; /* NULL: nothing was run */
} subject;

typedef struct report {
	arena *a;
	subject of;
	const run_sizes *sizes;
	kernel_row *rows;
	int n_rows;
	int *by_time; /* rows, the slowest first; NULL: nothing was timed */
	int n_steps;
	arena_block *blocks;
	int n_blocks;       /* -1: their places depend on sizes */
	int64_t *live;      /* bytes that are alive at each step */
	int64_t workspace, most_live; /* bytes; -1: depends on sizes */
	size_t weights; /* bytes */
	work of_run;        /* all kernels of one run */
} report;

report report_of(arena *a, subject of);

/* To the file, or to `otherwise` when path is NULL; HTML always goes to a file. */
bool report_write(const report *r, report_form form, const char *path, FILE *otherwise, diag *d);
/* What --report of `dlcc run` and `dlcc test` asks for, if anything: nothing has run yet. */
bool report_session(const session *s, diag *d);
/* What -o of a command that writes nothing else names, else MODEL.html here for HTML; NULL: no file. */
const char *report_path(const options *o);

/* A count of a kernel as it is written, maybe with symbols. */
const char *report_count(const report *r, const sym *s);
void report_text(str *s, const report *r);
/* A line for each kernel, the slowest first. */
void report_profile(str *s, const report *r);
void report_json(str *s, const report *r);
void report_html(str *s, const report *r);
