/* The conditions of a cut-over, in the order in which they are told. */
#include "worker/cutover/conditions.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/syncs.h"
#include "bucardo_machine/words.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/ready.h"
#include "worker/deltas/sync_probe.h"
#include "worker/flip/flip.h"

/* clang-format off */
const char bm_ready_settings_sql[] =
#include "worker/cutover/sql/ready_settings.sql.inc"
;
const char bm_ready_tables_sql[] =
#include "worker/cutover/sql/ready_tables.sql.inc"
;
static const char replicate_sql[] =
#include "worker/cutover/sql/ready_replicate.sql.inc"
;
static const char sync_sql[] =
#include "worker/cutover/sql/ready_sync.sql.inc"
;
static const char paused_sql[] =
#include "worker/cutover/sql/ready_paused.sql.inc"
;
static const char paused_from_sql[] =
#include "worker/cutover/sql/ready_paused_from.sql.inc"
;
const char bm_ready_captured_sql[] =
#include "worker/cutover/sql/ready_captured.sql.inc"
;
static const char owed_sql[] =
#include "worker/cutover/sql/ready_owed.sql.inc"
;
static const char proven_sql[] =
#include "worker/cutover/sql/ready_proven.sql.inc"
;
static const char definitions_sql[] =
#include "worker/cutover/sql/ready_definitions.sql.inc"
;
static const char indexes_sql[] =
#include "worker/cutover/sql/ready_indexes.sql.inc"
;
static const char constraints_sql[] =
#include "worker/cutover/sql/ready_constraints.sql.inc"
;
static const char constraints_from_sql[] =
#include "worker/cutover/sql/ready_constraints_from.sql.inc"
;
static const char analyzed_sql[] =
#include "worker/cutover/sql/ready_analyzed.sql.inc"
;
static const char sequences_sql[] =
#include "worker/cutover/sql/ready_sequences.sql.inc"
;
static const char sequences_from_sql[] =
#include "worker/cutover/sql/ready_sequences_from.sql.inc"
;
static const char prepared_sql[] =
#include "worker/cutover/sql/ready_prepared.sql.inc"
;
static const char writers_sql[] =
#include "worker/cutover/sql/ready_writers.sql.inc"
;
static const char maintenance_sql[] =
#include "worker/cutover/sql/ready_maintenance.sql.inc"
;
static const char locks_sql[] =
#include "worker/cutover/sql/ready_locks.sql.inc"
;
static const char publications_sql[] =
#include "worker/cutover/sql/ready_publications.sql.inc"
;
static const char connections_sql[] =
#include "worker/cutover/sql/ready_connections.sql.inc"
;
static const char connections_from_sql[] =
#include "worker/cutover/sql/ready_connections_from.sql.inc"
;
static const char foreign_sql[] =
#include "worker/cutover/sql/ready_foreign.sql.inc"
;
static const char fence_sql[] =
#include "worker/cutover/sql/ready_fence.sql.inc"
;
static const char reverse_sql[] =
#include "worker/cutover/sql/ready_reverse.sql.inc"
;
/* clang-format on */

const char bm_ready_control_sql[] = "SELECT set_config('bucardo_machine.migration', $1, false)";

/* ---- the backlog ---- */

#define COUNT_LIMIT_MSEC 20000

/* What the passes before the freeze carry in a moment, for each second of the budget; and how
 * old the oldest of it may be. */
#define BACKLOG_ROWS_A_SECOND 20000
#define LAG_LIMIT_MSEC 30000

static int count(struct bm_phase *phase, const PGresult *syncs, struct bm_backlog *total,
		struct bm_error *err)
{
	enum bm_side from = bm_cutover_from(phase);
	PGconn *conn = bm_phase_conn(phase, from, err);
	struct bm_backlog one;

	/* Applied keys that are not purged: none of them reads all marks. */
	int rc = conn != NULL
			? bm_phase_do(phase, from, "SET enable_nestloop = off", 0, NULL, err)
			: -1;
	for (int i = 0; rc == 0 && i < PQntuples(syncs); i++) {
		rc = bm_sync_probe_backlog(conn, PQgetvalue(syncs, i, 0),
				PQgetvalue(syncs, i, 1), COUNT_LIMIT_MSEC, &one, err);
		total->rows += rc == 0 ? one.rows : 0;
		total->lag_msec = rc == 0 && one.lag_msec > total->lag_msec ? one.lag_msec
									    : total->lag_msec;
	}
	return rc == 0 ? bm_phase_do(phase, from, "RESET enable_nestloop", 0, NULL, err) : -1;
}

