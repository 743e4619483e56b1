/* --cpu and --target: the machines that code is made for. */
#pragma once

#include "driver/options.h"
#include "ir/target.h"

typedef vec(const target *) cpu_list;

/* Those that the command line asks for, plainest first; several only where an object is made, else the one of them that runs
 * here.  Empty after errors. */
cpu_list cpus_of(const options *o, diag *d);
