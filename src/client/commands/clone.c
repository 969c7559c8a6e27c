/*
 * The command `clone`: schema, rows and indexes of one database into an empty one,
 * without the daemon. Shows a bar on a terminal, lines elsewhere, JSON when asked.
 */
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/event.h"
#include "bucardo_machine/hints.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/transfer.h"
#include "client/cli/command.h"
#include "client/terminal/text.h"

#define BAR_CELLS 20

/* Of a terminal that does not say. */
#define USUAL_COLUMNS 80

/* Where nobody watches a bar, a line now and then is enough. */
#define LINE_EVERY_MSEC 10000
#define JSON_EVERY_MSEC 500

/* A server that is unreachable is waited for, as long as that. */
#define RETRY_EVERY_MSEC 5000
#define GIVE_UP_AFTER_MSEC ((uint64_t)10 * 60 * 1000)

struct show {
	bool json, terminal;
	uint64_t reported_msec; /* 0: nothing told yet */
	const char *phase;
	bool bar_is_open;
	double percent; /* the highest so far, over all attempts */
	uint64_t bytes;
	unsigned done;
	uint64_t advanced_msec; /* when something was last done */
	/* of the last attempt that had both databases: */
	bool begun;
	enum bm_outlook outlook;
	char *exclude; /* what could be left out; NULL: nothing */
};

static void print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));

	puts(text != NULL ? text : "{}");
	fflush(stdout);
	free(text);
	json_decref(object);
}

/* How many of the tables and objects under way a line names. */
#define PARTS_SHOWN 3

/* "; public.film 12 MB of 40 MB, public.log 3 MB of 4 MB", "; INDEX public.a 40 %, sorting". */
static void put_parts(const struct bm_transfer_progress *p, struct bm_strbuf *out)
{
	bool rows = strcmp(p->phase, "copy") == 0;

	for (size_t i = 0; i < p->part_count && i < PARTS_SHOWN; i++) {
		const struct bm_transfer_part *part = &p->parts[i];
		bm_strbuf_printf(out, "%s %s ", i == 0 ? ";" : ",", part->name);
		if (rows) {
			cli_text_amount((int64_t)part->done, "bytes", out);
			bm_strbuf_puts(out, " of ");
			cli_text_amount((int64_t)part->total, "bytes", out);
		} else {
			bm_strbuf_printf(out, "%.0f %%%s%s",
					100.0 * (double)part->done / (double)part->total,
					part->step[0] != '\0' ? " " : "", part->step);
		}
	}
}

static void put_left(const struct bm_transfer_progress *p, struct bm_strbuf *out)
{
	char span[BM_CLOCK_TEXT_SIZE];

	if (p->left_msec >= 0 && strcmp(p->phase, "done") != 0) {
		uint64_t seconds = ((uint64_t)p->left_msec + 999) / 1000;
		bm_strbuf_printf(out, ", %s of %s left",
				bm_clock_format_span((seconds > 0 ? seconds : 1) * 1000, span),
				p->phase);
	}
}

static void put_line(const struct bm_transfer_progress *p, struct bm_strbuf *out)
{
	char span[BM_CLOCK_TEXT_SIZE];

	bm_clock_format_span(p->elapsed_msec, span);
	bm_strbuf_printf(
			out, "%5.1f %%  %-7s %u/%u  ", p->percent, p->phase, p->done, p->total);
	cli_text_amount((int64_t)p->bytes, "bytes", out);
	bm_strbuf_puts(out, ", ");
	cli_text_amount((int64_t)p->rows, p->rows == 1 ? "row" : "rows", out);
	bm_strbuf_printf(out, ", %s", span);
	put_left(p, out);
	bm_strbuf_printf(out, "%s%s", p->remark[0] != '\0' ? "; " : "", p->remark);
	put_parts(p, out);
}

static void print_line(const struct bm_transfer_progress *p)
{
	struct bm_strbuf line = BM_STRBUF_INIT;

	put_line(p, &line);
	puts(bm_strbuf_text(&line));
	fflush(stdout);
	bm_strbuf_finish(&line);
}

/* A line that wraps cannot be written over: it is cut at the terminal's edge. */
static int line_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1
			? size.ws_col - 1
			: USUAL_COLUMNS - 1;
}

static void print_bar(struct show *show, const struct bm_transfer_progress *p)
{
	struct bm_strbuf line = BM_STRBUF_INIT;
	int full = (int)(p->percent * BAR_CELLS / 100);

	bm_strbuf_putc(&line, '[');
	for (int i = 0; i < BAR_CELLS; i++) {
		bm_strbuf_putc(&line, i < full ? '#' : '.');
	}
	bm_strbuf_puts(&line, "] ");
	put_line(p, &line);
	printf("\r\033[K%.*s", line_width(), bm_strbuf_text(&line));
	fflush(stdout);
	show->bar_is_open = true;
	bm_strbuf_finish(&line);
}

