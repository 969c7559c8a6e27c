-- traces_left - anything that is called like us or Bucardo, belongs to a schema called so, or
-- speaks of one: what, and the statement that removes it. Knows nothing of what was removed.
WITH named AS (SELECT oid, nspname FROM pg_namespace WHERE nspname ~* '^bucardo'),
code AS (SELECT p.oid, p.oid::regprocedure AS signature FROM pg_proc p JOIN pg_namespace n
    ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_|^information_schema$' AND (n.oid IN (SELECT oid FROM named)
      OR p.proname ~* '^bucardo' OR p.prosrc ~* '\mbucardo(_machine)?\.'))
SELECT 'schema ' || quote_ident(nspname) AS what, format('DROP SCHEMA %I', nspname) AS statement FROM named
UNION ALL SELECT 'function ' || signature, 'DROP ROUTINE ' || signature FROM code
UNION ALL SELECT 'relation ' || c.oid::regclass, format('DROP %s %s', CASE c.relkind WHEN 'v' THEN 'VIEW'
    WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX'
    WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass)
  FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM named) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  OR (c.relname ~* '^bucardo' AND c.relnamespace NOT IN (SELECT oid FROM named) AND c.relkind <> 't')
UNION ALL SELECT format('trigger %I on %s', g.tgname, g.tgrelid::regclass),
    format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass)
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
  WHERE NOT g.tgisinternal AND (g.tgname ~* '^bucardo' OR g.tgfoid IN (SELECT oid FROM code))
UNION ALL SELECT 'event trigger ' || quote_ident(evtname), format('DROP EVENT TRIGGER %I', evtname)
  FROM pg_event_trigger WHERE evtname ~* '^bucardo' OR evtfoid IN (SELECT oid FROM code)
UNION ALL SELECT 'setting ' || s, format('ALTER %s RESET %s',
    CASE WHEN setrole = 0 THEN 'DATABASE ' || quote_ident(datname) ELSE 'ROLE ' ||
      quote_ident(pg_get_userbyid(setrole)) || coalesce(' IN DATABASE ' || quote_ident(datname), '') END,
    split_part(s, '=', 1))
  FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) s LEFT JOIN pg_database d ON d.oid = setdatabase
  WHERE s ~* 'bucardo' AND (setdatabase = 0 OR datname = current_database())
UNION ALL SELECT 'publication ' || quote_ident(pubname), format('DROP PUBLICATION %I', pubname)
  FROM pg_publication WHERE pubname ~* '^bucardo'
UNION ALL SELECT 'replication slot ' || slot_name, format('SELECT pg_drop_replication_slot(%L)', slot_name)
  FROM pg_replication_slots WHERE slot_name ~* '^bucardo' AND database = current_database()
UNION ALL SELECT 'comment on ' || pg_describe_object(classoid, objoid, objsubid),
    'COMMENT ON ' || pg_describe_object(classoid, objoid, objsubid) || ' IS NULL'
  FROM pg_description WHERE description ~* 'bucardo[-_ ]machine'
  AND pg_describe_object(classoid, objoid, objsubid) !~* '^schema bucardo'
ORDER BY 1
