/*
 * phase - `worker phase`: one phase of a declared migration, run once
 *
 * The order comes on stdin, lines go to stdout (docs/worker-protocol.md). When
 * stdin is closed the process ends at once, wherever it is: every phase looks first
 * for what already holds, and does only what is missing.
 *
 * Threads: the phase runs on the first one; another waits for the end of stdin, and says
 * meanwhile that the process lives.
 */
#ifndef WORKER_PHASE_H
#define WORKER_PHASE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/strbuf.h"
#include "worker/phase_order.h"

struct json_t;

enum bm_end { BM_END_CONTROL, BM_END_SOURCE, BM_END_DESTINATION, BM_END_COUNT };

struct bm_phase {
	struct bm_phase_order order;
	enum bm_end catalog;	       /* the side whose tables are chosen from */
	PGconn *conns[BM_END_COUNT];   /* NULL until asked for */
	bool is_replica[BM_END_COUNT]; /* of these: in replica role, as our role may */
	const char *limits_sql;	       /* for each session with an end; NULL none */
	uint64_t limit_msec;	       /* of each statement; 0 ten minutes */
	void (*on_ask)(void);	       /* before each statement; NULL nothing */
	struct json_t *evidence;       /* of the "done" line */
	char mend[1024];	       /* of the "failed" line: what a person can do */
};

/* The role `worker phase`; the exit code. */
int bm_phase_run(void);

/* The frame of such a worker: reads the order, calls `run`, prints the verdict. `beats`: it
 * says every 10 s that it lives; a worker that does without says something itself. */
int bm_phase_serve(const char *title, bool beats,
		int (*run)(struct bm_phase *phase, struct bm_error *err));

/* The connection to one end, made when there is none. NULL with `err`. */
PGconn *bm_phase_conn(struct bm_phase *phase, enum bm_end end, struct bm_error *err);

/* One statement at one end; as bm_ask(), with the limit of the phase. */
PGresult *bm_phase_ask(struct bm_phase *phase, enum bm_end end, const char *sql, int count,
		const char *const *params, struct bm_error *err);

/* The same without a result. */
int bm_phase_do(struct bm_phase *phase, enum bm_end end, const char *sql, int count,
		const char *const *params, struct bm_error *err);

/* A transaction of the control database. The triggers of schema bucardo, which would connect
 * to the databases for each row, are quiet in it. */
int bm_phase_begin(struct bm_phase *phase, struct bm_error *err);

/* Commit it; with rc -1 roll back, keep the error and return -1. */
int bm_phase_end(struct bm_phase *phase, int rc, struct bm_error *err);

/* One that says nothing for the control database. */
const struct bm_phase_endpoint *bm_phase_endpoint(
		const struct bm_phase *phase, enum bm_end end);
const char *bm_end_name(enum bm_end end); /* "source"; static */

/* How an end is reached, put into `out`. */
void bm_phase_conninfo(const struct bm_phase *phase, enum bm_end end, struct bm_conninfo *out);

/* The same, as bucardo.db.dbconn has it, with the settings of Bucardo's sessions:
 * "sslmode='require';sslrootcert='...';options='-c ...'". */
void bm_phase_dbconn(const struct bm_phase_endpoint *endpoint, struct bm_strbuf *out);

/* The phases, one row each in phase.c. */
int bm_preflight_run(struct bm_phase *phase, struct bm_error *err);
int bm_capture_run(struct bm_phase *phase, struct bm_error *err);
int bm_carry_run(struct bm_phase *phase, struct bm_error *err); /* schema, copy, index */
int bm_replicate_run(struct bm_phase *phase, struct bm_error *err);
/* No phase: what a person decided (accept.c). */
int bm_accept_run(struct bm_phase *phase, struct bm_error *err);

#endif
