/* One table: read, looked at again, judged. */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/scan/whole.h"
#include "worker/verify/object.h"
#include "worker/verify/recheck.h"
#include "worker/verify/repair.h"

/* clang-format off */
static const char definition_sql[] =
#include "worker/verify/sql/verify_definition.sql.inc"
;
/* clang-format on */

/* How long a table without a key has to stay as it is. */
#define QUIET_MSEC 1500

json_t *bm_verify_object(
		const char *kind, const char *name, enum bm_proof state, const char *why)
{
	return json_pack("{s:s, s:o, s:s, s:o}", "kind", kind, "name", bm_json_text(name),
			"state", bm_proof_name(state), "why", bm_json_text(why));
}

const char *bm_verify_kind(const struct bm_verify_table *table)
{
	return table->is_view ? "materialized view" : "table";
}

void bm_verify_object_set(json_t *object, enum bm_proof state, const char *why)
{
	json_object_set_new(object, "state", json_string(bm_proof_name(state)));
	json_object_set_new(object, "why", bm_json_text(why));
}

static void set_number(json_t *object, const char *name, int64_t number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void set_time(json_t *object)
{
	char text[BM_CLOCK_TEXT_SIZE];

	json_object_set_new(
			object, "at", json_string(bm_clock_format(bm_clock_wall_msec(), text)));
}

/* ---- without a key ---- */

static bool is_same(const struct bm_sum *a, const struct bm_sum *b)
{
	return a->rows == b->rows && a->hashes == b->hashes && a->halves == b->halves;
}

/* Whether both sides stay as they were read: then they do differ. */
static int is_quiet(struct bm_scan *scan, const struct bm_whole *before, bool *quiet,
		struct bm_error *err)
{
	struct bm_whole after;

	*quiet = before->is_settled;
	if (*quiet) {
		return 0;
	}
	poll(NULL, 0, QUIET_MSEC);
	if (bm_whole_read(scan, &after, err) != 0) {
		return -1;
	}
	*quiet = !after.has_moved && is_same(&before->sums[0], &after.sums[0]) &&
			is_same(&before->sums[1], &after.sums[1]);
	return 0;
}

/* Why nothing more can be said of a table that differs; NULL: find it out. Free it. */
static char *why_unproven(const struct bm_verify_table *table)
{
	if (table->is_view) {
		return bm_strdup("a materialised view, which holds what it was when it was "
				 "refreshed: REFRESH MATERIALIZED VIEW on both sides");
	}
	return table->extension == NULL
			? NULL
			: bm_format("it belongs to extension %s: no migration copies its rows. "
				    "What was put there by hand is to be put there again",
					  table->extension);
}

static int judge_different(struct bm_scan *scan, const struct bm_whole *whole, json_t *object,
		struct bm_error *err)
{
	char *why = why_unproven(scan->table);
	bool quiet = false;

	if (why != NULL) {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN, why);
		free(why);
		return 0;
	}
	if (is_quiet(scan, whole, &quiet, err) != 0) {
		return -1;
	}
	if (quiet) {
		bm_verify_object_set(object, BM_PROOF_DIFFERENT,
				"it has no key, so it is not replicated and cannot be repaired: "
				"copy it again while nobody writes");
	} else {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN,
				"it has no key and is written to: verify it while nobody "
				"writes");
	}
	return 0;
}

static int compare_whole(struct bm_scan *scan, json_t *object, struct bm_error *err)
{
	struct bm_whole whole;

	if (bm_whole_read(scan, &whole, err) != 0) {
		return -1;
	}
	set_number(object, "rows", whole.sums[0].rows);
	set_number(object, "rows_destination", whole.sums[1].rows);
	set_number(object, "ranges", whole.parts);
	set_number(object, "ranges_read", whole.read);
	set_number(object, "longest_snapshot_ms", (int64_t)scan->longest_msec);
	if (whole.has_moved) {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN,
				"it has no key, is too large for one snapshot, and was written "
				"to while it was read in parts (or the servers do not count "
				"that: track_counts): verify it while nobody writes, with a "
				"longer --max-snapshot, or give it a key");
		return 0;
	}
	if (is_same(&whole.sums[0], &whole.sums[1])) {
		bm_verify_object_set(object, BM_PROOF_EQUAL, "");
		return 0;
	}
	return judge_different(scan, &whole, object, err);
}

