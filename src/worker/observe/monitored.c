/* A database, its thread, and what it last said. */
#include "worker/observe/monitored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/deltas/delta_repair.h"

/* Probing may keep a server busy for a tenth of the time or so. */
#define REST_FACTOR 10
#define REST_LIMIT_MSEC 10000

/* A database that is unreachable is tried this often at least, so that it is back soon. */
#define RETRY_LIMIT_MSEC 2000

/* A run's work is credited for no longer than this per probe. */
#define WORKED_LIMIT_MSEC 5000

/* How often the deltas of a declared sync are requeued, and purged. */
#define REQUEUE_MSEC 3000
#define PURGE_MSEC 30000

/* A sync with rows that wait has a run more often than that. */
#define IDLE_MSEC 15000

/* What is to be asked about one sync: copied, as the catalog may change meanwhile. */
struct job {
	char *sync, *target, owner[24];
	bool is_source;
	int backend_pid;
	bool collided, idle; /* of its runs, see batch_limit.h */
};

/* ---- jobs and probes ---- */

static void free_jobs(struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(jobs[i].sync);
		free(jobs[i].target);
	}
	free(jobs);
}

static bool is_long_ago(int64_t age_msec)
{
	return age_msec < 0 || age_msec > IDLE_MSEC;
}

static void add_job(struct job **jobs, size_t *count, const struct bm_catalog *catalog,
		const struct bm_catalog_sync *sync, const struct bm_catalog_member *member)
{
	bool is_bad = sync->bad_age_msec >= 0 &&
			(sync->good_age_msec < 0 || sync->bad_age_msec < sync->good_age_msec);

	*jobs = bm_realloc(*jobs, *count + 1, sizeof(**jobs));
	(*jobs)[(*count)++] = (struct job){
			.sync = bm_strdup(sync->name),
			.target = bm_strdup(sync->target),
			.is_source = member->is_source,
			.backend_pid = sync->run_open ? member->backend_pid : 0,
			.collided = is_bad && bm_batch_limit_is_collision(sync->bad_text),
			.idle = !sync->run_open && is_long_ago(sync->good_age_msec) &&
					is_long_ago(sync->bad_age_msec),
	};
	snprintf((*jobs)[*count - 1].owner, sizeof((*jobs)[*count - 1].owner), "%s",
			catalog->owner);
}

static struct job *copy_jobs(struct bm_monitored *monitored, size_t *count)
{
	const struct bm_catalog *catalog = &monitored->sampler->catalog;
	struct job *jobs = NULL;

	*count = 0;
	pthread_mutex_lock(&monitored->sampler->lock);
	for (size_t i = 0; i < catalog->sync_count; i++) {
		const struct bm_catalog_sync *sync = &catalog->syncs[i];
		for (size_t m = 0; m < sync->member_count; m++) {
			const char *db = catalog->dbs[sync->members[m].db].name;
			if (strcmp(db, monitored->name) == 0) {
				add_job(&jobs, count, catalog, sync, &sync->members[m]);
			}
		}
	}
	pthread_mutex_unlock(&monitored->sampler->lock);
	return jobs;
}

const struct bm_sync_probe *bm_monitored_probe(
		const struct bm_monitored *monitored, const char *sync)
{
	for (size_t i = 0; i < monitored->probe_count; i++) {
		if (strcmp(monitored->probes[i].sync, sync) == 0) {
			return &monitored->probes[i];
		}
	}
	return NULL;
}

static void free_findings(struct bm_sync_probe *probes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(probes[i].sync);
	}
	free(probes);
}

static void touch(struct bm_monitored *monitored)
{
	pthread_mutex_lock(&monitored->sampler->lock);
	monitored->asking_since_msec = bm_clock_msec();
	pthread_mutex_unlock(&monitored->sampler->lock);
}

/* ---- what a probe finds ---- */

/* Lock held. */
static void set_reach(struct bm_monitored *monitored, enum bm_reach reach, const char *error)
{
	if (monitored->reach != reach) {
		monitored->reach = reach;
		monitored->since_msec = bm_clock_msec();
	}
	snprintf(monitored->error, sizeof(monitored->error), "%s", error);
	bm_sampler_wake(monitored->sampler);
}

static void publish_reachable(struct bm_monitored *monitored)
{
	pthread_mutex_lock(&monitored->sampler->lock);
	set_reach(monitored, BM_REACH_YES, "");
	pthread_mutex_unlock(&monitored->sampler->lock);
}

