-- proof_begin - the tables of migration $1 are those of the JSON list $2 ({kind, name, bytes}): what is known of others
-- goes, and those that nobody has compared are so.
WITH t AS (SELECT x->>'kind' AS kind, x->>'name' AS name, (x->>'bytes')::bigint AS bytes
    FROM json_array_elements($2::json) x),
gone AS (DELETE FROM bucardo.machine_proof_states s WHERE s.migration = $1 AND s.kind IN ('table', 'materialized view')
  AND NOT EXISTS (SELECT 1 FROM t WHERE t.kind = s.kind AND t.name = s.name)),
gone_rows AS (DELETE FROM bucardo.machine_differences d WHERE d.migration = $1
  AND NOT EXISTS (SELECT 1 FROM t WHERE t.name = d.tablename))
INSERT INTO bucardo.machine_proof_states AS s (migration, kind, name, state, why, bytes, since)
SELECT $1, t.kind, t.name, 'unproven', 'it was not compared yet', t.bytes, now() FROM t
ON CONFLICT (migration, kind, name) DO UPDATE SET bytes = excluded.bytes WHERE s.bytes <> excluded.bytes
