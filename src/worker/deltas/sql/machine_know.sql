-- machine_know - write down of each captured table of ours which one it is, and which of its
-- columns its delta table has, where that is not known yet: of a table that is new, or another
-- one of the same name. A column that the delta table knows by a name of old, since an older
-- machine wrote nothing down, is the one that the present key has in its place; {0}: none is.
CREATE OR REPLACE FUNCTION bucardo.machine_know() RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $machine$
BEGIN
  DELETE FROM bucardo.machine_keys m WHERE NOT EXISTS (SELECT 1
    FROM bucardo.bucardo_delta_names d WHERE d.tablename = m.name)
    OR (to_regclass(m.name) IS NOT NULL AND to_regclass(m.name) <> m.relation);
  IF to_regclass('bucardo.machine_missed') IS NOT NULL THEN
    DELETE FROM bucardo.machine_missed m WHERE NOT EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = m.relation);
  END IF;
  INSERT INTO bucardo.machine_keys (name, goat, relation, columns)
    SELECT d.tablename, d.tablename, to_regclass(d.tablename), CASE WHEN array_position(x.columns, NULL)
      IS NULL AND cardinality(x.columns) = (SELECT count(DISTINCT u) FROM unnest(x.columns) u)
      THEN x.columns ELSE '{0}' END
    FROM (SELECT DISTINCT n.tablename, n.deltaname FROM bucardo.bucardo_delta_names n
      WHERE regexp_replace(n.sync, ' \(paused\)$', '') IN (SELECT sync FROM bucardo.machine_syncs)
      AND NOT EXISTS (SELECT 1 FROM bucardo.machine_keys m WHERE m.name = n.tablename)) d
    CROSS JOIN LATERAL (SELECT array_agg(coalesce(a.attnum, k.key[c.n]) ORDER BY c.n) AS columns
      FROM (SELECT attname, row_number() OVER (ORDER BY attnum) AS n FROM pg_attribute
        WHERE attrelid = to_regclass('bucardo.' || d.deltaname) AND attnum > 0
        AND NOT attisdropped AND attname <> 'txntime') c
      CROSS JOIN (SELECT bucardo.machine_key_of(to_regclass(d.tablename), NULL) AS key) k
      LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(d.tablename) AND a.attname = c.attname
        AND a.attnum > 0 AND NOT a.attisdropped) x
    WHERE to_regclass(d.tablename) IS NOT NULL AND x.columns IS NOT NULL
    ON CONFLICT DO NOTHING;
END $machine$