static void publish_unreachable(struct bm_monitored *monitored, const struct bm_error *why)
{
	char text[400];

	snprintf(text, sizeof(text), "%.300s", why->message);
	if (why->code == BM_ERR_TIMEOUT) {
		snprintf(text, sizeof(text), "%.300s: gave up after %u s", why->message,
				(unsigned)(monitored->sampler->timeout_msec / 1000));
	}
	pthread_mutex_lock(&monitored->sampler->lock);
	set_reach(monitored, BM_REACH_NO, text);
	for (size_t i = 0; i < monitored->probe_count; i++) {
		monitored->probes[i].is_known = false;
		monitored->probes[i].session = (struct bm_session){0};
	}
	pthread_mutex_unlock(&monitored->sampler->lock);
}

static void publish_findings(
		struct bm_monitored *monitored, struct bm_sync_probe *probes, size_t count)
{
	pthread_mutex_lock(&monitored->sampler->lock);
	struct bm_sync_probe *old = monitored->probes;
	size_t old_count = monitored->probe_count;
	monitored->probes = probes;
	monitored->probe_count = count;
	bm_sampler_wake(monitored->sampler);
	pthread_mutex_unlock(&monitored->sampler->lock);
	free_findings(old, old_count);
}

/* Only this thread writes the probes: reading them here needs no lock. */
static void credit_work(const struct bm_monitored *monitored, struct bm_sync_probe *probe)
{
	const struct bm_sync_probe *old = bm_monitored_probe(monitored, probe->sync);

	if (old == NULL) {
		return;
	}
	uint64_t passed = probe->taken_msec - old->taken_msec;
	probe->worked_msec = old->worked_msec;
	if (probe->session.works) {
		probe->worked_msec += passed < WORKED_LIMIT_MSEC ? (int64_t)passed
								 : WORKED_LIMIT_MSEC;
	}
}

/* Where it is not a declared sync this is one statement every few seconds. */
static int reconcile(struct bm_monitored *monitored, PGconn *conn, const struct job *job,
		struct bm_sync_probe *probe, struct bm_error *err)
{
	const struct bm_sync_probe *old = bm_monitored_probe(monitored, probe->sync);
	uint64_t now_msec = bm_clock_msec();
	int64_t requeued;

	probe->requeued_msec = old != NULL ? old->requeued_msec : 0;
	probe->purged_msec = old != NULL ? old->purged_msec : now_msec;
	probe->requeued_rows = old != NULL ? old->requeued_rows : 0;
	if (now_msec - probe->requeued_msec < REQUEUE_MSEC) {
		return 0;
	}
	bool purge = now_msec - probe->purged_msec >= PURGE_MSEC;
	probe->requeued_msec = now_msec;
	probe->purged_msec = purge ? now_msec : probe->purged_msec;
	touch(monitored);
	const struct bm_batch_limit_state limit = {
			probe->backlog.rows, probe->backlog.deferred, job->collided, job->idle};
	if (bm_delta_repair_run(conn, probe->sync, job->owner, purge,
			    probe->is_known ? &limit : NULL, monitored->sampler->timeout_msec,
			    &requeued, err) != 0) {
		return err->code == BM_ERR_SQL ? 0 : -1;
	}
	if (old != NULL && requeued > old->requeued_rows) {
		fprintf(stderr, "%s: sync %s: %" PRId64 " rows shared a txntime, requeued\n",
				monitored->name, probe->sync, requeued - old->requeued_rows);
	}
	probe->requeued_rows = requeued;
	return 0;
}

/* -1 when the connection is of no use any more; a refusal leaves it unknown. */
static int do_job(struct bm_monitored *monitored, PGconn *conn, const struct job *job,
		struct bm_sync_probe *probe, struct bm_error *err)
{
	uint64_t limit = monitored->sampler->timeout_msec;

	probe->sync = bm_strdup(job->sync);
	if (job->backend_pid > 0) {
		touch(monitored);
		int rc = bm_sync_probe_session(
				conn, job->backend_pid, limit, &probe->session, err);
		if (rc != 0 && err->code != BM_ERR_SQL) {
			return -1;
		}
	}
	if (job->is_source) {
		touch(monitored);
		probe->is_known = bm_sync_probe_backlog(conn, job->sync, job->target, limit,
						  &probe->backlog, err) == 0;
		if (!probe->is_known && err->code != BM_ERR_SQL) {
			return -1;
		}
		if (reconcile(monitored, conn, job, probe, err) != 0) {
			return -1;
		}
	}
	probe->taken_msec = bm_clock_msec();
	credit_work(monitored, probe);
	return 0;
}

