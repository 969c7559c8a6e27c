/* The history's thread: a row each 10 s, questions in between. The report's: questions. */
#include "client/http/http_threads.h"

#include <pthread.h>
#include <stdlib.h>

#include "client/history/history_recorder.h"
#include "client/report/report_page.h"

#define WAIT_MSEC 1000

struct shelf {
	const char *runtime;
	struct history_recorder *recorder; /* NULL: the report's */
	struct http_asker *asker;
};

static struct shelf history_shelf;

/* Frees the page. BM_ERR_CONFIG: there is none. */
static json_t *as_answer(char *page, const struct bm_error *err)
{
	if (page == NULL) {
		return err->code == BM_ERR_CONFIG ? json_pack("{s:s}", "error", err->message)
						  : NULL;
	}
	json_t *answer = json_string(page);
	free(page);
	return answer;
}

static json_t *talk(void *ctx, const struct http_wanted *wanted, struct bm_error *err)
{
	const struct shelf *shelf = ctx;
	char *page = shelf->recorder == NULL
			? report_page(shelf->runtime, wanted->name, err)
			: history_recorder_read(shelf->recorder, wanted->name, wanted->from,
					  wanted->to, err);

	return as_answer(page, err);
}

static unsigned due_msec(const struct shelf *shelf)
{
	uint64_t due = shelf->recorder != NULL ? history_recorder_due_msec(shelf->recorder)
					       : WAIT_MSEC;

	return due < WAIT_MSEC ? (unsigned)due : WAIT_MSEC;
}

static void *work(void *ctx)
{
	struct shelf *shelf = ctx;

	while (true) {
		http_asker_work(shelf->asker, due_msec(shelf));
		if (due_msec(shelf) == 0) {
			history_recorder_step(shelf->recorder);
		}
	}
	return NULL;
}

static struct http_asker *begin(struct shelf *shelf, struct bm_error *err)
{
	pthread_t thread;

	shelf->asker = http_asker_create(talk, shelf);
	if (pthread_create(&thread, NULL, work, shelf) != 0) {
		bm_error_set(err, BM_ERR_TRANSIENT, "cannot start a thread");
		return NULL;
	}
	pthread_detach(thread);
	return shelf->asker;
}

struct http_asker *http_history_start(
		const char *runtime, const char *socket_dir, struct bm_error *err)
{
	history_shelf.runtime = runtime;
	history_shelf.recorder = history_recorder_create(runtime, socket_dir);
	return begin(&history_shelf, err);
}

json_t *http_history_attempts(void)
{
	char *text = history_shelf.recorder != NULL
			? history_recorder_attempts(history_shelf.recorder)
			: NULL;
	json_t *attempts = text != NULL ? json_loads(text, 0, NULL) : NULL;

	free(text);
	return attempts;
}

struct http_asker *http_report_start(const char *runtime, struct bm_error *err)
{
	static struct shelf shelf;

	shelf.runtime = runtime;
	return begin(&shelf, err);
}
