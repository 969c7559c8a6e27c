/*
 * The sampler: one thread reads the control database, one thread looks at each
 * other database, and the first thread, which waits for nothing but its stdin,
 * puts lines together and prints them.
 *
 * A line is printed at once when a state changed, each interval while something
 * moves or is unreachable, and every few seconds otherwise: the daemon that reads them
 * is asleep in between.
 */
#include "worker/observe/observe.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/session/ask.h"
#include "bucardo_machine/observation.h"
#include "base/protocol/observe_request.h"
#include "worker/observe/sample.h"
#include "worker/observe/monitored.h"

/* Without news, a line this often: the sign of life. */
#define QUIET_MSEC 5000

/* Several news within this time share a line. */
#define TOGETHER_MSEC 50

struct observer {
	struct bm_sampler sampler;
	struct bm_conninfo control;
	char *states;	       /* of the last line */
	uint64_t printed_msec; /* when that was; 0 never */
};

/* ---- the thread that reads the control database ---- */

static void publish_catalog(struct bm_sampler *sampler, const struct bm_catalog *catalog)
{
	pthread_mutex_lock(&sampler->lock);
	struct bm_catalog old = sampler->catalog;
	sampler->catalog = *catalog;
	sampler->problem[0] = '\0';
	bm_monitored_reconcile(sampler);
	bm_sampler_wake(sampler);
	pthread_mutex_unlock(&sampler->lock);
	bm_catalog_finish(&old);
}

static void publish_problem(struct bm_sampler *sampler, const char *why)
{
	pthread_mutex_lock(&sampler->lock);
	snprintf(sampler->problem, sizeof(sampler->problem), "the control database: %.300s",
			why);
	bm_sampler_wake(sampler);
	pthread_mutex_unlock(&sampler->lock);
}

static void read_control(struct observer *observer, PGconn **conn)
{
	uint64_t limit = observer->sampler.timeout_msec;
	struct bm_catalog catalog = {0};
	struct bm_error err = BM_ERROR_INIT;

	if (*conn == NULL) {
		*conn = bm_ask_connect(&observer->control, BM_SESSION_CONTROL, limit, &err);
		if (*conn != NULL && bm_sync_probe_begin(*conn, limit, &err) != 0) {
			PQfinish(*conn);
			*conn = NULL;
		}
	}
	if (*conn != NULL && bm_catalog_read(*conn, limit, &catalog, &err) == 0) {
		publish_catalog(&observer->sampler, &catalog);
		return;
	}
	bm_catalog_finish(&catalog);
	PQfinish(*conn);
	*conn = NULL;
	publish_problem(&observer->sampler, err.message);
}

static void *run_control(void *argument)
{
	static const bool never = false;
	struct observer *observer = argument;
	PGconn *conn = NULL;

	for (;;) {
		read_control(observer, &conn);
		bm_sampler_rest(&observer->sampler, observer->sampler.interval_msec, &never);
	}
	return NULL;
}

/* ---- the thread that prints ---- */

/* The pipe's reader is our parent: when it does not read, waiting is all right. */
static int print_line(const char *line)
{
	return puts(line) < 0 || fflush(stdout) != 0 ? -1 : 0;
}

/* How long until a line is due, given whether it has news. */
static uint64_t due_in(const struct observer *observer, uint64_t now_msec, bool is_news,
		bool is_in_motion)
{
	uint64_t gap = is_news ? TOGETHER_MSEC
			       : (is_in_motion ? observer->sampler.interval_msec : QUIET_MSEC);
	uint64_t due = observer->printed_msec == 0 ? 0 : observer->printed_msec + gap;

	return due > now_msec ? due - now_msec : 0;
}

/* The states of the sampler, and with `line` the line that tells them. */
static char *describe(struct observer *observer, bool *is_in_motion, char **line)
{
	struct bm_sampler *sampler = &observer->sampler;
	char *states;

	pthread_mutex_lock(&sampler->lock);
	uint64_t now_msec = bm_clock_msec(); /* not before what the threads wrote */
	bm_monitored_expire(sampler, now_msec);
	if (sampler->problem[0] != '\0') {
		*is_in_motion = false;
		*line = bm_observation_encode_waiting(sampler->problem);
		states = bm_strdup(*line);
	} else {
		struct bm_observation *sample = bm_sample_take(sampler, now_msec);
		*is_in_motion = bm_sample_is_in_motion(sample);
		*line = bm_observation_encode(sample, BM_OBSERVATION_FULL);
		states = bm_observation_encode(sample, BM_OBSERVATION_STATES);
		bm_sample_free(sample);
	}
	pthread_mutex_unlock(&sampler->lock);
	return states;
}

