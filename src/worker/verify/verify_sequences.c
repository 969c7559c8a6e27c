/*
 * Sequences: the side that follows must not stand behind the live one. It may stand before it:
 * sequences are transferred with head-room.
 */
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/strbuf.h"
#include "worker/verify/live_side.h"
#include "worker/verify/object.h"

#define ROUND_MSEC 500

/* clang-format off */
static const char sequences_sql[] =
#include "worker/verify/sql/verify_sequences.sql.inc"
;
/* clang-format on */

/* The sequences of one side: the live one, and the one that follows. */
enum { LIVE, FOLLOWER, ENDS };

struct standing {
	enum bm_pair_side side;
	PGresult *rows;
	__int128 *next; /* the value that comes next; where it may be read */
};

static int row_named(const PGresult *rows, const char *name)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, 0), name) == 0) {
			return row;
		}
	}
	return -1;
}

static bool may_read(const PGresult *rows, int row)
{
	return !PQgetisnull(rows, row, 1) || PQgetvalue(rows, row, 3)[0] == 't';
}

static long long number_at(const PGresult *rows, int row, int column)
{
	return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

/* Of one that gave no value since it was made, or set, the catalog says nothing: its next value
 * stands in itself. */
static int read_unused(PGconn *conn, struct standing *standing, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	PGresult *next = NULL;

	for (int row = 0; row < PQntuples(standing->rows); row++) {
		if (PQgetisnull(standing->rows, row, 1) && may_read(standing->rows, row)) {
			bm_strbuf_printf(&sql,
					"%sSELECT %d, last_value, is_called::int FROM %s",
					sql.length > 0 ? " UNION ALL " : "", row,
					PQgetvalue(standing->rows, row, 0));
		}
	}
	bool any = sql.length > 0;
	if (any) {
		next = bm_pair_ask_one(conn, bm_strbuf_text(&sql), 0, NULL, err);
	}
	for (int i = 0; next != NULL && i < PQntuples(next); i++) {
		int row = (int)number_at(next, i, 0);
		bool is_called = PQgetvalue(next, i, 2)[0] == '1';
		standing->next[row] = (__int128)number_at(next, i, 1) +
				(is_called ? number_at(standing->rows, row, 2) : 0);
	}
	PQclear(next);
	bm_strbuf_finish(&sql);
	return !any || next != NULL ? 0 : -1;
}

static void finish(struct standing *standing)
{
	PQclear(standing->rows);
	free(standing->next);
	*standing = (struct standing){.side = standing->side};
}

static int read_side(struct bm_pair *pair, struct standing *out, struct bm_error *err)
{
	PGconn *conn = pair->main[out->side];

	out->rows = bm_pair_ask_one(conn, sequences_sql, 0, NULL, err);
	int count = out->rows != NULL ? PQntuples(out->rows) : 0;
	out->next = bm_alloc((size_t)(count + 1) * sizeof(*out->next));
	for (int row = 0; row < count; row++) {
		out->next[row] = (__int128)number_at(out->rows, row, 1) +
				number_at(out->rows, row, 2);
	}
	if (out->rows == NULL || read_unused(conn, out, err) != 0) {
		return bm_error_wrap(
				err, "%s: reading the sequences", bm_pair_side_name(out->side));
	}
	return 0;
}

/* "at 5", or "before 6" of one that gave none. */
static void say(const struct standing *standing, int row, char *text, size_t size)
{
	bool is_used = !PQgetisnull(standing->rows, row, 1);
	__int128 at = standing->next[row] - (is_used ? number_at(standing->rows, row, 2) : 0);

	snprintf(text, size, "%s %lld", is_used ? "at" : "before", (long long)at);
}

static json_t *compare(const struct standing *ends, int row, bool *behind)
{
	const struct standing *live = &ends[LIVE], *other = &ends[FOLLOWER];
	const char *name = PQgetvalue(live->rows, row, 0);
	int there = row_named(other->rows, name);
	char why[256], here_text[40], there_text[40];

	if (there < 0) {
		snprintf(why, sizeof(why), "the %s has no such sequence",
				bm_pair_side_name(other->side));
		return bm_verify_object("sequence", name, BM_PROOF_DIFFERENT, why);
	}
	if (!may_read(live->rows, row) || !may_read(other->rows, there)) {
		return bm_verify_object("sequence", name, BM_PROOF_UNPROVEN,
				"our role may not read it on both sides: GRANT SELECT");
	}
	__int128 ahead = other->next[there] - live->next[row];
	if (number_at(live->rows, row, 2) < 0 ? ahead <= 0 : ahead >= 0) {
		return bm_verify_object("sequence", name, BM_PROOF_EQUAL, "");
	}
	*behind = true;
	say(live, row, here_text, sizeof(here_text));
	say(other, there, there_text, sizeof(there_text));
	snprintf(why, sizeof(why), "it stands %s on the %s, %s on the %s", here_text,
			bm_pair_side_name(live->side), there_text,
			bm_pair_side_name(other->side));
	return bm_verify_object("sequence", name, BM_PROOF_DIFFERENT, why);
}

/* What the follower says now, against what the live side said at first: it goes on meanwhile.
 */
static int run_round(struct bm_pair *pair, struct standing *ends, json_t *objects, bool *behind,
		struct bm_error *err)
{
	int rc = read_side(pair, &ends[FOLLOWER], err);

	json_array_clear(objects);
	for (int row = 0; rc == 0 && row < PQntuples(ends[LIVE].rows); row++) {
		json_array_append_new(objects, compare(ends, row, behind));
	}
	finish(&ends[FOLLOWER]);
	return rc;
}

/* False: the background was told to end. */
static bool wait_for_next(struct bm_verify_beside *beside)
{
	poll(NULL, 0, ROUND_MSEC);
	if (beside != NULL && !bm_verify_is_ended(beside)) {
		beside->is_ended = !beside->rest(beside->ctx, 0, 0);
	}
	return !bm_verify_is_ended(beside);
}

int bm_verify_sequences(struct bm_pair *pair, const char *migration, uint64_t wait_msec,
		struct bm_verify_beside *beside, json_t *objects, struct bm_error *err)
{
	uint64_t deadline_msec = bm_clock_msec() + wait_msec;
	enum bm_pair_side live;

	if (bm_live_side(pair, migration, &live, err) != 0) {
		return -1;
	}
	struct standing ends[ENDS] = {[LIVE] = {.side = live},
			[FOLLOWER] = {.side = live == BM_PAIR_SOURCE ? BM_PAIR_DESTINATION
								     : BM_PAIR_SOURCE}};
	json_t *found = json_array();
	bool behind;
	int rc = read_side(pair, &ends[LIVE], err);

	while (rc == 0) {
		behind = false;
		rc = run_round(pair, ends, found, &behind, err);
		if (rc != 0 || !behind || bm_clock_msec() >= deadline_msec ||
				!wait_for_next(beside)) {
			break;
		}
	}
	json_array_extend(objects, found);
	json_decref(found);
	finish(&ends[LIVE]);
	return rc;
}
