-- machine_key_look - the columns of a key as they are: what a change of shows that something is to
-- be followed. A column that was dropped has no name; one that may be NULL is marked.
CREATE OR REPLACE FUNCTION bucardo.machine_key_look(my_table oid, my_columns int2[]) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT string_agg(CASE WHEN a.attisdropped IS DISTINCT FROM false THEN '?' ELSE
    quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ||
    CASE WHEN a.attnotnull THEN '' ELSE ' null' END END, ', ' ORDER BY x.n)
  || CASE WHEN bucardo.machine_key_of(my_table, my_columns) = my_columns THEN '' ELSE '; no key' END
FROM unnest(my_columns) WITH ORDINALITY AS x(num, n)
LEFT JOIN pg_attribute a ON a.attrelid = my_table AND a.attnum = x.num
$machine$
