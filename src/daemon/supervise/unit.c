/*
 * What a unit does about what happens to it. The table in the middle is the whole
 * behaviour; the actions above it ask the host, the functions below it feed events.
 * Time, processes and descriptors belong to the host.
 */
#include "bucardo_machine/supervise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/log.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/spawn.h"
#include "daemon/supervise/restart.h"
#include "daemon/supervise/unit_table.h"

struct bm_unit {
	char *name;
	struct bm_unit_policy policy;
	const struct bm_unit_host *host;
	void (*changed)(void *ctx, struct bm_unit *unit);
	void *ctx;

	enum bm_unit_state state;
	bool wanted;
	bool never_ready;	      /* being stopped because it did not become ready */
	bool excused;		      /* the exit being handled is nobody's failure */
	bool was_ready;		      /* in this life */
	bool is_asked_for;	      /* a person asked for this life's end */
	bool is_renewed;	      /* we did */
	enum bm_stop_mode stop_mode;  /* what it was asked last */
	enum bm_unit_event follow_up; /* what an action led to; COUNT: nothing */
	uint64_t since_msec, ready_since_msec, retry_at_msec, started_msec;
	uint64_t not_before_msec; /* DOWN: the earliest next start */
	unsigned starts, failures, renewals;
	struct bm_asks asks;
	uint64_t random;
	char last_exit[BM_EXIT_TEXT_SIZE];
	char cause[sizeof(((struct bm_error *)NULL)->message)]; /* of the event being handled */
	char why[sizeof(((struct bm_error *)NULL)->message) + 64];
	char failure[sizeof(((struct bm_error *)NULL)->message) +
			64]; /* the last `why` of one */
};

/* ---- actions: what happens on the way into the next state ---- */

static void spawn(struct bm_unit *u)
{
	struct bm_error err = BM_ERROR_INIT;

	u->never_ready = u->was_ready = u->is_asked_for = u->is_renewed = false;
	u->retry_at_msec = u->not_before_msec = 0;
	u->starts++;
	u->started_msec = u->host->now_msec(u->ctx);
	u->host->arm(u->ctx, u->policy.start_timeout_msec);
	if (u->host->spawn(u->ctx, &err) != 0) {
		snprintf(u->cause, sizeof(u->cause), "%s", err.message);
		u->follow_up = BM_UNIT_SPAWN_FAILED;
	}
}

static void forgive(struct bm_unit *u)
{
	u->failures = u->renewals = 0;
}

/* Who asks again and again gets no shorter waits by it. */
static void forgive_for_person(struct bm_unit *u)
{
	if (u->asks.count <= 1) {
		forgive(u);
	}
}

static void spawn_afresh(struct bm_unit *u)
{
	forgive_for_person(u);
	spawn(u);
}

static void await_ready(struct bm_unit *u)
{
	u->never_ready = false;
	u->retry_at_msec = 0;
	u->host->arm(u->ctx, u->policy.start_timeout_msec);
}

static void record_ready(struct bm_unit *u)
{
	u->ready_since_msec = u->host->now_msec(u->ctx);
	u->was_ready = true;
	u->host->arm(u->ctx, 0);
}

static void forgive_if_stable(struct bm_unit *u)
{
	uint64_t ready_msec = u->host->now_msec(u->ctx) - u->ready_since_msec;

	if (bm_restart_is_stable(&u->policy, ready_msec)) {
		forgive(u);
		u->asks.count = 0;
	}
}

static void lose_ready(struct bm_unit *u)
{
	forgive_if_stable(u);
	await_ready(u);
}

static void ask_to_stop(struct bm_unit *u)
{
	u->stop_mode = BM_STOP_GENTLY;
	u->host->arm(u->ctx, u->policy.stop_gently_msec);
	u->host->stop(u->ctx, BM_STOP_GENTLY);
}

static void stop_for_person(struct bm_unit *u)
{
	forgive_for_person(u);
	u->is_asked_for = true;
	ask_to_stop(u);
}

static void stop_to_renew(struct bm_unit *u)
{
	if (u->was_ready) {
		forgive_if_stable(u);
	}
	u->is_renewed = true;
	u->renewals++;
	ask_to_stop(u);
}

static void stop_never_ready(struct bm_unit *u)
{
	u->never_ready = true;
	ask_to_stop(u);
}

static void insist_on_stop(struct bm_unit *u)
{
	if (u->stop_mode < BM_STOP_KILL) {
		u->stop_mode++;
	}
	/* Even a kill is repeated: what it should have hit may have been elsewhere. */
	u->host->arm(u->ctx, u->policy.stop_firmly_msec);
	u->host->stop(u->ctx, u->stop_mode);
}

