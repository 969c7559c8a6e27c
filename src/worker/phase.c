/* The table of phases, their connections, and the order on stdin. */
#include "worker/phase.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/transfer.h"
#include "worker/ask.h"
#include "worker/report.h"

/* More than this is a mistake. */
#define ORDER_BYTES ((size_t)1024 * 1024)

#define CONNECT_LIMIT_MSEC 15000
#define STATEMENT_LIMIT_MSEC 600000
#define BEAT_MSEC 10000

static const struct {
	const char *name;
	int (*run)(struct bm_phase *phase, struct bm_error *err);
} phases[] = {
		{"preflight", bm_preflight_run},
		{"schema", bm_carry_run},
		{"capture", bm_capture_run},
		{"copy", bm_carry_run},
		{"index", bm_carry_run},
		{"replicate", bm_replicate_run},
};

/* ---- the ends ---- */

const char *bm_end_name(enum bm_end end)
{
	static const char *const names[] = {
			[BM_END_CONTROL] = "control database",
			[BM_END_SOURCE] = "source",
			[BM_END_DESTINATION] = "destination",
	};

	return names[end];
}

const struct bm_phase_endpoint *bm_phase_endpoint(const struct bm_phase *phase, enum bm_end end)
{
	return end == BM_END_SOURCE ? &phase->order.source : &phase->order.destination;
}

static void put_option(struct bm_strbuf *out, const char *name, const char *value)
{
	if (value == NULL) {
		return;
	}
	bm_strbuf_printf(out, "%s%s='", out->length > 0 ? ";" : "", name);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\') {
			bm_strbuf_putc(out, '\\');
		}
		bm_strbuf_putc(out, *value);
	}
	bm_strbuf_putc(out, '\'');
}

void bm_phase_dbconn(const struct bm_phase_endpoint *endpoint, struct bm_strbuf *out)
{
	put_option(out, "sslmode", endpoint->sslmode);
	put_option(out, "sslrootcert", endpoint->sslrootcert);
}

static PGconn *connect_to(const struct bm_phase *phase, enum bm_end end, struct bm_error *err)
{
	const struct bm_phase_endpoint *endpoint = bm_phase_endpoint(phase, end);
	struct bm_strbuf dbconn = BM_STRBUF_INIT;
	struct bm_conninfo info;
	char port[16];
	PGconn *conn = NULL;

	snprintf(port, sizeof(port), "%u", end == BM_END_CONTROL ? 5432 : endpoint->port);
	put_option(&dbconn, "application_name", "bucardo-machine phase");
	struct bm_conninfo_row row = {.host = phase->order.socket_dir,
			.port = port,
			.dbname = "bucardo",
			.user = "bucardo"};
	if (end != BM_END_CONTROL) {
		row = (struct bm_conninfo_row){.host = endpoint->host,
				.port = port,
				.dbname = endpoint->dbname,
				.user = endpoint->user};
		bm_phase_dbconn(endpoint, &dbconn);
	}
	row.dbconn = bm_strbuf_text(&dbconn);
	if (bm_conninfo_build(&row, &info, err) == 0) {
		conn = bm_ask_connect(&info, CONNECT_LIMIT_MSEC, err);
	}
	bm_conninfo_finish(&info);
	bm_strbuf_finish(&dbconn);
	return conn;
}

/*
 * What is written into statements is meant literally, and what a server writes out of
 * its catalog is read by the other one, whatever a role or a database is set to. Of
 * rows that are hidden from our role an error is heard, not silence.
 */
static const char settings_sql[] =
		"SELECT set_config('search_path', CASE WHEN current_database() = 'bucardo'"
		" AND to_regclass('bucardo.goat') IS NOT NULL"
		" THEN 'bucardo, public, pg_catalog' ELSE 'pg_catalog' END, false),"
		" set_config('standard_conforming_strings', 'on', false),"
		" set_config('quote_all_identifiers', 'off', false),"
		" set_config('DateStyle', 'ISO, YMD', false),"
		" set_config('IntervalStyle', 'postgres', false),"
		" set_config('TimeZone', 'UTC', false),"
		" set_config('extra_float_digits', '3', false),"
		" set_config('bytea_output', 'hex', false),"
		" set_config('row_security', 'off', false),"
		" set_config('default_transaction_read_only', 'off', false),"
		" set_config('statement_timeout', '0', false)";

static int begin_session(const struct bm_phase *phase, enum bm_end end, PGconn *conn,
		struct bm_error *err)
{
	PGresult *result = bm_ask(conn, settings_sql, 0, NULL, CONNECT_LIMIT_MSEC, err);

	if (result != NULL && phase->limits_sql != NULL && end != BM_END_CONTROL) {
		PQclear(result);
		result = bm_ask(conn, phase->limits_sql, 0, NULL, CONNECT_LIMIT_MSEC, err);
	}
	PQclear(result);
	return result != NULL ? 0 : -1;
}

