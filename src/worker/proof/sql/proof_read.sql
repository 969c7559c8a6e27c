-- proof_read - what is known of the tables of migration $1, the worst first (states.h).
WITH proofs AS (SELECT tablename, count(*) AS proven, min(proven) AS oldest FROM bucardo.machine_proofs
  WHERE migration = $1 GROUP BY 1),
marks AS (SELECT tablename, count(*) AS changed FROM bucardo.machine_proof_marks WHERE migration = $1 GROUP BY 1)
SELECT s.kind, s.name, s.state, s.why, s.at IS NULL, s.captured, t.at, t.since, t.oldest, s.bytes, s.rows, s.in_flight,
  s.missing, s.extra, s.changed, coalesce(p.buckets, 0), coalesce(x.proven, 0), coalesce(m.changed, 0),
  (extract(epoch FROM now() - s.at) * 1000)::bigint
FROM bucardo.machine_proof_states s
LEFT JOIN bucardo.machine_proof_plans p ON p.migration = s.migration AND p.tablename = s.name
LEFT JOIN proofs x ON x.tablename = s.name LEFT JOIN marks m ON m.tablename = s.name,
LATERAL (SELECT to_char(s.at AT TIME ZONE 'UTC', f.f) AS at, to_char(s.since AT TIME ZONE 'UTC', f.f) AS since,
    to_char(coalesce(x.oldest, CASE s.state WHEN 'equal' THEN s.at END) AT TIME ZONE 'UTC', f.f) AS oldest
  FROM (SELECT 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text) f(f)) t
WHERE s.migration = $1 AND s.kind <> 'migration'
ORDER BY array_position(ARRAY['different', 'unproven', 'in_flight', 'equal'], s.state), s.name
