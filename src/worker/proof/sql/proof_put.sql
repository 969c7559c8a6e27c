-- proof_put - what was found of one table: $1 migration, $2 JSON. The rows that differ take the place of those of
-- before, where all rows of the table were compared; one that is found again keeps the time when it was found first.
WITH o AS (SELECT x->>'name' AS name, x->>'state' AS state, x AS doc FROM (SELECT $2::json AS x) y),
old AS (DELETE FROM bucardo.machine_differences d USING o WHERE d.migration = $1 AND d.tablename = o.name
  AND o.state IN ('equal', 'different') RETURNING d.key, d.kind, d.found),
more AS (INSERT INTO bucardo.machine_differences (migration, tablename, key, kind, columns, found)
  SELECT $1, o.name, d->>'key', d->>'kind', d->>'columns', coalesce((SELECT min(old.found) FROM old
    WHERE old.key = d->>'key' AND old.kind = d->>'kind'), now())
  FROM o, json_array_elements(o.doc->'differences') d)
INSERT INTO bucardo.machine_proof_states AS s (migration, kind, name, state, why, captured, bytes, rows, in_flight, missing,
  extra, changed, at, since)
SELECT $1, o.doc->>'kind', o.name, o.state, o.doc->>'why', (o.doc->>'captured')::boolean, (o.doc->>'bytes')::bigint,
  (o.doc->>'rows')::bigint, (o.doc->>'in_flight')::bigint, (o.doc->>'missing')::bigint, (o.doc->>'extra')::bigint,
  (o.doc->>'changed')::bigint, now(), now() FROM o
ON CONFLICT (migration, kind, name) DO UPDATE SET state = excluded.state, why = excluded.why, captured = excluded.captured,
  bytes = excluded.bytes, rows = excluded.rows, in_flight = excluded.in_flight, missing = excluded.missing,
  extra = excluded.extra, changed = excluded.changed, at = excluded.at,
  since = CASE WHEN s.state = excluded.state AND s.at IS NOT NULL THEN s.since ELSE excluded.since END
