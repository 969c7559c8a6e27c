/*
 * The rows:
 *
 *     batch     one chunk, or many small tables together, is one transaction
 *     relay     COPY out of the snapshot, COPY into the destination, streaming
 *     ledger    the chunks of the batch are marked done in the same transaction
 */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/alloc.h"
#include "worker/rows/batches.h"
#include "worker/rows/make_objects.h"
#include "worker/transfer/chunks.h"
#include "worker/transfer/pool.h"
#include "worker/rate/throttle.h"
#include "worker/transfer/large_objects.h"
#include "worker/transfer/moments.h"
#include "worker/transfer/outlook.h"
#include "worker/transfer/path.h"
#include "worker/session/relay.h"
#include "worker/transfer/activity_names.h"
#include "worker/transfer/post_data.h"

/* From this size on the better way to load a whole table is worth a TRUNCATE. */
#define FROZEN_BYTES ((uint64_t)1 << 20)

/* The first key of an advisory lock, the chunk's number being the second. */
#define LOCK_CHUNK "781077323"

/* ---- one batch ---- */

/* Its key is there before its rows, and foreign keys may refer to it. */
static bool is_keyed(const struct bm_transfer *t, const struct bm_chunk *chunk)
{
	for (size_t i = 0; i < t->ledger.object_count; i++) {
		const struct bm_post_object *object = &t->ledger.objects[i];
		if (object->wave <= chunk->wave && object->stage != BM_STAGE_FOREIGN &&
				strcmp(object->tables[0], chunk->table) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * A table that is one chunk and was only just made is loaded frozen: truncated in the
 * same transaction (it is empty), its rows need no second visit by VACUUM or by the
 * first reader, and with wal_level=minimal no WAL. Truncating a small one costs more.
 */
static bool is_frozen(const struct bm_transfer *t, const struct bm_chunk *chunk)
{
	return chunk->condition[0] == '\0' && chunk->estimate >= FROZEN_BYTES &&
			!t->is_indexed && !is_keyed(t, chunk);
}

static bool is_binary(const struct bm_transfer *t, const struct bm_table *table)
{
	return t->binary_allowed && table->columns[0] != '\0' &&
			(table->binary == BM_BINARY_ALWAYS ||
					(table->binary == BM_BINARY_SAME_VERSION &&
							t->same_version));
}

static int prepare(struct bm_transfer *t, const struct bm_batch *batch,
		struct bm_relay_item *items, struct bm_error *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct bm_chunk *chunk = batch->chunks[i];
		const struct bm_table *table = bm_tables_find(&t->tables, chunk->table);
		struct bm_strbuf out = BM_STRBUF_INIT, in = BM_STRBUF_INIT;
		if (table == NULL) {
			bm_outlook_close(t);
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"table %s is no longer on the source: begin again with an "
					"empty destination",
					chunk->table);
		}
		bm_chunk_copy_out(table, chunk->condition, is_binary(t, table), &out);
		bm_chunk_copy_in(table, is_binary(t, table),
				table->filter[0] == '\0' && is_frozen(t, chunk), &in);
		items[i] = (struct bm_relay_item){
				.name = table->name,
				.copy_out = bm_strbuf_detach(&out),
				.copy_in = bm_strbuf_detach(&in),
		};
	}
	return 0;
}

/* The statements that mark the batch done, and the transaction's end. */
static int commit(struct bm_pool_thread *thread, const struct bm_batch *batch,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < batch->count; i++) {
		bm_ledger_chunk_done(batch->chunks[i], thread->snapshot, thread->moment, &sql);
	}
	bm_strbuf_puts(&sql, "COMMIT");
	int rc = bm_sql_do(thread->destination, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	return rc == 0 ? 0 : bm_error_wrap(err, "committing a chunk");
}

static void count_done(struct bm_pool_thread *thread, const struct bm_batch *batch)
{
	struct bm_transfer *t = thread->transfer;

	pthread_mutex_lock(&t->mutex);
	for (size_t i = 0; i < batch->count; i++) {
		batch->chunks[i]->done = true;
		bm_chunk_set_moment(batch->chunks[i], thread->moment);
		atomic_fetch_add(&t->progress.rows, batch->chunks[i]->rows);
		atomic_fetch_add(&t->progress.units_done, batch->chunks[i]->estimate);
	}
	atomic_fetch_add(&t->progress.done, (unsigned)batch->count);
	pthread_mutex_unlock(&t->mutex);
}

/* ---- what is shown of it ---- */

static void end_active(struct bm_pool_thread *thread, bool committed)
{
	struct bm_progress *progress = &thread->transfer->progress;

	bm_left_end(thread, !committed);
	atomic_fetch_add(&progress->bytes_moved,
			bm_active_end(&progress->activity, thread->active, committed));
	thread->active = NULL;
}

static void free_items(struct bm_relay_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((char *)(uintptr_t)items[i].copy_out);
		free((char *)(uintptr_t)items[i].copy_in);
	}
	free(items);
}

