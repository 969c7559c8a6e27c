-- live_register - $1 a migration, $2 whether it replicates in both directions. On the destination.
INSERT INTO bucardo_machine.handover AS h (migration, is_both) VALUES ($1, $2::boolean)
ON CONFLICT (migration) DO UPDATE SET is_both = excluded.is_both
WHERE h.is_both <> excluded.is_both