static int do_jobs(struct bm_monitored *monitored, PGconn *conn, size_t *statements,
		struct bm_error *err)
{
	size_t count, done = 0;
	struct job *jobs = copy_jobs(monitored, &count);
	struct bm_sync_probe *probes = bm_alloc((count + 1) * sizeof(*probes));
	int rc = 0;

	while (done < count && rc == 0) {
		rc = do_job(monitored, conn, &jobs[done], &probes[done], err);
		*statements += (jobs[done].backend_pid > 0) + 2 * (size_t)jobs[done].is_source;
		done++;
	}
	if (rc == 0) {
		publish_findings(monitored, probes, count);
	} else {
		free_findings(probes, done);
	}
	free_jobs(jobs, count);
	return rc;
}

/* ---- the thread ---- */

static PGconn *connect_and_begin(struct bm_monitored *monitored, struct bm_error *err)
{
	uint64_t limit = monitored->sampler->timeout_msec;

	if (monitored->config_problem[0] != '\0') {
		bm_error_set(err, BM_ERR_CONFIG, "%s", monitored->config_problem);
		return NULL;
	}
	PGconn *conn = bm_ask_connect(&monitored->info, BM_SESSION_WORKER, limit, err);
	if (conn != NULL && bm_sync_probe_begin(conn, limit, err) != 0) {
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

static uint64_t more_than(uint64_t value, uint64_t base)
{
	return value > base ? value - base : 0;
}

/* What Bucardo made there, for a sync that a person added too, is made safe to be called. */
static int pin_functions(struct bm_monitored *monitored, PGconn *conn, struct bm_error *err)
{
	uint64_t now_msec = bm_clock_msec();

	if (now_msec - monitored->pinned_msec < REQUEUE_MSEC) {
		return 0;
	}
	monitored->pinned_msec = now_msec;
	touch(monitored);
	int rc = bm_capture_pin(conn, monitored->sampler->timeout_msec, err);
	if (rc != 0 && err->code == BM_ERR_SQL) {
		fprintf(stderr, "%s: functions of schema bucardo keep their search_path: %s\n",
				monitored->name, err->message);
		rc = 0;
	}
	return rc;
}

/*
 * Ask all there is to ask. `work_msec` estimates how long the server was busy with
 * it: the time it took without that of the way there and back, as a ping took.
 */
static int ask_all(struct bm_monitored *monitored, PGconn *conn, uint64_t *work_msec,
		struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	size_t statements = 0;

	if (bm_sync_probe_ping(conn, monitored->sampler->timeout_msec, err) != 0) {
		return -1;
	}
	uint64_t pinged_msec = bm_clock_msec();
	publish_reachable(monitored);
	int rc = do_jobs(monitored, conn, &statements, err);
	if (rc == 0) {
		rc = pin_functions(monitored, conn, err);
		statements++;
	}
	*work_msec = more_than(
			bm_clock_msec() - pinged_msec, (pinged_msec - begun_msec) * statements);
	return rc;
}

/* One probe; keeps or replaces the connection. Returns whether all went well. */
static bool probe_once(struct bm_monitored *monitored, PGconn **conn, uint64_t *work_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	touch(monitored);
	if (*conn == NULL) {
		*conn = connect_and_begin(monitored, &err);
	}
	bool good = *conn != NULL && ask_all(monitored, *conn, work_msec, &err) == 0;
	if (!good) {
		PQfinish(*conn);
		*conn = NULL;
		publish_unreachable(monitored, &err);
	}
	pthread_mutex_lock(&monitored->sampler->lock);
	monitored->asking_since_msec = 0;
	pthread_mutex_unlock(&monitored->sampler->lock);
	return good;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static uint64_t rest_after(const struct bm_sampler *sampler, bool good, uint64_t work_msec)
{
	uint64_t interval = sampler->interval_msec;

	if (!good) {
		return interval < RETRY_LIMIT_MSEC ? interval : RETRY_LIMIT_MSEC;
	}
	uint64_t wanted = at_most(work_msec * REST_FACTOR, REST_LIMIT_MSEC);
	return wanted > interval ? wanted : interval;
}

static void destroy(struct bm_monitored *monitored)
{
	free_findings(monitored->probes, monitored->probe_count);
	bm_conninfo_finish(&monitored->info);
	free(monitored->config_problem);
	free(monitored->name);
	free(monitored);
}

static bool is_gone(struct bm_monitored *monitored)
{
	pthread_mutex_lock(&monitored->sampler->lock);
	bool gone = monitored->is_gone;
	pthread_mutex_unlock(&monitored->sampler->lock);
	return gone;
}

static void *run(void *argument)
{
	struct bm_monitored *monitored = argument;
	PGconn *conn = NULL;
	unsigned renewal = 0;

	while (!is_gone(monitored)) {
		uint64_t work_msec = 0;
		if (bm_sampler_renews(monitored->sampler, &renewal)) {
			PQfinish(conn);
			conn = NULL;
		}
		bool good = probe_once(monitored, &conn, &work_msec);
		bm_sampler_rest(monitored->sampler,
				rest_after(monitored->sampler, good, work_msec),
				&monitored->is_gone);
	}
	PQfinish(conn);
	destroy(monitored); /* off the list since it is gone */
	return NULL;
}

/* ---- which databases there are; lock held ---- */

struct bm_monitored *bm_monitored_find(struct bm_sampler *sampler, const char *name)
{
	struct bm_monitored *monitored = sampler->monitored;

	while (monitored != NULL && strcmp(monitored->name, name) != 0) {
		monitored = monitored->next;
	}
	return monitored;
}

static const struct bm_catalog_db *find_in_catalog(
		const struct bm_catalog *catalog, const struct bm_monitored *monitored)
{
	for (size_t i = 0; i < catalog->db_count; i++) {
		const struct bm_catalog_db *db = &catalog->dbs[i];
		if (strcmp(db->name, monitored->name) == 0 &&
				strcmp(db->problem, monitored->config_problem) == 0 &&
				bm_conninfo_equal(&db->info, &monitored->info)) {
			return db;
		}
	}
	return NULL;
}

static void drop_gone(struct bm_sampler *sampler)
{
	for (struct bm_monitored **link = &sampler->monitored; *link != NULL;) {
		struct bm_monitored *monitored = *link;
		if (find_in_catalog(&sampler->catalog, monitored) != NULL) {
			link = &monitored->next;
			continue;
		}
		*link = monitored->next;
		monitored->is_gone = true;
	}
}

static void add_monitored(struct bm_sampler *sampler, const struct bm_catalog_db *db)
{
	struct bm_monitored *monitored = bm_alloc(sizeof(*monitored));
	struct bm_error err = BM_ERROR_INIT;

	monitored->sampler = sampler;
	monitored->name = bm_strdup(db->name);
	monitored->config_problem = bm_strdup(db->problem);
	monitored->since_msec = bm_clock_msec();
	bm_conninfo_copy(&db->info, &monitored->info);
	if (bm_sampler_start_thread(run, monitored, &err) != 0) {
		destroy(monitored); /* the next probe tries again */
		return;
	}
	monitored->next = sampler->monitored;
	sampler->monitored = monitored;
}

void bm_monitored_reconcile(struct bm_sampler *sampler)
{
	drop_gone(sampler);
	for (size_t i = 0; i < sampler->catalog.db_count; i++) {
		if (bm_monitored_find(sampler, sampler->catalog.dbs[i].name) == NULL) {
			add_monitored(sampler, &sampler->catalog.dbs[i]);
		}
	}
	pthread_cond_broadcast(&sampler->wake);
}

void bm_monitored_expire(struct bm_sampler *sampler, uint64_t now_msec)
{
	/* Two statements and a little: what keeps its limits is never caught. */
	uint64_t limit_msec = 2 * sampler->timeout_msec + 2000;

	for (struct bm_monitored *monitored = sampler->monitored; monitored != NULL;
			monitored = monitored->next) {
		if (monitored->asking_since_msec != 0 && monitored->reach != BM_REACH_NO &&
				now_msec - monitored->asking_since_msec > limit_msec) {
			set_reach(monitored, BM_REACH_NO,
					"no answer: looking up the name of its host hangs");
		}
	}
}
