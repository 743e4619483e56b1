/* Replaces a node by an earlier identical one (op, operands, attributes); constants by their data.
 *
 *   requires types, no layouts yet; keeps everything
 *       %3 = transpose %1 {perm=[1,0]}
 *       %4 = transpose %1 {perm=[1,0]}      =>      uses of %4 become uses of %3 */
#include "passes/pass.h"

#include <string.h>

enum { HASHED_BYTES = 1024 }; /* of each end of a constant; what hashes alike is compared in full */

/* ---- hashes ------------------------------------------------------------------------------------------------------ */
static uint64_t hash_tensor(const tensor *t, uint64_t h)
{
	if (t->type == STRING || !t->data)
		return hash_mix(h, tensor_hash(t));
	size_t n = t->bytes < HASHED_BYTES ? t->bytes : HASHED_BYTES;
	h = hash_bytes(t->dims, (size_t)t->rank * sizeof *t->dims, hash_mix(h, (uint64_t)t->type));
	h = hash_bytes(t->data, n, h);
	return hash_bytes((const char *)t->data + t->bytes - n, n, h);
}

static uint64_t hash_syms(const attr *a, uint64_t h)
{
	for (int i = 0; i < a->n; i++)
		h = hash_mix(h, (uint64_t)a->syms[i]->id);
	return h;
}

static uint64_t hash_attr(const attr *a, uint64_t h)
{
	h = hash_bytes(a->name, strlen(a->name), hash_mix(h, (uint64_t)a->kind));
	switch (a->kind) {
	case ATTR_INT: return hash_mix(h, (uint64_t)a->i);
	case ATTR_INTS: return hash_bytes(a->ints, (size_t)a->n * sizeof *a->ints, h);
	case ATTR_FLOAT: return hash_bytes(&a->f, sizeof a->f, h);
	case ATTR_FLOATS: return hash_bytes(a->floats, (size_t)a->n * sizeof *a->floats, h);
	case ATTR_WORD: return hash_bytes(a->word, strlen(a->word), h);
	case ATTR_SYMS: return hash_syms(a, h);
	case ATTR_EXPR: return hash_mix(h, (uint64_t)a->expr->id);
	case ATTR_TENSOR: return hash_tensor(a->tensor, h);
	}
	return h;
}

static uint64_t hash_node(const node *n)
{
	uint64_t h = hash_mix((uint64_t)n->op, (uint64_t)n->n_out);
	for (int i = 0; i < n->n_in; i++)
		h = hash_mix(h, (uint64_t)n->in[i]->id);
	for (int i = 0; i < n->n_attrs; i++)
		h = hash_attr(&n->attrs[i], h);
	return h;
}

/* ---- equality ---------------------------------------------------------------------------------------------------- */
static bool same_bytes(const void *a, const void *b, int n, size_t size)
{
	return n == 0 || memcmp(a, b, (size_t)n * size) == 0;
}

static bool same_attr(const attr *a, const attr *b)
{
	if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
		return false;
	switch (a->kind) {
	case ATTR_INT: return a->i == b->i;
	case ATTR_INTS: return a->n == b->n && same_bytes(a->ints, b->ints, a->n, sizeof *a->ints);
	case ATTR_FLOAT: return same_bytes(&a->f, &b->f, 1, sizeof a->f);
	case ATTR_FLOATS: return a->n == b->n && same_bytes(a->floats, b->floats, a->n, sizeof *a->floats);
	case ATTR_WORD: return strcmp(a->word, b->word) == 0;
	case ATTR_SYMS: return a->n == b->n && same_bytes(a->syms, b->syms, a->n, sizeof *a->syms);
	case ATTR_EXPR: return a->expr == b->expr;
	case ATTR_TENSOR: return a->tensor == b->tensor || tensor_equal(a->tensor, b->tensor);
	}
	return false;
}

static bool same_node(const node *a, const node *b)
{
	if (a->op != b->op || a->n_in != b->n_in || a->n_out != b->n_out || a->n_attrs != b->n_attrs)
		return false;
	for (int i = 0; i < a->n_in; i++)
		if (a->in[i] != b->in[i])
			return false;
	for (int i = 0; i < a->n_attrs; i++)
		if (!same_attr(&a->attrs[i], &b->attrs[i]))
			return false;
	for (int i = 0; i < a->n_out; i++)
		if (a->out[i]->layout || b->out[i]->layout)
			return false;
	return true;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */
typedef struct entry {
	uint64_t hash;
	node *n;
} entry;

/* Open addressing; a power of two, at most half full. */
typedef struct node_set {
	entry *table;
	size_t size;
} node_set;

static node_set node_set_new(arena *scratch, const graph *g)
{
	node_set s = {.size = 16};
	while (s.size < 2 * (size_t)g->next_node_id)
		s.size *= 2;
	s.table = new_array(scratch, entry, s.size);
	return s;
}

/* The node of the set that is like n; n itself, which enters it, when there is none. */
static node *node_set_intern(node_set *s, node *n)
{
	uint64_t h = hash_node(n);
	size_t i = (size_t)h & (s->size - 1);
	for (; s->table[i].n; i = (i + 1) & (s->size - 1))
		if (s->table[i].hash == h && same_node(s->table[i].n, n))
			return s->table[i].n;
	s->table[i] = (entry){h, n};
	return n;
}

bool pass_share(graph *g, pass_ctx *ctx)
{
	node_set seen = node_set_new(ctx->scratch, g);
	bool changed = false;
	for_each_node(n, g) {
		node *first = node_is_pure(n) && !n->n_regions ? node_set_intern(&seen, n) : n;
		for (int i = 0; first != n && i < n->n_out; i++)
			graph_replace_value(g, n->out[i], first->out[i]);
		changed |= first != n;
	}
	return graph_remove_dead(g) > 0 || changed;
}
