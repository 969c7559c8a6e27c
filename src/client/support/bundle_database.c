/* The tables of the control database, while it runs: over the loop, one statement at a time. */
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/libpq.h"
#include "bucardo_machine/postgres.h"
#include "client/support/bundle.h"

#define LIMIT_MSEC 15000
#define STATEMENT_MSEC 5000

static const char tables_sql[] =
#include "client/support/sql/bundle_tables.sql.inc"
		;

struct reading {
	struct bundle *bundle;
	struct bm_conn *conn;
	size_t count, at; /* of the tables */
	char **names;	  /* with their schema */
	char **statements;
};

static void on_rows(void *ctx, const struct bm_result *result);

static void ask_next(struct reading *reading)
{
	if (reading->at == reading->count) {
		bm_loop_stop(reading->bundle->loop);
		return;
	}
	bm_conn_query(reading->conn, reading->statements[reading->at], NULL, 0, on_rows,
			reading);
}

static void on_rows(void *ctx, const struct bm_result *result)
{
	struct reading *reading = ctx;
	struct bm_strbuf file = BM_STRBUF_INIT;
	const char *rows = result->error == NULL ? bm_result_get(result, 0, 0) : NULL;

	bm_strbuf_printf(&file, "database-%s.json", reading->names[reading->at]);
	if (result->error != NULL) {
		bundle_fail(reading->bundle, bm_strbuf_text(&file), result->error->message);
	} else {
		bundle_write(reading->bundle, bm_strbuf_text(&file),
				rows != NULL ? rows : "[]");
	}
	bm_strbuf_finish(&file);
	reading->at++;
	ask_next(reading);
}

/* Bucardo keeps passwords in a column; ours go through pgpass. */
static void add_table(struct reading *reading, const char *schema, const char *table)
{
	struct bm_strbuf statement = BM_STRBUF_INIT;

	bm_strbuf_puts(&statement,
			"SELECT pg_catalog.json_agg(pg_catalog.to_jsonb(t) "
			"OPERATOR(pg_catalog.-) 'dbpass'::pg_catalog.text) "
			"FROM (SELECT * FROM ");
	bm_quote_ident(&statement, schema);
	bm_strbuf_putc(&statement, '.');
	bm_quote_ident(&statement, table);
	bm_strbuf_puts(&statement, " LIMIT 1000) t");
	reading->names[reading->count] = bm_format("%s.%s", schema, table);
	reading->statements[reading->count++] = bm_strbuf_detach(&statement);
}

static void on_tables(void *ctx, const struct bm_result *result)
{
	struct reading *reading = ctx;

	if (result->error != NULL) {
		bundle_fail(reading->bundle, "database", result->error->message);
		bm_loop_stop(reading->bundle->loop);
		return;
	}
	reading->names = bm_realloc(NULL, result->row_count + 1, sizeof(*reading->names));
	reading->statements = bm_realloc(
			NULL, result->row_count + 1, sizeof(*reading->statements));
	for (size_t i = 0; i < result->row_count; i++) {
		add_table(reading, bm_result_get(result, i, 0), bm_result_get(result, i, 1));
	}
	ask_next(reading);
}

static void on_connection(void *ctx, enum bm_conn_event event, const char *text)
{
	struct reading *reading = ctx;

	if (event == BM_CONN_UP) {
		bm_conn_query(reading->conn, tables_sql, NULL, 0, on_tables, reading);
	} else if (event == BM_CONN_DOWN) {
		bundle_fail(reading->bundle, "database", text);
		bm_loop_stop(reading->bundle->loop);
	}
}

static void on_limit(void *ctx)
{
	struct reading *reading = ctx;
	bundle_fail(reading->bundle, "database", "the control database did not answer in time");
	bm_loop_stop(reading->bundle->loop);
}

void bundle_add_database(struct bundle *bundle)
{
	struct reading reading = {.bundle = bundle};
	const struct bm_conn_options options = {.socket_dir = bundle->call->runtime,
			.dbname = "bucardo",
			.user = "bucardo",
			.application_name = "bucardo-machine support-bundle",
			.connect_timeout_msec = STATEMENT_MSEC,
			.query_timeout_msec = STATEMENT_MSEC};
	struct bm_timer *limit = bm_timer_create(bundle->loop, on_limit, &reading);

	reading.conn = bm_conn_create(bundle->loop, &options, on_connection, &reading);
	bm_timer_arm(limit, LIMIT_MSEC);
	bm_conn_open(reading.conn);
	bm_loop_run(bundle->loop);
	bm_conn_destroy(reading.conn);
	bm_timer_close(limit);
	for (size_t i = 0; i < reading.count; i++) {
		free(reading.names[i]);
		free(reading.statements[i]);
	}
	free(reading.names);
	free(reading.statements);
}
