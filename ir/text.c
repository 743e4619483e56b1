#include "ir/text.h"

#include "ir/expr_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------------------------------ */

diag_at parse_place(const parser *p, token where)
{
	return DIAG_LINE(p->file, where.line, where.column);
}

static _Noreturn void vparse_error(parser *p, token where, const char *fmt, va_list args)
{
	char text[400];
	vsnprintf(text, sizeof text, fmt, args);
	diag_abandon(p->d, parse_place(p, where), "%s", text);
}

void parse_error(parser *p, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vparse_error(p, p->tok, fmt, args);
	va_end(args);
}

void parse_error_at(parser *p, token where, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vparse_error(p, where, fmt, args);
	va_end(args);
}

const char *parse_found(parser *p)
{
	enum { SHOWN = 40 };
	static const char *const sigil[] = {
		[TOKEN_NAME] = "", [TOKEN_VALUE] = "%", [TOKEN_SYMBOL] = "@", [TOKEN_INT] = "",
		[TOKEN_FLOAT] = "", [TOKEN_STRING] = "", [TOKEN_PUNCT] = "",
	};
	if (p->tok.kind == TOKEN_END)
		return "the end of the file";
	bool whole = p->tok.text.len <= SHOWN;
	int n = whole ? (int)p->tok.text.len : SHOWN;
	return arena_printf(p->a, "'%s%.*s%s'", sigil[p->tok.kind], n, p->tok.text.data, whole ? "" : "...");
}

/* ---- characters -------------------------------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The character `ahead` of the next one; NUL at the end (a NUL in the text is no character of any token). */
static char peek(const parser *p, size_t ahead)
{
	return (size_t)(p->end - p->at) > ahead ? p->at[ahead] : '\0';
}

/* How many characters from s form a name (digits may lead when `value`): dots only between name characters. */
static size_t name_length(const char *s, const char *end, bool value)
{
	const char *at = s;
	if (at == end || !(value ? is_name_char(*at) : is_name_start(*at)))
		return 0;
	while (at < end && (is_name_char(*at) || (*at == '.' && at + 1 < end && is_name_char(at[1]))))
		at++;
	return (size_t)(at - s);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static void skip_space(parser *p)
{
	for (; p->at < p->end; p->at++) {
		if (*p->at == '\n') {
			p->line++;
			p->line_start = p->at + 1;
		} else if (*p->at == '#') {
			while (p->at + 1 < p->end && p->at[1] != '\n')
				p->at++;
		} else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r') {
			return;
		}
	}
}

static char escaped_char(parser *p)
{
	char c = peek(p, 1);
	switch (c) {
	case 'n': p->at += 2; return '\n';
	case 't': p->at += 2; return '\t';
	case '"':
	case '\\': p->at += 2; return c;
	case 'x': {
		int high = hex_digit(peek(p, 2)), low = high < 0 ? -1 : hex_digit(peek(p, 3));
		if (low >= 0) {
			p->at += 4;
			return (char)(high * 16 + low);
		}
		break;
	}
	default: break;
	}
	parse_error(p, "unknown escape in quoted text; known are \\n, \\t, \\\", \\\\ and \\xNN");
}

/* From the opening quote to behind the closing one; on one line. */
static slice lex_quoted(parser *p)
{
	p->at++;
	const char *start = p->at;
	while (p->at < p->end && *p->at != '"' && *p->at != '\\' && *p->at != '\n')
		p->at++;
	if (peek(p, 0) == '"') /* nothing escaped: borrowed */
		return (slice){start, (size_t)(p->at++ - start)};

	str text = str_new(p->a);
	str_addn(&text, start, (size_t)(p->at - start));
	while (p->at < p->end && *p->at != '"' && *p->at != '\n') {
		if (*p->at == '\\')
			str_addc(&text, escaped_char(p));
		else
			str_addc(&text, *p->at++);
	}
	if (peek(p, 0) != '"')
		parse_error(p, "quoted text has no closing quote on its line");
	p->at++;
	return (slice){text.data, text.len};
}

