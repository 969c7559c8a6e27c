/* One thread: a row each 10 s, questions in between. */
#include "client/http/http_history.h"

#include <pthread.h>
#include <stdlib.h>

#include "client/history/history_keeper.h"

#define WAIT_MSEC 1000

struct shelf {
	struct history_keeper *keeper;
	struct http_asker *asker;
};

/* The page as a text; an object with the reason where there is none. */
static json_t *talk(void *ctx, const struct http_wanted *wanted, struct bm_error *err)
{
	struct shelf *shelf = ctx;
	char *page = history_keeper_read(
			shelf->keeper, wanted->name, wanted->from, wanted->to, err);

	if (page == NULL) {
		return err->code == BM_ERR_CONFIG ? json_pack("{s:s}", "error", err->message)
						  : NULL;
	}
	json_t *answer = json_string(page);
	free(page);
	return answer;
}

static void *work(void *ctx)
{
	struct shelf *shelf = ctx;

	while (true) {
		uint64_t due = history_keeper_due_msec(shelf->keeper);
		http_asker_work(shelf->asker, due < WAIT_MSEC ? (unsigned)due : WAIT_MSEC);
		if (history_keeper_due_msec(shelf->keeper) == 0) {
			history_keeper_step(shelf->keeper);
		}
	}
	return NULL;
}

struct http_asker *http_history_start(
		const char *runtime, const char *socket_dir, struct bm_error *err)
{
	static struct shelf shelf;
	pthread_t thread;

	shelf.keeper = history_keeper_create(runtime, socket_dir);
	shelf.asker = http_asker_create(talk, &shelf);
	if (pthread_create(&thread, NULL, work, &shelf) != 0) {
		bm_error_set(err, BM_ERR_TRANSIENT,
				"cannot start the thread of the history: %m");
		return NULL;
	}
	pthread_detach(thread);
	return shelf.asker;
}
