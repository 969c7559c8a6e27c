/* The catalogs of both sides, put together by the tables' names. */
#include "worker/scan/verify_catalog.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/scan/digest.h"
#include "worker/scan/moment.h"

/* clang-format off */
static const char tables_sql[] =
#include "worker/scan/sql/verify_tables.sql.inc"
;
static const char owed_sql[] =
#include "worker/scan/sql/verify_owed.sql.inc"
;
static const char captured_sql[] =
#include "worker/scan/sql/verify_captured.sql.inc"
;
static const char waiting_sql[] =
#include "worker/scan/sql/verify_waiting.sql.inc"
;
/* clang-format on */

enum {
	NAME,
	OID,
	KIND,
	ROWS,
	BYTES,
	COLUMNS,
	KEY,
	SCHEMA,
	PLAIN,
	POPULATED,
	DEFINITION,
	EXTENSION
};

static const char *const ways[] = {[BM_WAY_TEXT] = "text",
		[BM_WAY_INT] = "int",
		[BM_WAY_BOOL] = "bool",
		[BM_WAY_UUID] = "uuid",
		[BM_WAY_TIMESTAMP] = "timestamp",
		[BM_WAY_TIMESTAMPTZ] = "timestamptz",
		[BM_WAY_BPCHAR] = "bpchar",
		[BM_WAY_BYTEA] = "bytea",
		[BM_WAY_FORMAT] = "format"};
static_assert(BM_COUNT_OF(ways) == BM_WAY_COUNT, "a way has no name");

static enum bm_verify_way way_of(const char *name)
{
	for (size_t i = 0; i < BM_COUNT_OF(ways); i++) {
		if (strcmp(ways[i], name) == 0) {
			return (enum bm_verify_way)i;
		}
	}
	return BM_WAY_FORMAT;
}

/* ---- columns ---- */

static const char *text_at(const json_t *list, size_t index)
{
	const char *text = json_string_value(json_array_get(list, index));

	return text != NULL ? text : "";
}

static struct bm_verify_column *columns_of(const char *text, size_t *count)
{
	json_t *list = json_loads(text, 0, NULL);
	struct bm_verify_column *columns;

	*count = json_array_size(list);
	columns = bm_alloc((*count + 1) * sizeof(*columns));
	for (size_t i = 0; i < *count; i++) {
		const json_t *one = json_array_get(list, i);
		columns[i] = (struct bm_verify_column){.name = bm_strdup(text_at(one, 0)),
				.way = way_of(text_at(one, 1)),
				.type = bm_strdup(text_at(one, 2))};
	}
	json_decref(list);
	return columns;
}

static void free_columns(struct bm_verify_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(columns[i].name);
		free(columns[i].type);
	}
	free(columns);
}

static struct bm_verify_column *column_named(
		struct bm_verify_column *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(columns[i].name, name) == 0) {
			return &columns[i];
		}
	}
	return NULL;
}

__attribute__((format(printf, 3, 4))) static void set_problem(
		struct bm_verify_table *table, bool is_different, const char *format, ...)
{
	va_list args;
	char text[512];

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	free(table->problem);
	table->problem = bm_strdup(text);
	table->is_different = is_different;
}

/* Both sides have to have the same columns; where types differ the texts are compared. */
static void match_columns(struct bm_verify_table *table, const char *others)
{
	size_t count;
	struct bm_verify_column *there = columns_of(others, &count);

	for (size_t i = 0; i < table->column_count; i++) {
		struct bm_verify_column *mine = &table->columns[i];
		const struct bm_verify_column *other = column_named(there, count, mine->name);
		if (other == NULL) {
			set_problem(table, true, "the destination has no column %s",
					mine->name);
		} else if (strcmp(other->type, mine->type) != 0 && other->way != mine->way) {
			mine->way = BM_WAY_FORMAT;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (column_named(table->columns, table->column_count, there[i].name) == NULL) {
			set_problem(table, true, "the source has no column %s", there[i].name);
		}
	}
	free_columns(there, count);
}

/* A key of which the other side has another type is one of texts. */
static void match_key(struct bm_verify_table *table, const char *others)
{
	size_t count;
	struct bm_verify_column *there = columns_of(others, &count);

	for (size_t i = 0; i < table->key_count; i++) {
		struct bm_verify_column *mine = &table->key[i];
		const struct bm_verify_column *other = column_named(there, count, mine->name);
		if (other != NULL && strcmp(other->type, mine->type) != 0) {
			mine->way = BM_WAY_FORMAT;
		}
	}
	free_columns(there, count);
}

static void match_population(struct bm_verify_table *table, bool source, bool destination)
{
	table->is_empty_view = !source && !destination;
	if (source != destination) {
		set_problem(table, false,
				"a materialised view that is populated on the %s only: "
				"REFRESH MATERIALIZED VIEW on both sides",
				source ? "source" : "destination");
	}
}

/* ---- tables ---- */

static int row_named(const PGresult *rows, const char *name)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, NAME), name) == 0) {
			return row;
		}
	}
	return -1;
}

