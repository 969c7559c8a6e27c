/* Rules for names, addresses, commands and server settings. */
#include "base/config/checks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucardo_machine/macros.h"
#include "bucardo_machine/pattern.h"
#include "base/config/problems.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define MOST_UNIT_NAME 32

/* Whether `text` starts with one of `first` and goes on with `rest` only. */
static bool is_made_of(const char *text, const char *first, const char *rest)
{
	return text[0] != '\0' && strchr(first, text[0]) != NULL &&
			text[strspn(text, rest)] == '\0';
}

const char *bm_check_unit_name(const char *name, const char *value)
{
	static const char *const taken[] = {"postgres", "bucardo", "observe", "http", "notify"};

	(void)name;
	if (!is_made_of(value, LOWER, LOWER DIGITS "-") || strlen(value) > MOST_UNIT_NAME) {
		return "not a unit name; a-z, then a-z, 0-9 and '-', at most 32 characters";
	}
	for (size_t i = 0; i < BM_COUNT_OF(taken); i++) {
		if (strcmp(value, taken[i]) == 0) {
			return "the machine's own unit has this name; any name but postgres, "
			       "bucardo, observe and http";
		}
	}
	return NULL;
}

const char *bm_check_argument(const char *name, const char *value)
{
	(void)name;
	if (bm_report_is_secret(value)) {
		return "holds a password, which every process could read in the list of "
		       "processes; put it into pgpass, the unit gets PGPASSFILE";
	}
	return NULL;
}

const char *bm_check_environment(const char *name, const char *value)
{
	(void)value;
	if (!is_made_of(name, LOWER UPPER "_", LOWER UPPER DIGITS "_")) {
		return "not the name of an environment variable; letters, digits and '_'";
	}
	return NULL;
}

const char *bm_check_folder(const char *name, const char *value)
{
	(void)name;
	return value[0] == '/' ? NULL : "not an absolute path; a folder that starts with '/'";
}

const char *bm_check_tcp(const char *name, const char *value)
{
	static const char allowed[] =
			"not a numeric address and port; 127.0.0.1:PORT or [::1]:PORT, no host "
			"names: the machine never waits for DNS";
	const char *colon = strrchr(value, ':');
	char address[INET6_ADDRSTRLEN + 2];
	struct in6_addr parsed;

	(void)name;
	if (colon == NULL || !is_made_of(colon + 1, "123456789", DIGITS) ||
			strlen(colon + 1) > 5 || atoi(colon + 1) > 65535 ||
			(size_t)(colon - value) >= sizeof(address)) {
		return allowed;
	}
	snprintf(address, sizeof(address), "%.*s", (int)(colon - value), value);
	if (address[0] == '[' && colon[-1] == ']') {
		address[strlen(address) - 1] = '\0';
		return inet_pton(AF_INET6, address + 1, &parsed) == 1 ? NULL : allowed;
	}
	return inet_pton(AF_INET, address, &parsed) == 1 ? NULL : allowed;
}

const char *bm_check_listen(const char *name, const char *value)
{
	char any[64];

	if (strcmp(value, "none") == 0) {
		return NULL;
	}
	snprintf(any, sizeof(any), "127.0.0.1%s", value[0] == ':' ? value : "");
	if (bm_check_tcp(name, value[0] == ':' ? any : value) == NULL) {
		return NULL;
	}
	return "not a place to listen at; :PORT for all addresses, 127.0.0.1:PORT or [::1]:PORT "
	       "for one, or none";
}

/* Bucardo's names are made of it, and they are at most 63 characters long. */
#define MOST_MIGRATION_NAME 31

const char *bm_check_migration_name(const char *name, const char *value)
{
	(void)name;
	if (!is_made_of(value, LOWER, LOWER DIGITS "_") ||
			strlen(value) > MOST_MIGRATION_NAME) {
		return "not a migration's name; a-z, then a-z, 0-9 and '_', at most 31 "
		       "characters";
	}
	return NULL;
}

