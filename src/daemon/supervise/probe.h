/*
 * probe - one question to a program: are you ready?
 *
 * By a connection to a numeric TCP address, or by a command that exits 0. One
 * question at a time; the answer comes from the loop, at the latest after the limit.
 */
#ifndef DAEMON_SUPERVISE_PROBE_H
#define DAEMON_SUPERVISE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

struct bm_probe;

struct bm_probe *bm_probe_create(struct bm_loop *loop,
		void (*answered)(void *ctx, bool ready, const char *why), void *ctx);

/* Ask; an earlier question is forgotten. `why` of the answer is "" when ready. */
void bm_probe_ask_tcp(struct bm_probe *probe, const char *address, uint64_t limit_msec);
void bm_probe_ask_exec(struct bm_probe *probe, const char *const *argv, const char *const *env,
		const char *cwd, uint64_t limit_msec);

/* Forget the question: no answer comes. */
void bm_probe_cancel(struct bm_probe *probe);

void bm_probe_close(struct bm_probe *probe); /* NULL is accepted */

#endif
