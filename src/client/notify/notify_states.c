/* One function a subject. */
#include "client/notify/notify_states.h"

#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/strbuf.h"

/* A message of NOTIFY_CHANGES_LIMIT of them fits into a variable of the environment. */
#define SUBJECT_BYTES 300
#define TEXT_BYTES 600

/* Tables that are named; of the others the number is told. */
#define NAMES_LIMIT 10

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static void put(json_t *states, const char *kind, const char *name, const char *value,
		enum bm_log_level level, const char *text)
{
	char *subject = name[0] != '\0' ? bm_format("%s %.*s", kind, SUBJECT_BYTES, name)
					: bm_strdup(kind);
	json_t *key = bm_json_text(subject);
	char *short_text = bm_format("%.*s", TEXT_BYTES, text);

	json_object_set_new(states, json_string_value(key),
			json_pack("{s:o, s:s, s:o}", "value", bm_json_text(value), "level",
					bm_log_level_name(level), "text",
					bm_json_text(short_text)));
	free(short_text);
	json_decref(key);
	free(subject);
}

static void put_unknown(json_t *states, const char *kind, const char *name)
{
	char *subject = bm_format("%s %s", kind, name);

	json_object_set_new(states, subject, json_null());
	free(subject);
}

/* ---- the machine and its databases ---- */

static void add_machine(const json_t *status, json_t *states)
{
	const char *state = text_of(status, "state");

	/* On its way: neither well nor in trouble, and it has not looked yet. */
	if (strcmp(state, "starting") == 0 || strcmp(state, "stopping") == 0) {
		json_object_set_new(states, "", json_null());
		return;
	}
	const char *advice = text_of(status, "advice");
	bool is_bad = strcmp(state, "degraded") == 0, holds = strcmp(state, "holding") == 0;
	char *text = bm_format("%s%s%s", text_of(status, "why"), advice[0] != '\0' ? "; " : "",
			advice);

	put(states, "machine", "", state,
			holds			 ? BM_LOG_ERROR
					: is_bad ? BM_LOG_WARN
						 : BM_LOG_INFO,
			text);
	free(text);
}

static void add_databases(const json_t *status, json_t *states)
{
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(status, "databases"), index, one)
	{
		const char *reach = text_of(one, "reach"), *name = text_of(one, "name");
		if (strcmp(reach, "unknown") == 0) {
			put_unknown(states, "database", name);
		} else {
			bool there = strcmp(reach, "yes") == 0;
			put(states, "database", name, there ? "reachable" : "unreachable",
					there ? BM_LOG_INFO : BM_LOG_ERROR,
					text_of(one, "error"));
		}
	}
}

static const struct {
	const char *health;
	const char *value; /* NULL: not known */
	enum bm_log_level level;
} healths[] = {
		{"unknown", NULL, BM_LOG_INFO},
		{"starting", NULL, BM_LOG_INFO},
		{"idle", "applying", BM_LOG_INFO},
		{"running", "applying", BM_LOG_INFO},
		{"catching-up", "applying", BM_LOG_INFO},
		{"blocked", "blocked", BM_LOG_WARN},
		{"unreachable", "unreachable", BM_LOG_ERROR},
		{"failing", "failing", BM_LOG_ERROR},
		{"stalled", "stalled", BM_LOG_ERROR},
		{"stopped", "stopped", BM_LOG_WARN},
};

static void add_sync(const json_t *one, json_t *states)
{
	const char *health = text_of(one, "health"), *name = text_of(one, "name");

	for (size_t i = 0; i < BM_COUNT_OF(healths); i++) {
		if (strcmp(healths[i].health, health) == 0 && healths[i].value != NULL) {
			put(states, "sync", name, healths[i].value, healths[i].level,
					text_of(one, "why"));
			return;
		}
	}
	put_unknown(states, "sync", name);
}

/* Failures in a row that are trouble: one is no news, it is started again. */
#define FAILURES 3

