/* Items from the ledger, runs of the threads, and the question, once a second. */
#include "worker/transfer/left.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/transfer/pool.h"
#include "worker/transfer/activity_names.h"
#include "worker/transfer/post_data.h"

#define LOOK_MSEC 1000

/* Of what is told, so much is what was told before: a number that jumps says nothing. */
#define CALM 0.3

/* When the last row was sent some are still to be written, and all to be committed. */
#define AFTER_SENT 0.08

/* A thread's minute: of what was measured longer ago half counts. */
#define FORGET_MSEC 60000.0

struct bm_left_item {
	enum bm_kind kind;
	double nominal_msec;
	double sent_msec; /* of it, until all rows are sent; 0: not a chunk */
	int holds[2];
	enum { IDLE, RUNNING, OVER } state;
};

/* What one thread is at: some items in one transaction. */
struct bm_left_run {
	struct bm_left_run *next;
	const struct bm_pool_thread *owner;
	const struct bm_active *active;
	size_t *items, count;
	uint64_t begun_msec;
	double part, reported_msec;
};

/* clang-format off */
static const char sizes_sql[] =
#include "worker/transfer/sql/index_sizes.sql.inc"
;
/* clang-format on */

/* ---- tables ---- */

struct table {
	const char *name;
	uint64_t rows;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct table *)a)->name, ((const struct table *)b)->name);
}

/* All that have chunks, sorted, each once, with the rows that were copied. */
static struct table *list_tables(const struct bm_ledger *ledger, size_t *count)
{
	struct table *tables = bm_alloc((ledger->chunk_count + 1) * sizeof(*tables));
	size_t kept = 0;

	for (size_t i = 0; i < ledger->chunk_count; i++) {
		tables[i] = (struct table){ledger->chunks[i].table, ledger->chunks[i].rows};
	}
	qsort(tables, ledger->chunk_count, sizeof(*tables), by_name);
	for (size_t i = 0; i < ledger->chunk_count; i++) {
		if (kept > 0 && strcmp(tables[kept - 1].name, tables[i].name) == 0) {
			tables[kept - 1].rows += tables[i].rows;
		} else {
			tables[kept++] = tables[i];
		}
	}
	*count = kept;
	return tables;
}

/* Its number, or -1. */
static int find_table(const struct table *tables, size_t count, const char *name)
{
	const struct table wanted = {.name = name};
	const struct table *found = bsearch(&wanted, tables, count, sizeof(wanted), by_name);

	return found != NULL ? (int)(found - tables) : -1;
}

/* ---- the sizes of indexes ---- */

struct index_size {
	const char *name;
	int row;
};

struct index_sizes {
	PGresult *rows;
	struct index_size *list;
	size_t count;
};

static int by_index(const void *a, const void *b)
{
	return strcmp(((const struct index_size *)a)->name,
			((const struct index_size *)b)->name);
}

/* Without an answer the tables' sizes have to do. */
static void read_sizes(struct bm_transfer *t, struct index_sizes *out)
{
	PGresult *rows = t->snapshot_session != NULL
			? bm_sql(t->snapshot_session, sizes_sql, NULL)
			: NULL;

	*out = (struct index_sizes){
			.rows = rows, .count = rows != NULL ? (size_t)PQntuples(rows) : 0};
	out->list = bm_alloc((out->count + 1) * sizeof(*out->list));
	for (size_t i = 0; i < out->count; i++) {
		out->list[i] = (struct index_size){PQgetvalue(rows, (int)i, 0), (int)i};
	}
	qsort(out->list, out->count, sizeof(*out->list), by_index);
}

/* Of "INDEX public.film_title", "CONSTRAINT public.film film_pkey". */
static void take_size(const struct index_sizes *sizes, const char *name,
		struct bm_kind_size *size, enum bm_kind *kind)
{
	const char *behind = strchr(name, ' ');
	const struct index_size wanted = {.name = behind != NULL ? behind + 1 : ""};
	const struct index_size *found = bsearch(
			&wanted, sizes->list, sizes->count, sizeof(wanted), by_index);

