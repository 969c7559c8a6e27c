-- selected_tables - the tables that a migration is about, but for those of $1 (oids), with what Bucardo
-- needs to know of each, or why it cannot replicate it, and what would change that. $2: the tables that
-- are captured. Columns that older servers do not have are read through to_jsonb(); those to be
-- applied are named where there are generated ones, which no server takes a value for.
--
-- A key is the primary key, or else the unique index with the fewest columns that are all NOT NULL
-- (Bucardo itself would also take one with NULLs, and lose those rows). An array cannot be part of it:
-- Bucardo would compare Perl's address of its value.
-- Names: Bucardo makes the name of a delta table in two ways that differ when a quoted name is longer
-- than 57 characters, it counts characters where the server counts bytes, it writes names between
-- plain quotes and into regular expressions, and it joins schema and table with the same '_' that may
-- be part of them: of two tables that read the same then, the one that is captured keeps the place
-- ($2), or anybody who may make a table could put another one out of step. Beside the columns of the
-- key a delta table has a column txntime, and of the words DBGROUP and TARGETNAME in a statement the
-- first is replaced.
WITH t AS (SELECT n.*, CASE WHEN length(joined) > 57
  THEN substr(joined, 1, 46) || '!' || substr(md5(joined), 1, 10) ELSE joined END AS base
 FROM (SELECT c.oid, n.nspname, c.relname,
 quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
 replace(n.nspname || '_' || c.relname, '.', '_') AS joined
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
 AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
 AND c.oid <> ALL ($1::oid[])
 AND n.nspname !~ '^pg_' AND NOT EXISTS (SELECT 1 FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) n),
keys AS (SELECT DISTINCT ON (i.indrelid) i.indrelid,
  string_agg(a.attname, '|' ORDER BY k.n) AS key,
  string_agg(quote_ident(a.attname), '|' ORDER BY k.n) AS quoted,
  string_agg(CASE y.typname WHEN 'int2' THEN 'smallint' WHEN 'int4' THEN 'integer'
   WHEN 'int8' THEN 'bigint' ELSE y.typname END, '|' ORDER BY k.n) AS types, array_agg(a.atttypid) AS kinds
 FROM pg_index i
 CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 JOIN pg_type y ON y.oid = a.atttypid
 WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
 AND k.n <= coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts)
 AND NOT EXISTS (SELECT 1 FROM unnest(i.indclass::oid[]) o(oid) JOIN pg_opclass f ON f.oid = o.oid
  AND f.opcname = 'record_image_ops')
 GROUP BY i.indexrelid, i.indrelid, i.indisprimary
 HAVING bool_and(a.attnotnull AND y.typcategory <> 'A')
 ORDER BY i.indrelid, i.indisprimary DESC, count(*), i.indexrelid),
made AS (SELECT t.oid, count(*) OVER place AS twins, t.quoted = ANY ($2::text[])
  AND count(*) FILTER (WHERE t.quoted = ANY ($2::text[])) OVER place = 1 AS keeps
 FROM t WINDOW place AS (PARTITION BY t.base))
