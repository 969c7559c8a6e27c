SET check_function_bodies = off; SET client_min_messages = warning;
SET session_replication_role = replica; SET search_path = '';
CREATE SCHEMA bucardo_machine;
COMMENT ON SCHEMA bucardo_machine IS 'Ledger of bucardo-machine: what was copied here. Drop it when all is done.';
CREATE TYPE public.state AS ENUM (
    'new',
    'paid'
);
CREATE FUNCTION bucardo_machine.advance_sequence(my_name text, my_last numeric) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
DECLARE s record; v record; goal numeric := my_last; pass int;
BEGIN
  SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(my_name);
  IF NOT FOUND THEN RETURN; END IF;
  FOR pass IN 1..2 LOOP
    EXECUTE 'SELECT last_value, is_called FROM ' || my_name INTO v;
    IF (my_last - v.last_value + CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END)
      * s.seqincrement <= 0 THEN RETURN; END IF;
    CONTINUE WHEN pass = 2;
    BEGIN
      EXECUTE format('ALTER SEQUENCE %s INCREMENT BY %s', my_name, s.seqincrement);
    EXCEPTION WHEN insufficient_privilege THEN
      goal := my_last + 1000 * s.seqincrement;
    END;
  END LOOP;
  PERFORM setval(s.seqrelid::regclass, least(greatest(goal, s.seqmin), s.seqmax)::bigint, true);
  IF my_last NOT BETWEEN s.seqmin AND s.seqmax THEN
    RAISE EXCEPTION 'the other side has handed out %, and here it may be % to %: what was handed out there may be handed out again', my_last, s.seqmin, s.seqmax
      USING ERRCODE = 'numeric_value_out_of_range';
  END IF;
END $$;
CREATE FUNCTION bucardo_machine.change_sides(to_lift boolean, my_force boolean, my_call text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
DECLARE f record; h record;
BEGIN
  SELECT x.lifted IS NOT NULL AS is_lifted, x.turn INTO f FROM bucardo_machine.fence x LIMIT 1;
  IF f.is_lifted = to_lift THEN RETURN ''; END IF;
  SELECT * INTO h FROM bucardo_machine.hand_over(my_call, my_force);
  PERFORM bucardo_machine.take_side();
  UPDATE bucardo_machine.fence SET lifted = CASE WHEN to_lift THEN now() END,
    lifted_by = CASE WHEN to_lift THEN session_user END, turn = turn + 1, forced = h.forced
    WHERE turn = f.turn;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'somebody else has lifted or raised the fence meanwhile: look, and call it again'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN h.said;
END $$;
CREATE FUNCTION bucardo_machine.fresh_sequences(my_list json, my_epoch text) RETURNS TABLE(sequence text, last numeric)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE t record; s record; v record;
BEGIN
  FOR t IN SELECT x.name FROM json_to_recordset(my_list) AS x(name text) WHERE NOT EXISTS (
    SELECT 1 FROM bucardo_machine.sequence q WHERE q.name = x.name AND q.epoch = my_epoch) LOOP
    SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name);
    CONTINUE WHEN NOT FOUND;
    EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v;
    sequence := t.name;
    last := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END;
    RETURN NEXT;
  END LOOP;
END $$;
CREATE FUNCTION bucardo_machine.hand_over(my_call text, my_force boolean, OUT said text, OUT forced text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE first bigint; mine bigint; done bigint; alive boolean; o record; ask_at timestamptz; notice text;
  is_set boolean := to_regclass('bucardo_machine.sequence') IS NOT NULL;
  sees boolean := current_setting('transaction_isolation') = 'read committed';
  patience interval := coalesce(nullif(current_setting('bucardo_machine.turn_timeout', true), ''), '20s');
  until timestamptz := clock_timestamp() + patience;
BEGIN
  LOOP
    SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = 1651860321 AND objid = 2 AND objsubid = 2) INTO alive;
    SELECT last_value INTO done FROM bucardo_machine.handover_answered;
    IF alive AND (mine IS NULL OR (done >= mine AND clock_timestamp() >= ask_at)) THEN
      mine := nextval('bucardo_machine.handover_asked');
      first := coalesce(first, mine);
      ask_at := clock_timestamp() + interval '0.5 s';
    END IF;
    SELECT * INTO o FROM bucardo_machine.turn_obstacle(first, alive);
    EXIT WHEN NOT alive OR clock_timestamp() >= until OR (NOT my_force AND (o.lasts OR (o.why <> '' AND NOT sees)))
      OR ((o.why = '' OR o.lasts OR NOT sees) AND (done >= mine OR NOT is_set));
    PERFORM pg_sleep(0.05);
  END LOOP;
  IF o.why <> '' AND NOT my_force THEN
    RAISE EXCEPTION 'source and destination do not change places: %', o.why
      USING ERRCODE = 'object_not_in_prerequisite_state',
      DETAIL = 'An older value would win over a newer one.',
      HINT = CASE WHEN o.lasts OR sees THEN '' ELSE 'Call it in a transaction of isolation level READ COMMITTED, where the machine''s answer is seen. ' END
        || CASE WHEN o.lasts THEN '' ELSE 'Let the machine work until nothing waits (bucardo-machine status: backlog, tables that are paused), then call it again. ' END
        || format('If those older values may win: SELECT bucardo_machine.%s', my_call);
  END IF;
  notice := bucardo_machine.turn_notice(first);
  IF notice <> '' THEN
    RAISE NOTICE 'changes of the side that was live are still on their way (%)', notice
      USING DETAIL = 'They arrive later; rows that applications change here before that stay as they are here.',
      HINT = 'Stop the application and let the backlog be 0 before the sides change places.';
  END IF;
  forced := nullif(o.why, '');
  said := CASE
    WHEN NOT is_set THEN CASE WHEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\_%'
        AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine'))
      THEN '; no machine has set its sequences yet: compare them with those of the other side before applications write'
      ELSE '' END
    WHEN done >= first THEN coalesce((SELECT '; not set were ' || string_agg(h.sequences, ', ') || ': compare them with those of the other side before applications write'
      FROM bucardo_machine.handover h WHERE h.sequences <> ''), '')
    ELSE CASE WHEN alive THEN format('; the machine did not set the sequences once more within %s s', extract(epoch FROM patience))
        ELSE '; no machine is at work that would set the sequences once more' END
      || ': compare them with those of the other side before applications write' END
    || CASE WHEN forced IS NULL THEN '' ELSE '; by force, although ' || forced || ': where both sides have changed a row, an older value may win' END;
