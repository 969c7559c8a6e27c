-- teardown_control - a migration's rows in Bucardo's tables and in ours of the control database, which
-- nothing else refers to. Its own triggers and foreign keys are quiet (bm_phase_begin).
DO $machine$
DECLARE my_name text := current_setting('bucardo_machine.name');
  my_dbs text[] := ARRAY[my_name || '_source', my_name || '_destination'];
  my_syncs text[]; my_herds text[]; my_goats int[];
BEGIN
  SELECT coalesce(array_agg(s.name), '{}') INTO my_syncs FROM bucardo.sync s
    WHERE s.name ~ ('^' || my_name || '_sync(_[2-8])?$');
  SELECT coalesce(array_agg(h.name), '{}') INTO my_herds FROM bucardo.herd h
    WHERE h.name ~ ('^' || my_name || '_tables(_[2-8])?$')
    AND NOT EXISTS (SELECT 1 FROM bucardo.sync s WHERE s.herd = h.name AND s.name <> ALL (my_syncs));
  SELECT coalesce(array_agg(g.id), '{}') INTO my_goats FROM bucardo.goat g WHERE g.db = ANY (my_dbs)
    AND NOT EXISTS (SELECT 1 FROM bucardo.herdmap m WHERE m.goat = g.id AND m.herd <> ALL (my_herds));
  DELETE FROM bucardo.customcode_map WHERE sync = ANY (my_syncs) OR goat = ANY (my_goats);
  DELETE FROM bucardo.customname WHERE sync = ANY (my_syncs) OR goat = ANY (my_goats);
  DELETE FROM bucardo.customcols WHERE sync = ANY (my_syncs) OR goat = ANY (my_goats);
  DELETE FROM bucardo.bucardo_custom_trigger WHERE goat = ANY (my_goats);
  DELETE FROM bucardo.clone WHERE sync = ANY (my_syncs) OR relgroup = ANY (my_herds);
  DELETE FROM bucardo.syncrun WHERE sync = ANY (my_syncs);
  DELETE FROM bucardo.dbrun WHERE sync = ANY (my_syncs);
  DELETE FROM bucardo.sync WHERE name = ANY (my_syncs);
  DELETE FROM bucardo.herdmap WHERE herd = ANY (my_herds);
  DELETE FROM bucardo.herd WHERE name = ANY (my_herds);
  DELETE FROM bucardo.goat WHERE id = ANY (my_goats);
  IF NOT EXISTS (SELECT 1 FROM bucardo.sync s WHERE s.dbs = my_name || '_dbs') THEN
    DELETE FROM bucardo.dbmap WHERE dbgroup = my_name || '_dbs';
    DELETE FROM bucardo.dbgroup WHERE name = my_name || '_dbs';
  END IF;
  DELETE FROM bucardo.db_connlog c WHERE c.db = ANY (my_dbs)
    AND NOT EXISTS (SELECT 1 FROM bucardo.dbmap m WHERE m.db = c.db);
  DELETE FROM bucardo.db d WHERE d.name = ANY (my_dbs)
    AND NOT EXISTS (SELECT 1 FROM bucardo.dbmap m WHERE m.db = d.name)
    AND NOT EXISTS (SELECT 1 FROM bucardo.goat g WHERE g.db = d.name);
  IF to_regclass('machine.refused') IS NOT NULL THEN
    DELETE FROM machine.refused WHERE sync = ANY (my_syncs)
      OR sync ~ ('^' || my_name || '_sync(_[2-8])?$');
  END IF;
  IF to_regclass('bucardo.machine_paths') IS NOT NULL THEN
    DELETE FROM bucardo.machine_paths WHERE migration = my_name;
  END IF;
END $machine$
