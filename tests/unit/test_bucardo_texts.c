/* What Bucardo's titles, pid files, errors and connection settings are read as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/health/classify.h"
#include "daemon/processes/dbconn.h"
#include "daemon/processes/title.h"
#include "bucardo_machine/macros.h"

static void test_knows_each_process_by_its_title(void **state)
{
	(void)state;
	static const struct {
		const char *title;
		enum bucardo_role role;
	} rows[] = {
			{"Bucardo Master Control Program v5.6.0. Active syncs: a", BUCARDO_MCP},
			{"Bucardo VAC.", BUCARDO_VAC},
			{"Bucardo Controller. Sync \"s\" for relgroup \"g\" to dbs \"d\"",
					BUCARDO_CTL},
			{"Bucardo Kid. Sync \"s\"", BUCARDO_KID},
	};

	for (size_t i = 0; i < BM_COUNT_OF(rows); i++) {
		enum bucardo_role role = BUCARDO_ROLE_COUNT;
		assert_true(bucardo_title_role(rows[i].title, &role));
		assert_int_equal(role, rows[i].role);
	}
	assert_false(bucardo_title_role("perl /usr/bin/bucardo status", NULL));
	assert_false(bucardo_title_role("bucardo-machine run", NULL));
	assert_false(bucardo_title_role("vi Bucardo VAC.", NULL));
}

static void test_a_master_is_ready_when_it_lists_its_syncs(void **state)
{
	(void)state;
	assert_null(bucardo_title_syncs("Bucardo Master Control Program v5.6.0."));
	assert_string_equal(bucardo_title_syncs("Bucardo Master Control Program v5.6.0. "
						"Active syncs: a,b"),
			"a,b");
	assert_string_equal(
			bucardo_title_syncs(
					"Bucardo Master Control Program v5.6.0. Active syncs: "),
			"");
	/* /proc shows no trailing blank */
	assert_string_equal(
			bucardo_title_syncs(
					"Bucardo Master Control Program v5.6.0. Active syncs:"),
			"");
	assert_null(bucardo_title_syncs("Bucardo Kid. Sync \"Active syncs: \""));
}

static void test_takes_apart_the_names_of_pid_files(void **state)
{
	(void)state;
	enum bucardo_role role;
	char sync[16];

	assert_true(bucardo_pid_file_name("bucardo.mcp.pid", &role, sync, sizeof(sync)));
	assert_int_equal(role, BUCARDO_MCP);
	assert_string_equal(sync, "");
	assert_true(bucardo_pid_file_name(
			"bucardo.kid.sync.app.pid", &role, sync, sizeof(sync)));
	assert_int_equal(role, BUCARDO_KID);
	assert_string_equal(sync, "app");
	assert_true(bucardo_pid_file_name(
			"bucardo.ctl.sync.pid.pid", &role, sync, sizeof(sync)));
	assert_string_equal(sync, "pid");
}

static void test_refuses_other_names_and_too_long_ones(void **state)
{
	(void)state;
	static const char *const names[] = {"fullstopbucardo", "restart.reason.txt", "log",
			"bucardo.mcp.pid~", "bucardo.kid.sync..pid", "bucardo.kid.sync.app",
			"bucardo.kid.sync.a_very_long_name_indeed.pid"};
	enum bucardo_role role;
	char sync[16];

	for (size_t i = 0; i < BM_COUNT_OF(names); i++) {
		assert_false(bucardo_pid_file_name(names[i], &role, sync, sizeof(sync)));
	}
}

static void test_reads_the_pid_on_the_first_line(void **state)
{
	(void)state;
	assert_int_equal(bucardo_pid_file_pid("1970\n/usr/bin/bucardo\nMon Nov 23\n"), 1970);
	assert_int_equal(bucardo_pid_file_pid("42"), 42);
	assert_int_equal(bucardo_pid_file_pid(""), 0);
	assert_int_equal(bucardo_pid_file_pid("none\n"), 0);
	assert_int_equal(bucardo_pid_file_pid("1\n"), 0);
	assert_int_equal(bucardo_pid_file_pid("-5\n"), 0);
	assert_int_equal(bucardo_pid_file_pid("99999999999999999999\n"), 0);
}

