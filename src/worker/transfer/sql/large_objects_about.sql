-- large_objects_about - what belongs to a large object besides its bytes, in the columns of bm_about.
-- A grantee that is no role any more must not become PUBLIC, which is NULL.
SELECT m.oid, coalesce(r.rolname, m.lomowner::text),
  obj_description(m.oid, 'pg_largeobject'), m.lomacl IS NOT NULL,
  coalesce(a.grantors, '{}'), coalesce(a.grantees, '{}'),
  coalesce(a.privileges, '{}'), coalesce(a.grantables, '{}'),
  coalesce(l.providers, '{}'), coalesce(l.labels, '{}')
FROM pg_largeobject_metadata m LEFT JOIN pg_roles r ON r.oid = m.lomowner
CROSS JOIN LATERAL (SELECT
    array_agg(coalesce(g.rolname, x.grantor::text)) AS grantors,
    array_agg(CASE WHEN x.grantee <> 0 THEN coalesce(e.rolname, x.grantee::text) END) AS grantees,
    array_agg(x.privilege_type) AS privileges, array_agg(x.is_grantable) AS grantables
  FROM aclexplode(m.lomacl) x LEFT JOIN pg_roles g ON g.oid = x.grantor
  LEFT JOIN pg_roles e ON e.oid = x.grantee) a
CROSS JOIN LATERAL (SELECT array_agg(s.provider) AS providers, array_agg(s.label) AS labels
  FROM pg_seclabel s WHERE s.objoid = m.oid
  AND s.classoid = 'pg_largeobject'::regclass AND s.objsubid = 0) l
