/* What --verify-each checks of the text forms. */
#pragma once

#include "support/arena.h"
#include "support/diag.h"
#include "support/str.h"

#include <stdbool.h>

/* Reads text and prints what it read; NULL after reporting to d. */
typedef const char *(*print_again)(arena *a, const char *text, diag *d);

/* False when `text` does not read back as what it says; `why` then tells. */
bool verify_text(const char *text, arena *scratch, print_again again, const char **why);
