/* How long the rest takes, by kind of work and by what was measured so far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bucardo_machine/macros.h"
#include "worker/rate/estimate.h"

#define GB ((uint64_t)1000000000)
#define SECOND 1000.0
#define MINUTE (60 * SECOND)
#define MOST 16

static struct bm_estimate_item items[MOST];
static struct bm_estimate estimate;

static void begin(unsigned jobs)
{
	memset(items, 0, sizeof(items));
	estimate = (struct bm_estimate){.jobs = jobs, .tables = 4, .items = items};
}

static struct bm_estimate_item *add(enum bm_kind kind, double nominal_msec)
{
	struct bm_estimate_item *item = &items[estimate.count++];

	*item = (struct bm_estimate_item){
			.kind = kind, .nominal_msec = nominal_msec, .holds = {-1, -1}};
	return item;
}

/* One under way that has told how far it is, just now. */
static struct bm_estimate_item *add_reported(
		enum bm_kind kind, double nominal_msec, double part, double spent_msec)
{
	struct bm_estimate_item *item = add(kind, nominal_msec);

	item->running = true;
	item->part = part;
	item->spent_msec = item->reported_msec = spent_msec;
	return item;
}

static void measured(enum bm_kind kind, double msec, double nominal_msec)
{
	estimate.measured[kind] = (struct bm_effort){msec, nominal_msec};
}

static void assert_left(double wanted_msec)
{
	double left = bm_estimate_left(&estimate);

	if (left < wanted_msec / 1.1 || left > wanted_msec * 1.1) {
		fail_msg("%.1f s instead of about %.1f s", left / SECOND, wanted_msec / SECOND);
	}
}

static void test_nothing_is_said_before_anything_was_measured(void **state)
{
	(void)state;

	begin(2);
	assert_int_equal(bm_estimate_left(&estimate), 0); /* nothing is left */
	add(BM_KIND_BTREE, 10 * SECOND);
	assert_int_equal(bm_estimate_left(&estimate), -1);
	struct bm_estimate_item *gin = add_reported(BM_KIND_GIN, MINUTE, 0, 10 * SECOND);
	assert_int_equal(bm_estimate_left(&estimate), -1); /* it stands where it began */
	gin->part = 0.001;
	gin->reported_msec = 300;
	assert_int_equal(bm_estimate_left(&estimate), -1); /* that was but a moment */
	gin->reported_msec = 10 * SECOND;
	assert_true(bm_estimate_left(&estimate) > 0);
}

static void test_a_kind_that_was_not_measured_is_as_slow_as_the_host_is(void **state)
{
	(void)state;

	begin(1);
	measured(BM_KIND_BTREE, 30 * SECOND, 10 * SECOND);
	add(BM_KIND_BTREE, 10 * SECOND);
	assert_left(30 * SECOND);
	add(BM_KIND_FOREIGN, 4 * SECOND)->stage = 1;
	assert_left(42 * SECOND);
}

static void test_what_was_measured_of_a_kind_beats_the_table_and_other_kinds(void **state)
{
	(void)state;

	begin(1);
	measured(BM_KIND_BTREE, 100 * SECOND, 100 * SECOND);
	measured(BM_KIND_GIN, 300 * SECOND, 30 * SECOND);
	add(BM_KIND_GIN, 6 * SECOND);
	assert_left(60 * SECOND);
}

/* The case gin_eta: days were promised at 73 %, when all was done but the slowest index. */
static void test_one_slow_index_is_estimated_by_its_own_ratio(void **state)
{
	(void)state;

	begin(2);
	measured(BM_KIND_BTREE, 20 * SECOND, 20 * SECOND);
	struct bm_estimate_item *gin = add_reported(
			BM_KIND_GIN, 80 * SECOND, 0.25, 100 * SECOND);
	assert_left(300 * SECOND);
	/* It stands still meanwhile, as one does that writes what it has gathered. */
	for (int seconds = 100; seconds < 3600; seconds += 10) {
		gin->spent_msec = seconds * SECOND;
		double left = bm_estimate_left(&estimate);
		assert_true(left >= 0 && left < 15 * MINUTE);
	}
}