/* What was just read is what the snapshot has. */
static int still_stand(struct bm_pool_thread *thread, const struct bm_batch *batch,
		struct bm_error *err)
{
	const struct bm_tables *all = &thread->transfer->tables;
	const struct bm_table **tables = bm_alloc(batch->count * sizeof(*tables));

	for (size_t i = 0; i < batch->count; i++) {
		tables[i] = bm_tables_find(all, batch->chunks[i]->table);
	}
	int rc = bm_moments_still(thread, tables, batch->count, err);
	free(tables);
	return rc;
}

/* The table that the relay's message names. */
static void blame(
		struct bm_transfer *t, const struct bm_batch *batch, const struct bm_error *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		char *named = bm_format("copying %s: ", batch->chunks[i]->table);
		if (strstr(err->message, named) != NULL) {
			bm_outlook_blame(t, batch->chunks[i]->table);
		}
		free(named);
	}
}

static int copy_tables(struct bm_pool_thread *thread, const struct bm_batch *batch,
		struct bm_error *err)
{
	struct bm_transfer *t = thread->transfer;
	struct bm_relay_item *items = bm_alloc(batch->count * sizeof(*items));
	int rc = prepare(t, batch, items, err);

	if (rc == 0) {
		rc = bm_relay_run(thread->source, thread->destination, items, batch->count,
				&t->rate_limit, &thread->active->moved, &thread->active->rows,
				err);
	}
	if (rc != 0 && err->code == BM_ERR_SQL && !bm_sql_is_full(err)) {
		blame(t, batch, err);
	}
	rc = rc == 0 ? still_stand(thread, batch, err) : -1;
	for (size_t i = 0; i < batch->count && rc == 0; i++) {
		batch->chunks[i]->rows = items[i].rows;
		batch->chunks[i]->bytes = items[i].bytes;
	}
	free_items(items, batch->count);
	return rc;
}

/*
 * Begin the batch's transaction. A COMMIT whose answer got lost may have worked, or
 * may be about to: the lock waits for that transaction's end, and then the ledger
 * knows. 1: it was committed, there is nothing to do; 0: go on; -1.
 */
static int begin(struct bm_pool_thread *thread, const struct bm_batch *batch,
		struct bm_error *err)
{
	unsigned id = batch->chunks[0]->id;
	char *sql = bm_format(
			"BEGIN; SELECT pg_advisory_xact_lock(" LOCK_CHUNK ", %u);"
			"SELECT done IS NOT NULL FROM bucardo_machine.chunk WHERE id = %u",
			id, id);
	char *done = bm_sql_value(thread->destination, sql, err);
	int rc = done == NULL ? -1 : done[0] == 't';

	free(sql);
	free(done);
	return rc;
}

/* ---- with the path of the source ---- */

/* A table that failed without the path: put the path into force, if it is safe. */
static int set_path(struct bm_pool_thread *thread, struct bm_batch *batch, struct bm_error *err)
{
	struct bm_table *table = bm_batch_late_table(thread->transfer, batch->chunks[0]);

	batch->with_path = table != NULL && table->needs_path;
	if (!batch->with_path) {
		return 0;
	}
	char *path = bm_path_find(thread->transfer, thread->destination, table->name, err);
	if (path == NULL) {
		return bm_error_wrap(err,
				"copying %s: its checks or generated columns call functions that do "
				"not find all that they need",
				table->name);
	}
	char *sql = bm_format("SET LOCAL search_path = %s", path);
	int rc = bm_sql_do(thread->destination, sql, err);
	free(sql);
	free(path);
	return rc;
}