static bool has_anything(struct bm_sampler *sampler)
{
	pthread_mutex_lock(&sampler->lock);
	bool any = sampler->catalog.taken_msec != 0 || sampler->problem[0] != '\0';
	pthread_mutex_unlock(&sampler->lock);
	return any;
}

/* Print a line if one is due. Returns how long to wait, or -1 when nobody reads. */
static int print(struct observer *observer)
{
	bool is_in_motion;
	char *line;

	if (!has_anything(&observer->sampler)) {
		return QUIET_MSEC;
	}
	char *states = describe(observer, &is_in_motion, &line);
	uint64_t now_msec = bm_clock_msec();
	bool is_news = observer->states == NULL || strcmp(states, observer->states) != 0;
	uint64_t wait = due_in(observer, now_msec, is_news, is_in_motion);
	if (wait > 0) {
		free(states);
		free(line);
		return (int)wait;
	}
	int rc = print_line(line);
	free(line);
	free(observer->states);
	observer->states = states;
	observer->printed_msec = now_msec;
	return rc == 0 ? (int)due_in(observer, now_msec, false, is_in_motion) : -1;
}

static void wake(struct bm_sampler *sampler, bool anew)
{
	pthread_mutex_lock(&sampler->lock);
	sampler->wakes++;
	sampler->renewals += anew;
	pthread_cond_broadcast(&sampler->wake);
	pthread_mutex_unlock(&sampler->lock);
}

/* Whatever comes on stdin asks for a probe, "connect" for one with new connections. Returns -1
 * at its end. */
static int receive(struct bm_sampler *sampler)
{
	char words[256];
	ssize_t length = read(STDIN_FILENO, words, sizeof(words));

	if (length > 0) {
		wake(sampler, memchr(words, 'c', (size_t)length) != NULL);
		return 0;
	}
	return length < 0 && errno == EINTR ? 0 : -1;
}

static void speak_until_stdin_ends(struct observer *observer)
{
	struct bm_sampler *sampler = &observer->sampler;
	int wait = print(observer);

	while (wait >= 0) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = sampler->wake_fd, .events = POLLIN}};
		uint64_t rings;
		if (poll(fds, 2, wait) < 0 && errno != EINTR) {
			return;
		}
		if (fds[0].revents != 0 && receive(sampler) != 0) {
			return;
		}
		if (fds[1].revents != 0 && read(sampler->wake_fd, &rings, sizeof(rings)) < 0) {
			return;
		}
		wait = print(observer);
	}
}

/* ---- begin ---- */

/* Byte by byte: what follows the request belongs to the loop above. */
static int read_request(struct bm_observe_request *request, struct bm_error *err)
{
	char line[BM_REQUEST_LINE_BYTES];
	size_t length = 0;

	while (length < sizeof(line)) {
		ssize_t got = read(STDIN_FILENO, line + length, 1);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return bm_error_set(err, BM_ERR_CONFIG, "there is no request on stdin");
		}
		if (line[length] == '\n') {
			return bm_observe_request_decode(line, length, request, err);
		}
		length++;
	}
	return bm_error_set(err, BM_ERR_CONFIG, "the request is too long");
}

static int begin(struct observer *observer, const struct bm_observe_request *request,
		struct bm_error *err)
{
	struct bm_sampler *sampler = &observer->sampler;
	const struct bm_conninfo_row control = {.host = request->socket_dir,
			.port = "5432",
			.dbname = "bucardo",
			.user = "bucardo"};
	pthread_condattr_t attributes;

	sampler->interval_msec = request->interval_msec;
	sampler->timeout_msec = request->timeout_msec;
	sampler->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sampler->wake_fd < 0) {
		return bm_error_set(err, BM_ERR_IO, "cannot create an eventfd: %m");
	}
	pthread_mutex_init(&sampler->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sampler->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	if (bm_conninfo_build(&control, &observer->control, err) != 0) {
		return -1;
	}
	return bm_sampler_start_thread(run_control, observer, err);
}

int bm_observe_run(void)
{
	static struct observer observer; /* threads use it to the very end */
	struct bm_observe_request request;
	struct bm_error err = BM_ERROR_INIT;

	/* Threads would get a heap each; they need little. */
	mallopt(M_ARENA_MAX, 1);
	prctl(PR_SET_NAME, "observe");
	if (read_request(&request, &err) != 0 || begin(&observer, &request, &err) != 0) {
		fprintf(stderr, "observe: %s\n", err.message);
		return 1;
	}
	speak_until_stdin_ends(&observer);
	/* Threads may hang in a name lookup: leave without them. */
	_exit(0);
}
