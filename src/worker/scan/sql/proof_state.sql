-- proof_state - what one side says of a table: $1 schema, $2 name (not quoted). A number that changes when anybody
-- writes rows of it, whether a trigger saw that or not (statistics, so nothing that a proof rests on alone), and
-- one that changes when it is truncated. A crash sets all counters back, and then the time of the background
-- writer's. Where somebody's writes are not counted it is another one each time.
SELECT coalesce((SELECT concat_ws(',', n_tup_ins, n_tup_upd, n_tup_del, pg_relation_filenode(relid),
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
    (SELECT stats_reset FROM pg_stat_bgwriter),
    CASE WHEN NOT current_setting('track_counts')::boolean OR EXISTS (SELECT 1 FROM pg_db_role_setting s,
        unnest(s.setconfig) c WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND c ~ '^track_counts=' AND NOT split_part(c, '=', 2)::boolean) THEN clock_timestamp() END)
  FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2), '')
