/* health - see health.h */
#include "daemon/health/health.h"

#include <assert.h>
#include <string.h>

#include "daemon/health/classify.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"

/* A backlog younger than this is what a running replication looks like. */
#define FRESH_MSEC 10000

/* An open run of which nothing can be seen moving (a count over a huge delta
 * table, say) gets this much longer before it counts as stalled. */
#define BLIND_RUN_FACTOR 6

/* The same unknown error so often within 5 minutes is not a passing one. */
#define UNKNOWN_IS_PERMANENT_AFTER 3
#define TRANSIENT_IS_PERMANENT_AFTER 30

static const char *const names[] = {
		[BM_HEALTH_UNKNOWN] = "unknown",
		[BM_HEALTH_IDLE] = "idle",
		[BM_HEALTH_RUNNING] = "running",
		[BM_HEALTH_CATCHING_UP] = "catching-up",
		[BM_HEALTH_STARTING] = "starting",
		[BM_HEALTH_BLOCKED] = "blocked",
		[BM_HEALTH_UNREACHABLE] = "unreachable",
		[BM_HEALTH_FAILING] = "failing",
		[BM_HEALTH_STALLED] = "stalled",
		[BM_HEALTH_STOPPED] = "stopped",
};
static_assert(BM_COUNT_OF(names) == BM_HEALTH_COUNT, "every health has a name");

const char *bm_health_name(enum bm_health health)
{
	return health < BM_HEALTH_COUNT ? names[health] : "?";
}

/* ---- progress ---- */

static uint64_t phase_hash(const struct bm_sync_sample *sync)
{
	uint64_t hash = sync->run_open ? 14695981039346656037u : 1;

	for (const char *p = sync->run_open ? sync->run_status : ""; *p != '\0'; p++) {
		hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	}
	return hash;
}

static uint64_t good_time(const struct bm_sync_sample *sync, uint64_t taken_msec)
{
	if (sync->good_age_msec < 0) {
		return 0;
	}
	uint64_t age = (uint64_t)sync->good_age_msec;
	return age < taken_msec ? taken_msec - age : 1;
}

static bool has_applied(const struct sync_history *before, const struct sync_history *after)
{
	/* A run that ended well; the ages are measured on another clock. */
	bool finished = after->good_msec > before->good_msec + 500;
	bool shrank = after->backlog_rows >= 0 && after->backlog_rows < before->backlog_rows;
	/* The oldest waiting row is a younger one: some were applied. */
	bool younger = after->lag_msec >= 0 && before->lag_msec > after->lag_msec;

	return finished || shrank || younger || after->backlog_rows == 0;
}

static bool has_moved(const struct sync_history *before, const struct sync_history *after)
{
	bool works = after->run_moved != before->run_moved && after->run_moved >= 0;
	/* Rows that wait only now: a quiet sync is looked at so seldom that the last
	 * sample without any may be old. */
	bool began = before->backlog_rows == 0;

	return works || began || has_applied(before, after);
}

/* Without a backlog there is nothing to learn: the next one begins anew. */
static void remember_trend(struct sync_history *now, uint64_t taken_msec)
{
	if (now->backlog_rows <= 0 || now->lag_msec < 0) {
		now->rows = now->lag = (struct trend){0};
		return;
	}
	trend_take(&now->rows, (double)now->backlog_rows, taken_msec);
	trend_take(&now->lag, (double)now->lag_msec, taken_msec);
}

void health_remember(struct sync_history *history, const struct bm_sync_sample *sync,
		uint64_t taken_msec)
{
	struct sync_history now = {
			.known = true,
			.backlog_rows = sync->backlog_rows,
			.lag_msec = sync->lag_msec,
			.run_moved = sync->run_moved,
			.good_msec = good_time(sync, taken_msec),
			.phase_hash = phase_hash(sync),
			.progress_msec = history->progress_msec,
			.applied_msec = history->applied_msec,
			.rows = history->rows,
			.lag = history->lag,
	};

	remember_trend(&now, taken_msec);

	if (!history->known || has_moved(history, &now)) {
		now.progress_msec = taken_msec;
	}
	if (history->known && has_applied(history, &now)) {
		now.applied_msec = taken_msec;
	}
	/* A new phase of an open run is a step; opening and failing one is not. */
	if (history->known && sync->run_open && history->phase_hash != 1 &&
			now.phase_hash != history->phase_hash) {
		now.progress_msec = taken_msec;
	}
	*history = now;
}

