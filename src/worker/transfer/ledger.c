/* The ledger's tables, and the way between them and memory. */
#include "worker/transfer/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "worker/session/connect.h"

#define LEDGER_VERSION 1

/* Rows in one INSERT of the plan. */
#define ROWS_AT_ONCE 500

static const char create_sql[] =
#include "worker/transfer/sql/ledger_create.sql.inc"
		;

/* clang-format off */
static const char exists_sql[] =
#include "worker/transfer/sql/ledger_exists.sql.inc"
;
/* clang-format on */

int bm_ledger_exists(PGconn *destination, struct bm_error *err)
{
	char *found = bm_sql_value(destination, exists_sql, err);
	int exists = found == NULL ? -1 : found[0] == '1';

	free(found);
	return exists;
}

int bm_ledger_create(PGconn *destination, const struct bm_ledger_subject *subject,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql, create_sql);
	bm_strbuf_printf(&sql,
			"INSERT INTO bucardo_machine.clone (version, source, choice) VALUES (%d, ",
			LEDGER_VERSION);
	bm_quote_literal(&sql, subject->source_id);
	bm_strbuf_puts(&sql, ", ");
	bm_quote_literal(&sql, subject->filter);
	bm_strbuf_puts(&sql, ")");
	int rc = bm_sql_do(destination, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	return rc == 0 ? 0 : bm_error_wrap(err, "making the ledger on the destination");
}

/* ---- memory ---- */

struct bm_chunk *bm_ledger_add_chunk(struct bm_ledger *ledger)
{
	ledger->chunks = bm_realloc(
			ledger->chunks, ledger->chunk_count + 1, sizeof(*ledger->chunks));
	struct bm_chunk *chunk = &ledger->chunks[ledger->chunk_count++];
	*chunk = (struct bm_chunk){.id = (unsigned)ledger->chunk_count};
	return chunk;
}

struct bm_post_object *bm_ledger_add_object(struct bm_ledger *ledger)
{
	ledger->objects = bm_realloc(
			ledger->objects, ledger->object_count + 1, sizeof(*ledger->objects));
	struct bm_post_object *object = &ledger->objects[ledger->object_count++];
	*object = (struct bm_post_object){
			.id = (unsigned)ledger->object_count, .wave = BM_AFTER_ROWS};
	return object;
}

void bm_ledger_finish(struct bm_ledger *ledger)
{
	for (size_t i = 0; i < ledger->chunk_count; i++) {
		free(ledger->chunks[i].table);
		free(ledger->chunks[i].condition);
		free(ledger->chunks[i].moment);
	}
	for (size_t i = 0; i < ledger->object_count; i++) {
		free(ledger->objects[i].name);
		free(ledger->objects[i].sql);
		free(ledger->objects[i].tables[0]);
		free(ledger->objects[i].tables[1]);
	}
	free(ledger->chunks);
	free(ledger->objects);
	*ledger = (struct bm_ledger){0};
}

/* ---- reading ---- */

static uint64_t number(const PGresult *rows, int row, int column)
{
	return strtoull(PQgetvalue(rows, row, column), NULL, 10);
}

static bool is_true(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

static char *text(const PGresult *rows, int row, int column)
{
	return bm_strdup(PQgetvalue(rows, row, column));
}

static int take_head(const PGresult *rows, const struct bm_ledger_subject *subject,
		struct bm_ledger *out, struct bm_error *err)
{
	if (PQntuples(rows) != 1 || number(rows, 0, 0) != LEDGER_VERSION) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the ledger on the destination (schema bucardo_machine) was "
				"written by another version of bucardo-machine: finish with that "
				"one, or begin again with an empty database");
	}
	if (strcmp(PQgetvalue(rows, 0, 1), subject->source_id) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination holds a clone of another source (its ledger, "
				"schema bucardo_machine, says %s, this source is %s): begin with "
				"an empty database",
				PQgetvalue(rows, 0, 1), subject->source_id);
	}
	if (strcmp(PQgetvalue(rows, 0, 4), subject->filter) != 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination was begun with another choice of tables (include "
				"and exclude): choose the same again, or begin with an empty "
				"database");
	}
	out->schema_done = is_true(rows, 0, 2);
	out->finished = is_true(rows, 0, 3);
	return 0;
}

static void take_chunks(const PGresult *rows, struct bm_ledger *out)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		struct bm_chunk *chunk = bm_ledger_add_chunk(out);
		chunk->id = (unsigned)number(rows, i, 0);
		chunk->table = text(rows, i, 1);
		chunk->condition = text(rows, i, 2);
		chunk->estimate = number(rows, i, 3);
		chunk->rows = number(rows, i, 4);
		chunk->bytes = number(rows, i, 5);
		chunk->done = is_true(rows, i, 6);
		chunk->moment = PQgetisnull(rows, i, 7) ? NULL : text(rows, i, 7);
		chunk->wave = (unsigned)number(rows, i, 8);
	}
}

