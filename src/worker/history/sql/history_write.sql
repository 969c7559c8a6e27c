-- history_write - $1: an array of rows of 10 s. Two of one place, as when the clock was set back, are the later one.
INSERT INTO machine.history AS h (migration, step, slot, at, lag, backlog, applied, copied, verified, differences,
	load, phase, predicted_end)
SELECT DISTINCT ON (r.migration, slot.n) r.migration, 10, slot.n, r.at, r.lag, r.backlog, r.applied, r.copied,
	r.verified, r.differences, r.load, r.phase, r.predicted_end
	FROM pg_catalog.jsonb_to_recordset($1::jsonb) AS r(number int, migration text, at bigint, lag real, backlog bigint,
		applied bigint, copied bigint, verified real, differences bigint, load real, phase text,
		predicted_end bigint), LATERAL (SELECT (r.at / 10 % 8640)::int) AS slot(n)
	ORDER BY r.migration, slot.n, r.number DESC
ON CONFLICT (migration, step, slot) DO UPDATE SET at = excluded.at, lag = excluded.lag, backlog = excluded.backlog,
	applied = excluded.applied, copied = excluded.copied, verified = excluded.verified,
	differences = excluded.differences, load = excluded.load, phase = excluded.phase,
	predicted_end = excluded.predicted_end
