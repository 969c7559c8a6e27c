/*
 * status - one read-only snapshot of the machine, and its JSON
 *
 * The machine fills a struct bm_status; control, and later http, hand out its
 * JSON; the CLI renders that for people. The JSON is a public interface:
 * docs/status.md documents each member, `schema` is its version, raised when a
 * member changes its meaning or goes. Members are only ever added otherwise.
 *
 * All texts are borrowed from the machine and valid until it runs again.
 */
#ifndef BUCARDO_MACHINE_STATUS_H
#define BUCARDO_MACHINE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bucardo_machine/bucardo.h"
#include "bucardo_machine/migrate.h"
#include "bucardo_machine/receivers.h"
#include "bucardo_machine/supervise.h"

#define BM_STATUS_SCHEMA 2

enum bm_machine_state {
	BM_MACHINE_STARTING, /* on the way up */
	BM_MACHINE_READY,    /* all that is wanted runs, no sync is in trouble */
	BM_MACHINE_DEGRADED, /* something is wrong, and is being repaired or waited for */
	BM_MACHINE_HOLDING,  /* touches nothing until a person fixes the cause */
	BM_MACHINE_STOPPING,
	BM_MACHINE_STATE_COUNT
};
const char *bm_machine_state_name(enum bm_machine_state state);

struct bm_status_unit {
	struct bm_unit_view view;
	const char *kind;	/* "http", "extra", "postgres", "bucardo", "observe" */
	pid_t pid;		/* 0: none */
	const char *stopped_by; /* "" unless an operator stopped it: "service stop (uid 0)" */
	int64_t stopped_at;	/* wall msec; 0 */
};

struct bm_status_database {
	const char *name, *role, *error;
	enum bm_reach reach;
	uint64_t since_msec;
};

/* Whether the machine gets the processor that it asks for; numbers of the last ten seconds or
 * so, -1 where the kernel does not tell. */
struct bm_status_host {
	bool known; /* false: not looked at yet, all else is meaningless */
	bool slow;
	uint64_t since_msec; /* of `slow`; 0: since the start */
	const char *text;    /* one sentence with the evidence; "" when it is not slow */
	int got_percent;     /* of one processor */
	int waited_percent;  /* of the time that our processes wanted one */
	int throttled_percent, stolen_percent, pressure_percent;
	uint64_t late_msec; /* the latest timer of PID 1 */
};

struct bm_status {
	const char *version;
	pid_t pid;
	uint64_t now_msec;  /* bm_clock_msec() of the snapshot; base of all since_msec */
	int64_t started_at; /* wall msec */
	enum bm_machine_state state;
	uint64_t since_msec;
	bool ready;		      /* what `health ready` answers */
	const char *why;	      /* one sentence; "" when all is well */
	const char *advice;	      /* the fix; "" when nothing is to be done */
	const char *volume, *runtime; /* paths */
	const char *found;	      /* what was found on the volume at start, a phrase */
	const char *config_path;
	const char *config_state;    /* "unread", "default" (no file), "loaded", "rejected" */
	const char *config_errors;   /* lines; "" */
	const char *pgpass_warnings; /* lines; "" */
	uint64_t orphans_reaped, log_lines_dropped;
	uint64_t longest_iteration_usec; /* bm_loop_longest_iteration_usec() */
	struct bm_status_host host;
	const struct bm_recoveries *recoveries; /* NULL: there is no Bucardo yet */
	size_t unit_count;
	const struct bm_status_unit *units;
	size_t database_count;
	const struct bm_status_database *databases;
	size_t sync_count;
	const struct bm_sync_view *syncs;
	size_t migration_count;
	const struct bm_migration_view *migrations;
	size_t receiver_count; /* 0: nobody is told, or `worker notify` has said nothing yet */
	const struct bm_receiver_report *receivers;
	bool is_brief; /* its JSON has no findings, which may be most of it */
};

/*
 * While PostgreSQL or Bucardo is not ready, nobody knows that a sync is idle, or that it does
 * not lag. The first writes the reason to `why` ("" when both run) and returns since when; the
 * second makes a view say so, unless it has a reason of its own. It borrows `why`.
 */
uint64_t bm_status_doubt(const struct bm_status *status, char *why, size_t size);
void bm_sync_doubt(struct bm_sync_view *sync, const char *why, uint64_t since_msec);

/* The snapshot as one JSON object in one line (no newline). Caller frees. */
char *bm_status_json(const struct bm_status *status);

#endif
