/*
 * What comes after the rows: the post-data objects of the ledger, stage by stage, each marked
 * done in its own transaction. Small ones share a transaction. One that fails does
 * not hold up the others: it is tried with the path of the source, and once more when
 * all else is there; then it is told, and tried again by the next run.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "worker/schema/failures.h"
#include "worker/rows/make_objects.h"
#include "worker/schema/foreign.h"
#include "worker/transfer/path.h"
#include "worker/transfer/activity_names.h"
#include "worker/transfer/post_data.h"

/* Objects of small tables share a transaction. */
#define SMALL_BYTES ((uint64_t)1 << 20)
#define BATCH_OBJECTS 32

#define WAIT_MSEC 5

/* How often what depends on something that was made later is tried again. */
#define MOST_ATTEMPTS 5

struct building {
	struct bm_transfer *transfer;
	struct bm_running running;
	struct bm_failures failures;
};

struct batch {
	struct bm_post_object *list[BATCH_OBJECTS];
	size_t count;
};

static bool is_small(const struct bm_post_object *object)
{
	return object->cost <= SMALL_BYTES && object->stage != BM_STAGE_REFRESH &&
			!object->with_path;
}

/*
 * Take one object, or several small ones of a stage; those do not get in each other's
 * way, being in one session. False: nothing may run now.
 */
static bool take(struct building *building, struct batch *out, bool *waiting)
{
	struct bm_ledger *ledger = &building->transfer->ledger;
	struct bm_running others = building->running;

	out->count = 0;
	while (out->count < BATCH_OBJECTS &&
			building->running.count < BM_COUNT_OF(building->running.list)) {
		bool more;
		struct bm_post_object *object = bm_post_data_next(ledger->objects,
				ledger->object_count, &others, building->failures.failed,
				&more);
		*waiting = out->count == 0 ? more : *waiting;
		if (object == NULL ||
				(out->count > 0 &&
						(!is_small(object) ||
								object->stage !=
										out->list[0]->stage))) {
			break;
		}
		out->list[out->count++] = object;
		object->running = true;
		building->running.list[building->running.count++] = object;
		if (!is_small(object)) {
			break;
		}
	}
	return out->count > 0;
}

static void give_back(struct building *building, const struct batch *batch, bool done)
{
	struct bm_running *running = &building->running;
	size_t kept = 0;

	for (size_t i = 0; i < running->count; i++) {
		bool mine = false;
		for (size_t j = 0; j < batch->count; j++) {
			mine = mine || running->list[i] == batch->list[j];
		}
		if (!mine) {
			running->list[kept++] = running->list[i];
		}
	}
	running->count = kept;
	for (size_t j = 0; j < batch->count; j++) {
		struct bm_post_object *object = batch->list[j];
		object->running = false;
		object->done = object->done ||
				(done &&
						!building->failures.failed[object -
								building->transfer->ledger
										.objects]);
	}
}

static void count_done(struct bm_transfer *t, const struct bm_post_object *object)
{
	atomic_fetch_add(&t->progress.units_done, bm_post_object_weight(object));
	atomic_fetch_add(&t->progress.done, 1);
}

/*
 * After a lost session: a COMMIT may have worked though its answer never came. Those
 * that are done leave the batch; a transaction that still runs is waited for.
 */
static int drop_committed(
		struct bm_pool_thread *thread, struct batch *batch, struct bm_error *err)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < batch->count && rc == 0; i++) {
		struct bm_post_object *object = batch->list[i];
		int done = object->tried
				? bm_ledger_object_is_done(thread->destination, object, err)
				: 0;
		rc = done < 0 ? -1 : 0;
		if (done > 0) {
			object->done = true;
			count_done(thread->transfer, object);
		} else {
			batch->list[kept++] = object;
		}
		object->tried = true;
	}
	batch->count = rc == 0 ? kept : batch->count;
	return rc;
}

/* Nothing else would fare better now. */
static bool ends_the_work(const struct bm_error *err)
{
	return err->code == BM_ERR_TRANSIENT || bm_sql_is_full(err);
}

