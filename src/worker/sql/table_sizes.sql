-- table_sizes - $1 an array of quoted names: of those that are tables the name, the bytes, and about
-- how many rows there are: what the server counted along, else what an ANALYZE found, scaled to the
-- present size; NULL unknown.
SELECT q.name, pg_relation_size(c.oid), CASE
    WHEN s.n_live_tup > 0 THEN s.n_live_tup
    WHEN c.reltuples > 0 AND c.relpages > 0 THEN (c.reltuples * greatest(1, pg_relation_size(c.oid)
      / current_setting('block_size')::bigint / c.relpages))::bigint END
FROM unnest($1::text[]) q(name) JOIN pg_catalog.pg_class c ON c.oid = to_regclass(q.name)
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind = 'r'
