-- raise_fence_short - raise_fence() as people type it: without force.
CREATE OR REPLACE FUNCTION bucardo_machine.raise_fence(again boolean DEFAULT false) RETURNS text
  LANGUAGE sql SET search_path = pg_catalog, pg_temp
  AS 'SELECT bucardo_machine.raise_fence(again, false)'
