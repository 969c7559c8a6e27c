SET check_function_bodies = off; SET client_min_messages = warning;
SET session_replication_role = replica; SET search_path = '';
CREATE SCHEMA bucardo;
CREATE FUNCTION bucardo.delta_public_customer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    AS $$
BEGIN /* bucardo-machine: no name here depends on search_path */
  IF pg_catalog.current_setting('bucardo_machine.applying', true) OPERATOR(pg_catalog.=) 'on'
    AND pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica'
    AND coalesce(pg_catalog.current_setting('bucardo_machine.shared', true), '') OPERATOR(pg_catalog.<>) 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    IF NOT ((pg_catalog.pg_typeof(OLD."id")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(OLD."id")::pg_catalog.oid, '20'::pg_catalog.oid))) THEN
      RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
    END IF;
  ELSIF NOT ((pg_catalog.pg_typeof(NEW."id")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(NEW."id")::pg_catalog.oid, '20'::pg_catalog.oid))) THEN
    RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' AND OLD."id" OPERATOR(pg_catalog.=) NEW."id" THEN
    INSERT INTO bucardo.delta_public_customer ("id") VALUES (OLD."id");
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO bucardo.delta_public_customer ("id") VALUES (OLD."id");
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
    INSERT INTO bucardo.delta_public_customer ("id") VALUES (NEW."id");
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION bucardo.delta_public_purchase() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    AS $$
BEGIN /* bucardo-machine: no name here depends on search_path */
  IF pg_catalog.current_setting('bucardo_machine.applying', true) OPERATOR(pg_catalog.=) 'on'
    AND pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica'
    AND coalesce(pg_catalog.current_setting('bucardo_machine.shared', true), '') OPERATOR(pg_catalog.<>) 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    IF NOT ((pg_catalog.pg_typeof(OLD."customer")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(OLD."customer")::pg_catalog.oid, '20'::pg_catalog.oid)) AND (pg_catalog.pg_typeof(OLD."nr")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(OLD."nr")::pg_catalog.oid, '20'::pg_catalog.oid))) THEN
      RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
    END IF;
  ELSIF NOT ((pg_catalog.pg_typeof(NEW."customer")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(NEW."customer")::pg_catalog.oid, '20'::pg_catalog.oid)) AND (pg_catalog.pg_typeof(NEW."nr")::pg_catalog.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(NEW."nr")::pg_catalog.oid, '20'::pg_catalog.oid))) THEN
    RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' AND OLD."customer" OPERATOR(pg_catalog.=) NEW."customer" AND OLD."nr" OPERATOR(pg_catalog.=) NEW."nr" THEN
    INSERT INTO bucardo.delta_public_purchase ("customer", "nr") VALUES (OLD."customer", OLD."nr");
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO bucardo.delta_public_purchase ("customer", "nr") VALUES (OLD."customer", OLD."nr");
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
    INSERT INTO bucardo.delta_public_purchase ("customer", "nr") VALUES (NEW."customer", NEW."nr");
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION bucardo.machine_accept(my_migration text, my_owner text, my_pass bigint, my_nonce text, my_runs json) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
BEGIN
  INSERT INTO bucardo.machine_runs AS r (sync, migration, run, nonce)
    SELECT e.key, my_migration, e.value::bigint, my_nonce FROM json_each_text(my_runs) e
    ON CONFLICT (sync) DO UPDATE SET run = excluded.run, nonce = excluded.nonce;
  UPDATE bucardo.machine_beats b SET pass = my_pass, nonce = my_nonce, before = my_nonce,
    seen = clock_timestamp() WHERE b.migration = my_migration;
  UPDATE bucardo.machine_owners o SET stopped = '', identity = bucardo.machine_identity(),
    timeline = bucardo.machine_timeline() WHERE o.migration = my_migration AND o.owner = my_owner;
END $$;
CREATE FUNCTION bucardo.machine_adopt() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  WITH gone AS (DELETE FROM bucardo.bucardo_delta_targets t WHERE t.tablename IN
      (SELECT to_regclass(d.tablename)::oid FROM bucardo.bucardo_delta_names d
        JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))
      RETURNING t.tablename, t.target)
    INSERT INTO bucardo.machine_targets (tablename, target)
      SELECT DISTINCT g.tablename::regclass::text, g.target FROM gone g
      WHERE NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = g.target)
    ON CONFLICT DO NOTHING;
