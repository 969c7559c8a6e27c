-- keep_requests - What was requested last holds from the start: the syncs of a migration that is paused, or torn down, are not served, those of one whose
-- resume had no effect yet are. The trigger of bucardo.sync is not needed for that, and begins an interpreter.
SET LOCAL session_replication_role = replica;
DO $machine$ BEGIN
	IF pg_catalog.to_regclass('machine.migration') IS NOT NULL THEN
		UPDATE bucardo.sync s SET status = x.status
			FROM (SELECT m.name, CASE WHEN m.paused_at IS NULL
				AND pg_catalog.to_jsonb(m) ->> 'leaving' IS NULL THEN 'active' ELSE 'inactive' END AS status
				FROM machine.migration m WHERE m.paused_at IS NOT NULL OR pg_catalog.to_jsonb(m) ->> 'leaving' IS NOT NULL OR (pg_catalog.to_jsonb(m) ->> 'resuming')::boolean) x
			WHERE s.name IN (SELECT x.name || '_sync' || CASE WHEN n > 1 THEN '_' || n ELSE '' END
				FROM pg_catalog.generate_series(1, 8) n)
			AND s.status <> x.status AND EXISTS (SELECT 1 FROM bucardo.herdmap h WHERE h.herd = s.herd);
	END IF;
END $machine$
