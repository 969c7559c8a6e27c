-- machine_seen - the owner of a sync's migration is alive: said every few seconds for as long as
-- the machine runs, in every phase and while the migration is paused.
CREATE OR REPLACE FUNCTION bucardo.machine_seen(my_sync text, my_owner text) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $machine$
  UPDATE bucardo.machine_beats b SET seen = clock_timestamp()
    FROM bucardo.machine_runs r JOIN bucardo.machine_owners o ON o.migration = r.migration
    WHERE r.sync = my_sync AND o.owner = my_owner AND b.migration = r.migration
    AND b.seen < clock_timestamp() - interval '2 seconds'
$machine$
