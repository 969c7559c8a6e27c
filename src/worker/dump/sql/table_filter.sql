-- table_filter - what the patterns $1 leave out, and what follows from it (table_filter.h).
-- line: each relation with all it descends from. named: what the patterns leave out.
-- gone: that, and what depends on it, step by step; a view depends through its rule.
-- A table is never drawn in by what it needs: that is a row 'stops'.
WITH RECURSIVE pattern AS (SELECT p->>'text' AS written, p->>'schema' AS s, p->>'table' AS t,
 (p->>'out')::boolean AS leaves_out FROM json_array_elements($1::json) p),
rel AS (SELECT c.oid, n.nspname::text, c.relname::text, c.relkind FROM pg_class c
 JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'
 AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo',
  'bucardo_machine') AND NOT EXISTS (SELECT 1 FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
line (oid, above) AS (SELECT oid, oid FROM rel UNION SELECT l.oid, i.inhparent
 FROM line l JOIN pg_inherits i ON i.inhrelid = l.above),
hit AS (SELECT l.oid, p.written, p.leaves_out FROM line l JOIN rel a ON a.oid = l.above
 JOIN pattern p ON a.nspname ~ p.s AND a.relname ~ p.t),
unmatched AS (SELECT r.oid, r.relkind FROM rel r WHERE r.oid IN
  (SELECT oid FROM hit WHERE leaves_out) OR (EXISTS (SELECT 1 FROM pattern WHERE NOT leaves_out)
  AND r.oid NOT IN (SELECT oid FROM hit WHERE NOT leaves_out))),
named AS (SELECT oid FROM unmatched WHERE relkind <> 'S'),
gone (classid, objid) AS (SELECT 'pg_class'::regclass::oid, oid FROM named UNION
 SELECT x.classid, x.objid FROM gone g CROSS JOIN LATERAL (
  SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = g.classid
   AND d.refobjid = g.objid AND d.deptype IN ('n', 'a', 'i') AND NOT
   (d.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class c
    WHERE c.oid = d.objid AND c.relkind IN ('r', 'p', 'f', 'S')))
  UNION ALL SELECT 'pg_class'::regclass::oid, w.ev_class FROM pg_rewrite w
   JOIN pg_class c ON c.oid = w.ev_class AND c.relkind IN ('v', 'm')
   WHERE g.classid = 'pg_rewrite'::regclass AND w.oid = g.objid) x),
owned AS (SELECT d.objid AS oid, d.refobjid FROM pg_depend d JOIN rel ON rel.oid = d.objid
  AND rel.relkind = 'S' WHERE d.classid = 'pg_class'::regclass
  AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')),
sequence AS (SELECT rel.oid FROM rel WHERE rel.relkind = 'S' AND
  (rel.oid IN (SELECT o.oid FROM owned o JOIN named n ON n.oid = o.refobjid)
   OR (rel.oid IN (SELECT oid FROM unmatched) AND rel.oid NOT IN (SELECT oid FROM owned)))
  AND NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
   WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
   AND d.refobjid = rel.oid AND f.adrelid NOT IN (SELECT oid FROM named))),
out AS (SELECT rel.*, rel.oid IN (SELECT oid FROM named) AS is_named FROM rel
 WHERE oid IN (SELECT oid FROM named UNION SELECT oid FROM sequence
  UNION SELECT objid FROM gone WHERE classid = 'pg_class'::regclass)),
