/* A database, its thread, and what it last said. */
#include "worker/observe/watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"
#include "worker/deltas/capture_triggers.h"
#include "worker/deltas/lossless.h"

/* Looking may keep a server busy for a tenth of the time or so. */
#define REST_FACTOR 10
#define REST_LIMIT_MSEC 10000

/* A database that is away is tried this often at least, so that it is back soon. */
#define RETRY_LIMIT_MSEC 2000

/* A run's work is credited for no longer than this per look. */
#define WORKED_LIMIT_MSEC 5000

/* How often the deltas of a declared sync are healed, and purged. */
#define HEAL_MSEC 3000
#define PURGE_MSEC 30000

/* A sync with rows that wait has a run more often than that. */
#define IDLE_MSEC 15000

/* What is to be asked about one sync: copied, as the catalog may change meanwhile. */
struct job {
	char *sync, *target;
	char owner[24];
	bool is_source;
	int backend_pid;
	bool collided, idle; /* of its runs, see staging.h */
};

/* ---- jobs and findings ---- */

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
			.collided = is_bad && bm_staging_is_collision(sync->bad_text),
			.idle = !sync->run_open && is_long_ago(sync->good_age_msec) &&
					is_long_ago(sync->bad_age_msec),
	};
	snprintf((*jobs)[*count - 1].owner, sizeof((*jobs)[*count - 1].owner), "%s",
			catalog->owner);
}

static struct job *copy_jobs(struct bm_watched *watched, size_t *count)
{
	const struct bm_catalog *catalog = &watched->board->catalog;
	struct job *jobs = NULL;

	*count = 0;
	pthread_mutex_lock(&watched->board->lock);
	for (size_t i = 0; i < catalog->sync_count; i++) {
		const struct bm_catalog_sync *sync = &catalog->syncs[i];
		for (size_t m = 0; m < sync->member_count; m++) {
			const char *db = catalog->dbs[sync->members[m].db].name;
			if (strcmp(db, watched->name) == 0) {
				add_job(&jobs, count, catalog, sync, &sync->members[m]);
			}
		}
	}
	pthread_mutex_unlock(&watched->board->lock);
	return jobs;
}

const struct bm_finding *bm_watched_finding(const struct bm_watched *watched, const char *sync)
{
	for (size_t i = 0; i < watched->finding_count; i++) {
		if (strcmp(watched->findings[i].sync, sync) == 0) {
			return &watched->findings[i];
		}
	}
	return NULL;
}

static void free_findings(struct bm_finding *findings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(findings[i].sync);
	}
	free(findings);
}

static void touch(struct bm_watched *watched)
{
	pthread_mutex_lock(&watched->board->lock);
	watched->asking_since_msec = bm_clock_msec();
	pthread_mutex_unlock(&watched->board->lock);
}

/* ---- what a look finds ---- */

/* Lock held. */
static void set_reach(struct bm_watched *watched, enum bm_reach reach, const char *error)
{
	if (watched->reach != reach) {
		watched->reach = reach;
		watched->since_msec = bm_clock_msec();
	}
	snprintf(watched->error, sizeof(watched->error), "%s", error);
	bm_board_ring(watched->board);
}

static void publish_reachable(struct bm_watched *watched)
{
	pthread_mutex_lock(&watched->board->lock);
	set_reach(watched, BM_REACH_YES, "");
	pthread_mutex_unlock(&watched->board->lock);
}

static void publish_unreachable(struct bm_watched *watched, const struct bm_error *why)
{
	char text[400];

	snprintf(text, sizeof(text), "%.300s", why->message);
	if (why->code == BM_ERR_TIMEOUT) {
		snprintf(text, sizeof(text), "%.300s: gave up after %u s", why->message,
				(unsigned)(watched->board->timeout_msec / 1000));
	}
	pthread_mutex_lock(&watched->board->lock);
	set_reach(watched, BM_REACH_NO, text);
	for (size_t i = 0; i < watched->finding_count; i++) {
		watched->findings[i].is_known = false;
		watched->findings[i].session = (struct bm_session){0};
	}
	pthread_mutex_unlock(&watched->board->lock);
}

static void publish_findings(
		struct bm_watched *watched, struct bm_finding *findings, size_t count)
{
	pthread_mutex_lock(&watched->board->lock);
	struct bm_finding *old = watched->findings;
	size_t old_count = watched->finding_count;
	watched->findings = findings;
	watched->finding_count = count;
	bm_board_ring(watched->board);
	pthread_mutex_unlock(&watched->board->lock);
	free_findings(old, old_count);
}

/* Only this thread writes the findings: reading them here needs no lock. */
static void credit_work(const struct bm_watched *watched, struct bm_finding *finding)
{
	const struct bm_finding *old = bm_watched_finding(watched, finding->sync);

	if (old == NULL) {
		return;
	}
	uint64_t passed = finding->taken_msec - old->taken_msec;
	finding->worked_msec = old->worked_msec;
	if (finding->session.works) {
		finding->worked_msec += passed < WORKED_LIMIT_MSEC ? (int64_t)passed
								   : WORKED_LIMIT_MSEC;
	}
}

