/* The report from what is kept: no row is looked at. */
#include "bucardo_machine/proof_report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/json.h"
#include "worker/proof/states.h"
#include "worker/session/ask.h"
#include "worker/session/conninfo.h"

#define CONNECT_LIMIT_MSEC 10000
#define REPORT_SCHEMA 1

/* One session, for one page. */
static PGconn *dial(const struct bm_conninfo *source, struct bm_error *err)
{
	struct bm_conninfo info;

	bm_conninfo_copy(source, &info);
	bm_conninfo_put(&info, "application_name", "bucardo-machine report");
	bm_conninfo_defaults(&info);
	PGconn *conn = bm_ask_connect(&info, BM_SESSION_VERIFY, CONNECT_LIMIT_MSEC, err);
	bm_conninfo_finish(&info);
	if (conn == NULL) {
		bm_error_wrap(err, "source");
	}
	return conn;
}

static const char *word_of(const struct bm_conninfo *info, const char *keyword)
{
	const char *value = bm_conninfo_get(info, keyword);

	return value != NULL ? value : "";
}

static json_t *side_of(const struct bm_conninfo *info, PGconn *conn)
{
	json_t *side = json_pack("{s:o, s:i, s:o, s:o}", "host",
			bm_json_text(word_of(info, "host")), "port",
			atoi(word_of(info, "port")), "database",
			bm_json_text(word_of(info, "dbname")), "role",
			bm_json_text(word_of(info, "user")));

	if (conn != NULL) {
		json_object_set_new(side, "version",
				bm_json_text(PQparameterStatus(conn, "server_version")));
	}
	return side;
}

/* {"key": "{...}" as a text, "columns": "a, b"} as a row of the report has it. */
static json_t *row_of(const json_t *kept)
{
	const char *key = json_string_value(json_object_get(kept, "key"));
	const char *columns = json_string_value(json_object_get(kept, "columns"));
	json_t *parsed = key != NULL ? json_loads(key, 0, NULL) : NULL;
	json_t *named = json_object();

	for (const char *name = columns; name != NULL && *name != '\0';) {
		size_t length = strcspn(name, ",");
		json_object_setn_new(named, name, length, json_object());
		name += length + strspn(name + length, ", ");
	}
	return json_pack("{s:O, s:o, s:o}", "kind", json_object_get(kept, "kind"), "key",
			json_is_object(parsed) ? parsed : json_object(), "columns", named);
}

static json_t *rows_of(const json_t *kept, const char *table)
{
	json_t *list = json_array();
	size_t index;
	const json_t *row;

	json_array_foreach(kept, index, row)
	{
		const char *name = json_string_value(json_object_get(row, "table"));
		if (name != NULL && strcmp(name, table) == 0) {
			json_array_append_new(list, row_of(row));
		}
	}
	return list;
}

static json_t *object_of(const struct bm_proof_state *state, const json_t *rows)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o}", "kind",
			bm_json_text(state->kind), "name", bm_json_text(state->name), "state",
			bm_proof_name(state->state), "why", bm_json_text(state->why), "at",
			state->at, "oldest_proof", state->oldest, "rows",
			(json_int_t)state->rows, "in_flight", (json_int_t)state->in_flight,
			"missing", (json_int_t)state->missing, "extra",
			(json_int_t)state->extra, "changed", (json_int_t)state->changed,
			"differences", rows_of(rows, state->name));
}

/* The first and the last comparison that there is something of. */
static void put_times(const struct bm_proof_states *states, json_t *report)
{
	const char *first = "", *last = "";

	for (size_t i = 0; i < states->count; i++) {
		const char *at = states->list[i].at;
		if (at[0] != '\0') {
			first = first[0] == '\0' || strcmp(at, first) < 0 ? at : first;
			last = strcmp(at, last) > 0 ? at : last;
		}
	}
	json_object_set_new(report, "begun", json_string(first));
	json_object_set_new(report, "ended", json_string(last));
}

static json_t *report_of(
		const struct bm_proof_states *states, const json_t *rows, enum bm_proof *result)
{
	json_t *report = json_pack("{s:i, s:s}", "schema", REPORT_SCHEMA, "hash", "");
	json_t *objects = json_array();

	*result = BM_PROOF_EQUAL;
	for (size_t i = 0; i < states->count; i++) {
		enum bm_proof state = states->list[i].state;
		*result = state > *result ? state : *result;
		json_array_append_new(objects, object_of(&states->list[i], rows));
	}
	json_object_set_new(report, "objects", objects);
	put_times(states, report);
	return report;
}

static bool was_compared(const struct bm_proof_states *states)
{
	for (size_t i = 0; i < states->count; i++) {
		if (!states->list[i].is_waiting) {
			return true;
		}
	}
	return false;
}

static json_t *read_report(PGconn *conn, const char *migration, enum bm_proof *result,
		struct bm_error *err)
{
	struct bm_proof_states states = {0};
	json_t *rows = NULL, *report = NULL;
	int rc = bm_proof_states_read(conn, migration, &states, err);

	if (rc == 0 && !was_compared(&states)) {
		bm_error_set(err, BM_ERR_CONFIG,
				"nothing of migration %s was compared yet: the background begins "
				"once it replicates, and `bucardo-machine verify %s` at once",
				migration, migration);
	} else if (rc == 0) {
		rows = bm_proof_differences(conn, migration, BM_PROOF_DIFFERENCES, err);
		report = rows != NULL ? report_of(&states, rows, result) : NULL;
	}
	json_decref(rows);
	bm_proof_states_finish(&states);
	return report;
}

json_t *bm_proof_report(const struct bm_conninfo *source, const struct bm_conninfo *destination,
		const char *migration, enum bm_proof *result, struct bm_error *err)
{
	PGconn *conn = dial(source, err);
	json_t *report = conn != NULL ? read_report(conn, migration, result, err) : NULL;

	if (report != NULL) {
		json_object_set_new(report, "source", side_of(source, conn));
		json_object_set_new(report, "destination", side_of(destination, NULL));
		json_object_set_new(report, "settings",
				json_pack("{s:s, s:s, s:s}", "migration", migration,
						"what is told",
						"the last comparison of each table, by the background "
						"or by `verify`",
						"what is not told",
						"which sequences, definitions and large objects are "
						"equal, one by one: `bucardo-machine verify NAME "
						"--report FILE` does"));
	}
	PQfinish(conn);
	return report;
}