static uint64_t delay_after(struct bm_unit *u, unsigned failures)
{
	return bm_restart_delay_msec(&u->policy, failures, bm_restart_random(&u->random));
}

static void wait_before_restart(struct bm_unit *u)
{
	if (!u->excused) {
		u->failures++;
		memcpy(u->failure, u->why, sizeof(u->failure));
	}
	uint64_t delay = delay_after(u, u->failures);
	u->retry_at_msec = u->host->now_msec(u->ctx) + delay;
	u->host->arm(u->ctx, delay);
	if (!u->excused && bm_restart_gives_up(&u->policy, u->failures)) {
		u->follow_up = BM_UNIT_GAVE_UP;
	}
}

static void lose_and_wait(struct bm_unit *u)
{
	forgive_if_stable(u);
	wait_before_restart(u);
}

/* Out of a stop. The first renewal after a good time costs no wait. */
static void end_life(struct bm_unit *u)
{
	uint64_t now = u->host->now_msec(u->ctx);

	if (u->was_ready && !u->is_renewed) {
		forgive_if_stable(u);
	} else if (!u->was_ready && !u->is_asked_for) {
		u->failures++;
	}
	unsigned weight = u->failures + (u->renewals > 0 ? u->renewals - 1 : 0);
	u->not_before_msec = weight > 0 && !u->is_asked_for ? now + delay_after(u, weight) : 0;
	u->host->arm(u->ctx, 0);
}

/* Out of a wait, which goes on when it is wanted again. */
static void rest(struct bm_unit *u)
{
	u->not_before_msec = u->retry_at_msec;
	u->retry_at_msec = 0;
	u->host->arm(u->ctx, 0);
}

/* It was given up: from here on it starts as rarely as can be. */
static void rest_given_up(struct bm_unit *u)
{
	u->not_before_msec = u->host->now_msec(u->ctx) + u->policy.backoff_limit_msec;
	u->host->arm(u->ctx, 0);
}

static void wait_on(struct bm_unit *u)
{
	uint64_t now = u->host->now_msec(u->ctx);

	u->retry_at_msec = u->not_before_msec > now ? u->not_before_msec : now + 1;
	u->host->arm(u->ctx, u->retry_at_msec - now);
}

static void give_up(struct bm_unit *u)
{
	u->retry_at_msec = 0;
	u->host->arm(u->ctx, 0);
}

/*
 * The whole behaviour of a unit. Rows are states, columns are events; an empty cell
 * means "ignored". WANT_UP while STOPPING is ignored on purpose: the machine repeats
 * what it wants, and DOWN hears it.
 */
/* clang-format off */
static const struct bm_unit_transition transitions[BM_UNIT_STATE_COUNT][BM_UNIT_EVENT_COUNT] = {
	[BM_UNIT_DOWN] = {
		[BM_UNIT_WANT_UP]        = { BM_UNIT_STARTING, spawn,               "all it needs is there" },
		[BM_UNIT_WANT_UP_SOON]   = { BM_UNIT_BACKOFF,  wait_on,             "it did not last, its next start waits" },
		[BM_UNIT_ADOPTED]        = { BM_UNIT_STARTING, await_ready,         "found running" },
	},
	[BM_UNIT_STARTING] = {
		[BM_UNIT_BECAME_READY]   = { BM_UNIT_READY,    record_ready,          "ready" },
		[BM_UNIT_WANT_DOWN]      = { BM_UNIT_STOPPING, ask_to_stop,         "no longer wanted" },
		[BM_UNIT_RESTART]        = { BM_UNIT_STOPPING, stop_for_person,     "restart asked for" },
		[BM_UNIT_RENEW]          = { BM_UNIT_STOPPING, stop_to_renew,       "restarted by the machine" },
		[BM_UNIT_EXITED]         = { BM_UNIT_BACKOFF,  wait_before_restart, "ended before it was ready" },
		[BM_UNIT_SPAWN_FAILED]   = { BM_UNIT_BACKOFF,  wait_before_restart, "could not be started" },
		[BM_UNIT_TIMED_OUT]      = { BM_UNIT_STOPPING, stop_never_ready,    "not ready in time" },
	},
	[BM_UNIT_READY] = {
		[BM_UNIT_LOST_READY]     = { BM_UNIT_STARTING, lose_ready,          "no longer answers" },
		[BM_UNIT_WANT_DOWN]      = { BM_UNIT_STOPPING, ask_to_stop,         "no longer wanted" },
		[BM_UNIT_RESTART]        = { BM_UNIT_STOPPING, stop_for_person,     "restart asked for" },
		[BM_UNIT_RENEW]          = { BM_UNIT_STOPPING, stop_to_renew,       "restarted by the machine" },
		[BM_UNIT_EXITED]         = { BM_UNIT_BACKOFF,  lose_and_wait,       "ended unasked" },
	},
	[BM_UNIT_STOPPING] = {
		[BM_UNIT_EXITED]         = { BM_UNIT_DOWN,     end_life,            "stopped" },
		[BM_UNIT_EXITED_UNREADY] = { BM_UNIT_BACKOFF,  wait_before_restart, "stopped, as it was not ready in time" },
		[BM_UNIT_TIMED_OUT]      = { BM_UNIT_STOPPING, insist_on_stop,      "did not stop when asked" },
	},
	[BM_UNIT_BACKOFF] = {
		[BM_UNIT_TIMED_OUT]      = { BM_UNIT_STARTING, spawn,               "trying again" },
		[BM_UNIT_RESTART]        = { BM_UNIT_STARTING, spawn_afresh,        "restart asked for" },
		[BM_UNIT_ADOPTED]        = { BM_UNIT_STARTING, await_ready,         "found running" },
		[BM_UNIT_WANT_DOWN]      = { BM_UNIT_DOWN,     rest,                "no longer wanted" },
		[BM_UNIT_GAVE_UP]        = { BM_UNIT_FAILED,   give_up,             "failed too often" },
	},
	[BM_UNIT_FAILED] = {
		[BM_UNIT_RESTART]        = { BM_UNIT_STARTING, spawn_afresh,        "restart asked for" },
		[BM_UNIT_ADOPTED]        = { BM_UNIT_STARTING, await_ready,         "found running" },
		[BM_UNIT_WANT_DOWN]      = { BM_UNIT_DOWN,     rest_given_up,       "no longer wanted" },
	},
};
/* clang-format on */

