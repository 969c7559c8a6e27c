/* The metrics: how each number is found in the status, and the table. */
#include "client/http/http_metrics_table.h"

#include "bucardo_machine/macros.h"
#include "client/http/http_lag.h"
#include "client/http/http_status.h"

/* ---- values ---- */

static bool always(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape, (void)item;
	*out = 1;
	return true;
}

static bool up(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)item;
	*out = scrape->is_up ? 1 : 0;
	return true;
}

static bool started(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return http_status_moment(item->self, "started_at", out);
}

static bool status_age(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)item;
	*out = (double)(scrape->now_msec - scrape->taken_msec) / 1000;
	return scrape->status != NULL;
}

static bool unit_up(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	*out = http_status_is(item->self, "state", "ready");
	return true;
}

static bool database_up(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	*out = http_status_is(item->self, "reach", "yes");
	return !http_status_is(item->self, "reach", "unknown");
}

/* From a moment that is kept: it grows while nobody says anything. */
static bool sync_lag(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	return http_lag(json_string_value(json_object_get(item->self, "name")),
			scrape->now_msec, out);
}

static bool last_success(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	double age;

	if (!http_status_number(item->self, "good_age_msec", &age)) {
		return false;
	}
	int64_t seconds = (scrape->taken_wall_msec - (int64_t)age + 500) / 1000;
	*out = (double)seconds;
	return true;
}

static bool is_in_phase(const struct http_item *item, const char *phase)
{
	return http_status_is(item->self, "phase", phase);
}

static bool of_progress(const struct http_item *item, const char *member, double *out)
{
	return http_status_number(json_object_get(item->self, "progress"), member, out);
}

static bool copied(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return is_in_phase(item, "copy") && of_progress(item, "done", out);
}

static bool to_copy(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return is_in_phase(item, "copy") && of_progress(item, "total", out);
}

static bool copied_rows(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return is_in_phase(item, "copy") && of_progress(item, "rows", out);
}

static bool chunks(const struct http_item *item, bool done, double *out)
{
	double all, so_far;
	bool known = is_in_phase(item, "copy") && of_progress(item, "pieces_total", &all) &&
			of_progress(item, "pieces_done", &so_far);

	*out = !known ? 0 : done ? so_far : all - so_far;
	return known;
}

static bool chunks_done(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return chunks(item, true, out);
}

static bool chunks_waiting(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return chunks(item, false, out);
}

static bool progress(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool known = of_progress(item, "percent", out);

	(void)scrape;
	*out /= 100;
	return known;
}

static bool time_left(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool known = of_progress(item, "eta_msec", out);

	(void)scrape;
	*out /= 1000;
	return known;
}

static bool length_of(const struct http_item *item, const char *member, double *out)
{
	const json_t *reconcile = json_object_get(item->self, "reconcile");

	*out = (double)json_array_size(json_object_get(reconcile, member));
	return json_is_array(json_object_get(reconcile, member));
}

static bool paused(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return length_of(item, "paused", out);
}

static bool drifted(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return length_of(item, "drift", out);
}

static bool apart(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return http_status_number(
			json_object_get(item->self, "reconcile"), "not_in_step_count", out);
}

/* ---- what was compared ---- */

static const json_t *verify_of(const struct http_item *item)
{
	return json_object_get(item->self, "verify");
}

