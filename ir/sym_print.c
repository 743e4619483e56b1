/* Text of symbolic integers.
 *
 *   sum     = term { ("+" | "-") term }                 N*64 + i - 1
 *   term    = ["-"] factor { ("*" | "/" | "%") factor }  from left to right, the minus first; / and % floor
 *   factor  = number | name | scalar | ("min" | "max") "(" sum "," sum ")" | "(" sum ")"
 *   scalar  = "{" expr ["in" lo ".." hi] ["below" sum] "}"    the range is left out when it is that of expr's type
 *
 * The order of terms, factors and operands follows the text itself (longer products and larger coefficients first), not
 * the order of creation, so what is parsed prints the same bytes. */
#include "ir/expr_internal.h"
#include "ir/sym_internal.h"
#include "ir/text.h"
#include "ir/text.h"

#include <inttypes.h>
#include <string.h>

enum { PREC_SUM, PREC_TERM, PREC_FACTOR };

static void print_at(str *out, const sym *s, int prec);

typedef struct piece {
	int degree;
	bool negative;
	uint64_t size; /* of the coefficient */
	const char *text;
} piece;

static int compare_pieces(const piece *a, const piece *b)
{
	if (a->degree != b->degree)
		return b->degree - a->degree;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return strcmp(a->text, b->text);
}

static void sort_pieces(piece *p, int n)
{
	for (int i = 1; i < n; i++) {
		piece x = p[i];
		int j = i;
		for (; j > 0 && compare_pieces(&x, &p[j - 1]) < 0; j--)
			p[j] = p[j - 1];
		p[j] = x;
	}
}

static piece piece_of(arena *a, const sym *s, int prec)
{
	str text = str_new(a);
	print_at(&text, s, prec);
	return (piece){.text = text.data};
}

/* A term without its sign: factors, then the coefficient. */
static piece term_piece(arena *a, term t)
{
	sym *const *atoms = NULL;
	int n = unit_atoms(t.unit, &atoms);
	piece p = {.degree = n, .negative = t.c < 0, .size = t.c < 0 ? 0 - (uint64_t)t.c : (uint64_t)t.c};
	bool alone = n == 1 && t.c == 1; /* a minus binds tighter than a division: -(N / 2) */
	piece *factors = new_array(a, piece, (size_t)n);
	for (int i = 0; i < n; i++)
		factors[i] = piece_of(a, atoms[i], alone ? PREC_TERM : PREC_FACTOR);
	sort_pieces(factors, n);
	str text = str_new(a);
	for (int i = 0; i < n; i++)
		str_addf(&text, "%s%s", i ? "*" : "", factors[i].text);
	if (p.size != 1)
		str_addf(&text, "*%" PRIu64, p.size);
	p.text = text.data;
	return p;
}

static void print_sum(str *out, const sym *s)
{
	arena *a = out->a;
	int n = sym_n_terms(s);
	piece *p = new_array(a, piece, (size_t)n);
	for (int i = 0; i < n; i++)
		p[i] = term_piece(a, sym_term(s, i));
	sort_pieces(p, n);
	/* A positive term comes first, if there is one. */
	int first = 0;
	while (first < n && p[first].negative)
		first++;
	int64_t k = sym_constant(s);
	bool k_first = first == n && k > 0;
	if (k_first)
		str_addf(out, "%" PRId64, k);
	if (first < n)
		str_add(out, p[first].text);
	bool any = k_first || first < n;
	for (int i = 0; i < n; i++) {
		if (i == first)
			continue;
		str_addf(out, "%s%s", !any ? "-" : p[i].negative ? " - " : " + ", p[i].text);
		any = true;
	}
	if (k != 0 && !k_first)
		str_addf(out, " %c %" PRIu64, k < 0 ? '-' : '+', k < 0 ? 0 - (uint64_t)k : (uint64_t)k);
}

static void print_extreme(str *out, const sym *s)
{
	int n = 2;
	for (const sym *left = s->in[0]; left->kind == s->kind; left = left->in[0])
		n++;
	piece *p = new_array(out->a, piece, (size_t)n);
	const sym *rest = s;
	for (int i = 0; i < n - 1; i++, rest = rest->in[0])
		p[i] = piece_of(out->a, rest->in[1], PREC_SUM);
	p[n - 1] = piece_of(out->a, rest, PREC_SUM);
	sort_pieces(p, n);
	for (int i = 0; i < n - 1; i++)
		str_addf(out, "%s(%s, ", s->kind == SYM_MIN ? "min" : "max", p[i].text);
	str_add(out, p[n - 1].text);
	for (int i = 0; i < n - 1; i++)
		str_addc(out, ')');
}

static int precedence(const sym *s)
{
	switch (s->kind) {
	case SYM_CONST: return s->value < 0 ? PREC_TERM : PREC_FACTOR;
	case SYM_ADD: return PREC_SUM;
	case SYM_MUL:
	case SYM_DIV:
	case SYM_MOD: return PREC_TERM;
	case SYM_VAR:
	case SYM_MIN:
	case SYM_MAX: break;
	}
	return PREC_FACTOR;
}

static void print_scalar(str *out, const sym *s)
{
	dtype t = s->scalar->type;
	bool wide = t == I64 || t == U64;
	int64_t lo = wide ? INT64_MIN : int_lowest(t), hi = wide ? INT64_MAX : int_highest(t);
	str_addc(out, '{');
	expr_print(out, s->scalar);
	if (s->lo != lo || s->hi != hi)
		str_addf(out, " in %" PRId64 "..%" PRId64, s->lo, s->hi);
	if (s->below) {
		str_add(out, " below ");
		sym_print(out, s->below);
	}
	str_addc(out, '}');
}

static void print_at(str *out, const sym *s, int prec)
{
	piece p;
	bool parens = precedence(s) < prec;
	if (parens)
		str_addc(out, '(');
	switch (s->kind) {
	case SYM_CONST: str_addf(out, "%" PRId64, s->value); break;
	case SYM_VAR:
		if (s->scalar)
			print_scalar(out, s);
		else
			print_name(out, s->name);
		break;
	case SYM_ADD: print_sum(out, s); break;
	case SYM_MUL:
		p = term_piece(out->a, sym_term(s, 0));
		str_addf(out, "%s%s", p.negative ? "-" : "", p.text);
		break;
	case SYM_DIV:
	case SYM_MOD:
		print_at(out, s->in[0], PREC_TERM);
		str_add(out, s->kind == SYM_DIV ? " / " : " % ");
		print_at(out, s->in[1], PREC_FACTOR);
		break;
	case SYM_MIN:
	case SYM_MAX: print_extreme(out, s); break;
	}
	if (parens)
		str_addc(out, ')');
}

void sym_print(str *out, const sym *s)
{
	if (s->kind == SYM_CONST || s->kind == SYM_VAR) {
		print_at(out, s, PREC_SUM);
		return;
	}
	arena *scratch = arena_new("sym_print");
	str text = str_new(scratch);
	print_at(&text, s, PREC_SUM);
	str_addn(out, text.data, text.len);
	arena_free(scratch);
}
