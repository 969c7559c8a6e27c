/*
 * output_lines - what Bucardo prints becomes our log
 *
 * The master we start writes to a pipe of ours. A tree that a person starts with
 * `bucardo start` must not hold their terminal, and a log file would grow
 * without end, so .bucardorc names a folder in which "log.bucardo" is a FIFO that
 * we read. We hold it open for writing too: no end of file, and no writer waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/health/classify.h"
#include "daemon/bucardo/internal.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"

#define LINE_LIMIT 8192

/* How often the same words of a failing sync are worth a line. */
#define REPEAT_MSEC 60000

/* How often a refused session is told: the same one, and any. */
#define REFUSED_MSEC 10000
#define REFUSED_ANY_MSEC 2000

/* Each start prints its whole configuration and object, about 90 such lines. */
static bool is_dump(const char *text)
{
	return text[0] == ' ' && strstr(text, " => ") != NULL;
}

/* What every start says anew, a line or more for each database and table. */
static bool is_chatter(const char *text)
{
	static const char *const phrases[] = {
			" Inspecting source ",
			" Local epoch: ",
			" Local time: ",
			" Local timezone: ",
			" MCP Bucardo object:",
			" MCP Bucardo config:",
	};

	for (size_t i = 0; i < BM_COUNT_OF(phrases); i++) {
		if (strstr(text, phrases[i]) != NULL) {
			return true;
		}
	}
	return false;
}

/* A failing sync says these anew every two seconds, until somebody fixes its cause. */
static bool may_repeat(const char *text)
{
	static const char *const phrases[] = {
			" Aborting due to exception ",
			" Kid has died, error is: ",
			" exiting at cleanup_kid.",
			" New kid, sync ",
			" MCP Starting check_sync_health",
	};

	for (size_t i = 0; i < BM_COUNT_OF(phrases); i++) {
		if (strstr(text, phrases[i]) != NULL) {
			return true;
		}
	}
	return false;
}

/* Of the words alone: pids, times and the row that failed differ each time. */
static uint64_t hash_words(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (const char *p = text; *p != '\0' && *p != '"'; p++) {
		if (*p < '0' || *p > '9') {
			hash = (hash ^ (unsigned char)*p) * 1099511628211u;
		}
	}
	return hash;
}

static bool was_reported_lately(struct output *output, const char *text)
{
	uint64_t hash = hash_words(text), now = bm_clock_msec();
	struct logged *oldest = &output->logged[0];

	for (size_t i = 0; i < BM_COUNT_OF(output->logged); i++) {
		struct logged *one = &output->logged[i];
		if (one->hash == hash && now - one->msec < REPEAT_MSEC) {
			return true;
		}
		oldest = one->msec < oldest->msec ? one : oldest;
	}
	*oldest = (struct logged){hash, now};
	return false;
}

/* launch.pl has met a Bucardo that it does not know: told once, however often it is tried. */
static void listen_for_refusal(struct bm_bucardo *bucardo, const char *text)
{
	struct daemon *daemon = &bucardo->daemon;
	const char *said = strstr(text, "cannot run this Bucardo: ");

	if (said == NULL) {
		return;
	}
	bool is_news = strncmp(daemon->refusal, said, sizeof(daemon->refusal) - 1) != 0;
	snprintf(daemon->refusal, sizeof(daemon->refusal), "%s", said);
	snprintf(daemon->last_words, sizeof(daemon->last_words), "%s", said);
	if (is_news) {
		bucardo_event(bucardo, BM_BUCARDO_HOLD, "%s; hint: %s", said,
				bm_bucardo_refusal_hint);
	}
}

/* The master says why it ends; the exit status does not. */
static void listen_for_last_words(struct daemon *daemon, const char *text)
{
	const char *said = strstr(text, "] MCP Warning: Killed");

	if (said == NULL) {
		return;
	}
	const char *colon = strstr(said, "): ");
	snprintf(daemon->last_words, sizeof(daemon->last_words), "%s",
			colon != NULL ? colon + 3 : said);
	daemon->last_words[strcspn(daemon->last_words, "\n")] = '\0';
	daemon->lost_database = bucardo_classify(daemon->last_words, "", NULL) ==
			RUN_ERROR_TRANSIENT;
}

