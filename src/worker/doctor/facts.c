/* The table of facts, and the walk over it. */
#include "worker/doctor/facts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "worker/cutover/conditions.h"
#include "worker/deltas/delta_facts.h"
#include "worker/session/ask.h"

/* All of it together: past this nothing more is asked. */
#define TOTAL_MSEC 30000

/* Rows of a fact; the rest is the next look's. */
#define MOST_ROWS "20"

/* clang-format off */
static const char blocked_sql[] =
#include "worker/doctor/sql/doctor_blocked.sql.inc"
;
static const char transactions_sql[] =
#include "worker/doctor/sql/doctor_transactions.sql.inc"
;
static const char prepared_sql[] =
#include "worker/doctor/sql/doctor_prepared.sql.inc"
;
static const char connections_sql[] =
#include "worker/doctor/sql/doctor_connections.sql.inc"
;
static const char password_sql[] =
#include "worker/doctor/sql/doctor_password.sql.inc"
;
static const char permissions_sql[] =
#include "worker/doctor/sql/doctor_permissions.sql.inc"
;
static const char role_sql[] =
#include "worker/doctor/sql/doctor_role.sql.inc"
;
static const char foreign_sql[] =
#include "worker/doctor/sql/doctor_foreign.sql.inc"
;
static const char publications_sql[] =
#include "worker/doctor/sql/doctor_publications.sql.inc"
;
static const char wraparound_sql[] =
#include "worker/doctor/sql/doctor_wraparound.sql.inc"
;
static const char replica_writers_sql[] =
#include "worker/doctor/sql/doctor_replica_writers.sql.inc"
;
static const char kids_sql[] =
#include "worker/doctor/sql/doctor_kids.sql.inc"
;
static const char part_sql[] =
#include "worker/doctor/sql/doctor_part.sql.inc"
;

/* "reach" is there for each side without being asked: the walk puts it there. */
const struct bm_doctor_fact bm_doctor_facts[] = {
{ .name = "reach", .place = BM_DOCTOR_BOTH },
{ .name = "blocked", .place = BM_DOCTOR_BOTH, .sql = blocked_sql },
{ .name = "connections", .place = BM_DOCTOR_BOTH, .sql = connections_sql },
{ .name = "password", .place = BM_DOCTOR_BOTH, .sql = password_sql },
{ .name = "certificate", .place = BM_DOCTOR_BOTH, .gather = bm_fact_certificate },
{ .name = "clock", .place = BM_DOCTOR_BOTH, .gather = bm_fact_clock },
{ .name = "permissions", .place = BM_DOCTOR_BOTH, .sql = permissions_sql },
{ .name = "role", .place = BM_DOCTOR_FOLLOWER, .sql = role_sql },
{ .name = "foreign", .place = BM_DOCTOR_FOLLOWER, .sql = foreign_sql },
{ .name = "transactions", .place = BM_DOCTOR_BOTH, .sql = transactions_sql },
{ .name = "prepared", .place = BM_DOCTOR_BOTH, .sql = prepared_sql },
{ .name = "publications", .place = BM_DOCTOR_BOTH, .sql = publications_sql },
{ .name = "wraparound", .place = BM_DOCTOR_BOTH, .sql = wraparound_sql },
{ .name = "replica_writers", .place = BM_DOCTOR_LIVE, .sql = replica_writers_sql },
{ .name = "deltas", .place = BM_DOCTOR_LIVE, .sql = bm_delta_sizes_sql },
{ .name = "runs", .place = BM_DOCTOR_CONTROL, .sql = bm_failed_runs_sql },
{ .name = "memory", .place = BM_DOCTOR_CONTROL, .sql = kids_sql, .gather = bm_fact_memory },
{ .name = "volume", .place = BM_DOCTOR_CONTROL, .gather = bm_fact_volume },
{ .name = "http_certificate", .place = BM_DOCTOR_CONTROL, .gather = bm_fact_http_certificate },
{ .name = "drift", .place = BM_DOCTOR_MACHINE },
{ .name = "stopped", .place = BM_DOCTOR_MACHINE },
{ .name = "sequences", .place = BM_DOCTOR_MACHINE },
{ .name = "kept", .place = BM_DOCTOR_MACHINE },
{ .name = "phase", .place = BM_DOCTOR_MACHINE },
{ .name = "receivers", .place = BM_DOCTOR_MACHINE },
};
const size_t bm_doctor_fact_count = BM_COUNT_OF(bm_doctor_facts);
/* clang-format on */

