-- path_tables - $1 names of tables as a JSON list: them and their partitions, those that hold rows.
-- On either side.
WITH RECURSIVE t (oid) AS (SELECT to_regclass(n) FROM json_array_elements_text($1::json) n
UNION SELECT i.inhrelid FROM t JOIN pg_inherits i ON i.inhparent = t.oid)
SELECT c.oid::regclass::text FROM t JOIN pg_class c ON c.oid = t.oid WHERE c.relkind = 'r' ORDER BY 1