static void test_what_tells_nothing_is_late_and_never_endless(void **state)
{
	(void)state;

	begin(1);
	measured(BM_KIND_BTREE, 10 * SECOND, 10 * SECOND);
	struct bm_estimate_item *key = add(BM_KIND_FOREIGN, 10 * SECOND);
	key->running = true;
	key->spent_msec = 4 * SECOND;
	assert_left(6 * SECOND);
	key->spent_msec = 40 * SECOND;
	assert_left(10 * SECOND);
	/* And the next of that kind will be late as well. */
	add(BM_KIND_FOREIGN, 10 * SECOND);
	assert_left(60 * SECOND);
}

static void test_so_many_run_at_once_and_stages_one_after_the_other(void **state)
{
	(void)state;

	begin(2);
	measured(BM_KIND_BTREE, 100 * SECOND, 100 * SECOND);
	for (int i = 0; i < 4; i++) {
		add(BM_KIND_BTREE, 10 * SECOND);
	}
	assert_left(20 * SECOND);
	add(BM_KIND_BTREE,
			30 * SECOND); /* the longest first: 30, and 10 four times beside it */
	assert_left(40 * SECOND);
	add(BM_KIND_FOREIGN, 5 * SECOND)->stage = 4;
	add(BM_KIND_FOREIGN, 5 * SECOND)->stage = 4;
	assert_left(45 * SECOND);
	add(BM_KIND_SMALL, 5 * SECOND)->stage = 5;
	items[estimate.count - 1].apart = true;
	add(BM_KIND_SMALL, 5 * SECOND)->stage = 5;
	items[estimate.count - 1].apart = true;
	assert_left(55 * SECOND);
}

static void test_two_that_hold_one_table_wait_for_each_other(void **state)
{
	(void)state;

	begin(4);
	measured(BM_KIND_BTREE, 100 * SECOND, 100 * SECOND);
	for (int i = 0; i < 4; i++) {
		struct bm_estimate_item *item = add(BM_KIND_FOREIGN, 10 * SECOND);
		item->holds[0] = i;
		item->holds[1] = 0;
	}
	assert_left(40 * SECOND);
}

/* Whatever the ratios: halfway through, the other half is left, within a factor of 1.5. */
static void test_every_kind_on_every_host_is_told_within_a_factor(void **state)
{
	(void)state;
	static const double slow[] = {0.1, 1, 7, 100};

	for (enum bm_kind kind = 0; kind < BM_KIND_COUNT; kind++) {
		for (size_t i = 0; i < BM_COUNT_OF(slow); i++) {
			begin(1);
			add_reported(kind, 100 * SECOND, 0.5, 50 * SECOND * slow[i]);
			measured(kind, 100 * SECOND * slow[i], 100 * SECOND);
			add(kind, 50 * SECOND);
			assert_left(100 * SECOND * slow[i]);
		}
	}
}

/* ---- kinds ---- */

static void test_the_kind_of_an_object_is_read_from_its_statement(void **state)
{
	(void)state;
	static const struct {
		const char *name, *sql;
		enum bm_kind kind;
	} cases[] = {
			{"INDEX public.a", "CREATE INDEX a ON public.t USING btree (b);",
					BM_KIND_BTREE},
			{"INDEX public.a",
					"CREATE INDEX a ON public.t USING gin (b public.gin_trgm_ops);",
					BM_KIND_GIN},
			{"INDEX public.a USING gin ",
					"CREATE INDEX \"a USING gin \" ON public.t USING brin (b);",
					BM_KIND_BRIN},
			{"INDEX public.a", "CREATE INDEX a ON public.t USING hnsw (b);",
					BM_KIND_INDEX},
			{"INDEX public.a", "CREATE INDEX a ON public.t\n  USING hash (b);",
					BM_KIND_HASH},
			{"CONSTRAINT public.t t_pkey",
					"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);",
					BM_KIND_BTREE},
			{"CONSTRAINT public.t t_pkey",
					"ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY USING "
					"INDEX t_pkey;",
					BM_KIND_SMALL},
			{"CONSTRAINT public.t t_x",
					"ALTER TABLE ONLY public.t ADD CONSTRAINT t_x EXCLUDE USING gist "
					"(r WITH &&);",
					BM_KIND_GIST},
			{"FK CONSTRAINT public.t t_u",
					"ALTER TABLE ONLY public.t ADD CONSTRAINT t_u FOREIGN KEY (u) "
					"REFERENCES public.u(id);",
					BM_KIND_FOREIGN},
			{"FK CONSTRAINT public.t t_u",
					"ALTER TABLE public.t ADD CONSTRAINT t_u FOREIGN KEY (u) REFERENCES "
					"public.u(id) NOT VALID;",
					BM_KIND_SMALL},
			{"CHECK CONSTRAINT public.t c", "ALTER TABLE public.t ...",
					BM_KIND_SMALL},
			{"INDEX ATTACH public.a",
					"ALTER INDEX public.p ATTACH PARTITION public.a;",
					BM_KIND_SMALL},
			{"REFRESH \"public\".\"m\"",
					"REFRESH MATERIALIZED VIEW \"public\".\"m\";",
					BM_KIND_REFRESH},
			{"ANALYZE \"public\".\"t\"", "ANALYZE \"public\".\"t\";",
					BM_KIND_ANALYZE},
			{"TRIGGER public.t a", "CREATE TRIGGER a ...", BM_KIND_SMALL},
	};

	for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
		if (bm_kind_of(cases[i].name, cases[i].sql) != cases[i].kind) {
			fail_msg("%s: kind %d", cases[i].sql,
					bm_kind_of(cases[i].name, cases[i].sql));
		}
	}
}