/* ---- where it goes ---- */

const char *bm_trend_name(enum bm_trend trend)
{
	static const char *const trend_names[] = {
			[BM_TREND_UNKNOWN] = "unknown",
			[BM_TREND_STEADY] = "steady",
			[BM_TREND_SHRINKS] = "shrinks",
			[BM_TREND_GROWS] = "grows",
	};
	static_assert(BM_COUNT_OF(trend_names) == BM_TREND_COUNT, "every trend has a name");

	return trend < BM_TREND_COUNT ? trend_names[trend] : "?";
}

/* Seconds until `left` is gone; -1: not in two days, so not at this rate. */
static double seconds_until_none(double left, double slope)
{
	double seconds = slope < 0 ? left / -slope : -1;

	return seconds > 2 * 24 * 3600 ? -1 : seconds;
}

/* Where the count of rows ends, the age of the oldest of them still tells. */
static double seconds_to_catch_up(const struct sync_history *history)
{
	double rows = seconds_until_none(
			(double)history->backlog_rows, trend_slope(&history->rows));
	double lag = seconds_until_none((double)history->lag_msec, trend_slope(&history->lag));

	return history->backlog_rows < BM_BACKLOG_LIMIT ? rows : lag;
}

struct health_trend health_trend(const struct sync_history *history, bool running)
{
	struct health_trend out = {BM_TREND_UNKNOWN, 0, -1};

	if (!history->known || history->backlog_rows < 0) {
		return out;
	}
	if (history->backlog_rows == 0 || history->lag_msec < FRESH_MSEC) {
		out.trend = BM_TREND_STEADY;
		return out;
	}
	if (!trend_is_known(&history->rows)) {
		return out;
	}
	double seconds = seconds_to_catch_up(history);
	out.shrink_rate = (int64_t)-trend_slope(&history->rows);
	if (seconds >= 0) {
		out.trend = BM_TREND_SHRINKS;
		out.catch_up_msec = (int64_t)(seconds * 1000);
		return out;
	}
	/* A long run takes rows off at its end only. */
	bool first_run = running && history->applied_msec < history->rows.begun_msec;
	out.trend = first_run ? BM_TREND_UNKNOWN : BM_TREND_GROWS;
	return out;
}

/* ---- evaluation ---- */

static void print_span(struct bm_strbuf *out, uint64_t msec)
{
	char span[BM_CLOCK_TEXT_SIZE];

	bm_strbuf_puts(out, bm_clock_format_span(msec, span));
}

static void print_waiting(struct bm_strbuf *out, const struct bm_sync_sample *sync)
{
	bm_words_count(out, sync->backlog_rows, "row waits", "rows wait");
}

static bool is_unreachable(const struct bm_sync_sample *sync, const struct bm_observation *all,
		struct bm_strbuf *why, struct bm_strbuf *advice)
{
	for (size_t i = 0; i < sync->db_count; i++) {
		const struct bm_db_sample *db = &all->dbs[sync->dbs[i]];
		if (db->reach != BM_REACH_NO) {
			continue;
		}
		bm_strbuf_printf(why, "database '%s' is unreachable for ", db->name);
		print_span(why,
				all->taken_msec > db->since_msec
						? all->taken_msec - db->since_msec
						: 0);
		bm_strbuf_printf(why, ": %s", db->error);
		bucardo_advise_unreachable(db->error, db->name, advice);
		return true;
	}
	return false;
}

static bool is_blocked(const struct bm_sync_sample *sync, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	if (!sync->run_open || sync->blocker_pid == 0) {
		return false;
	}
	bm_strbuf_printf(why,
			"the run waits on database '%s' for a lock held by backend %d: %s",
			sync->blocker_db, (int)sync->blocker_pid, sync->blocker_query);
	bm_strbuf_printf(advice,
			"let that session end its transaction, or end it there with SELECT "
			"pg_terminate_backend(%d)",
			(int)sync->blocker_pid);
	return true;
}

/* Behind "DBD::Pg::db do failed: ERROR: ", or "DBI connect('dbname=...') failed: ". */
static const char *begin_of_error(const char *text)
{
	static const char *const frames[] = {"ERROR: ", ") failed: "};

	for (size_t i = 0; i < BM_COUNT_OF(frames); i++) {
		const char *frame = strstr(text, frames[i]);
		if (frame != NULL) {
			return frame + strlen(frames[i]);
		}
	}
	return text;
}