/* With the path that the owner of its table has on the source. */
static int run_with_path(struct bm_pool_thread *thread, struct bm_post_object *object,
		struct bm_error *err)
{
	struct bm_error why = BM_ERROR_INIT;
	char *path = bm_path_find(
			thread->transfer, thread->destination, object->tables[0], &why);
	int rc = path != NULL ? bm_objects_make(thread, &object, 1, path, &why) : -1;

	if (rc == 0) {
		bm_path_record(thread->transfer, path, object->name);
	} else if (path == NULL) {
		bm_path_refused(err, &why);
	}
	free(path);
	return rc;
}

/* One object, in the way that it can be made. */
static int run_one(struct building *building, struct bm_pool_thread *thread,
		struct bm_post_object *object, struct bm_error *err)
{
	if (object->with_path) {
		if (run_with_path(thread, object, err) == 0) {
			return 0;
		}
		if (err->code == BM_ERR_PRECONDITION) {
			bm_failures_other(&building->failures, object, err->message);
		}
		*err = (struct bm_error)BM_ERROR_INIT;
	}
	int rc = bm_objects_make(thread, &object, 1, NULL, err);
	return rc != 0 && !object->with_path && bm_path_may_help(err)
			? run_with_path(thread, object, err)
			: rc;
}

/* A foreign key that the rows do not let hold yet is there for those that come. */
static int run_unchecked(struct bm_pool_thread *thread, const struct bm_post_object *object,
		const struct bm_error *why)
{
	struct bm_transfer *t = thread->transfer;
	char *sql = bm_foreign_unchecked(t, object, why);
	struct bm_post_object unchecked = *object, *one = &unchecked;
	struct bm_error err = BM_ERROR_INIT;

	if (sql == NULL) {
		return -1;
	}
	unchecked.sql = sql;
	int rc = bm_objects_make(thread, &one, 1, NULL, &err);
	if (rc == 0) {
		pthread_mutex_lock(&t->mutex);
		bm_transfer_note(t,
				"%s: not validated before the captured changes are applied (%s)",
				object->name, why->message);
		pthread_mutex_unlock(&t->mutex);
	}
	free(sql);
	return rc;
}

/* All at once; if that fails, one by one. -1 only when the session is lost. */
static int run_batch(struct building *building, struct bm_pool_thread *thread,
		const struct batch *batch, struct bm_error *err)
{
	bool apart = batch->list[0]->with_path;
	int rc = apart ? -1 : bm_objects_make(thread, batch->list, batch->count, NULL, err);

	if (rc == 0) {
		for (size_t i = 0; i < batch->count; i++) {
			count_done(thread->transfer, batch->list[i]);
		}
		return 0;
	}
	if (!apart && ends_the_work(err)) {
		return -1;
	}
	for (size_t i = 0; i < batch->count; i++) {
		struct bm_error why = BM_ERROR_INIT;
		if (run_one(building, thread, batch->list[i], &why) == 0 ||
				run_unchecked(thread, batch->list[i], &why) == 0) {
			count_done(thread->transfer, batch->list[i]);
		} else if (ends_the_work(&why)) {
			*err = why;
			return -1;
		} else {
			bm_failures_add(&building->failures, batch->list[i], &why);
		}
	}
	return 0;
}

static int build_next(struct bm_pool_thread *thread, void *ctx, struct bm_error *err)
{
	struct building *building = ctx;
	struct batch batch;
	bool waiting = false;

	pthread_mutex_lock(&thread->transfer->mutex);
	bool taken = take(building, &batch, &waiting);
	waiting = waiting || building->running.count > 0;
	pthread_mutex_unlock(&thread->transfer->mutex);
	if (!taken) {
		if (waiting) {
			poll(NULL, 0, WAIT_MSEC);
		}
		return waiting ? 1 : 0;
	}
	struct batch rest = batch;
	int rc = drop_committed(thread, &rest, err);
	if (rc == 0 && rest.count > 0) {
		thread->active = bm_activity_of_objects(thread, rest.list, rest.count);
		bm_left_begin_objects(thread, rest.list, rest.count);
		rc = run_batch(building, thread, &rest, err);
		bm_left_end(thread, rc != 0);
		bm_active_end(&thread->transfer->progress.activity, thread->active, false);
		thread->active = NULL;
	}
	pthread_mutex_lock(&thread->transfer->mutex);
	give_back(building, &batch, rc == 0);
	pthread_mutex_unlock(&thread->transfer->mutex);
	return rc == 0 ? 1 : -1;
}

