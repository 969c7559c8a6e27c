-- stale_tables - how many ranges of migration $1 are not proven any more; $2 the tables that count, names of a JSON object.
SELECT count(*) FROM bucardo.machine_proof_marks m
WHERE m.migration = $1 AND m.tablename IN (SELECT json_object_keys($2::json))