static void add_table(struct bm_verify_catalog *out, const PGresult *source, int row,
		const PGresult *destination)
{
	struct bm_verify_table *table = &out->tables[out->count++];
	const char *kind = PQgetvalue(source, row, KIND);

	*table = (struct bm_verify_table){.name = bm_strdup(PQgetvalue(source, row, NAME)),
			.schema = bm_strdup(PQgetvalue(source, row, SCHEMA)),
			.plain = bm_strdup(PQgetvalue(source, row, PLAIN)),
			.is_view = kind[0] == 'm',
			.rows = strtoull(PQgetvalue(source, row, ROWS), NULL, 10),
			.bytes = strtoull(PQgetvalue(source, row, BYTES), NULL, 10)};
	table->columns = columns_of(PQgetvalue(source, row, COLUMNS), &table->column_count);
	if (PQgetvalue(source, row, EXTENSION)[0] == '\0') {
		table->key = columns_of(PQgetvalue(source, row, KEY), &table->key_count);
	} else {
		table->extension = bm_strdup(PQgetvalue(source, row, EXTENSION));
	}
	int there = row_named(destination, table->name);
	if (there < 0) {
		set_problem(table, true, "the destination has no such table");
	} else if (strcmp(PQgetvalue(destination, there, KIND), kind) != 0) {
		set_problem(table, true, "it is of another kind on the destination");
	} else {
		match_columns(table, PQgetvalue(destination, there, COLUMNS));
		match_key(table, PQgetvalue(destination, there, COLUMNS));
		match_population(table, PQgetvalue(source, row, POPULATED)[0] == 't',
				PQgetvalue(destination, there, POPULATED)[0] == 't');
		table->definition[0] = bm_strdup(PQgetvalue(source, row, DEFINITION));
		table->definition[1] = bm_strdup(PQgetvalue(destination, there, DEFINITION));
	}
}

static int by_size(const void *a, const void *b)
{
	const struct bm_verify_table *one = a, *other = b;

	if (one->bytes != other->bytes) {
		return one->bytes < other->bytes ? -1 : 1;
	}
	return strcmp(one->name, other->name);
}

/* ---- filters ---- */

/* The OIDs that a filter leaves out, as "{...}" (free()); NULL with `err`. */
static char *left_out(PGconn *source, const struct bm_table_filter *filter, bool is_typed,
		struct bm_error *err)
{
	if (filter == NULL || !bm_table_filter_is_made(filter)) {
		return bm_strdup("{}");
	}
	char *param = bm_table_filter_param(filter);
	const char *const params[] = {param};
	PGresult *rows = bm_pair_ask_one(source, bm_table_filter_sql, 1, params, err);
	char *oids = rows != NULL ? bm_table_filter_out(rows) : NULL;

	for (int row = 0; oids != NULL && is_typed && row < PQntuples(rows); row++) {
		if (bm_table_filter_row_is(rows, row, "unused")) {
			bm_error_set(err, BM_ERR_CONFIG, "no table of the source matches '%s'",
					PQgetvalue(rows, row, BM_TABLE_FILTER_NAME));
			free(oids);
			oids = NULL;
		}
	}
	PQclear(rows);
	free(param);
	return oids;
}

static bool lists(const char *oids, const char *oid)
{
	size_t length = strlen(oid);

	for (const char *at = oids; (at = strstr(at, oid)) != NULL; at += length) {
		if (strchr("{,\"", at[-1]) != NULL && strchr(",}\"", at[length]) != NULL) {
			return true;
		}
	}
	return false;
}

