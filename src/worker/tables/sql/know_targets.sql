-- know_targets - $1 a JSON object of captured tables: the name that Bucardo knows, and what the source
-- calls it. What each is called here now, and whether the schema of the old name is gone. Which
-- table is meant is written down (bucardo_machine.target) when it is met first, and anew when it is
-- gone or another has its name.
CREATE OR REPLACE FUNCTION bucardo_machine.know_targets(my_tables json)
  RETURNS TABLE (goat text, called text, schema_gone boolean)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  DELETE FROM bucardo_machine.target t WHERE to_regclass(t.goat) <> t.relation
    OR NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = t.relation);
  INSERT INTO bucardo_machine.target (goat, relation)
    SELECT j.key, coalesce(to_regclass(j.key), to_regclass(j.value)) FROM json_each_text(my_tables) j
    WHERE coalesce(to_regclass(j.key), to_regclass(j.value)) IS NOT NULL ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT t.goat, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    to_regnamespace(quote_ident((parse_ident(t.goat))[1])) IS NULL
    FROM bucardo_machine.target t JOIN pg_class c ON c.oid = t.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.goat IN (SELECT j.key FROM json_each_text(my_tables) j);
END $machine$
