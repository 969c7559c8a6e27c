/*
 * What changed since it was proven, compared again while applications write: the last thing
 * before the freeze that takes time. Nobody but our own applier carries by now, so what is not
 * proven by this are the keys that it carries from here on, and those are compared by it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/protocol/report.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "bucardo_machine/strbuf.h"
#include "bucardo_machine/verify.h"
#include "worker/apply/apply.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/conditions.h"
#include "worker/cutover/ready.h"
#include "worker/scan/pair.h"

/* All of it; and one reading, between which what waits is carried. */
#define LIMIT_MSEC 60000
#define BATCH_MSEC 1000
#define CARRY_MSEC 1000

/* A purge, which comes each 30 s, makes ranges stale; what came to be so meanwhile is read too.
 */
#define PASSES 5

/* clang-format off */
static const char stale_sql[] =
#include "worker/cutover/sql/stale_tables.sql.inc"
;
/* clang-format on */

struct stale {
	struct bm_cutover *c;
	json_t *tables; /* captured, and not accepted as unproven: their names */
	uint64_t end_msec, carried_msec;
	json_int_t ranges, looked; /* that were read; tables */
	struct bm_strbuf different, unproven;
	bool is_untold;		 /* of a table nothing can be said: too much is captured */
	struct bm_error carried; /* why what waits could not be */
};

/* ---- which tables ---- */

