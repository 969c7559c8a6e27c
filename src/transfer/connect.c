/* Sessions on the source and the destination, all alike. */
#include "transfer/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/postgres.h"

/* What the person did not choose. A silent network is noticed within half a minute. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
		{"connect_timeout", "15"},
		{"keepalives", "1"},
		{"keepalives_idle", "10"},
		{"keepalives_interval", "5"},
		{"keepalives_count", "4"},
		{"tcp_user_timeout", "30000"},
		{"application_name", "bucardo-machine clone"},
};

/*
 * The same on both sides: what texts look like, what names mean, and no limits of a
 * role that would cut a long copy. Names a server does not have are skipped.
 */
static const struct {
	const char *name, *value;
	bool destination_only;
} pinned[] = {
		{"search_path", "", false}, {"DateStyle", "ISO, YMD", false},
		{"IntervalStyle", "postgres", false}, {"TimeZone", "UTC", false},
		{"extra_float_digits", "3", false}, {"bytea_output", "hex", false},
		{"xmloption", "content", false}, {"standard_conforming_strings", "on", false},
		{"row_security", "off", false}, /* an error rather than a part of the rows */
		{"quote_all_identifiers", "off", false}, {"statement_timeout", "0", false},
		{"lock_timeout", "0", false},
		{"idle_in_transaction_session_timeout", "0", false},
		{"idle_session_timeout", "0", false}, {"transaction_timeout", "0", false},
		{"client_min_messages", "warning", false},
		/* A session whose client is gone must not hold its locks for hours. */
		{"tcp_keepalives_idle", "10", false}, {"tcp_keepalives_interval", "5", false},
		{"tcp_keepalives_count", "4", false}, {"tcp_user_timeout", "30s", false},
		{"max_parallel_workers_per_gather", "0", false},
		{"jit", "off", false}, /* it compiles longer than a foreign key is checked */
		{"synchronize_seqscans", "off", false},
		{"synchronous_commit", "off", true}, /* the last commit waits */
		{"check_function_bodies", "off", true},
		{"client_connection_check_interval", "2s", true}, /* a killed run's index */
};

/* Only these of our keywords come after the person's own and win. */
#define FORCED_GSS "disable" /* transfer/wire.c reads the socket itself: plain or TLS */

#define DISK_FULL "53100"

bool bm_sql_is_full(const struct bm_error *err)
{
	return strcmp(err->sqlstate, DISK_FULL) == 0;
}

int bm_sql_error(struct bm_error *err, const char *sqlstate, const char *message)
{
	static const char *const passing[] = {"08", "53", "57", "40", "55P03"};
	enum bm_error_code code = BM_ERR_SQL;
	char text[600];

	while (*message == ' ' || *message == '\n') {
		message++;
	}
	if (strncmp(message, "ERROR:", 6) == 0) {
		message += 6 + strspn(message + 6, " ");
	}
	snprintf(text, sizeof(text), "%s", message);
	for (char *c = text; *c != '\0'; c++) {
		*c = *c == '\n' ? ' ' : *c;
	}
	for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--) {
		text[n - 1] = '\0';
	}
	if (sqlstate == NULL) {
		code = BM_ERR_TRANSIENT; /* it never came from a server */
	}
	for (size_t i = 0; sqlstate != NULL && i < BM_COUNT_OF(passing); i++) {
		if (strncmp(sqlstate, passing[i], strlen(passing[i])) == 0) {
			code = BM_ERR_TRANSIENT;
		}
	}
	if (sqlstate != NULL && strcmp(sqlstate, DISK_FULL) == 0) {
		code = BM_ERR_PRECONDITION;
	}
	bm_error_set(err, code, "%s", text);
	if (err != NULL && sqlstate != NULL) {
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", sqlstate);
	}
	return -1;
}

/* ---- endpoints ---- */

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++) {
		if (strcmp(options->keyword, keyword) == 0) {
			return options->val != NULL ? options->val : "";
		}
	}
	return "";
}

/* libpq's own words would repeat the string; where it is wrong is left to the person. */
static int parse(struct bm_endpoint *endpoint, const PQconninfoOption *options,
		struct bm_error *err)
{
	static const char *const secrets[] = {"password", "sslpassword"};

	if (options == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the %s's connection string cannot be parsed: expected "
				"\"host=... dbname=...\" or postgresql://host/dbname",
				endpoint->role);
	}
	for (size_t i = 0; i < BM_COUNT_OF(secrets); i++) {
		if (option_of(options, secrets[i])[0] != '\0') {
			return bm_error_set(err, BM_ERR_CONFIG,
					"the %s's connection string holds a %s, which every user of "
					"this computer could read: put it into a passfile "
					"(~/.pgpass, PGPASSFILE) or into PGPASSWORD",
					endpoint->role, secrets[i]);
		}
	}
	const char *host = option_of(options, "host");
	const char *port = option_of(options, "port");
	endpoint->place = bm_format("'%s' on %s%s%s", option_of(options, "dbname"),
			host[0] != '\0' ? host : "the local socket", port[0] != '\0' ? ":" : "",
			port);
	return 0;
}

