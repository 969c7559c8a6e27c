-- keys_known - $1 a migration: its tables and the keys that Bucardo knows, as `columns : kinds`, b
-- for bytea. In the control database.
SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename), g.qpkey || ' : ' ||
(SELECT string_agg(CASE t WHEN 'bytea' THEN 'b' ELSE '-' END, '' ORDER BY n)
 FROM unnest(string_to_array(g.pkeytype, '|')) WITH ORDINALITY AS x(t, n))
FROM bucardo.goat g WHERE g.db = $1 || '_source' AND g.reltype = 'table'
