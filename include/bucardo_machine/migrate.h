/*
 * migrate - declared migrations, phase by phase, from the journal on
 *
 * For each migration of the configuration a pure function (src/daemon/migrate/next.c)
 * compares what is declared with what the journal says, and names the next step:
 * begin a phase, start its worker, or wait. Nothing remembers what it was about to
 * do. The journal is schema `machine` of the control database; if it is lost, the
 * phases begin again, and each finds out by itself what already holds.
 *
 * Migrations do not wait for each other. Each has one worker at most.
 *
 * Threads: loop thread only. Views are valid until the engine runs again.
 */
#ifndef BUCARDO_MACHINE_MIGRATE_H
#define BUCARDO_MACHINE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/phase_host.h"
#include "bucardo_machine/postgres.h"
#include "bucardo_machine/receivers.h"

/* The steps that refuse a control database whose journal a later version wrote (BM_ERR_NEWER).
 * They run on database bucardo before anything is written into it, and need no context. */
const struct bm_step *bm_journal_check(size_t *count);

enum bm_migration_status {
	BM_MIGRATION_WAITING, /* for a time, or for something that is named */
	BM_MIGRATION_RUNNING,
	BM_MIGRATION_PAUSED, /* by a person */
	BM_MIGRATION_FAILED, /* a person must fix something */
	BM_MIGRATION_DONE,   /* as far as it shall go by itself */
	BM_MIGRATION_STATUS_COUNT
};
const char *bm_migration_status_name(enum bm_migration_status status); /* "waiting" */

/* How far one phase is, as the journal has it. */
enum bm_record_state {
	BM_RECORD_PENDING,
	BM_RECORD_BEGUN,
	BM_RECORD_FAILED,
	BM_RECORD_DONE,
	BM_RECORD_STATE_COUNT
};
const char *bm_record_state_name(enum bm_record_state state); /* "pending"; static */

struct bm_finding {
	enum bm_severity severity;
	const char *object, *why, *hint;
};

struct bm_phase_view {
	enum bm_record_state state;
	int64_t started_at, ended_at; /* wall msec; 0: never */
	const char *evidence;	      /* JSON; "" none */
};

/* What `worker reconcile`, or `worker verify`, does and finds while a migration replicates. */
struct bm_beside_view {
	pid_t pid;		/* 0: it does not run */
	const char *why;	/* why it does not work; "" */
	const char *evidence;	/* JSON, as docs/worker-protocol.md has it; "" none yet */
	const char *trouble;	/* a table that is paused, or differs; "" none */
	bool is_stopped;	/* that is all of it, until a person decides (reconcile) */
	const char *hint;	/* of that */
	uint64_t reported_msec; /* bm_clock_msec() of it */
};

/* A teardown that a person asked for. */
struct bm_leaving_view {
	bool asked;
	int64_t at; /* wall msec */
	const char *by, *without;
	enum bm_record_state state;
	const char *evidence; /* JSON, as docs/worker-protocol.md has it; "" none yet */
	const char *hint;     /* what a person does once it is done */
};

/* The latest attempt of a cutover or failback. */
struct bm_changing_view {
	uint64_t number; /* 0: there was none */
	enum bm_phase phase;
	bool under_way, rehearses;
	int64_t at, ended_at, rehearsed_at; /* wall msec; 0 not yet */
	const char *by;
	enum bm_record_state state;
	const char *evidence;	  /* JSON, as docs/worker-protocol.md has it; "" none yet */
	const char *error, *hint; /* of one that was not done; "" */
};

struct bm_migration_view {
	const char *name;
	const char *refusal; /* why its changed definition is not in force; NULL: it is */
	bool unread; /* nobody knows how far it came: the journal was not read since the start
		      */
	enum bm_phase phase; /* where it is; the last one when all are done */
	enum bm_phase until; /* how far it goes by itself */
	enum bm_migration_status status;
	const char *why, *hint;	 /* "" when there is nothing to say */
	uint64_t since_msec;	 /* bm_clock_msec() when this status or phase began */
	unsigned attempt;	 /* failed tries of this phase in a row */
	enum bm_failure failure; /* of the last one, if there was one */
	uint64_t retry_at_msec;	 /* bm_clock_msec(); 0: no retry is due */
	pid_t pid;		 /* of its worker; 0 none */
	int64_t done, total;	 /* progress of the phase; total 0: unknown */
	int64_t rows, pieces_done, pieces_total; /* the same in other measures; -1 unknown */
	const struct json_t *in_flight;		 /* as docs/status.md has it; NULL: nothing */
	const char *unit, *text;
	int64_t rate;	  /* units a second, smoothed; -1 unknown */
	int64_t eta_msec; /* -1 unknown */
	bool paused;	  /* by a person */
	bool released;	  /* its sync is kicked */
	bool recorded;	  /* the journal has its definition and the last request */
	bool resuming;	  /* what a pause has stopped is to run again, and was not seen to */
	struct bm_beside_view reconcile, verify, doctor;
	struct bm_leaving_view leaving;
	struct bm_changing_view changing;
	size_t finding_count;
	const struct bm_finding *findings;  /* of the last preflight */
	const struct bm_phase_view *phases; /* BM_PHASE_COUNT of them */
};

