/* The hooks in their order, and what is told of them. */
#include "worker/flip/flip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/sessions.h"
#include "worker/flip/hook.h"

struct bm_flip {
	struct bm_flip_about about;
	size_t count;
	struct bm_hook *hooks;
	json_t *report;
	char busy[200];
};

static int nothing(struct bm_hook *hook, struct bm_error *err)
{
	(void)hook;
	(void)err;
	return 0;
}

static const struct bm_hook_kind kinds[] = {
		{"sql", bm_hook_sql_reach, bm_hook_sql_run},
		{"command", bm_hook_command_reach, bm_hook_command_run},
		{"pgbouncer", bm_pooler_reach, bm_pooler_switch},
		{"none", nothing, nothing},
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

void bm_hook_conninfo(const struct bm_hook *hook, struct bm_conninfo *out)
{
	json_t *words = json_object_get(hook->json, "connection");
	const char *keyword;
	json_t *value;

	json_object_foreach(words, keyword, value)
	{
		bm_conninfo_put(out, keyword, json_string_value(value));
	}
}

/* ---- made ---- */

static void take_hook(struct bm_flip *flip, struct bm_hook *hook, const json_t *json)
{
	json_int_t timeout = json_integer_value(json_object_get(json, "timeout_msec"));

	*hook = (struct bm_hook){.about = &flip->about,
			.json = json,
			.name = text_of(json, "name"),
			.type = text_of(json, "type"),
			.when = text_of(json, "when"),
			.timeout_msec = timeout > 0 ? (uint64_t)timeout : 10000,
			.kind = &kinds[BM_COUNT_OF(kinds) - 1]};
	for (size_t i = 0; i < BM_COUNT_OF(kinds); i++) {
		hook->kind = strcmp(kinds[i].name, hook->type) == 0 ? &kinds[i] : hook->kind;
	}
}

struct bm_flip *bm_flip_create(const json_t *hooks, const struct bm_flip_about *about)
{
	size_t count = json_array_size(hooks);

	if (count == 0) {
		return NULL;
	}
	struct bm_flip *flip = bm_alloc(sizeof(*flip));
	flip->about = *about;
	flip->count = count;
	flip->hooks = bm_alloc(count * sizeof(*flip->hooks));
	flip->report = json_array();
	for (size_t i = 0; i < count; i++) {
		take_hook(flip, &flip->hooks[i], json_array_get(hooks, i));
	}
	return flip;
}

void bm_flip_destroy(struct bm_flip *flip)
{
	if (flip == NULL) {
		return;
	}
	for (size_t i = 0; i < flip->count; i++) {
		bm_pooler_close(&flip->hooks[i]);
	}
	free(flip->hooks);
	json_decref(flip->report);
	free(flip);
}

static bool is_pooler(const struct bm_hook *hook)
{
	return strcmp(hook->type, "pgbouncer") == 0;
}

bool bm_flip_has_pooler(const struct bm_flip *flip)
{
	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		if (is_pooler(&flip->hooks[i])) {
			return true;
		}
	}
	return false;
}

/* ---- told ---- */

static int name_it(const struct bm_hook *hook, struct bm_error *err)
{
	return bm_error_wrap(err, "hook '%s' (%s)", hook->name, hook->type);
}

static void report_hook(struct bm_flip *flip, struct bm_hook *hook, const char *state,
		uint64_t begun_msec, const char *why)
{
	if (hook->reported == NULL) {
		hook->reported = json_pack("{s:s, s:s, s:s}", "name", hook->name, "type",
				hook->type, "when", is_pooler(hook) ? "" : hook->when);
		json_array_append_new(flip->report, hook->reported);
	}
	json_object_set_new(hook->reported, "state", json_string(state));
	json_object_set_new(hook->reported, "tries", json_integer(hook->tries));
	json_object_set_new(hook->reported, "msec",
			json_integer((json_int_t)(bm_clock_msec() - begun_msec)));
	json_object_set_new(hook->reported, "why", bm_json_text(why));
	json_object_set_new(hook->reported, "output", bm_json_text(hook->said));
}

json_t *bm_flip_report(struct bm_flip *flip)
{
	return flip != NULL ? flip->report : NULL;
}

/* ---- done ---- */

static int run(struct bm_flip *flip, struct bm_hook *hook, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	int rc;

	hook->tries++;
	hook->said[0] = '\0';
	rc = hook->kind->run(hook, err);
	report_hook(flip, hook, rc == 0 ? "done" : "failed", begun_msec,
			rc == 0 ? "" : err->message);
	return rc == 0 ? 0 : name_it(hook, err);
}

void bm_flip_reach(struct bm_flip *flip, json_t *problems)
{
	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		struct bm_error err = BM_ERROR_INIT;
		struct bm_hook *hook = &flip->hooks[i];
		if (hook->kind->reach(hook, &err) != 0) {
			json_array_append_new(problems,
					json_pack("{s:s, s:o}", "object", hook->name, "why",
							bm_json_text(err.message)));
		}
	}
}

int bm_flip_before(struct bm_flip *flip, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; flip != NULL && rc == 0 && i < flip->count; i++) {
		struct bm_hook *hook = &flip->hooks[i];
		rc = !is_pooler(hook) && strcmp(hook->when, "before") == 0
				? run(flip, hook, err)
				: 0;
	}
	return rc;
}

