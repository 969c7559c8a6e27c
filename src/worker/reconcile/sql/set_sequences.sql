-- set_sequences - what plan_sequences() has planned. Gives for each sequence whether it stands at
-- or ahead of the live side's afterwards (carried), and what failed.
CREATE OR REPLACE FUNCTION bucardo_machine.set_sequences(my_epoch text)
  RETURNS TABLE (sequence text, state text, detail text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $machine$
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
END $machine$
