/* What is told of changes of state: subjects, settling, what each receiver wants to hear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/notify/notify_changes.h"
#include "client/notify/notify_states.h"

#define QUOTE(...) #__VA_ARGS__

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static const char *member(const json_t *states, const char *subject, const char *name)
{
	const char *text = json_string_value(
			json_object_get(json_object_get(states, subject), name));

	return text != NULL ? text : "(none)";
}

/* One row a subject: what the status says, and what is told of it. */
static void test_each_subject_of_the_table_has_a_word_and_a_level(void **state)
{
	static const struct {
		const char *status, *subject, *value, *level;
	} rows[] = {
			{QUOTE({"state" : "ready"}), "machine", "ready", "info"},
			{QUOTE({"state" : "degraded"}), "machine", "degraded", "warn"},
			{QUOTE({"state" : "holding"}), "machine", "holding", "error"},
			{QUOTE({"databases" : [ {"name" : "a", "reach" : "yes"} ]}),
					"database a", "reachable", "info"},
			{QUOTE({"databases" : [ {"name" : "a", "reach" : "no"} ]}),
					"database a", "unreachable", "error"},
			{QUOTE({"syncs" : [ {"name" : "s", "health" : "idle"} ]}), "sync s",
					"applying", "info"},
			{QUOTE({"syncs" : [ {"name" : "s", "health" : "stalled"} ]}), "sync s",
					"stalled", "error"},
			{QUOTE({
				 "units" : [ {
					 "name" : "bucardo",
					 "failures" : 3,
					 "state" : "backoff"
				 } ]
			 }),
					"unit bucardo", "failing", "error"},
			{QUOTE({
				 "units" : [
					 {"name" : "bucardo", "failures" : 0, "state" : "ready"}
				 ]
			 }),
					"unit bucardo", "running", "info"},
			{QUOTE({
				 "migrations" : [
					 {"name" : "m", "phase" : "copy", "status" : "failed"}
				 ]
			 }),
					"migration m", "copy failed", "error"},
			{QUOTE({
				 "migrations" : [ {
					 "name" : "m",
					 "phase" : "replicate",
					 "status" : "live"
				 } ]
			 }),
					"migration m", "live", "info"},
			{QUOTE({
				 "migrations" : [ {
					 "name" : "m",
					 "reconcile" : {"live" : {"side" : "destination"}}
				 } ]
			 }),
					"live side m", "destination", "info"},
			{QUOTE({
				 "migrations" : [ {
					 "name" : "m",
					 "reconcile" : {"paused" : [ "a.b", "a.c" ]}
				 } ]
			 }),
					"paused tables m", "a.b, a.c", "error"},
			{QUOTE({
				 "migrations" : [
					 {"name" : "m", "verify" : {"trouble" : "rows"}}
				 ]
			 }),
					"rows m", "different", "error"},
			{QUOTE({"migrations" : [ {"name" : "m", "verify" : {}} ]}), "rows m",
					"none differs", "info"},
			{QUOTE({
				 "migrations" : [ {
					 "name" : "m",
					 "doctor" : [ {
						 "rule" : "disk",
						 "severity" : "stops",
						 "side" : "source",
						 "object" : "/x"
					 } ]
				 } ]
			 }),
					"finding m disk source /x", "found", "error"},
			{QUOTE({
				 "migrations" : [ {
					 "name" : "m",
					 "cutover" : {
						 "number" : 2,
						 "direction" : "cutover",
						 "mode" : "run",
						 "under_way" : false,
						 "state" : "failed"
					 }
				 } ]
			 }),
					"cutover m", "cutover 2: run failed", "error"},
			{QUOTE({"migrations" : [ {"name" : "m", "cutover" : null} ]}),
					"cutover m", "none", "info"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *status = parse(rows[i].status);
		json_t *states = notify_states(status, "");
		assert_string_equal(member(states, rows[i].subject, "value"), rows[i].value);
		assert_string_equal(member(states, rows[i].subject, "level"), rows[i].level);
		json_decref(states);
		json_decref(status);
	}
}

static void test_of_what_nobody_looked_at_nothing_is_told(void **state)
{
	static const char *const statuses[] = {QUOTE({"state" : "starting"}),
			QUOTE({"state" : "stopping"}), QUOTE({
				"state" : "ready",
				"migrations" : [ {"name" : "m", "phase" : null} ]
			}),
			QUOTE({
				"state" : "ready",
				"migrations" : [ {"name" : "m", "doctor" : null} ]
			})};
	static const char *const unknown[] = {
			"machine", "database a", "migration m", "finding m disk source /x"};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		json_t *status = parse(statuses[i]), *states = notify_states(status, "");
		assert_true(notify_is_unknown(states, unknown[i]));
		assert_false(json_is_object(json_object_get(states, unknown[i])));
		json_decref(states);
		json_decref(status);
	}
	json_t *silent = notify_states(NULL, "no answer");
	assert_string_equal(member(silent, "machine", "value"), "silent");
	assert_true(notify_is_unknown(silent, "database a"));
	json_decref(silent);
}

