/* The settings of sessions: as options, as statements, as lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/sessions.h"

static const enum bm_session_kind kinds[] = {BM_SESSION_CONTROL, BM_SESSION_WORKER,
		BM_SESSION_COPY_SOURCE, BM_SESSION_COPY_DESTINATION, BM_SESSION_BUCARDO};

static void test_every_session_has_a_path_that_begins_with_pg_catalog(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		struct bm_strbuf options = BM_STRBUF_INIT, sql = BM_STRBUF_INIT;
		bm_session_options(kinds[i], &options);
		bm_session_sql(kinds[i], 90600, "UTF8", &sql);
		/* Before all others: what follows is looked up through it. */
		assert_int_equal(strncmp(bm_strbuf_text(&options),
						 "-c search_path=pg_catalog,\\ ", 27),
				0);
		assert_int_equal(strncmp(bm_strbuf_text(&sql), "SET search_path = pg_catalog, ",
						 30),
				0);
		assert_int_equal(strncmp(bm_session_path(kinds[i]), "pg_catalog, ", 12), 0);
		const char *last = strstr(bm_session_path(kinds[i]), "pg_temp");
		assert_non_null(last);
		assert_string_equal(last, "pg_temp");
		bm_strbuf_finish(&options);
		bm_strbuf_finish(&sql);
	}
}

static void test_a_server_is_not_told_what_it_does_not_know(void **state)
{
	(void)state;
	struct bm_strbuf options = BM_STRBUF_INIT, old = BM_STRBUF_INIT, new = BM_STRBUF_INIT;

	bm_session_options(BM_SESSION_COPY_DESTINATION, &options);
	bm_session_sql(BM_SESSION_COPY_DESTINATION, 130000, "UTF8", &old);
	bm_session_sql(BM_SESSION_COPY_DESTINATION, 170000, "UTF8", &new);
	assert_null(strstr(bm_strbuf_text(&options), "idle_session_timeout"));
	assert_null(strstr(bm_strbuf_text(&options), "transaction_timeout"));
	assert_null(strstr(bm_strbuf_text(&old), "idle_session_timeout"));
	assert_non_null(strstr(bm_strbuf_text(&new), "SET idle_session_timeout = '0'"));
	assert_non_null(strstr(bm_strbuf_text(&new), "SET transaction_timeout = '0'"));
	bm_strbuf_finish(&options);
	bm_strbuf_finish(&old);
	bm_strbuf_finish(&new);
}

static bool restricts(enum bm_session_kind session, int version)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_session_sql(session, version, "UTF8", &sql);
	bool found = strstr(bm_strbuf_text(&sql),
				     "SET restrict_nonsystem_relation_kind = "
				     "'view,foreign-table'") != NULL;
	bm_strbuf_finish(&sql);
	return found;
}

static void test_who_reads_tables_reads_no_view_where_the_server_can_refuse_it(void **state)
{
	(void)state;
	assert_true(restricts(BM_SESSION_WORKER, 130016));
	assert_true(restricts(BM_SESSION_COPY_SOURCE, 150008));
	assert_true(restricts(BM_SESSION_COPY_SOURCE, 180000));
	assert_false(restricts(BM_SESSION_WORKER, 150007));
	assert_false(restricts(BM_SESSION_WORKER, 160003));
	assert_false(restricts(BM_SESSION_COPY_DESTINATION, 170000));
}

static void test_options_of_a_person_stay_and_ours_come_after_them(void **state)
{
	(void)state;
	struct bm_conninfo info = {0};

	bm_conninfo_put(&info, "options", "-c search_path=evil -c work_mem=1MB");
	bm_session_pin(&info, BM_SESSION_WORKER);
	const char *options = bm_conninfo_get(&info, "options");
	assert_int_equal(strncmp(options, "-c search_path=evil -c work_mem=1MB -c search_path=",
					 51),
			0);
	bm_conninfo_finish(&info);
}

static void test_bytes_keep_their_encoding_and_texts_are_utf8(void **state)
{
	(void)state;
	struct bm_strbuf sql = BM_STRBUF_INIT;

	assert_string_equal(bm_session_encoding("SQL_ASCII"), "SQL_ASCII");
	assert_string_equal(bm_session_encoding("LATIN1"), "UTF8");
	bm_session_sql(BM_SESSION_WORKER, 150000, "SQL_ASCII", &sql);
	assert_non_null(strstr(bm_strbuf_text(&sql), "SET client_encoding = 'SQL_ASCII'"));
	bm_strbuf_finish(&sql);
}

static void test_what_is_written_is_durable_before_it_is_marked(void **state)
{
	(void)state;
	struct bm_strbuf lines = BM_STRBUF_INIT;

	bm_session_lines(BM_SESSION_BUCARDO, &lines);
	assert_non_null(strstr(bm_strbuf_text(&lines), "0 SET synchronous_commit = 'on'\n"));
	assert_non_null(strstr(
			bm_strbuf_text(&lines), "140000 SET idle_session_timeout = '0'\n"));
	assert_non_null(strstr(
			bm_strbuf_text(&lines), "0 SET bucardo_machine.applying = 'on'\n"));
	bm_strbuf_finish(&lines);
}

static void test_words_survive_quotes_and_backslashes(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;

	bm_conninfo_word(&out, ";", "dbname", "it's a \\ name");
	bm_conninfo_word(&out, ";", "user", "me");
	bm_conninfo_word(&out, ";", "sslmode", NULL);
	assert_string_equal(bm_strbuf_text(&out), "dbname='it\\'s a \\\\ name';user='me'");
	bm_strbuf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					test_every_session_has_a_path_that_begins_with_pg_catalog),
			cmocka_unit_test(test_a_server_is_not_told_what_it_does_not_know),
			cmocka_unit_test(
					test_who_reads_tables_reads_no_view_where_the_server_can_refuse_it),
			cmocka_unit_test(
					test_options_of_a_person_stay_and_ours_come_after_them),
			cmocka_unit_test(test_bytes_keep_their_encoding_and_texts_are_utf8),
			cmocka_unit_test(test_what_is_written_is_durable_before_it_is_marked),
			cmocka_unit_test(test_words_survive_quotes_and_backslashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
