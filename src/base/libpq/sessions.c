/* The table of settings, and keyword arrays. */
#include "bucardo_machine/sessions.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/alloc.h"
#include "bucardo_machine/macros.h"

#define COPY (BM_SESSION_COPY_SOURCE | BM_SESSION_COPY_DESTINATION)
#define ENDS (BM_SESSION_WORKER | COPY | BM_SESSION_BUCARDO | BM_SESSION_VERIFY)
#define ALL (ENDS | BM_SESSION_CONTROL)

struct setting {
	const char *name, *value;
	unsigned sessions; /* enum bm_session_kind, several */
	int version; /* the first server that knows it; 0: all, so it goes into `options` */
	const char *why;
};

/* A version that stands for several: it came with minor releases of older servers too. */
#define SINCE_AUGUST_2024 1

/* A name that a server does not know would refuse the connection: `version` is 0 only for
 * what PostgreSQL 9.6 knew. What only superusers may set is not here. */
/* clang-format off */
static const struct setting settings[] = {
	{ "search_path", "pg_catalog, pg_temp", ENDS, 0,
	  "no function or operator of a schema that others may write to is ever called" },
	{ "search_path", "pg_catalog, bucardo, pg_temp", BM_SESSION_CONTROL, 0,
	  "Bucardo's own functions name its tables without schema" },
	{ BM_SESSION_APPLYING, "on", ENDS, 0,
	  "what we write is no change of an application (capture triggers, fence)" },

	{ "restrict_nonsystem_relation_kind", "view,foreign-table",
	  BM_SESSION_WORKER | BM_SESSION_COPY_SOURCE | BM_SESSION_VERIFY, SINCE_AUGUST_2024,
	  "a table or sequence that its owner replaces by a view of its name runs nothing" },

	{ "synchronous_commit", "on", ALL & ~(unsigned)BM_SESSION_COPY_DESTINATION, 0,
	  "rows that are marked as done at one side must survive a crash of the other" },
	{ "synchronous_commit", "off", BM_SESSION_COPY_DESTINATION, 0,
	  "chunks and their ledger rows commit together, and the last commit waits" },

	{ "array_nulls", "on", ALL, 0, "NULL in an array is no text 'NULL'" },
	{ "xmloption", "content", ALL, 0, "a fragment is XML too" },
	{ "quote_all_identifiers", "off", ALL, 0, "names are compared as text" },
	{ "standard_conforming_strings", "on", ALL, 0, "a backslash is a backslash" },
	{ "transform_null_equals", "off", ALL, 0, "a comparison means what it says" },
	{ "DateStyle", "ISO, YMD", ALL, 0, "month and day would change places" },
	{ "IntervalStyle", "postgres", ALL, 0, "the other side reads it" },
	{ "bytea_output", "hex", ALL, 0, "the other side reads it; both know it" },
	{ "extra_float_digits", "3", ALL, 0, "no digit of a float is dropped" },
	{ "TimeZone", "UTC", ALL, 0, "one zone for texts of both sides" },
	{ "lc_monetary", "C", ALL, 0, "money is text in the sessions' language" },
	{ "row_security", "off", ALL, 0, "an error rather than a part of the rows" },

	{ "default_transaction_isolation", "read committed", ALL, 0,
	  "who needs more says so; more than that fails of others' work" },
	{ "default_transaction_read_only", "off", ALL, 0, "we write" },
	{ "default_transaction_deferrable", "off", ALL, 0, "a snapshot must not wait" },

	{ "statement_timeout", "0", ALL, 0, "a long copy is no mistake; limits are ours" },
	{ "lock_timeout", "0", ALL, 0, "who waits for whom is looked at by us" },
	{ "idle_in_transaction_session_timeout", "0", ALL, 0,
	  "one side waits while the other works" },
	{ "idle_session_timeout", "0", ALL, 140000, "Bucardo rests while nothing changes" },
	{ "transaction_timeout", "0", ALL, 170000, "a run takes as long as it takes" },
	{ "exit_on_error", "off", ALL, 0, "an error is asked for, told and gone on from" },
	{ "plpgsql.extra_errors", "none", ALL, 0, "functions run as they were written" },

	{ "client_min_messages", "warning", ALL & ~(unsigned)BM_SESSION_BUCARDO, 0,
	  "a server's notices are no output of ours" },

	{ "tcp_keepalives_idle", "10", COPY | BM_SESSION_VERIFY, 0,
	  "a session whose client is gone must not hold its locks for hours" },
	{ "tcp_keepalives_interval", "5", COPY | BM_SESSION_VERIFY, 0, "the same" },
	{ "tcp_keepalives_count", "4", COPY | BM_SESSION_VERIFY, 0, "the same" },
	{ "tcp_user_timeout", "30s", COPY | BM_SESSION_VERIFY, 120000, "the same" },
	{ "client_connection_check_interval", "2s", BM_SESSION_COPY_DESTINATION | BM_SESSION_VERIFY, 140000,
	  "the index of a killed run must not be built, nor a table read, to its end" },
	{ "max_parallel_workers_per_gather", "0", COPY | BM_SESSION_VERIFY, 0, "the connections are the workers" },
	{ "jit", "off", COPY | BM_SESSION_WORKER | BM_SESSION_VERIFY, 110000,
	  "it compiles longer than a foreign key is checked, or definitions are read (5 s for 0.25)" },
	{ "synchronize_seqscans", "off", COPY, 0, "rows go over in the order of the file" },
	{ "check_function_bodies", "off", BM_SESSION_COPY_DESTINATION, 0,
	  "a function may name what comes after it" },
};
/* clang-format on */

