-- traces_own_rows - where others use this database too: functions and rows that bear the names of $1, one
-- row with one transaction. Whose the migration is goes with the rest of it.
WITH mine AS (SELECT n || s AS sync FROM unnest($1::text[]) n, unnest(ARRAY['', '_sync', '_sync_2',
    '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s),
names AS (SELECT (SELECT string_agg(quote_literal(n), ', ') FROM unnest($1::text[]) n) AS migrations,
  (SELECT string_agg(quote_literal(sync) || ', ' || quote_literal(sync || ' (paused)'), ', ') FROM mine) AS syncs,
  (SELECT string_agg(quote_literal('dbgroup ' || n || '_dbs'), ', ') FROM unnest($1::text[]) n) AS targets)
SELECT coalesce((SELECT string_agg(format('DROP ROUTINE IF EXISTS %s; ', p.oid::regprocedure), '') FROM pg_proc p
    WHERE p.pronamespace = to_regnamespace('bucardo')
    AND p.proname IN (SELECT left('bucardo_kick_' || sync, 63) FROM mine
      UNION SELECT 'machine_refuse_' || n FROM unnest($1::text[]) n)), '')
  || string_agg(format('DELETE FROM %s WHERE %I IN (%s)', x.t, x.c, CASE x.c WHEN 'sync' THEN n.syncs
      WHEN 'target' THEN n.targets ELSE n.migrations END), '; ' ORDER BY x.i) AS statement
  FROM names n, (VALUES (1, 'bucardo.bucardo_delta_targets', 'target'), (2, 'bucardo.machine_targets', 'target'),
    (3, 'bucardo.bucardo_truncate_trigger', 'sync'), (4, 'bucardo.bucardo_truncate_trigger_log', 'sync'),
    (5, 'bucardo.machine_captured', 'sync'), (6, 'bucardo.bucardo_delta_names', 'sync'), (7, 'bucardo.machine_syncs', 'sync'),
    (8, 'bucardo.machine_live', 'migration'), (9, 'bucardo.machine_runs', 'sync'), (10, 'bucardo.machine_beats', 'migration'),
    (11, 'bucardo_machine.handover', 'migration'), (12, 'bucardo.machine_owners', 'migration'),
    (13, 'bucardo.machine_proof_plans', 'migration'), (14, 'bucardo.machine_proof_marks', 'migration'),
    (15, 'bucardo.machine_proofs', 'migration'), (16, 'bucardo.machine_proof_states', 'migration'),
    (17, 'bucardo.machine_differences', 'migration')) x(i, t, c)
  WHERE EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = to_regclass(x.t) AND a.attname = x.c)
