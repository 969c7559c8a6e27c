-- machine_kept - changes of shared tables that ours have applied, and that are kept for `my_age`
-- already because somebody else has not: of which table, and for whom.
CREATE OR REPLACE FUNCTION bucardo.machine_kept(my_age interval)
  RETURNS TABLE (kept_table text, kept_for text)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $machine$
DECLARE n record; one text; is_kept boolean;
BEGIN
  FOR n IN SELECT DISTINCT d.tablename, d.deltaname, d.trackname,
      bucardo.machine_targets_of(d.deltaname) AS targets FROM bucardo.bucardo_delta_names d
    WHERE to_regclass('bucardo.' || d.deltaname) IS NOT NULL
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o WHERE o.deltaname = d.deltaname
      AND regexp_replace(o.sync, ' \(paused\)$', '') <> regexp_replace(d.sync, ' \(paused\)$', ''))
    AND EXISTS (SELECT 1 FROM bucardo.bucardo_delta_names o JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(o.sync, ' \(paused\)$', '') WHERE o.deltaname = d.deltaname)
    ORDER BY 1 LOOP
    kept_table := n.tablename;
    IF n.targets IS NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%s d WHERE d.txntime < now() - $1)',
        n.deltaname) INTO is_kept USING my_age;
      IF is_kept THEN
        FOR kept_for IN SELECT d.sync FROM bucardo.bucardo_delta_names d
          WHERE d.deltaname = n.deltaname AND NOT EXISTS (SELECT 1 FROM bucardo.machine_syncs m
            WHERE m.sync = regexp_replace(d.sync, ' \(paused\)$', '')) LOOP
          RETURN NEXT;
        END LOOP;
      END IF;
      CONTINUE;
    END IF;
    FOREACH one IN ARRAY n.targets LOOP
      EXECUTE format('SELECT EXISTS (SELECT 1 FROM bucardo.%1$s d WHERE d.txntime < now() - $1
            AND NOT EXISTS (SELECT 1 FROM bucardo.%2$s t WHERE t.target = $2
              AND t.txntime = d.txntime) AND EXISTS (SELECT 1 FROM bucardo.%2$s t
            WHERE t.txntime = d.txntime))', n.deltaname, n.trackname)
        INTO is_kept USING my_age, one;
      kept_for := one;
      IF is_kept THEN RETURN NEXT; END IF;
    END LOOP;
  END LOOP;
END $machine$
