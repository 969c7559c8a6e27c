-- machine_capture_change - what happened to a trigger, by "OID XMIN ENABLED" as it was and is; NULL
-- nothing, or nothing that matters: the table is another one, or an older machine wrote nothing down.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_change(my_name text, my_other boolean, my_was text,
  my_is text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT CASE WHEN my_other THEN NULL
  WHEN coalesce(my_is, '') = '' THEN format('its trigger %s was dropped', my_name)
  WHEN my_is LIKE '% D' THEN format('its trigger %s is switched off', my_name)
  WHEN my_is LIKE '% R' THEN format('its trigger %s fires in replica role only', my_name)
  WHEN my_was IS NULL OR my_was = my_is THEN NULL
  WHEN split_part(my_was, ' ', 1) <> split_part(my_is, ' ', 1)
    THEN format('its trigger %s was dropped and made again', my_name)
  ELSE format('its trigger %s was switched off, or altered', my_name) END
$machine$
