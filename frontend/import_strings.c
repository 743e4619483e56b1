/* Strings become numbers: places in a list of known ones, or counts of known words.  The other way, a number picks one of a
 * list. */
#include "frontend/import_strings.h"

#include "frontend/container.h"

#include <string.h>

value *text_vector(importer *im, const slice *texts, int n)
{
	int64_t count = n;
	return build_const(im->graph, tensor_new(im->a, STRING, 1, &count, texts), NULL);
}

value *place_among(importer *im, const onnx_node *n, value *x, value *keys)
{
	int last = 1;
	expect_same_type(im, n, x, keys);
	if (x->type == STRING)
		return build(im->graph, OP_STR_FIND, (value *[]){x, keys}, 2, NULL, 0);
	sym *count = keys->dims[0], *column[] = {value_size(x), size(im, 1)}, *row[] = {size(im, 1), count};
	value *in[] = {reshape(im, x, column, 2), reshape(im, keys, row, 2), build_iota(im->graph, row, 2, 1)};
	const expr *e = operand(im, 0, in[0]), *key = operand(im, 1, in[1]), *same = op2(im, EXPR_EQ, e, key);
	if (dtype_is_float(x->type))
		same = op2(im, EXPR_OR, same, op2(im, EXPR_AND, op1(im, EXPR_ISNAN, e), op1(im, EXPR_ISNAN, key)));
	const expr *none = sym_number(im, count, I64);
	value *places = map_as(im, I64, choose_if(im, same, operand(im, 2, in[2]), none), in, 3);
	value *first = reshape(im, reduce_axes(im, places, "min", &last, 1, false), x->dims, x->rank);
	const expr *found = operand(im, 0, first);
	return map_as(im, I64, choose_if(im, op2(im, EXPR_EQ, found, none), number(im, found, -1), found), &first, 1);
}

value *count_words(importer *im, value *texts, value *keys, const word_rule *rule)
{
	attr attrs[] = {attr_of_ints(im->graph, "ranges", rule->ranges, 2 * rule->n_ranges), attr_of_int("least", rule->least)};
	return build(im->graph, OP_STR_WORDS, (value *[]){texts, keys}, 2, attrs, 2);
}

static value *pick(importer *im, value *from, value *index)
{
	if (from->type != STRING)
		return build_gather(im->graph, from, index, 0);
	return build(im->graph, OP_STR_PICK, (value *[]){from, index}, 2, NULL, 0);
}

/* ---- labels of classifiers ---------------------------------------------------------------------------------------------- */
int class_count(importer *im, const onnx_node *n, const char *ints, const char *strings)
{
	int_list numbers = attr_ints(im, n, ints);
	text_list texts = attr_texts(im, n, strings);
	if ((numbers.n == 0) == (texts.n == 0))
		refuse(im, n, "needs either %s or %s", ints, strings);
	return numbers.n + texts.n;
}

value *class_labels(importer *im, const onnx_node *n, value *indices, const char *ints, const char *strings)
{
	int_list numbers = attr_ints(im, n, ints);
	text_list texts = attr_texts(im, n, strings);
	if (texts.n)
		return pick(im, text_vector(im, texts.v, texts.n), indices);
	return pick(im, build_const(im->graph, tensor_vector_i64(im->a, numbers.v, numbers.n), NULL), indices);
}

/* ---- from a list of keys to a list of values ----------------------------------------------------------------------------- */
/* The attribute `name` + _strings, _int64s, _floats or _tensor as a vector; NULL when there is none. */
static const tensor *list_named(importer *im, const onnx_node *n, const char *name)
{
	text_list texts = attr_texts(im, n, arena_printf(im->a, "%s_strings", name));
	int_list ints = attr_ints(im, n, arena_printf(im->a, "%s_int64s", name));
	float_list floats = attr_floats(im, n, arena_printf(im->a, "%s_floats", name));
	const tensor *t = attr_tensor(im, n, arena_printf(im->a, "%s_tensor", name));
	if ((texts.n > 0) + (ints.n > 0) + (floats.n > 0) + (t != NULL) > 1)
		refuse(im, n, "has several attributes %s_*", name);
	int64_t counts[] = {texts.n, ints.n, floats.n};
	if (texts.n)
		return tensor_new(im->a, STRING, 1, &counts[0], texts.v);
	if (ints.n)
		return tensor_new(im->a, I64, 1, &counts[1], ints.v);
	if (floats.n)
		return tensor_new(im->a, F32, 1, &counts[2], floats.v);
	if (t && t->rank != 1)
		refuse(im, n, "%s_tensor has rank %d, must have 1", name, t->rank);
	return t;
}