/* ---- with a key ---- */

static uint64_t total_of(const struct bm_recheck *recheck)
{
	return recheck->kinds[BM_ROW_MISSING] + recheck->kinds[BM_ROW_EXTRA] +
			recheck->kinds[BM_ROW_CHANGED];
}

static void set_numbers(
		const struct bm_scan *scan, const struct bm_recheck *recheck, json_t *object)
{
	set_number(object, "rows", scan->rows[0]);
	set_number(object, "rows_destination", scan->rows[1]);
	set_number(object, "ranges", scan->buckets);
	set_number(object, "ranges_read", scan->read);
	json_object_set_new(object, "oldest_proof",
			scan->oldest[0] != '\0' ? bm_json_text(scan->oldest) : json_null());
	set_number(object, "in_flight", (int64_t)scan->suspects.count);
	set_number(object, "longest_snapshot_ms", (int64_t)scan->longest_msec);
	for (int i = 0; i < BM_ROW_KINDS; i++) {
		int64_t more = i == BM_ROW_EXTRA ? scan->nulls[BM_PAIR_DESTINATION].rows : 0;
		set_number(object, bm_row_kinds[i], (int64_t)recheck->kinds[i] + more);
	}
	if (total_of(recheck) > 0) {
		json_object_set(object, "differences", recheck->differences);
		json_object_set_new(object, "is_cut",
				json_boolean(scan->too_many ||
						total_of(recheck) >
								json_array_size(recheck->differences)));
	}
}

/* A key of the source has no NULL, unless somebody made Bucardo take one that may. */
static bool has_strange_nulls(const struct bm_scan *scan)
{
	return scan->nulls[BM_PAIR_SOURCE].rows == 0 &&
			bm_null_rows_differ(&scan->nulls[0], &scan->nulls[1]);
}

static void set_state(
		const struct bm_scan *scan, const struct bm_recheck *recheck, json_t *object)
{
	if (total_of(recheck) > 0) {
		bm_verify_object_set(object, BM_PROOF_DIFFERENT,
				scan->too_many ? "more rows differ than were looked at" : "");
	} else if (has_strange_nulls(scan)) {
		bm_verify_object_set(object, BM_PROOF_DIFFERENT,
				"the destination has rows whose key is NULL: it is no key "
				"there");
	} else if (scan->truncated) {
		bm_verify_object_set(object, BM_PROOF_IN_FLIGHT, "a truncate is under way");
		json_object_set_new(object, "is_untold", json_true());
	} else if (scan->too_many_pending) {
		bm_verify_object_set(object, BM_PROOF_IN_FLIGHT,
				"too many changes are under way to tell them apart: verify again "
				"when the backlog is smaller");
		json_object_set_new(object, "is_untold", json_true());
	} else if (scan->too_many) {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN,
				"more rows seemed to differ than can be looked at again: verify it "
				"once more");
	} else if (scan->unlisted || bm_null_rows_differ(&scan->nulls[0], &scan->nulls[1])) {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN,
				"a part of it differs, but not by rows that its key finds: is it a "
				"key without NULL on both sides?");
	} else if (scan->vanished > 0 && scan->table->pending[BM_PAIR_SOURCE] == NULL) {
		bm_verify_object_set(object, BM_PROOF_UNPROVEN,
				"rows that seemed to differ were not found again by their keys: "
				"verify it once more");
	} else if (scan->suspects.count > 0) {
		bm_verify_object_set(object, BM_PROOF_IN_FLIGHT,
				"all other rows are equal; these are under way");
	} else {
		bm_verify_object_set(object, BM_PROOF_EQUAL,
				scan->rows[0] == scan->rows[1]
						? ""
						: "the rows that were under way when it was "
						  "counted are equal, too");
	}
}

