-- machine_adopt - Bucardo's purge takes a change for done when as many targets have marked it
-- as the list bucardo_delta_targets has of its table. So no table of ours is on that list:
-- who else uses it is kept in machine_targets, and our purge serves them all.
CREATE OR REPLACE FUNCTION bucardo.machine_adopt() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  WITH gone AS (DELETE FROM bucardo.bucardo_delta_targets t WHERE t.tablename IN
      (SELECT to_regclass(d.tablename)::oid FROM bucardo.bucardo_delta_names d
        JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))
      RETURNING t.tablename, t.target)
    INSERT INTO bucardo.machine_targets (tablename, target)
      SELECT DISTINCT g.tablename::regclass::text, g.target FROM gone g
      WHERE NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = g.target)
    ON CONFLICT DO NOTHING;
END $machine$
