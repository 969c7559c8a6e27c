-- verify_large_objects - the large objects of one side: OID, bytes and a digest of all of them
-- (NULL: our role may not read it). A page at a time, of which only the digest is kept.
SELECT m.oid, b.bytes, b.digest
FROM pg_largeobject_metadata m CROSS JOIN LATERAL (SELECT pg_has_role(m.lomowner, 'USAGE')
  OR current_setting('lo_compat_privileges')::boolean
  OR EXISTS (SELECT 1 FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
    AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE'))) AS may_read OFFSET 0) r
CROSS JOIN LATERAL (
  WITH RECURSIVE page (at, bytes, digest) AS (
    SELECT 0::bigint, length(x), sha256(x) FROM lo_get(m.oid, 0, 1048576) x WHERE r.may_read
    UNION ALL SELECT p.at + 1048576, length(x), sha256(x)
      FROM page p CROSS JOIN LATERAL lo_get(m.oid, p.at + 1048576, 1048576) x WHERE p.bytes = 1048576)
  SELECT sum(bytes) AS bytes, encode(sha256(string_agg(digest, ''::bytea ORDER BY at)), 'hex') AS digest FROM page) b
