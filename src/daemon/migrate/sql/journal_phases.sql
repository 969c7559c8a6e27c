-- journal_phases - What the journal has of each phase.
SELECT migration, phase, state, failure, attempt, (extract(epoch FROM started) * 1000)::bigint,
	(extract(epoch FROM ended) * 1000)::bigint, error, mend, evidence, findings, done, total
	FROM machine.phase
