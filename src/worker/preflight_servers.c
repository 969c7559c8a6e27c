/* Checks of the two servers and databases as a whole, and of what a role may do there. */
#include "bucardo_machine/macros.h"
#include "worker/preflight.h"

/* clang-format off */
#define QUOTED_DB "quote_ident(current_database())"
#define WRITABLE(end) \
	"SELECT 'the " end "', CASE WHEN pg_is_in_recovery() THEN 'it is a standby: nothing can be" \
	" written there' ELSE 'its transactions are read-only' END," \
	" 'give the address of the primary; or ALTER ROLE ' || quote_ident(current_user) ||" \
	" ' SET default_transaction_read_only = off'" \
	" WHERE pg_is_in_recovery() OR (SELECT reset_val FROM pg_settings" \
	"  WHERE name = 'default_transaction_read_only') = 'on'"
#define ENCRYPTED(end) \
	"SELECT 'the " end "', 'the connection is not encrypted'," \
	" 'set sslmode: require (or verify-full with sslrootcert) for the " end "'" \
	" FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND NOT ssl" \
	" AND inet_client_addr() <> inet_server_addr()"
#define CREATE_IN_DB(end, what) \
	"SELECT " QUOTED_DB ", 'role ' || quote_ident(current_user) || ' may not create schemas in the" \
	" " end "''s database: " what "'," \
	" 'GRANT CREATE ON DATABASE ' || " QUOTED_DB " || ' TO ' || quote_ident(current_user)" \
	" WHERE NOT has_database_privilege(current_database(), 'CREATE')"
#define HEADROOM(end) \
	"SELECT 'the " end "', 'only ' || free || ' more connections fit: replication takes 5 for" \
	" good and the copy one a job', 'raise max_connections, or CONNECTION LIMIT of the role or" \
	" database' FROM (SELECT least(" \
	"  current_setting('max_connections')::int" \
	"   - current_setting('superuser_reserved_connections')::int" \
	"   - (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL)," \
	"  (SELECT CASE WHEN rolconnlimit >= 0 THEN rolconnlimit - (SELECT count(*)" \
	"    FROM pg_stat_activity WHERE usename = current_user) END" \
	"   FROM pg_roles WHERE rolname = current_user)," \
	"  (SELECT CASE WHEN datconnlimit >= 0 THEN datconnlimit - (SELECT count(*)" \
	"    FROM pg_stat_activity WHERE datname = current_database()) END" \
	"   FROM pg_database WHERE datname = current_database())) AS free) f WHERE free < 12"
#define REPLICA_ROLE "SELECT 1, 2, 3 WHERE set_config('session_replication_role', 'replica', true) = ''"
#define REPLICA_REFUSED "its role may not set session_replication_role, without which every" \
	" write of Bucardo fires triggers and is captured as a change of its own"
#define REPLICA_MEND "GRANT SET ON PARAMETER session_replication_role TO the role (PostgreSQL 15" \
	" and later, by a superuser); or the provider's administrator role, as rds_superuser"

