-- ready_proven - captured tables that `verify` has not found equal in all their ranges. A range with
-- changes since keeps its proof, or has lost it to a pass that was ended before it read it: step `verify`
-- reads it before the freeze, and what is captured then is compared in the freeze.
SELECT n.name, CASE WHEN p.complete IS NULL THEN 'it was not compared yet'
	WHEN NOT p.complete THEN 'its comparison was not finished'
	ELSE (p.buckets - o.proven) || ' of ' || p.buckets || ' ranges are not proven equal' END,
	'bucardo-machine verify ' || current_setting('bucardo_machine.migration') || ', or --accept ' || n.name
FROM json_array_elements_text(current_setting('bucardo_machine.names')::json) n(name)
LEFT JOIN bucardo.machine_proof_plans p ON p.tablename = n.name
	AND p.migration = current_setting('bucardo_machine.migration')
LEFT JOIN LATERAL (SELECT count(*) AS proven FROM bucardo.machine_proofs o WHERE o.tablename = n.name
	AND o.migration = p.migration) o ON true
LEFT JOIN bucardo.machine_proof_states s ON s.name = p.tablename AND s.migration = p.migration AND s.kind = 'table'
WHERE p.complete IS NOT TRUE OR o.proven < p.buckets AND coalesce(s.state, 'unproven') NOT IN ('equal', 'in_flight')
ORDER BY 1
