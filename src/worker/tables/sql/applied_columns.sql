-- applied_columns - what Bucardo applies of each table of migration $1 where that is not all columns.
-- NULL: somebody else's; '': not the same for both databases.
SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename),
CASE WHEN bool_or(c.db IS NULL OR c.sync IS NOT NULL) THEN NULL
 WHEN count(*) = 2 AND min(c.clause) = max(c.clause) THEN min(c.clause) ELSE '' END
FROM bucardo.goat g JOIN bucardo.customcols c ON c.goat = g.id
WHERE g.db = $1 || '_source' GROUP BY 1
