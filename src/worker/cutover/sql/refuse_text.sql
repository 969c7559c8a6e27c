-- refuse_text - the statement that makes the function of the fence of a side that is left: $1 source or
-- destination, $2 the migration, $3 the serial of the attempt, $4 how often the sides had changed places, $5 where
-- applications write instead; $6 true: nobody is refused, since nothing came of the attempt (who enables all triggers of a
-- table enables these). Sessions of ours and of Bucardo pass. A side that was opened again afterwards
-- passes all: whoever reads from an older snapshot does not see that, and is refused.
SELECT format($text$CREATE OR REPLACE FUNCTION %1$s() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  IF current_setting('session_replication_role') = 'replica'
    AND current_setting('bucardo_machine.applying', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF EXISTS (%2$s) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'bucardo-machine refuses %% on %%: applications write to %% now', TG_OP,
    format('%%I.%%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), %3$L
    USING ERRCODE = 'read_only_sql_transaction',
    DETAIL = 'Source and destination have changed places; what is written there comes here.',
    HINT = 'Write to ' || %3$L || '.';
END $machine$$text$, x.name, x.opened, $5::text)
FROM (SELECT CASE WHEN $1 = 'source' THEN 'bucardo.' ELSE 'bucardo_machine.' END || 'machine_refuse_' || $2::text AS name,
  CASE WHEN $6::boolean THEN 'SELECT 1'
    WHEN $1 = 'source' THEN format('SELECT 1 FROM bucardo.machine_cutovers c WHERE c.migration = %L'
      ' AND c.serial >= %s AND c.state = ''open''', $2::text, $3::bigint)
    ELSE format('SELECT 1 FROM bucardo_machine.fence f WHERE f.lifted IS NOT NULL AND f.turn > %s', $4::bigint + 1)
  END AS opened) x
