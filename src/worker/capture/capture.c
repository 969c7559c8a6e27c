/*
 * Phase capture:
 *
 *     write the databases and groups into Bucardo's tables
 *     look which tables are captured already
 *     take the others in, some at a time, each time waiting for locks 0.5 s at most
 *     look again: every table has its triggers, or the phase fails
 *
 * A lock that is not to be had costs the application no more than that half second:
 * the other tables go on, and the one in question is tried again, ever more rarely.
 * The sync is left inactive, with autokick off: nothing is applied before release.
 */
#include "worker/capture/capture.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/capture/capture_between.h"
#include "worker/live/identity.h"
#include "worker/live/live.h"
#include "worker/deltas/delta_repair.h"
#include "base/protocol/report.h"
#include "worker/session/own_schemas.h"
#include "worker/session/alone.h"

/* Tables in one transaction: the more, the longer the first of them is locked. */
#define BATCH_FIRST 8
#define BATCH_LIMIT 32

#define PAUSE_FIRST_MSEC 500
#define PAUSE_LIMIT_MSEC 8000

static const char lock_not_available[] = "55P03"; /* a SQLSTATE */

/* Without a single table taken in for so long, the phase fails and says who is in the
 * way; it is begun again by itself. */
#define PATIENCE_MSEC 60000

/* ---- who is in the way ---- */

/* To a role that may not see them all autovacuums look alike: no user and no query. */
static const char holders_sql[] =
#include "worker/capture/sql/lock_holder.sql.inc"
		;

/* Fill `out` and phase->hint when somebody holds a lock on the table at `end`. */
static bool find_holder(struct bm_phase *phase, enum bm_side side, const char *table, char *out,
		size_t size)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = bm_phase_ask(phase, side, holders_sql, 1, &table, &ignored);
	bool found = rows != NULL && PQntuples(rows) > 0;

	if (found) {
		snprintf(out, size, "process %s on the %s (%.110s)", PQgetvalue(rows, 0, 0),
				bm_side_name(side), PQgetvalue(rows, 0, 1));
		snprintf(phase->hint, sizeof(phase->hint), "%s", PQgetvalue(rows, 0, 2));
	}
	PQclear(rows);
	return found;
}

/* clang-format off */
static const char lock_limit_sql[] =
#include "worker/capture/sql/capture_lock_limit.sql.inc"
;
/* clang-format on */

/* An autovacuum is ended by the server for whoever waits longer than deadlock_timeout, which
 * triggers never do: so we wait for it with a lock that no writer has to queue behind. One to
 * prevent wraparound stays. Whether there was one that may have gone. */
static bool nudge(struct bm_phase *phase, enum bm_side side,
		const struct bm_selected_table *table)
{
	struct bm_error ignored = BM_ERROR_INIT;
	const char *const params[] = {table->quoted};
	PGresult *rows = bm_phase_ask(phase, side, holders_sql, 1, params, &ignored);
	bool yields = rows != NULL && PQntuples(rows) > 0 && PQgetvalue(rows, 0, 3)[0] == 't';

	PQclear(rows);
	if (yields && bm_phase_do(phase, side, "BEGIN", 0, NULL, &ignored) == 0) {
		char *lock = bm_format("LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE",
				table->quoted);
		if (bm_phase_do(phase, side, lock_limit_sql, 0, NULL, &ignored) == 0) {
			bm_phase_do(phase, side, lock, 0, NULL, &ignored);
		}
		bm_phase_do(phase, side, "ROLLBACK", 0, NULL, &ignored);
		free(lock);
	}
	return yields;
}

/* Fill phase->hint; the text says who holds `table`, as far as it can be seen. */
static void name_holder(struct bm_capture *capture, const struct bm_selected_table *table,
		char *out, size_t size)
{
	struct bm_phase *phase = capture->phase;

	if (find_holder(phase, BM_SIDE_SOURCE, table->quoted, out, size) ||
			(phase->request.is_both &&
					find_holder(phase, BM_SIDE_DESTINATION, table->quoted,
							out, size))) {
		return;
	}
	snprintf(out, size, "somebody");
	snprintf(phase->hint, sizeof(phase->hint),
			"end the transaction that has written to %.200s", table->quoted);
}

