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
#include "worker/rate/throttle.h"
#include "worker/transfer/internal.h"

#define ASK_EVERY_MSEC 250

/* A question that got no answer for so long counts as late each time. */
#define PATIENCE_MSEC 500

/* A lost session is made anew this often. */
#define CONNECT_EVERY_MSEC 5000

/* The answers of the baseline, all together. */
#define LEARN_LIMIT_MSEC 3000

struct bm_latency_probe {
	struct bm_transfer *transfer;
	pthread_t thread;
	int stop_fd;
	PGconn *conn;
	unsigned asked;
	bool is_plain; /* the last question was refused: the next one names no table */
	bool has_learned;
	struct bm_throttle throttle;
};

static double now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static bool ask(struct bm_latency_probe *probe)
{
	const struct bm_tables *tables = &probe->transfer->tables;
	char *sql;

	if (probe->is_plain || tables->count == 0 || tables->list[0].pages == 0) {
		sql = bm_strdup("SELECT 1");
	} else {
		uint64_t page = ++probe->asked * UINT64_C(2654435761) % tables->list[0].pages;
		sql = bm_format("SELECT count(*) FROM ONLY %s WHERE ctid = '(%" PRIu64 ",1)'",
				tables->list[0].name, page);
	}
	bool sent = PQsendQuery(probe->conn, sql) == 1;
	free(sql);
	return sent;
}

/* All that came back. Is it an answer? A table may be locked, or gone. */
static bool take_answer(struct bm_latency_probe *probe)
{
	bool good = true;

	for (PGresult *result; (result = PQgetResult(probe->conn)) != NULL;) {
		good = good && PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
	}
	probe->is_plain = !good;
	return good;
}

/* True: it is time to stop. */
static bool pause_for(struct bm_latency_probe *probe, int msec)
{
	struct pollfd fd = {.fd = probe->stop_fd, .events = POLLIN};

	return poll(&fd, 1, msec) > 0;
}

static void disconnect(struct bm_latency_probe *probe)
{
	PQfinish(probe->conn);
	probe->conn = NULL;
}

static int connect_again(struct bm_latency_probe *probe, struct bm_error *err)
{
	disconnect(probe);
	probe->conn = bm_endpoint_connect(&probe->transfer->source, err);
	if (probe->conn != NULL &&
			bm_sql_do(probe->conn, "SET lock_timeout = '100ms'", err) != 0) {
		disconnect(probe);
	}
	return probe->conn != NULL ? 0 : -1;
}

/* ---- what follows from the answers ---- */

static void report(struct bm_transfer *t, const struct bm_throttle *throttle,
		enum bm_throttle_change change)
{
	pthread_mutex_lock(&t->mutex);
	t->slowed[0] = '\0';
	if (throttle->limit != 0) {
		snprintf(t->slowed, sizeof(t->slowed),
				"slowed to %.1f MB/s: the source answers in %.0f ms instead of %.1f",
				(double)throttle->limit / (1 << 20), throttle->typical_msec,
				throttle->baseline_msec);
	}
	if (change == BM_THROTTLE_SLOWED) {
		snprintf(t->news, sizeof(t->news), "the copy is %s, until it answers as before",
				t->slowed);
	} else if (change == BM_THROTTLE_FREE) {
		snprintf(t->news, sizeof(t->news),
				"the source answers in %.1f ms again: the copy is as fast as before",
				throttle->typical_msec);
	}
	pthread_mutex_unlock(&t->mutex);
}

static void receive(struct bm_latency_probe *probe, double msec)
{
	struct bm_transfer *t = probe->transfer;
	enum bm_throttle_change change = bm_throttle_add(&probe->throttle, msec,
			bm_clock_msec(), atomic_load(&t->progress.bytes_moved));

	if (change != BM_THROTTLE_AS_BEFORE) {
		bm_rate_limit_throttle(&t->rate_limit, probe->throttle.limit);
		report(t, &probe->throttle, change);
	}
}

/* Wait for the answer to what was asked. 1: it came; 0: stop; -1: the session is lost. */
static int await_answer(struct bm_latency_probe *probe, double began_msec)
{
	struct pollfd fds[2] = {{.fd = PQsocket(probe->conn), .events = POLLIN},
			{.fd = probe->stop_fd, .events = POLLIN}};

	while (PQisBusy(probe->conn)) {
		int ready = poll(fds, 2, PATIENCE_MSEC);
		if (fds[1].revents != 0 && ready > 0) {
			return 0;
		}
		if (ready == 0) {
			receive(probe, now_msec() - began_msec);
		} else if (ready > 0 && PQconsumeInput(probe->conn) != 1) {
			return -1;
		}
	}
	return 1;
}

/* ---- the baseline ---- */

/* Like await_answer(), where nothing is heard yet and patience ends at a moment. */
static int await_first(struct bm_latency_probe *probe, double until_msec)
{
	struct pollfd fds[2] = {{.fd = PQsocket(probe->conn), .events = POLLIN},
			{.fd = probe->stop_fd, .events = POLLIN}};

	while (PQisBusy(probe->conn)) {
		double left_msec = until_msec - now_msec();
		int ready = left_msec > 0 ? poll(fds, 2, (int)left_msec + 1) : 0;
		if (ready == 0) {
			return -1;
		}
		if (ready > 0 && fds[1].revents != 0) {
			return 0;
		}
		if (ready > 0 && PQconsumeInput(probe->conn) != 1) {
			return -1;
		}
	}
	return 1;
}

