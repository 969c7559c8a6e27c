-- unnamed_operators - what compares by an operator outside pg_catalog in a way that cannot name its
-- schema (IS DISTINCT FROM, NULLIF, CASE, JOIN USING): without the path it is another operator, or none.
-- Of each the rows of the catalog that a dump may have it under, the relation or type, what it is, and
-- the operators.
WITH used AS (SELECT d.classid, d.objid, d.objsubid,
      string_agg(DISTINCT quote_ident(n.nspname) || '.' || o.oprname, ', ') AS operators
    FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE d.refclassid = 'pg_operator'::regclass AND n.nspname <> 'pg_catalog' GROUP BY 1, 2, 3),
said AS (
  SELECT used.*, CASE WHEN r.rulename = '_RETURN' THEN 'pg_class'::regclass ELSE 'pg_rewrite'::regclass END AS class,
      CASE WHEN r.rulename = '_RETURN' THEN r.ev_class ELSE r.oid END AS oid, r.ev_class AS relation,
      CASE WHEN r.rulename = '_RETURN' THEN 'it' ELSE 'rule ' || quote_ident(r.rulename) END AS what,
      CASE WHEN r.rulename = '_RETURN' THEN pg_get_viewdef(r.ev_class) ELSE pg_get_ruledef(r.oid) END AS text
    FROM used JOIN pg_rewrite r ON used.classid = 'pg_rewrite'::regclass AND r.oid = used.objid
  UNION ALL SELECT used.*, e.class, e.oid, k.conrelid, 'constraint ' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
    FROM used JOIN pg_constraint k ON used.classid = 'pg_constraint'::regclass AND k.oid = used.objid
    CROSS JOIN LATERAL (VALUES ('pg_constraint'::regclass, k.oid), ('pg_class'::regclass, k.conrelid),
      ('pg_type'::regclass, k.contypid)) e (class, oid) WHERE e.oid <> 0
  UNION ALL SELECT used.*, 'pg_trigger'::regclass, t.oid, t.tgrelid, 'trigger ' || quote_ident(t.tgname), pg_get_triggerdef(t.oid)
    FROM used JOIN pg_trigger t ON used.classid = 'pg_trigger'::regclass AND t.oid = used.objid
  UNION ALL SELECT used.*, 'pg_policy'::regclass, p.oid, p.polrelid, 'policy ' || quote_ident(p.polname),
      concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM used JOIN pg_policy p ON used.classid = 'pg_policy'::regclass AND p.oid = used.objid
  UNION ALL SELECT used.*, e.class, e.oid, a.adrelid, 'column ' || (SELECT quote_ident(c.attname) FROM pg_attribute c
      WHERE c.attrelid = a.adrelid AND c.attnum = a.adnum), pg_get_expr(a.adbin, a.adrelid)
    FROM used JOIN pg_attrdef a ON (used.classid = 'pg_attrdef'::regclass AND a.oid = used.objid)
      OR (used.classid = 'pg_class'::regclass AND used.objsubid = a.adnum AND used.objid = a.adrelid)
    CROSS JOIN LATERAL (VALUES ('pg_attrdef'::regclass, a.oid), ('pg_class'::regclass, a.adrelid)) e (class, oid)
  UNION ALL SELECT used.*, 'pg_class'::regclass, i.indexrelid, i.indrelid, 'index ' || quote_ident(c.relname),
      pg_get_indexdef(i.indexrelid)
    FROM used JOIN pg_index i ON used.classid = 'pg_class'::regclass AND i.indexrelid = used.objid
    JOIN pg_class c ON c.oid = i.indexrelid
  UNION ALL SELECT used.*, 'pg_statistic_ext'::regclass, s.oid, s.stxrelid, 'statistics ' || quote_ident(s.stxname),
      pg_get_statisticsobjdef(s.oid)
    FROM used JOIN pg_statistic_ext s ON used.classid = 'pg_statistic_ext'::regclass AND s.oid = used.objid)
SELECT class::oid, oid, CASE WHEN relation <> 0 THEN relation::regclass::text ELSE oid::regtype::text END, what, operators
  FROM said WHERE text ~ '\mIS (NOT )?DISTINCT FROM\M|\mNULLIF\(|\mCASE\M|\mUSING \('
  AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = class AND x.objid = said.oid AND x.deptype = 'e')
  AND relation <> ALL ($1::oid[]) AND (class <> 'pg_type'::regclass OR relation = 0)
  ORDER BY 3, 4
