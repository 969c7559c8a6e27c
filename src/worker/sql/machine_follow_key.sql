-- machine_follow_key - the new name of one column of the key, if it is the only one that is
-- missing and the table has a key of as many columns otherwise alike. '' when there is none
-- such.
CREATE OR REPLACE FUNCTION bucardo.machine_follow_key(my_table text, my_delta text)
  RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '300ms'
  AS $machine$
DECLARE mine text[]; theirs text[]; gone int[]; old text; new text; code text;
BEGIN
  mine := (SELECT array_agg(text(a.attname) ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = to_regclass('bucardo.' || my_delta) AND a.attnum > 0
        AND NOT a.attisdropped AND a.attname <> 'txntime');
  SELECT array_agg(k.attname::text ORDER BY x.n) INTO theirs FROM pg_constraint p
    CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS x(num, n)
    JOIN pg_attribute k ON k.attrelid = p.conrelid AND k.attnum = x.num
    WHERE p.conrelid = to_regclass(my_table) AND p.contype = 'p';
  SELECT array_agg(i) INTO gone FROM generate_subscripts(mine, 1) i
    WHERE mine[i] IS DISTINCT FROM theirs[i];
  IF cardinality(mine) IS DISTINCT FROM cardinality(theirs)
    OR cardinality(gone) IS DISTINCT FROM 1 THEN RETURN ''; END IF;
  old := mine[gone[1]]; new := theirs[gone[1]];
  IF EXISTS (SELECT 1 FROM pg_attribute o JOIN pg_attribute n ON n.attrelid =
      to_regclass(my_table) AND n.attname = new
      WHERE o.attrelid = to_regclass('bucardo.' || my_delta) AND o.attname = old
      AND (o.atttypid, o.atttypmod) <> (n.atttypid, n.atttypmod)) THEN RETURN ''; END IF;
  SELECT pg_get_functiondef(t.tgfoid) INTO code FROM pg_trigger t
    WHERE t.tgrelid = to_regclass(my_table) AND t.tgname = 'bucardo_delta';
  IF code IS NULL THEN RETURN ''; END IF;
  EXECUTE format('ALTER TABLE bucardo.%s RENAME COLUMN %I TO %I', my_delta, old, new);
  IF to_regclass('bucardo.' || regexp_replace(my_delta, '^("?)delta_', '\1mpark_')) IS NOT NULL THEN
    EXECUTE format('ALTER TABLE bucardo.%s RENAME COLUMN %I TO %I',
regexp_replace(my_delta, '^("?)delta_', '\1mpark_'), old, new);
  END IF;
  PERFORM bucardo.machine_capture_function(my_delta);
  RETURN new;
END $machine$