void health_print_error(struct bm_strbuf *out, const char *text)
{
	const char *start = begin_of_error(text);
	static const char *const ends[] = {" at /usr/", " at -e line ", ": \"", " Line: "};

	start += strspn(start, " ");
	size_t length = strlen(start);
	for (size_t i = 0; i < BM_COUNT_OF(ends); i++) {
		const char *end = strstr(start, ends[i]);
		if (end != NULL && end > start && (size_t)(end - start) < length) {
			length = (size_t)(end - start);
		}
	}
	for (size_t i = 0; i < length; i++) {
		bool is_newline = start[i] == '\\' && i + 1 < length && start[i + 1] == 'n';
		bm_strbuf_add(out, is_newline ? "; " : &start[i], is_newline ? 2 : 1);
		i += is_newline;
	}
}

static bool is_failing(const struct bm_sync_sample *sync, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	bool last_was_bad = sync->bad_age_msec >= 0 &&
			(sync->good_age_msec < 0 || sync->bad_age_msec < sync->good_age_msec);

	if (!last_was_bad) {
		return false;
	}
	unsigned needed = 1;
	struct bm_strbuf hint = BM_STRBUF_INIT;
	switch (bucardo_classify(sync->bad_text, sync->name, &hint)) {
	case RUN_ERROR_NONE:
		needed = UINT32_MAX;
		break;
	case RUN_ERROR_TRANSIENT:
		needed = TRANSIENT_IS_PERMANENT_AFTER;
		bm_strbuf_puts(&hint,
				"the error passes as a rule, but comes again and again: "
				"look for what causes it");
		break;
	case RUN_ERROR_UNKNOWN:
		needed = UNKNOWN_IS_PERMANENT_AFTER;
		break;
	case RUN_ERROR_PERMANENT:
		break;
	}
	/* An old failure without a later run still stands. */
	bool failing = needed == 1 || sync->recent_failures >= needed;
	if (failing) {
		bm_strbuf_puts(why, "its runs fail: ");
		health_print_error(why, sync->bad_text);
		bm_strbuf_puts(advice, bm_strbuf_text(&hint));
	}
	bm_strbuf_finish(&hint);
	return failing;
}

static void advise_stalled(const struct bm_sync_sample *sync,
		const struct health_limits *limits, struct bm_strbuf *advice)
{
	if (limits->escalation) {
		bm_strbuf_puts(advice,
				"wait: the machine kicks it, reloads it, restarts Bucardo and then "
				"PostgreSQL, one after the other until it moves");
	} else {
		bm_strbuf_printf(advice,
				"`bucardo reload %s` and `bucardo kick %s`, else "
				"`bucardo-machine service restart bucardo` (bucardo.escalation is "
				"false: nothing is done by itself)",
				sync->name, sync->name);
	}
}

static bool is_stalled(const struct sync_history *history, const struct bm_sync_sample *sync,
		uint64_t now_msec, const struct health_limits *limits, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	if (limits->ready_msec == 0 || !sync->autokick) {
		return false;
	}
	uint64_t since = history->progress_msec > limits->ready_msec ? history->progress_msec
								     : limits->ready_msec;
	uint64_t patience = limits->stalled_after_msec;
	if (sync->run_open && sync->run_moved < 0) {
		patience *= BLIND_RUN_FACTOR;
	}
	if (now_msec < since || now_msec - since < patience) {
		return false;
	}
	print_waiting(why, sync);
	bm_strbuf_puts(why, " and nothing moved for ");
	print_span(why, now_msec - since);
	if (sync->run_open) {
		bm_strbuf_printf(why, ", the run is at '%s'", sync->run_status);
	}
	advise_stalled(sync, limits, advice);
	return true;
}

