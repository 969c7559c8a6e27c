/* The small utilities everything stands on: errors, texts, spans of time, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/error.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/utf8.h"

static void test_an_io_error_keeps_errno_and_says_it(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;

	errno = ENOSPC;
	assert_int_equal(bm_error_set(&err, BM_ERR_IO, "cannot write '%s': %m", "/x"), -1);
	assert_string_equal(err.message, "cannot write '/x': No space left on device");
	assert_int_equal(err.os_errno, ENOSPC);
	assert_int_equal(errno, ENOSPC);
}

static void test_an_error_of_another_kind_has_no_errno(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;

	errno = ENOSPC;
	bm_error_set(&err, BM_ERR_CONFIG, "no");
	assert_int_equal(err.os_errno, 0);
	assert_int_equal(err.code, BM_ERR_CONFIG);
}

static void test_context_is_put_in_front_of_an_error(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;

	bm_error_set(&err, BM_ERR_TIMEOUT, "no answer");
	assert_int_equal(bm_error_wrap(&err, "database '%s'", "a"), -1);
	assert_string_equal(err.message, "database 'a': no answer");
	assert_int_equal(err.code, BM_ERR_TIMEOUT);
}

static void test_a_long_error_is_cut_and_marked(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bm_error_set(&err, BM_ERR_INTERNAL, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_string_equal(err.message + sizeof(err.message) - 4, "...");
	bm_error_wrap(&err, "in front");
	assert_memory_equal(err.message, "in front: xxx", 13);
	assert_string_equal(err.message + sizeof(err.message) - 4, "...");
	bm_error_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

static void test_nobody_asking_for_an_error_is_fine(void **state)
{
	(void)state;
	assert_int_equal(bm_error_set(NULL, BM_ERR_IO, "x"), -1);
	assert_int_equal(bm_error_wrap(NULL, "x"), -1);
}

static void test_every_error_code_has_a_name(void **state)
{
	(void)state;
	for (int code = BM_ERR_NONE; code <= BM_ERR_INTERNAL; code++) {
		assert_string_not_equal(
				bm_error_code_name((enum bm_error_code)code), "unknown");
	}
	assert_string_equal(bm_error_code_name((enum bm_error_code)99), "unknown");
}

static void test_a_text_grows_and_stays_terminated(void **state)
{
	(void)state;
	struct bm_strbuf buf = BM_STRBUF_INIT;

	assert_string_equal(bm_strbuf_text(&buf), "");
	bm_strbuf_add(&buf, "", 0);
	for (int i = 0; i < 1000; i++) {
		bm_strbuf_printf(&buf, "%d,", i);
		assert_int_equal(strlen(bm_strbuf_text(&buf)), buf.length);
	}
	bm_strbuf_clear(&buf);
	bm_strbuf_puts(&buf, "ab");
	bm_strbuf_putc(&buf, 'c');
	assert_string_equal(bm_strbuf_text(&buf), "abc");
	bm_strbuf_finish(&buf);
	assert_string_equal(bm_strbuf_text(&buf), "");
}

static void test_the_front_of_a_text_can_be_consumed(void **state)
{
	(void)state;
	struct bm_strbuf buf = BM_STRBUF_INIT;

	bm_strbuf_consume(&buf, 3);
	bm_strbuf_puts(&buf, "one two");
	bm_strbuf_consume(&buf, 4);
	assert_string_equal(bm_strbuf_text(&buf), "two");
	bm_strbuf_consume(&buf, 99);
	assert_string_equal(bm_strbuf_text(&buf), "");
	bm_strbuf_finish(&buf);
}

static void test_a_text_can_be_taken_away_even_when_empty(void **state)
{
	(void)state;
	struct bm_strbuf buf = BM_STRBUF_INIT;
	char *text = bm_strbuf_detach(&buf);

	assert_string_equal(text, "");
	assert_int_equal(buf.capacity, 0);
	free(text);
}

static void test_spans_of_time_read_well(void **state)
{
	(void)state;
	static const struct {
		uint64_t msec;
		const char *text;
	} cases[] = {
			{0, "0 s"},
			{1, "under 1 s"},
			{999, "under 1 s"},
			{1000, "1 s"},
			{59999, "59 s"},
			{60000, "1 min"},
			{61000, "1 min 1 s"},
			{3600000, "1 h"},
			{86400000, "1 d"},
			{200000, "3 min 20 s"},
			{7500000, "2 h 5 min"},
			{273600000, "3 d 4 h"},
			{UINT64_MAX, "213503982334 d 14 h"},
	};
	char text[BM_CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_string_equal(bm_clock_format_span(cases[i].msec, text), cases[i].text);
	}
}

static void test_wall_time_is_iso_8601_in_utc(void **state)
{
	(void)state;
	char text[BM_CLOCK_TEXT_SIZE];

	assert_string_equal(bm_clock_format(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(bm_clock_format(1795413600123, text), "2026-11-23T06:00:00.123Z");
	assert_string_equal(bm_clock_format(-1, text), "1969-12-31T23:59:59.999Z");
}

static void test_copies_of_nothing_are_nothing(void **state)
{
	(void)state;
	assert_null(bm_strdup(NULL));
	char *part = bm_strndup("abc", 2);
	assert_string_equal(part, "ab");
	free(part);
	char *text = bm_format("%d-%s", 1, "a");
	assert_string_equal(text, "1-a");
	free(text);
}

static void test_utf8_takes_well_formed_characters_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t length, size;
	} cases[] = {
			{"a", 1, 1},
			{"\0", 1, 1},
			{"", 0, 0},
			{"\x7f", 1, 1},
			{"\x80", 1, 0},		    /* a tail without a lead */
			{"\xc0\xaf", 2, 0},	    /* overlong */
			{"\xc2\xa0", 2, 2},	    /* U+00A0 */
			{"\xc2", 1, 0},		    /* cut */
			{"\xc2\x41", 2, 0},	    /* no tail */
			{"\xe0\x9f\xbf", 3, 0},	    /* overlong */
			{"\xe2\x82\xac", 3, 3},	    /* U+20AC */
			{"\xe2\x82\x41", 3, 0},	    /* no second tail */
			{"\xed\xa0\x80", 3, 0},	    /* a surrogate */
			{"\xf0\x9f\x90\x98", 4, 4}, /* U+1F418 */
			{"\xf4\x90\x80\x80", 4, 0}, /* above U+10FFFF */
			{"\xff", 1, 0},
	};

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_int_equal(bm_utf8_length(cases[i].text, cases[i].length), cases[i].size);
	}
}

