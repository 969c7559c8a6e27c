-- machine_capture_rows - what ALTER TABLE changes when it writes all rows anew: the file (VACUUM FULL
-- and TRUNCATE do as well) together with a column's row in the catalog. And what it changes when rows
-- get other values with no row written: under each name the column's number (dropped and added again,
-- names exchanged) and the value that rows of before have in it. A crash empties what is unlogged, our
-- table machine_unlogged as well, whose row has another stamp then.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_rows(my_table oid) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT jsonb_build_object('file', pg_relation_filenode(my_table),
  'columns', md5(string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum)),
  'values', jsonb_object_agg(a.attname, concat_ws(' ', a.attnum, md5(a.attmissingval::text)))
    FILTER (WHERE NOT a.attisdropped),
  'unlogged', (SELECT u.stamp FROM bucardo.machine_unlogged u, pg_class c
    WHERE c.oid = my_table AND c.relpersistence = 'u'))
FROM pg_attribute a WHERE a.attrelid = my_table AND a.attnum > 0
$machine$
