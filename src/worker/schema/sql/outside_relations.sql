-- outside_relations - $1 oids of relations that are left out, $2 names of extensions that are; all
-- oids that stay behind with them. On the source.
SELECT array(SELECT unnest($1::oid[]) UNION SELECT d.objid FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid WHERE d.refclassid = 'pg_extension'::regclass
AND d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND e.extname = ANY ($2::text[]))
