/*
 * next - the phases of a migration, and the pure function that names the next step
 *
 * The same input gives the same answer: no clock, no database, no process. That is
 * why a crash at any instant is just another start.
 */
#ifndef DAEMON_MIGRATE_NEXT_H
#define DAEMON_MIGRATE_NEXT_H

#include "bucardo_machine/migrate.h"

/*
 * A phase is begun by starting its worker and cancelled by killing it (phase_run.c):
 * this process asks no remote database. So what already holds is found out by the
 * worker (its own table is in src/worker/phases/phase.c), and the row says by what, and what
 * is left when it is killed. Phases from BM_PHASE_COUNT on have a place and no worker.
 */
struct bm_phase_row {
	const char *worker; /* `bucardo-machine worker NAME` does it; NULL: none yet */
	const char *beside; /* the worker that runs on beside it; NULL: none */
	const char *unit;   /* of its progress, before its worker says so */
	bool flows;	    /* its units are alike: how many a second says something */
	bool reports_left;  /* its worker says how long it will still take, or that is not known
			     */
	unsigned needs;	    /* a set of 1 << enum bm_phase: done before it begins */
	const char *comment; /* what it does, a sentence for `plan` */
	const char *detect;  /* by what its worker knows what is done of it */
	bool anew;	     /* nothing is: each try looks at everything again */
	bool follows_copy;   /* `copy:` of machine.yaml counts: another one starts it anew */
	const char *cancel;  /* what is left of it when its worker is killed */
	bool reversible;     /* the source is what it was; false: a point of no return */
	const char *undo;    /* how to take it back, for `plan`; "" nothing to take back */
};

/* The row of a phase. */
const struct bm_phase_row *bm_phase_row(enum bm_phase phase);

struct bm_next_record {
	enum bm_record_state state;
	enum bm_failure failure; /* when FAILED */
	uint64_t retry_at_msec;	 /* when FAILED; not before this moment */
};

struct bm_next_input {
	bool allowed;	    /* the control database is up, Bucardo installed */
	bool journal_known; /* it was read */
	bool journal_clean; /* all that is known is written */
	bool configured;    /* machine.yaml has it */
	bool refused;	    /* machine.yaml has it otherwise than the journal */
	bool paused;
	enum bm_phase until;
	enum bm_phase worker;		      /* whose worker runs; BM_PHASE_COUNT: none */
	const struct bm_next_record *records; /* BM_PHASE_COUNT of them */
	/* How far its teardown is, which comes before all else; NULL: nobody asked for one. */
	const struct bm_next_record *teardown;
	/* How far the cutover or failback is that was asked for; NULL: none is. */
	const struct bm_next_record *changing;
	enum bm_phase change; /* which of the two */
	uint64_t now_msec;
};

enum bm_next_step {
	BM_STEP_WAIT,
	BM_STEP_BEGIN, /* write into the journal that the phase begins */
	BM_STEP_SPAWN, /* start its worker */
	BM_STEP_CANCEL /* end the worker that runs */
};

struct bm_next {
	enum bm_next_step step;
	enum bm_phase phase; /* where the migration is */
	enum bm_migration_status status;
	const char *why; /* static; NULL: the record's own error says why, or nothing */
};

struct bm_next bm_migrate_next(const struct bm_next_input *in);

/* Until the next try of a phase that has failed `attempt` times in a row; UINT64_MAX: never. */
uint64_t bm_failure_pause_msec(enum bm_failure failure, unsigned attempt);

#endif
