-- sequence_text - the statement that makes sequence $1 anew, or where it belongs to a column, which.
SELECT coalesce((SELECT 'add column ' || quote_ident(a.attname) || ' of ' || quote_ident(tn.nspname) || '.'
      || quote_ident(t.relname) || ' as the other side has it' FROM pg_depend d
    JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i') LIMIT 1),
  format('CREATE SEQUENCE %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', $1::text,
    format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
    CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END))
FROM pg_sequence s WHERE s.seqrelid = to_regclass($1::text)