PGconn *bm_phase_conn(struct bm_phase *phase, enum bm_end end, struct bm_error *err)
{
	PGconn **conn = &phase->conns[end];

	if (*conn != NULL && PQstatus(*conn) == CONNECTION_OK) {
		return *conn;
	}
	PQfinish(*conn);
	*conn = connect_to(phase, end, err);
	if (*conn == NULL) {
		bm_error_wrap(err, "cannot connect to the %s", bm_end_name(end));
		return NULL;
	}
	if (begin_session(phase, end, *conn, err) != 0) {
		PQfinish(*conn);
		*conn = NULL;
	}
	return *conn;
}

PGresult *bm_phase_ask(struct bm_phase *phase, enum bm_end end, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	uint64_t limit_msec = phase->limit_msec != 0 ? phase->limit_msec : STATEMENT_LIMIT_MSEC;

	if (phase->on_ask != NULL) {
		phase->on_ask();
	}
	PGconn *conn = bm_phase_conn(phase, end, err);
	return conn == NULL ? NULL : bm_ask(conn, sql, count, params, limit_msec, err);
}

int bm_phase_do(struct bm_phase *phase, enum bm_end end, const char *sql, int count,
		const char *const *params, struct bm_error *err)
{
	PGresult *result = bm_phase_ask(phase, end, sql, count, params, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

int bm_phase_begin(struct bm_phase *phase, struct bm_error *err)
{
	if (bm_phase_do(phase, BM_END_CONTROL, "BEGIN", 0, NULL, err) != 0) {
		return -1;
	}
	return bm_phase_do(phase, BM_END_CONTROL,
			"SET LOCAL session_replication_role = replica", 0, NULL, err);
}

int bm_phase_end(struct bm_phase *phase, int rc, struct bm_error *err)
{
	struct bm_error ignored = BM_ERROR_INIT;

	if (rc == 0) {
		return bm_phase_do(phase, BM_END_CONTROL, "COMMIT", 0, NULL, err);
	}
	bm_phase_do(phase, BM_END_CONTROL, "ROLLBACK", 0, NULL, &ignored);
	return -1;
}

/* ---- the order ---- */

/* The end of stdin means that nobody wants the work any more. `beats` NULL: without a sign
 * of life meanwhile. */
static void *wait_for_the_end(void *beats)
{
	struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
	char word[256];
	ssize_t got = 1;

	while (got > 0 || (got < 0 && errno == EINTR)) {
		if (poll(&end, 1, beats != NULL ? BEAT_MSEC : -1) == 0) {
			bm_report_alive();
		} else {
			got = read(STDIN_FILENO, word, sizeof(word));
		}
	}
	_exit(1);
}

/* Byte by byte: what follows the order is not ours to read. */
static int read_order(struct bm_phase_order *order, struct bm_error *err)
{
	struct bm_strbuf line = BM_STRBUF_INIT;
	int rc = -1;
	char c;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0 || line.length >= ORDER_BYTES) {
			bm_error_set(err, BM_ERR_CONFIG, "there is no whole order on stdin");
			break;
		}
		if (c == '\n') {
			rc = bm_phase_order_decode(
					bm_strbuf_text(&line), line.length, order, err);
			break;
		}
		bm_strbuf_putc(&line, c);
	}
	bm_strbuf_finish(&line);
	return rc;
}

/* It takes no signal: the end of pg_dump has to reach the thread that waits for it. */
static int start_waiter(bool beats, struct bm_error *err)
{
	static bool yes = true;

	sigset_t all, before;
	pthread_t waiter;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&waiter, NULL, wait_for_the_end, beats ? &yes : NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed == 0 ? 0 : bm_error_set(err, BM_ERR_TRANSIENT, "cannot start a thread");
}

static int run_phase(struct bm_phase *phase, struct bm_error *err)
{
	for (size_t i = 0; i < BM_COUNT_OF(phases); i++) {
		if (strcmp(phases[i].name, phase->order.phase) == 0) {
			return phases[i].run(phase, err);
		}
	}
	return bm_error_set(
			err, BM_ERR_INTERNAL, "there is no phase '%.64s'", phase->order.phase);
}

static void finish(struct bm_phase *phase)
{
	for (int end = 0; end < BM_END_COUNT; end++) {
		PQfinish(phase->conns[end]);
	}
	json_decref(phase->evidence);
	bm_phase_order_finish(&phase->order);
}

int bm_phase_serve(const char *title, bool beats,
		int (*run)(struct bm_phase *phase, struct bm_error *err))
{
	struct bm_phase phase = {.evidence = json_object()};
	struct bm_error err = BM_ERROR_INIT;

	prctl(PR_SET_NAME, title);
	int rc = read_order(&phase.order, &err);
	if (rc == 0) {
		rc = start_waiter(beats, &err);
	}
	if (rc == 0) {
		rc = run(&phase, &err);
	}
	if (rc == 0) {
		bm_report_done(json_incref(phase.evidence));
	} else {
		bm_report_failed(&err,
				phase.mend[0] != '\0' ? phase.mend : bm_transfer_mend(&err));
	}
	finish(&phase);
	return rc == 0 ? 0 : 1;
}

int bm_phase_run(void)
{
	return bm_phase_serve("phase", true, run_phase);
}
