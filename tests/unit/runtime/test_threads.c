/* The thread pool: every index once whatever the sizes, many callers at once, and idle workers that sleep. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "models.h"

#ifndef ROUNDS
#define ROUNDS 10000
#endif

enum { MOST = 64, CALLERS = 8 };

typedef struct coverage {
	int count[MOST];              /* unsynchronised on purpose: a wrong join is a race that TSan sees */
	_Atomic int n_tasks;
	_Atomic int n_bad;            /* empty or outside ranges */
	int64_t n;
} coverage;

static void cover(void *args, int64_t begin, int64_t end)
{
	coverage *c = args;
	atomic_fetch_add(&c->n_tasks, 1);
	if (begin < 0 || begin >= end || end > c->n)
		atomic_fetch_add(&c->n_bad, 1);
	for (int64_t i = begin; i < end; i++)
		c->count[i]++;
}

static int errors_of(const coverage *c, int64_t n, int rounds, int n_threads)
{
	int errors = atomic_load(&c->n_bad);
	for (int64_t i = 0; i < n; i++)
		errors += c->count[i] != rounds;
	int most = n < n_threads ? (int)n : n_threads;
	return errors + (atomic_load(&c->n_tasks) > most * rounds);
}

static void run_on(const dlrt_threads *t, dlrt_task *task, void *args, int64_t n)
{
	if (t->parallel)
		t->parallel(t->pool, task, args, n);
	else if (n)
		task(args, 0, n);
}

static void test_coverage(void **state)
{
	(void)state;
	for (int n_threads = 1; n_threads <= 8; n_threads++) {
		dlrt_threads *t = dlrt_threads_new(n_threads);
		assert_non_null(t);
		assert_int_equal(t->n, n_threads);
		for (int64_t n = 0; n <= MOST; n++) {
			coverage c = {.n = n};
			for (int round = 0; round < ROUNDS / MOST; round++)
				run_on(t, cover, &c, n);
			assert_int_equal(errors_of(&c, n, ROUNDS / MOST, n_threads), 0);
		}
		dlrt_threads_free(t);
	}
}

/* Every thread takes part, and the partition does not depend on time. */
static void note_share(void *args, int64_t begin, int64_t end)
{
	int64_t *ends = args;
	ends[begin] = end;
}

static void test_partition(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(3);
	assert_non_null(t);
	for (int round = 0; round < 1000; round++) {
		int64_t ends[8] = {0};
		run_on(t, note_share, ends, 8);
		const int64_t wanted[8] = {3, 0, 0, 6, 0, 0, 8, 0};
		assert_memory_equal(ends, wanted, sizeof ends);
	}
	dlrt_threads_free(t);
}

/* Jobs of one participant fewer each time leave workers out: they must not disturb the next job. */
static void test_left_out(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(4);
	assert_non_null(t);
	coverage c = {.n = 4};
	for (int round = 0; round < ROUNDS; round++)
		run_on(t, cover, &c, 1 + round % 4);
	assert_int_equal(atomic_load(&c.n_bad), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(c.count[i], ROUNDS / 4 * (4 - i));
	dlrt_threads_free(t);
}

static void add_length(void *args, int64_t begin, int64_t end)
{
	atomic_fetch_add((_Atomic int64_t *)args, end - begin);
}

static void test_huge_range(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(2);
	assert_non_null(t);
	_Atomic int64_t total = 0;
	run_on(t, add_length, &total, INT64_MAX);
	assert_true(atomic_load(&total) == INT64_MAX);
	dlrt_threads_free(t);
}

typedef struct caller {
	pthread_t thread;
	const dlrt_threads *threads;
	int errors;
} caller;

static void *call_often(void *argument)
{
	caller *me = argument;
	for (int round = 0; round < ROUNDS / CALLERS; round++) {
		coverage c = {.n = MOST};
		run_on(me->threads, cover, &c, MOST);
		me->errors += errors_of(&c, MOST, 1, me->threads->n);
	}
	float a[30], b[30], sum[30], twice[20];
	_Alignas(64) char workspace[128];
	for (int i = 0; i < 30; i++) {
		a[i] = (float)i;
		b[i] = 1;
	}
	const int64_t n = 10;
	for (int round = 0; round < ROUNDS / CALLERS; round++) {
		memset(sum, 0, sizeof sum);
		me->errors += dlrt_run_typed(&add_rows, (const void *[]){a, b}, (void *[]){sum, twice}, &n, workspace,
		                             me->threads) != DLRT_OK;
		for (int i = 0; i < 30; i++)
			me->errors += sum[i] != (float)(i + 1);
	}
	return NULL;
}

static void test_callers(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(3);
	assert_non_null(t);
	caller callers[CALLERS];
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (caller){.threads = t};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].errors, 0);
	}
	dlrt_threads_free(t);
}

