/* Events into the control database and back, one statement at a time. */
#include "daemon/machine/event_store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"

#define WRITE_MSEC 200	/* how long an event waits for others */
#define RETRY_MSEC 1000 /* after a failure */
#define GROUP 100	/* events of one statement */
#define PRUNE_EVERY 500 /* events written */
#define FILE_BYTES ((size_t)16 * 1024 * 1024)

/* Followers that come back wait no longer for the events of before. */
#define PATIENCE_MSEC 30000

static const char begin_sql[] =
#include "daemon/machine/sql/events_begin.sql.inc"
		;
static const char write_sql[] =
#include "daemon/machine/sql/events_write.sql.inc"
		;
static const char prune_sql[] =
#include "daemon/machine/sql/events_prune.sql.inc"
		;

struct bm_event_store {
	struct bm_events *events;
	struct bm_conn *conn;
	char *path;		    /* of the events that an earlier life could not write */
	bool begun, read, has_file; /* the table is there; all of before is in memory */
	bool busy;		    /* a statement is on its way */
	size_t group;		    /* how many at most; 1 after a refusal */
	uint64_t ids[GROUP];
	size_t count; /* of the statement on its way */
	size_t since_prune;
	struct bm_timer *timer, *patience;
};

static void arm(struct bm_event_store *store, uint64_t msec)
{
	if (!store->busy && !bm_timer_is_armed(store->timer)) {
		bm_timer_arm(store->timer, msec);
	}
}

/* ---- events as JSON ---- */

static json_t *to_json(const struct bm_machine_event *event)
{
	char at[BM_CLOCK_TEXT_SIZE];
	json_t *object = json_pack("{s:I, s:I, s:s, s:s}", "id", (json_int_t)event->id, "msec",
			(json_int_t)event->at, "at", bm_clock_format(event->at, at), "level",
			bm_log_level_name(event->level));

	json_object_set_new(object, "subject", bm_json_text(event->subject));
	json_object_set_new(object, "text", bm_json_text(event->text));
	return object;
}

static enum bm_log_level level_of(const char *name)
{
	for (enum bm_log_level level = BM_LOG_DEBUG; name != NULL && level <= BM_LOG_ERROR;
			level++) {
		if (strcmp(bm_log_level_name(level), name) == 0) {
			return level;
		}
	}
	return BM_LOG_INFO;
}

/* ---- what there was before ---- */

static json_t *load_file(struct bm_event_store *store)
{
	struct bm_error err = BM_ERROR_INIT;
	struct bm_strbuf text = BM_STRBUF_INIT;
	json_t *rows = NULL;

	store->has_file = bm_file_exists(store->path);
	if (store->has_file && bm_file_load(store->path, FILE_BYTES, &text, &err) == 0) {
		rows = json_loadb(bm_strbuf_text(&text), text.length, 0, NULL);
	}
	bm_strbuf_finish(&text);
	if (store->has_file && !json_is_array(rows)) {
		bm_log(BM_LOG_WARN, "events", BM_FIELDS(bm_str("err", err.message)),
				"the events in '%s' cannot be read", store->path);
	}
	return rows;
}

static uint64_t last_id_of(const json_t *rows)
{
	json_t *last = json_array_get(rows, json_array_size(rows) - 1);

	return (uint64_t)json_integer_value(json_object_get(last, "id"));
}

static void take_file(struct bm_event_store *store, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *subject = json_string_value(json_object_get(row, "subject"));
		const char *text = json_string_value(json_object_get(row, "text"));
		const struct bm_machine_event event = {
				.id = (uint64_t)json_integer_value(json_object_get(row, "id")),
				.at = json_integer_value(json_object_get(row, "msec")),
				.level = level_of(json_string_value(
						json_object_get(row, "level"))),
				.subject = subject != NULL ? subject : "",
				.text = text != NULL ? text : ""};
		bm_events_insert(store->events, &event, false);
	}
}

