-- touches_request_both - $1 a table, $2 why: all rows of both sides are sent again from the first
-- one on. On the live side.
INSERT INTO bucardo.machine_touches (tablename, why) VALUES ($1, $2)
ON CONFLICT (tablename) DO UPDATE SET file = NULL, follower_file = NULL,
shipped = false, held = false, why = excluded.why