static void add_unit(const json_t *one, json_t *states)
{
	const char *name = text_of(one, "name"), *by = text_of(one, "stopped_by");

	if (by[0] != '\0') {
		put(states, "unit", name, "stopped", BM_LOG_WARN, by);
	} else if (json_integer_value(json_object_get(one, "failures")) >= FAILURES) {
		put(states, "unit", name, "failing", BM_LOG_ERROR, text_of(one, "why"));
	} else if (strcmp(text_of(one, "state"), "ready") == 0) {
		put(states, "unit", name, "running", BM_LOG_INFO, "");
	} else {
		put_unknown(states, "unit", name);
	}
}

static void add_each(const json_t *list, void (*add)(const json_t *one, json_t *states),
		json_t *states)
{
	size_t index;
	const json_t *one;

	json_array_foreach(list, index, one)
	{
		add(one, states);
	}
}

/* ---- a migration ---- */

static const struct {
	const char *status;
	enum bm_log_level level;
} migration_levels[] = {
		{"failed", BM_LOG_ERROR},
		{"halted", BM_LOG_WARN},
		{"paused", BM_LOG_WARN},
};

static void add_phase(const json_t *one, const char *name, json_t *states)
{
	const char *status = text_of(one, "status"), *phase = text_of(one, "phase");
	bool is_live = strcmp(status, "live") == 0;
	enum bm_log_level level = BM_LOG_INFO;

	for (size_t i = 0; i < BM_COUNT_OF(migration_levels); i++) {
		if (strcmp(status, migration_levels[i].status) == 0) {
			level = migration_levels[i].level;
		}
	}
	if (phase[0] == '\0') { /* the journal was not read yet */
		put_unknown(states, "migration", name);
		return;
	}
	char *value = is_live ? bm_strdup(status) : bm_format("%s %s", phase, status);
	char *text = bm_format("%s%s%s", text_of(one, "why"),
			text_of(one, "hint")[0] != '\0' ? "; " : "", text_of(one, "hint"));
	put(states, "migration", name, value, level, text);
	free(value);
	free(text);
}

static void add_side(const json_t *one, const char *name, json_t *states)
{
	const json_t *live = json_object_get(json_object_get(one, "reconcile"), "live");
	const char *side = text_of(live, "side");

	if (side[0] == '\0') {
		put_unknown(states, "live side", name);
	} else {
		put(states, "live side", name, side, BM_LOG_INFO, "applications write there");
	}
}

static void add_cutover(const json_t *one, const char *name, json_t *states)
{
	const json_t *last = json_object_get(one, "cutover");
	const char *state = text_of(last, "state"), *error = text_of(last, "error");
	bool failed = strcmp(state, "failed") == 0;

	if (!json_is_object(last)) {
		put(states, "cutover", name, "none", BM_LOG_INFO, "");
		return;
	}
	char *value = bm_format("%s %lld: %s %s", text_of(last, "direction"),
			(long long)json_integer_value(json_object_get(last, "number")),
			text_of(last, "mode"),
			json_is_true(json_object_get(last, "under_way")) ? "under way" : state);
	char *text = bm_format("%s%s%s", error, text_of(last, "hint")[0] != '\0' ? "; " : "",
			text_of(last, "hint"));
	put(states, "cutover", name, value, failed ? BM_LOG_ERROR : BM_LOG_INFO, text);
	free(value);
	free(text);
}

static void add_rows(const json_t *one, const char *name, json_t *states)
{
	const json_t *verify = json_object_get(one, "verify");
	const char *trouble = text_of(verify, "trouble");

	if (!json_is_object(verify)) {
		put_unknown(states, "rows", name);
		return;
	}
	put(states, "rows", name, trouble[0] != '\0' ? "different" : "none differs",
			trouble[0] != '\0' ? BM_LOG_ERROR : BM_LOG_INFO, trouble);
}

