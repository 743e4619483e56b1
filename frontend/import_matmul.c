/* Sums of products: MatMul, Gemm, Einsum. */
#include "frontend/onnx_attr.h"

#include "frontend/import_matmul.h"

#include <ctype.h>
#include <string.h>

/* ---- MatMul ---------------------------------------------------------------------------------------------------------------- */
typedef struct letters {
	char text[MAX_RANK + 1];
	int n;
} letters;

static void add_letter(letters *l, char c)
{
	l->text[l->n++] = c;
	l->text[l->n] = 0;
}

/* Drops a batch axis of size 1 that the other operand extends: it is the same element for every index there. */
static bool dropped(const value *x, int axis, const value *other, int other_axis)
{
	return axis >= 0 && other_axis >= 0 && sym_is(x->dims[axis], 1) && !sym_is(other->dims[other_axis], 1);
}

static value *without(importer *im, value *x, const bool *drop)
{
	int axes[MAX_RANK], n = 0;
	for (int i = 0; i < x->rank; i++)
		if (drop[i])
			axes[n++] = i;
	return n > 0 ? build_squeeze(im->graph, x, axes, n) : x;
}

/* numpy.matmul as one contraction; of 8-bit integers it gives i32. */
value *matmul(importer *im, const onnx_node *n, value *a, value *b)
{
	expect_rank(im, n, a, 1, MAX_RANK);
	expect_rank(im, n, b, 1, MAX_RANK);
	int batch_a = a->rank > 2 ? a->rank - 2 : 0, batch_b = b->rank > 2 ? b->rank - 2 : 0;
	int batch = batch_a > batch_b ? batch_a : batch_b;
	bool drop_a[MAX_RANK] = {0}, drop_b[MAX_RANK] = {0};
	letters la = {0}, lb = {0}, lc = {0};
	for (int i = 0; i < batch; i++) {
		int ia = i - (batch - batch_a), ib = i - (batch - batch_b);
		char letter = (char)('A' + i);
		bool skip_a = dropped(a, ia, b, ib), skip_b = dropped(b, ib, a, ia);
		add_letter(&lc, letter);
		if (ia >= 0 && !skip_a)
			add_letter(&la, letter);
		if (ib >= 0 && !skip_b)
			add_letter(&lb, letter);
		if (ia >= 0)
			drop_a[ia] = skip_a;
		if (ib >= 0)
			drop_b[ib] = skip_b;
	}
	if (a->rank > 1) {
		add_letter(&la, 'm');
		add_letter(&lc, 'm');
	}
	add_letter(&la, 'k');
	add_letter(&lb, 'k');
	if (b->rank > 1) {
		add_letter(&lb, 'n');
		add_letter(&lc, 'n');
	}
	const char *equation = arena_printf(im->a, "%s,%s->%s", la.text, lb.text, lc.text);
	return build_contract(im->graph, without(im, a, drop_a), without(im, b, drop_b), equation);
}

/* ONNX MatMul-13. */
value *import_matmul(importer *im, const onnx_node *n)
{
	value *a = input(im, n, 0), *b = input(im, n, 1);
	expect_inputs(im, n, 2);
	expect_type(im, n, a, TYPES_NUMBER);
	expect_same_type(im, n, a, b);
	return narrow(im, matmul(im, n, a, b), a->type);
}

