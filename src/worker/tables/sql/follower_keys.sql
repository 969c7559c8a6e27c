-- follower_keys - what machine_ship() wants of the other side, as a statement that this side makes
-- of its own catalog: $1 the table, $2 a JSON list of its key's columns, $3 how many blocks, $4 the
-- file and $5 the block where the last portion ended. A table in another file begins anew.
SELECT format('SELECT ARRAY[%s]::text[]::text FROM ONLY %I.%I WHERE %s',
    (SELECT string_agg(format('pg_catalog.array_agg(pg_catalog.format(''%%s'', %I))::text', k.name),
      ', ' ORDER BY k.n) FROM json_array_elements_text($2::json) WITH ORDINALITY AS k(name, n)),
    s.nspname, c.relname,
    CASE WHEN current_setting('server_version_num')::int >= 140000
      THEN format('ctid >= ''(%s,0)''::tid AND ctid < ''(%s,0)''::tid', b.first,
        least(b.first + $3::bigint, 4294967295))
      ELSE format('ctid = ANY (ARRAY(SELECT pg_catalog.format(''(%%s,%%s)'', b, i)::tid'
        ' FROM pg_catalog.generate_series(%s, %s - 1) b, pg_catalog.generate_series(1, %s / 28) i))',
        b.first, b.first + $3::bigint, current_setting('block_size')) END),
  pg_relation_filenode(c.oid),
  CASE WHEN (b.first + $3::bigint) * current_setting('block_size')::bigint < pg_relation_size(c.oid)
    THEN b.first + $3::bigint END
FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace,
LATERAL (SELECT CASE WHEN pg_relation_filenode(c.oid)::text IS NOT DISTINCT FROM $4
  THEN coalesce($5::bigint, 0) ELSE 0 END AS first) b
WHERE c.oid = to_regclass($1) AND c.relkind = 'r'
