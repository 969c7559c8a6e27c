/* Checks of the two servers and databases as a whole, and of what a role may do there. */
#include "bucardo_machine/macros.h"
#include "worker/preflight/preflight.h"

/* clang-format off */
#define QUOTED_DB "quote_ident(current_database())"
#define WRITABLE(side) \
	"SELECT 'the " side "', 'it is a standby: nothing can be written there'," \
	" 'give the address of the primary' WHERE pg_is_in_recovery()"
/* Disabled ones fire for nobody; those of an extension are its own business. */
#define EVENT_TRIGGERS(condition, why, hint) \
	"SELECT quote_ident(evtname), 'an event trigger' || " why ", " hint " FROM pg_event_trigger" \
	" WHERE evtenabled <> 'D' AND NOT EXISTS (SELECT 1 FROM pg_depend d" \
	"  WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = pg_event_trigger.oid" \
	"  AND d.deptype = 'e') AND (" condition ") ORDER BY 1"
#define FIRES_FOR_US EVENT_TRIGGERS("evtenabled <> 'O' OR current_setting('session_replication_role')" \
	" <> 'replica'", "CASE WHEN evtenabled <> 'O' THEN ' that fires in replica role too: it sees, and may" \
	" refuse, what the machine creates' ELSE ': role ' || quote_ident(current_user) || ' may not set" \
	" session_replication_role, so it sees, and may refuse, what the machine creates' END", \
	"CASE WHEN evtenabled <> 'O' THEN 'ALTER EVENT TRIGGER ' || quote_ident(evtname) || ' ENABLE'" \
	" ELSE 'GRANT SET ON PARAMETER session_replication_role TO ' || quote_ident(current_user) ||" \
	" ' (PostgreSQL 15 and later); or let the trigger except this role' END")
#define CREATE_IN_DB(side, what) \
	"SELECT " QUOTED_DB ", 'role ' || quote_ident(current_user) || ' may not create schemas in the" \
	" " side "''s database: " what "'," \
	" 'GRANT CREATE ON DATABASE ' || " QUOTED_DB " || ' TO ' || quote_ident(current_user)" \
	" WHERE NOT has_database_privilege(current_database(), 'CREATE')"
#define HEADROOM(side) \
	"SELECT 'the " side "', 'only ' || free || ' more connections fit: replication takes ' || steady" \
	" || ' for good, the copy ' || copying || ' before that', 'raise max_connections, or CONNECTION" \
	" LIMIT of the role or database; or take fewer syncs and copy.jobs in machine.yaml'" \
	" FROM (SELECT current_setting('bucardo_machine.steady')::int AS steady," \
	"  current_setting('bucardo_machine.copying')::int AS copying, least(" \
	"  current_setting('max_connections')::int" \
	"   - current_setting('superuser_reserved_connections')::int" \
	"   - (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL)," \
	"  (SELECT CASE WHEN rolconnlimit >= 0 THEN rolconnlimit - (SELECT count(*)" \
	"    FROM pg_stat_activity WHERE usename = current_user) END" \
	"   FROM pg_roles WHERE rolname = current_user)," \
	"  (SELECT CASE WHEN datconnlimit >= 0 THEN datconnlimit - (SELECT count(*)" \
	"    FROM pg_stat_activity WHERE datname = current_database()) END" \
	"   FROM pg_database WHERE datname = current_database())) AS free) f WHERE free < 2 + greatest(steady, copying)"
#define REPLICA_ROLE "SELECT 1, 2, 3 WHERE set_config('session_replication_role', 'replica', true) = ''"
#define REPLICA_REFUSED "its role may not set session_replication_role, without which every" \
	" write of Bucardo fires triggers and is captured as a change of its own"
#define REPLICA_HINT "GRANT SET ON PARAMETER session_replication_role TO the role (PostgreSQL 15" \
	" and later, by a superuser); or the provider's administrator role, as rds_superuser"

