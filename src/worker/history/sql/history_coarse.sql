-- history_coarse - Rows of 5 minutes from those of 10 s at $1 to before $2 (epoch, both whole 5 minutes): the worst
-- of each. One that is there already is the same.
INSERT INTO machine.history AS h (migration, step, slot, at, lag, backlog, applied, copied, verified, differences,
	load, phase, predicted_end)
SELECT f.migration, 300, (f.bucket / 300 % 17280)::int, f.bucket, max(f.lag), max(f.backlog), max(f.applied),
	max(f.copied), min(f.verified), max(f.differences), avg(f.load),
	(array_agg(f.phase ORDER BY f.at DESC))[1], (array_agg(f.predicted_end ORDER BY f.at DESC))[1]
	FROM (SELECT x.*, x.at - x.at % 300 AS bucket FROM machine.history x
		WHERE x.step = 10 AND x.at >= $1::bigint AND x.at < $2::bigint) f
	GROUP BY f.migration, f.bucket
ON CONFLICT (migration, step, slot) DO UPDATE SET at = excluded.at, lag = excluded.lag, backlog = excluded.backlog,
	applied = excluded.applied, copied = excluded.copied, verified = excluded.verified,
	differences = excluded.differences, load = excluded.load, phase = excluded.phase,
	predicted_end = excluded.predicted_end WHERE h.at <> excluded.at
