/* What goes between the engine, its workers and its journal: lines, requests, definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "daemon/migrate/definition.h"
#include "bucardo_machine/phase_line.h"

/* ---- lines of a worker ---- */

static int decode(const char *text, struct bm_phase_decoded *out)
{
	struct bm_error err = BM_ERROR_INIT;

	return bm_phase_line_decode(text, strlen(text), out, &err);
}

static void test_every_event_of_a_worker_is_understood(void **state)
{
	(void)state;
	struct bm_phase_decoded got;

	assert_int_equal(decode("{\"v\":1,\"event\":\"progress\",\"done\":5,\"total\":9,"
				"\"unit\":\"bytes\",\"text\":\"t\"}",
					 &got),
			0);
	assert_int_equal(got.line.event, BM_PHASE_EVENT_PROGRESS);
	assert_int_equal(got.line.done, 5);
	assert_int_equal(got.line.total, 9);
	assert_string_equal(got.line.unit, "bytes");
	bm_phase_line_finish(&got);
	assert_int_equal(decode("{\"v\":1,\"event\":\"finding\",\"severity\":\"degrades\","
				"\"object\":\"o\",\"why\":\"w\",\"hint\":\"m\"}",
					 &got),
			0);
	assert_int_equal(got.line.severity, BM_SEVERITY_DEGRADES);
	assert_string_equal(got.line.hint, "m");
	bm_phase_line_finish(&got);
	assert_int_equal(decode("{\"v\":1,\"event\":\"note\",\"text\":\"t\"}", &got), 0);
	bm_phase_line_finish(&got);
	assert_int_equal(
			decode("{\"v\":1,\"event\":\"done\",\"evidence\":{\"a\":1}}", &got), 0);
	assert_int_equal(json_object_size(got.line.evidence), 1);
	bm_phase_line_finish(&got);
	assert_int_equal(decode("{\"v\":1,\"event\":\"failed\",\"class\":\"operator\","
				"\"message\":\"no\",\"hint\":\"do\"}",
					 &got),
			0);
	assert_int_equal(got.line.failure, BM_FAILURE_OPERATOR);
	assert_string_equal(got.line.message, "no");
	bm_phase_line_finish(&got);
}

static void test_progress_may_say_what_is_in_flight(void **state)
{
	(void)state;
	struct bm_phase_decoded got;

	assert_int_equal(decode("{\"v\":1,\"event\":\"progress\",\"done\":5,\"total\":9,"
				"\"unit\":\"bytes\",\"text\":\"copying rows\",\"rows\":7,"
				"\"pieces_done\":1,\"pieces_total\":3,\"in_flight\":["
				"{\"name\":\"public.t\",\"step\":\"\",\"done\":2,\"total\":4,"
				"\"age_ms\":1200}]}",
					 &got),
			0);
	assert_int_equal(got.line.rows, 7);
	assert_int_equal(got.line.pieces_total, 3);
	assert_int_equal(json_array_size(got.line.in_flight), 1);
	bm_phase_line_finish(&got);
}

static void test_a_line_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	static const char *const nonsense[] = {
			"",
			"hello",
			"[]",
			"{}",
			"{\"v\":2,\"event\":\"note\",\"text\":\"t\"}",
			"{\"v\":1,\"event\":\"party\"}",
			"{\"v\":1,\"event\":\"note\"}",
			"{\"v\":1,\"event\":\"progress\",\"done\":-1,\"total\":9}",
			"{\"v\":1,\"event\":\"progress\",\"done\":\"1\",\"total\":9}",
			"{\"v\":1,\"event\":\"progress\",\"done\":1,\"total\":9,\"rows\":\"2\"}",
			"{\"v\":1,\"event\":\"progress\",\"done\":1,\"total\":9,\"in_flight\":{}}",
			"{\"v\":1,\"event\":\"progress\",\"done\":1,\"total\":9,\"in_flight\":"
			"[{\"name\":\"t\",\"step\":\"\",\"done\":3,\"total\":2,\"age_ms\":1}]}",
			"{\"v\":1,\"event\":\"progress\",\"done\":1,\"total\":9,\"in_flight\":"
			"[{\"step\":\"\",\"done\":1,\"total\":2,\"age_ms\":1}]}",
			"{\"v\":1,\"event\":\"finding\",\"severity\":\"bad\",\"why\":\"w\"}",
			"{\"v\":1,\"event\":\"done\"}",
			"{\"v\":1,\"event\":\"failed\",\"class\":\"odd\",\"message\":\"m\"}",
			"{\"v\":1,\"event\":\"failed\",\"class\":\"internal\"}",
	};

	for (size_t i = 0; i < BM_COUNT_OF(nonsense); i++) {
		struct bm_phase_decoded got;
		if (decode(nonsense[i], &got) == 0) {
			fail_msg("%s was understood", nonsense[i]);
		}
		bm_phase_line_finish(&got);
	}
}

/* ---- definitions ---- */

static struct bm_config_migration make_migration(void)
{
	return (struct bm_config_migration){.name = "app",
			.source = {"a", 5432, "d", "u", "prefer", NULL},
			.destination = {"b", 5433, "d", "u", "verify-full", "/ca.pem"},
			.run_until = BM_PHASE_REPLICATE,
			.copy_jobs = 4,
			.copy_throttle = true};
}

