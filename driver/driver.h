/* The commands: one function each, which returns the exit status. */
#pragma once

#include "driver/options.h"

int command_compile(options *o, diag *d);
int command_run(options *o, diag *d);
int command_test(options *o, diag *d);
int command_bench(options *o, diag *d);
