/* The thread that asks the source how it is while rows are copied. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/pace/gentle.h"
#include "worker/transfer/internal.h"

#define ASK_EVERY_MSEC 250

/* A question that got no answer for so long counts as late each time. */
#define PATIENCE_MSEC 500

/* A lost session is made anew this often. */
#define CONNECT_EVERY_MSEC 5000

/* The answers of the baseline, all together. */
#define LEARN_LIMIT_MSEC 3000

struct bm_sparing {
	struct bm_transfer *transfer;
	pthread_t thread;
	int stop_fd;
	PGconn *conn;
	unsigned asked;
	bool is_plain; /* the last question was refused: the next one names no table */
	bool has_learned;
	struct bm_gentle gentle;
};

static double now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static bool ask(struct bm_sparing *sparing)
{
	const struct bm_tables *tables = &sparing->transfer->tables;
	char *sql;

	if (sparing->is_plain || tables->count == 0 || tables->list[0].pages == 0) {
		sql = bm_strdup("SELECT 1");
	} else {
		uint64_t page = ++sparing->asked * UINT64_C(2654435761) % tables->list[0].pages;
		sql = bm_format("SELECT count(*) FROM ONLY %s WHERE ctid = '(%" PRIu64 ",1)'",
				tables->list[0].name, page);
	}
	bool sent = PQsendQuery(sparing->conn, sql) == 1;
	free(sql);
	return sent;
}

/* All that came back. Is it an answer? A table may be locked, or gone. */
static bool take_answer(struct bm_sparing *sparing)
{
	bool good = true;

	for (PGresult *result; (result = PQgetResult(sparing->conn)) != NULL;) {
		good = good && PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
	}
	sparing->is_plain = !good;
	return good;
}

/* True: it is time to stop. */
static bool pause_for(struct bm_sparing *sparing, int msec)
{
	struct pollfd fd = {.fd = sparing->stop_fd, .events = POLLIN};

	return poll(&fd, 1, msec) > 0;
}

static void disconnect(struct bm_sparing *sparing)
{
	PQfinish(sparing->conn);
	sparing->conn = NULL;
}

static int connect_again(struct bm_sparing *sparing, struct bm_error *err)
{
	disconnect(sparing);
	sparing->conn = bm_endpoint_connect(&sparing->transfer->source, err);
	if (sparing->conn != NULL &&
			bm_sql_do(sparing->conn, "SET lock_timeout = '100ms'", err) != 0) {
		disconnect(sparing);
	}
	return sparing->conn != NULL ? 0 : -1;
}

/* ---- what follows from the answers ---- */

static void tell(
		struct bm_transfer *t, const struct bm_gentle *gentle, enum bm_gentle_turn turn)
{
	pthread_mutex_lock(&t->mutex);
	t->slowed[0] = '\0';
	if (gentle->limit != 0) {
		snprintf(t->slowed, sizeof(t->slowed),
				"slowed to %.1f MB/s: the source answers in %.0f ms instead of %.1f",
				(double)gentle->limit / (1 << 20), gentle->typical_msec,
				gentle->baseline_msec);
	}
	if (turn == BM_GENTLE_SLOWED) {
		snprintf(t->news, sizeof(t->news), "the copy is %s, until it answers as before",
				t->slowed);
	} else if (turn == BM_GENTLE_FREE) {
		snprintf(t->news, sizeof(t->news),
				"the source answers in %.1f ms again: the copy is as fast as before",
				gentle->typical_msec);
	}
	pthread_mutex_unlock(&t->mutex);
}

static void hear(struct bm_sparing *sparing, double msec)
{
	struct bm_transfer *t = sparing->transfer;
	enum bm_gentle_turn turn = bm_gentle_hear(&sparing->gentle, msec, bm_clock_msec(),
			atomic_load(&t->progress.bytes_moved));

	if (turn != BM_GENTLE_AS_BEFORE) {
		bm_pace_spare(&t->pace, sparing->gentle.limit);
		tell(t, &sparing->gentle, turn);
	}
}

/* Wait for the answer to what was asked. 1: it came; 0: stop; -1: the session is lost. */
static int await_answer(struct bm_sparing *sparing, double began_msec)
{
	struct pollfd fds[2] = {{.fd = PQsocket(sparing->conn), .events = POLLIN},
			{.fd = sparing->stop_fd, .events = POLLIN}};

	while (PQisBusy(sparing->conn)) {
		int ready = poll(fds, 2, PATIENCE_MSEC);
		if (fds[1].revents != 0 && ready > 0) {
			return 0;
		}
		if (ready == 0) {
			hear(sparing, now_msec() - began_msec);
		} else if (ready > 0 && PQconsumeInput(sparing->conn) != 1) {
			return -1;
		}
	}
	return 1;
}

/* ---- the baseline ---- */

/* Like await_answer(), where nothing is heard yet and patience ends at a moment. */
static int await_first(struct bm_sparing *sparing, double until_msec)
{
	struct pollfd fds[2] = {{.fd = PQsocket(sparing->conn), .events = POLLIN},
			{.fd = sparing->stop_fd, .events = POLLIN}};

	while (PQisBusy(sparing->conn)) {
		double left_msec = until_msec - now_msec();
		int ready = left_msec > 0 ? poll(fds, 2, (int)left_msec + 1) : 0;
		if (ready == 0) {
			return -1;
		}
		if (ready > 0 && fds[1].revents != 0) {
			return 0;
		}
		if (ready > 0 && PQconsumeInput(sparing->conn) != 1) {
			return -1;
		}
	}
	return 1;
}

