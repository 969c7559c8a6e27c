-- path_functions - what calls functions, when it is built or written, that find something only through
-- search_path: relation, what of it calls, the functions with what each looks for, the statements that
-- fix that, whether an extension's function is among them, and whether each change of a row calls it.
-- $1: relations that are left out, as oid[]; $2: the path for the statements.
-- The bodies are read as text: what EXECUTE puts together, and what operators need, is not seen.
WITH RECURSIVE code AS (SELECT p.oid, p.proname, p.oid::regprocedure::text AS signature,
      EXISTS (SELECT 1 FROM unnest(p.proconfig) c WHERE c LIKE 'search\_path=%') AS pinned,
      l.lanname NOT IN ('internal', 'c') AND coalesce(to_jsonb(p)->>'prosqlbody', '') = '' AS is_text,
      ' ' || regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', ' ', 'g') || ' ' AS body,
      EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.deptype = 'e') AS of_extension
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace <> 'pg_catalog'::regnamespace AND p.oid >= 16384),
-- What is called directly: functions, and those that operators stand for.
dep AS (SELECT d.classid, d.objid, d.objsubid, CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid
      ELSE o.oprcode END AS function
    FROM pg_depend d LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)),
called AS (SELECT dep.* FROM dep JOIN code ON code.oid = dep.function),
-- A materialised view reads through views.
reads AS (SELECT c.oid AS view, c.oid AS relation FROM pg_class c WHERE c.relkind = 'm'
    UNION SELECT reads.view, d.refobjid FROM reads JOIN pg_rewrite r ON r.ev_class = reads.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'),
-- A domain with a check, and what is made of it.
holds AS (SELECT k.contypid AS domain, k.contypid AS type, called.function FROM called JOIN pg_constraint k
      ON called.classid = 'pg_constraint'::regclass AND k.oid = called.objid WHERE k.contypid <> 0
    UNION SELECT holds.domain, x.oid, holds.function FROM holds CROSS JOIN LATERAL (
      SELECT y.oid FROM pg_type y WHERE y.typbasetype = holds.type OR (y.typelem = holds.type AND y.typlen = -1)
      UNION ALL SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.atttypid = holds.type AND a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0
      UNION ALL SELECT g.rngtypid FROM pg_range g WHERE g.rngsubtype = holds.type) x),
item AS (SELECT i.indrelid AS relation, 'index ' || quote_ident(c.relname) AS what, called.function, true AS each
      FROM called JOIN pg_index i ON called.classid = 'pg_class'::regclass AND i.indexrelid = called.objid
      JOIN pg_class c ON c.oid = i.indexrelid
    UNION SELECT k.conrelid, 'constraint ' || quote_ident(k.conname), called.function, true FROM called
      JOIN pg_constraint k ON called.classid = 'pg_constraint'::regclass AND k.oid = called.objid
      WHERE k.conrelid <> 0 AND k.contype IN ('c', 'x')
    UNION SELECT a.attrelid, 'domain ' || holds.domain::regtype || ' of column ' || quote_ident(a.attname),
      holds.function, true FROM holds JOIN pg_attribute a ON a.atttypid = holds.type AND a.attnum > 0
      AND NOT a.attisdropped
    UNION SELECT a.adrelid, 'generated column ' || quote_ident(t.attname), called.function, true FROM called
      JOIN pg_attrdef a ON (called.classid = 'pg_attrdef'::regclass AND a.oid = called.objid)
        OR (called.classid = 'pg_class'::regclass AND called.objid = a.adrelid AND called.objsubid = a.adnum)
      JOIN pg_attribute t ON t.attrelid = a.adrelid AND t.attnum = a.adnum
      WHERE to_jsonb(t)->>'attgenerated' = 's'
    UNION SELECT c.oid, 'its partition key', called.function, true FROM called JOIN pg_class c
      ON called.classid = 'pg_class'::regclass AND c.oid = called.objid AND c.relkind = 'p'
    UNION SELECT s.stxrelid, 'statistics ' || quote_ident(s.stxname), called.function, true FROM called
      JOIN pg_statistic_ext s ON called.classid = 'pg_statistic_ext'::regclass AND s.oid = called.objid
    UNION SELECT reads.view, 'its query', called.function, false FROM called JOIN pg_rewrite r
      ON called.classid = 'pg_rewrite'::regclass AND r.oid = called.objid
      JOIN reads ON reads.relation = r.ev_class),
-- And what those call in turn, as far as nothing has a path of its own.
reached AS (SELECT DISTINCT item.function AS top, item.function AS oid FROM item JOIN code ON code.oid = item.function
      WHERE NOT code.pinned
    UNION SELECT reached.top, callee.oid FROM reached JOIN code ON code.oid = reached.oid
      CROSS JOIN LATERAL (SELECT c.oid FROM regexp_matches(code.body, '("[^"]+"|[a-z_][\w$]*)\s*\(', 'gi') m
          JOIN code c ON c.proname = CASE WHEN m[1] LIKE '"%' THEN btrim(m[1], '"') ELSE lower(m[1]) END
          WHERE code.is_text
        UNION ALL SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = code.oid
          AND d.refclassid = 'pg_proc'::regclass) callee
      JOIN code c ON c.oid = callee.oid AND NOT c.pinned),
-- Names without a schema in them: called; read or written; a type.
word AS (SELECT code.oid, lower(m[1]) AS name, 'f' AS kind FROM code,
      regexp_matches(code.body, '(?<![.\w$"])("[^"]+"|[a-z_][\w$]*)\s*\(', 'gi') m
      WHERE code.is_text AND code.oid IN (SELECT oid FROM reached)
    UNION SELECT code.oid, lower(m[1]), 'r' FROM code, regexp_matches(code.body,
      '\m(?:from|join|into|update|only|table|using)\s+("[^"]+"|[a-z_][\w$]*)(?!\s*[.(])(?![\w$])', 'gi') m
      WHERE code.is_text AND code.oid IN (SELECT oid FROM reached)
    UNION SELECT code.oid, lower(coalesce(m[1], m[2], m[3])), 't' FROM code, regexp_matches(code.body,
      '::\s*("[^"]+"|[a-z_][\w$]*)(?![\w$.])|\mas\s+("[^"]+"|[a-z_][\w$]*)\s*\)|[\w$"]\s+("[^"]+"|[a-z_][\w$]*)(?:\[\])?\s*(?:;|:=|=|%|\mnot\s+null\M|\mdefault\M)',
      'gi') m WHERE code.is_text AND code.oid IN (SELECT oid FROM reached)),
missing AS (SELECT word.oid, string_agg(DISTINCT word.name, ', ') AS names FROM word WHERE CASE word.kind
      WHEN 'f' THEN btrim(word.name, '"') IN (SELECT lower(proname) FROM code) AND NOT EXISTS (SELECT 1 FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = word.name)
      WHEN 'r' THEN EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE lower(c.relname) = btrim(word.name, '"') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine'))
      ELSE EXISTS (SELECT 1 FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace
        WHERE lower(y.typname) = btrim(word.name, '"') AND y.typtype IN ('d', 'e', 'b', 'c', 'r') AND y.typelem = 0
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')) END
    GROUP BY 1)
SELECT item.relation::regclass::text, string_agg(DISTINCT item.what, ', '),
  string_agg(DISTINCT code.signature || ' (' || missing.names || ')', ', '),
  string_agg(DISTINCT 'ALTER FUNCTION ' || code.signature || ' SET search_path = ' || $2, '; '),
  bool_or(code.of_extension), bool_or(item.each)
FROM item JOIN reached ON reached.top = item.function JOIN missing ON missing.oid = reached.oid
JOIN code ON code.oid = missing.oid
WHERE item.relation <> ALL ($1::oid[]) AND NOT EXISTS (SELECT 1 FROM pg_depend x
  WHERE x.classid = 'pg_class'::regclass AND x.objid = item.relation AND x.deptype = 'e')
GROUP BY item.relation ORDER BY 1
