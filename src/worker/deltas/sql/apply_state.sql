-- apply_state - what stands in the way of applying the changes of migration $1: the tables of which a TRUNCATE
-- waits, NULL none; whether keys may be deferred (batch_limit.h); what changes with the list of captured tables; and
-- the tables with writes past their triggers that the watch has not seen (machine_capture_guard), NULL none.
SELECT (SELECT string_agg(DISTINCT quote_ident(t.sname) || '.' || quote_ident(t.tname), ', ')
    FROM bucardo.bucardo_truncate_trigger t JOIN bucardo.machine_runs r ON t.sync IN (r.sync, r.sync || ' (paused)')
    WHERE r.migration = $1 AND t.replicated IS NULL AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.tablename)),
  EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = to_regnamespace('bucardo') AND c.relname LIKE 'mpark\_%'),
  (SELECT md5(string_agg(concat_ws(' ', d.tablename, d.deltaname, d.sync), ',' ORDER BY d.tablename, d.sync))
    FROM bucardo.machine_runs r JOIN bucardo.bucardo_delta_names d ON d.sync IN (r.sync, r.sync || ' (paused)')
    WHERE r.migration = $1),
  CASE WHEN EXISTS (SELECT 1 FROM bucardo.machine_missed) THEN (SELECT string_agg(DISTINCT m.tablename, ', ')
    FROM bucardo.machine_runs r JOIN bucardo.machine_captured m ON m.sync = r.sync
    JOIN (SELECT relation, count(*) AS notes FROM bucardo.machine_missed GROUP BY 1) x ON x.relation = to_regclass(m.tablename)
    WHERE r.migration = $1 AND x.notes <> coalesce((m.state->>'missed')::bigint, 0)) END