END $_$;
CREATE FUNCTION bucardo.machine_beat(my_migration text, my_owner text, my_pass bigint, my_nonce text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  UPDATE bucardo.machine_owners o SET identity = bucardo.machine_identity(),
      timeline = bucardo.machine_timeline() WHERE o.migration = my_migration AND o.owner = my_owner
    AND (o.identity, o.timeline) <> (bucardo.machine_identity(), bucardo.machine_timeline());
  UPDATE bucardo.machine_beats b SET pass = my_pass, before = b.nonce, nonce = my_nonce,
      seen = clock_timestamp() WHERE b.migration = my_migration
    AND EXISTS (SELECT 1 FROM bucardo.machine_owners o WHERE o.migration = b.migration
      AND o.owner = my_owner);
  RETURN FOUND;
END $$;
CREATE FUNCTION bucardo.machine_capture_base(my_schema text, my_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT CASE WHEN length(j) > 57 THEN substr(j, 1, 46) || '!' || substr(md5(j), 1, 10) ELSE j END
FROM replace(my_schema || '_' || my_name, '.', '_') AS j
$$;
CREATE FUNCTION bucardo.machine_capture_body(my_delta text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
SELECT format($body$
BEGIN /* bucardo-machine: no name here depends on search_path */
  IF pg_catalog.current_setting('bucardo_machine.applying', true) OPERATOR(pg_catalog.=) 'on'
    AND pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.=) 'replica'
    AND coalesce(pg_catalog.current_setting('bucardo_machine.shared', true), '') OPERATOR(pg_catalog.<>) 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    IF NOT ((%6$s)) THEN
      RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
    END IF;
  ELSIF NOT ((%7$s)) THEN
    RAISE EXCEPTION 'bucardo-machine: the key of this table has another type, it is captured again within seconds';
  END IF;
  IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' AND %5$s THEN
    INSERT INTO bucardo.%1$s (%2$s) VALUES (%3$s);
    RETURN NULL;
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
    INSERT INTO bucardo.%1$s (%2$s) VALUES (%3$s);
  END IF;
  IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
    INSERT INTO bucardo.%1$s (%2$s) VALUES (%4$s);
  END IF;
  RETURN NULL;
END $body$, my_delta, k.names, k.old, k.new, concat_ws(' AND ', k.plain, CASE WHEN k.old_bytes <> '' THEN
    format('ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*=) ROW(%s)::pg_catalog.record',
      k.old_bytes, k.new_bytes) END), k.old_safe, k.new_safe)
FROM (SELECT coalesce(string_agg(format(test, 'OLD.' || q, type), ') AND (' ORDER BY n) FILTER (WHERE NOT is_text), 'true') AS old_safe,
    coalesce(string_agg(format(test, 'NEW.' || q, type), ') AND (' ORDER BY n) FILTER (WHERE NOT is_text), 'true') AS new_safe,
    string_agg(q, ', ' ORDER BY n) AS names,
    string_agg(CASE WHEN is_text THEN 'pg_catalog.format(''%s'', OLD.' || q || ')' ELSE 'OLD.' || q END, ', ' ORDER BY n) AS old,
    string_agg(CASE WHEN is_text THEN 'pg_catalog.format(''%s'', NEW.' || q || ')' ELSE 'NEW.' || q END, ', ' ORDER BY n) AS new,
    string_agg(format('OLD.%s OPERATOR(pg_catalog.=) NEW.%1$s', q), ' AND ' ORDER BY n)
      FILTER (WHERE is_plain) AS plain,
    string_agg('OLD.' || q, ', ' ORDER BY n) FILTER (WHERE NOT is_plain) AS old_bytes,
    string_agg('NEW.' || q, ', ' ORDER BY n) FILTER (WHERE NOT is_plain) AS new_bytes
  FROM (SELECT '"' || replace(attname, '"', '""') || '"' AS q, attnum AS n, atttypid AS type, atttypid = 25 AS is_text, atttypid = ANY (ARRAY[
      'int2', 'int4', 'int8', 'oid', 'uuid', 'date', 'timestamp', 'timestamptz']::regtype[]::oid[])
      AS is_plain, CASE WHEN atttypid < 16384
        THEN 'pg_catalog.pg_typeof(%1$s)::pg_catalog.oid OPERATOR(pg_catalog.<) ''16384''::pg_catalog.oid'
        ELSE 'pg_catalog.pg_typeof(%1$s)::pg_catalog.oid OPERATOR(pg_catalog.=) ''%2$s''::pg_catalog.oid' END ||
      ' OR bucardo.machine_cast_safe(pg_catalog.pg_typeof(%1$s)::pg_catalog.oid, ''%2$s''::pg_catalog.oid)' AS test
    FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime') a) k
$_$;
CREATE FUNCTION bucardo.machine_capture_change(my_name text, my_other boolean, my_was text, my_is text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT CASE WHEN my_other THEN NULL
  WHEN coalesce(my_is, '') = '' THEN format('its trigger %s was dropped', my_name)
  WHEN my_is LIKE '% D' THEN format('its trigger %s is switched off', my_name)
  WHEN my_is LIKE '% R' THEN format('its trigger %s fires in replica role only', my_name)
  WHEN my_was IS NULL OR my_was = my_is THEN NULL
  WHEN split_part(my_was, ' ', 1) <> split_part(my_is, ' ', 1)
    THEN format('its trigger %s was dropped and made again', my_name)
  ELSE format('its trigger %s was switched off, or altered', my_name) END
$$;
CREATE FUNCTION bucardo.machine_capture_function(my_delta text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE code text := bucardo.machine_capture_body(my_delta);
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_proc WHERE oid = to_regprocedure(format('bucardo.%s()', my_delta))
      AND prosrc = code AND prosecdef AND proconfig IS NULL) THEN
    EXECUTE format('CREATE OR REPLACE FUNCTION bucardo.%s() RETURNS trigger LANGUAGE plpgsql
      VOLATILE SECURITY DEFINER AS %L', my_delta, code);
  END IF;
END $$;
CREATE FUNCTION bucardo.machine_capture_look(my_sync text, my_table text, my_delta text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT jsonb_build_object('table', c.oid, 'delta', to_regclass('bucardo.' || my_delta)::oid,
  'row', (SELECT concat_ws(' ', t.oid, t.xmin, t.tgenabled) FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_delta'),
  'truncate', (SELECT concat_ws(' ', t.oid, t.xmin, t.tgenabled) FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_note_trunc_' || my_sync),
  'body', (SELECT md5(p.prosrc) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_delta'),
  'key', (SELECT string_agg(format_type(a.atttypid, a.atttypmod), ', ' ORDER BY d.attnum)
    FROM pg_attribute d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = d.attname
    AND a.attnum > 0 AND NOT a.attisdropped
    WHERE d.attrelid = to_regclass('bucardo.' || my_delta) AND d.attnum > 0
    AND NOT d.attisdropped AND d.attname <> 'txntime'))
FROM pg_class c WHERE c.oid = to_regclass(my_table)
$$;
CREATE FUNCTION bucardo.machine_capture_one(my_sync text, my_schema text, my_name text, my_gap text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $_$
DECLARE
  my_table text := quote_ident(my_schema) || '.' || quote_ident(my_name);
  relation oid := to_regclass(my_table);
  base text := bucardo.machine_capture_base(my_schema, my_name);
  delta text := quote_ident('delta_' || base);
  track text := quote_ident('track_' || base);
  note name := 'bucardo_note_trunc_' || my_sync;
  is_owner boolean; keys text; intact text[]; t record; verb text;
BEGIN
  IF relation IS NULL THEN RETURN; END IF;
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
      since = now() WHERE m.state <> excluded.state OR m.rewrite IS DISTINCT FROM excluded.rewrite
      OR my_gap <> '';
  UPDATE bucardo.machine_captured SET state = bucardo.machine_capture_look(sync, my_table, delta)
    WHERE tablename = my_table AND sync = ANY (intact)
    AND state <> bucardo.machine_capture_look(sync, my_table, delta);
  IF my_gap <> '' THEN
    INSERT INTO bucardo.machine_touches AS d (tablename, why) VALUES (my_table, my_gap)
      ON CONFLICT (tablename) DO UPDATE SET file = NULL, follower_file = NULL,
      shipped = false, why = excluded.why;
  END IF;
END $_$;
CREATE FUNCTION bucardo.machine_capture_quiet(my_sync text, my_schema text, my_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
DECLARE
  my_table text := quote_ident(my_schema) || '.' || quote_ident(my_name);
  relation oid := to_regclass(my_table);
BEGIN
  PERFORM bucardo.machine_capture_one(my_sync, my_schema, my_name, '');
  IF to_regclass('bucardo_machine.fence') IS NULL
    OR EXISTS (SELECT 1 FROM bucardo.machine_captured WHERE tablename = my_table AND sync <> my_sync)
    OR NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = relation
      AND tgname = 'bucardo_machine_fence' AND tgenabled = 'A')
    OR NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = relation
      AND tgname = 'bucardo_delta' AND tgenabled = 'A') THEN
    RETURN;
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE %s ENABLE TRIGGER bucardo_delta', my_table);
  UPDATE bucardo.machine_captured m SET state = bucardo.machine_capture_look(m.sync, m.tablename,
      quote_ident('delta_' || bucardo.machine_capture_base(my_schema, my_name)))
    WHERE m.sync = my_sync AND m.tablename = my_table;
END $$;
CREATE FUNCTION bucardo.machine_capture_rows(my_table oid) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT jsonb_build_object('file', pg_relation_filenode(my_table),
  'columns', md5(string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum)),
  'values', jsonb_object_agg(a.attname, concat_ws(' ', a.attnum, md5(a.attmissingval::text)))
    FILTER (WHERE NOT a.attisdropped),
  'labels', (WITH RECURSIVE held(type) AS (
      SELECT h.atttypid FROM pg_attribute h
        WHERE h.attrelid = my_table AND h.attnum > 0 AND h.atttypid >= 16384
      UNION SELECT p.type FROM held JOIN pg_type t ON t.oid = held.type CROSS JOIN LATERAL (
        SELECT unnest(ARRAY[t.typelem, t.typbasetype])
        UNION ALL SELECT f.atttypid FROM pg_attribute f WHERE f.attrelid = t.typrelid AND f.attnum > 0
        -- Servers before 14 have no multiranges.
        UNION ALL SELECT r.rngsubtype FROM pg_range r
          WHERE t.oid IN (r.rngtypid, (to_jsonb(r)->>'rngmultitypid')::oid)) p(type)
      WHERE p.type >= 16384)
    SELECT coalesce(jsonb_object_agg(x.name, x.place), '{}') FROM (
      SELECT e.enumtypid || ' ' || e.enumlabel, to_jsonb(e.oid) FROM held
        JOIN pg_enum e ON e.enumtypid = held.type
      UNION ALL SELECT 'part ' || t.oid || ' ' || f.attname, to_jsonb(f.attnum::int) FROM held
        JOIN pg_type t ON t.oid = held.type JOIN pg_attribute f ON f.attrelid = t.typrelid
        AND f.attnum > 0 AND NOT f.attisdropped) x(name, place)),
  'unlogged', (SELECT u.stamp FROM bucardo.machine_unlogged u, pg_class c
    WHERE c.oid = my_table AND c.relpersistence = 'u'))
FROM pg_attribute a WHERE a.attrelid = my_table AND a.attnum > 0
$$;
CREATE FUNCTION bucardo.machine_capture_values(my_was jsonb, my_is jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT my_was IS NOT NULL AND coalesce(bool_or(CASE
  WHEN w.value IS NULL THEN i.value LIKE '% %'
    AND NOT EXISTS (SELECT 1 FROM jsonb_each_text(my_was) o WHERE o.value = i.value)
  ELSE split_part(w.value, ' ', 1) <> split_part(i.value, ' ', 1) END), false)
FROM jsonb_each_text(my_is) i LEFT JOIN jsonb_each_text(my_was) w USING (key)
$$;
CREATE FUNCTION bucardo.machine_capture_wake(my_relation oid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE seen text; woken text;
BEGIN
  PERFORM set_config('lock_timeout', (setting::bigint + 1000) || 'ms', true) FROM pg_settings
    WHERE name = 'deadlock_timeout';
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', my_relation::regclass);
  SELECT concat_ws(' ', oid, xmin, tgenabled) INTO seen FROM pg_trigger
    WHERE tgrelid = my_relation AND tgname = 'bucardo_delta' AND tgenabled = 'O';
  IF seen IS NULL THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER bucardo_delta', my_relation::regclass);
  SELECT concat_ws(' ', oid, xmin, tgenabled) INTO woken FROM pg_trigger
    WHERE tgrelid = my_relation AND tgname = 'bucardo_delta';
  UPDATE bucardo.machine_captured SET state = jsonb_set(state, '{row}', to_jsonb(woken))
    WHERE state->>'row' = seen;
END $$;
CREATE FUNCTION bucardo.machine_capture_watch(my_syncs json) RETURNS TABLE(sync text, tablename text, table_schema text, table_name text, gap text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE n record; was jsonb; seen jsonb; moved jsonb; now_rows jsonb;
BEGIN
  INSERT INTO bucardo.machine_unlogged DEFAULT VALUES ON CONFLICT DO NOTHING;
  FOR n IN SELECT DISTINCT x.sync, d.tablename, d.deltaname, s.nspname, c.relname, c.oid,
      pg_has_role(c.relowner, 'USAGE') AS is_owner,
      md5(bucardo.machine_capture_body(d.deltaname)) AS code, bucardo.machine_capture_rows(c.oid) AS rows
    FROM bucardo.bucardo_delta_names d
    JOIN json_array_elements_text(my_syncs) AS x(sync) ON d.sync IN (x.sync, x.sync || ' (paused)')
    JOIN pg_class c ON c.oid = to_regclass(d.tablename) AND c.relkind = 'r'
    JOIN pg_namespace s ON s.oid = c.relnamespace
    -- Of one that lost its key nothing can be captured, and it is told (machine_follow).
    WHERE NOT EXISTS (SELECT 1 FROM bucardo.machine_keys k WHERE k.name = d.tablename
      AND k.columns = '{0}') ORDER BY 2 LOOP
    seen := bucardo.machine_capture_look(n.sync, n.tablename, n.deltaname);
    SELECT m.state, m.rewrite INTO was, moved FROM bucardo.machine_captured m
      WHERE m.sync = n.sync AND m.tablename = n.tablename;
    sync := n.sync; tablename := n.tablename; table_schema := n.nspname; table_name := n.relname;
    now_rows := n.rows || jsonb_build_object('labels', (n.rows->'labels') || coalesce(moved->'labels', '{}'));
    gap := concat_ws('; ',
      CASE WHEN was->'table' <> seen->'table' THEN 'another table has its name since' END,
      CASE WHEN was->'delta' <> seen->'delta' OR seen->'delta' = 'null' THEN 'its delta table was dropped' END,
      bucardo.machine_capture_change('bucardo_delta', was->'table' <> seen->'table', was->>'row', seen->>'row'),
      bucardo.machine_capture_change('bucardo_note_trunc_' || n.sync, was->'table' <> seen->'table',
        was->>'truncate', seen->>'truncate'),
      CASE WHEN was->>'body' <> seen->>'body' AND seen->>'body' <> n.code
        THEN 'the function of its trigger was replaced' END,
      CASE WHEN was->'key' <> seen->'key' THEN 'the types of its key columns changed' END,
      CASE WHEN moved->'file' <> n.rows->'file' AND moved->'columns' <> n.rows->'columns'
        AND was->'table' = seen->'table' THEN 'its rows were rewritten by ALTER TABLE' END,
      CASE WHEN was->'table' = seen->'table' AND moved->'file' = n.rows->'file'
        AND bucardo.machine_capture_values(moved->'values', n.rows->'values')
        THEN 'ALTER TABLE gave its rows other values in a column' END,
      CASE WHEN was->'table' = seen->'table' AND NOT now_rows->'labels' @> (n.rows->'labels')
        THEN 'labels of an enum or parts of a type are others' END,
      CASE WHEN was->'table' = seen->'table' AND moved->>'unlogged' <> n.rows->>'unlogged'
        THEN 'a crash emptied it: it is unlogged' END);
    IF gap <> '' OR was IS NULL OR was <> seen OR seen->>'body' IS DISTINCT FROM n.code
      OR (n.is_owner AND seen->>'row' LIKE '% O') THEN
      RETURN NEXT;
    ELSIF moved IS DISTINCT FROM now_rows THEN
      UPDATE bucardo.machine_captured m SET rewrite = now_rows
        WHERE m.sync = n.sync AND m.tablename = n.tablename;
    END IF;
  END LOOP;
END $$;
CREATE FUNCTION bucardo.machine_cast_safe(my_from oid, my_to oid) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
WITH RECURSIVE up AS (SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = my_from
  UNION ALL SELECT b.oid, b.typtype, b.typbasetype
    FROM up JOIN pg_type b ON up.typtype = 'd' AND b.oid = up.typbasetype)
SELECT bool_or(up.oid = my_to OR NOT EXISTS (SELECT 1 FROM unnest(ARRAY[up.oid, my_to]) AS t(oid)
  WHERE t.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend e JOIN pg_type y ON y.oid = e.objid
    JOIN pg_roles r ON r.oid = y.typowner AND (r.rolsuper OR r.rolname = current_user)
    WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
    AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')))
FROM up WHERE typtype <> 'd'
$$;
CREATE FUNCTION bucardo.machine_claim(my_migration text, my_sync text, my_owner text, my_host text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  INSERT INTO bucardo.machine_owners (migration, owner, host, identity, timeline)
    VALUES (my_migration, my_owner, my_host, bucardo.machine_identity(), bucardo.machine_timeline())
    ON CONFLICT DO NOTHING;
  INSERT INTO bucardo.machine_beats (migration) VALUES (my_migration) ON CONFLICT DO NOTHING;
  INSERT INTO bucardo.machine_runs (sync, migration)
    SELECT my_sync, my_migration WHERE my_sync <> '' AND EXISTS (SELECT 1
      FROM bucardo.machine_owners o WHERE o.migration = my_migration AND o.owner = my_owner)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION bucardo.machine_delta_change(my_delta text, my_table oid, mine smallint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  wishes jsonb; casts text; nulls text; part text; w jsonb; way int; safe boolean;
BEGIN
  SELECT jsonb_agg(to_jsonb(x) || jsonb_build_object('way', 'machine ' || x.n)),
    string_agg(format('ALTER COLUMN %I TYPE %s USING %s', x.has_name, x.type, CASE WHEN x.labelled
      THEN format('pg_catalog.format(''%%s'', %I)', x.has_name)
      ELSE format('%I::%s', x.has_name, split_part(x.type, ' COLLATE ', 1)) END), ', ') FILTER (WHERE x.type <> x.has_type),
    string_agg(format('ALTER COLUMN %I TYPE %s USING NULL::%s', x.has_name, x.type,
      split_part(x.type, ' COLLATE ', 1)), ', ') FILTER (WHERE x.type <> x.has_type),
    coalesce(bool_and(x.type = x.has_type OR x.labelled OR bucardo.machine_cast_safe(x.atttypid,
      split_part(x.type, ' COLLATE ', 1)::regtype)), true)
    INTO wishes, casts, nulls, safe FROM (SELECT y.*, row_number() OVER () AS n, d.atttypid,
        e.typtype = 'e' AND y.type ~ '^pg_catalog.text ' AS labelled
      FROM bucardo.machine_delta_wishes(my_delta, my_table, mine) y
      JOIN pg_attribute d ON d.attrelid = to_regclass('bucardo.' || my_delta) AND d.attname = y.has_name
      JOIN pg_type e ON e.oid = d.atttypid) x;
  FOREACH part IN ARRAY ARRAY[my_delta, regexp_replace(my_delta, '^("?)delta_', '\1mpark_')] LOOP
    CONTINUE WHEN to_regclass('bucardo.' || part) IS NULL;
    BEGIN
      IF NOT safe THEN RAISE cannot_coerce; END IF;
      IF casts IS NOT NULL THEN EXECUTE format('ALTER TABLE bucardo.%s %s', part, casts); END IF;
    EXCEPTION WHEN data_exception OR cannot_coerce OR datatype_mismatch THEN
      EXECUTE format('TRUNCATE bucardo.%s', part);
      EXECUTE format('ALTER TABLE bucardo.%s %s', part, nulls);
    END;
    -- By way of other names: two columns may have changed places.
    FOR way IN 1..2 LOOP
      FOR w IN SELECT * FROM jsonb_array_elements(wishes) LOOP
        CONTINUE WHEN w->>'has_name' = w->>'name';
        EXECUTE format('ALTER TABLE bucardo.%s RENAME COLUMN %I TO %I', part,
          CASE way WHEN 1 THEN w->>'has_name' ELSE w->>'way' END,
          CASE way WHEN 1 THEN w->>'way' ELSE w->>'name' END);
      END LOOP;
    END LOOP;
  END LOOP;
END $$;
CREATE FUNCTION bucardo.machine_delta_check(my_sync text, my_target text) RETURNS SETOF text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE n record; waits boolean;
BEGIN
  FOR n IN SELECT * FROM bucardo.bucardo_delta_names WHERE sync = my_sync ORDER BY tablename LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = d.txntime AND t.target = $1)
          AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = d.txntime AND t.target ~ ''^T:''))',
      n.deltaname, n.trackname) INTO waits USING my_target;
    RETURN NEXT CASE WHEN waits THEN '1,' ELSE '0,' END || n.tablename;
  END LOOP;
END $_$;
CREATE FUNCTION bucardo.machine_delta_columns(my_delta text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0
AND NOT attisdropped AND attname <> 'txntime'
$$;
CREATE FUNCTION bucardo.machine_delta_rekey(my_delta text, my_table oid, mine smallint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE drops text; adds text; keys text;
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS bucardo.%s', regexp_replace(my_delta, '^("?)delta_', '\1mpark_'));
  SELECT string_agg(format('DROP COLUMN %I', attname), ', ') INTO drops FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime';
  SELECT string_agg(format('ADD COLUMN %I %s', a.attname, bucardo.machine_key_type(a.atttypid)), ', '
      ORDER BY m.n), string_agg(quote_ident(a.attname), ', ' ORDER BY m.n) INTO adds, keys
    FROM unnest(mine) WITH ORDINALITY AS m(num, n)
    JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = m.num;
  EXECUTE format('TRUNCATE bucardo.%s', my_delta);
  EXECUTE format('ALTER TABLE bucardo.%s %s', my_delta, drops);
  EXECUTE format('ALTER TABLE bucardo.%s %s', my_delta, adds);
  EXECUTE format('CREATE INDEX IF NOT EXISTS %s ON bucardo.%s (%s)',
    regexp_replace(my_delta, '^("?)delta_', '\1dex2_'), my_delta, keys);
END $$;
CREATE FUNCTION bucardo.machine_delta_wishes(my_delta text, my_table oid, mine smallint[]) RETURNS TABLE(has_name name, name name, has_type text, type text, has_family text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT d.attname, a.attname, CASE WHEN (d.atttypid, d.atttypmod) = (a.atttypid, a.atttypmod) AND NOT d.labelled
    THEN w.type ELSE d.made END, w.type, bucardo.machine_key_type(d.atttypid)
FROM (SELECT g.attname, g.atttypid, g.atttypmod, row_number() OVER (ORDER BY g.attnum) AS n, t.typtype = 'e' AS labelled,
    quote_ident(s.nspname) || '.' || quote_ident(t.typname) || CASE WHEN o.collname = 'C'
      THEN ' COLLATE pg_catalog."C"' ELSE '' END || CASE WHEN g.atttypmod >= 0 THEN ' limited' ELSE '' END AS made
  FROM pg_attribute g JOIN pg_type t ON t.oid = g.atttypid JOIN pg_namespace s ON s.oid = t.typnamespace
  LEFT JOIN pg_collation o ON o.oid = g.attcollation AND o.collnamespace = 'pg_catalog'::regnamespace
  WHERE g.attrelid = to_regclass('bucardo.' || my_delta) AND g.attnum > 0 AND NOT g.attisdropped
  AND g.attname <> 'txntime') d
JOIN unnest(mine) WITH ORDINALITY AS m(num, n) USING (n)
JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = m.num
CROSS JOIN LATERAL (SELECT bucardo.machine_key_type(a.atttypid) AS type) w ORDER BY n
$$;
CREATE FUNCTION bucardo.machine_divert() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names WHERE sync = NEW.sync || ' (paused)'
    AND (tablename = quote_ident(NEW.sname) || '.' || quote_ident(NEW.tname)
      OR tablename IN (SELECT name FROM bucardo.machine_keys WHERE relation = NEW.tablename))) THEN
    NEW.sync := NEW.sync || ' (paused)';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION bucardo.machine_enter(my_sync text, my_owner text, OUT run bigint, OUT nonce text, OUT is_moved boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
END $$;
CREATE FUNCTION bucardo.machine_fold(my_delta text, my_condition text, my_targets text[], my_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE gone text; folds text; number bigint;
BEGIN
  gone := format('WITH gone AS (DELETE FROM bucardo.%1$s WHERE ctid = ANY (ARRAY('
    'SELECT d.ctid FROM bucardo.%1$s d WHERE %2$s LIMIT $2)) RETURNING *)', my_delta, my_condition);
  SELECT string_agg(format(', f%s AS (INSERT INTO bucardo.machine_proof_marks SELECT DISTINCT %L, %L, %s'
      ' FROM gone ON CONFLICT DO NOTHING)', p.n, p.migration, p.tablename, p.bucket), '') INTO folds
    FROM (SELECT row_number() OVER () AS n, x.* FROM bucardo.machine_proof_plans x WHERE x.tablename IN
      (SELECT d.tablename FROM bucardo.bucardo_delta_names d WHERE d.deltaname = my_delta)) p;
  BEGIN
    EXECUTE gone || coalesce(folds, '') || ' SELECT count(*) FROM gone' INTO number
      USING my_targets, my_limit;
  EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN RAISE;
    WHEN OTHERS THEN
      IF folds IS NULL THEN RAISE; END IF;
      DELETE FROM bucardo.machine_proof_plans WHERE tablename IN
        (SELECT d.tablename FROM bucardo.bucardo_delta_names d WHERE d.deltaname = my_delta);
      EXECUTE gone || ' SELECT count(*) FROM gone' INTO number USING my_targets, my_limit;
  END;
  RETURN number;
END $_$;
CREATE FUNCTION bucardo.machine_follow(my_doing boolean, my_name text) RETURNS TABLE(tablename text, event text, was text, now_is text, again boolean)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '300ms'
    AS $$
DECLARE n record; wish record;
BEGIN
  PERFORM bucardo.machine_know();
  -- What can have changed shows in rows of the catalog: a pass costs little where nothing did,
  -- and the first ones look at some tables each.
  FOR n IN SELECT x.* FROM (SELECT m.*, quote_ident(s.nspname) || '.' || quote_ident(c.relname) AS called,
      concat_ws('; ', s.nspname, c.relname,
        (SELECT string_agg(a.attnum || ' ' || a.xmin, ',' ORDER BY a.attnum) FROM pg_attribute a
          WHERE a.attrelid = m.relation AND a.attnum = ANY (m.columns)),
        (SELECT string_agg(i.indexrelid || ' ' || i.xmin, ',' ORDER BY i.indexrelid) FROM pg_index i
          WHERE i.indrelid = m.relation)) AS found
    FROM bucardo.machine_keys m JOIN pg_class c ON c.oid = m.relation
    JOIN pg_namespace s ON s.oid = c.relnamespace) x
    WHERE x.mark IS DISTINCT FROM x.found AND (NOT my_doing OR x.name = my_name) ORDER BY x.mark IS NULL, x.name LIMIT 200 LOOP
    tablename := n.name; again := false; event := NULL;
    BEGIN
      IF n.name <> n.called AND to_regclass(n.name) IS NULL THEN
        tablename := n.called; event := 'renamed'; was := n.name; now_is := n.called;
        IF my_doing THEN PERFORM bucardo.machine_rename_table(n.name, n.called, n.relation); END IF;
        RETURN NEXT;
        CONTINUE WHEN NOT my_doing;
        n.name := n.called;
      END IF;
      -- Writes to a table whose key was changed fail, so it may cost more to have the lock.
      IF my_doing THEN PERFORM set_config('lock_timeout', '1s', true); END IF;
      SELECT * INTO wish FROM bucardo.machine_follow_key(n.name, n.relation, n.columns, n.seen, my_doing) f;
      IF wish.event IS NOT NULL THEN
        event := wish.event; was := wish.was; now_is := wish.now_is; again := wish.again;
        RETURN NEXT;
      END IF;
      IF event IS NULL THEN
        UPDATE bucardo.machine_keys m SET mark = n.found WHERE m.name = n.name;
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      event := 'busy'; was := SQLERRM; now_is := NULL; again := false; RETURN NEXT;
    WHEN OTHERS THEN
      event := 'failed'; was := SQLERRM; now_is := NULL; again := false; RETURN NEXT;
    END;
  END LOOP;
END $$;
CREATE FUNCTION bucardo.machine_follow_key(my_name text, my_table oid, mine smallint[], my_seen text, my_doing boolean, OUT event text, OUT was text, OUT now_is text, OUT again boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
END $$;
CREATE FUNCTION bucardo.machine_fresh_stamp(my_track text) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE fresh timestamptz := clock_timestamp(); taken boolean;
BEGIN
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s WHERE txntime = $1)', my_track)
      INTO taken USING fresh;
    IF NOT taken THEN RETURN fresh; END IF;
    fresh := fresh + interval '1 microsecond';
  END LOOP;
END $_$;
CREATE FUNCTION bucardo.machine_guard() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE seen text := current_setting('bucardo_machine.seen_target', true);
BEGIN
  IF seen LIKE txid_current() || ' %' AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
      WHERE m.sync = regexp_replace(NEW.sync, ' \(paused\)$', '')) THEN
    RAISE EXCEPTION 'sync % cannot use %: a migration on this database has that name',
      NEW.sync, split_part(seen, ' ', 3) USING HINT = 'Give its dbgroup another name.';
  END IF;
  RETURN NEW;
END $_$;
CREATE FUNCTION bucardo.machine_heal(my_sync text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
DECLARE n record; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname, d.trackname, s.target,
      bucardo.machine_targets_of(d.deltaname) AS targets
    FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs s USING (sync)
    WHERE d.sync = my_sync AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP
    BEGIN
      done := done + bucardo.machine_heal_table(n.deltaname, n.trackname,
        coalesce(n.targets, ARRAY[n.target]));
    EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
    END;
  END LOOP;
  UPDATE bucardo.machine_syncs SET healed = healed + done WHERE sync = my_sync AND done > 0;
  RETURN done;
END $$;
CREATE FUNCTION bucardo.machine_heal_table(my_delta text, my_track text, my_targets text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE fresh timestamptz; marked text; done bigint;
BEGIN
  SELECT string_agg(format('EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.target = $2[%s]'
      ' AND t.txntime = d.txntime)', my_track, i), ' OR ') INTO marked
    FROM generate_subscripts(my_targets, 1) i;
  fresh := bucardo.machine_fresh_stamp(my_track);
  EXECUTE format('UPDATE bucardo.%1$s SET txntime = $1
        WHERE txntime IN (SELECT d.txntime FROM bucardo.%1$s d WHERE %2$s
        GROUP BY d.txntime HAVING min(d.xmin::text) <> max(d.xmin::text))', my_delta, marked)
    USING fresh, my_targets;
  GET DIAGNOSTICS done = ROW_COUNT;
  RETURN done;
END $_$;
CREATE FUNCTION bucardo.machine_identity() RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE cluster text := '';
BEGIN
  BEGIN
    SELECT c.system_identifier::text INTO cluster FROM pg_control_system() c;
  EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    cluster := '';
  END;
  RETURN cluster || '/' || (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
END $$;
CREATE FUNCTION bucardo.machine_keep() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE name text := NEW.tablename::regclass::text; is_ours boolean;
BEGIN
  is_ours := EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = NEW.target);
  PERFORM set_config('bucardo_machine.seen_target', txid_current() || ' ' || NEW.target, true)
    WHERE is_ours;
  IF NOT is_ours AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names d
      JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '')
      WHERE d.tablename = name) THEN
    RETURN NEW;
  END IF;
  INSERT INTO bucardo.machine_targets (tablename, target)
    SELECT name, x.target FROM (SELECT NEW.target UNION SELECT t.target
      FROM bucardo.bucardo_delta_targets t WHERE t.tablename = NEW.tablename) x
    WHERE NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m WHERE m.target = x.target)
    ON CONFLICT DO NOTHING;
  DELETE FROM bucardo.bucardo_delta_targets t WHERE t.tablename = NEW.tablename;
  RETURN NULL;
END $_$;
CREATE FUNCTION bucardo.machine_kept(my_age interval) RETURNS TABLE(kept_table text, kept_for text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $_$
DECLARE n record; one text; is_kept boolean;
BEGIN
  FOR n IN SELECT DISTINCT d.tablename, d.deltaname, d.trackname,
      bucardo.machine_targets_of(d.deltaname) AS targets FROM bucardo.bucardo_delta_names d
    WHERE to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o WHERE o.deltaname = d.deltaname
      AND regexp_replace(o.sync, ' \(paused\)$', '') <> regexp_replace(d.sync, ' \(paused\)$', ''))
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(o.sync, ' \(paused\)$', '') WHERE o.deltaname = d.deltaname)
    ORDER BY 1 LOOP
    kept_table := n.tablename;
    IF n.targets IS NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s d WHERE d.txntime < now() - $1)',
        n.deltaname) INTO is_kept USING my_age;
      IF is_kept THEN
        FOR kept_for IN SELECT d.sync FROM bucardo.bucardo_delta_names d
          WHERE d.deltaname = n.deltaname AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
            WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', '')) LOOP
          RETURN NEXT;
        END LOOP;
      END IF;
      CONTINUE;
    END IF;
    FOREACH one IN ARRAY n.targets LOOP
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d WHERE d.txntime < now() - $1
            AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t WHERE t.target = $2
              AND t.txntime = d.txntime) AND EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime))', n.deltaname, n.trackname)
        INTO is_kept USING my_age, one;
      kept_for := one;
      IF is_kept THEN RETURN NEXT; END IF;
    END LOOP;
  END LOOP;
END $_$;
CREATE FUNCTION bucardo.machine_key_look(my_table oid, my_columns smallint[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT string_agg(CASE WHEN a.attisdropped IS DISTINCT FROM false THEN '?' ELSE
    quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ||
    CASE WHEN a.attnotnull THEN '' ELSE ' null' END END, ', ' ORDER BY x.n)
  || CASE WHEN bucardo.machine_key_of(my_table, my_columns) = my_columns THEN '' ELSE '; no key' END
FROM unnest(my_columns) WITH ORDINALITY AS x(num, n)
LEFT JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = x.num
$$;
CREATE FUNCTION bucardo.machine_key_of(my_table oid, mine smallint[]) RETURNS smallint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
SELECT CASE WHEN same THEN mine ELSE columns END FROM (
  SELECT i.indexrelid, i.indisprimary, array_agg(k.attnum ORDER BY k.n) AS columns,
    array_agg(k.attnum ORDER BY k.attnum) = (SELECT array_agg(m ORDER BY m) FROM unnest(mine) m)
      IS TRUE AS same
  FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
  JOIN pg_type y ON y.oid = a.atttypid
  WHERE i.indrelid = my_table AND NOT EXISTS (SELECT 1 FROM unnest(i.indclass::oid[]) o(oid)
    JOIN pg_opclass f ON f.oid = o.oid AND f.opcname = 'record_image_ops') AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL
  AND k.n <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts)
  GROUP BY i.indexrelid, i.indisprimary
  HAVING bool_and(a.attnotnull AND y.typcategory <> 'A' AND a.attname <> 'txntime')) x
ORDER BY NOT same, NOT indisprimary, cardinality(columns), indexrelid LIMIT 1
$$;
CREATE FUNCTION bucardo.machine_key_type(my_type oid) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
WITH RECURSIVE up AS (SELECT oid, typtype, typbasetype, typname, typnamespace, typcollation, typowner
    FROM pg_type WHERE oid = my_type
  UNION ALL SELECT b.oid, b.typtype, b.typbasetype, b.typname, b.typnamespace, b.typcollation, b.typowner
    FROM up JOIN pg_type b ON up.typtype = 'd' AND b.oid = up.typbasetype)
SELECT CASE WHEN oid IN (21, 23) THEN 'pg_catalog.int8'
    WHEN typtype = 'e' OR oid = 1043 OR typname = 'citext' AND EXISTS (SELECT 1 FROM pg_depend e JOIN pg_extension x
      ON x.oid = e.refobjid AND x.extname = 'citext' JOIN pg_roles r ON r.oid = up.typowner
      AND (r.rolsuper OR r.rolname = current_user) WHERE e.classid = 'pg_type'::regclass
      AND e.objid = up.oid AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e') THEN 'pg_catalog.text COLLATE pg_catalog."C"'
    ELSE (SELECT quote_ident(nspname) FROM pg_namespace n WHERE n.oid = typnamespace) || '.' ||
      quote_ident(typname) || CASE WHEN typcollation <> 0 THEN ' COLLATE pg_catalog."C"' ELSE '' END
  END FROM up WHERE typtype <> 'd'
$$;
CREATE FUNCTION bucardo.machine_know() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  DELETE FROM bucardo.machine_keys m WHERE NOT EXISTS (SELECT 1
    FROM bucardo.bucardo_delta_names d WHERE d.tablename = m.name)
    OR (to_regclass(m.name) IS NOT NULL AND to_regclass(m.name) <> m.relation);
  INSERT INTO bucardo.machine_keys (name, goat, relation, columns)
    SELECT d.tablename, d.tablename, to_regclass(d.tablename), CASE WHEN array_position(x.columns, NULL)
      IS NULL AND cardinality(x.columns) = (SELECT count(DISTINCT u) FROM unnest(x.columns) u)
      THEN x.columns ELSE '{0}' END
    FROM (SELECT DISTINCT n.tablename, n.deltaname FROM bucardo.bucardo_delta_names n
      WHERE regexp_replace(n.sync, ' \(paused\)$', '') IN (SELECT sync FROM bucardo.machine_syncs)
      AND NOT EXISTS (SELECT 1 FROM bucardo.machine_keys m WHERE m.name = n.tablename)) d
    CROSS JOIN LATERAL (SELECT array_agg(coalesce(a.attnum, k.key[c.n]) ORDER BY c.n) AS columns
      FROM (SELECT attname, row_number() OVER (ORDER BY attnum) AS n FROM pg_attribute
        WHERE attrelid = to_regclass('bucardo.' || d.deltaname) AND attnum > 0
        AND NOT attisdropped AND attname <> 'txntime') c
      CROSS JOIN (SELECT bucardo.machine_key_of(to_regclass(d.tablename), NULL) AS key) k
      LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(d.tablename) AND a.attname = c.attname
        AND a.attnum > 0 AND NOT a.attisdropped) x
    WHERE to_regclass(d.tablename) IS NOT NULL AND x.columns IS NOT NULL
    ON CONFLICT DO NOTHING;
END $_$;
CREATE FUNCTION bucardo.machine_note_truncation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE base text := bucardo.machine_capture_base(TG_TABLE_SCHEMA, TG_TABLE_NAME); known text;
BEGIN
  IF current_setting('bucardo_machine.applying', true) = 'on'
    AND current_setting('session_replication_role') = 'replica' THEN
    RETURN NULL;
  END IF;
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NULL THEN
    SELECT k.name INTO known FROM bucardo.machine_keys k WHERE k.relation = TG_RELID;
    IF known IS NOT NULL THEN
      base := bucardo.machine_capture_base((parse_ident(known))[1], (parse_ident(known))[2]);
    END IF;
  END IF;
  IF to_regclass(format('bucardo.%I', 'delta_' || base)) IS NOT NULL THEN
    INSERT INTO bucardo.bucardo_truncate_trigger (tablename, sname, tname, sync)
      VALUES (TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION bucardo.machine_pin() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE f record; done integer := 0;
BEGIN
  FOR f IN SELECT p.oid::regprocedure::text AS signature, quote_ident(p.proname) AS delta,
      p.proname LIKE 'delta\_%' AND p.prorettype = 'trigger'::regtype AND p.prosrc LIKE
        '%INSERT INTO bucardo.' || quote_ident(p.proname) || ' VALUES (OLD."%' AS is_stock
      FROM pg_proc p WHERE p.pronamespace = 'bucardo'::regnamespace AND p.prosecdef
      AND p.prosrc !~ '^\s*BEGIN /\* bucardo-machine: no name here depends on search_path'
      AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
      AND pg_has_role(p.proowner, 'USAGE') AND (to_regclass('bucardo.goat') IS NULL
        OR p.proname ~ '^(delta_|bucardo_(tablename_maker|delta_|note_truncation|compress_|purge_))') LOOP
    IF f.is_stock AND bucardo.machine_capture_body(f.delta) IS NOT NULL THEN
      PERFORM bucardo.machine_capture_function(f.delta);
    ELSE
      EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', f.signature);
    END IF;
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;
CREATE FUNCTION bucardo.machine_prepare(my_tables json) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $_$
DECLARE t json; joined text; delta text; keys text;
BEGIN
  FOR t IN SELECT * FROM json_array_elements(my_tables) LOOP
    joined := replace((t->>'schema') || '_' || (t->>'name'), '.', '_');
    IF length(joined) > 57 THEN
      joined := substr(joined, 1, 46) || '!' || substr(md5(joined), 1, 10);
    END IF;
    delta := format('bucardo.%I', 'delta_' || joined);
    IF to_regclass(delta) IS NULL THEN
      SELECT string_agg(format('%I %s', a.attname, bucardo.machine_key_type(a.atttypid)), ', '
        ORDER BY k.n) INTO keys FROM unnest(string_to_array(t->>'key', '|')) WITH ORDINALITY AS k(name, n)
        JOIN pg_attribute a ON a.attname = k.name AND a.attrelid =
          to_regclass(format('%I.%I', t->>'schema', t->>'name')) AND a.attnum > 0;
      EXECUTE format('CREATE TABLE %s (%s, txntime timestamptz)', delta, keys);
      EXECUTE format('ALTER TABLE %s ALTER txntime SET NOT NULL, REPLICA IDENTITY FULL', delta);
      EXECUTE 'ALTER TABLE ' || delta || ' ALTER txntime SET DEFAULT ' ||
        $stamp$(pg_catalog.date_trunc('milliseconds', pg_catalog.now()) + (pg_catalog.txid_current() % 1000) * interval '1 microsecond')$stamp$;
    END IF;
  END LOOP;
END $_$;
CREATE FUNCTION bucardo.machine_purge(my_sync text, my_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $_$
DECLARE n record; marked text; touched bigint; healed_rows bigint := 0; done bigint := 0;
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
    RAISE EXCEPTION 'machine_purge() needs a transaction of isolation level repeatable read';
  END IF;
  IF NOT pg_try_advisory_xact_lock_shared(7092455166261683833) THEN RETURN 0; END IF;
  IF EXISTS (SELECT 1 FROM bucardo.machine_runs r JOIN bucardo.machine_owners o USING (migration)
      WHERE r.sync = my_sync AND o.stopped <> '') THEN
    RETURN 0;
  END IF;
  BEGIN
    PERFORM bucardo.machine_adopt();
  EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
  END;
  FOR n IN SELECT d.deltaname, d.trackname, bucardo.machine_targets_of(d.deltaname) AS targets
    FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs s USING (sync)
    WHERE d.sync = my_sync AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL ORDER BY 1 LOOP
    CONTINUE WHEN n.targets IS NULL;
    BEGIN
      touched := bucardo.machine_heal_table(n.deltaname, n.trackname, n.targets);
      healed_rows := healed_rows + touched;
      SELECT string_agg(format('EXISTS (SELECT 1 FROM bucardo.%s t WHERE t.target = $1[%s]'
          ' AND t.txntime = d.txntime)', n.trackname, i), ' AND ') INTO marked
        FROM generate_subscripts(n.targets, 1) i;
      done := done + bucardo.machine_fold(n.deltaname, marked, n.targets, my_limit);
      EXECUTE format('DELETE FROM bucardo.%1$s t WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s d
            WHERE d.txntime = t.txntime)', n.trackname, n.deltaname);
    EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN NULL;
    END;
  END LOOP;
  UPDATE bucardo.machine_syncs SET healed = healed + healed_rows
    WHERE sync = my_sync AND healed_rows > 0;
  RETURN done;
END $_$;
CREATE FUNCTION bucardo.machine_release(my_name text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE names bigint; targets bigint; moved bigint; touched bigint;
BEGIN
  UPDATE bucardo.machine_owners o SET stopped = 'its changes were released with machine_release():'
      ' what it had not applied then is gone' WHERE o.migration IN (SELECT r.migration
    FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m USING (sync)
    WHERE my_name IN (m.sync, m.target));
  DELETE FROM bucardo.bucardo_delta_names d WHERE d.sync IN (my_name, my_name || ' (paused)')
    OR regexp_replace(d.sync, ' \(paused\)$', '')
      IN (SELECT m.sync FROM bucardo.machine_syncs m WHERE m.target = my_name);
  GET DIAGNOSTICS names = ROW_COUNT;
  DELETE FROM bucardo.machine_syncs m WHERE my_name IN (m.sync, m.target);
  GET DIAGNOSTICS touched = ROW_COUNT;
  /* Of a sync that is not ours the target is not known: it was the last one of its table. */
  DELETE FROM bucardo.machine_targets t WHERE t.target = my_name
    OR (touched = 0 AND names > 0 AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names d
      WHERE d.tablename = t.tablename AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
        WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))));
  GET DIAGNOSTICS targets = ROW_COUNT;
  DELETE FROM bucardo.bucardo_delta_names d WHERE targets > 0
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_targets t WHERE t.tablename = d.tablename)
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
      WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', ''))
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(o.sync, ' \(paused\)$', '') WHERE o.tablename = d.tablename);
  WITH back AS (DELETE FROM bucardo.machine_targets t WHERE NOT EXISTS
      (SELECT 1 FROM bucardo.bucardo_delta_names d JOIN bucardo.machine_syncs m
        ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '') WHERE d.tablename = t.tablename)
      RETURNING t.tablename, t.target)
    INSERT INTO bucardo.bucardo_delta_targets (tablename, target)
      SELECT to_regclass(b.tablename), b.target FROM back b
      WHERE to_regclass(b.tablename) IS NOT NULL;
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN format('released %s: %s tables, %s syncs of ours, %s targets of others; %s given back to Bucardo''s purge',
    my_name, names, touched, targets, moved);
END $_$;
CREATE FUNCTION bucardo.machine_remake(my_delta text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM bucardo.machine_capture_function(my_delta);
  EXECUTE format('ALTER FUNCTION bucardo.%s() VOLATILE', my_delta);
END $$;
CREATE FUNCTION bucardo.machine_rename(my_from text, my_to text, my_tables json) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '300ms'
    AS $$
DECLARE mine text[];
BEGIN
  mine := ARRAY(SELECT json_array_elements_text(my_tables) UNION SELECT k.name
    FROM bucardo.machine_keys k WHERE k.goat IN (SELECT json_array_elements_text(my_tables)));
  INSERT INTO bucardo.bucardo_delta_names (sync, tablename)
    SELECT my_to, n.tablename FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from
    AND n.tablename = ANY (mine) ON CONFLICT DO NOTHING;
  DELETE FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from AND n.tablename = ANY (mine);
  UPDATE bucardo.bucardo_truncate_trigger t SET sync = my_to WHERE t.sync = my_from
    AND t.replicated IS NULL AND (quote_ident(t.sname) || '.' || quote_ident(t.tname) = ANY (mine)
    OR t.tablename IN (SELECT k.relation FROM bucardo.machine_keys k WHERE k.name = ANY (mine)));
END $$;
CREATE FUNCTION bucardo.machine_rename_table(my_old text, my_new text, my_relation oid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE n record; kind text; from_name text; to_name text; delta text; found oid;
BEGIN
  delta := bucardo.bucardo_tablename_maker(my_new, 'delta_');
  FOR n IN SELECT DISTINCT d.deltaname FROM bucardo.bucardo_delta_names d WHERE d.tablename = my_old
    AND d.deltaname <> delta LOOP
    FOREACH kind IN ARRAY ARRAY['delta_', 'track_', 'stage_', 'mpark_', 'dex1_', 'dex2_', 'dex3_'] LOOP
      from_name := regexp_replace(n.deltaname, '^("?)delta_', '\1' || kind);
      to_name := regexp_replace(delta, '^("?)delta_', '\1' || kind);
      found := to_regclass('bucardo.' || from_name);
      -- One of that name that nobody writes to was left by somebody.
      IF to_regclass('bucardo.' || to_name) IS NOT NULL AND NOT EXISTS (SELECT 1
        FROM bucardo.bucardo_delta_names d WHERE d.deltaname = delta) THEN
        EXECUTE format('DROP %s bucardo.%s', CASE WHEN kind LIKE 'dex%' THEN 'INDEX IF EXISTS'
          ELSE 'TABLE IF EXISTS' END, to_name);
      END IF;
      IF found IS NOT NULL THEN
        EXECUTE format('ALTER %s bucardo.%s RENAME TO %s', CASE WHEN kind LIKE 'dex%' THEN 'INDEX'
          ELSE 'TABLE' END, from_name, to_name);
      END IF;
    END LOOP;
    IF to_regprocedure(format('bucardo.%s()', delta)) IS NOT NULL THEN
      EXECUTE format('DROP FUNCTION bucardo.%s()', delta);
    END IF;
    IF to_regprocedure(format('bucardo.%s()', n.deltaname)) IS NOT NULL THEN
      EXECUTE format('ALTER FUNCTION bucardo.%s() RENAME TO %s', n.deltaname, delta);
      PERFORM bucardo.machine_remake(delta);
    END IF;
  END LOOP;
  UPDATE bucardo.bucardo_delta_names d SET tablename = my_new, deltaname = delta,
    trackname = bucardo.bucardo_tablename_maker(my_new, 'track_') WHERE d.tablename = my_old;
  UPDATE bucardo.bucardo_truncate_trigger t SET sname = s.nspname, tname = c.relname
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE c.oid = my_relation AND t.tablename = my_relation AND t.replicated IS NULL;
  UPDATE bucardo.machine_touches t SET tablename = my_new WHERE t.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_touches o WHERE o.tablename = my_new);
  UPDATE bucardo.machine_captured m SET tablename = my_new WHERE m.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_captured o WHERE o.tablename = my_new AND o.sync = m.sync);
  UPDATE bucardo.machine_targets t SET tablename = my_new WHERE t.tablename = my_old
    AND NOT EXISTS (SELECT 1 FROM bucardo.machine_targets o WHERE o.tablename = my_new AND o.target = t.target);
  UPDATE bucardo.machine_keys m SET name = my_new WHERE m.name = my_old;
END $$;
CREATE FUNCTION bucardo.machine_run(my_sync text, my_run bigint, my_nonce text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  UPDATE bucardo.machine_runs r SET run = my_run, nonce = my_nonce WHERE r.sync = my_sync
$$;
CREATE FUNCTION bucardo.machine_seen(my_sync text, my_owner text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  UPDATE bucardo.machine_beats b SET seen = clock_timestamp()
    FROM bucardo.machine_runs r JOIN bucardo.machine_owners o ON o.migration = r.migration
    WHERE r.sync = my_sync AND o.owner = my_owner AND b.migration = r.migration
    AND b.seen < clock_timestamp() - interval '2 seconds'
$$;
CREATE FUNCTION bucardo.machine_share(my_sync text, my_table text, my_target text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE n record;
BEGIN
  PERFORM set_config('bucardo_machine.shared', 'on', true);
  FOR n IN SELECT d.trackname, pg_get_expr(f.adbin, f.adrelid) AS stamp
    FROM bucardo.bucardo_delta_names d
    JOIN pg_attrdef f ON f.adrelid = to_regclass('bucardo.' || d.deltaname)
    JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attname = 'txntime'
    WHERE d.tablename = my_table AND d.sync IN (my_sync, my_sync || ' (paused)') LOOP
    EXECUTE format('INSERT INTO bucardo.%s (txntime, target) SELECT %s, $1', n.trackname, n.stamp)
      USING my_target;
  END LOOP;
END $_$;
CREATE FUNCTION bucardo.machine_ship(my_table text, my_keys text[], my_file oid, my_next bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '300ms'
    AS $_$
DECLARE delta text; names text; here text; there text; written text; lists text; equal text; number bigint;
  total bigint;
BEGIN
  SELECT n.deltaname INTO delta FROM bucardo.bucardo_delta_names n
    WHERE n.tablename = my_table LIMIT 1;
  SELECT string_agg(q, ', ' ORDER BY i), string_agg(format('t.%s::%s', q, kind), ', ' ORDER BY i),
      string_agg('s.' || q, ', ' ORDER BY i),
      string_agg(CASE WHEN is_text THEN format('pg_catalog.format(''%%s'', s.%s)', q) ELSE 's.' || q END, ', ' ORDER BY i),
      string_agg(format('%L::%s[]', my_keys[i], kind), ', ' ORDER BY i),
      string_agg(format('t.%s OPERATOR(%I.%s) s.%1$s', q, o.nspname, o.oprname), ' AND ' ORDER BY i)
        FILTER (WHERE o.oprname IS NOT NULL)
    INTO names, here, there, written, lists, equal
    FROM (SELECT row_number() OVER (ORDER BY a.attnum) AS i, quote_ident(a.attname) AS q, a.attname, a.atttypid = 25 AS is_text,
        format_type(base.oid, -1) AS kind FROM pg_attribute a
      LEFT JOIN pg_attribute b ON b.attrelid = to_regclass(my_table) AND b.attname = a.attname
        AND b.attnum > 0 AND NOT b.attisdropped
      LEFT JOIN LATERAL (WITH RECURSIVE up AS (SELECT y.oid, y.typbasetype FROM pg_type y WHERE y.oid = b.atttypid
          UNION ALL SELECT y.oid, y.typbasetype FROM up JOIN pg_type y ON y.oid = up.typbasetype)
        SELECT up.oid FROM up WHERE up.typbasetype = 0) base ON true
      WHERE a.attrelid = to_regclass('bucardo.' || delta) AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attname <> 'txntime') k
    LEFT JOIN LATERAL (SELECT n.nspname, op.oprname FROM pg_index x
      CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS u(num, place)
      JOIN pg_attribute c ON c.attrelid = x.indrelid AND c.attnum = u.num AND c.attname = k.attname
      JOIN pg_opclass oc ON oc.oid = x.indclass[(u.place - 1)::int]
      JOIN pg_amop m ON m.amopfamily = oc.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype
      JOIN pg_operator op ON op.oid = m.amopopr JOIN pg_namespace n ON n.oid = op.oprnamespace
      WHERE x.indrelid = to_regclass(my_table) AND x.indisunique AND x.indisvalid
      AND u.place <= x.indnkeyatts ORDER BY x.indisprimary DESC LIMIT 1) o ON true;
  IF names IS NULL OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass(my_table) AND relkind = 'r') THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN 0;
  END IF;
  EXECUTE format('INSERT INTO bucardo.%1$s (%2$s) SELECT %8$s FROM unnest(%4$s) AS s(%2$s)
      WHERE NOT EXISTS (SELECT 1 FROM ONLY %5$s t WHERE %6$s
        ROW(%7$s)::record OPERATOR(pg_catalog.*=) ROW(%3$s)::record)',
    delta, names, there, lists, my_table, coalesce(equal || ' AND', ''), here, written);
  GET DIAGNOSTICS number = ROW_COUNT;
  UPDATE bucardo.machine_touches SET follower_file = my_file, follower_block = my_next,
    shipped = my_next IS NULL,
    gone = CASE WHEN follower_file IS DISTINCT FROM my_file THEN 0 ELSE gone END + number
    WHERE tablename = my_table RETURNING gone INTO total;
  RETURN coalesce(total, 0);
END $_$;
CREATE FUNCTION bucardo.machine_stage(my_sync text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE n record; rows_limit bigint; mark text; bytes bigint; deferred boolean; room bigint;
  waiting bigint;
BEGIN
  SELECT m.stage_rows, m.target INTO rows_limit, mark FROM bucardo.machine_syncs m
    WHERE m.sync = my_sync;
  SELECT coalesce(sum(pg_relation_size(to_regclass('bucardo.' || d.deltaname))), 0), coalesce(bool_or(
      to_regclass('bucardo.' || regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_')) IS NOT NULL), false)
    INTO bytes, deferred FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync;
  IF coalesce(rows_limit, 0) = 0 THEN
    IF deferred THEN PERFORM bucardo.machine_unpark(my_sync, 9223372036854775807); END IF;
    RETURN;
  END IF;
  IF NOT deferred AND bytes < rows_limit * 40 THEN RETURN; END IF;
  room := rows_limit;
  FOR n IN SELECT DISTINCT d.deltaname, d.trackname,
regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred
    FROM bucardo.bucardo_delta_names d WHERE d.sync = my_sync
    AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o
      WHERE o.deltaname = d.deltaname AND o.sync <> my_sync) ORDER BY 1 LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM bucardo.%s d
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%s t
          WHERE t.txntime = d.txntime AND t.target = $1) LIMIT $2) x',
      n.deltaname, n.trackname) INTO waiting USING mark, room + 1;
    IF waiting <= room THEN room := room - waiting; CONTINUE; END IF;
    IF to_regclass('bucardo.' || n.deferred) IS NULL THEN
      EXECUTE format('CREATE TABLE bucardo.%s (LIKE bucardo.%s)', n.deferred, n.deltaname);
      EXECUTE format('ALTER TABLE bucardo.%s REPLICA IDENTITY FULL', n.deferred);
    END IF;
    EXECUTE format('WITH gone AS (DELETE FROM bucardo.%1$s d
          USING (SELECT x.ctid FROM bucardo.%1$s x
          WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
          WHERE t.txntime = x.txntime AND t.target = $1) OFFSET $2) s WHERE d.ctid = s.ctid
          RETURNING d.*) INSERT INTO bucardo.%3$s SELECT * FROM gone',
      n.deltaname, n.trackname, n.deferred) USING mark, room;
    room := 0;
  END LOOP;
  IF deferred AND room > 0 THEN PERFORM bucardo.machine_unpark(my_sync, room); END IF;
END $_$;
CREATE FUNCTION bucardo.machine_stamp(my_sync text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $_$
DECLARE n record; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname FROM bucardo.bucardo_delta_names d
    JOIN pg_attribute a ON a.attrelid = to_regclass('bucardo.' || d.deltaname)
      AND a.attname = 'txntime'
    LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    WHERE d.sync = my_sync
    AND coalesce(pg_get_expr(f.adbin, f.adrelid), '') NOT LIKE '%txid_current()%' LOOP
    BEGIN
      EXECUTE 'ALTER TABLE bucardo.' || n.deltaname || ' ALTER txntime SET DEFAULT ' ||
        $stamp$(pg_catalog.date_trunc('milliseconds', pg_catalog.now()) + (pg_catalog.txid_current() % 1000) * interval '1 microsecond')$stamp$;
      done := done + 1;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
  RETURN done;
END $_$;
CREATE FUNCTION bucardo.machine_state(my_migration text) RETURNS json
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT json_build_object('owner', o.owner, 'host', o.host, 'since',
      to_char(o.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'age_msec',
      floor(extract(epoch FROM clock_timestamp() - b.seen) * 1000)::bigint, 'identity', o.identity,
      'identity_now', bucardo.machine_identity(), 'timeline', o.timeline, 'timeline_now',
      bucardo.machine_timeline(), 'stopped', o.stopped, 'pass', b.pass, 'nonce', b.nonce, 'before',
      b.before, 'runs', coalesce((SELECT json_object_agg(r.sync, json_build_object('run', r.run,
        'nonce', r.nonce)) FROM bucardo.machine_runs r WHERE r.migration = o.migration), '{}'))
    FROM bucardo.machine_owners o JOIN bucardo.machine_beats b USING (migration)
    WHERE o.migration = my_migration
$$;
CREATE FUNCTION bucardo.machine_take_over(my_migration text, my_owner text, my_host text, my_silence interval) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
DECLARE o record; silence interval;
BEGIN
  SELECT w.* INTO o FROM bucardo.machine_owners w WHERE w.migration = my_migration FOR UPDATE;
  IF NOT FOUND OR o.owner = my_owner THEN RETURN ''; END IF;
  SELECT clock_timestamp() - b.seen INTO silence FROM bucardo.machine_beats b
    WHERE b.migration = my_migration;
  IF silence < my_silence THEN RETURN round(extract(epoch FROM silence))::text; END IF;
  UPDATE bucardo.machine_owners w SET owner = my_owner, host = my_host, since = clock_timestamp()
    WHERE w.migration = my_migration;
  UPDATE bucardo.machine_beats b SET seen = clock_timestamp() WHERE b.migration = my_migration;
  RETURN '';
END $$;
CREATE FUNCTION bucardo.machine_targets_of(my_delta text) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE ours text[]; theirs text[]; is_shared boolean;
BEGIN
  SELECT array_agg(DISTINCT m.target) FILTER (WHERE m.target IS NOT NULL),
      bool_or(m.target IS NULL) INTO ours, is_shared
    FROM bucardo.bucardo_delta_names d LEFT JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '') WHERE d.deltaname = my_delta;
  SELECT array_agg(DISTINCT x.target) INTO theirs
    FROM (SELECT t.tablename, t.target FROM bucardo.machine_targets t
      UNION SELECT t.tablename::regclass::text, t.target FROM bucardo.bucardo_delta_targets t) x
    WHERE x.tablename IN (SELECT d.tablename FROM bucardo.bucardo_delta_names d
      WHERE d.deltaname = my_delta) AND x.target <> ALL (coalesce(ours, '{}'));
  IF is_shared AND theirs IS NULL THEN RETURN NULL; END IF;
  RETURN array_cat(ours, theirs);
END $_$;
CREATE FUNCTION bucardo.machine_timeline() RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported
  OR object_not_in_prerequisite_state THEN
  RETURN '';
END $$;
CREATE FUNCTION bucardo.machine_touch(my_table text, my_blocks bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '300ms'
    AS $_$
DECLARE delta text; keys text; values_of text; places text; debt record; number bigint := 0; beyond bigint;
BEGIN
  SELECT n.deltaname INTO delta FROM bucardo.bucardo_delta_names n
    WHERE n.tablename = my_table LIMIT 1;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum), string_agg(CASE WHEN atttypid = 25
      THEN format('pg_catalog.format(''%%s'', %I)', attname) ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
    INTO keys, values_of FROM pg_attribute
    WHERE attrelid = to_regclass('bucardo.' || delta) AND attnum > 0 AND NOT attisdropped
    AND attname <> 'txntime';
  IF to_regclass(my_table) IS NOT NULL THEN
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', my_table);
  END IF;
  IF keys IS NULL OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = to_regclass(my_table)
      AND relkind = 'r') THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN 0;
  END IF;
  UPDATE bucardo.machine_touches SET block = 0, rows = 0, file = pg_relation_filenode(my_table)
    WHERE tablename = my_table AND file IS DISTINCT FROM pg_relation_filenode(my_table);
  SELECT * INTO debt FROM bucardo.machine_touches WHERE tablename = my_table;
  IF NOT FOUND THEN RETURN 0; END IF;
  IF current_setting('server_version_num')::int < 140000 THEN
    beyond := debt.block + least(my_blocks, 500);
    places := 'ctid = ANY (ARRAY(SELECT format(''(%%s,%%s)'', b, i)::tid FROM generate_series(%1$s, %2$s - 1) b, generate_series(1, %3$s / 28) i))';
  ELSE
    beyond := least(debt.block + my_blocks, 4294967295);
    places := 'ctid >= ''(%1$s,0)''::tid AND ctid < ''(%2$s,0)''::tid';
  END IF;
  EXECUTE format('INSERT INTO bucardo.%s (%s) SELECT %s FROM ONLY %s WHERE ', delta, keys, values_of,
    my_table) || format(places, debt.block, beyond, current_setting('block_size'));
  GET DIAGNOSTICS number = ROW_COUNT;
  number := number + debt.rows;
  IF beyond * current_setting('block_size')::bigint >= pg_relation_size(my_table) THEN
    DELETE FROM bucardo.machine_touches WHERE tablename = my_table;
    RETURN number;
  END IF;
  UPDATE bucardo.machine_touches SET block = beyond, rows = number WHERE tablename = my_table;
  RETURN NULL;
END $_$;
CREATE FUNCTION bucardo.machine_unpark(my_sync text, my_room bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE n record; touched bigint; done bigint := 0;
BEGIN
  FOR n IN SELECT d.deltaname, d.trackname, x.deferred, (SELECT string_agg(quote_ident(a.attname), ', ')
      FROM pg_attribute a WHERE a.attrelid = to_regclass('bucardo.' || x.deferred) AND a.attnum > 0
      AND NOT a.attisdropped AND a.attname <> 'txntime') AS keys
    FROM (SELECT DISTINCT deltaname, trackname FROM bucardo.bucardo_delta_names
      WHERE sync = my_sync) d,
    LATERAL (SELECT regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred) x
    WHERE to_regclass('bucardo.' || x.deferred) IS NOT NULL ORDER BY 1 LOOP
    EXIT WHEN done >= my_room;
    EXECUTE format('WITH back AS (DELETE FROM bucardo.%1$s p
          USING (SELECT ctid FROM bucardo.%1$s LIMIT $1) s WHERE p.ctid = s.ctid RETURNING p.*)
          INSERT INTO bucardo.%2$s (%3$s, txntime)
          SELECT DISTINCT %3$s, $2 FROM back', n.deferred, n.deltaname, n.keys)
      USING my_room - done, bucardo.machine_fresh_stamp(n.trackname);
    GET DIAGNOSTICS touched = ROW_COUNT;
    done := done + touched;
  END LOOP;
  RETURN done;
END $_$;
CREATE FUNCTION bucardo.machine_waiting(my_migration text) RETURNS SETOF text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE n record; waits boolean;
BEGIN
  RETURN QUERY SELECT DISTINCT quote_ident(t.sname) || '.' || quote_ident(t.tname)
    FROM bucardo.machine_runs r JOIN bucardo.bucardo_truncate_trigger t
    ON t.sync IN (r.sync, r.sync || ' (paused)')
    WHERE r.migration = my_migration AND t.replicated IS NULL
    AND EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.tablename);
  FOR n IN SELECT d.tablename, d.deltaname, d.trackname, m.target,
      regexp_replace(d.deltaname, '^("?)delta_', '\1mpark_') AS deferred
    FROM bucardo.machine_runs r JOIN bucardo.machine_syncs m ON m.sync = r.sync
    JOIN bucardo.bucardo_delta_names d ON d.sync IN (m.sync, m.sync || ' (paused)')
    WHERE r.migration = my_migration AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND (to_regclass(d.tablename) IS NOT NULL OR EXISTS (SELECT 1 FROM bucardo.machine_keys k
      JOIN pg_class c ON c.oid = k.relation WHERE k.name = d.tablename)) ORDER BY 1 LOOP
    waits := false;
    IF to_regclass('bucardo.' || n.deferred) IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s)', n.deferred) INTO waits;
    END IF;
    IF NOT waits THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d
            WHERE NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime AND t.target = $1)
            AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime AND t.target ~ ''^T:''))',
        n.deltaname, n.trackname) INTO waits USING n.target;
    END IF;
    IF waits THEN RETURN NEXT n.tablename; END IF;
  END LOOP;
END $_$;
