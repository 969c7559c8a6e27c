/*
 * watchdog - whether a process that says nothing still works
 *
 * A child that is to say something now and then, or to end some day, is not evaluated by the
 * clock: on a slow host all takes longer. What shows from outside that it works: it, or a
 * process that it started, uses the processor, waits for one (state R), or waits for a disk
 * (D). One that is stopped, or waits for something that does not come, shows nothing. What uses
 * next to no processor time only looks whether something has come. The clock alone is the last
 * resort, for what works and works and comes to nothing.
 */
#ifndef BUCARDO_MACHINE_WATCHDOG_H
#define BUCARDO_MACHINE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/event.h"

/* What was seen at the last look; {0} before the first. */
struct bm_work {
	uint64_t looked_msec; /* 0: never */
	uint64_t cpu_ticks;   /* of all of them, then */
};

/* Look at a process and those that it started: whether one of them works. Their processor time
 * counts from the second look on. `now_msec` is bm_clock_msec(). */
bool bm_work_check(struct bm_work *work, pid_t pid, uint64_t now_msec);

struct bm_watchdog;

/*
 * `cb` is called once when for `silence_msec` the process neither was heard nor worked, or was
 * not heard for `limit_msec`; `why` says which ("says nothing, and nothing shows that it works,
 * for 20 s"). It may close the watchdog. Release with bm_watchdog_close(); NULL is accepted.
 */
struct bm_watchdog *bm_watchdog_create(struct bm_loop *loop, uint64_t silence_msec,
		uint64_t limit_msec, void (*cb)(void *ctx, const char *why), void *ctx);
void bm_watchdog_watch(struct bm_watchdog *dog, pid_t pid); /* from now on; another: instead */
void bm_watchdog_received(struct bm_watchdog *dog);
void bm_watchdog_rest(struct bm_watchdog *dog); /* until the next bm_watchdog_watch() */
void bm_watchdog_close(struct bm_watchdog *dog);

#endif
