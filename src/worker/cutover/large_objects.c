/*
 * Large objects: made the same at leisure, again just before the lock, in the freeze, and once
 * more after the commit. The lock is on the catalogs that hold them, since nothing else keeps
 * anybody from writing one; who waits for it at the commit gets it then, and writes. What was
 * written so is carried before the other side is open.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/protocol/report.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
#include "worker/cutover/attempt.h"
#include "worker/cutover/conditions.h"
#include "worker/cutover/ready.h"
#include "worker/objects/objects.h"
#include "worker/session/ask.h"

/* Bucardo is at work during the first pass, and applications are during the second. */
#define FIRST_LIMIT_MSEC 600000
#define ONCE_LIMIT_MSEC 60000

/* No side can be written to meanwhile. */
#define LATE_LIMIT_MSEC 5000
#define LATE_LOCK "2s"

/* Of the budget, what they may take; and how often their prints are read in it. */
#define SHARE 2
#define READINGS 2

/* clang-format off */
static const char there_sql[] = "SELECT EXISTS (SELECT 1 FROM pg_largeobject_metadata)";

/* What a pass asks for, and what the lock does; only a superuser has it unless it was granted. */
static const char may_sql[] =
"SELECT has_table_privilege('pg_largeobject', 'SELECT'), bool_and(has_table_privilege(c, 'UPDATE'))"
" FROM unnest(ARRAY['pg_largeobject', 'pg_largeobject_metadata']) c";

#define LOCK "LOCK TABLE pg_catalog.pg_largeobject, pg_catalog.pg_largeobject_metadata IN EXCLUSIVE MODE"
/* clang-format on */

/* ---- passes ---- */

int bm_cutover_find_objects(struct bm_cutover *c, struct bm_error *err)
{
	c->has_objects = false;
	for (int i = 0; i < 2; i++) {
		PGresult *rows = bm_phase_ask(
				c->phase, i == 0 ? c->from : c->to, there_sql, 0, NULL, err);
		if (rows == NULL) {
			return bm_error_wrap(err, "looking for large objects");
		}
		c->has_objects = c->has_objects || PQgetvalue(rows, 0, 0)[0] == 't';
		PQclear(rows);
	}
	c->has_objects = c->has_objects &&
			!bm_cutover_is_accepted(c->phase, BM_CUTOVER_OBJECTS);
	return 0;
}

static struct bm_objects objects_of(const struct bm_cutover *c)
{
	return (struct bm_objects){.from = c->freeze,
			.to = c->carry,
			.roles = &c->phase->request.roles,
			.is_back = c->from == BM_SIDE_DESTINATION};
}

static int pass(struct bm_cutover *c, uint64_t limit_msec, struct bm_error *err)
{
	const struct bm_objects objects = objects_of(c);
	struct bm_objects_result result;
	int rc = bm_objects_pass(&objects, limit_msec, &result, err);

	snprintf(c->detail, sizeof(c->detail), "%" PRIu64 " compared, %" PRIu64 " copied",
			result.looked, result.copied);
	if (result.told[0] != '\0') {
		bm_report_note("large objects: %s", result.told);
	}
	return rc;
}

int bm_cutover_objects(struct bm_cutover *c, struct bm_error *err)
{
	return bm_cutover_connect_both(c, err) == 0 ? pass(c, FIRST_LIMIT_MSEC, err) : -1;
}

int bm_cutover_objects_once(struct bm_cutover *c, struct bm_error *err)
{
	return c->has_objects ? pass(c, ONCE_LIMIT_MSEC, err) : 0;
}

int bm_cutover_objects_frozen(struct bm_cutover *c, struct bm_error *err)
{
	int rc = pass(c, bm_budget_left(c), err);

	if (rc != 0) {
		bm_budget_check(c, err);
	}
	return rc;
}

/* ---- after the point of no return ---- */

static int late(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (bm_cutover_connect_both(c, err) != 0 ||
			bm_budget_script(c, c->freeze,
					"BEGIN; SET LOCAL lock_timeout = '" LATE_LOCK
					"'; " LOCK,
					err) != 0) {
		return -1;
	}
	int rc = pass(c, LATE_LIMIT_MSEC, err);
	if (PQstatus(c->freeze) == CONNECTION_OK) {
		bm_budget_script(c, c->freeze, rc == 0 ? "COMMIT" : "ROLLBACK", &ignored);
	}
	return rc;
}

/* Nobody waits for it longer than this: the other side is opened in either case. */
int bm_cutover_objects_late(struct bm_cutover *c, struct bm_error *err)
{
	struct bm_error failed = BM_ERROR_INIT;

	(void)err;
	if (late(c, &failed) != 0) {
		bm_report_note("large objects that were written on the %s until its commit may "
			       "be missing on the %s: %s; compare with bucardo-machine verify %s",
				bm_side_name(c->from), bm_side_name(c->to), failed.message,
				c->phase->request.name);
		snprintf(c->detail, sizeof(c->detail), "%.390s", failed.message);
	}
	return 0;
}

