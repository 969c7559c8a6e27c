/*
 * Sequences: the destination must not stand behind the source. It may stand before it:
 * sequences are transferred with head-room.
 */
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "worker/verify/object.h"

#define ROUND_MSEC 500

/* clang-format off */
static const char sequences_sql[] =
#include "worker/verify/sql/verify_sequences.sql.inc"
;
/* clang-format on */

static int row_named(const PGresult *rows, const char *name)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, 0), name) == 0) {
			return row;
		}
	}
	return -1;
}

/* One that was never used stands before its first value. */
static bool is_behind(const PGresult *source, int row, const PGresult *destination, int there)
{
	bool down = PQgetvalue(source, row, 2)[0] == '-';

	if (PQgetisnull(source, row, 1) || PQgetisnull(destination, there, 1)) {
		return !PQgetisnull(source, row, 1);
	}
	long long here = strtoll(PQgetvalue(source, row, 1), NULL, 10);
	long long other = strtoll(PQgetvalue(destination, there, 1), NULL, 10);
	return down ? other > here : other < here;
}

static bool may_read(const PGresult *rows, int row)
{
	return !PQgetisnull(rows, row, 1) || PQgetvalue(rows, row, 3)[0] == 't';
}

static json_t *compare(PGresult *const *rows, int row, bool *behind)
{
	const char *name = PQgetvalue(rows[0], row, 0);
	int there = row_named(rows[1], name);
	char why[256];

	if (there < 0) {
		return bm_verify_object("sequence", name, BM_PROOF_DIFFERENT,
				"the destination has no such sequence");
	}
	if (!may_read(rows[0], row) || !may_read(rows[1], there)) {
		return bm_verify_object("sequence", name, BM_PROOF_UNPROVEN,
				"our role may not read it on both sides: GRANT SELECT");
	}
	if (!is_behind(rows[0], row, rows[1], there)) {
		return bm_verify_object("sequence", name, BM_PROOF_EQUAL, "");
	}
	*behind = true;
	snprintf(why, sizeof(why), "it stands at %s on the source, at %s on the destination",
			PQgetvalue(rows[0], row, 1),
			PQgetisnull(rows[1], there, 1) ? "its start"
						       : PQgetvalue(rows[1], there, 1));
	return bm_verify_object("sequence", name, BM_PROOF_DIFFERENT, why);
}

/* What the destination says now, against what the source said at first: it goes on meanwhile.
 */
static int run_round(struct bm_pair *pair, PGresult **rows, json_t *objects, bool *behind,
		struct bm_error *err)
{
	rows[1] = bm_pair_ask_one(pair->main[1], sequences_sql, 0, NULL, err);
	json_array_clear(objects);
	for (int row = 0; rows[1] != NULL && row < PQntuples(rows[0]); row++) {
		json_array_append_new(objects, compare(rows, row, behind));
	}
	PQclear(rows[1]);
	return rows[1] != NULL ? 0 : bm_error_wrap(err, "destination: reading the sequences");
}

int bm_verify_sequences(
		struct bm_pair *pair, uint64_t wait_msec, json_t *objects, struct bm_error *err)
{
	uint64_t deadline_msec = bm_clock_msec() + wait_msec;
	PGresult *rows[] = {bm_pair_ask_one(pair->main[0], sequences_sql, 0, NULL, err), NULL};
	json_t *found = json_array();
	bool behind;
	int rc = rows[0] != NULL ? 0 : bm_error_wrap(err, "source: reading the sequences");

	while (rc == 0) {
		behind = false;
		rc = run_round(pair, rows, found, &behind, err);
		if (rc != 0 || !behind || bm_clock_msec() >= deadline_msec) {
			break;
		}
		poll(NULL, 0, ROUND_MSEC);
	}
	json_array_extend(objects, found);
	json_decref(found);
	PQclear(rows[0]);
	return rc;
}
