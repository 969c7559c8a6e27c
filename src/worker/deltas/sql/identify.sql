-- identify - a replica identity for each table of Bucardo's and ours that has none: where a
-- publication covers them (FOR ALL TABLES, or TABLES IN SCHEMA), the server refuses each UPDATE
-- and DELETE of such a table. One may be made later, so it is done without one too: an identity
-- costs nothing but with wal_level = logical, and there the old row in the log of what is purged.
-- A table that is busy is left for the next time.
DO $machine$
DECLARE t regclass;
BEGIN
  PERFORM set_config('lock_timeout', '300ms', true);
  FOR t IN SELECT c.oid FROM pg_catalog.pg_class c
    WHERE c.relnamespace IN (to_regnamespace('bucardo'), to_regnamespace('bucardo_machine'))
    AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident IN ('d', 'n')
    AND NOT (c.relreplident = 'd' AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
      WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid))
    AND pg_has_role(c.relowner, 'USAGE') ORDER BY c.relname LOOP
    BEGIN
      EXECUTE 'ALTER TABLE ' || t || ' REPLICA IDENTITY FULL';
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
  END LOOP;
END $machine$
