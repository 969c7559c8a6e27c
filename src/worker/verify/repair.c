/* Keys of rows that differ, written into the delta table of the live side. */
#include "worker/verify/repair.h"

#include <jansson.h>
#include <string.h>

#include "bucardo_machine/fence.h"
#include "bucardo_machine/strbuf.h"
#include "worker/verify/live_side.h"

#define SHARE_SIDE                                                                             \
	"SET LOCAL lock_timeout = '10s';"                                                      \
	" SELECT pg_advisory_xact_lock_shared(" BM_FENCE_LOCKS ", " BM_FENCE_LOCK_SIDE ")"

/* clang-format off */
static const char send_sql[] =
#include "worker/verify/sql/verify_send.sql.inc"
;
/* clang-format on */

int bm_repair_begin(struct bm_repair *repair, struct bm_error *err)
{
	return bm_live_side(repair->pair, repair->migration, &repair->live, err);
}

/* ---- what is sent ---- */

/* The live side does not have such a row. */
static bool is_extra(const struct bm_repair *repair, int kind)
{
	return kind == (repair->live == BM_PAIR_SOURCE ? BM_ROW_EXTRA : BM_ROW_MISSING);
}

static bool is_sent(const struct bm_repair *repair, int kind)
{
	return !is_extra(repair, kind) || repair->deletes_extra;
}

static size_t count_kinds(
		const struct bm_repair *repair, const struct bm_recheck *recheck, bool sent)
{
	size_t count = 0;

	for (int kind = 0; kind < BM_ROW_KINDS; kind++) {
		count += is_sent(repair, kind) == sent ? recheck->found[kind].count : 0;
	}
	return count;
}

/* ---- sending ---- */