static void assert_class(const char *text, enum run_error_class class, const char *advice)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	assert_int_equal(bucardo_classify(text, "app", &out), class);
	if (advice[0] == '\0') {
		assert_string_equal(bm_strbuf_text(&out), "");
	} else {
		assert_non_null(strstr(bm_strbuf_text(&out), advice));
	}
	bm_strbuf_finish(&out);
}

static void test_tells_errors_that_need_a_person_from_those_that_pass(void **state)
{
	(void)state;
	/* As seen in bucardo.syncrun.status with Bucardo 5.6.0 and PostgreSQL 15. */
	assert_class("Failed : DBD::Pg::db pg_putcopyend failed: ERROR:  extra data after last "
		     "expected column CONTEXT:  COPY t, line 1",
			RUN_ERROR_PERMANENT, "add it there too");
	assert_class("ERROR:  column \"gen\" is a generated column", RUN_ERROR_PERMANENT,
			"customcols");
	assert_class("ERROR:  permission denied to set parameter \"session_replication_role\"",
			RUN_ERROR_PERMANENT, "GRANT SET ON PARAMETER");
	assert_class("ERROR:  permission denied for table t", RUN_ERROR_PERMANENT, "grant");
	assert_class("ERROR:  relation \"public.t\" does not exist", RUN_ERROR_PERMANENT,
			"create the missing table");
	assert_class("SQLSTATE 42P01: ERROR:  relation \"log\" does not exist\n"
		     "CONTEXT:  PL/pgSQL function public.note() line 3 at SQL statement",
			RUN_ERROR_PERMANENT, "SET search_path");
	assert_class("SQLSTATE 42883: ERROR:  function bucardo.delta() does not exist",
			RUN_ERROR_PERMANENT, "`bucardo validate app`");
	assert_class("ERROR:  could not serialize access due to concurrent update",
			RUN_ERROR_TRANSIENT, "");
	assert_class("ERROR:  deadlock detected", RUN_ERROR_TRANSIENT, "");
	assert_class("DBI connect('dbname=app') failed: connection to server at \"10.0.0.1\" "
		     "failed: FATAL:  database \"app\" does not exist",
			RUN_ERROR_TRANSIENT, "");
	assert_class("server closed the connection unexpectedly", RUN_ERROR_TRANSIENT, "");
	assert_class("something new", RUN_ERROR_UNKNOWN, "`bucardo kick app`");
}

static void test_an_error_in_another_language_is_known_by_its_state(void **state)
{
	(void)state;
	assert_class("Failed : SQLSTATE 23505: DBD::Pg::db pg_putcopyend failed: FEHLER:  doppelter "
		     "Schlüsselwert verletzt Unique-Constraint",
			RUN_ERROR_PERMANENT, "whether both sides have the constraint");
	assert_class("SQLSTATE 23514: FEHLER:  neue Zeile verletzt Check-Constraint",
			RUN_ERROR_PERMANENT, "whether both sides have the constraint");
	assert_class("SQLSTATE 40001: FEHLER:  konnte Zugriff nicht serialisieren",
			RUN_ERROR_TRANSIENT, "");
	assert_class("SQLSTATE 57P01: FATAL:  Verbindung wird abgebrochen", RUN_ERROR_TRANSIENT,
			"");
	assert_class("SQLSTATE 42501: FEHLER:  keine Berechtigung für Tabelle t",
			RUN_ERROR_PERMANENT, "grant");
	assert_class("SQLSTATE 42501: ERROR:  must be owner of table t", RUN_ERROR_PERMANENT,
			"the owner of what the error names");
	assert_class("SQLSTATE XX000: FEHLER:  etwas Neues", RUN_ERROR_UNKNOWN,
			"`bucardo kick app`");
}

