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
#include "transfer/gentle.h"
#include "transfer/internal.h"

#define ASK_EVERY_MSEC 250

/* A question that got no answer for so long counts as late each time. */
#define PATIENCE_MSEC 500

/* A lost session is made anew this often. */
#define CONNECT_EVERY_MSEC 5000

struct bm_sparing {
	struct bm_transfer *transfer;
	pthread_t thread;
	int stop_fd;
	PGconn *conn;
	unsigned asked;
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

	if (tables->count == 0 || tables->list[0].pages == 0) {
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

/* All that came back. Is it an answer? */
static bool take_answer(PGconn *conn)
{
	bool good = true;

	for (PGresult *result; (result = PQgetResult(conn)) != NULL;) {
		good = good && PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
	}
	return good;
}

/* True: it is time to stop. */
static bool pause_for(struct bm_sparing *sparing, int msec)
{
	struct pollfd fd = {.fd = sparing->stop_fd, .events = POLLIN};

	return poll(&fd, 1, msec) > 0;
}

static void connect_again(struct bm_sparing *sparing)
{
	PQfinish(sparing->conn);
	sparing->conn = bm_endpoint_connect(&sparing->transfer->source, NULL);
	if (sparing->conn != NULL &&
			bm_sql_do(sparing->conn, "SET lock_timeout = '100ms'", NULL) != 0) {
		PQfinish(sparing->conn);
		sparing->conn = NULL;
	}
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
				(double)gentle->limit / 1e6, gentle->typical_msec,
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

static void *sparing_main(void *ctx)
{
	struct bm_sparing *sparing = ctx;
	int rest_msec = ASK_EVERY_MSEC;

	while (!pause_for(sparing, rest_msec)) {
		if (PQstatus(sparing->conn) != CONNECTION_OK) {
			connect_again(sparing);
		}
		double began_msec = now_msec();
		int came = PQstatus(sparing->conn) == CONNECTION_OK && ask(sparing)
				? await_answer(sparing, began_msec)
				: -1;
		if (came == 0) {
			break;
		}
		if (came > 0 && take_answer(sparing->conn)) {
			hear(sparing, now_msec() - began_msec);
		}
		rest_msec = came > 0 ? ASK_EVERY_MSEC : CONNECT_EVERY_MSEC;
	}
	return NULL;
}

/* ---- start and stop ---- */

/* The first question also fills the session's caches: it does not count. */
static int learn(struct bm_sparing *sparing)
{
	double answers[BM_GENTLE_ANSWERS + 1];

	connect_again(sparing);
	for (size_t i = 0; i < BM_GENTLE_ANSWERS + 1; i++) {
		double began_msec = now_msec();
		if (sparing->conn == NULL || !ask(sparing) || !take_answer(sparing->conn)) {
			return -1;
		}
		answers[i] = now_msec() - began_msec;
	}
	bm_gentle_init(&sparing->gentle, answers + 1, BM_GENTLE_ANSWERS, bm_clock_msec(),
			atomic_load(&sparing->transfer->progress.bytes_moved));
	return 0;
}

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

	sparing->transfer = t;
	sparing->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (sparing->stop_fd < 0 || learn(sparing) != 0 ||
			pthread_create(&sparing->thread, NULL, sparing_main, sparing) != 0) {
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
