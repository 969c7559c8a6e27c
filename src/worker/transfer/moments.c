/* Several moments of the source made one, or told. */
#include "worker/transfer/moments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/libpq.h"
#include "bucardo_machine/alloc.h"
#include "worker/transfer/large_objects.h"
#include "worker/transfer/path.h"

/* Names in a message. */
#define NAMED 20

/* Ages of transactions are compared by 32 bits: a moment must not be older than this. */
#define OLDEST_XIDS ((uint64_t)1 << 31)

/* ---- a moment ---- */

unsigned bm_moment_timeline(PGconn *source)
{
	char *text = bm_sql_value(source,
			"SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()", NULL);
	unsigned timeline = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 0;

	free(text);
	return timeline;
}

char *bm_moment_read(PGconn *source, unsigned timeline, struct bm_error *err)
{
	char *snapshot = bm_sql_value(
			source, "SELECT pg_catalog.txid_current_snapshot()::text", err);
	char *moment = snapshot != NULL ? bm_format("%u/%s", timeline, snapshot) : NULL;

	free(snapshot);
	return moment;
}

/* "1/750:753:750,751": timeline, all before, none from here on, and those under way. */
static bool parse(const char *moment, unsigned *timeline, uint64_t *xmin, uint64_t *xmax)
{
	return sscanf(moment, "%u/%" SCNu64 ":%" SCNu64 ":", timeline, xmin, xmax) == 3;
}

uint64_t bm_moment_limit(const char *older, const char *newer)
{
	unsigned old_timeline, new_timeline;
	uint64_t old_xmin, old_xmax, new_xmin, new_xmax;

	if (!parse(older, &old_timeline, &old_xmin, &old_xmax) ||
			!parse(newer, &new_timeline, &new_xmin, &new_xmax) ||
			old_timeline != new_timeline || old_xmin > new_xmin ||
			old_xmax > new_xmax || new_xmax - old_xmin >= OLDEST_XIDS) {
		return 0;
	}
	return old_xmin & UINT32_MAX;
}

static const char *moment_of(const struct bm_chunk *chunk)
{
	return chunk->moment != NULL ? chunk->moment : "";
}

bool bm_moments_agree(const struct bm_transfer *t)
{
	const struct bm_ledger *ledger = &t->ledger;

	for (size_t i = 1; i < ledger->chunk_count; i++) {
		if (strcmp(moment_of(&ledger->chunks[i]), moment_of(&ledger->chunks[0])) != 0) {
			return false;
		}
	}
	return ledger->chunk_count == 0 || moment_of(&ledger->chunks[0])[0] != '\0';
}

int bm_moments_still(struct bm_pool_thread *thread, const struct bm_table *const *tables,
		size_t count, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	struct bm_error failure = BM_ERROR_INIT;

	bm_strbuf_puts(&sql,
			"SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ')"
			" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			" WHERE pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode"
			" AND c.oid = ANY ('{");
	for (size_t i = 0; i < count; i++) {
		bm_strbuf_printf(&sql, "%s%u", i > 0 ? "," : "", tables[i]->oid);
	}
	bm_strbuf_puts(&sql, "}'::oid[])");
	char *names = bm_sql_value(thread->source, bm_strbuf_text(&sql), &failure);
	bm_strbuf_finish(&sql);
	if (names != NULL) {
		bm_snapshot_expire(thread->transfer, thread->snapshot);
		bm_error_set(&failure, BM_ERR_TRANSIENT,
				"truncated or rewritten on the source while they were copied: %s",
				names);
	}
	free(names);
	if (failure.code != BM_ERR_NONE && err != NULL) {
		*err = failure;
	}
	return failure.code == BM_ERR_NONE ? 0 : -1;
}

void bm_moments_name(struct bm_strbuf *names, unsigned *count, const char *name)
{
	if (++*count <= NAMED) {
		bm_strbuf_printf(names, "%s%s", *count > 1 ? ", " : "", name);
	} else if (*count == NAMED + 1) {
		bm_strbuf_puts(names, ", ...");
	}
}

