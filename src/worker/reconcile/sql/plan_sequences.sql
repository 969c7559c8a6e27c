-- plan_sequences - where the follower's sequences shall stand: my_list has name, last and called
-- of those of the live side. Gives those that somebody else has moved on here (left), that are
-- not here (missing) or cannot be transferred (failed). Positions are the value handed out last, or
-- the one before the first. The head-room is four times what was handed out since the last pass,
-- 100 values at least, and a tenth of what is left at most: it must not use up a short sequence.
CREATE OR REPLACE FUNCTION bucardo_machine.plan_sequences(my_list json, my_epoch text)
  RETURNS TABLE (sequence text, state text, detail text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $machine$
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
END $machine$
