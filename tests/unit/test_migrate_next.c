/* The table of phases, and the pure function that names the next step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "daemon/migrate/next.h"

#define NOW 1000000

/* A world in which nothing is in the way and nothing was begun. */
struct world {
	struct bm_next_record records[BM_PHASE_COUNT];
	struct bm_next_input in;
};

static void make_world(struct world *w)
{
	*w = (struct world){.in = {.allowed = true,
					    .journal_known = true,
					    .journal_clean = true,
					    .configured = true,
					    .until = BM_PHASE_COUNT - 1,
					    .worker = BM_PHASE_COUNT,
					    .now_msec = NOW}};
}

/* A world in which all phases before `phase` are done. */
static void make_world_in(struct world *w, enum bm_phase phase)
{
	make_world(w);
	for (enum bm_phase p = 0; p < phase; p++) {
		w->records[p].state = BM_RECORD_DONE;
	}
}

static struct bm_next next(struct world *w)
{
	w->in.records = w->records;
	return bm_migrate_next(&w->in);
}

static void assert_next(struct world *w, enum bm_next_step step, enum bm_phase phase,
		enum bm_migration_status status)
{
	struct bm_next got = next(w);

	assert_int_equal(got.step, step);
	assert_int_equal(got.phase, phase);
	assert_int_equal(got.status, status);
}

static void test_every_phase_needs_earlier_ones_only_and_says_what_it_does(void **state)
{
	(void)state;

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		const struct bm_phase_row *row = bm_phase_row(phase);
		assert_int_equal(row->needs >> phase, 0);
		assert_true(phase == 0 || row->needs != 0);
		assert_true(strlen(row->comment) > 20);
		assert_string_equal(row->comment, bm_phase_comment(phase));
		assert_true(strlen(row->unit) > 2);
		assert_non_null(row->worker);
		assert_true(strlen(row->detect) > 10);
		assert_true(strlen(row->cancel) >= strlen("nothing"));
		assert_non_null(row->undo);
		assert_string_equal(row->undo, bm_phase_undo(phase));
		/* Up to here the source stays in charge; what comes later must say so here. */
		assert_true(row->reversible);
		assert_true(row->undo[0] != '\0' || phase == BM_PHASE_PREFLIGHT);
	}
}

static void test_phases_that_cannot_be_begun_have_a_place_and_no_worker(void **state)
{
	(void)state;
	enum bm_phase parsed;

	for (enum bm_phase phase = BM_PHASE_COUNT; phase < BM_PHASE_PLACES; phase++) {
		const struct bm_phase_row *row = bm_phase_row(phase);
		assert_int_equal(row->needs >> phase, 0);
		assert_true(strlen(row->comment) > 20);
		if (phase == BM_PHASE_TEARDOWN) {
			/* Nothing leads to it: a person asks for it, at any point. */
			assert_int_equal(row->needs, 0);
			assert_non_null(row->worker);
			assert_false(bm_phase_parse(bm_phase_name(phase), &parsed));
			continue;
		}
		if (phase == BM_PHASE_CUTOVER || phase == BM_PHASE_FAILBACK) {
			/* A person asks for it, while it replicates; it is no `--until`. */
			assert_int_equal(row->needs, 1U << BM_PHASE_REPLICATE);
			assert_non_null(row->worker);
			assert_false(row->reversible);
			assert_false(bm_phase_parse(bm_phase_name(phase), &parsed));
			continue;
		}
		assert_true(row->needs != 0);
		assert_null(row->worker);
		assert_true((row->beside != NULL) == (phase == BM_PHASE_VERIFY));
		assert_null(row->detect);
		assert_null(row->cancel);
		assert_true(bm_phase_is_asked_for(bm_phase_name(phase)));
		assert_false(bm_phase_parse(bm_phase_name(phase), &parsed));
	}
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		assert_false(bm_phase_is_asked_for(bm_phase_name(phase)));
		assert_true(bm_phase_parse(bm_phase_name(phase), &parsed));
		assert_int_equal(parsed, phase);
	}
	assert_string_equal(bm_phase_name(BM_PHASE_VERIFY), "verify");
	assert_string_equal(bm_phase_name(BM_PHASE_TEARDOWN), "teardown");
	assert_string_equal(bm_phase_name(BM_PHASE_PLACES), "unknown");
}

