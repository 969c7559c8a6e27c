-- refused_record - $1 the sync, $2 the table, $3 what was said, $4 on which side, $5 when the run ended,
-- $6 fingerprints. A run counts once.
INSERT INTO machine.refused AS r (sync, tablename, error, side, run_ended, prints)
VALUES ($1, $2, $3, $4, $5::timestamptz, $6) ON CONFLICT (sync, tablename) DO UPDATE
SET error = excluded.error, side = excluded.side, run_ended = excluded.run_ended,
 prints = excluded.prints, strikes = r.strikes + 1,
 since = CASE WHEN r.strikes > 0 THEN r.since ELSE now() END
WHERE r.until IS NULL AND r.run_ended < excluded.run_ended
 AND coalesce(r.released, '-infinity') < excluded.run_ended
