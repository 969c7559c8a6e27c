-- drift_base - what both sides are compared by; drift_fingerprints and drift_definitions go on
-- from here. $1 names of tables as text[] (NULL: all), $2 whether texts of expressions count
-- (they read the same only on servers of one version), $3 the side. Servers from 10 on: a
-- column that an older one lacks is found in `old` instead.
-- Foreign keys are not compared: in replica role nobody checks them, so they refuse no row.
-- An expression does not read the same after it was dumped and restored (casts move about in
-- v IN ('a', 'b') of a varchar): texts are compared without casts, brackets and blanks.
WITH RECURSIVE plain AS (SELECT '::\s*("([^"]|"")+"|\w+)(\.("([^"]|"")+"|\w+))?(\(-?\d+(,-?\d+)?\))?'
    || '( varying| precision| with time zone| without time zone)*(\(-?\d+(,-?\d+)?\))?(\[\])*'
    || '|[()\s]' AS noise),
old AS (SELECT ''::"char" AS attgenerated, ''::"char" AS attidentity,
    true AS conenforced, 0::oid AS rngmultitypid, NULL::text AS attmissingval),
t AS (SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relowner,
    c.relrowsecurity, c.relforcerowsecurity,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bound
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
  AND n.nspname <> ALL ('{information_schema,bucardo,bucardo_machine}')
  AND ($1::text[] IS NULL
    OR quote_ident(n.nspname) || '.' || quote_ident(c.relname) = ANY ($1::text[]))),
cols AS (SELECT t.oid, a.attnum, a.attname::text AS attname, a.atttypid, a.attnotnull AS required,
    format_type(a.atttypid, a.atttypmod) AS type, a.attinhcount > 0 AS inherited,
    a.attgenerated::text AS generated, a.attidentity::text AS identity,
    d.oid IS NOT NULL AS has_default, d.oid AS filler, pg_get_expr(d.adbin, d.adrelid) AS value,
    (a.attmissingval::text::text[])[1] AS missing,
    regexp_replace(pg_get_expr(d.adbin, d.adrelid), plain.noise, '', 'g') AS same,
    CASE WHEN a.attcollation <> y.typcollation THEN (SELECT quote_ident(n.nspname) || '.'
      || quote_ident(o.collname) FROM pg_collation o JOIN pg_namespace n
      ON n.oid = o.collnamespace WHERE o.oid = a.attcollation) END AS coll
  FROM t CROSS JOIN old CROSS JOIN plain CROSS JOIN LATERAL (SELECT attrelid, attnum, attname, atttypid, atttypmod,
    attnotnull, attinhcount, attcollation, attgenerated, attidentity, attmissingval FROM pg_attribute
    WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped) a
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum),
keys AS (SELECT p.conrelid AS oid, string_agg(quote_ident(k.attname), ', ' ORDER BY x.n) AS columns
  FROM pg_constraint p JOIN t ON t.oid = p.conrelid
  CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY AS x(num, n)
  JOIN pg_attribute k ON k.attrelid = p.conrelid AND k.attnum = x.num
  WHERE p.contype = 'p' GROUP BY 1),
-- What may refuse a row; `key`: the primary key, which is compared by itself. Two are the same
-- when their definitions are, whatever they are called. Storage parameters do not matter.
written AS (SELECT t.oid, false AS key, k.conname::text AS name, k.coninhcount > 0 AS inherited,
    'ALTER TABLE ' AS alter, NULL::oid AS index,
    regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS def
  FROM t CROSS JOIN old CROSS JOIN LATERAL (SELECT oid, conname, coninhcount FROM pg_constraint
    WHERE conrelid = t.oid AND contype IN ('c', 'x') AND conenforced) k
  UNION ALL SELECT t.oid, i.indisprimary, c.relname::text, c.relispartition, NULL, i.indexrelid,
    CASE WHEN c.reloptions IS NULL THEN d.def
      ELSE regexp_replace(d.def, ' WITH \([^()]*\)', '') END
  FROM t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique AND i.indisready
  JOIN pg_class c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL (SELECT substr(pg_get_indexdef(i.indexrelid),
    length('CREATE UNIQUE INDEX ' || quote_ident(c.relname) || ' ON ') + 1) AS def) d),
guards AS (SELECT w.*, regexp_replace(w.def, plain.noise, '', 'g') AS same FROM written w CROSS JOIN plain),
-- Types that are not the server's own, through arrays, domains, composites and ranges.
reach(root, typ) AS (SELECT DISTINCT atttypid, atttypid FROM cols WHERE atttypid >= 16384
  UNION SELECT r.root, x.typ FROM reach r JOIN pg_type y ON y.oid = r.typ
  CROSS JOIN LATERAL (SELECT unnest(ARRAY[y.typelem, y.typbasetype]) AS typ
    UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE y.typtype = 'c'
      AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = y.oid
    UNION ALL SELECT m.rngtypid FROM old CROSS JOIN LATERAL (SELECT rngtypid FROM pg_range
      WHERE rngmultitypid = y.oid) m) x WHERE x.typ >= 16384),
