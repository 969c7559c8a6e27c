/* Tables that nobody captures, for want of a key mostly: compared, and copied again, as a
 * whole. */
#include "worker/apply/apply_whole.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/libpq.h"
#include "worker/apply/internal.h"
#include "worker/session/ask.h"
#include "worker/session/relay.h"

#define ROLLBACK_MSEC 50

/* clang-format off */
static const char columns_sql[] =
#include "worker/apply/sql/apply_whole_columns.sql.inc"
;
/* clang-format on */

bool bm_apply_is_whole(const struct bm_apply *apply, const char *name)
{
	for (size_t i = 0; i < apply->catalog.count; i++) {
		const struct bm_verify_table *table = &apply->catalog.tables[i];
		if (strcmp(table->name, name) == 0) {
			return !table->is_view && table->extension == NULL &&
					table->pending[bm_apply_side(apply, BM_APPLY_FROM)] ==
					NULL;
		}
	}
	return false;
}

static const struct bm_verify_table *table_named(const struct bm_apply *apply, const char *name)
{
	const struct bm_verify_table *found = NULL;

	for (size_t i = 0; found == NULL && i < apply->catalog.count; i++) {
		if (strcmp(apply->catalog.tables[i].name, name) == 0) {
			found = &apply->catalog.tables[i];
		}
	}
	return found;
}

struct work {
	struct bm_apply *apply;
	const char *const *names;
	size_t count;
	bool *differs;
	uint64_t *rows; /* of the side that is left */
};

/* ---- comparing ---- */

static int check_tables(const struct work *work, struct bm_error *err)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct bm_verify_table *table = table_named(work->apply, work->names[i]);
		if (table == NULL || table->problem != NULL) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"%s cannot be compared: %s", work->names[i],
					table != NULL ? table->problem : "it is new");
		}
	}
	return 0;
}

/* Those that are marked, or all; results are in their order. */
static void add_sums(const struct work *work, bool only_marked, struct bm_pipeline *pipeline)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < work->count; i++) {
		if (!only_marked || work->differs[i]) {
			bm_strbuf_clear(&sql);
			bm_digest_sums_sql(&work->apply->digest,
					table_named(work->apply, work->names[i]), "0", "",
					&sql);
			bm_pipeline_add(pipeline, bm_strbuf_text(&sql), 0, NULL);
		}
	}
	bm_strbuf_finish(&sql);
}

static void take_sums(struct work *work, bool only_marked, const struct bm_pipeline *pipelines,
		const size_t *first)
{
	size_t place = 0;

	for (size_t i = 0; i < work->count; i++) {
		if (only_marked && !work->differs[i]) {
			continue;
		}
		const PGresult *rows[BM_APPLY_ENDS];
		struct bm_sums sums;
		bm_sums_init(&sums, 0, 1);
		for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
			rows[end] = pipelines[end].results[first[end] + place];
			bm_sums_take(&sums, bm_apply_side(work->apply, end), rows[end], 1);
		}
		work->differs[i] = bm_sums_differ(&sums, 0);
		work->rows[i] = (uint64_t)sums.sides[bm_apply_side(work->apply, BM_APPLY_FROM)]
						    [0]
								    .rows;
		bm_sums_finish(&sums);
		place++;
	}
}

/* Both sides at once. `begins`: transactions of ours. */
static int compare(struct work *work, bool only_marked, bool begins, struct bm_error *err)
{
	struct bm_apply *apply = work->apply;
	struct bm_pipeline pipelines[BM_APPLY_ENDS] = {0};
	size_t first[BM_APPLY_ENDS] = {0};
	int rc = 0;

	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		rc = bm_pipeline_begin(
				&pipelines[end], apply->conns[end], apply->deadline_msec, err);
		if (rc == 0 && begins && (end == BM_APPLY_TO || !apply->is_callers)) {
			bm_pipeline_add(&pipelines[end], "BEGIN", 0, NULL);
			bm_apply_add_limits(apply, &pipelines[end]);
		}
		if (rc == 0) {
			first[end] = pipelines[end].count;
			add_sums(work, only_marked, &pipelines[end]);
		}
	}
	for (enum bm_apply_end end = 0; rc == 0 && end < BM_APPLY_ENDS; end++) {
		if (bm_pipeline_end(&pipelines[end], NULL, err) != 0) {
			rc = bm_error_wrap(err, "%s", bm_apply_end_name(apply, end));
		}
	}
	if (rc == 0) {
		take_sums(work, only_marked, pipelines, first);
	}
	for (enum bm_apply_end end = 0; end < BM_APPLY_ENDS; end++) {
		bm_pipeline_finish(&pipelines[end]);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "comparing tables without a key");
}

/* ---- copying ---- */