static void tell_backlog(
		const struct bm_phase *phase, const struct bm_backlog *total, json_t *condition)
{
	int64_t limit = (int64_t)phase->request.cutover.budget_msec * BACKLOG_ROWS_A_SECOND /
			1000;
	bool ready = total->rows <= limit && total->lag_msec <= LAG_LIMIT_MSEC;
	char value[96], most[96];

	snprintf(value, sizeof(value), "%" PRId64 " changes, oldest %.1f s", total->rows,
			(double)total->lag_msec / 1000);
	snprintf(most, sizeof(most), "%" PRId64 " changes, %d s", limit, LAG_LIMIT_MSEC / 1000);
	json_object_set_new(condition, "state", json_string(ready ? "ready" : "not_ready"));
	json_object_set_new(condition, "value", json_string(value));
	json_object_set_new(condition, "limit", json_string(most));
	json_object_set_new(condition, "why",
			json_string(ready ? "" : "more waits than is carried in a moment"));
	json_object_set_new(condition, "hint",
			json_string(ready ? ""
					  : "wait until it is applied, or take a larger "
					    "--budget"));
}

static int look_at_backlog(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	struct bm_backlog total = {0};
	PGresult *syncs = bm_phase_ask(phase, BM_SIDE_CONTROL,
			"SELECT s.name, 'dbgroup ' || s.dbs FROM bucardo.sync s"
			" WHERE s.name ~ ('^' || $1 || '" BM_SYNC_SUFFIXES "')",
			1, &phase->request.name, err);
	int rc = syncs != NULL ? count(phase, syncs, &total, err) : -1;

	if (rc == 0) {
		tell_backlog(phase, &total, condition);
	}
	PQclear(syncs);
	return rc;
}

/* ---- the last rehearsal ---- */

#define REHEARSAL_YOUNG_MSEC (24 * 3600 * 1000LL)

/* A note, in whatever state it is: nobody is kept from a cut-over by it. */
static int look_at_rehearsal(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	int64_t at = phase->request.cutover.rehearsed_at;
	int64_t age = bm_clock_wall_msec() - at;
	char span[BM_CLOCK_TEXT_SIZE], value[BM_CLOCK_TEXT_SIZE + 8];
	bool young = at > 0 && age <= REHEARSAL_YOUNG_MSEC;

	(void)err;
	snprintf(value, sizeof(value), at > 0 ? "%s ago" : "never%.0s",
			bm_clock_format_span(age > 0 ? (uint64_t)age : 0, span));
	json_object_set_new(condition, "state", json_string("ready"));
	json_object_set_new(condition, "value", json_string(value));
	json_object_set_new(condition, "why",
			json_string(young ? ""
					  : "how long writers will wait is not known well"));
	json_object_set_new(condition, "hint",
			json_string(young ? ""
					  : "--rehearse measures it, and changes nothing"));
	return 0;
}

/* ---- the hooks ---- */

static int look_at_hooks(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	json_t *problems = json_array();
	struct bm_flip *flip = bm_cutover_hooks_create(phase, NULL);
	char value[48], why[600] = "";
	size_t index;
	const json_t *one;

	(void)err;
	bm_flip_reach(flip, problems);
	json_array_foreach(problems, index, one)
	{
		size_t used = strlen(why);
		snprintf(why + used, sizeof(why) - used, "%shook '%s': %s",
				index > 0 ? "; " : "",
				json_string_value(json_object_get(one, "object")),
				json_string_value(json_object_get(one, "why")));
	}
	snprintf(value, sizeof(value), "%zu of %zu", json_array_size(problems),
			json_array_size(phase->request.cutover.hooks));
	json_object_set_new(condition, "state",
			json_string(why[0] == '\0' ? "ready" : "not_ready"));
	json_object_set_new(condition, "value", json_string(flip != NULL ? value : "no hooks"));
	json_object_set_new(condition, "why", bm_json_text(why));
	json_object_set_new(condition, "hint",
			json_string(why[0] == '\0' ? ""
						   : "docs/cutover-hooks.md says what each needs"));
	bm_flip_destroy(flip);
	json_decref(problems);
	return 0;
}

