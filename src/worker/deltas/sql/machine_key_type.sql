-- machine_key_type - the type that a column of a delta table has for a column of the key of type
-- $1: the widest of its family, so that a key that is made wider needs no other delta table and
-- no write of the application fails meanwhile; of a domain what it stands for, since its checks
-- are no business of keys that are gone; of texts the bytes tell two apart. Bucardo reads and
-- compares keys in their text form, which is the same. An enum is text too, or nobody could drop its type, as
-- who replaces one does: its text is the same in each session, unlike that of a composite with dates in it. What
-- is kept as text is written by format(), never by a cast: its owner may make one, which would run with our
-- rights. A type of somebody's that is merely called citext stays; so does one that its owner has
-- added to the extension (machine_cast_safe).
CREATE OR REPLACE FUNCTION bucardo.machine_key_type(my_type oid) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
WITH RECURSIVE up AS (SELECT oid, typtype, typbasetype, typname, typnamespace, typcollation, typowner
    FROM pg_type WHERE oid = my_type
  UNION ALL SELECT b.oid, b.typtype, b.typbasetype, b.typname, b.typnamespace, b.typcollation, b.typowner
    FROM up JOIN pg_type b ON up.typtype = 'd' AND b.oid = up.typbasetype)
SELECT CASE WHEN oid IN (21, 23) THEN 'pg_catalog.int8'
    WHEN typtype = 'e' OR oid = 1043 OR typname = 'citext' AND EXISTS (SELECT 1 FROM pg_depend e JOIN pg_extension x
      ON x.oid = e.refobjid AND x.extname = 'citext' JOIN pg_roles r ON r.oid = up.typowner
      AND (r.rolsuper OR r.rolname = current_user) WHERE e.classid = 'pg_type'::regclass
      AND e.objid = up.oid AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e') THEN 'pg_catalog.text COLLATE pg_catalog."C"'
    ELSE (SELECT quote_ident(nspname) FROM pg_namespace n WHERE n.oid = typnamespace) || '.' ||
      quote_ident(typname) || CASE WHEN typcollation <> 0 THEN ' COLLATE pg_catalog."C"' ELSE '' END
  END FROM up WHERE typtype <> 'd'
$machine$
