-- carried_columns - what Bucardo carries of each table of migration $1 that does not carry all columns.
-- NULL: somebody else's; '': not the same for both databases.
SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename),
CASE WHEN bool_or(c.db IS NULL OR c.sync IS NOT NULL) THEN NULL
 WHEN count(*) = 2 AND min(c.clause) = max(c.clause) THEN min(c.clause) ELSE '' END
FROM bucardo.goat g JOIN bucardo.customcols c ON c.goat = g.id
WHERE g.db = $1 || '_source' GROUP BY 1
