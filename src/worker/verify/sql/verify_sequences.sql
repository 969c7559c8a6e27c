-- verify_sequences - the sequences of one side and where they stand: name, the last value (NULL: never used, or not
-- to be read), and the increment.
SELECT quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename), s.last_value, s.increment_by,
  coalesce(has_sequence_privilege(c.oid, 'SELECT, USAGE'), false)
FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename AND c.relkind = 'S'
WHERE s.schemaname !~ '^pg_' AND s.schemaname NOT IN ('information_schema', 'bucardo', 'bucardo_machine')
AND c.relpersistence <> 't' ORDER BY 1
