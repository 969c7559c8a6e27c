/* engine - the engine's object, shared by the files of this folder. */
#ifndef DAEMON_MIGRATE_ENGINE_H
#define DAEMON_MIGRATE_ENGINE_H

#include "bucardo_machine/migrate.h"
#include "bucardo_machine/strbuf.h"
#include "daemon/migrate/next.h"

struct json_t;

/* A row of the journal: `generation` counts its changes, `written` is the last one that
 * the database has. */
struct revision {
	uint64_t generation, written;
};

struct record {
	enum bm_record_state state;
	enum bm_failure failure;
	int64_t started_at, ended_at; /* wall msec; 0 never */
	unsigned attempt;	      /* failed tries in a row */
	uint64_t retry_at_msec;
	char *error, *hint;	 /* of the last failure; NULL none */
	char *evidence;		 /* JSON; NULL none */
	struct json_t *findings; /* array; NULL none */
	int64_t done, total;	 /* how far it was when this was written last */
	struct revision revision;
};

struct progress {
	bool known;
	int64_t done, total;
	int64_t rows, pieces_done, pieces_total; /* -1: not told */
	int64_t left_msec;			 /* the same: what its worker expects */
	struct json_t *in_flight;		 /* NULL: nothing */
	int64_t shown, shown_total; /* what the journal has: no crash takes it back */
	char unit[16], text[160];
	uint64_t reported_msec; /* of the last line */
	/* for the rate: */
	uint64_t checkpoint_msec;
	int64_t checkpoint_done;
	double rate; /* a second; below 0: unknown */
	int still;   /* measurements in a row that saw nothing done */
};

/* What goes on beside the phases once the migration replicates: a worker each. */
enum beside_kind { BESIDE_RECONCILE, BESIDE_VERIFY, BESIDE_DOCTOR, BESIDE_COUNT };

struct beside {
	enum beside_kind kind;
	struct migration *migration; /* set when its worker is started */
	struct bm_phase_host *worker;
	uint64_t started_msec;
	unsigned attempt; /* ends in a row that were not asked for */
	uint64_t retry_at_msec;
	char *why;	      /* it does not work; NULL: it does, or is not wanted */
	char *evidence;	      /* JSON, of its last line; NULL none */
	char *trouble, *hint; /* a table that is paused, or differs; NULL none */
	bool is_stopped;      /* all of it is (reconcile) */
	uint64_t reported_msec;
};

/* Of each phase, then of what a person asks for: teardown, cutover, failback. */
#define RECORD_COUNT (BM_PHASE_COUNT + 3)

/* Its teardown, which a person asked for (leaving.c). */
struct leaving {
	bool asked;
	int64_t at;
	char *by;
	char *without;	/* "source", "destination" or "both": gone for good; "" neither */
	bool forgotten; /* its rows go out of the journal, then it is as if never named */
	char hint[192]; /* for the view */
};

/* The latest attempt of a cutover or failback (changing.c). */
struct changing {
	bool asked;    /* it is not over */
	bool is_fresh; /* asked for since this process lives, and no worker of it was started */
	enum bm_phase phase;
	bool rehearses;
	bool prepares;	 /* the way back is made first, by a worker of its own */
	uint64_t number; /* counts up; 0: there was none */
	unsigned budget_msec;
	char *accept; /* a JSON list of names; NULL none */
	int64_t at;
	char *by;
	int64_t rehearsed_at; /* of the last one that went well; 0 never */
};

struct migration {
	char *name;
	struct bm_migrate *migrate;
	bool configured;
	struct json_t *declared;   /* as machine.yaml has it; NULL when it has not */
	struct json_t *definition; /* as the journal has it; NULL: new */
	char *refusal;		   /* why `declared` is not taken over; NULL: it is */
	enum bm_phase run_until;   /* as machine.yaml has it */
	bool has_until;		   /* a person said otherwise */
	enum bm_phase until;
	bool paused;
	int64_t paused_at;
	char *paused_by;
	bool resuming; /* what the pause has stopped is to run again, and was not seen to */
	char paused_why[768], shown_hint[128]; /* for the view */
	struct revision revision;
	struct record records[RECORD_COUNT];

	struct bm_phase_host *worker;
	enum bm_phase worker_phase; /* BM_PHASE_COUNT: none */
	uint64_t worker_since_msec;
	bool has_result;
	struct beside besides[BESIDE_COUNT];
	struct bm_config_verify verify; /* as machine.yaml has it */
	struct leaving leaving;
	struct changing changing;
	struct { /* as machine.yaml has it */
		unsigned budget_msec;
		bool is_manual, has_way_back;
		struct json_t *hooks; /* NULL: none */
	} cutover;

	/* what the last step said, for the views */
	struct bm_next next;
	uint64_t since_msec;
	struct progress progress;
	struct bm_phase_view phase_views[BM_PHASE_COUNT];
	struct bm_finding *finding_views;
};

