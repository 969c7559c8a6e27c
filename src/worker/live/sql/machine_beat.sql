-- machine_beat - the next pass, written on both sides by the owner's reconciler: a side that was set
-- back has an older one. Returns whether the migration is still that owner's.
CREATE OR REPLACE FUNCTION bucardo.machine_beat(my_migration text, my_owner text, my_pass bigint,
  my_nonce text) RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  UPDATE bucardo.machine_owners o SET identity = bucardo.machine_identity(),
      timeline = bucardo.machine_timeline() WHERE o.migration = my_migration AND o.owner = my_owner
    AND (o.identity, o.timeline) <> (bucardo.machine_identity(), bucardo.machine_timeline());
  UPDATE bucardo.machine_beats b SET pass = my_pass, before = b.nonce, nonce = my_nonce,
      seen = clock_timestamp() WHERE b.migration = my_migration
    AND EXISTS (SELECT 1 FROM bucardo.machine_owners o WHERE o.migration = b.migration
      AND o.owner = my_owner);
  RETURN FOUND;
END $machine$
