-- ready_settings - what the questions of a side need: $1 names of tables (a JSON list), $2 migration,
-- $3 budget in milliseconds. Which sessions write to these tables now is kept, to be compared later.
SELECT set_config('bucardo_machine.names', $1, false), set_config('bucardo_machine.migration', $2, false),
	set_config('bucardo_machine.budget', $3, false),
	set_config('bucardo_machine.tables', coalesce((SELECT array_agg(to_regclass(name)::oid)
		FROM json_array_elements_text($1::json) name WHERE to_regclass(name) IS NOT NULL), '{}')::text, false),
	set_config('bucardo_machine.writing', coalesce((SELECT array_agg(DISTINCT l.virtualtransaction) FROM pg_locks l
		WHERE l.granted AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock')
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND l.relation IN (SELECT to_regclass(name)::oid FROM json_array_elements_text($1::json) name)),
		'{}')::text, false)
