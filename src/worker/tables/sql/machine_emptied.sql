-- machine_emptied - tables of this side that a crash emptied since machine_emptied(true) was asked
-- last, which writes down how it is: unlogged ones. A crash empties bucardo.machine_unlogged as well, so
-- its row has another stamp then. For a side that is not captured: see machine_capture_rows.
CREATE OR REPLACE FUNCTION bucardo.machine_emptied(my_seen boolean) RETURNS SETOF text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE is_now text; was text;
BEGIN
  INSERT INTO bucardo.machine_unlogged DEFAULT VALUES ON CONFLICT DO NOTHING;
  SELECT u.stamp INTO is_now FROM bucardo.machine_unlogged u;
  SELECT s.stamp INTO was FROM bucardo.machine_unlogged_seen s;
  IF was = is_now THEN RETURN; END IF;
  IF was IS NULL OR my_seen THEN
    INSERT INTO bucardo.machine_unlogged_seen AS s (stamp) VALUES (is_now)
      ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp;
    RETURN;
  END IF;
  RETURN QUERY SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname <> 'bucardo';
END $machine$
