-- proof_differences - rows that differ of migration $1, as a JSON list, at most $2 of each table.
SELECT coalesce(json_agg(json_build_object('table', d.tablename, 'key', d.key, 'kind', d.kind, 'columns', d.columns,
    'found_at', to_char(d.found AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY d.tablename, d.n), '[]')
FROM (SELECT x.*, row_number() OVER (PARTITION BY tablename ORDER BY found, key COLLATE "C") AS n
  FROM bucardo.machine_differences x WHERE migration = $1) d WHERE d.n <= $2::bigint