const struct bm_check bm_checks_rights[] = {
{ .name = "source-writable", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = WRITABLE("source") },
{ .name = "destination-writable", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .sql = WRITABLE("destination") },
{ .name = "same-database", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = "SELECT system_identifier || '/' || current_database() FROM pg_control_system()",
  .sql = "SELECT " QUOTED_DB ", 'source and destination are the same database of the same server',"
	" 'correct host, port or dbname of one of them' FROM pg_control_system()"
	" WHERE system_identifier || '/' || current_database() = $1" },
{ .name = "source-create", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = CREATE_IN_DB("source", "the changes are captured in a schema bucardo there") },
{ .name = "destination-create", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .sql = CREATE_IN_DB("destination", "the schema cannot be made there") },
{ .name = "source-tables", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'role ' || quote_ident(current_user) || ' may not read it"
	" or put a trigger on it', 'GRANT SELECT, TRIGGER ON ' || c.oid::regclass || ' TO '"
	" || quote_ident(current_user) FROM pg_class c WHERE c.oid = ANY ($1::oid[])"
	" AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'TRIGGER'))"
	" ORDER BY 1" },
{ .name = "source-schemas", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .takes_tables = true,
  .sql = "SELECT DISTINCT quote_ident(n.nspname), 'role ' || quote_ident(current_user) || ' may not"
	" use this schema', 'GRANT USAGE ON SCHEMA ' || quote_ident(n.nspname) || ' TO '"
	" || quote_ident(current_user) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.oid = ANY ($1::oid[]) AND NOT has_schema_privilege(n.oid, 'USAGE') ORDER BY 1" },
{ .name = "row-security", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'row security would hide rows from role ' ||"
	" quote_ident(current_user), 'ALTER ROLE ' || quote_ident(current_user) || ' BYPASSRLS (by a"
	" superuser), or use the owner of the table' FROM pg_class c WHERE c.oid = ANY ($1::oid[])"
	" AND row_security_active(c.oid) ORDER BY 1" },
{ .name = "destination-replica-role", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .refused = REPLICA_REFUSED, .refused_hint = REPLICA_HINT, .sql = REPLICA_ROLE },
{ .name = "source-replica-role", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .only_both = true, .refused = REPLICA_REFUSED " (the way back writes to the source; direction:"
	" forward does not)", .refused_hint = REPLICA_HINT, .sql = REPLICA_ROLE },
};
const size_t bm_check_rights_count = BM_COUNT_OF(bm_checks_rights);

/* Those that are wanted; `wanted` is the version that is asked for, or null. */
#define EXTENSIONS "SELECT coalesce(json_agg(json_build_object('name', extname, 'version'," \
	" extversion, 'wanted', (SELECT CASE v->>'version' WHEN 'source' THEN extversion" \
	" ELSE v->>'version' END FROM json_array_elements(" \
	"  current_setting('bucardo_machine.versions')::json) v WHERE v->>'name' = extname))), '[]')" \
	" FROM pg_extension WHERE extname <> ALL (current_setting('bucardo_machine.skipped')::text[])"
#define HERE "coalesce(a.installed_version, e->>'wanted', a.default_version)"
/* Not by somebody's choice; where versions are not plain numbers nobody can tell. */
#define IS_OLDER "CASE WHEN e->>'wanted' IS NULL AND " HERE " ~ '^[0-9]+([.][0-9]+)*$' AND e->>'version' ~" \
	" '^[0-9]+([.][0-9]+)*$' THEN string_to_array(" HERE ", '.')::int[] <" \
	" string_to_array(e->>'version', '.')::int[] ELSE false END"
#define EXTENSION_VERSIONS(condition, what, hint) \
	"SELECT e->>'name', 'version ' || (e->>'version') || ' on the source, ' || " HERE " || ' on the" \
	" destination" what "', '" hint "' FROM json_array_elements($1::json) e" \
	" JOIN pg_available_extensions a ON a.name = e->>'name' WHERE " HERE " <> e->>'version'" \
	condition " ORDER BY 1"
/* Whatever a dump carries; the names of our own schemas are no part of it. */
#define OF_USERS " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" \
	" WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo'," \
	" 'bucardo_machine')"
#define BUCARDO_SCHEMA(side) \
	"SELECT 'schema bucardo', 'it is there on the " side " already, and role ' ||" \
	" quote_ident(current_user) || ' may not create anything in it: the machine keeps its changes" \
	" there', 'GRANT USAGE, CREATE ON SCHEMA bucardo TO ' || quote_ident(current_user) || '; or DROP" \
	" SCHEMA bucardo CASCADE when nobody uses that Bucardo any more'" \
	" WHERE to_regnamespace('bucardo') IS NOT NULL" \
	" AND NOT has_schema_privilege('bucardo', 'USAGE, CREATE')"

