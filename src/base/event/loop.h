/*
 * loop - the inside of struct bm_loop, for the files of event/ only
 *
 * Each part belongs to the file named above it; the others use its functions.
 */
#ifndef BASE_EVENT_LOOP_H
#define BASE_EVENT_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/spawn.h"

/* ---- reaper.c ---- */

#define BM_ORPHANS_KEPT 64

struct bm_child;

struct bm_orphan {
	pid_t pid;
	int status;
};

struct bm_reaper {
	struct bm_child *children; /* those somebody answers for */
	struct bm_orphan orphans[BM_ORPHANS_KEPT];
	uint64_t orphan_count;
	uv_idle_t again; /* runs while an iteration's share did not empty the queue */
};

int bm_reaper_init(struct bm_loop *loop, struct bm_error *err);
void bm_reaper_finish(struct bm_loop *loop);

/* Wait for every child that has ended, an iteration's share at most; the rest comes with the
 * next. */
void bm_reaper_run(struct bm_loop *loop);

/* Memory for bm_reaper_add(), made before the fork so that nothing can fail after it. */
struct bm_child *bm_reaper_prepare(bm_exit_cb *cb, void *ctx);
void bm_reaper_add(struct bm_loop *loop, struct bm_child *child, pid_t pid);

/* ---- signals.c ---- */

struct bm_signals {
	int fd;
	uv_poll_t poll;
	void (*cb)(void *ctx, int signo);
	void *ctx;
	uint64_t unheard; /* bit N: signal N came before anybody asked */
};

int bm_signals_init(struct bm_loop *loop, struct bm_error *err);
void bm_signals_finish(struct bm_loop *loop);

/* ---- log_pump.c ---- */

struct bm_log_pump {
	uv_prepare_t before_wait;
	int epoll_fd;  /* holds the log's descriptor while lines wait */
	int waited_fd; /* that descriptor; -1: none */
	uv_poll_t poll;
	uv_timer_t retry; /* for what cannot be polled */
};

int bm_log_pump_init(struct bm_loop *loop, struct bm_error *err);
void bm_log_pump_finish(struct bm_loop *loop);

/* ---- iterations.c ---- */

struct bm_iterations {
	uv_prepare_t before_wait;
	uint64_t last_nsec, idle_nsec;	    /* at the last wait: the clock, and libuv's sum */
	uint64_t span_nsec;		    /* when the current span began */
	uint64_t longest_nsec, before_nsec; /* of this span, and of the one before */
};

int bm_iterations_init(struct bm_loop *loop, struct bm_error *err);

/* ---- loop.c ---- */

struct bm_deferred;

struct bm_loop {
	uv_loop_t uv;
	uv_idle_t deferred_idle;
	struct bm_deferred *deferred, **deferred_end;
	struct bm_signals signals;
	struct bm_reaper reaper;
	struct bm_log_pump log_pump;
	struct bm_iterations iterations;
};

/* Fill `err` from a libuv result: "cannot WHAT: reason". Returns -1. */
int bm_uv_error(struct bm_error *err, int result, const char *what);

/* ---- begin.c ---- */

/* Mark every descriptor from `first` on close-on-exec. Safe between fork and exec. */
void bm_descriptors_close_on_exec(int first);

/* Set every signal to its default action. Safe between fork and exec. */
void bm_dispositions_reset(bool keep);
void bm_mask_reset(bool keep);

/* ---- process.c ---- */

/* A pidfd, or -1 with errno. May use the reserve: call bm_reserve_fill() afterwards. */
int bm_process_open(pid_t pid);

/* ---- reserve.c: descriptors kept back for the moment none are left ---- */

void bm_reserve_fill(void);

/* True when descriptors had run out (errno says so) and one try more makes sense;
 * call bm_reserve_fill() after it. */
bool bm_reserve_lend(void);

#endif