/* Patterns are of other tables; that the destination lacks an extension, the definitions say.
 */
static bool is_left_to_extension(
		const struct bm_verify_options *options, PGresult *const *rows, int row)
{
	return PQgetvalue(rows[0], row, EXTENSION)[0] != '\0' &&
			((options->only != NULL && bm_table_filter_is_made(options->only)) ||
					row_named(rows[1], PQgetvalue(rows[0], row, NAME)) < 0);
}

static int read_tables(struct bm_pair *pair, const struct bm_verify_options *options,
		const char *outside, const char *unwanted, struct bm_verify_catalog *out,
		struct bm_error *err)
{
	const char *const both[] = {tables_sql, tables_sql};
	PGresult *rows[BM_PAIR_SIDES];

	if (bm_pair_ask(pair->main, both, 0, NULL, rows, NULL, err) != 0) {
		return bm_error_wrap(err, "reading the catalogs");
	}
	out->tables = bm_alloc((size_t)(PQntuples(rows[0]) + 1) * sizeof(*out->tables));
	for (int row = 0; row < PQntuples(rows[0]); row++) {
		const char *oid = PQgetvalue(rows[0], row, OID);
		if (!lists(outside, oid) && !lists(unwanted, oid) &&
				!is_left_to_extension(options, rows, row)) {
			add_table(out, rows[0], row, rows[1]);
		}
	}
	PQclear(rows[0]);
	PQclear(rows[1]);
	return 0;
}

/* ---- what is captured ---- */

/* The key by which changes are written down is the one to look rows up by. */
static bool take_key(struct bm_verify_table *table, const json_t *names)
{
	size_t count = json_array_size(names);
	struct bm_verify_column *key = bm_alloc((count + 1) * sizeof(*key));

	for (size_t i = 0; i < count; i++) {
		const struct bm_verify_column *column = column_named(
				table->columns, table->column_count, text_at(names, i));
		if (column == NULL) {
			free_columns(key, i);
			return false;
		}
		key[i] = (struct bm_verify_column){.name = bm_strdup(column->name),
				.type = bm_strdup(column->type),
				.way = column->way};
	}
	free_columns(table->key, table->key_count);
	table->key = key;
	table->key_count = count;
	return true;
}

enum { CAPTURED_NAME, CAPTURED_DELTA, CAPTURED_DEFERRED, CAPTURED_KEY, CAPTURED_PAUSED };

static void take_captured(struct bm_verify_table *table, enum bm_pair_side side,
		const PGresult *rows, int row)
{
	json_t *names = json_loads(PQgetvalue(rows, row, CAPTURED_KEY), 0, NULL);
	const char *deferred = PQgetvalue(rows, row, CAPTURED_DEFERRED);

	if (PQgetvalue(rows, row, CAPTURED_PAUSED)[0] == 't' && side == BM_PAIR_SOURCE) {
		set_problem(table, false, "its replication is paused: `status` says why");
	} else if (table->problem == NULL && !take_key(table, names)) {
		set_problem(table, false,
				"the key by which its changes are captured is no key of it any "
				"more");
	} else if (table->problem == NULL) {
		table->pending[side] = bm_moment_keys_sql(
				table, PQgetvalue(rows, row, CAPTURED_DELTA));
		table->deferred[side] = bm_moment_keys_sql(table, deferred);
		table->deferred_name[side] = bm_strdup(deferred);
	}
	table->truncated[side] = bm_moment_truncated_sql(table);
	json_decref(names);
}

/* Nobody applies: under way is what is not marked as applied. */
static void take_waiting(struct bm_verify_table *table, enum bm_pair_side side,
		const PGresult *rows, int row)
{
	if (table->pending[side] != NULL && table->applied[side] == NULL) {
		table->applied[side] = table->pending[side];
		table->pending[side] = bm_moment_keys_sql(table, PQgetvalue(rows, row, 1));
	}
}

/* Whether both are there; -1 with `err`. */
static int are_there(PGconn *conn, const char *one, const char *other, struct bm_error *err)
{
	const char *const params[] = {one, other};
	PGresult *found = bm_pair_ask_one(conn,
			"SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL", 2,
			params, err);
	int there = found == NULL ? -1 : PQgetvalue(found, 0, 0)[0] == 't';

	PQclear(found);
	return there;
}