bool bm_moments_is_planned(const struct bm_ledger *ledger, const char *table)
{
	for (size_t i = 0; i < ledger->chunk_count; i++) {
		if (strcmp(ledger->chunks[i].table, table) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- looking ---- */

struct looking {
	struct bm_transfer *transfer;
	bool *taken, *changed; /* one a chunk */
};

/* The next chunk of an older moment whose table was not found changed yet; count: none. */
static size_t take(struct looking *looking)
{
	struct bm_transfer *t = looking->transfer;
	size_t found;

	pthread_mutex_lock(&t->mutex);
	for (found = 0; found < t->ledger.chunk_count; found++) {
		const struct bm_chunk *chunk = &t->ledger.chunks[found];
		looking->changed[found] = looking->changed[found] ||
				(found > 0 && looking->changed[found - 1] &&
						strcmp(chunk->table, chunk[-1].table) == 0 &&
						strcmp(chunk->table, BM_LARGE_OBJECTS) != 0);
		if (!looking->taken[found] && !looking->changed[found] &&
				strcmp(moment_of(chunk), t->moment) != 0) {
			looking->taken[found] = true;
			break;
		}
	}
	pthread_mutex_unlock(&t->mutex);
	return found;
}

/* Of the rows that the chunk covers: how many, how many that are too new; is the table? */
static char *rows_question(
		const struct bm_table *table, const struct bm_chunk *chunk, uint64_t limit)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_printf(&sql,
			"SELECT n.rows, n.newer, coalesce((SELECT age(c.xmin) <= age('%" PRIu64
			"'::xid) FROM pg_class c WHERE c.oid = to_regclass(",
			limit);
	bm_quote_literal(&sql, table->name);
	bm_strbuf_printf(&sql,
			")), true) FROM (SELECT count(*) AS rows, count(*) FILTER (WHERE"
			" age(xmin) <= age('%" PRIu64
			"'::xid)) AS newer FROM ONLY %s %s%s%s) n",
			limit, table->name, table->filter,
			chunk->condition[0] != '\0' ? " WHERE " : "", chunk->condition);
	return bm_strbuf_detach(&sql);
}

static const char objects_question[] =
		"SELECT count(*), count(*) FILTER (WHERE age(m.xmin) <= age('%1$" PRIu64
		"'::xid)"
		"  OR EXISTS (SELECT 1 FROM pg_largeobject p WHERE p.loid = m.oid"
		"   AND age(p.xmin) <= age('%1$" PRIu64 "'::xid))"
		"  OR EXISTS (SELECT 1 FROM pg_description d WHERE d.objoid = m.oid"
		"   AND d.classoid = 'pg_largeobject'::regclass"
		"   AND age(d.xmin) <= age('%1$" PRIu64 "'::xid))"
		"  OR EXISTS (SELECT 1 FROM pg_seclabel l WHERE l.objoid = m.oid"
		"   AND l.classoid = 'pg_largeobject'::regclass)),"
		" false FROM pg_largeobject_metadata m WHERE %2$s";

/* A comment that was taken away leaves no trace but its number. */
static const char comments_question[] = "SELECT count(obj_description(m.oid, 'pg_largeobject'))"
					" FROM pg_largeobject_metadata m WHERE %s";

static bool same_comments(struct bm_pool_thread *thread, const struct bm_chunk *chunk)
{
	char *sql = bm_format(comments_question, chunk->condition);
	char *here = bm_sql_value(thread->source, sql, NULL);
	char *there = bm_sql_value(thread->destination, sql, NULL);
	bool same = here != NULL && there != NULL && strcmp(here, there) == 0;

	free(sql);
	free(here);
	free(there);
	return same;
}

static bool may_read_pages(PGconn *source)
{
	char *answer = bm_sql_value(
			source, "SELECT has_table_privilege('pg_largeobject', 'SELECT')", NULL);
	bool may = answer != NULL && answer[0] == 't';

	free(answer);
	return may;
}

/* The rows, or NULL; a table that cannot be asked (an index of it calls a function that does
 * not find all that it needs) is in doubt, and harms nothing else. */
static PGresult *ask_apart(
		PGconn *source, const char *sql, bool *in_doubt, struct bm_error *err)
{
	PGresult *rows = bm_sql_do(source, "SAVEPOINT bm", err) == 0 ? bm_sql(source, sql, err)
								     : NULL;

	*in_doubt = rows == NULL && bm_path_may_help(err);
	if (rows != NULL) {
		bm_sql_do(source, "RELEASE SAVEPOINT bm", NULL);
	} else if (*in_doubt) {
		*in_doubt = bm_sql_do(source, "ROLLBACK TO SAVEPOINT bm", err) == 0;
	}
	return rows;
}

/* 1: it still holds; 0: it may have changed; -1. */
static int still_holds(struct bm_pool_thread *thread, const struct bm_chunk *chunk,
		struct bm_error *err)
{
	uint64_t limit = bm_moment_limit(moment_of(chunk), thread->moment);
	bool objects = strcmp(chunk->table, BM_LARGE_OBJECTS) == 0;
	const struct bm_table *table = bm_tables_find(&thread->transfer->tables, chunk->table);

	if (limit == 0 || (objects ? !may_read_pages(thread->source) : table == NULL)) {
		return 0;
	}
	char *sql = objects ? bm_format(objects_question, limit, chunk->condition)
			    : rows_question(table, chunk, limit);
	bool in_doubt;
	PGresult *rows = ask_apart(thread->source, sql, &in_doubt, err);
	int rc = rows != NULL || in_doubt ? 0 : -1;
	if (rows != NULL && strtoull(PQgetvalue(rows, 0, 0), NULL, 10) == chunk->rows &&
			strcmp(PQgetvalue(rows, 0, 1), "0") == 0 &&
			PQgetvalue(rows, 0, 2)[0] == 'f') {
		rc = 1;
	}
	free(sql);
	PQclear(rows);
	if (rc == 1 && objects) {
		rc = same_comments(thread, chunk);
	} else if (rc == 1 && bm_moments_still(thread, &table, 1, err) != 0) {
		rc = -1;
	}
	return rc;
}

static int keep(struct bm_pool_thread *thread, struct bm_chunk *chunk, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_strbuf_puts(&sql, "UPDATE bucardo_machine.chunk SET moment = ");
	bm_quote_literal(&sql, thread->moment);
	bm_strbuf_printf(&sql, " WHERE id = %u", chunk->id);
	int rc = bm_sql_do(thread->destination, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	if (rc == 0) {
		pthread_mutex_lock(&thread->transfer->mutex);
		bm_chunk_set_moment(chunk, thread->moment);
		pthread_mutex_unlock(&thread->transfer->mutex);
	}
	return rc;
}

static int look_next(struct bm_pool_thread *thread, void *ctx, struct bm_error *err)
{
	struct looking *looking = ctx;
	struct bm_transfer *t = looking->transfer;
	size_t index = take(looking);

	if (index >= t->ledger.chunk_count) {
		return 0;
	}
	struct bm_chunk *chunk = &t->ledger.chunks[index];
	int rc = still_holds(thread, chunk, err);
	if (rc > 0 && keep(thread, chunk, err) != 0) {
		rc = -1;
	}
	pthread_mutex_lock(&t->mutex);
	looking->changed[index] = rc == 0;
	looking->taken[index] = rc >= 0; /* else it is looked at again */
	pthread_mutex_unlock(&t->mutex);
	return rc < 0 ? -1 : 1;
}

/* ---- emptying ---- */

/* A foreign key that is there already refuses TRUNCATE. */
static int empty_table(
		struct bm_transfer *t, const struct bm_table *table, struct bm_error *err)
{
	char *truncate = bm_format(
			"SAVEPOINT bm; TRUNCATE ONLY %s; RELEASE SAVEPOINT bm", table->name);
	char *delete = bm_format("DELETE FROM ONLY %s %s", table->name, table->filter);
	int rc = table->filter[0] != '\0' ? -1 : bm_sql_do(t->control, truncate, NULL);

	if (rc != 0 && table->filter[0] == '\0') {
		bm_sql_do(t->control, "ROLLBACK TO SAVEPOINT bm", NULL);
	}
	rc = rc == 0 ? 0 : bm_sql_do(t->control, delete, err);
	free(truncate);
	free(delete);
	return rc;
}

static int forget(struct bm_transfer *t, struct bm_chunk *chunk, struct bm_error *err)
{
	char *sql = bm_format("UPDATE bucardo_machine.chunk SET done = NULL, rows = NULL,"
			      " bytes = NULL, moment = NULL WHERE id = %u",
			chunk->id);
	int rc = bm_sql_do(t->control, sql, err);

	free(sql);
	return rc;
}

static int empty_objects(
		struct bm_transfer *t, const struct bm_chunk *chunk, struct bm_error *err)
{
	char *sql = bm_format("SELECT count(lo_unlink(m.oid)) FROM pg_largeobject_metadata m"
			      " WHERE %s",
			chunk->condition);
	int rc = bm_sql_do(t->control, sql, err);

	free(sql);
	return rc;
}

/* The chunks of one table, from `first` on, in one transaction with its emptying. */
static int empty_chunks(struct bm_transfer *t, size_t first, size_t end, struct bm_error *err)
{
	struct bm_chunk *chunks = t->ledger.chunks;
	const struct bm_table *table = bm_tables_find(&t->tables, chunks[first].table);
	int rc = bm_sql_do(t->control, "BEGIN", err);

	if (rc == 0 && strcmp(chunks[first].table, BM_LARGE_OBJECTS) == 0) {
		rc = empty_objects(t, &chunks[first], err);
	} else if (rc == 0) {
		rc = table != NULL
				? empty_table(t, table, err)
				: bm_error_set(err, BM_ERR_MOMENTS,
						  "dropped on the source since the copy began: %s",
						  chunks[first].table);
	}
	for (size_t i = first; i < end && rc == 0; i++) {
		rc = forget(t, &chunks[i], err);
	}
	rc = rc == 0 ? bm_sql_do(t->control, "COMMIT", err) : -1;
	for (size_t i = first; i < end && rc == 0; i++) {
		chunks[i].done = false;
		bm_chunk_set_moment(&chunks[i], NULL);
	}
	if (rc != 0) {
		bm_sql_do(t->control, "ROLLBACK", NULL);
	}
	return rc;
}

/* Chunks of a table stand together; large objects are emptied range by range. */
static int empty_changed(struct bm_transfer *t, const bool *changed, struct bm_error *err)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	const struct bm_ledger *ledger = &t->ledger;
	unsigned count = 0;
	int rc = 0;

	for (size_t first = 0, end; first < ledger->chunk_count && rc == 0; first = end) {
		const char *table = ledger->chunks[first].table;
		bool objects = strcmp(table, BM_LARGE_OBJECTS) == 0;
		bool any = changed[first];
		for (end = first + 1; !objects && end < ledger->chunk_count &&
				strcmp(ledger->chunks[end].table, table) == 0;
				end++) {
			any = any || changed[end];
		}
		if (any) {
			rc = empty_chunks(t, first, end, err);
			bm_moments_name(&names, &count, table);
		}
	}
	if (rc == 0 && count > 0) {
		bm_transfer_note(t,
				"changed on the source since they were copied, and copied again: %s",
				bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
	return rc;
}

/* The first large objects of the source came after the plan. */
static int plan_new_objects(struct bm_transfer *t, struct bm_error *err)
{
	char *any = bm_moments_is_planned(&t->ledger, BM_LARGE_OBJECTS)
			? bm_strdup("f")
			: bm_sql_value(t->snapshot_session,
					  "SELECT EXISTS (SELECT 1 FROM pg_largeobject_metadata)",
					  err);
	int rc = any != NULL ? 0 : -1;

	if (rc == 0 && any[0] == 't') {
		struct bm_chunk *chunk = bm_ledger_add_chunk(&t->ledger);
		chunk->table = bm_strdup(BM_LARGE_OBJECTS);
		chunk->condition = bm_strdup("true");
		char *sql = bm_format(
				"INSERT INTO bucardo_machine.chunk (id, table_name, range,"
				" estimate) VALUES (%u, '" BM_LARGE_OBJECTS "', 'true', 0)",
				chunk->id);
		rc = bm_sql_do(t->control, sql, err);
		t->progress.total++;
		free(sql);
	}
	free(any);
	return rc;
}

int bm_moments_check(struct bm_transfer *t, struct bm_error *err)
{
	struct looking looking = {.transfer = t};
	int rc = bm_snapshot_hold(t, err) == 0 && bm_control_hold(t, err) == 0 ? 0 : -1;

	bm_transfer_note(t,
			"what was copied from an earlier snapshot is compared with the newest");
	rc = rc == 0 ? plan_new_objects(t, err) : -1;
	looking.changed = bm_alloc(t->ledger.chunk_count + 1);
	looking.taken = bm_alloc(t->ledger.chunk_count + 1);
	if (rc == 0) {
		rc = bm_pool_run(t, t->options.jobs, true, look_next, &looking, err);
	}
	rc = rc == 0 ? bm_control_hold(t, err) : -1;
	rc = rc == 0 ? empty_changed(t, looking.changed, err) : -1;
	free(looking.changed);
	free(looking.taken);
	return rc;
}

/* ---- the end ---- */

int bm_moments_refuse(struct bm_transfer *t, struct bm_error *err)
{
	struct bm_strbuf names = BM_STRBUF_INIT;
	unsigned count = 0;

	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		const struct bm_chunk *chunk = &t->ledger.chunks[i];
		if (strcmp(moment_of(chunk), t->moment) != 0 &&
				(i == 0 || strcmp(chunk->table, chunk[-1].table) != 0)) {
			bm_moments_name(&names, &count, chunk->table);
		}
	}
	if (t->options.accept_moments) {
		bm_transfer_note(t, "of another moment than the rest, as was accepted: %s",
				bm_strbuf_text(&names));
	} else {
		bm_error_set(err, BM_ERR_MOMENTS,
				"of another moment than the rest, because snapshots of the source were "
				"lost again and again: %s; the same command tries again, and with "
				"--accept-moments goes on as it is",
				bm_strbuf_text(&names));
	}
	bm_strbuf_finish(&names);
	return t->options.accept_moments ? 0 : -1;
}