static bool knows(int version, const struct setting *setting)
{
	static const int minors[] = {120020, 130016, 140013, 150008, 160004, 170000};

	if (setting->version != SINCE_AUGUST_2024) {
		return setting->version <= version;
	}
	for (size_t i = 0; i < BM_COUNT_OF(minors); i++) {
		if (version / 10000 == minors[i] / 10000) {
			return version >= minors[i];
		}
	}
	return version >= 170000;
}

/* ---- keyword arrays ---- */

void bm_conninfo_put(struct bm_conninfo *info, const char *keyword, const char *value)
{
	if (value == NULL || value[0] == '\0') {
		return;
	}
	for (size_t i = 0; i < info->count; i++) {
		if (strcmp(info->keywords[i], keyword) == 0) {
			free(info->values[i]);
			info->values[i] = bm_strdup(value);
			return;
		}
	}
	if (info->count < BM_CONNINFO_MAX) {
		info->keywords[info->count] = bm_strdup(keyword);
		info->values[info->count++] = bm_strdup(value);
	}
}

void bm_conninfo_finish(struct bm_conninfo *info)
{
	for (size_t i = 0; i < info->count; i++) {
		explicit_bzero(info->values[i], strlen(info->values[i]));
		free(info->values[i]);
		free(info->keywords[i]);
	}
	*info = (struct bm_conninfo){0};
}

bool bm_conninfo_equal(const struct bm_conninfo *a, const struct bm_conninfo *b)
{
	bool equal = a->count == b->count;

	for (size_t i = 0; equal && i < a->count; i++) {
		equal = strcmp(a->keywords[i], b->keywords[i]) == 0 &&
				strcmp(a->values[i], b->values[i]) == 0;
	}
	return equal;
}

void bm_conninfo_copy(const struct bm_conninfo *info, struct bm_conninfo *out)
{
	*out = (struct bm_conninfo){0};
	for (size_t i = 0; i < info->count; i++) {
		bm_conninfo_put(out, info->keywords[i], info->values[i]);
	}
}

/* libpq's own words would repeat the string; where it is wrong is left to the person. */
int bm_conninfo_parse(const char *text, const char *role, struct bm_conninfo *out,
		struct bm_error *err)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &message);

	*out = (struct bm_conninfo){0};
	PQfreemem(message);
	if (options == NULL) {
		return bm_error_set(err, BM_ERR_CONFIG,
				"the %s's connection string cannot be parsed: expected "
				"\"host=... dbname=...\" or postgresql://host/dbname",
				role);
	}
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		bm_conninfo_put(out, o->keyword, o->val);
	}
	PQconninfoFree(options);
	return 0;
}

