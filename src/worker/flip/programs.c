/* Hooks of types sql and command. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/clock.h"
#include "bucardo_machine/macros.h"
#include "worker/dump/tool.h"
#include "worker/flip/hook.h"
#include "worker/session/ask.h"
#include "worker/session/conninfo.h"

/* What a hook is told, by the names that both kinds use. The side is the one that applications
 * write to afterwards. */
struct fact {
	const char *name;
	char value[256];
};
#define FACTS 7

static void read_facts(const struct bm_hook *hook, struct fact facts[FACTS])
{
	static const char *const names[FACTS] = {
			"host", "port", "dbname", "migration", "direction", "attempt", "when"};
	const struct bm_flip_about *about = hook->about;
	bool stays = strcmp(hook->when, "abort") == 0;
	const struct bm_phase_endpoint *side = stays ? about->from : about->to;

	for (size_t i = 0; i < FACTS; i++) {
		facts[i].name = names[i];
	}
	snprintf(facts[0].value, sizeof(facts[0].value), "%s", side->host);
	snprintf(facts[1].value, sizeof(facts[1].value), "%u", side->port);
	snprintf(facts[2].value, sizeof(facts[2].value), "%s", side->dbname);
	snprintf(facts[3].value, sizeof(facts[3].value), "%s", about->migration);
	snprintf(facts[4].value, sizeof(facts[4].value), "%s", about->direction);
	snprintf(facts[5].value, sizeof(facts[5].value), "%" PRIu64, about->number);
	snprintf(facts[6].value, sizeof(facts[6].value), "%s", hook->when);
}

/* ---- sql ---- */

static uint64_t left_of(uint64_t end_msec)
{
	uint64_t now = bm_clock_msec();

	return end_msec > now ? end_msec - now : 1;
}

static PGconn *connect_sql(const struct bm_hook *hook, uint64_t end_msec, struct bm_error *err)
{
	struct bm_conninfo info = {0};

	bm_hook_conninfo(hook, &info);
	bm_conninfo_put(&info, "application_name", "bucardo-machine cutover");
	bm_conninfo_defaults(&info);
	PGconn *conn = bm_ask_connect(&info, BM_SESSION_WORKER, left_of(end_msec), err);
	bm_conninfo_finish(&info);
	return conn;
}

int bm_hook_sql_reach(struct bm_hook *hook, struct bm_error *err)
{
	PGconn *conn = connect_sql(hook, bm_clock_msec() + hook->timeout_msec, err);

	PQfinish(conn);
	return conn != NULL ? 0 : -1;
}

static int do_one(PGconn *conn, const char *sql, int count, const char *const *params,
		uint64_t end_msec, struct bm_error *err)
{
	PGresult *result = bm_ask(conn, sql, count, params, left_of(end_msec), err);

	PQclear(result);
	return result != NULL ? 0 : -1;
}

/* It writes as an application does: what it changes is captured. The server gives up with us.
 */
static int set_facts(const struct bm_hook *hook, PGconn *conn, uint64_t end_msec,
		struct bm_error *err)
{
	struct fact facts[FACTS];
	char limit[24];
	const char *const limits[] = {limit};

	read_facts(hook, facts);
	snprintf(limit, sizeof(limit), "%" PRIu64, left_of(end_msec));
	int rc = do_one(conn,
			"SELECT set_config('statement_timeout', $1, false),"
			" set_config('" BM_SESSION_APPLYING "', 'off', false),"
			" (SELECT set_config(name, '', false) FROM pg_settings"
			"  WHERE name = 'restrict_nonsystem_relation_kind')",
			1, limits, end_msec, err);
	for (size_t i = 0; rc == 0 && i < FACTS; i++) {
		char name[64];
		const char *const params[] = {name, facts[i].value};
		snprintf(name, sizeof(name), "bucardo_machine.%s", facts[i].name);
		rc = do_one(conn, "SELECT set_config($1, $2, false)", 2, params, end_msec, err);
	}
	return rc;
}

int bm_hook_sql_run(struct bm_hook *hook, struct bm_error *err)
{
	uint64_t end_msec = bm_clock_msec() + hook->timeout_msec;
	PGconn *conn = connect_sql(hook, end_msec, err);
	int rc = conn != NULL ? set_facts(hook, conn, end_msec, err) : -1;
	size_t index;
	const json_t *statement;

	rc = rc == 0 ? do_one(conn, "BEGIN", 0, NULL, end_msec, err) : -1;
	json_array_foreach(json_object_get(hook->json, "statements"), index, statement)
	{
		if (rc == 0 &&
				do_one(conn, json_string_value(statement), 0, NULL, end_msec,
						err) != 0) {
			rc = bm_error_wrap(err, "statement %zu", index + 1);
		}
	}
	rc = rc == 0 ? do_one(conn, "COMMIT", 0, NULL, end_msec, err) : -1;
	PQfinish(conn);
	return rc;
}

/* ---- command ---- */

static bool is_in_path(const char *program)
{
	const char *path = getenv("PATH");
	bool found = false;

	while (path != NULL && *path != '\0' && !found) {
		size_t length = strcspn(path, ":");
		char *full = bm_format("%.*s/%s", (int)length, path, program);
		found = access(full, X_OK) == 0;
		free(full);
		path += length + (path[length] == ':');
	}
	return found;
}

int bm_hook_command_reach(struct bm_hook *hook, struct bm_error *err)
{
	const char *program = json_string_value(
			json_array_get(json_object_get(hook->json, "command"), 0));
	bool found = program != NULL &&
			(strchr(program, '/') != NULL ? access(program, X_OK) == 0
						      : is_in_path(program));

	return found ? 0
		     : bm_error_set(err, BM_ERR_PRECONDITION,
				       "there is no program '%.200s' that the machine's user may run",
				       program != NULL ? program : "");
}

static char *variable_of(const struct fact *fact)
{
	char *text = bm_format("BUCARDO_MACHINE_%s=%s", fact->name, fact->value);

	for (char *c = text; *c != '='; c++) {
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	}
	return text;
}

int bm_hook_command_run(struct bm_hook *hook, struct bm_error *err)
{
	const json_t *words = json_object_get(hook->json, "command");
	const char **argv = bm_alloc((json_array_size(words) + 1) * sizeof(*argv));
	struct fact facts[FACTS];
	char *env[FACTS + 1] = {NULL};

	read_facts(hook, facts);
	for (size_t i = 0; i < FACTS; i++) {
		env[i] = variable_of(&facts[i]);
	}
	for (size_t i = 0; i < json_array_size(words); i++) {
		argv[i] = json_string_value(json_array_get(words, i));
	}
	struct bm_strbuf said = BM_STRBUF_INIT;
	int rc = argv[0] != NULL ? bm_tool_run_limited(argv, (const char *const *)env,
						   hook->timeout_msec, &said, err)
				 : bm_error_set(err, BM_ERR_CONFIG, "it has no command");
	bm_text_copy(hook->said, sizeof(hook->said), bm_strbuf_text(&said));
	bm_strbuf_finish(&said);
	for (size_t i = 0; i < FACTS; i++) {
		free(env[i]);
	}
	free(argv);
	return rc;
}
