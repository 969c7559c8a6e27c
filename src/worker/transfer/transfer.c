/*
 * The beginning and the end of a transfer: both connections, who may write to the
 * destination, the snapshot of the source, and the sessions of its workers.
 *
 * Two advisory locks on the destination: one for the run, one that all its workers
 * share. A run that was killed leaves sessions behind for a moment, and one of them
 * may be about to commit a chunk: only when they are gone is the ledger read.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/table_filter.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "worker/transfer/internal.h"
#include "worker/transfer/moments.h"

#define LOCK_RUN_KEY "781077321"
#define LOCK_WORKERS_KEY "781077322"

#define LOCK_LIMIT_MSEC 60000
#define LOCK_RETRY_MSEC 200

void bm_transfer_note(struct bm_transfer *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* As long as it is: a name that is cut off is left out in silence. */
	char *text = bm_alloc((size_t)(length > 0 ? length : 0) + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)(length > 0 ? length : 0) + 1, format, args);
	va_end(args);
	if (t->options.note != NULL) {
		t->options.note(t->options.ctx, text);
	}
	free(text);
}

void bm_transfer_find(
		struct bm_transfer *t, const char *object, const char *why, const char *hint)
{
	if (t->options.find != NULL) {
		t->options.find(t->options.ctx, object, why, hint);
	} else {
		bm_transfer_note(t, "%s: %s%s%s", object, why,
				hint[0] != '\0' ? "; hint: " : "", hint);
	}
}

/* ---- sessions ---- */

static int take_snapshot(struct bm_transfer *t, struct bm_error *err)
{
	t->snapshot_session = bm_endpoint_connect(&t->source, err);
	if (t->snapshot_session == NULL) {
		return -1;
	}
	unsigned timeline = bm_moment_timeline(t->snapshot_session);
	if (bm_sql_do(t->snapshot_session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
			    err) != 0) {
		return -1;
	}
	free(t->moment);
	t->moment = bm_moment_read(t->snapshot_session, timeline, err);
	char *id = t->moment == NULL
			? NULL
			: bm_sql_value(t->snapshot_session, "SELECT pg_export_snapshot()", err);
	if (id == NULL) {
		return bm_error_wrap(err, "taking a snapshot of the source");
	}
	bm_text_copy(t->snapshot, sizeof(t->snapshot), id);
	free(id);
	return 0;
}

static int hold_locked(struct bm_transfer *t, struct bm_error *err)
{
	if (t->snapshot_session != NULL &&
			bm_sql_do(t->snapshot_session, "SELECT 1", NULL) == 0) {
		return 0;
	}
	t->renewals += t->snapshot_session != NULL;
	PQfinish(t->snapshot_session);
	t->snapshot_session = NULL;
	t->snapshot[0] = '\0';
	if (take_snapshot(t, err) != 0) {
		PQfinish(t->snapshot_session);
		t->snapshot_session = NULL;
		return -1;
	}
	return 0;
}