	if (found == NULL) {
		size->index_bytes = size->bytes / 4;
		return;
	}
	size->index_bytes = strtoull(PQgetvalue(sizes->rows, found->row, 1), NULL, 10);
	if (*kind == BM_KIND_BTREE && PQgetvalue(sizes->rows, found->row, 2)[0] == 't') {
		*kind = BM_KIND_BTREE_TEXT;
	}
}

/* ---- the plan ---- */

static void begin_plan(struct bm_left *left, size_t count, bool copying)
{
	bm_left_finish(left);
	*left = (struct bm_left){.items = bm_alloc((count + 1) * sizeof(*left->items)),
			.count = count,
			.copying = copying,
			.reported_msec = -1};
}

/* Tables of the destination with row triggers that fire in replica role too: after all is sent.
 */
/* clang-format off */
static const char fired_sql[] =
#include "worker/transfer/sql/fired_tables.sql.inc"
;
/* clang-format on */

static struct index_size *list_fired(const PGresult *rows, size_t *count)
{
	struct index_size *list;

	*count = rows != NULL ? (size_t)PQntuples(rows) : 0;
	list = bm_alloc((*count + 1) * sizeof(*list));
	for (size_t i = 0; i < *count; i++) {
		list[i] = (struct index_size){PQgetvalue(rows, (int)i, 0), (int)i};
	}
	qsort(list, *count, sizeof(*list), by_index);
	return list;
}

void bm_left_plan_copy(struct bm_transfer *t)
{
	PGresult *rows = bm_sql(t->control, fired_sql, NULL);
	size_t count;
	struct index_size *fired = list_fired(rows, &count);

	begin_plan(&t->left, t->ledger.chunk_count, true);
	for (size_t i = 0; i < t->ledger.chunk_count; i++) {
		const struct bm_chunk *chunk = &t->ledger.chunks[i];
		const struct bm_kind_size size = {
				.bytes = chunk->estimate, .rows = bm_chunk_rows(t, chunk)};
		const struct index_size wanted = {.name = chunk->table};
		bool fires = bsearch(&wanted, fired, count, sizeof(wanted), by_index) != NULL;
		double sent_msec = bm_kind_msec(BM_KIND_COPY, &size) * (1 + AFTER_SENT);
		t->left.items[i] = (struct bm_left_item){.kind = BM_KIND_COPY,
				.nominal_msec = sent_msec +
						(fires ? bm_kind_trigger_msec(size.rows) : 0),
				.sent_msec = sent_msec / (1 + AFTER_SENT),
				.holds = {-1, -1}};
	}
	free(fired);
	PQclear(rows);
}

/* ANALYZE is a tenth of its table, as an object. */
static uint64_t bytes_of(const struct bm_post_object *object, enum bm_kind kind)
{
	return kind == BM_KIND_ANALYZE ? object->cost * 10 : object->cost;
}

static void plan_object(const struct bm_post_object *object, const struct table *tables,
		size_t count, const struct index_sizes *sizes, struct bm_left_item *item)
{
	item->kind = bm_kind_of(object->name, object->sql);
	struct bm_kind_size size = {.bytes = bytes_of(object, item->kind)};
	int first = find_table(tables, count, object->tables[0]);

	size.rows = first >= 0 ? tables[first].rows : 0;
	if (object->stage == BM_STAGE_BUILD || object->stage == BM_STAGE_REST) {
		take_size(sizes, object->name, &size, &item->kind);
	}
	item->nominal_msec = bm_kind_msec(item->kind, &size);
	item->holds[0] = object->shares ? -1 : first;
	item->holds[1] = object->shares ? -1 : find_table(tables, count, object->tables[1]);
}

void bm_left_plan_index(struct bm_transfer *t)
{
	struct index_sizes sizes;
	size_t count;
	struct table *tables = list_tables(&t->ledger, &count);

	read_sizes(t, &sizes);
	begin_plan(&t->left, t->ledger.object_count, false);
	t->left.tables = count;
	for (size_t i = 0; i < t->ledger.object_count; i++) {
		plan_object(&t->ledger.objects[i], tables, count, &sizes, &t->left.items[i]);
	}
	PQclear(sizes.rows);
	free(sizes.list);
	free(tables);
}