/* ---- taking in ---- */

struct queue {
	struct bm_capture *capture;
	struct bm_capture_group *group;
	size_t batch;
	uint64_t moved_msec; /* when a table was taken in last */
	uint64_t pause_msec;
};

/* The next tables that are not done, from `from` on. */
static size_t pick(const struct queue *queue, size_t *from, struct bm_selected_table **tables,
		size_t *places)
{
	size_t count = 0;

	while (*from < queue->group->count && count < queue->batch) {
		if (!queue->group->is_done[*from]) {
			places[count] = *from;
			tables[count++] = queue->group->tables[*from];
		}
		(*from)++;
	}
	return count;
}

static void record_taken(struct queue *queue, const size_t *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		queue->group->is_done[places[i]] = true;
	}
	queue->capture->done += count;
	queue->moved_msec = bm_clock_msec();
	queue->pause_msec = PAUSE_FIRST_MSEC;
	queue->batch = queue->batch * 2 > BATCH_LIMIT ? BATCH_LIMIT : queue->batch * 2;
	bm_report_progress(queue->capture->done, queue->capture->total, "tables",
			queue->group->tables[places[count - 1]]->quoted);
}

/* A lock was not to be had: of one of several tables, or of this one. */
static int record_locked(struct queue *queue, const struct bm_selected_table *table,
		size_t count, struct bm_error *err)
{
	char holder[200];

	if (count > 1) {
		queue->batch = 1;
		return 0;
	}
	name_holder(queue->capture, table, holder, sizeof(holder));
	bm_report_note("waiting for %s, which holds a lock on %s; it is tried again", holder,
			table->quoted);
	if (bm_clock_msec() - queue->moved_msec > PATIENCE_MSEC) {
		return bm_error_set(err, BM_ERR_TRANSIENT,
				"cannot put triggers on %s: %s holds a lock on it",
				table->quoted, holder);
	}
	return 0;
}

/* Once more at once, when who held a lock has perhaps gone. */
static int take(struct queue *queue, struct bm_selected_table *const *tables, size_t count,
		struct bm_error *err)
{
	struct bm_phase *phase = queue->capture->phase;

	*err = (struct bm_error)BM_ERROR_INIT;
	int rc = bm_capture_take(queue->capture, queue->group, tables, count, err);
	if (rc != 0 && count == 1 && strcmp(err->sqlstate, lock_not_available) == 0) {
		bool again = nudge(phase, BM_SIDE_SOURCE, tables[0]);
		again = (phase->request.is_both &&
					nudge(phase, BM_SIDE_DESTINATION, tables[0])) ||
				again;
		if (again) {
			*err = (struct bm_error)BM_ERROR_INIT;
			rc = bm_capture_take(queue->capture, queue->group, tables, count, err);
		}
	}
	return rc;
}

/* One go over all that are not done. Returns how many are left, or -1. */
static int go_over(struct queue *queue, struct bm_error *err)
{
	struct bm_selected_table *tables[BATCH_LIMIT];
	size_t places[BATCH_LIMIT];
	size_t from = 0, count, left = 0;

	for (;;) {
		size_t begin = from;
		count = pick(queue, &from, tables, places);
		if (count == 0) {
			return (int)left;
		}
		if (take(queue, tables, count, err) == 0) {
			record_taken(queue, places, count);
			continue;
		}
		if (strcmp(err->sqlstate, lock_not_available) != 0) {
			/* What was said of a lock is no hint for this. */
			queue->capture->phase->hint[0] = '\0';
			return -1;
		}
		if (record_locked(queue, tables[0], count, err) != 0) {
			return -1;
		}
		left += count == 1;
		from = count > 1 ? begin : from; /* the same again, one by one */
	}
}

