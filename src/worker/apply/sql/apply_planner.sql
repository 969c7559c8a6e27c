-- apply_planner - $1 how a question is planned, $2 whether by reading a table whole, or one of the
-- two tables again for each row of the other. On either side.
SELECT pg_catalog.set_config('plan_cache_mode', $1, true), pg_catalog.set_config('enable_seqscan', $2, true),
pg_catalog.set_config('enable_bitmapscan', $2, true), pg_catalog.set_config('enable_hashjoin', $2, true),
pg_catalog.set_config('enable_nestloop', $2, true)
