/* What every unit test includes first: cmocka and the headers that it needs before itself. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N_ROWS(table) (sizeof(table) / sizeof *(table))
#define RUN_TESTS(tests) cmocka_run_group_tests((tests), NULL, NULL)