kinds AS (SELECT y.oid, format_type(y.oid, NULL) AS name, CASE y.typtype
    WHEN 'e' THEN json_build_object('kind', 'e', 'labels', (SELECT json_agg(e.enumlabel
      ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid))
    WHEN 'd' THEN json_build_object('kind', 'd', 'base', format_type(y.typbasetype, y.typtypmod),
      'required', y.typnotnull, 'guards', (SELECT json_agg(json_build_object('name',
        quote_ident(k.conname), 'def', regexp_replace(pg_get_constraintdef(k.oid),
        ' NOT VALID$', ''), 'same', regexp_replace(pg_get_constraintdef(k.oid),
        ' NOT VALID$|' || plain.noise, '', 'g')) ORDER BY k.conname) FROM pg_constraint k CROSS JOIN plain
        WHERE k.contypid = y.oid AND k.contype = 'c'))
    WHEN 'c' THEN json_build_object('kind', 'c', 'is_table', (SELECT c.relkind <> 'c'
        FROM pg_class c WHERE c.oid = y.typrelid), 'attributes',
      (SELECT json_agg(json_build_object('name', quote_ident(a.attname), 'type',
        format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
    WHEN 'r' THEN json_build_object('kind', 'r', 'base', (SELECT format_type(g.rngsubtype, NULL)
      FROM pg_range g WHERE g.rngtypid = y.oid)) END AS def
  FROM pg_type y WHERE y.oid IN (SELECT typ FROM reach) AND y.typtype IN ('e', 'd', 'c', 'r')),
-- What acts on rows that replication writes (triggers and rules that fire in replica role; a
-- COPY heeds no rule, a DELETE does), or hides rows from us. `rewrites`: it may change or drop rows;
-- `acts`: it fires for what Bucardo does, which is DELETE and INSERT.
alarms AS (SELECT t.oid, 'trigger' AS what, quote_ident(g.tgname) AS name,
    g.tgenabled::text AS enabled, g.tgtype & 3 = 3 AND g.tgtype & 12 <> 0 AS rewrites,
    g.tgtype & 12 <> 0 AS acts,
    md5(concat_ws(' ', p.prosrc, g.tgtype, encode(g.tgargs, 'hex'))) AS def
  FROM t JOIN pg_trigger g ON g.tgrelid = t.oid JOIN pg_proc p ON p.oid = g.tgfoid
  WHERE g.tgenabled IN ('A', 'R') AND NOT g.tgisinternal AND NOT EXISTS (SELECT 1
    FROM pg_namespace n WHERE n.oid = p.pronamespace AND n.nspname IN ('bucardo', 'bucardo_machine'))
  UNION ALL SELECT t.oid, 'rule', quote_ident(r.rulename), r.ev_enabled::text, r.is_instead, true, ''
  FROM t JOIN pg_rewrite r ON r.ev_class = t.oid
  WHERE r.ev_enabled IN ('A', 'R') AND r.ev_type = '4'
  UNION ALL SELECT t.oid, 'hidden', quote_ident(current_user),
    CASE WHEN t.relforcerowsecurity AND pg_has_role(t.relowner, 'USAGE') THEN 'F' ELSE '' END, true, true, ''
  FROM t WHERE t.relrowsecurity AND row_security_active(t.oid)),
-- What computes a generated column, as far as it is not the server's own: each side has the value
-- of its own function. A body names others that it calls; an overload of such a name counts too.
-- `direct`: the expression itself uses it; whether the column or its expression depends on it is up
-- to the server's version.
calls(oid, attnum, fn, direct) AS (SELECT c.oid, c.attnum, p.oid, true FROM cols c
    CROSS JOIN LATERAL (VALUES ('pg_class'::regclass, c.oid, c.attnum::int),
      ('pg_attrdef'::regclass, c.filler, 0)) AS x(class, oid, num)
    JOIN pg_depend d ON (d.classid, d.objid, d.objsubid) = (x.class, x.oid, x.num)
      AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    JOIN pg_proc p ON p.oid = coalesce(o.oprcode::oid, d.refobjid) AND p.oid >= 16384
    WHERE c.generated <> ''
  UNION SELECT c.oid, c.attnum, p.oid, false FROM calls c JOIN pg_proc b ON b.oid = c.fn
    JOIN pg_proc p ON p.oid >= 16384 AND p.oid <> b.oid AND b.probin IS NULL
      AND CASE WHEN b.prosrc <> '' THEN b.prosrc WHEN $2::boolean THEN pg_get_functiondef(b.oid) ELSE '' END
        ~* ('(^|\W)' || regexp_replace(p.proname, '(\W)', '\\\1', 'g') || '"?\s*\(')
    WHERE NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass
      AND e.objid = p.oid AND e.deptype = 'e')),
makers AS (SELECT c.oid, c.attnum, p.oid::regprocedure::text AS name, bool_or(c.direct) AS direct,
    p.oid AS fn, md5(concat_ws(' ', l.lanname, p.proisstrict, p.proconfig, p.probin IS NULL,
      CASE WHEN p.prosrc = '' AND $2::boolean THEN pg_get_functiondef(p.oid) ELSE p.prosrc END)) AS def
  FROM calls c JOIN pg_proc p ON p.oid = c.fn JOIN pg_language l ON l.oid = p.prolang GROUP BY 1, 2, 3, 5, 6),
family AS (SELECT i.inhrelid AS oid, string_agg(quote_ident(n.nspname) || '.' ||
    quote_ident(c.relname), ', ' ORDER BY i.inhseqno) AS parents
  FROM pg_inherits i JOIN t ON t.oid = i.inhrelid JOIN pg_class c ON c.oid = i.inhparent
  JOIN pg_namespace n ON n.oid = c.relnamespace GROUP BY 1)
