/*
 * A log line is one line, of the format it claims, whatever it is given.
 *
 * The sink is one end of a pipe in this process: the only way to see what the
 * log writes, and how it behaves when nobody reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/log.h"

static int ends[2];
static char seen[1024 * 1024];

static int open_pipe(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return pipe2(ends, O_NONBLOCK | O_CLOEXEC);
}

static int close_pipe(void **state)
{
	(void)state;
	bm_log_flush();
	bm_log_open(STDERR_FILENO, BM_LOG_TEXT, true);
	bm_log_set_level(BM_LOG_INFO);
	if (ends[0] >= 0) {
		close(ends[0]);
	}
	close(ends[1]);
	return 0;
}

/* What the pipe holds by now. */
static const char *read_pipe(void)
{
	size_t length = 0;
	ssize_t got;

	while ((got = read(ends[0], seen + length, sizeof(seen) - 1 - length)) > 0) {
		length += (size_t)got;
	}
	seen[length] = '\0';
	return seen;
}

/* Exactly one line was written, and it is one JSON object; the caller frees it. */
static json_t *read_json_line(void)
{
	const char *text = read_pipe();
	const char *newline = strchr(text, '\n');
	json_error_t error;

	assert_non_null(newline);
	assert_string_equal(newline, "\n");
	assert_true(strlen(text) <= 8192);
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL) {
		fail_msg("%s: %s", error.text, text);
	}
	return object;
}

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The line after its time. */
static const char *read_text_line(void)
{
	const char *text = read_pipe();

	assert_true(strlen(text) > 25);
	return text + 25;
}

static void test_a_json_line_has_its_parts(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_JSON, false);
	bm_log(BM_LOG_WARN, "area",
			BM_FIELDS(bm_str("unit", "a"), bm_int("pid", -5), bm_real("x", 1.5),
					bm_str("why", NULL)),
			"hello %s", "you");
	json_t *line = read_json_line();
	assert_string_equal(member(line, "level"), "warn");
	assert_string_equal(member(line, "area"), "area");
	assert_string_equal(member(line, "msg"), "hello you");
	assert_string_equal(member(line, "unit"), "a");
	assert_int_equal(json_integer_value(json_object_get(line, "pid")), -5);
	assert_true(json_real_value(json_object_get(line, "x")) == 1.5);
	assert_null(json_object_get(line, "why"));
	assert_int_equal(strlen(member(line, "ts")), 24);
	json_decref(line);
}

static void test_json_carries_every_character_unchanged(void **state)
{
	(void)state;
	static const char odd[] = "q\" b\\ t\t n\n e\x1b d\x7f \xe2\x82\xac";

	bm_log_open(ends[1], BM_LOG_JSON, false);
	bm_log(BM_LOG_INFO, "a", BM_FIELDS(bm_str("why", odd)), "%s", odd);
	json_t *line = read_json_line();
	assert_string_equal(member(line, "msg"), odd);
	assert_string_equal(member(line, "why"), odd);
	json_decref(line);
}

static void test_invalid_utf8_becomes_the_replacement_character(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_JSON, false);
	bm_log_child_line("u", "a\xff\xc3(\xe2\x82", 6, false);
	json_t *line = read_json_line();
	assert_string_equal(member(line, "msg"),
			"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(line);
}

static void test_a_line_that_is_too_long_is_cut_and_still_json(void **state)
{
	(void)state;
	char text[20000];

	/* Each remainder of the room, with escapes and characters of every size. */
	for (size_t shift = 0; shift < 16; shift++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			text[i] = "\x01\xf0\x9f\x90\x98\"\xc3\xa9"[(i + shift) % 8];
		}
		memset(text, 'x', shift);
		bm_log_open(ends[1], BM_LOG_JSON, false);
		bm_log_child_line("u", text, sizeof(text), true);
		json_t *line = read_json_line();
		const char *message = member(line, "msg");
		assert_string_equal(message + strlen(message) - 3, "...");
		assert_true(json_is_true(json_object_get(line, "partial")));
		json_decref(line);
	}
}