const struct bm_check bm_checks_rights[] = {
{ .name = "source-writable", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .sql = WRITABLE("source") },
{ .name = "destination-writable", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .sql = WRITABLE("destination") },
{ .name = "same-database", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .feed = "SELECT system_identifier || '/' || current_database() FROM pg_control_system()",
  .sql = "SELECT " QUOTED_DB ", 'source and destination are the same database of the same server',"
	" 'correct host, port or dbname of one of them' FROM pg_control_system()"
	" WHERE system_identifier || '/' || current_database() = $1" },
{ .name = "source-encrypted", .end = BM_END_SOURCE, .grade = BM_GRADE_NOTE,
  .sql = ENCRYPTED("source") },
{ .name = "destination-encrypted", .end = BM_END_DESTINATION, .grade = BM_GRADE_NOTE,
  .sql = ENCRYPTED("destination") },
{ .name = "source-create", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .sql = CREATE_IN_DB("source", "the changes are captured in a schema bucardo there") },
{ .name = "destination-create", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .sql = CREATE_IN_DB("destination", "the schema cannot be made there") },
{ .name = "source-tables", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'role ' || quote_ident(current_user) || ' may not read it"
	" or put a trigger on it', 'GRANT SELECT, TRIGGER ON ' || c.oid::regclass || ' TO '"
	" || quote_ident(current_user) FROM pg_class c WHERE c.oid = ANY ($1::oid[])"
	" AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'TRIGGER'))"
	" ORDER BY 1" },
{ .name = "source-schemas", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .takes_tables = true,
  .sql = "SELECT DISTINCT quote_ident(n.nspname), 'role ' || quote_ident(current_user) || ' may not"
	" use this schema', 'GRANT USAGE ON SCHEMA ' || quote_ident(n.nspname) || ' TO '"
	" || quote_ident(current_user) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.oid = ANY ($1::oid[]) AND NOT has_schema_privilege(n.oid, 'USAGE') ORDER BY 1" },
{ .name = "row-security", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'row security would hide rows from role ' ||"
	" quote_ident(current_user), 'ALTER ROLE ' || quote_ident(current_user) || ' BYPASSRLS (by a"
	" superuser), or use the owner of the table' FROM pg_class c WHERE c.oid = ANY ($1::oid[])"
	" AND row_security_active(c.oid) ORDER BY 1" },
{ .name = "destination-replica-role", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .refused = REPLICA_REFUSED, .refused_mend = REPLICA_MEND, .sql = REPLICA_ROLE },
{ .name = "source-replica-role", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .only_both = true, .refused = REPLICA_REFUSED " (the way back writes to the source; direction:"
	" forward does not)", .refused_mend = REPLICA_MEND, .sql = REPLICA_ROLE },
};
const size_t bm_check_rights_count = BM_COUNT_OF(bm_checks_rights);

