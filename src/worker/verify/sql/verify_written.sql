-- verify_written - how often rows of these catalogs ($1, names) were written, as the server counts it: while it
-- stays as it is nothing of them has changed.
SELECT coalesce(string_agg(relname || ' ' || n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del, ',' ORDER BY relname), '')
FROM pg_catalog.pg_stat_sys_tables WHERE schemaname = 'pg_catalog' AND relname = ANY ($1::text[])