static void test_a_migration_that_always_succeeds_passes_every_phase_in_order(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		assert_next(&w, BM_STEP_BEGIN, phase, BM_MIGRATION_RUNNING);
		w.records[phase].state = BM_RECORD_BEGUN;
		assert_next(&w, BM_STEP_SPAWN, phase, BM_MIGRATION_RUNNING);
		w.in.worker = phase;
		assert_next(&w, BM_STEP_WAIT, phase, BM_MIGRATION_RUNNING);
		w.records[phase].state = BM_RECORD_DONE;
		w.in.worker = BM_PHASE_COUNT;
	}
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_COUNT, BM_MIGRATION_DONE);
}

static void test_every_failure_in_every_phase_has_a_way_on(void **state)
{
	(void)state;
	struct world w;

	for (enum bm_phase phase = 0; phase < BM_PHASE_COUNT; phase++) {
		for (enum bm_failure f = 0; f < BM_FAILURE_COUNT; f++) {
			bool waits = f == BM_FAILURE_TRANSIENT;
			make_world_in(&w, phase);
			w.records[phase] = (struct bm_next_record){
					BM_RECORD_FAILED, f, NOW + 1};
			assert_next(&w, BM_STEP_WAIT, phase,
					waits ? BM_MIGRATION_WAITING : BM_MIGRATION_FAILED);
			w.in.now_msec = NOW + 1;
			assert_next(&w, f == BM_FAILURE_INTERNAL ? BM_STEP_WAIT : BM_STEP_BEGIN,
					phase,
					f == BM_FAILURE_INTERNAL ? BM_MIGRATION_FAILED
								 : BM_MIGRATION_RUNNING);
			w.records[phase].state = BM_RECORD_BEGUN; /* `resume` does this */
			assert_next(&w, BM_STEP_SPAWN, phase, BM_MIGRATION_RUNNING);
		}
	}
}

static void test_nothing_begins_before_the_journal_is_read_and_written(void **state)
{
	(void)state;
	struct world w;

	make_world(&w);
	w.in.journal_known = false;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_PREFLIGHT, BM_MIGRATION_WAITING);
	make_world(&w);
	w.in.journal_clean = false;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_PREFLIGHT, BM_MIGRATION_WAITING);
	w.records[0].state = BM_RECORD_BEGUN;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_PREFLIGHT, BM_MIGRATION_WAITING);
	make_world(&w);
	w.in.allowed = false;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_PREFLIGHT, BM_MIGRATION_WAITING);
}

static void test_a_worker_outlives_a_restart_of_the_control_database(void **state)
{
	(void)state;
	struct world w;

	make_world_in(&w, BM_PHASE_COPY);
	w.records[BM_PHASE_COPY].state = BM_RECORD_BEGUN;
	w.in.worker = BM_PHASE_COPY;
	w.in.allowed = w.in.journal_clean = false;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_COPY, BM_MIGRATION_RUNNING);
}

static void test_run_until_ends_before_the_next_phase(void **state)
{
	(void)state;
	struct world w;

	for (enum bm_phase until = 0; until + 1 < BM_PHASE_COUNT; until++) {
		make_world_in(&w, until);
		w.in.until = until;
		assert_next(&w, BM_STEP_BEGIN, until, BM_MIGRATION_RUNNING);
		w.records[until].state = BM_RECORD_DONE;
		assert_next(&w, BM_STEP_WAIT, until + 1, BM_MIGRATION_DONE);
	}
}

