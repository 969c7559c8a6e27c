-- live_remember - $1 a migration, $2 whether the destination is the live side. On the source.
INSERT INTO bucardo.machine_live AS m (migration, destination) VALUES ($1, $2::boolean)
ON CONFLICT (migration) DO UPDATE SET destination = excluded.destination
WHERE m.destination <> excluded.destination