static void lex_number(parser *p)
{
	const char *start = p->at;
	p->tok.kind = TOKEN_INT;
	if (peek(p, 0) == '0' && peek(p, 1) == 'x') {
		p->at += 2;
		while (hex_digit(peek(p, 0)) >= 0)
			p->at++;
	} else {
		while (is_digit(peek(p, 0)))
			p->at++;
		if (peek(p, 0) == '.' && is_digit(peek(p, 1))) {
			p->tok.kind = TOKEN_FLOAT;
			p->at++;
			while (is_digit(peek(p, 0)))
				p->at++;
		}
		size_t sign = peek(p, 1) == '+' || peek(p, 1) == '-';
		if (peek(p, 0) == 'e' && is_digit(peek(p, 1 + sign))) {
			p->tok.kind = TOKEN_FLOAT;
			p->at += 1 + sign;
			while (is_digit(peek(p, 0)))
				p->at++;
		}
	}
	p->tok.text = (slice){start, (size_t)(p->at - start)};
	if (is_name_start(peek(p, 0)))
		parse_error(p, "a number runs into a name; a name that begins with a digit is quoted");
}

/* %name or @name when a name or a quote follows the sigil directly. */
static bool lex_sigil(parser *p)
{
	char c = peek(p, 0);
	if (c != '%' && c != '@')
		return false;
	size_t n = name_length(p->at + 1, p->end, c == '%');
	if (n == 0 && peek(p, 1) != '"')
		return false;
	p->tok.kind = c == '%' ? TOKEN_VALUE : TOKEN_SYMBOL;
	p->at++;
	if (n == 0) {
		p->tok.quoted = true;
		p->tok.text = lex_quoted(p);
	} else {
		p->tok.text = (slice){p->at, n};
		p->at += n;
	}
	return true;
}

static size_t punct_length(const parser *p)
{
	static const char *const pairs[] = {"->", "==", "!=", "<=", ">=", "..", "+=", "&&", "||"};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (peek(p, 0) == pairs[i][0] && peek(p, 1) == pairs[i][1])
			return 2;
	return 1;
}

void parse_next(parser *p)
{
	p->last = p->tok;
	p->last_end = p->at;
	skip_space(p);
	p->tok = (token){.line = p->line, .column = (int)(p->at - p->line_start) + 1};
	if (p->at == p->end)
		return;
	size_t n = name_length(p->at, p->end, false);
	if (n) {
		p->tok.kind = TOKEN_NAME;
		p->tok.text = (slice){p->at, n};
		p->at += n;
	} else if (is_digit(*p->at)) {
		lex_number(p);
	} else if (*p->at == '"') {
		p->tok.kind = TOKEN_STRING;
		p->tok.text = lex_quoted(p);
	} else if (!lex_sigil(p)) {
		unsigned char c = (unsigned char)*p->at;
		if (c <= ' ' || c >= 0x7f)
			parse_error(p, "unexpected byte 0x%02x outside quotes", c);
		n = punct_length(p);
		p->tok.kind = TOKEN_PUNCT;
		p->tok.text = (slice){p->at, n};
		p->at += n;
	}
}

void parser_init(parser *p, arena *a, names *set, const char *file, const char *text, size_t n, diag *d)
{
	*p = (parser){
		.a = a, .d = d, .file = file, .names = set,
		.at = text, .end = text + n, .line_start = text, .line = 1,
	};
	parse_next(p);
	p->last = p->tok;
}

/* ---- small grammars ---------------------------------------------------------------------------------------------- */

bool parse_at(const parser *p, const char *s)
{
	return (p->tok.kind == TOKEN_PUNCT || p->tok.kind == TOKEN_NAME) && slice_eq(p->tok.text, s);
}

bool parse_accept(parser *p, const char *s)
{
	if (!parse_at(p, s))
		return false;
	parse_next(p);
	return true;
}

void parse_expect(parser *p, const char *s)
{
	if (!parse_accept(p, s))
		parse_error(p, "expected '%s', found %s", s, parse_found(p));
}

static const char *interned(parser *p)
{
	if (memchr(p->tok.text.data, '\0', p->tok.text.len))
		parse_error(p, "a name cannot contain \\x00");
	return names_intern_n(p->names, p->tok.text.data, p->tok.text.len);
}

