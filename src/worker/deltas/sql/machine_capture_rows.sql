-- machine_capture_rows - what ALTER TABLE changes when it writes all rows anew: the file (VACUUM FULL
-- and TRUNCATE do as well) together with a column's row in the catalog. And what it changes when rows
-- get other values with no row written: under each name the column's number (dropped and added again,
-- names exchanged) and the value that rows of before have in it; and the labels of enums and parts of
-- composites that its types hold (`labels`), each with the row in pg_enum or the number that values
-- point to: they can be exchanged, and a part dropped and made again. A crash empties what is unlogged, our table machine_unlogged as well, whose row has
-- another stamp then.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_rows(my_table oid) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT jsonb_build_object('file', pg_relation_filenode(my_table),
  'columns', md5(string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum)),
  'values', jsonb_object_agg(a.attname, concat_ws(' ', a.attnum, md5(a.attmissingval::text)))
    FILTER (WHERE NOT a.attisdropped),
  'labels', (WITH RECURSIVE held(type) AS (
      SELECT h.atttypid FROM pg_attribute h
        WHERE h.attrelid = my_table AND h.attnum > 0 AND h.atttypid >= 16384
      UNION SELECT p.type FROM held JOIN pg_type t ON t.oid = held.type CROSS JOIN LATERAL (
        SELECT unnest(ARRAY[t.typelem, t.typbasetype])
        UNION ALL SELECT f.atttypid FROM pg_attribute f WHERE f.attrelid = t.typrelid AND f.attnum > 0
        -- Servers before 14 have no multiranges.
        UNION ALL SELECT r.rngsubtype FROM pg_range r
          WHERE t.oid IN (r.rngtypid, (to_jsonb(r)->>'rngmultitypid')::oid)) p(type)
      WHERE p.type >= 16384)
    SELECT coalesce(jsonb_object_agg(x.name, x.place), '{}') FROM (
      SELECT e.enumtypid || ' ' || e.enumlabel, to_jsonb(e.oid) FROM held
        JOIN pg_enum e ON e.enumtypid = held.type
      UNION ALL SELECT 'part ' || t.oid || ' ' || f.attname, to_jsonb(f.attnum::int) FROM held
        JOIN pg_type t ON t.oid = held.type JOIN pg_attribute f ON f.attrelid = t.typrelid
        AND f.attnum > 0 AND NOT f.attisdropped) x(name, place)),
  'unlogged', (SELECT u.stamp FROM bucardo.machine_unlogged u, pg_class c
    WHERE c.oid = my_table AND c.relpersistence = 'u'))
FROM pg_attribute a WHERE a.attrelid = my_table AND a.attnum > 0
$machine$