static void test_a_long_list_of_paused_tables_stays_short_and_its_length_is_its_state(
		void **state)
{
	char text[4096];
	json_t *names = json_array();

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "s.t%d", i);
		json_array_append_new(names, json_string(text));
	}
	json_t *status = json_pack("{s:[{s:s, s:{s:o}}]}", "migrations", "name", "m",
			"reconcile", "paused", names);
	json_t *states = notify_states(status, "");
	const char *value = member(states, "paused tables m", "value");
	assert_true(strlen(value) < 200);
	assert_non_null(strstr(value, "s.t9 and 30 more"));
	json_decref(states);
	json_decref(status);
}

/* ---- what has lasted ---- */

static json_t *state_of(const char *subject, const char *value, const char *level)
{
	return json_pack("{s:{s:s, s:s, s:s}}", subject, "value", value, "level", level, "text",
			"why");
}

static void settle(struct notify_settled *settled, json_t *states, uint64_t now)
{
	notify_settle(settled, states, now, 1000);
	json_decref(states);
}

static void test_a_state_counts_when_it_has_lasted_and_flapping_never_does(void **state)
{
	struct notify_settled settled;
	json_t *told = state_of("machine", "ready", "info");

	(void)state;
	notify_settled_init(&settled);
	json_object_update(settled.states, told);
	for (uint64_t now = 0; now < 10000; now += 900) {
		settle(&settled, state_of("machine", "degraded", "warn"), now);
		assert_string_equal(member(settled.states, "machine", "value"), "ready");
		settle(&settled, state_of("machine", "ready", "info"), now + 450);
	}
	settle(&settled, state_of("machine", "degraded", "warn"), 20000);
	settle(&settled, state_of("machine", "degraded", "warn"), 20999);
	assert_string_equal(member(settled.states, "machine", "value"), "ready");
	settle(&settled, state_of("machine", "degraded", "warn"), 21000);
	assert_string_equal(member(settled.states, "machine", "value"), "degraded");
	notify_settled_finish(&settled);
	json_decref(told);
}

static void test_what_is_not_there_any_more_is_gone_but_not_what_is_unknown(void **state)
{
	struct notify_settled settled;
	json_t *told = state_of("finding m disk", "found", "error");

	(void)state;
	notify_settled_init(&settled);
	json_object_update(settled.states, told);
	settle(&settled, parse("{\"finding m\": null}"), 0);
	settle(&settled, parse("{\"finding m\": null}"), 5000);
	assert_string_equal(member(settled.states, "finding m disk", "value"), "found");
	settle(&settled, json_object(), 6000);
	assert_string_equal(member(settled.states, "finding m disk", "value"), "found");
	settle(&settled, json_object(), 7000);
	assert_string_equal(member(settled.states, "finding m disk", "value"), NOTIFY_GONE);
	notify_settled_finish(&settled);
	json_decref(told);
}

/* ---- who is told what ---- */

static size_t pending(const char *told_text, const json_t *settled, enum bm_log_level least)
{
	json_t *told = parse(told_text),
	       *changes = notify_pending(told, settled, least, &(bool){false});
	size_t count = json_array_size(changes);

	json_decref(changes);
	json_decref(told);
	return count;
}

static void test_a_receiver_hears_what_it_was_not_told_and_wants_to_hear(void **state)
{
	json_t *bad = state_of("machine", "degraded", "warn");
	json_t *good = state_of("machine", "ready", "info");
	const char *was_good = QUOTE({"machine" : {"value" : "ready", "level" : "info"}});
	const char *was_bad = QUOTE({"machine" : {"value" : "degraded", "level" : "warn"}});

	(void)state;
	assert_int_equal(pending(was_good, bad, BM_LOG_INFO), 1);
	assert_int_equal(pending(was_good, bad, BM_LOG_WARN), 1);
	assert_int_equal(pending(was_good, bad, BM_LOG_ERROR), 0);
	assert_int_equal(pending(was_bad, bad, BM_LOG_INFO), 0);  /* told already */
	assert_int_equal(pending(was_bad, good, BM_LOG_WARN), 1); /* its end */
	assert_int_equal(pending("{}", good, BM_LOG_INFO), 0);	  /* no news to a new one */
	assert_int_equal(pending("{}", bad, BM_LOG_INFO), 1);
	json_decref(bad);
	json_decref(good);
}

