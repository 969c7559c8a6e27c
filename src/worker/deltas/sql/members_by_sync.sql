-- members_by_sync - $1 a migration: its tables, and which of its syncs has each, from 0. In the
-- control database.
SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename),
coalesce(substring(h.herd FROM '_([2-8])$')::int - 1, 0)
FROM bucardo.goat g JOIN bucardo.herdmap h ON h.goat = g.id
WHERE g.reltype = 'table' AND h.herd ~ ('^' || $1 || '_tables(_[2-8])?$')
