/* The C header of a model: C99 and C++, nothing but dlrt.h needed.
 *
 *   extern const dlrt_model NAME;
 *   NAME_WORKSPACE_BYTES            enough for all shapes within the bounds; absent when there is no such number
 *   NAME_N_MIN, NAME_N_MAX          the bounds of symbol N
 *   NAME_run                        the typed call; absent when only dlrt_run can run the model                        */
#include "backend/model.h"

#include <ctype.h>
#include <inttypes.h>

typedef struct header {
	arena *a;
	str *out;
	const program *p;
	const emit_options *o;
	signature sig;
	int64_t workspace;   /* enough for every variant, -1: unbounded */
	bool exact;          /* and for none too much */
	const char *upper; /* NAME in capitals */
} header;

/* How a C program sees an element, and what it must know when C has no such type. */
typedef struct c_type {
	const char *name, *remark;
} c_type;

static const c_type c_types[DTYPE_COUNT] = {
	[F32] = {"float", NULL},
	[F64] = {"double", NULL},
	[F16] = {"uint16_t", "bits of IEEE binary16"},
	[BF16] = {"uint16_t", "bits of bfloat16"},
	[F8E4M3FN] = {"uint8_t", "bits of f8e4m3fn"},
	[F8E4M3FNUZ] = {"uint8_t", "bits of f8e4m3fnuz"},
	[F8E5M2] = {"uint8_t", "bits of f8e5m2"},
	[F8E5M2FNUZ] = {"uint8_t", "bits of f8e5m2fnuz"},
	[F8E8M0] = {"uint8_t", "bits of f8e8m0"},
	[F4E2M1] = {"uint8_t", "two elements a byte, the first in the low bits"},
	[I8] = {"int8_t", NULL},
	[I16] = {"int16_t", NULL},
	[I32] = {"int32_t", NULL},
	[I64] = {"int64_t", NULL},
	[I4] = {"uint8_t", "two elements a byte, the first in the low bits"},
	[I2] = {"uint8_t", "four elements a byte, the first in the low bits"},
	[U8] = {"uint8_t", NULL},
	[U16] = {"uint16_t", NULL},
	[U32] = {"uint32_t", NULL},
	[U64] = {"uint64_t", NULL},
	[U4] = {"uint8_t", "two elements a byte, the first in the low bits"},
	[U2] = {"uint8_t", "four elements a byte, the first in the low bits"},
	[BOOL] = {"uint8_t", "0 or 1"},
	[STRING] = {"dlrt_string", NULL},
};

/* A model's text inside a comment: it can neither end the comment nor the line. */
static void add_comment_text(header *h, const char *text)
{
	for (const char *s = text ? text : ""; *s; s++) {
		bool ends = (s[0] == '*' && s[1] == '/') || (s[0] == '/' && s[1] == '*');
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '\\')
			str_addc(h->out, '?');
		else
			str_addc(h->out, *s);
		if (ends)
			str_addc(h->out, ' ');
	}
}

static const char *upper_case(arena *a, const char *name)
{
	char *copy = arena_strdup(a, name);
	for (char *s = copy; *s; s++)
		*s = (char)toupper((unsigned char)*s);
	return copy;
}

static void add_port(header *h, const port *p)
{
	str type = str_new(h->a);
	str_addf(&type, "%s[", dtype_name(p->type));
	for (int i = 0; i < p->rank; i++) {
		if (i)
			str_addc(&type, ',');
		sym_print(&type, p->dims[i]);
	}
	str_addc(&type, ']');
	str_add(h->out, " *   ");
	add_comment_text(h, p->name);
	str_add(h->out, ": ");
	add_comment_text(h, type.data);
	if (c_types[p->type].remark)
		str_addf(h->out, " (%s)", c_types[p->type].remark);
	str_addc(h->out, '\n');
}

static void add_ports(header *h, const char *what, const port *ports, int n)
{
	str_addf(h->out, " * %s\n", what);
	for (int i = 0; i < n; i++)
		add_port(h, &ports[i]);
}

static void add_cpus(header *h)
{
	vec(const char *) cpus = {0};
	vec_push(h->a, &cpus, h->o->target->name);
	for (int i = 0; i < h->o->n_also; i++)
		if (!h->o->also[i].n_fixed)
			vec_push(h->a, &cpus, h->o->also[i].target->name);
	for (int i = 0; i < cpus.n; i++)
		str_addf(h->out, "%s%s", !i ? "" : i + 1 < cpus.n ? ", " : " and ", cpus.v[i]);
}

static void add_sizes(header *h, const emit_variant *v)
{
	str_add(h->out, " * It has code of its own for ");
	for (int i = 0; i < v->n_fixed; i++) {
		str_add(h->out, i ? ", " : "");
		add_comment_text(h, v->fixed[i].name);
		str_addf(h->out, " = %" PRId64, v->fixed[i].value);
	}
	str_add(h->out, ".\n");
}