static void take_objects(const PGresult *rows, struct bm_ledger *out)
{
	for (int i = 0; i < PQntuples(rows); i++) {
		struct bm_post_object *object = bm_ledger_add_object(out);
		object->id = (unsigned)number(rows, i, 0);
		object->stage = (enum bm_stage)number(rows, i, 1);
		object->name = text(rows, i, 2);
		object->sql = text(rows, i, 3);
		object->tables[0] = text(rows, i, 4);
		object->tables[1] = text(rows, i, 5);
		object->cost = number(rows, i, 6);
		object->shares = is_true(rows, i, 7);
		object->done = is_true(rows, i, 8);
		object->with_path = is_true(rows, i, 9);
		object->wave = (unsigned)number(rows, i, 10);
		object->trusted = is_true(rows, i, 11);
	}
}

/* clang-format off */
static const char works_sql[] =
#include "worker/transfer/sql/ledger_works.sql.inc"
;

static const char columns_sql[] =
#include "worker/transfer/sql/ledger_columns.sql.inc"
;
/* clang-format on */

int bm_ledger_read(PGconn *destination, const struct bm_ledger_subject *subject,
		struct bm_ledger *out, struct bm_error *err)
{
	PGresult *head = bm_sql(destination,
			"SELECT version, source, schema_done IS NOT NULL, finished IS NOT NULL,"
			" coalesce(to_jsonb(c)->>'choice', '') FROM bucardo_machine.clone c",
			err);
	PGresult *chunks = NULL;
	PGresult *objects = NULL;
	int rc = -1;

	*out = (struct bm_ledger){0};
	if (head == NULL || take_head(head, subject, out, err) != 0) {
		goto out;
	}
	/* The ledger of an earlier program does not know moments, paths and waves. */
	if (bm_sql_do(destination, columns_sql, err) != 0) {
		goto out;
	}
	chunks = bm_sql(destination,
			"SELECT id, table_name, range, estimate, coalesce(rows, 0), coalesce(bytes, 0),"
			" done IS NOT NULL, moment, wave FROM bucardo_machine.chunk ORDER BY id",
			err);
	objects = chunks == NULL ? NULL : bm_sql(destination, works_sql, err);
	if (objects == NULL) {
		goto out;
	}
	take_chunks(chunks, out);
	take_objects(objects, out);
	rc = 0;

out:
	PQclear(head);
	PQclear(chunks);
	PQclear(objects);
	return rc == 0 ? 0 : bm_error_wrap(err, "reading the ledger");
}

/* ---- writing ---- */

static void add_chunk_row(const struct bm_chunk *chunk, struct bm_strbuf *sql)
{
	bm_strbuf_printf(sql, "(%u, ", chunk->id);
	bm_quote_literal(sql, chunk->table);
	bm_strbuf_puts(sql, ", ");
	bm_quote_literal(sql, chunk->condition);
	bm_strbuf_printf(sql, ", %" PRIu64 ", %u)", chunk->estimate, chunk->wave);
}

static void add_object_row(const struct bm_post_object *object, struct bm_strbuf *sql)
{
	const char *texts[] = {object->name, object->sql, object->tables[0], object->tables[1]};

	bm_strbuf_printf(sql, "(%u, %d", object->id, (int)object->stage);
	for (size_t i = 0; i < 4; i++) {
		bm_strbuf_puts(sql, ", ");
		bm_quote_literal(sql, texts[i]);
	}
	bm_strbuf_printf(sql, ", %" PRIu64 ", %s, %s, %u)", object->cost,
			object->shares ? "true" : "false", object->with_path ? "true" : "false",
			object->wave);
}

static int insert(PGconn *destination, struct bm_strbuf *sql, struct bm_error *err)
{
	int rc = sql->length == 0 ? 0 : bm_sql_do(destination, bm_strbuf_text(sql), err);

	bm_strbuf_clear(sql);
	return rc;
}

int bm_ledger_plan(PGconn *destination, const struct bm_ledger *ledger, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < ledger->chunk_count && rc == 0; i++) {
		bm_strbuf_puts(&sql,
				sql.length > 0 ? ", "
					       : "INSERT INTO bucardo_machine.chunk"
						 " (id, table_name, range, estimate, wave) VALUES ");
		add_chunk_row(&ledger->chunks[i], &sql);
		if ((i + 1) % ROWS_AT_ONCE == 0) {
			rc = insert(destination, &sql, err);
		}
	}
	rc = rc == 0 ? insert(destination, &sql, err) : -1;
	for (size_t i = 0; i < ledger->object_count && rc == 0; i++) {
		bm_strbuf_puts(&sql,
				sql.length > 0 ? ", "
					       : "INSERT INTO bucardo_machine.work (id, stage, name,"
						 " sql, first_table, second_table, cost, shares,"
						 " with_path, wave) VALUES ");
		add_object_row(&ledger->objects[i], &sql);
		if ((i + 1) % ROWS_AT_ONCE == 0) {
			rc = insert(destination, &sql, err);
		}
	}
	rc = rc == 0 ? insert(destination, &sql, err) : -1;
	bm_strbuf_finish(&sql);
	if (rc == 0) {
		rc = bm_sql_do(destination,
				"UPDATE bucardo_machine.clone SET schema_done = clock_timestamp()",
				err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "writing the plan into the ledger");
}

