/* Sequences and optionals whose contents are known while compiling: lists of values, which exist in the importer only.  And the words of
 * texts, whose number only a run can tell: operators that count them look at the texts.
 *
 * A container stands wherever a value does: in scopes, as an operand and a result of a node.  Operators whose row says so take them;
 * for all others they are refused.  At the borders of a model, each tensor of a container is an input or output of its own. */
#pragma once

#include "frontend/scope.h"

typedef struct container {
	value base; /* rank CONTAINER; nothing else of it means anything */
	bool is_optional; /* n is 0 or 1 */
	const struct word_rule *words; /* of item 0, by this rule; else NULL */
	int n;
	value **items; /* tensors or containers */
} container;

enum { CONTAINER = -1 };

bool is_container(const value *v);
container *container_of(value *v);      /* NULL for a tensor */
const char *container_word(const value *v); /* "a sequence", "an optional", "a tensor" */
value *sequence_of(importer *im, value *const *items, int n);
value *words_of(importer *im, value *texts, const struct word_rule *rule);
value *optional_of(importer *im, value *item); /* NULL: without an element */
/* The same container of what f makes of its tensors. */
value *container_map(importer *im, value *v, value *(*f)(value *tensor, void *user), void *user);