/* Where it is not a declared sync this is one statement every few seconds. */
static int tend(struct bm_watched *watched, PGconn *conn, const struct job *job,
		struct bm_finding *finding, struct bm_error *err)
{
	const struct bm_finding *old = bm_watched_finding(watched, finding->sync);
	uint64_t now_msec = bm_clock_msec();
	int64_t healed;

	finding->healed_msec = old != NULL ? old->healed_msec : 0;
	finding->purged_msec = old != NULL ? old->purged_msec : now_msec;
	finding->healed_rows = old != NULL ? old->healed_rows : 0;
	if (now_msec - finding->healed_msec < HEAL_MSEC) {
		return 0;
	}
	bool purge = now_msec - finding->purged_msec >= PURGE_MSEC;
	finding->healed_msec = now_msec;
	finding->purged_msec = purge ? now_msec : finding->purged_msec;
	touch(watched);
	const struct bm_staging_state staging = {finding->backlog.rows, finding->backlog.parked,
			job->collided, job->idle};
	if (bm_lossless_tend(conn, finding->sync, job->owner, purge,
			    finding->is_known ? &staging : NULL, watched->board->timeout_msec,
			    &healed, err) != 0) {
		return err->code == BM_ERR_SQL ? 0 : -1;
	}
	if (old != NULL && healed > old->healed_rows) {
		fprintf(stderr, "%s: sync %s: %" PRId64 " rows shared a stamp, sent again\n",
				watched->name, finding->sync, healed - old->healed_rows);
	}
	finding->healed_rows = healed;
	return 0;
}

/* -1 when the connection is of no use any more; a refusal leaves it unknown. */
static int do_job(struct bm_watched *watched, PGconn *conn, const struct job *job,
		struct bm_finding *finding, struct bm_error *err)
{
	uint64_t limit = watched->board->timeout_msec;

	finding->sync = bm_strdup(job->sync);
	if (job->backend_pid > 0) {
		touch(watched);
		if (bm_look_session(conn, job->backend_pid, limit, &finding->session, err) !=
						0 &&
				err->code != BM_ERR_SQL) {
			return -1;
		}
	}
	if (job->is_source) {
		touch(watched);
		finding->is_known = bm_look_backlog(conn, job->sync, job->target, limit,
						    &finding->backlog, err) == 0;
		if (!finding->is_known && err->code != BM_ERR_SQL) {
			return -1;
		}
		if (tend(watched, conn, job, finding, err) != 0) {
			return -1;
		}
	}
	finding->taken_msec = bm_clock_msec();
	credit_work(watched, finding);
	return 0;
}

static int do_jobs(struct bm_watched *watched, PGconn *conn, size_t *statements,
		struct bm_error *err)
{
	size_t count, done = 0;
	struct job *jobs = copy_jobs(watched, &count);
	struct bm_finding *findings = bm_alloc((count + 1) * sizeof(*findings));
	int rc = 0;

	while (done < count && rc == 0) {
		rc = do_job(watched, conn, &jobs[done], &findings[done], err);
		*statements += (jobs[done].backend_pid > 0) + 2 * (size_t)jobs[done].is_source;
		done++;
	}
	if (rc == 0) {
		publish_findings(watched, findings, count);
	} else {
		free_findings(findings, done);
	}
	free_jobs(jobs, count);
	return rc;
}

/* ---- the thread ---- */