static int insert_kind(
		PGconn *live, const char *sql, const struct bm_keys *keys, struct bm_error *err)
{
	char *params[BM_KEYS_COLUMNS];

	if (keys->count == 0) {
		return 0;
	}
	bm_keys_params(keys, 0, keys->count, params);
	PGresult *result = bm_pair_ask_one(
			live, sql, (int)keys->columns, (const char *const *)params, err);
	bm_keys_free_params(keys, params);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* 1 sent, 0 not, with `why`, -1. A row that stays may hold what one that comes has to have. */
static int insert(const struct bm_repair *repair, const struct bm_recheck *recheck,
		const char **why, struct bm_error *err)
{
	PGconn *live = repair->pair->aside[repair->live];
	const char *const params[] = {recheck->scan->table->name};
	PGresult *plan = bm_pair_ask_one(live, send_sql, 1, params, err);
	int rc = plan == NULL ? -1 : PQntuples(plan) > 0;

	if (rc == 0) {
		*why = "its changes are not captured any more";
	} else if (rc > 0 && PQgetvalue(plan, 0, 1)[0] == 't' &&
			count_kinds(repair, recheck, false) > 0) {
		*why = "rows that the live side does not have may hold values of its unique "
		       "constraints: --delete-extra deletes those rows as well";
		rc = 0;
	}
	for (int kind = 0; rc > 0 && kind < BM_ROW_KINDS; kind++) {
		if (is_sent(repair, kind) &&
				insert_kind(live, PQgetvalue(plan, 0, 0), &recheck->found[kind],
						err) != 0) {
			rc = -1;
		}
	}
	PQclear(plan);
	return rc;
}

/* The destination's transaction holds the side, whichever is live. */
static int insert_held(const struct bm_repair *repair, const struct bm_recheck *recheck,
		const char **why, struct bm_error *err)
{
	PGconn *const *conns = repair->pair->aside;
	enum bm_pair_side live;

	if (bm_moment_start(conns[BM_PAIR_DESTINATION], "BEGIN", SHARE_SIDE, err) != 0 ||
			bm_moment_start(conns[BM_PAIR_SOURCE], "BEGIN",
					"SET LOCAL lock_timeout = '10s'", err) != 0 ||
			bm_live_side(repair->pair, repair->migration, &live, err) != 0) {
		return -1;
	}
	if (live != repair->live) {
		*why = "the sides have changed places meanwhile: verify it again";
		return 0;
	}
	int rc = insert(repair, recheck, why, err);
	return rc > 0 && bm_pair_do(conns[live], "COMMIT", err) != 0 ? -1 : rc;
}

/* ---- what the report says ---- */

/* Of rows that differed, those that were sent become "found". */
static void divide(const struct bm_repair *repair, struct bm_recheck *recheck, json_t *object)
{
	json_t *found = json_array(), *left = json_array();
	size_t index;
	json_t *one;

	json_array_foreach(recheck->differences, index, one)
	{
		const char *name = json_string_value(json_object_get(one, "kind"));
		int kind = 0;
		while (kind < BM_ROW_KINDS - 1 && strcmp(bm_row_kinds[kind], name) != 0) {
			kind++;
		}
		json_array_append(is_sent(repair, kind) ? found : left, one);
	}
	json_object_set_new(object, "found", found);
	json_decref(recheck->differences);
	recheck->differences = left;
}

static void look_again(struct bm_repair *repair, struct bm_recheck *recheck)
{
	for (int kind = 0; kind < BM_ROW_KINDS; kind++) {
		struct bm_keys *found = &recheck->found[kind];
		if (is_sent(repair, kind)) {
			for (size_t i = 0; i < found->count; i++) {
				found->list[i].sent = true;
			}
			recheck->kinds[kind] -= found->count;
			recheck->sent += found->count;
			bm_keys_add_all(&recheck->scan->suspects, found);
		}
		repair->room += found->count;
		bm_keys_finish(found);
	}
	recheck->room = NULL;
	bm_keys_sort(&recheck->scan->suspects);
}

static void set_why(json_t *object, const char *why)
{
	json_object_set_new(object, "unrepaired", json_string(why));
}

static int send(struct bm_repair *repair, struct bm_recheck *recheck, json_t *object,
		struct bm_error *err)
{
	const char *why = "";
	int rc = insert_held(repair, recheck, &why, err);

	bm_moment_stop(repair->pair->aside[BM_PAIR_SOURCE]);
	bm_moment_stop(repair->pair->aside[BM_PAIR_DESTINATION]);
	if (rc == 0) {
		set_why(object, why);
	}
	return rc;
}

int bm_repair_send(struct bm_repair *repair, struct bm_recheck *recheck, json_t *object,
		struct bm_error *err)
{
	const struct bm_scan *scan = recheck->scan;
	size_t wanted = count_kinds(repair, recheck, true);
	size_t extra = count_kinds(repair, recheck, false);

	if (wanted + extra == 0 || scan->truncated || scan->too_many_pending) {
		return 0;
	}
	if (scan->table->pending[repair->live] == NULL) {
		set_why(object,
				repair->live == BM_PAIR_SOURCE
						? "its changes are not captured, so none of its rows "
						  "can be sent: copy it again"
						: "the destination is the live side, and nothing of it "
						  "goes back to the source");
		return 0;
	}
	int rc = wanted > 0 ? send(repair, recheck, object, err) : 0;
	if (rc > 0) {
		divide(repair, recheck, object);
		look_again(repair, recheck);
	}
	if (rc >= 0 && extra > 0 && json_object_get(object, "unrepaired") == NULL) {
		set_why(object,
				"rows that the live side does not have stay: --delete-extra "
				"deletes them");
	}
	return rc;
}

void bm_repair_tell(const struct bm_recheck *recheck, json_t *object)
{
	size_t left = recheck->unrepaired;

	for (size_t i = 0; i < recheck->scan->suspects.count; i++) {
		left += recheck->scan->suspects.list[i].sent;
	}
	json_object_set_new(object, "sent", json_integer((json_int_t)recheck->sent));
	json_object_set_new(
			object, "repaired", json_integer((json_int_t)(recheck->sent - left)));
}
