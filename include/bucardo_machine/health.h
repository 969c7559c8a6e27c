/*
 * health - how a sync is, and what is done about one that makes no progress
 *
 * Threads: any.
 */
#ifndef BUCARDO_MACHINE_HEALTH_H
#define BUCARDO_MACHINE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum bm_health {
	BM_HEALTH_UNKNOWN,     /* no sample yet */
	BM_HEALTH_IDLE,	       /* nothing waits */
	BM_HEALTH_RUNNING,     /* a run works on a small backlog */
	BM_HEALTH_CATCHING_UP, /* a backlog, and it shrinks or its run moves */
	BM_HEALTH_STARTING,    /* Bucardo has yet to start what applies its changes */
	BM_HEALTH_BLOCKED,     /* waits for a lock of somebody else */
	BM_HEALTH_UNREACHABLE, /* one of its databases is unreachable */
	BM_HEALTH_FAILING,     /* runs end with an error that a person must fix */
	BM_HEALTH_STALLED,     /* a backlog, and no progress */
	BM_HEALTH_STOPPED,     /* inactive, or the operator stopped Bucardo */
	BM_HEALTH_COUNT
};
const char *bm_health_name(enum bm_health health); /* "catching-up"; static */

/* What is done about `stalled`, in this order, one step at a time. */
enum bm_escalation {
	BM_ESCALATION_NONE,
	BM_ESCALATION_KICK,
	BM_ESCALATION_RELOAD_SYNC,
	BM_ESCALATION_RESTART_TREE,
	BM_ESCALATION_RESTART_POSTGRES,
	BM_ESCALATION_HOLD,
	BM_ESCALATION_COUNT
};
const char *bm_escalation_name(enum bm_escalation step); /* "reload-sync"; static */

/* What became of a step: rows were applied after it, the next one was taken, or the trouble got
 * another name. */
enum bm_recovery {
	BM_RECOVERY_RECOVERED,
	BM_RECOVERY_FAILED,
	BM_RECOVERY_OTHER,
	BM_RECOVERY_COUNT
};
const char *bm_recovery_name(enum bm_recovery result); /* "recovered"; static */

/* How often, since the start of the machine, of all syncs. */
struct bm_recoveries {
	unsigned count[BM_ESCALATION_COUNT][BM_RECOVERY_COUNT];
};

/* Which way the backlog goes. */
enum bm_trend {
	BM_TREND_UNKNOWN, /* not seen for long enough, or the first run is at work */
	BM_TREND_STEADY,  /* there is none, or only what is always under way */
	BM_TREND_SHRINKS,
	BM_TREND_GROWS, /* or it stays: at this rate it never catches up */
	BM_TREND_COUNT
};
const char *bm_trend_name(enum bm_trend trend); /* "shrinks"; static */

/* The evaluation of one sync. Texts are owned by the bm_bucardo until the next
 * bm_bucardo_observe(). */
struct bm_sync_view {
	const char *name;
	enum bm_health health;
	uint64_t since_msec; /* bm_clock_msec() when this health began */
	const char *why;     /* one sentence; "" when healthy */
	const char *advice;  /* what a person can do; "" when nothing is needed */
	int64_t backlog_rows, lag_msec, good_age_msec, bad_age_msec; /* -1 unknown */
	const char *bad_text;
	pid_t blocker_pid;
	const char *blocker_query, *blocker_db;
	enum bm_escalation step; /* the highest step taken in this stall */
	enum bm_trend trend;
	int64_t shrink_rate;   /* rows a second that it shrinks by; below 0: it grows */
	int64_t catch_up_msec; /* until nothing waits, when it shrinks; else -1 */
	int64_t requeued_rows; /* since the capture, as far as databases have answered */
	int64_t conflicts;     /* in all runs; -1 unknown */
	int64_t applied_rows;  /* written and deleted by all runs; -1 unknown */
	bool is_overdue;       /* BM_HEALTH_STARTING, and nothing shows that it is on its way */
};

#endif