/* One answer after the other; a question that is refused is asked again more plainly. */
static int collect_answers(
		struct bm_sparing *sparing, double *answers, size_t count, struct bm_error *err)
{
	double until_msec = now_msec() + LEARN_LIMIT_MSEC;

	for (size_t i = 0, refused = 0; i < count;) {
		double began_msec = now_msec();
		if (!ask(sparing) || await_first(sparing, until_msec) != 1) {
			return bm_error_set(err, BM_ERR_TIMEOUT,
					"the source did not answer a small question within %d s",
					LEARN_LIMIT_MSEC / 1000);
		}
		if (take_answer(sparing)) {
			answers[i++] = now_msec() - began_msec;
		} else if (++refused > count) {
			return bm_error_set(err, BM_ERR_SQL, "the source says %s",
					PQerrorMessage(sparing->conn));
		}
	}
	return 0;
}

/* The first question also fills the session's caches: it does not count. */
static int learn(struct bm_sparing *sparing, struct bm_error *err)
{
	double answers[BM_GENTLE_ANSWERS + 1];

	if (connect_again(sparing, err) != 0) {
		return -1;
	}
	if (collect_answers(sparing, answers, BM_GENTLE_ANSWERS + 1, err) != 0) {
		disconnect(sparing);
		return -1;
	}
	bm_gentle_init(&sparing->gentle, answers + 1, BM_GENTLE_ANSWERS, bm_clock_msec(),
			atomic_load(&sparing->transfer->progress.bytes_moved));
	sparing->has_learned = true;
	return 0;
}

/* Beside the copy, as often as a session is made. */
static void learn_late(struct bm_sparing *sparing)
{
	struct bm_transfer *t = sparing->transfer;

	if (learn(sparing, NULL) == 0) {
		pthread_mutex_lock(&t->mutex);
		snprintf(t->news, sizeof(t->news),
				"the source answers in %.1f ms beside the copy, which is slowed "
				"from now on when that gets late",
				sparing->gentle.baseline_msec);
		pthread_mutex_unlock(&t->mutex);
	}
}

/* One question while rows are copied. 1: answered; 0: stop; -1: there is no session. */
static int ask_once(struct bm_sparing *sparing)
{
	double began_msec = now_msec();

	if (PQstatus(sparing->conn) != CONNECTION_OK && connect_again(sparing, NULL) != 0) {
		return -1;
	}
	int came = ask(sparing) ? await_answer(sparing, began_msec) : -1;
	if (came > 0 && take_answer(sparing)) {
		hear(sparing, now_msec() - began_msec);
	}
	return came;
}

static void *sparing_main(void *ctx)
{
	struct bm_sparing *sparing = ctx;
	int rest_msec = sparing->has_learned ? ASK_EVERY_MSEC : CONNECT_EVERY_MSEC;

	while (!pause_for(sparing, rest_msec)) {
		if (!sparing->has_learned) {
			learn_late(sparing);
			continue;
		}
		int came = ask_once(sparing);
		if (came == 0) {
			break;
		}
		rest_msec = came > 0 ? ASK_EVERY_MSEC : CONNECT_EVERY_MSEC;
	}
	return NULL;
}

/* ---- start and stop ---- */

static void destroy(struct bm_sparing *sparing)
{
	PQfinish(sparing->conn);
	if (sparing->stop_fd >= 0) {
		close(sparing->stop_fd);
	}
	free(sparing);
}

struct bm_sparing *bm_sparing_start(struct bm_transfer *t)
{
	struct bm_sparing *sparing = bm_alloc(sizeof(*sparing));
	struct bm_error why = BM_ERROR_INIT;

	sparing->transfer = t;
	sparing->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (sparing->stop_fd >= 0 && learn(sparing, &why) != 0) {
		bm_transfer_note(t,
				"how soon the source answers cannot be measured (%s): until it "
				"can, the copy is not slowed for its sake",
				why.message);
	}
	int failure = sparing->stop_fd < 0
			? errno
			: pthread_create(&sparing->thread, NULL, sparing_main, sparing);
	if (failure != 0) {
		errno = failure;
		bm_error_set(&why, BM_ERR_IO, "%m");
		bm_transfer_note(t,
				"nothing watches how soon the source answers (%s): the copy is "
				"not slowed for its sake",
				why.message);
		destroy(sparing);
		return NULL;
	}
	return sparing;
}

void bm_sparing_stop(struct bm_sparing *sparing)
{
	const uint64_t one = 1;

	if (sparing == NULL) {
		return;
	}
	if (write(sparing->stop_fd, &one, sizeof(one)) == sizeof(one)) {
		pthread_join(sparing->thread, NULL);
	}
	bm_pace_spare(&sparing->transfer->pace, 0);
	sparing->transfer->slowed[0] = '\0';
	destroy(sparing);
}