static const char *parse_kind(parser *p, token_kind kind, const char *what)
{
	if (p->tok.kind != kind)
		parse_error(p, "expected %s, found %s", what, parse_found(p));
	const char *name = interned(p);
	parse_next(p);
	return name;
}

const char *parse_name(parser *p, const char *what) { return parse_kind(p, TOKEN_NAME, what); }
const char *parse_string(parser *p, const char *what) { return parse_kind(p, TOKEN_STRING, what); }
const char *parse_symbol(parser *p, const char *what) { return parse_kind(p, TOKEN_SYMBOL, what); }

bool parse_value_id(const parser *p, int *id)
{
	if (p->tok.kind != TOKEN_VALUE || p->tok.quoted || p->tok.text.len > 9)
		return false;
	int n = 0;
	for (size_t i = 0; i < p->tok.text.len; i++) {
		if (!is_digit(p->tok.text.data[i]))
			return false;
		n = n * 10 + (p->tok.text.data[i] - '0');
	}
	*id = n;
	return true;
}

uint64_t parse_unsigned(parser *p)
{
	if (p->tok.kind != TOKEN_INT)
		parse_error(p, "expected an integer, found %s", parse_found(p));
	slice s = p->tok.text;
	bool hex = s.len > 1 && s.data[1] == 'x';
	uint64_t base = hex ? 16 : 10, n = 0;
	if (hex && s.len == 2)
		parse_error(p, "0x without digits");
	for (size_t i = hex ? 2 : 0; i < s.len; i++)
		if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, (uint64_t)hex_digit(s.data[i]), &n))
			parse_error(p, "the integer %s does not fit in 64 bits", parse_found(p));
	parse_next(p);
	return n;
}

int64_t parse_int(parser *p)
{
	bool negative = parse_accept(p, "-");
	token where = p->tok;
	uint64_t n = parse_unsigned(p);
	if (n > (uint64_t)INT64_MAX + negative)
		parse_error_at(p, where, "the integer does not fit in 64 bits with a sign");
	return negative ? (int64_t)(0 - n) : (int64_t)n;
}

int parse_count(parser *p, int lo, int hi, const char *what)
{
	token where = p->tok;
	int64_t n = parse_int(p);
	if (n < lo || n > hi)
		parse_error_at(p, where, "%s is %lld, expected %d..%d", what, (long long)n, lo, hi);
	return (int)n;
}

double parse_float(parser *p, bool is_f32)
{
	bool negative = parse_accept(p, "-");
	double value = 0;
	if (parse_at(p, "inf")) {
		value = strtod("inf", NULL);
	} else if (parse_at(p, "nan")) {
		value = strtod("nan", NULL);
	} else if (p->tok.kind == TOKEN_INT || p->tok.kind == TOKEN_FLOAT) {
		const char *text = arena_strndup(p->a, p->tok.text.data, p->tok.text.len);
		value = is_f32 ? (double)strtof(text, NULL) : strtod(text, NULL);
	} else {
		parse_error(p, "expected a number, found %s", parse_found(p));
	}
	parse_next(p);
	return negative ? -value : value;
}

dtype parse_dtype(parser *p)
{
	dtype t = p->tok.kind == TOKEN_NAME ? dtype_find(p->tok.text.data, p->tok.text.len) : DTYPE_NONE;
	if (t == DTYPE_NONE)
		parse_error(p, "expected an element type (f32, i64, bool ...), found %s", parse_found(p));
	parse_next(p);
	return t;
}

void parse_enter(parser *p)
{
	if (++p->depth > MAX_NESTING)
		parse_error(p, "nested deeper than %d levels", MAX_NESTING);
}

void parse_leave(parser *p) { p->depth--; }

/* ---- symbolic integers ------------------------------------------------------------------------------------------- */

static sym *parse_sym_sum(parser *p);

static sym *sym_variable(parser *p)
{
	token where = p->tok;
	const char *name = interned(p);
	parse_next(p);
	sym *s = p->find_var ? p->find_var(p, name) : sym_dim(p->syms, name, 0, INT64_MAX);
	if (!s)
		parse_error_at(p, where, "unknown variable '%s'", name);
	return s;
}

