/* Hash maps from pointers or strings to pointers, inside an arena.
 *
 * Open addressing over an array of entries in order of insertion: iteration never depends on addresses, so output that
 * is produced by iterating is reproducible. Nothing is removed. Putting a key again replaces its value, not its place. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arena arena;
typedef struct map map;

map *map_new(arena *a);     /* keys compare by address */
map *map_new_str(arena *a); /* keys compare by content and are copied */

void *map_get(const map *m, const void *key); /* NULL when absent */
bool map_has(const map *m, const void *key);
void map_put(map *m, const void *key, void *value);

int map_count(const map *m);
const void *map_key_at(const map *m, int i); /* 0 <= i < map_count */
void *map_value_at(const map *m, int i);

/* The same on every machine; not meant to resist an adversary beyond slowness. */
uint64_t hash_bytes(const void *data, size_t n, uint64_t seed);
uint64_t hash_mix(uint64_t a, uint64_t b);
