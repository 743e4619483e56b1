/* Texts as numbers: counts of n-grams.  Words that are strings become their places among the words of the pool first, except those of
 * a Tokenizer, which are counted where they stand in its texts. */
#include "frontend/container.h"
#include "frontend/import_strings.h"

#include <string.h>

enum { MAX_GRAM = 8 };

typedef struct grams {
	value *x;               /* i64 [batch, words]; NULL: the words are those of */
	const container *words;
	value *pool_words;      /* strings, by number; NULL when the pool holds numbers */
	sym *batch;
	int_list pool, starts;  /* the n-grams of all lengths, and where those of each length begin */
	int64_t shortest, longest, skips;
	vec(value *) counts;    /* f32 [batch, n-grams], by length */
} grams;

/* The words k, k + skip ... of every n-gram that starts at 0, 1 ...: x from k * skip on. */
static value *nth_words(importer *im, const grams *g, int k, int64_t skip, sym *places)
{
	int axis = 1;
	return build_unsqueeze(im->graph, cut(im, g->x, 1, size(im, k * skip), places), &axis, 1);
}

/* Word k of each n-gram of the pool: [n-grams, 1]. */
static value *nth_of_pool(importer *im, const int64_t *pool, int64_t count, int64_t length, int k)
{
	int64_t *words = new_array(im->a, int64_t, (size_t)count), dims[] = {count, 1};
	for (int64_t i = 0; i < count; i++)
		words[i] = pool[i * length + k];
	return build_const(im->graph, tensor_new(im->a, I64, 2, dims, words), NULL);
}

/* How often each n-gram of that length stands in x with `skip` words from one word to the next: [batch, n-grams]. */
static value *occurrences(importer *im, const grams *g, const int64_t *pool, int64_t count, int length, int64_t skip)
{
	value *in[2 * MAX_GRAM];
	const expr *all = NULL;
	int axis = 2;
	sym *places = sym_max(sym_addi(g->x->dims[1], -skip * (length - 1)), size(im, 0));
	for (int k = 0; k < length; k++) {
		in[2 * k] = nth_words(im, g, k, skip, places);
		in[2 * k + 1] = nth_of_pool(im, pool, count, length, k);
		const expr *same = op2(im, EXPR_EQ, operand(im, 2 * k, in[2 * k]), operand(im, 2 * k + 1, in[2 * k + 1]));
		all = all ? op2(im, EXPR_AND, all, same) : same;
	}
	value *hits = map_as(im, F32, expr_cast(im->exprs, F32, all), in, 2 * length);
	return reduce_axes(im, hits, "sum", &axis, 1, false);
}

/* How often the words from..to - 1 of the pool are words of each text, or of each row of texts. */
static value *single_words(importer *im, const onnx_node *n, const grams *g, int64_t from, int64_t to)
{
	static const int columns = 1;
	value *texts = g->words->items[0], *keys = g->pool_words;
	const slice *all = constant_of(keys)->data;
	for (int64_t i = from; i < to; i++) {
		if (g->pool.v[i] != i)
			refuse(im, n, "pool_strings has \"%.*s\" twice", (int)all[i].len, all[i].data);
		if (slice_eq(all[i], g->words->words->padding))
			refuse(im, n, "the padding \"%s\" between words is in pool_strings", g->words->words->padding);
	}
	value *counts = count_words(im, texts, text_vector(im, all + from, (int)(to - from)), g->words->words);
	return narrow(im, texts->rank == 1 ? counts : reduce_axes(im, counts, "sum", &columns, 1, false), F32);
}

/* pool_strings as numbers: the place of the first equal one. */
static int_list numbered(importer *im, text_list texts)
{
	int64_t *numbers = new_array(im->a, int64_t, (size_t)texts.n + 1);
	for (int i = 0; i < texts.n; i++) {
		while (texts.v[numbers[i]].len != texts.v[i].len || memcmp(texts.v[numbers[i]].data, texts.v[i].data, texts.v[i].len))
			numbers[i]++;
	}
	return (int_list){numbers, texts.n, true};
}

/* Fills in what is counted. */
static void read_words(importer *im, const onnx_node *n, grams *g)
{
	value *x = n->in[0];
	text_list texts = attr_texts(im, n, "pool_strings");
	g->words = container_of(x);
	if (texts.n) {
		g->pool = numbered(im, texts);
		g->pool_words = text_vector(im, texts.v, texts.n);
	} else {
		g->pool = attr_ints_required(im, n, "pool_int64s");
	}
	if (g->words) {
		value *of = g->words->items[0];
		if (!texts.n || (of->rank > 1 && !g->words->words->joined))
			refuse(im, n, "words must be of rank 1 or 2, and the pool of strings");
		if (g->longest > 1)
			refuse(im, n, "n-grams of more than one word of texts are not supported");
		g->batch = of->dims[0];
		return;
	}
	expect_rank(im, n, x, 1, 2);
	if ((x->type == STRING) != (texts.n > 0))
		refuse(im, n, "the pool must be of the type of the input, which is %s", dtype_name(x->type));
	if (x->type == STRING)
		x = place_among(im, n, x, g->pool_words);
	expect_type(im, n, x, TYPES_INT);
	sym *row[] = {size(im, 1), x->dims[0]};
	g->x = narrow(im, x->rank == 1 ? reshape(im, x, row, 2) : x, I64);
	g->batch = g->x->dims[0];
}

