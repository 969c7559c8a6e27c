-- What this version wrote down by oid and xmin, as they are here; its own functions say how.
CREATE TRIGGER bucardo_delta_namemaker BEFORE INSERT OR UPDATE ON bucardo.bucardo_delta_names
  FOR EACH ROW EXECUTE FUNCTION bucardo.bucardo_delta_names_helper();
ALTER TABLE bucardo.bucardo_delta_names ENABLE ALWAYS TRIGGER bucardo_delta_namemaker;
UPDATE bucardo.bucardo_delta_names SET sync = sync; -- Bucardo wrote them without that trigger
UPDATE bucardo.machine_keys SET relation = to_regclass(name);
SELECT f.* FROM bucardo.machine_keys k, bucardo.machine_follow(true, k.name) f;
UPDATE bucardo.machine_captured c SET rewrite = bucardo.machine_capture_rows(to_regclass(c.tablename)),
  state = bucardo.machine_capture_look(c.sync, c.tablename, d.deltaname)
  FROM bucardo.bucardo_delta_names d WHERE (d.sync, d.tablename) = (c.sync, c.tablename);
DO $$BEGIN
  IF to_regclass('bucardo_machine.target') IS NOT NULL THEN
    UPDATE bucardo_machine.target SET relation = to_regclass(goat);
  END IF;
END$$
