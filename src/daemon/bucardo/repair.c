/*
 * repair - what is done about a sync or a tree that does not do its work
 *
 * Nothing here loses a row: captured rows stay in the delta tables of the
 * source until a run has applied them. A kick too many costs an empty run.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"

/* A waiting row older than this, with no run, was forgotten: an autokick run
 * begins within half a second. */
#define FORGOTTEN_MSEC 2000
#define KICK_INTERVAL_MSEC 4000
#define TELL_KICK_MSEC 60000

/* A sync that nobody else kicks: a run ends long before, or is open still. */
#define RELEASED_INTERVAL_MSEC 500

/*
 * A sync without CTL so long is not just being started. One that is unknown to the
 * master was just added: its maker is about to type `bucardo reload`, which gives up
 * when a reload of ours keeps the master busy. With autokick off it is not meant to
 * run yet.
 */
#define MISSING_MSEC 2000
#define MISSING_NEW_MSEC 8000
#define MISSING_UNKICKED_MSEC 60000
#define REVIVE_FIRST_MSEC 5000
#define REVIVE_LIMIT_MSEC 60000

/* How often a failing sync reads its tables anew. */
#define REREAD_MSEC 20000

void repair_kick(struct bm_bucardo *bucardo, struct evaluated_sync *sync, const char *why)
{
	uint64_t now = bm_clock_msec();
	/* While it is in trouble the same kick comes every few seconds. */
	bool is_news = sync->reported_kick_msec == 0 ||
			now - sync->reported_kick_msec >= TELL_KICK_MSEC;

	if (!master_send(bucardo, "kick", sync->name)) {
		return;
	}
	sync->kicked_msec = now;
	sync->reported_kick_msec = is_news ? now : sync->reported_kick_msec;
	bm_log(is_news ? BM_LOG_INFO : BM_LOG_DEBUG, BUCARDO_AREA,
			BM_FIELDS(bm_str("sync", sync->name), bm_str("why", why),
					bm_int("rows", sync->backlog_rows)),
			"kicking the sync");
}

static void restart_tree(struct bm_bucardo *bucardo, const char *why)
{
	bucardo_event(bucardo, BM_BUCARDO_NOTE, "restarting Bucardo: %s", why);
	bm_unit_renew(bucardo->unit, why);
}

/* ---- what was forgotten ---- */

static void kick_forgotten(
		struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	uint64_t patience = sync->released ? 0 : FORGOTTEN_MSEC;
	uint64_t interval = sync->released ? RELEASED_INTERVAL_MSEC : KICK_INTERVAL_MSEC;
	bool waits = sync->backlog_rows > 0 && sync->lag_msec >= (int64_t)patience &&
			!sync->run_open;
	/* A failing one too: after a person's `bucardo reload` nothing runs unless kicked. */
	bool sound = sync->health == BM_HEALTH_RUNNING ||
			sync->health == BM_HEALTH_CATCHING_UP ||
			sync->health == BM_HEALTH_STALLED || sync->health == BM_HEALTH_FAILING;

	if (waits && sound && sync->autokick && now - sync->kicked_msec >= interval) {
		repair_kick(bucardo, sync, "rows wait and no run has begun");
	}
}

/*
 * Under a steady load more rows came while it ran, and the next look is up to a second
 * away. Where none came the next run is an empty one, and the last of them: the look
 * after it says that nothing waits.
 */
void repair_run_ended(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	const struct daemon *daemon = &bucardo->daemon;

	if (sync->released && sync->active && sync->backlog_rows > 0 &&
			daemon->phase == DAEMON_RUNNING && !daemon->stopping &&
			!daemon->operator_stop) {
		repair_kick(bucardo, sync, "a run has ended, and rows came meanwhile");
	}
}

/* ---- failing syncs ---- */

/*
 * A KID tries again every few seconds, which is enough when rights or rows were
 * fixed. Columns it knows from its start: a changed table needs a reload of the
 * sync. While the tables differ, validation fails and the sync is not served;
 * watch_served() tries again, ever more rarely, until it passes.
 */
