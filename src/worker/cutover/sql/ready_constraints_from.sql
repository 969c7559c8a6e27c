-- ready_constraints_from - constraints that are NOT VALID, as a JSON list of "table constraint".
SELECT coalesce(json_agg(c.conrelid::regclass || ' ' || quote_ident(c.conname)), '[]')
FROM pg_constraint c WHERE NOT c.convalidated
AND c.conrelid = ANY (current_setting('bucardo_machine.tables')::oid[])
