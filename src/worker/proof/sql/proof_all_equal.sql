-- proof_all_equal - whether every table of migration $1 is equal, and that was never seen before: one row then. It
-- is written down, so that it is told once.
INSERT INTO bucardo.machine_proof_states (migration, kind, name, state, why, since)
SELECT $1, 'migration', '', 'equal', '', now()
WHERE EXISTS (SELECT 1 FROM bucardo.machine_proof_states WHERE migration = $1 AND kind IN ('table', 'materialized view'))
AND NOT EXISTS (SELECT 1 FROM bucardo.machine_proof_states WHERE migration = $1 AND kind IN ('table', 'materialized view') AND state <> 'equal')
ON CONFLICT (migration, kind, name) DO NOTHING RETURNING 1
