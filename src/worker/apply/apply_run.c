#include "worker/apply/apply_run.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bucardo_machine/clock.h"
#include "worker/apply/apply.h"
#include "worker/session/serve.h"

struct wish {
	enum bm_side from, to;
	json_int_t passes;
	uint64_t limit_msec;
	bool compares, is_callers, rolls_back;
};

static void take_wish(const struct bm_phase *phase, struct wish *out)
{
	const json_t *apply = json_object_get(phase->request.root, "apply");
	const char *from = json_string_value(json_object_get(apply, "from"));
	json_int_t limit_msec = json_integer_value(json_object_get(apply, "limit_msec"));
	bool is_back = from != NULL && strcmp(from, "destination") == 0;

	*out = (struct wish){.from = is_back ? BM_SIDE_DESTINATION : BM_SIDE_SOURCE,
			.to = is_back ? BM_SIDE_SOURCE : BM_SIDE_DESTINATION,
			.passes = json_integer_value(json_object_get(apply, "passes")),
			.limit_msec = limit_msec > 0 ? (uint64_t)limit_msec : 60000,
			.compares = json_is_true(json_object_get(apply, "compare")),
			.is_callers = json_is_true(json_object_get(apply, "callers")),
			.rolls_back = json_is_true(json_object_get(apply, "rollback"))};
}

static int one_pass(struct bm_phase *phase, struct bm_apply *apply, const struct wish *wish,
		struct bm_apply_result *result, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (!wish->is_callers) {
		return bm_apply_pass(apply, wish->limit_msec, result, err);
	}
	if (bm_phase_do(phase, wish->from, "BEGIN", 0, NULL, err) != 0) {
		return -1;
	}
	int rc = bm_apply_pass(apply, wish->limit_msec, result, err);
	if (rc == 0) {
		return bm_phase_do(phase, wish->from, wish->rolls_back ? "ROLLBACK" : "COMMIT",
				0, NULL, err);
	}
	bm_phase_do(phase, wish->from, "ROLLBACK", 0, NULL, &ignored);
	return rc;
}

static int compare(struct bm_phase *phase, struct bm_apply *apply, const struct wish *wish,
		struct bm_error *err)
{
	char *difference;
	uint64_t begun = bm_clock_msec();
	int rc = bm_apply_compare(apply, wish->limit_msec, &difference, err);

	if (rc == 0) {
		json_object_set_new(phase->evidence, "difference",
				difference != NULL ? json_string(difference) : json_null());
		json_object_set_new(phase->evidence, "compare_msec",
				json_integer((json_int_t)(bm_clock_msec() - begun)));
		free(difference);
	}
	return rc;
}

static void report_usage(struct bm_phase *phase)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	json_object_set_new(phase->evidence, "cpu_msec",
			json_integer((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
					(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
							1000));
	json_object_set_new(phase->evidence, "memory_kb", json_integer(usage.ru_maxrss));
}

static int run_passes(struct bm_phase *phase, struct bm_apply *apply, const struct wish *wish,
		struct bm_error *err)
{
	json_t *passes = json_array();
	bool is_empty = false;
	int rc = 0;

	json_object_set_new(phase->evidence, "passes", passes);
	for (json_int_t i = 0; rc == 0 && (wish->passes == 0 ? !is_empty : i < wish->passes);
			i++) {
		struct bm_apply_result result = {0};
		rc = one_pass(phase, apply, wish, &result, err);
		is_empty = result.keys == 0;
		json_array_append_new(passes,
				json_pack("{s:I, s:I, s:I, s:I, s:i}", "keys",
						(json_int_t)result.keys, "rows",
						(json_int_t)result.rows, "deleted",
						(json_int_t)result.deleted, "msec",
						(json_int_t)result.msec, "tables",
						(int)result.tables));
	}
	return rc;
}

static int run(struct bm_phase *phase, struct bm_error *err)
{
	struct wish wish;

	take_wish(phase, &wish);
	uint64_t begun = bm_clock_msec();
	PGconn *from = bm_phase_conn(phase, wish.from, err);
	PGconn *to = from != NULL ? bm_phase_conn(phase, wish.to, err) : NULL;
	struct bm_apply *apply = to != NULL
			? bm_apply_create(from, to, phase->request.name, wish.from, err)
			: NULL;
	if (apply == NULL) {
		return -1;
	}
	PGconn *control = bm_phase_conn(phase, BM_SIDE_CONTROL, err);
	if (control == NULL || bm_apply_read_control(apply, control, err) != 0) {
		bm_apply_destroy(apply);
		return -1;
	}
	json_object_set_new(phase->evidence, "prepare_msec",
			json_integer((json_int_t)(bm_clock_msec() - begun)));
	int rc = run_passes(phase, apply, &wish, err);
	if (rc == 0 && wish.compares) {
		rc = compare(phase, apply, &wish, err);
	}
	report_usage(phase);
	bm_apply_destroy(apply);
	return rc;
}

int bm_apply_worker(void)
{
	return bm_phase_serve("apply", true, run);
}