static void test_fields_after_a_full_line_are_left_out_whole(void **state)
{
	(void)state;
	char text[3900];

	for (size_t length = 3700; length < sizeof(text); length++) {
		memset(text, 'x', length);
		text[length] = '\0';
		bm_log_open(ends[1], BM_LOG_JSON, false);
		bm_log(BM_LOG_INFO, "a",
				BM_FIELDS(bm_str("why", text), bm_str("err", text),
						bm_int("pid", 1234567890123456789),
						bm_real("x", 1e300), bm_str("sync", "s")),
				"%s", "m");
		json_decref(read_json_line());
	}
}

static void test_numbers_json_cannot_say_are_null(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_JSON, false);
	bm_log(BM_LOG_INFO, "a", BM_FIELDS(bm_real("x", INFINITY), bm_real("y", NAN)), "m");
	json_t *line = read_json_line();
	assert_true(json_is_null(json_object_get(line, "x")));
	assert_true(json_is_null(json_object_get(line, "y")));
	json_decref(line);
}

static void test_text_quotes_what_would_not_come_apart_again(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	bm_log(BM_LOG_INFO, "a",
			BM_FIELDS(bm_str("unit", "plain"), bm_str("why", "two words"),
					bm_str("err", "say \"x\\y\""), bm_str("from", ""),
					bm_int("pid", 7)),
			"one\ntwo\x1b[31m");
	assert_string_equal(read_text_line(),
			"info  a         one two [31m unit=plain why=\"two words\" "
			"err=\"say \\\"x\\\\y\\\"\" from=\"\" pid=7\n");
}

static void test_a_childs_line_carries_its_unit(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	bm_log_child_line("tunnel", "up\tnow", 6, false);
	assert_string_equal(read_text_line(), "info  output    tunnel: up now\n");
	bm_log_child_line("tunnel", "half", 4, true);
	assert_string_equal(read_text_line(), "info  output    tunnel: half ...\n");
}

static void test_lines_below_the_level_are_not_written(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	bm_log_set_level(BM_LOG_WARN);
	bm_log(BM_LOG_INFO, "a", NULL, "no");
	assert_string_equal(read_pipe(), "");
	bm_log(BM_LOG_WARN, "a", NULL, "yes");
	assert_string_equal(read_text_line(), "warn  a         yes\n");
}

static void test_auto_is_json_when_nobody_looks(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_AUTO, false);
	bm_log(BM_LOG_INFO, "a", NULL, "m");
	json_decref(read_json_line());
}

static void test_logging_leaves_errno_alone(void **state)
{
	(void)state;
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	errno = ENOTTY;
	bm_log(BM_LOG_INFO, "a", NULL, "%m");
	assert_int_equal(errno, ENOTTY);
	assert_non_null(strstr(read_pipe(), strerror(ENOTTY)));
}

static void test_a_reader_that_stalls_costs_counted_lines_only(void **state)
{
	(void)state;
	uint64_t before = bm_log_dropped();
	char text[1000];

	memset(text, 'x', sizeof(text));
	bm_log_open(ends[1], BM_LOG_JSON, false);
	for (int i = 0; i < 1000; i++) {
		bm_log_child_line("u", text, sizeof(text), false);
	}
	assert_true(bm_log_pending() > BM_LOG_RING_BYTES / 2);
	assert_true(bm_log_pending() <= BM_LOG_RING_BYTES);
	assert_true(bm_log_dropped() > before);
	/* When the reader is back, every line it gets is whole. */
	size_t whole = 0;
	static char all[2 * 1024 * 1024];
	size_t length = 0;
	while (bm_log_pending() > 0) {
		const char *part = read_pipe();
		memcpy(all + length, part, strlen(part));
		length += strlen(part);
		bm_log_flush();
	}
	bm_log(BM_LOG_INFO, "a", NULL, "m");
	const char *part = read_pipe();
	memcpy(all + length, part, strlen(part) + 1);
	for (char *line = all, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		json_error_t error;
		*end = '\0';
		json_t *object = json_loads(line, 0, &error);
		assert_non_null(object);
		json_decref(object);
		whole++;
	}
	assert_true(whole > 200);
	assert_non_null(strstr(part, "dropped"));
}