/* min(a, b) or max(a, b), behind the name. */
static sym *sym_call(parser *p, sym *(*make)(sym *, sym *))
{
	parse_expect(p, "(");
	sym *a = parse_sym_sum(p);
	parse_expect(p, ",");
	sym *b = parse_sym_sum(p);
	parse_expect(p, ")");
	return make(a, b);
}

/* {expr}, {expr in lo..hi}, {expr in lo..hi below n}: an integer known at run time, by default in the range of its type. */
static sym *sym_of_scalar(parser *p)
{
	sym *below = NULL;
	parse_expect(p, "{");
	token where = p->tok;
	const expr *e = parse_expr(p, DTYPE_NONE);
	if (!dtype_is_int(e->type) && e->type != BOOL)
		parse_error_at(p, where, "a symbolic integer needs an integer, this is %s", dtype_name(e->type));
	bool wide = e->type == I64 || e->type == U64;
	int64_t lo = wide ? INT64_MIN : int_lowest(e->type), hi = wide ? INT64_MAX : int_highest(e->type);
	if (parse_accept(p, "in")) {
		lo = parse_int(p);
		parse_expect(p, "..");
		hi = parse_int(p);
		if (lo > hi)
			parse_error_at(p, where, "the range %lld..%lld is empty", (long long)lo, (long long)hi);
	}
	if (parse_accept(p, "below"))
		below = parse_sym_sum(p);
	parse_expect(p, "}");
	return expr_to_sym(p->exprs, e, lo, hi, below);
}

/* A name in a sum: a function when "(" follows. */
static sym *sym_name(parser *p)
{
	bool min = parse_at(p, "min"), max = parse_at(p, "max");
	if ((min || max) && peek(p, 0) == '(') {
		parse_next(p);
		if (p->as_written)
			return sym_call(p, min ? sym_min_written : sym_max_written);
		return sym_call(p, min ? sym_min : sym_max);
	}
	return sym_variable(p);
}

static sym *sym_primary(parser *p);

/* Behind a minus.  -9223372036854775808 has no positive twin. */
static sym *sym_negative(parser *p)
{
	token where = p->tok;
	if (where.kind == TOKEN_INT) {
		uint64_t n = parse_unsigned(p);
		if (n > (uint64_t)INT64_MAX + 1)
			parse_error_at(p, where, "the integer does not fit in 64 bits with a sign");
		return sym_const(p->syms, (int64_t)(0 - n));
	}
	parse_enter(p);
	sym *s = sym_neg(sym_primary(p));
	parse_leave(p);
	return s;
}

static sym *sym_primary(parser *p)
{
	sym *s;
	if (p->tok.kind == TOKEN_INT) {
		s = sym_const(p->syms, parse_int(p));
	} else if (p->tok.kind == TOKEN_NAME || p->tok.kind == TOKEN_STRING) {
		s = sym_name(p);
	} else if (parse_accept(p, "-")) {
		s = sym_negative(p);
	} else if (parse_accept(p, "(")) {
		s = parse_sym_sum(p);
		parse_expect(p, ")");
	} else if (parse_at(p, "{")) {
		s = sym_of_scalar(p);
	} else {
		parse_error(p, "expected a symbolic integer, found %s", parse_found(p));
	}
	return s;
}

static int term_count(const sym *s) { return s->kind == SYM_ADD ? s->n + 1 : 1; }

/* A coefficient of -2^63 is refused: it would be printed as a minus and a number that does not fit. */
static sym *sym_times(parser *p, token where, sym *a, sym *b)
{
	if (sym_is(a, INT64_MIN) || sym_is(b, INT64_MIN))
		parse_error_at(p, where, "the coefficient does not fit in 64 bits");
	if (term_count(a) * term_count(b) > MAX_TERMS)
		parse_error_at(p, where, "the product has more than %d terms", MAX_TERMS);
	return sym_mul(a, b);
}