int bm_endpoint_init(struct bm_endpoint *endpoint, const char *role, const char *conninfo,
		struct bm_error *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &message);

	*endpoint = (struct bm_endpoint){
			.role = role,
			.is_destination = strcmp(role, "destination") == 0,
	};
	PQfreemem(message);
	int rc = parse(endpoint, options, err);
	PQconninfoFree(options);
	endpoint->conninfo = rc == 0 ? bm_strdup(conninfo) : NULL;
	return rc;
}

void bm_endpoint_finish(struct bm_endpoint *endpoint)
{
	free(endpoint->conninfo);
	free(endpoint->place);
	*endpoint = (struct bm_endpoint){0};
}

static PGconn *open_connection(const struct bm_endpoint *endpoint)
{
	const char *keywords[BM_COUNT_OF(defaults) + 4];
	const char *values[BM_COUNT_OF(defaults) + 4];
	size_t n = 0;

	for (size_t i = 0; i < BM_COUNT_OF(defaults); i++) {
		keywords[n] = defaults[i].keyword;
		values[n++] = defaults[i].value;
	}
	keywords[n] = "dbname"; /* expanded, and overrides what stands before it */
	values[n++] = endpoint->conninfo;
	keywords[n] = "gssencmode";
	values[n++] = FORCED_GSS;
	if (endpoint->encoding[0] != '\0') {
		keywords[n] = "client_encoding";
		values[n++] = endpoint->encoding;
	}
	keywords[n] = values[n] = NULL;
	return PQconnectdbParams(keywords, values, 1);
}

static int pin_settings(const struct bm_endpoint *endpoint, PGconn *conn, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;
	bool first = true;

	bm_strbuf_puts(&sql,
			"SELECT pg_catalog.set_config(v.name, v.value, false) FROM (VALUES ");
	for (size_t i = 0; i < BM_COUNT_OF(pinned); i++) {
		if (!pinned[i].destination_only || endpoint->is_destination) {
			bm_strbuf_printf(&sql, "%s('%s', '%s')", first ? "" : ", ",
					pinned[i].name, pinned[i].value);
			first = false;
		}
	}
	bm_strbuf_puts(&sql,
			") v (name, value) WHERE pg_catalog.lower(v.name) IN"
			" (SELECT pg_catalog.lower(s.name) FROM pg_catalog.pg_settings s)");
	int rc = bm_sql_do(conn, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	return rc;
}

/* A server's notices are no output of ours. */
static void ignore_notice(void *ctx, const PGresult *result)
{
	(void)ctx;
	(void)result;
}

PGconn *bm_endpoint_connect(const struct bm_endpoint *endpoint, struct bm_error *err)
{
	PGconn *conn = open_connection(endpoint);

	if (PQstatus(conn) != CONNECTION_OK) {
		bm_sql_error(err, NULL, PQerrorMessage(conn));
		bm_error_wrap(err, "cannot connect to the %s (%s)", endpoint->role,
				endpoint->place);
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (pin_settings(endpoint, conn, err) != 0) {
		bm_error_wrap(err, "preparing a session of the %s", endpoint->role);
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

/* ---- statements ---- */

static PGresult *checked(PGconn *conn, PGresult *result, struct bm_error *err)
{
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
			status == PGRES_EMPTY_QUERY) {
		return result;
	}
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	char *text = primary == NULL
			? bm_strdup(PQerrorMessage(conn))
			: bm_format("%s%s%s%s%s%s", primary, detail != NULL ? ": " : "",
					  detail != NULL ? detail : "",
					  hint != NULL ? " (" : "", hint != NULL ? hint : "",
					  hint != NULL ? ")" : "");
	bm_sql_error(err,
			PQstatus(conn) == CONNECTION_OK
					? PQresultErrorField(result, PG_DIAG_SQLSTATE)
					: NULL,
			text);
	free(text);
	PQclear(result);
	return NULL;
}

PGresult *bm_sql(PGconn *conn, const char *sql, struct bm_error *err)
{
	return checked(conn, PQexec(conn, sql), err);
}

PGresult *bm_sql_params(PGconn *conn, const char *sql, int count, const char *const *params,
		struct bm_error *err)
{
	return checked(conn, PQexecParams(conn, sql, count, NULL, params, NULL, NULL, 0), err);
}

int bm_sql_do(PGconn *conn, const char *sql, struct bm_error *err)
{
	PGresult *result = bm_sql(conn, sql, err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

char *bm_sql_value(PGconn *conn, const char *sql, struct bm_error *err)
{
	PGresult *result = bm_sql(conn, sql, err);
	char *value = NULL;

	if (result != NULL && PQntuples(result) > 0 && !PQgetisnull(result, 0, 0)) {
		value = bm_strdup(PQgetvalue(result, 0, 0));
	}
	PQclear(result);
	return value;
}
