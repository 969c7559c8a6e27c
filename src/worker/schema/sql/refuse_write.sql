-- refuse_write - the fence's trigger function; as its owner, because who writes may not read
-- schema bucardo_machine. It asks whether the fence is lifted, so that lifting takes effect at
-- once, whatever locks the tables. The triggers fire in replica role too; sessions of ours and
-- of Bucardo pass: they are in replica role and say that they apply.
CREATE OR REPLACE FUNCTION bucardo_machine.refuse_write() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  IF current_setting('session_replication_role') = 'replica'
    AND current_setting('bucardo_machine.applying', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT 1 FROM bucardo_machine.fence WHERE lifted IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'bucardo-machine refuses % on %: this database is the destination of a migration that was not cut over yet', TG_OP, format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
    USING ERRCODE = 'read_only_sql_transaction',
    DETAIL = 'Its rows come from the source until then; what is written here would be overwritten, or be applied back to the source.',
    HINT = 'Write to the source. At the cut-over, as the owner of the tables: SELECT bucardo_machine.lift_fence()';
END $machine$