static sym *parse_sym_product(parser *p)
{
	sym *s = sym_primary(p);
	for (;;) {
		token where = p->tok;
		bool times = parse_accept(p, "*"), divided = !times && parse_accept(p, "/");
		if (!times && !divided && !parse_accept(p, "%"))
			break;
		sym *b = sym_primary(p);
		if (!times && b->hi < 1)
			parse_error_at(p, where, "the divisor is never positive");
		s = times ? sym_times(p, where, s, b) : divided ? sym_floordiv(s, b) : sym_mod(s, b);
	}
	return s;
}

/* a - product, at the minus. */
static sym *parse_sym_minus(parser *p, sym *a)
{
	parse_expect(p, "-");
	if (p->tok.kind == TOKEN_INT && slice_eq(p->tok.text, "9223372036854775808"))
		return sym_add(a, sym_negative(p));
	return sym_sub(a, parse_sym_product(p));
}

static sym *parse_sym_sum(parser *p)
{
	parse_enter(p);
	sym *s = parse_sym_product(p);
	for (;;) {
		token where = p->tok;
		if (parse_accept(p, "+"))
			s = sym_add(s, parse_sym_product(p));
		else if (parse_at(p, "-"))
			s = parse_sym_minus(p, s);
		else
			break;
		if (term_count(s) > MAX_TERMS)
			parse_error_at(p, where, "the sum has more than %d terms", MAX_TERMS);
	}
	parse_leave(p);
	return s;
}

sym *parse_sym(parser *p)
{
	token where = p->tok;
	sym_clear_overflow(p->syms);
	sym *s = parse_sym_sum(p);
	if (sym_overflowed(p->syms))
		parse_error_at(p, where, "the symbolic integer does not fit in 64 bits");
	return s;
}

int parse_sym_list(parser *p, sym **out, int max)
{
	int n = 0;
	parse_expect(p, "[");
	while (!parse_accept(p, "]")) {
		if (n)
			parse_expect(p, ",");
		if (n == max)
			parse_error(p, "more than %d elements", max);
		out[n++] = parse_sym(p);
	}
	return n;
}

/* ---- scalar expressions ------------------------------------------------------------------------------------------ */

enum { TAKES_FLOAT = 1, TAKES_INT = 2, TAKES_BOOL = 4, TAKES_NUMBER = TAKES_FLOAT | TAKES_INT, TAKES_ANY = 7 };

/* Classes of the operands of each op that has the same type for all of them. */
static const unsigned char takes[EXPR_OP_COUNT] = {
	[EXPR_NEG] = TAKES_NUMBER, [EXPR_ABS] = TAKES_NUMBER, [EXPR_SIGN] = TAKES_NUMBER, [EXPR_NOT] = TAKES_INT | TAKES_BOOL,
	[EXPR_FLOOR] = TAKES_FLOAT, [EXPR_CEIL] = TAKES_FLOAT, [EXPR_ROUND] = TAKES_FLOAT, [EXPR_TRUNC] = TAKES_FLOAT,
	[EXPR_SQRT] = TAKES_FLOAT, [EXPR_EXP] = TAKES_FLOAT, [EXPR_LOG] = TAKES_FLOAT,
	[EXPR_SIN] = TAKES_FLOAT, [EXPR_COS] = TAKES_FLOAT, [EXPR_TAN] = TAKES_FLOAT,
	[EXPR_ASIN] = TAKES_FLOAT, [EXPR_ACOS] = TAKES_FLOAT, [EXPR_ATAN] = TAKES_FLOAT,
	[EXPR_SINH] = TAKES_FLOAT, [EXPR_COSH] = TAKES_FLOAT, [EXPR_TANH] = TAKES_FLOAT,
	[EXPR_ASINH] = TAKES_FLOAT, [EXPR_ACOSH] = TAKES_FLOAT, [EXPR_ATANH] = TAKES_FLOAT,
	[EXPR_ERF] = TAKES_FLOAT, [EXPR_SIGMOID] = TAKES_FLOAT, [EXPR_ISNAN] = TAKES_FLOAT,
	[EXPR_BYTE] = TAKES_INT,
	[EXPR_ADD] = TAKES_NUMBER, [EXPR_SUB] = TAKES_NUMBER, [EXPR_MUL] = TAKES_NUMBER, [EXPR_DIV] = TAKES_NUMBER,
	[EXPR_MOD] = TAKES_NUMBER, [EXPR_REM] = TAKES_NUMBER, [EXPR_POW] = TAKES_NUMBER,
	[EXPR_MIN] = TAKES_ANY, [EXPR_MAX] = TAKES_ANY,
	[EXPR_AND] = TAKES_INT | TAKES_BOOL, [EXPR_OR] = TAKES_INT | TAKES_BOOL, [EXPR_XOR] = TAKES_INT | TAKES_BOOL,
	[EXPR_SHL] = TAKES_INT, [EXPR_SHR] = TAKES_INT,
	[EXPR_EQ] = TAKES_ANY, [EXPR_NE] = TAKES_ANY, [EXPR_LT] = TAKES_ANY, [EXPR_LE] = TAKES_ANY,
	[EXPR_GT] = TAKES_ANY, [EXPR_GE] = TAKES_ANY,
	[EXPR_FMA] = TAKES_NUMBER,
};

