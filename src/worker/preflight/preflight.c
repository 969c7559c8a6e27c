/*
 * Phase preflight:
 *
 *     connect to both sides, and say what is wrong when that fails
 *     read which tables there are, and which Bucardo cannot replicate
 *     walk the table of checks; with `fix` run the fixes that are safe
 *
 * Nothing is changed without `fix`. A finding that stops fails the phase.
 */
#include "worker/preflight/preflight.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/extensions.h"
#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/password.h"
#include "worker/schema/selected_tables.h"
#include "worker/live/identity.h"
#include "worker/preflight/plan_report.h"

struct walk {
	struct bm_phase *phase;
	char *oids; /* of the selected tables */
	unsigned findings[BM_SEVERITY_COUNT];
	uint64_t done, total;
};

static void find(void *ctx, enum bm_severity severity, const char *object, const char *why,
		const char *hint)
{
	struct walk *walk = ctx;

	walk->findings[severity]++;
	bm_report_finding(severity, object, why, hint);
}

/* The databases may be fit, but the machine will not begin with this definition. */
static void check_refusal(struct walk *walk)
{
	struct bm_phase_request *request = &walk->phase->request;
	char why[1200];

	if (request->refusal != NULL) {
		request->fix = false;
		snprintf(why, sizeof(why), "its changed definition is refused: %s",
				request->refusal);
		find(walk, BM_SEVERITY_STOPS, "machine.yaml", why,
				request->refusal_hint != NULL ? request->refusal_hint : "");
	}
}

/* ---- the ends ---- */

/* What a person has to fix; anything else may be over in a minute. */
static bool is_ours_to_hint(const char *message)
{
	static const char *const signs[] = {"password", "pg_hba.conf", "does not exist",
			"certificate", "SSL", "sslmode", "not permitted to log in", "passfile",
			"unsupported startup parameter", "do not stay in force"};

	for (size_t i = 0; i < BM_COUNT_OF(signs); i++) {
		if (strstr(message, signs[i]) != NULL) {
			return true;
		}
	}
	return false;
}

static int connect_side(struct walk *walk, enum bm_side side, struct bm_error *err)
{
	if (bm_phase_conn(walk->phase, side, err) != NULL) {
		return 0;
	}
	bool ours = err->code == BM_ERR_CONFIG || is_ours_to_hint(err->message);
	bool pooled = strstr(err->message, "unsupported startup parameter") != NULL ||
			strstr(err->message, "do not stay in force") != NULL;
	bool secret = bm_password_find(err->message, NULL);
	const char *hint = secret
			? "correct that line (host:port:database:user:password) in pgpass; it is "
			  "taken by itself"
			: pooled
			? "give the address of the server itself, not of a pooler; or let "
			  "the pooler keep sessions (pool_mode = session) and "
			  "ignore_startup_parameters = options"
			: ours
			? "check host, port, dbname, user, sslmode and sslrootcert in machine.yaml, "
			  "the line for them in pgpass, and the server's pg_hba.conf"
			: "the machine tries again by itself";
	find(walk, BM_SEVERITY_STOPS, bm_side_name(side), err->message, hint);
	snprintf(walk->phase->hint, sizeof(walk->phase->hint), "%s", hint);
	err->code = ours ? BM_ERR_PRECONDITION : err->code;
	return -1;
}

/* pg_dump refuses a server that is newer than itself; libpq came with it. */
static void check_tools(struct walk *walk)
{
	int ours = PQlibVersion() / 10000;
	int theirs = PQserverVersion(walk->phase->conns[BM_SIDE_SOURCE]) / 10000;
	char why[160];

	if (theirs > ours) {
		snprintf(why, sizeof(why),
				"it runs PostgreSQL %d, and the pg_dump of this machine is of "
				"version %d",
				theirs, ours);
		find(walk, BM_SEVERITY_STOPS, "the source", why,
				"use an image of the machine with a newer PostgreSQL");
	}
}

/* ---- one check ---- */

