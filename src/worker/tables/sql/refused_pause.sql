-- refused_pause - $1 the sync, $2 the table, $3 how many such runs it takes, $4 how many tables at most.
-- More than one run have to lie apart: `observe` has deferred rows brought back meanwhile.
UPDATE machine.refused r SET until = now() + least(interval '10 min', interval '30 s' * 2 ^ least(r.tries, 8)),
 tries = r.tries + 1, released = NULL
WHERE r.sync = $1 AND r.tablename = $2 AND r.until IS NULL AND r.strikes >= $3::int
AND ($3::int = 1 OR r.since <= now() - interval '10 s')
AND (SELECT count(*) FROM machine.refused o WHERE o.sync = $1 AND o.until IS NOT NULL) < $4::int
