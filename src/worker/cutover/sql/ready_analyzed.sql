-- ready_analyzed - tables with rows of which the planner knows nothing: plans would be guesses, and the
-- first minute on this side the slowest.
SELECT c.oid::regclass::text, 'it was never analyzed: plans of its queries would be guesses',
	'ANALYZE ' || c.oid::regclass
FROM pg_class c WHERE c.oid = ANY (current_setting('bucardo_machine.tables')::oid[])
AND (c.reltuples < 0 OR (c.relpages = 0 AND c.reltuples = 0)) AND pg_relation_size(c.oid) > 8192
ORDER BY 1