static void test_what_keeps_a_migration_back_ends_its_worker(void **state)
{
	(void)state;
	struct world w;

	make_world_in(&w, BM_PHASE_COPY);
	w.records[BM_PHASE_COPY].state = BM_RECORD_BEGUN;
	w.in.worker = BM_PHASE_COPY;
	w.in.paused = true;
	assert_next(&w, BM_STEP_CANCEL, BM_PHASE_COPY, BM_MIGRATION_PAUSED);
	w.in.paused = false;
	w.in.refused = true;
	assert_next(&w, BM_STEP_CANCEL, BM_PHASE_COPY, BM_MIGRATION_FAILED);
	w.in.refused = false;
	w.in.configured = false;
	assert_next(&w, BM_STEP_CANCEL, BM_PHASE_COPY, BM_MIGRATION_PAUSED);
	/* One that replicates goes on, and that is what is said. */
	struct world live;
	make_world_in(&live, BM_PHASE_COUNT);
	live.in.configured = false;
	assert_next(&live, BM_STEP_WAIT, BM_PHASE_COUNT, BM_MIGRATION_DONE);
	w.in.configured = true;
	w.in.until = BM_PHASE_SCHEMA;
	assert_next(&w, BM_STEP_CANCEL, BM_PHASE_COPY, BM_MIGRATION_DONE);
	w.in.until = BM_PHASE_COPY;
	assert_next(&w, BM_STEP_WAIT, BM_PHASE_COPY, BM_MIGRATION_RUNNING);
	w.in.worker = BM_PHASE_SCHEMA; /* of a phase that is over */
	assert_next(&w, BM_STEP_CANCEL, BM_PHASE_COPY, BM_MIGRATION_RUNNING);
}

static void test_a_teardown_comes_before_everything_and_is_never_taken_back(void **state)
{
	(void)state;

	for (size_t kind = 0; kind < 16; kind++) {
		struct world w;
		struct bm_next_record teardown = {.state = BM_RECORD_PENDING};
		make_world_in(&w, BM_PHASE_COPY);
		w.in.teardown = &teardown;
		w.in.paused = (kind & 1) != 0;
		w.in.refused = (kind & 2) != 0;
		w.in.configured = (kind & 4) == 0;
		w.in.until = (kind & 8) != 0 ? BM_PHASE_PREFLIGHT : BM_PHASE_REPLICATE;
		assert_next(&w, BM_STEP_BEGIN, BM_PHASE_TEARDOWN, BM_MIGRATION_RUNNING);
		teardown.state = BM_RECORD_BEGUN;
		assert_next(&w, BM_STEP_SPAWN, BM_PHASE_TEARDOWN, BM_MIGRATION_RUNNING);
		w.in.worker = BM_PHASE_COPY; /* what was under way ends first */
		assert_next(&w, BM_STEP_CANCEL, BM_PHASE_TEARDOWN, BM_MIGRATION_RUNNING);
		w.in.worker = BM_PHASE_TEARDOWN;
		assert_next(&w, BM_STEP_WAIT, BM_PHASE_TEARDOWN, BM_MIGRATION_RUNNING);
		w.in.worker = BM_PHASE_COUNT;
		teardown = (struct bm_next_record){
				BM_RECORD_FAILED, BM_FAILURE_OPERATOR, NOW + 5};
		assert_next(&w, BM_STEP_WAIT, BM_PHASE_TEARDOWN, BM_MIGRATION_FAILED);
		w.in.now_msec = NOW + 5;
		assert_next(&w, BM_STEP_BEGIN, BM_PHASE_TEARDOWN, BM_MIGRATION_RUNNING);
		teardown.state = BM_RECORD_DONE;
		assert_next(&w, BM_STEP_WAIT, BM_PHASE_TEARDOWN, BM_MIGRATION_DONE);
	}
}

/* Whatever else is wished: in the midst of it no side may be writable. */
static void test_a_change_of_sides_is_ended_whatever_else_is_wished(void **state)
{
	struct world w;

	(void)state;
	for (enum bm_phase phase = BM_PHASE_CUTOVER; phase <= BM_PHASE_FAILBACK; phase++) {
		struct bm_next_record change = {.state = BM_RECORD_PENDING};
		make_world_in(&w, BM_PHASE_COUNT);
		w.in.changing = &change;
		w.in.change = phase;
		w.in.journal_clean = false;
		assert_next(&w, BM_STEP_WAIT, phase, BM_MIGRATION_WAITING);
		w.in.journal_clean = true;
		assert_next(&w, BM_STEP_BEGIN, phase, BM_MIGRATION_RUNNING);
		change.state = BM_RECORD_BEGUN;
		assert_next(&w, BM_STEP_SPAWN, phase, BM_MIGRATION_RUNNING);
		w.in.paused = w.in.refused = true;
		w.in.configured = false;
		assert_next(&w, BM_STEP_SPAWN, phase, BM_MIGRATION_RUNNING);
		w.in.worker = phase;
		w.in.allowed = w.in.journal_clean = false;
		assert_next(&w, BM_STEP_WAIT, phase, BM_MIGRATION_RUNNING);
		w.in.worker = BM_PHASE_COUNT;
		w.in.allowed = w.in.journal_clean = true;
		change = (struct bm_next_record){.state = BM_RECORD_FAILED,
				.failure = BM_FAILURE_TRANSIENT,
				.retry_at_msec = NOW + 1};
		assert_next(&w, BM_STEP_WAIT, phase, BM_MIGRATION_WAITING);
		change.retry_at_msec = NOW;
		assert_next(&w, BM_STEP_BEGIN, phase, BM_MIGRATION_RUNNING);
		/* Once it is over the migration replicates. */
		w.in.changing = NULL;
		w.in.paused = w.in.refused = false;
		w.in.configured = true;
		assert_next(&w, BM_STEP_WAIT, BM_PHASE_COUNT, BM_MIGRATION_DONE);
	}
}

