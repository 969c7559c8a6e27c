/* Tables without a key, which nobody captures: copied again in the freeze where they differ. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/json.h"
#include "worker/apply/apply_whole.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/conditions.h"
#include "worker/cutover/ready.h"

/* Of the budget, what they may take: the rest is for the keys. And what reading them took at
 * `--check`, times this, is what a copy of all of them takes: read, emptied, copied, read
 * again.
 */
#define SHARE 2
#define FACTOR 6

/* How often they are read for that at most: the quickest counts, on a busy host too. */
#define READINGS 5

struct names {
	const char **list;
	size_t count;
};

static void collect(struct bm_cutover *c, struct names *out)
{
	*out = (struct names){.list = bm_alloc((c->table_count + 1) * sizeof(const char *))};
	for (size_t i = 0; i < c->table_count; i++) {
		const char *name = c->tables[i].name;
		if (bm_apply_is_whole(c->apply, name) &&
				!bm_cutover_is_accepted(c->phase, name)) {
			out->list[out->count++] = name;
		}
	}
}

/* Held already, unless a person keeps writers off. */
static int lock(struct bm_cutover *c, const struct names *names, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	for (size_t i = 0; i < names->count; i++) {
		bm_strbuf_printf(&sql, "%s ONLY %s", i == 0 ? "LOCK TABLE" : ",",
				names->list[i]);
	}
	bm_strbuf_puts(&sql, " IN EXCLUSIVE MODE");
	int rc = bm_budget_do(c, c->freeze, bm_strbuf_text(&sql), 0, NULL, err);
	bm_strbuf_finish(&sql);
	return rc;
}

int bm_cutover_keyless(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_apply_whole_result result = {0};
	struct names names;
	int rc = 0;

	collect(c, &names);
	if (names.count > 0) {
		rc = lock(c, &names, err);
		rc = rc == 0 ? bm_apply_whole(c->apply, names.list, names.count, true,
					       bm_budget_left(c), &result, err)
			     : -1;
		snprintf(c->detail, sizeof(c->detail),
				"%u of %zu tables without a key, %" PRIu64 " rows",
				result.copied, names.count, result.rows);
	}
	if (rc != 0) {
		bm_budget_check(c, err);
	}
	free(names.list);
	return rc;
}

/* ---- whether that fits into the budget ---- */

static void tell(const struct bm_cutover *c, const struct names *names,
		const struct bm_apply_whole_result *result, json_t *condition)
{
	uint64_t expected = result->msec * FACTOR, most = c->request->budget_msec / SHARE;
	bool ready = expected <= most;
	char value[160], limit[40], why[200] = "", hint[400] = "";

	snprintf(value, sizeof(value),
			"%zu tables, %" PRIu64 " rows, %" PRIu64 " kB, %" PRIu64 " ms",
			names->count, result->rows, result->bytes / 1024, expected);
	snprintf(limit, sizeof(limit), "%" PRIu64 " ms", most);
	if (!ready) {
		snprintf(why, sizeof(why), "copying %.60s%s again takes too much of the budget",
				names->list[0], names->count > 1 ? " and others" : "");
		snprintf(hint, sizeof(hint),
				"ALTER TABLE %.80s ADD PRIMARY KEY (...), so that it is "
				"replicated; --accept %.80s, and its rows stay as they are there; "
				"or --budget %" PRIu64 "ms",
				names->list[0], names->list[0], expected * SHARE);
	}
	json_object_set_new(condition, "state", json_string(ready ? "ready" : "not_ready"));
	json_object_set_new(condition, "value", json_string(value));
	json_object_set_new(condition, "limit", json_string(limit));
	json_object_set_new(condition, "why", bm_json_text(why));
	json_object_set_new(condition, "hint", bm_json_text(hint));
}

/* What takes longer than the budget has taken all of it. */
static int read_once(struct bm_cutover *c, const struct names *names,
		struct bm_apply_whole_result *result, struct bm_error *err)
{
	uint64_t limit_msec = c->request->budget_msec;
	int rc = bm_apply_whole(
			c->apply, names->list, names->count, false, limit_msec, result, err);

	if (rc != 0 && (err->code == BM_ERR_TIMEOUT || strcmp(err->sqlstate, "57014") == 0)) {
		result->msec = limit_msec;
		*err = (struct bm_error)BM_ERROR_INIT;
		rc = 0;
	}
	return rc;
}

static bool is_worth_another(const struct bm_cutover *c, uint64_t msec)
{
	unsigned budget = c->request->budget_msec;

	return msec < budget && msec * FACTOR > budget / SHARE;
}

static int measure(struct bm_cutover *c, json_t *condition, struct bm_error *err)
{
	struct bm_apply_whole_result result = {0}, next;
	struct names names;
	int rc = 0;

	collect(c, &names);
	rc = names.count > 0 ? read_once(c, &names, &result, err) : 0;
	for (int i = 1; rc == 0 && i < READINGS && is_worth_another(c, result.msec); i++) {
		rc = read_once(c, &names, &next, err);
		result = next.msec < result.msec ? next : result;
	}
	if (rc == 0 && names.count > 0) {
		tell(c, &names, &result, condition);
	}
	free(names.list);
	return rc;
}

/* More exactly: tables that nobody captures. */
static bool has_keyless(struct bm_phase *phase, enum bm_side from, struct bm_error *err)
{
	static const char sql[] =
			"SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid ="
			" c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND"
			" n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
			" AND NOT EXISTS (SELECT 1 FROM bucardo.machine_captured m"
			" WHERE to_regclass(m.tablename) = c.oid))";
	PGresult *row = bm_phase_ask(phase, from, sql, 0, NULL, err);
	bool has = row != NULL && PQgetvalue(row, 0, 0)[0] == 't';

	PQclear(row);
	return has;
}

int bm_cutover_look_at_keyless(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	struct bm_cutover c = {.phase = phase,
			.request = &phase->request.cutover,
			.from = bm_cutover_from(phase),
			.to = bm_cutover_to(phase)};
	enum bm_side catalog = phase->catalog;

	json_object_set_new(condition, "state", json_string("ready"));
	json_object_set_new(condition, "value", json_string("none"));
	json_object_set_new(condition, "why", json_string(""));
	json_object_set_new(condition, "hint", json_string(""));
	if (!has_keyless(phase, c.from, err)) {
		return err->message[0] == '\0' ? 0 : -1;
	}
	phase->catalog = c.from;
	int rc = bm_cutover_read_tables(&c, err);
	rc = rc == 0 ? bm_cutover_begin_applier(&c, err) : -1;
	rc = rc == 0 ? measure(&c, condition, err) : -1;
	phase->catalog = catalog;
	bm_apply_destroy(c.apply);
	PQfinish(c.freeze);
	PQfinish(c.carry);
	bm_cutover_forget_tables(&c);
	return rc;
}
