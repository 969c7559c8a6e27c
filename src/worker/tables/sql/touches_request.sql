-- touches_request - $1 a table: all its rows are sent again from the first one on. On the live
-- side.
INSERT INTO bucardo.machine_touches AS t (tablename) VALUES ($1)
ON CONFLICT (tablename) DO UPDATE SET file = NULL, held = false
WHERE t.file IS NOT NULL OR t.held