END $$;
CREATE FUNCTION bucardo_machine.know_targets(my_tables json) RETURNS TABLE(goat text, called text, schema_gone boolean)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  DELETE FROM bucardo_machine.target t WHERE to_regclass(t.goat) <> t.relation
    OR NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.relation);
  INSERT INTO bucardo_machine.target (goat, relation)
    SELECT j.key, coalesce(to_regclass(j.key), to_regclass(j.value)) FROM json_each_text(my_tables) j
    WHERE coalesce(to_regclass(j.key), to_regclass(j.value)) IS NOT NULL ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT t.goat, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    to_regnamespace(quote_ident((parse_ident(t.goat))[1])) IS NULL
    FROM bucardo_machine.target t JOIN pg_class c ON c.oid = t.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.goat IN (SELECT j.key FROM json_each_text(my_tables) j);
END $$;
CREATE FUNCTION bucardo_machine.lift_fence() RETURNS text
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$SELECT bucardo_machine.lift_fence(false)$$;
CREATE FUNCTION bucardo_machine.lift_fence(force boolean) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $$
DECLARE t record; missed int := 0; said text;
  role_before text := current_setting('session_replication_role');
BEGIN
  said := bucardo_machine.change_sides(true, force, 'lift_fence(force => true)');
  BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  FOR t IN SELECT format('%I.%I', n.nspname, c.relname) AS name, g.tgname FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_trigger g ON g.tgrelid = c.oid
      AND g.tgname IN ('bucardo_machine_fence', 'bucardo_machine_fence_rows')
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY 1, 2 LOOP
    BEGIN
      EXECUTE 'DROP TRIGGER ' || t.tgname || ' ON ' || t.name;
    EXCEPTION WHEN OTHERS THEN
      missed := missed + 1;
      EXIT WHEN missed >= 10;
    END;
  END LOOP;
  IF current_setting('session_replication_role') <> role_before THEN
    PERFORM set_config('session_replication_role', role_before, true);
  END IF;
  RETURN 'the fence is lifted' || said || CASE WHEN missed = 0 THEN '' ELSE '; some of its triggers are still there and refuse nothing, call this again to drop them' END;
END $$;
CREATE FUNCTION bucardo_machine.plan_sequences(my_list json, my_epoch text) RETURNS TABLE(sequence text, state text, detail text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
DECLARE t record; s record; v record; known record; here numeric; there numeric; target numeric;
  direction int; room numeric; wrapped boolean; behind boolean;
BEGIN
  DELETE FROM bucardo_machine.sequence q WHERE q.epoch = my_epoch
    AND q.name NOT IN (SELECT x.name FROM json_to_recordset(my_list) AS x(name text));
  FOR t IN SELECT * FROM json_to_recordset(my_list)
    AS x(name text, last numeric, called boolean) LOOP
    sequence := t.name; detail := ''; state := '';
    BEGIN
      SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name);
      IF NOT FOUND THEN state := 'missing'; RETURN NEXT; CONTINUE; END IF;
      EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v;
      direction := sign(s.seqincrement);
      here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END;
      there := t.last - CASE WHEN t.called THEN 0 ELSE s.seqincrement END;
      INSERT INTO bucardo_machine.sequence AS q (name, seen, goal, stood, epoch)
        VALUES (t.name, there, here, here, my_epoch) ON CONFLICT (name) DO UPDATE
        SET seen = excluded.seen, goal = excluded.goal, stood = excluded.stood, own = false,
        back = false, epoch = my_epoch WHERE q.epoch <> my_epoch;
      SELECT * INTO known FROM bucardo_machine.sequence q WHERE q.name = t.name;
      IF NOT known.own AND here <> known.goal AND (here - known.stood) * direction > 0 THEN
        UPDATE bucardo_machine.sequence q SET own = true WHERE q.name = t.name;
        known.own := true;
      END IF;
      wrapped := s.seqcycle AND NOT known.own AND (there - known.seen) * direction < 0;
      room := trunc((CASE WHEN direction > 0 THEN s.seqmax ELSE s.seqmin END - there)
        / s.seqincrement / 10);
      room := greatest(0, least(room,
        greatest(100, 4 * trunc((there - known.seen) / s.seqincrement))));
      behind := (here - there) * direction < 0;
      IF wrapped OR behind OR (NOT known.own AND (here - there) / s.seqincrement < room / 2) THEN
        target := there + room * s.seqincrement;
        IF target BETWEEN s.seqmin AND s.seqmax AND (wrapped OR (target - here) * direction > 0) THEN
          UPDATE bucardo_machine.sequence q SET goal = target, stood = here,
            back = wrapped WHERE q.name = t.name;
        ELSIF behind THEN
          state := 'failed';
          detail := format('it would have to stand at %s, and may be %s to %s here', target, s.seqmin, s.seqmax);
        END IF;
      END IF;
      IF known.seen <> there THEN
        UPDATE bucardo_machine.sequence q SET seen = there WHERE q.name = t.name;
      END IF;
      IF known.own AND state = '' THEN state := 'left'; END IF;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN
      state := 'failed'; detail := SQLERRM;
    END;
    IF state <> '' THEN RETURN NEXT; END IF;
  END LOOP;
