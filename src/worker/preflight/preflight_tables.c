/* Checks of the selected tables of the source, and of what stands in their way. */
#include "bucardo_machine/macros.h"
#include "bucardo_machine/syncs.h"
#include "worker/preflight/preflight.h"

/* clang-format off */
#define CHOSEN " FROM pg_class c WHERE c.oid = ANY ($1::oid[])"
#define USER_SCHEMA "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo'," \
	" 'bucardo_machine')"
#define OBJECTS(kind) " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" \
	" WHERE c.relkind = '" kind "' AND " USER_SCHEMA \
	" AND c.oid <> ALL (current_setting('bucardo_machine.outside')::oid[])"

const struct bm_check bm_checks_tables[] = {
{ .name = "unlogged", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'it is unlogged: a crash of the source empties it without"
	" any trigger, and the destination keeps the rows', 'ALTER TABLE ' || c.oid::regclass ||"
	" ' SET LOGGED'" CHOSEN " AND c.relpersistence = 'u' ORDER BY 1" },
{ .name = "rules", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'rule ' || quote_ident(r.rulename) || ' rewrites statements:"
	" what it sends to another table is captured there, what it drops is not', ''"
	" FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.oid = ANY ($1::oid[])"
	" ORDER BY 1" },
{ .name = "always-triggers", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'trigger ' || quote_ident(t.tgname) || ' also fires for what"
	" replication writes: ' || CASE WHEN t.tgenabled = 'R' AND t.tgtype & 3 = 3 THEN 'on the destination"
	" it may change or drop rows that the source has, so its table is paused there'"
	" WHEN t.tgtype & 3 = 3 THEN 'on the destination it changes rows a second time, that the source has"
	" changed already: their values may differ from then on'"
	" ELSE 'on the destination it acts a second time: what it writes elsewhere is there twice' END,"
	" 'ALTER TABLE ' || c.oid::regclass || ' ENABLE TRIGGER ' || quote_ident(t.tgname) || ' on the"
	" destination, as soon as it has the table; at the cut-over as it was'"
	" FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE c.oid = ANY ($1::oid[])"
	" AND t.tgtype & 12 <> 0"
	" AND t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal AND t.tgname !~ '^bucardo_' ORDER BY 1" },
{ .name = "always-rules", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'rule ' || quote_ident(r.rulename) || ' also holds for what"
	" replication deletes: on the destination rows that are gone would stay, so its table is paused"
	" there', 'ALTER TABLE ' || c.oid::regclass || ' ENABLE RULE ' || quote_ident(r.rulename)"
	" FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.oid = ANY ($1::oid[])"
	" AND r.ev_enabled IN ('A', 'R') AND r.ev_type = '4' AND r.is_instead ORDER BY 1" },
{ .name = "subscriptions", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  /* The view: not every server lets every role read the catalog's own table of them. */
  .sql = "SELECT 'subscription ' || quote_ident(s.subname), 'it writes to ' || string_agg(DISTINCT"
	" c.oid::regclass::text, ', ') || ' in replica role: that is captured like any other change, but"
	" only this source gets it', 'at the cut-over make it on the destination, and drop it here'"
	" FROM pg_stat_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.subid"
	" JOIN pg_class c ON c.oid = r.srrelid WHERE c.oid = ANY ($1::oid[])"
	" GROUP BY s.subname ORDER BY 1" },
{ .name = "capture-owner", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES, .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'its owner is ' || pg_get_userbyid(c.relowner) || ', whose"
	" rights our role does not have: changes in replica role (subscriptions, loaders of fixtures) are"
	" not captured', 'GRANT ' || quote_ident(pg_get_userbyid(c.relowner)) || ' TO ' ||"
	" quote_ident(current_user)" CHOSEN " AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1" },
{ .name = "inheritance", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'it has inheritance children: each table is replicated by"
	" itself', ''" CHOSEN " AND c.relkind = 'r'"
	" AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid) ORDER BY 1" },
{ .name = "unique-beside-key", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .only_both = true,
  .takes_tables = true,
  .sql = "SELECT 'unique indexes', count(*) || CASE WHEN count(*) = 1 THEN ' table has' ELSE ' tables have' END || ' some beside the key (' ||"
	" string_agg(name, ', ' ORDER BY name) FILTER (WHERE n <= 5) || CASE WHEN count(*) > 5 THEN ', ...'"
	" ELSE '' END || '): when both sides are written to, two rows with different keys may get the same"
	" value, and no run can apply that', 'write to one side at a time' FROM (SELECT"
	" c.oid::regclass::text AS name, row_number() OVER (ORDER BY c.oid::regclass::text) AS n" CHOSEN
	" AND EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique"
	"  AND NOT i.indisprimary)) x HAVING count(*) > 0" },
{ .name = "deferrable", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'constraint ' || quote_ident(k.conname) || ' is deferrable:"
	" the copy cannot cut the table into ranges of it, and inside a transaction of the source there"
	" may be duplicates that no run sees', ''"
	" FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid WHERE c.oid = ANY ($1::oid[])"
	" AND k.contype IN ('p', 'u') AND k.condeferrable ORDER BY 1, k.conname" },
{ .name = "identity", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE, .takes_tables = true,
  .sql = "SELECT 'identity columns', count(*) || CASE WHEN count(*) = 1 THEN ' table has' ELSE ' tables have' END || ' one (' || string_agg(name, ', '"
	" ORDER BY name) FILTER (WHERE n <= 5) || CASE WHEN count(*) > 5 THEN ', ...' ELSE '' END || '):"
	" values come over as they are, and the sequence behind with head-room', ''"
	" FROM (SELECT c.oid::regclass::text AS name, row_number() OVER (ORDER BY c.oid::regclass::text)"
	" AS n" CHOSEN " AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
	"  AND NOT a.attisdropped AND coalesce(to_jsonb(a)->>'attidentity', '') <> '')) x"
	" HAVING count(*) > 0" },
{ .name = "float-keys", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'column ' || quote_ident(a.attname) || ' of its key is a"
	" floating-point number: its text form may not find the row again', 'use numeric or an"
	" integer as the key' FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
	" JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)"
	" WHERE c.oid = ANY ($1::oid[]) AND a.atttypid IN (700, 701) ORDER BY 1" },
{ .name = "partitioned", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .sql = "SELECT c.oid::regclass::text, 'it is partitioned: its partitions are replicated one by one;"
	" one that is created later is made on the destination and taken in while it replicates', ''"
	OBJECTS("p") " AND NOT coalesce((to_jsonb(c)->>'relispartition')::bool, false) ORDER BY 1" },
{ .name = "materialised-views", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .sql = "SELECT c.oid::regclass::text, 'a materialised view: it is not kept in step', 'REFRESH"
	" MATERIALIZED VIEW ' || c.oid::regclass || ' on the destination when it is used there'"
	OBJECTS("m") " ORDER BY 1" },
{ .name = "foreign-tables", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .sql = "SELECT c.oid::regclass::text, 'a foreign table: its rows stay where they are, and the"
	" destination has to reach them', 'check the server and user mappings on the destination'"
	OBJECTS("f") " ORDER BY 1" },
{ .name = "idle-transactions", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT 'process ' || a.pid, 'role ' || coalesce(a.usename, '?') || ' is idle in a"
	" transaction since ' || a.state_change || ' and has written to ' || (SELECT"
	"  string_agg(DISTINCT l.relation::regclass::text, ', ') FROM pg_locks l WHERE l.pid = a.pid"
	"  AND l.relation = ANY ($1::oid[])) || ': triggers there have to wait for its end',"
	" 'SELECT pg_terminate_backend(' || a.pid || ')' FROM pg_stat_activity a"
	" WHERE a.datname = current_database() AND a.state LIKE 'idle in transaction%'"
	" AND a.state_change < now() - interval '5 seconds'"
	" AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.relation = ANY ($1::oid[])"
	"  AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',"
	"  'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) ORDER BY a.state_change" },
{ .name = "wraparound-vacuum", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT l.relation::regclass::text, 'process ' || l.pid || ' vacuums it to prevent"
	" wraparound: unlike other autovacuums it yields to nobody, so the triggers have to wait for its"
	" end, and the migration with them', 'watch pg_stat_progress_vacuum; it is quicker with a"
	" smaller autovacuum_vacuum_cost_delay. Ended, it begins anew'"
	" FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted"
	" AND l.relation = ANY ($1::oid[]) AND l.mode = 'ShareUpdateExclusiveLock'"
	" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	" AND a.query LIKE 'autovacuum: %(to prevent wraparound)%' ORDER BY 1" },
{ .name = "wraparound-near", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .takes_tables = true,
  .sql = "SELECT name, 'it was frozen ' || at || ' transactions ago: at ' || most || ' an autovacuum to"
	" prevent wraparound begins, which yields to nobody, and triggers on it would have to wait for"
	" its end', 'VACUUM (FREEZE) ' || name || ', before the migration begins'"
	" FROM (SELECT c.oid::regclass::text AS name, age(c.relfrozenxid) AS at, least("
	"   current_setting('autovacuum_freeze_max_age')::bigint, (SELECT option_value::bigint"
	"   FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_freeze_max_age'))"
	"  AS most" CHOSEN " AND c.relfrozenxid <> '0'::xid) x"
	" WHERE at > most * 9 / 10 ORDER BY at DESC, name LIMIT 20" },
{ .name = "never-analyzed", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_NOTE,
  .takes_tables = true, .hint_is_safe = true,
  .sql = "SELECT c.oid::regclass::text, 'it was never analyzed: sizes and the time it takes are"
	" guesses', 'ANALYZE ' || c.oid::regclass" CHOSEN
	" AND c.reltuples <= 0 AND pg_relation_size(c.oid) > 8388608"
	" AND pg_has_role(c.relowner, 'USAGE') ORDER BY 1" },
{ .name = "other-bucardo", .side = BM_SIDE_SOURCE, .severity = BM_SEVERITY_DEGRADES,
  .takes_tables = true,
  .sql = "SELECT c.oid::regclass::text, 'another Bucardo sync has a trigger on it (' ||"
	" quote_ident(t.tgname) || '): its changes are captured for that one too, and what one has"
	" purged the other may miss', 'remove that sync; or what it left: DROP SCHEMA bucardo CASCADE'"
	" FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE c.oid = ANY ($1::oid[])"
	" AND t.tgname ~ '^(bucardo_note_trunc_|btrunc_)'"
	" AND t.tgname !~ ('^bucardo_note_trunc_' || current_setting('bucardo_machine.migration', true)"
	"  || '" BM_SYNC_SUFFIXES "') ORDER BY 1" },
};
const size_t bm_check_tables_count = BM_COUNT_OF(bm_checks_tables);
/* clang-format on */
