-- apply_shared - the tables of this side from which others take than the syncs of migration $1: what is written to them is
-- a change for those (machine_share.sql).
SELECT DISTINCT d.tablename FROM bucardo.bucardo_delta_names d
WHERE regexp_replace(d.sync, ' \(paused\)$', '') NOT IN (SELECT r.sync FROM bucardo.machine_runs r WHERE r.migration = $1)
