-- change_sides - the destination becomes the live side (to_lift), or the source again; nothing when
-- it is so already. What there is to tell. Somebody else may have changed them while this waited:
-- what was found out then does not hold any more.
CREATE OR REPLACE FUNCTION bucardo_machine.change_sides(to_lift boolean, my_force boolean, my_call text)
  RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $machine$
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
END $machine$
