-- room_of_tables - $1 an array of quoted names: of those that are there the name and the bytes, as
-- largest_tables has them. On either side.
WITH held AS (SELECT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    AND d.datname = current_database() WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock')
SELECT q.name, CASE WHEN c.oid IN (SELECT relation FROM held)
    THEN c.relpages::bigint * current_setting('block_size')::bigint ELSE pg_table_size(c.oid) END
FROM unnest($1::text[]) q(name) JOIN pg_catalog.pg_class c ON c.oid = to_regclass(q.name)
