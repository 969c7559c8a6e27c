/* A sync is served when its controller lives, whatever the tables and the last run say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/bucardo/internal.h"
#include "bucardo_machine/clock.h"

#define SECOND 1000

static char name[] = "app_sync";

/* A master that got ready a minute ago, and one sync that is meant to be applied. */
struct scene {
	struct bm_bucardo bucardo;
	struct evaluated_sync sync;
	struct children_member controller;
	uint64_t now;
};

static void set(struct scene *scene)
{
	uint64_t now = 1000 * SECOND;

	*scene = (struct scene){.now = now};
	scene->bucardo.slowness = 1;
	scene->bucardo.daemon.phase = DAEMON_RUNNING;
	scene->bucardo.daemon.begun_msec = now - 70 * SECOND;
	scene->bucardo.daemon.ready_msec = now - 60 * SECOND;
	scene->sync = (struct evaluated_sync){.name = name,
			.active = true,
			.autokick = true,
			.reachable = true,
			.active_msec = now - 5 * SECOND};
	scene->controller = (struct children_member){
			.role = BUCARDO_CTL, .watch = (struct bm_pidfd_watch *)scene};
	snprintf(scene->controller.sync, sizeof(scene->controller.sync), "%s", name);
}

static struct bm_sync_view show(struct scene *scene, enum bm_health health)
{
	struct bm_sync_view view = {.health = health, .why = "", .advice = ""};

	served_show(&scene->bucardo, &scene->sync, &view, scene->now);
	return view;
}

static void test_one_with_a_controller_is_what_it_is(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.bucardo.children.members = &scene.controller;
	assert_int_equal(show(&scene, BM_HEALTH_IDLE).health, BM_HEALTH_IDLE);
}

static void test_one_without_a_controller_is_not_idle(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	struct bm_sync_view view = show(&scene, BM_HEALTH_IDLE);
	assert_int_equal(view.health, BM_HEALTH_STARTING);
	assert_true(view.why[0] != '\0');
	assert_false(view.is_overdue);
	scene.now += 60 * SECOND;
	assert_true(show(&scene, BM_HEALTH_IDLE).is_overdue);
}

static void test_one_that_waits_for_its_turn_is_not_overdue(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.bucardo.master.queue = 7;
	for (int i = 0; i < 100; i++) {
		scene.now += 10 * SECOND;
		scene.bucardo.master.sign_msec = scene.now;
		assert_false(show(&scene, BM_HEALTH_IDLE).is_overdue);
	}
	/* The master is silent and uses no processor time. */
	scene.now += 60 * SECOND;
	assert_true(show(&scene, BM_HEALTH_IDLE).is_overdue);
}

static void test_a_controller_may_be_replaced_before_that_is_news(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.sync.served_msec = scene.now - 3 * SECOND;
	assert_int_equal(show(&scene, BM_HEALTH_RUNNING).health, BM_HEALTH_RUNNING);
	scene.now += 20 * SECOND;
	assert_int_equal(show(&scene, BM_HEALTH_RUNNING).health, BM_HEALTH_STARTING);
	assert_true(show(&scene, BM_HEALTH_RUNNING).is_overdue);
	/* On a slow host it takes longer. */
	scene.bucardo.slowness = 5;
	assert_int_equal(show(&scene, BM_HEALTH_RUNNING).health, BM_HEALTH_RUNNING);
}

static void test_what_an_earlier_master_served_does_not_count(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.sync.served_msec = scene.bucardo.daemon.begun_msec - 1;
	assert_int_equal(show(&scene, BM_HEALTH_IDLE).health, BM_HEALTH_STARTING);
}

static void test_one_that_the_master_cannot_validate_is_no_news_to_wait_for(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.bucardo.evaluation.syncs = &scene.sync;
	scene.bucardo.evaluation.count = 1;
	served_receive(&scene.bucardo,
			"(7) [1] MCP Connection failed: DBI connect('dbname=a;host=b','u',...) failed: "
			"FATAL:  password authentication failed for user \"u\" at -e line 7.");
	served_receive(&scene.bucardo, "(7) [1] MCP Validation of sync app_sync FAILED");
	scene.bucardo.daemon.begun_msec =
			scene.sync.refused_msec; /* real time, as the note is */
	struct bm_sync_view view = show(&scene, BM_HEALTH_IDLE);
	assert_int_equal(view.health, BM_HEALTH_STARTING);
	assert_true(view.is_overdue);
	assert_string_equal(view.why,
			"Bucardo cannot begin with it, nothing is applied: "
			"FATAL:  password authentication failed for user \"u\"");
	/* Another sync's, and what another master said. */
	served_receive(&scene.bucardo, "(7) [1] MCP Validation of sync other FAILED");
	scene.bucardo.daemon.begun_msec++;
	assert_false(show(&scene, BM_HEALTH_IDLE).is_overdue);
	/* One that was served until then is not only being replaced. */
	scene.sync.served_msec = scene.sync.refused_msec - 1;
	scene.bucardo.daemon.begun_msec = scene.sync.refused_msec - SECOND;
	scene.now = scene.sync.refused_msec;
	assert_true(show(&scene, BM_HEALTH_IDLE).is_overdue);
}

static void test_who_has_a_reason_of_its_own_keeps_it(void **state)
{
	static const enum bm_health own[] = {BM_HEALTH_BLOCKED, BM_HEALTH_UNREACHABLE,
			BM_HEALTH_FAILING, BM_HEALTH_STALLED, BM_HEALTH_STOPPED};
	struct scene scene;

	(void)state;
	set(&scene);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		assert_int_equal(show(&scene, own[i]).health, own[i]);
	}
	scene.sync.autokick = false; /* nobody wants it to run yet */
	assert_int_equal(show(&scene, BM_HEALTH_IDLE).health, BM_HEALTH_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_one_with_a_controller_is_what_it_is),
			cmocka_unit_test(test_one_without_a_controller_is_not_idle),
			cmocka_unit_test(test_one_that_waits_for_its_turn_is_not_overdue),
			cmocka_unit_test(test_a_controller_may_be_replaced_before_that_is_news),
			cmocka_unit_test(test_what_an_earlier_master_served_does_not_count),
			cmocka_unit_test(
					test_one_that_the_master_cannot_validate_is_no_news_to_wait_for),
			cmocka_unit_test(test_who_has_a_reason_of_its_own_keeps_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