const char *bm_check_hook_name(const char *name, const char *value)
{
	(void)name;
	return is_made_of(value, LOWER, LOWER DIGITS "_-") && strlen(value) <= MOST_UNIT_NAME
			? NULL
			: "not the name of a hook; a-z, then a-z, 0-9, '_' and '-', at most 32 "
			  "characters";
}

static bool is_one_of(const char *name, const char *const *names)
{
	while (*names != NULL && strcmp(*names, name) != 0) {
		names++;
	}
	return *names != NULL;
}

const char *bm_check_connection(const char *name, const char *value)
{
	static const char *const known[] = {"host", "hostaddr", "port", "dbname", "user",
			"sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs",
			NULL};

	if (strcmp(name, "password") == 0 || strcmp(name, "passfile") == 0) {
		return "passwords stand in pgpass, a line HOST:PORT:DATABASE:USER:PASSWORD; remove "
		       "the key";
	}
	if (!is_one_of(name, known)) {
		return "not a keyword that is taken here; host, hostaddr, port, dbname, user, "
		       "sslmode, sslrootcert, sslcert, sslkey, target_session_attrs";
	}
	return value[0] != '\0' ? NULL : "empty; a value, or no such line";
}

/* It becomes part of a line of PgBouncer's. */
const char *bm_check_pgbouncer_side(const char *name, const char *value)
{
	static const char *const known[] = {"host", "port", "dbname", NULL};

	if (!is_one_of(name, known)) {
		return "not taken here; host, port and dbname: what else a line of PgBouncer's file "
		       "has stays";
	}
	return value[0] != '\0' && strpbrk(value, "'\"\\= \t\r\n;#") == NULL
			? NULL
			: "not a value for a line of PgBouncer's file; without blanks, quotes, '=', "
			  "';' and '#'";
}

const char *bm_check_host(const char *name, const char *value)
{
	(void)name;
	if (strstr(value, "://") != NULL) {
		return "a URL; the host alone, with port, dbname and user as keys of their own";
	}
	if (value[0] != '/' &&
			!is_made_of(value, LOWER UPPER DIGITS ":_",
					LOWER UPPER DIGITS ".:-_")) {
		return "not a host; one name, address or absolute path of a socket's folder";
	}
	return value[strcspn(value, ",;'\\ \t\n")] == '\0'
			? NULL
			: "not a host; one name, address or path without spaces and quotes";
}

/* What Bucardo can put into its connection string, and libpq does not take for one. */
const char *bm_check_database_name(const char *name, const char *value)
{
	(void)name;
	for (const char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || strchr(";='\\", *c) != NULL) {
			return "not a name that Bucardo can connect with; no ; = ' \\ and no "
			       "control characters";
		}
	}
	return strstr(value, "://") == NULL ? NULL : "a URL; the name alone";
}

