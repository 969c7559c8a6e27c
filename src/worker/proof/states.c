#include "worker/proof/states.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/session/ask.h"

/* Small tables of ours; somebody may have locked them. */
#define LIMIT_MSEC 60000

/* A key of more bytes is cut: it is shown, not used. */
#define KEY_BYTES 2000

/* clang-format off */
static const char read_sql[] =
#include "worker/proof/sql/proof_read.sql.inc"
;
static const char differences_sql[] =
#include "worker/proof/sql/proof_differences.sql.inc"
;
static const char begin_sql[] =
#include "worker/proof/sql/proof_begin.sql.inc"
;
static const char put_sql[] =
#include "worker/proof/sql/proof_put.sql.inc"
;
static const char all_equal_sql[] =
#include "worker/proof/sql/proof_all_equal.sql.inc"
;
/* clang-format on */

static const char *const names[] = {[BM_PROOF_EQUAL] = "equal",
		[BM_PROOF_IN_FLIGHT] = "in_flight",
		[BM_PROOF_UNPROVEN] = "unproven",
		[BM_PROOF_DIFFERENT] = "different"};
static_assert(BM_COUNT_OF(names) == BM_PROOF_COUNT, "a state has no name");

const char *bm_proof_name(enum bm_proof proof)
{
	return names[proof];
}

enum bm_proof bm_proof_named(const char *name)
{
	enum bm_proof proof = BM_PROOF_EQUAL;

	while (proof < BM_PROOF_DIFFERENT &&
			(name == NULL || strcmp(names[proof], name) != 0)) {
		proof++;
	}
	return proof;
}

static PGresult *ask(PGconn *source, const char *sql, const char *migration, const char *second,
		struct bm_error *err)
{
	const char *const params[] = {migration, second};
	PGresult *rows = bm_ask(source, sql, second != NULL ? 2 : 1, params, LIMIT_MSEC, err);

	if (rows == NULL) {
		bm_error_wrap(err, "source: what was found of the tables");
	}
	return rows;
}

/* clang-format off */
static const char exists_sql[] =
#include "worker/proof/sql/proof_exists.sql.inc"
;
/* clang-format on */

int bm_proof_states_are_kept(PGconn *source, struct bm_error *err)
{
	PGresult *rows = bm_ask(source, exists_sql, 0, NULL, LIMIT_MSEC, err);
	int kept = rows == NULL ? -1 : PQgetvalue(rows, 0, 0)[0] == 't';

	PQclear(rows);
	return kept;
}

/* ---- reading ---- */

enum {
	KIND,
	NAME,
	STATE,
	WHY,
	WAITING,
	CAPTURED,
	AT,
	SINCE,
	OLDEST,
	BYTES,
	ROWS,
	IN_FLIGHT,
	MISSING,
	EXTRA,
	CHANGED,
	RANGES,
	PROVEN,
	MARKED,
	AGE
};

