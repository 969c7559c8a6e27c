/*
 * pair - the same question to both sides at once
 *
 * Each side has two sessions: `main` reads rows in a snapshot, `aside` holds the lock that
 * keeps purges out while the two snapshots are taken, and reads what came later.
 */
#ifndef WORKER_SCAN_PAIR_H
#define WORKER_SCAN_PAIR_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"

struct json_t;

enum bm_pair_side { BM_PAIR_SOURCE, BM_PAIR_DESTINATION, BM_PAIR_SIDES };

/* Of one statement: a range of some seconds, or the whole of a table that has no ranges. */
#define BM_PAIR_LIMIT_MSEC ((uint64_t)4 * 60 * 60 * 1000)

/* Statements from here on end by then (bm_clock_msec()); 0: each has the limit above. Of the
 * thread. */
void bm_pair_end_by(uint64_t end_msec);

struct bm_pair {
	PGconn *main[BM_PAIR_SIDES], *aside[BM_PAIR_SIDES];
};

const char *bm_pair_side_name(enum bm_pair_side side); /* "source", "destination" */

int bm_pair_open(struct bm_pair *pair, const struct bm_conninfo *source,
		const struct bm_conninfo *destination, struct bm_error *err);
void bm_pair_close(struct bm_pair *pair);

/* A session of it is of no use any more. */
bool bm_pair_is_lost(const struct bm_pair *pair);

/* What a report says of a server and its database. NULL with `err`. */
struct json_t *bm_pair_describe(PGconn *conn, struct bm_error *err);

/* One database under two names. */
int bm_pair_refuse_itself(struct bm_pair *pair, struct bm_error *err);

/* One statement on one side. */
PGresult *bm_pair_ask_one(PGconn *conn, const char *sql, int count, const char *const *params,
		struct bm_error *err);
int bm_pair_do(PGconn *conn, const char *sql, struct bm_error *err);

/* A statement on each side, at the same time; `results` (PQclear) are set only with 0. The
 * error names the side, which `failed` (NULL: not wanted) gets as well. */
int bm_pair_ask(PGconn *const *conns, const char *const *sql, int count,
		const char *const *params, PGresult **results, enum bm_pair_side *failed,
		struct bm_error *err);

#endif
