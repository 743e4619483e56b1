/* A row per option.  A row says how its argument is read and into which field of `options` it goes, so a new option is a row
 * and a field. */
#include "driver/options.h"

#include "support/checked.h"
#include "support/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind {
	KIND_FLAG,     /* bool: becomes true */
	KIND_CLEAR,    /* bool: becomes false */
	KIND_TEXT,     /* const char * */
	KIND_OPTIONAL, /* const char *, "" without =ARG */
	KIND_LIST,     /* vec(const char *): may be given again */
	KIND_COUNT,    /* int64_t >= 0 */
	KIND_REAL,     /* double >= 0 */
	KIND_LEVEL,    /* int 0..3, attached to the letter */
	KIND_INFO,     /* info */
} option_kind;

typedef struct option_row {
	const char *name; /* without --; NULL: only the letter */
	char letter;
	option_kind kind;
	unsigned commands;
	const char *argument, *otherwise; /* for help; otherwise: the default in words */
	size_t field;
	info info;
	const char *help;
} option_row;

typedef vec(const char *) texts;

#define FIELD(f) .field = offsetof(options, f)
#define RUNS (COMMAND_RUN | COMMAND_TEST | COMMAND_BENCH)

/* clang-format off */
static const option_row rows[] = {
	{"output-file", 'o', KIND_TEXT, COMMAND_COMPILE | COMMAND_BENCH, "FILE", "MODEL.o here; text to stdout", FIELD(output),
	 .help = "write to FILE; - is standard output; bench: the report"},
	{"emit", 0, KIND_TEXT, COMMAND_COMPILE, "obj|lib|shared|asm|llvm|ir|kernels|header|dot", "obj", FIELD(emit_text),
	 .help = "what to write: an object, an archive with the runtime in it, a shared library with the runtime in it, assembly, "
	         "LLVM IR, the graph, the kernels, the C header, or a Graphviz picture"},
	{"header", 0, KIND_TEXT, COMMAND_COMPILE, "FILE", "beside the object", FIELD(header), .help = "write the C header to FILE"},
	{"no-header", 0, KIND_FLAG, COMMAND_COMPILE, NULL, NULL, FIELD(no_header), .help = "write no C header"},
	{"name", 0, KIND_TEXT, COMMAND_COMPILE, "SYMBOL", "from the model's file name", FIELD(name),
	 .help = "the symbol of the model; its entry is SYMBOL_run"},
	{"weights", 0, KIND_TEXT, COMMAND_COMPILE, "FILE", "in the object", FIELD(weights),
	 .help = "write the weights to FILE, which the application maps"},
	{NULL, 'g', KIND_FLAG, COMMAND_ALL, NULL, NULL, FIELD(debug_info),
	 .help = "debug information: lines of the printed kernels, written beside the object"},

	{"dim", 0, KIND_LIST, COMMAND_ALL, "NAME=N|LO..HI[@{N,...}]", NULL, FIELD(dim_texts),
	 .help = "fix a symbolic dimension, or bound it, which makes memory static; @{32,128}: the values have code of their own, "
	         "beside that for all, and what fits the inputs is run; values of several dimensions are combined"},
	{"input", 0, KIND_LIST, COMMAND_ALL, "NAME=f32[1,3,H,W]", "as the model says", FIELD(input_texts),
	 .help = "the type and shape of an input, NAME.0, NAME.1 ... those of a sequence's elements, none where it has none; for commands that run, also its data: NAME=FILE.npy, FILE.pb, iota, random, "
	         "ones or zeros"},
	{"const", 0, KIND_LIST, COMMAND_ALL, "NAME=FILE", NULL, FIELD(const_texts),
	 .help = "fix an input while compiling to the tensor in FILE (.npy or .pb); it is no input of the compiled model then"},
	{"output", 0, KIND_LIST, COMMAND_ALL, "TENSOR", NULL, FIELD(outputs),
	 .help = "make an inner tensor a further output, to look at it"},

	{"target", 0, KIND_TEXT, COMMAND_COMPILE, "TRIPLE", "this machine's", FIELD(triple), .help = "the LLVM triple to compile for"},
	{"cpu", 0, KIND_TEXT, COMMAND_ALL, "NAME|native[,NAME...]", "portable for objects, native for what runs here", FIELD(cpu),
	 .help = "the CPU to compile for; see --help-targets. An object can have code for several: the best that the machine "
	         "can run is used"},
	{"features", 0, KIND_TEXT, COMMAND_ALL, "+a,-b", NULL, FIELD(features), .help = "LLVM features to add or remove"},
	{NULL, 'O', KIND_LEVEL, COMMAND_ALL, "0..3", "3", FIELD(opt), .help = "optimisation: 0 is scalar code without fusion"},
	{"winograd", 0, KIND_TEXT, COMMAND_ALL, "off|f2|f4", "f4", FIELD(winograd_text),
	 .help = "the largest tiles that 3x3 convolutions are computed in by Winograd's method, where that costs least: none, 2x2 or 4x4 "
	         "outputs; larger ones are faster and round more"},

	{"tuning", 0, KIND_TEXT, COMMAND_ALL, "FILE", NULL, FIELD(tuning),
	 .help = "make the choices that FILE lists, instead of those that seem to cost least; --tune writes such files"},
	{"tune", 0, KIND_OPTIONAL, COMMAND_ALL, "SECONDS", "30 seconds", FIELD(tune_text),
	 .help = "measure on this machine, for so long, which strategies and panels suit the convolutions and products of the model that the "
	         "file of --tuning does not list; use them, and add them to the file"},

	{"passes", 0, KIND_TEXT, COMMAND_ALL, "A,B,...", "by -O", FIELD(passes), .help = "run these passes; see --help-passes"},
	{"dump-ir", 0, KIND_OPTIONAL, COMMAND_ALL, "PASS", "all passes", FIELD(dump), .help = "print the IR after passes to stderr"},
	{"no-locations", 0, KIND_CLEAR, COMMAND_ALL, NULL, NULL, FIELD(locations), .help = "print IR without ONNX node names"},
	{"verify-each", 0, KIND_FLAG, COMMAND_ALL, NULL, NULL, FIELD(verify_each), .help = "verify the IR after every pass"},
	{"time-passes", 0, KIND_FLAG, COMMAND_ALL, NULL, NULL, FIELD(time_passes), .help = "print the time of each pass to stderr"},
	{"sanitize", 0, KIND_FLAG, COMMAND_ALL, NULL, NULL, FIELD(sanitize), .help = "check every access of the compiled code"},
	{"report", 0, KIND_OPTIONAL, COMMAND_ALL, "json|html", "text", FIELD(report_text),
	 .help = "print what the kernels do and how much memory they take, with bench also their times; or write it as one page to "
	         "MODEL.html"},
	{"threads", 0, KIND_COUNT, COMMAND_ALL, "N", "1 to run, all to compile; 0 = all", FIELD(threads), .help = "threads to use"},

	{"data", 0, KIND_TEXT, COMMAND_RUN | COMMAND_BENCH, "DIR", NULL, FIELD(data),
	 .help = "take inputs from DIR/input_0.pb, DIR/input_1.pb ..."},
	{"output-dir", 0, KIND_TEXT, COMMAND_RUN, "DIR", "print a summary", FIELD(output_dir),
	 .help = "write outputs to DIR/output_0.pb, DIR/output_1.pb ..."},
	{"repeat", 0, KIND_COUNT, COMMAND_RUN | COMMAND_BENCH, "N", "run: 1, bench: about a second", FIELD(repeat),
	 .help = "run N times"},
	{"profile", 0, KIND_FLAG, COMMAND_RUN | COMMAND_BENCH, NULL, NULL, FIELD(profile), .help = "print the time of each kernel, its rates and what those are of the roofline"},
	{"json", 0, KIND_FLAG, COMMAND_BENCH, NULL, NULL, FIELD(json), .help = "print results as JSON"},
	{"rtol", 0, KIND_REAL, COMMAND_TEST, "X", "by whole tensors", FIELD(rtol),
	 .help = "accept |y - ref| <= atol + X * |ref|, element by element"},
	{"atol", 0, KIND_REAL, COMMAND_TEST, "X", "0 with --rtol", FIELD(atol), .help = "see --rtol"},

	{"help", 'h', KIND_INFO, COMMAND_ALL, NULL, NULL, .info = INFO_HELP, .help = "print this"},
	{"help-ops", 0, KIND_INFO, COMMAND_COMPILE, NULL, NULL, .info = INFO_OPS, .help = "list the ops of the graph IR"},
	{"help-onnx", 0, KIND_INFO, COMMAND_COMPILE, NULL, NULL, .info = INFO_ONNX,
	 .help = "list the ONNX operators that are supported, with their versions"},
	{"help-passes", 0, KIND_INFO, COMMAND_COMPILE, NULL, NULL, .info = INFO_PASSES, .help = "list the passes"},
	{"help-targets", 0, KIND_INFO, COMMAND_COMPILE, NULL, NULL, .info = INFO_TARGETS, .help = "list the CPUs"},
	{"help-man", 0, KIND_INFO, COMMAND_COMPILE, NULL, NULL, .info = INFO_MAN, .help = "print the manual page, as roff"},
	{"version", 0, KIND_INFO, COMMAND_ALL, NULL, NULL, .info = INFO_VERSION, .help = "print the version"},
};

