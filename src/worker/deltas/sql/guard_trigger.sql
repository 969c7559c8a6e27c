-- guard_trigger - machine_guard() in its place.
DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger
WHERE tgrelid = 'bucardo.bucardo_delta_names'::regclass AND tgname = 'machine_guard') THEN
CREATE TRIGGER machine_guard BEFORE INSERT ON bucardo.bucardo_delta_names
FOR EACH ROW EXECUTE PROCEDURE bucardo.machine_guard(); END IF; END $machine$
