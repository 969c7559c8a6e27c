/* classify - see classify.h. The texts are Bucardo's own and PostgreSQL's: English from
 * the control cluster, from libpq and where launch.c may choose the language. Else the
 * SQLSTATE that launch.c puts in front says what it is. */
#include "daemon/health/classify.h"

#include <stdbool.h>
#include <string.h>

#include "bucardo_machine/macros.h"

struct pattern {
	const char *text;  /* looked for anywhere in the error */
	const char *other; /* and this one too; NULL: not needed */
	const char *state; /* or how the SQLSTATE begins; NULL: the text alone counts */
	enum run_error_class class;
	const char *advice; /* "%S" stands for the sync's name */
};

/* A trigger that is ENABLE ALWAYS, or what a constraint or default calls. */
#define PATHLESS                                                                                   \
	"a function of the application, named in the error, is called for replicated rows too and" \
	" finds something only through search_path, which is pg_catalog there: qualify its names," \
	" or ALTER FUNCTION ... SET search_path = ...; then `bucardo kick %S`"

/* First match wins: the narrow ones come first. */
/* clang-format off */
static const struct pattern run_patterns[] = {
	/* The end of a run by a stop or a restart is recorded like a failure. */
	{"Ended (CTL", NULL, NULL, RUN_ERROR_NONE, NULL},
	{"Old entry", NULL, NULL, RUN_ERROR_NONE, NULL},
	{"CTL request", NULL, NULL, RUN_ERROR_NONE, NULL},
	{"MCP request", NULL, NULL, RUN_ERROR_NONE, NULL},
	{"Found stopfile", NULL, NULL, RUN_ERROR_NONE, NULL},
	{"Stop sync request", NULL, NULL, RUN_ERROR_NONE, NULL},

	{"could not serialize access", NULL, "40001", RUN_ERROR_TRANSIENT, NULL},
	{"deadlock detected", NULL, "40P01", RUN_ERROR_TRANSIENT, NULL},
	{"canceling statement due to lock timeout", NULL, "55P03", RUN_ERROR_TRANSIENT, NULL},
	{"canceling statement due to user request", NULL, "57014", RUN_ERROR_TRANSIENT, NULL},
	{"could not connect", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"DBI connect", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"connection to server", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"Connection refused", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"Connection timed out", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"server closed the connection", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"terminating connection", NULL, "57P", RUN_ERROR_TRANSIENT, NULL},
	{"no connection to the server", NULL, "08", RUN_ERROR_TRANSIENT, NULL},
	{"SSL connection has been closed", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"SSL SYSCALL error", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"could not receive data from server", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"could not send data to server", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"the database system is", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"Ping failed", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},
	{"too many clients", NULL, "53300", RUN_ERROR_TRANSIENT, NULL},
	{"remaining connection slots", NULL, NULL, RUN_ERROR_TRANSIENT, NULL},

	{"extra data after last expected column", NULL, NULL, RUN_ERROR_PERMANENT,
		"the source has a column that the destination lacks: add it there too, then `bucardo reload`"},
	{"missing data for column", NULL, NULL, RUN_ERROR_PERMANENT,
		"the destination has a column that the source lacks: make both tables alike, then `bucardo reload`"},
	{"is a generated column", NULL, NULL, RUN_ERROR_PERMANENT,
		"leave generated columns out: `bucardo add customcols SCHEMA.TABLE \"select COLUMNS\"`, then `bucardo reload`"},
	{"permission denied to set parameter", "session_replication_role", NULL, RUN_ERROR_PERMANENT,
		"on the destination run, as a superuser: GRANT SET ON PARAMETER session_replication_role TO its user (PostgreSQL 15 or later)"},
	{"must be owner of", NULL, NULL, RUN_ERROR_PERMANENT,
		"make the database's user the owner of what the error names, or a member of the owner"},
	{"permission denied", NULL, "42501", RUN_ERROR_PERMANENT,
		"grant the database's user what the error names; the next run takes it up by itself"},
	{"function bucardo.", "does not exist", NULL, RUN_ERROR_PERMANENT,
		"let Bucardo make its functions again: `bucardo validate %S`, then `bucardo reload`"},
	/* Only where the server says that it was in a function ("PL/pgSQL function f() line 3"). */
	{"does not exist", "PL/pgSQL function", NULL, RUN_ERROR_PERMANENT, PATHLESS},
	{"does not exist", "SQL function", NULL, RUN_ERROR_PERMANENT, PATHLESS},
	{"!", "bucardo.delta_", NULL, RUN_ERROR_PERMANENT,
		"a quoted table name is too long for Bucardo (57 characters): remove the table from the sync, or rename it"},
	{"relation", "does not exist", "42P01", RUN_ERROR_PERMANENT,
		"create the missing table on that database, or remove it from the sync with `bucardo remove table`, then `bucardo reload`"},
	{"column", "does not exist", "42703", RUN_ERROR_PERMANENT,
		"make the table alike on all databases, then `bucardo reload`"},
	{"schema", "does not exist", NULL, RUN_ERROR_PERMANENT,
		"create the missing schema and its tables, then `bucardo reload`"},
	{"function", "does not exist", NULL, RUN_ERROR_PERMANENT,
		"let Bucardo make its functions again: `bucardo validate %S`, then `bucardo reload`"},
	/* Why a side refuses a value its error does not say: the definitions may differ, or the rows
	 * may. worker/drift/drift.h finds out which, and `status` shows that. */
	{"duplicate key value violates unique constraint", NULL, "23505", RUN_ERROR_PERMANENT,
		"look whether both sides have the constraint that the error names: if they do, change or remove the row that has the value already; else drop it where it refuses the row"},
	{"violates", "constraint", "23", RUN_ERROR_PERMANENT,
		"look whether both sides have the constraint that the error names: if they do, correct the row; else drop it where it refuses the row"},
	{"invalid input value for enum", NULL, NULL, RUN_ERROR_PERMANENT,
		"add the value to the type that the error names, on the database that refused it: ALTER TYPE ... ADD VALUE"},
	{"invalid input syntax", NULL, "22P02", RUN_ERROR_PERMANENT,
		"compare the column that the error names on both sides: the one that refused it cannot read the other's value"},
	{"value too long for type", NULL, "22001", RUN_ERROR_PERMANENT,
		"widen the type that the error names, on the database that refused it"},
	{"invalid byte sequence for encoding", NULL, NULL, RUN_ERROR_PERMANENT,
		"the databases have different encodings and a text does not fit: correct it on the source"},
	{"has no equivalent in encoding", NULL, NULL, RUN_ERROR_PERMANENT,
		"the databases have different encodings and a text does not fit: correct it on the source"},
	{"No space left on device", NULL, "53100", RUN_ERROR_PERMANENT,
		"make room on the server that the error names; the next run goes on by itself"},
	{"read-only transaction", NULL, "25006", RUN_ERROR_PERMANENT,
		"the destination is read-only (a standby?): point the database at the primary with UPDATE bucardo.db, then `bucardo reload`"},
	{"Out of memory", NULL, NULL, RUN_ERROR_PERMANENT,
		"give the container more memory: Bucardo holds every waiting key, about 430 bytes each"},
};

