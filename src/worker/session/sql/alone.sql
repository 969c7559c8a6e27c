-- alone - the lock of those who make something of ours on this side; waited for 20 s
SELECT pg_catalog.set_config('lock_timeout', '20s', true), pg_catalog.pg_advisory_lock(1651860321, 4)