/* ---- the table ---- */

/* New tables do not pass: the others were asked without them. */
/* clang-format off */
const struct bm_ready_row bm_ready_rows[] = {
{ .name = "replicates", .limit = "done", .place = BM_READY_CONTROL, .sql = replicate_sql },
{ .name = "sync", .limit = "a good run, 90 s old", .place = BM_READY_CONTROL, .sql = sync_sql, .passes = true },
{ .name = "fence", .limit = "up; lifted to fail back", .place = BM_READY_DESTINATION, .sql = fence_sql,
  .takes_phase = true },
{ .name = "reverse", .limit = "none without", .place = BM_READY_TO, .sql = reverse_sql,
  .only_both = true },
{ .name = "paused", .limit = "none", .place = BM_READY_TO, .sql = paused_sql, .feed = paused_from_sql },
{ .name = "new tables", .limit = "all captured", .look = bm_cutover_look_at_new },
{ .name = "drift", .limit = "none that breaks", .look = bm_cutover_look_at_drift },
{ .name = "captured", .limit = "all, without a gap", .place = BM_READY_FROM, .sql = bm_ready_captured_sql },
{ .name = "resent", .limit = "none", .place = BM_READY_FROM, .sql = owed_sql, .passes = true },
{ .name = "proven", .limit = "all", .place = BM_READY_SOURCE, .sql = proven_sql, .acceptable = true },
{ .name = "definitions", .limit = "the same, as a note", .place = BM_READY_SOURCE, .sql = definitions_sql },
{ .name = "indexes", .limit = "none invalid", .place = BM_READY_TO, .sql = indexes_sql },
{ .name = "constraints", .limit = "none NOT VALID", .place = BM_READY_TO, .sql = constraints_sql,
  .feed = constraints_from_sql },
{ .name = "analyzed", .limit = "all", .place = BM_READY_TO, .sql = analyzed_sql },
{ .name = "sequences", .limit = "none missing", .place = BM_READY_TO, .sql = sequences_sql,
  .feed = sequences_from_sql, .passes = true },
{ .name = "prepared", .limit = "none", .place = BM_READY_FROM, .sql = prepared_sql },
{ .name = "prepared there", .limit = "none", .place = BM_READY_TO, .sql = prepared_sql },
{ .name = "publications", .limit = "none in the way", .place = BM_READY_FROM, .sql = publications_sql },
{ .name = "publications there", .limit = "none in the way", .place = BM_READY_TO, .sql = publications_sql },
{ .name = "locks", .limit = "all tables at once", .place = BM_READY_FROM, .sql = locks_sql },
{ .name = "connections", .limit = "all sessions fit", .place = BM_READY_TO, .sql = connections_sql,
  .feed = connections_from_sql, .acceptable = true },
{ .name = "foreign writers", .limit = "none", .place = BM_READY_TO, .sql = foreign_sql, .passes = true },
{ .name = "maintenance", .limit = "none", .place = BM_READY_FROM, .sql = maintenance_sql, .passes = true },
{ .name = "without a key", .limit = "half the budget", .look = bm_cutover_look_at_keyless },
{ .name = BM_CUTOVER_OBJECTS, .limit = "half the budget", .look = bm_cutover_look_at_objects },
{ .name = "hooks", .limit = "all can be reached", .look = look_at_hooks },
{ .name = "backlog", .limit = "", .look = look_at_backlog, .passes = true },
{ .name = "writers", .limit = "a quarter of the budget", .place = BM_READY_FROM, .sql = writers_sql,
  .passes = true, .looks_twice = true },
{ .name = "rehearsal", .limit = "a day old, as a note", .look = look_at_rehearsal },
};
const size_t bm_ready_row_count = BM_COUNT_OF(bm_ready_rows);
/* clang-format on */

/* ---- what a person accepted by name has to be there: a misspelt one would accept nothing,
 * unseen ---- */

/* So much of the names stands in a hint. */
#define HINT_BYTES 600

