-- verify_captured - the tables of which Bucardo's triggers write down changed keys here: name, the table
-- that holds keys which may be under way and the one that holds those which wait for a later run (it may
-- be made at any time), the columns of the key as a JSON list, and whether the table is paused. Only where
-- there is schema bucardo. $1: the migration whose pauses count; '' any.
SELECT n.tablename, 'bucardo.' || min(n.deltaname),
  'bucardo.' || regexp_replace(min(n.deltaname), '^("?)delta_', '\1mpark_'),
  (SELECT json_agg(quote_ident(a.attname) ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = to_regclass('bucardo.' || min(n.deltaname)) AND a.attnum > 0
    AND NOT a.attisdropped AND a.attname <> 'txntime'),
  bool_or(n.sync ~ ' \(paused\)$' AND ($1 = '' OR n.sync ~ ('^' || $1 || '_sync(_\d+)? \(paused\)$')))
FROM bucardo.bucardo_delta_names n
WHERE to_regclass('bucardo.' || n.deltaname) IS NOT NULL
GROUP BY n.tablename
