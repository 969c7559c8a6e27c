-- capture_lock_limit - a lock is waited for a second longer than a deadlock takes to be found. On
-- the source.
SELECT set_config('lock_timeout', (setting::bigint + 1000)
::text || 'ms', true) FROM pg_catalog.pg_settings
WHERE name = 'deadlock_timeout'
