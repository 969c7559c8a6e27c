/* Connecting and asking, with poll(2) and a deadline. */
#include "worker/session/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bucardo_machine/clock.h"
#include "bucardo_machine/password.h"
#include "worker/session/pooled.h"

/* Copy the first line of what libpq says, without the password it might hold. */
static void first_line(const PGconn *conn, const char *text, char *out, size_t size)
{
	const char *password = PQpass(conn);

	while (*text == ' ' || *text == '\n') {
		text++;
	}
	snprintf(out, size, "%s", text);
	/* A second line, as with several addresses of a host, repeats the first. */
	out[strcspn(out, "\n")] = '\0';
	if (password == NULL || password[0] == '\0') {
		return;
	}
	for (char *hit; (hit = strstr(out, password)) != NULL;) {
		memset(hit, '*', strlen(password));
		if (strspn(password, "*") == strlen(password)) {
			return;
		}
	}
}

int bm_ask_lost(const PGconn *conn, struct bm_error *err)
{
	char text[400];

	first_line(conn, PQerrorMessage(conn), text, sizeof(text));
	return bm_error_set(err, BM_ERR_TRANSIENT, "%s", text);
}

/* poll(2) came back so much later than it was to: this process was not given a processor. */
#define LATE_MSEC 250
#define LATE_ROUNDS 10

/*
 * Wait until the socket is ready for `events`; -1 with `err` at the deadline. An answer that is
 * there by then counts, and the server has as much time again as this process was held up.
 */
static int wait_socket(
		const PGconn *conn, short events, uint64_t deadline_msec, struct bm_error *err)
{
	for (int round = 0; round < LATE_ROUNDS;) {
		uint64_t now = bm_clock_msec();
		uint64_t left = deadline_msec > now ? deadline_msec - now : 0;
		struct pollfd poll_fd = {.fd = PQsocket(conn), .events = events};
		int ready = poll(&poll_fd, 1, (int)left);
		if (ready > 0) {
			return 0;
		}
		if (ready < 0 && errno != EINTR) {
			return bm_error_set(err, BM_ERR_IO, "poll failed: %m");
		}
		uint64_t back = bm_clock_msec();
		uint64_t late = back > now + left ? back - (now + left) : 0;
		if (ready == 0 && late < LATE_MSEC) {
			break;
		}
		if (ready == 0) {
			deadline_msec = now + left + 2 * late;
			round++;
		}
	}
	return bm_error_set(err, BM_ERR_TIMEOUT, "no answer in time");
}

static int finish_connecting(PGconn *conn, uint64_t deadline_msec, struct bm_error *err)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (PQstatus(conn) == CONNECTION_BAD) {
		return bm_ask_lost(conn, err);
	}
	while (status != PGRES_POLLING_OK) {
		short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (wait_socket(conn, events, deadline_msec, err) != 0) {
			return bm_error_wrap(err, "connecting");
		}
		status = PQconnectPoll(conn);
		if (status == PGRES_POLLING_FAILED) {
			bm_ask_lost(conn, err);
			bm_password_explain(conn, err);
			return -1;
		}
	}
	return 0;
}

int bm_ask_flush(PGconn *conn, uint64_t deadline_msec, struct bm_error *err)
{
	int left;

	while ((left = PQflush(conn)) > 0) {
		if (wait_socket(conn, POLLIN | POLLOUT, deadline_msec, err) != 0) {
			return -1;
		}
		if (PQconsumeInput(conn) == 0) {
			return bm_ask_lost(conn, err);
		}
	}
	return left == 0 ? 0 : bm_ask_lost(conn, err);
}

int bm_ask_next(PGconn *conn, uint64_t deadline_msec, PGresult **result, struct bm_error *err)
{
	while (PQisBusy(conn)) {
		if (wait_socket(conn, POLLIN, deadline_msec, err) != 0) {
			return -1;
		}
		if (PQconsumeInput(conn) == 0) {
			return bm_ask_lost(conn, err);
		}
	}
	*result = PQgetResult(conn);
	return 0;
}

bool bm_ask_is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

void bm_ask_failed(const PGconn *conn, const PGresult *result, struct bm_error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char text[400];

	first_line(conn, PQresultErrorMessage(result), text, sizeof(text));
	bm_error_set(err, PQstatus(conn) == CONNECTION_OK ? BM_ERR_SQL : BM_ERR_TRANSIENT, "%s",
			text);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate != NULL ? sqlstate : "");
}

