-- captured_whole - $1 a sync: the tables that are captured for it, with delta table, track table
-- and both triggers. On either side.
SELECT d.tablename FROM bucardo.bucardo_delta_names d
JOIN bucardo.machine_captured m ON m.sync = d.sync AND m.tablename = d.tablename
JOIN pg_class c ON c.oid = to_regclass(d.tablename)
WHERE d.sync = $1 AND to_regclass('bucardo.' || d.deltaname) IS NOT NULL
AND to_regclass('bucardo.' || d.trackname) IS NOT NULL AND
(SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled <> 'D'
 AND t.tgname IN ('bucardo_delta', left('bucardo_note_trunc_' || $1, 63))) = 2
