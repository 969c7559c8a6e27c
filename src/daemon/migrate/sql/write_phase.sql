-- write_phase - A phase's row, whole: $1 migration, $2 phase, $3 state, $4 class of failure, $5 attempt, $6 and $7
-- begin and end (milliseconds), $8 error, $9 hint, $10 evidence, $11 findings, $12 of $13 are done.
INSERT INTO machine.phase (migration, phase, state, failure, attempt, started, ended, error, mend,
		evidence, findings, done, total)
	VALUES ($1, $2, $3, $4, $5::integer, to_timestamp($6::bigint / 1000.0),
		to_timestamp($7::bigint / 1000.0), $8, $9, $10::jsonb, $11::jsonb, $12::bigint, $13::bigint)
	ON CONFLICT (migration, phase) DO UPDATE SET state = excluded.state, failure = excluded.failure,
		attempt = excluded.attempt, started = excluded.started, ended = excluded.ended,
		error = excluded.error, mend = excluded.mend, evidence = excluded.evidence,
		findings = excluded.findings, done = excluded.done, total = excluded.total
