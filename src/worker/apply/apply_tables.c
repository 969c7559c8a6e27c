/* What is captured on `from`, how it is on both sides, and the statements for it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"

#define READ_LIMIT_MSEC 60000

/* clang-format off */
static const char captured_sql[] =
#include "worker/deltas/sql/apply_captured.sql.inc"
;
static const char shared_sql[] =
#include "worker/deltas/sql/apply_shared.sql.inc"
;
static const char tables_sql[] =
#include "worker/apply/sql/apply_tables.sql.inc"
;
/* clang-format on */

enum { NAME, DELTA, TRACK, SYNC, TARGET, PAUSED, KEYS };
enum { PLACE, KIND, COLUMNS, KEY, ONE_SPELLING, DOMAIN_INSIDE, DEFINITION };

void bm_apply_set_problem(struct bm_apply_table *table, const char *format, ...)
{
	va_list args;
	char text[512];

	if (table->problem != NULL) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table->problem = bm_strdup(text);
}

/* ---- what is captured ---- */

/* Nothing of a side that is not captured may pass for "nothing waits". */
static int check_captured(struct bm_apply *apply, struct bm_error *err)
{
	const char *const params[] = {apply->migration};
	const char *const questions[] = {
			"SELECT to_regclass('bucardo.machine_runs') IS NOT NULL AND"
			" to_regprocedure('bucardo.machine_waiting(text)') IS NOT NULL",
			"SELECT EXISTS (SELECT 1 FROM bucardo.machine_runs WHERE migration = $1)"};

	for (int i = 0; i < 2; i++) {
		PGresult *row = bm_ask(apply->conns[BM_APPLY_FROM], questions[i], i, params,
				READ_LIMIT_MSEC, err);
		bool is_true = row != NULL && PQgetvalue(row, 0, 0)[0] == 't';
		if (row != NULL && !is_true) {
			bm_error_set(err, BM_ERR_PRECONDITION,
					"migration %s does not capture changes on the %s",
					apply->migration,
					bm_apply_end_name(apply, BM_APPLY_FROM));
		}
		PQclear(row);
		if (!is_true) {
			return -1;
		}
	}
	return 0;
}

static int read_captured(struct bm_apply *apply, json_t *list, struct bm_error *err)
{
	const char *const params[] = {apply->migration};
	PGresult *rows = bm_ask(apply->conns[BM_APPLY_FROM], captured_sql, 1, params,
			READ_LIMIT_MSEC, err);

	if (rows == NULL) {
		return bm_error_wrap(err, "%s: reading what is captured",
				bm_apply_end_name(apply, BM_APPLY_FROM));
	}
	apply->count = (size_t)PQntuples(rows);
	apply->tables = bm_alloc((apply->count + 1) * sizeof(*apply->tables));
	for (int row = 0; row < PQntuples(rows); row++) {
		struct bm_apply_table *table = &apply->tables[row];
		json_t *keys = json_loads(PQgetvalue(rows, row, KEYS), 0, NULL);
		*table = (struct bm_apply_table){.name = bm_strdup(PQgetvalue(rows, row, NAME)),
				.delta = bm_strdup(PQgetvalue(rows, row, DELTA)),
				.track = bm_strdup(PQgetvalue(rows, row, TRACK)),
				.sync = bm_strdup(PQgetvalue(rows, row, SYNC)),
				.target = bm_strdup(PQgetvalue(rows, row, TARGET)),
				.is_paused = PQgetvalue(rows, row, PAUSED)[0] == 't',
				.key_count = json_array_size(keys),
				.ask_name = bm_format("bm_ask_%u_%d", apply->number, row)};
		if (keys == NULL) {
			bm_apply_set_problem(table, "its delta table is gone");
			keys = json_array();
		}
		json_array_append_new(list,
				json_pack("{s:s, s:o}", "table", table->name, "key", keys));
	}
	PQclear(rows);
	return 0;
}

