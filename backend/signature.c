/* What a caller sees of a program.
 *
 * A dimension symbol that a step binds, or by which a loop counts, is internal: it gets its value during a run.  All others are the caller's, and
 * their order in p->dims is their order in the ABI. */
#include "backend/model.h"

#include <ctype.h>
#include <string.h>

/* Keywords of C and C++, and names with a meaning of their own. */
static const char *const reserved[] = {
	"alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
	"char8_t", "char16_t", "char32_t", "class", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit",
	"continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else",
	"enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "main",
	"mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected",
	"public", "register", "reinterpret_cast", "requires", "restrict", "return", "short", "signed", "sizeof", "static",
	"static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef",
	"typeid", "typename", "typeof", "typeof_unqual", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t",
	"while", "xor", "xor_eq", "NULL",
	/* what compiled code calls; LLVM's intrinsics are named llvm.*, like the local symbols of a model of that name */
	"memcpy", "memmove", "memset", "llvm",
};

static bool is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (!strcmp(name, reserved[i]))
			return true;
	return false;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Runs of other characters become one underscore; the ends are trimmed, as a leading one would be the implementation's. */
char *c_identifier(arena *a, const char *name)
{
	str out = str_new(a);
	for (const char *s = name ? name : ""; *s; s++) {
		if (is_plain(*s))
			str_addc(&out, *s);
		else if (out.len && out.data[out.len - 1] != '_')
			str_addc(&out, '_');
	}
	while (out.len && out.data[out.len - 1] == '_')
		out.data[--out.len] = '\0';
	if (!out.len || isdigit((unsigned char)out.data[0]))
		return arena_printf(a, "x%s%s", out.len ? "_" : "", out.data);
	return is_reserved(out.data) ? arena_printf(a, "%s_", out.data) : out.data;
}

const char *c_identifier_unique(arena *a, map *taken, const char *name)
{
	const char *base = c_identifier(a, name), *id = base;
	for (int i = 1; map_has(taken, id); i++)
		id = arena_printf(a, "%s_%d", base, i);
	map_put(taken, id, (void *)id);
	return id;
}

static bool is_bound(const sym *var, void *user)
{
	return map_has(user, var);
}

/* ---- the signature ------------------------------------------------------------------------------------------------ */

dim_class signature_dim(const signature *s, const sym *dim)
{
	if (sym_is_const(dim, NULL))
		return DIM_FIXED;
	if (sym_any_var(dim, is_bound, s->bound))
		return DIM_FROM_DATA;
	return dim->kind == SYM_VAR ? DIM_SYMBOL : DIM_EXPRESSION;
}

static bool port_from_data(const signature *s, const port *p)
{
	for (int i = 0; i < p->rank; i++)
		if (signature_dim(s, p->dims[i]) == DIM_FROM_DATA)
			return true;
	return false;
}

int signature_symbol_index(const signature *s, const sym *dim)
{
	for (int i = 0; i < s->symbols.n; i++)
		if (s->symbols.v[i] == dim)
			return i;
	return -1;
}

static void note_bound(step *s, void *user)
{
	if ((s->kind == STEP_BIND || s->kind == STEP_LOOP) && s->symbol->kind == SYM_VAR)
		map_put(user, s->symbol, s);
}

static void set_workspace(signature *s, const sym *bytes)
{
	s->workspace = bytes ? bytes->hi : 0;
	s->fixed_workspace = !bytes || sym_is_const(bytes, NULL);
	if (s->workspace == INT64_MAX)
		s->workspace = -1;
}

int64_t signature_larger_workspace(int64_t a, int64_t b)
{
	return a < 0 || b < 0 ? -1 : a > b ? a : b;
}

void signature_init(signature *s, arena *a, const program *p, const emit_options *o)
{
	*s = (signature){.symbol = c_identifier(a, o->symbol ? o->symbol : p->name), .bound = map_new(a)};
	steps_walk(&p->steps, note_bound, s->bound);
	for (int i = 0; i < p->dims.n; i++)
		if (!map_has(s->bound, p->dims.v[i]))
			vec_push(a, &s->symbols, p->dims.v[i]);
	s->from_data = new_array(a, bool, (size_t)p->outputs.n + 1);
	for (int i = 0; i < p->outputs.n; i++) {
		s->from_data[i] = port_from_data(s, &p->outputs.v[i]);
		s->data_outputs |= s->from_data[i];
	}
	s->typed = !s->data_outputs && !o->weights_path;
	set_workspace(s, p->workspace_bytes);
}

void signature_init_variant(signature *s, arena *a, const program *p, const emit_options *o, const program *general)
{
	signature callers;
	signature_init(s, a, p, o);
	signature_init(&callers, a, general, o);
	for (int i = 0; i < p->outputs.n; i++)
		if (s->from_data[i] && !callers.from_data[i])
			bug("output %s depends on data, but only for certain sizes", p->outputs.v[i].name);
	s->from_data = callers.from_data;
	s->data_outputs = callers.data_outputs;
	s->typed = callers.typed;
}
