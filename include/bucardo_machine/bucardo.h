/*
 * bucardo - Bucardo as one unit of the machine, in the control database
 *
 * Owns the daemon tree (MCP, VAC, CTL, KID) as one unit, installs Bucardo into
 * the control database, evaluates the health of each sync from what was observed,
 * and repairs without losing rows, one step of an escalation at a time. Facts about
 * Bucardo 5.6 come from its source and from fault experiments; the comments
 * beside the code say which.
 *
 * The remote databases are never contacted from here: what is known of them
 * comes in as a struct bm_observation (`worker observe` makes it).
 *
 * Threads: loop thread only.
 */
#ifndef BUCARDO_MACHINE_BUCARDO_H
#define BUCARDO_MACHINE_BUCARDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/health.h"
#include "bucardo_machine/observation.h"
#include "bucardo_machine/postgres.h"
#include "bucardo_machine/supervise.h"

/* The version the facts were established for; another is accepted with a warning. */
#define BM_BUCARDO_VERSION "5.6.0"

struct bm_bucardo;

struct bm_bucardo_options {	 /* borrowed texts must outlive the object */
	const char *home_dir;	 /* HOME: .bucardorc, .pgpass of the install */
	const char *runtime_dir; /* <runtime>/bucardo is piddir, cwd, reason/warning files */
	const char *socket_dir;	 /* the same folder, by a name that Bucardo can deal with */
	const char *bin_dir;	 /* PostgreSQL's programs, for psql in PATH */
	const char *pgpass;	 /* PGPASSFILE for the tree */
	uint64_t stalled_after_msec;
	uint64_t checktime_msec;
	unsigned syncrun_keep_rows;
	bool escalation;
};

enum bm_bucardo_event {
	BM_BUCARDO_OPERATOR_STOPPED, /* `bucardo stop` by a person; text: its reason */
	BM_BUCARDO_OPERATOR_STARTED, /* `bucardo start` by a person; the tree was adopted */
	BM_BUCARDO_RESTART_POSTGRES, /* the escalation asks for it; text: which sync and why */
	BM_BUCARDO_HOLD,	     /* its last step was taken; text: what is wrong */
	BM_BUCARDO_NO_SESSION,	     /* it was refused a new session with some database */
	BM_BUCARDO_NOTE		     /* something for the event list; text */
};

/* `conn` (database bucardo) is borrowed. `changed` is the unit's callback. */
struct bm_bucardo *bm_bucardo_create(struct bm_loop *loop,
		const struct bm_bucardo_options *options, const struct bm_unit_policy *policy,
		struct bm_conn *conn, void (*changed)(void *ctx, struct bm_unit *unit),
		void (*event)(void *ctx, enum bm_bucardo_event event, const char *text),
		void *ctx);
void bm_bucardo_close(struct bm_bucardo *bucardo); /* NULL is accepted */
struct bm_unit *bm_bucardo_unit(struct bm_bucardo *bucardo);

/* Take over changed settings; takes effect at once where it can. */
void bm_bucardo_configure(struct bm_bucardo *bucardo, const struct bm_bucardo_options *options);

/*
 * A sync that a declared migration made, with autokick off: it is not kicked before
 * its migration releases it, and kicked whenever rows wait from then on. While a person has
 * paused the migration it is deactivated; `resuming` is told until that was undone.
 */
struct bm_declared_sync {
	const char *name;
	bool released, paused, resuming;
	bool changing; /* its sides change places: it is the worker's meanwhile */
};

/* All of them, instead of those told before; copied. */
void bm_bucardo_declare(
		struct bm_bucardo *bucardo, const struct bm_declared_sync *syncs, size_t count);

/* After an observation: whether a sync that was declared as resuming waits to be active again,
 * also when that was not declared yet. False: it is, or nobody but a person can help. */
bool bm_bucardo_is_resuming(const struct bm_bucardo *bucardo, const char *sync);

/* The channels the control connection LISTENs on for bm_bucardo_notice(); NULL ends. */
extern const char *const bm_bucardo_channels[];

/* A notification of the control database, as BM_CONN_NOTICE gives it. */
void bm_bucardo_notice(struct bm_bucardo *bucardo, const char *text);

/*
 * Install Bucardo into the control cluster and bring its settings in order:
 * `.bucardorc`, schema (redone when an earlier install was cut off), piddir,
 * reason and warning files, timers, log, sync and dbconn settings. Re-entrant.
 * `admin` is a connection to database postgres. The steps of `check` (borrowed, without
 * context) run on a database bucardo that is there before anything is written into it, and may
 * refuse it. `done` is called once.
 */
void bm_bucardo_install(struct bm_bucardo *bucardo, struct bm_conn *admin,
		const struct bm_step *check, size_t check_count,
		void (*done)(void *ctx, const struct bm_error *err), void *ctx);

/*
 * Kill what is left of any Bucardo tree of this machine (found by pid files,
 * title, user and working folder) and empty the piddir. Returns 1 while
 * something is still ending (call again), 0 when clear, -1 with `err`.
 */
int bm_bucardo_clear_leftovers(struct bm_bucardo *bucardo, struct bm_error *err);

/*
 * Take in a sample: evaluate each sync, kick what waits and was forgotten, put the
 * timeouts on new databases and checktime on new syncs, prune syncrun, take the
 * next step of an escalation. Also the moment at which a dead VAC is noticed.
 */
void bm_bucardo_observe(struct bm_bucardo *bucardo, const struct bm_observation *observation);

/* Whether starting the tree makes sense: some active sync has all its databases
 * within reach, or there is none at all. `why` (may be NULL) names what is unreachable. */
bool bm_bucardo_can_start(const struct bm_bucardo *bucardo, struct bm_strbuf *why);

/* Why the master is not started: it is of a version in whose source a change of ours finds no
 * place. "" as long as it is. It is tried again all the time, and needs a person. */
const char *bm_bucardo_refusal(const struct bm_bucardo *bucardo);
extern const char bm_bucardo_refusal_hint[];

/* Whether an operator's stop is in force that did not come by `bucardo stop`: the syncs
 * of the samples to come are stopped, not unwell. */
void bm_bucardo_set_stopped(struct bm_bucardo *bucardo, bool stopped);

/* How many times as long everything takes on this host: a stall is evaluated, and a step of the
 * escalation gets its time, by that. 1 on a host that gives what is asked for. */
void bm_bucardo_set_slowness(struct bm_bucardo *bucardo, unsigned factor);

size_t bm_bucardo_sync_count(const struct bm_bucardo *bucardo);
struct bm_sync_view bm_bucardo_sync(const struct bm_bucardo *bucardo, size_t index);
const struct bm_recoveries *bm_bucardo_recoveries(const struct bm_bucardo *bucardo);
pid_t bm_bucardo_mcp_pid(const struct bm_bucardo *bucardo); /* 0: none */

#endif