void bm_chunk_set_moment(struct bm_chunk *chunk, const char *moment)
{
	free(chunk->moment);
	chunk->moment = moment != NULL ? bm_strdup(moment) : NULL;
}

void bm_ledger_chunk_done(const struct bm_chunk *chunk, const char *snapshot,
		const char *moment, struct bm_strbuf *sql)
{
	bm_strbuf_printf(sql,
			"UPDATE bucardo_machine.chunk SET rows = %" PRIu64 ", bytes = %" PRIu64
			", snapshot = ",
			chunk->rows, chunk->bytes);
	bm_quote_literal(sql, snapshot);
	bm_strbuf_puts(sql, ", moment = ");
	bm_quote_literal(sql, moment);
	bm_strbuf_printf(sql, ", done = clock_timestamp() WHERE id = %u;", chunk->id);
}

void bm_ledger_object_done(const struct bm_post_object *object, struct bm_strbuf *sql)
{
	bm_strbuf_printf(sql,
			"UPDATE bucardo_machine.work SET done = clock_timestamp(), trusted = %s"
			" WHERE id = %u;",
			object->trusted ? "true" : "false", object->id);
}

int bm_ledger_object_is_done(
		PGconn *destination, const struct bm_post_object *object, struct bm_error *err)
{
	char *sql = bm_format("SELECT done IS NOT NULL FROM bucardo_machine.work WHERE id = %u"
			      " FOR UPDATE",
			object->id);
	char *done = bm_sql_value(destination, sql, err);
	int is_done = done == NULL ? -1 : done[0] == 't';

	free(done);
	free(sql);
	return is_done;
}

/* clang-format off */
static const char unlogged_sql[] =
#include "worker/transfer/sql/ledger_unlogged.sql.inc"
;
/* clang-format on */

/* A crash empties unlogged tables, and the ledger is logged: look whether rows are there. */
static int forget_emptied(PGconn *destination, struct bm_error *err)
{
	PGresult *tables = bm_sql(destination, unlogged_sql, err);
	struct bm_strbuf sql = BM_STRBUF_INIT;
	int rc = tables != NULL ? 0 : -1;

	for (int i = 0; rc == 0 && i < PQntuples(tables); i++) {
		const char *name = PQgetvalue(tables, i, 0);
		bm_strbuf_clear(&sql);
		bm_strbuf_puts(&sql,
				"UPDATE bucardo_machine.chunk SET done = NULL"
				" WHERE table_name = ");
		bm_quote_literal(&sql, name);
		bm_strbuf_printf(&sql, " AND NOT EXISTS (SELECT 1 FROM %s)", name);
		rc = bm_sql_do(destination, bm_strbuf_text(&sql), err);
	}
	bm_strbuf_finish(&sql);
	PQclear(tables);
	return rc;
}

/* clang-format off */
static const char undone_sql[] =
#include "worker/transfer/sql/ledger_undone.sql.inc"
;
/* clang-format on */

int bm_ledger_reconcile(PGconn *destination, struct bm_ledger *ledger, unsigned *lost,
		struct bm_error *err)
{
	PGresult *undone;
	bool *is_undone = bm_alloc(ledger->chunk_count + ledger->object_count + 2);

	*lost = 0;
	undone = forget_emptied(destination, err) == 0 &&
					bm_sql_do(destination,
							"UPDATE bucardo_machine.clone SET settled = clock_timestamp()",
							err) == 0
			? bm_sql(destination, undone_sql, err)
			: NULL;
	for (int i = 0; undone != NULL && i < PQntuples(undone); i++) {
		size_t base = number(undone, i, 0) == 0 ? 0 : ledger->chunk_count;
		is_undone[base + number(undone, i, 1) - 1] = true; /* ids count from 1 */
	}
	for (size_t i = 0; undone != NULL && i < ledger->chunk_count; i++) {
		*lost += ledger->chunks[i].done && is_undone[i];
		ledger->chunks[i].done = !is_undone[i];
	}
	for (size_t i = 0; undone != NULL && i < ledger->object_count; i++) {
		bool gone = is_undone[ledger->chunk_count + i];
		*lost += ledger->objects[i].done && gone;
		ledger->objects[i].done = !gone;
		ledger->objects[i].trusted = ledger->objects[i].trusted && !gone;
	}
	PQclear(undone);
	free(is_undone);
	return undone != NULL ? 0 : bm_error_wrap(err, "settling the ledger");
}

int bm_ledger_close(PGconn *destination, struct bm_error *err)
{
	return bm_sql_do(destination,
			"UPDATE bucardo_machine.clone SET finished = clock_timestamp()", err);
}