static void test_texts_in_any_encoding_become_json(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} cases[] = {
			{NULL, ""},
			{"caf\xc3\xa9 \"1\"", "caf\xc3\xa9 \"1\""},
			{"caf\xe9 in Latin-1", "caf? in Latin-1"},
			{"cut \xe2\x82", "cut ??"},
	};

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		json_t *string = bm_json_text(cases[i].text);
		assert_string_equal(json_string_value(string), cases[i].wanted);
		json_decref(string);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_an_io_error_keeps_errno_and_says_it),
			cmocka_unit_test(test_an_error_of_another_kind_has_no_errno),
			cmocka_unit_test(test_context_is_put_in_front_of_an_error),
			cmocka_unit_test(test_a_long_error_is_cut_and_marked),
			cmocka_unit_test(test_nobody_asking_for_an_error_is_fine),
			cmocka_unit_test(test_every_error_code_has_a_name),
			cmocka_unit_test(test_a_text_grows_and_stays_terminated),
			cmocka_unit_test(test_the_front_of_a_text_can_be_consumed),
			cmocka_unit_test(test_a_text_can_be_taken_away_even_when_empty),
			cmocka_unit_test(test_spans_of_time_read_well),
			cmocka_unit_test(test_wall_time_is_iso_8601_in_utc),
			cmocka_unit_test(test_copies_of_nothing_are_nothing),
			cmocka_unit_test(test_utf8_takes_well_formed_characters_only),
			cmocka_unit_test(test_texts_in_any_encoding_become_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