static void test_a_reader_that_is_gone_empties_the_ring(void **state)
{
	(void)state;
	char text[1000];

	memset(text, 'x', sizeof(text));
	bm_log_open(ends[1], BM_LOG_JSON, false);
	for (int i = 0; i < 200; i++) {
		bm_log_child_line("u", text, sizeof(text), false);
	}
	assert_true(bm_log_pending() > 0);
	close(ends[0]);
	ends[0] = -1;
	bm_log_flush();
	assert_int_equal(bm_log_pending(), 0);
}

/* A terminal; its other end comes in `master`. */
static int open_terminal(int *master)
{
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*master >= 0);
	assert_int_equal(grantpt(*master), 0);
	assert_int_equal(unlockpt(*master), 0);
	int terminal = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	return terminal;
}

static void test_a_terminal_can_be_given_another_format_and_back(void **state)
{
	(void)state;
	char text[4096];
	int master;
	int terminal = open_terminal(&master);

	bm_log_open(terminal, BM_LOG_AUTO, false);
	bm_log_set_format(BM_LOG_JSON);
	bm_log(BM_LOG_INFO, "a", NULL, "first");
	bm_log_set_format(BM_LOG_AUTO);
	bm_log(BM_LOG_INFO, "a", NULL, "second");
	size_t length = 0;
	text[0] = '\0';
	alarm(20);
	while (strstr(text, " second") == NULL) { /* a terminal may hand it over in parts */
		ssize_t got = read(master, text + length, sizeof(text) - 1 - length);
		assert_true(got > 0);
		length += (size_t)got;
		text[length] = '\0';
	}
	alarm(0);
	assert_non_null(strstr(text, "\"msg\":\"first\""));
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	close(terminal);
	close(master);
}

static void test_a_stalled_terminal_does_not_stop_us(void **state)
{
	(void)state;
	int master;
	int terminal = open_terminal(&master);

	bm_log_open(terminal, BM_LOG_AUTO, false);
	alarm(20); /* a write that blocks ends the program, loudly */
	for (int i = 0; i < 1000; i++) {
		bm_log(BM_LOG_INFO, "a", NULL, "%0500d", i);
	}
	alarm(0);
	assert_true(bm_log_pending() > 0);
	assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
	close(master);
	bm_log_flush();
	assert_int_equal(bm_log_pending(), 0);
	bm_log_open(ends[1], BM_LOG_TEXT, false);
	close(terminal);
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
			WITH_PIPE(test_a_json_line_has_its_parts),
			WITH_PIPE(test_json_carries_every_character_unchanged),
			WITH_PIPE(test_invalid_utf8_becomes_the_replacement_character),
			WITH_PIPE(test_a_line_that_is_too_long_is_cut_and_still_json),
			WITH_PIPE(test_fields_after_a_full_line_are_left_out_whole),
			WITH_PIPE(test_numbers_json_cannot_say_are_null),
			WITH_PIPE(test_text_quotes_what_would_not_come_apart_again),
			WITH_PIPE(test_a_childs_line_carries_its_unit),
			WITH_PIPE(test_lines_below_the_level_are_not_written),
			WITH_PIPE(test_auto_is_json_when_nobody_looks),
			WITH_PIPE(test_logging_leaves_errno_alone),
			WITH_PIPE(test_a_reader_that_stalls_costs_counted_lines_only),
			WITH_PIPE(test_a_reader_that_is_gone_empties_the_ring),
			WITH_PIPE(test_a_terminal_can_be_given_another_format_and_back),
			WITH_PIPE(test_a_stalled_terminal_does_not_stop_us),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