static const struct { command c; const char *word, *operands, *purpose; } commands[] = {
	{COMMAND_COMPILE, "", "MODEL", "compile a model to an object file and a C header"},
	{COMMAND_RUN, "run", "MODEL", "run a model in this process"},
	{COMMAND_TEST, "test", "MODEL [DATA_SET_DIR ...]", "compare a model's outputs with reference data"},
	{COMMAND_BENCH, "bench", "MODEL", "measure latency and throughput"},
};

static const char *const emit_names[EMITS_COUNT] = {
	[EMITS_OBJ] = "obj", [EMITS_LIB] = "lib", [EMITS_SHARED] = "shared", [EMITS_ASM] = "asm", [EMITS_LLVM] = "llvm",
	[EMITS_IR] = "ir", [EMITS_KERNELS] = "kernels", [EMITS_HEADER] = "header", [EMITS_DOT] = "dot",
};
/* clang-format on */

enum { DEFAULT_TUNE_SECONDS = 30 };

enum { N_ROWS = sizeof rows / sizeof *rows, N_COMMANDS = sizeof commands / sizeof *commands };

const char *emit_name(emit_what e)
{
	return emit_names[e];
}

static const char *command_word(command c)
{
	for (int i = 0; i < N_COMMANDS; i++)
		if (commands[i].c == c)
			return commands[i].word;
	return "";
}

