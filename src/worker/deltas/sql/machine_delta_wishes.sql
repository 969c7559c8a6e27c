-- machine_delta_wishes - of each column of a delta table what it is called and what it should be,
-- its type and the one it should have (machine_key_type), and the widest of its family. A type
-- that is the column's own does, where an older machine or Bucardo made it; but an enum does not.
CREATE OR REPLACE FUNCTION bucardo.machine_delta_wishes(my_delta text, my_table oid, mine int2[])
  RETURNS TABLE (has_name name, name name, has_type text, type text, has_family text)
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT d.attname, a.attname, CASE WHEN (d.atttypid, d.atttypmod) = (a.atttypid, a.atttypmod) AND NOT d.labelled
    THEN w.type ELSE d.made END, w.type, bucardo.machine_key_type(d.atttypid)
FROM (SELECT g.attname, g.atttypid, g.atttypmod, row_number() OVER (ORDER BY g.attnum) AS n, t.typtype = 'e' AS labelled,
    quote_ident(s.nspname) || '.' || quote_ident(t.typname) || CASE WHEN o.collname = 'C'
      THEN ' COLLATE pg_catalog."C"' ELSE '' END || CASE WHEN g.atttypmod >= 0 THEN ' limited' ELSE '' END AS made
  FROM pg_attribute g JOIN pg_type t ON t.oid = g.atttypid JOIN pg_namespace s ON s.oid = t.typnamespace
  LEFT JOIN pg_collation o ON o.oid = g.attcollation AND o.collnamespace = 'pg_catalog'::regnamespace
  WHERE g.attrelid = to_regclass('bucardo.' || my_delta) AND g.attnum > 0 AND NOT g.attisdropped
  AND g.attname <> 'txntime') d
JOIN unnest(mine) WITH ORDINALITY AS m(num, n) USING (n)
JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = m.num
CROSS JOIN LATERAL (SELECT bucardo.machine_key_type(a.atttypid) AS type) w ORDER BY n
$machine$
