-- delta_names - tables that validate_sync() would make and, in the same transaction, delete from
-- or let a trigger write to: made before, they have a replica identity by then (identify.sql).
-- The function is Bucardo's, which finds it and puts its own words into it.
DO $machine$
BEGIN
  IF to_regclass('bucardo.bucardo_delta_names') IS NULL THEN
    CREATE TABLE bucardo.bucardo_delta_names (sync text, tablename text, deltaname text,
      trackname text, cdate timestamptz NOT NULL DEFAULT now());
    CREATE UNIQUE INDEX bucardo_delta_names_unique
      ON bucardo.bucardo_delta_names (sync, tablename);
    IF to_regprocedure('bucardo.bucardo_delta_names_helper()') IS NULL THEN
      CREATE FUNCTION bucardo.bucardo_delta_names_helper() RETURNS trigger LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';
    END IF;
    CREATE TRIGGER bucardo_delta_namemaker BEFORE INSERT OR UPDATE
      ON bucardo.bucardo_delta_names
      FOR EACH ROW EXECUTE PROCEDURE bucardo.bucardo_delta_names_helper();
  END IF;
  IF to_regclass('bucardo.bucardo_truncate_trigger') IS NULL THEN
    CREATE TABLE bucardo.bucardo_truncate_trigger (tablename oid NOT NULL, sname text NOT NULL,
      tname text NOT NULL, sync text NOT NULL, replicated timestamptz,
      cdate timestamptz NOT NULL DEFAULT now());
    CREATE INDEX bucardo_truncate_trigger_index
      ON bucardo.bucardo_truncate_trigger (sync, tablename) WHERE replicated IS NULL;
  END IF;
END $machine$
