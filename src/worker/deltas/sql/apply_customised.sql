-- apply_customised - of the control database: the tables of migration $1 of which a person chose the columns that
-- are applied, or their name on the other side.
SELECT DISTINCT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename) FROM bucardo.goat g
LEFT JOIN bucardo.customcols c ON c.goat = g.id LEFT JOIN bucardo.customname n ON n.goat = g.id
WHERE g.db = $1 || '_source' AND (c.id IS NOT NULL AND (c.db IS NULL OR c.sync IS NOT NULL) OR n.id IS NOT NULL)