#define OF_VERIFY(name)                                                                        \
	static bool verify_##name(const struct http_scrape *scrape,                            \
			const struct http_item *item, double *out)                             \
	{                                                                                      \
		(void)scrape;                                                                  \
		return http_status_number(verify_of(item), #name, out);                        \
	}
OF_VERIFY(ranges_proven)
OF_VERIFY(ranges_changed)
OF_VERIFY(rows_missing)
OF_VERIFY(rows_extra)
OF_VERIFY(rows_changed)

/* A range that changed since it was proven is one of those that are proven no more. */
static bool verify_unproven(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	double all, proven, changed;
	bool known = http_status_number(verify_of(item), "ranges", &all) &&
			http_status_number(verify_of(item), "ranges_proven", &proven) &&
			http_status_number(verify_of(item), "ranges_changed", &changed);

	(void)scrape;
	*out = known && all > proven + changed ? all - proven - changed : 0;
	return known;
}

static bool verify_ratio(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool known = http_status_number(verify_of(item), "percent", out);

	(void)scrape;
	*out /= 100;
	return known;
}

static bool oldest_proof(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return http_status_moment(verify_of(item), "oldest_proof", out);
}

static bool table_differences(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	double missing = 0, extra = 0, changed = 0;

	(void)scrape;
	http_status_number(item->self, "missing", &missing);
	http_status_number(item->self, "extra", &extra);
	http_status_number(item->self, "changed", &changed);
	*out = missing + extra + changed;
	return true;
}

/* Of a table that is paused; -1: nobody could count them. */
static bool waiting_rows(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	return http_status_number(item->self, "rows", out) && *out >= 0;
}

/* ---- the live side ---- */

static const json_t *live_of(const struct http_item *item)
{
	return json_object_get(json_object_get(item->self, "reconcile"), "live");
}

/* Whether foreign writes are refused there; false: nobody has looked. The destination keeps
 * its fence when it becomes the live side: it is lifted then. */
static bool is_fenced(const struct http_item *item, bool destination, bool *out)
{
	const json_t *live = live_of(item);
	const json_t *fence = json_object_get(live, destination ? "fence" : "source_fence");

	*out = json_is_true(fence) &&
			!(destination && http_status_is(live, "side", "destination"));
	return json_is_boolean(fence);
}

static bool fence_of_destination(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool fenced;
	bool known = is_fenced(item, true, &fenced);

	(void)scrape;
	*out = fenced;
	return known;
}

static bool fence_of_source(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool fenced;
	bool known = is_fenced(item, false, &fenced);

	(void)scrape;
	*out = fenced;
	return known;
}

static bool writable_sides(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool source, destination;
	bool known = is_fenced(item, false, &source) && is_fenced(item, true, &destination);

	(void)scrape;
	*out = known ? !source + !destination : 0;
	return known;
}

static bool destination_live(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	*out = http_status_is(live_of(item), "side", "destination");
	return json_object_get(live_of(item), "side") != NULL;
}

/* What applications would have noticed, at the last attempt. */
static bool freeze(const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	bool known = http_status_number(
			json_object_get(item->self, "result"), "freeze_msec", out);

	(void)scrape;
	*out /= 1000;
	return known;
}

/* `accepted`: a person has said so. */
static bool condition_ready(
		const struct http_scrape *scrape, const struct http_item *item, double *out)
{
	(void)scrape;
	*out = http_status_is(item->self, "state", "ready") ||
			http_status_is(item->self, "state", "accepted");
	return !http_status_is(item->self, "state", "unknown");
}

/* ---- the table ---- */

#define COMPUTED(how) .value = (how)
#define ALWAYS(name, value) .label = (name), .label_value = (value)
#define NUMBER(what, times) .member = (what), .scale = (times)

/* clang-format off */
const struct http_metric http_metrics_table[] = {
	{INFO, MACHINE, "build", NULL, "The version of the machine.", COMPUTED(always),
		.states = {"version"}, .is_lasting = true},
	{GAUGE, MACHINE, "up", NULL, "Whether the daemon answered just now.", COMPUTED(up), .is_lasting = true},
	{GAUGE, MACHINE, "ready", NULL, "Whether all that is wanted runs, and no sync is in trouble.",
		NUMBER("ready", 1)},
	{GAUGE, MACHINE, "state", NULL, "1 for the state that the machine is in.", COMPUTED(always),
		.states = {"state"}},
	{GAUGE, MACHINE, "start_time_seconds", "seconds", "When the daemon started, since the epoch.",
		COMPUTED(started)},
	{GAUGE, MACHINE, "status_age_seconds", "seconds",
		"How old the status is that these numbers are of.", COMPUTED(status_age), .is_lasting = true},
	{GAUGE, MACHINE, "longest_iteration_seconds", "seconds",
		"The longest time in the last 10 to 20 s that the daemon answered nobody.",
		NUMBER("longest_iteration_usec", 1e-6)},
	{COUNTER, MACHINE, "log_lines_dropped", NULL, "Lines of the log that its reader was too slow for.",
		NUMBER("log_lines_dropped", 1)},
	{COUNTER, MACHINE, "orphans_reaped", NULL, "Processes that were left to the machine, and ended.",
		NUMBER("orphans_reaped", 1)},

	{GAUGE, UNIT, "unit_up", NULL, "Whether a unit is ready.", COMPUTED(unit_up)},
	{GAUGE, UNIT, "unit_wanted", NULL, "Whether a unit ought to run.", NUMBER("wanted", 1)},
	{COUNTER, UNIT, "unit_restarts", NULL, "Starts of a unit after the first one.",
		NUMBER("restarts", 1)},
	{GAUGE, RECEIVER, "notify_failures", NULL,
		"Deliveries to a receiver of notify that failed in a row; 0: the last one arrived.", NUMBER("failures", 1)},
	{COUNTER, RECOVERY, "recoveries", NULL,
		"Steps taken against stalls, by what became of them: recovered, failed (the next was taken), other.",
		NUMBER("count", 1)},
	{GAUGE, DATABASE, "database_up", NULL, "Whether a database can be reached.", COMPUTED(database_up)},

	{GAUGE, SYNC, "sync_health", NULL, "1 for the health that a sync has.", COMPUTED(always),
		.states = {"health"}},
	{GAUGE, SYNC, "sync_lag_seconds", "seconds",
		"The age of the oldest change that is not applied. It grows while nobody can say.",
		COMPUTED(sync_lag), .is_lasting = true},
	{GAUGE, SYNC, "sync_backlog_rows", "rows", "Changed rows that no run has applied yet.",
		NUMBER("backlog_rows", 1)},
	{GAUGE, SYNC, "sync_last_success_timestamp_seconds", "seconds",
		"When the last good run ended, since the epoch.", COMPUTED(last_success), .is_lasting = true},
	{COUNTER, SYNC, "sync_applied_rows", "rows",
		"Rows that runs wrote and deleted; an update is one of each.", NUMBER("applied_rows", 1)},
	{COUNTER, SYNC, "requeued_rows", "rows",
		"Rows that were sent again, since their delta was marked without being applied.",
		NUMBER("requeued_rows", 1)},
	{COUNTER, SYNC, "conflict_rows", "rows", "Rows that were changed on both sides.",
		NUMBER("conflicts", 1)},
	{GAUGE, SYNC, "sync_escalation", NULL, "1 for the highest step taken against a stall.", COMPUTED(always),
		.states = {"step"}},

	{GAUGE, MIGRATION, "migration_phase", NULL, "1 for the phase of a migration, and how that is.",
		COMPUTED(always), .states = {"phase", "status"}},
	{GAUGE, MIGRATION, "migration_live", NULL, "Whether a migration replicates.", NUMBER("live", 1)},
	{GAUGE, MIGRATION, "migration_failed_tries", NULL, "Failed tries of its phase in a row.",
		NUMBER("attempt", 1)},
	{GAUGE, MIGRATION, "phase_progress_ratio", "ratio", "How much of its phase is done.", COMPUTED(progress)},
	{GAUGE, MIGRATION, "phase_time_left_seconds", "seconds", "Until its phase is done.", COMPUTED(time_left)},
	{GAUGE, MIGRATION, "copy_bytes", NULL,
		"What is copied, by the sizes on the source. While it copies.", COMPUTED(copied)},
	{GAUGE, MIGRATION, "copy_bytes_expected", NULL, "All that is to be copied. While it copies.",
		COMPUTED(to_copy)},
	{GAUGE, MIGRATION, "copy_rows", NULL, "Rows copied so far. While it copies.", COMPUTED(copied_rows)},
	{GAUGE, MIGRATION, "copy_chunks", NULL, "Ranges of keys of the copy, by what became of them. While it copies.",
		COMPUTED(chunks_done), ALWAYS("state", "done")},
	{GAUGE, MIGRATION, "copy_chunks", NULL, "Ranges of keys of the copy, by what became of them. While it copies.",
		COMPUTED(chunks_waiting), ALWAYS("state", "waiting")},

	{GAUGE, MIGRATION, "verify_proven_ratio", "ratio", "How much of the bytes of all tables is proven equal.",
		COMPUTED(verify_ratio)},
	{GAUGE, MIGRATION, "verify_chunks", NULL, "Ranges of keys, by what is known of them.",
		COMPUTED(verify_ranges_proven), ALWAYS("state", "proven")},
	{GAUGE, MIGRATION, "verify_chunks", NULL, "Ranges of keys, by what is known of them.",
		COMPUTED(verify_ranges_changed), ALWAYS("state", "changed")},
	{GAUGE, MIGRATION, "verify_chunks", NULL, "Ranges of keys, by what is known of them.",
		COMPUTED(verify_unproven), ALWAYS("state", "unproven")},
	{GAUGE, MIGRATION, "verify_differences", NULL, "Rows that differ, by how.",
		COMPUTED(verify_rows_missing), ALWAYS("kind", "missing")},
	{GAUGE, MIGRATION, "verify_differences", NULL, "Rows that differ, by how.",
		COMPUTED(verify_rows_extra), ALWAYS("kind", "extra")},
	{GAUGE, MIGRATION, "verify_differences", NULL, "Rows that differ, by how.",
		COMPUTED(verify_rows_changed), ALWAYS("kind", "changed")},
	{GAUGE, MIGRATION, "verify_oldest_proof_timestamp_seconds", "seconds",
		"All that is proven was equal then or later, since the epoch.", COMPUTED(oldest_proof)},

	{GAUGE, MIGRATION, "tables_paused", NULL, "Tables that wait, with their changes kept.", COMPUTED(paused)},
	{GAUGE, MIGRATION, "tables_drifted", NULL, "Differences between the definitions of both sides.",
		COMPUTED(drifted)},
	{GAUGE, MIGRATION, "tables_not_in_step", NULL,
		"Tables and large objects that the destination does not get.", COMPUTED(apart)},
	{GAUGE, MIGRATION, "fence_up", NULL, "Whether foreign writes on a side are refused.",
		COMPUTED(fence_of_source), ALWAYS("side", "source")},
	{GAUGE, MIGRATION, "fence_up", NULL, "Whether foreign writes on a side are refused.",
		COMPUTED(fence_of_destination), ALWAYS("side", "destination")},
	{GAUGE, MIGRATION, "writable_sides", NULL,
		"Sides that take writes of applications: 1, and for a moment of a cut-over 0.", COMPUTED(writable_sides)},
	{GAUGE, MIGRATION, "destination_live", NULL, "Whether the destination is the live side.",
		COMPUTED(destination_live)},

	{COUNTER, ATTEMPT, "cutover_attempts", NULL,
		"Attempts to change the sides that ended, by direction, mode, result, and the step that one was aborted in.",
		NUMBER("count", 1), .states = {"direction", "mode", "result", "step"}},
	{HISTOGRAM, FREEZE, "cutover_freeze_seconds", "seconds",
		"How long writers waited at each cut-over and failback that was done.", NUMBER("count", 1)},
	{GAUGE, CUTOVER, "cutover_under_way", NULL, "Whether one is under way.",
		NUMBER("under_way", 1)},
	{GAUGE, CUTOVER, "cutover_state", NULL, "1 for what the last attempt was, and how it is.",
		COMPUTED(always), .states = {"direction", "mode", "state"}},
	{GAUGE, CUTOVER, "cutover_last_freeze_seconds", "seconds",
		"How long writers waited at the last attempt, or would have.", COMPUTED(freeze)},
	{GAUGE, CONDITION, "cutover_ready", NULL,
		"Whether a condition was met when the last attempt asked.", COMPUTED(condition_ready)},

	{GAUGE, DIFFERENT, "table_differences", NULL, "Rows of a table that differ, 20 tables a migration at most.",
		COMPUTED(table_differences)},
	{GAUGE, FINDING, "doctor_findings", NULL,
		"Things that `doctor` finds wrong, of each rule on a side; none when all is well.",
		NUMBER("count", 1), .states = {"severity"}},
	{GAUGE, APART, "table_not_in_step", NULL,
		"1 for each table that the destination does not get, 50 a migration at most.", COMPUTED(always)},
	{GAUGE, PAUSED, "table_paused_rows", "rows",
		"Changes that wait for a table that is paused, 50 tables a migration at most.", COMPUTED(waiting_rows)},
	{GAUGE, LARGEST, "table_bytes", "bytes",
		"What a table takes on a side, with TOAST, without indexes: the 50 largest of a migration.",
		NUMBER("source_bytes", 1), ALWAYS("side", "source")},
	{GAUGE, LARGEST, "table_bytes", "bytes",
		"What a table takes on a side, with TOAST, without indexes: the 50 largest of a migration.",
		NUMBER("destination_bytes", 1), ALWAYS("side", "destination")},
	{GAUGE, LARGEST, "table_rows", "rows", "About how many rows they have on the live side.", NUMBER("rows", 1)},
	{GAUGE, LARGEST, "table_changes_bytes", "bytes",
		"Room that changes of these tables take on the live side until they are purged.", NUMBER("changes_bytes", 1)},
	{GAUGE, COPYING, "table_copy_bytes", NULL, "What is copied of a table that is at work.",
		NUMBER("done", 1)},
	{GAUGE, COPYING, "table_copy_bytes_expected", NULL, "All of a table that is at work.",
		NUMBER("total", 1)},
};
/* clang-format on */

const size_t http_metrics_count = BM_COUNT_OF(http_metrics_table);

const struct http_label http_labels[SCOPE_COUNT][HTTP_LABELS] = {
		[UNIT] = {{"unit", "name", false}, {"kind", "kind", false}},
		[RECOVERY] = {{"step", "step", false}, {"result", "result", false}},
		[RECEIVER] = {{"receiver", "name", false}, {"kind", "kind", false}},
		[DATABASE] = {{"database", "name", false}, {"side", "part", false}},
		[SYNC] = {{"sync", "name", false}},
		[MIGRATION] = {{"migration", "name", false}},
		[APART] = {{"migration", "name", true}, {"table", "name", false},
				{"kind", "kind", false}},
		[CUTOVER] = {{"migration", "name", true}},
		[CONDITION] = {{"migration", "name", true}, {"condition", "name", false}},
		[DIFFERENT] = {{"migration", "name", true}, {"table", "table", false}},
		[ATTEMPT] = {{"migration", "migration", false}},
		[FREEZE] = {{"migration", "migration", false},
				{"direction", "direction", false}},
		[FINDING] = {{"migration", "name", true}, {"rule", "rule", false},
				{"side", "side", false}},
		[COPYING] = {{"migration", "name", true}, {"table", "name", false}},
		[LARGEST] = {{"migration", "name", true}, {"table", "table", false}},
		[PAUSED] = {{"migration", "name", true}, {"table", "table", false}},
};
