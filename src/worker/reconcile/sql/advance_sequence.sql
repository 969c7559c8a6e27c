-- advance_sequence - on the live side: what the other side has handed out, up to my_last, is not
-- handed out here. Applications draw values meanwhile: ALTER SEQUENCE keeps them off to the end
-- of the transaction, setval() alone does not. Who does not own it leaves 1,000 values between.
-- Where its bounds are narrower than the other side's it stands at the last value, and that fails.
CREATE OR REPLACE FUNCTION bucardo_machine.advance_sequence(my_name text, my_last numeric)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
  AS $machine$
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
END $machine$
