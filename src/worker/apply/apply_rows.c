/* The rows of the keys on `to`: all deletes in one round trip, then COPY after COPY. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"
#include "worker/session/relay.h"

/* Statements that are made at once. */
#define SLICE_ITEMS 512
#define SLICE_BYTES ((size_t)32 << 20)

/* clang-format off */
static const char definition_sql[] =
#include "worker/verify/sql/verify_definition.sql.inc"
;
static const char shared_sql[] = "SELECT pg_catalog.set_config('bucardo_machine.shared', $1, true)";
static const char share_sql[] = "SELECT bucardo.machine_share($1, $2, $3)";
/* clang-format on */

uint64_t bm_apply_left(const struct bm_apply *apply)
{
	uint64_t now = bm_clock_msec();

	return apply->deadline_msec > now ? apply->deadline_msec - now : 1;
}

/* ---- deleting ---- */

static void add_deletes(struct bm_apply_table *table, struct bm_pipeline *pipeline)
{
	const char *const share[] = {table->sync, table->name, table->target};

	table->places[1] = pipeline->count;
	if (table->is_shared) {
		bm_pipeline_add(pipeline, share_sql, 3, share);
	}
	bm_apply_add_path(table, BM_APPLY_TO, pipeline);
	for (size_t i = 0; i < table->now.count; i++) {
		bm_pipeline_add(pipeline, table->delete_sql, (int)table->key_count,
				(const char *const *)table->now.list[i].arrays);
	}
	bm_apply_add_usual_path(table, BM_APPLY_TO, pipeline);
}

/* Those from which others take come last: what is written to them is captured from there on. */
static void add_statements(struct bm_apply *apply, struct bm_pipeline *pipeline)
{
	bm_pipeline_add(pipeline, "BEGIN", 0, NULL);
	bm_apply_add_limits(apply, pipeline);
	for (size_t i = 0; i < apply->count; i++) {
		struct bm_apply_table *table = &apply->tables[i];
		const char *const name[] = {table->name};
		if (table->now.count > 0) {
			char *lock = bm_format("LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE",
					table->name);
			table->places[0] = bm_pipeline_add(pipeline, lock, 0, NULL);
			bm_pipeline_add(pipeline, definition_sql, 1, name);
			free(lock);
		}
	}
	for (int shared = 0; shared <= 1; shared++) {
		for (size_t i = 0; i < apply->count; i++) {
			if (apply->tables[i].now.count > 0 &&
					apply->tables[i].is_shared == (shared != 0)) {
				add_deletes(&apply->tables[i], pipeline);
			}
		}
	}
}

static int check_definitions(struct bm_apply *apply, const struct bm_pipeline *pipeline,
		struct bm_error *err)
{
	size_t place = 3; /* after BEGIN, the limits and a lock */
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (apply->tables[i].now.count > 0) {
			rc = bm_apply_same_definition(apply, &apply->tables[i], BM_APPLY_TO,
					pipeline->results[place], err);
			place += 2;
		}
	}
	return rc;
}

static uint64_t count_deleted(const struct bm_pipeline *pipeline)
{
	uint64_t deleted = 0;

	for (size_t i = 0; i < pipeline->count; i++) {
		if (PQresultStatus(pipeline->results[i]) == PGRES_COMMAND_OK) {
			deleted += strtoull(PQcmdTuples(pipeline->results[i]), NULL, 10);
		}
	}
	return deleted;
}

static int delete_all(struct bm_apply *apply, struct bm_error *err)
{
	struct bm_pipeline pipeline;
	size_t failed = SIZE_MAX;

	bm_apply_forget_places(apply);
	int rc = bm_pipeline_begin(
			&pipeline, apply->conns[BM_APPLY_TO], apply->deadline_msec, err);

	if (rc == 0) {
		add_statements(apply, &pipeline);
		rc = bm_pipeline_end(&pipeline, &failed, err);
		if (rc != 0) {
			bm_apply_name_failed(apply, failed, err);
		}
	}
	if (rc == 0) {
		rc = check_definitions(apply, &pipeline, err);
		apply->result.deleted = count_deleted(&pipeline);
	}
	bm_pipeline_finish(&pipeline);
	return rc == 0 ? 0
		       : bm_error_wrap(err, "deleting on the %s",
					 bm_apply_end_name(apply, BM_APPLY_TO));
}

/* ---- copying ---- */

struct slice {
	struct bm_relay_item items[SLICE_ITEMS];
	size_t count, bytes;
};

static void free_items(struct slice *slice)
{
	for (size_t i = 0; i < slice->count; i++) {
		free((void *)(uintptr_t)slice->items[i].copy_out);
		free((void *)(uintptr_t)slice->items[i].copy_in);
	}
	slice->count = slice->bytes = 0;
}

