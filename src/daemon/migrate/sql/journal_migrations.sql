-- journal_migrations - What the journal has of each migration, in the order in which they came.
SELECT name, definition, until, (extract(epoch FROM paused_at) * 1000)::bigint, paused_by,
	coalesce(resuming, false), leaving, changing
	FROM machine.migration ORDER BY created, name