/* ---- one option ----------------------------------------------------------------------------------------------------- */
static const char *spelled(arena *a, const option_row *r)
{
	return r->name ? arena_printf(a, "--%s", r->name) : arena_printf(a, "-%c", r->letter);
}

static bool takes_argument(const option_row *r)
{
	return r->kind == KIND_TEXT || r->kind == KIND_LIST || r->kind == KIND_COUNT || r->kind == KIND_REAL;
}

static void bad_value(const options *o, const option_row *r, const char *given, const char *wanted, diag *d)
{
	diag_error(d, DIAG_NOWHERE, "%s: '%s' is no %s", spelled(o->a, r), given, wanted);
}

static bool read_count(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	*out = n;
	return *text && !*end && !errno && n >= 0;
}

static bool read_real(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return *text && !*end && *out >= 0;
}

static void store(options *o, const option_row *r, const char *given, diag *d)
{
	void *field = (char *)o + r->field;
	switch (r->kind) {
	case KIND_FLAG: *(bool *)field = true; break;
	case KIND_CLEAR: *(bool *)field = false; break;
	case KIND_TEXT: *(const char **)field = given; break;
	case KIND_OPTIONAL: *(const char **)field = given ? given : ""; break;
	case KIND_LIST: vec_push(o->a, (texts *)field, given); break;
	case KIND_COUNT:
		if (!read_count(given, field))
			bad_value(o, r, given, "count", d);
		break;
	case KIND_REAL:
		if (!read_real(given, field))
			bad_value(o, r, given, "non-negative number", d);
		break;
	case KIND_LEVEL:
		if (given[0] >= '0' && given[0] <= '3' && !given[1])
			*(int *)field = given[0] - '0';
		else
			diag_error(d, DIAG_NOWHERE, "-O%s: the levels are -O0 to -O3", given);
		break;
	case KIND_INFO: o->info = r->info; break;
	}
}

