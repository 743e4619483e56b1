/* What importers of operators on strings share. */
#pragma once

#include "frontend/onnx_attr.h"

enum { MAX_RANGES = 16 };

/* Ranges of bytes, and the shortest run of them that is a word. */
typedef struct word_rule {
	int64_t ranges[2 * MAX_RANGES];
	int n_ranges;
	int64_t least;
	const char *padding; /* what stands behind the last word where other texts have more */
	bool joined;         /* the words of a row of texts are one list */
} word_rule;

value *text_vector(importer *im, const slice *texts, int n); /* a constant */
/* Strings (or numbers of the type of `keys`) as the places of the first equal ones of `keys`, -1 where there is none; i64. */
value *place_among(importer *im, const onnx_node *n, value *x, value *keys);
/* How often each of the keys, a constant vector, is a word of each text: i64 [.., keys]. */
value *count_words(importer *im, value *texts, value *keys, const word_rule *rule);
value *joined_words(importer *im, const onnx_node *n, value *words, int64_t axis); /* Flatten */
/* The class labels of indices [batch], from the attribute of either name. */
value *class_labels(importer *im, const onnx_node *n, value *indices, const char *ints, const char *strings);
int class_count(importer *im, const onnx_node *n, const char *ints, const char *strings); /* refuses when there is neither or both */