static void test_pauses_between_tries_grow_and_have_a_limit(void **state)
{
	(void)state;
	uint64_t last = 0;

	for (unsigned attempt = 1; attempt < 100; attempt++) {
		uint64_t pause = bm_failure_pause_msec(BM_FAILURE_TRANSIENT, attempt);
		assert_true(pause >= last && pause >= 1000 && pause <= 60000);
		last = pause;
	}
	assert_int_equal(bm_failure_pause_msec(BM_FAILURE_TRANSIENT, 1), 1000);
	assert_int_equal(bm_failure_pause_msec(BM_FAILURE_TRANSIENT, 2), 2000);
	assert_int_equal(last, 60000);
	assert_int_equal(bm_failure_pause_msec(BM_FAILURE_OPERATOR, 50), 30000);
	assert_true(bm_failure_pause_msec(BM_FAILURE_INTERNAL, 1) == UINT64_MAX);
}

/* Whatever the world, the answer is one that can be carried out. */
static void test_no_world_gets_an_answer_that_makes_no_sense(void **state)
{
	(void)state;

	for (unsigned bits = 0; bits < 1U << 6; bits++) {
		for (unsigned n = 0; n < 6 * 7 * 7 * 4; n++) {
			struct world w;
			enum bm_phase at = n % 7, worker = n / 7 % 7;
			make_world_in(&w, at);
			w.in.allowed = bits & 1;
			w.in.journal_known = bits & 2;
			w.in.journal_clean = bits & 4;
			w.in.configured = bits & 8;
			w.in.refused = bits & 16;
			w.in.paused = bits & 32;
			w.in.until = n / 49 % 6;
			w.in.worker = worker;
			if (at < BM_PHASE_COUNT) {
				w.records[at] = (struct bm_next_record){
						n / 294 % 4, BM_FAILURE_TRANSIENT, NOW + n % 2};
			}
			struct bm_next got = next(&w);
			if (got.step == BM_STEP_BEGIN || got.step == BM_STEP_SPAWN) {
				assert_true(worker == BM_PHASE_COUNT && w.in.allowed &&
						w.in.journal_known && w.in.journal_clean &&
						w.in.configured && !w.in.refused &&
						!w.in.paused);
				assert_true(got.phase < BM_PHASE_COUNT &&
						got.phase <= w.in.until &&
						w.records[got.phase].state != BM_RECORD_DONE);
			}
			assert_true(got.step != BM_STEP_CANCEL || worker != BM_PHASE_COUNT);
		}
	}
}

#define T(test) cmocka_unit_test(test)

int main(void)
{
	const struct CMUnitTest tests[] = {
			T(test_every_phase_needs_earlier_ones_only_and_says_what_it_does),
			T(test_phases_that_cannot_be_begun_have_a_place_and_no_worker),
			T(test_a_migration_that_always_succeeds_passes_every_phase_in_order),
			T(test_every_failure_in_every_phase_has_a_way_on),
			T(test_nothing_begins_before_the_journal_is_read_and_written),
			T(test_a_worker_outlives_a_restart_of_the_control_database),
			T(test_run_until_ends_before_the_next_phase),
			T(test_what_keeps_a_migration_back_ends_its_worker),
			cmocka_unit_test(
					test_a_teardown_comes_before_everything_and_is_never_taken_back),
			T(test_a_change_of_sides_is_ended_whatever_else_is_wished),
			T(test_pauses_between_tries_grow_and_have_a_limit),
			T(test_no_world_gets_an_answer_that_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