static const struct pattern reach_patterns[] = {
	{"no password supplied", NULL, NULL, RUN_ERROR_PERMANENT, "add a line for it to pgpass"},
	{"password authentication failed", NULL, NULL, RUN_ERROR_PERMANENT, "correct its line in pgpass, or its user"},
	{"no pg_hba.conf entry", NULL, NULL, RUN_ERROR_PERMANENT, "let that server's pg_hba.conf accept this address, user and database"},
	{"does not support SSL", NULL, NULL, RUN_ERROR_PERMANENT, "turn SSL on there, or drop sslmode from bucardo.db.dbconn"},
	{"unsupported startup parameter", NULL, NULL, RUN_ERROR_PERMANENT,
		"give the address of the server itself, not of a pooler; or let the pooler keep sessions"
		" (pool_mode = session) and ignore_startup_parameters = options"},
	{"settings do not stay in force", NULL, NULL, RUN_ERROR_PERMANENT,
		"give the address of the server itself, or use a pooler in session mode"},
	{"certificate", NULL, NULL, RUN_ERROR_PERMANENT, "correct sslmode, sslrootcert or the certificate"},
	{"could not translate host name", NULL, NULL, RUN_ERROR_PERMANENT, "correct its host name, or the DNS"},
	{"does not exist", NULL, NULL, RUN_ERROR_PERMANENT, "correct its name or user, or create what is missing"},
	{"Connection refused", NULL, NULL, RUN_ERROR_TRANSIENT, "check that the server runs and that host and port are right"},
	{"timeout expired", NULL, NULL, RUN_ERROR_TRANSIENT, "check the network between here and there"},
};
/* clang-format on */

static bool matches(const struct pattern *pattern, const char *text, const char *state)
{
	if (pattern->state != NULL && state != NULL &&
			strncmp(state, pattern->state, strlen(pattern->state)) == 0) {
		return true;
	}
	return strstr(text, pattern->text) != NULL &&
			(pattern->other == NULL || strstr(text, pattern->other) != NULL);
}

static const struct pattern *find(
		const struct pattern *patterns, size_t count, const char *text)
{
	static const char mark[] = "SQLSTATE ";
	const char *state = strstr(text, mark);

	if (state != NULL) {
		state += sizeof(mark) - 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (matches(&patterns[i], text, state)) {
			return &patterns[i];
		}
	}
	return NULL;
}

/* Append `text`, with `name` for each "%S". */
static void add_filled(struct bm_strbuf *out, const char *text, const char *name)
{
	const char *mark;

	while ((mark = strstr(text, "%S")) != NULL) {
		bm_strbuf_add(out, text, (size_t)(mark - text));
		bm_strbuf_puts(out, name);
		text = mark + 2;
	}
	bm_strbuf_puts(out, text);
}

enum run_error_class bucardo_classify(
		const char *text, const char *sync, struct bm_strbuf *advice)
{
	if (text == NULL || text[0] == '\0') {
		return RUN_ERROR_NONE;
	}
	const struct pattern *found = find(run_patterns, BM_COUNT_OF(run_patterns), text);
	if (found == NULL) {
		if (advice != NULL) {
			add_filled(advice,
					"fix what the error names, then `bucardo reload` and "
					"`bucardo kick %S`",
					sync);
		}
		return RUN_ERROR_UNKNOWN;
	}
	if (advice != NULL && found->advice != NULL) {
		add_filled(advice, found->advice, sync);
	}
	return found->class;
}

void bucardo_advise_unreachable(const char *error, const char *db, struct bm_strbuf *advice)
{
	const struct pattern *found = find(reach_patterns, BM_COUNT_OF(reach_patterns), error);

	bm_strbuf_printf(advice, "database '%s': %s; replication goes on by itself then", db,
			found != NULL ? found->advice : "make it reachable");
}
