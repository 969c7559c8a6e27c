-- hand_over - before source and destination change places: lets `worker reconcile` set the sequences of
-- the side that becomes live once more, and waits until no older value can win (turn_obstacle).
-- 20 s at most, or bucardo_machine.turn_timeout. Gives what there is to tell, '' nothing, and what
-- was passed over by force; refuses without. A transaction shows others nothing before it commits,
-- so both talk through sequences; the worker holds an advisory lock for as long as it lives.
CREATE OR REPLACE FUNCTION bucardo_machine.hand_over(my_call text, my_force boolean, OUT said text,
  OUT forced text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
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
END $machine$
