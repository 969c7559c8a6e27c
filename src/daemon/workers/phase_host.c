/*
 * The parent side of `worker phase`. A worker's end is its exit and the end of its
 * lines, whichever comes last: its result may still be in the pipe when it is
 * reaped. A grandchild (pg_dump) that holds the pipe open is not waited for long.
 */
#include "bucardo_machine/phase_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/watchdog.h"
#include "bucardo_machine/worker_child.h"

/* Between the exit of the worker and the end of its lines. */
#define LINGER_MSEC 1000

/* Between the result and the exit: it only disconnects. */
#define GOODBYE_MSEC 5000

/* `worker phase` says every 10 s that it lives; `worker reconcile` says something every 10 s
 * and before each statement, which may take 2 minutes (ASK_LIMIT_MSEC in
 * worker/reconcile/reconcile.c). One that says nothing for so long and does not work either
 * hangs (watchdog.h). */
#define SILENT_MSEC 180000
#define SILENT_LIMIT_MSEC (30 * 60 * 1000)

struct bm_phase_host {
	void (*on_line)(void *ctx, const struct bm_phase_line *line);
	void (*on_end)(void *ctx, const char *how);
	void *ctx;
	struct bm_worker_child *child;
	struct bm_timer *linger;
	struct bm_watchdog *silence;
	bool has_result, lines_ended, is_reported;
	char how[BM_EXIT_TEXT_SIZE + 128];
};

/* ---- its end ---- */

/* Last in every callback: the receiver may close the host. */
static void report_end(struct bm_phase_host *host, const char *how)
{
	if (!host->is_reported) {
		host->is_reported = true;
		host->on_end(host->ctx, host->has_result ? NULL : how);
	}
}

static void on_exit_of_worker(void *ctx, pid_t pid, int status)
{
	struct bm_phase_host *host = ctx;
	char text[BM_EXIT_TEXT_SIZE];

	(void)pid;
	char *how = bm_format(
			"its worker ended without a result: %s", bm_exit_text(status, text));
	bm_text_copy(host->how, sizeof(host->how), how);
	free(how);
	if (host->lines_ended) {
		report_end(host, host->how);
	} else {
		bm_timer_arm(host->linger, LINGER_MSEC);
	}
}

static void on_linger(void *ctx)
{
	struct bm_phase_host *host = ctx;

	report_end(host, host->how);
}

/* The end of its connections ends its statements, and what they did not commit. */
static void on_silence(void *ctx, const char *why)
{
	struct bm_phase_host *host = ctx;

	bm_worker_child_end(host->child);
	snprintf(host->how, sizeof(host->how), "its worker %s, and was ended", why);
	report_end(host, host->how);
}

/* ---- its lines ---- */

static void take_line(struct bm_phase_host *host, const char *text, size_t length)
{
	struct bm_phase_decoded decoded;
	struct bm_error err = BM_ERROR_INIT;

	if (host->has_result || host->is_reported) {
		return; /* a result is the last that counts */
	}
	if (bm_phase_line_decode(text, length, &decoded, &err) != 0) {
		bm_phase_line_finish(&decoded);
		bm_worker_child_end(host->child);
		report_end(host, err.message);
		return;
	}
	host->has_result = decoded.line.event == BM_PHASE_EVENT_DONE ||
			decoded.line.event == BM_PHASE_EVENT_FAILED;
	if (host->has_result) {
		bm_watchdog_rest(host->silence);
		bm_timer_arm(host->linger, GOODBYE_MSEC);
	} else {
		bm_watchdog_received(host->silence);
	}
	if (decoded.line.event != BM_PHASE_EVENT_ALIVE) {
		host->on_line(host->ctx, &decoded.line);
	}
	bm_phase_line_finish(&decoded);
}

static void on_event(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct bm_phase_host *host = ctx;

	switch (event) {
	case BM_LINES_LINE:
		take_line(host, text, length);
		break;
	case BM_LINES_PARTIAL:
		bm_worker_child_end(host->child);
		report_end(host, "its worker printed a line that is too long");
		break;
	case BM_LINES_END:
		host->lines_ended = true;
		if (bm_worker_child_pid(host->child) == 0) {
			report_end(host, host->how);
		}
		break;
	}
}

/* ---- the object ---- */

struct bm_phase_host *bm_phase_host_start(struct bm_loop *loop,
		const struct bm_phase_options *options, const char *request,
		void (*on_line)(void *ctx, const struct bm_phase_line *line),
		void (*on_end)(void *ctx, const char *how), void *ctx, struct bm_error *err)
{
	struct bm_phase_host *host = bm_alloc(sizeof(*host));
	const struct bm_worker_child_options worker = {.program = options->program,
			.worker = options->worker,
			.pgpass = options->pgpass,
			.subject = options->subject,
			.request = request,
			.line_bytes = BM_PHASE_LINE_BYTES,
			.on_line = on_event,
			.on_exit = on_exit_of_worker,
			.ctx = host};

	host->on_line = on_line;
	host->on_end = on_end;
	host->ctx = ctx;
	host->linger = bm_timer_create(loop, on_linger, host);
	host->silence = bm_watchdog_create(
			loop, SILENT_MSEC, SILENT_LIMIT_MSEC, on_silence, host);
	host->child = bm_worker_child_start(loop, &worker, err);
	if (host->child == NULL) {
		bm_error_wrap(err, "starting a phase worker");
		bm_phase_host_close(host);
		return NULL;
	}
	bm_watchdog_watch(host->silence, bm_worker_child_pid(host->child));
	return host;
}

void bm_phase_host_close(struct bm_phase_host *host)
{
	if (host == NULL) {
		return;
	}
	bm_worker_child_close(host->child);
	bm_timer_close(host->linger);
	bm_watchdog_close(host->silence);
	free(host);
}

pid_t bm_phase_host_pid(const struct bm_phase_host *host)
{
	return bm_worker_child_pid(host->child);
}
