/*
 * supervise - keep a long-running program in its desired state
 *
 * A unit is a program the machine keeps running: an extra process from the
 * YAML, postgres, the Bucardo master control process. It has a state and reacts
 * to events; every legal reaction is one cell of the table in
 * src/daemon/supervise/unit.c. No sequence of wishes makes it start faster than the backoff
 * allows: a life that never got ready counts as a failure, whatever ended it, and only a
 * long time of being ready, or the first of a person's restarts, makes failures history. A
 * person's restarts and changes of the definition have the same backoff, from the second one
 * on. A unit never touches the clock, a descriptor or a process by itself: it asks its host to,
 * so tests drive it without a loop.
 *
 * The caller repeats what it wants with bm_unit_want() at every tick; a lost
 * event costs one tick, not a hang. Order between units is the plan's business
 * (machine/), not theirs.
 *
 * Threads: loop thread only.
 */
#ifndef BUCARDO_MACHINE_SUPERVISE_H
#define BUCARDO_MACHINE_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/error.h"
#include "bucardo_machine/event.h"

enum bm_unit_state {
	BM_UNIT_DOWN,	  /* not running, not wanted or not started yet */
	BM_UNIT_STARTING, /* spawned, not ready yet; the start timer runs */
	BM_UNIT_READY,	  /* running and answering its readiness probe */
	BM_UNIT_STOPPING, /* asked to stop; the kill timer runs */
	BM_UNIT_BACKOFF,  /* died while wanted; the restart timer runs */
	BM_UNIT_FAILED,	  /* died too often (give_up_after); waits for a person */
	BM_UNIT_STATE_COUNT
};

enum bm_unit_event {
	BM_UNIT_WANT_UP,
	BM_UNIT_WANT_DOWN,
	BM_UNIT_BECAME_READY,
	BM_UNIT_LOST_READY, /* still there, no longer answering */
	BM_UNIT_EXITED,
	BM_UNIT_TIMED_OUT,
	BM_UNIT_ADOPTED, /* runs although we did not start it */
	BM_UNIT_SPAWN_FAILED,
	BM_UNIT_RESTART,	/* see bm_unit_restart() */
	BM_UNIT_RENEW,		/* see bm_unit_renew() */
	BM_UNIT_WANT_UP_SOON,	/* WANT_UP before the wait for the next start is over */
	BM_UNIT_EXITED_UNREADY, /* EXITED after we stopped it for not becoming ready */
	BM_UNIT_GAVE_UP,	/* one failure too many for give_up_after */
	BM_UNIT_EVENT_COUNT
};

/* Gently and firmly are per kind of unit: SIGINT/SIGQUIT for postgres, the stop
 * file/SIGTERM for Bucardo, TERM for the rest. BM_STOP_KILL is the last resort. */
enum bm_stop_mode { BM_STOP_GENTLY, BM_STOP_FIRMLY, BM_STOP_KILL };

/* What a unit needs from the world. All members are required. */
struct bm_unit_host {
	/* Start the program. -1: could not; `err` says why, and the unit backs off. */
	int (*spawn)(void *ctx, struct bm_error *err);
	void (*stop)(void *ctx, enum bm_stop_mode mode);
	void (*arm)(void *ctx, uint64_t msec); /* one-shot timer; 0 disarms */
	uint64_t (*now_msec)(void *ctx);
};

/* Times in milliseconds; every field is required. */
struct bm_unit_policy {
	uint64_t start_timeout_msec; /* spawned to ready, or since bm_unit_progress(); then
					stopped and retried */
	uint64_t start_limit_msec;   /* spawned to ready, whatever progress there is; 0: none */
	uint64_t stop_gently_msec;   /* then firmly */
	uint64_t stop_firmly_msec;   /* then kill */
	uint64_t backoff_first_msec; /* 500 */
	uint64_t backoff_limit_msec; /* 30000 */
	uint64_t stable_after_msec;  /* ready this long resets the backoff: 60000 */
	unsigned give_up_after;	     /* consecutive failures; 0: never */
};

struct bm_unit;

/*
 * Create a unit in state DOWN. `name` and `policy` are copied; `host` and `ctx`
 * are borrowed and must outlive the unit. `changed` is called after every change
 * of state (ctx is the same one) and may be NULL. Release with bm_unit_destroy().
 */
struct bm_unit *bm_unit_create(const char *name, const struct bm_unit_policy *policy,
		const struct bm_unit_host *host,
		void (*changed)(void *ctx, struct bm_unit *unit), void *ctx);

/* Free a unit; NULL is accepted. Never signals the process. */
void bm_unit_destroy(struct bm_unit *unit);

/* Feed one event. An event that means nothing in this state is ignored. */
void bm_unit_handle(struct bm_unit *unit, enum bm_unit_event event);

/* WANT_UP or WANT_DOWN; cheap to repeat. */
void bm_unit_want(struct bm_unit *unit, bool up);

/* EXITED with what waitpid() said and a reason for people ("" for none). When
 * `excused`, the death does not count as a failure (PostgreSQL was down). */
