-- machine_identity - which database this is: the cluster's identifier, which a copy of its files and
-- a replica share, and the database's number in it. What a server does not tell is left empty.
CREATE OR REPLACE FUNCTION bucardo.machine_identity() RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE cluster text := '';
BEGIN
  BEGIN
    SELECT c.system_identifier::text INTO cluster FROM pg_control_system() c;
  EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    cluster := '';
  END;
  RETURN cluster || '/' || (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
END $machine$
