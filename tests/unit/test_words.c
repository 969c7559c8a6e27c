/* Counts, sizes and rates read as people say them, at every edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/words.h"
#include "client/terminal/text.h"

static void assert_words(struct bm_strbuf *out, const char *text)
{
	assert_string_equal(bm_strbuf_text(out), text);
	bm_strbuf_clear(out);
}

static void test_a_count_has_the_noun_that_belongs_to_it(void **state)
{
	static const struct {
		int64_t count;
		const char *rows, *indexes;
	} cases[] = {
			{0, "0 rows", "0 indexes"},
			{1, "1 row", "1 index"},
			{2, "2 rows", "2 indexes"},
			{999, "999 rows", "999 indexes"},
			{1000, "1,000 rows", "1,000 indexes"},
			{1000000, "1,000,000 rows", "1,000,000 indexes"},
			{INT64_MAX, "9,223,372,036,854,775,807 rows",
					"9,223,372,036,854,775,807 indexes"},
	};
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		bm_words_count(&out, cases[i].count, "row", NULL);
		assert_words(&out, cases[i].rows);
		bm_words_count(&out, cases[i].count, "index", "indexes");
		assert_words(&out, cases[i].indexes);
		cli_text_amount(cases[i].count, "rows", &out); /* as a worker names its unit */
		assert_words(&out, cases[i].rows);
	}
	bm_strbuf_finish(&out);
}

static void test_a_size_has_four_digits_at_most(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
			{0, "0 bytes"},
			{1, "1 byte"},
			{999, "999 bytes"},
			{1023, "1,023 bytes"},
			{1024, "1.0 kB"},
			{1048575, "1.0 MB"},
			{1048576, "1.0 MB"},
			{1500000, "1.4 MB"},
			{INT64_C(5) << 30, "5.0 GB"},
			{INT64_C(3) << 50, "3.0 PB"},
	};
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		bm_words_size(&out, cases[i].bytes);
		assert_words(&out, cases[i].text);
	}
	bm_strbuf_finish(&out);
}

static void test_a_rate_below_one_a_second_is_not_told(void **state)
{
	static const struct {
		double rate;
		const char *rows, *bytes;
	} cases[] = {
			{0, "", ""},
			{0.99, "", ""},
			{1, "1 row/s", "1 byte/s"},
			{2, "2 rows/s", "2 bytes/s"},
			{999, "999 rows/s", "999 bytes/s"},
			{1000, "1,000 rows/s", "1,000 bytes/s"},
			{1e6, "1,000,000 rows/s", "976.6 kB/s"},
	};
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_int_equal(bm_words_rate(&out, cases[i].rate, "row"),
				cases[i].rows[0] != '\0');
		assert_words(&out, cases[i].rows);
		bm_words_rate(&out, cases[i].rate, "byte");
		assert_words(&out, cases[i].bytes);
	}
	bm_strbuf_finish(&out);
}

static const char *planet(const void *ctx, size_t i)
{
	static const char *const planets[] = {"mercury", "venus", "earth", "mars", NULL};

	(void)ctx;
	return planets[i];
}

static void test_the_nearest_word_is_found_and_no_far_one(void **state)
{
	(void)state;
	assert_string_equal(bm_words_nearest("vneus", planet, NULL), "venus");
	assert_string_equal(bm_words_nearest("mar", planet, NULL), "mars");
	assert_null(bm_words_nearest("pluto", planet, NULL));
	assert_null(bm_words_nearest("", planet, NULL));
}

static void test_names_are_a_sorted_list_in_plain_english(void **state)
{
	static const struct {
		const char *names, *text;
		size_t count;
	} cases[] = {{"", "", 0}, {"a", "a", 1}, {"d3 d1", "d1 and d3", 2},
			{"d3 d1 d2", "d1, d2 and d3", 3}};
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_int_equal(bm_words_names(&out, cases[i].names), cases[i].count);
		assert_words(&out, cases[i].text);
	}
	bm_strbuf_finish(&out);
}

static void test_numbers_are_grouped(void **state)
{
	static const struct {
		int64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {-1000, "-1,000"}, {-100, "-100"},
			{1000000, "1,000,000"}};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		bm_words_number(&out, cases[i].number);
		assert_string_equal(bm_strbuf_text(&out), cases[i].text);
		bm_strbuf_finish(&out);
	}
}

static void test_a_word_longer_than_the_screen_is_broken(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;
	char word[CLI_COLUMNS * 3];

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	cli_text_wrapped(word, 10, 10, &out);
	for (const char *line = bm_strbuf_text(&out); *line != '\0';
			line += strcspn(line, "\n") + 1) {
		assert_true(strcspn(line, "\n") <= CLI_COLUMNS);
	}
	bm_strbuf_finish(&out);
}

static void test_texts_cannot_drive_the_terminal(void **state)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	(void)state;
	cli_text_harmless("a\x1b[2J\xc2\x9b"
			  "b\x7f\xc3\xa4",
			0, &out);
	assert_string_equal(bm_strbuf_text(&out), "a [2J b \xc3\xa4");
	bm_strbuf_clear(&out);
	/* What turns the direction of the rest of a line; the characters around are none. */
	cli_text_harmless("a\xe2\x80\xae"
			  "b\xe2\x81\xa6"
			  "c\xd8\x9c"
			  "d\xe2\x80\xaf\xe2\x81\xa5",
			0, &out);
	assert_string_equal(bm_strbuf_text(&out), "a b c d\xe2\x80\xaf\xe2\x81\xa5");
	bm_strbuf_clear(&out);
	cli_text_harmless("\xc3\xa4\xc3\xb6\xc3\xbc", 2, &out);
	assert_string_equal(bm_strbuf_text(&out), "\xc3\xa4~");
	bm_strbuf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_count_has_the_noun_that_belongs_to_it),
			cmocka_unit_test(test_a_size_has_four_digits_at_most),
			cmocka_unit_test(test_a_rate_below_one_a_second_is_not_told),
			cmocka_unit_test(test_the_nearest_word_is_found_and_no_far_one),
			cmocka_unit_test(test_names_are_a_sorted_list_in_plain_english),
			cmocka_unit_test(test_numbers_are_grouped),
			cmocka_unit_test(test_a_word_longer_than_the_screen_is_broken),
			cmocka_unit_test(test_texts_cannot_drive_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
