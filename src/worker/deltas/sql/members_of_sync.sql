-- members_of_sync - $1 a sync: names of its tables, quoted where needed. In the control database.
SELECT quote_ident(g.schemaname) || '.' || quote_ident(g.tablename)
FROM bucardo.goat g JOIN bucardo.herdmap h ON h.goat = g.id
JOIN bucardo.sync s ON s.herd = h.herd WHERE s.name = $1