static void print_progress_json(const struct bm_transfer_progress *p)
{
	json_t *object = json_pack("{s:s, s:s, s:f, s:I, s:I, s:I, s:i, s:i, s:I, s:I, s:o}",
			"event", "progress", "phase", p->phase, "percent", p->percent, "bytes",
			(json_int_t)p->bytes, "bytes_total", (json_int_t)p->bytes_total, "rows",
			(json_int_t)p->rows, "done", (int)p->done, "total", (int)p->total,
			"reused_chunks", (json_int_t)p->reused_chunks, "elapsed_ms",
			(json_int_t)p->elapsed_msec, "remark", bm_json_text(p->remark));

	json_object_set_new(object, "work", json_integer((json_int_t)p->work));
	json_object_set_new(object, "work_total", json_integer((json_int_t)p->work_total));
	json_object_set_new(object, "left_ms",
			p->left_msec >= 0 ? json_integer(p->left_msec) : json_null());
	json_object_set_new(object, "in_flight", bm_transfer_parts(p));
	print_json(object);
}

/* A new attempt begins below what an earlier one had reached. */
static void note_advance(struct show *show, struct bm_transfer_progress *progress, uint64_t now)
{
	if (progress->bytes != show->bytes || progress->done != show->done) {
		show->advanced_msec = now;
	}
	show->bytes = progress->bytes;
	show->done = progress->done;
	show->percent = progress->percent > show->percent ? progress->percent : show->percent;
	progress->percent = show->percent;
}

static void on_progress(void *ctx, const struct bm_transfer_progress *told)
{
	struct show *show = ctx;
	struct bm_transfer_progress view = *told, *progress = &view;
	uint64_t now = bm_clock_msec();
	uint64_t every = show->json ? JSON_EVERY_MSEC : LINE_EVERY_MSEC;
	note_advance(show, progress, now);
	bool due = show->phase != progress->phase || now - show->reported_msec >= every;

	if (show->terminal) {
		print_bar(show, progress);
	} else if (due && show->json) {
		print_progress_json(progress);
	} else if (due) {
		print_line(progress);
	}
	if (due) {
		show->phase = progress->phase;
		show->reported_msec = now;
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
				"{s:s, s:o}", "event", "note", "text", bm_json_text(text)));
	} else {
		printf("note: %s\n", text);
		fflush(stdout);
	}
}

/* ---- the end ---- */

static const struct {
	const char *word, *text;
} outlooks[] = {
		[BM_OUTLOOK_GOES_ON] = {"goes-on",
				"The destination is not usable yet. The same command goes on where it "
				"stopped."},
		[BM_OUTLOOK_FAILS] = {"fails-until-fixed",
				"The destination is not usable yet. The same command ends the same way "
				"until that is fixed; then it goes on where it stopped."},
		[BM_OUTLOOK_ANEW] = {"begins-anew",
				"Nothing was made on the destination. The same command begins anew."},
		[BM_OUTLOOK_FAILS_ANEW] = {"fails-until-fixed",
				"Nothing was made on the destination. The same command ends the same "
				"way until that is fixed."},
		[BM_OUTLOOK_NEVER] = {"needs-an-empty-database",
				"The destination is not usable, and the same command cannot go on "
				"with it."},
};
static_assert(BM_COUNT_OF(outlooks) == BM_OUTLOOK_COUNT, "an outlook has no row");

/* As a word of a shell. */
static void put_word(const char *word, struct bm_strbuf *out)
{
	bool plain = word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_.")] == '\0';

	bm_strbuf_puts(out, plain ? "" : "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'') {
			bm_strbuf_puts(out, "'\\'");
		}
		bm_strbuf_putc(out, *word);
	}
	bm_strbuf_puts(out, plain ? "" : "'");
}

