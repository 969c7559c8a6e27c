/*
 * Hooks of type pgbouncer: its console, and the file with the lines of its databases.
 *
 *     PAUSE     clients wait before their next transaction; those in one end it
 *     (the freeze)
 *     file      the lines lead to the other side
 *     RELOAD    read by PgBouncer: its console has to say so before anybody goes on
 *     RESUME    clients go on
 *
 * PAUSE closes connections to the server, also one in its login: that counts as a failed login
 * (tried with 1.18), after which nobody gets a new one for server_login_retry, 15 s. So it is
 * short for the moment of RESUME.
 *
 * What holds already is done again without harm. A PAUSE that waits takes no other command on
 * its connection, so there are two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/file.h"
#include "bucardo_machine/libpq.h"
#include "worker/flip/hook.h"
#include "worker/flip/pooler_file.h"
#include "worker/session/ask.h"
#include "worker/session/conninfo.h"

/* Seconds. */
#define LOGIN_RETRY "0.01"

#define FILE_BYTES ((size_t)1024 * 1024)

static const char *database_of(const struct bm_hook *hook, size_t index)
{
	return json_string_value(
			json_array_get(json_object_get(hook->json, "databases"), index));
}

static const char *file_of(const struct bm_hook *hook)
{
	const char *file = json_string_value(json_object_get(hook->json, "file"));

	return file != NULL ? file : "";
}

/* ---- the console ---- */

static PGconn *connect_console(const struct bm_hook *hook, struct bm_error *err)
{
	struct bm_conninfo info = {0};

	bm_conninfo_put(&info, "port", "6432");
	bm_hook_conninfo(hook, &info);
	bm_conninfo_put(&info, "dbname", "pgbouncer");
	bm_conninfo_put(&info, "application_name", "bucardo-machine cutover");
	bm_conninfo_defaults(&info);
	PGconn *conn = bm_ask_connect_plain(&info, hook->timeout_msec, err);
	bm_conninfo_finish(&info);
	if (conn == NULL) {
		bm_error_wrap(err, "its console cannot be reached");
	}
	return conn;
}

static int have(const struct bm_hook *hook, PGconn **conn, struct bm_error *err)
{
	if (*conn != NULL && PQstatus(*conn) == CONNECTION_OK) {
		return 0;
	}
	PQfinish(*conn);
	*conn = connect_console(hook, err);
	return *conn != NULL ? 0 : -1;
}

/* A connection that was lost meanwhile is made again, once. */
static PGresult *ask(struct bm_hook *hook, const char *command, struct bm_error *err)
{
	for (int round = 0; round < 2; round++) {
		*err = (struct bm_error)BM_ERROR_INIT;
		if (have(hook, &hook->console, err) != 0) {
			return NULL;
		}
		PGresult *result = bm_ask_script(
				hook->console, command, hook->timeout_msec, err);
		if (result != NULL || err->code == BM_ERR_SQL) {
			return result;
		}
		PQfinish(hook->console);
		hook->console = NULL;
		if (err->code == BM_ERR_TIMEOUT) {
			break;
		}
	}
	bm_error_wrap(err, "%.60s", command);
	return NULL;
}

static char *command_for(const char *word, const char *database)
{
	struct bm_strbuf text = BM_STRBUF_INIT;

	bm_strbuf_printf(&text, "%s ", word);
	bm_quote_ident(&text, database);
	return bm_strbuf_detach(&text);
}

void bm_pooler_close(struct bm_hook *hook)
{
	PQfinish(hook->console);
	PQfinish(hook->pauser);
	hook->console = hook->pauser = NULL;
}

int bm_pooler_prepare(struct bm_hook *hook, struct bm_error *err)
{
	return have(hook, &hook->console, err) == 0 ? have(hook, &hook->pauser, err) : -1;
}

/* ---- the file ---- */

static void take(char *out, size_t size, const json_t *words, const char *name,
		const char *fallback)
{
	const char *text = json_string_value(json_object_get(words, name));

	snprintf(out, size, "%s", text != NULL ? text : fallback);
}

