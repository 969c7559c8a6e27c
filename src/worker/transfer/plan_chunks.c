/* Tables become chunks: big ones ranges of their key, the others one each. */
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/transfer/chunks.h"
#include "worker/transfer/internal.h"
#include "worker/transfer/large_objects.h"
#include "worker/transfer/path.h"

static void add_chunk(struct bm_transfer *t, const struct bm_table *table,
		const struct bm_key *key, const char *const *low, const char *const *high,
		unsigned parts)
{
	struct bm_strbuf condition = BM_STRBUF_INIT;
	struct bm_chunk *chunk = bm_ledger_add_chunk(&t->ledger);

	if (key != NULL) {
		bm_chunk_condition(key, low, high, &condition);
	}
	chunk->table = bm_strdup(table->name);
	chunk->condition = bm_strdup(bm_strbuf_text(&condition));
	chunk->estimate = table->bytes / parts;
	bm_strbuf_finish(&condition);
}

static void row_of(const PGresult *rows, int row, const char **values)
{
	for (int i = 0; i < PQnfields(rows); i++) {
		values[i] = PQgetvalue(rows, row, i);
	}
}

static void add_ranges(struct bm_transfer *t, const struct bm_table *table,
		const struct bm_key *key, const PGresult *rows)
{
	const char *low[32], *high[32];
	int cuts = PQntuples(rows);

	for (int i = 0; i <= cuts; i++) {
		if (i > 0) {
			row_of(rows, i - 1, low);
		}
		if (i < cuts) {
			row_of(rows, i, high);
		}
		add_chunk(t, table, key, i > 0 ? low : NULL, i < cuts ? high : NULL,
				(unsigned)cuts + 1);
	}
}

static int plan_big_table(struct bm_transfer *t, const struct bm_table *table, unsigned parts,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	struct bm_key key;

	if (bm_key_read(t->snapshot_session, table->oid, &key, err) != 0) {
		return -1;
	}
	if (key.count == 0) {
		add_chunk(t, table, NULL, NULL, NULL, 1);
		return 0;
	}
	bm_chunk_boundaries(table, &key, parts, &sql);
	PGresult *rows = bm_sql_do(t->snapshot_session, "SAVEPOINT bm", err) == 0
			? bm_sql(t->snapshot_session, bm_strbuf_text(&sql), err)
			: NULL;
	int rc = rows != NULL ? 0 : -1;
	if (rows != NULL) {
		add_ranges(t, table, &key, rows);
	} else if (bm_path_may_help(err)) {
		/* No query can be planned where an index calls what is not found; COPY has no
		 * plan. */
		rc = bm_sql_do(t->snapshot_session, "ROLLBACK TO SAVEPOINT bm", err);
		bm_transfer_note(t, "%s goes over in one piece: %s", table->name, err->message);
		add_chunk(t, table, NULL, NULL, NULL, 1);
		*err = (struct bm_error)BM_ERROR_INIT;
	}
	PQclear(rows);
	bm_strbuf_finish(&sql);
	bm_key_finish(&key);
	return rc == 0 ? 0 : bm_error_wrap(err, "looking for boundaries in %s", table->name);
}

/* Whether a server answers at once; the quickest of a few answers counts. */
static bool is_near(PGconn *conn)
{
	bool near = false;

	for (unsigned i = 0; i < BM_TRANSFER_QUESTIONS && !near; i++) {
		uint64_t begun_msec = bm_clock_msec();
		near = bm_sql_do(conn, "SELECT 1", NULL) == 0 &&
				bm_clock_msec() - begun_msec <= BM_TRANSFER_NEAR_MSEC;
	}
	return near;
}

int bm_plan_chunks(struct bm_transfer *t, struct bm_error *err)
{
	bool whole = t->may_be_whole && is_near(t->snapshot_session) && is_near(t->control);

	for (size_t i = 0; i < t->tables.count; i++) {
		const struct bm_table *table = &t->tables.list[i];
		unsigned parts = bm_chunk_count(table->bytes, t->options.chunk_bytes, whole);
		if (parts == 1 || table->filter[0] != '\0') {
			add_chunk(t, table, NULL, NULL, NULL, 1);
		} else if (plan_big_table(t, table, parts, err) != 0) {
			return -1;
		}
	}
	return bm_plan_large_objects(t, err);
}