/* A sync with rows that wait. */
static enum bm_health evaluate_backlog(const struct sync_history *history,
		const struct bm_sync_sample *sync, uint64_t now_msec,
		const struct health_limits *limits, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	if (is_stalled(history, sync, now_msec, limits, why, advice)) {
		return BM_HEALTH_STALLED;
	}
	if (limits->held && !sync->run_open) {
		print_waiting(why, sync);
		bm_strbuf_puts(why, " until its migration begins to replicate");
		return BM_HEALTH_IDLE;
	}
	if (!sync->autokick && !sync->run_open) {
		bm_strbuf_puts(why, "autokick is off: ");
		print_waiting(why, sync);
		bm_strbuf_puts(why, " until it is kicked");
		bm_strbuf_printf(advice,
				"when the copy is done: `bucardo update sync %s autokick=1`, "
				"then `bucardo reload`",
				sync->name);
		return BM_HEALTH_IDLE;
	}
	return sync->lag_msec >= FRESH_MSEC ? BM_HEALTH_CATCHING_UP : BM_HEALTH_RUNNING;
}

/* Whether it is not Bucardo's now. */
static bool is_its_migrations(const struct bm_sync_sample *sync,
		const struct health_limits *limits, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	if (limits->changing) {
		/* What waits is carried by the worker. */
		bm_strbuf_puts(why, "its migration is being cut over");
		return true;
	}
	if (sync->active || !(limits->held || limits->is_migration_paused)) {
		return false;
	}
	if (limits->is_migration_paused) {
		bm_strbuf_puts(why, "its migration is paused");
		bm_strbuf_puts(advice, "`bucardo-machine resume` with its name lets it go on");
		return true;
	}
	bm_strbuf_puts(why, "its migration has not begun to replicate yet");
	bm_strbuf_puts(advice,
			"nothing: the migration activates it when all rows are copied; earlier "
			"would be too early");
	return true;
}

static enum bm_health evaluate(const struct sync_history *history,
		const struct bm_sync_sample *sync, const struct bm_observation *observation,
		const struct health_limits *limits, struct bm_strbuf *why,
		struct bm_strbuf *advice)
{
	if (limits->stopped) {
		bm_strbuf_puts(why, "Bucardo was stopped by an operator");
		return BM_HEALTH_STOPPED;
	}
	if (is_its_migrations(sync, limits, why, advice)) {
		return limits->changing ? BM_HEALTH_IDLE : BM_HEALTH_STOPPED;
	}
	if (!sync->active && limits->declared) {
		bm_strbuf_puts(why, "all of its tables are paused, or somebody deactivated it");
		bm_strbuf_printf(advice,
				"its migration says which tables, and what fixes them: it goes on by "
				"itself then; where nothing is said: `bucardo activate %s`",
				sync->name);
		return BM_HEALTH_STOPPED;
	}
	if (!sync->active) {
		bm_strbuf_puts(why, "the sync is not active");
		bm_strbuf_printf(advice, "`bucardo activate %s` when it shall replicate",
				sync->name);
		return BM_HEALTH_STOPPED;
	}
	if (limits->paused) {
		bm_strbuf_puts(why, "it was paused by somebody who typed `bucardo pause`, ");
		print_span(why,
				observation->taken_msec > limits->paused_msec
						? observation->taken_msec - limits->paused_msec
						: 0);
		bm_strbuf_puts(why, " ago");
		bm_strbuf_printf(advice, "`bucardo resume %s` when it shall go on", sync->name);
		return BM_HEALTH_STOPPED;
	}
	if (is_unreachable(sync, observation, why, advice)) {
		return BM_HEALTH_UNREACHABLE;
	}
	if (is_blocked(sync, why, advice)) {
		return BM_HEALTH_BLOCKED;
	}
	if (is_failing(sync, why, advice)) {
		return BM_HEALTH_FAILING;
	}
	if (sync->backlog_rows > 0) {
		return evaluate_backlog(
				history, sync, observation->taken_msec, limits, why, advice);
	}
	if (sync->run_open) {
		return BM_HEALTH_RUNNING;
	}
	return sync->backlog_rows == 0 ? BM_HEALTH_IDLE : BM_HEALTH_UNKNOWN;
}

enum bm_health health_evaluate(struct sync_history *history, const struct bm_sync_sample *sync,
		const struct bm_observation *observation, const struct health_limits *limits,
		struct bm_strbuf *why, struct bm_strbuf *advice)
{
	bm_strbuf_clear(why);
	bm_strbuf_clear(advice);
	enum bm_health health = evaluate(history, sync, observation, limits, why, advice);
	if (health == BM_HEALTH_STOPPED || health == BM_HEALTH_UNREACHABLE ||
			health == BM_HEALTH_BLOCKED || health == BM_HEALTH_FAILING ||
			!sync->autokick) {
		history->progress_msec = observation->taken_msec;
	}
	return health;
}