/* ---- */

struct bm_verify_work {
	struct bm_scan scan;
	struct bm_recheck recheck;
	struct bm_error err;
	json_t *object;
	bool is_over;	     /* its object says all */
	bool is_tried;	     /* to be repaired */
	uint64_t until_msec; /* what was sent is waited for; 0: nothing was */
	bool has_failed;
};

static void fail(struct bm_verify_work *work, int rc)
{
	if (rc != 0) {
		bm_verify_object_set(work->object, BM_PROOF_UNPROVEN, work->err.message);
		work->is_over = work->has_failed = true;
	}
}

struct bm_verify_work *bm_verify_table_begin(const struct bm_verify_options *options,
		const struct bm_scan *scan, struct bm_repair *repair, size_t *bytes)
{
	struct bm_verify_work *work = bm_alloc(sizeof(*work));
	const struct bm_verify_table *table = scan->table;

	*work = (struct bm_verify_work){.scan = *scan, .err = BM_ERROR_INIT};
	work->recheck = (struct bm_recheck){.scan = &work->scan,
			.values = options->show_values,
			.room = repair != NULL ? &repair->room : NULL,
			.differences = json_array()};
	work->recheck.bytes = bytes; /* for clang-tidy, which sees no writing through an
					initializer */
	work->object = bm_verify_object(
			bm_verify_kind(table), table->name, BM_PROOF_UNPROVEN, "");
	work->is_over = table->problem != NULL || table->is_empty_view || table->key_count == 0;
	if (table->problem != NULL) {
		bm_verify_object_set(work->object,
				table->is_different ? BM_PROOF_DIFFERENT : BM_PROOF_UNPROVEN,
				table->problem);
	} else if (table->is_empty_view) {
		bm_verify_object_set(
				work->object, BM_PROOF_EQUAL, "not populated on either side");
	} else if (table->key_count == 0) {
		fail(work, compare_whole(&work->scan, work->object, &work->err));
	} else {
		fail(work, bm_scan_run(&work->scan, &work->err));
	}
	return work;
}

/* Suspects stay suspects when a session is lost. */
void bm_verify_table_round(struct bm_verify_work *work)
{
	int rc = bm_recheck_round(&work->recheck, &work->err);

	if (!bm_pair_is_lost(work->scan.pair)) {
		fail(work, rc);
	}
}

bool bm_verify_table_is_lost(const struct bm_verify_work *work)
{
	return work->has_failed && bm_pair_is_lost(work->scan.pair);
}

size_t bm_verify_table_suspects(const struct bm_verify_work *work)
{
	return work->is_over ? 0 : work->scan.suspects.count;
}

void bm_verify_table_leave_pending(struct bm_verify_work *work)
{
	work->scan.too_many_pending = true;
	bm_keys_clear(&work->scan.suspects);
}

void bm_verify_table_give_up(struct bm_verify_work *work)
{
	if (!work->is_over) {
		fail(work, -1);
	}
}

bool bm_verify_table_is_over(const struct bm_verify_work *work, bool is_late)
{
	if (work->until_msec > 0) {
		is_late = bm_clock_msec() >= work->until_msec;
	}
	return work->is_over || bm_recheck_is_over(&work->recheck, is_late);
}

bool bm_verify_table_repair(
		struct bm_verify_work *work, struct bm_repair *repair, uint64_t wait_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	if (work->is_over || work->is_tried) {
		return false;
	}
	work->is_tried = true;
	int sent = bm_repair_send(repair, &work->recheck, work->object, &err);
	if (sent < 0) {
		json_object_set_new(work->object, "unrepaired", bm_json_text(err.message));
	} else if (sent > 0) {
		work->until_msec = bm_clock_msec() +
				(wait_msec > BM_REPAIR_WAIT_MSEC ? wait_msec
								 : BM_REPAIR_WAIT_MSEC);
	}
	return sent > 0;
}

