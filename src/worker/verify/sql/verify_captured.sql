-- verify_captured - the tables of which Bucardo's triggers write down changed keys here: name, the
-- tables that hold keys which may be under way, with those that wait for a later run (mpark_*), the columns
-- of the key as a JSON list, and whether the table is paused. Only where there is schema bucardo.
SELECT n.tablename,
  array_to_json(array_agg(DISTINCT 'bucardo.' || x.name) FILTER (WHERE to_regclass('bucardo.' || x.name) IS NOT NULL)),
  (SELECT json_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = to_regclass('bucardo.' || min(n.deltaname)) AND a.attnum > 0
    AND NOT a.attisdropped AND a.attname <> 'txntime'),
  bool_or(n.sync ~ ' \(paused\)$')
FROM bucardo.bucardo_delta_names n
CROSS JOIN LATERAL (VALUES (n.deltaname), (regexp_replace(n.deltaname, '^("?)delta_', '\1mpark_'))) x(name)
WHERE to_regclass('bucardo.' || n.deltaname) IS NOT NULL
GROUP BY n.tablename
