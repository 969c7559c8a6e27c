/*
 * sides - the sessions of one migration: with the source, the destination and the control
 * database
 *
 * A session is made when the first statement is for it, and made again when it was lost.
 *
 * Threads: one at a time.
 */
#ifndef WORKER_SESSION_SIDES_H
#define WORKER_SESSION_SIDES_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/phase_request.h"

struct json_t;

enum bm_side { BM_SIDE_CONTROL, BM_SIDE_SOURCE, BM_SIDE_DESTINATION, BM_SIDE_COUNT };

struct bm_phase {
	struct bm_phase_request request;
	enum bm_side catalog;		/* the side whose tables are selected from */
	PGconn *conns[BM_SIDE_COUNT];	/* NULL until asked for */
	bool is_replica[BM_SIDE_COUNT]; /* of these: in replica role, as our role may */
	const char *limits_sql;		/* for each session with a side; NULL none */
	uint64_t limit_msec;		/* of each statement; 0 ten minutes */
	void (*on_ask)(void);		/* before each statement; NULL nothing */
	struct json_t *evidence;	/* of the "done" line; of "failed" when there is any */
	char hint[1024];		/* of the "failed" line: what a person can do */
};

/* The connection to one side, made when there is none. NULL with `err`. */
PGconn *bm_phase_conn(struct bm_phase *phase, enum bm_side side, struct bm_error *err);

/* One statement at one side; as bm_ask(), with the limit of the phase. */
PGresult *bm_phase_ask(struct bm_phase *phase, enum bm_side side, const char *sql, int count,
		const char *const *params, struct bm_error *err);

/* The same without a result. */
int bm_phase_do(struct bm_phase *phase, enum bm_side side, const char *sql, int count,
		const char *const *params, struct bm_error *err);

/* A transaction of the control database. The triggers of schema bucardo, which would connect
 * to the databases for each row, are quiet in it. */
int bm_phase_begin(struct bm_phase *phase, struct bm_error *err);

/* Commit it; with rc -1 roll back, keep the error and return -1. */
int bm_phase_end(struct bm_phase *phase, int rc, struct bm_error *err);

/* One that says nothing for the control database. */
const struct bm_phase_endpoint *bm_phase_endpoint(
		const struct bm_phase *phase, enum bm_side side);
const char *bm_side_name(enum bm_side side); /* "source"; static */

/* How a side is reached, put into `out`. */
void bm_phase_conninfo(
		const struct bm_phase *phase, enum bm_side side, struct bm_conninfo *out);

/* The same, as bucardo.db.dbconn has it, with the settings of Bucardo's sessions:
 * "sslmode='require';sslrootcert='...';options='-c ...'". */
void bm_phase_dbconn(const struct bm_phase_endpoint *endpoint, struct bm_strbuf *out);

/* Close the sessions. */
void bm_phase_disconnect(struct bm_phase *phase);

#endif