struct bm_migrate {
	struct bm_loop *loop;
	struct bm_conn *conn;
	struct bm_migrate_host host;
	char *program, *socket_dir, *pgpass;
	char *http_certificate;	  /* as machine.yaml has it; NULL: none */
	struct json_t *receivers; /* how they stand, as the status has it; NULL: not known */
	bool allowed, stopped;
	bool journal_known;
	/* It has to be read, and made where it is gone, before anything is written to it. */
	bool journal_due;
	uint64_t load_at_msec;	 /* not before, after a failure */
	char journal_error[512]; /* why it could not be read; "" */
	struct bm_script *loading;
	size_t count;
	struct migration **migrations;
	struct bm_timer *timer; /* the next retry */
	struct bm_timer *soon;	/* the tick that is due */
	bool tick_due;

	/* the one write that is on its way */
	bool writing;
	struct revision *writing_revision;
	uint64_t writing_generation;
};

/* engine.c */
void bm_migrate_tick_soon(struct bm_migrate *migrate);
/* The journal is not what it was: read it again, then write all that is known. */
void bm_migrate_reload_soon(struct bm_migrate *migrate);
struct migration *bm_migrate_find(struct bm_migrate *migrate, const char *name);
/* The same, when the journal was read; NULL with `err`, which names those that there are. */
struct migration *bm_migrate_known(
		struct bm_migrate *migrate, const char *name, struct bm_error *err);
struct migration *bm_migrate_add(struct bm_migrate *migrate, const char *name);
void bm_migrate_event(struct migration *migration, enum bm_log_level level, const char *format,
		...) __attribute__((format(printf, 3, 4)));
enum bm_phase bm_migrate_until(const struct migration *migration);
/* Compare what is declared with what the journal has. */
void bm_migrate_reconcile(struct migration *migration);

void bm_migrate_free(struct migration *migration);
/* All that is known of its phases and its teardown. */
void bm_migrate_clear(struct migration *migration);

struct record *bm_record_of(struct migration *migration, enum bm_phase phase);
/* Pending, as if it had never been begun. */
void bm_record_begin_anew(struct record *record);
/* The phase of a record, by its index. */
enum bm_phase bm_record_phase(size_t index);

/* hook_request.c: the hooks of machine.yaml, as a worker's request has them. */
void bm_hooks_take(struct migration *migration, const struct bm_config_migration *config);

/* changing.c: cutover and failback. */
bool bm_phase_is_change(enum bm_phase phase);
void bm_changing_clear(struct migration *migration);
/* -1 with `err` while one is under way. */
int bm_changing_must_rest(const struct migration *migration, struct bm_error *err);
/* What its worker is asked to do now. */
char *bm_changing_request(struct migration *migration);
/* Whether the attempt is over with this line; and its worker said how it ended. */
bool bm_changing_is_over(const struct bm_phase_line *line);
void bm_changing_end(struct migration *migration, const struct bm_phase_line *line);
void bm_changing_drop(struct migration *migration);
char *bm_changing_encode(const struct migration *migration);
void bm_changing_decode(struct migration *migration, const char *text);
struct bm_changing_view bm_changing_view_of(struct migration *migration);

/* doctor.c: what the look for what is wrong is asked. NULL: it has no definition. */
char *bm_doctor_request(const struct migration *migration);
void bm_doctor_configure(struct bm_migrate *migrate, const struct bm_config *config);

/* leaving.c: teardown. */
/* One that is torn down and not named any more is to be forgotten. */
void bm_leaving_check(struct migration *migration);
/* In each tick, those that the journal has forgotten. */
void bm_leaving_reconcile(struct bm_migrate *migrate);
char *bm_leaving_request(const struct migration *migration);
/* As the journal has it: a JSON text (free()), NULL when nobody asked. */
char *bm_leaving_encode(const struct migration *migration);
void bm_leaving_decode(struct migration *migration, const char *text);
struct bm_leaving_view bm_leaving_view_of(struct migration *migration);

/* phase_run.c: one phase at work. */
void bm_run_begin(struct migration *migration, enum bm_phase phase);
void bm_run_spawn(struct migration *migration, enum bm_phase phase);
void bm_run_cancel(struct migration *migration);
void bm_run_retry_now(struct migration *migration);
/* Let the journal know how far the phase is; what it has is what is shown. */
void bm_run_checkpoint(struct migration *migration);
void bm_run_forget_progress(struct migration *migration);

/* beside.c: `worker reconcile`, `worker verify`. */
void bm_beside_update(struct migration *migration); /* start them, or end them */
void bm_beside_cancel(struct migration *migration);
void bm_beside_finish(struct migration *migration);
/* When one is to be started again, after `now`; UINT64_MAX: never. */
uint64_t bm_beside_wake_msec(const struct migration *migration, uint64_t now);
/* How it is to compare, as machine.yaml has it now. */
void bm_beside_configure(struct migration *migration, const struct bm_config_verify *verify);

#endif