/* Where the lines lead when a side is live; how PgBouncer reaches it may differ from our way.
 */
static void target_of(const struct bm_hook *hook, bool to, struct bm_pooler_target *out)
{
	const struct bm_phase_endpoint *side = to ? hook->about->to : hook->about->from;
	bool is_source = to == hook->about->to_source;
	const json_t *words = json_object_get(hook->json, is_source ? "source" : "destination");
	char port[16];

	snprintf(port, sizeof(port), "%u", side->port);
	take(out->host, sizeof(out->host), words, "host", side->host);
	take(out->port, sizeof(out->port), words, "port", port);
	take(out->dbname, sizeof(out->dbname), words, "dbname", side->dbname);
}

static int rewrite(const struct bm_hook *hook, const char *text, struct bm_strbuf *out,
		struct bm_error *err)
{
	struct bm_pooler_target target;
	const char *database;
	int rc = 0;

	target_of(hook, true, &target);
	bm_strbuf_puts(out, text);
	for (size_t i = 0; rc == 0 && (database = database_of(hook, i)) != NULL; i++) {
		char *before = bm_strbuf_detach(out);
		rc = bm_pooler_file_write(before, database, &target, out, err);
		free(before);
	}
	return rc;
}

/* Its rights and owner stay, as far as we may. */
static int replace(const char *file, const struct bm_strbuf *text, struct bm_error *err)
{
	struct stat info;

	if (stat(file, &info) != 0) {
		return bm_error_set(err, BM_ERR_IO, "%m");
	}
	if (bm_file_replace(file, bm_strbuf_text(text), text->length, info.st_mode & 0777,
			    err) != 0) {
		return -1;
	}
	if (chown(file, info.st_uid, info.st_gid) != 0) {
		return 0; /* whoever can read it now is what counts: RELOAD will tell */
	}
	return 0;
}

static int write_file(struct bm_hook *hook, struct bm_error *err)
{
	struct bm_strbuf text = BM_STRBUF_INIT, changed = BM_STRBUF_INIT;
	int rc = bm_file_load(file_of(hook), FILE_BYTES, &text, err);

	rc = rc == 0 ? rewrite(hook, bm_strbuf_text(&text), &changed, err) : -1;
	if (rc == 0 && strcmp(bm_strbuf_text(&text), bm_strbuf_text(&changed)) != 0) {
		rc = replace(file_of(hook), &changed, err);
	}
	bm_strbuf_finish(&text);
	bm_strbuf_finish(&changed);
	return rc == 0 ? 0 : bm_error_wrap(err, "its file '%.200s'", file_of(hook));
}

/* ---- what PgBouncer itself says ---- */

static const char *value_of(const PGresult *rows, int row, const char *column)
{
	int place = PQfnumber(rows, column);

	return place >= 0 ? PQgetvalue(rows, row, place) : "";
}

static int row_of(const PGresult *rows, const char *name)
{
	int row = 0;

	while (row < PQntuples(rows) && strcmp(value_of(rows, row, "name"), name) != 0) {
		row++;
	}
	return row < PQntuples(rows) ? row : -1;
}

/* A line without a host is for a socket. */
static bool leads_to(const PGresult *rows, int row, const struct bm_pooler_target *target)
{
	return strcmp(value_of(rows, row, "host"), target->host) == 0 &&
			strcmp(value_of(rows, row, "port"), target->port) == 0 &&
			strcmp(value_of(rows, row, "database"), target->dbname) == 0;
}

static int check_row(const struct bm_hook *hook, const PGresult *rows, const char *database,
		const struct bm_pooler_target *target, struct bm_error *err)
{
	int row = row_of(rows, database);

	if (row < 0) {
		return bm_error_set(err, BM_ERR_PRECONDITION,
				"PgBouncer knows no database '%s': does its configuration have "
				"%%include %.200s?",
				database, file_of(hook));
	}
	if (leads_to(rows, row, target)) {
		return 0;
	}
	return bm_error_set(err, BM_ERR_PRECONDITION,
			"PgBouncer sends clients of '%s' to %s:%s/%s, not to %s:%s/%s: does its "
			"configuration have %%include %.200s, and may it read that file?",
			database, value_of(rows, row, "host"), value_of(rows, row, "port"),
			value_of(rows, row, "database"), target->host, target->port,
			target->dbname, file_of(hook));
}

