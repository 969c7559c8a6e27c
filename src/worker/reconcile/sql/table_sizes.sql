-- table_sizes - $1 an array of quoted names: of those that are tables the name, the bytes as the last
-- VACUUM or ANALYZE found them (0: neither was there), and about how many rows there are: what the
-- server counted along, else what an ANALYZE found; NULL unknown. Takes no lock on any of them.
SELECT q.name, c.relpages::bigint * current_setting('block_size')::bigint, CASE
    WHEN s.n_live_tup > 0 THEN s.n_live_tup
    WHEN c.reltuples > 0 THEN c.reltuples::bigint END
FROM unnest($1::text[]) q(name) JOIN pg_catalog.pg_class c ON c.oid = to_regclass(q.name)
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind = 'r'