/* ---- how the tables are ---- */

/* NULL: they are not all there. */
static struct bm_apply_column *key_of(const char *text, size_t count)
{
	json_t *list = json_loads(text, 0, NULL);
	struct bm_apply_column *key = NULL;

	if (json_array_size(list) == count) {
		key = bm_alloc((count + 1) * sizeof(*key));
		for (size_t i = 0; i < count; i++) {
			const json_t *one = json_array_get(list, i);
			const char *equal = json_string_value(json_array_get(one, 3));
			key[i] = (struct bm_apply_column){
					.name = bm_strdup(json_string_value(
							json_array_get(one, 0))),
					.type = bm_strdup(json_string_value(
							json_array_get(one, 1))),
					.is_domain = json_is_true(json_array_get(one, 2)),
					.equal = bm_strdup(
							equal != NULL ? equal
								      : "OPERATOR(pg_catalog.=)")};
		}
	}
	json_decref(list);
	return key;
}

static bool is_in(const json_t *list, const char *text)
{
	size_t i;
	const json_t *one;

	json_array_foreach((json_t *)(uintptr_t)list, i, one)
	{
		if (strcmp(json_string_value(one), text) == 0) {
			return true;
		}
	}
	return false;
}

/* The columns of `from`; both sides have to have the same ones. */
static void match_columns(struct bm_apply *apply, struct bm_apply_table *table,
		const char *from_text, const char *to_text)
{
	json_t *from = json_loads(from_text, 0, NULL), *to = json_loads(to_text, 0, NULL);
	struct bm_strbuf columns = BM_STRBUF_INIT;
	size_t i;
	const json_t *one;

	json_array_foreach(from, i, one)
	{
		const char *name = json_string_value(one);
		bm_strbuf_printf(&columns, "%s%s", i > 0 ? ", " : "", name);
		if (!is_in(to, name)) {
			bm_apply_set_problem(table,
					"the %s has no column %s that takes a value",
					bm_apply_end_name(apply, BM_APPLY_TO), name);
		}
	}
	json_array_foreach(to, i, one)
	{
		if (!is_in(from, json_string_value(one))) {
			bm_apply_set_problem(table,
					"the %s has no column %s that takes a value",
					bm_apply_end_name(apply, BM_APPLY_FROM),
					json_string_value(one));
		}
	}
	table->columns = bm_strbuf_detach(&columns);
	json_decref(from);
	json_decref(to);
}

static void take_end(struct bm_apply *apply, struct bm_apply_table *table,
		enum bm_apply_end end, const PGresult *rows, int row)
{
	const char *kind = PQgetvalue(rows, row, KIND);

	table->key[end] = key_of(PQgetvalue(rows, row, KEY), table->key_count);
	table->definition[end] = bm_strdup(PQgetvalue(rows, row, DEFINITION));
	if (strchr(end == BM_APPLY_FROM ? "r" : "rp", kind[0]) == NULL) {
		bm_apply_set_problem(table, "it is no table on the %s",
				bm_apply_end_name(apply, end));
	} else if (table->key[end] == NULL) {
		bm_apply_set_problem(table,
				"the columns of its captured key are not there on the %s",
				bm_apply_end_name(apply, end));
	} else if (PQgetvalue(rows, row, DOMAIN_INSIDE)[0] == 't') {
		bm_apply_set_problem(table, "a type of its key has a domain inside on the %s",
				bm_apply_end_name(apply, end));
	}
	if (end == BM_APPLY_FROM) {
		table->one_spelling = PQgetvalue(rows, row, ONE_SPELLING)[0] == 't';
	} else {
		table->is_partitioned = kind[0] == 'p';
	}
}

/* The row at a place, or -1. */
static int row_at(const PGresult *rows, size_t place)
{
	int low = 0, high = PQntuples(rows);

	while (low < high) {
		int middle = low + (high - low) / 2;
		size_t found = strtoul(PQgetvalue(rows, middle, PLACE), NULL, 10);
		if (found == place) {
			return middle;
		}
		low = found < place ? middle + 1 : low;
		high = found < place ? high : middle;
	}
	return -1;
}