/* How loosely each infix operator binds; higher binds tighter. */
static const struct infix {
	const char *text;
	expr_op op;
	int level;
} infix_table[] = {
	{"|", EXPR_OR, 0},  {"^", EXPR_XOR, 1}, {"&", EXPR_AND, 2}, {"==", EXPR_EQ, 3}, {"!=", EXPR_NE, 3},
	{"<", EXPR_LT, 4},  {"<=", EXPR_LE, 4}, {">", EXPR_GT, 4},  {">=", EXPR_GE, 4}, {"+", EXPR_ADD, 5},
	{"-", EXPR_SUB, 5}, {"*", EXPR_MUL, 6}, {"/", EXPR_DIV, 6}, {"%", EXPR_MOD, 6},
};
enum { INFIX_LEVELS = 7 };

static const expr *parse_infix(parser *p, int level);

static unsigned class_bit(dtype t)
{
	return dtype_is_float(t) ? TAKES_FLOAT : dtype_is_int(t) ? TAKES_INT : t == BOOL ? TAKES_BOOL : 0;
}

/* The op applied, once its operand types are found to fit. */
static const expr *checked_make(parser *p, token where, expr_op op, const expr *const *in)
{
	const expr_op_info *info = &expr_op_table[op];
	bool selects = op == EXPR_SELECT || op == EXPR_CHOOSE;
	int first = selects ? 1 : 0;
	dtype t = in[first]->type;
	if (selects && in[0]->type != BOOL)
		parse_error_at(p, where, "%s: the condition is %s, expected bool", info->name, dtype_name(in[0]->type));
	for (int i = first + 1; i < info->n_in; i++)
		if (in[i]->type != t)
			parse_error_at(p, where, "%s: operands are %s and %s, expected one type", info->name, dtype_name(t),
			               dtype_name(in[i]->type));
	if (!selects && (!(takes[op] & class_bit(t)) || (op == EXPR_BYTE && t != I64)))
		parse_error_at(p, where, "%s is not defined for %s", info->name, dtype_name(t));
	return expr_make(p->exprs, op, info->result == RESULT_BOOL ? BOOL : t, in, info->n_in);
}

/* A number, with its type behind ":" unless it is f32 or i64. */
static const expr *expr_number_text(parser *p, bool negative)
{
	token number = p->tok;
	bool is_float = number.kind != TOKEN_INT;
	parser ahead = *p; /* the type decides how the number is rounded, so look at it first */
	dtype t = is_float ? F32 : I64;
	parse_next(p);
	bool typed = parse_accept(p, ":");
	if (typed)
		t = parse_dtype(p);
	if (t == STRING || dtype_table[t].compute != t)
		parse_error_at(p, number, "a constant has a compute type, not %s", dtype_name(t));
	if (dtype_is_float(t) != is_float)
		parse_error_at(p, number, "%s constant expected", is_float ? "an integer" : "a floating-point");
	if (is_float) {
		double value = parse_float(&ahead, t == F32);
		return expr_float(p->exprs, t, negative ? -value : value);
	}
	uint64_t n = parse_unsigned(&ahead);
	return expr_int(p->exprs, t, (int64_t)(negative ? 0 - n : n));
}

