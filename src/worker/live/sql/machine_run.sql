-- machine_run - the number of a run, written on both sides in the transactions of the run itself: it
-- commits with the rows there, and with their marks here.
CREATE OR REPLACE FUNCTION bucardo.machine_run(my_sync text, my_run bigint, my_nonce text)
  RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $machine$
  UPDATE bucardo.machine_runs r SET run = my_run, nonce = my_nonce WHERE r.sync = my_sync
$machine$