const struct bm_unit_transition *bm_unit_transition(
		enum bm_unit_state state, enum bm_unit_event event)
{
	return &transitions[state][event];
}

/* ---- events ---- */

static enum bm_log_level level_of(enum bm_unit_state state)
{
	if (state == BM_UNIT_FAILED) {
		return BM_LOG_ERROR;
	}
	return state == BM_UNIT_BACKOFF ? BM_LOG_WARN : BM_LOG_INFO;
}

static void report(const struct bm_unit *u, enum bm_unit_event event, enum bm_unit_state from)
{
	uint64_t now = u->host->now_msec(u->ctx);
	struct bm_field fields[] = {
			bm_str("unit", u->name),
			bm_str("from", bm_unit_state_name(from)),
			bm_str("to", bm_unit_state_name(u->state)),
			bm_str("event", bm_unit_event_name(event)),
			bm_str("why", u->why),
			{.kind = BM_FIELD_END},
			{.kind = BM_FIELD_END},
	};

	if (u->retry_at_msec > now) {
		fields[5] = bm_int("retry_ms", (int64_t)(u->retry_at_msec - now));
	}
	bm_log(level_of(u->state), "supervise", fields, "unit %s is %s", u->name,
			bm_unit_state_name(u->state));
}

/* The only place that assigns a state. True when it did. */
static bool apply(struct bm_unit *u, enum bm_unit_event event)
{
	const struct bm_unit_transition *t = &transitions[u->state][event];
	enum bm_unit_state from = u->state;

	if (t->why == NULL) {
		return false;
	}
	if (u->cause[0] != '\0') {
		snprintf(u->why, sizeof(u->why), "%s: %s", t->why, u->cause);
	} else if (event != BM_UNIT_GAVE_UP) { /* which keeps what the last failure said */
		snprintf(u->why, sizeof(u->why), "%s", t->why);
	}
	u->cause[0] = '\0';
	u->state = t->next;
	if (from != t->next) {
		u->since_msec = u->host->now_msec(u->ctx);
	}
	t->action(u);
	report(u, event, from);
	return from != u->state;
}

void bm_unit_handle(struct bm_unit *u, enum bm_unit_event event)
{
	bool moved;

	if (event == BM_UNIT_WANT_UP || event == BM_UNIT_WANT_DOWN) {
		u->wanted = event == BM_UNIT_WANT_UP;
		u->never_ready = u->never_ready && u->wanted;
	}
	if (event == BM_UNIT_WANT_UP && u->state == BM_UNIT_DOWN &&
			u->host->now_msec(u->ctx) < u->not_before_msec) {
		event = BM_UNIT_WANT_UP_SOON;
	}
	moved = apply(u, event);
	while (u->follow_up != BM_UNIT_EVENT_COUNT) {
		enum bm_unit_event next = u->follow_up;
		u->follow_up = BM_UNIT_EVENT_COUNT;
		moved |= apply(u, next);
	}
	u->cause[0] = '\0';
	u->excused = false;
	if (moved && u->changed != NULL) {
		u->changed(u->ctx, u); /* last: it may feed events or destroy the unit */
	}
}

