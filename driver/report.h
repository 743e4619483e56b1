/* What a compiled program does and how much memory it takes. */
#pragma once

#include "driver/options.h"
#include "ir/kernel.h"

void report_print(FILE *to, const program *p, report_form form);
