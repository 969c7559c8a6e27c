-- ready_constraints - constraints that this side has not validated; $1: a JSON list of those that the
-- other one has not either.
SELECT c.conrelid::regclass || ' ' || quote_ident(c.conname),
	'it is NOT VALID: rows from before it may break it',
	'ALTER TABLE ' || c.conrelid::regclass || ' VALIDATE CONSTRAINT ' || quote_ident(c.conname)
FROM pg_constraint c WHERE NOT c.convalidated
AND c.conrelid = ANY (current_setting('bucardo_machine.tables')::oid[])
AND NOT EXISTS (SELECT 1 FROM json_array_elements_text($1::json) other
	WHERE other = c.conrelid::regclass || ' ' || quote_ident(c.conname)) ORDER BY 1
