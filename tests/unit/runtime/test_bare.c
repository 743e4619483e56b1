/* The runtime of a board: no threads, no malloc, no clock. This file brings its own copy of the runtime. */
#define DLRT_NO_THREADS
#define DLRT_NO_MALLOC
#include "runtime/dlrt_check.c"
#include "runtime/dlrt_cpu.c"
#include "runtime/dlrt_error.c"
#include "runtime/dlrt_profile.c"
#include "runtime/dlrt_run.c"
#include "runtime/dlrt_threads.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "models.h"

static void test_no_pool(void **state)
{
	(void)state;
	assert_null(dlrt_threads_new(4));
	dlrt_threads_free(NULL);
}

static void test_workspace_is_needed(void **state)
{
	(void)state;
	float a[6] = {1, 2, 3, 4, 5, 6}, sum[6] = {0}, twice[4];
	_Alignas(64) char memory[64];
	char message[100];
	const dlrt_tensor in[2] = {{a, DLRT_F32, 2, {2, 3}}, {a, DLRT_F32, 2, {2, 3}}};
	dlrt_tensor out[2] = {{.data = sum}, {.data = twice}};
	dlrt_options o = {.message = message, .message_bytes = sizeof message};
	const int64_t n = 2;
	assert_int_equal(dlrt_run(&add_rows, in, out, &o), DLRT_MEMORY);
	assert_string_equal(message, "no workspace is given and there is no allocator for its 24 bytes");
	assert_int_equal(dlrt_run_typed(&add_rows, (const void *[]){a, a}, (void *[]){sum, twice}, &n, NULL, NULL),
	                 DLRT_MEMORY);
	o.workspace = memory;
	o.workspace_bytes = sizeof memory;
	assert_int_equal(dlrt_run(&add_rows, in, out, &o), DLRT_OK);
	assert_true(sum[5] == 12);
	sum[5] = 0;
	assert_int_equal(dlrt_run_typed(&add_rows, (const void *[]){a, a}, (void *[]){sum, twice}, &n, memory, NULL),
	                 DLRT_OK);
	assert_true(sum[5] == 12);
}

static void test_static_model(void **state)
{
	(void)state;
	float a[4] = {1, 2, 3, 4}, sum[4];
	assert_int_equal(dlrt_run_typed(&add_static, (const void *[]){a, a}, (void *[]){sum}, NULL, NULL, NULL), DLRT_OK);
	assert_true(sum[3] == 8);
}

/* A board's own heap: one block. */
static void *bump(void *user, size_t bytes, size_t align)
{
	(void)align;
	return bytes <= 64 ? user : NULL;
}

static void no_release(void *user, void *memory, size_t bytes)
{
	(void)user, (void)memory, (void)bytes;
}

static void test_own_allocator(void **state)
{
	(void)state;
	_Alignas(64) char memory[64];
	float x[3] = {-1, 7, 8};
	const dlrt_tensor in = {x, DLRT_F32, 1, {3}};
	dlrt_tensor out = {0};
	assert_int_equal(dlrt_run(&positive, &in, &out, NULL), DLRT_MEMORY);
	dlrt_options o = {.alloc = bump, .release = no_release, .alloc_user = memory};
	assert_int_equal(dlrt_run(&positive, &in, &out, &o), DLRT_OK);
	assert_ptr_equal(out.data, memory);
	assert_int_equal(out.dims[0], 2);
}

static void test_no_clock(void **state)
{
	(void)state;
	dlrt_profile p;
	dlrt_profile_entry e;
	assert_int_equal(dlrt_profile_init(&p, &e, 1, NULL, NULL), DLRT_OK);
	assert_int_equal(p.clock(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_pool),
		cmocka_unit_test(test_workspace_is_needed),
		cmocka_unit_test(test_static_model),
		cmocka_unit_test(test_own_allocator),
		cmocka_unit_test(test_no_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