static int read_tables(struct stale *s, struct bm_error *err)
{
	struct bm_cutover *c = s->c;
	PGresult *rows = bm_phase_ask(c->phase, c->from, bm_ready_tables_sql, 1,
			&c->phase->request.name, err);
	json_t *all = rows != NULL ? json_loads(PQgetvalue(rows, 0, 0), 0, NULL) : NULL;
	size_t i;
	json_t *name;

	s->tables = json_object();
	json_array_foreach(all, i, name)
	{
		if (!bm_cutover_is_accepted(c->phase, json_string_value(name))) {
			json_object_set_new(s->tables, json_string_value(name), json_true());
		}
	}
	json_decref(all);
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static bool is_due(void *ctx, const char *table, bool has_key)
{
	const struct stale *s = ctx;

	return has_key && json_object_get(s->tables, table) != NULL;
}

/* ---- what is found ---- */

static void add(struct bm_strbuf *to, const char *table, const char *what)
{
	if (to->length < 300) {
		bm_strbuf_printf(to, "%s%s: %s", to->length > 0 ? "; " : "", table, what);
	}
}

static void add_difference(struct stale *s, const char *table, const json_t *object)
{
	const json_t *first = json_array_get(json_object_get(object, "differences"), 0);
	const char *kind = json_string_value(json_object_get(first, "kind"));
	struct bm_strbuf text = BM_STRBUF_INIT;
	const char *column;
	const json_t *value;

	if (first == NULL) {
		add(&s->different, table, json_string_value(json_object_get(object, "why")));
		return;
	}
	bm_strbuf_printf(&text, "%" PRId64 " rows, the first is %s, with key (",
			(int64_t)json_array_size(json_object_get(object, "differences")),
			kind != NULL ? kind : "");
	json_object_foreach((json_t *)(uintptr_t)json_object_get(first, "key"), column, value)
	{
		bm_strbuf_printf(&text, "%s%s", text.text[text.length - 1] == '(' ? "" : ", ",
				json_string_value(value));
	}
	bm_strbuf_puts(&text, ")");
	add(&s->different, table, bm_strbuf_text(&text));
	bm_strbuf_finish(&text);
}

static void on_object(void *ctx, const json_t *object)
{
	struct stale *s = ctx;
	const char *table = json_string_value(json_object_get(object, "name"));
	enum bm_proof state = bm_proof_named(
			json_string_value(json_object_get(object, "state")));
	const char *why = json_string_value(json_object_get(object, "why"));

	if (json_object_get(s->tables, table) == NULL) {
		return;
	}
	s->looked++;
	s->ranges += json_integer_value(json_object_get(object, "ranges_read"));
	if (state == BM_PROOF_DIFFERENT) {
		add_difference(s, table, object);
	} else if (json_is_true(json_object_get(object, "is_untold"))) {
		s->is_untold = true;
		add(&s->unproven, table, why);
	} else if (state == BM_PROOF_UNPROVEN) {
		add(&s->unproven, table, why);
	}
}

/* Between two readings what waits is carried, so that little does. */
static bool rest(void *ctx, uint64_t took_msec, uint64_t bytes)
{
	struct stale *s = ctx;
	uint64_t now = bm_clock_msec();

	(void)took_msec;
	(void)bytes;
	if (now - s->carried_msec < CARRY_MSEC) {
		return true;
	}
	uint64_t left = s->end_msec > now ? s->end_msec - now : 1;
	int rc = bm_apply_pass(s->c->apply, left, NULL, &s->carried);
	s->carried_msec = bm_clock_msec();
	return rc == 0;
}

/* ---- a pass ---- */

static int run(struct stale *s, struct bm_verify_beside *beside, struct bm_error *err)
{
	struct bm_cutover *c = s->c;
	const struct bm_phase_request *request = &c->phase->request;
	struct bm_conninfo source = {0}, destination = {0};
	const struct bm_verify_options options = {.source = &source,
			.destination = &destination,
			.filter = &request->filter,
			.roles = &request->roles,
			.extensions = &request->extensions,
			.migration = request->name,
			.trusting = true,
			.beside = beside,
			.on_object = on_object,
			.ctx = s};
	enum bm_proof ignored;

	bm_phase_conninfo(c->phase, BM_SIDE_SOURCE, &source);
	bm_phase_conninfo(c->phase, BM_SIDE_DESTINATION, &destination);
	bm_pair_end_by(s->end_msec);
	json_t *report = bm_verify_run(&options, &ignored, err);
	bm_pair_end_by(0);
	bm_conninfo_finish(&source);
	bm_conninfo_finish(&destination);
	json_decref(report);
	return report != NULL ? 0 : -1;
}

static int evaluate(struct stale *s, const struct bm_verify_beside *beside, int rc,
		struct bm_error *err)
{
	struct bm_phase *phase = s->c->phase;

	if (s->different.length > 0) {
		snprintf(phase->hint, sizeof(phase->hint),
				"bucardo-machine verify %s --repair sends those rows again",
				phase->request.name);
		return bm_error_set(err, BM_ERR_PRECONDITION, "both sides differ: %.500s",
				bm_strbuf_text(&s->different));
	}
	if (s->carried.message[0] != '\0') {
		*err = s->carried;
		return -1;
	}
	if (beside->is_ended || (rc != 0 && bm_clock_msec() >= s->end_msec)) {
		snprintf(phase->hint, sizeof(phase->hint),
				"what was read is proven, so the next attempt has less to read: "
				"ask again; or at an hour with fewer changes, after "
				"bucardo-machine verify %s --incremental",
				phase->request.name);
		return bm_error_set(err, BM_ERR_TIMEOUT,
				"comparing what changed since it was proven took longer than %d "
				"s (%lld ranges of %lld tables were read)",
				LIMIT_MSEC / 1000, (long long)s->ranges, (long long)s->looked);
	}
	if (rc != 0 && beside->is_kept_by_another) {
		snprintf(phase->hint, sizeof(phase->hint),
				"wait until `bucardo-machine verify %s` is done, or end it",
				phase->request.name);
	}
	if (rc == 0 && s->unproven.length > 0 && !s->is_untold) {
		snprintf(phase->hint, sizeof(phase->hint),
				"bucardo-machine verify %s says more; or --accept that table",
				phase->request.name);
		return bm_error_set(err, BM_ERR_PRECONDITION, "not proven: %.500s",
				bm_strbuf_text(&s->unproven));
	}
	return rc;
}

static int pass(struct stale *s, struct bm_error *err)
{
	struct bm_verify_beside beside = {.batch_msec = BATCH_MSEC,
			.rest = rest,
			.is_due = is_due,
			.ctx = s,
			.is_quiet = true,
			.end_msec = s->end_msec};

	s->is_untold = false;
	s->looked = 0;
	bm_strbuf_clear(&s->unproven);
	return evaluate(s, &beside, run(s, &beside, err), err);
}

/* ---- passes, until nothing came to be stale meanwhile ---- */

static int count_stale(struct stale *s, enum bm_side side, long *count, struct bm_error *err)
{
	char *names = json_dumps(s->tables, JSON_COMPACT);
	const char *const params[] = {s->c->phase->request.name, names};
	PGresult *rows = bm_phase_ask(s->c->phase, side,
			"SELECT to_regclass('bucardo.machine_proof_marks') IS NOT NULL", 0,
			NULL, err);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows != NULL ? 0 : -1;

	PQclear(rows);
	if (is_there) {
		rows = bm_phase_ask(s->c->phase, side, stale_sql, 2, params, err);
		*count += rows != NULL ? atol(PQgetvalue(rows, 0, 0)) : 0;
		rc = rows != NULL ? 0 : -1;
		PQclear(rows);
	}
	free(names);
	return rc;
}

static int all_passes(struct stale *s, struct bm_error *err)
{
	long stale = 1;
	int passes = 0, rc = 0;

	while (rc == 0 && stale > 0 && passes++ < PASSES) {
		/* What is carried from here on is compared before the fence. */
		bm_apply_forget(s->c->apply);
		rc = pass(s, err);
		if (rc == 0 && s->is_untold) {
			/* More keys than are looked at one by one: their ranges are. */
			rc = bm_cutover_purge(s->c, err);
		}
		stale = s->is_untold;
		if (rc == 0) {
			rc = count_stale(s, BM_SIDE_SOURCE, &stale, err);
		}
		if (rc == 0) {
			rc = count_stale(s, BM_SIDE_DESTINATION, &stale, err);
		}
	}
	if (rc == 0 && stale > 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"more changes than can be compared again%s%s",
				s->unproven.length > 0 ? ": " : "",
				bm_strbuf_text(&s->unproven));
	}
	return rc;
}

int bm_cutover_verify(struct bm_cutover *c, struct bm_error *err)
{
	struct stale s = {.c = c,
			.end_msec = bm_clock_msec() + LIMIT_MSEC,
			.different = BM_STRBUF_INIT,
			.unproven = BM_STRBUF_INIT,
			.carried = BM_ERROR_INIT};
	int rc = read_tables(&s, err) == 0 ? all_passes(&s, err) : -1;

	/* What came meanwhile. */
	rc = rc == 0 ? bm_cutover_carry_all(c, err) : -1;
	snprintf(c->detail, sizeof(c->detail), "%lld ranges of %zu tables were stale",
			(long long)s.ranges, json_object_size(s.tables));
	json_decref(s.tables);
	bm_strbuf_finish(&s.different);
	bm_strbuf_finish(&s.unproven);
	return rc;
}
