/* Put together what the control database and each database said. */
#include "worker/observe/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"

/* Processor time of a process in milliseconds; -1 when it is not there. */
static int64_t cpu_msec(pid_t pid)
{
	char path[32], text[512];
	uint64_t user, system;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = pid > 0 ? fopen(path, "re") : NULL;
	if (file == NULL) {
		return -1;
	}
	size_t length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* The name may hold spaces and brackets: fields count from the last bracket. */
	const char *fields = strrchr(text, ')');
	if (fields == NULL ||
			sscanf(fields,
					") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
					" %" SCNu64 " %" SCNu64,
					&user, &system) != 2) {
		return -1;
	}
	return (int64_t)((user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

static int64_t older(int64_t age_msec, uint64_t by_msec)
{
	return age_msec >= 0 ? age_msec + (int64_t)by_msec : -1;
}

static const struct bm_sync_probe *finding_of(
		struct bm_sampler *sampler, const struct bm_catalog_sync *sync, size_t member)
{
	const char *db = sampler->catalog.dbs[sync->members[member].db].name;
	const struct bm_monitored *monitored = bm_monitored_find(sampler, db);

	return monitored != NULL ? bm_monitored_probe(monitored, sync->name) : NULL;
}

/* Rows of a source that is not known make the sum unknown, unless others have some. */
static void add_backlog(const struct bm_sync_probe *probe, uint64_t now_msec,
		struct bm_sync_sample *out, bool *is_complete)
{
	if (probe == NULL || !probe->is_known) {
		*is_complete = false;
		return;
	}
	out->backlog_rows += probe->backlog.rows;
	int64_t lag = probe->backlog.rows > 0
			? older(probe->backlog.lag_msec, now_msec - probe->taken_msec)
			: 0;
	out->lag_msec = lag > out->lag_msec ? lag : out->lag_msec;
}

static void take_backlog(struct bm_sampler *sampler, const struct bm_catalog_sync *sync,
		uint64_t now_msec, struct bm_sync_sample *out)
{
	bool is_complete = true;

	for (size_t i = 0; i < sync->member_count; i++) {
		if (sync->members[i].is_source) {
			add_backlog(finding_of(sampler, sync, i), now_msec, out, &is_complete);
		}
	}
	if (!is_complete && out->backlog_rows == 0) {
		out->backlog_rows = out->lag_msec = -1;
	}
	if (out->backlog_rows > BM_BACKLOG_LIMIT) {
		out->backlog_rows = BM_BACKLOG_LIMIT;
	}
}

/*
 * What moves while a run works: the KID's processor time, which stands still while
 * it waits for a server or a dead network, and the time its sessions were seen to
 * work by themselves, which covers a long statement that the KID waits for.
 */
static void take_run(struct bm_sampler *sampler, const struct bm_catalog_sync *sync,
		struct bm_sync_sample *out)
{
	int64_t kid = cpu_msec(sync->kid_pid);
	int64_t worked = 0;

	for (size_t i = 0; i < sync->member_count; i++) {
		const struct bm_sync_probe *probe = finding_of(sampler, sync, i);
		if (probe == NULL) {
			continue;
		}
		worked += probe->worked_msec;
		if (probe->session.blocker_pid != 0 && out->blocker_pid == 0) {
			out->blocker_pid = probe->session.blocker_pid;
			out->blocker_query = probe->session.blocker_query;
			out->blocker_db = sampler->catalog.dbs[sync->members[i].db].name;
		}
	}
	out->run_moved = kid >= 0 || worked > 0 ? (kid > 0 ? kid : 0) + worked : -1;
}

/* A database that has not answered yet has requeued nothing that we know of. */
static void take_requeued(struct bm_sampler *sampler, const struct bm_catalog_sync *sync,
		struct bm_sync_sample *out)
{
	for (size_t i = 0; i < sync->member_count; i++) {
		const struct bm_sync_probe *probe = finding_of(sampler, sync, i);
		out->requeued_rows += probe != NULL ? probe->requeued_rows : 0;
	}
}

static void take_sync(struct bm_sampler *sampler, const struct bm_catalog_sync *sync,
		uint64_t now_msec, struct bm_sync_sample *out)
{
	uint64_t passed = now_msec - sampler->catalog.taken_msec;
	size_t *dbs = bm_alloc((sync->member_count + 1) * sizeof(*dbs));

	for (size_t i = 0; i < sync->member_count; i++) {
		dbs[i] = sync->members[i].db;
	}
	*out = (struct bm_sync_sample){
			.name = sync->name,
			.active = sync->active,
			.autokick = sync->autokick,
			.db_count = sync->member_count,
			.dbs = dbs,
			.run_open = sync->run_open,
			.run_age_msec = older(sync->run_age_msec, passed),
			.run_status = sync->run_status,
			.run_moved = -1,
			.good_age_msec = older(sync->good_age_msec, passed),
			.bad_age_msec = older(sync->bad_age_msec, passed),
			.bad_text = sync->bad_text,
			.recent_failures = sync->recent_failures,
			.blocker_query = "",
			.blocker_db = "",
			.conflicts = sync->conflicts,
			.applied_rows = sync->applied_rows,
	};
	take_backlog(sampler, sync, now_msec, out);
	take_requeued(sampler, sync, out);
	if (sync->run_open) {
		take_run(sampler, sync, out);
	}
}

static void take_db(struct bm_sampler *sampler, const struct bm_catalog_db *db,
		uint64_t now_msec, struct bm_db_sample *out)
{
	const struct bm_monitored *monitored = bm_monitored_find(sampler, db->name);

	*out = (struct bm_db_sample){
			.name = db->name,
			.role = db->is_source ? "source" : "target",
			.reach = monitored != NULL ? monitored->reach : BM_REACH_UNKNOWN,
			.error = monitored != NULL ? monitored->error : "",
			.since_msec = monitored != NULL ? monitored->since_msec : now_msec,
	};
}

struct bm_observation *bm_sample_take(struct bm_sampler *sampler, uint64_t now_msec)
{
	const struct bm_catalog *catalog = &sampler->catalog;
	struct bm_observation *out = bm_alloc(sizeof(*out));
	struct bm_db_sample *dbs = bm_alloc((catalog->db_count + 1) * sizeof(*dbs));
	struct bm_sync_sample *syncs = bm_alloc((catalog->sync_count + 1) * sizeof(*syncs));

	for (size_t i = 0; i < catalog->db_count; i++) {
		take_db(sampler, &catalog->dbs[i], now_msec, &dbs[i]);
	}
	for (size_t i = 0; i < catalog->sync_count; i++) {
		take_sync(sampler, &catalog->syncs[i], now_msec, &syncs[i]);
	}
	*out = (struct bm_observation){.taken_msec = now_msec,
			.db_count = catalog->db_count,
			.dbs = dbs,
			.sync_count = catalog->sync_count,
			.syncs = syncs};
	return out;
}

void bm_sample_free(struct bm_observation *observation)
{
	for (size_t i = 0; i < observation->sync_count; i++) {
		free((void *)(uintptr_t)observation->syncs[i].dbs);
	}
	free((void *)(uintptr_t)observation->syncs);
	free((void *)(uintptr_t)observation->dbs);
	free(observation);
}

bool bm_sample_is_in_motion(const struct bm_observation *observation)
{
	for (size_t i = 0; i < observation->db_count; i++) {
		if (observation->dbs[i].reach != BM_REACH_YES) {
			return true;
		}
	}
	for (size_t i = 0; i < observation->sync_count; i++) {
		if (observation->syncs[i].run_open || observation->syncs[i].backlog_rows > 0) {
			return true;
		}
	}
	return false;
}
