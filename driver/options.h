/* The command line: one table of options, from which parsing, --help of every command and the man page come. */
#pragma once

#include "frontend/onnx.h"
#include "support/diag.h"
#include "support/vec.h"

typedef enum command {
	COMMAND_COMPILE = 1,
	COMMAND_RUN = 2,
	COMMAND_TEST = 4,
	COMMAND_BENCH = 8,
	COMMAND_ALL = 15,
} command;

typedef enum emit_what {
	EMITS_OBJ,
	EMITS_LIB,
	EMITS_SHARED,
	EMITS_ASM,
	EMITS_LLVM,
	EMITS_IR,
	EMITS_KERNELS,
	EMITS_HEADER,
	EMITS_DOT,
	EMITS_COUNT,
} emit_what;

typedef enum report_form { REPORT_NONE, REPORT_TEXT, REPORT_JSON, REPORT_HTML } report_form;

/* What is printed instead of working. */
typedef enum info { INFO_NONE, INFO_HELP, INFO_VERSION, INFO_OPS, INFO_ONNX, INFO_PASSES, INFO_TARGETS, INFO_MAN } info;

/* --input NAME=VALUE of the commands that run a model: a file, or a way to fill.  --const NAME=FILE. */
typedef struct input_source {
	const char *name;
	const char *value;
} input_source;

typedef struct options {
	arena *a;
	command command;
	info info;
	const char *model;
	vec(const char *) operands; /* behind the model */

	/* as written */
	vec(const char *) dim_texts, input_texts, const_texts, outputs;
	const char *emit_text, *report_text, *winograd_text;

	/* of the network */
	vec(dim_range) dims;
	vec(input_shape) shapes;
	vec(input_source) sources, fixed;
	/* of the code */
	const char *triple, *cpu, *features;
	int opt, winograd; /* winograd: as in pass_ctx */
	const char *tuning, *tune_text; /* tune_text: "" without =SECONDS, NULL: none */
	double tune_seconds;
	bool sanitize, debug_info;
	/* of the pipeline */
	const char *passes, *dump; /* dump: a pass, "" all, NULL none */
	bool verify_each, time_passes, locations;
	/* of what is written */
	emit_what emit;
	const char *output, *header, *name, *weights;
	bool no_header;
	report_form report;
	/* of running */
	const char *data, *output_dir;
	int64_t threads, repeat;
	bool profile, json;
	double rtol, atol; /* negative: the default rule */
} options;

/* False after errors.  With an info, nothing else was looked at. */
bool options_parse(options *o, arena *a, int argc, char **argv, diag *d);

void options_help(FILE *to, command c);
void options_man(FILE *to, const char *version);
/* The name of an emit_what, as in --emit. */
const char *emit_name(emit_what e);
