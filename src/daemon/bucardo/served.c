/*
 * served - whether a sync has its controller (CTL)
 *
 * Nothing is applied without one, whatever the tables say of the sync; and that no row waits
 * now does not last. The master starts the controllers of a start, and those of syncs that are
 * activated later, one after the other. It replaces one that has ended within a second, on a
 * slow host within some more: that alone is no news.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "daemon/health/health.h"

/* How long one that has ended may be missed, and one that was never there. */
#define REPLACED_MSEC 10000
#define FIRST_MSEC 20000

void served_record(struct bm_bucardo *bucardo)
{
	uint64_t now = bm_clock_msec();

	for (const struct children_member *m = bucardo->children.members; m != NULL;
			m = m->next) {
		struct evaluated_sync *sync = m->role == BUCARDO_CTL
				? evaluate_find(bucardo, m->sync)
				: NULL;
		if (sync != NULL) {
			sync->served_msec = now;
		}
	}
}

static void record_refused(struct bm_bucardo *bucardo, const char *said)
{
	const char *end = strstr(said, " FAILED");
	char name[256];

	if (end == NULL || (size_t)(end - said) >= sizeof(name)) {
		return;
	}
	bm_text_copy(name, (size_t)(end - said) + 1, said);
	struct evaluated_sync *sync = evaluate_find(bucardo, name);
	if (sync != NULL) {
		sync->refused_msec = bm_clock_msec();
		snprintf(sync->refusal, sizeof(sync->refusal),
				"Bucardo cannot begin with it, nothing is applied: %s",
				bucardo->master.refusal[0] != '\0' ? bucardo->master.refusal
								   : "the log has why");
	}
	bucardo->master.refusal[0] = '\0';
}

void served_receive(struct bm_bucardo *bucardo, const char *line)
{
	static const char *const causes[] = {
			" MCP Connection failed: ", " MCP Error from validate_sync: "};
	static const char failed[] = " MCP Validation of sync ";
	struct master *master = &bucardo->master;

	for (size_t i = 0; i < BM_COUNT_OF(causes); i++) {
		const char *said = strstr(line, causes[i]);
		if (said != NULL) {
			struct bm_strbuf words = BM_STRBUF_INIT;
			health_print_error(&words, said + strlen(causes[i]));
			bm_text_copy(master->refusal, sizeof(master->refusal),
					bm_strbuf_text(&words));
			bm_strbuf_finish(&words);
		}
	}
	const char *said = strstr(line, failed);
	if (said != NULL) {
		record_refused(bucardo, said + strlen(failed));
	}
}

/* By the master that runs now. */
static bool was_served(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	return sync->served_msec != 0 && sync->served_msec >= bucardo->daemon.begun_msec;
}

/* The master that runs now has tried, and could not. */
static bool is_refused(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	return sync->refused_msec != 0 && sync->refused_msec >= bucardo->daemon.begun_msec &&
			sync->refused_msec > sync->served_msec;
}

bool served_is_missing(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync,
		uint64_t now)
{
	const struct daemon *daemon = &bucardo->daemon;

	if (daemon->phase != DAEMON_RUNNING || daemon->ready_msec == 0 ||
			children_has(bucardo, BUCARDO_CTL, sync->name) || sync->paused ||
			!sync->active || !sync->reachable || !sync->autokick) {
		return false;
	}
	return !was_served(bucardo, sync) || is_refused(bucardo, sync) ||
			now - sync->served_msec >= REPLACED_MSEC * bucardo->slowness;
}

/* Since when it waits: the master begins to hear once it is ready. */
static uint64_t missing_since(
		const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	uint64_t asked = sync->active_msec > bucardo->daemon.ready_msec
			? sync->active_msec
			: bucardo->daemon.ready_msec;

	return was_served(bucardo, sync) ? sync->served_msec : asked;
}

/* Its migration has begun to replicate since it was evaluated. */
static bool is_just_released(
		const struct bm_bucardo *bucardo, const struct evaluated_sync *sync)
{
	const struct declared_sync *declared = declared_find(bucardo, sync->name);

	return sync->was_held && declared != NULL && declared->released && !declared->paused;
}

void served_show(const struct bm_bucardo *bucardo, const struct evaluated_sync *sync,
		struct bm_sync_view *view, uint64_t now)
{
	if (view->health == BM_HEALTH_STOPPED && is_just_released(bucardo, sync)) {
		view->health = BM_HEALTH_STARTING;
		view->why = "Bucardo has not started its controller yet: nothing is applied";
		view->advice = "";
		return;
	}
	if (view->health > BM_HEALTH_CATCHING_UP || !served_is_missing(bucardo, sync, now)) {
		return;
	}
	bool was_there = was_served(bucardo, sync);
	bool refused = is_refused(bucardo, sync);
	bool is_in_turn = !was_there && master_has_queue(bucardo, now);

	view->health = BM_HEALTH_STARTING;
	view->since_msec = missing_since(bucardo, sync);
	view->is_overdue = was_there || refused ||
			(!is_in_turn &&
					now - view->since_msec >=
							FIRST_MSEC * bucardo->slowness);
	view->why = refused ? sync->refusal
			: was_there
			? "its controller has ended, and Bucardo has not started another yet: "
			  "nothing is applied"
			: is_in_turn
			? "Bucardo activates one sync after the other, and has not "
			  "come to this one yet"
			: "Bucardo has not started its controller yet: nothing is applied";
	view->advice = view->is_overdue
			? "wait: the machine tells Bucardo to serve it, again and "
			  "again; the log has why it does not"
			: "";
	view->catch_up_msec = -1;
}