struct bm_migrate;

struct bm_migrate_options {	/* copied */
	const char *program;	/* /proc/self/exe */
	const char *socket_dir; /* control PostgreSQL */
	const char *pgpass;
};

struct bm_migrate_host {
	/* Something happened; `subject` is the migration's name. */
	void (*event)(void *ctx, enum bm_log_level level, const char *subject,
			const char *text);
	/* Some view changed, or the list of released syncs. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* `conn` (database bucardo) is borrowed. */
struct bm_migrate *bm_migrate_create(struct bm_loop *loop,
		const struct bm_migrate_options *options, const struct bm_migrate_host *host,
		struct bm_conn *conn);
void bm_migrate_destroy(struct bm_migrate *migrate); /* NULL is accepted */

/* Take over what is declared; a change that the journal forbids is refused, per migration. */
void bm_migrate_configure(struct bm_migrate *migrate, const struct bm_config *config);

/* Something that failed migrations may wait for has changed (pgpass): try at once. */
void bm_migrate_retry(struct bm_migrate *migrate);

/* Whether the control database is up and Bucardo installed: nothing begins before. */
void bm_migrate_allow(struct bm_migrate *migrate, bool allowed);

/* End every worker for good: the machine stops. */
void bm_migrate_stop(struct bm_migrate *migrate);

enum bm_migrate_verb { BM_MIGRATE_GO, BM_MIGRATE_PAUSE, BM_MIGRATE_RESUME };

/* `until` counts for BM_MIGRATE_GO only; `by` names who asked ("uid 0"). */
int bm_migrate_request(struct bm_migrate *migrate, enum bm_migrate_verb verb, const char *name,
		enum bm_phase until, const char *by, struct bm_error *err);

/* What the migration's pause had stopped runs again. */
void bm_migrate_resumed(struct bm_migrate *migrate, const char *name);

/*
 * Tear `name` down, whatever it is doing; `without`: "", or the side that is gone for good,
 * "source", "destination" or "both". May be said again at any point.
 */
int bm_migrate_teardown(struct bm_migrate *migrate, const char *name, const char *without,
		const char *by, struct bm_error *err);

/* The line that requests a preview of what a teardown would remove; as the next function. */
char *bm_migrate_teardown_preview(
		struct bm_migrate *migrate, const char *name, struct bm_error *err);

/* What a person asks of a cutover or failback. */
struct bm_change {
	enum bm_phase phase; /* BM_PHASE_CUTOVER or BM_PHASE_FAILBACK */
	bool rehearses;
	unsigned budget_msec; /* 0: as machine.yaml has it */
	const char *accept;   /* a JSON list of names; NULL none */
};

/* Begin an attempt, `number` of this migration; refused with the reason. */
int bm_migrate_change(struct bm_migrate *migrate, const char *name,
		const struct bm_change *change, const char *by, uint64_t *number,
		struct bm_error *err);

/* The line that requests its readiness from `worker phase`; as the next function. */
char *bm_migrate_change_check(struct bm_migrate *migrate, const char *name,
		const struct bm_change *change, struct bm_error *err);

/* The line that asks `worker phase` what is wrong with `name` (docs/doctor.md), with what the
 * machine knows already; as the next function. */
char *bm_migrate_doctor_request(
		struct bm_migrate *migrate, const char *name, struct bm_error *err);

/* How the receivers of `worker notify` stand: the doctor is told. */
void bm_migrate_notified(struct bm_migrate *migrate, const struct bm_receiver_report *reports,
		size_t count);

/*
 * The line that requests a preflight of `name` (with `fix`: and the safe fixes) from
 * `worker phase`, for whoever wants to look without beginning. Caller frees; NULL
 * with `err` when there is no such migration.
 */
char *bm_migrate_preflight_request(
		struct bm_migrate *migrate, const char *name, bool fix, struct bm_error *err);

size_t bm_migrate_count(const struct bm_migrate *migrate);
struct bm_migration_view bm_migrate_view(struct bm_migrate *migrate, size_t index);

/* One sentence for `plan`: what the phase does to the two databases. Static. */
const char *bm_phase_comment(enum bm_phase phase);

/* How a person takes the phase back; "" when it leaves nothing. Static. */
const char *bm_phase_undo(enum bm_phase phase);

#endif
