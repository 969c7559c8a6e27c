/* Sessions on the source and the destination, all alike. */
#include "worker/session/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/hints.h"
#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/password.h"
#include "worker/session/dial.h"
#include "worker/session/pooled.h"

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

/* Only these of our keywords come after the person's own and win. */
#define FORCED_GSS "disable" /* worker/session/wire.c reads the socket itself: plain or TLS */

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
	if (sqlstate != NULL && strcmp(sqlstate, BM_SQLSTATE_DISK_FULL) == 0) {
		code = BM_ERR_PRECONDITION;
	}
	bm_error_set(err, code, "%s", text);
	if (err != NULL && sqlstate != NULL) {
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", sqlstate);
	}
	return -1;
}

/* ---- endpoints ---- */

static const char *word_of(const struct bm_conninfo *words, const char *keyword)
{
	const char *value = bm_conninfo_get(words, keyword);

	return value != NULL ? value : "";
}

static enum bm_session_kind session_of(const struct bm_endpoint *endpoint)
{
	return endpoint->is_destination ? BM_SESSION_COPY_DESTINATION : BM_SESSION_COPY_SOURCE;
}

static int refuse_secrets(const struct bm_endpoint *endpoint, struct bm_error *err)
{
	static const char *const secrets[] = {"password", "sslpassword"};

	for (size_t i = 0; i < BM_COUNT_OF(secrets); i++) {
		if (word_of(&endpoint->words, secrets[i])[0] != '\0') {
			return bm_error_set(err, BM_ERR_CONFIG,
					"the %s's connection string holds a %s, which every user of "
					"this computer could read: put it into a passfile "
					"(~/.pgpass, PGPASSFILE) or into PGPASSWORD",
					endpoint->role, secrets[i]);
		}
	}
	return 0;
}

int bm_endpoint_init(struct bm_endpoint *endpoint, const char *role,
		const struct bm_conninfo *words, struct bm_error *err)
{
	const char *host = word_of(words, "host");
	const char *port = word_of(words, "port");

	*endpoint = (struct bm_endpoint){
			.role = role,
			.is_destination = strcmp(role, "destination") == 0,
	};
	bm_conninfo_copy(words, &endpoint->words);
	endpoint->place = bm_format("'%s' on %s%s%s", word_of(words, "dbname"),
			host[0] != '\0' ? host : "the local socket", port[0] != '\0' ? ":" : "",
			port);
	return refuse_secrets(endpoint, err);
}

void bm_endpoint_finish(struct bm_endpoint *endpoint)
{
	bm_conninfo_finish(&endpoint->words);
	free(endpoint->place);
	*endpoint = (struct bm_endpoint){0};
}

/* What the person wrote, what he left open, what is not his to choose. */
static void connection_words(const struct bm_endpoint *endpoint, struct bm_conninfo *out)
{
	bm_conninfo_copy(&endpoint->words, out);
	for (size_t i = 0; i < BM_COUNT_OF(defaults); i++) {
		if (bm_conninfo_get(out, defaults[i].keyword) == NULL) {
			bm_conninfo_put(out, defaults[i].keyword, defaults[i].value);
		}
	}
	bm_conninfo_put(out, "gssencmode", FORCED_GSS);
	bm_conninfo_put(out, "client_encoding", endpoint->encoding);
}

static void all_words(const struct bm_endpoint *endpoint, struct bm_conninfo *out)
{
	connection_words(endpoint, out);
	bm_session_pin(out, session_of(endpoint));
}

char *bm_endpoint_text(const struct bm_endpoint *endpoint)
{
	struct bm_strbuf text = BM_STRBUF_INIT;
	struct bm_conninfo words;

	all_words(endpoint, &words);
	for (size_t i = 0; i < words.count; i++) {
		bm_conninfo_word(&text, " ", words.keywords[i], words.values[i]);
	}
	bm_conninfo_finish(&words);
	return bm_strbuf_detach(&text);
}

static PGconn *open_connection(const struct bm_endpoint *endpoint, char *silent, size_t size)
{
	struct bm_conninfo words;

	all_words(endpoint, &words);
	PGconn *conn = bm_dial(&words, silent, size);
	bm_conninfo_finish(&words);
	return conn;
}

/* By words that nothing in the database can shadow; then others may be spoken. */
static int pin_settings(const struct bm_endpoint *endpoint, PGconn *conn, struct bm_error *err)
{
	struct bm_strbuf sql = BM_STRBUF_INIT;

	bm_session_sql(session_of(endpoint), PQserverVersion(conn), NULL, &sql);
	int rc = bm_sql_do(conn, bm_strbuf_text(&sql), err);
	bm_strbuf_finish(&sql);
	char *path = rc == 0 ? bm_sql_value(conn, BM_SESSION_SHOW, err) : NULL;
	if (path != NULL && strcmp(path, bm_session_path(session_of(endpoint))) != 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"settings do not stay in force from one statement to the next: "
				"connect to the server itself, or through a pooler in session mode");
	}
	rc = path != NULL ? rc : -1;
	free(path);
	return rc;
}

/* One that has no second connection to give keeps sessions. */
static int check_pooler(const struct bm_endpoint *endpoint, PGconn *conn, struct bm_error *err)
{
	char silent[160];

	if (!bm_pooled_drops_settings(conn)) {
		return 0;
	}
	PGconn *other = open_connection(endpoint, silent, sizeof(silent));
	int rc = PQstatus(other) == CONNECTION_OK ? bm_pooled_check(conn, other, err) : 0;
	PQfinish(other);
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
	char silent[160];
	PGconn *conn = open_connection(endpoint, silent, sizeof(silent));

	if (PQstatus(conn) != CONNECTION_OK) {
		bm_sql_error(err, NULL, silent[0] != '\0' ? silent : PQerrorMessage(conn));
		bm_password_explain(conn, err);
		bm_pooled_explain(err);
		bm_error_wrap(err, "cannot connect to the %s (%s)", endpoint->role,
				endpoint->place);
		PQfinish(conn);
		return NULL;
	}
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (check_pooler(endpoint, conn, err) != 0 || pin_settings(endpoint, conn, err) != 0) {
		bm_error_wrap(err, "preparing a session of the %s", endpoint->role);
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

char *bm_endpoint_usual_path(const struct bm_endpoint *endpoint)
{
	struct bm_conninfo words;

	connection_words(endpoint, &words);
	PGconn *conn = PQconnectdbParams((const char *const *)words.keywords,
			(const char *const *)words.values, 0);
	bm_conninfo_finish(&words);
	char *path = PQstatus(conn) == CONNECTION_OK
			? bm_sql_value(conn, "SHOW search_path", NULL)
			: NULL;
	PQfinish(conn);
	return path;
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
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
	char *text = primary == NULL
			? bm_strdup(PQerrorMessage(conn))
			: bm_format("%s%s%s%s%s%s", primary, detail != NULL ? ": " : "",
					  detail != NULL ? detail : "",
					  hint != NULL ? " (" : "", hint != NULL ? hint : "",
					  hint != NULL ? ")" : "");
	if (context != NULL && strstr(context, "function ") != NULL) {
		char *said = text;
		text = bm_format("%s (in %.*s)", said, (int)strcspn(context, "\n"), context);
		free(said);
	}
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
