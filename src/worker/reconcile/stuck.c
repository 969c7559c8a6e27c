/* What keeps a part of the passes from being done: once it lasts, it is the migration's
 * trouble. */
#include <jansson.h>
#include <stdio.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/fence.h"
#include "bucardo_machine/json.h"
#include "worker/deltas/purge_lock.h"
#include "worker/live/pass.h"

/* A lock of the application's, a server that restarts: over by then. */
#define STUCK_MSEC 30000

#define PURGE "the lock of purges"

static const char holder_sql[] =
#include "worker/reconcile/sql/advisory_lock_holder.sql.inc"
		;

void bm_pass_problem(struct bm_pass *pass, const char *part, const char *text)
{
	json_t *known = json_object_get(pass->stuck, part);
	json_int_t since = known != NULL
			? json_integer_value(json_object_get(known, "since_msec"))
			: (json_int_t)bm_clock_msec();

	json_object_set_new(pass->stuck, part,
			json_pack("{s:I, s:o}", "since_msec", since, "text",
					bm_json_text(text)));
}

void bm_pass_solved(struct bm_pass *pass, const char *part)
{
	json_object_del(pass->stuck, part);
}

static PGresult *ask_holder(struct bm_pass *pass, enum bm_side side, const char *class_id,
		const char *object_id, const char *kind, struct bm_error *err)
{
	const char *const params[] = {class_id, object_id, kind};

	return bm_phase_ask(pass->phase, side, holder_sql, 3, params, err);
}

void bm_pass_held_up(struct bm_pass *pass)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = ask_holder(pass, BM_SIDE_DESTINATION, BM_FENCE_LOCKS,
			BM_FENCE_LOCK_SIDE, "2", &ignored);
	bool is_known = rows != NULL && PQntuples(rows) > 0;
	char text[600];

	snprintf(text, sizeof(text),
			"sequences, lost changes and new tables wait: %s on the destination holds the "
			"advisory lock (" BM_FENCE_LOCKS ", " BM_FENCE_LOCK_SIDE
			") by which the sides change places; end that session",
			is_known ? PQgetvalue(rows, 0, 0) : "somebody");
	PQclear(rows);
	bm_pass_problem(pass, BM_PASS_HELD_UP, text);
}

int bm_pass_look_at_purge(struct bm_pass *pass, struct bm_error *err)
{
	if (!bm_pass_applies(pass)) {
		return 0;
	}
	PGresult *rows = ask_holder(
			pass, pass->live, BM_PURGE_LOCK_CLASS, BM_PURGE_LOCK_OBJECT, "1", err);
	char text[600];

	if (rows != NULL && PQntuples(rows) > 0) {
		snprintf(text, sizeof(text),
				"nothing that was applied is purged: %s on the %s holds the advisory "
				"lock " BM_PURGE_LOCK "; end that session",
				PQgetvalue(rows, 0, 0), bm_side_name(pass->live));
		bm_pass_problem(pass, PURGE, text);
	} else if (rows != NULL) {
		bm_pass_solved(pass, PURGE);
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

void bm_pass_report_stuck(struct bm_pass *pass)
{
	const char *part, *oldest = NULL;
	json_t *known, *evidence = pass->phase->evidence;
	json_int_t since = (json_int_t)bm_clock_msec() - STUCK_MSEC;

	json_object_foreach(pass->stuck, part, known)
	{
		json_int_t begun = json_integer_value(json_object_get(known, "since_msec"));
		if (begun <= since) {
			since = begun;
			oldest = json_string_value(json_object_get(known, "text"));
		}
	}
	if (oldest != NULL) {
		json_object_set_new(evidence, "stuck", bm_json_text(oldest));
		bm_pass_note(pass, "stuck", oldest);
	} else {
		json_object_del(evidence, "stuck");
		bm_pass_forget(pass, "stuck");
	}
}