/* cast<type>(x) or bitcast<type>(x), behind the name. */
static const expr *expr_cast_text(parser *p, token where, expr_op op)
{
	parse_expect(p, "<");
	dtype to = parse_dtype(p);
	parse_expect(p, ">");
	parse_expect(p, "(");
	const expr *x = parse_infix(p, 0);
	parse_expect(p, ")");
	if (to == STRING || x->type == STRING)
		parse_error_at(p, where, "strings cannot be cast");
	if (op == EXPR_BITCAST && dtype_table[to].bits != dtype_table[x->type].bits)
		parse_error_at(p, where, "bitcast: %s and %s differ in width", dtype_name(x->type), dtype_name(to));
	if (op == EXPR_CAST && dtype_table[to].compute != to)
		return expr_round_to(p->exprs, to, x);
	return op == EXPR_CAST ? expr_cast(p->exprs, to, x) : expr_make(p->exprs, op, to, &x, 1);
}

static const expr *expr_call(parser *p, token where, expr_op op)
{
	const expr *in[3];
	int n = expr_op_table[op].n_in;
	parse_expect(p, "(");
	for (int i = 0; i < n; i++) {
		if (i)
			parse_expect(p, ",");
		in[i] = parse_infix(p, 0);
	}
	parse_expect(p, ")");
	return checked_make(p, where, op, in);
}

static const expr *expr_named(parser *p)
{
	token where = p->tok;
	if (parse_at(p, "true") || parse_at(p, "false")) {
		parse_next(p);
		return expr_int(p->exprs, BOOL, slice_eq(where.text, "true"));
	}
	if (parse_at(p, "inf") || parse_at(p, "nan"))
		return expr_number_text(p, false);
	const char *name = interned(p);
	bool quoted = p->tok.kind == TOKEN_STRING;
	parse_next(p);
	expr_op op = quoted ? EXPR_OP_COUNT : expr_op_find(where.text.data, where.text.len);
	if (op != EXPR_OP_COUNT && expr_op_table[op].n_in > 0) {
		if ((op == EXPR_CAST || op == EXPR_BITCAST) && parse_at(p, "<"))
			return expr_cast_text(p, where, op);
		if (parse_at(p, "("))
			return expr_call(p, where, op);
	}
	const expr *leaf = p->find_leaf ? p->find_leaf(p, name) : NULL;
	if (!leaf)
		parse_error_at(p, where, "unknown name '%s' in an expression", name);
	return leaf;
}

static const expr *expr_arg_text(parser *p)
{
	int i;
	token where = p->tok;
	const expr *arg = NULL;
	if (!parse_value_id(p, &i))
		parse_error(p, "expected %%0, %%1 ... in an expression, found %s", parse_found(p));
	parse_next(p);
	if (p->find_arg)
		arg = p->find_arg(p, i);
	if (!arg)
		parse_error_at(p, where, "there is no operand %%%d", i);
	return arg;
}

static const expr *expr_primary(parser *p)
{
	token where = p->tok;
	switch (p->tok.kind) {
	case TOKEN_INT:
	case TOKEN_FLOAT: return expr_number_text(p, false);
	case TOKEN_VALUE: return expr_arg_text(p);
	case TOKEN_NAME:
	case TOKEN_STRING: return expr_named(p);
	case TOKEN_PUNCT:
	case TOKEN_SYMBOL:
	case TOKEN_END: break;
	}
	if (parse_accept(p, "-")) {
		if (p->tok.kind == TOKEN_INT || p->tok.kind == TOKEN_FLOAT || parse_at(p, "inf") || parse_at(p, "nan"))
			return expr_number_text(p, true);
		parse_enter(p);
		const expr *x = expr_primary(p);
		parse_leave(p);
		return checked_make(p, where, EXPR_NEG, &x);
	}
	if (parse_accept(p, "[")) {
		sym *s = parse_sym(p);
		parse_expect(p, "]");
		return expr_index(p->exprs, s);
	}
	if (parse_accept(p, "(")) {
		const expr *e = parse_infix(p, 0);
		parse_expect(p, ")");
		return e;
	}
	parse_error(p, "expected an expression, found %s", parse_found(p));
}

