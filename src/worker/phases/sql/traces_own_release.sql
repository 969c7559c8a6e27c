-- traces_own_release - where others use this database too: the changes of shared tables are kept for
-- the syncs of $1 no longer; machine_release() gives tables that are left to Bucardo's own purge back to it.
WITH mine AS (SELECT n || s AS sync FROM unnest($1::text[]) n, unnest(ARRAY['', '_sync', '_sync_2',
    '_sync_3', '_sync_4', '_sync_5', '_sync_6', '_sync_7', '_sync_8']) s)
SELECT format('SELECT bucardo.machine_release(%L)', m.sync) AS statement FROM mine m
  WHERE to_regprocedure('bucardo.machine_release(text)') IS NOT NULL AND (
    m.sync IN (SELECT sync FROM bucardo.machine_syncs)
    OR m.sync IN (SELECT regexp_replace(sync, ' \(paused\)$', '') FROM bucardo.bucardo_delta_names))
  ORDER BY 1
