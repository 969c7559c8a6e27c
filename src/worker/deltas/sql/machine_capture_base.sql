-- machine_capture_base - what the names of a table's delta, track and stage tables end with, as
-- Bucardo's function bucardo_tablename_maker() has it.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_base(my_schema text, my_name text) RETURNS text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT CASE WHEN length(j) > 57 THEN substr(j, 1, 46) || '!' || substr(md5(j), 1, 10) ELSE j END
FROM replace(my_schema || '_' || my_name, '.', '_') AS j
$machine$
