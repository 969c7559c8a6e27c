-- owners - who owns table $1 and the tables that it is a partition of: the first is its own, all as a JSON array. On the live side.
WITH RECURSIVE up AS (SELECT c.oid, c.relowner, 0 AS n FROM pg_class c WHERE c.oid = to_regclass($1)
  UNION ALL SELECT p.oid, p.relowner, up.n + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.oid JOIN pg_class p ON p.oid = i.inhparent)
SELECT json_agg(pg_get_userbyid(relowner) ORDER BY n), (array_agg(quote_ident(pg_get_userbyid(relowner)) ORDER BY n))[1] FROM up