static int64_t number_at(const PGresult *rows, int row, int column)
{
	return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

static void take_state(const PGresult *rows, int row, struct bm_proof_state *out)
{
	*out = (struct bm_proof_state){.kind = bm_strdup(PQgetvalue(rows, row, KIND)),
			.name = bm_strdup(PQgetvalue(rows, row, NAME)),
			.state = bm_proof_named(PQgetvalue(rows, row, STATE)),
			.why = bm_strdup(PQgetvalue(rows, row, WHY)),
			.is_waiting = PQgetvalue(rows, row, WAITING)[0] == 't',
			.captured = PQgetvalue(rows, row, CAPTURED)[0] == 't',
			.bytes = number_at(rows, row, BYTES),
			.rows = number_at(rows, row, ROWS),
			.in_flight = number_at(rows, row, IN_FLIGHT),
			.missing = number_at(rows, row, MISSING),
			.extra = number_at(rows, row, EXTRA),
			.changed = number_at(rows, row, CHANGED),
			.age_msec = PQgetisnull(rows, row, AGE) ? -1
								: number_at(rows, row, AGE),
			.ranges = number_at(rows, row, RANGES),
			.ranges_proven = number_at(rows, row, PROVEN),
			.ranges_changed = number_at(rows, row, MARKED)};
	out->is_table = strcmp(out->kind, "table") == 0 ||
			strcmp(out->kind, "materialized view") == 0;
	bm_text_copy(out->at, sizeof(out->at), PQgetvalue(rows, row, AT));
	bm_text_copy(out->since, sizeof(out->since), PQgetvalue(rows, row, SINCE));
	bm_text_copy(out->oldest, sizeof(out->oldest), PQgetvalue(rows, row, OLDEST));
}

int bm_proof_states_read(PGconn *source, const char *migration, struct bm_proof_states *out,
		struct bm_error *err)
{
	*out = (struct bm_proof_states){0};
	int kept = bm_proof_states_are_kept(source, err);
	if (kept <= 0) {
		return kept;
	}
	PGresult *rows = ask(source, read_sql, migration, NULL, err);
	if (rows == NULL) {
		return -1;
	}
	out->list = bm_alloc(((size_t)PQntuples(rows) + 1) * sizeof(*out->list));
	for (int row = 0; row < PQntuples(rows); row++) {
		take_state(rows, row, &out->list[out->count++]);
	}
	PQclear(rows);
	return 0;
}

void bm_proof_states_finish(struct bm_proof_states *states)
{
	for (size_t i = 0; i < states->count; i++) {
		free(states->list[i].kind);
		free(states->list[i].name);
		free(states->list[i].why);
	}
	free(states->list);
	*states = (struct bm_proof_states){0};
}

const struct bm_proof_state *bm_proof_states_find(
		const struct bm_proof_states *states, const char *name)
{
	for (size_t i = 0; i < states->count; i++) {
		if (strcmp(states->list[i].name, name) == 0) {
			return &states->list[i];
		}
	}
	return NULL;
}

json_t *bm_proof_differences(
		PGconn *source, const char *migration, int limit, struct bm_error *err)
{
	int kept = bm_proof_states_are_kept(source, err);
	if (kept <= 0) {
		return kept == 0 ? json_array() : NULL;
	}
	char *most = bm_format("%d", limit);
	PGresult *rows = ask(source, differences_sql, migration, most, err);
	json_t *list = rows != NULL ? json_loads(PQgetvalue(rows, 0, 0), 0, NULL) : NULL;

	if (rows != NULL && list == NULL) {
		bm_error_set(err, BM_ERR_INTERNAL,
				"source: the list of rows that differ is no JSON");
	}
	PQclear(rows);
	free(most);
	return list;
}

/* ---- writing ---- */

static int write_json(PGconn *source, const char *sql, const char *migration,
		const json_t *value, struct bm_error *err)
{
	char *text = json_dumps(value, JSON_COMPACT);
	PGresult *rows = ask(source, sql, migration, text, err);

	free(text);
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

int bm_proof_states_begin(PGconn *source, const char *migration, const json_t *tables,
		struct bm_error *err)
{
	return write_json(source, begin_sql, migration, tables, err);
}

/* {"id": "5"} as a text, and the names of the columns that differ. */
static json_t *difference_of(const json_t *row)
{
	struct bm_strbuf columns = BM_STRBUF_INIT;
	char *key = json_dumps(json_object_get(row, "key"), JSON_COMPACT);
	char *cut = bm_strndup(key, strnlen(key, KEY_BYTES));
	const char *name;
	const json_t *values;

	json_object_foreach(json_object_get(row, "columns"), name, values)
	{
		bm_strbuf_printf(&columns, "%s%s", columns.length > 0 ? ", " : "", name);
	}
	json_t *one = json_pack("{s:o, s:O, s:o}", "key", bm_json_text(cut), "kind",
			json_object_get(row, "kind"), "columns",
			bm_json_text(bm_strbuf_text(&columns)));
	bm_strbuf_finish(&columns);
	free(key);
	free(cut);
	return one;
}

static json_t *differences_of(const json_t *object)
{
	const json_t *differences = json_object_get(object, "differences");
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(differences) && i < BM_PROOF_DIFFERENCES; i++) {
		json_array_append_new(list, difference_of(json_array_get(differences, i)));
	}
	return list;
}

int bm_proof_state_put(PGconn *source, const char *migration, const json_t *object,
		bool captured, int64_t bytes, struct bm_error *err)
{
	static const char *const copied[] = {"kind", "name", "state", "why"};
	static const char *const counts[] = {
			"rows", "in_flight", "missing", "extra", "changed"};
	json_t *state = json_pack("{s:b, s:I, s:o}", "captured", (int)captured, "bytes",
			(json_int_t)bytes, "differences", differences_of(object));

	for (size_t i = 0; i < BM_COUNT_OF(copied); i++) {
		json_object_set(state, copied[i], json_object_get(object, copied[i]));
	}
	for (size_t i = 0; i < BM_COUNT_OF(counts); i++) {
		json_object_set_new(state, counts[i],
				json_integer(json_integer_value(
						json_object_get(object, counts[i]))));
	}
	int rc = write_json(source, put_sql, migration, state, err);
	json_decref(state);
	return rc;
}

int bm_proof_states_all_equal(PGconn *source, const char *migration, struct bm_error *err)
{
	PGresult *rows = ask(source, all_equal_sql, migration, NULL, err);
	int first = rows == NULL ? -1 : PQntuples(rows) > 0;

	PQclear(rows);
	return first;
}
