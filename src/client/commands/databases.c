/* How psql reaches the databases: the machine's own, and both sides of each migration. */
#include <jansson.h>
#include <stdio.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/sessions.h"
#include "bucardo_machine/strbuf.h"
#include "client/commands/control_client.h"
#include "client/cli/command.h"
#include "client/terminal/text.h"

static void add_word(struct bm_strbuf *out, const char *keyword, const json_t *value)
{
	char number[24];

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		bm_conninfo_word(out, " ", keyword, number);
	} else if (json_is_string(value)) {
		bm_conninfo_word(out, " ", keyword, json_string_value(value));
	}
}

/* In double quotes for the shell. */
static void print_conninfo(const char *what, const json_t *endpoint)
{
	static const char *const words[] = {
			"host", "port", "dbname", "user", "sslmode", "sslrootcert"};
	struct bm_strbuf text = BM_STRBUF_INIT;

	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		add_word(&text, words[i], json_object_get(endpoint, words[i]));
	}
	printf("  psql \"");
	for (const char *p = bm_strbuf_text(&text); *p != '\0'; p++) {
		printf(*p == '"' || *p == '\\' || *p == '$' || *p == '`' ? "\\%c" : "%c", *p);
	}
	printf("\"   # %s\n", what);
	bm_strbuf_finish(&text);
}

/* The machine gives the definition with the request of a preflight; nothing is begun. */
static void print_migration(const struct cli_call *call, const char *name)
{
	struct bm_error err = BM_ERROR_INIT;
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s, s:s}", "command", "plan", "migration", name), &err);
	const json_t *migration = json_object_get(
			json_object_get(answer, "request"), "migration");

	printf("\nMigration %s:\n", name);
	if (migration == NULL) {
		printf("  %s\n", err.message);
	} else {
		print_conninfo("source", json_object_get(migration, "source"));
		print_conninfo("destination", json_object_get(migration, "destination"));
	}
	json_decref(answer);
}

int cli_databases(const struct cli_call *call)
{
	struct bm_error err = BM_ERROR_INIT;
	size_t index;
	const json_t *one;

	printf("psql has to be told which database is meant. Passwords come from pgpass.\n\n"
	       "The machine's own, where Bucardo keeps its configuration:\n"
	       "  psql \"host=%s dbname=bucardo user=bucardo\"   # in the pod: psql service=control\n",
			call->runtime);
	json_t *answer = cli_client_call(call->runtime, CLI_TIMEOUT_MSEC,
			json_pack("{s:s}", "command", "status"), &err);
	if (answer == NULL) {
		printf("\nMigrations are not known: %s\n", err.message);
		return CLI_FAILED;
	}
	json_array_foreach(json_object_get(json_object_get(answer, "status"), "migrations"),
			index, one)
	{
		print_migration(call, cli_text_of(one, "name"));
	}
	puts("\nThose that were added by hand: `bucardo list dbs`, or psql \"$source\" as in the README.");
	json_decref(answer);
	return CLI_OK;
}