const struct bm_doctor_fact *bm_doctor_fact(const char *name)
{
	for (size_t i = 0; i < bm_doctor_fact_count; i++) {
		if (strcmp(bm_doctor_facts[i].name, name) == 0) {
			return &bm_doctor_facts[i];
		}
	}
	return NULL;
}

const char *bm_doctor_place_name(enum bm_side side)
{
	return side == BM_SIDE_CONTROL ? "machine" : bm_side_name(side);
}

struct walk {
	struct bm_phase *phase;
	json_t *facts, *unknown;
	enum bm_side live;
	char problems[BM_SIDE_COUNT][512]; /* why a side cannot be asked; "" it can */
	uint64_t begun_msec;
};

/* ---- sides ---- */

/* As `worker reconcile` has found it; before that nothing but the source can be live. */
static enum bm_side find_live(const struct bm_phase *phase)
{
	const json_t *known = json_object_get(phase->request.root, "known");
	const json_t *live = json_object_get(json_object_get(known, "reconcile"), "live");
	const char *side = json_string_value(json_object_get(live, "side"));

	return side != NULL && strcmp(side, "destination") == 0 ? BM_SIDE_DESTINATION
								: BM_SIDE_SOURCE;
}

static bool is_at(const struct walk *walk, enum bm_doctor_place place, enum bm_side side)
{
	switch (place) {
	case BM_DOCTOR_LIVE:
		return side == walk->live;
	case BM_DOCTOR_FOLLOWER:
		return side != walk->live && side != BM_SIDE_CONTROL;
	case BM_DOCTOR_BOTH:
		return side != BM_SIDE_CONTROL;
	case BM_DOCTOR_CONTROL:
	case BM_DOCTOR_MACHINE:
		break;
	}
	return side == BM_SIDE_CONTROL;
}

static json_t *place_of(const struct walk *walk, enum bm_side side)
{
	return json_object_get(walk->facts, bm_doctor_place_name(side));
}

static json_t *unreachable(
		const struct walk *walk, enum bm_side side, const struct bm_error *err)
{
	const struct bm_phase_endpoint *endpoint = bm_phase_endpoint(walk->phase, side);

	return json_pack("[{s:o, s:s, s:s, s:i, s:s}]", "error", bm_json_text(err->message),
			"role", endpoint->user, "host", endpoint->host, "port",
			(int)endpoint->port, "database", endpoint->dbname);
}

/* The names of captured tables, a JSON list; none before anything is captured. */
static char *read_names(const struct walk *walk)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = walk->problems[walk->live][0] != '\0'
			? NULL
			: bm_phase_ask(walk->phase, walk->live, bm_ready_tables_sql, 1,
					  &walk->phase->request.name, &ignored);
	char *names = bm_strdup(rows != NULL ? PQgetvalue(rows, 0, 0) : "[]");

	PQclear(rows);
	return names;
}

static void connect_side(struct walk *walk, enum bm_side side)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *reach = NULL;

	if (bm_phase_conn(walk->phase, side, &err) == NULL) {
		bm_text_copy(walk->problems[side], sizeof(walk->problems[side]), err.message);
		reach = side != BM_SIDE_CONTROL ? unreachable(walk, side, &err) : NULL;
	}
	json_object_set_new(walk->facts, bm_doctor_place_name(side), json_object());
	if (side != BM_SIDE_CONTROL) {
		json_object_set_new(place_of(walk, side), "reach",
				reach != NULL ? reach : json_array());
	}
}

