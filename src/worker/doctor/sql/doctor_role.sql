-- doctor_role - a row when our session could not become a replica (it tries when it begins): runs that write
-- here fail then.
SELECT current_user AS role, format('GRANT SET ON PARAMETER session_replication_role TO %I', current_user) AS cure
WHERE current_setting('session_replication_role') <> 'replica'