/* Whether the batch is to be tried again, with the path. */
static bool may_try_path(struct bm_pool_thread *thread, const struct bm_batch *batch,
		const struct bm_error *err)
{
	struct bm_table *table = bm_batch_late_table(thread->transfer, batch->chunks[0]);

	if (table == NULL || batch->with_path || !bm_path_may_help(err)) {
		return false;
	}
	if (!table->needs_path) {
		char *name = bm_format("the rows of %s", table->name);
		bm_path_record(thread->transfer, NULL, name);
		free(name);
	}
	table->needs_path = true;
	return true;
}

static int copy_batch(
		struct bm_pool_thread *thread, struct bm_batch *batch, struct bm_error *err)
{
	int rc = begin(thread, batch, err);

	if (rc == 0) {
		rc = set_path(thread, batch, err);
	}
	if (rc == 0) {
		thread->active = bm_activity_of_chunks(
				thread->transfer, batch->chunks, batch->count);
		bm_left_begin_chunks(thread, batch->chunks, batch->count);
		rc = bm_chunk_is_large_objects(batch->chunks[0])
				? bm_large_objects_copy(thread, batch->chunks[0], err)
				: copy_tables(thread, batch, err);
		rc = rc == 0 && batch->with_path
				? bm_sql_do(thread->destination, BM_PATH_BACK_SQL, err)
				: rc;
		rc = rc == 0 ? commit(thread, batch, err) : -1;
		end_active(thread, rc == 0);
	} else if (rc > 0) {
		rc = bm_sql_do(thread->destination, "ROLLBACK", err);
	}
	if (rc == 0) {
		count_done(thread, batch);
	}
	return rc;
}

/*
 * Chunks that an earlier run began and did not finish left dead rows behind, and a disk
 * may be full of them: where they are many, give their room back before more comes.
 */
static const char leftovers_sql[] =
		"SELECT format('VACUUM %s', s.relid::regclass) FROM pg_stat_user_tables s"
		" WHERE s.n_dead_tup > 1000 AND s.n_dead_tup > s.n_live_tup / 5"
		" AND s.relid IN (SELECT to_regclass(c.table_name)"
		"  FROM bucardo_machine.chunk c WHERE c.done IS NULL AND c.table_name ~ '^\"')";

static void clear_leftovers(struct bm_transfer *t)
{
	PGresult *rows = bm_sql(t->control, leftovers_sql, NULL);

	for (int i = 0; rows != NULL && i < PQntuples(rows); i++) {
		bm_sql_do(t->control, PQgetvalue(rows, i, 0), NULL);
	}
	PQclear(rows);
}

static int copy_next(struct bm_pool_thread *thread, void *ctx, struct bm_error *err)
{
	struct bm_batches *copying = ctx;
	struct bm_batch *batch = bm_batches_take(copying);

	if (batch == NULL) {
		return 0;
	}
	if (copy_batch(thread, batch, err) == 0) {
		return 1;
	}
	bool again = may_try_path(thread, batch, err);
	if (again) {
		bm_pool_thread_disconnect(thread);
	}
	bm_batches_give_back(copying, batch);
	return again ? 1 : -1;
}

/* What is done, from the ledger in memory; also after some of it got lost. */
static void set_progress(struct bm_transfer *t)
{
	struct bm_progress *progress = &t->progress;
	uint64_t units = 0, rows = 0;
	unsigned done = 0;

	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		const struct bm_chunk *chunk = &t->ledger.chunks[i];
		units += chunk->done ? chunk->estimate : 0;
		rows += chunk->done ? chunk->rows : 0;
		done += chunk->done;
	}
	atomic_store(&progress->units_done, units);
	atomic_store(&progress->rows, rows);
	atomic_store(&progress->done, done);
}

static void begin_progress(struct bm_transfer *t)
{
	struct bm_progress *progress = &t->progress;

	progress->phase = "copy";
	bm_left_plan_copy(t);
	progress->total = (unsigned)t->ledger.chunk_count;
	set_progress(t);
	progress->bytes_before = atomic_load(&progress->units_done);
	progress->reused_chunks = atomic_load(&progress->done);
	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		progress->bytes_total += t->ledger.chunks[i].estimate;
	}
	progress->units_total = progress->bytes_total;
	for (size_t i = 0; i < t->ledger.object_count; i++) {
		progress->units_total += bm_post_object_weight(&t->ledger.objects[i]);
	}
}