static int run_slice(struct bm_apply *apply, struct slice *slice, struct bm_error *err)
{
	int rc = slice->count == 0 ? 0
				   : bm_relay_run_until(apply->conns[BM_APPLY_FROM],
						     apply->conns[BM_APPLY_TO], slice->items,
						     slice->count, apply->deadline_msec, err);

	for (size_t i = 0; i < slice->count; i++) {
		apply->result.rows += slice->items[i].rows;
	}
	free_items(slice);
	if (rc != 0) { /* in the middle of something */
		bm_pipeline_cut(apply->conns[BM_APPLY_FROM]);
		bm_pipeline_cut(apply->conns[BM_APPLY_TO]);
	}
	return rc;
}

static void add_item(struct slice *slice, const struct bm_apply_table *table,
		const struct bm_apply_chunk *chunk)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	bm_strbuf_printf(&out, "COPY (SELECT %s FROM ONLY %s AS bm WHERE ", table->columns,
			table->name);
	bm_apply_condition(table, BM_APPLY_FROM, chunk->arrays, &out);
	bm_strbuf_puts(&out, ") TO STDOUT");
	slice->bytes += out.length;
	slice->items[slice->count++] = (struct bm_relay_item){.name = table->name,
			.copy_out = bm_strbuf_detach(&out),
			.copy_in = bm_format("COPY %s (%s) FROM STDIN", table->name,
					table->columns)};
}

static int set_path(struct bm_apply *apply, const struct bm_apply_table *table, bool usual,
		struct bm_error *err)
{
	int rc = 0;

	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		struct bm_pipeline pipeline;
		if (table->path[end] == NULL) {
			continue;
		}
		rc = bm_pipeline_begin(&pipeline, apply->conns[end], apply->deadline_msec, err);
		if (rc == 0 && usual) {
			bm_apply_add_usual_path(table, end, &pipeline);
		} else if (rc == 0) {
			bm_apply_add_path(table, end, &pipeline);
		}
		rc = rc == 0 ? bm_pipeline_end(&pipeline, NULL, err) : rc;
		bm_pipeline_finish(&pipeline);
	}
	return rc;
}

/* With a path of its own: what came before goes first. */
static int copy_table(struct bm_apply *apply, struct slice *slice,
		const struct bm_apply_table *table, struct bm_error *err)
{
	bool has_path = table->path[BM_APPLY_FROM] != NULL || table->path[BM_APPLY_TO] != NULL;
	int rc = 0;

	if (has_path &&
			(run_slice(apply, slice, err) != 0 ||
					set_path(apply, table, false, err) != 0)) {
		return -1;
	}
	for (size_t chunk = 0; rc == 0 && chunk < table->now.count; chunk++) {
		add_item(slice, table, &table->now.list[chunk]);
		if (slice->count == SLICE_ITEMS || slice->bytes >= SLICE_BYTES) {
			rc = run_slice(apply, slice, err);
		}
	}
	if (rc == 0 && has_path) {
		rc = run_slice(apply, slice, err) == 0 ? set_path(apply, table, true, err) : -1;
	}
	return rc;
}

static int copy_those(struct bm_apply *apply, bool shared, struct bm_error *err)
{
	struct slice *slice = bm_alloc(sizeof(*slice));
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < apply->count; i++) {
		if (apply->tables[i].is_shared == shared && apply->tables[i].now.count > 0) {
			rc = copy_table(apply, slice, &apply->tables[i], err);
		}
	}
	rc = rc == 0 ? run_slice(apply, slice, err) : rc;
	free_items(slice);
	free(slice);
	return rc;
}

static bool has_shared(const struct bm_apply *apply)
{
	for (size_t i = 0; i < apply->count; i++) {
		if (apply->tables[i].is_shared && apply->tables[i].now.count > 0) {
			return true;
		}
	}
	return false;
}

static int set_shared(struct bm_apply *apply, const char *value, struct bm_error *err)
{
	const char *const params[] = {value};
	PGresult *set = bm_ask(apply->conns[BM_APPLY_TO], shared_sql, 1, params,
			bm_apply_left(apply), err);

	PQclear(set);
	return set != NULL ? 0 : -1;
}

static int copy_all(struct bm_apply *apply, struct bm_error *err)
{
	if (!has_shared(apply)) {
		return copy_those(apply, false, err);
	}
	if (set_shared(apply, "", err) != 0 || copy_those(apply, false, err) != 0 ||
			set_shared(apply, "on", err) != 0) {
		return -1;
	}
	return copy_those(apply, true, err);
}

int bm_apply_rows(struct bm_apply *apply, struct bm_error *err)
{
	if (delete_all(apply, err) != 0 || copy_all(apply, err) != 0) {
		return -1;
	}
	PGresult *done = bm_ask(apply->conns[BM_APPLY_TO], "COMMIT", 0, NULL,
			bm_apply_left(apply), err);
	PQclear(done);
	return done != NULL ? 0
			    : bm_error_wrap(err, "committing on the %s",
					      bm_apply_end_name(apply, BM_APPLY_TO));
}