static void test_what_was_delivered_is_told_and_the_message_says_it(void **state)
{
	json_t *settled = state_of("machine", "degraded", "warn"), *told = json_object();
	json_t *changes = notify_pending(told, settled, BM_LOG_INFO, &(bool){false});
	json_t *message = notify_message(changes, "pod-0", "2026-01-31T12:00:00.000Z", 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(message, "kind")), "change");
	assert_string_equal(json_string_value(json_object_get(message, "text")),
			"bucardo-machine on pod-0, not ready\nmachine: degraded: why");
	json_decref(message);
	notify_told(told, changes);
	json_decref(changes);
	changes = notify_pending(told, settled, BM_LOG_INFO, &(bool){false});
	assert_int_equal(json_array_size(changes), 0);
	message = notify_message(changes, "pod-0", "2026-01-31T12:00:00.000Z", -1);
	assert_string_equal(json_string_value(json_object_get(message, "kind")), "test");
	json_decref(message);
	json_decref(changes);
	json_decref(told);
	json_decref(settled);
}

static void test_what_was_sent_and_not_answered_is_told_again_even_when_it_is_as_before(
		void **state)
{
	json_t *settled = state_of("machine", "degraded", "warn");
	json_t *told = state_of("machine", "ready", "info"),
	       *good = state_of("machine", "ready", "info");
	json_t *changes = notify_pending(told, settled, BM_LOG_WARN, &(bool){false});

	(void)state;
	notify_sent(told, changes); /* the answer was lost, or a kill came */
	json_decref(changes);
	changes = notify_pending(told, told, BM_LOG_WARN, &(bool){false});
	assert_int_equal(json_array_size(changes), 0); /* a doubt is no state */
	json_decref(changes);
	changes = notify_pending(told, good, BM_LOG_WARN, &(bool){false});
	assert_int_equal(json_array_size(changes), 1);
	const json_t *change = json_array_get(changes, 0);
	assert_string_equal(json_string_value(json_object_get(change, "was")), "ready");
	assert_string_equal(json_string_value(json_object_get(change, "now")), "ready");
	notify_told(told, changes);
	json_decref(changes);
	changes = notify_pending(told, good, BM_LOG_WARN, &(bool){false});
	assert_int_equal(json_array_size(changes), 0);
	json_decref(changes);
	json_decref(told);
	json_decref(good);
	json_decref(settled);
}

static void test_the_longest_message_fits_into_a_variable_of_the_environment(void **state)
{
	json_t *list = json_array(), *told = json_object();
	char long_text[4000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		char name[32];
		snprintf(name, sizeof(name), "db%d", i);
		json_array_append_new(list,
				json_pack("{s:s, s:s, s:s}", "name", name, "reach", "no",
						"error", long_text));
	}
	json_t *status = json_pack("{s:o}", "databases", list),
	       *states = notify_states(status, "");
	struct notify_settled settled;
	notify_settled_init(&settled);
	notify_settle(&settled, states, 0, 0);
	json_t *changes = notify_pending(told, settled.states, BM_LOG_INFO, &(bool){false});
	json_t *message = notify_message(changes, "pod-0", "", 0);
	char *text = json_dumps(message, JSON_COMPACT);
	assert_true(strlen(text) < (size_t)120 * 1024);
	free(text);
	json_decref(message);
	json_decref(changes);
	notify_settled_finish(&settled);
	json_decref(states);
	json_decref(status);
	json_decref(told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_subject_of_the_table_has_a_word_and_a_level),
			cmocka_unit_test(test_of_what_nobody_looked_at_nothing_is_told),
			cmocka_unit_test(
					test_a_long_list_of_paused_tables_stays_short_and_its_length_is_its_state),
			cmocka_unit_test(
					test_a_state_counts_when_it_has_lasted_and_flapping_never_does),
			cmocka_unit_test(
					test_what_is_not_there_any_more_is_gone_but_not_what_is_unknown),
			cmocka_unit_test(
					test_a_receiver_hears_what_it_was_not_told_and_wants_to_hear),
			cmocka_unit_test(
					test_what_was_delivered_is_told_and_the_message_says_it),
			cmocka_unit_test(
					test_what_was_sent_and_not_answered_is_told_again_even_when_it_is_as_before),
			cmocka_unit_test(
					test_the_longest_message_fits_into_a_variable_of_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
