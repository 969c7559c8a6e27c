/* Formatting of log lines, and the bounded ring that keeps a slow reader harmless. */
#include "bucardo_machine/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/utf8.h"

/* The longest line; what is longer is cut and marked, and still whole in its format. */
#define LINE_BYTES 8192

/* Kept free for the end of a line: `..."}` and the newline. */
#define END_BYTES 8

/* POSIX: a pipe that polls writable takes PIPE_BUF (4096) bytes without blocking. */
#define WRITE_BYTES 4096

static struct {
	int fd;
	int own_fd; /* opened here; 0 or below: none */
	bool is_socket, is_terminal;
	bool json;
	bool blocking;
	enum bm_log_level level;
	char ring[BM_LOG_RING_BYTES];
	size_t start, used;
	uint64_t dropped, dropped_reported;
} sink = {.fd = STDERR_FILENO, .blocking = true, .level = BM_LOG_INFO};

/* A line under construction. */
struct line {
	char text[LINE_BYTES];
	size_t length;
	bool full; /* something did not fit: nothing more is added but the end */
};

/* All of `data`, or nothing of it and nothing any more. */
static bool put(struct line *line, const char *data, size_t length)
{
	if (line->full || length > LINE_BYTES - END_BYTES - line->length) {
		line->full = true;
		return false;
	}
	memcpy(line->text + line->length, data, length);
	line->length += length;
	return true;
}

static bool puts_to(struct line *line, const char *text)
{
	return put(line, text, strlen(text));
}

/* Into the room that is kept for the end. */
static void put_end(struct line *line, const char *text)
{
	memcpy(line->text + line->length, text, strlen(text));
	line->length += strlen(text);
}

/* How a text is written, so that a line stays one line and what it claims to be. */
enum style {
	PLAIN,	/* control characters become spaces */
	QUOTED, /* the same inside quotes: \" and \\ */
	JSON	/* the content of a JSON string */
};

/* One character (0 bytes: an invalid byte) into `out` of 8 bytes; returns its length. */
static size_t encode(char *out, const char *data, size_t size, enum style style)
{
	unsigned char c = (unsigned char)data[0];
	char unit[8] = "";

	if (size == 0) {
		memcpy(out, "\xef\xbf\xbd", 3); /* U+FFFD, the replacement character */
		return 3;
	}
	memcpy(unit, data, size);
	bool control = bm_utf8_control(unit) > 0 || c == 0;
	if (control && size == 1 && style == JSON) {
		return (size_t)snprintf(out, 8, "\\u%04x", c);
	}
	if (control) {
		out[0] = ' ';
		return 1;
	}
	if (style != PLAIN && (c == '"' || c == '\\')) {
		memcpy(out, (const char[]){'\\', (char)c}, 2);
		return 2;
	}
	memcpy(out, data, size);
	return size;
}

/* Returns false when it had to be cut; the cut is marked. */
static bool put_text(struct line *line, const char *data, size_t length, enum style style)
{
	char unit[8];

	for (size_t i = 0; i < length;) {
		size_t size = bm_utf8_length(data + i, length - i);
		if (!put(line, unit, encode(unit, data + i, size, style))) {
			put_end(line, "...");
			return false;
		}
		i += size > 0 ? size : 1;
	}
	return true;
}

/* `,"name":` and its like; false when there is no room for a member any more. */
static bool put_name(struct line *line, const char *name, const char *after)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s%s", sink.json ? ",\"" : " ", name, after);
	return puts_to(line, text + (sink.json && line->length == 1));
}

static void put_json_member(
		struct line *line, const char *name, const char *value, size_t length)
{
	if (put_name(line, name, "\":\"")) {
		put_text(line, value, length, JSON);
		put_end(line, "\"");
	}
}

/* A value that a program could not take back apart is put in quotes. */
static bool needs_quotes(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || strchr("=\"\\\x7f", *c) != NULL) {
			return true;
		}
	}
	return text[0] == '\0';
}