typedef struct nesting {
	const dlrt_threads *threads;
	_Atomic int64_t sum;
} nesting;

static void nested(void *args, int64_t begin, int64_t end)
{
	nesting *n = args;
	for (int64_t i = begin; i < end; i++)
		run_on(n->threads, add_length, &n->sum, 10);
}

static void test_nested(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(2);
	assert_non_null(t);
	nesting n = {.threads = t};
	run_on(t, nested, &n, 100);
	assert_int_equal(atomic_load(&n.sum), 1000);
	dlrt_threads_free(t);
}

static double cpu_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void test_idle(void **state)
{
	(void)state;
	dlrt_threads *t = dlrt_threads_new(4);
	assert_non_null(t);
	coverage c = {.n = MOST};
	run_on(t, cover, &c, MOST);
	double before = cpu_ms();
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	double used = cpu_ms() - before;
	if (used >= 30)
		fail_msg("an idle pool used %f ms of CPU time in 200 ms", used);
	for (int i = 0; i < 20; i++) {   /* and it wakes from its sleep, each time */
		run_on(t, cover, &c, MOST);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	assert_int_equal(errors_of(&c, MOST, 21, 4), 0);
	dlrt_threads_free(t);
}

static void test_new_and_free(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		dlrt_threads *t = dlrt_threads_new(1 + i % 5);
		assert_non_null(t);
		if (i % 2)
			run_on(t, add_length, &(_Atomic int64_t){0}, 8);
		dlrt_threads_free(t);
	}
	dlrt_threads *automatic = dlrt_threads_new(0);
	assert_non_null(automatic);
	assert_true(automatic->n >= 1);
	dlrt_threads_free(automatic);
	dlrt_threads_free(NULL);
}

typedef struct host {
	int jobs;
} host;

/* A host that cuts a job in its own way. */
static void host_parallel(void *user, dlrt_task *task, void *args, int64_t n)
{
	((host *)user)->jobs++;
	for (int64_t i = 0; i < n; i++)
		task(args, i, i + 1);
}

static void test_host(void **state)
{
	(void)state;
	host h = {0};
	dlrt_threads t;
	assert_int_equal(dlrt_threads_from_host(NULL, host_parallel, &h, 4), DLRT_NULL);
	assert_int_equal(dlrt_threads_from_host(&t, NULL, &h, 4), DLRT_NULL);
	assert_int_equal(dlrt_threads_from_host(&t, host_parallel, &h, 0), DLRT_RANGE);
	assert_int_equal(dlrt_threads_from_host(&t, host_parallel, &h, 4), DLRT_OK);
	float a[6] = {1, 2, 3, 4, 5, 6}, sum[6] = {0}, twice[4];
	_Alignas(64) char workspace[64];
	const int64_t n = 2;
	assert_int_equal(dlrt_run_typed(&add_rows, (const void *[]){a, a}, (void *[]){sum, twice}, &n, workspace, &t),
	                 DLRT_OK);
	assert_int_equal(h.jobs, 1);
	assert_true(sum[0] == 2 && sum[5] == 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_partition),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_huge_range),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_new_and_free),
		cmocka_unit_test(test_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