void bm_cutover_objects_watch(struct bm_cutover *c)
{
	const struct bm_objects objects = objects_of(c);
	struct bm_error failed = BM_ERROR_INIT;
	char names[64] = "";
	uint64_t count = 0;

	if (!c->has_objects || c->freeze == NULL || PQstatus(c->freeze) != CONNECTION_OK) {
		return;
	}
	if (bm_objects_written(&objects, LATE_LIMIT_MSEC, names, &count, &failed) != 0) {
		bm_report_note("whether somebody still writes large objects of the %s is not "
			       "known: %s",
				bm_side_name(c->from), failed.message);
	} else if (count > 0) {
		bm_report_note("%" PRIu64 " large objects of the %s were written after the %s "
			       "became the live side, and are not there: %s. End what writes "
			       "them, and copy them by hand",
				count, bm_side_name(c->from), bm_side_name(c->to), names);
	}
}

/* ---- whether that fits into the budget ---- */

static void set(json_t *condition, bool ready, const char *value, const char *why,
		const char *hint)
{
	json_object_set_new(condition, "state", json_string(ready ? "ready" : "not_ready"));
	json_object_set_new(condition, "value", bm_json_text(value));
	json_object_set_new(condition, "why", bm_json_text(why));
	json_object_set_new(condition, "hint", bm_json_text(hint));
}

/* 1: our role may do what it takes; 0: not, and it is told; -1 with `err`. */
static int ask_rights(const struct bm_cutover *c, json_t *condition, struct bm_error *err)
{
	int may = 1;

	for (int i = 0; may == 1 && i < 2; i++) {
		enum bm_side side = i == 0 ? c->from : c->to;
		PGresult *rows = bm_phase_ask(c->phase, side, may_sql, 0, NULL, err);
		may = rows == NULL ? -1
				   : PQgetvalue(rows, 0, 0)[0] == 't' &&
						(side == c->to ||
								PQgetvalue(rows, 0, 1)[0] ==
										't');
		PQclear(rows);
		if (may == 0) {
			char why[160];
			snprintf(why, sizeof(why),
					"our role may not %s the catalogs of large objects on the %s",
					side == c->from ? "read and lock" : "read",
					bm_side_name(side));
			set(condition, false, "not known", why,
					"as a superuser there: GRANT SELECT, UPDATE ON pg_largeobject, "
					"pg_largeobject_metadata TO our role; or --accept '"
					"large objects', and they stay as they are there");
		}
	}
	return may;
}

static int measure(const struct bm_cutover *c, json_t *condition, struct bm_error *err)
{
	struct bm_objects_size sizes[2];
	uint64_t most = c->request->budget_msec / SHARE, msec = 0;
	char value[120], limit[40], hint[200];

	for (int i = 0; i < 2; i++) {
		PGconn *conn = bm_phase_conn(c->phase, i == 0 ? c->from : c->to, err);
		if (conn == NULL ||
				bm_objects_measure(conn, ONCE_LIMIT_MSEC, &sizes[i], err) !=
						0) {
			return -1;
		}
		msec += sizes[i].msec * READINGS;
	}
	snprintf(value, sizeof(value), "%" PRIu64 " objects, %" PRIu64 " kB, %" PRIu64 " ms",
			sizes[0].count, sizes[0].bytes / 1024, msec);
	snprintf(limit, sizeof(limit), "%" PRIu64 " ms", most);
	snprintf(hint, sizeof(hint),
			"--budget %" PRIu64
			"ms; or --accept 'large objects', and they stay as they "
			"are there",
			msec * SHARE + 1);
	json_object_set_new(condition, "limit", json_string(limit));
	set(condition, msec <= most, value,
			msec <= most ? ""
				     : "looking for those that were written takes too much of "
				       "the budget",
			msec <= most ? "" : hint);
	return 0;
}

int bm_cutover_look_at_objects(struct bm_phase *phase, json_t *condition, struct bm_error *err)
{
	struct bm_cutover c = {.phase = phase,
			.request = &phase->request.cutover,
			.from = bm_cutover_from(phase),
			.to = bm_cutover_to(phase)};

	if (bm_cutover_find_objects(&c, err) != 0) {
		return -1;
	}
	if (!c.has_objects) {
		bool accepted = bm_cutover_is_accepted(phase, BM_CUTOVER_OBJECTS);
		set(condition, true, accepted ? "accepted" : "none", "", "");
		return 0;
	}
	int may = ask_rights(&c, condition, err);
	return may == 1 ? measure(&c, condition, err) : may;
}
