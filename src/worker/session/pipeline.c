#include "worker/session/pipeline.h"

#include <string.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"

#define LIBPQ_VERSION 140000

int bm_pipeline_begin(struct bm_pipeline *pipeline, PGconn *conn, uint64_t deadline_msec,
		struct bm_error *err)
{
	*pipeline = (struct bm_pipeline){
			.conn = conn, .deadline_msec = deadline_msec, .first = BM_ERROR_INIT};
	if (PQlibVersion() < LIBPQ_VERSION) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"libpq 14 or later is needed for this, here is %d",
				PQlibVersion() / 10000);
	}
	PQsetnonblocking(conn, 1);
	if (PQenterPipelineMode(conn) == 0) {
		return bm_ask_lost(conn, err);
	}
	pipeline->is_open = true;
	return 0;
}

/* What was said goes out at once; answers that come meanwhile are taken, or both sides would
 * wait for each other. */
static size_t added(struct bm_pipeline *pipeline, int sent)
{
	if (pipeline->first.code != BM_ERR_NONE) {
		return pipeline->count;
	}
	if (sent == 0) {
		bm_ask_lost(pipeline->conn, &pipeline->first);
		return pipeline->count;
	}
	bm_ask_flush(pipeline->conn, pipeline->deadline_msec, &pipeline->first);
	return pipeline->count++;
}

size_t bm_pipeline_add(struct bm_pipeline *pipeline, const char *sql, int count,
		const char *const *params)
{
	return added(pipeline,
			PQsendQueryParams(pipeline->conn, sql, count, NULL, params, NULL, NULL,
					0));
}

size_t bm_pipeline_prepare(struct bm_pipeline *pipeline, const char *name, const char *sql)
{
	return added(pipeline, PQsendPrepare(pipeline->conn, name, sql, 0, NULL));
}

size_t bm_pipeline_execute(struct bm_pipeline *pipeline, const char *name, int count,
		const char *const *params)
{
	return added(pipeline,
			PQsendQueryPrepared(
					pipeline->conn, name, count, params, NULL, NULL, 0));
}

/* One result, and the NULL after it. */
static int take(struct bm_pipeline *pipeline, size_t place, struct bm_error *err)
{
	PGresult *none = NULL;

	if (bm_ask_next(pipeline->conn, pipeline->deadline_msec, &pipeline->results[place],
			    err) != 0 ||
			bm_ask_next(pipeline->conn, pipeline->deadline_msec, &none, err) != 0) {
		return -1;
	}
	PQclear(none);
	if (pipeline->results[place] == NULL) {
		return bm_ask_lost(pipeline->conn, err);
	}
	return 0;
}

/* The answer to the synchronisation, which is the last one. */
static int leave(struct bm_pipeline *pipeline, struct bm_error *err)
{
	PGresult *last = NULL;

	if (bm_ask_next(pipeline->conn, pipeline->deadline_msec, &last, err) != 0) {
		return -1;
	}
	bool is_sync = PQresultStatus(last) == PGRES_PIPELINE_SYNC;
	PQclear(last);
	if (!is_sync || PQexitPipelineMode(pipeline->conn) == 0) {
		return bm_ask_lost(pipeline->conn, err);
	}
	pipeline->is_open = false;
	return 0;
}

int bm_pipeline_end(struct bm_pipeline *pipeline, size_t *failed, struct bm_error *err)
{
	size_t bad = pipeline->count;

	if (pipeline->first.code != BM_ERR_NONE) {
		*err = pipeline->first;
		return -1;
	}
	if (PQpipelineSync(pipeline->conn) == 0) {
		return bm_ask_lost(pipeline->conn, err);
	}
	pipeline->results = bm_alloc((pipeline->count + 1) * sizeof(*pipeline->results));
	if (bm_ask_flush(pipeline->conn, pipeline->deadline_msec, err) != 0) {
		return -1;
	}
	for (size_t i = 0; i < pipeline->count; i++) {
		if (take(pipeline, i, err) != 0) {
			return -1;
		}
		if (bad == pipeline->count && !bm_ask_is_good(pipeline->results[i])) {
			bad = i;
		}
	}
	if (leave(pipeline, err) != 0) {
		return -1;
	}
	if (bad < pipeline->count) {
		bm_ask_failed(pipeline->conn, pipeline->results[bad], err);
		if (failed != NULL) {
			*failed = bad;
		}
		return -1;
	}
	return 0;
}

void bm_pipeline_finish(struct bm_pipeline *pipeline)
{
	for (size_t i = 0; pipeline->results != NULL && i < pipeline->count; i++) {
		PQclear(pipeline->results[i]);
	}
	free(pipeline->results);
	if (pipeline->is_open) {
		bm_pipeline_cut(pipeline->conn);
	}
	*pipeline = (struct bm_pipeline){.conn = pipeline->conn};
}

void bm_pipeline_cut(PGconn *conn)
{
	if (PQsocket(conn) >= 0) {
		shutdown(PQsocket(conn), SHUT_RDWR);
		PQconsumeInput(conn);
	}
}
