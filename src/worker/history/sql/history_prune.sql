-- history_prune - What nothing takes the place of, as the rows of a migration that is gone: older than the ring is
-- long at $1 (epoch), and the oldest of more than 600,000. Some hundred at a time: a clock that jumped ahead costs no
-- more, and no deletion is long.
DELETE FROM machine.history WHERE ctid = ANY (ARRAY(
	SELECT ctid FROM machine.history
		WHERE at < $1::bigint - CASE step WHEN 10 THEN 86400 ELSE 60 * 86400 END
			OR (SELECT count(*) FROM machine.history) > 600000
		ORDER BY at LIMIT 500))
