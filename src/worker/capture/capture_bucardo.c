/*
 * What capture writes into the control database and lets Bucardo make at the sides.
 *
 * Statements instead of the program `bucardo`: they say what they mean in one
 * transaction, where the program guesses, connects once a table, and stops half-way.
 * The triggers of schema bucardo, which connect to the databases for each row, are
 * kept quiet with session_replication_role; validate_sync() is called by name.
 *
 * Triggers, and the tables that they write to, are made before (capture_triggers.h), in a
 * transaction of its own at each side that waits for a lock for half a second. So
 * validate_sync(), which connects from inside the control server, finds them all, makes no
 * others and waits for nobody: what is left to it are its lists of tables.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"
#include "worker/capture/capture.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/deltas/delta_repair.h"
#include "worker/session/alone.h"

/* An application that has to queue behind us waits no longer than this. */
#define LOCK_OPTION " -c lock_timeout=500"

/* The application's event triggers are not for what Bucardo makes. Its own trigger that gives
 * the delta tables their names is quiet then, the first time: name_deltas() makes up for it. */
#define REPLICA_OPTION " -c session_replication_role=replica"

/* What bucardo/ would otherwise add to dbconn by itself: the same values. */
static const char limits[] = "connect_timeout=5;tcp_user_timeout=10000;keepalives_idle=5;"
			     "keepalives_interval=2;keepalives_count=3";

static int do_control(struct bm_capture *capture, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	return bm_phase_do(capture->phase, BM_SIDE_CONTROL, sql, count, params, err);
}

/* ---- databases and groups ---- */

/* clang-format off */
static const char db_sql[] =
#include "worker/deltas/sql/db_write.sql.inc"
;
/* clang-format on */

static int put_database(struct bm_capture *capture, const char *name, enum bm_side which,
		struct bm_error *err)
{
	const struct bm_phase_endpoint *endpoint = bm_phase_endpoint(capture->phase, which);
	struct bm_strbuf dbconn = BM_STRBUF_INIT;
	char port[16];

	snprintf(port, sizeof(port), "%u", endpoint->port);
	bm_phase_dbconn(endpoint, &dbconn);
	bm_strbuf_printf(&dbconn, ";%s", limits);
	const char *const params[] = {name, endpoint->host, port, endpoint->dbname,
			endpoint->user, bm_strbuf_text(&dbconn)};
	int rc = do_control(capture, db_sql, 6, params, err);
	bm_strbuf_finish(&dbconn);
	return rc == 0 ? 0 : bm_error_wrap(err, "adding database '%s' to Bucardo", name);
}

/* clang-format off */
static const char dbmap_sql[] =
#include "worker/deltas/sql/dbmap_write.sql.inc"
;
/* clang-format on */

/* One statement each: $1 herd, $2 dbgroup, $3 source, $4 destination, $5 its role. */
static const char *const group_steps[] = {
		"INSERT INTO bucardo.herd (name) SELECT $1 WHERE $2 <> '' AND $3 <> '' AND $4 <> ''"
		" AND $5 <> '' ON CONFLICT DO NOTHING",
		"INSERT INTO bucardo.dbgroup (name) SELECT $2 WHERE $1 <> '' AND $3 <> ''"
		" AND $4 <> '' AND $5 <> '' ON CONFLICT DO NOTHING",
		dbmap_sql,
};

static int put_group(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_error *err)
{
	const char *const params[] = {group->herd, capture->dbgroup, capture->source,
			capture->destination,
			capture->phase->request.is_both ? "source" : "target"};

	for (size_t i = 0; i < BM_COUNT_OF(group_steps); i++) {
		if (do_control(capture, group_steps[i], 5, params, err) != 0) {
			return bm_error_wrap(err, "adding group '%s' to Bucardo", group->herd);
		}
	}
	return 0;
}