/* The last result of what was sent. */
static PGresult *wait_result(PGconn *conn, uint64_t deadline_msec, struct bm_error *err)
{
	PGresult *kept = NULL;
	PGresult *result = NULL;

	if (bm_ask_flush(conn, deadline_msec, err) != 0) {
		return NULL;
	}
	do {
		if (bm_ask_next(conn, deadline_msec, &result, err) != 0) {
			PQclear(kept);
			return NULL;
		}
		if (result != NULL) {
			PQclear(kept);
			kept = result;
		}
	} while (result != NULL);
	if (kept == NULL || !bm_ask_is_good(kept)) {
		bm_ask_failed(conn, kept, err);
		PQclear(kept);
		return NULL;
	}
	return kept;
}

int bm_ask_send(PGconn *conn, const char *sql, int param_count, const char *const *params,
		struct bm_error *err)
{
	return PQsendQueryParams(conn, sql, param_count, NULL, params, NULL, NULL, 0) != 0
			? 0
			: bm_ask_lost(conn, err);
}

PGresult *bm_ask_wait(PGconn *conn, uint64_t limit_msec, struct bm_error *err)
{
	return wait_result(conn, bm_clock_msec() + limit_msec, err);
}

PGresult *bm_ask(PGconn *conn, const char *sql, int param_count, const char *const *params,
		uint64_t limit_msec, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();

	if (bm_ask_send(conn, sql, param_count, params, err) != 0) {
		return NULL;
	}
	return wait_result(conn, begun_msec + limit_msec, err);
}

PGresult *bm_ask_script(
		PGconn *conn, const char *sql, uint64_t limit_msec, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();

	if (PQsendQuery(conn, sql) == 0) {
		bm_ask_lost(conn, err);
		return NULL;
	}
	return wait_result(conn, begun_msec + limit_msec, err);
}

/* ---- connecting ---- */

/* Before any other statement, and by words that nothing in the database can shadow. */
static int pin(PGconn *conn, enum bm_session_kind session, uint64_t limit_msec,
		struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	const char *path = bm_session_path(session);

	bm_session_sql(session, PQserverVersion(conn),
			PQparameterStatus(conn, "server_encoding"), &sql);
	PGresult *result = bm_ask_script(conn, bm_strbuf_text(&sql), limit_msec, err);
	bm_strbuf_finish(&sql);
	if (result != NULL) {
		PQclear(result);
		result = bm_ask_script(conn, BM_SESSION_SHOW, limit_msec, err);
	}
	if (result == NULL) {
		return bm_error_wrap(err, "setting up the session");
	}
	bool is_set = strcmp(PQgetvalue(result, 0, 0), path) == 0;
	PQclear(result);
	return is_set ? 0
		      : bm_error_set(err, BM_ERR_PRECONDITION,
					"settings do not stay in force from one statement to "
					"the next: connect to the server itself, or through a "
					"pooler in session mode");
}

static PGconn *open_session(
		const struct bm_conninfo *pinned, uint64_t deadline_msec, struct bm_error *err)
{
	PGconn *conn = PQconnectStartParams((const char *const *)pinned->keywords,
			(const char *const *)pinned->values, 0);

	if (conn == NULL) {
		bm_error_set(err, BM_ERR_TRANSIENT, "out of memory");
		return NULL;
	}
	if (finish_connecting(conn, deadline_msec, err) != 0) {
		bm_pooled_explain(err);
		PQfinish(conn);
		return NULL;
	}
	/* So that no call of ours, PQfinish() included, ever waits for the network. */
	PQsetnonblocking(conn, 1);
	return conn;
}

/* One that cannot be asked, or has no second connection to give, keeps sessions. */
static int check_pooler(PGconn *conn, const struct bm_conninfo *pinned, uint64_t deadline_msec,
		struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (!bm_pooled_drops_settings(conn)) {
		return 0;
	}
	PGconn *other = open_session(pinned, deadline_msec, &ignored);
	int rc = other != NULL ? bm_pooled_check(conn, other, err) : 0;
	PQfinish(other);
	return rc;
}

PGconn *bm_ask_connect(const struct bm_conninfo *info, enum bm_session_kind session,
		uint64_t limit_msec, struct bm_error *err)
{
	uint64_t deadline_msec = bm_clock_msec() + limit_msec;
	struct bm_conninfo pinned;

	bm_conninfo_copy(info, &pinned);
	bm_session_pin(&pinned, session);
	PGconn *conn = open_session(&pinned, deadline_msec, err);
	int rc = conn == NULL ? -1
			: session == BM_SESSION_CONTROL
			? 0
			: check_pooler(conn, &pinned, deadline_msec, err);
	uint64_t now_msec = bm_clock_msec();
	bm_conninfo_finish(&pinned);
	if (rc == 0) {
		rc = pin(conn, session, deadline_msec > now_msec ? deadline_msec - now_msec : 0,
				err);
	}
	if (rc != 0) {
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

PGconn *bm_ask_connect_plain(
		const struct bm_conninfo *info, uint64_t limit_msec, struct bm_error *err)
{
	return open_session(info, bm_clock_msec() + limit_msec, err);
}