/* ---- Gemm ------------------------------------------------------------------------------------------------------------------- */
/* alpha * A' B' + beta * C, where C broadcasts.  ONNX Gemm-13. */
value *import_gemm(importer *im, const onnx_node *n)
{
	value *a = input(im, n, 0), *b = input(im, n, 1), *c = input_or_null(n, 2);
	double alpha = attr_float(im, n, "alpha", 1), beta = attr_float(im, n, "beta", 1);
	bool trans_a = attr_flag(im, n, "transA", false), trans_b = attr_flag(im, n, "transB", false);
	attr_ignore(n, n->version < 7 ? "broadcast" : "");
	expect_type(im, n, a, TYPES_NUMBER);
	expect_same_type(im, n, a, b);
	expect_rank(im, n, a, 2, 2);
	expect_rank(im, n, b, 2, 2);
	if (!dtype_is_float(a->type) && (alpha != 1 || beta != 1))
		refuse(im, n, "alpha and beta other than 1 are not supported for integers");
	const char *equation = arena_printf(im->a, "%s,%s->mn", trans_a ? "km" : "mk", trans_b ? "nk" : "kn");
	value *y = narrow(im, build_contract(im->graph, a, b, equation), a->type);
	if (!c && alpha == 1)
		return y;
	const expr *e = operand(im, 0, y);
	if (alpha != 1)
		e = op2n(im, EXPR_MUL, e, alpha);
	if (!c)
		return map_as(im, y->type, e, &y, 1);
	expect_same_type(im, n, a, c);
	expect_rank(im, n, c, 0, 2);
	const expr *term = operand(im, 1, c);
	if (beta != 1)
		term = op2n(im, EXPR_MUL, term, beta);
	return map_as(im, y->type, op2(im, EXPR_ADD, e, term), (value *[]){y, c}, 2);
}

/* ---- Einsum ------------------------------------------------------------------------------------------------------------------ */
enum { MAX_TERMS = 16, N_LETTERS = 128 };

/* An equation with its ellipses turned into letters: those that the equation does not use. */
typedef struct einsum {
	int n;
	letters in[MAX_TERMS];
	letters out;
	bool has_out;
	char ellipsis[MAX_RANK]; /* letters of the broadcast axes, last axis last */
	int n_ellipsis;
} einsum;

static bool has(const letters *l, char c) { return memchr(l->text, c, (size_t)l->n) != NULL; }

static void put(importer *im, const onnx_node *n, letters *l, char c)
{
	if (l->n == MAX_RANK)
		refuse(im, n, "a term of the equation has more than %d indices", MAX_RANK);
	add_letter(l, c);
}

/* Letters for as many broadcast axes as the widest ellipsis has. */
static void name_ellipsis(importer *im, const onnx_node *n, einsum *q, const char *text)
{
	int terms = 0, named = 0;
	for (const char *c = text;; c++) {
		named += isalpha((unsigned char)*c) != 0;
		if (*c && *c != ',' && *c != '-')
			continue;
		int rest = terms < n->n_in && n->in[terms] ? n->in[terms]->rank - named : 0;
		q->n_ellipsis = rest > q->n_ellipsis ? rest : q->n_ellipsis;
		named = 0;
		terms++;
		if (*c != ',')
			break;
	}
	char next = 'Z';
	for (int i = q->n_ellipsis; i-- > 0; next--) {
		while (next >= 'A' && strchr(text, next))
			next--;
		if (next < 'A')
			refuse(im, n, "the equation uses too many indices");
		q->ellipsis[i] = next;
	}
}

/* One term: letters and at most one "..."; returns what follows. */
static const char *read_term(importer *im, const onnx_node *n, einsum *q, const char *text, letters *l, int rank)
{
	bool dots = false;
	int named = 0;
	for (const char *c = text; *c && *c != ',' && *c != '-'; c++)
		named += isalpha((unsigned char)*c) != 0;
	int wide = rank < 0 ? q->n_ellipsis : rank - named;
	for (; *text && *text != ',' && *text != '-'; text++) {
		if (*text == ' ')
			continue;
		if (isalpha((unsigned char)*text)) {
			put(im, n, l, *text);
		} else if (strncmp(text, "...", 3) == 0 && !dots && wide >= 0) {
			for (int i = q->n_ellipsis - wide; i < q->n_ellipsis; i++)
				put(im, n, l, q->ellipsis[i]);
			dots = true;
			text += 2;
		} else {
			refuse(im, n, "the equation cannot be read at \"%.20s\"", text);
		}
	}
	if (rank >= 0 && l->n != rank)
		refuse(im, n, "a term of the equation has %d indices for an input of rank %d", l->n, rank);
	return text;
}

