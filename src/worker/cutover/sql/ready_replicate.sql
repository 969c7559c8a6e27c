-- ready_replicate - whether the migration replicates, by the journal.
SELECT CASE WHEN p.state = 'done' AND m.paused_at IS NULL AND m.leaving IS NULL THEN 'ready' ELSE 'not_ready' END,
	CASE WHEN m.leaving IS NOT NULL THEN 'torn down' WHEN m.paused_at IS NOT NULL THEN 'paused'
		ELSE coalesce(p.state, 'pending') END,
	CASE WHEN m.leaving IS NOT NULL THEN 'its teardown was asked for'
		WHEN m.paused_at IS NOT NULL THEN 'the migration is paused, by ' || coalesce(m.paused_by, '?')
		WHEN p.state IS DISTINCT FROM 'done' THEN 'what was captured was not applied once yet' ELSE '' END,
	CASE WHEN m.leaving IS NOT NULL THEN ''
		WHEN m.paused_at IS NOT NULL THEN 'bucardo-machine resume ' || m.name
		WHEN p.state IS DISTINCT FROM 'done' THEN 'bucardo-machine status says how far it is' ELSE '' END
FROM machine.migration m LEFT JOIN machine.phase p ON p.migration = m.name AND p.phase = 'replicate'
WHERE m.name = current_setting('bucardo_machine.migration')
