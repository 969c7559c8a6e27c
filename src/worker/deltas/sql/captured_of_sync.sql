-- captured_of_sync - $1 a sync: its captured tables with their delta and track tables, whether
-- another sync takes from it, and whether it is not paused. On either side.
SELECT tablename, deltaname, trackname, bool_or(sync <> $1), bool_or(sync = $1)
FROM bucardo.bucardo_delta_names WHERE sync IN ($1, $1 || ' (paused)')
GROUP BY 1, 2, 3 ORDER BY 1
