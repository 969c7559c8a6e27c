-- machine_rename - tables of one sync get the name of another, by their own names or by those that
-- Bucardo knows (machine_keys), and so do truncates of them that wait.
CREATE OR REPLACE FUNCTION bucardo.machine_rename(my_from text, my_to text, my_tables json)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms'
  AS $machine$
DECLARE mine text[];
BEGIN
  mine := ARRAY(SELECT json_array_elements_text(my_tables) UNION SELECT k.name
    FROM bucardo.machine_keys k WHERE k.goat IN (SELECT json_array_elements_text(my_tables)));
  INSERT INTO bucardo.bucardo_delta_names (sync, tablename)
    SELECT my_to, n.tablename FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from
    AND n.tablename = ANY (mine) ON CONFLICT DO NOTHING;
  DELETE FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from AND n.tablename = ANY (mine);
  UPDATE bucardo.bucardo_truncate_trigger t SET sync = my_to WHERE t.sync = my_from
    AND t.replicated IS NULL AND (quote_ident(t.sname) || '.' || quote_ident(t.tname) = ANY (mine)
    OR t.tablename IN (SELECT k.relation FROM bucardo.machine_keys k WHERE k.name = ANY (mine)));
END $machine$
