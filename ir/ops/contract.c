/* contract: sums of products over named indices, as in "bmk,kn->bmn".
 *
 * A letter is one index; letters of the operands that the result lacks are summed.  No letter stands twice in one operand
 * and sizes agree exactly: importers take diagonals and expand broadcast axes before. */
#include "ir/ops/rules.h"

#include <string.h>

enum { LETTERS = 52 };

/* An equation taken apart: per operand and for the result the letters of its axes, and the summed letters. */
typedef struct equation {
	int n[3];
	signed char letter[3][MAX_RANK];
	int n_summed;
	signed char summed[LETTERS];
} equation;

static const char letter_names[LETTERS][2] = {
	"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
	"s", "t", "u", "v", "w", "x", "y", "z", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J",
	"K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
};

static int letter_of(char c)
{
	for (int i = 0; i < LETTERS; i++)
		if (letter_names[i][0] == c)
			return i;
	return -1;
}

static bool has_letter(const equation *q, int part, int letter)
{
	return memchr(q->letter[part], letter, (size_t)q->n[part]) != NULL;
}

/* equation = letters "," letters "->" letters; the reason why not in *problem. */
static bool parse_equation(const char *text, equation *q, const char **problem)
{
	static const char *const ends[3] = {",", "->", ""};
	*q = (equation){0};
	for (int part = 0; part < 3; part++) {
		for (; letter_of(*text) >= 0; text++) {
			int letter = letter_of(*text);
			*problem = "names an index twice in one operand";
			if (has_letter(q, part, letter))
				return false;
			*problem = "has too many indices";
			if (q->n[part] == MAX_RANK)
				return false;
			q->letter[part][q->n[part]++] = (signed char)letter;
		}
		size_t n = strlen(ends[part]);
		*problem = "is not of the form ab,bc->ac";
		if (strncmp(text, ends[part], n) != 0 || (part == 2 && *text))
			return false;
		text += n;
	}
	*problem = "has a result index that no operand has";
	for (int i = 0; i < q->n[2]; i++)
		if (!has_letter(q, 0, q->letter[2][i]) && !has_letter(q, 1, q->letter[2][i]))
			return false;
	for (int part = 0; part < 2; part++)
		for (int i = 0; i < q->n[part]; i++) {
			int letter = q->letter[part][i];
			if (!has_letter(q, 2, letter) && !(part == 1 && has_letter(q, 0, letter)))
				q->summed[q->n_summed++] = (signed char)letter;
		}
	*problem = "sums over too many indices";
	return q->n_summed <= MAX_RANK;
}

static equation equation_of(const node *n)
{
	equation q;
	const char *problem;
	if (!parse_equation(node_word(n, "equation", ""), &q, &problem))
		bug("contract: equation %s %s", node_word(n, "equation", ""), problem);
	return q;
}

/* Sizes of all letters, from both operands. */
static bool letter_sizes(const node *n, const char **why, const equation *q, sym **size)
{
	for (int part = 0; part < 2; part++)
		for (int i = 0; i < q->n[part]; i++) {
			int letter = q->letter[part][i];
			sym *d = n->in[part]->dims[i], *before = size[letter];
			size[letter] = before ? dim_agree(n, before, d) : d;
			if (!size[letter])
				return rule_refuse(n, why, "index %s is %s in operand 0 but %s in operand 1",
						   letter_names[letter], sym_text(n, before), sym_text(n, d));
		}
	return true;
}

bool rule_packed(const node *n, const char **why, int most)
{
	const attr *strategy = node_attr(n, "strategy");
	if (strategy && strategy->kind != ATTR_WORD)
		return rule_refuse(n, why, "attribute strategy is not a word");
	if (!rule_int(n, why, "packed", 0, 1))
		return false;
	int count = node_operands(n);
	if (count < 2 || count > most)
		return rule_refuse(n, why, "has %d operands besides its packed copy, needs 2 to %d", count, most);
	return true;
}

