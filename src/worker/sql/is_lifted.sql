-- is_lifted - a person lifts the fence at the cut-over: from then on applications write there.
CREATE OR REPLACE FUNCTION bucardo_machine.is_lifted() RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog AS $machine$
DECLARE lifted boolean := false;
BEGIN
  IF to_regclass('bucardo_machine.fence') IS NOT NULL THEN
    EXECUTE 'SELECT EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL)'
      INTO lifted;
  END IF;
  RETURN lifted;
END $machine$
