/* Activity made of chunks and objects, and what the server says of its builds. */
#include "worker/transfer/activity_names.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "worker/transfer/outlook.h"
#include "worker/transfer/post_data.h"

#define LOOK_MSEC 1000

/* ---- rows ---- */

static void add_chunk(const struct bm_chunk *chunk, struct bm_active *active, uint64_t *moved)
{
	active->total += chunk->estimate;
	active->done += chunk->done ? chunk->estimate : 0;
	*moved += chunk->done ? chunk->bytes : 0;
}

/*
 * How much of a chunk's table is here, and how many bytes go over for one of estimate:
 * of this table, else of all that was copied so far. A table's chunks stand side by side.
 */
static void measure_table(
		struct bm_transfer *t, const struct bm_chunk *chunk, struct bm_active *active)
{
	const struct bm_chunk *first = t->ledger.chunks, *end = first + t->ledger.chunk_count;
	uint64_t moved = 0;

	pthread_mutex_lock(&t->mutex);
	for (const struct bm_chunk *at = chunk;
			at < end && strcmp(at->table, chunk->table) == 0; at++) {
		add_chunk(at, active, &moved);
	}
	for (const struct bm_chunk *at = chunk;
			at > first && strcmp(at[-1].table, chunk->table) == 0; at--) {
		add_chunk(&at[-1], active, &moved);
	}
	/* Of this run; a crash of the destination may have taken back more than that. */
	uint64_t here = atomic_load(&t->progress.units_done), before = t->progress.bytes_before;
	uint64_t all_done = here > before ? here - before : 0;
	uint64_t all_moved = atomic_load(&t->progress.bytes_moved);
	pthread_mutex_unlock(&t->mutex);
	if (active->done > 0) {
		active->ratio = (double)moved / (double)active->done;
	} else if (all_done > 0 && all_moved > 0) {
		active->ratio = (double)all_moved / (double)all_done;
	}
}

/* "public.film", or the first of several that share a transaction. */
static void set_name(struct bm_active *active, const char *first, size_t count)
{
	char name[BM_PART_NAME_SIZE];

	bm_unquote(first, name, sizeof(name));
	if (count == 1) {
		bm_text_copy(active->name, sizeof(active->name), name);
	} else {
		snprintf(active->name, sizeof(active->name), "%.100s and %zu more", name,
				count - 1);
	}
}

uint64_t bm_chunk_rows(const struct bm_transfer *t, const struct bm_chunk *chunk)
{
	const struct bm_table *table = bm_tables_find(&t->tables, chunk->table);

	if (table == NULL || table->bytes == 0) {
		return 0;
	}
	return (uint64_t)((double)table->rows * (double)chunk->estimate / (double)table->bytes);
}

struct bm_active *bm_activity_of_chunks(
		struct bm_transfer *t, struct bm_chunk *const *chunks, size_t count)
{
	struct bm_active like = {.ratio = 1};

	measure_table(t, chunks[0], &like);
	for (size_t i = 0; i < count; i++) {
		like.weight += chunks[i]->estimate;
		like.rows_expected += bm_chunk_rows(t, chunks[i]);
	}
	if (count > 1) {
		like.done = 0;
		like.total = like.weight;
	}
	set_name(&like, chunks[0]->table, count);
	return bm_active_begin(&t->progress.activity, &like);
}

/* ---- objects ---- */

struct bm_active *bm_activity_of_objects(struct bm_pool_thread *thread,
		struct bm_post_object *const *objects, size_t count)
{
	struct bm_active like = {.ratio = 1,
			.backend = PQbackendPID(thread->destination),
			.kind = bm_left_kind(thread->transfer, objects[0])};

	for (size_t i = 0; i < count; i++) {
		like.weight += bm_post_object_weight(objects[i]);
	}
	like.total = like.weight;
	set_name(&like, objects[0]->name, count);
	return bm_active_begin(&thread->transfer->progress.activity, &like);
}

/* Columns of the question below. */
enum { PID, PHASE, BLOCKS_DONE, BLOCKS_TOTAL, TUPLES_DONE, TUPLES_TOTAL };

static double share(const PGresult *rows, int row, int done_column, int total_column)
{
	double done = strtod(PQgetvalue(rows, row, done_column), NULL);
	double total = strtod(PQgetvalue(rows, row, total_column), NULL);

	return total <= 0 ? 0 : done < total ? done / total : 1;
}

static void take_build(struct bm_transfer *t, const PGresult *rows, int row)
{
	int backend = atoi(PQgetvalue(rows, row, PID)), kind;
	struct bm_kind_progress progress;

	if (bm_activity_kind(&t->progress.activity, backend, &kind) &&
			bm_kind_progress((enum bm_kind)kind, PQgetvalue(rows, row, PHASE),
					share(rows, row, BLOCKS_DONE, BLOCKS_TOTAL),
					share(rows, row, TUPLES_DONE, TUPLES_TOTAL),
					&progress)) {
		bm_activity_report(
				&t->progress.activity, backend, progress.part, progress.step);
	}
}

/* Servers tell from version 12 on; without an answer the bars just stand still. */
void bm_watch_builds(struct bm_transfer *t)
{
	uint64_t now_msec = bm_clock_msec();

	if (now_msec - t->looked_msec < LOOK_MSEC || PQstatus(t->control) != CONNECTION_OK ||
			PQserverVersion(t->control) < 120000) {
		return;
	}
	t->looked_msec = now_msec;
	PGresult *rows = bm_sql(t->control,
			"SELECT pid, phase, blocks_done, blocks_total, tuples_done, tuples_total"
			" FROM pg_stat_progress_create_index WHERE datname = current_database()",
			NULL);
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		take_build(t, rows, row);
	}
	PQclear(rows);
}

json_t *bm_transfer_parts(const struct bm_transfer_progress *progress)
{
	json_t *array = json_array();

	for (size_t i = 0; i < progress->part_count; i++) {
		const struct bm_transfer_part *part = &progress->parts[i];
		json_array_append_new(array,
				json_pack("{s:o, s:s, s:I, s:I, s:I}", "name",
						bm_json_text(part->name), "step", part->step,
						"done", (json_int_t)part->done, "total",
						(json_int_t)part->total, "age_ms",
						(json_int_t)part->age_msec));
	}
	return array;
}
