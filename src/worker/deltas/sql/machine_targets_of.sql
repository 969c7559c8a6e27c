-- machine_targets_of - who has to have applied the changes of a delta table before they may go:
-- the targets of our syncs, also of paused ones, and those of syncs of somebody else. NULL:
-- somebody uses it of whom nothing but the name of the sync is known.
CREATE OR REPLACE FUNCTION bucardo.machine_targets_of(my_delta text) RETURNS text[]
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
DECLARE ours text[]; theirs text[]; is_shared boolean;
BEGIN
  SELECT array_agg(DISTINCT m.target) FILTER (WHERE m.target IS NOT NULL),
      bool_or(m.target IS NULL) INTO ours, is_shared
    FROM bucardo.bucardo_delta_names d LEFT JOIN bucardo.machine_syncs m
      ON m.sync = regexp_replace(d.sync, ' \(paused\)$', '') WHERE d.deltaname = my_delta;
  SELECT array_agg(DISTINCT x.target) INTO theirs
    FROM (SELECT t.tablename, t.target FROM bucardo.machine_targets t
      UNION SELECT t.tablename::regclass::text, t.target FROM bucardo.bucardo_delta_targets t) x
    WHERE x.tablename IN (SELECT d.tablename FROM bucardo.bucardo_delta_names d
      WHERE d.deltaname = my_delta) AND x.target <> ALL (coalesce(ours, '{}'));
  IF is_shared AND theirs IS NULL THEN RETURN NULL; END IF;
  RETURN array_cat(ours, theirs);
END $machine$