static void test_a_request_is_what_the_protocol_says(void **state)
{
	(void)state;
	struct bm_config_migration migration = make_migration();
	json_t *definition = bm_definition_create(&migration);
	char *request = bm_definition_request(
			definition, BM_PHASE_CAPTURE, "/run/bm", BM_REQUEST_FIX, NULL);

	assert_string_equal(request,
			"{\"v\":1,\"phase\":\"capture\",\"control\":{\"socket_dir\":\"/run/bm\"},"
			"\"migration\":{\"name\":\"app\",\"source\":{\"host\":\"a\",\"port\":5432,"
			"\"dbname\":\"d\",\"user\":\"u\",\"sslmode\":\"prefer\","
			"\"sslrootcert\":null},\"destination\":{\"host\":\"b\",\"port\":5433,"
			"\"dbname\":\"d\",\"user\":\"u\",\"sslmode\":\"verify-full\","
			"\"sslrootcert\":\"/ca.pem\"},\"direction\":\"both\","
			"\"copy\":{\"jobs\":4,\"max_rate\":0,\"throttle\":true}},\"fix\":true,\"plan\":true}");
	free(request);
	json_decref(definition);
}

static void test_a_definition_of_an_older_journal_gets_the_names_of_today(void **state)
{
	(void)state;
	struct bm_config_migration migration = make_migration();
	json_t *now = bm_definition_create(&migration);
	json_t *older = json_deep_copy(now);

	json_object_del(json_object_get(older, "copy"), "throttle");
	json_object_set_new(json_object_get(older, "copy"), "gentle", json_true());
	bm_definition_renew(older);
	assert_true(json_equal(older, now));
	bm_definition_renew(older);
	assert_true(json_equal(older, now));
	json_decref(older);
	json_decref(now);
}

/* What is said about a migration that was `old` and is `now`. */
static const char *difference(
		const struct bm_config_migration *old, const struct bm_config_migration *now)
{
	static struct bm_strbuf text = BM_STRBUF_INIT;
	json_t *was = bm_definition_create(old);
	json_t *is = bm_definition_create(now);

	bm_strbuf_finish(&text);
	bm_definition_compare(was, is, &text);
	json_decref(was);
	json_decref(is);
	return bm_strbuf_text(&text);
}

static void test_only_the_copy_may_change_once_data_depends_on_a_definition(void **state)
{
	(void)state;
	struct bm_config_migration old = make_migration(), now = make_migration();

	assert_string_equal(difference(&old, &now), "");
	now.copy_jobs = 9;
	now.copy_max_rate = 5000000;
	now.copy_throttle = false;
	now.run_until = BM_PHASE_COPY;
	assert_string_equal(difference(&old, &now), "");
	now.source.host = "c";
	now.destination.sslrootcert = NULL;
	assert_string_equal(difference(&old, &now),
			"source.host was \"a\" and is \"c\" now, "
			"destination.sslrootcert was \"/ca.pem\" and is null now");
	now = make_migration();
	now.exclude = (const char *const[]){"audit.*", NULL};
	assert_string_equal(difference(&old, &now),
			"tables was not there and is {\"exclude\":[\"audit.*\"]} now");
	now = make_migration();
	now.owners = BM_DROP;
	now.roles = (const char *const[]){"a=b", NULL};
	now.create_roles = true;
	assert_string_equal(difference(&old, &now),
			"owners was not there and is \"drop\" now, "
			"create_roles was not there and is true now, "
			"roles was not there and is [\"a=b\"] now");
	now = make_migration();
	now.syncs = 3;
	assert_string_equal(difference(&old, &now), "syncs was not there and is 3 now");
	now = make_migration();
	now.direction = BM_DIRECTION_FORWARD;
	assert_string_equal(difference(&old, &now),
			"direction was \"both\" and is \"forward\" now");
}

static void test_another_copy_alone_is_told_from_another_definition(void **state)
{
	(void)state;
	struct bm_config_migration old = make_migration(), now = make_migration();
	json_t *was = bm_definition_create(&old);

	now.copy_jobs = 9;
	now.copy_max_rate = 5000000;
	json_t *faster = bm_definition_create(&now);
	now.source.host = "c";
	json_t *other = bm_definition_create(&now);
	assert_true(bm_definition_is_same_but_copy(was, was));
	assert_true(bm_definition_is_same_but_copy(was, faster));
	assert_false(bm_definition_is_same_but_copy(was, other));
	assert_int_equal(json_object_size(json_object_get(was, "copy")), 3); /* untouched */
	json_decref(was);
	json_decref(faster);
	json_decref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_every_event_of_a_worker_is_understood),
			cmocka_unit_test(test_progress_may_say_what_is_in_flight),
			cmocka_unit_test(test_a_line_that_makes_no_sense_is_refused),
			cmocka_unit_test(test_a_request_is_what_the_protocol_says),
			cmocka_unit_test(
					test_a_definition_of_an_older_journal_gets_the_names_of_today),
			cmocka_unit_test(
					test_only_the_copy_may_change_once_data_depends_on_a_definition),
			cmocka_unit_test(
					test_another_copy_alone_is_told_from_another_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