static int take_all(struct bm_capture *capture, struct bm_capture_group *group,
		struct bm_error *err)
{
	struct queue queue = {.capture = capture,
			.group = group,
			.batch = BATCH_FIRST,
			.moved_msec = bm_clock_msec(),
			.pause_msec = PAUSE_FIRST_MSEC};
	int left;

	while ((left = go_over(&queue, err)) > 0) {
		/* The application goes on meanwhile; the end of stdin ends us here too. */
		poll(NULL, 0, (int)queue.pause_msec);
		queue.pause_msec = queue.pause_msec * 2 > PAUSE_LIMIT_MSEC
				? PAUSE_LIMIT_MSEC
				: queue.pause_msec * 2;
	}
	return left;
}

/* ---- a group ---- */

static size_t count_done(const struct bm_capture_group *group)
{
	size_t done = 0;

	for (size_t i = 0; i < group->count; i++) {
		done += group->is_done[i];
	}
	return done;
}

int bm_capture_claim(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_error *err)
{
	char target[BM_CAPTURE_NAME_BYTES + 16];

	snprintf(target, sizeof(target), "dbgroup %s", capture->dbgroup);
	if (bm_identity_register(capture->phase, BM_SIDE_SOURCE, group->sync, err) != 0 ||
			bm_identity_register(capture->phase, BM_SIDE_DESTINATION, group->sync,
					err) != 0) {
		return -1;
	}
	if (bm_delta_repair_register(
			    capture->phase, BM_SIDE_SOURCE, group->sync, target, err) != 0) {
		return -1;
	}
	return capture->phase->request.is_both
			? bm_delta_repair_register(capture->phase, BM_SIDE_DESTINATION,
					  group->sync, target, err)
			: 0;
}

