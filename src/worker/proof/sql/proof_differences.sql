-- proof_differences - rows that differ of migration $1, as a JSON list, at most $2 of each table; what is long is cut.
SELECT coalesce(json_agg(json_build_object('table', d.tablename, 'key', left(d.key, 300), 'kind', d.kind, 'columns', left(d.columns, 300),
    'found_at', to_char(d.found AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY d.tablename, d.n), '[]')
FROM (SELECT x.*, row_number() OVER (PARTITION BY tablename ORDER BY found, key COLLATE "C") AS n
  FROM bucardo.machine_differences x WHERE migration = $1) d WHERE d.n <= $2::bigint