-- What belongs to a relation that is out goes without saying.
part AS (SELECT g.classid, g.objid, coalesce(k.conrelid, t.tgrelid, p.polrelid, w.ev_class,
  nullif(y.typrelid, 0), e.typrelid, f.adrelid, s.stxrelid, i.indrelid) AS of, k.contype
 FROM gone g
 LEFT JOIN pg_constraint k ON g.classid = 'pg_constraint'::regclass AND k.oid = g.objid
  AND k.conrelid <> 0
 LEFT JOIN pg_trigger t ON g.classid = 'pg_trigger'::regclass AND t.oid = g.objid
 LEFT JOIN pg_policy p ON g.classid = 'pg_policy'::regclass AND p.oid = g.objid
 LEFT JOIN pg_rewrite w ON g.classid = 'pg_rewrite'::regclass AND w.oid = g.objid
 LEFT JOIN pg_type y ON g.classid = 'pg_type'::regclass AND y.oid = g.objid
 LEFT JOIN pg_type e ON e.oid = y.typelem AND e.typrelid <> 0 AND y.typcategory = 'A'
 LEFT JOIN pg_attrdef f ON g.classid = 'pg_attrdef'::regclass AND f.oid = g.objid
 LEFT JOIN pg_statistic_ext s ON g.classid = 'pg_statistic_ext'::regclass AND s.oid = g.objid
 LEFT JOIN pg_index i ON g.classid = 'pg_class'::regclass AND i.indexrelid = g.objid
 WHERE NOT coalesce(t.tgisinternal, false)
 AND (g.classid <> 'pg_class'::regclass OR i.indrelid IN (SELECT oid FROM rel)))
SELECT 'out' AS what, 'pg_class'::regclass::oid::text AS class, oid::text AS object,
 format('%I.%I', nspname, relname) AS name, '' AS why FROM out
UNION ALL SELECT 'follows', 'pg_class'::regclass::oid::text, oid::text,
 pg_describe_object('pg_class'::regclass, oid, 0), '' FROM out
 WHERE NOT is_named AND relkind <> 'S'
UNION ALL SELECT 'follows', classid::text, objid::text, pg_describe_object(classid, objid, 0), ''
 FROM part WHERE coalesce(of, 0) NOT IN (SELECT oid FROM out)
 AND classid <> 'pg_attrdef'::regclass AND coalesce(contype, '-') <> 'c'
UNION ALL SELECT 'stops', '0', of::text, pg_describe_object('pg_class'::regclass, of, 0),
 pg_describe_object(classid, objid, 0) FROM part WHERE of NOT IN (SELECT oid FROM out)
 AND (classid = 'pg_attrdef'::regclass OR contype = 'c')
UNION ALL SELECT 'stops', '0', d.objid::text, pg_describe_object('pg_class'::regclass, d.objid, 0),
 pg_describe_object(g.classid, g.objid, 0) FROM gone g JOIN pg_depend d
  ON d.refclassid = g.classid AND d.refobjid = g.objid AND d.deptype = 'n'
  AND d.classid = 'pg_class'::regclass JOIN rel ON rel.oid = d.objid
  AND rel.relkind IN ('r', 'p', 'f') AND rel.oid NOT IN (SELECT oid FROM out)
UNION ALL SELECT 'attach', '0', r.oid::text, '"' || replace(r.nspname, '"', '""') || '"' || '.' || '"' || replace(r.relname, '"', '""') || '"'
 , '' FROM rel r JOIN pg_inherits i ON i.inhrelid = r.oid JOIN pg_class p ON p.oid = i.inhparent
 AND p.relkind = 'p' WHERE r.oid NOT IN (SELECT oid FROM out) AND p.oid IN (SELECT oid FROM out)
UNION ALL SELECT 'detach', '0', x.indexrelid::text, '"' || replace(r.nspname, '"', '""') || '"' || '.' ||
 '"' || replace(c.relname, '"', '""') || '"', '' FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 JOIN rel r ON r.oid = x.indrelid JOIN pg_inherits i ON i.inhrelid = x.indexrelid
 JOIN pg_index p ON p.indexrelid = i.inhparent
 WHERE r.oid NOT IN (SELECT oid FROM out) AND p.indrelid IN (SELECT oid FROM out)
UNION ALL SELECT 'unused', '0', '0', written, '' FROM pattern
 WHERE written NOT IN (SELECT written FROM hit)
UNION ALL SELECT 'dump', '0', '0', '"' || replace(nspname, '"', '""') || '"' || '.(' ||
 string_agg('"' || replace(relname, '"', '""') || '"', '|') || ')', '' FROM (SELECT nspname, relname,
  row_number() OVER (PARTITION BY nspname ORDER BY relname) / 50 AS batch FROM out) o
 GROUP BY nspname, batch
ORDER BY 1, 4, 5