static void take_table(struct bm_apply *apply, size_t place, PGresult *const *rows)
{
	struct bm_apply_table *table = &apply->tables[place];
	int at[BM_APPLY_ENDS];

	for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
		at[end] = row_at(rows[end], place + 1);
		if (at[end] < 0) {
			bm_apply_set_problem(table, "the %s has no such table",
					bm_apply_end_name(apply, end));
		} else {
			take_end(apply, table, end, rows[end], at[end]);
		}
	}
	if (at[BM_APPLY_FROM] >= 0 && at[BM_APPLY_TO] >= 0) {
		match_columns(apply, table,
				PQgetvalue(rows[BM_APPLY_FROM], at[BM_APPLY_FROM], COLUMNS),
				PQgetvalue(rows[BM_APPLY_TO], at[BM_APPLY_TO], COLUMNS));
	}
}

static int read_tables(struct bm_apply *apply, const json_t *list, struct bm_error *err)
{
	char *text = json_dumps(list, JSON_COMPACT);
	const char *const params[] = {text};
	const char *const both[] = {tables_sql, tables_sql};
	PGresult *rows[BM_APPLY_ENDS] = {0};

	int rc = bm_pair_ask(apply->conns, both, 1, params, rows, NULL, err);
	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		take_table(apply, i, rows);
	}
	if (rc == 0) {
		PQclear(rows[BM_APPLY_FROM]);
		PQclear(rows[BM_APPLY_TO]);
	}
	free(text);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading the captured tables");
}

/* ---- for the comparison ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct bm_apply_table *const *)a)->name,
			(*(struct bm_apply_table *const *)b)->name);
}

static void take_verified(struct bm_apply *apply)
{
	struct bm_apply_table **sorted = bm_alloc(
			(apply->count + 1) * sizeof(struct bm_apply_table *));

	for (size_t i = 0; i < apply->count; i++) {
		sorted[i] = &apply->tables[i];
	}
	qsort(sorted, apply->count, sizeof(*sorted), by_name);
	for (size_t i = 0; i < apply->catalog.count; i++) {
		struct bm_apply_table wanted = {.name = apply->catalog.tables[i].name};
		struct bm_apply_table *key = &wanted;
		struct bm_apply_table **found = bsearch(
				&key, sorted, apply->count, sizeof(*sorted), by_name);
		if (found != NULL) {
			(*found)->verified = &apply->catalog.tables[i];
		}
	}
	free(sorted);
}

/* Whether both servers give the same hashes. */
static int probe_digest(struct bm_apply *apply, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	PGresult *rows[BM_PAIR_SIDES];

	bm_digest_probe_sql(&sql);
	const char *const both[] = {bm_strbuf_text(&sql), bm_strbuf_text(&sql)};
	int rc = bm_pair_ask(apply->conns, both, 0, NULL, rows, NULL, err);
	bm_strbuf_finish(&sql);
	if (rc != 0) {
		return bm_error_wrap(err, "trying the servers' hashes");
	}
	apply->digest = (struct bm_digest){.same_encoding = apply->catalog.same_encoding,
			.converted = apply->catalog.converted};
	for (int i = 0; i < PQnfields(rows[0]); i++) {
		apply->digest.portable = apply->digest.portable ||
				strcmp(PQgetvalue(rows[0], 0, i), PQgetvalue(rows[1], 0, i)) !=
						0;
	}
	PQclear(rows[0]);
	PQclear(rows[1]);
	return 0;
}

