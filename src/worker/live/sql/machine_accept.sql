-- machine_accept - both sides are given the same numbers again, and go on from there.
CREATE OR REPLACE FUNCTION bucardo.machine_accept(my_migration text, my_owner text, my_pass bigint,
  my_nonce text, my_runs json) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $machine$
BEGIN
  INSERT INTO bucardo.machine_runs AS r (sync, migration, run, nonce)
    SELECT e.key, my_migration, e.value::bigint, my_nonce FROM json_each_text(my_runs) e
    ON CONFLICT (sync) DO UPDATE SET run = excluded.run, nonce = excluded.nonce;
  UPDATE bucardo.machine_beats b SET pass = my_pass, nonce = my_nonce, before = my_nonce,
    seen = clock_timestamp() WHERE b.migration = my_migration;
  UPDATE bucardo.machine_owners o SET stopped = '', identity = bucardo.machine_identity(),
    timeline = bucardo.machine_timeline() WHERE o.migration = my_migration AND o.owner = my_owner;
END $machine$
