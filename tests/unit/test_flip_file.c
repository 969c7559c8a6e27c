/* The lines of PgBouncer's databases: host, port and dbname are changed, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/flip/pooler_file.h"

static const struct bm_pooler_target there = {"10.0.0.2", "5433", "new db"};

/* A file, and what becomes of it when `app` leads to there. */
static const struct {
	const char *before, *after;
} changed[] = {
		{"app = host=a\n", "app = host=10.0.0.2 port=5433 dbname='new db'\n"},
		{"app=host=a port=1 dbname=b",
				"app= host=10.0.0.2 port=5433 dbname='new db'\n"},
		{"; app = host=x\n\tapp\t=\tport=1 pool_size=7  host = 'a b' auth_user='o''neil'\nother = host=a\n",
				"; app = host=x\n\tapp\t= host=10.0.0.2 port=5433 dbname='new db' pool_size=7 "
				"auth_user='o''neil'\nother = host=a\n"},
		{"[databases]\r\n\"app\" = dbname='x=y'\r\n[pgbouncer]\n",
				"[databases]\r\n\"app\" = host=10.0.0.2 port=5433 dbname='new db'\n[pgbouncer]\n"},
		{"app_ro = host=a\napp =\n",
				"app_ro = host=a\napp = host=10.0.0.2 port=5433 dbname='new db'\n"},
};

static void test_only_where_the_line_leads_to_is_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(changed); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT, again = BM_STRBUF_INIT;
		struct bm_error err = BM_ERROR_INIT;
		struct bm_pooler_target read;

		assert_int_equal(bm_pooler_file_write(
						 changed[i].before, "app", &there, &out, &err),
				0);
		assert_string_equal(bm_strbuf_text(&out), changed[i].after);
		assert_int_equal(bm_pooler_file_read(bm_strbuf_text(&out), "app", &read, &err),
				0);
		assert_string_equal(read.host, there.host);
		assert_string_equal(read.port, there.port);
		assert_string_equal(read.dbname, there.dbname);
		assert_int_equal(bm_pooler_file_write(bm_strbuf_text(&out), "app", &there,
						 &again, &err),
				0);
		assert_string_equal(bm_strbuf_text(&again), changed[i].after);
		bm_strbuf_finish(&out);
		bm_strbuf_finish(&again);
	}
}

static void test_a_file_without_just_one_line_is_refused(void **state)
{
	static const char *const texts[] = {"", "app_ro = host=a\n", "# app = host=a\n",
			"* = host=a\n", "app = host=a\n\"app\" = host=b\n", "app",
			"%include app = x\n"};

	(void)state;
	for (size_t i = 0; i < BM_COUNT_OF(texts); i++) {
		struct bm_strbuf out = BM_STRBUF_INIT;
		struct bm_error err = BM_ERROR_INIT;
		assert_int_equal(bm_pooler_file_write(texts[i], "app", &there, &out, &err), -1);
		assert_non_null(strstr(err.message, "line for database 'app'"));
		bm_strbuf_finish(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_only_where_the_line_leads_to_is_changed),
			cmocka_unit_test(test_a_file_without_just_one_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