/* One answer after the other; a question that is refused is asked again more plainly. */
static int collect_answers(struct bm_latency_probe *probe, double *answers, size_t count,
		struct bm_error *err)
{
	double until_msec = now_msec() + LEARN_LIMIT_MSEC;

	for (size_t i = 0, refused = 0; i < count;) {
		double began_msec = now_msec();
		if (!ask(probe) || await_first(probe, until_msec) != 1) {
			return bm_error_set(err, BM_ERR_TIMEOUT,
					"the source did not answer a small question within %d s",
					LEARN_LIMIT_MSEC / 1000);
		}
		if (take_answer(probe)) {
			answers[i++] = now_msec() - began_msec;
		} else if (++refused > count) {
			return bm_error_set(err, BM_ERR_SQL, "the source says %s",
					PQerrorMessage(probe->conn));
		}
	}
	return 0;
}

/* The first question also fills the session's caches: it does not count. */
static int learn(struct bm_latency_probe *probe, struct bm_error *err)
{
	double answers[BM_THROTTLE_ANSWERS + 1];

	if (connect_again(probe, err) != 0) {
		return -1;
	}
	if (collect_answers(probe, answers, BM_THROTTLE_ANSWERS + 1, err) != 0) {
		disconnect(probe);
		return -1;
	}
	bm_throttle_init(&probe->throttle, answers + 1, BM_THROTTLE_ANSWERS, bm_clock_msec(),
			atomic_load(&probe->transfer->progress.bytes_moved));
	probe->has_learned = true;
	return 0;
}

/* Beside the copy, as often as a session is made. */
static void learn_late(struct bm_latency_probe *probe)
{
	struct bm_transfer *t = probe->transfer;

	if (learn(probe, NULL) == 0) {
		pthread_mutex_lock(&t->mutex);
		snprintf(t->news, sizeof(t->news),
				"the source answers in %.1f ms beside the copy, which is slowed "
				"from now on when that gets late",
				probe->throttle.baseline_msec);
		pthread_mutex_unlock(&t->mutex);
	}
}

/* One question while rows are copied. 1: answered; 0: stop; -1: there is no session. */
static int ask_once(struct bm_latency_probe *probe)
{
	double began_msec = now_msec();

	if (PQstatus(probe->conn) != CONNECTION_OK && connect_again(probe, NULL) != 0) {
		return -1;
	}
	int came = ask(probe) ? await_answer(probe, began_msec) : -1;
	if (came > 0 && take_answer(probe)) {
		receive(probe, now_msec() - began_msec);
	}
	return came;
}

static void *probe_main(void *ctx)
{
	struct bm_latency_probe *probe = ctx;
	int rest_msec = probe->has_learned ? ASK_EVERY_MSEC : CONNECT_EVERY_MSEC;

	while (!pause_for(probe, rest_msec)) {
		if (!probe->has_learned) {
			learn_late(probe);
			continue;
		}
		int came = ask_once(probe);
		if (came == 0) {
			break;
		}
		rest_msec = came > 0 ? ASK_EVERY_MSEC : CONNECT_EVERY_MSEC;
	}
	return NULL;
}

/* ---- start and stop ---- */

static void destroy(struct bm_latency_probe *probe)
{
	PQfinish(probe->conn);
	if (probe->stop_fd >= 0) {
		close(probe->stop_fd);
	}
	free(probe);
}

struct bm_latency_probe *bm_latency_probe_start(struct bm_transfer *t)
{
	struct bm_latency_probe *probe = bm_alloc(sizeof(*probe));
	struct bm_error why = BM_ERROR_INIT;

	probe->transfer = t;
	probe->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (probe->stop_fd >= 0 && learn(probe, &why) != 0) {
		bm_transfer_note(t,
				"how soon the source answers cannot be measured (%s): until it "
				"can, the copy is not slowed for its sake",
				why.message);
	}
	int failure = probe->stop_fd < 0
			? errno
			: pthread_create(&probe->thread, NULL, probe_main, probe);
	if (failure != 0) {
		errno = failure;
		bm_error_set(&why, BM_ERR_IO, "%m");
		bm_transfer_note(t,
				"nothing watches how soon the source answers (%s): the copy is "
				"not slowed for its sake",
				why.message);
		destroy(probe);
		return NULL;
	}
	return probe;
}

void bm_latency_probe_stop(struct bm_latency_probe *probe)
{
	const uint64_t one = 1;

	if (probe == NULL) {
		return;
	}
	if (write(probe->stop_fd, &one, sizeof(one)) == sizeof(one)) {
		pthread_join(probe->thread, NULL);
	}
	bm_rate_limit_throttle(&probe->transfer->rate_limit, 0);
	probe->transfer->slowed[0] = '\0';
	destroy(probe);
}
