-- plan_sequences - positions are the value handed out last, or the one before the first. The
-- head-room is four times what was handed out since the last round, 100 values at least, and a
-- tenth of what is left at most: it must not use up a short sequence.
CREATE OR REPLACE FUNCTION bucardo_machine.plan_sequences(my_list json)
  RETURNS TABLE (sequence text, state text, detail text)
  LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $machine$
DECLARE t record; s record; v record; known record; here numeric; there numeric;
  direction int; room numeric; wrapped boolean;
  lifted boolean := bucardo_machine.is_lifted();
BEGIN
  FOR t IN SELECT * FROM json_to_recordset(my_list)
    AS x(name text, last numeric, called boolean) LOOP
    sequence := t.name; detail := ''; state := 'carried';
    BEGIN
      SELECT * INTO s FROM pg_sequence WHERE seqrelid = to_regclass(t.name);
      IF NOT FOUND THEN state := 'missing'; RETURN NEXT; CONTINUE; END IF;
      EXECUTE 'SELECT last_value, is_called FROM ' || t.name INTO v;
      direction := sign(s.seqincrement);
      here := v.last_value - CASE WHEN v.is_called THEN 0 ELSE s.seqincrement END;
      there := t.last - CASE WHEN t.called THEN 0 ELSE s.seqincrement END;
      SELECT * INTO known FROM bucardo_machine.sequence q WHERE q.name = t.name;
      IF NOT FOUND THEN
        INSERT INTO bucardo_machine.sequence (name, seen, goal, stood)
          VALUES (t.name, there, here, here)
          RETURNING * INTO known;
      END IF;
      IF NOT known.own AND here <> known.goal AND (here - known.stood) * direction > 0 THEN
        UPDATE bucardo_machine.sequence q SET own = true WHERE q.name = t.name;
        known.own := true;
      END IF;
      IF known.own THEN state := 'left'; RETURN NEXT; CONTINUE; END IF;
      IF lifted THEN state := 'lifted'; RETURN NEXT; CONTINUE; END IF;
      wrapped := s.seqcycle AND (there - known.seen) * direction < 0;
      room := trunc((CASE WHEN direction > 0 THEN s.seqmax ELSE s.seqmin END - there)
        / s.seqincrement / 10);
      room := greatest(0, least(room,
        greatest(100, 4 * trunc((there - known.seen) / s.seqincrement))));
      IF wrapped OR (here - there) / s.seqincrement < room / 2
        OR (here - there) * direction < 0 THEN
        there := there + room * s.seqincrement;
        IF there BETWEEN s.seqmin AND s.seqmax AND (wrapped OR (there - here) * direction > 0) THEN
          UPDATE bucardo_machine.sequence q SET goal = there, stood = here, back = wrapped
            WHERE q.name = t.name;
        END IF;
        there := there - room * s.seqincrement;
      END IF;
      IF known.seen <> there THEN
        UPDATE bucardo_machine.sequence q SET seen = there WHERE q.name = t.name;
      END IF;
    EXCEPTION WHEN lock_not_available OR insufficient_privilege OR undefined_table THEN
      state := 'failed'; detail := SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $machine$