END $$;
CREATE FUNCTION bucardo_machine.raise_fence(again boolean DEFAULT false) RETURNS text
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$SELECT bucardo_machine.raise_fence(again, false)$$;
CREATE FUNCTION bucardo_machine.raise_fence(again boolean, force boolean) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
DECLARE t record; done bigint := 0; failed text := ''; said text := '';
  role_before text := current_setting('session_replication_role');
BEGIN
  IF again THEN
    said := bucardo_machine.change_sides(false, force, 'raise_fence(true, force => true)');
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN
    RETURN 'the fence was lifted; SELECT bucardo_machine.raise_fence(true) raises it again';
  END IF;
  BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END;
  FOR t IN SELECT x.name, x.enabled, x.rows_enabled, x.is_fed FROM (
      SELECT format('%I.%I', n.nspname, c.relname) AS name,
        c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_subscription_rel s WHERE s.srrelid = c.oid) AS is_fed,
        coalesce((SELECT g.tgenabled::text FROM pg_trigger g WHERE g.tgrelid = c.oid
          AND g.tgname = 'bucardo_machine_fence'), '') AS enabled,
        coalesce((SELECT g.tgenabled::text FROM pg_trigger g WHERE g.tgrelid = c.oid
          AND g.tgname = 'bucardo_machine_fence_rows'), '') AS rows_enabled
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
      AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')) x
      WHERE x.enabled <> 'A' OR (x.is_fed AND x.rows_enabled <> 'A') ORDER BY 1 LOOP
    BEGIN
      IF t.enabled = '' THEN
        EXECUTE 'CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON '
          || t.name || ' FOR EACH STATEMENT EXECUTE PROCEDURE bucardo_machine.refuse_write()';
      END IF;
      IF t.enabled <> 'A' THEN
        EXECUTE 'ALTER TABLE ' || t.name || ' ENABLE ALWAYS TRIGGER bucardo_machine_fence';
      END IF;
      IF t.is_fed AND t.rows_enabled = '' THEN
        EXECUTE 'CREATE TRIGGER bucardo_machine_fence_rows AFTER INSERT OR UPDATE OR DELETE ON '
          || t.name || ' FOR EACH ROW EXECUTE PROCEDURE bucardo_machine.refuse_write()';
      END IF;
      IF t.is_fed AND t.rows_enabled <> 'A' THEN
        EXECUTE 'ALTER TABLE ' || t.name || ' ENABLE ALWAYS TRIGGER bucardo_machine_fence_rows';
      END IF;
      done := done + (t.enabled = '')::int;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN
      failed := failed || ', ' || t.name || ' (' || SQLERRM || ')';
    END;
  END LOOP;
  IF current_setting('session_replication_role') <> role_before THEN
    PERFORM set_config('session_replication_role', role_before, true);
  END IF;
  RETURN format('the fence stands, %s did not have it before', CASE done WHEN 1 THEN '1 table' ELSE done || ' tables' END) || said
    || CASE WHEN failed = '' THEN '' ELSE '; not behind it: ' || substr(failed, 3) END;