static int read_verified(struct bm_apply *apply, struct bm_error *err)
{
	const struct bm_verify_options everything = {0};
	struct bm_pair pair = {0};

	for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
		pair.main[bm_apply_side(apply, end)] = apply->conns[end];
	}
	if (bm_verify_catalog_read(&pair, &everything, &apply->catalog, err) != 0) {
		return -1;
	}
	take_verified(apply);
	return probe_digest(apply, err);
}

/* ---- all of it ---- */

static int read_shared(struct bm_apply *apply, struct bm_error *err)
{
	PGconn *to = apply->conns[BM_APPLY_TO];
	const char *const params[] = {apply->migration};
	PGresult *there = bm_ask(to,
			"SELECT to_regclass('bucardo.machine_runs') IS NOT NULL AND"
			" to_regprocedure('bucardo.machine_share(text,text,text)') IS NOT NULL",
			0, NULL, READ_LIMIT_MSEC, err);
	if (there == NULL || PQgetvalue(there, 0, 0)[0] != 't') {
		PQclear(there);
		return there != NULL ? 0 : -1;
	}
	PQclear(there);
	PGresult *rows = bm_ask(to, shared_sql, 1, params, READ_LIMIT_MSEC, err);
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		for (size_t i = 0; i < apply->count; i++) {
			apply->tables[i].is_shared = apply->tables[i].is_shared ||
					strcmp(apply->tables[i].name,
							PQgetvalue(rows, row, 0)) == 0;
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : bm_error_wrap(err, "who else takes from these tables");
}

int bm_apply_read(struct bm_apply *apply, struct bm_error *err)
{
	json_t *list = json_array();
	int rc = check_captured(apply, err) == 0 ? bm_apply_read_state(apply, err) : -1;

	rc = rc == 0 ? read_captured(apply, list, err) : rc;

	rc = rc == 0 ? read_tables(apply, list, err) : rc;
	rc = rc == 0 ? read_shared(apply, err) : rc;
	rc = rc == 0 ? read_verified(apply, err) : rc;
	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		struct bm_apply_table *table = &apply->tables[i];
		if (table->problem == NULL) {
			table->keys_sql = bm_apply_keys_sql(table);
			table->delete_sql = bm_apply_delete_sql(table);
		}
	}
	json_decref(list);
	return rc;
}

/* ---- memory ---- */

size_t bm_apply_chunks_bytes(
		const struct bm_apply_table *table, const struct bm_apply_chunks *chunks)
{
	size_t bytes = 0;

	for (size_t i = 0; i < chunks->count; i++) {
		for (size_t column = 0; column < table->key_count; column++) {
			bytes += strlen(chunks->list[i].arrays[column]);
		}
	}
	return bytes;
}

void bm_apply_chunks_clear(struct bm_apply_table *table, struct bm_apply_chunks *chunks)
{
	for (size_t i = 0; i < chunks->count; i++) {
		for (size_t column = 0; column < table->key_count; column++) {
			free(chunks->list[i].arrays[column]);
		}
		free(chunks->list[i].arrays);
	}
	free(chunks->list);
	*chunks = (struct bm_apply_chunks){0};
}

static void free_key(struct bm_apply_column *key, size_t count)
{
	for (size_t i = 0; key != NULL && i < count; i++) {
		free(key[i].name);
		free(key[i].type);
		free(key[i].equal);
	}
	free(key);
}

void bm_apply_free_tables(struct bm_apply *apply)
{
	for (size_t i = 0; i < apply->count; i++) {
		struct bm_apply_table *table = &apply->tables[i];
		bm_apply_chunks_clear(table, &table->now);
		bm_apply_chunks_clear(table, &table->carried);
		for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
			free_key(table->key[end], table->key_count);
			free(table->definition[end]);
			free(table->path[end]);
		}
		char *texts[] = {table->name, table->delta, table->track, table->sync,
				table->target, table->problem, table->columns, table->ask_name,
				table->keys_sql, table->delete_sql};
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
			free(texts[t]);
		}
	}
	free(apply->tables);
	bm_verify_catalog_finish(&apply->catalog);
}