/* Without "->": the broadcast axes, then the letters that stand once, in alphabetical order. */
static void implicit_output(importer *im, const onnx_node *n, einsum *q)
{
	int count[N_LETTERS] = {0};
	for (int i = 0; i < q->n; i++)
		for (int k = 0; k < q->in[i].n; k++)
			count[(int)q->in[i].text[k]]++;
	for (int i = 0; i < q->n_ellipsis; i++) {
		put(im, n, &q->out, q->ellipsis[i]);
		count[(int)q->ellipsis[i]] = 0;
	}
	for (int c = 0; c < N_LETTERS; c++)
		if (count[c] == 1)
			put(im, n, &q->out, (char)c);
}

static void read_equation(importer *im, const onnx_node *n, einsum *q, const char *text)
{
	const char *at = text;
	name_ellipsis(im, n, q, text);
	for (;; at++) {
		if (q->n >= n->n_in || q->n == MAX_TERMS)
			refuse(im, n, "the equation has more terms than the %d inputs (at most %d are supported)", n->n_in, MAX_TERMS);
		at = read_term(im, n, q, at, &q->in[q->n], n->in[q->n]->rank);
		q->n++;
		if (*at != ',')
			break;
	}
	if (q->n != n->n_in)
		refuse(im, n, "the equation has %d terms for %d inputs", q->n, n->n_in);
	if (strncmp(at, "->", 2) == 0) {
		at = read_term(im, n, q, at + 2, &q->out, -1);
		if (*at)
			refuse(im, n, "the equation cannot be read at \"%.20s\"", at);
	} else if (*at) {
		refuse(im, n, "the equation cannot be read at \"%.20s\"", at);
	} else {
		implicit_output(im, n, q);
	}
	for (int i = 0; i < q->out.n; i++) {
		bool found = false;
		for (int k = 0; k < q->n; k++)
			found = found || has(&q->in[k], q->out.text[i]);
		if (!found || memchr(q->out.text + i + 1, q->out.text[i], (size_t)(q->out.n - i - 1)))
			refuse(im, n, "index %c of the result is %s", q->out.text[i], found ? "named twice" : "in no input");
	}
}

/* The elements of x whose indices i and k are equal, with that index at the end: of the two axes as one, every n + 1st. */
static value *diagonal(importer *im, const onnx_node *n, value *x, int i, int k)
{
	int perm[MAX_RANK], rank = 0;
	sym *shape[MAX_RANK], *starts[MAX_RANK];
	int64_t extent, steps[MAX_RANK];
	if (!sym_is_const(x->dims[i], &extent) || x->dims[i] != x->dims[k])
		refuse(im, n, "the axes of a repeated index must be equal and known");
	for (int a = 0; a < x->rank; a++)
		if (a != i && a != k)
			perm[rank++] = a;
	perm[rank] = i;
	perm[rank + 1] = k;
	value *turned = build_transpose(im->graph, x, perm);
	for (int a = 0; a < rank; a++) {
		shape[a] = turned->dims[a];
		starts[a] = size(im, 0);
		steps[a] = 1;
	}
	shape[rank] = size(im, extent * extent);
	value *flat = reshape(im, turned, shape, rank + 1);
	shape[rank] = size(im, extent);
	starts[rank] = size(im, 0);
	steps[rank] = extent + 1;
	return build_slice(im->graph, flat, starts, steps, shape);
}

/* Takes diagonals until the term names every index once. */
static value *without_repeated(importer *im, const onnx_node *n, value *x, letters *l)
{
	for (int i = 0; i < l->n; i++) {
		const char *again = memchr(l->text + i + 1, l->text[i], (size_t)(l->n - i - 1));
		if (!again)
			continue;
		int k = (int)(again - l->text);
		letters kept = {0};
		for (int a = 0; a < l->n; a++)
			if (a != i && a != k)
				add_letter(&kept, l->text[a]);
		add_letter(&kept, l->text[i]);
		x = diagonal(im, n, x, i, k);
		*l = kept;
		i = -1;
	}
	return x;
}

