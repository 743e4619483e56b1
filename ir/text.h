/* Reading and writing what the text forms of both IRs share: tokens, names, symbolic integers, scalar expressions.
 *
 * Text is untrusted.  Every error is reported with file, line and column and abandons to the innermost diag_guard, so a
 * parser reads as straight lines and never returns a failure.  Nesting is bounded by MAX_NESTING, the size of symbolic
 * products by MAX_TERMS, and the infix operators of a scalar expression (a chain of them is a deep tree) by MAX_OPERATORS.
 *
 * Tokens:  name    a.b_1        starts with a letter or _; a dot stands between two name characters
 *          %name   %12  %x.1    a value: digits alone are an id, %"odd name/x" is any other text
 *          @name   @"odd"       a graph, kernel or group
 *          number  12  0x3f     integers        1.0  2e-5   floats
 *          "text"  with \n \t \\ \" \xNN
 *          -> == != <= >= .. += && ||  and every other single character
 * White space separates; # begins a comment to the end of the line.  A modulus is written "a % b", with a space after %. */
#pragma once

#include "ir/dtype.h"
#include "ir/expr.h"
#include "ir/sym.h"
#include "support/diag.h"
#include "support/str.h"

enum { MAX_NESTING = 200, MAX_TERMS = 4096, MAX_OPERATORS = 8192 };

typedef enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_VALUE,  /* %name */
	TOKEN_SYMBOL, /* @name */
	TOKEN_INT,
	TOKEN_FLOAT,
	TOKEN_STRING,
	TOKEN_PUNCT,
} token_kind;

typedef struct token {
	token_kind kind;
	slice text; /* without sigil and quotes, escapes resolved; numbers as written */
	bool quoted; /* VALUE, SYMBOL: was %"..." or @"..." */
	int line, column;
} token;

typedef struct parser parser;
struct parser {
	arena *a;
	diag *d;
	const char *file;
	names *names;
	sym_ctx *syms;
	expr_ctx *exprs;
	token tok;  /* the next token, not yet consumed */
	token last; /* the one consumed before it: parse_error_at(p, p->last, ...) */

	/* Leaves, resolved by the owner of the grammar; NULL members: there are no such leaves.  A NULL result: unknown name,
	 * reported by the caller; a callback may also report by itself. */
	sym *(*find_var)(parser *p, const char *name); /* a variable in a symbolic integer; NULL member: dims made on demand */
	const expr *(*find_arg)(parser *p, int i);     /* %i in an expression */
	/* A name in an expression, already consumed: a local, or a buffer followed by "[index]", which the callback reads. */
	const expr *(*find_leaf)(parser *p, const char *name);
	void *user;
	bool as_written; /* minima and maxima stay as they are written */

	/* the lexer's own */
	const char *at, *end, *line_start, *last_end; /* last_end: behind the last consumed token */
	int line;
	int depth;
	int in_expr, operators; /* calls of parse_expr around this place; operators since the outermost */
};

/* Begins at the first token of text.  syms, exprs and the callbacks are set by the caller afterwards. */
void parser_init(parser *p, arena *a, names *set, const char *file, const char *text, size_t n, diag *d);

_Noreturn void parse_error(parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* at the next token */
_Noreturn void parse_error_at(parser *p, token where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *parse_found(parser *p); /* the next token, for "expected ..., found %s" */
diag_at parse_place(const parser *p, token where);

void parse_next(parser *p); /* consumes a token */
bool parse_at(const parser *p, const char *punct_or_name); /* is the next token this punctuation or unquoted name? */
bool parse_accept(parser *p, const char *punct_or_name);   /* consumes it if so */
void parse_expect(parser *p, const char *punct_or_name);   /* or an error */
const char *parse_name(parser *p, const char *what);       /* a name, interned; `what` for the message: "an attribute name" */
const char *parse_string(parser *p, const char *what);     /* "text", interned */
const char *parse_symbol(parser *p, const char *what);     /* @name, interned */
bool parse_value_id(const parser *p, int *id);             /* is the next token %digits? */
int64_t parse_int(parser *p);                              /* with an optional minus */
uint64_t parse_unsigned(parser *p);                        /* decimal or 0x */
int parse_count(parser *p, int lo, int hi, const char *what);
double parse_float(parser *p, bool is_f32); /* also an integer, -x, inf, nan; rounded once to float when is_f32 */
dtype parse_dtype(parser *p);
/* Around every recursion of a grammar. */
void parse_enter(parser *p);
void parse_leave(parser *p);

/* sum of products of: integers, names, "quoted names", min(a, b), max(a, b), (sum), -x, {expr}; + - * / % as in sym.h. */
sym *parse_sym(parser *p);
/* "[" sym, ... "]": up to `max`; returns how many. */
int parse_sym_list(parser *p, sym **out, int max);
/* N = lo..[hi] ["below" sum]: declares a dim; an error when there is one of that name. */
sym *parse_dim_range(parser *p);
/* As expr.h prints them, with C's precedences where parentheses are left out.  `expected` (or DTYPE_NONE) is the type that
 * the result must have. */
const expr *parse_expr(parser *p, dtype expected);

/* ---- printing ---------------------------------------------------------------------------------------------------- */
bool text_is_name(const char *name); /* can it be written without quotes? */
void print_name(str *out, const char *name);        /* name or "odd name" */
void print_value_name(str *out, const char *name);  /* %name or %"odd name"; a name of digits alone is quoted */
void print_symbol_name(str *out, const char *name); /* @name or @"odd name" */
void print_dim_range(str *out, const sym *dim);     /* N = 1..8, N = 0..99 below A*B */
void print_quoted(str *out, const char *text);      /* "text" */
