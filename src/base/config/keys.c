/* The table of keys. Order is the order of `config show`, the reference and the example. */
#include "base/config/keys.h"

#include <stdio.h>
#include <string.h>

#include "bucardo_machine/config.h"
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"
#include "base/config/checks.h"

#define MS ((uint64_t)1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define KILOBYTE ((uint64_t)1024)
#define GIGABYTE (1024 * 1024 * KILOBYTE)

/* Numbered by enum bm_log_format and enum bm_log_level. */
static const char *const log_formats[] = {"auto", "text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static_assert(sizeof(enum bm_log_format) == sizeof(unsigned), "choices are kept as unsigned");
static_assert(sizeof(enum bm_log_level) == sizeof(unsigned), "choices are kept as unsigned");

/* Numbered by enum bm_phase and bm_direction. */
static const char *const phases[] = {
		"preflight", "schema", "capture", "copy", "index", "replicate", NULL};
static const char *const phases_asked_for[] = {
		"verify", "cutover", "failback", "teardown", NULL};
static const char *const keeps[] = {"keep", "drop", NULL};
static const char *const quiesces[] = {"lock", "manual", NULL};
static const char *const hook_types[] = {"sql", "command", "pgbouncer", "none", NULL};
static const char *const hook_whens[] = {"before", "after", "abort", NULL};
static const char *const foreign_keys[] = {"trust", "check", NULL};
static const char *const directions[] = {"both", "forward", NULL};
static_assert(sizeof(enum bm_keep) == sizeof(unsigned), "choices are kept as unsigned");
static_assert(BM_COUNT_OF(phases) == BM_PHASE_COUNT + 1, "a phase has no name");
static_assert(BM_COUNT_OF(phases_asked_for) == BM_PHASE_PLACES - BM_PHASE_COUNT + 1,
		"a phase has no name");

#define IN_CONFIG(member) .offset = offsetof(struct bm_config, member)
#define IN_UNIT(member) .offset = offsetof(struct bm_config_unit, member)
#define IN_MIGRATION(member) .offset = offsetof(struct bm_config_migration, member)
#define IN_HOOK(member) .offset = offsetof(struct bm_config_hook, member)
#define IN_RECEIVER(member) .offset = offsetof(struct bm_config_receiver, member)
#define DURATION(from, to, usual)                                                              \
	.type = BM_KEY_DURATION, .minimum = (from), .maximum = (to), .fallback = (usual)
#define COUNT(from, to, usual)                                                                 \
	.type = BM_KEY_COUNT, .minimum = (from), .maximum = (to), .fallback = (usual)
#define RATE(from, to) .type = BM_KEY_RATE, .minimum = (from), .maximum = (to), .fallback = 0
#define CHOICE(from, usual) .type = BM_KEY_CHOICE, .choices = (from), .fallback = (usual)
#define TEXT(rule, what) .type = BM_KEY_TEXT, .check = (rule), .shape = (what)
#define WORDS(rule, what) .type = BM_KEY_WORDS, .check = (rule), .shape = (what)
#define PAIRS(rule, what) .type = BM_KEY_PAIRS, .check = (rule), .shape = (what)
#define SECTION .type = BM_KEY_SECTION, .offset = BM_KEY_NOT_KEPT

/* Both sides of a migration are described alike. */
/* clang-format off */
#define ENDPOINT(end, what) \
	{"migrations[]." #end, SECTION, .required = true, .help = what}, \
	{"migrations[]." #end ".host", TEXT(bm_check_host, "a name, an address or a socket's folder"), \
		IN_MIGRATION(end.host), .required = true, \
		.help = "Where its server is. The machine itself never asks DNS: its workers do."}, \
	{"migrations[]." #end ".port", COUNT(1, 65535, 5432), IN_MIGRATION(end.port), \
		.help = "The server's port."}, \
	{"migrations[]." #end ".dbname", TEXT(bm_check_database_name, "the name of a database"), \
		IN_MIGRATION(end.dbname), .required = true, .help = "The database."}, \
	{"migrations[]." #end ".user", TEXT(bm_check_database_name, "the name of a role"), \
		IN_MIGRATION(end.user), .required = true, \
		.help = "The role to connect as; its password stands in pgpass."}, \
	{"migrations[]." #end ".sslmode", TEXT(bm_check_sslmode, "disable, allow, prefer, require, " \
		"verify-ca or verify-full"), IN_MIGRATION(end.sslmode), .fallback_text = "prefer", \
		.help = "How much of TLS is asked for, as libpq names it. The default is libpq's own: " \
			"encrypted where the server offers it, so that servers without TLS on a " \
			"host or network of your own work at once. It protects from nobody who " \
			"can change what goes over the wire; preflight reports a connection to " \
			"another host that is not encrypted (degrades), or not verified (note). " \
			"Over a network of others, use verify-full."}, \
	{"migrations[]." #end ".sslrootcert", TEXT(bm_check_file, "an absolute path"), \
		IN_MIGRATION(end.sslrootcert), \
		.help = "The certificates of the authorities that verify-ca and verify-full trust."}

const struct bm_key bm_keys[] = {
	{"version", COUNT(1, 1, 1), .offset = BM_KEY_NOT_KEPT, .required = true,
		.help = "The version of this file's format."},

	{"supervision", SECTION, .help = "Restarting what dies, and stopping."},
	{"supervision.give_up_after", COUNT(0, 1000000, 0), IN_CONFIG(give_up_after),
		.help = "Failed starts of a unit in a row after which the machine stops in order "
			"and exits with code 1; 0 means never: it stays up, not ready, and goes on "
			"trying."},
	{"supervision.stop_deadline", DURATION(1 * SECOND, 1 * HOUR, 25 * SECOND),
		IN_CONFIG(stop_deadline_msec),
		.help = "Time from the first SIGTERM until everything left is killed; 2 s later the "
			"machine ends in any case. Keep both under the pod's "
			"terminationGracePeriodSeconds."},
	{"supervision.backoff_first", DURATION(10 * MS, 1 * HOUR, 500 * MS),
		IN_CONFIG(backoff_first_msec),
		.help = "Wait before the first restart of a unit; it doubles with each failure."},
	{"supervision.backoff_limit", DURATION(10 * MS, 1 * HOUR, 30 * SECOND),
		IN_CONFIG(backoff_limit_msec),
		.help = "The longest wait before a restart; not below backoff_first."},
	{"supervision.stable_after", DURATION(1 * SECOND, 24 * HOUR, 60 * SECOND),
		IN_CONFIG(stable_after_msec),
		.help = "A unit that was ready for this long starts from backoff_first again."},

	{"bucardo", SECTION, .help = "Bucardo and the health of its syncs."},
	{"bucardo.stalled_after", DURATION(1 * SECOND, 24 * HOUR, 20 * SECOND),
		IN_CONFIG(stalled_after_msec),
		.help = "A sync with a backlog that makes no progress for this long is stalled."},
	{"bucardo.checktime", DURATION(1 * SECOND, 1 * HOUR, 15 * SECOND),
		IN_CONFIG(checktime_msec),
		.help = "Put on every sync that has no checktime of its own: Bucardo looks for "
			"changes this often even if a notification was lost. Whole seconds."},
	{"bucardo.observe_interval", DURATION(100 * MS, 1 * HOUR, 1 * SECOND),
		IN_CONFIG(observe_interval_msec),
		.help = "How often backlog and lag are read from the databases."},
	{"bucardo.syncrun_keep_rows", COUNT(10, 1000000, 1000), IN_CONFIG(syncrun_keep_rows),
		.help = "Rows kept for each sync in Bucardo's history table syncrun; older ones are "
			"deleted."},
	{"bucardo.escalation", .type = BM_KEY_BOOLEAN, .fallback = 1, IN_CONFIG(escalation),
		.former = "ladder",
		.help = "Fix stalled syncs without a person: kick, reload, restart Bucardo, "
			"restart PostgreSQL, hold. With false the machine only reports. In older files: `ladder`."},

	{"postgres", SECTION, .help = "The control PostgreSQL, where Bucardo keeps its own data."},
	{"postgres.settings",
		PAIRS(bm_check_postgres_setting, "NAME: VALUE as in postgresql.conf"),
		IN_CONFIG(postgres_settings),
		.help = "Server settings, for example {shared_buffers: 64MB}. Refused: what the "
			"machine itself decides (places, sockets, log output, crash safety, "
			"timeouts)."},

	{"log", SECTION, .help = "The machine's log, on its standard output."},
	{"log.format", CHOICE(log_formats, BM_LOG_AUTO), IN_CONFIG(log_format),
		.help = "auto means text on a terminal, json elsewhere."},
	{"log.level", CHOICE(log_levels, BM_LOG_INFO), IN_CONFIG(log_level),
		.help = "The least important lines that are written."},

	{"http", SECTION,
		.help = "Probes, metrics and the status over HTTP, by a process of its own "
			"(docs/http.md)."},
	{"http.listen", TEXT(bm_check_listen, "[ADDRESS]:PORT, numeric, or none"),
		IN_CONFIG(http_listen),
		.help = "Where it listens: `:8080` is all addresses, `127.0.0.1:8080` this computer "
			"alone, `none` switches it off. Without this: what BUCARDO_MACHINE_HTTP says "
			"in the machine's environment, which is `:8080` in the image; else none."},
	{"http.token_file", TEXT(bm_check_file, "an absolute path"), IN_CONFIG(http_token_file),
		.help = "A file with the token that all but the probes ask for (`Authorization: "
			"Bearer TOKEN`). It is read anew when it changes. Without this, metrics are "
			"for everybody, and /api is for connections from 127.0.0.1 and ::1 alone."},
	{"http.tls", SECTION, .help = "HTTPS instead of HTTP: both files, in PEM. They are read "
			"anew when they change."},
	{"http.tls.certificate", TEXT(bm_check_file, "an absolute path"),
		IN_CONFIG(http_certificate), .help = "The certificate, with its chain."},
	{"http.tls.key", TEXT(bm_check_file, "an absolute path"), IN_CONFIG(http_key),
		.help = "Its private key, readable for the machine's user."},

	{"notify", SECTION,
		.help = "Webhooks and commands that are told when a state changes, by a process of its "
			"own (docs/notify.md)."},
	{"notify.settle", DURATION(0, 1 * HOUR, 15 * SECOND), IN_CONFIG(notify_settle_msec),
		.help = "A state is told when it has lasted this long: what comes and goes sooner is not."},
	{"notify.receivers", .type = BM_KEY_LIST, IN_CONFIG(receivers), .maximum = 16,
		.element_size = sizeof(struct bm_config_receiver),
		.count_offset = offsetof(struct bm_config, receiver_count),
		.help = "Who is told: a webhook (url or url_file) or a program (command)."},
	{"notify.receivers[].name", TEXT(bm_check_hook_name, "a-z, then a-z, 0-9, '_' and '-'"),
		IN_RECEIVER(name), .required = true, .help = "Its name in messages, each name once."},
	{"notify.receivers[].url", TEXT(bm_check_url, "http://... or https://..."), IN_RECEIVER(url),
		.help = "Where the message is sent by POST, as JSON. Where the address itself is a "
			"secret, as those of chats are, use url_file."},
	{"notify.receivers[].url_file", TEXT(bm_check_file, "an absolute path"), IN_RECEIVER(url_file),
		.help = "A file with that address. It is read for each message."},
	{"notify.receivers[].token_file", TEXT(bm_check_file, "an absolute path"),
		IN_RECEIVER(token_file),
		.help = "A file with the token that is sent along (`Authorization: Bearer TOKEN`). It is "
			"read for each message."},
	{"notify.receivers[].ca_file", TEXT(bm_check_file, "an absolute path"), IN_RECEIVER(ca_file),
		.help = "The certificates, in PEM, of the authorities that are trusted, instead of the "
			"system's. The certificate of an https address is always verified."},
	{"notify.receivers[].command", WORDS(bm_check_argument, "[PROGRAM, ARGUMENT, ...]"),
		IN_RECEIVER(command),
		.help = "The program that is run, without a shell; the message is in its environment. "
			"0 is success."},
	{"notify.receivers[].least", CHOICE(log_levels, BM_LOG_INFO), IN_RECEIVER(least),
		.help = "The least important changes that it is told; info is all of them. The end of a trouble is as "
			"important as the trouble."},
	{"notify.receivers[].timeout", DURATION(100 * MS, 10 * MINUTE, 10 * SECOND),
		IN_RECEIVER(timeout_msec), .help = "How long one delivery may take."},
	{"notify.receivers[].interval", DURATION(0, 24 * HOUR, 60 * SECOND),
		IN_RECEIVER(interval_msec),
		.help = "The least time between two messages; what changed meanwhile is in the next "
			"one, with its latest state."},

	{"units", .type = BM_KEY_LIST, IN_CONFIG(units), .maximum = 32,
		.element_size = sizeof(struct bm_config_unit),
		.count_offset = offsetof(struct bm_config, unit_count),
		.help = "Further processes that are kept running, up before PostgreSQL and "
			"Bucardo: a tunnel, a proxy."},
	{"units[].name", TEXT(bm_check_unit_name, "a-z, then a-z, 0-9 and '-'"), IN_UNIT(name),
		.required = true,
		.help = "Its name in status, the log and commands; not postgres, bucardo, "
			"observe, http or notify, and each name once."},
	{"units[].command", WORDS(bm_check_argument, "[PROGRAM, ARGUMENT, ...]"), IN_UNIT(command),
		.required = true,
		.help = "The program and its arguments; no shell. It must stay in the foreground. "
			"Passwords belong into pgpass, not here."},
	{"units[].env", PAIRS(bm_check_environment, "NAME: VALUE"), IN_UNIT(env),
		.help = "Environment variables in addition to the machine's. `config show` hides "
			"those whose name says PASSWORD, SECRET, TOKEN or KEY."},
	{"units[].cwd", TEXT(bm_check_folder, "an absolute path"), IN_UNIT(cwd),
		.help = "The folder it runs in; the machine's own without this."},
	{"units[].ready", SECTION,
		.help = "When it counts as ready: exactly one of tcp and exec. Without this it is "
			"ready as soon as it runs."},
	{"units[].ready.tcp", TEXT(bm_check_tcp, "ADDRESS:PORT, numeric"), IN_UNIT(ready_tcp),
		.help = "Ready when this address accepts a connection."},
	{"units[].ready.exec", WORDS(bm_check_argument, "[PROGRAM, ARGUMENT, ...]"),
		IN_UNIT(ready_exec),
		.help = "Ready when this command exits with code 0."},
	{"units[].ready.timeout", DURATION(100 * MS, 1 * HOUR, 30 * SECOND),
		IN_UNIT(ready_timeout_msec),
		.help = "Not ready for this long after a start means a failed start."},
	{"units[].stop_timeout", DURATION(100 * MS, 1 * HOUR, 5 * SECOND),
		IN_UNIT(stop_timeout_msec),
		.help = "Time between SIGTERM and SIGKILL when it is stopped."},

	{"migrations", .type = BM_KEY_LIST, IN_CONFIG(migrations), .maximum = 64,
		.element_size = sizeof(struct bm_config_migration),
		.count_offset = offsetof(struct bm_config, migration_count),
		.help = "Databases that the machine moves by itself, each from a source to an empty "
			"destination and on into live replication. They do not wait for each other."},
	{"migrations[].name", TEXT(bm_check_migration_name, "a-z, then a-z, 0-9 and '_'"),
		IN_MIGRATION(name), .required = true,
		.help = "Its name in status and commands, each name once. What it makes in Bucardo "
			"is named after it: NAME_source, NAME_destination, NAME_sync."},
	ENDPOINT(source, "The database that is moved."),
	ENDPOINT(destination, "The database that it is moved to."),
	{"migrations[].direction", CHOICE(directions, BM_DIRECTION_BOTH), IN_MIGRATION(direction),
		.help = "both: changes on the destination are captured too, so that there is a way "
			"back; forward: they are not."},
	{"migrations[].syncs", COUNT(1, BM_SYNCS_LIMIT, 1), IN_MIGRATION(syncs),
		.help = "Syncs that its tables are spread over, by size; they apply at the same time. "
			"Tables joined by foreign keys or inheritance stay in one sync. Each takes a "
			"Bucardo process and its connections."},
	{"migrations[].run_until", CHOICE(phases, BM_PHASE_REPLICATE), IN_MIGRATION(run_until),
		.is_asked_for = bm_phase_is_asked_for,
		.help = "The last phase that begins by itself; `migrate NAME` goes further."},
	{"migrations[].tables", SECTION,
		.help = "Which tables, views and foreign tables are moved; all of them without this. "
			"Patterns are written as for pg_dump: SCHEMA.TABLE, * for any letters, ? for one, "
			"double quotes around names with capitals. A partition goes with its parents, a "
			"sequence with its column. Views, foreign keys and functions that need a table "
			"which stays behind stay behind too; `plan` names them."},
	{"migrations[].tables.include", WORDS(bm_check_table_pattern, "[SCHEMA.TABLE, ...]"),
		IN_MIGRATION(include),
		.help = "Only what one of these matches is moved, for example [\"public.*\"]."},
	{"migrations[].tables.exclude", WORDS(bm_check_table_pattern, "[SCHEMA.TABLE, ...]"),
		IN_MIGRATION(exclude),
		.help = "What one of these matches is not moved, for example [\"audit.*\", "
			"\"public.log_*\"]."},
	{"migrations[].owners", CHOICE(keeps, BM_KEEP), IN_MIGRATION(owners),
		.help = "keep: every object belongs to the role that it has on the source, where the "
			"destination has that role and the machine's own role is a member of it; drop: "
			"everything belongs to the machine's own role. What could not be kept is told."},
	{"migrations[].grants", CHOICE(keeps, BM_KEEP), IN_MIGRATION(grants),
		.help = "keep: privileges are granted to the same roles, where the destination has "
			"them; drop: none are granted."},
	{"migrations[].roles", PAIRS(bm_check_role, "OLD: NEW, names of roles"),
		IN_MIGRATION(roles),
		.help = "Roles of the source that are called otherwise on the destination, for owners, "
			"grants and policies: {old_app: app}."},
	{"migrations[].create_roles", .type = BM_KEY_BOOLEAN, .fallback = 0,
		IN_MIGRATION(create_roles),
		.help = "Make the roles that own something, are granted something, or are groups of "
			"such, where the destination lacks them: with their memberships, without LOGIN, "
			"never with a password, and no superusers. The machine's own role needs "
			"CREATEROLE and becomes a member of them."},
	{"migrations[].extensions", SECTION,
		.help = "Extensions of the source are made on the destination, where its server has "
			"them and the role may, in the version that it prefers; rules change that."},
	{"migrations[].extensions.skip", WORDS(bm_check_extension, "[NAME, ...]"),
		IN_MIGRATION(skip_extensions),
		.help = "These are not made. What needs them cannot be made either: `plan` says so."},
	{"migrations[].extensions.versions", PAIRS(bm_check_extension, "NAME: VERSION"),
		IN_MIGRATION(extension_versions),
		.help = "The version to make, for example {postgis: 3.3.2}; `source` means the one that "
			"the source has."},
	{"migrations[].copy", SECTION, .help = "How the rows are copied."},
	{"migrations[].copy.jobs", COUNT(1, 64, 4), IN_MIGRATION(copy_jobs),
		.help = "Connections that copy at the same time, to each of the two servers."},
	{"migrations[].copy.max_rate", RATE(100 * KILOBYTE, 1000 * GIGABYTE),
		IN_MIGRATION(copy_max_rate),
		.help = "Bytes of rows a second, of all connections together; 1 kB is 1024 bytes, as "
			"everywhere in PostgreSQL. May be changed while it copies."},
	{"migrations[].copy.throttle", .type = BM_KEY_BOOLEAN, .fallback = 1,
		IN_MIGRATION(copy_throttle), .former = "gentle",
		.help = "Copy more slowly while the source answers much later than before the copy, "
			"and faster again when it does not. In older files: `gentle`."},
	{"migrations[].copy.foreign_keys", CHOICE(foreign_keys, BM_FOREIGN_KEYS_TRUST),
		IN_MIGRATION(copy_foreign_keys),
		.help = "trust: made on empty tables, before their rows, so that no row is checked a second "
			"time; `verify` proves that the rows are those of the source, where they hold. "
			"check: made after the rows, which checks each. Counts when the schema is made."},
	{"migrations[].cutover", SECTION,
		.help = "How the sides change places, when `cutover` or `failback` is typed."},
	{"migrations[].cutover.budget", DURATION(100, 60 * SECOND, 1 * SECOND),
		IN_MIGRATION(cutover_budget_msec),
		.help = "How long writers may have to wait at most; past it nothing has happened. "
			"`--budget` says otherwise for once."},
	{"migrations[].cutover.quiesce", CHOICE(quiesces, BM_QUIESCE_LOCK), IN_MIGRATION(cutover_quiesce),
		.help = "lock: the machine keeps writers off for a moment; manual: you have stopped "
			"them, and it takes no lock, but proves that nobody writes."},
	{"migrations[].cutover.way_back", .type = BM_KEY_BOOLEAN, .fallback = 0,
		IN_MIGRATION(cutover_way_back),
		.help = "With direction forward: a cut-over, or its rehearsal, first captures the destination "
			"as direction both does. From then on it is one of direction both: what is written to the "
			"destination afterwards is replicated back, and `failback` works."},
	{"migrations[].cutover.hooks", .type = BM_KEY_LIST, IN_MIGRATION(hooks), .maximum = 16,
		.element_size = sizeof(struct bm_config_hook),
		.count_offset = offsetof(struct bm_config_migration, hook_count),
		.help = "What sends the applications to the other side (docs/cutover-hooks.md). Those "
			"before the commit abort the attempt when they fail or take too long; those "
			"after it are tried again until they are done."},
	{"migrations[].cutover.hooks[].name", TEXT(bm_check_hook_name, "a-z, then a-z, 0-9, '_' and '-'"),
		IN_HOOK(name), .required = true, .help = "Its name in messages, each name once."},
	{"migrations[].cutover.hooks[].type", CHOICE(hook_types, BM_HOOK_NONE), IN_HOOK(type),
		.required = true,
		.help = "sql: `statements` on a connection; command: a program is run; pgbouncer: clients "
			"of a PgBouncer wait for the moment and go on with the other side; none: "
			"nothing, you tell the applications."},
	{"migrations[].cutover.hooks[].when", CHOICE(hook_whens, BM_HOOK_AFTER), IN_HOOK(when),
		.help = "Of sql and command. before: ahead of the freeze; after: once the other side is "
			"open; abort: when an attempt was rolled back whose hooks `before` had begun."},
	{"migrations[].cutover.hooks[].timeout", DURATION(100 * MS, 10 * MINUTE, 10 * SECOND),
		IN_HOOK(timeout_msec),
		.help = "How long it may take. Of a pgbouncer: its console's answers; PAUSE ends with a "
			"quarter of the budget."},
	{"migrations[].cutover.hooks[].connection", PAIRS(bm_check_connection, "KEYWORD: VALUE as for libpq"),
		IN_HOOK(connection),
		.help = "Of sql: {host, port, dbname, user}; of pgbouncer: its console, {host, port, "
			"user}, a user of admin_users. The password stands in pgpass (database "
			"`pgbouncer` for a console)."},
	{"migrations[].cutover.hooks[].statements", WORDS(bm_check_argument, "[STATEMENT, ...]"),
		IN_HOOK(statements),
		.help = "Of sql: all in one transaction. search_path is pg_catalog: write schemas. "
			"current_setting('bucardo_machine.host'), .port and .dbname are the side that "
			"applications write to afterwards, .migration, .direction and .attempt what is "
			"done."},
	{"migrations[].cutover.hooks[].command", WORDS(bm_check_argument, "[PROGRAM, ARGUMENT, ...]"),
		IN_HOOK(command),
		.help = "Of command: the program and its arguments; no shell. The same is in its "
			"environment: BUCARDO_MACHINE_HOST, _PORT, _DBNAME, _MIGRATION, _DIRECTION, "
			"_ATTEMPT, _WHEN. Its last words are told."},
	{"migrations[].cutover.hooks[].databases", WORDS(bm_check_database_name, "[NAME, ...]"),
		IN_HOOK(databases),
		.help = "Of pgbouncer: the names that its clients connect to."},
	{"migrations[].cutover.hooks[].file", TEXT(bm_check_file, "an absolute path"), IN_HOOK(file),
		.help = "Of pgbouncer: the file with the lines of these databases, which pgbouncer.ini takes "
			"by %include. It is replaced: the machine's user has to be allowed to write "
			"into its folder."},
	{"migrations[].cutover.hooks[].source", PAIRS(bm_check_pgbouncer_side, "host, port, dbname"),
		IN_HOOK(source),
		.help = "Of pgbouncer: how it reaches the source; what is left out is as above."},
	{"migrations[].cutover.hooks[].destination", PAIRS(bm_check_pgbouncer_side, "host, port, dbname"),
		IN_HOOK(destination),
		.help = "Of pgbouncer: how it reaches the destination; what is left out is as above."},
	{"migrations[].verify", SECTION,
		.help = "How rows of both sides are compared while it replicates (docs/verify.md)."},
	{"migrations[].verify.continuous", .type = BM_KEY_BOOLEAN, .fallback = 1,
		IN_MIGRATION(verify.continuous),
		.help = "Compare all the time, in the background; with false only `verify NAME` compares."},
	{"migrations[].verify.max_load", COUNT(1, 100, 10), IN_MIGRATION(verify.max_load),
		.help = "Percent of the time in which the background reads, with one connection to each "
			"server; it rests for the others, and longer while the source answers late."},
	{"migrations[].verify.interval", DURATION(1 * SECOND, 24 * HOUR, 30 * SECOND),
		IN_MIGRATION(verify.interval_msec),
		.help = "Time between two passes. A pass reads the ranges of keys that changed since."},
	{"migrations[].verify.full_every", DURATION(10 * SECOND, 720 * HOUR, 24 * HOUR),
		IN_MIGRATION(verify.full_every_msec),
		.help = "A range is read again after this time although no change of it was captured: "
			"what nobody captures (a broken disk, a write past the fence) leaves no mark."},
};
/* clang-format on */

const size_t bm_key_count = BM_COUNT_OF(bm_keys);

const char *bm_key_name_under(const struct bm_key *key, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(key->path, prefix, length) != 0 ||
			strchr(key->path + length, '.') != NULL) {
		return NULL;
	}
	return key->path + length;
}