END $$;
CREATE FUNCTION bucardo_machine.refuse_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF current_setting('session_replication_role') = 'replica'
    AND current_setting('bucardo_machine.applying', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'bucardo-machine refuses % on %: this database is the destination of a migration that was not cut over yet', TG_OP, format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
    USING ERRCODE = 'read_only_sql_transaction',
    DETAIL = 'Its rows come from the source until then; what is written here would be overwritten, or be applied back to the source.',
    HINT = 'Write to the source. At the cut-over, as the owner of the tables: SELECT bucardo_machine.lift_fence()';
END $$;
CREATE FUNCTION bucardo_machine.set_sequences(my_epoch text) RETURNS TABLE(sequence text, state text, detail text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '200ms'
    AS $$
DECLARE t record; s record; v record; here numeric;
BEGIN
  FOR t IN SELECT q.* FROM bucardo_machine.sequence q WHERE q.epoch = my_epoch ORDER BY q.name LOOP
    sequence := t.name; state := 'carried'; detail := '';
    BEGIN
      SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name);
      IF NOT FOUND THEN
        DELETE FROM bucardo_machine.sequence q WHERE q.name = t.name; CONTINUE;
      END IF;
      EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v;
      here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END;
      IF (t.back AND here = t.stood) OR (t.goal - here) * s.seqincrement > 0 THEN
        PERFORM setval(s.seqrelid::regclass, t.goal::bigint, true);
        here := t.goal;
      END IF;
      IF here = t.goal AND (t.back OR t.stood <> t.goal) THEN
        UPDATE bucardo_machine.sequence q SET stood = t.goal, back = false WHERE q.name = t.name;
      END IF;
      IF (here - t.seen) * s.seqincrement < 0 THEN
        CONTINUE WHEN t.goal = t.stood; -- plan_sequences() has said why
        state := 'failed'; detail := format('it stands at %s, behind %s', here, t.seen);
      END IF;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table
      OR numeric_value_out_of_range THEN
      state := 'failed'; detail := SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $$;
CREATE FUNCTION bucardo_machine.take_side() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1651860321, 1);
EXCEPTION WHEN lock_not_available THEN
  BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = 1651860321 AND objid = 1 AND objsubid = 2;
    PERFORM pg_advisory_xact_lock(1651860321, 1);
  EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN NULL;
  END;
END $$;
CREATE FUNCTION bucardo_machine.turn_notice(my_number bigint) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE names text;
BEGIN
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NULL) THEN
    SELECT string_agg(h.waits, ', ') INTO names FROM bucardo_machine.handover h
      WHERE h.is_both AND h.number >= my_number AND h.waits <> '';
  ELSIF to_regprocedure('bucardo.machine_waiting(text)') IS NOT NULL THEN
    SELECT string_agg(x.name, ', ') INTO names FROM (SELECT DISTINCT bucardo.machine_waiting(h.migration) AS name
      FROM bucardo_machine.handover h WHERE h.is_both ORDER BY 1 LIMIT 5) x;
  END IF;
  RETURN names;
END $$;
CREATE FUNCTION bucardo_machine.turn_obstacle(my_number bigint, is_alive boolean, OUT why text, OUT lasts boolean) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE f record; h record; names text;
BEGIN
  why := ''; lasts := false;
  SELECT x.lifted IS NOT NULL AS is_lifted, x.turn INTO f FROM bucardo_machine.fence x LIMIT 1;
  FOR h IN SELECT x.* FROM bucardo_machine.handover x ORDER BY x.migration LOOP
    IF NOT h.is_both AND f.is_lifted THEN
      why := format('direction of migration %s is forward: what was written here since the fence was lifted is not on the source, and what the source has changed would go over it', h.migration);
      lasts := true;
    ELSIF h.is_both AND NOT f.is_lifted THEN
      IF f.turn > 0 AND to_regprocedure('bucardo.machine_waiting(text)') IS NULL THEN
        why := 'schema bucardo is not here any more, and what was captured in it';
        lasts := true;
      ELSIF f.turn > 0 THEN
        SELECT string_agg(x.name, ', ') INTO names
          FROM (SELECT DISTINCT bucardo.machine_waiting(h.migration) AS name ORDER BY 1 LIMIT 5) x;
        IF names <> '' THEN
          why := format('changes that were written here before the fence was raised again are not on the source yet (%s)', names);
        END IF;
      END IF;
    ELSIF h.number IS NULL OR h.number < my_number OR h.turn <> f.turn OR my_number IS NULL THEN
      why := CASE WHEN is_alive THEN 'the machine did not say in time whether changes wait on the source'
        ELSE 'no machine is at work that would know whether changes wait on the source' END;
    ELSIF h.waits <> '' THEN
      why := format(CASE WHEN h.is_both
        THEN 'changes that were written to the source before the fence was lifted are not here yet (%s)'
        ELSE 'changes of the source are not here yet (%s), and with direction forward they would never come' END, h.waits);
    END IF;
    EXIT WHEN why <> '';
  END LOOP;
