/* --verify-each also checks that text is faithful: what is printed reads back, and prints the same bytes.
 *
 * Elements that a digest stands for are not in the text: zeros or empty strings take their place to read it, and the data of
 * constants is left out of the comparison. */
#include "passes/verify_text.h"

#include <string.h>

static const char digest[] = "digest(", zeros[] = "splat(0)", empty[] = "splat(\"\")";

/* A constant is one line, its data behind the only " = " outside of quotes. */
static bool is_constant(const char *line)
{
	line += strspn(line, " ");
	return strncmp(line, "const ", strlen("const ")) == 0;
}

static size_t line_length(const char *line)
{
	return strcspn(line, "\n");
}

/* Where the data of a constant's line begins; NULL: it has none. */
static const char *data_of(const char *line)
{
	const char *end = line + line_length(line);
	bool quoted = false;
	for (const char *at = line; at + 3 <= end; at++) {
		if (quoted && *at == '\\')
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted && strncmp(at, " = ", 3) == 0)
			return at + 3;
	}
	return NULL;
}

/* Is the type in front of the data one of strings? */
static bool holds_strings(const char *line, const char *data)
{
	static const char type[] = ": string[";
	while (data > line && *data != ':')
		data--;
	return strncmp(data, type, strlen(type)) == 0;
}

/* The text with zeros for digests. */
static const char *readable(arena *a, const char *text)
{
	str s = str_new(a);
	for (const char *line = text; *line;) {
		size_t n = line_length(line) + (line[line_length(line)] == '\n');
		const char *data = is_constant(line) ? data_of(line) : NULL;
		if (data && strncmp(data, digest, strlen(digest)) == 0) {
			const char *rest = data + strcspn(data, ")") + 1;
			str_addn(&s, line, (size_t)(data - line));
			str_add(&s, holds_strings(line, data) ? empty : zeros);
			str_addn(&s, rest, (size_t)(line + n - rest));
		} else {
			str_addn(&s, line, n);
		}
		line += n;
	}
	return s.data;
}

/* Equal but for the data of a constant. */
static bool same_line(const char *a, const char *b)
{
	size_t n = line_length(a), m = line_length(b);
	if (n == m && memcmp(a, b, n) == 0)
		return true;
	const char *x = is_constant(a) ? data_of(a) : NULL, *y = is_constant(b) ? data_of(b) : NULL;
	return x && y && x - a == y - b && memcmp(a, b, (size_t)(x - a)) == 0;
}

static bool same_text(arena *a, const char *x, const char *y, const char **why)
{
	for (int line = 1; *x || *y; line++) {
		if (!same_line(x, y)) {
			*why = arena_printf(a, "the text reads back as something else in line %d:\n%.*s\n%.*s", line, (int)line_length(x), x,
			                    (int)line_length(y), y);
			return false;
		}
		x += line_length(x) + (x[line_length(x)] == '\n');
		y += line_length(y) + (y[line_length(y)] == '\n');
	}
	return true;
}

bool verify_text(const char *text, arena *scratch, print_again again, const char **why)
{
	diag *d = diag_new(scratch, NULL);
	const char *read = readable(scratch, text), *twice = again(scratch, read, d);
	if (!twice) {
		*why = arena_printf(scratch, "the text does not read back: %s", diag_text(d));
		return false;
	}
	return same_text(scratch, text, twice, why);
}
