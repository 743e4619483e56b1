/* Time per kernel, in the caller's memory. The cost is two clock readings per kernel. */
#if !defined(DLRT_NO_CLOCK) && defined(DLRT_NO_THREADS) && defined(DLRT_NO_MALLOC)
#define DLRT_NO_CLOCK   /* bare metal: the host passes its own */
#endif
#ifndef DLRT_NO_CLOCK
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#endif

#include "dlrt_internal.h"

static uint64_t system_clock(void *user)
{
	(void)user;
#ifdef DLRT_NO_CLOCK
	return 0;
#else
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return 0;
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
#endif
}

dlrt_status dlrt_profile_init(dlrt_profile *profile, dlrt_profile_entry *entries, int n_entries, dlrt_clock *clock,
                              void *clock_user)
{
	if (n_entries < 0)
		return DLRT_COUNT;
	if (!profile || (n_entries && !entries))
		return DLRT_NULL;
	for (int i = 0; i < n_entries; i++)
		entries[i] = (dlrt_profile_entry){0};
	*profile = (dlrt_profile){
		.entries = entries,
		.n_entries = n_entries,
		.clock = clock ? clock : system_clock,
		.clock_user = clock_user,
	};
	return DLRT_OK;
}

void dlrt_profile_step(void *user, int32_t kernel, int32_t phase)
{
	dlrt_profile *p = user;
	if (kernel < 0 || kernel >= p->n_entries)
		return;
	dlrt_profile_entry *e = &p->entries[kernel];
	uint64_t now = p->clock(p->clock_user);
	if (phase == 0) {
		e->begin_ns = now;
		return;
	}
	uint64_t ns = now - e->begin_ns;
	e->min_ns = e->count && e->min_ns < ns ? e->min_ns : ns;
	e->total_ns += ns;
	e->count++;
}
