/* A sample over there, over here, and back to nothing. */
#include "worker/preflight/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/kinds.h"

#define SAMPLE_BYTES ((uint64_t)16 << 20)
#define LIMIT_MSEC 2000
#define STATEMENT_LIMIT_MSEC 4000

/* A value larger than this is left out: a sample must not need much memory. */
#define VALUE_BYTES "65536"

#define TRIAL "bucardo_machine_trial"

struct sample {
	struct bm_phase *phase;
	const struct bm_selected_table *table;
	char *columns, *types, *filter; /* of SQL */
	char *encoding;
	char **rows; /* as COPY sends them */
	size_t *lengths, count, room;
	uint64_t bytes; /* of the table, that these rows stand for */
};

static void print_why(struct bm_speed *out, const char *what, const struct bm_error *err)
{
	if (out->why[0] == '\0') {
		snprintf(out->why, sizeof(out->why), "%s: %.200s", what, err->message);
	}
}

static double rate(uint64_t bytes, uint64_t begun_msec)
{
	uint64_t passed = bm_clock_msec() - begun_msec;

	return (double)bytes * 1000 / (double)(passed > 0 ? passed : 1);
}

/* clang-format off */
static const char columns_sql[] =
#include "worker/preflight/sql/sample_columns.sql.inc"
;
/* clang-format on */

static int read_columns(struct sample *sample, struct bm_error *err)
{
	const char *const params[] = {sample->table->oid, VALUE_BYTES};
	PGresult *rows = bm_phase_ask(
			sample->phase, BM_SIDE_SOURCE, columns_sql, 2, params, err);

	if (rows == NULL) {
		return -1;
	}
	sample->columns = bm_strdup(PQgetvalue(rows, 0, 0));
	sample->types = bm_strdup(PQgetvalue(rows, 0, 1));
	sample->filter = bm_strdup(PQgetvalue(rows, 0, 2));
	sample->encoding = bm_strdup(PQgetvalue(rows, 0, 3));
	PQclear(rows);
	return 0;
}

static void keep_row(struct sample *sample, char *row, size_t length)
{
	if (sample->count == sample->room) {
		sample->room = sample->room == 0 ? 1024 : sample->room * 2;
		sample->rows = bm_realloc(sample->rows, sample->room, sizeof(*sample->rows));
		sample->lengths = bm_realloc(
				sample->lengths, sample->room, sizeof(*sample->lengths));
	}
	sample->rows[sample->count] = row;
	sample->lengths[sample->count++] = length;
}

static PGconn *begin(struct bm_phase *phase, enum bm_side side, struct bm_error *err)
{
	char *limits = bm_format(
			"SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = 500",
			STATEMENT_LIMIT_MSEC);
	PGconn *conn = bm_phase_conn(phase, side, err);

	if (conn != NULL) {
		PQsetnonblocking(conn, 0); /* COPY; the limits above and TCP's own hold */
		PQclear(PQexec(conn, "BEGIN"));
		PQclear(PQexec(conn, limits));
	}
	free(limits);
	return conn;
}

static void end(PGconn *conn)
{
	while (conn != NULL && PQtransactionStatus(conn) == PQTRANS_ACTIVE) {
		PGresult *rest = PQgetResult(conn);
		bool none = rest == NULL;
		PQclear(rest);
		if (none) {
			break;
		}
	}
	PQclear(PQexec(conn, "ROLLBACK"));
	PQsetnonblocking(conn, 1);
}

static int fail(const PGconn *conn, struct bm_error *err)
{
	char text[200];

	snprintf(text, sizeof(text), "%s", PQerrorMessage(conn));
	text[strcspn(text, "\n")] = '\0';
	return bm_error_set(err, BM_ERR_SQL, "%s", text);
}

static int run(PGconn *conn, const char *sql, ExecStatusType wanted, struct bm_error *err)
{
	PGresult *result = PQexec(conn, sql);
	bool good = PQresultStatus(result) == wanted;

	PQclear(result);
	return good ? 0 : fail(conn, err);
}

/* The rest of the rows is read too: a sample is small. */
static int take_rows(struct sample *sample, PGconn *conn, struct bm_error *err)
{
	char *row;
	int length;

	while ((length = PQgetCopyData(conn, &row, 0)) > 0) {
		keep_row(sample, row, (size_t)length);
	}
	if (length == -2) {
		return fail(conn, err);
	}
	PGresult *result = PQgetResult(conn);
	bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return good ? 0 : fail(conn, err);
}

static int read_sample(struct sample *sample, uint64_t bytes, uint64_t rows,
		struct bm_speed *out, struct bm_error *err)
{
	double percent = bytes > SAMPLE_BYTES ? 100.0 * (double)SAMPLE_BYTES / (double)bytes
					      : 100;
	char *sql = bm_format("COPY (SELECT %s FROM ONLY %s TABLESAMPLE SYSTEM (%.6f)"
			      " REPEATABLE (1) WHERE %s) TO STDOUT",
			sample->columns, sample->table->quoted, percent, sample->filter);
	PGconn *conn = begin(sample->phase, BM_SIDE_SOURCE, err);
	int rc = conn == NULL ? -1 : 0;
	uint64_t begun_msec = bm_clock_msec();

