-- late_tables - tables whose rows call functions when they are written (stored generated columns, checks,
-- domains, keys of partitions): such a function may read other tables, and those must be there then.
WITH RECURSIVE called AS (SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
    JOIN pg_proc p ON p.oid = CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
    JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND l.lanname NOT IN ('internal', 'c')
    AND d.classid IN ('pg_attrdef'::regclass, 'pg_class'::regclass, 'pg_constraint'::regclass)),
type AS (SELECT k.contypid AS oid FROM called JOIN pg_constraint k ON called.classid = 'pg_constraint'::regclass
      AND k.oid = called.objid WHERE k.contypid <> 0
    UNION SELECT x.oid FROM type CROSS JOIN LATERAL (
      SELECT y.oid FROM pg_type y WHERE y.typbasetype = type.oid OR (y.typelem = type.oid AND y.typlen = -1)
      UNION ALL SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.atttypid = type.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.reltype <> 0
      UNION ALL SELECT g.rngtypid FROM pg_range g WHERE g.rngsubtype = type.oid) x),
found AS (SELECT k.conrelid AS oid FROM called JOIN pg_constraint k ON called.classid = 'pg_constraint'::regclass
      AND k.oid = called.objid WHERE k.contype = 'c'
    UNION SELECT a.adrelid FROM called JOIN pg_attrdef a ON (called.classid = 'pg_attrdef'::regclass
      AND a.oid = called.objid) OR (called.classid = 'pg_class'::regclass AND called.objid = a.adrelid
      AND called.objsubid = a.adnum) JOIN pg_attribute c ON c.attrelid = a.adrelid AND c.attnum = a.adnum
      WHERE to_jsonb(c)->>'attgenerated' = 's'
    UNION SELECT called.objid FROM called JOIN pg_class c ON called.classid = 'pg_class'::regclass
      AND c.oid = called.objid AND c.relkind = 'p'
    UNION SELECT a.attrelid FROM type JOIN pg_attribute a ON a.atttypid = type.oid AND a.attnum > 0),
below AS (SELECT oid FROM found UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid)
SELECT DISTINCT oid FROM below
