/* --tune: which strategies and panels suit this machine, by measuring. */
#pragma once

#include "driver/compile.h"

/* Adds to o->tuning what it does not know yet of the problems of g, on which the passes before the first that looks at the
 * target have run, and writes it to o->tuning_path.  False after errors: the target is not this machine, say. */
bool tune(compilation *c, const graph *g, const compile_options *o, diag *d);
