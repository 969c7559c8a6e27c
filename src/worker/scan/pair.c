#include "worker/scan/pair.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/json.h"
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

static _Thread_local uint64_t ended_by_msec;

void bm_pair_end_by(uint64_t end_msec)
{
	ended_by_msec = end_msec;
}

static uint64_t limit_msec(void)
{
	uint64_t now = bm_clock_msec();

	if (ended_by_msec == 0 || ended_by_msec > now + BM_PAIR_LIMIT_MSEC) {
		return BM_PAIR_LIMIT_MSEC;
	}
	return ended_by_msec > now ? ended_by_msec - now : 1;
}

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

/* One that is still at a statement was given up. */
static bool is_lost(const PGconn *conn)
{
	return PQstatus(conn) != CONNECTION_OK || PQtransactionStatus(conn) == PQTRANS_ACTIVE;
}

bool bm_pair_is_lost(const struct bm_pair *pair)
{
	bool lost = false;

	for (enum bm_pair_side side = 0; side < BM_PAIR_SIDES; side++) {
		lost = lost || is_lost(pair->main[side]) || is_lost(pair->aside[side]);
	}
	return lost;
}

PGresult *bm_pair_ask_one(PGconn *conn, const char *sql, int count, const char *const *params,
		struct bm_error *err)
{
	return bm_ask(conn, sql, count, params, limit_msec(), err);
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
				? bm_ask_wait(conns[side], limit_msec(), &errors[side])
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

/* Of a cluster and its copies one number; "" where our role may not ask for it. */
static json_t *system_of(PGconn *conn)
{
	struct bm_error err = BM_ERROR_INIT;
	PGresult *row = bm_pair_ask_one(conn,
			"SELECT system_identifier FROM pg_control_system()", 0, NULL, &err);
	json_t *text = bm_json_text(row != NULL ? PQgetvalue(row, 0, 0) : "");

	PQclear(row);
	return text;
}

json_t *bm_pair_describe(PGconn *conn, struct bm_error *err)
{
	/* What says which database it was, as far as every role may read it. */
	PGresult *row = bm_pair_ask_one(conn,
			"SELECT current_setting('server_version'), datname,"
			" current_setting('server_encoding'), current_user,"
			" coalesce(host(inet_server_addr()), ''), coalesce(inet_server_port(), 0),"
			" datcollate || CASE WHEN datctype <> datcollate THEN ', ' || datctype"
			" ELSE '' END FROM pg_database WHERE datname = current_database()",
			0, NULL, err);

	if (row == NULL) {
		return NULL;
	}
	json_t *side = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:s, s:o}", "version",
			bm_json_text(PQgetvalue(row, 0, 0)), "database",
			bm_json_text(PQgetvalue(row, 0, 1)), "encoding",
			bm_json_text(PQgetvalue(row, 0, 2)), "role",
			bm_json_text(PQgetvalue(row, 0, 3)), "address",
			bm_json_text(PQgetvalue(row, 0, 4)), "port",
			atoi(PQgetvalue(row, 0, 5)), "collation",
			bm_json_text(PQgetvalue(row, 0, 6)), "host", PQhost(conn),
			"system_identifier", system_of(conn));
	PQclear(row);
	return side;
}

/* Two names of one database prove nothing. A standby has another process than its primary. */
int bm_pair_refuse_itself(struct bm_pair *pair, struct bm_error *err)
{
	static const char which[] =
			"SELECT concat_ws(' ', current_database(),"
			" pg_postmaster_start_time()::text, system_identifier::text)"
			" FROM pg_control_system()";
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *one = bm_pair_ask_one(pair->main[0], which, 0, NULL, &ignored);
	PGresult *other = bm_pair_ask_one(pair->main[1], which, 0, NULL, &ignored);
	bool same = one != NULL && other != NULL &&
			strcmp(PQgetvalue(one, 0, 0), PQgetvalue(other, 0, 0)) == 0;

	PQclear(one);
	PQclear(other);
	return !same ? 0
		     : bm_error_set(err, BM_ERR_CONFIG,
				       "source and destination are the same database");
}
