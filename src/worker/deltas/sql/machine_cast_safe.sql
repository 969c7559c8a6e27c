-- machine_cast_safe - whether a value of type $1 becomes one of type $2 without a function that a plain
-- role may have made: it is the same, or both are PostgreSQL's own or an extension's. Who owns an
-- extension may add a type of his own to it, which stays his: that is none. A domain is what it stands
-- for: casts of domains are not heeded.
CREATE OR REPLACE FUNCTION bucardo.machine_cast_safe(my_from oid, my_to oid) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
WITH RECURSIVE up AS (SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = my_from
  UNION ALL SELECT b.oid, b.typtype, b.typbasetype
    FROM up JOIN pg_type b ON up.typtype = 'd' AND b.oid = up.typbasetype)
SELECT bool_or(up.oid = my_to OR NOT EXISTS (SELECT 1 FROM unnest(ARRAY[up.oid, my_to]) AS t(oid)
  WHERE t.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend e JOIN pg_type y ON y.oid = e.objid
    JOIN pg_roles r ON r.oid = y.typowner AND (r.rolsuper OR r.rolname = current_user)
    WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid
    AND e.refclassid = 'pg_extension'::regclass AND e.deptype = 'e')))
FROM up WHERE typtype <> 'd'
$machine$
