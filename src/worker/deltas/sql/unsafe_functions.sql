-- unsafe_functions - how many functions machine_pin() would have to make safe.
SELECT count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'bucardo' AND p.prosecdef AND p.prosrc !~
 '^\s*BEGIN /\* bucardo-machine: no name here depends on search_path'
AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
AND pg_has_role(p.proowner, 'USAGE') AND (to_regclass('bucardo.goat') IS NULL
 OR p.proname ~ '^(delta_|bucardo_(tablename_maker|delta_|note_truncation|compress_|purge_))')
