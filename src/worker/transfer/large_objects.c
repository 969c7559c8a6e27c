/*
 * Large objects: pages into a temporary table, then lo_create() and lo_put(). What belongs
 * to them besides (owner, comment, grants, labels) travels as rows, one an object, and
 * becomes statements only on the destination, where each value is quoted by itself.
 */
#include "worker/transfer/large_objects.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/roles.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "worker/session/relay.h"

/* However small they are: one transaction locks each of its objects. */
#define OBJECTS_A_CHUNK 1000

/* Ranges of OIDs, each up to its last one; and the bytes of the average range. Sizes are
 * not for everybody. */
static const char ranges_sql[] =
		"WITH size AS (SELECT pg_table_size('pg_largeobject') AS bytes, count(*) AS n"
		"  FROM pg_largeobject_metadata),"
		" step AS (SELECT greatest(1, least(%u, %llu * n / greatest(bytes, 1))) AS n, bytes,"
		"  n AS total FROM size)"
		" SELECT max(o.oid), (step.bytes * count(*) / step.total)::bigint"
		" FROM (SELECT oid, row_number() OVER (ORDER BY oid) - 1 AS at"
		"  FROM pg_largeobject_metadata) o, step"
		" GROUP BY o.at / step.n, step.bytes, step.total ORDER BY 1";

/* The ranges cover every OID: what is made after the plan falls into one of them too. */
static char *range(const PGresult *rows, int row)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	bool is_last = row + 1 == PQntuples(rows);

	if (row > 0) {
		bm_strbuf_printf(&sql, "m.oid > %s", PQgetvalue(rows, row - 1, 0));
	}
	if (!is_last) {
		bm_strbuf_printf(&sql, "%sm.oid <= %s", row > 0 ? " AND " : "",
				PQgetvalue(rows, row, 0));
	}
	bm_strbuf_puts(&sql, row == 0 && is_last ? "true" : "");
	return bm_strbuf_detach(&sql);
}

int bm_plan_large_objects(struct bm_transfer *t, struct bm_error *err)
{
	char *sql = bm_format(ranges_sql, OBJECTS_A_CHUNK,
			(unsigned long long)t->options.chunk_bytes);
	PGresult *rows = bm_sql(t->snapshot_session, sql, err);

	free(sql);
	if (rows == NULL) {
		return bm_error_wrap(err, "looking for large objects");
	}
	for (int i = 0; i < PQntuples(rows); i++) {
		struct bm_chunk *chunk = bm_ledger_add_chunk(&t->ledger);
		chunk->table = bm_strdup(BM_LARGE_OBJECTS);
		chunk->condition = range(rows, i);
		chunk->estimate = strtoull(PQgetvalue(rows, i, 1), NULL, 10);
	}
	PQclear(rows);
	return 0;
}

/* clang-format off */
static const char about_sql[] =
"COPY ("
#include "worker/transfer/sql/large_objects_about.sql.inc"
"WHERE %s) TO STDOUT";
static const char begin_sql[] =
#include "worker/transfer/sql/large_objects_begin.sql.inc"
;
const char bm_large_objects_finish_sql[] =
#include "worker/transfer/sql/large_objects_finish.sql.inc"
;
/* clang-format on */

static const char pages_sql[] =
		"COPY (SELECT m.oid, p.pageno::bigint * 2048, p.data FROM pg_largeobject_metadata m"
		" JOIN pg_largeobject p ON p.loid = m.oid WHERE %s) TO STDOUT (FORMAT binary)";

/* For a role that may not read pg_largeobject itself; in pieces: a value ends at 1 GB. */
static const char values_sql[] =
		"COPY (SELECT m.oid, p.at, lo_get(m.oid, p.at, 1048576)"
		" FROM pg_largeobject_metadata m CROSS JOIN LATERAL"
		" generate_series(0, lo_lseek64(lo_open(m.oid, 262144), 0, 2) - 1, 1048576) p (at)"
		" WHERE %s) TO STDOUT (FORMAT binary)";

const char bm_large_objects_put_sql[] =
		"SELECT count(lo_create(loid)) FROM pg_temp.bm_about;"
		"SELECT count(*) FROM (SELECT lo_put(loid, at, data) FROM pg_temp.bm_page"
		" OFFSET 0) p";

