-- doctor_password - until when the password of the machine's role is good; no row: for ever.
SELECT r.rolname AS role, to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC' AS until,
	extract(epoch FROM r.rolvaliduntil - clock_timestamp())::bigint AS left_sec,
	format('ALTER ROLE %I VALID UNTIL ''infinity''', r.rolname) AS cure
FROM pg_roles r WHERE r.rolname = session_user AND isfinite(r.rolvaliduntil)
