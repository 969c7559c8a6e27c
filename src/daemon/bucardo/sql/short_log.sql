-- short_log - Its functions log what they do, with statement and context each time. Said once: each saying waits for the disk.
DO $machine$ BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
		JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE r.rolname = 'bucardo' AND d.datname = 'bucardo'
		AND s.setconfig @> '{log_error_verbosity=terse,log_min_error_statement=fatal}') THEN
		ALTER ROLE bucardo IN DATABASE bucardo SET log_error_verbosity = 'terse';
		ALTER ROLE bucardo IN DATABASE bucardo SET log_min_error_statement = 'fatal';
	END IF;
END $machine$