/* Who owns a schema may drop what is in it, and make it anew: functions that we call, triggers that we fire. */
#define FOREIGN_SCHEMA(side) \
	"SELECT 'schema ' || n.nspname, 'it is there on the " side " already, and belongs to role ' ||" \
	" quote_ident(r.rolname) || ', which could put functions of its own in place of the machine''s: they" \
	" would run with the rights of ' || quote_ident(current_user), 'look what is in it; then DROP SCHEMA ' ||" \
	" n.nspname || ' CASCADE, or ALTER SCHEMA ' || n.nspname || ' OWNER TO ' || quote_ident(current_user) ||" \
	" ' and the same for all that is in it' FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner" \
	" WHERE n.nspname IN ('bucardo', 'bucardo_machine', 'bucardo_machine_trial') AND r.rolname <> current_user" \
	" AND NOT r.rolsuper AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY 1"

#define PUBLICATIONS(side) \
	"SELECT 'publication ' || quote_ident(pubname), 'it is FOR ALL TABLES of the " side ": the machine''s" \
	" tables in schemas bucardo and bucardo_machine are published with it, and a subscriber that has" \
	" none of that name stops with an error at the first change of one', 'before the migration make" \
	" it one of the application''s tables or schemas: CREATE PUBLICATION ... FOR TABLE ... (or FOR" \
	" TABLES IN SCHEMA ... from PostgreSQL 15 on), then on each subscriber ALTER SUBSCRIPTION ... SET" \
	" PUBLICATION'" \
	" FROM pg_publication WHERE puballtables ORDER BY 1"