static uint64_t number_at(const struct bm_result *result, size_t row, size_t column)
{
	const char *text = bm_result_get(result, row, column);

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void take_rows(struct bm_event_store *store, const struct bm_result *result)
{
	for (size_t i = 0; i < result->row_count; i++) {
		const char *subject = bm_result_get(result, i, 3);
		const char *text = bm_result_get(result, i, 4);
		const struct bm_machine_event event = {.id = number_at(result, i, 0),
				.at = (int64_t)number_at(result, i, 1),
				.level = level_of(bm_result_get(result, i, 2)),
				.subject = subject != NULL ? subject : "",
				.text = text != NULL ? text : ""};
		bm_events_insert(store->events, &event, true);
	}
}

/* Once a life; the clock may stand before that of an earlier one. */
static void take_all(struct bm_event_store *store, const struct bm_result *result)
{
	json_t *rows = load_file(store);
	uint64_t last = result->row_count > 0 ? number_at(result, result->row_count - 1, 0) : 0;

	bm_events_raise(store->events, last > last_id_of(rows) ? last : last_id_of(rows));
	take_rows(store, result);
	take_file(store, rows);
	json_decref(rows);
	store->read = true;
	bm_log(BM_LOG_INFO, "events", BM_FIELDS(bm_int("kept", (int64_t)result->row_count)),
			"events are in table machine.event_log of the control database; "
			"`bucardo-machine events --since 2h` shows them");
	bm_events_complete(store->events);
}

static void fail(struct bm_event_store *store, const struct bm_error *err, const char *what)
{
	if (err->code == BM_ERR_SQL) {
		bm_log(BM_LOG_WARN, "events", BM_FIELDS(bm_str("err", err->message)),
				"cannot %s, trying again", what);
	}
	arm(store, RETRY_MSEC);
}

static void on_begun(void *ctx, const struct bm_result *result)
{
	struct bm_event_store *store = ctx;

	store->busy = false;
	if (result->error != NULL) {
		fail(store, result->error, "read the events of the control database");
		return;
	}
	store->begun = true;
	if (!store->read) {
		take_all(store, result);
	}
	arm(store, 0);
}

/* ---- writing ---- */

/* A group that is refused is tried one by one, and the one that cannot be written is passed
 * over: it must not keep the others out. */
static void take_refusal(struct bm_event_store *store, const struct bm_error *err)
{
	if (bm_sql_is_gone(err)) {
		store->begun = false;
		bm_events_set_none_stored(store->events);
	} else if (err->code == BM_ERR_SQL && store->count > 1) {
		store->group = 1;
	} else if (err->code == BM_ERR_SQL && strncmp(err->sqlstate, "22", 2) == 0) {
		bm_events_set_stored(store->events, store->ids[0]);
	}
	fail(store, err, "write events to the control database");
}

static void on_written(void *ctx, const struct bm_result *result)
{
	struct bm_event_store *store = ctx;
	struct bm_machine_event event;

	store->busy = false;
	if (result->error != NULL) {
		take_refusal(store, result->error);
		return;
	}
	for (size_t i = 0; i < store->count; i++) {
		bm_events_set_stored(store->events, store->ids[i]);
	}
	store->since_prune += store->count;
	store->group = GROUP;
	if (bm_events_next_unstored(store->events, 0, &event) ||
			store->since_prune >= PRUNE_EVERY) {
		arm(store, 0);
	} else if (store->has_file) {
		store->has_file = unlink(store->path) != 0;
	}
}

static void on_pruned(void *ctx, const struct bm_result *result)
{
	struct bm_event_store *store = ctx;

	(void)result; /* the next one takes what is left */
	store->busy = false;
	arm(store, 0);
}

static bool write_group(struct bm_event_store *store)
{
	struct bm_machine_event event = {.id = 0};
	json_t *group = json_array();

	for (store->count = 0; store->count < store->group &&
			bm_events_next_unstored(store->events, event.id, &event);
			store->count++) {
		store->ids[store->count] = event.id;
		json_array_append_new(group, to_json(&event));
	}
	char *text = json_dumps(group, JSON_COMPACT);
	json_decref(group);
	if (store->count > 0) {
		store->busy = true;
		bm_conn_query(store->conn, write_sql, (const char *const[]){text}, 1,
				on_written, store);
	}
	free(text);
	return store->count > 0;
}

static void on_timer(void *ctx)
{
	struct bm_event_store *store = ctx;

	if (store->busy || store->conn == NULL || !bm_conn_is_up(store->conn)) {
		return; /* bm_event_store_use() comes when it is up */
	}
	if (!store->begun) {
		store->busy = true;
		bm_conn_query(store->conn, begin_sql, NULL, 0, on_begun, store);
	} else if (store->since_prune >= PRUNE_EVERY) {
		store->since_prune = 0;
		store->busy = true;
		bm_conn_query(store->conn, prune_sql, NULL, 0, on_pruned, store);
	} else {
		write_group(store);
	}
}

static void on_event(void *ctx)
{
	arm(ctx, WRITE_MSEC);
}

static void on_patience(void *ctx)
{
	struct bm_event_store *store = ctx;

	bm_events_complete(store->events);
}

/* ---- life ---- */

struct bm_event_store *bm_event_store_create(
		struct bm_loop *loop, struct bm_events *events, const char *volume)
{
	struct bm_event_store *store = bm_alloc(sizeof(*store));

	store->events = events;
	store->path = bm_format("%s/events.unwritten", volume);
	store->group = GROUP;
	store->timer = bm_timer_create(loop, on_timer, store);
	store->patience = bm_timer_create(loop, on_patience, store);
	bm_timer_arm(store->patience, PATIENCE_MSEC);
	bm_events_listen(events, BM_EVENTS_STORE, on_event, store);
	return store;
}

void bm_event_store_use(struct bm_event_store *store, struct bm_conn *conn)
{
	store->conn = conn;
	arm(store, 0);
}

void bm_event_store_finish(struct bm_event_store *store)
{
	struct bm_machine_event event = {.id = 0};
	struct bm_error err = BM_ERROR_INIT;
	json_t *rest = json_array();

	while (bm_events_next_unstored(store->events, event.id, &event)) {
		json_array_append_new(rest, to_json(&event));
	}
	char *text = json_dumps(rest, JSON_COMPACT);
	if (json_array_size(rest) > 0 &&
			bm_file_replace(store->path, text, strlen(text), 0600, &err) != 0) {
		bm_log(BM_LOG_WARN, "events", BM_FIELDS(bm_str("err", err.message)),
				"the last %zu events are in this log only",
				json_array_size(rest));
	}
	free(text);
	json_decref(rest);
}

void bm_event_store_destroy(struct bm_event_store *store)
{
	if (store == NULL) {
		return;
	}
	bm_events_listen(store->events, BM_EVENTS_STORE, NULL, NULL);
	bm_timer_close(store->timer);
	bm_timer_close(store->patience);
	free(store->path);
	free(store);
}