int bm_capture_names(struct bm_capture *capture, struct bm_error *err)
{
	int rc = bm_phase_begin(capture->phase, err);

	if (rc == 0) {
		rc = put_database(capture, capture->source, BM_SIDE_SOURCE, err);
	}
	if (rc == 0) {
		rc = put_database(capture, capture->destination, BM_SIDE_DESTINATION, err);
	}
	for (size_t i = 0; rc == 0 && i < capture->group_count; i++) {
		rc = put_group(capture, &capture->groups[i], err);
	}
	return bm_phase_end(capture->phase, rc, err);
}

/* ---- what is there ---- */

/* clang-format off */
static const char members_sql[] =
#include "worker/deltas/sql/members_of_sync.sql.inc"
;
/* clang-format on */

/* The triggers of the sync, switched on, and the tables that they write to. */
/* clang-format off */
static const char captured_sql[] =
#include "worker/deltas/sql/captured_whole.sql.inc"
;
/* clang-format on */

/* Keep of `is_done` what is in the answer too. */
static void keep_those_in(struct bm_capture_group *group, const PGresult *rows)
{
	for (size_t i = 0; i < group->count; i++) {
		bool found = false;
		for (int row = 0; group->is_done[i] && !found && row < PQntuples(rows); row++) {
			found = strcmp(PQgetvalue(rows, row, 0), group->tables[i]->quoted) == 0;
		}
		group->is_done[i] = found;
	}
}

static int narrow(struct bm_capture *capture, struct bm_capture_group *group,
		enum bm_side which, const char *sql, struct bm_error *err)
{
	const char *const params[] = {group->sync};
	PGresult *rows = bm_phase_ask(capture->phase, which, sql, 1, params, err);

	if (rows == NULL && strcmp(err->sqlstate, "42P01") != 0) {
		return bm_error_wrap(
				err, "looking what is captured on the %s", bm_side_name(which));
	}
	if (rows == NULL) {
		/* Bucardo has made nothing there yet. */
		*err = (struct bm_error)BM_ERROR_INIT;
		memset(group->is_done, 0, group->count * sizeof(*group->is_done));
		return 0;
	}
	keep_those_in(group, rows);
	PQclear(rows);
	return 0;
}

int bm_capture_check(struct bm_capture *capture, struct bm_capture_group *group,
		struct bm_error *err)
{
	for (size_t i = 0; i < group->count; i++) {
		group->is_done[i] = true;
	}
	if (narrow(capture, group, BM_SIDE_CONTROL, members_sql, err) != 0 ||
			narrow(capture, group, BM_SIDE_SOURCE, captured_sql, err) != 0) {
		return -1;
	}
	return capture->phase->request.is_both
			? narrow(capture, group, BM_SIDE_DESTINATION, captured_sql, err)
			: 0;
}

/* ---- taking tables in ---- */

static char *encode_tables(struct bm_selected_table *const *tables, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct bm_selected_table *t = tables[i];
		json_array_append_new(list,
				json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "schema", t->schema,
						"name", t->name, "key", t->key, "key_quoted",
						t->key_quoted, "key_types", t->key_types,
						"columns", t->columns));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

/* clang-format off */
static const char sync_sql[] =
#include "worker/deltas/sql/sync_write.sql.inc"
;
/* clang-format on */

/*
 * $1 the tables, $2 the source's name, $3 the herd, $4 the sync, $5 the dbgroup, $6 the
 * destination's name. Of tables with generated columns the others are named, for each
 * database that something is applied to (daemon/bucardo/launch.pl). The sync stays inactive
 * until it is released: a master that starts would run an active one at once, in the middle of
 * the copy.
 */
#define TABLES_AND_GOATS                                                                        \
	" FROM json_array_elements($1::json) t JOIN bucardo.goat g ON g.db = $2"                \
	" AND g.schemaname = t->>'schema' AND g.tablename = t->>'name' AND g.reltype = 'table'" \
	" WHERE $3 <> '' AND $4 <> '' AND $5 <> '' AND $6 <> ''"