/* ---- finding options ------------------------------------------------------------------------------------------------ */
static const option_row *find_long(const char *name, size_t n)
{
	for (int i = 0; i < N_ROWS; i++)
		if (rows[i].name && strlen(rows[i].name) == n && !memcmp(rows[i].name, name, n))
			return &rows[i];
	return NULL;
}

static const option_row *find_letter(char letter)
{
	for (int i = 0; i < N_ROWS; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

enum { NEAR = 3, MAX_NAME = 40 };

/* Levenshtein's distance of two short names. */
static int distance(const char *a, size_t na, const char *b)
{
	size_t nb = strlen(b);
	int row[MAX_NAME + 1];
	if (na > MAX_NAME || nb > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int change = diagonal + (a[i - 1] != b[j - 1]);
			int best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			diagonal = row[j];
			row[j] = change < best ? change : best;
		}
	}
	return row[nb];
}

static void unknown_option(const char *text, size_t n, diag *d)
{
	const char *nearest = NULL;
	int best = NEAR;
	diag_error(d, DIAG_NOWHERE, "unknown option '%.*s'", text[1] == '-' ? (int)n + 2 : (int)strlen(text), text);
	for (int i = 0; i < N_ROWS; i++) {
		int far = rows[i].name ? distance(text + 2, n, rows[i].name) : NEAR;
		if (far < best) {
			best = far;
			nearest = rows[i].name;
		}
	}
	if (nearest && text[1] == '-')
		diag_hint(d, "did you mean --%s?", nearest);
	else
		diag_hint(d, "dlcc --help lists the options");
}

/* The option in argv[i]; its argument may be argv[i + 1].  Returns how many words it took. */
static int parse_option(options *o, int i, int argc, char **argv, diag *d)
{
	const char *text = argv[i], *given = NULL;
	const option_row *r;
	size_t n = 0;
	if (text[1] == '-') {
		n = strcspn(text + 2, "=");
		r = find_long(text + 2, n);
		given = text[2 + n] == '=' ? text + 3 + n : NULL;
	} else {
		r = find_letter(text[1]);
		given = text[2] ? text + 2 : NULL;
		if (r && given && !takes_argument(r) && r->kind != KIND_LEVEL)
			r = NULL;
	}
	if (!r) {
		unknown_option(text, n, d);
		return 1;
	}
	if (r->kind == KIND_LEVEL && !given)
		given = "";
	if (!(r->commands & o->command)) {
		const char *word = command_word(o->command);
		diag_error(d, DIAG_NOWHERE, "%s is no option of dlcc%s%s", spelled(o->a, r), *word ? " " : "", word);
		return 1 + (takes_argument(r) && !given && i + 1 < argc);
	}
	if (takes_argument(r) && !given) {
		if (i + 1 == argc) {
			diag_error(d, DIAG_NOWHERE, "%s needs an argument: %s", text, r->argument);
			return 1;
		}
		store(o, r, argv[i + 1], d);
		return 2;
	}
	if (given && !takes_argument(r) && r->kind != KIND_OPTIONAL && r->kind != KIND_LEVEL) {
		diag_error(d, DIAG_NOWHERE, "%s takes no argument", spelled(o->a, r));
		return 1;
	}
	store(o, r, given, d);
	return 1;
}

/* ---- arguments with a grammar of their own -------------------------------------------------------------------------- */
/* NAME=VALUE; false, reported, without them. */
static bool split(options *o, const char *option, const char *form, const char *text, const char **name, const char **given, diag *d)
{
	const char *equal = strchr(text, '=');
	if (!equal || equal == text || !equal[1]) {
		diag_error(d, DIAG_NOWHERE, "%s '%s': expected %s", option, text, form);
		return false;
	}
	*name = arena_strndup(o->a, text, (size_t)(equal - text));
	*given = equal + 1;
	return true;
}

#define DIM_FORM "NAME=N, NAME=LO..HI or NAME=LO..HI@{N,...}"

/* "N" or "LO..HI" */
static bool read_range(options *o, const char *text, dim_range *r)
{
	const char *dots = strstr(text, "..");
	const char *lo = dots ? arena_strndup(o->a, text, (size_t)(dots - text)) : text;
	return read_count(lo, &r->lo) && read_count(dots ? dots + 2 : text, &r->hi) && r->lo <= r->hi;
}

static void add_dim_value(const char *text, const char *word, dim_range *r, int64_t *values, diag *d)
{
	int64_t n = 0;
	if (!read_count(word, &n)) {
		diag_error(d, DIAG_NOWHERE, "--dim '%s': '%s' is no size", text, word);
		return;
	}
	if (n < r->lo || n > r->hi)
		diag_error(d, DIAG_NOWHERE, "--dim '%s': %" PRId64 " is outside %" PRId64 "..%" PRId64, text, n, r->lo, r->hi);
	for (int i = 0; i < r->n_values; i++)
		if (values[i] == n)
			diag_error(d, DIAG_NOWHERE, "--dim '%s' lists %" PRId64 " twice", text, n);
	values[r->n_values++] = n;
}

/* "{32,128}" */
static void parse_dim_values(options *o, const char *text, const char *list, dim_range *r, diag *d)
{
	size_t n = strlen(list);
	if (list[0] != '{' || list[n - 1] != '}' || r->lo == r->hi) {
		diag_error(d, DIAG_NOWHERE, "--dim '%s': values are listed as NAME=LO..HI@{N,...} with LO < HI", text);
		return;
	}
	int64_t *values = new_array(o->a, int64_t, n);
	for (const char *at = arena_strndup(o->a, list + 1, n - 2), *comma; at; at = comma ? comma + 1 : NULL) {
		comma = strchr(at, ',');
		add_dim_value(text, arena_strndup(o->a, at, strcspn(at, ",")), r, values, d);
	}
	r->values = values;
}

static bool has_dim(const options *o, const char *name)
{
	for (int i = 0; i < o->dims.n; i++)
		if (!strcmp(o->dims.v[i].name, name))
			return true;
	return false;
}

static void parse_dim(options *o, const char *text, diag *d)
{
	const char *name, *given;
	dim_range r = {0};
	if (!split(o, "--dim", DIM_FORM, text, &name, &given, d))
		return;
	const char *at = strchr(given, '@');
	r.name = name;
	if (!read_range(o, at ? arena_strndup(o->a, given, (size_t)(at - given)) : given, &r)) {
		diag_error(d, DIAG_NOWHERE, "--dim '%s': expected " DIM_FORM " with LO <= HI", text);
		return;
	}
	if (at)
		parse_dim_values(o, text, at + 1, &r, d);
	if (has_dim(o, name))
		diag_error(d, DIAG_NOWHERE, "--dim names \"%s\" twice", name);
	vec_push(o->a, &o->dims, r);
}

/* "f32[1,3,H,W]", "[2,N]"; false when it does not look like that at all. */
static bool parse_shape(options *o, const char *text, const char *given, input_shape *s, diag *d)
{
	const char *open = strchr(given, '['), *end = given + strlen(given);
	if (!open || end[-1] != ']')
		return false;
	s->type = open == given ? DTYPE_NONE : dtype_find(given, (size_t)(open - given));
	if (open != given && s->type == DTYPE_NONE)
		diag_error(d, DIAG_NOWHERE, "--input '%s': unknown element type", text);
	vec(dim_spec) dims = {0};
	for (const char *p = open + 1; p < end - 1;) {
		size_t n = strcspn(p, ",]");
		const char *word = arena_strndup(o->a, p, n);
		dim_spec spec = {0};
		if (!read_count(word, &spec.value))
			spec.name = word;
		if (!*word || (*word >= '0' && *word <= '9' && spec.name) || *word == '-')
			diag_error(d, DIAG_NOWHERE, "--input '%s': '%s' is no dimension", text, word);
		vec_push(o->a, &dims, spec);
		p += n + 1;
	}
	s->rank = dims.n;
	s->dims = dims.v;
	return true;
}

static void parse_input(options *o, const char *text, diag *d)
{
	input_shape shape = {0};
	input_source from;
	if (!split(o, "--input", o->command == COMMAND_COMPILE ? "NAME=TYPE[DIM,...]" : "NAME=FILE or NAME=TYPE[DIM,...]", text, &from.name, &from.value, d))
		return;
	shape.name = from.name;
	if (!strcmp(from.value, "none")) {
		shape.rank = -1;
		shape.type = DTYPE_NONE;
		vec_push(o->a, &o->shapes, shape);
	} else if (parse_shape(o, text, from.value, &shape, d)) {
		vec_push(o->a, &o->shapes, shape);
	} else if (o->command == COMMAND_COMPILE) {
		diag_error(d, DIAG_NOWHERE, "--input '%s': expected NAME=TYPE[DIM,...]", text);
	} else {
		vec_push(o->a, &o->sources, from);
	}
}

static void parse_const(options *o, const char *text, diag *d)
{
	input_source from;
	if (split(o, "--const", "NAME=FILE", text, &from.name, &from.value, d))
		vec_push(o->a, &o->fixed, from);
}

static void parse_emit(options *o, diag *d)
{
	for (int i = 0; o->emit_text && i < EMITS_COUNT; i++) {
		if (!strcmp(o->emit_text, emit_names[i])) {
			o->emit = (emit_what)i;
			return;
		}
	}
	if (o->emit_text)
		diag_error(d, DIAG_NOWHERE, "--emit: '%s' is none of obj, lib, shared, asm, llvm, ir, kernels, header, dot", o->emit_text);
}

static void parse_winograd(options *o, diag *d)
{
	static const struct { const char *text; int outputs; } tiles[] = {{"off", 1}, {"f2", 2}, {"f4", 4}};
	for (size_t i = 0; o->winograd_text && i < sizeof tiles / sizeof *tiles; i++)
		if (!strcmp(o->winograd_text, tiles[i].text))
			o->winograd = tiles[i].outputs;
	if (o->winograd_text && !o->winograd)
		diag_error(d, DIAG_NOWHERE, "--winograd: '%s' is none of off, f2, f4", o->winograd_text);
}

static void parse_report(options *o, diag *d)
{
	if (!o->report_text)
		return;
	o->report = !strcmp(o->report_text, "json") ? REPORT_JSON : !strcmp(o->report_text, "html") ? REPORT_HTML : REPORT_TEXT;
	if (o->report == REPORT_TEXT && *o->report_text)
		diag_error(d, DIAG_NOWHERE, "--report: '%s' is neither json nor html", o->report_text);
}

static void parse_tune(options *o, diag *d)
{
	if (!o->tune_text)
		return;
	o->tune_seconds = DEFAULT_TUNE_SECONDS;
	if (*o->tune_text && (!read_real(o->tune_text, &o->tune_seconds) || !o->tune_seconds))
		diag_error(d, DIAG_NOWHERE, "--tune: '%s' is no positive number of seconds", o->tune_text);
	if (o->command == COMMAND_COMPILE && !o->tuning)
		diag_error(d, DIAG_NOWHERE, "--tune needs --tuning=FILE, where it writes what it measured, so that the object can be built again");
	if (!o->opt)
		diag_error(d, DIAG_NOWHERE, "--tune: there is nothing to choose at -O0");
}

static void resolve(options *o, diag *d)
{
	parse_tune(o, d);
	parse_emit(o, d);
	parse_report(o, d);
	parse_winograd(o, d);
	if (o->command == COMMAND_BENCH && o->output && !o->report && !o->json)
		diag_error(d, DIAG_NOWHERE, "-o of dlcc bench names the file of --report");
	for (int i = 0; i < o->dim_texts.n; i++)
		parse_dim(o, o->dim_texts.v[i], d);
	for (int i = 0; i < o->input_texts.n; i++)
		parse_input(o, o->input_texts.v[i], d);
	for (int i = 0; i < o->const_texts.n; i++)
		parse_const(o, o->const_texts.v[i], d);
	if (!o->model) {
		diag_error(d, DIAG_NOWHERE, "no model given");
		diag_hint(d, "dlcc --help says how to use it");
	}
	if (o->operands.n && o->command != COMMAND_TEST)
		diag_error(d, DIAG_NOWHERE, "one model at a time: what is '%s'?", o->operands.v[0]);
}

bool options_parse(options *o, arena *a, int argc, char **argv, diag *d)
{
	*o = (options){.a = a, .command = COMMAND_COMPILE, .opt = 3, .locations = true, .threads = -1, .rtol = -1, .atol = -1};
	int i = 1;
	for (int c = 1; c < N_COMMANDS && argc > 1; c++) {
		if (!strcmp(argv[1], commands[c].word)) {
			o->command = commands[c].c;
			i = 2;
		}
	}
	while (i < argc && !o->info) {
		if (argv[i][0] == '-' && argv[i][1]) {
			i += parse_option(o, i, argc, argv, d);
		} else if (!o->model) {
			o->model = argv[i++];
		} else {
			vec_push(a, &o->operands, argv[i]);
			i++;
		}
	}
	if (!o->info)
		resolve(o, d);
	return diag_error_count(d) == 0;
}

/* ---- help ------------------------------------------------------------------------------------------------------------- */
enum { HELP_COLUMN = 26, HELP_WIDTH = 100 };

/* Words of text between HELP_COLUMN and HELP_WIDTH; the first line is already at `column`. */
static void print_wrapped(FILE *to, int column, const char *text)
{
	if (column >= HELP_COLUMN) {
		fputc('\n', to);
		column = 0;
	}
	fprintf(to, "%*s", HELP_COLUMN - column, "");
	column = HELP_COLUMN;
	while (*text) {
		int n = (int)strcspn(text, " ");
		if (column + n > HELP_WIDTH) {
			fprintf(to, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		column += fprintf(to, "%.*s", n, text);
		text += n;
		if (*text == ' ') {
			column += fprintf(to, " ");
			text++;
		}
	}
	fputc('\n', to);
}

static void add_usage(str *s, const option_row *r)
{
	if (r->letter)
		str_addf(s, "-%c%s", r->letter, r->name && r->kind == KIND_INFO ? ", " : "");
	if (r->name && (!r->letter || r->kind == KIND_INFO))
		str_addf(s, "--%s", r->name);
	if (!r->argument)
		return;
	if (r->kind == KIND_OPTIONAL)
		str_addf(s, "[=%s]", r->argument);
	else
		str_addf(s, "%s%s", r->kind == KIND_LEVEL ? "" : r->letter ? " " : "=", r->argument);
}

void options_help(FILE *to, command c)
{
	arena *a = arena_new("help");
	fprintf(to, "usage:\n");
	for (int i = 0; i < N_COMMANDS; i++)
		if (c == COMMAND_COMPILE || c == commands[i].c)
			fprintf(to, "  dlcc%s%s [options] %s\n      %s\n", *commands[i].word ? " " : "", commands[i].word,
			        commands[i].operands, commands[i].purpose);
	fprintf(to, "\nMODEL is an ONNX file, or the textual graph or kernel IR when its name ends in .ir\n\noptions:\n");
	for (int i = 0; i < N_ROWS; i++) {
		if (!(rows[i].commands & c))
			continue;
		str usage = str_new(a), help = str_new(a);
		add_usage(&usage, &rows[i]);
		str_add(&help, rows[i].help);
		if (rows[i].otherwise)
			str_addf(&help, " (default: %s)", rows[i].otherwise);
		print_wrapped(to, fprintf(to, "  %s ", usage.data), help.data);
	}
	if (c == COMMAND_COMPILE)
		fprintf(to, "\ndlcc run --help, dlcc test --help and dlcc bench --help list the options of those commands.\n");
	fprintf(to, "Exit status: 0 success, 1 the model or the command is wrong, 2 the machine is (memory, disk).\n");
	arena_free(a);
}

/* Text as roff takes it literally. */
static void print_roff(FILE *to, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", to);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", to);
		else if (*text == '\\')
			fputs("\\e", to);
		else
			fputc(*text, to);
	}
}

static void man_option(FILE *to, const option_row *r)
{
	arena *a = arena_new("man");
	str usage = str_new(a);
	add_usage(&usage, r);
	fputs(".TP\n.B ", to);
	print_roff(to, usage.data);
	fputs("\n", to);
	print_roff(to, r->help);
	fputs(".\n", to);
	if (r->otherwise) {
		fputs("Default: ", to);
		print_roff(to, r->otherwise);
		fputs(".\n", to);
	}
	if (r->commands != COMMAND_ALL) {
		fputs("For:", to);
		for (int i = 0; i < N_COMMANDS; i++)
			if (r->commands & commands[i].c)
				fprintf(to, " dlcc%s%s%s", *commands[i].word ? " " : "", commands[i].word,
				        r->commands >> (i + 1) ? "," : "");
		fputs(".\n", to);
	}
	arena_free(a);
}

void options_man(FILE *to, const char *version)
{
	fprintf(to, ".TH DLCC 1 \"\" \"dlcc %s\" \"User Commands\"\n.SH NAME\ndlcc \\- ahead\\-of\\-time compiler for ONNX models\n"
	            ".SH SYNOPSIS\n", version);
	for (int i = 0; i < N_COMMANDS; i++) {
		fprintf(to, "%s.B dlcc%s%s\n[options] ", i ? ".br\n" : "", *commands[i].word ? " " : "", commands[i].word);
		print_roff(to, commands[i].operands);
		fputs("\n", to);
	}
	fprintf(to, ".SH DESCRIPTION\nCompiles an ONNX model into one native object file and a C header, runs a model in memory, "
	            "compares its outputs with reference data, or measures it.\n"
	            "A model is an ONNX file, or textual IR when its name ends in .ir.\n.SH OPTIONS\n");
	for (int i = 0; i < N_ROWS; i++)
		man_option(to, &rows[i]);
	fprintf(to, ".SH EXIT STATUS\n0 on success, 1 when the model or the command is wrong, 2 when the machine is.\n");
}
