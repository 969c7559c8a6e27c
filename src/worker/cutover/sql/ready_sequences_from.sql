-- ready_sequences_from - the sequences of captured tables and where they stand, as a JSON list.
SELECT coalesce(json_agg(json_build_object('name', q.seqrelid::regclass::text, 'up', q.seqincrement > 0,
	'at', s.last_value)), '[]')
FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_sequences s ON s.schemaname = n.nspname AND s.sequencename = c.relname
WHERE EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid
	AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
	AND d.refobjid = ANY (current_setting('bucardo_machine.tables')::oid[]))
AND NOT q.seqcycle
