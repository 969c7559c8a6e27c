-- machine_claim - a migration, and with a name also one of its syncs, gets its rows on this side,
-- where it has none. Whoever came first owns it; machine_state() tells who.
CREATE OR REPLACE FUNCTION bucardo.machine_claim(my_migration text, my_sync text, my_owner text,
  my_host text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  INSERT INTO bucardo.machine_owners (migration, owner, host, identity, timeline)
    VALUES (my_migration, my_owner, my_host, bucardo.machine_identity(), bucardo.machine_timeline())
    ON CONFLICT DO NOTHING;
  INSERT INTO bucardo.machine_beats (migration) VALUES (my_migration) ON CONFLICT DO NOTHING;
  INSERT INTO bucardo.machine_runs (sync, migration)
    SELECT my_sync, my_migration WHERE my_sync <> '' AND EXISTS (SELECT 1
      FROM bucardo.machine_owners o WHERE o.migration = my_migration AND o.owner = my_owner)
    ON CONFLICT DO NOTHING;
END $machine$
