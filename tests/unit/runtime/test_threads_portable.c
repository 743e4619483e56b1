/* The tests of the thread pool again, for systems without futex: this file brings its own dlrt_threads.c. */
#define DLRT_NO_FUTEX
#include "runtime/dlrt_threads.c"

#define ROUNDS 2000   /* a condition variable is slow when there are more threads than CPUs */
#include "test_threads.c"