void bm_unit_want(struct bm_unit *unit, bool up)
{
	bm_unit_handle(unit, up ? BM_UNIT_WANT_UP : BM_UNIT_WANT_DOWN);
}

void bm_unit_exited(struct bm_unit *unit, int status, const char *why, bool excused)
{
	bm_exit_text(status, unit->last_exit);
	snprintf(unit->cause, sizeof(unit->cause), "%s%s%s", unit->last_exit,
			why[0] != '\0' ? ", " : "", why);
	unit->excused = excused;
	bm_unit_handle(unit, unit->never_ready ? BM_UNIT_EXITED_UNREADY : BM_UNIT_EXITED);
}

void bm_unit_progress(struct bm_unit *u)
{
	uint64_t spent_msec = u->host->now_msec(u->ctx) - u->since_msec;

	if (u->state == BM_UNIT_STARTING &&
			(u->policy.start_limit_msec == 0 ||
					spent_msec < u->policy.start_limit_msec)) {
		u->host->arm(u->ctx, u->policy.start_timeout_msec);
	}
}

void bm_unit_restart(struct bm_unit *unit, const char *why)
{
	snprintf(unit->cause, sizeof(unit->cause), "%s", why);
	bm_unit_handle(unit, BM_UNIT_RESTART);
}

/* How long the next one still has to wait. */
static uint64_t ask(struct bm_unit *u)
{
	uint64_t now = u->host->now_msec(u->ctx);

	if (u->state == BM_UNIT_READY) {
		forgive_if_stable(u);
	}
	bm_asks_forget_old(&u->asks, now);
	uint64_t due = u->asks.count > 0 ? u->started_msec + delay_after(u, u->asks.count) : 0;
	return u->starts > 0 && due > now ? due - now : 0;
}

uint64_t bm_unit_ask(struct bm_unit *u)
{
	uint64_t wait_msec = ask(u);

	if (wait_msec == 0) {
		bm_asks_note(&u->asks, u->host->now_msec(u->ctx));
	}
	return wait_msec;
}

static void inherit(struct bm_unit *u, const struct bm_unit *before)
{
	u->asks = before->asks;
	u->starts = before->starts;
	u->started_msec = before->started_msec;
	u->failures = before->failures;
	u->renewals = before->renewals;
	memcpy(u->failure, before->failure, sizeof(u->failure));
}

void bm_unit_succeed(struct bm_unit *u, struct bm_unit *before)
{
	uint64_t now = u->host->now_msec(u->ctx), wait_msec = ask(before);

	bm_asks_note(&before->asks, now);
	inherit(u, before);
	forgive_for_person(u);
	u->not_before_msec = wait_msec > 0 ? now + wait_msec : 0;
}

void bm_unit_renew(struct bm_unit *unit, const char *why)
{
	snprintf(unit->cause, sizeof(unit->cause), "%s", why);
	bm_unit_handle(unit, BM_UNIT_RENEW);
}

/* ---- life and looks ---- */

struct bm_unit *bm_unit_create(const char *name, const struct bm_unit_policy *policy,
		const struct bm_unit_host *host,
		void (*changed)(void *ctx, struct bm_unit *unit), void *ctx)
{
	struct bm_unit *unit = bm_alloc(sizeof(*unit));

	*unit = (struct bm_unit){
			.name = bm_strdup(name),
			.policy = *policy,
			.host = host,
			.changed = changed,
			.ctx = ctx,
			.follow_up = BM_UNIT_EVENT_COUNT,
			.since_msec = host->now_msec(ctx),
			.why = "not started yet",
	};
	unit->random = unit->since_msec ^ (uintptr_t)unit;
	if (unit->random == 0) {
		unit->random = 1;
	}
	return unit;
}

void bm_unit_destroy(struct bm_unit *unit)
{
	if (unit != NULL) {
		free(unit->name);
		free(unit);
	}
}

struct bm_unit_view bm_unit_view(const struct bm_unit *u)
{
	bool stable = u->state == BM_UNIT_READY &&
			bm_restart_is_stable(&u->policy,
					u->host->now_msec(u->ctx) - u->ready_since_msec);

	return (struct bm_unit_view){
			.name = u->name,
			.state = u->state,
			.wanted = u->wanted,
			.since_msec = u->since_msec,
			.restarts = u->starts > 0 ? u->starts - 1 : 0,
			.failures = stable ? 0 : u->failures,
			.renewals = stable ? 0 : u->renewals,
			.retry_at_msec = u->state == BM_UNIT_BACKOFF ? u->retry_at_msec : 0,
			.last_exit = u->last_exit,
			.why = u->why,
			.failure = stable || u->failures == 0 ? "" : u->failure,
	};
}

enum bm_unit_state bm_unit_state(const struct bm_unit *unit)
{
	return unit->state;
}
