/*
 * SQL sequences as data: one step after the other on a connection.
 *
 * Lifetime: a script is freed when its `done` was called, or by
 * bm_script_cancel(); inside one of its own callbacks that waits until the
 * callback is back.
 */
#include "bucardo_machine/postgres.h"

#include <stdlib.h>

#include "bucardo_machine/alloc.h"
#include "daemon/postgres/conn.h"

struct bm_script {
	struct bm_conn *conn;
	const struct bm_step *steps;
	size_t count;
	size_t next; /* the step whose result is awaited, or `count` at the end */
	void *ctx;
	void (*done)(void *ctx, const struct bm_error *err);
	bool busy; /* a callback of the owner is on the stack */
	bool cancelled;
};

static void on_result(void *ctx, const struct bm_result *result);

/* Send the next step that is not skipped. False: there is none. */
static bool send_next(struct bm_script *script)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	bool found = false;

	while (!found && script->next < script->count && !script->cancelled) {
		const struct bm_step *step = &script->steps[script->next];
		bm_strbuf_clear(&sql);
		if (step->sql != NULL) {
			bm_strbuf_puts(&sql, step->sql);
		}
		found = step->build == NULL || step->build(script->ctx, &sql);
		script->next += found ? 0 : 1;
	}
	if (found && !script->cancelled) {
		bm_conn_query(script->conn, bm_strbuf_text(&sql), NULL, 0, on_result, script);
	}
	bm_strbuf_finish(&sql);
	return found;
}

static int look_at(
		struct bm_script *script, const struct bm_result *result, struct bm_error *err)
{
	const struct bm_step *step = &script->steps[script->next];
	int rc = 0;

	if (result->error != NULL) {
		*err = *result->error;
		rc = -1;
	} else if (step->on_result != NULL) {
		rc = step->on_result(script->ctx, result, err);
	}
	return rc == 0 ? 0 : bm_error_wrap(err, "%s", step->name);
}

/* The step's result, or the end's: 0 and -1 as usual. */
static int digest(
		struct bm_script *script, const struct bm_result *result, struct bm_error *err)
{
	if (script->next < script->count) {
		return look_at(script, result, err);
	}
	if (result->error != NULL) {
		*err = *result->error;
		return -1;
	}
	return 0;
}

static void on_result(void *ctx, const struct bm_result *result)
{
	struct bm_script *script = ctx;
	struct bm_error err = BM_ERROR_INIT;

	script->busy = true;
	int rc = digest(script, result, &err);
	script->next++;
	if (rc == 0 && send_next(script) && !script->cancelled) {
		script->busy = false;
		return;
	}
	if (!script->cancelled) {
		script->done(script->ctx, rc == 0 ? NULL : &err);
	}
	free(script);
}

struct bm_script *bm_script_run(struct bm_conn *conn, const struct bm_step *steps, size_t count,
		void *ctx, void (*done)(void *ctx, const struct bm_error *err))
{
	struct bm_script *script = bm_alloc(sizeof(*script));

	script->conn = conn;
	script->steps = steps;
	script->count = count;
	script->ctx = ctx;
	script->done = done;
	if (!send_next(script)) {
		/* Nothing to do: an empty statement, so that `done` comes from the loop. */
		bm_conn_query(conn, "", NULL, 0, on_result, script);
	}
	return script;
}

void bm_script_cancel(struct bm_script *script)
{
	if (script == NULL) {
		return;
	}
	script->cancelled = true;
	if (!script->busy) {
		bm_conn_forget(script->conn, on_result, script);
		free(script);
	}
}