static void test_an_error_is_explained_by_what_it_says_and_not_by_a_guess(void **state)
{
	(void)state;
	assert_class("SQLSTATE 22P02 at public.job on app_destination: DBD::Pg::db pg_putcopyend "
		     "failed: ERROR:  invalid input value for enum stage: \"waiting\"",
			RUN_ERROR_PERMANENT, "ADD VALUE");
	assert_class("SQLSTATE 22P02: ERROR:  invalid input syntax for type integer: \"x\"",
			RUN_ERROR_PERMANENT, "compare the column that the error names");
	assert_class("SQLSTATE 23514 at public.t on app_source: FEHLER:  verletzt Constraint",
			RUN_ERROR_PERMANENT, "whether both sides have the constraint");
}

static void test_a_run_that_was_stopped_did_not_fail(void **state)
{
	(void)state;
	assert_class("", RUN_ERROR_NONE, "");
	assert_class("Ended (CTL 123)", RUN_ERROR_NONE, "");
	assert_class("Old entry died (CTL 5)", RUN_ERROR_NONE, "");
	assert_class("Failed : CTL request (KID 7)", RUN_ERROR_NONE, "");
}

static void test_says_what_to_do_about_a_database_that_is_away(void **state)
{
	(void)state;
	struct bm_strbuf out = BM_STRBUF_INIT;

	bucardo_advise_unreachable("fe_sendauth: no password supplied", "src", &out);
	assert_non_null(strstr(bm_strbuf_text(&out), "'src': add a line for it to pgpass"));
	bm_strbuf_clear(&out);
	bucardo_advise_unreachable("the cat ate it", "src", &out);
	assert_non_null(strstr(bm_strbuf_text(&out), "make it reachable"));
	bm_strbuf_finish(&out);
}

static void assert_merged(const char *dbconn, const char *expected)
{
	struct bm_strbuf out = BM_STRBUF_INIT;

	assert_true(bucardo_dbconn_merge(dbconn, &out));
	assert_string_equal(bm_strbuf_text(&out), expected);
	/* What was merged once lacks nothing. */
	char *merged = bm_strbuf_detach(&out);
	assert_false(bucardo_dbconn_merge(merged, &out));
	assert_null(out.text);
	free(merged);
}

static void test_adds_the_limits_that_a_connection_lacks(void **state)
{
	(void)state;
	assert_merged("",
			"connect_timeout=5;tcp_user_timeout=10000;keepalives_idle=5;"
			"keepalives_interval=2;keepalives_count=3");
	assert_merged("sslmode=require",
			"sslmode=require;connect_timeout=5;"
			"tcp_user_timeout=10000;keepalives_idle=5;"
			"keepalives_interval=2;keepalives_count=3");
}

static void test_keeps_what_a_person_wrote(void **state)
{
	(void)state;
	assert_merged("connect_timeout=30;keepalives_idle = 60; sslmode=require; ",
			"connect_timeout=30;keepalives_idle = 60; sslmode=require;"
			"tcp_user_timeout=10000;keepalives_interval=2;keepalives_count=3");
	/* A name inside another one is not that name. */
	assert_merged("my_connect_timeout=1",
			"my_connect_timeout=1;connect_timeout=5;"
			"tcp_user_timeout=10000;keepalives_idle=5;"
			"keepalives_interval=2;keepalives_count=3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_knows_each_process_by_its_title),
			cmocka_unit_test(test_a_master_is_ready_when_it_lists_its_syncs),
			cmocka_unit_test(test_takes_apart_the_names_of_pid_files),
			cmocka_unit_test(test_refuses_other_names_and_too_long_ones),
			cmocka_unit_test(test_reads_the_pid_on_the_first_line),
			cmocka_unit_test(
					test_tells_errors_that_need_a_person_from_those_that_pass),
			cmocka_unit_test(
					test_an_error_in_another_language_is_known_by_its_state),
			cmocka_unit_test(
					test_an_error_is_explained_by_what_it_says_and_not_by_a_guess),
			cmocka_unit_test(test_a_run_that_was_stopped_did_not_fail),
			cmocka_unit_test(test_says_what_to_do_about_a_database_that_is_away),
			cmocka_unit_test(test_adds_the_limits_that_a_connection_lacks),
			cmocka_unit_test(test_keeps_what_a_person_wrote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