static void reread_failing(
		struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	if (sync->health != BM_HEALTH_FAILING ||
			!children_has(bucardo, BUCARDO_CTL, sync->name)) {
		return;
	}
	if (now - sync->since_msec >= REREAD_MSEC && now - sync->reread_msec >= REREAD_MSEC) {
		sync->reread_msec = now;
		bm_log(BM_LOG_INFO, BUCARDO_AREA, BM_FIELDS(bm_str("sync", sync->name)),
				"its runs still fail: reading its tables anew");
		master_send(bucardo, "reload", sync->name);
		master_send(bucardo, "kick", sync->name);
	}
}

/* ---- syncs the master does not serve ---- */

static uint64_t revive_interval(unsigned revivals)
{
	uint64_t interval = REVIVE_FIRST_MSEC;

	while (revivals-- > 0 && interval < REVIVE_LIMIT_MSEC) {
		interval *= 2;
	}
	return interval < REVIVE_LIMIT_MSEC ? interval : REVIVE_LIMIT_MSEC;
}

/*
 * An active sync without CTL: its databases were unreachable when the master looked (it
 * never looks again), or it was added later, or its validation failed. Waking it
 * alone disturbs nobody; one that is unknown to a master that a person started needs a
 * reload, which ends all others. Never a
 * restart: the person who has just added it is typing the next command, which
 * would find Bucardo down. The VAC that is missing then is seen to later.
 */
static void revive(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	/* Ours looks a name up when it is told (serve.pl). Of a person's we may be wrong: now
	 * and then a reload all the same. */
	bool known = bucardo->daemon.loop_msec != 0 ||
			(sync->known_to_master && sync->revivals % 4 != 3);

	sync->revived_msec = now;
	sync->revivals++;
	bucardo_event(bucardo, BM_BUCARDO_NOTE, "sync '%s' is active but not served: %s",
			sync->name, known ? "activating it" : "reloading Bucardo");
	if (known) {
		master_send(bucardo, "activate", sync->name);
		master_send(bucardo, "kick", sync->name);
	} else {
		master_reload(bucardo);
	}
}

static uint64_t missing_patience(
		const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	if (sync->known_to_master || declared_find(bucardo, sync->name) != NULL) {
		return MISSING_MSEC;
	}
	return sync->autokick ? MISSING_NEW_MSEC : MISSING_UNKICKED_MSEC;
}

static void watch_served(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	bool has_ctl = children_has(bucardo, BUCARDO_CTL, sync->name);

	if (!sync->active || sync->paused || !sync->reachable || has_ctl ||
			master_has_queue(bucardo, now)) {
		sync->missing_msec = 0;
		if (sync->active && sync->reachable && has_ctl) {
			sync->revivals = 0;
		}
		return;
	}
	if (sync->missing_msec == 0 || sync->missing_autokick != sync->autokick) {
		sync->missing_msec = now;
		sync->missing_autokick = sync->autokick;
	}
	if (now - sync->missing_msec >= missing_patience(bucardo, sync) &&
			(sync->revivals == 0 ||
					now - sync->revived_msec >=
							revive_interval(sync->revivals - 1))) {
		revive(bucardo, sync, now);
	}
}

/* ---- the escalation ---- */

static const char *print_lag(int64_t msec, char *out)
{
	return msec < 0 ? "unknown" : bm_clock_format_span((uint64_t)msec, out);
}

static void take_step(struct bm_bucardo *bucardo, struct evaluated_sync *sync,
		enum bm_escalation step)
{
	char lag[BM_CLOCK_TEXT_SIZE];
	char *text = bm_format("sync '%s' stalled, lag %s (%s): %s", sync->name,
			print_lag(sync->lag_msec, lag), bm_strbuf_text(&sync->why),
			bm_escalation_name(step));

