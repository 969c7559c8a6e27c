/* The table of rules; docs/doctor.md has them too (tests/integration/test_doctor.py). */
#include "worker/doctor/rules.h"

#include "bucardo_machine/macros.h"
#include "bucardo_machine/receivers.h"
#include "worker/deltas/delta_facts.h"

/* clang-format off */
#define STOPS .severity = BM_SEVERITY_STOPS
#define DEGRADES .severity = BM_SEVERITY_DEGRADES
#define NOTE .severity = BM_SEVERITY_NOTE

#define AT_LEAST(what, value) { .member = (what), .op = BM_DOCTOR_AT_LEAST, .number = (value) }
#define AT_MOST(what, value) { .member = (what), .op = BM_DOCTOR_AT_MOST, .number = (value) }
#define IS(what, value) { .member = (what), .op = BM_DOCTOR_IS, .text = (value) }
#define HAS(what, value) { .member = (what), .op = BM_DOCTOR_HAS, .text = (value) }

#define MINUTE 60.0
#define HOUR 3600.0
#define DAY 86400.0
#define MB 1048576.0
#define GB 1073741824.0

/* Texts of several rows. */
#define NOTHING_LOST "it waits and tries again; what changes meanwhile is kept on the source"
#define ONE_CHECK "it only looks"
#define WHO "role {role}, application {application}, {state} since {since}: {query}"
#define AS_OWNER "run on the {side}, as its owner or a superuser: {cure}"
#define OLD_XACT \
	.object = "process {pid}", .did = ONE_CHECK ": it ends nobody's session", \
	.cause = "a transaction of process {pid} is open for {open_sec} (" WHO \
		 "); it uses {holds}. What it " \
		 "changed is not carried before it commits, and vacuum removes nothing that it may see", \
	.hint = "let it end, or run on the {side}: {cure}"
#define OLD_PREPARED \
	.object = "{name}", \
	.did = ONE_CHECK ": what was prepared is another program's to end", \
	.cause = "transaction {name} of role {role} is prepared since {since} ({open_sec}) and neither committed nor " \
		 "rolled back: its locks stay, also over a restart, and vacuum removes nothing that it may see", \
	.hint = "ask who prepared it; then run on the {side}, in this database: COMMIT PREPARED {name}, or ROLLBACK PREPARED {name}"
#define NO_ROOM(whose) \
	.did = NOTHING_LOST, .cause = whose " has no room left: {error}", \
	.hint = "make room there (the server's log names the volume or tablespace); it goes on by itself"
#define REFUSED_RUN .object = "{sync}", .did = NOTHING_LOST
#define FEW_SESSIONS \
	.object = "{what}", \
	.cause = "{used} of {most} sessions are used up by {what}, {free} are left: a run or a reconnect may find none", \
	.did = "it keeps what sessions it has, and waits for more", \
	.hint = "end sessions that nobody needs: SELECT pid, usename, application_name, state_change FROM " \
		"pg_stat_activity WHERE state = 'idle' ORDER BY state_change; or: {cure}"
#define EXPIRES \
	.object = "role {role}", .did = ONE_CHECK, \
	.cause = "the password of role {role} is good until {until}, for {left_sec} more: no new session after that", \
	.hint = "run on the {side}, as a superuser: {cure}; or give it a new password and put that into the passfile"
#define CERTIFICATE \
	.object = "{of}", .did = ONE_CHECK, \
	.cause = "the certificate of {of} ends at {until}, in {left_sec}: a session that checks it (sslmode verify-ca, " \
		 "verify-full) is refused then", \
	.hint = "renew it on that server and reload PostgreSQL: SELECT pg_reload_conf()"
#define HTTP_CERTIFICATE \
	.object = "{path}", .did = "it reads the file anew when it changes", \
	.cause = "the certificate of the machine's own HTTPS ({path}) ends at {until}: from then on browsers and Prometheus refuse it", \
	.hint = "put a new certificate, with its key, where http.tls of machine.yaml says; it is taken without a restart"
#define CLOCK \
	.object = "clock", \
	.did = "it measures time by its own clock that never jumps; lags are by the source's", \
	.cause = "the clock of the {side} is {apart_sec} {way} of the pod's: times that are compared (now(), " \
		 "txntime, certificates, this screen) mislead", \
	.hint = "set the clock of the {side}, or of the pod's node, by NTP: timedatectl, or chronyc tracking, says which is off"
