-- fresh_sequences - those that are not followed here since the sides changed places: until then
-- they were handed out here. With where they stand: the value handed out last.
CREATE OR REPLACE FUNCTION bucardo_machine.fresh_sequences(my_list json, my_epoch text)
  RETURNS TABLE (sequence text, last numeric)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
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
END $machine$
