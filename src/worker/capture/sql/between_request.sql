-- between_request - rows of the captured tables of the syncs $1 that the plan of the copy, $2, lacks
-- are requested: "schema"."name" with quotes in any case, as the ledger has them. Tells which.
WITH requested AS (INSERT INTO bucardo.machine_touches (tablename)
  SELECT DISTINCT d.tablename FROM bucardo.bucardo_delta_names d
    JOIN pg_class c ON c.oid = to_regclass(d.tablename)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE regexp_replace(d.sync, ' \(paused\)$', '') IN
      (SELECT json_array_elements_text($1::json))
    AND format('"%s"."%s"', replace(n.nspname, '"', '""'), replace(c.relname, '"', '""'))
      NOT IN (SELECT json_array_elements_text($2::json))
  ON CONFLICT DO NOTHING RETURNING tablename)
SELECT tablename FROM requested ORDER BY 1
