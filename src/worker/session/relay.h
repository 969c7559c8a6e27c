/*
 * relay - COPY after COPY from one session straight into another
 *
 * What COPY ... TO STDOUT sends is, byte by byte, what COPY ... FROM STDIN wants to
 * get; only where a message ends is free. The relay passes the bytes on as they come, in
 * messages of its own. It holds at most two buffers of BM_RELAY_BUFFER bytes and one
 * message whatever a row holds, reads the source only as
 * fast as the destination takes, and sends the statements of the next items ahead,
 * so that a thousand small tables do not cost a thousand round trips.
 */
#ifndef WORKER_SESSION_RELAY_H
#define WORKER_SESSION_RELAY_H

#include <libpq-fe.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "worker/rate/rate_limit.h"

#define BM_RELAY_BUFFER ((size_t)256 * 1024)

struct bm_relay_item {
	const char *name;     /* for messages */
	const char *copy_out; /* COPY ... TO STDOUT, for the source */
	const char *copy_in;  /* COPY ... FROM STDIN, for the destination */
	uint64_t rows, bytes; /* out: what went over */
};

/*
 * Run all items, in order, no faster than `rate_limit` says. `moved` grows by the bytes that
 * are passed on, and `rows` by the rows.
 * The destination is inside a transaction of the caller, who commits it. After a
 * failure both sessions are in the middle of something: close them.
 */
int bm_relay_run(PGconn *source, PGconn *destination, struct bm_relay_item *items, size_t count,
		struct bm_rate_limit *rate_limit, _Atomic uint64_t *moved,
		_Atomic uint64_t *rows, struct bm_error *err);

/* The same, as fast as it goes, that fails with BM_ERR_TIMEOUT at `deadline_msec`, a time of
 * bm_clock_msec(). */
int bm_relay_run_until(PGconn *source, PGconn *destination, struct bm_relay_item *items,
		size_t count, uint64_t deadline_msec, struct bm_error *err);

#endif
