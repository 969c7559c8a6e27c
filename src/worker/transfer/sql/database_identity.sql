-- database_identity - which database of which cluster this is. On either side.
SELECT 'system ' || s.system_identifier || ' database ' || d.oid
FROM pg_control_system() s, pg_database d
WHERE d.datname = current_database()