static const struct infix *find_infix(const parser *p, int level)
{
	if (p->tok.kind == TOKEN_PUNCT)
		for (size_t i = 0; i < sizeof infix_table / sizeof *infix_table; i++)
			if (infix_table[i].level >= level && slice_eq(p->tok.text, infix_table[i].text))
				return &infix_table[i];
	return NULL;
}

/* Precedence climbing: operators of `level` and tighter; all associate to the left. */
static const expr *parse_infix(parser *p, int level)
{
	parse_enter(p);
	const expr *e = expr_primary(p);
	const struct infix *found;
	while ((found = find_infix(p, level))) {
		token where = p->tok;
		if (++p->operators > MAX_OPERATORS)
			parse_error(p, "more than %d operators in one expression", MAX_OPERATORS);
		parse_next(p);
		const expr *in[2] = {e, found->level + 1 < INFIX_LEVELS ? parse_infix(p, found->level + 1) : expr_primary(p)};
		e = checked_make(p, where, found->op, in);
	}
	parse_leave(p);
	return e;
}

const expr *parse_expr(parser *p, dtype expected)
{
	token where = p->tok;
	if (p->in_expr++ == 0)
		p->operators = 0;
	const expr *e = parse_infix(p, 0);
	p->in_expr--;
	if (expected != DTYPE_NONE && e->type != expected)
		parse_error_at(p, where, "the expression is %s, expected %s", dtype_name(e->type), dtype_name(expected));
	return e;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

bool text_is_name(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && name_length(name, name + n, false) == n;
}

void print_quoted(str *out, const char *text)
{
	str_addc(out, '"');
	str_add_escaped(out, text, strlen(text), "\"\\");
	str_addc(out, '"');
}

void print_name(str *out, const char *name)
{
	if (text_is_name(name))
		str_add(out, name);
	else
		print_quoted(out, name);
}

void print_value_name(str *out, const char *name)
{
	size_t n = strlen(name);
	bool plain = n > 0 && name_length(name, name + n, true) == n && strspn(name, "0123456789") < n;
	str_addc(out, '%');
	if (plain)
		str_add(out, name);
	else
		print_quoted(out, name);
}

void print_symbol_name(str *out, const char *name)
{
	str_addc(out, '@');
	print_name(out, name);
}

/* ---- dimensions -------------------------------------------------------------------------------------------------- */

void print_dim_range(str *out, const sym *dim)
{
	print_name(out, dim->name);
	str_addf(out, " = %lld..", (long long)dim->lo);
	if (dim->hi != INT64_MAX)
		str_addf(out, "%lld", (long long)dim->hi);
	if (dim->below) {
		str_add(out, " below ");
		sym_print(out, dim->below);
	}
}

sym *parse_dim_range(parser *p)
{
	token where = p->tok;
	const char *name = p->tok.kind == TOKEN_STRING ? parse_string(p, "a dimension") : parse_name(p, "a dimension");
	if (sym_find_dim(p->syms, name))
		parse_error_at(p, where, "dimension %s is declared twice", name);
	parse_expect(p, "=");
	int64_t lo = parse_int(p), hi = INT64_MAX;
	parse_expect(p, "..");
	if (p->tok.kind == TOKEN_INT || parse_at(p, "-"))
		hi = parse_int(p);
	if (lo < 0 || hi < lo)
		parse_error_at(p, where, "the range of dimension %s is %s", name, lo < 0 ? "negative" : "empty");
	if (!parse_accept(p, "below")) {
		sym_dim(p->syms, name, lo, hi);
		return sym_find_dim(p->syms, name);
	}
	sym *below = parse_sym(p), *dim = sym_inner(p->syms, name, lo, below);
	if (!sym_is_inner(dim) || dim->hi != hi)
		parse_error_at(p, where, "dimension %s: its bounds do not fit together", name);
	return dim;
}
