-- machine_fold - delete up to $4 deltas that meet a condition ($1 of it: $3); what is proven of the ranges that
-- their keys are in is so no more, and that is written down in the same statement. A plan that does not fit the table any more
-- goes, and its proofs with it: a purge waits for nobody's proof.
CREATE OR REPLACE FUNCTION bucardo.machine_fold(my_delta text, my_condition text, my_targets text[], my_limit int)
  RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE gone text; folds text; number bigint;
BEGIN
  gone := format('WITH gone AS (DELETE FROM bucardo.%1$s WHERE ctid = ANY (ARRAY('
    'SELECT d.ctid FROM bucardo.%1$s d WHERE %2$s LIMIT $2)) RETURNING *)', my_delta, my_condition);
  SELECT string_agg(format(', f%s AS (INSERT INTO bucardo.machine_proof_marks SELECT DISTINCT %L, %L, %s'
      ' FROM gone ON CONFLICT DO NOTHING)', p.n, p.migration, p.tablename, p.bucket), '') INTO folds
    FROM (SELECT row_number() OVER () AS n, x.* FROM bucardo.machine_proof_plans x WHERE x.tablename IN
      (SELECT d.tablename FROM bucardo.bucardo_delta_names d WHERE d.deltaname = my_delta)) p;
  BEGIN
    EXECUTE gone || coalesce(folds, '') || ' SELECT count(*) FROM gone' INTO number
      USING my_targets, my_limit;
  EXCEPTION WHEN lock_not_available OR serialization_failure OR deadlock_detected THEN RAISE;
    WHEN OTHERS THEN
      IF folds IS NULL THEN RAISE; END IF;
      DELETE FROM bucardo.machine_proof_plans WHERE tablename IN
        (SELECT d.tablename FROM bucardo.bucardo_delta_names d WHERE d.deltaname = my_delta);
      EXECUTE gone || ' SELECT count(*) FROM gone' INTO number USING my_targets, my_limit;
  END;
  RETURN number;
END $machine$