static void count_length(importer *im, const onnx_node *n, grams *g, int length)
{
	int64_t from = g->starts.v[length - 1], to = length < g->starts.n ? g->starts.v[length] : g->pool.n;
	if (from < 0 || to < from || to > g->pool.n || (to - from) % length != 0)
		refuse(im, n, "ngram_counts does not divide the pool into n-grams");
	int64_t count = (to - from) / length;
	if (count == 0)
		return;
	value *sum = NULL;
	if (g->words && length == 1)
		sum = single_words(im, n, g, from, to);
	bool counted = !g->words && length >= g->shortest && length <= g->longest;
	for (int64_t skip = 1; counted && skip <= (length == 1 ? 1 : g->skips + 1); skip++) {
		value *here = occurrences(im, g, g->pool.v + from, count, length, skip);
		sum = sum ? build_binary(im->graph, EXPR_ADD, sum, here) : here;
	}
	sym *none[] = {g->batch, size(im, count)};
	vec_push(im->a, &g->counts, sum ? sum : build_expand(im->graph, build_scalar(im->graph, F32, 0), none, 2));
}

/* Counts in the columns that ngram_indexes say; columns of no n-gram are 0. */
static value *arranged(importer *im, const onnx_node *n, grams *g, int_list columns)
{
	int64_t total = 0, width = 0;
	for (int i = 0; i < g->counts.n; i++)
		total += sym_value(g->counts.v[i]->dims[1]);
	if (columns.n != total)
		refuse(im, n, "ngram_indexes has %d entries for %lld n-grams", columns.n, (long long)total);
	for (int i = 0; i < columns.n; i++) {
		if (columns.v[i] < 0 || columns.v[i] > 1 << 24)
			refuse(im, n, "ngram_indexes has an entry of %lld", (long long)columns.v[i]);
		width = columns.v[i] >= width ? columns.v[i] + 1 : width;
	}
	int64_t *from = new_array(im->a, int64_t, (size_t)width);
	for (int64_t i = 0; i < width; i++)
		from[i] = total;
	for (int i = 0; i < columns.n; i++) {
		if (from[columns.v[i]] != total)
			refuse(im, n, "ngram_indexes has %lld twice", (long long)columns.v[i]);
		from[columns.v[i]] = i;
	}
	sym *zero[] = {g->batch, size(im, 1)};
	vec_push(im->a, &g->counts, build_expand(im->graph, build_scalar(im->graph, F32, 0), zero, 2));
	value *all = build_concat(im->graph, g->counts.v, g->counts.n, 1);
	return build_gather(im->graph, all, build_const(im->graph, tensor_vector_i64(im->a, from, (int)width), NULL), 1);
}

/* ONNX TfIdfVectorizer-9. */
value *import_tfidf(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	const char *mode = attr_word(im, n, "mode", "TF IDF TFIDF");
	int_list columns = attr_ints_required(im, n, "ngram_indexes");
	float_list weights = attr_floats(im, n, "weights");
	grams g = {
		.starts = attr_ints_required(im, n, "ngram_counts"),
		.shortest = attr_int_required(im, n, "min_gram_length"),
		.longest = attr_int_required(im, n, "max_gram_length"),
		.skips = attr_int_required(im, n, "max_skip_count"),
	};
	read_words(im, n, &g);
	if (g.starts.n > MAX_GRAM || g.skips < 0 || g.skips > 1 << 16)
		refuse(im, n, "n-grams of %d words with %lld skips are not supported, only up to %d", g.starts.n, (long long)g.skips, MAX_GRAM);
	for (int length = 1; length <= g.starts.n; length++)
		count_length(im, n, &g, length);
	value *y = arranged(im, n, &g, columns);
	const expr *e = operand(im, 0, y);
	if (mode[0] == 'I')
		e = choose_if(im, op2n(im, EXPR_GT, e, 0), number(im, e, 1), number(im, e, 0));
	if (mode[0] == 'I' || mode[2] == 'I') {
		int64_t count = weights.n;
		if (weights.given && !sym_is(y->dims[1], count))
			refuse(im, n, "weights has %d entries for %lld columns", weights.n, (long long)sym_value(y->dims[1]));
		value *in[] = {y, weights.given ? build_const(im->graph, tensor_new(im->a, F32, 1, &count, weights.v), NULL) : NULL};
		y = map_as(im, F32, in[1] ? op2(im, EXPR_MUL, e, operand(im, 1, in[1])) : e, in, in[1] ? 2 : 1);
	}
	return x->rank == 1 ? reshape(im, y, y->dims + 1, 1) : y;
}
