-- machine_rename
CREATE OR REPLACE FUNCTION bucardo.machine_rename(my_from text, my_to text, my_tables json)
  RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '300ms'
  AS $machine$
BEGIN
  INSERT INTO bucardo.bucardo_delta_names (sync, tablename)
    SELECT my_to, n.tablename FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from
    AND n.tablename IN (SELECT json_array_elements_text(my_tables)) ON CONFLICT DO NOTHING;
  DELETE FROM bucardo.bucardo_delta_names n WHERE n.sync = my_from
    AND n.tablename IN (SELECT json_array_elements_text(my_tables));
  UPDATE bucardo.bucardo_truncate_trigger t SET sync = my_to WHERE t.sync = my_from
    AND t.replicated IS NULL AND quote_ident(t.sname) || '.' || quote_ident(t.tname)
      IN (SELECT json_array_elements_text(my_tables));
END $machine$