static void report_outlook(const struct show *show)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	bool is_empty = show->outlook == BM_OUTLOOK_FAILS_ANEW;

	bm_strbuf_puts(&text, outlooks[show->outlook].text);
	if (show->exclude != NULL && (is_empty || show->outlook == BM_OUTLOOK_FAILS)) {
		bm_strbuf_puts(&text,
				is_empty ? " Or leave it out: --exclude "
					 : " Or leave it out: begin again with an empty "
					   "database and --exclude ");
		put_word(show->exclude, &text);
	}
	fprintf(stderr, "%s\n", bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

static void report_failure(const struct show *show, const struct bm_error *err)
{
	const char *hint = bm_hint_of(err);

	if (show->json) {
		print_json(json_pack("{s:s, s:s, s:o, s:s, s:s?, s:o}", "event", "failed",
				"code", bm_error_code_name(err->code), "error",
				bm_json_text(err->message), "hint", hint, "same_command",
				show->begun ? outlooks[show->outlook].word : NULL, "exclude",
				show->exclude != NULL ? bm_json_text(show->exclude)
						      : json_null()));
	}
	fprintf(stderr, "bucardo-machine: clone: %s%s%s\n", err->message,
			hint[0] != '\0' ? "; " : "", hint);
	if (show->begun) {
		report_outlook(show);
	}
}

static void report_success(const struct show *show, const struct bm_transfer_progress *end,
		bool was_finished)
{
	if (show->json) {
		print_progress_json(end);
		print_json(json_pack(
				"{s:s, s:b}", "event", "done", "was_finished", was_finished));
	} else if (was_finished) {
		puts("The destination is a complete clone of this source already; nothing to do.");
	} else {
		print_line(end);
		puts("The destination is complete. Its ledger, schema bucardo_machine, may be "
		     "dropped.");
	}
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

static void take_outlook(struct show *show, const struct bm_transfer *transfer,
		const struct bm_error *err)
{
	const char *exclude = bm_transfer_exclude(transfer);

	show->outlook = bm_transfer_outlook(transfer, err);
	free(show->exclude);
	show->exclude = exclude[0] != '\0' ? bm_strdup(exclude) : NULL;
}

/* One attempt, told when it is a success. */
static int attempt(const struct bm_transfer_options *options, struct show *show,
		struct bm_error *err)
{
	struct bm_transfer *transfer = bm_transfer_open(options, err);

	if (transfer == NULL) {
		return -1;
	}
	show->begun = true;
	bool was_finished = bm_transfer_is_finished(transfer);
	int rc = was_finished ? 0 : transfer_all(transfer, err);
	close_bar(show);
	if (rc == 0) {
		struct bm_transfer_progress end = bm_transfer_progress(transfer);
		report_success(show, &end, was_finished);
	} else {
		take_outlook(show, transfer, err);
	}
	bm_transfer_close(transfer);
	return rc;
}

/* A server that was there and is not any more is waited for. */
static int clone_all(const struct bm_transfer_options *options, struct show *show,
		struct bm_error *err)
{
	char text[sizeof(err->message) + 32];

	show->advanced_msec = bm_clock_msec();
	while (attempt(options, show, err) != 0) {
		if (!show->begun || err->code != BM_ERR_TRANSIENT ||
				bm_clock_msec() - show->advanced_msec > GIVE_UP_AFTER_MSEC) {
			return -1;
		}
		snprintf(text, sizeof(text), "%s; trying again", err->message);
		on_note(show, text);
		*err = (struct bm_error)BM_ERROR_INIT;
		poll(NULL, 0, RETRY_EVERY_MSEC);
	}
	return 0;
}

static int clone_these(const struct cli_call *call, const struct bm_conninfo *source,
		const struct bm_conninfo *destination, struct show *show, struct bm_error *err)
{
	const struct bm_transfer_options options = {
			.source = source,
			.destination = destination,
			.jobs = call->jobs,
			.filter = {.include = call->include[0] != NULL ? call->include : NULL,
					.exclude = call->exclude[0] != NULL ? call->exclude
									    : NULL},
			.chunk_bytes = (uint64_t)call->chunk_mib << 20,
			.max_rate = call->max_rate,
			.throttle = call->throttle,
			.accept_moments = call->accept_moments,
			.trust_keys = call->verify,
			.progress = on_progress,
			.note = on_note,
			.ctx = show,
	};

	return begin(err) == 0 ? clone_all(&options, show, err) : -1;
}

int cli_clone(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_conninfo source = {0}, destination = {0};
	struct show show = {
			.json = call->json, .terminal = !call->json && isatty(STDOUT_FILENO)};

	if (call->source == NULL || call->destination == NULL) {
		fprintf(stderr,
				"bucardo-machine: 'clone' needs --source CONNINFO and "
				"--destination CONNINFO\n");
		return CLI_USAGE;
	}
	int rc = bm_conninfo_parse(call->source, "source", &source, &err);
	if (rc == 0) {
		rc = bm_conninfo_parse(call->destination, "destination", &destination, &err);
	}
	if (rc == 0) {
		rc = clone_these(call, &source, &destination, &show, &err);
	}
	if (rc != 0) {
		report_failure(&show, &err);
	}
	bm_conninfo_finish(&source);
	bm_conninfo_finish(&destination);
	free(show.exclude);
	return rc == 0 ? call->verify ? cli_verify_clone(call) : CLI_OK
			: err.code == BM_ERR_MOMENTS ? CLI_MOMENTS
						     : CLI_FAILED;
}