/* Conditions as a whole; everything else is a table. */
static const char *const acceptable[] = {"connections", BM_CUTOVER_OBJECTS};

struct known {
	json_t *tables; /* their names, as those in the conditions */
};

static const char *name_at(const void *ctx, size_t i)
{
	const struct known *known = ctx;

	return i < BM_COUNT_OF(acceptable) ? acceptable[i]
					   : json_string_value(json_array_get(known->tables,
							     i - BM_COUNT_OF(acceptable)));
}

static bool is_known(const struct known *known, const char *name)
{
	const char *one;

	for (size_t i = 0; (one = name_at(known, i)) != NULL; i++) {
		if (strcmp(one, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_without_schema(const char *table, const char *name)
{
	size_t all = strlen(table), length = strlen(name);

	return all > length && table[all - length - 1] == '.' &&
			strcmp(table + all - length, name) == 0;
}

/* "log" for public.log, or one that is misspelt a little; NULL: nothing is near. */
static const char *meant(const struct known *known, const char *name)
{
	size_t i;
	const json_t *one;

	json_array_foreach(known->tables, i, one)
	{
		if (is_without_schema(json_string_value(one), name)) {
			return json_string_value(one);
		}
	}
	return bm_words_nearest(name, name_at, known);
}

static void list_known(const struct known *known, char *out, size_t size)
{
	struct bm_strbuf list = BM_STRBUF_INIT;
	size_t count = json_array_size(known->tables), i = 0;

	bm_strbuf_puts(&list, "what can be accepted: connections, '" BM_CUTOVER_OBJECTS "'");
	for (; i < count && list.length < HINT_BYTES; i++) {
		bm_strbuf_printf(&list, "%s%s", i == 0 ? ", and tables: " : ", ",
				json_string_value(json_array_get(known->tables, i)));
	}
	if (i < count) {
		bm_strbuf_printf(&list, ", and %zu more", count - i);
	}
	snprintf(out, size, "%s", bm_strbuf_text(&list));
	bm_strbuf_finish(&list);
}

static void add_tables(struct known *known, const struct bm_cutover *c)
{
	for (size_t i = 0; i < c->table_count; i++) {
		if (!is_known(known, c->tables[i].name)) {
			json_array_append_new(known->tables, json_string(c->tables[i].name));
		}
	}
}

/* Those that are captured, and those without a key. */
static int read_known(struct bm_phase *phase, struct known *known, struct bm_error *err)
{
	struct bm_cutover c = {.phase = phase, .from = bm_cutover_from(phase)};
	enum bm_side catalog = phase->catalog;

	phase->catalog = c.from;
	PGresult *rows = bm_phase_ask(
			phase, c.from, bm_ready_tables_sql, 1, &phase->request.name, err);
	int rc = rows != NULL ? bm_cutover_read_tables(&c, err) : -1;
	known->tables = rows != NULL ? json_loads(PQgetvalue(rows, 0, 0), 0, NULL) : NULL;
	add_tables(known, &c);
	PQclear(rows);
	phase->catalog = catalog;
	bm_cutover_forget_tables(&c);
	return rc;
}

static void complain(struct bm_phase *phase, const struct known *known, const char *name,
		struct bm_error *err)
{
	const char *near = meant(known, name);

	list_known(known, phase->hint, sizeof(phase->hint));
	bm_error_set(err, BM_ERR_PRECONDITION,
			"nothing that can be accepted is called '%.200s'%s%.200s%s", name,
			near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
			near != NULL ? "'?)" : "");
}

int bm_cutover_know_accepted(struct bm_phase *phase, struct bm_error *err)
{
	const char *const *accept = phase->request.cutover.accept;
	struct bm_error unasked = BM_ERROR_INIT;
	struct known known = {NULL};
	int rc = 0;

	if (accept == NULL || *accept == NULL) {
		return 0;
	}
	/* A side that cannot be asked is a condition that is not ready. */
	bool is_read = read_known(phase, &known, &unasked) == 0;
	for (; is_read && rc == 0 && *accept != NULL; accept++) {
		rc = is_known(&known, *accept) ? 0 : -1;
		if (rc != 0) {
			complain(phase, &known, *accept, err);
		}
	}
	json_decref(known.tables);
	return rc;
}