static void add_top(header *h)
{
	str_add(h->out, "/* Model \"");
	add_comment_text(h, h->p->name);
	str_add(h->out, "\", compiled by dlcc for ");
	add_cpus(h);
	str_add(h->out, ".\n");
	for (int i = 0; i < h->o->n_also && h->o->also[i].target == h->o->target; i++)
		add_sizes(h, &h->o->also[i]);
	str_add(h->out, " *\n");
	add_ports(h, "Inputs:", h->p->inputs.v, h->p->inputs.n);
	add_ports(h, "Outputs:", h->p->outputs.v, h->p->outputs.n);
	str_addf(h->out, " */\n#ifndef %s_MODEL_H\n#define %s_MODEL_H\n\n#include \"dlrt.h\"\n\n", h->upper, h->upper);
	str_add(h->out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
}

static void add_descriptor(header *h)
{
	str_add(h->out, "/* Names, types and dims of inputs and outputs, and all that the calls in dlrt.h need. */\n");
	str_addf(h->out, "extern const dlrt_model %s;\n\n", h->sig.symbol);
}

static void add_workspace(header *h)
{
	if (h->workspace < 0)
		return;
	const char *exact = !h->sig.fixed_workspace ? ", for the largest shapes" : h->exact ? "" : ", for whatever runs";
	str_addf(h->out, "/* Bytes of workspace%s; aligned to DLRT_WORKSPACE_ALIGN. */\n", exact);
	const char *format = h->workspace <= UINT32_MAX ? "u" : "ull";
	str_addf(h->out, "#define %s_WORKSPACE_BYTES %" PRId64 "%s\n\n", h->upper, h->workspace, format);
}

static void add_external_weights(header *h)
{
	if (!h->o->weights_path)
		return;
	str_add(h->out, "/* The weights are in a file of their own: map it and give it to dlrt_run in dlrt_options.weights. */\n\n");
}

static void add_bounds(header *h, map *taken)
{
	if (!h->sig.symbols.n)
		return;
	str_add(h->out, "/* The bounds of the symbolic dimensions. */\n");
	for (int i = 0; i < h->sig.symbols.n; i++) {
		const sym *dim = h->sig.symbols.v[i];
		const char *name = upper_case(h->a, c_identifier_unique(h->a, taken, upper_case(h->a, dim->name)));
		str_addf(h->out, "#define %s_%s_MIN %" PRId64 "\n", h->upper, name, dim->lo < 0 ? 0 : dim->lo);
		if (dim->hi != INT64_MAX)
			str_addf(h->out, "#define %s_%s_MAX %" PRId64 "%s\n", h->upper, name, dim->hi, dim->hi > INT32_MAX ? "ll" : "");
	}
	str_addc(h->out, '\n');
}

static void add_pointers(header *h, map *taken, const port *ports, int n, const char *qualifier)
{
	for (int i = 0; i < n; i++)
		str_addf(h->out, "%s%s *%s, ", qualifier, c_types[ports[i].type].name,
		         c_identifier_unique(h->a, taken, ports[i].name));
}

static void add_typed(header *h)
{
	if (!h->sig.typed) {
		str_addf(h->out, "/* To run it: dlrt_run(&%s, inputs, outputs, options). */\n\n", h->sig.symbol);
		return;
	}
	map *taken = map_new_str(h->a);
	map_put(taken, "workspace", h);
	map_put(taken, "threads", h);
	str_add(h->out, "/* Returns DLRT_OK or a dlrt_status; dlrt_strerror() explains it.  Without a workspace (NULL) the runtime "
	                "allocates\n * one; without threads (NULL) the calling thread does all the work. */\n");
	str_addf(h->out, "dlrt_status %s_run(", h->sig.symbol);
	add_pointers(h, taken, h->p->inputs.v, h->p->inputs.n, "const ");
	add_pointers(h, taken, h->p->outputs.v, h->p->outputs.n, "");
	for (int i = 0; i < h->sig.symbols.n; i++)
		str_addf(h->out, "int64_t %s, ", c_identifier_unique(h->a, taken, h->sig.symbols.v[i]->name));
	str_add(h->out, "void *workspace, dlrt_threads *threads);\n\n");
}

static void add_bottom(header *h)
{
	str_add(h->out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static void set_workspace(header *h)
{
	h->workspace = h->sig.workspace;
	h->exact = true;
	for (int i = 0; i < h->o->n_also; i++) {
		signature other;
		signature_init(&other, h->a, h->o->also[i].p, h->o);
		h->exact = h->exact && other.workspace == h->sig.workspace;
		h->workspace = signature_larger_workspace(h->workspace, other.workspace);
	}
}

void emit_header(str *out, const program *p, const emit_options *o)
{
	arena *a = arena_new("header");
	header h = {.a = a, .out = out, .p = p, .o = o};
	signature_init(&h.sig, a, p, o);
	set_workspace(&h);
	h.upper = upper_case(a, h.sig.symbol);
	map *taken = map_new_str(a);
	map_put(taken, "WORKSPACE", &h); /* of NAME_WORKSPACE_BYTES */
	add_top(&h);
	add_descriptor(&h);
	add_workspace(&h);
	add_external_weights(&h);
	add_bounds(&h, taken);
	add_typed(&h);
	add_bottom(&h);
	arena_free(a);
}
