-- proof_state - what one side says of a table: $1 schema, $2 name (not quoted). A number that changes when anybody
-- writes rows of it, whether a trigger saw that or not (statistics, so nothing that a proof rests on alone), and
-- one that changes when it is truncated.
SELECT coalesce((SELECT concat_ws(',', n_tup_ins, n_tup_upd, n_tup_del, pg_relation_filenode(relid),
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()))
  FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2), '')