static bool needed_later(const einsum *q, int from, char c)
{
	bool found = has(&q->out, c);
	for (int i = from; i < q->n; i++)
		found = found || has(&q->in[i], c);
	return found;
}

/* Sums over the axes of a term that nothing else names. */
static value *sum_private(importer *im, const einsum *q, int term, value *x, letters *l)
{
	int axes[MAX_RANK], n = 0;
	letters kept = {0};
	for (int i = 0; i < l->n; i++) {
		bool used = has(&q->out, l->text[i]);
		for (int k = 0; k < q->n; k++)
			used = used || (k != term && has(&q->in[k], l->text[i]));
		if (used)
			add_letter(&kept, l->text[i]);
		else
			axes[n++] = i;
	}
	*l = kept;
	return n > 0 ? reduce_axes(im, x, "sum", axes, n, false) : x;
}

/* Broadcast axes of size 1 where another term has more are dropped from this one. */
static value *drop_ones(importer *im, const onnx_node *n, einsum *q, int term, value *x)
{
	int axes[MAX_RANK], count = 0;
	letters kept = {0}, *l = &q->in[term];
	for (int i = 0; i < l->n; i++) {
		bool wider = false;
		for (int k = 0; k < q->n && sym_is(x->dims[i], 1); k++) {
			const char *at = k == term ? NULL : memchr(q->in[k].text, l->text[i], (size_t)q->in[k].n);
			wider = wider || (at && !sym_is(n->in[k]->dims[at - q->in[k].text], 1));
		}
		if (wider)
			axes[count++] = i;
		else
			add_letter(&kept, l->text[i]);
	}
	if (count == 0)
		return x;
	*l = kept;
	return build_squeeze(im->graph, x, axes, count);
}

static value *arrange(importer *im, value *x, const letters *from, const letters *to)
{
	int perm[MAX_RANK];
	for (int i = 0; i < to->n; i++)
		perm[i] = (int)((const char *)memchr(from->text, to->text[i], (size_t)from->n) - from->text);
	return build_transpose(im->graph, x, perm);
}

/* The terms are multiplied from left to right; each product keeps only what the rest needs.  ONNX Einsum-28. */
value *import_einsum(importer *im, const onnx_node *n)
{
	value *const *in = inputs(im, n);
	einsum q = {0};
	const char *text = attr_string(im, n, "equation", NULL);
	if (!text)
		refuse(im, n, "attribute equation is missing");
	expect_type(im, n, in[0], TYPES_NUMBER);
	for (int i = 1; i < n->n_in; i++)
		expect_same_type(im, n, in[0], in[i]);
	read_equation(im, n, &q, text);
	value *x[MAX_TERMS];
	letters original[MAX_TERMS];
	for (int i = 0; i < q.n; i++)
		n->in[i] = without_repeated(im, n, in[i], &q.in[i]);
	memcpy(original, q.in, sizeof original);
	einsum narrowed = q;
	for (int i = 0; i < q.n; i++) {
		memcpy(q.in, original, sizeof original);
		x[i] = drop_ones(im, n, &q, i, in[i]);
		narrowed.in[i] = q.in[i];
	}
	q = narrowed;
	for (int i = 0; i < q.n; i++)
		x[i] = sum_private(im, &q, i, x[i], &q.in[i]);
	value *product = x[0];
	letters have = q.in[0];
	for (int i = 1; i < q.n; i++) {
		letters result = {0};
		for (int k = 0; k < have.n + q.in[i].n; k++) {
			char c = k < have.n ? have.text[k] : q.in[i].text[k - have.n];
			if (!has(&result, c) && needed_later(&q, i + 1, c))
				put(im, n, &result, c);
		}
		if (i == q.n - 1)
			result = q.out;
		const char *equation = arena_printf(im->a, "%s,%s->%s", have.text, q.in[i].text, result.text);
		product = narrow(im, build_contract(im->graph, product, x[i], equation), in[0]->type);
		have = result;
	}
	return q.n == 1 ? arrange(im, product, &have, &q.out) : product;
}
