-- machine_capture_values - may rows have other values, though none was written? `values` of
-- machine_capture_rows() as it was and is: a name is another column's now, or a new one's that has a
-- value for the rows of before; not one that was renamed only.
CREATE OR REPLACE FUNCTION bucardo.machine_capture_values(my_was jsonb, my_is jsonb) RETURNS boolean
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT my_was IS NOT NULL AND coalesce(bool_or(CASE
  WHEN w.value IS NULL THEN i.value LIKE '% %'
    AND NOT EXISTS (SELECT 1 FROM jsonb_each_text(my_was) o WHERE o.value = i.value)
  ELSE split_part(w.value, ' ', 1) <> split_part(i.value, ' ', 1) END), false)
FROM jsonb_each_text(my_is) i LEFT JOIN jsonb_each_text(my_was) w USING (key)
$machine$