/* The rows of `sql` ($1: `first`, NULL none), each given to the table that its first column
 * names. */
static int read_rows(struct bm_pair *pair, enum bm_pair_side side, const char *sql,
		const char *first, struct bm_verify_catalog *out,
		void (*give)(struct bm_verify_table *table, enum bm_pair_side side,
				const PGresult *rows, int row),
		struct bm_error *err)
{
	PGresult *rows = bm_pair_ask_one(pair->main[side], sql, first != NULL, &first, err);

	for (size_t i = 0; rows != NULL && i < out->count; i++) {
		int row = row_named(rows, out->tables[i].name);
		if (row >= 0) {
			give(&out->tables[i], side, rows, row);
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static void take_owed(struct bm_verify_table *table, enum bm_pair_side side,
		const PGresult *rows, int row)
{
	(void)side;
	if (table->problem == NULL) {
		set_problem(table, false, "%s", PQgetvalue(rows, row, 1));
	}
}

static int read_waiting(struct bm_pair *pair, enum bm_pair_side side, const char *migration,
		struct bm_verify_catalog *out, struct bm_error *err)
{
	int there = are_there(
			pair->main[side], "bucardo.machine_runs", "bucardo.machine_syncs", err);

	return there > 0 ? read_rows(pair, side, waiting_sql, migration, out, take_waiting, err)
			 : there;
}

static int read_captured(struct bm_pair *pair, enum bm_pair_side side, const char *migration,
		struct bm_verify_catalog *out, struct bm_error *err)
{
	PGconn *conn = pair->main[side];
	int there = are_there(conn, "bucardo.bucardo_delta_names",
			"bucardo.bucardo_truncate_trigger", err);

	if (there > 0) {
		there = read_rows(pair, side, captured_sql, migration != NULL ? migration : "",
					out, take_captured, err) == 0
				? are_there(conn, "bucardo.machine_touches",
						  "bucardo.machine_keys", err)
				: -1;
	}
	if (there > 0) {
		there = read_rows(pair, side, owed_sql, NULL, out, take_owed, err);
	}
	return there >= 0 ? 0
			  : bm_error_wrap(err, "%s: reading what is captured",
					    bm_pair_side_name(side));
}

/* Of a database of bytes we receive bytes (bm_session_encoding()). */
static bool is_converted(const char *encoding)
{
	return strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
}

int bm_verify_catalog_read(struct bm_pair *pair, const struct bm_verify_options *options,
		struct bm_verify_catalog *out, struct bm_error *err)
{
	PGconn *source = pair->main[BM_PAIR_SOURCE];
	char *outside = left_out(source, options->filter, false, err);
	char *unwanted = outside != NULL ? left_out(source, options->only, true, err) : NULL;

	*out = (struct bm_verify_catalog){0};
	int rc = unwanted != NULL ? read_tables(pair, options, outside, unwanted, out, err)
				  : -1;
	for (enum bm_pair_side side = 0; rc == 0 && side < BM_PAIR_SIDES; side++) {
		rc = read_captured(pair, side, options->migration, out, err);
		if (rc == 0 && options->beside != NULL && options->beside->is_quiet) {
			rc = read_waiting(pair, side, options->migration, out, err);
		}
	}
	if (rc == 0) {
		const char *const encodings[] = {
				PQparameterStatus(pair->main[0], "server_encoding"),
				PQparameterStatus(pair->main[1], "server_encoding")};
		out->same_encoding = strcmp(encodings[0], encodings[1]) == 0;
		out->converted = is_converted(encodings[0]) || is_converted(encodings[1]);
		qsort(out->tables, out->count, sizeof(*out->tables), by_size);
	}
	free(outside);
	free(unwanted);
	return rc;
}

void bm_verify_catalog_finish(struct bm_verify_catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++) {
		struct bm_verify_table *table = &catalog->tables[i];
		free_columns(table->columns, table->column_count);
		free_columns(table->key, table->key_count);
		free(table->name);
		free(table->schema);
		free(table->plain);
		free(table->extension);
		for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
			free(table->pending[side]);
			free(table->applied[side]);
			free(table->deferred[side]);
			free(table->deferred_name[side]);
			free(table->truncated[side]);
			free(table->definition[side]);
		}
		free(table->problem);
	}
	free(catalog->tables);
}
