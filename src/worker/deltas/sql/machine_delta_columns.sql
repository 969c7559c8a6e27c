-- machine_delta_columns - the columns of a delta table but for the txntime, as a list to read.
CREATE OR REPLACE FUNCTION bucardo.machine_delta_columns(my_delta text) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $machine$
SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = to_regclass('bucardo.' || my_delta) AND attnum > 0
AND NOT attisdropped AND attname <> 'txntime'
$machine$
