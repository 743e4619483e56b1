#include "tests/unit/unit.h"

#include "support/arena.h"
#include "support/map.h"

#include <stdio.h>
#include <string.h>

enum { N = 5000 };

static void pointers_are_found_in_order(void **state)
{
	(void)state;
	static int keys[N], values[2 * N];
	arena *a = arena_new("test");
	map *m = map_new(a);
	assert_null(map_get(m, &keys[0]));
	assert_int_equal(map_count(m), 0);
	for (int i = 0; i < N; i++) {
		assert_false(map_has(m, &keys[i]));
		map_put(m, &keys[i], &values[i]);
		assert_int_equal(map_count(m), i + 1);
	}
	for (int i = 0; i < N; i += 3)
		map_put(m, &keys[i], &values[N + i]);
	assert_int_equal(map_count(m), N);
	for (int i = 0; i < N; i++) {
		int *expected = &values[i % 3 ? i : N + i];
		assert_ptr_equal(map_get(m, &keys[i]), expected);
		assert_ptr_equal(map_key_at(m, i), &keys[i]);
		assert_ptr_equal(map_value_at(m, i), expected);
	}
	map_put(m, NULL, keys);
	map_put(m, &values[0], NULL);
	assert_ptr_equal(map_get(m, NULL), keys);
	assert_true(map_has(m, &values[0]));
	assert_null(map_get(m, &values[0]));
	arena_free(a);
}

static void strings_compare_by_content(void **state)
{
	(void)state;
	static int values[N];
	arena *a = arena_new("test");
	map *m = map_new_str(a);
	char key[32];
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "node%d", i);
		map_put(m, key, &values[i]); /* the key is copied, the buffer reused */
	}
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "node%d", i);
		assert_ptr_equal(map_get(m, key), &values[i]);
		assert_string_equal(map_key_at(m, i), key);
	}
	assert_false(map_has(m, "node"));
	assert_false(map_has(m, ""));
	arena_free(a);
}

static void hashes_depend_on_every_byte(void **state)
{
	(void)state;
	unsigned char text[40] = {0};
	for (size_t n = 0; n < sizeof text; n++) {
		uint64_t h = hash_bytes(text, n, 0);
		assert_true(h != hash_bytes(text, n + 1, 0));
		assert_true(h != hash_bytes(text, n, 1));
		for (size_t i = 0; i < n; i++) {
			text[i] = 1;
			assert_true(h != hash_bytes(text, n, 0));
			text[i] = 0;
		}
	}
	assert_true(hash_mix(1, 2) != hash_mix(2, 1));
	/* Part of reproducible output, so the same on every machine. */
	assert_true(hash_bytes("conv1+relu1", 11, 7) == UINT64_C(0xe36e635c4ee8cc1b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_are_found_in_order),
		cmocka_unit_test(strings_compare_by_content),
		cmocka_unit_test(hashes_depend_on_every_byte),
	};
	return RUN_TESTS(tests);
}
