/* Samples as lines: what is told survives the way, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/observation.h"

static const size_t both[] = {0, 1};

static struct bm_db_sample dbs[] = {
		{.name = "source",
				.role = "source",
				.reach = BM_REACH_YES,
				.error = "",
				.since_msec = 4000},
		{.name = "dest",
				.role = "target",
				.reach = BM_REACH_NO,
				.error = "refused",
				.since_msec = 9000},
};

static struct bm_sync_sample syncs[] = {
		{.name = "app",
				.active = true,
				.autokick = true,
				.db_count = 2,
				.dbs = both,
				.backlog_rows = 1000000,
				.lag_msec = 7,
				.run_open = true,
				.run_age_msec = 8,
				.run_status = "Begin txn (KID 5)",
				.run_moved = 1LL << 40,
				.good_age_msec = 9,
				.bad_age_msec = -1,
				.bad_text = "quote \" back\\slash \xc3\xa4",
				.recent_failures = 3,
				.blocker_pid = 77,
				.blocker_query = "LOCK TABLE t",
				.blocker_db = "dest",
				.requeued_rows = 12,
				.conflicts = 3,
				.applied_rows = 17},
		{.name = "other",
				.backlog_rows = -1,
				.lag_msec = -1,
				.run_age_msec = -1,
				.run_status = "",
				.run_moved = -1,
				.good_age_msec = -1,
				.bad_age_msec = -1,
				.bad_text = "",
				.blocker_query = "",
				.blocker_db = ""},
};

static struct bm_observation observation = {.taken_msec = 10000,
		.db_count = 2,
		.dbs = dbs,
		.sync_count = 2,
		.syncs = syncs};

static char *states(void)
{
	return bm_observation_encode(&observation, BM_OBSERVATION_STATES);
}

static void test_a_sample_survives_the_way(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;
	char *text = bm_observation_encode(&observation, BM_OBSERVATION_FULL);

	assert_null(strchr(text, '\n'));
	assert_int_equal(bm_observation_decode(text, strlen(text), 50000, &line, &err), 0);
	assert_null(line.waiting);
	assert_int_equal(line.observation.taken_msec, 50000);
	assert_int_equal(line.observation.db_count, 2);
	assert_string_equal(line.observation.dbs[1].error, "refused");
	assert_int_equal(line.observation.dbs[1].reach, BM_REACH_NO);
	/* It had been away for a second when the sample was taken. */
	assert_int_equal(line.observation.dbs[1].since_msec, 49000);
	const struct bm_sync_sample *sync = &line.observation.syncs[0];
	assert_true(sync->active && sync->autokick && sync->run_open);
	assert_int_equal(sync->db_count, 2);
	assert_int_equal(sync->dbs[1], 1);
	assert_int_equal(sync->backlog_rows, 1000000);
	assert_true(sync->run_moved == 1LL << 40);
	assert_int_equal(sync->bad_age_msec, -1);
	assert_string_equal(sync->bad_text, syncs[0].bad_text);
	assert_int_equal(sync->recent_failures, 3);
	assert_int_equal(sync->blocker_pid, 77);
	assert_string_equal(sync->blocker_db, "dest");
	assert_int_equal(sync->requeued_rows, 12);
	assert_int_equal(sync->conflicts, 3);
	assert_int_equal(sync->applied_rows, 17);
	assert_false(line.observation.syncs[1].active);
	bm_observation_line_finish(&line);
	free(text);
}

static void test_the_reason_for_waiting_survives_the_way(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;
	char *text = bm_observation_encode_waiting("no\nserver");

	assert_int_equal(bm_observation_decode(text, strlen(text), 1, &line, &err), 0);
	assert_string_equal(line.waiting, "no server");
	bm_observation_line_finish(&line);
	free(text);
}

static void test_texts_are_cut_and_made_valid(void **state)
{
	(void)state;
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;
	char error[4001];

	/* Two-byte characters that the cut goes through, after one bad byte. */
	memset(error, '\xa4', sizeof(error));
	for (size_t i = 1; i < sizeof(error); i += 2) {
		error[i] = '\xc3';
	}
	error[sizeof(error) - 1] = '\0';
	dbs[1].error = error;
	char *text = bm_observation_encode(&observation, BM_OBSERVATION_FULL);
	dbs[1].error = "refused";
	assert_int_equal(bm_observation_decode(text, strlen(text), 1, &line, &err), 0);
	assert_int_equal(line.observation.dbs[1].error[0], '?');
	assert_int_equal(strlen(line.observation.dbs[1].error), BM_OBSERVATION_TEXT_BYTES);
	bm_observation_line_finish(&line);
	free(text);
}