static const char *const take_steps[] = {
		"INSERT INTO bucardo.goat (db, schemaname, tablename, pkey, qpkey, pkeytype)"
		" SELECT $2, t->>'schema', t->>'name', t->>'key', t->>'key_quoted', t->>'key_types'"
		" FROM json_array_elements($1::json) t WHERE $3 <> '' AND $4 <> '' AND $5 <> ''"
		" AND $6 <> '' AND NOT EXISTS (SELECT 1 FROM bucardo.goat g WHERE g.db = $2"
		"  AND g.schemaname = t->>'schema' AND g.tablename = t->>'name'"
		"  AND g.reltype = 'table')",
		"INSERT INTO bucardo.customcols (goat, clause, db)"
		" SELECT g.id, 'SELECT ' || (t->>'columns'), unnest(ARRAY[$2, $6])" TABLES_AND_GOATS
		" AND t->>'columns' <> ''"
		" AND NOT EXISTS (SELECT 1 FROM bucardo.customcols c WHERE c.goat = g.id)",
		"INSERT INTO bucardo.herdmap (herd, goat) SELECT $3, g.id" TABLES_AND_GOATS
		" ON CONFLICT (herd, goat) DO NOTHING",
		sync_sql,
};

/* Whether Bucardo shall connect in replica role: where it may, and somebody listens. */
static int wants_replica(struct bm_capture *capture, enum bm_side which, bool *wants,
		struct bm_error *err)
{
	PGresult *found = bm_phase_ask(capture->phase, which,
			"SELECT 1 FROM pg_event_trigger WHERE evtenabled <> 'D' LIMIT 1", 0,
			NULL, err);

	/* A connection that asks for what its role may not have is refused. */
	*wants = found != NULL && PQntuples(found) > 0 && capture->phase->is_replica[which];
	PQclear(found);
	return found != NULL ? 0 : -1;
}

/* libpq takes the last of several `options`; until the commit nobody else sees it. */
static int limit_locks_of(struct bm_capture *capture, enum bm_side which, const char *name,
		struct bm_error *err)
{
	struct bm_strbuf options = BM_STRBUF_INIT, dbconn = BM_STRBUF_INIT;
	bool replica;

	if (wants_replica(capture, which, &replica, err) != 0) {
		return -1;
	}
	bm_session_options(BM_SESSION_BUCARDO, &options);
	bm_strbuf_printf(&options, "%s%s", LOCK_OPTION, replica ? REPLICA_OPTION : "");
	bm_conninfo_word(&dbconn, "", "options", bm_strbuf_text(&options));
	bm_strbuf_finish(&options);
	const char *const params[] = {name, bm_strbuf_text(&dbconn)};
	int rc = do_control(capture,
			"UPDATE bucardo.db SET dbconn = dbconn || ';' || $2 WHERE name = $1", 2,
			params, err);
	bm_strbuf_finish(&dbconn);
	return rc;
}

static int limit_locks(struct bm_capture *capture, struct bm_error *err)
{
	int rc = limit_locks_of(capture, BM_SIDE_SOURCE, capture->source, err);

	return rc == 0 ? limit_locks_of(capture, BM_SIDE_DESTINATION, capture->destination, err)
		       : -1;
}

/* None of our settings has a quote in it. */
static int lift_limits(struct bm_capture *capture, struct bm_error *err)
{
	const char *const params[] = {capture->source, capture->destination};

	return do_control(capture,
			"UPDATE bucardo.db SET dbconn = regexp_replace(dbconn,"
			" ';options=''[^'']*''$', '') WHERE name IN ($1, $2)",
			2, params, err);
}

/* clang-format off */
static const char delta_names_sql[] =
#include "worker/deltas/sql/delta_names_trigger.sql.inc"
;
/* clang-format on */

static int name_deltas(struct bm_capture *capture, enum bm_side which, struct bm_error *err)
{
	return bm_phase_do(capture->phase, which, delta_names_sql, 0, NULL, err);
}

static int put_tables(struct bm_capture *capture, const struct bm_capture_group *group,
		const char *list, struct bm_error *err)
{
	const char *const params[] = {list, capture->source, group->herd, group->sync,
			capture->dbgroup, capture->destination};

	for (size_t i = 0; i < BM_COUNT_OF(take_steps); i++) {
		if (do_control(capture, take_steps[i], 6, params, err) != 0) {
			return bm_error_wrap(err, "adding tables to sync '%s'", group->sync);
		}
	}
	return 0;
}

