/*
 * event - the loop and what can wake it
 *
 * One libuv loop, one thread. Objects are opaque; each is made for a loop and
 * given back with its close function, after which its callback never comes
 * again (the memory goes in libuv's close callback). A callback may close its
 * own object. No callback ever comes before the function that set it returns.
 *
 * Children are in spawn.h, lines of their output in lines.h.
 */
#ifndef BUCARDO_MACHINE_EVENT_H
#define BUCARDO_MACHINE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"

/*
 * The first thing a long-running role does, before files, threads and argv:
 * block every signal but the faults, set dispositions a dirty parent may have
 * ignored back to default, make sure descriptors 0-2 exist, mark all others
 * close-on-exec, become a subreaper when not PID 1.
 */
int bm_event_begin(struct bm_error *err);

struct bm_loop;

struct bm_loop *bm_loop_create(struct bm_error *err);

/* Run until bm_loop_stop(). The log's ring is drained while it runs. */
void bm_loop_run(struct bm_loop *loop);
void bm_loop_stop(struct bm_loop *loop);

/* Close what is still open and free the loop; NULL is accepted. */
void bm_loop_destroy(struct bm_loop *loop);

/*
 * The longest time that the loop was busy without looking for new events, in the last
 * 10 to 20 seconds: nothing is answered for so long. Microseconds, waits not counted.
 */
uint64_t bm_loop_longest_iteration_usec(const struct bm_loop *loop);

/* Call `cb` soon, from the loop, once; used to leave a callback's stack. */
void bm_loop_defer(struct bm_loop *loop, void (*cb)(void *ctx), void *ctx);

/* ---- one-shot timers ---- */

struct bm_timer;

struct bm_timer *bm_timer_create(struct bm_loop *loop, void (*cb)(void *ctx), void *ctx);
void bm_timer_arm(struct bm_timer *timer, uint64_t msec); /* again: replaces the time */
void bm_timer_disarm(struct bm_timer *timer);
bool bm_timer_is_armed(const struct bm_timer *timer);
void bm_timer_close(struct bm_timer *timer); /* NULL is accepted */

/* ---- descriptors ---- */

enum bm_io { BM_IO_READ = 1, BM_IO_WRITE = 2, BM_IO_ERROR = 4 };

struct bm_watch;

/*
 * Call `cb` whenever `fd` is ready for `events` (a set of enum bm_io). The
 * descriptor is borrowed: close it only after bm_watch_close() returned.
 */
struct bm_watch *bm_watch_create(struct bm_loop *loop, int fd, int events,
		void (*cb)(void *ctx, int events), void *ctx, struct bm_error *err);
int bm_watch_change(struct bm_watch *watch, int events, struct bm_error *err); /* 0: pause */
void bm_watch_close(struct bm_watch *watch); /* NULL is accepted */

/*
 * Call `cb` after anything in the folder `path` changed (created, written,
 * renamed, removed), at most once in 50 ms. A folder that does not exist is an
 * error. `name` is the entry's name, or NULL when several changed.
 */
struct bm_folder_watch;
struct bm_folder_watch *bm_folder_watch_create(struct bm_loop *loop, const char *path,
		void (*cb)(void *ctx, const char *name), void *ctx, struct bm_error *err);
void bm_folder_watch_close(struct bm_folder_watch *watch); /* NULL is accepted */

/* ---- signals ---- */

/*
 * Call `cb` for each of SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 that
 * reaches this process (coalesced like all signals). They come through a
 * signalfd and cannot be lost, those sent before this call included. SIGCHLD is
 * the reaper's own.
 */
void bm_loop_on_signal(struct bm_loop *loop, void (*cb)(void *ctx, int signo), void *ctx);

#endif
