-- ready_sequences - sequences that this side lacks, or that stand behind those in $1: values would be
-- handed out twice. The machine sets them every few seconds, and once more in the freeze.
SELECT q.name, CASE WHEN to_regclass(q.name) IS NULL THEN 'it is not there'
	ELSE 'it stands at ' || coalesce(s.last_value::text, 'its start') || ', behind ' || q.at END,
	CASE WHEN to_regclass(q.name) IS NULL THEN 'make it there, as it is on the other side'
	ELSE 'the machine sets it every few seconds; bucardo-machine status says why it cannot' END
FROM json_to_recordset($1::json) q(name text, up boolean, at bigint)
LEFT JOIN pg_class c ON c.oid = to_regclass(q.name) LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_sequences s ON s.schemaname = n.nspname AND s.sequencename = c.relname
WHERE c.oid IS NULL OR (q.at IS NOT NULL AND (s.last_value IS NULL OR
	CASE WHEN q.up THEN s.last_value < q.at ELSE s.last_value > q.at END)) ORDER BY 1
