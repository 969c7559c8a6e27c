/* The whole table of rules: each fires for its row, not for a good one, never for what is not
 * known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "bucardo_machine/macros.h"
#include "worker/doctor/evaluate.h"
#include "worker/doctor/facts.h"
#include "worker/doctor/rules.h"
#include "worker/doctor/since.h"

/* A value that passes the test, or just does not. */
static void set_member(json_t *row, const struct bm_doctor_test *test, bool passes)
{
	double step = passes ? 0 : test->op == BM_DOCTOR_AT_LEAST ? -1 : 1;
	char text[128];

	switch (test->op) {
	case BM_DOCTOR_ANY:
		return;
	case BM_DOCTOR_AT_LEAST:
	case BM_DOCTOR_AT_MOST:
		json_object_set_new(row, test->member, json_real(test->number + step));
		return;
	case BM_DOCTOR_IS:
		snprintf(text, sizeof(text), "%s%s", test->text, passes ? "" : " not");
		break;
	case BM_DOCTOR_HAS:
		snprintf(text, sizeof(text), "%s", passes ? test->text : "else");
		break;
	}
	json_object_set_new(row, test->member, json_string(text));
}

static json_t *row_for(const struct bm_doctor_rule *rule, int but)
{
	json_t *row = json_object();

	for (int i = 0; i < BM_DOCTOR_TESTS; i++) {
		set_member(row, &rule->tests[i], i != but);
	}
	return row;
}

/* What is found when the source says this row of the rule's fact. */
static json_t *found(const struct bm_doctor_rule *rule, json_t *row)
{
	json_t *facts = json_pack("{s:{s:[o]}}", "source", rule->fact, row);
	json_t *findings = bm_doctor_evaluate(facts, "app");

	json_decref(facts);
	return findings;
}

static const char *text_of(const json_t *finding, const char *member)
{
	const char *text = json_string_value(json_object_get(finding, member));

	return text != NULL ? text : "";
}

static bool is_of(const json_t *findings, const struct bm_doctor_rule *rule)
{
	const json_t *finding = json_array_get(findings, 0);

	return strcmp(text_of(finding, "rule"), rule->name) == 0 &&
			strcmp(text_of(finding, "severity"),
					bm_severity_name(rule->severity)) == 0;
}

/* Whether an earlier rule of the fact takes what this row has. */
static bool has_tests(const struct bm_doctor_rule *rule)
{
	return rule->tests[0].op != BM_DOCTOR_ANY;
}

static void test_each_rule_fires_for_its_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_doctor_rule_count; i++) {
		const struct bm_doctor_rule *rule = &bm_doctor_rules[i];
		json_t *findings = found(rule, row_for(rule, -1));
		if (!is_of(findings, rule)) {
			fail_msg("rule %zu (%s, fact %s) did not fire", i, rule->name,
					rule->fact);
		}
		json_decref(findings);
	}
}

static void test_no_rule_fires_when_one_of_its_tests_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_doctor_rule_count; i++) {
		const struct bm_doctor_rule *rule = &bm_doctor_rules[i];
		for (int but = 0; but < BM_DOCTOR_TESTS && rule->tests[but].op != BM_DOCTOR_ANY;
				but++) {
			json_t *findings = found(rule, row_for(rule, but));
			if (is_of(findings, rule)) {
				fail_msg("rule %zu (%s) fires though test %d fails", i,
						rule->name, but);
			}
			json_decref(findings);
		}
	}
}

static void test_what_is_not_known_fires_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_doctor_rule_count; i++) {
		const struct bm_doctor_rule *rule = &bm_doctor_rules[i];
		json_t *facts = json_pack(
				"{s:{}, s:{}, s:{}}", "source", "destination", "machine");
		json_t *findings = bm_doctor_evaluate(facts, "app");
		assert_int_equal(json_array_size(findings), 0);
		json_decref(findings);
		json_decref(facts);
		if (has_tests(rule)) {
			json_t *row = json_pack("{s:n}", rule->tests[0].member);
			findings = found(rule, row);
			if (is_of(findings, rule)) {
				fail_msg("rule %zu (%s) fires for null", i, rule->name);
			}
			json_decref(findings);
		}
	}
}

static void test_each_rule_is_about_a_fact_and_says_all_that_a_person_needs(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_doctor_rule_count; i++) {
		const struct bm_doctor_rule *rule = &bm_doctor_rules[i];
		assert_non_null(bm_doctor_fact(rule->fact));
		assert_true(strlen(rule->cause) > 10 && strlen(rule->did) > 5);
		assert_true(strlen(rule->hint) > 5 && strlen(rule->object) > 0);
		json_t *findings = found(rule, row_for(rule, -1));
		const json_t *finding = json_array_get(findings, 0);
		assert_string_equal(text_of(finding, "side"), "source");
		assert_null(strchr(text_of(finding, "cause"), '{'));
		assert_null(strchr(text_of(finding, "hint"), '{'));
		assert_int_equal(json_array_size(json_object_get(finding, "evidence")), 1);
		json_decref(findings);
	}
}

