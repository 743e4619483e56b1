#include "tests/unit/unit.h"

#include "driver/format.h"
#include "support/arena.h"

#include <string.h>

static const struct { double x; const char *unit, *text; } quantities[] = {
	{0, "B", "0 B"}, {1, "", "1"}, {999, "B", "999 B"}, {999.6, "B", "1.00 kB"}, {1000, "B", "1.00 kB"}, {12345, "B", "12.3 kB"},
	{999499, "", "999 k"}, {999600, "", "1.00 M"}, {118.2e9, "FLOP/s", "118 GFLOP/s"}, {0.5, "", "0.50"}, {3e15, "B", "3000 TB"},
};

static const struct { double x; const char *text; } times[] = {
	{1.5, "1.50 s"}, {0.163335, "163 ms"}, {2.5e-5, "25.0 µs"}, {3e-8, "30.0 ns"}, {0, "0.00 ns"},
};

static const struct { const char *text, *html, *json; } texts[] = {
	{"conv1", "conv1", "\"conv1\""},
	{"<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;", "\"<b>&\\\"'\""},
	{"a\nb\x01", "a\\nb\\x01", "\"a\\\\nb\\\\x01\""},
	{"\xc3\xa9 \xff", "\xc3\xa9 \\xff", "\"\xc3\xa9 \\\\xff\""},
	{NULL, "", "\"\""},
};

static void same(const char *found, const char *wanted)
{
	if (strcmp(found, wanted))
		fail_msg("'%s', wanted '%s'", found, wanted);
}

static void test_numbers(void **unused)
{
	(void)unused;
	arena *a = arena_new("test");
	str s = str_new(a);
	for (size_t i = 0; i < N_ROWS(quantities); i++, str_clear(&s)) {
		add_quantity(&s, quantities[i].x, quantities[i].unit);
		same(s.data, quantities[i].text);
	}
	for (size_t i = 0; i < N_ROWS(times); i++, str_clear(&s)) {
		add_seconds(&s, times[i].x);
		same(s.data, times[i].text);
	}
	arena_free(a);
}

static void test_texts(void **unused)
{
	(void)unused;
	arena *a = arena_new("test");
	for (size_t i = 0; i < N_ROWS(texts); i++) {
		str html = str_new(a), json = str_new(a);
		add_html_text(&html, texts[i].text);
		add_json_text(&json, texts[i].text);
		same(html.data, texts[i].html);
		same(json.data, texts[i].json);
	}
	arena_free(a);
}

/* Neither a character nor an entity is cut in two. */
static void test_cut(void **unused)
{
	(void)unused;
	arena *a = arena_new("test");
	static const char *const cuts[] = {"…", "é…", "é…", "é&lt;…", "é&lt;é", "é&lt;é"};
	static const size_t most[] = {1, 2, 2, 3, 5, 9};
	for (size_t i = 0; i < N_ROWS(cuts); i++) {
		str s = str_new(a);
		add_html_cut(&s, "é<é", most[i]);
		same(s.data, cuts[i]);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_texts), cmocka_unit_test(test_cut)};
	return RUN_TESTS(tests);
}
