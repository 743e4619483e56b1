/* `slots` (a power of two of them, at most 2/3 in use) holds indices into `entries`, or -1; probing is linear. */
#include "support/map.h"

#include "support/arena.h"
#include "support/vec.h"

#include <assert.h>
#include <string.h>

enum { FIRST_SLOTS = 16, NO_ENTRY = -1 };

typedef struct entry {
	const void *key;
	void *value;
	uint64_t hash;
} entry;

struct map {
	arena *a;
	bool by_content;
	vec(entry) entries;
	int *slots;
	int n_slots;
};

uint64_t hash_mix(uint64_t a, uint64_t b)
{
	/* The finaliser of splitmix64 over a multiplied sum, so that (a, b) and (b, a) differ. */
	uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Little-endian on every machine; compilers make one load of it. */
static uint64_t load_word(const unsigned char *p)
{
	uint64_t word = 0;
	for (int i = 0; i < 8; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = hash_mix(seed, n);
	size_t i = 0;
	for (; i + 8 <= n; i += 8)
		h = hash_mix(h, load_word(p + i));
	if (i < n) {
		unsigned char rest[8] = {0};
		memcpy(rest, p + i, n - i);
		h = hash_mix(h, load_word(rest));
	}
	return h;
}

static map *make(arena *a, bool by_content)
{
	map *m = new(a, map);
	m->a = a;
	m->by_content = by_content;
	return m;
}

map *map_new(arena *a)
{
	return make(a, false);
}

map *map_new_str(arena *a)
{
	return make(a, true);
}

static uint64_t hash_key(const map *m, const void *key)
{
	return m->by_content ? hash_bytes(key, strlen(key), 0) : hash_mix((uintptr_t)key, 0);
}

static bool same_key(const map *m, const entry *e, const void *key, uint64_t hash)
{
	return e->key == key || (m->by_content && e->hash == hash && strcmp(e->key, key) == 0);
}

/* The slot of the key, or the free slot where it would go. */
static int *find_slot(const map *m, const void *key, uint64_t hash)
{
	uint64_t mask = (uint64_t)m->n_slots - 1;
	for (uint64_t i = hash & mask;; i = (i + 1) & mask) {
		int *slot = &m->slots[i];
		if (*slot == NO_ENTRY || same_key(m, &m->entries.v[*slot], key, hash))
			return slot;
	}
}

static entry *find(const map *m, const void *key)
{
	if (m->entries.n == 0)
		return NULL;
	int slot = *find_slot(m, key, hash_key(m, key));
	return slot == NO_ENTRY ? NULL : &m->entries.v[slot];
}

static void rehash(map *m)
{
	m->n_slots = m->n_slots ? m->n_slots * 2 : FIRST_SLOTS;
	m->slots = new_array(m->a, int, (size_t)m->n_slots);
	for (int i = 0; i < m->n_slots; i++)
		m->slots[i] = NO_ENTRY;
	uint64_t mask = (uint64_t)m->n_slots - 1;
	for (int e = 0; e < m->entries.n; e++) {
		uint64_t i = m->entries.v[e].hash & mask;
		while (m->slots[i] != NO_ENTRY)
			i = (i + 1) & mask;
		m->slots[i] = e;
	}
}

void *map_get(const map *m, const void *key)
{
	const entry *e = find(m, key);
	return e ? e->value : NULL;
}

bool map_has(const map *m, const void *key)
{
	return find(m, key) != NULL;
}

void map_put(map *m, const void *key, void *value)
{
	if ((int64_t)(m->entries.n + 1) * 3 > (int64_t)m->n_slots * 2)
		rehash(m);
	uint64_t hash = hash_key(m, key);
	int *slot = find_slot(m, key, hash);
	if (*slot != NO_ENTRY) {
		m->entries.v[*slot].value = value;
		return;
	}
	*slot = m->entries.n;
	const void *kept = m->by_content ? arena_strdup(m->a, key) : key;
	vec_push(m->a, &m->entries, ((entry){.key = kept, .value = value, .hash = hash}));
}

int map_count(const map *m)
{
	return m->entries.n;
}

const void *map_key_at(const map *m, int i)
{
	assert(i >= 0 && i < m->entries.n);
	return m->entries.v[i].key;
}

void *map_value_at(const map *m, int i)
{
	assert(i >= 0 && i < m->entries.n);
	return m->entries.v[i].value;
}