static bool was_refused_lately(const struct output *output, const char *tried, uint64_t now)
{
	bool same = strncmp(output->refused, tried, sizeof(output->refused) - 1) == 0;

	return output->refused_msec != 0 &&
			now - output->refused_msec < (same ? REFUSED_MSEC : REFUSED_ANY_MSEC);
}

/* Sessions that are open do not show it: of a password that was changed, for example. */
static void listen_for_refused_sessions(struct bm_bucardo *bucardo, const char *text)
{
	struct output *output = &bucardo->output;
	const char *tried = strstr(text, "DBI connect(");
	uint64_t now = bm_clock_msec();

	if (tried != NULL && strstr(tried, ") failed: ") != NULL &&
			!was_refused_lately(output, tried, now)) {
		output->refused_msec = now;
		bm_text_copy(output->refused, sizeof(output->refused), tried);
		bucardo_event(bucardo, BM_BUCARDO_NO_SESSION, "%s", tried);
	}
}

static void take_line(struct bm_bucardo *bucardo, enum bm_lines_event event, const char *text,
		size_t length)
{
	if (is_dump(text)) {
		return;
	}
	listen_for_refused_sessions(bucardo, text);
	if (is_chatter(text) ||
			(may_repeat(text) && was_reported_lately(&bucardo->output, text))) {
		bm_log(BM_LOG_DEBUG, "output", BM_FIELDS(bm_str("unit", "bucardo")), "%s",
				text);
		return;
	}
	listen_for_last_words(&bucardo->daemon, text);
	listen_for_refusal(bucardo, text);
	master_spoke(bucardo, text);
	served_receive(bucardo, text);
	bm_log_child_line("bucardo", text, length, event == BM_LINES_PARTIAL);
}

static void on_pipe(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct bm_bucardo *bucardo = ctx;

	if (event != BM_LINES_END) {
		take_line(bucardo, event, text, length);
		return;
	}
	bm_lines_close(bucardo->output.pipe);
	bucardo->output.pipe = NULL;
}

static void on_fifo(void *ctx, enum bm_lines_event event, const char *text, size_t length)
{
	struct bm_bucardo *bucardo = ctx;

	if (event != BM_LINES_END) {
		take_line(bucardo, event, text, length);
		return;
	}
	bm_lines_close(bucardo->output.fifo);
	bucardo->output.fifo = NULL;
}

int output_open_fifo(struct bm_bucardo *bucardo, struct bm_error *err)
{
	if (bucardo->output.fifo != NULL) {
		return 0;
	}
	char *path = bm_format("%s/log.bucardo", bucardo->log_dir);
	int fd = -1;
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISFIFO(st.st_mode)) {
		unlink(path);
	}
	if (mkfifo(path, 0600) == 0 || errno == EEXIST) {
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0) {
		bm_error_set(err, BM_ERR_IO, "cannot make the log pipe '%s': %m", path);
	}
	free(path);
	if (fd < 0) {
		return -1;
	}
	bucardo->output.fifo = bm_lines_open(
			bucardo->loop, fd, LINE_LIMIT, on_fifo, bucardo, err);
	return bucardo->output.fifo != NULL ? 0 : -1;
}

int output_open_pipe(struct bm_bucardo *bucardo, struct bm_error *err)
{
	int ends[2];

	bm_lines_close(bucardo->output.pipe);
	bucardo->output.pipe = NULL;
	if (bm_pipe(ends, err) != 0) {
		return -1;
	}
	bucardo->output.pipe = bm_lines_open(
			bucardo->loop, ends[0], LINE_LIMIT, on_pipe, bucardo, err);
	if (bucardo->output.pipe == NULL) {
		close(ends[1]);
		return -1;
	}
	return ends[1];
}

void output_close(struct bm_bucardo *bucardo)
{
	bm_lines_close(bucardo->output.pipe);
	bm_lines_close(bucardo->output.fifo);
	bucardo->output = (struct output){.pipe = NULL};
}