/* Whether the table is still what it was when the catalog was read; -1 with `err`. */
static int compare_definition(const struct bm_scan *scan, bool *is_same, struct bm_error *err)
{
	const struct bm_verify_table *table = scan->table;
	const char *const both[] = {definition_sql, definition_sql};
	const char *const params[] = {table->name};
	PGresult *rows[BM_PAIR_SIDES];

	if (bm_pair_ask(scan->pair->main, both, 1, params, rows, NULL, err) != 0) {
		return bm_error_wrap(err, "reading its definition again");
	}
	*is_same = true;
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		*is_same = *is_same &&
				strcmp(PQgetvalue(rows[side], 0, 0), table->definition[side]) ==
						0;
		PQclear(rows[side]);
	}
	return 0;
}

/* Rows were compared by the columns that the table had at first. */
static void check_definition(struct bm_verify_work *work)
{
	bool is_same = true;

	if (work->scan.table->problem != NULL || work->has_failed) {
		return;
	}
	fail(work, compare_definition(&work->scan, &is_same, &work->err));
	if (!is_same) {
		bm_verify_object_set(work->object, BM_PROOF_UNPROVEN,
				"its definition changed while it was read: verify it once more");
	}
}

json_t *bm_verify_table_end(struct bm_verify_work *work)
{
	json_t *object = work->object;

	if (!work->is_over) {
		set_numbers(&work->scan, &work->recheck, object);
		set_state(&work->scan, &work->recheck, object);
	}
	check_definition(work);
	if (work->until_msec > 0) {
		bm_repair_tell(&work->recheck, object);
	}
	set_time(object);
	bm_recheck_finish(&work->recheck);
	bm_scan_finish(&work->scan);
	free(work);
	return object;
}

static bool is_known(const struct bm_verify_catalog *catalog, const char *name)
{
	size_t i = 0;

	while (i < catalog->count && strcmp(catalog->tables[i].name, name) != 0) {
		i++;
	}
	return i < catalog->count;
}

/* What was not there at first: nobody has looked at its rows. */
void bm_verify_new_tables(struct bm_pair *pair, const struct bm_verify_options *options,
		const struct bm_verify_catalog *catalog, json_t *objects)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_verify_catalog now;

	if (bm_verify_catalog_read(pair, options, &now, &err) != 0) {
		json_array_append_new(objects,
				bm_verify_object("tables", "made meanwhile", BM_PROOF_UNPROVEN,
						err.message));
	}
	for (size_t i = 0; i < now.count; i++) {
		if (!is_known(catalog, now.tables[i].name)) {
			json_array_append_new(objects,
					bm_verify_object("table", now.tables[i].name,
							BM_PROOF_UNPROVEN,
							"it was made while verify ran: verify "
							"it once more"));
		}
	}
	bm_verify_catalog_finish(&now);
}

bool bm_verify_is_ended(struct bm_verify_beside *beside)
{
	if (beside != NULL && beside->end_msec > 0 && bm_clock_msec() >= beside->end_msec) {
		beside->is_ended = true;
	}
	return beside != NULL && beside->is_ended;
}

/* Applications come first. */
int bm_verify_rest(struct bm_scan *scan, unsigned buckets, unsigned count, uint64_t took_msec,
		struct bm_error *err)
{
	struct bm_verify_beside *beside = scan->beside;

	if (beside == NULL) {
		return 0;
	}
	beside->is_ended = bm_verify_is_ended(beside) ||
			!beside->rest(beside->ctx, took_msec,
					scan->table->bytes / count * buckets);
	return beside->is_ended ? bm_error_set(err, BM_ERR_PRECONDITION, "it was ended") : 0;
}