int bm_snapshot_hold(struct bm_transfer *t, struct bm_error *err)
{
	pthread_mutex_lock(&t->mutex);
	int rc = hold_locked(t, err);
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

void bm_snapshot_expire(struct bm_transfer *t, const char *snapshot)
{
	pthread_mutex_lock(&t->mutex);
	if (t->snapshot_session != NULL && strcmp(t->snapshot, snapshot) == 0) {
		PQfinish(t->snapshot_session);
		t->snapshot_session = NULL;
		t->renewals++;
	}
	pthread_mutex_unlock(&t->mutex);
}

PGconn *bm_snapshot_join(
		struct bm_transfer *t, char snapshot[64], char **moment, struct bm_error *err)
{
	PGconn *conn = bm_endpoint_connect(&t->source, err);

	if (conn == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&t->mutex);
	int rc = hold_locked(t, err);
	char *sql = bm_format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
			      "SET TRANSACTION SNAPSHOT '%s'",
			t->snapshot);
	rc = rc == 0 ? bm_sql_do(conn, sql, err) : -1;
	if (rc == 0) {
		bm_text_copy(snapshot, sizeof(t->snapshot), t->snapshot);
		*moment = bm_strdup(t->moment);
	}
	pthread_mutex_unlock(&t->mutex);
	free(sql);
	if (rc != 0) {
		bm_error_wrap(err, "joining the snapshot of the source");
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

/*
 * More memory than this makes the building of an index slower, not quicker: it is touched
 * for the first time, and sorted outside of the processor's cache (6 million rows of text
 * on PostgreSQL 15, two processes: 128 MB 5.8 s, 256 MB 7.0 s, 512 MB 8.6 s). Less allows
 * for fewer processes: PostgreSQL wants 32 MB for each. All connections together get half
 * a gigabyte; what somebody set for this role, database or session counts instead.
 */
#define SORT_KB 131072
#define SORT_TOGETHER_KB 524288

static void give_memory(struct bm_transfer *t, PGconn *conn)
{
	char *sql = bm_format("SELECT set_config(name, greatest(setting::bigint, least(%d,"
			      " %d / %u)) || 'kB', false) FROM pg_settings"
			      " WHERE name = 'maintenance_work_mem'"
			      " AND source IN ('default', 'configuration file')",
			SORT_KB, SORT_TOGETHER_KB, t->options.jobs);

	bm_sql_do(conn, sql, NULL);
	free(sql);
}

PGconn *bm_destination_join(struct bm_transfer *t, struct bm_error *err)
{
	PGconn *conn = bm_endpoint_connect(&t->destination, err);

	if (conn == NULL) {
		return NULL;
	}
	/* Where it may: a chunk that is copied late must not fire triggers. */
	bm_sql_do(conn, BM_SESSION_REPLICA_SQL, NULL);
	give_memory(t, conn);
	if (bm_sql_do(conn, "SELECT pg_advisory_lock_shared(" LOCK_WORKERS_KEY ")", err) != 0) {
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

/* ---- who may begin ---- */

/* Try until it works: the server may need a moment to notice that a run was killed. */
static int take_lock(PGconn *conn, const char *key, struct bm_error *err)
{
	uint64_t deadline_msec = bm_clock_msec() + LOCK_LIMIT_MSEC;
	char *sql = bm_format("SELECT pg_try_advisory_lock(%s)", key);
	int rc = -1;

	for (;;) {
		char *got = bm_sql_value(conn, sql, err);
		bool locked = got != NULL && got[0] == 't';
		bool failed = got == NULL;
		free(got);
		if (locked || failed) {
			rc = locked ? 0 : -1;
			break;
		}
		if (bm_clock_msec() > deadline_msec) {
			bm_error_set(err, BM_ERR_PRECONDITION,
					"another run of bucardo-machine is at work on this "
					"destination (or its sessions are still ending): wait for "
					"it, or end its sessions with pg_terminate_backend()");
			break;
		}
		poll(NULL, 0, LOCK_RETRY_MSEC);
	}
	free(sql);
	return rc;
}

/* Unlike the workers', its commits wait for the disk. */
static int open_control(struct bm_transfer *t, struct bm_error *err)
{
	t->control = bm_endpoint_connect(&t->destination, err);
	if (t->control != NULL) {
		/* Where it may: event triggers of others are not for what we make. */
		bm_sql_do(t->control, BM_SESSION_REPLICA_SQL, NULL);
	}
	if (t->control == NULL ||
			bm_sql_do(t->control, "SET synchronous_commit = on", err) != 0 ||
			take_lock(t->control, LOCK_RUN_KEY, err) != 0 ||
			take_lock(t->control, LOCK_WORKERS_KEY, err) != 0) {
		return -1;
	}
	return bm_sql_do(t->control, "SELECT pg_advisory_unlock(" LOCK_WORKERS_KEY ")", err);
}

int bm_control_hold(struct bm_transfer *t, struct bm_error *err)
{
	if (t->control != NULL && bm_sql_do(t->control, "SELECT 1", NULL) == 0) {
		return 0;
	}
	PQfinish(t->control);
	return open_control(t, err);
}

static const char foreign_sql[] =
#include "worker/transfer/sql/foreign_objects.sql.inc"
		;

static int refuse_foreign_data(struct bm_transfer *t, struct bm_error *err)
{
	struct bm_error failure = BM_ERROR_INIT;
	char *found = bm_sql_value(t->control, foreign_sql, &failure);

	if (found == NULL && failure.code != BM_ERR_NONE) {
		*err = failure;
		return -1;
	}
	if (found != NULL) {
		bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination (%s) is not empty, and what is there was not "
				"copied by bucardo-machine: %s; clone into an empty database",
				t->destination.place, found);
	}
	free(found);
	return failure.code == BM_ERR_NONE && err->code == BM_ERR_NONE ? 0 : -1;
}

/* clang-format off */
static const char identity_sql[] =
#include "worker/transfer/sql/database_identity.sql.inc"
;
/* clang-format on */

static int identify(struct bm_transfer *t, struct bm_error *err)
{
	t->source_id = bm_sql_value(t->snapshot_session, identity_sql, err);
	char *target = bm_sql_value(t->control, identity_sql, err);
	char *super = bm_sql_value(t->control,
			"SELECT rolsuper FROM pg_roles WHERE rolname = current_user", err);
	int rc = t->source_id != NULL && target != NULL && super != NULL ? 0 : -1;

	if (rc == 0 && strcmp(t->source_id, target) == 0) {
		rc = bm_error_set(err, BM_ERR_CONFIG,
				"source and destination are the same database (%s)",
				t->source.place);
	}
	t->destination_is_superuser = super != NULL && super[0] == 't';
	free(target);
	free(super);
	return rc;
}

static void compare_servers(struct bm_transfer *t)
{
	const char *theirs = PQparameterStatus(t->control, "server_encoding");

	t->same_version = PQserverVersion(t->snapshot_session) / 10000 ==
			PQserverVersion(t->control) / 10000;
	/* "char" and the like carry bytes that no conversion sees. */
	t->binary_allowed = theirs != NULL && strcmp(theirs, t->source.encoding) == 0;
}

static int connect_both(struct bm_transfer *t, struct bm_error *err)
{
	PGconn *probe = bm_endpoint_connect(&t->source, err);
	if (probe == NULL) {
		return -1;
	}
	/* No conversion at the source; the destination converts and checks. */
	bm_text_copy(t->source.encoding, sizeof(t->source.encoding),
			PQparameterStatus(probe, "server_encoding"));
	bm_text_copy(t->destination.encoding, sizeof(t->destination.encoding),
			t->source.encoding);
	PQfinish(probe);
	if (open_control(t, err) != 0 || bm_snapshot_hold(t, err) != 0 ||
			identify(t, err) != 0) {
		return -1;
	}
	compare_servers(t);
	return 0;
}

/* Of a run that compares both databases at its end: nobody else would. */
static int refuse_trusted(const struct bm_transfer *t, struct bm_error *err)
{
	for (size_t i = 0; i < t->ledger.object_count; i++) {
		const struct bm_post_object *object = &t->ledger.objects[i];
		if (object->stage == BM_STAGE_FOREIGN &&
				(object->trusted ||
						(!object->done &&
								object->wave < BM_AFTER_ROWS))) {
			return bm_error_set(err, BM_ERR_PRECONDITION,
					"this destination was begun with --verify, and its foreign "
					"keys are made without a check of their rows (%s): say "
					"--verify again, or begin with an empty database",
					object->name);
		}
	}
	return 0;
}

static int look_at_destination(struct bm_transfer *t, struct bm_error *err)
{
	int exists = bm_ledger_exists(t->control, err);
	if (exists < 0) {
		return -1;
	}
	const struct bm_ledger_subject subject = {t->source_id, t->filter};
	if (exists == 0) {
		return refuse_foreign_data(t, err);
	}
	int rc = bm_ledger_read(t->control, &subject, &t->ledger, err);
	return rc != 0 || t->options.trust_keys || t->options.captured ? rc
								       : refuse_trusted(t, err);
}

struct bm_transfer *bm_transfer_open(
		const struct bm_transfer_options *options, struct bm_error *err)
{
	struct bm_transfer *t = bm_alloc(sizeof(*t));
	struct bm_error failure = BM_ERROR_INIT;

	t->options = *options;
	t->options.jobs = options->jobs != 0 ? options->jobs : 4;
	t->options.chunk_bytes = options->chunk_bytes != 0 ? options->chunk_bytes
							   : BM_TRANSFER_CHUNK_BYTES;
	t->may_be_whole = options->chunk_bytes == 0 && options->max_rate == 0;
	t->filter = bm_table_filter_is_made(&options->filter)
			? bm_table_filter_param(&options->filter)
			: bm_strdup("");
	t->progress.begun_msec = bm_clock_msec();
	t->progress.phase = "connect";
	pthread_mutex_init(&t->mutex, NULL);
	pthread_mutex_init(&t->path_mutex, NULL);
	bm_rate_limit_init(&t->rate_limit, options->max_rate, t->progress.begun_msec);
	bm_activity_init(&t->progress.activity);
	if (bm_endpoint_init(&t->source, "source", options->source, &failure) != 0 ||
			bm_endpoint_init(&t->destination, "destination", options->destination,
					&failure) != 0 ||
			connect_both(t, &failure) != 0 ||
			look_at_destination(t, &failure) != 0) {
		*err = failure;
		bm_transfer_close(t);
		return NULL;
	}
	return t;
}

void bm_transfer_close(struct bm_transfer *t)
{
	if (t == NULL) {
		return;
	}
	PQfinish(t->snapshot_session);
	PQfinish(t->control);
	free(t->outside);
	bm_sequences_forget(t);
	bm_strbuf_finish(&t->large_object_news);
	bm_strbuf_finish(&t->path_news);
	bm_tables_finish(&t->tables);
	bm_ledger_finish(&t->ledger);
	bm_endpoint_finish(&t->source);
	bm_endpoint_finish(&t->destination);
	pthread_mutex_destroy(&t->mutex);
	pthread_mutex_destroy(&t->path_mutex);
	PQfinish(t->path_source);
	free(t->usual_path);
	bm_rate_limit_finish(&t->rate_limit);
	bm_activity_finish(&t->progress.activity);
	bm_left_finish(&t->left);
	free(t->source_id);
	free(t->filter);
	free(t->moment);
	free(t->blamed);
	free(t);
}

unsigned bm_transfer_trusted_keys(const struct bm_transfer *t)
{
	unsigned count = 0;

	for (size_t i = 0; i < t->ledger.object_count; i++) {
		count += t->ledger.objects[i].trusted;
	}
	return count;
}

bool bm_transfer_is_finished(const struct bm_transfer *t)
{
	return t->ledger.finished;
}

struct bm_transfer_progress bm_transfer_progress(struct bm_transfer *t)
{
	return bm_progress_view(&t->progress, t->ledger.finished);
}