static enum bm_side other_side(enum bm_side side)
{
	return side == BM_SIDE_SOURCE ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE;
}

/* The rows of a check, or NULL with `err`. */
static PGresult *ask_check(
		struct walk *walk, const struct bm_check *check, struct bm_error *err)
{
	const char *param = check->takes_tables ? walk->oids : NULL;
	PGresult *fed = NULL;

	if (check->feed != NULL) {
		fed = bm_phase_ask(walk->phase, other_side(check->side), check->feed, 0, NULL,
				err);
		if (fed == NULL) {
			return NULL;
		}
		param = PQgetvalue(fed, 0, 0);
	}
	PGresult *rows = bm_phase_ask(
			walk->phase, check->side, check->sql, param != NULL, &param, err);
	PQclear(fed);
	return rows;
}

/* Returns whether something was fixed, so that the check is worth repeating. */
static bool fix_rows(struct walk *walk, const struct bm_check *check, const PGresult *rows)
{
	bool any = false;

	for (int row = 0; row < PQntuples(rows); row++) {
		struct bm_error err = BM_ERROR_INIT;
		const char *sql = PQgetvalue(rows, row, 2);
		if (bm_phase_do(walk->phase, check->side, sql, 0, NULL, &err) == 0) {
			bm_report_note("fixed on the %s: %s", bm_side_name(check->side), sql);
			any = true;
		} else {
			bm_report_note("could not fix on the %s: %s: %s",
					bm_side_name(check->side), sql, err.message);
		}
	}
	return any;
}

/* A server may hide some catalog from our role: then the check says so and no more. */
static int take_refusal(struct walk *walk, const struct bm_check *check, struct bm_error *err)
{
	char why[900];

	if (err->code != BM_ERR_SQL) {
		return -1;
	}
	if (check->refused != NULL && strcmp(err->sqlstate, "42501") == 0) {
		find(walk, check->severity, bm_side_name(check->side), check->refused,
				check->refused_hint);
		return 0;
	}
	snprintf(why, sizeof(why), "the %s could not be asked about '%s': %s",
			bm_side_name(check->side), check->name, err->message);
	find(walk, BM_SEVERITY_NOTE, check->name, why, "");
	return 0;
}

static int run_check(struct walk *walk, const struct bm_check *check, struct bm_error *err)
{
	PGresult *rows = ask_check(walk, check, err);

	if (rows != NULL && walk->phase->request.fix && check->hint_is_safe &&
			fix_rows(walk, check, rows)) {
		PQclear(rows);
		rows = ask_check(walk, check, err);
	}
	if (rows == NULL) {
		return take_refusal(walk, check, err);
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		const char *object = PQgetvalue(rows, row, 0), *why = PQgetvalue(rows, row, 1);
		if (check->hint_is_safe) {
			walk->findings[check->severity]++;
			bm_report_safe_finding(
					check->severity, object, why, PQgetvalue(rows, row, 2));
		} else {
			find(walk, check->severity, object, why, PQgetvalue(rows, row, 2));
		}
	}
	PQclear(rows);
	return 0;
}

static int run_checks(struct walk *walk, const struct bm_check *checks, size_t count,
		struct bm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		bm_report_progress(walk->done++, walk->total, "checks", checks[i].name);
		if (checks[i].only_both && !walk->phase->request.is_both) {
			continue;
		}
		*err = (struct bm_error)BM_ERROR_INIT;
		if (run_check(walk, &checks[i], err) != 0) {
			return bm_error_wrap(err, "check '%s'", checks[i].name);
		}
	}
	return 0;
}

/* ---- the tables ---- */

static int check_tables(
		struct walk *walk, const struct bm_selected *tables, struct bm_error *err)
{
	size_t left_out = 0;
	PGresult *size = bm_phase_ask(walk->phase, BM_SIDE_SOURCE,
			"SELECT coalesce(sum(pg_table_size(o)), 0) FROM unnest($1::oid[]) o", 1,
			(const char *const *)&walk->oids, err);