#define LITTLE_ROOM \
	.object = "{path}", \
	.did = "it prunes its own rows; it never deletes what is not its own", \
	.cause = "the machine's volume has {free_bytes} of {all_bytes} left at {path}: PostgreSQL stops when it is full", \
	.hint = "enlarge the volume (kubectl edit the PersistentVolumeClaim), or remove what is not the machine's from it"
#define KID_MEMORY \
	.object = "{sync}", \
	.did = "a KID that the kernel ends is started again; its rows are applied anew", \
	.cause = "the KID of {sync} (pid {pid}) has {rss_bytes} of memory, of {limit_bytes} that {limit_of} allows", \
	.hint = "raise the limit of memory of the pod; or restart the KID now, which loses nothing: bucardo-machine service restart bucardo"
#define WRAPS .object = "{table}", .did = ONE_CHECK
#define DELTAS \
	.object = "{table}", \
	.hint = "bucardo-machine status says why they wait; resume what is paused, or teardown what nobody needs any more"

const struct bm_doctor_rule bm_doctor_rules[] = {
/* ---- a side that does not answer ---- */
{ .name = "connections", STOPS, .fact = "reach", .tests = { HAS("error", "too many") },
  .object = "server", .cause = "the {side} takes no more sessions: {error}",
  .did = NOTHING_LOST, .hint = "end sessions that nobody needs there, or raise max_connections" },
{ .name = "connections", STOPS, .fact = "reach", .tests = { HAS("error", "remaining connection slots") },
  .object = "server", .cause = "the {side} takes no more sessions: {error}",
  .did = NOTHING_LOST, .hint = "end sessions that nobody needs there, or raise max_connections" },
{ .name = "password", STOPS, .fact = "reach", .tests = { HAS("error", "password") },
  .object = "role {role}", .cause = "the {side} refuses role {role}: {error}. A password that has expired is refused alike",
  .did = NOTHING_LOST, .hint = "put the right password into the passfile; or, as a superuser of the {side}: ALTER ROLE {role} VALID UNTIL 'infinity'" },
{ .name = "permission", STOPS, .fact = "reach", .tests = { HAS("error", "permission denied") },
  .object = "role {role}", .cause = "the {side} lets role {role} in no more: {error}",
  .did = NOTHING_LOST, .hint = "run on the {side}: GRANT CONNECT ON DATABASE {database} TO {role}" },
{ .name = "permission", STOPS, .fact = "reach", .tests = { HAS("error", "pg_hba.conf") },
  .object = "role {role}", .cause = "the {side} lets role {role} in no more: {error}",
  .did = NOTHING_LOST, .hint = "add a line to pg_hba.conf of the {side} for database {database} and role {role}, then: SELECT pg_reload_conf()" },
{ .name = "certificate", STOPS, .fact = "reach", .tests = { HAS("error", "certificate") },
  .object = "server", .cause = "the {side} cannot be trusted: {error}",
  .did = NOTHING_LOST, .hint = "renew the certificate of the server, or correct sslmode and sslrootcert in machine.yaml" },
{ .name = "silence", STOPS, .fact = "reach",
  .object = "server", .cause = "the {side} at {host}:{port} does not answer: {error}",
  .did = NOTHING_LOST, .hint = "see whether the server runs and the network lets the pod through: pg_isready -h {host} -p {port}" },

/* ---- locks and transactions ---- */
{ .name = "truncate-check", STOPS, .fact = "blocked", .tests = { HAS("locked", BM_TABLE_OF_TRUNCATES), AT_LEAST("wait_sec", 5) },
  .object = "process {pid}",
  .cause = "{waiting} waits for {wait_sec} to look for truncates ({locked}): process {pid} keeps it from that (" WHO "). No run begins meanwhile (bucardo#183)",
  .did = NOTHING_LOST, .hint = "end who holds it, on the {side}: {cure}" },
{ .name = "blocker", STOPS, .fact = "blocked", .tests = { AT_LEAST("wait_sec", MINUTE) },
  .object = "process {pid}", .cause = "{waiting} waits for {wait_sec} for {locked}: process {pid} holds it (" WHO ")",
  .did = NOTHING_LOST, .hint = "let it end, or run on the {side}: {cure}" },
{ .name = "blocker", DEGRADES, .fact = "blocked", .tests = { AT_LEAST("wait_sec", 5) },
  .object = "process {pid}", .cause = "{waiting} waits for {wait_sec} for {locked}: process {pid} holds it (" WHO ")",
  .did = NOTHING_LOST, .hint = "let it end, or run on the {side}: {cure}" },
{ .name = "long-transaction", DEGRADES, .fact = "transactions", .tests = { HAS("state", "idle in transaction"), AT_LEAST("open_sec", 15 * MINUTE) }, OLD_XACT },
{ .name = "long-transaction", NOTE, .fact = "transactions", .tests = { HAS("state", "idle in transaction"), AT_LEAST("open_sec", 30) }, OLD_XACT },
{ .name = "long-transaction", DEGRADES, .fact = "transactions", .tests = { AT_LEAST("open_sec", 4 * HOUR) }, OLD_XACT },
{ .name = "long-transaction", NOTE, .fact = "transactions", .tests = { AT_LEAST("open_sec", 30 * MINUTE) }, OLD_XACT },
{ .name = "prepared-transaction", DEGRADES, .fact = "prepared", .tests = { AT_LEAST("open_sec", 15 * MINUTE) }, OLD_PREPARED },
{ .name = "prepared-transaction", NOTE, .fact = "prepared", .tests = { AT_LEAST("open_sec", 10) }, OLD_PREPARED },
{ .name = "foreign-writer", DEGRADES, .fact = "foreign",
  .object = "process {pid}",
  .cause = "process {pid} (role {role}, application {application}, since {since}: {query}) writes to {tables} on the {side}, which follows: "
	   "what it writes is overwritten, or makes the sides differ",
  .did = "the fence refuses sessions that are not in replica role; who is passes it",
  .hint = "find what writes there and point it to the live side; now, on the {side}: {cure}; then: bucardo-machine verify {migration}" },

/* ---- the server's limits ---- */
{ .name = "connections", STOPS, .fact = "connections", .tests = { AT_MOST("free", 1) }, FEW_SESSIONS },
{ .name = "connections", DEGRADES, .fact = "connections", .tests = { AT_MOST("free", 5) }, FEW_SESSIONS },
{ .name = "connections", NOTE, .fact = "connections", .tests = { AT_LEAST("percent", 90) }, FEW_SESSIONS },
{ .name = "password", STOPS, .fact = "password", .tests = { AT_MOST("left_sec", 0) },
  .object = "role {role}", .did = "it keeps the sessions that it has",
  .cause = "the password of role {role} has expired at {until}: the {side} refuses each new session that uses it",
  .hint = "run on the {side}, as a superuser: {cure}" },
{ .name = "password", DEGRADES, .fact = "password", .tests = { AT_MOST("left_sec", 7 * DAY) }, EXPIRES },
{ .name = "password", NOTE, .fact = "password", .tests = { AT_MOST("left_sec", 30 * DAY) }, EXPIRES },
{ .name = "certificate", STOPS, .fact = "certificate", .tests = { AT_MOST("left_sec", 0) }, CERTIFICATE },
{ .name = "certificate", DEGRADES, .fact = "certificate", .tests = { AT_MOST("left_sec", 7 * DAY) }, CERTIFICATE },
{ .name = "certificate", NOTE, .fact = "certificate", .tests = { AT_MOST("left_sec", 21 * DAY) }, CERTIFICATE },
{ .name = "http-certificate", DEGRADES, .fact = "http_certificate", .tests = { AT_MOST("left_sec", 7 * DAY) }, HTTP_CERTIFICATE },
{ .name = "http-certificate", NOTE, .fact = "http_certificate", .tests = { AT_MOST("left_sec", 21 * DAY) }, HTTP_CERTIFICATE },
{ .name = "clock", DEGRADES, .fact = "clock", .tests = { AT_LEAST("apart_sec", 30) }, CLOCK },
{ .name = "clock", NOTE, .fact = "clock", .tests = { AT_LEAST("apart_sec", 3) }, CLOCK },
{ .name = "permission", STOPS, .fact = "permissions",
  .object = "{table}", .cause = "role {role} has lost {missing} on {table} of the {side}: runs that need it fail",
  .did = NOTHING_LOST, .hint = AS_OWNER },
{ .name = "permission", STOPS, .fact = "role",
  .object = "role {role}", .cause = "role {role} may not set session_replication_role on the {side}: no run can write there",
  .did = NOTHING_LOST, .hint = "run on the {side}, as a superuser (PostgreSQL 15 or later): {cure}" },
{ .name = "publication", STOPS, .fact = "publications", .tests = { AT_LEAST("bare", 1) },
  .object = "{publication}",
  .cause = "publication {publication} is FOR ALL TABLES, and {bare} tables have no replica identity ({names}): each UPDATE and DELETE of them is refused, "
	   "the marks of what was carried too",
  .did = "it gives its own tables an identity as soon as it makes them", .hint = "run on the {side}, for each of them: {cure}" },
{ .name = "publication", NOTE, .fact = "publications",
  .object = "{publication}", .cause = "publication {publication} is FOR ALL TABLES: it sends Bucardo's tables to its subscribers, who stop when they lack them",
  .did = "its tables have a replica identity, so that nothing is refused here",
  .hint = "where a subscriber stops, make the publication name its tables: CREATE PUBLICATION ... FOR TABLES IN SCHEMA ... (PostgreSQL 15 or later)" },
{ .name = "wraparound", NOTE, .fact = "wraparound", .tests = { AT_LEAST("running", 1) }, WRAPS,
  .cause = "autovacuum (process {running}) works on {table} to prevent wraparound: it yields to nobody, so ALTER TABLE, capture and a cut-over wait for it",
  .hint = "let it end (pg_stat_progress_vacuum says how far it is); it is quicker with a smaller autovacuum_vacuum_cost_delay" },
{ .name = "wraparound", STOPS, .fact = "wraparound", .tests = { IS("of", "database"), AT_LEAST("percent", 97) }, WRAPS,
  .cause = "{table} is {age} transactions old, {left_xids} before the server takes no more writes",
  .hint = "now, on the {side}, as a superuser: {cure}; end old transactions, prepared ones and slots that keep it back" },
{ .name = "wraparound", DEGRADES, .fact = "wraparound", .tests = { IS("of", "database"), AT_LEAST("percent", 55) }, WRAPS,
  .cause = "{table} is {age} transactions old: vacuum does not keep up, and at 2,147,483,647 the server takes no more writes",
  .hint = "on the {side}, as a superuser: {cure}; end old transactions, prepared ones and slots that keep it back" },
{ .name = "wraparound", NOTE, .fact = "wraparound", .tests = { AT_LEAST("percent", 85) }, WRAPS,
  .cause = "{table} is {age} transactions old, {percent} % of what starts an autovacuum to prevent wraparound: that one yields to nobody, and would make a "
	   "cut-over wait",
  .hint = "at a quiet time, on the {side}: {cure}" },
{ .name = "replica-writers", DEGRADES, .fact = "replica_writers", .tests = { AT_LEAST("loose", 1) },
  .object = "{what}", .cause = "{what} writes in replica role, and the triggers of {loose} captured tables do not fire for that: such changes are not carried",
  .did = "its triggers are made to fire always; somebody changed these",
  .hint = "on the {side}: {cure}; then ALTER TABLE ... ENABLE ALWAYS TRIGGER bucardo_delta, and bucardo-machine verify {migration}" },
{ .name = "replica-writers", NOTE, .fact = "replica_writers",
  .object = "{what}", .cause = "{what} writes in replica role on the {side}: foreign keys and the application's triggers are not checked for that",
  .did = "its triggers fire always, so that such changes are carried too", .hint = "if that is not meant, on the {side}: {cure}" },
{ .name = "deltas", DEGRADES, .fact = "deltas", .tests = { IS("drained", "no"), AT_LEAST("kept_bytes", GB) }, .object = "{table}",
  .cause = "changes of {table} that nobody takes fill a delta table ({kept_bytes}): {syncs} is no sync of a machine that works here (bucardo#191)",
  .did = ONE_CHECK ": a set-up of others is not its own to remove",
  .hint = "when that set-up is gone for good, on the {side}: bucardo-machine teardown --source ... names all that it left; the trigger alone: {cure}" },
{ .name = "deltas", NOTE, .fact = "deltas", .tests = { IS("drained", "no") }, .object = "{table}",
  .cause = "changes of {table} that nobody takes fill a delta table ({kept_bytes}): {syncs} is no sync of a machine that works here (bucardo#191)",
  .did = ONE_CHECK ": a set-up of others is not its own to remove",
  .hint = "when that set-up is gone for good, on the {side}: bucardo-machine teardown --source ... names all that it left; the trigger alone: {cure}" },
{ .name = "deltas", DEGRADES, .fact = "deltas", .tests = { AT_LEAST("kept_bytes", 4 * GB) }, DELTAS,
  .cause = "changes of {table} that wait fill its delta table: {kept_bytes}", .did = "it purges what all have applied, every 30 s" },
{ .name = "deltas", NOTE, .fact = "deltas", .tests = { AT_LEAST("kept_bytes", 256 * MB) }, DELTAS,
  .cause = "changes of {table} that wait fill its delta table: {kept_bytes}", .did = "it purges what all have applied, every 30 s" },
{ .name = "deltas", DEGRADES, .fact = "kept",
  .object = "{table}", .cause = "changes of {table} that all others have applied are kept for {target}, which takes none for ten minutes",
  .did = "it keeps them: only a person knows whether {target} comes back", .hint = "{hint}" },

/* ---- runs, tables, sequences ---- */
{ .name = "disk", STOPS, .fact = "runs", .tests = { HAS("error", "No space left on device") }, .object = "{sync}", NO_ROOM("a server of {sync}") },
{ .name = "disk", STOPS, .fact = "phase", .tests = { HAS("error", "No space left on device") }, .object = "{phase}", NO_ROOM("a server of phase {phase}") },
{ .name = "disk", STOPS, .fact = "volume", .tests = { AT_MOST("free_bytes", 64 * MB) }, LITTLE_ROOM },
{ .name = "disk", DEGRADES, .fact = "volume", .tests = { AT_MOST("free_percent", 10), AT_MOST("free_bytes", 10 * GB) }, LITTLE_ROOM },
{ .name = "unique", DEGRADES, .fact = "runs", .tests = { HAS("error", "duplicate key value") }, REFUSED_RUN,
  .cause = "a run of {sync} fails on a unique key other than the primary: {error}",
  .hint = "on the side that follows, find the row that holds the value, and delete or correct it if it is not the live side's" },
{ .name = "unique", DEGRADES, .fact = "drift", .tests = { HAS("difference", "duplicate key value") },
  .object = "{table}", .cause = "table {table} is paused: {difference}",
  .did = "it paused this table alone and keeps its changes; the others go on", .hint = "{hint}" },
{ .name = "permission", STOPS, .fact = "runs", .tests = { HAS("error", "permission denied") }, REFUSED_RUN,
  .cause = "runs of {sync} fail: {error}", .hint = "give the role back what the error names" },
{ .name = "runs", DEGRADES, .fact = "runs", REFUSED_RUN,
  .cause = "the last run of {sync} failed, {ago_sec} ago: {error}", .hint = "bucardo-machine status says what it waits for" },
{ .name = "drift", DEGRADES, .fact = "drift",
  .object = "{table}", .cause = "the definitions of {table} differ: {difference}",
  .did = "a table whose rows cannot be applied is paused alone, and its changes are kept", .hint = "{hint}" },
{ .name = "stopped", STOPS, .fact = "stopped",
  .object = "migration", .cause = "the migration is stopped: {why}", .did = "nothing is carried, purged or repaired until a person decides", .hint = "{hint}" },
{ .name = "sequence", DEGRADES, .fact = "sequences",
  .object = "{sequence}", .cause = "sequence {sequence} stands behind on the side that takes over: {why}",
  .did = "it sets it again in each pass, every 3 to 15 s",
  .hint = "make both sides have the same sequence (ALTER SEQUENCE {sequence} ... on the side that follows)" },

/* ---- people ---- */
{ .name = "receiver", DEGRADES, .fact = "receivers", .tests = { AT_LEAST("failures", BM_RECEIVER_FAILS) },
  .object = "{name}",
  .cause = "{name}, a {kind} that is to hear of changes of state, was not told since {failing_since}, {failures} times in a row: {why}",
  .did = "it tries again, after ten minutes at most, with the state of then",
  .hint = "correct what the reason names (notify.receivers of machine.yaml, its files, or the other end); try it: bucardo-machine notify test {name}" },

/* ---- memory ---- */
{ .name = "memory", STOPS, .fact = "memory", .tests = { AT_LEAST("percent", 85) }, KID_MEMORY },
{ .name = "memory", DEGRADES, .fact = "memory", .tests = { AT_LEAST("percent", 50) }, KID_MEMORY },
{ .name = "memory", DEGRADES, .fact = "memory", .tests = { AT_LEAST("used_percent", 90) },
  .object = "control group", .cause = "the pod uses {used_bytes} of {limit_bytes} of memory: the kernel ends one of its processes when it needs more",
  .did = "what is ended is started again; no row is lost", .hint = "raise the limit of memory of the pod" },
};
const size_t bm_doctor_rule_count = BM_COUNT_OF(bm_doctor_rules);
/* clang-format on */