static void test_each_fact_has_a_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < bm_doctor_fact_count; i++) {
		bool used = false;
		for (size_t k = 0; k < bm_doctor_rule_count; k++) {
			used = used ||
					strcmp(bm_doctor_rules[k].fact,
							bm_doctor_facts[i].name) == 0;
		}
		if (!used) {
			fail_msg("nobody asks for fact %s", bm_doctor_facts[i].name);
		}
	}
}

static void test_texts_carry_what_the_row_says(void **state)
{
	(void)state;
	json_t *facts = json_pack("{s:{s:[{s:s, s:s, s:i, s:s}]}}", "destination", "password",
			"role", "app", "until", "2030-01-01 00:00 UTC", "left_sec", 7200,
			"cure", "ALTER ROLE app VALID UNTIL 'infinity'");
	json_t *findings = bm_doctor_evaluate(facts, "app");
	const json_t *finding = json_array_get(findings, 0);
	assert_string_equal(text_of(finding, "side"), "destination");
	assert_string_equal(text_of(finding, "object"), "role app");
	assert_non_null(strstr(text_of(finding, "cause"), "for 2 h more"));
	assert_non_null(strstr(text_of(finding, "hint"),
			"run on the destination, as a superuser: ALTER ROLE app VALID UNTIL 'infinity'"));
	json_decref(findings);
	json_decref(facts);
}

static void test_what_stops_comes_first_and_a_rule_has_five_findings_at_most(void **state)
{
	(void)state;
	json_t *rows = json_array();
	for (int i = 0; i < 8; i++) {
		json_array_append_new(rows,
				json_pack("{s:s, s:i, s:i}", "state", "idle in transaction",
						"open_sec", 40, "pid", i));
	}
	json_t *facts = json_pack("{s:{s:o}, s:{s:[{s:s, s:s}]}}", "source", "transactions",
			rows, "machine", "stopped", "why", "w", "hint", "h");
	json_t *findings = bm_doctor_evaluate(facts, "app");
	assert_int_equal(json_array_size(findings), 1 + BM_DOCTOR_EACH);
	assert_string_equal(text_of(json_array_get(findings, 0), "rule"), "stopped");
	assert_int_equal(json_integer_value(json_object_get(
					 json_array_get(findings, BM_DOCTOR_EACH), "more")),
			3);
	json_decref(findings);
	json_decref(facts);
}

/* ---- over time ---- */

static json_t *one(const char *object)
{
	return json_pack("[{s:s, s:s, s:s}]", "rule", "blocker", "side", "source", "object",
			object);
}

/* Another look that finds `findings`, which it takes over; how much news there was. */
static size_t look(json_t **evidence, json_t *findings, int64_t at)
{
	json_t *fading, *news;

	bm_doctor_since(findings, *evidence, at, &fading, &news);
	size_t count = json_array_size(news);
	json_decref(news);
	json_decref(*evidence);
	*evidence = json_pack("{s:o, s:o}", "findings", findings, "fading", fading);
	return count;
}

static void test_a_finding_keeps_its_since_and_is_news_once(void **state)
{
	json_t *evidence = NULL;

	(void)state;
	assert_int_equal(look(&evidence, one("a"), 1000), 1);
	assert_int_equal(look(&evidence, one("a"), 31000), 0);
	assert_string_equal(text_of(json_array_get(json_object_get(evidence, "findings"), 0),
					    "since"),
			"1970-01-01T00:00:01.000Z");
	assert_int_equal(look(&evidence, one("b"), 61000), 1);
	json_decref(evidence);
}

static void test_what_comes_and_goes_is_no_news_and_what_stays_away_is_over_once(void **state)
{
	json_t *evidence = NULL;

	(void)state;
	assert_int_equal(look(&evidence, one("a"), 1000), 1);
	assert_int_equal(look(&evidence, json_array(), 2000), 0);
	assert_int_equal(look(&evidence, one("a"), 3000), 0);
	assert_string_equal(text_of(json_array_get(json_object_get(evidence, "findings"), 0),
					    "since"),
			"1970-01-01T00:00:01.000Z");
	for (int i = 0; i < BM_DOCTOR_FADES; i++) {
		assert_int_equal(look(&evidence, json_array(), 4000), 0);
	}
	assert_int_equal(look(&evidence, json_array(), 5000), 1);
	assert_int_equal(look(&evidence, json_array(), 6000), 0);
	json_decref(evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_each_rule_fires_for_its_row),
			cmocka_unit_test(test_no_rule_fires_when_one_of_its_tests_fails),
			cmocka_unit_test(test_what_is_not_known_fires_nothing),
			cmocka_unit_test(
					test_each_rule_is_about_a_fact_and_says_all_that_a_person_needs),
			cmocka_unit_test(test_each_fact_has_a_rule),
			cmocka_unit_test(test_texts_carry_what_the_row_says),
			cmocka_unit_test(
					test_what_stops_comes_first_and_a_rule_has_five_findings_at_most),
			cmocka_unit_test(test_a_finding_keeps_its_since_and_is_news_once),
			cmocka_unit_test(
					test_what_comes_and_goes_is_no_news_and_what_stays_away_is_over_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
