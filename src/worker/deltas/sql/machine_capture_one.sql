-- machine_capture_one - make a table captured by what is missing of it, and write down how it is
-- then (machine_captured). No lock is taken where nothing is missing. What Bucardo's own function
-- validate_sync() would make is made here with its names, before it looks: it takes what it finds.
-- The triggers fire in replica role too, for logical subscriptions and loaders of fixtures, but
-- not in sessions that apply a migration: see docs/worker-protocol.md. $4: rows may have changed
-- unseen, all are sent again; '' they did not; NULL nobody has looked: where there is a gap what an earlier machine wrote down
-- stays, and the watch compares it.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_one(my_sync text, my_schema text, my_name text,
  my_gap text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  SET lock_timeout = '500ms' AS $machine$
DECLARE
  my_table text := quote_ident(my_schema) || '.' || quote_ident(my_name);
  relation oid := to_regclass(my_table);
  base text := bucardo.machine_capture_base(my_schema, my_name);
  delta text := quote_ident('delta_' || base);
  track text := quote_ident('track_' || base);
  note name := 'bucardo_note_trunc_' || my_sync;
  is_owner boolean; keys text; intact text[]; t record; verb text; unseen text;
BEGIN
  IF relation IS NULL THEN RETURN; END IF;
  IF my_gap IS NULL AND EXISTS (SELECT 1 FROM bucardo.machine_captured WHERE sync = my_sync AND tablename = my_table) THEN
    SELECT w.gap INTO unseen FROM bucardo.machine_capture_watch(json_build_array(my_sync), my_table) w;
  END IF;
  SELECT pg_has_role(relowner, 'USAGE') INTO is_owner FROM pg_class WHERE oid = relation;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO keys FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime';
  IF EXISTS (SELECT 1 FROM pg_attribute d LEFT JOIN pg_attribute a ON a.attrelid = relation
      AND a.attname = d.attname AND a.attnum > 0 AND NOT a.attisdropped
      WHERE d.attrelid = to_regclass('bucardo.' || delta) AND d.attnum > 0 AND NOT d.attisdropped
      AND d.attname <> 'txntime'
      AND bucardo.machine_key_type(a.atttypid) IS DISTINCT FROM bucardo.machine_key_type(d.atttypid)) THEN
    RAISE EXCEPTION 'cannot capture %: its key has other columns or types than its delta table', my_table
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  FOR t IN SELECT * FROM (VALUES
      (quote_ident('dex1_' || base), format('CREATE INDEX %I ON bucardo.%s (txntime)', 'dex1_' || base, delta)),
      (quote_ident('dex2_' || base), format('CREATE INDEX %I ON bucardo.%s (%s)', 'dex2_' || base, delta, keys)),
      (track, format('CREATE TABLE bucardo.%s (txntime timestamptz, target text)', track)),
      (quote_ident('dex3_' || base), format('CREATE INDEX %I ON bucardo.%s (target text_pattern_ops, txntime)',
        'dex3_' || base, track)),
      (quote_ident('stage_' || base), format('CREATE UNLOGGED TABLE bucardo.%I (txntime timestamptz, target text)',
        'stage_' || base))) x(name, statement) LOOP
    IF to_regclass('bucardo.' || t.name) IS NULL THEN EXECUTE t.statement; END IF;
  END LOOP;
  intact := ARRAY(SELECT sync FROM bucardo.machine_captured WHERE tablename = my_table
    AND sync <> my_sync AND state = bucardo.machine_capture_look(sync, my_table, delta));
  PERFORM bucardo.machine_capture_function(delta);
  FOR t IN SELECT x.*, EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = relation
        AND g.tgname = x.name) AS is_there
      FROM (VALUES ('bucardo_delta', 29, 'INSERT OR UPDATE OR DELETE', 'ROW', delta || '()', ''),
        (note, 32, 'TRUNCATE', 'STATEMENT', 'machine_note_truncation()', my_sync))
        x(name, type, events, level, code, argument)
      WHERE NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = relation
        AND g.tgname = x.name AND g.tgtype = x.type AND g.tgattr::text = ''
        AND g.tgfoid = to_regprocedure('bucardo.' || x.code)
        AND g.tgenabled = CASE WHEN is_owner THEN 'A' ELSE 'O' END
        AND g.tgqual IS NULL) LOOP
    verb := 'CREATE TRIGGER';
    IF t.is_there AND current_setting('server_version_num')::int >= 140000 THEN
      verb := 'CREATE OR REPLACE TRIGGER';
    ELSIF t.is_there THEN
      EXECUTE format('DROP TRIGGER %I ON %s', t.name, my_table);
    END IF;
    EXECUTE format($sql$%s %I AFTER %s ON %s FOR EACH %s
        EXECUTE PROCEDURE bucardo.%s$sql$, verb, t.name, t.events, my_table, t.level,
      CASE WHEN t.argument = '' THEN t.code
        ELSE replace(t.code, '()', format('(%L)', t.argument)) END);
    IF is_owner THEN
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', my_table, t.name);
    END IF;
  END LOOP;
  INSERT INTO bucardo.machine_captured AS m (sync, tablename, state, rewrite)
    VALUES (my_sync, my_table, bucardo.machine_capture_look(my_sync, my_table, delta),
      bucardo.machine_capture_rows(relation))
    ON CONFLICT (sync, tablename) DO UPDATE SET state = excluded.state, rewrite = excluded.rewrite,
      since = now() WHERE coalesce(unseen, '') = '' AND (m.state <> excluded.state
      OR m.rewrite IS DISTINCT FROM excluded.rewrite OR my_gap <> '');
  UPDATE bucardo.machine_captured SET state = bucardo.machine_capture_look(sync, my_table, delta)
    WHERE tablename = my_table AND sync = ANY (intact)
    AND state <> bucardo.machine_capture_look(sync, my_table, delta);
  IF my_gap <> '' THEN
    INSERT INTO bucardo.machine_touches AS d (tablename, why) VALUES (my_table, my_gap)
      ON CONFLICT (tablename) DO UPDATE SET file = NULL, follower_file = NULL,
      shipped = false, why = excluded.why;
  END IF;
END $machine$
