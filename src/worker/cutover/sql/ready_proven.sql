-- ready_proven - captured tables that `verify` has not found equal in all their ranges. A range with
-- changes since keeps its proof: what changed was captured, and is compared in the freeze.
SELECT name, CASE WHEN p.complete IS NULL THEN 'it was not compared yet'
	WHEN NOT p.complete THEN 'its comparison was not finished'
	ELSE (p.buckets - o.proven) || ' of ' || p.buckets || ' ranges are not proven equal' END,
	'bucardo-machine verify ' || current_setting('bucardo_machine.migration') || ', or --accept ' || name
FROM json_array_elements_text(current_setting('bucardo_machine.names')::json) name
LEFT JOIN bucardo.machine_proof_plans p ON p.tablename = name
	AND p.migration = current_setting('bucardo_machine.migration')
LEFT JOIN LATERAL (SELECT count(*) AS proven FROM bucardo.machine_proofs o WHERE o.tablename = name
	AND o.migration = p.migration) o ON true
WHERE p.complete IS NOT TRUE OR o.proven < p.buckets ORDER BY 1