SELECT t.oid, t.nspname, t.relname, t.quoted, coalesce(k.key, ''), coalesce(k.quoted, ''),
coalesce(k.types, ''),
coalesce((SELECT CASE WHEN bool_or(coalesce(to_jsonb(a)->>'attgenerated', '') <> '')
    THEN string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
    FILTER (WHERE coalesce(to_jsonb(a)->>'attgenerated', '') = '') END
  FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
CASE WHEN k.key IS NULL THEN 'it has no primary key and no unique index over NOT NULL columns (arrays do not count), by which Bucardo could tell its rows apart'
 WHEN t.quoted LIKE '%"%' AND length(t.quoted) > 57 THEN
  'its quoted name is longer than 57 characters: Bucardo would look for its changes under another name'
 WHEN octet_length(t.base) > 57 THEN
  'schema and name together take more than 57 bytes: Bucardo counts characters, and the server would cut the name of the table of its changes'
 WHEN t.nspname ~ '["\\]' OR t.relname ~ '["\\]' THEN
  'Bucardo cannot handle a quote or backslash in a name'
 WHEN t.joined ~ '[][(){}^$*+?|]' THEN
  'Bucardo would read a character of its name as part of a search pattern'
 WHEN k.quoted LIKE '%""%' OR length(k.key) - length(replace(k.key, '|', ''))
  <> length(k.types) - length(replace(k.types, '|', '')) OR k.key ~ '["\\]' THEN
  'Bucardo cannot handle a quote, backslash or bar in the name of a key column'
 WHEN '|' || k.key || '|' LIKE '%|txntime|%' THEN
  'a column of its key is called txntime, as the column in which Bucardo keeps the time of a change'
 WHEN k.key || t.joined ~ 'DBGROUP|TARGETNAME' THEN
  'Bucardo would take a part of the name of the table or of a key column for a place to fill in'
 WHEN made.twins > 1 AND NOT made.keeps THEN 'Bucardo would keep its changes and those of another table in one place: schema and table joined by _ read the same'
 WHEN EXISTS (WITH RECURSIVE part(oid, inside) AS (SELECT u.oid, false FROM unnest(k.kinds) u(oid)
  UNION SELECT x.oid, x.inside FROM part JOIN pg_type y ON y.oid = part.oid CROSS JOIN LATERAL (
   SELECT y.typbasetype, part.inside WHERE y.typtype = 'd'
   UNION ALL SELECT y.typelem, true WHERE y.typtype = 'b' AND y.typelem <> 0
   UNION ALL SELECT a.atttypid, true FROM pg_attribute a WHERE y.typtype = 'c'
    AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
   UNION ALL SELECT g.rngsubtype, true FROM pg_range g WHERE y.oid = g.rngtypid
    OR y.oid::text = to_jsonb(g)->>'rngmultitypid') x(oid, inside))
  SELECT 1 FROM part JOIN pg_type y ON y.oid = part.oid WHERE part.inside AND y.typtype = 'd') THEN
  'a type of its key has a domain inside: the checks of the domain would run with the rights of the machine whenever a value of the key is read'
-- Its delta table has an index of the key, in which the same key stands twice: the server would compare
-- each part, which the index of the table need not do.
 WHEN EXISTS (WITH RECURSIVE part(oid) AS (SELECT u.oid FROM unnest(k.kinds) u(oid)
  UNION SELECT x.oid FROM part JOIN pg_type y ON y.oid = part.oid CROSS JOIN LATERAL (
   SELECT y.typbasetype WHERE y.typtype = 'd'
   UNION ALL SELECT y.typelem WHERE y.typcategory = 'A'
   UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE y.typtype = 'c'
    AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x(oid))
  SELECT 1 FROM part JOIN pg_type y ON y.oid = part.oid AND y.typtype = 'b' AND y.typcategory <> 'A'
  WHERE NOT EXISTS (SELECT 1 FROM pg_opclass f JOIN pg_am h ON h.oid = f.opcmethod AND h.amname = 'btree'
   WHERE f.opcdefault AND (f.opcintype = y.oid OR EXISTS (SELECT 1 FROM pg_cast s WHERE s.castsource = y.oid
    AND s.casttarget = f.opcintype AND s.castmethod = 'b')))) THEN
  'a part of its key is of a type whose values cannot be compared: Bucardo could not tell its rows apart'
 ELSE '' END,
CASE WHEN k.key IS NULL THEN 'ALTER TABLE ' || t.quoted || coalesce((SELECT string_agg(
   ' ALTER COLUMN ' || quote_ident(a.attname) || ' SET NOT NULL', ',' ORDER BY a.attnum)
  FROM pg_attribute a WHERE a.attrelid = t.oid AND NOT a.attnotnull AND a.attnum = ANY (
   (SELECT i.indkey::int2[] FROM pg_index i WHERE i.indrelid = t.oid AND i.indisunique
    AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indnatts, i.indexrelid LIMIT 1)::int2[])), ' ADD PRIMARY KEY (...) over columns that are unique; or ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, which rewrites it')
 ELSE 'rename it, or copy it again inside the freeze' END
FROM t JOIN made USING (oid) LEFT JOIN keys k ON k.indrelid = t.oid
ORDER BY t.nspname COLLATE "C", t.relname COLLATE "C"