int bm_left_kind(const struct bm_transfer *t, const struct bm_post_object *object)
{
	size_t index = (size_t)(object - t->ledger.objects);

	return (int)(index < t->left.count ? t->left.items[index].kind : BM_KIND_SMALL);
}

static void free_run(struct bm_left_run *run)
{
	free(run->items);
	free(run);
}

void bm_left_finish(struct bm_left *left)
{
	while (left->runs != NULL) {
		struct bm_left_run *run = left->runs;
		left->runs = run->next;
		free_run(run);
	}
	free(left->items);
	*left = (struct bm_left){.reported_msec = -1};
}

/* ---- what the threads are at ---- */

/* `items` is taken over. */
static void begin_run(struct bm_pool_thread *thread, size_t *items, size_t count)
{
	struct bm_left *left = &thread->transfer->left;
	struct bm_left_run *run = bm_alloc(sizeof(*run));

	*run = (struct bm_left_run){.owner = thread,
			.active = thread->active,
			.items = items,
			.begun_msec = bm_clock_msec()};
	pthread_mutex_lock(&thread->transfer->mutex);
	for (size_t i = 0; i < count; i++) {
		/* What was added to the ledger after the plan is in none. */
		if (items[i] < left->count) {
			left->items[items[i]].state = RUNNING;
			items[run->count++] = items[i];
		}
	}
	run->next = left->runs;
	left->runs = run;
	pthread_mutex_unlock(&thread->transfer->mutex);
}

void bm_left_begin_chunks(
		struct bm_pool_thread *thread, struct bm_chunk *const *chunks, size_t count)
{
	size_t *items = bm_alloc((count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		items[i] = (size_t)(chunks[i] - thread->transfer->ledger.chunks);
	}
	begin_run(thread, items, count);
}

void bm_left_begin_objects(struct bm_pool_thread *thread, struct bm_post_object *const *objects,
		size_t count)
{
	size_t *items = bm_alloc((count + 1) * sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		items[i] = (size_t)(objects[i] - thread->transfer->ledger.objects);
	}
	begin_run(thread, items, count);
}

static double nominal_of(const struct bm_left *left, const struct bm_left_run *run)
{
	double sum = 0;

	for (size_t i = 0; i < run->count; i++) {
		sum += left->items[run->items[i]].nominal_msec;
	}
	return sum;
}

/* Each of them took its share of the time. */
static void measure(struct bm_left *left, const struct bm_left_run *run)
{
	double took = (double)(bm_clock_msec() - run->begun_msec);
	double sum = nominal_of(left, run);

	for (size_t i = 0; i < run->count; i++) {
		const struct bm_left_item *item = &left->items[run->items[i]];
		struct bm_effort *effort = &left->measured[item->kind];
		effort->msec += took * item->nominal_msec / sum;
		effort->nominal_msec += item->nominal_msec;
		if (effort->msec > FORGET_MSEC) {
			effort->msec /= 2;
			effort->nominal_msec /= 2;
		}
	}
}

static struct bm_left_run *take_run(struct bm_left *left, const struct bm_pool_thread *owner)
{
	for (struct bm_left_run **at = &left->runs; *at != NULL; at = &(*at)->next) {
		struct bm_left_run *run = *at;
		if (run->owner == owner) {
			*at = run->next;
			return run;
		}
	}
	return NULL;
}

void bm_left_end(struct bm_pool_thread *thread, bool lost)
{
	struct bm_left *left = &thread->transfer->left;

	pthread_mutex_lock(&thread->transfer->mutex);
	struct bm_left_run *run = take_run(left, thread);
	if (run != NULL && !lost) {
		measure(left, run);
	}
	for (size_t i = 0; run != NULL && i < run->count; i++) {
		left->items[run->items[i]].state = lost ? IDLE : OVER;
	}
	pthread_mutex_unlock(&thread->transfer->mutex);
	if (run != NULL) {
		free_run(run);
	}
}

/* ---- the question ---- */

static struct bm_estimate_item item_of(const struct bm_transfer *t, size_t index)
{
	const struct bm_left_item *item = &t->left.items[index];
	enum bm_stage stage = t->left.copying ? BM_STAGE_BUILD : t->ledger.objects[index].stage;

