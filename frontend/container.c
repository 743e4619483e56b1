#include "frontend/container.h"

#include <string.h>

bool is_container(const value *v) { return v->rank == CONTAINER; }
container *container_of(value *v) { return is_container(v) ? (container *)v : NULL; }

const char *container_word(const value *v)
{
	if (!is_container(v))
		return "a tensor";
	const container *c = (const container *)v;
	return c->words ? "words of texts" : c->is_optional ? "an optional" : "a sequence";
}

static value *made_of(importer *im, value *const *items, int n, bool is_optional)
{
	container *c = new(im->a, container);
	*c = (container){.base = {.rank = CONTAINER, .type = DTYPE_NONE}, .is_optional = is_optional, .n = n};
	c->items = new_array(im->a, value *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		c->items[i] = items[i];
	return &c->base;
}

value *sequence_of(importer *im, value *const *items, int n) { return made_of(im, items, n, false); }
value *optional_of(importer *im, value *item) { return made_of(im, &item, item ? 1 : 0, true); }

value *words_of(importer *im, value *texts, const struct word_rule *rule)
{
	value *v = made_of(im, &texts, 1, false);
	container_of(v)->words = rule;
	return v;
}

value *container_map(importer *im, value *v, value *(*f)(value *tensor, void *user), void *user)
{
	const container *c = container_of(v);
	if (!c)
		return f(v, user);
	value *mapped = made_of(im, c->items, c->n, c->is_optional);
	container_of(mapped)->words = c->words;
	for (int i = 0; i < c->n; i++)
		container_of(mapped)->items[i] = container_map(im, c->items[i], f, user);
	return mapped;
}
