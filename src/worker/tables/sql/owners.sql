-- owners - who owns each table of $1 (JSON: names as keys), then what it is a partition of: a JSON object, name -> roles.
-- On the live side.
WITH RECURSIVE up AS (SELECT k.name, c.oid, c.relowner, 0 AS n FROM json_object_keys($1::json) k(name)
    JOIN pg_class c ON c.oid = to_regclass(k.name)
  UNION ALL SELECT up.name, p.oid, p.relowner, up.n + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.oid
    JOIN pg_class p ON p.oid = i.inhparent)
SELECT coalesce(json_object_agg(x.name, x.roles), '{}')
FROM (SELECT name, json_agg(pg_get_userbyid(relowner) ORDER BY n) AS roles FROM up GROUP BY name) x
