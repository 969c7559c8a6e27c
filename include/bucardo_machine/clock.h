/* clock - two times: monotonic for waiting, wall for telling. */
#ifndef BUCARDO_MACHINE_CLOCK_H
#define BUCARDO_MACHINE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_BOOTTIME in milliseconds: goes on during suspend, never jumps back. */
uint64_t bm_clock_msec(void);

/* Wall clock, milliseconds since the epoch: for people and files only. */
int64_t bm_clock_wall_msec(void);

/* Room for bm_clock_format() and bm_clock_format_span(). */
#define BM_CLOCK_TEXT_SIZE 32

/* "2026-11-23T06:00:00.123Z" into `out` (BM_CLOCK_TEXT_SIZE bytes); returns out. */
const char *bm_clock_format(int64_t wall_msec, char *out);

/* "under 1 s", "12 s", "3 min 20 s", "2 h", "3 d 4 h" into `out`, which it returns: the two
 * largest units that say something. The one way to write a span of time for people. */
const char *bm_clock_format_span(uint64_t msec, char *out);

#endif