	if (size == NULL) {
		return bm_error_wrap(err, "reading the size of the tables");
	}
	for (size_t i = 0; i < tables->count; i++) {
		const struct bm_selected_table *table = &tables->tables[i];
		if (table->left_out[0] != '\0') {
			left_out++;
			find(walk, BM_SEVERITY_DEGRADES, table->quoted, table->left_out,
					table->hint);
		}
	}
	if (tables->count == 0) {
		find(walk, BM_SEVERITY_STOPS, "tables",
				"the source has no table that could be moved",
				"name the right database as source in machine.yaml");
	}
	json_t *evidence = walk->phase->evidence;
	json_object_set_new(evidence, "tables", json_integer((json_int_t)tables->count));
	json_object_set_new(evidence, "left_out", json_integer((json_int_t)left_out));
	json_object_set_new(evidence, "bytes", json_integer(atoll(PQgetvalue(size, 0, 0))));
	PQclear(size);
	return 0;
}

/* What the patterns of tables.include and tables.exclude mean here. */
static const struct finding_row {
	const char *what;
	enum bm_severity severity;
	const char *why; /* with the row's own reason after it */
	const char *hint;
} finding_rows[] = {
		{"follows", BM_SEVERITY_DEGRADES,
				"it needs something that is not selected, and stays behind too",
				"choose what it needs as well (tables in machine.yaml), or make it on "
				"the destination afterwards"},
		{"stops", BM_SEVERITY_STOPS, "it is selected, and cannot be made without ",
				"choose that as well, or leave this out too (tables in machine.yaml)"},
		{"attach", BM_SEVERITY_DEGRADES,
				"its parent is not selected: it becomes an ordinary table",
				"choose the parent instead (tables in machine.yaml)"},
		{"unused", BM_SEVERITY_DEGRADES, "this pattern matches no table",
				"correct it in machine.yaml: SCHEMA.TABLE, with double quotes around "
				"names that have capitals"},
};

static int check_filter(struct walk *walk, struct bm_error *err)
{
	PGresult *rows = bm_selected_filter(walk->phase, err);
	unsigned out = 0;
	char why[900];

	if (rows == NULL) {
		return -1;
	}
	for (int row = 0; row < PQntuples(rows); row++) {
		out += bm_table_filter_row_is(rows, row, "out");
		for (size_t i = 0; i < BM_COUNT_OF(finding_rows); i++) {
			const struct finding_row *found = &finding_rows[i];
			if (bm_table_filter_row_is(rows, row, found->what)) {
				snprintf(why, sizeof(why), "%s%s", found->why,
						PQgetvalue(rows, row, BM_TABLE_FILTER_WHY));
				find(walk, found->severity,
						PQgetvalue(rows, row, BM_TABLE_FILTER_NAME),
						why, found->hint);
			}
		}
	}
	if (out > 0) {
		snprintf(why, sizeof(why),
				"of its tables, views and sequences %u %s not selected, and left behind",
				out, out == 1 ? "is" : "are");
		find(walk, BM_SEVERITY_NOTE, "tables", why, "");
	}
	char *outside = bm_table_filter_out(rows);
	char *skipped = bm_extensions_skipped(&walk->phase->request.extensions);
	char *versions = bm_extensions_versions(&walk->phase->request.extensions);
	const char *const params[] = {outside, skipped, versions};
	PQclear(rows);
	int rc = bm_phase_do(walk->phase, BM_SIDE_SOURCE,
			"SELECT set_config('bucardo_machine.outside', $1, false),"
			" set_config('bucardo_machine.skipped', $2, false),"
			" set_config('bucardo_machine.versions', $3, false)",
			3, params, err);
	free(outside);
	free(skipped);
	free(versions);
	return rc;
}

/* Connections at one side, as seen: Bucardo's master and its VAC, two for each sync, `observe`
 * and `pass`; while copying one a job, and those that keep the snapshot and the ledger. */