static void test_ages_and_counters_are_no_news(void **state)
{
	(void)state;
	char *before = states();

	observation.taken_msec += 60000;
	syncs[0].backlog_rows = 5;
	syncs[0].lag_msec = 99;
	syncs[0].run_moved = 1;
	syncs[0].good_age_msec = 60000;
	char *after = states();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void assert_is_news(const char *before)
{
	char *after = states();

	assert_string_not_equal(before, after);
	free(after);
}

static void test_a_state_of_a_database_is_news(void **state)
{
	(void)state;
	const struct bm_db_sample old = dbs[1];
	char *before = states();

	dbs[1].reach = BM_REACH_YES;
	assert_is_news(before);
	dbs[1] = old;
	dbs[1].error = "timeout";
	assert_is_news(before);
	dbs[1] = old;
	free(before);
}

static void test_a_state_of_a_sync_is_news(void **state)
{
	(void)state;
	const struct bm_sync_sample old = syncs[0];
	struct bm_sync_sample news[] = {old, old, old, old, old, old, old};
	char *before = states();

	news[0].active = false;
	news[1].run_open = false;
	news[2].backlog_rows = 0;
	news[3].backlog_rows = -1;
	news[4].run_status = "Copying";
	news[5].bad_text = "";
	news[6].blocker_pid = 0;
	for (size_t i = 0; i < BM_COUNT_OF(news); i++) {
		syncs[0] = news[i];
		assert_is_news(before);
	}
	syncs[0] = old;
	observation.sync_count = 1;
	assert_is_news(before);
	observation.sync_count = 2;
	free(before);
}

/* The line of the sample above with `from` replaced by `to`. */
static char *changed(const char *from, const char *to)
{
	char *text = bm_observation_encode(&observation, BM_OBSERVATION_FULL);
	char *at = strstr(text, from);

	assert_non_null(at);
	char *out = bm_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	free(text);
	return out;
}

static void assert_refused(char *text, const char *why)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_observation_line line;

	assert_int_equal(bm_observation_decode(text, strlen(text), 1, &line, &err), -1);
	assert_int_equal(err.code, BM_ERR_INTERNAL);
	if (strstr(err.message, why) == NULL) {
		fail_msg("expected '%s' in '%s'", why, err.message);
	}
	bm_observation_line_finish(&line);
	free(text);
}

static void test_lines_that_are_not_right_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *why;
	} cases[] = {
			{"\"v\":1", "\"v\":2", "version"},
			{"\"v\":1", "\"v\":1,\"v\":1", "not JSON"},
			{"\"lag_ms\":", "\"lag\":", "'lag_ms' is missing"},
			{"\"active\":true", "\"active\":1", "'active' is not a boolean"},
			{"\"role\":\"target\"", "\"role\":null", "'role' is not a text"},
			{"\"reach\":\"no\"", "\"reach\":\"maybe\"", "'reach'"},
			{"\"since_ms\":", "\"since_ms\":-", "out of range"},
			{"\"blocker_pid\":77", "\"blocker_pid\":3000000000", "out of range"},
			{"\"recent_failures\":3", "\"recent_failures\":-1", "out of range"},
			{"\"bad_age_ms\":-1", "\"bad_age_ms\":-2", "out of range"},
			{"\"bad_age_ms\":-1", "\"bad_age_ms\":1.5", "not a number"},
			{"\"dbs\":[0,1]", "\"dbs\":[0,2]", "not listed"},
			{"\"dbs\":[0,1]", "\"dbs\":[0,-1]", "not listed"},
			{"\"dbs\":[0,1]", "\"dbs\":[0,1,0]", "not a list"},
			{"\"dbs\":[0,1]", "\"dbs\":7", "not a list"},
			{"\"syncs\":[", "\"syncs\":[3,", "not an object"},
			{"\"syncs\":[", "\"waiting\":3,\"syncs\":[", "'waiting'"},
	};

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		assert_refused(changed(cases[i].from, cases[i].to), cases[i].why);
	}
	assert_refused(bm_strdup(""), "not JSON");
	assert_refused(bm_strdup("hello"), "not JSON");
	assert_refused(bm_strdup("[]"), "version");
}

static void test_lists_that_are_too_long_are_refused(void **state)
{
	(void)state;
	struct bm_db_sample many[BM_OBSERVATION_MAX_DBS + 1];
	struct bm_observation big = {.taken_msec = 1, .dbs = many, .syncs = syncs};

	big.db_count = BM_COUNT_OF(many);
	for (size_t i = 0; i < BM_COUNT_OF(many); i++) {
		many[i] = dbs[0];
	}
	assert_refused(bm_observation_encode(&big, BM_OBSERVATION_FULL), "too long");
	char *huge = bm_alloc(BM_OBSERVATION_LINE_BYTES + 2);
	memset(huge, ' ', BM_OBSERVATION_LINE_BYTES + 1);
	assert_refused(huge, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_a_sample_survives_the_way),
			cmocka_unit_test(test_the_reason_for_waiting_survives_the_way),
			cmocka_unit_test(test_texts_are_cut_and_made_valid),
			cmocka_unit_test(test_ages_and_counters_are_no_news),
			cmocka_unit_test(test_a_state_of_a_database_is_news),
			cmocka_unit_test(test_a_state_of_a_sync_is_news),
			cmocka_unit_test(test_lines_that_are_not_right_are_refused),
			cmocka_unit_test(test_lists_that_are_too_long_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