END $$;
CREATE TABLE bucardo.bucardo_delta_names (
    sync text,
    tablename text,
    deltaname text,
    trackname text,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_delta_names REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_delta_targets (
    tablename oid NOT NULL,
    target text NOT NULL,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_delta_targets REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_sequences (
    schemaname text NOT NULL,
    seqname text NOT NULL,
    syncname text NOT NULL,
    targetname text NOT NULL,
    last_value bigint NOT NULL,
    start_value bigint NOT NULL,
    increment_by bigint NOT NULL,
    max_value bigint NOT NULL,
    min_value bigint NOT NULL,
    is_cycled boolean NOT NULL,
    is_called boolean NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_sequences REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_truncate_trigger (
    tablename oid NOT NULL,
    sname text NOT NULL,
    tname text NOT NULL,
    sync text NOT NULL,
    replicated timestamp with time zone,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_truncate_trigger REPLICA IDENTITY FULL;
CREATE TABLE bucardo.bucardo_truncate_trigger_log (
    tablename oid NOT NULL,
    sname text NOT NULL,
    tname text NOT NULL,
    sync text NOT NULL,
    target text NOT NULL,
    replicated timestamp with time zone NOT NULL,
    cdate timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY bucardo.bucardo_truncate_trigger_log REPLICA IDENTITY FULL;
CREATE TABLE bucardo.delta_public_customer (
    id bigint,
    txntime timestamp with time zone DEFAULT (date_trunc('milliseconds'::text, now()) + (((txid_current() % (1000)::bigint))::double precision * '00:00:00.000001'::interval)) NOT NULL
);
ALTER TABLE ONLY bucardo.delta_public_customer REPLICA IDENTITY FULL;
CREATE TABLE bucardo.delta_public_purchase (
    customer bigint,
    nr bigint,
    txntime timestamp with time zone DEFAULT (date_trunc('milliseconds'::text, now()) + (((txid_current() % (1000)::bigint))::double precision * '00:00:00.000001'::interval)) NOT NULL
);
ALTER TABLE ONLY bucardo.delta_public_purchase REPLICA IDENTITY FULL;
CREATE TABLE bucardo.machine_beats (
    migration text NOT NULL,
    pass bigint DEFAULT 0 NOT NULL,
    nonce text DEFAULT ''::text NOT NULL,
    before text DEFAULT ''::text NOT NULL,
    seen timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_captured (
    sync text NOT NULL,
    tablename text NOT NULL,
    state jsonb NOT NULL,
    rewrite jsonb,
    since timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_keys (
    name text NOT NULL,
    goat text NOT NULL,
    relation oid NOT NULL,
    columns smallint[] NOT NULL,
    seen text,
    mark text,
    types oid[]
);
CREATE TABLE bucardo.machine_owners (
    migration text NOT NULL,
    owner text NOT NULL,
    host text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    identity text NOT NULL,
    timeline text NOT NULL,
    stopped text DEFAULT ''::text NOT NULL
);
CREATE TABLE bucardo.machine_proof_marks (
    migration text NOT NULL,
    tablename text NOT NULL,
    bucket integer NOT NULL
);
CREATE TABLE bucardo.machine_proof_plans (
    migration text NOT NULL,
    tablename text NOT NULL,
    definition text NOT NULL,
    buckets integer NOT NULL,
    bounds text[],
    bucket text NOT NULL,
    counters text NOT NULL,
    complete boolean DEFAULT false NOT NULL
);
CREATE TABLE bucardo.machine_proofs (
    migration text NOT NULL,
    tablename text NOT NULL,
    bucket integer NOT NULL,
    rows bigint NOT NULL,
    proven timestamp with time zone NOT NULL
);
CREATE TABLE bucardo.machine_runs (
    sync text NOT NULL,
    migration text NOT NULL,
    run bigint DEFAULT 0 NOT NULL,
    nonce text DEFAULT ''::text NOT NULL
);
CREATE TABLE bucardo.machine_syncs (
    sync text NOT NULL,
    target text NOT NULL,
    stage_rows bigint DEFAULT 200000 NOT NULL,
    healed bigint DEFAULT 0 NOT NULL
);
CREATE TABLE bucardo.machine_targets (
    tablename text NOT NULL,
    target text NOT NULL,
    seen timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE bucardo.machine_touches (
    tablename text NOT NULL,
    file oid,
    block bigint DEFAULT 0 NOT NULL,
    rows bigint DEFAULT 0 NOT NULL,
    why text,
    follower_file oid,
    follower_block bigint,
    gone bigint DEFAULT 0 NOT NULL,
    shipped boolean DEFAULT false NOT NULL,
    held boolean DEFAULT false NOT NULL
);
CREATE UNLOGGED TABLE bucardo.machine_unlogged (
    id boolean DEFAULT true NOT NULL,
    stamp text DEFAULT md5(((clock_timestamp())::text || (random())::text)) NOT NULL
);
CREATE UNLOGGED TABLE bucardo.stage_public_customer (
    txntime timestamp with time zone,
    target text
);
CREATE UNLOGGED TABLE bucardo.stage_public_purchase (
    txntime timestamp with time zone,
    target text
);
CREATE TABLE bucardo.track_public_customer (
    txntime timestamp with time zone,
    target text
);
ALTER TABLE ONLY bucardo.track_public_customer REPLICA IDENTITY FULL;
CREATE TABLE bucardo.track_public_purchase (
    txntime timestamp with time zone,
    target text
);
ALTER TABLE ONLY bucardo.track_public_purchase REPLICA IDENTITY FULL;
CREATE TABLE bucardo_machine.chunk (
    id integer NOT NULL,
    table_name text NOT NULL,
    range text NOT NULL,
    estimate bigint NOT NULL,
    rows bigint,
    bytes bigint,
    snapshot text,
    done timestamp with time zone,
    moment text
);
CREATE TABLE bucardo_machine.clone (
    version integer NOT NULL,
    source text NOT NULL,
    choice text NOT NULL,
    begun timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    schema_done timestamp with time zone,
    settled timestamp with time zone,
    finished timestamp with time zone
);
ALTER TABLE ONLY bucardo_machine.clone REPLICA IDENTITY FULL;
CREATE TABLE bucardo_machine.fence (
    lifted timestamp with time zone,
    lifted_by text,
    turn bigint DEFAULT 0 NOT NULL,
    forced text
);
ALTER TABLE ONLY bucardo_machine.fence REPLICA IDENTITY FULL;
CREATE TABLE bucardo_machine.handover (
    migration text NOT NULL,
    is_both boolean NOT NULL,
    turn bigint,
    number bigint,
    waits text,
    sequences text
);
CREATE SEQUENCE bucardo_machine.handover_answered
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE bucardo_machine.handover_asked
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE bucardo_machine.sequence (
    name text NOT NULL,
    seen numeric NOT NULL,
    goal numeric NOT NULL,
    stood numeric NOT NULL,
    own boolean DEFAULT false NOT NULL,
    back boolean DEFAULT false NOT NULL,
    epoch text DEFAULT ''::text NOT NULL
);
CREATE TABLE bucardo_machine.target (
    goat text NOT NULL,
    relation oid NOT NULL
);
CREATE TABLE bucardo_machine.work (
    id integer NOT NULL,
    stage integer NOT NULL,
    name text NOT NULL,
    sql text NOT NULL,
    first_table text NOT NULL,
    second_table text NOT NULL,
    cost bigint NOT NULL,
    shares boolean NOT NULL,
    done timestamp with time zone,
    with_path boolean DEFAULT false NOT NULL
);
CREATE TABLE public.customer (
    id integer NOT NULL,
    name text NOT NULL,
    born date
);
CREATE SEQUENCE public.customer_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.customer_id_seq OWNED BY public.customer.id;
CREATE TABLE public.note (
    text text
);
CREATE TABLE public.purchase (
    customer integer NOT NULL,
    nr integer NOT NULL,
    state public.state DEFAULT 'new'::public.state,
    amount numeric(10,2)
);
ALTER TABLE ONLY public.customer ALTER COLUMN id SET DEFAULT nextval('public.customer_id_seq'::regclass);
COPY bucardo.bucardo_delta_names (sync, tablename, deltaname, trackname, cdate) FROM stdin;
app_sync	public.customer	delta_public_customer	track_public_customer	2026-11-28 21:48:18.341078+00
app_sync	public.purchase	delta_public_purchase	track_public_purchase	2026-11-28 21:48:18.341078+00
\.
COPY bucardo.machine_beats (migration, pass, nonce, before, seen) FROM stdin;
app	1	ad45d967d8977aae		2026-11-28 21:48:18.118464+00
\.
COPY bucardo.machine_captured (sync, tablename, state, rewrite, since) FROM stdin;
app_sync	public.customer	{"key": "integer", "row": "16652 846 A", "body": "cdcd9d6b7377db71629d59960aa0a3fd", "delta": "16630", "table": "16413", "truncate": "16653 821 A"}	{"file": "16413", "labels": {}, "values": {"id": "1", "born": "3", "name": "2"}, "columns": "8a28582d6e4e96e2e6e4f9ed30eab961", "unlogged": null}	2026-11-28 21:48:17.242372+00
app_sync	public.purchase	{"key": "integer, integer", "row": "16668 847 A", "body": "d1853cba2bb6a03475dc63005baa2f8f", "delta": "16634", "table": "16424", "truncate": "16669 821 A"}	{"file": "16424", "labels": {"16408 new": "16410", "16408 paid": "16412"}, "values": {"nr": "2", "state": "3", "amount": "4", "customer": "1"}, "columns": "edb247b3ed8989cadc03b02ec7118dac", "unlogged": null}	2026-11-28 21:48:17.242372+00
\.
COPY bucardo.machine_keys (name, goat, relation, columns, seen, mark, types) FROM stdin;
public.customer	public.customer	16413	{1}	id integer	public; customer; 1 727; 16696 860	{23}
public.purchase	public.purchase	16424	{1,2}	customer integer, nr integer	public; purchase; 1 727,2 727; 16698 860	{23,23}
\.
COPY bucardo.machine_owners (migration, owner, host, since, identity, timeline, stopped) FROM stdin;
app	@OWNER@	older	2026-11-28 21:48:17.050377+00	@DESTINATION_SYSTEM@/@DESTINATION_DATABASE@	00000001	
\.
COPY bucardo.machine_runs (sync, migration, run, nonce) FROM stdin;
app_sync	app	1	7ea8a333d7ed08f8
\.
COPY bucardo.machine_syncs (sync, target, stage_rows, healed) FROM stdin;
app_sync	dbgroup app_dbs	200000	0
\.
COPY bucardo.machine_unlogged (id, stamp) FROM stdin;
t	39d47c8f021f2e82b59c1a33a0ddb6fc
\.
COPY bucardo_machine.chunk (id, table_name, range, estimate, rows, bytes, snapshot, done, moment) FROM stdin;
1	"public"."customer"		16384	9	309	00000004-0000001A-1	2026-11-28 21:48:17.69741+00	1/828:828:
3	"public"."purchase"		8192	18	723	00000004-0000001A-1	2026-11-28 21:48:17.699111+00	1/828:828:
2	"public"."note"		16384	1	31	00000004-0000001A-1	2026-11-28 21:48:17.711572+00	1/828:828:
\.
COPY bucardo_machine.clone (version, source, choice, begun, schema_done, settled, finished) FROM stdin;
1	system @SOURCE_SYSTEM@ database @SOURCE_DATABASE@		2026-11-28 21:48:16.952163+00	2026-11-28 21:48:16.967744+00	2026-11-28 21:48:18.00945+00	2026-11-28 21:48:18.027796+00
\.
COPY bucardo_machine.fence (lifted, lifted_by, turn, forced) FROM stdin;
\N	\N	0	\N
\.
COPY bucardo_machine.handover (migration, is_both, turn, number, waits, sequences) FROM stdin;
app	t	\N	\N	\N	\N
\.
COPY bucardo_machine.sequence (name, seen, goal, stood, own, back, epoch) FROM stdin;
public.customer_id_seq	9	109	109	f	f	app 0 source
\.
COPY bucardo_machine.target (goat, relation) FROM stdin;
public.customer	16413
public.purchase	16424
\.
COPY bucardo_machine.work (id, stage, name, sql, first_table, second_table, cost, shares, done, with_path) FROM stdin;
1	0	CONSTRAINT public.customer customer_pkey	ALTER TABLE ONLY public.customer\n    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);\n	"public"."customer"		16384	f	2026-11-28 21:48:17.977838+00	f
2	0	CONSTRAINT public.purchase purchase_pkey	ALTER TABLE ONLY public.purchase\n    ADD CONSTRAINT purchase_pkey PRIMARY KEY (customer, nr);\n	"public"."purchase"		8192	f	2026-11-28 21:48:17.978466+00	f
3	4	FK CONSTRAINT public.purchase purchase_customer_fkey	ALTER TABLE ONLY public.purchase\n    ADD CONSTRAINT purchase_customer_fkey FOREIGN KEY (customer) REFERENCES public.customer(id);\n	"public"."purchase"	"public"."customer"	8192	f	2026-11-28 21:48:17.980219+00	f
4	6	ANALYZE "public"."customer"	ANALYZE "public"."customer", "public"."note", "public"."purchase";			4096	f	2026-11-28 21:48:17.981536+00	f
\.
COPY public.customer (id, name, born) FROM stdin;
2	customer 2	1970-01-03
3	customer 3	1970-01-04
4	customer 4	1970-01-05
5	customer 5	1970-01-06
6	customer 6	1970-01-07
7	customer 7	1970-01-08
8	customer 8	1970-01-09
9	customer 9	1970-01-10
1	went over	1970-01-02
\.
COPY public.note (text) FROM stdin;
kept
\.
COPY public.purchase (customer, nr, state, amount) FROM stdin;
1	1	new	1.00
2	1	new	2.00
3	1	new	3.00
4	1	new	4.00
5	1	new	5.00
6	1	new	6.00
7	1	new	7.00
8	1	new	8.00
9	1	new	9.00
1	2	new	2.00
2	2	new	4.00
3	2	new	6.00
4	2	new	8.00
5	2	new	10.00
6	2	new	12.00
7	2	new	14.00
8	2	new	16.00
9	2	new	18.00
\.
SELECT pg_catalog.setval('bucardo_machine.handover_answered', 0, false);
SELECT pg_catalog.setval('bucardo_machine.handover_asked', 1, false);
SELECT pg_catalog.setval('public.customer_id_seq', 109, true);
ALTER TABLE ONLY bucardo.machine_beats
    ADD CONSTRAINT machine_beats_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo.machine_captured
    ADD CONSTRAINT machine_captured_pkey PRIMARY KEY (sync, tablename);
ALTER TABLE ONLY bucardo.machine_keys
    ADD CONSTRAINT machine_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY bucardo.machine_owners
    ADD CONSTRAINT machine_owners_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo.machine_proof_marks
    ADD CONSTRAINT machine_proof_marks_pkey PRIMARY KEY (migration, tablename, bucket);
ALTER TABLE ONLY bucardo.machine_proof_plans
    ADD CONSTRAINT machine_proof_plans_pkey PRIMARY KEY (migration, tablename);
ALTER TABLE ONLY bucardo.machine_proofs
    ADD CONSTRAINT machine_proofs_pkey PRIMARY KEY (migration, tablename, bucket);
ALTER TABLE ONLY bucardo.machine_runs
    ADD CONSTRAINT machine_runs_pkey PRIMARY KEY (sync);
ALTER TABLE ONLY bucardo.machine_syncs
    ADD CONSTRAINT machine_syncs_pkey PRIMARY KEY (sync);
ALTER TABLE ONLY bucardo.machine_targets
    ADD CONSTRAINT machine_targets_pkey PRIMARY KEY (tablename, target);
ALTER TABLE ONLY bucardo.machine_touches
    ADD CONSTRAINT machine_touches_pkey PRIMARY KEY (tablename);
ALTER TABLE ONLY bucardo.machine_unlogged
    ADD CONSTRAINT machine_unlogged_pkey PRIMARY KEY (id);
ALTER TABLE ONLY bucardo_machine.chunk
    ADD CONSTRAINT chunk_pkey PRIMARY KEY (id);
ALTER TABLE ONLY bucardo_machine.handover
    ADD CONSTRAINT handover_pkey PRIMARY KEY (migration);
ALTER TABLE ONLY bucardo_machine.sequence
    ADD CONSTRAINT sequence_pkey PRIMARY KEY (name);
ALTER TABLE ONLY bucardo_machine.target
    ADD CONSTRAINT target_pkey PRIMARY KEY (goat);
ALTER TABLE ONLY bucardo_machine.work
    ADD CONSTRAINT work_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.purchase
    ADD CONSTRAINT purchase_pkey PRIMARY KEY (customer, nr);
CREATE UNIQUE INDEX bucardo_delta_names_unique ON bucardo.bucardo_delta_names USING btree (sync, tablename);
CREATE INDEX bucardo_delta_target_unique ON bucardo.bucardo_delta_targets USING btree (tablename, target);
CREATE UNIQUE INDEX bucardo_sequences_tablename ON bucardo.bucardo_sequences USING btree (schemaname, seqname, syncname, targetname);
CREATE INDEX bucardo_truncate_trigger_index ON bucardo.bucardo_truncate_trigger USING btree (sync, tablename) WHERE (replicated IS NULL);
CREATE INDEX dex1_public_customer ON bucardo.delta_public_customer USING btree (txntime);
CREATE INDEX dex1_public_purchase ON bucardo.delta_public_purchase USING btree (txntime);
CREATE INDEX dex2_public_customer ON bucardo.delta_public_customer USING btree (id);
CREATE INDEX dex2_public_purchase ON bucardo.delta_public_purchase USING btree (customer, nr);
CREATE INDEX dex3_public_customer ON bucardo.track_public_customer USING btree (target text_pattern_ops, txntime);
CREATE INDEX dex3_public_purchase ON bucardo.track_public_purchase USING btree (target text_pattern_ops, txntime);
CREATE TRIGGER machine_divert BEFORE INSERT ON bucardo.bucardo_truncate_trigger FOR EACH ROW EXECUTE FUNCTION bucardo.machine_divert();
ALTER TABLE bucardo.bucardo_truncate_trigger ENABLE ALWAYS TRIGGER machine_divert;
CREATE TRIGGER machine_guard BEFORE INSERT ON bucardo.bucardo_delta_names FOR EACH ROW EXECUTE FUNCTION bucardo.machine_guard();
CREATE TRIGGER machine_keep BEFORE INSERT ON bucardo.bucardo_delta_targets FOR EACH ROW EXECUTE FUNCTION bucardo.machine_keep();
ALTER TABLE bucardo.bucardo_delta_targets ENABLE ALWAYS TRIGGER machine_keep;
CREATE TRIGGER bucardo_delta AFTER INSERT OR DELETE OR UPDATE ON public.customer FOR EACH ROW EXECUTE FUNCTION bucardo.delta_public_customer();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER bucardo_delta;
CREATE TRIGGER bucardo_delta AFTER INSERT OR DELETE OR UPDATE ON public.purchase FOR EACH ROW EXECUTE FUNCTION bucardo.delta_public_purchase();
ALTER TABLE public.purchase ENABLE ALWAYS TRIGGER bucardo_delta;
CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.customer FOR EACH STATEMENT EXECUTE FUNCTION bucardo_machine.refuse_write();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER bucardo_machine_fence;
CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.note FOR EACH STATEMENT EXECUTE FUNCTION bucardo_machine.refuse_write();
ALTER TABLE public.note ENABLE ALWAYS TRIGGER bucardo_machine_fence;
CREATE TRIGGER bucardo_machine_fence BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.purchase FOR EACH STATEMENT EXECUTE FUNCTION bucardo_machine.refuse_write();
ALTER TABLE public.purchase ENABLE ALWAYS TRIGGER bucardo_machine_fence;
CREATE TRIGGER bucardo_note_trunc_app_sync AFTER TRUNCATE ON public.customer FOR EACH STATEMENT EXECUTE FUNCTION bucardo.machine_note_truncation('app_sync');
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER bucardo_note_trunc_app_sync;
CREATE TRIGGER bucardo_note_trunc_app_sync AFTER TRUNCATE ON public.purchase FOR EACH STATEMENT EXECUTE FUNCTION bucardo.machine_note_truncation('app_sync');
ALTER TABLE public.purchase ENABLE ALWAYS TRIGGER bucardo_note_trunc_app_sync;
ALTER TABLE ONLY public.purchase
    ADD CONSTRAINT purchase_customer_fkey FOREIGN KEY (customer) REFERENCES public.customer(id);
