-- refused_forget - what made runs of sync $1 fail, and is gone: a good one began since.
DELETE FROM machine.refused r WHERE r.sync = $1 AND r.until IS NULL AND EXISTS (SELECT 1
FROM bucardo.syncrun g WHERE g.sync = $1 AND g.lastgood
AND g.started > coalesce(r.released + interval '15 s', r.run_ended))