static int capture_group(struct bm_capture *capture, struct bm_capture_group *group,
		struct bm_error *err)
{
	if (bm_capture_claim(capture, group, err) != 0 ||
			bm_capture_check(capture, group, err) != 0) {
		return -1;
	}
	size_t before = count_done(group);
	capture->done += before;
	if (before == group->count) {
		return bm_capture_identify(capture, err);
	}
	if (take_all(capture, group, err) != 0 || bm_capture_check(capture, group, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < group->count; i++) {
		if (!group->is_done[i]) {
			return bm_error_set(err, BM_ERR_INTERNAL,
					"Bucardo made no triggers that work on %s",
					group->tables[i]->quoted);
		}
	}
	return 0;
}

/* ---- which groups there are ---- */

static void name_group(struct bm_capture_group *group, const char *name, unsigned number)
{
	char *sync = bm_sync_name(name, number);

	snprintf(group->sync, sizeof(group->sync), "%s", sync);
	snprintf(group->herd, sizeof(group->herd), "%s_tables", name);
	if (number > 0) {
		snprintf(group->herd, sizeof(group->herd), "%s_tables_%u", name, number + 1);
	}
	free(sync);
}

/* A group of what `places` puts there, if there is any. */
static void add_group(struct bm_capture *capture, unsigned number, const unsigned *places)
{
	struct bm_capture_group *group = &capture->groups[capture->group_count];

	*group = (struct bm_capture_group){0};
	name_group(group, capture->phase->request.name, number);
	group->tables = bm_alloc((capture->tables.count + 1) * sizeof(*group->tables));
	group->is_done = bm_alloc((capture->tables.count + 1) * sizeof(*group->is_done));
	for (size_t i = 0; i < capture->tables.count; i++) {
		struct bm_selected_table *table = &capture->tables.tables[i];
		if (table->left_out[0] == '\0' && places[i] == number) {
			group->tables[group->count++] = table;
		}
	}
	if (group->count == 0) {
		free(group->tables);
		free(group->is_done);
		return;
	}
	capture->total += group->count;
	capture->group_count++;
}

static int make_groups(struct bm_capture *capture, struct bm_error *err)
{
	const struct bm_phase_request *request = &capture->phase->request;
	unsigned *places = bm_capture_spread(capture, err);

	if (places == NULL) {
		return -1;
	}
	snprintf(capture->source, sizeof(capture->source), "%s_source", request->name);
	snprintf(capture->destination, sizeof(capture->destination), "%s_destination",
			request->name);
	snprintf(capture->dbgroup, sizeof(capture->dbgroup), "%s_dbs", request->name);
	for (unsigned number = 0; number < BM_SYNCS_LIMIT; number++) {
		add_group(capture, number, places);
	}
	free(places);
	return 0;
}

/* ---- the evidence ---- */

static void report_left_out(struct bm_capture *capture, json_t *list)
{
	for (size_t i = 0; i < capture->tables.count; i++) {
		const struct bm_selected_table *table = &capture->tables.tables[i];
		if (table->left_out[0] != '\0') {
			bm_report_finding(BM_SEVERITY_DEGRADES, table->quoted, table->left_out,
					table->hint);
			json_array_append_new(list, json_string(table->quoted));
		}
	}
}

static void report(struct bm_capture *capture)
{
	json_t *evidence = capture->phase->evidence;
	json_t *syncs = json_array();
	json_t *left_out = json_array();

	for (size_t i = 0; i < capture->group_count; i++) {
		json_array_append_new(syncs, json_string(capture->groups[i].sync));
	}
	report_left_out(capture, left_out);
	json_object_set_new(evidence, "syncs", syncs);
	json_object_set_new(evidence, "tables", json_integer((json_int_t)capture->done));
	json_object_set_new(evidence, "left_out", left_out);
}

void bm_capture_finish(struct bm_capture *capture)
{
	for (size_t i = 0; i < capture->group_count; i++) {
		free(capture->groups[i].tables);
		free(capture->groups[i].is_done);
	}
	bm_selected_finish(&capture->tables);
}

int bm_capture_open(struct bm_phase *phase, struct bm_capture *capture, struct bm_error *err)
{
	*capture = (struct bm_capture){.phase = phase};
	if (bm_selected_read(phase, &capture->tables, err) != 0) {
		return -1;
	}
	return make_groups(capture, err);
}

static int run(struct bm_capture *capture, struct bm_error *err)
{
	if (capture->total == 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"there is no table that Bucardo could replicate");
	}
	bm_report_progress(0, capture->total, "tables", "looking what is captured");
	if (bm_capture_names(capture, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < capture->group_count; i++) {
		if (capture_group(capture, &capture->groups[i], err) != 0) {
			return -1;
		}
	}
	bm_report_progress(capture->total, capture->total, "tables", "all tables are captured");
	report(capture);
	return 0;
}

int bm_capture_take_all(struct bm_phase *phase, struct bm_error *err)
{
	struct bm_capture capture;
	int rc = bm_capture_open(phase, &capture, err);

	if (rc == 0) {
		rc = bm_between_ignore(&capture, err);
	}
	if (rc == 0) {
		rc = run(&capture, err);
	}
	bm_capture_finish(&capture);
	return rc;
}

static int own(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	bool is_alone = bm_alone_begin(phase, side);
	int rc = bm_phase_do(phase, side, bm_own_schemas_sql, 0, NULL, err);

	bm_alone_end(phase, side, is_alone);
	return rc;
}

/* Before anything is written: the names in Bucardo and the marks are the migration's. */
int bm_capture_run(struct bm_phase *phase, struct bm_error *err)
{
	if (bm_identity_register(phase, BM_SIDE_SOURCE, "", err) != 0 ||
			bm_identity_register(phase, BM_SIDE_DESTINATION, "", err) != 0 ||
			bm_identity_reconcile(phase, err) != 0 ||
			bm_live_register(phase, err) != 0) {
		return -1;
	}
	if (bm_capture_take_all(phase, err) != 0) {
		return -1;
	}
	/* What was made got the default privileges of our role. */
	if (own(phase, BM_SIDE_SOURCE, err) != 0 || own(phase, BM_SIDE_DESTINATION, err) != 0) {
		return -1;
	}
	return bm_between_request(phase, err);
}
