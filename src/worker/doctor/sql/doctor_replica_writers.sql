-- doctor_replica_writers - who writes in replica role here: roles and databases that are set so, subscriptions.
-- "loose" counts captured tables whose trigger would not fire for them.
SELECT w.what, w.cure, (SELECT count(*) FROM pg_trigger t WHERE t.tgname = 'bucardo_delta' AND t.tgenabled <> 'A'
	AND t.tgrelid = ANY (current_setting('bucardo_machine.tables')::oid[]))::int AS loose
FROM (SELECT CASE WHEN r.rolname IS NULL THEN 'every role in database ' || quote_ident(d.datname)
		ELSE 'role ' || quote_ident(r.rolname) END AS what,
		CASE WHEN r.rolname IS NULL THEN 'ALTER DATABASE ' || quote_ident(d.datname)
			ELSE 'ALTER ROLE ' || quote_ident(r.rolname) || coalesce(' IN DATABASE ' || quote_ident(d.datname), '') END
			|| ' RESET session_replication_role' AS cure
	FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
	WHERE 'session_replication_role=replica' = ANY (s.setconfig)
	AND (s.setdatabase = 0 OR d.datname = current_database()) AND r.rolname IS DISTINCT FROM current_user
	UNION ALL SELECT DISTINCT 'subscription ' || quote_ident(b.subname), format('ALTER SUBSCRIPTION %I DISABLE', b.subname)
	FROM pg_subscription b JOIN pg_subscription_rel l ON l.srsubid = b.oid
	WHERE b.subenabled AND l.srrelid = ANY (current_setting('bucardo_machine.tables')::oid[])) w
ORDER BY 1
