-- set_sequences
CREATE OR REPLACE FUNCTION bucardo_machine.set_sequences()
  RETURNS TABLE (sequence text, state text, detail text)
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$
DECLARE t record; s record; v record; here numeric;
BEGIN
  FOR t IN SELECT q.* FROM bucardo_machine.sequence q WHERE NOT q.own
    AND NOT bucardo_machine.is_lifted() ORDER BY q.name LOOP
    BEGIN
      SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name);
      IF NOT FOUND THEN
        DELETE FROM bucardo_machine.sequence q WHERE q.name = t.name; CONTINUE;
      END IF;
      EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v;
      here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END;
      IF here <> t.goal AND (here - t.stood) * s.seqincrement > 0 THEN
        UPDATE bucardo_machine.sequence q SET own = true WHERE q.name = t.name;
      ELSIF t.back OR (t.goal - here) * s.seqincrement > 0 THEN
        PERFORM setval(s.seqrelid::regclass, t.goal::bigint, true);
        UPDATE bucardo_machine.sequence q SET stood = t.goal, back = false WHERE q.name = t.name;
      END IF;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table
      OR numeric_value_out_of_range THEN
      sequence := t.name; state := 'failed'; detail := SQLERRM; RETURN NEXT;
    END;
  END LOOP;
END $machine$
