#include "worker/verify/live_side.h"

/* The first value of `sql`, where `there` is: 1 true, 0 not, or not there; -1. */
static int ask_bool(PGconn *conn, const char *there, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *rows = bm_pair_ask_one(
			conn, "SELECT to_regclass($1) IS NOT NULL", 1, &there, err);
	bool is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
	int rc = rows == NULL ? -1 : 0;

	PQclear(rows);
	if (is_there && sql != NULL) {
		rows = bm_pair_ask_one(conn, sql, count, params, err);
		is_there = rows != NULL && PQgetvalue(rows, 0, 0)[0] == 't';
		rc = rows == NULL ? -1 : 0;
		PQclear(rows);
	}
	return rc < 0 ? -1 : is_there;
}

int bm_live_side(struct bm_pair *pair, const char *migration, enum bm_pair_side *live,
		struct bm_error *err)
{
	static const char fence[] = "bucardo_machine.fence";
	PGconn *destination = pair->aside[BM_PAIR_DESTINATION];
	int fenced = ask_bool(destination, fence, NULL, 0, NULL, err);
	int lifted = fenced < 0 ? -1
			: fenced > 0
			? ask_bool(destination, fence,
					  "SELECT count(lifted) > 0 FROM bucardo_machine.fence",
					  0, NULL, err)
			: ask_bool(pair->aside[BM_PAIR_SOURCE], "bucardo.machine_live",
					  "SELECT coalesce(bool_or(destination), false)"
					  " FROM bucardo.machine_live WHERE migration = coalesce($1, migration)",
					  1, &migration, err);

	*live = lifted > 0 ? BM_PAIR_DESTINATION : BM_PAIR_SOURCE;
	return lifted < 0 ? bm_error_wrap(err, "asking which side is live") : 0;
}
