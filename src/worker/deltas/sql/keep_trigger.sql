-- keep_trigger - machine_keep() in its place, whoever writes.
DO $machine$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger
WHERE tgrelid = 'bucardo.bucardo_delta_targets'::regclass AND tgname = 'machine_keep') THEN
CREATE TRIGGER machine_keep BEFORE INSERT ON bucardo.bucardo_delta_targets
FOR EACH ROW EXECUTE PROCEDURE bucardo.machine_keep(); END IF;
IF EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgname = 'machine_keep' AND tgenabled <> 'A'
 AND tgrelid = 'bucardo.bucardo_delta_targets'::regclass) THEN ALTER TABLE
bucardo.bucardo_delta_targets ENABLE ALWAYS TRIGGER machine_keep; END IF; END $machine$