static void test_every_kind_has_a_price_and_a_slow_one_a_high_one(void **state)
{
	(void)state;
	static const struct bm_kind_size nothing = {0}, big = {1000000, GB, GB / 10};

	for (enum bm_kind kind = 0; kind < BM_KIND_COUNT; kind++) {
		assert_true(bm_kind_msec(kind, &nothing) > 0);
		assert_true(bm_kind_msec(kind, &big) < 10 * MINUTE);
		assert_true(bm_kind_doubt(kind) >= 0 && bm_kind_doubt(kind) <= 1);
	}
	assert_true(bm_kind_trigger_msec(big.rows) > bm_kind_msec(BM_KIND_COPY, &nothing));
	assert_true(bm_kind_msec(BM_KIND_GIN, &big) > 5 * bm_kind_msec(BM_KIND_BTREE, &big));
	/* Statistics are a sample, of whatever size the table is. */
	static const struct bm_kind_size huge = {0, 1000 * GB, 0};
	assert_true(bm_kind_msec(BM_KIND_ANALYZE, &huge) < 2 * SECOND);
}

static void test_a_build_is_as_far_as_its_time_and_not_as_its_blocks(void **state)
{
	(void)state;
	struct bm_kind_progress gin, text, number;

	assert_true(bm_kind_progress(BM_KIND_GIN, "building index", 0.5, 0, &gin));
	assert_true(gin.part > 0.15 && gin.part < 0.35);
	assert_true(bm_kind_progress(
			BM_KIND_BTREE_TEXT, "building index: scanning table", 1, 0, &text));
	assert_true(bm_kind_progress(
			BM_KIND_BTREE, "building index: scanning table", 1, 0, &number));
	assert_true(text.part < number.part);
	assert_string_equal(number.step, "reading the table");
	assert_true(bm_kind_progress(BM_KIND_BTREE, "building index: loading tuples in tree", 0,
			1, &number));
	assert_true(number.part >= 0.99);
	assert_false(bm_kind_progress(BM_KIND_BTREE, "waiting for writers", 0, 0, &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_nothing_is_said_before_anything_was_measured),
			cmocka_unit_test(
					test_a_kind_that_was_not_measured_is_as_slow_as_the_host_is),
			cmocka_unit_test(
					test_what_was_measured_of_a_kind_beats_the_table_and_other_kinds),
			cmocka_unit_test(test_one_slow_index_is_estimated_by_its_own_ratio),
			cmocka_unit_test(test_what_tells_nothing_is_late_and_never_endless),
			cmocka_unit_test(
					test_so_many_run_at_once_and_stages_one_after_the_other),
			cmocka_unit_test(test_two_that_hold_one_table_wait_for_each_other),
			cmocka_unit_test(test_every_kind_on_every_host_is_told_within_a_factor),
			cmocka_unit_test(test_the_kind_of_an_object_is_read_from_its_statement),
			cmocka_unit_test(test_every_kind_has_a_price_and_a_slow_one_a_high_one),
			cmocka_unit_test(
					test_a_build_is_as_far_as_its_time_and_not_as_its_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