	if (rc == 0) {
		rc = run(conn, sql, PGRES_COPY_OUT, err);
		rc = rc == 0 ? take_rows(sample, conn, err) : -1;
	}
	double share = rows > 0	  ? (double)sample->count / (double)rows
			: rc == 0 ? percent / 100
				  : 0;
	/* What came before the limit is a sample too. */
	rc = sample->count > 0 && share > 0 ? 0 : rc;
	if (sample->count > 0 && share > 0) {
		sample->bytes = (uint64_t)((share < 1 ? share : 1) * (double)bytes);
		out->sample_bytes = sample->bytes;
		out->read = rate(sample->bytes, begun_msec);
	}
	if (conn != NULL) {
		end(conn);
	}
	free(sql);
	return rc;
}

/* How many of the rows went over within the limit. */
static size_t put_rows(const struct sample *sample, PGconn *conn, uint64_t begun_msec)
{
	size_t put = 0;

	while (put < sample->count && bm_clock_msec() - begun_msec < LIMIT_MSEC) {
		if (PQputCopyData(conn, sample->rows[put], (int)sample->lengths[put]) != 1) {
			break;
		}
		put++;
	}
	return put;
}

static int write_rows(const struct sample *sample, PGconn *conn, struct bm_speed *out,
		uint64_t *written, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();

	if (run(conn, "COPY " TRIAL ".t FROM STDIN", PGRES_COPY_IN, err) != 0) {
		return -1;
	}
	size_t put = put_rows(sample, conn, begun_msec);
	if (PQputCopyEnd(conn, NULL) != 1) {
		return fail(conn, err);
	}
	PGresult *result = PQgetResult(conn);
	bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	PQclear(PQgetResult(conn));
	if (!good) {
		return fail(conn, err);
	}
	*written = (uint64_t)((double)sample->bytes * (double)put / (double)sample->count);
	out->write = rate(*written, begun_msec);
	return 0;
}

/* Against what the table of kinds says of such an index; without an answer no ratio is known.
 */
static void take_ratio(PGconn *conn, double took_msec, uint64_t written, struct bm_speed *out)
{
	PGresult *row = PQexec(conn,
			"SELECT pg_relation_size(i.indexrelid), i.indcollation[0] <> 0,"
			" (SELECT count(*) FROM " TRIAL ".t) FROM pg_index i"
			" WHERE i.indrelid = '" TRIAL ".t'::regclass");

	if (PQresultStatus(row) == PGRES_TUPLES_OK && PQntuples(row) == 1) {
		const struct bm_kind_size size = {.bytes = written,
				.index_bytes = strtoull(PQgetvalue(row, 0, 0), NULL, 10),
				.rows = strtoull(PQgetvalue(row, 0, 2), NULL, 10)};
		enum bm_kind kind = bm_kind_named("btree", PQgetvalue(row, 0, 1)[0] == 't');
		out->index_ratio = took_msec / bm_kind_msec(kind, &size);
	}
	PQclear(row);
}

/* The first column, as most keys have it; one that no btree takes costs the figure only. */
static int build_index(
		PGconn *conn, uint64_t written, struct bm_speed *out, struct bm_error *err)
{
	uint64_t begun_msec = bm_clock_msec();
	int rc = run(conn,
			"DO $do$ BEGIN EXECUTE (SELECT 'CREATE INDEX ON " TRIAL ".t (' ||"
			" attname || ')' FROM pg_attribute WHERE attrelid = '" TRIAL
			".t'::regclass"
			" AND attnum > 0 ORDER BY attnum LIMIT 1); END $do$",
			PGRES_COMMAND_OK, err);

	if (rc == 0) {
		out->index = rate(written, begun_msec);
		take_ratio(conn, (double)(bm_clock_msec() - begun_msec), written, out);
	}
	return rc;
}

static void try_destination(const struct sample *sample, struct bm_speed *out)
{
	struct bm_error err = BM_ERROR_INIT;
	PGconn *conn = begin(sample->phase, BM_SIDE_DESTINATION, &err);
	uint64_t written = 0;

	if (conn == NULL) {
		print_why(out, "the destination", &err);
		return;
	}
	char *prepare = bm_format("SELECT set_config('client_encoding', '%s', true);"
				  "CREATE SCHEMA " TRIAL "; CREATE TABLE " TRIAL ".t (%s)",
			sample->encoding, sample->types);
	int rc = run(conn, prepare, PGRES_COMMAND_OK, &err);
	rc = rc == 0 ? write_rows(sample, conn, out, &written, &err) : -1;
	if (rc != 0) {
		print_why(out, "writing a sample to the destination", &err);
	} else if (build_index(conn, written, out, &err) != 0) {
		print_why(out, "building an index on the destination", &err);
	}
	free(prepare);
	end(conn);
}

static void finish(struct sample *sample)
{
	for (size_t i = 0; i < sample->count; i++) {
		PQfreemem(sample->rows[i]);
	}
	free(sample->rows);
	free(sample->lengths);
	free(sample->columns);
	free(sample->types);
	free(sample->filter);
	free(sample->encoding);
}

void bm_calibrate(struct bm_phase *phase, const struct bm_selected_table *table, uint64_t bytes,
		uint64_t rows, struct bm_speed *out)
{
	struct sample sample = {.phase = phase, .table = table};
	struct bm_error err = BM_ERROR_INIT;

	*out = (struct bm_speed){.why = ""};
	if (read_columns(&sample, &err) != 0 ||
			read_sample(&sample, bytes, rows, out, &err) != 0) {
		print_why(out, "reading a sample of the source", &err);
	} else if (sample.bytes > 0) {
		try_destination(&sample, out);
	}
	finish(&sample);
}
