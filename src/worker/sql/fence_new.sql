-- fence_new - new tables get behind the fence, where there is one.
CREATE OR REPLACE FUNCTION bucardo_machine.fence_new() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$
BEGIN
  IF to_regprocedure('bucardo_machine.raise_fence(boolean)') IS NOT NULL THEN
    EXECUTE 'SELECT bucardo_machine.raise_fence()';
  END IF;
END $machine$