/* The names are the state: another table that is paused is news. */
static void add_paused(const json_t *one, const char *name, json_t *states)
{
	const json_t *paused = json_object_get(json_object_get(one, "reconcile"), "paused");
	struct bm_strbuf names = BM_STRBUF_INIT;
	size_t index;
	const json_t *table;

	if (!json_is_array(paused)) {
		put_unknown(states, "paused tables", name);
		return;
	}
	json_array_foreach(paused, index, table)
	{
		const char *text = json_is_string(table) ? json_string_value(table)
							 : text_of(table, "table");
		if (index < NAMES_LIMIT) {
			bm_strbuf_printf(&names, "%s%.*s", index > 0 ? ", " : "",
					SUBJECT_BYTES / 4, text);
		}
	}
	if (index > NAMES_LIMIT) {
		bm_strbuf_printf(&names, " and %zu more", index - NAMES_LIMIT);
	}
	put(states, "paused tables", name, names.length > 0 ? bm_strbuf_text(&names) : "none",
			names.length > 0 ? BM_LOG_ERROR : BM_LOG_INFO,
			names.length > 0
					? "what is written to them does not arrive; `bucardo-machine "
					  "status` says why"
					: "");
	bm_strbuf_finish(&names);
}

static enum bm_log_level severity_of(const json_t *finding)
{
	const char *severity = text_of(finding, "severity");

	return strcmp(severity, "stops") == 0		? BM_LOG_ERROR
			: strcmp(severity, "note") == 0 ? BM_LOG_INFO
							: BM_LOG_WARN;
}

static void add_findings(const json_t *one, const char *name, json_t *states)
{
	const json_t *doctor = json_object_get(one, "doctor");
	size_t index;
	const json_t *finding;

	if (!json_is_array(doctor)) {
		put_unknown(states, "finding", name);
		return;
	}
	json_array_foreach(doctor, index, finding)
	{
		char *subject = bm_format("%s %s %s %s", name, text_of(finding, "rule"),
				text_of(finding, "side"), text_of(finding, "object"));
		char *text = bm_format(
				"%s; %s", text_of(finding, "cause"), text_of(finding, "hint"));
		put(states, "finding", subject, "found", severity_of(finding), text);
		free(subject);
		free(text);
	}
}

static void (*const of_migration[])(const json_t *one, const char *name, json_t *states) = {
		add_phase, add_side, add_cutover, add_rows, add_paused, add_findings};

static void add_migrations(const json_t *status, json_t *states)
{
	size_t index;
	const json_t *one;

	json_array_foreach(json_object_get(status, "migrations"), index, one)
	{
		for (size_t i = 0; i < BM_COUNT_OF(of_migration); i++) {
			of_migration[i](one, text_of(one, "name"), states);
		}
	}
}

/* ---- all of them ---- */

json_t *notify_states(const json_t *status, const char *why)
{
	json_t *states = json_object();

	if (status == NULL) {
		json_object_set_new(states, "", json_null());
		put(states, "machine", "", "silent", BM_LOG_ERROR, why);
		return states;
	}
	add_machine(status, states);
	add_databases(status, states);
	add_each(json_object_get(status, "syncs"), add_sync, states);
	add_each(json_object_get(status, "units"), add_unit, states);
	add_migrations(status, states);
	return states;
}

bool notify_is_unknown(const json_t *states, const char *subject)
{
	const char *known;
	json_t *state;

	json_object_foreach((json_t *)(uintptr_t)states, known, state)
	{
		size_t length = strlen(known);
		bool is_below = length == 0 ||
				(strncmp(subject, known, length) == 0 &&
						(subject[length] == '\0' ||
								subject[length] == ' '));
		if (json_is_null(state) && is_below) {
			return true;
		}
	}
	return false;
}

enum bm_log_level notify_level_of(const char *name)
{
	for (enum bm_log_level level = BM_LOG_DEBUG; level <= BM_LOG_ERROR; level++) {
		if (strcmp(bm_log_level_name(level), name) == 0) {
			return level;
		}
	}
	return BM_LOG_INFO;
}

enum bm_log_level notify_level(const json_t *state)
{
	return notify_level_of(text_of(state, "level"));
}