	return (struct bm_estimate_item){.kind = item->kind,
			.stage = stage,
			.apart = !t->left.copying && !bm_post_data_run_together(stage),
			.nominal_msec = item->nominal_msec,
			.holds = {item->holds[0], item->holds[1]}};
}

/* What its activity reports of its time. */
static double share_of(const struct bm_left *left, const struct bm_left_run *run)
{
	double sent = 0;

	for (size_t i = 0; left->copying && i < run->count; i++) {
		sent += left->items[run->items[i]].sent_msec;
	}
	return left->copying ? sent / nominal_of(left, run) : 1;
}

/* As one item, of the kind of its longest. */
static struct bm_estimate_item item_of_run(
		struct bm_transfer *t, struct bm_left_run *run, uint64_t now)
{
	size_t longest = 0;

	for (size_t i = 1; i < run->count; i++) {
		if (t->left.items[run->items[i]].nominal_msec >
				t->left.items[run->items[longest]].nominal_msec) {
			longest = i;
		}
	}
	struct bm_estimate_item item = item_of(t, run->items[longest]);
	item.running = true;
	item.nominal_msec = nominal_of(&t->left, run);
	double part = bm_active_part(run->active) * share_of(&t->left, run);
	item.spent_msec = (double)(now - run->begun_msec);
	if (part > run->part) {
		run->part = part;
		run->reported_msec = item.spent_msec;
	}
	item.part = run->part;
	item.reported_msec = run->reported_msec;
	return item;
}

static bool is_waiting(const struct bm_transfer *t, size_t index)
{
	bool done = t->left.copying ? t->ledger.chunks[index].done
				    : t->ledger.objects[index].done;

	/* A chunk that went over and is not done is to be copied again. */
	return !done &&
			(t->left.items[index].state == IDLE ||
					(t->left.copying &&
							t->left.items[index].state == OVER));
}

/* All that is not done. The caller holds the mutex. */
static size_t list_items(struct bm_transfer *t, struct bm_estimate_item *out)
{
	uint64_t now = bm_clock_msec();
	size_t count = 0;

	for (struct bm_left_run *run = t->left.runs; run != NULL; run = run->next) {
		if (run->count > 0) {
			out[count++] = item_of_run(t, run, now);
		}
	}
	for (size_t i = 0; i < t->left.count; i++) {
		if (is_waiting(t, i)) {
			out[count++] = item_of(t, i);
		}
	}
	return count;
}

static double ask(struct bm_transfer *t)
{
	struct bm_estimate_item *items = bm_alloc((t->left.count + 1) * sizeof(*items));
	struct bm_estimate estimate = {
			.jobs = t->options.jobs, .tables = t->left.tables, .items = items};

	pthread_mutex_lock(&t->mutex);
	estimate.count = list_items(t, items);
	memcpy(estimate.measured, t->left.measured, sizeof(estimate.measured));
	bool unreachable = t->waiting[0] != '\0';
	pthread_mutex_unlock(&t->mutex);
	unreachable = unreachable || bm_activity_stand_still(&t->progress.activity);
	/* Nothing is left, and it is not over: what goes on is in no plan. */
	bool known = !unreachable && estimate.count > 0;
	double left = known ? bm_estimate_left(&estimate) : -1;
	free(items);
	return left;
}

int64_t bm_left_msec(struct bm_transfer *t)
{
	struct bm_left *left = &t->left;
	uint64_t now = bm_clock_msec();
	double passed = (double)(now - left->looked_msec);

	if (left->items == NULL) {
		return -1;
	}
	if (passed < LOOK_MSEC) {
		return left->reported_msec < 0 ? -1 : (int64_t)left->reported_msec;
	}
	double before = left->reported_msec - passed, next = ask(t);
	left->looked_msec = now;
	left->reported_msec = next < 0 || left->reported_msec < 0 || before < 0
			? next
			: before * CALM + next * (1 - CALM);
	return left->reported_msec < 0 ? -1 : (int64_t)left->reported_msec;
}
