/* The thread pool: one fork and join per parallel kernel, a third of a microsecond when the workers are awake.
 *
 * A job is published by storing one sequence number: generation * PARTICIPANTS + the number of threads that take part;
 * 0 participants end the workers. Thread t of p does the t-th of p contiguous shares, thread 0 being the caller, so
 * the partition depends on n and p alone. Invariants:
 *   - the job's fields are written only while no participant of an earlier job is unfinished, and are read only by
 *     participants; a worker that is left out sees just the number, so nobody has to wait for it;
 *   - a worker's `done` is the last sequence number that it has finished, on its own cache line with `asleep`;
 *   - whoever sleeps sets its word first and then looks again at what it waits for; whoever provides that stores first
 *     and then looks at the word. All four are sequentially consistent: one of the two sees the other. The stores
 *     are exchanges, the same instruction on x86, because qemu lets an aarch64 store pass a later load;
 *   - `busy` is held by the one caller whose job it is; other callers, and nested ones, work alone instead.
 * Waiting is SPINS pauses, then a futex (a condition variable elsewhere). Now and then a pause is a yield: the kernel may
 * have put the worker that was just woken on the very CPU that spins for it (a fork and join after 5 ms of rest took
 * 700 us without it, 16 us with it, on two CPUs). With more threads than CPUs spinning only keeps the others from
 * working, so it is short then. */
#ifndef DLRT_NO_THREADS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE   /* sched_getaffinity, syscall */
#endif
#endif

#include "dlrt_internal.h"

dlrt_status dlrt_threads_from_host(dlrt_threads *threads, dlrt_parallel *parallel, void *user, int n)
{
	if (!threads || !parallel)
		return DLRT_NULL;
	if (n < 1)
		return DLRT_RANGE;
	*threads = (dlrt_threads){.parallel = parallel, .pool = user, .n = n};
	return DLRT_OK;
}

#if defined(DLRT_NO_THREADS) || defined(DLRT_NO_MALLOC)

dlrt_threads *dlrt_threads_new(int n)
{
	(void)n;
	return NULL;
}

void dlrt_threads_free(dlrt_threads *threads)
{
	(void)threads;
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__) && !defined(DLRT_NO_FUTEX)
#define USE_FUTEX 1
#include <linux/futex.h>
#include <sys/syscall.h>
#if !defined(SYS_futex) && defined(SYS_futex_time64)
#define SYS_futex SYS_futex_time64
#endif
#else
#define USE_FUTEX 0
#endif

enum {
	CACHE_LINE = 64,
	MAX_THREADS = 256,
	PARTICIPANTS = 1024,          /* > MAX_THREADS */
	SPINS = 20000,                /* 0.2 to 1 ms */
	SPINS_CROWDED = 50,
	YIELD_EVERY = 128,            /* spins, about 5 us */
	WORKER_STACK_BYTES = 1 << 20,
};

typedef struct pool pool;

typedef struct worker {
	_Alignas(CACHE_LINE) _Atomic uint64_t done;
	_Atomic uint32_t asleep;
	int32_t index;                /* 1 .. n-1 */
	pool *pool;
	pthread_t thread;
} worker;

struct pool {
	dlrt_threads threads;         /* what the application holds; first, so that it is the pool's address too */
	int32_t spins;
	int32_t n_started;
#if !USE_FUTEX
	pthread_mutex_t mutex;
	pthread_cond_t changed;
#endif
	_Alignas(CACHE_LINE) _Atomic uint32_t busy;
	_Atomic uint32_t caller_asleep;
	_Alignas(CACHE_LINE) _Atomic uint64_t sequence;
	dlrt_task *task;
	void *args;
	int64_t n;
	worker workers[];             /* n-1: worker i is thread i + 1 */
};

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb");      /* `yield` does nothing on most cores */
#endif
}