static void put_string_field(struct line *line, const char *name, const char *value)
{
	if (value == NULL) {
		return;
	}
	if (sink.json) {
		put_json_member(line, name, value, strlen(value));
	} else if (!needs_quotes(value)) {
		if (put_name(line, name, "=")) {
			put_text(line, value, strlen(value), PLAIN);
		}
	} else if (put_name(line, name, "=\"")) {
		put_text(line, value, strlen(value), QUOTED);
		put_end(line, "\"");
	}
}

static void put_field(struct line *line, const struct bm_field *field)
{
	char text[64];

	if (field->kind == BM_FIELD_STRING) {
		put_string_field(line, field->name, field->string);
		return;
	}
	const char *after = sink.json ? "\":" : "=";
	if (field->kind == BM_FIELD_INT) {
		snprintf(text, sizeof(text), "%s%" PRId64, after, field->integer);
	} else if (!isfinite(field->real)) {
		snprintf(text, sizeof(text), "%snull", after); /* JSON has no infinity */
	} else if (fabs(field->real) < 1e15) {
		snprintf(text, sizeof(text), "%s%.3f", after, field->real);
	} else {
		snprintf(text, sizeof(text), "%s%.6g", after, field->real);
	}
	put_name(line, field->name, text);
}

static void begin_line(struct line *line, enum bm_log_level level, const char *area)
{
	char when[BM_CLOCK_TEXT_SIZE];

	line->length = 0;
	line->full = false;
	bm_clock_format(bm_clock_wall_msec(), when);
	if (sink.json) {
		puts_to(line, "{");
		put_json_member(line, "ts", when, strlen(when));
		put_json_member(line, "level", bm_log_level_name(level),
				strlen(bm_log_level_name(level)));
		put_json_member(line, "area", area, strlen(area));
	} else {
		char head[80];
		snprintf(head, sizeof(head), "%s %-5s %-9s ", when, bm_log_level_name(level),
				area);
		puts_to(line, head);
	}
}

static void put_message(struct line *line, const char *message, size_t length)
{
	if (sink.json) {
		put_json_member(line, "msg", message, length);
	} else {
		put_text(line, message, length, PLAIN);
	}
}

/* Whether the descriptor takes WRITE_BYTES now; with a blocking sink, wait until it does. */
static bool is_writable(void)
{
	struct pollfd wait = {.fd = sink.fd, .events = POLLOUT};

	/* An error or hang-up counts: the write fails at once and so empties the ring. */
	return poll(&wait, 1, sink.blocking ? -1 : 0) == 1 && wait.revents != 0;
}

/* Write up to `length` bytes; the number written, 0 when it would block. */
static size_t write_some(const char *data, size_t length)
{
	if (!is_writable()) {
		return 0;
	}
	size_t some = length < WRITE_BYTES ? length : WRITE_BYTES;
	ssize_t n = sink.is_socket ? send(sink.fd, data, some, MSG_DONTWAIT | MSG_NOSIGNAL)
				   : write(sink.fd, data, some);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return 0;
	}
	/* A descriptor that is gone takes everything: there is nobody to tell. */
	return n < 0 ? length : (size_t)n;
}

static void append_to_ring(const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sink.ring[(sink.start + sink.used + i) % BM_LOG_RING_BYTES] = data[i];
	}
	sink.used += length;
}

static void emit(struct line *line)
{
	put_end(line, sink.json ? "}\n" : "\n");
	bm_log_flush();
	size_t done = 0;
	while (sink.used == 0 && done < line->length) {
		size_t n = write_some(line->text + done, line->length - done);
		if (n == 0 && !sink.blocking) {
			break;
		}
		done += n;
	}
	size_t rest = line->length - done;
	if (rest == 0) {
		return;
	}
	/* A line whose head is out is finished in any case: lines stay whole. */
	if (done == 0 && rest > BM_LOG_RING_BYTES - LINE_BYTES - sink.used) {
		sink.dropped++;
		return;
	}
	append_to_ring(line->text + done, rest);
}

