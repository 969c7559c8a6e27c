-- machine_follow_key - the columns of one delta table, and of what is deferred beside it, by the
-- key of its table; see machine_follow. `event`: 'followed' (names or types), 'rekeyed' (other
-- columns), 'keyless' (none is left to tell rows apart by), NULL nothing.
-- The columns stay as long as they are a key, or cannot be NULL and there is no primary key.
CREATE OR REPLACE FUNCTION bucardo.machine_follow_key(my_name text, my_table oid, mine int2[],
  my_seen text, my_doing boolean, OUT event text, OUT was text, OUT now_is text, OUT again boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE
  delta text := (SELECT min(d.deltaname) FROM bucardo.bucardo_delta_names d WHERE d.tablename = my_name);
  wanted int2[] := mine; present int2[]; kinds oid[]; intact boolean; c record;
BEGIN
  again := false;
  IF to_regclass('bucardo.' || delta) IS NULL THEN RETURN; END IF;
  present := bucardo.machine_key_of(my_table, mine);
  SELECT coalesce(bool_and(a.attnotnull AND NOT a.attisdropped), false) INTO intact FROM unnest(mine) u
    LEFT JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = u;
  IF present IS NULL AND NOT intact THEN
    -- Without one nothing can be captured, and a trigger that fails would stop the application:
    -- once there is a key again all rows are sent again.
    event := 'keyless'; was := bucardo.machine_delta_columns(delta);
    IF my_doing AND mine <> '{0}' THEN
      EXECUTE format('CREATE OR REPLACE FUNCTION bucardo.%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        AS %L', delta, 'BEGIN /* bucardo-machine: no name here depends on search_path; its table has no key */ RETURN NULL; END');
      UPDATE bucardo.machine_keys SET columns = '{0}', seen = NULL WHERE name = my_name;
    END IF;
    RETURN;
  ELSIF present IS DISTINCT FROM mine AND (NOT intact OR EXISTS (SELECT 1 FROM pg_index i
      WHERE i.indrelid = my_table AND i.indisprimary)) THEN
    wanted := present;
  END IF;
  was := bucardo.machine_delta_columns(delta);
  IF wanted <> mine THEN
    event := 'rekeyed'; again := true;
    IF my_doing THEN PERFORM bucardo.machine_delta_rekey(delta, my_table, wanted); END IF;
  ELSE
    FOR c IN SELECT * FROM bucardo.machine_delta_wishes(delta, my_table, mine) LOOP
      IF c.name <> c.has_name OR c.type <> c.has_type THEN event := 'followed'; END IF;
      again := again OR c.type <> c.has_family;
    END LOOP;
    IF my_doing AND event IS NOT NULL THEN
      PERFORM bucardo.machine_delta_change(delta, my_table, mine);
    END IF;
  END IF;
  -- A type that still fits needs no other delta table, but a new function all the same; so does another one of
  -- the same name.
  SELECT array_agg(a.atttypid ORDER BY x.n) INTO kinds FROM unnest(wanted) WITH ORDINALITY AS x(num, n)
    LEFT JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = x.num;
  IF event IS NULL AND my_seen IS NOT NULL AND (split_part(my_seen, '; ', 1) <>
      split_part(bucardo.machine_key_look(my_table, wanted), '; ', 1)
      OR kinds IS DISTINCT FROM (SELECT m.types FROM bucardo.machine_keys m WHERE m.name = my_name)) THEN
    event := 'followed';
  END IF;
  IF my_doing AND event IS NOT NULL THEN PERFORM bucardo.machine_remake(delta); END IF;
  IF my_doing OR event IS NULL THEN
    UPDATE bucardo.machine_keys SET columns = wanted, types = kinds, seen = bucardo.machine_key_look(my_table, wanted)
      WHERE name = my_name;
  END IF;
  now_is := bucardo.machine_key_look(my_table, wanted);
END $machine$