const struct bm_key *bm_key_find(const char *prefix, const char *name)
{
	for (size_t i = 0; i < bm_key_count; i++) {
		const char *known = bm_key_name_under(&bm_keys[i], prefix);
		const char *former = bm_keys[i].former;
		if (known != NULL &&
				(strcmp(known, name) == 0 ||
						(former != NULL &&
								strcmp(former, name) == 0))) {
			return &bm_keys[i];
		}
	}
	return NULL;
}

void bm_key_inner_prefix(const struct bm_key *key, char *out, size_t size)
{
	snprintf(out, size, "%s%s.", key->path, key->type == BM_KEY_LIST ? "[]" : "");
}

const char *bm_key_type_name(enum bm_key_type type)
{
	static const char *const names[] = {
			[BM_KEY_SECTION] = "mapping",
			[BM_KEY_LIST] = "list of mappings",
			[BM_KEY_DURATION] = "duration",
			[BM_KEY_RATE] = "rate",
			[BM_KEY_COUNT] = "whole number",
			[BM_KEY_BOOLEAN] = "true or false",
			[BM_KEY_CHOICE] = "choice",
			[BM_KEY_TEXT] = "text",
			[BM_KEY_WORDS] = "list of texts",
			[BM_KEY_PAIRS] = "mapping of names to texts",
	};
	static_assert(BM_COUNT_OF(names) == BM_KEY_TYPE_COUNT, "a type has no name");

	return (size_t)type < BM_COUNT_OF(names) ? names[type] : "unknown";
}