const char *bm_conninfo_get(const struct bm_conninfo *info, const char *keyword)
{
	for (size_t i = 0; i < info->count; i++) {
		if (strcmp(info->keywords[i], keyword) == 0) {
			return info->values[i];
		}
	}
	return NULL;
}

void bm_conninfo_word(struct bm_strbuf *out, const char *separator, const char *keyword,
		const char *value)
{
	if (value == NULL) {
		return;
	}
	bm_strbuf_printf(out, "%s%s='", out->length > 0 ? separator : "", keyword);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\') {
			bm_strbuf_putc(out, '\\');
		}
		bm_strbuf_putc(out, *value);
	}
	bm_strbuf_putc(out, '\'');
}

/* ---- settings ---- */

/* The server splits `options` at blanks; a backslash keeps one. */
static void put_option(struct bm_strbuf *out, const struct setting *setting)
{
	bm_strbuf_printf(out, "%s-c %s=", out->length > 0 ? " " : "", setting->name);
	for (const char *c = setting->value; *c != '\0'; c++) {
		if (*c == ' ') {
			bm_strbuf_putc(out, '\\');
		}
		bm_strbuf_putc(out, *c);
	}
}

void bm_session_options(enum bm_session_kind session, struct bm_strbuf *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(settings); i++) {
		if ((settings[i].sessions & session) != 0 && settings[i].version == 0) {
			put_option(out, &settings[i]);
		}
	}
}

void bm_session_pin(struct bm_conninfo *info, enum bm_session_kind session)
{
	struct bm_strbuf options = BM_STRBUF_INIT;
	const char *theirs = bm_conninfo_get(info, "options");

	if (theirs != NULL) {
		bm_strbuf_puts(&options, theirs);
	}
	bm_session_options(session, &options);
	bm_conninfo_put(info, "options", bm_strbuf_text(&options));
	bm_strbuf_finish(&options);
}

/* Only the names of a path are a list of names; no value holds a quote. */
static void put_statement(struct bm_strbuf *out, const char *set, const struct setting *setting)
{
	const char *quote = strcmp(setting->name, "search_path") == 0 ? "" : "'";

	bm_strbuf_printf(out, "%s %s = %s%s%s", set, setting->name, quote, setting->value,
			quote);
}

static void put_script(enum bm_session_kind session, int version, const char *server_encoding,
		const char *set, struct bm_strbuf *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(settings); i++) {
		if ((settings[i].sessions & session) != 0 && knows(version, &settings[i])) {
			put_statement(out, set, &settings[i]);
			bm_strbuf_puts(out, "; ");
		}
	}
	if (server_encoding != NULL) {
		bm_strbuf_printf(out, "%s client_encoding = '%s'", set,
				bm_session_encoding(server_encoding));
	}
}

void bm_session_sql(enum bm_session_kind session, int version, const char *server_encoding,
		struct bm_strbuf *out)
{
	put_script(session, version, server_encoding, "SET", out);
}

void bm_session_local_sql(enum bm_session_kind session, int version,
		const char *server_encoding, struct bm_strbuf *out)
{
	put_script(session, version, server_encoding, "SET LOCAL", out);
}

void bm_session_lines(enum bm_session_kind session, struct bm_strbuf *out)
{
	for (size_t i = 0; i < BM_COUNT_OF(settings); i++) {
		if ((settings[i].sessions & session) != 0) {
			bm_strbuf_printf(out, "%d ", settings[i].version);
			put_statement(out, "SET", &settings[i]);
			bm_strbuf_putc(out, '\n');
		}
	}
}

const char *bm_session_encoding(const char *server_encoding)
{
	return strcmp(server_encoding, "SQL_ASCII") == 0 ? "SQL_ASCII" : "UTF8";
}

const char *bm_session_path(enum bm_session_kind session)
{
	for (size_t i = 0; i < BM_COUNT_OF(settings); i++) {
		if ((settings[i].sessions & session) != 0 &&
				strcmp(settings[i].name, "search_path") == 0) {
			return settings[i].value;
		}
	}
	return "";
}