static void set_up(struct walk *walk, enum bm_side side, const char *names)
{
	const char *part = side == walk->live ? "live" : "follower";
	const char *const settings[] = {names, walk->phase->request.name, "1000"};
	struct bm_error err = BM_ERROR_INIT;
	const char *sql = side == BM_SIDE_CONTROL ? bm_ready_control_sql
						  : bm_ready_settings_sql;

	if (walk->problems[side][0] == '\0' &&
			(bm_phase_do(walk->phase, side, sql, side == BM_SIDE_CONTROL ? 1 : 3,
					 side == BM_SIDE_CONTROL ? &settings[1] : settings,
					 &err) != 0 ||
					bm_phase_do(walk->phase, side, part_sql, 1, &part,
							&err) != 0)) {
		bm_text_copy(walk->problems[side], sizeof(walk->problems[side]), err.message);
	}
}

/* ---- one fact ---- */

static void note_unknown(struct walk *walk, const struct bm_doctor_fact *fact,
		enum bm_side side, const char *why)
{
	json_array_append_new(walk->unknown,
			json_pack("{s:s, s:s, s:o}", "side", bm_doctor_place_name(side), "fact",
					fact->name, "why", bm_json_text(why)));
}

static json_t *rows_of(PGresult *result)
{
	json_t *rows = result != NULL ? json_loads(PQgetvalue(result, 0, 0), 0, NULL) : NULL;

	PQclear(result);
	return rows;
}

static json_t *ask(struct walk *walk, const struct bm_doctor_fact *fact, enum bm_side side,
		struct bm_error *err)
{
	if (fact->sql == NULL) {
		return json_array();
	}
	char *sql = bm_format(
			"SELECT coalesce(json_agg(x), '[]'::json) FROM (SELECT * FROM (%s) y"
			" LIMIT " MOST_ROWS ") x",
			fact->sql);
	PGresult *result = bm_phase_ask(walk->phase, side, sql, 0, NULL, err);
	free(sql);
	json_t *rows = rows_of(result);
	if (rows == NULL && err->code == BM_ERR_NONE) {
		bm_error_set(err, BM_ERR_INTERNAL, "there was no answer");
	}
	return rows;
}

static void look(struct walk *walk, const struct bm_doctor_fact *fact, enum bm_side side)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *rows = NULL;

	if (fact->place == BM_DOCTOR_MACHINE) {
		rows = json_array();
		if (bm_fact_known(walk->phase, fact->name, rows) != 0) {
			bm_error_set(&err, BM_ERR_PRECONDITION,
					"it is known once the migration replicates");
			json_decref(rows);
			rows = NULL;
		}
	} else if (walk->problems[side][0] != '\0') {
		bm_error_set(&err, BM_ERR_TRANSIENT, "%s", walk->problems[side]);
	} else if (bm_clock_msec() - walk->begun_msec > TOTAL_MSEC) {
		bm_error_set(&err, BM_ERR_TIMEOUT, "no time was left: the servers are slow");
	} else {
		rows = ask(walk, fact, side, &err);
		if (rows != NULL && fact->gather != NULL &&
				fact->gather(walk->phase, side, rows, &err) != 0) {
			json_decref(rows);
			rows = NULL;
		}
	}
	if (rows == NULL) {
		note_unknown(walk, fact, side, err.message);
	} else {
		json_object_set_new(place_of(walk, side), fact->name, rows);
	}
}

json_t *bm_doctor_gather(struct bm_phase *phase)
{
	struct walk walk = {.phase = phase,
			.facts = json_object(),
			.unknown = json_array(),
			.live = find_live(phase),
			.begun_msec = bm_clock_msec()};

	for (enum bm_side side = 0; side < BM_SIDE_COUNT; side++) {
		connect_side(&walk, side);
	}
	char *names = read_names(&walk);
	for (enum bm_side side = 0; side < BM_SIDE_COUNT; side++) {
		set_up(&walk, side, names);
		for (size_t i = 0; i < bm_doctor_fact_count; i++) {
			const struct bm_doctor_fact *fact = &bm_doctor_facts[i];
			if (is_at(&walk, fact->place, side) &&
					strcmp(fact->name, "reach") != 0) {
				look(&walk, fact, side);
			}
		}
	}
	free(names);
	json_object_set_new(walk.facts, "unknown", walk.unknown);
	return walk.facts;
}
