-- take_side - until the end of the transaction nobody relies on which side is live: `worker reconcile`
-- holds the same lock, shared, while it writes. One that hangs is ended.
CREATE OR REPLACE FUNCTION bucardo_machine.take_side() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $machine$
BEGIN
  PERFORM pg_advisory_xact_lock(1651860321, 1);
EXCEPTION WHEN lock_not_available THEN
  BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = 1651860321 AND objid = 1 AND objsubid = 2;
    PERFORM pg_advisory_xact_lock(1651860321, 1);
  EXCEPTION WHEN lock_not_available OR insufficient_privilege THEN NULL;
  END;
END $machine$