/* Sleeps while *word is 1; may also return early. */
static void sleep_on(pool *p, _Atomic uint32_t *word)
{
#if USE_FUTEX
	(void)p;
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
#else
	pthread_mutex_lock(&p->mutex);
	while (atomic_load(word))
		pthread_cond_wait(&p->changed, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
#endif
}

/* Wakes who sleeps on *word, if it is 1. */
static void wake(pool *p, _Atomic uint32_t *word)
{
	if (!atomic_load(word))
		return;
#if USE_FUTEX
	(void)p;
	atomic_store(word, 0);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
#else
	pthread_mutex_lock(&p->mutex);
	atomic_store(word, 0);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
#endif
}

/* Waits until *value differs from `old` and returns it; `asleep` is the waiting thread's own word. */
static uint64_t wait_change(pool *p, _Atomic uint64_t *value, uint64_t old, _Atomic uint32_t *asleep)
{
	for (int32_t spin = 0; spin < p->spins; spin++) {
		uint64_t now = atomic_load_explicit(value, memory_order_acquire);
		if (now != old)
			return now;
		if (spin % YIELD_EVERY == YIELD_EVERY - 1)
			sched_yield();
		else
			pause_cpu();
	}
	for (;;) {
		atomic_exchange(asleep, 1);
		uint64_t now = atomic_load(value);
		if (now != old) {
			atomic_store(asleep, 0);
			return now;
		}
		sleep_on(p, asleep);
	}
}

/* The share of thread `index` among `participants` is never empty when n >= participants. */
static void do_share(const pool *p, int64_t index, int64_t participants)
{
	int64_t each = p->n / participants;
	int64_t extra = p->n % participants;
	int64_t begin = each * index + (index < extra ? index : extra);
	p->task(p->args, begin, begin + each + (index < extra));
}

static void *work(void *argument)
{
	worker *w = argument;
	pool *p = w->pool;
	uint64_t seen = 0;
	for (;;) {
		seen = wait_change(p, &p->sequence, seen, &w->asleep);
		int64_t participants = (int64_t)(seen % PARTICIPANTS);
		if (participants == 0)
			return NULL;
		if (w->index >= participants)
			continue;
		do_share(p, w->index, participants);
		atomic_exchange(&w->done, seen);
		wake(p, &p->caller_asleep);
	}
}

/* Publishes a job (or the end) and wakes those of the first `n_workers` workers that sleep. */
static uint64_t publish(pool *p, int64_t participants, int32_t n_workers)
{
	uint64_t last = atomic_load_explicit(&p->sequence, memory_order_relaxed);
	uint64_t next = (last / PARTICIPANTS + 1) * PARTICIPANTS + (uint64_t)participants;
	atomic_exchange(&p->sequence, next);
	for (int32_t i = 0; i < n_workers; i++)
		wake(p, &p->workers[i].asleep);
	return next;
}

static void join_worker(pool *p, worker *w, uint64_t job)
{
	uint64_t done = atomic_load_explicit(&w->done, memory_order_acquire);
	while (done != job)
		done = wait_change(p, &w->done, done, &p->caller_asleep);
}

static void pool_parallel(void *user, dlrt_task *task, void *args, int64_t n)
{
	pool *p = user;
	int64_t participants = n < p->threads.n ? n : p->threads.n;
	if (n <= 0)
		return;
	if (participants == 1 || atomic_exchange_explicit(&p->busy, 1, memory_order_acquire)) {
		task(args, 0, n);
		return;
	}
	p->task = task;
	p->args = args;
	p->n = n;
	int32_t n_workers = (int32_t)participants - 1;
	uint64_t job = publish(p, participants, n_workers);
	do_share(p, 0, participants);
	for (int32_t i = 0; i < n_workers; i++)
		join_worker(p, &p->workers[i], job);
	atomic_store_explicit(&p->busy, 0, memory_order_release);
}

/* The CPUs that this process may use. */
static int count_cpus(void)
{
#ifdef __linux__
	cpu_set_t set;
	if (!sched_getaffinity(0, sizeof set, &set))
		return CPU_COUNT(&set);
#endif
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

/* Starts workers until one fails. They take no signals: the host's handlers expect the host's threads. */
static void start_workers(pool *p)
{
	pthread_attr_t attributes;
	if (pthread_attr_init(&attributes))
		return;
	pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int32_t i = 0; i < p->threads.n - 1; i++) {
		worker *w = &p->workers[i];
		*w = (worker){.index = i + 1, .pool = p};
		if (pthread_create(&w->thread, &attributes, work, w))
			break;
		p->n_started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

dlrt_threads *dlrt_threads_new(int n)
{
	int cpus = count_cpus();
	if (n <= 0)
		n = cpus;
	if (n > MAX_THREADS)
		n = MAX_THREADS;
	size_t bytes = sizeof(pool) + (size_t)(n - 1) * sizeof(worker);
	pool *p = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	if (!p)
		return NULL;
	*p = (pool){
		.threads = {.parallel = n > 1 ? pool_parallel : NULL, .pool = p, .n = n},
		.spins = n <= cpus ? SPINS : SPINS_CROWDED,
	};
#if !USE_FUTEX
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->changed, NULL);
#endif
	start_workers(p);
	if (p->n_started == n - 1)
		return &p->threads;
	dlrt_threads_free(&p->threads);
	return NULL;
}

void dlrt_threads_free(dlrt_threads *threads)
{
	if (!threads)
		return;
	pool *p = (pool *)threads;
	publish(p, 0, p->n_started);
	for (int32_t i = 0; i < p->n_started; i++)
		pthread_join(p->workers[i].thread, NULL);
#if !USE_FUTEX
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->mutex);
#endif
	free(p);
}

#endif