	bm_log(BM_LOG_WARN, BUCARDO_AREA,
			BM_FIELDS(bm_str("sync", sync->name),
					bm_str("to", bm_escalation_name(step)),
					bm_int("rows", sync->backlog_rows),
					bm_int("lag_ms", sync->lag_msec),
					bm_str("why", bm_strbuf_text(&sync->why))),
			"sync is stalled, taking the next step");
	if (sync->escalation_lag_msec < 0) {
		sync->escalation_lag_msec = sync->lag_msec;
	}
	switch (step) {
	case BM_ESCALATION_KICK:
		bucardo_event(bucardo, BM_BUCARDO_NOTE, "%s", text);
		repair_kick(bucardo, sync, "stalled");
		break;
	case BM_ESCALATION_RELOAD_SYNC:
		bucardo_event(bucardo, BM_BUCARDO_NOTE, "%s", text);
		master_send(bucardo, "reload", sync->name);
		/* A reload is followed by no run unless asked for; this waits in the
		 * master until it is done. */
		master_send(bucardo, "kick", sync->name);
		break;
	case BM_ESCALATION_RESTART_TREE:
		restart_tree(bucardo, text);
		break;
	case BM_ESCALATION_RESTART_POSTGRES:
		bucardo_event(bucardo, BM_BUCARDO_RESTART_POSTGRES, "%s", text);
		break;
	default:
		bucardo_event(bucardo, BM_BUCARDO_HOLD, "%s", text);
		break;
	}
	free(text);
}

const struct bm_recoveries *bm_bucardo_recoveries(const struct bm_bucardo *bucardo)
{
	return &bucardo->recoveries;
}

/* What became of the last step that was taken for this sync, if there was one. */
static void count_recovery(struct bm_bucardo *bucardo, const struct evaluated_sync *sync,
		enum bm_recovery result)
{
	if (sync->escalation.step != BM_ESCALATION_NONE) {
		bucardo->recoveries.count[sync->escalation.step][result]++;
	}
}

static void leave_escalation(struct bm_bucardo *bucardo, struct evaluated_sync *sync)
{
	char before[BM_CLOCK_TEXT_SIZE], after[BM_CLOCK_TEXT_SIZE];
	bool helped = sync->history.applied_msec > sync->escalation.taken_msec;

	count_recovery(bucardo, sync, helped ? BM_RECOVERY_RECOVERED : BM_RECOVERY_OTHER);
	bucardo_event(bucardo, BM_BUCARDO_NOTE,
			"no escalation any more after %s: sync '%s' is %s, lag %s before and %s now",
			bm_escalation_name(sync->escalation.step), sync->name,
			bm_health_name(sync->health),
			print_lag(sync->escalation_lag_msec, before),
			print_lag(sync->lag_msec, after));
	sync->escalation = (struct escalation_state){BM_ESCALATION_NONE, 0};
	sync->escalation_lag_msec = -1;
}

static void escalate(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	if (escalation_is_over(&sync->escalation, sync->health, sync->history.applied_msec,
			    bucardo->daemon.ready_msec, now)) {
		leave_escalation(bucardo, sync);
	}
	enum bm_escalation next = bucardo->options.escalation
			? escalation_next(&sync->escalation, sync->health,
					  bucardo->daemon.ready_msec, now, bucardo->slowness)
			: BM_ESCALATION_NONE;
	if (next != BM_ESCALATION_NONE) {
		count_recovery(bucardo, sync, BM_RECOVERY_FAILED);
		escalation_taken(&sync->escalation, next, now);
		take_step(bucardo, sync, next);
	}
}

/* ---- all of it ---- */

/* What was not done meanwhile is no reason for anything. */
static void wait_for_master(struct bm_bucardo *bucardo)
{
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		bucardo->evaluation.syncs[i].missing_msec = 0;
	}
}

static void repair_sync(struct bm_bucardo *bucardo, struct evaluated_sync *sync, uint64_t now)
{
	pause_check(bucardo, sync, now);
	wish_check(bucardo, sync, now);
	kick_forgotten(bucardo, sync, now);
	reread_failing(bucardo, sync, now);
	watch_served(bucardo, sync, now);
	escalate(bucardo, sync, now);
}

void repair_all(struct bm_bucardo *bucardo)
{
	const struct daemon *daemon = &bucardo->daemon;
	uint64_t now = bm_clock_msec();

	if (daemon->phase != DAEMON_RUNNING || daemon->ready_msec == 0 || daemon->stopping ||
			daemon->operator_stop) {
		return;
	}
	const char *trouble = master_trouble(bucardo, now);
	if (trouble != NULL) {
		restart_tree(bucardo, trouble);
		return;
	}
	if (master_is_busy(bucardo, now)) {
		wait_for_master(bucardo);
		return;
	}
	for (size_t i = 0; i < bucardo->evaluation.count; i++) {
		if (bucardo->evaluation.syncs[i].present) {
			repair_sync(bucardo, &bucardo->evaluation.syncs[i], now);
		}
	}
}
