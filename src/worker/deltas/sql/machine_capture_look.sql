-- machine_capture_look - what makes a table captured, as it is: each part has another value when
-- somebody changed it, also when it was changed back (the xmin of its row in pg_trigger). `missed`: how many
-- transactions wrote to it past a trigger that did not fit its key.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_look(my_sync text, my_table text, my_delta text)
  RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT jsonb_strip_nulls(jsonb_build_object(
  'missed', (SELECT nullif(count(*), 0) FROM bucardo.machine_missed m WHERE m.relation = c.oid))) ||
  jsonb_build_object('table', c.oid, 'delta', to_regclass('bucardo.' || my_delta)::oid,
  'row', (SELECT concat_ws(' ', t.oid, t.xmin, t.tgenabled) FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_delta'),
  'truncate', (SELECT concat_ws(' ', t.oid, t.xmin, t.tgenabled) FROM pg_trigger t
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_note_trunc_' || my_sync),
  'body', (SELECT md5(p.prosrc) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = c.oid AND t.tgname = 'bucardo_delta'),
  'key', (SELECT string_agg(format_type(a.atttypid, a.atttypmod), ', ' ORDER BY d.attnum)
    FROM pg_attribute d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = d.attname
    AND a.attnum > 0 AND NOT a.attisdropped
    WHERE d.attrelid = to_regclass('bucardo.' || my_delta) AND d.attnum > 0
    AND NOT d.attisdropped AND d.attname <> 'txntime'))
FROM pg_class c WHERE c.oid = to_regclass(my_table)
$machine$