/* What stands for keys that are not there: default_tensor, or the default of the type. */
static const tensor *default_of(importer *im, const onnx_node *n, dtype type)
{
	const tensor *given = attr_tensor(im, n, "default_tensor");
	const char *text = attr_string(im, n, "default_string", "_Unused");
	int64_t number = attr_int(im, n, "default_int64", -1), one = 1;
	double real = attr_float(im, n, "default_float", -0.0);
	if (given && (given->type != type || given->n_elements != 1))
		refuse(im, n, "default_tensor must be one %s", dtype_name(type));
	if (given)
		return tensor_new(im->a, type, 1, &one, given->data);
	slice *s = new(im->a, slice);
	*s = (slice){text, strlen(text)};
	if (type == STRING)
		return tensor_new(im->a, type, 1, &one, s);
	if (type == I64)
		return tensor_vector_i64(im->a, &number, 1);
	float *f = new(im->a, float);
	*f = (float)real;
	if (type != F32)
		refuse(im, n, "values of type %s need default_tensor", dtype_name(type));
	return tensor_new(im->a, F32, 1, &one, f);
}

/* The value of each key, and behind them what stands for all others. */
static value *values_and_default(importer *im, const onnx_node *n, const tensor *values, const tensor *otherwise)
{
	int64_t count = (int64_t)values->n_elements + 1;
	value *parts[2];
	if (values->type != STRING) {
		parts[0] = build_const(im->graph, values, NULL);
		parts[1] = build_const(im->graph, otherwise, NULL);
		return build_concat(im->graph, parts, 2, 0);
	}
	if (count > INT32_MAX)
		refuse(im, n, "has too many values");
	slice *all = new_array(im->a, slice, (size_t)count);
	memcpy(all, values->data, values->n_elements * sizeof *all);
	all[count - 1] = *(const slice *)otherwise->data;
	return text_vector(im, all, (int)count);
}

static value *translated(importer *im, const onnx_node *n, value *x, const tensor *keys, const tensor *values)
{
	if (!keys || !values || keys->n_elements != values->n_elements)
		refuse(im, n, "needs as many keys as values");
	value *found = place_among(im, n, x, build_const(im->graph, keys, NULL));
	const expr *e = operand(im, 0, found), *nowhere = op2n(im, EXPR_LT, e, 0);
	value *index = map_as(im, I64, choose_if(im, nowhere, number(im, e, (double)keys->n_elements), e), &found, 1);
	return pick(im, values_and_default(im, n, values, default_of(im, n, values->type)), index);
}

static const tensor *first_integers(importer *im, int64_t n)
{
	int64_t *v = new_array(im->a, int64_t, (size_t)n + 1);
	for (int64_t i = 0; i < n; i++)
		v[i] = i;
	return tensor_vector_i64(im->a, v, (int)n);
}

/* ai.onnx.ml LabelEncoder-4; version 1 has one list, whose places are the numbers. */
value *import_label_encoder(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	if (n->version > 1)
		return translated(im, n, x, list_named(im, n, "keys"), list_named(im, n, "values"));
	const tensor *classes = list_named(im, n, "classes"), *places = classes ? first_integers(im, (int64_t)classes->n_elements) : NULL;
	return x->type == STRING ? translated(im, n, x, classes, places) : translated(im, n, x, places, classes);
}

/* ai.onnx.ml CategoryMapper-1. */
value *import_category_mapper(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	text_list texts = attr_texts(im, n, "cats_strings");
	int_list ints = attr_ints(im, n, "cats_int64s");
	int64_t count = texts.n;
	const tensor *words = tensor_new(im->a, STRING, 1, &count, texts.v), *numbers = tensor_vector_i64(im->a, ints.v, ints.n);
	return x->type == STRING ? translated(im, n, x, words, numbers) : translated(im, n, x, numbers, words);
}

