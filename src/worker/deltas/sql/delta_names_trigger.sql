-- delta_names_trigger - names of delta tables are made in sessions that replicate too. On either
-- side.
DO $machine$ BEGIN IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgenabled <> 'A'
AND tgrelid = 'bucardo.bucardo_delta_names'::regclass
AND tgname = 'bucardo_delta_namemaker') THEN
ALTER TABLE bucardo.bucardo_delta_names ENABLE ALWAYS TRIGGER
bucardo_delta_namemaker; END IF; UPDATE bucardo.bucardo_delta_names
SET tablename = tablename WHERE deltaname IS NULL; END $machine$