static int check_databases(struct bm_hook *hook, bool to, struct bm_error *err)
{
	struct bm_pooler_target target;
	PGresult *rows = ask(hook, "SHOW DATABASES", err);
	int rc = rows != NULL ? 0 : -1;
	const char *database;

	target_of(hook, to, &target);
	for (size_t i = 0; rc == 0 && (database = database_of(hook, i)) != NULL; i++) {
		rc = check_row(hook, rows, database, &target, err);
	}
	PQclear(rows);
	return rc;
}

/* ---- for the moment ---- */

static int read_setting(struct bm_hook *hook, const char *name, char *out, size_t size,
		struct bm_error *err)
{
	PGresult *rows = ask(hook, "SHOW CONFIG", err);

	out[0] = '\0';
	for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
		if (strcmp(PQgetvalue(rows, row, 0), name) == 0) {
			snprintf(out, size, "%s", PQgetvalue(rows, row, 1));
		}
	}
	PQclear(rows);
	return rows != NULL ? 0 : -1;
}

static int run_command(struct bm_hook *hook, const char *command, struct bm_error *err)
{
	PGresult *result = ask(hook, command, err);

	PQclear(result);
	return result != NULL ? 0 : bm_error_wrap(err, "%.40s", command);
}

static int hasten(struct bm_hook *hook, struct bm_error *err)
{
	if (hook->login_retry[0] == '\0' &&
			read_setting(hook, "server_login_retry", hook->login_retry,
					sizeof(hook->login_retry), err) != 0) {
		return -1;
	}
	return run_command(hook, "SET server_login_retry = '" LOGIN_RETRY "'", err);
}

/* Where it is ours already, of a process before this one, the file has the other. */
int bm_pooler_settle(struct bm_hook *hook, struct bm_error *err)
{
	char command[80];

	if (hook->login_retry[0] == '\0') {
		return 0;
	}
	bool is_ours = strtod(hook->login_retry, NULL) <= strtod(LOGIN_RETRY, NULL);
	snprintf(command, sizeof(command), "SET server_login_retry = '%s'", hook->login_retry);
	hook->login_retry[0] = '\0';
	return run_command(hook, is_ours ? "RELOAD" : command, err);
}

/* ---- PAUSE, RESUME ---- */

int bm_pooler_pause_send(struct bm_hook *hook, size_t index, struct bm_error *err)
{
	const char *database = database_of(hook, index);

	if (database == NULL) {
		return 1;
	}
	if (have(hook, &hook->pauser, err) != 0) {
		return -1;
	}
	char *command = command_for("PAUSE", database);
	hook->is_paused = hook->is_waiting = true;
	int rc = PQsendQuery(hook->pauser, command) != 0 ? 0 : bm_ask_lost(hook->pauser, err);
	rc = rc == 0 && PQflush(hook->pauser) < 0 ? bm_ask_lost(hook->pauser, err) : rc;
	free(command);
	return rc;
}

int bm_pooler_pause_wait(struct bm_hook *hook, uint64_t limit_msec, struct bm_error *err)
{
	PGresult *result = bm_ask_wait(hook->pauser, limit_msec, err);

	hook->is_waiting = result == NULL && err->code != BM_ERR_SQL;
	if (result == NULL && err->code == BM_ERR_SQL &&
			strstr(err->message, "already") != NULL) {
		*err = (struct bm_error)BM_ERROR_INIT;
		return 0;
	}
	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* One that waits may wait for ever: the connection is of no use. */
void bm_pooler_pause_leave(struct bm_hook *hook)
{
	if (hook->is_waiting) {
		PQfinish(hook->pauser);
		hook->pauser = NULL;
		hook->is_waiting = false;
	}
}

void bm_pooler_busy(struct bm_hook *hook, char *out, size_t size)
{
	struct bm_error ignored = BM_ERROR_INIT;
	PGresult *rows = ask(hook, "SHOW SERVERS", &ignored);
	const char *database;

	for (size_t i = 0; (database = database_of(hook, i)) != NULL; i++) {
		for (int row = 0; rows != NULL && row < PQntuples(rows); row++) {
			size_t used = strlen(out);
			if (strcmp(value_of(rows, row, "database"), database) == 0 &&
					strcmp(value_of(rows, row, "state"), "active") == 0) {
				snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "",
						value_of(rows, row, "remote_pid"));
			}
		}
	}
	PQclear(rows);
}