/* A column for each category; all are 0 for others, which end the run with zeros=0.  ai.onnx.ml OneHotEncoder-1. */
value *import_one_hot_encoder(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	int axes[MAX_RANK], count = class_count(im, n, "cats_int64s", "cats_strings");
	text_list texts = attr_texts(im, n, "cats_strings");
	int_list ints = attr_ints(im, n, "cats_int64s");
	sym *dims[MAX_RANK + 1], *ones[MAX_RANK + 1];
	expect_rank(im, n, x, 0, MAX_RANK - 1);
	if ((x->type == STRING) != texts.given)
		refuse(im, n, "categories must be of the type of the input, which is %s", dtype_name(x->type));
	if (x->type != STRING)
		x = narrow(im, x, I64);
	value *keys = texts.n ? text_vector(im, texts.v, texts.n)
			      : build_const(im->graph, tensor_vector_i64(im->a, ints.v, ints.n), NULL);
	value *found = place_among(im, n, x, keys);
	if (!attr_flag(im, n, "zeros", true)) {
		const expr *nowhere = op2n(im, EXPR_LT, operand(im, 0, found), 0);
		value *hits = map_as(im, I64, expr_cast(im->exprs, I64, nowhere), &found, 1);
		bind_check(im, reduce_axes(im, hits, "sum", axes, axes_from(x, 0, axes), false), 0);
	}
	for (int i = 0; i < x->rank; i++) {
		dims[i] = x->dims[i];
		ones[i] = size(im, 1);
	}
	dims[x->rank] = size(im, 1);
	ones[x->rank] = size(im, count);
	value *in[] = {reshape(im, found, dims, x->rank + 1), build_iota(im->graph, ones, x->rank + 1, x->rank)};
	const expr *hit = op2(im, EXPR_EQ, operand(im, 0, in[0]), operand(im, 1, in[1]));
	return map_as(im, F32, expr_cast(im->exprs, F32, hit), in, 2);
}

/* ---- words --------------------------------------------------------------------------------------------------------------- */
static bool add_range(word_rule *r, char from, char to)
{
	if (r->n_ranges == MAX_RANGES || from <= 0 || to < from)
		return false;
	r->ranges[2 * r->n_ranges] = from;
	r->ranges[2 * r->n_ranges++ + 1] = to;
	return true;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What stands behind a backslash: \w, \d or a character that is no letter. */
static bool add_escaped(word_rule *r, char c)
{
	if (c == 'w')
		return add_range(r, 'a', 'z') && add_range(r, 'A', 'Z') && add_range(r, '0', '9') && add_range(r, '_', '_');
	return c == 'd' ? add_range(r, '0', '9') : !is_letter_or_digit(c) && add_range(r, c, c);
}

/* Between brackets, up to the closing one: characters, ranges, escapes, of ASCII.  Returns what follows, or NULL. */
static const char *read_brackets(const char *s, word_rule *r)
{
	if (*s == '^')
		return NULL;
	while (*s != ']') {
		bool escape = *s == '\\', range = !escape && *s && s[1] == '-' && s[2] != ']';
		if (*s == '[' || (range && s[2] == '\\'))
			return NULL;
		if (!(escape ? add_escaped(r, s[1]) : add_range(r, s[0], range ? s[2] : s[0])))
			return NULL;
		s += range ? 3 : escape ? 2 : 1;
	}
	return s + 1;
}

/* [...]+ or one escape before the +: words are longest runs of these characters. */
static bool read_rule(const char *s, word_rule *r)
{
	if (*s == '[')
		s = read_brackets(s + 1, r);
	else if (*s == '\\' && add_escaped(r, s[1]))
		s += 2;
	return s && strcmp(s, "+") == 0;
}

/* The words of texts, which exist for the operators that count them.  com.microsoft Tokenizer-1. */
value *import_tokenizer(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0);
	const char *pattern = attr_string(im, n, "tokenexp", NULL);
	word_rule *r = new(im->a, word_rule);
	if (x->type != STRING)
		refuse(im, n, "the input is %s, must be string", dtype_name(x->type));
	expect_rank(im, n, x, 1, 2);
	if (attr_flag(im, n, "mark", false))
		refuse(im, n, "mark=1 is not supported, only 0");
	if (!pattern || attr_given(n, "separators") || attr_given(n, "stopwords"))
		refuse(im, n, "is supported with tokenexp only");
	if (!read_rule(pattern, r))
		refuse(im, n, "tokenexp is \"%s\", supported are longest runs of ASCII characters, like [a-z0-9]+", pattern);
	r->least = attr_int_required(im, n, "mincharnum");
	r->padding = attr_string(im, n, "pad_value", "");
	if (r->least < 1 || r->least > INT32_MAX)
		refuse(im, n, "mincharnum is %lld", (long long)r->least);
	return words_of(im, x, r);
}

value *joined_words(importer *im, const onnx_node *n, value *words, int64_t axis)
{
	const container *c = container_of(words);
	word_rule *r = new(im->a, word_rule);
	if (axis != 1)
		refuse(im, n, "axis %lld of words of texts is not supported, only 1", (long long)axis);
	*r = *c->words;
	r->joined = true;
	return words_of(im, c->items[0], r);
}