static bool may_read_pages(PGconn *source)
{
	char *answer = bm_sql_value(
			source, "SELECT has_table_privilege('pg_largeobject', 'SELECT')", NULL);
	bool may = answer != NULL && answer[0] == 't';

	free(answer);
	return may;
}

void bm_large_objects_begin_sql(const struct bm_role_rules *rules, struct bm_strbuf *sql)
{
	bm_strbuf_puts(sql, begin_sql);
	bm_strbuf_printf(sql, "INSERT INTO pg_temp.bm_rules VALUES (%s, %s);",
			rules->drop_owners ? "true" : "false",
			rules->drop_grants ? "true" : "false");
	for (const char *const *pair = rules->names; pair != NULL && *pair != NULL; pair++) {
		char *old = bm_strndup(*pair, strcspn(*pair, "="));
		bm_strbuf_puts(sql, "INSERT INTO pg_temp.bm_renamed VALUES (");
		bm_quote_literal(sql, old);
		bm_strbuf_puts(sql, ", ");
		bm_quote_literal(sql, bm_roles_map(rules, old));
		bm_strbuf_puts(sql, ");");
		free(old);
	}
}

char *bm_large_objects_about_sql(const char *condition)
{
	return bm_format(about_sql, condition);
}

char *bm_large_objects_pages_sql(const char *condition, bool may_read_pages)
{
	return may_read_pages ? bm_format(pages_sql, condition)
			      : bm_format(values_sql, condition);
}

/* The temporary tables, and what the rules say about roles. */
static int begin(struct bm_pool_thread *thread, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_large_objects_begin_sql(&thread->transfer->options.roles, &sql);
	int rc = bm_sql_do(thread->destination, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	return rc;
}

/* What could not be as it is at the source is told when the copy is over. */
static int finish(struct bm_pool_thread *thread, struct bm_error *err)
{
	struct bm_transfer *t = thread->transfer;
	PGresult *told = bm_sql_do(thread->destination, bm_large_objects_finish_sql, err) != 0
			? NULL
			: bm_sql(thread->destination,
					  "SELECT DISTINCT what FROM pg_temp.bm_told ORDER BY 1",
					  err);

	pthread_mutex_lock(&t->mutex);
	for (int i = 0; told != NULL && i < PQntuples(told); i++) {
		char *line = bm_format("\n%s", PQgetvalue(told, i, 0));
		if (strstr(bm_strbuf_text(&t->large_object_news), line) == NULL) {
			bm_strbuf_puts(&t->large_object_news, line);
		}
		free(line);
	}
	pthread_mutex_unlock(&t->mutex);
	int rc = told != NULL ? 0 : -1;
	PQclear(told);
	return rc;
}

void bm_large_objects_report(struct bm_transfer *t)
{
	const char *line = bm_strbuf_text(&t->large_object_news);

	while (*line != '\0') {
		size_t length = strcspn(++line, "\n");
		bm_transfer_note(t, "large objects: %.*s", (int)length, line);
		line += length;
	}
	bm_strbuf_clear(&t->large_object_news);
}

int bm_large_objects_copy(
		struct bm_pool_thread *thread, struct bm_chunk *chunk, struct bm_error *err)
{
	char *about = bm_large_objects_about_sql(chunk->condition);
	char *pages = bm_large_objects_pages_sql(
			chunk->condition, may_read_pages(thread->source));
	struct bm_relay_item items[] = {
			{.name = BM_LARGE_OBJECTS,
					.copy_out = about,
					.copy_in = "COPY pg_temp.bm_about FROM STDIN"},
			{.name = BM_LARGE_OBJECTS,
					.copy_out = pages,
					.copy_in = "COPY pg_temp.bm_page FROM STDIN (FORMAT binary)"},
	};
	int rc = begin(thread, err);

	if (rc == 0) {
		rc = bm_relay_run(thread->source, thread->destination, items, 2,
				&thread->transfer->rate_limit, &thread->active->moved,
				&thread->active->rows, err);
	}
	if (rc == 0) {
		rc = bm_sql_do(thread->destination, bm_large_objects_put_sql, err);
	}
	rc = rc == 0 ? finish(thread, err) : -1;
	chunk->rows = items[0].rows;
	chunk->bytes = items[1].bytes;
	free(about);
	free(pages);
	return rc == 0 ? 0 : bm_error_wrap(err, "copying large objects");
}
