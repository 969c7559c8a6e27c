/* Connecting to a side of a migration, and asking there. */
#include "worker/session/sides.h"

#include <stdio.h>

#include "worker/session/ask.h"

#define CONNECT_LIMIT_MSEC 15000
#define STATEMENT_LIMIT_MSEC 600000

const char *bm_side_name(enum bm_side side)
{
	static const char *const names[] = {
			[BM_SIDE_CONTROL] = "control database",
			[BM_SIDE_SOURCE] = "source",
			[BM_SIDE_DESTINATION] = "destination",
	};

	return names[side];
}

/* The control database is no side of the migration: it is reached through its socket. */
const struct bm_phase_endpoint *bm_phase_endpoint(
		const struct bm_phase *phase, enum bm_side side)
{
	static const struct bm_phase_endpoint none = {0};

	switch (side) {
	case BM_SIDE_SOURCE:
		return &phase->request.source;
	case BM_SIDE_DESTINATION:
		return &phase->request.destination;
	default:
		return &none;
	}
}

void bm_phase_conninfo(const struct bm_phase *phase, enum bm_side side, struct bm_conninfo *out)
{
	const struct bm_phase_endpoint *endpoint = bm_phase_endpoint(phase, side);
	bool is_control = side == BM_SIDE_CONTROL;
	char port[16];

	snprintf(port, sizeof(port), "%u", is_control ? 5432 : endpoint->port);
	bm_conninfo_put(out, "host", is_control ? phase->request.socket_dir : endpoint->host);
	bm_conninfo_put(out, "port", port);
	bm_conninfo_put(out, "dbname", is_control ? "bucardo" : endpoint->dbname);
	bm_conninfo_put(out, "user", is_control ? "bucardo" : endpoint->user);
	bm_conninfo_put(out, "sslmode", endpoint->sslmode);
	bm_conninfo_put(out, "sslrootcert", endpoint->sslrootcert);
}

void bm_phase_dbconn(const struct bm_phase_endpoint *endpoint, struct bm_strbuf *out)
{
	struct bm_strbuf options = BM_STRBUF_INIT;

	bm_session_options(BM_SESSION_BUCARDO, &options);
	bm_conninfo_word(out, ";", "sslmode", endpoint->sslmode);
	bm_conninfo_word(out, ";", "sslrootcert", endpoint->sslrootcert);
	bm_conninfo_word(out, ";", "options", bm_strbuf_text(&options));
	bm_strbuf_finish(&options);
}

static PGconn *connect_to(const struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	struct bm_conninfo info = {0};

	bm_conninfo_put(&info, "application_name", "bucardo-machine phase");
	bm_phase_conninfo(phase, side, &info);
	bm_conninfo_defaults(&info);
	PGconn *conn = bm_ask_connect(&info,
			side == BM_SIDE_CONTROL ? BM_SESSION_CONTROL : BM_SESSION_WORKER,
			CONNECT_LIMIT_MSEC, err);
	bm_conninfo_finish(&info);
	return conn;
}

/*
 * What we make is no business of the application's event triggers, nor do our writes count as
 * an application's. A role that may not do so goes on without: preflight tells it.
 */
static void become_replica(struct bm_phase *phase, enum bm_side side, PGconn *conn)
{
	struct bm_error refused = BM_ERROR_INIT;
	PGresult *result = bm_ask(
			conn, BM_SESSION_REPLICA_SQL, 0, NULL, CONNECT_LIMIT_MSEC, &refused);

	phase->is_replica[side] = result != NULL;
	PQclear(result);
}

static int begin_session(
		struct bm_phase *phase, enum bm_side side, PGconn *conn, struct bm_error *err)
{
	if (side == BM_SIDE_CONTROL) {
		return 0;
	}
	become_replica(phase, side, conn);
	if (phase->limits_sql == NULL) {
		return 0;
	}
	PGresult *result = bm_ask(conn, phase->limits_sql, 0, NULL, CONNECT_LIMIT_MSEC, err);
	PQclear(result);
	return result != NULL ? 0 : -1;
}

PGconn *bm_phase_conn(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	PGconn **conn = &phase->conns[side];

	if (*conn != NULL && PQstatus(*conn) == CONNECTION_OK) {
		return *conn;
	}
	PQfinish(*conn);
	*conn = connect_to(phase, side, err);
	if (*conn == NULL) {
		bm_error_wrap(err, "cannot connect to the %s", bm_side_name(side));
		return NULL;
	}
	if (begin_session(phase, side, *conn, err) != 0) {
		PQfinish(*conn);
		*conn = NULL;
	}
	return *conn;
}

PGresult *bm_phase_ask(struct bm_phase *phase, enum bm_side side, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	uint64_t limit_msec = phase->limit_msec != 0 ? phase->limit_msec : STATEMENT_LIMIT_MSEC;

	if (phase->on_ask != NULL) {
		phase->on_ask();
	}
	PGconn *conn = bm_phase_conn(phase, side, err);
	return conn == NULL ? NULL : bm_ask(conn, sql, count, params, limit_msec, err);
}

int bm_phase_do(struct bm_phase *phase, enum bm_side side, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = bm_phase_ask(phase, side, sql, count, params, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_phase_begin(struct bm_phase *phase, struct bm_error *err)
{
	if (bm_phase_do(phase, BM_SIDE_CONTROL, "BEGIN", 0, NULL, err) != 0) {
		return -1;
	}
	return bm_phase_do(phase, BM_SIDE_CONTROL,
			"SET LOCAL session_replication_role = replica", 0, NULL, err);
}

int bm_phase_end(struct bm_phase *phase, int rc, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (rc == 0) {
		return bm_phase_do(phase, BM_SIDE_CONTROL, "COMMIT", 0, NULL, err);
	}
	bm_phase_do(phase, BM_SIDE_CONTROL, "ROLLBACK", 0, NULL, &ignored);
	return -1;
}

void bm_phase_disconnect(struct bm_phase *phase)
{
	for (int side = 0; side < BM_SIDE_COUNT; side++) {
		PQfinish(phase->conns[side]);
		phase->conns[side] = NULL;
	}
}
