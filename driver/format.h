/* Numbers for people, each in one way; and text inside JSON and HTML. */
#pragma once

#include "support/str.h"

/* "1.50 MB", "3.20 GFLOP/s", "999": three digits and a prefix of 1000. */
void add_quantity(str *s, double value, const char *unit);
/* "1.50 ms", "25.0 µs". */
void add_seconds(str *s, double seconds);

/* A JSON string with its quotes, an HTML text (also fit for an attribute between double quotes).  Control bytes and invalid
 * UTF-8 become \xNN first, so the result is valid whatever the bytes are. */
void add_json_text(str *s, const char *text);
void add_html_text(str *s, const char *text);
/* At most so many bytes of the text, and an ellipsis. */
void add_html_cut(str *s, const char *text, size_t most);
