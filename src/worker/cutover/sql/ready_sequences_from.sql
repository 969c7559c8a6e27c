-- ready_sequences_from - the sequences of captured tables, as a JSON list of names, quoted.
SELECT coalesce(json_agg(q.seqrelid::regclass::text), '[]') FROM pg_sequence q
WHERE EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid
	AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
	AND d.refobjid = ANY (current_setting('bucardo_machine.tables')::oid[]))
