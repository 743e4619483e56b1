#include "driver/format.h"

#include <math.h>
#include <string.h>

typedef struct prefix {
	double of;
	const char *text;
} prefix;

/* Three digits of value / p->of; the first prefix that leaves at least 1 counts, the last one otherwise. */
static void add_scaled(str *s, double value, const prefix *p, const char *unit)
{
	while (p[1].text && fabs(value) < p->of * 0.9995)
		p++;
	double scaled = value / p->of, size = fabs(scaled);
	bool whole = p->of == 1 && scaled == floor(scaled);
	str_addf(s, "%.*f", whole || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2, scaled);
	if (*p->text || *unit)
		str_addf(s, " %s%s", p->text, unit);
}

void add_quantity(str *s, double value, const char *unit)
{
	static const prefix prefixes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {0, NULL}};
	add_scaled(s, value, prefixes, unit);
}

void add_seconds(str *s, double seconds)
{
	static const prefix prefixes[] = {{1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {0, NULL}};
	add_scaled(s, seconds, prefixes, "s");
}

static str clean(str *s, const char *text)
{
	str shown = str_new(s->a);
	str_add_escaped(&shown, text ? text : "", text ? strlen(text) : 0, "");
	return shown;
}

void add_json_text(str *s, const char *text)
{
	str shown = clean(s, text);
	str_addc(s, '"');
	for (size_t i = 0; i < shown.len; i++) {
		if (shown.data[i] == '"' || shown.data[i] == '\\')
			str_addc(s, '\\');
		str_addc(s, shown.data[i]);
	}
	str_addc(s, '"');
}

void add_html_text(str *s, const char *text)
{
	static const struct { char c; const char *entity; } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
	str shown = clean(s, text);
	for (size_t i = 0; i < shown.len; i++) {
		const char *entity = NULL;
		for (size_t k = 0; k < sizeof entities / sizeof *entities; k++)
			if (shown.data[i] == entities[k].c)
				entity = entities[k].entity;
		if (entity)
			str_add(s, entity);
		else
			str_addc(s, shown.data[i]);
	}
}

void add_html_cut(str *s, const char *text, size_t most)
{
	str cut = str_new(s->a);
	bool longer = strlen(text) > most;
	while (longer && most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--; /* not within a character */
	str_addn(&cut, text, longer ? most : strlen(text));
	add_html_text(s, cut.data);
	if (longer)
		str_add(s, "…");
}
