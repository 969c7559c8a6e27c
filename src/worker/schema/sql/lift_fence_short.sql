-- lift_fence_short - lift_fence() as people type it: without force.
CREATE OR REPLACE FUNCTION bucardo_machine.lift_fence() RETURNS text
  LANGUAGE sql SET search_path = pg_catalog, pg_temp
  AS 'SELECT bucardo_machine.lift_fence(false)'
