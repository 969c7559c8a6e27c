-- write_migration - A migration's row, whole: $1 its name, $2 definition, $3 until, $4 paused at (milliseconds), $5 by
-- whom, $6 whether it resumes, $7 the teardown that was asked for, $8 the latest cut-over.
INSERT INTO machine.migration (name, definition, until, paused_at, paused_by, resuming, leaving, changing)
	VALUES ($1, $2::jsonb, $3, to_timestamp($4::bigint / 1000.0), $5, $6::boolean, $7::jsonb, $8::jsonb)
	ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, until = excluded.until,
		paused_at = excluded.paused_at, paused_by = excluded.paused_by,
		resuming = excluded.resuming, leaving = excluded.leaving, changing = excluded.changing