/* What is missing of the tables that are late, or of those of a wave. */
static int copy_wave(struct bm_transfer *t, unsigned wave, bool late, struct bm_error *err)
{
	struct bm_batches copying = {.transfer = t, .wave = wave, .is_late = late};
	int rc = 0;

	bm_batches_make(&copying);
	if (copying.count > 0) {
		size_t jobs = t->options.jobs;
		jobs = copying.batch_count < jobs ? copying.batch_count : jobs;
		rc = bm_pool_run(t, (unsigned)jobs, true, copy_next, &copying, err);
	}
	bm_batches_finish(&copying);
	return rc;
}

static unsigned last_wave(const struct bm_transfer *t)
{
	unsigned last = 0;

	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		const struct bm_chunk *chunk = &t->ledger.chunks[i];
		last = chunk->wave > last ? chunk->wave : last;
	}
	return last;
}

/* What is copied from now on meets keys and foreign keys. */
static void record_indexed(struct bm_transfer *t)
{
	for (size_t i = 0; i < t->ledger.object_count; i++) {
		t->is_indexed = t->is_indexed || t->ledger.objects[i].done;
	}
}

/* All that is missing, once; how much of it a crash of the destination took back. */
static int copy_missing(struct bm_transfer *t, unsigned *lost, struct bm_error *err)
{
	*lost = 0;
	unsigned last = last_wave(t);
	int rc = 0;

	for (unsigned wave = 0; wave <= last && rc == 0; wave++) {
		rc = bm_objects_make_before(t, wave, err);
		rc = rc == 0 ? copy_wave(t, wave, false, err) : -1;
	}
	rc = rc == 0 ? copy_wave(t, 0, true, err) : -1;
	record_indexed(t);
	if (rc == 0) {
		rc = bm_control_hold(t, err);
	}
	if (rc == 0) {
		rc = bm_ledger_reconcile(t->control, &t->ledger, lost, err);
		set_progress(t);
	}
	return rc;
}

static void report_continuing(struct bm_transfer *t)
{
	unsigned reused = (unsigned)t->progress.reused_chunks;

	if (reused > 0 && reused < t->progress.total) {
		bm_transfer_note(t, "continuing: %u of %u chunks are here already%s", reused,
				t->progress.total,
				t->options.captured
						? ""
						: "; the rest is read from a new snapshot, and what "
						  "changed since the first run is copied again");
	}
}

static int copy_until_nothing_is_lost(struct bm_transfer *t, struct bm_error *err)
{
	unsigned lost = 0, rounds = 0;
	int rc;

	do {
		rc = copy_missing(t, &lost, err);
	} while (rc == 0 && lost > 0 && ++rounds < BM_MOST_ROUNDS);
	if (rc == 0 && lost > 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination crashed again and again and lost chunks each "
				"time; look into its log, then run the same command again");
	}
	return rc;
}

/* Tables refer to each other: what is not captured has to be of one moment. */
static int make_one_moment(struct bm_transfer *t, struct bm_error *err)
{
	unsigned rounds = 0;
	int rc = 0;

	while (rc == 0 && !bm_moments_agree(t) && rounds++ < BM_MOST_ROUNDS) {
		rc = bm_moments_check(t, err);
		rc = rc == 0 ? copy_until_nothing_is_lost(t, err) : -1;
	}
	if (rc == 0 && (t->is_resumed || t->renewals > 0)) {
		rc = bm_moments_definitions(t, err);
	}
	return rc == 0 && !bm_moments_agree(t) ? bm_moments_refuse(t, err) : rc;
}

int bm_transfer_copy(struct bm_transfer *t, struct bm_error *err)
{
	int rc = 0;

	record_indexed(t);
	begin_progress(t);
	report_continuing(t);
	bm_outlook_report_cost(t);
	clear_leftovers(t);
	if (t->is_resumed && !t->options.captured) {
		rc = bm_moments_definitions(t, err);
	}
	rc = rc == 0 ? bm_sequences_remember(t, err) : -1;
	struct bm_latency_probe *probe = t->options.throttle && rc == 0
			? bm_latency_probe_start(t)
			: NULL;
	rc = rc == 0 ? copy_until_nothing_is_lost(t, err) : -1;
	if (rc == 0 && !t->options.captured) {
		rc = make_one_moment(t, err);
	}
	bm_latency_probe_stop(probe);
	bm_large_objects_report(t);
	bm_path_report(t);
	return rc;
}
