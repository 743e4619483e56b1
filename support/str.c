#include "support/str.h"

#include "support/arena.h"
#include "support/diag.h"
#include "support/map.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64, WHOLE_DIGITS = 6 };

static char empty[1]; /* data of builders that hold nothing yet; never written, because cap is 0 */

str str_new(arena *a)
{
	return (str){.a = a, .data = empty};
}

/* Room for n more bytes and the NUL. */
static void str_reserve(str *s, size_t n)
{
	size_t want = s->len + n + 1;
	if (want <= s->cap)
		return;
	if (want < n || want > SIZE_MAX / 2)
		fatal("out of memory: text of %zu bytes", n);
	size_t cap = s->cap ? s->cap : FIRST_CAP;
	while (cap < want)
		cap *= 2;
	s->data = arena_grow(s->a, s->cap ? s->data : NULL, s->cap, cap, 1);
	s->cap = cap;
}

void str_addn(str *s, const char *text, size_t n)
{
	if (n == 0)
		return;
	str_reserve(s, n);
	memcpy(s->data + s->len, text, n);
	s->len += n;
	s->data[s->len] = 0;
}

void str_add(str *s, const char *text)
{
	str_addn(s, text, strlen(text));
}

void str_addc(str *s, char c)
{
	str_addn(s, &c, 1);
}

void str_addf(str *s, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	size_t room = s->cap - s->len;
	int n = vsnprintf(s->cap ? s->data + s->len : NULL, room, fmt, args);
	va_end(args);
	if (n < 0)
		bug("cannot format \"%s\"", fmt);
	if ((size_t)n >= room) {
		str_reserve(s, (size_t)n);
		vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	s->len += (size_t)n;
}

void str_clear(str *s)
{
	s->len = 0;
	if (s->cap)
		s->data[0] = 0;
}

static bool reads_back(const char *text, double value, int is_f32)
{
	return is_f32 ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

void str_add_float(str *s, double value, int is_f32)
{
	if (isnan(value)) {
		str_add(s, "nan");
		return;
	}
	if (isinf(value)) {
		str_add(s, value < 0 ? "-inf" : "inf");
		return;
	}
	char text[40];
	int enough = is_f32 ? 9 : 17; /* digits that always suffice */
	int whole = 1;                /* digits before the point, so that 40 is not written as 4e+01 */
	for (double x = fabs(value); x >= 10 && whole < WHOLE_DIGITS; x /= 10)
		whole++;
	for (int digits = whole < WHOLE_DIGITS ? whole : 1; digits <= enough; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (reads_back(text, value, is_f32))
			break;
	}
	str_add(s, text);
	if (!strpbrk(text, ".e"))
		str_add(s, ".0");
}

/* Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), 0 if there is none; C1 controls count as none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char lead_from, lead_to, second_from, second_to, length;
	} rows[] = {
		{0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		if (p[0] < rows[r].lead_from || p[0] > rows[r].lead_to || n < rows[r].length)
			continue;
		bool good = p[1] >= rows[r].second_from && p[1] <= rows[r].second_to;
		for (size_t i = 2; i < rows[r].length; i++)
			good = good && (p[i] & 0xc0) == 0x80;
		if (good)
			return rows[r].length;
	}
	return 0;
}

void str_add_escaped(str *s, const char *text, size_t n, const char *also)
{
	const unsigned char *p = (const unsigned char *)text;
	for (size_t i = 0, length; i < n; i += length) {
		length = 1;
		if (p[i] == '\n')
			str_add(s, "\\n");
		else if (p[i] == '\t')
			str_add(s, "\\t");
		else if (p[i] >= 0x20 && p[i] < 0x7f) {
			if (strchr(also, p[i]))
				str_addc(s, '\\');
			str_addc(s, text[i]);
		} else if (p[i] >= 0x80 && (length = utf8_length(p + i, n - i)) > 0)
			str_addn(s, text + i, length);
		else {
			str_addf(s, "\\x%02x", p[i]);
			length = 1;
		}
	}
}

bool slice_eq(slice s, const char *text)
{
	size_t n = strlen(text);
	return s.len == n && (n == 0 || memcmp(s.data, text, n) == 0);
}

/* A name's value is the copy that everybody shares. */
struct names {
	map *by_text;
	arena *a;
};

names *names_new(arena *a)
{
	names *set = new(a, names);
	set->a = a;
	set->by_text = map_new_str(a);
	return set;
}

const char *names_intern(names *set, const char *s)
{
	const char *name = map_get(set->by_text, s);
	if (name)
		return name;
	map_put(set->by_text, s, NULL);
	char *copy = (char *)map_key_at(set->by_text, map_count(set->by_text) - 1);
	map_put(set->by_text, copy, copy);
	return copy;
}

const char *names_intern_n(names *set, const char *s, size_t n)
{
	char small[128];
	if (n < sizeof small) {
		memcpy(small, s, n);
		small[n] = 0;
		return names_intern(set, small);
	}
	return names_intern(set, arena_strndup(set->a, s, n));
}
