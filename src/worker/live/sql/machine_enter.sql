-- machine_enter - the first word of a run on each side, in its transaction. Refuses it to whom the
-- migration does not belong (any more): the lock that it takes keeps machine_take_over() waiting
-- until the run has ended. Returns the last run that both sides were given; NULL: not a sync of ours.
CREATE OR REPLACE FUNCTION bucardo.machine_enter(my_sync text, my_owner text, OUT run bigint,
  OUT nonce text, OUT is_moved boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE o record; mine record;
BEGIN
  SELECT r.* INTO mine FROM bucardo.machine_runs r WHERE r.sync = my_sync;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT w.* INTO o FROM bucardo.machine_owners w WHERE w.migration = mine.migration FOR KEY SHARE;
  IF NOT FOUND OR o.owner <> my_owner THEN
    RAISE EXCEPTION 'migration % belongs to another machine: host % (control cluster %), since %',
      mine.migration, o.host, o.owner, o.since;
  END IF;
  IF o.stopped <> '' THEN
    RAISE EXCEPTION 'migration % is stopped: %', mine.migration, o.stopped;
  END IF;
  run := mine.run; nonce := mine.nonce;
  is_moved := (o.identity, o.timeline) <> (bucardo.machine_identity(), bucardo.machine_timeline());
END $machine$