static const char *name_of(const char *const *names, size_t count, size_t index)
{
	return index < count ? names[index] : "unknown";
}

const char *bm_phase_name(enum bm_phase phase)
{
	if (phase < BM_PHASE_COUNT) {
		return phases[phase];
	}
	return name_of(phases_asked_for, BM_COUNT_OF(phases_asked_for) - 1,
			(size_t)phase - BM_PHASE_COUNT);
}

bool bm_phase_parse(const char *name, enum bm_phase *phase)
{
	for (size_t i = 0; i < BM_PHASE_COUNT; i++) {
		if (strcmp(phases[i], name) == 0) {
			*phase = (enum bm_phase)i;
			return true;
		}
	}
	return false;
}

bool bm_phase_is_asked_for(const char *name)
{
	for (size_t i = 0; phases_asked_for[i] != NULL; i++) {
		if (strcmp(phases_asked_for[i], name) == 0) {
			return true;
		}
	}
	return false;
}

const char *bm_hook_type_name(enum bm_hook_type type)
{
	return name_of(hook_types, BM_COUNT_OF(hook_types) - 1, type);
}

const char *bm_hook_when_name(enum bm_hook_when when)
{
	return name_of(hook_whens, BM_COUNT_OF(hook_whens) - 1, when);
}

const char *bm_direction_name(enum bm_direction direction)
{
	return name_of(directions, BM_COUNT_OF(directions) - 1, direction);
}