static void report_dropped(void)
{
	if (sink.dropped == sink.dropped_reported || sink.used > 0) {
		return;
	}
	uint64_t lost = sink.dropped - sink.dropped_reported;
	sink.dropped_reported = sink.dropped;
	bm_log(BM_LOG_WARN, "log", BM_FIELDS(bm_int("dropped", (int64_t)lost)),
			"log lines were dropped because their reader was too slow");
}

/*
 * A terminal that polls writable may still block for most of a line, and making
 * it non-blocking would do so for everyone who shares it: open it anew.
 */
static int open_terminal(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void bm_log_open(int fd, enum bm_log_format format, bool blocking)
{
	bool terminal = isatty(fd) == 1;
	struct stat info;

	if (sink.own_fd > 0) {
		close(sink.own_fd);
	}
	sink.own_fd = terminal && !blocking ? open_terminal(fd) : -1;
	sink.fd = sink.own_fd > 0 ? sink.own_fd : fd;
	sink.is_socket = !blocking && fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
	sink.is_terminal = terminal;
	sink.blocking = blocking;
	bm_log_set_format(format);
}

void bm_log_set_format(enum bm_log_format format)
{
	sink.json = format == BM_LOG_JSON || (format == BM_LOG_AUTO && !sink.is_terminal);
}

void bm_log_set_level(enum bm_log_level level)
{
	sink.level = level;
}

void bm_log(enum bm_log_level level, const char *area, const struct bm_field *fields,
		const char *format, ...)
{
	static struct line line;
	char message[4096];
	va_list args;

	if (level < sink.level) {
		return;
	}
	int saved_errno = errno;
	va_start(args, format);
	int length = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (length >= (int)sizeof(message)) {
		memcpy(message + sizeof(message) - 4, "...", 4);
	}
	begin_line(&line, level, area);
	put_message(&line, message, length < 0 ? 0 : strlen(message));
	for (; fields != NULL && fields->kind != BM_FIELD_END; fields++) {
		put_field(&line, fields);
	}
	emit(&line);
	report_dropped();
	errno = saved_errno;
}

void bm_log_child_line(const char *unit, const char *text, size_t length, bool partial)
{
	static struct line line;
	size_t blanks = 0;

	while (blanks < length && strchr(" \t\r", text[blanks]) != NULL &&
			text[blanks] != '\0') {
		blanks++;
	}
	if (blanks == length) {
		return; /* an empty line says nothing */
	}
	begin_line(&line, BM_LOG_INFO, "output");
	if (sink.json) {
		put_json_member(&line, "unit", unit, strlen(unit));
		puts_to(&line, partial ? ",\"partial\":true" : "");
		put_message(&line, text, length);
	} else {
		put_text(&line, unit, strlen(unit), PLAIN);
		puts_to(&line, ": ");
		if (put_text(&line, text, length, PLAIN) && partial) {
			puts_to(&line, " ...");
		}
	}
	emit(&line);
	report_dropped();
}

void bm_log_flush(void)
{
	while (sink.used > 0) {
		size_t run = BM_LOG_RING_BYTES - sink.start;
		size_t n = write_some(
				sink.ring + sink.start, run < sink.used ? run : sink.used);
		if (n == 0) {
			return;
		}
		sink.start = (sink.start + n) % BM_LOG_RING_BYTES;
		sink.used -= n;
	}
}

size_t bm_log_pending(void)
{
	return sink.used;
}

uint64_t bm_log_dropped(void)
{
	return sink.dropped;
}

int bm_log_fd(void)
{
	return sink.fd;
}

const char *bm_log_level_name(enum bm_log_level level)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	return (size_t)level < BM_COUNT_OF(names) ? names[level] : "unknown";
}
