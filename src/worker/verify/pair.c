#include "worker/verify/pair.h"

#include "bucardo_machine/macros.h"
#include "worker/session/ask.h"

#define CONNECT_LIMIT_MSEC 30000

/* What the person did not choose. A server that is gone without a word is noticed within half a
 * minute, not when the limit of its statement is over. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
		{"keepalives", "1"},
		{"keepalives_idle", "10"},
		{"keepalives_interval", "5"},
		{"keepalives_count", "4"},
		{"tcp_user_timeout", "30000"},
		{"application_name", "bucardo-machine verify"},
};

const char *bm_pair_side_name(enum bm_pair_side side)
{
	return side == BM_PAIR_SOURCE ? "source" : "destination";
}

static PGconn *connect_to(const struct bm_conninfo *info, struct bm_error *err)
{
	struct bm_conninfo words;

	bm_conninfo_copy(info, &words);
	for (size_t i = 0; i < BM_COUNT_OF(defaults); i++) {
		if (bm_conninfo_get(&words, defaults[i].keyword) == NULL) {
			bm_conninfo_put(&words, defaults[i].keyword, defaults[i].value);
		}
	}
	PGconn *conn = bm_ask_connect(&words, BM_SESSION_VERIFY, CONNECT_LIMIT_MSEC, err);
	bm_conninfo_finish(&words);
	return conn;
}

int bm_pair_open(struct bm_pair *pair, const struct bm_conninfo *source,
		const struct bm_conninfo *destination, struct bm_error *err)
{
	const struct bm_conninfo *infos[] = {source, destination};

	*pair = (struct bm_pair){0};
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		pair->main[side] = connect_to(infos[side], err);
		pair->aside[side] = pair->main[side] != NULL ? connect_to(infos[side], err)
							     : NULL;
		if (pair->aside[side] == NULL) {
			return bm_error_wrap(err, "%s", bm_pair_side_name(side));
		}
	}
	return 0;
}

void bm_pair_close(struct bm_pair *pair)
{
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		PQfinish(pair->main[side]);
		PQfinish(pair->aside[side]);
	}
	*pair = (struct bm_pair){0};
}

PGresult *bm_pair_ask_one(PGconn *conn, const char *sql, int count, const char *const *params,
		struct bm_error *err)
{
	return bm_ask(conn, sql, count, params, BM_PAIR_LIMIT_MSEC, err);
}

int bm_pair_do(PGconn *conn, const char *sql, struct bm_error *err)
{
	PGresult *result = bm_pair_ask_one(conn, sql, 0, NULL, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_pair_ask(PGconn *const *conns, const char *const *sql, int count,
		const char *const *params, PGresult **results, enum bm_pair_side *failed,
		struct bm_error *err)
{
	struct bm_error errors[BM_PAIR_SIDES] = {BM_ERROR_INIT, BM_ERROR_INIT};
	bool sent[BM_PAIR_SIDES];

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		sent[side] = bm_ask_send(conns[side], sql[side], count, params,
					     &errors[side]) == 0;
	}
	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		results[side] = sent[side]
				? bm_ask_wait(conns[side], BM_PAIR_LIMIT_MSEC, &errors[side])
				: NULL;
	}
	if (results[0] != NULL && results[1] != NULL) {
		return 0;
	}
	enum bm_pair_side bad = results[0] == NULL ? BM_PAIR_SOURCE : BM_PAIR_DESTINATION;
	PQclear(results[0]);
	PQclear(results[1]);
	*err = errors[bad];
	if (failed != NULL) {
		*failed = bad;
	}
	return bm_error_wrap(err, "%s", bm_pair_side_name(bad));
}
