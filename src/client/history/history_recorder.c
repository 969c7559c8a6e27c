/* The rows that wait, and the clock. */
#include "client/history/history_recorder.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/history.h"
#include "bucardo_machine/log.h"
#include "client/commands/control_client.h"
#include "client/history/history_row.h"

/* Rows that wait, the newest; each takes about a kilobyte. */
#define WAITING_LIMIT 1000
#define HOUR_SEC 3600

struct history_recorder {
	const char *runtime;
	struct bm_history *history;
	json_t *waiting;
	uint64_t due_msec; /* bm_clock_msec() */
	bool is_failing;
	pthread_mutex_t mutex;
	char *attempts; /* guarded by it */
};

struct history_recorder *history_recorder_create(const char *runtime, const char *socket_dir)
{
	struct history_recorder *recorder = bm_alloc(sizeof(*recorder));

	recorder->runtime = runtime;
	recorder->history = bm_history_create(socket_dir);
	recorder->waiting = json_array();
	pthread_mutex_init(&recorder->mutex, NULL);
	return recorder;
}

uint64_t history_recorder_due_msec(const struct history_recorder *recorder)
{
	uint64_t now = bm_clock_msec();

	return recorder->due_msec > now ? recorder->due_msec - now : 0;
}

static int64_t wall_sec(void)
{
	return bm_clock_wall_msec() / 1000;
}

/* While it starts nobody knows what is there yet; while it holds nothing is changed. */
static bool may_write(const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));

	return state != NULL && (strcmp(state, "ready") == 0 || strcmp(state, "degraded") == 0);
}

static void note(struct history_recorder *recorder, const struct bm_error *err)
{
	if (err != NULL && !recorder->is_failing) {
		bm_log(BM_LOG_WARN, "history", BM_FIELDS(bm_str("err", err->message)),
				"the history cannot be written: the newest %d rows wait, and it is "
				"tried again each %d s; nothing else waits for it",
				WAITING_LIMIT, BM_HISTORY_STEP_SEC);
	} else if (err == NULL && recorder->is_failing) {
		bm_log(BM_LOG_INFO, "history",
				BM_FIELDS(bm_int("rows",
						(int64_t)json_array_size(recorder->waiting))),
				"the history is written again");
	}
	recorder->is_failing = err != NULL;
}

static void write_waiting(struct history_recorder *recorder)
{
	struct bm_error err = BM_ERROR_INIT;
	int rc = bm_history_write(recorder->history, recorder->waiting, wall_sec(), &err);
	bool is_refused = rc != 0 && strncmp(err.sqlstate, "22", 2) == 0;

	note(recorder, rc != 0 ? &err : NULL);
	if (rc == 0 || is_refused) {
		json_array_clear(recorder->waiting);
	}
}

/* What cannot be asked now stays what it was. */
static void keep_attempts(struct history_recorder *recorder)
{
	struct bm_error err = BM_ERROR_INIT;
	char *all = bm_history_attempts(recorder->history, &err);

	if (all != NULL) {
		pthread_mutex_lock(&recorder->mutex);
		free(recorder->attempts);
		recorder->attempts = all;
		pthread_mutex_unlock(&recorder->mutex);
	}
}

char *history_recorder_attempts(struct history_recorder *recorder)
{
	pthread_mutex_lock(&recorder->mutex);
	char *copy = bm_strdup(recorder->attempts);
	pthread_mutex_unlock(&recorder->mutex);
	return copy;
}

void history_recorder_step(struct history_recorder *recorder)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(recorder->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:b}", "command", "status", "brief", 1), &err);
	const json_t *status = json_object_get(answer, "status");

	recorder->due_msec = bm_clock_msec() + (uint64_t)BM_HISTORY_STEP_SEC * 1000;
	if (status != NULL) {
		history_rows_add(recorder->waiting, status, wall_sec());
	}
	while (json_array_size(recorder->waiting) > WAITING_LIMIT) {
		json_array_remove(recorder->waiting, 0);
	}
	if (may_write(status)) {
		write_waiting(recorder);
		keep_attempts(recorder);
		bm_history_rest(recorder->history);
	}
	json_decref(answer);
}

char *history_recorder_read(struct history_recorder *recorder, const char *migration,
		int64_t from, int64_t to, struct bm_error *err)
{
	int64_t now = wall_sec();
	int64_t until = to != 0 ? to : now;

	return bm_history_read(recorder->history, migration,
			from != 0 ? from : until - HOUR_SEC, until, now, err);
}