static PGconn *connect_and_begin(struct bm_watched *watched, struct bm_error *err)
{
	uint64_t limit = watched->board->timeout_msec;

	if (watched->config_problem[0] != '\0') {
		bm_error_set(err, BM_ERR_CONFIG, "%s", watched->config_problem);
		return NULL;
	}
	PGconn *conn = bm_ask_connect(&watched->info, BM_SESSION_WORKER, limit, err);
	if (conn != NULL && bm_look_begin(conn, limit, err) != 0) {
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
static int pin_functions(struct bm_watched *watched, PGconn *conn, struct bm_error *err)
{
	uint64_t now_msec = bm_clock_msec();

	if (now_msec - watched->pinned_msec < HEAL_MSEC) {
		return 0;
	}
	watched->pinned_msec = now_msec;
	touch(watched);
	int rc = bm_capture_pin(conn, watched->board->timeout_msec, err);
	if (rc != 0 && err->code == BM_ERR_SQL) {
		fprintf(stderr, "%s: functions of schema bucardo keep their search_path: %s\n",
				watched->name, err->message);
		rc = 0;
	}
	return rc;
}

/*
 * Ask all there is to ask. `work_msec` estimates how long the server was busy with
 * it: the time it took without that of the way there and back, as a ping took.
 */
static int ask_all(struct bm_watched *watched, PGconn *conn, uint64_t *work_msec,
		struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	size_t statements = 0;

	if (bm_look_ping(conn, watched->board->timeout_msec, err) != 0) {
		return -1;
	}
	uint64_t pinged_msec = bm_clock_msec();
	publish_reachable(watched);
	int rc = do_jobs(watched, conn, &statements, err);
	if (rc == 0) {
		rc = pin_functions(watched, conn, err);
		statements++;
	}
	*work_msec = more_than(
			bm_clock_msec() - pinged_msec, (pinged_msec - begun_msec) * statements);
	return rc;
}

/* One look; keeps or replaces the connection. Returns whether all went well. */
static bool look_once(struct bm_watched *watched, PGconn **conn, uint64_t *work_msec)
{
	struct bm_error err = BM_ERROR_INIT;

	touch(watched);
	if (*conn == NULL) {
		*conn = connect_and_begin(watched, &err);
	}
	bool good = *conn != NULL && ask_all(watched, *conn, work_msec, &err) == 0;
	if (!good) {
		PQfinish(*conn);
		*conn = NULL;
		publish_unreachable(watched, &err);
	}
	pthread_mutex_lock(&watched->board->lock);
	watched->asking_since_msec = 0;
	pthread_mutex_unlock(&watched->board->lock);
	return good;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static uint64_t rest_after(const struct bm_board *board, bool good, uint64_t work_msec)
{
	uint64_t interval = board->interval_msec;

	if (!good) {
		return interval < RETRY_LIMIT_MSEC ? interval : RETRY_LIMIT_MSEC;
	}
	uint64_t wanted = at_most(work_msec * REST_FACTOR, REST_LIMIT_MSEC);
	return wanted > interval ? wanted : interval;
}

static void destroy(struct bm_watched *watched)
{
	free_findings(watched->findings, watched->finding_count);
	bm_conninfo_finish(&watched->info);
	free(watched->config_problem);
	free(watched->name);
	free(watched);
}

static bool is_gone(struct bm_watched *watched)
{
	pthread_mutex_lock(&watched->board->lock);
	bool gone = watched->is_gone;
	pthread_mutex_unlock(&watched->board->lock);
	return gone;
}

static void *run(void *argument)
{
	struct bm_watched *watched = argument;
	PGconn *conn = NULL;
	unsigned renewal = 0;

	while (!is_gone(watched)) {
		uint64_t work_msec = 0;
		if (bm_board_renews(watched->board, &renewal)) {
			PQfinish(conn);
			conn = NULL;
		}
		bool good = look_once(watched, &conn, &work_msec);
		bm_board_rest(watched->board, rest_after(watched->board, good, work_msec),
				&watched->is_gone);
	}
	PQfinish(conn);
	destroy(watched); /* off the list since it is gone */
	return NULL;
}

/* ---- which databases there are; lock held ---- */

struct bm_watched *bm_watched_find(struct bm_board *board, const char *name)
{
	struct bm_watched *watched = board->watched;

	while (watched != NULL && strcmp(watched->name, name) != 0) {
		watched = watched->next;
	}
	return watched;
}

static const struct bm_catalog_db *find_in_catalog(
		const struct bm_catalog *catalog, const struct bm_watched *watched)
{
	for (size_t i = 0; i < catalog->db_count; i++) {
		const struct bm_catalog_db *db = &catalog->dbs[i];
		if (strcmp(db->name, watched->name) == 0 &&
				strcmp(db->problem, watched->config_problem) == 0 &&
				bm_conninfo_equal(&db->info, &watched->info)) {
			return db;
		}
	}
	return NULL;
}

static void drop_gone(struct bm_board *board)
{
	for (struct bm_watched **link = &board->watched; *link != NULL;) {
		struct bm_watched *watched = *link;
		if (find_in_catalog(&board->catalog, watched) != NULL) {
			link = &watched->next;
			continue;
		}
		*link = watched->next;
		watched->is_gone = true;
	}
}

static void add_watched(struct bm_board *board, const struct bm_catalog_db *db)
{
	struct bm_watched *watched = bm_alloc(sizeof(*watched));
	struct bm_error err = BM_ERROR_INIT;

	watched->board = board;
	watched->name = bm_strdup(db->name);
	watched->config_problem = bm_strdup(db->problem);
	watched->since_msec = bm_clock_msec();
	bm_conninfo_copy(&db->info, &watched->info);
	if (bm_board_start_thread(run, watched, &err) != 0) {
		destroy(watched); /* the next look tries again */
		return;
	}
	watched->next = board->watched;
	board->watched = watched;
}

void bm_watched_reconcile(struct bm_board *board)
{
	drop_gone(board);
	for (size_t i = 0; i < board->catalog.db_count; i++) {
		if (bm_watched_find(board, board->catalog.dbs[i].name) == NULL) {
			add_watched(board, &board->catalog.dbs[i]);
		}
	}
	pthread_cond_broadcast(&board->wake);
}

void bm_watched_expire(struct bm_board *board, uint64_t now_msec)
{
	/* Two statements and a little: what keeps its limits is never caught. */
	uint64_t limit_msec = 2 * board->timeout_msec + 2000;

	for (struct bm_watched *watched = board->watched; watched != NULL;
			watched = watched->next) {
		if (watched->asking_since_msec != 0 && watched->reach != BM_REACH_NO &&
				now_msec - watched->asking_since_msec > limit_msec) {
			set_reach(watched, BM_REACH_NO,
					"no answer: looking up the name of its host hangs");
		}
	}
}