const char *bm_check_sslmode(const char *name, const char *value)
{
	static const char *const modes[] = {
			"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

	(void)name;
	for (size_t i = 0; i < BM_COUNT_OF(modes); i++) {
		if (strcmp(value, modes[i]) == 0) {
			return NULL;
		}
	}
	return "not an sslmode; disable, allow, prefer, require, verify-ca or verify-full";
}

const char *bm_check_file(const char *name, const char *value)
{
	(void)name;
	return value[0] == '/' ? NULL
			       : "not an absolute path; a file's path that starts with '/'";
}

const char *bm_check_url(const char *name, const char *value)
{
	const char *host = strncmp(value, "http://", 7) == 0 ? value + 7
			: strncmp(value, "https://", 8) == 0 ? value + 8
							     : NULL;

	(void)name;
	if (host == NULL || strcspn(host, "/?#") == 0 || strpbrk(value, " \t\r\n") != NULL) {
		return "not the address of a webhook; http://HOST/... or https://HOST/..., without "
		       "blanks";
	}
	const char *at = strchr(host, '@');
	return at != NULL && at < host + strcspn(host, "/?#")
			? "a name or password has no place in it; a token belongs into token_file"
			: NULL;
}

const char *bm_check_table_pattern(const char *name, const char *value)
{
	struct bm_strbuf schema = BM_STRBUF_INIT, table = BM_STRBUF_INIT;

	(void)name;
	const char *problem = bm_pattern_parse(value, &schema, &table);
	bm_strbuf_finish(&schema);
	bm_strbuf_finish(&table);
	return problem;
}

static bool is_role(const char *text)
{
	return text[0] != '\0' && text[strcspn(text, "=:#\"'{}[],&*!|>%@`\\\n\r\t")] == '\0';
}

const char *bm_check_role(const char *name, const char *value)
{
	return is_role(name) && is_role(value)
			? NULL
			: "not names of roles; letters, digits, '_', '-', '.', '$' and spaces";
}

const char *bm_check_extension(const char *name, const char *value)
{
	static const char letters[] = LOWER UPPER DIGITS "_-.";

	return (name == NULL || is_made_of(name, letters, letters)) &&
					is_made_of(value, letters, letters)
			? NULL
			: "not an extension; names and versions have letters, digits, '_', '-' "
			  "and '.'";
}

/* Settings of the control PostgreSQL that are not a person's to choose, and why. */
static const struct {
	const char *name;
	const char *why;
} refused_settings[] = {
#define LEAVE "; leave it out"
#define PLACE "the machine decides where its PostgreSQL keeps and finds things" LEAVE
#define SOCKET "the machine's PostgreSQL listens on one socket in the runtime folder" LEAVE
#define OUTPUT "PostgreSQL's log goes through the machine's" LEAVE
#define SAFETY "the volume must survive kill -9 and power loss" LEAVE
#define TIMEOUT "it would cut Bucardo's own sessions" LEAVE
		{"listen_addresses", SOCKET},
		{"port", SOCKET},
		{"unix_socket_directories", SOCKET},
		{"unix_socket_group", SOCKET},
		{"unix_socket_permissions", SOCKET},
		{"data_directory", PLACE},
		{"config_file", PLACE},
		{"hba_file", PLACE},
		{"ident_file", PLACE},
		{"external_pid_file", PLACE},
		{"log_destination", OUTPUT},
		{"logging_collector", OUTPUT},
		{"fsync", SAFETY},
		{"full_page_writes", SAFETY},
		{"statement_timeout", TIMEOUT},
		{"lock_timeout", TIMEOUT},
		{"transaction_timeout", TIMEOUT},
		{"idle_session_timeout", TIMEOUT},
		{"idle_in_transaction_session_timeout", TIMEOUT},
		{"default_transaction_read_only", "Bucardo could not write" LEAVE},
		{"session_replication_role", "Bucardo's own triggers would not run" LEAVE},
#undef LEAVE
#undef PLACE
#undef SOCKET
#undef OUTPUT
#undef SAFETY
#undef TIMEOUT
};

const char *bm_check_postgres_setting(const char *name, const char *value)
{
	if (!is_made_of(name, LOWER UPPER "_", LOWER UPPER DIGITS "_.")) {
		return "not the name of a PostgreSQL setting; letters, digits, '_' and '.'";
	}
	for (size_t i = 0; i < BM_COUNT_OF(refused_settings); i++) {
		if (strcasecmp(name, refused_settings[i].name) == 0) {
			return refused_settings[i].why;
		}
	}
	if (bm_report_is_secret(value)) {
		return "holds a password, which every process could read in the list of "
		       "processes; no setting of the control PostgreSQL needs one";
	}
	return NULL;
}

const char *bm_check_refused_setting(size_t index, const char **why)
{
	if (index >= BM_COUNT_OF(refused_settings)) {
		return NULL;
	}
	*why = refused_settings[index].why;
	return refused_settings[index].name;
}

bool bm_check_is_secret_pair(const char *pair)
{
	static const char *const words[] = {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET",
			"TOKEN", "KEY", "CREDENTIAL"};
	const char *value = strchr(pair, '=');

	for (size_t i = 0; i < BM_COUNT_OF(words); i++) {
		const char *hit = strcasestr(pair, words[i]);
		if (hit != NULL && hit < value) {
			return true;
		}
	}
	return bm_report_is_secret(value + 1);
}
