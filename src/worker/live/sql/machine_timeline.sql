-- machine_timeline - grows by one when a replica is promoted or an archive was restored. Out of the
-- name of the WAL file in use, which any role may ask for and which is right at once.
CREATE OR REPLACE FUNCTION bucardo.machine_timeline() RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  RETURN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported
  OR object_not_in_prerequisite_state THEN
  RETURN '';
END $machine$