void bm_flip_abort(struct bm_flip *flip)
{
	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		struct bm_error ignored = BM_ERROR_INIT;
		if (!is_pooler(&flip->hooks[i]) && strcmp(flip->hooks[i].when, "abort") == 0) {
			run(flip, &flip->hooks[i], &ignored);
		}
	}
}

void bm_flip_mark_done(struct bm_flip *flip, const char *name)
{
	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		struct bm_hook *hook = &flip->hooks[i];
		hook->is_done = hook->is_done || strcmp(hook->name, name) == 0;
	}
}

static bool is_for_after(const struct bm_hook *hook)
{
	return is_pooler(hook) || strcmp(hook->when, "after") == 0;
}

/* Those whose clients wait first. */
static int run_after(struct bm_flip *flip, bool poolers, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < flip->count; i++) {
		struct bm_error failed = BM_ERROR_INIT;
		struct bm_hook *hook = &flip->hooks[i];
		if (hook->is_done || !is_for_after(hook) || is_pooler(hook) != poolers) {
			continue;
		}
		if (run(flip, hook, &failed) == 0) {
			hook->is_done = true;
			if (flip->about.on_done != NULL) {
				flip->about.on_done(flip->about.ctx, hook->name);
			}
		} else if (rc == 0) {
			*err = failed;
			rc = -1;
		}
	}
	return rc;
}

int bm_flip_after(struct bm_flip *flip, struct bm_error *err)
{
	struct bm_error failed = BM_ERROR_INIT;

	if (flip == NULL) {
		return 0;
	}
	int first = run_after(flip, true, err), second = run_after(flip, false, &failed);
	if (first == 0 && second != 0) {
		*err = failed;
	}
	return first == 0 ? second : -1;
}

/* ---- clients of PgBouncers ---- */

int bm_flip_prepare(struct bm_flip *flip, struct bm_error *err)
{
	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		if (is_pooler(&flip->hooks[i]) &&
				bm_pooler_prepare(&flip->hooks[i], err) != 0) {
			return name_it(&flip->hooks[i], err);
		}
	}
	return 0;
}

static int explain_pause(struct bm_flip *flip, struct bm_hook *hook, uint64_t limit_msec,
		struct bm_error *err)
{
	if (err->code == BM_ERR_TIMEOUT) {
		bm_pooler_busy(hook, flip->busy, sizeof(flip->busy));
		bm_error_set(err, BM_ERR_TIMEOUT,
				"a transaction of its clients has not ended within %" PRIu64
				" ms",
				limit_msec);
	}
	return name_it(hook, err);
}

/* The database with this number at each of them. */
static int pause_round(struct bm_flip *flip, size_t index, uint64_t end_msec,
		uint64_t limit_msec, bool *is_last, struct bm_error *err)
{
	int rc = 0;

	*is_last = true;
	for (size_t i = 0; rc == 0 && i < flip->count; i++) {
		struct bm_hook *hook = &flip->hooks[i];
		int sent = is_pooler(hook) ? bm_pooler_pause_send(hook, index, err) : 1;
		*is_last = *is_last && sent != 0;
		rc = sent < 0 ? name_it(hook, err) : 0;
	}
	for (size_t i = 0; rc == 0 && i < flip->count; i++) {
		uint64_t now = bm_clock_msec();
		if (flip->hooks[i].is_waiting &&
				bm_pooler_pause_wait(&flip->hooks[i],
						end_msec > now ? end_msec - now : 0,
						err) != 0) {
			rc = explain_pause(flip, &flip->hooks[i], limit_msec, err);
		}
	}
	for (size_t i = 0; i < flip->count; i++) {
		bm_pooler_pause_leave(&flip->hooks[i]);
	}
	return rc;
}

int bm_flip_pause(struct bm_flip *flip, uint64_t limit_msec, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + limit_msec;
	bool is_last = flip == NULL;
	int rc = 0;

	for (size_t index = 0; rc == 0 && !is_last; index++) {
		flip->busy[0] = '\0';
		rc = pause_round(flip, index, end_msec, limit_msec, &is_last, err);
	}
	return rc;
}

const char *bm_flip_busy(const struct bm_flip *flip)
{
	return flip != NULL ? flip->busy : "";
}

int bm_flip_resume(struct bm_flip *flip, bool all, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		struct bm_error failed = BM_ERROR_INIT;
		struct bm_hook *hook = &flip->hooks[i];
		if (is_pooler(hook) && (all || hook->is_paused) &&
				bm_pooler_resume(hook, &failed) != 0 && rc == 0) {
			*err = failed;
			rc = name_it(hook, err);
		}
	}
	return rc;
}

int bm_flip_settle(struct bm_flip *flip, struct bm_error *err)
{
	int rc = 0;

	for (size_t i = 0; flip != NULL && i < flip->count; i++) {
		struct bm_error failed = BM_ERROR_INIT;
		if (is_pooler(&flip->hooks[i]) &&
				bm_pooler_settle(&flip->hooks[i], &failed) != 0) {
			*err = failed;
			rc = name_it(&flip->hooks[i], err);
		}
	}
	return rc;
}
