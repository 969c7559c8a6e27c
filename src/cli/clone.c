/*
 * The command `clone`: schema, rows and indexes of one database into an empty one,
 * without the daemon. Shows a bar on a terminal, lines elsewhere, JSON when asked.
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/transfer.h"
#include "cli/command.h"

#define BAR_CELLS 30

/* Where nobody watches a bar, a line now and then is enough. */
#define LINE_EVERY_MSEC 10000
#define JSON_EVERY_MSEC 500

struct show {
	bool json, terminal;
	uint64_t told_msec; /* 0: nothing told yet */
	const char *phase;
	bool bar_is_open;
};

static void print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));

	puts(text != NULL ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(object);
}

static void format_bytes(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void print_line(const struct bm_transfer_progress *p, const char *before)
{
	char bytes[32], span[BM_CLOCK_TEXT_SIZE];

	format_bytes(p->bytes, bytes, sizeof(bytes));
	bm_clock_format_span(p->elapsed_msec, span);
	printf("%s%5.1f %%  %-7s %u/%u  %s, %" PRIu64 " rows, %s", before, p->percent, p->phase,
			p->done, p->total, bytes, p->rows, span);
}

static void print_bar(struct show *show, const struct bm_transfer_progress *p)
{
	char bar[BAR_CELLS + 1];
	int full = (int)(p->percent * BAR_CELLS / 100);

	for (int i = 0; i < BAR_CELLS; i++) {
		bar[i] = i < full ? '#' : '.';
	}
	bar[BAR_CELLS] = '\0';
	printf("\r\033[K[%s] ", bar);
	print_line(p, "");
	fflush(stdout);
	show->bar_is_open = true;
}

static void print_progress_json(const struct bm_transfer_progress *p)
{
	print_json(json_pack("{s:s, s:s, s:f, s:I, s:I, s:I, s:i, s:i, s:I, s:I}", "event",
			"progress", "phase", p->phase, "percent", p->percent, "bytes",
			(json_int_t)p->bytes, "bytes_total", (json_int_t)p->bytes_total, "rows",
			(json_int_t)p->rows, "done", (int)p->done, "total", (int)p->total,
			"reused_chunks", (json_int_t)p->reused_chunks, "elapsed_ms",
			(json_int_t)p->elapsed_msec));
}

static void on_progress(void *ctx, const struct bm_transfer_progress *progress)
{
	struct show *show = ctx;
	uint64_t now = bm_clock_msec();
	uint64_t every = show->json ? JSON_EVERY_MSEC : LINE_EVERY_MSEC;
	bool due = show->phase != progress->phase || now - show->told_msec >= every;

	if (show->terminal) {
		print_bar(show, progress);
	} else if (due && show->json) {
		print_progress_json(progress);
	} else if (due) {
		print_line(progress, "");
		puts("");
		fflush(stdout);
	}
	if (due) {
		show->phase = progress->phase;
		show->told_msec = now;
	}
}

static void close_bar(struct show *show)
{
	if (show->bar_is_open) {
		puts("");
		fflush(stdout);
		show->bar_is_open = false;
	}
}

static void on_note(void *ctx, const char *text)
{
	struct show *show = ctx;

	close_bar(show);
	if (show->json) {
		print_json(json_pack(
				"{s:s, s:s%}", "event", "note", "text", text, strlen(text)));
	} else {
		printf("note: %s\n", text);
		fflush(stdout);
	}
}

static int tell_end(struct show *show, struct bm_transfer *transfer, const struct bm_error *err,
		bool was_finished)
{
	close_bar(show);
	if (err != NULL) {
		if (show->json) {
			print_json(json_pack("{s:s, s:s, s:s}", "event", "failed", "code",
					bm_error_code_name(err->code), "error", err->message));
		}
		fprintf(stderr,
				"bucardo-machine: clone: %s\n"
				"The destination is not usable yet. The same command goes on where it "
				"stopped.\n",
				err->message);
		return CLI_FAILED;
	}
	struct bm_transfer_progress p = bm_transfer_progress(transfer);
	if (show->json) {
		print_progress_json(&p);
		print_json(json_pack(
				"{s:s, s:b}", "event", "done", "was_finished", was_finished));
	} else if (was_finished) {
		puts("The destination is a complete clone of this source already; nothing to do.");
	} else {
		print_line(&p, "");
		puts("\nThe destination is complete. Its ledger, schema bucardo_machine, may be "
		     "dropped.");
	}
	return CLI_OK;
}

/* Ctrl-C ends us at once: the ledger knows what is done, and the servers roll back. */
static int begin(struct bm_error *err)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	if (bm_event_begin(err) != 0) {
		return -1;
	}
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaddset(&set, ending[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

static int transfer_all(struct bm_transfer *transfer, struct bm_error *err)
{
	if (bm_transfer_schema(transfer, err) != 0 || bm_transfer_copy(transfer, err) != 0) {
		return -1;
	}
	return bm_transfer_index(transfer, err);
}

int cli_clone(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct show show = {
			.json = call->json, .terminal = !call->json && isatty(STDOUT_FILENO)};
	const struct bm_transfer_options options = {
			.source = call->source,
			.destination = call->destination,
			.jobs = call->jobs,
			.chunk_bytes = (uint64_t)call->chunk_mib << 20,
			.progress = on_progress,
			.note = on_note,
			.ctx = &show,
	};

	if (options.source == NULL || options.destination == NULL) {
		fprintf(stderr,
				"bucardo-machine: 'clone' needs --source CONNINFO and "
				"--destination CONNINFO\n");
		return CLI_USAGE;
	}
	struct bm_transfer *transfer = begin(&err) == 0 ? bm_transfer_open(&options, &err)
							: NULL;
	if (transfer == NULL) {
		fprintf(stderr, "bucardo-machine: clone: %s\n", err.message);
		if (call->json) {
			print_json(json_pack("{s:s, s:s, s:s}", "event", "failed", "code",
					bm_error_code_name(err.code), "error", err.message));
		}
		return CLI_FAILED;
	}
	bool was_finished = bm_transfer_is_finished(transfer);
	int rc = was_finished ? 0 : transfer_all(transfer, &err);
	int code = tell_end(&show, transfer, rc == 0 ? NULL : &err, was_finished);
	bm_transfer_close(transfer);
	return code;
}