static int copy_one(struct bm_apply *apply, const char *name, struct bm_error *err)
{
	PGresult *columns = bm_ask(apply->conns[BM_APPLY_FROM], columns_sql, 1, &name,
			bm_apply_left(apply), err);
	struct bm_strbuf sql = BM_STRBUF_INIT;

	if (columns == NULL) {
		return -1;
	}
	bm_strbuf_printf(&sql, "DELETE FROM ONLY %s", name);
	PGresult *gone = bm_ask(apply->conns[BM_APPLY_TO], bm_strbuf_text(&sql), 0, NULL,
			bm_apply_left(apply), err);
	bm_strbuf_finish(&sql);
	if (gone == NULL) {
		PQclear(columns);
		return -1;
	}
	PQclear(gone);
	const char *list = PQgetvalue(columns, 0, 0);
	char *copy_out = bm_format("COPY (SELECT %s FROM ONLY %s) TO STDOUT", list, name);
	/* A table may have no columns, and rows all the same. */
	char *copy_in = list[0] == '\0' ? bm_format("COPY %s FROM STDIN", name)
					: bm_format("COPY %s (%s) FROM STDIN", name, list);
	struct bm_relay_item item = {.name = name, .copy_out = copy_out, .copy_in = copy_in};
	int rc = bm_relay_run_until(apply->conns[BM_APPLY_FROM], apply->conns[BM_APPLY_TO],
			&item, 1, apply->deadline_msec, err);
	if (rc != 0) { /* in the middle of something */
		bm_pipeline_cut(apply->conns[BM_APPLY_FROM]);
		bm_pipeline_cut(apply->conns[BM_APPLY_TO]);
	}
	free(copy_out);
	free(copy_in);
	PQclear(columns);
	return rc;
}

static int copy_marked(
		struct work *work, struct bm_apply_whole_result *result, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < work->count; i++) {
		if (work->differs[i]) {
			rc = copy_one(work->apply, work->names[i], err);
			rc = rc == 0 ? 0
				     : bm_error_wrap(err, "copying %s again", work->names[i]);
			result->copied++;
			result->rows += work->rows[i];
		}
	}
	if (rc == 0 && result->copied > 0) {
		rc = compare(work, true, false, err);
	}
	for (size_t i = 0; rc == 0 && i < work->count; i++) {
		if (work->differs[i]) {
			rc = bm_error_set(err, BM_ERR_PRECONDITION,
					"%s differs after it was copied again: something on the "
					"%s changes its rows",
					work->names[i],
					bm_apply_end_name(work->apply, BM_APPLY_TO));
		}
	}
	return rc;
}

/* ---- both ---- */

static int end(struct bm_apply *apply, enum bm_apply_end which, const char *sql,
		uint64_t limit_msec, struct bm_error *err)
{
	PGresult *done = PQstatus(apply->conns[which]) == CONNECTION_OK
			? bm_ask(apply->conns[which], sql, 0, NULL, limit_msec, err)
			: NULL;

	PQclear(done);
	return done != NULL ? 0 : -1;
}

static int run(struct work *work, bool copies, struct bm_apply_whole_result *result,
		struct bm_error *err)
{
	struct bm_apply *apply = work->apply;
	struct bm_error ignored = BM_ERROR_INIT;
	int rc = compare(work, false, true, err);

	for (size_t i = 0; rc == 0 && !copies && i < work->count; i++) {
		result->rows += work->rows[i];
	}
	rc = rc == 0 && copies ? copy_marked(work, result, err) : rc;
	if (rc == 0) {
		rc = end(apply, BM_APPLY_TO, "COMMIT", bm_apply_left(apply), err);
	} else {
		end(apply, BM_APPLY_TO, "ROLLBACK", ROLLBACK_MSEC, &ignored);
	}
	if (!apply->is_callers) {
		end(apply, BM_APPLY_FROM, "ROLLBACK", bm_apply_left(apply), &ignored);
	}
	return rc;
}

int bm_apply_whole(struct bm_apply *apply, const char *const *names, size_t count, bool copies,
		uint64_t limit_msec, struct bm_apply_whole_result *result, struct bm_error *err)
{
	struct work work = {.apply = apply,
			.names = names,
			.count = count,
			.differs = bm_alloc((count + 1) * sizeof(bool)),
			.rows = bm_alloc((count + 1) * sizeof(uint64_t))};
	uint64_t begun_msec = bm_clock_msec();

	*result = (struct bm_apply_whole_result){0};
	apply->deadline_msec = begun_msec + limit_msec;
	apply->is_callers = PQtransactionStatus(apply->conns[BM_APPLY_FROM]) == PQTRANS_INTRANS;
	int rc = check_tables(&work, err);
	rc = rc == 0 ? run(&work, copies, result, err) : rc;
	for (size_t i = 0; i < count; i++) {
		const struct bm_verify_table *table = table_named(apply, names[i]);
		result->bytes += table != NULL ? table->bytes : 0;
		result->rows += rc != 0 && table != NULL ? table->rows : 0;
	}
	result->msec = bm_clock_msec() - begun_msec;
	free(work.differs);
	free(work.rows);
	return rc;
}