static unsigned begin_progress(struct bm_transfer *t)
{
	uint64_t units = t->progress.bytes_total;
	unsigned left = 0;

	for (size_t i = 0; i < t->ledger.object_count; i++) {
		const struct bm_post_object *object = &t->ledger.objects[i];
		units += object->done ? bm_post_object_weight(object) : 0;
		left += !object->done;
	}
	t->progress.phase = "index";
	bm_left_plan_index(t);
	t->progress.total = (unsigned)t->ledger.object_count;
	atomic_store(&t->progress.done, t->progress.total - left);
	atomic_store(&t->progress.units_done, units);
	return left;
}

/* All that is missing, once; how much of it a crash of the destination took back. */
static int build_missing(struct building *building, unsigned *lost, struct bm_error *err)
{
	struct bm_transfer *t = building->transfer;
	unsigned left = begin_progress(t);
	int rc = 0;

	*lost = 0;
	if (left > 0) {
		unsigned jobs = left < t->options.jobs ? left : t->options.jobs;
		rc = bm_pool_run(t, jobs, false, build_next, building, err);
	}
	if (rc == 0) {
		rc = bm_control_hold(t, err);
	}
	return rc == 0 ? bm_ledger_reconcile(t->control, &t->ledger, lost, err) : -1;
}

/* An unlogged table that a crash emptied after it was copied. */
static int find_emptied(const struct bm_transfer *t, struct bm_error *err)
{
	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		if (!t->ledger.chunks[i].done) {
			return bm_error_set(err, BM_ERR_TRANSIENT,
					"the destination crashed, which emptied its unlogged table "
					"%s after it was copied; run the same command again",
					t->ledger.chunks[i].table);
		}
	}
	return 0;
}

static int build_until_nothing_is_lost(
		struct building *building, unsigned *lost, struct bm_error *err)
{
	unsigned rounds = 0;
	int rc;

	do {
		rc = build_missing(building, lost, err);
	} while (rc == 0 && *lost > 0 && find_emptied(building->transfer, NULL) == 0 &&
			++rounds < BM_MOST_ROUNDS);
	return rc;
}

/* What failed for lack of something may find it now that all else is there. */
static int build_again(struct building *building, unsigned *lost, struct bm_error *err)
{
	unsigned attempts = 0;
	size_t before = 0;
	int rc = 0;

	do {
		before = bm_failures_forgive(&building->failures);
		rc = before > 0 ? build_until_nothing_is_lost(building, lost, err) : 0;
	} while (rc == 0 && before > bm_failures_missing(&building->failures) &&
			++attempts < MOST_ATTEMPTS);
	return rc;
}

int bm_transfer_index(struct bm_transfer *t, struct bm_error *err)
{
	struct building building = {.transfer = t, .running = {.wave = BM_AFTER_ROWS}};
	unsigned lost = 0;

	bm_failures_init(&building.failures, t);
	t->look = bm_watch_builds;
	int rc = build_until_nothing_is_lost(&building, &lost, err);
	rc = rc == 0 && lost == 0 ? build_again(&building, &lost, err) : rc;
	t->look = NULL;
	bm_path_report(t);
	rc = rc == 0 ? find_emptied(t, err) : -1;
	if (rc == 0 && lost > 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"the destination crashed again and again and lost objects each "
				"time (%u by the last one); look into its log, then run the same "
				"command again",
				lost);
	}
	rc = rc == 0 ? bm_failures_report(&building.failures, err) : -1;
	if (rc == 0) {
		bm_pool_report(t, "setting the sequences");
		rc = bm_sequences_copy(t, err);
	}
	rc = rc == 0 ? bm_ledger_close(t->control, err) : -1;
	t->ledger.finished = rc == 0;
	if (rc == 0) {
		t->progress.phase = "done";
	}
	bm_failures_finish(&building.failures);
	return rc;
}