int bm_pooler_resume(struct bm_hook *hook, struct bm_error *err)
{
	const char *database;
	int rc = hasten(hook, err);

	for (size_t i = 0; rc == 0 && (database = database_of(hook, i)) != NULL; i++) {
		char *command = command_for("RESUME", database);
		PGresult *result = ask(hook, command, err);
		free(command);
		rc = result != NULL ? 0 : -1;
		PQclear(result);
		if (rc != 0 && err->code == BM_ERR_SQL &&
				strstr(err->message, "not paused") != NULL) {
			*err = (struct bm_error)BM_ERROR_INIT;
			rc = 0;
		}
	}
	hook->is_paused = hook->is_paused && rc != 0;
	return rc == 0 ? 0 : bm_error_wrap(err, "RESUME");
}

int bm_pooler_switch(struct bm_hook *hook, struct bm_error *err)
{
	if (write_file(hook, err) != 0 || run_command(hook, "RELOAD", err) != 0) {
		return -1;
	}
	return check_databases(hook, true, err) == 0 ? bm_pooler_resume(hook, err) : -1;
}

/* ---- could it be done? ---- */

/* A client of a session has its server for good: PAUSE would wait until it leaves. */
static int check_mode(const char *database, const char *mode, struct bm_error *err)
{
	return strcmp(mode, "session") != 0
			? 0
			: bm_error_set(err, BM_ERR_PRECONDITION,
					  "PgBouncer pools '%s' by session: PAUSE would wait until "
					  "its clients leave; pool_mode = transaction",
					  database);
}

static int check_modes(struct bm_hook *hook, struct bm_error *err)
{
	char usual[32];
	PGresult *rows = read_setting(hook, "pool_mode", usual, sizeof(usual), err) == 0
			? ask(hook, "SHOW DATABASES", err)
			: NULL;
	int rc = rows != NULL ? 0 : -1;
	const char *database;

	for (size_t i = 0; rc == 0 && (database = database_of(hook, i)) != NULL; i++) {
		int row = row_of(rows, database);
		const char *mode = row >= 0 ? value_of(rows, row, "pool_mode") : "";
		rc = check_mode(database, mode[0] != '\0' ? mode : usual, err);
	}
	PQclear(rows);
	return rc;
}

static int check_file(struct bm_hook *hook, struct bm_error *err)
{
	struct bm_strbuf text = BM_STRBUF_INIT, changed = BM_STRBUF_INIT;
	char *folder = bm_strdup(file_of(hook));
	char *slash = strrchr(folder, '/');
	int rc = bm_file_load(file_of(hook), FILE_BYTES, &text, err);

	rc = rc == 0 ? rewrite(hook, bm_strbuf_text(&text), &changed, err) : -1;
	if (slash != NULL) {
		slash[slash == folder] = '\0';
	}
	if (rc == 0 && access(folder, W_OK | X_OK) != 0) {
		rc = bm_error_set(err, BM_ERR_PRECONDITION,
				"the machine's user may not write into its folder");
	}
	free(folder);
	bm_strbuf_finish(&text);
	bm_strbuf_finish(&changed);
	return rc == 0 ? 0 : bm_error_wrap(err, "its file '%.200s'", file_of(hook));
}

int bm_pooler_reach(struct bm_hook *hook, struct bm_error *err)
{
	if (run_command(hook, "SHOW VERSION", err) != 0) {
		return -1;
	}
	return check_file(hook, err) == 0 && check_databases(hook, false, err) == 0 &&
					check_modes(hook, err) == 0
			? 0
			: -1;
}