const struct bm_check bm_checks_servers[] = {
{ .name = "source-publications", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = PUBLICATIONS("source") },
{ .name = "destination-publications", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .sql = PUBLICATIONS("destination") },
{ .name = "source-foreign-schema", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = FOREIGN_SCHEMA("source") },
{ .name = "destination-foreign-schema", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .sql = FOREIGN_SCHEMA("destination") },
{ .name = "source-planned-functions", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .sql =
#include "worker/preflight/sql/planned_functions.sql.inc"
  },
{ .name = "source-bucardo", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = BUCARDO_SCHEMA("source") },
{ .name = "destination-bucardo", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .only_both = true, .sql = BUCARDO_SCHEMA("destination") },
{ .name = "collations-missing", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = "SELECT coalesce(json_agg(DISTINCT o.collname), '[]') FROM pg_attribute a"
	" JOIN pg_collation o ON o.oid = a.attcollation WHERE o.oid > 0 AND a.attnum > 0"
	" AND o.collnamespace = 'pg_catalog'::regnamespace AND a.attrelid IN (SELECT c.oid" OF_USERS ")",
  .sql = "SELECT quote_ident(name), 'columns of the source have this collation, and the destination''s"
	" server has it not', 'install the locale on that server, then SELECT"
	" pg_import_system_collations(''pg_catalog'')' FROM json_array_elements_text($1::json) name"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_collation o WHERE o.collname = name"
	"  AND o.collnamespace = 'pg_catalog'::regnamespace AND o.collencoding IN (-1, (SELECT encoding"
	"   FROM pg_database WHERE datname = current_database()))) ORDER BY 1" },
{ .name = "types-unknown", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = "SELECT coalesce(json_agg(DISTINCT y.typname), '[]') FROM pg_attribute a"
	" JOIN pg_type y ON y.oid = a.atttypid WHERE y.typnamespace = 'pg_catalog'::regnamespace"
	" AND a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid" OF_USERS ")",
  .sql = "SELECT quote_ident(name), 'columns of the source have this type, which PostgreSQL ' ||"
	" current_setting('server_version') || ' does not know any more', 'ALTER TABLE ... ALTER COLUMN"
	" ... TYPE another one, on the source' FROM json_array_elements_text($1::json) name"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_type y WHERE y.typname = name"
	"  AND y.typnamespace = 'pg_catalog'::regnamespace) ORDER BY 1" },
{ .name = "type-differences", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = "SELECT coalesce(json_agg(json_build_array(c.oid::regclass::text, a.attname,"
	" format_type(a.atttypid, a.atttypmod))), '[]') FROM pg_attribute a JOIN (SELECT c.oid,"
	" c.relkind" OF_USERS ") c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')"
	" WHERE a.attnum > 0 AND NOT a.attisdropped",
  .sql = "SELECT (e->>0) || '.' || quote_ident(e->>1), 'it is ' || format_type(a.atttypid, a.atttypmod)"
	" || ' on the destination and ' || (e->>2) || ' on the source: what does not fit stops its"
	" table', 'ALTER TABLE ' || (e->>0) || ' ALTER COLUMN ' || quote_ident(e->>1) || ' TYPE ' ||"
	" (e->>2) || ' on the destination' FROM json_array_elements($1::json) e"
	" JOIN pg_attribute a ON a.attrelid = to_regclass(e->>0) AND a.attname = e->>1"
	" AND a.attnum > 0 WHERE format_type(a.atttypid, a.atttypmod) <> e->>2 ORDER BY 1 LIMIT 50" },
{ .name = "forced-row-security", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = "SELECT coalesce(json_agg(c.oid::regclass::text), '[]')" OF_USERS " AND c.relforcerowsecurity",
  .sql = "SELECT name, 'row security is forced on it: on the destination it would hold for role ' ||"
	" quote_ident(current_user) || ' too, and refuse what is replicated', 'ALTER ROLE ' ||"
	" quote_ident(current_user) || ' BYPASSRLS there, by a superuser; or ALTER TABLE ' || name ||"
	" ' NO FORCE ROW LEVEL SECURITY' FROM json_array_elements_text($1::json) name, pg_roles r"
	" WHERE r.rolname = current_user AND NOT r.rolsuper AND NOT r.rolbypassrls ORDER BY 1" },
{ .name = "disk", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_NOTE,
  .feed = "SELECT pg_database_size(current_database()) - coalesce((SELECT sum("
	" pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE n.nspname = 'bucardo' AND c.relkind = 'r'), 0)",
  .sql = "SELECT 'disk', 'the source has ' || pg_size_pretty($1::bigint) || ', the destination ' ||"
	" pg_size_pretty(pg_database_size(current_database())) || ' so far: it needs the rest, as much"
	" again for a moment while indexes of the largest table are sorted, and room for its log; how"
	" much is free no server tells over SQL', 'compare with the size of the destination''s volume'"
	" WHERE $1::bigint > 1073741824 AND pg_database_size(current_database()) < $1::bigint" },
{ .name = "versions", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = "SELECT current_setting('server_version_num')",
  .sql = "SELECT 'the destination', 'it runs PostgreSQL ' || current_setting('server_version') ||"
	" ', older than the source''s ' || $1::int / 10000 || ': what only the newer one knows cannot"
	" be created', 'use a destination of at least the same major version'"
	" WHERE current_setting('server_version_num')::int / 10000 < $1::int / 10000" },
{ .name = "too-old", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = "SELECT 'the source', 'it runs PostgreSQL ' || current_setting('server_version') || ';"
	" 10 is the oldest that is known to work', 'upgrade the source to PostgreSQL 10 first'"
	" WHERE current_setting('server_version_num')::int < 100000" },
{ .name = "destination-filled", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .sql = "SELECT c.oid::regclass::text, 'the destination is not empty: this was not made by the"
	" machine', 'DROP ' || CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'"
	"  WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END || ' ' ||"
	" c.oid::regclass || ' there when it is of no use; or take another database'"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'"
	" AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo_machine')"
	" AND to_regnamespace('bucardo_machine') IS NULL"
	" AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
	"  AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 20" },
{ .name = "extensions-needed", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_STOPS,
  .sql = "SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0), 'it needs extension ' ||"
	" e.extname || ', which is skipped', 'do not skip it (extensions.skip in machine.yaml); or leave"
	" this out as well' FROM pg_extension e"
	" JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid"
	"  AND m.deptype = 'e'"
	" JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype = 'n'"
	" WHERE e.extname = ANY (current_setting('bucardo_machine.skipped')::text[])"
	" AND NOT EXISTS (SELECT 1 FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid"
	"  AND o.deptype = 'e')"
	" AND NOT EXISTS (SELECT 1 FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid"
	"  AND i.deptype = 'i' AND i.refclassid <> 'pg_class'::regclass)"
	" AND NOT (d.classid = 'pg_class'::regclass"
	"  AND d.objid = ANY (current_setting('bucardo_machine.outside')::oid[])) ORDER BY 1" },
/* Nothing says which types came with the extension's own script: one that somebody added belongs to another role
 * than the extension, or is older than its membership. What nothing uses stops nothing. */
{ .name = "extensions-members", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = "SELECT 'type ' || format_type(y.oid, NULL), 'it seems to have been added to extension ' ||"
	" quote_ident(e.extname) || ' by hand (ALTER EXTENSION ... ADD): pg_dump leaves it out, CREATE EXTENSION does"
	" not make it on the destination, and ' || min(pg_describe_object(u.classid, u.objid, u.objsubid)) || ' needs"
	" it', 'if so: ALTER EXTENSION ' || quote_ident(e.extname) || ' DROP TYPE ' || format_type(y.oid, NULL)"
	" FROM pg_extension e JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid"
	"  AND m.classid = 'pg_type'::regclass AND m.deptype = 'e'"
	" JOIN pg_type y ON y.oid = m.objid JOIN pg_roles o ON o.oid = y.typowner"
	" JOIN pg_depend u ON u.refclassid = 'pg_type'::regclass AND u.refobjid IN (y.oid, y.typarray) AND u.deptype = 'n'"
	" WHERE e.extname <> ALL (current_setting('bucardo_machine.skipped')::text[])"
	" AND (NOT o.rolsuper AND y.typowner <> e.extowner OR age(y.xmin) > age(m.xmin))"
	" AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = u.classid AND x.objid = u.objid AND x.deptype = 'e')"
	" GROUP BY y.oid, e.extname ORDER BY 1" },
{ .name = "extensions-available", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = EXTENSIONS,
  .sql = "SELECT e->>'name', 'extension ' || (e->>'name') || ' of the source is not available on"
	" the destination''s server', 'install it there; or skip it (extensions.skip in machine.yaml)"
	" where nothing needs it'"
	" FROM json_array_elements($1::json) e WHERE NOT EXISTS (SELECT 1"
	" FROM pg_available_extensions a WHERE a.name = e->>'name') ORDER BY 1" },
{ .name = "extensions-pinned", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = EXTENSIONS,
  .sql = "SELECT e->>'name', 'version ' || (e->>'wanted') || ' of extension ' || (e->>'name') ||"
	" ' is wanted, and the destination has ' || coalesce(a.installed_version || ' already',"
	"  'only ' || v.list), CASE WHEN a.installed_version IS NULL THEN 'name one of these"
	" (extensions.versions in machine.yaml), or install it there' ELSE 'ALTER EXTENSION ' ||"
	" quote_ident(a.name) || ' UPDATE TO ' || quote_literal(e->>'wanted') END"
	" FROM json_array_elements($1::json) e JOIN pg_available_extensions a ON a.name = e->>'name'"
	" JOIN LATERAL (SELECT string_agg(version, ', ') AS list, bool_or(version = e->>'wanted') AS has"
	"  FROM pg_available_extension_versions v WHERE v.name = a.name) v ON true"
	" WHERE e->>'wanted' IS NOT NULL AND CASE WHEN a.installed_version IS NULL THEN NOT v.has"
	" ELSE a.installed_version <> e->>'wanted' END ORDER BY 1" },
{ .name = "extensions-elsewhere", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_STOPS,
  .feed = "SELECT coalesce(json_agg(json_build_object('name', e.extname, 'schema', n.nspname)), '[]')"
	" FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
	" WHERE e.extname <> ALL (current_setting('bucardo_machine.skipped')::text[]) AND EXISTS (SELECT 1"
	"  FROM pg_depend m JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid"
	"  AND d.deptype = 'n' WHERE m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid"
	"  AND m.deptype = 'e' AND NOT EXISTS (SELECT 1 FROM pg_depend o WHERE o.classid = d.classid"
	"   AND o.objid = d.objid AND o.deptype = 'e'))",
  .sql = "SELECT e.extname, 'the destination has it already, in schema ' || quote_ident(n.nspname) || ', and the"
	" source in ' || quote_ident(s->>'schema') || ': what names its types and functions there cannot be"
	" made', 'on the destination: ' || CASE WHEN e.extrelocatable THEN 'ALTER EXTENSION ' ||"
	" quote_ident(e.extname) || ' SET SCHEMA ' ELSE 'DROP EXTENSION ' || quote_ident(e.extname) ||"
	" '; CREATE EXTENSION ' || quote_ident(e.extname) || ' SCHEMA ' END || quote_ident(s->>'schema') ||"
	" ' (made before, where it is missing)' FROM json_array_elements($1::json) s"
	" JOIN pg_extension e ON e.extname = s->>'name' JOIN pg_namespace n ON n.oid = e.extnamespace"
	" WHERE n.nspname <> s->>'schema' ORDER BY 1" },
{ .name = "extensions-allowed", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .hint_is_safe = true,
  .feed = EXTENSIONS,
  .sql = "SELECT e->>'name', 'extension ' || (e->>'name') || ' is missing on the destination and"
	" role ' || quote_ident(current_user) || ' may not create it', 'CREATE EXTENSION IF NOT"
	" EXISTS ' || quote_ident(e->>'name') FROM json_array_elements($1::json) e"
	" JOIN pg_available_extensions a ON a.name = e->>'name'"
	" JOIN LATERAL (SELECT bool_or(v.superuser AND coalesce(to_jsonb(v)->>'trusted', 'false')"
	"  <> 'true') AS privileged FROM pg_available_extension_versions v WHERE v.name = a.name"
	"  AND v.version = coalesce(e->>'wanted', a.default_version)) v ON true"
	" WHERE a.installed_version IS NULL AND v.privileged AND e->>'name' <> 'plpgsql'"
	" AND current_setting('is_superuser') <> 'on' ORDER BY 1" },
{ .name = "extensions-older", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = EXTENSIONS, .sql = EXTENSION_VERSIONS(" AND " IS_OLDER, ", which is older: what only the"
	" newer one has cannot be created", "have it updated there; or ALTER EXTENSION ... UPDATE TO an"
	" older version on the source") },
{ .name = "extensions-other", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_NOTE,
  .feed = EXTENSIONS, .sql = EXTENSION_VERSIONS(" AND NOT " IS_OLDER, "", "compare the release notes"
	" of the extension; extensions.versions in machine.yaml chooses one") },
{ .name = "encoding", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = "SELECT current_setting('server_encoding')",
  .sql = "SELECT " QUOTED_DB ", 'its encoding is ' || current_setting('server_encoding') || ', that"
	" of the source ' || $1 || CASE 'SQL_ASCII' WHEN $1 THEN ', which is any bytes: they go over as"
	" they are, and what is no ' || current_setting('server_encoding') || ' stops its table'"
	" WHEN current_setting('server_encoding') THEN ': texts arrive as bytes of ' || $1 || ', and"
	" nothing checks there what is written later' ELSE ': a text that does not convert stops its"
	" table' END, 'CREATE DATABASE ... ENCODING ' || quote_literal($1) || ' TEMPLATE template0'"
	" WHERE current_setting('server_encoding') <> $1" },
{ .name = "collation", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .feed = "SELECT concat_ws(' ', datcollate, datctype, CASE coalesce(to_jsonb(d)->>'datlocprovider',"
	" 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END) FROM pg_database d"
	" WHERE datname = current_database()",
  .sql = "SELECT " QUOTED_DB ", 'it sorts by ' || here || ', the source by ' || $1 || ': ORDER BY and"
	" ranges of text give other results', 'create the destination''s database with the locale of"
	" the source' FROM (SELECT concat_ws(' ', datcollate, datctype,"
	" CASE coalesce(to_jsonb(d)->>'datlocprovider', 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN"
	" 'builtin' ELSE 'libc' END) AS here FROM pg_database d WHERE datname = current_database()) x"
	" WHERE here <> $1" },
{ .name = "clock", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES, .only_both = true,
  .feed = "SELECT extract(epoch FROM clock_timestamp())",
  .sql = "SELECT 'the clocks', 'they differ by ' || round(abs(off)) || ' s: when a row was changed on"
	" both sides the later change may lose', 'synchronise both servers with NTP'"
	" FROM (SELECT extract(epoch FROM clock_timestamp())::numeric - $1::numeric AS off) x"
	" WHERE abs(off) > 5" },
{ .name = "source-connections", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = HEADROOM("source") },
{ .name = "destination-connections", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .sql = HEADROOM("destination") },
{ .name = "prepared", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = "SELECT quote_literal(gid), 'a prepared transaction since ' || prepared || ' keeps its locks:"
	" triggers on its tables have to wait for its end', 'COMMIT PREPARED ' || quote_literal(gid) ||"
	" ' or ROLLBACK PREPARED ' || quote_literal(gid) FROM pg_prepared_xacts"
	" WHERE database = current_database() ORDER BY prepared" },
{ .name = "large-objects", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = "SELECT 'large objects', count(*) || ' of them: no trigger can see their changes, so"
	" they are not kept in step', 'change none until the cut-over; or keep them in bytea columns'"
	" FROM pg_largeobject_metadata HAVING count(*) > 0" },
{ .name = "event-triggers", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .sql = EVENT_TRIGGERS("true", "': only a superuser can create it on the destination'", "''") },
{ .name = "source-event-triggers", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .sql = FIRES_FOR_US },
{ .name = "destination-event-triggers", .side = BM_SIDE_DESTINATION, .severity = BM_SEVERITY_DEGRADES,
  .sql = FIRES_FOR_US },
};
const size_t bm_check_servers_count = BM_COUNT_OF(bm_checks_servers);
/* clang-format on */