void bm_unit_exited(struct bm_unit *unit, int status, const char *why, bool excused);

/* It is not ready yet, but something shows that it works on that: start_timeout_msec
 * begins anew. Ignored in other states, and past start_limit_msec. */
void bm_unit_progress(struct bm_unit *unit);

/* May a person's restart be taken now? 0: yes, and it is counted; bm_unit_restart() follows.
 * Else in how many milliseconds: the first is taken at once; the next ones, until it was ready
 * for stable_after or nobody has asked for ten minutes, as long after the last start as the
 * backoff says of as many failures. */
uint64_t bm_unit_ask(struct bm_unit *unit);

/* A new unit takes the place of `before`, which is of the same name and has another definition.
 * As a restart that cannot be refused: where that would not be taken yet its start waits. */
void bm_unit_succeed(struct bm_unit *unit, struct bm_unit *before);

/* The present program is to be stopped and started again: without backoff, and what was before
 * is forgotten unless it was asked for again and again. */
void bm_unit_restart(struct bm_unit *unit, const char *why);

/* The same by ourselves: soon after another failure or renewal the start waits, as after a
 * death. Ignored in BACKOFF, where a start is on its way. */
void bm_unit_renew(struct bm_unit *unit, const char *why);

/* Milliseconds are the host's now_msec(); texts are borrowed until the next event. */
struct bm_unit_view {
	const char *name;
	enum bm_unit_state state;
	bool wanted;
	uint64_t since_msec;	/* when this state began */
	unsigned restarts;	/* starts after the first one */
	unsigned failures;	/* consecutive, for the backoff */
	unsigned renewals;	/* by ourselves, since it was ready for long */
	uint64_t retry_at_msec; /* BACKOFF: when it ends; else 0 */
	const char *last_exit;	/* "killed by SIGKILL"; "" when it never ended */
	const char *why;	/* why it is in this state */
	const char *failure;	/* why its last failure was one; "" when there is none */
};
struct bm_unit_view bm_unit_view(const struct bm_unit *unit);

enum bm_unit_state bm_unit_state(const struct bm_unit *unit);

/* STARTING, READY or STOPPING: there is a process, or may be one. */
bool bm_unit_state_is_up(enum bm_unit_state state);

/* Lower-case names for logs and JSON. Static storage, never NULL. */
const char *bm_unit_state_name(enum bm_unit_state state);
const char *bm_unit_event_name(enum bm_unit_event event);

/*
 * ---- programs: units that are one foreground child of ours ----
 * Spawns it, streams its output to the log under its name, probes readiness.
 */
enum bm_probe_kind { BM_PROBE_NONE, BM_PROBE_TCP, BM_PROBE_EXEC, BM_PROBE_CALLBACK };

struct bm_program_spec {
	const char *name;
	const char *const *argv;
	const char *const *env;		/* added to ours; may be NULL */
	const char *cwd;		/* may be NULL */
	int gentle_signal, firm_signal; /* e.g. SIGTERM, SIGTERM; SIGINT, SIGQUIT */
	int death_signal;		/* see spawn.h */
	enum bm_probe_kind probe;	/* NONE: ready as soon as it runs */
	const char *probe_tcp;		/* "127.0.0.1:7446"; numeric addresses only */
	const char *const *probe_argv;	/* exec: ready when it exits 0 */
	uint64_t probe_interval_msec;
};

struct bm_program;

/* `spec` is copied. For BM_PROBE_CALLBACK the owner calls bm_program_ready(). */
struct bm_program *bm_program_create(struct bm_loop *loop, const struct bm_program_spec *spec,
		const struct bm_unit_policy *policy,
		void (*changed)(void *ctx, struct bm_unit *unit), void *ctx);
void bm_program_close(struct bm_program *program); /* NULL is accepted; kills a live child */
struct bm_unit *bm_program_unit(struct bm_program *program);
pid_t bm_program_pid(const struct bm_program *program); /* 0: not running */
void bm_program_ready(struct bm_program *program, bool ready);

/*
 * ---- `run -- COMMAND...`: one command under a good init ----
 * How it is run; all zero: as tini does by default.
 */
#define BM_SIGNALS 65 /* one more than the largest: SIGRTMAX is 64 on Linux */
#define BM_SIGNAL_DROPPED (-1)

struct bm_single {
	bool group;	    /* signals go to the command's process group, not to it alone */
	bool keep_signals;  /* it inherits what was ignored and blocked when we began */
	bool expected[256]; /* exit codes that become 0 */
	int rewrite[BM_SIGNALS]; /* what is sent where this one comes: 0 itself */
};

/*
 * Its own whole program: begins the process (bm_event_begin), runs `argv` (NULL
 * terminated, found by PATH) on our own stdin, stdout and stderr, forwards signals,
 * reaps orphans, works in `/` so that no file system is kept busy. Returns what main() should:
 * the command's exit code, 128 + the signal that killed it, 127 not found, 126 not executable,
 * 125 we failed.
 */
int bm_single_run(const struct bm_single *how, char **argv);

#endif
