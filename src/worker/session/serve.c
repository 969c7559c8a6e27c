/* The request on stdin, the thread that waits for its end, and the result. */
#include "worker/session/serve.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bucardo_machine/hints.h"
#include "base/protocol/report.h"

/* More than this is a mistake. */
#define REQUEST_BYTES ((size_t)1024 * 1024)

#define BEAT_MSEC 10000

/* The end of stdin means that nobody wants the work any more. `beats` NULL: without a sign
 * of life meanwhile. */
static void *wait_for_the_end(void *beats)
{
	struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
	char word[256];
	ssize_t got = 1;

	while (got > 0 || (got < 0 && errno == EINTR)) {
		if (poll(&end, 1, beats != NULL ? BEAT_MSEC : -1) == 0) {
			bm_report_alive();
		} else {
			got = read(STDIN_FILENO, word, sizeof(word));
		}
	}
	_exit(1);
}

/* Byte by byte: what follows the request is not ours to read. */
static int read_request(struct bm_phase_request *request, struct bm_error *err)
{
	struct bm_strbuf line = BM_STRBUF_INIT;
	int rc = -1;
	char c;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0 || line.length >= REQUEST_BYTES) {
			bm_error_set(err, BM_ERR_CONFIG, "there is no whole request on stdin");
			break;
		}
		if (c == '\n') {
			rc = bm_phase_request_decode(
					bm_strbuf_text(&line), line.length, request, err);
			break;
		}
		bm_strbuf_putc(&line, c);
	}
	bm_strbuf_finish(&line);
	return rc;
}

/* It takes no signal: the end of pg_dump has to reach the thread that waits for it. */
static int start_waiter(bool beats, struct bm_error *err)
{
	static bool yes = true;

	sigset_t all, before;
	pthread_t waiter;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&waiter, NULL, wait_for_the_end, beats ? &yes : NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed == 0 ? 0 : bm_error_set(err, BM_ERR_TRANSIENT, "cannot start a thread");
}

static void finish(struct bm_phase *phase)
{
	bm_phase_disconnect(phase);
	json_decref(phase->evidence);
	bm_phase_request_finish(&phase->request);
}

int bm_phase_serve(const char *title, bool beats,
		int (*run)(struct bm_phase *phase, struct bm_error *err))
{
	struct bm_phase phase = {.catalog = BM_SIDE_SOURCE, .evidence = json_object()};
	struct bm_error err = BM_ERROR_INIT;

	prctl(PR_SET_NAME, title);
	int rc = read_request(&phase.request, &err);
	if (rc == 0) {
		rc = start_waiter(beats, &err);
	}
	if (rc == 0) {
		rc = run(&phase, &err);
	}
	if (rc == 0) {
		bm_report_done(json_incref(phase.evidence));
	} else {
		bm_report_failed(bm_failure_of(&err), &err,
				phase.hint[0] != '\0' ? phase.hint : bm_hint_of(&err),
				json_incref(phase.evidence));
	}
	finish(&phase);
	return rc == 0 ? 0 : 1;
}