static int report_connections(struct walk *walk, enum bm_side side, struct bm_error *err)
{
	const struct bm_phase_request *request = &walk->phase->request;
	char steady[16], copying[16];
	const char *const params[] = {steady, copying};

	snprintf(steady, sizeof(steady), "%u", 4 + 2 * request->syncs);
	snprintf(copying, sizeof(copying), "%u", 3 + request->jobs);
	return bm_phase_do(walk->phase, side,
			"SELECT set_config('bucardo_machine.steady', $1, false),"
			" set_config('bucardo_machine.copying', $2, false)",
			2, params, err);
}

/* A catalog that our role may not read, or that is too much to read, stops nothing. */
static int look_at_paths(struct walk *walk, struct bm_error *err)
{
	const struct bm_check check = {.name = "paths", .side = BM_SIDE_SOURCE};

	return bm_preflight_paths(walk->phase, find, walk, err) == 0
			? 0
			: take_refusal(walk, &check, err);
}

static int walk_all(struct walk *walk, struct bm_error *err)
{
	struct bm_selected tables = {0};
	const char *const name[] = {walk->phase->request.name};
	int rc = -1;

	if (bm_phase_do(walk->phase, BM_SIDE_SOURCE,
			    "SELECT set_config('bucardo_machine.migration', $1, false)", 1,
			    name, err) != 0 ||
			report_connections(walk, BM_SIDE_SOURCE, err) != 0 ||
			report_connections(walk, BM_SIDE_DESTINATION, err) != 0 ||
			check_filter(walk, err) != 0 ||
			bm_selected_read(walk->phase, &tables, err) != 0) {
		return -1;
	}
	walk->oids = bm_selected_oids(&tables);
	check_tools(walk);
	bm_preflight_network(walk->phase, BM_SIDE_SOURCE, find, walk);
	bm_preflight_network(walk->phase, BM_SIDE_DESTINATION, find, walk);
	bm_preflight_journal(walk->phase, find, walk);
	bm_preflight_identity(walk->phase, find, walk);
	if (run_checks(walk, bm_checks_rights, bm_check_rights_count, err) == 0 &&
			check_tables(walk, &tables, err) == 0 &&
			bm_preflight_roles(walk->phase, find, walk, err) == 0 &&
			look_at_paths(walk, err) == 0 &&
			run_checks(walk, bm_checks_servers, bm_check_servers_count, err) == 0 &&
			run_checks(walk, bm_checks_tables, bm_check_tables_count, err) == 0) {
		rc = walk->phase->request.plan
				? bm_plan_report(walk->phase, &tables, walk->oids, err)
				: 0;
	}
	bm_selected_finish(&tables);
	free(walk->oids);
	return rc;
}

int bm_preflight_run(struct bm_phase *phase, struct bm_error *err)
{
	struct walk walk = {.phase = phase,
			.total = bm_check_rights_count + bm_check_servers_count +
					bm_check_tables_count};

	check_refusal(&walk);
	if (connect_side(&walk, BM_SIDE_SOURCE, err) != 0 ||
			connect_side(&walk, BM_SIDE_DESTINATION, err) != 0 ||
			walk_all(&walk, err) != 0) {
		return -1;
	}
	for (int severity = BM_SEVERITY_NOTE; severity >= BM_SEVERITY_STOPS; severity--) {
		json_object_set_new(phase->evidence, bm_severity_name(severity),
				json_integer(walk.findings[severity]));
	}
	if (walk.findings[BM_SEVERITY_STOPS] > 0) {
		snprintf(phase->hint, sizeof(phase->hint),
				"fix what the findings of severity 'stops' say; preflight runs "
				"again by itself");
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"preflight found %u thing%s that must be fixed first",
				walk.findings[BM_SEVERITY_STOPS],
				walk.findings[BM_SEVERITY_STOPS] == 1 ? "" : "s");
	}
	bm_report_progress(walk.total, walk.total, "checks", "all checks done");
	return 0;
}