int bm_capture_identify(struct bm_capture *capture, struct bm_error *err)
{
	int rc = bm_delta_repair_identify(capture->phase, BM_SIDE_SOURCE, err);

	return rc == 0 && capture->phase->request.is_both
			? bm_delta_repair_identify(capture->phase, BM_SIDE_DESTINATION, err)
			: rc;
}

/* Bucardo finds them then, and makes no others. */
static int make_triggers(struct bm_capture *capture, const struct bm_capture_group *group,
		const char *list, struct bm_error *err)
{
	struct bm_phase *phase = capture->phase;
	int rc = bm_capture_triggers_make(phase, BM_SIDE_SOURCE, group->sync, list, NULL, err);

	if (rc != 0 || !phase->request.is_both) {
		return rc;
	}
	/* Of a table that is taken in later nothing is copied any more. */
	return strcmp(phase->request.phase, "capture") == 0
			? bm_capture_triggers_make_quiet(
					  phase, BM_SIDE_DESTINATION, group->sync, list, err)
			: bm_capture_triggers_make(phase, BM_SIDE_DESTINATION, group->sync,
					  list, NULL, err);
}

/* Those that validate_sync() made just now; `worker observe` goes on with it. */
static int pin_functions(struct bm_capture *capture, struct bm_error *err)
{
	static const char sql[] = "SELECT bucardo.machine_pin()";
	int rc = bm_phase_do(capture->phase, BM_SIDE_SOURCE, sql, 0, NULL, err);

	return rc == 0 && capture->phase->request.is_both
			? bm_phase_do(capture->phase, BM_SIDE_DESTINATION, sql, 0, NULL, err)
			: rc;
}

static int take(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_selected_table *const *tables, size_t count, struct bm_error *err)
{
	char *list = encode_tables(tables, count);
	int rc = bm_delta_repair_prepare(capture->phase, BM_SIDE_SOURCE, list, err);

	if (rc == 0 && capture->phase->request.is_both) {
		rc = bm_delta_repair_prepare(capture->phase, BM_SIDE_DESTINATION, list, err);
	}
	if (rc == 0) {
		rc = make_triggers(capture, group, list, err);
	}
	if (rc == 0) {
		rc = bm_phase_begin(capture->phase, err);
		if (rc == 0) {
			rc = put_tables(capture, group, list, err);
		}
		if (rc == 0) {
			rc = limit_locks(capture, err);
		}
		if (rc == 0) {
			rc = do_control(capture, "SELECT bucardo.validate_sync($1)", 1,
					(const char *const[]){group->sync}, err);
		}
		if (rc == 0) {
			rc = lift_limits(capture, err);
		}
		rc = bm_phase_end(capture->phase, rc, err);
	}
	if (rc == 0) {
		rc = name_deltas(capture, BM_SIDE_SOURCE, err);
	}
	if (rc == 0 && capture->phase->request.is_both) {
		rc = name_deltas(capture, BM_SIDE_DESTINATION, err);
	}
	if (rc == 0) {
		rc = bm_capture_identify(capture, err);
	}
	if (rc == 0) {
		rc = pin_functions(capture, err);
	}
	free(list);
	return rc;
}

/* Bucardo makes what others of the same source may be about to make. */
int bm_capture_take(struct bm_capture *capture, const struct bm_capture_group *group,
		struct bm_selected_table *const *tables, size_t count, struct bm_error *err)
{
	struct bm_phase *phase = capture->phase;
	bool here = bm_alone_begin(phase, BM_SIDE_SOURCE);
	bool there = phase->request.is_both && bm_alone_begin(phase, BM_SIDE_DESTINATION);
	int rc = take(capture, group, tables, count, err);

	bm_alone_end(phase, BM_SIDE_DESTINATION, there);
	bm_alone_end(phase, BM_SIDE_SOURCE, here);
	return rc;
}