const struct bm_check bm_checks_servers[] = {
{ .name = "versions", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES,
  .feed = "SELECT current_setting('server_version_num')",
  .sql = "SELECT 'the destination', 'it runs PostgreSQL ' || current_setting('server_version') ||"
	" ', older than the source''s ' || $1::int / 10000 || ': what only the newer one knows cannot"
	" be created', 'use a destination of at least the same major version'"
	" WHERE current_setting('server_version_num')::int / 10000 < $1::int / 10000" },
{ .name = "too-old", .end = BM_END_SOURCE, .grade = BM_GRADE_STOPS,
  .sql = "SELECT 'the source', 'it runs PostgreSQL ' || current_setting('server_version') || ';"
	" 10 is the oldest that is known to work', 'upgrade the source to PostgreSQL 10 first'"
	" WHERE current_setting('server_version_num')::int < 100000" },
{ .name = "destination-filled", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .sql = "SELECT c.oid::regclass::text, 'the destination is not empty: this table was not made by"
	" the machine', 'use an empty database, or drop the table there'"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
	" AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')"
	" AND to_regnamespace('bucardo_machine') IS NULL AND pg_relation_size(c.oid) > 0"
	" AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
	"  AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 20" },
{ .name = "extensions-available", .end = BM_END_DESTINATION, .grade = BM_GRADE_STOPS,
  .feed = "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)),"
	" '[]') FROM pg_extension",
  .sql = "SELECT e->>'name', 'extension ' || (e->>'name') || ' of the source is not available on"
	" the destination''s server', 'install it there; or drop it on the source'"
	" FROM json_array_elements($1::json) e WHERE NOT EXISTS (SELECT 1"
	" FROM pg_available_extensions a WHERE a.name = e->>'name') ORDER BY 1" },
{ .name = "extensions-allowed", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES,
  .mend_is_safe = true,
  .feed = "SELECT coalesce(json_agg(json_build_object('name', extname, 'schema', nspname)), '[]')"
	" FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
	" WHERE extname <> 'plpgsql'",
  .sql = "SELECT e->>'name', 'extension ' || (e->>'name') || ' is missing on the destination and"
	" role ' || quote_ident(current_user) || ' may not create it', 'CREATE EXTENSION IF NOT"
	" EXISTS ' || quote_ident(e->>'name') FROM json_array_elements($1::json) e"
	" JOIN pg_available_extensions a ON a.name = e->>'name'"
	" JOIN LATERAL (SELECT bool_or(v.superuser AND coalesce(to_jsonb(v)->>'trusted', 'false')"
	"  <> 'true') AS privileged FROM pg_available_extension_versions v WHERE v.name = a.name"
	"  AND v.version = a.default_version) v ON true"
	" WHERE a.installed_version IS NULL AND v.privileged"
	" AND current_setting('is_superuser') <> 'on' ORDER BY 1" },
{ .name = "extensions-older", .end = BM_END_DESTINATION, .grade = BM_GRADE_NOTE,
  .feed = "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)),"
	" '[]') FROM pg_extension",
  .sql = "SELECT e->>'name', 'version ' || (e->>'version') || ' on the source, ' ||"
	" coalesce(a.installed_version, a.default_version) || ' on the destination', 'compare the"
	" release notes of the extension' FROM json_array_elements($1::json) e"
	" JOIN pg_available_extensions a ON a.name = e->>'name'"
	" WHERE coalesce(a.installed_version, a.default_version) <> e->>'version' ORDER BY 1" },
{ .name = "encoding", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES,
  .feed = "SELECT current_setting('server_encoding')",
  .sql = "SELECT " QUOTED_DB ", 'its encoding is ' || current_setting('server_encoding') || ', that"
	" of the source ' || $1 || ': a text that does not convert stops its table', 'CREATE DATABASE"
	" ... ENCODING ' || quote_literal($1) || ' TEMPLATE template0'"
	" WHERE current_setting('server_encoding') <> $1" },
{ .name = "collation", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES,
  .feed = "SELECT concat_ws(' ', datcollate, datctype, CASE coalesce(to_jsonb(d)->>'datlocprovider',"
	" 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END) FROM pg_database d"
	" WHERE datname = current_database()",
  .sql = "SELECT " QUOTED_DB ", 'it sorts by ' || here || ', the source by ' || $1 || ': ORDER BY and"
	" ranges of text give other results', 'create the destination''s database with the locale of"
	" the source' FROM (SELECT concat_ws(' ', datcollate, datctype,"
	" CASE coalesce(to_jsonb(d)->>'datlocprovider', 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN"
	" 'builtin' ELSE 'libc' END) AS here FROM pg_database d WHERE datname = current_database()) x"
	" WHERE here <> $1" },
{ .name = "clock", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES, .only_both = true,
  .feed = "SELECT extract(epoch FROM clock_timestamp())",
  .sql = "SELECT 'the clocks', 'they differ by ' || round(abs(off)) || ' s: when a row was changed on"
	" both sides the later change may lose', 'synchronise both servers with NTP'"
	" FROM (SELECT extract(epoch FROM clock_timestamp())::numeric - $1::numeric AS off) x"
	" WHERE abs(off) > 5" },
{ .name = "source-connections", .end = BM_END_SOURCE, .grade = BM_GRADE_DEGRADES,
  .sql = HEADROOM("source") },
{ .name = "destination-connections", .end = BM_END_DESTINATION, .grade = BM_GRADE_DEGRADES,
  .sql = HEADROOM("destination") },
{ .name = "prepared", .end = BM_END_SOURCE, .grade = BM_GRADE_DEGRADES,
  .sql = "SELECT quote_literal(gid), 'a prepared transaction since ' || prepared || ' keeps its locks:"
	" triggers on its tables have to wait for its end', 'COMMIT PREPARED ' || quote_literal(gid) ||"
	" ' or ROLLBACK PREPARED ' || quote_literal(gid) FROM pg_prepared_xacts"
	" WHERE database = current_database() ORDER BY prepared" },
{ .name = "large-objects", .end = BM_END_SOURCE, .grade = BM_GRADE_DEGRADES,
  .sql = "SELECT 'large objects', count(*) || ' large objects: no trigger can see their changes, so"
	" they are not kept in step', 'change none until the cut-over; or keep them in bytea columns'"
	" FROM pg_largeobject_metadata HAVING count(*) > 0" },
{ .name = "event-triggers", .end = BM_END_SOURCE, .grade = BM_GRADE_NOTE,
  .sql = "SELECT quote_ident(evtname), 'an event trigger: it also sees what the machine creates, and"
	" only a superuser can create it on the destination', '' FROM pg_event_trigger"
	" WHERE evtenabled <> 'D' AND NOT EXISTS (SELECT 1 FROM pg_depend d"
	"  WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = pg_event_trigger.oid"
	"  AND d.deptype = 'e') ORDER BY 1" },
};
const size_t bm_check_servers_count = BM_COUNT_OF(bm_checks_servers);
/* clang-format on */