bool rule_product(const node *n, const char **why, dtype *result)
{
	dtype a = n->in[0]->type, b = n->in[1]->type, acc = type_accumulator(a);
	if ((!dtype_is_float(a) && !dtype_is_int(a)) || acc != type_accumulator(b))
		return rule_refuse(n, why, "cannot multiply %s by %s", dtype_name(a), dtype_name(b));
	*result = dtype_is_float(a) && a == b ? a : acc;
	if (!rule_type_word(n, why, result))
		return false;
	if (dtype_is_float(*result) != dtype_is_float(acc) || (!dtype_is_float(acc) && !dtype_is_int(*result)))
		return rule_refuse(n, why, "sums of %s cannot be stored as %s", dtype_name(acc), dtype_name(*result));
	return true;
}

bool infer_contract(node *n, const char **why)
{
	equation q;
	dtype t;
	sym *size[LETTERS] = {0}, *dims[MAX_RANK];
	if (!rule_form(n, why, 1, "equation type strategy packed") || !rule_packed(n, why, 2))
		return false;
	const attr *a = node_attr(n, "equation");
	if (!a || a->kind != ATTR_WORD)
		return rule_refuse(n, why, "attribute equation is missing");
	const char *problem;
	if (!parse_equation(a->word, &q, &problem))
		return rule_refuse(n, why, "equation %.80s %s", a->word, problem);
	for (int part = 0; part < 2; part++)
		if (q.n[part] != n->in[part]->rank)
			return rule_refuse(n, why, "equation %s has %d indices for operand %d of rank %d", a->word,
					   q.n[part], part, n->in[part]->rank);
	if (!letter_sizes(n, why, &q, size) || !rule_product(n, why, &t))
		return false;
	for (int i = 0; i < q.n[2]; i++)
		dims[i] = size[(int)q.letter[2][i]];
	return rule_result(n, why, 0, t, q.n[2], dims);
}

const expr *elem_product(elem *e, dtype acc, const expr *x, const expr *y)
{
	return expr_binary(e->exprs, EXPR_MUL, expr_cast(e->exprs, acc, x), expr_cast(e->exprs, acc, y));
}

static const expr *term_contract(elem *e, const node *n, coord at, coord red)
{
	equation q = equation_of(n);
	sym *index[LETTERS];
	const expr *x[2];
	for (int i = 0; i < q.n[2]; i++)
		index[(int)q.letter[2][i]] = at.i[i];
	for (int i = 0; i < q.n_summed; i++)
		index[(int)q.summed[i]] = red.i[i];
	for (int part = 0; part < 2; part++) {
		coord c = {.rank = q.n[part]};
		for (int i = 0; i < c.rank; i++)
			c.i[i] = index[(int)q.letter[part][i]];
		x[part] = elem_read(e, n->in[part], c);
	}
	return elem_product(e, type_accumulator(n->in[0]->type), x[0], x[1]);
}

/* Of both operands' sizes of a summed letter, the better known. */
static sym *summed_size(const node *n, const equation *q, int letter)
{
	sym *size = NULL;
	for (int part = 0; part < 2; part++)
		for (int i = 0; i < q->n[part]; i++)
			if (q->letter[part][i] == letter)
				size = size ? dim_agree(n, size, n->in[part]->dims[i]) : n->in[part]->dims[i];
	return size;
}

void reduction_contract(elem *e, const node *n, coord at, reduction *r)
{
	equation q = equation_of(n);
	(void)at;
	r->n = q.n_summed;
	for (int i = 0; i < r->n; i++) {
		r->extent[i] = summed_size(n, &q, q.summed[i]);
		r->hint[i] = letter_names[(int)q.summed[i]];
	}
	r->type = type_accumulator(n->in[0]->type);
	r->combine = EXPR_ADD;
	r->init = expr_number(e->exprs, r->type, 0);
	r->term = term_contract;
}
